"""Did the change help? Two arms compared once, at the end: rates, means, ratios, and the lift.

An arm of n units is known by its sums (n, mean m, variance s²). Two arms give

    d = m₁ - m₀,    se² = s₀²/n₀ + s₁²/n₁,    d ± t se,    t with Welch's (1947) degrees of freedom

A ratio of sums, such as clicks per view where users were drawn, is Σy/Σx = R; by the delta method its sums are those
of the linearised values R + (y - R x)/x̄ (Deng, Knoblich & Lu 2018). The lift m₁/m₀ - 1 has Fieller's (1954)
interval: all R for which m₁ - R m₀ does not differ from 0.

Any number of experiments at once: arrays with the first axis the experiment. Left out: looking before the end, which
needs `sequential`; and a mean's interval is right only where the mean is nearly normal. Revenue (3 % buy, amounts
lognormal with σ = 1) keeps the level of 5 % from 2,000 units in each of two equal arms. Where one arm has a tenth of
all units it errs in 9 of 100 with 1,000 units in that arm and in 5.4 with 50,000: make arms alike. Ratios need 400.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlab.calibration import wilson, z_value
from smlab.checks import UsageError, nearest, shorten
from smlab.metrics import Interval
from smlab.power import two_rates

Floats = NDArray[np.float64]


class Sums(NamedTuple):
    """What is needed of an arm: units, mean, variance (divided by n - 1); numbers or arrays over experiments."""

    n: Floats
    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class Effect:
    """What the treatment changed, with intervals; numbers, or arrays over experiments.

    Parameters
    ----------
    control, treatment : the outcome of each arm: a rate, a mean or a ratio
    difference, low, high : treatment less control
    p : of no difference, two-sided
    lift, lift_low, lift_high : treatment / control - 1; NaN where the control is not above 0, and an end without bound
        is infinite
    se : standard error of the difference
    n_control, n_treatment : units
    level : of the intervals
    """

    control: Floats
    treatment: Floats
    difference: Floats
    low: Floats
    high: Floats
    p: Floats
    lift: Floats
    lift_low: Floats
    lift_high: Floats
    se: Floats
    n_control: Floats
    n_treatment: Floats
    level: float

    @property
    def interval(self) -> Interval:
        """The difference of one experiment as an interval."""
        return Interval(float(self.difference), float(self.low), float(self.high))

    @property
    def lift_interval(self) -> Interval:
        """The lift of one experiment as an interval."""
        return Interval(float(self.lift), float(self.lift_low), float(self.lift_high))


def rates(
    clicks0: ArrayLike,
    n0: ArrayLike,
    clicks1: ArrayLike,
    n1: ArrayLike,
    *,
    test: Literal["z", "fisher", "boschloo"] = "z",
    interval: Literal["newcombe", "agresti-caffo"] = "newcombe",
    level: float = 0.95,
) -> Effect:
    """Compare the rates of control (0) and treatment (1).

    Parameters
    ----------
    clicks0, n0, clicks1, n1 : counts of units, each with one yes or no
    test : "z" pools the rates, as `power.two_rates` does, and needs about five clicks and five others in each arm;
        "fisher" and "boschloo" (1970) are exact at any count, Boschloo's mostly the more powerful
    interval : of the difference. Newcombe (1998), method 10; or Agresti & Caffo (2000): a click and a miss more in
        each arm, then ± z se. The lift's is of Newcombe's kind (Donner & Zou 2012) and leaves 0 out when that does

    Raises
    ------
    UsageError
        For counts that cannot be.

    >>> found = rates(48, 80, 56, 70)  # Newcombe's table II, (a)
    >>> f"{found.interval:.4f}, lift {found.lift_interval:.2f}, p {found.p:.4f}"
    '0.2000 [0.0524, 0.3339], lift 0.33 [0.08, 0.66], p 0.0080'
    """
    x0, m0, x1, m1 = _counts(clicks0=clicks0, n0=n0, clicks1=clicks1, n1=n1)
    q0, q1 = x0 / m0, x1 / m1
    d, low, high, p = two_rates(x0, m0, x1, m1, level=level)
    if _known("interval", interval, ["newcombe", "agresti-caffo"]) == "agresti-caffo":
        a0, a1 = (x0 + 1) / (m0 + 2), (x1 + 1) / (m1 + 2)
        half = z_value(level) * np.sqrt(a0 * (1 - a0) / (m0 + 2) + a1 * (1 - a1) / (m1 + 2))
        low, high = a1 - a0 - half, a1 - a0 + half
    if _known("test", test, ["z", "fisher", "boschloo"]) != "z":
        p = _exact(x0, m0, x1, m1, test)
    se = np.sqrt(q0 * (1 - q0) / m0 + q1 * (1 - q1) / m1)
    lifts = _lift_of_rates(q0, q1, wilson(x0, m0, level=level), wilson(x1, m1, level=level))
    return Effect(q0, q1, d, low, high, p, *lifts, se, m0, m1, level)


def means(control: Sums | ArrayLike, treatment: Sums | ArrayLike, *, level: float = 0.95) -> Effect:
    """Compare two means by Welch's test, from `Sums` or from values with the units on the last axis.

    Raises
    ------
    UsageError
        Where an arm has fewer than two units, or no unit of either arm differs from its mean.

    >>> found = means([20, 22, 19, 21, 18], [24, 23, 26, 25, 22])
    >>> f"{found.interval:.2f}, lift {found.lift_interval:.3f}, p {found.p:.4f}"
    '4.00 [1.69, 6.31], lift 0.200 [0.080, 0.336], p 0.0039'
    """
    a, b = (_checked(arm, name) for arm, name in ((control, "control"), (treatment, "treatment")))
    v0, v1 = a.variance / a.n, b.variance / b.n
    flat = (v0 + v1) <= 0
    if flat.any():
        raise UsageError(f"{_where(flat)}no unit of either arm differs from the arm's mean: nothing says how sure d is")
    df = (v0 + v1) ** 2 / (v0**2 / (a.n - 1) + v1**2 / (b.n - 1))
    return estimate((a.mean, b.mean), (v0, v1), (a.n, b.n), df=df, level=level)


def estimate(
    mean: tuple[Floats, Floats],
    variance: tuple[Floats, Floats],
    n: tuple[Floats, Floats],
    *,
    covariance: ArrayLike = 0.0,
    df: ArrayLike = np.inf,
    level: float = 0.95,
) -> Effect:
    """Give the effect where the means' own variances are known, and their covariance: d ± t se, and Fieller's lift.

    Parameters
    ----------
    mean, variance, n : of control and treatment; the variance is that of the mean, s²/n
    df : degrees of freedom of t
    """
    (m0, m1), (v0, v1), c = mean, variance, np.asarray(covariance, dtype=float)
    d, se = m1 - m0, np.sqrt(v0 + v1 - 2 * c)
    t = stats.t.ppf(0.5 + _share("level", level) / 2, df)
    p = 2 * stats.t.sf(np.abs(d) / se, df)
    return Effect(m0, m1, d, d - t * se, d + t * se, p, *_fieller(m0, m1, v0, v1, c, t), se, *n, level)


def sums(values: ArrayLike) -> Sums:
    """Give n, mean and variance over the last axis, the units.

    >>> sums([1, 2, 3]).variance
    np.float64(1.0)
    """
    x = _numbers("values", values)
    if x.ndim == 0 or x.shape[-1] < 2:
        raise UsageError(f"values of shape {x.shape}: an arm needs two units or more, on the last axis")
    return Sums(np.full(x.shape[:-1], float(x.shape[-1]))[()], x.mean(axis=-1), x.var(axis=-1, ddof=1))


def by_arm(values: ArrayLike, arm: ArrayLike) -> dict[str, Sums]:
    """Give the sums of each arm of one experiment, from a row for each unit.

    >>> {name: float(s.mean) for name, s in by_arm([1, 2, 3, 5], ["a", "a", "b", "b"]).items()}
    {'a': 1.5, 'b': 4.0}
    """
    x, arms = _numbers("values", values), np.asarray(arm).astype(str)
    if x.ndim != 1 or x.shape != arms.shape:
        raise UsageError(f"values of shape {x.shape} and arm of shape {arms.shape} must be one each for every unit")
    names = np.unique(arms)
    if len(names) < 2:
        raise UsageError(f"all {len(x)} units are in one arm, {str(names[0]) if len(x) else ''!r}: two are needed")
    return {str(name): sums(x[arms == name]) for name in names}


def ratio(y: ArrayLike, x: ArrayLike) -> Sums:
    """Give the sums of R = Σy/Σx, such as clicks per view, over the last axis: the units that were drawn.

    >>> s = ratio([1, 0, 2, 1], [4, 2, 5, 5])  # four users' clicks and views
    >>> f"{s.mean:.2f} ± {np.sqrt(s.variance / s.n):.3f}"
    '0.25 ± 0.068'
    """
    a, b = _numbers("y", y), _numbers("x", x)
    if a.shape != b.shape:
        raise UsageError(f"y has shape {a.shape}, x {b.shape}: a ratio needs both of every unit")
    one, two = sums(a), sums(b)
    both = ((a - one.mean[..., None]) * (b - two.mean[..., None])).sum(axis=-1) / (a.shape[-1] - 1)
    return ratio_of_sums(one.n, one.mean, two.mean, one.variance, two.variance, both)


def ratio_of_sums(
    n: ArrayLike, y: ArrayLike, x: ArrayLike, variance_y: ArrayLike, variance_x: ArrayLike, covariance: ArrayLike
) -> Sums:
    """Give the sums of R = ȳ/x̄: variance (s_yy - 2 R s_xy + R² s_xx) / x̄².

    >>> float(ratio_of_sums(4, 1.0, 4.0, 2 / 3, 2.0, 2 / 3).variance)
    0.028645833333333332
    """
    size, top, below, vy, vx, c = (_numbers("sums", part) for part in (n, y, x, variance_y, variance_x, covariance))
    if (below <= 0).any():
        raise UsageError(f"{_where(below <= 0)}the mean of x, which is divided by, must be above 0")
    r = top / below
    return Sums(size, r, np.maximum(vy - 2 * r * c + r**2 * vx, 0) / below**2)


def _fieller(m0: Floats, m1: Floats, v0: Floats, v1: Floats, c: Floats, t: Floats) -> tuple[Floats, Floats, Floats]:
    """Solve (m₁ - R m₀)² = t² (v₁ - 2 R c + R² v₀); without bound where m₀ does not differ from 0."""
    a, b = m0**2 - t**2 * v0, m0 * m1 - t**2 * c
    root = np.sqrt(np.maximum(b**2 - a * (m1**2 - t**2 * v1), 0))
    usable = m0 > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (np.where(a > 0, (b + sign * root) / a - 1, sign * np.inf) for sign in (-1, 1))
        return tuple(np.where(usable, part, np.nan)[()] for part in (m1 / m0 - 1, low, high))  # type: ignore[return-value]


def _lift_of_rates(q0: Floats, q1: Floats, w0: Any, w1: Any) -> tuple[Floats, Floats, Floats]:
    """Put Wilson's limits together for q₁/q₀ - 1: those R for which Newcombe's interval of q₁ - R q₀ holds 0."""
    (l0, u0), (l1, u1) = w0, w1
    down = np.sqrt(np.maximum((q0 * q1) ** 2 - l1 * u0 * (2 * q1 - l1) * (2 * q0 - u0), 0))
    up = np.sqrt(np.maximum((q0 * q1) ** 2 - u1 * l0 * (2 * q1 - u1) * (2 * q0 - l0), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(l1 > 0, l1 * (2 * q1 - l1) / (q0 * q1 + down), 0)
        high = np.where(l0 > 0, (q0 * q1 + up) / (l0 * (2 * q0 - l0)), np.inf)
        return tuple(np.where(q0 > 0, part - 1, np.nan)[()] for part in (q1 / q0, low, high))  # type: ignore[return-value]


def _exact(x0: Floats, n0: Floats, x1: Floats, n1: Floats, test: str) -> Floats:
    """Give exact p-values; each different table is worked out once."""
    tables = np.stack(np.broadcast_arrays(x0, n0 - x0, x1, n1 - x1), axis=-1)
    different, back = np.unique(tables.reshape(-1, 4), axis=0, return_inverse=True)
    found = stats.fisher_exact if test == "fisher" else stats.boschloo_exact
    empty = [t[0] + t[2] == 0 or t[1] + t[3] == 0 for t in different]  # all alike: no difference
    p = [1.0 if e else found(t.reshape(2, 2).T.astype(int)).pvalue for e, t in zip(empty, different, strict=True)]
    return np.asarray(np.minimum(p, 1)[back.ravel()].reshape(tables.shape[:-1])[()], dtype=float)


def _counts(**given: ArrayLike) -> list[Floats]:
    x = {name: _numbers(name, value) for name, value in given.items()}
    for clicks, n in (("clicks0", "n0"), ("clicks1", "n1")):
        k, size = np.broadcast_arrays(x[clicks], x[n])
        wrong = ~((k >= 0) & (k <= size) & (size >= 1) & (k == np.round(k)) & (size == np.round(size)))
        if wrong.any():
            at = int(wrong.ravel().argmax())
            raise UsageError(f"{_where(wrong)}{clicks}={k.ravel()[at]:g} of {n}={size.ravel()[at]:g} cannot be")
    return list(x.values())


def _checked(arm: Sums | ArrayLike, name: str) -> Sums:
    s = Sums(*(_numbers(name, part) for part in arm)) if isinstance(arm, Sums) else sums(_numbers(name, arm))
    if (s.n < 2).any() or (s.variance < 0).any():
        raise UsageError(f"{name}: n={s.n} and variance={s.variance} must be at least 2 and at least 0")
    return s


def _numbers(name: str, values: ArrayLike) -> Floats:
    try:
        x = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(f"{name}={shorten(repr(values))} must be numbers") from None
    if not np.isfinite(x).all():
        raise UsageError(f"{name}: {_where(~np.isfinite(x))}a value is missing or not finite; leave such units out")
    return x


def _where(wrong: NDArray[np.bool_]) -> str:
    return f"place {int(np.argmax(wrong))}: " if np.ndim(wrong) else ""


def _share(name: str, x: float) -> float:
    if not 0 < x < 1:
        raise UsageError(f"{name}={x} must lie between 0 and 1")
    return x


def _known(name: str, value: str, choices: list[str]) -> str:
    if value not in choices:
        raise UsageError(f"{name}={value!r}: {nearest(value, choices)}")
    return value
