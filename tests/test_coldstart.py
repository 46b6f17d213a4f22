"""New items by their features: the regression, planted genres, reasons; new users by some of what they like."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab.checks import UsageError
from smlab.coldstart import NewItems, some_likes
from smlab.neighbors import EASE, ItemKNN
from smlab.ranking import top_k


def two_tastes(seed: int = 0, n: int = 80, m: int = 40) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """Even users like items of genre 0, odd ones of genre 1; give what they have, the genres and their own genre."""
    rng = np.random.default_rng(seed)
    genre, taste = rng.integers(0, 2, m), np.arange(n) % 2
    like = np.where(taste[:, None] == genre, 0.6, 0.05)
    return sparse.csr_array((rng.random((n, m)) < like) * 1.0), np.eye(2)[genre], taste


@pytest.mark.parametrize("model", [EASE(reg=5), ItemKNN(k=20)], ids=["ease", "item-knn"])
@pytest.mark.parametrize("seed", range(3))
def test_new_items_go_to_those_who_like_their_genre(model, seed):
    X, genres, taste = two_tastes(seed)
    new = np.arange(40) >= 30
    layer = NewItems(model, reg=1).fit(sparse.csr_array(X.multiply(~new)), genres)
    s = layer.scores()[:, new]
    own = genres[new].argmax(axis=1) == taste[:, None]
    assert s[own].mean() > 2 * s[~own].mean()
    listed = top_k(s, 3)
    assert np.mean(genres[new][listed].argmax(axis=2) == taste[:, None]) > 0.95


def test_columns_of_new_items_solve_the_ridge_regression_and_known_ones_stay():
    X, genres, _ = two_tastes()
    X = sparse.csr_array(X.multiply(np.arange(40) < 30))
    layer, ease = NewItems(EASE(reg=5), reg=3).fit(X, genres), EASE(reg=5).fit(X)
    np.testing.assert_array_equal(layer.W_[:, :30], ease.W_[:, :30])
    F = np.column_stack([genres, np.ones(40)])
    A = np.linalg.solve(F[:30].T @ F[:30] + 3 * np.eye(3), F[:30].T @ ease.W_[:, :30].T)
    np.testing.assert_allclose(layer.W_[:, 30:], (F[30:] @ A).T)


def test_new_items_can_be_listed_and_have_reasons_that_add_up():
    X, genres, _ = two_tastes()
    layer = NewItems(EASE(reg=5)).fit(sparse.csr_array(X.multiply(np.arange(40) < 30)), genres)
    assert (layer.recommend(k=40)[0] >= 30).any()
    reasons = layer.explain(0, 35)
    assert sum(part for _, part in reasons) == pytest.approx(layer.scores([0])[0, 35])


def test_dense_and_sparse_features_are_the_same_and_the_input_stays():
    X, genres, _ = two_tastes()
    before = X.copy()
    one, two = (NewItems().fit(X, F).W_ for F in (genres, sparse.csr_array(genres)))
    np.testing.assert_array_equal(one, two)
    assert (before != X).nnz == 0


def test_some_likes_are_nested_share_nothing_with_the_rest_and_depend_on_the_seed():
    X, _, _ = two_tastes()
    two, five, rest = (some_likes(X, *cut, seed=1) for cut in ((0, 2), (0, 5), (5, None)))
    assert (np.diff(five.indptr) == np.minimum(np.diff(X.indptr), 5)).all()
    assert (two.multiply(five) != two).nnz == 0
    assert ((five + rest) != X).nnz == 0 and five.multiply(rest).nnz == 0
    assert (some_likes(X, 0, 5, seed=2) != five).nnz > 0
    assert some_likes(X, 0, 0).nnz == 0 and some_likes(X, 0, 0).shape == X.shape


def test_some_likes_are_drawn_evenly():
    X = sparse.csr_array(np.ones((4000, 5)))
    drawn = np.asarray(some_likes(X, 0, 1).sum(axis=0)) / 4000
    np.testing.assert_allclose(drawn, 0.2, atol=0.03)


ERRORS = {
    "reg=0 must be finite and above 0": lambda: NewItems(reg=0),
    "item_features has shape (3, 2); needed is one row for each of 40 items": lambda: NewItems().fit(
        two_tastes()[0], np.ones((3, 2))
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
