"""Where customers go from one period to the next: shares of those who were in a segment, with Wilson's intervals.

    P(to | from) = n(from → to) / n(from)

Who was not yet a customer has a row of their own. The shares describe what happened, they are not a law: a Markov chain
made of them would have to assume that the next period is like the last one.

Reference: Anderson & Goodman (1957), Statistical inference about Markov chains; Wilson (1927), the interval of a share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from smlab.calibration import wilson
from smlab.checks import UsageError

NEW = "not yet a customer"


def migration(
    before: pd.Series, after: pd.Series, *, order: Sequence[str] | None = None, smallest: int = 10
) -> pd.DataFrame:
    """Count the moves between segments.

    Parameters
    ----------
    before, after : name of the segment of each customer, indexed by customer; who is missing before is new
    order : the segments in the order of rows and columns; None is that of their first mention after, then before
    smallest : rows of fewer customers keep their place and lose their figures

    Returns
    -------
    frame with a row for each pair: from, to, n, of (all of `from`), value, low, high

    Raises
    ------
    UsageError
        If a customer of the first period is missing in the second, or stands twice.

    >>> then = pd.Series({"a": "new", "b": "new", "c": "loyal"})
    >>> now = pd.Series({"a": "loyal", "b": "new", "c": "loyal", "d": "new"})
    >>> migration(then, now, smallest=1)[["from", "to", "n", "value"]].head(2).values.tolist()
    [['loyal', 'loyal', 1, 1.0], ['loyal', 'new', 0, 0.0]]
    """
    for series in (before, after):
        if series.index.has_duplicates:
            raise UsageError(f"the customer {series.index[series.index.duplicated()][0]!r} stands twice")
    gone = before.index.difference(after.index)
    if len(gone):
        raise UsageError(f"{len(gone)} customers of the first period are missing in the second; first: {gone[0]!r}")
    names = list(dict.fromkeys([*after, *before])) if order is None else list(order)
    then = before.reindex(after.index).fillna(NEW)
    rows = [*names, NEW] if (then == NEW).any() else names
    counts = pd.crosstab(then, after).reindex(index=rows, columns=names, fill_value=0)
    pairs = counts.rename_axis("from").reset_index().melt("from", var_name="to", value_name="n")
    pairs["of"] = pairs["from"].map(counts.sum(axis=1))
    low, high = wilson(pairs["n"], pairs["of"])
    shown = pairs["of"] >= smallest
    pairs["value"] = (pairs["n"] / pairs["of"].clip(lower=1)).where(shown)
    pairs["low"], pairs["high"] = np.where(shown, low, np.nan), np.where(shown, high, np.nan)
    return pairs.sort_values("from", key=lambda c: c.map({n: i for i, n in enumerate(rows)}), kind="stable",
                             ignore_index=True)  # fmt: skip


def square(table: pd.DataFrame, column: str = "value") -> pd.DataFrame:
    """Lay a column of `migration` out as a matrix, from in rows, to in columns, in their order."""
    rows, columns = (list(dict.fromkeys(table[c])) for c in ("from", "to"))
    return table.pivot(index="from", columns="to", values=column).reindex(index=rows, columns=columns)
