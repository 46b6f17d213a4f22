"""Turn columns of text into columns of ids, numbers and times, or name the first row that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from smlab.checks import DataError

WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")
DIGITS = re.compile(r"-?[0-9]+")
FRACTION = re.compile(r"[+-]?[0-9]*\.[0-9]*(?:[eE][+-]?[0-9]+)?|[+-]?nan|[+-]?inf", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
SECONDS = re.compile(r"[0-9]{1,18}(?:\.0*)?")


def ids(values: list[str], lines: Sequence[int], file: str, column: str, numeric: bool) -> pd.Series:
    """Turn ids into int64 if all are whole numbers, else into text.

    Numbers with leading zeros are text (007 is not 7). Refused are empty ids, negative numbers, fractions and
    NaN; with `numeric`, everything that is no whole number.
    """
    if numeric:
        rule = "must be a whole number from 0"
        refuse(values, lambda v: not DIGITS.fullmatch(v) or v[0] == "-", lines, file, column, rule)
        refuse(
            values,
            lambda v: len(v) > 18 and (len(v.lstrip("0")) > 19 or int(v) >= 2**63),
            lines,
            file,
            column,
            "must be below 2**63",
        )
        return pd.Series(np.array(list(map(int, values)), dtype="int64"))
    refuse(values, lambda v: not v.strip(), lines, file, column, "must not be empty")
    refuse(values, lambda v: v != v.strip(), lines, file, column, "must not begin or end with a blank")
    rule = "must be a whole number from 0, or a text"
    refuse(values, lambda v: bool(FRACTION.fullmatch(v)) or (v[0] == "-" and bool(DIGITS.fullmatch(v))),
           lines, file, column, rule)  # fmt: skip
    if all(WHOLE.fullmatch(v) for v in values) and max(map(int, values), default=0) < 2**63:
        return pd.Series(np.array(list(map(int, values)), dtype="int64"))
    return pd.Series(values, dtype="str")


def numbers(values: list[str], lines: Sequence[int], file: str, column: str) -> pd.Series:
    """Turn text into float64; only plain decimal notation counts as a number."""
    refuse(values, lambda v: not NUMBER.fullmatch(v), lines, file, column, "must be a finite number")
    return pd.Series(np.array(list(map(float, values)), dtype="float64"))


def seconds(values: list[str], lines: Sequence[int], file: str, whole: bool) -> pd.Series:
    """Turn text into whole seconds; without `whole`, a fraction of nothing but zeros may follow."""
    rule = "must be whole seconds since 1970"
    refuse(values, lambda v: not SECONDS.fullmatch(v) or (whole and "." in v), lines, file, "time", rule)
    return pd.Series(np.array([int(v.partition(".")[0]) for v in values], dtype="int64"))


def refuse(
    values: Sequence[str],
    wrong: Callable[[str], bool],
    lines: Sequence[int],
    file: str,
    column: str,
    rule: str,
) -> None:
    """Raise a DataError for the first value that is wrong."""
    bad = [i for i, value in enumerate(values) if wrong(value)]
    if bad:
        raise DataError(file, rule, row=lines[bad[0]], column=column, value=values[bad[0]], more=len(bad) - 1)
