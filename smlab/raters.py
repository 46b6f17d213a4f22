"""Which rating will it be? The family's contract, and the floors that need hardly any learning.

A rater learns from a sparse matrix of ratings (0 where unknown) and predicts pairs of user and item:

    Mean      r̂_ui = μ, r̄_u or r̄_i         what to beat
    Biases    r̂_ui = μ + b_u + b_i           who is strict and what is good, but nobody's taste

The user -1 and the item -1 are those of whom nothing is known, as `Vocab.encode(…, strict=False)` numbers them;
a model answers them, and rows without ratings, with what holds for people and things at large.
"""

from __future__ import annotations

from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest
from smlab.ranking import checked, rows_of
from smlab.similarity import coordinate, means, ratio

Floats = NDArray[np.float64]
By = Literal["all", "user", "item"]


class Rater:
    """Check what comes in, and keep what goes out on the scale of the ratings in `fit`."""

    X_: sparse.csr_array  # (n_users + 1, n_items + 1), the last row and column empty: -1 is their number too
    mean_: float
    scale_: tuple[float, float]

    def predict(self, users: ArrayLike, items: ArrayLike) -> Floats:
        """Predict the ratings of pairs, (n,): user `users[j]` with item `items[j]`, -1 for an unknown one."""
        return np.clip(self._expect(*self._pairs(users, items)), *self.scale_)

    def _expect(self, u: NDArray[np.int64], i: NDArray[np.int64]) -> Floats:
        """Give the expected ratings before they are cut to the scale; each model says how."""
        raise NotImplementedError

    def _start(self, user_items: object) -> sparse.csr_array:
        X = checked(user_items)
        if X.nnz == 0:
            raise UsageError(f"user_items of shape {X.shape} is empty; there is nothing to learn from")
        indptr = np.append(X.indptr, X.indptr[-1])
        shape = (X.shape[0] + 1, X.shape[1] + 1)
        self.X_ = sparse.csr_array((X.data.astype(np.float64), X.indices, indptr), shape=shape)
        self.mean_ = float(self.X_.data.mean())
        self.scale_ = float(X.data.min()), float(X.data.max())
        return self.X_

    def _pairs(self, users: ArrayLike, items: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not hasattr(self, "X_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(user_items) first")
        u, i = (_rows(*part) for part in (("user", users, self.X_.shape[0]), ("item", items, self.X_.shape[1])))
        if len(u) != len(i):
            raise UsageError(f"predict takes pairs, one item for each user; given are {len(u)} and {len(i)}")
        return u, i


class Mean(Rater):
    """Predict the mean rating: of all, of the user, or of the item; that of all where the other has none.

    >>> X = sparse.csr_array([[5, 0, 2], [3, 4, 0]])
    >>> Mean(by="item").fit(X).predict([0, 1, -1], [0, 2, -1])
    array([4. , 2. , 3.5])
    """

    def __init__(self, *, by: By = "item") -> None:
        if by not in get_args(By):
            raise UsageError(f"by={by!r} is not known; {nearest(str(by), get_args(By))}")
        self.by = by

    def fit(self, user_items: object) -> Self:
        """Average the ratings `user_items` (n_users, n_items)."""
        X = self._start(user_items)
        self.user_bias_, self.item_bias_ = (np.zeros(n) for n in X.shape)
        if self.by == "user":
            self.user_bias_ = np.where(np.diff(X.indptr) > 0, means(X, axis=1) - self.mean_, 0.0)
        elif self.by == "item":
            known = np.bincount(X.indices, minlength=X.shape[1]) > 0
            self.item_bias_ = np.where(known, means(X, axis=0) - self.mean_, 0.0)
        return self

    def _expect(self, u: NDArray[np.int64], i: NDArray[np.int64]) -> Floats:
        return self.mean_ + self.user_bias_[u] + self.item_bias_[i]


class Biases(Rater):
    """Predict μ + b_u + b_i: how this user and this item are rated, whatever the taste.

    min Σ_ui (r_ui - μ - b_u - b_i)² + λ_U Σ b_u² + λ_I Σ b_i² by turns: Koren (2008), sec. 2.1,

        b_i = Σ_u (r_ui - μ - b_u) / (λ_I + n_i),    b_u = Σ_i (r_ui - μ - b_i) / (λ_U + n_u)

    The defaults are those of Surprise's BaselineOnly, .944 in its published benchmark on MovieLens 100K.

    Parameters
    ----------
    reg_user, reg_item : λ_U and λ_I, in ratings: a user of λ_U ratings moves half of the way
    epochs : turns

    >>> X = sparse.csr_array([[5, 4, 0], [2, 1, 2]])
    >>> Biases(reg_user=1, reg_item=1).fit(X).predict([0, -1], [2, -1]).round(2)
    array([3.94, 2.8 ])
    """

    def __init__(self, *, reg_user: float = 15.0, reg_item: float = 10.0, epochs: int = 10) -> None:
        need_positive(reg_user=reg_user, reg_item=reg_item)
        need_counts(epochs=epochs)
        self.reg_user, self.reg_item, self.epochs = reg_user, reg_item, epochs

    def fit(self, user_items: object) -> Self:
        """Learn the biases from the ratings `user_items` (n_users, n_items)."""
        X = self._start(user_items)
        u, i, r = coordinate(X, axis=1), X.indices, X.data - self.mean_
        n_u, n_i = (np.bincount(at, minlength=n) for at, n in zip((u, i), X.shape, strict=True))
        b_u = np.zeros(X.shape[0])
        for _ in range(self.epochs):
            b_i = ratio(np.bincount(i, r - b_u[u], minlength=X.shape[1]), self.reg_item + n_i)
            b_u = ratio(np.bincount(u, r - b_i[i], minlength=X.shape[0]), self.reg_user + n_u)
        self.user_bias_, self.item_bias_ = b_u, b_i
        return self

    def _expect(self, u: NDArray[np.int64], i: NDArray[np.int64]) -> Floats:
        return self.mean_ + self.user_bias_[u] + self.item_bias_[i]


def need_positive(**values: float) -> None:
    """Refuse a hyper-parameter that is not finite and above 0."""
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise UsageError(f"{name}={value} must be finite and above 0")


def need_counts(**values: int) -> None:
    """Refuse a hyper-parameter that is no whole number above 0."""
    for name, value in values.items():
        if not (isinstance(value, int | np.integer) and value >= 1):
            raise UsageError(f"{name}={value!r} must be a whole number above 0")


def _rows(name: str, numbers: ArrayLike, size: int) -> NDArray[np.int64]:
    """Give the numbers as rows of a matrix whose last one stands for -1, the unknown."""
    rows = np.atleast_1d(np.asarray(numbers))
    if rows.ndim != 1 or rows.dtype.kind != "i":
        return rows_of(name, numbers, size - 1)  # says what is wrong, or takes an empty list or unsigned numbers
    rows_of(name, rows[rows != -1], size - 1)
    return np.where(rows == -1, size - 1, rows).astype(np.int64)
