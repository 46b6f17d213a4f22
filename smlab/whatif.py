"""What does a change of a post gain, how sure is that, and what is not put right? Effects from posts as they were.

Posts are not randomised: good posts may go out in the evening because they are good. For a form a of a post (evening,
no link), with W all else that was known before publishing, cross-fitted over blocks of whole days:

    expected       m_a(W) = E[Y | a, W]     by any model; averaged over the author's posts: g-computation, an S-learner
    chosen         π_a(W) = P(a | W)        by logistic regression
    doubly robust  φ_a = m_a + 1[a]/π_a (Y - m_a)     right if either is right (AIPW)
    gain           mean of φ_a - φ_b, b the other form, or of φ_a - Y against the author's habit

The weights 1[a]/π_a are divided by their mean (Hájek), and posts that almost never get the form, π_a < trim · P(a),
are left out and counted. Posts of a day share the news, so days are what is drawn: se² = Σ_days (Σ φ - mean)² / n²
with t of as many days as had such a post; a bootstrap of days stands beside it.

All this holds if nothing unseen moves both the form and the outcome. What is not in W is not put right.

References: Robins, Rotnitzky & Zhao (1994), augmented weighting; Crump et al. (2009), trimming for overlap;
Chernozhukov et al. (2018), double machine learning (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlab.checks import UsageError, nearest
from smlab.ctr import LogisticRegression
from smlab.metrics import Interval
from smlab.served import holm

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Change = Mapping[str, str]
Learn = Callable[[pd.DataFrame, Floats], Callable[[pd.DataFrame], Floats]]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
UNSEEN = (
    "This holds if nothing that is not in the table moved both the form of a post and its success; "
    "something unseen, such as the news of the hour, would not be put right."
)


def levels(column: pd.Series) -> list[str]:
    """Give the values that occur, weekdays in their order."""
    return sorted(map(str, column.unique()), key=lambda v: (DAYS.index(v) if v in DAYS else -1, v))


def ridge(X: pd.DataFrame, y: Floats, *, reg: float = 1.0) -> Callable[[pd.DataFrame], Floats]:
    """Fit y = α + Xβ with the penalty reg ‖β‖² and give the function that predicts."""
    A = X.to_numpy(dtype=float)
    centre = A.mean(axis=0)
    B = A - centre
    beta = np.linalg.solve(B.T @ B + reg * np.eye(B.shape[1]), B.T @ (y - y.mean()))
    return lambda Z: cast(Floats, y.mean() + (Z.to_numpy(dtype=float) - centre) @ beta)


class Effect(NamedTuple):
    """What a change gains, in the unit of the outcome.

    Parameters
    ----------
    gain, p : doubly robust, its interval and p-value from the influence values
    bootstrap : the same gain with the interval of days drawn anew
    model : g-computation alone
    naive : the plain difference of means
    n : posts that have the form already (the fewer of two forms)
    overlap : share of posts that count: the others almost never get this form
    phi : (n_posts,) influence values, whose mean is the gain; NaN for posts left out
    """

    gain: Interval
    p: float
    bootstrap: Interval
    model: float
    naive: float
    n: int
    overlap: float
    phi: Floats


class Study:
    """The posts of one author, ready to be asked what a change gains.

    Parameters
    ----------
    form : in order of time: day, and columns in words (`nextpost.forms`); where news last longer put the week into day
    context : (n, d) numbers known before publishing that may move form and outcome: own level of late, trend, topic
    y : (n,) outcome: 0/1 for worked, else log1p of reactions relative to the author's usual level
    learn : takes a frame of numbers and y, gives the function that predicts; a model that is already fitted on other
        posts is `lambda X, y: model.predict`
    n_folds : blocks of days; a block is judged by models of all others or, with `forward`, of those before it, and
        the first is then not judged
    trim : posts with π_a below trim · P(a) are left out

    >>> form = pd.DataFrame({"day": np.repeat(range(50), 4), "link": ["yes", "no"] * 100})
    >>> form["link"] = form["link"].where(np.arange(200) % 7 > 0, "no")
    >>> y = 0.5 * (form["link"] == "no") + np.arange(200) % 3
    >>> study = Study(form, pd.DataFrame({"trend": np.arange(200.0)}), y)
    >>> f"{study.effect({'link': 'no'}, {'link': 'yes'}).gain:.1f}"
    '0.5 [0.3, 0.7]'
    """

    def __init__(
        self,
        form: pd.DataFrame,
        context: pd.DataFrame,
        y: ArrayLike,
        *,
        learn: Learn = ridge,
        n_folds: int = 5,
        forward: bool = False,
        trim: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.y, self.trim = np.asarray(y, dtype=float), trim
        how: dict[str, Any] = {"learn": learn, "n_folds": n_folds, "forward": forward, "trim": trim, "seed": seed}
        self._given = form, context, how
        n = len(form)
        _check(form, context, self.y, n_folds, trim)
        self.form, self.day = form.drop(columns="day").reset_index(drop=True).astype(str), pd.factorize(form["day"])[0]
        self.log = not np.isin(self.y, (0, 1)).all()
        hot = {f"{c}={v}": self.form[c] == v for c in self.form for v in levels(self.form[c])}
        known = (context - context.mean()) / context.std(ddof=0).replace(0, 1.0)
        self.X = pd.concat([pd.DataFrame(hot), known.reset_index(drop=True)], axis=1).astype(float)
        block = np.unique(self.day, return_index=True)[1][self.day] * n_folds // n  # whole days, about as many posts
        judged = [b for b in range(int(forward), n_folds) if b in block]
        self.folds = [(block < b if forward else block != b, block == b) for b in judged]
        n_days = int(self.day[-1]) + 1
        self._drawn = np.random.default_rng(seed).multinomial(n_days, np.full(n_days, 1 / n_days), 1000)  # (B, n_days)
        self.scored = np.logical_or.reduce([at for _, at in self.folds])
        self._sides: dict[tuple[tuple[str, str], ...], _Side] = {}
        self.models = [learn(self.X[fit], self.y[fit]) for fit, _ in self.folds]

    def part(self, rows: Rows) -> Study:
        """Give the study of these posts alone: its models have seen no other."""
        form, context, how = self._given
        return Study(form[rows], context[rows], self.y[rows], **how)

    def matches(self, change: Change) -> Rows:
        """Say which posts have the form already (n,)."""
        if not change:
            raise UsageError("a change names at least one column and its value, such as {'link': 'no'}")
        for name, value in change.items():
            if name not in self.form:
                raise UsageError(f"posts have no {name!r}; {nearest(name, map(str, self.form))}")
            if value not in (known := levels(self.form[name])):
                raise UsageError(f"no post has {name} {value!r}; {nearest(value, known)}")
        return cast(Rows, np.logical_and.reduce([self.form[c] == v for c, v in change.items()]))

    def effect(self, change: Change, instead: Change | None = None, *, rows: Rows | None = None) -> Effect:
        """Estimate what the change gains against the form `instead` or, without one, against the author's habit.

        `rows` (n,) are the posts that judge; all that a block judges if not given.
        """
        sides = [self._side(c) for c in (change, instead) if c is not None]
        judged = self.scored if rows is None else self.scored & rows
        keep = np.logical_and.reduce([judged, *(side.chosen >= self.trim * side.has.mean() for side in sides)])
        if not all((side.has & keep).any() for side in sides):
            raise UsageError(f"too few posts are like {called(change)!r} to say anything")
        base = sides[1] if instead is not None else None
        phi = np.full(len(keep), np.nan)
        phi[keep] = (sides[0].values(self.y, keep) - (base.values(self.y, keep) if base else self.y))[keep]
        gain, p = self.infer(phi, min(self.n_days(side.has & keep) for side in sides))
        low, high = np.quantile(self.resample(phi[:, None]), [0.025, 0.975])
        return Effect(
            gain=gain,
            p=p,
            bootstrap=Interval(gain.value, float(low), float(high)),
            model=float((sides[0].expected - (base.expected if base else self.y))[keep].mean()),
            naive=float(self.y[sides[0].has & judged].mean() - self.y[base.has & judged if base else judged].mean()),
            n=min(int((side.has & judged).sum()) for side in sides),
            overlap=float(keep.sum() / judged.sum()),
            phi=phi,
        )

    def infer(self, phi: Floats, days: int) -> tuple[Interval, float]:
        """Give the mean of φ with its interval, and the p-value of 0; `days` had a post of the form."""
        on = ~np.isnan(phi)
        mean, n, freedom = float(phi[on].mean()), int(on.sum()), max(days - 1, 1)
        error = float(np.sqrt((np.bincount(self.day[on], phi[on] - mean) ** 2).sum())) / n
        half = float(stats.t.ppf(0.975, freedom)) * error
        return Interval(mean, mean - half, mean + half), float(2 * stats.t.sf(abs(mean) / max(error, 1e-300), freedom))

    def resample(self, columns: Floats) -> Floats:
        """Draw days with replacement a thousand times, give the means of the columns (n, q) without NaN: (1000, q)."""
        D = self._drawn.shape[1]
        sums, counts = (
            np.column_stack([np.bincount(self.day, column, minlength=D) for column in part.T])
            for part in (np.nan_to_num(columns), (~np.isnan(columns)).astype(float))
        )
        return cast(Floats, (self._drawn @ sums) / np.maximum(self._drawn @ counts, 1e-12))

    def n_days(self, rows: Rows) -> int:
        """Count the days of these posts."""
        return len(np.unique(self.day[rows]))

    def _side(self, change: Change) -> _Side:
        """Predict the outcome under the form, and the chance of the form from all else, block by block; keep both."""
        key, has = tuple(sorted(change.items())), self.matches(change)
        if key in self._sides:
            return self._sides[key]
        set_to = {f"{c}={v}": float(v == value) for c, value in change.items() for v in levels(self.form[c])}
        changed, W = self.X.assign(**set_to), self.X.drop(columns=list(set_to)).to_numpy()
        expected, chosen = np.full((2, len(has)), np.nan)
        for model, (fit, at) in zip(self.models, self.folds, strict=True):
            expected[at] = model(changed[at])
            if 0 < has[fit].sum() < fit.sum():
                propensity = LogisticRegression(reg=1 / int(fit.sum()), tolerance=1e-6)
                chosen[at] = propensity.fit(W[fit], has[fit]).predict_proba(W[at])
        self._sides[key] = _Side(has, expected, chosen)
        return self._sides[key]


class _Side(NamedTuple):
    has: Rows
    expected: Floats  # m_a(W)
    chosen: Floats  # π_a(W)

    def values(self, y: Floats, keep: Rows) -> Floats:
        """Give φ_a, whose mean over the posts kept is E[Y(a)]."""
        weight = np.where(keep & self.has, 1 / np.where(keep, self.chosen, 1.0), 0.0)
        return self.expected + weight / weight[keep].mean() * (y - self.expected)


def _check(form: pd.DataFrame, context: pd.DataFrame, y: Floats, n_folds: int, trim: float) -> None:
    if not len(form) == len(context) == len(y):
        raise UsageError(
            f"{len(form)} posts have {len(context)} rows of context and {len(y)} outcomes; one each is needed"
        )
    if not np.isfinite(y).all() or not np.isfinite(context.to_numpy(dtype=float)).all():
        raise UsageError("outcomes and context must be finite; leave out posts without an outcome, fill the rest")
    if "day" not in form or not form["day"].is_monotonic_increasing:
        raise UsageError("posts need a column 'day' and must stand in the order of time")
    if not 0 <= trim < 1 or n_folds < 2 or form["day"].nunique() < 2 * n_folds:
        raise UsageError(
            f"{form['day'].nunique()} days must be twice n_folds={n_folds} (2 or more); trim={trim} below 1"
        )


def what_if(
    study: Study, changes: Mapping[str, tuple[Change, Change | None]] | None = None, *, least: int = 30
) -> pd.DataFrame:
    """Ask what each change gains, in numbers and in words.

    Parameters
    ----------
    changes : what it is called → (form, form instead, or None for the habit); if not given every value of each column
    least : posts that must have the form already; with fewer nothing is claimed (NaN)

    Returns
    -------
    frame with a row a change: n, gain, low, high, boot_low, boot_high, model, naive, overlap, p, adjusted (Holm's p
    over all rows), clear (adjusted below .05) and words
    """
    rows = {name: _row(study, *sides, least) for name, sides in (changes or _each_value(study)).items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("what")
    known = table["p"].notna()
    table.loc[known, "adjusted"] = holm(table.loc[known, "p"])
    table["clear"] = table["adjusted"].lt(0.05)
    table["words"] = [_words(str(name), row, study.log) for name, row in table.iterrows()]
    return table


def _each_value(study: Study) -> dict[str, tuple[Change, Change | None]]:
    """Take every value of each column against the habit; of two values the rarer against the other."""
    found: dict[str, tuple[Change, Change | None]] = {}
    for name in map(str, study.form):
        counts = study.form[name].value_counts()
        if len(counts) == 2:
            usual, rare = counts.index
            found[f"{called({name: rare})} instead of {usual}"] = ({name: rare}, {name: usual})
        elif len(counts) > 2:
            found |= {called({name: v}): ({name: v}, None) for v in levels(study.form[name])}
    return found


def called(form: Change) -> str:
    """Name a form.

    >>> called({"weekday": "Wed", "hour": "15-18", "link": "no"})
    'Wed, 15-18, link no'
    """
    return ", ".join(v if name in ("weekday", "hour") else f"{name} {v}" for name, v in form.items())


def _row(study: Study, change: Change, instead: Change | None, least: int) -> dict[str, float]:
    n = min(int(study.matches(c).sum()) for c in (change, instead) if c is not None)
    names = ("gain", "low", "high", "boot_low", "boot_high", "model", "naive", "overlap", "p", "adjusted")
    row: dict[str, float] = {"n": n} | dict.fromkeys(names, np.nan)
    if n >= least:
        with suppress(UsageError):  # where posts like it are never comparable, nothing is claimed
            e = study.effect(change, instead)
            row |= zip(names, [*e.gain, *e.bootstrap[1:], e.model, e.naive, e.overlap, e.p], strict=False)
    return row


def _words(name: str, row: pd.Series, log: bool) -> str:
    if np.isnan(row["gain"]):
        return f"{name}: nothing is claimed, with {row['n']:.0f} posts like it"
    gain = in_words(Interval(row["gain"], row["low"], row["high"]), log)
    sure = "" if row["clear"] else "; of so many looks, one could do this by chance"
    return f"{name}: {gain}, from {row['n']:.0f} posts like it{sure}"


def in_words(gain: Interval | float, log: bool) -> str:
    """Write a gain as percent of reactions, from logarithms, or as points of the share that works.

    >>> in_words(Interval(0.1, -0.05, 0.26), log=True), in_words(0.1, log=False)
    ('+11 % reactions [-5 %, +30 %]', '+10 points')
    """
    value, *limits = (round(100 * (np.expm1(x) if log else x)) for x in np.atleast_1d(gain))
    unit = " %" if log else ""
    between = f" [{', '.join(f'{x:+d}{unit}' for x in limits)}]" if limits else ""
    return f"{value:+d} {'% reactions' if log else 'points'}{between}"
