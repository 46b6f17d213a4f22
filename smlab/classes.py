"""How good is a classifier of several classes, and is it better than another one?

`y` (n,) holds the true labels, `yhat` (n,) the predicted ones, of any type that sorts. With C_jk the number of
posts of class j that were called k (`confusion`):

    recall_j = C_jj / Σ_k C_jk                    precision_k = C_kk / Σ_j C_jk
    accuracy = Σ_j C_jj / n                       macro-recall = mean of recall_j over the classes that occur in y
    F1_j = 2 C_jj / (Σ_k C_jk + Σ_k C_kj)         macro-F1 = mean of F1_j over the classes that occur in y or yhat

Accuracy asks about a post, macro-recall about a class: calling everything "neutral" has macro-recall 1/3 of three
classes however many posts are neutral. Every figure is a function of C alone, so a bootstrap of the rows need not
draw rows: it draws C from a multinomial law, a thousand times in milliseconds, with the same distribution.

References: Efron & Tibshirani (1993), bootstrap; McNemar (1947); Fagerland, Lydersen & Laake (2013), exact and mid-p
version; Bonett & Price (2012), interval of a paired difference; Rosenthal, Farra & Nakov (2017) rank tweets by
macro-recall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from smlab.auc import z_value
from smlab.checks import UsageError, nearest, shorten
from smlab.metrics import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def confusion(y: ArrayLike, yhat: ArrayLike, classes: Iterable[Any] | None = None) -> pd.DataFrame:
    """Count the posts of each true class (rows) that were called each class (columns), C (K, K).

    Parameters
    ----------
    classes : their order; sorted if not given

    Raises
    ------
    UsageError
        For labels of different lengths, absent ones, and one that is not among `classes`.

    >>> confusion(["good", "bad", "bad"], ["good", "bad", "good"]).loc["bad", "good"]
    np.int64(1)
    """
    names, (true, called) = codes(y, yhat, classes=classes)
    k = len(names)
    counts = np.bincount(true * k + called, minlength=k * k).reshape(k, k)
    return pd.DataFrame(counts, pd.Index(names, name="true"), pd.Index(names, name="called"))


def accuracy(y: ArrayLike, yhat: ArrayLike) -> float:
    """Give the share of posts that were called what they are.

    >>> accuracy(["good", "bad", "bad", "bad"], ["good", "bad", "bad", "good"])
    0.75
    """
    return float(_accuracy(_counts(y, yhat)))


def recalls(y: ArrayLike, yhat: ArrayLike, classes: Iterable[Any] | None = None) -> pd.Series:
    """Give for each class the share of its posts that were found; NaN for a class that does not occur in y.

    >>> recalls(["good", "bad", "bad"], ["good", "bad", "good"]).to_dict()
    {'bad': 0.5, 'good': 1.0}
    """
    table = confusion(y, yhat, classes)
    return pd.Series(_recalls(table.to_numpy()), table.index, name="recall")


def accuracy_from(supports: ArrayLike, recalls: ArrayLike) -> float:
    """Give the accuracy that a printed report implies: Σ_j n_j recall_j / Σ_j n_j, n_j the posts of class j.

    Recalls printed with two digits fix it to ±.005.

    >>> accuracy_from([5000, 5000], [0.87, 0.69])  # printed as 0.77
    0.78
    """
    n, found = np.asarray(supports, dtype=float), np.asarray(recalls, dtype=float)
    if n.shape != found.shape or n.ndim != 1 or not (n >= 0).all() or not n.sum() > 0:
        raise UsageError(f"supports {n.tolist()} must be a count for each of {found.size} recalls, and not all 0")
    if not ((found >= 0) & (found <= 1)).all():
        raise UsageError(f"recalls {found.tolist()} must lie between 0 and 1")
    return float(n @ found / n.sum())


def macro_recall(y: ArrayLike, yhat: ArrayLike) -> float:
    """Give the mean recall of the classes that occur in y; scikit-learn's balanced accuracy.

    >>> macro_recall(["good", "bad", "bad"], ["good", "bad", "good"])
    0.75
    """
    return float(_macro_recall(_counts(y, yhat)))


def macro_f1(y: ArrayLike, yhat: ArrayLike) -> float:
    """Give the mean F1 of the classes that occur in y or in yhat; one that is never found counts 0.

    Means of F1, not F1 of mean precision and mean recall, which can be higher (Opitz & Burst 2019).

    >>> round(macro_f1(["good", "bad", "bad"], ["good", "bad", "good"]), 4)  # 2/3 each
    0.6667
    """
    return float(_macro_f1(_counts(y, yhat)))


def figures(
    y: ArrayLike,
    yhat: ArrayLike,
    *,
    classes: Iterable[Any] | None = None,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Give accuracy, macro_recall, macro_f1, "recall <class>" and "f1 <class>", with percentile bootstrap intervals.

    The posts have to be independent: many posts of one author or copies of one text make it too narrow.

    >>> found = figures(["good", "bad"] * 100, ["good", "bad", "bad", "bad"] * 50)
    >>> print(f"{found['macro_recall']:.2f}")
    0.75 [0.70, 0.80]
    """
    table = confusion(y, yhat, classes)
    C = table.to_numpy()
    drawn = _drawn(C, n, level, seed)  # (n, K, K)
    found = {name: _interval(f(C), f(drawn), level) for name, f in METRICS.items()}
    for name, f in {"recall": _recalls, "f1": _f1s}.items():
        each, spread = f(C), f(drawn)
        found |= {f"{name} {c}": _interval(each[j], spread[:, j], level) for j, c in enumerate(table.index)}
    return found


def difference(
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    metric: str = "macro_recall",
    *,
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Give metric(y, a) - metric(y, b) of two classifiers on the same posts; 0 outside the interval: they differ.

    Drawn are the (K, K, K) counts of truth, a and b together, so that what is hard for both cancels out.

    Parameters
    ----------
    metric : accuracy, macro_recall or macro_f1

    >>> print(f"{difference([0, 1] * 100, [0, 1] * 100, [0, 1, 0, 0] * 50):.2f}")
    0.25 [0.20, 0.30]
    """
    if metric not in METRICS:
        raise UsageError(f"unknown metric {metric!r}; {nearest(metric, METRICS)}")
    f = METRICS[metric]
    names, (true, first, second) = codes(y, a, b)
    k = len(names)
    cells = np.bincount((true * k + first) * k + second, minlength=k**3).reshape(k, k, k)
    drawn = _drawn(cells, n, level, seed)  # (n, K true, K of a, K of b)
    values = f(drawn.sum(axis=3)) - f(drawn.sum(axis=2))
    return _interval(f(cells.sum(axis=2)) - f(cells.sum(axis=1)), values, level)


class McNemar(NamedTuple):
    """Two classifiers on the same posts.

    Parameters
    ----------
    only_a, only_b : posts that only this one called right; the others say nothing of the difference
    exact : two-sided p-value, never too small and mostly too large
    mid_p : the same with half the probability of what was seen: close to the level that it names
    difference : accuracy of a minus that of b
    """

    only_a: int
    only_b: int
    exact: float
    mid_p: float
    difference: Interval


def mcnemar(y: ArrayLike, a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> McNemar:
    """Test whether two classifiers are right equally often on the posts y.

    If they are, only_a ~ Binomial(m, ½) with m = only_a + only_b. With k the smaller of the two and P that law:
    exact = 2 P(X ≤ k) and mid-p = exact - P(X = k); where both are alike, exact = 1 and mid-p = 1 - P(X = k)/2
    (Fagerland, Lydersen & Laake 2013, supplement, eq. 1 and 2). The interval is Wald's with one more post on either
    side (Bonett & Price 2012): p = (only + 1)/(n + 2), p_a - p_b ± z sqrt((p_a + p_b - (p_a - p_b)²)/(n + 2)).

    >>> test = mcnemar([1] * 21, [1, 1] + [0] * 19, [1, 0] + [1] * 7 + [0] * 12)
    >>> test.only_a, test.only_b, round(test.exact, 4), round(test.mid_p, 4)  # Bentur's children, in that paper
    (1, 7, 0.0703, 0.0391)
    """
    _, (true, first, second) = codes(y, a, b)
    right_a, right_b = first == true, second == true
    only_a, only_b, n = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum()), len(true)
    k, m = min(only_a, only_b), only_a + only_b
    seen = float(binom.pmf(k, m, 0.5))
    exact = 1.0 if only_a == only_b else float(2 * binom.cdf(k, m, 0.5))
    mid_p = exact - (seen / 2 if only_a == only_b else seen)
    pa, pb = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = z_value(level) * np.sqrt((pa + pb - (pa - pb) ** 2) / (n + 2))
    low, high = max(pa - pb - half, -1.0), min(pa - pb + half, 1.0)
    return McNemar(only_a, only_b, exact, mid_p, Interval((only_a - only_b) / n, float(low), float(high)))


def codes(*labels: ArrayLike, classes: Iterable[Any] | None = None) -> tuple[list[Any], list[Ints]]:
    """Give the names of the classes (K,) and for each list of labels their numbers from 0 to K - 1, (n,) each.

    >>> codes(["b", "a"], ["b", "b"])
    (['a', 'b'], [array([1, 0]), array([1, 1])])
    """
    columns = [pd.Series(np.asarray(x, dtype=object).ravel()) for x in labels]
    sizes = [len(c) for c in columns]
    if len(set(sizes)) > 1 or not sizes[0]:
        raise UsageError(f"the lists of labels hold {' and '.join(map(str, sizes))}; each post needs one of each")
    for column in columns:
        if (absent := column.isna()).any():
            raise UsageError(f"row {absent.argmax()} has no label{_rest(absent)}")
    names = _sorted(pd.unique(pd.concat(columns))) if classes is None else list(classes)
    if len(set(names)) < len(names):
        raise UsageError(f"a class is named twice in {names}")
    found = [pd.Index(names).get_indexer(pd.Index(column)) for column in columns]
    for column, code in zip(columns, found, strict=True):
        if (strange := code < 0).any():
            value = shorten(repr(column[strange.argmax()]))
            raise UsageError(f"row {strange.argmax()}: {value} is not one of {names}{_rest(strange)}")
    return names, [np.asarray(code, dtype=np.int64) for code in found]


def _sorted(values: Iterable[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError as error:
        raise UsageError(f"labels of different types cannot be put in order: {error}") from None


def _rest(wrong: Any) -> str:
    more = int(wrong.sum()) - 1
    return f" (and {more} more row{'s' if more > 1 else ''})" if more else ""


def _counts(y: ArrayLike, yhat: ArrayLike) -> NDArray:
    return confusion(y, yhat).to_numpy()


def _accuracy(C: NDArray) -> Floats:
    return np.trace(C, axis1=-2, axis2=-1) / C.sum(axis=(-2, -1))


def _recalls(C: NDArray) -> Floats:
    rows = C.sum(axis=-1)
    return np.divide(np.diagonal(C, axis1=-2, axis2=-1), rows, out=np.full(rows.shape, np.nan), where=rows > 0)


def _macro_recall(C: NDArray) -> Floats:
    return np.nanmean(_recalls(C), axis=-1)


def _f1s(C: NDArray) -> Floats:
    both = C.sum(axis=-1) + C.sum(axis=-2)
    hits = 2.0 * np.diagonal(C, axis1=-2, axis2=-1)
    return np.divide(hits, both, out=np.full(both.shape, np.nan), where=both > 0)


def _macro_f1(C: NDArray) -> Floats:
    return np.nanmean(_f1s(C), axis=-1)


METRICS: dict[str, Callable[[NDArray], Floats]] = {
    "accuracy": _accuracy,
    "macro_recall": _macro_recall,
    "macro_f1": _macro_f1,
}


def _drawn(counts: NDArray, n: int, level: float, seed: int) -> NDArray:
    """Draw the table anew n times, as drawing its rows with replacement would: (n, *counts.shape)."""
    z_value(level)
    if n < 2:
        raise UsageError(f"n={n}: an interval needs at least 2 resamples")
    total = int(counts.sum())
    return np.random.default_rng(seed).multinomial(total, counts.ravel() / total, n).reshape(n, *counts.shape)


def _interval(value: Any, drawn: Floats, level: float) -> Interval:
    if np.isnan(drawn).all():
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))
