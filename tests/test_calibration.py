"""Probabilities are judged as scikit-learn judges them; down-sampling is undone; a second sigmoid is seen."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sklearn.calibration
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn import metrics

from smlab.calibration import (
    auc,
    brier,
    calibration_curve,
    calibration_ratio,
    expected_calibration_error,
    log_loss,
    normalised_entropy,
    resampled,
    undo_downsampling,
    wilson,
)
from smlab.checks import UsageError


def clicks(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return clicks and the very probabilities that they were drawn with."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-2, 1, n))
    return (rng.random(n) < p).astype(int), p


@pytest.mark.parametrize("seed", range(5))
def test_log_loss_and_brier_are_those_of_scikit_learn(seed):
    y, p = clicks(500, seed)
    assert log_loss(y, p) == pytest.approx(metrics.log_loss(y, p), rel=1e-12)
    assert brier(y, p) == pytest.approx(metrics.brier_score_loss(y, p), rel=1e-12)
    single = p.astype(np.float32)
    assert log_loss(y, single) == pytest.approx(metrics.log_loss(y, single), rel=1e-6)


def test_certain_and_wrong_costs_much_but_not_infinitely_much():
    assert log_loss([1, 0], [1, 0]) == pytest.approx(0, abs=1e-15)
    assert (
        log_loss([1], [0]) == pytest.approx(metrics.log_loss([1], [0.0], labels=[0, 1])) == pytest.approx(36.04, 1e-3)
    )
    assert 15 < log_loss([0], np.array([1], np.float32)) < 17


def test_cross_entropy_covers_both_terms_with_minus_and_mean():
    """The printed `-(1/N) Σ y log p + (1-y) log(1-p)` gives 0.5 (0.2231) - 0.5108 here, which is negative."""
    right = -(np.log(0.8) + np.log(0.6)) / 2
    assert log_loss([1, 0], [0.8, 0.4]) == pytest.approx(right) == pytest.approx(0.3670, abs=5e-5)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 5, 15])
def test_curve_is_that_of_scikit_learn(strategy, n_bins):
    for seed in range(4):
        y, p = clicks(700, seed)
        p = p.round(2) if seed % 2 else p
        curve = calibration_curve(y, p, n_bins, strategy)
        observed, predicted = sklearn.calibration.calibration_curve(y, p, n_bins=n_bins, strategy=strategy)
        np.testing.assert_allclose(curve.observed, observed, rtol=1e-12)
        np.testing.assert_allclose(curve.predicted, predicted, rtol=1e-12)
        assert curve.rows.sum() == 700 and (curve.rows > 0).all()
        assert (curve.low <= curve.observed).all() and (curve.observed <= curve.high).all()


def test_wilson_is_that_of_scipy_and_knows_the_ends():
    for k, n in [(0, 10), (1, 10), (10, 10), (38, 10_000), (5, 7)]:
        expected = binomtest(k, n).proportion_ci(0.9, "wilson")
        assert np.array(wilson(k, n, level=0.9)) == pytest.approx((expected.low, expected.high), abs=1e-12)
    low, high = wilson([0, 0], [0, 5])
    assert (low[0], high[0], low[1]) == (0, 1, 0)


def test_error_is_small_for_the_truth_and_the_bias_for_a_biased_forecast():
    y, p = clicks(200_000, 0)
    assert expected_calibration_error(y, p) < 0.003
    assert expected_calibration_error(y, p + 0.05) == pytest.approx(0.05, abs=0.002)
    assert calibration_ratio(y, p) == pytest.approx(1, abs=0.02)
    assert calibration_ratio(y, p / 2) == pytest.approx(calibration_ratio(y, p) / 2)
    constant = np.full(len(y), y.mean())
    assert expected_calibration_error(y, constant) == pytest.approx(0, abs=1e-12)
    assert normalised_entropy(y, constant) == pytest.approx(1) and normalised_entropy(y, p) < 0.95


def test_chance_makes_the_error_of_a_perfect_forecast_as_large_as_the_docstring_says():
    p, found = np.repeat([0.1, 0.3, 0.5, 0.8], 250), []
    for seed in range(200):
        y = np.random.default_rng(seed).random(1000) < p
        found.append(expected_calibration_error(y, p, 10, "uniform"))
    q = np.array([0.1, 0.3, 0.5, 0.8])
    assert np.mean(found) == pytest.approx(np.sqrt(2 * 250 * q * (1 - q) / np.pi).sum() / 1000, rel=0.08)


@pytest.mark.parametrize("measure", [log_loss, brier])
def test_no_forecast_beats_the_true_probability_in_expectation(measure):
    """Proper scores: over y ~ Bernoulli(q), the expected score is least at p = q."""
    for q in (0.02, 0.3, 0.7):
        grid = np.linspace(0.01, 0.99, 99)
        expected = [q * measure([1], [p]) + (1 - q) * measure([0], [p]) for p in grid]
        assert grid[int(np.argmin(expected))] == pytest.approx(q)


def test_second_sigmoid_keeps_the_order_and_ruins_the_probabilities():
    """Correction 4 of the articles: σ of a probability lies in (0.5, 0.731)."""
    y, p = clicks(20_000, 3)
    twice = expit(p)
    assert auc(y, twice) == auc(y, p)
    assert twice.min() > 0.5 and twice.max() < 0.7311
    assert log_loss(y, twice) > 1.9 * log_loss(y, p) and expected_calibration_error(y, twice) > 0.3


def test_downsampling_is_undone_on_simulated_clicks():
    """He et al. (2014), section 6.3: from a 10 % CTR a rate of 0.1 makes about 50 %; the formula brings it back."""
    rng = np.random.default_rng(1)
    y, p = clicks(400_000, 1)
    kept = (y == 1) | (rng.random(len(y)) < 0.1)
    skewed = p[kept] / (p[kept] + (1 - p[kept]) * 0.1)  # the true probability among the kept rows
    assert calibration_ratio(y[kept], skewed) == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(undo_downsampling(skewed, 0.1), p[kept], rtol=1e-9)
    np.testing.assert_allclose(logit(undo_downsampling(skewed, 0.1)), logit(skewed) + np.log(0.1), rtol=1e-9)


def test_downsampling_keeps_ends_order_and_shape():
    p = np.array([[0.0, 0.2], [0.5, 1.0]])
    back = undo_downsampling(p, 0.25)
    assert back.shape == p.shape and back[0, 0] == 0 and back[1, 1] == 1 and (np.diff(back.ravel()) > 0).all()
    np.testing.assert_allclose(undo_downsampling(p, 1), p)


def test_resampled_interval_agrees_with_theory_and_groups_widen_it():
    y, p = clicks(3000, 2)
    found = resampled(brier, y, p, n=400)
    half = 1.96 * np.std((p - y) ** 2) / np.sqrt(3000)
    assert found.value == brier(y, p) and (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
    assert resampled(brier, y, p, n=50, seed=1) == resampled(brier, y, p, n=50, seed=1)
    user = np.repeat(np.arange(300), 10)
    alike = np.repeat(y[::10], 10), np.repeat(p[::10], 10)  # ten equal rows of each user
    rows, users = resampled(brier, *alike, n=300), resampled(brier, *alike, groups=user, n=300)
    assert (users.high - users.low) / (rows.high - rows.low) == pytest.approx(np.sqrt(10), rel=0.25)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: log_loss([0, 1], [0.2, 3.0]), "row 1: 3.0 is no probability from 0 to 1 (has it met a sigmoid?)"),
        (lambda: brier([0, 1], [-0.1, 0.3]), "row 0: -0.1 is no probability"),
        (lambda: log_loss([0, 1], [0.2, np.nan]), "row 1: prediction nan is not finite"),
        (lambda: calibration_curve([0, 1], [0.2, 0.3], 0), "n_bins=0"),
        (lambda: calibration_curve([0, 1], [0.2, 0.3], 2, "quantiles"), "did you mean 'quantile'?"),  # type: ignore[arg-type]
        (lambda: calibration_ratio([0, 0], [0.2, 0.3]), "none of 2 rows has one"),
        (lambda: normalised_entropy([0, 0], [0.2, 0.3]), "0 clicks and 2 others"),
        (lambda: undo_downsampling([0.2], 0), "rate=0 must be above 0 and at most 1"),
        (lambda: undo_downsampling([1.2], 0.5), "row 0: 1.2 is no probability"),
        (lambda: resampled(brier, [0, 1], [0.2, 0.3], level=2), "level=2 must lie between 0 and 1"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
