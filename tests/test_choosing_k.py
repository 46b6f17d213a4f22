"""No clusters are found in a single lump of any form, planted ones are counted, and the criteria are their formulas."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from smlab.bgnbd import simulate
from smlab.checks import UsageError
from smlab.choosing_k import gap, no_clusters, planted, recovery, silhouette, stability
from smlab.kmeans import KMeans


def customers(rng: np.random.Generator, n: int) -> np.ndarray:
    """Recency, frequency and amount of one homogeneous clientele: skewed, with ties, on the scales log and IQR."""
    seen = simulate(n, [0.5, 6, 0.8, 2.5], 39, seed=int(rng.integers(1e6)))
    raw = np.column_stack([7 * (seen["T"] - seen.t_x), seen.x + 1, np.exp(rng.normal(3, 0.6, n))])
    low, middle, high = np.quantile(np.log1p(raw), [0.25, 0.5, 0.75], axis=0)
    return (np.log1p(raw) - middle) / np.where(high > low, high - low, 1)


ONE = {
    "uniform square": lambda rng: rng.uniform(size=(400, 2)),
    "uniform in five dimensions": lambda rng: rng.uniform(size=(800, 5)),
    "normal": lambda rng: rng.normal(size=(500, 3)),
    "long and slanted": lambda rng: rng.normal(size=(500, 2)) @ [[5, 4], [0, 0.5]],
    "exponential": lambda rng: rng.exponential(size=(500, 3)),
    "log-normal": lambda rng: np.exp(rng.normal(size=(500, 2))),
    "counts": lambda rng: np.log1p(rng.geometric(0.3, size=(500, 2))),
    "customers": lambda rng: customers(rng, 600),
}


@pytest.mark.parametrize("name", ONE)
def test_a_single_lump_has_no_clusters(name):
    verdict = no_clusters(ONE[name](np.random.default_rng(0)))
    assert verdict.none and verdict.k == 1, verdict.table
    assert str(verdict).startswith("no clusters")


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE)
def test_no_clusters_in_at_least_95_of_100_seeds(name):
    assert sum(no_clusters(ONE[name](np.random.default_rng(s)), seed=s).none for s in range(1000, 1100)) >= 95


SETTINGS = [(300, 3, 2), (500, 4, 3), (500, 5, 2), (600, 6, 5), (1000, 3, 10)]


@pytest.mark.parametrize(("n", "k", "d"), SETTINGS)
def test_planted_clusters_are_counted(n, k, d):
    verdict = no_clusters(planted(n, k=k, d=d)[0])
    assert verdict.k == k and not verdict.none, verdict.table
    assert str(verdict).startswith(f"{k} clusters, with a valley ")


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "d"), SETTINGS)
def test_right_number_in_at_least_95_of_100_seeds(n, k, d):
    assert sum(no_clusters(planted(n, k=k, d=d, seed=s)[0], seed=s).k == k for s in range(1000, 1100)) >= 95


def test_clusters_of_unlike_size_and_spread_are_counted():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(0, 1, (700, 2)), rng.normal([9, 0], 2, (200, 2)), rng.normal([0, 7], 0.5, (60, 2))]
    assert no_clusters(x).k == 3


def test_recovery_falls_as_clusters_overlap():
    table = recovery([2, 4, 8], k=3, n=300, n_seeds=2)
    assert table["rand"].is_monotonic_increasing and table["right"].is_monotonic_increasing
    assert table.loc[8, ["rand", "right", "none"]].tolist() == [1.0, 1.0, 0.0]
    assert table.loc[2, "none"] == 1.0  # two normal distributions at 2 spreads have one peak between them


def test_same_seed_same_verdict_and_order_of_ks_does_not_matter():
    x = planted(300, k=3, separation=4)[0]
    first, again = no_clusters(x, [2, 3, 4]), no_clusters(x, [4, 3, 2])
    assert first.table.equals(again.table)


def test_constant_column_few_points_and_equal_points_are_no_clusters():
    rng = np.random.default_rng(0)
    assert no_clusters(np.column_stack([rng.uniform(size=300), np.ones(300)])).none
    assert no_clusters([[1.0], [9.0], [2.0]]).none
    assert no_clusters(np.ones((100, 2))).none


# Silhouette, gap, stability


def test_silhouette_is_scikit_learns_and_leaves_noise_out():
    x, z = planted(300, k=3, separation=4)
    assert silhouette(x, z).value == pytest.approx(silhouette_score(x, z))
    noisy = np.r_[x, [[99, 99]]], np.r_[z, -1]
    assert silhouette(*noisy).value == pytest.approx(silhouette_score(x, z))


def test_silhouette_of_a_sample_is_near_that_of_all():
    x, z = planted(3000, k=3, separation=4)
    whole, part = silhouette(x, z, sample=3000), silhouette(x, z, sample=700)
    assert part.low < whole.value < part.high and whole.high - whole.low < part.high - part.low


def test_gap_is_its_formula():
    """Reference drawn once more by hand: mean and spread of log W* over uniform boxes, by the same k-means."""
    x = planted(400, k=3, separation=8, seed=1)[0]
    table = gap(x, range(1, 6), n_refs=30)
    assert table.index[table.chosen].tolist() == [3]
    assert table.loc[3, "loss"] == pytest.approx(KMeans(k=3).fit(x).loss_)
    centred = x - x.mean(axis=0)
    along = centred @ np.linalg.eigh(np.cov(centred.T))[1]
    rng = np.random.default_rng(7)
    logs = [
        np.log(((r - r.mean(0)) ** 2).sum())
        for r in (rng.uniform(along.min(0), along.max(0), x.shape) for _ in range(300))
    ]
    assert table.loc[1, "gap"] == pytest.approx(
        np.mean(logs) - np.log((centred**2).sum()), abs=4 * np.std(logs) / np.sqrt(30)
    )
    assert table.loc[1, "s"] == pytest.approx(np.std(logs) * np.sqrt(1 + 1 / 30), rel=0.4)


def test_gap_says_one_for_its_own_reference():
    rng = np.random.default_rng(2)
    chosen = [gap(rng.uniform(size=(300, 2)), range(1, 5), n_refs=10, seed=s)["chosen"].idxmax() for s in range(5)]
    normal = [
        gap(rng.normal(size=(300, 2)), range(1, 5), reference="normal", n_refs=10)["chosen"].idxmax() for _ in range(5)
    ]
    assert chosen.count(1) >= 4 and normal.count(1) >= 4


def test_planted_clusters_are_stable_and_cuts_through_noise_are_not():
    x, _ = planted(400, k=3, separation=8)
    found = stability(x, 3, n_boot=10)
    assert found.rand.value == pytest.approx(1) and (found.jaccard > 0.99).all()
    shaky = stability(np.random.default_rng(0).normal(size=(400, 2)), 5, n_boot=10)
    assert shaky.rand.high < 0.95 and shaky.rand.low < shaky.rand.value < shaky.rand.high
    assert stability(x, 5, n_boot=10).jaccard.min() < 0.75  # a planted one is cut, each time elsewhere


def test_few_points_are_no_error_but_not_stable():
    """A bootstrap sample of six points rarely has five different ones; then nothing is found again."""
    x = np.random.default_rng(0).normal(size=(6, 2))
    found = stability(x, 5, n_boot=10)
    assert found.rand.low <= 0 and found.jaccard.shape == (5,)
    assert stability(x, 2, n_boot=10).rand.value > found.rand.value


X = np.random.default_rng(0).normal(size=(30, 2))
ERRORS = {
    "ks=[1, 2] must be numbers of clusters, 2 or more": lambda: no_clusters(X, [2, 1]),
    "ks=[] must be": lambda: gap(X, []),
    "level=2 must lie between 0 and 1": lambda: no_clusters(X, level=2),
    "reference='boxes': did you mean 'box'?": lambda: gap(X, reference="boxes"),
    "n_refs=1: a spread needs 2": lambda: gap(X, n_refs=1),
    "n_boot=1: an interval needs 2": lambda: stability(X, 2, n_boot=1),
    "labels have shape (3,); needed is one for each of 30": lambda: silhouette(X, [0, 1, 2]),
    "needs 2 clusters or more, and more points; these are 1": lambda: silhouette(X, np.zeros(30, dtype=int)),
    "row 0, column 0 holds nan": lambda: no_clusters([[np.nan]]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
