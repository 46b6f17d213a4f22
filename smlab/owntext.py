"""Read a brand's own posts, `posts.csv` or `posts.tsv`, as platforms and spreadsheets write them, or say what is
broken.

Right are the encodings of `letters`; commas, semicolons, tabs or bars between the cells; a first line `sep=;`; line
ends in quoted cells; empty rows at the end. What a spreadsheet has destroyed (`#NAME?` for a post that began with "=",
1.23E+15 for an id, â€™ for an apostrophe) cannot be put right here, so it is an error with its row.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NoReturn

import pandas as pd

from smlab.archives import Member
from smlab.checks import DataError, shorten
from smlab.columns import numbers, refuse
from smlab.feeds import SPLITS, Feed, check_widths, in_order, rows, texts
from smlab.letters import decode, is_garbled

SEPARATORS = (",", ";", "\t", "|")
MOST_LABELS = 50
GARBLED, GARBLED_ALL = 0.25, 0.01  # of the posts that are not ASCII, of all: from there on the file is refused
SPREADSHEET = (
    (re.compile(r"#(?:NAME\?|REF!|VALUE!|DIV/0!|NUM!|NULL!|N/A|SPILL!|CALC!|GETTING_DATA)|#{4,}"),
     "is what a spreadsheet shows for a cell that it cannot work out; export the posts anew, as text"),
    (re.compile(r"[1-9](?:[.,][0-9]+)?E\+?[0-9]{2,3}", re.ASCII),
     "is a long number that a spreadsheet has rounded; export the column anew, as text"),
)  # fmt: skip
BLANKED = re.compile(r"\W*\?{3,}\W*")
MOMENT = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?"
    r" ?(Z|UTC|[+-]\d{2}:?\d{2})?", re.ASCII,
)  # fmt: skip


def read_posts(member: Member) -> Feed:
    """Read posts of your own: the column `text`, and where they are there `label`, `time`, `intensity`, `split`.

    Times are whole seconds since 1970 or written year first (2024-05-01 09:30, 2024/5/1, 2024-05-01T09:30:00+08:00);
    without a zone they are taken for UTC. Other columns stay as they are, as text.

    Raises
    ------
    DataError
        With row, column, value and rule, and how many more rows break it.
    """
    file = str(member)
    text, encoding = decode(member.read(), file)
    cells, lines = _table(text, file)
    for name, column in cells.items():
        for pattern, rule in SPREADSHEET:
            refuse(column, lambda v, p=pattern: p.fullmatch(v) is not None, lines, file, name, rule)  # type: ignore[misc]
    frame = pd.DataFrame({"text": texts(cells["text"], lines, file)})
    for name, column in cells.items():
        if name != "text":
            frame[name] = _column(name, column, lines, file)
    note = f"{len(frame):,} posts of your own, read as {encoding}; how they were collected is not known here."
    if "time" in frame and not any(map(_zoned, cells["time"])):
        note += " Their times name no zone and are taken for UTC."
    note += _garbled(frame["text"].tolist(), lines, file)
    return Feed(frame, _labels(frame, lines, file), language_of(frame["text"]), note)


def _table(text: str, file: str) -> tuple[dict[str, list[str]], list[int]]:
    """Give the columns by name, in small letters, and the line of each row."""
    separator, skipped = _separator(text, file)
    numbered = list(rows(text, file, separator))[skipped:]
    while len(numbered) > 1 and not any(map(str.strip, numbered[-1][1])):  # empty rows that a spreadsheet adds
        numbered.pop()
    if len(numbered) < 2:
        raise DataError(file, "holds a header and no rows")
    (line, first), body = numbered[0], numbered[1:]
    header, lines = [name.strip().lower() for name in first], [line for line, _ in body]
    if "text" not in header:
        _no_text(separator.join(first), line, file)
    check_widths([row for _, row in body], lines, file, separator, len(header))
    columns: dict[str, list[str]] = {}
    for at, name in enumerate(header):
        column = [row[at].strip() for _, row in body]
        if name in columns:
            raise DataError(file, "is in the header more than once", row=line, value=name)
        if name:
            columns[name] = column
        else:
            refuse(column, bool, lines, file, name, "stands in a column without a name")
    return columns, lines


def _separator(text: str, file: str) -> tuple[str, int]:
    """Find what parts the columns, and how many records come before the header."""
    first = text.partition("\n")[0]
    if said := re.fullmatch(r'"?sep=(.)"?[,;\t|]*', first, re.IGNORECASE):
        if said[1] not in SEPARATORS:
            raise DataError(file, "must name a comma, semicolon, tab or bar", row=1, value=first)
        return said[1], 1
    for separator in SEPARATORS:
        if "text" in [name.strip(' "').lower() for name in first.split(separator)]:
            return separator, 0
    return _no_text(first, 1, file)


def _no_text(header: str, row: int, file: str) -> NoReturn:
    rule = "must be in the header, and between commas, semicolons, tabs or bars; the header is"
    raise DataError(file, f"{rule} {shorten(header, 100)!r}", row=row, column="text")


def _column(name: str, values: list[str], lines: list[int], file: str) -> pd.Series:
    if name == "time":
        return _times(values, lines, file)
    if name == "intensity":
        return numbers(values, lines, file, name)
    if name == "label":
        rule = "must not be empty; posts without a label belong in a file of their own"
        refuse(values, lambda v: not v, lines, file, name, rule)
    if name == "split":
        refuse(values, lambda v: v not in SPLITS, lines, file, name, f"must be {' or '.join(SPLITS)}")
    return pd.Series(values, dtype="str")


def _times(values: list[str], lines: list[int], file: str) -> pd.Series:
    for pattern, guess in (
        ("[0-9]{13}", "milliseconds"),
        (r"[0-9]{5}(?:\.[0-9]*)?", "a spreadsheet's days since 1900"),
    ):
        rule = f"must be seconds since 1970; these look like {guess}"
        refuse(values, lambda v, p=pattern: re.fullmatch(p, v) is not None, lines, file, "time", rule)  # type: ignore[misc]
    found = {value: _moment(value) for value in set(values)}
    rule = "must be seconds since 1970 or a time with the year first, such as 2024-05-01 09:30, from 1970 to 2099"
    refuse(values, lambda v: found[v] is None, lines, file, "time", rule)
    return pd.to_datetime(pd.Series([found[v] for v in values]), utc=True).astype("datetime64[ns, UTC]")


def _moment(value: str) -> datetime | None:
    """Read one time as UTC; None if it is none, or not within 1970 to 2099.

    >>> str(_moment("2024/5/1 9:30")), str(_moment("2024-05-01T09:30:00+08:00")), _moment("01/05/2024")
    ('2024-05-01 09:30:00+00:00', '2024-05-01 01:30:00+00:00', None)
    """
    if re.fullmatch("[0-9]{1,10}", value):
        found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value))
        return found if found.year < 2100 else None
    if (parts := MOMENT.fullmatch(value)) is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.group(1, 3, 4, 5, 6, 7))
    try:
        found = datetime(year, month, day, hour, minute, second, tzinfo=_zone(parts[8])).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 1970 <= found.year < 2100 else None


def _zone(text: str | None) -> timezone:
    if text is None or text in ("Z", "UTC"):
        return UTC
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-ahead if text[0] == "-" else ahead)


def _zoned(value: str) -> bool:
    parts = MOMENT.fullmatch(value)
    return parts is None or parts[8] is not None


def _labels(frame: pd.DataFrame, lines: list[int], file: str) -> list[str]:
    """Give the labels in their order; far too many are no labels."""
    if "label" not in frame:
        return []
    first = frame["label"].drop_duplicates()
    if len(first) > MOST_LABELS:
        row = int(first.index[MOST_LABELS])
        rule = f"is one of {len(first):,} different labels, of which there can be {MOST_LABELS}"
        raise DataError(file, rule, row=lines[row], column="label", value=first.iloc[MOST_LABELS])
    return in_order(first)


def _garbled(posts: list[str], lines: list[int], file: str) -> str:
    """Refuse a file of which the letters were destroyed on the way; say where single posts are."""
    blank = [i for i, post in enumerate(posts) if BLANKED.fullmatch(post)]
    wide = [i for i, post in enumerate(posts) if not post.isascii()]
    broken = [i for i in wide if is_garbled(posts[i])]
    for found, share, rule in (
        (blank, len(blank) / len(posts), "is question marks for letters that the file's encoding could not hold"),
        (broken, len(broken) / max(len(wide), 1), "was read in another encoding than it was written in, and saved so"),
    ):
        if found and share >= GARBLED and len(found) >= GARBLED_ALL * len(posts):
            rule, row = f"{rule}; export the file anew as UTF-8", lines[found[0]]
            raise DataError(file, rule, row=row, column="text", value=posts[found[0]], more=len(found) - 1)
    if not broken:
        return ""
    return f" Posts with garbled letters: {len(broken)}, the first in row {lines[broken[0]]}; they stay as they are."


def language_of(posts: pd.Series) -> str:
    """Say "zh" if more than half of the letters are Han characters, else "en"."""
    sample = "".join(posts.iloc[:2000])
    return "zh" if 2 * len(re.findall("[\u4e00-\u9fff]", sample)) > sum(map(str.isalpha, sample)) else "en"
