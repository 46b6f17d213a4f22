"""Whom to treat: heterogeneity not seen where there is none, values of rules that cover the truth, bounds of kinds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from smlab.checks import UsageError
from smlab.targeting import KINDS, by_forecast, calibration, choose, four_kinds, heterogeneity, price
from smlab.uplift import TLearner, TransformedOutcome


def world(n: int, seed: int, moved: float) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Give x, y, w and the true effect .1 + moved · (2 x1 - 1), x uniform; x2 moves the outcome alike in both arms."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 3))
    tau = 0.1 + moved * (2 * X[:, 0] - 1)
    w = (rng.random(n) < 0.5).astype(int)
    return X, (rng.random(n) < 0.2 + 0.3 * X[:, 1] + tau * w).astype(float), w, tau


def one_split(seed: int, moved: float, n: int = 1500) -> object:
    X, y, w, _ = world(n, seed, moved)
    half = n // 2
    effect = TLearner().fit(X[:half], y[:half], w[:half]).predict(X[half:])[1]
    return calibration(y[half:], w[half:], effect)


def test_without_heterogeneity_at_least_95_of_100_tests_find_none_and_with_it_most_find_it():
    assert sum(not one_split(seed, 0.0).found for seed in range(100)) >= 95
    assert sum(one_split(seed, 0.2).found for seed in range(100)) >= 75


@pytest.mark.slow
@pytest.mark.parametrize("learner", [TLearner(), TLearner(base="boosting"), TransformedOutcome()])
def test_medians_over_many_splits_find_none_either(learner):
    found = [heterogeneity(learner, *world(800, seed, 0.0)[:3], splits=10, seed=seed) for seed in range(100)]
    assert sum(not f.found for f in found) >= 95
    assert sum(f.p > 0.05 for f in found) >= 95


def test_medians_over_many_splits_find_what_is_there_and_say_so():
    X, y, w, _ = world(3000, 1, 0.2)
    found = heterogeneity(TLearner(), X, y, w, splits=8, propensity=0.5)
    assert found.found and found.splits == 8 and found.p < 0.05
    assert str(found).startswith("Some are moved more than others, and the forecast tells whom: slope ")
    again = heterogeneity(TLearner(), pd.DataFrame(X), y, w, splits=8, propensity=0.5)
    np.testing.assert_allclose(again.slope, found.slope)
    none = heterogeneity(TLearner(), X, y * 0 + world(3000, 1, 0)[1], w, splits=8)
    assert str(none).startswith("No heterogeneity is shown")


def test_the_slope_is_that_of_weighted_least_squares():
    X, y, w, tau = world(700, 2, 0.2)
    e = 0.3 + 0.4 * X[:, 1]
    D = np.column_stack([np.ones(700), tau, w - e, (w - e) * (tau - tau.mean())])
    fit = sm.WLS(y, D, weights=1 / (e * (1 - e))).fit(cov_type="HC1")
    found = calibration(y, w, tau, propensity=e)
    np.testing.assert_allclose([found.average.value, found.slope.value], fit.params[2:], rtol=1e-6)
    np.testing.assert_allclose(found.slope[1:], fit.conf_int()[3], rtol=1e-6)
    assert found.p == pytest.approx(fit.pvalues[3], rel=1e-6)


def test_the_slope_is_one_for_the_truth_half_for_twice_the_truth_and_unknown_for_a_constant():
    _, y, w, tau = world(60_000, 3, 0.2)
    true, twice = calibration(y, w, tau), calibration(y, w, 2 * tau + 7)
    assert true.slope.low < 1 < true.slope.high
    np.testing.assert_allclose(twice.slope, np.array(true.slope) / 2)
    flat = calibration(y, w, np.full(60_000, 0.1))
    assert np.isnan(flat.slope.value) and flat.p == 1 and not flat.found
    assert flat.average.value == pytest.approx(y[w == 1].mean() - y[w == 0].mean())


def test_parts_by_forecast_have_the_effects_of_their_arms():
    _, y, w, tau = world(20_000, 4, 0.2)
    table = by_forecast(y, w, tau, 4)
    assert table["n"].tolist() == [5000] * 4
    np.testing.assert_allclose(table["forecast"], [-0.05, 0.05, 0.15, 0.25], atol=0.01)
    assert ((table["low"] < table["forecast"]) & (table["forecast"] < table["high"])).all()
    top = tau >= np.quantile(tau, 0.75)
    assert table.loc[4, "value"] == pytest.approx(y[top & (w == 1)].mean() - y[top & (w == 0)].mean())


def test_a_rule_takes_the_arm_that_gains_most_or_none():
    effects = pd.DataFrame({"mens": [0.10, 0.02, -0.1], "womens": [0.08, 0.06, 0.0]})
    assert choose(effects, "none", worth=10, cost=0.5).tolist() == ["mens", "womens", "none"]
    assert choose(effects, "none", worth=10, cost={"mens": 0.9, "womens": 0.1}).tolist() == ["womens", "womens", "none"]


def test_values_of_all_and_nobody_are_the_means_of_the_arms():
    _, y, w, _ = world(2000, 5, 0.1)
    found = price(y, w, {"model": w}, worth=3, cost=0.2)
    table = found.table()
    assert table.loc["nobody", "value"] == pytest.approx(3 * y[w == 0].mean())
    assert table.loc["all 1", "value"] == pytest.approx(3 * y[w == 1].mean() - 0.2)
    assert table.loc["model", "treated"] == pytest.approx(w.mean()) and found.simple == ["nobody", "all 1"]
    gain = found.difference("all 1", "nobody").value
    assert gain == pytest.approx(table.loc["all 1", "value"] - table.loc["nobody", "value"])


def test_the_intervals_of_values_and_of_their_differences_cover_the_truth():
    """The rule treats x1 > ½, where the effect is .1 + .2 on average of x: value .35 + ½ · .2, minus half the cost."""
    truth = np.array([0.35 + 0.5 * 0.2 - 0.05, 0.5 * 0.2 - 0.05])
    inside = np.zeros(2)
    for seed in range(400):
        X, y, w, _ = world(1000, seed, 0.2)
        found = price(y, w, {"half": (X[:, 0] > 0.5).astype(int)}, cost=0.1, propensity=0.5)
        value = found.table(n=200, seed=seed).loc["half"]
        gain = found.difference("half", n=200, seed=seed)
        inside += [value["low"] <= truth[0] <= value["high"], gain.low <= truth[1] <= gain.high]
    assert (inside / 400 > 0.92).all() and (inside / 400 < 0.98).all(), inside / 400


def test_the_verdict_is_a_sentence_that_follows_the_numbers():
    _, y, w, tau = world(20_000, 6, 0.3)
    good = choose(pd.DataFrame({1: tau}), 0, worth=10, cost=1.0)
    found = price(y, w, {"model": good, "wrong": 1 - good}, worth=10, cost=1.0, propensity=0.5)
    assert re.match(
        r"Treat the \d\d % whom 'model' chooses|Treat the \d\d% whom 'model' chooses", found.verdict("model")
    )
    assert found.verdict("wrong").startswith("That 'wrong' beats the simple rules is not shown")


def test_bounds_of_the_four_kinds_hold_the_truth_and_people_narrow_them():
    rng = np.random.default_rng(0)
    u, x = rng.random(100_000), rng.random(100_000)
    p0, p1 = 0.2 + 0.3 * x, 0.5 - 0.2 * x
    without, with_ = u < p0, np.where(x < 0.5, u, 1 - u) < p1
    shares = {
        "persuadable": (with_ & ~without).mean(),
        "sure thing": (with_ & without).mean(),
        "lost cause": (~with_ & ~without).mean(),
        "do not disturb": (~with_ & without).mean(),
    }
    wide, narrow = four_kinds(without.mean(), with_.mean()), four_kinds(p0, p1)
    for table in (wide, narrow):
        assert list(table.index) == list(KINDS) == list(shares)
        assert (table["least"] - 0.005 <= pd.Series(shares)).all() and (
            table["most"] + 0.005 >= pd.Series(shares)
        ).all()
    assert (narrow["most"] - narrow["least"] <= wide["most"] - wide["least"] + 0.005).all()
    assert (narrow["most"] - narrow["least"]).sum() < 0.9 * (wide["most"] - wide["least"]).sum()


def test_two_rates_bound_the_kinds_by_frechet():
    """Of 10 % without and 15 % with the message, 5 % at least are persuaded; at most all 15 % are, 10 % driven away."""
    table = four_kinds(0.10, 0.15)
    np.testing.assert_allclose(table["least"], [0.05, 0, 0.75, 0], atol=1e-12)
    np.testing.assert_allclose(table["most"], [0.15, 0.10, 0.85, 0.10])


def test_bad_input_is_refused_in_a_sentence():
    _, y, w, tau = world(50, 7, 0.1)
    wrong = {
        "rule 'a' must give each of 50 people one of the arms [0, 1]": lambda: price(y, w, {"a": w + 1}),
        "treated must be 0 or 1, or the control be named": lambda: calibration(y, w + 1, tau),
        "only the control 0 has rows": lambda: price(y, 0 * w, {}),
        "a propensity of 0 must lie between 0 and 1": lambda: price(y, w, {}, propensity=0.0),
        "effect has shape (49,)": lambda: calibration(y, w, tau[1:]),
        "row 0: the outcome nan is not finite": lambda: price(np.append(np.nan, y[1:]), w, {}),
        "no rule is called 'al'; ": lambda: price(y, w, {}).difference("al"),
        "cost names no price of arm 1": lambda: price(y, w, {}, cost={"mail": 1.0}),
        "row 1: the gain of arm 1 is not finite": lambda: choose(pd.DataFrame({1: [0.1, np.nan]}), 0),
        "untreated and treated must be chances from 0 to 1": lambda: four_kinds(0.1, 1.2),
    }
    for text, act in wrong.items():
        with pytest.raises(UsageError, match=re.escape(text)):
            act()
