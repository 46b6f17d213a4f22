"""Series of your own: `time`, and where there are any `value` and `series`, as programs and spreadsheets write them.

| a row | columns |
|---|---|
| a value | `time`, `value`, and where there are several series `series` |
| an event, such as a post | `time`, and `series`; rows are counted |

A column is known by any of several names in English and Chinese (`NAMES`). Without a column of values rows are counted,
so a file with a column of numbers that has another name is refused.

Times that name a zone are moments; those that do not are on the clock of `zone`, or on one that nobody named. On a
zone's clock an hour that it skipped is an error. Of the hour that it shows twice, two rows of one name are the first
and the second; of one alone nobody knows which it is, which is an error where steps are shorter than a day.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import coded
from smlab import reactiontables as tables
from smlab.archives import Member
from smlab.checks import DataError, shorten
from smlab.daytimes import RULE as DATE
from smlab.daytimes import is_missing, moments
from smlab.letters import decode
from smlab.money import GROUPED, MONEY, PLAIN, _spaces, amounts
from smlab.owntext import SPREADSHEET
from smlab.purchasecolumns import plain
from smlab.reactiontables import Names, sifter, words
from smlab.steps import DAY, Floats, How, Ints, as_step, find_step, off_clock, on_clock

NAMES: Names = {
    "time": (*tables.NAMES["time"], "ts", "ds", "stamp", "day", "week", "month", "hour", "日", "周", "月", "月份",
             "小时", "统计日期", "统计时间"),
    "value": ("value", "values", "y", "count", "counts", "number", "total", "volume", "amount", "quantity", "views",
              "page views", "pageviews", "visits", "sessions", "users", "mentions", "posts", "tweets", "comments",
              "likes", "reactions", "interactions", "clicks", "impressions", "reach", "followers", "orders", "sales",
              "revenue", "spend", "数值", "值", "数量", "计数", "总数", "合计", "声量", "提及量", "提及数", "浏览量",
              "阅读量", "访问量", "播放量", "互动量", "发帖量", "发帖数", "帖子数", "评论数", "点赞数", "粉丝数",
              "订单数", "销量", "销售额"),
    "series": ("series", "series id", "unique id", "name", "brand", "shop", "store", "author", "account",
               "account name", "page", "page name", "product", "channel", "platform", "keyword", "topic", "hashtag",
               "ticker", "symbol", "序列", "系列", "名称", "品牌", "店铺", "门店", "作者", "账号", "账户", "产品",
               "商品", "渠道", "平台", "关键词", "话题"),
}  # fmt: skip
LONG = 5_000_000  # characters; longer files are read in a quicker way where it is as sure
MONTH = re.compile(r"(\d{4})[-/.](\d{1,2})|(\d{4})年(\d{1,2})月", re.ASCII)
CHINESE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日?(.*)", re.ASCII)
FEWEST = 3  # different numbers such as 1,234 that show, beside small ones without a mark, that it is for thousands


class Rows(NamedTuple):
    """Rows as they were read.

    Parameters
    ----------
    frame : series, time, value (NaN where the cell was empty)
    events : whether rows are events, whose values add up to 0 where there is none
    zone : whose days are meant, where time is UTC; empty where time is on a clock
    clock : the name of that clock; empty where nobody said
    windows : series, start and end of what is known to be odd
    """

    frame: pd.DataFrame
    events: bool
    zone: str
    clock: str
    dropped: pd.DataFrame
    lines: int
    note: str
    windows: Sequence[tuple[object, ...]] = ()


class Stamps(NamedTuple):
    """Times in nanoseconds, (n,), as of `Rows`; `other` is the second time of that name where there are two."""

    time: Ints
    other: Ints
    absent: NDArray[np.bool_]
    zone: str
    clock: str
    note: str


def open_table(member: Member, names: Names, need: Iterable[str]) -> tuple[coded.Table, list[str]]:
    """Read the columns that are known by their names, as `reactiontables.open_table`, and give the names of the others.

    Without a column of values the others are in the table, too, as "?" and their name.
    """
    file, strange = str(member), list[str]()
    text, _ = decode(member.read(), file)
    separator, skip = tables._separator(text[: text.find("\n") + 1] or text, names, file)

    def find(header: list[str], _: int) -> dict[str, int]:
        found = tables._places(header, names, need, 1 + skip, file)
        rest = {place: header[place].strip() for place in range(len(header)) if place not in found.values()}
        strange[:] = [name for name in rest.values() if name]
        return found if "value" in found else found | {f"?{name}": place for place, name in rest.items() if name}

    header = text.partition("\n")[0].split(separator)
    plain_header = not skip and len(set(header)) == len(header) and '"' not in "".join(header)
    if len(text) > LONG and plain_header:
        quick = coded.quick(io.BytesIO(text.encode()), file, separator, find)
        if quick is not None:
            return quick, strange
    return coded.read(io.StringIO(text, newline="\n"), file, separator, find, skip=skip), strange


def read_own(member: Member, name: str, *, freq: str | None, how: How | None, zone: str | None) -> Rows:
    """Read series of your own.

    Parameters
    ----------
    name : of the series where the file has one alone
    freq, how, zone : as of `series.load_series`

    Raises
    ------
    DataError
        With row, column, value and rule, and how many more rows break it.
    """
    table, strange = open_table(member, NAMES, ["time"])
    for column in table.columns:
        for pattern, rule in SPREADSHEET if column[0] != "?" else ():
            table.refuse(column, lambda v, p=pattern: p.fullmatch(v.strip()) is not None, rule)  # type: ignore[misc]
    events = "value" not in table.columns
    if events:
        _refuse_numbers(table)
    series = words(table, "series", "") if "series" in table.columns else pd.Series(name, index=range(len(table)))
    when = stamps(table, zone)
    short = not as_step(freq).long if freq else not events and not _one_time_of_day(when.time[~when.absent])
    when = _twice(table, series, when, events=events, short=short, zone=zone)
    value, note = (np.ones(len(table)), "") if events else values(table)
    kind = "Events of your own, counted." if events else "Values of your own."
    rest = f" Not read: {shorten(', '.join(strange), 100)}." if strange else ""
    rows = measured(table, series.astype("str"), when, value, freq, how, events)
    return rows._replace(note=f"{kind}{note}{when.note}{rest}")


def _refuse_numbers(table: coded.Table) -> None:
    """Refuse a file without a known column of values in which another column may be it."""

    def numeric(name: str) -> bool:
        filled = [v.strip() for v in table.columns[name].values if not is_missing(v)]
        ours = re.search(r"\b(?:id|no|nr|编号)$", plain(name[1:])) is None
        return ours and bool(filled) and all(tables.NUMBER.fullmatch(v) or PLAIN.fullmatch(v) for v in filled)

    if found := [name[1:] for name in table.columns if name[0] == "?" and numeric(name)]:
        rule = "must be in the header; if it is this column, call it value; if rows are events to count, leave it out"
        raise DataError(table.file, rule, row=1, column="value", value=", ".join(found))


def stamps(table: coded.Table, zone: str | None) -> Stamps:
    """Read the column `time` and find out whose clock it is on."""
    table = _dates(table)
    found, note = moments(table, "time")
    absent = np.isnat(found)
    ahead = table.each("time", tables._ahead, float)
    if (wrong := np.abs(ahead) > 14 * 60).any():
        table.fail("time", int(wrong.argmax()), DATE, more=int(wrong.sum()) - 1)
    zoned = table.each("time", lambda v: tables.ZONED.fullmatch(v.strip()) is not None, bool)
    if zoned.any() and (bare := ~zoned & ~absent).any():
        rule = "names no zone, and other cells of the column do; write all in one way"
        table.fail("time", int(bare.argmax()), rule, more=int(bare.sum()) - 1)
    time = np.where(absent, 0, found.astype("datetime64[ns]").view(np.int64))
    if zoned.any():
        return _zoned(time, (ahead * 60e9).astype(np.int64), absent, zone, note)
    if zone is None or _one_time_of_day(time[~absent]):
        if zone is not None:
            off_clock(time[:0], zone)  # an unknown zone is an error, needed or not
        said = "" if zone or _one_time_of_day(time[~absent]) else " Times name no zone and stay as they are written."
        return Stamps(time, time, absent, "", zone or "", note + said)
    first, second = off_clock(time, zone)
    skipped = (second == np.iinfo(np.int64).min) & ~absent
    if skipped.any():
        rule = f"is of an hour that the clocks of {zone} left out"
        table.fail("time", int(skipped.argmax()), rule, more=int(skipped.sum()) - 1)
    return Stamps(first, np.where(absent, first, second), absent, zone, "", note)


def _zoned(time: Ints, ahead: Ints, absent: NDArray[np.bool_], zone: str | None, note: str) -> Stamps:
    """Place times that name their zone: on the clock of `zone`, else on their own if it is one, else on that of UTC."""
    utc, offsets = time - ahead, np.unique(ahead[~absent])
    if zone is not None:
        local = on_clock(utc, zone)
        if _one_time_of_day(local[~absent]):
            return Stamps(local, local, absent, "", zone, note)
        return Stamps(utc, utc, absent, zone, "", note)
    if len(offsets) == 1:
        minutes = int(abs(offsets[0]) // 60_000_000_000)
        sign = f"{'-' if offsets[0] < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else ""
        return Stamps(time, time, absent, "", f"UTC{sign}", note)
    note += " Times were written at several distances from UTC and are in UTC; name zone for the days of a place."
    return Stamps(utc, utc, absent, "", "UTC", note)


def _dates(table: coded.Table) -> coded.Table:
    """Write 2024年5月1日 as 2024-5-1; and months as their first day, where all cells are months."""
    codes, cells = table.columns["time"]
    cells = [f"{m[1]}-{m[2]}-{m[3]}{m[4]}" if (m := CHINESE.fullmatch(v.strip())) else v for v in cells]
    months = [MONTH.fullmatch(v.strip()) for v in cells]
    if all(m or is_missing(v) for m, v in zip(months, cells, strict=True)):
        cells = [f"{m[1] or m[3]}-{m[2] or m[4]}-1" if m else v for m, v in zip(months, cells, strict=True)]
    return coded.Table(table.file, {**table.columns, "time": coded.Column(codes, cells)}, table.lines)


def _one_time_of_day(time: Ints) -> bool:
    return bool((time % DAY == time[:1] % DAY).all())


def _twice(
    table: coded.Table, series: pd.Series, when: Stamps, *, events: bool, short: bool, zone: str | None
) -> Stamps:
    """Tell the first from the second hour of one name: of two rows the earlier in the file, if it goes forward."""
    if not (twice := (when.time != when.other) & ~when.absent).any():
        return when
    rows = pd.DataFrame({"series": series, "time": when.time})[twice]
    pair = (rows.groupby(["series", "time"])["time"].transform("size") == 2) & (not events)
    open_ = np.zeros(len(table), bool)
    open_[rows.index[~pair]] = True
    if short and open_.any():
        rule = f"is an hour that the clocks of {zone} showed twice; write its distance from UTC, such as +01:00"
        table.fail("time", int(open_.argmax()), rule, more=int(open_.sum()) - 1)
    known = pd.Series(when.time)[~when.absent].groupby(series[~when.absent])
    back = series.map(known.last() < known.first()).to_numpy(bool)  # newest first
    later = rows[pair].duplicated(["series", "time"]).to_numpy() ^ back[rows.index[pair]]
    time = when.time.copy()
    second = rows.index[pair][later]
    time[second] = when.other[second]
    return when._replace(time=time)


def values(table: coded.Table) -> tuple[Floats, str]:
    """Read the column `value`, (n,) float64, NaN where a cell is empty, and a sentence on a currency, or nothing."""
    codes, cells = table.columns["value"]
    filled = [v.strip() for v in cells if not is_missing(v)]
    grouped = [v for v in filled if "." in v and GROUPED["."].fullmatch(v.removeprefix("-"))]
    if all(map(PLAIN.fullmatch, filled)) and (not grouped or sum("." in v for v in filled) > len(grouped)):
        found = table.each("value", lambda v: np.nan if is_missing(v) else float(v), float)
        if (wrong := np.abs(found) > 1e15).any():
            table.fail("value", int(wrong.argmax()), "is too large to be meant", more=int(wrong.sum()) - 1)
        return found, ""
    number = {v for v in cells if is_missing(v) or PLAIN.fullmatch(v.strip()) or MONEY.fullmatch(_spaces(v))}
    table.refuse("value", lambda v: v not in number, "must be a number, such as 1234.5")
    for mark, pattern in GROUPED.items():
        marked = {v for v in filled if mark in v}
        small = {v for v in filled if v.isdigit() and len(v) < 4}
        if len(marked) >= FEWEST and small and marked | small == set(filled) and all(map(pattern.fullmatch, marked)):
            cells = [v.replace(mark, "") for v in cells]
    changed = coded.Table(table.file, {"value": coded.Column(codes, cells)}, table.lines)
    found, currency = amounts(changed, "value")
    return found, f" Values are {currency}." if currency else ""


def measured(
    table: coded.Table, series: pd.Series, when: Stamps, value: Floats, freq: str | None, how: How | None,
    events: bool = False,
) -> Rows:  # fmt: skip
    """Give the rows that can be used: one a time of a series, if nobody says how several come together.

    Without `freq` the stamps of values must be at regular steps.
    """
    frame = pd.DataFrame({"series": series, "time": when.time.view("datetime64[ns]"), "value": value})
    clean = sifter(table)
    clean.drop("has no time", when.absent)
    clean.drop("has no series", series.eq("").to_numpy())
    stamped = clean.left.copy()
    if not events:
        if how is None:
            clean.drop("repeats a row", clean.left & frame.duplicated().to_numpy())
        stamped = clean.left.copy()
        clean.drop("has no value", np.isnan(value))
        if how is None:
            _refuse_several(table, frame[clean.left])
        number = frame["series"].map(frame["series"][clean.left].value_counts()).fillna(0)
        clean.drop("is the only value of its series", (number == 1).to_numpy())
        stamped &= (number > 1).to_numpy()
        if freq is None and stamped.any():
            _refuse_irregular(table, frame[stamped])
    frame = frame[stamped].reset_index(drop=True)
    return Rows(frame, events, when.zone, when.clock, clean.table(), len(table), "")


def _refuse_several(table: coded.Table, frame: pd.DataFrame) -> None:
    again = frame.duplicated(["series", "time"]).to_numpy()
    if again.any():
        rule = "is there already, with another value; how='sum', 'mean' or 'last' says what to make of them"
        table.fail("time", int(frame.index.to_numpy()[again.argmax()]), rule, more=int(again.sum()) - 1)


def _refuse_irregular(table: coded.Table, frame: pd.DataFrame) -> None:
    """Raise a DataError for the first row that does not come a whole number of usual steps after the one before."""
    code = pd.factorize(frame["series"])[0].astype(np.int64)
    time = frame["time"].to_numpy("datetime64[ns]").view(np.int64)
    order = np.lexsort((time, code))
    code, time, row = code[order], time[order], frame.index.to_numpy()[order]
    if find_step(time, code) is not None:
        return
    gap = np.where(np.diff(code) == 0, np.diff(time), 0)
    lengths, times = np.unique(gap[gap > 0], return_counts=True)
    if not len(lengths):
        raise DataError(table.file, "has one time only, and steps need two", column="time")
    usual = lengths[times.argmax()]
    odd = gap % usual != 0
    odd = odd if odd.any() else gap > usual
    first = row[1:][odd].argmin()
    rule = (
        f"comes {_length(gap[odd][first])} after the time before it, where {_length(usual)} is usual; name freq and "
        "how to bring the values to steps, or zone if the clocks were changed in between"
    )
    table.fail("time", int(row[1:][odd][first]), rule, more=int(odd.sum()) - 1)


def _length(time: int) -> str:
    return str(pd.Timedelta(int(time), "ns")).removeprefix("0 days ")
