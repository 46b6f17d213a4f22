"""Many questions at once: which of the small p-values are chance, and which of many arms beats the control?

Of m tests without any effect one in twenty seems to show one. Sorted upwards, p_(1) ≤ … ≤ p_(m), the adjusted values

    p̃_(i) = min_{j ≥ i} min(1, m c p_(j) / j),    c = 1, or Σ_{l ≤ m} 1/l

keep the share of false ones among those called true (false discovery rate) below the level where p̃ is: c = 1 for tests
that are independent or lean the same way (Benjamini & Hochberg 1995), the sum for any (Benjamini & Yekutieli 2001).
`served.holm` is stricter: it keeps the chance of even one false call. Against one control Dunnett's (1955) test does
that too and loses less, for it knows that all comparisons share the control:

    P(max_i |T_i| ≤ c) = ∫∫ Π_i P(|a_i u + b_i z| ≤ c s) φ(u) f(s) du ds,    a_i² = 1 - b_i² = v₀/(v₀ + v_i),  v = s²/n
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.optimize import elementwise

from smlab.abtest import Effect, Sums, means, sums
from smlab.checks import UsageError

Floats = NDArray[np.float64]
NORMAL = 2000  # degrees of freedom from which s is taken for 1


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values on the last axis, in the order given; the rate of false discoveries is kept.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4)
    array([0.04  , 0.0533, 0.0533, 0.5   ])
    """
    return _step_up(p, 1.0)


def benjamini_yekutieli(p: ArrayLike) -> Floats:
    """Adjust p-values on the last axis as above, whatever the tests have to do with each other.

    >>> benjamini_yekutieli([0.01, 0.04, 0.03, 0.5]).round(4)
    array([0.0833, 0.1111, 0.1111, 1.    ])
    """
    return _step_up(p, float((1 / np.arange(1, np.shape(p)[-1] + 1)).sum()) if np.ndim(p) and np.size(p) else 1.0)


def against_control(
    control: Sums | ArrayLike,
    treatments: Sums | list[ArrayLike],
    *,
    equal_variance: bool = False,
    level: float = 0.95,
) -> Effect:
    """Compare several arms with one control; p and all intervals hold for all arms together (Dunnett 1955).

    Parameters
    ----------
    control : sums, or values (n,)
    treatments : sums with the arms on the last axis, or a list of each arm's values
    equal_variance : one variance for all arms, as Dunnett has it; otherwise each its own, which needs about 50 units
        an arm

    Returns
    -------
    An effect whose arrays have the arms on the last axis; the lift's interval is of each arm alone

    >>> found = against_control([7, 8, 9, 8, 7], [[8, 9, 9, 8, 10], [9, 11, 10, 12, 10]], equal_variance=True)
    >>> found.p.round(3).tolist()
    [0.206, 0.002]
    """
    a = control if isinstance(control, Sums) else _sums([control])
    b = treatments if isinstance(treatments, Sums) else _sums(treatments)
    if np.ndim(b.mean) == 0 or np.shape(b.mean)[-1] < 1:
        raise UsageError("treatments need the arms on the last axis, one or more")
    if np.ndim(a.mean) == np.ndim(b.mean) - 1:
        a = Sums(*(np.asarray(part)[..., None] for part in a))
    one = means(a, b, level=level)  # each arm alone
    n0, n1 = (np.broadcast_to(n, one.difference.shape) for n in (a.n, b.n))
    df = n0[..., 0] - 1 + (n1 - 1).sum(axis=-1)  # (...)
    v0, v1 = np.broadcast_to(a.variance, n0.shape), np.broadcast_to(b.variance, n0.shape)
    if equal_variance:
        v0 = v1 = (((n0[..., 0] - 1) * v0[..., 0] + ((n1 - 1) * v1).sum(axis=-1)) / df)[..., None]
    v0, v1 = v0 / n0, v1 / n1
    se, shared = np.sqrt(v0 + v1), v0 / (v0 + v1)
    p = 1 - _within(np.abs(one.difference) / se, shared[..., None, :], df[..., None])
    half = _critical(shared, df, level)[..., None] * se
    low, high = one.difference - half, one.difference + half
    return replace(one, low=low, high=high, p=np.clip(p, 0, 1), se=se)


def _within(c: Floats, shared: Floats, df: Floats) -> Floats:
    """Give P(max_i |T_i| ≤ c) for c (...), shared a² (..., arms), df (...), by the trapezoid rule in u and log s."""
    u = np.linspace(-8, 8, 81)
    weight = np.exp(-(u**2) / 2)
    a, b = np.sqrt(shared)[..., None, None, :], np.sqrt(1 - shared)[..., None, None, :]  # (..., 1, 1, arms)
    s, w = _scales(df)  # (..., S)
    top = (np.asarray(c)[..., None] * s)[..., None, None]  # (..., S, 1, 1)
    shift = a * u[:, None]  # (..., 1, U, arms)
    inside = (special.ndtr((top - shift) / b) - special.ndtr((-top - shift) / b)).prod(axis=-1)  # (..., S, U)
    return cast(Floats, ((inside @ (weight / weight.sum())) * w).sum(axis=-1))


def _scales(df: Floats) -> tuple[Floats, Floats]:
    """Give points and weights of s = √(χ²/df), evenly spaced in log s, where the rule converges fastest."""
    if (df > NORMAL).all():
        return np.ones((*np.shape(df), 1)), np.ones(1)
    d = np.asarray(df)[..., None]
    ends = 6 / np.sqrt(2 * d)
    at = np.linspace(-ends - 36 / d, ends, 61, axis=-1)[..., 0, :]
    log_density = d * (at - np.exp(2 * at) / 2)
    w = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    return np.exp(at), w / w.sum(axis=-1, keepdims=True)


def _critical(shared: Floats, df: Floats, level: float) -> Floats:
    """Solve P(max_i |T_i| ≤ c) = level, (...); each different set of arms once."""
    if not 0 < level < 1:
        raise UsageError(f"level={level} must lie between 0 and 1")
    rows, back = np.unique(np.column_stack([shared.reshape(df.size, -1), df.ravel()]), axis=0, return_inverse=True)
    return cast(Floats, _root(rows[:, :-1], rows[:, -1], level)[back.ravel()].reshape(df.shape))


def _root(shared: Floats, df: Floats, level: float) -> Floats:
    arms = shared.shape[-1]
    low, high = stats.t.ppf((1 + level) / 2, df), stats.t.ppf(1 - (1 - level) / (2 * arms), df) + 1e-6
    if arms == 1:
        return np.asarray(low)
    parts = tuple(shared[..., i] for i in range(arms))

    def lack(c: Floats, df: Floats, *parts: Floats) -> Floats:
        return _within(c, np.stack(parts, axis=-1), df) - level

    return cast(
        Floats, elementwise.find_root(lack, (low - 1e-6, high), args=(df, *parts), tolerances={"xatol": 1e-9}).x
    )


def _sums(groups: list[ArrayLike]) -> Sums:
    parts = [sums(g) for g in groups]
    return Sums(*(np.array([getattr(s, name) for s in parts]) for name in Sums._fields))


def _step_up(p: ArrayLike, c: float) -> Floats:
    x = np.asarray(p, dtype=float)
    if x.ndim == 0 or not x.size or not ((x >= 0) & (x <= 1)).all():
        raise UsageError("p-values must lie between 0 and 1, one or more")
    m = x.shape[-1]
    order = np.argsort(x, axis=-1, kind="stable")
    scaled = np.take_along_axis(x, order, axis=-1) * (m * c / np.arange(1, m + 1))
    best = np.minimum(1, np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1])
    adjusted = np.empty_like(x)
    np.put_along_axis(adjusted, order, best, axis=-1)
    return adjusted
