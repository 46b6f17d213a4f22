"""What share of the posts is of each class, counted by a classifier that errs?

Counting what the classifier says is biased as soon as its errors do not cancel out, and they cancel out for one mix
of classes only. Let p (K,) be the true shares, q (K,) the shares of what was called each class, and M (K, K) with
M_jk = P(called k | is j), estimated on held-out labelled posts. Then

    q = Mᵀ p,    so    p = argmin ‖Mᵀ p - q‖²  over  p ≥ 0, Σ p = 1,       which is M⁻ᵀ q where that has no negative

For two classes p₁ = (q₁ - fpr) / (tpr - fpr), Forman's adjusted count. It supposes that only the mix changes: within
a class, posts look as those held out did (prior shift). New slang or a new topic breaks that; label some new posts.

Two uncertainties make the interval: of q, from finitely many posts, and of M, from finitely many held-out ones. Each
row of M and q is drawn from its Dirichlet posterior (prior ½ in each cell, Jeffreys); the middle 95 % of the p of
these draws is the interval. Unlike drawing rows anew, this never takes a cell of 0 for certain.

References: Forman (2005, 2008), adjusted count; Saerens, Latinne & Decaestecker (2002), several classes; Hopkins & King
(2010), why the shares of a corpus need other methods than its posts; Brown, Cai & DasGupta (2001), Jeffreys.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from smlab.auc import z_value
from smlab.checks import UsageError
from smlab.classes import codes

Floats = NDArray[np.float64]
MOST = 8  # classes; the faces of the simplex double with each
FAR = 4.0  # standard errors below 0: no chance


def classify_and_count(
    predicted: ArrayLike, classes: Iterable[Any] | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Give the share of posts that were called each class, as they are: biased where the classifier errs.

    Returns
    -------
    frame with a row per class and value, low, high; the interval knows of finitely many posts, not of the errors

    >>> classify_and_count(["good"] * 30 + ["bad"] * 70).round(2).loc["good"].tolist()
    [0.3, 0.22, 0.39]
    """
    names, counts = _count(predicted, classes)
    return _frame(names, count_shares(counts, level=level))


def adjusted_count(
    predicted: ArrayLike, confusion: pd.DataFrame, *, n: int = 1000, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Give the share of posts that are of each class, corrected for the errors counted on held-out posts.

    Parameters
    ----------
    predicted : (n_posts,) what the classifier called each post
    confusion : (K, K) counts of held-out posts, true classes as rows, as `classes.confusion` gives it; these posts
        must not have trained the classifier
    n : draws for the intervals

    Returns
    -------
    frame with a row per class and value, low, high

    Raises
    ------
    UsageError
        If a class has no held-out post or the classifier does not tell the classes apart.

    >>> held_out = pd.DataFrame([[900, 100], [300, 700]], ["bad", "good"], ["bad", "good"])
    >>> called = ["good"] * 460 + ["bad"] * 540  # (0.46 - 0.1) / (0.7 - 0.1)
    >>> adjusted_count(called, held_out).round(2).loc["good"].tolist()
    [0.6, 0.54, 0.66]
    """
    names, held = check_confusion(confusion)
    _, counts = _count(predicted, names)
    return _frame(names, adjust(counts, held, n=n, level=level, seed=seed, names=names))


def count_shares(counts: ArrayLike, *, level: float = 0.95) -> Floats:
    """Turn counts (..., K) into shares with Jeffreys' intervals (..., K, 3); NaN where there is no post.

    The interval of k of n spans the middle of Beta(k + ½, n - k + (K - 1)/2), and reaches 0 and 1 where k does.
    """
    z_value(level)
    c = np.asarray(counts, dtype=float)
    total = c.sum(axis=-1, keepdims=True)
    a, b = c + 0.5, total - c + (c.shape[-1] - 1) / 2
    low, high = (betaincinv(a, b, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    low, high = np.where(c == 0, 0.0, low), np.where(c == total, 1.0, high)
    shares = np.stack([c / np.where(total > 0, total, np.nan), low, high], axis=-1)
    return np.where(total[..., None] > 0, shares, np.nan)


def adjust(
    counts: ArrayLike,
    held: ArrayLike,
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    names: list[Any] | None = None,
) -> Floats:
    """Correct counts (..., K), say of each day, by one table of held-out counts (K, K); (..., K, 3), see above.

    All days share the draws of M, for an error of M moves all of them one way: intervals of two days overstate how
    unsure their difference is.
    """
    c, table = np.asarray(counts, dtype=float), np.asarray(held, dtype=float)
    z_value(level)
    if n < 2:
        raise UsageError(f"n={n}: an interval needs at least 2 draws")
    rng = np.random.default_rng(seed)
    M = np.stack([rng.dirichlet(row + 0.5, n) for row in table], axis=1)  # (n, K, K)
    _need_apart(table, M, level, names or list(range(len(table))))
    best, drawn = _Simplex(table[None] / table.sum(axis=1, keepdims=True)), _Simplex(M)
    days = c.reshape(-1, c.shape[-1])
    shares = np.full((*days.shape, 3), np.nan)
    off = np.zeros(len(days))
    for day, k in enumerate(days):
        if k.sum() > 0:
            shares[day, :, 0] = best.nearest(k[None] / k.sum())[0]
            p = drawn.nearest(rng.dirichlet(k + 0.5, n))  # (n, K)
            shares[day, :, 1:] = np.quantile(p, [(1 - level) / 2, (1 + level) / 2], axis=0).T
            off[day] = drawn.off
    if strange := int((off > FAR).sum()):
        warnings.warn(
            f"{strange} of {len(days)} counts fit no mix of the classes: these posts are called otherwise than the "
            "held-out ones were, so label some of them",
            stacklevel=2,
        )
    value = shares[..., 0]
    shares[..., 1], shares[..., 2] = np.minimum(shares[..., 1], value), np.maximum(shares[..., 2], value)
    return shares.reshape(*c.shape, 3)


def check_confusion(confusion: pd.DataFrame) -> tuple[list[Any], NDArray]:
    """Give the classes and the counts of a table whose rows and columns name the same classes in one order."""
    names, held = list(confusion.index), confusion.to_numpy()
    if names != list(confusion.columns) or len(names) < 2:
        raise UsageError(
            f"a confusion table has the same 2 or more classes twice; rows {names}, columns {[*confusion]}"
        )
    if len(names) > MOST:
        raise UsageError(f"{len(names)} classes: shares are corrected for up to {MOST}; put some together")
    for name, row in zip(names, held, strict=True):
        if not (row >= 0).all() or row.sum() == 0:
            raise UsageError(f"class {name!r} has no held-out post, so its errors are unknown: label some")
    return names, held


class _Simplex:
    """Least squares over the simplex for many M (n, K, K) at once: exact, by trying each of its 2^K - 1 faces.

    On a face (the classes that have a share at all) the best p is an affine map of q; the best face whose p has no
    negative is the answer, for the problem is convex.
    """

    def __init__(self, M: Floats) -> None:
        A = np.swapaxes(M, -1, -2)  # (n, K, K): q = A p
        k = M.shape[-1]
        self.off = 0.0  # by how many standard errors the last q ask for a share below 0
        self.faces = []
        for face in (list(f) for size in range(k, 0, -1) for f in combinations(range(k), size)):
            B, m = A[..., face], len(face)
            kkt = np.ones((len(M), m + 1, m + 1))
            kkt[:, :m, :m], kkt[:, m, m] = np.swapaxes(B, -1, -2) @ B, 0.0
            inverse = np.linalg.pinv(kkt)
            self.faces.append((face, B, inverse[:, :m, :m] @ np.swapaxes(B, -1, -2), inverse[:, :m, m]))

    def nearest(self, q: Floats) -> Floats:
        """Give for each q (n, K) its p (n, K)."""
        best, least = np.zeros_like(q), np.full(len(q), np.inf)
        for face, B, H, h in self.faces:
            p = (H @ q[..., None])[..., 0] + h  # (n, m)
            cost = (((B @ p[..., None])[..., 0] - q) ** 2).sum(axis=-1)
            better = (p >= 0).all(axis=-1) & (cost < least)
            if len(face) == q.shape[-1] and len(q) > 1:
                self.off = float(np.max(-p.mean(axis=0) / p.std(axis=0)))
            least[better] = cost[better]
            best[better] = 0.0
            best[np.ix_(better, face)] = p[better]
        return best


def _need_apart(held: Floats, M: Floats, level: float, names: list[Any]) -> None:
    """Refuse a table that may be singular: the determinant's interval, over the draws of M, holds 0."""
    low, high = np.quantile(np.linalg.det(M), [(1 - level) / 2, (1 + level) / 2])
    if low <= 0 <= high:
        rates = held / held.sum(axis=1, keepdims=True)
        j, k = min(combinations(range(len(held)), 2), key=lambda pair: np.abs(rates[pair[0]] - rates[pair[1]]).sum())
        raise UsageError(
            f"the classifier does not tell the classes apart on {held.sum():.0f} held-out posts (it calls those of "
            f"{names[j]!r} and {names[k]!r} much alike), so its counts cannot be corrected"
        )


def _count(predicted: ArrayLike, classes: Iterable[Any] | None) -> tuple[list[Any], NDArray]:
    names, (called,) = codes(predicted, classes=classes)
    return names, np.bincount(called, minlength=len(names))


def _frame(names: list[Any], shares: Floats) -> pd.DataFrame:
    return pd.DataFrame(shares, pd.Index(names, name="class"), ["value", "low", "high"])
