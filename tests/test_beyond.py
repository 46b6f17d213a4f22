"""What accuracy does not see: definitions pair by pair, known values, intervals that hold, errors as sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab import beyond, metrics
from smlab.checks import UsageError


@pytest.mark.parametrize("seed", range(5))
def test_distance_within_a_list_is_the_mean_over_its_pairs(seed):
    rng = np.random.default_rng(seed)
    F = rng.random((12, 4)) * (rng.random((12, 4)) < 0.6)
    top = np.argsort(rng.random((6, 12)), axis=1)[:, :5]
    top[2, 3:] = -1

    def pairwise(items: list[int]) -> float:
        norm = [np.linalg.norm(F[i]) or 1.0 for i in range(12)]
        return float(np.mean([1 - F[i] @ F[j] / norm[i] / norm[j] for i in items for j in items if i != j]))

    expected = [pairwise([i for i in row if i >= 0]) for row in top]
    np.testing.assert_allclose(beyond.intra_list_distance(top, F), expected)
    np.testing.assert_allclose(beyond.intra_list_distance(top, sparse.csr_array(F)), expected)


def test_lists_of_twins_are_at_0_of_strangers_at_1_and_single_items_at_nan():
    F = [[2, 0], [1, 0], [0, 3], [0, 0]]
    found = beyond.intra_list_distance([[0, 1], [0, 2], [0, 3], [0, -1], [-1, -1]], F)
    np.testing.assert_allclose(found[:3], [0, 1, 1])
    assert np.isnan(found[3:]).all()


def test_popularity_of_lists_and_of_profiles_is_one_measure():
    X = sparse.csr_array([[1, 1, 0], [5, 0, 2], [1, 0, 0], [0, 0, 0]])
    counts = [3, 1, 1]
    of_profiles = beyond.mean_popularity(X, counts, 4)
    np.testing.assert_allclose(of_profiles[:3], [0.5, 0.5, 0.75])
    assert np.isnan(of_profiles[3])
    np.testing.assert_allclose(beyond.mean_popularity([[0, 1], [2, 0], [0, -1]], counts, 4), of_profiles[:3])


def test_lift_is_0_for_peoples_own_choices_and_leaves_out_who_has_none():
    rng = np.random.default_rng(0)
    held = rng.random(200)
    assert tuple(beyond.popularity_lift(held, held)) == (0, 0, 0)
    listed = held * 1.5
    listed[3] = np.nan
    assert beyond.popularity_lift(listed, held).value == pytest.approx(0.5)


def test_interval_of_the_lift_holds_the_truth_as_often_as_it_says():
    """150 worlds in which lists are half as popular again on average."""
    rng = np.random.default_rng(1)
    inside = 0
    for world in range(150):
        held = rng.gamma(4, 0.05, 80)
        listed = held * rng.normal(1.5, 0.4, 80) + rng.normal(0, 0.03, 80)
        low, high = beyond.popularity_lift(listed, held, n=300, seed=world)[1:]
        inside += low <= 0.5 <= high
    assert inside / 150 == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize("statistic", ["coverage", "gini"])
def test_jackknife_is_as_wide_as_the_spread_over_samples_of_users_and_rather_wider(statistic):
    rng = np.random.default_rng(2)
    p = 1 / np.arange(1, 301)

    def measure(top):
        return metrics.coverage(top, 300) if statistic == "coverage" else metrics.gini(metrics.exposure(top, 300))

    samples = [rng.choice(300, (200, 5), p=p / p.sum()) for _ in range(60)]
    spread = np.std([measure(top) for top in samples])
    widths = [(x.high - x.low) / 2 / 1.96 for x in (beyond.jackknife(top, measure) for top in samples[:8])]
    assert 0.8 < np.mean(widths) / spread < 1.8


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(3).random((150, 1))
    found = beyond.jackknife(x, lambda part: float(part.mean()))
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(x.std(ddof=1) / np.sqrt(150))


def test_groups_of_items_hold_equal_shares_and_the_first_are_the_best_known():
    rng = np.random.default_rng(4)
    counts = rng.permutation((1000 / np.arange(1, 501)).astype(int))
    group = beyond.equal_shares(counts, 4)
    held = np.bincount(group, counts) / counts.sum()
    assert np.abs(held - 0.25).max() < counts.max() / counts.sum()
    assert [counts[group == g].min() >= counts[group == g + 1].max() for g in range(3)] == [True] * 3


ERRORS = {
    "popularity_lift: no user has both a list and a profile": lambda: beyond.popularity_lift([np.nan], [1.0]),
    "jackknife leaves users out; there are 1": lambda: beyond.jackknife([[0]], np.mean),
    "lists of shape (3,) must have two axes": lambda: beyond.indicator([0, 1, 2], 3),
    "lists of shape (1, 1) must have two axes and name items below 3": lambda: beyond.indicator([[3]], 3),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
