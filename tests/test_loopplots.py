"""The plots hold what they were given: a line and a band for each policy, the drift, levels to compare with; errors."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import loopplots
from smlab.checks import UsageError
from smlab.metrics import Interval

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def table() -> pd.DataFrame:
    parts = []
    for name, values in {"random": np.zeros(20), "model": np.r_[np.full(10, 0.5), np.linspace(0.2, 0.5, 10)],
                         "oracle": np.ones(20)}.items():  # fmt: skip
        parts.append(pd.DataFrame({"policy": name, "day": np.arange(1, 21), "value": values}))
    rows = pd.concat(parts)
    return rows.assign(low=rows["value"] - 0.1, high=rows["value"] + 0.1)


def words(ax) -> set[str]:
    return {t.get_text().strip() for t in ax.texts}


def test_course_draws_a_named_line_and_band_for_each_policy():
    ax = loopplots.course(table(), drift=11, title="Money", ylabel="of the gap")
    assert len(ax.collections) == 3 and {"random", "model", "oracle", "tastes turn"} <= words(ax)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), table().query("policy == 'model'")["value"])
    assert ax.lines[-1].get_xdata()[0] == 10.5 and ax.get_title(loc="left") == "Money"
    assert "tastes turn" not in words(loopplots.course(table()))


def test_recovery_is_in_shares_of_what_was_before():
    ax = loopplots.recovery(table(), 11)
    assert words(ax) == {"model", "tastes turn"}  # random and oracle had nothing to lose
    x, y = ax.lines[0].get_data()
    assert list(x) == list(range(-5, 10)) and y[0] == pytest.approx(1) and y[5] == pytest.approx(0.4)
    assert any(list(line.get_ydata()) == [0.9, 0.9] for line in ax.lines)


def test_exposure_draws_a_point_for_each_policy():
    cells = {"Gini": [Interval(0.1, 0.0, 0.2), Interval(0.5, 0.4, 0.6)], "newcomers": [Interval(1.0, 0.9, 1.1)] * 2}
    ax = loopplots.exposure(pd.DataFrame(cells, index=["random", "model"]))
    assert words(ax) == {"random", "model"}
    assert [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "o"] == [0.1, 0.5]


def test_wrong_tables_are_a_sentence():
    with pytest.raises(UsageError, match="the table has no column 'low'"):
        loopplots.course(table().drop(columns="low"))
    with pytest.raises(UsageError, match="nothing to draw: the table is empty"):
        loopplots.course(table().iloc[:0])
    with pytest.raises(UsageError, match="drift=1 must lie within the days 1 to 20, with days before it"):
        loopplots.recovery(table(), 1)
    with pytest.raises(UsageError, match="no policy had anything to lose"):
        loopplots.recovery(table().query("policy != 'model'"), 11)
    with pytest.raises(UsageError, match="no column 'newcomers'"):
        loopplots.exposure(pd.DataFrame({"Gini": [Interval(0, 0, 0)]}))
