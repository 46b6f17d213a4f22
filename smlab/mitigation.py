"""Decide so that groups are treated alike, by fairlearn, and say what that costs.

Two ways. `thresholds` leaves the model as it is and gives each group a threshold of its own, chosen on validation data:
the most accurate ones whose rates lie at most `slack` apart (Hardt, Price & Srebro 2016). It has to know the group of
everyone it decides about. `reduction` fits a mixture of models on training data whose mistakes are weighed until the
constraint holds (Agarwal, Beygelzimer, Dudík, Langford & Wallach 2018); it decides without knowing the group.
`cost_of_fairness` judges any decisions on a test part: what holds on validation data holds there only about.

Decisions are chances of being chosen, for at the edge both toss a coin. Left out: whether a gap should be closed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from smlab.auc import auc_interval
from smlab.checks import UsageError, nearest
from smlab.fairness import SHARES, SMALLEST, checked, gap
from smlab.metrics import Interval, bootstrap, paired_difference

Floats = NDArray[np.float64]
RATES = {"demographic parity": "demographic_parity", "equal opportunity": "true_positive_rate_parity"}
MOMENTS = {
    "demographic parity": "DemographicParity",
    "equal opportunity": "TruePositiveRateParity",
    "equalized odds": "EqualizedOdds",
}


def thresholds(
    y: ArrayLike,
    p: ArrayLike,
    group: ArrayLike,
    *,
    constraint: str = "demographic parity",
    slack: float = 0.0,
    smallest: int = SMALLEST,
) -> Callable[[ArrayLike, ArrayLike], Floats]:
    """Choose each group's threshold on validation data; give the function (p, group) → chance of being chosen (n,).

    Parameters
    ----------
    y, p, group : (n,) of the validation part
    constraint : "demographic parity", "equal opportunity", or "equalized odds" (slack 0 only)
    slack : how far the rates may lie apart on the validation part
    smallest : a group with fewer rows of either class is refused: a threshold of its own would be chance

    Notes
    -----
    The most accurate thresholds are those of a hit that is worth twice what choosing costs (fairlearn offers no
    other costs here); `reduction` takes any.

    >>> rng = np.random.default_rng(0)
    >>> group, p = np.repeat(["a", "b"], 500), np.r_[rng.random(500), rng.random(500) ** 2]
    >>> decide = thresholds(rng.random(1000) < p, p, group)
    >>> [round(float(decide(p, group)[group == g].mean()), 2) for g in "ab"]
    [0.34, 0.34]
    """
    _need(constraint, slack)
    hit, prob = checked(y, p)
    names = np.asarray(group).astype(str)
    known = _need_many(hit, names, smallest)
    if constraint not in RATES and slack:
        raise UsageError(f"slack={slack}: thresholds for equalized odds know no slack; take 0, or `reduction`")
    from fairlearn.postprocessing import ThresholdOptimizer

    found = ThresholdOptimizer(
        estimator=_AsIs(),
        constraints=RATES.get(constraint, "equalized_odds"),
        prefit=True,
        predict_method="predict",
        tol=slack if constraint in RATES else None,
    )
    with _quiet():
        found.fit(prob[:, None], hit.astype(int), sensitive_features=names)

    def decide(p: ArrayLike, group: ArrayLike) -> Floats:
        here, who = np.asarray(p, dtype=float), np.asarray(group).astype(str)
        if strange := sorted(set(who.tolist()) - set(known)):
            raise UsageError(f"group {strange[0]!r} has no threshold: the validation part has {', '.join(known)}")
        # `predict` would toss the coin; this is the chance itself
        return np.asarray(found._pmf_predict(here[:, None], sensitive_features=who)[:, 1])

    return decide


@dataclass(frozen=True)
class Mixture:
    """Models with weights that add up to 1: a coin chooses who decides.

    Parameters
    ----------
    weights : (m,)
    models : fitted, with predict and predict_proba of scikit-learn
    """

    weights: Floats
    models: list[Any]

    def decide(self, X: Any) -> Floats:
        """Give the chance of being chosen (n,)."""
        return self.weights @ np.stack([m.predict(X) for m in self.models])

    def predict_proba(self, X: Any) -> Floats:
        """Give the mean probability (n,), a score for AUC; weighed mistakes make it no calibrated one."""
        return self.weights @ np.stack([m.predict_proba(X)[:, 1] for m in self.models])


def reduction(
    model: Any,
    X: pd.DataFrame,
    y: ArrayLike,
    group: ArrayLike,
    *,
    constraint: str = "demographic parity",
    slack: float = 0.02,
    threshold: float = 0.5,
    smallest: int = SMALLEST,
) -> Mixture:
    """Fit a mixture of models whose decisions obey the constraint on the training part.

    Parameters
    ----------
    model : of scikit-learn, with sample_weight in its fit; it is fitted again for each weighing
    slack : how far the rates may lie apart on the training part, above 0
    threshold : cost of choosing over worth of a hit: a wrong choice costs `threshold`, a missed hit 1 - `threshold`
    """
    _need(constraint, slack)
    if not slack or not 0 < threshold < 1:
        raise UsageError(f"slack={slack} must be above 0, and threshold={threshold} between 0 and 1")
    hit, names = np.asarray(y).astype(int), np.asarray(group).astype(str)
    _need_many(hit == 1, names, smallest)
    from fairlearn import reductions

    # the moments bound each group's distance to all: two groups may then lie twice as far apart
    moment = getattr(reductions, MOMENTS[constraint])(difference_bound=slack / 2)
    costs = reductions.ErrorRate(costs={"fp": threshold, "fn": 1 - threshold})
    found = reductions.ExponentiatedGradient(model, moment, objective=costs, eps=slack / 2)
    with _quiet():
        found.fit(X, hit, sensitive_features=names)
    used = found.weights_[found.weights_ > 0]
    return Mixture(used.to_numpy() / used.sum(), [found.predictors_[k] for k in used.index])


def cost_of_fairness(
    y: ArrayLike,
    group: ArrayLike,
    decisions: Mapping[str, ArrayLike],
    *,
    constraint: str = "demographic parity",
    threshold: float = 0.5,
    scores: Mapping[str, ArrayLike] | None = None,
    smallest: int = SMALLEST,
    level: float = 0.95,
    n: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge several ways to decide on one test part: the gap that remains, and what it costs to make it smaller.

    Parameters
    ----------
    decisions : {name: (n,) probability of being chosen, or 0 and 1}; the first is what the others are compared with
    constraint : "demographic parity", "equal opportunity" or "equalized odds"
    threshold : cost of choosing over worth of a hit; the gain of a row is d (y - threshold), in hits
    scores : {name: (n,)} behind the decisions, for AUC

    Returns
    -------
    A row for each decision: name, and as `Interval`: gap, accuracy, gain, lost (gain of the first less this, on the
    same rows) and auc (None without a score)

    >>> y, group = [0, 1] * 50, ["a", "a", "b", "b"] * 25
    >>> table = cost_of_fairness(y, group, {"model": y, "all": [1] * 100}, smallest=10)
    >>> [f"{x:.2f}" for x in table["lost"]]
    ['0.00 [0.00, 0.00]', '0.25 [0.20, 0.30]']
    """
    _need(constraint)
    rows: list[dict[str, Any]] = []
    first = None
    for name, decided in decisions.items():
        hit, d = checked(y, decided)
        how: dict[str, Any] = {"level": level, "n": n, "seed": seed}
        found = gap(constraint, hit, d, d, group, smallest=smallest, **how)
        if np.isnan(found["value"]):
            raise UsageError(f"no two groups have {smallest} rows for {constraint}; join groups, or lower smallest")
        gain = d * (hit - threshold)
        first = gain if first is None else first
        right, lost = bootstrap(d * hit + (1 - d) * ~hit, **how), paired_difference(first, gain, **how)
        auc = auc_interval(hit, scores[name], level=level) if scores and name in scores else None
        apart = Interval(found["value"], found["low"], found["high"])
        rows.append({"name": name, "gap": apart, "accuracy": right, "gain": bootstrap(gain, **how), "lost": lost})
        rows[-1]["auc"] = auc
    if not rows:
        raise UsageError("there is no decision to judge")
    return pd.DataFrame(rows)


class _AsIs(RegressorMixin, BaseEstimator):
    """A model that gives back the score it is given, for fairlearn wants a model."""

    def fit(self, X: NDArray, y: NDArray) -> _AsIs:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: NDArray) -> NDArray:
        return X[:, 0]


def _quiet() -> warnings.catch_warnings:
    """Keep back what pandas will change one day in what fairlearn does."""
    return warnings.catch_warnings(action="ignore", category=DeprecationWarning)


def _need(constraint: str, slack: float = 0.0) -> None:
    if constraint not in SHARES:
        raise UsageError(f"unknown constraint {constraint!r}; {nearest(constraint, SHARES)}")
    if not 0 <= slack < 1:
        raise UsageError(f"slack={slack} must lie between 0 and 1: a difference of rates")


def _need_many(hit: NDArray[np.bool_], names: NDArray, smallest: int) -> list[str]:
    """Give the groups, of which each has to have `smallest` rows of both classes."""
    known: list[str] = np.unique(names).tolist()
    for name in known:
        here = hit[names == name]
        if (few := min(int(here.sum()), int((~here).sum()))) < smallest:
            raise UsageError(f"group {name!r} has {few} rows of the rarer class; {smallest} are needed: join groups")
    return known
