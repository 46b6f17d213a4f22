"""Readers of purchases: CDNOW, Online Retail II and a shop's own lines; what cleaning leaves out is counted.

| format | what a line is | files |
|---|---|---|
| cdnow | a purchase with its day (Fader & Hardie 2001) | `CDNOW_master.txt`, `CDNOW_sample.txt` |
| online-retail-2 | a product of an invoice (Chen et al. 2012) | `online_retail.csv.xz` |
| purchases-csv | your own: a purchase, or a product of one | `purchases.csv` or `.tsv` |

A line that is left out is counted under the first reason that it meets. Lines that were taken back stay at hand in
`Sales.returns`; a purchase that was taken back in full never was one, and is left out, too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import coded, sieve
from smlab.archives import Member
from smlab.checks import DataError, UsageError, nearest
from smlab.daytimes import is_missing
from smlab.letters import decode
from smlab.purchasecolumns import open_table, understand

Files = dict[str, Member]
# codes of Online Retail II that stand for no product
NO_GOODS = (
    ("is postage or carriage", re.compile("POST|DOT|C2|C3")),
    ("is a manual entry, discount, sample, fee or correction",
     re.compile("M|D|S|B|ADJUST2?|AMAZONFEE|BANK CHARGES|CRUK")),
    ("is a gift voucher", re.compile("GIFT(?:_.*)?")),
    ("is a test", re.compile("TEST.*")),
)  # fmt: skip
CDNOW = re.compile(r"(\d{5}) (?:\d{4} )?(\d{8}) (\d{1,3}) (\d+\.\d\d)", re.ASCII)


class Sales(NamedTuple):
    """What a shop sold.

    frame : customer, time, amount (above 0), and where known invoice, product, quantity, price, country
    returns : the same of the lines that customers sent back, amounts above 0; `undoes`: a line of `frame` was left
        out for it
    products : code → its most frequent description; empty where there is none
    dropped, lines : reason, rows, example, share; and the lines that were read
    """

    frame: pd.DataFrame
    returns: pd.DataFrame
    products: pd.Series
    dropped: pd.DataFrame
    lines: int
    note: str
    currency: str


def read(files: Files, format_: str, variant: str | None = None, *, free: bool = False, name: str = "") -> Sales:
    """Read purchases of a known format.

    Parameters
    ----------
    variant : "master" or "sample" of cdnow, None is the first that is there
    free : keep purchases of amount 0; a model of when people buy counts them
    name : of the dataset, for messages

    Raises
    ------
    DataError
        With file, row, column, value and rule, and how many more rows break it.
    UsageError
        For a variant that is not there.
    """
    known = [role for role in ("master", "sample") if role in files]
    if variant is not None and variant not in known:
        here = nearest(variant, known) if known else "it is one whole"
        raise UsageError(f"{name or format_} has no variant {variant!r}: {here}")
    if format_ == "cdnow":
        return read_cdnow(files[variant or known[0]], free=free)
    if format_ == "online-retail-2":
        return read_online_retail(files["lines"], free=free)
    return read_own(files["purchases"], free=free)


def read_cdnow(member: Member, *, free: bool = False) -> Sales:
    """Read CDNOW's purchases: customer, day, number of CDs, dollars; blanks between.

    The sample of 2,357 customers numbers them anew in a second column, which is left alone.
    """
    file = str(member)
    rows = decode(member.read(), file)[0].rstrip("\n \x1a").split("\n")
    found = [CDNOW.fullmatch(" ".join(row.split())) for row in rows]
    start = 0 if found[0] else 1  # the master file has a header
    wrong = [i for i in range(start, len(rows)) if found[i] is None]
    if wrong or start == len(rows):
        rule = "must be a customer, a day as 19970131, the number of CDs and dollars, with blanks between"
        at = wrong[0] if wrong else 0
        raise DataError(file, rule, row=at + 1, value=rows[at], more=max(len(wrong) - 1, 0))
    customer, day, quantity, amount = zip(*(m.groups() for m in found if m), strict=True)
    time = pd.to_datetime(pd.Series(day), format="%Y%m%d", errors="coerce").astype("datetime64[ns]")
    if time.isna().any():
        at = int(time.isna().to_numpy().argmax())
        raise DataError(file, "must be a day as 19970131", row=at + start + 1, column="time", value=day[at])
    frame = pd.DataFrame({"customer": pd.Series(customer, dtype="str"), "time": time})
    frame["amount"], frame["quantity"] = np.array(amount, dtype=float), np.array(quantity, dtype=float)
    clean = sieve.Sieve(len(frame), lambda i: f"row {i + start + 1}: {' '.join(rows[i + start].split())}")
    if not free:
        clean.drop("costs nothing", frame["amount"].to_numpy() == 0)
    return Sales(
        _kept(frame, clean.left, file, clean.table()), frame.iloc[:0].assign(undoes=False), pd.Series(dtype="str"),
        clean.table(), len(frame), "Days without a time of day; repeated lines are purchases of their own.", "USD",
    )  # fmt: skip


def read_online_retail(member: Member, *, free: bool = False) -> Sales:
    """Read the lines of Online Retail II, two sheets in one file that overlap by nine days."""
    table = open_table(member, need=("customer", "time", "quantity", "price", "invoice", "product"))
    frame, note, currency = understand(table, "month")
    clean = _sieve(table)
    copies, when = _second_sheet(frame["time"].ffill().bfill().to_numpy())
    again = _repeated(table)
    clean.drop(f"stands in both sheets{when}", again & copies)
    clean.drop("repeats a line of its invoice", again)
    _drop_empty(table, frame, clean)
    for reason, code in NO_GOODS:
        clean.drop(reason, table.each("product", lambda v, c=code: bool(c.fullmatch(v.strip().upper())), bool))  # type: ignore[misc]
    back = clean.drop("is a cancellation", table.each("invoice", lambda v: v[:1] in "Cc", bool))
    return _finish(table, frame, clean, back, free, "Wholesale and retail in one." + note, currency or "GBP")


def read_own(member: Member, *, free: bool = False) -> Sales:
    """Read purchases of your own: customer, time and amount (or quantity and price), and what else is known."""
    table = open_table(member)
    frame, note, currency = understand(table)
    clean = _sieve(table)
    _drop_empty(table, frame, clean)
    if {"invoice", "product"} <= set(table.columns):
        clean.drop("repeats a line of its invoice", _repeated(table))
    if "price" in frame:
        clean.drop("has a price below 0", (frame["price"] < 0).to_numpy())
    back = clean.drop("was sent back (below 0)", (frame["amount"] < 0).to_numpy())
    return _finish(table, frame, clean, back, free, "Purchases of your own." + note, currency)


def _finish(
    table: coded.Table, frame: pd.DataFrame, clean: sieve.Sieve, back: NDArray[np.bool_], free: bool, note: str,
    currency: str,
) -> Sales:  # fmt: skip
    """Leave out what is worth nothing and what was taken back, and put the rest together."""
    if "quantity" in frame:
        clean.drop("has a quantity below 1", (frame["quantity"] <= 0).to_numpy())
    amount = frame["amount"].to_numpy()
    clean.drop("costs nothing" if not free else "costs less than nothing", amount < 0 if free else amount <= 0)
    undoing = np.zeros(len(frame), dtype=bool)
    if "product" in frame and back.any():
        undone, undoing = taken_back(frame, clean.left, back)
        clean.drop("was taken back in full later", undone)
    dropped, returns = clean.table(), frame[back].assign(undoes=undoing[back])
    for name in {"amount", "quantity"} & set(returns):
        returns[name] = returns[name].abs()
    kept = _kept(frame, clean.left, table.file, dropped)
    return Sales(kept, _tidy(returns), _titles(table, kept, clean.left), dropped, len(table), note, currency)


def taken_back(
    frame: pd.DataFrame, sold: NDArray[np.bool_], back: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Match lines that were taken back to earlier ones of the same customer, product, price and quantity.

    Each takes back the latest line before it that is still there, as brackets close. Returns the lines of `sold`
    that were undone, and those of `back` that undid one, both (n,).
    """
    keys = [name for name in ("customer", "product", "price", "quantity") if name in frame]
    lines = frame.loc[sold | back, [*keys, "time"]]
    lines["amount"] = frame["amount"].abs()
    if "quantity" in lines:
        lines["quantity"] = lines["quantity"].abs()
    lines["key"] = lines.groupby([*keys, "amount"], observed=True, sort=False).ngroup()
    lines["back"] = back[lines.index]
    lines = lines[lines["key"].isin(lines.loc[lines["back"], "key"])]
    lines = lines.sort_values(["key", "time", "back"], kind="stable")
    undone, undoing = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    open_: dict[int, list[int]] = {}
    for at, key, is_back in zip(lines.index, lines["key"], lines["back"], strict=True):
        if not is_back:
            open_.setdefault(key, []).append(at)
        elif open_.get(key):
            undone[open_[key].pop()] = undoing[at] = True
    return undone, undoing


def _sieve(table: coded.Table) -> sieve.Sieve:
    return sieve.Sieve(len(table), lambda i: f"row {table.lines[i]}: {', '.join(table.cells(i))}")


def _drop_empty(table: coded.Table, frame: pd.DataFrame, clean: sieve.Sieve) -> None:
    clean.drop("has no customer", table.each("customer", is_missing, bool))
    for name in ("time", "amount"):
        clean.drop(f"has no {name}", frame[name].isna().to_numpy())


def _repeated(table: coded.Table) -> NDArray[np.bool_]:
    """Say which rows stand in the table already, cell for cell."""
    codes = pd.DataFrame({name: column.codes for name, column in table.columns.items()})
    return codes.duplicated().to_numpy()


def _second_sheet(time: NDArray[np.datetime64]) -> tuple[NDArray[np.bool_], str]:
    """Say which rows of a second sheet lie within the time of the first; a sheet begins where time goes back a day."""
    copies = np.zeros(len(time), dtype=bool)
    steps = np.diff(time)
    if not len(steps) or np.isnat(steps).any() or steps.min() > -np.timedelta64(1, "D"):
        return copies, ""
    start = int(steps.argmin()) + 1
    copies[start:] = time[start:] <= time[:start].max()
    first, last = (pd.Timestamp(t).strftime("%-d %B %Y") for t in (time[start], time[:start].max()))
    return copies, f" ({first} to {last})"


def _kept(frame: pd.DataFrame, left: NDArray[np.bool_], file: str, dropped: pd.DataFrame) -> pd.DataFrame:
    if not left.any():
        raise DataError(file, f"holds no purchase that can be used. {sieve.said(dropped, len(frame))}")
    return _tidy(frame[left])


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Number the rows anew; customers become text, other names categories without those that are gone."""
    frame = frame.reset_index(drop=True)
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            column = frame[name].cat.remove_unused_categories()
            frame[name] = column.astype("str") if name == "customer" else column
    return frame.astype({"time": "datetime64[ns]"})


def _titles(table: coded.Table, frame: pd.DataFrame, left: NDArray[np.bool_]) -> pd.Series:
    """Give the most frequent description of each product that was sold; of equals the first in the alphabet."""
    if "description" not in table.columns or "product" not in frame:
        return pd.Series(dtype="str", name="description", index=pd.Index([], dtype="str", name="product"))
    found = pd.DataFrame({"product": frame["product"], "description": table.text("description", _title)[left]})
    found = found[found["description"] != ""]
    counts = found.groupby(["product", "description"], observed=True).size().reset_index(name="lines")
    counts["description"] = counts["description"].astype("str")
    counts = counts.sort_values(["product", "lines", "description"], ascending=[True, False, True])
    first = counts.drop_duplicates("product")
    return first.astype("str").set_index("product")["description"]


def _title(text: str) -> str:
    return " ".join(text.split())
