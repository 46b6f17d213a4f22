"""Does a score rank headlines as readers did? Judged within tests, beside a coin, the truth, and what can be known.

Of each two headlines of a test the score should be higher for the one that was clicked more. But counts are small, and
the one that was clicked more is often not the better one. With q_ij the chance that the headline that did better is
better indeed, by rates drawn from the posterior of `headlines.headline_rates`:

    ceiling = mean q_ij                                  what who knew all true rates would get
    known   = ½ + ½ (pairs - ½) / (ceiling - ½)          share of the true orders that the score has right

The second: a score that has the true order with chance a_ij, whatever the luck of the counts, agrees with them with
chance a q + (1 - a)(1 - q), so (pairs - ½) / (ceiling - ½) = Σ (2a - 1)(2q - 1) / Σ (2q - 1), and `known` is the mean
of a_ij weighted by 2 q_ij - 1, that is by how well the pair's order is known at all. Only for scores that have not seen
the counts.

`lift` is what counts: clicks when each test shows its highest score alone, beside the even split. It needs no model:
the rate of a headline picked without a look at its clicks is as likely too high as too low.

Where arms that are alike scatter more than chance, differences are less sure than counts say: `scatter` measures by how
much, and `judge(..., scatter=φ)` takes each count for one φ-th of it. Pairs of one test go together, so intervals are
over stories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.auc import z_value
from smlab.checks import UsageError, nearest
from smlab.headlines import headline_rates
from smlab.metrics import Interval, bootstrap
from smlab.pooling import dispersion

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEEDED = ("story", "test", "text", "week", "clicks", "impressions")
PARTS = ("train", "validation", "test")
COIN, CEILING = "a coin", "true click rates"


class Split(NamedTuple):
    """Tests in order of time, cut where a week begins.

    Parameters
    ----------
    train, validation, test : rows of `headline_tests`
    alike : stories left out, since a later part has a headline like one of theirs: text, later, cosine
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    alike: pd.DataFrame

    @property
    def counts(self) -> pd.DataFrame:
        """Stories, tests, headlines and pairs of each part, and its first and last week."""
        parts = {name: getattr(self, name) for name in PARTS}
        rows = {
            name: {
                "from": p["week"].min(), "to": p["week"].max(), "stories": p["story"].nunique(),
                "tests": p["test"].nunique(), "headlines": len(p), "pairs": len(_pairs(p)[0]),
            }
            for name, p in parts.items()
        }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index")


def headline_tests(frame: pd.DataFrame) -> pd.DataFrame:
    """Give what can be compared by the headline alone: arms of one test that show the same picture.

    Parameters
    ----------
    frame : of `experiments.load_experiment("upworthy")`: test, arm, picture, week, impressions, clicks

    Returns
    -------
    A row a headline: story (the test of the file), test (story and picture), text, week, impressions, clicks. Arms with
    the same headline and picture are added up; unknown pictures, and what then stands alone, are left out

    >>> frame = pd.DataFrame({"test": "t", "arm": ["A", "B", "A"], "picture": ["p", "p", "q"], "week": 201_401,
    ...                       "impressions": [1000.0, 1000.0, 900.0], "clicks": [10.0, 20.0, 9.0]})
    >>> headline_tests(frame)[["test", "text", "clicks"]].values.tolist()
    [['t p', 'A', 10.0], ['t p', 'B', 20.0]]
    """
    known = frame[frame["picture"] != "unknown"].rename(columns={"test": "story", "arm": "text"})
    known = known.assign(test=known["story"] + " " + known["picture"])
    arms = known.groupby(["story", "test", "text"], sort=False)
    rows = arms.agg(week=("week", "min"), impressions=("impressions", "sum"), clicks=("clicks", "sum")).reset_index()
    return rows[rows.groupby("test")["text"].transform("size") > 1].reset_index(drop=True)


def scatter(frame: pd.DataFrame) -> float:
    """Give φ of arms with the same headline and picture in the same test: 1 if they differ by chance alone.

    >>> arms = {"test": "t", "arm": "A", "picture": "p", "impressions": 1000.0}
    >>> round(scatter(pd.DataFrame({**arms, "clicks": [10.0, 20.0, 30.0]})), 1)
    5.1
    """
    arms = frame.groupby(["test", "arm", "picture"])
    clicks, shown = (arms[name].transform("sum") for name in ("clicks", "impressions"))
    again = (arms["clicks"].transform("size") > 1) & (clicks > 0) & (clicks < shown)
    if not again.any():
        raise UsageError("no test has a headline with the same picture twice: nothing shows how equal arms scatter")
    some = frame[again]
    n_groups = some.groupby(["test", "arm", "picture"]).ngroups
    return dispersion(some["clicks"], some["impressions"], (clicks / shown)[again], n_groups)


def split_by_time(
    tests: pd.DataFrame, *, shares: tuple[float, float, float] = (0.6, 0.2, 0.2), alike: float | None = 0.5
) -> Split:
    """Cut tests into train, validation and test by their weeks; stories that come again stay in the last part alone.

    Parameters
    ----------
    shares : of the stories, about, since a week stays whole
    alike : cosine of the TF-IDF of runs of four characters from which two headlines are one; None looks for none, as
        in `headlineworld`, whose stories are all made of the same words
    """
    _need(tests)
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9 or not (alike is None or 0 < alike <= 1):
        raise UsageError(f"shares={shares} must be three parts of 1, and alike={alike} above 0 and at most 1")
    weeks = tests.groupby("story")["week"].min().sort_values()
    cuts = weeks.iloc[[int(len(weeks) * s) for s in (shares[0], shares[0] + shares[1])]].to_numpy()
    part = np.searchsorted(cuts, tests["story"].map(weeks).to_numpy(), side="right")
    first, later, cosine = _alike(tests["text"].tolist(), part, 2.0 if alike is None else alike)
    pairs = {"story": tests["story"].to_numpy()[first], "text": tests["text"].to_numpy()[first]}
    found = pd.DataFrame({**pairs, "later": tests["text"].to_numpy()[later], "cosine": cosine})
    left = ~tests["story"].isin(found["story"]).to_numpy()
    train, validation, test = (tests[left & (part == i)].reset_index(drop=True) for i in range(3))
    if empty := [name for name, p in zip(PARTS, (train, validation, test), strict=True) if p.empty]:
        raise UsageError(
            f"no test is left for {empty[0]}: {len(weeks)} stories of {weeks.nunique()} weeks are too few, or too alike"
        )
    return Split(
        train, validation, test, found.sort_values("cosine", ascending=False, kind="stable").reset_index(drop=True)
    )


def judge(
    tests: pd.DataFrame,
    scores: Mapping[str, ArrayLike],
    *,
    baseline: str | None = None,
    scatter: float = 1.0,
    draws: int = 100,
    level: float = 0.95,
    n: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge scores by tests that they have not seen, one row for each, a coin and the true click rates beside them.

    Parameters
    ----------
    tests : rows of `headline_tests`
    scores : {name: (n_headlines,)}, of models that have not seen the clicks
    baseline : the score that the others have to beat in `pairs`
    scatter : φ of `scatter`; 1 takes all differences beyond chance for differences of headlines
    draws : of the true rates
    n : resamples

    Returns
    -------
    Intervals over stories: pairs (share ranked as the click rates were; ties count half), clear (the same of pairs
    whose rates differ at the level), known (see above), lift (of clicks over the even split), and with a baseline gain
    """
    _need(tests)
    if not (0 < scatter < np.inf and draws >= 1):
        raise UsageError(f"scatter={scatter} must be finite and above 0, and draws={draws} a whole number from 1")
    if baseline is not None and baseline not in scores:
        raise UsageError(f"there is no score {baseline!r} to compare with; {nearest(str(baseline), list(scores))}")
    values = {str(name): _one_each(str(name), s, tests) for name, s in scores.items()}
    i, j = _pairs(tests)
    k, shown = (tests[name].to_numpy(dtype=float) for name in ("clicks", "impressions"))
    rate = k / np.maximum(shown, 1)
    seen = np.sign(rate[i] - rate[j])
    clear = np.abs(_z(k, shown, i, j)) > z_value(level) * np.sqrt(scatter)
    thinned = tests.assign(clicks=k / scatter, impressions=shown / scatter)
    truth = headline_rates(thinned, n=draws, seed=seed)
    true = np.mean([_right(p, i, j, seen) for p in truth], axis=0)
    story = pd.factorize(tests["story"])[0]
    right = {COIN: np.full(len(i), 0.5), **{m: _right(s, i, j, seen) for m, s in values.items()}, CEILING: true}
    even, best = _even(tests, rate), np.mean([_picked(tests, p, p) - _even(tests, p) for p in truth], axis=0)
    more = {COIN: 0 * even, **{m: _picked(tests, s, rate) - even for m, s in values.items()}, CEILING: best}

    def share(part: Floats, whole: Floats, of: Ints) -> Interval:
        sums = [np.bincount(of, x, story.max() + 1).astype(float) for x in (part, whole)]
        return _ratio(sums[0], sums[1], level, n, seed)

    per_test, ones = story[~tests["test"].duplicated().to_numpy()], np.ones(len(i))
    table: dict[str, dict[str, Interval]] = {}
    for name, r in right.items():
        table[name] = {
            "pairs": share(r, ones, story[i]), "clear": share(r[clear], ones[clear], story[i][clear]),
            "known": Interval(*(0.5 + 0.5 * x for x in share(r - 0.5, true - 0.5, story[i]))),
            "lift": share(more[name], even, per_test),
        }  # fmt: skip
        if baseline is not None and name != baseline:
            table[name]["gain"] = share(r - right[baseline], ones, story[i])
    return pd.DataFrame.from_dict(table, orient="index")


def _pairs(tests: pd.DataFrame) -> tuple[Ints, Ints]:
    """Give the rows of all pairs within tests, (n_pairs,) each."""
    rows = [
        np.asarray(r)[np.array(np.triu_indices(len(r), 1))] for r in tests.groupby("test", sort=False).indices.values()
    ]
    i, j = np.concatenate(rows, axis=1)
    return i, j


def _right(score: Floats, i: Ints, j: Ints, seen: Floats) -> Floats:
    """Say of each pair whether the score has it as the clicks had it: 1, 0, or ½ for a tie of either."""
    return 0.5 + 0.5 * np.sign(score[i] - score[j]) * seen


def _z(k: Floats, n: Floats, i: Ints, j: Ints) -> Floats:
    """Give the z of two shares with a common variance, (n_pairs,); 0 where nobody or everybody clicked."""
    p = (k[i] + k[j]) / (n[i] + n[j])
    spread = np.sqrt(p * (1 - p) * (1 / n[i] + 1 / n[j]))
    return np.divide(k[i] / n[i] - k[j] / n[j], spread, out=np.zeros(len(i)), where=spread > 0)


def _even(tests: pd.DataFrame, rate: Floats) -> Floats:
    """Give the clicks of the even split, (n_tests,), in order of first appearance."""
    by = tests.assign(rate=rate).groupby("test", sort=False)
    return (by["impressions"].sum() * by["rate"].mean()).to_numpy()


def _picked(tests: pd.DataFrame, score: Floats, rate: Floats) -> Floats:
    """Give the clicks where each test shows its highest score alone, (n_tests,); ties share the traffic."""
    data = tests.assign(rate=rate, score=score)
    top = data[data["score"] == data.groupby("test", sort=False)["score"].transform("max")]
    shown = tests.groupby("test", sort=False)["impressions"].sum()
    return (shown * top.groupby("test")["rate"].mean().loc[shown.index]).to_numpy()


def _ratio(part: Floats, whole: Floats, level: float, n: int, seed: int) -> Interval:
    """Give Σ part / Σ whole with its interval over stories."""

    def ratio(rows: NDArray, axis: int) -> Floats:
        at = rows.astype(int)
        return part[at].sum(axis=axis) / np.maximum(whole[at].sum(axis=axis), 1e-300)

    return bootstrap(np.arange(len(part)), ratio, n=n, level=level, seed=seed)


def _alike(texts: list[str], part: Ints, least: float) -> tuple[Ints, Ints, Floats]:
    """Find headlines that are like one of a later part: their rows, the later rows, the cosines."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    X = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4), sublinear_tf=True, dtype=np.float32).fit_transform(
        texts
    )
    found: list[tuple[Ints, Ints, Floats]] = []
    for start in range(0, len(texts), 500):  # all cosines at once would fill the memory
        S = (X[start : start + 500] @ X.T).tocoo()
        near = (S.data >= least) & (part[S.row + start] < part[S.col])
        found.append((S.row[near] + start, S.col[near], S.data[near]))
    first, later, cosine = (np.concatenate(x) for x in zip(*found, strict=True))
    return first, later, cosine


def _need(tests: pd.DataFrame) -> None:
    have = [str(c) for c in tests.columns]
    for name in NEEDED:
        if name not in have:
            raise UsageError(f"headline tests need the column {name!r}; {nearest(name, have)}")
    if tests.empty or tests.groupby("test")["text"].size().min() < 2 or not (tests["impressions"] > 0).all():
        raise UsageError("each test needs two headlines or more, and each of them impressions")


def _one_each(name: str, score: ArrayLike, tests: pd.DataFrame) -> Floats:
    found = np.asarray(score, dtype=float)
    if found.shape != (len(tests),) or not np.isfinite(found).all():
        raise UsageError(
            f"{name!r} has scores of shape {found.shape}; each of {len(tests)} headlines needs a finite one"
        )
    return found
