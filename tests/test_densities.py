"""Clusters that are not round are found, noise is -1, and numbers do not depend on the seed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from smlab.checks import UsageError
from smlab.choosing_k import planted
from smlab.densities import dbscan, hdbscan, k_distances, knee, mixture

METHODS = {"dbscan": dbscan, "hdbscan": hdbscan, "mixture": mixture}


@pytest.mark.parametrize("name", METHODS)
def test_contract(name):
    x, truth = planted(400, k=3, separation=12, seed=1)
    before = x.copy()
    found = METHODS[name](x)
    np.testing.assert_array_equal(x, before)
    kept = found.labels >= 0
    assert found.k == 3 and adjusted_rand_score(truth[kept], found.labels[kept]) > 0.99 and found.noise < 0.1
    assert (np.diff(np.bincount(found.labels[kept])) <= 0).all()
    assert ((found.sure >= 0) & (found.sure <= 1)).all() and (found.sure[~kept] == 0).all()
    for j in range(3):
        np.testing.assert_allclose(found.centres[j], x[found.labels == j].mean(axis=0))


@pytest.mark.parametrize("method", [dbscan, hdbscan])
def test_moons_are_told_apart_where_k_means_cannot(method):
    x, truth = make_moons(600, noise=0.05, random_state=0)
    found = method(x)
    kept = found.labels >= 0
    assert found.k == 2 and adjusted_rand_score(truth[kept], found.labels[kept]) > 0.99


@pytest.mark.parametrize("method", [dbscan, hdbscan])
def test_far_points_are_noise(method):
    x, _ = planted(300, k=3, separation=12)
    assert method(np.r_[x, [[500, 500], [-500, 300]]]).labels[-2:].tolist() == [-1, -1]


def test_numbers_do_not_depend_on_the_seed():
    x, _ = planted(400, k=4, separation=10, d=3)
    for seed in (1, 2, 3):
        np.testing.assert_array_equal(mixture(x, seed=seed).labels, mixture(x, seed=0).labels)


def test_bic_says_one_for_one_normal_distribution_and_is_its_formula():
    x = np.random.default_rng(0).normal(size=(500, 2)) @ [[2, 1], [0, 1]]
    found = mixture(x, range(1, 4))
    assert found.k == 1 and found.choice is not None
    S = np.cov(x.T, bias=True)
    twice = -len(x) * (2 * np.log(2 * np.pi) + np.log(np.linalg.det(S)) + 2)  # 2 log L at its maximum
    assert found.choice.loc[1, "bic"] == pytest.approx(-twice + 5 * np.log(len(x)), rel=1e-4)


def test_distances_are_those_of_brute_force():
    x = np.random.default_rng(0).normal(size=(50, 2))
    direct = np.sort(np.linalg.norm(x[:, None] - x, axis=2), axis=1)[:, 3]  # itself is the first of four
    np.testing.assert_allclose(k_distances(x, 4)["distance"], np.sort(direct))
    assert knee(np.r_[np.ones(90), np.linspace(1, 10, 10)]) == 1


ERRORS = {
    "min_samples=9 must lie between 2 and the number of points, 3": lambda: dbscan(np.eye(3), min_samples=9),
    "eps=0: most points lie on each other": lambda: dbscan(np.ones((50, 2))),
    "min_cluster_size=9 must lie between 2": lambda: hdbscan(np.eye(3), min_cluster_size=9),
    "a mixture needs numbers of clusters up to half of 3 points": lambda: mixture(np.eye(3), [2]),
    "the points must be numbers": lambda: dbscan([["a"]]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
