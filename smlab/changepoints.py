"""When did the mix of the posts change? Change points in counts per day, by an exact search.

Day t has counts x_t (K,), say of negative, neutral and positive posts. Between changes all days have one mix; the
mixes and the days of change are those of the least

    Σ over segments of C(segment) / φ  +  β · (number of changes),      C = -2 Σ_k n_k log(n_k / n)

C is -2 times the multinomial log-likelihood at its best, n_k the segment's count of class k and n of all. The search
(PELT) goes through the days once: F(t) = min_s F(s) + C(s, t)/φ + β, and drops a start s for good when
F(s) + C(s, t)/φ > F(t), for a later t cannot make up for it (Killick, Fearnhead & Eckley 2012).

Penalty: β = (K + 1) log T. BIC asks log T for each of the K - 1 shares that a change brings, T days being what is
observed, and a day chosen among T costs about twice that (Zhang & Siegmund 2007).

Posts of one day are more alike than chance (a topic, a bot, many answers to one post). φ ≥ 1 says how much: the spread
between neighbouring days over that of chance. Without it every busy day is a change.

The classifier's errors do no harm here: as long as they stay the same, they make no change where there is none. But a
rhythm of the week is a change each weekend; where there is one, count by weeks.

References: Killick, Fearnhead & Eckley (2012), JASA 107, 1590-1598; Zhang & Siegmund (2007), a BIC for change points;
McCullagh & Nelder (1989), section 4.5, overdispersion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import chi2

from smlab.auc import z_value
from smlab.checks import UsageError

Floats = NDArray[np.float64]


def change_points(
    counts: pd.DataFrame,
    *,
    penalty: float | None = None,
    min_days: int = 2,
    dispersion: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Find the days from which on the mix of the classes is another one.

    Parameters
    ----------
    counts : a row per day (or week), in order, with a column of counts per class; days without posts are fine
    penalty : β that a change has to gain, twice its log-likelihood; BIC's if not given
    min_days : of a segment; 1 takes a single odd day for two changes
    dispersion : φ; estimated by `overdispersion` if not given, 1 for posts that are independent
    level : of the interval of the day

    Returns
    -------
    frame with a row per change: day (index of the first row of the new mix), low and high (the days between which
    the change lies), gain (twice the log-likelihood that it brings, over φ), rose and fell (the classes whose
    shares did most, in the counts as they are), and by how much (rose_by, fell_by)

    >>> calm, storm = [20, 60, 20], [60, 30, 10]
    >>> counts = pd.DataFrame([calm] * 10 + [storm] * 10, columns=["negative", "neutral", "positive"])
    >>> change_points(counts)[["day", "rose", "rose_by"]].round(2).values.tolist()
    [[10, 'negative', 0.4]]
    """
    x = _checked(counts)
    z_value(level)
    if min_days < 1:
        raise UsageError(f"min_days={min_days}: a segment has at least 1 day")
    phi = overdispersion(x) if dispersion is None else float(dispersion)
    if not phi > 0:
        raise UsageError(f"dispersion={phi} must be above 0; 1 for posts that are independent")
    beta = bic(x) if penalty is None else float(penalty)
    starts = pelt(x, beta, min_days=min_days, dispersion=phi)
    edges = [0, *starts, len(x)]
    rows = [_described(counts, x, a, b, c, phi, level) for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)]
    return pd.DataFrame(rows, columns=["day", "low", "high", "gain", "rose", "rose_by", "fell", "fell_by"])


def pelt(x: Floats, penalty: float, *, min_days: int = 1, dispersion: float = 1.0) -> list[int]:
    """Give the first rows of all segments but the first: the exact minimum over all segmentations of x (T, K).

    >>> pelt(np.array([[9.0, 1], [9, 1], [1, 9], [1, 9]]), penalty=5.0)
    [2]
    """
    days = len(x)
    sums = np.vstack([np.zeros(x.shape[1]), np.cumsum(x, axis=0)])  # (T + 1, K)
    F = np.full(days + 1, np.inf)
    F[0] = -penalty
    last = np.zeros(days + 1, dtype=int)
    open_ = np.array([0])  # starts that may still be the best
    beaten = np.full(days + 1, days)  # when another start was found to be better by more than β
    for t in range(min_days, days + 1):
        cost = F[open_] + _cost(sums[t] - sums[open_]) / dispersion
        best = int(np.argmin(cost))
        F[t], last[t] = cost[best] + penalty, open_[best]
        worse = open_[cost > F[t]]
        beaten[worse] = np.minimum(beaten[worse], t)
        # a segment from t on is min_days long at the least, so until then the beaten may still be needed
        open_ = np.append(open_[t + 1 < beaten[open_] + min_days], t - min_days + 1)
    found, t = [], days
    while last[t] > 0:
        t = int(last[t])
        found.append(t)
    return found[::-1]


def bic(x: Floats) -> float:
    """Give β = (K + 1) log T, K counting only classes that occur.

    Fewer than 14 days pay the price of 14: below that, the formula would call one calm series in ten changed.

    >>> round(bic(np.ones((30, 3))), 2)  # 4 log 30
    13.6
    """
    return float(((x.sum(axis=0) > 0).sum() + 1) * np.log(max(len(x), 14)))


def overdispersion(x: Floats) -> float:
    """Give φ ≥ 1: Pearson's X² between neighbouring days, the middle over that of chance.

    A change of the mix touches one pair of days only, so the median does not take it for spread.
    """
    busy = x[x.sum(axis=1) > 0]
    busy = busy[:, busy.sum(axis=0) > 0]
    if len(busy) < 3 or busy.shape[1] < 2:
        return 1.0
    a, b = busy[:-1], busy[1:]
    n, m = a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True)
    # the common mix of the pair, from its neighbourhood of six days, so that a class absent on two days has some
    around = pd.DataFrame(busy).rolling(6, min_periods=1, center=True).sum().to_numpy()[1:]
    mix = (around + 0.5) / (around + 0.5).sum(axis=1, keepdims=True)
    x2 = ((a / n - b / m) ** 2 / (mix * (1 / n + 1 / m))).sum(axis=1)
    free = busy.shape[1] - 1
    return max(1.0, float(np.median(x2) / chi2.median(free)))


def _cost(n: Floats) -> Floats:
    """Give C of segments with class counts n (..., K)."""
    return 2 * (xlogy(n.sum(axis=-1), n.sum(axis=-1)) - xlogy(n, n).sum(axis=-1))


def _described(
    counts: pd.DataFrame, x: Floats, start: int, day: int, end: int, phi: float, level: float
) -> tuple[Any, ...]:
    """Describe the change at row `day` between its neighbours `start` and `end`."""
    before, after = np.cumsum(x[start:end], axis=0)[:-1], 0.0
    after = x[start:end].sum(axis=0) - before
    split = (_cost(before) + _cost(after)) / phi  # (days - 1,) for a change at start + 1, start + 2, …
    chance = np.exp(-(split - split.min()) / 2)
    order = np.argsort(-chance, kind="stable")
    enough = int(np.searchsorted(np.cumsum(chance[order]) / chance.sum(), level)) + 1
    within = start + 1 + order[:enough]
    old, new = x[start:day].sum(axis=0), x[day:end].sum(axis=0)
    moved = new / max(new.sum(), 1) - old / max(old.sum(), 1)
    up, down, index = int(np.argmax(moved)), int(np.argmin(moved)), counts.index
    gain = float(_cost(old + new) - _cost(old) - _cost(new)) / phi
    names = counts.columns
    where = (index[day], index[min(within.min(), day)], index[max(within.max(), day)])
    return (*where, gain, names[up], float(moved[up]), names[down], float(moved[down]))


def _checked(counts: pd.DataFrame) -> Floats:
    x = counts.to_numpy(dtype=float)
    if x.ndim != 2 or len(x) < 2 or x.shape[1] < 2:
        raise UsageError(f"change points need 2 or more days and classes; the counts have shape {x.shape}")
    if not (np.isfinite(x) & (x >= 0)).all():
        raise UsageError(f"counts are 0 or more; row {int((~(x >= 0)).any(axis=1).argmax())} holds {x[~(x >= 0)][0]:g}")
    return x
