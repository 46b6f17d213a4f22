"""Lloyd's steps never raise the loss, ours are scikit-learn's from the same start, and the worked examples come out."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from sklearn.cluster import KMeans as Peer

from smlab.checks import UsageError
from smlab.kmeans import KMeans, assign, in_order, plus_plus, refill

TEN = np.array([[1, 1], [1, 2], [2, 1], [2, 2], [3, 3], [4, 4], [4, 5], [5, 4], [5, 5], [6, 5]], dtype=float)
AGES = np.array([[18.0], [22.0], [25.0], [45.0], [52.0]])


def lumps(n: int = 300, k: int = 3, d: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.integers(0, k, n)
    return 12 * rng.permutation(np.eye(max(k, d))[:k, :d] + np.arange(k)[:, None])[z] + rng.normal(size=(n, d)), z


# Correction 14: the objective with its assignment, and both examples


def objective(x, z, c):
    """Σ_i Σ_j z_ij |x_i - c_j|², with z as a matrix of zeros and ones."""
    Z = np.eye(len(c))[z]  # (n, k)
    assert (Z.sum(axis=1) == 1).all()
    return (Z * ((x[:, None] - c[None]) ** 2).sum(axis=2)).sum()


def test_loss_is_the_objective_with_the_assignment_written_out():
    found = KMeans(k=2, start=[[2, 2], [4, 4]]).fit(TEN)
    assert found.loss_ == pytest.approx(objective(TEN, found.labels_, found.centres_), rel=1e-12)


def test_objective_without_the_assignment_puts_all_centres_on_the_mean():
    """Σ_i Σ_j |x_i - c_j|² has the gradient 2 n (c_j - mean) for every j: no clusters."""
    mean, c = TEN.mean(axis=0), np.array([[2.0, 2], [4, 4]])
    slope = -2 * (TEN[:, None] - c[None]).sum(axis=0)
    np.testing.assert_allclose(slope, 2 * len(TEN) * (c - mean))


def test_ten_points_from_the_two_given_centres():
    """(3, 3) is equally far from (2, 2) and (4, 4) and goes to the first; nothing changes afterwards."""
    first, _ = assign(TEN, np.array([[2.0, 2], [4, 4]]))
    assert first.tolist() == [0] * 5 + [1] * 5
    found = KMeans(k=2, start=[[2, 2], [4, 4]]).fit(TEN)
    assert found.labels_.tolist() == first.tolist()
    np.testing.assert_allclose(found.centres_, [[1.8, 1.8], [4.8, 4.6]])
    assert found.loss_ == pytest.approx(5.6 + 4.0)  # 2·2.8 and 2.8 + 1.2


def test_five_users_by_age():
    """Best of all 15 ways to make two groups: 18, 22, 25 and 45, 52."""
    found = KMeans(k=2).fit(AGES)
    assert found.labels_.tolist() == [0, 0, 0, 1, 1]
    assert found.centres_.ravel().tolist() == pytest.approx([65 / 3, 48.5])
    ways = [np.array(z) for z in itertools.product([0, 1], repeat=5) if 0 < sum(z) < 5]
    losses = [objective(AGES, z, np.array([AGES[z == j].mean(axis=0) for j in (0, 1)])) for z in ways]
    assert found.loss_ == pytest.approx(min(losses))


# Lloyd


@pytest.mark.parametrize("seed", range(10))
def test_no_half_step_raises_the_loss(seed):
    x = np.random.default_rng(seed).normal(size=(400, 3)) + 1000
    history = np.array(KMeans(k=7, n_init=1, tol=0, seed=seed).fit(x).history_)
    assert len(history) > 4 and (np.diff(history) <= 1e-9 * history[0]).all()


@pytest.mark.parametrize("tol", [0, 1e-4])
@pytest.mark.parametrize(("n", "k", "d", "offset"), [(200, 3, 2, 0), (3000, 8, 5, 1000), (1000, 20, 3, 0)])
def test_from_the_same_start_it_is_scikit_learn(n, k, d, offset, tol):
    x = np.random.default_rng(n).normal(size=(n, d)) + offset
    ours = KMeans(k=k, start=x[:k], tol=tol, epochs=1000).fit(x)
    peer = Peer(k, init=x[:k], n_init=1, tol=tol, max_iter=1000, algorithm="lloyd").fit(x)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    np.testing.assert_allclose(ours.centres_, peer.cluster_centers_, rtol=0, atol=1e-9)
    assert ours.loss_ == pytest.approx(peer.inertia_, rel=1e-9)
    np.testing.assert_array_equal(ours.predict(x), peer.predict(x))


def test_empty_cluster_takes_the_farthest_point_as_in_scikit_learn():
    x, start = lumps()[0], [[0, 0], [12, 12], [900, 900]]
    ours = KMeans(k=3, start=start, tol=0).fit(x)
    peer = Peer(3, init=np.array(start, dtype=float), n_init=1, tol=0, algorithm="lloyd").fit(x)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    assert (np.diff(ours.history_) <= 1e-9).all() and np.bincount(ours.labels_, minlength=3).all()


def test_refilling_empties_no_other_cluster():
    x, c = np.array([[0.0], [5.0], [5.0], [6.0]]), np.array([[1.0], [5.0], [99.0], [98.0]])
    z, near, c = refill(x, *assign(x, c), c)
    assert np.bincount(z, minlength=4).tolist() == [1, 1, 1, 1] and near[0] == 1
    assert c[z[3]].tolist() == [6.0]


# k-means++


def test_plus_plus_draws_in_proportion_to_the_squared_distance():
    """Of 0, 0, 3 and 4: after the first 0 a single draw takes 3 with 9/25 and 4 with 16/25, greedily of two."""
    x = np.array([[0.0], [0.0], [3.0], [4.0]])
    drawn = [plus_plus(x, 2, np.random.default_rng(s)).ravel() for s in range(4000)]
    second = np.array([b for a, b in drawn if a == 0])
    # greedy: both leave 1 (4 leaves 3 at 1, 3 leaves 4 at 1), so the first of the candidates is kept
    assert not (second == 0).any() and np.mean(second == 4) == pytest.approx(16 / 25, abs=0.03)


def test_plus_plus_is_better_than_points_at_random_and_within_its_bound():
    x, z = lumps(500, k=8, d=8)
    best = ((x - np.array([x[z == j].mean(axis=0) for j in range(8)])[z]) ** 2).sum()
    rng = np.random.default_rng(0)
    careful = np.mean([assign(x, plus_plus(x, 8, rng))[1].sum() for _ in range(50)])
    careless = np.mean([assign(x, rng.choice(x, 8, replace=False))[1].sum() for _ in range(50)])
    assert careful < careless / 3 and careful <= 8 * (np.log(8) + 2) * best


@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_are_found_with_the_same_numbers_for_every_seed(seed):
    x, z = lumps(400, k=4, d=3)
    found = KMeans(k=4, seed=seed).fit(x)
    assert len(set(zip(found.labels_.tolist(), z.tolist(), strict=True))) == 4
    np.testing.assert_array_equal(found.labels_, KMeans(k=4, seed=99).fit(x).labels_)
    assert (np.diff(np.bincount(found.labels_)) <= 0).all()


def test_order_goes_by_size_then_by_coordinate():
    labels = np.array([0, 1, 1, 2, 2, 3, -1, -1, -1])
    assert in_order(labels, np.array([[0.0], [5.0], [4.0], [-1.0]])).tolist() == [2, 1, 3, 0]


def test_points_are_not_changed_and_one_cluster_is_the_mean():
    x = lumps()[0]
    before = x.copy()
    found = KMeans(k=1).fit(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(found.centres_[0], x.mean(axis=0))
    assert found.loss_ == pytest.approx(x.var(axis=0).sum() * len(x))


ERRORS = {
    "k=3 clusters need as many different points": lambda: KMeans(k=3).fit([[1, 1], [1, 1], [2, 2], [2, 2]]),
    "k=9 clusters need": lambda: KMeans(k=9).fit(AGES),
    "the points have shape (5,)": lambda: KMeans(k=2).fit(AGES.ravel()),
    "the points have shape (0, 2)": lambda: KMeans(k=2).fit(np.empty((0, 2))),
    "row 1, column 0 holds nan": lambda: KMeans(k=1).fit([[1.0], [np.nan]]),
    "must be numbers": lambda: KMeans(k=1).fit([["2024-01-01"], ["b"]]),
    "k=0, n_init=10": lambda: KMeans(k=0),
    "start has shape (1, 1); needed are k=2 centres": lambda: KMeans(k=2, start=[[1]]).fit(AGES),
    "X has 2 columns; the centres were learnt from 1": lambda: KMeans(k=2).fit(AGES).predict([[1, 2]]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
