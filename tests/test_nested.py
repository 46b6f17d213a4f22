"""What judges is later than what was learnt from, choosing never sees it, and shuffled labels earn nothing."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.auc import auc, auc_interval
from smlab.calibration import log_loss
from smlab.checks import UsageError
from smlab.ctr import sigmoid
from smlab.engagement import Forest, Logistic, Majority, Neighbours, Tree, candidates
from smlab.nested import final, forward, learn, mending, nested, predictions


def posts(n: int = 600, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, 4))
    return pd.DataFrame(A, columns=list("abcd")), (rng.random(n) < sigmoid(A[:, 0] - A[:, 1])).astype(int)


class Spy:
    """Says a constant, and keeps which posts it was fitted on and asked for."""

    seen: list[tuple[str, list[int]]] = []

    def __init__(self, p: float) -> None:
        self.p = p

    def fit(self, X, y):
        Spy.seen.append(("fit", X["at"].tolist()))
        return self

    def predict_proba(self, X):
        Spy.seen.append(("predict", X["at"].tolist()))
        return np.full(len(X), self.p)


@pytest.mark.parametrize(("n", "folds", "first"), [(10, 3, 0.4), (101, 5, 0.3), (7, 1, 0.5), (1000, 4, 0.8)])
def test_folds_go_forward_and_judge_each_later_post_once(n, folds, first):
    found = forward(n, folds=folds, first=first)
    for past, later in found:
        assert past.tolist() == list(range(later[0]))
    assert np.concatenate([later for _, later in found]).tolist() == list(range(round(first * n), n))


def test_posts_whose_reactions_were_not_known_yet_are_not_learnt_from():
    time = pd.date_range("2024-01-01", periods=40, freq="6h")
    for past, later in forward(40, folds=2, first=0.5, time=time, gap="1D"):
        assert time[past[-1]] == time[later[0]] - pd.Timedelta("1D")
    (past, _), *_ = forward(40, folds=2, first=0.5, time=time, gap="0h")
    assert past[-1] == 19


def test_nothing_later_is_ever_learnt_from_and_choosing_stays_within_the_past():
    X, y = pd.DataFrame({"at": range(60)}), np.arange(60) % 2
    Spy.seen = []
    found = nested({"spy": [Spy(0.5), Spy(0.9)]}, X, y)
    fits = [rows for what, rows in Spy.seen if what == "fit"]
    asked = [rows for what, rows in Spy.seen if what == "predict"]
    # each outer fold: 2 settings × 2 inner folds, then the chosen one; each fit is followed by its question
    assert len(fits) == len(asked) == 3 * (2 * 2 + 1)
    assert all(max(f) < min(a) for f, a in zip(fits, asked, strict=True))
    judged = asked[4::5]
    assert sum(judged, []) == list(range(24, 60)) == found.rows.tolist()
    for block in range(3):
        assert max(map(max, asked[5 * block : 5 * block + 4])) < min(judged[block])
    assert found.fold.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert found.chosen["spy"].tolist() == ["p=0.5"] * 3  # ½ has the least log-loss of the two


def test_the_least_log_loss_of_the_inner_folds_is_taken_and_the_first_of_equals():
    X, y = posts(400)
    settings = [Tree(depth=1), Logistic(reg=0.01), Majority()]
    found = learn(settings, X, y)
    by_hand = []
    for setting in settings:
        rows = [
            (y[b], setting.fit(X.iloc[a], y[a]).predict_proba(X.iloc[b])) for a, b in forward(400, folds=2, first=0.5)
        ]
        by_hand.append(log_loss(np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])))
    assert list(found.losses.values()) == pytest.approx(by_hand)
    assert [name.split(",")[0] for name in found.losses] == ["Tree", "Logistic", "Majority"]
    assert isinstance(found.model, Logistic) and np.argmin(by_hand) == 1
    assert (found.model.predict_proba(X) == Logistic(reg=0.01).fit(X, y).predict_proba(X)).all()
    assert learn([Tree(leaf=30, seed=1), Tree(leaf=30, seed=2)], X[["a"]], y).setting == "seed=1"


def test_settings_are_named_by_what_they_differ_in_and_stay_unfitted():
    X, y = posts(300)
    grid = [Forest(trees=5, leaf=5), Forest(trees=5, leaf=30)]
    found = learn(grid, X, y)
    assert list(found.losses) == ["leaf=5", "leaf=30"] and found.seconds > 0
    assert not any(hasattr(m, "model_") for m in grid)
    assert learn([Majority()], X, y).setting == "-"


def test_a_planted_effect_is_found_by_all_that_learn():
    X, y = posts(900, seed=1)
    models = {"majority": [Majority()], "logistic": [Logistic(reg=r) for r in (0.1, 0.01)], "tree": [Tree()]}
    found = nested(models, X, y)
    assert list(found.predictions) == list(models) and found.predictions.index.tolist() == found.rows.tolist()
    assert found.chosen.shape == (3, 3) and set(found.seconds.index) == set(models)
    assert (found.y == y[found.rows]).all()
    areas = {name: auc_interval(found.y, p, strata=found.fold) for name, p in found.predictions.items()}
    assert areas["majority"] == (0.5, 0.5, 0.5)
    assert areas["logistic"].low > 0.6 and areas["tree"].low > 0.55


def test_predictions_of_a_fold_are_those_of_the_final_fit_on_its_past():
    X, y = posts(500)
    models = {"logistic": [Logistic(reg=r) for r in (0.1, 0.01)], "neighbours": [Neighbours(k=30)]}
    found = nested(models, X, y)
    last = found.fold == 2
    fitted = final(models, X[: found.rows[last][0]], y[: found.rows[last][0]])
    again = predictions(fitted, X.iloc[found.rows[last]])
    np.testing.assert_array_equal(again, found.predictions[last])


def shuffled_inside(models: dict, seeds: int) -> dict[str, float]:
    """Return for each model the share of seeds in which the interval of AUC holds .5, labels being drawn anew."""
    inside = dict.fromkeys(models, 0)
    for seed in range(seeds):
        X, y = posts(400, seed)
        found = nested(models, X, np.random.default_rng(seed).permutation(y))
        for name, p in found.predictions.items():
            interval = auc_interval(found.y, p, strata=found.fold)
            inside[name] += interval.low <= 0.5 <= interval.high
    return {name: count / seeds for name, count in inside.items()}


def test_shuffled_labels_earn_nothing():
    """40 seeds: 95 % less 3 standard errors of 3.4 %."""
    found = shuffled_inside({"logistic": [Logistic(reg=r) for r in (0.1, 0.01)], "tree": [Tree(leaf=10)]}, 40)
    assert min(found.values()) > 0.84


@pytest.mark.slow
def test_shuffled_labels_earn_nothing_in_any_model():
    models = {k: grid[-1:] for k, grid in candidates(device="cpu").items() if k != "majority"}
    found = shuffled_inside(models, 60)
    assert min(found.values()) > 0.86, found


def test_mending_helps_where_probabilities_are_off_and_leaves_good_ones():
    rng = np.random.default_rng(0)
    z = rng.normal(size=6000)
    y, fold = (rng.random(6000) < sigmoid(z)).astype(int), np.repeat([0, 1, 2], 2000)
    good = mending(y, sigmoid(z), fold)
    assert good.kind == "as it is" and (good.apply([0.2, 0.7]) == [0.2, 0.7]).all()
    too_sure = mending(y, sigmoid(3 * z + 1), fold)
    assert too_sure.kind == "Platt" and too_sure.losses["Platt"] < too_sure.losses["as it is"]
    assert too_sure.apply(sigmoid(np.array([4.0, -2.0]))) == pytest.approx(sigmoid(np.array([1.0, -1.0])), abs=0.03)
    bent = np.where(z > 0, 0.9, 0.1) + 0.05 * np.tanh(z)  # no straight line of its logit fits
    assert mending(y, bent, fold).kind == "isotonic"
    steps = mending(y, bent, fold).apply(np.linspace(0, 1, 50))
    assert (np.diff(steps) >= 0).all() and steps.min() > 0 and steps.max() < 1


def test_platt_keeps_the_order():
    rng = np.random.default_rng(1)
    z = rng.normal(size=2000)
    y = (rng.random(2000) < sigmoid(z)).astype(int)
    mended = mending(y, sigmoid(3 * z), np.repeat([0, 1], 1000))
    assert mended.kind == "Platt" and auc(y, mended.apply(sigmoid(3 * z))) == pytest.approx(auc(y, z))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: forward(3), "3 posts are too few to be cut into 3 parts to judge by and one before them"),
        (lambda: forward(10, first=1.0), "first=1.0 lie between 0 and 1"),
        (lambda: forward(3, folds=1, time=["2024-01-02", "2024-01-01", "2024-01-03"]), "the earliest first"),
        (lambda: forward(3, folds=1, time=["2024-01-01"]), "time has 1 values for 3 posts"),
        (lambda: forward(4, folds=1, time=["2024-01-01"] * 4), "no post is 1D older than post 2, where a part"),
        (lambda: forward(4, time=["2024-01-01"] * 4, folds=1, gap="soon"), "'soon' is no span of time"),
        (lambda: nested({}, *posts(50)), "there is no model to learn"),
        (lambda: learn([Tree(), Tree()], *posts(50)), "two settings of a model are alike: -, -"),
        (lambda: nested({"m": []}, *posts(50)), "a model needs at least one setting"),
        (lambda: nested({"m": [Majority()]}, posts(50)[0], [2] * 50), "row 0: label 2 is not 0 or 1"),
        (lambda: nested({"m": [Majority()]}, posts(50)[0], [1] * 49), "50 posts and labels of shape (49,)"),
        (lambda: nested({"m": [Majority()]}, posts(50)[0], [1] * 50), "to learn, each side needs at least 3"),
        (lambda: nested({"m": [Majority()]}, *posts(3)), "3 posts"),
        (lambda: mending([0, 1], [0.2, 0.4], [0, 0]), "two folds or more"),
        (lambda: mending([0, 1], [0.2, 1.4], [0, 1]), "row 1: 1.4 is no probability"),
    ],
)
def test_bad_input_is_a_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()
