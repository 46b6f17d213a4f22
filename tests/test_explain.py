"""Explanations from outside find what was planted, are what their formulas say, and warn where nobody lives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab import audience, engagement, explain
from smlab.calibration import log_loss
from smlab.checks import UsageError
from smlab.ctr import sigmoid
from smlab.shapvalues import predictor


@pytest.fixture(scope="module")
def crowd():
    people = audience.audience(5000, seed=2)
    X, groups = audience.encode(people.frame)
    return X, groups, people.y


@pytest.fixture(scope="module")
def forest(crowd):
    X, _, y = crowd
    return predictor(engagement.Forest(leaf=10, trees=60).fit(X[:4000], y[:4000]))


def linear(X: pd.DataFrame) -> np.ndarray:
    return 2 * X["a"].to_numpy() - X["b"].to_numpy() + 0 * X["c"].to_numpy()


@pytest.fixture
def numbers() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).standard_normal((400, 3)), columns=["a", "b", "c"])


def test_permutation_importance_is_the_difference_of_two_losses(numbers):
    y = (np.random.default_rng(1).random(400) < sigmoid(linear(numbers))).astype(float)

    def predict(X):
        return sigmoid(linear(X))

    found = explain.permutation_importance(predict, numbers, y, repeats=30, n_draws=20)
    by_hand = np.mean([
        log_loss(y, predict(numbers.assign(a=np.random.default_rng(s).permutation(numbers["a"])))) for s in range(200)
    ]) - log_loss(y, predict(numbers))  # fmt: skip
    assert found.value["a"] == pytest.approx(by_hand, rel=0.08) and abs(found.value["c"]) < 1e-12
    assert found.draws["c"].abs().max() < 1e-12


@pytest.mark.parametrize("measure", explain.MEASURES)
def test_permutation_importance_finds_what_counts_and_nothing_in_what_does_not(crowd, forest, measure):
    X, groups, y = crowd
    table = explain.permutation_importance(forest, X[4000:], y[4000:], groups, measure=measure).table()
    assert table.loc[["age", "interests"], "low"].min() > 0 and set(table.index[:2]) == {"age", "interests"}
    assert table.loc["gender", "low"] <= 0.001 < table.loc["age", "low"]
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()


def test_two_columns_that_go_together_hide_behind_each_other(crowd, forest):
    """Without visits the forest still has minutes: alone each costs little, together much more than their sum."""
    X, _, y = crowd
    pair = {"visits": ["visits"], "minutes": ["minutes"], "both": ["visits", "minutes"]}
    value = explain.permutation_importance(forest, X[4000:], y[4000:], pair, repeats=20).value
    assert value["both"] > 1.3 * (value["visits"] + value["minutes"])


def test_partial_dependence_of_a_sum_is_its_part_and_curves_run_alongside(numbers):
    found = explain.partial_dependence(linear, numbers, "a")
    slopes = np.diff(found.mean) / np.diff(found.grid)
    np.testing.assert_allclose(slopes, 2)
    np.testing.assert_allclose(
        found.ice - found.mean, np.broadcast_to((found.ice - found.mean)[:, :1], found.ice.shape)
    )
    assert found.rows.sum() == 400 and found.ice.shape == (300, 20)


def test_dependence_on_age_has_its_peak_where_it_was_planted(crowd, forest):
    X, _, _ = crowd
    found = explain.partial_dependence(forest, X[:4000], "age")
    assert 25 <= found.grid[found.mean.argmax()] <= 35 and found.warning == ""


def test_thin_data_is_marked_and_said(numbers):
    X = numbers.assign(a=np.r_[np.linspace(0, 1, 390), np.full(10, 10.0)])
    found = explain.partial_dependence(linear, X, "a", points=11)
    assert found.thin.tolist() == [False, False] + [True] * 9
    assert found.warning == "Fewer than 20 rows lie near a = 2 to 10: there the curve is a guess."
    none = explain.partial_dependence(linear, numbers, "a", least=0)
    assert not none.thin.any() and none.warning == ""


def test_patterns_of_a_group_are_only_those_that_occur(crowd, forest):
    X, groups, _ = crowd
    found = explain.partial_dependence(forest, X, groups["location"], name="location")
    assert set(found.labels) == {"none of them", "town", "city"} and found.rows.sum() == len(X)
    assert found.labels[int(found.mean.argmax())] == "city"
    many = explain.partial_dependence(forest, X, groups["interests"], name="interests")
    assert len(many.labels) == 12 and len(many.seen) == many.rows.sum() < len(X)


def test_importance_by_dependence_is_the_spread_of_a_linear_part(numbers):
    table = explain.dependence_importance(linear, numbers, points=400, n_rows=50).table()
    assert table.loc["a", "value"] == pytest.approx(2 * numbers["a"].std(ddof=0))
    assert table.loc["a", "low"] < table.loc["a", "value"] < table.loc["a", "high"] and table.loc["c", "high"] < 1e-12


def test_surrogate_of_a_sum_is_exact_faithful_and_stable(numbers):
    row, background = numbers.iloc[[3]], numbers.iloc[100:120]
    found = explain.surrogate(linear, row, background, reg=1e-9)
    step = row.iloc[0] - background.mean()
    assert found.effects.tolist() == pytest.approx([2 * step["a"], -step["b"], 0], abs=1e-6)
    assert found.fidelity == pytest.approx(1) and found.spread.max() < 1e-6 and found.stability == pytest.approx(1)


def test_surrogate_is_the_weighted_ridge_of_scikit_learn(numbers):
    from sklearn.linear_model import Ridge

    def predict(X):
        return linear(X) + X["a"].to_numpy() * X["b"].to_numpy() * X["c"].to_numpy()

    row, background = numbers.iloc[[1]], numbers.iloc[50:70]
    found = explain.surrogate(predict, row, background, n_masks=4000, n_seeds=1, reg=0.1)
    masks = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=bool)
    v = explain.coalition_values(predict, row, background, {c: [c] for c in "abc"}, masks)
    weight = np.exp(-(~masks).sum(axis=1) / (0.75**2 * 3))
    ridge = Ridge(alpha=0.1 * weight.sum()).fit(masks, v, sample_weight=weight)
    np.testing.assert_allclose(found.effects, ridge.coef_, atol=0.05)
    assert found.fidelity == pytest.approx(ridge.score(masks, v, sample_weight=weight), abs=0.05) and found.fidelity < 1


def test_surrogate_says_when_a_model_is_no_sum(numbers):
    def product(X):
        return np.sign(X["a"] * X["b"] * X["c"]).to_numpy(dtype=float)

    found = explain.surrogate(product, numbers.iloc[[0]], numbers, n_seeds=8)
    assert found.fidelity < 0.7
    assert np.isnan(explain.surrogate(lambda X: np.zeros(len(X)), numbers.iloc[[0]], numbers).fidelity)


def test_coalitions_at_both_ends_are_the_prediction_and_the_mean(numbers):
    v = explain.coalition_values(
        linear, numbers.iloc[[0]], numbers[1:], {"ab": ["a", "b"], "c": ["c"]}, np.array([[True] * 2, [False] * 2])
    )
    assert v.tolist() == pytest.approx([linear(numbers.iloc[[0]])[0], linear(numbers[1:]).mean()])


def test_explaining_changes_nothing_and_twice_gives_the_same(crowd, forest):
    X, groups, y = crowd
    part, before = X[4000:4300], X[4000:4300].copy()
    one, two = (explain.permutation_importance(forest, part, y[4000:4300], groups, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.draws, two.draws)
    assert (
        explain.partial_dependence(forest, part, "age").ice == explain.partial_dependence(forest, part, "age").ice
    ).all()
    pd.testing.assert_frame_equal(part, before)


def test_bad_input_is_said_in_a_sentence(numbers):
    y = np.zeros(400)
    with pytest.raises(UsageError, match="measure='acu' is unknown; did you mean 'AUC'"):
        explain.permutation_importance(linear, numbers, y, measure="acu")
    with pytest.raises(UsageError, match=r"labels of shape \(3,\)"):
        explain.permutation_importance(linear, numbers, y[:3])
    with pytest.raises(UsageError, match="group 'g': the frame has no column 'aa'; "):
        explain.permutation_importance(linear, numbers, y, {"g": ["aa"]})
    with pytest.raises(UsageError, match="group 'g' has no columns"):
        explain.dependence_importance(linear, numbers, {"g": []})
    with pytest.raises(UsageError, match="column 'word' holds no numbers, "):
        explain.partial_dependence(linear, numbers.assign(word="x"), "a")
    with pytest.raises(UsageError, match=r"predict gave shape \(2,\) for 6000 rows"):
        explain.partial_dependence(lambda X: np.zeros(2), numbers, "a")
    with pytest.raises(UsageError, match="2 rows, .*needed are one row"):
        explain.surrogate(linear, numbers[:2], numbers)
    with pytest.raises(UsageError, match="column 0 .* has no text for a name"):
        explain.dependence_importance(linear, pd.DataFrame(np.zeros((3, 2))))
    with pytest.raises(UsageError, match="at least one row"):
        explain.dependence_importance(linear, numbers[:0])
