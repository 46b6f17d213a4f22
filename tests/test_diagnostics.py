"""Reliability diagrams and forests draw what they are given, and refuse what they cannot draw."""

from __future__ import annotations

import re
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import diagnostics
from smlab.checks import UsageError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def curve(*observed: float) -> SimpleNamespace:
    y = np.array(observed)
    return SimpleNamespace(predicted=np.linspace(0.1, 0.4, len(y)), observed=y, low=y - 0.05, high=y + 0.05)


def test_reliability_draws_each_curve_and_the_diagonal_in_one_square():
    ax = diagnostics.reliability({"LR": curve(0.1, 0.3), "FM": curve(0.2, 0.5)}, title="Believe it?")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["LR", "FM"]
    assert ax.get_xlim() == ax.get_ylim() and ax.get_xlim()[1] >= 0.55
    assert np.allclose(ax.lines[1].get_ydata(), [0.1, 0.3]) and ax.get_title(loc="left") == "Believe it?"


def test_forest_has_a_line_for_each_coefficient_in_their_order_and_marks_the_truth():
    table = pd.DataFrame({"term": ["a", "b"], "theta": [0.2, -0.1], "low": [0.0, -0.3], "high": [0.4, 0.1]})
    ax = diagnostics.forest(table.assign(truth=[0.25, 0.0]))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_yticks()[0] > ax.get_yticks()[1], "the first on top"
    assert "truth" in ax.get_xlabel() and "truth" not in diagnostics.forest(table).get_xlabel()


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(UsageError, match=re.escape("there is nothing to draw: no curve")):
        diagnostics.reliability({})
    with pytest.raises(UsageError, match="absent: high"):
        diagnostics.forest(pd.DataFrame({"term": ["a"], "theta": [1.0], "low": [0.0]}))
