"""A week shows gains as far as the data reach; what-ifs show what is clear and what may be chance."""

from __future__ import annotations

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import nextplots
from smlab.checks import UsageError

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


SLOTS = pd.DataFrame(
    {
        "weekday": ["Tue", "Mon", "Mon", "Tue"],
        "hour": ["18-21", "09-12", "18-21", "09-12"],
        "n": [40, 50, 3, 60],
        "supported": [True, True, False, True],
        "promised": [0.5, -0.1, np.nan, 0.0],
    }
)
ROWS = pd.DataFrame(
    {
        "n": [100, 200, 4],
        "gain": [0.2, -0.05, np.nan],
        "low": [0.1, -0.2, np.nan],
        "high": [0.3, 0.1, np.nan],
        "naive": [0.4, 0.0, 1.0],
        "clear": [True, False, False],
    },
    index=["18-21", "link no", "video"],
)


def texts(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_week_writes_percent_and_posts_and_only_the_number_where_they_are_few():
    ax = nextplots.week(SLOTS, best={"weekday": "Tue", "hour": "18-21"}, title="When?")
    assert texts(ax) == ["+65\nn = 40", "-10\nn = 50", "n = 3", "+0\nn = 60"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Mon", "Tue"]
    grid = ax.images[0].get_array()
    assert np.ma.getmaskarray(grid)[0, 1] or np.isnan(grid[0, 1])
    frames = [p for p in ax.patches if not p.get_fill()]
    assert [p.get_xy() for p in frames] == [(0.5, 0.5)] and ax.get_title(loc="left") == "When?"


def test_week_of_shares_is_in_points_and_small_gains_stay_pale():
    ax = nextplots.week(SLOTS.assign(promised=[0.02, 0.0, np.nan, 0.01]), log=False)
    assert texts(ax)[0] == "+2\nn = 40" and "points" in ax.get_xlabel()
    assert ax.images[0].get_clim() == (-10, 10)


def test_what_ifs_colour_what_is_clear_and_mark_the_plain_difference():
    ax = nextplots.what_ifs(ROWS)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["18-21   n = 100", "link no   n = 200", "video   n = 4"]
    dots = ax.collections[1]
    np.testing.assert_allclose(np.asarray(dots.get_offsets())[0], [100 * np.expm1(0.2), 2])
    assert matplotlib.colors.to_hex(dots.get_facecolors()[0]).upper() == nextplots.BETTER
    assert matplotlib.colors.to_hex(dots.get_facecolors()[1]) == nextplots.GREY
    plain = next(line for line in ax.lines if line.get_marker() == "D")
    np.testing.assert_allclose(plain.get_xdata()[:2], 100 * np.expm1([0.4, 0.0]))
    assert np.isnan(plain.get_xdata()[2])


def test_both_draw_into_given_axes():
    _, both = plt.subplots(1, 2)
    assert nextplots.week(SLOTS, ax=both[0]) is both[0] and nextplots.what_ifs(ROWS, ax=both[1]) is both[1]


def test_tables_without_their_columns_are_refused():
    with pytest.raises(UsageError, match=re.escape("drawn from a table by weekday and hour; 'weekday' is absent")):
        nextplots.week(SLOTS.drop(columns="weekday"))
    with pytest.raises(UsageError, match=re.escape("drawn from the table of `what_if`; 'clear' is absent")):
        nextplots.what_ifs(ROWS.drop(columns="clear"))
