"""How good is a forecaster? Forecasts from many origins, each knowing only its past, beside the seasonal naive.

From origin o a model learns y_1 … y_o and forecasts o+1 … o+H; then the origin moves on. With e = y - ŷ:

    MSE, RMSE      of the mean                     pinball    mean of the five levels' losses
    MAE            of the median                   coverage   share of values in the 80 and 95 % intervals
    MASE           mean |e| / q,   q = mean of |y_t - y_{t-m}| over t ≤ o: 1 is what the seasonal naive errs in sample

Forecasts of one origin are alike, and so are those of origins whose horizons overlap: the intervals draw blocks of
origins, for all models the same ones, which makes differences paired. With few origins they are rather narrow.

References: Tashman (2000), rolling origins; Hyndman & Koehler (2006), MASE; Carlstein (1986), blocks.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError, nearest
from smlab.comparing import resamples
from smlab.countscores import LEVELS, pinball
from smlab.forecast import stepped
from smlab.metrics import Interval
from smlab.progress import meter

Floats = NDArray[np.float64]
Series = pd.Series | pd.DataFrame
NAIVE = "seasonal naive"
SCORES = ("mse", "mae", "mase", "pinball", "coverage_80", "coverage_95", "width_80")


def rolling(
    y: Series,
    models: Mapping[str, Any],
    *,
    season: int = 7,
    horizon: int = 28,
    every: int | None = None,
    origins: int = 12,
    show: bool = False,
) -> pd.DataFrame:
    """Forecast y from several origins, the last of which sees all but the last `horizon` values.

    Parameters
    ----------
    y : a series, or a frame with a series a column, with regular times
    models : name -> model with fit and predict; each origin fits a copy
    season : m of the MASE
    every : steps between origins; `horizon` if not given

    Returns
    -------
    frame with a row for each model, series, origin and step: model, series, origin (the last time known), step, time,
    y, scale (q of the MASE), the quantiles and `mean`
    """
    every, table = (
        horizon if every is None else every,
        y.to_frame(y.name or "the series") if isinstance(y, pd.Series) else y,
    )
    table = table.set_axis(stepped(table.index))
    last = origin_places(len(table), horizon, every, origins)
    found = []
    with meter(f"{len(models)} models from {origins} origins", 8 * table.size * origins * len(models), show) as advance:
        for o in last:
            past, future = table.iloc[: o + 1], table.iloc[o + 1 : o + 1 + horizon]
            known = future.to_numpy(float).T.ravel()
            scale = np.repeat([naive_error(past[s], season) for s in table], horizon)
            for name, model in models.items():
                frame = _fitted(name, model, past, horizon)
                frame.insert(0, "model", name)
                frame.insert(2, "origin", past.index[-1])
                frame.insert(3, "step", np.tile(np.arange(1, horizon + 1), table.shape[1]))
                frame.insert(5, "y", known)
                frame.insert(6, "scale", scale)
                found.append(frame)
                advance(8 * table.size)
    return pd.concat(found, ignore_index=True)


def origin_places(n: int, horizon: int, every: int, origins: int) -> list[int]:
    """Give where the last known value of each origin stands among n, in order.

    >>> origin_places(100, 10, 20, 3)
    [49, 69, 89]
    """
    if horizon < 1 or every < 1 or origins < 1:
        raise UsageError(f"horizon={horizon}, every={every} and origins={origins} must be 1 or more")
    last = [n - 1 - horizon - every * i for i in reversed(range(origins))]
    if last[0] < 2:
        raise UsageError(f"{n} values are too few for {origins} origins {every} steps apart and {horizon} steps ahead")
    return last


def naive_error(y: ArrayLike, season: int) -> float:
    """Give q, the mean of |y_t - y_{t-m}| over what is known: the unit of the MASE.

    >>> naive_error([1, 5, 2, 7], 2)
    1.5
    """
    x = np.asarray(y, dtype=float)
    e = np.abs(x[season:] - x[:-season])
    e = e[np.isfinite(e)]
    return float(e.mean()) if e.size and e.mean() > 0 else float("nan")


def judge(
    rolled: pd.DataFrame, *, baseline: str = NAIVE, n: int = 1000, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Judge all models on the times that all forecast and that were measured, a row each.

    Returns
    -------
    frame with the intervals mse, rmse, mae, mase, pinball, coverage_80, coverage_95, width_80 (in units of q), and the
    paired mase_gain and pinball_gain (above 0: better than the baseline); `forecasts`, how many values were judged; and
    `worse_than_naive`, a sentence where a model's MASE is above the baseline's, else empty
    """
    names = list(dict.fromkeys(rolled["model"]))
    if baseline not in names:
        raise UsageError(f"there is no model {baseline!r} to compare with; {nearest(baseline, names)}")
    by = rolled.set_index(["series", "origin", "step"])
    parts = {name: by[by["model"] == name] for name in names}
    need = ["y", *LEVELS, "mean"]
    good = pd.concat([p[need].notna().all(axis=1) for p in parts.values()], axis=1).fillna(False).all(axis=1)
    if not (rows := good.index[good]).size:
        raise UsageError("there is no measured value that all models forecast")
    block = _blocks(rolled).loc[rows.get_level_values("origin")].to_numpy()
    losses = {name: _losses(p.loc[rows]) for name, p in parts.items()}
    W = np.concatenate(list(resamples(int(block.max()) + 1, n, seed=seed))) if block.max() > 0 else None
    seen = {name: L.mean() for name, L in losses.items()}
    drawn = {name: _drawn(L, block, W) for name, L in losses.items()}
    tails = [(1 - level) / 2, (1 + level) / 2]
    table = {}
    for name in names:
        row: dict[str, Any] = {c: _interval(seen[name][c], drawn[name][c], tails) for c in SCORES}
        row["rmse"] = Interval(*np.sqrt(row["mse"]))
        for c in ("mase", "pinball"):
            gain = drawn[baseline][c] - drawn[name][c]
            row[f"{c}_gain"] = _interval(seen[baseline][c] - seen[name][c], gain, tails)
        row |= {"forecasts": len(rows), "worse_than_naive": _words(name, row, seen[baseline]["mase"], baseline)}
        table[name] = row
    return pd.DataFrame.from_dict(table, orient="index")


class Choice(NamedTuple):
    """What `choose` found: the name, the model, and the table of all candidates."""

    name: str
    model: Any
    table: pd.DataFrame


def choose(
    y: Series,
    candidates: Mapping[str, Any],
    *,
    by: str = "pinball",
    season: int = 7,
    horizon: int = 28,
    every: int | None = None,
    origins: int = 6,
    show: bool = False,
) -> Choice:
    """Choose the candidate with the least loss from the last origins of y; give it only what comes before the test.

    Parameters
    ----------
    by : "pinball", "mase", "mae" or "mse"
    """
    if by not in (known := ("pinball", "mase", "mae", "mse")):
        raise UsageError(f"by={by!r}: {nearest(by, known)}")
    rolled = rolling(y, candidates, season=season, horizon=horizon, every=every, origins=origins, show=show)
    table = judge(rolled, baseline=next(iter(candidates)), n=200)
    best = min(candidates, key=lambda name: float(table[by][name][0]))
    return Choice(best, copy.deepcopy(candidates[best]), table.drop(columns="worse_than_naive"))


def _fitted(name: str, model: Any, past: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Give the forecasts of a copy of the model from the end of the past, with columns series and time."""
    one = past.iloc[:, 0] if past.shape[1] == 1 else None
    try:
        frame = copy.deepcopy(model).fit(past if one is None else one).predict(horizon).reset_index()
    except UsageError as error:
        raise UsageError(f"{name}, from {past.index[-1]}: {error}") from None
    if one is not None:
        frame.insert(0, "series", one.name)
    return frame


def _losses(part: pd.DataFrame) -> pd.DataFrame:
    """Give the losses of each forecast of a model, columns `SCORES`."""
    y, q = part["y"].to_numpy(float), {a: part[a].to_numpy(float) for a in LEVELS}
    e = np.abs(y - q[0.5])
    scale = part["scale"].to_numpy(float)
    return pd.DataFrame({
        "mse": (y - part["mean"].to_numpy(float)) ** 2, "mae": e, "mase": e / scale,
        "pinball": np.mean([pinball(y, q[a], a) for a in LEVELS], axis=0),
        "coverage_80": ((y >= q[0.1]) & (y <= q[0.9])).astype(float),
        "coverage_95": ((y >= q[0.025]) & (y <= q[0.975])).astype(float),
        "width_80": (q[0.9] - q[0.1]) / scale,
    })  # fmt: skip


def _blocks(rolled: pd.DataFrame) -> pd.Series:
    """Give each origin the number of its block: as many neighbours as have horizons that overlap."""
    origins = np.sort(rolled["origin"].unique())
    ends = rolled.groupby("origin")["time"].max().to_numpy()
    overlap = int(np.searchsorted(origins, ends[0])) if len(origins) > 1 else 1
    return pd.Series(np.arange(len(origins)) // max(overlap, 1), origins)


def _drawn(L: pd.DataFrame, block: NDArray[np.int64], W: Floats | None) -> pd.DataFrame:
    """Give the mean losses of each resample of blocks; none where there is one block."""
    if W is None:
        return pd.DataFrame(np.nan, [0], L.columns)
    sums = L.groupby(block).sum().to_numpy()
    counts = L.notna().groupby(block).sum().to_numpy()
    return pd.DataFrame((W @ sums) / (W @ counts), columns=L.columns)


def _interval(value: float, drawn: pd.Series, tails: list[float]) -> Interval:
    low, high = np.quantile(drawn, tails)
    return Interval(float(value), float(low), float(high))


def _words(name: str, row: dict[str, Any], naive: float, baseline: str) -> str:
    gain = row["mase_gain"]
    if name == baseline or not gain.value < 0:
        return ""
    sure = "" if gain.high < 0 else "; chance alone could do that"
    both = f"MASE {row['mase'].value:.3f} against {naive:.3f}, a difference of {-gain.value:.3f}"
    return f"{name} is worse than {baseline}: {both}{sure}"
