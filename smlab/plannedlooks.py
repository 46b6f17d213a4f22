"""A few looks, planned: group-sequential tests after O'Brien & Fleming (1979), Pocock (1977), Lan & DeMets (1983).

At look k, when a share t_k of the people is there, stop if |δ̂|/√V > z_k. S_k = z-value · √t_k is a random walk with
independent steps N(θ(t_k - t_{k-1}), t_k - t_{k-1}), θ = δ/√V at the end; so its density on the tests still going on
follows from that of the look before (Armitage, McPherson & Rowe 1969):

    f_k(s) = ∫_{|u| < z_{k-1}√t_{k-1}} f_{k-1}(u) φ((s - u - θΔ)/√Δ)/√Δ du,    Δ = t_k - t_{k-1}

and the chance to cross at look k is the mass of f_k outside. Boundaries either have a shape, z_k = c · t_k^{γ - ½} with
γ = 0 (O'Brien-Fleming), ½ (Pocock) or between (Wang & Tsiatis 1987), or spend the error by the share of people,

    α(t) = 4 - 4Φ(z_{1-α/4}/√t)   like O'Brien-Fleming,      α log(1 + (e - 1) t)   like Pocock

(half of it on each side), which leaves open when the looks will be. Against `sequential`: fewer people for the same
power, but only at the looks that were planned, and not beyond the end.

Reference: Jennison & Turnbull (2000), Group Sequential Methods, chapters 2, 7 and 19.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from smlab.checks import UsageError, nearest
from smlab.sequential import Estimate, Watch, report

Floats = NDArray[np.float64]
FAR = 10.0  # a boundary beyond this z is crossed less often than once in 10²²


def spending(
    shares: ArrayLike, *, like: Literal["obrien-fleming", "pocock"] = "obrien-fleming", level: float = 0.95
) -> Floats:
    """Give the boundaries z_k that spend the error as the share of people grows (Lan & DeMets 1983).

    Parameters
    ----------
    shares : (looks,) of the people planned, rising, the last 1 at most

    >>> spending([0.2, 0.4, 0.6, 0.8, 1]).round(3)
    array([4.877, 3.357, 2.68 , 2.29 , 2.031])
    """
    t, alpha = _shares(shares), _alpha(level)
    if like == "obrien-fleming":
        spent = 4 * norm.sf(norm.ppf(1 - alpha / 4) / np.sqrt(t))
    elif like == "pocock":
        spent = alpha * np.log1p((np.e - 1) * t)
    else:
        raise UsageError(f"like={like!r}: {nearest(like, ['obrien-fleming', 'pocock'])}")
    z, walk = [], Walk(t)
    for error in np.diff(spent, prepend=0.0):
        z.append(_root(lambda x, error=error: 2 * walk.leaving(x)[0] - error))
        walk.step(z[-1])
    return np.array(z)


def boundaries(n_looks: int, *, gamma: float = 0.0, level: float = 0.95) -> Floats:
    """Give the boundaries z_k = c · (k/K)^{γ - ½} of K looks evenly spaced: γ = 0 O'Brien-Fleming, ½ Pocock.

    >>> boundaries(5).round(2), boundaries(5, gamma=0.5).round(2)
    (array([4.56, 3.23, 2.63, 2.28, 2.04]), array([2.41, 2.41, 2.41, 2.41, 2.41]))
    """
    if n_looks < 1 or not -1 <= gamma <= 1:
        raise UsageError(f"n_looks={n_looks} must be 1 or more and gamma={gamma} lie between -1 and 1")
    t, alpha = np.arange(1, n_looks + 1) / n_looks, _alpha(level)
    shape = t ** (gamma - 0.5)
    return shape * _root(lambda c: crossing(np.minimum(c * shape, FAR), t).sum() - alpha)


def crossing(z: ArrayLike, shares: ArrayLike, *, drift: float = 0.0) -> Floats:
    """Give the chance of first crossing z_k above, and below, at each look (looks, 2).

    Parameters
    ----------
    drift : θ, the difference over its standard error at the full number of people

    >>> crossing([1.96] * 5, [0.2, 0.4, 0.6, 0.8, 1]).sum().round(3)  # five looks at 1.96: .142 in Armitage et al.
    np.float64(0.142)
    """
    bound, t = np.asarray(z, dtype=float), _shares(shares)
    if bound.shape != t.shape or not (bound > 0).all():
        raise UsageError(f"z has shape {bound.shape}, shares {t.shape}: each look needs a boundary above 0")
    walk = Walk(t, drift)
    return np.array([walk.step(x) for x in bound])


def power(z: ArrayLike, shares: ArrayLike, *, drift: float) -> float:
    """Give the chance that the test finds a difference of this drift, on its side."""
    return float(crossing(z, shares, drift=abs(drift))[:, 0].sum())


def people(z: ArrayLike, shares: ArrayLike, *, drift: float) -> float:
    """Give the people that the test takes on average, as a share of those planned."""
    t, out = _shares(shares), crossing(z, shares, drift=drift).sum(axis=1)
    return float(out @ t + (1 - out.sum()) * t[-1])


def inflation(z: ArrayLike, *, power: float = 0.8, level: float = 0.95) -> float:
    """Give the people to plan over those of the fixed test of the same power, for looks evenly spaced.

    >>> round(inflation(boundaries(5), power=0.9), 3)  # Jennison & Turnbull (2000), table 2.4: 1.026
    1.026
    """
    n_looks = np.size(z)
    t, fixed = np.arange(1, n_looks + 1) / n_looks, norm.ppf((1 + level) / 2) + norm.ppf(power)
    drift = brentq(lambda theta: crossing(z, t, drift=theta)[:, 0].sum() - power, 0.5 * fixed, 3 * fixed)
    return float((drift / fixed) ** 2)


def planned(estimate: Estimate, z: ArrayLike, *, level: float = 0.95, least: int = 1) -> Watch:
    """Test at the planned looks, which are all the looks of the estimate (..., looks), with boundaries z (looks,).

    The intervals δ̂ ± z_k √V hold the difference at all looks together with this level (repeated confidence intervals,
    Jennison & Turnbull 1989). p-values are NaN.

    Raises
    ------
    UsageError
        If there are more looks than boundaries, or fewer.
    """
    bound = np.asarray(z, dtype=float)
    if bound.shape != estimate.value.shape[-1:]:
        raise UsageError(f"{estimate.value.shape[-1]} looks, {bound.size} boundaries: only planned looks are allowed")
    nothing = np.full(estimate.value.shape, np.nan)
    known = np.minimum(estimate.n0, estimate.n1) >= least
    half = bound * np.sqrt(np.where(known, estimate.variance, np.inf))
    return report(estimate, half, nothing, nothing, level=level, least=least)


class Walk:
    """The density of S on the tests still going on, at Gauss-Legendre nodes u with masses w."""

    def __init__(self, shares: Floats, drift: float = 0.0) -> None:
        self.steps, self.t, self.drift, self.k = np.diff(shares, prepend=0.0), shares, drift, 0
        self.u, self.w = np.zeros(1), np.ones(1)
        self.nodes = np.polynomial.legendre.leggauss(int(60 + 25 / np.sqrt(self.steps.min())))

    def leaving(self, z: float) -> tuple[float, float]:
        """Give the chance to be above z, and below -z, at the next look, of those that went on until then."""
        b, delta = z * np.sqrt(self.t[self.k]), self.steps[self.k]
        at, sd = self.u + self.drift * delta, np.sqrt(delta)
        return float(self.w @ ndtr((at - b) / sd)), float(self.w @ ndtr((-b - at) / sd))

    def step(self, z: float) -> tuple[float, float]:
        """Go on to the next look with boundary z, and give the chances to cross it there."""
        out = self.leaving(z)
        b, delta = min(z, FAR) * np.sqrt(self.t[self.k]), self.steps[self.k]
        s, sd = b * self.nodes[0], np.sqrt(delta)
        steps = (s[:, None] - self.u - self.drift * delta) / sd  # (nodes, nodes before)
        kernel = np.exp(-0.5 * steps**2) / (sd * np.sqrt(2 * np.pi))
        self.u, self.w, self.k = s, b * self.nodes[1] * (kernel @ self.w), self.k + 1
        return out


def _root(lack) -> float:  # type: ignore[no-untyped-def]
    """Find the z up to FAR at which a chance that falls in z is used up."""
    return FAR if lack(FAR) >= 0 else float(brentq(lack, 1e-3, FAR, xtol=1e-12))


def _alpha(level: float) -> float:
    if not 0.5 <= level < 1:
        raise UsageError(f"level={level} must lie between 0.5 and 1: 0.95 lets one test of twenty err")
    return 1 - level


def _shares(shares: ArrayLike) -> Floats:
    t = np.atleast_1d(np.asarray(shares, dtype=float))
    if t.ndim != 1 or not (np.diff(t, prepend=0.0) > 0).all() or t[-1] > 1 + 1e-9:
        raise UsageError(f"shares={t.tolist()} must rise from above 0 to 1 at most: the part of people at each look")
    return t
