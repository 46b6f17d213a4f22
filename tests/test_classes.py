"""Figures of a classifier are scikit-learn's, their intervals cover as often as they say, McNemar is the paper's."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn import metrics as theirs

from smlab import classes
from smlab.checks import UsageError

NAMES = np.array(["negative", "neutral", "positive"])


def called(n: int, seed: int, right: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Return true labels, unevenly spread, and predictions that are right `right` of the time or guess."""
    rng = np.random.default_rng(seed)
    y = rng.choice(NAMES, n, p=[0.3, 0.55, 0.15])
    return y, np.where(rng.random(n) < right, y, rng.choice(NAMES, n))


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed):
    y, yhat = called(500, seed)
    assert classes.confusion(y, yhat).to_numpy().tolist() == theirs.confusion_matrix(y, yhat).tolist()
    assert classes.accuracy(y, yhat) == pytest.approx(theirs.accuracy_score(y, yhat))
    assert classes.macro_recall(y, yhat) == pytest.approx(theirs.recall_score(y, yhat, average="macro"))
    assert classes.macro_f1(y, yhat) == pytest.approx(theirs.f1_score(y, yhat, average="macro"))
    np.testing.assert_allclose(classes.recalls(y, yhat), theirs.recall_score(y, yhat, average=None))
    found = classes.figures(y, yhat)
    assert found["macro_f1"].value == classes.macro_f1(y, yhat) and found["accuracy"].value == classes.accuracy(y, yhat)


def test_class_that_does_not_occur_has_no_recall_but_counts_in_f1_where_it_was_called():
    y, yhat = ["a", "a", "b", "b"], ["a", "c", "b", "b"]
    assert classes.macro_recall(y, yhat) == theirs.balanced_accuracy_score(y, yhat) == 0.75
    assert classes.macro_f1(y, yhat) == pytest.approx(theirs.f1_score(y, yhat, average="macro")) == (2 / 3 + 1 + 0) / 3
    found = classes.recalls(y, yhat, classes=["b", "c", "a", "d"])
    assert found.index.tolist() == ["b", "c", "a", "d"] and np.isnan(found[["c", "d"]]).all()
    none = classes.figures(y, yhat, classes=["a", "b", "c", "d"])["recall d"]
    assert np.isnan(none).all()


def test_guessing_the_largest_class_is_seen_through():
    y, _ = called(1000, 0)
    guess = np.full(1000, "neutral")
    assert classes.accuracy(y, guess) > 0.5 and classes.macro_recall(y, guess) == pytest.approx(1 / 3)


def test_labels_of_any_type_in_any_order_of_rows_give_the_same():
    y, yhat = called(400, 1)
    truth = classes.figures(y, yhat)
    for kind in (list, pd.Series, pd.Categorical, lambda x: pd.Series(x, dtype="string")):
        assert classes.figures(kind(y), kind(yhat)) == truth
    order = np.random.default_rng(0).permutation(400)
    assert classes.figures(y[order], yhat[order]) == truth
    number = {name: i for i, name in enumerate(NAMES)}
    as_numbers = classes.figures([number[x] for x in y], [number[x] for x in yhat])
    assert list(as_numbers.values()) == list(truth.values()) and "recall 0" in as_numbers


def test_drawing_counts_has_the_law_of_drawing_rows():
    """The slow truth draws rows with replacement; limits of the two agree within the error of 2,000 draws."""
    y, yhat = called(300, 3)
    rng = np.random.default_rng(5)
    slow = [classes.macro_f1(y[rows], yhat[rows]) for rows in rng.integers(0, 300, (1000, 300))]
    fast = classes.figures(y, yhat, n=4000)["macro_f1"]
    assert [fast.low, fast.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.006)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """a is right 7 of 10 times or guesses: recalls 0.8; b is a, but 1 in 7 times neutral. 400 samples, error 1 %."""
    hits, r = [], 6 / 7
    apart = 0.8 - (3 * 0.8 * r + 1 - r) / 3  # of macro-recall: b's recalls are 0.8 r, 0.8 r + 1 - r and 0.8 r
    both = 0.8 - (0.8 * r + 0.55 * (1 - r))  # of accuracy: 55 % of the posts are neutral
    for seed in range(400):
        y, a = called(300, seed)
        b = np.where(np.random.default_rng([seed, 1]).random(300) < r, a, "neutral")
        one = classes.figures(y, a, n=400, seed=seed)
        gap = classes.difference(y, a, b, n=400, seed=seed)
        test = classes.mcnemar(y, a, b).difference
        hits.append(
            [
                one["macro_recall"].low <= 0.8 <= one["macro_recall"].high,
                one["accuracy"].low <= 0.8 <= one["accuracy"].high,
                gap.low <= apart <= gap.high,
                test.low <= both <= test.high,
            ]
        )
    rates = np.mean(hits, axis=0)
    assert ((rates >= 0.92) & (rates <= 0.975)).all(), rates


def test_thousand_resamples_of_twelve_thousand_posts_take_milliseconds():
    y, yhat = called(12_000, 0)
    spent = []
    for _ in range(5):
        start = time.process_time()
        classes.figures(y, yhat)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.2  # 0.01 s on a quiet core


def test_pairing_removes_what_is_hard_for_both():
    y, a = called(1000, 0)
    b = a.copy()
    b[:30] = y[:30]
    gap = classes.difference(y, b, a, "accuracy")
    apart = classes.figures(y, a)["accuracy"]
    assert gap.low > 0 and gap.high - gap.low < 0.4 * (apart.high - apart.low)
    assert classes.difference(y, a, a) == (0, 0, 0)
    back = classes.difference(y, a, b, "accuracy")
    assert back.value == -gap.value


def test_mcnemar_is_that_of_the_papers_example():
    """Airway hyper-responsiveness of 21 children, cells 1, 1, 7, 12: exact 0.0703, mid-p 0.0391.

    Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91, table 1 and its supplement. The
    interval by hand: (2 - 8)/23 ± 1.96 sqrt((2 + 8)/23/23 - ((2 - 8)/23)²/23) = -0.2609 ± 0.2475.
    """
    before = np.repeat([1, 1, 0, 0], [1, 1, 7, 12])
    after = np.repeat([1, 0, 1, 0], [1, 1, 7, 12])
    test = classes.mcnemar(np.ones(21), before, after)
    assert (test.only_a, test.only_b) == (1, 7)
    assert (test.exact, test.mid_p) == (pytest.approx(0.0703, abs=5e-5), pytest.approx(0.0391, abs=5e-5))
    assert tuple(test.difference) == pytest.approx((-6 / 21, -0.5084, -0.0134), abs=1e-4)
    turned = classes.mcnemar(np.ones(21), after, before)
    assert (turned.exact, turned.mid_p, turned.only_a) == (test.exact, test.mid_p, 7)


@pytest.mark.parametrize("m", [1, 2, 7, 20, 41])
def test_exact_p_is_the_two_sided_binomial_and_mid_p_holds_its_level(m):
    for k in range(m + 1):
        a, b = np.repeat([1, 0], [k, m - k]), np.repeat([0, 1], [k, m - k])
        test = classes.mcnemar(np.ones(m), a, b)
        assert test.exact == pytest.approx(min(1, 2 * binom.cdf(min(k, m - k), m, 0.5)))
        assert 0 <= test.mid_p <= test.exact <= 1
    assert classes.mcnemar([1, 1], [1, 0], [0, 1]).mid_p == pytest.approx(1 - 0.5 / 2)
    assert classes.mcnemar([1], [1], [1]).exact == 1


def test_mcnemar_of_equal_classifiers_rejects_as_often_as_it_says():
    rng, n = np.random.default_rng(0), 200
    small = np.array([
        [t.exact < 0.05, t.mid_p < 0.05]
        for t in (classes.mcnemar(np.ones(n), rng.random(n) < 0.8, rng.random(n) < 0.8) for _ in range(800))
    ])  # fmt: skip
    exact, mid_p = small.mean(axis=0)
    assert exact <= mid_p and 0.03 < mid_p < 0.065


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: classes.accuracy(["a"], ["a", "b"]), "the lists of labels hold 1 and 2; each post needs one of each"),
        (lambda: classes.accuracy([], []), "the lists of labels hold 0 and 0"),
        (lambda: classes.accuracy(["a", None, np.nan], ["a", "a", "a"]), "row 1 has no label (and 1 more row)"),
        (lambda: classes.confusion(["a", "c"], ["a", "a"], ["a", "b"]), "row 1: 'c' is not one of ['a', 'b']"),
        (lambda: classes.confusion(["a"], ["a"], ["a", "a"]), "a class is named twice in ['a', 'a']"),
        (lambda: classes.accuracy(["a", 1], ["a", "a"]), "labels of different types cannot be put in order"),
        (lambda: classes.figures(["a"], ["a"], level=95), "level=95 must lie between 0 and 1"),
        (lambda: classes.figures(["a"], ["a"], n=1), "n=1: an interval needs at least 2 resamples"),
        (lambda: classes.difference(["a"], ["a"], ["a"], "macrorecall"), "did you mean 'macro_recall'?"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()


def test_f1_of_a_class_is_twice_its_hits_over_all_that_are_or_are_called_so():
    found = classes.figures(["a", "a", "a", "b", "b"], ["a", "a", "b", "b", "a"])
    assert found["f1 a"].value == pytest.approx(2 * 2 / (3 + 3)) and found["f1 b"].value == pytest.approx(2 / 4)
    assert found["macro_f1"].value == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_accuracy_follows_from_supports_and_recalls():
    """Correction 16: a report of a forest and of a network, whose accuracies were printed as .77 and .84."""
    assert classes.accuracy_from([5000, 5000], [0.87, 0.69]) == pytest.approx(0.78)
    assert classes.accuracy_from([5000, 5000], [0.90, 0.75]) == pytest.approx(0.825)
    y, yhat = np.repeat([0, 1, 2], [50, 30, 20]), np.random.default_rng(0).integers(0, 3, 100)
    supports, recalls = [50, 30, 20], classes.recalls(y, yhat)
    assert classes.accuracy_from(supports, recalls) == pytest.approx(classes.accuracy(y, yhat))


@pytest.mark.parametrize(
    ("supports", "recalls", "text"),
    [
        ([5, 5], [0.5], "supports [5.0, 5.0] must be a count for each of 1 recalls"),
        ([0, 0], [0.5, 0.5], "not all 0"),
        ([5, 5], [87, 69], "recalls [87.0, 69.0] must lie between 0 and 1"),
    ],
)
def test_accuracy_from_impossible_reports(supports, recalls, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        classes.accuracy_from(supports, recalls)
