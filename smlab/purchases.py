"""Load purchases by name into a clean frame, with an account of what cleaning left out.

| column | what |
|---|---|
| customer | text |
| time | on the clock of the shop, without a zone |
| amount | of the line or the order, above 0 |
| invoice, product, country | categories, where known |
| quantity, price | numbers, where known |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from smlab import catalog, datasets, layouts, purchasetables, sieve
from smlab.checks import DataError, UsageError


@dataclass(frozen=True)
class Purchases:
    """What customers bought.

    Parameters
    ----------
    frame : one row per purchase, or per product of one, with the columns above, in the order of the file
    returns : the same columns for what was sent back, amounts above 0; `undoes` says that a line of the same product
        was left out of `frame` for it, as if it had never been bought
    products : code → description; empty where there is none
    dropped : reason, rows, example, share of the lines read, in the order in which they were looked for
    lines : lines that were read; those of `frame` and of `dropped` together
    note : what was left out and what to beware of, for a report
    currency : of the amounts, such as "GBP"; empty where nobody said
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    """

    name: str
    frame: pd.DataFrame
    returns: pd.DataFrame
    products: pd.Series
    dropped: pd.DataFrame
    lines: int
    note: str
    currency: str
    origin: str
    fingerprint: str
    licence: str


def load_purchases(
    name: str,
    data_dir: str | Path | None = None,
    *,
    variant: str | None = None,
    free: bool = False,
    offline: bool | None = None,
) -> Purchases:
    """Load purchases; a dataset that is not on this machine is fetched, with a line that says so.

    Parameters
    ----------
    name : cdnow, online-retail-2, or the name of a folder of your own with purchases.csv
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    variant : of cdnow "master", which None means, or "sample", the 2,357 customers of the literature
    free : keep purchases of amount 0, too; they count where it matters when people buy, not what they pay
    offline : read `data/sample/` only and fetch nothing; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy and none can be fetched.
    DataError
        If a file breaks a rule, with its line, column and value; or if no purchase is left.
    UsageError
        For an unknown variant, or data of another kind.
    """
    return read_purchases(datasets.locate_or_fetch(name, data_dir, offline), variant=variant, free=free)


def read_purchases(located: catalog.Located, *, variant: str | None = None, free: bool = False) -> Purchases:
    """Read the files of a copy as purchases."""
    if located.format is None:
        raise DataError(located.path, f"must hold {layouts.KNOWN_PURCHASES}")
    if located.format not in layouts.PURCHASES or list(located.files) == ["customers"]:
        raise UsageError(f"{located.name} holds no purchases, but {', '.join(f.name for f in located.files.values())}")
    sales = purchasetables.read(located.files, located.format, variant, free=free, name=located.name)
    note = f"{sales.note} {sieve.said(sales.dropped, sales.lines)}"
    return Purchases(
        located.name, *sales[:5], note, sales.currency, located.origin, located.fingerprint,
        datasets.licence_of(located),
    )  # fmt: skip
