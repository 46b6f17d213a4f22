"""Errors as sentences with an address, and the few checks that raise them.

Every error that a user can cause is a `SmlabError`: its text is one sentence that says where, what and which
rule, and the command line prints it without a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class SmlabError(Exception):
    """A mistake that the user can mend; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(SmlabError):
    """Wrong use of a command: unknown notebook, misspelt parameter, value of the wrong type."""

    exit_code = 2


class DataAbsent(SmlabError):
    """Data that is neither here nor to be had; the text says how to get it."""

    exit_code = 3


class DataError(SmlabError):
    """Data that breaks a rule, with its address.

    Parameters
    ----------
    file : path of the file, as the user named it
    rule : what the value has to be, in words
    row : line number in the file, counted from 1 (header included), or None for the whole file
    column : name of the column, or None for the whole row
    value : the offending value; shown by `repr` and cut at 60 characters
    more : how many further rows break the same rule

    >>> print(DataError("u.data", "must be a whole number above 0", row=17, column="user", value="x", more=2))
    u.data, row 17, column 'user': 'x' must be a whole number above 0 (and 2 more rows)
    """

    def __init__(
        self,
        file: str | Path,
        rule: str,
        *,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
        more: int = 0,
    ) -> None:
        self.file, self.rule, self.row, self.column, self.value, self.more = (
            file,
            rule,
            row,
            column,
            value,
            more,
        )
        where = [str(file)]
        if row is not None:
            where.append(f"row {row}")
        if column is not None:
            where.append(f"column {column!r}")
        shown = "" if value is None else f"{shorten(repr(value))} "
        rest = f" (and {more} more row{'s' if more > 1 else ''})" if more else ""
        super().__init__(f"{', '.join(where)}: {shown}{rule}{rest}")


def shorten(text: str, length: int = 60) -> str:
    """Cut `text` to `length` characters, with an ellipsis where something was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or which names there are.

    >>> nearest("alhpa", ["alpha", "beta"])
    "did you mean 'alpha'?"
    >>> nearest("zzz", ["alpha", "beta"])
    'known: alpha, beta'
    """
    known = list(known)
    lowered = {k.lower(): k for k in known}
    match = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if match:
        return f"did you mean {lowered[match[0]]!r}?"
    return "known: " + ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
