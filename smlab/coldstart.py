"""A new item that nobody has: recommend it by what it is, its genres and its year. And new users, to test with.

A linear model gives an item i a column w_i of W, what every other item says for it. A new item has none, so learn how
the columns of known items follow from their features f_i (n_items, D) by ridge regression, and read off the rest:

    min_A Σ_{i known} ‖w_i - Aᵀf_i‖² + λ‖A‖²,    A = (FᵀF + λI)⁻¹FᵀWᵀ,    w_new = Aᵀf_new

Gantner et al. (2010), "Learning attribute-to-feature mappings for cold-start recommendations", map to the factors of
a factorization. The score stays a sum over what the user has, so it keeps its reasons. A new user needs no such
layer: give `recommend(user_items=…)` the few things that are known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from smlab.checks import UsageError
from smlab.neighbors import EASE
from smlab.ranking import ItemItem, checked


class NewItems(ItemItem):
    """Give items without users the weights that their features suggest; the others keep the model's own.

    Parameters
    ----------
    model : whose W is taken and continued, not yet fitted; EASE where not given
    reg : λ > 0, in items: a feature that few items have says little

    >>> X = sparse.csr_array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]])
    >>> genres = sparse.csr_array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])  # item 4 is new
    >>> NewItems(EASE(reg=1), reg=0.1).fit(X, genres).scores()[:, 4].round(1)
    array([0. , 0. , 0.6, 0.6])
    """

    def __init__(self, model: ItemItem | None = None, *, reg: float = 10.0) -> None:
        if not 0 < reg < np.inf:
            raise UsageError(f"reg={reg} must be finite and above 0")
        self.model, self.reg = model or EASE(), reg

    def fit(self, user_items: Any, item_features: Any) -> NewItems:
        """Learn W from `user_items` (n_users, n_items) and A from `item_features` (n_items, D).

        A new item is a column of `user_items` in which nobody has anything.

        Raises
        ------
        UsageError
            If there is not one row of features for each item.
        """
        X = self._start(user_items)
        F = np.asarray(item_features.toarray() if sparse.issparse(item_features) else item_features, dtype=float)
        if F.ndim != 2 or len(F) != X.shape[1]:
            raise UsageError(f"item_features has shape {F.shape}; needed is one row for each of {X.shape[1]} items")
        F = np.column_stack([F, np.ones(len(F))])  # what holds for every item
        known = self.counts_ > 0
        W = self.model.fit(X).W_  # type: ignore[attr-defined]
        self.W_ = W.toarray() if sparse.issparse(W) else W.copy()
        gram = F[known].T @ F[known] + self.reg * np.eye(F.shape[1])
        self.A_ = np.linalg.solve(gram, F[known].T @ self.W_[:, known].T)  # (D + 1, n_items)
        self.W_[:, ~known] = (F[~known] @ self.A_).T
        self.counts_ = np.maximum(self.counts_, 1)  # so that new items may be listed
        return self


def some_likes(user_items: Any, start: int, stop: int | None, *, seed: int = 0) -> sparse.csr_array:
    """Keep of each user what stands at the places start to stop - 1 of a random order of what they have.

    The order depends on the matrix and the seed only, so 0 to 2 is part of 0 to 5, and 5 to the end shares nothing
    with it: the first are what a newcomer shows, the others what is held out.

    >>> X = sparse.csr_array([[1, 1, 1, 0], [0, 1, 0, 1]])
    >>> [int(some_likes(X, *cut).nnz) for cut in [(0, 1), (0, 2), (2, None)]]
    [2, 4, 1]
    """
    X = checked(user_items)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    place = np.empty(X.nnz, np.int64)
    order = np.lexsort((np.random.default_rng(seed).random(X.nnz), rows))
    place[order] = np.arange(X.nnz) - X.indptr[rows[order]]
    kept = (place >= start) & (place < (X.nnz if stop is None else stop))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=X.shape[0]))])
    return sparse.csr_array((X.data[kept], X.indices[kept], indptr), shape=X.shape)
