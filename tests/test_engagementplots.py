"""Curves are drawn with their bands, the line of no knowledge, and the one corner of hard labels."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab.checks import UsageError
from smlab.engagementplots import precision_recall, roc

mpl.use("Agg")
BAND = pd.DataFrame({"at": [0, 0.5, 1], "value": [0, 0.8, 1], "low": [0, 0.7, 1], "high": [0.1, 0.9, 1]})


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_roc_draws_each_curve_its_band_the_diagonal_and_the_corner():
    ax = roc({"forest": BAND, "network": BAND}, corner=(0.2, 0.6), title="Who knows more?")
    lines = {line.get_label(): line for line in ax.lines}
    assert {"forest", "network", "labels instead of probabilities"} <= set(lines)
    np.testing.assert_array_equal(lines["forest"].get_ydata(), BAND["value"])
    assert lines["forest"].get_color() != lines["network"].get_color()
    assert len(ax.collections) == 2 and ax.get_title(loc="left") == "Who knows more?"
    assert any(list(line.get_xdata()) == list(line.get_ydata()) == [0, 1] for line in ax.lines)
    assert any(list(line.get_xdata()) == [0, 0.2, 1] for line in ax.lines)


def test_precision_recall_draws_the_share_that_no_knowledge_has():
    own = plt.subplots()[1]
    ax = precision_recall({"forest": BAND}, share=0.3, ax=own)
    assert ax is own and any(list(line.get_ydata()) == [0.3, 0.3] for line in ax.lines)
    assert ax.get_xlabel() and ax.get_ylabel()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: roc({}), "there is nothing to draw: no curve"),
        (
            lambda: roc({"m": BAND.drop(columns="low")}),
            "curve 'm' has no column 'low'; needed are at, value, low, high",
        ),
        (lambda: precision_recall({"m": BAND}, share=1.0), "share=1.0 must lie between 0 and 1"),
    ],
)
def test_bad_input_is_a_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()
