"""Clusters that need not be round: DBSCAN, HDBSCAN and mixtures of normal distributions, on one footing.

    DBSCAN     where min_samples points lie within eps of each other; the rest is noise. Ester et al. (1996)
    HDBSCAN    the same for all eps at once, keeping what lasts; clusters of unlike density. Campello et al. (2013)
    mixture    Σ_j π_j N(x; μ_j, Σ_j) by EM; k by BIC = -2 log L + (number of parameters) log n. Schwarz (1978)

The work is scikit-learn's. Here each gets its choice of parameters, noise is -1 everywhere, and clusters are numbered
by `kmeans.in_order`: most points first, so that the same clusters have the same numbers whatever the seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.checks import UsageError
from smlab.kmeans import Floats, Ints, in_order, need_points

NOISE = -1


@dataclass(frozen=True)
class Clusters:
    """What a method found.

    Parameters
    ----------
    method : its name and what was chosen, in words
    labels : (n,) numbers of the clusters, most points first, -1 for noise
    sure : (n,) how surely a point belongs to its cluster, 0 to 1; all 1 (noise 0) where a method does not say
    centres : (k, d) means of the clusters' points
    choice : frame that the choice was made from: the distances of DBSCAN, the BIC of mixtures, else None
    """

    method: str
    labels: Ints
    sure: Floats
    centres: Floats
    choice: pd.DataFrame | None = None

    @property
    def k(self) -> int:
        """Count the clusters."""
        return len(self.centres)

    @property
    def noise(self) -> float:
        """Give the share of points in no cluster."""
        return float((self.labels == NOISE).mean())


def dbscan(X: ArrayLike, *, eps: float | None = None, min_samples: int | None = None) -> Clusters:
    """Cluster by DBSCAN.

    Parameters
    ----------
    X : (n, d) points, scaled
    eps : radius; None takes the knee of the sorted distances to the min_samples-th point (`k_distances`)
    min_samples : points within eps that make a core, itself among them; None takes the more of 2 d (Sander et al. 1998)
        and 2 log n, for with few points the knee lies too low and clusters fall to pieces

    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(9, 1, (40, 2)), [[50, 50]]])
    >>> found = dbscan(X)
    >>> found.k, found.labels[[0, 99, 100]].tolist()
    (2, [0, 1, -1])
    """
    from sklearn.cluster import DBSCAN

    x = need_points(X)
    few = max(2 * x.shape[1], round(2 * np.log(len(x)))) if min_samples is None else min_samples
    choice = k_distances(x, few)
    radius = knee(choice["distance"]) if eps is None else eps
    if radius <= 0:
        raise UsageError(f"eps={radius:g}: most points lie on each other; give an eps above 0")
    z = DBSCAN(eps=radius, min_samples=few).fit(x).labels_
    return _clusters(f"DBSCAN, eps {radius:.3g}, {few} points", x, z, (z >= 0).astype(float), choice)


def k_distances(X: ArrayLike, min_samples: int) -> pd.DataFrame:
    """Give each point's distance to the nearest min_samples points, itself among them, sorted: (n,) `distance`."""
    from sklearn.neighbors import NearestNeighbors

    x = need_points(X)
    if not 2 <= min_samples <= len(x):
        raise UsageError(f"min_samples={min_samples} must lie between 2 and the number of points, {len(x)}")
    far, _ = NearestNeighbors(n_neighbors=min_samples).fit(x).kneighbors(x)
    return pd.DataFrame({"distance": np.sort(far[:, -1])})


def knee(distances: ArrayLike) -> float:
    """Give the value of an upward curve that lies farthest below its chord: Satopää et al. (2011), "Kneedle".

    >>> knee([1, 1.1, 1.2, 1.3, 5, 9])
    1.3
    """
    y = np.asarray(distances, dtype=float)
    chord = np.linspace(y[0], y[-1], len(y))
    return float(y[np.argmax(chord - y)])


def hdbscan(X: ArrayLike, *, min_cluster_size: int | None = None, min_samples: int | None = None) -> Clusters:
    """Cluster by HDBSCAN; a cluster has `min_cluster_size` points or more, None takes 2 % of all and at least 5."""
    from sklearn.cluster import HDBSCAN

    x = need_points(X)
    least = max(5, round(0.02 * len(x))) if min_cluster_size is None else min_cluster_size
    if not 2 <= least <= len(x):
        raise UsageError(f"min_cluster_size={least} must lie between 2 and the number of points, {len(x)}")
    found = HDBSCAN(min_cluster_size=least, min_samples=min_samples, copy=True).fit(x)
    return _clusters(f"HDBSCAN, {least} points or more", x, found.labels_, found.probabilities_, None)


def mixture(
    X: ArrayLike, ks: Iterable[int] = range(1, 9), *, covariance: str = "full", n_init: int = 3, seed: int = 0
) -> Clusters:
    """Cluster by a mixture of normal distributions, as many as give the least BIC.

    Parameters
    ----------
    covariance : "full", "tied", "diag" or "spherical": what shapes the Σ_j may have

    >>> rng = np.random.default_rng(0)
    >>> found = mixture(np.concatenate([rng.normal(0, 1, (90, 2)), rng.normal(9, 1, (60, 2))]), range(1, 5))
    >>> found.k, found.choice["bic"].round().astype(int).tolist()
    (2, [1405, 1107, 1125, 1149])
    """
    from sklearn.mixture import GaussianMixture

    x = need_points(X)
    tried = sorted({int(k) for k in ks if 1 <= k <= len(x) // 2})
    if not tried or covariance not in ("full", "tied", "diag", "spherical"):
        raise UsageError(f"a mixture needs numbers of clusters up to half of {len(x)} points, and a known covariance")
    models = {k: GaussianMixture(k, covariance_type=covariance, n_init=n_init, random_state=seed).fit(x) for k in tried}
    bic = pd.DataFrame({"bic": [models[k].bic(x) for k in tried]}, pd.Index(tried, name="k"))
    best = models[tried[int(bic["bic"].to_numpy().argmin())]]
    return _clusters(
        f"mixture of {best.n_components}, {covariance}", x, best.predict(x), best.predict_proba(x).max(1), bic
    )


def _clusters(method: str, x: Floats, z: Ints, sure: Floats, choice: pd.DataFrame | None) -> Clusters:
    """Number the clusters in their order."""
    present = np.unique(z[z >= 0])
    at = np.where(z >= 0, np.searchsorted(present, z), NOISE)
    centres = np.array([x[at == j].mean(axis=0) for j in range(len(present))]).reshape(-1, x.shape[1])
    order = in_order(at, centres)
    number = np.append(np.argsort(order), NOISE)  # the last for -1
    return Clusters(method, number[at].astype(np.int64), np.asarray(sure, dtype=float), centres[order], choice)
