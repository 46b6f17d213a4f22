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

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import UsageError
from smlab.countscores import LEVELS
from smlab.forecast import Forecaster
from smlab.quantiles import AdaptiveConformal, _pairs, _place
from smlab.rolling import rolling

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


class Conformed:
    """Any model with intervals that held from its last origins: fit, predict.

    Parameters
    ----------
    model : with fit and predict
    horizon, every, origins : of the forecasts that set the intervals
    band : steps ahead whose errors are taken together
    """

    def __init__(
        self, model: Forecaster, *, horizon: int = 28, every: int = 7, origins: int = 12, band: int = 7
    ) -> None:
        self.model, self.season, self.horizon, self.every = model, model.season, horizon, every
        self.origins, self.band = origins, band

    def fit(self, y: pd.Series | pd.DataFrame, *, show: bool = False) -> Self:
        """Forecast from the last origins, keep the errors, then fit the model to all of y."""
        how: dict[str, Any] = {"season": self.season, "horizon": self.horizon, "every": self.every}
        past = rolling(y, {type(self.model).__name__: self.model}, origins=self.origins, show=show, **how)
        past = past.dropna(subset=["y", 0.5])
        self._Q = {
            key: {miss: _quantile(E, miss) for miss, E in _scores(part).items()}
            for key, part in past.groupby(["series", (past["step"] - 1) // self.band])
        }
        self.model.fit(y, show=show)
        self.notes_ = self.model.notes_
        return self

    def predict(self, h: int) -> pd.DataFrame:
        """Give the next h steps, columns as of the model."""
        if h > self.horizon:  # a model that has not been fitted says so itself
            raise UsageError(f"h={h}: the intervals were set for horizon={self.horizon} steps")
        out = self.model.predict(h)
        series = out.index.get_level_values(0) if out.index.nlevels > 1 else [key[0] for key in self._Q][:1] * h
        keys = list(zip(series, np.tile(np.arange(h) // self.band, len(out) // h), strict=True))
        for miss, (a, b) in _pairs(out[list(LEVELS)]).items():
            Q = np.array([self._Q.get(key, {}).get(miss, 0.0) for key in keys])
            out[a], out[b] = out[a] - Q, out[b] + Q
        out[list(LEVELS)] = np.sort(out[list(LEVELS)].to_numpy(float), axis=1)
        return out


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
