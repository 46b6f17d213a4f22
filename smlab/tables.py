"""Load any table with a row a customer, a post or a person; purchases become one by what they tell of habits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smlab import datasets, rfm
from smlab.catalog import Located
from smlab.checks import UsageError
from smlab.customers import Customers, read_customers
from smlab.layouts import PURCHASES
from smlab.purchases import read_purchases

MADE = (
    "A row a customer: days since the last order (recency) and the first (tenure), orders (frequency), mean order "
    "(monetary), mean days between orders (gap), shares of orders at weekends and by part of the day. "
)


def load_table(name: str, data_dir: str | Path | None = None, *, offline: bool | None = None) -> Customers:
    """Load a table of customers; of purchases without one, make it by `rfm.rfm` and `rfm.behaviour`.

    Parameters
    ----------
    name : as of `customers.load_customers` or `purchases.load_purchases`; a folder of yours may hold customers.csv
        or purchases.csv, and of both the first is taken
    """
    return read_table(datasets.locate_or_fetch(name, data_dir, offline))


def read_table(located: Located) -> Customers:
    """Read the files of a copy as a table."""
    if located.format not in PURCHASES or "customers" in located.files:
        return read_customers(located)
    bought = read_purchases(located)
    ways = rfm.behaviour(bought.frame, bought.returns if len(bought.returns) else None)
    ways["weekend"] = ways["saturday"] + ways["sunday"]
    frame = rfm.rfm(bought.frame).join(ways.drop(columns=list(rfm.WEEKDAYS))).astype(float)
    if not np.isfinite(frame.to_numpy()).all():
        raise UsageError("these purchases have amounts or days that are no numbers")
    frame.index = frame.index.astype("str")
    return Customers(
        bought.name, frame, bought.dropped, bought.lines, MADE + bought.note, "customer", bought.origin,
        bought.fingerprint, bought.licence,
    )  # fmt: skip
