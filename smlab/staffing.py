"""How many people do we need next week? A plan from the quantiles of a forecast, and what it would have cost.

Messages that wait for an answer now (a chat, a hotline). With A = messages an hour · minutes each / 60 of work and N
people, arrivals by chance and times of handling exponential (Erlang 1917)

    B = (A^N / N!) / Σ_{j ≤ N} A^j / j!               C = B / (1 - (A/N)(1 - B)),  the chance to have to wait
    P(wait ≤ s) = 1 - C exp(-(N - A) s / h)            h the time of handling, N > A

Work that can wait till the evening. One person does k messages a step and costs w; a message left over costs l. With
the law F of messages the best plan is the newsvendor's: one more person is worth it as long as

    l · E[min(k, (M - kN)+)] > w,     which without rounding is F(kN) = 1 - w / (k l), the critical ratio

F is what lies between the quantiles: straight lines against normal scores, cut at the outermost levels. Left out:
messages that pile up over days, breaks and sickness (`occupied`), people who give up waiting (Erlang A).

References: Erlang (1917); Gans, Koole & Mandelbaum (2003), telephone call centers; Arrow, Harris & Marschak (1951),
newsvendor.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlab.checks import UsageError
from smlab.metrics import bootstrap, paired_difference

Floats = NDArray[np.float64]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
SHARES = np.arange(0.5, 200) / 200  # levels at which a law is looked at


class Work(NamedTuple):
    """What an answer takes and what it costs.

    Parameters
    ----------
    minutes : of one message
    wage : of one person for one hour
    late : what a message costs that is left over, or answered too late
    occupied : share of the paid time that people can answer
    live : whether people wait for the answer (Erlang C) or it can wait till the end of the step
    share, seconds : of `live`: so many messages are answered within so many seconds
    hours : of work in a step, such as 8 a day; all of the step if not given
    opens, closes : hours of the day between which anybody is there, where steps are shorter than a day

    >>> Work(minutes=6, wage=20, late=5).critical_ratio
    0.6
    """

    minutes: float
    wage: float = 20.0
    late: float = 5.0
    occupied: float = 1.0
    live: bool = False
    share: float = 0.8
    seconds: float = 20.0
    hours: float | None = None
    opens: int = 0
    closes: int = 24

    @property
    def critical_ratio(self) -> float:
        """Give 1 - w / (k l), 0 at the least: the quantile of the work that is planned for."""
        return max(0.0, 1 - self.wage * self.minutes / (60 * self.occupied * self.late))


def waits(load: ArrayLike, agents: ArrayLike) -> Floats:
    """Give Erlang's C, the chance that a message finds all busy; 1 where N ≤ A.

    Parameters
    ----------
    load : A, hours of work that arrive in an hour
    agents : N

    >>> waits(10, 14).round(4), waits(2, 3).round(4)  # 4/9
    (np.float64(0.1741), np.float64(0.4444))
    """
    A, N = np.broadcast_arrays(np.asarray(load, dtype=float), np.asarray(agents, dtype=float))
    blocked = np.exp(stats.poisson.logpmf(N, A) - stats.poisson.logcdf(N, A))  # B: a Poisson law cut at N
    with np.errstate(divide="ignore", invalid="ignore"):
        C = blocked / (1 - A / N * (1 - blocked))
    return cast(Floats, np.where(N > A, C, np.where(A > 0, 1.0, 0.0))[()])


def answered_within(load: ArrayLike, agents: ArrayLike, seconds: float, minutes: float) -> Floats:
    """Give the share of messages that wait no longer than `seconds`; `minutes` is what one takes.

    >>> answered_within(10, 14, seconds=20, minutes=3).round(3)  # 200 calls an hour, 3 minutes each
    np.float64(0.888)
    """
    A, N = np.asarray(load, dtype=float), np.asarray(agents, dtype=float)
    spare = np.maximum(N - A, 0)
    return cast(Floats, np.where(spare > 0, 1 - waits(A, N) * np.exp(-spare * seconds / (60 * minutes)), A <= 0)[()])


def agents_for(load: ArrayLike, work: Work) -> NDArray[np.int64]:
    """Give the fewest people with whom `share` of the messages are answered within `seconds`; none for no work.

    >>> agents_for([0, 10, 100], Work(minutes=3)).tolist()
    [0, 14, 107]
    """
    A = np.atleast_1d(np.asarray(load, dtype=float))
    N = np.where(A > 0, np.floor(A) + 1, 0)
    while (short := answered_within(A, N, work.seconds, work.minutes) < work.share).any():
        N[short] += 1
    return N.astype(np.int64)


def quantile(forecast: pd.DataFrame, level: ArrayLike) -> Floats:
    """Give quantiles between the given levels, (rows, levels): straight against normal scores.

    Beyond the outermost levels those are taken: what lies there the forecast does not say.

    >>> quantile(pd.DataFrame({0.1: [10.0], 0.5: [20.0], 0.9: [40.0]}), [0.5, 0.7, 0.99]).round(1).tolist()
    [[20.0, 28.2, 40.0]]
    """
    levels: list[Any] = sorted(c for c in forecast.columns if isinstance(c, float))
    if not levels or not np.isfinite(q := forecast[levels].to_numpy(dtype=float)).all():
        raise UsageError("a plan needs forecasts with quantile levels as columns, such as 0.5 and 0.9, and no gap")
    if q.min() < 0 or (np.diff(q, axis=1) < 0).any():
        raise UsageError("quantiles of messages must be 0 or more and rise with their level")
    z, at = stats.norm.ppf(np.atleast_1d(level)), stats.norm.ppf(levels)
    return np.array([np.interp(z, at, row) for row in q])


def plan(forecast: pd.DataFrame, work: Work, *, sure: float | None = None) -> pd.DataFrame:
    """Plan people for each open step of a forecast.

    Parameters
    ----------
    forecast : a row a step, by its time, with quantile levels as columns: messages of the step
    sure : quantile to plan for. Without it, `live` work takes .8: in four steps of five the service level holds; work
        that can wait takes the plan of least expected cost, which is near the critical ratio

    Returns
    -------
    frame by time: messages (the quantile), load (A, people busy all the time), agents (whole people), cost (expected)

    >>> day = pd.DataFrame({0.1: [300.0], 0.5: [400.0], 0.9: [520.0]}, pd.DatetimeIndex(["2024-01-01"], freq="D"))
    >>> plan(day, Work(minutes=6, hours=8), sure=0.9)[["messages", "agents"]].values.tolist()
    [[520.0, 7.0]]
    """
    hours = _hours(forecast.index, work)
    if sure is not None and not 0 < sure < 1:
        raise UsageError(f"sure={sure} must lie between 0 and 1; .8 holds in four steps of five")
    forecast = forecast[_open(forecast.index, work)]
    if forecast.empty:
        raise UsageError(f"no step of the forecast lies in the working hours, {work.opens} to {work.closes}")
    level = sure if sure is not None else 0.8 if work.live else work.critical_ratio
    law, messages = quantile(forecast, SHARES), quantile(forecast, level).ravel()  # (steps, 200), (steps,)
    load = messages * work.minutes / 60 / hours / work.occupied
    if work.live:
        agents = agents_for(load, work)
    else:
        agents = np.ceil(load - 1e-9).astype(np.int64) if sure is not None else _least(law, load, hours, work)
    cost = _costs(agents[:, None], law, hours, work).mean(axis=1)
    return pd.DataFrame({"messages": messages, "load": load, "agents": agents, "cost": cost}, forecast.index)


def by_week(planned: pd.DataFrame) -> pd.DataFrame:
    """Give the people of a plan as a table of hours (or one row of days) and weekdays; the mean over several weeks.

    >>> times = pd.date_range("2024-01-01", periods=48, freq="h")  # a Monday
    >>> by_week(pd.DataFrame({"agents": [1] * 24 + [2] * 24}, times)).loc["09:00"].tolist()
    [1.0, 2.0]
    """
    times = pd.DatetimeIndex(planned.index)
    day = pd.Categorical([DAYS[d] for d in times.day_of_week], DAYS, ordered=True)
    hour = ["all day"] * len(times) if (times.normalize() == times).all() else times.strftime("%H:%M")
    frame = pd.DataFrame({"agents": planned["agents"].to_numpy(dtype=float), "day": day, "from": hour})
    table = frame.pivot_table(index="from", columns="day", values="agents", aggfunc="mean", observed=True)
    return table.rename_axis(index=None, columns=None)


def in_words(planned: pd.DataFrame, work: Work) -> str:
    """Say what a plan asks for.

    >>> day = pd.DataFrame({0.5: [400.0], 0.9: [520.0]}, pd.DatetimeIndex(["2024-01-01"], freq="D"))
    >>> in_words(plan(day, Work(minutes=6, hours=8), sure=0.9), Work(minutes=6, hours=8))
    'The plan takes 56 hours of work, with 7 people at most, Mon 2024-01-01 00:00; expected cost 1,120.'
    """
    hours = _hours(planned.index, work)
    most = int(planned["agents"].to_numpy().argmax())
    when = f"{DAYS[planned.index[most].day_of_week]} {planned.index[most]:%Y-%m-%d %H:%M}"
    top, total, cost = int(planned["agents"].iloc[most]), planned["agents"].sum() * hours, planned["cost"].sum()
    people = "person" if top == 1 else "people"
    return f"The plan takes {total:,.0f} hours of work, with {top} {people} at most, {when}; expected cost {cost:,.0f}."


def backtest(planned: pd.DataFrame, actual: pd.Series, past: pd.Series, work: Work, *, seed: int = 0) -> pd.DataFrame:
    """Cost plans of later weeks against a flat plan and against hindsight, with intervals over weeks.

    Parameters
    ----------
    planned : of `plan`, each made from what was known before; several weeks, one below the other
    actual : messages that came, by the same times
    past : messages by time before the plans: the flat plan is the number of people that was best then

    Returns
    -------
    frame with the rows plan, flat, hindsight: cost a week, its difference to the flat plan (both `Interval`s), hours a
    week, and late, the share of messages left over or answered too late
    """
    hours = _hours(past.index, work)
    came, before = actual.reindex(planned.index), past[_open(past.index, work)].dropna().to_numpy(dtype=float)
    if came.isna().all() or not len(before):
        raise UsageError("no step of the plan has messages that came, or none came before it")
    known = came.notna().to_numpy()
    M, times = came.to_numpy(dtype=float)[known], pd.DatetimeIndex(planned.index[known])
    flat = np.full(len(M), _flat(before, hours, work))
    plans = {"plan": planned["agents"].to_numpy()[known], "flat": flat, "hindsight": _best(M, hours, work)}
    start = times.normalize().min()
    week = np.unique((times - start).days // 7, return_inverse=True)[1]  # weeks that nobody planned do not count
    if week.max() < 1:
        raise UsageError("a backtest needs two weeks or more: its interval is over weeks")
    cost = {name: np.bincount(week, _costs(N, M, hours, work)) for name, N in plans.items()}
    rows = {
        name: {
            "cost": bootstrap(cost[name], seed=seed),
            "less than flat": paired_difference(cost["flat"], cost[name], seed=seed),
            "hours": float(N.sum()) * hours / len(cost[name]),
            "late": float(_late(N, M, hours, work).sum() / max(M.sum(), 1.0)),
        }
        for name, N in plans.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _late(agents: ArrayLike, messages: Floats, hours: float, work: Work) -> Floats:
    """Give the messages left over at the end of the step, or answered too late."""
    N = np.asarray(agents, dtype=float)
    if work.live:
        load = messages * work.minutes / 60 / hours / work.occupied
        return cast(Floats, messages * (1 - answered_within(load, N, work.seconds, work.minutes)))
    return np.maximum(messages - N * 60 * work.occupied * hours / work.minutes, 0.0)


def _costs(agents: ArrayLike, messages: Floats, hours: float, work: Work) -> Floats:
    return np.asarray(agents, dtype=float) * work.wage * hours + work.late * _late(agents, messages, hours, work)


def _least(law: Floats, load: Floats, hours: float, work: Work) -> NDArray[np.int64]:
    """Give the people of least expected cost; load is that of the critical ratio, which is less than one away."""
    N = np.maximum(np.floor(load) - 1, 0) if work.critical_ratio > 0 else np.zeros(len(load))
    while True:
        now, then = (_costs(n[:, None], law, hours, work).mean(axis=1) for n in (N, N + 1))
        if not (worth := now - then > 1e-9).any():
            return N.astype(np.int64)
        N += worth


def _best(messages: Floats, hours: float, work: Work) -> NDArray[np.int64]:
    """Give what would have been planned for each step, had its messages been known."""
    load = messages * work.minutes / 60 / hours / work.occupied
    return agents_for(load, work) if work.live else _least(messages[:, None], load, hours, work)


def _flat(before: Floats, hours: float, work: Work) -> int:
    """Give the one number of people that was best for all steps of the past."""
    share = 0.8 if work.live else work.critical_ratio
    load = np.atleast_1d(np.quantile(before, share)) * work.minutes / 60 / hours / work.occupied
    return int((agents_for(load, work) if work.live else _least(before[None], load, hours, work))[0])


def _hours(times: pd.Index, work: Work) -> float:
    """Give the hours of work in a step; refuse what is no work or no series."""
    if not isinstance(times, pd.DatetimeIndex) or not len(times):
        raise UsageError("a plan needs one row a step, by time (a DatetimeIndex)")
    if min(work.minutes, work.wage, work.late) <= 0 or not 0 < work.occupied <= 1 or not 0 < work.share < 1:
        raise UsageError("needed are minutes, wage and late above 0, occupied of 0 to 1 and share between 0 and 1")
    if not 0 <= work.opens < work.closes <= 24:
        raise UsageError(f"opens={work.opens} and closes={work.closes} must be hours of a day, in this order")
    hours = _step(times) / pd.Timedelta("1h")
    if work.hours is not None and not 0 < work.hours <= hours:
        raise UsageError(f"hours={work.hours:g} of work do not fit into steps of {hours:g} hours")
    return float(work.hours or hours)


def _step(times: pd.DatetimeIndex) -> pd.Timedelta:
    found = np.sort(times.unique().to_numpy())
    if len(found) > 1:
        return pd.Timedelta(np.diff(found).min())
    if times.freq is None:
        raise UsageError("the length of one step is unknown; give its index a freq, or two steps")
    return pd.Timestamp(found[0] + times.freq) - pd.Timestamp(found[0])


def _open(times: pd.Index, work: Work) -> NDArray[np.bool_]:
    at = pd.DatetimeIndex(times)
    if (at.normalize() == at).all():
        return np.ones(len(at), dtype=bool)
    return np.asarray((at.hour >= work.opens) & (at.hour < work.closes))
