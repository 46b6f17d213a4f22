"""Forecasts by regression on what was and on the calendar: ridge for many series at once, or boosted trees.

From origin o, the last time that is known, k steps ahead, t = o + k, with m steps to a round and l_o the mean of the
last m values:

    y_t - l_o  ≈  β_k' ( y_o - l_o … y_{o-p+1} - l_o,   y_{t-mc} - l_o … y_{t-m(c+3)} - l_o,   l_o against longer means,
                         what followed a year before,   1, weekday, time of year, holidays )       c = ⌈k/m⌉

`direct` learns a β for each k; `recursive` learns one for k = 1 and goes step by step on paths with errors drawn from
its own. Nothing here has to learn where the series is; the 1 is its drift.

Ridge: β = (AᵀA + λI)⁻¹ Aᵀy. Leaving a row out costs no refit, its error is e_i / (1 - a_i'(AᵀA + λI)⁻¹ a_i): the
quantiles are those of these errors, k by k.

References: Taieb et al. (2012), direct and recursive forecasts; Hastie, Tibshirani & Friedman (2009), eq. 7.64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from smlab.checks import UsageError, nearest
from smlab.countscores import LEVELS
from smlab.forecast import COLUMNS, WEEK, Floats, Forecaster, calendar, filled, need_season

Ints = NDArray[np.int64]
ROUNDS = 4  # earlier rounds that are looked at
CHUNK = 50  # series at once: what keeps memory small
PATHS = 200  # of a recursive forecast
ROWS = 20_000  # that trees learn from
FAR, TIMES = 3.0, 3  # spreads beyond which an error is cut, and how often: a jump or a scandal is no habit
CALENDAR = 0.1  # of λ for the calendar: holidays are few and would be shrunk to nothing


class _Lagged(Forecaster):
    """What ridge and trees share: the regressors."""

    gaps = "filled with the neighbours of the same season, and not learnt from"

    def __init__(self, *, season: int = 7, horizon: int = 28, n_lags: int = 14, holidays: Iterable[Any] = ()) -> None:
        if horizon < 1 or n_lags < 1:
            raise UsageError(f"horizon={horizon} and n_lags={n_lags} must be 1 or more")
        self.season, self.horizon, self.n_lags = need_season(season), horizon, n_lags
        self.holidays = pd.DatetimeIndex(list(holidays)).normalize()

    @property
    def least(self) -> int:
        """What lags and horizon take, and as much again to learn from."""
        return self._back + self.horizon + max(self.n_lags, 2 * self.season) + 2

    @property
    def _back(self) -> int:
        return max(self.n_lags, ROUNDS * self.season)

    def _prepare(self, Y: Floats) -> None:
        """Keep the series without gaps in units of their spread, and the calendar of past and horizon."""
        self._gap = np.isnan(Y)
        full = filled(Y, self.season)
        noise = np.abs(np.diff(full, axis=1)).mean(axis=1)
        self._unit = np.maximum(noise, 1e-9 * np.abs(full).max(axis=1))  # (S,)
        self._Y = full / self._unit[:, None]
        step = self.index_[1] - self.index_[0]
        year = round(WEEK / step) * 52
        self._year = year if Y.shape[1] > 2 * (year + self._back) and self.horizon < year else 0
        self._C = calendar(self.index_, self.horizon, self.season, self.holidays)

    def _origins(self, k: int) -> Ints:
        return np.arange(max(self._back, self._year) - 1 + (self.season if self._year else 0), self._Y.shape[1] - k)

    def _regressors(self, Y: Floats, o: Ints, k: int, skipped: int = 0) -> tuple[Floats, Floats]:
        """Give A (S, n, d) and l_o (S, n) for series Y (S, T), which begin `skipped` steps after those learnt from."""
        m, total = self.season, np.cumsum(np.pad(Y, ((0, 0), (1, 0))), axis=1)

        def level(at: Ints, n: int) -> Floats:
            start = np.maximum(at + 1 - n, 0)
            return (total[:, at + 1] - total[:, start]) / (at + 1 - start)

        here, c = level(o, m), -(-k // m)
        back = [o - j for j in range(self.n_lags)] + [o + k - m * (c + i) for i in range(ROUNDS)]
        columns = [Y[:, at] - here for at in back] + [level(o, n * m) - here for n in (4, 13)]
        if self._year:
            columns.append(Y[:, o + k - self._year] - level(o - self._year, m))
        C = np.broadcast_to(self._C[o + k + skipped], (len(Y), len(o), self._C.shape[1]))
        return np.concatenate([np.stack(columns, axis=2), C], axis=2), here

    def _need(self, h: int) -> None:
        if h > self.horizon:
            raise UsageError(f"h={h}: this {type(self).__name__} was fitted for horizon={self.horizon} steps")


class Lags(_Lagged):
    """Ridge regression on lags and calendar, for many series at once.

    Parameters
    ----------
    season : m, steps of a round
    horizon : the steps ahead that it learns
    n_lags : p, last values that are looked at
    reg : λ, in rows: what weighs as much as so many values of one unit of spread
    how : "direct" or "recursive"
    holidays : dates that are holidays, of past and future
    seed : draws the paths of "recursive"
    """

    beta_: Floats  # (k, S, d)

    def __init__(
        self,
        *,
        season: int = 7,
        horizon: int = 28,
        n_lags: int = 14,
        reg: float = 10.0,
        how: Literal["direct", "recursive"] = "direct",
        holidays: Iterable[Any] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(season=season, horizon=horizon, n_lags=n_lags, holidays=holidays)
        if not reg > 0:
            raise UsageError(f"reg={reg} must be above 0")
        if how not in ("direct", "recursive"):
            raise UsageError(f"how={how!r}: {nearest(str(how), ['direct', 'recursive'])}")
        self.reg, self.how, self.seed = reg, how, seed

    def _learn(self, Y: Floats) -> None:
        self._prepare(Y)
        steps = range(1, self.horizon + 1 if self.how == "direct" else 2)
        n_own = self.n_lags + ROUNDS + 2 + bool(self._year)
        self._weight = np.r_[np.ones(n_own), np.full(self._C.shape[1], CALENDAR)]
        self.beta_, start = np.empty((0, len(Y), 0)), 0
        errors = []
        for some in self._each(Y, CHUNK):
            rows = slice(start, start := start + len(some))
            for k in steps:
                A, z, known = self._rows(rows, k)
                beta, e = _ridge(A, z, known, self.reg * self._weight)
                if not self.beta_.size:
                    self.beta_ = np.empty((len(steps), len(Y), beta.shape[1]))
                self.beta_[k - 1, rows] = beta
                errors.append(e if self.how == "recursive" else _quantiles(e))
        n = len(steps)
        self._errors = [np.concatenate(errors[k::n]) for k in range(n)]  # of each step, (S, n) or their quantiles

    def _rows(self, series: slice, k: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Give what step k is learnt from: regressors (S, n, d), targets (S, n), and which were measured."""
        Y, o = self._Y[series], self._origins(k)
        A, here = self._regressors(Y, o, k)
        return A, Y[:, o + k] - here, ~self._gap[series][:, o + k]

    def _ahead(self, h: int) -> Floats:
        self._need(h)
        return self._unit[:, None, None] * (self._direct(h) if self.how == "direct" else self._paths(h))

    def _direct(self, h: int) -> Floats:
        last, out = np.array([self._Y.shape[1] - 1]), np.empty((len(self._Y), h, len(COLUMNS)))
        for k in range(1, h + 1):
            A, here = self._regressors(self._Y, last, k)
            out[:, k - 1] = here + np.einsum("snd,sd->sn", A, self.beta_[k - 1])
            out[:, k - 1, : len(LEVELS)] += self._errors[k - 1]
        return out

    def _paths(self, h: int) -> Floats:
        """Go step by step on `PATHS` paths of each series."""
        rng, out = np.random.default_rng(self.seed), np.empty((len(self._Y), h, len(COLUMNS)))
        T, keep = self._Y.shape[1], self._back + max(13 * self.season, self._year + self.season)
        for s, (y, beta) in enumerate(zip(self._Y, self.beta_[0], strict=True)):
            e = self._errors[0][s]
            draws = rng.choice(e[np.isfinite(e)], (PATHS, h))
            draws[0] = 0.0  # the path without errors is the mean
            paths = np.pad(np.repeat(y[None, -keep:], PATHS, axis=0), ((0, 0), (0, h)))
            for k in range(h):
                at = np.array([min(T, keep) + k - 1])
                A, here = self._regressors(paths, at, 1, T - min(T, keep))
                paths[:, at[0] + 1] = here[:, 0] + A[:, 0] @ beta + draws[:, k]
            out[s, :, : len(LEVELS)] = np.quantile(paths[1:, -h:], LEVELS, axis=0).T
            out[s, :, -1] = paths[0, -h:]
        return out


class LagTrees(_Lagged):
    """Boosted trees on the same regressors and k, one ensemble a level for all steps ahead.

    Parameters
    ----------
    season, horizon, n_lags, holidays : as for `Lags`
    epochs : trees of each ensemble
    learning_rate : what each tree adds
    n_leaves : of a tree
    """

    def __init__(
        self,
        *,
        season: int = 7,
        horizon: int = 28,
        n_lags: int = 14,
        epochs: int = 50,
        learning_rate: float = 0.1,
        n_leaves: int = 8,
        holidays: Iterable[Any] = (),
        seed: int = 0,
    ) -> None:
        super().__init__(season=season, horizon=horizon, n_lags=n_lags, holidays=holidays)
        if epochs < 1 or not 0 < learning_rate <= 1 or n_leaves < 2:
            raise UsageError("needed are epochs ≥ 1, 0 < learning_rate ≤ 1 and n_leaves ≥ 2")
        self.epochs, self.learning_rate, self.n_leaves, self.seed = epochs, learning_rate, n_leaves, seed

    def _learn(self, Y: Floats) -> None:
        self._prepare(Y)
        self.models_: list[list[HistGradientBoostingRegressor]] = []
        for s, _ in enumerate(self._each(Y, 1)):
            A, z = self._pooled(s)
            calm = cut(z[None], np.ones((1, len(z)), dtype=bool))[0]  # squares would follow a single jump
            self.models_.append([self._tree(level).fit(A, calm if level is None else z) for level in (*LEVELS, None)])

    def _tree(self, level: float | None) -> HistGradientBoostingRegressor:
        loss = {"loss": "squared_error"} if level is None else {"loss": "quantile", "quantile": level}
        return HistGradientBoostingRegressor(
            **loss, max_iter=self.epochs, learning_rate=self.learning_rate, max_leaf_nodes=self.n_leaves,
            early_stopping=False, random_state=self.seed,
        )  # fmt: skip

    def _pooled(self, s: int) -> tuple[Floats, Floats]:
        """Give regressors and targets of all steps ahead, of evenly spread origins."""
        Y, gap = self._Y[s : s + 1], self._gap[s]
        every = -(-self._Y.shape[1] * self.horizon // ROWS)
        A, z = [], []
        for k in range(1, self.horizon + 1):
            o = self._origins(k)[k % every :: every]
            o = o[~gap[o + k]]
            X, here = self._regressors(Y, o, k)
            A.append(np.column_stack([X[0], np.full(len(o), k)]))
            z.append(Y[0, o + k] - here[0])
        return np.concatenate(A), np.concatenate(z)

    def _ahead(self, h: int) -> Floats:
        self._need(h)
        last, out = np.array([self._Y.shape[1] - 1]), np.empty((len(self._Y), h, len(COLUMNS)))
        for s, models in enumerate(self.models_):
            steps = [self._regressors(self._Y[s : s + 1], last, k) for k in range(1, h + 1)]
            A = np.stack([np.append(X[0, 0], k) for k, (X, _) in enumerate(steps, 1)])
            here = np.stack([level[0] for _, level in steps])  # (h, 1)
            out[s] = here + np.column_stack([model.predict(A) for model in models])
            out[s, :, : len(LEVELS)].sort(axis=1)  # no quantile crosses another (Chernozhukov et al. 2010)
        return out * self._unit[:, None, None]


def _ridge(A: Floats, z: Floats, known: NDArray[np.bool_], reg: float | Floats) -> tuple[Floats, Floats]:
    """Give β (S, d) of each series and its errors when a row is left out, (S, n), NaN where nothing was measured.

    Huber's estimate by pseudo-values: errors beyond `FAR` spreads are cut, and β learnt again. Those given are not cut.
    """
    A = A * known[:, :, None]
    At = A.transpose(0, 2, 1)
    inverse = np.linalg.inv(At @ A + reg * np.eye(A.shape[2]))
    learnt = np.where(known, z, 0.0)
    for last in (False,) * TIMES + (True,):
        beta = inverse @ (At @ learnt[:, :, None])
        fit = (A @ beta)[:, :, 0]
        if not last:
            learnt = fit + cut(z - fit, known)
    leverage = np.minimum(((A @ inverse) * A).sum(axis=2), 0.99)
    e = z - (fit - leverage * learnt) / (1 - leverage)
    return beta[:, :, 0], np.where(known, e, np.nan)


def cut(e: Floats, known: NDArray[np.bool_]) -> Floats:
    """Bring each e (S, n) within `FAR` spreads of its series' median, the spread being 1.4826 median |e - median|."""
    middle: Any = np.median if known.all() else np.nanmedian
    seen = np.where(known, e, np.nan)
    median = middle(seen, axis=1, keepdims=True)
    spread = 1.4826 * middle(np.abs(seen - median), axis=1, keepdims=True)
    far = np.where(spread > 0, FAR * spread, np.inf)
    return np.clip(e, median - far, median + far)


def _quantiles(e: Floats) -> Floats:
    """Give the quantiles of the errors of each series, (S, 5)."""
    return (np.nanquantile if np.isnan(e).any() else np.quantile)(e, LEVELS, axis=1).T
