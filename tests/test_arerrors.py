"""Regression with autocorrelated errors: identities with the covariance written out, gaps, and honest intervals."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter
from scipy.stats import t as student
from scipy.stats import ttest_ind

from smlab.arerrors import _deviance, _recursion, regress, whiten
from smlab.checks import UsageError


def noise(n: int, phi: list[float], seed: int) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=n + 300)
    return lfilter([1.0], np.r_[1.0, -np.array(phi)], e)[300:]


def columns(n: int) -> np.ndarray:
    t = np.arange(n) / n
    return np.column_stack([np.ones(n), t, t >= 0.5]).astype(float)


def covariance(phi: np.ndarray, n: int) -> np.ndarray:
    """The autocovariances of AR(p) with ε of variance 1, from its moving-average form."""
    psi = lfilter([1.0], np.r_[1.0, -phi], np.r_[1.0, np.zeros(3000)])
    return toeplitz([psi[: len(psi) - k] @ psi[k:] for k in range(n)])


@pytest.mark.parametrize("partial", [[], [0.6], [0.5, -0.3, 0.2]])
def test_whitening_is_a_root_of_the_inverse_covariance(partial):
    at, n = np.arctanh(np.array(partial, dtype=float)), 12
    W = whiten(np.eye(n), at)
    gamma = covariance(_recursion(at)[0][-1], n)
    np.testing.assert_allclose(W @ gamma @ W.T, np.eye(n), atol=1e-9)
    np.testing.assert_allclose(np.log(_recursion(at)[1]).sum(), np.linalg.slogdet(gamma)[1], atol=1e-9)


def test_coefficients_are_those_of_generalised_least_squares():
    y, X = noise(80, [0.6], 0), columns(80)
    found = regress(y, X, order=1)
    inverse = np.linalg.inv(covariance(found.ar, 80))
    np.testing.assert_allclose(found.beta, np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y), rtol=1e-8)


def test_order_zero_is_ordinary_least_squares_with_its_t_interval():
    y, X = noise(50, [0.0], 1), columns(50)
    found = regress(y, X, order=0)
    beta, rss = np.linalg.lstsq(X, y, rcond=None)[:2]
    error = np.sqrt(rss[0] / 47 * np.linalg.inv(X.T @ X)[2, 2])
    low, high = beta[2] + student.ppf([0.025, 0.975], 47) * error
    np.testing.assert_allclose(found.estimate([0, 0, 1]), [beta[2], low, high], rtol=1e-8)
    np.testing.assert_allclose(found.p_value([0, 0, 1]), 2 * student.sf(abs(beta[2]) / error, 47), rtol=1e-6)


def test_gap_has_no_say_exactly():
    """The restricted likelihood with a column a gap is that of the rows that are left, with their covariance."""
    y, X = noise(40, [0.5], 2), columns(40)
    y[[5, 20, 21]] = np.nan
    seen = ~np.isnan(y)
    A = np.column_stack([X, np.eye(40)[:, ~seen]])

    def direct(r: float) -> float:
        V = covariance(np.array([r]), 40)[np.ix_(seen, seen)]
        inverse, Z = np.linalg.inv(V), X[seen]
        beta = np.linalg.solve(Z.T @ inverse @ Z, Z.T @ inverse @ y[seen])
        rest = y[seen] - Z @ beta
        dets = np.linalg.slogdet(V)[1] + np.linalg.slogdet(Z.T @ inverse @ Z)[1]
        return float((37 - 3) * np.log(rest @ inverse @ rest) + dets)

    ours = [_deviance(np.arctanh([r]), np.where(seen, y, 0.0), A) for r in (0.1, 0.5, 0.8)]
    theirs = [direct(r) for r in (0.1, 0.5, 0.8)]
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), atol=1e-8)


def test_jump_and_slope_are_in_the_same_place_whatever_the_unit():
    y, X = noise(100, [0.4], 3), columns(100)
    a, b = regress(y, X, order=1), regress(1000 * y, X, order=1)
    np.testing.assert_allclose(np.array(b.estimate([0, 0, 1])) / 1000, a.estimate([0, 0, 1]), rtol=1e-3)
    np.testing.assert_allclose(a.p_value([0, 0, 1]), b.p_value([0, 0, 1]), rtol=1e-2)


def test_same_run_twice_gives_the_same_numbers():
    y, X = noise(80, [0.6], 4), columns(80)
    assert regress(y, X).estimate([0, 0, 1]) == regress(y, X).estimate([0, 0, 1])


def test_orders_are_found_by_aic():
    orders = [len(regress(noise(400, [0.3, 0.4], s), columns(400), most=4).ar) for s in range(8)]
    assert min(orders) >= 2 and np.mean(orders) < 3


def test_no_effect_is_found_in_about_one_of_twenty_where_before_and_after_finds_one_in_three():
    wrong = np.zeros(2)
    for s in range(100):
        y = noise(150, [0.6], s)
        wrong += regress(y, columns(150), order=1).p_value([0, 0, 1]) < 0.05, ttest_ind(y[:75], y[75:]).pvalue < 0.05
    assert wrong[0] <= 10 and wrong[1] >= 20  # 3 standard errors above 5


@pytest.mark.slow
def test_intervals_hold_for_several_kinds_of_noise():
    """400 series each; where AR(2) has a root of .85 and there are 120 values only, a little less than 95 %."""
    for phi, n, most in (([0.0], 120, 0.08), ([0.7], 365, 0.08), ([0.5, 0.3], 120, 0.12)):
        wrong = [regress(noise(n, phi, s), columns(n)).p_value([0, 0, 1]) < 0.05 for s in range(400)]
        assert 0.02 < np.mean(wrong) < most


@pytest.mark.parametrize(
    ("y", "X", "text"),
    [
        (np.ones(5), np.ones((6, 1)), "a series of shape (5,) does not fit columns of shape (6, 1)"),
        (np.r_[np.inf, np.ones(19)], np.ones((20, 1)), "the columns must hold finite numbers, the series too"),
        (np.arange(9.0), np.ones((9, 2)), "9 values cannot tell 2 columns and their errors; 10 are needed"),
        (np.arange(30.0), np.ones((30, 2)), "the columns cannot be told apart where the series has values"),
        (np.ones(30), np.ones((30, 1)), "the columns explain the series to the last digit"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(y, X, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        regress(y, X)
