"""Ridge regression on the graph of users and items, with popular nodes toned down: a low-pass graph filter.

    X̃ = D_u^-α X D_i^-β,   G = X̃ᵀX̃,   s_u = x_u D_i^-β · (G + λI)⁻¹G · D_i^γ

X (n_users, n_items), D_u and D_i the sums of its rows and columns. (G + λI)⁻¹G minimises ‖X̃ - X̃B‖² + λ‖B‖²; along
an eigenvector of G with eigenvalue σ² it passes σ²/(σ² + λ), so it keeps what many share and drops what few do.
For λ → ∞ it becomes G/λ, walks of three steps user → item → user → item: with powers of the degrees these are
LinkProp (Fu et al. 2022) and RP³β (Paudel et al. 2017), with α = β = ½ the linear filter of GF-CF (Shen et al.
2021). EASE (Steck 2019) is the regression with α = β = γ = 0 and a diagonal of 0; here the powers, chosen on
validation data, do more than the diagonal does.

Few items: one Cholesky factorization. Many: conjugate gradients for the users asked for, with products by sparse X̃
only, so 41,000 items need some MB and not the 13 GB of G. Left out: ideal low-pass filters, which cut at a σ.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse

from smlab.checks import UsageError
from smlab.ranking import Floats, ItemItem, Reasons, largest, rows_of
from smlab.similarity import coordinate, with_values

DENSE = 8_000  # up to so many items G is kept: 0.5 GB
MOST_STEPS, TINY = 500, np.float32(1e-30)
TOGETHER = 24  # users solved for at once: their vectors stay in a processor's cache


class GraphRidge(ItemItem):
    """Score by ridge regression between degree-normalised items: formula in the module's docstring.

    Parameters
    ----------
    reg : λ > 0
    alpha, beta : α and β, how much users of many items and items of many users are toned down
    gamma : γ, how much of their popularity the items get back; less than β favours rarer ones
    tolerance : of conjugate gradients, the residual in parts of the right-hand side

    >>> X = sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    >>> GraphRidge(reg=1).fit(X).recommend([3], k=1)[0]
    array([[1]])
    """

    def __init__(
        self,
        *,
        reg: float = 10.0,
        alpha: float = 0.25,
        beta: float = 0.25,
        gamma: float = 0.2,
        tolerance: float = 1e-5,
    ) -> None:
        for name, value in (("reg", reg), ("tolerance", tolerance)):
            if not 0 < value < np.inf:
                raise UsageError(f"{name}={value} must be finite and above 0")
        for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name}={value} must lie between 0 and 1, the power of a degree")
        self.reg, self.alpha, self.beta, self.gamma, self.tolerance = reg, alpha, beta, gamma, tolerance

    def fit(self, user_items: Any) -> GraphRidge:
        """Normalise `user_items` (n_users, n_items), which stays as it is, and with few items solve."""
        X = self._start(user_items)
        users, items = (np.asarray(X.sum(axis=a, dtype=np.float64)) for a in (1, 0))
        items = np.where(items > 0, items, 1)
        self.in_, self.out_ = items**-self.beta, items**self.gamma  # (n_items,) each
        weight = users[coordinate(X, axis=1)] ** -self.alpha * self.in_[X.indices]
        normal = with_values(X, X.data * weight)  # X̃
        if X.shape[1] <= DENSE:
            G = (normal.T @ normal).toarray()
            A = G + self.reg * np.eye(len(G))
            self.W_ = self.in_[:, None] * linalg.solve(A, G, assume_a="pos", overwrite_a=True) * self.out_
        else:
            self.normal_ = normal.astype(np.float32)
            self.back_ = sparse.csr_array(self.normal_.T)
        return self

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give the scores of all items, (n, n_items); what the user has counts for itself too."""
        if hasattr(self, "W_"):
            return super().scores(users, user_items=user_items)
        X, rows = self._profiles(users, user_items)
        return self._filtered(X[rows].astype(np.float64)) * self.out_

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> Reasons:
        """Give the user's items j with what each adds, x_uj W_ji, largest first; together the score."""
        X, rows = self._profiles(user, user_items)
        x_u = X[rows]
        return largest(x_u.indices, x_u.data * self._column(item)[x_u.indices], n)

    def similar_items(self, item: int, n: int = 10) -> Reasons:
        """Give the items j with W_ji > 0, those whose possession says most for `item`, largest first."""
        w = np.maximum(self._column(item), 0)
        w[item] = 0
        return largest(np.arange(len(w)), w, n)

    def _column(self, item: int) -> Floats:
        """Give W_ji for all j, (n_items,)."""
        (i,) = rows_of("item", item, self.X_.shape[1])
        if hasattr(self, "W_"):
            return cast(Floats, self.W_[:, i])
        one = sparse.csr_array(([1 / self.in_[i]], ([0], [i])), shape=(1, len(self.in_)))
        return self.in_ * self._filtered(one)[0] * self.out_[i]  # without D_i^±: symmetric, so its row will do

    def _filtered(self, V: sparse.csr_array) -> Floats:
        """Give V D_i^-β (G + λI)⁻¹G, (n, n_items), some rows at a time, on all processors."""
        V = with_values(V, V.data * self.in_[V.indices])
        parts = [slice(start, start + TOGETHER) for start in range(0, V.shape[0], TOGETHER)]
        passed = np.empty(V.shape)

        def solve(part: slice) -> None:
            v = V[part].toarray()
            passed[part] = v - self.reg * self._solved(v.T.astype(np.float32)).T  # (G + λ)⁻¹G = I - λ(G + λ)⁻¹

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(solve, parts))
        return passed

    def _solved(self, B: NDArray[np.float32]) -> NDArray[np.float32]:
        """Solve (G + λI) Y = B, (n_items, b), by conjugate gradients; each column stops by itself."""
        Y, R, P = np.zeros_like(B), B.copy(), B.copy()
        rr = (R * R).sum(axis=0)  # (b,)
        goal = self.tolerance**2 * rr
        for _ in range(MOST_STEPS):
            going = rr > goal
            if not going.any():
                break
            Q = self.back_ @ (self.normal_ @ P) + np.float32(self.reg) * P
            a = np.where(going, rr / np.maximum((P * Q).sum(axis=0), TINY), 0).astype(np.float32)
            Y += a * P
            R -= a * Q
            before, rr = rr, (R * R).sum(axis=0)
            P = R + (rr / np.maximum(before, TINY)) * P
        return Y
