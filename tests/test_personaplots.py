"""Plots show what the tables hold: values, names, colours, and nothing of a few customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import personaplots
from smlab.checks import UsageError
from smlab.metrics import Interval
from smlab.migration import migration


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(ax) -> str:
    return "\n".join(t.get_text() for t in ax.findobj(plt.Text))


def test_shares_draw_both_values_and_every_name():
    rows = {"Regulars": (Interval(0.1, 0.08, 0.12), Interval(0.35, 0.3, 0.4)),
            "Newcomers": (Interval(0.9, 0.88, 0.92), Interval(0.65, 0.6, 0.7))}  # fmt: skip
    ax = personaplots.shares(rows, first="customers", second="revenue", title="Who?")
    assert all(word in texts(ax) for word in ("10%", "35%", "90%", "65%", "Regulars", "Newcomers", "Who?"))
    with pytest.raises(UsageError, match="no persona"):
        personaplots.shares({}, first="", second="")


def test_moves_show_shares_with_intervals_and_hide_few():
    before, after = pd.Series(["a"] * 40 + ["b"] * 3), pd.Series(["a"] * 30 + ["b"] * 13)
    ax = personaplots.moves(migration(before, after, order=["a", "b"]))
    said = texts(ax)
    assert "75%" in said and "60% to 86%" in said and "40 customers" in said
    assert said.count("a few customers") and "7%" not in said and "3 customers" not in said.replace("13 customers", "")


def test_map_names_the_segments_and_draws_no_more_than_asked():
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"recency": rng.uniform(0, 400, 500), "frequency": rng.integers(1, 30, 500)})
    ax = personaplots.map_of_customers(features, rng.integers(0, 2, 500), ["one", "two"], n=100)
    assert len(ax.collections[0].get_offsets()) == 100 and "two" in texts(ax)
    with pytest.raises(UsageError, match="500 customers have 2 segments"):
        personaplots.map_of_customers(features, [0, 1], ["one", "two"])


def test_expected_and_actual_names_every_line():
    past = {"n": [90, 10], "actual": [0.2, 1.0], "low": [0.1, 0.8], "high": [0.3, 1.2]}
    table = pd.DataFrame(past | {"BG/NBD": [0.2, 1.1]}, index=["0", "1+"])
    said = texts(personaplots.expected_and_actual(table))
    assert all(word in said for word in ("BG/NBD", "what happened", "n = 90"))


def test_gains_have_the_colour_of_the_decision():
    table = pd.DataFrame({"gain": [1.0, -1.0], "gain_low": [0.5, -2.0], "gain_high": [2.0, -0.5],
                          "decision": ["send", "do not send"]}, index=["Regulars", "Silent"])  # fmt: skip
    ax = personaplots.gains(table)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [d.get_color() for d in dots] == [personaplots.DECIDED[d] for d in table["decision"]]
    assert [d.get_xdata()[0] for d in dots] == [1000, -1000]


def test_before_and_after_has_two_rows_for_each_column():
    frame = pd.DataFrame({"a": np.arange(50.0), "b": 1.0})
    assert personaplots.before_and_after(frame, frame - 1, labels=["A", "B"]).shape == (2, 2)
