"""How many clusters, and are there any?

    silhouette   s_i = (b_i - a_i) / max(a_i, b_i)      a_i mean distance to one's own cluster, b_i to the next one
    gap          Gap(k) = E* log W_k - log W_k          W_k the loss of k-means, E* its mean over data without clusters
    stability    adjusted Rand of the segments of all points and of a bootstrap sample
    valleys      is the density between any two neighbours lower than in both? `valleys.py`

The first three always have a best k, and only the gap can say 1. A reference without clusters has to be chosen for it,
and whatever is not shaped like that reference (skewed, say) looks clustered. `no_clusters` therefore asks for valleys.

References: Rousseeuw (1987), Silhouettes; Tibshirani, Walther & Hastie (2001), Estimating the number of clusters in a
data set via the gap statistic; Hubert & Arabie (1985), Comparing partitions (adjusted Rand); Hennig (2007),
Cluster-wise assessment of cluster stability.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.checks import UsageError, nearest
from smlab.kmeans import Floats, Ints, KMeans, need_points
from smlab.metrics import Interval, bootstrap
from smlab.valleys import p_of_splits, spread

FEWEST = 20  # points; fewer cannot show a valley on each half


@dataclass(frozen=True)
class Verdict:
    """Whether there are clusters.

    Parameters
    ----------
    k : how many; 1 where there are none
    level : how often at most clusters are found in a single lump
    table : k, p (of "fewer than k clusters", times the number of k tried), depth of the shallowest valley (0 to 1)
    """

    k: int
    level: float
    table: pd.DataFrame

    @property
    def none(self) -> bool:
        """Say that there are no clusters."""
        return self.k == 1

    def __str__(self) -> str:
        if self.none:
            return "no clusters: no way of cutting these points leaves a valley between all neighbours"
        p, depth = self.table.loc[self.k, ["p", "depth"]]
        return f"{self.k} clusters, with a valley {depth:.0%} deep or more between all neighbours (p = {p:.2g})"


def no_clusters(
    X: ArrayLike,
    ks: Iterable[int] = range(2, 9),
    *,
    level: float = 0.05,
    n_splits: int = 11,
    sample: int = 10_000,
    seed: int = 0,
) -> Verdict:
    """Say whether there are no clusters, or else how many: the largest k of `ks` with valleys between all neighbours.

    Of a log-concave population, one lump, at most the share `level` of samples is said to have clusters: the p-values
    are exact, and multiplied by the number of `ks`. Clusters that overlap so far that no valley is left between them
    (round normal ones at 3 spreads and less) are not found, though a mixture of normal distributions may.

    Parameters
    ----------
    X : (n, d) points, scaled as k-means is to see them; of more than `sample` so many are drawn
    n_splits : random halvings of the points

    >>> rng = np.random.default_rng(0)
    >>> print(no_clusters(rng.uniform(size=(400, 2))))
    no clusters: no way of cutting these points leaves a valley between all neighbours
    >>> lumps = rng.integers(0, 3, 400)[:, None] * 6 + rng.normal(size=(400, 2))
    >>> no_clusters(lumps).k
    3
    """
    rng = np.random.default_rng(seed)
    x = spread(_sample(need_points(X), sample, rng), rng)
    tried = _need_ks(ks, 2)
    if not 0 < level < 1 or n_splits < 1:
        raise UsageError(f"level={level:g} must lie between 0 and 1, n_splits={n_splits} be 1 or more")
    fits = [k for k in tried if len(x) >= max(FEWEST, 4 * k) and np.ptp(x, axis=0).any()]
    found = {k: p_of_splits(x, k, n_splits=n_splits, seed=seed) for k in fits}
    rows = [(min(1.0, found[k][0] * len(tried)), found[k][1]) if k in found else (1.0, 0.0) for k in tried]
    table = pd.DataFrame(rows, pd.Index(tried, name="k"), ["p", "depth"])
    return Verdict(max(table.index[table["p"] <= level], default=1), level, table)


def silhouette(X: ArrayLike, labels: ArrayLike, *, sample: int = 2000, seed: int = 0) -> Interval:
    """Give the mean silhouette with its bootstrap interval; of more than `sample` points so many are drawn.

    The interval knows of finitely many points, not of other segments that other points would have given. Points with
    the label -1 (noise) are left out.

    >>> print(f"{silhouette([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]):.2f}")  # 1 - 1/9.5, 1 - 1/8.5, and again
    0.89 [0.88, 0.89]
    """
    from sklearn.metrics import silhouette_samples

    x, z = need_points(X), np.asarray(labels)
    if z.shape != (len(x),):
        raise UsageError(f"labels have shape {z.shape}; needed is one for each of {len(x)} points")
    at = np.random.default_rng(seed).permutation(np.flatnonzero(z >= 0))[:sample]
    if not 2 <= len(np.unique(z[at])) < len(at):
        raise UsageError(f"a silhouette needs 2 clusters or more, and more points; these are {len(np.unique(z[at]))}")
    return bootstrap(silhouette_samples(x[at], z[at]), seed=seed)


def gap(
    X: ArrayLike,
    ks: Iterable[int] = range(1, 9),
    *,
    reference: Literal["box", "normal"] = "box",
    n_refs: int = 20,
    sample: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Give Gap(k) = mean over references b of log W*_kb - log W_k, and the k of the standard error rule.

    s_k = sd_b(log W*_kb) √(1 + 1/B), and k̂ is the smallest k with Gap(k) ≥ Gap(k+1) - s_{k+1}, or the largest of
    `ks` where none is.

    Parameters
    ----------
    reference : "box", uniform in the box along the principal axes (variant b of the paper), or "normal", a normal
        distribution with the data's covariance
    n_refs : B

    Returns
    -------
    frame with a row a k: loss, gap, low and high (gap ± 1.96 s_k), s, chosen (True for k̂)
    """
    rng = np.random.default_rng(seed)
    x, tried = _sample(need_points(X), sample, rng), _need_ks(ks, 1)
    if reference not in ("box", "normal"):
        raise UsageError(f"reference={reference!r}: {nearest(reference, ['box', 'normal'])}")
    if n_refs < 2:
        raise UsageError(f"n_refs={n_refs}: a spread needs 2 references or more")
    loss = _losses(x, tried, seed)
    logs = np.log([_losses(_reference(x, reference, rng), tried, seed) for _ in range(n_refs)])  # (B, K)
    value, s = logs.mean(axis=0) - np.log(loss), logs.std(axis=0) * np.sqrt(1 + 1 / n_refs)
    enough = np.append(value[:-1] >= value[1:] - s[1:], True)
    columns = {"loss": loss, "gap": value, "low": value - 1.96 * s, "high": value + 1.96 * s, "s": s}
    return pd.DataFrame(columns, pd.Index(tried, name="k")).assign(chosen=np.arange(len(tried)) == enough.argmax())


def _losses(x: Floats, ks: list[int], seed: int) -> Floats:
    return np.array([max(KMeans(k=k, n_init=3, seed=seed).fit(x).loss_, 1e-300) for k in ks])


def _reference(x: Floats, kind: str, rng: np.random.Generator) -> Floats:
    """Draw as many points without clusters."""
    mean = x.mean(axis=0)
    axes = np.linalg.svd(x - mean, full_matrices=False)[2]  # (r, d) principal axes
    along = (x - mean) @ axes.T
    if kind == "box":
        return rng.uniform(along.min(axis=0), along.max(axis=0), along.shape) @ axes + mean
    return rng.normal(0, along.std(axis=0), along.shape) @ axes + mean


@dataclass(frozen=True)
class Stability:
    """How alike the segments are that other samples of the same customers give.

    Parameters
    ----------
    rand : adjusted Rand, mean over the bootstrap samples and their middle 95 %; 1 the same, 0 as chance has it
    jaccard : (k,) for each segment, mean of the largest |A ∩ B| / |A ∪ B| with a segment of the sample; Hennig (2007)
        takes one above 0.75 for stable, below 0.5 for dissolved
    """

    rand: Interval
    jaccard: Floats


def stability(X: ArrayLike, k: int, *, n_boot: int = 30, sample: int = 5000, seed: int = 0) -> Stability:
    """Cluster bootstrap samples and compare on all points with the segments of all points.

    A sample with fewer than k different points, as few points give, finds nothing again: one segment of all.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    x = _sample(need_points(X), sample, rng)
    if n_boot < 2:
        raise UsageError(f"n_boot={n_boot}: an interval needs 2 samples or more")
    z = KMeans(k=k, seed=seed).fit(x).labels_
    others = [_again(x, x[rng.integers(0, len(x), len(x))], k, seed + b) for b in range(n_boot)]
    rand = np.array([adjusted_rand_score(z, other) for other in others])
    low, high = np.quantile(rand, [0.025, 0.975])
    alike = np.mean([_jaccard(z, other, k) for other in others], axis=0)
    return Stability(Interval(float(rand.mean()), float(low), float(high)), alike)


def _again(x: Floats, some: Floats, k: int, seed: int) -> Ints:
    """Give the points x the segments that the points `some` have."""
    try:
        return KMeans(k=k, n_init=3, seed=seed).fit(some).predict(x)
    except UsageError:
        return np.zeros(len(x), dtype=np.int64)


def _jaccard(z: Ints, other: Ints, k: int) -> Floats:
    """Give for each segment of z its largest overlap with one of the other segments (k,)."""
    both = np.bincount(z * k + other, minlength=k * k).reshape(k, k)
    return (both / (both.sum(axis=1)[:, None] + both.sum(axis=0) - both)).max(axis=1)


def planted(n: int, *, k: int = 4, d: int = 2, separation: float = 6.0, seed: int = 0) -> tuple[Floats, Ints]:
    """Draw k round normal clusters of spread 1 whose centres are `separation` or a little more apart: X (n, d), labels.

    Each centre lies at that distance from an earlier one, in a random direction, so no cluster is far off all others.

    >>> X, labels = planted(500, k=3, d=2, separation=8)
    >>> X.shape, np.bincount(labels).tolist()
    ((500, 2), [156, 154, 190])
    """
    rng = np.random.default_rng(seed)
    c = np.zeros((1, d))
    while len(c) < k:
        way = rng.normal(size=d)
        new = c[rng.integers(len(c))] + separation * way / np.linalg.norm(way)
        if (np.linalg.norm(c - new, axis=1) > 0.999 * separation).all():
            c = np.vstack([c, new])
    labels = rng.integers(0, k, n)
    return c[labels] + rng.normal(size=(n, d)), labels


def recovery(
    separations: Iterable[float],
    *,
    n: int = 500,
    k: int = 4,
    d: int = 2,
    ks: Iterable[int] = range(2, 9),
    n_seeds: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Plant clusters nearer and nearer to each other and see what is found.

    Parameters
    ----------
    n, k, d : of `planted`
    ks : numbers of clusters that `no_clusters` tries

    Returns
    -------
    frame with a row a separation: rand (adjusted Rand of k-means that is told k, against the truth), right (share of
    seeds with the right k), none (share with no clusters), and each with …_low and …_high
    """
    from sklearn.metrics import adjusted_rand_score

    rows, tried = {}, list(ks)
    for separation in separations:
        seen: dict[str, list[float]] = {"rand": [], "right": [], "none": []}
        for s in range(seed, seed + n_seeds):
            X, truth = planted(n, k=k, d=d, separation=separation, seed=s)
            verdict = no_clusters(X, tried, seed=s)
            seen["rand"].append(adjusted_rand_score(truth, KMeans(k=k, seed=s).fit(X).labels_))
            seen["right"].append(verdict.k == k)
            seen["none"].append(verdict.none)
        spans = {name: bootstrap(values, seed=seed) for name, values in seen.items()}
        rows[separation] = {
            f"{name}{end}": v
            for name, span in spans.items()
            for end, v in zip(("", "_low", "_high"), span, strict=True)
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("separation")


def _sample(x: Floats, most: int, rng: np.random.Generator) -> Floats:
    return x if len(x) <= most else x[rng.choice(len(x), most, replace=False)]


def _need_ks(ks: Iterable[int], least: int) -> list[int]:
    tried = sorted({int(k) for k in ks})
    if not tried or tried[0] < least:
        raise UsageError(f"ks={tried} must be numbers of clusters, {least} or more")
    return tried
