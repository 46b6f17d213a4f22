"""What accuracy does not see: how varied a list is, how much it leans to hits, and how unevenly things are shown.

    ILD = 1/(k(k-1)) Σ_{i≠j} 1 - cos(f_i, f_j)        intra-list distance: Castells, Hurley & Vargas (2015)
    GAP = mean over users of the mean φ_i             φ_i the share of users who have i: Abdollahpouri et al. (2019)
    lift = GAP of the lists / GAP of the profiles - 1

`metrics` has the others: coverage, Gini, and novelty, the mean of -log2 φ_i (Vargas & Castells 2011). Lists are `top`
(n_users, k), best first, -1 where one ends early. What belongs to all lists at once, as coverage does, gets its
interval from `jackknife`: a bootstrap draws users twice and so sees fewer different items than there are.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError
from smlab.metrics import Interval

Floats = NDArray[np.float64]


def intra_list_distance(top: ArrayLike, features: Any) -> Floats:
    """Give the mean distance of two items of a list, 1 - cosine of their features, per user (n_users,).

    `features` (n_items, D), dense or sparse, says what items are (genres) or who has them (X transposed); an item
    without any is at distance 1 from all. A list of fewer than two items gives NaN. Of unit rows f the sum over
    all pairs is |Σ f|² - Σ |f|², so no pair is looked at.

    >>> intra_list_distance([[0, 1, 2]], [[1, 0], [1, 0], [0, 1]]).round(4)  # (0 + 1 + 1) / 3
    array([0.6667])
    """
    lists = indicator(top, np.shape(features)[0])
    F = unit_rows(features)
    n = np.diff(lists.indptr)
    square = np.asarray(F.power(2).sum(axis=1)).ravel()  # 1, or 0 without features
    alike = np.asarray((lists @ F).power(2).sum(axis=1)).ravel() - lists @ square
    return 1 - np.divide(alike, n * (n - 1), out=np.full(len(n), np.nan), where=n > 1)


def mean_popularity(lists: Any, counts: ArrayLike, n_users: int) -> Floats:
    """Give the mean share of users φ_i = counts_i / n_users over each list, (n,); NaN for an empty one.

    `lists` are recommended items (n, k), or a sparse matrix (n, n_items) of what users have: their profiles.

    >>> mean_popularity([[0, 1], [2, -1]], counts=[8, 4, 1], n_users=8)
    array([0.75 , 0.125])
    """
    share = np.asarray(counts, dtype=float) / n_users
    X = indicator(lists, len(share))
    n = np.diff(X.indptr)
    return np.divide(X @ share, n, out=np.full(len(n), np.nan), where=n > 0)


def popularity_lift(
    listed: ArrayLike, held: ArrayLike, *, n: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Give how much more popular the lists are than the profiles, mean(listed) / mean(held) - 1.

    ΔGAP of Abdollahpouri et al. (2019), with the bootstrap interval over users: 0.5 means half as popular again as
    what these users choose by themselves. Both (n_users,), of `mean_popularity`; users with NaN are left out.

    >>> f"{popularity_lift([0.3, 0.6], [0.2, 0.4]):.2f}"
    '0.50 [0.50, 0.50]'
    """
    pair = np.column_stack([np.asarray(listed, dtype=float), np.asarray(held, dtype=float)])
    pair = pair[~np.isnan(pair).any(axis=1)]
    if not len(pair):
        raise UsageError("popularity_lift: no user has both a list and a profile")
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(len(pair), np.full(len(pair), 1 / len(pair)), size=n)  # how often each user is drawn
    top, bottom = (weight @ pair).T
    low, high = np.quantile(top / bottom - 1, [(1 - level) / 2, (1 + level) / 2])
    top, bottom = pair.sum(axis=0)
    return Interval(float(top / bottom - 1), float(low), float(high))


def jackknife(
    top: ArrayLike, statistic: Callable[[NDArray], float], *, groups: int = 200, level: float = 0.95
) -> Interval:
    """Give a statistic of all lists together with its interval, by leaving users out.

    θ ± z se, se² = (g - 1)/g Σ (θ_(j) - θ̄)² over g groups of users, each left out in turn: Efron & Stein (1981), who
    show that this se is rather too large than too small.

    >>> from smlab.metrics import coverage
    >>> f"{jackknife([[0], [1], [1], [1]], lambda lists: coverage(lists, 4)):.2f}"
    '0.50 [0.13, 0.87]'
    """
    lists = np.asarray(top)
    g = min(groups, len(lists))
    if g < 2:
        raise UsageError(f"jackknife leaves users out; there are {len(lists)}")
    of_user = np.arange(len(lists)) % g
    left = np.array([statistic(lists[of_user != j]) for j in range(g)])
    se = np.sqrt((g - 1) * left.var())
    value, half = float(statistic(lists)), NormalDist().inv_cdf((1 + level) / 2) * float(se)
    return Interval(value, value - half, value + half)


def equal_shares(counts: ArrayLike, n: int = 5) -> NDArray[np.int64]:
    """Put items into n groups that hold about equally many choices each, the most chosen in group 0, (n_items,).

    >>> equal_shares([6, 1, 1, 2, 2, 0], n=2)
    array([0, 1, 1, 1, 1, 1])
    """
    x = np.asarray(counts, dtype=float)
    order = np.argsort(-x, kind="stable")
    before = np.concatenate([[0], np.cumsum(x[order])[:-1]]) / x.sum()  # what more popular items hold
    group = np.empty(len(x), np.int64)
    group[order] = np.minimum(np.floor(before * n + 1e-9), n - 1).astype(np.int64)
    return group


def indicator(lists: Any, n_items: int) -> sparse.csr_array:
    """Give lists as a matrix of ones, (n, n_items); the padding -1 is left out."""
    if sparse.issparse(lists):
        X = sparse.csr_array(lists)
        return sparse.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
    items = np.asarray(lists)
    if items.ndim != 2 or (items.size and items.max() >= n_items):
        raise UsageError(f"lists of shape {items.shape} must have two axes and name items below {n_items}")
    shown = items >= 0
    indptr = np.concatenate([[0], np.cumsum(shown.sum(axis=1))])
    return sparse.csr_array((np.ones(indptr[-1]), items[shown], indptr), shape=(len(items), n_items))


def unit_rows(features: Any) -> sparse.csr_array:
    """Scale each row to length 1, (n, D); rows of zeros stay."""
    F = sparse.csr_array(features, dtype=np.float64)
    length = np.sqrt(np.asarray(F.power(2).sum(axis=1)).ravel())
    return sparse.csr_array(F.multiply(1 / np.where(length > 0, length, 1)[:, None]))
