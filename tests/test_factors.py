"""Factors by SGD and by ALS: gradients, closed forms, published figures."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab.checks import DataAbsent, UsageError
from smlab.datasets import load
from smlab.factors import ALS, BiasedMF
from smlab.features import Vocab, to_csr
from smlab.raters import Biases
from tests.test_raters import random_ratings


def low_rank(seed: int = 0, n: int = 80, m: int = 60, rank: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Give ratings of two tastes plus a little noise, and which ones are hidden."""
    rng = np.random.default_rng(seed)
    R = 5 + rng.normal(size=(n, rank)) @ rng.normal(size=(rank, m)) + rng.normal(0, 0.1, (n, m))
    return np.maximum(R, 0.1), rng.random((n, m)) < 0.4


@pytest.mark.parametrize("model", [ALS(n_factors=2, reg=0.02), BiasedMF(n_factors=2, epochs=200, reg=0.01)])
def test_planted_factors_are_found_where_biases_fail(model):
    R, hidden = low_rank()
    X = sparse.csr_array(np.where(hidden, 0, R))
    u, i = np.nonzero(hidden)

    def rmse(m) -> float:
        return float(np.sqrt(np.mean((m.fit(X).predict(u, i) - R[hidden]) ** 2)))

    assert rmse(model) < 0.4 < 1.0 < rmse(Biases())


def test_one_step_of_sgd_is_the_gradient_by_finite_differences():
    """With one batch of all ratings a step is -γ/2 times the gradient of Σ e² + λ Σ (|p|² + |q|² + b²)."""
    X = random_ratings(6, 5, share=0.7)
    model = BiasedMF(n_factors=2, epochs=1, learning_rate=1e-3, reg=0.3)
    model._start(X)
    rng = np.random.default_rng(0)
    model.U_, model.V_ = rng.normal(size=(7, 3)), rng.normal(size=(6, 3))
    u, i = X.nonzero()

    def loss(U: np.ndarray, V: np.ndarray) -> float:
        r_hat = model.mean_ + (U[u, :2] * V[i, :2]).sum(axis=1) + U[u, 2] + V[i, 2]
        return float(((X.data - r_hat) ** 2).sum() + 0.3 * ((U[u] ** 2).sum() + (V[i] ** 2).sum()))

    U, V, h = model.U_.copy(), model.V_.copy(), 1e-6
    gradient = np.zeros_like(U)
    for place in np.ndindex(U.shape):
        step = np.zeros_like(U)
        step[place] = h
        gradient[place] = (loss(U + step, V) - loss(U - step, V)) / (2 * h)
    model._step(u, i, X.data.astype(float))
    np.testing.assert_allclose((model.U_ - U) / -1e-3 * 2, gradient, atol=1e-4)


def test_batches_of_one_and_of_many_agree_to_first_order():
    X = random_ratings()
    settings = {"n_factors": 3, "epochs": 60, "learning_rate": 0.01, "reg": 0.1}
    u, i = (p.ravel() for p in np.indices(X.shape))
    one, many = (BiasedMF(batch_size=b, **settings).fit(X).predict(u, i) for b in (5, 50))
    assert np.abs(one - many).mean() < 0.05


def test_every_turn_of_als_lowers_its_objective():
    X = random_ratings(seed=2)
    u, i = X.nonzero()

    def objective(epochs: int) -> float:
        m = ALS(n_factors=3, epochs=epochs, reg=0.05).fit(X)
        r_hat = m.mean_ + (m.U_[u, :3] * m.V_[i, :3]).sum(axis=1) + m.U_[u, 3] + m.V_[i, 3]
        penalty = (m.U_[u] ** 2).sum() + (m.V_[i] ** 2).sum()  # over ratings: each row counted n times
        return float(((X.data - r_hat) ** 2).sum() + 0.05 * penalty)

    found = [objective(e) for e in range(1, 12)]
    assert (np.diff(found) < 1e-9).all()


def test_als_ends_where_the_items_solve_their_regressions():
    """Zhou et al. (2008): V_iᵀ V_i + λ n_i I for each item, written as a loop."""
    X = random_ratings(seed=1)
    m = ALS(n_factors=2, epochs=3, reg=0.2).fit(X)
    for item in range(25):
        users = X[:, [item]].nonzero()[0]
        W = np.column_stack([m.U_[users, :2], np.ones(len(users))])
        t = X.toarray()[users, item].astype(float) - m.mean_ - m.U_[users, 2]
        A = W.T @ W + 0.2 * len(users) * np.eye(3)
        np.testing.assert_allclose(m.V_[item], np.linalg.solve(A, W.T @ t), atol=1e-9)


def test_each_hyper_parameter_matters():
    X = random_ratings()
    for base, changes in (
        (BiasedMF, {"n_factors": 3, "epochs": 9, "learning_rate": 0.03, "reg": 0.5, "batch_size": 7, "seed": 1}),
        (ALS, {"n_factors": 3, "epochs": 3, "reg": 0.5, "seed": 1}),
    ):
        r = base().fit(X).predict(range(25), range(25))
        for name, value in changes.items():
            assert np.abs(base(**{name: value}).fit(X).predict(range(25), range(25)) - r).max() > 1e-6, name


ERRORS = {
    "n_factors=0 must be a whole number above 0": lambda: ALS(n_factors=0),
    "reg=-1 must be finite and above 0": lambda: ALS(reg=-1),
    "batch_size=0 must be a whole number above 0": lambda: BiasedMF(batch_size=0),
    "learning_rate=nan must be finite and above 0": lambda: BiasedMF(learning_rate=float("nan")),
    "learning_rate=9 is too large for these data: the factors diverged": lambda: BiasedMF(learning_rate=9.0).fit(
        random_ratings()
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


@pytest.mark.realdata
def test_movielens_100k_first_fold_of_the_published_benchmark():
    """Surprise's README, 5-fold means at its defaults: BaselineOnly .944, SVD .934, SVD++ .919; a fold varies by .003.

    This is its KFold(random_state=0), first fold, on which Surprise's own BaselineOnly has .9440.
    """
    try:
        frame = load("ml-100k").ratings
    except DataAbsent as absent:
        pytest.skip(str(absent))
    users, items = Vocab().fit(frame.user), Vocab().fit(frame.item)
    order = np.arange(len(frame))
    np.random.RandomState(0).shuffle(order)
    test, train = frame.iloc[order[:20_000]], frame.iloc[order[20_000:]]
    shape = (len(users), len(items))
    X = to_csr(users.encode(train.user), items.encode(train.item), train.rating, shape=shape)

    def rmse(model) -> float:
        r_hat = model.fit(X).predict(users.encode(test.user), items.encode(test.item))
        return float(np.sqrt(np.mean((r_hat - test.rating) ** 2)))

    assert rmse(Biases()) == pytest.approx(0.944, abs=0.004)
    assert rmse(ALS()) < 0.925
    assert rmse(BiasedMF()) < 0.919
