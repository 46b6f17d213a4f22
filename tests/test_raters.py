"""Floors of rating prediction, one contract for all raters, errors as sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab.bayes_factors import BayesianMF
from smlab.checks import UsageError
from smlab.factors import ALS, BiasedMF
from smlab.raters import Biases, Mean

MODELS = {
    "mean": Mean(by="all"),
    "user mean": Mean(by="user"),
    "item mean": Mean(by="item"),
    "biases": Biases(reg_user=2, reg_item=2),
    "sgd": BiasedMF(n_factors=4, epochs=30, batch_size=50),
    "als": ALS(n_factors=2, epochs=10),
    "bayes": BayesianMF(n_factors=2, epochs=60, burn_in=20),
    "bayes, equal noise": BayesianMF(n_factors=2, epochs=60, burn_in=20, implicit=False, spread=np.inf),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
with_taste = pytest.mark.parametrize("model", list(MODELS.values())[4:], ids=list(MODELS)[4:])


def random_ratings(n_users: int = 40, n_items: int = 25, seed: int = 0, share: float = 0.3) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    X = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < share)
    return sparse.csr_array(X.astype(np.float32))


def strict_and_good(n_users: int = 60, n_items: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Plant user biases, item biases and nothing else; give the ratings, what is hidden, and who is strict."""
    rng = np.random.default_rng(seed)
    b_u, b_i = rng.normal(0, 0.7, n_users), rng.normal(0, 0.7, n_items)
    R = np.clip(3 + b_u[:, None] + b_i + rng.normal(0, 0.2, (n_users, n_items)), 0.5, 6)
    return R, rng.random(R.shape) < 0.5, b_u


def rmse(model, R: np.ndarray, hidden: np.ndarray) -> float:
    u, i = np.nonzero(hidden)
    r_hat = model.fit(sparse.csr_array(np.where(hidden, 0, R))).predict(u, i)
    return float(np.sqrt(np.mean((r_hat - R[hidden]) ** 2)))


# The contract of the family


@every_model
def test_predictions_are_finite_on_the_scale_and_repeatable(model):
    X = random_ratings()
    u, i = (p.ravel() for p in np.indices(X.shape))
    r = model.fit(X).predict(u, i)
    assert r.shape == (1000,) and r.dtype == np.float64 and r.min() >= 1 and r.max() <= 5
    np.testing.assert_array_equal(r, model.fit(X).predict(u, i))


@every_model
def test_pairs_are_answered_each_for_itself_and_in_any_order(model):
    X = random_ratings()
    model.fit(X)
    u, i = np.array([3, 0, 39, 3, -1]), np.array([24, 0, 7, 24, 2])
    r = model.predict(u, i)
    np.testing.assert_allclose([model.predict(a, b)[0] for a, b in zip(u, i, strict=True)], r, atol=1e-12)
    assert r[0] == r[3]
    assert len(model.predict([], [])) == 0


@every_model
def test_fit_leaves_its_input_alone_and_takes_explicit_zeros_for_gaps(model):
    X = random_ratings()
    messy = sparse.csr_array((np.append(X.data, 0), np.append(X.indices, 0), np.append(X.indptr[:-1], X.nnz + 1)))
    messy.resize(X.shape)
    before = messy.copy()
    r = model.fit(messy).predict([0, 39], [3, 0])
    np.testing.assert_array_equal(messy.data, before.data)
    np.testing.assert_array_equal(messy.indices, before.indices)
    np.testing.assert_array_equal(r, model.fit(X).predict([0, 39], [3, 0]))


@every_model
def test_unknown_users_and_items_get_what_holds_at_large(model):
    """-1 is answered like a row without ratings, and close to mean and biases: nobody's taste is known."""
    R, hidden, _ = strict_and_good()
    X = np.where(hidden, 0, R)
    X[7], X[:, 5] = 0, 0
    items, users = np.arange(40), np.arange(60)
    tolerance = 1e-9
    if isinstance(model, BayesianMF):  # draws about the same mean: 0.7 / sqrt(200) each
        model, tolerance = BayesianMF(n_factors=2, epochs=450, implicit=model.implicit, spread=model.spread), 0.25
    model.fit(sparse.csr_array(X))
    np.testing.assert_allclose(model.predict([7] * 40, items), model.predict([-1] * 40, items), atol=tolerance, rtol=0)
    np.testing.assert_allclose(model.predict(users, [5] * 60), model.predict(users, [-1] * 60), atol=tolerance, rtol=0)
    assert model.predict(-1, -1)[0] == pytest.approx(X[X > 0].mean(), abs=0.5)


@pytest.mark.parametrize("model", list(MODELS.values())[:4], ids=list(MODELS)[:4])
@pytest.mark.parametrize("seed", range(3))
def test_users_permuted_permute_the_predictions(model, seed):
    X = random_ratings(seed=seed)
    order = np.random.default_rng(seed).permutation(40)
    u, i = (p.ravel() for p in np.indices(X.shape))
    expected = model.fit(X).predict(order[u], i)
    np.testing.assert_allclose(model.fit(X[order]).predict(u, i), expected, atol=1e-9)


@with_taste
def test_users_permuted_permute_the_predictions_up_to_chance(model):
    """These begin at random vectors (and BayesianMF draws on); what they find does not depend on the numbering."""
    R, hidden, _ = strict_and_good()
    X = np.where(hidden, 0, R)
    order = np.random.default_rng(1).permutation(60)
    u, i = (p.ravel() for p in np.indices(R.shape))
    expected = model.fit(sparse.csr_array(X)).predict(order[u], i)
    r = model.fit(sparse.csr_array(X[order])).predict(u, i)
    assert np.sqrt(np.mean((r - expected) ** 2)) < 0.25 * R.std()


@with_taste
def test_checkerboard_is_learnt_where_biases_see_nothing(model):
    """Even users give even items 5 and odd ones 1, odd users the other way; a third is hidden."""
    u, i = np.indices((40, 30))
    R = np.where((u + i) % 2 == 0, 5.0, 1.0)
    hidden = np.random.default_rng(0).random(R.shape) < 1 / 3
    assert rmse(Biases(), R, hidden) > 1.9
    assert rmse(model, R, hidden) < 0.6


# The floors


def test_biases_find_who_is_strict_and_beat_the_means():
    R, hidden, b_u = strict_and_good()
    model = Biases(reg_user=1, reg_item=1)
    found = rmse(model, R, hidden)
    assert found < 0.25 < 0.6 < rmse(Mean(by="item"), R, hidden) < rmse(Mean(by="all"), R, hidden)
    assert np.corrcoef(model.user_bias_[:-1], b_u)[0, 1] > 0.98


def test_means_are_those_of_the_known_ratings():
    X = sparse.csr_array([[5.0, 0, 2], [3, 4, 0], [0, 0, 0]])
    assert Mean(by="all").fit(X).predict([0, -1], [0, -1]).tolist() == [3.5, 3.5]
    assert Mean(by="user").fit(X).predict([0, 1, 2, -1], [1, 2, 0, 0]).tolist() == [3.5, 3.5, 3.5, 3.5]
    assert Mean(by="item").fit(X).predict([2, 2, 2, 0], [0, 1, 2, -1]).tolist() == [4, 4, 2, 3.5]


def test_biases_solve_their_least_squares():
    """At the end of the turns the gradient of Koren's eq. for b_u and b_i is 0."""
    X = random_ratings(seed=3)
    model = Biases(reg_user=3, reg_item=2, epochs=200).fit(X)
    u, i = X.nonzero()
    e = X.data - model.mean_ - model.user_bias_[u] - model.item_bias_[i]
    np.testing.assert_allclose(np.bincount(u, e, minlength=41), 3 * model.user_bias_, atol=1e-5)
    np.testing.assert_allclose(np.bincount(i, e, minlength=26), 2 * model.item_bias_, atol=1e-5)


# Errors

R = random_ratings()
ERRORS = {
    "by='items' is not known; did you mean 'item'?": lambda: Mean(by="items"),
    "reg_user=0 must be finite and above 0": lambda: Biases(reg_user=0),
    "epochs=0 must be a whole number above 0": lambda: Biases(epochs=0),
    "epochs=2.5 must be a whole number above 0": lambda: Biases(epochs=2.5),
    "Mean has not been fitted; call fit(user_items) first": lambda: Mean().predict([0], [0]),
    "user_items must be a sparse matrix, not ndarray": lambda: Biases().fit(np.ones((2, 2))),
    "user_items of shape (2, 3) is empty": lambda: Mean().fit(sparse.csr_array((2, 3))),
    "user_items[0, 1] is -2; a value must be finite": lambda: Mean().fit(sparse.csr_array([[1, -2]])),
    "user 40 is outside 0..39": lambda: Mean().fit(R).predict([0, 40], [0, 0]),
    "user -2 is outside 0..39": lambda: Mean().fit(R).predict([-2], [0]),
    "item 25 is outside 0..24": lambda: Mean().fit(R).predict([0], [25]),
    "users are given by their whole numbers in one list, not as <U3": lambda: Mean().fit(R).predict(["ann"], [0]),
    "predict takes pairs, one item for each user; given are 2 and 1": lambda: Mean().fit(R).predict([1, 2], [3]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong_and_where(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
