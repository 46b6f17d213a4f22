"""Are there clusters at all? Between any two neighbours there must be a valley.

K-means cuts anything into k pieces, a uniform cloud too. Pieces are clusters only if the density between them is
lower than in both. Whether it is can be tested, exactly and for every population that is one lump:

1. Half of the points, drawn at random, give the centres. The others only test.
2. For neighbours a and b take the test points that lie between the other centres' walls. A wall is a plane, and so
   these points fill a convex region. Project them on the line through a and b.
3. If the population is log-concave (uniform on any convex set, normal, exponential, …), so is the projection of its
   part in a convex region (Prékopa 1973), and what is log-concave has one peak. For three windows of one width, left,
   middle, right, a density with one peak has  P(middle) ≥ min(P(left), P(right)).
4. The windows are chosen on the first half. The counts n_l, n_m, n_r of the test points are then binomial, so

       p = max( P[Bin(n_l + n_m, ½) ≤ n_m],  P[Bin(n_m + n_r, ½) ≤ n_m] )

   is an exact p-value of "one peak" (intersection-union). Skew alone does not make it small: only a valley does.

(Heavier tails than exponential are not log-concave; there the error rate is measured, not proved.) There are k clusters
if all pairs of neighbours have their valley: the p-value of k is the largest of theirs. It is exact against one lump;
that the number is right, where there are several, is measured too. Splits are
drawn several times and joined by twice the median (Meinshausen, Meier & Bühlmann 2009), so that the answer hardly
depends on the split.

Values that repeat (one order, two orders, …) are no peaks: they are spread evenly half-way to their neighbours first.

References: Prékopa (1973), On logarithmic concave measures and functions; Berger (1982), Multiparameter hypothesis
testing and acceptance sampling (intersection-union tests). The test is put together here; its error rates are measured
in the tests.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.stats import binom

from smlab.kmeans import Floats, Ints, KMeans

WIDTHS = (0.5, 0.75, 1.0)  # of the windows, where the centres lie at -1 and 1
PLACES = np.linspace(-1.75, 1.75, 29)  # of their middles
TRIPLES = np.array(list(combinations(PLACES, 3)))  # (3654, 3): left, middle, right


def p_of_splits(x: Floats, k: int, *, n_splits: int = 11, seed: int = 0) -> tuple[float, float]:
    """Give the p-value of "fewer than k clusters", and how deep the shallowest valley is, the median of the splits.

    Depth 1 is an empty valley, 0 none.
    """
    rng = np.random.default_rng(seed)
    p, depth = np.median([_split(x, k, rng) for _ in range(n_splits)], axis=0)
    return min(1.0, 2 * float(p)), float(depth)


def _split(x: Floats, k: int, rng: np.random.Generator) -> tuple[float, float]:
    """Fit on one random half, test on the other: the largest p and the least depth of all pairs of neighbours."""
    order = rng.permutation(len(x))
    first, second = x[order[: len(x) // 2]], x[order[len(x) // 2 :]]
    c = KMeans(k=k, n_init=3, seed=int(rng.integers(2**31))).fit(first).centres_
    found = [valley(project(first, c, a, b), project(second, c, a, b)) for a, b in neighbours(first, c)]
    p, depth = np.array(found).T
    return float(p.max()), float(depth.min())


def neighbours(x: Floats, c: Floats) -> list[tuple[int, int]]:
    """Name the pairs of which one is the second nearest centre to at least a tenth of the other's points."""
    two = np.argsort((c**2).sum(axis=1) - 2 * x @ c.T, axis=1)[:, :2]
    n = np.zeros((len(c), len(c)))
    np.add.at(n, (two[:, 0], two[:, 1]), 1)
    least = min(0.1, 1 / len(c))  # everybody has one neighbour at least
    share = n / np.maximum(n.sum(axis=1, keepdims=True), 1)
    return [(a, b) for a, b in combinations(range(len(c)), 2) if max(share[a, b], share[b, a]) >= least]


def project(x: Floats, c: Floats, a: int, b: int) -> Floats:
    """Give the places on the line from a (-1) to b (1) of the points between the other centres, sorted.

    For each other centre o only those count that are nearer to q than to o, q being the point of the segment from a
    to b that is nearest to o.
    """
    line = c[b] - c[a]
    length = line @ line
    others = np.delete(c, [a, b], axis=0)
    q = c[a] + np.clip((others - c[a]) @ line / length, 0, 1)[:, None] * line
    away = others - q  # |x - q|² ≤ |x - o|²  <=>  2 x·(o - q) ≤ |o|² - |q|²
    inside = (2 * x @ away.T <= (others**2).sum(axis=1) - (q**2).sum(axis=1)).all(axis=1)
    return np.sort((x[inside] - (c[a] + c[b]) / 2) @ line * 2 / length)


def valley(first: Floats, second: Floats) -> tuple[float, float]:
    """Choose three windows on the places `first`; give p-value and depth 1 - n_m / min(n_l, n_r) on `second`, sorted.

    >>> two = np.sort(np.append(np.linspace(-1.3, -0.7, 50), np.linspace(0.7, 1.3, 50)))
    >>> p, depth = valley(two, two)
    >>> p < 1e-10, depth, valley(np.linspace(-1.5, 1.5, 100), np.linspace(-1.5, 1.5, 100))[0] > 0.3
    (True, 1.0, True)
    """
    chosen = max((_windows(first, width) for width in WIDTHS), key=lambda found: found[0])
    left, middle, right = within(second, chosen[1], chosen[2])
    p = max(binom.cdf(middle, left + middle, 0.5), binom.cdf(middle, middle + right, 0.5))
    return float(p), max(0.0, 1 - float(middle) / max(float(min(left, right)), 1.0))


def _windows(places: Floats, width: float) -> tuple[float, Floats, float]:
    """Give the three windows of this width with the clearest valley: how clear, their middles, the width."""
    apart = TRIPLES[(np.diff(TRIPLES, axis=1) >= width - 1e-9).all(axis=1)]
    left, middle, right = (within(places, apart[:, j], width) for j in range(3))
    side = np.minimum(left, right)
    clear = (side - middle) / np.sqrt(side + middle + 1)
    at = int(clear.argmax())
    return float(clear[at]), apart[at], width


def within(places: Floats, middles: Floats, width: float) -> Ints:
    """Count the sorted places in each window."""
    return np.searchsorted(places, middles + width / 2) - np.searchsorted(places, middles - width / 2)


def spread(x: Floats, rng: np.random.Generator) -> Floats:
    """Spread values that repeat evenly half-way to their neighbours, column by column."""
    out = x.copy()
    for j, column in enumerate(x.T):
        value, at, n = np.unique(column, return_inverse=True, return_counts=True)
        if len(value) < 2 or n.max() == 1:
            continue
        gap = np.diff(value) / 2
        below, above = np.append(gap[0], gap), np.append(gap, gap[-1])
        moved = value[at] + rng.uniform(-below[at], above[at])
        out[:, j] = np.where(n[at] > 1, moved, column)
    return out
