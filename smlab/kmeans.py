"""K-means: k centres, and each point belongs to the nearest.

The objective, with the assignment written out as z_ij = 1 if point i is in cluster j, else 0:

    min over z, c  of  L = Σ_i Σ_j z_ij |x_i - c_j|²        with  z_ij ∈ {0, 1}  and  Σ_j z_ij = 1 for each i

Without z the sum would hold every point to every centre, and all centres would fall together at the mean. Lloyd's
algorithm holds one and moves the other:

    z_ij = 1 for the j with the smallest |x_i - c_j|²            the best z for these c; of equals the first
    c_j  = Σ_i z_ij x_i / Σ_i z_ij                               the best c for this z, for ∂L/∂c_j = 0 there

Neither step raises L, and there are finitely many z, so it ends: at a local minimum, which is why it is started
several times.

References: Lloyd (1982), Least squares quantization in PCM; Arthur & Vassilvitskii (2007), k-means++: the advantages of
careful seeding.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLOCK = 65_536  # rows whose distances are held at a time


class KMeans:
    """Find k centres by Lloyd's two steps, the best of `n_init` starts by k-means++.

    Learnt: `labels_` (n,), `centres_` (k, d), `loss_` (L), and `history_`, L after each half step of the best start.
    Clusters are numbered by `in_order`, so that the same clusters have the same numbers whatever the seed. From a
    `start` of yours they keep its order.

    A cluster that loses all its points takes the point that is farthest from its own centre, as scikit-learn has it;
    that lowers L too. Numbers are centred before they are multiplied, so that far from 0 no digits are lost.

    Parameters
    ----------
    k : clusters
    n_init : starts
    epochs : turns of both steps, at most
    tol : stop where the centres move by less than tol times the mean variance of the columns (squared lengths); 0 goes
        on until no point changes its cluster
    start : (k, d) centres to start from, instead of k-means++

    >>> found = KMeans(k=2).fit([[0, 0], [0, 1], [9, 9], [9, 8], [8, 9]])
    >>> found.labels_.tolist(), found.centres_.round(2).tolist(), round(found.loss_, 3)
    ([1, 1, 0, 0, 0], [[8.67, 8.67], [0.0, 0.5]], 1.833)
    """

    labels_: Ints
    centres_: Floats
    loss_: float
    history_: list[float]

    def __init__(
        self,
        *,
        k: int = 3,
        n_init: int = 10,
        epochs: int = 300,
        tol: float = 1e-4,
        seed: int = 0,
        start: ArrayLike | None = None,
    ) -> None:
        if min(k, n_init, epochs) < 1 or tol < 0:
            raise UsageError(f"k={k}, n_init={n_init} and epochs={epochs} must be 1 or more, tol={tol:g} 0 or more")
        self.k, self.n_init, self.epochs, self.tol, self.seed, self.start = k, n_init, epochs, tol, seed, start

    def fit(self, X: ArrayLike) -> Self:
        """Learn from the points X (n, d), which stay as they are.

        Raises
        ------
        UsageError
            For X that is no table of finite numbers, or with fewer different points than k.
        """
        points = need_points(X)
        mean = points.mean(axis=0)
        x = points - mean
        if len(x) < self.k or (len(x) <= 10_000 and len(np.unique(x, axis=0)) < self.k):
            raise UsageError(f"k={self.k} clusters need as many different points; of {len(x)} there are fewer")
        rng = np.random.default_rng(self.seed)
        starts = (
            [self._given(x.shape[1]) - mean]
            if self.start is not None
            else (plus_plus(x, self.k, rng) for _ in range(self.n_init))
        )
        z, c, history = min((self._lloyd(x, s) for s in starts), key=lambda run: run[2][-1])
        order = in_order(z, c) if self.start is None else np.arange(self.k)
        self.labels_, self.centres_ = np.argsort(order)[z], c[order] + mean
        self.history_, self.loss_ = [float(loss) for loss in history], float(history[-1])
        return self

    def _lloyd(self, x: Floats, c: Floats) -> tuple[Ints, Floats, list[float]]:
        """Take turns until nothing moves; give z, c and L after each half step."""
        stop = self.tol * x.var(axis=0).mean()
        z, near = assign(x, c)
        history = [near.sum()]
        for _ in range(self.epochs):
            before, c_before = z, c
            z, near, c = refill(x, z, near, c)
            moved = means(x, z, self.k) - c
            c = c + moved
            history.append(near.sum() - np.bincount(z) @ (moved**2).sum(axis=1))  # Huygens: L falls by Σ_j n_j |Δc_j|²
            z, near = assign(x, c)
            history.append(near.sum())
            if (z == before).all() or ((c - c_before) ** 2).sum() <= stop:
                break
        return z, c, history

    def predict(self, X: ArrayLike) -> Ints:
        """Give each point of X (n, d) the cluster of the nearest centre (n,)."""
        points = need_points(X)
        if points.shape[1] != self.centres_.shape[1]:
            raise UsageError(f"X has {points.shape[1]} columns; the centres were learnt from {self.centres_.shape[1]}")
        mean = self.centres_.mean(axis=0)
        return assign(points - mean, self.centres_ - mean)[0]

    def _given(self, d: int) -> Floats:
        start = np.array(self.start, dtype=float)
        if start.shape != (self.k, d) or not np.isfinite(start).all():
            raise UsageError(f"start has shape {start.shape}; needed are k={self.k} centres with {d} finite numbers")
        return start


def assign(x: Floats, c: Floats) -> tuple[Ints, Floats]:
    """Give each point the nearest centre, and |x_i - c_j|² to it; |x|² - 2 x·c + |c|², of which |x|² is common."""
    z, near = np.empty(len(x), dtype=np.int64), np.empty(len(x))
    half = (c**2).sum(axis=1) / 2
    for first in range(0, len(x), BLOCK):
        block = slice(first, first + BLOCK)
        z[block] = (x[block] @ c.T - half).argmax(axis=1)
        near[block] = ((x[block] - c[z[block]]) ** 2).sum(axis=1)
    return z, near


def means(x: Floats, z: Ints, k: int) -> Floats:
    """Give the mean of each cluster's points (k, d)."""
    sums = np.stack([np.bincount(z, column, minlength=k) for column in x.T], axis=1)
    return sums / np.bincount(z, minlength=k)[:, None]


def refill(x: Floats, z: Ints, near: Floats, c: Floats) -> tuple[Ints, Floats, Floats]:
    """Give every empty cluster the point that is farthest from its own centre."""
    n = np.bincount(z, minlength=len(c))
    if n.min() > 0:
        return z, near, c
    z, near, c = z.copy(), near.copy(), c.copy()
    for j in np.flatnonzero(n == 0):
        far = int(np.argmax(np.where(n[z] > 1, near, -1.0)))  # whose cluster has others left
        n[z[far]], n[j] = n[z[far]] - 1, 1
        z[far], near[far], c[j] = j, 0.0, x[far]
    return z, near, c


def plus_plus(x: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Draw k points to start from (k, d), each with a probability in proportion to |x_i - c|², c the nearest so far.

    Arthur & Vassilvitskii (2007): the expected loss is at most 8 (ln k + 2) times the least. Of 2 + ln k candidates
    each time the one is kept that leaves the least loss, the greedy variant they name.
    """
    chosen = [int(rng.integers(len(x)))]
    near = ((x - x[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < k:
        tried = np.searchsorted(np.cumsum(near), rng.random(2 + int(np.log(k))) * near.sum(), side="right")
        left = [np.minimum(near, ((x - x[i]) ** 2).sum(axis=1)) for i in np.minimum(tried, len(x) - 1)]
        best = int(np.argmin([loss.sum() for loss in left]))
        chosen.append(int(tried[best]))
        near = left[best]
    return x[chosen]


def in_order(labels: Ints, centres: Floats) -> Ints:
    """Give the clusters in the order of their numbers: most points first; of equals the smaller first coordinate.

    >>> in_order(np.array([0, 1, 1, 2]), np.array([[5.0], [0.0], [3.0]])).tolist()
    [1, 2, 0]
    """
    sizes = np.bincount(labels[labels >= 0], minlength=len(centres))
    return np.lexsort((*centres.T[::-1], -sizes))


def need_points(X: ArrayLike) -> Floats:
    """Refuse what is no table of finite numbers."""
    try:
        x = np.asarray(X, dtype=float)
    except (TypeError, ValueError):
        raise UsageError("the points must be numbers; encode or leave out columns of text") from None
    if x.ndim != 2 or 0 in x.shape:
        raise UsageError(f"the points have shape {x.shape}; needed is a row a point and a column a feature")
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise UsageError(f"row {row}, column {column} holds {x[row, column]}; fill or leave out what is missing")
    return x
