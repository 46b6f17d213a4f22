"""Thin data are drawn to the others and thick ones stay; planted α and β are found; intervals cover."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta as beta_law
from scipy.stats import betabinom, binom

from smlab.checks import UsageError
from smlab.pooling import add_up, dispersion, log_likelihood, moments, pool, pool_by


def ads(n: int, alpha: float, beta: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return clicks, impressions and true rates of n ads."""
    rng = np.random.default_rng(seed)
    rate = rng.beta(alpha, beta, n)
    shown = rng.integers(20, 3000, n)
    return rng.binomial(shown, rate), shown, rate


def test_rate_is_the_weighted_mean_of_the_ads_own_and_the_common():
    k, n, _ = ads(50, 4, 96, seed=1)
    found = pool(k, n)
    np.testing.assert_allclose(found.rate, (1 - found.weight) * k / n + found.weight * found.mean, rtol=1e-9)
    np.testing.assert_allclose(found.weight, (found.alpha + found.beta) / (found.alpha + found.beta + n))
    law = beta_law(found.alpha + k, found.beta + n - k)
    np.testing.assert_allclose(found.rate, law.mean(), rtol=1e-9)
    np.testing.assert_allclose(found.low, law.ppf(0.025), rtol=1e-6)
    np.testing.assert_allclose(found.high, law.ppf(0.975), rtol=1e-6)


def test_seldom_shown_ads_move_more():
    k, n = np.array([1, 10, 100, 30, 60]), np.array([10, 100, 1000, 1000, 1000])
    found = pool(k, n)
    moved = np.abs(found.rate - found.raw)[:3]
    assert moved[0] > moved[1] > moved[2] and (np.diff(found.high[:3] - found.low[:3]) < 0).all()
    assert ((found.rate - found.raw) * (found.mean - found.raw) >= 0).all()  # towards the mean, all of them


def test_ad_without_impressions_gets_the_common_distribution():
    found = pool([3, 8, 20, 0], [100, 110, 200, 0])
    assert found.rate[3] == pytest.approx(found.mean) and np.isnan(found.raw[3]) and found.weight[3] == 1
    assert found.low[3] == pytest.approx(beta_law.ppf(0.025, found.alpha, found.beta))


def test_likelihood_is_that_of_scipy_without_the_coefficients():
    k, n, _ = ads(30, 3, 50, seed=2)
    same = betabinom.logpmf(k, n, 3, 50) - betabinom.logpmf(k, n, 1, 1)
    found = log_likelihood(3, 50, k, n) - log_likelihood(1, 1, k, n)
    assert found == pytest.approx(same.sum())


@pytest.mark.parametrize("seed", range(4))
def test_no_other_alpha_and_beta_are_more_likely(seed):
    k, n, _ = ads(80, 5, 120, seed)
    found = pool(k, n)
    best = log_likelihood(found.alpha, found.beta, k, n)
    for a in (0.7, 0.9, 0.99, 1.01, 1.1, 1.4):
        for b in (0.7, 0.9, 0.99, 1.0, 1.01, 1.1, 1.4):
            assert log_likelihood(found.alpha * a, found.beta * b, k, n) <= best + 1e-6


@pytest.mark.parametrize("method", ["ml", "moments"])
@pytest.mark.parametrize(("alpha", "beta"), [(4.0, 96.0), (20.0, 180.0), (0.8, 40.0)])
def test_planted_alpha_and_beta_are_found(method, alpha, beta):
    found = [pool(*ads(600, alpha, beta, seed)[:2], method=method) for seed in range(6)]
    assert np.mean([f.mean for f in found]) == pytest.approx(alpha / (alpha + beta), rel=0.05)
    assert np.exp(np.mean([np.log(f.alpha + f.beta) for f in found])) == pytest.approx(alpha + beta, rel=0.12)


def test_intervals_cover_at_the_nominal_rate_and_pooling_errs_less_than_raw_rates():
    inside, better = [], []
    for seed in range(60):
        k, n, rate = ads(100, 4, 96, seed)
        found = pool(k, n)
        inside.append((found.low <= rate) & (rate <= found.high))
        better.append(((found.rate - rate) ** 2).mean() / ((found.raw - rate) ** 2).mean())
    assert 0.94 < np.mean(inside) < 0.96
    assert np.mean(better) < 0.8 and np.mean(np.array(better) < 1) > 0.9


def test_ads_of_one_rate_are_pooled_wholly():
    """Counts that vary less than chance: the raw rates are noise, all ads get the same."""
    found = pool([50, 50, 50, 50], [1000] * 4)
    assert found.alpha + found.beta > 1e5 and found.rate == pytest.approx([0.05] * 4, abs=1e-4)
    assert moments([50, 50, 50], [1000] * 3)[1] > 1e8
    rng = np.random.default_rng(0)
    k = rng.binomial(2000, 0.05, 300)
    assert np.ptp(pool(k, np.full(300, 2000)).rate) < 0.3 * np.ptp(k / 2000)


def test_rates_that_differ_in_full_are_hardly_pooled():
    found = pool([1, 500, 990], [1000, 1000, 1000])
    np.testing.assert_allclose(found.rate, found.raw, atol=0.01)


def test_level_widens_the_interval_and_order_of_ads_changes_nothing():
    k, n, _ = ads(40, 4, 96, seed=3)
    wide, narrow = pool(k, n, level=0.99), pool(k, n, level=0.5)
    assert (wide.low < narrow.low).all() and (wide.high > narrow.high).all() and (wide.rate == narrow.rate).all()
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(pool(k[order], n[order]).rate, pool(k, n).rate[order], rtol=1e-5)


def test_posterior_of_one_known_prior_is_that_of_the_book():
    """With α and β known, k of n gives Beta(α + k, β + n - k): Gelman et al. (2013), section 2.4, by integration."""
    grid = np.linspace(0.0005, 0.9995, 2000)
    weight = beta_law.pdf(grid, 3, 40) * binom.pmf(5, 60, grid)
    assert (grid * weight).sum() / weight.sum() == pytest.approx((3 + 5) / (3 + 40 + 60), rel=1e-4)


def test_groups_are_added_up_before_they_are_pooled():
    frame = pd.DataFrame({"age": ["a", "a", "b", "c"], "sex": ["F", "M", "F", "F"]})
    frame = frame.assign(impressions=[100, 300, 2000, 50], clicks=[2, 10, 30, 4])
    table = pool_by(frame, ["age"])
    assert table["age"].tolist() == ["b", "a", "c"] and table["impressions"].tolist() == [2000, 400, 50]
    assert table.columns.tolist() == ["age", "impressions", "clicks", "raw", "rate", "low", "high"]
    np.testing.assert_allclose(table["rate"], pool(table["clicks"], table["impressions"]).rate)
    assert len(pool_by(frame, ["age", "sex"])) == 4


def test_a_log_and_its_sums_say_the_same():
    log = pd.DataFrame({"age": ["a", "b", "a", "a"], "click": [1, 0, 0, 1]})
    sums = add_up(log, ["age"])
    assert sums.to_dict("list") == {"age": ["a", "b"], "impressions": [3, 1], "clicks": [2, 0]}
    report = sums.assign(spend=[2.0, 1.0])
    pd.testing.assert_frame_equal(add_up(report, ["age"]), report)


def test_towards_one_mean_for_all_is_plain_pooling():
    k, n, _ = ads(60, 4, 96, seed=5)
    plain = pool(k, n)
    same = pool(k, n, towards=np.full(60, plain.mean))
    np.testing.assert_allclose(same.rate, plain.rate, rtol=1e-3)


def test_towards_what_is_known_beats_towards_the_common_mean():
    rng = np.random.default_rng(0)
    expected = rng.uniform(0.01, 0.2, 300)
    truth = rng.beta(200 * expected, 200 * (1 - expected))
    n = np.full(300, 50)
    k = rng.binomial(n, truth)
    known, unknown = pool(k, n, towards=expected), pool(k, n)
    assert ((known.rate - truth) ** 2).mean() < 0.5 * ((unknown.rate - truth) ** 2).mean()
    assert 100 < np.ravel(known.alpha + known.beta)[0] < 400
    inside = (known.low <= truth) & (truth <= known.high)
    assert 0.90 < inside.mean() < 0.99


def test_draws_have_the_mean_and_the_ends_of_the_posterior():
    pooled = pool([1, 40, 30, 55], [10, 1000, 1000, 1000])
    drawn = pooled.draw(20_000, seed=1)
    np.testing.assert_allclose(drawn.mean(axis=0), pooled.rate, rtol=0.01)
    np.testing.assert_allclose(np.quantile(drawn, 0.975, axis=0), pooled.high, rtol=0.03)


def test_dispersion_is_one_for_a_binomial_and_grows_with_what_is_shared():
    rng = np.random.default_rng(0)
    n, p = np.full(4000, 200), np.full(4000, 0.05)
    assert dispersion(rng.binomial(n, p), n, p, 1) == pytest.approx(1, abs=0.08)
    # beta-binomial: φ = 1 + (n - 1) / (α + β + 1)
    mixed = rng.binomial(n, rng.beta(5, 95, 4000))
    assert dispersion(mixed, n, p, 1) == pytest.approx(1 + 199 / 101, rel=0.1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: pool([1, 3], [10, 20], towards=[0.1]), "towards of shape (1,) must be a rate between 0 and 1"),
        (lambda: pool([1, 3], [10, 20], towards=[0.1, 0]), "must be a rate between 0 and 1 for each of 2 ads"),
        (lambda: dispersion([1, 3], [10, 20], [0.1, 1.0], 1), "p of shape (2,) must be a rate between 0 and 1"),
        (lambda: dispersion([1, 3], [10, 20], [0.1, 0.2], 2), "2 rows cannot show the scatter around a model of 2"),
        (lambda: add_up(pd.DataFrame({"age": [1], "click": [0]}), ["aeg"]), "needs the column 'aeg'; did you mean"),
        (lambda: pool([1, 3], [10, 2]), "row 1: 3 clicks of 2 impressions cannot be"),
        (lambda: pool([1], [10]), "1 clicks of 1 ads that were shown: there is nothing to pool"),
        (lambda: pool([0, 0], [10, 10]), "0 clicks of 2 ads that were shown: there is nothing to pool"),
        (lambda: pool([1, 2], [10, 10], level=95), "level=95 must lie between 0 and 1"),
        (lambda: pool([1, 2], [10, 10], method="mle"), "method='mle': "),  # type: ignore[arg-type]
        (lambda: pool_by(pd.DataFrame({"a": [1]}), ["a"]), "pooling needs the column 'impressions'; known: a"),
        (lambda: pool_by(pd.DataFrame({"impressions": [1], "clicks": [1]}), []), "no field is named"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
