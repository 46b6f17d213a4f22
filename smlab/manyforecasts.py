"""Many series forecast at once, checked on their own last steps, and which of them rise or fall.

The check forecasts the last h steps from what came before, beside the seasonal naive, and counts how many of the
values lay in the intervals: the figures say what the forecasts of the coming h steps are worth.

Counts are forecast as log(1 + y) (`forecast.Logged`), so that no quantile falls below 0; series with values below 0
as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlab import atomic
from smlab.checks import UsageError, nearest, shorten
from smlab.countscores import LEVELS
from smlab.etsarima import ARIMA, ETS
from smlab.forecast import Forecaster, Logged, Mean, SeasonalNaive
from smlab.lagged import Lags, LagTrees
from smlab.rolling import NAIVE, rolling
from smlab.series import Series

TOP = 5  # names, and notes, that are told
Make = Callable[[int, int], Forecaster]
MODELS: dict[str, Make] = {
    "lags": lambda m, h: Lags(season=m, horizon=h),
    "mean": lambda m, h: Mean([Lags(season=m, horizon=h), LagTrees(season=m, horizon=h)]),
    "ets": lambda m, h: ETS(season=m),
    "arima": lambda m, h: ARIMA(season=m),
    "naive": lambda m, h: SeasonalNaive(season=m),
}
ROUNDS = {"min": (1440, 1440), "5min": (288, 288), "15min": (96, 96), "30min": (48, 48), "h": (24, 48), "D": (7, 28),
          "W": (1, 8), "MS": (12, 12), "QS": (4, 4), "YS": (1, 3)}  # fmt: skip


class Ahead(NamedTuple):
    """Forecasts of many series.

    Parameters
    ----------
    table : a row a series and time: `series`, `time`, `mean`, and the quantiles `q0.025` … `q0.975`
    changes : a row a series, by `change`: the mean of the coming steps, of the last ones, and their ratio less 1
    checked : a row a series, on its last steps: `mase`, `naive_mase`, `coverage_80`; NaN where it is too short
    notes : what was odd about a series, by its name
    """

    table: pd.DataFrame
    changes: pd.DataFrame
    checked: pd.DataFrame
    notes: dict[str, str]


def rhythm(freq: str) -> tuple[int, int]:
    """Give the steps of a round and of a useful look ahead, for steps of a length.

    >>> rhythm("D"), rhythm("W-MON"), rhythm("3h")
    ((7, 28), (1, 8), (1, 8))
    """
    return ROUNDS.get(freq, ROUNDS.get(freq.split("-")[0], (1, 8)))


def wide(data: Series) -> pd.DataFrame:
    """Give the series side by side, a column each, at the steps that all of them span (NaN where one has no value)."""
    table = data.frame.pivot(index="time", columns="series", values="value")[data.names]
    return table.asfreq(data.freq)


def forecast_all(
    data: Series, model: str = "lags", *, horizon: int | None = None, season: int | None = None, show: bool = False
) -> Ahead:
    """Forecast each series of a dataset and check the way of doing so on the last steps.

    Parameters
    ----------
    model : lags, mean (of lags and trees), ets, arima or naive
    horizon, season : steps ahead, and steps of a round; None takes those of `rhythm`
    show : say on standard error how far it is

    Raises
    ------
    UsageError
        For an unknown model, and where no series is long enough.
    """
    if model not in MODELS:
        raise UsageError(f"unknown model {model!r}: {nearest(model, MODELS)}")
    Y, (m, h) = wide(data), rhythm(data.freq)
    m, h = m if season is None else season, h if horizon is None else horizon
    counted = not (Y.to_numpy() < 0).any()

    def make(name: str) -> Forecaster:
        made = MODELS[name](m, h)
        return Logged(made) if counted else made

    fitted, naive = make(model).fit(Y, show=show), make("naive").fit(Y)
    found, plain = fitted.predict(h), naive.predict(h)
    notes = dict(fitted.notes_)
    for name in found.index[found["mean"].isna() & plain["mean"].notna()].unique("series"):
        notes[name] = f"{notes[name].split(';')[0]}; the seasonal naive forecast stands in"
    found = found.fillna(plain)
    if found["mean"].isna().all():
        why = next(iter(naive.notes_.values()))
        raise UsageError(f"{data.name}: no series is long enough to be forecast. {why}")
    table = found.rename(columns={q: f"q{q}" for q in LEVELS}).reset_index()
    table = table[["series", "time", "mean", *(f"q{q}" for q in LEVELS)]]
    checked = _checked(Y, {NAIVE: make("naive"), model: make(model)}, m, h, show)
    return Ahead(table, _changes(Y, table, h), checked.reindex(Y.columns), notes)


def as_text(data: Series, ahead: Ahead, model: str) -> str:
    """Say in lines what was forecast, how good that is, and what rises and falls."""
    h, checked = len(ahead.table) // len(ahead.changes), ahead.checked.dropna(subset=["mase", "naive_mase"])
    start, end = (f"{t:%Y-%m-%d %H:%M}".removesuffix(" 00:00") for t in ahead.table["time"].agg(["min", "max"]))
    lines = [f"{data.name}: {_several(len(ahead.changes))}, {h} steps of {data.freq}, {start} to {end}."]
    if len(checked):
        mine, naive, held = checked["mase"], checked["naive_mase"], checked["coverage_80"].mean()
        lines.append(
            f"Checked on the last {h} steps, forecast from what came before: MASE (median) of {model} "
            f"{mine.median():.2f}, of the seasonal naive {naive.median():.2f}, nearer in {(mine < naive).sum():,} of "
            f"{_several(len(checked))}; {held:.0%} of the values lay in the 80 % intervals."
        )
    else:
        lines.append("The series are too short to check the forecasts on their own last steps.")
    moves = ahead.changes["change"].dropna().round(2)
    for word, part in (("Rising", moves[moves > 0].head(TOP)), ("Falling", moves[moves < 0].tail(TOP)[::-1])):
        if len(part):
            shown = ", ".join(f"{shorten(str(name), 40)} {change:+.0%}" for name, change in part.items())
            lines.append(f"{word} most, the {h} coming steps against the last {h}: {shown}.")
    lines += [f"Note: {note}." for note in list(ahead.notes.values())[:TOP]]
    if (more := len(ahead.notes) - TOP) > 0:
        lines.append(f"… and {more} more notes of this kind.")
    return "\n".join(lines)


def write(ahead: Ahead, to: Path) -> Path:
    """Write the table as CSV, whole or not at all; a name that a spreadsheet would calculate gets a `'` in front.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    table = ahead.table.assign(
        series=ahead.table["series"].astype(str).str.replace(r"^(?=[=+\-@\t\r])", "'", regex=True)
    )
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        return atomic.write(to, table.to_csv(index=False, float_format="%.6g"))
    except OSError as error:
        raise UsageError(f"{to}: {error.strerror or error}; name another with --out") from error


def _several(n: int) -> str:
    return f"{n:,} series"


def _checked(Y: pd.DataFrame, models: dict[str, Forecaster], m: int, h: int, show: bool) -> pd.DataFrame:
    columns = ["mase", "naive_mase", "coverage_80"]
    if len(Y) < h + 3:
        return pd.DataFrame(np.nan, Y.columns, columns)
    rolled = rolling(Y, models, season=m, horizon=h, origins=1, show=show).dropna(subset=["y", 0.5, "scale"])
    rolled["miss"] = (rolled["y"] - rolled[0.5]).abs() / rolled["scale"]
    rolled["held"] = rolled["y"].between(rolled[0.1], rolled[0.9]).astype(float)
    mine, naive = (rolled[rolled["model"] == name].groupby("series") for name in (list(models)[-1], NAIVE))
    return pd.DataFrame(
        {"mase": mine["miss"].mean(), "naive_mase": naive["miss"].mean(), "coverage_80": mine["held"].mean()}
    )


def _changes(Y: pd.DataFrame, table: pd.DataFrame, h: int) -> pd.DataFrame:
    coming, last = table.groupby("series", sort=False)["mean"].mean(), Y.iloc[-h:].mean()
    found = pd.DataFrame({"coming": coming, "last": last})
    found["change"] = found["coming"] / found["last"].where(found["last"] > 0) - 1
    return found.sort_values("change", ascending=False, kind="stable")
