"""Two arms compared: error rates over A/A experiments, coverage, statsmodels' and Newcombe's figures, identities."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from smlab import abtest
from smlab.abtest import Sums
from smlab.checks import UsageError

MANY = 10_000  # experiments
SHARE = pytest.approx(0.05, abs=0.005)  # of A/A experiments that may look like an effect: 4.5 to 5.5 %


def normal_arm(rng, n, mean, sd):
    """Draw n, mean and variance of MANY arms of n normal units."""
    m = rng.normal(mean, sd / np.sqrt(n), MANY)
    return Sums(np.full(MANY, float(n)), m, sd**2 * rng.chisquare(n - 1, MANY) / (n - 1))


def shop_arm(rng, n, *, share=0.03, sigma=1.0, better=1.0):
    """Draw revenue: few buy, amounts are lognormal; the sums of MANY arms."""
    buyers = rng.binomial(n, share, MANY)
    amounts = better * rng.lognormal(3, sigma, buyers.sum())
    arm = np.repeat(np.arange(MANY), buyers)
    m = np.bincount(arm, amounts, MANY) / n
    return Sums(np.full(MANY, float(n)), m, (np.bincount(arm, amounts**2, MANY) - n * m**2) / (n - 1))


def users(rng, n, *, better=1.0, experiments=MANY):
    """Draw clicks and views of n users each: some look often, and each clicks as often as suits him."""
    views = 1 + rng.geometric(0.2, (experiments, n))
    return rng.binomial(views, np.minimum(better * rng.beta(1, 9, (experiments, n)), 1)), views


def test_rates_alike_differ_in_one_of_twenty_experiments():
    k = np.random.default_rng(0).binomial(2000, 0.05, (MANY, 2))
    assert (abtest.rates(k[:, 0], 2000, k[:, 1], 2000).p < 0.05).mean() == SHARE


@pytest.mark.parametrize(("n", "sd"), [((50, 50), (1, 1)), ((20, 200), (3, 1)), ((400, 100), (1, 5))])
def test_means_alike_differ_in_one_of_twenty_experiments_whatever_sizes_and_spreads(n, sd):
    rng = np.random.default_rng(0)
    found = abtest.means(normal_arm(rng, n[0], 7, sd[0]), normal_arm(rng, n[1], 7, sd[1]))
    assert (found.p < 0.05).mean() == SHARE
    assert ((found.low > 0) | (found.high < 0)).mean() == (found.p < 0.05).mean()


def test_skewed_revenue_keeps_the_level_from_2000_units_an_arm():
    rng = np.random.default_rng(0)
    assert (abtest.means(shop_arm(rng, 2000), shop_arm(rng, 2000)).p < 0.05).mean() == SHARE


def test_skewed_revenue_does_not_keep_the_level_in_a_small_arm_of_1000():
    """The limit that the docstring states: one arm with a tenth of the units misses the rare large buyers."""
    rng = np.random.default_rng(0)
    assert (abtest.means(shop_arm(rng, 9000), shop_arm(rng, 1000)).p < 0.05).mean() > 0.07


def test_interval_of_skewed_revenue_holds_a_true_lift():
    rng = np.random.default_rng(1)
    found = abtest.means(shop_arm(rng, 5000), shop_arm(rng, 5000, better=1.2))
    held = (found.lift_low <= 0.2) & (found.lift_high >= 0.2)
    assert held.mean() == pytest.approx(0.95, abs=0.007)


def test_clicks_per_view_keep_the_level_where_views_taken_for_units_do_not():
    rng = np.random.default_rng(0)
    (c0, v0), (c1, v1) = users(rng, 400), users(rng, 400)
    assert (abtest.means(abtest.ratio(c0, v0), abtest.ratio(c1, v1)).p < 0.05).mean() == SHARE
    wrong = abtest.rates(c0.sum(1), v0.sum(1), c1.sum(1), v1.sum(1))
    assert (wrong.p < 0.05).mean() > 0.1


def test_exact_tests_keep_the_level_at_every_rate_and_boschloo_sees_more():
    """All tables of 12 and 10 units, with their probabilities: no simulation."""
    x0, x1 = np.meshgrid(np.arange(13), np.arange(11), indexing="ij")
    fisher, boschloo = (abtest.rates(x0, 12, x1, 10, test=t).p for t in ("fisher", "boschloo"))

    def chance(p, q0, q1):
        return ((p < 0.05) * stats.binom.pmf(x0, 12, q0) * stats.binom.pmf(x1, 10, q1)).sum()

    for q in np.linspace(0.05, 0.95, 19):
        assert chance(fisher, q, q) <= chance(boschloo, q, q) + 1e-12 <= 0.05
    assert chance(boschloo, 0.2, 0.7) > chance(fisher, 0.2, 0.7) + 0.05


@pytest.mark.parametrize("interval", ["newcombe", "agresti-caffo"])
@pytest.mark.parametrize(
    ("p0", "p1", "n"), [(0.05, 0.06, (2000, 2000)), (0.3, 0.5, (40, 60)), (0.02, 0.03, (800, 400))]
)
def test_intervals_of_rates_hold_the_truth(interval, p0, p1, n):
    k = np.random.default_rng(0).binomial(n, [p0, p1], (MANY, 2))
    found = abtest.rates(k[:, 0], n[0], k[:, 1], n[1], interval=interval)
    assert ((found.low <= p1 - p0) & (p1 - p0 <= found.high)).mean() == pytest.approx(0.95, abs=0.01)
    lift = p1 / p0 - 1
    assert ((found.lift_low <= lift) & (lift <= found.lift_high)).mean() == pytest.approx(0.95, abs=0.01)


def test_lift_of_means_holds_the_truth_and_errs_to_the_safe_side_where_the_control_is_uncertain():
    rng = np.random.default_rng(0)
    for n, least, most in ((100, 0.943, 0.957), (30, 0.95, 0.98)):
        found = abtest.means(normal_arm(rng, n, 2, 3), normal_arm(rng, n, 3, 3))
        held = (found.lift_low <= 0.5) & (found.lift_high >= 0.5)
        assert least < held[np.isfinite(found.lift)].mean() < most


def test_lift_leaves_0_out_exactly_when_the_difference_does():
    k = np.random.default_rng(0).binomial(100, [0.1, 0.2], (2000, 2))
    one = abtest.rates(k[:, 0], 100, k[:, 1], 100)
    assert ((one.low > 0) == (one.lift_low > 0)).all() and ((one.high < 0) == (one.lift_high < 0)).all()
    rng = np.random.default_rng(1)
    two = abtest.means(normal_arm(rng, 100, 5, 2), normal_arm(rng, 100, 5.5, 2))
    assert ((two.low > 0) == (two.lift_low > 0)).all()


def test_ends_of_fiellers_interval_are_where_the_test_is_at_its_level():
    """At an end R the difference m1 - R m0 is t standard errors from 0."""
    a, b = Sums(np.float64(40), np.float64(5), np.float64(9)), Sums(np.float64(60), np.float64(6), np.float64(4))
    found = abtest.means(a, b)
    t = (found.high - found.difference) / found.se
    for end in (found.lift_low + 1, found.lift_high + 1):
        assert abs(b.mean - end * a.mean) / np.sqrt(4 / 60 + end**2 * 9 / 40) == pytest.approx(t)


def test_lift_over_a_control_that_may_be_nothing_has_no_end():
    found = abtest.means([-2, 3, 1, -1.5], [2, 3, 2.5, 4])
    assert np.isinf(found.lift_high) and np.isinf(found.lift_low)
    assert np.isnan(abtest.means([-2, -3, -1], [2, 3, 4]).lift)


def test_delta_method_agrees_with_the_bootstrap_of_users():
    clicks, views = users(np.random.default_rng(0), 400, experiments=1)
    s = abtest.ratio(clicks[0], views[0])
    at = np.random.default_rng(1).integers(0, 400, (4000, 400))
    drawn = clicks[0][at].sum(1) / views[0][at].sum(1)
    assert s.mean == pytest.approx(clicks.sum() / views.sum(), rel=1e-12)
    assert np.sqrt(s.variance / s.n) == pytest.approx(drawn.std(), rel=0.05)


def test_ratio_to_a_constant_is_the_mean():
    x = np.random.default_rng(0).normal(5, 2, 50)
    one, two = abtest.sums(x), abtest.ratio(x, np.full(50, 4))
    assert two.mean == pytest.approx(one.mean / 4) and two.variance == pytest.approx(one.variance / 16)


def test_rows_and_sums_and_many_experiments_at_once_give_the_same():
    x = np.random.default_rng(0).normal(10, 3, (2, 5, 40))
    all_, third = abtest.means(x[0], x[1]), abtest.means(abtest.sums(x[0, 2]), abtest.sums(x[1, 2]))
    for name in ("difference", "low", "high", "p", "lift_low", "se"):
        assert getattr(all_, name)[2] == pytest.approx(getattr(third, name), rel=1e-12)
    arms = abtest.by_arm(np.r_[x[0, 2], x[1, 2]], ["A"] * 40 + ["B"] * 40)
    assert abtest.means(arms["A"], arms["B"]).p == pytest.approx(third.p)


def test_planted_effect_is_found_with_the_power_that_the_formula_says():
    from smlab import power

    rng = np.random.default_rng(0)
    n = power.sample_size_of_means(0.5, 4, power=0.8)
    found = abtest.means(normal_arm(rng, n, 3, 2), normal_arm(rng, n, 3.5, 2))
    assert (found.p < 0.05).mean() == pytest.approx(0.8, abs=0.012)


def test_figures_are_those_of_scipy_and_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    for x0, n0, x1, n1 in [(48, 80, 56, 70), (30, 1000, 52, 900), (3, 10, 9, 10)]:
        found = abtest.rates(x0, n0, x1, n1)
        assert found.p == pytest.approx(proportion.proportions_ztest([x0, x1], [n0, n1])[1], abs=1e-9)
        for ours, theirs in (("newcombe", "newcomb"), ("agresti-caffo", "agresti-caffo")):
            found = abtest.rates(x0, n0, x1, n1, interval=ours)
            ends = proportion.confint_proportions_2indep(x1, n1, x0, n0, method=theirs)
            assert (found.low, found.high) == pytest.approx(ends, abs=1e-9)
        table = [[x0, x1], [n0 - x0, n1 - x1]]
        assert abtest.rates(x0, n0, x1, n1, test="fisher").p == pytest.approx(
            stats.fisher_exact(table).pvalue, abs=1e-9
        )
    a, b = np.random.default_rng(0).normal([[1], [2]], [[1], [4]], (2, 30))
    found, theirs = abtest.means(a, b), stats.ttest_ind(b, a, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()), abs=1e-9)
    compared = weightstats.CompareMeans(weightstats.DescrStatsW(b), weightstats.DescrStatsW(a))
    assert (found.low, found.high) == pytest.approx(compared.tconfint_diff(usevar="unequal"), abs=1e-9)


def test_nobody_clicking_is_no_difference_and_level_widens():
    found = abtest.rates(0, 50, 0, 50)
    assert found.p == 1 and np.isnan(found.lift)
    assert abtest.rates(0, 50, 0, 50, test="boschloo").p == 1
    assert np.isinf(abtest.rates(1, 5000, 9, 5000).lift_high) == np.False_
    wide, narrow = (abtest.means([1, 2, 4], [5, 7, 9], level=x) for x in (0.99, 0.9))
    assert wide.low < narrow.low and wide.high > narrow.high and wide.p == narrow.p


ERRORS = {
    "clicks1=90 of n1=70 cannot be": lambda: abtest.rates(48, 80, 90, 70),
    "clicks0=-1 of n0=80 cannot be": lambda: abtest.rates(-1, 80, 56, 70),
    "place 1: clicks0=3 of n0=0 cannot be": lambda: abtest.rates([1, 3], [5, 0], 2, 5),
    "clicks0: a value is missing or not finite": lambda: abtest.rates(np.nan, 80, 56, 70),
    "n1='many' must be numbers": lambda: abtest.rates(48, 80, 56, "many"),
    "test='fischer': did you mean 'fisher'?": lambda: abtest.rates(48, 80, 56, 70, test="fischer"),
    "no unit of either arm differs from the arm's mean": lambda: abtest.means([1, 1], [2, 2]),
    "values of shape (1,): an arm needs two units or more": lambda: abtest.means([1], [2, 3]),
    "treatment: place 1: a value is missing": lambda: abtest.means([1, 2], [2, np.nan]),
    "control=['a', 'b'] must be numbers": lambda: abtest.means(["a", "b"], [1, 2]),
    "n=1.0 and variance=2.0 must be at least 2": lambda: abtest.means(Sums(1, 5, 2), [1, 2]),
    "level=95 must lie between 0 and 1": lambda: abtest.means([1, 2], [2, 4], level=95),
    "all 2 units are in one arm, 'A'": lambda: abtest.by_arm([1, 2], ["A", "A"]),
    "the mean of x, which is divided by, must be above 0": lambda: abtest.ratio([1, 2], [0, 0]),
    "y has shape (2,), x (3,)": lambda: abtest.ratio([1, 2], [1, 2, 3]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
