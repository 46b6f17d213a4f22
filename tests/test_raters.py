"""Floors of rating prediction, errors as sentences; the contract of raters is in test_ranker_family."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab.checks import UsageError
from smlab.raters import Biases, Mean


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
