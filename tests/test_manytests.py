"""Many tests: rates of false calls over simulations, statsmodels' and scipy's figures, Dunnett's table, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from smlab import manytests
from smlab.abtest import Sums, means
from smlab.checks import UsageError
from smlab.served import holm

MANY = 10_000


def p_values(seed, *, shared=0.0, effects=20, tests=100, size=4000):
    """Draw p-values of many tests, of which the first `effects` are true; their noise may have a common part."""
    rng = np.random.default_rng(seed)
    noise = np.sqrt(1 - shared) * rng.normal(size=(size, tests)) + np.sqrt(shared) * rng.normal(size=(size, 1))
    return 2 * stats.norm.sf(np.abs(noise + 3.0 * (np.arange(tests) < effects)))


def false_share(adjusted, effects=20):
    called = adjusted < 0.05
    return (called[:, effects:].sum(1) / np.maximum(called.sum(1), 1)).mean()


def arms(seed, sizes, *, effects=None, sds=None):
    """Draw sums of normal arms, the control first."""
    rng, n = np.random.default_rng(seed), np.array(sizes, dtype=float)
    sd = np.ones(len(n)) if sds is None else np.array(sds)
    m = rng.normal(0 if effects is None else effects, sd / np.sqrt(n), (MANY, len(n)))
    v = sd**2 * rng.chisquare(n - 1, (MANY, len(n))) / (n - 1)
    whole = np.broadcast_to(n, m.shape)
    return Sums(whole[:, 0], m[:, 0], v[:, 0]), Sums(whole[:, 1:], m[:, 1:], v[:, 1:])


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_false_discoveries_stay_below_the_level(shared):
    p = p_values(0, shared=shared)
    assert false_share(p) > 0.15  # unadjusted: one call in six is false
    assert 0.02 < false_share(manytests.benjamini_hochberg(p)) <= 0.043  # at most .05 · 80/100 in the mean
    assert false_share(manytests.benjamini_yekutieli(p)) < 0.015


def test_without_any_effect_one_family_in_twenty_calls_something():
    p = p_values(1, effects=0, tests=10, size=5 * MANY)
    called = (manytests.benjamini_hochberg(p) < 0.05).any(1)
    assert called.mean() == pytest.approx(0.05, abs=0.005)


def test_power_falls_from_no_care_to_hochberg_to_yekutieli_and_holm():
    p = p_values(2, size=500)
    adjusted = [p, manytests.benjamini_hochberg(p), manytests.benjamini_yekutieli(p)]
    found = [(a[:, :20] < 0.05).mean() for a in adjusted]
    strict = np.mean([(holm(row)[:20] < 0.05).mean() for row in p])
    assert found[0] > found[1] > max(found[2], strict) > 0.1


def test_adjusted_p_values_are_those_of_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).beta(0.3, 1, 57)
    p[3] = p[9]
    for ours, theirs in ((manytests.benjamini_hochberg, "fdr_bh"), (manytests.benjamini_yekutieli, "fdr_by")):
        assert ours(p) == pytest.approx(multitest.multipletests(p, method=theirs)[1], abs=1e-9)
    assert holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1], abs=1e-9)


def test_rows_are_families_of_their_own_and_order_is_kept():
    p = np.random.default_rng(0).random((4, 9))
    both = manytests.benjamini_hochberg(p)
    assert both[2] == pytest.approx(manytests.benjamini_hochberg(p[2]))
    assert both[2][::-1] == pytest.approx(manytests.benjamini_hochberg(p[2][::-1]))


@pytest.mark.parametrize(
    ("sizes", "sds", "equal"),
    [((900,) * 4, None, True), ((2000, 500, 500), None, False), ((700,) * 3, (1, 3, 1), False)],
)
def test_several_arms_alike_beat_or_lose_to_the_control_in_one_of_twenty_experiments(sizes, sds, equal):
    control, treatments = arms(0, sizes, sds=sds)
    found = manytests.against_control(control, treatments, equal_variance=equal)
    false = (found.p < 0.05).any(1)
    assert false.mean() == pytest.approx(0.05, abs=0.005)
    alone = means(Sums(*(x[:, None] for x in control)), treatments)
    assert (alone.p < 0.05).any(1).mean() > 0.085


def test_joint_intervals_hold_all_effects_at_once():
    control, treatments = arms(1, (800, 800, 800, 800), effects=(0, 0.1, 0.2, 0))
    few = [Sums(*(part[:2000] for part in s)) for s in (control, treatments)]
    found = manytests.against_control(*few, equal_variance=True)
    held = ((found.low <= [0.1, 0.2, 0]) & (found.high >= [0.1, 0.2, 0])).all(1)
    assert held.mean() == pytest.approx(0.95, abs=0.012)


def test_critical_values_are_those_of_dunnetts_table():
    """Dunnett (1964), table II, two-sided, joint level 95 %: 3 arms and 20 df 2.54; 4 and 60 2.51; 2 and ∞ 2.21."""
    for arms_, df, printed in ((3, 20.0, 2.54), (4, 60.0, 2.51), (2, 1e9, 2.21), (1, 10.0, 2.23), (9, 1e9, 2.69)):
        c = manytests._critical(np.full((1, arms_), 0.5), np.array([df]), 0.95)
        assert c[0] == pytest.approx(printed, abs=0.0051)


def test_p_values_and_intervals_are_scipys_within_its_sampling_error():
    rng = np.random.default_rng(0)
    control, treatments = rng.normal(0, 1, 12), [rng.normal(m, 1, n) for m, n in ((0.5, 9), (1, 15), (0.8, 7))]
    found = manytests.against_control(control, treatments, equal_variance=True)
    theirs = stats.dunnett(*treatments, control=control, rng=np.random.default_rng(1))
    assert found.p == pytest.approx(theirs.pvalue, abs=2e-4)
    ends = theirs.confidence_interval(0.95)
    assert found.low == pytest.approx(ends.low, abs=0.01) and found.high == pytest.approx(ends.high, abs=0.01)


def test_one_arm_is_the_t_test_and_more_arms_cost_more():
    rng = np.random.default_rng(0)
    x = list(rng.normal(0.5, 1, (4, 20)))
    one = manytests.against_control(x[0], [x[1]], equal_variance=True)
    assert one.p[0] == pytest.approx(stats.ttest_ind(x[0], x[1]).pvalue, abs=1e-9)
    three = manytests.against_control(x[0], x[1:], equal_variance=True)
    alone = [stats.ttest_ind(x[0], y).pvalue for y in x[1:]]
    assert (three.p > alone).all() and (three.p < np.array(alone) * 3 + 0.05).all()


ERRORS = {
    "p-values must lie between 0 and 1": lambda: manytests.benjamini_hochberg([0.1, 1.2]),
    "p-values must lie between 0 and 1, one or more": lambda: manytests.benjamini_yekutieli([]),
    "p-values must lie between 0 and 1, one": lambda: manytests.benjamini_hochberg([0.1, np.nan]),
    "treatments need the arms on the last axis": lambda: manytests.against_control([1, 2, 3], Sums(9.0, 1.0, 1.0)),
    "control: n=[1.]": lambda: manytests.against_control(Sums(1.0, 1.0, 1.0), Sums(*np.ones((3, 2)) * 4)),
    "level=95 must lie between 0 and 1": lambda: manytests.against_control([1, 2], [[1, 3]], level=95),
    "values: place 1: a value is missing": lambda: manytests.against_control([1, 2], [[1, np.nan]]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
