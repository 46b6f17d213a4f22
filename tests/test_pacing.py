"""Budgets: never overspent, spent evenly, on what is worth it; beside a plain loop and an exact optimum; errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.optimize import linprog

from smlab.checks import UsageError
from smlab.pacing import METHODS, Traffic, pace, traffic

DAYS = traffic(60, 4000)
BUDGET = 6.0  # greed would spend about 14


def test_traffic_is_that_of_a_day():
    hour = DAYS.hour
    assert (np.diff(hour, axis=1) >= 0).all() and hour.min() >= 0 and hour.max() <= 24
    assert DAYS.ctr.mean() == pytest.approx(0.01, rel=0.02)
    dear = DAYS.price[np.abs(hour - 20) < 1].mean() / DAYS.price[np.abs(hour - 8) < 1].mean()
    assert dear == pytest.approx(2, rel=0.08)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("budget", [0.01, 1.0, 6.0, 1000.0])
def test_no_day_spends_more_than_its_budget(method, budget):
    found = pace(DAYS, budget, method)
    assert (found.spent[:, -1] <= budget * (1 + 1e-12)).all() and (np.diff(found.spent, axis=1) >= 0).all()
    assert (found.spend_error >= -1e-12).all()


def test_greedy_by_hand():
    """Values 0.2 of prices .1, .3, .1, .1 and a budget of 0.25: buys the first and the third."""
    day = Traffic(np.array([[1.0, 2, 3, 4]]), np.full((1, 4), 0.2), np.array([[0.1, 0.3, 0.1, 0.1]]), 1.0)
    found = pace(day, 0.25, "greedy")
    assert found.spent[0] == pytest.approx([0.1, 0.1, 0.2, 0.2]) and found.clicks[0] == pytest.approx(0.4)
    assert found.spend_error[0] == pytest.approx(0.2) and found.unevenness[0] == pytest.approx(0.2)


def test_dual_pacing_is_that_of_a_plain_loop():
    """Balseiro & Gur: μ falls by η ρ and rises by η times what was paid, never below 0."""
    day, budget = traffic(1, 500, seed=3), 0.6
    mu, spent, rho = 0.0, 0.0, budget / 500
    for ctr, price in zip(day.ctr[0], day.price[0], strict=True):
        paid = price if ctr * day.value / (1 + mu) > price and spent + price <= budget else 0.0
        spent += paid
        mu = max(mu - (rho - paid) / (rho * np.sqrt(500)), 0.0)
    assert pace(day, budget, "dual").spent[0, -1] == pytest.approx(spent)


def test_hindsight_is_the_linear_programs_optimum():
    day = traffic(1, 60, seed=1)
    best = linprog(-day.ctr[0], A_ub=day.price, b_ub=[0.05], bounds=(0, 1))
    assert pace(day, 0.05, "hindsight").clicks[0] == pytest.approx(-best.fun, rel=1e-6)


def test_nobody_has_more_than_hindsight():
    best = pace(DAYS, BUDGET, "hindsight").clicks
    for method in METHODS[:-1]:
        assert (pace(DAYS, BUDGET, method).clicks <= best + 1e-9).all()


def test_paced_bids_spend_evenly_and_have_more_clicks_than_greed():
    found = {method: pace(DAYS, BUDGET, method) for method in METHODS}
    best = found["hindsight"].clicks.mean()
    for method in ("pi", "dual"):
        assert found[method].spend_error.mean() < 0.01
        assert found[method].unevenness.mean() < 0.1 < 0.4 < found["greedy"].unevenness.mean()
        assert found[method].clicks.mean() > 0.95 * best > 1.2 * found["greedy"].clicks.mean()


def test_throttling_spends_evenly_but_buys_no_better_than_greed():
    throttled, greedy = pace(DAYS, BUDGET, "throttle"), pace(DAYS, BUDGET, "greedy")
    assert throttled.unevenness.mean() < 0.15 and throttled.spend_error.mean() < 0.05
    assert throttled.clicks.mean() < 1.02 * greedy.clicks.mean()


@pytest.mark.parametrize("method", ["greedy", "pi", "dual"])
def test_with_money_enough_all_bid_their_value(method):
    rich = pace(DAYS, 1000.0, method)
    worth = DAYS.ctr * DAYS.value > DAYS.price
    assert rich.clicks == pytest.approx((worth * DAYS.ctr).sum(axis=1))


def test_a_wrong_forecast_of_the_traffic_shows():
    """Who expects half as many people again has a third of the money left; who expects fewer is out early."""
    assert pace(DAYS, BUDGET, "dual", expected=6000).spend_error.mean() == pytest.approx(1 / 3, abs=0.03)
    early = pace(DAYS, BUDGET, "dual", expected=2000)
    assert early.spend_error.mean() < 0.01 and early.unevenness.mean() > 0.4


def test_one_seed_gives_one_result():
    first, again, other = (pace(DAYS, BUDGET, "throttle", seed=s).spent for s in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert (traffic(2, 50).price == traffic(2, 50).price).all()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"method": "duel"}, "method='duel': did you mean 'dual'?"),
        ({"budget": 0}, "budget=0, expected=4000, slots=100 and gain=1.0 must be above 0"),
        ({"expected": 0}, "budget=1, expected=0, slots=100 and gain=1.0 must be above 0"),
    ],
)
def test_errors_are_sentences(how, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        pace(**{"day": DAYS, "budget": 1} | how)


def test_a_day_needs_auctions():
    with pytest.raises(UsageError, match=re.escape("n_auctions=1 2 or more")):
        traffic(1, 1)
