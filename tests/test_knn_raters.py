"""kNN raters: the formulas as loops, Surprise's own similarity, planted tastes, the contract of raters, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab.checks import DataAbsent, UsageError
from smlab.datasets import load
from smlab.features import Vocab, split_blocks, to_csr
from smlab.knn_raters import KNN
from smlab.raters import Biases, Mean
from smlab.similarity import pearson

KINDS = ("cosine", "pearson", "adjusted-cosine", "pearson-baseline")
MODELS = {
    f"{by} {kind} {centre}": KNN(by=by, similarity=kind, centre=centre, k=8, shrinkage=2, reg_user=2, reg_item=2)
    for by in ("user", "item")
    for kind in KINDS
    for centre in ("mean", "baseline")
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def random_ratings(n_users: int = 30, n_items: int = 20, seed: int = 0, share: float = 0.35) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    X = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < share)
    return sparse.csr_array(X.astype(np.float32))


def pairs(X: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    u, i = (p.ravel() for p in np.indices(X.shape))
    return u, i


# The formulas as loops, from the definitions and dense arrays: what the fast version has to give


def slow_similarity(R: np.ndarray, B: np.ndarray, a: int, b: int, kind: str, shrinkage: float) -> float:
    """Compare rows a and b of the ratings R, 0 for gaps; B holds the baselines."""
    both = (R[a] > 0) & (R[b] > 0)
    n = both.sum()
    if kind == "cosine":
        s = R[a] @ R[b] / np.linalg.norm(R[a]) / np.linalg.norm(R[b]) if n else 0.0
        return s * n / (n + shrinkage) if n else 0.0
    if n < 2:
        return 0.0
    x, y = R[a, both], R[b, both]
    if kind == "pearson":
        return pearson(x, y) * n / (n + shrinkage) if np.ptp(x) and np.ptp(y) else 0.0
    if kind == "adjusted-cosine":
        m = np.array([c[c > 0].mean() for c in R.T[both]])
        x, y, weight = x - m, y - m, n / (n + shrinkage)
    else:
        x, y, weight = x - B[a, both], y - B[b, both], (n - 1) / (n - 1 + shrinkage)
    xx, yy = x @ x, y @ y
    return weight * (x @ y) / np.sqrt(xx * yy) if xx > 1e-9 and yy > 1e-9 else 0.0


def slow_predictions(X: sparse.csr_array, model: KNN) -> np.ndarray:
    """Predict every cell by loops, (n_users, n_items)."""
    u, i = pairs(X)
    biases = Biases(reg_user=model.reg_user, reg_item=model.reg_item).fit(X)
    floor = biases if model.centre == "baseline" else Mean(by=model.by).fit(X)
    R, B, b = X.toarray().astype(float), *(m._expect(u, i).reshape(X.shape) for m in (biases, floor))
    if model.by == "item":
        R, B, b = R.T, B.T, b.T
    n = len(R)
    S = [[slow_similarity(R, B, x, v, model.similarity, model.shrinkage) if x != v else 0 for v in range(n)]
         for x in range(n)]  # fmt: skip
    S, r_hat = np.where(np.array(S) > 1e-9, S, 0).astype(np.float32), b.copy()
    for x in range(n):
        for y in range(R.shape[1]):
            near = sorted((-S[x, v], v) for v in range(n) if R[v, y] > 0 and S[x, v] > 0)[: model.k]
            total = sum(-float(s) for s, _ in near)
            if total > 0:
                r_hat[x, y] += sum(-float(s) * (R[v, y] - b[v, y]) for s, v in near) / total
    r_hat = np.clip(r_hat, X.data.min(), X.data.max())
    return r_hat.T if model.by == "item" else r_hat


@every_model
@pytest.mark.parametrize("k", [1, 4, 50])
def test_predictions_equal_the_loops(model, k):
    X = random_ratings(20, 14)
    X = X.toarray()
    X[3], X[:, 5] = 0, 0  # of whom nothing is known
    X = sparse.csr_array(X)
    options = {name: getattr(model, name) for name in ("by", "similarity", "centre", "shrinkage")}
    model = KNN(**options, k=k, reg_user=2, reg_item=2).fit(X)
    np.testing.assert_allclose(model.predict(*pairs(X)).reshape(X.shape), slow_predictions(X, model), atol=1e-6)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    X = random_ratings(60, 30)
    whole = {name: model.fit(X).predict(*pairs(X)) for name, model in MODELS.items()}
    monkeypatch.setattr("smlab.knn_raters.CELLS", 50)
    monkeypatch.setattr("smlab.knn_raters.BLOCK", 100)
    for name, model in MODELS.items():
        np.testing.assert_allclose(model.fit(X).predict(*pairs(X)), whole[name], atol=1e-9)


def test_of_equally_similar_users_the_lower_numbers_are_asked():
    """Users 1 to 4 say the same of items 0 to 2; of item 3 two say 5 and two say 1, which moves their means by 1."""
    X = sparse.csr_array(np.array([[4, 2, 3, 0], *[[4, 2, 3, r] for r in (5, 5, 1, 1)]], dtype=float))
    asked = {"by": "user", "centre": "mean", "similarity": "pearson", "shrinkage": 0}
    X.data[-1] = 1
    found = [KNN(k=k, **asked).fit(X).predict(0, 3)[0] for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, 3 + np.array([1.5, 1.5, (1.5 + 1.5 - 1.5) / 3, 0]))


# The source's own numbers

SMALL = np.array([[5, 4, 0, 1, 2], [4, 0, 5, 2, 1], [1, 2, 1, 5, 0], [0, 1, 2, 4, 5], [3, 3, 4, 0, 2]])


@pytest.mark.parametrize(
    ("by", "baseline", "expected"),
    [
        ("user", True, [4.65386, 3.45390, 4.83019, 1.16981, 1.68846]),
        ("item", True, [4.58000, 4.23655, 4.84528, 1.62393, 2.15472]),
        ("user", False, [4.47020, 3.46606, 4.25000, 1.75000, 1.50416]),
        ("item", False, [4.65084, 3.74455, 4.50000, 1.99948, 2.50000]),
    ],
)
def test_predictions_are_those_of_surprise(by, baseline, expected):
    """Surprise 1.1.5 on SMALL, k=2: KNNBaseline with pearson_baseline, KNNWithMeans with pearson; the five gaps."""
    options = {} if baseline else {"similarity": "pearson", "centre": "mean", "shrinkage": 0}
    model = KNN(by=by, k=2, **options).fit(sparse.csr_array(SMALL))
    np.testing.assert_allclose(model.predict(*np.nonzero(SMALL == 0)), expected, atol=1e-5)


@pytest.mark.realdata
def test_movielens_100k_first_fold_of_the_published_benchmark():
    """Surprise 1.1.5 on the first fold of its KFold(random_state=0): KNNBaseline .921703 by user, .918817 by item."""
    try:
        frame = load("ml-100k").ratings
    except DataAbsent as absent:
        pytest.skip(str(absent))
    users, items = Vocab().fit(frame.user), Vocab().fit(frame.item)
    train, test = split_blocks(frame, shuffle=0)[0]
    X = to_csr(users.encode(train.user), items.encode(train.item), train.rating, shape=(len(users), len(items)))
    for by, expected in (("user", 0.921703), ("item", 0.918817)):
        r_hat = KNN(by=by).fit(X).predict(users.encode(test.user), items.encode(test.item))
        assert np.sqrt(np.mean((r_hat - test.rating) ** 2)) == pytest.approx(expected, abs=2e-6)


# Planted structure


def test_taste_is_found_where_biases_see_nothing():
    """Even users give even items 5 and odd ones 1, odd users the other way; a third is hidden."""
    u, i = np.indices((40, 30))
    R = np.where((u + i) % 2 == 0, 5.0, 1.0)
    hidden = np.random.default_rng(0).random(R.shape) < 1 / 3
    X = sparse.csr_array(np.where(hidden, 0, R))
    for name, model in MODELS.items():
        error = model.fit(X).predict(u[hidden], i[hidden]) - R[hidden]
        close = np.sqrt(np.mean(error**2)) < 0.6
        assert close or model.similarity == "cosine", name  # the cosine of what was given at all sees little of it


def test_scale_of_a_strict_user_is_no_taste():
    """User 1 gives a star less than user 0 throughout: what 0 gave the last item is foretold a star lower."""
    X = sparse.csr_array(np.array([[5, 3, 4, 2, 5], [4, 2, 3, 1, 0], [2, 4, 3, 5, 2]], dtype=float))
    model = KNN(by="user", similarity="pearson", centre="mean", shrinkage=0).fit(X)
    assert model.predict(1, 4)[0] == pytest.approx(2.5 + 5 - 3.8)


# The contract


@every_model
def test_predictions_are_finite_on_the_scale_repeatable_and_each_for_itself(model):
    X = random_ratings()
    u, i = pairs(X)
    r = model.fit(X).predict(u, i)
    assert r.dtype == np.float64 and r.min() >= 1 and r.max() <= 5
    np.testing.assert_array_equal(r, model.fit(X).predict(u, i))
    some = np.array([3, 77, 3, 599, 0])
    np.testing.assert_allclose([model.predict(u[p], i[p])[0] for p in some], r[some], atol=1e-12)
    assert len(model.predict([], [])) == 0


@every_model
def test_fit_leaves_its_input_alone_and_takes_explicit_zeros_for_gaps(model):
    X = random_ratings()
    messy = sparse.csr_array((np.append(X.data, 0), np.append(X.indices, 0), np.append(X.indptr[:-1], X.nnz + 1)))
    messy.resize(X.shape)
    before = messy.copy()
    r = model.fit(messy).predict([0, 29], [3, 0])
    np.testing.assert_array_equal(messy.data, before.data)
    np.testing.assert_array_equal(r, model.fit(X).predict([0, 29], [3, 0]))


@every_model
@pytest.mark.parametrize("seed", range(3))
def test_users_permuted_permute_the_predictions(model, seed):
    X = random_ratings(seed=seed)
    order = np.random.default_rng(seed).permutation(30)
    u, i = pairs(X)
    options = {name: getattr(model, name) for name in ("by", "similarity", "centre", "shrinkage")}
    model = KNN(**options, k=1000)  # of tied neighbours the lower number is the k-th: with all of them none is
    expected = model.fit(X).predict(order[u], i)
    np.testing.assert_allclose(model.fit(X[order]).predict(u, i), expected, atol=1e-5)


@every_model
def test_where_nobody_can_be_asked_the_floor_answers(model):
    """-1, rows without ratings, and a user whose ratings nobody shares."""
    dense = random_ratings().toarray()
    dense[7], dense[:, 5] = 0, 0
    dense[8] = 0
    dense[8, 5] = 4
    dense[9, [0, 1]] = 3, 4
    X = sparse.csr_array(dense)
    model.fit(X)
    u, i = np.array([-1, -1, 7, 7, 8, 3, 3]), np.array([-1, 4, 5, 4, 4, 5, -1])
    floor = model.floor_.predict(u, i)
    asked = [p for p in range(7) if not (model.by == "item" and p == 4) and not (model.by == "item" and p == 5)]
    np.testing.assert_array_equal(model.predict(u, i)[asked], floor[asked])
    assert model.predict(-1, -1)[0] == pytest.approx(X.data.mean())


@every_model
def test_reasons_add_up_to_what_the_neighbours_change(model):
    X = random_ratings()
    model.fit(X)
    model.scale_ = (-np.inf, np.inf)  # uncut
    for u, i in [(0, 3), (5, 19), (29, 7), (-1, 2)]:
        reasons = model.explain(u, i)
        change = model.predict(u, i)[0] - model.floor_._expect(*model._pairs(u, i))[0]
        assert sum(value for _, value in reasons) == pytest.approx(change, abs=1e-9)
        assert len(reasons) <= model.k and [v for _, v in reasons] == sorted((v for _, v in reasons), reverse=True)
        known = X[[u]].indices if model.by == "item" else X.T.tocsr()[[i]].indices
        assert {who for who, _ in reasons} <= set(known.tolist()) or u == -1
        assert model.explain(u, i, 2) == reasons[:2]


@pytest.mark.parametrize(
    "change",
    [{"by": "user"}, {"similarity": "pearson"}, {"centre": "mean"}, {"k": 2}, {"shrinkage": 0}, {"reg_user": 1},
     {"reg_item": 1}],
    ids=str,
)  # fmt: skip
def test_each_hyper_parameter_matters(change):
    X = random_ratings()
    assert not np.allclose(KNN().fit(X).predict(*pairs(X)), KNN(**change).fit(X).predict(*pairs(X)))


ERRORS = {
    "by='usr' is not known; did you mean 'user'?": lambda: KNN(by="usr"),
    "similarity='pearson-base' is not known; did you mean 'pearson-baseline'?": lambda: KNN(similarity="pearson-base"),
    "centre='median' is not known": lambda: KNN(centre="median"),
    "k=0 must be a whole number above 0": lambda: KNN(k=0),
    "shrinkage=-1 must be finite and 0 or more": lambda: KNN(shrinkage=-1),
    "shrinkage=nan must be finite and 0 or more": lambda: KNN(shrinkage=float("nan")),
    "reg_item=0 must be finite and above 0": lambda: KNN(reg_item=0),
    "KNN has not been fitted; call fit(user_items) first": lambda: KNN().predict([0], [0]),
    "user 30 is outside 0..29": lambda: KNN().fit(random_ratings()).predict([30], [0]),
    "item 99 is outside 0..19": lambda: KNN().fit(random_ratings()).explain(0, 99),
    "user_items of shape (2, 3) is empty": lambda: KNN().fit(sparse.csr_array((2, 3))),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
