"""Which of two rates is better, as probabilities: a beta prior, the clicks, and what a wrong choice would cost.

    p ~ Beta(α, β),  k | p ~ Binomial(n, p)   gives   p | k ~ Beta(α + k, β + n - k)

    P(p_B > p_A) = ∫ f_B(x) F_A(x) dx
    loss of choosing B = E max(p_A - p_B, 0) = μ_A P(p_A' > p_B) - μ_B P(p_A > p_B')

where p' is Beta(α + 1, β), for x f(x) is μ times that density. Miller (2015) writes the integral as a sum; here it is a
trapezoid rule in logit x, where a beta density is smooth and falls off on both sides, so that some 80 points give it to
about 1e-11. Whoever chooses what loses least, and stops where that is below a threshold, loses on average what the
figure says (Stucchio 2015), provided that the prior is right: a flat one says that any rate is as likely as any other.
Take it from past campaigns by `pooling.pool`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise
from scipy.special import betainc, betaincinv, expit

from smlab.checks import UsageError
from smlab.metrics import Interval

Floats = NDArray[np.float64]
LEAST = 0.1  # of α and β; below it a rate hugs 0 or 1 so closely that the rule is no longer exact


@dataclass(frozen=True)
class Beliefs:
    """What is known of two rates; numbers, or arrays over experiments.

    Parameters
    ----------
    a, b : (α, β) of control and treatment after the data
    better : P(p_B > p_A)
    loss_keep, loss_ship : what keeping A, or choosing B, is expected to cost, in the unit of the rate
    """

    a: tuple[Floats, Floats]
    b: tuple[Floats, Floats]
    better: Floats
    loss_keep: Floats
    loss_ship: Floats

    def choose(self, threshold: float) -> NDArray[np.str_]:
        """Say "ship" or "keep" where the lesser loss is below the threshold, "go on" elsewhere."""
        if not threshold > 0:
            raise UsageError(f"threshold={threshold} must be above 0: the loss in the rate that does not matter")
        sure = np.minimum(self.loss_keep, self.loss_ship) < threshold
        return np.where(sure, np.where(self.loss_ship < self.loss_keep, "ship", "keep"), "go on")[()]

    def rates(self, *, level: float = 0.95) -> tuple[Interval, Interval]:
        """Give the rate of each arm of one experiment with its central credible interval."""
        one, two = (credible(*shape, level=level) for shape in (self.a, self.b))
        return Interval(*(float(x) for x in one)), Interval(*(float(x) for x in two))

    def difference(self, *, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Give p_B - p_A: mean and ends of the central credible interval."""
        _need_level(level)
        shapes = np.broadcast_arrays(*self.a, *self.b)

        def below(d: Floats, share: Floats, *s: Floats) -> Floats:
            return 1 - _exceeds((s[2], s[3]), (s[0], s[1]), d) - share

        ends = []
        for share in ((1 - level) / 2, (1 + level) / 2):
            bracket = (np.full(shapes[0].shape, -1.0), np.full(shapes[0].shape, 1.0))
            ends.append(elementwise.find_root(below, bracket, args=(share, *shapes), tolerances={"xatol": 1e-10}).x)
        return _mean(self.b) - _mean(self.a), ends[0], ends[1]


def beliefs(
    clicks_a: ArrayLike,
    n_a: ArrayLike,
    clicks_b: ArrayLike,
    n_b: ArrayLike,
    *,
    prior: tuple[float, float] = (1.0, 1.0),
    prior_b: tuple[float, float] | None = None,
) -> Beliefs:
    """Compare two rates as beliefs.

    Parameters
    ----------
    clicks_a, n_a, clicks_b, n_b : counts of control A and treatment B
    prior : (α, β) of both rates, such as `(pooled.alpha, pooled.beta)` of past campaigns
    prior_b : of B, where it differs

    Raises
    ------
    UsageError
        For counts that cannot be, or a prior with α or β below 0.1.

    >>> found = beliefs(120, 1000, 140, 1000)
    >>> f"{found.better:.4f}; ship costs {found.loss_ship:.5f}, keep {found.loss_keep:.5f}"
    '0.9079; ship costs 0.00065, keep 0.02061'
    """
    shapes = []
    for name, k, n, (alpha, beta) in (("a", clicks_a, n_a, prior), ("b", clicks_b, n_b, prior_b or prior)):
        clicks, size = _counts(name, k, n)
        if not (np.isfinite([alpha, beta]).all() and min(alpha, beta) >= LEAST):
            raise UsageError(f"prior=({alpha}, {beta}): both must be {LEAST} or more, and finite")
        shapes.append((alpha + clicks, beta + size - clicks))
    a, b = shapes
    more_a, more_b = (a[0] + 1, a[1]), (b[0] + 1, b[1])
    top_a, top_b = _exceeds(more_a, b), _exceeds(more_b, a)
    ship = _mean(a) * top_a - _mean(b) * (1 - top_b)
    keep = _mean(b) * top_b - _mean(a) * (1 - top_a)
    return Beliefs(a, b, _exceeds(b, a), np.maximum(keep, 0), np.maximum(ship, 0))


def credible(alpha: ArrayLike, beta: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Give mean and ends of the central credible interval of Beta(α, β).

    >>> [round(float(x), 4) for x in credible(1 + 120, 1 + 880)]
    [0.1208, 0.1013, 0.1416]
    """
    _need_level(level)
    a, b = np.asarray(alpha, dtype=float), np.asarray(beta, dtype=float)
    low, high = (betaincinv(a, b, share) for share in ((1 - level) / 2, (1 + level) / 2))
    return a / (a + b), low, high


def bayes_rule(prior: Mapping[str, float], likelihood: Mapping[str, float]) -> dict[str, float]:
    """Turn P(seen | state) into P(state | seen) = P(seen | state) P(state) / Σ over states.

    Parameters
    ----------
    prior : P(state), adding up to 1
    likelihood : P(seen | state) for the same states; these do not add up to 1, and are not what is sought

    Raises
    ------
    UsageError
        For states that differ, shares outside [0, 1], or something seen that no state allows.

    Six in ten like the topic; of those three in ten are shown the article, of the others seven in ten. The article
    is shown with probability 0.6·0.3 + 0.4·0.7 = 0.46, and who is shown it likes the topic with 0.18/0.46:

    >>> {state: round(p, 3) for state, p in bayes_rule({"like": 0.6, "not": 0.4}, {"like": 0.3, "not": 0.7}).items()}
    {'like': 0.391, 'not': 0.609}
    """
    if set(prior) != set(likelihood):
        raise UsageError(
            f"prior knows the states {sorted(prior)}, likelihood {sorted(likelihood)}: they must be the same"
        )
    for name, shares in (("prior", prior), ("likelihood", likelihood)):
        for state, p in shares.items():
            if not (isinstance(p, int | float) and 0 <= p <= 1):
                raise UsageError(f"{name} of {state!r} is {p!r}; a probability lies between 0 and 1")
    if abs(sum(prior.values()) - 1) > 1e-9:
        raise UsageError(f"the prior adds up to {sum(prior.values()):.4g}; it must to 1")
    both = {state: prior[state] * likelihood[state] for state in prior}
    total = sum(both.values())
    if total == 0:
        raise UsageError("no state allows what was seen: its probability is 0")
    return {state: p / total for state, p in both.items()}


def _exceeds(p: tuple[Floats, Floats], q: tuple[Floats, Floats], by: ArrayLike = 0.0) -> Floats:
    """Give P(p > q + by) for beta p and q, by the density of the narrower and the distribution of the other."""
    a, b, c, d, shift = np.broadcast_arrays(*p, *q, np.asarray(by, dtype=float))
    narrow = _spread(a, b) <= _spread(c, d)
    at, w = _points(np.where(narrow, a, c), np.where(narrow, b, d))
    step = (np.where(narrow, -1, 1) * shift)[..., None]  # p - by against q, or q + by against p
    x, rest = expit(at) + step, expit(-at) - step  # near 1 only the rest is exact
    one, two = np.where(narrow, c, a)[..., None], np.where(narrow, d, b)[..., None]
    low = x < 0.5
    part = betainc(np.where(low, one, two), np.where(low, two, one), np.clip(np.where(low, x, rest), 0, 1))
    inside = (w * np.where(low, part, 1 - part)).sum(axis=-1)
    return cast(Floats, np.clip(np.where(narrow, inside, 1 - inside), 0, 1)[()])


def _points(alpha: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Give logit x and weights (..., n) of Beta(α, β), evenly spaced between its outermost quantiles."""
    tail = 1e-17
    low, high = betaincinv(alpha, beta, tail), betaincinv(beta, alpha, tail)  # the upper end as 1 - x
    first, last = np.log(low) - np.log1p(-low), np.log1p(-high) - np.log(high)
    n = max(80, int((last - first).max() / 0.3))  # 0.3 in logit x, or 1/5 of the spread, whichever is finer
    at = np.linspace(first, last, n, axis=-1)
    log_density = -alpha[..., None] * np.logaddexp(0, -at) - beta[..., None] * np.logaddexp(0, at)
    w = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    return at, w / w.sum(axis=-1, keepdims=True)


def _mean(shape: tuple[Floats, Floats]) -> Floats:
    return shape[0] / (shape[0] + shape[1])


def _spread(a: Floats, b: Floats) -> Floats:
    return a * b / ((a + b) ** 2 * (a + b + 1))


def _counts(name: str, clicks: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    try:
        k, size = np.broadcast_arrays(np.asarray(clicks, dtype=float), np.asarray(n, dtype=float))
    except (TypeError, ValueError):
        raise UsageError(f"clicks_{name} and n_{name} must be numbers, one each") from None
    wrong = ~((k >= 0) & (k <= size) & np.isfinite(size))
    if wrong.any():
        at = int(wrong.ravel().argmax())
        raise UsageError(f"clicks_{name}={k.ravel()[at]:g} of n_{name}={size.ravel()[at]:g} cannot be")
    return k, size


def _need_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"level={level} must lie between 0 and 1; 0.95 is usual")
