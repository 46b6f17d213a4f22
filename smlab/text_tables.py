"""Split the bytes of a table into rows of text, strictly: an unreadable byte or a row of another width is an
error.

Nothing is guessed or dropped. Text is UTF-8, with or without a byte-order mark; tables of titles and people
in the old MovieLens formats may be Latin-1 instead, which is taken when the bytes are not UTF-8 and hold no
C1 control code (0x80 to 0x9f: no Latin-1 text has one, many other encodings do). Lines end with LF or CRLF.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from smlab.checks import DataError

MAX_FIELD = 1 << 20
_C1 = re.compile(rb"[\x80-\x9f]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Table:
    """Columns of text and the line number (from 1) of each row."""

    columns: list[list[str]]
    lines: list[int]


def decode(data: bytes, file: str, *, latin_1: bool = False) -> str:
    """Decode a whole file to text with LF line ends, without the byte-order mark."""
    if data.startswith(_UTF16):
        raise DataError(file, "is UTF-16; save it as UTF-8", row=1)
    if not data.strip(b"\xef\xbb\xbf\r\n \t"):
        raise DataError(file, "is empty")
    if (at := data.find(b"\0")) >= 0:
        raise DataError(file, "holds a NUL byte; the file is damaged or not text", row=_row(data, at))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # utf-8-sig counts from after the byte-order mark
        at = error.start + 3 * data.startswith(b"\xef\xbb\xbf")
        c1 = _C1.search(data)
        if not latin_1 or c1:
            rule = "is not UTF-8" + (" and not Latin-1" if latin_1 else "")
            raise DataError(file, rule, row=_row(data, at), value=data[at : at + 8]) from None
        text = data.decode("latin-1")
    text = text.replace("\r\n", "\n")
    if (at := text.find("\r")) >= 0:
        raise DataError(file, "holds a carriage return inside a line", row=text.count("\n", 0, at) + 1)
    return text


def _row(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def split(text: str, file: str, separator: str, width: int, *, first: int = 1, free: int | None = None) -> Table:
    """Split lines at a separator; quotes are ordinary characters.

    Parameters
    ----------
    width : number of columns that every row must have
    first : line number of the first line of `text`
    free : position of a column of free text, which may hold the separator itself
    """
    rows = text.rstrip("\n").split("\n")
    fields = [row.split(separator) for row in rows]
    if free is not None:
        fields = [_join(row, separator, width, free) if len(row) > width else row for row in fields]
    _check_widths([len(row) for row in fields], range(first, first + len(rows)), rows, file, separator, width)
    return Table(list(map(list, zip(*fields, strict=True))), list(range(first, first + len(rows))))


def _join(row: list[str], separator: str, width: int, free: int) -> list[str]:
    extra = len(row) - width
    return [*row[:free], separator.join(row[free : free + extra + 1]), *row[free + extra + 1 :]]


def headed(
    text: str, file: str, separator: str, wanted: dict[str, tuple[str, ...]]
) -> tuple[list[str], dict[str, int], Table]:
    """Split a table with a header; give the header's names, the places of the wanted columns, and the rows.

    Fields of comma-separated text may be quoted and then hold commas, quotes and line ends.
    """
    if separator == ",":
        numbered = list(_csv_rows(text, file))
        while len(numbered) > 1 and not numbered[-1][1]:  # empty lines at the end
            numbered.pop()
        (_, first), rows = numbered[0], numbered[1:]
        header = [name.strip() for name in first]
        at = header_columns(header, wanted, file)
        fields, lines = [row for _, row in rows], [line for line, _ in rows]
        _check_widths([len(row) for row in fields], lines, list(map(",".join, fields)), file, ",", len(header))
        columns = list(map(list, zip(*fields, strict=True))) if fields else [[] for _ in header]
        return header, at, Table(columns, lines)
    head, _, body = text.partition("\n")
    header = header_names(head, separator)
    at = header_columns(header, wanted, file)
    if not body.strip("\n"):
        return header, at, Table([[] for _ in header], [])
    return header, at, split(body, file, separator, len(header), first=2)


def header_names(line: str, separator: str) -> list[str]:
    """Names in a header without quotes; RecBole's types (`user_id:token`) are taken off."""
    names = (name.partition(":")[0] if separator == "\t" else name for name in line.split(separator))
    return [name.strip() for name in names]


def _csv_rows(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(text.split("\n"), strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(file, f"is not comma-separated text ({error})", row=line) from None
        yield line, row
        line = reader.line_num + 1


def _check_widths(
    widths: list[int], lines: list[int] | range, rows: list[str], file: str, separator: str, width: int
) -> None:
    wrong = [i for i, found in enumerate(widths) if found != width]
    if wrong:
        at = wrong[0]
        rule = f"must have {width} columns separated by {separator!r}, has {widths[at] if rows[at] else 'none'}"
        raise DataError(file, rule, row=lines[at], value=rows[at], more=len(wrong) - 1)


def header_columns(header: list[str], wanted: dict[str, tuple[str, ...]], file: str) -> dict[str, int]:
    """Find the wanted columns in a header by any of their names, without regard to case.

    >>> header_columns(["userId", "rating"], {"user": ("user", "userid"), "rating": ("rating",)}, "f.csv")
    {'user': 0, 'rating': 1}
    """
    lowered = [name.lower() for name in header]
    for name in lowered:
        if lowered.count(name) > 1:
            raise DataError(file, "is in the header more than once", row=1, value=header[lowered.index(name)])
    found = {}
    for column, spellings in wanted.items():
        at = [lowered.index(spelling) for spelling in spellings if spelling in lowered]
        if len(at) != 1:
            rule = f"must be in the header exactly once (as {' or '.join(spellings)}); the header is"
            raise DataError(file, f"{rule} {', '.join(header)[:100]}", row=1, column=column)
        found[column] = at[0]
    return found
