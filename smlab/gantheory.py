"""What a GAN plays for, checked by numbers where both densities are known.

The discriminator D wants to tell x ~ p (real) from x ~ q (made), the generator wants it not to:

    V(D, q) = E_p[log D] + E_q[log(1 - D)] = ∫ p log D + q log(1 - D) dx

At each x the bracket is p log D + q log(1 - D), whose derivative p/D - q/(1 - D) is 0 at

    D* = p / (p + q),    V(D*, q) = -log 4 + 2 JSD(p, q),    JSD = ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = (p + q) / 2

(Goodfellow et al. 2014, proposition 1 and theorem 1.) JSD ≥ 0 and 0 only where q = p: there D* = ½ and V = -log 4.
The logit of D* is log p - log q, so a discriminator is an estimate of a ratio of densities. With a = logit of D at a
made point, the generator may descend

    saturating  log(1 - D):  d/da = -D           0 where D is sure that the point is made, just when help is needed
    non-saturating  -log D:  d/da = -(1 - D)     -1 there

At D* the first is the gradient of 2 JSD(p, q), the second that of KL(q ‖ p) - 2 JSD(p, q) (Arjovsky & Bottou 2017,
theorem 2.5): the game has the same rest, and another way to it.

A planted mixture of Gaussians tells whether a maker of points finds all modes, and no more than the modes.

References: Goodfellow et al. (2014), Generative adversarial nets; Arjovsky & Bottou (2017), Towards principled methods
for training GANs; Srivastava et al. (2017), VEEGAN (ring and grid; a point is good within three sigma of a mode).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logsumexp, rel_entr, xlogy

from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap

Floats = NDArray[np.float64]
SHELLS = np.sqrt(-2 * np.log1p(-np.append(np.linspace(0.2, 0.8, 4), 1 - np.exp(-4.5))))
# in sigma: a fifth of a mode lies within the first, in each to the next, and (but 1.1 %) within the last
GOOD = 3.0  # sigma within which a point is good


@dataclass(frozen=True)
class Mixture:
    """Equal Gaussians in the plane, p(x) = mean_k N(x; means_k, sigma² I).

    >>> ring().density([[1, 0]]).round(2)
    array([7.96])
    """

    means: Floats  # (k, 2)
    sigma: float

    def log_density(self, X: ArrayLike) -> Floats:
        """Give log p of points, (n,)."""
        d2 = ((_points(X)[:, None] - self.means) ** 2).sum(axis=2)  # (n, k)
        each = -d2 / (2 * self.sigma**2) - np.log(2 * np.pi * self.sigma**2 * len(self.means))
        return cast(Floats, logsumexp(each, axis=1))

    def density(self, X: ArrayLike) -> Floats:
        """Give p of points, (n,)."""
        return cast(Floats, np.exp(self.log_density(X)))

    def sample(self, n: int, *, seed: int = 0) -> NDArray[np.float32]:
        """Draw points, (n, 2)."""
        rng = np.random.default_rng(seed)
        mode = rng.integers(0, len(self.means), n)
        return (self.means[mode] + self.sigma * rng.standard_normal((n, 2))).astype(np.float32)

    def nearest(self, X: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
        """Give the nearest mode of each point, and how many sigma away it is."""
        d = np.linalg.norm(_points(X)[:, None] - self.means, axis=2)
        return d.argmin(axis=1), d.min(axis=1) / self.sigma


def ring(k: int = 8, *, radius: float = 1.0, sigma: float = 0.05) -> Mixture:
    """Put `k` modes on a circle."""
    if k < 1 or not radius > 0 or not sigma > 0:
        raise UsageError(f"a ring needs k={k} of 1 or more, radius={radius} and sigma={sigma} above 0")
    angle = 2 * np.pi * np.arange(k) / k
    return Mixture(radius * np.column_stack([np.cos(angle), np.sin(angle)]), sigma)


def grid(side: int = 5, *, spacing: float = 2.0, sigma: float = 0.2) -> Mixture:
    """Put `side`² modes on a square grid around 0."""
    if side < 1 or not spacing > 0 or not sigma > 0:
        raise UsageError(f"a grid needs side={side} of 1 or more, spacing={spacing} and sigma={sigma} above 0")
    at = spacing * (np.arange(side) - (side - 1) / 2)
    return Mixture(np.array([(x, y) for x in at for y in at]), sigma)


def lattice(low: float = -6.0, high: float = 6.0, n: int = 241) -> tuple[Floats, float]:
    """Give the middles of n × n cells of a square, (n², 2), and the area of a cell: sums over it are integrals."""
    step = (high - low) / n
    at = low + step * (np.arange(n) + 0.5)
    x, y = np.meshgrid(at, at)
    return np.column_stack([x.ravel(), y.ravel()]), step**2


def optimal_discriminator(p: ArrayLike, q: ArrayLike) -> Floats:
    """Give D* = p / (p + q); ½ where both are 0, for there nothing is to be told.

    >>> optimal_discriminator([1, 3, 0], [1, 1, 2])
    array([0.5 , 0.75, 0.  ])
    """
    p, q = _densities(p, q)
    return cast(Floats, np.divide(p, p + q, out=np.full(p.shape, 0.5), where=p + q > 0))


def value(D: ArrayLike, p: ArrayLike, q: ArrayLike, cell: float = 1.0) -> float:
    """Give V(D, q) = Σ (p log D + q log(1 - D)) · cell, in nats, with 0 log 0 = 0.

    >>> print(round(value(0.5, [0.2, 0.8], [0.5, 0.5]) / np.log(4), 6))
    -1.0
    """
    p, q = _densities(p, q)
    D = np.asarray(D, dtype=float)
    return float(np.sum(xlogy(p, D) + xlogy(q, 1 - D)) * cell)


def jsd(p: ArrayLike, q: ArrayLike, cell: float = 1.0) -> float:
    """Give the Jensen–Shannon divergence in nats, from 0 (the same) to log 2 (nothing in common).

    >>> print(round(jsd([1, 0], [0, 1]) / np.log(2), 6))
    1.0
    """
    p, q = _densities(p, q)
    m = (p + q) / 2
    return float(np.sum(rel_entr(p, m) + rel_entr(q, m)) / 2 * cell)


def check_value(p: ArrayLike, q: ArrayLike, cell: float = 1.0, *, n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Hold both sides of V(D*) = -log 4 + 2 JSD beside each other, and the best of `n` other discriminators.

    The others are D* with its logit moved at random, by a little or by much: none may reach V(D*).
    """
    p, q = _densities(p, q)
    best = optimal_discriminator(p, q)
    rng = np.random.default_rng(seed)
    a = np.log(np.maximum(best, 1e-300)) - np.log(np.maximum(1 - best, 1e-300))
    others = [value(expit(a + size * rng.standard_normal(a.shape)), p, q, cell) for size in np.geomspace(1e-3, 3, n)]
    rows = {
        "V at D* = p / (p + q)": value(best, p, q, cell),
        "-log 4 + 2 JSD(p, q)": -np.log(4) + 2 * jsd(p, q, cell),
        f"V at the best of {n} other D": max(others),
        "V at D = ½": value(0.5, p, q, cell),
    }
    return pd.DataFrame({"nats": rows}).rename_axis("what")


def generator_gradient(logit: ArrayLike, loss: Literal["saturating", "non-saturating"] = "non-saturating") -> Floats:
    """Give the derivative of the generator's loss by the discriminator's logit at a made point.

    >>> generator_gradient([-3, 0], "saturating").round(2), generator_gradient([-3, 0]).round(2)
    (array([-0.05, -0.5 ]), array([-0.95, -0.5 ]))
    """
    a = np.asarray(logit, dtype=float)
    if loss == "saturating":
        return cast(Floats, -expit(a))
    if loss == "non-saturating":
        return cast(Floats, -expit(-a))
    raise UsageError(f"unknown loss {loss!r}; known: 'saturating', 'non-saturating'")


def judge_points(makers: Mapping[str, ArrayLike], truth: Mixture, *, seed: int = 0) -> pd.DataFrame:
    """Say for each maker's points how much of the planted mixture they are.

    Parameters
    ----------
    makers : {name: points (n, 2)}

    Returns
    -------
    one row a maker, and last "the truth itself", as many new points of the mixture as the shortest sample has:
        modes : with at least a tenth of their share of the points, all of these good
        good : share of points within three sigma of a mode; of the truth 98.9 %
        rarest mode : its share of the points beside what it should have, 1 is right
        JSD : of the shares of places (nearest mode and distance from it) to the true ones, in nats. It grows by
            about (places - 1) / (8 n) by chance alone, which the last row shows
    """
    samples = {name: _points(X) for name, X in makers.items()}
    if not samples:
        raise UsageError("judge_points needs the points of one maker or more")
    samples["the truth itself"] = truth.sample(min(map(len, samples.values())), seed=seed).astype(float)
    return pd.DataFrame({name: _judged(X, truth, seed) for name, X in samples.items()}).T.rename_axis("maker")


def _judged(X: Floats, truth: Mixture, seed: int) -> dict[str, int | float | Interval]:
    mode, far = truth.nearest(X)
    k, good = len(truth.means), far <= GOOD
    share = np.bincount(mode[good], minlength=k) / len(X) * k  # 1 where a mode has its part
    return {
        "modes": int((share >= 0.1).sum()),
        "good": bootstrap(good.astype(float), seed=seed),
        "rarest mode": float(share.min()),
        "JSD": jsd(*_places(mode, far, k)),
    }


def _places(mode: NDArray[np.int64], far: Floats, k: int) -> tuple[Floats, Floats]:
    """Give the shares of places in the mixture and in the points: k modes × shells, and what lies beyond all.

    Modes that touch are not meant here: the true shares hold where they are six sigma apart.
    """
    n_shells = len(SHELLS)
    shell = np.searchsorted(SHELLS, far)
    place = np.where(shell < n_shells, mode * n_shells + shell, k * n_shells)
    inside = np.diff(1 - np.exp(-(SHELLS**2) / 2), prepend=0.0)  # far is Rayleigh
    expected = np.append(np.tile(inside / k, k), 1 - inside.sum())
    return expected, np.bincount(place, minlength=k * n_shells + 1) / len(far)


def _points(X: ArrayLike) -> Floats:
    x = np.asarray(X, dtype=float)
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        raise UsageError(f"points have shape {x.shape}; needed are one or more in the plane, (n, 2)")
    if not np.isfinite(x).all():
        raise UsageError(f"{int((~np.isfinite(x)).any(axis=1).sum())} of {len(x)} points are no finite numbers")
    return x


def _densities(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if p.shape != q.shape:
        raise UsageError(f"p has shape {p.shape}, q {q.shape}; they must be densities at the same points")
    if not (np.isfinite(p).all() and np.isfinite(q).all() and (p >= 0).all() and (q >= 0).all()):
        raise UsageError("densities must be finite and 0 or more")
    return p, q
