"""Planted effects are found again with intervals that hold, and none where nothing was planted."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import ttest_ind

from smlab.checks import UsageError
from smlab.events import UNSEEN, in_words, interrupted, several
from smlab.metrics import Interval

N = 210


def series(seed: int, *, phi: float = 0.6, n: int = N, tail: float | None = None) -> pd.Series:
    rng = np.random.default_rng(seed)
    e = rng.normal(size=n + 200) if tail is None else rng.standard_t(tail, n + 200)
    week = np.tile([2.0, 1, 0, 0, 0, -1, -2], n // 7 + 1)[:n]
    u = lfilter([1.0], [1.0, -phi], e)[200:]
    return pd.Series(50 + week + u, pd.date_range("2022-01-03", periods=n), name="value")


def test_jump_and_slope_are_recovered():
    y, T = series(0), pd.Timestamp("2022-04-20")
    after = (y.index >= T).astype(float)
    planted = y + after * (6 + 0.1 * np.arange(N)) - after * 0.1 * y.index.get_loc(T)
    found = interrupted(planted, T)
    assert found.jump.low < 6 < found.jump.high and found.slope.low < 0.1 < found.slope.high
    assert found.p[0] < 0.001
    assert found.table.columns.tolist() == ["actual", "fitted", "expected", "low", "high"]
    before = found.table.loc[: T - pd.Timedelta("1D")]
    np.testing.assert_array_equal(before["fitted"], before["expected"])
    assert found.sentence.startswith("From 2022-04-20 on: +") and found.sentence.endswith(UNSEEN)


def test_event_moves_nothing_but_itself():
    """Adding 5 during the event moves the jump by 5 and what is expected without it by nothing."""
    y, T = series(1), pd.Timestamp("2022-05-01")
    a = interrupted(y, T, slope=False, order=1)
    b = interrupted(y + 5.0 * (y.index >= T), T, slope=False, order=1)
    np.testing.assert_allclose(np.array(b.jump) - 5, a.jump, atol=1e-3)
    np.testing.assert_allclose(b.table["expected"], a.table["expected"], atol=1e-3)
    assert a.slope is None and a.mean == a.jump


def test_event_that_ends_is_compared_with_before_and_after():
    y = series(2)
    y["2022-04-01":"2022-04-10"] += 8
    found = interrupted(y, "2022-04-01", until="2022-04-10", slope=False)
    assert found.jump.low < 8 < found.jump.high and found.jump.low > 0


def test_event_of_a_day_has_a_jump_and_no_slope():
    y = series(2)
    y["2022-04-01"] += 9
    found = interrupted(y, "2022-04-01", until="2022-04-01")
    assert found.slope is None and found.jump.low < 9 < found.jump.high


def test_log_gives_percent_and_a_table_in_the_unit_of_the_series():
    y = np.exp(series(3) / 8).round()
    y["2022-05-01":] = (y["2022-05-01":] * 2).round()
    found = interrupted(y, "2022-05-01", log=True, slope=False)
    assert found.jump.low < np.log(2) < found.jump.high
    np.testing.assert_allclose(found.table["actual"], y)
    assert " % [" in found.sentence


def test_control_takes_what_it_shares_with_the_series():
    control = pd.DataFrame({"market": series(9, phi=0.9)})
    y = series(4, phi=0.0) + 3 * control["market"]
    alone, helped = (interrupted(y, "2022-05-01", controls=c, slope=False).jump for c in (None, control))
    assert helped.high - helped.low < 0.5 * (alone.high - alone.low)


def test_gaps_are_left_out():
    y = series(5)
    y.iloc[[3, 50, 51, 150]] = np.nan
    found = interrupted(y, "2022-05-01")
    assert np.isfinite(found.jump).all() and found.table["expected"].notna().all()


def test_nothing_planted_nothing_found_though_before_and_after_differ():
    wrong = np.zeros(2)
    for s in range(30):
        y = series(s, phi=0.8)
        wrong += interrupted(y, y.index[105], order=1).p[0] < 0.05, ttest_ind(y[:105], y[105:]).pvalue < 0.05
    assert wrong[0] <= 5 and wrong[1] >= 10


@pytest.mark.slow
@pytest.mark.parametrize(("phi", "misled"), [(0.5, 0.05), (0.8, 0.3)])
def test_jumps_are_recovered_at_the_nominal_rate(phi, misled):
    held, wrong, naive = [], [], []
    for s in range(150):
        y = series(s, phi=phi, n=364)
        T = y.index[182]
        held.append((found := interrupted(y + 3.0 * (y.index >= T), T).jump).low <= 3 <= found.high)
        wrong.append(interrupted(y, T).p[0] < 0.05)
        naive.append(ttest_ind(y[:182], y[182:]).pvalue < 0.05)
    assert np.mean(held) > 0.9 and np.mean(wrong) < 0.1 and np.mean(naive) > misled


EVENTS = {"sale": ["2022-03-02", "2022-05-11"], "match": ["2022-02-08", "2022-04-21"], "quiet": ["2022-06-01"]}


def test_several_events_at_once_with_days_before_and_after():
    y = series(6)
    for day in EVENTS["sale"]:
        y[pd.Timestamp(day) + pd.to_timedelta([-1, 0, 1], "D")] += [3, 9, 6]
    found = several(y, EVENTS, before=1, after=1)
    table = found.table
    assert table.index.tolist() == list(EVENTS) and table["dates"].tolist() == [2, 2, 1]
    assert table["clear"].tolist() == [True, False, False]
    assert table.loc["sale", "low"] < 6 < table.loc["sale", "high"]
    assert (table["adjusted"] >= table[["p", "placebo"]].max(axis=1)).all()
    assert (table["shrunk"].abs() <= table["effect"].abs()).all()
    assert abs(table.loc["sale", "shrunk"]) > 0.8 * table.loc["sale", "effect"]
    sale = found.days[found.days["name"] == "sale"]
    assert sale["day"].tolist() == [-1, 0, 1]
    assert ((sale["low"] < [3, 9, 6]) & (sale["high"] > [3, 9, 6])).all()
    assert found.sentence.startswith("Of 3 events 1 stand out") and "sale +" in found.sentence


def test_overlapping_windows_are_told_apart_as_long_as_one_date_is_free():
    y = series(7)
    y[["2022-04-15", "2022-06-03"]] += 10  # Fridays
    y[["2022-04-16", "2022-05-21"]] += 5  # Saturdays
    events = {"Friday": ["2022-04-15", "2022-06-03"], "Saturday": ["2022-04-16", "2022-05-21"]}
    days = several(y, events, after=1).days.set_index(["name", "day"])
    assert days.loc[("Friday", 0), "low"] < 10 < days.loc[("Friday", 0), "high"]
    assert days.loc[("Saturday", 0), "low"] < 5 < days.loc[("Saturday", 0), "high"]
    with pytest.raises(UsageError, match="cannot be told apart"):
        several(y, {"Friday": ["2022-04-15"], "Saturday": ["2022-04-16"]}, after=1)


def test_rare_bursts_make_no_event_of_any_day():
    """Noise with bursts (t of 2 degrees): a model's p for one day trusts the normal law, the placebos do not."""
    clear = 0
    for s in range(12):
        y = series(s, phi=0.4, tail=2.0)
        at = np.random.default_rng(s).choice(N, 4, replace=False)
        events = {f"day {i}": [y.index[i]] for i in at}
        clear += several(y, events, n_placebos=199, order=1).table["clear"].any()
    assert clear <= 2


def test_event_outside_the_values_has_no_say_or_is_refused():
    y = series(8)
    y["2022-03-02"] = np.nan
    assert several(y, {"sale": EVENTS["sale"]}, order=1).table["dates"].tolist() == [2]
    with pytest.raises(UsageError, match="the series has no value in any window of 'lost'"):
        several(y, {"lost": ["2022-03-02"]})
    with pytest.raises(UsageError, match=re.escape("no date of 'later' lies within the series, 2022-01-03")):
        several(y, {"later": ["2031-01-01"]})


def test_words():
    assert in_words(Interval(-0.5, -1, 0), log=False) == "-0.5 [-1, +0]"
    assert in_words(Interval(np.log(2), 0, np.log(4)), log=True) == "+100 % [+0, +300]"


def bad_steps() -> pd.Series:
    y = series(0)
    return y[np.arange(N) != 20]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: interrupted(series(0), "2031-01-01"), "the event begins at 2031-01-01; the series needs 8 steps"),
        (lambda: interrupted(series(0), "2022-01-05"), "the event begins at 2022-01-05; the series needs 8 steps"),
        (lambda: interrupted(bad_steps(), "2022-05-01"), "steps are not all alike"),
        (lambda: interrupted(series(0) * np.inf, "2022-05-01"), "the series must hold finite numbers"),
        (lambda: interrupted(series(0) - 60, "2022-05-01", log=True), "log needs values of 0 or more; at 2022-"),
        (lambda: interrupted(series(0), "2022-05-01", periods=((7, 4),)), "a period of 7 steps has 3 pairs at most"),
        (lambda: interrupted([1, 2], "2022-05-01"), "needed is a series of 10 values or more by time"),
        (lambda: interrupted(series(0), "2022-05-01", controls=pd.DataFrame({"x": series(1)[:99]})), "the controls"),
        (lambda: interrupted(series(0), "no day"), "'no day' is no date"),
        (lambda: several(series(0), {}), "needed are events with a name, before ≥ 0 and after ≥ 0"),
    ],
)
def test_bad_input_is_one_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()
