"""Mean orders are the best linear forecast, value is a product, break-even breaks even, and decisions follow it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.bgnbd import BGNBD, simulate
from smlab.campaign import LEAVE, SEND, TEST, campaign, spending, worth
from smlab.checks import UsageError
from smlab.metrics import Interval


def orders(n: int, within: float, between: float, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Draw customers with true mean orders around 50, each with 1 to 10 orders."""
    rng = np.random.default_rng(seed)
    true = pd.Series(rng.normal(50, between, n))
    who = np.repeat(np.arange(n), rng.integers(1, 11, n))
    return pd.DataFrame({"customer": who, "amount": rng.normal(true.to_numpy()[who], within)}), true


@pytest.fixture(scope="module")
def world():
    seen = simulate(3000, [0.5, 5.0, 0.8, 2.4], 39, seed=2)
    return BGNBD().fit(seen["x"], seen["t_x"], seen["T"]), seen, (seen["x"] > 1).to_numpy().astype(int)


def decide(world, **changed):
    model, seen, z = world
    terms = {"weeks": 26, "margin": 0.3, "cost": 0.1, "response": (0.01, 0.1), "n_draws": 40} | changed
    return campaign(model, seen, np.full(len(seen), 30.0), z, ["once", "often"], **terms)


def test_planted_spread_is_found():
    paid, _ = orders(20_000, within=10, between=5)
    assert pytest.approx(10**2 / 5**2, rel=0.05) == spending(paid).K


def test_no_other_weight_forecasts_the_true_mean_better():
    paid, true = orders(5000, within=10, between=5, seed=1)
    found, own = spending(paid), paid.groupby("customer")["amount"].mean()
    loss = {K: np.mean((own + (found.common - own) / (1 + n / K) - true) ** 2)
            for n in [paid.groupby("customer").size()] for K in (1, 2, found.K, 8, 16)}  # fmt: skip
    assert min(loss, key=lambda K: loss[K]) == found.K
    assert loss[found.K] == pytest.approx(np.mean((found.mean - true) ** 2))


def test_mean_lies_between_own_and_common_and_nearer_to_own_with_more_orders():
    paid = pd.DataFrame({"customer": list("abbbbbbcc"), "amount": [90.0, 89, 90, 91, 90, 88, 92, 30, 31]})
    found = spending(paid)
    assert found.weight["a"] < found.weight["c"] < found.weight["b"] < 1
    assert found.common < found.mean["a"] < 90


def test_customers_who_do_not_differ_get_the_common_mean():
    paid, _ = orders(300, within=10, between=0, seed=4)
    found = spending(paid)
    assert found.K > 50 or np.isinf(found.K)
    single = spending(pd.DataFrame({"customer": [1, 2, 3], "amount": [1.0, 2, 9]}))
    assert single.mean.tolist() == [4, 4, 4] and single.weight.eq(0).all()


def test_worth_is_margin_times_purchases_times_mean_order(world):
    model, seen, _ = world
    spend = np.linspace(10, 60, len(seen))
    value = worth(model, seen, spend, weeks=26, margin=0.3)
    expected = model.expect_more(26, seen["x"], seen["t_x"], seen["T"])
    np.testing.assert_allclose(value, 0.3 * expected * spend, rtol=1e-12)


def test_gain_is_zero_at_the_response_that_breaks_even(world):
    rho = decide(world)["break_even"]
    for name in rho.index:
        assert decide(world, response=(rho[name], rho[name])).loc[name, "gain"] == pytest.approx(0, abs=1e-12)


def test_gain_follows_response_cost_and_correction(world):
    table = decide(world)
    np.testing.assert_allclose(table["gain"], 0.055 * table["worth"] - 0.1)
    np.testing.assert_allclose(decide(world, correction=Interval(0.5, 0.5, 0.5))["worth"], table["worth"] / 2)
    for name in ("worth", "break_even", "gain"):
        assert (table[f"{name}_low"] < table[name]).all() and (table[name] < table[f"{name}_high"]).all()


def test_a_doubtful_correction_widens_the_interval(world):
    sure, doubtful = (decide(world, correction=Interval(1.0, 1 - w, 1 + w)) for w in (0.01, 0.5))
    width = [t["worth_high"] - t["worth_low"] for t in (sure, doubtful)]
    assert (width[1] > width[0]).all()


def test_each_segment_may_have_a_correction_of_its_own(world):
    each = decide(world, correction=[Interval(0.5, 0.5, 0.5), Interval(2.0, 2.0, 2.0)])
    np.testing.assert_allclose(each["worth"], decide(world)["worth"] * [0.5, 2.0])


def test_decision_is_what_the_interval_says(world):
    assert decide(world, cost=0.0)["decision"].eq(SEND).all()
    assert decide(world, cost=1e6)["decision"].eq(LEAVE).all()
    value = decide(world)["worth"]["often"]
    assert decide(world, cost=0.05 * value)["decision"]["often"] == TEST


def test_same_seed_same_plan(world):
    pd.testing.assert_frame_equal(decide(world, seed=3), decide(world, seed=3))


ERRORS = {
    "there is no order": lambda w: spending(pd.DataFrame({"customer": [], "amount": []})),
    "margin=30 is a share of the price": lambda w: decide(w, margin=30),
    "response=0.2 to 0.1 must be 0 or more and in order": lambda w: decide(w, response=(0.2, 0.1)),
    "cost=-1 0 or more": lambda w: decide(w, cost=-1),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text, world):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text](world)
