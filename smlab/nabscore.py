"""How well does a detector watch? The score of the Numenta Anomaly Benchmark (NAB), to the last formula.

A series of n rows has windows of rows first … last in which something was amiss; a detector gives each row a score and
flags those that reach a threshold. With σ(y) = 2 / (1 + e^(5y)) - 1, and -1 from y > 3 on, a flagged row i is worth

    inside a window          A_tp σ(-(last - i + 1) / width) / σ(-1)         early is 1, late is near 0
    after a window           A_fp σ((i - last) / (width - 1))                just after it is cheap, later -A_fp
    before the first window  -A_fp

Of the flagged rows of a window only the earliest counts, a window without one costs A_fn, and every other row flagged
costs by itself. The first 15 % of the rows, 750 at the most, are for learning: nothing in them counts. Over all series

    score = 100 (S - S_null) / (S_perfect - S_null),   S_null = -A_fn · windows,   S_perfect = A_tp · windows

One threshold serves all series. NAB takes the one that is best on the very series that are judged; `sweep` tries every
threshold there is, as NAB's sweeper does (its older optimiser climbed a hill and could miss the best). `cross_fit`
takes settings and threshold from other series than those judged, which is what a user would get.

Two cases that NAB leaves open: a window wholly within the first rows is left out of S, S_null and S_perfect alike, and
for a window of one row the width less one is taken as 1.

References: Lavin & Ahmad (2015), Evaluating real-time anomaly detection algorithms, ICMLA, section II; the constants,
the +1 within a window and the division by σ(-1) as in numenta/NAB (nab/sweeper.py, config/profiles.json).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEARNING, MOST = 0.15, 750  # the share of rows that a detector may learn from, and how many at the most


class Profile(NamedTuple):
    """What a found window brings (tp), and what a false alarm (fp) and a missed window (fn) cost."""

    tp: float
    fp: float
    fn: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}


def learning_rows(n: int) -> int:
    """Give how many of n rows are for learning.

    >>> learning_rows(1000), learning_rows(15_902)
    (150, 750)
    """
    return min(int(LEARNING * n), MOST)


def sigmoid(y: ArrayLike) -> Floats:
    """Give σ(y) of places y, counted in widths of a window from its end: the window is -1 to 0.

    >>> sigmoid([-1.0, 0.0, 1.0, 4.0]).round(5).tolist()
    [0.98661, 0.0, -0.98661, -1.0]
    """
    y = np.asarray(y, dtype=float)
    return np.where(y > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(y, 3))) - 1)


def places(times: ArrayLike, windows: Sequence[Sequence[object]]) -> Ints:
    """Give the first and last rows (k, 2) of windows that are written as times, both ends included.

    >>> places(pd.date_range("2015-03-01", periods=5, freq="5min"), [("2015-03-01 00:04", "2015-03-01 00:15")]).tolist()
    [[1, 3]]
    """
    at = pd.DatetimeIndex(np.asarray(times))
    rows = []
    for start, end in ((pd.Timestamp(str(a)), pd.Timestamp(str(b))) for a, b in windows):
        first, last = int(at.searchsorted(start)), int(at.searchsorted(end, side="right")) - 1
        if first > last:
            raise UsageError(f"window {start} to {end} holds no row of the series ({at.min()} to {at.max()})")
        rows.append((first, last))
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, 2)


def weights(n: int, windows: ArrayLike, profile: str = "standard") -> Floats:
    """Give what each of n rows would be worth if it were flagged, and were the first of its window, (n,).

    >>> weights(8, [(2, 4)]).round(3).tolist()
    [-0.11, -0.11, 1.0, 0.944, 0.692, -0.093, -0.109, -0.11]
    """
    spans, A = _spans(n, windows), _profile(profile)
    worth = np.full(n, -A.fp)
    for k, (first, last) in enumerate(spans):
        width, end = last - first + 1, spans[k + 1][0] if k + 1 < len(spans) else n
        inside, after = np.arange(first, last + 1), np.arange(last + 1, end)
        worth[inside] = A.tp * sigmoid(-(last - inside + 1) / width) / sigmoid(-1.0)
        worth[after] = A.fp * sigmoid((after - last) / max(width - 1, 1))
    return worth


def sweep(scores: Mapping[str, ArrayLike], windows: Mapping[str, ArrayLike], profile: str = "standard") -> pd.DataFrame:
    """Score every threshold there is, over all series together.

    Returns
    -------
    frame, highest threshold first, of threshold (rows at or above it are flagged; ∞ flags none), raw (S) and
    score (normalised)

    >>> sweep({"a": [0, 0, 0.2, 0.9, 0.1, 0.5]}, {"a": [(2, 4)]}).round(2).values.tolist()[:3]
    [[inf, -1.0, 0.0], [0.9, 0.94, 97.19], [0.5, 0.85, 92.52]]
    """
    A, values, gains, k = _profile(profile), [], [], 0
    for _, s, spans, scored in _series(scores, windows):
        gain = weights(len(s), spans, profile)
        for first, last in spans:
            rows = np.arange(max(first, scored), last + 1)
            rows = rows[np.argsort(-s[rows], kind="stable")]
            # as the threshold falls, a window is worth its earliest flagged row: what each row adds to the others
            gain[rows] = np.diff(np.maximum.accumulate(gain[rows]), prepend=-A.fn)
        values.append(s[scored:])
        gains.append(gain[scored:])
        k += len(spans)
    s, gain = np.concatenate(values), np.concatenate(gains)
    order = np.argsort(-s, kind="stable")
    last = np.flatnonzero(np.diff(s[order], append=np.nan) != 0)  # equal scores are flagged together
    raw = np.r_[0.0, np.cumsum(gain[order])[last]] - A.fn * k
    thresholds = np.r_[np.inf, s[order][last]]
    return pd.DataFrame({"threshold": thresholds, "raw": raw, "score": normalised(raw, k, profile)})


def best_threshold(
    scores: Mapping[str, ArrayLike], windows: Mapping[str, ArrayLike], profile: str = "standard"
) -> float:
    """Give the threshold of the highest score, the highest of several."""
    table = sweep(scores, windows, profile)
    return float(table["threshold"].iloc[int(table["raw"].to_numpy().argmax())])


def judge(
    scores: Mapping[str, ArrayLike],
    windows: Mapping[str, ArrayLike],
    threshold: float,
    profile: str = "standard",
) -> pd.DataFrame:
    """Score each series at one threshold.

    Returns
    -------
    frame, one row a series, of raw (S), score (normalised within the series), windows, found, tp and fp (flagged rows
    inside and outside of windows, as NAB counts them), fn and tn (rows not flagged), and of the first flags of the
    windows found the mean delay (rows after the window's start) and late (rows after its middle, where NAB has the
    anomaly; below 0 is early)
    """
    A, table = _profile(profile), {}
    for name, s, spans, scored in _series(scores, windows):
        worth, flags = weights(len(s), spans, profile), s >= threshold
        flags[:scored] = False
        inside = np.zeros(len(s), dtype=bool)
        raw, delays, lates = 0.0, [], []
        for first, last in spans:
            inside[first : last + 1] = True
            hits = np.flatnonzero(flags[first : last + 1])
            raw += worth[first + hits[0]] if len(hits) else -A.fn
            if len(hits):
                delays.append(hits[0])
                lates.append(hits[0] - (last - first) / 2)
        raw += worth[flags & ~inside].sum()
        tp, fp = int((flags & inside).sum()), int((flags & ~inside).sum())
        rows = {"tp": tp, "fp": fp, "fn": int(inside[scored:].sum()) - tp, "tn": int((~inside[scored:]).sum()) - fp}
        shown = {"raw": raw, "score": float(normalised(raw, len(spans), profile)), "windows": len(spans)}
        means = {k: float(np.mean(v)) if v else np.nan for k, v in (("delay", delays), ("late", lates))}
        table[name] = shown | {"found": len(delays)} | rows | means
    return pd.DataFrame.from_dict(table, orient="index")


def total(table: pd.DataFrame, profile: str = "standard", *, n: int = 10_000, seed: int = 0) -> Interval:
    """Give the normalised score of all series of `judge`'s table, with its bootstrap interval over the series.

    With ten series the interval is rather too narrow than too wide, and it knows nothing of how thresholds were chosen.
    """
    raw, k = table["raw"].to_numpy(), table["windows"].to_numpy()
    if k.sum() == 0:
        raise UsageError("no series has a window after its learning rows; there is nothing to score")

    def score(drawn: Floats, axis: int) -> Floats:
        rows = drawn.astype(int)
        return normalised(raw[rows].sum(axis=axis), k[rows].sum(axis=axis), profile)

    return bootstrap(np.arange(len(table)), score, n=n, seed=seed)


def normalised(raw: ArrayLike, windows: ArrayLike, profile: str = "standard") -> Floats:
    """Give 100 (S - S_null) / (S_perfect - S_null); NaN where there is no window.

    >>> float(normalised(46.634450197, 116).round(1))  # Numenta HTM over all of NAB, as its scoreboard has it: 70.1
    70.1
    """
    A, k = _profile(profile), np.asarray(windows, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100 * (np.asarray(raw, dtype=float) + A.fn * k) / np.where(k > 0, (A.tp + A.fn) * k, np.nan)


def cross_fit(
    candidates: Mapping[str, Mapping[str, ArrayLike]],
    windows: Mapping[str, ArrayLike],
    folds: Sequence[Sequence[str]],
    profile: str = "standard",
) -> pd.DataFrame:
    """Judge each fold of series by the candidate and the threshold that are best on the other folds.

    Parameters
    ----------
    candidates : the scores of all series by each detector or setting, by its name
    folds : names of series; each series in one fold

    Returns
    -------
    the table of `judge`, with the columns fold, candidate and threshold besides
    """
    names = [name for fold in folds for name in fold]
    if sorted(names) != sorted(windows) or len(folds) < 2:
        raise UsageError(f"two or more folds must hold each of {', '.join(sorted(windows))} once; they hold {names}")
    parts = []
    for i, fold in enumerate(folds):
        others = {name: windows[name] for name in names if name not in fold}
        tables = {label: sweep({n: scores[n] for n in others}, others, profile) for label, scores in candidates.items()}
        label = max(tables, key=lambda label: tables[label]["raw"].max())
        table = tables[label]
        threshold = float(table["threshold"].iloc[int(table["raw"].to_numpy().argmax())])
        judged = judge({n: candidates[label][n] for n in fold}, {n: windows[n] for n in fold}, threshold, profile)
        parts.append(judged.assign(fold=i, candidate=[label] * len(judged), threshold=threshold))
    return pd.concat(parts)


def _series(scores: Mapping[str, ArrayLike], windows: Mapping[str, ArrayLike]) -> list[tuple[str, Floats, Ints, int]]:
    """Give name, scores (n,), the windows that count (k, 2) and the first row that counts, of each series."""
    if not scores or set(scores) != set(windows):
        raise UsageError(f"scores are of {sorted(scores)}, windows of {sorted(windows)}; they need the same series")
    found = []
    for name in scores:
        s = np.asarray(scores[name], dtype=float)
        if s.ndim != 1 or len(s) == 0:
            raise UsageError(f"scores of {name} have shape {s.shape}; one score a row is needed")
        if np.isnan(s).any():
            raise UsageError(f"score {int(np.isnan(s).argmax())} of {name} is missing; each row needs one")
        scored, spans = learning_rows(len(s)), _spans(len(s), windows[name])
        found.append((name, s, spans[spans[:, 1] >= scored], scored))
    return found


def _spans(n: int, windows: ArrayLike) -> Ints:
    spans = np.asarray(windows, dtype=np.int64).reshape(-1, 2)
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    for first, last in spans:
        if not 0 <= first <= last < n:
            raise UsageError(f"window of rows {first} to {last} does not lie within the {n} rows of the series")
    if len(late := np.flatnonzero(spans[1:, 0] <= spans[:-1, 1])):
        a, b = spans[late[0]], spans[late[0] + 1]
        raise UsageError(f"windows of rows {a[0]} to {a[1]} and {b[0]} to {b[1]} overlap; make one of them")
    return spans


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise UsageError(f"profile {name!r} is not one of {', '.join(PROFILES)}")
    return PROFILES[name]
