"""The prior of Bayesian MF: its links are ridge regressions, its draws have the right moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from smlab.hierarchy import Hierarchy, _Link, left_vectors, unit_rows, wishart


def features(n: int = 30, d: int = 6, seed: int = 0) -> sparse.csr_array:
    return sparse.csr_array((np.random.default_rng(seed).random((n, d)) < 0.4) * 1.0)


@pytest.mark.parametrize("shape", [(30, 6), (6, 30)])
def test_left_vectors_are_those_of_the_singular_value_decomposition(shape):
    X = features(*shape)
    L, s2 = left_vectors(X)
    assert s2 == pytest.approx(np.linalg.svd(X.toarray(), compute_uv=False)[::-1] ** 2)
    np.testing.assert_allclose(L.T @ L, np.eye(6), atol=1e-9)
    np.testing.assert_allclose((L * s2) @ L.T, (X @ X.T).toarray(), atol=1e-9)


def test_features_that_repeat_or_say_nothing_are_left_out():
    X = features().toarray()
    L, s2 = left_vectors(sparse.csr_array(np.column_stack([X, X, np.zeros(30)])))
    assert L.shape == (30, 6)
    assert s2.sum() == pytest.approx(2 * (X**2).sum())
    assert left_vectors(sparse.csr_array((5, 3)))[0].shape == (5, 0)


def test_link_is_a_ridge_regression_on_the_features_with_its_posterior_spread():
    """Mean X(XᵀX + λ)⁻¹XᵀA, covariance X(XᵀX + λ)⁻¹Xᵀ times Λ⁻¹: the same in the basis of singular vectors."""
    X, rng = features(), np.random.default_rng(0)
    A, cov = rng.normal(size=(30, 2)), np.array([[1.0, 0.6], [0.6, 2.0]])
    link = _Link(X, 2)
    draws = []
    for _ in range(20_000):
        link.reg = 3.0
        link.draw(A, np.linalg.inv(cov), np.linalg.cholesky(cov), rng)
        draws.append(link.value[[0, 7]])
    found, dense = np.array(draws), X.toarray()
    H = dense @ np.linalg.inv(dense.T @ dense + 3 * np.eye(6)) @ dense.T
    np.testing.assert_allclose(found.mean(axis=0), (H @ A)[[0, 7]], atol=0.02)
    np.testing.assert_allclose(np.cov(found[:, 0].T), H[0, 0] * cov, atol=0.03)
    np.testing.assert_allclose(np.cov(found[:, 0, 0], found[:, 1, 0])[0, 1], H[0, 7] * cov[0, 0], atol=0.02)


def test_wishart_has_its_mean_and_variance():
    """E W = νS and Var W_ij = ν(S_ij² + S_ii S_jj)."""
    S = np.array([[1.0, 0.3, 0], [0.3, 0.5, 0.1], [0, 0.1, 2.0]])
    rng = np.random.default_rng(0)
    W = np.array([wishart(7, S, rng) for _ in range(40_000)])
    np.testing.assert_allclose(W.mean(axis=0), 7 * S, atol=0.1)
    np.testing.assert_allclose(W.var(axis=0), 7 * (S**2 + np.outer(np.diag(S), np.diag(S))), rtol=0.06)


def test_hierarchy_recovers_the_planted_mean_spread_and_link():
    """A group that matters gets a small λ and explains; one of pure chance gets a large λ and explains little."""
    rng = np.random.default_rng(1)
    n, cov = 800, np.array([[0.5, 0.2], [0.2, 0.3]])
    X, noise = features(n, 8, 2), features(n, 8, 3)
    B = rng.normal(size=(8, 2))
    A = [1.0, -2.0] + X @ B + rng.multivariate_normal([0, 0], cov, n)
    prior = Hierarchy(n, 2, [X, noise])
    means, covariances = [], []
    for step in range(300):
        prior.draw(A, rng)
        if step >= 50:
            means.append(prior.mean.copy())
            covariances.append(np.linalg.inv(prior.precision))
    error = np.mean(means, axis=0) - ([1.0, -2.0] + X @ B)
    assert np.sqrt(np.mean(error**2)) < 0.1
    np.testing.assert_allclose(np.mean(covariances, axis=0), cov, atol=0.06)
    assert prior.links[1].reg > 10 * prior.links[0].reg


def test_unit_rows_have_length_one_or_stay_empty():
    X = unit_rows(sparse.csr_array([[1.0, 1, 1, 1], [0, 0, 0, 0], [0, 3, 0, 4]]))
    np.testing.assert_allclose(X.toarray(), [[0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0], [0, 0.6, 0, 0.8]])
