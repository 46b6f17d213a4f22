"""Readers of the public formats of ratings into tidy frames; a broken rule is an error with file and row.

Ratings are read twice at most. The quick way hands whole columns of numbers to pandas' C parser; it is taken
only when the bytes can hold nothing but numbers and separators. Whatever it does not take goes the exact way,
row by row in text, which either gives the same frame or says which row breaks which rule.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from smlab.archives import Member
from smlab.checks import DataError
from smlab.columns import ids, numbers, seconds
from smlab.text_tables import Table, decode, headed, header_names, split

YEAR_2100 = 4_102_444_800  # seconds since 1970
RATING_COLUMNS = {
    "user": ("user", "userid", "user_id"),
    "item": ("item", "itemid", "item_id", "movieid", "movie_id"),
    "rating": ("rating",),
    "time": ("time", "timestamp"),
}
KINDS = {"user": "int64", "item": "int64", "rating": "float64", "time": "int64"}


@dataclass(frozen=True)
class Format:
    """How a ratings file is written: separator, header, whether ids must be numbers, range of ratings."""

    separator: str
    header: bool
    numeric_ids: bool
    low: float
    high: float


FORMATS = {
    "ml-100k": Format("\t", False, True, 1.0, 5.0),
    "ml-1m": Format("::", False, True, 0.5, 5.0),
    "csv": Format(",", True, False, -1e6, 1e6),
    "movielens-csv": Format(",", True, True, 0.5, 5.0),
    "atomic": Format("\t", True, False, -1e6, 1e6),
}


def read_ratings(member: Member, format_: str, *, quick: bool = True) -> pd.DataFrame:
    """Read ratings into columns user, item (int64, or text), rating (float64), time (UTC), in the file's
    order.

    Parameters
    ----------
    quick : False reads the exact way only; both ways give the same frame

    Raises
    ------
    DataError
        With the file's line, column and value, and how many more rows break the same rule.
    """
    data, file = member.read(), str(member)
    rules = FORMATS[_dialect(data, format_)]
    frame = _quick(data, rules) if quick else None
    lines: Sequence[int]
    if frame is None:
        frame, lines = _exact(data, file, rules)
    else:
        lines = range(1 + rules.header, 1 + rules.header + len(frame))
    if frame.empty:
        raise DataError(file, "holds a header and no rows")
    _check_ratings(frame, lines, file, rules)
    frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True).astype("datetime64[ns, UTC]")
    return frame


def _dialect(data: bytes, format_: str) -> str:
    """Tell MovieLens' own ratings.csv, which has stricter rules, from a shop's by its header."""
    header = data[:200].lstrip(b"\xef\xbb\xbf").split(b"\n")[0].strip()
    return "movielens-csv" if format_ == "csv" and header == b"userId,movieId,rating,timestamp" else format_


def _quick(data: bytes, rules: Format) -> pd.DataFrame | None:
    """Parse a file of plain numbers at once; None if it might be anything else."""
    names, body = list(RATING_COLUMNS), data.removeprefix(b"\xef\xbb\xbf")
    if rules.header:
        head, _, body = body.partition(b"\n")
        if not head.isascii() or b'"' in head or not body:
            return None
        header = [name.lower() for name in header_names(head.decode(), rules.separator)]
        names = [next((n for n, spelt in RATING_COLUMNS.items() if found in spelt), "") for found in header]
        if sorted(names) != sorted(RATING_COLUMNS):
            return None
    separator = rules.separator.encode()
    body = body.replace(b"\r\n", b"\n").rstrip(b"\n")
    if len(separator) == 2:  # the C parser takes separators of one byte
        if b"\t" in body:
            return None
        body = body.replace(separator, b"\t")
        separator = b"\t"
    if body.translate(None, b"0123456789.\n" + separator) or not body:
        return None
    # one separator too few in a row and one too many in another would still agree in number, but then a field
    # of the first is missing, and an empty field is no number
    if body.count(separator) != 3 * (body.count(b"\n") + 1):
        return None
    if re.search(b"(?:^|[\n" + separator + b"])0[0-9]", body):  # an id such as 007 is text, not the number 7
        return None
    try:
        if b"." not in body:
            return _parse(body, separator, names, KINDS)
        # pandas takes 3.0 for an int64; not so with another decimal mark, so whole numbers are parsed apart
        whole = {name: kind for name, kind in KINDS.items() if kind == "int64"}
        frame = _parse(body, separator, names, whole, decimal=";")
        frame.insert(2, "rating", _parse(body, separator, names, {"rating": "float64"})["rating"])
    except (ValueError, OverflowError, TypeError):
        return None
    return frame


def _parse(body: bytes, separator: bytes, names: list[str], kinds: dict[str, str], decimal: str = ".") -> pd.DataFrame:
    frame = pd.read_csv(
        io.BytesIO(body), sep=separator.decode(), header=None, names=names, usecols=list(kinds), dtype=kinds,
        index_col=False, na_filter=False, skip_blank_lines=False, quoting=3, decimal=decimal,
    )  # fmt: skip
    return frame[list(kinds)]


def _exact(data: bytes, file: str, rules: Format) -> tuple[pd.DataFrame, Sequence[int]]:
    """Read text row by row; give the frame (time in seconds) and the line of each row."""
    text = decode(data, file)
    table, at = _rating_table(text, file, rules)
    column = {name: table.columns[position] for name, position in at.items()}
    frame = pd.DataFrame(
        {
            "user": ids(column["user"], table.lines, file, "user", rules.numeric_ids),
            "item": ids(column["item"], table.lines, file, "item", rules.numeric_ids),
            "rating": numbers(column["rating"], table.lines, file, "rating"),
            "time": seconds(column["time"], table.lines, file, whole=not rules.header),
        }
    )
    return frame, table.lines


def _rating_table(text: str, file: str, rules: Format) -> tuple[Table, dict[str, int]]:
    if not rules.header:
        return split(text, file, rules.separator, 4), {name: i for i, name in enumerate(RATING_COLUMNS)}
    _, at, table = headed(text, file, rules.separator, RATING_COLUMNS)
    return table, at


def _check_ratings(frame: pd.DataFrame, lines: Sequence[int], file: str, rules: Format) -> None:
    rating = frame["rating"].to_numpy()
    within = (rating >= rules.low) & (rating <= rules.high)
    _refuse_rows(frame, ~within, lines, file, "rating", f"must be from {rules.low:g} to {rules.high:g}")
    time = frame["time"].to_numpy()
    late = time > YEAR_2100
    hint = "; these look like milliseconds" if late.any() and time.max() > 10**11 else ""
    _refuse_rows(frame, (time < 0) | late, lines, file, "time", f"must be seconds since 1970, before 2100{hint}")
    again = frame.duplicated(["user", "item"]).to_numpy()
    if again.any():
        row = int(again.argmax())
        user, item = frame["user"].iloc[row], frame["item"].iloc[row]
        first = int(((frame["user"] == user) & (frame["item"] == item)).to_numpy().argmax())
        rule = f"rates an item that this user has rated in row {lines[first]}"
        raise DataError(file, rule, row=lines[row], column="user, item", value=(_plain(user), _plain(item)),
                        more=int(again.sum()) - 1)  # fmt: skip


def _refuse_rows(
    frame: pd.DataFrame, wrong: np.ndarray, lines: Sequence[int], file: str, column: str, rule: str
) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        value = _plain(frame[column].iloc[row])
        raise DataError(file, rule, row=lines[row], column=column, value=value, more=int(wrong.sum()) - 1)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
