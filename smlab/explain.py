"""Why does a model say what it says? Three ways to ask from outside.

All take `predict`, any function from a frame (n, d) to n probabilities or log-odds, and groups of columns, {readable
name: columns}, that are moved together: the columns of one field make no sense apart.

    permutation   e(f, X with group g from other rows) - e(f, X), e a loss on test rows: what the model loses without
                  knowing g (Breiman 2001; the model reliance of Fisher, Rudin & Dominici 2019, as a difference)
    dependence    PD_g(v) = (1/n) Σ_i f(v, x_i without g): the mean prediction if everybody had g = v (Friedman 2001);
                  its summands are the ICE curves (Goldstein et al. 2015). As importance: the spread of PD_g over the
                  values that occur (after Greenwell et al. 2018)
    surrogate     Σ_z π(z) (v(z) - θ_0 - z'θ)² + λ |θ|², z_g = 1 where group g keeps the value of this row, 0 where
                  it comes from other rows, v(z) the mean prediction: LIME (Ribeiro et al. 2016) with ridge

All three, and SHAP (`shapvalues`), ask the model about rows that do not exist: where columns go together, as visits
and minutes do, one is changed without the other. Then permutation importance hides both behind each other, and SHAP
shares one effect among two. Nothing here speaks of causes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.agreement import Importance, rank_correlation
from smlab.auc import auc
from smlab.calibration import brier, log_loss
from smlab.checks import UsageError, nearest

Floats = NDArray[np.float64]
Predict = Callable[[pd.DataFrame], NDArray]
Groups = Mapping[str, Sequence[str]]

MEASURES: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "log-loss": log_loss, "Brier": brier, "AUC": lambda y, p: 1 - auc(y, p),
}  # fmt: skip
AT_ONCE = 8192  # rows asked in one call, which keeps the kernels of an SVM in memory
FEW_VALUES = 12  # a column of so few values is shown at each of them


def permutation_importance(
    predict: Predict,
    X: pd.DataFrame,
    y: ArrayLike,
    groups: Groups | None = None,
    *,
    measure: str = "log-loss",
    repeats: int = 5,
    n_draws: int = 200,
    seed: int = 0,
) -> Importance:
    """Measure how much worse the predictions for test rows get when a group's values come from other rows.

    Parameters
    ----------
    X, y : test rows (n, d) and labels (n,); on training rows a model that learnt by heart would look sure of itself
    groups : groups may overlap, say two columns alone and together; None is each column alone
    measure : "log-loss", "Brier" or "AUC"; a fall of AUC counts as loss
    repeats : how often each group is shuffled
    n_draws : each draws the test rows anew and takes one of the shuffles, so the interval holds both uncertainties
    """
    if measure not in MEASURES:
        raise UsageError(f"measure={measure!r} is unknown; {nearest(measure, MEASURES)}")
    groups, loss, label = need_groups(X, groups), MEASURES[measure], np.asarray(y)
    if min(repeats, n_draws) < 1 or label.shape != (len(X),):
        raise UsageError(f"{len(X)} rows have labels of shape {label.shape}, repeats={repeats}, n_draws={n_draws}: "
                         "one label a row is needed, and 1 or more of both")  # fmt: skip
    rng = np.random.default_rng(seed)
    before = asked(predict, X)
    rows, turn = rng.integers(0, len(X), (n_draws, len(X))), rng.integers(0, repeats, n_draws)
    at_first = np.array([loss(label[r], before[r]) for r in rows])
    value, draws = {}, {}
    for name, columns in groups.items():
        after = [asked(predict, _moved(X, columns, rng.permutation(len(X)))) for _ in range(repeats)]
        value[name] = float(np.mean([loss(label, p) for p in after])) - loss(label, before)
        draws[name] = [loss(label[r], after[t][r]) for r, t in zip(rows, turn, strict=True)] - at_first
    return Importance(pd.Series(value), pd.DataFrame(draws))


@dataclass(frozen=True)
class Dependence:
    """Partial dependence on one column or group, with the single curves.

    Parameters
    ----------
    grid : (k,) the values, numbers of a column or places 0, 1, … of the patterns of a group, in `labels`
    mean : (k,) mean prediction; ice : (n, k) the prediction for each row
    rows : (k,) how many rows of X lie nearest to each value; thin : (k,) those of too few
    seen : (n,) the values of the rows, for a rug
    warning : what not to read, in a sentence, or ""
    """

    name: str
    columns: list[str]
    grid: Floats
    labels: list[str]
    mean: Floats
    ice: Floats
    rows: NDArray[np.int64]
    thin: NDArray[np.bool_]
    seen: Floats
    warning: str


def partial_dependence(
    predict: Predict,
    X: pd.DataFrame,
    columns: str | Sequence[str],
    *,
    name: str | None = None,
    points: int = 20,
    n_rows: int = 300,
    least: int = 20,
    seed: int = 0,
) -> Dependence:
    """Ask for the predictions if every row had this value of a column, or this pattern of a group of columns.

    A column of more than 12 values is asked at `points` even steps; a group, such as the 0/1 columns of one field,
    at its 12 most frequent patterns, so that no row is both of the city and of the town. Values with fewer than
    `least` rows nearby are marked as thin: there the curve says how the model goes on, not what people do.
    """
    wanted = [columns] if isinstance(columns, str) else list(columns)
    name = name or (columns if isinstance(columns, str) else " + ".join(wanted))
    need_groups(X, {name: wanted})
    if min(points, n_rows) < 2:
        raise UsageError(f"points={points} and n_rows={n_rows} must be 2 or more")
    values, labels, nearby = _grid(X[wanted], points)
    rows = np.bincount(nearby[nearby >= 0], minlength=len(values))
    ice = _spread(predict, _some(X, n_rows, np.random.default_rng(seed)), wanted, values)
    thin = rows < least
    lone = len(wanted) == 1
    grid = values[:, 0] if lone else np.arange(len(values), dtype=float)
    seen = X[wanted[0]].to_numpy(dtype=float) if lone else nearby[nearby >= 0].astype(float)
    warning = _warning(name, labels, thin, least, lone)
    return Dependence(name, wanted, grid, labels, ice.mean(axis=0), ice, rows, thin, seen, warning)


def dependence_importance(
    predict: Predict,
    X: pd.DataFrame,
    groups: Groups | None = None,
    *,
    points: int = 40,
    n_rows: int = 200,
    n_draws: int = 200,
    seed: int = 0,
) -> Importance:
    """Give the standard deviation of the partial dependence of each group over values that rows of X have."""
    groups, rng = need_groups(X, groups), np.random.default_rng(seed)
    some, given = _some(X, n_rows, rng), _some(X, points, rng)
    rows = rng.multinomial(len(some), np.full(len(some), 1 / len(some)), n_draws) / len(some)  # (n_draws, n_rows)
    at = rng.integers(0, len(given), (n_draws, len(given)))
    value, draws = {}, {}
    for name, columns in groups.items():
        f = _spread(predict, some, columns, given[list(columns)].to_numpy())  # (n_rows, points)
        value[name] = float(f.mean(axis=0).std())
        draws[name] = np.take_along_axis(rows @ f, at, axis=1).std(axis=1)
    return Importance(pd.Series(value), pd.DataFrame(draws))


@dataclass(frozen=True)
class Surrogate:
    """A linear model around one row.

    Parameters
    ----------
    effects : (n_groups,) what the row's own value of a group adds, mean over seeds; spread : their deviation
    fidelity : weighted R² of the surrogate, mean over seeds: how far the model is a sum here; below .8 do not use it
    stability : mean rank correlation of the effects between seeds; NaN for one seed
    """

    effects: pd.Series
    spread: pd.Series
    fidelity: float
    stability: float


def surrogate(
    predict: Predict,
    row: pd.DataFrame,
    background: pd.DataFrame,
    groups: Groups | None = None,
    *,
    n_masks: int = 200,
    n_background: int = 20,
    width: float = 0.75,
    reg: float = 1e-3,
    n_seeds: int = 5,
    seed: int = 0,
) -> Surrogate:
    """Fit a weighted ridge regression around one row (1, d) on whether each group keeps its value.

    z is drawn evenly from {0, 1}^G, with all ones put first; π(z) = exp(-off / (width² G)), off the number of zeros,
    which is exp(-D²/σ²) of the paper with the Euclidean distance D and the usual σ = .75 √G; λ = `reg` · Σ π.
    v(z) is the mean over `n_background` rows of the background; they and the z are drawn anew for each seed.
    """
    groups = need_groups(row, groups)
    if len(row) != 1 or min(n_masks, n_background, n_seeds) < 1 or width <= 0 or reg <= 0:
        raise UsageError(f"{len(row)} rows, n_masks={n_masks}, n_background={n_background}, n_seeds={n_seeds}, "
                         f"width={width}, reg={reg}: needed are one row, 1 of each, width and reg above 0")  # fmt: skip
    found, fits = [], []
    for rng in np.random.default_rng(seed).spawn(n_seeds):
        Z = rng.integers(0, 2, (n_masks, len(groups)))
        Z[0] = 1
        masks, times = np.unique(Z, axis=0, return_counts=True)
        v = coalition_values(predict, row, _some(background, n_background, rng), groups, masks.astype(bool))
        pi = times * np.exp(-(1 - masks).sum(axis=1) / (width**2 * len(groups)))
        theta, fit = _ridge(masks.astype(float), v, pi, reg)
        found.append(theta)
        fits.append(fit)
    effects = pd.DataFrame(found, columns=list(groups))
    pairs = [rank_correlation(a, b) for a, b in combinations(found, 2)]
    stable = float(np.mean(pairs)) if pairs else np.nan
    return Surrogate(effects.mean(), effects.std(ddof=0), float(np.mean(fits)), stable)


def coalition_values(
    predict: Predict, row: pd.DataFrame, background: pd.DataFrame, groups: Groups, masks: NDArray[np.bool_]
) -> Floats:
    """Give v(z), the mean prediction with the groups of z from `row` and all else from the background, (n_masks,)."""
    columns = [str(c) for c in row]
    keep = _columns_of(masks, groups, columns)  # (n_masks, d)
    other = background[columns].to_numpy(dtype=float)  # (m, d)
    mixed = np.where(keep[:, None, :], row.to_numpy(dtype=float), other)  # (n_masks, m, d)
    p = asked(predict, pd.DataFrame(mixed.reshape(-1, row.shape[1]), columns=columns))
    return p.reshape(len(masks), len(other)).mean(axis=1)


def need_groups(X: pd.DataFrame, groups: Groups | None) -> dict[str, list[str]]:
    """Give the groups as lists, each column alone where there are none; refuse columns that X has not, and words."""
    if not isinstance(X, pd.DataFrame) or X.empty:
        raise UsageError("an explanation needs a frame with at least one row and one column")
    for name, kind in zip(X.columns, X.dtypes, strict=True):
        if not isinstance(name, str) or not pd.api.types.is_numeric_dtype(kind):
            raise UsageError(f"column {name!r} holds no numbers, or has no text for a name; explain encoded columns")
    have = [str(c) for c in X]
    found = {c: [c] for c in have} if groups is None else {name: list(columns) for name, columns in groups.items()}
    for name, columns in found.items():
        if not columns:
            raise UsageError(f"group {name!r} has no columns")
        if absent := [c for c in columns if c not in have]:
            raise UsageError(f"group {name!r}: the frame has no column {absent[0]!r}; {nearest(absent[0], have)}")
    return found


def _columns_of(masks: NDArray[np.bool_], groups: Groups, columns: list[str]) -> NDArray[np.bool_]:
    """Turn masks of groups (n, G) into masks of columns (n, d); a column in no group always stays as it is."""
    keep = np.ones((len(masks), len(columns)), dtype=bool)
    for g, names in enumerate(groups.values()):
        keep[:, [columns.index(c) for c in names]] = masks[:, [g]]
    return keep


def asked(predict: Predict, X: pd.DataFrame) -> Floats:
    """Give the predictions (n,), or refuse another shape and values that are not finite."""
    parts = [np.asarray(predict(X[i : i + AT_ONCE]), dtype=float) for i in range(0, len(X), AT_ONCE)]
    p = np.concatenate(parts) if parts[0].ndim else parts[0]
    if p.shape != (len(X),) or not np.isfinite(p).all():
        raise UsageError(f"predict gave shape {p.shape} for {len(X)} rows, or values that are not finite; "
                         "one finite number a row is needed, such as the probability of class 1")  # fmt: skip
    return p


def _moved(X: pd.DataFrame, columns: Sequence[str], order: NDArray[np.int64]) -> pd.DataFrame:
    """Give X with these columns taken from the rows in another order."""
    return X.assign(**{c: X[c].to_numpy()[order] for c in columns})


def _some(X: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw n rows without replacement, or take all where there are no more."""
    return X if len(X) <= n else X.iloc[np.sort(rng.choice(len(X), n, replace=False))]


def _spread(predict: Predict, X: pd.DataFrame, columns: Sequence[str], values: NDArray) -> Floats:
    """Predict each row of X with each of the values (k, n_columns) in its place, (n, k)."""
    n, k = len(X), len(values)
    many = X.iloc[np.repeat(np.arange(n), k)].reset_index(drop=True)
    many[list(columns)] = np.tile(values, (n, 1))
    return asked(predict, many).reshape(n, k)


def _grid(x: pd.DataFrame, points: int) -> tuple[Floats, list[str], NDArray[np.int64]]:
    """Give the values (k, n_columns), their labels, and for each row the nearest value, -1 for a rare pattern."""
    if x.shape[1] == 1:
        seen = x.iloc[:, 0].to_numpy(dtype=float)
        values = np.unique(seen)
        if len(values) > FEW_VALUES:
            values = np.linspace(values[0], values[-1], points)
        middle = (values[1:] + values[:-1]) / 2
        return values[:, None], [f"{v:.4g}" for v in values], np.searchsorted(middle, seen)
    patterns, place, n = np.unique(x.to_numpy(dtype=float), axis=0, return_inverse=True, return_counts=True)
    best = np.sort(np.argsort(-n, kind="stable")[:FEW_VALUES])
    back = np.full(len(patterns), -1)
    back[best] = np.arange(len(best))
    return patterns[best], [in_short(x.columns, row) for row in patterns[best]], back[place.ravel()]


def in_short(columns: Sequence[str] | pd.Index, values: ArrayLike) -> str:
    """Say the values of a group: a lone number as it is, of several columns those that are not 0.

    >>> in_short(["location=town", "location=city"], [0, 1]), in_short(["hour"], [19]), in_short(["gender=male"], [0])
    ('city', '19', 'not male')
    """
    pairs = [(str(c).rpartition("=")[2], float(v)) for c, v in zip(columns, np.asarray(values), strict=True)]
    if len(pairs) == 1:
        (name, v), zero_one = pairs[0], "=" in str(columns[0]) and pairs[0][1] in (0, 1)
        return ("" if v else "not ") + name if zero_one else f"{v:.4g}"
    named = [name if v == 1 else f"{name} {v:.3g}" for name, v in pairs if v]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "") or "none of them"


def _warning(name: str, labels: list[str], thin: NDArray[np.bool_], least: int, ordered: bool) -> str:
    """Say where rows are few: the stretches of a column, each pattern of a group."""
    at = np.flatnonzero(thin)
    runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if ordered else at[:, None]
    where = " and ".join(" to ".join(labels[k] for k in dict.fromkeys((run[0], run[-1]))) for run in runs if len(run))
    return f"Fewer than {least} rows lie near {name} = {where}: there the curve is a guess." if len(at) else ""


def _ridge(Z: Floats, v: Floats, weight: Floats, reg: float) -> tuple[Floats, float]:
    """Give θ of the weighted ridge regression with a free intercept, and its weighted R²; NaN if v is constant."""
    w = weight / weight.sum()
    A, b = Z - w @ Z, v - w @ v
    theta = np.linalg.solve(A.T @ (w[:, None] * A) + reg * np.eye(Z.shape[1]), A.T @ (w * b))
    total = w @ b**2
    return theta, float(1 - w @ (b - A @ theta) ** 2 / total) if total > 1e-20 else float("nan")
