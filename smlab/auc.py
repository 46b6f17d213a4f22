"""Does a prediction put the clicks above the rest? AUC, its interval, and AUC within each user.

`y` (n,) holds the clicks, 0 or 1; `p` (n,) any score: only its order counts.

    AUC = P(p⁺ > p⁻) + ½ P(p⁺ = p⁻)

Any increasing function of p has the same AUC, so it says nothing of whether p is true as a probability; for that
see `calibration`.

References: Mann & Whitney (1947); DeLong, DeLong & Clarke-Pearson (1988), variance and covariance of AUC; Sun & Xu
(2014), the same in N log N; Zhu et al. (2017), GAUC.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from smlab.checks import UsageError
from smlab.metrics import Interval

Floats = NDArray[np.float64]


def auc(y: ArrayLike, p: ArrayLike) -> float:
    """Give the share of pairs (click, no click) in which the click has the higher p; a tie counts half.

    With R the sum of the clicks' mean ranks, m clicks and n others: (R - m(m+1)/2) / (m n), Mann & Whitney.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])  # of 4 pairs, 3 are in order
    0.75
    >>> auc([0, 1, 1], [0.5, 0.5, 0.9])  # one tie, one in order
    0.75
    """
    clicked, score = labels(y, p)
    need_both(clicked, 1)
    m, n = clicked.sum(), (~clicked).sum()
    return float((rankdata(score)[clicked].sum() - m * (m + 1) / 2) / (m * n))


def auc_interval(y: ArrayLike, p: ArrayLike, *, level: float = 0.95) -> Interval:
    """Give AUC with DeLong's normal interval, cut to [0, 1]; the rows have to be independent.

    A perfect order has variance 0 and an interval without width: it says nothing of what was not seen.

    >>> print(f"{auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]):.2f}")
    0.75 [0.06, 1.00]
    """
    (value,), covariance = _delong(y, p)
    low, high = _normal(value, covariance[0, 0], level)
    return Interval(float(value), max(low, 0.0), min(high, 1.0))


def compare_auc(y: ArrayLike, a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> Interval:
    """Give AUC(a) - AUC(b) on the same rows with DeLong's paired interval; 0 outside: they differ.

    Var(A - B) = Var A + Var B - 2 Cov(A, B); the covariance makes it narrower than two intervals side by side.

    >>> print(f"{compare_auc([0, 0, 1, 1], [1, 2, 3, 4], [1, 3, 2, 4]):.2f}")
    0.25 [-0.44, 0.94]
    """
    (first, second), covariance = _delong(y, a, b)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return Interval(float(first - second), *_normal(first - second, variance, level))


def gauc(y: ArrayLike, p: ArrayLike, groups: ArrayLike) -> float:
    """Give the mean of AUC within each group (user), weighted by its rows; groups of one class are left out.

    GAUC = Σ_u n_u AUC_u / Σ_u n_u (Zhu et al. 2017, weighted by impressions). Ordering users among each other
    earns nothing here, as a list is only ever shown to one user.

    >>> gauc([0, 1, 1, 0, 1], [0.2, 0.9, 0.1, 0.5, 0.7], ["a", "a", "b", "b", "c"])  # a: 1, b: 0, c left out
    0.5
    """
    clicked, score = labels(y, p)
    names = np.asarray(groups)
    if names.shape != clicked.shape:
        raise UsageError(f"groups has shape {names.shape}, labels {clicked.shape}; each row has one group")
    group = np.unique(names, return_inverse=True)[1]
    order = np.lexsort((score, group))
    g, s, hit = group[order], score[order], clicked[order].astype(float)
    # mean rank among equal scores of a group, counted from 1 within the group
    fresh = np.r_[True, (g[1:] != g[:-1]) | (s[1:] != s[:-1])]
    block, starts = np.cumsum(fresh) - 1, np.flatnonzero(fresh)
    ends = np.r_[starts[1:], len(g)]
    rows = np.bincount(g)
    rank = ((starts + ends + 1) / 2)[block] - (np.cumsum(rows) - rows)[g]
    m = np.bincount(g, hit)
    pairs = m * (rows - m)
    mixed = pairs > 0
    if not mixed.any():
        raise UsageError(f"GAUC needs a group with clicks and others; each of {len(rows)} groups has one class")
    within = (np.bincount(g, rank * hit) - m * (m + 1) / 2)[mixed] / pairs[mixed]
    return float(np.average(within, weights=rows[mixed]))


def _delong(y: ArrayLike, *scores: ArrayLike) -> tuple[Floats, Floats]:
    """Give the AUC of each score (k,) and their covariance (k, k), by mean ranks: Sun & Xu (2014)."""
    clicked = labels(y, scores[0])[0]
    need_both(clicked, 2)
    m, n = int(clicked.sum()), int((~clicked).sum())
    values, hits, others = [], [], []
    for score in (labels(y, s)[1] for s in scores):
        rank = rankdata(score)
        # how many non-clicks each click beats, as a share, and the other way round
        hits.append((rank[clicked] - rankdata(score[clicked])) / n)  # (m,) V10 of DeLong
        others.append(1 - (rank[~clicked] - rankdata(score[~clicked])) / m)  # (n,) V01
        values.append(hits[-1].mean())
    return np.array(values), np.atleast_2d(np.cov(hits)) / m + np.atleast_2d(np.cov(others)) / n


def _normal(value: float, variance: float, level: float) -> tuple[float, float]:
    half = z_value(level) * np.sqrt(max(variance, 0.0))
    return float(value - half), float(value + half)


def z_value(level: float) -> float:
    """Give z with P(|Z| < z) = level, 1.96 for 0.95."""
    if not 0 < level < 1:
        raise UsageError(f"level={level} must lie between 0 and 1; 0.95 is usual")
    return float(ndtri((1 + level) / 2))


def labels(y: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.bool_], NDArray]:
    """Give clicks as booleans and scores as they are; another shape, a label not 0 or 1, or NaN is an error."""
    label, score = np.asarray(y), np.asarray(p)
    if label.shape != score.shape or label.ndim != 1 or label.size == 0:
        raise UsageError(f"labels have shape {label.shape}, predictions {score.shape}: one each, and not empty")
    clicked = label.astype(bool)
    if (wrong := np.flatnonzero(clicked != label)).size:
        raise UsageError(f"row {wrong[0]}: label {label[wrong[0]]} is not 0 or 1{_rest(wrong)}")
    if (wrong := np.flatnonzero(~np.isfinite(score))).size:
        raise UsageError(f"row {wrong[0]}: prediction {score[wrong[0]]} is not finite{_rest(wrong)}")
    return clicked, score


def need_both(clicked: NDArray[np.bool_], least: int) -> None:
    """Refuse labels with fewer than `least` of a class."""
    m, n = int(clicked.sum()), int((~clicked).sum())
    if min(m, n) < least:
        raise UsageError(f"{m} clicks and {n} others: the order of the two needs at least {least} of each")


def _rest(wrong: NDArray[np.int64]) -> str:
    return f" (and {len(wrong) - 1} more row{'s' if len(wrong) > 2 else ''})" if len(wrong) > 1 else ""
