"""NeuMF: the formula term by term, gaps that are gaps, planted tastes, and the contract of the rankers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from smlab.checks import UsageError
from smlab.neumf import Network, NeuMF, with_gaps
from tests.test_implicit_factors import checkerboard

SMALL = {"n_factors": 4, "n_layers": 2, "epochs": 40, "learning_rate": 0.02, "batch_size": 64, "device": "cpu"}


def quick(**settings) -> NeuMF:
    return NeuMF(**{**SMALL, **settings})


def by_hand(network: Network, u: int, i: int, n_factors: int) -> float:
    """hᵀ[p ⊙ q; MLP([p′; q′])] written as in the paper, one pair at a time."""
    P, Q = (table.weight.detach().double().numpy() for table in (network.users, network.items))
    p, p_mlp, q, q_mlp = P[u, :n_factors], P[u, n_factors:], Q[i, :n_factors], Q[i, n_factors:]
    z = np.concatenate([p_mlp, q_mlp])
    for layer in (network.first, *network.rest):
        W, b = (w.detach().double().numpy() for w in (layer.weight, layer.bias))
        z = np.maximum(W @ z + b, 0)
    h = network.head.weight[0].detach().double().numpy()
    return float(h @ np.concatenate([p * q, z]) + network.head.bias.item())


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_network_is_the_papers_formula(n_layers):
    torch.manual_seed(0)
    network = Network(5, 7, 3, n_layers)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    u, i = torch.tensor([4, 0]), torch.tensor([[1, 6, 2], [3, 3, 0]])
    z = network(torch.cat([u[:, None], i], dim=1)).detach().numpy()
    expected = [[by_hand(network, int(a), int(b), 3) for b in row] for a, row in zip(u, i, strict=True)]
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)


def test_tower_halves_down_to_the_factors():
    """He et al. (2017), section 4.1: for 8 factors the widths are 32 (both vectors), 16, 8."""
    network = Network(2, 2, 8, 2)
    assert network.first.in_features == 32
    assert [layer.out_features for layer in (network.first, *network.rest)] == [16, 8]


@pytest.mark.parametrize("seed", range(5))
def test_gaps_are_items_that_the_user_has_not_and_all_of_them_come_up(seed):
    rng = np.random.default_rng(seed)
    X = sparse.csr_array((rng.random((12, 9)) < 0.4).astype(float))
    X = sparse.csr_array(np.vstack([X.toarray(), np.ones((1, 9))]))  # and one who has everything
    rows, wanted = with_gaps(X, 200, rng)
    chosen = X.toarray() > 0
    assert (wanted[:, 0] == 1).all() and chosen[rows[:, 0], rows[:, 1]].all()
    np.testing.assert_array_equal(chosen[rows[:, :1], rows[:, 2:]], wanted[:, 1:] == 1)
    for u in np.unique(rows[:-9, 0]):
        drawn, counts = np.unique(rows[rows[:, 0] == u, 2:], return_counts=True)
        assert drawn.tolist() == np.flatnonzero(~chosen[u]).tolist()
        assert np.abs(counts - counts.mean()).max() < 5 * np.sqrt(counts.mean())  # evenly


def test_gaps_are_drawn_anew_and_the_same_from_the_same_seed():
    X, rng = checkerboard(), np.random.default_rng(3)
    first, second = with_gaps(X, 2, rng)[0], with_gaps(X, 2, rng)[0]
    assert (first[:, 2:] != second[:, 2:]).any()
    np.testing.assert_array_equal(first, with_gaps(X, 2, np.random.default_rng(3))[0])


@pytest.mark.parametrize("seed", range(3))
def test_each_group_gets_its_own_items_and_none_that_it_has(seed):
    X = checkerboard(seed=seed)
    items, _ = quick(seed=seed).fit(X).recommend(k=1)
    lacking = np.asarray(X.sum(axis=1)) < 15  # the others have all of their group's items already
    assert (items % 2 == np.arange(40)[:, None] % 2)[lacking].mean() > 0.9
    assert not X.toarray()[np.arange(40)[:, None], items].any()


def test_permuted_users_get_the_same_kind_of_lists():
    X, order = checkerboard(), np.random.default_rng(0).permutation(40)
    items, _ = quick().fit(X[order]).recommend(k=1)
    lacking = np.asarray(X.sum(axis=1))[order] < 15
    assert (items[:, 0] % 2 == order % 2)[lacking].mean() > 0.9


def test_probabilities_of_pairs_are_the_sigmoid_of_the_scores():
    model = quick(epochs=3).fit(checkerboard())
    users, items = np.array([0, 3, 39]), np.array([29, 0, 4])
    z = model.scores(users)[[0, 1, 2], items]
    np.testing.assert_allclose(model.predict(users, items), 1 / (1 + np.exp(-z)), rtol=1e-5)


def test_who_has_nothing_gets_the_popular_items():
    X = checkerboard().toarray()
    X[5], X[:30, 8] = 0, 1
    X[5, 8] = 0
    model = quick(epochs=2).fit(sparse.csr_array(X))
    assert model.recommend([5], k=1)[0].tolist() == [[8]]
    assert not model.scores([5]).any()


def test_same_seed_same_scores_and_another_seed_others():
    X = checkerboard()
    one, two, other = (quick(epochs=2, seed=seed).fit(X).scores() for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_the_best_epoch_is_kept_and_patience_ends_the_fit():
    X, told, values = checkerboard(), [], iter([0.1, 0.5, 0.4, 0.3, 0.2])
    kept = quick(epochs=5, patience=2).fit(X, score=lambda model: next(values), log=told.append)
    assert [epoch["score"] for epoch in kept.history_] == [0.1, 0.5, 0.4, 0.3] and len(told) == 4
    np.testing.assert_array_equal(kept.scores(), quick(epochs=2).fit(X).scores())


def test_steps_shrink_after_an_epoch_that_was_no_better():
    """With a factor near 0 nothing moves any more."""
    X, values = checkerboard(), iter([0.5, 0.1, 0.1, 0.6])
    slow = quick(epochs=4, decay=1e-9).fit(X, score=lambda model: next(values)).scores()
    np.testing.assert_allclose(slow, quick(epochs=2).fit(X).scores(), atol=1e-5)


def test_each_setting_matters():
    X = checkerboard()
    plain = quick(epochs=2).fit(X).scores()
    for change in ({"n_factors": 5}, {"n_layers": 1}, {"n_negatives": 2}, {"reg": 0.1}, {"batch_size": 30}):
        assert (quick(**{"epochs": 2, **change}).fit(X).scores() != plain).any(), change


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_and_cpu_learn_alike():
    X = checkerboard()
    cpu, gpu = (quick(epochs=3, device=device).fit(X).scores() for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu, cpu, atol=2e-3)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_factors": 0}, "n_factors=0 must be a whole number above 0"),
        ({"n_layers": 1.5}, "n_layers=1.5 must be a whole number above 0"),
        ({"epochs": 0}, "epochs=0 must be a whole number above 0"),
        ({"decay": 0}, "decay=0 must be above 0 and at most 1"),
        ({"reg": -1}, "reg=-1 must be finite and 0 or more"),
        ({"learning_rate": 0}, "learning_rate=0 must be finite and above 0"),
    ],
)
def test_wrong_settings_are_a_sentence(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        quick(**settings)


def test_what_it_cannot_do_is_a_sentence():
    X = checkerboard()
    model = quick(epochs=1)
    with pytest.raises(UsageError, match="NeuMF has not been fitted"):
        model.scores()
    model.fit(X)
    with pytest.raises(UsageError, match="NeuMF takes no user_items: it has learnt one vector for each user"):
        model.recommend([0], user_items=X)
    with pytest.raises(UsageError, match="has no reasons; IALS and EASE have"):
        model.explain(0, 1)
    with pytest.raises(UsageError, match="user 40 is outside"):
        model.scores([40])
    with pytest.raises(UsageError, match="one item for each user; given are 2 and 1"):
        model.predict([0, 1], [2])
