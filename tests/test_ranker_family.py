"""One contract for all rankers, and one for all raters: what each has to keep, whatever its formula."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy import sparse

from smlab.bayes_factors import BayesianMF
from smlab.blend import Blend
from smlab.checks import UsageError
from smlab.factors import ALS, BiasedMF
from smlab.graph_ridge import GraphRidge
from smlab.implicit_factors import IALS
from smlab.neighbors import EASE, ItemKNN, Popularity, UserKNN
from smlab.raters import Biases, Mean
from tests.test_neighbors import random_ratings
from tests.test_raters import rmse, strict_and_good

RANKERS = {
    "popularity": Popularity(),
    "ease": EASE(reg=10),
    "item-knn": ItemKNN(k=8, shrinkage=2),
    "item-knn jaccard": ItemKNN(k=8, similarity="jaccard"),
    "item-knn pearson": ItemKNN(k=8, similarity="pearson", shrinkage=1),
    "item-knn adjusted": ItemKNN(k=8, similarity="adjusted-cosine", shrinkage=1),
    "user-knn": UserKNN(k=8),
    "user-knn pearson": UserKNN(k=8, similarity="pearson", shrinkage=1),
    "ials": IALS(n_factors=6, reg=0.003, epochs=8, device="cpu"),
    "graph ridge": GraphRidge(reg=2.0),
    "blend": Blend({"EASE": EASE(reg=10), "hits": Popularity(), "kNN": ItemKNN(k=8)}, weights={"hits": 0.1}),
}
RATERS = {
    "mean": Mean(by="all"),
    "user mean": Mean(by="user"),
    "item mean": Mean(by="item"),
    "biases": Biases(reg_user=2, reg_item=2),
    "sgd": BiasedMF(n_factors=4, epochs=30, batch_size=50),
    "als": ALS(n_factors=2, epochs=10),
    "bayes": BayesianMF(n_factors=2, epochs=60, burn_in=20),
    "bayes, equal noise": BayesianMF(n_factors=2, epochs=60, burn_in=20, implicit=False, spread=np.inf),
}
every_ranker = pytest.mark.parametrize("model", RANKERS.values(), ids=RANKERS)
every_rater = pytest.mark.parametrize("model", RATERS.values(), ids=RATERS)
with_taste = pytest.mark.parametrize("model", list(RATERS.values())[4:], ids=list(RATERS)[4:])


def exactness(model) -> float:
    """How far two ways to one number may be apart: factors are kept in float32."""
    return 2e-4 if isinstance(model, IALS) else 1e-9


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


# Rankers


@every_ranker
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


@every_ranker
def test_reasons_add_up_to_the_score(model):
    s = model.fit(random_ratings()).scores()
    for u, i in [(0, 3), (5, 20), (39, 24), (7, 0)]:
        assert sum(c for _, c in model.explain(u, i)) == pytest.approx(s[u, i], abs=exactness(model))
        values = [c for _, c in model.explain(u, i)]
        assert values == sorted(values, reverse=True)
        assert model.explain(u, i, 2) == model.explain(u, i)[:2]


@every_ranker
@pytest.mark.parametrize("seed", range(3))
def test_users_permuted_permute_the_scores(model, seed):
    X = random_ratings(seed=seed)
    order = np.random.default_rng(seed).permutation(40)
    model = with_all_neighbours(model)
    s = model.fit(X).scores()[order]
    np.testing.assert_allclose(model.fit(X[order]).scores(), s, atol=exactness(model))


@every_ranker
def test_items_renumbered_renumber_the_scores(model):
    if isinstance(model, IALS):
        pytest.skip("it begins at factors drawn for each number, and may end elsewhere")
    X = random_ratings(seed=4)
    order = np.random.default_rng(0).permutation(25)
    model = with_all_neighbours(model)
    s = model.fit(X).scores()[:, order]
    np.testing.assert_allclose(model.fit(sparse.csr_array(X[:, order])).scores(), s, atol=exactness(model))


@every_ranker
def test_checkerboard_is_completed_with_its_own_colour(model):
    if isinstance(model, Popularity):
        pytest.skip("popularity sees no taste")
    X = checkerboard()
    items, _ = model.fit(X).recommend(k=1)
    missing = (X.toarray() == 0) & (np.indices(X.shape).sum(axis=0) % 2 == 0)
    for u in np.flatnonzero(missing.any(axis=1)):
        assert missing[u, items[u, 0]], f"user {u} gets item {items[u, 0]} of the other colour"


@every_ranker
def test_unknown_user_gets_the_popular_items(model):
    X = random_ratings()
    X = sparse.csr_array(X.multiply((np.arange(40) != 7)[:, None]))  # user 7 has nothing
    items, _ = model.fit(X).recommend([7], k=25)
    counts = (X.toarray() > 0).sum(axis=0)
    assert items[0].tolist() == np.lexsort((np.arange(25), -counts)).tolist()
    np.testing.assert_array_equal(model.recommend([0], k=25, user_items=sparse.csr_array((1, 25)))[0], items)


@every_ranker
def test_new_user_gets_what_an_equal_known_user_gets(model):
    X = random_ratings()
    X = sparse.csr_array(sparse.vstack([X, X[[3]]], format="csr"))  # 40 is a twin of 3
    known = model.fit(X).scores([3])
    new = model.scores([0], user_items=X[[3]])
    if isinstance(model, UserKNN):  # for whom 3 and 40 are both neighbours now
        assert model.neighbours([0], user_items=X[[3]])[0, [3, 40]].min() > 0
    else:
        np.testing.assert_allclose(new, known, rtol=1e-7, atol=exactness(model))


@every_ranker
def test_lists_end_with_padding_where_nothing_is_left(model):
    X = random_ratings(n_items=5, share=0.6)
    items, scores = model.fit(X).recommend(k=9)
    n_left = 5 - np.diff(X.indptr)
    np.testing.assert_array_equal((items >= 0).sum(axis=1), n_left)
    np.testing.assert_array_equal(np.isnan(scores), items < 0)
    assert (items[:, 5:] == -1).all()
    everything, _ = model.recommend(k=9, exclude_seen=False)
    assert (np.sort(everything[:, :5], axis=1) == np.arange(5)).all()


@every_ranker
def test_item_that_nobody_had_is_never_listed(model):
    X = random_ratings()
    X = sparse.csr_array(X.multiply(np.arange(25) != 4))
    assert 4 not in model.fit(X).recommend(k=25)[0]


@every_ranker
def test_one_user_and_one_item_is_enough(model):
    if getattr(model, "similarity", "cosine") in ("pearson", "adjusted-cosine"):
        pytest.skip("one rating has no spread, and the model says so")
    items, scores = model.fit(sparse.csr_array([[2.0]])).recommend(k=2)
    assert items.tolist() == [[-1, -1]] and np.isnan(scores).all()


@every_ranker
def test_fit_returns_itself_and_changes_nothing(model):
    X = random_ratings()
    X = sparse.csr_matrix((X.data[::-1].copy(), X.indices[::-1].copy(), X.indptr.copy()), shape=X.shape)  # unsorted
    X.data[5] = 0  # a stored zero
    before = [a.copy() for a in (X.data, X.indices, X.indptr)]
    assert model.fit(X) is model
    model.recommend(k=3)
    model.recommend(k=3, user_items=X)
    assert all((a == b).all() for a, b in zip(before, (X.data, X.indices, X.indptr), strict=True))


@every_ranker
def test_subset_and_blocks_give_the_same_lists(model, monkeypatch):
    items, _ = model.fit(random_ratings()).recommend(k=4)
    np.testing.assert_array_equal(model.recommend([9, 2, 9], k=4)[0], items[[9, 2, 9]])
    monkeypatch.setattr("smlab.ranking.blocks", lambda n, width: [slice(s, s + 7) for s in range(0, n, 7)])
    monkeypatch.setattr("smlab.neighbors.blocks", lambda n, width: [slice(s, s + 3) for s in range(0, n, 3)])
    np.testing.assert_array_equal(model.fit(random_ratings()).recommend(k=4)[0], items)


@every_ranker
def test_the_same_seed_gives_the_same_numbers(model):
    X = random_ratings()
    np.testing.assert_array_equal(copy.deepcopy(model).fit(X).scores(), copy.deepcopy(model).fit(X).scores())


@every_ranker
def test_unknown_numbers_are_an_error_and_unknown_people_are_a_profile(model):
    model.fit(random_ratings())
    for users, text in ((40, "user 40 is outside 0..39"), (-1, "user -1 is outside 0..39")):
        with pytest.raises(UsageError, match=text):
            model.recommend([users])
        with pytest.raises(UsageError, match=text):
            model.scores([users])
    with pytest.raises(UsageError, match=r"item 25 is outside 0\.\.24"):
        model.explain(0, 25)
    with pytest.raises(UsageError, match="user_items has 3 items; the model was fitted on 25"):
        model.recommend(user_items=sparse.csr_array(np.ones((1, 3))))
    with pytest.raises(UsageError, match="has not been fitted"):
        fresh(model).recommend()


def fresh(model):
    """Give the model as it was before any fit."""
    return type(model)(**{name: getattr(model, name) for name in vars(model) if not name.endswith("_")})


@every_ranker
@pytest.mark.parametrize("seed", range(3))
def test_what_somebody_has_is_never_listed_old_or_new(model, seed):
    X, new = random_ratings(seed=seed), random_ratings(12, seed=seed + 10)
    model.fit(X)
    for had, items in ((X, model.recommend(k=20)[0]), (new, model.recommend(k=20, user_items=new)[0])):
        listed = [(u, i) for u, row in enumerate(items) for i in row if i >= 0]
        assert len(set(listed)) == len(listed)
        assert not had.toarray()[tuple(np.array(listed).T)].any()


# Raters


@every_rater
def test_predictions_are_finite_on_the_scale_and_repeatable(model):
    X = random_ratings()
    u, i = (p.ravel() for p in np.indices(X.shape))
    r = model.fit(X).predict(u, i)
    assert r.shape == (1000,) and r.dtype == np.float64 and r.min() >= 1 and r.max() <= 5
    np.testing.assert_array_equal(r, model.fit(X).predict(u, i))


@every_rater
def test_pairs_are_answered_each_for_itself_and_in_any_order(model):
    X = random_ratings()
    model.fit(X)
    u, i = np.array([3, 0, 39, 3, -1]), np.array([24, 0, 7, 24, 2])
    r = model.predict(u, i)
    np.testing.assert_allclose([model.predict(a, b)[0] for a, b in zip(u, i, strict=True)], r, atol=1e-12)
    assert r[0] == r[3]
    assert len(model.predict([], [])) == 0


@every_rater
def test_fit_leaves_its_input_alone_and_takes_explicit_zeros_for_gaps(model):
    X = random_ratings()
    messy = sparse.csr_array((np.append(X.data, 0), np.append(X.indices, 0), np.append(X.indptr[:-1], X.nnz + 1)))
    messy.resize(X.shape)
    before = messy.copy()
    r = model.fit(messy).predict([0, 39], [3, 0])
    np.testing.assert_array_equal(messy.data, before.data)
    np.testing.assert_array_equal(messy.indices, before.indices)
    np.testing.assert_array_equal(r, model.fit(X).predict([0, 39], [3, 0]))


@every_rater
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


@pytest.mark.parametrize("model", list(RATERS.values())[:4], ids=list(RATERS)[:4])
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
