"""AUC is the share of pairs in order, its interval covers as often as it says, and ties are half."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from smlab.auc import auc, auc_interval, average_precision, compare_auc, curve_points, gauc, p_value
from smlab.checks import UsageError
from smlab.classes import macro_recall
from smlab.metrics import Interval


def scored(n: int, seed: int, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return clicks and scores that know something of them, with many ties."""
    rng = np.random.default_rng(seed)
    p = rng.random(n).round(digits)
    return (rng.random(n) < 0.15 + 0.5 * p).astype(int), p


def by_pairs(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return for every pair (click, other) 1 if in order, ½ for a tie, else 0: the slow truth."""
    hit, other = p[y == 1][:, None], p[y == 0][None, :]
    return (hit > other) + 0.5 * (hit == other)


def delong_by_pairs(y: np.ndarray, *scores: np.ndarray) -> tuple[list[float], np.ndarray]:
    """Return AUCs and covariance straight from the definitions of DeLong et al. (1988)."""
    pairs = [by_pairs(y, s) for s in scores]
    v10, v01 = np.array([x.mean(axis=1) for x in pairs]), np.array([x.mean(axis=0) for x in pairs])
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    return [x.mean() for x in pairs], np.atleast_2d(covariance)


@pytest.mark.parametrize("seed", range(10))
def test_auc_is_that_of_scikit_learn_and_of_all_pairs(seed):
    y, p = scored(400, seed, digits=seed % 3 + 1)
    assert auc(y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12) == by_pairs(y, p).mean()


@pytest.mark.parametrize("seed", range(5))
def test_fast_delong_is_the_definition_of_delong(seed):
    y, a = scored(300, seed)
    b = (a + np.random.default_rng(seed + 99).normal(0, 0.4, 300)).round(1)
    values, covariance = delong_by_pairs(y, a, b)
    one = auc_interval(y, a)
    assert one.value == pytest.approx(values[0]) and (one.high - one.low) / 2 == pytest.approx(
        1.959964 * np.sqrt(covariance[0, 0]), rel=1e-6
    )
    both = compare_auc(y, a, b, level=0.9)
    spread = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert both.value == pytest.approx(values[0] - values[1])
    assert (both.high - both.low) / 2 == pytest.approx(1.644854 * spread, rel=1e-6)


def test_order_is_all_that_counts():
    y, p = scored(500, 1)
    for same in (p * 7 - 3, np.exp(p), 1 / (1 + np.exp(-p)), p**3):
        assert auc(y, same) == auc(y, p) and auc_interval(y, same) == auc_interval(y, p)
    assert auc(y, -p) == pytest.approx(1 - auc(y, p)) == auc(1 - y, p)
    assert auc(y, np.ones(500)) == 0.5
    shuffled = np.random.default_rng(0).permutation(500)
    assert auc(y[shuffled], p[shuffled]) == auc(y, p)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Two normals a standard deviation apart have AUC Φ(1/√2) = 0.7602; 600 samples, binomial error 0.9 %."""
    rng, truth, inside, differ = np.random.default_rng(5), 0.76025, 0, 0
    y = np.r_[np.ones(60), np.zeros(140)]
    for _ in range(600):
        a, b = rng.normal(y, 1), rng.normal(y, 1)
        interval, difference = auc_interval(y, a), compare_auc(y, a, b)
        inside += interval.low <= truth <= interval.high
        differ += difference.low <= 0 <= difference.high
    assert 0.92 < inside / 600 < 0.975 and 0.92 < differ / 600 < 0.975


def test_pairing_makes_the_difference_of_like_models_narrower():
    y, a = scored(1000, 3, digits=6)
    b = a + np.random.default_rng(4).normal(0, 0.05, 1000)
    apart = [auc_interval(y, s) for s in (a, b)]
    assert compare_auc(y, a, b).high - compare_auc(y, a, b).low < 0.3 * (apart[0].high - apart[0].low)
    same = compare_auc(y, a, 2 * a)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_gauc_is_the_weighted_mean_of_scikit_learns_auc_of_each_user(seed):
    y, p = scored(600, seed)
    user = np.random.default_rng(seed).integers(0, 60, 600)
    parts = [(p[user == u], y[user == u]) for u in range(60)]
    parts = [(s, c) for s, c in parts if 0 < c.sum() < len(c)]
    expected = np.average([roc_auc_score(c, s) for s, c in parts], weights=[len(c) for _, c in parts])
    assert gauc(y, p, user) == pytest.approx(expected)
    assert gauc(y, p, [f"u{u}" for u in user]) == pytest.approx(expected)


def test_gauc_of_one_group_is_auc_and_level_of_users_earns_nothing():
    y, p = scored(300, 2)
    assert gauc(y, p, np.zeros(300)) == pytest.approx(auc(y, p))
    user = np.arange(300) % 30
    assert gauc(y, p + 10 * (user % 2), user) == pytest.approx(gauc(y, p, user))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: auc([0, 0], [0.1, 0.2]), "0 clicks and 2 others: the order of the two needs at least 1 of each"),
        (lambda: auc_interval([0, 0, 1], [1, 2, 3]), "1 clicks and 2 others: the order of the two needs at least 2"),
        (lambda: auc([0, 2], [0.1, 0.2]), "row 1: label 2 is not 0 or 1"),
        (lambda: auc([0.0, np.nan], [0.1, 0.2]), "row 1: label nan is not 0 or 1"),
        (lambda: auc([0, 1], [np.nan, 0.2]), "row 0: prediction nan is not finite"),
        (lambda: auc([0, 2, 3, 4], [0, 0, 0, 0]), "row 1: label 2 is not 0 or 1 (and 2 more rows)"),
        (lambda: auc([0, 1], [0.2]), "labels have shape (2,), predictions (1,)"),
        (lambda: auc([], []), "one each, and not empty"),
        (lambda: auc([[0, 1]], [[0.2, 0.1]]), "labels have shape (1, 2)"),
        (lambda: compare_auc([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3]), "labels have shape (4,), predictions (3,)"),
        (lambda: auc_interval([0, 0, 1, 1], [1, 2, 3, 4], level=95), "level=95 must lie between 0 and 1"),
        (lambda: gauc([0, 1], [0.1, 0.2], ["a", "b"]), "each of 2 groups has one class"),
        (lambda: gauc([0, 1], [0.1, 0.2], ["a"]), "groups has shape (1,), labels (2,)"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()


@pytest.mark.parametrize("seed", range(6))
def test_curves_and_average_precision_are_those_of_scikit_learn(seed):
    y, p = scored(300, seed, digits=seed % 3 + 1)
    points = curve_points(y, p)
    alarms, recall, threshold = roc_curve(y, p, drop_intermediate=False)
    np.testing.assert_allclose([points.alarms, points.recall], [alarms, recall], atol=1e-12)
    np.testing.assert_array_equal(points.threshold[1:], threshold[1:])
    precision, found, _ = precision_recall_curve(y, p)
    np.testing.assert_allclose([points.precision, points.recall], [precision[::-1], found[::-1]], atol=1e-12)
    assert average_precision(y, p) == pytest.approx(average_precision_score(y, p))
    assert np.trapezoid(points.recall, points.alarms) == pytest.approx(auc(y, p))


def test_average_precision_of_no_knowledge_is_the_share_and_of_all_knowledge_1():
    y, _ = scored(400, 0)
    assert average_precision(y, np.ones(400)) == pytest.approx(y.mean())
    assert average_precision(y, y) == 1


@pytest.mark.parametrize("seed", range(6))
def test_hard_labels_leave_one_corner_whose_area_is_the_balanced_accuracy(seed):
    """Correction 16: the forest's ROC was drawn from labels. Area = (recall + 1 - alarms)/2 = (recall₁ + recall₀)/2."""
    y, p = scored(500, seed, digits=6)
    label = (p >= 0.5).astype(int)
    points = curve_points(y, label)
    assert len(points.recall) == 3
    recall, alarms = points.recall[1], points.alarms[1]
    assert recall == label[y == 1].mean() and alarms == label[y == 0].mean()
    assert auc(y, label) == pytest.approx((recall + 1 - alarms) / 2) == pytest.approx(macro_recall(y, label))
    assert auc(y, label) < auc(y, p)  # the order within each half is thrown away


def test_strata_are_averaged_by_rows_and_their_variances_by_squared_weights():
    y, p = scored(600, 4)
    part = np.repeat(["a", "b"], [400, 200])
    found = auc_interval(y, p, strata=part)
    one, two = auc_interval(y[:400], p[:400]), auc_interval(y[400:], p[400:])
    assert found.value == pytest.approx((2 * one.value + two.value) / 3) == pytest.approx(gauc(y, p, part))
    halves = [(x.high - x.low) / 2 for x in (found, one, two)]
    assert halves[0] == pytest.approx(np.hypot(2 * halves[1], halves[2]) / 3)
    apart = auc_interval(y, p + 10 * (part == "b"), strata=part)
    assert apart.value == pytest.approx(found.value) and auc(y, p + 10 * (part == "b")) != found.value
    assert auc_interval(y, p, strata=np.zeros(600)) == auc_interval(y, p)


def test_strata_of_one_class_are_left_out():
    y, p = scored(300, 2)
    alone = np.r_[np.zeros(300), np.ones(50)]
    more = auc_interval(np.r_[y, np.ones(50)], np.r_[p, np.zeros(50)], strata=alone)
    assert more == pytest.approx(auc_interval(y, p))
    days = np.r_[np.arange(300), 300 + np.arange(50)]
    more = auc_interval(np.r_[y, np.ones(50)], np.r_[p, np.zeros(50)], strata=alone, clusters=days)
    assert more == pytest.approx(auc_interval(y, p, clusters=np.arange(300)))


def test_clusters_of_one_row_are_delong_and_copies_make_nobody_surer():
    y, p = scored(400, 1)
    b = np.random.default_rng(3).random(400)
    for plain, own in (
        (auc_interval(y, p), auc_interval(y, p, clusters=np.arange(400))),
        (compare_auc(y, p, b), compare_auc(y, p, b, clusters=np.arange(400))),
    ):
        assert own == pytest.approx(plain, abs=1e-3)  # m/(m - 1) and n/(n - 1) against I/(I - 1)
    copied = auc_interval(np.tile(y, 7), np.tile(p, 7), clusters=np.tile(np.arange(400), 7))
    assert copied == pytest.approx(auc_interval(y, p, clusters=np.arange(400)), abs=1e-9)


def test_clustered_intervals_cover_where_rows_of_a_person_are_alike():
    """60 people of 8 rows share score and inclination; truth from 2 million rows; 400 samples, error 1.1 %."""

    def draw(people: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        person = np.repeat(np.arange(people), 8)
        mood = rng.normal(size=people)[person]
        p = mood + 0.5 * rng.normal(size=len(person))
        return (rng.random(len(person)) < 1 / (1 + np.exp(-mood))).astype(int), p, person

    rng, inside, naive = np.random.default_rng(8), 0, 0
    y, p, _ = draw(250_000, rng)
    truth = auc(y, p)
    for _ in range(400):
        y, p, person = draw(60, rng)
        right, wrong = auc_interval(y, p, clusters=person), auc_interval(y, p)
        inside += right.low <= truth <= right.high
        naive += wrong.low <= truth <= wrong.high
    assert 0.91 < inside / 400 < 0.98 and naive < inside - 20


def test_p_value_belongs_to_its_interval():
    y, p = scored(500, 2)
    other = np.random.default_rng(1).random(500)
    for level in (0.9, 0.99):
        difference = compare_auc(y, p, other, level=level)
        assert p_value(difference, level=level) == pytest.approx(p_value(compare_auc(y, p, other)))
    given = [Interval(0, -0.1, 0.1), Interval(0, 0, 0), Interval(1, 1, 1)]
    assert [p_value(x) for x in given] == [1, 1, 0]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"strata": [0, 0]}, "strata has shape (2,), labels (6,); each row has one"),
        ({"clusters": np.zeros(6)}, "all rows are of one cluster: nothing says how far clusters differ"),
        ({"strata": range(6)}, "each of 6 strata has fewer than 2 rows of a class"),
    ],
)
def test_strata_and_clusters_that_cannot_be(more, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        auc_interval([0, 1, 0, 1, 0, 1], [1, 2, 3, 4, 5, 6], **more)
