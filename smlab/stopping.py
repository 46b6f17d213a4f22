"""Where would a test have stopped? On simulated people, and on the record of experiments that were run to their end.

A rule of stopping has three figures: how often it stops where there is no difference (its errors), how often where
there is one (its power), and how many people it takes on average. `rehearse` finds them by simulation. `stops` runs a
test over the cumulative sums of real experiments, and compares what it said at the stop with the fixed test of all the
people at the end. That fixed test is no truth either: it errs where there is no difference in one case of twenty.

Records can break what `sequential` supposes. In ASOS the outcomes of people counted before go on to grow, so that steps
between looks are larger than V allows, and at single looks the sums of one arm are late: there a test stops more often
than it should, and `watch(..., confirm=3)` takes out the late sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.metrics import Interval
from smlab.sequential import Estimate, Watch, means, naive, rates, ratio_check

Floats = NDArray[np.float64]
Test = Callable[[Estimate], Watch]
STREAM = ("experiment", "variant", "metric")
SUMS = [f"{name}_{side}" for side in ("control", "treatment") for name in ("count", "mean", "variance")]


def in_words(
    found: Watch,
    experiment: int = 0,
    *,
    planned: float | None = None,
    worth: float | None = None,
    names: tuple[str, str] = ("A", "B"),
    number: Callable[[float], str] | None = None,
) -> str:
    """Say what to do: stop for one arm, stop because it does not matter, or go on, and what can still be seen.

    Parameters
    ----------
    planned : people at which the test is to end
    worth : the least difference (or lift) that matters; the interval within ± worth ends the test, too
    number : how differences are written, such as "{:+.1%}".format

    >>> from smlab.sequential import watch
    >>> clicks, n = [20, 80, 200], [500, 2000, 5000]
    >>> in_words(watch(rates(clicks, n, [25, 130, 300], n), n_best=10_000), planned=10_000, number="{:+.1%}".format)
    'Stop for B: after 4,000 people B less A is +2.5% [+0.3%, +4.7%]. It saves 60% of the 10,000 people planned.'
    >>> in_words(watch(rates(clicks, n, [25, 90, 210], n), n_best=10_000), planned=20_000, number="{:+.1%}".format)
    'Go on: after 10,000 people B less A is +0.2% [-1.0%, +1.4%]. By 20,000, +1.1% or more is seen in 4 cases of 5.'
    """
    write = number or ("{:+.1%}".format if found.relative else "{:+.3g}".format)
    stop, looks = int(np.atleast_1d(found.stop)[experiment]), found.n.shape[-1]
    value, low, high, n = (np.atleast_2d(x)[experiment] for x in (found.value, found.low, found.high, found.n))
    alike = np.flatnonzero((low > -worth) & (high < worth)) if worth else np.array([], dtype=int)
    i = stop if stop >= 0 else int(alike[0]) if len(alike) else looks - 1
    what = f"{names[1]} over {names[0]}" if found.relative else f"{names[1]} less {names[0]}"
    seen = f"after {n[i]:,.0f} people {what} is {write(value[i])} [{write(low[i])}, {write(high[i])}]."
    saved = 1 - n[i] / planned if planned else 0.0
    saves = f" It saves {saved:.0%} of the {planned:,.0f} people planned." if saved >= 0.005 else ""
    if stop >= 0:
        return f"Stop for {names[int(value[i] > 0)]}: {seen}{saves}"
    if len(alike) and worth:
        return f"Stop, for the arms differ by less than {write(worth).lstrip('+')}: {seen}{saves}"
    if saved <= 0 and planned:
        return f"End, undecided: {seen}"
    least = np.atleast_1d(found.seen_by(planned))[experiment] if planned else np.nan
    rest = f" By {planned:,.0f}, {write(least)} or more is seen in 4 cases of 5." if np.isfinite(least) else ""
    return f"Go on: {seen}{rest}"


class Rehearsal(NamedTuple):
    """How often a test stops, the people it takes on average, and how often its interval then holds the truth."""

    stopped: Interval
    people: float
    covered: Interval


def rehearse(
    test: Test,
    p0: float,
    p1: float,
    n: int,
    *,
    every: int = 1,
    n_tests: int = 1000,
    relative: bool = False,
    seed: int = 0,
) -> Rehearsal:
    """Simulate tests of two rates with at most n people, half in each arm, looked at after `every` people of each arm.

    With p0 = p1 each stop is a false alarm. `covered` counts the intervals at the stop, or at the end without one.

    >>> rehearse(naive, 0.1, 0.1, 2000, n_tests=200).stopped.value > 0.2
    True
    """
    looks = n // 2 // every if every >= 1 else 0
    if looks < 1 or n_tests < 1 or not (0 < p0 < 1 and 0 < p1 < 1):
        raise UsageError(f"n={n}, every={every}, n_tests={n_tests} leave no look, or p0={p0}, p1={p1} are no rates")
    rng, size = np.random.default_rng(seed), every * np.arange(1, looks + 1)
    truth = p1 / p0 - 1 if relative else p1 - p0
    most = max(1, 1_000_000 // looks)  # tests at a time, to stay in a few hundred megabytes
    parts = []
    for start in range(0, n_tests, most):
        clicks = rng.binomial(every, [[[p0]], [[p1]]], (2, min(most, n_tests - start), looks)).cumsum(axis=-1)
        found = test(rates(clicks[0], size, clicks[1], size, relative=relative))
        held = (found.at_stop(found.low) <= truth) & (found.at_stop(found.high) >= truth)
        parts.append(np.stack([found.stop >= 0, found.at_stop(found.n), held]))
    stopped, people, covered = np.concatenate(parts, axis=1)
    return Rehearsal(_share(stopped), float(people.mean()), _share(covered))


def stops(
    frame: pd.DataFrame,
    test: Test,
    *,
    by: Sequence[str] = STREAM,
    relative: bool = False,
    shares: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Say of each stream of cumulative sums where the test would have stopped, and what the fixed test says at the end.

    Parameters
    ----------
    frame : a row a look, in order of time within a stream: `by`, time, and count, mean and variance of `_control` and
        `_treatment`, as `load_experiment("asos")` has them. A look whose variances are not known is passed over
    test : such as lambda e: watch(e, n_best=1e6)
    shares : planned shares of people; if given, `ratio_p` is the always-valid p-value of them

    Returns
    -------
    A row a stream: `by`, looks, people (at the end), stopped, time, n (people then), saved (share of people), value,
    low, high (then, or at the end), verdict (1 treatment is above, -1 below, 0 no stop), fixed, fixed_low, fixed_high,
    fixed_verdict (of the fixed test at the end), agrees (whether both verdicts are the same)

    Raises
    ------
    UsageError
        For missing columns, times that do not rise, counts that fall, a variance below 0.
    """
    clean, sizes = _streams(frame, list(by))
    x = {name: _padded(clean[name].to_numpy(float), sizes) for name in [*SUMS, "time"]}
    control, treatment = ((x[f"count_{s}"], x[f"mean_{s}"], x[f"variance_{s}"]) for s in ("control", "treatment"))
    estimate = means(control, treatment, relative=relative)
    found = test(estimate)
    fixed = naive(estimate, level=found.level)
    at = {name: found.at_stop(getattr(found, name)) for name in ("n", "value", "low", "high")}
    end = {name: getattr(fixed, name)[:, -1] for name in ("n", "value", "low", "high")}
    table = clean[list(by)].iloc[np.cumsum(sizes) - 1].reset_index(drop=True)
    table = table.assign(looks=sizes, people=end["n"], stopped=found.stop >= 0, time=found.at_stop(x["time"]))
    table = table.assign(saved=1 - at["n"] / end["n"], **at, verdict=_side(at["low"], at["high"]) * table["stopped"])
    table = table.assign(fixed=end["value"], fixed_low=end["low"], fixed_high=end["high"])
    table["fixed_verdict"] = _side(end["low"], end["high"])
    table["agrees"] = table["verdict"] == table["fixed_verdict"]
    if shares is not None:
        table["ratio_p"] = ratio_check(np.stack([control[0], treatment[0]], axis=-1), shares)[:, -1]
    return table


def agreement(table: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Count over the streams of `stops` what came of stopping; a row each value of `by`, or one row for all.

    Returns
    -------
    streams; stopped; same, fades and turns: how many of those the fixed test at the end finds significant with the same
    sign, not significant, or with the other sign; missed: significant at the end and never stopped; saved: share of all
    people, had each stream been run for itself
    """
    groups = [("all", table)] if by is None else list(table.groupby(by))
    rows = {}
    for name, part in groups:
        stop, product = part["stopped"], part["verdict"] * part["fixed_verdict"]
        rows[name] = {
            "streams": len(part), "stopped": int(stop.sum()), "same": int((product > 0).sum()),
            "fades": int((stop & (product == 0)).sum()), "turns": int((product < 0).sum()),
            "missed": int((~stop & (part["fixed_verdict"] != 0)).sum()),
            "saved": 1 - part["n"].sum() / part["people"].sum(),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)


def _streams(frame: pd.DataFrame, by: list[str]) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Give the looks with known variances, stream after stream, and how many each has."""
    missing = [name for name in [*by, "time", *SUMS] if name not in frame]
    if missing or frame.empty:
        raise UsageError(f"the frame needs rows, and columns {', '.join(missing) or 'of sums'}: one row a look")
    streams = frame.groupby(by, sort=False, observed=True)
    back = np.flatnonzero((streams["time"].diff() <= 0).to_numpy())
    if len(back):
        row = frame.iloc[back[0]]
        where = ", ".join(f"{name} {row[name]}" for name in by)
        raise UsageError(f"{where}: time {row['time']:g} does not come after the row before; sort by time")
    clean = frame[frame[["variance_control", "variance_treatment"]].notna().all(axis=1)]
    if clean.empty:
        raise UsageError("no row has the variances of both arms")
    order = clean.groupby(by, sort=False, observed=True).ngroup().to_numpy()
    return clean.iloc[np.argsort(order, kind="stable")], np.bincount(order)


def _padded(values: Floats, sizes: NDArray[np.int64]) -> Floats:
    """Lay streams below each other (streams, looks); a short one repeats its last look, which changes no test."""
    look = np.minimum(np.arange(sizes.max()), sizes[:, None] - 1)
    return values[look + (np.cumsum(sizes) - sizes)[:, None]]


def _side(low: Floats, high: Floats) -> NDArray[np.int64]:
    return (low > 0).astype(np.int64) - (high < 0)


def _share(hits: Floats) -> Interval:
    low, high = wilson(hits.sum(), len(hits))
    return Interval(float(hits.mean()), float(low), float(high))
