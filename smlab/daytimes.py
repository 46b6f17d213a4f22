"""Dates and times as shops write them: year first, day first, month first, seconds since 1970, in one column.

2024-05-01, 2024/5/1 9:30, 2024-05-01T09:30:00+08:00, 20240501 and 01.05.2024 can be read one by one. 01/05/2024
cannot: it is read only if another date of the column shows which of the two is the day (31/12/2024), else it is an
error. Times stay as they are written, on the clock of the shop; what they say of a zone is left off.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smlab.coded import Table

Order = Literal["day", "month"]
MISSING = frozenset(("", "-", "?", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "nil", "(null)", "(blank)"))
RULE = "must be a date from 1970 to 2099, best with the year first, such as 2024-05-01 or 2024-05-01 09:30"
CLOCK = r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?: ?([AaPp])\.?[Mm]\.?)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?"
YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + CLOCK, re.ASCII)
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + CLOCK, re.ASCII)
GUESSES = (
    (re.compile("[0-9]{13}"), "is milliseconds since 1970, it seems; write seconds or a date"),
    (re.compile(r"[0-9]{5}(?:\.[0-9]*)?"), "is a spreadsheet's days since 1900, it seems; export the column as dates"),
    (re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?:[ T].*)?"), "has two digits for the year; write all four"),
)  # fmt: skip


def moments(table: Table, name: str, *, order: Order | None = None) -> tuple[NDArray[np.datetime64], str]:
    """Read a column of dates.

    Parameters
    ----------
    order : which comes first in 01/05/2024, where the source is known; None finds it out, or refuses

    Returns
    -------
    (n,) datetime64[s], NaT where the cell is empty; and a sentence on the order that was found, or nothing

    Raises
    ------
    DataError
        For the first cell that is no date, and where nobody can tell the day from the month; with its row.
    """
    said = ""
    orders: dict[str, Order] = dict.fromkeys("/-", order) if order else {}
    if order is None:
        orders, said = _orders(table, name)
    for pattern, rule in GUESSES:
        table.refuse(name, lambda v, p=pattern: p.fullmatch(v.strip()) is not None, rule)  # type: ignore[misc]
    found = table.each(name, lambda v: np.datetime64(_moment(v.strip(), orders) or "NaT", "s"), "datetime64[s]")
    wrong = np.isnat(found) & ~table.each(name, is_missing, bool)
    if wrong.any():
        table.fail(name, int(wrong.argmax()), RULE, more=int(wrong.sum()) - 1)
    return found, said


def is_missing(value: str) -> bool:
    """Whether a cell is empty, or says that it is.

    >>> is_missing(" N/A"), is_missing("0")
    (True, False)
    """
    return value.strip().lower() in MISSING


def _orders(table: Table, name: str) -> tuple[dict[str, Order], str]:
    """Find out whether the day or the month comes first, for dates with slashes and for those with hyphens."""
    orders: dict[str, Order] = {}
    said = ""
    for mark in "/-":
        split = {v: m for v in table.columns[name].values if (m := YEAR_LAST.fullmatch(v.strip())) and m[2] == mark}
        shown = {
            "day": [v for v, m in split.items() if int(m[1]) > 12 >= int(m[3])],
            "month": [v for v, m in split.items() if int(m[3]) > 12 >= int(m[1])],
        }
        if shown["day"] and shown["month"]:
            rule = f"has the month first, and {shown['day'][0]!r} of the same column the day; write the year first"
            table.refuse(name, set(shown["month"]).__contains__, rule)
        open_ = {v for v, m in split.items() if m[1].zfill(2) != m[3].zfill(2)}
        if open_ and not shown["day"] and not shown["month"]:
            rule = "may have the day or the month first, and no date of the column shows which; write the year first"
            table.refuse(name, open_.__contains__, rule)
        orders[mark] = "month" if shown["month"] else "day"
        if shown["day"] or shown["month"]:
            sample = (shown["day"] + shown["month"])[0]
            said += f" Dates such as {sample!r} are read with the {orders[mark]} first."
    return orders, said


def _moment(value: str, orders: dict[str, Order]) -> datetime | None:
    """Read one date; None if it is none.

    >>> str(_moment("31/12/2024 5:30 pm", {"/": "day"})), str(_moment("01.05.2024", {})), _moment("2024-02-30", {})
    ('2024-12-31 17:30:00', '2024-05-01 00:00:00', None)
    """
    try:
        if value.isascii() and value.isdigit():
            found = _digits(value)
        elif parts := YEAR_FIRST.fullmatch(value):
            found = _clock(datetime(int(parts[1]), int(parts[3]), int(parts[4])), parts)
        elif parts := YEAR_LAST.fullmatch(value):
            first, second = int(parts[1]), int(parts[3])
            month, day = (first, second) if orders.get(parts[2]) == "month" else (second, first)
            found = _clock(datetime(int(parts[4]), month, day), parts)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return found if 1970 <= found.year < 2100 else None


def _digits(value: str) -> datetime:
    if len(value) == 8:
        return datetime.strptime(value, "%Y%m%d")
    if len(value) not in (9, 10):
        raise ValueError(value)
    return datetime.fromtimestamp(int(value), UTC).replace(tzinfo=None)


def _clock(day: datetime, parts: re.Match[str]) -> datetime:
    hour, minute, second = (int(part or 0) for part in parts.group(5, 6, 7))
    if half := parts[8]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + 12 * (half in "Pp")
    return day.replace(hour=hour, minute=minute, second=second)
