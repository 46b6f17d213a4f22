"""Rules say exactly what the tree does, in units; a new customer gets the segment of the one branch that applies."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from smlab.checks import UsageError
from smlab.segmentrules import Nearest, Rules, in_words, roundest

WORDS = {"recency": "recency {} days", "frequency": "{} orders", "monetary": "{} £ an order"}


def customers(n: int = 1000, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return customers and their segments: 0 buys often and lately, 1 bought long ago, 2 is the rest."""
    rng = np.random.default_rng(seed)
    columns = {"recency": rng.integers(1, 365, n), "frequency": rng.geometric(0.2, n), "monetary": rng.gamma(2, 20, n)}
    frame = pd.DataFrame(columns)
    lately, often = frame.recency <= 100, frame.frequency >= 4
    return frame, np.select([lately & often, ~lately], [0, 1], 2)


# Correction 13: a tree's formula

VISITORS = pd.DataFrame(
    {"age": [16, 20, 24, 19, 22, 31, 40, 55, 33, 47], "likes entertainment": [1, 1, 1, 0, 0, 1, 1, 0, 0, 0]}
)
CLICKS = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])  # young people who like entertainment click


def test_tree_is_a_sum_over_leaves_and_answers_the_branch_it_draws():
    """For age 20 and entertainment exactly one leaf's indicator is 1, and its answer is the tree's."""
    rules = Rules(min_share=0.1).fit(VISITORS, CLICKS)
    asked = pd.DataFrame({"age": [20], "likes entertainment": [1]})
    x = asked.to_numpy(dtype=float)
    indicators = [bool(leaf.holds(x)[0]) for leaf in rules.leaves_]
    assert sum(indicators) == 1
    by_formula = sum(leaf.segment * one for leaf, one in zip(rules.leaves_, indicators, strict=True))
    assert by_formula == rules.predict(asked)[0] == 1
    assert sorted(rules.names_[1].split(" and ")) == ["age at most 30", "likes entertainment"]


def test_sum_over_questions_is_not_the_tree():
    """Weights on the single questions cannot give the three answers that the two questions have together (XOR-like)."""
    young, fun = VISITORS.age <= 30, VISITORS["likes entertainment"] == 1
    design = np.column_stack([young, fun]).astype(float)  # Σ_j w_j 1{question j}
    best = design @ np.linalg.lstsq(design, CLICKS.astype(float), rcond=None)[0]
    assert np.abs(best - CLICKS).max() > 0.2
    product = (young & fun).astype(int)
    assert (product == CLICKS).all()


# Rules


def test_planted_rules_are_read_off_in_their_units():
    frame, segment = customers()
    rules = Rules(words=WORDS).fit(frame, segment)
    assert rules.names_ == {
        0: "recency at most 100 days and at least 4 orders",
        1: "recency at least 101 days",
        2: "recency at most 100 days and at most 3 orders",
    }
    np.testing.assert_array_equal(rules.predict(frame), segment)
    assert rules.fidelity_.value > 0.98
    assert rules.rules_["n"].sum() == len(frame) and rules.rules_["share"].sum() == pytest.approx(1)
    assert (rules.rules_[["precision", "recall"]] == 1).all(axis=None)


@pytest.mark.parametrize("seed", range(5))
def test_rules_agree_with_the_tree_on_all_it_was_fitted_to(seed):
    frame, segment = customers(600, seed)
    noisy = np.where(np.random.default_rng(seed).random(600) < 0.2, 1, segment)
    rules = Rules(max_depth=4, seed=seed).fit(frame, noisy)
    tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=0.02, random_state=seed).fit(
        frame.to_numpy(float), noisy
    )
    np.testing.assert_array_equal(rules.predict(frame), tree.predict(frame.to_numpy(float)))
    covered = np.array([leaf.holds(frame.to_numpy(float)) for leaf in rules.leaves_])
    assert (covered.sum(axis=0) == 1).all()
    np.testing.assert_array_equal(np.sort(covered.sum(axis=1)), np.sort(rules.rules_["n"]))


def test_fidelity_is_held_out_and_not_flattered():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    coin = rng.integers(0, 2, 300)
    rules = Rules(max_depth=8, min_share=0).fit(frame, coin)
    assert (rules.predict(frame) == coin).mean() > 0.65
    assert rules.fidelity_.low < 0.5 < rules.fidelity_.high


def test_segment_that_no_rule_reaches_is_said_so():
    frame = pd.DataFrame({"a": np.arange(100)})
    segment = np.where(np.arange(100) < 50, 0, 1)
    segment[10] = 2
    assert Rules(max_depth=1).fit(frame, segment).names_[2] == "not told apart by 1 questions"


def test_several_rules_of_a_segment_are_joined_by_or():
    frame = pd.DataFrame({"a": np.arange(90)})
    rules = Rules().fit(frame, np.repeat([0, 1, 0], 30))
    assert rules.names_[1] == "a 30 to 59" and rules.names_[0] in (
        "a at most 29; or a at least 60",
        "a at least 60; or a at most 29",
    )


@pytest.mark.parametrize("seed", range(3))
def test_roundest_number_lies_where_it_must_and_has_few_digits(seed):
    rng = np.random.default_rng(seed)
    for _ in range(300):
        below, above = np.sort(rng.normal(0, 10.0 ** rng.integers(-4, 7), 2))
        t = roundest(below, above)
        assert below <= t < above
        if above - below > 0.2 * max(abs(below), abs(above)):
            assert len(f"{abs(t):.9e}".split("e")[0].replace(".", "").strip("0")) <= 2


def test_words_of_a_range():
    assert in_words(-np.inf, 30, whole=True) == "at most 30"
    assert in_words(3, 4, whole=True) == "4"
    assert in_words(1999.5, np.inf, whole=False) == "above 1,999.5"


# Neighbours


def test_nearest_is_brute_force():
    rng = np.random.default_rng(0)
    X, z, new = rng.normal(size=(200, 3)), rng.integers(0, 3, 200), rng.normal(size=(40, 3))
    near = np.argsort(np.linalg.norm(new[:, None] - X, axis=2), axis=1)[:, :7]
    shares = np.array([np.bincount(row, minlength=3) for row in z[near]]) / 7
    found = Nearest(k=7).fit(X, z)
    np.testing.assert_allclose(found.shares(new), shares)
    np.testing.assert_array_equal(found.predict(new), shares.argmax(axis=1))


def test_new_customers_get_the_segment_of_their_like():
    frame, segment = customers(3000)
    scaled = np.log1p(frame.to_numpy())
    found = Nearest().fit(scaled[:2000], segment[:2000])
    assert (found.predict(scaled[2000:]) == segment[2000:]).mean() > 0.9


FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [1.0, 2.0, 3.0]})
ERRORS = {
    "3 customers need a segment each, and 2 segments or more": lambda: Rules().fit(FRAME, [0, 0, 0]),
    "must be numbers": lambda: Rules().fit(FRAME.assign(a=["x", "y", "z"]), [0, 1, 1]),
    "the column 'b' is missing": lambda: Rules(min_share=0.1).fit(FRAME, [0, 1, 1]).predict(FRAME[["a"]]),
    "max_depth=0 must be 1 or more": lambda: Rules(max_depth=0),
    "k=0 neighbours": lambda: Nearest(k=0),
    "3 customers need a segment each": lambda: Nearest().fit(FRAME, [0]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
