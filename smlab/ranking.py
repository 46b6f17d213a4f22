"""From scores to lists: what every recommender shares, and the ties and gaps that are easy to get wrong.

A model brings `fit`, `scores` and `explain`; `Ranker` makes the lists. `ItemItem` is the family whose score
is linear in what the user has, s_u = x_u W, so that every score is a sum of reasons.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError

Floats = NDArray[np.float64]
Reasons = list[tuple[int, float]]


class Ranker:
    """Make lists from scores.

    Of equal scores the item that more users have comes first, then the lower number. So a user of whom
    nothing is known gets the popular items. An item that nobody had in `fit` is never listed.
    """

    X_: sparse.csr_array  # (n_users, n_items)
    counts_: NDArray[np.int64]  # (n_items,) users who have the item

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give the scores of all items, (n, n_items); each model says how."""
        raise NotImplementedError

    def recommend(
        self,
        users: ArrayLike | None = None,
        *,
        k: int = 10,
        user_items: Any = None,
        exclude_seen: bool = True,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """List the k best items of each user.

        Parameters
        ----------
        users : rows of the matrix, (n,); all of them where None
        k : length of a list
        user_items : (any, n_items), what these users have, where it is not what they had in `fit`: new users,
            and known ones with new choices, need no new fit
        exclude_seen : leave out what the user has already

        Returns
        -------
        items, scores : both (n, k), best first; -1 and NaN where fewer than k items are left
        """
        if k < 1:
            raise UsageError(f"k={k}: at least one item has to be asked for")
        X, rows = self._profiles(users, user_items)
        by_count = np.argsort(-self.counts_, kind="stable")
        candidates = by_count[self.counts_[by_count] > 0]
        items = np.full((len(rows), k), -1, dtype=np.int64)
        values = np.full((len(rows), k), np.nan, dtype=np.float32)
        for block in blocks(len(rows), X.shape[1]):
            s = self.scores(rows[block], user_items=None if user_items is None else X)  # (b, n_items)
            # float32, so that the last bits of float64, which differ between machines, decide no tie
            s = s.astype(np.float32)
            if exclude_seen:
                s[X[rows[block]].nonzero()] = -np.inf
            s = s[:, candidates]
            best = top_k(s, k)  # (b, <= k), places among the candidates
            found = np.take_along_axis(s, best, axis=1)
            items[block, : best.shape[1]] = np.where(np.isfinite(found), candidates[best], -1)
            values[block, : best.shape[1]] = np.where(np.isfinite(found), found, np.nan)
        return items, values

    def _start(self, user_items: Any) -> sparse.csr_array:
        X = checked(user_items)
        if X.nnz == 0:
            raise UsageError(f"user_items of shape {X.shape} is empty; there is nothing to learn from")
        self.X_, self.counts_ = X, np.bincount(X.indices, minlength=X.shape[1])
        return X

    def _profiles(self, users: ArrayLike | None, user_items: Any) -> tuple[sparse.csr_array, NDArray[np.int64]]:
        """Give the matrix that says what users have, and the rows of it that are asked for."""
        if not hasattr(self, "X_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(user_items) first")
        X = self.X_ if user_items is None else checked(user_items)
        if X.shape[1] != self.X_.shape[1]:
            raise UsageError(f"user_items has {X.shape[1]} items; the model was fitted on {self.X_.shape[1]}")
        return X, np.arange(X.shape[0]) if users is None else rows_of("user", users, X.shape[0])


class ItemItem(Ranker):
    """Score by s_u = x_u W with a learnt matrix W (n_items, n_items): W_ji is what having j says for i."""

    W_: Any  # dense or sparse, its diagonal 0

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give x_u W of each user, (n, n_items); what the user has is scored too."""
        X, rows = self._profiles(users, user_items)
        s = X[rows].astype(np.float64) @ self.W_
        return cast(Floats, s.toarray() if sparse.issparse(s) else s)

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> Reasons:
        """Give the user's items j with what each adds, x_uj W_ji, largest first; together the score."""
        X, rows = self._profiles(user, user_items)
        i = rows_of("item", item, X.shape[1])
        x_u = X[rows]  # (1, n_items)
        w = np.asarray(self.W_[x_u.indices, np.repeat(i, x_u.nnz)], dtype=float)
        return largest(x_u.indices, x_u.data * w, n)

    def similar_items(self, item: int, n: int = 10) -> Reasons:
        """Give the items j with W_ji > 0, those whose possession says most for `item`, largest first."""
        w = self.W_[:, rows_of("item", item, self.X_.shape[1])]
        w = np.asarray(w.toarray() if sparse.issparse(w) else w, dtype=float).ravel()
        return largest(np.arange(len(w)), np.maximum(w, 0), n)


def top_k(scores: NDArray, k: int) -> NDArray[np.int64]:
    """Give the columns of the k largest scores of each row, (n, min(k, m)), largest first.

    Exact where scores tie: the lower column wins. `argpartition` alone keeps an arbitrary one of those that
    tie with the k-th, so here a partition only finds how large the k-th is.

    >>> top_k(np.array([[1, 3, 3, 2, 3]]), k=2)
    array([[1, 2]])
    """
    n, m = scores.shape
    if k >= m:
        return np.argsort(-scores, axis=1, kind="stable")
    kth = np.partition(scores, m - k, axis=1)[:, m - k, None]  # (n, 1)
    above, ties = scores > kth, scores == kth
    ties &= np.cumsum(ties, axis=1) <= k - above.sum(axis=1, keepdims=True)
    columns = np.nonzero(above | ties)[1].reshape(n, k)  # k in every row, in order of column
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def largest(names: NDArray, values: NDArray, n: int | None) -> Reasons:
    """Pair names with values other than 0, the n largest values first, of equal ones the lower name."""
    order = np.lexsort((names, -values))
    return [(int(names[p]), float(values[p])) for p in order[values[order] != 0][:n]]


def checked(user_items: Any) -> sparse.csr_array:
    """Give the matrix in canonical form (a copy where it is not), or say which entry is wrong."""
    if not sparse.issparse(user_items) or user_items.ndim != 2:
        raise UsageError(f"user_items must be a sparse matrix, not {type(user_items).__name__}: use to_csr")
    X = sparse.csr_array(user_items)
    if not X.has_canonical_format or (X.data == 0).any():
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    wrong = np.flatnonzero(~(np.isfinite(X.data) & (X.data > 0)))
    if len(wrong):
        row = np.searchsorted(X.indptr, wrong[0], side="right") - 1
        rest = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        value = f"user_items[{row}, {X.indices[wrong[0]]}] is {X.data[wrong[0]]:g}"
        raise UsageError(f"{value}; a value must be finite and above 0, where 0 means unknown{rest}")
    return X


def rows_of(name: str, numbers: ArrayLike, size: int) -> NDArray[np.int64]:
    """Give the numbers as an array (n,), or say which one lies outside 0..size-1."""
    rows = np.atleast_1d(np.asarray(numbers))
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise UsageError(f"{name}s are given by their whole numbers in one list, not as {rows.dtype} {rows.shape}")
    wrong = rows[(rows < 0) | (rows >= size)]
    if len(wrong):
        raise UsageError(f"{name} {wrong[0]} is outside 0..{size - 1}")
    return rows.astype(np.int64)


def blocks(n: int, width: int) -> list[slice]:
    """Cut n rows into slices whose dense block of `width` columns takes at most 16 MB in float64."""
    step = max(1, 2_000_000 // max(width, 1))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
