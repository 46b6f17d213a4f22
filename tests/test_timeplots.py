"""Plots of a monitor draw what the tables hold, mark changes and few posts, and take no text for a formula."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.dates import date2num

from smlab import timeplots
from smlab.changepoints import change_points
from smlab.checks import UsageError
from smlab.drivers import drivers
from smlab.monitor import shares_over_time

mpl.use("Agg")
NAMES = ["negative", "neutral", "positive"]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def counts() -> pd.DataFrame:
    mix = np.repeat([[20, 50, 30], [60, 25, 15]], 10, axis=0)
    return pd.DataFrame(mix, pd.date_range("2024-05-01", periods=20, name="day"), NAMES)


def test_each_class_is_a_line_with_its_name_and_each_change_a_dashed_one():
    table = shares_over_time(counts())
    ax = timeplots.shares_over_time(table, changes=change_points(counts()), title="Worse?")
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert sorted(lines) == NAMES and ax.get_title(loc="left") == "Worse?"
    np.testing.assert_allclose(lines["negative"].get_ydata(), np.repeat([0.2, 0.6], 10))
    assert lines["negative"].get_xdata()[0] == date2num(pd.Timestamp("2024-05-01 12:00")), "the middle of the day"
    (dashed,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed.get_xdata()[0] == date2num(pd.Timestamp("2024-05-11"))
    assert {text.get_text() for text in ax.texts} == set(NAMES) and not ax.get_xlabel()
    plain = timeplots.shares_over_time(table, changes=[pd.Timestamp("2024-05-11")], classes=["positive"])
    assert [text.get_text() for text in plain.texts] == ["positive"]


def test_windows_of_few_posts_are_hollow_and_empty_ones_gaps():
    some = counts()
    some.iloc[3], some.iloc[4] = [1, 2, 1], 0
    ax = timeplots.shares_over_time(shares_over_time(some, small="mark"), classes=["neutral"])
    hollow, filled = (line for line in ax.lines if line.get_linestyle() == "None")
    assert hollow.get_markerfacecolor() == "white" and len(hollow.get_xdata()) == 2 and len(filled.get_xdata()) == 18
    assert np.isnan(ax.lines[0].get_ydata()[4]) and "few posts" in ax.get_xlabel()


def test_words_stand_at_the_end_of_their_bars_each_on_its_side():
    posts = [["slow", "$x^2$", "👎"], ["lovely", "app"]] * 10
    table = drivers(posts, ["negative", "positive"] * 10)
    ax = timeplots.words(table, title="Why")
    widths = [bar.get_width() for bar in ax.patches]
    assert min(widths) < 0 < max(widths) and len(widths) == len(ax.texts) == 5
    assert {t.get_text() for t in ax.texts} == {"slow", r"\$x^2\$", "thumbs down sign", "lovely", "app"}
    assert all(t.xy[0] < 0 for t in ax.texts if t.get_text() == "slow") and "negative" in ax.get_xlabel()
    ax.figure.draw_without_rendering()
    assert len(timeplots.words(table, n=1).patches) == 2


def test_what_cannot_be_drawn_is_refused():
    table = drivers([["a"], ["b"]] * 5, ["x", "y"] * 5)
    with pytest.raises(UsageError, match=re.escape("words are drawn of two sides; the table has 1")):
        timeplots.words(table[table["side"] == "x"])
    with pytest.raises(UsageError, match="there is nothing to draw: no window has posts"):
        timeplots.shares_over_time(shares_over_time(counts() * 0, small="mark"))
