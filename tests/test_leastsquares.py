"""The batched systems against loops, and their draws against the normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from smlab.leastsquares import design, expected, grams, less_bias, solve


def rows(seed: int = 0, n: int = 12, m: int = 9) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    return sparse.csr_array(rng.integers(1, 6, (n, m)) * (rng.random((n, m)) < 0.4) * 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_grams_are_the_sums_over_a_loop_whatever_the_values(seed):
    X, V = rows(seed), np.random.default_rng(seed).normal(size=(9, 4))
    A = grams(X, V)
    for n in range(12):
        known = X[[n]].indices
        np.testing.assert_allclose(A[n], V[known].T @ V[known], atol=1e-12)


def test_solutions_are_the_ridge_regressions_of_each_row():
    X, V = rows(), np.random.default_rng(0).normal(size=(9, 3))
    a = solve(grams(X, V) + 2 * np.eye(3), X @ V)
    for n in range(12):
        known = X[[n]].indices
        v, r = V[known], X[[n]].data
        np.testing.assert_allclose(a[n], np.linalg.solve(v.T @ v + 2 * np.eye(3), v.T @ r), atol=1e-12)


def test_draws_have_the_mean_and_covariance_of_the_posterior():
    A = np.array([[4.0, 1.5], [1.5, 2.0]])
    n = 200_000
    z = np.random.default_rng(0).normal(size=(n, 2))
    a = solve(np.broadcast_to(A, (n, 2, 2)), np.broadcast_to([1.0, -2.0], (n, 2)), z)
    np.testing.assert_allclose(a.mean(axis=0), np.linalg.solve(A, [1, -2]), atol=0.01)
    np.testing.assert_allclose(np.cov(a.T), np.linalg.inv(A), atol=0.01)


def test_what_is_left_plus_the_biases_is_the_rating():
    X = rows()
    rng = np.random.default_rng(1)
    U, V = rng.normal(size=(12, 3)), rng.normal(size=(9, 3))
    T = less_bias(X, 3.0, V)
    assert T.nnz == X.nnz
    u, i = X.nonzero()
    np.testing.assert_allclose(T.data + 3.0 + V[i, -1], X.data)
    fit = 3.0 + V[i, -1] + np.einsum("nf,nf->n", U[u], design(V)[i])  # own bias beside the regressor 1
    np.testing.assert_allclose(expected(3.0, U[u], V[i]), fit)
