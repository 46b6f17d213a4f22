"""How many people does a test need, and how many days? Sample size, power, and what a test can see at all.

Two groups of n people each, of whom shares p₁ and p₂ click; p̄ = (p₁ + p₂)/2. The test of two proportions rejects where
|p̂₁ - p̂₂| > z √(2 p̄̂(1 - p̄̂)/n), z = z_{1-α/2}. To see the difference with probability 1 - β it needs in each group

    n = (z √(2 p̄(1 - p̄)) + z_{1-β} √(p₁(1 - p₁) + p₂(1 - p₂)))² / (p₁ - p₂)²

as in Fleiss, Levin & Paik (2003), chapter 4, and Lachin (1981). Means whose units have variance s² are compared by a t
test, which sees a difference d in groups of n₁ and n₂ = r n₁ with probability

    P(|T| > t_{1-α/2}),    T noncentral t with n₁ + n₂ - 2 degrees of freedom and d / (s √(1/n₁ + 1/n₂))

A ratio such as clicks per view is a mean whose s² is that of `abtest.ratio`; and where what is known of each unit
before the start explains a share R² of the variance, as `cuped` has it, s² (1 - R²) takes the place of s². Left out:
tests that are looked at before their end.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import nct, norm
from scipy.stats import t as student

from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.metrics import Interval

Floats = NDArray[np.float64]


def sample_size(p1: float, p2: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Give the people that each group needs: the formula above, rounded up.

    >>> sample_size(0.5, 0.75, power=0.9)  # power.prop.test of R gives 76.7
    77
    """
    _need_rates(p1=p1, p2=p2)
    _need_inside(power=power, level=level)
    if p1 == p2:
        raise UsageError(f"p1 and p2 are both {p1}: no number of people shows a difference that is not there")
    a, b = _spreads(p1, p2)
    n = (norm.ppf(1 - level / 2) * a + norm.ppf(power) * b) ** 2 / (p1 - p2) ** 2
    return int(np.ceil(n - 1e-9))


def power(p1: ArrayLike, p2: ArrayLike, n: ArrayLike, *, level: float = 0.05) -> Floats:
    """Give the probability that groups of n people each show the difference, the formula solved for 1 - β.

    Φ((|p₁ - p₂| √n - z √(2 p̄(1 - p̄))) / √(p₁(1 - p₁) + p₂(1 - p₂))); the chance of rejecting on the wrong side is
    left out, as there.

    >>> power(0.5, 0.75, 50).round(3)  # power.prop.test of R gives 0.740
    np.float64(0.74)
    """
    _need_inside(level=level)
    _need_rates(p1=p1, p2=p2)
    q1, q2, size = (np.asarray(x, dtype=float) for x in (p1, p2, n))
    a, b = _spreads(q1, q2)
    return cast(Floats, norm.cdf((np.abs(q1 - q2) * np.sqrt(size) - norm.ppf(1 - level / 2) * a) / b))


def detectable(p1: float, n: int, *, power: float = 0.8, level: float = 0.05) -> float:
    """Give the least difference p₂ - p₁ > 0 that groups of n people each show with this power.

    >>> round(detectable(0.5, 50, power=0.9), 4)  # power.prop.test of R gives p2 = 0.8026
    0.3026
    """
    _need_rates(p1=p1)
    _need_inside(power=power, level=level)

    def lack(p2: float) -> float:
        a, b = _spreads(p1, p2)
        return float((p2 - p1) * np.sqrt(n) - norm.ppf(1 - level / 2) * a - norm.ppf(power) * b)

    if lack(1 - 1e-12) < 0:
        raise UsageError(f"n={n}: with p1={p1} so few people show no difference, however large")
    return float(brentq(lack, p1, 1 - 1e-12)) - p1


def sample_size_of_means(
    difference: float,
    variance: float,
    *,
    saved: float = 0.0,
    ratio: float = 1.0,
    power: float = 0.8,
    level: float = 0.05,
) -> int:
    """Give the people n₁ that the control needs; the treatment gets `ratio` times as many.

    Parameters
    ----------
    difference : d, of the means, in the outcome's unit
    variance : s² of one unit's outcome (the square of the standard deviation)
    saved : R², the share of s² that is known from before (0 without CUPED)

    >>> sample_size_of_means(1, 1, power=0.90)  # power.t.test of R gives 22.02
    23
    >>> sample_size_of_means(1, 1, saved=0.5, power=0.90)  # about half
    12
    """
    _need_inside(power=power, level=level)
    _need_spread(variance, saved, ratio)
    if not (np.isfinite(difference) and difference != 0):
        raise UsageError(f"difference={difference}: no number of people shows a difference that is not there")

    def lack(n: float) -> float:
        return float(power_of_means(difference, variance, n, saved=saved, ratio=ratio, level=level)) - power

    z = norm.ppf(1 - level / 2) + norm.ppf(power)
    many = float(z**2 * variance * (1 - saved) * (1 + 1 / ratio) / difference**2) + 4
    least = max(2.0, 2 / ratio)
    return int(np.ceil(least if lack(least) >= 0 else brentq(lack, least, 3 * many + least) - 1e-9))


def power_of_means(
    difference: ArrayLike,
    variance: ArrayLike,
    n: ArrayLike,
    *,
    saved: float = 0.0,
    ratio: float = 1.0,
    level: float = 0.05,
) -> Floats:
    """Give the probability that n people in the control and `ratio` times as many in the treatment show d.

    >>> power_of_means(1, 1, 20).round(4)  # power.t.test of R gives 0.8690
    np.float64(0.869)
    """
    _need_inside(level=level)
    _need_spread(variance, saved, ratio)
    d, s2, n1 = (np.asarray(x, dtype=float) for x in (difference, variance, n))
    if not (n1 * min(ratio, 1) >= 1).all() or not (n1 * (1 + ratio) > 2).all():
        raise UsageError(f"n={n!r} people are too few: each group needs one, both together three")
    df, away = n1 * (1 + ratio) - 2, np.abs(d) / np.sqrt(s2 * (1 - saved) * (1 + 1 / ratio) / n1)
    t = student.ppf(1 - level / 2, df)
    right, left = nct.sf(t, df, away), nct.cdf(-t, df, away)  # NaN where they are 1 and 0 but for less than 1e-16
    return cast(Floats, np.where(np.isnan(right), away > t, right) + np.where(np.isnan(left), 0, left))


def detectable_of_means(
    variance: float, n: int, *, saved: float = 0.0, ratio: float = 1.0, power: float = 0.8, level: float = 0.05
) -> float:
    """Give the least difference of means that n people in the control show with this power.

    >>> round(detectable_of_means(1, 20, power=0.9), 4)  # sees this with probability 0.9000
    1.052
    """
    _need_inside(power=power)
    power_of_means(1, variance, n, saved=saved, ratio=ratio, level=level)  # refuses what cannot be
    unit = float(np.sqrt(variance * (1 - saved)))

    def lack(d: float) -> float:
        return float(power_of_means(d * unit, variance, n, saved=saved, ratio=ratio, level=level)) - power

    top = 1.0
    while lack(top) < 0:
        top *= 2
    return unit * float(brentq(lack, 0, top, xtol=1e-12)) if lack(0) < 0 else 0.0


def days(n: float, per_day: float, *, share: float = 1.0, growth: float = 1.0, weeks: bool = True) -> int:
    """Give the days until n people, of all groups together, have come.

    After t days per_day · share · t^growth people have been seen: with growth 1 each day brings new ones; where the
    same come back it is less, which the first days of any test show.

    Parameters
    ----------
    per_day : people of the first day
    share : of them who take part
    weeks : whether to end with a whole week, for weekdays differ

    >>> days(2 * sample_size(0.05, 0.055), 4000, share=0.5)  # 31,234 in each group
    35
    """
    if not (n > 0 and per_day > 0 and np.isfinite([n, per_day]).all()):
        raise UsageError(f"n={n} and per_day={per_day} must be above 0")
    if not (0 < share <= 1 and 0 < growth <= 1):
        raise UsageError(f"share={share} and growth={growth} must be above 0 and at most 1")
    t = (n / (per_day * share)) ** (1 / growth)
    whole = int(np.ceil(t - 1e-9))
    return -(-whole // 7) * 7 if weeks else whole


def simulated_power(
    p1: float, p2: float, n: int, *, n_tests: int = 2000, level: float = 0.05, seed: int = 0
) -> Interval:
    """Give the share of simulated tests that show the difference, with Wilson's interval.

    People who are drawn at random and click with chances of their own click as often as if all had the mean chance,
    so a group's clicks are binomial.

    >>> f"{simulated_power(0.1, 0.12, 4000):.2f}"  # by the formula 0.81
    '0.81 [0.79, 0.83]'
    """
    clicks = simulate(p1, p2, n, n_tests=n_tests, seed=seed)
    hits = int((two_rates(clicks[:, 0], n, clicks[:, 1], n).p < level).sum())
    low, high = wilson(hits, n_tests)
    return Interval(hits / n_tests, float(low), float(high))


def simulate(p1: float, p2: float, n: int, *, n_tests: int = 2000, seed: int = 0) -> NDArray[np.int64]:
    """Draw the clicks of both groups in many tests, (n_tests, 2)."""
    _need_rates(p1=p1, p2=p2)
    if n < 1 or n_tests < 1:
        raise UsageError(f"n={n} people and n_tests={n_tests} must be whole numbers above 0")
    return np.random.default_rng(seed).binomial(n, [p1, p2], size=(n_tests, 2))


class Comparison(NamedTuple):
    """The difference of rates, second less first, with its interval and the p-value; numbers or arrays."""

    difference: Floats
    low: Floats
    high: Floats
    p: Floats


def two_rates(
    clicks1: ArrayLike, n1: ArrayLike, clicks2: ArrayLike, n2: ArrayLike, *, level: float = 0.95
) -> Comparison:
    """Compare two rates: the pooled z-test, and Newcombe's interval (1998, his method 10) from two of Wilson's.

    d - √((p̂₂ - l₂)² + (u₁ - p̂₁)²)  to  d + √((u₂ - p̂₂)² + (p̂₁ - l₁)²),  d = p̂₂ - p̂₁

    >>> found = two_rates(48, 80, 56, 70)  # Newcombe's table II, (a): 56/70 - 48/80
    >>> [round(float(x), 4) for x in found[:3]]
    [0.2, 0.0524, 0.3339]
    """
    x1, m1, x2, m2 = (np.asarray(x, dtype=float) for x in (clicks1, n1, clicks2, n2))
    q1, q2, pooled = x1 / m1, x2 / m2, (x1 + x2) / (m1 + m2)
    (l1, u1), (l2, u2) = wilson(x1, m1, level=level), wilson(x2, m2, level=level)
    d = q2 - q1
    se = np.sqrt(pooled * (1 - pooled) * (1 / m1 + 1 / m2))
    z = np.divide(d, se, out=np.zeros(np.shape(d)), where=se > 0)
    low, high = d - np.hypot(q2 - l2, u1 - q1), d + np.hypot(u2 - q2, q1 - l1)
    return Comparison(d, low, high, np.asarray(2 * norm.sf(np.abs(z))))


def _spreads(p1: ArrayLike, p2: ArrayLike) -> tuple[Floats, Floats]:
    """Give √(2 p̄(1 - p̄)), as if there were no difference, and √(p₁(1 - p₁) + p₂(1 - p₂)), with it."""
    q1, q2 = np.asarray(p1, dtype=float), np.asarray(p2, dtype=float)
    mean = (q1 + q2) / 2
    return np.sqrt(2 * mean * (1 - mean)), np.sqrt(q1 * (1 - q1) + q2 * (1 - q2))


def _need_rates(**rates: Any) -> None:
    for name, p in rates.items():
        if not ((np.asarray(p) > 0) & (np.asarray(p) < 1)).all():
            raise UsageError(f"{name}={p} must lie between 0 and 1: a rate, not percent")


def _need_spread(variance: ArrayLike, saved: float, ratio: float) -> None:
    if not (np.isfinite(variance) & (np.asarray(variance) > 0)).all():
        raise UsageError(f"variance={variance!r} must be above 0: a unit's, in the square of the outcome's unit")
    if not 0 <= saved < 1:
        raise UsageError(f"saved={saved} must be 0 or more and below 1: the share of the variance known from before")
    if not (np.isfinite(ratio) and ratio > 0):
        raise UsageError(f"ratio={ratio} must be above 0: people in the treatment for each in the control")


def _need_inside(**shares: float) -> None:
    for name, x in shares.items():
        if not 0 < x < 1:
            raise UsageError(f"{name}={x} must lie between 0 and 1")
