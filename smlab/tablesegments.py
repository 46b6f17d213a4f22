"""Segments of any table: which columns to take and how, what sets a segment apart, and what segments know.

Of the columns of numbers those are left out that are constant, or that another says already (Spearman's correlation
0.95 or more): k-means would count the same thing twice. Skewed ones are taken as log(1 + x), and all are centred at the
median and brought to the standard deviation 1, so that each counts alike. Columns of words describe segments afterwards
and do not make them.

What are segments worth? They are worth what they tell of something that they were not made from. So each column y in
turn is left out, segments are made from the others on four fifths of the rows, and on the last fifth

    R² = 1 - Σ_i (y_i - ȳ_s(i))² / Σ_i (y_i - ȳ)²        ȳ_s mean of y in the segment s, ȳ of all, of the four fifths

0: the segments know nothing of y. Beside it stands what all other columns tell by ridge regression.

References: Hastie, Tibshirani & Friedman (2009), The elements of statistical learning, chapter 7 (cross-validation);
Hoerl & Kennard (1970), Ridge regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.kmeans import Floats, KMeans, need_points
from smlab.rfm import Scaler
from smlab.tastes import ratio

ALIKE, SKEWED = 0.95, 1.0
FOLDS, RIDGE = 5, 1.0


class Columns(NamedTuple):
    """The columns that segments are made from.

    Parameters
    ----------
    X : scaled, indexed by row
    used : the same, in their own units
    logged : names of those taken as log(1 + x)
    left_out : frame column, why
    """

    X: pd.DataFrame
    used: pd.DataFrame
    logged: list[str]
    left_out: pd.DataFrame


def choose_columns(frame: pd.DataFrame) -> Columns:
    """Choose and scale the columns of numbers, as above.

    Raises
    ------
    UsageError
        If no column of numbers tells rows apart.

    >>> table = pd.DataFrame({"a": [1.0, 2, 9], "twice": [2.0, 4, 18], "one": 1.0, "who": pd.Categorical(list("xyz"))})
    >>> found = choose_columns(table)
    >>> list(found.X), found.left_out["column"].tolist()
    (['a'], ['twice', 'one', 'who'])
    """
    why: dict[str, str] = {}
    numbers = frame.select_dtypes("number").rename(columns=str)
    order: dict[str, dict[str, float]] = numbers.rank().corr().abs().to_dict()  # type: ignore[assignment]
    used: list[str] = []
    for name in map(str, numbers.columns):
        twin = next((u for u in used if order[u][name] >= ALIKE), None)
        if numbers[name].nunique() < 2:
            why[name] = "the same for all"
        elif twin is not None:
            why[name] = f"said by {twin} already"
        else:
            used.append(name)
    why |= {str(name): "words: they describe, and do not measure" for name in frame if str(name) not in numbers}
    if not used:
        raise UsageError("no column of numbers tells these rows apart; needed is one that differs between them")
    skew = dict(zip(used, numbers[used].skew().to_numpy(dtype=float), strict=True))
    logged = [n for n in used if numbers[n].min() >= 0 and skew[n] > SKEWED]
    X = Scaler(log=logged).fit(numbers[used]).transform(numbers[used])
    X = X / X.std(ddof=0)  # the distance of the quartiles alone would favour what has one hump over what has two
    return Columns(X, numbers[used], logged, pd.DataFrame({"column": list(why), "why": list(why.values())}))


def cards(columns: Columns, labels: ArrayLike, words: pd.DataFrame, *, most: int = 3) -> pd.DataFrame:
    """Say what sets each segment apart from the rest.

    A column counts by the distance of the segment's median from that of all, in standard deviations of its scaled
    values; a value of a column of words by its share in the segment over that in all.

    Returns
    -------
    frame indexed by segment: n, share, name, apart (columns with the medians of segment and all), words
    """
    z, names = np.asarray(labels), [str(c) for c in columns.X]
    x, used = columns.X.to_numpy(dtype=float), columns.used.to_numpy(dtype=float)
    middle, width = np.median(x, axis=0), x.std(axis=0).clip(min=1e-12)
    rows: dict[int, list[object]] = {}
    for j in np.unique(z):
        own = z == j
        away = (np.median(x[own], axis=0) - middle) / width
        far = [c for c in np.argsort(-np.abs(away), kind="stable")[:most] if abs(away[c]) >= 0.25]
        named = [f"{'high' if away[c] > 0 else 'low'} {names[c]}" for c in far]
        medians = [(names[c], short(np.median(used[own, c])), short(np.median(used[:, c]))) for c in far]
        apart = "; ".join(f"{name} {here} (all {all_})" for name, here, all_ in medians) or "nothing"
        rows[int(j)] = [own.sum(), own.mean(), ", ".join(named[:2]) or "the middle", apart, _words(words, own)]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["n", "share", "name", "apart", "words"])
    again = table.groupby("name").cumcount()
    table["name"] = [f"{name} ({n + 1})" if n else name for name, n in zip(table["name"], again, strict=True)]
    return table.rename_axis("segment")


def _words(words: pd.DataFrame, mine: NDArray[np.bool_]) -> str:
    """Name in each column of words the value that is most over-represented, where it is by a quarter or more."""
    said = []
    for name in map(str, words.columns):
        values = words[name].astype("str").to_numpy()
        shares = [(np.mean(values[mine] == v), np.mean(values == v), v) for v in np.unique(values[mine])]
        lifts = [(own / all_, own, all_, v) for own, all_, v in shares if own >= 0.1]
        if lifts and max(lifts)[0] >= 1.25:
            _, own, all_, v = max(lifts)
            said.append(f"{name}: {v} {own:.0%} (all {all_:.0%})")
    return "; ".join(said)


def short(value: Any) -> str:
    """Write a number in three significant digits, and large ones whole.

    >>> short(0.12345), short(1234.5), short(7.0)
    ('0.123', '1,234', '7')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def known_of(X: pd.DataFrame, k: int, *, sample: int = 5000, seed: int = 0) -> pd.DataFrame:
    """Leave each column out in turn and give R² of segments, and of ridge regression, on rows that were held out.

    Parameters
    ----------
    X : (n, d) scaled columns, two or more; of more than `sample` rows so many are drawn
    k : segments

    Returns
    -------
    frame with a row a column: value, low, high (of segments), ridge; best known first
    """
    if X.shape[1] < 2:
        raise UsageError("one column alone: nothing is left to make segments from, if it is left out")
    rng = np.random.default_rng(seed)
    x = need_points(X)[np.sort(rng.permutation(len(X))[:sample])]
    fold = rng.permutation(len(x)) % FOLDS
    rows = {}
    for j, name in enumerate(X.columns):
        y, rest = x[:, j], np.delete(x, j, axis=1)
        off = np.empty((len(x), 3))
        for f in range(FOLDS):
            out = fold == f
            off[out] = np.square(y[out][:, None] - np.column_stack(_guesses(rest, y, out, k, seed)))
        segments, ridge = (ratio(off[:, 2] - off[:, i], off[:, 2], seed=seed) for i in (0, 1))
        rows[name] = [*segments, ridge.value]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high", "ridge"])
    return table.rename_axis("column").sort_values("value", ascending=False)


def _guesses(rest: Floats, y: Floats, out: NDArray[np.bool_], k: int, seed: int) -> Sequence[Floats]:
    """Guess y of the rows that are `out` by segments, by ridge, and by the mean of the others."""
    a, b, known = rest[~out], rest[out], y[~out]
    model = KMeans(k=k, n_init=3, seed=seed).fit(a)
    means = np.bincount(model.labels_, known, minlength=k) / np.bincount(model.labels_, minlength=k).clip(min=1)
    centre = a.mean(axis=0)
    w = np.linalg.solve(
        (a - centre).T @ (a - centre) + RIDGE * np.eye(a.shape[1]), (a - centre).T @ (known - known.mean())
    )
    return means[model.predict(b)], known.mean() + (b - centre) @ w, np.full(len(b), known.mean())
