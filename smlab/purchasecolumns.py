"""Which column of a shop's table is what, and its cells as customers, dates and sums.

A column is known by any of several names (`NAMES`; case, blanks, `_` and `-` do not matter). Other columns are not
even read: a list of customers holds much that is nobody's business.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from smlab import coded
from smlab.archives import Member
from smlab.checks import DataError, shorten
from smlab.daytimes import Order, is_missing, moments
from smlab.letters import decode
from smlab.money import amounts
from smlab.owntext import SEPARATORS, SPREADSHEET
from smlab.unxz import unpacked

NAMES = {
    "customer": ("customer", "customer id", "customerid", "client", "client id", "user", "user id", "userid", "buyer"),
    "time": ("time", "date", "datetime", "timestamp", "invoicedate", "order date", "orderdate", "purchase date"),
    "amount": ("amount", "total", "value", "revenue", "sales", "spend", "order value"),
    "quantity": ("quantity", "qty", "units"),
    "price": ("price", "unit price", "unitprice"),
    "invoice": ("invoice", "invoiceno", "invoice no", "invoice id", "order", "order id", "orderid"),
    "product": ("product", "product id", "stockcode", "stock code", "sku", "item", "item id"),
    "description": ("description", "product name"),
    "country": ("country",),
}
WORDS = ("customer", "invoice", "product", "country")
NEEDED = ("customer", "time")


def open_table(member: Member, need: Iterable[str] = NEEDED) -> coded.Table:
    """Read the columns of a table that are known by their names; plain text or packed with xz.

    Raises
    ------
    DataError
        If a needed column is not in the header, two columns have the same meaning, or neither amount nor quantity
        and price are there; and for a table that cannot be read.
    """
    file = str(member)

    def find(header: list[str], row: int) -> dict[str, int]:
        return _places(header, row, file, need)

    with unpacked(member) as stream:
        if member.name.endswith(".xz"):  # long: as it comes, in little memory
            if (table := coded.quick(stream, file, ",", find)) is not None:
                return table
            with unpacked(member) as again:
                return _strict(again.read(), file, find)
        return _strict(stream.read(), file, find)


def _strict(data: bytes, file: str, find: coded.Find) -> coded.Table:
    text, _ = decode(data, file)
    separator, skip = _separator(text, file)
    if not skip and (table := coded.quick(io.BytesIO(text.encode()), file, separator, find)) is not None:
        return table
    return coded.read(io.StringIO(text, newline="\n"), file, separator, find, skip=skip)


def plain(name: str) -> str:
    """Write a column's name without what does not matter.

    >>> plain(" Customer_ID")
    'customer id'
    """
    return " ".join(re.split(r"[\s_-]+", name.strip().lower()))


def _separator(text: str, file: str) -> tuple[str, int]:
    """Find what parts the columns, and how many lines come before the header."""
    first, _, rest = text.partition("\n")
    if said := re.fullmatch(r'"?sep=(.)"?[,;\t|]*', first, re.IGNORECASE):
        if said[1] not in SEPARATORS:
            raise DataError(file, "must name a comma, semicolon, tab or bar", row=1, value=first)
        return said[1], 1
    known = {name for names in NAMES.values() for name in names}
    counts = {mark: sum(plain(cell.strip(' "')) in known for cell in first.split(mark)) for mark in SEPARATORS}
    return max(SEPARATORS, key=counts.__getitem__), 0


def _places(header: list[str], row: int, file: str, need: Iterable[str]) -> dict[str, int]:
    """Find the columns that are known; of several names with one meaning our own counts."""
    names = [plain(name) for name in header]
    found: dict[str, int] = {}
    for column, spellings in NAMES.items():
        at = [place for place, name in enumerate(names) if name in spellings]
        own = [place for place in at if names[place] == column]
        at = own if len(own) == 1 else at
        if len(at) > 1:
            rule = f"is in the header {len(at)} times; call the one that counts {column!r}"
            raise DataError(file, rule, row=row, column=column, value=", ".join(header[place] for place in at))
        if at:
            found[column] = at[0]
    for column in need:
        if column not in found:
            shown = shorten(", ".join(header), 100)
            raise DataError(file, f"must be in the header; the header is {shown!r}", row=row, column=column)
    if "amount" not in found and not {"quantity", "price"} <= set(found):
        rule = "must be in the header, or quantity and price"
        raise DataError(file, f"{rule}; the header is {shorten(', '.join(header), 100)!r}", row=row, column="amount")
    return found


def understand(table: coded.Table, order: Order | None = None) -> tuple[pd.DataFrame, str, str]:
    """Turn the cells into names, dates and sums; a row of the result is one of the table.

    Parameters
    ----------
    order : what comes first in 01/05/2024, where it is known

    Returns
    -------
    frame (customer, time, amount and what else is there; NaT and NaN where a cell is empty), a note, the currency
    """
    for name in WORDS:
        for pattern, rule in SPREADSHEET if name in table.columns else ():
            table.refuse(name, lambda v, p=pattern: p.fullmatch(v.strip()) is not None, rule)  # type: ignore[misc]
    time, note = moments(table, "time", order=order)
    frame = pd.DataFrame({"customer": _customers(table), "time": time})
    read = {name: amounts(table, name) for name in ("amount", "quantity", "price") if name in table.columns}
    if "amount" in read:
        frame["amount"] = read["amount"][0]
    else:
        frame["amount"] = np.round(read["quantity"][0] * read["price"][0], 6)
    for name in ("invoice", "product"):
        if name in table.columns:
            frame[name] = table.text(name, lambda v: v.strip().upper())
    for name in ("quantity", "price"):
        if name in read:
            frame[name] = read[name][0]
    if "country" in table.columns:
        frame["country"] = table.text("country")
    return frame, note, next((sign for _, sign in read.values() if sign), "")


def _customers(table: coded.Table) -> pd.Categorical:
    """Give customers as text; 13085.0, which a program made of 13085, is 13085 again."""
    values = [v.strip() for v in table.columns["customer"].values if not is_missing(v)]
    if values and all(re.fullmatch(r"[0-9]+\.0", v, re.ASCII) for v in values):
        return table.text("customer", lambda v: v.strip().removesuffix(".0"))
    return table.text("customer")
