"""Sums of money as people write them: £1,234.50, 1.234,50 €, (12.00), 1'200, CHF 5.-- is refused.

Whether a comma parts thousands or is the decimal point is a question of the column, not of the cell: 12,5 shows that
it is the point, 1,234,567 or 1,234.5 that it is not. Where no cell shows it, 1,234 could be either, which is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from smlab.coded import Table
from smlab.daytimes import is_missing

SIGNS = {"£": "GBP", "€": "EUR", "US$": "USD", "₹": "INR", "元": "CNY", "RMB": "CNY", "￥": "¥"}
SIGN = r"US\$|[$£€¥￥₹₽₩元]|[A-Z]{3}|kr|zł"
MONEY = re.compile(
    rf"(?P<open>\()?(?P<minus>[-−+])? ?(?P<before>{SIGN})? ?(?P<minus2>[-−])?"
    rf"(?P<digits>[0-9](?:[0-9.,'’ ]*[0-9.,])?|[.,][0-9]+) ?(?P<after>{SIGN})?(?P<minus3>-)?(?P<close>\))?"
)  # fmt: skip
PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
GROUPED = {mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+") for mark in ".,"}
WHOLE = {
    point: re.compile(rf"(?:[0-9]*|[0-9]{{1,3}}(?:(?P<mark>[{other}'’ ])[0-9]{{3}})(?:(?P=mark)[0-9]{{3}})*)"
                      rf"(?:{re.escape(point)}[0-9]*)?")
    for point, other in ((".", ","), (",", "."))
}  # fmt: skip
RULE = "must be a sum of money, such as 1234.50"


def amounts(table: Table, name: str) -> tuple[NDArray[np.float64], str]:
    """Read a column of sums or numbers.

    Returns
    -------
    (n,) float64, NaN where the cell is empty; and the currency that stands beside the numbers, or nothing

    Raises
    ------
    DataError
        For the first cell that is no number, a second currency, and where the comma may mean two things; with its row.
    """
    values = table.columns[name].values
    if all(map(PLAIN.fullmatch, values)) and not any(map(GROUPED["."].fullmatch, values)):
        found, currency = table.each(name, float, float), ""
    else:
        parts = {v: MONEY.fullmatch(_spaces(v)) for v in values if not is_missing(v)}
        table.refuse(name, lambda v: v in parts and not _is_sum(v, parts[v]), RULE)
        currency = _currency(table, name, {v: p for v, p in parts.items() if p})
        point = _point(table, name, {v: p["digits"] for v, p in parts.items() if p})
        table.refuse(name, lambda v: bool((p := parts.get(v)) and not WHOLE[point].fullmatch(p["digits"])), RULE)
        found = table.each(name, lambda v: _value(v, parts.get(v), point), float)
    wrong = np.isinf(found) | (np.abs(found) > 1e15)
    if wrong.any():
        table.fail(name, int(wrong.argmax()), "is too large to be meant", more=int(wrong.sum()) - 1)
    return found, currency


def _spaces(value: str) -> str:
    return re.sub("[\u00a0\u2009\u202f]", " ", value).strip()


def _is_sum(value: str, parts: re.Match[str] | None) -> bool:
    if parts is None:
        return PLAIN.fullmatch(value.strip()) is not None
    minuses = sum(parts[k] is not None for k in ("minus", "minus2", "minus3", "open"))
    return minuses <= 1 and bool(parts["open"]) == bool(parts["close"]) and not (parts["before"] and parts["after"])


def _currency(table: Table, name: str, parts: dict[str, re.Match[str]]) -> str:
    """Name the one currency of a column; two are an error."""
    signs = {v: p["before"] or p["after"] for v, p in parts.items() if p["before"] or p["after"]}
    names = {v: SIGNS.get(sign, sign) for v, sign in signs.items()}
    first = next(iter(names.values()), "")
    other: Callable[[str], bool] = lambda v: names.get(v, first) != first  # noqa: E731
    table.refuse(name, other, f"is in another currency than {first}, which came before; keep one in a file")
    return first


def _point(table: Table, name: str, digits: dict[str, str]) -> str:
    """Find out what the decimal point of a column is."""
    shown: dict[str, str] = {}  # point → the value that shows it
    unclear = None
    for value, text in digits.items():
        marks = [c for c in text if c in ".,"]
        last = marks[-1] if marks else ""
        if len(set(marks)) == 2 or (len(marks) == 1 and not GROUPED[last].fullmatch(text)):
            shown.setdefault(last, value)
        elif len(marks) > 1:
            shown.setdefault(".,"[last == "."], value)
        elif marks:
            unclear = unclear or value
    if len(shown) == 2:
        rule = f"has another decimal point than {shown['.']!r} of the same column"
        table.refuse(name, lambda v: v == shown[","], rule)
    if unclear is not None and not shown:
        rule = "may be thousands or a fraction, and no number of the column shows which; write it without thousands"
        table.refuse(name, lambda v: v == unclear, rule)
    return next(iter(shown), ".")


def _value(value: str, parts: re.Match[str] | None, point: str) -> float:
    """Work out one cell.

    >>> _value("(1.234,5 €)", MONEY.fullmatch("(1.234,5 €)"), ",")
    -1234.5
    """
    if is_missing(value):
        return math.nan
    if parts is None:
        return float(value)
    text = re.sub(f"[^0-9{re.escape(point)}]", "", parts["digits"]).replace(point, ".")
    below = parts["open"] or any((parts[minus] or "+") in "-−" for minus in ("minus", "minus2", "minus3"))
    return -float(text) if below else float(text)
