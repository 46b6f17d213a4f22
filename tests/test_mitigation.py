"""Mitigation: fairlearn's decisions, the gap that is asked for, its price, and a price that biased labels feign."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from fairlearn import metrics as fl
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.linear_model import LogisticRegression

from smlab.audience import audience, encode
from smlab.checks import UsageError
from smlab.metrics import Interval
from smlab.mitigation import Mixture, cost_of_fairness, reduction, thresholds

PARTS = np.split(np.arange(9000), [4000, 6500])  # train, validation, test


@pytest.fixture(scope="module")
def crowd():
    a = audience(9000, seed=3, bias=0.5)
    X, gender = encode(a.frame).X, a.frame["gender"].to_numpy()
    train = PARTS[0]
    model = LogisticRegression(max_iter=1000).fit(X.iloc[train], a.y[train])
    return a, X, gender, model.predict_proba(X)[:, 1]


@pytest.mark.parametrize("constraint", ["demographic parity", "equal opportunity", "equalized odds"])
def test_thresholds_close_the_gap_on_the_part_they_were_chosen_on(crowd, constraint):
    a, _, gender, p = crowd
    v = PARTS[1]
    d = thresholds(a.y[v], p[v], gender[v], constraint=constraint)(p[v], gender[v])
    assert ((d >= 0) & (d <= 1)).all()
    (row,) = cost_of_fairness(a.y[v], gender[v], {"fair": d}, constraint=constraint, n=50).itertuples()
    (raw,) = cost_of_fairness(a.y[v], gender[v], {"raw": p[v] >= 0.5}, constraint=constraint, n=50).itertuples()
    assert row.gap.value < 0.002 < 0.2 < raw.gap.value


def test_thresholds_are_fairlearns_with_a_coin_that_is_left_untossed(crowd):
    a, X, gender, p = crowd
    train, v, _ = PARTS
    model = LogisticRegression(max_iter=1000).fit(X.iloc[train], a.y[train])
    theirs = ThresholdOptimizer(estimator=model, prefit=True, predict_method="predict_proba", tol=0.05)
    with warnings.catch_warnings(action="ignore"):
        theirs.fit(X.iloc[v], a.y[v], sensitive_features=gender[v])
    tossed = [theirs.predict(X.iloc[v], sensitive_features=gender[v], random_state=s) for s in range(50)]
    ours = thresholds(a.y[v], p[v], gender[v], slack=0.05)(p[v], gender[v])
    np.testing.assert_allclose(np.mean(tossed, axis=0), ours, atol=0.35)
    assert abs(np.mean(tossed) - ours.mean()) < 0.002


def test_a_wider_slack_costs_less_and_leaves_more(crowd):
    a, _, gender, p = crowd
    _, v, t = PARTS
    decisions = {"as it is": p[t] >= 0.5}
    for slack in (0.2, 0.1, 0.0):
        decisions[f"at most {slack}"] = thresholds(a.y[v], p[v], gender[v], slack=slack)(p[t], gender[t])
    table = cost_of_fairness(a.y[t], gender[t], decisions, scores={"as it is": p[t]}, n=300)
    gap, accuracy, lost = ([x.value for x in table[c]] for c in ("gap", "accuracy", "lost"))
    assert gap == sorted(gap, reverse=True) and gap[-1] < 0.05
    assert accuracy == sorted(accuracy, reverse=True) and lost == sorted(lost)
    assert table["lost"][3].low > 0 and isinstance(table["auc"][0], Interval) and table["auc"][1] is None
    y, d = a.y[t], decisions["as it is"]
    assert gap[0] == pytest.approx(fl.demographic_parity_difference(y, d, sensitive_features=gender[t]))
    assert accuracy[0] == pytest.approx((y == d).mean())
    np.testing.assert_allclose(np.diff(accuracy), -2 * np.diff(lost), atol=1e-12)  # the gain at ½ is half the accuracy


def test_a_reduction_keeps_its_bound_without_being_told_the_group(crowd):
    a, X, gender, _ = crowd
    train, _, t = PARTS
    few = train[:2500]
    mix = reduction(LogisticRegression(max_iter=1000), X.iloc[few], a.y[few], gender[few], slack=0.04)
    d = mix.decide(X.iloc[few])
    assert abs(d[gender[few] == "female"].mean() - d[gender[few] == "male"].mean()) < 0.05
    assert mix.weights.sum() == pytest.approx(1) and isinstance(mix, Mixture)
    assert ((mix.predict_proba(X.iloc[t]) > 0) & (mix.predict_proba(X.iloc[t]) < 1)).all()
    again = reduction(LogisticRegression(max_iter=1000), X.iloc[few], a.y[few], gender[few], slack=0.04)
    np.testing.assert_array_equal(again.decide(X.iloc[t]), mix.decide(X.iloc[t]))
    eager = reduction(LogisticRegression(max_iter=1000), X.iloc[few], a.y[few], gender[few], slack=0.04, threshold=0.2)
    assert eager.decide(X.iloc[t]).mean() > mix.decide(X.iloc[t]).mean() + 0.2, "cheap choices are made more often"


def test_the_price_of_fairness_is_one_of_the_records_where_the_records_are_unfair(crowd):
    """Half of the interested women are recorded as not. On the records fairness costs; in what people want, nothing."""
    a, X, gender, p = crowd
    train, _, t = PARTS
    mix = reduction(LogisticRegression(max_iter=1000), X.iloc[train], a.y[train], gender[train], slack=0.04)
    decisions = {"as it is": p[t] >= 0.5, "fair": mix.decide(X.iloc[t])}
    recorded, wanted = (cost_of_fairness(y[t], gender[t], decisions) for y in (a.y, a.wanted))
    assert recorded["lost"][1].low > 0.002
    assert wanted["lost"][1].value < 0.004 and wanted["lost"][1].low < 0


def some(n: int = 100):
    return np.arange(n) % 2, np.linspace(0.1, 0.9, n), np.where(np.arange(n) % 4 < 2, "a", "b")


ERRORS = {
    "unknown constraint 'equal odds'; did you mean 'equalized odds'?": lambda: thresholds(
        *some(), constraint="equal odds"
    ),
    "slack=1.5 must lie between 0 and 1": lambda: thresholds(*some(), slack=1.5),
    "thresholds for equalized odds know no slack": lambda: thresholds(
        *some(200), constraint="equalized odds", slack=0.1
    ),
    "group 'a' has 10 rows of the rarer class; 30 are needed": lambda: thresholds(*some(40)),
    "group 'c' has no threshold: the validation part has a, b": lambda: thresholds(*some(200))([0.5], ["c"]),
    "slack=0.0 must be above 0": lambda: reduction(LogisticRegression(), None, [0], ["a"], slack=0.0),
    "no two groups have 30 rows for equal opportunity": lambda: cost_of_fairness(
        [0, 1], ["a", "b"], {"x": [0, 1]}, constraint="equal opportunity"
    ),
    "there is no decision to judge": lambda: cost_of_fairness([0, 1], ["a", "b"], {}),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
