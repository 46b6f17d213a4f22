"""Who is still a customer, and how often will they buy? BG/NBD, from three numbers for each customer.

While alive a customer buys at random times at the rate λ, and after each repeat purchase leaves for good with
probability p. Customers differ: λ ~ Gamma(r, α) with mean r/α, p ~ Beta(a, b), independent. Of a customer seen for
the time T since the first purchase, the number of repeat purchases x and the time of the last one t_x (0 if x = 0)
are all that counts. Averaged over λ and p, the likelihood is

    L(x, t_x, T) = Γ(r+x) α^r / Γ(r) · B(a, b+x) / B(a, b) · [ (α+T)^-(r+x) + 1{x>0} a/(b+x-1) (α+t_x)^-(r+x) ]

the first term for those who still are customers at T, the second for those who left after t_x. All times have one
unit, say weeks, and α has it too. A customer without a repeat purchase had no occasion to leave: P(alive) = 1, the
known weak point of this model.

Reference: Fader, Hardie & Lee (2005), "Counting your customers" the easy way: an alternative to the Pareto/NBD model,
Marketing Science 24(2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, gammaln, hyp2f1

from smlab.checks import UsageError

Floats = NDArray[np.float64]
NAMES = ("r", "alpha", "a", "b")
Z = 1.959964  # of a 95 % interval
EDGE = 9.0  # of the search, for each logarithm


def log_likelihood(theta: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Give log L(x, t_x, T) of each customer (n,) at theta = (r, α, a, b), by logarithms alone: nothing overflows.

    >>> log_likelihood([0.243, 4.414, 0.793, 2.426], [2, 0], [30.43, 0], [38.86, 38.86]).round(3).tolist()
    [-9.459, -0.555]
    """
    r, alpha, a, b = np.asarray(theta, dtype=float)
    x, t_x, T = (np.asarray(v, dtype=float) for v in (x, t_x, T))
    alive, left = _terms(r, alpha, a, b, x, t_x, T)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    return common + np.logaddexp(alive, left)


def gradient(theta: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Give ∂ log L / ∂ log theta of each customer, (n, 4).

    With w the posterior share of the second term, 1 - P(alive), and δ = 1{x>0}.
    """
    r, alpha, a, b = np.asarray(theta, dtype=float)
    x, t_x, T = (np.asarray(v, dtype=float) for v in (x, t_x, T))
    alive, left = _terms(r, alpha, a, b, x, t_x, T)
    w = expit(left - alive)  # 0 where x = 0
    back = np.maximum(b + x - 1, 1e-300)  # only counts where x > 0
    rates = [
        digamma(r + x) - digamma(r) + np.log(alpha) - (1 - w) * np.log(alpha + T) - w * np.log(alpha + t_x),
        r / alpha - (r + x) * ((1 - w) / (alpha + T) + w / (alpha + t_x)),
        digamma(a + b) - digamma(a + b + x) + w / a,
        digamma(b + x) - digamma(b) + digamma(a + b) - digamma(a + b + x) - np.where(x > 0, w / back, 0.0),
    ]
    return np.stack(rates, axis=-1) * np.array([r, alpha, a, b])


def _terms(r: float, alpha: float, a: float, b: float, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats]:
    """Give the logarithms of both terms in the bracket; the second is -inf where x = 0."""
    odds = np.log(a) - np.log(np.where(x > 0, b + x - 1, 1.0))
    return -(r + x) * np.log(alpha + T), np.where(x > 0, odds - (r + x) * np.log(alpha + t_x), -np.inf)


class BGNBD:
    """Fit r, α, a, b by maximum likelihood (L-BFGS on their logarithms) and say what follows for each customer.

    Learnt: `r_, alpha_, a_, b_`, `log_likelihood_`, and `covariance_` (4, 4) of the logarithms, the inverse of the
    Hessian.

    >>> seen = simulate(2000, [0.243, 4.414, 0.793, 2.426], 39)
    >>> model = BGNBD().fit(seen.x, seen.t_x, seen["T"])
    >>> model.p_alive([0, 2, 2], [0, 5, 35], [39, 39, 39]).round(2).tolist()  # a regular who falls silent is gone
    [1.0, 0.14, 0.78]
    """

    r_: float
    alpha_: float
    a_: float
    b_: float
    log_likelihood_: float
    covariance_: Floats

    def fit(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Self:
        """Learn from repeat purchases x, the time of the last t_x and the time observed T, each (n,).

        Raises
        ------
        UsageError
            For numbers that cannot be, no repeat purchase at all, or data that do not pin the parameters down.
        """
        counts, last, seen = need_counts(x, t_x, T)
        if not counts.sum():
            why = "so nothing tells how often they come back; needed are some who did"
            raise UsageError(f"no customer bought twice, {why}")
        alike = pd.DataFrame({"x": counts, "t_x": last, "T": seen}).value_counts(sort=False)
        rows, n = alike.index.to_frame().to_numpy().T, alike.to_numpy()  # customers alike, once
        scale = float(seen.mean())  # α is of the order of T: with it every logarithm starts near 0

        def cost(at: Floats) -> tuple[float, Floats]:
            theta = np.exp(at) * (1, scale, 1, 1)
            value = -(n @ log_likelihood(theta, *rows)) / n.sum()
            return value, -(n @ gradient(theta, *rows)) / n.sum()

        starts = [np.zeros(4), np.array([-1.0, -2.0, 0.0, 1.0])]
        options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-8}
        tried = [
            minimize(cost, s, jac=True, method="L-BFGS-B", bounds=[(-EDGE, EDGE)] * 4, options=options) for s in starts
        ]
        best = min(tried, key=lambda found: found.fun)
        H = _hessian(lambda at: cost(at)[1], best.x) * n.sum()
        self.covariance_ = _inverse(H, at_edge=bool((np.abs(best.x) > EDGE - 0.1).any()))
        self.log_likelihood_ = -float(best.fun * n.sum())
        self._set(np.exp(best.x) * (1, scale, 1, 1))
        return self

    def _set(self, theta: ArrayLike) -> None:
        self.r_, self.alpha_, self.a_, self.b_ = (float(v) for v in np.asarray(theta))

    @property
    def theta_(self) -> Floats:
        """Give (r, α, a, b)."""
        return np.array([self.r_, self.alpha_, self.a_, self.b_])

    def parameters(self) -> pd.DataFrame:
        """Give value, standard error (delta method: θ · se(log θ)) and 95 % interval exp(log θ ± 1.96 se(log θ))."""
        theta, se = self.theta_, np.sqrt(np.diag(self.covariance_))
        columns = {"value": theta, "se": theta * se, "low": theta * np.exp(-Z * se), "high": theta * np.exp(Z * se)}
        return pd.DataFrame(columns, index=list(NAMES))

    def draws(self, n: int = 200, *, seed: int = 0) -> list[Self]:
        """Draw n models from the normal approximation of log θ; what they say spans an interval of anything."""
        rng = np.random.default_rng(seed)
        models = []
        for at in rng.multivariate_normal(np.log(self.theta_), self.covariance_, n):
            models.append(type(self)())
            models[-1]._set(np.exp(at))
        return models

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """Give P(alive at T | x, t_x, T) = 1 / (1 + 1{x>0} a/(b+x-1) ((α+T)/(α+t_x))^(r+x)), (n,)."""
        counts, last, seen = need_counts(x, t_x, T)
        alive, left = _terms(self.r_, self.alpha_, self.a_, self.b_, counts, last, seen)
        return expit(alive - left)

    def expected(self, t: ArrayLike) -> Floats:
        """Give E[X(t)], the repeat purchases of a new customer in the time t after the first (n,).

        E[X(t)] = (a+b-1)/(a-1) · [ 1 - (α/(α+t))^r ₂F₁(r, b; a+b-1; t/(α+t)) ]
        """
        t = _need_times(t)
        return _growth(self.r_, self.alpha_, self.a_, self.b_, t)

    def expect_more(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """Give E[Y(t) | x, t_x, T], the purchases in the time t after T of customers with that past (n,).

        Given that the customer is alive, λ ~ Gamma(r+x, α+T) and p ~ Beta(a, b+x), so it is E[X(t)] at these
        parameters, times P(alive). The b of E[X(t)] counts occasions to leave, hence the same formula.
        """
        counts, last, seen = need_counts(x, t_x, T)
        more = _growth(self.r_ + counts, self.alpha_ + seen, self.a_, self.b_ + counts, _need_times(t))
        return more * self.p_alive(counts, last, seen)


def _growth(r: ArrayLike, alpha: ArrayLike, a: float, b: ArrayLike, t: Floats) -> Floats:
    """Give (a+b-1)/(a-1) [ 1 - (α/(α+t))^r ₂F₁(r, b; a+b-1; z) ], z = t/(α+t), also where a is 1.

    Both sides of the pole at a = 1 are finite and meet; close to it their mean stands in for the limit.
    """
    if abs(a - 1) < 1e-5:
        return (_growth(r, alpha, 1 - 2e-5, b, t) + _growth(r, alpha, 1 + 2e-5, b, t)) / 2
    r, alpha, b = (np.asarray(v, dtype=float) for v in (r, alpha, b))
    z = t / (alpha + t)
    # Euler: ₂F₁(r, b; c; z) = (1-z)^(a-1-r) ₂F₁(c-r, a-1; c; z), whose small a-1 keeps it tame for large r and b
    c = a + b - 1
    return c / (a - 1) * (1 - (1 - z) ** (a - 1) * hyp2f1(c - r, a - 1, c, z))


def _hessian(slope: Callable[[Floats], Floats], at: Floats, step: float = 1e-5) -> Floats:
    """Give the matrix of second derivatives by central differences of the gradient."""
    H = np.stack([(slope(at + step * e) - slope(at - step * e)) / (2 * step) for e in np.eye(len(at))])
    return (H + H.T) / 2


def _inverse(H: Floats, at_edge: bool) -> Floats:
    """Invert the Hessian; at the edge of the search, or where it is no minimum, the data leave a parameter open."""
    values, vectors = np.linalg.eigh(H)
    if at_edge or values[0] <= 1e-9 * values[-1]:
        raise UsageError(
            "these customers do not pin the four parameters down; take more of them, or a longer time, "
            "so that some return often and some stop"
        )
    return (vectors / values) @ vectors.T


def simulate(n: int, theta: ArrayLike, T: ArrayLike, *, t: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Draw n customers as the model has it and watch each for T, then for t more.

    Returns
    -------
    frame with x, t_x, T, more (purchases in the time t after T) and alive (at T)

    >>> simulate(3, [0.243, 4.414, 0.793, 2.426], 39, t=39, seed=1).round(1)
       x   t_x     T  more  alive
    0  0   0.0  39.0     1   True
    1  3  13.8  39.0     0  False
    2  0   0.0  39.0     0   True
    """
    r, alpha, a, b = np.asarray(theta, dtype=float)
    if min(r, alpha, a, b) <= 0 or n < 1:
        raise UsageError(f"n={n} customers and (r, α, a, b) = {[*np.asarray(theta).tolist()]} must be above 0")
    rng = np.random.default_rng(seed)
    seen = np.broadcast_to(_need_times(T), (n,)).astype(float)
    rate, p = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    x, more, t_x = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros(n)
    now, left = np.zeros(n), np.full(n, np.inf)  # left: when for good
    active = np.arange(n)
    while len(active):
        now[active] += rng.exponential(1, len(active)) / np.maximum(rate[active], 1e-300)
        active = active[now[active] <= seen[active] + t]
        before = active[now[active] <= seen[active]]
        x[before] += 1
        t_x[before] = now[before]
        more[active] += now[active] > seen[active]
        gone = rng.random(len(active)) < p[active]
        left[active[gone]] = now[active[gone]]
        active = active[~gone]
    return pd.DataFrame({"x": x, "t_x": t_x, "T": seen, "more": more, "alive": left > seen})


def from_purchases(frame: pd.DataFrame, *, until: pd.Timestamp | str | None = None, unit: str = "7D") -> pd.DataFrame:
    """Turn purchases (columns customer, time) into x, t_x and T of each customer, in `unit`s, weeks by default.

    Purchases of one day are one. Only those up to and on the day `until` count, by default all.

    >>> times = pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-08"])
    >>> frame = pd.DataFrame({"customer": ["u", "u", "v"], "time": times})
    >>> from_purchases(frame, until="2024-01-15").to_dict("list")
    {'x': [1, 0], 't_x': [1.0, 0.0], 'T': [2.0, 1.0]}
    """
    days = frame[["customer"]].assign(day=frame["time"].dt.floor("D"))
    end = days["day"].max() if until is None else pd.Timestamp(until).floor("D")
    days = days[days["day"] <= end].drop_duplicates()
    if days.empty:
        raise UsageError(f"no purchase up to {end:%Y-%m-%d}, so there is no customer to count")
    by = days.groupby("customer")["day"]
    first, last, length = by.min(), by.max(), pd.Timedelta(unit).total_seconds()
    spans = {"t_x": (last - first).dt.total_seconds() / length, "T": (end - first).dt.total_seconds() / length}
    return pd.DataFrame({"x": by.size() - 1, **spans})


def need_counts(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Refuse numbers that no customer can have."""
    counts, last, seen = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, t_x, T))
    if not counts.shape == last.shape == seen.shape or counts.ndim != 1 or not len(counts):
        raise UsageError(
            f"x, t_x and T need one number a customer; they have shapes {counts.shape}, {last.shape}, {seen.shape}"
        )
    rules = {
        "x must be 0, 1, 2, … repeat purchases": (counts >= 0) & (counts == np.floor(counts)),
        "t_x must lie between 0 and T": (last >= 0) & (last <= seen) & np.isfinite(seen),
        "t_x must be 0 without a repeat purchase, and above 0 with one": (counts > 0) == (last > 0),
    }
    for rule, holds in rules.items():
        if not holds.all():
            i = int(np.argmin(holds))
            raise UsageError(f"customer {i} has x={counts[i]:g}, t_x={last[i]:g}, T={seen[i]:g}: {rule}")
    return counts, last, seen


def _need_times(t: ArrayLike) -> Floats:
    times = np.asarray(t, dtype=float)
    if not (np.isfinite(times) & (times >= 0)).all():
        raise UsageError(f"a time must be 0 or more; given is {times.min():g}")
    return times
