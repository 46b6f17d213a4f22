"""Groups served badly: planted gaps are found, chance is not, and what people are alike in is taken out."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlab.checks import UsageError
from smlab.served import adjusted_difference, gaps, holm


def test_holm_is_his_example_and_never_below_the_raw_p():
    """Holm's procedure by hand: p = .01, .02, .03, .04 with m = 4 gives .04, .06, .06, .06."""
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    p = np.random.default_rng(0).random(50)
    assert (holm(p) >= p).all() and (holm(p) <= 1).all() and (np.diff(holm(np.sort(p))) >= 0).all()
    assert holm([]).size == 0


def test_planted_gap_is_found_and_is_welchs():
    rng = np.random.default_rng(1)
    side = np.where(np.arange(300) % 3 == 0, "women", "men")
    x = rng.normal(0.5, 0.1, 300) - 0.08 * (side == "women")
    x[5] = np.nan
    table = gaps(x, {"gender": side, "dice": rng.integers(1, 4, 300)})
    row = table[table.group == "women"].iloc[0]
    a, b = (x[(side == which) & ~np.isnan(x)] for which in ("women", "men"))
    assert row.gap == pytest.approx(a.mean() - b.mean()) and row.n == len(a)
    assert row.p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert row.low < row.value < row.high and row.adjusted < 0.01
    assert (table[table.trait == "dice"].adjusted > 0.05).all()


def test_among_many_groups_without_a_gap_hardly_ever_one_is_sure():
    """Ten traits of two groups, 100 worlds: without the correction two worlds in five would show a false gap."""
    rng = np.random.default_rng(2)
    false, naive = 0, 0
    for _ in range(100):
        x = rng.random(80)
        halves = {f"t{j}": rng.permutation(80) % 2 for j in range(10)}
        p = np.array([stats.ttest_ind(x[h == 0], x[h == 1], equal_var=False).pvalue for h in halves.values()])
        naive += (p < 0.05).any()
        false += (holm(p) < 0.05).any()
    assert naive > 25 and false <= 10


def test_groups_come_in_their_order_small_ones_and_unknown_people_are_left_out():
    ages = pd.Series(
        pd.Categorical(["old"] * 30 + ["young"] * 30 + ["rare"] * 3 + [None] * 7, ["young", "rare", "old"])
    )
    table = gaps(np.arange(70.0), {"age": ages})
    assert table.group.tolist() == ["young", "old"] and table.n.tolist() == [30, 30]


def test_a_gap_that_is_only_one_of_activity_goes_away():
    """Women are less active here, and active people are served better; alike in that, there is no gap."""
    rng = np.random.default_rng(3)
    women = rng.random(2000) < 0.5
    active = rng.random(2000) < np.where(women, 0.2, 0.8)
    x = 0.3 + 0.4 * active + rng.normal(0, 0.1, 2000)
    assert x[women].mean() - x[~women].mean() < -0.2
    found = adjusted_difference(x, women, active)
    assert found.low < 0 < found.high and found.high - found.low < 0.04
    assert adjusted_difference(x - 0.05 * women, women, active).value == pytest.approx(found.value - 0.05)


def test_interval_of_the_adjusted_difference_holds_the_truth_as_often_as_it_says():
    rng, inside = np.random.default_rng(4), 0
    for _ in range(300):
        one, s = rng.random(120) < 0.4, rng.integers(0, 3, 120)
        x = s + 0.5 * one + rng.normal(0, 1 + s, 120)
        low, high = adjusted_difference(x, one, s)[1:]
        inside += low <= 0.5 <= high
    assert inside / 300 == pytest.approx(0.94, abs=0.035)


ERRORS = {
    "trait 'age' has 2 people, values 3; they must be the same": lambda: gaps([1, 2, 3], {"age": [1, 2]}),
    "no group has 10 people or more on both sides": lambda: gaps([1, 2, 3], {"age": [1, 2, 2]}),
    "p-values must lie between 0 and 1": lambda: holm([1.2]),
    "no stratum has two people of either side": lambda: adjusted_difference([1, 2], [True, False], ["a", "a"]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
