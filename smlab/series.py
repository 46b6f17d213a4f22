"""Load series: how many views, mentions or posts there were, one step after the other.

| name | what | a step |
|---|---|---|
| peyton-manning | views of a page of Wikipedia, December 2007 to January 2016, as logarithms | a day |
| nab | tweets that mention one of ten brands, February to April 2015, with windows of anomalies | five minutes |
| fb_live_sellers_thailand | posts, or reactions to them, of shops that sell live | a day |
| any posts with reactions | the same | a day |
| your folder with series.csv | `time`, and where there are any `value` and `series`, see `seriestables` | yours |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from smlab import catalog, datasets, layouts, reactions, sieve
from smlab.archives import Member
from smlab.checks import DataError, UsageError, nearest, shorten
from smlab.letters import decode
from smlab.reactiontables import counts
from smlab.seriestables import Rows, measured, open_table, read_own, stamps, values
from smlab.steps import How, as_step, columns, find_step, lay, on_clock, regular, steps_frame

__all__ = ["Series", "load_series", "read_series", "regular"]

PAGE = {"time": ("ts", "ds"), "value": ("y",)}
TWEETS = {"time": ("timestamp",), "value": ("value",)}
POSTS = (*layouts.REACTIONS, "fb_live_sellers_thailand")
ZONES = {"fb_live_sellers_thailand": "Asia/Bangkok"}
VARIANTS = ("posts", "reactions")
LENGTHS = {"min": "a minute", "h": "an hour", "D": "a day", "W-MON": "a week from Monday",
           "W-SUN": "a week from Sunday", "MS": "a month", "QS-JAN": "a quarter", "YS-JAN": "a year"}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One series or many, at regular steps.

    Parameters
    ----------
    frame : `series` (str), `time` (datetime64[ns], the beginning of the step), `value` (float64, NaN where nothing was
        measured); each series from its first value to its last
    freq : length of a step, as pandas writes it: 5min, h, D, W-MON, MS, …
    note : how the series came about, where they have gaps and what to beware of, for a report
    dropped, lines : reason, rows, example, share of what was left out; and the rows that were read
    labels : `series`, `start`, `end` of windows in which something is known to have been odd, both ends included
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    clock : whose clock `time` is on: a zone, UTC, UTC+08:00; empty where nobody said
    """

    name: str
    frame: pd.DataFrame
    freq: str
    note: str
    dropped: pd.DataFrame
    labels: pd.DataFrame
    origin: str
    fingerprint: str
    licence: str
    lines: int = 0
    clock: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the series, in their order."""
        return list(map(str, self.frame["series"].unique()))

    def one(self, series: str | None = None) -> pd.Series:
        """Give the values of one series, by their time with its `freq`; the first if none is named."""
        series = self.names[0] if series is None else series
        if series not in self.names:
            raise UsageError(f"{self.name} has no series {series!r}: {nearest(series, self.names)}")
        rows = self.frame[self.frame["series"] == series]
        return pd.Series(rows["value"].to_numpy(), pd.DatetimeIndex(rows["time"], freq=self.freq), name=series)


def load_series(
    name: str,
    data_dir: str | Path | None = None,
    *,
    variant: str | None = None,
    freq: str | None = None,
    how: How | None = None,
    zone: str | None = None,
    offline: bool | None = None,
) -> Series:
    """Load series; a dataset that is not on this machine is fetched, with a line that says so.

    Parameters
    ----------
    name : of the table above, or the name of a folder of your own with series.csv or series.tsv
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    variant : of posts with reactions "posts", which None means, or "reactions"
    freq : length of the steps; None finds it out from the stamps, and means days for posts and other events
    how : "sum", "mean" or "last" of the values of a step, where `freq` is given or a time has several values
    zone : whose clock times are on that name no zone, and whose days are meant, such as "Europe/Berlin"
    offline : read `data/sample/` only and fetch nothing; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy and none can be fetched.
    DataError
        If a file breaks a rule, with its row, column and value; or if no row is left.
    UsageError
        For data of another kind, and an unknown variant, step, way or zone.
    """
    located = datasets.locate_or_fetch(name, data_dir, offline)
    return read_series(located, variant=variant, freq=freq, how=how, zone=zone)


def read_series(
    located: catalog.Located,
    *,
    variant: str | None = None,
    freq: str | None = None,
    how: How | None = None,
    zone: str | None = None,
) -> Series:
    """Read the files of a copy as series."""
    rows = _rows(located, variant, freq, how, zone)
    said = sieve.said(rows.dropped, rows.lines, "rows")
    if rows.frame.empty:
        raise DataError(located.path, f"holds no row that can be used. {said}")
    if rows.events and how not in (None, "sum"):
        raise UsageError(f"how={how!r} is for values; rows of {located.name} are events, which are counted")
    if freq and not rows.events and how is None:
        raise UsageError(f"say how values come to steps of {freq}: how='sum', 'mean' or 'last'")
    frame, freq_, clock = _laid(rows, freq, how, located.path)
    note = f"{rows.note} {_said(frame, rows.events, freq_, bool(freq), clock)}"
    note += "" if said in note else f" {said}"
    return Series(
        located.name, frame, freq_, note, rows.dropped, _windows(rows.windows), located.origin, located.fingerprint,
        datasets.licence_of(located), rows.lines, clock,
    )  # fmt: skip


def _rows(located: catalog.Located, variant: str | None, freq: str | None, how: How | None, zone: str | None) -> Rows:
    files, format_ = located.files, located.format
    if format_ is None:
        raise DataError(located.path, f"must hold {layouts.KNOWN_SERIES}")
    if format_ not in POSTS and format_ not in layouts.SERIES:
        names = ", ".join(file.name for file in files.values())
        raise UsageError(f"{located.name} holds no series, but {names}")
    if variant is not None and (format_ not in POSTS or variant not in VARIANTS):
        known = nearest(variant, VARIANTS) if format_ in POSTS else "it is one whole"
        raise UsageError(f"{located.name} has no variant {variant!r}: {known}")
    if format_ in POSTS:
        return posts_a_step(reactions.read_reactions(located), variant, zone or ZONES.get(format_, "UTC"))
    if format_ == "series-csv":
        return read_own(files["rows"], located.name, freq=freq, how=how, zone=zone)
    if zone is not None:
        raise UsageError(f"nobody says on which clock the times of {located.name} are, so zone has no use")
    return read_views(files["views"]) if format_ == "peyton-manning" else read_tweets(files)


def _laid(rows: Rows, freq: str | None, how: How | None, path: Path) -> tuple[pd.DataFrame, str, str]:
    """Bring rows to steps; give the frame, the name of a step, and whose clock its times are on."""
    names, code, time, value = columns(rows.frame)
    step = as_step(freq or "D") if freq or rows.events else find_step(time, code)
    if step is None:
        raise DataError(path, "holds series whose steps do not fit each other; name freq, such as 'D', and how")
    local = bool(rows.zone) and step.long and (rows.events or freq is not None)
    clock = rows.zone if local else "UTC" if rows.zone else rows.clock
    if freq and not rows.events:
        return regular(rows.frame, freq, how or "sum", rows.zone or None), step.freq, clock
    known, time = ~np.isnan(value), on_clock(time, rows.zone) if local else time
    laid = lay(time[known], code[known], value[known], step, how or "sum", 0.0 if rows.events else np.nan)
    return steps_frame(names, *laid, step), step.freq, clock


def _windows(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["series", "start", "end"])
    return frame.astype({"series": "str", "start": "datetime64[ns]", "end": "datetime64[ns]"})


def _said(frame: pd.DataFrame, events: bool, freq: str, asked: bool, clock: str) -> str:
    """Say what the steps are, and where values are lacking."""
    long, absent = frame["series"].value_counts(), frame["value"].isna()
    width = f"{long.min():,} to {long.max():,}" if long.min() < long.max() else f"{long.max():,}"
    several = f"{len(long):,} series of {width}" if len(long) > 1 else width
    known = "" if asked or events else ", found from the stamps"
    said = (
        f"A step is {LENGTHS.get(freq, freq)}{known}{f', on the clock of {clock}' if clock else ''}: {several} steps."
    )
    if events:
        return (
            f"{said} A step without a row is 0; a series runs from its first row to its last, and both ends may be "
            "covered in part."
        )
    if below := int((frame["value"] < 0).sum()):
        said += f" {below:,} values are below 0."
    if not absent.any():
        return f"{said} None lacks a value."
    holes = absent.groupby((~absent).cumsum()).sum()
    return (
        f"{said} {int(absent.sum()):,} have no value, in {int((holes > 0).sum()):,} gaps, the longest of "
        f"{int(holes.max()):,}; they stay NaN."
    )


def read_views(member: Member) -> Rows:
    """Read the views of a page (Taylor & Letham 2018): a date and the natural logarithm of the views of the day."""
    table, _ = open_table(member, PAGE, PAGE)
    time = stamps(table, None)
    value, _ = values(table)
    series = pd.Series("Peyton Manning", index=range(len(table)), dtype="str")
    rows = measured(table, series, time, value, None, None)
    views = np.exp(rows.frame["value"].dropna())
    whole = bool(len(views)) and (np.abs(views - views.round()) < 1e-3).all()
    note = (
        "Views of a page of Wikipedia. value is their natural logarithm: its exponential is whole on every day."
        if whole else "value is not the logarithm of whole numbers, as the views of the official file are."
    )  # fmt: skip
    return rows._replace(note=note)


def read_tweets(files: Mapping[str, Member]) -> Rows:
    """Read NAB's volumes of tweets (Lavin & Ahmad 2015), a file a brand, and the windows of its labels if there are."""
    parts = []
    for brand, member in files.items():
        if brand != "windows":
            table, _ = open_table(member, TWEETS, TWEETS)
            series = pd.Series(brand, index=range(len(table)), dtype="str")
            parts.append(measured(table, series, stamps(table, None), counts(table, "value"), None, None))
    if not parts:
        raise DataError(files["windows"].container.parent, "must hold Twitter_volume_AAPL.csv or another brand's")
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    lines = sum(part.lines for part in parts)
    dropped = pd.concat([part.dropped for part in parts], ignore_index=True)
    dropped = dropped.assign(share=dropped["rows"] / lines)
    note = (
        f"Tweets that mention {len(parts)} of ten brands, counted; nobody names the clock, and the stamps keep theirs."
    )
    windows = []
    if "windows" in files:
        windows = read_windows(files["windows"], {name: file.name for name, file in files.items() if name != "windows"})
        note += f" {len(windows)} windows around labelled anomalies."
    return parts[0]._replace(frame=frame, lines=lines, dropped=dropped, note=note, windows=windows)


def read_windows(member: Member, names: Mapping[str, str]) -> list[tuple[object, ...]]:
    """Read windows of anomalies, `{"realTweets/FILE": [[start, end], …], …}`, of the files of some series.

    Parameters
    ----------
    names : series → file
    """
    file = str(member)
    text, _ = decode(member.read(), file)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(file, f"is not JSON ({shorten(str(error), 80)})", row=getattr(error, "lineno", None)) from None
    if not isinstance(found, dict):
        raise DataError(file, "must be files and their windows, in braces")
    rows: list[tuple[object, ...]] = []
    for series, name in names.items():
        key = f"realTweets/{name}"
        if not isinstance(windows := found.get(key), list):
            raise DataError(file, "must name the windows of this file, or [] if it has none", column=key)
        for window in windows:
            ends = [_moment(end) for end in window] if isinstance(window, list) and len(window) == 2 else [None]
            if None in ends or ends[0] > ends[1]:  # type: ignore[operator]
                rule = "must be two times, the start and the end of a window, such as 2015-03-03 04:37:53"
                raise DataError(file, rule, column=key, value=window)
            rows.append((series, *ends))
    return rows


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
    return found if found.tzinfo is None and 1970 <= found.year < 2100 else None


def posts_a_step(posts: reactions.Reactions, variant: str | None, zone: str) -> Rows:
    """Count posts, or add up their reactions, of each author and of all together."""
    frame = pd.DataFrame({
        "series": posts.frame["author"], "time": posts.frame["time"],
        "value": posts.frame["reactions"] if variant == "reactions" else 1.0,
    })  # fmt: skip
    authors = frame["series"].nunique()
    note = f"{'Reactions to posts by the day of the post' if variant == 'reactions' else 'Posts'}. {posts.note}"
    if authors > 1:
        frame = pd.concat([frame, frame.assign(series="all")], ignore_index=True)
        note += f" 'all' adds up {authors} authors, who began and ended at different times."
    return Rows(frame, True, zone, "", posts.dropped, posts.lines, note)
