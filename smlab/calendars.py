"""A posting plan as a calendar and as a table for spreadsheets, whatever its texts try.

A calendar is RFC 5545: lines of at most 75 bytes that end with CRLF, cut between characters; commas, semicolons,
backslashes and ends of lines escaped; times in UTC; the same key is the same event, also when it has moved.

A spreadsheet computes a cell that begins with =, +, - or @ (full-width ones too), whoever wrote it, so in the CSV such
texts begin with an apostrophe (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd

from smlab import atomic
from smlab.checks import UsageError, shorten

FORMULA = tuple("=+-@＝＋－＠")
CONTROL = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))  # but for tabs and ends of lines


def as_ics(table: pd.DataFrame, *, stamp: datetime | None = None, minutes: int = 15) -> str:
    """Write a plan as a calendar.

    Parameters
    ----------
    table : of a `Plan`
    stamp : when the calendar was made; now
    """
    made = f"{stamp or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//smlab//posting plan//EN", "CALSCALE:GREGORIAN"]
    for r in cast(Iterable[Any], table.itertuples()):
        head = shorten(" ".join(r.text.split()))
        lines += ["BEGIN:VEVENT", f"UID:{hashlib.sha256(r.key.encode()).hexdigest()[:32]}@smlab", f"DTSTAMP:{made}"]
        lines += [f"DTSTART:{r.time:%Y%m%dT%H%M%SZ}", f"DTEND:{r.time + timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}"]
        lines += [f"SUMMARY:{_escape(f'{r.channel}, {r.audience}: {head}')}", f"DESCRIPTION:{_escape(r.text)}"]
        lines += ["STATUS:TENTATIVE", "TRANSP:TRANSPARENT", "END:VEVENT"]
    return "".join(f"{_fold(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def as_csv(table: pd.DataFrame) -> str:
    """Write a plan for a spreadsheet, which computes nothing of it: such texts begin with an apostrophe.

    >>> print(as_csv(pd.DataFrame({"key": ["a"], "text": ["=1+1"]})).split()[1])
    a,'=1+1
    """
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(table.columns)
    for row in table.itertuples(index=False):
        cells = [_printable(c) if isinstance(c, str) else c for c in row]
        rows.writerow([f"'{c}" if isinstance(c, str) and c.lstrip().startswith(FORMULA) else c for c in cells])
    return "\ufeff" + out.getvalue()  # the mark tells spreadsheets that it is UTF-8


def export(table: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Write plan.ics and plan.csv into a folder, which is made if it is not there.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    """
    to = Path(folder).expanduser()
    try:
        to.mkdir(parents=True, exist_ok=True)
        return [atomic.write(to / "plan.ics", as_ics(table)), atomic.write(to / "plan.csv", as_csv(table))]
    except OSError as error:
        raise UsageError(f"{to}: the plan cannot be written there ({error.strerror or error})") from error


def _printable(text: str) -> str:
    """Drop control characters, which neither format may hold, but for tabs and ends of lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").encode(errors="replace").decode()
    return text.translate(CONTROL)


def _escape(text: str) -> str:
    text = _printable(text).replace("\\", "\\\\")
    return text.replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _fold(line: str) -> str:
    """Cut a line into pieces of at most 75 bytes, never within a character; each further one begins with a blank."""
    data, pieces, begin = line.encode(), [], 0
    while begin < len(data):
        end = min(begin + (75 if not begin else 74), len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[begin:end].decode())
        begin = end
    return "\r\n ".join(pieces)
