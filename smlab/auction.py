"""Which ad to show: rank by predicted click rate × bid, and let the winner pay what the place was worth to the next.

Of the ads j that want an impression, with forecast q_j, bid b_j per click and score s_j = q_j b_j, the highest
score s_(1) wins the first place, the next one the second, and per click the ad in place r pays

    price_(r) = max( s_(r+1) / q_(r), reserve )        the least bid that would have kept its place

the generalised second-price auction (Edelman, Ostrovsky & Schwarz 2007; Varian 2007).
With one place it is Vickrey's auction per impression: to bid one's value is best whatever the others do. With more
places it is not. Ads that bid less than the reserve take no part.

A forecast enters twice: it decides who wins, and what is paid. What then happens is up to the true click
probability p (or the click in the log, 0 or 1), with x_r the share of attention that place r gets:

    clicks = Σ_r x_r p_(r)      revenue = Σ_r x_r p_(r) price_(r)      welfare = Σ_r x_r p_(r) b_(r)

Welfare is the value made, for whoever keeps it, when bids are values; with true forecasts no ranking makes more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError, nearest
from smlab.metrics import Interval

Floats = NDArray[np.float64]
OUTCOMES = ("clicks", "revenue", "welfare")


class Result(NamedTuple):
    """What the auctions gave; each array has one row per impression.

    Parameters
    ----------
    winners : (n, n_places) number of the candidate in each place, -1 where the place stays empty
    prices : (n, n_places) what it pays for a click, 0 where empty
    clicks, revenue, welfare : (n,) expected under the truth that was given, in clicks and in the unit of the bids
    """

    winners: NDArray[np.int64]
    prices: Floats
    clicks: Floats
    revenue: Floats
    welfare: Floats


def run(
    forecast: ArrayLike,
    bids: ArrayLike,
    truth: ArrayLike,
    *,
    reserve: float = 0.0,
    attention: Sequence[float] = (1.0,),
) -> Result:
    """Hold one auction for each impression.

    Parameters
    ----------
    forecast : (n, k) predicted click probability of each of k candidates, by which they are ranked and charged
    bids : (n, k), or (k,) where the same ads want every impression: the most that is paid for a click
    truth : (n, k) true click probability, or the click in the log (0 or 1), of each candidate
    reserve : the least price of a click
    attention : x_r of each place, from first to last, in [0, 1], not rising

    Of equal scores the candidate with the lower number wins.

    >>> result = run([[0.10, 0.05]], [1.0, 3.0], [[0.10, 0.04]])  # scores 0.10 and 0.15
    >>> result.winners.tolist(), result.prices.round(4).tolist()  # pays 0.10 / 0.05
    ([[1]], [[2.0]])
    >>> result.revenue.round(4).tolist(), result.welfare.round(4).tolist()  # 0.04 * 2, 0.04 * 3
    ([0.08], [0.12])
    """
    q, b, p = _arrays(forecast, bids, truth)
    x = _attention(attention)
    n, k = q.shape
    takes_part = b >= reserve
    score = np.where(takes_part, q * b, -np.inf)
    ranked = np.argsort(-score, axis=1, kind="stable")[:, : len(x) + 1]
    top = np.take_along_axis(score, ranked, axis=1)
    if k <= len(x):  # nobody is left to set the last price, and places may stay empty
        missing = len(x) + 1 - k
        ranked = np.pad(ranked, ((0, 0), (0, missing)), constant_values=0)
        top = np.pad(top, ((0, 0), (0, missing)), constant_values=-np.inf)
    filled = np.isfinite(top[:, :-1])
    winner = ranked[:, :-1]
    own, bid, chance = (np.take_along_axis(a, winner, axis=1) for a in (q, b, p))
    following = np.maximum(top[:, 1:], 0.0)
    price = np.divide(following, own, out=np.zeros_like(own), where=filled & (own > 0))
    price = np.where(filled, np.minimum(np.maximum(price, reserve), bid), 0.0)  # min: rounding alone could exceed it
    seen = np.where(filled, x * chance, 0.0)
    winner = np.where(filled, winner, -1)
    return Result(winner, price, seen.sum(axis=1), (seen * price).sum(axis=1), (seen * bid).sum(axis=1))


def chance(n: int, k: int, *, seed: int = 0) -> Floats:
    """Give a forecast that knows nothing, (n, k): uniform numbers, so that higher bids still win more often."""
    return np.random.default_rng(seed).random((n, k))


def candidates(groups: ArrayLike, k: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Put held-out rows of the same user into auctions of k candidates, (n_auctions, k) row numbers.

    For logs that hold the outcome of every candidate, such as ratings: each row is in one auction at most, drawn
    at random; users with fewer than k rows have none.

    >>> candidates(["a", "b", "a", "a", "b"], 2).shape
    (2, 2)
    """
    user = np.asarray(groups)
    if k < 2:
        raise UsageError(f"k={k}: an auction needs two candidates or more")
    group = np.unique(user, return_inverse=True)[1]
    order = np.lexsort((np.random.default_rng(seed).random(len(group)), group))
    rows = np.bincount(group)
    place = np.arange(len(group)) - np.repeat(np.cumsum(rows) - rows, rows)
    whole = place < (rows // k * k)[group[order]]
    if not whole.any():
        raise UsageError(f"no user has the {k} held-out rows that an auction needs; the most is {rows.max()}")
    return order[whole].reshape(-1, k)


def compare(
    forecasts: Mapping[str, ArrayLike],
    bids: ArrayLike,
    truth: ArrayLike,
    *,
    baseline: str | None = None,
    reserve: float = 0.0,
    attention: Sequence[float] = (1.0,),
    n: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Give clicks, revenue and welfare per 1,000 impressions of each forecast, with bootstrap intervals.

    Parameters
    ----------
    forecasts : name -> (n, k), for instance random, CTR by ad, model, oracle; `run` says the rest
    baseline : one of the names; then the table has also the paired differences to it, which are much narrower
        than the intervals side by side, since all forecasts meet the same impressions
    n : resamples of the impressions

    Returns
    -------
    frame with a row per forecast and columns clicks, revenue, welfare (and `… vs BASELINE`) of intervals
    """
    if baseline is not None and baseline not in forecasts:
        raise UsageError(f"there is no forecast {baseline!r}: {nearest(baseline, forecasts)}")
    results = {name: run(q, bids, truth, reserve=reserve, attention=attention) for name, q in forecasts.items()}
    columns: dict[tuple[str, str], Floats] = {}
    for name, result in results.items():
        for what in OUTCOMES:
            columns[name, what] = getattr(result, what)
            if baseline is not None:
                columns[name, f"{what} vs {baseline}"] = getattr(result, what) - getattr(results[baseline], what)
    found = _intervals(1000 * np.stack(list(columns.values()), axis=1), n, seed)
    cells = pd.Series(found, index=pd.MultiIndex.from_tuples(columns), dtype=object)
    order = [*OUTCOMES, *(f"{what} vs {baseline}" for what in OUTCOMES if baseline is not None)]
    return cells.unstack().loc[list(forecasts), order]


def _intervals(values: Floats, n: int, seed: int) -> list[Interval]:
    """Give the mean of each column (n_impressions, n_columns) with its 95 % bootstrap interval, all from one draw."""
    rng, size = np.random.default_rng(seed), len(values)
    if n < 2:
        raise UsageError(f"n={n}: a bootstrap interval needs two resamples or more")
    # how often each impression is drawn, as float: with whole numbers the product would take thirty times as long
    drawn = [np.bincount(rng.integers(0, size, size), minlength=size).astype(float) @ values / size for _ in range(n)]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [Interval(*map(float, column)) for column in zip(values.mean(axis=0), low, high, strict=True)]


def _arrays(forecast: ArrayLike, bids: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats, Floats]:
    q, p = np.asarray(forecast, dtype=float), np.asarray(truth, dtype=float)
    b = np.asarray(bids, dtype=float)
    if q.ndim != 2 or q.shape != p.shape or not q.size or b.shape not in (q.shape, q.shape[1:]):
        raise UsageError(
            f"forecast {q.shape}, truth {p.shape} and bids {b.shape} must be (n, k), (n, k) and (n, k) or (k,)"
        )
    for name, values, high in (("forecast", q, 1.0), ("truth", p, 1.0), ("bids", b, np.inf)):
        wrong = ~((values >= 0) & (values <= high) & np.isfinite(values))
        if wrong.any():
            at = tuple(int(i[0]) for i in np.nonzero(wrong))
            rule = "a probability from 0 to 1" if high == 1 else "an amount from 0"
            raise UsageError(f"{name} at {at} is {values[at]}, which is no {rule.split(' ', 1)[1]}")
    return q, np.broadcast_to(b, q.shape), p


def _attention(attention: Sequence[float]) -> Floats:
    x = np.asarray(attention, dtype=float)
    if x.ndim != 1 or not x.size or not ((x >= 0) & (x <= 1)).all() or (np.diff(x) > 0).any():
        raise UsageError(f"attention={list(attention)} must be shares from 0 to 1 that do not rise from place to place")
    return x
