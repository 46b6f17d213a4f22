"""Tests one may peek at: formulas against integrals, false alarms and coverage under continuous peeking, errors."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from smlab import sequential, stopping
from smlab.checks import UsageError
from smlab.power import two_rates
from smlab.sequential import means, naive, rates, ratio_check, watch

SLOW = [pytest.param(10_000, 10_000, marks=pytest.mark.slow), (500, 4000)]  # tests, people


def running(x):
    """Give (n, mean, variance) after each person of x (experiments, people)."""
    n = np.arange(1, x.shape[-1] + 1)
    mean = x.cumsum(axis=-1) / n
    return n, mean, np.maximum((x**2).cumsum(axis=-1) / n - mean**2, 0) * n / np.maximum(n - 1, 1)


def drawn(kind, seed, shape):
    rng = np.random.default_rng(seed)
    if kind == "revenue":  # 3 % buy, lognormal amounts
        return (rng.random(shape) < 0.03) * rng.lognormal(3, 1, shape)
    return rng.normal(5, 2, shape) if kind == "normal" else rng.exponential(1, shape)


@pytest.mark.parametrize(("d", "v", "tau"), [(0.3, 0.02, 0.2), (-0.1, 0.01, 0.5), (1.0, 0.1, 0.3)])
def test_p_value_is_one_over_the_mixture_of_likelihood_ratios(d, v, tau):
    """Robbins (1970): ∫ N(d; θ, v) / N(d; 0, v) dN(θ; 0, τ²), here by quadrature."""
    mixed = integrate.quad(lambda theta: norm.pdf(d, theta, v**0.5) * norm.pdf(theta, 0, tau), -5, 5, points=[d, 0])[0]
    estimate = sequential.Estimate(np.array([d]), np.array([v]), np.array([1000.0]), np.array([1000.0]))
    assert watch(estimate, tau=tau).p[0] == pytest.approx(min(1, norm.pdf(d, 0, v**0.5) / mixed), rel=1e-6)


def test_interval_holds_what_is_not_rejected():
    """Moved to the end of its interval, the estimate has p = α."""
    estimate = rates([300], [1000], [330], [1000])
    found = watch(estimate, n_best=2000)
    moved = sequential.Estimate(estimate.value - found.low, estimate.variance, estimate.n0, estimate.n1)
    assert watch(moved, n_best=2000).p[0] == pytest.approx(0.05, rel=1e-9)


def test_interval_is_the_published_confidence_sequence():
    """σ √(2 (nρ² + 1)/(n²ρ²) log(√(nρ² + 1)/α)), Waudby-Smith et al. (2024), with σ² = n V."""
    n, rho2 = 4000, sequential.rho2(10_000)
    found = watch(means(([2000], [1.0], [4.0]), ([2000], [1.1], [9.0])), n_best=10_000)
    sigma = np.sqrt(n * (4 / 2000 + 9 / 2000))
    half = sigma * np.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / 0.05))
    assert (found.high - found.low)[0] / 2 == pytest.approx(half, rel=1e-12)


def test_interval_is_narrowest_where_it_was_meant_to_be():
    def width(n_best):
        found = watch(means(([5000], [1.0], [4.0]), ([5000], [1.0], [4.0])), n_best=n_best)
        return (found.high - found.low)[0]

    assert width(10_000) < min(width(9000), width(11_000), width(1000), width(100_000))


def test_mixture_sprt_and_confidence_sequence_are_one_formula():
    estimate = means(([500, 900], [1.0, 1.1], [4.0, 4.0]), ([500, 900], [1.2, 1.3], [4.0, 4.0]))
    tau = np.sqrt(sequential.rho2(2000) * 1000 * 8 / 500)  # ρ² n V, the same at both looks
    one, two = watch(estimate, n_best=2000), watch(estimate, tau=tau)
    np.testing.assert_allclose(one.low, two.low)
    np.testing.assert_allclose(one.p, two.p)


@pytest.mark.parametrize(("n_tests", "n"), SLOW)
@pytest.mark.parametrize("p", [0.5, 0.1, 0.02])
def test_peeking_after_every_person_errs_in_at_most_one_test_of_twenty(n_tests, n, p):
    """The interval holds the truth at the stop at least as often as it says; for difference and lift."""
    for relative in (False, True):
        for test in (partial(watch, n_best=n, least=1), partial(watch, n_best=1000), partial(watch, tau=0.1 * p)):
            found = stopping.rehearse(test, p, p, n, n_tests=n_tests, relative=relative, seed=1)
            assert found.stopped.value <= 0.05
            assert found.covered.value == pytest.approx(1 - found.stopped.value)


@pytest.mark.parametrize(("n_tests", "n"), SLOW)
def test_the_naive_test_errs_in_more_than_one_of_five(n_tests, n):
    for p in (0.5, 0.1, 0.02):
        assert stopping.rehearse(naive, p, p, n, n_tests=n_tests, seed=1).stopped.value > 0.2
    once = stopping.rehearse(naive, 0.1, 0.1, n, every=n // 2, n_tests=4 * n_tests, seed=1)
    assert once.stopped.value == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("kind", ["normal", "exponential", "revenue"])
@pytest.mark.parametrize(("n_tests", "n"), [pytest.param(4000, 5000, marks=pytest.mark.slow), (200, 1000)])
def test_means_of_skewed_outcomes_keep_the_error_too(kind, n_tests, n):
    stopped = []
    for seed in range(n_tests // 200):
        a, b = drawn(kind, 2 * seed, (200, n)), drawn(kind, 2 * seed + 1, (200, n))
        for relative in (False, True):
            stopped.append(watch(means(running(a), running(b), relative=relative), n_best=2 * n).stop >= 0)
    assert np.mean(stopped) <= 0.05


@pytest.mark.parametrize("relative", [False, True])
def test_interval_at_the_stop_holds_a_true_difference(relative):
    found = stopping.rehearse(
        partial(watch, n_best=3000), 0.1, 0.15, 6000, every=5, n_tests=1000, relative=relative, seed=3
    )
    assert found.stopped.value > 0.9 and found.covered.value >= 0.95


def test_what_can_be_seen_is_seen():
    """At the end, a difference of `seen_by` is found with the power asked for: here without looks before."""
    n = 20_000
    found = watch(rates([400], [4000], [400], [4000]), n_best=n)
    least = float(found.seen_by(n))
    hit = stopping.rehearse(partial(watch, n_best=n), 0.1, 0.1 + least, n, every=n // 2, n_tests=4000)
    assert hit.stopped.value == pytest.approx(0.8, abs=0.04)


def test_value_of_two_rates_is_that_of_the_fixed_test_and_p_never_rises():
    x, y, n = np.array([[50, 90, 130]]), np.array([[60, 120, 140]]), np.array([1000, 2000, 3000])
    found = watch(rates(x, n, y, n), n_best=5000)
    np.testing.assert_allclose(found.value, two_rates(x, n, y, n).difference)
    assert (np.diff(found.p) <= 0).all() and found.p.shape == (1, 3)
    np.testing.assert_allclose(watch(rates(x, n, y, n, relative=True), n_best=5000).value, y / x - 1, rtol=0.01)


def test_nothing_is_said_before_enough_people_are_there():
    n = [10, 50, 200]
    found = watch(rates([0, 0, 20], n, [10, 50, 60], n), n_best=400)
    assert found.p[:2].tolist() == [1, 1] and np.isinf(found.low[:2]).all() and int(found.stop) == 2
    silent = means((n, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]), (n, [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]), relative=True)
    assert int(watch(silent, n_best=400).stop) == -1


def test_confirmation_passes_over_a_single_wrong_look():
    n, clicks = np.arange(1, 7) * 1000, np.arange(1, 7) * 100
    wrong = clicks + np.array([0, 80, 0, 0, 0, 0])
    wrong[2:] = np.maximum(wrong[2:], wrong[1])
    once, twice = (watch(rates(clicks, n, wrong, n), n_best=6000, confirm=k) for k in (1, 2))
    assert int(once.stop) == 1 and int(twice.stop) == -1
    n2 = np.array([1000, 2000, 2000])
    again = watch(rates([100, 200, 200], n2, [100, 280, 280], n2), n_best=6000, confirm=2)
    assert int(again.stop) == -1  # the last look has nobody new


def test_ratio_check_of_two_arms_is_the_beta_mixture():
    """∫ Binomial likelihood dBeta(50, 50) over that at ½, by quadrature."""
    from scipy.stats import beta

    a, b = 130, 90
    mixed = integrate.quad(lambda q: np.exp(a * np.log(2 * q) + b * np.log(2 * (1 - q))) * beta.pdf(q, 50, 50), 0, 1)[0]
    assert ratio_check([[a, b]])[0] == pytest.approx(1 / mixed, rel=1e-6)


@pytest.mark.parametrize(("n_tests", "n"), SLOW)
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.9), (0.2, 0.3, 0.5)])
def test_ratio_check_after_every_person_errs_in_at_most_one_of_twenty(n_tests, n, shares):
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(n_tests // 100):
        arm = rng.choice(len(shares), p=shares, size=(100, n))
        counts = (arm[..., None] == np.arange(len(shares))).cumsum(axis=1)
        alarms += (ratio_check(counts, shares)[:, -1] < 0.05).sum()
    assert alarms / n_tests <= 0.05


def test_ratio_check_sees_a_broken_draw_and_rare_conversions():
    broken = np.random.default_rng(0).binomial(100, 0.53, (300, 100)).cumsum(axis=1)
    people = np.arange(1, 101) * 100
    assert (ratio_check(np.stack([broken, people - broken], axis=-1))[:, -1] < 0.05).mean() > 0.95
    sales = np.random.default_rng(1).binomial(1000, [[[0.001]], [[0.002]]], (2, 300, 200)).cumsum(axis=-1)
    p = ratio_check(np.moveaxis(sales, 0, -1))[:, -1]
    assert (p < 0.05).mean() > 0.95
    same = np.random.default_rng(2).binomial(1000, 0.001, (2, 1000, 200)).cumsum(axis=-1)
    assert (ratio_check(np.moveaxis(same, 0, -1))[:, -1] < 0.05).mean() <= 0.05


N = [100, 200]
ERRORS = {
    "clicks1 fall from 9 to 5 at look 2: sums are cumulative, looks in time's order": lambda: rates(
        [3, 4], N, [9, 5], N
    ),
    "n0 fall from 200 to 100 at look 2": lambda: rates([3, 4], [200, 100], [4, 5], N),
    "clicks0 is not known at 1 of 2 looks: leave those looks out": lambda: rates([3, np.nan], N, [4, 5], N),
    "clicks must not be above the people of their arm": lambda: rates([3, 400], N, [4, 5], N),
    "n0 must be counts of 0 or more": lambda: rates([3, 4], [-1, 100], [4, 5], N),
    "a variance of -2 is below 0": lambda: means((N, [1, 1], [1, -2]), (N, [1, 1], [1, 1])),
    "mean1 is not known at 1 of 2 looks": lambda: means((N, [1, 1], [1, 2]), (N, [1, np.inf], [1, 1])),
    "n_best=None, tau=None: give one of them": lambda: watch(rates([3, 4], N, [4, 5], N)),
    "n_best=100, tau=0.1: give one of them": lambda: watch(rates([3, 4], N, [4, 5], N), n_best=100, tau=0.1),
    "level=0.05 must lie between 0.5 and 1": lambda: watch(rates([3, 4], N, [4, 5], N), n_best=100, level=0.05),
    "confirm=0 looks and least=100 people must be 1 or more": lambda: watch(
        rates([3, 4], N, [4, 5], N), n_best=9, confirm=0
    ),
    "counts fall from 5 to 4 at look 2": lambda: ratio_check([[5, 5], [4, 8]]),
    "counts of shape (2,) must be (looks, arms)": lambda: ratio_check([5, 5]),
    "shares=[1.0] must be above 0, one for each of 2 arms": lambda: ratio_check([[5, 5]], [1.0]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_bad_input_is_named_in_a_sentence(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
