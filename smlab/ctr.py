"""Logistic regression from its derivation, in numpy: the probability of a click as p = σ(Xθ).

Of n_i impressions of row i, y_i were clicked (n_i = 1: one impression per row). With X (N, d + 1), whose first
column is 1 for the intercept, and n = Σ n_i:

    likelihood     ℓ(θ) = Σ_i [ y_i log p_i + (n_i - y_i) log(1 - p_i) ],    p = σ(Xθ) = 1 / (1 + exp(-Xθ))
    cross-entropy  J(θ) = -ℓ(θ)/n + (λ/2) Σ_{j>0} θ_j²
    gradient       g = Xᵀ(n_i p - y)/n + λθ                                 the intercept is not penalised
    Hessian        H = XᵀWX/n + λI,    W = diag(n_i p_i (1 - p_i)) ≥ 0      so J is convex: one minimum
    Newton         θ ← θ - t H⁻¹g,    t = 1, ½, ¼, … until J falls          (IRLS)
    descent        θ ← θ - g/L,    L = λ_max(XᵀX)/(4n) + λ ≥ λ_max(H)
    covariance     (XᵀWX + nλI)⁻¹, the inverse Fisher information; θ_j ± z √C_jj are Wald's intervals

J with λ = 0 is the maximum of the likelihood. It exists unless a combination of columns separates clicks from the
rest; then θ grows without end, and the fit says so. For fields of many values see `clicknets.LR`.

References: McCullagh & Nelder (1989), sec. 4.4; Albert & Anderson (1984) on separation.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse
from scipy.stats import norm

from smlab.checks import UsageError, nearest, shorten

Floats = NDArray[np.float64]
Method = Literal["newton", "gradient-descent"]


def sigmoid(z: ArrayLike) -> Floats:
    """Give σ(z) = 1/(1 + exp(-z)), without overflow for any z.

    >>> sigmoid([-1000.0, 0.0, 3.2]).round(3)
    array([0.   , 0.5  , 0.961])
    """
    return np.exp(log_sigmoid(z))


def log_sigmoid(z: ArrayLike) -> Floats:
    """Give log σ(z) = -log(1 + exp(-z)); log(1 - σ(z)) is log_sigmoid(-z).

    >>> log_sigmoid([-1000.0, 0.0])
    array([-1.00000000e+03, -6.93147181e-01])
    """
    return cast(Floats, -np.logaddexp(0.0, -np.asarray(z, dtype=float)))


class LogisticRegression:
    """Fit p = σ(Xθ) by Newton's method or gradient descent, with standard errors.

    Parameters
    ----------
    reg : λ ≥ 0 of the penalty (λ/2)‖θ‖² beside the mean cross-entropy; scikit-learn's C is 1/(λn)
    method : "newton", some ten steps, or "gradient-descent", many more, without a Hessian
    tolerance : it has converged when no entry of the gradient is larger
    max_steps : after so many steps it stops and warns; 100 for Newton and 100,000 for descent if not given

    Attributes
    ----------
    theta_ (d + 1,), covariance_ (d + 1, d + 1), names_, losses_ (J before each step and at the end), converged_

    >>> X = [[0.0], [1.0]]  # two ads: 20 of 100 impressions clicked, and 40 of 100
    >>> model = LogisticRegression().fit(X, [20, 40], impressions=[100, 100])
    >>> model.predict_proba(X).round(6)
    array([0.2, 0.4])
    >>> model.odds_ratios().round(2)
      term  odds_ratio   low  high
    0   x0        2.67  1.42  5.02
    """

    theta_: Floats
    covariance_: Floats
    names_: list[str]

    def __init__(
        self,
        *,
        reg: float = 0.0,
        method: Method = "newton",
        tolerance: float = 1e-10,
        max_steps: int | None = None,
    ) -> None:
        if not 0 <= reg < np.inf:
            raise UsageError(f"reg={reg} must be finite and 0 or more")
        if method not in ("newton", "gradient-descent"):
            raise UsageError(f"unknown method {method!r}; {nearest(str(method), ['newton', 'gradient-descent'])}")
        if not 0 < tolerance < 1 or (max_steps is not None and max_steps < 1):
            raise UsageError(f"tolerance={tolerance} must lie between 0 and 1, and max_steps={max_steps} be above 0")
        self.reg, self.method, self.tolerance = reg, method, tolerance
        self.max_steps = max_steps or (100 if method == "newton" else 100_000)

    def fit(self, X: Any, y: ArrayLike, *, impressions: ArrayLike | None = None) -> LogisticRegression:
        """Find θ for X (N, d), dense, sparse or a frame, and clicks y (N,); both stay as they are.

        Parameters
        ----------
        X : one row per impression or, with `impressions`, per group of them; the intercept is added here
        y : 0 or 1; with `impressions` the number of clicks
        impressions : (N,) n_i of each row

        Raises
        ------
        UsageError
            Values that are not finite, labels of one class, a column that is constant or a combination of others
            (unless `reg` is above 0), columns that separate the clicks, shapes that do not match.
        """
        A, self.names_ = _design(X)
        k, n = _counts(y, impressions, A.shape[0])
        if not self.reg:
            _need_independent(A, self.names_)
        theta = np.zeros(A.shape[1])
        theta[0] = np.log(k.sum() / (n.sum() - k.sum()))  # the rate of all: where to begin
        theta = self._minimise(A, k, n, theta)
        H = self._hessian(A, n, theta)
        if not self.reg:
            _need_overlap(A, theta, _solve(H, self._gradient(A, k, n, theta)), self.names_)
        if not self.converged_:
            steps = len(self.losses_) - 1
            warnings.warn(f"no convergence in {steps} steps: scale the columns or allow more steps", stacklevel=2)
        self.theta_, self.covariance_ = theta, _inverse(H) / n.sum()
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Give the probability of a click of each row of X (N, d), (N,)."""
        if not hasattr(self, "theta_"):
            raise UsageError("LogisticRegression has not been fitted; call fit(X, y) first")
        if isinstance(X, pd.DataFrame) and self.names_[1:2] != ["x0"]:
            absent = [c for c in self.names_[1:] if c not in X.columns]
            if absent:
                raise UsageError(f"the frame has no column {absent[0]!r}; {nearest(absent[0], map(str, X.columns))}")
            X = X[self.names_[1:]]
        A, names = _design(X)
        if len(names) != len(self.names_):
            raise UsageError(f"X has {len(names) - 1} columns; the model was fitted on {len(self.names_) - 1}")
        return sigmoid(A @ self.theta_)

    def intervals(self, level: float = 0.95, *, dispersion: float = 1.0) -> pd.DataFrame:
        """Give θ with Wald's intervals θ_j ± z_{(1+level)/2} √(φ C_jj): columns term, theta, error, low, high.

        With `reg` above 0 they are those of a normal prior N(0, 1/(nλ)), shrunk towards 0 with θ. φ is `dispersion`
        (`pooling.dispersion`): above 1 where counts scatter more than a binomial's.
        """
        if not 0 < level < 1:
            raise UsageError(f"level={level} must lie between 0 and 1; 0.95 is usual")
        error = np.sqrt(dispersion * np.diag(self.covariance_))
        z = norm.ppf((1 + level) / 2)
        columns = {
            "theta": self.theta_,
            "error": error,
            "low": self.theta_ - z * error,
            "high": self.theta_ + z * error,
        }
        return pd.DataFrame({"term": self.names_} | columns)

    def odds_ratios(self, level: float = 0.95, *, dispersion: float = 1.0) -> pd.DataFrame:
        """Give exp(θ_j): by what the odds p/(1-p) are multiplied when column j grows by 1; without the intercept."""
        table = self.intervals(level, dispersion=dispersion).iloc[1:].reset_index(drop=True)
        ratios = {"odds_ratio": table["theta"], "low": table["low"], "high": table["high"]}
        return pd.DataFrame({"term": table["term"]} | {name: np.exp(column) for name, column in ratios.items()})

    def _minimise(self, X: Any, y: Floats, n: Floats, theta: Floats) -> Floats:
        """Go down from `theta` until the gradient, in units of its column, is small; keep every J on the way."""
        scale = np.asarray(abs(X).max(axis=0).toarray() if sparse.issparse(X) else np.abs(X).max(axis=0)).ravel()
        L = _largest_eigenvalue(X, n) / 4 + self.reg if self.method == "gradient-descent" else 0.0
        self.losses_, self.converged_ = [self._loss(X, y, n, theta)], False
        for _ in range(self.max_steps):
            g = self._gradient(X, y, n, theta)
            if (np.abs(g) <= self.tolerance * np.maximum(scale, 1e-300)).all():
                self.converged_ = True
                break
            step = g / L if L else _solve(self._hessian(X, n, theta), g)
            t, before = 1.0, self.losses_[-1]
            while (after := self._loss(X, y, n, theta - t * step)) > before and t > 1e-10:
                t /= 2
            if after > before or not np.isfinite(step).all():  # no way down that float64 can see
                self.converged_ = bool((np.abs(g) <= 1e-7 * scale).all())
                break
            theta = theta - t * step
            self.losses_.append(after)
        return theta

    def _loss(self, X: Any, y: Floats, n: Floats, theta: Floats) -> float:
        """Give J(θ)."""
        z = X @ theta
        return float(-(y @ log_sigmoid(z) + (n - y) @ log_sigmoid(-z)) / n.sum() + self.reg / 2 * theta[1:] @ theta[1:])

    def _gradient(self, X: Any, y: Floats, n: Floats, theta: Floats) -> Floats:
        """Give g = Xᵀ(n_i p - y)/n + λθ, (d + 1,)."""
        g = X.T @ (n * sigmoid(X @ theta) - y) / n.sum()
        g[1:] += self.reg * theta[1:]
        return cast(Floats, g)

    def _hessian(self, X: Any, n: Floats, theta: Floats) -> Floats:
        """Give H = XᵀWX/n + λI, (d + 1, d + 1)."""
        p = sigmoid(X @ theta)
        w = n * p * sigmoid(-(X @ theta))
        WX = X.multiply(w[:, None]).tocsr() if sparse.issparse(X) else X * w[:, None]
        H = X.T @ WX
        H = np.asarray(H.toarray() if sparse.issparse(H) else H) / n.sum()
        H[np.arange(1, len(H)), np.arange(1, len(H))] += self.reg
        return H


def _design(X: Any) -> tuple[Any, list[str]]:
    """Give (N, d + 1) with the ones of the intercept first, dense or CSR, and the columns' names."""
    names = [str(c) for c in X.columns] if isinstance(X, pd.DataFrame) else []
    try:
        A = sparse.csr_array(X, dtype=float) if sparse.issparse(X) else np.asarray(X, dtype=float)
    except (TypeError, ValueError):
        raise UsageError("X must hold numbers: encode texts and categories first, one column each") from None
    if A.ndim != 2 or not A.shape[0]:
        raise UsageError(f"X of shape {A.shape} must be a table with rows: (N, d)")
    names = ["intercept", *(names or [f"x{j}" for j in range(A.shape[1])])]
    values = A.data if sparse.issparse(A) else A
    if not np.isfinite(values).all():
        rows, columns = sparse.coo_array(A).coords
        wrong = np.flatnonzero(~np.isfinite(sparse.coo_array(A).data))
        r, j, value = rows[wrong[0]], columns[wrong[0]], sparse.coo_array(A).data[wrong[0]]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"row {r}, column {names[j + 1]!r}: {value} is not finite; fill or drop it{more}")
    ones = np.ones((A.shape[0], 1))
    return (sparse.hstack([ones, A], format="csr") if sparse.issparse(A) else np.hstack([ones, A])), names


def _counts(y: ArrayLike, impressions: ArrayLike | None, n_rows: int) -> tuple[Floats, Floats]:
    """Give clicks and impressions of each row, (N,) each."""
    clicks = np.asarray(y, dtype=float)
    n = np.ones(n_rows) if impressions is None else np.asarray(impressions, dtype=float)
    if not clicks.shape == n.shape == (n_rows,):
        given = "" if impressions is None else f" and impressions of {n.shape}"
        raise UsageError(f"X has {n_rows} rows; clicks of shape {clicks.shape}{given} do not fit")
    wrong = np.flatnonzero(~((clicks >= 0) & (clicks <= n) & np.isfinite(n) & (clicks % 1 == 0)))
    if len(wrong):
        i, more = wrong[0], f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        rule = (
            "must be 0 or 1" if impressions is None else f"must be a whole number from 0 to its impressions, {n[i]:g}"
        )
        raise UsageError(f"row {i}: click {clicks[i]:g} {rule}{more}")
    if not 0 < clicks.sum() < n.sum():
        label = int(clicks.sum() > 0)
        raise UsageError(f"all {n.sum():g} labels are {label}: there is nothing to tell apart")
    return clicks, n


def _need_independent(X: Any, names: list[str]) -> None:
    """Refuse columns that are constant or combinations of others: θ would not be unique."""
    G = X.T @ X
    G = np.asarray(G.toarray() if sparse.issparse(G) else G)  # (d + 1, d + 1)
    size = np.sqrt(np.diag(G))
    if (size == 0).any():
        raise UsageError(f"column {names[int(np.argmin(size))]!r} is 0 in every row; drop it or give reg above 0")
    R, order = linalg.qr(G / np.outer(size, size), mode="r", pivoting=True)
    rank = int((np.abs(np.diag(R)) > 1e-10).sum())
    if rank == len(names):
        return
    parts = linalg.solve_triangular(R[:rank, :rank], R[:rank, rank])  # the column order[rank] from those before
    involved = sorted([order[rank], *order[:rank][np.abs(parts) > 1e-6]])
    if involved[0] == 0 and len(involved) == 2:
        column = names[involved[1]]
        raise UsageError(f"column {column!r} is constant, as the intercept is; drop it or give reg above 0")
    listed = shorten(", ".join(repr(names[j]) for j in involved), 200)
    raise UsageError(f"the columns {listed} depend on each other; drop one (a reference level) or give reg above 0")


def _need_overlap(X: Any, theta: Floats, step: Floats, names: list[str]) -> None:
    """Refuse separated data: there the Newton step never shrinks, and drives rows that are certain further.

    At a minimum the step is 0. Where a combination of columns tells clicks from the rest, logits grow by about
    1 in each step, for ever (Albert & Anderson 1984).
    """
    z, dz = X @ theta, X @ step  # the next step goes from z to z - dz
    certain = (np.abs(z) > 7) & (-dz * np.sign(z) > 0.5)
    if not certain.any():
        return
    spread = np.sqrt(np.asarray((X**2).mean(axis=0)).ravel())
    pull = (np.abs(step) * spread)[1:]
    guilty = [names[j + 1] for j in np.argsort(-pull, kind="stable") if pull[j] > 0.2 * pull.max()]
    listed = shorten(", ".join(map(repr, guilty)), 200)
    which = f"column {listed} separates" if len(guilty) == 1 else f"the columns {listed} together separate"
    raise UsageError(
        f"{which} clicks from the rest ({certain.sum()} rows are certain), so θ grows without end; "
        "give reg above 0, or merge rare values"
    )


def _solve(H: Floats, g: Floats) -> Floats:
    """Give H⁻¹g; where rounding made H singular, the shortest solution."""
    try:
        return cast(Floats, linalg.cho_solve(linalg.cho_factor(H), g))
    except linalg.LinAlgError:
        return cast(Floats, linalg.lstsq(H, g)[0])


def _inverse(H: Floats) -> Floats:
    """Give H⁻¹, scaled to a unit diagonal on the way, so that units of the columns do not matter."""
    s = np.sqrt(np.diag(H))
    return cast(Floats, linalg.inv(H / np.outer(s, s)) / np.outer(s, s))


def _largest_eigenvalue(X: Any, n: Floats) -> float:
    """Give λ_max(Xᵀ diag(n_i) X)/n, for the step of gradient descent: σ(1-σ) ≤ ¼."""
    root = np.sqrt(n / n.sum())[:, None]
    A = X.multiply(root).tocsr() if sparse.issparse(X) else X * root
    G = A.T @ A
    G = np.asarray(G.toarray() if sparse.issparse(G) else G)
    return float(linalg.eigvalsh(G, subset_by_index=[len(G) - 1, len(G) - 1])[0])
