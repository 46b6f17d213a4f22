"""iALS: the minimum that it claims, planted tastes, and the contract of the rankers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from smlab.checks import UsageError
from smlab.implicit_factors import IALS


def checkerboard(n_users: int = 40, n_items: int = 30, seed: int = 0) -> sparse.csr_array:
    """Two groups, each with its own half of the items; a third of the cells are missing."""
    rng = np.random.default_rng(seed)
    own = np.arange(n_users)[:, None] % 2 == np.arange(n_items) % 2
    return sparse.csr_array((own & (rng.random((n_users, n_items)) < 0.67)).astype(float))


def test_user_factors_solve_the_normal_equations():
    X, model = checkerboard(), IALS(n_factors=5, alpha0=0.2, reg=0.03, nu=0.7, device="cpu")
    H = model.fit(X).item_factors_.astype(float)
    for u in (0, 7, 39):
        x = X[[u]].toarray()[0]
        penalty = 0.03 * (x.sum() + 0.2 * len(H)) ** 0.7
        A = 0.2 * H.T @ H + (H.T * x) @ H + penalty * np.eye(5)
        np.testing.assert_allclose(model.user_factors_[u], np.linalg.solve(A, H.T @ x), rtol=1e-3, atol=1e-5)


def test_more_sweeps_lower_what_is_minimised():
    X = checkerboard()
    losses = [IALS(n_factors=4, reg=0.01, epochs=epochs, device="cpu").fit(X).loss() for epochs in (1, 3, 12)]
    assert losses[0] > losses[1] > losses[2] * (1 - 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_each_group_gets_its_own_items_and_none_that_it_has(seed):
    X = checkerboard(seed=seed)
    items, _ = IALS(n_factors=2, reg=0.003, seed=seed, device="cpu").fit(X).recommend(np.arange(40), k=1)
    lacking = np.asarray(X.sum(axis=1)) < 15  # the others have all of their group's items already
    assert (items % 2 == np.arange(40)[:, None] % 2)[lacking].all()
    assert not X.toarray()[np.arange(40)[:, None], items].any()


def test_reasons_add_up_to_the_score_and_a_profile_gives_the_users_own_scores():
    X = checkerboard()
    model = IALS(n_factors=4, device="cpu").fit(X)
    score = model.scores([3])[0]
    assert sum(value for _, value in model.explain(3, 7)) == pytest.approx(score[7], rel=1e-3, abs=1e-5)
    np.testing.assert_allclose(model.scores([3], user_items=X)[0], score, atol=1e-5)


@pytest.mark.parametrize("block", [1_000_000, 40])
def test_a_large_table_of_factors_is_solved_as_a_small_one(monkeypatch, block):
    """Where they lie or copied side by side, in one block or in many, with empty rows and other confidences."""
    X = checkerboard().toarray() * np.random.default_rng(0).integers(1, 4, (40, 30))
    X[5], X[:, 7] = 0, 0
    X, settings = sparse.csr_array(X), {"n_factors": 4, "reg": 0.01, "nu": 0.5, "epochs": 3, "device": "cpu"}
    small = IALS(**settings).fit(X)
    monkeypatch.setattr("smlab.implicit_factors.BLOCK", block)
    near = IALS(**settings).fit(X)
    monkeypatch.setattr("smlab.implicit_factors.NEAR", 0)
    large = IALS(**settings).fit(X)
    for other in (near, large):
        np.testing.assert_allclose(other.scores(), small.scores(), atol=1e-4)
    assert not large.user_factors_[5].any()


def test_a_fit_leaves_torch_its_threads():
    threads = torch.get_num_threads()
    IALS(n_factors=2, device="cpu").fit(checkerboard()).scores([0], user_items=checkerboard())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"n_factors": 0}, "n_factors=0 must be"), ({"reg": 0}, "reg=0 must be finite and above 0"), ({"nu": 3}, "nu=3")],
)
def test_wrong_settings_are_a_sentence(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        IALS(**settings)
