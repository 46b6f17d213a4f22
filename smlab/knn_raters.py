"""Predict a rating from those of the most similar users, or of the most similar items.

Let x be the user and y the item (by="user"), or x the item and y the user (by="item"). Over the k rows x' most
similar to x among those that have a rating of y,

    r̂_xy = b_xy + Σ_x' s_xx' (r_x'y - b_x'y) / Σ_x' s_xx'

    centre="mean"        b_xy = r̄_x               what x usually gets: Resnick et al. (1994)
    centre="baseline"    b_xy = μ + b_x + b_y      `raters.Biases`: Koren (2010), eq. 3

Only s > 0 take part. Where nobody similar rated y the sum is 0 and b_xy is the answer; a user or item without
ratings has b_x = 0, so what is left is that of the other, and in the end μ.

All similarities are found by products of sparse matrices, and all pairs of `predict` at once in blocks of about
equally many candidates: no loop over pairs. The n_x² similarities take 4 n_x² bytes, 1.6 GB for 20,000.
`neighbors` makes lists of what comes next; this file says which grade it will be.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest
from smlab.ranking import Reasons, largest
from smlab.raters import Biases, Floats, Mean, Rater, need_counts, need_positive
from smlab.similarity import coordinate, means, ratio, similarity, with_values

By = Literal["user", "item"]
Centre = Literal["mean", "baseline"]
Kind = Literal["cosine", "pearson", "adjusted-cosine", "pearson-baseline"]
CELLS = 100_000  # candidates of a block: they stay in a processor's cache
BLOCK = 2_000_000  # similarities of a block: 16 MB each of its sums
THREADS = min(4, os.cpu_count() or 1)


class KNN(Rater):
    """Predict from the k nearest users or items: formula in the module's docstring.

    With the same `by`, `k` and `shrinkage`, `KNN()` is Surprise's KNNBaseline with its pearson_baseline, and
    `KNN(centre="mean", similarity="pearson", shrinkage=0)` its KNNWithMeans with its pearson.

    Parameters
    ----------
    by : whose neighbours are asked, "user" or "item"
    similarity : "cosine", "pearson", "adjusted-cosine" as in `smlab.similarity`, or "pearson-baseline", the cosine
        of r - μ - b_u - b_i over common entries: Koren (2008), section 2.2
    centre : "mean" or "baseline"
    k : neighbours of a pair, from those who know y
    shrinkage : λ of n/(n + λ), n the number of common entries; of (n-1)/(n-1 + λ) for "pearson-baseline"
    reg_user, reg_item : of the baseline, as in `raters.Biases`

    Attributes
    ----------
    similarity_ : (n_x + 1, n_x + 1), float32, negative ones and the diagonal 0; the last row is that of -1
    floor_ : the rater that gives b_xy

    >>> X = sparse.csr_array([[5, 3, 2], [4, 2, 0], [1, 2, 5]])
    >>> KNN(by="user", centre="mean", similarity="pearson", shrinkage=0).fit(X).predict([1], [2]).round(2)
    array([1.67])
    """

    def __init__(
        self,
        *,
        by: By = "item",
        similarity: Kind = "pearson-baseline",
        centre: Centre = "baseline",
        k: int = 40,
        shrinkage: float = 100.0,
        reg_user: float = 15.0,
        reg_item: float = 10.0,
    ) -> None:
        for name, value, known in (("by", by, By), ("similarity", similarity, Kind), ("centre", centre, Centre)):
            if value not in get_args(known):
                raise UsageError(f"{name}={value!r} is not known; {nearest(str(value), get_args(known))}")
        if not 0 <= shrinkage < np.inf:
            raise UsageError(f"shrinkage={shrinkage} must be finite and 0 or more")
        need_counts(k=k)
        need_positive(reg_user=reg_user, reg_item=reg_item)
        self.by, self.similarity, self.centre, self.k, self.shrinkage = by, similarity, centre, k, shrinkage
        self.reg_user, self.reg_item = reg_user, reg_item

    def fit(self, user_items: object) -> Self:
        """Compare all users, or all items, of the ratings `user_items` (n_users, n_items)."""
        X = self._start(user_items)
        biases = Biases(reg_user=self.reg_user, reg_item=self.reg_item).fit(user_items)
        self.floor_: Rater = biases if self.centre == "baseline" else Mean(by=self.by).fit(user_items)
        self.left_ = self._rows(_less(X, self.floor_)).T.tocsr()  # (n_y, n_x): who rated y, and how far from b_xy
        seen = _less(X, biases) if self.similarity == "pearson-baseline" else X
        self.similarity_ = _similarities(self._rows(seen), self.similarity, self.shrinkage)
        return self

    def explain(self, user: int, item: int, n: int | None = None) -> Reasons:
        """Give the neighbours with what each adds, s (r - b) / Σ s, largest first: their sum is r̂ - b_xy uncut."""
        x, y = self._sides(*self._pairs(user, item))
        weight, left, near = _nearest(self.left_, self.similarity_, x, y, self.k)
        return largest(near[0], (weight * left)[0] / max(weight.sum(), 1e-30), n)

    def _expect(self, u: NDArray[np.int64], i: NDArray[np.int64]) -> Floats:
        r_hat, (x, y) = self.floor_._expect(u, i), self._sides(u, i)
        n = np.diff(self.left_.indptr)[y]  # candidates of each pair
        order = np.lexsort((y, n))[(n == 0).sum() :]  # of like length, those of one y together

        def add(p: NDArray[np.int64]) -> None:
            weight, left, _ = _nearest(self.left_, self.similarity_, x[p], y[p], self.k)
            r_hat[p] += ratio(np.einsum("pc,pc->p", weight, left), weight.sum(axis=1))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(add, np.split(order, np.flatnonzero(np.diff(np.cumsum(n[order]) // CELLS)) + 1)))
        return r_hat

    def _rows(self, X: sparse.csr_array) -> sparse.csr_array:
        return X if self.by == "user" else sparse.csr_array(X.T)

    def _sides(self, u: NDArray[np.int64], i: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return (u, i) if self.by == "user" else (i, u)


def _less(X: sparse.csr_array, floor: Rater) -> sparse.csr_array:
    """Give r - b of every rating in X."""
    return with_values(X, X.data - floor._expect(coordinate(X, axis=1), X.indices))


def _nearest(
    left: sparse.csr_array, S: NDArray[np.float32], x: NDArray, y: NDArray, k: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Give of pairs (b,) the similarity of every candidate, 0 beyond the k nearest, its r - b, and who it is.

    All (b, length); of tied candidates the lower numbers are nearer.
    """
    rows, local = np.unique(y, return_inverse=True)
    start, n = left.indptr[rows][:, None], np.diff(left.indptr)[rows][:, None]
    place = np.arange(n.max(initial=0))
    cell = np.minimum(start + place, max(left.nnz - 1, 0))
    near = np.where(place < n, left.indices[cell], len(S) - 1)[local]  # padded with -1's row: similarity 0
    s = S.ravel().take(x[:, None] * len(S) + near)
    if s.shape[1] > k:
        kth = np.partition(s, -k, axis=1)[:, -k, None]
        tied = np.flatnonzero(((s >= kth).sum(axis=1) > k) & (kth[:, 0] > 0))
        ties = s[tied] == kth[tied]
        spare = k - (s[tied] > kth[tied]).sum(axis=1, keepdims=True)
        s[s < kth] = 0
        s[tied] *= ~ties | (np.cumsum(ties, axis=1) <= spare)
    return s.astype(np.float64), left.data[cell][local], near


def _similarities(R: sparse.csr_array, kind: Kind, shrinkage: float) -> NDArray[np.float32]:
    """Compare all rows of R (n, m): (n, n), 0 where negative and on the diagonal.

    In float32, so that the last bits of float64, which differ between machines, decide no tie.
    """
    n = R.shape[0]
    S = np.zeros((n, n), np.float32)
    if kind == "adjusted-cosine":
        R = with_values(R, R.data - means(R, axis=0)[R.indices])

    def fill(start: int, stop: int) -> None:
        """Compare rows start..stop with themselves and all below: s is symmetric."""
        b, B = slice(start, n), R[start:]
        if kind == "cosine" or kind == "pearson":
            compare: Callable[[sparse.csr_array], Floats] = partial(similarity, B=B, kind=kind, shrinkage=shrinkage)
        else:
            compare = _Common(B, kind, shrinkage)
        step = max(1, BLOCK // (n - start))
        for first in range(start, stop, step):
            a = slice(first, min(first + step, stop))
            s = compare(R[a])
            S[a, b] = np.where(s > 1e-9, s, 0)  # what rounding makes of 0 would decide where nobody else does
            S[b, a] = S[a, b].T

    share = np.floor(R.indptr[:-1] / R.nnz * 8)  # in parts of like many entries
    starts = np.flatnonzero(np.diff(share, prepend=-1))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, starts, [*starts[1:], n]))
    np.fill_diagonal(S, 0)
    return S


class _Common:
    """Give Σ ab / sqrt(Σ a² Σ b²) over the entries known in both, shrunk, of rows A (a, m) and B (b, m)."""

    def __init__(self, B: sparse.csr_array, kind: Kind, shrinkage: float) -> None:
        self.lost, self.shrinkage = int(kind == "pearson-baseline"), shrinkage
        self.B, self.squares, self.known = (with_values(B, x).T.tocsr() for x in (B.data, B.data**2, np.ones(B.nnz)))

    def __call__(self, A: sparse.csr_array) -> Floats:
        known = with_values(A, np.ones(A.nnz))
        squares = sparse.csr_array((A.data**2 + 1j, A.indices, A.indptr), shape=A.shape)
        both = (squares @ self.known).toarray()  # (a, b): Σ a² and i times the number of entries, in one product
        aa, n, ab, bb = both.real, both.imag, (A @ self.B).toarray(), (known @ self.squares).toarray()
        spread = (n > 1) & (aa > 1e-9) & (bb > 1e-9)  # as in `similarity`
        n -= self.lost
        return np.divide(n * ab, (n + self.shrinkage) * np.sqrt(aa * bb), out=np.zeros(n.shape), where=spread)
