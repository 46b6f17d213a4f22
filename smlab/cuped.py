"""The same answer from fewer units: what was known of each before the start explains part of its outcome (CUPED).

    m_a = ȳ_a - θ'(x̄_a - x̄),    θ = S_xx⁻¹ S_xy,    s²_a(adjusted) = s_yy - 2 θ's_xy + θ'S_xx θ

S are the sums of squares within arms, added up; x̄ is the mean over all arms. Deng, Xu, Kohavi & Walker (2013) with
several x and arms; the effects are those of the regression of y on arm and x (analysis of covariance). With
`interact` each arm has its own θ, the regression that Lin (2013) recommends: it never loses precision in large
samples, and gains where arms differ in size and θ differs between them.

    Var(m_a) = s²_a/n_a + (x̄_a - x̄)' V (x̄_a - x̄) + θ'Σ θ / N,    V = Var(θ),    Σ = Cov(x)

so that what all arms share (the last term) cancels in the difference and counts in the lift. The x must be fixed before
the arms were drawn: one that the treatment moves takes the effect away with it. For units without a past put the mean
and a 0/1 column that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.abtest import Effect, estimate
from smlab.checks import UsageError

Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """Sums of an arm: n, means (..., 1 + d) and covariances (..., 1 + d, 1 + d) of y, x_1, …, x_d."""

    n: Floats
    mean: Floats
    cov: Floats


@dataclass(frozen=True)
class Adjusted:
    """Effects that know the past.

    Parameters
    ----------
    effects : of each treatment against the control; one, in a list, for two arms
    theta : (..., d), or of each arm (n_arms, ..., d) with `interact`
    saved : share of the variance of y that x explains, thus of the units that may be left away
    """

    effects: list[Effect]
    theta: Floats
    saved: Floats


def cuped(
    y: ArrayLike, arm: ArrayLike, x: ArrayLike, *, control: str, interact: bool = False, level: float = 0.95
) -> dict[str, Effect]:
    """Compare the arms of one experiment with its control, from a row for each unit.

    Parameters
    ----------
    y, arm : (n,) outcomes and names of arms
    x : (n,) or (n, d), known before the arms were drawn

    Raises
    ------
    UsageError
        For one arm only, an unknown control, missing values, or covariates that do not vary or repeat each other.

    >>> rng = np.random.default_rng(0)
    >>> x, arm = rng.normal(size=400), np.repeat(["A", "B"], 200)
    >>> y = 5 + 2 * x + 0.3 * (arm == "B") + rng.normal(size=400)
    >>> f"{cuped(y, arm, x, control='A')['B'].interval:.2f}"  # the truth is 0.3
    '0.27 [0.07, 0.47]'
    """
    names = np.asarray(arm).astype(str)
    values, past = np.asarray(y), np.asarray(x)
    if values.ndim != 1 or names.shape != values.shape or past.shape[:1] != values.shape:
        raise UsageError(f"y {values.shape}, arm {names.shape} and x {past.shape} must have one row for each unit")
    known = [str(name) for name in np.unique(names)]
    if control not in known or len(known) < 2:
        raise UsageError(
            f"the arms are {', '.join(map(repr, known))}: they must be two or more, {control!r} among them"
        )
    order = [control, *(name for name in known if name != control)]
    found = adjust([moments(values[names == a], past[names == a]) for a in order], interact=interact, level=level)
    return dict(zip(order[1:], found.effects, strict=True))


def moments(y: ArrayLike, x: ArrayLike) -> Moments:
    """Give the sums of an arm: y (..., n) with x (..., n) or (..., n, d); first axes are experiments."""
    try:
        a, b = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    except (TypeError, ValueError):
        raise UsageError("y and x must be numbers; turn words into 0/1 columns first") from None
    b = b[..., None] if b.ndim == a.ndim else b
    if a.ndim == 0 or b.shape[:-1] != a.shape:
        raise UsageError(f"x of shape {b.shape} does not fit y of shape {a.shape}: both of every unit")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("a value of y or x is missing or not finite; put the mean and a 0/1 column that says so")
    n = a.shape[-1]
    if n <= b.shape[-1] + 2:
        raise UsageError(f"{n} units in an arm are too few for {b.shape[-1]} covariates")
    z = np.concatenate([a[..., None], b], axis=-1)  # (..., n, 1 + d)
    mean = z.mean(axis=-2)
    z = z - mean[..., None, :]
    return Moments(np.full(a.shape[:-1], float(n))[()], mean, np.swapaxes(z, -1, -2) @ z / (n - 1))


def adjust(arms: Sequence[Moments], *, interact: bool = False, level: float = 0.95) -> Adjusted:
    """Compare each arm with the first, from sums; all experiments at once.

    >>> sums = [Moments(np.float64(n), np.array([5.0, m]), np.array([[4.0, 3.0], [3.0, 4.0]]))
    ...         for n, m in [(100, 1.0), (100, 1.2)]]
    >>> found = adjust(sums)  # B's past was better by 0.2, and θ is 0.75
    >>> f"{found.effects[0].interval:.2f}, saved {found.saved:.2f}"
    '-0.15 [-0.52, 0.22], saved 0.56'
    """
    if len(arms) < 2:
        raise UsageError(f"{len(arms)} arm: two or more are needed, the control first")
    d = arms[0].mean.shape[-1] - 1
    total = np.sum([a.n for a in arms], axis=0)
    df = total - len(arms)
    within = np.sum([(a.n - 1)[..., None, None] * a.cov for a in arms], axis=0)  # (..., 1 + d, 1 + d)
    theta = [_theta((a.n - 1)[..., None, None] * a.cov if interact else within) for a in arms]  # each (..., d)
    spent = [(a.n - 1) / (a.n - 1 - d) if interact else df / (df - d) for a in arms]  # what θ takes of the freedom
    rest = [_residual(a.cov, t) * by for a, t, by in zip(arms, theta, spent, strict=True)]
    middle = np.sum([a.n[..., None] * a.mean[..., 1:] for a in arms], axis=0) / total[..., None]
    apart = [a.mean[..., 1:] - middle for a in arms]
    m = [a.mean[..., 0] - (t * gap).sum(axis=-1) for a, t, gap in zip(arms, theta, apart, strict=True)]
    own = [r / a.n for r, a in zip(rest, arms, strict=True)]
    pooled = np.sum([(a.n - 1) * r for a, r in zip(arms, rest, strict=True)], axis=0) / df
    sigma = within[..., 1:, 1:] / df[..., None, None]  # (..., d, d)

    def between(i: int, j: int) -> Floats:
        """Give Cov(m_i, m_j) but for s²/n: by what all arms share, and by θ's error."""
        shared = _form(theta[i], sigma, theta[j]) / total
        if interact and i != j:
            return shared
        squares, spread = ((arms[i].n - 1)[..., None, None] * arms[i].cov, rest[i]) if interact else (within, pooled)
        return shared + _form(apart[i], np.linalg.inv(squares[..., 1:, 1:]), apart[j]) * spread

    effects = []
    for j in range(1, len(arms)):
        if ((own[0] + own[j]) <= 0).any():
            raise UsageError("the covariates explain the outcome wholly: it was known before, or does not vary")
        n = arms[0].n, arms[j].n
        free = [size - 1 - d * interact for size in n]
        welch = (own[0] + own[j]) ** 2 / (own[0] ** 2 / free[0] + own[j] ** 2 / free[1])
        variance = own[0] + between(0, 0), own[j] + between(j, j)
        effects.append(estimate((m[0], m[j]), variance, n, covariance=between(0, j), df=welch, level=level))
    raw = np.sum([a.cov[..., 0, 0] / a.n for a in arms], axis=0)
    return Adjusted(effects, np.stack(theta) if interact else theta[0], 1 - np.sum(own, axis=0) / raw)


def _theta(s: Floats) -> Floats:
    """Give S_xx⁻¹ S_xy of S (..., 1 + d, 1 + d)."""
    s_xx, s_xy = s[..., 1:, 1:], s[..., 1:, 0]
    scale = np.sqrt(np.diagonal(s_xx, axis1=-2, axis2=-1))
    if not (scale > 0).all():
        column = int(np.argwhere(~(scale > 0))[0][-1])
        raise UsageError(f"covariate {column} does not vary within the arms: leave it out")
    alike = s_xx / (scale[..., None] * scale[..., None, :])
    if (np.linalg.eigvalsh(alike)[..., 0] < 1e-10).any():
        raise UsageError("the covariates repeat each other: leave one of those out that follow from the others")
    return np.linalg.solve(alike, (s_xy / scale)[..., None])[..., 0] / scale


def _residual(cov: Floats, theta: Floats) -> Floats:
    """Give s_yy - 2 θ's_xy + θ'S_xx θ."""
    fitted = 2 * (theta * cov[..., 1:, 0]).sum(axis=-1) - _form(theta, cov[..., 1:, 1:], theta)
    return np.maximum(cov[..., 0, 0] - fitted, 0)


def _form(a: Floats, s: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("...i,...ij,...j->...", a, s, b))
