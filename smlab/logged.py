"""A log of one policy, and how much of it speaks of another: weights, and rewards predicted by a model.

A policy is a table of the chance π(a|x) of each action a: (n_actions,), the same in every round; (n_places, n_actions)
for a list of places, in each the same in every round; or (n_rounds, n_actions), at the place of each round. A log of
lists holds one place a round, and the value of a policy is then the mean reward of a place, as in the Open Bandit
Dataset (Saito, Aihara, Matsutani & Narita 2021). Left out: how a reward depends on what stands in the other places.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.ope import Rounds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CELLS = 4_000_000  # so many predictions at a time keep memory under ~200 MB


class Logged:
    """A log with the propensities of the policy that ran.

    Parameters
    ----------
    action : (n,) what was shown, from 0
    reward : (n,) what came of it
    propensity : (n,) the chance with which the log's policy showed it there, above 0 and at most 1
    position : (n,) its place in the list, from 0; all 0 if not given
    context : (n, n_features) what was known before; nothing if not given
    items : (n_actions, n_item_features) what is known of the actions; a column for each action if not given
    """

    def __init__(
        self,
        action: ArrayLike,
        reward: ArrayLike,
        propensity: ArrayLike,
        *,
        position: ArrayLike | None = None,
        context: ArrayLike | None = None,
        items: ArrayLike | None = None,
    ) -> None:
        self.action, n = _whole(action, "action"), len(np.asarray(action))
        self.position = _whole(np.zeros(n, dtype=np.int64) if position is None else position, "position")
        self.reward, self.propensity = np.asarray(reward, dtype=float), np.asarray(propensity, dtype=float)
        self.context = np.zeros((n, 0)) if context is None else np.asarray(context, dtype=float)
        self.items = np.eye(self.action.max(initial=0) + 1) if items is None else np.asarray(items, dtype=float)
        for name in ("position", "reward", "propensity", "context"):
            if len(getattr(self, name)) != n:
                raise UsageError(f"{name} has {len(getattr(self, name))} rows, action {n}: one for each round")
        if n < 2 or self.action.max() >= len(self.items):
            raise UsageError(
                f"the log has {n} rounds, actions up to {self.action.max(initial=0)}, {len(self.items)} items"
            )
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise UsageError("propensities must lie above 0 and not above 1")

    @property
    def n_actions(self) -> int:
        """How many actions there are."""
        return len(self.items)

    @property
    def n_places(self) -> int:
        """How many places a list has."""
        return int(self.position.max()) + 1

    def rows(self, i: NDArray) -> Logged:
        """Give these rounds only, in this order."""
        now = {name: getattr(self, name)[i] for name in ("action", "reward", "propensity", "position", "context")}
        return Logged(**now, items=self.items)


def open_bandit(frame: pd.DataFrame) -> Logged:
    """Turn the frame of `load_clicks("open-bandit")` into a log, its features coded as obp codes them.

    Users: a column for each value but the first of their four features. Items: the rank of the hash of three
    features, as a number, and the fourth. Where the log shows only some items, only they have features.
    """
    users = [pd.get_dummies(frame[f"user_feature_{k}"], drop_first=True) for k in range(4)]
    shown = frame.drop_duplicates("item").set_index("item").reindex(range(int(frame["item"].max()) + 1))
    codes = [pd.factorize(shown[f"item_feature_{k}"], sort=True)[0] for k in (1, 2, 3)]
    return Logged(
        action=frame["item"].to_numpy(),
        reward=frame["click"].to_numpy(dtype=float),
        propensity=frame["propensity"].to_numpy(),
        position=pd.factorize(frame["position"], sort=True)[0],
        context=np.hstack([user.to_numpy(dtype=float) for user in users]),
        items=np.column_stack([*codes, shown["item_feature_0"].fillna(0.0)]).astype(float),
    )


def weights(log: Logged, policy: ArrayLike) -> Floats:
    """Give π(a_i|x_i)/μ_i of each round (n,)."""
    table, n = _table(log, policy), len(log.action)
    row = np.arange(n) if len(table) == n else log.position
    return cast(Floats, table[row, log.action] / log.propensity)


class Weights(NamedTuple):
    """How much of the log speaks of the policy.

    n rounds are worth `effective` = (Σw)²/Σw² rounds of its own (Kish 1965). `mean` must be near 1, for E[w] = 1: the
    distance in standard errors is `off`, and beyond 3 a propensity is wrong or an action was never shown.
    `top_share` is the part of Σw in the 1 % of rounds with the largest weights; `unused` that of rounds with w = 0.
    """

    n: int
    effective: float
    mean: float
    off: float
    largest: float
    top_share: float
    unused: float


def weight_report(weight: ArrayLike) -> Weights:
    """Describe the weights of a log, (n,).

    >>> report = weight_report([4.0] + [0.0] * 3)
    >>> report.effective, report.mean, report.top_share, report.unused
    (1.0, 1.0, 1.0, 0.75)
    """
    w = np.asarray(weight, dtype=float)
    if w.ndim != 1 or len(w) < 2 or not np.isfinite(w).all() or w.min() < 0:
        raise UsageError("weights must be 2 finite numbers or more in a row, none below 0")
    total, top = w.sum(), np.sort(w)[-max(1, round(len(w) / 100)) :].sum()
    error = w.std(ddof=1) / np.sqrt(len(w))
    return Weights(
        n=len(w),
        effective=float(total**2 / (w @ w)) if total else 0.0,
        mean=float(w.mean()),
        off=float((w.mean() - 1) / error) if error else 0.0,
        largest=float(w.max()),
        top_share=float(top / total) if total else 0.0,
        unused=float((w == 0).mean()),
    )


def cross_fit(log: Logged, policy: ArrayLike, *, model: Any = None, folds: int = 3, seed: int = 0) -> Rounds:
    """Give what the estimators need, each round predicted by a model that has not seen it.

    In each place and for each fold `model` learns the reward from (x, item's features) of the other folds, so that
    its errors are independent of the round's luck (Chernozhukov et al. 2018); each context is predicted once.

    Parameters
    ----------
    model : of scikit-learn, with predict_proba for rewards 0 and 1 or with predict; without it a logistic
        regression with C = 100, as in obp's examples. Where a fold's rewards are all equal, they are the prediction
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    if not 2 <= folds <= len(log.action):
        raise UsageError(f"folds={folds}: cross-fitting needs from 2 to {len(log.action)}")
    if model is None and not np.isin(log.reward, (0, 1)).all():
        raise UsageError("rewards other than 0 and 1 need a `model` with predict, such as Ridge()")
    learner = LogisticRegression(C=100, solver="newton-cholesky", tol=1e-8) if model is None else model
    table, fitted, expected = _table(log, policy), np.empty(len(log.action)), np.empty(len(log.action))
    kinds, kind = np.unique(log.context, axis=0, return_inverse=True)
    for train, test in KFold(folds, shuffle=True, random_state=seed).split(log.action):
        for place in np.unique(log.position[test]):
            q = _Fitted(learner, log, train[log.position[train] == place])
            for part in _parts(test[log.position[test] == place], log.n_actions):
                known, row = np.unique(kind[part], return_inverse=True)
                values = q(kinds[known])  # (n_kinds, n_actions)
                fitted[part] = values[row, log.action[part]]
                shares = table[part] if len(table) == len(log.action) else table[place]
                expected[part] = (values[row] * shares).sum(axis=1) if shares.ndim == 2 else (values @ shares)[row]
    return Rounds(log.reward, weights(log, table), fitted, expected)


class _Fitted:
    """A model of the rewards of some rounds, for every action."""

    def __init__(self, learner: Any, log: Logged, train: Ints) -> None:
        from sklearn.base import clone

        self.items, reward = log.items, log.reward[train]
        self.mean, self.model = float(reward.mean()) if len(train) else 0.0, None
        if len(train) and np.ptp(reward) > 0:
            features = np.hstack([log.context[train], self.items[log.action[train]]])
            self.model = clone(learner).fit(features, reward)

    def __call__(self, contexts: Floats) -> Floats:
        shape = (len(contexts), len(self.items))
        if self.model is None:
            return np.full(shape, self.mean)
        features = np.hstack([np.repeat(contexts, shape[1], axis=0), np.tile(self.items, (shape[0], 1))])
        if hasattr(self.model, "predict_proba"):
            return self.model.predict_proba(features)[:, 1].reshape(shape)
        return self.model.predict(features).reshape(shape)


def _parts(rounds: Ints, n_actions: int) -> Iterator[Ints]:
    step = max(1, CELLS // n_actions)
    return (rounds[start : start + step] for start in range(0, len(rounds), step))


def _table(log: Logged, policy: ArrayLike) -> Floats:
    """Give the policy as (n_places, n_actions) or (n_rounds, n_actions), checked."""
    table = np.asarray(policy, dtype=float)
    if table.ndim == 1:
        table = np.tile(table, (log.n_places, 1))
    n, k = len(log.action), log.n_actions
    if table.ndim != 2 or table.shape[1] != k or len(table) not in (log.n_places, n):
        raise UsageError(f"policy has shape {np.shape(policy)}; must be ({k},), ({log.n_places}, {k}) or ({n}, {k})")
    if table.min() < 0 or not np.allclose(table.sum(axis=1), 1, atol=1e-6):
        raise UsageError("each row of a policy must be chances from 0 that sum to 1")
    return table


def _whole(values: ArrayLike, name: str) -> Ints:
    found = np.asarray(values)
    if found.size and (not np.issubdtype(found.dtype, np.integer) or found.min() < 0):
        raise UsageError(f"{name} must be whole numbers from 0")
    return found.astype(np.int64)
