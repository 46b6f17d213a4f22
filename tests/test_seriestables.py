"""A series of your own is read right, whatever its clock and its marks, or refused in one sentence."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import series as loading
from smlab import seriestables
from smlab.archives import Member
from smlab.catalog import Located
from smlab.checks import DataError, SmlabError, UsageError
from smlab.series import Series
from tests.test_datasets import damage

BERLIN = "Europe/Berlin"
OWN = (
    "time,brand,value\n2024-05-01,tea,\"1,204\"\n2024-05-02,tea,310\n2024-05-04,tea,\"2,001\"\n"
    "2024-05-01,coffee,12\n2024-05-02,coffee,\"1,000\"\n2024-05-03,coffee,7\n"
)  # fmt: skip


@pytest.fixture(autouse=True)
def plain(plain_environment):
    """Keep the settings of whoever runs the tests out of them."""


def own(folder: Path, data: bytes | str, **settings: str) -> Series:
    path = folder / "series.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return loading.read_series(
        Located("shop", folder, "data-dir", "0" * 64, "series-csv", {"rows": Member(path)}), **settings
    )


def rows(times: object, values: object = None, form: str = "%Y-%m-%d %H:%M") -> str:
    text = [t.strftime(form) for t in pd.DatetimeIndex(times)]  # type: ignore[arg-type]
    if values is None:
        return "time\n" + "".join(f"{t}\n" for t in text)
    return "time,value\n" + "".join(f"{t},{v}\n" for t, v in zip(text, values, strict=True))  # type: ignore[call-overload]


def assert_tidy(found: Series) -> None:
    """The contract of series, and of their account."""
    frame = found.frame
    assert isinstance(frame.index, pd.RangeIndex) and list(frame) == ["series", "time", "value"]
    assert frame["series"].dtype == "str" and frame["time"].dtype == "datetime64[ns]"
    assert frame["value"].dtype == "float64" and not np.isinf(frame["value"]).any()
    for name in found.names:
        one = found.one(name)  # pandas refuses a freq that the times do not have
        assert one.index.freqstr == found.freq and not np.isnan(one.iloc[[0, -1]]).any()
    assert list(found.labels) == ["series", "start", "end"] and found.labels["start"].dtype == "datetime64[ns]"
    assert found.dropped["rows"].sum() <= found.lines and found.note.endswith(".")


def reasons(found: Series) -> dict[str, int]:
    return dict(zip(found.dropped["reason"], found.dropped["rows"], strict=True))


def test_days_are_read_with_their_gap_and_thousands(tmp_path):
    found = own(tmp_path, OWN)
    assert_tidy(found)
    assert found.names == ["tea", "coffee"] and (found.freq, found.clock, found.lines) == ("D", "", 6)
    np.testing.assert_array_equal(found.one("tea"), [1204, 310, np.nan, 2001])
    np.testing.assert_array_equal(found.one("coffee"), [12, 1000, 7])
    assert "A step is a day, found from the stamps: 2 series of 3 to 4 steps. 1 have no value" in found.note
    with pytest.raises(UsageError, match="shop has no series 'coffe': did you mean 'coffee'"):
        found.one("coffe")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: codecs.BOM_UTF8 + s.encode(),
        lambda s: s.replace("\n", "\r\n").encode(),
        lambda s: s.encode("utf-16"),
        lambda s: ("sep=,\r\n" + s).encode(),
        lambda s: (s + ",,\n,,\n\n").encode(),
        lambda s: s.replace("time,brand,value", "日期,品牌,提及量").encode("gb18030"),
        lambda s: s.replace("time,brand,value", "ds,unique_id,y").encode(),
        lambda s: re.sub("(2024)-05-0(.)", r"\1年5月\2日", s).encode(),
        lambda s: re.sub("2024-05-0(.)", r"0\1.05.2024", s).encode(),
        lambda s: re.sub("2024-05-0(.)", r"2024-05-0\1T00:00:00+08:00", s).encode(),
        lambda s: "\n".join([s.split("\n")[0], *reversed(s.strip().split("\n")[1:])]).encode(),
        lambda s: s.replace("\n2024-05-03", "\n2024-05-02,coffee,\"1,000\"\n2024-05-03").encode(),
        lambda s: s.replace(",310", ",310\n2024-05-03,tea,n/a\n,tea,5\n2024-05-03,,5").encode(),
    ],
)  # fmt: skip
def test_forms_of_one_table_are_the_same_series(change, tmp_path):
    found, want = own(tmp_path, change(OWN)), own(tmp_path, OWN)
    assert_tidy(found)
    for name in want.names:
        pd.testing.assert_series_equal(found.one(name), want.one(name), check_names=False)


@pytest.mark.parametrize(
    ("data", "row", "column", "rule"),
    [
        ("time,value\n2024-05-01,3\n2024-05-02,x\n", 3, "value", "'x' must be a number, such as 1234.5"),
        ("time,value\n2024-05-01,3\n2024-05-02,1.2k\n", 3, "value", "must be a number"),
        ("time,value\n2024-05-01,3\n2024-05-02,inf\n", 3, "value", "must be a number"),
        ("time,value\n2024-05-01,3\n2024-05-02,9e99\n", 3, "value", "is too large to be meant"),
        ("time,value\n2024-05-01,3\n2024-05-02,#NAME?\n", 3, "value", "is what a spreadsheet shows"),
        ('time,value\n2024-05-01,"1,234"\n2024-05-02,"2,345"\n', 2, "value", "may be thousands or a fraction"),
        ("time,value\n2024-05-01,3\nlater,5\n", 3, "time", "must be a date"),
        ("time,value\n01/05/2024,3\n02/05/2024,5\n", 2, "time", "may have the day or the month first"),
        ("time,value\n31/05/2024,3\n05/31/2024,5\n", 3, "time", "has the month first, and"),
        ("time,value\n1714557600000,3\n", 2, "time", "is milliseconds"),
        ("time,value\n2024-05-01,3\n2024-05-01,5\n", 3, "time", "is there already, with another value; how='sum'"),
        ("time,value\n2024-05-01 09:00,3\n2024-05-01T10:00Z,3\n2024-05-01 11:00,3\n", 2, "time", "names no zone, and"),
        ("time,value\n2024-05-01 09:00+19:00,3\n2024-05-02,3\n", 2, "time", "must be a date"),
        ("time,value,Value\n2024-05-01,3,3\n2024-05-02,4,4\n", 1, "value", "is in the header 2 times"),
        ("time,views,likes\n2024-05-01,3,3\n", 1, "value", "in the header 2 times; call the one that counts 'value'"),
        ("day,Aufrufe\n2024-05-01,3\n2024-05-02,4\n", 1, "value", "if it is this column, call it value"),
        ("value\n3\n", 1, "time", "must be in the header; the header is 'value'"),
        ("time,value\n2024-05-01,3,4\n", 2, None, "must have 2 columns"),
        ("time,value\n", None, None, "holds a header and no rows"),
        ("", None, None, "is empty"),
        ("time,value\n2024-05-01,3\n", None, None, "holds no row that can be used. Left out of 1 rows: 1 (is the only"),
        ("time,value\n2024-05-01,\n2024-05-02,\n", None, None, "2 (has no value)"),
        ("time\n,\n2024-05-01\n", 2, None, "must have 1 columns"),
    ],
)  # fmt: skip
def test_broken_series_are_named(data, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        own(tmp_path, data)
    assert (caught.value.row, caught.value.column) == (row, column)


def test_irregular_values_are_refused_or_brought_to_steps_as_told(tmp_path):
    time = pd.date_range("2024-05-01 08:00", periods=40, freq="5min").delete(7)
    data = rows(time.insert(9, pd.Timestamp("2024-05-01 08:47")), range(40))
    with pytest.raises(DataError, match="08:47' comes 00:02:00 after the time before it, where 00:05:00 is") as caught:
        own(tmp_path, data)
    assert caught.value.row == 11
    with pytest.raises(UsageError, match="say how values come to steps of h: how='sum', 'mean' or 'last'"):
        own(tmp_path, data, freq="h")
    found = own(tmp_path, data, freq="h", how="last")
    assert_tidy(found)
    assert found.one().tolist() == [11, 23, 35, 39]
    with pytest.raises(DataError, match="has one time only, and steps need two"):
        own(tmp_path, "time,value\n2024-05-01,3\n2024-05-01,4\n", how="sum")


def test_weeks_of_which_one_came_late_are_refused_not_made_days(tmp_path):
    weeks = pd.date_range("2024-01-01", periods=20, freq="W-MON")
    late = weeks.delete(9).insert(9, weeks[9] + pd.Timedelta(days=1))
    with pytest.raises(DataError, match="'2024-03-05' comes 8 days 00:00:00 after"):
        own(tmp_path, rows(late, range(20), "%Y-%m-%d"))
    assert own(tmp_path, rows(late, range(20), "%Y-%m-%d"), freq="W", how="last").one().tolist() == list(range(20))


def test_several_values_of_a_time_are_added_up_if_so_told(tmp_path):
    data = "time,value\n2024-05-01,3\n2024-05-01,3\n2024-05-02,4\n2024-05-02,-6\n2024-05-04,1\n"
    for how, want in (("sum", [6, -2, np.nan, 1]), ("mean", [3, -1, np.nan, 1]), ("last", [3, -6, np.nan, 1])):
        np.testing.assert_array_equal(own(tmp_path, data, how=how).one(), want)
    assert "1 values are below 0" in own(tmp_path, data, how="sum").note


def test_a_row_that_stands_there_twice_is_left_out_and_counted(tmp_path):
    found = own(tmp_path, "time,value\n2024-05-01,3\n2024-05-01,3\n2024-05-02,4\n2024-05-03,\n2024-05-04,5\n")
    assert reasons(found) == {"repeats a row": 1, "has no value": 1}
    np.testing.assert_array_equal(found.one(), [3, 4, np.nan, 5])


def test_empty_cells_at_both_ends_are_no_steps(tmp_path):
    found = own(tmp_path, "time,value\n2024-05-01,\n2024-05-02,4\n2024-05-03,5\n2024-05-04,\n")
    assert found.one().tolist() == [4, 5] and str(found.one().index[0])[:10] == "2024-05-02"


# ---- events


def test_events_are_counted_a_day_or_as_asked(tmp_path):
    data = "created_at,id,text\n2024-05-01 09:30,7,Hello\n2024-05-01 09:30,8,Hello\n2024-05-03 23:59:59,9,新茶\n"
    found = own(tmp_path, data)
    assert_tidy(found)
    assert found.one().tolist() == [2, 0, 1] and found.freq == "D" and found.dropped.empty
    assert "Not read: id, text." in found.note and "A step without a row is 0" in found.note
    assert own(tmp_path, data, freq="h").one().sum() == 3 and own(tmp_path, data, freq="W").one().tolist() == [3]
    with pytest.raises(UsageError, match="how='mean' is for values"):
        own(tmp_path, data, how="mean")


def test_events_of_several_series_run_from_their_own_first_to_their_own_last(tmp_path):
    found = own(tmp_path, "time,shop\n2024-05-01,a\n2024-05-02,b\n2024-05-04,a\n2024-05-03,b\n")
    assert found.one("a").tolist() == [1, 0, 0, 1] and found.one("b").tolist() == [1, 1]


# ---- clocks


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%z"])
def test_hours_of_a_local_clock_are_all_there(form, newest_first, tmp_path):
    """A spring and an autumn, with an hour that the clock left out, and one that it showed twice."""
    hours = pd.date_range("2024-03-30", "2024-10-29", freq="h", tz=BERLIN, inclusive="left")
    values = np.arange(len(hours))
    at = slice(None, None, -1 if newest_first else 1)
    found = own(tmp_path, rows(hours[at], values[at], form), zone=BERLIN)
    assert_tidy(found)
    assert (found.freq, found.clock) == ("h", "UTC") and found.one().tolist() == values.tolist()
    assert (found.one().index == hours.tz_convert("UTC").tz_localize(None)).all()
    days = own(tmp_path, rows(hours, np.ones(len(hours), int), form), zone=BERLIN, freq="D", how="sum")
    assert days.clock == BERLIN and days.one()[["2024-03-31", "2024-10-27"]].tolist() == [23, 25]


def test_local_hours_without_a_zone_are_refused_with_a_hint(tmp_path):
    hours = pd.date_range("2024-10-26", "2024-10-28", freq="h", tz=BERLIN)
    with pytest.raises(DataError, match="'2024-10-27 02:00' is there already") as caught:
        own(tmp_path, rows(hours, range(len(hours))))
    assert caught.value.row == 29
    spring = pd.date_range("2024-03-30", "2024-04-01", freq="h", tz=BERLIN)
    assert "1 have no value" in own(tmp_path, rows(spring, range(len(spring)))).note


def test_hours_that_the_clock_left_out_or_showed_twice_are_named(tmp_path):
    skipped = "time,value\n2024-03-31 01:30,1\n2024-03-31 02:30,1\n2024-03-31 03:30,1\n"
    with pytest.raises(DataError, match="'2024-03-31 02:30' is of an hour that the clocks of Europe/Berlin left out"):
        own(tmp_path, skipped, zone=BERLIN)
    alone = "time,value\n2024-10-27 01:30,1\n2024-10-27 02:30,1\n2024-10-27 03:30,1\n"
    with pytest.raises(DataError, match="'2024-10-27 02:30' is an hour that the clocks of Europe/Berlin showed twice"):
        own(tmp_path, alone, zone=BERLIN)
    assert own(tmp_path, alone.replace(",value", "").replace(",1", ""), zone=BERLIN).one().tolist() == [3]


def test_days_need_no_zone_and_midnights_that_do_not_exist_are_days(tmp_path):
    days = pd.date_range("2018-11-01", periods=7)
    found = own(tmp_path, rows(days, range(7), "%Y-%m-%d"), zone="America/Sao_Paulo")
    assert found.one().tolist() == list(range(7)) and found.clock == "America/Sao_Paulo"


def test_midnights_with_their_distance_from_utc_are_the_days_of_the_place(tmp_path):
    days = pd.date_range("2024-03-25", periods=14, tz=BERLIN)
    data = rows(days, range(14), "%Y-%m-%dT%H:%M:%S%z")
    found = own(tmp_path, data, zone=BERLIN)
    assert (found.freq, found.clock) == ("D", BERLIN) and found.one().tolist() == list(range(14))
    with pytest.raises(DataError, match="name freq and how to bring the values to steps, or zone if the clocks"):
        own(tmp_path, data)
    before = own(tmp_path, rows(days[:6], range(6), "%Y-%m-%dT%H:%M:%S%z"))
    assert before.clock == "UTC+01:00" and str(before.one().index[0]) == "2024-03-25 00:00:00"
    events = own(tmp_path, rows(days, None, "%Y-%m-%dT%H:%M:%S%z"))
    assert events.clock == "UTC" and "several distances from UTC" in events.note


def test_seconds_since_1970_are_utc(tmp_path):
    found = own(tmp_path, "time,value\n1714557600,3\n1714561200,4\n1714564800,5\n")
    assert (found.freq, found.clock) == ("h", "UTC") and str(found.one().index[0]) == "2024-05-01 10:00:00"


def test_unknown_zone_is_an_error_even_where_it_is_not_needed(tmp_path):
    for data in (OWN, "time,value\n1714557600,3\n1714561200,4\n", "time\n2024-05-01 09:30\n2024-05-01 09:40\n"):
        with pytest.raises(UsageError, match="zone='Berlin' is no time zone"):
            own(tmp_path, data, zone="Berlin")


@pytest.mark.parametrize(
    ("times", "freq", "first"),
    [
        (["2024-01", "2024-02", "2024-04"], "MS", "2024-01-01"),
        (["2024年1月", "2024年2月", "2024年12月"], "MS", "2024-01-01"),
        (["2024-01-31", "2024-02-29", "2024-04-30"], "MS", "2024-01-01"),
        (["2024-01-01", "2024-04-01", "2025-01-01"], "QS-JAN", "2024-01-01"),
        (["2020-01-01", "2021-01-01", "2023-01-01"], "YS-JAN", "2020-01-01"),
        (["2024-01-07", "2024-01-14", "2024-01-28"], "W-SUN", "2024-01-07"),
        (["2024-01-05", "2024-01-06", "2024-01-08"], "D", "2024-01-05"),
        (["2024-01-05 09:00:30", "2024-01-05 09:05:30", "2024-01-05 09:15:30"], "5min", "2024-01-05 09:00:30"),
    ],
)
def test_length_of_a_step_is_found(times, freq, first, tmp_path):
    found = own(tmp_path, "time,value\n" + "".join(f"{t},{k}\n" for k, t in enumerate(times)))
    assert_tidy(found)
    assert found.freq == freq and found.one().index[0] == pd.Timestamp(first)


# ---- numbers


@pytest.mark.parametrize(
    ("cells", "want"),
    [
        (["1.5", "2", "-3"], [1.5, 2, -3]),
        (["1,5", "2", "-3,25"], [1.5, 2, -3.25]),
        (["1.234,5", "2", "3"], [1234.5, 2, 3]),
        (["£1,204.50", "£7", "(£3.10)"], [1204.5, 7, -3.1]),
        (["1 204", "7", "12"], [1204, 7, 12]),
        (["1\u202f204", "17\u00a0000", "12"], [1204, 17000, 12]),
        (["1.125", "2.25", "3"], [1.125, 2.25, 3]),
        (["1,204", "17,000", "3,001", "12"], [1204, 17000, 3001, 12]),
        (["1.204", "17.000", "3.001", "12"], [1204, 17000, 3001, 12]),
    ],
)
def test_marks_of_numbers_are_understood_from_the_column(cells, want, tmp_path):
    data = "time;value\n" + "".join(f"2024-05-0{k + 1};{cell}\n" for k, cell in enumerate(cells))
    assert own(tmp_path, data).one().tolist() == want


def test_the_quick_way_reads_what_the_strict_one_reads(tmp_path, monkeypatch):
    lines = [f"s{k % 7},2024-05-{k // 7 + 1:02d},{k / 8}\n" for k in range(140)]
    lines[33] = lines[33].rpartition(",")[0] + ",\n"
    absent = "value,series,time\n1,a,2024-05-01\n,a,2024-05-02\n2,a,2024-05-03\n"
    for data in ("series,time,value\n" + "".join(lines), absent):
        strict = own(tmp_path, data)
        monkeypatch.setattr(seriestables, "LONG", 0)
        pd.testing.assert_frame_equal(own(tmp_path, data).frame, strict.frame)
        monkeypatch.undo()
    monkeypatch.setattr(seriestables, "LONG", 0)
    with pytest.raises(DataError, match="is in the header 2 times"):
        own(tmp_path, "time,value,value\n2024-05-01,3,4\n2024-05-02,4,5\n")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["days", "hours", "events", "grouped"])
def test_damaged_file_is_read_tidy_or_refused_in_a_sentence(kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    days, hours = pd.date_range("2024-02-20", periods=25), pd.date_range("2024-10-26", periods=60, freq="h", tz=BERLIN)
    data = {
        "days": rows(days, rng.integers(0, 99, 25), "%Y-%m-%d"), "hours": rows(hours, rng.integers(0, 99, 60)),
        "events": rows(days + pd.to_timedelta(rng.integers(0, 9999, 25), unit="s"), None),
        "grouped": OWN,
    }[kind].encode()  # fmt: skip
    zone = {"zone": BERLIN} if kind == "hours" else {}
    for _ in range(40):
        harmed = damage(damage(data, b",", rng), b",", rng)
        try:
            assert_tidy(own(tmp_path, harmed, **zone))
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600
