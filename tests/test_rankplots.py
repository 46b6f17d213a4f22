"""Plots of lists: what is drawn is what was given, names do not cover each other, errors as sentences."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import rankplots, served
from smlab.checks import UsageError
from smlab.metrics import Interval

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_reasons_end_at_their_sum_and_the_rest_is_one_bar():
    parts = {f"film {j}": 1.0 / (j + 1) for j in range(12)} | {"against": -0.6}
    ax = rankplots.reasons(parts, n=5, title="Why?")
    bars = ax.patches
    assert len(bars) == 7  # five, the rest, the sum
    assert bars[-1].get_width() == pytest.approx(sum(parts.values()))
    assert sum(b.get_width() for b in bars[:-1]) == pytest.approx(sum(parts.values()))
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[0] == "film 0" and labels[1] == "against" and labels[-2] == "8 more together"


def test_shifts_go_from_the_first_share_to_the_second():
    table = pd.DataFrame({"chosen": [0.2, 0.2], "shown": [0.67, 0.001]}, index=["hits", "the $rest$"])
    ax = rankplots.shifts(table, title="Who is shown?")
    assert texts(ax) == ["67%", "0.1%"]
    full = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert full == [0.2, 0.67, 0.2, 0.001]
    assert ax.get_yticklabels()[1].get_text() == r"the \$rest\$"


def test_paths_carry_every_setting_that_finds_room_and_a_legend():
    x = [Interval(v, v - 0.01, v + 0.01) for v in (0.1, 0.5, 0.9)]
    frame = pd.DataFrame({"x": x, "y": x[::-1]}, index=[0.0, 0.5, 1.0])
    ax = rankplots.paths({"MMR": frame}, xlabel="diversity")
    assert texts(ax) == ["0", "0.5", "1"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["MMR"]


def test_groups_stand_under_their_trait_and_only_sure_gaps_have_colour():
    side = np.array(["a", "b"] * 50)
    x = np.random.default_rng(0).normal(0.5, 0.05, 100) + 0.3 * (side == "a")
    table = served.gaps(x, {"side": side, "dice": np.arange(100) % 4 // 2})
    ax = rankplots.groups(table, float(x.mean()))
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["side", "a  (50)", "b  (50)", "dice", "0  (50)", "1  (50)"]
    dots = [line.get_color() for line in ax.lines if len(line.get_xdata()) == 1]
    assert dots[0] != dots[1] and dots[2] == dots[3] == rankplots.GREY


def test_names_on_the_map_do_not_cover_each_other_and_the_best_known_come_first():
    rng = np.random.default_rng(1)
    at, sizes = rng.normal(size=(200, 2)), np.arange(200)[::-1]
    names, kinds = [f"a long enough name {j}" for j in range(200)], ["Drama", "other", "Comedy", "War"] * 50
    ax = rankplots.item_map(at, names, kinds, sizes)
    boxes = [t.get_window_extent() for t in ax.texts]
    assert 20 < len(boxes) < 150 and names[0] in texts(ax)
    assert not any(a.overlaps(b) for j, a in enumerate(boxes) for b in boxes[:j])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["other", "Drama", "Comedy", "War"]
    assert sum(len(c.get_offsets()) for c in ax.collections) == 200


@pytest.mark.parametrize("draw", [rankplots.reasons, rankplots.paths])
def test_all_draw_into_the_axes_that_they_are_given(draw):
    ax = plt.subplots()[1]
    x = [Interval(0.1, 0.0, 0.2)]
    data = {"a": 1.0} if draw is rankplots.reasons else {"a": pd.DataFrame({"x": x, "y": x})}
    assert draw(data, ax=ax) is ax


ERRORS = {
    "there is nothing to draw: no reason": lambda: rankplots.reasons({}),
    "shifts need two columns and a row at least; the table has shape (0, 2)": lambda: rankplots.shifts(
        pd.DataFrame({"a": [], "b": []})
    ),
    "there is nothing to draw: no line": lambda: rankplots.paths({}),
    "an item has a place, a name, a kind and a size; places have shape (2, 2)": lambda: rankplots.item_map(
        np.ones((2, 2)), ["a"], ["b"], [1]
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
