"""How many reactions at least, and at most? Quantile regression, and intervals that hold what they promise.

The τ-quantile of y given x minimises the mean of ρ_τ(y - q(x)), ρ_τ(u) = u (τ - [u < 0]). All models here learn
log(1 + y), for reach is heavy-tailed and a quantile of the logarithm is the logarithm of the quantile.

    linear     q(x) = x'β; the dual is max y'a with Xᵀa = (1-τ) Xᵀ1, 0 ≤ a ≤ 1, and rows clear of the plane have a = 1
               above it and 0 below, so that only those near it need the solver (Portnoy & Koenker 1997)
    boosted    trees, one ensemble a level (scikit-learn)
    both       sorted across levels, so that no quantile crosses another (Chernozhukov et al. 2010)

Neither keeps its promise on new posts by itself. On n calibration posts that the model has not seen, let

    E_i = max(q_low(x_i) - y_i, y_i - q_high(x_i)),    Q = the ⌈(n+1)(1-α)⌉-th smallest of them

Then [q_low - Q, q_high + Q] covers the next post with probability 1-α at least, whatever the model and the law, as
long as posts are exchangeable: conformalized quantile regression. Under drift they are not. The adaptive variant goes
through the posts in order and moves its own α after each outcome,

    α_{t+1} = α_t + γ (α - err_t),    err_t = 1 where the interval missed

so that the share of misses tends to α whatever happens.

References: Koenker & Bassett (1978); Romano, Patterson & Candès (2019), conformalized quantile regression; Gibbs &
Candès (2021), adaptive conformal inference under distribution shift.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import linprog
from sklearn.ensemble import HistGradientBoostingRegressor

from smlab.checks import UsageError
from smlab.counts import same_columns
from smlab.countscores import LEVELS, known_before, need_counts
from smlab.ctr import _design

Floats = NDArray[np.float64]


class LinearQuantiles:
    """Fit quantiles of log(1 + y) as planes, exactly, by linear programming (HiGHS).

    Parameters
    ----------
    levels : τ, between 0 and 1
    seed : of the rows that the search for the plane begins with; the plane does not depend on it

    >>> model = LinearQuantiles(levels=[0.5]).fit([[0], [0], [0], [1], [1], [1]], [1, 2, 9, 5, 7, 80])
    >>> model.forecast([[0], [1]])[0.5].tolist()
    [2.0, 7.0]
    """

    beta_: Floats  # (d + 1, levels), of standardised columns

    def __init__(self, *, levels: ArrayLike = LEVELS, seed: int = 0) -> None:
        self.levels, self.seed = _levels(levels), seed

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn from X (N, d), a frame or an array, and counts y (N,)."""
        A, self.names_ = _dense(X)
        z = np.log1p(need_counts(y, len(A)))
        self._centre, scale = A.mean(axis=0), A.std(axis=0)
        self._scale = np.where(scale > 1e-12 * np.abs(self._centre), scale, np.inf)  # a constant column counts for 0
        B = self._standard(A)
        self.beta_ = np.column_stack([_plane(B, z, q, self.seed) for q in self.levels])
        return self

    def forecast(self, X: Any) -> pd.DataFrame:
        """Give the quantiles of the count of each row of X (N, d), one column a level."""
        _need_fitted(self, "beta_")
        A = same_columns(X, self.names_)
        return _frame(self._standard(A) @ self.beta_, self.levels)

    def _standard(self, A: Floats) -> Floats:
        B = (A - self._centre) / self._scale
        B[:, 0] = 1.0
        return B


class BoostedQuantiles:
    """Fit quantiles of log(1 + y) by gradient-boosted trees, one ensemble a level.

    Parameters
    ----------
    levels : τ, between 0 and 1
    epochs : trees of each ensemble
    learning_rate : what each tree adds
    n_leaves, least : leaves of a tree, and posts in each at least
    """

    models_: list[HistGradientBoostingRegressor]

    def __init__(
        self,
        *,
        levels: ArrayLike = LEVELS,
        epochs: int = 100,
        learning_rate: float = 0.1,
        n_leaves: int = 15,
        least: int = 20,
        seed: int = 0,
    ) -> None:
        if epochs < 1 or not 0 < learning_rate <= 1 or n_leaves < 2 or least < 1:
            raise UsageError("needed are epochs ≥ 1, 0 < learning_rate ≤ 1, n_leaves ≥ 2 and least ≥ 1")
        self.levels, self.epochs, self.learning_rate = _levels(levels), epochs, learning_rate
        self.n_leaves, self.least, self.seed = n_leaves, least, seed

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn from X (N, d), a frame or an array, and counts y (N,)."""
        A, self.names_ = _dense(X)
        z = np.log1p(need_counts(y, len(A)))
        self.models_ = [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=q, max_iter=self.epochs, learning_rate=self.learning_rate,
                max_leaf_nodes=self.n_leaves, min_samples_leaf=self.least, early_stopping=False, random_state=self.seed,
            ).fit(A[:, 1:], z)
            for q in self.levels
        ]  # fmt: skip
        return self

    def forecast(self, X: Any) -> pd.DataFrame:
        """Give the quantiles of the count of each row of X (N, d), one column a level."""
        _need_fitted(self, "models_")
        A = same_columns(X, self.names_)
        return _frame(np.column_stack([model.predict(A[:, 1:]) for model in self.models_]), self.levels)


class Conformal:
    """Widen or narrow the central intervals of any forecast until they hold, by posts that it has not seen.

    Learnt: `widening_`, {miss: Q} on the scale log(1 + y): .1 makes an interval about 10 % wider at each end.

    >>> forecast = pd.DataFrame({0.1: [9.0] * 20, 0.9: [11.0] * 20})
    >>> Conformal().fit(range(1, 21), forecast).transform(forecast[:1]).iloc[0].tolist()
    [4.0, 23.0]
    """

    widening_: dict[float, float]

    def fit(self, y: ArrayLike, forecast: pd.DataFrame) -> Self:
        """Learn from the counts y (n,) of calibration posts and the quantiles forecast for them."""
        self.scores_ = _scores(need_counts(y, len(forecast)), forecast)
        n = len(forecast)
        if n + 1 < (most := 1 / min(self.scores_)) - 1e-9:
            raise UsageError(f"{n} posts cannot show a {1 - 1 / most:.3g} interval; {np.ceil(most) - 1:.0f} are needed")
        self.widening_ = {miss: float(np.sort(E)[_place(n, miss)]) for miss, E in self.scores_.items()}
        return self

    def transform(self, forecast: pd.DataFrame) -> pd.DataFrame:
        """Give the forecast with its intervals moved by Q; medians and means stay."""
        _need_fitted(self, "widening_")
        return _widened(forecast, {miss: np.full(len(forecast), Q) for miss, Q in self.widening_.items()})


class AdaptiveConformal:
    """The same for a stream of posts whose law drifts: misses widen the next intervals, hits narrow them.

    Parameters
    ----------
    learning_rate : γ; larger follows quicker and trembles more. The paper takes .005
    window : the last so many scores E count

    Where α_t falls below 0 the paper's interval is infinite; here it takes the largest score of the window.
    """

    scores_: dict[float, Floats]

    def __init__(self, *, learning_rate: float = 0.005, window: int = 500) -> None:
        if not 0 < learning_rate < 1 or window < 2:
            raise UsageError(f"learning_rate={learning_rate} must lie between 0 and 1, and window={window} be above 1")
        self.learning_rate, self.window = learning_rate, window

    def fit(self, y: ArrayLike, forecast: pd.DataFrame) -> Self:
        """Begin with the counts y (n,) of calibration posts and the quantiles forecast for them."""
        scores = Conformal().fit(y, forecast).scores_
        self.scores_ = {miss: E[-self.window :] for miss, E in scores.items()}
        return self

    def transform(
        self, forecast: pd.DataFrame, y: ArrayLike, *, time: ArrayLike | None = None, delay: str = "1D"
    ) -> pd.DataFrame:
        """Go through later posts in order; y (n,) are their outcomes, each used only for posts after it is known.

        Parameters
        ----------
        time : (n,) in order; a post's outcome is known `delay` later. Without it, before the next post
        """
        _need_fitted(self, "scores_")
        n = len(forecast)
        outcomes = _scores(need_counts(y, n), forecast)
        if sorted(outcomes) != sorted(self.scores_):
            raise UsageError(f"the forecast has other levels than those calibrated, {sorted(self.scores_)}")
        known = np.arange(n) if time is None else known_before(time, delay)
        return _widened(forecast, {miss: self._follow(E, known, miss) for miss, E in outcomes.items()})

    def _follow(self, E: Floats, known: NDArray[np.int64], miss: float) -> Floats:
        """Give Q_t for each post of a stream with the scores E (n,); before post t the first known[t] outcomes came."""
        recent = deque(self.scores_[miss].tolist())
        ordered, alpha, came, Q = sorted(recent), miss, 0, np.empty(len(E))
        for t, until in enumerate(known):
            for i in range(came, until):
                alpha += self.learning_rate * (miss - (E[i] > Q[i]))
                if len(recent) == self.window:
                    del ordered[bisect_left(ordered, recent.popleft())]
                recent.append(E[i])
                insort(ordered, E[i])
            came = max(came, until)
            Q[t] = ordered[_place(len(ordered), alpha)]
        return Q


def _plane(A: Floats, y: Floats, q: float, seed: int) -> Floats:
    """Give β (d,) of the q-quantile of y (n,) as A (n, d) β: exactly, though only rows near the plane are solved for.

    A plane through a sample tells which m rows are near. The others keep their side; if in the end one has not, the
    search goes on from there with more.
    """
    n, d = A.shape
    m = min(n, max(2000, int(n ** (2 / 3) * d ** (1 / 3))))
    rows = np.sort(np.random.default_rng(seed).choice(n, m, replace=False))
    beta, target = _dual(A[rows], y[rows], (1 - q) * A[rows].sum(axis=0)), (1 - q) * A.sum(axis=0)
    m *= 2
    while m < n:
        distance, near = y - A @ beta, np.zeros(n, dtype=bool)
        near[np.argpartition(np.abs(distance), m)[:m]] = True
        above = ~near & (distance > 0)
        found = _dual(A[near], y[near], target - A[above].sum(axis=0), beta)
        distance = y - A @ found
        if found is not beta and not (~near & ((distance > 0) != above) & (np.abs(distance) > 1e-9)).any():
            return found
        beta, m = found, int(1.5 * m)
    return beta if len(rows) == n else _dual(A, y, target)


def _dual(A: Floats, y: Floats, target: Floats, otherwise: Floats | None = None) -> Floats:
    """Give the multipliers β of max y'a, Aᵀa = target, 0 ≤ a ≤ 1; where no a is possible, `otherwise`."""
    found = linprog(-y, A_eq=A.T, b_eq=target, bounds=(0, 1), method="highs-ds")
    if found.status == 0:
        return -np.asarray(found.eqlin.marginals, dtype=float)
    if otherwise is None:
        raise UsageError(f"the linear program has no solution: {found.message}")
    return otherwise


def _dense(X: Any) -> tuple[Floats, list[str]]:
    A, names = _design(X)
    return (A.toarray() if sparse.issparse(A) else A), names


def _levels(levels: ArrayLike) -> list[float]:
    found = sorted({float(q) for q in np.atleast_1d(np.asarray(levels, dtype=float))})
    if not found or not 0 < found[0] <= found[-1] < 1:
        raise UsageError(f"levels={found} must lie between 0 and 1; 0.5 is the median")
    return found


def _need_fitted(model: Any, name: str) -> None:
    if not hasattr(model, name):
        raise UsageError(f"{type(model).__name__} has not been fitted; call fit first")


def _frame(Z: Floats, levels: list[float]) -> pd.DataFrame:
    """Give quantiles of log(1 + y) (n, levels) as those of the count, none below 0 and in order."""
    return pd.DataFrame(np.maximum(np.expm1(np.sort(Z, axis=1)), 0).round(6), columns=levels)


def _pairs(forecast: pd.DataFrame) -> dict[float, tuple[float, float]]:
    """Give the columns τ and 1-τ of each central interval, by how often it misses, 2τ."""
    levels: list[Any] = [c for c in forecast.columns if isinstance(c, float)]
    both = [(a, b) for a in levels for b in levels if a < b and abs(a + b - 1) < 1e-9]
    if not both:
        raise UsageError(f"levels {levels} hold no central interval; give two that add up to 1, such as 0.1 and 0.9")
    return {round(2 * a, 9): (a, b) for a, b in both}


def _scores(y: Floats, forecast: pd.DataFrame) -> dict[float, Floats]:
    """Give E_i = max(low - y, y - high) of log(1 + ·) for each central interval."""
    if not np.isfinite(forecast.to_numpy(float)).all():
        raise UsageError("the forecast has gaps; leave out posts without a forecast first")
    z, q = np.log1p(y), {pair: np.log1p(forecast[list(pair)].to_numpy(float)) for pair in _pairs(forecast).values()}
    return {miss: np.maximum(q[pair][:, 0] - z, z - q[pair][:, 1]) for miss, pair in _pairs(forecast).items()}


def _place(n: int, miss: float) -> int:
    """Give the place, from 0, of the ⌈(n+1)(1-α)⌉-th smallest of n, or the nearest there is."""
    return min(max(int(np.ceil((n + 1) * (1 - miss) - 1e-9)), 1), n) - 1


def _widened(forecast: pd.DataFrame, Q: dict[float, Floats]) -> pd.DataFrame:
    """Move the ends of each interval by Q (n,) outwards, to the whole counts that it holds."""
    out = forecast.astype(float)
    for miss, (a, b) in _pairs(forecast).items():
        low, high = (np.log1p(out[c].to_numpy()) for c in (a, b))
        out[a] = np.maximum(np.ceil(np.expm1(low - Q[miss]) - 1e-6), 0)
        out[b] = np.maximum(np.floor(np.expm1(high + Q[miss]) + 1e-6), 0)
    levels = sorted(c for c in out.columns if isinstance(c, float))
    out[levels] = np.sort(out[levels].to_numpy(), axis=1)
    return out
