"""Load posts with what they set off: likes, comments, shares, and what was known of a post before it was published.

| name | posts | known before | outcomes |
|---|---|---|---|
| election-tweets-2016 | two candidates' tweets, January to September 2016 | text, form, app, language | likes, shares |
| facebook_metrics | a cosmetics page in 2014 | kind, category, paid, fans | likes, comments, shares, reach and more |
| fb_live_sellers_thailand | shops that sell live, 2012 to 2018 | kind | likes and five more signs, comments, shares |
| your folder with reactions.csv | yours | what `reactiontables` knows by name | what there is |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import catalog, coded, datasets, layouts, sieve
from smlab import reactiontables as tables
from smlab.archives import Member
from smlab.checks import DataError, UsageError
from smlab.daytimes import is_missing
from smlab.reactiontables import NAMES, PARTS, Posts

TWEETS = {"retweet": ("is retweet",), "app": ("source url",)} | {
    name: NAMES[name] for name in ("time", "author", "text", "language", "likes", "shares")
}
APPS = {
    "about.twitter.com/products/tweetdeck": "TweetDeck", "twitter.com/download/android": "Android",
    "twitter.com/download/iphone": "iPhone", "twitter.com/#!/download/ipad": "iPad", "twitter.com": "web",
    "mobile.twitter.com": "mobile web", "studio.twitter.com": "Studio", "instagram.com": "Instagram",
}  # fmt: skip
FORMS = (("quote", '["“]+@'), ("reply", "@"), ("link", r"(?s:.*)https?://"))  # the first that fits, else plain
METRICS = {  # the second names are those of the file's official copy
    "fans": ("page t likes", "page total likes"), "kind": ("type",), "category": ("category",),
    "month": ("month", "post month"), "weekday": ("weekday", "post weekday"), "hour": ("hour", "post hour"),
    "paid": ("paid",), "likes": ("like",), "comments": ("comment",), "shares": ("share",),
    "total": ("t interactions", "total interactions"),
    "reach": ("t reach", "lifetime post total reach"),
    "impressions": ("t impression", "lifetime post total impressions"),
    "engaged": ("engaged users", "lifetime engaged users"),
    "consumers": ("consumers", "lifetime post consumers"),
    "consumptions": ("consumption", "lifetime post consumptions"),
    "fan_impressions": ("lp impression", "lifetime post impressions by people who have liked your page"),
    "fan_reach": ("lp reach", "lifetime post reach by people who like your page"),
    "fan_engaged": ("lp engage with post",
                    "lifetime people who have liked your page and engaged with your post"),
}  # fmt: skip
YEAR = 2014  # of facebook_metrics
LIVE = {"post": ("status id",)} | {name: NAMES[name] for name in ("time", "kind", *PARTS)}
FEW = 5  # posts; a share of fewer says little
BEHIND = np.timedelta64(5, "h")  # the clock of fb_live_sellers_thailand, behind UTC


@dataclass(frozen=True)
class Reactions:
    """Posts and what they set off.

    Parameters
    ----------
    frame : one row a post, in order of time: `time` (UTC, without a zone), `author`, where known `text` and `kind`,
        then `before`, then `outcomes`
    before : further columns that were known before publishing: words, or float64, NaN where not known
    outcomes : counts, float64: first `reactions`, the total of the likes, comments and shares that are known, then
        its parts, then others such as reach, NaN where not known. What is an outcome must not be a feature
    note : how the columns came about and what to beware of, for a report
    dropped, lines : reason, rows, example, share of what was left out; and the rows that were read
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    """

    name: str
    frame: pd.DataFrame
    before: list[str]
    outcomes: list[str]
    note: str
    dropped: pd.DataFrame
    lines: int
    origin: str
    fingerprint: str
    licence: str


def load_reactions(name: str, data_dir: str | Path | None = None, *, offline: bool | None = None) -> Reactions:
    """Load posts with reactions; a dataset that is not on this machine is fetched, with a line that says so.

    Parameters
    ----------
    name : of the table above, or the name of a folder of your own with reactions.csv or reactions.tsv
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    offline : read `data/sample/` only and fetch nothing; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy and none can be fetched.
    DataError
        If a file breaks a rule, with its line, column and value; or if no post is left.
    UsageError
        For data of another kind.
    """
    return read_reactions(datasets.locate_or_fetch(name, data_dir, offline))


def read_reactions(located: catalog.Located) -> Reactions:
    """Read the files of a copy as posts with reactions."""
    files = located.files
    if located.format is None:
        raise DataError(located.path, f"must hold {layouts.KNOWN_REACTIONS}")
    if located.format == "election-tweets-2016":
        posts = read_tweets(files["tweets"])
    elif located.format == "facebook_metrics":
        posts = read_metrics(files["posts"])
    elif located.format == "fb_live_sellers_thailand":
        posts = read_live(files["posts"])
    elif located.format == "reactions-csv":
        posts = tables.read_own(files["posts"], located.name)
    else:
        names = ", ".join(file.name for file in files.values())
        raise UsageError(f"{located.name} holds no posts with reactions, but {names}")
    said = sieve.said(posts.dropped, posts.lines, "rows")
    if posts.frame.empty:
        raise DataError(located.path, f"holds no post that can be used. {said}")
    return Reactions(
        located.name, posts.frame, posts.before, posts.outcomes, f"{posts.note} {_read_once(posts.frame)} {said}",
        posts.dropped, posts.lines, located.origin, located.fingerprint, datasets.licence_of(located),
    )  # fmt: skip


def maturity(frame: pd.DataFrame, hours: Sequence[float] = (6, 12, 24, 48, 96)) -> pd.DataFrame:
    """Say how far the newest posts have come, against what is usual of their authors.

    Counts are read at one moment, and a post of an hour ago is still being seen. For the posts of the last `hours` of
    the data: reactions over the median of the same author's posts that were 7 to 35 days old, of which the median is
    taken. Below 1 the counts were still growing, or the posts were worse.

    Returns
    -------
    frame indexed by hours: posts (int) and ratio, NaN where there is nothing to compare with
    """
    age = (frame["time"].max() - frame["time"]) / pd.Timedelta(hours=1)
    usual = frame["reactions"].where(age.between(7 * 24, 35 * 24)).groupby(frame["author"]).transform("median")
    ratio = (frame["reactions"] / usual).where(usual > 0)
    rows = [(int((age < limit).sum()), ratio[age < limit].median()) for limit in hours]
    return pd.DataFrame(rows, columns=["posts", "ratio"], index=pd.Index(hours, name="hours"))


def _read_once(frame: pd.DataFrame) -> str:
    said = f"Counts were read at one moment, after {frame['time'].max():%-d %B %Y, %H:%M}; nobody says when."
    young, ratio = maturity(frame, (6,)).iloc[0]
    if young < FEW or np.isnan(ratio):
        return said
    end = "the newest were still growing, it seems" if ratio < 0.9 else "there is no sign that the newest were growing"
    return f"{said} The {young:.0f} posts of its last 6 hours have {ratio:.2f} of their authors' usual: {end}."


def read_tweets(member: Member) -> Posts:
    """Read the election tweets: three lines of header, times in UTC, a count of the moment at which it was read.

    Retweets of others bear the counts of the original tweet, which say nothing of who passed it on: they are left out.
    """
    table, _ = tables.open_table(member, TWEETS, TWEETS, head=3)
    table.refuse("retweet", lambda v: v not in ("True", "False"), "must be True or False")
    table.refuse("text", is_missing, "must not be empty")
    text = tables.words(table, "text").map(unescape).astype("str")
    time, _ = tables.times(table)
    columns: dict[str, object] = {"time": time, "author": tables.words(table, "author"), "text": text}
    columns["kind"] = text.map(_form).astype("str")
    columns["app"] = pd.Series(table.text("app", _app).astype("str"))
    columns["language"] = tables.words(table, "language")
    columns |= {name: tables.counts(table, name) for name in ("likes", "shares")}
    clean = tables.sifter(table)
    clean.drop("repeats a row", tables.repeated(table))
    clean.drop("is a retweet, with the counts of another's tweet", table.each("retweet", "True".__eq__, bool))
    left = text[clean.left]
    again, cut = int(left.duplicated().sum()), int(left.str.contains(r"…(?:\s*http\S+)?$").sum())
    note = (
        f"Tweets of {columns['author'].nunique()} accounts, of each the last 3,200 or so; likes and shares, no "  # type: ignore[attr-defined]
        "comments. kind is told from the text: a quote is a tweet of another written off by hand, and a link may be a "
        f"page, a photo or a film. {again} repeat an earlier text, {cut} were cut short at …"
    )
    return tables.in_time(columns, ["app", "language"], ["likes", "shares"], clean, f"{note}.")


def _form(text: str) -> str:
    """Tell the form of a tweet.

    >>> _form('"@ann: so true!"'), _form("@ann yes"), _form("Read this https://t.co/x"), _form("Thank you, @ann!")
    ('quote', 'reply', 'link', 'plain')
    """
    return next((form for form, pattern in FORMS if re.match(pattern, text)), "plain")


def _app(url: str) -> str:
    place = re.sub(r"^https?://(?:www\.)?|/$", "", url.strip())
    return APPS.get(place, place) or "unknown"


def read_metrics(member: Member) -> Posts:
    """Read Facebook metrics (Moro, Rita & Vala 2016): 500 posts of 2014, newest first, without their days.

    What the page was told afterwards (reach, impressions, who engaged) are outcomes. Cells of likes and shares that
    are empty are worked out from the file's own total; paid stays empty where nobody knows.
    """
    table, _ = tables.open_table(member, METRICS, METRICS)
    x = {name: tables.counts(table, name) for name in METRICS if name != "kind"}
    for name, low, high in (("month", 1, 12), ("weekday", 1, 7), ("hour", 0, 23)):
        _refuse(table, name, ~((x[name] >= low) & (x[name] <= high)), f"must be from {low} to {high}")
    _refuse(table, "paid", x["paid"] > 1, "must be 0 or 1")
    parts = np.array([x[name] for name in ("likes", "comments", "shares")])  # (3, n)
    known = np.nansum(parts, axis=0)
    right = np.isnan(x["total"]) | (known == x["total"]) | (np.isnan(parts).sum(axis=0) == 1) & (known < x["total"])
    _refuse(table, "total", ~right, "must be the sum of like, comment and share")
    for name, part in zip(("likes", "comments", "shares"), parts, strict=True):
        x[name] = np.where(np.isnan(part), x["total"] - known, part)
    latest, earliest = days_of(table, *(x[name].astype(int) for name in ("month", "weekday", "hour")))
    time = latest.astype("datetime64[h]") + x["hour"].astype("timedelta64[h]")
    columns: dict[str, object] = {"time": time.astype("datetime64[ns]"), "author": "cosmetics page"}
    columns["kind"] = tables.words(table, "kind").str.lower()
    columns["category"] = tables.words(table, "category")
    columns |= {
        name: x[name] for name in METRICS if name not in ("kind", "category", "month", "weekday", "hour", "total")
    }
    weeks = (latest - earliest) // np.timedelta64(7, "D")
    spread = ", ".join(f"{n} of them {k} week{'s' * (k > 1)}" for k, n in enumerate(np.bincount(weeks)) if k and n)
    note = (
        "The file names month, weekday and hour; the day is the latest of 2014 that fits these and the order of the "
        f"file, newest first, with 1 for Sunday. {int((weeks == 0).sum())} days are certain"
        + (f", others may be earlier: {spread}" if spread else "")
        + ". Hours are on a clock that nobody names, category is 1 to 3 as in the file, fans are the page's likes."
    )
    outcomes = [name for name in columns if name not in ("time", "author", "kind", "category", "paid", "fans")]
    outcomes.sort(key=lambda name: (*PARTS, *METRICS).index(name))
    return tables.in_time(columns, ["category", "paid", "fans"], outcomes, tables.sifter(table), note)


def days_of(
    table: coded.Table, month: NDArray[np.int64], weekday: NDArray[np.int64], hour: NDArray[np.int64]
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Find the latest and the earliest days on which posts can have come that are listed newest first, (n,) each.

    Down the file, each post takes the latest day of its month and weekday that is no later than the post above it;
    up the file, the earliest that is no earlier than the post below. Any true order lies between the two.

    Parameters
    ----------
    month, weekday, hour : (n,) 1 to 12, 1 (Sunday) to 7, 0 to 23

    Raises
    ------
    DataError
        For the first post that has no such day.
    """
    days: dict[tuple[int, int], list[int]] = {}  # (month, weekday) → days of the year from 0
    for k in range((date(YEAR + 1, 1, 1) - date(YEAR, 1, 1)).days):
        day = date(YEAR, 1, 1) + timedelta(days=k)
        days.setdefault((day.month, day.isoweekday() % 7 + 1), []).append(k)
    found = np.zeros((2, len(hour)), dtype=int)
    for line, sign, rows in ((found[0], -1, range(len(hour))), (found[1], 1, range(len(hour))[::-1])):
        bound = sign * -10_000
        for i in rows:
            fits = [k for k in days[month[i], weekday[i]] if sign * (24 * k + hour[i]) >= sign * bound]
            if not fits:
                table.fail("month", i, "with its weekday and hour does not fit the order of the file, newest first")
            line[i] = min(fits, key=lambda k: sign * k)
            bound = 24 * line[i] + hour[i]
    latest, earliest = np.datetime64(f"{YEAR}-01-01") + found
    return latest, earliest


def _refuse(table: coded.Table, name: str, wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        table.fail(name, int(wrong.argmax()), rule, more=int(wrong.sum()) - 1)


def read_live(member: Member) -> Posts:
    """Read Facebook Live sellers (Dehouche 2020): posts of shops, one shop after the other, each newest first.

    The columns are those of a program that writes times five hours behind UTC in every season; so read, posts pause
    in Thailand's night, from 1 to 7. Where ids do not name the shop, a new one begins where time goes forward: the
    file has nine, as one run of 51 posts is in it twice, where the paper counts ten.
    """
    table, _ = tables.open_table(member, LIVE, LIVE)
    time, _ = tables.times(table, order="month")
    clean = tables.sifter(table)
    clean.drop("repeats another post in all but its id", tables.repeated(table, but=["post"]))
    shop = _shops(table, np.where(clean.left, time, np.datetime64("NaT")))
    columns: dict[str, object] = {
        "time": time + BEHIND,
        "author": shop,
        "kind": tables.words(table, "kind").str.lower(),
    }
    columns |= {name: tables.counts(table, name) for name in PARTS}
    note = (
        f"Posts of {shop[clean.left].nunique()} shops; which post is whose is told from the order of the file, where "
        "ids do not say it. Times were five hours behind UTC, it seems. Signs other than likes exist since 2016."
    )
    return tables.in_time(columns, [], [*tables.SIGNS, "comments", "shares"], clean, note)


def _shops(table: coded.Table, time: NDArray[np.datetime64]) -> pd.Series:
    """Name the shops: by the page in an id such as 2466755_1649696, else by their place in the file."""
    ids = tables.words(table, "post")
    if ids.str.fullmatch(r"\d+_\d+").all():
        return ids.str.partition("_")[0]
    before = pd.Series(time).ffill().shift()
    run = (pd.Series(time) > before).cumsum() + 1
    return "shop " + run.astype("str")
