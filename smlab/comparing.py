"""Who predicts better, and how sure is that? Models judged by the same posts, beside what knows nothing.

    log-loss -(1/N) Σ log P(y)      Brier (1/N) Σ (p - y)²      accuracy: p of ½ and more calls a hit
    AUC and average precision, see `auc`        ECE, see `calibration`

AUC has DeLong's interval and test, accuracy Wilson's, all else percentile intervals of one bootstrap. In it all models
meet the same draws, so that gains are paired. Predictions of several folds come from several models that cannot be
put in one order: AUC and average precision are means within folds. Posts of one day are alike: with `clusters` days
are drawn, not posts. A gain is above 0 where the model is better than the baseline; its p is adjusted for the number
of models (`served.holm`).

References: DeLong et al. (1988); Obuchowski (1997); Efron & Tibshirani (1993), chapters 8 and 13; Wilson (1927); Holm
(1979); Macskassy & Provost (2004), bands of ROC curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.auc import auc_interval, compare_auc, labels, need_both, p_value
from smlab.calibration import expected_calibration_error, wilson
from smlab.checks import UsageError, nearest
from smlab.metrics import Interval
from smlab.served import holm

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
MEASURES = ("ap", "log_loss", "brier", "accuracy")
SIGNS = np.array([1, -1, -1, 1])  # 1: more is better
GRID = np.linspace(0, 1, 101)  # where bands are given


def compare(
    y: ArrayLike,
    predictions: Mapping[str, ArrayLike] | pd.DataFrame,
    *,
    baseline: str | None = None,
    folds: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    n: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge all models by the same posts, one row for each.

    Parameters
    ----------
    y, predictions : (m,) 0 or 1, and P(y = 1) as {name: (m,)}
    baseline : the model that the others have to beat
    folds : (m,) of `nested.Nested`; if not given, one model predicted them all
    clusters : (m,) posts that are alike, such as those of a day
    n : resamples

    Returns
    -------
    Intervals auc, ap (average precision), log_loss, brier, accuracy; numbers ece, ece_chance (what true probabilities
    would have), share (of posts that worked, the ap of no knowledge), most (accuracy of calling all posts the same).
    With `baseline` the gains auc_gain, ap_gain, log_loss_gain, brier_gain, accuracy_gain, the p of auc_gain, and p_holm

    >>> table = compare([0, 1] * 50, {"coin": [0.5] * 100, "model": [0.2, 0.6, 0.4, 0.3] * 25}, baseline="coin")
    >>> f"{table.auc['model']:.2f}", f"{table.accuracy['model']:.2f}", f"{table.auc_gain['model']:.2f}"
    ('0.75 [0.65, 0.85]', '0.75 [0.66, 0.82]', '0.25 [0.15, 0.35]')
    """
    hit, P = _checked(y, predictions)
    if baseline is not None and baseline not in P:
        raise UsageError(f"there is no model {baseline!r} to compare with; {nearest(str(baseline), P)}")
    fold = None if folds is None else np.unique(_row_each("folds", folds, hit), return_inverse=True)[1]
    group = None if clusters is None else _row_each("clusters", clusters, hit)
    how: dict[str, Any] = {"level": level, "strata": fold, "clusters": group}
    areas = {name: auc_interval(hit, p, **how) for name, p in P.items()}
    seen = _measures(hit, P, fold, iter([np.ones((1, len(hit)))]))
    drawn = _measures(hit, P, fold, resamples(len(hit), n, clusters=group, seed=seed))
    table: dict[str, dict[str, Any]] = {}
    for name, p in P.items():
        row: dict[str, Any] = {"auc": areas[name], **_intervals(seen[name], drawn[name], level)}
        if group is None:
            row["accuracy"] = _wilson(hit, p, level)
        row |= {"ece": expected_calibration_error(hit, p), "ece_chance": _chance(p, seed)}
        row |= {"share": float(hit.mean()), "most": float(max(hit.mean(), 1 - hit.mean()))}
        if baseline is not None and name != baseline:
            row["auc_gain"] = compare_auc(hit, p, P[baseline], **how)
            row["p"] = p_value(row["auc_gain"], level=level)
            more, spread = (SIGNS * (x[name] - x[baseline]) for x in (seen, drawn))
            row |= {f"{measure}_gain": x for measure, x in _intervals(more, spread, level).items()}
        table[name] = row
    found = pd.DataFrame.from_dict(table, orient="index")
    if baseline is not None and len(found) > 1:
        others = found.index != baseline
        found.loc[others, "p_holm"] = holm(found.loc[others, "p"].astype(float))
    return found


def band(
    y: ArrayLike,
    p: ArrayLike,
    kind: Literal["roc", "precision-recall"] = "roc",
    *,
    clusters: ArrayLike | None = None,
    n: int = 300,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Give a curve with its band at each percent of its flat axis: columns at, value, low, high.

    The band holds at each point alone, not for the whole curve at once.

    Parameters
    ----------
    kind : "roc", recall at each share of false alarms, on straight lines; or "precision-recall", precision at the
        first threshold whose recall is as large
    """
    hit, P = _checked(y, {"p": p})
    need_both(hit, 1)
    if kind not in ("roc", "precision-recall"):
        raise UsageError(f"kind={kind!r}: {nearest(str(kind), ['roc', 'precision-recall'])}")
    group = None if clusters is None else _row_each("clusters", clusters, hit)
    order, last = _runs(P["p"])
    value = _curves(hit[order], last, np.ones((1, len(hit))), kind)[0]
    drawn = [_curves(hit[order], last, W[:, order], kind) for W in resamples(len(hit), n, clusters=group, seed=seed)]
    low, high = np.nanquantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    found = pd.DataFrame({"at": GRID, "value": value, "low": low, "high": high})
    return found if kind == "roc" else found[1:]  # to find no hit says nothing of precision


def resamples(rows: int, n: int, *, clusters: ArrayLike | None = None, seed: int = 0) -> Iterator[Floats]:
    """Give how often each row is in each of n bootstrap samples, block by block: (some, rows).

    >>> sum(W.sum(axis=1).tolist() == [4.0] * len(W) for W in resamples(4, 3))
    1
    """
    if n < 2:
        raise UsageError(f"n={n}: an interval needs at least 2 resamples")
    rng = np.random.default_rng(seed)
    code = np.arange(rows) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    many, block = int(code.max()) + 1, max(1, 2_000_000 // rows)
    for start in range(0, n, block):
        yield rng.multinomial(many, np.full(many, 1 / many), min(block, n - start))[:, code].astype(float)


def _measures(
    hit: Bools, P: Mapping[str, Floats], fold: NDArray | None, weights: Iterator[Floats]
) -> dict[str, Floats]:
    """Give the figures of each model under each row of weights, (n, 4) in the order of `MEASURES`."""
    part = np.zeros(len(hit), np.int64) if fold is None else fold
    parts = [np.flatnonzero(part == s) for s in np.unique(part)]
    mixed = [rows for rows in parts if 2 <= hit[rows].sum() <= len(rows) - 2]  # as for AUC
    runs = {name: [(rows[order], last) for rows in mixed for order, last in [_runs(p[rows])]] for name, p in P.items()}
    L = {name: _losses(hit, p) for name, p in P.items()}  # (m, 3) each
    share = np.array([len(rows) for rows in mixed]) / sum(map(len, mixed))
    found: dict[str, list[Floats]] = {name: [] for name in P}
    for W in weights:
        for name in P:
            ap = [_average_precision(hit[rows], last, W[:, rows]) for rows, last in runs[name]]
            found[name].append(np.column_stack([share @ ap, W @ L[name] / W.sum(axis=1, keepdims=True)]))
    return {name: np.concatenate(blocks) for name, blocks in found.items()}


def _losses(hit: Bools, p: Floats) -> Floats:
    """Give log-loss, Brier score and whether the call was right, of each post, (m, 3)."""
    eps = np.finfo(float).eps  # as `calibration.log_loss`
    log_loss = -np.log(np.clip(np.where(hit, p, 1 - p), eps, 1))
    return np.column_stack([log_loss, (p - hit) ** 2, (p >= 0.5) == hit])


def _runs(p: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the order of p, highest first, and where in it each run of equal values ends."""
    order = np.argsort(-p, kind="stable")
    return order, np.flatnonzero(np.r_[np.diff(p[order]) != 0, True])


def _sums(hit: Bools, last: NDArray[np.int64], W: Floats) -> tuple[Floats, Floats]:
    """Give hits and posts called so by each threshold, (n, thresholds) each; columns of W in the order of p."""
    return np.cumsum(W * hit, axis=1)[:, last], np.cumsum(W, axis=1)[:, last]


def _average_precision(hit: Bools, last: NDArray[np.int64], W: Floats) -> Floats:
    """Give `auc.average_precision` under each row of weights, (n,); NaN where no hit was drawn."""
    hits, called = _sums(hit, last, W)
    precision = hits / np.maximum(called, 1e-300)
    with np.errstate(invalid="ignore"):
        return (np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1) / hits[:, -1]


def _curves(hit: Bools, last: NDArray[np.int64], W: Floats, kind: str) -> Floats:
    """Give the curve under each row of weights at `GRID`, (n, 101); NaN where a class was not drawn."""
    hits, called = _sums(hit, last, W)
    found = np.full((len(W), len(GRID)), np.nan)
    for i, (tp, n) in enumerate(zip(hits, called, strict=True)):
        others = n - tp
        if not (tp[-1] and others[-1]):
            continue
        if kind == "roc":
            found[i] = np.interp(GRID, np.r_[0, others] / others[-1], np.r_[0, tp] / tp[-1])
        else:
            drawn = n > 0
            at = np.searchsorted(tp[drawn] / tp[-1], GRID - 1e-12)
            found[i] = (tp[drawn] / n[drawn])[at]
    return found


def _intervals(seen: Floats, drawn: Floats, level: float) -> dict[str, Interval]:
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {m: Interval(float(seen[0, j]), float(low[j]), float(high[j])) for j, m in enumerate(MEASURES)}


def _wilson(hit: Bools, p: Floats, level: float) -> Interval:
    right = int(((p >= 0.5) == hit).sum())
    low, high = wilson(right, len(hit), level=level)
    return Interval(right / len(hit), float(low), float(high))


def _chance(p: Floats, seed: int) -> float:
    """Give the mean ECE of outcomes that are drawn from p itself."""
    rng = np.random.default_rng(seed)
    return float(np.mean([expected_calibration_error(rng.random(len(p)) < p, p) for _ in range(50)]))


def _checked(y: ArrayLike, predictions: Mapping[str, ArrayLike] | pd.DataFrame) -> tuple[Bools, dict[str, Floats]]:
    P = {str(name): np.asarray(p, dtype=float) for name, p in dict(predictions).items()}
    if not P:
        raise UsageError("there is nothing to compare: no predictions")
    for name, p in P.items():
        hit = labels(y, p)[0]
        if (wrong := np.flatnonzero((p < 0) | (p > 1))).size:
            raise UsageError(f"model {name!r}, row {wrong[0]}: {p[wrong[0]]} is no probability from 0 to 1")
    need_both(hit, 2)
    return hit, P


def _row_each(what: str, values: ArrayLike, hit: Bools) -> NDArray:
    each = np.asarray(values)
    if each.shape != hit.shape:
        raise UsageError(f"{what} has shape {each.shape}, labels {hit.shape}; each post has one")
    return each
