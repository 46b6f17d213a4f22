"""Regression for a series: neighbouring errors are alike, and who forgets that is far too sure.

    y_t = x_t'β + u_t,    u_t = φ_1 u_{t-1} + … + φ_p u_{t-p} + ε_t,    Var u = σ²Γ(φ)
    β̂ = (X'Γ⁻¹X)⁻¹ X'Γ⁻¹y        (generalised least squares)

To take the likeliest φ for the truth is still too sure: trends, steps and seasons swallow correlation, and a little
more of it makes intervals much wider. So all φ count by their restricted likelihood, that of the contrasts of y which
X does not touch. With flat priors of β and log σ and Jeffreys' prior of a partial autocorrelation, 1/√(1 - r²),

    c'β | y  ~  Σ_m w_m t_{n-k}(c'β̂(φ_m), s_m² c'(X'Γ_m⁻¹X)⁻¹c),    w_m ∝ |Γ_m|^-½ |X'Γ_m⁻¹X|^-½ RSS_m^-(n-k)/2 · prior

over φ_m drawn around the likeliest; its quantiles are the interval. The order p is the one of least AIC. The φ are
sought as partial autocorrelations in (-1, 1), which are always stationary. A gap is a column of X of its own (1 in
that row): the contrasts then leave the row out, exactly.

References: Harville (1977), restricted likelihood; Cheang & Reinsel (2000), the same for series; Zellner & Tiao
(1964), averaged over φ; Barndorff-Nielsen & Schou (1973), partial autocorrelations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import brentq, minimize
from scipy.signal import lfilter

from smlab.checks import UsageError
from smlab.metrics import Interval

Floats = NDArray[np.float64]
STEP = 1e-2  # of numerical derivatives
DRAWS = 100  # M
MOST = 4.0  # artanh of the largest partial autocorrelation, .9993


@dataclass(frozen=True)
class Regression:
    """A regression with autocorrelated errors.

    Parameters
    ----------
    beta : (k,) coefficients at the likeliest φ
    ar, sigma : φ (p,) and the standard deviation of ε there
    partial : (p,) artanh of the partial autocorrelations
    X : (n, k + gaps) columns; those of gaps stand behind the others
    rest : (n,) y - Xβ at the likeliest φ, whitened
    betas, covs, weights : (M, k), (M, k, k), (M,) the same for each φ_m
    """

    beta: Floats
    ar: Floats
    sigma: float
    partial: Floats
    X: Floats
    rest: Floats
    betas: Floats
    covs: Floats
    weights: Floats

    def estimate(self, c: ArrayLike, *, level: float = 0.95) -> Interval:
        """Give c'β with its interval; c (k,)."""
        w = np.asarray(c, dtype=float)
        low, high = (self._quantile(w, q) for q in ((1 - level) / 2, (1 + level) / 2))
        return Interval(float(w @ self.beta), low, high)

    def p_value(self, c: ArrayLike) -> float:
        """Give the two-sided p-value of c'β = 0, from the same law as the interval."""
        below = self._below(np.asarray(c, dtype=float), 0.0)
        return 2 * min(below, 1 - below)

    def error(self, C: ArrayLike) -> Floats:
        """Give the standard error of each row of C (m, k) times β."""
        A = np.asarray(C, dtype=float)
        mean = self.weights @ (self.betas @ A.T)
        within = np.einsum("ij,jk,ik->i", A, np.einsum("m,mjk->jk", self.weights, self.covs), A)
        return cast(Floats, np.sqrt(within + self.weights @ (self.betas @ A.T - mean) ** 2))

    def whiten(self, A: Floats) -> Floats:
        """Give Γ^(-1/2) A at the likeliest φ, whose errors are independent; A (n, m)."""
        return whiten(A, self.partial)

    def _law(self, c: Floats) -> tuple[Floats, Floats]:
        return self.betas @ c, np.sqrt(np.einsum("j,mjk,k->m", c, self.covs, c))

    def _below(self, c: Floats, value: float) -> float:
        centre, spread = self._law(c)
        return float(self.weights @ stats.t.cdf((value - centre) / spread, self.freedom))

    def _quantile(self, c: Floats, q: float) -> float:
        centre, spread = self._law(c)
        ends = centre + stats.t.ppf(q, self.freedom) * spread
        low, high = float(ends.min()), float(ends.max())
        return low if high - low < 1e-12 else float(brentq(lambda v: self._below(c, v) - q, low, high))

    @property
    def freedom(self) -> int:
        """Give n - k, less the gaps."""
        return self.X.shape[0] - self.X.shape[1]


def regress(y: ArrayLike, X: ArrayLike, *, order: int | None = None, most: int = 8, seed: int = 0) -> Regression:
    """Regress y (n,), NaN where there is a gap, on X (n, k) with errors of AR(p).

    Parameters
    ----------
    order : p; that of least AIC up to `most` if not given

    >>> rng, step = np.random.default_rng(0), np.arange(200) >= 100
    >>> u = lfilter([1.0], [1.0, -0.6], rng.normal(size=200))
    >>> found = regress(3 + 2 * step + u, np.column_stack([np.ones(200), step]), order=1)
    >>> print(f"{found.estimate([0, 1]):.1f}", found.ar.round(1).tolist())
    1.8 [1.1, 2.7] [0.7]
    """
    z, A = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    k, gaps = _check(z, A)
    z, A = np.where(np.isnan(z), 0.0, z), np.column_stack([A, np.eye(len(z))[:, gaps]])
    orders = range(min(most, (len(z) - A.shape[1]) // 5) + 1) if order is None else [order]
    at, best, least = np.zeros(0), np.zeros(0), np.inf
    for p in orders:
        at = np.r_[at, np.full(p - len(at), 0.05)]
        if p:
            at = minimize(_deviance, at, (z, A), method="L-BFGS-B", bounds=[(-MOST, MOST)] * p).x
        if (aic := _deviance(at, z, A) + 2 * p) < least:
            best, least = at, aic
    return _averaged(best, z, A, k, seed)


def _averaged(best: Floats, y: Floats, X: Floats, k: int, seed: int) -> Regression:
    """Weigh φ drawn around the likeliest by how likely they are."""
    free = X.shape[0] - X.shape[1]
    points, density = _around(best, y, X, seed)
    betas, covs, log_weight = [], [], []
    for at, log_density in zip(points, density, strict=True):
        R, beta, rss = _solve(at, y, X)
        inverse = solve_triangular(R, np.eye(len(R)))[:k]
        betas.append(beta[:k])
        covs.append(inverse @ inverse.T * rss / free)
        log_weight.append(-_deviance(at, y, X) / 2 - np.log(np.cosh(at)).sum() - log_density)
    weight = np.exp(np.array(log_weight) - max(log_weight))
    _, beta, rss = _solve(best, y, X)
    rest = whiten((y - X @ beta)[:, None], best).ravel()
    return Regression(
        beta[:k], _recursion(best)[0][-1], float(np.sqrt(rss / free)), best, X, rest,
        np.array(betas), np.array(covs), weight / weight.sum(),
    )  # fmt: skip


def _around(best: Floats, y: Floats, X: Floats, seed: int) -> tuple[Floats, Floats]:
    """Draw artanh partial autocorrelations (M, p) from a t with the curvature at the best, and its log density."""
    p = len(best)
    if not p:
        return np.zeros((1, 0)), np.zeros(1)
    moves = STEP * np.eye(p)

    def cost(at: Floats) -> float:
        return _deviance(at, y, X) + 2 * float(np.log(np.cosh(at)).sum())

    H = [
        [cost(best + a + b) - cost(best + a - b) - cost(best - a + b) + cost(best - a - b) for a in moves]
        for b in moves
    ]
    values, vectors = np.linalg.eigh(np.array(H) / (8 * STEP**2))
    cov = vectors / np.clip(values, 1.0, None) @ vectors.T  # no wider than 1 on the scale artanh
    law = stats.multivariate_t(best, cov, df=5)
    points = np.clip(law.rvs(DRAWS, random_state=np.random.default_rng(seed)).reshape(DRAWS, p), -MOST, MOST)
    return points, np.atleast_1d(law.logpdf(points))


def whiten(A: Floats, partial: Floats) -> Floats:
    """Give Γ^(-1/2) A of A (n, m): each row less what the rows before it tell, over its standard deviation.

    >>> whiten(np.ones((3, 1)), np.arctanh([0.5])).ravel().round(3).tolist()  # √(1 - .5²), then 1 - .5
    [0.866, 0.5, 0.5]
    """
    phi, variance = _recursion(partial)
    p = len(partial)
    W = lfilter(np.r_[1.0, -phi[-1]], [1.0], A, axis=0) if p else A.copy()
    for t in range(min(p, len(A))):
        W[t] = (A[t] - phi[t] @ A[:t][::-1]) / np.sqrt(variance[t])
    return cast(Floats, W)


def _recursion(partial: Floats) -> tuple[list[Floats], Floats]:
    """Give the φ of orders 0 to p (Durbin-Levinson), and the variances of the first p rows, of ε 1."""
    phi = [np.zeros(0)]
    r = np.tanh(partial)
    for each in r:
        phi.append(np.r_[phi[-1] - each * phi[-1][::-1], each])
    return phi, 1 / np.cumprod((1 - r**2)[::-1])[::-1]


def _solve(partial: Floats, y: Floats, X: Floats) -> tuple[Floats, Floats, float]:
    """Give R of X'Γ⁻¹X = R'R, β̂ and the sum of squares of what is left."""
    W, k = whiten(np.column_stack([X, y]), partial), X.shape[1]
    R = cholesky(W.T @ W)
    return R[:k, :k], solve_triangular(R[:k, :k], R[:k, k]), float(R[k, k] ** 2)


def _deviance(partial: Floats, y: Floats, X: Floats) -> float:
    """Give -2 log restricted likelihood at the best σ², but for a constant."""
    R, _, rss = _solve(partial, y, X)
    log_gamma = np.log(_recursion(partial)[1]).sum()
    return float((len(y) - X.shape[1]) * np.log(rss) + log_gamma + 2 * np.log(np.diag(R)).sum())


def _check(y: Floats, X: Floats) -> tuple[int, NDArray[np.int64]]:
    """Give the columns of X and the rows of the gaps."""
    if X.ndim != 2 or y.shape != (len(X),):
        raise UsageError(f"a series of shape {y.shape} does not fit columns of shape {X.shape}")
    if not np.isfinite(X).all() or np.isinf(y).any():
        raise UsageError("the columns must hold finite numbers, the series too, but for gaps (NaN)")
    gaps = np.isnan(y)
    seen, k = len(y) - int(gaps.sum()), X.shape[1]
    if seen < k + 8:
        raise UsageError(f"{seen} values cannot tell {k} columns and their errors; {k + 8} are needed")
    if np.linalg.matrix_rank(X[~gaps]) < k:
        raise UsageError("the columns cannot be told apart where the series has values; leave one out")
    left = y[~gaps] - X[~gaps] @ np.linalg.lstsq(X[~gaps], y[~gaps], rcond=None)[0]
    if np.abs(left).max() <= 1e-9 * np.abs(y[~gaps]).max():
        raise UsageError("the columns explain the series to the last digit; there are no errors to judge by")
    return k, np.flatnonzero(gaps)
