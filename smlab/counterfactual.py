"""What would have come without the event? A forecast from the time before it, and the same where nothing happened.

    effect = Σ y_t - Σ ŷ_t over the event, ŷ from the past alone

The model is any with `fit(y)` and `predict(h)`, or `Structural`: a level that wanders, a season, and control series
that the event does not touch. Its own interval holds if the model does, and forecasts are often too sure. A placebo
test asks less: the same method at n earlier times, spaced by weeks, where nothing is known to have happened. With
e = log((1 + Σy) / (1 + Σŷ)), or the mean of y - ŷ where values can be negative, there e_s,

    p = (1 + #{|e_s| ≥ |e|}) / (1 + n)        interval  e ± the ⌈.95 (n+1)⌉-th smallest |e_s|

which hold for any model as long as the time of the event would have been as calm as those. 19 placebos are the fewest
that can show anything at 5 %. Whatever else happened on the day is in the number too.

References: Brodersen et al. (2015), CausalImpact; Harvey (1989), structural models; Abadie, Diamond & Hainmueller
(2010), placebo tests; Vovk, Gammerman & Shafer (2005), conformal intervals.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import UsageError
from smlab.events import in_words, known_controls, moment, places, said, series_values, span
from smlab.forecast import COLUMNS, Forecaster, Z, need_season
from smlab.metrics import Interval

Floats = NDArray[np.float64]
LEAST = 30  # steps to learn from before a placebo


class Structural(Forecaster):
    """Forecast by a level that wanders, a season and control series, all estimated from the past.

        y_t = μ_t + season_t + x_t'β + ε_t,    μ_{t+1} = μ_t + η_t

    Parameters
    ----------
    season : steps of a round; 1 for none. Its shape stays as it is
    controls : columns by time that the event does not touch, known over the forecast as well
    log : whether log(1 + y) follows the model

    >>> y = pd.Series(np.tile([5.0, 1.0, 1.0], 20), pd.date_range("2024-01-01", periods=60))
    >>> Structural(season=3).fit(y).predict(3)[0.5].round(2).tolist()
    [5.0, 1.0, 1.0]
    """

    gaps = "bridged by the level"
    found_: list[Any]
    _scale: list[tuple[float, float]]

    def __init__(self, *, season: int = 7, controls: pd.DataFrame | None = None, log: bool = False) -> None:
        self.season, self.controls, self.log = need_season(season), controls, log

    def draws(self, h: int, *, n: int = 1000, seed: int = 0) -> Floats:
        """Draw the next h values of the one series together, (n, h)."""
        if not self.found_:
            return np.full((n, h), self._flat[0])
        rng, (centre, scale) = np.random.default_rng(seed), self._scale[0]
        z = self.found_[0].simulate(h, repetitions=n, anchor="end", exog=self._next(h), rng=rng)
        z = centre + scale * np.asarray(z).reshape(h, n).T
        return np.expm1(z) if self.log else z

    def fit(self, y: pd.Series | pd.DataFrame, *, show: bool = False) -> Self:
        """Learn from a series, or from each column of a frame; NaN are gaps."""
        self.found_, self._scale = [], []
        return super().fit(y, show=show)

    def _learn(self, Y: Floats) -> None:
        from statsmodels.tsa.statespace.structural import UnobservedComponents  # a second to import

        if self.log and np.nanmin(Y) < 0:
            raise UsageError(f"the least value is {np.nanmin(Y):g}: only values of 0 and more have a log(1 + y)")
        X = None if self.controls is None else known_controls(self.controls, self.index_)
        if X is not None:
            self._X = X.mean(axis=0), np.where((s := X.std(axis=0)) > 0, s, 1.0)
            X = (X - self._X[0]) / self._X[1]
        season = {"seasonal": self.season, "stochastic_seasonal": False} if self.season > 1 else {}
        for (y,) in self._each(np.log1p(Y) if self.log else Y, 1):
            centre, scale = float(np.nanmean(y)), float(np.nanstd(y))
            self._scale.append((centre, scale))
            z = (y - centre) / scale
            model = UnobservedComponents(z, "local level", exog=X, mle_regression=False, **season)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # at the edge, a variance of 0, the search says it did not converge
                self.found_.append(model.fit(disp=False))

    def _ahead(self, h: int) -> Floats:
        out = np.empty((len(self.found_), h, len(COLUMNS)))
        for i, (found, (centre, scale)) in enumerate(zip(self.found_, self._scale, strict=True)):
            told = found.get_forecast(h, exog=self._next(h))
            m, s = centre + scale * told.predicted_mean, scale * np.nan_to_num(told.se_mean)
            out[i] = m[:, None] + s[:, None] * Z
            out[i, :, -1] += s**2 / 2 if self.log else 0.0
        return np.expm1(out) if self.log else out

    def _next(self, h: int) -> Floats | None:
        if self.controls is None:
            return None
        ahead = pd.date_range(self.index_[-1], periods=h + 1, freq=self.index_.freq)[1:]
        return (known_controls(self.controls, ahead) - self._X[0]) / self._X[1]


class Impact(NamedTuple):
    """What came, less what was expected.

    Parameters
    ----------
    total : Σ y - Σ ŷ with the interval of the placebos
    relative : the same as a share of Σ ŷ; NaN where values may be negative
    own : of the total, the model's own interval, where it has one
    p : share of placebos with an effect as large
    placebos : their effects e_s, logarithms of Σy / Σŷ, or means of y - ŷ, by the time of their first step
    table : a row a step: actual, expected, low, high (95 %), and sums so far: total, total_low, total_high
    """

    total: Interval
    relative: Interval
    own: Interval | None
    p: float
    placebos: pd.Series
    table: pd.DataFrame
    sentence: str


def impact(
    y: pd.Series,
    at: Any,
    *,
    until: Any = None,
    model: Any = None,
    placebos: Iterable[Any] | None = None,
    avoid: Iterable[Any] = (),
    n_placebos: int = 39,
    every: int = 7,
    history: int = 365,
    level: float = 0.95,
    seed: int = 0,
) -> Impact:
    """Forecast the time of an event from the `history` steps before it, and compare; with a placebo test.

    Parameters
    ----------
    at, until : first and last time of the event; to the end of y if not given
    model : with `fit(y)` and `predict(h)`, and perhaps `draws(h, n=, seed=)`; `Structural()` if not given
    placebos : first times of stretches where nothing happened; if not given the last `n_placebos` before the event,
        a multiple of `every` steps apart, so that they begin on the same weekday, and none overlapping
    avoid : times at which something happened: no placebo holds one
    """
    x = series_values(y, False)
    start, end = span(y, at, until)
    model, h = Structural(season=every, log=bool(np.nanmin(x) >= 0)) if model is None else model, end - start
    starts = _calm(y, start, h, placebos, avoid, every, history)[:n_placebos]
    relative = bool(np.nanmin(x) >= 0)
    effects = {y.index[s]: _effect(x[s : s + h], _ahead(y, s, h, model, history)[0], relative) for s in starts}
    errors = pd.Series(effects, dtype=float).sort_index()
    told, fitted = _ahead(y, start, h, model, history)
    e = _effect(x[start:end], told, relative)
    p = (1 + int((errors.abs() >= abs(e)).sum())) / (1 + len(errors))
    place = int(np.ceil(level * (len(errors) + 1) - 1e-9))
    reach = float(np.sort(errors.abs())[place - 1]) if place <= len(errors) else np.nan
    actual, seen = float(np.nansum(x[start:end])), np.isfinite(x[start:end])
    likely = [_without(actual, e + r, int(seen.sum()), relative) for r in (0.0, -reach, reach)]
    total = Interval(*(actual - sum_ for sum_ in likely))
    share = Interval(*(np.divide(t, likely[0]) if relative else np.nan for t in total))
    own, table = _table(y.index[start:end], x[start:end], told, fitted, seed)
    words = in_words(Interval(e, e - reach, e + reach), relative)
    if np.isnan(reach):
        words = f"{total.value:+,.4g} (no interval: {len(errors)} calm stretches are too few)"
    chance = f"of {len(errors)} calm stretches as long {int((errors.abs() >= abs(e)).sum())} show as much (p = {p:.2g})"
    return Impact(total, share, own, p, errors, table, said(y.index[start], words, chance))


def _effect(actual: Floats, told: pd.DataFrame, relative: bool) -> float:
    """Give e over the steps that were measured."""
    seen, middle = np.isfinite(actual), told[0.5].to_numpy(dtype=float)
    if not relative:
        return float(np.mean((actual - middle)[seen]))
    return float(np.log((1 + actual[seen].sum()) / (1 + max(middle[seen].sum(), 0.0))))


def _without(actual: float, e: float, n: int, relative: bool) -> float:
    """Give the sum over n steps that would have come, if the effect was e."""
    return float((1 + actual) * np.exp(-e) - 1) if relative else actual - n * e


def _table(
    times: pd.Index, actual: Floats, told: pd.DataFrame, fitted: Any, seed: int
) -> tuple[Interval | None, pd.DataFrame]:
    """Give the model's own interval of the total, and a row a step."""
    q = told[[0.5, 0.025, 0.975]].to_numpy(dtype=float)
    table = pd.DataFrame(np.column_stack([actual, q]), times, ["actual", "expected", "low", "high"])
    seen = np.isfinite(actual)
    table["total"] = np.cumsum(np.where(seen, actual - q[:, 0], 0.0))
    if not hasattr(fitted, "draws"):
        return None, table.assign(total_low=np.nan, total_high=np.nan)
    paths = np.cumsum(np.where(seen, actual - fitted.draws(len(times), seed=seed), 0.0), axis=1)
    table["total_low"], table["total_high"] = np.quantile(paths, [0.025, 0.975], axis=0)
    return Interval(*map(float, table[["total", "total_low", "total_high"]].iloc[-1])), table


def _calm(
    y: pd.Series, start: int, h: int, placebos: Iterable[Any] | None, avoid: Iterable[Any], every: int, history: int
) -> list[int]:
    """Give the first rows of stretches of h steps before the event, the last first."""
    stride = -(-h // every) * every
    wanted = range(start - stride, -1, -stride) if placebos is None else places(y, placebos, "placebos")[::-1]
    least = min(history, max(LEAST, start // 4))
    values, busy = y.to_numpy(dtype=float), y.index.searchsorted(pd.DatetimeIndex([moment(a) for a in avoid]))
    return [
        int(s)
        for s in wanted
        if least <= s <= start - h
        and not np.isnan(values[s : s + h]).all()
        and not ((busy >= s) & (busy < s + h)).any()
    ]


def _ahead(y: pd.Series, start: int, h: int, model: Any, history: int) -> tuple[pd.DataFrame, Any]:
    """Give the forecast of h steps from the `history` steps before, and the model fitted to these."""
    fitted = copy.deepcopy(model).fit(y.iloc[max(start - history, 0) : start])
    told = fitted.predict(h)
    absent = [q for q in (0.025, 0.5, 0.975) if q not in told.columns]
    if absent or len(told) != h:
        lack = f"no quantile {absent[0]}" if absent else f"{len(told)} rows, and {h} are needed"
        raise UsageError(f"the forecast of {type(model).__name__} has {lack}")
    return told, fitted
