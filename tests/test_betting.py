"""Betting on means: a fair game, the capital by hand, limits on a grid, coverage while peeking, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab import betting
from smlab.checks import UsageError


def by_hand(x, m, level=0.95):
    """Give K⁺ and K⁻ after all outcomes, one after the other, as in Waudby-Smith & Ramdas (2024)."""
    up = down = 1.0
    total, squares, s2 = 0.5, 0.25, 0.25
    for t, value in enumerate(x, start=1):
        stake = np.sqrt(2 * np.log(2 / (1 - level)) / (s2 * t * np.log(t + 1)))
        up *= 1 + min(stake, 0.5 / m) * (value - m)
        down *= 1 - min(stake, 0.5 / (1 - m)) * (value - m)
        total += value
        squares += (value - total / (t + 1)) ** 2
        s2 = squares / (t + 1)
    return up, down


@pytest.mark.parametrize("m", [0.1, 0.4, 0.8])
def test_capital_is_the_product_of_the_bets(m):
    x = np.random.default_rng(0).beta(2, 3, 60)
    assert betting.capital(x, m)[-1] == pytest.approx(max(by_hand(x, m)) / 2, rel=1e-9)


def test_limits_are_where_the_capital_reaches_its_line():
    x = np.random.default_rng(1).random(200) < 0.3
    found = betting.mean(x, looks=[200])
    grid = np.linspace(0.001, 0.999, 999)
    kept = grid[[max(by_hand(x, m)) < 40 for m in grid]]
    assert found.low[0] == pytest.approx(kept[0], abs=1.1e-3) and found.high[0] == pytest.approx(kept[-1], abs=1.1e-3)


def test_a_fair_game_brings_nothing_on_average():
    x = np.random.default_rng(2).random((20_000, 8)) < 0.3
    for side in (1, -1):
        grown = betting._growth(x, betting.stakes(x.astype(float), 0.95), 0.3, side).sum(axis=1)
        assert np.exp(grown).mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("p", [0.5, 0.1, 0.01])
@pytest.mark.parametrize(("n_tests", "n"), [(500, 2000), pytest.param(10_000, 10_000, marks=pytest.mark.slow)])
def test_the_truth_is_rejected_in_at_most_one_of_twenty_after_every_person(p, n_tests, n):
    rng, alarms = np.random.default_rng(3), 0
    for _ in range(n_tests // 100):
        alarms += (betting.capital((rng.random((100, n)) < p).astype(float), p).max(axis=-1) >= 20).sum()
    assert alarms / n_tests <= 0.05


def test_shares_of_a_budget_are_held_whatever_their_shape():
    rng = np.random.default_rng(4)
    for a, b in ((0.1, 0.4), (5, 2), (1, 1)):
        found = betting.mean(rng.beta(a, b, (200, 500)), looks=[20, 100, 500])
        truth = a / (a + b)
        assert np.mean((found.low <= truth).all(axis=1) & (found.high >= truth).all(axis=1)) >= 0.95
        assert (found.high - found.low)[:, -1].mean() < 0.25


def test_two_arms_keep_the_error_and_find_a_difference():
    x = np.random.default_rng(5).random((2, 200, 2000)) < 0.1
    y = np.random.default_rng(6).random((200, 2000)) < 0.2
    same, other = betting.two_means(x[0], x[1]), betting.two_means(x[0], y)
    assert ((same.low > 0) | (same.high < 0)).any(axis=1).mean() <= 0.05
    assert (other.low[:, -1] > 0).mean() > 0.95
    assert np.mean((other.low <= 0.1) & (other.high >= 0.1)) > 0.99
    lift = betting.two_means(x[0], y, relative=True)
    assert ((lift.low > 0) == (other.low > 0)).all()
    assert ((lift.low <= 1) & (lift.high >= 1)).all(axis=1).mean() >= 0.95


def test_other_bounds_only_change_the_scale():
    x = np.random.default_rng(7).random(300)
    one, two = betting.mean(x), betting.mean(20 * x - 5, bounds=(-5, 15))
    np.testing.assert_allclose(two.low, 20 * one.low - 5, atol=1e-6)
    np.testing.assert_allclose(betting.capital(x, 0.6), betting.capital(20 * x - 5, 7, bounds=(-5, 15)), rtol=1e-9)


ERRORS = {
    "outcome 2 must lie within the bounds (0.0, 1.0) (and 0 more)": lambda: betting.mean([0, 1, 2]),
    "outcome nan must lie within the bounds": lambda: betting.mean([0, np.nan]),
    "looks=[2, 1] must rise from 1 to at most 3": lambda: betting.mean([0, 1, 1], looks=[2, 1]),
    "looks=[9] must rise from 1 to at most 3": lambda: betting.mean([0, 1, 1], looks=[9]),
    "bounds=(-1, 1): a lift needs outcomes of 0 or more": lambda: betting.two_means(
        [0, 1], [1, 1], bounds=(-1, 1), relative=True
    ),
    "m=1 must lie within the bounds (0.0, 1.0)": lambda: betting.capital([0, 1], 1),
    "outcomes of shape (0,) within (0.0, 1.0): needed are one or more": lambda: betting.mean([]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_bad_input_is_named_in_a_sentence(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
