r"""What an author's earlier posts tell before the next one is published, and whether a post did better than they did.

At the moment t of a post its author knows how often and when he has posted, and the reactions to those posts that are
at least `delay` old: younger ones still collect. With y_1 … y_m the reactions of the last k such posts,

    mean_k = (1/m) Σ ln(1 + y_j),      worked = [y > median(y_1, …, y_m)]

The second is the label of the engagement models: better than this author's usual, so that a large audience is no
merit. Nothing later than t - delay enters either, which is why they may be computed on all posts before any split.

Posts are sorted once, author by author; a binary search then finds where each past ends and running sums do the rest:
n log n steps for n posts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.indexers import BaseIndexer

from smlab.checks import UsageError, nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HOUR = 3.6e9  # microseconds
FEWEST = 10  # earlier posts that a median needs to be somebody's usual
UNIT = 2.0**24  # logarithms are summed in whole steps of 1/UNIT: exact, so no rounding goes from one author to the next


def worked(frame: pd.DataFrame, outcome: str = "reactions", *, window: int = 50, delay: str = "1D") -> pd.Series:
    """Say which posts had more reactions than the median of their author's last posts.

    Parameters
    ----------
    frame : posts with `time`, `author` and the outcome
    window : how many earlier posts make the usual, at least 10
    delay : how old they have to be at the moment of the post, such as "1D" or "6h"

    Returns
    -------
    (n,) 1 or 0, NaN where the outcome is unknown or fewer than 10 such posts are known; the index is that of `frame`

    >>> days = pd.date_range("2024-01-01", periods=12, freq="2D")
    >>> posts = pd.DataFrame({"time": days, "author": "ann", "reactions": [5.0] * 10 + [9.0, 5.0]})
    >>> worked(posts).tolist()[-3:]
    [nan, 1.0, 0.0]
    """
    if window < FEWEST:
        raise UsageError(f"window={window}: at least {FEWEST} earlier posts make an author's usual")
    past = AuthorPast(frame, outcome=outcome, delay=delay)
    y, usual = frame[outcome].to_numpy(dtype=float), past.median(window)
    unknown = np.isnan(y) | (past.known() < FEWEST)
    return pd.Series(np.where(unknown, np.nan, y > usual), index=frame.index, name="worked")


class AuthorPast:
    """What was known of an author at the moment of a post; each method gives one number for each post, (n,).

    A post is no part of its own past, nor is another of the same moment.

    Parameters
    ----------
    posts : the earlier posts, in any order; later ones do no harm. Rows without an outcome count as posts only
    asked : (n,) the posts whose past is asked for, published or not; None takes `posts`
    outcome : column of reactions, 0 or more
    delay : how old a post has to be before its reactions are taken for known
    by : the columns that say whose past it is; with "kind" beside "author", that of posts of the same kind

    >>> days = pd.date_range("2024-01-01", periods=4, freq="D")
    >>> posts = pd.DataFrame({"time": days, "author": "ann", "reactions": [0.0, 6.0, 2.0, 50.0]})
    >>> past = AuthorPast(posts, delay="2D")
    >>> past.mean(5).round(2), past.median(5), past.hours_since()
    (array([ nan,  nan, 0.  , 0.97]), array([nan, nan,  0.,  3.]), array([nan, 24., 24., 24.]))
    """

    def __init__(
        self,
        posts: pd.DataFrame,
        asked: pd.DataFrame | None = None,
        *,
        outcome: str = "reactions",
        delay: str = "1D",
        by: Sequence[str] = ("author",),
    ) -> None:
        self.delay = max(span(delay), 1)  # a post of the same moment is none of the past
        times, y = need_times(posts), _outcomes(posts, outcome)
        code, self._code = _codes(posts, asked, by)
        self._times = times if asked is None else need_times(asked)
        self._moments = np.sort(times)
        order = np.lexsort((y, times, code))  # of one moment by outcome, whatever the order of rows
        rank = np.searchsorted(self._moments, times[order])
        self._posts, self._earlier = self._keys(code[order], rank), times[order]
        known = ~np.isnan(y[order])
        self._known, y = self._posts[known], y[order][known]
        self._sums = np.concatenate([[0], np.cumsum(np.rint(UNIT * np.log1p(y)).astype(np.int64))])
        self._y, self._first = pd.Series(y), np.searchsorted(self._known, self._keys(code[order][known], 0))

    def known(self) -> Ints:
        """Count the author's posts whose reactions were known."""
        start, end = self._reach()
        return end - start

    def mean(self, k: int) -> Floats:
        """Give the mean of ln(1 + reactions) of the last k known posts; NaN where there is none."""
        start, end = self._reach()
        start = np.maximum(start, end - k)
        total = (self._sums[end] - self._sums[start]) / UNIT
        return np.divide(total, end - start, out=np.full(len(total), np.nan), where=end > start)

    def median(self, k: int) -> Floats:
        """Give the median of the reactions of the last k known posts; NaN where there is none."""
        start, end = self._reach()
        rolled = self._y.rolling(_LastOf(self._first, k), min_periods=1).median().to_numpy()
        found = np.full(len(end), np.nan)
        found[end > start] = rolled[end[end > start] - 1]
        return found

    def hours_since(self) -> Floats:
        """Give the hours since the author's last post, however young; NaN where there is none."""
        end = self._until(self._posts, self._times, "left")
        some = end > np.searchsorted(self._posts, self._keys(self._code, 0))
        found = np.full(len(end), np.nan)
        found[some] = (self._times[some] - self._earlier[end[some] - 1]) / HOUR
        return found

    def posts_within(self, hours: float) -> Ints:
        """Count the author's posts of the last hours."""
        end = self._until(self._posts, self._times, "left")
        return end - self._until(self._posts, self._times - int(hours * HOUR), "left")

    # All posts stand in one line, author by author and each author's by time: their keys rise along it.

    def _keys(self, code: Ints, rank: Ints | int) -> Ints:
        return code * (len(self._moments) + 1) + rank

    def _until(self, line: Ints, times: Ints, side: Literal["left", "right"]) -> Ints:
        """Say where in the line the author's posts before a moment ("left"), or up to it ("right"), end, (n,)."""
        return np.searchsorted(line, self._keys(self._code, np.searchsorted(self._moments, times, side=side)))

    def _reach(self) -> tuple[Ints, Ints]:
        """Give start and end of the known posts in their line, (n,) each."""
        start = np.searchsorted(self._known, self._keys(self._code, 0))
        return start, self._until(self._known, self._times - self.delay, "right")


class _LastOf(BaseIndexer):
    """Windows for pandas: the last k posts of the same author, this one included."""

    def __init__(self, first: Ints, k: int) -> None:
        super().__init__()
        self.first, self.k = first, k

    def get_window_bounds(self, num_values=0, min_periods=None, center=None, closed=None, step=None):  # type: ignore[no-untyped-def]
        """Give start and end of each window; pandas names the parameters."""
        end = np.arange(1, num_values + 1)
        return np.maximum(end - self.k, self.first), end


def need_times(frame: pd.DataFrame) -> Ints:
    """Give the moments in microseconds since 1970, UTC, (n,); times without a zone are UTC's."""
    need_columns(frame, "time")
    time = frame["time"]
    if not pd.api.types.is_datetime64_any_dtype(time):
        raise UsageError(f"the column 'time' is {time.dtype}; needed are times: pd.to_datetime(…)")
    if time.isna().any():
        raise UsageError(f"row {int(time.isna().argmax())}, column 'time': missing; every post needs its moment")
    if time.dt.tz is not None:
        time = time.dt.tz_convert("UTC").dt.tz_localize(None)
    return time.to_numpy().astype("datetime64[us]").astype(np.int64)


def _codes(posts: pd.DataFrame, asked: pd.DataFrame | None, by: Sequence[str]) -> tuple[Ints, Ints]:
    """Number whom posts belong to, (n_posts,) and (n,)."""
    frames = [posts] if asked is None else [posts, asked]
    both = np.zeros(sum(map(len, frames)), dtype=np.int64)
    for column in by:
        parts = [_names(frame, column) for frame in frames]
        code, names = pd.factorize(pd.concat(parts) if len(parts) > 1 else parts[0], use_na_sentinel=False)
        both = pd.factorize(both * len(names) + code)[0]
    return both[: len(posts)], both[0 if asked is None else len(posts) :]


def _names(frame: pd.DataFrame, column: str) -> pd.Series:
    need_columns(frame, column)
    if column == "author" and frame[column].isna().any():
        row = int(frame[column].isna().argmax())
        raise UsageError(f"row {row}, column 'author': missing; name one author where only one posts")
    return frame[column].astype(str)


def _outcomes(frame: pd.DataFrame, outcome: str) -> Floats:
    need_columns(frame, outcome)
    try:
        y = frame[outcome].to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise UsageError(f"the column {outcome!r} must hold numbers") from None
    wrong = np.flatnonzero((y < 0) | np.isinf(y))
    if len(wrong):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"row {wrong[0]}, column {outcome!r}: {y[wrong[0]]:g} is no number of reactions{more}")
    return y


def span(delay: str) -> int:
    """Give a delay in microseconds."""
    try:
        found = pd.Timedelta(delay)
    except ValueError:
        raise UsageError(f"delay={delay!r} is no span of time; write it as in '1D' or '6h'") from None
    if not found >= pd.Timedelta(0):
        raise UsageError(f"delay={delay!r} must not be below 0: reactions of the future are not known")
    return int(found / pd.Timedelta(microseconds=1))


def need_columns(frame: pd.DataFrame, *columns: str) -> None:
    """Refuse a frame without one of `columns`."""
    for column in columns:
        if column not in frame.columns:
            raise UsageError(f"the posts have no column {column!r}; {nearest(column, map(str, frame.columns))}")
