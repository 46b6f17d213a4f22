"""Power of tests of rates and means: R's own examples, Newcombe's table, simulation beside formula, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab import power
from smlab.checks import UsageError


def test_figures_are_those_of_power_prop_test_in_r():
    """From its help page: n = 50 gives .740; power .90 needs n = 76.7, .80 needs 57.7 (rounded up here)."""
    assert power.power(0.50, 0.75, 50) == pytest.approx(0.740, abs=5e-4)
    assert power.sample_size(0.50, 0.75, power=0.90) == 77
    assert power.sample_size(0.50, 0.75, power=0.80) == 58
    assert 0.5 + power.detectable(0.5, 50, power=0.90) == pytest.approx(0.8026, abs=1e-4)


@pytest.mark.parametrize(("p1", "p2"), [(0.02, 0.025), (0.1, 0.12), (0.5, 0.4), (0.9, 0.97)])
def test_size_power_and_detectable_difference_are_one_formula(p1, p2):
    n = power.sample_size(p1, p2, power=0.9)
    assert power.power(p1, p2, n) >= 0.9 > power.power(p1, p2, n - 1)
    assert power.sample_size(p2, p1, power=0.9) == n
    if p2 > p1:
        assert power.detectable(p1, n, power=0.9) == pytest.approx(p2 - p1, rel=0.01)


@pytest.mark.parametrize(("p1", "p2"), [(0.02, 0.03), (0.2, 0.33), (0.3, 0.32)])
def test_simulation_agrees_with_the_formula(p1, p2):
    n = power.sample_size(p1, p2)
    assert power.simulated_power(p1, p2, n, n_tests=20_000).value == pytest.approx(0.8, abs=0.02)


def test_without_a_difference_one_test_in_twenty_sees_one():
    assert power.simulated_power(0.1, 0.1, 3000, n_tests=20_000).value == pytest.approx(0.05, abs=0.005)


def test_people_with_chances_of_their_own_click_as_if_all_had_the_mean_chance():
    """Drawn from a town of different people, a group's clicks are binomial with the town's mean."""
    rng = np.random.default_rng(0)
    town = rng.beta(0.3, 1.2, 1000)
    groups = (rng.random((4000, 200)) < town[rng.integers(0, 1000, (4000, 200))]).sum(axis=1)
    p = town.mean()
    assert groups.mean() == pytest.approx(200 * p, rel=0.01)
    assert groups.var() == pytest.approx(200 * p * (1 - p), rel=0.06)


@pytest.mark.parametrize(
    ("x2", "n2", "x1", "n1", "low", "high"),
    [(56, 70, 48, 80, 0.0524, 0.3339), (9, 10, 3, 10, 0.1705, 0.8090), (10, 10, 0, 10, 0.6075, 1.0)],
)
def test_interval_is_newcombes_method_10(x2, n2, x1, n1, low, high):
    """Newcombe (1998), table II, contrasts (a), (b) and (h)."""
    found = power.two_rates(x1, n1, x2, n2)
    assert found.low == pytest.approx(low, abs=5e-5) and found.high == pytest.approx(high, abs=5e-5)


def test_interval_holds_the_difference_as_often_as_it_says():
    clicks = power.simulate(0.03, 0.05, 400, n_tests=5000, seed=3)
    found = power.two_rates(clicks[:, 0], 400, clicks[:, 1], 400)
    assert np.mean((found.low <= 0.02) & (found.high >= 0.02)) == pytest.approx(0.95, abs=0.015)


def test_same_seed_same_clicks_and_nobody_clicking_is_no_difference():
    assert (power.simulate(0.1, 0.2, 50, seed=4) == power.simulate(0.1, 0.2, 50, seed=4)).all()
    assert power.two_rates(0, 50, 0, 50).p == 1


def test_figures_are_those_of_power_t_test_in_r():
    """From its help page: n = 20, delta = 1 gives .8689528 (without the far tail); power .90 needs n = 22.02."""
    assert power.power_of_means(1, 1, 20) == pytest.approx(0.8689528, abs=5e-7)
    assert power.sample_size_of_means(1, 1, power=0.90) == 23


def test_power_of_means_is_that_of_statsmodels():
    found = pytest.importorskip("statsmodels.stats.power").TTestIndPower()
    for d, n, ratio in ((1, 20, 1), (0.1, 1000, 1), (0.01, 200_000, 2), (0.5, 50, 0.3), (0, 100, 1), (0.2, 8, 5)):
        ours = power.power_of_means(3 * d, 9, n, ratio=ratio)
        assert ours == pytest.approx(found.power(d, n, 0.05, ratio=ratio), abs=1e-9)
    for d, ratio in ((1, 1), (0.1, 1), (0.01, 0.1)):
        n = found.solve_power(d, alpha=0.05, power=0.8, ratio=ratio)
        assert power.sample_size_of_means(d, 1, ratio=ratio) == np.ceil(n)


@pytest.mark.parametrize(("variance", "saved", "ratio"), [(1, 0, 1), (400, 0.4, 1), (9, 0.9, 0.25)])
def test_size_power_and_detectable_difference_of_means_are_one_formula(variance, saved, ratio):
    d, given = 0.1 * np.sqrt(variance), {"saved": saved, "ratio": ratio}
    n = power.sample_size_of_means(d, variance, power=0.9, **given)
    at = power.power_of_means(d, variance, [n - 1, n], **given)
    assert at[0] < 0.9 <= at[1]
    assert power.detectable_of_means(variance, n, power=0.9, **given) == pytest.approx(d, rel=0.01)
    assert power.sample_size_of_means(-d, variance, power=0.9, **given) == n


def test_what_is_known_from_before_saves_its_share_of_the_people():
    plain, with_past = (power.sample_size_of_means(0.02, 1, saved=s) for s in (0, 0.45))
    assert with_past / plain == pytest.approx(0.55, abs=0.001)


def test_a_large_effect_is_sure_and_needs_few():
    assert power.power_of_means([3, 50], 1, [20, 4000]) == pytest.approx(1)
    assert 2 <= power.sample_size_of_means(50, 1) <= 3


def test_clicks_per_view_need_what_their_linearised_variance_says():
    """Power by simulation: users with 1 or more views, and the delta method's variance in the formula."""
    from smlab.abtest import means, ratio

    def clicks_and_views(rng, better, n, m):
        views = 1 + rng.geometric(0.3, (m, n))
        return rng.binomial(views, better * rng.beta(2, 18, (m, n))), views

    rng = np.random.default_rng(0)
    variance = float(ratio(*(x[0] for x in clicks_and_views(rng, 1, 100_000, 1))).variance)
    n = power.sample_size_of_means(0.02, variance, power=0.8)
    found = means(ratio(*clicks_and_views(rng, 1, n, 2000)), ratio(*clicks_and_views(rng, 1.2, n, 2000)))
    assert (found.p < 0.05).mean() == pytest.approx(0.8, abs=0.05)  # the better arm varies a little more


def test_days_end_with_whole_weeks_and_returning_people_take_longer():
    assert power.days(10_000, 1000) == 14 and power.days(10_000, 1000, weeks=False) == 10
    assert power.days(7000, 1000) == 7 and power.days(7001, 1000) == 14
    assert power.days(10_000, 1000, share=0.1, weeks=False) == 100
    assert power.days(10_000, 1000, growth=0.5, weeks=False) == 100


ERRORS = {
    "p1 and p2 are both 0.2: no number of people shows a difference": lambda: power.sample_size(0.2, 0.2),
    "p2=20 must lie between 0 and 1: a rate, not percent": lambda: power.sample_size(0.1, 20),
    "power=80 must lie between 0 and 1": lambda: power.sample_size(0.1, 0.2, power=80),
    "level=0 must lie between 0 and 1": lambda: power.power(0.1, 0.2, 50, level=0),
    "n=3: with p1=0.9 so few people show no difference": lambda: power.detectable(0.9, 3),
    "difference=0: no number of people": lambda: power.sample_size_of_means(0, 1),
    "variance=-1 must be above 0": lambda: power.sample_size_of_means(1, -1),
    "saved=1 must be 0 or more and below 1": lambda: power.sample_size_of_means(1, 1, saved=1),
    "ratio=0 must be above 0": lambda: power.detectable_of_means(1, 50, ratio=0),
    "n=1 people are too few": lambda: power.power_of_means(1, 1, 1),
    "n=0 and per_day=50 must be above 0": lambda: power.days(0, 50),
    "share=20 and growth=1.0 must be above 0 and at most 1": lambda: power.days(100, 50, share=20),
    "n=0 people and n_tests=2000 must be whole numbers above 0": lambda: power.simulate(0.1, 0.2, 0),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
