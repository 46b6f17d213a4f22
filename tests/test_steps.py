"""Stamps come to regular steps: each value in one step, days of 23 and 25 hours whole, parts of a sum never a sum."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab import steps
from smlab.checks import UsageError
from smlab.steps import as_step, find_step, regular

BERLIN = "Europe/Berlin"


def ns(times: object) -> np.ndarray:
    return pd.DatetimeIndex(times).as_unit("ns").asi8  # type: ignore[arg-type]


def frame(times: object, value: object = None, series: object = None) -> pd.DataFrame:
    made = pd.DataFrame({"time": pd.DatetimeIndex(times)})  # type: ignore[arg-type]
    for name, column in (("value", value), ("series", series)):
        if column is not None:
            made[name] = column
    return made


@pytest.mark.parametrize("freq", ["5min", "h", "D", "2D", "W", "W-SUN", "MS", "QS-JAN", "QS-OCT", "YS-JAN", "2MS"])
def test_steps_begin_where_pandas_lets_them_begin(freq):
    time = ns(pd.date_range("1969-11-30 03:20", "2031-02-03", periods=997))
    step, code = as_step(freq), np.zeros(997, np.int64)
    number = step.at(time, code)
    begin = step.start(number, code)
    assert (begin <= time).all() and (time < step.start(number + 1, code)).all()
    if freq != "2MS" and freq != "2D":
        offset = pd.tseries.frequencies.to_offset(step.freq)
        assert all(offset.is_on_offset(t) for t in pd.DatetimeIndex(begin.view("datetime64[ns]")))


@pytest.mark.parametrize("freq", ["ME", "B", "-1D", "0h", "month", "", None, 3])
def test_what_is_no_step_is_said(freq):
    with pytest.raises(UsageError, match=r"freq=.* must be a step such as 5min, h, D, W, MS, QS or YS"):
        as_step(freq)


@pytest.mark.parametrize("freq", ["5min", "90s", "h", "6h", "D", "W-WED", "14D", "MS", "ME", "QS-JAN", "YS-JAN"])
@pytest.mark.parametrize("seed", range(3))
def test_step_is_found_from_any_stamps_that_are_left(freq, seed):
    rng = np.random.default_rng(seed)
    whole = pd.date_range("2020-01-01", periods=200, freq=freq)
    code, time = [], []
    for k in range(3):
        left = whole[np.sort(rng.choice(200, 150, replace=False))]
        time.append(ns(left))
        code.append(np.full(150, k))
    found = find_step(np.concatenate(time), np.concatenate(code))
    assert found is not None and found.freq == freq.replace("ME", "MS")
    number = found.at(np.concatenate(time), np.concatenate(code))
    assert (number.reshape(3, 150)[:, 0] == 0).all() and (np.diff(number.reshape(3, 150)) > 0).all()


def test_stamps_with_jitter_have_no_step_and_lone_ones_neither():
    rng = np.random.default_rng(0)
    jitter = ns(pd.date_range("2024-01-01", periods=99, freq="5min")) + rng.integers(0, 9, 99) * 10**9
    assert find_step(jitter, np.zeros(99, np.int64)) is None
    assert find_step(jitter[:3] * 0, np.arange(3)) is None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("how", steps.HOWS)
def test_steps_agree_with_pandas(how, seed):
    """Irregular values of two series, brought to days, as `groupby` of pandas does it."""
    rng = np.random.default_rng(seed)
    time = pd.Timestamp("2024-02-20") + pd.to_timedelta(rng.integers(0, 20 * 86_400, 90), unit="s")
    made = frame(time, rng.normal(size=90), rng.choice(["b", "a"], 90))
    found = regular(made, "D", how).set_index(["series", "time"])["value"]
    ordered = made.sort_values("time", kind="stable")
    want = ordered.groupby(["series", ordered["time"].dt.normalize()])["value"].agg(how)
    np.testing.assert_allclose(found.dropna().sort_index(), want.sort_index())
    for _, part in found.groupby("series"):
        days = part.index.get_level_values("time")
        assert (np.diff(days) == np.timedelta64(1, "D")).all() and not np.isnan(part.iloc[[0, -1]]).any()


def test_rows_without_values_are_counted_and_days_between_hold_none():
    made = regular(frame(["2024-05-01 23:59", "2024-05-04 00:00", "2024-05-01"]), "D")
    assert list(made) == ["series", "time", "value"] and made["series"].unique().tolist() == ["all"]
    assert made["value"].tolist() == [2, 0, 0, 1] and made["time"].dtype == "datetime64[ns]"


def test_a_day_of_23_hours_and_one_of_25_are_whole():
    hours = pd.date_range("2024-03-01", "2024-12-01", freq="h", tz=BERLIN, inclusive="left")
    days = regular(frame(hours, np.ones(len(hours))), "D", zone=BERLIN).set_index("time")["value"]
    assert days["2024-03-31"] == 23 and days["2024-10-27"] == 25 and days.value_counts()[24.0] == len(days) - 2
    assert len(days) == 275 and (days.index == pd.date_range("2024-03-01", periods=275)).all()
    without = regular(frame(hours.tz_convert("UTC").tz_localize(None), np.ones(len(hours))), "D", zone=BERLIN)
    assert without["value"].tolist() == days.tolist()


def test_midnights_that_a_clock_left_out_begin_a_day_too():
    hours = pd.date_range("2018-11-01", "2018-11-08", freq="h", tz="America/Sao_Paulo", inclusive="left")
    days = regular(frame(hours, np.ones(len(hours))), "D", zone="America/Sao_Paulo")
    assert days["value"].tolist() == [24, 24, 24, 23, 24, 24, 24]


def test_a_sum_of_a_part_is_no_sum():
    hours = pd.date_range("2024-05-01 22:00", "2024-05-05 03:00", freq="h")
    value = np.ones(len(hours))
    value[30] = np.nan  # in the night of 3 May
    summed = regular(frame(hours, value), "D")
    assert [str(t)[:10] for t in summed["time"]] == ["2024-05-02", "2024-05-03", "2024-05-04"]
    np.testing.assert_array_equal(summed["value"], [24, np.nan, 24])
    assert regular(frame(hours, value), "D", "mean")["value"].tolist() == [1.0] * 5
    kept = np.delete(np.arange(len(hours)), 30)  # a row that is absent is as one without a value
    np.testing.assert_array_equal(regular(frame(hours[kept], value[kept]), "D")["value"], [24, np.nan, 24])
    with pytest.raises(UsageError, match="no step of MS that is wholly measured"):
        regular(frame(hours, value), "MS")


def test_weeks_months_and_quarters_of_days_are_whole_or_nothing():
    days = pd.date_range("2023-12-31", "2024-07-02")
    value = np.ones(len(days))
    assert regular(frame(days, value), "MS")["value"].tolist() == [31, 29, 31, 30, 31, 30]
    assert regular(frame(days, value), "QS")["value"].tolist() == [91, 91]
    weeks = regular(frame(days, value), "W")
    assert (weeks["value"] == 7).all() and (weeks["time"].dt.day_of_week == 0).all() and len(weeks) == 26
    months = regular(frame(days, value), "MS")
    assert regular(months, "QS")["value"].tolist() == [91, 91]


@pytest.mark.parametrize("phase", [0, 53, 299])
def test_total_is_kept_in_finer_and_coarser_steps(phase):
    time = pd.date_range("2024-05-01", periods=12 * 48, freq="5min") + pd.Timedelta(seconds=phase)
    value = np.arange(len(time), dtype=float)
    assert regular(frame(time, value), "h")["value"].sum() == value.sum()


def test_shorter_steps_are_those_of_utc_whatever_the_zone():
    hours = pd.date_range("2024-10-26 20:00", periods=12, freq="h", tz=BERLIN)
    made = regular(frame(hours, np.ones(12)), "h", zone=BERLIN)
    assert len(made) == 12 and str(made["time"][0]) == "2024-10-26 18:00:00"


@pytest.mark.parametrize(
    ("made", "change", "rule"),
    [
        (frame(["2024-05-01"]), {"zone": "Berlin"}, "zone='Berlin' is no time zone"),
        (frame(["2024-05-01"]), {"zone": "../etc"}, "is no time zone"),
        (frame(["2024-05-01"]), {"how": "max"}, "how='max' must be sum, mean or last"),
        (frame(["2024-05-01", None]), {}, "every row must have a time"),
        (frame([]), {}, "every row must have a time, and there must be one"),
        (pd.DataFrame({"time": ["2024-05-01"]}), {}, "need the column 'time', of dates"),
        (frame(["2024-05-01"], ["x"]), {}, "'value' must hold numbers"),
        (frame(["1970-01-01", "2099-01-01"]), {"freq": "s"}, "steps of s would be 4,070,908,801"),
        (frame(["2024-05-01"], [np.nan]), {}, "no step of D that is wholly measured"),
    ],
)
def test_bad_input_is_named(made, change, rule):
    with pytest.raises(UsageError, match=rule):
        regular(made, **{"freq": "D", **change})
