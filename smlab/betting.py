"""Means of outcomes within bounds, valid at every look and from the first person, by betting against each value.

A gambler who holds that the mean is not m starts with 1 and stakes λ_i on the next outcome X_i in [0, 1]:

    K⁺_t(m) = Π (1 + λ⁺_i (X_i - m)),      K⁻_t(m) = Π (1 - λ⁻_i (X_i - m))

If m is the mean, the capital does not grow on average, so the chance that it ever reaches 1/α is at most α (Ville).
Two gamblers with half the money each, one for a higher and one for a lower mean, leave as the confidence sequence

    {m: max(K⁺_t(m), K⁻_t(m)) < 2/α}

an interval at each t; the mean is in all of them together with probability 1 - α. No normality, no burn-in: this is
exact, for a click rate of one in a thousand as for shares. The stakes look at the past only,

    λ_t = √(2 log(2/α) / (s²_{t-1} t log(t + 1))),    λ⁺ = min(λ, ½/m),    λ⁻ = min(λ, ½/(1 - m)),

with the running mean and variance s², started at ½ and ¼. Each outcome is needed, in the order in which it came.

Reference: Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting, theorem 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError

Floats = NDArray[np.float64]
STEPS = 30  # halvings of [0, 1]: limits are known to 1e-9
MOST = 0.5  # of its money a gambler may lose at one outcome


class Course(NamedTuple):
    """Means, or differences or lifts of means, with their confidence sequence at looks of n people in all."""

    n: NDArray[np.int64]
    value: Floats
    low: Floats
    high: Floats


def mean(
    outcomes: ArrayLike,
    *,
    looks: ArrayLike | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> Course:
    """Give the confidence sequence of a mean.

    Parameters
    ----------
    outcomes : (..., people) in the order in which they came
    looks : (looks,) people at each look; if None about 20, each a third later than the one before
    bounds : that no outcome can leave, known beforehand

    Raises
    ------
    UsageError
        For outcomes that are missing or out of bounds, or looks out of order.

    >>> found = mean([0, 1, 0, 0, 1] * 200, looks=[10, 100, 1000])
    >>> found.low.round(2), found.high.round(2)
    (array([0.05, 0.25, 0.33]), array([0.8 , 0.55, 0.46]))
    """
    x, at = _outcomes(outcomes, bounds), _looks(looks, np.shape(outcomes)[-1])
    stake = stakes(x, level)
    ends = [np.stack([_limit(x[..., :n], stake[..., :n], level, side) for n in at], axis=-1) for side in (1, -1)]
    low, high = np.maximum.accumulate(ends[0], axis=-1), np.minimum.accumulate(ends[1], axis=-1)
    start, width = bounds[0], bounds[1] - bounds[0]
    value = x.cumsum(axis=-1)[..., at - 1] / at
    return Course(at, *(start + width * part for part in (value, low, high)))


def two_means(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    looks: ArrayLike | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    relative: bool = False,
    level: float = 0.95,
) -> Course:
    """Give the confidence sequence of treatment less control, or of treatment/control - 1, after n people of each arm.

    Each arm's mean gets half the error, so both hold together (wider than need be, by a third or so). A lift needs
    outcomes of 0 or more, and has no upper end while the control may be 0.

    >>> found = two_means([0, 1, 0, 0, 1] * 200, [1, 1, 0, 0, 1] * 200, looks=[1000])
    >>> f"{found.value[0]:.2f} [{found.low[0]:.2f}, {found.high[0]:.2f}]"
    '0.20 [0.07, 0.34]'
    """
    n = min(np.shape(control)[-1], np.shape(treatment)[-1])
    at = _looks(looks, n)
    a, b = (mean(x, looks=at, bounds=bounds, level=(1 + level) / 2) for x in (control, treatment))
    if not relative:
        return Course(2 * at, b.value - a.value, b.low - a.high, b.high - a.low)
    if bounds[0] < 0:
        raise UsageError(f"bounds={bounds}: a lift needs outcomes of 0 or more")
    with np.errstate(divide="ignore", invalid="ignore"):
        return Course(2 * at, b.value / a.value - 1, b.low / a.high - 1, b.high / a.low - 1)


def capital(outcomes: ArrayLike, m: float, *, bounds: tuple[float, float] = (0.0, 1.0), level: float = 0.95) -> Floats:
    """Give what the two gamblers against the mean m have after each outcome, max(K⁺, K⁻)/2 (..., people).

    m is rejected, for good, once this reaches 1/α; 1 over its highest value so far is an always-valid p-value.

    >>> bool(capital([0, 1, 0, 0, 1] * 50, 0.7).max() > 20), bool(capital([0, 1, 0, 0, 1] * 50, 0.4).max() > 20)
    (True, False)
    """
    x = _outcomes(outcomes, bounds)
    mu, stake = (m - bounds[0]) / (bounds[1] - bounds[0]), stakes(x, level)
    if not 0 < mu < 1:
        raise UsageError(f"m={m} must lie within the bounds {bounds}")
    grown = [np.cumsum(_growth(x, stake, mu, side), axis=-1) for side in (1, -1)]
    return np.exp(np.maximum(*grown)) / 2


def stakes(x: Floats, level: float) -> Floats:
    """Give λ_t before it is cut (..., people), from the outcomes before t only."""
    t = np.arange(1, x.shape[-1] + 1)
    mu = (0.5 + x.cumsum(axis=-1)) / (t + 1)
    s2 = (0.25 + ((x - mu) ** 2).cumsum(axis=-1)) / (t + 1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), 0.25), s2[..., :-1]], axis=-1)
    return np.sqrt(2 * np.log(2 / (1 - level)) / (before * t * np.log(t + 1)))


def _growth(x: Floats, stake: Floats, m: float | Floats, side: int) -> Floats:
    """Give log(1 ± λ (x - m)), with λ cut so that no more than MOST can be lost at once."""
    room = m if side > 0 else 1 - m
    return np.log1p(side * np.minimum(stake, MOST / np.maximum(room, 1e-12)) * (x - m))


def _limit(x: Floats, stake: Floats, level: float, side: int) -> Floats:
    """Find the end of {m: K(m) < 2/α} by halving, (...,); K⁺ falls in m and K⁻ rises, so there is one."""
    enough = np.log(2 / (1 - level))
    out, within = (np.full(x.shape[:-1], end) for end in ((0.0, 1.0) if side > 0 else (1.0, 0.0)))
    for _ in range(STEPS):
        m = (out + within) / 2
        rejected = _growth(x, stake, m[..., None], side).sum(axis=-1) >= enough
        out, within = np.where(rejected, m, out), np.where(rejected, within, m)
    return out


def _outcomes(outcomes: ArrayLike, bounds: tuple[float, float]) -> Floats:
    low, high = bounds
    x = np.asarray(outcomes, dtype=float)
    if x.ndim == 0 or x.shape[-1] == 0 or not low < high:
        raise UsageError(f"outcomes of shape {x.shape} within {bounds}: needed are one or more, and a range")
    wrong = ~((x >= low) & (x <= high))
    if wrong.any():
        raise UsageError(f"outcome {x[wrong][0]:g} must lie within the bounds {bounds} (and {wrong.sum() - 1} more)")
    return (x - low) / (high - low)


def _looks(looks: ArrayLike | None, n: int) -> NDArray[np.int64]:
    at = np.unique(np.geomspace(min(10, n), n, 24).round()) if looks is None else np.atleast_1d(looks)
    if not (at >= 1).all() or (np.diff(at) <= 0).any() or at[-1] > n:
        raise UsageError(f"looks={at.tolist()} must rise from 1 to at most {n}, the people there are")
    return at.astype(np.int64)
