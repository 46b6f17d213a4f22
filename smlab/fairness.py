"""Does a model treat groups alike, how sure is that, and what does it cost to make it so?

y is what happened (0 or 1), p the forecast, d = [p ≥ threshold] the decision; g is a group:

    selection rate P(d=1 | g)      true positive rate P(d=1 | y=1, g)      false positive rate P(d=1 | y=0, g)

    demographic parity   range of the selection rate over the groups, highest less lowest
    equal opportunity    range of the true positive rate (Hardt, Price & Srebro 2016)
    equalized odds       the larger one of the ranges of the true and of the false positive rate
    calibration          range of mean (y - p), how much more happens than was forecast

A range is never below 0, so chance alone makes it positive. Rows are drawn anew within each group; over all pairs i, j,
with s_ij the standard error of r_i - r_j and s*_ij that of the resample,

    T* = max |(r*_i - r*_j) - mean| / s*_ij,   c = its quantile at the level,   p = P(T* ≥ max |r_i - r_j| / s_ij)

and the interval goes from max (|r_i - r_j| - c s_ij), at least 0, to max (|r_i - r_j| + c s_ij): all pairs hold at
once, so the range does, and more groups bring no more false alarms (the max-t of Romano & Wolf 2005). Holm corrects
for the number of measures and traits. To the counts of the four cells (d, y) 1 is added before, as Agresti & Caffo
(2000) do for two rates: a group in which all were chosen is not taken for certain, and small groups bring no more
false alarms than large ones. The value itself is of the counts as they are.

No model has everything (Kleinberg, Mullainathan & Raghavan 2016; Chouldechova 2017): see `implied_fpr`. And all of this
compares with the y that was recorded. Where records of one group are worse, equal opportunity may look fine although
the people are treated unequally; then only a better y helps. Left out: groups that overlap; why a gap is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from scipy.stats import norm

from smlab.auc import auc_interval, labels
from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.ctr import LogisticRegression
from smlab.metrics import Interval, bootstrap
from smlab.served import holm

Floats = NDArray[np.float64]
Figures = Iterator[tuple[str, int, Callable[[], Interval]]]

SMALLEST = 30  # rows below which a figure is not shown
SHARES = {"demographic parity": [0], "equal opportunity": [1], "equalized odds": [1, 2]}  # of what `_rates` gives
MEASURES = (*SHARES, "calibration")
NOT_SHOWN = Interval(np.nan, np.nan, np.nan)


def by_group(
    y: ArrayLike,
    p: ArrayLike,
    group: ArrayLike,
    threshold: float = 0.5,
    *,
    smallest: int = SMALLEST,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Describe each group: rates with Wilson's intervals, AUC with DeLong's, calibration with bootstrap and Wald's.

    Parameters
    ----------
    y : (n,) 0 or 1
    p : (n,) probabilities
    group : (n,) names; who has none (NaN) is left out
    threshold : chosen is who has p of at least this
    smallest : a figure that rests on fewer rows is NaN: it says too little, and it may say too much of one person

    Returns
    -------
    A row for each group and measure: group, measure, n (rows that the figure rests on; for AUC and the slope those of
    the rarer class), value, low, high. Measures: base rate, selection rate, true positive rate, false positive
    rate, precision, AUC, calibration in the large, mean (y - p), and calibration slope, β of
    logit P(y=1) = α + β logit p: below 1, the forecasts are too extreme

    >>> table = by_group([0, 1] * 40, [0.3, 0.6, 0.4, 0.4] * 20, ["a", "a", "b", "b"] * 20)
    >>> table[table.measure == "true positive rate"].round(2)[["group", "n", "value", "low", "high"]].values.tolist()
    [['a', 20, nan, nan, nan], ['b', 20, nan, nan, nan]]
    """
    clicked, prob = checked(y, p)
    names, code = _groups(group, len(clicked))
    rows = []
    for k, name in enumerate(names):
        here = code == k
        for measure, n, figure in figures(clicked[here], prob[here], threshold, level=level, seed=seed):
            value = figure() if n >= smallest else NOT_SHOWN
            rows.append({"group": name, "measure": measure, "n": n, **value._asdict()})
    return pd.DataFrame(rows)


def figures(y: NDArray, p: Floats, threshold: float = 0.5, *, level: float = 0.95, seed: int = 0) -> Figures:
    """Give the measures of one group: name, rows it rests on, and how to compute it."""
    hit, chosen = np.asarray(y, dtype=bool), p >= threshold
    rarer = int(min(hit.sum(), (~hit).sum()))
    shares = {"base rate": hit, "selection rate": chosen, "precision": hit[chosen]}
    shares |= {"true positive rate": chosen[hit], "false positive rate": chosen[~hit]}
    for name, of in shares.items():
        yield name, len(of), partial(_share, of, level)
    yield "AUC", rarer, lambda: auc_interval(hit, p, level=level)
    yield "calibration in the large", len(hit), lambda: bootstrap(hit - p, level=level, seed=seed)
    yield "calibration slope", rarer, lambda: _slope(hit, p, level)


def gaps(
    y: ArrayLike,
    p: ArrayLike,
    group: ArrayLike | Mapping[str, Any],
    threshold: float = 0.5,
    *,
    smallest: int = SMALLEST,
    level: float = 0.95,
    n: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how far the groups lie apart, with intervals, and p-values corrected for all looks of the table.

    Parameters
    ----------
    group : (n,) names, or {trait: names} for several; who has none is left out of that trait
    smallest : groups with fewer rows, positives or negatives to rest on are left out of a measure
    n : resamples

    Returns
    -------
    A row for each trait and measure: trait, measure, value, low, high, p (of no gap at all; `low` is above 0 where
    p < 1 - level), adjusted (Holm's), lowest and highest (groups), left_out (groups), detectable (the gap that data of
    this size shows in 8 of 10 cases, whichever groups it lies between)

    Raises
    ------
    UsageError
        where no measure has two groups that are large enough

    >>> rng = np.random.default_rng(0)
    >>> group, p = np.repeat(["a", "b"], 500), np.r_[rng.random(500), rng.random(500) ** 2]
    >>> gaps(rng.random(1000) < p, p, group)[["measure", "value", "adjusted"]].round(3).values.tolist()[0]
    ['demographic parity', 0.254, 0.004]
    """
    clicked, prob = checked(y, p)
    traits = group if isinstance(group, Mapping) else {"group": group}
    how: dict[str, Any] = {"smallest": smallest, "level": level, "n": n, "seed": seed}
    rows = []
    for trait, names in traits.items():
        for measure in MEASURES:
            found = gap(measure, clicked, prob >= threshold, prob, names, **how)
            rows.append({"trait": trait, "measure": measure, **found})
    table = pd.DataFrame(rows)
    known = table["p"].notna()
    if not known.any():
        raise UsageError(f"no measure has two groups with {smallest} rows to rest on; join groups, or lower smallest")
    table.loc[known, "adjusted"] = holm(table.loc[known, "p"])
    return table


def implied_fpr(prevalence: ArrayLike, precision: ArrayLike, tpr: ArrayLike) -> Floats:
    """Give the false positive rate that the other three fix, π/(1-π) · (1-PPV)/PPV · TPR (Chouldechova 2017, eq. 2.6).

    So groups of different prevalence π cannot have equal precision, equal true and equal false positive rates, unless
    the forecast is perfect: who asks for two gives up the third.

    >>> implied_fpr([0.2, 0.4], 0.6, 0.5).round(3)  # same precision, same true positive rate
    array([0.083, 0.222])
    """
    base, ppv = np.asarray(prevalence, dtype=float), np.asarray(precision, dtype=float)
    return np.asarray(base / (1 - base) * (1 - ppv) / ppv * np.asarray(tpr, dtype=float))


def gap(
    measure: str,
    hit: NDArray[np.bool_],
    d: NDArray,
    p: Floats,
    group: Any,
    *,
    smallest: int = SMALLEST,
    level: float = 0.95,
    n: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure one range for decisions d (n,), 0, 1 or a chance of being chosen; NaN with fewer than two groups.

    The other arguments and what is given are those of `gaps`, without adjusted p.
    """
    rng = np.random.default_rng(seed)
    names, code = _groups(group, len(hit))
    inside = code >= 0
    cells: Floats = np.stack([np.bincount(code[inside], w[inside], len(names)) for w in _cells(hit, d)], axis=1)
    sizes = {"demographic parity": cells.sum(axis=1), "calibration": cells.sum(axis=1)}
    positives, negatives = cells[:, :2].sum(axis=1), cells[:, 2:].sum(axis=1)
    sizes |= {"equal opportunity": positives, "equalized odds": np.minimum(positives, negatives)}
    keep = np.flatnonzero(np.round(sizes[measure]) >= smallest)
    left = ", ".join(names[k] for k in np.setdiff1d(np.arange(len(names)), keep))
    found: dict[str, Any] = dict.fromkeys(("value", "low", "high", "p", "adjusted"), np.nan)
    found |= {"lowest": "", "highest": "", "left_out": left, "detectable": np.nan}
    if len(keep) < 2:
        return found
    if measure == "calibration":
        errors = [(hit - p)[code == k] for k in keep]
        raw, v = np.array([[(e.mean(), e.var() / len(e)) for e in errors]]).transpose(2, 0, 1)
        rates = raw
        drawn = np.stack([_means(e, n, rng) for e in errors], axis=-1)[:, :, None]
    else:
        counts = cells[keep] + 1
        rates, v = _rates(counts)[:, SHARES[measure]]
        drawn = np.stack([_rates(_redrawn(c, n, rng))[:, SHARES[measure]] for c in counts], axis=-1)
        drawn = np.moveaxis(drawn, 2, 1)  # (2, n, m, K)
        raw = _rates(cells[keep])[0, SHARES[measure]]
    found |= _range(rates, v, *drawn, level=level)
    found["value"] = float(np.ptp(raw, axis=1).max())
    top = np.inf if measure == "calibration" else 1.0
    found |= {"low": min(found["low"], found["value"]), "high": max(found["value"], min(found["high"], top))}
    widest = raw[np.argmax(np.ptp(raw, axis=1))]
    return found | {"lowest": names[keep[np.argmin(widest)]], "highest": names[keep[np.argmax(widest)]]}


def _range(rates: Floats, v: Floats, drawn: Floats, drawn_v: Floats, *, level: float) -> dict[str, float]:
    """Give the interval of the largest difference over all pairs, its p, and what could be seen.

    Parameters
    ----------
    rates, v : (m, K) of each group, and their variances
    drawn, drawn_v : (n, m, K), the same of the resamples
    """
    i, j = np.triu_indices(rates.shape[1], 1)
    apart, chance = np.abs(rates[:, i] - rates[:, j]), drawn[..., i] - drawn[..., j]  # (m, pairs), (n, m, pairs)
    s, drawn_s = (np.sqrt(np.maximum(w[..., i] + w[..., j], 1e-24)) for w in (v, drawn_v))
    t = (np.abs(chance - chance.mean(axis=0)) / drawn_s).max(axis=(1, 2))
    c = float(np.sort(t)[min(len(t), int(np.ceil((len(t) + 1) * level))) - 1])
    p = (1 + np.sum(t >= (apart / s).max())) / (1 + len(t))
    low, high = max(0.0, float((apart - c * s).max())), float((apart + c * s).max())
    return {"low": low, "high": high, "p": float(p), "detectable": float((c + norm.ppf(0.8)) * s.max())}


def _cells(hit: NDArray[np.bool_], d: NDArray) -> list[Floats]:
    """Give the rows of the four cells: chosen hits, missed hits, chosen others, others left alone."""
    return [hit * d, hit * (1.0 - d), ~hit * d, ~hit * (1.0 - d)]


def _rates(cells: Floats) -> Floats:
    """Give selection, true positive and false positive rate, and their variances (2, 3, ...), of counts (..., 4)."""
    a, b, c, d = np.moveaxis(cells, -1, 0)
    n: Floats = np.stack([a + b + c + d, a + b, c + d])
    with np.errstate(invalid="ignore", divide="ignore"):  # a rate that rests on nothing is not asked for
        r: Floats = np.stack([a + c, a, c]) / n
        return np.stack([r, r * (1 - r) / n])


def _redrawn(counts: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draw the counts of a group anew, (n, 4), those that were added with them."""
    size = counts.sum() - 4
    return rng.multinomial(round(size), counts / counts.sum(), size=n).astype(float) + 1


def _means(x: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Give the means of n resamples of x, and their variances, (2, n)."""
    step = max(1, 2_000_000 // len(x))  # so many at a time keep memory small
    drawn = (x[rng.integers(0, len(x), (min(step, n - k), len(x)))] for k in range(0, n, step))
    parts: list[Floats] = [np.stack([d.mean(axis=1), d.var(axis=1) / len(x)]) for d in drawn]
    return np.concatenate(parts, axis=1)


def _share(of: NDArray[np.bool_], level: float) -> Interval:
    low, high = wilson(of.sum(), len(of), level=level)
    return Interval(float(of.mean()), float(low), float(high))


def _slope(hit: NDArray[np.bool_], p: Floats, level: float) -> Interval:
    """Give β of logit P(y=1) = α + β logit p with Wald's interval (Cox 1958); NaN where there is none."""
    x = logit(np.clip(p, 1e-6, 1 - 1e-6))
    try:
        row = LogisticRegression().fit(x[:, None], hit.astype(float)).intervals(level).iloc[1]
    except UsageError:
        return NOT_SHOWN
    return Interval(float(row["theta"]), float(row["low"]), float(row["high"]))


def _groups(group: Any, n: int) -> tuple[list[str], NDArray[np.int64]]:
    """Give the names in their order, and the code of each row, -1 for none."""
    given = pd.Series(group).reset_index(drop=True)
    if len(given) != n:
        raise UsageError(f"{n} rows have {len(given)} groups; each row has one")
    code, names = pd.factorize(given, sort=True)
    return [str(name) for name in names], code


def checked(y: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Give labels as booleans and p as floats; what is no 0 or 1, or no probability, is an error."""
    hit, prob = labels(y, p)
    prob = prob.astype(float)
    if (wrong := np.flatnonzero((prob < 0) | (prob > 1))).size:
        raise UsageError(f"row {wrong[0]}: {prob[wrong[0]]} is no probability from 0 to 1")
    return hit, prob
