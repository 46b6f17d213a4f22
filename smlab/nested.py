"""Which model would have told us, asked before each post? Nested cross-validation forward in time.

    outer   learn learn judge  .     .          what is judged is later than all that was learnt from,
            learn learn learn judge  .          and nothing is judged twice
            learn learn learn learn judge
    inner   the same within each "learn": of a model's settings the one with the least mean log-loss is taken

So a setting is never chosen by the posts that judge it, and choosing is part of what is judged: a model with many
settings gets no bonus (Varma & Simon 2006). Every model has the same folds and columns. Then one `final` fit on all
that is not the test part, and one look at that part.

Who is better, and how sure that is, says `comparing`.

References: Stone (1974) and Varma & Simon (2006), nested cross-validation; Bergmeir & Benítez (2012), forward in
time; Platt (1999) and Zadrozny & Elkan (2002), maps of probabilities.
"""

from __future__ import annotations

import copy
import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab import confidence
from smlab.auc import labels
from smlab.authorpast import span
from smlab.checks import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Classifier(Protocol):
    """What can be compared here, as the models of `engagement` can."""

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Any:
        """Learn from posts in order of time."""

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Give P(y = 1) of each post, (n,)."""


Models = Mapping[str, Sequence[Classifier]]


def forward(
    n: int, *, folds: int = 3, first: float = 0.4, time: ArrayLike | None = None, gap: str = "1D"
) -> list[tuple[Ints, Ints]]:
    """Cut n posts in order of time into parts to learn from and parts to judge by, each later than the former.

    Parameters
    ----------
    first : share of the posts that are never judged
    time : (n,) when each was published; posts younger than `gap` when the judged part begins are not learnt from,
        because how they did was not known yet

    >>> [(learn.tolist(), judge.tolist()) for learn, judge in forward(5, folds=2, first=0.6)]
    [([0, 1, 2], [3]), ([0, 1, 2, 3], [4])]
    """
    if folds < 1 or not 0 < first < 1:
        raise UsageError(f"folds={folds} must be 1 or more and first={first} lie between 0 and 1")
    edges = np.round(np.linspace(first * n, n, folds + 1)).astype(int)
    if edges[0] < 1 or (np.diff(edges) < 1).any():
        raise UsageError(f"{n} posts are too few to be cut into {folds} parts to judge by and one before them")
    when = None if time is None else pd.Series(np.asarray(time)).astype("datetime64[us]")
    if when is not None and (len(when) != n or not when.is_monotonic_increasing):
        raise UsageError(f"time has {len(when)} values for {n} posts; it needs one each, in order, the earliest first")
    found = []
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        known = (
            start if when is None else int(when.searchsorted(when[start] - pd.Timedelta(span(gap), "us"), side="right"))
        )
        if not known:
            raise UsageError(f"no post is {gap} older than post {start}, where a part to judge by begins")
        found.append((np.arange(min(known, start)), np.arange(start, end)))
    return found


class Learnt(NamedTuple):
    """A model with the setting that the inner folds chose, fitted on all posts it was given.

    Parameters
    ----------
    losses : mean log-loss of each setting over the inner folds
    seconds : for choosing and fitting
    """

    model: Any
    setting: str
    losses: dict[str, float]
    seconds: float


def learn(
    settings: Sequence[Classifier],
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    inner: int = 2,
    time: ArrayLike | None = None,
    gap: str = "1D",
) -> Learnt:
    """Choose among settings by `inner` folds forward in time, the first of equal ones, and fit it on all posts."""
    started = clock.perf_counter()
    y, names, losses = _label_each(X, y), _names(settings), dict[str, float]()
    folds = forward(len(y), folds=inner, first=0.5, time=time, gap=gap) if len(settings) > 1 else []
    for name, setting in zip(names, settings, strict=True):
        rows = [_losses(y[b], _fit(setting, X, y, a).predict_proba(X.iloc[b])) for a, b in folds]
        losses[name] = float(np.mean(np.concatenate(rows))) if rows else np.nan
    best = int(np.argmin(list(losses.values())))
    model = _fit(settings[best], X, y, np.arange(len(y)))
    return Learnt(model, names[best], losses, clock.perf_counter() - started)


class Nested(NamedTuple):
    """Predictions of posts by models that knew only earlier ones.

    Parameters
    ----------
    rows : (m,) positions of the judged posts
    y : (m,) whether they worked
    fold : (m,) 0, 1, …
    predictions : (m, models)
    chosen : (folds, models) the settings
    seconds : of each model, all folds together
    """

    rows: Ints
    y: Ints
    fold: Ints
    predictions: pd.DataFrame
    chosen: pd.DataFrame
    seconds: pd.Series


def nested(
    models: Models,
    X: pd.DataFrame,
    y: ArrayLike,
    *,
    outer: int = 3,
    inner: int = 2,
    first: float = 0.4,
    time: ArrayLike | None = None,
    gap: str = "1D",
) -> Nested:
    """Predict the later posts of X (n, d), in order of time, by every model of `models`, {name: settings}.

    Parameters
    ----------
    outer, inner : folds that judge, and folds that choose within each part to learn from
    first, time, gap : see `forward`
    """
    y = _label_each(X, y)
    when = None if time is None else np.asarray(time)
    parts, chosen, seconds = [], [], []
    folds = forward(len(y), folds=outer, first=first, time=when, gap=gap)
    for past, later in folds:
        then = None if when is None else when[past]
        fitted = final(models, X.iloc[past], y[past], inner=inner, time=then, gap=gap)
        parts.append(predictions(fitted, X.iloc[later]))
        chosen.append({name: m.setting for name, m in fitted.items()})
        seconds.append({name: m.seconds for name, m in fitted.items()})
    rows = np.concatenate([later for _, later in folds])
    fold = np.repeat(np.arange(outer), [len(later) for _, later in folds])
    p = pd.concat(parts).set_axis(rows)
    return Nested(rows, y[rows].astype(np.int64), fold, p, pd.DataFrame(chosen), pd.DataFrame(seconds).sum())


def final(
    models: Models, X: pd.DataFrame, y: ArrayLike, *, inner: int = 2, time: ArrayLike | None = None, gap: str = "1D"
) -> dict[str, Learnt]:
    """Give each model its setting and fit it, on training and validation part together; the test part is not here."""
    if not models:
        raise UsageError("there is no model to learn; see `engagement.candidates`")
    return {name: learn(settings, X, y, inner=inner, time=time, gap=gap) for name, settings in models.items()}


def predictions(fitted: Mapping[str, Learnt], X: pd.DataFrame) -> pd.DataFrame:
    """Give P(y = 1) of each post by each model, (n, models)."""
    return pd.DataFrame({name: m.model.predict_proba(X) for name, m in fitted.items()}, index=X.index)


class Mending(NamedTuple):
    """A map of probabilities, and the log-loss of each kind of map on folds that it had not seen."""

    kind: Literal["as it is", "Platt", "isotonic"]
    apply: Callable[[ArrayLike], Floats]
    losses: dict[str, float]


def mending(y: ArrayLike, p: ArrayLike, fold: ArrayLike) -> Mending:
    """Learn from predictions of `nested` how to mend later ones, if that helps.

    Platt's map is σ(a logit p + b), the isotonic one any that rises. Each fold is mended by what earlier folds teach;
    a map is taken if its log-loss is lower by more than one standard error, and then learnt from all folds. On 300
    posts p is mostly best as it is.
    """
    hit, score = labels(y, p)
    if (wrong := np.flatnonzero((score < 0) | (score > 1))).size:
        raise UsageError(f"row {wrong[0]}: {score[wrong[0]]} is no probability from 0 to 1")
    part = np.asarray(fold)
    if len(part) != len(hit) or part.max() == part.min():
        raise UsageError(f"{len(part)} folds for {len(hit)} posts: mending needs one each, and two folds or more")
    judged = [(part < f, part == f) for f in np.unique(part)[1:]]
    rows = {
        kind: np.concatenate([_losses(hit[now], make(hit[then], score[then])(score[now])) for then, now in judged])
        for kind, make in MAPS.items()
    }
    losses = {kind: float(loss.mean()) for kind, loss in rows.items()}
    gain = {kind: rows["as it is"] - loss for kind, loss in rows.items()}
    helps = [k for k, d in gain.items() if d.mean() > d.std(ddof=1) / np.sqrt(len(d))]
    kind: Any = min(helps, key=losses.__getitem__, default="as it is")
    return Mending(kind, MAPS[kind](hit, score), losses)


def _as_it_is(y: NDArray, p: NDArray) -> Callable[[ArrayLike], Floats]:
    return lambda later: np.asarray(later, dtype=float)


def _platt(y: NDArray, p: NDArray) -> Callable[[ArrayLike], Floats]:
    mended = confidence.mend(y.astype(int), np.column_stack([1 - p, p]), [0, 1])
    return lambda later: mended(np.column_stack([1 - np.asarray(later), later]))[:, 1]


def _isotonic(y: NDArray, p: NDArray) -> Callable[[ArrayLike], Floats]:
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (len(y) + 2)  # Laplace's: what was never seen is not impossible
    rising = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(p, y)
    return lambda later: rising.predict(np.asarray(later, dtype=float))


MAPS = {"as it is": _as_it_is, "Platt": _platt, "isotonic": _isotonic}


def _label_each(X: pd.DataFrame, y: ArrayLike) -> NDArray:
    label = np.asarray(y)
    if label.shape != (len(X),):
        raise UsageError(f"{len(X)} posts and labels of shape {label.shape}; each post needs one")
    labels(label, np.zeros(len(X)))
    return label


def _fit(setting: Classifier, X: pd.DataFrame, y: NDArray, rows: Ints) -> Any:
    """Fit a copy, so that the settings can be used again."""
    return copy.deepcopy(setting).fit(X.iloc[rows], y[rows])


def _losses(y: NDArray, p: NDArray) -> Floats:
    """Give -log P(y) of each post, (n,), cut as in `calibration.log_loss`."""
    eps = np.finfo(float).eps
    return -np.log(np.clip(np.where(y == 1, p, 1 - p), eps, 1))


def _names(settings: Sequence[Classifier]) -> list[str]:
    """Say in which values the settings of a model differ."""
    if not settings:
        raise UsageError("a model needs at least one setting")
    values = [{"": type(s).__name__} | {k: v for k, v in vars(s).items() if not k.endswith("_")} for s in settings]
    vary = [k for k in dict.fromkeys(key for v in values for key in v) if len({repr(v.get(k)) for v in values}) > 1]
    names = [", ".join(f"{k}={v[k]}".lstrip("=") for k in vary if k in v) or "-" for v in values]
    if len(set(names)) < len(names):
        raise UsageError(f"two settings of a model are alike: {', '.join(names)}")
    return names
