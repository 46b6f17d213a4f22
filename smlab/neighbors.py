"""Recommend what similar people liked: popularity, user-kNN, item-kNN and EASE.

All four rank an item i for a user u by a weighted sum over what is known:

    Popularity   s_ui = |users who have i|      no learning: what to beat
    UserKNN      s_ui = Σ_v s_uv x_vi           over the users most like u: Resnick et al. 1994
    ItemKNN      s_ui = Σ_j x_uj s_ij           over items most like i: Sarwar et al. 2001
    EASE         s_ui = Σ_j x_uj B_ji           B by ridge regression: Steck 2019

X (n_users, n_items) is a sparse matrix, 0 where nothing is known. Where the question is what comes next, give
it ones: that somebody chose to watch says more than the grade. Where it is which rating, `predict` of the two
kNN wants the ratings. Left out: latent factors, time, and anything known of users and items beyond X.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.linalg import lapack

from smlab.checks import UsageError
from smlab.ranking import ItemItem, Ranker, Reasons, blocks, largest, rows_of, top_k
from smlab.similarity import Floats, Similarity, means, need_kind, ratio, similarity


class Popularity(Ranker):
    """Score an item by the number of users who have it: the baseline that needs no learning.

    >>> X = sparse.csr_array([[1, 0, 1], [0, 0, 1]])
    >>> Popularity().fit(X).recommend([1], k=1)[0]
    array([[0]])
    """

    def fit(self, user_items: Any) -> Popularity:
        """Count the users of each item of `user_items` (n_users, n_items)."""
        self._start(user_items)
        return self

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give the counts, the same for every user, (n, n_items)."""
        _, rows = self._profiles(users, user_items)
        return np.tile(self.counts_.astype(float), (len(rows), 1))

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> Reasons:
        """Give the item with its own count: the score has no other reason."""
        self._profiles(user, user_items)
        (i,) = rows_of("item", item, self.X_.shape[1])
        return largest(np.array([i]), self.counts_[[i]].astype(float), n)


class EASE(ItemItem):
    """Regress every item on all the others, in closed form.

    min_B ||X - XB||² + λ||B||²  with  diag(B) = 0, for B = I would be perfect and useless. Steck (2019),
    "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8:

        P = (XᵀX + λI)⁻¹,    B_ij = -P_ij / P_jj  for i ≠ j,    B_jj = 0

    Unlike a similarity, B_ij is what i says for j beyond what all other items say, and may be negative.
    Time grows with n_items³ and memory with n_items²: some 30 bytes times n_items² (12 GB for 20,000 items).

    Parameters
    ----------
    reg : λ > 0, larger where data are few. 500 is the paper's for MovieLens 20M and, measured on validation
        parts of the training data, within 0.002 nDCG@10 of the best of a grid on MovieLens 100K.

    >>> X = sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    >>> EASE(reg=1).fit(X).recommend([3], k=1)[0]
    array([[1]])
    """

    def __init__(self, *, reg: float = 500.0) -> None:
        if not 0 < reg < np.inf:
            raise UsageError(f"reg={reg} must be above 0, else XᵀX + λI may have no inverse")
        self.reg = reg

    def fit(self, user_items: Any) -> EASE:
        """Learn B from `user_items` (n_users, n_items), which stays as it is."""
        X = self._start(user_items).astype(np.float64)  # float64: an inverse amplifies rounding
        G = (X.T @ X).toarray()  # (n_items, n_items)
        G[np.diag_indices_from(G)] += self.reg
        L, failed = lapack.dpotrf(G.T, lower=1, overwrite_a=1)  # G = LLᵀ, then G⁻¹ from L in the same memory
        if failed:
            raise UsageError(f"reg={self.reg} is too small for these data: XᵀX + λI is singular to rounding")
        P, _ = lapack.dpotri(L, lower=1, overwrite_c=1)
        P = np.tril(P) + np.tril(P, -1).T  # dpotri fills one triangle
        B = P / -np.diag(P)  # column j divided by -P_jj
        np.fill_diagonal(B, 0.0)
        self.W_ = B
        return self


class ItemKNN(ItemItem):
    """Recommend what resembles the items that the user has.

    s_ui = Σ_j x_uj s_ij  over those items j of the user that are among the k most similar to i: Sarwar et al.
    (2001), whose "model size" is k. Deshpande & Karypis (2004) keep the k nearest of j instead. For ranking
    the sum is not divided by Σ_j s_ij: that makes a rating of it, and puts first what one close neighbour
    carries (Cremonesi et al. 2010, "NNCosNgbr"). Only s_ij > 0 take part.

    Parameters
    ----------
    k : neighbours kept of each item
    similarity : "cosine", "pearson", "adjusted-cosine" or "jaccard", see `similarity`
    shrinkage : λ of n/(n + λ), which distrusts a similarity that rests on few users n

    >>> X = sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    >>> ItemKNN(k=1).fit(X).recommend([3], k=1)[0]
    array([[1]])
    """

    def __init__(self, *, k: int = 100, similarity: Similarity = "cosine", shrinkage: float = 20.0) -> None:
        _need_knn(k, similarity, shrinkage)
        self.k, self.similarity, self.shrinkage = k, similarity, shrinkage

    def fit(self, user_items: Any) -> ItemKNN:
        """Find the k nearest of every item of `user_items` (n_users, n_items), which stays as it is."""
        R = sparse.csr_array(self._start(user_items).T)  # (n_items, n_users)
        _need_spread(R, self.similarity)
        self.W_ = _nearest(R, R, self, own=np.arange(R.shape[0])).T
        return self

    def predict(self, users: ArrayLike, items: ArrayLike) -> Floats:
        """Predict the ratings of pairs, (n,), from the k items most similar to i that the user rated.

        r̂_ui = r̄_i + Σ_j s_ij (r_uj - r̄_j) / Σ_j s_ij: the weighted sum of Sarwar et al. (2001), sec. 3.2.1,
        of ratings less the item's mean. Only s_ij > 0 take part; without any it is the item's mean, without
        that the mean of all. Cut to the range of the ratings in `fit`.
        """
        u, i = self._profiles(users, None)[1], rows_of("item", items, self.X_.shape[1])
        return _predict(sparse.csr_array(self.X_.T), i, u, self)


class UserKNN(Ranker):
    """Recommend what the users most like this one have.

    s_ui = Σ_v s_uv x_vi  over the k users most similar to u: Resnick et al. (1994), Breese et al. (1998, sec.
    2.1); for ranking without the division that makes a rating of it, as in `ItemKNN`. Similarities are
    computed when asked for, so the fit is free and new users need none.

    Parameters
    ----------
    k : neighbours of each user
    similarity, shrinkage : as in `ItemKNN`, with users and items swapped

    >>> X = sparse.csr_array([[1, 1, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]])
    >>> UserKNN(k=1).fit(X).recommend([3], k=1)[0]
    array([[1]])
    """

    def __init__(self, *, k: int = 100, similarity: Similarity = "cosine", shrinkage: float = 0.0) -> None:
        _need_knn(k, similarity, shrinkage)
        self.k, self.similarity, self.shrinkage = k, similarity, shrinkage

    def fit(self, user_items: Any) -> UserKNN:
        """Keep `user_items` (n_users, n_items): the model is the data."""
        _need_spread(self._start(user_items), self.similarity)
        return self

    def neighbours(self, users: ArrayLike | None = None, *, user_items: Any = None) -> sparse.csr_array:
        """Give the similarity of each user to the k most similar ones in `fit`, (n, n_users), 0 elsewhere."""
        X, rows = self._profiles(users, user_items)
        return _nearest(X[rows], self.X_, self, own=rows if user_items is None else None)

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give Σ_v s_uv x_vi of each user, (n, n_items); what the user has is scored too."""
        return cast(Floats, (self.neighbours(users, user_items=user_items) @ self.X_).toarray())

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> Reasons:
        """Give the neighbours v (users) with what each adds, s_uv x_vi, largest first; together the score."""
        s = self.neighbours(user, user_items=user_items)  # (1, n_users)
        i = rows_of("item", item, self.X_.shape[1])
        x_i = np.asarray(self.X_[s.indices, np.repeat(i, s.nnz)], dtype=float)
        return largest(s.indices, s.data * x_i, n)

    def predict(self, users: ArrayLike, items: ArrayLike) -> Floats:
        """Predict the ratings of pairs, (n,), from the k most similar users who rated the item.

        r̂_ui = r̄_u + Σ_v s_uv (r_vi - r̄_v) / Σ_v s_uv: Resnick et al. (1994); Breese et al. (1998), eq. 1.
        Only s_uv > 0 take part; without any it is the user's mean, without that the mean of all. Cut to the
        range of the ratings in `fit`.
        """
        u, i = self._profiles(users, None)[1], rows_of("item", items, self.X_.shape[1])
        return _predict(self.X_, u, i, self)


def mean_centred(mean: float, similarities: ArrayLike, ratings: ArrayLike, means: ArrayLike) -> float:
    """Predict a rating as the user's mean plus the weighted mean of how far neighbours were from theirs.

    r̂ = r̄_u + Σ_v s_v (r_v - r̄_v) / Σ_v |s_v|: Resnick et al. (1994); Breese et al. (1998), eq. 1. Without the
    division it is no rating; with a single neighbour the similarity cancels; without any it is r̄_u.

    >>> mean_centred(3.0, similarities=[0.75, 0.25], ratings=[5, 2], means=[4, 3])  # 3 + (0.75 - 0.25) / 1
    3.5
    """
    s, r, r_mean = (np.asarray(x, dtype=float) for x in (similarities, ratings, means))
    return float(mean + ratio(s @ (r - r_mean), np.abs(s).sum()))


def _predict(R: sparse.csr_array, a: NDArray, b: NDArray, model: ItemKNN | UserKNN) -> Floats:
    """Predict R[a, b] (n,) from the k rows c most similar to a that know b, by `mean_centred`."""
    if len(a) != len(b):
        raise UsageError(f"predict takes pairs, one item for each user; given are {len(a)} and {len(b)}")
    known = sparse.csc_array(R)  # column b: the rows that know b
    mu = np.where(np.diff(R.indptr) > 0, means(R, axis=1), R.data.mean(dtype=float))  # (n_rows,)
    n_known = np.diff(known.indptr)
    order = np.argsort(a, kind="stable")
    new_row = np.diff(a[order], prepend=-1) > 0
    work = np.cumsum(n_known[b[order]] + R.shape[0] * new_row)
    r_hat = mu[a]
    for p in np.split(order, np.flatnonzero(np.diff(work // 2_000_000)) + 1):  # arrays of about 16 MB
        r_hat[p] += _deviation(R, known, mu, a[p], b[p], model)
    return np.clip(r_hat, R.data.min(), R.data.max())


def _deviation(
    R: sparse.csr_array, known: sparse.csc_array, mu: Floats, a: NDArray, b: NDArray, model: ItemKNN | UserKNN
) -> Floats:
    """Give Σ_c s_ac (r_cb - μ_c) / Σ_c s_ac of each pair, (n,), over its k nearest c."""
    rows, local = np.unique(a, return_inverse=True)
    S = similarity(R[rows], R, model.similarity, shrinkage=model.shrinkage)  # (distinct a, n_rows)
    S[np.arange(len(rows)), rows] = 0.0
    n = np.diff(known.indptr)[b]  # candidates of each pair, laid end to end below
    start = np.cumsum(n) - n
    pair = np.repeat(np.arange(len(a)), n)
    entry = np.arange(n.sum()) + (known.indptr[b] - start)[pair]
    c = known.indices[entry]
    s = S[local[pair], c]
    by_similarity = np.lexsort((c, -s.astype(np.float32), pair))
    near = by_similarity[np.arange(len(c)) - start[pair] < model.k]
    near = near[s[near] > 0]
    weighted = s[near] * (known.data[entry[near]] - mu[c[near]])
    total = np.bincount(pair[near], s[near], minlength=len(a))
    return ratio(np.bincount(pair[near], weighted, minlength=len(a)), total)


def _nearest(
    A: sparse.csr_array, B: sparse.csr_array, model: ItemKNN | UserKNN, *, own: NDArray | None
) -> sparse.csr_array:
    """Keep of each row of A the k most similar rows of B, (a, b); `own` says where A's rows are in B."""
    parts = [sparse.csr_array((0, B.shape[0]))]
    for block in blocks(A.shape[0], B.shape[0]):
        s = similarity(A[block], B, model.similarity, shrinkage=model.shrinkage)
        if own is not None:
            s[np.arange(len(s)), own[block]] = 0.0
        best = top_k(s.astype(np.float32), model.k)  # float32: see Ranker.recommend
        value = np.take_along_axis(s, best, axis=1)
        row, place = np.nonzero(value > 0)
        parts.append(sparse.csr_array((value[row, place], (row, best[row, place])), shape=s.shape))
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


def _need_knn(k: int, kind: Similarity, shrinkage: float) -> None:
    need_kind(kind)
    if k < 1:
        raise UsageError(f"k={k}: at least one neighbour is needed")
    if not 0 <= shrinkage < np.inf:
        raise UsageError(f"shrinkage={shrinkage} must be finite and 0 or more")


def _need_spread(X: sparse.csr_array, kind: Similarity) -> None:
    if kind in ("pearson", "adjusted-cosine") and X.data.min() == X.data.max():
        every = f"here every value is {X.data[0]:g}"
        raise UsageError(f"{kind} compares ratings that differ, and {every}; use cosine or jaccard")
