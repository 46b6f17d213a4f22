"""The recommenders: papers' formulas, planted tastes, one contract for all models, errors as sentences."""

from __future__ import annotations

import copy
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

MODELS = {
    "popularity": Popularity(),
    "ease": EASE(reg=10),
    "item-knn": ItemKNN(k=8, shrinkage=2),
    "item-knn jaccard": ItemKNN(k=8, similarity="jaccard"),
    "item-knn pearson": ItemKNN(k=8, similarity="pearson", shrinkage=1),
    "item-knn adjusted": ItemKNN(k=8, similarity="adjusted-cosine", shrinkage=1),
    "user-knn": UserKNN(k=8),
    "user-knn pearson": UserKNN(k=8, similarity="pearson", shrinkage=1),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
item_models = pytest.mark.parametrize("model", [m for m in MODELS.values() if hasattr(m, "similar_items")])


def random_ratings(n_users: int = 40, n_items: int = 25, seed: int = 0, share: float = 0.3) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    X = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < share)
    return sparse.csr_array(X.astype(np.float32))


def with_all_neighbours(model):
    """Of tied similarities the lower number is the k-th; with all neighbours no numbering matters."""
    model = copy.copy(model)
    if hasattr(model, "k"):
        model.k = 1000
    return model


def checkerboard(n: int = 40) -> sparse.csr_array:
    """Even users have even items, odd users odd ones, a tenth of it missing; the ratings are 4 and 5."""
    rng = np.random.default_rng(0)
    u, i = np.indices((n, n))
    return sparse.csr_array(((u + i) % 2 == 0) * rng.integers(4, 6, (n, n)) * (rng.random((n, n)) < 0.9) * 1.0)


# The contract of the family


@every_model
def test_lists_are_the_full_sort_of_the_scores_without_what_is_seen(model):
    X = random_ratings()
    items, scores = model.fit(X).recommend(k=6)
    s = model.scores().astype(np.float32)
    s[X.nonzero()] = -np.inf
    popular_first = np.lexsort((np.arange(25), -np.diff(X.tocsc().indptr)))
    for u in range(40):
        expected = popular_first[np.argsort(-s[u, popular_first], kind="stable")][:6]
        assert items[u].tolist() == expected.tolist()
        np.testing.assert_array_equal(scores[u], s[u, expected])


@every_model
def test_reasons_add_up_to_the_score(model):
    s = model.fit(random_ratings()).scores()
    for u, i in [(0, 3), (5, 20), (39, 24), (7, 0)]:
        assert sum(c for _, c in model.explain(u, i)) == pytest.approx(s[u, i], abs=1e-9)
        values = [c for _, c in model.explain(u, i)]
        assert values == sorted(values, reverse=True)
        assert model.explain(u, i, 2) == model.explain(u, i)[:2]


@every_model
@pytest.mark.parametrize("seed", range(3))
def test_users_permuted_permute_the_scores(model, seed):
    X = random_ratings(seed=seed)
    order = np.random.default_rng(seed).permutation(40)
    model = with_all_neighbours(model)
    s = model.fit(X).scores()[order]
    np.testing.assert_allclose(model.fit(X[order]).scores(), s, atol=1e-9)


@every_model
def test_items_renumbered_renumber_the_scores(model):
    X = random_ratings(seed=4)
    order = np.random.default_rng(0).permutation(25)
    model = with_all_neighbours(model)
    s = model.fit(X).scores()[:, order]
    np.testing.assert_allclose(model.fit(sparse.csr_array(X[:, order])).scores(), s, atol=1e-9)


@every_model
def test_checkerboard_is_completed_with_its_own_colour(model):
    if isinstance(model, Popularity):
        pytest.skip("popularity sees no taste")
    X = checkerboard()
    items, _ = model.fit(X).recommend(k=1)
    missing = (X.toarray() == 0) & (np.indices(X.shape).sum(axis=0) % 2 == 0)
    for u in np.flatnonzero(missing.any(axis=1)):
        assert missing[u, items[u, 0]], f"user {u} gets item {items[u, 0]} of the other colour"


@every_model
def test_unknown_user_gets_the_popular_items(model):
    X = random_ratings()
    X = sparse.csr_array(X.multiply((np.arange(40) != 7)[:, None]))  # user 7 has nothing
    items, _ = model.fit(X).recommend([7], k=25)
    counts = (X.toarray() > 0).sum(axis=0)
    assert items[0].tolist() == np.lexsort((np.arange(25), -counts)).tolist()
    np.testing.assert_array_equal(model.recommend([0], k=25, user_items=sparse.csr_array((1, 25)))[0], items)


@every_model
def test_new_user_gets_what_an_equal_known_user_gets(model):
    X = random_ratings()
    X = sparse.csr_array(sparse.vstack([X, X[[3]]], format="csr"))  # 40 is a twin of 3
    known = model.fit(X).scores([3])
    new = model.scores([0], user_items=X[[3]])
    if isinstance(model, UserKNN):  # for whom 3 and 40 are both neighbours now
        assert model.neighbours([0], user_items=X[[3]])[0, [3, 40]].min() > 0
    else:
        np.testing.assert_allclose(new, known)


@every_model
def test_lists_end_with_padding_where_nothing_is_left(model):
    X = random_ratings(n_items=5, share=0.6)
    items, scores = model.fit(X).recommend(k=9)
    n_left = 5 - np.diff(X.indptr)
    np.testing.assert_array_equal((items >= 0).sum(axis=1), n_left)
    np.testing.assert_array_equal(np.isnan(scores), items < 0)
    assert (items[:, 5:] == -1).all()
    everything, _ = model.recommend(k=9, exclude_seen=False)
    assert (np.sort(everything[:, :5], axis=1) == np.arange(5)).all()


@every_model
def test_item_that_nobody_had_is_never_listed(model):
    X = random_ratings()
    X = sparse.csr_array(X.multiply(np.arange(25) != 4))
    assert 4 not in model.fit(X).recommend(k=25)[0]


@every_model
def test_one_user_and_one_item_is_enough(model):
    if getattr(model, "similarity", "cosine") in ("pearson", "adjusted-cosine"):
        pytest.skip("one rating has no spread, and the model says so")
    items, scores = model.fit(sparse.csr_array([[2.0]])).recommend(k=2)
    assert items.tolist() == [[-1, -1]] and np.isnan(scores).all()


@every_model
def test_fit_returns_itself_and_changes_nothing(model):
    X = random_ratings()
    X = sparse.csr_matrix((X.data[::-1].copy(), X.indices[::-1].copy(), X.indptr.copy()), shape=X.shape)  # unsorted
    X.data[5] = 0  # a stored zero
    before = [a.copy() for a in (X.data, X.indices, X.indptr)]
    assert model.fit(X) is model
    model.recommend(k=3)
    model.recommend(k=3, user_items=X)
    assert all((a == b).all() for a, b in zip(before, (X.data, X.indices, X.indptr), strict=True))


@every_model
def test_subset_and_blocks_give_the_same_lists(model, monkeypatch):
    items, _ = model.fit(random_ratings()).recommend(k=4)
    np.testing.assert_array_equal(model.recommend([9, 2, 9], k=4)[0], items[[9, 2, 9]])
    monkeypatch.setattr("smlab.ranking.blocks", lambda n, width: [slice(s, s + 7) for s in range(0, n, 7)])
    monkeypatch.setattr("smlab.neighbors.blocks", lambda n, width: [slice(s, s + 3) for s in range(0, n, 3)])
    np.testing.assert_array_equal(model.fit(random_ratings()).recommend(k=4)[0], items)


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
