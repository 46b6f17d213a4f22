"""A fan says what came outside; an effect stands beside what was expected; gaps stay gaps."""

from __future__ import annotations

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import forecastplots as draw
from smlab.checks import UsageError

matplotlib.use("Agg")
TIMES = pd.date_range("2024-01-01", periods=10)
Q = pd.DataFrame({0.025: 1.0, 0.1: 2.0, 0.5: 5.0, 0.9: 8.0, 0.975: 9.0, "mean": 5.0}, TIMES)
PAST = pd.Series(np.arange(20.0), pd.date_range("2023-12-12", periods=20))
CAME = pd.Series([5.0, 12, 0, np.nan, 5, 5, 5, 5, 5, 9], TIMES)
TABLE = pd.DataFrame({"actual": CAME, "expected": 5.0, "low": 1.0, "high": 9.0})
SUMS = TABLE.assign(total=np.arange(10.0), total_low=-1.0, total_high=20.0)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def words(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_fan_draws_median_and_bands_and_counts_what_came_outside():
    ax = draw.fan(Q, PAST, CAME, title="What comes")
    assert words(ax) == ["measured", "median, 80 and 95 %", "● came", "○ came outside 95 %: 2 of 9"]
    assert ax.get_title(loc="left") == "What comes" and len(ax.collections) == 2
    median, past, inside, outside = (line.get_ydata() for line in ax.lines)
    assert (median == 5).all() and len(past) == 20 and len(inside) == 7 and sorted(outside) == [0, 12]
    assert ax.lines[3].get_markerfacecolor() == "white"  # hollow, for prints in grey


def test_fan_of_several_origins_is_not_bridged():
    later = Q.set_axis(TIMES + pd.Timedelta("30D"))
    ax = draw.fan(pd.concat([Q, later]))
    assert [len(line.get_xdata()) for line in ax.lines] == [10, 10] and len(ax.collections) == 4


def test_fan_draws_into_a_given_axes_and_on_a_log_scale():
    given = plt.subplots()[1]
    assert draw.fan(Q, ax=given, log=True) is given and given.get_yscale() == "log"


def test_components_have_a_panel_each():
    parts = pd.DataFrame({"all": PAST, "trend": PAST / 2, "rest": PAST - 10})
    panels = draw.components(parts, title="Parts")
    assert [p.get_ylabel() for p in panels] == ["all", "trend", "rest"] and panels[0].get_title(loc="left") == "Parts"
    assert [len(p.lines) for p in panels] == [1, 1, 2]  # a line at 0 where both signs occur


def test_effect_with_its_sum_below():
    top, below = draw.effect(SUMS, PAST, title="A match")
    assert words(top) == ["measured during the event", "expected without it, 95 %"]
    assert below.get_ylabel() == "difference so far" and below.lines[0].get_ydata().tolist() == list(range(10))
    assert len(draw.effect(SUMS.assign(total_low=np.nan))[1].collections) == 0


def test_interrupted_series_is_one_panel_with_the_fit_where_it_departs():
    (panel,) = draw.effect(TABLE.assign(fitted=[5.0] * 6 + [7.0] * 4))
    assert words(panel) == ["measured", "expected without it, 95 %", "fitted with the event"]
    fitted = [line for line in panel.lines if len(line.get_ydata()) == 4]
    assert len(fitted) == 1 and (fitted[0].get_ydata() == 7).all()


DAYS = pd.DataFrame(
    [("sale", 0, 1.2, 0.8, 1.6), ("sale", 1, 0.1, -0.2, 0.4), ("match", 0, -0.5, -0.9, -0.1)],
    columns=["name", "day", "effect", "low", "high"],
)


def test_event_days_are_named_and_grey_where_chance_may_be_all():
    ax = draw.event_days(DAYS)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["sale", "sale  +1", "match"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [d.get_color() == draw.GREY for d in dots] == [False, True, False]
    ticks = dict(zip((t.get_text() for t in ax.get_xticklabels()), ax.get_xticks(), strict=True))
    assert ticks["0"] == 0 and np.isclose(ticks["+100 %"], np.log(2))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: draw.fan(Q.drop(columns=0.1)), "a fan needs forecasts with the levels [0.025, 0.1, 0.5, 0.9, 0.975]"),
        (lambda: draw.fan(Q.reset_index(drop=True)), "what is drawn over time needs a DatetimeIndex"),
        (lambda: draw.components(pd.DataFrame()), "there are no components to draw"),
        (lambda: draw.effect(TABLE.drop(columns="low")), "an effect is drawn from a table by time; 'low' is absent"),
        (lambda: draw.event_days(DAYS[:0]), "there are no events to draw"),
    ],
)
def test_bad_input_is_one_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()
