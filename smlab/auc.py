"""Does a prediction put the clicks above the rest? AUC, its interval, and AUC within each user; average precision.

`y` (n,) holds the clicks, 0 or 1; `p` (n,) any score: only its order counts.

    AUC = P(p⁺ > p⁻) + ½ P(p⁺ = p⁻)             average precision = Σ_t (recall_t - recall_{t-1}) precision_t

Predictions of several models or months cannot be put in one order: with `strata` AUC is the mean over the parts,
weighted by rows. Rows of one person or day are alike: with `clusters` the interval counts these, not the rows.

Any increasing function of p has the same AUC, so it says nothing of whether p is true as a probability; for that
see `calibration`.

References: Mann & Whitney (1947); DeLong, DeLong & Clarke-Pearson (1988), variance and covariance of AUC; Sun & Xu
(2014), the same in N log N; Obuchowski (1997), clusters; Zhu et al. (2017), GAUC; Fawcett (2006), ROC curves; Davis
& Goadrich (2006), precision and recall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
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


def auc_interval(
    y: ArrayLike,
    p: ArrayLike,
    *,
    level: float = 0.95,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Interval:
    """Give AUC with DeLong's normal interval, cut to [0, 1]; the rows have to be independent, or the clusters.

    A perfect order has variance 0 and an interval without width: it says nothing of what was not seen.

    Parameters
    ----------
    strata : (n,) within which alone p is compared; those of one class are left out
    clusters : (n,) whose rows are alike, such as the author or the day

    >>> print(f"{auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]):.2f}")
    0.75 [0.06, 1.00]
    """
    (value,), covariance = _delong(y, p, strata=strata, clusters=clusters)
    low, high = _normal(value, covariance[0, 0], level)
    return Interval(float(value), max(low, 0.0), min(high, 1.0))


def compare_auc(
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    level: float = 0.95,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Interval:
    """Give AUC(a) - AUC(b) on the same rows with DeLong's paired interval; 0 outside: they differ.

    Var(A - B) = Var A + Var B - 2 Cov(A, B); the covariance makes it narrower than two intervals side by side.
    `strata` and `clusters` as for `auc_interval`; `p_value` makes a test of it.

    >>> print(f"{compare_auc([0, 0, 1, 1], [1, 2, 3, 4], [1, 3, 2, 4]):.2f}")
    0.25 [-0.44, 0.94]
    """
    (first, second), covariance = _delong(y, a, b, strata=strata, clusters=clusters)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return Interval(float(first - second), *_normal(first - second, variance, level))


def p_value(difference: Interval, *, level: float = 0.95) -> float:
    """Give the two-sided p that a normal interval of a difference stands for, 2 Φ(-|d| / se).

    >>> round(p_value(Interval(0.1, 0.0, 0.2)), 3)
    0.05
    """
    error = (difference.high - difference.low) / (2 * z_value(level))
    if error < 1e-12:
        return float(abs(difference.value) < 1e-12)
    return float(2 * ndtr(-abs(difference.value) / error))


def average_precision(y: ArrayLike, p: ArrayLike) -> float:
    """Give Σ_t (recall_t - recall_{t-1}) precision_t over all thresholds t, highest first.

    What knows nothing has the share of clicks, not ½. Equal p share a threshold. No line is drawn between the points
    of the curve: that would promise what no threshold gives (Davis & Goadrich 2006).

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)  # ½ · 1 + ½ · 2/3
    0.8333
    """
    points = curve_points(y, p)
    return float(np.diff(points.recall) @ points.precision[1:])


class Points(NamedTuple):
    """What each threshold gives, highest first; the first point calls nobody.

    Parameters
    ----------
    threshold : p from which on a row is called a click
    recall : share of the clicks that are called so, the ROC curve's upright axis
    alarms : share of the others that are called so, its flat axis
    precision : share of clicks among those called so; 1 where nobody is
    """

    threshold: Floats
    recall: Floats
    alarms: Floats
    precision: Floats


def curve_points(y: ArrayLike, p: ArrayLike) -> Points:
    """Give the points of the ROC curve and of the precision-recall curve, one for each different p.

    The area under straight lines between the ROC points is AUC. Labels in place of probabilities leave one corner
    (alarms a, recall r) and the area a r/2 + (1 - a)(1 + r)/2 = (r + 1 - a)/2, the balanced accuracy.

    >>> points = curve_points([0, 1, 0, 1], [0, 1, 1, 1])
    >>> points.alarms.tolist(), points.recall.tolist()
    ([0.0, 0.5, 1.0], [0.0, 1.0, 1.0])
    """
    clicked, score = labels(y, p)
    need_both(clicked, 1)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])  # of each run of equal scores
    hits, called = np.cumsum(clicked[order])[last], last + 1
    recall, alarms = hits / clicked.sum(), (called - hits) / (~clicked).sum()
    first = np.r_[np.inf, score[order][last]], np.r_[0.0, recall], np.r_[0.0, alarms]
    return Points(*first, np.r_[1.0, hits / called])


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


def _delong(
    y: ArrayLike, *scores: ArrayLike, strata: ArrayLike | None = None, clusters: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Give the AUC of each score (k,) and their covariance (k, k).

    Row i moves AUC by D_i = (V10_i - AUC)/m for a click and (V01_i - AUC)/n for another row, times its stratum's
    weight. Cov = Σ D_i D_i' times m/(m - 1) or n/(n - 1); with I clusters, D_i summed over each, times I/(I - 1).
    """
    clicked = labels(y, scores[0])[0]
    checked = [labels(y, s)[1] for s in scores]
    part = _codes("strata", strata, clicked) if strata is not None else np.zeros(len(clicked), np.int64)
    hits = np.bincount(part, clicked)
    mixed = np.minimum(hits, np.bincount(part) - hits) >= 2
    if not mixed.any():
        need_both(clicked, 2)
        raise UsageError(f"each of {len(mixed)} strata has fewer than 2 rows of a class: there is no order to judge")
    share = np.bincount(part) * mixed / np.bincount(part)[mixed].sum()
    values, D = np.zeros(len(scores)), np.zeros((len(scores), len(clicked)))
    for s in np.flatnonzero(mixed):
        rows = np.flatnonzero(part == s)
        areas, moves = _moves(clicked[rows], [p[rows] for p in checked], own=clusters is None)
        values += share[s] * areas
        D[:, rows] = share[s] * moves
    if clusters is None:
        return values, D @ D.T
    group = _codes("clusters", clusters, clicked)
    sums = np.array([np.bincount(group[mixed[part]], d[mixed[part]], group.max() + 1) for d in D])
    many = len(np.unique(group[mixed[part]]))
    if many < 2:
        raise UsageError("all rows are of one cluster: nothing says how far clusters differ")
    return values, sums @ sums.T * many / (many - 1)


def _moves(clicked: NDArray[np.bool_], scores: list[NDArray], *, own: bool) -> tuple[Floats, Floats]:
    """Give AUC (k,) and D (k, rows), by mean ranks: Sun & Xu (2014); `own`: each row is its own cluster."""
    m, n = int(clicked.sum()), int((~clicked).sum())
    values, moves = np.empty(len(scores)), np.empty((len(scores), len(clicked)))
    for k, score in enumerate(scores):
        rank = rankdata(score)
        # how many non-clicks each click beats, as a share, and the other way round
        v10 = (rank[clicked] - rankdata(score[clicked])) / n  # (m,)
        v01 = 1 - (rank[~clicked] - rankdata(score[~clicked])) / m  # (n,)
        values[k] = v10.mean()
        moves[k, clicked], moves[k, ~clicked] = (v10 - values[k]) / m, (v01 - values[k]) / n
    if own:
        moves *= np.sqrt(np.where(clicked, m / (m - 1), n / (n - 1)))
    return values, moves


def _codes(what: str, names: ArrayLike, clicked: NDArray[np.bool_]) -> NDArray[np.int64]:
    label = np.asarray(names)
    if label.shape != clicked.shape:
        raise UsageError(f"{what} has shape {label.shape}, labels {clicked.shape}; each row has one")
    return np.unique(label, return_inverse=True)[1]


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
