"""Plots of groups and months draw what the tables hold, colour what is sure, mark the alarm."""

from __future__ import annotations

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.dates import date2num

from smlab import fairplots, plots
from smlab.checks import UsageError
from smlab.drift import over_time
from smlab.fairness import by_group, gaps
from smlab.mitigation import cost_of_fairness

mpl.use("Agg")
RNG = np.random.default_rng(0)
GROUP = np.r_[np.repeat(["women", "men"], 500), ["$x^2$"] * 9]
P = np.clip(RNG.beta(2, 2, 1009) + 0.15 * (GROUP == "men"), 0, 1)
Y = (RNG.random(1009) < P).astype(int)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_panels_show_every_group_colour_the_sure_gap_and_say_where_there_are_too_few():
    table = by_group(Y, P, GROUP)
    figure = fairplots.rates(table, gaps(Y, P, GROUP, n=300), title="Alike?")
    selection, hits, right = figure.axes
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "selection rate",
        "true positive rate",
        "calibration in the large",
    ]
    drawn = selection.lines[0].get_xdata()
    np.testing.assert_allclose(drawn, table[table.measure == "selection rate"]["value"])
    assert to_hex(selection.lines[0].get_color()) == plots.PALETTE[1].lower(), "a sure gap is orange"
    assert to_hex(right.lines[0].get_color()) == plots.GREY, "no gap is grey"
    assert [t.get_text() for t in hits.texts] == ["too few"]
    assert r"\$x^2\$" in [t.get_text() for t in selection.get_yticklabels()] and figure.get_suptitle() == "Alike?"
    plain = fairplots.rates(table, measures=["AUC"])
    assert to_hex(plain.axes[0].lines[0].get_color()) == plots.PALETTE[0].lower()
    figure.draw_without_rendering()


def test_months_stand_where_they_are_and_the_alarm_is_a_dashed_line():
    time = pd.date_range("2024-01-01", periods=1009, freq="4h")
    table = over_time(Y, P, time)
    ax = fairplots.over_time(table, marks={"alarm": "2024-03-10"}, title="Still good?")
    auc = table[table.measure == "AUC"]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), auc["value"])
    assert auc["n"].iloc[0] > 0 and ax.lines[0].get_xdata()[0] == pytest.approx(
        date2num(pd.Timestamp("2024-01-16 12:00"))
    )
    (dashed,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed.get_xdata()[0] == date2num(pd.Timestamp("2024-03-10")) and [t.get_text() for t in ax.texts] == [
        "alarm"
    ]
    assert ax.get_title(loc="left") == "Still good?" and "AUC" in ax.get_ylabel()
    fairplots.over_time(table, "log-loss").figure.draw_without_rendering()


def test_the_cost_of_fairness_is_drawn_by_the_plot_of_trade_offs():
    two = GROUP != "$x^2$"
    table = cost_of_fairness(Y[two], GROUP[two], {"model": P[two] > 0.5, "all": np.ones(two.sum())}, n=50)
    ax = plots.trade_off(table["gap"], table["accuracy"], table["name"], xlabel="gap", ylabel="accuracy")
    assert {t.get_text() for t in ax.texts} == {"model", "all"}


ERRORS = {
    "the table has none of speed": lambda: fairplots.rates(by_group(Y, P, GROUP), measures=["speed"]),
    "no period has 'speed' with enough posts": lambda: fairplots.over_time(
        over_time(Y, P, pd.date_range("2024-01-01", periods=1009)), "speed"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
