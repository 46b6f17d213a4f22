"""Leave rows out for a reason, and keep the account: how many for which reason, and one of them as an example.

Each row is counted once, under the first reason that it meets, so the counts add up to the rows that were read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import shorten

COLUMNS = ["reason", "rows", "example", "share"]


class Sieve:
    """Rows of a table, of which more and more are left out.

    Parameters
    ----------
    n : rows that were read
    example : row → a text that shows it

    >>> sieve = Sieve(4, "abcd".__getitem__)
    >>> sieve.drop("is odd", np.array([True, False, True, False])), int(sieve.left.sum())
    (array([ True, False,  True, False]), 2)
    >>> sieve.table().values.tolist()
    [['is odd', 2, 'a', 0.5]]
    """

    def __init__(self, n: int, example: Callable[[int], str]) -> None:
        self.left: NDArray[np.bool_] = np.ones(n, dtype=bool)
        self._example, self._found = example, list[tuple[str, int, str, float]]()

    def drop(self, reason: str, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Leave out those of `rows` that are still there, and give them, (n,)."""
        taken = self.left & rows
        if count := int(taken.sum()):
            example = shorten(self._example(int(taken.argmax())), 90)
            self._found.append((reason, count, example, count / len(rows)))
            self.left &= ~rows
        return taken

    def table(self) -> pd.DataFrame:
        """Give the account: reason, rows, example, share of all rows."""
        return pd.DataFrame(self._found, columns=COLUMNS).astype({"reason": "str", "rows": "int64", "example": "str"})


def said(dropped: pd.DataFrame, n: int, thing: str = "lines") -> str:
    """Say in a sentence what was left out of n rows.

    >>> said(pd.DataFrame([("has no customer", 12, "", 0.1)], columns=COLUMNS), 120)
    'Left out of 120 lines: 12 (has no customer).'
    """
    if dropped.empty:
        return f"All {n:,} {thing} are kept."
    parts = ", ".join(f"{rows:,} ({reason})" for reason, rows in zip(dropped["reason"], dropped["rows"], strict=True))
    return f"Left out of {n:,} {thing}: {parts}."
