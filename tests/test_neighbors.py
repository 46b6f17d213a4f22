"""The recommenders: papers' formulas, planted tastes, errors as sentences; their contract is in test_ranker_family."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from smlab import metrics
from smlab.checks import DataAbsent, UsageError
from smlab.datasets import load
from smlab.features import Vocab, split_within, to_csr
from smlab.neighbors import EASE, ItemKNN, Popularity, UserKNN, mean_centred
from smlab.similarity import similarity

ITEM_MODELS = {
    "ease": EASE(reg=10),
    "item-knn": ItemKNN(k=8, shrinkage=2),
    "item-knn jaccard": ItemKNN(k=8, similarity="jaccard"),
    "item-knn pearson": ItemKNN(k=8, similarity="pearson", shrinkage=1),
    "item-knn adjusted": ItemKNN(k=8, similarity="adjusted-cosine", shrinkage=1),
}
item_models = pytest.mark.parametrize("model", ITEM_MODELS.values(), ids=ITEM_MODELS)


def random_ratings(n_users: int = 40, n_items: int = 25, seed: int = 0, share: float = 0.3) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    X = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < share)
    return sparse.csr_array(X.astype(np.float32))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (EASE(reg=1), EASE(reg=100)),
        (ItemKNN(k=2), ItemKNN(k=20)),
        (ItemKNN(shrinkage=0), ItemKNN(shrinkage=50)),
        (ItemKNN(similarity="cosine"), ItemKNN(similarity="jaccard")),
        (ItemKNN(similarity="pearson"), ItemKNN(similarity="adjusted-cosine")),
        (UserKNN(k=2), UserKNN(k=20)),
        (UserKNN(shrinkage=0), UserKNN(shrinkage=50)),
        (UserKNN(similarity="cosine"), UserKNN(similarity="pearson")),
    ],
)
def test_each_hyper_parameter_matters(a, b):
    X = random_ratings()
    assert not np.array_equal(a.fit(X).recommend(k=5)[0], b.fit(X).recommend(k=5)[0])


# EASE


@pytest.mark.parametrize("seed", range(3))
def test_ease_is_where_the_gradient_vanishes_under_its_constraint(seed):
    """KKT of Steck (2019), eq. 4-6: (XᵀX + λI)B - XᵀX is diagonal, and diag(B) = 0."""
    X = random_ratings(seed=seed)
    B = EASE(reg=7).fit(X).W_
    G = (X.T @ X).toarray().astype(float)
    gradient = (G + 7 * np.eye(25)) @ B - G
    assert (np.diag(B) == 0).all()
    np.testing.assert_allclose(gradient - np.diag(np.diag(gradient)), 0, atol=1e-9)


def test_ease_is_a_ridge_regression_of_each_item_on_the_others():
    X = random_ratings(n_items=12)
    B = EASE(reg=3).fit(X).W_
    dense = X.toarray().astype(float)
    for j in range(12):
        others = np.delete(np.arange(12), j)
        A = dense[:, others]
        b = np.linalg.solve(A.T @ A + 3 * np.eye(11), A.T @ dense[:, j])
        np.testing.assert_allclose(B[others, j], b, atol=1e-9)


def test_ease_does_not_count_twice_what_two_items_say_alike():
    """Items 0 and 1 always come together; for item 2 they share the weight that 0 alone would have."""
    rng = np.random.default_rng(0)
    a = rng.random(500) < 0.5
    target = a & (rng.random(500) < 0.9)
    twins = EASE(reg=1).fit(sparse.csr_array(np.column_stack([a, a, target]) * 1.0)).W_
    alone = EASE(reg=1).fit(sparse.csr_array(np.column_stack([a, target]) * 1.0)).W_
    assert twins[0, 2] == pytest.approx(twins[1, 2]) == pytest.approx(alone[0, 1] / 2, rel=0.01)


# Ratings


def test_worked_prediction_is_a_rating_only_after_division():
    """An article's 0.816·(1.6 + 1.6 + 2.5) = 4.65 (printed 2.85) doubles when the neighbours double.

    The mean-centred average does not, and with one neighbour the similarity cancels.
    """
    assert pytest.approx(4.65, abs=0.005) == 0.816 * (1.6 + 1.6 + 2.5)
    one = mean_centred(4.0, [51 / np.sqrt(50 * 57)], [5], [13 / 3])
    assert one == pytest.approx(4 + 5 - 13 / 3)
    assert mean_centred(4.0, [0.9553] * 2, [5] * 2, [13 / 3] * 2) == pytest.approx(one)
    assert mean_centred(4.0, [], [], []) == 4.0


def slow_prediction(R: np.ndarray, u: int, i: int, model: UserKNN) -> float:
    """Resnick's formula as a loop, for a dense matrix of ratings with 0 for gaps."""
    X = sparse.csr_array(R)
    s = similarity(X[[u]], X, model.similarity, shrinkage=model.shrinkage)[0]
    mean = [row[row > 0].mean() if row.any() else R[R > 0].mean() for row in R]
    near = [v for v in range(len(R)) if v != u and R[v, i] > 0 and s[v] > 0]
    near = sorted(near, key=lambda v: (-np.float32(s[v]), v))[: model.k]
    r = mean_centred(mean[u], s[near], R[near, i], [mean[v] for v in near])
    return float(np.clip(r, R[R > 0].min(), R.max()))


@pytest.mark.parametrize("kind", ["cosine", "pearson"])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_predicted_rating_equals_the_slow_version_for_users_and_items(kind, k):
    X = random_ratings(20, 15, share=0.4)
    X = sparse.csr_array(X.multiply((np.arange(20) != 3)[:, None]))  # user 3 has no rating
    u, i = (p.ravel() for p in np.indices((20, 15)))
    users, items = (M(k=k, similarity=kind, shrinkage=1).fit(X) for M in (UserKNN, ItemKNN))
    R = X.toarray().astype(float)
    expected = [slow_prediction(R, a, b, users) for a, b in zip(u, i, strict=True)]
    np.testing.assert_allclose(users.predict(u, i), expected, atol=1e-9)
    expected = [slow_prediction(R.T, b, a, items) for a, b in zip(u, i, strict=True)]
    np.testing.assert_allclose(items.predict(u, i), expected, atol=1e-9)


def test_prediction_follows_taste_and_scale_of_each_user():
    """Users 0-9 like items 0-4, users 10-19 items 5-9; odd users give a star less; a fifth is hidden."""
    u, i = np.indices((20, 10))
    R = 2.0 + 2 * ((u < 10) == (i < 5)) + (u % 2 == 0)
    hidden = np.random.default_rng(0).random(R.shape) < 0.2
    X = sparse.csr_array(np.where(hidden, 0, R))
    for model in (
        UserKNN(k=5, similarity="pearson"),
        ItemKNN(k=5, similarity="adjusted-cosine", shrinkage=0),
    ):
        error = model.fit(X).predict(u[hidden], i[hidden]) - R[hidden]
        assert np.sqrt(np.mean(error**2)) < 0.6
        assert np.sqrt(np.mean(error**2)) < 0.5 * R[hidden].std()


def test_predictions_stay_on_the_scale_and_do_not_see_the_pair_itself():
    X = random_ratings()
    u, i = X.nonzero()
    for model in (UserKNN(k=3, similarity="pearson"), ItemKNN(k=3, similarity="pearson")):
        r = model.fit(X).predict(u, i)
        assert r.min() >= 1 and r.max() <= 5
        assert np.corrcoef(r, X.data)[0, 1] < 0.95


# Neighbours


@item_models
def test_similar_items_are_positive_sorted_and_not_the_item_itself(model):
    found = model.fit(random_ratings()).similar_items(3, 5)
    weights = [w for _, w in found]
    assert 0 < len(found) <= 5 and 3 not in [j for j, _ in found]
    assert weights == sorted(weights, reverse=True) and min(weights) > 0


def test_user_neighbours_are_the_most_similar_ones_and_never_oneself():
    X = random_ratings()
    near = UserKNN(k=6).fit(X).neighbours().toarray()
    s = similarity(X, X)
    np.fill_diagonal(s, 0)
    assert (np.diag(near) == 0).all() and ((near > 0).sum(axis=1) <= 6).all()
    np.testing.assert_allclose(np.sort(near, axis=1)[:, -6:], np.sort(s, axis=1)[:, -6:])


# Errors

ONES, R = sparse.csr_array(np.ones((2, 3))), random_ratings()
ERRORS = {
    "reg=0 must be above 0": lambda: EASE(reg=0),
    "reg=nan must be above 0": lambda: EASE(reg=float("nan")),
    "reg=1e-30 is too small for these data": lambda: EASE(reg=1e-30).fit(ONES),
    "unknown similarity 'cosin'; did you mean 'cosine'?": lambda: ItemKNN(similarity="cosin"),
    "k=0: at least one neighbour is needed": lambda: UserKNN(k=0),
    "shrinkage=-1 must be finite and 0 or more": lambda: UserKNN(shrinkage=-1),
    "pearson compares ratings that differ, and here every value is 1; use cosine or jaccard": lambda: UserKNN(
        similarity="pearson"
    ).fit(ONES),
    "user_items must be a sparse matrix, not ndarray": lambda: EASE().fit(np.ones((2, 2))),
    "user_items of shape (2, 3) is empty": lambda: Popularity().fit(sparse.csr_array((2, 3))),
    "user_items of shape (0, 0) is empty": lambda: Popularity().fit(sparse.csr_array((0, 0))),
    "[1, 2] is nan; a value must be finite and above 0, where 0 means unknown (and 1 more)": lambda: EASE().fit(
        sparse.csr_array([[1, 0, 0], [1, 0, np.nan], [0, np.inf, 0]])
    ),
    "user_items[0, 1] is -2; a value must be finite": lambda: UserKNN().fit(sparse.csr_array([[1, -2]])),
    "ItemKNN has not been fitted; call fit(user_items) first": lambda: ItemKNN().recommend([0]),
    "user 40 is outside 0..39": lambda: UserKNN().fit(R).recommend([0, 40]),
    "user -1 is outside 0..39": lambda: EASE().fit(R).scores(-1),
    "users are given by their whole numbers in one list, not as <U3": lambda: EASE().fit(R).scores(["ann"]),
    "item 25 is outside 0..24": lambda: EASE().fit(R).explain(0, 25),
    "item 99 is outside 0..24": lambda: ItemKNN().fit(R).similar_items(99),
    "k=0: at least one item": lambda: EASE().fit(R).recommend([0], k=0),
    "user_items has 3 items; the model was fitted on 25": lambda: EASE().fit(R).scores([0], user_items=ONES),
    "predict takes pairs, one item for each user; given are 2 and 1": lambda: UserKNN().fit(R).predict([1, 2], [3]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong_and_where(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


# Real data


@pytest.mark.realdata
def test_movielens_100k_reaches_the_published_protocol_and_beats_its_table():
    """The recommenders table on its own split (seed 42): SAR 0.3938 nDCG@10, BiVAE, its best, 0.4687.

    SAR is an item-kNN with Jaccard similarity over all items, on ratings that halve every 30 days.
    """
    try:
        frame = load("ml-100k").ratings
    except DataAbsent as absent:
        pytest.skip(str(absent))
    users, items = Vocab().fit(frame.user), Vocab().fit(frame.item)
    train, test = split_within(frame, by="item", test_share=0.25, seed=42)
    assert len(train) == 74_331
    decayed = train.rating * 0.5 ** ((train.time.max() - train.time) / pd.Timedelta(days=30))

    def matrix(part: pd.DataFrame, values: pd.Series | None = None) -> sparse.csr_array:
        shape = (len(users), len(items))
        return to_csr(users.encode(part.user), items.encode(part.item), values, shape=shape)

    def ndcg(model: EASE | ItemKNN, X: sparse.csr_array) -> float:
        return metrics.bootstrap(metrics.ndcg_at_k(model.fit(X).recommend(k=10)[0], matrix(test)), n=2).value

    sar = ItemKNN(k=len(items), similarity="jaccard", shrinkage=0)
    assert ndcg(sar, matrix(train, decayed)) == pytest.approx(0.3938, abs=0.001)
    assert ndcg(EASE(), matrix(train)) == pytest.approx(0.484, abs=0.003)
