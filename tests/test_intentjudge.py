"""Shares by hand, a threshold that never saw the test, and mistakes in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.intentjudge import choose, confusions, curve, figures, judge

HELD = pd.DataFrame({"text": list("abcdef"), "called": list("xxyyxy"), "margin": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]})
TRUE = np.array(["x", "x", "y", "oos", "y", "oos"])


def drawn(n, seed, shift=1.5):
    rng = np.random.default_rng(seed)
    true = rng.choice(["x", "y", "z", "oos"], n)
    called = np.where((true == "oos") | (rng.random(n) < 0.1), rng.choice(["x", "y", "z"], n), true)
    score = rng.normal(np.where(true == "oos", 0, shift), 1)
    return pd.DataFrame({"text": [f"q{i}" for i in range(n)], "called": called, "margin": score}), true


def test_shares_are_those_counted_by_hand():
    table, answers = judge({"m": HELD}, TRUE, {"m": HELD}, TRUE, lost=0.0)
    row = table.loc["m"]
    assert (row["score"], row["threshold"]) == ("margin", 0.7)
    assert (row["in_scope_accuracy"].value, row["oos_recall"].value, row["oos_precision"].value) == (3 / 4, 1, 2 / 3)
    assert row["before_refusing"].value == 3 / 4
    assert answers["m"]["refused"].tolist() == [False] * 3 + [True] * 3


def test_no_more_than_the_share_lost_is_refused_though_right():
    for seed in range(20):
        held, true = drawn(400, seed)
        inside = true != "oos"
        for lost in (0, 0.01, 0.1):
            _, t = choose(held, true, lost=lost)
            right_and_refused = (held["called"] == true) & inside & (held["margin"] < t)
            assert right_and_refused.sum() <= lost * inside.sum()


def test_better_score_is_chosen_on_validation():
    held, true = drawn(400, 0)
    held["noise"] = np.random.default_rng(1).random(400)
    assert choose(held, true, lost=0.05)[0] == "margin"
    assert choose(held, true, lost=0.05, score="noise")[0] == "noise"


def test_threshold_does_not_move_with_the_test():
    held, true = drawn(300, 0)
    a, b = (judge({"m": held}, true, {"m": drawn(300, s)[0]}, drawn(300, s)[1]).table["threshold"]["m"] for s in (1, 2))
    assert a == b


def test_intervals_hold_the_truth_nineteen_times_of_twenty():
    """Recall at a fixed threshold of 0 is ½ for scores of mean 0."""
    hits = 0
    for seed in range(200):
        test, true = drawn(300, seed)
        answers = test.assign(true=true, refused=test["margin"] < 0)
        found = figures(answers)["oos_recall"]
        hits += found.low <= 0.5 <= found.high
    assert 0.9 <= hits / 200 <= 0.99


def test_curve_agrees_with_the_shares_at_each_threshold():
    test, true = drawn(500, 3)
    for row in curve(test, true, "margin", points=20).iloc[1:].itertuples():
        refused = test["margin"] < row.threshold
        inside = true != "oos"
        assert row.recall == pytest.approx(refused[~inside].mean())
        assert row.accuracy == pytest.approx(((test["called"] == true) & ~refused)[inside].mean())
        assert row.precision == pytest.approx((~inside)[refused].mean())


def test_without_queries_out_of_scope_nothing_is_refused():
    inside = TRUE != "oos"
    held, true = HELD[inside].assign(probability=0.5), TRUE[inside]
    row = judge({"m": held}, true, {"m": held}, true).table.loc["m"]
    assert "oos_recall" not in row and row["in_scope_accuracy"].value == 3 / 4
    assert row["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_mistakes_are_told_in_words():
    answers = judge({"m": HELD}, TRUE, {"m": HELD}, TRUE, lost=0.0, score="margin").answers["m"]
    said = confusions(answers)["said"].tolist()
    assert said == ["1 of 2 queries on y were refused, such as “e”"]
    every = confusions(answers.assign(refused=False))["said"].tolist()
    assert "2 of 2 queries without an intent were taken for y, such as “d”" in every


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: choose(HELD, TRUE, lost=1), "lost=1 must be a share"),
        (lambda: choose(HELD, TRUE, score="margn"), "did you mean|margin"),
        (lambda: choose(HELD, TRUE[:3]), "6 answers and 3 true intents"),
    ],
)
def test_errors_say_what_is_wrong(call, said):
    with pytest.raises(UsageError, match=said):
        call()
