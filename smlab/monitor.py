"""What do people feel about us, is it changing, and since when? Shares of the classes over time, and their changes.

Posts are counted per day or week of the brand's own time zone; the shares are corrected for the classifier's errors
by counts of held-out posts (`quantify`), with intervals of both uncertainties; the days from which the mix was
another one are found in the counts (`changepoints`), and the shares before and after each are given beside. What was
said then: `drivers.drivers(tokens, after)` with `after` saying of each post whether it came later.

A window of few posts says little: either it is joined with its neighbours until there are enough, or it stays and
is marked. Neither hides how few they are: `posts` stands in the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError, nearest
from smlab.classes import codes
from smlab.quantify import adjust, check_confusion, count_shares

EVERY = {"day": "D", "week": "W-SUN"}  # weeks from Monday on


def windows(
    frame: pd.DataFrame,
    predicted: ArrayLike,
    *,
    every: Literal["day", "week"] = "day",
    classes: Iterable[Any] | None = None,
    zone: str = "UTC",
) -> pd.DataFrame:
    """Count the posts of each day or week (rows, without gaps) that were called each class (columns).

    Parameters
    ----------
    frame : posts with a column `time` that has a zone (UTC from the readers)
    predicted : (n_posts,) what the classifier called each, or (n_posts, K) probabilities in the order of `classes`,
        of which the largest counts
    zone : whose days, such as "Europe/Berlin"

    Raises
    ------
    UsageError
        For posts without a time, an unknown zone, or as many predictions as there are not posts.

    >>> times = pd.to_datetime(["2024-05-01 09:00", "2024-05-01 23:30", "2024-05-03 10:00"], utc=True)
    >>> counts = windows(pd.DataFrame({"time": times}), ["good", "bad", "good"], zone="Asia/Shanghai")
    >>> counts.index.strftime("%m-%d").tolist(), counts["good"].tolist(), counts["bad"].tolist()
    (['05-01', '05-02', '05-03'], [1, 0, 1], [0, 1, 0])
    """
    if every not in EVERY:
        raise UsageError(f"every={every!r}: {nearest(str(every), EVERY)}")
    day = _days(frame, zone)
    names, label = _called(predicted, classes)
    if len(label) != len(day):
        raise UsageError(f"{len(day)} posts and {len(label)} predictions: each post needs one")
    period = day.dt.to_period(EVERY[every])
    span = pd.period_range(period.min(), period.max(), freq=EVERY[every])
    at = span.get_indexer(pd.PeriodIndex(period))
    counts = np.bincount(at * len(names) + label, minlength=len(span) * len(names)).reshape(-1, len(names))
    return pd.DataFrame(counts, span.start_time.rename(every), pd.Index(names, name="class"))


def shares_over_time(
    counts: pd.DataFrame,
    confusion: pd.DataFrame | None = None,
    *,
    min_posts: int = 30,
    small: Literal["merge", "mark"] = "merge",
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the share of each class in each window, corrected by held-out counts where there are any.

    Parameters
    ----------
    counts : of `windows`
    confusion : (K, K) held-out counts, as for `quantify.adjusted_count`; None leaves the counts uncorrected, and biased
    min_posts : fewer are few
    small : "merge" joins a window of few posts with those after it, the last with those before; "mark" leaves it

    Returns
    -------
    frame with a row per window and class: start, end (first day of the next window), class, posts (of the window),
    few, value, low, high; NaN in a window without posts

    >>> days = pd.date_range("2024-05-01", periods=3)
    >>> counts = pd.DataFrame([[20, 20], [5, 5], [30, 10]], days, ["bad", "good"])
    >>> table = shares_over_time(counts).query("`class` == 'bad'")
    >>> table[["posts", "value"]].values.tolist(), table["end"].dt.day.tolist()
    ([[40.0, 0.5], [50.0, 0.7]], [2, 4])
    """
    if small not in ("merge", "mark"):
        raise UsageError(f"small={small!r}: {nearest(str(small), ['merge', 'mark'])}")
    if counts.empty:
        raise UsageError("there are no counts: no window")
    start, end = _edges(counts)
    x = counts.to_numpy()
    if small == "merge":
        first = _joined(x.sum(axis=1), min_posts)
        x, start, end = np.add.reduceat(x, first), start[first], end[np.append(first[1:] - 1, len(end) - 1)]
    shares = _shares(x, counts, confusion, n, level, seed)  # (windows, K, 3)
    k, posts = x.shape[1], x.sum(axis=1)
    rows = {
        "start": start.repeat(k),
        "end": end.repeat(k),
        "class": np.tile(np.array([*counts.columns], object), len(x)),
    }
    rows |= {"posts": posts.repeat(k), "few": (posts < min_posts).repeat(k)}
    return pd.DataFrame(rows | dict(zip(("value", "low", "high"), shares.reshape(-1, 3).T, strict=True)))


def shares_between(
    counts: pd.DataFrame,
    changes: pd.DataFrame,
    confusion: pd.DataFrame | None = None,
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the shares of each stretch between changes, from `windows` and `changepoints.change_points` on them.

    The intervals take the days of change for certain.

    Returns
    -------
    frame as that of `shares_over_time`, a window being a stretch
    """
    first = np.unique([0, *counts.index.get_indexer(pd.Index(changes["day"]))])
    if (first < 0).any():
        raise UsageError("a change lies on none of the days counted: changes and counts belong to different series")
    start, end = _edges(counts)
    joined = pd.DataFrame(np.add.reduceat(counts.to_numpy(), first), start[first], counts.columns)
    table = shares_over_time(joined, confusion, min_posts=1, small="mark", n=n, level=level, seed=seed)
    return table.assign(end=np.repeat(np.append(start[first[1:]], end[-1:]), counts.shape[1]))


def _days(frame: pd.DataFrame, zone: str) -> pd.Series:
    """Give the time of each post on the clocks of `zone`, without its zone."""
    if "time" not in frame:
        raise UsageError(f"posts over time need the column 'time'; the frame has {', '.join(map(str, frame.columns))}")
    time = frame["time"]
    if getattr(time.dtype, "tz", None) is None:
        raise UsageError(
            f"the column 'time' is {time.dtype}; needed are times with a zone: pd.to_datetime(…, utc=True)"
        )
    if (absent := time.isna()).any():
        raise UsageError(
            f"row {int(absent.to_numpy().argmax())} has no time ({int(absent.sum())} of {len(time)} posts)"
        )
    if time.empty:
        raise UsageError("there are no posts to count")
    try:
        return time.dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"zone={zone!r} is no time zone; write it as in 'Europe/Berlin' or 'UTC'") from None


def _called(predicted: ArrayLike, classes: Iterable[Any] | None) -> tuple[list[Any], NDArray[np.int64]]:
    x = np.asarray(predicted)
    if x.ndim == 2:
        names = list(range(x.shape[1])) if classes is None else list(classes)
        if len(names) != x.shape[1]:
            raise UsageError(f"probabilities have {x.shape[1]} columns, and {len(names)} classes are named")
        return names, x.argmax(axis=1)
    names, (label,) = codes(x, classes=classes)
    return names, label


def _edges(counts: pd.DataFrame) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Give the first day of each window, and that of the next one."""
    start = pd.DatetimeIndex(counts.index)
    step = pd.Timedelta(days=7 if counts.index.name == "week" else 1)
    return start, pd.DatetimeIndex([*start[1:], start[-1] + step])


def _joined(posts: NDArray, least: int) -> NDArray[np.int64]:
    """Give the first window of each group of neighbours with `least` posts or more together."""
    first, have = [0], 0
    for i, number in enumerate(posts):
        if have >= least:
            first.append(i)
            have = 0
        have += number
    if have < least and len(first) > 1:
        first.pop()
    return np.array(first)


def _shares(
    x: NDArray, counts: pd.DataFrame, confusion: pd.DataFrame | None, n: int, level: float, seed: int
) -> NDArray[np.float64]:
    if confusion is None:
        return count_shares(x, level=level)
    names, held = check_confusion(confusion)
    if names != list(counts.columns):
        raise UsageError(f"the counts are of {[*counts.columns]}, the held-out table of {names}: order them alike")
    return adjust(x, held, n=n, level=level, seed=seed, names=names)
