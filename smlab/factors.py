"""Matrix factorization of ratings: a taste for every user, a character for every item, and a bias for both.

    r̂_ui = μ + b_u + b_i + p_u·q_i        Koren, Bell & Volinsky (2009), eq. 4; F factors

    BiasedMF    by stochastic gradient descent, a little step for each rating: Funk (2006)
    ALS         by alternating least squares, exact for one side at a time: Zhou et al. (2008)

Both need the right λ and the right number of epochs; `bayes_factors` averages over what a point estimate has to
choose. Left out: time, and anything known of users and items beyond the ratings.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smlab.checks import UsageError
from smlab.leastsquares import design, expected, grams, less_bias, solve
from smlab.ranking import blocks
from smlab.raters import Rater, need_counts, need_positive
from smlab.similarity import coordinate

Floats = NDArray[np.float64]


class _Factors(Rater):
    """Predict μ + b_u + b_i + p_u·q_i from learnt vectors."""

    U_: Floats  # (n_users + 1, F + 1): p_u, b_u
    V_: Floats  # (n_items + 1, F + 1): q_i, b_i

    def _expect(self, u: NDArray[np.int64], i: NDArray[np.int64]) -> Floats:
        return expected(self.mean_, self.U_[u], self.V_[i])


class BiasedMF(_Factors):
    """Factorize by stochastic gradient descent.

    Down the gradient of Koren, Bell & Volinsky (2009), eq. 5, for each rating with e_ui = r_ui - r̂_ui

        b_u ← b_u + γ(e_ui - λ b_u)        p_u ← p_u + γ(e_ui q_i - λ p_u)        and b_i, q_i alike

    The ratings come in small batches whose steps are added up: to first order in γ the same as one after the
    other, and a matrix product instead of a loop. An empty row keeps no taste: p_u = 0 and b_u = 0.

    Parameters
    ----------
    n_factors, epochs, learning_rate, reg, seed : F, passes over the ratings, γ, λ, and the order and the start
    batch_size : ratings of a step

    >>> X = sparse.csr_array([[5, 0, 1], [5, 4, 1], [1, 2, 5], [1, 2, 0]])
    >>> r = BiasedMF(n_factors=2, epochs=300, learning_rate=0.05, reg=0.02).fit(X).predict([0, 3], [1, 2])
    >>> bool(r[0] > 3.4 and r[1] > 3.4)
    True
    """

    def __init__(
        self,
        *,
        n_factors: int = 100,
        epochs: int = 60,
        learning_rate: float = 0.01,
        reg: float = 0.1,
        batch_size: int = 1000,
        seed: int = 0,
    ) -> None:
        need_counts(n_factors=n_factors, epochs=epochs, batch_size=batch_size)
        need_positive(learning_rate=learning_rate, reg=reg)
        self.n_factors, self.epochs, self.learning_rate, self.reg = n_factors, epochs, learning_rate, reg
        self.batch_size, self.seed = batch_size, seed

    def fit(self, user_items: object) -> Self:
        """Learn from the ratings `user_items` (n_users, n_items), which stay as they are."""
        X = self._start(user_items)
        rng = np.random.default_rng(self.seed)
        u, i, r = coordinate(X, axis=1), X.indices, X.data
        self.U_, self.V_ = (_start_vectors(n, self.n_factors, rng) for n in X.shape)
        for _ in range(self.epochs):
            for batch in np.array_split(rng.permutation(X.nnz), -(-X.nnz // self.batch_size)):
                self._step(u[batch], i[batch], r[batch])
        for side, at in ((self.U_, u), (self.V_, i)):
            side[np.bincount(at, minlength=len(side)) == 0] = 0.0  # what no rating has moved is still chance
        if not (np.isfinite(self.U_).all() and np.isfinite(self.V_).all()):
            raise UsageError(f"learning_rate={self.learning_rate:g} is too large for these data: the factors diverged")
        return self

    def _step(self, u: NDArray, i: NDArray, r: Floats) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # `fit` says so if it happens
            rows, u = np.unique(u, return_inverse=True)  # only whom the batch names: a step costs what it moves
            columns, i = np.unique(i, return_inverse=True)
            U, V = self.U_[rows], self.V_[columns]
            E = sparse.csr_array((r - expected(self.mean_, U[u], V[i]), (u, i)), shape=(len(rows), len(columns)))
            n_u, n_i = (np.bincount(at)[:, None] for at in (u, i))
            self.U_[rows] += self.learning_rate * (E @ design(V) - self.reg * n_u * U)
            self.V_[columns] += self.learning_rate * (E.T @ design(U) - self.reg * n_i * V)


class ALS(_Factors):
    """Factorize by alternating least squares with weighted λ.

    min Σ_ui (r_ui - r̂_ui)² + λ(Σ_u n_u |a_u|² + Σ_i n_i |a_i|²) with a_u = (p_u, b_u), a_i = (q_i, b_i): Zhou et al.
    (2008), "ALS-WR", with biases as in Koren et al. (2009). With the items fixed it falls apart into one
    ridge regression for each user, in closed form:

        (Σ_i v_i v_iᵀ + λ n_u I) a_u = Σ_i v_i (r_ui - μ - b_i),    v_i = (q_i, 1)

    Parameters
    ----------
    n_factors, epochs, reg, seed : F, turns of both sides, λ, and the start

    >>> X = sparse.csr_array([[5, 0, 1], [5, 4, 1], [1, 2, 5], [1, 2, 0]])
    >>> ALS(n_factors=1, reg=0.02).fit(X).predict([0, 3], [1, 2]).round()
    array([4., 4.])
    """

    def __init__(self, *, n_factors: int = 32, epochs: int = 20, reg: float = 0.15, seed: int = 0) -> None:
        need_counts(n_factors=n_factors, epochs=epochs)
        need_positive(reg=reg)
        self.n_factors, self.epochs, self.reg, self.seed = n_factors, epochs, reg, seed

    def fit(self, user_items: object) -> Self:
        """Learn from the ratings `user_items` (n_users, n_items), which stay as they are."""
        X = self._start(user_items)
        rng = np.random.default_rng(self.seed)
        by_item = sparse.csr_array(X.T)
        self.V_ = _start_vectors(X.shape[1], self.n_factors, rng)
        for _ in range(self.epochs):
            self.U_ = self._half(X, self.V_)
            self.V_ = self._half(by_item, self.U_)
        return self

    def _half(self, X: sparse.csr_array, other: Floats) -> Floats:
        """Solve the regressions of all rows of X (n, m) on the other side's vectors (m, F + 1)."""
        V, T, n = design(other), less_bias(X, self.mean_, other), np.diff(X.indptr)
        a = np.zeros((len(n), V.shape[1]))
        for block in blocks(len(n), V.shape[1] ** 2):
            ridge = np.where(n[block] > 0, self.reg * n[block], 1.0)  # of an empty row: a = 0
            A = grams(T[block], V) + ridge[:, None, None] * np.eye(V.shape[1])
            a[block] = solve(A, T[block] @ V)
        return a


def _start_vectors(n: int, n_factors: int, rng: np.random.Generator) -> Floats:
    """Give small random factors with bias 0, (n, F + 1); all 0 would be a saddle that nothing leaves."""
    vectors = rng.normal(0, 0.1, (n, n_factors + 1))
    vectors[:, -1] = 0.0
    return vectors
