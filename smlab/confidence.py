"""Is a classifier of several classes as sure as it is right? Log-loss, reliability, and mending what is off.

`y` (n,) holds the true labels, `P` (n, K) the probabilities of the `classes` (K,) in the order of its columns. The
confidence of a post is its largest probability, p̂ = max_k P_k; of posts with p̂ = 0.8, four in five should be right.

    log-loss = -(1/n) Σ_i log P_{i, y_i}            ECE = Σ_b (n_b/n) |share right_b - mean p̂_b|
    mended   Q_k ∝ exp(a log P_k + b_k)             a < 1 makes it less sure; b moves what it is prone to say

`mend` learns a and b on held-out labelled posts by maximum likelihood, which is convex. a alone is temperature
scaling (Guo et al. 2017, T = 1/a), with b Alexandari, Kundaje & Shrikumar's bias-corrected version.

References: Guo et al. (2017), eq. 3 (ECE) and temperature scaling; Alexandari, Kundaje & Shrikumar (2020); Nixon et
al. (2019), calibration of each class.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from smlab import calibration
from smlab.calibration import Curve
from smlab.checks import UsageError
from smlab.classes import codes

Floats = NDArray[np.float64]
Strategy = Literal["quantile", "uniform"]
SMALLEST = 1e-12  # what is added to no probability but replaces a smaller one, before its logarithm


def losses(y: ArrayLike, P: ArrayLike, classes: Iterable[Any]) -> Floats:
    """Give -log P_{i, y_i} of each post (n,), in nats; `metrics.bootstrap` makes an interval of them.

    >>> losses(["good", "bad"], [[0.2, 0.8], [0.5, 0.5]], ["bad", "good"]).round(4)
    array([0.2231, 0.6931])
    """
    prob, true, _ = _checked(y, P, classes)
    eps = np.finfo(prob.dtype).eps  # as scikit-learn: what was certain and wrong costs 36 nats, not infinitely many
    return -np.log(np.clip(prob[np.arange(len(prob)), true].astype(float), eps, 1.0))


def log_loss(y: ArrayLike, P: ArrayLike, classes: Iterable[Any]) -> float:
    """Give the mean of `losses`: log K for a classifier that knows nothing and says so, 0 for a perfect one.

    >>> round(log_loss(["good", "bad"], [[0.2, 0.8], [0.5, 0.5]], ["bad", "good"]), 4)
    0.4581
    """
    return float(losses(y, P, classes).mean())


def reliability(
    y: ArrayLike,
    P: ArrayLike,
    classes: Iterable[Any],
    n_bins: int = 10,
    strategy: Strategy = "quantile",
    *,
    of: Any = None,
    level: float = 0.95,
) -> Curve:
    """Give the share of right answers beside the confidence, in bins, with Wilson's intervals.

    Parameters
    ----------
    of : a class, to see its probability beside its share instead of the confidence beside the share that is right

    >>> curve = reliability(["good", "bad"], [[0.1, 0.9], [0.4, 0.6]], ["bad", "good"], 2)
    >>> curve.predicted.tolist(), curve.observed.tolist()
    ([0.6, 0.9], [0.0, 1.0])
    """
    hit, sure = _event(y, P, classes, of)
    return calibration.calibration_curve(hit, sure, n_bins, strategy, level=level)


def expected_calibration_error(
    y: ArrayLike,
    P: ArrayLike,
    classes: Iterable[Any],
    n_bins: int = 15,
    strategy: Strategy = "uniform",
    *,
    of: Any = None,
) -> float:
    """Give ECE of the confidence, or of the probability of one class; 15 bins of equal width as Guo et al. (2017).

    Chance alone makes it positive, the more so the fewer posts: compare classifiers on the same ones.

    >>> expected_calibration_error(["good", "bad"], [[0.1, 0.9], [0.4, 0.6]], ["bad", "good"])  # (0.1 + 0.6) / 2
    0.35
    """
    hit, sure = _event(y, P, classes, of)
    return calibration.expected_calibration_error(hit, sure, n_bins, strategy)


class Mended:
    """Probabilities Q_k ∝ exp(a log P_k + b_k).

    Parameters
    ----------
    a : 1 leaves how sure it is, below 1 it was too sure
    b : (K,) of which the last is 0
    """

    def __init__(self, a: float, b: ArrayLike) -> None:
        self.a, self.b = a, np.asarray(b, dtype=float)

    def __call__(self, P: ArrayLike) -> Floats:
        """Give Q (n, K)."""
        return softmax(self.a * _logs(np.asarray(P)) + self.b, axis=1)


def mend(y: ArrayLike, P: ArrayLike, classes: Iterable[Any]) -> Mended:
    """Learn a and b on held-out posts, which the classifier has not seen.

    >>> P = np.array([[0.9, 0.1], [0.1, 0.9]] * 500)  # says 0.9 and is right in 7 of 10
    >>> y = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0] * 50
    >>> mend(y, P, [0, 1])([[0.9, 0.1]]).round(2)
    array([[0.7, 0.3]])
    """
    prob, true, names = _checked(y, P, classes)
    theta = newton(_logs(prob), np.eye(len(names))[true], np.ones(len(prob)))
    return Mended(float(theta[0]), np.r_[theta[1:], 0.0])


def newton(L: Floats, T: Floats, w: Floats, start: Floats | None = None, steps: int = 50) -> Floats:
    """Minimise -Σ_i w_i log Q_{i, y_i} + ½ ‖θ - (1, 0, …, 0)‖² over θ = (a, b_1 … b_{K-1}).

    The quadratic term weighs as little as a few posts and keeps θ finite where P separates the classes.

    Parameters
    ----------
    L, T : (n, K) log P and one-hot truth
    w : (n,) weight of each post
    start : (K,) θ to begin from
    """
    k = L.shape[1]
    none = np.eye(k)[0]
    theta = none.copy() if start is None else start.copy()
    F = np.zeros((*L.shape, k))  # (n, K, m): the features of class k are log P_k and which class it is
    F[..., 0], F[:, np.arange(k - 1), np.arange(1, k)] = L, 1.0
    rows = F.reshape(-1, k)

    def cost(at: Floats) -> tuple[float, Floats]:
        z = F @ at
        e = np.exp(z - z.max(axis=1, keepdims=True))
        own = (T * z).sum(axis=1) - z.max(axis=1) - np.log(e.sum(axis=1))
        return float(((at - none) ** 2).sum() / 2 - w @ own), e / e.sum(axis=1, keepdims=True)

    here, Q = cost(theta)
    for _ in range(steps):
        g = rows.T @ (w[:, None] * (Q - T)).ravel() + theta - none
        mean = (Q[..., None] * F).sum(axis=1)  # (n, m)
        H = rows.T @ ((w[:, None] * Q).reshape(-1, 1) * rows) - mean.T @ (w[:, None] * mean) + np.eye(k)
        step, t = np.linalg.solve(H, g), 1.0
        while (after := cost(theta - t * step))[0] > here and t > 1e-8:
            t /= 2
        theta, (here, Q) = theta - t * step, after
        if np.abs(t * step).max() < 1e-6:
            break
    return theta


def _logs(P: NDArray) -> Floats:
    return np.log(np.maximum(np.asarray(P, dtype=float), SMALLEST))


def _event(y: ArrayLike, P: ArrayLike, classes: Iterable[Any], of: Any) -> tuple[NDArray, NDArray]:
    prob, true, names = _checked(y, P, classes)
    if of is None:
        return (prob.argmax(axis=1) == true).astype(int), prob.max(axis=1)
    if of not in names:
        raise UsageError(f"{of!r} is not one of {names}")
    return (true == names.index(of)).astype(int), prob[:, names.index(of)]


def probabilities(P: ArrayLike, k: int) -> NDArray:
    """Give P as an array (n, k) whose rows are probabilities that add up to 1."""
    prob = np.asarray(P)
    if prob.ndim != 2 or prob.shape[1] != k or not len(prob):
        raise UsageError(f"probabilities have shape {prob.shape}; needed is a row per post and one of {k} columns")
    if not np.issubdtype(prob.dtype, np.floating):
        prob = prob.astype(float)
    bad = ~((prob >= 0).all(axis=1) & (np.abs(prob.sum(axis=1, dtype=float) - 1) < 1e-3))
    if bad.any():
        raise UsageError(f"row {bad.argmax()}: {prob[bad.argmax()]} are not probabilities that add up to 1")
    return prob


def _checked(y: ArrayLike, P: ArrayLike, classes: Iterable[Any]) -> tuple[NDArray, NDArray, list[Any]]:
    names, (true,) = codes(y, classes=classes)
    prob = probabilities(P, len(names))
    if len(prob) != len(true):
        raise UsageError(f"{len(true)} labels and {len(prob)} rows of probabilities: each post needs both")
    return prob, true, names
