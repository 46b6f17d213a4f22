"""How good a list, a rating or a difference is, and how sure we are.

Ranking metrics take `top` (n_users, k), the recommended items best first with -1 where a list ends early, and
`truth` (n_users, n_items), a sparse matrix whose non-zero entries are the relevant items T_u. They return one
number per user, because an interval needs the users: `bootstrap(ndcg_at_k(top, truth))`. A user without any
relevant item gives NaN, and `bootstrap` leaves that user out.

With rel_r = 1 where the item at place r is in T_u:

    precision = Σ rel_r / k               recall = Σ rel_r / |T_u|
    nDCG = Σ rel_r / log2(1 + r)  over its value for the best possible list

Lists of `best_among` give sampled metrics, which rank against a few random items and can turn the order of
models around (Krichene & Rendle 2020): only for tables that use them.

References: Järvelin & Kekäläinen (2002), nDCG; Vargas & Castells (2011), novelty; Efron & Tibshirani (1993),
bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError

Floats = NDArray[np.float64]


def precision_at_k(top: ArrayLike, truth: sparse.csr_array, k: int | None = None) -> Floats:
    """Give the share of the k places that hold a relevant item, Σ_r rel_r / k, per user (n_users,).

    A list that ends early is still divided by k: an empty place helps nobody.

    >>> truth = sparse.csr_array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    >>> precision_at_k([[0, 2], [3, -1], [0, 1]], truth)
    array([0.5, 0.5, nan])
    """
    rel, n_relevant = _relevance(top, truth, k)
    return np.where(n_relevant > 0, rel.mean(axis=1), np.nan)


def recall_at_k(top: ArrayLike, truth: sparse.csr_array, k: int | None = None) -> Floats:
    """Give the share of the user's relevant items among the k, Σ_r rel_r / |T_u|, per user (n_users,).

    Liang et al. (2018) divide by min(k, |T_u|) instead; the recommenders tables by |T_u|, as here.

    >>> recall_at_k([[0, 3]], sparse.csr_array([[1, 1, 1, 0]]))
    array([0.33333333])
    """
    rel, n_relevant = _relevance(top, truth, k)
    return _divide(rel.sum(axis=1), n_relevant)


def ndcg_at_k(top: ArrayLike, truth: sparse.csr_array, k: int | None = None, *, graded: bool = False) -> Floats:
    """Give the normalised discounted cumulative gain DCG / IDCG, per user (n_users,).

    DCG = Σ_r g_r / log2(1 + r) with r = 1..k, and IDCG the same sum for the user's relevant items put first.
    The gain g is 1 for a relevant item; with `graded` it is the value in `truth` (a rating, say).
    After Järvelin & Kekäläinen (2002), who divide by log2 r, from place 2 on; 1 + r is now usual.

    >>> ndcg_at_k([[2, 0, 3]], sparse.csr_array([[1, 1, 0, 0]])).round(4)  # 0.6309 / (1 + 0.6309)
    array([0.3869])
    """
    rel, n_relevant = _relevance(top, truth, k)
    discount = 1 / np.log2(np.arange(rel.shape[1]) + 2)  # (k,)
    if not graded:
        ideal = np.concatenate([[0], np.cumsum(discount)])[np.minimum(n_relevant, rel.shape[1])]
        return _divide(rel @ discount, ideal)
    gains = _lookup(_top(top, truth, k), truth)
    best = np.zeros(rel.shape)  # (n_users, k): each user's k largest gains
    for u, row in enumerate(np.split(truth.data, truth.indptr[1:-1])):
        largest = np.sort(row)[::-1][: rel.shape[1]]
        best[u, : len(largest)] = largest
    return _divide(gains @ discount, best @ discount)


def average_precision_at_k(top: ArrayLike, truth: sparse.csr_array, k: int | None = None) -> Floats:
    """Give Σ_r rel_r · precision@r / |T_u|, per user (n_users,); its mean over users is MAP.

    Divided by all |T_u| relevant items, as the recommenders tables do, so a user with more than k of them
    cannot reach 1. (The variant called MAP@k there divides by min(k, |T_u|).)

    >>> average_precision_at_k([[0, 2, 1]], sparse.csr_array([[1, 1, 0]])).round(4)  # (1/1 + 2/3) / 2
    array([0.8333])
    """
    rel, n_relevant = _relevance(top, truth, k)
    precision = np.cumsum(rel, axis=1) / np.arange(1, rel.shape[1] + 1)
    return _divide((rel * precision).sum(axis=1), n_relevant)


def hit_rate_at_k(top: ArrayLike, truth: sparse.csr_array, k: int | None = None) -> Floats:
    """Give 1 to a user with at least one relevant item among the k, else 0 (n_users,).

    >>> hit_rate_at_k([[0, 2], [1, 0]], sparse.csr_array([[1, 0, 0], [0, 0, 1]]))
    array([1., 0.])
    """
    rel, n_relevant = _relevance(top, truth, k)
    return np.where(n_relevant > 0, rel.any(axis=1), np.nan)


def reciprocal_rank_at_k(top: ArrayLike, truth: sparse.csr_array, k: int | None = None) -> Floats:
    """Give 1 / (place of the first relevant item), 0 if none is among the k, per user (n_users,).

    >>> reciprocal_rank_at_k([[1, 2, 0]], sparse.csr_array([[1, 0, 0]])).round(4)
    array([0.3333])
    """
    rel, n_relevant = _relevance(top, truth, k)
    first = rel.argmax(axis=1) + 1
    return np.where(n_relevant > 0, rel.any(axis=1) / first, np.nan)


def best_among(scores: ArrayLike, candidates: ArrayLike, k: int) -> NDArray[np.int64]:
    """List the k candidates with the highest scores, best first (n_users, k); both (n_users, m), -1 is no candidate.

    Of equal scores the earlier candidate comes first, so put the held-out item last, as He et al. (2017) do. With
    one such item per user `recall_at_k` of these lists is their HR@k and `ndcg_at_k` their NDCG@k, 1 / log2(1 + r).

    >>> best_among([[0.1, 0.7, 0.7]], [[4, 9, 2]], k=2)
    array([[9, 2]])
    """
    s, items = np.asarray(scores, dtype=float), np.asarray(candidates, dtype=np.int64)
    if s.shape != items.shape or s.ndim != 2 or not 1 <= k <= s.shape[1]:
        raise UsageError(f"scores {s.shape} and candidates {items.shape} must match, with k={k} of them or more a row")
    best = np.argsort(np.where(items < 0, np.inf, -s), axis=1, kind="stable")[:, :k]
    return np.take_along_axis(items, best, axis=1)


def exposure(top: ArrayLike, n_items: int) -> NDArray[np.int64]:
    """Count in how many lists each item stands (n_items,).

    >>> exposure([[0, 2], [0, -1]], n_items=3)
    array([2, 0, 1])
    """
    items = np.asarray(top).ravel()
    return np.bincount(items[items >= 0], minlength=n_items)


def coverage(top: ArrayLike, n_items: int) -> float:
    """Give the share of the catalogue that is recommended to anyone.

    >>> coverage([[0, 2], [0, -1]], n_items=4)
    0.5
    """
    return float(np.mean(exposure(top, n_items) > 0))


def novelty(top: ArrayLike, counts: ArrayLike, n_users: int) -> Floats:
    """Give the mean of -log2(count_i / n_users) over the listed items, in bits, per user (n_users,).

    `counts` (n_items,) says how many of the `n_users` training users have item i; an item that nobody has
    counts as had by one. 0 bits: everybody has it; 10 bits: one in a thousand. Vargas & Castells (2011),
    "inverse user frequency".

    >>> novelty([[0, 1], [2, 2]], counts=[8, 4, 1], n_users=8)
    array([0.5, 3. ])
    """
    items = np.asarray(top)
    bits = -np.log2(np.maximum(np.asarray(counts, dtype=float), 1) / n_users)
    shown = items >= 0
    return _divide((bits[items] * shown).sum(axis=1), shown.sum(axis=1))


def gini(counts: ArrayLike) -> float:
    """Give the Gini coefficient of non-negative counts: 0 all alike, towards 1 one has everything.

    G = Σ_i (2i - n - 1) x_(i) / (n Σ x) with x sorted upwards. All zero gives NaN.

    >>> gini([1, 1, 1, 1]), gini([0, 0, 0, 1])
    (0.0, 0.75)
    """
    x = np.sort(np.asarray(counts, dtype=float))
    if x.size and x[0] < 0:
        raise UsageError(f"gini needs counts of 0 or more; the smallest is {x[0]:g}")
    n = len(x)
    return float((2 * np.arange(1, n + 1) - n - 1) @ x / (n * x.sum())) if x.sum() > 0 else float("nan")


def rmse(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Give the root of the mean squared error, sqrt(mean (p - y)²), in the unit of the ratings.

    >>> rmse([3, 5], [4, 2])  # sqrt((1 + 9) / 2)
    2.23606797749979
    """
    return float(np.sqrt(np.mean(_errors(predicted, actual) ** 2)))


def mae(predicted: ArrayLike, actual: ArrayLike) -> float:
    """Give the mean absolute error, mean |p - y|, in the unit of the ratings.

    >>> mae([3, 5], [4, 2])
    2.0
    """
    return float(np.mean(np.abs(_errors(predicted, actual))))


class Interval(NamedTuple):
    """A value with the limits of its confidence interval.

    >>> x = Interval(0.481, 0.4702, 0.4916)
    >>> f"{x:.3f}"
    '0.481 [0.470, 0.492]'
    >>> x.pm(".2f")
    '0.48 ± 0.01'
    """

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        spec = spec or ".4g"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return format(self)

    def pm(self, spec: str = ".3f") -> str:
        """Write value ± half the width of the interval."""
        return f"{self.value:{spec}} ± {(self.high - self.low) / 2:{spec}}"


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., ArrayLike] = np.mean,
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Give the statistic of the values with its percentile bootstrap interval.

    The values (one per user, for users are what is drawn) are drawn anew with replacement `n` times; the
    interval spans the middle `level` of the n statistics: Efron & Tibshirani (1993), chapter 13. NaN are left
    out. `statistic` takes an array and `axis`, as np.mean and np.median do.

    >>> print(f"{bootstrap(np.arange(100) % 2):.2f}")
    0.50 [0.40, 0.60]
    """
    x = np.asarray(values, dtype=float).ravel()
    x = x[~np.isnan(x)]
    if len(x) == 0:
        raise UsageError("bootstrap: no value is left after leaving out NaN")
    if not 0 < level < 1 or n < 2:
        raise UsageError(f"bootstrap: level={level} must lie between 0 and 1 and n={n} be 2 or more")
    rng = np.random.default_rng(seed)
    rows = max(1, 2_000_000 // len(x))  # so many resamples at a time keep memory under ~50 MB
    drawn = [
        statistic(x[rng.integers(0, len(x), (min(rows, n - start), len(x)))], axis=1) for start in range(0, n, rows)
    ]
    low, high = np.quantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.asarray(statistic(x, axis=0))), float(low), float(high))


def paired_difference(a: ArrayLike, b: ArrayLike, *, n: int = 1000, level: float = 0.95, seed: int = 0) -> Interval:
    """Give mean(a - b) with its bootstrap interval, over the users for whom both are defined.

    Two models on the same users: pairing removes the spread between users that both intervals share, so
    overlapping intervals can still be a clear difference. 0 outside the interval: they differ.

    >>> print(f"{paired_difference([0.2, 0.9, np.nan], [0.1, 0.8, 0.3]):.2f}")
    0.10 [0.10, 0.10]
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise UsageError(f"a has shape {first.shape}, b {second.shape}; pairs need the same users in one order")
    return bootstrap(first - second, n=n, level=level, seed=seed)


def _relevance(top: ArrayLike, truth: sparse.csr_array, k: int | None) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Say which places hold a relevant item (n_users, k) and how many relevant items there are (n_users,)."""
    return _lookup(_top(top, truth, k), truth) != 0, np.diff(truth.indptr)


def _top(top: ArrayLike, truth: sparse.csr_array, k: int | None) -> NDArray[np.int64]:
    items = np.asarray(top)
    if items.ndim != 2 or items.shape[0] != truth.shape[0]:
        raise UsageError(f"top has shape {items.shape}, truth {truth.shape}: each row of truth needs its list")
    if k is not None and not 1 <= k <= items.shape[1]:
        raise UsageError(f"k={k}: the lists are {items.shape[1]} long")
    if items.size and items.max() >= truth.shape[1]:
        raise UsageError(f"top names item {items.max()}, truth has {truth.shape[1]} items")
    return items[:, :k].astype(np.int64)


def _lookup(items: NDArray[np.int64], truth: sparse.csr_array) -> Floats:
    """Give truth[u, items[u, r]] (n_users, k), 0 for the padding -1."""
    users = np.repeat(np.arange(len(items)), items.shape[1])
    found = truth[users, np.maximum(items, 0).ravel()]
    return np.where(items < 0, 0.0, np.asarray(found, dtype=float).reshape(items.shape))


def _divide(a: NDArray, b: NDArray) -> Floats:
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b > 0)


def _errors(predicted: ArrayLike, actual: ArrayLike) -> Floats:
    p, y = np.asarray(predicted, dtype=float), np.asarray(actual, dtype=float)
    if p.shape != y.shape or p.size == 0:
        raise UsageError(f"predictions have shape {p.shape}, ratings {y.shape}: they must match, not empty")
    return p - y


def pearson(x: ArrayLike, y: ArrayLike, *, level: float = 0.95) -> Interval:
    """Give Pearson's correlation with Fisher's interval, tanh(artanh r ± z / √(n - 3)): Fisher (1921).

    >>> print(f"{pearson([1, 2, 3, 4, 5], [1, 2, 3, 5, 4]):.2f}")
    0.90 [0.09, 0.99]
    """
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 4:
        raise UsageError(f"a correlation needs two series of four or more; these have shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and np.ptp(a) > 0 and np.ptp(b) > 0):
        raise UsageError("a correlation needs finite numbers, of which not all are equal")
    r = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    half = NormalDist().inv_cdf((1 + level) / 2) / np.sqrt(len(a) - 3)
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    return Interval(r, float(np.tanh(z - half)), float(np.tanh(z + half)))
