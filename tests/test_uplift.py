"""Learners of effects: planted effects found, identities, more arms, chances that depend on x, bad input."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from smlab.checks import UsageError
from smlab.uplift import DRLearner, SLearner, TLearner, TransformedOutcome, XLearner, learners


def world(
    n: int, seed: int, *, binary: bool = True, lot: bool = True
) -> tuple[pd.DataFrame, NDArray, NDArray, NDArray]:
    """Give x, y, w and the true effect .25 (a > 0) - .1 beside a chance that b moves; without lot, b also draws w."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    tau = 0.25 * (X["a"] > 0).to_numpy() - 0.1
    mu = 0.35 + 0.1 * np.tanh(X["b"].to_numpy())
    e = np.full(n, 0.4) if lot else 1 / (1 + np.exp(-X["b"].to_numpy()))
    w = (rng.random(n) < e).astype(int)
    mean = mu + tau * w
    y = (rng.random(n) < mean).astype(float) if binary else mean + 0.4 * rng.normal(size=n)
    return X, y, w, tau


@pytest.mark.parametrize("base", ["logistic", "boosting"])
@pytest.mark.parametrize("binary", [True, False])
def test_every_learner_finds_whom_the_treatment_moves(base, binary):
    X, y, w, tau = world(8000, 0, binary=binary)
    new, *_, truth = world(3000, 1)
    for name, learner in learners(base, binary=binary).items():
        if base == "logistic" and name == "S-learner":
            learner = SLearner(interactions=True)
        found = learner.fit(X, y, w).predict(new)[1]
        assert spearmanr(found, truth).statistic > 0.55, name
        assert found.mean() == pytest.approx(truth.mean(), abs=0.05), name


def test_a_logistic_s_learner_without_products_orders_by_the_outcome_alone():
    X, y, w, _ = world(4000, 2)
    learner = SLearner().fit(X, y, w)
    middle = -np.abs(learner.outcomes(X)[[0, 1]].mean(axis=1) - 0.5)
    assert spearmanr(learner.predict(X)[1].abs(), middle).statistic > 0.98


def test_where_x_draws_the_arm_the_estimated_chance_puts_the_mean_right():
    X, y, w, tau = world(20_000, 3, lot=False)
    naive = y[w == 1].mean() - y[w == 0].mean()
    assert naive - tau.mean() > 0.04
    for learner in (TransformedOutcome(), DRLearner()):
        told = learner.fit(X, y, w, propensity="estimate").predict(X)[1]
        assert told.mean() == pytest.approx(tau.mean(), abs=0.02), type(learner).__name__
    wrong = DRLearner(base=LogisticRegression(C=1e-9), effect="logistic")  # μ knows nothing, e is right
    assert wrong.fit(X, y, w, propensity="estimate").predict(X)[1].mean() == pytest.approx(tau.mean(), abs=0.02)


def test_linear_models_of_the_t_learner_and_of_the_s_learner_with_products_are_one():
    X, y, w, _ = world(600, 4, binary=False)
    T = TLearner(base=LinearRegression()).fit(X, y, w).predict(X)
    S = SLearner(base=LinearRegression(), interactions=True).fit(X, y, w).predict(X)
    np.testing.assert_allclose(T, S)
    np.testing.assert_allclose(XLearner(base=LinearRegression()).fit(X, y, w).predict(X), T, err_msg="linear: X is T")


def test_more_arms_are_each_set_against_the_control():
    X, y, w, _ = world(3000, 5)
    other = world(3000, 6)
    arm = np.array(["none", "mens"])[w]
    names = np.concatenate([arm, np.array(["none", "womens"])[other[2]]])
    both = pd.concat([X, other[0]], ignore_index=True)
    outcome = np.concatenate([y, other[1]])
    for learner in learners().values():
        found = learner.fit(both, outcome, names, control="none").predict(both)
        assert list(found) == ["mens", "womens"] and found.index.equals(both.index)
        pair = names != "womens"
        alone = learner.fit(both[pair], outcome[pair], names[pair], control="none").predict(both)
        np.testing.assert_allclose(found["mens"], alone["mens"])


def test_any_model_of_scikit_learns_form_serves_and_a_seed_repeats():
    X, y, w, _ = world(1000, 7)
    tree = TLearner(base=DecisionTreeClassifier(max_depth=2, random_state=0)).fit(X, y, w)
    assert tree.predict(X)[1].nunique() <= 16
    DRLearner(base=LogisticRegression(), effect=DecisionTreeRegressor(max_depth=2)).fit(X, y, w).predict(X)
    first, again, other = (DRLearner(base="boosting", seed=s).fit(X, y, w).predict(X) for s in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)
    np.testing.assert_array_equal(tree.predict(X[["d", "b", "a", "c"]]), tree.predict(X))
    np.testing.assert_array_equal(
        TLearner().fit(X.to_numpy(), y, w).predict(X.to_numpy()), TLearner().fit(X, y, w).predict(X)
    )


def refused(text: str, learner: object = None, **change: object) -> None:
    X, y, w, _ = world(100, 8)
    given = {"X": X, "y": y, "arm": w, **change}
    with pytest.raises(UsageError, match=re.escape(text)):
        (learner or TLearner()).fit(**given)  # type: ignore[attr-defined]


def test_bad_input_is_refused_in_a_sentence():
    X, y, w, _ = world(100, 8)
    refused("treated must be 0 or 1, or the control be named; found 0, 2", arm=2 * w)
    refused("only the control 0 has rows", arm=0 * w)
    refused("a propensity of 0 must lie between 0 and 1", propensity=0.0)
    refused("row 3, column 'b': nan is not finite", X=X.assign(b=X["b"].where(X.index != 3)))
    refused("column 'a' holds str: encode it as numbers first", X=X.assign(a="x"))
    refused("row 0: the outcome nan is not finite", y=np.append(np.nan, y[1:]))
    refused("X has 99 rows, y and arm have 100", X=X[1:])
    refused("has 0 outcomes of the rarer kind", y=y * w)
    refused("base='boostin': did you mean 'boosting'?", TLearner(base="boostin"))
    refused("LogisticRegression forecasts classes, effects are numbers", XLearner(base=LogisticRegression()))
    refused("LogisticRegression forecasts classes, and y is not 0 or 1", TLearner(base=LogisticRegression()), y=y + 0.5)
    refused("so y must be 0 or 1", learners()["class"], y=y + 0.5)
    with pytest.raises(UsageError, match="TLearner has learnt nothing yet"):
        TLearner().predict(X)
    with pytest.raises(UsageError, match=re.escape("column 'd' is absent")):
        TLearner().fit(X, y, w).predict(X.drop(columns="d"))
    with pytest.raises(UsageError, match=re.escape("X has 3 columns; 4 were learnt from")):
        TLearner().fit(X.to_numpy(), y, w).predict(X.to_numpy()[:, :3])
    with pytest.raises(UsageError, match=re.escape("arm 'z' is not among those learnt; known: 1")):
        TLearner().fit(X, y, w).outcomes(X, "z")
