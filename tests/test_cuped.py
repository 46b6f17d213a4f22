"""CUPED: error rates, what it saves, equality with regressions, the lift, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab import cuped
from smlab.abtest import means, sums
from smlab.checks import UsageError

MANY = 10_000
SHARE = pytest.approx(0.05, abs=0.005)
SLOPES = np.array([2.0, -1.0])


def arms(seed, sizes, *, effects=(0.0, 0.0, 0.0), slopes=(SLOPES, SLOPES, SLOPES), experiments=MANY, skew=False):
    """Draw outcomes that the past (two columns) explains, and give the moments of each arm."""
    rng, found = np.random.default_rng(seed), []
    for n, effect, slope in zip(sizes, effects, slopes, strict=False):
        x = rng.normal(size=(experiments, n, 2)) + [1, 0]
        noise = rng.exponential(1, (experiments, n)) - 1 if skew else rng.normal(size=(experiments, n))
        found.append(cuped.moments(5 + effect + x @ slope + noise, x))
    return found


def rows(seed=0, n=300, names=("A", "B", "C")):
    rng = np.random.default_rng(seed)
    arm = rng.choice(names, n)
    x = rng.normal(size=(n, 2))
    return 3 + x @ SLOPES + 0.5 * (arm == "B") + rng.normal(size=n), arm, x


@pytest.mark.parametrize("interact", [False, True])
@pytest.mark.parametrize("sizes", [(50, 50), (90, 30)])
def test_arms_alike_differ_in_one_of_twenty_experiments(interact, sizes):
    found = cuped.adjust(arms(0, sizes), interact=interact).effects[0]
    assert (found.p < 0.05).mean() == SHARE


def test_skewed_outcomes_keep_the_level():
    assert (cuped.adjust(arms(0, (100, 100), skew=True)).effects[0].p < 0.05).mean() == SHARE


def test_three_arms_each_against_the_control():
    found = cuped.adjust(arms(0, (60, 60, 60), effects=(0, 0.5, 0), experiments=4000))
    one, two = found.effects
    assert one.difference.mean() == pytest.approx(0.5, abs=0.01)
    assert (two.p < 0.05).mean() == pytest.approx(0.05, abs=0.01) and (one.p < 0.05).mean() > 0.7


def test_intervals_hold_the_effect_and_the_lift():
    found = cuped.adjust(arms(1, (80, 80), effects=(0, 1))).effects[0]
    assert ((found.low <= 1) & (found.high >= 1)).mean() == pytest.approx(0.95, abs=0.007)
    lift = 1 / 7  # the control's mean is 5 + 2
    assert ((found.lift_low <= lift) & (found.lift_high >= lift)).mean() == pytest.approx(0.95, abs=0.007)


def test_saved_is_the_share_that_the_past_explains_and_shortens_the_interval_as_it_says():
    a, b = arms(0, (200, 200), experiments=500)
    found = cuped.adjust([a, b])
    assert found.saved.mean() == pytest.approx(5 / 6, abs=0.01)  # 2² + 1² of 2² + 1² + 1
    plain = np.sqrt((a.cov[:, 0, 0] + b.cov[:, 0, 0]) / 200)
    assert (found.effects[0].se / plain).mean() == pytest.approx(np.sqrt(1 / 6), abs=0.01)
    assert found.theta.mean(0) == pytest.approx(SLOPES, abs=0.02)


def test_power_formula_with_the_saved_share_is_what_simulation_gives():
    from smlab import power

    n = power.sample_size_of_means(0.5, 6, saved=5 / 6, power=0.8)
    assert n < power.sample_size_of_means(0.5, 6) / 5
    found = cuped.adjust(arms(2, (n, n), effects=(0, 0.5), experiments=5000)).effects[0]
    assert (found.p < 0.05).mean() == pytest.approx(0.8, abs=0.025)


def test_one_covariate_is_the_formula_of_deng_and_others():
    """θ = cov(y, x) / var(x) within arms, and Δ_cuped = Δȳ - θ Δx̄."""
    y, arm, x = rows(names=("A", "B"))
    c = [np.cov(y[arm == a], x[arm == a, 0]) * ((arm == a).sum() - 1) for a in ("A", "B")]
    theta = (c[0] + c[1])[0, 1] / (c[0] + c[1])[1, 1]
    d_y, d_x = (v[arm == "B"].mean() - v[arm == "A"].mean() for v in (y, x[:, 0]))
    found = cuped.cuped(y, arm, x[:, 0], control="A")["B"]
    assert found.difference == pytest.approx(d_y - theta * d_x, abs=1e-12)


def test_effects_are_those_of_the_regressions():
    """Covariance analysis for the common θ; for one θ an arm Lin's regression with centred x times arm."""
    sm = pytest.importorskip("statsmodels.api")
    y, arm, x = rows()
    b, c = (arm == "B").astype(float), (arm == "C").astype(float)
    z = x - x.mean(0)
    common = sm.OLS(y, np.column_stack([np.ones(len(y)), b, c, z])).fit()
    lin = sm.OLS(y, np.column_stack([np.ones(len(y)), b, c, z, b[:, None] * z, c[:, None] * z])).fit(cov_type="HC2")
    for interact, fit in ((False, common), (True, lin)):
        found = cuped.cuped(y, arm, x, control="A", interact=interact)
        for i, name in ((1, "B"), (2, "C")):
            assert found[name].difference == pytest.approx(fit.params[i], abs=1e-9)
            assert found[name].se == pytest.approx(fit.bse[i], rel=0.03)


def test_standard_error_is_that_of_the_regression_where_both_residual_variances_are_alike():
    """Exactly so: the second arm's residuals are the first's, its past is moved by 1."""
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    x, e = rng.normal(size=40), rng.normal(size=40)
    y, past, arm = np.r_[2 * x + e, 2 * x + e + 3], np.r_[x, x + 1], np.repeat(["A", "B"], 40)
    fit = sm.OLS(y, np.column_stack([np.ones(80), arm == "B", past]).astype(float)).fit()
    found = cuped.cuped(y, arm, past, control="A")["B"]
    assert (found.difference, found.se) == pytest.approx((fit.params[1], fit.bse[1]), abs=1e-9)


def test_each_arms_own_slope_helps_where_sizes_and_slopes_differ():
    """Lin (2013), section 4: with unequal arms and opposed slopes the common θ can lose to no adjustment at all."""
    a, b = arms(0, (150, 50), slopes=(SLOPES, -SLOPES), experiments=500)
    common, own = (cuped.adjust([a, b], interact=i).effects[0] for i in (False, True))
    assert own.difference.std() < 0.8 * common.difference.std()
    assert own.se.mean() == pytest.approx(own.difference.std(), rel=0.1)


def test_a_past_that_says_nothing_changes_nothing():
    rng = np.random.default_rng(0)
    y, x = rng.normal(10, 2, (2, 4000)), rng.normal(size=(2, 4000))
    found = cuped.adjust([cuped.moments(y[i], x[i]) for i in (0, 1)])
    plain = means(sums(y[0]), sums(y[1]))
    assert found.saved == pytest.approx(0, abs=0.002) and found.effects[0].se == pytest.approx(plain.se, rel=0.002)


def test_units_and_order_of_the_past_do_not_matter():
    y, arm, x = rows()
    one = cuped.cuped(y, arm, x, control="A")["B"]
    two = cuped.cuped(y, arm, np.column_stack([x[:, 1] * 1e6 + 4, x[:, 0] / 1e3]), control="A")["B"]
    assert (one.difference, one.se, one.lift_low) == pytest.approx((two.difference, two.se, two.lift_low), rel=1e-8)


Y, ARM, X = rows(n=40)
ERRORS = {
    "the arms are 'A': they must be two or more": lambda: cuped.cuped(Y, ["A"] * 40, X, control="A"),
    "'D' among them": lambda: cuped.cuped(Y, ARM, X, control="D"),
    "must have one row for each unit": lambda: cuped.cuped(Y, ARM[:5], X, control="A"),
    "covariate 1 does not vary within the arms": lambda: cuped.cuped(Y, ARM, X * [1, 0], control="A"),
    "the covariates repeat each other": lambda: cuped.cuped(Y, ARM, X[:, [0, 0]], control="A"),
    "a value of y or x is missing": lambda: cuped.cuped(Y, ARM, np.where(X > 1, np.nan, X), control="A"),
    "y and x must be numbers": lambda: cuped.cuped(Y, ARM, ARM, control="A"),
    "1 arm: two or more are needed": lambda: cuped.adjust([cuped.moments(Y, X)]),
    "4 units in an arm are too few for 2 covariates": lambda: cuped.moments(Y[:4], X[:4]),
    "the covariates explain the outcome wholly": lambda: cuped.cuped(np.zeros(40), ARM, X, control="A"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
