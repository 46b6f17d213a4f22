"""How alike two users or two items are: cosine, Pearson, adjusted cosine and Jaccard.

`cosine` and `pearson` take two plain vectors, to follow a calculation by hand; `similarity` compares all rows
of one sparse matrix with all rows of another by matrix products. 0 means unknown, and the measures differ in
what they make of it: the cosine counts it as a zero, Pearson and the adjusted cosine look at what both know.

    cosine(u, v) = Σ_i u_i v_i / (||u|| ||v||)        pearson(u, v) = cosine(u - ū, v - v̄)

Breese et al. (1998) compare several of them; `neighbors` makes recommendations from them.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest

Floats = NDArray[np.float64]
Similarity = Literal["cosine", "pearson", "adjusted-cosine", "jaccard"]


def cosine(u: ArrayLike, v: ArrayLike) -> float:
    """Give Σ u_i v_i / (||u|| ||v||) of two vectors (n,); 0 if either is all 0.

    >>> round(cosine([3, 2, 1, 0, 4], [4, 3, 2, 1, 0]), 4)  # 20 / 30
    0.6667
    """
    a, b = _pair(u, v)
    norms = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norms) if norms > 0 else 0.0


def pearson(u: ArrayLike, v: ArrayLike, *, common: bool = False) -> float:
    """Give the correlation of two vectors (n,), the cosine of their deviations; 0 if either has no spread.

    Over all entries, or with `common` over those that are not 0 in both, as recommenders do (Resnick et al.
    1994), for whom 0 is no low rating but a gap. The two can be far apart:

    >>> u, v = [3, 2, 1, 0, 4], [4, 3, 2, 1, 0]
    >>> pearson(u, v), round(pearson(u, v, common=True), 4)
    (0.0, 1.0)
    """
    a, b = _pair(u, v)
    if common:
        both = (a != 0) & (b != 0)
        a, b = a[both], b[both]
    return cosine(a - a.mean(), b - b.mean()) if len(a) > 1 else 0.0


def similarity(
    A: sparse.csr_array, B: sparse.csr_array, kind: Similarity = "cosine", *, shrinkage: float = 0.0
) -> Floats:
    """Compare every row of A (a, m) with every row of B (b, m), giving (a, b) in [-1, 1].

    cosine           Σ_i a_i b_i / (||a|| ||b||) over all entries, unknown ones being 0
    jaccard          |A ∩ B| / |A ∪ B| of what is known
    pearson          correlation over the entries known in both; Breese et al. 1998, eq. 2
    adjusted-cosine  cosine, over the entries known in both, of a_i and b_i less the mean of column i of B;
                     Sarwar et al. 2001, sec. 3.1.3, for rows that are items

    0 where it is undefined: no common entry or, for the last two, fewer than two or no spread among them.
    With `shrinkage` λ multiplied by n/(n + λ), n the number of common entries (Koren 2008, eq. 2), because
    few common entries agree by chance.
    """
    need_kind(kind)
    A, B = with_values(A, A.data), with_values(B, B.data)
    known_a, known_b = with_values(A, np.ones(A.nnz)), with_values(B, np.ones(B.nnz))
    n = _dot(known_a, known_b) if shrinkage or kind != "cosine" else np.ones(())  # (a, b) common entries
    if kind == "cosine":
        s = ratio(_dot(A, B), _norm(A)[:, None] * _norm(B))
    elif kind == "jaccard":
        s = ratio(n, np.diff(A.indptr)[:, None] + np.diff(B.indptr) - n)
    elif kind == "pearson":
        s = _pearson(A, B, known_a, known_b, n)
    else:
        column_means = means(B, axis=0)  # (m,)
        A, B = (with_values(M, M.data - column_means[M.indices]) for M in (A, B))
        s = _defined(n, _dot(A, B), _dot(A.power(2), known_b), _dot(known_a, B.power(2)))
    return np.clip(s, -1, 1) * ratio(n, n + shrinkage)


def _pearson(
    A: sparse.csr_array, B: sparse.csr_array, known_a: sparse.csr_array, known_b: sparse.csr_array, n: Floats
) -> Floats:
    """Correlate over common entries: n Σab - Σa Σb over its like, every sum a matrix product."""
    # A correlation does not feel a shift; without row means the differences below lose fewer digits.
    A = with_values(A, A.data - means(A, axis=1)[coordinate(A, axis=1)])
    B = with_values(B, B.data - means(B, axis=1)[coordinate(B, axis=1)])
    sum_a, sum_b = _dot(A, known_b), _dot(known_a, B)  # (a, b) each
    ab = _dot(A, B) - ratio(sum_a * sum_b, n)
    aa = _dot(A.power(2), known_b) - ratio(sum_a**2, n)
    bb = _dot(known_a, B.power(2)) - ratio(sum_b**2, n)
    return _defined(n, ab, aa, bb)


def _defined(n: Floats, ab: Floats, aa: Floats, bb: Floats) -> Floats:
    """Give ab / sqrt(aa bb) where at least two entries are common and both spread, else 0."""
    spread = (n > 1) & (aa > 1e-9) & (bb > 1e-9)  # below 1e-9 is rounding of a difference that is 0
    return np.where(spread, ratio(ab, np.sqrt(np.maximum(aa * bb, 0))), 0.0)


def need_kind(kind: str) -> None:
    """Refuse a similarity that is not known."""
    if kind not in get_args(Similarity):
        raise UsageError(f"unknown similarity {kind!r}; {nearest(str(kind), get_args(Similarity))}")


def with_values(X: sparse.csr_array, data: NDArray) -> sparse.csr_array:
    """Give X's entries other values in float64; unlike arithmetic it keeps entries that become 0."""
    return sparse.csr_array((data.astype(np.float64), X.indices, X.indptr), shape=X.shape)


def coordinate(X: sparse.csr_array, *, axis: int) -> NDArray:
    """Give the row (axis 1, along which a row is averaged) or the column (axis 0) of every entry, (nnz,)."""
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)) if axis == 1 else X.indices


def means(X: sparse.csr_array, *, axis: int) -> Floats:
    """Give the mean of the known entries of each row (axis 1) or column (axis 0); 0 where none is known."""
    at, size = coordinate(X, axis=axis), X.shape[1 - axis]
    return ratio(np.bincount(at, X.data, minlength=size), np.bincount(at, minlength=size))


def ratio(a: Any, b: Any) -> Floats:
    """Give a / b, and 0 where b is not above 0."""
    top, bottom = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)


def _dot(A: sparse.csr_array, B: sparse.csr_array) -> Floats:
    return np.asarray((A @ B.T).toarray())


def _norm(X: sparse.csr_array) -> Floats:
    return np.sqrt(np.bincount(coordinate(X, axis=1), X.data**2, minlength=X.shape[0]))


def _pair(u: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise UsageError(f"two vectors of one length are needed; the shapes are {a.shape} and {b.shape}")
    return a, b
