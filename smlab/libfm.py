"""Read click logs in libFM's text form: a label and, for each field, the number of its value.

    1 204:1 4798:1 5041:1
    -1 204:1 4790:1 5041:1

The label is 1 for a click and -1 (or 0) for none. Numbers run through all fields: in the files that click models
are compared on, each field has its place in the row and a range of its own (of Frappe, users 0 to 956, then apps
from 957), so the place tells the fields apart, and a number in two places is an error. Values other than 1 are
quantities, which these files do not have. The form: libFM 1.4.2 manual, section 2.1.

A file of plain one-hot rows is handed to pandas' C parser; anything else goes row by row, to find what is wrong.
"""

from __future__ import annotations

import io
import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.archives import Member
from smlab.checks import DataError
from smlab.text_tables import decode

FIELDS = {
    "frappe": (
        "user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city",
    ),
}  # fmt: skip
NOTES = {
    "frappe": "Of each three rows one is a logged use of an app; the other two were drawn from apps not used (He & "
    "Chua 2017), so the click rate of a third is a choice, not a finding.",
}
REDRAWN = " The negatives of the training part were re-drawn: official validation and test, re-drawn train negatives."
PAIR = re.compile(r"(0|[1-9][0-9]{0,8}):([^ ]+)", re.ASCII)
LABELS = {"1": 1, "+1": 1, "-1": 0, "0": 0}


class Log(NamedTuple):
    """The frame of a log, which of its columns are fields, and what a report has to say of it."""

    frame: pd.DataFrame
    fields: list[str]
    note: str


def read_libfm(files: dict[str, Member], name: str = "", *, quick: bool = True) -> Log:
    """Read the parts of a log into one frame: click, a column of int64 for each field, and split.

    Parameters
    ----------
    files : "train", "validation", "test" -> file; one is enough
    name : of the dataset; "frappe" has names for its fields, others are called field_0, field_1, …
    quick : False reads the exact way only; both ways give the same frame

    Raises
    ------
    DataError
        For a label that is none, a row of another width, a value other than 1, a number in two fields.
    """
    parts = {split: _one(member, quick) for split, member in files.items()}
    widths = {split: part.shape[1] - 1 for split, part in parts.items()}
    first = next(iter(widths))
    for split, width in widths.items():
        if width != widths[first]:
            rule = f"must have {widths[first]} fields as {files[first].name} has, has {width}"
            raise DataError(str(files[split]), rule, row=1)
    _need_own_ranges(parts, files)
    known = FIELDS.get(name, ())
    fields = list(known) if len(known) == widths[first] else [f"field_{i}" for i in range(widths[first])]
    frame = pd.DataFrame(np.concatenate(list(parts.values())), columns=["click", *fields])
    frame["split"] = pd.Series(np.repeat(list(parts), [len(part) for part in parts.values()]), dtype="str")
    redrawn = any("recon" in member.name.lower() for member in files.values())
    return Log(frame, fields, NOTES.get(name, "A log in libFM's form.") + REDRAWN * redrawn)


def _one(member: Member, quick: bool) -> NDArray[np.int64]:
    """Read one file into click and fields (n_rows, 1 + n_fields)."""
    data, file = member.read(), str(member)
    found = _quick(data) if quick else None
    return _exact(data, file) if found is None else found


def _quick(data: bytes) -> NDArray[np.int64] | None:
    """Parse rows of one-hot fields at once; None if the file might be anything else."""
    body = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip(b"\n")
    if not body or body.translate(None, b"0123456789-: \n"):
        return None
    lines, width = body.count(b"\n") + 1, body.partition(b"\n")[0].count(b" ")
    pairs = len(re.findall(rb" (?:0|[1-9][0-9]{0,8}):1(?=[ \n]|\Z)", body))
    labels = len(re.findall(rb"(?:\A|\n)(?:1|-1|0)(?= )", body))
    # every blank opens a good pair and every line a good label, so nothing else is in the file
    if not width or labels != lines or pairs != lines * width or body.count(b" ") != pairs or body.count(b":") != pairs:
        return None
    try:
        table = pd.read_csv(
            io.BytesIO(body.replace(b":1 ", b" ").replace(b":1\n", b"\n")[:-2]),
            sep=" ", header=None, names=list(range(width + 1)), dtype="int64", index_col=False, na_filter=False,
        )  # fmt: skip
    except (ValueError, OverflowError):
        return None
    found = table.to_numpy(copy=True)
    if len(found) != lines:
        return None
    found[:, 0] = found[:, 0] == 1
    return found


def _exact(data: bytes, file: str) -> NDArray[np.int64]:
    rows = decode(data, file).rstrip("\n").split("\n")
    width = rows[0].count(" ")
    if not width:
        raise DataError(file, "must be a label and NUMBER:1 for each field, with single blanks", row=1, value=rows[0])
    wrong = [i for i, row in enumerate(rows) if row.count(" ") != width]
    if wrong:
        rule = f"must have {width} fields as row 1 has, has {rows[wrong[0]].count(' ')}"
        raise DataError(file, rule, row=wrong[0] + 1, value=rows[wrong[0]], more=len(wrong) - 1)
    cells = [row.split(" ") for row in rows]
    wrong = [i for i, row in enumerate(cells) if row[0] not in LABELS]
    if wrong:
        rule = "must be 1 for a click, -1 or 0 for none"
        raise DataError(file, rule, row=wrong[0] + 1, column="label", value=cells[wrong[0]][0], more=len(wrong) - 1)
    found = np.empty((len(rows), width + 1), np.int64)
    found[:, 0] = [LABELS[row[0]] for row in cells]
    for place in range(1, width + 1):
        found[:, place] = _column([row[place] for row in cells], file, place)
    return found


def _column(cells: list[str], file: str, place: int) -> list[int]:
    matches = [PAIR.fullmatch(cell) for cell in cells]
    wrong = [i for i, match in enumerate(matches) if match is None or match[2] != "1"]
    if wrong:
        match = matches[wrong[0]]
        rule = "must be NUMBER:1, the number below a billion" if match is None else "must have the value 1, one-hot"
        raise DataError(file, rule, row=wrong[0] + 1, column=f"field {place - 1}", value=cells[wrong[0]],
                        more=len(wrong) - 1)  # fmt: skip
    return [int(match[1]) for match in matches if match is not None]


def _need_own_ranges(parts: dict[str, NDArray[np.int64]], files: dict[str, Member]) -> None:
    """Refuse a number that stands in two fields, in whatever part."""
    owner: dict[int, int] = {}
    for place in range(1, next(iter(parts.values())).shape[1]):
        for split, part in parts.items():
            values, first = np.unique(part[:, place], return_index=True)
            for value, row in zip(values.tolist(), first.tolist(), strict=True):
                if (other := owner.setdefault(value, place)) != place:
                    rule = f"stands in field {other - 1} elsewhere; each number belongs to one field"
                    raise DataError(str(files[split]), rule, row=row + 1, column=f"field {place - 1}", value=value)
