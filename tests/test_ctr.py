"""Logistic regression: its derivation checked line by line, other people's numbers, and data it has to refuse."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression as Sklearn

from smlab.checks import UsageError
from smlab.ctr import LogisticRegression, log_sigmoid, sigmoid

THETA = np.array([-1.0, 0.5, -1.0, 0.0, 2.0, 0.3])


def clicks(n: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Five normal columns and clicks drawn from σ(Xθ) with the known THETA."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    return X, (rng.random(n) < sigmoid(THETA[0] + X @ THETA[1:])).astype(int)


def with_ones(X: np.ndarray) -> np.ndarray:
    return np.hstack([np.ones((len(X), 1)), X])


# The sigmoid


def test_worked_example_with_its_right_sign_and_sum():
    """z = 1 + 0.1·20 + 0.2·1 is 3.2 and p 0.961, not e^-2 and 0.745; z = 2 would give 0.881 (corrections 2, 12)."""
    assert sigmoid(1 + 0.1 * 20 + 0.2 * 1) == pytest.approx(0.961, abs=5e-4)
    assert sigmoid(2) == pytest.approx(0.881, abs=5e-4)
    w, b, x = 0.7, 0.4, 2.0
    assert sigmoid(w * x + b) != pytest.approx(1 / (1 + np.exp(-w * x + b)))  # the bias with the wrong sign


@given(st.floats(-1e5, 1e5))
def test_sigmoid_is_safe_and_symmetric(z):
    p, q = sigmoid(z), sigmoid(-z)
    assert 0 <= p <= 1 and p + q == pytest.approx(1)
    assert log_sigmoid(z) == pytest.approx(torch.nn.functional.logsigmoid(torch.tensor(z, dtype=torch.float64)).item())
    assert log_sigmoid(z) - log_sigmoid(-z) == pytest.approx(z, rel=1e-9, abs=1e-9)


def test_small_probabilities_keep_their_digits():
    assert sigmoid(-700) == pytest.approx(np.exp(-700), rel=1e-9)
    assert log_sigmoid(700) == pytest.approx(-np.exp(-700), rel=1e-9)


# The derivation


@pytest.mark.parametrize("reg", [0.0, 0.3])
def test_gradient_and_hessian_are_the_derivatives_of_the_loss(reg):
    X, y = clicks(50)
    A, n, model = with_ones(X), np.ones(50), LogisticRegression(reg=reg)
    theta = np.random.default_rng(1).normal(size=6)
    h = 1e-6 * np.eye(6)
    numeric = [(model._loss(A, y, n, theta + d) - model._loss(A, y, n, theta - d)) / 2e-6 for d in h]
    np.testing.assert_allclose(model._gradient(A, y, n, theta), numeric, atol=1e-8)
    numeric = [(model._gradient(A, y, n, theta + d) - model._gradient(A, y, n, theta - d)) / 2e-6 for d in h]
    np.testing.assert_allclose(model._hessian(A, n, theta), numeric, atol=1e-8)


def test_gradient_is_that_of_autograd():
    X, y = clicks(50)
    theta = torch.linspace(-1, 1, 6, dtype=torch.float64, requires_grad=True)
    z = torch.from_numpy(with_ones(X)) @ theta
    torch.nn.functional.binary_cross_entropy_with_logits(z, torch.from_numpy(y).double()).backward()
    ours = LogisticRegression()._gradient(with_ones(X), y, np.ones(50), theta.detach().numpy())
    np.testing.assert_allclose(ours, theta.grad.numpy(), atol=1e-12)


def test_cross_entropy_takes_minus_and_mean_of_both_terms():
    """Correction 1: -(1/N) Σ y log p + (1-y) log(1-p), read as printed, has no minimum where it should."""
    p, y = np.array([0.9, 0.2]), np.array([1, 0])
    z = np.log(p / (1 - p))
    right = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert LogisticRegression()._loss(z[:, None], y, np.ones(2), np.ones(1)) == pytest.approx(right)
    printed = -np.sum(y * np.log(p)) / 2 + np.sum((1 - y) * np.log(1 - p))
    assert printed != pytest.approx(right)


@pytest.mark.parametrize("method", ["newton", "gradient-descent"])
@pytest.mark.parametrize("reg", [0.0, 0.01])
def test_fit_ends_where_the_gradient_vanishes_and_no_step_goes_up(method, reg):
    X, y = clicks()
    model = LogisticRegression(reg=reg, method=method).fit(X, y)
    assert model.converged_ and (np.diff(model.losses_) <= 0).all()
    assert np.abs(model._gradient(with_ones(X), y, np.ones(2000), model.theta_)).max() < 1e-9
    assert len(model.losses_) < (12 if method == "newton" else 1000)


def test_intercept_alone_makes_the_mean_probability_the_rate():
    X, y = clicks()
    for reg in (0, 0.5):
        assert LogisticRegression(reg=reg).fit(X, y).predict_proba(X).mean() == pytest.approx(y.mean())


# Other people's numbers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reg", [0.0, 1e-3, 0.1])
def test_newton_equals_scikit_learn(seed, reg):
    X, y = clicks(seed=seed)
    peer = Sklearn(C=1 / (reg * len(y)) if reg else np.inf, tol=1e-10, solver="newton-cholesky").fit(X, y)
    ours = LogisticRegression(reg=reg).fit(X, y)
    np.testing.assert_allclose(ours.theta_, np.r_[peer.intercept_, peer.coef_[0]], atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X)[:, 1], atol=1e-6)


def test_two_by_two_table_gives_the_textbook_odds_ratio_and_woolf_interval():
    """log OR = log(ad/bc) with error √(1/a + 1/b + 1/c + 1/d): Woolf (1955); 40/60 against 20/80."""
    model = LogisticRegression().fit([[0], [1]], [20, 40], impressions=[100, 100])
    error = np.sqrt(1 / 40 + 1 / 60 + 1 / 20 + 1 / 80)
    ratio = model.odds_ratios().iloc[0]
    assert ratio.odds_ratio == pytest.approx(40 * 80 / (60 * 20))
    assert np.log([ratio.low, ratio.high]) == pytest.approx(np.log(8 / 3) + np.array([-1, 1]) * 1.959964 * error)
    assert model.intervals().error[1] == pytest.approx(error)


def test_coefficients_are_those_that_r_prints_for_its_own_example():
    """glm(am ~ wt, binomial, mtcars) of R: intercept 12.040 (4.510), wt -4.024 (1.436)."""
    wt = [2.62, 2.875, 2.32, 3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73, 3.78, 5.25, 5.424]
    wt += [5.345, 2.2, 1.615, 1.835, 2.465, 3.52, 3.435, 3.84, 3.845, 1.935, 2.14, 1.513, 3.17, 2.77, 3.57, 2.78]
    am = [1] * 3 + [0] * 14 + [1] * 3 + [0] * 5 + [1] * 7
    table = LogisticRegression().fit(pd.DataFrame({"wt": wt}), am).intervals()
    assert table.term.tolist() == ["intercept", "wt"]
    assert table.theta.tolist() == pytest.approx([12.040, -4.024], abs=6e-4)
    assert table.error.tolist() == pytest.approx([4.510, 1.436], abs=6e-4)


# Properties


def test_aggregated_counts_equal_one_row_for_each_impression():
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(12, 3))
    n = rng.integers(20, 60, 12)
    k = rng.binomial(n, sigmoid(groups[:, 0]))
    rows = np.repeat(groups, n, axis=0)
    y = np.concatenate([np.r_[np.ones(a), np.zeros(b - a)] for a, b in zip(k, n, strict=True)])
    for reg in (0, 0.02):
        a = LogisticRegression(reg=reg).fit(groups, k, impressions=n)
        b = LogisticRegression(reg=reg).fit(rows, y)
        np.testing.assert_allclose(a.theta_, b.theta_, atol=1e-8)
        np.testing.assert_allclose(a.covariance_, b.covariance_, atol=1e-8)


def test_sparse_dense_and_frame_give_the_same():
    X, y = clicks(300)
    X[np.abs(X) < 0.7] = 0
    dense = LogisticRegression().fit(X, y)
    other = LogisticRegression().fit(sparse.csr_matrix(X), y)
    frame = pd.DataFrame(X, columns=list("abcde"))
    named = LogisticRegression(method="gradient-descent").fit(frame, y)
    np.testing.assert_allclose(other.theta_, dense.theta_, atol=1e-9)
    np.testing.assert_allclose(named.theta_, dense.theta_, atol=1e-6)
    assert named.odds_ratios().term.tolist() == list("abcde")
    np.testing.assert_array_equal(named.predict_proba(frame[list("edcba")]), named.predict_proba(frame))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_a_column_do_not_matter(scale):
    X, y = clicks()
    units = np.array([scale, 1, 1, 1, 1])
    a, b = LogisticRegression().fit(X, y), LogisticRegression().fit(X * units, y)
    np.testing.assert_allclose(b.theta_[1:] * units, a.theta_[1:], rtol=1e-6)
    np.testing.assert_allclose(b.intervals().error[1:] * units, a.intervals().error[1:], rtol=1e-6)
    assert b.converged_


def test_fit_changes_no_input_and_returns_itself():
    X, y = clicks(100)
    before = X.copy(), y.copy()
    model = LogisticRegression()
    assert model.fit(X, y) is model
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_penalty_shrinks_and_far_starts_need_halved_steps():
    X, y = clicks()
    sizes = [np.abs(LogisticRegression(reg=r).fit(X, y).theta_[1:]).sum() for r in (0, 0.01, 0.1, 10)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.3
    rare = np.zeros(2000)
    rare[:3] = [1, 1, 1]
    skewed = np.column_stack([X[:, 0] ** 3 * 20, X[:, 1]])  # a full first step would overshoot
    model = LogisticRegression().fit(skewed, y)
    assert model.converged_ and (np.diff(model.losses_) <= 0).all()


def test_true_coefficients_lie_in_their_95_percent_intervals_at_that_rate():
    """Of 6 coefficients x 150 seeds 95 %: 855 ± 3 standard errors of a binomial, 6.5 each."""
    inside = 0
    for seed in range(150):
        table = LogisticRegression().fit(*clicks(1000, seed)).intervals()
        inside += int(((table.low < THETA) & (table.high > THETA)).sum())
    assert 835 <= inside <= 875


# Data it has to refuse

X, Y = clicks(200)
LATE = (Y == 1) & (np.arange(200) % 7 == 0)  # a column that is 1 only where there is a click
FITTED = LogisticRegression().fit(pd.DataFrame(X, columns=list("abcde")), Y)
GAP = np.where(np.arange(1000).reshape(200, 5) == 17, np.nan, X)
DUMMIES = pd.get_dummies(pd.Series(np.arange(200) % 3), prefix="ad", dtype=float)
ERRORS = {
    "column 'x5' separates clicks from the rest": lambda: LogisticRegression().fit(np.c_[X, LATE], Y),
    "column 'x0' separates clicks from the rest (200 rows are certain)": lambda: LogisticRegression().fit(
        Y[:, None] * 2.0, Y
    ),
    "column 'x1' separates clicks from the rest (": lambda: LogisticRegression(
        method="gradient-descent", max_steps=3000
    ).fit(np.c_[X[:, 0], Y], Y),
    "the columns 'x1', 'x0' together separate clicks": lambda: LogisticRegression().fit(
        X[:, :2], X[:, 0] + 1.1 * X[:, 1] > 0
    ),
    "all 200 labels are 1: there is nothing to tell apart": lambda: LogisticRegression().fit(X, np.ones(200)),
    "all 30 labels are 0": lambda: LogisticRegression().fit([[0], [1]], [0, 0], impressions=[10, 20]),
    "row 3, column 'x2': nan is not finite; fill or drop it": lambda: LogisticRegression().fit(GAP, Y),
    "row 3, column 'x2': nan is not": lambda: LogisticRegression().fit(sparse.csr_array(GAP), Y),
    "column 'x5' is constant, as the intercept is; drop it or give reg above 0": lambda: LogisticRegression().fit(
        np.c_[X, np.full(200, 3.0)], Y
    ),
    "column 'x5' is 0 in every row": lambda: LogisticRegression().fit(np.c_[X, np.zeros(200)], Y),
    "the columns 'intercept', 'ad_0', 'ad_1', 'ad_2' depend on each other; drop one": lambda: LogisticRegression().fit(
        DUMMIES, Y
    ),
    "the columns 'x0', 'x1', 'x5' depend on each other": lambda: LogisticRegression().fit(
        np.c_[X, X[:, 0] - 2 * X[:, 1]], Y
    ),
    "row 0: click 7 must be 0 or 1 (and 199 more)": lambda: LogisticRegression().fit(X, np.full(200, 7)),
    "row 1: click 5 must be a whole number from 0 to its impressions, 4": lambda: LogisticRegression().fit(
        [[0], [1]], [1, 5], impressions=[10, 4]
    ),
    "X has 200 rows; clicks of shape (2,) do not fit": lambda: LogisticRegression().fit(X, [0, 1]),
    "clicks of shape (2,) and impressions of (1,) do not fit": lambda: LogisticRegression().fit(
        [[0], [1]], [0, 1], impressions=[3]
    ),
    "X must hold numbers: encode texts": lambda: LogisticRegression().fit([["a"], ["b"]], [0, 1]),
    "X of shape (3,) must be a table": lambda: LogisticRegression().fit([1, 2, 3], [0, 1, 0]),
    "reg=-1 must be finite": lambda: LogisticRegression(reg=-1),
    "unknown method 'newtn'; did you mean 'newton'?": lambda: LogisticRegression(method="newtn"),
    "tolerance=0 must lie between": lambda: LogisticRegression(tolerance=0),
    "LogisticRegression has not been fitted": lambda: LogisticRegression().predict_proba(X),
    "X has 3 columns; the model was fitted on 5": lambda: FITTED.predict_proba(X[:, :3]),
    "the frame has no column 'e'": lambda: FITTED.predict_proba(pd.DataFrame(X[:, :4], columns=list("abcd"))),
    "level=95 must lie between 0 and 1": lambda: FITTED.intervals(95),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong_and_where(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


@pytest.mark.parametrize("column", [LATE, np.full(200, 3.0), np.zeros(200), X[:, 0]])
def test_penalty_makes_every_refused_column_harmless(column):
    assert LogisticRegression(reg=1e-3).fit(np.c_[X, column], Y).converged_


def test_nearly_separated_data_are_not_called_separated():
    """Strong but finite: θ = 12 with clicks on both sides of the middle."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (500, 1))
    y = rng.random(500) < sigmoid(12 * x[:, 0])
    assert LogisticRegression().fit(x, y).theta_[1] == pytest.approx(12, rel=0.3)


def test_too_few_steps_are_said():
    with pytest.warns(UserWarning, match="no convergence in 2 steps: scale the columns or allow more steps"):
        LogisticRegression(method="gradient-descent", max_steps=2).fit(X, Y)
