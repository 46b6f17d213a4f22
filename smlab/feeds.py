"""What the readers of posts share: the frame they give, texts and tables with quoted cells, repeated texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from smlab.archives import Member
from smlab.checks import DataError
from smlab.columns import refuse
from smlab.letters import HALF
from smlab.text_tables import MAX_FIELD

SPLITS = ("train", "validation", "test")
SENTIMENTS = ("negative", "neutral", "positive")


class Feed(NamedTuple):
    """The frame of a collection of posts, its classes in order, its language, and what a report has to say of it."""

    frame: pd.DataFrame
    labels: list[str]
    language: str
    note: str


def texts(values: Sequence[str], lines: Sequence[int], file: str, column: str = "text") -> pd.Series:
    """Turn cells into posts: no blanks around them, no byte-order mark in them, none empty, no half characters."""
    found = [value.replace("\ufeff", "").strip() for value in values]
    refuse(found, lambda v: not v, lines, file, column, "must not be empty")
    refuse(found, lambda v: HALF.search(v) is not None, lines, file, column, "holds half of a character (a surrogate)")
    return pd.Series(found, dtype="str")


def filled(values: Sequence[str]) -> list[int]:
    """Give the places of the cells that hold a text."""
    return [i for i, value in enumerate(values) if value.replace("\ufeff", "").strip()]


def rows(text: str, file: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a table with quoted cells, each with the line it begins in; line ends in cells stay."""
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(file, f"is not a table with {separator!r} between the cells ({error})", row=line) from None


def check_widths(found: Sequence[list[str]], lines: Sequence[int], file: str, separator: str, width: int) -> None:
    """Raise a DataError for the first row that has more or fewer cells than the header."""
    wrong = [i for i, row in enumerate(found) if len(row) != width]
    if wrong:
        row, line = found[wrong[0]], lines[wrong[0]]
        rule = f"must have {width} columns separated by {separator!r}, has {len(row) if any(row) else 'none'}"
        if len(row) > width:
            curly = any(mark in "".join(row) for mark in "“”")
            rule += '; quote a text that holds the separator with straight "' + ", not curly, marks" * curly
        raise DataError(file, rule, row=line, value=separator.join(row), more=len(wrong) - 1)


def in_order(labels: Sequence[str] | pd.Series) -> list[str]:
    """Sort labels, the usual three as negative, neutral, positive.

    >>> in_order(["positive", "negative", "neutral"]), in_order(["joy", "anger"])
    (['negative', 'neutral', 'positive'], ['anger', 'joy'])
    """
    rank = {name: place for place, name in enumerate(SENTIMENTS)}
    return sorted(set(labels), key=lambda label: (rank.get(label.lower(), len(rank)), label))


def need(files: dict[str, Member], role: str, name: str) -> Member:
    """Give the file of a role, or say which file is missing beside the others."""
    if role not in files:
        first = next(iter(files.values()))
        raise DataError(first.container if first.inner else first.container.parent, f"must hold {name}, too")
    return files[role]


def once(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep each text once, none that stands under two labels; say how many rows that drops.

    What stays twice would lie on both sides of a random split, and be remembered instead of understood.
    """
    torn = frame.groupby("text")["label"].transform("nunique") > 1
    kept = frame[~torn].drop_duplicates("text").reset_index(drop=True)
    said = counted(len(frame) - int(torn.sum()) - len(kept), "repetition")
    if torn.any():
        said += f", {counted(frame.loc[torn, 'text'].nunique(), 'text')} under two labels"
    return kept, f"Dropped of {len(frame):,} rows: {said}."


def overlap(frame: pd.DataFrame) -> str:
    """Count the test's texts that the training part holds as well; the source's own split stays as it is."""
    train, test = (frame.loc[frame["split"] == part, "text"] for part in ("train", "test"))
    both = int(test.isin(set(train)).sum())
    return f" In the training part, too: {both:,} of the {len(test):,} texts of the test part." if both else ""


def counted(n: int, thing: str) -> str:
    """Write a number of things.

    >>> counted(1, "text"), counted(1200, "text")
    ('1 text', '1,200 texts')
    """
    return f"{n:,} {thing}{'s' * (n != 1)}"
