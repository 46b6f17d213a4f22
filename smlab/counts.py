"""How many reactions will a post get? Poisson and negative binomial regression from their derivation, in numpy.

The mean grows by factors, μ_i = e_i exp(x_i'θ), with e_i the exposure (1, or how many could react). With
X (N, d + 1), whose first column is 1, and η = log μ:

    Poisson     ℓ = Σ yη - μ - log y!                                        Var y = μ
                -∂ℓ/∂η = μ - y,    -∂²ℓ/∂η² = μ
    NB2         ℓ = Σ log Γ(y+1/α) - log Γ(1/α) - log y! + y log αμ - (y+1/α) log(1+αμ),    Var y = μ + αμ²
                -∂ℓ/∂η = (μ-y)/(1+αμ),    -∂²ℓ/∂η² = μ(1+αy)/(1+αμ)²,    -∂²ℓ/∂η∂log α = (y-μ)αμ/(1+αμ)²
    J           -ℓ/N + (λ/2) Σ_{j>0} θ_j²                                    the intercept is not penalised
    gradient    g = Xᵀ(-∂ℓ/∂η)/N + λθ,    Hessian H = Xᵀ diag(-∂²ℓ/∂η²) X/N + λI, and a row for log α
    Newton      (θ, log α) ← (θ, log α) - t H⁻¹g,    t = 1, ½, ¼, … until J falls        (IRLS where α = 0)
    covariance  C = (NH)⁻¹;  robust  C (Σ_i s_i s_i') C with s_i = ∂ℓ_i, or with the sums of s_i of each author

NB2 is a Poisson whose mean varies by a gamma factor of mean 1 and variance α. At α = 0 it is the Poisson; where the
data scatter less, Σ (y-μ)² ≤ Σ y, that is the most likely one. Wald's intervals θ_j ± z √C_jj become those of the rate
ratio exp θ_j. The Poisson's θ is right whenever the mean is, and so are its robust errors; its forecasts are not.

References: McCullagh & Nelder (1989), chapter 6; Cameron & Trivedi (2013), chapter 3; White (1982), robust errors;
Santos Silva & Tenreyro (2010), when θ exists; Dunn & Smyth (1996), residuals; Kleiber & Zeileis (2016), rootograms.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse, stats

from smlab.checks import UsageError, nearest, shorten
from smlab.countscores import LEVELS, SMALLEST, in_log_alpha, law, log_law, need_counts
from smlab.ctr import _design, _need_independent

Floats = NDArray[np.float64]
Family = Literal["poisson", "nb2"]
Errors = Literal["robust", "model"]


class CountRegression:
    """Fit the mean of counts as exp(Xθ) by maximum likelihood, with standard errors.

    Parameters
    ----------
    family : "poisson", or "nb2" with a dispersion α of its own
    reg : λ ≥ 0 of the penalty (λ/2)‖θ‖² beside the mean of -log p(y)
    tolerance : it has converged when the next step is shorter, in standard errors
    max_steps : after so many steps it stops and warns

    Attributes
    ----------
    theta_ (d + 1,), alpha_ (0 for Poisson), covariance_ and robust_ (d + 1, d + 1) of θ, names_, log_likelihood_,
    dispersion_ (Pearson's φ = Σ (y-μ)²/Var y / (N-d-1): 1 where the counts scatter as the family says), converged_

    >>> model = CountRegression(family="poisson").fit([[0], [0], [1], [1]], [10, 20, 40, 50])
    >>> model.predict([[0], [1]]).round(6).tolist()
    [15.0, 45.0]
    >>> model.rate_ratios(errors="model").iloc[0, 1:4].round(2).tolist()  # exp(log 3 ± 1.96 √(1/30 + 1/90))
    [3.0, 1.98, 4.53]
    """

    theta_: Floats
    covariance_: Floats
    robust_: Floats
    names_: list[str]

    def __init__(
        self, *, family: Family = "nb2", reg: float = 0.0, tolerance: float = 1e-8, max_steps: int = 100
    ) -> None:
        if family not in ("poisson", "nb2"):
            raise UsageError(f"unknown family {family!r}; {nearest(str(family), ['poisson', 'nb2'])}")
        if not 0 <= reg < np.inf:
            raise UsageError(f"reg={reg} must be finite and 0 or more")
        if not 0 < tolerance < 1 or max_steps < 1:
            raise UsageError(f"tolerance={tolerance} must lie between 0 and 1, and max_steps={max_steps} be above 0")
        self.family, self.reg, self.tolerance, self.max_steps = family, reg, tolerance, max_steps

    def fit(self, X: Any, y: ArrayLike, *, exposure: ArrayLike | None = None, groups: ArrayLike | None = None) -> Self:
        """Find θ and α for X (N, d), dense, sparse or a frame, and counts y (N,); all stay as they are.

        Parameters
        ----------
        exposure : (N,) above 0, what the mean is proportional to, such as followers
        groups : (N,) whose post it is; robust errors then hold though posts of one author are alike

        Raises
        ------
        UsageError
            Values that are no counts, all of them 0, fewer rows than parameters, a column that is constant or a
            combination of others, or that sets apart rows of zeros (the last three unless `reg` is above 0).
        """
        A, self.names_ = _design(X)
        counts, offset = need_counts(y, A.shape[0]), _log_exposure(exposure, A.shape[0])
        if not counts.any():
            raise UsageError(f"all {len(counts)} counts are 0: there is no rate to explain")
        if not self.reg:
            if len(counts) <= A.shape[1]:
                raise UsageError(f"{_rows(len(counts))} cannot tell {A.shape[1]} parameters; give more, or reg above 0")
            _need_independent(A, self.names_)
        phi = self._minimise(A, counts, offset, _start(A, counts, offset))
        mu = np.exp(A @ phi + offset)
        spread = float(((counts - mu) ** 2 - counts).sum())  # twice the slope of ℓ in α at 0
        if self.family == "nb2" and spread > 0:
            alpha = float(np.clip(spread / (mu**2).sum(), 1e-4, 1e2))
            phi = self._minimise(A, counts, offset, np.r_[phi, np.log(alpha)])
        self._keep(A, counts, offset, phi, groups)
        return self

    def predict(self, X: Any, *, exposure: ArrayLike | None = None) -> Floats:
        """Give the expected count μ of each row of X (N, d), (N,)."""
        if not hasattr(self, "theta_"):
            raise UsageError("CountRegression has not been fitted; call fit(X, y) first")
        A = same_columns(X, self.names_)
        eta = A @ self.theta_ + _log_exposure(exposure, A.shape[0])
        return np.exp(np.minimum(eta, 700.0))  # a forecast far outside the data stays a number

    def forecast(self, X: Any, *, levels: ArrayLike = LEVELS, exposure: ArrayLike | None = None) -> pd.DataFrame:
        """Give the quantiles of the count at `levels`, one column each, and its `mean`; θ and α taken as known."""
        mu = self.predict(X, exposure=exposure)
        of = law(mu, self.alpha_)
        return pd.DataFrame({float(q): of.ppf(q) for q in np.atleast_1d(np.asarray(levels))} | {"mean": mu})

    def intervals(self, level: float = 0.95, *, errors: Errors = "robust") -> pd.DataFrame:
        """Give θ with Wald's intervals θ_j ± z_{(1+level)/2} √C_jj: columns term, theta, error, low, high.

        "robust" errors hold though the scatter is not the family's; "model" errors are shorter and believe in it.
        """
        if not 0 < level < 1:
            raise UsageError(f"level={level} must lie between 0 and 1; 0.95 is usual")
        if errors not in ("robust", "model"):
            raise UsageError(f"errors={errors!r}: {nearest(str(errors), ['robust', 'model'])}")
        error = np.sqrt(np.diag(self.robust_ if errors == "robust" else self.covariance_))
        half = stats.norm.ppf((1 + level) / 2) * error
        columns = {"theta": self.theta_, "error": error, "low": self.theta_ - half, "high": self.theta_ + half}
        return pd.DataFrame({"term": self.names_} | columns)

    def rate_ratios(self, level: float = 0.95, *, errors: Errors = "robust") -> pd.DataFrame:
        """Give exp(θ_j), the factor on the mean when column j grows by 1, its interval, and both in words."""
        table = self.intervals(level, errors=errors).iloc[1:].reset_index(drop=True)
        with np.errstate(over="ignore"):
            ratios = np.exp(table[["theta", "low", "high"]].to_numpy())  # (d, 3)
        columns = dict(zip(("rate_ratio", "low", "high"), ratios.T, strict=True))
        return pd.DataFrame({"term": table["term"]} | columns | {"words": [in_words(*row) for row in ratios]})

    def _minimise(self, X: Any, y: Floats, offset: Floats, phi: Floats) -> Floats:
        """Go down from φ = θ or (θ, log α) until the step, in standard errors, is short."""
        d, n = X.shape[1], len(y)
        J, self.converged_ = self._loss(X, y, offset, phi), False
        slack = 1e-13 * (1 + float(y.mean()))  # what J loses to rounding
        for _ in range(self.max_steps):
            g, H = self._derivatives(X, y, offset, phi)
            step = _solve(H, g)
            size = np.sqrt(n * abs(g @ step))
            if size < 0.01 and not self.reg:
                _need_overlap(X, step[:d], self.names_)
            t = 1.0 if len(step) == d else min(1.0, 3.0 / max(abs(step[-1]), 1e-300))
            while not (after := self._loss(X, y, offset, phi - t * step)) <= J + slack and t > 1e-10:
                t /= 2
            phi, J = phi - t * step, after
            if size < self.tolerance:
                self.converged_ = True
                return phi
        warnings.warn(f"no convergence in {self.max_steps} steps: scale the columns or allow more", stacklevel=3)
        return phi

    def _loss(self, X: Any, y: Floats, offset: Floats, phi: Floats) -> float:
        """Give J(φ); infinite where the mean is."""
        theta, alpha = _parts(phi, X.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            J = -log_law(y, X @ theta + offset, alpha).mean() + self.reg / 2 * theta[1:] @ theta[1:]
        return float(J) if np.isfinite(J) else np.inf

    def _derivatives(self, X: Any, y: Floats, offset: Floats, phi: Floats) -> tuple[Floats, Floats]:
        """Give g and H of J, in θ or in (θ, log α)."""
        (theta, alpha), n, d = _parts(phi, X.shape[1]), len(y), X.shape[1]
        mu = np.exp(X @ theta + offset)
        slope, curve = (mu - y) / (1 + alpha * mu), mu * (1 + alpha * y) / (1 + alpha * mu) ** 2
        g, H = np.zeros(len(phi)), np.zeros((len(phi), len(phi)))
        g[:d], H[:d, :d] = X.T @ slope / n, _gram(X, curve) / n
        g[1:d] += self.reg * theta[1:]
        H[np.arange(1, d), np.arange(1, d)] += self.reg
        if len(phi) > d:
            in_alpha, twice = in_log_alpha(y, mu, alpha)
            g[d], H[d, d] = -in_alpha.mean(), -twice.mean()
            H[:d, d] = H[d, :d] = X.T @ ((y - mu) * alpha * mu / (1 + alpha * mu) ** 2) / n
        return g, H

    def _keep(self, X: Any, y: Floats, offset: Floats, phi: Floats, groups: ArrayLike | None) -> None:
        """Keep what was learnt, with its covariances."""
        (theta, alpha), d, n = _parts(phi, X.shape[1]), X.shape[1], len(y)
        if alpha < SMALLEST:
            phi, alpha = theta, 0.0
        H = self._derivatives(X, y, offset, phi)[1] * n
        s = np.sqrt(np.diag(H))
        C = linalg.inv(H / np.outer(s, s)) / np.outer(s, s)
        eta = X @ theta + offset
        mu = np.exp(eta)
        extra = [in_log_alpha(y, mu, alpha)[0]] if len(phi) > d else []
        slope = (y - mu) / (1 + alpha * mu)
        M = C @ _meat(X, slope, extra, groups) @ C
        self.theta_, self.alpha_, self.covariance_, self.robust_ = theta, alpha, C[:d, :d], M[:d, :d]
        self.log_likelihood_ = float(log_law(y, eta, alpha).sum())
        self.dispersion_ = float(((y - mu) ** 2 / (mu + alpha * mu**2)).sum() / max(n - d, 1))


def same_columns(X: Any, names: list[str]) -> Any:
    """Give (N, d + 1) with the ones of the intercept, its columns in the order of `names`, those of the fit."""
    if isinstance(X, pd.DataFrame) and names[1:2] != ["x0"]:
        absent = [c for c in names[1:] if c not in X.columns]
        if absent:
            raise UsageError(f"the frame has no column {absent[0]!r}; {nearest(absent[0], map(str, X.columns))}")
        X = X[names[1:]]
    A, have = _design(X)
    if len(have) != len(names):
        raise UsageError(f"X has {len(have) - 1} columns; the model was fitted on {len(names) - 1}")
    return A


def in_words(ratio: float, low: float, high: float) -> str:
    """Say a rate ratio and its interval in words.

    >>> in_words(1.82, 1.41, 2.35)
    '82 % more, between 41 % and 135 % more'
    >>> in_words(0.97, 0.81, 1.16)
    '3 % fewer, but between 19 % fewer and 16 % more: the direction is open'
    """
    if low > 1 and ratio >= 2:
        return f"{ratio:.3g} times as many, between {low:.3g} and {high:.3g} times"
    if low <= 1 <= high:
        text = f"{_percent(ratio)}, but between {_percent(low)} and {_percent(high)}: the direction is open"
    else:
        near, far = (low, high) if low > 1 else (high, low)
        text = f"{_percent(ratio)}, between {abs(near - 1):.0%} and {_percent(far)}"
    return text.replace("%", " %")


def _percent(ratio: float) -> str:
    return f"{abs(ratio - 1):.0%} {'more' if ratio >= 1 else 'fewer'}"


def _parts(phi: Floats, d: int) -> tuple[Floats, float]:
    """Part φ into θ (d,) and α, 0 where φ has none."""
    return phi[:d], float(np.exp(phi[d])) if len(phi) > d else 0.0


def _start(X: Any, y: Floats, offset: Floats) -> Floats:
    """Give the first step of IRLS, from the means y + ½ (Poisson), or the mean of all if that is likelier."""
    z = np.log(y + 0.5) + (y / (y + 0.5) - 1) - offset
    flat = np.r_[np.log(y.sum() / np.exp(offset).sum()), np.zeros(X.shape[1] - 1)]
    G = _gram(X, y + 0.5)
    G[np.diag_indices(len(G))] *= 1 + 1e-9
    warm = _solve(G, X.T @ ((y + 0.5) * z))
    with np.errstate(over="ignore", invalid="ignore"):
        better = log_law(y, X @ warm + offset, 0.0).sum() > log_law(y, X @ flat + offset, 0.0).sum()
    return warm if better else flat


def _gram(X: Any, w: Floats) -> Floats:
    """Give Xᵀ diag(w) X, dense."""
    G = X.T @ (X.multiply(w[:, None]).tocsr() if sparse.issparse(X) else X * w[:, None])
    return np.asarray(G.toarray() if sparse.issparse(G) else G)


def _meat(X: Any, slope: Floats, extra: list[Floats], groups: ArrayLike | None) -> Floats:
    """Give Σ s_i s_i' over rows, or over groups of G the sums' G/(G-1) Σ s_g s_g'; `extra` is log α's part of s."""
    if groups is None:
        inner, cross = _gram(X, slope**2), [X.T @ (slope * e) for e in extra]
        return np.block([[inner, cross[0][:, None]], [cross[0][None], extra[0] @ extra[0]]]) if extra else inner
    code = pd.factorize(np.asarray(groups))[0]
    if code.shape != slope.shape or code.min() < 0 or code.max() < 1:
        raise UsageError(f"groups must name one of two or more for each of {len(slope)} rows; {len(code)} are given")
    member = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))))  # (G, N)
    scores = sparse.diags_array(slope) @ X if sparse.issparse(X) else X * slope[:, None]
    sums = member @ scores
    sums = np.column_stack([sums.toarray() if sparse.issparse(sums) else sums, *(member @ e for e in extra)])
    return sums.T @ sums * (len(sums) / (len(sums) - 1))


def _solve(H: Floats, g: Floats) -> Floats:
    """Give H⁻¹g, of a unit diagonal on the way; where H is not positive definite, |eigenvalues| lead down as well."""
    s = np.sqrt(np.maximum(np.abs(np.diag(H)), 1e-300))
    scaled = H / np.outer(s, s)
    try:
        return cast(Floats, linalg.cho_solve(linalg.cho_factor(scaled), g / s) / s)
    except linalg.LinAlgError:
        values, V = linalg.eigh(scaled)
        return cast(Floats, V @ ((V.T @ (g / s)) / np.maximum(np.abs(values), 1e-12)) / s)


def _need_overlap(X: Any, step: Floats, names: list[str]) -> None:
    """Refuse columns whose rows have no reaction at all: there θ goes to -∞, a step of 1 after the other.

    Near a minimum short steps move every forecast a little; forecasts that still fall have no minimum.
    """
    falls = X @ step > 0.5  # η goes to η - X step
    if not falls.any():
        return
    pull = (np.abs(step) * np.sqrt(np.asarray((X**2).mean(axis=0)).ravel()))[1:]
    guilty = [names[j + 1] for j in np.argsort(-pull, kind="stable") if pull[j] > 0.2 * pull.max()]
    listed = shorten(", ".join(map(repr, guilty)), 200)
    which = f"column {listed} sets" if len(guilty) == 1 else f"columns {listed} together set"
    raise UsageError(
        f"{which} {_rows(int(falls.sum()))} apart that have only zeros, so θ falls without end; "
        "give reg above 0, or merge rare values"
    )


def _log_exposure(exposure: ArrayLike | None, n_rows: int) -> Floats:
    """Give log e of each row, (N,)."""
    e = np.ones(n_rows) if exposure is None else np.asarray(exposure, dtype=float)
    if e.shape != (n_rows,) or not ((e > 0) & np.isfinite(e)).all():
        raise UsageError(f"exposure of shape {e.shape} must be finite and above 0, one for each of {n_rows} rows")
    return np.log(e)


def _rows(n: int) -> str:
    return f"{n:,} row{'s' if n != 1 else ''}"
