"""Bring stamps to regular steps, one after the other without a gap, as every forecast wants them.

A step has a length: minutes and hours (5min, h), days (D), weeks (W from Monday, W-SUN from Sunday), months, quarters,
years (MS, QS, YS). Its time is its beginning. Days and longer steps are those of a zone's clock, so the day on which
the clocks go forward has 23 hours, and the day on which they go back 25. Shorter steps are those of UTC: a local clock
shows one hour of the year twice and leaves one out, so its hours are not regular.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.frequencies import to_offset

from smlab.checks import UsageError

How = Literal["sum", "mean", "last"]
HOWS = ("sum", "mean", "last")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
DAY = 86_400_000_000_000  # times are nanoseconds since 1970 here
FILLED = 0.1  # of the steps below a day, at least so many have a stamp; else the stamps are irregular
LARGEST = 20_000_000  # steps


class Step(NamedTuple):
    """The length of a step, and when one begins.

    Parameters
    ----------
    freq : as pandas writes it, such as "D"
    size : nanoseconds, or months
    phase : (1,) or (n_series,) a beginning, in nanoseconds or months since 1970
    months : whether size and phase are months
    """

    freq: str
    size: int
    phase: Ints
    months: bool = False

    @property
    def long(self) -> bool:
        """Whether it is made of whole days."""
        return self.months or self.size % DAY == 0

    def at(self, time: Ints, code: Ints) -> Ints:
        """Number the step in which a time of a series lies, (n,)."""
        return ((_month(time) if self.months else time) - self._phase(code)) // self.size

    def start(self, number: Ints, code: Ints) -> Ints:
        """Give the time at which a step of a series begins, (n,)."""
        begin = number * self.size + self._phase(code)
        return _ns(begin.astype("datetime64[M]")) if self.months else begin

    def _phase(self, code: Ints) -> Ints:
        return self.phase[code] if len(self.phase) > 1 else self.phase


def as_step(freq: str) -> Step:
    """Understand the name of a step.

    >>> as_step("5min").size // 10**9, as_step("QS").size, as_step("W").freq
    (300, 3, 'W-MON')
    """
    offset: Any  # pandas' stubs do not know the weekday of a week
    try:
        offset = to_offset(re.sub("W$", "W-MON", freq))
    except (ValueError, TypeError, AttributeError):
        offset = None
    n, phase, months = getattr(offset, "n", 0), 0, True
    match type(offset).__name__:
        case "Week" if offset.weekday is not None:
            size, phase, months = 7 * DAY * n, (offset.weekday - 3) % 7 * DAY, False  # 1 January 1970 was a Thursday
        case "MonthBegin":
            size = n
        case "QuarterBegin":
            size, phase = 3 * n, offset.startingMonth - 1
        case "YearBegin":
            size, phase = 12 * n, offset.month - 1
        case "Day":
            size, months = n * DAY, False
        case _:
            size, months = getattr(offset, "nanos", 0) if isinstance(offset, pd.offsets.Tick) else 0, False
    if offset is None or size <= 0:
        raise UsageError(f"freq={freq!r} must be a step such as 5min, h, D, W, MS, QS or YS")
    return Step(offset.freqstr, int(size), np.array([phase], np.int64), months)


def find_step(time: Ints, code: Ints) -> Step | None:
    """Find the longest step that leads to every stamp of its series; None for stamps that are irregular.

    Stamps a whole number of days apart have steps of days, however many are lacking, unless most come every week or
    more seldom; or of months, if all are on the first of one, or all on the last, which then stands for the first.
    Below a day the usual distance has to be the step, and a tenth of the steps to have a stamp.

    Parameters
    ----------
    time, code : (n,) nanoseconds and number of the series, in order of series and time

    >>> day = DAY * np.array([0, 1, 2, 6])
    >>> find_step(day, np.zeros(4, np.int64)).freq, find_step(day // 10**9 * 7 // 1000, np.zeros(4, np.int64)) is None
    ('D', True)
    """
    same = np.diff(code) == 0
    gaps = np.diff(time)[same]
    gaps = gaps[gaps > 0]
    if not len(gaps):
        return None
    first = time[np.append(True, ~same)]  # (n_series,)
    size = int(np.gcd.reduce(gaps))
    lengths, times = np.unique(gaps, return_counts=True)
    usual = int(lengths[times.argmax()])
    if size % DAY == 0:
        days = _days(time)
        if (days == days.astype("datetime64[M]")).all() or _on_last_day(days).all():
            month = _month(time)
            size = int(np.gcd.reduce(np.diff(month)[same])) or 1
            return Step(_months_name(size, _month(first)), size, _month(first), months=True)
        if usual > size and usual >= 7 * DAY and 2 * times.max() > len(gaps):
            return None
        if usual > size:  # so few stamps that the step is by chance longer than a day or a week
            size = DAY if size % (7 * DAY) else 7 * DAY
    elif usual > size or len(time) < FILLED * ((time[np.append(~same, True)] - first) // size + 1).sum():
        return None
    return Step(_name(size, first), size, first)


def _name(size: int, first: Ints) -> str:
    """Name a step in nanoseconds as pandas does; a week by its weekday, if all begin on the same."""
    if size % DAY:
        return str(to_offset(pd.Timedelta(size, "ns")).freqstr)
    weekday = set((first // DAY + 3) % 7)
    if size == 7 * DAY and len(weekday) == 1:
        return f"W-{('MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN')[weekday.pop()]}"
    return f"{size // DAY}D" if size > DAY else "D"


def _months_name(size: int, first: Ints) -> str:
    if size in (3, 12) and (first % size == 0).all():
        return "QS-JAN" if size == 3 else "YS-JAN"
    return f"{size}MS" if size > 1 else "MS"


def lay(
    time: Ints, code: Ints, value: Floats, step: Step, how: How = "sum", empty: float = np.nan
) -> tuple[Ints, Ints, Floats]:
    """Give each series its steps, from the first with a stamp to the last.

    Parameters
    ----------
    time, code, value : (n,) in order of series and time; no value is NaN
    empty : value of a step without stamps

    Returns
    -------
    number of the series, number of the step, value; (n_steps,) each
    """
    number = step.at(time, code)
    begins, ends = np.flatnonzero(np.diff(code, prepend=-1)), np.flatnonzero(np.diff(code, append=-1))
    least, most = number[begins], number[ends]  # (n_series,)
    width = most - least + 1
    if (total := int(width.sum())) > LARGEST:
        raise UsageError(f"steps of {step.freq} would be {total:,}; {LARGEST:,} is the most")
    shift = np.cumsum(width) - width - least
    at = number + np.repeat(shift, ends - begins + 1)
    have = np.bincount(at, minlength=total)
    if how == "last":
        found = np.full(total, empty)
        found[at] = value  # of several the last stays
    else:
        found = np.bincount(at, value, minlength=total)
        found = np.where(have == 0, empty, found / np.maximum(have, 1) if how == "mean" else found)
    row = np.repeat(np.arange(len(width)), width)
    return code[begins][row], np.arange(total) - shift[row], found


def regular(frame: pd.DataFrame, freq: str, how: How = "sum", zone: str | None = None) -> pd.DataFrame:
    """Bring stamps of any kind to regular steps.

    Of events, rows without values, each step has their number. Values of a step are added up, or `how` says. A sum of
    a part is no sum: where the stamps themselves are regular, a step that lacks one, or of which one has no value, is
    NaN, and such steps at both ends are left off. Where they are not, nobody knows what is lacking, and the first and
    the last step may be covered in part.

    Parameters
    ----------
    frame : `time` (with a zone, or UTC without one), and where there are any `value` and `series`
    freq : 5min, h, D, W, MS, … as above
    zone : whose days, weeks and months, such as "Europe/Berlin"; None for those of the clock that `time` is on

    Returns
    -------
    frame: series (str), time (datetime64[ns], on the clock of `zone` for days and longer, else UTC), value (float64)

    Raises
    ------
    UsageError
        For an unknown step, way or zone, a row without a time, too many steps, or none that is wholly measured.

    >>> times = pd.to_datetime(["2024-03-30T23:30Z", "2024-03-31T21:30Z", "2024-03-31T22:30Z"])
    >>> regular(pd.DataFrame({"time": times}), "D", zone="Europe/Berlin")["value"].tolist()
    [2.0, 1.0]
    """
    step = as_step(freq)
    if how not in HOWS:
        raise UsageError(f"how={how!r} must be sum, mean or last")
    names, code, time, value = columns(frame)
    clock = on_clock(time, zone) if zone and step.long else time
    if "value" not in frame:
        laid = lay(clock, code, value, step, empty=0.0)
    else:
        known = ~np.isnan(value)
        laid = lay(clock[known], code[known], value[known], step, how)
        if how == "sum" and (source := find_step(time, code)) is not None:
            laid = _whole(laid, step, source, clock[known], time[known], code[known], zone)
    if not len(laid[0]):
        raise UsageError(f"there is no step of {step.freq} that is wholly measured")
    return steps_frame(names, *laid, step)


def steps_frame(names: pd.Index, code: Ints, number: Ints, value: Floats, step: Step) -> pd.DataFrame:
    """Write steps as a frame: series, time, value."""
    series = pd.Series(pd.Categorical.from_codes(code, names)).astype("str")
    return pd.DataFrame({"series": series, "time": step.start(number, code).view("datetime64[ns]"), "value": value})


def on_clock(time: Ints, zone: str) -> Ints:
    """Turn times of UTC into those of a zone's clock, (n,)."""
    utc = pd.DatetimeIndex(time.view("datetime64[ns]")).tz_localize("UTC")
    return utc.tz_convert(_zone(zone)).tz_localize(None).asi8


def off_clock(time: Ints, zone: str) -> tuple[Ints, Ints]:
    """Turn times of a zone's clock into UTC, (n,): as the first and as the second of two hours of one name.

    A time that the clock skipped becomes the end of the skip in the first, and the beginning of all time in the second.
    """
    local, there = pd.DatetimeIndex(time.view("datetime64[ns]")), _zone(zone)
    first = local.tz_localize(there, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    second = local.tz_localize(there, ambiguous=np.zeros(len(local), bool), nonexistent="NaT")
    return first.asi8, second.asi8


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError, TypeError):
        raise UsageError(f"zone={zone!r} is no time zone; write it as in 'Europe/Berlin' or 'UTC'") from None


def columns(frame: pd.DataFrame) -> tuple[pd.Index, Ints, Ints, Floats]:
    """Give names of the series, and number of the series, time, value, (n,) each, in order of series and time."""
    if "time" not in frame or not pd.api.types.is_datetime64_any_dtype(frame["time"]):
        raise UsageError("regular steps need the column 'time', of dates; use pd.to_datetime")
    if frame.empty or frame["time"].isna().any():
        raise UsageError("every row must have a time, and there must be one")
    stamps = pd.DatetimeIndex(frame["time"])
    time = (stamps.tz_convert("UTC") if stamps.tz else stamps).as_unit("ns").asi8
    code, names = np.zeros(len(frame), np.int64), pd.Index(["all"], dtype="str")
    if "series" in frame:
        code, names = pd.factorize(frame["series"].astype("str"))
    try:
        value = frame["value"].to_numpy(float, na_value=np.nan) if "value" in frame else np.ones(len(frame))
    except (ValueError, TypeError):
        raise UsageError("the column 'value' must hold numbers") from None
    order = np.lexsort((time, code))
    return pd.Index(names), code[order].astype(np.int64), time[order], value[order]


def _whole(
    laid: tuple[Ints, Ints, Floats], step: Step, source: Step, clock: Ints, time: Ints, code: Ints, zone: str | None
) -> tuple[Ints, Ints, Floats]:
    """Make sums NaN where stamps are lacking that the source's step promises; leave such off at both ends."""
    row, number, value = laid
    single = np.append(True, (np.diff(time) != 0) | (np.diff(code) != 0))
    have = lay(clock[single], code[single], np.ones(int(single.sum())), step, empty=0.0)[2]
    edges = [step.start(number + k, row) for k in (0, 1)]
    if zone and step.long:
        edges = [off_clock(edge, zone)[0] for edge in edges]
    if source.months and not step.months:
        return laid
    # the first stamp of the source at or after an edge, by its number
    low, high = (source.at(edge - 1, row) + 1 for edge in edges)
    value = np.where(have < high - low, np.nan, value)
    known = pd.Series(np.where(np.isnan(value), np.nan, 1.0)).groupby(row)
    inside = (known.ffill().notna() & known.bfill().notna()).to_numpy()
    return row[inside], number[inside], value[inside]


def _month(time: Ints) -> Ints:
    return time.view("datetime64[ns]").astype("datetime64[M]").astype(np.int64)


def _days(time: Ints) -> NDArray[np.datetime64]:
    return time.view("datetime64[ns]").astype("datetime64[D]")


def _on_last_day(days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    return (days + 1).astype("datetime64[M]").astype("datetime64[D]") == days + 1


def _ns(time: NDArray[np.datetime64]) -> Ints:
    return time.astype("datetime64[ns]").view(np.int64)
