"""How many people look alike in a table, and coarsening until it is k.

A quasi-identifier is what an outsider may know of somebody: age, place, day of the first purchase. Rows that agree in
all of them are a class, C. A table is

    k-anonymous if |C| ≥ k for every class (Sweeney 2002): who knows a row's quasi-identifiers finds k people or none,
    l-diverse if every class holds l different values of a sensitive column (Machanavajjhala et al. 2007); with
    entropy, l = min over C of exp(-Σ_s p_s log p_s), p_s the shares within the class.

Coarsening makes values alike: ages to bands, times to months, rare places to "other"; the few rows that stay alone
are taken out. Of all combinations of steps we take the one that loses least and leaves out no more rows than allowed
(full-domain generalisation with suppression: Samarati 2001). Loss is 1 - Prec of Sweeney (2002b), the mean over the
columns of steps taken / steps there are.

What k does not promise. A class in which all share a secret gives it away: l says so. Two tables of the same people
can be crossed. Columns that are not named as quasi-identifiers are not protected, free text and pseudonyms among
them. With few people, or if a person is recognised in spite of it, the table is still personal data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import UsageError, nearest
from smlab.coarsening import Ladder

SMALLEST, ALONE = "smallest class, k", "rows alone in their class"


def class_sizes(frame: pd.DataFrame, quasi: Sequence[str], *, person: str | None = None) -> pd.Series:
    """Count for each row the people who look the same, |C|; missing is a value like any other.

    Parameters
    ----------
    quasi : the quasi-identifiers
    person : the column that says who it is, where somebody has several rows: ten purchases of one are no crowd

    >>> people = pd.DataFrame({"age": [31, 31, 31, 58], "who": ["a", "b", "b", "c"]})
    >>> class_sizes(people, ["age"]).tolist(), class_sizes(people, ["age"], person="who").tolist()
    ([3, 3, 3, 1], [2, 2, 2, 1])
    """
    codes = _classes(frame, quasi)
    if person is None:
        return pd.Series(np.bincount(codes)[codes] if len(frame) else codes, index=frame.index)
    who = pd.factorize(_column(frame, person), use_na_sentinel=False)[0]
    pairs = pd.DataFrame({"class": codes, "who": who}).drop_duplicates()
    return pd.Series(np.bincount(pairs["class"])[codes] if len(frame) else codes, index=frame.index)


def k_anonymity(frame: pd.DataFrame, quasi: Sequence[str], *, person: str | None = None) -> int:
    """Give k, the size of the smallest class; 0 for a table without rows.

    >>> k_anonymity(pd.DataFrame({"age": [31, 31, 58, 58, 58]}), ["age"])
    2
    """
    return int(class_sizes(frame, quasi, person=person).min()) if len(frame) else 0


def l_diversity(frame: pd.DataFrame, quasi: Sequence[str], sensitive: str, *, entropy: bool = False) -> float:
    """Give l: in the class with least variety, the number of different values of `sensitive`, or exp of their entropy.

    1: somebody's secret is known as soon as the class is. The entropy's l is at most the other, for a class of 99 alike
    and one different tells nearly as much.

    >>> visits = pd.DataFrame({"age": [31, 31, 31, 31, 58, 58], "paid": ["no", "no", "no", "yes", "no", "yes"]})
    >>> l_diversity(visits, ["age"], "paid"), round(l_diversity(visits, ["age"], "paid", entropy=True), 3)
    (2.0, 1.755)
    """
    secret = pd.factorize(_column(frame, sensitive), use_na_sentinel=False)[0]
    if not len(frame):
        return 0.0
    counts = pd.DataFrame({"class": _classes(frame, quasi), "secret": secret}).value_counts(sort=False)
    by_class = counts.groupby(level="class")
    if not entropy:
        return float(by_class.size().min())
    p = counts / by_class.transform("sum")
    return float(np.exp((-p * np.log(p)).groupby(level="class").sum().min()))


def hide_small(counts: pd.Series, k: int = 5) -> pd.Series:
    """Hide counts of segments under k (missing in the result), and so many more that none is the total minus the rest.

    0 stays: it is nobody. The next smallest goes too while what is hidden adds up to less than k or is one segment
    alone, which anybody works out from the total.

    >>> hide_small(pd.Series({"loyal": 40, "new": 12, "lapsed": 2}), k=5).tolist()
    [40, <NA>, <NA>]
    """
    order = counts[counts > 0].sort_values(kind="stable")
    n = int((order < k).sum())
    while 0 < n < len(order) and (n == 1 or order.iloc[:n].sum() < k):
        n += 1
    return counts.astype("Int64").mask(counts.index.isin(order.index[:n]))


@dataclass(frozen=True)
class Anonymous:
    """A table that is k-anonymous, and how it became so.

    Parameters
    ----------
    frame : the rows that are left, their quasi-identifiers coarsened
    k : what was asked for; `k_anonymity(frame, quasi)` is this or more
    levels : step taken of each ladder
    suppressed : rows taken out
    loss : mean of steps taken / steps there are, 0 nothing lost, 1 all
    """

    frame: pd.DataFrame
    k: int
    ladders: Mapping[str, Ladder]
    levels: dict[str, int]
    suppressed: int
    loss: float

    @property
    def quasi(self) -> list[str]:
        """The quasi-identifiers."""
        return list(self.levels)

    def coarsen(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Coarsen another table in the same way, as an attacker would who knows the recipe; no row is taken out."""
        done = {name: self.ladders[name].steps[level](_column(frame, name)) for name, level in self.levels.items()}
        return frame.assign(**done)


def anonymise(
    frame: pd.DataFrame, ladders: Mapping[str, Ladder], *, k: int = 5, suppress: float = 0.05, person: str | None = None
) -> Anonymous:
    """Coarsen the quasi-identifiers as little as possible, so that each row has k - 1 others like it.

    Ties are broken by fewer rows taken out, then by coarsening the later columns first.

    Parameters
    ----------
    ladders : column -> its steps; these columns are the quasi-identifiers
    suppress : share of the rows that may be taken out, in [0, 1]
    person : the column that says who it is; each person has to have one row, for several tell each other apart

    Raises
    ------
    UsageError
        If there are fewer than k rows, or a person has several rows.

    >>> from smlab.coarsening import age_ladder
    >>> people = pd.DataFrame({"age": [31, 33, 36, 38, 52, 57, 58]})
    >>> done = anonymise(people, {"age": age_ladder()}, k=3)
    >>> done.frame["age"].value_counts().to_dict(), done.levels
    ({'30-39': 4, '50-59': 3}, {'age': 2})
    """
    _check(frame, ladders, k, suppress, person)
    coarse = {name: [step(frame[name]) for step in ladder.steps] for name, ladder in ladders.items()}
    codes = {name: [pd.factorize(c, use_na_sentinel=False)[0] for c in columns] for name, columns in coarse.items()}
    names, allowed = list(ladders), int(suppress * len(frame))

    def lonely(levels: Sequence[int]) -> int:
        ids = _combine([codes[name][level] for name, level in zip(names, levels, strict=True)])
        sizes = np.bincount(ids)
        return int(sizes[sizes < k].sum())

    tops = [len(ladders[name].steps) - 1 for name in names]
    # A step that fails with all else hidden fails everywhere (Incognito's subset property, LeFevre et al. 2005).
    able = [
        [a for a in range(top + 1) if lonely([*tops[:i], a, *tops[i + 1 :]]) <= allowed] for i, top in enumerate(tops)
    ]

    def loss(levels: Sequence[int]) -> float:
        return round(float(np.mean([level / top for level, top in zip(levels, tops, strict=True)])), 9)

    ranked = sorted(itertools.product(*able), key=lambda levels: (loss(levels), levels))
    for _, tied in itertools.groupby(ranked, key=loss):
        out, best = min((lonely(levels), levels) for levels in tied)
        if out <= allowed:
            break
    released = frame.assign(**{name: coarse[name][level] for name, level in zip(names, best, strict=True)})
    released = released[class_sizes(released, names) >= k]
    return Anonymous(released, k, dict(ladders), dict(zip(names, best, strict=True)), out, loss(best))


@dataclass(frozen=True)
class Report:
    """What a run says about privacy: figures before and after, and the same in sentences."""

    frame: pd.DataFrame
    sentences: list[str]

    def __str__(self) -> str:
        return " ".join(self.sentences)


def report(
    before: pd.DataFrame,
    done: Anonymous,
    *,
    sensitive: Sequence[str] = (),
    pseudonymised: Sequence[str] = (),
    more: Iterable[object] = (),
) -> Report:
    """Compare a table with what became of it.

    Parameters
    ----------
    before : the table that `done` was made of
    sensitive : columns whose variety within the classes is told (l-diversity)
    pseudonymised : columns that hold pseudonyms
    more : what else is to be told, a `redaction.Redacted` for instance: its `str` becomes a sentence

    >>> from smlab.coarsening import age_ladder
    >>> people = pd.DataFrame({"age": [31, 33, 36, 38, 52, 57, 58]})
    >>> print(report(people, anonymise(people, {"age": age_ladder()}, k=3)).sentences[0])
    Before, 7 of 7 rows (100%) were alone with their age: who knows that finds the person.
    """
    figures = pd.DataFrame(
        {"before": risk(before, done.quasi, sensitive), "after": risk(done.frame, done.quasi, sensitive)}
    )
    then, now, known = figures["before"], figures["after"], ", ".join(done.quasi)
    steps = "; ".join(f"{name}: {done.ladders[name].names[level]}" for name, level in done.levels.items())
    told = [
        f"Before, {then[ALONE]:,.0f} of {len(before):,} rows ({then[ALONE] / len(before):.0%}) were alone with their "
        f"{known}: who knows that finds the person.",
        f"Now each row has at least {now[SMALLEST] - 1:,.0f} others like it (asked for: {done.k - 1}), for which "
        f"{done.suppressed:,} rows ({done.suppressed / len(before):.1%}) were taken out; {steps}.",
    ]
    told += [
        f"Somewhere all who look alike share one {name}: to recognise the class is to know it."
        for name in sensitive
        if now[f"least different {name}"] == 1
    ]
    if pseudonymised:
        told.append(f"Pseudonyms stand in {', '.join(pseudonymised)}; with the key they lead back, and even without it "
                    "they tie the rows of one person together: still personal data (GDPR, recital 26).")  # fmt: skip
    return Report(figures, [*told, *map(str, more)])


def risk(frame: pd.DataFrame, quasi: Sequence[str], sensitive: Sequence[str] = ()) -> pd.Series:
    """Give the figures of a table with one row per person.

    The chance that somebody who knows the quasi-identifiers of a person in the table points to the right row is 1/|C|;
    its mean over the rows is the number of classes / the number of rows.

    >>> risk(pd.DataFrame({"age": [31, 31, 31, 58]}), ["age"])[["rows", "mean chance to be found"]].tolist()
    [4.0, 0.5]
    """
    sizes = class_sizes(frame, quasi)
    figures = {
        "rows": float(len(frame)),
        SMALLEST: float(k_anonymity(frame, quasi)),
        ALONE: float((sizes == 1).sum()),
        "mean chance to be found": float((1 / sizes).mean()),
        "greatest chance to be found": float((1 / sizes).max()),
    }
    for name in sensitive:
        figures[f"least different {name}"] = l_diversity(frame, quasi, name)
        figures[f"the same by entropy, {name}"] = l_diversity(frame, quasi, name, entropy=True)
    return pd.Series(figures)


def _check(frame: pd.DataFrame, ladders: Mapping[str, Ladder], k: int, suppress: float, person: str | None) -> None:
    if not ladders or k < 1 or not 0 <= suppress <= 1:
        raise UsageError(f"k={k} must be 1 or more, suppress={suppress} between 0 and 1, and a ladder be given")
    for name in ladders:
        _column(frame, name)
    if len(frame) < k:
        raise UsageError(f"{len(frame)} rows cannot hide anybody among k={k}")
    if person is not None and (again := _column(frame, person).duplicated()).any():
        raise UsageError(
            f"{int(again.sum()):,} rows are not the first of their {person!r}, and several rows of one person give it "
            "away; add them up to one row per person before"
        )


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        raise UsageError(f"the table has no column {name!r}; {nearest(str(name), map(str, frame.columns))}")
    return frame[name]


def _classes(frame: pd.DataFrame, quasi: Sequence[str]) -> NDArray[np.int64]:
    """Number the classes, (n,)."""
    return _combine([pd.factorize(_column(frame, name), use_na_sentinel=False)[0] for name in quasi], len(frame))


def _combine(codes: Sequence[NDArray[np.int64]], n: int = 0) -> NDArray[np.int64]:
    """Number the combinations of several codes; numbered anew after each, they never outgrow 64 bits."""
    ids = np.zeros(len(codes[0]) if codes else n, dtype=np.int64)
    for code in codes:
        ids = pd.factorize(ids * (code.max(initial=0) + 1) + code)[0]
    return ids
