"""When does which post go out? The best slots, within the limits of platforms, nights and people.

A slot of an audience is worth what the forecast says are there, times what the hour gains:

    v(a, t) = forecast(a, t) · (1 + gain(a, weekday, hour)),    weekday and hour on the clock of a

and the plan is the exact optimum of

    max Σ_p Σ_t  weight_p · v(a_p, t) · x_pt,      x_pt ∈ {0, 1},   as many posts placed as possible
    Σ_t x_pt ≤ 1                                   a post goes out once
    Σ_{p on c, t' ∈ [t, t + gap)} x_pt' ≤ 1        posts on a channel keep their distance, so nothing clashes
    Σ_{p on c, t ∈ day} x_pt ≤ limit_c             a platform's day
    Σ_{p to a, t ∈ day} x_pt ≤ spread_a            posts to an audience are spread over its days

by mixed-integer programming (posts that differ in nothing are counted, not told apart, so it stays small). Quiet
hours are hours of the audience's clock, summer time included. A platform's day is a day of the brand's clock.

Beside the plan stand a naive one, which takes posts in their order and the first free slot, and a greedy one, which
takes the best free slot for each; both obey the same limits. Gains should be shrunken and be those that later data
kept (`nextpost.py`): the value of the best of many noisy slots is too good to be true, by any method.

Left out: that posts take attention from each other beyond the gap.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from smlab.checks import UsageError, nearest
from smlab.outbox import Proposal

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST = 200_000  # pairs of post and slot that a plan may choose from
Floats = NDArray[np.float64]


class Plan(NamedTuple):
    """A plan and what others would have been worth.

    Parameters
    ----------
    table : key, channel, audience, time (UTC), local (of the audience), value, text; in the order of time
    unplaced : key, channel, audience of the posts that found no slot within the limits
    values : value and posts placed of the plans "best", "greedy" and "naive"
    exact : whether "best" is proved to be so
    """

    table: pd.DataFrame
    unplaced: pd.DataFrame
    values: pd.DataFrame
    exact: bool

    def proposals(self, maker: str = "posting plan") -> list[Proposal]:
        """Give the planned posts for the outbox."""
        return [
            Proposal(r.key, r.text, r.channel, r.time.to_pydatetime(), maker, f"{r.audience}, {r.local}: {r.value:.4g}")
            for r in cast(Iterable[Any], self.table.itertuples())
        ]


def slots(
    audiences: Mapping[str, str],
    *,
    start: datetime,
    days: int = 7,
    every: str = "1h",
    gains: pd.DataFrame | None = None,
    forecast: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List the slots of each audience and what they are worth.

    Parameters
    ----------
    audiences : name → time zone, such as {"Berlin": "Europe/Berlin"}
    start : in UTC
    every : steps between slots
    gains : gain (relative: 0.1 is a tenth more; a row that is missing or NaN is none) by any of audience, weekday
        (Mon …) and hour (0 to 23, or a band such as "18-21")
    forecast : time (UTC) and value, by audience if there is such a column: who or what will be there. A value holds
        until the next one; without a forecast it is 1

    Returns
    -------
    frame with audience, time (UTC), local, weekday, hour, minute (of the day), date, value

    >>> spring = slots({"Ann": "Europe/Berlin"}, start=datetime(2026, 3, 29), days=1, every="6h")
    >>> spring["hour"].tolist()
    [1, 8, 14, 20]
    """
    times = pd.date_range(start, periods=int(pd.Timedelta(days=days) / pd.Timedelta(every)), freq=every)
    times = times.tz_localize("UTC") if times.tz is None else times.tz_convert("UTC")
    parts = []
    for name, zone in audiences.items():
        local = times.tz_convert(_zone(zone))
        part = pd.DataFrame({"audience": name, "time": times.tz_localize(None)})
        part["local"], part["date"] = local.strftime("%Y-%m-%d %H:%M %z"), local.strftime("%Y-%m-%d")
        part["weekday"], part["hour"] = [DAYS[d] for d in local.day_of_week], local.hour
        part["minute"] = 60 * local.hour + local.minute
        part["value"] = _there(part, forecast) * (1 + _gain(part, gains))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def plan(
    posts: pd.DataFrame,
    slots: pd.DataFrame,
    *,
    per_day: int | Mapping[str, int] = 3,
    gap: str = "3h",
    quiet: tuple[str, str] | None = ("22:00", "07:00"),
    spread: int | None = None,
    zone: str = "UTC",
    seconds: float = 30.0,
) -> Plan:
    """Plan posts by mixed-integer programming, with a greedy and a naive plan beside it.

    Parameters
    ----------
    posts : key, text, channel, audience; and if they matter weight (above 0), earliest and latest (UTC)
    slots : of `slots`
    per_day : posts of a channel a day of `zone`, the brand's clock; for all channels or by name
    gap : least time between posts of a channel
    quiet : from when to when on the audience's clock nothing goes out
    spread : posts to an audience a day of its clock; None spreads them over its days as evenly as can be
    seconds : after which the best plan found so far is taken; `exact` says so
    """
    problem = _Problem(_checked(posts, slots), _awake(slots, quiet), per_day, gap, spread, zone)
    chosen, exact = problem.best(seconds)
    ways = {"best": chosen, "greedy": problem.greedy(), "naive": problem.naive()}
    rows = {name: (float(problem.worth[way].sum()), len(way)) for name, way in ways.items()}
    values = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "posts"])
    return Plan(*problem.tables(chosen), values, exact)


class _Problem:
    """Groups of posts that differ in nothing, the slots each may take (a pair is a choice), and the limits."""

    def __init__(
        self, posts: pd.DataFrame, slots: pd.DataFrame, per_day: Any, gap: str, spread: int | None, zone: str
    ) -> None:
        same = ["channel", "audience", "weight", "earliest", "latest"]
        number = posts.groupby(same, sort=False, dropna=False).ngroup()
        self.posts = posts.assign(group=number)
        heads = self.posts.drop_duplicates("group").set_index("group").drop(columns=["key", "text"])
        pairs = heads.reset_index().merge(slots.rename_axis("slot").reset_index(), on="audience")
        late = pairs["latest"].notna() & (pairs["time"] > pairs["latest"])
        early = pairs["earliest"].notna() & (pairs["time"] < pairs["earliest"])
        self.pairs = pairs[~late & ~early].sort_values(["time", "group"], ignore_index=True)
        if len(self.pairs) > MOST:
            raise UsageError(f"{len(self.pairs):,} pairs of post and slot are too many; take wider steps or fewer days")
        self.worth = (self.pairs["weight"] * self.pairs["value"]).to_numpy()
        self.rows = list(self._limits(per_day, pd.Timedelta(gap), spread, zone))

    def _limits(self, per_day: Any, gap: pd.Timedelta, spread: int | None, zone: str) -> Iterator[tuple[Any, int]]:
        """Give each limit as choices of which at most so many may be taken."""
        p = self.pairs
        for group, rows in p.groupby("group").indices.items():
            yield rows, int((self.posts["group"] == group).sum())
        for channel, rows in p.groupby("channel").indices.items():
            time = p["time"].to_numpy()[rows]
            ends = np.searchsorted(time, time + gap.to_timedelta64())  # times are in order
            for begin in np.unique(np.searchsorted(time, time)):
                yield rows[begin : max(ends[begin], np.searchsorted(time, time[begin], side="right"))], 1
            limit = per_day if isinstance(per_day, int) else _named(per_day, str(channel))
            local = p["time"].iloc[rows].dt.tz_localize("UTC").dt.tz_convert(_zone(zone))
            yield from _days(rows, local.dt.strftime("%Y-%m-%d").to_numpy(), limit)
        for audience, rows in p.groupby("audience").indices.items():
            days = p["date"].iloc[rows].to_numpy()
            even = -(-int((self.posts["audience"] == audience).sum()) // len(np.unique(days)))
            yield from _days(rows, days, spread or even)

    def best(self, seconds: float) -> tuple[NDArray[np.int64], bool]:
        """Solve it. One more post is worth more than all values, which are scaled to [0, 1]."""
        n, top = len(self.pairs), self.worth.max(initial=0.0) or 1.0
        if not n:
            return np.empty(0, dtype=np.int64), True
        row = np.repeat(np.arange(len(self.rows)), [len(r) for r, _ in self.rows])
        A = coo_array((np.ones(len(row)), (row, np.concatenate([r for r, _ in self.rows]))), shape=(len(self.rows), n))
        found = milp(
            -(len(self.posts) + 1 + self.worth / top),
            integrality=np.ones(n),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(A.tocsc(), ub=[limit for _, limit in self.rows]),
            options={"mip_rel_gap": 0.0, "time_limit": seconds},
        )
        if found.x is None:
            return self.greedy(), False
        return np.flatnonzero(found.x > 0.5), bool(found.status == 0)

    def greedy(self) -> NDArray[np.int64]:
        return self._fill(np.argsort(-self.worth, kind="stable"))

    def naive(self) -> NDArray[np.int64]:
        return self._fill(np.argsort(self.pairs["group"], kind="stable"))

    def _fill(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take choices in this order wherever no limit is in the way."""
        left = np.array([limit for _, limit in self.rows])
        of: list[list[int]] = [[] for _ in range(len(self.pairs))]
        for i, (rows, _) in enumerate(self.rows):
            for pair in rows:
                of[pair].append(i)
        taken = []
        for pair in order:
            if (left[of[pair]] > 0).all():
                left[of[pair]] -= 1
                taken.append(pair)
        return np.array(sorted(taken), dtype=np.int64)

    def tables(self, chosen: NDArray[np.int64]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give each post its slot: within a group the first posts go first."""
        got = self.pairs.loc[chosen, ["group", "time", "local", "value"]].copy()
        got["turn"] = got.groupby("group").cumcount()
        turns = self.posts.assign(turn=self.posts.groupby("group").cumcount())
        both = turns.merge(got, how="left", on=["group", "turn"])
        table = both[both["time"].notna()].sort_values("time", kind="stable", ignore_index=True)
        missing = both.loc[both["time"].isna(), ["key", "channel", "audience"]].reset_index(drop=True)
        return table[["key", "channel", "audience", "time", "local", "value", "text"]], missing


def _days(rows: Any, days: Any, limit: int) -> Iterator[tuple[Any, int]]:
    return ((rows[days == day], limit) for day in np.unique(days))


def _checked(posts: pd.DataFrame, slots: pd.DataFrame) -> pd.DataFrame:
    for name in ("key", "text", "channel", "audience"):
        if name not in posts:
            raise UsageError(f"posts have no column {name!r}")
    if posts["key"].duplicated().any():
        raise UsageError(f"key {posts.loc[posts['key'].duplicated(), 'key'].iloc[0]!r} is there twice")
    for name in posts["audience"].unique():
        if name not in (known := slots["audience"].unique().tolist()):
            raise UsageError(f"no slots for audience {name!r}; {nearest(str(name), known)}")
    full = posts.reindex(columns=["key", "text", "channel", "audience", "weight", "earliest", "latest"])
    full["weight"] = full["weight"].astype(float).fillna(1.0)
    if not (np.isfinite(full["weight"]) & (full["weight"] > 0)).all():
        raise UsageError("weights must be numbers above 0")
    for name in ("earliest", "latest"):
        full[name] = pd.to_datetime(full[name], utc=True).dt.tz_localize(None)
    return full.reset_index(drop=True)


def _awake(slots: pd.DataFrame, quiet: tuple[str, str] | None) -> pd.DataFrame:
    """Leave out the slots in quiet hours, which may go past midnight."""
    if quiet is None:
        return slots
    begin, end = (_minute(text) for text in quiet)
    m = slots["minute"]
    asleep = (m >= begin) & (m < end) if begin <= end else (m >= begin) | (m < end)
    return slots[~asleep]


def _minute(text: str) -> int:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text, re.ASCII)
    if not match or int(match[1]) > 24 or int(match[2]) > 59:
        raise UsageError(f"{text!r} is no time of the day; write one such as 22:00")
    return 60 * int(match[1]) + int(match[2])


def _named(per_day: Mapping[str, int], channel: str) -> int:
    if channel not in per_day:
        raise UsageError(f"per_day has no limit for {channel!r}; {nearest(channel, per_day)}")
    return per_day[channel]


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"unknown time zone {zone!r}; write one such as 'Europe/Berlin'") from None


def _there(part: pd.DataFrame, forecast: pd.DataFrame | None) -> Floats:
    """Give the forecast at each slot of an audience."""
    if forecast is None:
        return np.ones(len(part))
    name = part["audience"].iloc[0]
    own = forecast[forecast["audience"] == name] if "audience" in forecast else forecast
    own = own.sort_values("time")
    time, value = own["time"].to_numpy().astype("datetime64[ns]"), own["value"].to_numpy(dtype=float)
    at = part["time"].to_numpy().astype("datetime64[ns]")
    step = np.diff(time).max() if len(time) > 1 else np.timedelta64(1, "D")
    if not len(time) or at[0] < time[0] or at[-1] >= time[-1] + step:
        raise UsageError(f"the forecast for {name!r} does not cover the slots from {at[0]:.16} to {at[-1]:.16}")
    if not (np.isfinite(value) & (value >= 0)).all():
        raise UsageError(f"the forecast for {name!r} must be numbers of at least 0")
    return value[np.searchsorted(time, at, side="right") - 1]


def _gain(part: pd.DataFrame, gains: pd.DataFrame | None) -> Floats:
    """Give the gain at each slot, 0 where nothing is known."""
    if gains is None:
        return np.zeros(len(part))
    by = [name for name in ("audience", "weekday", "hour") if name in gains]
    if "gain" not in gains or not by:
        raise UsageError("gains need a column gain and at least one of audience, weekday and hour")
    table = gains[[*by, "gain"]].copy()
    if "hour" in by:
        table["hour"] = [_hours(h) for h in table["hour"]]
        table = table.explode("hour").astype({"hour": int})
    if table.duplicated(by).any():
        raise UsageError(f"gains say two things of {table.loc[table.duplicated(by), by].iloc[0].to_dict()}")
    gain = part[by].merge(table, how="left", on=by)["gain"].to_numpy(dtype=float)
    gain = np.where(np.isfinite(gain), gain, 0.0)
    if (gain < -1).any():
        raise UsageError("a gain is relative and at least -1, which is nothing left")
    return gain


def _hours(hour: object) -> list[int]:
    """Read an hour, or a band of hours such as 18-21, whose end is not in it."""
    match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", str(hour), re.ASCII)
    if not match or int(match[1]) > 23 or int(match[2] or 24) > 24:
        raise UsageError(f"{hour!r} is no hour; write one such as 18, or a band such as 18-21")
    return list(range(int(match[1]), int(match[2] or int(match[1]) + 1)))
