"""Read a large table of text, strictly, in little memory: of each column the different values, and a code for each row.

A million lines of a shop name the same six thousand customers, five thousand products and forty countries over and
over. What has to be understood, a date or a sum of money, is so understood once for each different value.
"""

from __future__ import annotations

import csv
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice, repeat
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from smlab.checks import DataError
from smlab.text_tables import MAX_FIELD

BATCH = 500  # rows that stay in a processor's cache


class Column(NamedTuple):
    """A column of n rows: `values[codes[i]]` is the cell of row i."""

    codes: NDArray[np.int32]
    values: list[str]


@dataclass(frozen=True)
class Table:
    """Columns of text, and the line of the file in which each row begins (from 1)."""

    file: str
    columns: dict[str, Column]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)

    def each(self, name: str, turn: Callable[[str], Any], dtype: DTypeLike) -> NDArray[Any]:
        """Turn each different value of a column once, and give the result for every row, (n,)."""
        codes, values = self.columns[name]
        return np.fromiter(map(turn, values), dtype, len(values))[codes]

    def text(self, name: str, turn: Callable[[str], str] = str.strip) -> pd.Categorical:
        """Give a column as categories after each value is turned; those that become the same are one."""
        codes, values = self.columns[name]
        new, kept = pd.factorize(np.array([turn(value) for value in values], dtype=object))
        return pd.Categorical.from_codes(new[codes], pd.Index(kept, dtype="str"))

    def cells(self, row: int) -> list[str]:
        """Give the cells of one row, of the columns that were read."""
        return [column.values[column.codes[row]] for column in self.columns.values()]

    def refuse(self, name: str, wrong: Callable[[str], bool], rule: str) -> None:
        """Raise a DataError for the first row of which the value is wrong."""
        bad = self.each(name, wrong, bool)
        if bad.any():
            self.fail(name, int(bad.argmax()), rule, more=int(bad.sum()) - 1)

    def fail(self, name: str, row: int, rule: str, more: int = 0) -> None:
        """Raise a DataError for a cell."""
        codes, values = self.columns[name]
        raise DataError(self.file, rule, row=int(self.lines[row]), column=name, value=values[codes[row]], more=more)


Find = Callable[[list[str], int], dict[str, int]]


def quick(stream: IO[bytes], file: str, separator: str, find: Find) -> Table | None:
    """Read a table in UTF-8 by pandas, which is quick and not strict; None where only `read` can say what is right.

    That is so for rows of another width (pandas fills up short ones, so a last cell may not be empty), for cells
    with ends of lines, and for all that pandas refuses.
    """
    try:
        frame = pd.read_csv(
            stream, sep=separator, dtype=object, na_filter=False, encoding="utf-8-sig", skip_blank_lines=False
        )
    except ValueError:  # of pandas' parser, and of the encoding
        return None
    if frame.empty or not isinstance(frame.index, pd.RangeIndex) or (frame.iloc[:, -1] == "").any():
        return None
    header, columns = list(map(str, frame)), []
    for name in frame.columns.tolist():
        codes, values = pd.factorize(frame.pop(name))
        columns.append(Column(codes.astype(np.int32), values.tolist()))
    if any("\n" in value or "\0" in value for column in columns for value in column.values):
        return None
    found = {name: columns[place] for name, place in find(header, 1).items()}
    return Table(file, found, np.arange(2, len(columns[0].codes) + 2))


def read(text: Iterable[str], file: str, separator: str, find: Find, *, skip: int = 0) -> Table:
    """Read a table with a header and quoted cells; empty rows at the end are left off.

    Parameters
    ----------
    text : the lines with their ends, as `open(newline="")` or `io.StringIO` gives them
    find : header, its line → our name for each column that is wanted, and its place
    skip : lines before the header

    Raises
    ------
    DataError
        For an empty file, one without rows, and a row of another width; with its line.
    """
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(text, delimiter=separator, strict=True)
    batches = _batches(reader, file, separator, skip)
    for _ in range(skip):
        next(batches, None)
    header, at = next(batches, ([], []))
    if not header:
        raise DataError(file, "is empty")
    names, width = find(header[0], at[0]), len(header[0])
    codes = {name: array("i") for name in names}
    known: dict[str, defaultdict[str, int]] = {name: defaultdict(count().__next__) for name in names}
    lines = array("q")
    for rows, at in batches:
        _check_widths(rows, at, file, separator, width)
        columns = list(zip(*rows, strict=True))
        for name, place in names.items():
            codes[name].extend(map(known[name].__getitem__, columns[place]))
        lines.extend(at)
    if not lines:
        raise DataError(file, "holds a header and no rows")
    found = {name: Column(np.frombuffer(codes[name], np.int32), list(known[name])) for name in names}
    return Table(file, found, np.frombuffer(lines, np.int64))


def _batches(reader: Any, file: str, separator: str, skip: int) -> Iterator[tuple[list[list[str]], list[int]]]:
    """Yield the header, then many rows at a time, each with its line; not the empty ones at the end."""
    empty: tuple[list[list[str]], list[int]] = [], []
    for size in chain((1,) * (1 + skip), repeat(BATCH)):
        line = reader.line_num + 1
        rows: list[list[str]] = []
        try:
            rows.extend(islice(reader, size))
        except csv.Error as error:
            line = reader.line_num
            raise DataError(file, f"is not a table with {separator!r} between the cells ({error})", row=line) from None
        if not rows:
            return
        at = _lines(rows, line, reader.line_num)
        rows, at = empty[0] + rows, empty[1] + at
        kept = len(rows)
        while kept and not any(map(str.strip, rows[kept - 1])):
            kept -= 1
        empty = rows[kept:], at[kept:]
        if kept:
            yield rows[:kept], at[:kept]


def _lines(rows: Sequence[list[str]], first: int, last: int) -> list[int]:
    """Give the line in which each row begins; a cell may hold ends of lines."""
    if last - first + 1 == len(rows):
        return list(range(first, last + 1))
    heights = [1 + sum(cell.count("\n") for cell in row) for row in rows]
    return [first + int(above) for above in np.cumsum([0, *heights[:-1]])]


def _check_widths(rows: Sequence[list[str]], lines: Sequence[int], file: str, separator: str, width: int) -> None:
    if set(map(len, rows)) <= {width}:
        return
    wrong = [i for i, row in enumerate(rows) if len(row) != width]
    row = rows[wrong[0]]
    rule = f"must have {width} columns separated by {separator!r}, has {len(row) if any(row) else 'none'}"
    raise DataError(file, rule, row=lines[wrong[0]], value=separator.join(row), more=len(wrong) - 1)
