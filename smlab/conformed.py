"""Intervals that hold: any forecaster, corrected by what its own past forecasts missed.

With E = max(low - y, y - high) of earlier forecasts, in bands of steps ahead, the interval becomes [low - Q, high + Q]:

    split       Q is the ⌈(n+1)(1-α)⌉-th smallest of n scores E of origins before the test
    adaptive    each outcome that is known by an origin joins the scores, and moves α of the later ones (`quantiles`)

For exchangeable errors that is a guarantee. Errors of one origin are alike, times change, and a model changes its form
as its past grows: here it is a good rule, whose coverage has to be looked at (`rolling.judge`). Adaptive is the safer.

References: Romano, Patterson & Candès (2019), conformalized quantile regression; Gibbs & Candès (2021), adaptive
conformal inference under distribution shift; Stankevičiūtė, Alaa & van der Schaar (2021), several steps ahead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import UsageError, nearest
from smlab.countscores import LEVELS
from smlab.quantiles import AdaptiveConformal, _pairs, _place

Floats = NDArray[np.float64]


def conform(
    rolled: pd.DataFrame,
    since: Any,
    *,
    adaptive: bool = False,
    band: int = 7,
    learning_rate: float = 0.02,
    window: int = 500,
) -> pd.DataFrame:
    """Give the forecasts of origins from `since` on, with intervals that earlier outcomes have moved.

    Parameters
    ----------
    rolled : of `rolling`, with origins before `since` to learn from
    since : the first origin that is judged; only values known by then set its intervals
    adaptive : later outcomes count too, each from the first origin on that knows it
    band : steps ahead whose errors are taken together
    learning_rate, window : of `quantiles.AdaptiveConformal`
    """
    start, out = pd.Timestamp(since), []
    for _, part in rolled.groupby(["model", "series", (rolled["step"] - 1) // band], sort=False):
        part = part.sort_values(["origin", "step"])
        known, test = part[part["time"] <= start], part[part["origin"] >= start].copy()
        E, later = _scores(known.dropna(subset=["y"])), _scores(test)
        for miss, (a, b) in _pairs(test[list(LEVELS)]).items():
            if adaptive:
                Q = _followed(E[miss], later[miss], test, miss, learning_rate, window)
            else:
                Q = np.full(len(test), _quantile(E[miss], miss))
            test[a], test[b] = test[a] - Q, test[b] + Q
        test[list(LEVELS)] = np.sort(test[list(LEVELS)].to_numpy(float), axis=1)
        out.append(test)
    return pd.concat(out).sort_index()


def coming(rolled: pd.DataFrame, model: str, forecast: pd.DataFrame, *, band: int = 7) -> pd.DataFrame:
    """Give a forecast of what is to come, with intervals that all forecasts of `rolled` have moved (adaptive).

    Parameters
    ----------
    rolled : of `rolling`; the first half of its origins starts, the rest is followed
    model : whose forecasts of one series they are
    forecast : of the same model, from the last time of `rolled` on: by time, with the quantiles and `mean`
    """
    past, n = rolled[rolled["model"] == model], len(forecast)
    if past.empty or past["series"].nunique() != 1:
        raise UsageError(f"earlier forecasts of {model!r} must be of one series; {nearest(model, rolled['model'])}")
    origins, now = np.sort(past["origin"].unique()), past["time"].max()
    about = {"model": model, "series": past["series"].iloc[0], "origin": now, "step": np.arange(1, n + 1)}
    # an outcome joins from the first origin on that knows it: what stands in for those to come is never looked at
    rows = forecast.rename_axis("time").reset_index().assign(**about, y=forecast[0.5].to_numpy(), scale=np.nan)
    both = pd.concat([past, rows[past.columns]], ignore_index=True)
    moved = conform(both, origins[len(origins) // 2], adaptive=True, band=band)
    moved = moved[moved["origin"] == now].sort_values("step").set_index("time")
    return moved[list(forecast.columns)]


def _scores(part: pd.DataFrame) -> dict[float, Floats]:
    """Give E = max(low - y, y - high) of each central interval."""
    y = part["y"].to_numpy(float)
    pairs = _pairs(part[list(LEVELS)]).items()
    return {miss: np.maximum(part[a].to_numpy(float) - y, y - part[b].to_numpy(float)) for miss, (a, b) in pairs}


def _quantile(E: Floats, miss: float) -> float:
    if (n := len(E)) + 1 < 1 / miss - 1e-9:
        raise UsageError(f"{n} earlier outcomes cannot show a {1 - miss:.3g} interval; {1 / miss - 1:.0f} are needed")
    return float(np.sort(E)[_place(n, miss)])


def _followed(E: Floats, later: Floats, test: pd.DataFrame, miss: float, rate: float, window: int) -> Floats:
    """Give Q of each row of a stream (n,), in order; outcomes never measured are left out of it."""
    first = _quantile(E, miss)
    known = np.searchsorted(np.maximum.accumulate(test["time"].to_numpy()), test["origin"].to_numpy(), side="right")
    measured = np.isfinite(later)
    came = np.r_[0, np.cumsum(measured)][known]
    model, Q = AdaptiveConformal(learning_rate=rate, window=window), np.full(len(test), np.nan)
    model.scores_ = {miss: E[-window:]}
    Q[measured] = model._follow(later[measured], came[measured], miss)
    return pd.Series(Q).ffill().fillna(first).to_numpy(float)
