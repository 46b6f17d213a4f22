"""The columns of a logistic regression in words: one for each value of a field but its first.

    logit p_i = θ_0 + x_i' θ,    x_i = ([field = value] for all values but the first, products of such pairs)

The first value of each field (in sorted order) is the reference, for else the columns of a field would add up to
the intercept's and θ would not be determined. exp θ is then the odds ratio against the reference, all else equal.
The rows may be impressions, or ads with their counts: `ctr.LogisticRegression` adds the intercept and takes both.
Unlike `encoding`, which gives every value its place in a table for gradient methods, this keeps names, so that a
coefficient can be said in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest, shorten

JOIN = " × "


class Design:
    """Learn the values of fields; turn frames into a sparse matrix with named columns.

    >>> frame = pd.DataFrame({"device": ["phone", "desk", "phone"], "age": ["18", "18", "25"]})
    >>> design = Design().fit(frame, ["device", "age"])
    >>> design.names_
    ['device=phone', 'age=25']
    >>> design.transform(frame).toarray()
    array([[1., 0.],
           [0., 0.],
           [1., 1.]])
    """

    names_: list[str]
    values_: dict[str, list[Any]]  # of each field, the reference first

    def fit(
        self,
        frame: pd.DataFrame,
        fields: Sequence[str],
        *,
        interactions: Sequence[tuple[str, str]] = (),
        values: Mapping[str, Sequence[Any]] | None = None,
    ) -> Design:
        """Learn the values of `fields`, which are categories, from the training part.

        Parameters
        ----------
        interactions : pairs of fields whose values get a column for each pair, both not the reference
        values : for some fields the values in the wanted order, the reference first
        """
        pairs = [tuple(pair) for pair in interactions]
        given = dict(values or {})
        self.values_ = {}
        for field in dict.fromkeys([*fields, *(f for pair in pairs for f in pair)]):
            if field not in frame.columns:
                have = [str(c) for c in frame.columns]
                raise UsageError(f"the frame has no column {field!r}; {nearest(field, have)}")
            if frame[field].isna().any():
                raise UsageError(f"column {field!r} has missing values; name them first, such as 'unknown'")
            self.values_[field] = list(given.get(field, sorted(frame[field].unique().tolist())))
        self.fields_, self.interactions_ = list(fields), pairs
        self.names_ = [f"{f}={v}" for f in self.fields_ for v in self.values_[f][1:]]
        self.names_ += [
            f"{f}={v}{JOIN}{g}={w}" for f, g in pairs for v in self.values_[f][1:] for w in self.values_[g][1:]
        ]
        return self

    def transform(self, frame: pd.DataFrame, *, strict: bool = True) -> sparse.csr_array:
        """Give X (n_rows, n_columns); an unknown value is an error, or counts as the reference if not `strict`."""
        n, begin = len(frame), 0
        place = {field: self._places(frame, field, strict) for field in self.values_}
        rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        columns = [np.empty(0, np.int64)]

        def put(at: NDArray[np.int64], width: int) -> None:
            nonlocal begin
            hit = np.flatnonzero(at >= 0)
            rows.append(hit)
            columns.append(begin + at[hit])
            begin += width

        for field in self.fields_:
            put(place[field] - 1, len(self.values_[field]) - 1)
        for f, g in self.interactions_:
            width = len(self.values_[g]) - 1
            both = (place[f] > 0) & (place[g] > 0)
            put(np.where(both, (place[f] - 1) * width + place[g] - 1, -1), (len(self.values_[f]) - 1) * width)
        r, c = np.concatenate(rows), np.concatenate(columns)
        return sparse.csr_array((np.ones(len(r)), (r, c)), shape=(n, len(self.names_)))

    def _places(self, frame: pd.DataFrame, field: str, strict: bool) -> NDArray[np.int64]:
        """Give the place of each value in the field's list; the reference has 0."""
        if field not in frame.columns:
            raise UsageError(f"the frame has no column {field!r}, which the design was fitted with")
        place = pd.Index(self.values_[field]).get_indexer(pd.Index(frame[field]))
        if strict and (place < 0).any():
            row = int((place < 0).argmax())
            shown, rest = shorten(repr(frame[field].tolist()[row])), _rest(int((place < 0).sum()))
            raise UsageError(f"row {row}, column {field!r}: {shown} was not there when fitting{rest}")
        return np.maximum(place, 0)


def need_counts(clicks: ArrayLike, impressions: ArrayLike) -> None:
    """Refuse counts that are no clicks of impressions."""
    k, n = np.asarray(clicks), np.asarray(impressions)
    if k.ndim != 1 or k.shape != n.shape or not k.size:
        raise UsageError(f"clicks have shape {k.shape}, impressions {n.shape}: one each, and not empty")
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~((k >= 0) & (k <= n) & np.isfinite(n)))
    if wrong.size:
        row, rest = wrong[0], _rest(len(wrong))
        raise UsageError(f"row {row}: {k[row]:g} clicks of {n[row]:g} impressions cannot be{rest}")


def _rest(wrong: int) -> str:
    return f" (and {wrong - 1} more row{'s' if wrong > 2 else ''})" if wrong > 1 else ""
