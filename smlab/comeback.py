"""Judge who comes back: the past of each customer up to a day, and what happened after it.

Half of the time teaches, the other half is kept for the judge. A forecast is worth something if it beats two that need
no model: that all customers buy alike, and that each goes on as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.bgnbd import BGNBD, from_purchases
from smlab.checks import UsageError
from smlab.kmeans import Floats
from smlab.metrics import Interval, bootstrap

WEEK = pd.Timedelta(weeks=1)
ONE_DAY = "all purchases are of one day; needed are two days at least, and better some months"


class Halves(NamedTuple):
    """A past and a future of the same customers.

    Parameters
    ----------
    until : last day of the past
    seen : x, t_x and T of each customer at the end of the past, in weeks
    later : days with a purchase in the future, of the same customers
    weeks : length of the future
    """

    until: pd.Timestamp
    seen: pd.DataFrame
    later: pd.Series
    weeks: float


def middle(frame: pd.DataFrame) -> pd.Timestamp:
    """Give the day in the middle of the purchases.

    >>> middle(pd.DataFrame({"time": pd.to_datetime(["1997-01-01", "1998-06-30"])}))
    Timestamp('1997-09-30 00:00:00')
    """
    first, last = frame["time"].min().floor("D"), frame["time"].max().floor("D")
    return first + ((last - first) / 2).floor("D")


def halves(frame: pd.DataFrame, until: str | pd.Timestamp | None = None) -> Halves:
    """Part purchases (customer, time) at the end of a day; None is the middle. Customers stand as they first come.

    >>> times = pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-20", "2024-01-29"])
    >>> both = halves(pd.DataFrame({"customer": ["u", "u", "u", "v"], "time": times}), "2024-01-15")
    >>> both.seen.to_dict("index"), both.later.to_dict(), both.weeks
    ({'u': {'x': 1, 't_x': 1.0, 'T': 2.0}}, {'u': 1}, 2.0)
    """
    day, end = frame["time"].dt.floor("D"), frame["time"].max().floor("D")
    at = middle(frame) if until is None else pd.Timestamp(until).floor("D")
    if not day.min() <= at < end:
        raise UsageError(f"{at:%Y-%m-%d} parts nothing: the purchases go from {day.min():%Y-%m-%d} to {end:%Y-%m-%d}")
    seen = from_purchases(frame, until=at)
    seen = seen.loc[frame["customer"][day <= at].unique()]
    future = frame[["customer"]].assign(day=day)[day > at].drop_duplicates()
    later = future["customer"].value_counts().reindex(seen.index, fill_value=0)
    return Halves(at, seen, later.rename("later"), (end - at) / WEEK)


class Outlook(NamedTuple):
    """What can be said of the future.

    Parameters
    ----------
    both : the past and what followed; None where all purchases are of one day
    past, now : BG/NBD at the end of that past, and of all purchases; None where either cannot be fitted
    why : the reason, and what would be needed; empty where there is a forecast
    """

    both: Halves | None
    past: BGNBD | None
    now: BGNBD | None
    why: str


def outlook(frame: pd.DataFrame, until: str | pd.Timestamp | None = None) -> Outlook:
    """Part purchases as `halves` does and fit both models, or say why a small shop gets no forecast.

    >>> once = pd.DataFrame({"customer": ["u", "v"], "time": pd.to_datetime(["2024-01-01", "2024-03-01"])})
    >>> outlook(once).why
    'no customer bought twice, so nothing tells how often they come back; needed are some who did'
    >>> outlook(once.head(1)).why
    'all purchases are of one day; needed are two days at least, and better some months'
    """
    days = frame["time"].dt.floor("D")
    if days.min() == days.max():
        return Outlook(None, None, None, ONE_DAY)
    both = halves(frame, until)
    seen = both.seen, from_purchases(frame)
    try:
        past, now = (BGNBD().fit(part["x"], part["t_x"], part["T"]) for part in seen)
    except UsageError as error:
        return Outlook(both, None, None, str(error))
    return Outlook(both, past, now, "")


def forecasts(model: BGNBD, both: Halves) -> dict[str, Floats]:
    """Give the purchases that BG/NBD and two forecasts without a model expect of each customer in the future (n,)."""
    x, t_x, T = (both.seen[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    rate = x.sum() / max(T.sum(), 1e-300)
    own = np.divide(x, T, out=np.full(len(x), rate), where=T > 0)
    return {
        "BG/NBD": model.expect_more(both.weeks, x, t_x, T),
        "each as before": own * both.weeks,
        "all alike": np.full(len(x), rate * both.weeks),
    }


def by_past(expected: Mapping[str, ArrayLike], both: Halves, *, most: int = 7, seed: int = 0) -> pd.DataFrame:
    """Put means of what was expected beside what happened, for customers with 0, 1, … `most` or more repeat purchases.

    Returns
    -------
    frame with a row a past: n, actual, low, high, and the mean of each forecast
    """
    x = both.seen["x"].clip(upper=most).to_numpy()
    later = both.later.to_numpy(dtype=float)
    rows = {}
    for value in np.unique(x):
        of = x == value
        actual = bootstrap(later[of], seed=seed)
        row = {"n": int(of.sum()), "actual": actual.value, "low": actual.low, "high": actual.high}
        means = {name: float(np.asarray(e)[of].mean()) for name, e in expected.items()}
        rows[f"{value}+" if value == most else f"{value}"] = row | means
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("repeat purchases")


def errors(expected: Mapping[str, ArrayLike], both: Halves, *, seed: int = 0) -> dict[str, Interval]:
    """Give the mean absolute error of each forecast, in purchases of a customer, with its interval."""
    later = both.later.to_numpy(dtype=float)
    return {name: bootstrap(np.abs(np.asarray(e) - later), seed=seed) for name, e in expected.items()}


def correction(expected: ArrayLike, both: Halves, *, n: int = 1000, seed: int = 0) -> Interval:
    """Give what happened / what was expected, in purchases of all customers together, with its bootstrap interval.

    A forecast of the next period may be multiplied by it, if the next period is to err as the last one did.
    """
    pairs = np.column_stack([both.later.to_numpy(dtype=float), np.asarray(expected, dtype=float)])
    rng = np.random.default_rng(seed)
    sums = np.array([rng.poisson(1.0, len(pairs)) @ pairs for _ in range(n)])
    actual, foreseen = pairs.sum(axis=0)
    if foreseen <= 0:
        raise UsageError("no purchase was expected, so nothing can be compared with it")
    low, high = np.quantile(sums[:, 0] / np.maximum(sums[:, 1], 1e-12), [0.025, 0.975])
    return Interval(float(actual / foreseen), float(low), float(high))


def corrections(
    expected: ArrayLike, both: Halves, labels: ArrayLike, k: int, *, smallest: int = 50, seed: int = 0
) -> list[Interval]:
    """Give the `correction` of each of k segments; of one with fewer than `smallest` customers that of all.

    Parameters
    ----------
    labels : segment of each customer at the end of the past (n,)
    """
    z, foreseen = np.asarray(labels), np.asarray(expected, dtype=float)
    found = [correction(foreseen, both, seed=seed)] * k
    for j in np.flatnonzero(np.bincount(z, minlength=k) >= smallest):
        part = both._replace(seen=both.seen[z == j], later=both.later[z == j])
        found[j] = correction(foreseen[z == j], part, seed=seed)
    return found
