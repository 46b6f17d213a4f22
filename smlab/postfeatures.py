"""Columns for a post that nobody has seen yet: only what is known before it is published.

| group | columns |
|---|---|
| time of day, weekday | hour on a circle, sin and cos of 2πh/24, and the weekend, on the clocks of the audience |
| kind, and what else is known | one column for each frequent value but the commonest; numbers as they are |
| length, links, hashtags, mentions, emoji, signs, numbers | logarithms and counts, of any language |
| feeling | ln(1 + sum of weights) of good and of bad words, by a lexicon |
| words | SIF vectors of the text, by word vectors of the training posts, on their first principal axes |
| author's past | the median of the last 50 posts; how much better the last 10 of this kind did |
| author's rhythm | hours since the last post, posts of the last 24 hours |

What is learnt (frequent values, word vectors, axes, medians for what is missing) comes from the training posts. What
an author's earlier posts say comes from all posts that are old enough at that moment, see `authorpast`: so features
may be computed for all posts at once, and cut by time afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.authorpast import AuthorPast, need_columns, need_times, span, worked
from smlab.checks import UsageError, shorten
from smlab.lexicons import Vader
from smlab.postwording import Column, Themes, feeling, wording
from smlab.text import Tokenizer

__all__ = ["PostFeatures", "cut_by_time", "worked"]

Floats = NDArray[np.float64]
SAME_KIND = 10  # posts of one kind that say how it does lately
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OTHER = "other"


class PostFeatures:
    """Learn from training posts what the columns need; give the columns of any posts, published or not.

    Parameters
    ----------
    outcome : column of reactions, for the author's past alone
    before : further columns known before publishing, such as `Reactions.before`; "author" for a column of each author,
        which helps only where the usual of each does not say enough
    zone : whose clocks, such as "Europe/Berlin"
    each_day : a column for each weekday, where there are posts enough to learn from; else the weekend alone
    window, delay : as of `worked`: how many posts make the usual, and how old they have to be
    text_vectors : columns of the group words; 0 leaves them out
    n_factors, epochs : of the word vectors
    lexicon : word → weight, above 0 for good ones; VADER's (English) if not given
    rare : values of fewer training posts become "other"
    seed : of the word vectors

    Attributes
    ----------
    groups_ : group → its columns; labels_ : column → what it says in words. A column that is the same for all
    training posts is left out.

    >>> days = pd.date_range("2024-01-01", periods=60, freq="7h")
    >>> posts = pd.DataFrame({"time": days, "author": "ann", "reactions": np.arange(60.0) % 7})
    >>> posts["text"] = ["new shoes!", "who likes #shoes?"] * 30
    >>> features = PostFeatures(text_vectors=0).fit(posts)
    >>> features.transform(posts).shape, features.groups_["hashtags"]
    ((60, 11), ['hashtags'])
    """

    groups_: dict[str, list[str]]
    labels_: dict[str, str]

    def __init__(
        self,
        *,
        outcome: str = "reactions",
        before: Sequence[str] = (),
        zone: str = "UTC",
        each_day: bool = False,
        window: int = 50,
        delay: str = "1D",
        text_vectors: int = 16,
        n_factors: int = 64,
        epochs: int = 5,
        lexicon: Mapping[str, float] | None = None,
        rare: int = 20,
        seed: int = 0,
    ) -> None:
        if text_vectors < 0 or rare < 1 or window < 1:
            raise UsageError(f"text_vectors={text_vectors} must be 0 or more, rare={rare}, window={window} 1 or more")
        try:
            self._zone = ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise UsageError(f"zone={zone!r} is no time zone; write it as in 'Europe/Berlin' or 'UTC'") from None
        span(delay)
        self.outcome, self.before, self.zone, self.each_day, self.delay = outcome, list(before), zone, each_day, delay
        self.text_vectors, self.n_factors, self.epochs, self.seed = text_vectors, n_factors, epochs, seed
        self.window, self.lexicon, self.rare = window, lexicon, rare
        self._tokenizer = Tokenizer(hashtags="both")

    def fit(self, frame: pd.DataFrame) -> PostFeatures:
        """Learn from the training posts."""
        if frame.empty:
            raise UsageError("there are no posts to learn from")
        need_columns(frame, *self.before)
        if self.outcome in self.before:
            raise UsageError(f"column {self.outcome!r} is the outcome; it is not known before publishing")
        self._values = {c: _values(frame[c], self.rare) for c in self._context(frame)}
        self._themes: Themes | None = None
        if self.text_vectors and "text" in frame:
            rates = {"n_factors": self.n_factors, "epochs": self.epochs, "seed": self.seed}
            self._themes = Themes(n=self.text_vectors, **rates).fit(self._tokenizer.many(_texts(frame)))
        self._reads_text = "text" in frame
        self._weights = Vader().weights if self.lexicon is None else self.lexicon
        columns = list(self._columns(frame, frame))
        if twice := [name for name in self.before if sum(c.name == name for c in columns) > 1]:
            raise UsageError(f"column {twice[0]!r} has the name of a column that is made here; give it another")
        medians = {c.name: float(np.median(known)) for c in columns if len(known := c.values[np.isfinite(c.values)])}
        self._medians = {c.name: medians[c.name] for c in columns if _varies(c.values, medians.get(c.name, 0.0))}
        self.groups_, self.labels_ = {}, {}
        for column in columns:
            if column.name in self._medians:
                self.groups_.setdefault(column.group, []).append(column.name)
                self.labels_[column.name] = column.label
        return self

    def transform(self, frame: pd.DataFrame, past: pd.DataFrame | None = None) -> pd.DataFrame:
        """Give the columns of each post, float64, the rows in their order and with their index.

        Parameters
        ----------
        frame : posts with `time`, `author`, and the columns of the training posts; outcomes are needed in the past
        past : the posts that came before, for posts that are not published yet; None takes `frame` itself. With it the
            rows of `frame` are not each other's past: they may be one post in several forms, for a what-if table
        """
        if not hasattr(self, "groups_"):
            raise UsageError("PostFeatures has learnt nothing; call fit(frame) on the training posts first")
        need_columns(frame, *self._values, *(["text"] if self._reads_text else []))
        found = {c.name: c.values for c in self._columns(frame, frame if past is None else past)}
        filled = {c: np.where(np.isfinite(found[c]), found[c], median) for c, median in self._medians.items()}
        return pd.DataFrame(filled, index=frame.index, columns=list(self.labels_))

    def _columns(self, frame: pd.DataFrame, past: pd.DataFrame) -> Iterator[Column]:
        yield from self._clock(frame)
        for field, values in self._values.items():
            yield from _encoded(frame[field], field, values)
        if self._reads_text:
            texts = _texts(frame)
            tokens = self._tokenizer.many(texts)
            yield from wording(texts, tokens)
            yield from feeling(tokens, self._weights)
            if self._themes is not None:
                yield from self._themes.columns(tokens)
        yield from self._past(frame, past)

    def _context(self, frame: pd.DataFrame) -> list[str]:
        """Name the columns that are known before publishing, time and text aside."""
        kind = ["kind"] if "kind" in frame else []
        return [c for c in dict.fromkeys([*kind, *self.before]) if c not in ("time", "text")]

    def _clock(self, frame: pd.DataFrame) -> Iterator[Column]:
        local = pd.DatetimeIndex(need_times(frame).astype("datetime64[us]")).tz_localize("UTC").tz_convert(self._zone)
        day = local.day_of_week.to_numpy()
        angle = 2 * np.pi * (local.hour + local.minute / 60).to_numpy(dtype=float) / 24
        yield Column("time of day", "hour_sin", "6 o'clock (1) or 18 o'clock (-1)", np.sin(angle))
        yield Column("time of day", "hour_cos", "midnight (1) or midday (-1)", np.cos(angle))
        if not self.each_day:
            yield Column("weekday", "weekend", "Saturday or Sunday", np.asarray(day >= 5, dtype=float))
            return
        for i, name in enumerate(DAYS[1:], 1):
            yield Column("weekday", name.lower(), f"{name}, not {DAYS[0]}", np.asarray(day == i, dtype=float))

    def _past(self, frame: pd.DataFrame, past: pd.DataFrame) -> Iterator[Column]:
        rules: dict[str, Any] = {"outcome": self.outcome, "delay": self.delay}
        earlier = AuthorPast(past, None if past is frame else frame, **rules)
        usual = np.log1p(earlier.median(self.window))
        group, label = "author's past", f"reactions to the author's last {self.window} posts (ln of 1 + median)"
        yield Column(group, "usual", label, usual)
        if "kind" in self._values:
            kindly = AuthorPast(past, None if past is frame else frame, by=("author", "kind"), **rules)
            label = f"how much better the last {SAME_KIND} of this kind did (ln)"
            yield Column(group, "kind_past", label, kindly.mean(SAME_KIND) - usual)
        since, lately = np.log1p(earlier.hours_since()), np.log1p(earlier.posts_within(24))
        yield Column("author's rhythm", "hours_since", "hours since the last post (ln of 1 + h)", since)
        yield Column("author's rhythm", "posts_24h", "posts of the last 24 hours (ln of 1 + n)", lately)


def cut_by_time(
    frame: pd.DataFrame, shares: Sequence[float] = (0.6, 0.2, 0.2), gap: str = "1D"
) -> tuple[NDArray[np.int64], ...]:
    """Cut posts into parts that follow each other in time, such as train, validation and test.

    Posts of one moment stay together. Of each part but the last, those younger than `gap` at its end are left out:
    their reactions were not known yet when the next part began.

    Returns
    -------
    For each share the positions of its rows, in the order of the rows

    >>> posts = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=10, freq="D")})
    >>> [part.tolist() for part in cut_by_time(posts)]
    [[0, 1, 2, 3, 4], [6], [8, 9]]
    """
    if len(shares) < 2 or min(shares) <= 0 or not np.isclose(sum(shares), 1):
        raise UsageError(f"shares={tuple(shares)} must be two or more numbers above 0 that add up to 1")
    times = need_times(frame)
    last = np.ceil(np.cumsum(shares)[:-1] * len(times) - 1e-9).astype(int) - 1
    ends = np.sort(times)[np.maximum(last, 0)] if len(times) else np.zeros(len(last))
    starts, stops = [-np.inf, *ends], [*(ends - span(gap)), np.inf]
    parts = tuple(np.flatnonzero((times > a) & (times <= b)) for a, b in zip(starts, stops, strict=True))
    empty = [i for i, part in enumerate(parts, 1) if not len(part)]
    if empty:
        raise UsageError(f"part {empty[0]} of the cut is empty: {len(times)} posts are too few for a gap of {gap}")
    return parts


# Context: categories and numbers.


def _values(column: pd.Series, rare: int) -> list[str] | None:
    """Give the values of a column, the commonest first, the rare ones as "other"; None for numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return None
    if pd.api.types.is_datetime64_any_dtype(column):
        raise UsageError(f"column {column.name!r} holds times; only the moment of the post, 'time', is known before")
    found = _named(column)
    found = found.where(found.map(found.value_counts()) >= rare, OTHER)
    counts = found.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    return [str(value) for value in counts.index]


def _named(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "unknown").astype(str)


def _encoded(column: pd.Series, field: str, values: list[str] | None) -> Iterator[Column]:
    """Give numbers as they are, and a column for each value of a category but the first, the commonest."""
    group = field.replace("_", " ")
    if values is None:
        try:
            yield Column(group, field, group, pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan))
        except (TypeError, ValueError):
            raise UsageError(f"column {field!r} held numbers in the training posts and holds others here") from None
        return
    found = _named(column)
    found = found.where(found.isin(values), OTHER)
    for value in values[1:]:
        label = f"{group} is {shorten(value)}, not {shorten(values[0])}"
        yield Column(group, f"{field}={value}", label, np.asarray(found == value, dtype=float))


def _varies(values: Floats, median: float) -> bool:
    return bool(np.ptp(np.where(np.isfinite(values), values, median)) > 1e-9)


def _texts(frame: pd.DataFrame) -> list[str]:
    return [text if isinstance(text, str) else "" for text in frame["text"]]
