"""Who got which arm, and with which chance: what every question about a treatment starts from.

e_a(x) = P(arm = a | x) is known where a lot was drawn. Where it is not, it may be estimated, but only what x explains
is then put right. The transformed outcome makes one person's outcome an unbiased, if noisy, word on the effect:

    Z = y (W - e) / (e (1 - e)),   E[Z | x] = E[y | x, W=1] - E[y | x, W=0]        (Athey & Imbens 2015)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from smlab.checks import UsageError, nearest

Floats = NDArray[np.float64]
CLIP = 0.01  # estimated chances keep so far from 0 and 1


class Assignment(NamedTuple):
    """The outcome of each row (n,), the number of its arm (n,), and the arms, the control first."""

    y: Floats
    code: NDArray[np.int64]
    arms: list[Hashable]


def assignment(y: ArrayLike, arm: ArrayLike, control: Hashable | None = None) -> Assignment:
    """Check outcomes and arms, and number the arms: the control is 0, the others follow in order.

    Parameters
    ----------
    y : (n,) any finite number
    arm : (n,) 0 or 1, or names together with `control`

    >>> assignment([1, 0, 1], ["mail", "none", "mail"], control="none").code
    array([1, 0, 1])
    """
    outcome, got = np.asarray(y, dtype=float), pd.Series(np.asarray(arm))
    if outcome.ndim != 1 or len(outcome) != len(got) or not len(got):
        raise UsageError(f"y has shape {outcome.shape}, arm {len(got)} rows; each person has one outcome and one arm")
    if not np.isfinite(outcome).all():
        row = int(np.argmin(np.isfinite(outcome)))
        raise UsageError(f"row {row}: the outcome {outcome[row]} is not finite; fill it or drop the row")
    if got.isna().any():
        raise UsageError(f"row {got.isna().argmax()} has no arm; drop it, and ask why it is missing")
    seen = sorted(got.unique().tolist(), key=str)
    found = "found " + ", ".join(map(repr, seen[:5]))
    if control is None:
        if not set(seen) <= {0, 1}:
            raise UsageError(f"treated must be 0 or 1, or the control be named; {found}")
        control, seen = 0, [side for side in (0, 1) if side in seen]
    if control not in seen:
        raise UsageError(f"the control {control!r} has no row; {found}")
    if len(seen) < 2:
        raise UsageError(f"only the control {control!r} has rows; an effect needs another arm")
    arms = [control, *(a for a in seen if a != control)]
    return Assignment(outcome, got.map({a: j for j, a in enumerate(arms)}).to_numpy(dtype=np.int64), arms)


def propensities(who: Assignment, propensity: Any = None, X: ArrayLike | None = None) -> Floats:
    """Give the chance of each row to get each arm, (n, arms), the control first.

    Parameters
    ----------
    propensity : None, the arms' shares of the rows, as in a draw by lot; {arm: chance}; of two arms the chance of the
        second, or (n,) of each row; (n, arms); or "estimate", a logistic regression of the arm on X (n, d), kept 0.01
        away from 0 and 1

    >>> propensities(assignment([1, 0, 1], [1, 0, 1]), 0.5)[0]
    array([0.5, 0.5])
    """
    n, k = len(who.y), len(who.arms)
    if propensity is None:
        p = np.bincount(who.code, minlength=k) / n
    elif isinstance(propensity, str):
        if propensity != "estimate" or X is None:
            raise UsageError(f"propensity={propensity!r}: {nearest(propensity, ['estimate'])}, and it needs X")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, who.code)
        p = np.clip(model.predict_proba(X), CLIP, 1 - CLIP)
        p /= p.sum(axis=1, keepdims=True)
    elif isinstance(propensity, Mapping):
        if set(propensity) != set(who.arms):
            raise UsageError(f"propensity names {sorted(map(str, propensity))}; the arms are {who.arms}")
        p = np.array([propensity[a] for a in who.arms], dtype=float)
    else:
        p = _inside(np.asarray(propensity, dtype=float))
        p = np.stack([1 - p, p], axis=-1) if p.ndim < 2 and k == 2 and p.shape in ((), (n,)) else p
    if p.shape not in ((k,), (n, k)):
        raise UsageError(f"propensity has shape {p.shape}; needed is a chance for each of {n} rows and {k} arms")
    if not np.allclose(_inside(p).sum(axis=-1), 1, atol=1e-6):
        raise UsageError("the propensities of a row must sum to 1 over the arms")
    return np.broadcast_to(p, (n, k))


def _inside(p: Floats) -> Floats:
    if (wrong := p[~((p > 0) & (p < 1))]).size:
        raise UsageError(f"a propensity of {wrong[0]:g} must lie between 0 and 1: without a chance nothing is learnt")
    return p


def transformed(y: ArrayLike, w: ArrayLike, e: ArrayLike) -> Floats:
    """Give Z of each row; with e the share of w = 1, its mean is the difference of the two means.

    >>> transformed([1, 0, 1, 0], [1, 1, 0, 0], 0.5) + 0.0
    array([ 2.,  0., -2.,  0.])
    """
    got, chance = np.asarray(w, dtype=float), np.asarray(e, dtype=float)
    return np.asarray(y, dtype=float) * (got - chance) / (chance * (1 - chance))
