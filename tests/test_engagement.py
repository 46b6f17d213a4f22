"""The models find what is planted, say nothing certain, and refuse what they cannot learn from."""

from __future__ import annotations

import copy
import re

import numpy as np
import pandas as pd
import pytest
import torch

from smlab import ctr
from smlab.auc import auc
from smlab.calibration import calibration_curve
from smlab.checks import UsageError
from smlab.engagement import (
    SVM,
    Boosting,
    Forest,
    Logistic,
    Majority,
    Neighbours,
    Network,
    OwnRate,
    Tree,
    candidates,
)

MODELS = {
    "majority": Majority(),
    "own rate": OwnRate(columns=["x0"]),
    "tree": Tree(),
    "neighbours": Neighbours(),
    "SVM": SVM(),
    "logistic": Logistic(),
    "forest": Forest(trees=30),
    "boosting": Boosting(trees=40),
    "network": Network(device="cpu"),
}
each = pytest.mark.parametrize("name", MODELS)


def model(name: str):
    return copy.deepcopy(MODELS[name])


def posts(n: int = 600, *, d: int = 5, seed: int = 0, xor: bool = False) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return X (n, d), y and the true p: log-odds linear in three columns, or a product of the first two."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, d))
    z = 2.0 * np.sign(A[:, 0] * A[:, 1]) if xor else A[:, :3] @ [1.0, -0.8, 0.5] + 0.3
    p = ctr.sigmoid(z)
    return pd.DataFrame(A, columns=[f"x{j}" for j in range(d)]), (rng.random(n) < p).astype(int), p


@each
def test_probabilities_of_later_posts_are_never_certain_and_the_inputs_stay(name):
    X, y, _ = posts()
    before, labels = X.copy(), y.copy()
    p = model(name).fit(X[:400], y[:400]).predict_proba(X[400:])
    assert p.shape == (200,) and p.dtype == np.float64 and ((p > 0) & (p < 1)).all()
    pd.testing.assert_frame_equal(X, before)
    assert (y == labels).all()


@each
def test_the_same_seed_gives_the_same_numbers(name):
    X, y, _ = posts(200)
    first, second = (model(name).fit(X, y).predict_proba(X) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("name", ["tree", "forest", "boosting", "network"])
def test_columns_are_found_by_name(name):
    """Another order of them when predicting, or more of them, changes nothing."""
    X, y, _ = posts(200)
    fitted = model(name).fit(X, y)
    assert (fitted.predict_proba(X[X.columns[::-1]].assign(more=1.0)) == fitted.predict_proba(X)).all()


@pytest.mark.parametrize("name", ["majority", "own rate", "logistic", "neighbours", "tree", "boosting"])
def test_the_order_of_the_rows_does_not_matter_to_deterministic_models(name):
    X, y, _ = posts(400)
    order = np.random.default_rng(1).permutation(400)
    straight = model(name).fit(X, y).predict_proba(X)
    shuffled = model(name).fit(X.iloc[order], y[order]).predict_proba(X)
    np.testing.assert_allclose(shuffled, straight, atol=1e-9)


@each
def test_units_and_constant_columns_do_not_matter(name):
    X, y, _ = posts(300)
    # trees see float32: powers of two change no digit
    units = X * [1, 1024, 2**-10, 8, 1] + (np.array([0, 5, -3, 100, 0]) if MODELS[name].scaled else 0)
    plain = model(name).fit(X[:200], y[:200]).predict_proba(X[200:])
    other = model(name).fit(units[:200], y[:200]).predict_proba(units[200:])
    np.testing.assert_allclose(other, plain, atol=1e-3)
    if name not in ("forest", "network", "SVM"):  # these draw columns or weights, or divide by their number
        constant = X.assign(one=1.0, tenth=0.1)
        same = model(name).fit(constant[:200], y[:200]).predict_proba(constant[200:].assign(one=2.0))
        np.testing.assert_allclose(same, plain, atol=1e-9)


@pytest.mark.parametrize("name", ["logistic", "neighbours", "SVM", "network"])
def test_a_column_that_was_constant_in_training_is_not_heard_later(name):
    X, y, _ = posts(200)
    fitted = model(name).fit(X.assign(one=0.1), y)
    assert (fitted.predict_proba(X.assign(one=1e6)) == fitted.predict_proba(X.assign(one=0.1))).all()


def test_logistic_reaches_the_oracle_on_a_linear_truth():
    X, y, p = posts(12_000, seed=3)
    found = Logistic(reg=0.003).fit(X[:6000], y[:6000]).predict_proba(X[6000:])
    assert auc(y[6000:], found) > auc(y[6000:], p[6000:]) - 0.005


@pytest.mark.parametrize("name", ["forest", "network", "SVM", "boosting", "neighbours"])
def test_where_two_columns_only_count_together_the_flexible_models_win(name):
    X, y, p = posts(3000, seed=4, xor=True)
    straight, found, best = (
        auc(y[2000:], q[-1000:])
        for q in (
            Logistic().fit(X[:2000], y[:2000]).predict_proba(X),
            model(name).fit(X[:2000], y[:2000]).predict_proba(X),
            p,
        )
    )
    assert straight < 0.56 and best > 0.85 and found > 0.7


@each
def test_probabilities_are_true_on_new_posts(name):
    """Of 4,000 new posts each fifth by p has about the share it was promised.

    A single tree promises too much and neighbours too little, so they get more room.
    """
    X, y, _ = posts(6000, seed=5)
    p = model(name).fit(X[:2000], y[:2000]).predict_proba(X[2000:])
    curve = calibration_curve(y[2000:], p, 5)
    assert np.abs(curve.observed - curve.predicted).max() < (0.1 if name in ("tree", "neighbours") else 0.06)


def test_counts_get_one_more_row_that_says_the_overall_rate():
    """Nearest of 12 rows, k a third of them; pure leaves of 3 rows: (3 + ½)/4."""
    X, y = pd.DataFrame({"x": np.r_[0:6, 10:16].astype(float)}), np.repeat([0, 1], 6)
    assert Neighbours(k=99).fit(X, y).predict_proba(X)[[0, -1]].tolist() == pytest.approx([0.5 / 5, 4.5 / 5])
    assert Tree(depth=1, leaf=3).fit(X, y).predict_proba(X)[[0, -1]].tolist() == pytest.approx([0.5 / 7, 6.5 / 7])


def test_logistic_is_the_projects_own():
    X, y, _ = posts()
    Z = (X - X.mean()) / X.std(ddof=0)
    expected = ctr.LogisticRegression(reg=0.1).fit(Z, y).predict_proba(Z)
    np.testing.assert_allclose(Logistic(reg=0.1).fit(X, y).predict_proba(X), expected, atol=1e-7)


def test_the_svms_probabilities_are_those_of_scikit_learn_without_our_kernel():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    X, y, _ = posts(300)
    Z = ((X - X.mean()) / X.std(ddof=0)).to_numpy()
    truth = CalibratedClassifierCV(SVC(C=2, gamma=0.5 / 5), cv=3, ensemble=False).fit(Z, y).predict_proba(Z)[:, 1]
    np.testing.assert_allclose(SVM(C=2, width=0.5).fit(X, y).predict_proba(X), truth, atol=1e-4)


def test_own_rate_hears_nothing_but_its_columns():
    X, y, _ = posts()
    fitted = OwnRate(columns=["x0"]).fit(X, y)
    p = fitted.predict_proba(X)
    assert (fitted.predict_proba(X.assign(x1=0.0)) == p).all()
    assert np.corrcoef(p, X["x0"])[0, 1] > 0.95
    with pytest.raises(UsageError, match=re.escape("the frame has no column 'own'; known: x0, x1, x2, x3, x4")):
        OwnRate(columns=["own"]).fit(X, y)


def test_the_network_stops_early_and_leaves_torchs_random_numbers_alone():
    X, y, _ = posts(400)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fitted = Network(device="cpu").fit(X, y)
    assert torch.equal(torch.rand(1), expected)
    assert len(fitted.history_) < 60
    other = Network(device="cpu", seed=1).fit(X, y).predict_proba(X)
    assert not np.allclose(other, fitted.predict_proba(X))


def test_settings_matter():
    X, y, _ = posts(500)
    pairs = [
        (Tree(depth=1), Tree(depth=4)), (Tree(leaf=5), Tree(leaf=100)), (Neighbours(k=5), Neighbours(k=80)),
        (SVM(C=0.01), SVM(C=10)), (SVM(width=0.1), SVM(width=3)), (Logistic(reg=0.001), Logistic(reg=1)),
        (Forest(leaf=2), Forest(leaf=50)), (Boosting(trees=5), Boosting(trees=50)),
        (Network(dropout=0.1, epochs=3), Network(dropout=0.6, epochs=3)), (Forest(seed=0), Forest(seed=1)),
        (Network(hidden=(8,), epochs=3), Network(epochs=3)), (Network(reg=0, epochs=3), Network(reg=0.1, epochs=3)),
    ]  # fmt: skip
    for one, other in pairs:
        assert not np.allclose(one.fit(X, y).predict_proba(X), other.fit(X, y).predict_proba(X)), one


def test_candidates_are_nine_models_of_six_settings_at_most():
    found = candidates(own=OwnRate(columns=["x0"]), seed=4)
    assert len(found) == 9 and max(map(len, found.values())) <= 6
    assert all(m.seed == 4 for m in [*found["forest"], *found["network"], *found["boosting"], *found["tree"]])


@each
@pytest.mark.parametrize(
    ("X", "y", "text"),
    [
        (
            pd.DataFrame({"x0": [1.0, 2, 3]}),
            [0, 1, 1],
            "3 posts, 2 of which worked: to learn, each side needs at least 3",
        ),
        (pd.DataFrame({"x0": np.arange(9.0)}), [1] * 9, "9 posts, 9 of which worked: to learn, each side needs at"),
        (pd.DataFrame({"x0": []}, dtype=float), [], "0 posts, 0 of which worked"),
        (pd.DataFrame({"x0": np.arange(9.0)}), [0, 1, 2] * 3, "row 2: label 2 is not 0 or 1"),
        (pd.DataFrame({"x0": np.arange(9.0)}), [0, 1], "X has 9 rows, y has shape (2,)"),
        (pd.DataFrame({"x0": list("abc") * 3}), [0, 1, 1] * 3, "column 'x0' holds str, which no scaler can scale"),
        (pd.DataFrame({"x0": [1.0, np.nan, np.inf] * 3}), [0, 1, 1] * 3, "row 1, column 'x0': nan is not finite"),
        (np.ones((9, 1)), [0, 1, 1] * 3, "X must be a frame"),
    ],
    ids=["three rows", "one class", "no rows", "label 2", "lengths", "text", "nan", "array"],
)
def test_bad_input_is_a_sentence(name, X, y, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        model(name).fit(X, y)


def test_predicting_needs_a_fit_and_its_columns():
    X, y, _ = posts(100)
    with pytest.raises(UsageError, match=re.escape("Forest has not been fitted; call fit(X, y) first")):
        Forest().predict_proba(X)
    with pytest.raises(UsageError, match=re.escape("the frame has no column 'x4'; known: x0, x1, x2, x3")):
        Tree().fit(X, y).predict_proba(X.drop(columns="x4"))
    assert Tree().fit(X, y).predict_proba(X[:0]).shape == (0,)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_and_cpu_learn_alike():
    X, y, _ = posts(600)
    cpu, gpu = (Network(device=device, dropout=0.0).fit(X, y).predict_proba(X) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu, cpu, atol=5e-3)
