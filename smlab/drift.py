"""Has the world moved away from what a model learnt? Columns that moved, performance by month, retraining.

Columns. With shares e_b of the old and a_b of the new rows in B bins, the population stability index is

    PSI = Σ_b (a_b - e_b) log(a_b / e_b)

The folk cuts .1 and .25 know nothing of the number of rows: where nothing has moved, PSI of n old and m new rows is
spread about as (1/n + 1/m) χ²_{B-1} (Yurdakul & Naranjo 2020), .18 in the mean for 10 bins and 100 rows on each side.
So `psi` gives the quantile of calm beside it, drawn from the pooled shares. `told_apart` asks all columns at once
(Lopez-Paz & Oquab 2017): if a classifier can tell old from new rows it has never seen, AUC above .5, they differ.

Performance. `over_time` follows it by the month, `retraining` asks whether a model that is trained again and again
would have done better than one that is frozen; `alarm.Alarm` watches post by post. Left out: why something moved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlab.auc import auc_interval
from smlab.calibration import resampled
from smlab.checks import UsageError, nearest
from smlab.confidence import losses
from smlab.fairness import NOT_SHOWN, SMALLEST, checked, figures
from smlab.metrics import Interval, bootstrap
from smlab.served import holm

Floats = NDArray[np.float64]
Fit = Callable[[Any, NDArray], Any]


class Psi(NamedTuple):
    """The index, the quantile that calm columns stay below, and how often calm reaches the index (p)."""

    value: float
    calm: float
    p: float


def psi(old: ArrayLike, new: ArrayLike, *, bins: int = 10, level: float = 0.95, n: int = 1000, seed: int = 0) -> Psi:
    """Give the population stability index of one column, beside what it is where nothing has moved.

    Parameters
    ----------
    old, new : (n,), (m,) numbers, cut at the quantiles of `old`, or words and few numbers, each a bin; absent values
        are a bin
    n : draws from the pooled shares

    ½ is added to the count of each bin, so that an empty one is not infinitely far away.

    >>> x = np.arange(200) % 50
    >>> f"{psi(x[:100], x[100:] + 5).value:.2f} {psi(x[:100], x[100:]).value:.2f}"
    '0.35 0.00'
    """
    counts = _counts(pd.Series(old), pd.Series(new), bins)  # (2, B)
    size, pooled = counts.sum(axis=1).astype(int), counts.sum(axis=0) / counts.sum()
    rng = np.random.default_rng(seed)
    calm = _index(*(rng.multinomial(k, pooled, size=n) for k in size))
    value = float(_index(*counts))
    return Psi(value, float(np.quantile(calm, level)), float((1 + np.sum(calm >= value)) / (1 + n)))


def columns(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    correction: Literal["holm", "bh"] = "holm",
    bins: int = 10,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every column: the index, the test of Kolmogorov and Smirnov, p-values corrected for many columns.

    Parameters
    ----------
    correction : "holm": one false alarm at all is unlikely; "bh": few of the alarms are false (Benjamini & Hochberg)

    Returns
    -------
    A row for each column, most moved first: column, psi, calm, ks (largest distance of the two distributions; NaN
    for words), p (of KS; of the index for words; twice the smaller one where values are absent), adjusted, absent
    (share of new values less that of old ones). KS errs on the safe side where many values are equal.
    """
    if correction not in ("holm", "bh"):
        raise UsageError(f"unknown correction {correction!r}; {nearest(str(correction), ['holm', 'bh'])}")
    if missing := [c for c in old if c not in new]:
        raise UsageError(f"the new rows have no column {missing[0]!r}")
    rows = []
    for name in old:
        a, b = old[name], new[name]
        index = psi(a, b, bins=bins, level=level, seed=seed)
        found = {"column": name, "psi": index.value, "calm": index.calm, "ks": np.nan, "p": index.p}
        if pd.api.types.is_numeric_dtype(a) and a.notna().any() and b.notna().any():
            test = stats.ks_2samp(a.dropna().astype(float), b.dropna().astype(float))
            gone = a.isna().any() or b.isna().any()  # KS does not see these, the index does
            p = min(1.0, 2 * min(test.pvalue, index.p)) if gone else test.pvalue
            found |= {"ks": float(test.statistic), "p": float(p)}
        rows.append(found | {"absent": float(b.isna().mean() - a.isna().mean())})
    if not rows:
        raise UsageError("there is no column to compare")
    table = pd.DataFrame(rows)
    table.insert(5, "adjusted", (holm if correction == "holm" else stats.false_discovery_control)(table["p"]))
    return table.sort_values(["adjusted", "psi"], ascending=[True, False], kind="stable", ignore_index=True)


class ToldApart(NamedTuple):
    """AUC of old against new rows that the classifier had not seen, and what it loses without each column.

    Parameters
    ----------
    auc : .5 where nothing tells them apart
    columns : column, lost (AUC with the column shuffled, less), spread (over shuffles), most first
    """

    auc: Interval
    columns: pd.DataFrame


def told_apart(
    old: pd.DataFrame, new: pd.DataFrame, model: Any = None, *, level: float = 0.95, seed: int = 0
) -> ToldApart:
    """Learn on half of the rows to tell old from new, and judge on the other half.

    Parameters
    ----------
    old, new : numbers, the same columns
    model : of scikit-learn, with predict_proba; a small gradient boosting if not given

    One half and not folds: then the rows that are judged are independent, and DeLong's interval holds.
    """
    from sklearn.base import clone
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import train_test_split

    if missing := [c for c in old if c not in new]:
        raise UsageError(f"the new rows have no column {missing[0]!r}")
    X = pd.concat([old, new[old.columns]], ignore_index=True)
    recent = np.repeat([0, 1], [len(old), len(new)])
    if min(len(old), len(new)) < 2 * SMALLEST:
        raise UsageError(f"{len(old)} old and {len(new)} new rows: to tell them apart takes {2 * SMALLEST} of each")
    here, there, y, z = train_test_split(X, recent, test_size=0.5, stratify=recent, random_state=seed)
    small = {"max_iter": 60, "learning_rate": 0.05, "max_leaf_nodes": 4}
    model = HistGradientBoostingClassifier(**small, random_state=seed) if model is None else clone(model)
    model.fit(here, y)
    loss = permutation_importance(model, there, z, scoring="roc_auc", n_repeats=5, random_state=seed)
    table = pd.DataFrame({"column": X.columns, "lost": loss.importances_mean, "spread": loss.importances_std})
    table = table.sort_values("lost", ascending=False, kind="stable", ignore_index=True)
    return ToldApart(auc_interval(z, model.predict_proba(there)[:, 1], level=level), table)


def over_time(
    y: ArrayLike,
    p: ArrayLike,
    time: ArrayLike,
    *,
    every: str = "M",
    smallest: int = SMALLEST,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Describe a model's performance month by month (or by "W", "Q", …, as pandas names periods), with intervals.

    Returns
    -------
    A row for each period and measure: start, end, measure, n, value, low, high; NaN where it rests on fewer than
    `smallest` rows. Measures: log-loss, AUC, base rate, calibration in the large, calibration slope.
    """
    hit, prob = checked(y, p)
    period = pd.PeriodIndex(pd.to_datetime(np.asarray(time)), freq=every)
    if len(period) != len(hit) or period.hasnans:
        raise UsageError(f"{len(hit)} rows and {len(period)} times: each row has one, none absent")
    loss, rows = log_losses(hit, prob), []
    for each in period.unique().sort_values():
        here = np.asarray(period == each)
        measures = {m: (n, f) for m, n, f in figures(hit[here], prob[here], level=level, seed=seed)}
        measures["log-loss"] = int(here.sum()), partial(bootstrap, loss[here], level=level, seed=seed)
        for name in ("log-loss", "AUC", "base rate", "calibration in the large", "calibration slope"):
            n, figure = measures[name]
            value = figure() if n >= smallest else NOT_SHOWN
            rows.append({"start": each.start_time, "end": each.end_time, "measure": name, "n": n, **value._asdict()})
    return pd.DataFrame(rows)


def log_losses(y: ArrayLike, p: ArrayLike) -> Floats:
    """Give the log-loss of each row, -log of the probability of what happened, (n,), in nats."""
    hit, prob = checked(y, p)
    return losses(hit.astype(int), np.stack([1 - prob, prob], axis=1), [0, 1])


class Retraining(NamedTuple):
    """A frozen model beside one that is trained anew each period, on the same posts.

    Parameters
    ----------
    table : start, n, frozen, retrained (mean log-loss of the period)
    gain : log-loss that retraining saves on a post, with an interval over whole days
    advice : "retrain", "keep" or "unclear": whether the gain is surely above, surely below `worth`, or neither
    """

    table: pd.DataFrame
    gain: Interval
    advice: str


def retraining(
    fit: Fit,
    X: pd.DataFrame,
    y: ArrayLike,
    time: ArrayLike,
    *,
    start: Any,
    every: str = "M",
    delay: str = "1D",
    worth: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
) -> Retraining:
    """Train on what lies before `start` and never again, or at the start of each period on all that lies before it.

    Both learn only from posts at least `delay` old at that moment, for until then nobody knows how they do.

    Parameters
    ----------
    fit : (X, y) → model with predict_proba(X) → (n,)
    worth : log-loss on a post that retraining has to save to be worth the effort
    """
    label, when = np.asarray(y), pd.DatetimeIndex(np.asarray(time))
    period, first, wait = when.to_period(every), pd.Timestamp(start), pd.Timedelta(delay)
    old, later = np.asarray(when < first - wait), np.asarray(when >= first)
    if min(old.sum(), later.sum()) < SMALLEST:
        raise UsageError(f"{old.sum()} posts before {first} and {later.sum()} after; {SMALLEST} of each are needed")
    kept, rows, saved = fit(X[old], label[old]), [], np.full(len(label), np.nan)
    for each in period[later].unique().sort_values():
        here = later & np.asarray(period == each)
        past = np.asarray(when < max(each.start_time, first) - wait)
        anew = kept if past.sum() == old.sum() else fit(X[past], label[past])
        frozen, fresh = (log_losses(label[here], m.predict_proba(X[here])) for m in (kept, anew))
        saved[here] = frozen - fresh
        rows.append(
            {"start": each.start_time, "n": int(here.sum()), "frozen": frozen.mean(), "retrained": fresh.mean()}
        )
    # the labels ride along unused: what is drawn are days, for posts of one day are alike
    days = when[later].floor("D")
    gain = resampled(lambda _, d: float(d.mean()), label[later], saved[later], groups=days, level=level, seed=seed)
    advice = "retrain" if gain.low > worth else "keep" if gain.high < worth else "unclear"
    return Retraining(pd.DataFrame(rows), gain, advice)


def _counts(old: pd.Series, new: pd.Series, bins: int) -> Floats:
    """Count both sides in bins, (2, B); empty bins of both sides are dropped."""
    if not len(old) or not len(new) or bins < 2:
        raise UsageError(f"{len(old)} old and {len(new)} new values in {bins} bins: none may be empty, and bins be 2")
    both = pd.concat([old, new], ignore_index=True)
    if pd.api.types.is_numeric_dtype(both) and both.nunique() > bins and old.notna().any():
        edges = np.unique(np.nanquantile(old.astype(float), np.linspace(0, 1, bins + 1)[1:-1]))
        code = np.where(both.isna(), -1, np.searchsorted(edges, both.astype(float), side="left"))
    else:
        code = pd.factorize(both)[0]
    side = np.repeat([0, 1], [len(old), len(new)])
    table = np.zeros((2, code.max() + 2))
    np.add.at(table, (side, code + 1), 1)
    return table[:, table.sum(axis=0) > 0]


def _index(old: NDArray, new: NDArray) -> Floats:
    """Give PSI of counts (..., B)."""
    e, a = (c + 0.5 for c in (old, new))
    e, a = (c / c.sum(axis=-1, keepdims=True) for c in (e, a))
    return np.asarray(((a - e) * np.log(a / e)).sum(axis=-1))
