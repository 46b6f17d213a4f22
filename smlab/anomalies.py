"""Is something going on about us? Scores of a series of volumes, row by row, each from the past alone.

Posts in five minutes are mostly few, in bursts many, and never below 0: what counts is by how much a burst stands above
the bursts there were. A detector takes the volumes x (n,) and gives scores (n,), 0 where nothing is odd; no score
depends on what comes after its row. With y = log(1 + x):

    excess            (y - u) / (u - median + c), u the 98 to 99.5 % quantile so far, c the least spread (Siffer 2017)
    seasonal          (y - what this time of day had) / spread so far
    cusum             CUSUM of y above its own slow mean over the limit that bears few false alarms (Page 1954)
    changepoint       chance that the level changed just now (Adams & MacKay 2007)
    forecast_residual (y - forecast) / spread so far, any forecast
    relative_entropy  how unlike all earlier hours this hour's levels are (Wang et al. 2011)
    neighbors         how far the last rows are from the past rows most like them (after Burnaev & Ishimtsev 2016)

and, after any of them, `likelihood` (Ahmad et al. 2017), `together` for several, and `quiet`, which keeps a score only
where it is above all others of the last rows: one alarm for one burst. `borne` gives the threshold to alarms so many a
week. No label is looked at anywhere. Missing volumes count as the one before, and score 0.

References: Siffer et al. (2017), Anomaly detection in streams with extreme value theory, KDD; Adams & MacKay (2007),
arXiv:0710.3742; Wang et al. (2011), Statistical techniques for online anomaly detection in data centers; Burnaev &
Ishimtsev (2016), arXiv:1608.04585; Ahmad et al. (2017), Neurocomputing 262, section 3.2; Page: see alarm.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, log_ndtr
from scipy.stats import chi2

from smlab.alarm import Alarm
from smlab.checks import UsageError

Floats = NDArray[np.float64]
LEARN = 750  # rows to learn from before the first score, where a detector needs some
FIRST = 50  # rows before a running quantile says anything
LEAST = 0.3  # least spread of log volumes: a series of zeros is no yardstick
DAY = 288  # rows of five minutes
MEMORY = 14 * DAY  # rows that running quantiles look back on


def excess(
    x: ArrayLike,
    *,
    spans: Sequence[int] = (1, 2, 3),
    levels: Sequence[float] = (0.98, 0.99, 0.995),
    least: float = LEAST,
    memory: int = MEMORY,
) -> Floats:
    """Score how far the volume stands above the high quantiles so far.

    Parameters
    ----------
    spans : volumes are also taken as means of so many rows, for bursts that are broad; the scores' mean is given
    levels : of the quantiles
    least : c, in log volumes
    memory : rows looked back on

    >>> x = np.r_[np.tile([3, 5, 4, 6], 50), 40]
    >>> excess(x)[[198, 199, 200]].round(1).tolist()
    [0.0, 0.0, 3.1]
    """
    values, known = _volumes(x)
    if not spans or min(spans) < 1 or not levels or not 0.5 < min(levels) <= max(levels) < 1 or not least > 0:
        raise UsageError(f"spans={spans} must be 1 or more, levels={levels} within 0.5 to 1, least={least} above 0")
    parts = []
    for h in spans:
        y = pd.Series(np.log1p(pd.Series(values).rolling(h, min_periods=1).mean()))
        so_far = _so_far(y, memory)
        median = so_far.median()
        for level in levels:
            u = so_far.quantile(level)
            parts.append(((y - u.shift()) / (u - median + least).shift()).to_numpy())
    return _shown(np.mean(parts, axis=0), known)


def seasonal(x: ArrayLike, *, period: int = DAY, rate: float = 0.2, wide: int = 6, memory: int = MEMORY) -> Floats:
    """Score how far y is above what this time of day had, in robust spreads; the first period scores 0.

    The profile of a day is p ← p + rate · clip(y - p, ±1), smoothed over `wide` rows on either side: a burst moves it
    by little.

    Parameters
    ----------
    period : rows of a day
    """
    values, known = _volumes(x)
    if not 0 <= wide < period or period < 2 or not 0 < rate <= 1 or len(values) <= period:
        raise UsageError(
            f"{len(values)} rows: seasonal needs more than period={period}, above wide={wide}; rate={rate}"
        )
    y = np.log1p(values)
    kernel = np.ones(2 * wide + 1) / (2 * wide + 1)
    residual, profile = np.zeros(len(y)), y[:period].copy()
    for start in range(period, len(y), period):
        day = y[start : start + period]
        around = np.convolve(np.r_[profile[-wide:], profile, profile[:wide]] if wide else profile, kernel, "valid")
        residual[start : start + period] = day - around[: len(day)]
        profile[: len(day)] += rate * np.clip(day - profile[: len(day)], -1, 1)
    return _shown(residual / _spread(residual, memory, period), known)


def cusum(
    x: ArrayLike, *, shift: float = 4.0, memory: int = DAY // 4, rate: float = 0.05, learn: int = LEARN
) -> Floats:
    """Score S_t / h of a CUSUM on y, standardised by its own slow mean and spread: 1 is the limit of `Alarm`.

    The first `learn` rows are the calm reference, and score 0; `shift` and `rate` are Alarm's, over `learn` rows.
    """
    values, known = _volumes(x)
    if len(values) <= learn or memory < 1:
        raise UsageError(f"{len(values)} rows: cusum needs more than learn={learn}, and memory={memory} of 1 or more")
    y = pd.Series(np.log1p(values))
    slow = y.ewm(halflife=memory / 2)
    e = ((y - slow.mean().shift()) / (slow.std().shift() + LEAST)).clip(-5, 5).fillna(0.0).to_numpy()
    if e[:learn].std() == 0:
        raise UsageError(f"the first {learn} volumes are all the same; cusum has nothing to learn from")
    alarm = Alarm(shift=shift, horizon=learn, rate=rate).fit(e[:learn])
    score = np.zeros(len(y))
    score[learn:] = alarm.path(e[learn:]) / max(alarm.limit_, 1.0)  # a calm time of zeros has a limit of 0
    return _shown(score, known)


def changepoint(x: ArrayLike, *, hazard: float = 1 / DAY, longest: int = 200, recent: int = 3) -> Floats:
    """Score -log P(the run is longer than `recent` rows): Bayesian online detection of change points.

    Between changes y is normal with unknown mean and spread (normal-inverse-gamma prior with one row's weight), runs
    end with chance `hazard`, and runs of `longest` rows and more are held as one. Of a run of length 0 the chance is
    the hazard whatever came, so a few rows of the new run are waited for.
    """
    values, known = _volumes(x)
    if not 0 < hazard < 1 or not 0 < recent < longest:
        raise UsageError(f"hazard={hazard} must lie between 0 and 1, and 0 < recent={recent} < longest={longest}")
    y = np.log1p(values)
    r = np.arange(longest + 1)
    κ, α = 1.0 + r, 1.0 + r / 2  # (R,) by length of the run
    const = gammaln(α + 0.5) - gammaln(α) - 0.5 * np.log(2 * np.pi * (κ + 1) / κ)
    prior = float(y[:1].mean()), LEAST**2
    μ, β = np.full(len(r), prior[0]), np.full(len(r), prior[1])
    p = np.r_[1.0, np.zeros(longest)]
    score = np.zeros(len(y))
    for t, value in enumerate(y):
        gap = (value - μ) ** 2 * κ / (2 * (κ + 1))
        predictive = np.exp(const - 0.5 * np.log(β) - (α + 0.5) * np.log1p(gap / β))  # Student's t of each run
        grown = p * predictive
        total = grown.sum()
        held = grown[-2:].sum()
        p[1:] = grown[:-1] * (1 - hazard) / total
        p[0], p[-1] = hazard, held * (1 - hazard) / total
        μ[1:], β[1:] = ((κ * μ + value) / (κ + 1))[:-1], (β + gap)[:-1]
        μ[0], β[0] = prior
        score[t] = -np.log(max(p[recent + 1 :].sum(), 1e-300))
    score[:FIRST] = 0.0
    return _shown(score, known)


def forecast_residual(
    x: ArrayLike,
    predict: Callable[[Floats, int], ArrayLike],
    *,
    every: int = DAY,
    learn: int = LEARN,
    memory: int = MEMORY,
) -> Floats:
    """Score y above its forecast in spreads so far; each `every` rows `predict(past, h)` gives the next h of y (t,).

    >>> naive = lambda past, h: np.resize(past[-4:], h)  # what the last four rows had
    >>> x = np.r_[np.tile([3.0, 5, 4, 6], 50), 40]
    >>> forecast_residual(x, naive, every=4, learn=100)[[199, 200]].round(1).tolist()
    [0.0, 7.8]
    """
    values, known = _volumes(x)
    if every < 1 or not 0 < learn < len(values):
        raise UsageError(f"{len(values)} rows: 0 < learn={learn} must be below that, and every={every} 1 or more")
    y = np.log1p(values)
    residual = np.zeros(len(y))
    for start in range(learn, len(y), every):
        h = min(every, len(y) - start)
        ahead = np.asarray(predict(y[:start].copy(), h), dtype=float)
        if ahead.shape != (h,) or not np.isfinite(ahead).all():
            raise UsageError(f"predict gave shape {ahead.shape} for the {h} rows after row {start}; {h} numbers needed")
        residual[start : start + h] = y[start : start + h] - ahead
    return _shown(residual / _spread(residual, memory, learn), known)


def relative_entropy(
    x: ArrayLike, *, bins: int = 5, window: int = 52, learn: int = LEARN, level: float = 0.99
) -> Floats:
    """Score min_j 2W KL(p ‖ P_j) / T: above 1 this window's levels p are unlike all kinds P_j of windows before.

    T is the `level` quantile of χ² with bins - 1 degrees of freedom; a window above it is a new kind. Levels are those
    of equal shares of the first `learn` rows, and half a row is added to each so that no logarithm is of 0.
    """
    values, known = _volumes(x)
    if bins < 2 or window < bins or not window <= learn < len(values) or not 0 < level < 1:
        raise UsageError(
            f"{len(values)} rows > learn={learn} ≥ window={window} ≥ bins={bins} ≥ 2 must hold, level={level}"
        )
    # the highest level begins above all that was learnt: bursts are what it is for
    edges = np.unique(np.quantile(values[:learn], np.linspace(0, 1, bins)[1:]))
    kind = np.searchsorted(edges, values)  # (n,) 0 … len(edges)
    rows = np.eye(len(edges) + 1)[kind].cumsum(axis=0)
    counts = rows[window:] - rows[:-window] + 0.5
    p = counts / counts.sum(axis=1, keepdims=True)
    T = float(chi2.ppf(level, bins - 1))
    kinds, score = np.log(p[:1]), np.zeros(len(values))
    for i, now in enumerate(p):
        entropy = float((now @ np.log(now) - kinds @ now).min())
        score[i + window] = 2 * window * entropy / T
        if score[i + window] > 1:
            kinds = np.vstack([kinds, np.log(now)])
    score[:learn] = 0.0
    return _shown(score, known)


def neighbors(x: ArrayLike, *, width: int = 3, k: int = 10, most: int = 2000, learn: int = LEARN) -> Floats:
    """Score how far the last `width` rows are from the k past windows most like them, over the median distance so far.

    Windows to compare with are those before the present day of `DAY` rows, `most` of them at even steps.
    """
    values, known = _volumes(x)
    if width < 1 or k < 1 or most < k or not width + k <= learn < len(values):
        raise UsageError(
            f"{len(values)} rows, learn={learn}, width={width}, k={k}, most={most}: learn must hold k windows"
        )
    y = np.log1p(values)
    W = np.lib.stride_tricks.sliding_window_view(y, width)  # (n - width + 1, width), row i ends at y[i + width - 1]
    distance = np.full(len(y), np.nan)
    for start in range(learn, len(y), DAY):
        past = W[: start - width + 1]
        past = past[:: max(1, -(-len(past) // most))]
        now = W[start - width + 1 : start - width + 1 + DAY]
        d2 = (now**2).sum(axis=1)[:, None] + (past**2).sum(axis=1) - 2 * now @ past.T
        nearest = np.partition(np.maximum(d2, 0.0), k - 1, axis=1)[:, :k]
        distance[start : start + len(now)] = np.sqrt(nearest).mean(axis=1)
    usual = pd.Series(distance).expanding(FIRST).median().shift().to_numpy()
    return _shown(distance / (usual + LEAST) - 1, known)


def likelihood(scores: ArrayLike, *, short: int = 2, memory: int = MEMORY) -> Floats:
    """Give HTM's anomaly likelihood: -log10 of the normal tail of the last `short` scores' mean among all so far."""
    if short < 1:
        raise UsageError(f"short={short} rows: 1 or more are needed")
    s = _scores(scores)
    now = s.rolling(short, min_periods=1).mean()
    long = _so_far(s, memory)
    z = (now - long.mean().shift()) / long.std().shift().clip(lower=1e-6)
    return _shown(-log_ndtr(-z.to_numpy()) / np.log(10))


def together(scores: Sequence[ArrayLike], *, memory: int = MEMORY) -> Floats:
    """Give the mean of several detectors' scores, each over its own 99 % quantile so far."""
    if not len(scores) or len({np.shape(s) for s in scores}) > 1:
        raise UsageError(f"{len(scores)} arrays of scores of shapes {[np.shape(s) for s in scores]}; one shape needed")
    parts = []
    for s in map(_scores, scores):
        high = _so_far(s, memory).quantile(0.99).shift()
        parts.append((s / (high + LEAST)).to_numpy())
    return _shown(np.mean(parts, axis=0))


def quiet(scores: ArrayLike, rows: int = 3 * DAY // 2) -> Floats:
    """Keep a score only where it is above all of the `rows` before; else 0. A burst then gives few alarms, not many.

    >>> quiet([0, 3, 2, 3, 5, 1, 1, 2], rows=2).tolist()
    [0.0, 3.0, 0.0, 0.0, 5.0, 0.0, 0.0, 2.0]
    """
    if rows < 1:
        raise UsageError(f"quiet for {rows} rows: 1 or more is needed")
    s = _scores(scores)
    before = s.rolling(rows, min_periods=1).max().shift(fill_value=0.0)
    return s.where(s > before, 0.0).to_numpy()


def borne(scores: ArrayLike, a_week: float, *, rows_per_week: int = 7 * DAY) -> float:
    """Give the lowest threshold at which these scores, from a calm time, alarm no more than so often a week.

    A row alarms where its score reaches the threshold, so pass the scores through `quiet` first, and drop the rows in
    which the detector was still learning.

    >>> calm = np.r_[np.zeros(4000), [1.0, 2.0, 3.0], np.zeros(29)]  # two weeks
    >>> borne(calm, a_week=1) > 1.0, (calm >= borne(calm, a_week=1)).sum().item()
    (True, 2)
    """
    s = np.sort(_scores(scores).to_numpy())[::-1]
    may = int(a_week * len(s) / rows_per_week)
    if may < 1:
        raise UsageError(f"{len(s) / rows_per_week:.2g} weeks of scores are too few for {a_week:g} alarms a week")
    return float(np.nextafter(s[may] if may < len(s) else 0.0, np.inf))


def _so_far(s: pd.Series, memory: int) -> pd.api.typing.Rolling:
    if memory < FIRST:
        raise UsageError(f"memory={memory} rows: {FIRST} or more are needed to know what is usual")
    return s.rolling(memory, min_periods=FIRST)


def _spread(residual: Floats, memory: int, skip: int = 0) -> Floats:
    """Give 1.48 times the median absolute residual of the rows before each, with the least spread added."""
    size = pd.Series(np.abs(residual))
    size.iloc[:skip] = np.nan
    return 1.4826 * _so_far(size, memory).median().shift().to_numpy() + LEAST


def _shown(score: Floats, known: NDArray[np.bool_] | None = None) -> Floats:
    """Give scores of 0 and more; rows where nothing was measured or too little is known have 0."""
    score = np.maximum(np.nan_to_num(score, nan=0.0, posinf=1e9), 0.0)
    return score if known is None else np.where(known, score, 0.0)


def _scores(scores: ArrayLike) -> pd.Series:
    s = pd.Series(np.asarray(scores, dtype=float).ravel())
    if len(s) == 0 or s.isna().any():
        raise UsageError(f"{len(s)} scores, {int(s.isna().sum())} of them missing: each row needs one")
    return s


def _volumes(x: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Give volumes (n,), missing ones as the one before (0 at the start), and which rows were measured."""
    values = np.asarray(x, dtype=float)
    if values.ndim != 1 or len(values) == 0:
        raise UsageError(f"volumes have shape {values.shape}; a series of one or more rows is needed")
    if len(wrong := np.flatnonzero((values < 0) | np.isinf(values))):
        raise UsageError(f"volume {wrong[0]} is {values[wrong[0]]:g}; volumes are numbers of 0 or more")
    known = ~np.isnan(values)
    return pd.Series(values).ffill().fillna(0.0).to_numpy(), known
