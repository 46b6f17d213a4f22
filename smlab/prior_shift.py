"""Shares of the classes by EM on the classifier's probabilities, when only the mix of the classes has changed.

A classifier learnt P(k | x) where the classes had the shares π⁰. Among other posts they have shares π, and if posts of
a class look as before, Bayes' rule gives P_π(k | x) ∝ (π_k / π⁰_k) P(k | x). The most likely π is the fixed point of

    E   r_ik = (π_k / π⁰_k) P_ik / Σ_j (π_j / π⁰_j) P_ij           M   π_k = (1/n) Σ_i r_ik

It uses how sure the classifier was of each post, so it is sharper than `quantify.adjusted_count`, which uses hard
calls, but it believes the probabilities: they are first mended on held-out posts (`confidence.mend`), and π⁰ are the
shares of these. Wrong probabilities bias it; where the two disagree, believe the count.

The interval draws both kinds of posts anew, each time mends, and runs EM again. It does not know what mending leaves
wrong: over shifted mixes of real tweets it held the truth 82 times in 100, that of the adjusted count 94 times.

References: Saerens, Latinne & Decaestecker (2002), Neural Computation 14, 21-41; Alexandari, Kundaje &
Shrikumar (2020), who show that with mended probabilities EM is hard to beat, and that its likelihood is concave.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from smlab.checks import UsageError
from smlab.classes import codes
from smlab.confidence import SMALLEST, newton, probabilities

Floats = NDArray[np.float64]


def em_shares(
    P: ArrayLike,
    held_y: ArrayLike,
    held_P: ArrayLike,
    classes: Iterable[Any],
    *,
    n: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the share of posts that are of each class, by EM on mended probabilities.

    Parameters
    ----------
    P : (n_posts, K) probabilities of the posts whose mix is asked for
    held_y, held_P : labels (m,) and probabilities (m, K) of posts that have not trained the classifier
    classes : (K,) the order of the columns
    n : resamples for the intervals

    Returns
    -------
    frame with a row per class and value, low, high

    Raises
    ------
    UsageError
        If a class has no held-out post, or for what are no probabilities.
    """
    names, (true,) = codes(held_y, classes=classes)
    k = len(names)
    post, held = (np.log(np.maximum(probabilities(x, k).astype(float), SMALLEST)) for x in (P, held_P))
    if len(held) != len(true):
        raise UsageError(f"{len(true)} held-out labels and {len(held)} rows of probabilities: each post needs both")
    if (absent := np.bincount(true, minlength=k) == 0).any():
        raise UsageError(f"class {names[int(absent.argmax())]!r} has no held-out post: label some")
    T, rng = np.eye(k)[true], np.random.default_rng(seed)

    def shares(v: Floats, w: Floats, start: Floats | None, pi: Floats | None, steps: int) -> tuple[Floats, Floats]:
        """Mend by held-out posts of weight v (m,), then EM over posts of weight w (n_posts,)."""
        theta = newton(held, T, v, start, steps)
        prior = np.maximum(v @ T, 0.5) / v.sum()
        Q = softmax(theta[0] * post + np.r_[theta[1:], 0.0], axis=1)
        return theta, em(Q, prior, w, pi, tolerance=1e-7 if pi is None else 1e-5)

    theta, pi = shares(np.ones(len(held)), np.ones(len(post)), None, None, 50)
    drawn = [shares(_weights(rng, len(held)), _weights(rng, len(post)), theta, pi, 3)[1] for _ in range(n)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    limits = {"value": pi, "low": np.minimum(low, pi), "high": np.maximum(high, pi)}
    return pd.DataFrame(limits, pd.Index(names, name="class"))


def em(
    P: ArrayLike,
    prior: ArrayLike,
    weights: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float = 1e-7,
    max_steps: int = 2000,
) -> Floats:
    """Iterate Saerens' two steps until no share moves by `tolerance`; (K,).

    Parameters
    ----------
    P : (n, K) probabilities under the shares `prior` (K,), all of them above 0
    weights : (n,) how often each post counts

    >>> sure = np.array([[1.0, 0.0]] * 80 + [[0.0, 1.0]] * 20)
    >>> em(sure, [0.5, 0.5]).round(6)
    array([0.8, 0.2])
    """
    odds = np.asarray(P, dtype=float) / np.asarray(prior, dtype=float)  # (n, K)
    w = np.ones(len(odds)) if weights is None else np.asarray(weights, dtype=float)
    pi = np.asarray(prior if start is None else start, dtype=float)
    pi = np.maximum(pi, 1e-9) / np.maximum(pi, 1e-9).sum()  # from a share of 0 there is no way back
    for _ in range(max_steps):
        after = pi * ((w / (odds @ pi)) @ odds) / w.sum()
        pi, moved = after, np.abs(after - pi).max()
        if moved < tolerance:
            break
    return pi


def _weights(rng: np.random.Generator, size: int) -> Floats:
    """Say how often each row comes in a resample."""
    return rng.multinomial(size, np.full(size, 1 / size)).astype(float)
