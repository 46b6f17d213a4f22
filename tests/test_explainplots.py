"""Plots of explanations show the values they were given, in readable words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from smlab import explain, explainplots
from smlab.agreement import Importance
from smlab.checks import UsageError
from smlab.shapvalues import Shap, shap_values


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.integers(18, 66, 300), "town": rng.integers(0, 2, 300), "city": 0.0}).assign(
        city=lambda x: (1 - x["town"]) * rng.integers(0, 2, 300)
    )


def score(X: pd.DataFrame) -> np.ndarray:
    return (0.2 + 0.01 * (X["age"] - 18) + 0.1 * X["city"]).to_numpy(dtype=float)


GROUPS = {"age": ["age"], "where people live": ["town", "city"]}


@pytest.fixture(scope="module")
def shap(people) -> Shap:
    return shap_values(score, people[:100], people[100:150], groups=GROUPS)


def texts(ax) -> str:
    return "\n".join(t.get_text() for t in ax.findobj(plt.Text))


def test_summary_has_a_dot_for_each_row_coloured_by_value_where_there_is_one(shap):
    ax = explainplots.summary(shap, title="What counts?")
    first, second = ax.collections
    np.testing.assert_allclose(first.get_offsets()[:, 0], shap.values["age"])
    assert np.abs(first.get_offsets()[:, 1]).max() <= 0.41 and len(second.get_offsets()) == 100
    ink = first.get_facecolors()[:, :3]
    oldest, youngest = int(shap.X["age"].argmax()), int(shap.X["age"].argmin())
    np.testing.assert_allclose(ink[oldest], to_rgb(explainplots.UP), atol=0.01)
    np.testing.assert_allclose(ink[youngest], to_rgb(explainplots.DOWN), atol=0.01)
    assert len(np.unique(second.get_facecolors(), axis=0)) == 1
    assert all(word in texts(ax) for word in ("What counts?", "where people live", "low value", "probability"))
    assert len(explainplots.summary(shap, n=1).collections) == 1


def test_dots_of_like_value_stand_side_by_side():
    heights = explainplots._swarm(np.array([1.0, 1.0, 1.0, 5.0]), 0.1)
    assert sorted(heights[:3]) == pytest.approx([-0.05, 0, 0.05]) and heights[3] == 0


def test_waterfall_goes_from_the_average_to_the_prediction(shap):
    ax = explainplots.waterfall(shap, 4)
    bars = ax.patches
    assert bars[0].get_x() == pytest.approx(shap.base)
    assert sum(bar.get_width() for bar in bars) == pytest.approx(shap.prediction[4] - shap.base)
    said = texts(ax)
    assert f"age: {shap.X['age'].iloc[4]}" in said and f"{shap.prediction[4]:.1%}" in said and "average" in said
    low, high = ax.get_xlim()
    assert low < min(shap.base, shap.prediction[4]) and high > max(shap.base, shap.prediction[4])
    assert "1 more together" in texts(explainplots.waterfall(shap, 4, n=1))
    with pytest.raises(UsageError, match="there is no row 100: the explanation has 100"):
        explainplots.waterfall(shap, 100)


def test_dependence_draws_the_mean_the_curves_and_where_rows_are_few(people):
    X = people.assign(age=np.where(people["age"] > 60, 90, people["age"]))
    found = explain.partial_dependence(score, X, "age", least=10)
    ax = explainplots.dependence(found, n_ice=12, ylabel="chance")
    mean = max(ax.lines, key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(mean.get_ydata(), found.mean)
    assert len(ax.lines) == 12 + 1 + 1 and len(ax.patches) == found.thin.sum() > 0
    assert "few rows" in texts(ax) and "chance" in texts(ax)


def test_patterns_have_no_line_and_stand_by_their_mean(people):
    found = explain.partial_dependence(score, people, GROUPS["where people live"], name="place")
    ax = explainplots.dependence(found)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[-1].startswith("city, n = ") and len(labels) == 3
    assert all(line.get_linestyle() == "None" for line in ax.lines)


def test_importances_are_shares_beside_the_truth():
    one = Importance(pd.Series({"a": 3.0, "b": 1.0}), pd.DataFrame({"a": [2.0, 4.0], "b": [1.0, 1.0]}))
    truth = pd.Series({"a": 1.0, "b": 1.0})
    ax = explainplots.importances({"SHAP": one, "loss": one}, truth)
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines}
    assert drawn["SHAP"] == drawn["loss"] == [0.75, 0.25] and drawn["truth"] == [0.5, 0.5]
    with pytest.raises(UsageError, match="no explanation"):
        explainplots.importances({})
