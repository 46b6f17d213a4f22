"""What makes a segment, in a sentence; and which segment is a new customer in?

A decision tree asks one question at a time, and each leaf ℓ is the product of the questions on the way to it:

    f(x) = Σ_ℓ c_ℓ 1{x in R_ℓ},    1{x in R_ℓ} = Π over the questions on its path of 1{x_j ≤ t or x_j > t}

The regions R_ℓ do not overlap and leave nothing out, so exactly one term is 1: the answer is the branch that x goes
down, not a sum over questions. A shallow tree that imitates the segments (a surrogate) is a description of them.

The questions are written in the columns' own units and with the roundest number that asks the same of the customers
here. `predict` goes by what is written.

References: Breiman, Friedman, Olshen & Stone (1984), Classification and regression trees; Cover & Hart (1967), Nearest
neighbor pattern classification; Craven & Shavlik (1996), Extracting tree-structured representations of trained
networks (fidelity).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.kmeans import Floats, Ints, need_points
from smlab.metrics import Interval, bootstrap


@dataclass(frozen=True)
class Leaf:
    """The customers with low < x ≤ high in every column, all of whom the tree gives one segment."""

    segment: int
    low: Floats
    high: Floats

    def holds(self, x: Floats) -> NDArray[np.bool_]:
        """Say which rows of x (n, d) are in it."""
        return np.all((x > self.low) & (x <= self.high), axis=1)


class Rules:
    """Describe segments by the rules of a shallow decision tree (scikit-learn's).

    Learnt: `rules_`, a frame with a row a rule: segment, rule, n and share of all customers that it covers, precision
    (how many of them are of the segment) and recall (how much of the segment it covers); `names_`, segment → sentence;
    `fidelity_`, the share of customers left out of the fitting whose segment the tree gets right, with its interval.

    Parameters
    ----------
    max_depth : questions one after another, at most
    min_share : a rule covers this share of the customers or more
    words : column → phrase with {} for the comparison, say {"recency": "last order {} days ago"}; without a phrase the
        column's name goes in front. Of a column of yes and no the name alone is the phrase.

    >>> frame = pd.DataFrame({"recency": [3, 9, 30, 90, 99, 300], "frequency": [5, 4, 9, 1, 8, 2]})
    >>> words = {"recency": "recency {} days", "frequency": "{} orders"}
    >>> rules = Rules(words=words, min_share=0.1).fit(frame, [0, 0, 0, 1, 2, 1])
    >>> rules.names_[0], rules.names_[1]
    ('recency at most 60 days', 'recency at least 61 days and at most 5 orders')
    >>> rules.predict(pd.DataFrame({"recency": [61], "frequency": [6]})).tolist()
    [2]
    """

    rules_: pd.DataFrame
    names_: dict[int, str]
    fidelity_: Interval
    leaves_: list[Leaf]

    def __init__(
        self, *, max_depth: int = 3, min_share: float = 0.02, words: Mapping[str, str] | None = None, seed: int = 0
    ) -> None:
        if max_depth < 1 or not 0 <= min_share < 0.5:
            raise UsageError(f"max_depth={max_depth} must be 1 or more and min_share={min_share:g} lie in [0, 0.5)")
        self.max_depth, self.min_share, self.words, self.seed = max_depth, min_share, dict(words or {}), seed

    def fit(self, frame: pd.DataFrame, labels: ArrayLike) -> Self:
        """Learn from the customers' columns in their own units, (n, d), and their segments (n,).

        Raises
        ------
        UsageError
            For columns that are no numbers, a label too many or too few, or a single segment.
        """
        x, z = need_points(frame), np.asarray(labels)
        if z.shape != (len(x),) or len(np.unique(z)) < 2:
            raise UsageError(f"{len(x)} customers need a segment each, and 2 segments or more; labels: {z.shape}")
        self.columns_ = [str(c) for c in frame.columns]
        self.whole_ = (x == np.floor(x)).all(axis=0)
        self.binary_ = self.whole_ & np.isin(x, (0, 1)).all(axis=0)
        self.leaves_ = _leaves(self._tree().fit(x, z), x)
        self.fidelity_ = self._held_out(x, z)
        self.rules_ = pd.DataFrame([self._row(leaf, x, z) for leaf in self.leaves_])
        self.rules_ = self.rules_.sort_values(["segment", "n"], ascending=[True, False], ignore_index=True)
        told = self.rules_.groupby("segment")["rule"].agg("; or ".join).to_dict()
        self.names_ = {int(s): told.get(s, f"not told apart by {self.max_depth} questions") for s in np.unique(z)}
        return self

    def predict(self, frame: pd.DataFrame) -> Ints:
        """Give each customer the segment of the rule that applies (n,); exactly one does."""
        absent = [c for c in self.columns_ if c not in frame]
        if absent:
            raise UsageError(f"the column {absent[0]!r} is missing; the rules ask for {', '.join(self.columns_)}")
        return _predict(self.leaves_, need_points(frame[self.columns_]))

    def _tree(self) -> Any:
        from sklearn.tree import DecisionTreeClassifier

        least = max(self.min_share, 1e-9)
        return DecisionTreeClassifier(max_depth=self.max_depth, min_samples_leaf=least, random_state=self.seed)

    def _held_out(self, x: Floats, z: Ints) -> Interval:
        """Fit on four fifths, compare on the fifth, in turn."""
        right = np.empty(len(x))
        for fold in np.array_split(np.random.default_rng(self.seed).permutation(len(x)), min(5, len(x))):
            rest = np.setdiff1d(np.arange(len(x)), fold)
            right[fold] = _predict(_leaves(self._tree().fit(x[rest], z[rest]), x[rest]), x[fold]) == z[fold]
        return bootstrap(right, seed=self.seed)

    def _row(self, leaf: Leaf, x: Floats, z: Ints) -> dict[str, Any]:
        covered, mine = leaf.holds(x), z == leaf.segment
        both = (covered & mine).sum()
        found = {"segment": leaf.segment, "rule": self._sentence(leaf), "n": int(covered.sum())}
        return found | {"share": covered.mean(), "precision": both / covered.sum(), "recall": both / mine.sum()}

    def _sentence(self, leaf: Leaf) -> str:
        said = [self._phrase(j, leaf.low[j], leaf.high[j]) for j in range(len(self.columns_))]
        return " and ".join(phrase for phrase in said if phrase) or "everybody"

    def _phrase(self, j: int, low: float, high: float) -> str:
        """Put low < x_j ≤ high into words; nothing where neither end is bound."""
        name = self.columns_[j]
        if np.isinf(low) and np.isinf(high):
            return ""
        if self.binary_[j]:
            return name if low >= 0 else f"not {name}"
        return self.words.get(name, f"{name} {{}}").format(in_words(low, high, whole=bool(self.whole_[j])))


def in_words(low: float, high: float, *, whole: bool) -> str:
    """Put low < x ≤ high into words.

    >>> in_words(3, 9, whole=True), in_words(3, np.inf, whole=True), in_words(2.5, 8, whole=False)
    ('4 to 9', 'at least 4', 'above 2.5 and up to 8')
    """
    above = f"{low + 1:,.0f}" if whole else f"{low:,.12g}"
    upto = f"{high:,.12g}"
    if np.isinf(low):
        return f"at most {upto}"
    if np.isinf(high):
        return f"at least {above}" if whole else f"above {above}"
    if not whole:
        return f"above {above} and up to {upto}"
    return above if low + 1 == high else f"{above} to {upto}"


def roundest(below: float, above: float, *, whole: bool = False) -> float:
    """Give the number t with the fewest digits for which below ≤ t < above.

    >>> roundest(27, 45, whole=True), roundest(1234.56, 1234.59), roundest(-0.4, 0.3)
    (40.0, 1234.57, 0.0)
    """
    if below <= 0 < above:
        return 0.0
    largest = int(np.floor(np.log10(max(abs(below), abs(above)))))
    for digit in range(largest, 0 if whole else largest - 16, -1):
        step = 10.0**digit
        middle = round(float(np.round((below + above) / 2 / step) * step), max(-digit, 0))
        first = round(float(np.ceil(below / step) * step), max(-digit, 0))
        for t in (middle, first):
            if below <= t < above:
                return t
    return float(np.floor(below)) if whole else float(below)


def _leaves(tree: Any, x: Floats) -> list[Leaf]:
    """Walk down the tree; two leaves of one question and one segment become one."""
    t, whole = tree.tree_, (x == np.floor(x)).all(axis=0)
    values = [np.unique(column) for column in x.T]

    def walk(node: int, low: Floats, high: Floats) -> list[Leaf]:
        if t.children_left[node] < 0:
            return [Leaf(int(tree.classes_[t.value[node, 0].argmax()]), low, high)]
        j = int(t.feature[node])
        at = int(np.searchsorted(values[j], t.threshold[node], side="right"))
        at = min(max(at, 1), len(values[j]) - 1)  # scikit-learn compares in single precision
        cut = roundest(values[j][at - 1], values[j][at], whole=bool(whole[j]))
        upto, above = high.copy(), low.copy()
        upto[j] = above[j] = cut
        found = walk(t.children_left[node], low, upto) + walk(t.children_right[node], above, high)
        return [Leaf(found[0].segment, low, high)] if len({leaf.segment for leaf in found}) == 1 else found

    return walk(0, np.full(x.shape[1], -np.inf), np.full(x.shape[1], np.inf))


def _predict(leaves: list[Leaf], x: Floats) -> Ints:
    z = np.empty(len(x), dtype=np.int64)
    for leaf in leaves:
        z[leaf.holds(x)] = leaf.segment
    return z


class Nearest:
    """Put new customers into the segment of most of their k nearest known ones (scikit-learn's search).

    Distances are those of the scaled columns that the segments were made from.

    >>> known = Nearest(k=3).fit([[0], [1], [2], [8], [9]], [0, 0, 0, 1, 1])
    >>> known.predict([[1.2], [8.4]]).tolist(), known.shares([[8.4]]).round(2).tolist()
    ([0, 1], [[0.33, 0.67]])
    """

    def __init__(self, *, k: int = 15) -> None:
        if k < 1:
            raise UsageError(f"k={k} neighbours: 1 or more are needed")
        self.k = k

    def fit(self, X: ArrayLike, labels: ArrayLike) -> Self:
        """Keep the points (n, d) and their segments (n,)."""
        from sklearn.neighbors import KNeighborsClassifier

        x, z = need_points(X), np.asarray(labels)
        if z.shape != (len(x),):
            raise UsageError(f"{len(x)} customers need a segment each; labels: {z.shape}")
        self._search = KNeighborsClassifier(n_neighbors=min(self.k, len(x))).fit(x, z)
        self.segments_ = self._search.classes_
        return self

    def shares(self, X: ArrayLike) -> Floats:
        """Give the share of each segment among the neighbours (n, number of segments), in the order of `segments_`."""
        return np.asarray(self._search.predict_proba(need_points(X)))

    def predict(self, X: ArrayLike) -> Ints:
        """Give the segment of most neighbours (n,); of equals the first."""
        return np.asarray(self.segments_[self.shares(X).argmax(axis=1)])
