"""How good a predicted click probability is: does it order (AUC), and is it true as a probability?

`y` (n,) holds the clicks, 0 or 1; `p` (n,) the predicted probabilities. AUC asks for the order alone, so any
increasing function of p has the same AUC; log-loss and Brier score are proper: no forecast expects less than
the true probability does (Gneiting & Raftery 2007). An auction multiplies p by money, so it needs both.

    AUC = P(p⁺ > p⁻) + ½ P(p⁺ = p⁻)         log-loss = -(1/N) Σ [ y log p + (1-y) log(1-p) ]
    Brier = (1/N) Σ (p - y)²                ECE = Σ_b (n_b/N) |mean y_b - mean p_b|

Numbers come alone (`auc`) or with an interval: DeLong's for AUC, the bootstrap for all of them (`resampled`),
over whole users where a user has many rows.

References: DeLong, DeLong & Clarke-Pearson (1988), variance of AUC; Sun & Xu (2014), the same in N log N;
Naeini et al. (2015) and Guo et al. (2017, eq. 3), ECE; Zhu et al. (2017), GAUC; He et al. (2014),
down-sampling and normalised entropy; Wilson (1927), interval of a share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.auc import Floats, auc, auc_interval, compare_auc, gauc, labels, need_both, z_value
from smlab.checks import UsageError, nearest
from smlab.metrics import Interval

# the measures of order stand in `auc`; here they are at hand beside those of probability
__all__ = [
    "Curve", "auc", "auc_interval", "brier", "calibration_curve", "calibration_ratio", "compare_auc",
    "expected_calibration_error", "gauc", "log_loss", "normalised_entropy", "resampled", "undo_downsampling", "wilson",
]  # fmt: skip

Metric = Callable[[NDArray, NDArray], float]


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Give the mean cross-entropy -(1/N) Σ [y log p + (1-y) log(1-p)], in nats; minus and mean cover both terms.

    p is first cut to [ε, 1-ε] with ε the precision of its own type, as scikit-learn does: a certain forecast
    that is wrong costs 36 nats (double) or 16 (single), not infinitely many.

    >>> round(log_loss([1, 0], [0.8, 0.4]), 4)  # (-log 0.8 - log 0.6) / 2
    0.367
    """
    clicked, prob = _probabilities(y, p)
    return float(-np.mean(np.where(clicked, np.log(prob), np.log1p(-prob))))


def normalised_entropy(y: ArrayLike, p: ArrayLike) -> float:
    """Give log-loss over that of the constant forecast mean(y): below 1, the model knows more (He et al. 2014).

    >>> normalised_entropy([1, 0], [0.5, 0.5])
    1.0
    """
    clicked, _ = labels(y, p)
    need_both(clicked, 1)
    return log_loss(y, p) / log_loss(y, np.full(len(clicked), clicked.mean()))


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Give the mean squared error of the probabilities, (1/N) Σ (p - y)² (Brier 1950).

    >>> round(brier([1, 0], [0.8, 0.4]), 3)  # (0.04 + 0.16) / 2
    0.1
    """
    clicked, prob = _probabilities(y, p, cut=False)
    return float(np.mean((prob - clicked) ** 2))


class Curve(NamedTuple):
    """A reliability diagram; one entry per bin that is not empty, all of one length.

    Parameters
    ----------
    predicted : mean p of the bin
    observed : share of clicks
    low, high : Wilson's interval of that share
    rows : how many
    """

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    rows: NDArray[np.int64]


def calibration_curve(
    y: ArrayLike,
    p: ArrayLike,
    n_bins: int = 10,
    strategy: Literal["quantile", "uniform"] = "quantile",
    *,
    level: float = 0.95,
) -> Curve:
    """Give what was predicted beside what happened, in bins of equal rows (quantile) or width (uniform).

    Click rates are small, so bins of equal width would put nearly all rows into the first.

    >>> curve = calibration_curve([0, 1, 1, 1], [0.1, 0.3, 0.6, 0.8], 2)
    >>> curve.predicted.tolist(), curve.observed.tolist(), curve.rows.tolist()
    ([0.2, 0.7], [0.5, 1.0], [2, 2])
    """
    clicked, prob = _probabilities(y, p, cut=False)
    prob = np.asarray(prob, dtype=float)
    if n_bins < 1:
        raise UsageError(f"n_bins={n_bins}: a calibration curve needs at least one bin")
    if strategy == "quantile":
        edges = np.percentile(prob, np.linspace(0, 1, n_bins + 1) * 100)
    elif strategy == "uniform":
        edges = np.linspace(0, 1, n_bins + 1)
    else:
        raise UsageError(f"strategy={strategy!r}: {nearest(strategy, ['quantile', 'uniform'])}")
    at = np.searchsorted(edges[1:-1], prob)
    count = np.bincount(at, minlength=n_bins)
    full = count > 0
    n = count[full]
    predicted, observed = (np.bincount(at, v, n_bins)[full] / n for v in (prob, clicked))
    return Curve(predicted, observed, *wilson(observed * n, n, level=level), n)


def expected_calibration_error(
    y: ArrayLike, p: ArrayLike, n_bins: int = 10, strategy: Literal["quantile", "uniform"] = "quantile"
) -> float:
    """Give Σ_b (n_b/N) |observed_b - predicted_b| over the bins of `calibration_curve`, in probability.

    It is never below 0, so chance alone makes it positive: about Σ_b sqrt(2 n_b v_b / π) / N for a perfect
    forecast, v_b = q(1-q) at the bin's rate q. Guo et al. (2017) take 15 bins of equal width.

    >>> round(expected_calibration_error([0, 1, 1, 1], [0.1, 0.3, 0.6, 0.8], 2), 4)  # (0.3 + 0.3) / 2
    0.3
    """
    curve = calibration_curve(y, p, n_bins, strategy)
    return float(np.average(np.abs(curve.observed - curve.predicted), weights=curve.rows))


def calibration_ratio(y: ArrayLike, p: ArrayLike) -> float:
    """Give expected over actual clicks, Σ p / Σ y: 1.2 promises a fifth too many (He et al. 2014, "calibration").

    >>> round(calibration_ratio([1, 0, 0], [0.6, 0.3, 0.3]), 6)
    1.2
    """
    clicked, prob = _probabilities(y, p, cut=False)
    if not clicked.any():
        raise UsageError(f"the calibration ratio divides by the clicks, and none of {len(clicked)} rows has one")
    return float(prob.sum(dtype=float) / clicked.sum())


def undo_downsampling(p: ArrayLike, rate: float) -> Floats:
    """Turn p learnt with only a share `rate` of the non-clicks kept into the probability before that.

    q = p / (p + (1-p)/w), w = rate (He et al. 2014, section 6.3): keeping a share w multiplies the odds by 1/w,
    the same as adding -log w to the intercept. The order, and so AUC, stays.

    >>> undo_downsampling([0.5, 0.1], 0.1).round(4)  # odds 1 and 1/9 become 0.1 and 1/90
    array([0.0909, 0.011 ])
    """
    prob = np.asarray(p, dtype=float)
    if not 0 < rate <= 1:
        raise UsageError(f"rate={rate} must be above 0 and at most 1: the share of the non-clicks that was kept")
    _need_probabilities(prob.ravel())
    return prob / (prob + (1 - prob) / rate)


def wilson(clicks: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Give Wilson's score interval of the share clicks / n, as (low, high); n = 0 gives (0, 1).

    (q + z²/2n ± z sqrt(q(1-q)/n + z²/4n²)) / (1 + z²/n), Wilson (1927). Unlike q ± z·se it keeps to [0, 1] and is
    right for shares near 0, where click rates are.

    >>> low, high = wilson(1, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0179, 0.4042)
    """
    k, total = np.asarray(clicks, dtype=float), np.asarray(n, dtype=float)
    z2 = z_value(level) ** 2
    q = np.divide(k, total, out=np.full(np.broadcast(k, total).shape, 0.5), where=total > 0)
    half = np.sqrt(z2 * (q * (1 - q) * total + z2 / 4))
    low, high = ((k + z2 / 2 + sign * half) / (total + z2) for sign in (-1, 1))
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def resampled(
    metric: Metric,
    y: ArrayLike,
    p: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Give metric(y, p) with its percentile bootstrap interval over rows, or over whole groups.

    Rows of one user are alike; drawing them one by one makes the interval too narrow, so name the users as
    `groups` where there are many rows of each (Efron & Tibshirani 1993, chapters 8 and 13).

    >>> print(f"{resampled(brier, [0, 1] * 50, [0.2, 0.6] * 50):.2f}")
    0.10 [0.09, 0.11]
    """
    clicked, score = labels(y, p)
    label = clicked.astype(np.int8)
    z_value(level)
    rng = np.random.default_rng(seed)
    size = len(label)
    if groups is None:
        draws = (rng.integers(0, size, size) for _ in range(n))
    else:
        group = np.unique(np.asarray(groups), return_inverse=True)[1]
        parts = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
        draws = (np.concatenate([parts[i] for i in rng.integers(0, len(parts), len(parts))]) for _ in range(n))
    values = [metric(label[rows], score[rows]) for rows in draws]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(metric(label, score)), float(low), float(high))


def _probabilities(y: ArrayLike, p: ArrayLike, *, cut: bool = True) -> tuple[NDArray[np.bool_], NDArray]:
    clicked, prob = labels(y, p)
    _need_probabilities(prob)
    if not np.issubdtype(prob.dtype, np.floating):
        prob = prob.astype(float)
    eps = np.finfo(prob.dtype).eps
    return clicked, np.clip(prob, eps, 1 - eps) if cut else prob


def _need_probabilities(prob: NDArray) -> None:
    if (wrong := np.flatnonzero(~((prob >= 0) & (prob <= 1)))).size:
        raise UsageError(f"row {wrong[0]}: {prob[wrong[0]]} is no probability from 0 to 1 (has it met a sigmoid?)")
