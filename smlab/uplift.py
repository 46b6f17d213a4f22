"""Whom does a treatment move? The effect of each arm on each person, learnt from an experiment.

y is the outcome, x what was known before, W = 1 for the arm and 0 for the control, e(x) = P(W=1 | x) the chance of the
draw. Nobody is seen under both, so τ(x) = E[y | x, W=1] - E[y | x, W=0] has no label. Six ways around it:

    S-learner      one model of y on (x, W), asked twice: τ = μ(x, 1) - μ(x, 0)
    T-learner      one model for each arm: τ = μ1(x) - μ0(x)
    transformed    a model of Z = y (W - e) / (e (1 - e)), for E[Z | x] = τ(x)          (Athey & Imbens 2015)
    class          a classifier of Z = [y = W], rows weighted as if e = ½: τ = 2 P(Z=1 | x) - 1, y of 0 and 1 only
                                                                                        (Jaskowski & Jaroszewicz 2012)
    X-learner      models τ1 of y - μ0(x) on the treated, τ0 of μ1(x) - y on the others: τ = g τ0 + (1 - g) τ1
                                                                                        (Künzel et al. 2019)
    DR-learner     a model of φ = μ1 - μ0 + (W - e) / (e (1 - e)) · (y - μ_W), μ from the other folds   (Kennedy 2020)

X-learner's g may be any share; here it is the mean of e. With more arms than two each is set against the control, in
the rows of these two and with e between these two. All this holds where the arm was drawn by lot, or by a chance that
x explains (then say `propensity="estimate"`); where people chose for themselves, nothing here mends it.

The mean effect of an S-learner is drawn towards 0, and a logistic one without `interactions` can order people only by
how near their μ is to ½. Left out: forests of honest trees, instruments, outcomes that come late.

References: Athey & Imbens (2015), Machine learning methods for estimating heterogeneous causal effects; Jaskowski &
Jaroszewicz (2012), Uplift modeling for clinical trial data; Künzel, Sekhon, Bickel & Yu (2019), Metalearners for
estimating heterogeneous treatment effects; Kennedy (2020), Optimal doubly robust estimation of heterogeneous causal
effects.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from smlab.assignment import Assignment, assignment, propensities, transformed
from smlab.checks import UsageError, nearest

Floats = NDArray[np.float64]

BASES = ("logistic", "boosting")
FEWEST = 5  # outcomes of either kind in an arm, below which no model is fitted


@dataclass(kw_only=True, eq=False)
class Learner:
    """What the six share: arms, propensities, base models.

    Parameters
    ----------
    base : "logistic", "boosting", or a model of scikit-learn's form for y; the names take a regressor where y is not
        0 or 1, logistic then a ridge
    effect : the same for what is no outcome (Z, φ, differences): a regressor; None takes that of `base`
    seed : of the folds and of boosting
    """

    base: Any = "logistic"
    effect: Any = None
    seed: int = 0

    def fit(
        self,
        X: pd.DataFrame | ArrayLike,
        y: ArrayLike,
        arm: ArrayLike,
        *,
        control: Hashable | None = None,
        propensity: Any = None,
    ) -> Any:
        """Learn from rows whose arm was drawn.

        Parameters
        ----------
        X : (n, d) numbers known before the draw
        y : (n,) outcome: 0 or 1, or any finite number
        arm : (n,) what each row got: 0 or 1, or names together with `control`
        control : the arm to compare with; None where arms are 0 and 1
        propensity : see `assignment.propensities`
        """
        A, who = _numbers(X), assignment(y, arm, control)
        if len(A) != len(who.y):
            raise UsageError(f"X has {len(A)} rows, y and arm have {len(who.y)}")
        _need_outcomes(who)
        chance = propensities(who, propensity, A)
        self.control_, self.arms_ = who.arms[0], who.arms[1:]
        self.columns_ = list(X.columns) if isinstance(X, pd.DataFrame) else None
        self.width_, self.pairs_ = A.shape[1], {}
        for j, name in enumerate(self.arms_, start=1):
            rows = np.isin(who.code, (0, j))
            e = chance[rows, j] / (chance[rows, 0] + chance[rows, j])
            self.pairs_[name] = self._learn(A[rows], who.y[rows], (who.code[rows] == j).astype(float), e)
        return self

    def predict(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Give τ(x) of each row and arm, a column an arm, in units of y (for 0 and 1: a difference of chances)."""
        A, index = self._read(X)
        return pd.DataFrame({name: self._effect(pair, A) for name, pair in self.pairs_.items()}, index=index)

    def _read(self, X: pd.DataFrame | ArrayLike) -> tuple[Floats, pd.Index]:
        if not hasattr(self, "pairs_"):
            raise UsageError(f"{type(self).__name__} has learnt nothing yet: call fit first")
        if isinstance(X, pd.DataFrame) and self.columns_ is not None:
            if absent := [c for c in self.columns_ if c not in X]:
                raise UsageError(f"column {absent[0]!r} is absent; {nearest(str(absent[0]), map(str, X))}")
            X = X[self.columns_]
        A = _numbers(X)
        if A.shape[1] != self.width_:
            raise UsageError(f"X has {A.shape[1]} columns; {self.width_} were learnt from")
        return A, X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(A))

    def _model(self, A: Floats, y: Floats, *, effect: bool = False, weight: Floats | None = None) -> Any:
        """Fit a base model to an outcome, or a regressor to an effect."""
        base = self.effect if effect and self.effect is not None else self.base
        binary = not effect and bool(np.isin(y, (0, 1)).all())
        if isinstance(base, str):
            base = _named(base, binary, self.seed)
        elif effect and is_classifier(base):
            raise UsageError(
                f"{type(base).__name__} forecasts classes, effects are numbers: name a regressor as effect"
            )
        elif not binary and is_classifier(base):
            raise UsageError(f"{type(base).__name__} forecasts classes, and y is not 0 or 1: name a regressor as base")
        model = clone(base)
        place = f"{model.steps[-1][0]}__sample_weight" if isinstance(model, Pipeline) else "sample_weight"
        return model.fit(A, y.astype(int) if is_classifier(model) else y, **({} if weight is None else {place: weight}))

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        raise NotImplementedError

    def _effect(self, pair: Any, A: Floats) -> Floats:
        raise NotImplementedError


@dataclass(kw_only=True, eq=False)
class TLearner(Learner):
    """One model for each arm, τ = μ1(x) - μ0(x)."""

    def outcomes(self, X: pd.DataFrame | ArrayLike, arm: Hashable | None = None) -> pd.DataFrame:
        """Give the outcome that is forecast without and with an arm (None: the first), columns named by the arms.

        Targeting by predicted outcome, which uplift should beat, takes the second column.
        """
        A, index = self._read(X)
        name = self.arms_[0] if arm is None else arm
        if name not in self.pairs_:
            raise UsageError(f"arm {name!r} is not among those learnt; {nearest(str(name), map(str, self.arms_))}")
        mu0, mu1 = self._outcomes(self.pairs_[name], A)
        return pd.DataFrame({self.control_: mu0, name: mu1}, index=index)

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        return [self._model(A[w == side], y[w == side]) for side in (0, 1)]

    def _outcomes(self, pair: Any, A: Floats) -> tuple[Floats, Floats]:
        return _mean(pair[0], A), _mean(pair[1], A)

    def _effect(self, pair: Any, A: Floats) -> Floats:
        mu0, mu1 = self._outcomes(pair, A)
        return mu1 - mu0


@dataclass(kw_only=True, eq=False)
class SLearner(TLearner):
    """One model of y on (x, W), with `interactions` also on the products x·W; τ = μ(x, 1) - μ(x, 0)."""

    interactions: bool = False

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        return self._model(self._with(A, w), y)

    def _outcomes(self, pair: Any, A: Floats) -> tuple[Floats, Floats]:
        return _mean(pair, self._with(A, np.zeros(len(A)))), _mean(pair, self._with(A, np.ones(len(A))))

    def _with(self, A: Floats, w: Floats) -> Floats:
        return np.column_stack([A, w, *([A * w[:, None]] if self.interactions else [])])


@dataclass(kw_only=True, eq=False)
class TransformedOutcome(Learner):
    """A regressor of Z = y (W - e) / (e (1 - e)), whose mean given x is τ(x)."""

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        return self._model(A, transformed(y, w, e), effect=True)

    def _effect(self, pair: Any, A: Floats) -> Floats:
        return _mean(pair, A)


@dataclass(kw_only=True, eq=False)
class ClassTransformation(Learner):
    """A classifier of Z = [y = W] with rows weighted by ½/P(W), τ = 2 P(Z=1 | x) - 1."""

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        if not np.isin(y, (0, 1)).all():
            raise UsageError("the class transformation asks whether y equals the arm, so y must be 0 or 1")
        return self._model(A, (y == w).astype(float), weight=0.5 / np.where(w == 1, e, 1 - e))

    def _effect(self, pair: Any, A: Floats) -> Floats:
        return 2 * _mean(pair, A) - 1


@dataclass(kw_only=True, eq=False)
class XLearner(TLearner):
    """Each arm's rows lend their outcome, the other arm's model what would have been: τ = g τ0 + (1 - g) τ1."""

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        mu = super()._learn(A, y, w, e)
        treated, rest = w == 1, w == 0
        tau1 = self._model(A[treated], y[treated] - _mean(mu[0], A[treated]), effect=True)
        tau0 = self._model(A[rest], _mean(mu[1], A[rest]) - y[rest], effect=True)
        return [*mu, tau0, tau1, float(e.mean())]

    def _effect(self, pair: Any, A: Floats) -> Floats:
        *_, tau0, tau1, g = pair
        return g * _mean(tau0, A) + (1 - g) * _mean(tau1, A)


@dataclass(kw_only=True, eq=False)
class DRLearner(Learner):
    """A regressor of φ, which is right where either μ or e is; μ is learnt on other `folds` than it is used on."""

    folds: int = 5

    def _learn(self, A: Floats, y: Floats, w: Floats, e: Floats) -> Any:
        mu = np.empty((2, len(y)))
        kind = w + 2 * y if np.isin(y, (0, 1)).all() else w
        for train, test in StratifiedKFold(self.folds, shuffle=True, random_state=self.seed).split(A, kind):
            for side in (0, 1):
                rows = train[w[train] == side]
                mu[side, test] = _mean(self._model(A[rows], y[rows]), A[test])
        phi = mu[1] - mu[0] + transformed(y - np.where(w == 1, mu[1], mu[0]), w, e)
        return self._model(A, phi, effect=True)

    def _effect(self, pair: Any, A: Floats) -> Floats:
        return _mean(pair, A)


def learners(base: Any = "logistic", *, binary: bool = True, seed: int = 0) -> dict[str, Learner]:
    """Give all learners by name; `binary` says that y is 0 or 1, without which there is no class transformation.

    >>> list(learners())
    ['S-learner', 'T-learner', 'transformed', 'class', 'X-learner', 'DR-learner']
    """
    kinds = {"S-learner": SLearner, "T-learner": TLearner, "transformed": TransformedOutcome,
             "class": ClassTransformation, "X-learner": XLearner, "DR-learner": DRLearner}  # fmt: skip
    return {name: kind(base=base, seed=seed) for name, kind in kinds.items() if binary or name != "class"}


def _need_outcomes(who: Assignment) -> None:
    binary = bool(np.isin(who.y, (0, 1)).all())
    for j, name in enumerate(who.arms):
        inside = who.y[who.code == j]
        least = int(min(inside.sum(), len(inside) - inside.sum())) if binary else len(inside)
        if least < FEWEST:
            what = "outcomes of the rarer kind" if binary else "rows"
            raise UsageError(f"arm {name!r} has {least} {what} among {len(inside)} rows; at least {FEWEST} are needed")


def _named(name: str, binary: bool, seed: int) -> Any:
    """Give a base model by name."""
    if name == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000) if binary else Ridge())
    if name == "boosting":
        machine = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
        return machine(
            max_iter=60, learning_rate=0.05, max_leaf_nodes=4, min_samples_leaf=50, early_stopping=False,
            random_state=seed,
        )  # fmt: skip
    raise UsageError(f"base={name!r}: {nearest(name, BASES)}, or a model of scikit-learn's form")


def _mean(model: Any, A: Floats) -> Floats:
    """Give E[y | x]: the chance of 1, or the forecast of a regressor."""
    return np.asarray(model.predict_proba(A)[:, 1] if is_classifier(model) else model.predict(A), dtype=float)


def _numbers(X: pd.DataFrame | ArrayLike) -> Floats:
    if isinstance(X, pd.DataFrame):
        for name, kind in zip(X.columns, X.dtypes, strict=True):
            if not pd.api.types.is_numeric_dtype(kind):
                raise UsageError(f"column {name!r} holds {kind}: encode it as numbers first, say by pandas.get_dummies")
    A = np.asarray(X, dtype=float)
    if A.ndim != 2 or not A.size:
        raise UsageError(f"X has shape {A.shape}; needed are rows and columns")
    if len(wrong := np.argwhere(~np.isfinite(A))):
        row, j = wrong[0]
        column = repr(X.columns[j]) if isinstance(X, pd.DataFrame) else j
        raise UsageError(f"row {row}, column {column}: {A[row, j]} is not finite; fill or drop it")
    return A
