"""How well are queries understood, and how well is seen which are none of ours?

Each query has what it was called, its true intent ("oos": none), and a score that is high where it looks like one of
ours. Refused is a query with a score below the threshold t:

    in-scope accuracy     share of the queries with an intent that are not refused and are called right
    OOS recall            share of the queries without one that are refused
    OOS precision         share of the refused queries that have no intent

as Larson et al. (2019) count them, where an in-scope query that is refused counts as wrong. All three are shares, with
Wilson's intervals; queries have to be independent. Threshold and score are chosen on the validation part alone: t is
the highest at which at most a share `lost` of its in-scope queries is called right and refused all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.calibration import wilson
from smlab.checks import UsageError, nearest
from smlab.classes import macro_f1
from smlab.metrics import Interval

OOS = "oos"
NOT_SCORES = ("text", "called")
Floats = NDArray[np.float64]


class Judged(NamedTuple):
    """What `judge` finds.

    Parameters
    ----------
    table : a row a classifier: score (the one chosen), threshold, validation (mean of accuracy and recall on that part:
        what a classifier may be chosen by), in_scope_accuracy, oos_recall, oos_precision,
        before_refusing (accuracy with nothing refused), macro_f1 (of the same), the shares as `Interval`
    answers : classifier → its answers to the test, with `true` and `refused`
    """

    table: pd.DataFrame
    answers: dict[str, pd.DataFrame]


def judge(
    validation: Mapping[str, pd.DataFrame],
    true_validation: ArrayLike,
    test: Mapping[str, pd.DataFrame],
    true_test: ArrayLike,
    *,
    lost: float = 0.01,
    score: str | None = None,
    level: float = 0.95,
) -> Judged:
    """Choose score and threshold of each classifier on the validation part, and judge it on the test.

    Where a part has no query without an intent, nothing is refused.

    Parameters
    ----------
    validation, test : classifier → its answers, see `intents.answers`
    lost : share of the in-scope queries of validation that may be called right and refused
    score : a column of the answers; None takes the one with the highest OOS recall on validation
    """
    rows: dict[str, dict[str, Any]] = {}
    kept: dict[str, pd.DataFrame] = {}
    for name, known in validation.items():
        y, held, answers = _true(true_validation, known), known, test[name].copy()
        chosen, t = choose(held, y, lost=lost, score=score) if (y == OOS).any() else ("probability", -np.inf)
        answers["true"], answers["refused"] = _true(true_test, answers), answers[chosen] < t
        kept[name] = answers
        before = figures(held.assign(true=y, refused=held[chosen] < t))
        known_rates = [before[rate].value for rate in ("in_scope_accuracy", "oos_recall") if rate in before]
        rows[name] = {"score": chosen, "threshold": t, "validation": float(np.mean(known_rates))}
        rows[name] |= figures(answers, level=level)
        inside = answers[answers["true"] != OOS]
        rows[name]["macro_f1"] = macro_f1(inside["true"], inside["called"])
    return Judged(pd.DataFrame.from_dict(rows, orient="index").rename_axis("classifier"), kept)


def choose(
    answers: pd.DataFrame, true: ArrayLike, *, lost: float = 0.01, score: str | None = None
) -> tuple[str, float]:
    """Choose on validation queries the score and the threshold; give both.

    >>> held = pd.DataFrame({"text": list("abcd"), "called": ["x", "x", "y", "y"], "margin": [0.9, 0.8, 0.7, 0.1]})
    >>> choose(held, ["x", "x", "y", "oos"], lost=0)
    ('margin', 0.7)
    """
    if not 0 <= lost < 1:
        raise UsageError(f"lost={lost} must be a share from 0 to below 1")
    scores = [str(name) for name in answers if name not in NOT_SCORES]
    if score is not None and score not in scores:
        raise UsageError(f"the answers have no score {score!r}; {nearest(score, scores)}")
    y, best = _true(true, answers), (scores[0], -np.inf, -1.0)
    for name in scores if score is None else [score]:
        x, inside = answers[name].to_numpy(float), y != OOS
        right = np.sort(x[inside & (answers["called"].to_numpy() == y)])
        may = min(int(lost * inside.sum()), len(right) - 1)  # refused although right
        t = float(right[may]) if len(right) else -np.inf
        recall = float((x[~inside] < t).mean())
        if recall > best[2]:
            best = (name, t, recall)
    return best[:2]


def figures(answers: pd.DataFrame, *, level: float = 0.95) -> dict[str, Interval]:
    """Judge answers with the columns called, true, refused; without queries out of scope, by accuracy alone."""
    called, true, refused = (answers[name].to_numpy() for name in ("called", "true", "refused"))
    inside = true != OOS
    right = called == true
    found = {"in_scope_accuracy": _share(right[inside] & ~refused[inside], level)}
    if not inside.all():
        found["oos_recall"] = _share(refused[~inside], level)
        found["oos_precision"] = _share(~inside[refused.astype(bool)], level)
    return {**found, "before_refusing": _share(right[inside], level)}


def curve(answers: pd.DataFrame, true: ArrayLike, score: str, *, points: int = 200) -> pd.DataFrame:
    """Give what thresholds do, a row each: threshold, accuracy (in scope), recall and precision (OOS)."""
    x, y = answers[score].to_numpy(float), _true(true, answers)
    inside = y != OOS
    right = inside & (answers["called"].to_numpy() == y)
    t = np.unique(np.quantile(x, np.linspace(0, 1, points)))
    below = {name: np.searchsorted(np.sort(x[rows]), t) for name, rows in
             {"right": right, "oos": ~inside, "all": np.ones(len(x), bool)}.items()}  # fmt: skip
    with np.errstate(invalid="ignore"):
        return pd.DataFrame({
            "threshold": t, "accuracy": (right.sum() - below["right"]) / inside.sum(),
            "recall": below["oos"] / (~inside).sum(), "precision": below["oos"] / below["all"],
        })  # fmt: skip


def confusions(answers: pd.DataFrame, k: int = 10) -> pd.DataFrame:
    """Give the k most frequent mistakes in words: true, taken_for, n, of, example, said.

    A refused query is taken for "oos".
    """
    frame = answers[["text", "true"]].assign(taken_for=answers["called"].mask(answers["refused"], OOS))
    of, wrong = frame["true"].value_counts(), frame[frame["true"] != frame["taken_for"]]
    found = wrong.groupby(["true", "taken_for"], as_index=False).agg(n=("text", "size"), example=("text", "first"))
    found = found.sort_values(["n", "true", "taken_for"], ascending=[False, True, True]).head(k).reset_index(drop=True)
    found.insert(3, "of", found["true"].map(of))
    found["said"] = [
        f"{n} of {m} queries {_named(a)} were {'refused' if b == OOS else f'taken for {b}'}, such as “{text}”"
        for a, b, n, m, text in zip(*(found[c] for c in ("true", "taken_for", "n", "of", "example")), strict=True)
    ]
    return found


def _named(intent: str) -> str:
    return "without an intent" if intent == OOS else f"on {intent}"


def _share(hits: NDArray, level: float) -> Interval:
    n = len(hits)
    low, high = wilson(np.array([hits.sum()]), np.array([n]), level=level)
    return Interval(float(hits.mean()) if n else float("nan"), float(low[0]), float(high[0]))


def _true(true: ArrayLike | Sequence[str], answers: pd.DataFrame) -> NDArray:
    y = np.asarray(true, dtype=object)
    if y.shape != (len(answers),) or not len(y):
        raise UsageError(
            f"{len(answers)} answers and {y.size} true intents: each query needs one, and there must be some"
        )
    return y
