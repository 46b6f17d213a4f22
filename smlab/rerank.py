"""Make a list anew from a model's best candidates: a little less of what fits best, a little more of the rest.

    MMR           next = argmax_i (1-t) r_i - t max_{j in list} cos(f_i, f_j)     Carbonell & Goldstein (1998)
    calibration   next = argmax_i (1-t) r_i - t KL(p, q(list + i))               Steck (2018)

r_i is the score brought to [0, 1] among the user's candidates, so that the trade-off t in [0, 1] means the same for
every model: t = 0 is the model's own list. p is the user's share of each genre, q the list's. Both are greedy: one
item after the other, none taken back. Left out: who ought to be shown (fairness of exposure).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.beyond import indicator, unit_rows
from smlab.checks import UsageError
from smlab.ranking import blocks

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
SMOOTH = 0.01  # Steck's α: a little of p in q, so that a genre which the list lacks does not cost infinitely much


def mmr(items: ArrayLike, scores: ArrayLike, features: Any, *, k: int = 10, trade: float = 0.3) -> Items:
    """Choose k of each user's candidates that fit and are unlike each other.

    Maximal marginal relevance: Carbonell & Goldstein (1998), whose λ is 1 - `trade`.

    Parameters
    ----------
    items, scores : (n, m), candidates best first as `recommend(k=m)` gives them
    features : (n_items, D), what makes items alike: genres, or factors
    trade : t in [0, 1], the weight of unlikeness

    Returns
    -------
    top : (n, k), in the order of choice; -1 where there are fewer candidates

    >>> mmr([[0, 1, 2]], [[3.0, 2.9, 1.0]], [[1, 0], [1, 0], [0, 1]], k=2, trade=0.5)
    array([[0, 2]])
    """
    candidates, relevance = _candidates(items, scores, k, trade)
    F = unit_rows(features)
    top = np.full((len(candidates), k), -1)
    for part in blocks(len(candidates), candidates.shape[1] * F.shape[1]):
        here, r = candidates[part], relevance[part]
        f = F[np.maximum(here, 0).ravel()].toarray().reshape(*here.shape, -1)  # (b, m, D)
        top[part] = _greedy(here, k, _unlike(f, r, trade))
    return top


def _unlike(f: Floats, r: Floats, trade: float) -> Callable[[Items | None], Floats]:
    nearest, row = np.zeros(r.shape), np.arange(len(r))

    def gain(chosen: Items | None) -> Floats:
        if chosen is not None:
            np.maximum(nearest, (f @ f[row, chosen][:, :, None])[:, :, 0], out=nearest)
        return (1 - trade) * r - trade * nearest

    return gain


def calibrated(
    items: ArrayLike, scores: ArrayLike, genres: Any, wanted: Floats, *, k: int = 10, trade: float = 0.5
) -> Items:
    """Choose k of each user's candidates so that the genres come in the proportions that the user chose them in.

    Steck (2018), "Calibrated recommendations", whose λ is `trade`; the scores here are in [0, 1].

    Parameters
    ----------
    items, scores : (n, m), candidates best first as `recommend(k=m)` gives them
    genres : (n_items, G), above 0 where an item has the genre; one of several genres counts a part
    wanted : (n, G), p of each user, of `genre_shares`

    >>> two = np.array([[0.5, 0.5]])
    >>> calibrated([[0, 1, 2]], [[3.0, 2.9, 1.0]], [[1, 0], [1, 0], [0, 1]], two, k=2, trade=0.5)
    array([[0, 2]])
    """
    candidates, relevance = _candidates(items, scores, k, trade)
    P, p = shares(genres), np.asarray(wanted, dtype=float)
    if p.shape != (len(candidates), P.shape[1]):
        raise UsageError(f"wanted has shape {p.shape}; needed are {len(candidates)} users and {P.shape[1]} genres")
    top = np.full((len(candidates), k), -1)
    for part in blocks(len(candidates), 3 * candidates.shape[1] * P.shape[1]):
        here = candidates[part]
        top[part] = _greedy(here, k, _near(P[np.maximum(here, 0)], p[part], relevance[part], trade))
    return top


def _near(g: Floats, p: Floats, r: Floats, trade: float) -> Callable[[Items | None], Floats]:
    total, n, row = np.zeros(p.shape), 0, np.arange(len(r))

    def gain(chosen: Items | None) -> Floats:
        nonlocal n
        if chosen is not None:
            total[:] += g[row, chosen]
            n += 1
        q = (total[:, None] + g) / (n + 1)  # (b, m, G)
        return (1 - trade) * r - trade * divergence(p[:, None], q)

    return gain


def genre_shares(lists: Any, genres: Any) -> Floats:
    """Give the share of each genre in lists (n, k) or in profiles, a sparse matrix (n, n_items), as (n, G).

    p(g|u) = mean over i of p(g|i): Steck (2018), with all weights 1. Rows of an empty list are 0.

    >>> genre_shares([[0, 1]], [[1, 1], [0, 1]])
    array([[0.25, 0.75]])
    """
    X = indicator(lists, np.shape(genres)[0])
    return np.asarray(X @ shares(genres)) / np.maximum(np.diff(X.indptr), 1)[:, None]


def miscalibration(top: ArrayLike, genres: Any, wanted: Floats) -> Floats:
    """Give KL(p, q) of each list in nats, (n,): 0 where genres come as wanted; NaN where nothing is wanted.

    >>> miscalibration([[0, 1]], [[1, 0], [0, 1]], np.array([[0.5, 0.5]]))
    array([0.])
    """
    p = np.asarray(wanted, dtype=float)
    return np.where(p.sum(axis=-1) > 0, divergence(p, genre_shares(top, genres)), np.nan)


def divergence(p: Floats, q: Floats) -> Floats:
    """Give Σ_g p log(p / q̃), q̃ = (1-α) q + α p, along the last axis; 0 log 0 is 0."""
    mixed = (1 - SMOOTH) * q + SMOOTH * p
    p = np.broadcast_to(p, mixed.shape)
    some = p > 0
    return np.where(some, p * np.log(np.divide(p, mixed, out=np.ones(mixed.shape), where=some)), 0.0).sum(axis=-1)


def shares(genres: Any) -> Floats:
    """Divide each item's weight among its genres, p(g|i), (n_items, G); rows of zeros stay."""
    G = np.asarray(genres.toarray() if hasattr(genres, "toarray") else genres, dtype=float)
    total = G.sum(axis=1, keepdims=True)
    return np.divide(G, total, out=np.zeros(G.shape), where=total > 0)


def _greedy(items: Items, k: int, gain: Callable[[Items | None], Floats]) -> Items:
    """Take k times the candidate of the largest gain, the better ranked of equal ones, (n, k)."""
    row, free = np.arange(len(items)), items >= 0
    top, chosen = np.full((len(items), k), -1), None
    for place in range(min(k, items.shape[1])):
        chosen = np.where(free, gain(chosen), -np.inf).argmax(axis=1)
        top[:, place] = np.where(free[row, chosen], items[row, chosen], -1)
        free[row, chosen] = False
    return top


def _candidates(items: ArrayLike, scores: ArrayLike, k: int, trade: float) -> tuple[Items, Floats]:
    """Check the candidates and bring each user's scores to [0, 1], both (n, m)."""
    found, s = np.asarray(items), np.asarray(scores, dtype=float)
    if found.ndim != 2 or found.shape != s.shape:
        raise UsageError(f"items have shape {found.shape}, scores {s.shape}: both are users by candidates")
    if not 1 <= k <= found.shape[1]:
        raise UsageError(f"k={k}: there are {found.shape[1]} candidates to choose from")
    if not 0 <= trade <= 1:
        raise UsageError(f"trade={trade} must lie between 0, only what fits, and 1, only variety")
    s = np.where(found >= 0, s, np.nan)
    some = ~np.isnan(s).all(axis=1)
    low, high = np.zeros((2, len(s), 1))
    low[some], high[some] = np.nanmin(s[some], axis=1)[:, None], np.nanmax(s[some], axis=1)[:, None]
    return found, np.nan_to_num((s - low) / np.where(high > low, high - low, 1))
