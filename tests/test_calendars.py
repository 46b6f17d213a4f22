"""Calendars that other programs read, and tables in which nothing is computed."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from smlab import calendars
from smlab.calendars import as_csv, as_ics
from smlab.checks import UsageError

STAMP = datetime(2026, 3, 1, 9)
TEXTS = [
    "Plain",
    "Commas, semicolons; backslashes \\ and \\n that is none\nsecond line\r\nthird",
    "END:VEVENT\r\nBEGIN:VALARM\nATTACH:file:///etc/passwd",
    "你好，世界 🎉" * 40,
    "<script>alert(1)</script> \0\x07\u2028 e\u0301",
    '=HYPERLINK("http://evil.example","click")',
    "x" * 10**6,
]


def table(texts):
    n = len(texts)
    times = pd.date_range("2026-03-29 00:30", periods=n, freq="1D")
    columns = {"key": [f"k{i}" for i in range(n)], "channel": "m", "audience": "a;b", "time": times}
    return pd.DataFrame({**columns, "local": "2026-03-29 02:30 +0200", "value": -1.5, "text": texts})


def read(ics):
    """Read a calendar by RFC 5545: unfold, split names from values, unescape, check how components nest."""
    assert ics.endswith("\r\n") and not set(ics.replace("\r\n", "")) & {"\r", "\n"}
    lines = ics.encode().split(b"\r\n")
    assert max(map(len, lines)) <= 75
    for line in lines:
        line.decode()  # no character is cut
    stack, events = [], []
    for line in ics.replace("\r\n ", "").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        if name == "BEGIN":
            stack.append(value)
            events += [{}] if value == "VEVENT" else []
        elif name == "END":
            assert stack.pop() == value
        elif stack[-1] == "VEVENT":
            assert name not in events[-1]
            events[-1][name] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)
    assert not stack
    return events


def clean(text):
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or not ("\0" <= c < " " or "\x7f" <= c < "\xa0"))


def test_calendar_comes_back_whatever_is_in_the_texts():
    events = read(as_ics(table(TEXTS), stamp=STAMP))
    assert [e["DESCRIPTION"] for e in events] == [clean(t) for t in TEXTS]
    assert events[0]["SUMMARY"] == "m, a;b: Plain" and events[0]["DTSTAMP"] == "20260301T090000Z"
    assert events[0]["DTSTART"] == "20260329T003000Z" and events[0]["DTEND"] == "20260329T004500Z"
    assert set(events[0]) == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "STATUS", "TRANSP"}


def test_calendar_is_read_by_another_library():
    icalendar = pytest.importorskip("icalendar")
    events = icalendar.Calendar.from_ical(as_ics(table(TEXTS), stamp=STAMP)).walk("VEVENT")
    assert [str(e["DESCRIPTION"]) for e in events] == [clean(t) for t in TEXTS]
    assert events[0]["DTSTART"].dt.isoformat() == "2026-03-29T00:30:00+00:00" and not events[0].errors


def test_same_key_is_the_same_event_also_when_it_moves():
    one, moved = table(["a", "b"]), table(["a", "b"]).assign(time=pd.Timestamp("2027-01-01"))
    uids = [[e["UID"] for e in read(as_ics(t))] for t in (one, moved)]
    assert uids[0] == uids[1] and len(set(uids[0])) == 2
    assert as_ics(one, stamp=STAMP) == as_ics(one, stamp=STAMP) and not read(as_ics(one.head(0)))


@pytest.mark.parametrize("length", [*range(60, 90), 149, 150, 151])
def test_lines_are_cut_between_characters(length):
    for sign in ("x", "é", "中", "🎉", ","):
        assert read(as_ics(table([sign * length])))[0]["DESCRIPTION"] == sign * length


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n =1", " =1", "＝1+1", "－1", "\0=1", "'=1"]
)
def test_no_text_is_computed_by_a_spreadsheet(text):
    cell = read_csv(as_csv(table([text])))[1][-1]
    assert cell.startswith("'")
    assert cell.removeprefix("'") == (clean(text) if text[0] != "'" else text[1:])


def test_table_comes_back_and_numbers_stay_numbers():
    rows = read_csv(as_csv(table(TEXTS)))
    assert rows[0] == table(TEXTS).columns.tolist() and [r[5] for r in rows[1:]] == ["-1.5"] * len(TEXTS)
    assert [r[-1].removeprefix("'") for r in rows[1:]] == [clean(t) for t in TEXTS]
    assert as_csv(table(["你好"])).encode()[:3] == b"\xef\xbb\xbf"
    assert np.unique([len(r) for r in rows]).tolist() == [7]


def read_csv(text):
    csv.field_size_limit(10**7)
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_export_writes_both_files_and_says_where_it_cannot(tmp_path):
    table = pd.DataFrame({"key": ["a"], "text": ["Tea"], "channel": ["x"], "audience": ["all"], "value": [1.0],
                          "time": [pd.Timestamp("2027-03-22 09:00")], "local": ["2027-03-22 09:00 +0000"]})  # fmt: skip
    paths = calendars.export(table, tmp_path / "new" / "folder")
    assert [p.name for p in paths] == ["plan.ics", "plan.csv"] and "BEGIN:VEVENT" in paths[0].read_text()
    with pytest.raises(UsageError, match="the plan cannot be written there"):
        calendars.export(table, "/dev/null/plan")
