"""What is known of users and items beside the ratings, as a sparse matrix of zeros and ones.

A column of text gives one feature for each word, words being parted by "|" as the genres are; a column of numbers is
cut into classes of about equal size, because neither age nor year has to act in a straight line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest
from smlab.features import Vocab


def side_features(table: pd.DataFrame, vocab: Vocab, columns: Sequence[str], *, n_bins: int = 8) -> sparse.csr_array:
    """Give the features of the users (or items) of a vocabulary, (n, D): 1 where one has the feature.

    What is missing gives no feature, and who is not in the table none at all.

    Parameters
    ----------
    table : with the ids in its first column, as the readers give users and items; ids unknown to `vocab` are left out
    columns : which columns to take
    n_bins : classes of a column of numbers, at most; equal numbers share a class

    Raises
    ------
    UsageError
        For a column that is not there.

    >>> table = pd.DataFrame({"user": [7, 8, 9], "age": [20, 61, 33], "likes": ["tea|rum", "tea", None]})
    >>> side_features(table, Vocab().fit([7, 8, 9, 10]), ["age", "likes"], n_bins=2).toarray().astype(int)
    array([[1, 0, 1, 1],
           [0, 1, 0, 1],
           [0, 1, 0, 0],
           [0, 0, 0, 0]])
    """
    if not columns:
        raise UsageError(f"columns is empty; the table has {', '.join(map(str, table.columns))}")
    for c in columns:
        if c not in table.columns:
            raise UsageError(f"the table has no column {c!r}: {nearest(c, map(str, table.columns))}")
    rows = vocab.encode(table.iloc[:, 0], strict=False)
    table, rows = table[rows >= 0], rows[rows >= 0]
    parts = [_part(table[c], rows, len(vocab), n_bins) for c in columns]
    return sparse.csr_array(sparse.hstack(parts, format="csr"))


def _part(column: pd.Series, rows: NDArray[np.int64], n: int, n_bins: int) -> sparse.csr_array:
    """Give the features of one column, (n, D)."""
    known = column.notna().to_numpy()
    column, rows = column[known], rows[known]
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float)
        edges = np.unique(np.quantile(values, np.arange(1, n_bins) / n_bins)) if len(values) else values
        codes, width = np.searchsorted(edges, values, side="right"), len(edges) + 1
    else:
        words = column.astype("str").str.split("|")
        rows = np.repeat(rows, [len(w) for w in words])
        codes, names = pd.factorize(words.explode().to_numpy(dtype=object), sort=True)
        width = len(names)
    features = sparse.csr_array((np.ones(len(codes)), (rows, codes)), shape=(n, width))
    features.data[:] = 1.0  # a word said twice
    return features
