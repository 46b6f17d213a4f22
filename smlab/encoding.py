"""From click frames to codes: every field a range of one shared table, so a model needs one gather.

A click frame has one row for each impression, a column `click` (0 or 1) and fields such as user, ad, hour. The
models take whole numbers `codes` (n_rows, n_fields) instead:

    codes[r, f] = offset_f + place of the value in field f,    offset_f = Σ_{g<f} size_g

Place 0 of each field stands for what is unknown, rare or missing, so an id that appears only at prediction is
no error. The vocabulary is learnt from the training part alone. `Encoder` keeps it; `hash_codes` needs none,
for streams that do not fit into memory; `bucketize` makes a category of a number.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError, nearest, shorten

Codes = NDArray[np.int32] | NDArray[np.int64]
Bins = int | Literal["log-squared"]


class Encoder:
    """Learn the values of each field and give them codes in one shared range.

    Values are numbered in sorted order, so the codes do not depend on the order of rows.

    >>> frame = pd.DataFrame({"user": ["mia", "ann", "mia"], "hour": [9, 9, 10]})
    >>> encoder = Encoder().fit(frame, ["user", "hour"])
    >>> encoder.transform(frame)
    array([[2, 4],
           [1, 4],
           [2, 5]], dtype=int32)
    >>> encoder.transform(pd.DataFrame({"user": ["bob"], "hour": [9]}))  # 0: an unknown user
    array([[0, 4]], dtype=int32)
    >>> encoder.sizes_, encoder.offsets_, encoder.n_features_
    (array([3, 3]), array([0, 3]), 6)
    """

    fields_: list[str]
    sizes_: NDArray[np.int64]  # (n_fields,), the place 0 counted
    offsets_: NDArray[np.int64]  # (n_fields,)
    n_features_: int
    constant_fields_: list[str]

    def fit(
        self,
        frame: pd.DataFrame,
        fields: Sequence[str] | None = None,
        *,
        min_count: int = 1,
        bins: Mapping[str, Bins] | None = None,
    ) -> Encoder:
        """Learn the vocabularies from `frame`: the training part, nothing else.

        Parameters
        ----------
        fields : columns to encode; all but `click` where not given
        min_count : a value of fewer rows is rare, and shares place 0 with the unknown ones
        bins : for numeric fields: a number of quantile bins, or "log-squared", see `bucketize`

        Raises
        ------
        UsageError
            A column that is not there or named twice, no rows, values of several types, a number that is NaN.
        """
        self.fields_ = _need_fields(frame, fields)
        if min_count < 1:
            raise UsageError(f"min_count={min_count}: a value that is kept has at least one row")
        self.bins_ = _need_bins(bins or {}, self.fields_)
        self.edges_ = {f: quantile_edges(frame[f], n) for f, n in self.bins_.items() if isinstance(n, int)}
        self.values_ = {f: _vocabulary(self._column(frame, f), f, min_count) for f in self.fields_}
        self.sizes_ = np.array([len(self.values_[f]) + 1 for f in self.fields_], dtype=np.int64)
        self.offsets_ = offsets(self.sizes_)
        self.n_features_ = int(self.sizes_.sum())
        self.constant_fields_ = [
            f for f, v in self.values_.items() if len(v) < 2 and frame[f].nunique(dropna=False) < 2
        ]
        if self.constant_fields_:
            names = ", ".join(map(repr, self.constant_fields_))
            plural = "have" if len(self.constant_fields_) > 1 else "has"
            warnings.warn(f"{names} {plural} one value only in the training rows and can explain nothing", stacklevel=2)
        return self

    def transform(self, frame: pd.DataFrame, *, strict: bool = False) -> Codes:
        """Give the codes (n_rows, n_fields); with `strict`, a value that was not learnt is an error."""
        if not hasattr(self, "fields_"):
            raise UsageError("the encoder has learnt nothing yet; call fit(frame, fields) first")
        _need_fields(frame, self.fields_, rows=False)
        codes = np.empty((len(frame), len(self.fields_)), np.int32 if self.n_features_ < 2**31 else np.int64)
        for j, f in enumerate(self.fields_):
            place = self.values_[f].get_indexer(pd.Index(self._column(frame, f))) + 1
            if strict and not place.all():
                row = int(np.flatnonzero(place == 0)[0])
                value, rest = shorten(repr(frame[f].iloc[row])), int((place == 0).sum()) - 1
                more = f" (and {rest} more row{'s' if rest > 1 else ''})" if rest else ""
                raise UsageError(f"row {row}, column {f!r}: {value} was not learnt in training{more}")
            codes[:, j] = place + self.offsets_[j]
        return cast(Codes, codes)

    def decode(self, codes: ArrayLike) -> pd.DataFrame:
        """Give the values that codes (n_rows, n_fields) stand for, None for place 0; bins as their number."""
        places = need_codes(codes, self.sizes_) - self.offsets_
        columns = {}
        for j, f in enumerate(self.fields_):
            values = np.array([*self.values_[f], None], dtype=object)
            columns[f] = values[places[:, j] - 1]  # place 0 takes the last one
        return pd.DataFrame(columns)

    def _column(self, frame: pd.DataFrame, field: str) -> pd.Series:
        """Give the column as it is encoded: a number that has bins becomes its bin."""
        if field not in self.bins_:
            return frame[field]
        return pd.Series(bucketize(frame[field], self.edges_.get(field, "log-squared")), index=frame.index)


def offsets(sizes: ArrayLike) -> NDArray[np.int64]:
    """Give where the range of each field begins, (n_fields,).

    >>> offsets([3, 3, 5])
    array([0, 3, 6])
    """
    return np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))[:-1]])


def bucketize(
    values: ArrayLike | pd.Series, edges: ArrayLike | Literal["log-squared"] = "log-squared"
) -> NDArray[np.int64]:
    """Give each number the number of its bin.

    With `edges` e_1 < … < e_m bin b holds e_b ≤ x < e_{b+1}, and 0 what is below e_1. With "log-squared" bin
    2 + ⌊ln(x)²⌋ holds x > 2, and x itself, rounded down, is the bin of what is smaller: the rule by which the
    winners of the Criteo contest of 2014 cut counts, fine for small ones and coarse for large ones.

    Raises
    ------
    UsageError
        A value that is missing or not finite, or no number: say what missing means before (0? its own field?).

    >>> bucketize([0, 1, 2, 3, 100, 100_000])
    array([  0,   1,   2,   3,  23, 134])
    >>> bucketize([1.0, 2.5, 9.0], edges=[2, 5])
    array([0, 1, 2])
    """
    x = _need_numbers(values)
    if isinstance(edges, str):
        if edges != "log-squared":
            raise UsageError(f"unknown bins {edges!r}: a list of edges or 'log-squared'")
        return np.floor(np.where(x > 2, 2 + np.log(np.maximum(x, 2)) ** 2, x)).astype(np.int64)
    return np.searchsorted(np.asarray(edges, dtype=float), x, side="right").astype(np.int64)


def quantile_edges(values: ArrayLike | pd.Series, n_bins: int) -> NDArray[np.float64]:
    """Give the edges that cut `values` into `n_bins` parts of about equal size, fewer where values repeat.

    >>> quantile_edges([1, 2, 3, 4, 5, 6, 7, 8], n_bins=4)
    array([2.75, 4.5 , 6.25])
    """
    if n_bins < 2:
        raise UsageError(f"n_bins={n_bins}: at least two bins are needed to tell anything apart")
    x = _need_numbers(values)
    edges = np.unique(np.quantile(x, np.arange(1, n_bins) / n_bins))
    return edges[edges > x.min()]  # else the lowest bin would be empty


def hash_codes(
    frame: pd.DataFrame, fields: Sequence[str] | None = None, *, n_buckets: int = 100_000, seed: int = 0
) -> Codes:
    """Give codes (n_rows, n_fields) by a hash of each value, without any vocabulary.

    The code of a value is always the same, on every machine and in every chunk of a stream; two values share
    a bucket with probability 1/n_buckets: the hashing trick of Weinberger et al. (2009). A missing value has
    place 0, so each field takes n_buckets + 1 places: `sizes=[n_buckets + 1] * n_fields`. Whole numbers hash
    alike as int, float or bool, since a chunk with a gap turns ids to floats; the text "5" is another value.

    >>> frame = pd.DataFrame({"ad": ["a", "b", "a"], "hour": [9, 9, None]})
    >>> codes = hash_codes(frame, n_buckets=1000)
    >>> bool(codes[0, 0] == codes[2, 0] != codes[1, 0]), codes[2, 1] == 1001  # missing: place 0 of field 1
    (True, np.True_)
    """
    names = _need_fields(frame, fields, rows=False)
    if n_buckets < 1:
        raise UsageError(f"n_buckets={n_buckets}: at least one bucket is needed")
    total = (n_buckets + 1) * len(names)
    codes = np.empty((len(frame), len(names)), np.int32 if total < 2**31 else np.int64)
    for j, f in enumerate(names):
        salt = np.array([(seed * 1_000_003 + j) % 2**64], dtype=np.uint64)
        bucket = (_mix(_hash(frame[f]) ^ _mix(salt)) % np.uint64(n_buckets)).astype(np.int64)
        codes[:, j] = np.where(frame[f].isna(), 0, bucket + 1) + j * (n_buckets + 1)
    return cast(Codes, codes)


def need_codes(codes: ArrayLike, sizes: ArrayLike) -> Codes:
    """Check that `codes` (n_rows, n_fields) lie in the ranges of `sizes` (n_fields,), and give them as an array.

    >>> need_codes([[0, 4], [2, 3]], sizes=[3, 2])
    array([[0, 4],
           [2, 3]])
    """
    c, n = np.asarray(codes), np.asarray(sizes)
    if n.ndim != 1 or not len(n) or not np.issubdtype(n.dtype, np.integer) or n.min() < 1:
        raise UsageError(f"sizes must be one whole number above 0 for each field, not {shorten(repr(sizes))}")
    if c.ndim != 2 or c.shape[1] != len(n):
        raise UsageError(f"codes of shape {c.shape} do not fit sizes for {len(n)} fields: (n_rows, {len(n)}) is needed")
    if not np.issubdtype(c.dtype, np.integer):
        raise UsageError(f"codes must be whole numbers, as Encoder.transform gives them, not {c.dtype}")
    low = offsets(n)
    if len(c) and ((c.min(axis=0) < low).any() or (c.max(axis=0) >= low + n).any()):
        r, f = (int(i[0]) for i in np.nonzero((c < low) | (c >= low + n)))
        raise UsageError(
            f"row {r}, field {f}: code {c[r, f]} is outside its range {low[f]}..{low[f] + n[f] - 1}; "
            "were these codes made by another encoder, or without the offsets?"
        )
    return cast(Codes, c)


def need_clicks(clicks: ArrayLike, n_rows: int, *, both: bool = True) -> NDArray[np.float32]:
    """Check that `clicks` (n_rows,) are 0 or 1 and, with `both`, that there are some of each."""
    y = np.asarray(clicks)
    if y.shape != (n_rows,):
        raise UsageError(f"clicks of shape {y.shape} do not fit {n_rows} rows of codes: ({n_rows},) is needed")
    wrong = np.flatnonzero(~((y == 0) | (y == 1)))
    if len(wrong):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"row {wrong[0]}: click {shorten(repr(y[wrong[0]].item()))} must be 0 or 1{more}")
    if both and (not len(y) or y.min() == y.max()):
        shown = f"all {n_rows} labels are {int(y[0])}" if len(y) else "there are no rows"
        raise UsageError(f"{shown}: learning needs impressions with and without a click")
    return y.astype(np.float32)


def _vocabulary(column: pd.Series, field: str, min_count: int) -> pd.Index:
    counts = column.value_counts()  # without the missing
    try:
        return pd.Index(counts.index[counts >= min_count]).sort_values()
    except TypeError:
        kinds = sorted({type(v).__name__ for v in counts.index})
        raise UsageError(f"column {field!r} mixes {', '.join(kinds)}; values of one field need one type") from None


def _need_fields(frame: pd.DataFrame, fields: Sequence[str] | None, *, rows: bool = True) -> list[str]:
    names = [c for c in frame.columns if c != "click"] if fields is None else list(fields)
    absent = [f for f in names if f not in frame.columns]
    if absent:
        have = [str(c) for c in frame.columns]
        raise UsageError(f"the frame has no column {absent[0]!r}; {nearest(str(absent[0]), have)}")
    twice = [f for f in names if names.count(f) > 1]
    if twice or not names:
        raise UsageError(f"field {twice[0]!r} is named twice" if twice else "at least one field is needed")
    if rows and not len(frame):
        raise UsageError("the frame has no rows to learn from")
    return names


def _need_bins(bins: Mapping[str, Any], fields: list[str]) -> dict[str, Bins]:
    for f, n in bins.items():
        if f not in fields:
            raise UsageError(f"bins name {f!r}, which is no field; {nearest(f, fields)}")
        if not (isinstance(n, int) and n >= 2 or n == "log-squared"):
            raise UsageError(f"bins of {f!r} must be a number of bins from 2 or 'log-squared', not {n!r}")
    return dict(bins)


def _need_numbers(values: ArrayLike | pd.Series) -> NDArray[np.float64]:
    named = f"column {values.name!r}, " if isinstance(values, pd.Series) and values.name is not None else ""
    try:
        x = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(
            f"{named}bins need numbers, not {shorten(repr(np.asarray(values).ravel()[:1].tolist()))}"
        ) from None
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x))[0])
        raise UsageError(f"{named}row {row}: {x[row]} is not finite; say first what a missing number means")
    return x


def _hash(column: pd.Series) -> NDArray[np.uint64]:
    """Hash values to 64 bits, alike for whole numbers of every type; what is missing hashes to anything."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        of_category = np.append(_hash(pd.Series(column.cat.categories)), np.uint64(0))
        return cast(NDArray[np.uint64], of_category[column.cat.codes.to_numpy()])
    if pd.api.types.infer_dtype(column, skipna=True) in ("integer", "floating", "mixed-integer-float", "boolean"):
        column = column if pd.api.types.is_numeric_dtype(column.dtype) else column.astype(float)
        if not column.hasnans and not pd.api.types.is_float_dtype(column.dtype):
            return column.to_numpy().astype(np.int64).view(np.uint64)
        x = column.to_numpy(dtype=float, na_value=np.nan)
        whole = (x == np.floor(x)) & (np.abs(x) < 2.0**53)
        return np.where(whole, np.where(whole, x, 0).astype(np.int64).view(np.uint64), x.view(np.uint64))
    return cast(NDArray[np.uint64], pd.util.hash_array(column.to_numpy(dtype=object, na_value="")))


def _mix(h: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers: the last step of splitmix64 (Steele, Lea & Flood 2014), wrapping as it must."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return cast(NDArray[np.uint64], h ^ (h >> np.uint64(31)))
