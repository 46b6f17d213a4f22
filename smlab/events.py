"""What did the campaign, the match, the holiday do to the series? Regressions with an event in them.

`log` takes log(1 + y), so that effects are percent; the errors u are autocorrelated (`arerrors`).

    interrupted   y_t = β_0 + β_1 t + δ [t ≥ T] + γ (t - T)+ + season + controls + u_t
                  T is the event, δ the jump, γ the change of slope. A before/after comparison has neither trend nor u
    several       many events at once, each a column for each day of its window; shrunk, and corrected for many looks

A regression's p-value for one day supposes errors as a normal law has them, and series about people have bursts. So
each event also stands beside placebos: as many dates, drawn from those where nothing happened. With t_s of n draws

    p = (1 + #{|t_s| ≥ |t|}) / (1 + n)

What no method here tells apart from the event is whatever else happened that day. Forecasts from the past alone, for
one event, are in `counterfactual`. Left out: several series with the event in some (difference in differences).

References: Bernal, Cummins & Gasparrini (2017), interrupted series; Abadie, Diamond & Hainmueller (2010), placebo
tests; Stephens (2017), shrinking; Holm (1979).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from smlab.arerrors import Regression, regress
from smlab.checks import UsageError
from smlab.forecast import stepped, waves
from smlab.metrics import Interval
from smlab.nextpost import shrink
from smlab.served import holm

Floats = NDArray[np.float64]
UNSEEN = "The date is all that is known: whatever else happened then is in the number too."
MIN_FREE = 40  # days to draw placebos from
WEEK = ((7.0, 3),)  # a period in steps, and pairs of sine and cosine: three are all there are for seven days


class Interrupted(NamedTuple):
    """An interrupted series.

    Parameters
    ----------
    jump, slope : δ and γ a step, in the unit of y, or in logarithms; slope None where not asked for
    mean : of the effect over the time after T
    p : of no jump; and of no slope
    table : a row a step: actual, fitted, expected (without the event) with low and high
    naive : mean after less mean before
    """

    jump: Interval
    slope: Interval | None
    mean: Interval
    p: tuple[float, float | None]
    table: pd.DataFrame
    naive: float
    regression: Regression
    sentence: str


def interrupted(
    y: pd.Series,
    at: Any,
    *,
    until: Any = None,
    slope: bool = True,
    periods: Sequence[tuple[float, int]] = WEEK,
    controls: pd.DataFrame | None = None,
    log: bool = False,
    order: int | None = None,
    level: float = 0.95,
) -> Interrupted:
    """Estimate jump and change of slope at an event.

    Parameters
    ----------
    y : (n,) by time, regular steps, NaN where nothing was measured
    at, until : first and last time of the event; without `until` it lasts
    slope : whether the slope may change too; an event of one or two steps has none
    periods : seasons as (steps, pairs of sine and cosine); ((7, 3), (365.25, 4)) for weeks and years
    controls : columns by the same times that the event does not touch
    order : of the errors' autocorrelation; chosen by AIC if not given
    """
    z, start, end = series_values(y, log), *span(y, at, until)
    slope, t = slope and end - start > 2, np.arange(len(z), dtype=float)
    during = (t >= start) & (t < end)
    base = _base(y, periods, controls)
    event = np.column_stack([during] + ([during * (t - start)] if slope else [])).astype(float)
    found = regress(z, np.column_stack([event, base]), order=order)
    k = event.shape[1]
    units = np.eye(len(found.beta))
    average = np.r_[event[during].mean(axis=0), np.zeros(base.shape[1])]
    jump = found.estimate(units[0], level=level)
    bend = found.estimate(units[1], level=level) if slope else None
    mean = found.estimate(average, level=level)
    without = base @ found.beta[k:]
    half = stats.norm.ppf((1 + level) / 2) * found.error(np.column_stack([np.zeros((len(base), k)), base]))
    columns = [z, without + during * (event @ found.beta[:k]), without, without - half, without + half]
    table = pd.DataFrame(np.column_stack(columns), y.index, ["actual", "fitted", "expected", "low", "high"])
    naive = float(np.nanmean(z[during]) - np.nanmean(z[:start]))
    p = found.p_value(units[0]), found.p_value(units[1]) if slope else None
    return Interrupted(
        jump, bend, mean, p, table.apply(np.expm1) if log else table, naive, found,
        said(y.index[start], in_words(mean, log), f"p = {found.p_value(average):.2g}"),
    )  # fmt: skip


class Several(NamedTuple):
    """What events of several names did.

    Parameters
    ----------
    table : a row a name: dates, effect (mean over window and dates), low, high, p (the model's), placebo (share of
        drawn dates with as large a t), adjusted (the larger p, for as many names, Holm), shrunk (towards 0), clear
    days : a row a name and day of its window: name, day (0 is the event), effect, low, high
    """

    table: pd.DataFrame
    days: pd.DataFrame
    regression: Regression
    sentence: str


def several(
    y: pd.Series,
    events: Mapping[str, Iterable[Any]],
    *,
    before: int = 0,
    after: int = 0,
    periods: Sequence[tuple[float, int]] = WEEK,
    controls: pd.DataFrame | None = None,
    log: bool = False,
    order: int | None = None,
    n_placebos: int = 499,
    level: float = 0.95,
    seed: int = 0,
) -> Several:
    """Estimate the effect of events of several names at once, each over its days -before … after.

    Parameters
    ----------
    events : name -> dates; all dates of a name have one effect a day of the window
    n_placebos : draws of as many dates, apart from all windows

    The other parameters are those of `interrupted`.
    """
    z, rng = series_values(y, log), np.random.default_rng(seed)
    if not events or before < 0 or after < 0:
        raise UsageError("needed are events with a name, before ≥ 0 and after ≥ 0")
    dates = {name: places(y, when, name) for name, when in events.items()}
    windows = {
        (name, day): column
        for name, at in dates.items()
        for day in range(-before, after + 1)
        if (column := _marks(at + day, len(z)))[~np.isnan(z)].any()
    }
    absent = [name for name in dates if not any(key[0] == name for key in windows)]
    if absent:
        raise UsageError(f"the series has no value in any window of {absent[0]!r}")
    found = regress(z, np.column_stack([*windows.values(), _base(y, periods, controls)]), order=order)
    units, keys = np.eye(len(found.beta)), list(windows)
    days = [(*key, *found.estimate(units[i], level=level)) for i, key in enumerate(keys)]
    free = ~np.isnan(z) & ~np.any(list(windows.values()), axis=0)
    rows = []
    for name, at in dates.items():
        c = np.mean([units[i] for i, key in enumerate(keys) if key[0] == name], axis=0)
        chance = _drawn(found, free, len(at), range(-before, after + 1), n_placebos, rng)
        t = abs(c @ found.beta) / found.error([c])[0]
        placebo = (1 + int((chance >= t).sum())) / (1 + len(chance)) if len(chance) else np.nan
        rows.append((len(at), *found.estimate(c, level=level), found.p_value(c), placebo, float(found.error([c])[0])))
    columns = ["dates", "effect", "low", "high", "p", "placebo", "error"]
    table = pd.DataFrame(rows, list(dates), columns)
    table["adjusted"] = holm(table[["p", "placebo"]].max(axis=1))
    table["shrunk"] = shrink(table["effect"], table["error"])[0]
    table["clear"] = table["adjusted"] < 1 - level
    clear = [name for name in table.index if table.loc[name, "clear"]]
    words = [f"; {n} {in_words(Interval(*table.loc[n, ['effect', 'low', 'high']]), log)}" for n in clear]
    text = f"Of {len(table)} events {len(clear)} stand out, corrected for as many looks{''.join(words)}"
    frame = pd.DataFrame(days, columns=["name", "day", "effect", "low", "high"])
    return Several(table.drop(columns="error"), frame, found, f"{text}. {UNSEEN}")


def in_words(effect: Interval, log: bool) -> str:
    """Write an effect for people.

    >>> in_words(Interval(0.5, 0.1, 0.9), log=True)
    '+65 % [+11, +146]'
    """
    if not log:
        return f"{effect.value:+.3g} [{effect.low:+.3g}, {effect.high:+.3g}]"
    value, low, high = (f"{100 * np.expm1(v):+.0f}" for v in effect)
    return f"{value} % [{low}, {high}]"


def said(when: Any, words: str, chance: str) -> str:
    return f"From {pd.Timestamp(when):%Y-%m-%d} on: {words}, {chance}. {UNSEEN}"


def series_values(y: pd.Series, log: bool) -> Floats:
    """Give the values, or log(1 + y); refuse what is no regular series."""
    if not isinstance(y, pd.Series) or len(y) < 10:
        raise UsageError("needed is a series of 10 values or more by time")
    stepped(y.index)
    x = y.to_numpy(dtype=float)
    if np.isinf(x).any() or np.isnan(x).all():
        raise UsageError("the series must hold finite numbers, or NaN where nothing was measured")
    if log and np.nanmin(x) < 0:
        raise UsageError(f"log needs values of 0 or more; at {y.index[int(np.nanargmin(x))]} stands {np.nanmin(x):g}")
    return np.log1p(x) if log else x


def span(y: pd.Series, at: Any, until: Any) -> tuple[int, int]:
    """Give the rows of the event, the last not included."""
    start = int(y.index.searchsorted(moment(at)))
    end = len(y) if until is None else int(y.index.searchsorted(moment(until), side="right"))
    if not 8 <= start < end:
        raise UsageError(f"the event begins at {at}; the series needs 8 steps before it and one during it")
    values = y.to_numpy(dtype=float)
    if np.isnan(values[start:end]).all() or np.isnan(values[:start]).all():
        raise UsageError(f"the series has no value before {at}, or none during the event")
    return start, end


def places(y: pd.Series, when: Iterable[Any], name: str) -> NDArray[np.int64]:
    """Give the rows of the dates that the series reaches."""
    times = pd.DatetimeIndex([moment(d) for d in when])
    inside = times[(times >= y.index[0]) & (times < _end(y))]
    if inside.empty:
        raise UsageError(f"no date of {name!r} lies within the series, {y.index[0]} to {y.index[-1]}")
    return np.unique(y.index.searchsorted(inside, side="right") - 1)


def moment(time: Any) -> pd.Timestamp:
    """Read a time as a person may write it; without a zone."""
    try:
        return pd.Timestamp(time).tz_localize(None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{time!r} is no date; write 2024-02-11, say") from error


def _end(y: pd.Series) -> pd.Timestamp:
    index = stepped(y.index)
    return pd.date_range(index[-1], periods=2, freq=index.freq)[1]


def _marks(rows: NDArray[np.int64], n: int) -> Floats:
    out = np.zeros(n)
    out[rows[(rows >= 0) & (rows < n)]] = 1.0
    return out


def _base(y: pd.Series, periods: Sequence[tuple[float, int]], controls: pd.DataFrame | None) -> Floats:
    """Give 1, the trend, the seasons and the controls as columns (n, d)."""
    for period, pairs in periods:
        if not 0 < 2 * pairs <= period:
            raise UsageError(f"a period of {period:g} steps has {int(period // 2)} pairs at most, not {pairs}")
    t = np.arange(len(y), dtype=float)
    columns = [np.ones(len(t)), t / len(t), *waves(t, periods).T]
    if controls is not None:
        X = known_controls(controls, y.index)
        columns += list(((X - X.mean(axis=0)) / np.where((s := X.std(axis=0)) > 0, s, 1.0)).T)
    return np.column_stack(columns)


def known_controls(controls: pd.DataFrame, times: pd.Index) -> Floats:
    X = controls.reindex(times).to_numpy(dtype=float)
    if not np.isfinite(X).all():
        at = times[int(np.flatnonzero(~np.isfinite(X).all(axis=1))[0])]
        raise UsageError(f"the controls have no finite value at {at}; they are needed at each time of the series")
    return X


def _drawn(
    found: Regression,
    free: NDArray[np.bool_],
    n_dates: int,
    days: range,
    n_placebos: int,
    rng: np.random.Generator,
) -> Floats:
    """Give |t| of as many dates, drawn anew from days whose whole window is free: of the mean over the window."""
    n = len(free)
    fits = np.flatnonzero(
        [bool(s + days[0] >= 0 and s + days[-1] < n and free[s + days[0] : s + days[-1] + 1].all()) for s in range(n)]
    )
    if len(fits) < max(MIN_FREE, 2 * n_dates):
        return np.zeros(0)
    Q, rest = np.linalg.qr(found.whiten(found.X))[0], found.rest
    out = np.empty(n_placebos)
    for i in range(n_placebos):
        at = rng.choice(fits, n_dates, replace=False)
        D = found.whiten(np.column_stack([_marks(at + day, n) for day in days]))
        D -= Q @ (Q.T @ D)
        G = np.linalg.pinv(D.T @ D, hermitian=True)
        beta = G @ (D.T @ rest)
        left = (rest @ rest - beta @ (D.T @ rest)) / (found.freedom - len(days))
        out[i] = abs(beta.mean()) / np.sqrt(G.mean() * left)
    return out
