"""Dates are read as shops write them; where nobody can tell the day from the month, that is an error."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab.checks import DataError
from smlab.coded import Column, Table
from smlab.daytimes import Order, moments


def read(*cells: str, order: Order | None = None) -> list[str]:
    values = list(dict.fromkeys(cells))
    codes = np.array([values.index(cell) for cell in cells], dtype=np.int32)
    table = Table("t.csv", {"time": Column(codes, values)}, np.arange(2, len(cells) + 2))
    return [str(t) for t in moments(table, "time", order=order)[0]]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01", "2024-05-01T00:00:00"), ("2024/5/1 9:30", "2024-05-01T09:30:00"),
        ("2024.05.01 09:30:15", "2024-05-01T09:30:15"), ("2024-05-01T09:30:00.123Z", "2024-05-01T09:30:00"),
        ("2024-05-01T09:30:00+08:00", "2024-05-01T09:30:00"), ("20240501", "2024-05-01T00:00:00"),
        ("01.05.2024", "2024-05-01T00:00:00"), ("1714557600", "2024-05-01T10:00:00"),
        ("05/31/2024 5:07 PM", "2024-05-31T17:07:00"), ("31/05/2024, 12:07 am", "2024-05-31T00:07:00"),
        (" 2024-05-01 ", "2024-05-01T00:00:00"), ("", "NaT"), ("N/A", "NaT"), ("5/5/2024", "2024-05-05T00:00:00"),
    ],
)  # fmt: skip
def test_one_date_is_read(text, moment):
    assert read(text) == [moment]


def test_three_formats_in_one_column_are_read():
    assert read("2024-05-01", "13/05/2024", "02.05.2024 10:00", "03/05/2024", "") == [
        "2024-05-01T00:00:00", "2024-05-13T00:00:00", "2024-05-02T10:00:00", "2024-05-03T00:00:00", "NaT",
    ]  # fmt: skip


def test_one_date_shows_what_comes_first_in_all():
    assert read("01/02/2024", "12/31/2024")[0] == "2024-01-02T00:00:00"
    assert read("01/02/2024", "31/12/2024")[0] == "2024-02-01T00:00:00"
    assert read("01/02/2024", order="month") == ["2024-01-02T00:00:00"]
    assert read("01-02-2024", "1/13/2024", "13-01-2024") == [
        "2024-02-01T00:00:00", "2024-01-13T00:00:00", "2024-01-13T00:00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "row", "rule"),
    [
        (["2024-05-01", "01/02/2024", "03/04/2024"], 3, "'01/02/2024' may have the day or the month first, and no"),
        (["13/02/2024", "02/13/2024"], 3, "'02/13/2024' has the month first, and '13/02/2024' of the same column the"),
        (["2024-05-01", "yesterday"], 3, "'yesterday' must be a date from 1970 to 2099, best with the year first"),
        (["2024-02-30"], 2, "'2024-02-30' must be a date"), (["1/5/24"], 2, "has two digits for the year"),
        (["45413.4"], 2, "is a spreadsheet's days since 1900"), (["1714557600000"], 2, "is milliseconds since 1970"),
        (["2024-05-01 25:00"], 2, "must be a date"), (["1969-12-31"], 2, "must be a date from 1970"),
        (["2100-01-01"], 2, "to 2099"), (["2024-05-01", "x", "y", "x"], 3, "(and 2 more rows)"),
        (["2024-05/01"], 2, "must be a date"), (["２０２４"], 2, "must be a date"), (["99999999"], 2, "must be a date"),
    ],
)  # fmt: skip
def test_what_is_no_date_is_named(cells, row, rule):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        read(*cells)
    assert (caught.value.row, caught.value.column) == (row, "time")
