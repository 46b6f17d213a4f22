"""Tables of posts with what they set off: which column is what, counts, times in UTC; and a brand's own export.

A column is known by any of several names in English and Chinese (`NAMES`; case, blanks, `_` and `-` do not matter).
What is not known by name is not read: an export tells much that only became known after publishing, and a model that
learns from it cheats. A column of yours that was known before is named so in the header: `before: campaign`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import coded, sieve
from smlab.archives import Member
from smlab.checks import DataError, shorten
from smlab.daytimes import RULE as DATE
from smlab.daytimes import Order, is_missing, moments
from smlab.letters import decode, is_garbled
from smlab.money import GROUPED, amounts
from smlab.owntext import BLANKED, GARBLED, GARBLED_ALL, SEPARATORS, SPREADSHEET
from smlab.purchasecolumns import plain

Names = Mapping[str, tuple[str, ...]]
NAMES: Names = {
    "time": ("time", "date", "datetime", "timestamp", "created", "created at", "published", "published at", "posted",
             "posted at", "publish time", "publish date", "post time", "post date", "status published",
             "发布时间", "发布日期", "发表时间", "发文时间", "时间", "日期"),
    "author": ("author", "account", "account name", "page", "page name", "user", "username", "user name",
               "screen name", "handle", "profile", "作者", "账号", "帐号", "账户", "昵称", "用户", "用户名",
               "博主", "公众号"),
    "text": ("text", "content", "message", "caption", "tweet", "tweet text", "body", "post text", "post message",
             "status message", "内容", "正文", "文本", "文案", "博文", "微博正文"),
    "kind": ("kind", "type", "media", "media type", "post type", "content type", "status type", "format",
             "类型", "媒体", "媒体类型", "内容类型", "体裁"),
    "app": ("app", "source", "client", "device", "来源", "发布工具"),
    "language": ("language", "lang", "语言"),
    "category": ("category", "topic", "campaign", "分类", "话题", "主题"),
    "paid": ("paid", "sponsored", "boosted", "付费", "是否付费", "推广"),
    "likes": ("likes", "like", "like count", "likes count", "num likes", "favorites", "favourites", "favorite count",
              "favourite count", "点赞", "点赞数", "点赞量", "获赞", "获赞数", "赞", "赞数", "喜欢"),
    "loves": ("loves", "num loves"), "wows": ("wows", "num wows"), "hahas": ("hahas", "num hahas"),
    "sads": ("sads", "num sads"), "angrys": ("angrys", "num angrys"),
    "comments": ("comments", "comment", "comment count", "comments count", "num comments", "replies", "reply count",
                 "评论", "评论数", "评论量", "回复", "回复数"),
    "shares": ("shares", "share", "share count", "shares count", "num shares", "retweets", "retweet count", "reposts",
               "repost count", "转发", "转发数", "转发量", "分享", "分享数", "分享量"),
    "saves": ("saves", "saved", "bookmarks", "收藏", "收藏数", "收藏量"),
    "views": ("views", "view count", "plays", "video views", "reads", "阅读", "阅读数", "阅读量", "浏览", "浏览数",
              "浏览量", "播放", "播放数", "播放量"),
    "reach": ("reach", "触达", "触达人数", "覆盖人数"),
    "impressions": ("impressions", "曝光", "曝光数", "曝光量", "展现量", "展示量"),
    "clicks": ("clicks", "link clicks", "点击", "点击数", "点击量"),
    "signs": ("reactions", "num reactions"),  # of Facebook: likes of all six kinds
    "total": ("interactions", "total interactions", "engagement", "engagements", "total engagements",
              "互动", "互动数", "互动量"),
}  # fmt: skip
CONTEXT = ("app", "language", "category", "paid")
SIGNS = ("likes", "loves", "wows", "hahas", "sads", "angrys")
PARTS = (*SIGNS, "comments", "shares")  # together they are `reactions`
OTHERS = ("saves", "views", "reach", "impressions", "clicks")
BEFORE = re.compile(r"(?:before|发布前) *[:：] *(.+)", re.IGNORECASE)
COUNT = re.compile("[0-9]+(?:[.,'’ \u00a0\u2009\u202f][0-9]+)*[.,]?|[1-9](?:[.][0-9]+)?e[+][01][0-9]", re.ASCII)
NUMBER = re.compile(r"-?(?:0|[1-9][0-9.,'’ ]*|0[.,][0-9]+)", re.ASCII)
RULE = "must be a count: a whole number from 0, written out, such as 1234 or 1,234"
AHEAD = re.compile(r".*:\d{2}(?:\.\d+)?(?: ?[AaPp]\.?[Mm]\.?)? ?([+-])(\d{2}):?(\d{2})", re.ASCII)
ZONED = re.compile(r".*:\d{2}.*(?:Z|UTC|[+-]\d{2}:?\d{2})|[0-9]{9,10}", re.ASCII)


class Posts(NamedTuple):
    """Posts in order of time, what was known before, the outcomes, what was left out of how many rows, and a note."""

    frame: pd.DataFrame
    before: list[str]
    outcomes: list[str]
    dropped: pd.DataFrame
    lines: int
    note: str


def open_table(member: Member, names: Names, need: Iterable[str], *, head: int = 1) -> tuple[coded.Table, list[str]]:
    """Read the columns that are known by their names, and those that are called `before: …`, under their own.

    Parameters
    ----------
    names : our name → spellings; a column of exactly our name goes before others
    need : of our names, those that have to be in the header
    head : lines of the header; what stands below the names is left off

    Returns
    -------
    the table, in which the other columns are "?" and their place, and the names of these

    Raises
    ------
    DataError
        For a needed column that is missing, two of one meaning, and a table that cannot be read.
    """
    file, strange = str(member), list[str]()
    text, _ = decode(member.read(), file)
    lines = io.StringIO(text, newline="\n").readlines()
    separator, skip = _separator(lines[0], names, file)

    def find(header: list[str], _: int) -> dict[str, int]:
        found = _places(header, names, need, 1 + skip, file)
        rest = [place for place in range(len(header)) if place not in found.values()]
        strange.extend(header[place].strip() for place in rest if header[place].strip())
        return found | {f"?{place}": place for place in rest}

    for row, line in enumerate(lines[skip + 1 : skip + head], start=skip + 2):
        if re.search("[0-9]", line):
            raise DataError(file, "must hold the types or roles of the columns", row=row, value=line.rstrip("\n"))
    # what stands below the names goes above them, where it is skipped, so that every line keeps its number
    lines = [*lines[:skip], *lines[skip + 1 : skip + head], *lines[skip : skip + 1], *lines[skip + head :]]
    return coded.read(lines, file, separator, find, skip=skip + head - 1), strange


def _separator(first: str, names: Names, file: str) -> tuple[str, int]:
    """Find what parts the columns, and how many lines come before the header."""
    if said := re.fullmatch(r'"?sep=(.)"?[,;\t|]*\n?', first, re.IGNORECASE):
        if said[1] not in SEPARATORS:
            raise DataError(file, "must name a comma, semicolon, tab or bar", row=1, value=first.rstrip("\n"))
        return said[1], 1
    known = {name for spellings in names.values() for name in spellings}
    counts = {mark: sum(plain(cell.strip(' "\n')) in known for cell in first.split(mark)) for mark in SEPARATORS}
    return max(SEPARATORS, key=counts.__getitem__), 0


def _places(header: list[str], names: Names, need: Iterable[str], row: int, file: str) -> dict[str, int]:
    found: dict[str, int] = {}
    written = [plain(name) for name in header]
    own = {cell.strip(): (cell.strip(),) for cell in header if BEFORE.fullmatch(cell.strip())}
    for name, spellings in {**names, **own}.items():
        at = [place for place, cell in enumerate(written) if cell in spellings or header[place].strip() == name]
        exact = [place for place in at if written[place] == name]
        at = exact if len(exact) == 1 else at
        if len(at) > 1:
            rule = f"is in the header {len(at)} times; call the one that counts {name!r}"
            raise DataError(file, rule, row=row, column=name, value=", ".join(header[place] for place in at))
        if at:
            found[name] = at[0]
    for name in need:
        if name not in found:
            shown = shorten(", ".join(header), 100)
            raise DataError(file, f"must be in the header; the header is {shown!r}", row=row, column=name)
    return found


def counts(table: coded.Table, name: str) -> NDArray[np.float64]:
    """Read a column of counts, (n,), NaN where a cell is empty: 1234, 1,234, 1.234, 1 234, 218.0, 1e+05.

    Counts are whole, so 1,234 has a mark for thousands, and 1,000 beside 7, unless 12,0 shows that it is the point.

    Raises
    ------
    DataError
        For the first cell that is no count, such as -3, 1.5, 1.2k or £7; and where 1,000 may be 1.
    """
    codes, values = table.columns[name]
    table.refuse(name, lambda v: not is_missing(v) and COUNT.fullmatch(v.strip()) is None, RULE)
    filled = [v.strip() for v in values if not is_missing(v)]
    for mark, grouped in GROUPED.items():
        marked = [v for v in filled if mark in v]
        shown = len(marked) < len(filled) or any(v.strip("0")[-1] != mark for v in marked)  # 1,000 alone may be 1
        if shown and all(map(grouped.fullmatch, marked)):
            values = [v.replace(mark, "") for v in values]
    found, _ = amounts(coded.Table(table.file, {name: coded.Column(codes, values)}, table.lines), name)
    wrong = np.mod(found, 1) > 0
    if wrong.any():
        table.fail(name, int(wrong.argmax()), RULE, more=int(wrong.sum()) - 1)
    return found


def times(table: coded.Table, order: Order | None = None) -> tuple[NDArray[np.datetime64], str]:
    """Read the column `time` as UTC, (n,) datetime64[ns], NaT where a cell is empty, and what to say of it."""
    found, note = moments(table, "time", order=order)
    ahead = table.each("time", _ahead, float)
    if (wrong := np.abs(ahead) > 14 * 60).any():
        table.fail("time", int(wrong.argmax()), DATE, more=int(wrong.sum()) - 1)
    if not table.each("time", lambda v: ZONED.fullmatch(v.strip()) is not None or is_missing(v), bool).all():
        note += " Times that name no zone are taken for UTC."
    return (found - ahead.astype("timedelta64[m]")).astype("datetime64[ns]"), note


def _ahead(value: str) -> float:
    """Say how many minutes a time's clock is ahead of UTC.

    >>> _ahead("2024-05-01T09:30:00+08:00"), _ahead("2024-05-01 9:30 pm -0330"), _ahead("01-05-2024")
    (480.0, -210.0, 0.0)
    """
    if (zone := AHEAD.fullmatch(value.strip())) is None:
        return 0.0
    minutes = 60.0 * int(zone[2]) + int(zone[3])
    return -minutes if zone[1] == "-" else minutes


def words(table: coded.Table, name: str, empty: str = "unknown") -> pd.Series:
    """Read a column of words, (n,)."""
    return pd.Series(table.text(name, lambda v: empty if is_missing(v) else v.strip()).astype("str"))


def sifter(table: coded.Table) -> sieve.Sieve:
    """Give a sieve for the rows of a table that shows a row by its cells."""
    return sieve.Sieve(len(table), lambda i: f"row {table.lines[i]}: {', '.join(table.cells(i))}")


def repeated(table: coded.Table, but: Iterable[str] = ()) -> NDArray[np.bool_]:
    """Say which rows stand in the table already, cell for cell, but for some columns, (n,)."""
    kept = {name: column.codes for name, column in table.columns.items() if name not in but}
    return pd.DataFrame(kept).duplicated().to_numpy()


def in_time(
    columns: Mapping[str, object], before: Iterable[str], outcomes: Iterable[str], clean: sieve.Sieve, note: str
) -> Posts:
    """Put the posts that are left in order of time, with the total of what they set off as `reactions`.

    Files are often written newest first; posts of one moment then keep the order in which they were written.
    """
    frame = pd.DataFrame(columns)
    known = [name for name in outcomes if name in frame]
    for name in ("time", *(name for name in known if name in (*PARTS, "reactions"))):
        clean.drop(f"has no {name}", frame[name].isna().to_numpy())
    if "reactions" not in frame:
        frame["reactions"] = frame[[name for name in known if name in PARTS]].sum(axis=1)
        known = ["reactions", *known]
    frame = frame[clean.left]
    time = frame["time"].to_numpy()
    frame = frame.iloc[::-1] if len(time) and time[0] > time[-1] else frame
    frame = frame.sort_values("time", kind="stable").reset_index(drop=True)
    first = [name for name in ("time", "author", "text", "kind") if name in frame]
    before = list(before)
    return Posts(frame[[*first, *before, *known]], before, known, clean.table(), len(clean.left), note)


def read_own(member: Member, author: str) -> Posts:
    """Read an export of your own: a column of time and at least one of likes, comments, shares or their total.

    Parameters
    ----------
    author : whose posts they are where the file does not say

    Raises
    ------
    DataError
        With row, column, value and rule, and how many more rows break it.
    """
    table, strange = open_table(member, NAMES, ["time"])
    before, outcomes = _before(table), _outcomes(table)
    for name in table.columns:
        for pattern, rule in SPREADSHEET if name[0] != "?" else ():
            table.refuse(name, lambda v, p=pattern: p.fullmatch(v.strip()) is not None, rule)  # type: ignore[misc]
    time, note = times(table)
    columns: dict[str, object] = {"time": time, "author": author}
    if "author" in table.columns:
        columns["author"] = words(table, "author")
    if "text" in table.columns:
        columns["text"] = words(table, "text", "")
        note += _garbled(table)
    if "kind" in table.columns:
        columns["kind"] = words(table, "kind").str.lower()
    columns |= {ours: _context(table, name) for name, ours in before.items()}
    columns |= {ours: counts(table, name) for ours, name in outcomes.items()}
    clean = sifter(table)
    if "text" in table.columns or (time.astype("datetime64[D]") != time).any():  # else two posts may well be alike
        clean.drop("repeats a row", repeated(table))
    if "author" in table.columns:
        clean.drop("has no author", table.each("author", is_missing, bool))
    if strange:
        note += f" Not read: {shorten(', '.join(strange), 100)}."
    return in_time(columns, before.values(), outcomes, clean, f"Posts of your own.{note}")


def _before(table: coded.Table) -> dict[str, str]:
    """Find what was known before publishing: column of the table → its name in the frame; empty ones are left off."""
    found = {name: name for name in CONTEXT if name in table.columns}
    for column in table.columns:
        if own := BEFORE.fullmatch(column):
            if own[1] in (*NAMES, *found.values(), "reactions"):
                raise DataError(table.file, "is the name of another column here; take another", column=column)
            found[column] = own[1]
    return {column: name for column, name in found.items() if _filled(table, column)}


def _outcomes(table: coded.Table) -> dict[str, str]:
    """Find what a post set off: its name in the frame → column of the table; empty ones are left off."""
    found = {name: name for name in (*PARTS, *OTHERS) if name in table.columns and _filled(table, name)}
    if "likes" not in found and "signs" in table.columns and _filled(table, "signs"):
        found = {"likes": "signs", **found}
    if not set(found) & set(PARTS):
        if "total" not in table.columns or not _filled(table, "total"):
            rule = "must be in the header, with counts below it, or comments, shares or interactions"
            raise DataError(table.file, rule, column="likes")
        found["reactions"] = "total"
    return found


def _filled(table: coded.Table, name: str) -> bool:
    return not table.each(name, is_missing, bool).all()


def _context(table: coded.Table, name: str) -> object:
    """Read numbers if every filled cell is one (007 is not), else words."""
    filled = [v.strip() for v in table.columns[name].values if not is_missing(v)]
    if all(NUMBER.fullmatch(v) for v in filled):
        return amounts(table, name)[0]
    return words(table, name)


def _garbled(table: coded.Table) -> str:
    """Refuse a file of which the letters were destroyed on the way; say where single posts are."""
    wide = table.each("text", lambda v: not v.isascii(), bool)
    broken = table.each("text", lambda v: is_garbled(v) or BLANKED.fullmatch(v.strip()) is not None, bool)
    if not broken.any():
        return ""
    n, row = int(broken.sum()), int(broken.argmax())
    if n >= GARBLED * int((wide | broken).sum()) and n >= GARBLED_ALL * len(table):
        rule = "was written in another encoding than it was read in, and saved so; export the file anew as UTF-8"
        table.fail("text", row, rule, more=n - 1)
    return f" Posts with garbled letters: {n}, the first in row {table.lines[row]}; they stay as they are."
