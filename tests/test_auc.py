"""AUC is the share of pairs in order, its interval covers as often as it says, and ties are half."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from smlab.auc import auc, auc_interval, compare_auc, gauc
from smlab.checks import UsageError


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
