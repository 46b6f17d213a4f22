"""SHAP: what each column adds to one prediction, so that the parts add up to it; and why, in words.

    f(x) = φ_0 + Σ_j φ_j,    φ_j = Σ_{S without j} |S|! (d - |S| - 1)! / d! (v(S + j) - v(S)),    φ_0 = v(∅)

v(S) is the mean prediction with the columns of S as in x and the others from rows of a background: the values of
Shapley (1953), which Lundberg & Lee (2017) gave to predictions. How they are found depends on the model:

    tree, forest             shap's TreeExplainer (Lundberg et al. 2020) in probability, exact
    boosting                 the same in log-odds; without a background v(S) follows the shares of training rows in
                             the branches instead, which is quicker
    logistic regression      φ_j = θ_j (x_j - mean x_j) in log-odds, exact
    anything else            all 2^d sets for up to 10 players, exact; else players join in drawn orders

Players may be groups of columns. That is not the same as sums of the columns' values, where groups work together, but
both add up to the prediction, which is checked to 1e-6 each time. The parts say what the model did, not what would
happen if the post were changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import factorial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from smlab.agreement import Importance
from smlab.checks import SmlabError, UsageError
from smlab.ctr import LogisticRegression
from smlab.explain import Floats, Groups, Predict, asked, coalition_values, in_short, need_groups

Unit = Literal["probability", "log-odds"]
TOLERANCE = 1e-6
MOST_PLAYERS = 10  # 1,024 sets: beyond, orders are drawn
AT_ONCE = 100_000  # rows × background rows × trees in one call, about a second: shap prints a bar after ten


@dataclass(frozen=True)
class Shap:
    """Parts of predictions.

    Parameters
    ----------
    values : (n, players) what each column or group adds; base : φ_0; prediction : (n,) base and parts in sum
    X : (n, d) the rows; groups : the columns of each player
    unit : "probability" or "log-odds"; how : the way they were found
    """

    values: pd.DataFrame
    base: float
    prediction: Floats
    X: pd.DataFrame
    groups: dict[str, list[str]]
    unit: Unit
    how: str

    def by_group(self, groups: Groups) -> Shap:
        """Give the sums over groups; each player has to lie in one group, with all its columns."""
        found = need_groups(self.X, groups)
        sums = {}
        for name, columns in found.items():
            sums[name] = self.values[[k for k, own in self.groups.items() if set(own) <= set(columns)]].sum(axis=1)
        whole = replace(self, values=pd.DataFrame(sums), groups=found)
        need_sum(whole.values, self.base, self.prediction)
        return whole

    def importance(self, *, n_draws: int = 200, seed: int = 0) -> Importance:
        """Give the mean size of each player's part, with intervals over the rows."""
        return Importance.of_rows(self.values, n_draws=n_draws, seed=seed)

    def said(self, i: int) -> dict[str, str]:
        """Give row i's value of each player in short, such as {"location": "city"}; "" where numbers are mixed."""
        row, said = self.X.iloc[i], {}
        for name, columns in self.groups.items():
            x = row[columns].to_numpy(dtype=float)
            said[name] = in_short(columns, x) if len(x) == 1 or np.isin(x, (0, 1)).all() else ""
            if [name] == columns and "=" in name and x[0] in (0, 1):  # a 0/1 column under its own name
                said[name] = "yes" if x[0] else "no"
        return said


def shap_values(
    model: Any,
    X: pd.DataFrame,
    background: pd.DataFrame | None = None,
    *,
    unit: Unit = "probability",
    groups: Groups | None = None,
    permutations: int = 4,
    seed: int = 0,
) -> Shap:
    """Share out each prediction of X (n, d) among its columns, or among groups of them.

    Parameters
    ----------
    model : a fitted model with `predict_proba`, ours or scikit-learn's, or a function from a frame to (n,) numbers,
        which `unit` then only names
    background : rows that stand for "not known", 20 to 100 of the training rows; only trees do without
    groups : players, with every column in one of them; None is each column. With groups the way is that of any model
    permutations : how many orders of the players are drawn, there and back, where there are too many sets; exact
        where no three of them work together

    Raises
    ------
    SmlabError
        If base and parts miss a prediction by more than 1e-6.
    UsageError
        For an unknown unit, columns without numbers, no background where one is needed.
    """
    if unit not in ("probability", "log-odds"):
        raise UsageError(f"unit={unit!r}: known are 'probability' and 'log-odds'")
    players = need_groups(X, groups)
    once = [c for columns in players.values() for c in columns]
    if sorted(once) != sorted(map(str, X)):
        raise UsageError(f"the groups hold {len(once)} columns, the frame {X.shape[1]}: each has to be in one group")
    predict = predictor(model, unit)
    prediction = asked(predict, X)
    found = None if groups else _trees(model, X, background, unit) or _linear(model, X, background, unit)
    values, base, how = found or _any(predict, X, background, players, permutations, seed)
    frame = pd.DataFrame(values, index=X.index, columns=list(players))
    need_sum(frame, base, prediction)
    return Shap(frame, base, prediction, X, players, unit, how)


def need_sum(values: pd.DataFrame, base: float, prediction: Floats) -> None:
    """Refuse parts that do not add up to the predictions within 1e-6."""
    total = base + values.to_numpy().sum(axis=1)
    if (worst := np.abs(total - prediction)).max() > TOLERANCE:
        i = int(worst.argmax())
        raise SmlabError(f"row {i}: base and SHAP values add up to {total[i]:.8f}, the model says {prediction[i]:.8f}; "
                         f"they may differ by {TOLERANCE:g}")  # fmt: skip


def predictor(model: Any, unit: Unit = "probability") -> Predict:
    """Give the function from a frame to P(y = 1), or to its log-odds; a function is given back as it is."""
    if not hasattr(model, "predict_proba"):
        if not callable(model):
            raise UsageError(f"{type(model).__name__} has no predict_proba and cannot be called")
        return model
    named = hasattr(model, "feature_names_in_") or hasattr(model, "columns_")

    def predict(X: pd.DataFrame) -> NDArray:
        p = np.asarray(model.predict_proba(X if named else X.to_numpy(dtype=float)))
        p = p[:, 1] if p.ndim == 2 else p
        return logit(p) if unit == "log-odds" else p

    return predict


def in_words(shap: Shap, i: int, *, thing: str = "post", n: int = 2, values: Mapping[str, str] | None = None) -> str:
    """Say in three sentences what the model made of row i, from at most n parts on either side.

    `values` puts better words for some players, such as {"time of day": "19:05"}.
    """
    said, parts = shap.said(i) | dict(values or {}), shap.values.iloc[i]
    show: Callable[[float], str] = "{:.0%}".format if shap.unit == "probability" else "log-odds of {:.2f}".format
    first = f"The model gives this {thing} {show(shap.prediction[i])}, where the average {thing} has {show(shap.base)}."
    order = parts.abs().sort_values(ascending=False, kind="stable").index
    least = 0.05 * max(parts.abs().sum(), 1e-12)
    named = {sign: [k for k in order if sign * parts[k] > least][:n] for sign in (1, -1)}
    before = {k: f"{text}: " if text else "" for k, text in said.items()}
    clauses = [
        f"{verb} by " + " and ".join(f"{k} ({before[k]}{_by(parts[k], shap.unit)})" for k in named[sign])
        for sign, verb in ((1, "raised"), (-1, "lowered")) if named[sign]
    ]  # fmt: skip
    if shap.prediction[i] < shap.base:
        clauses.reverse()
    second = f"Its score is {', and '.join(clauses)}." if clauses else "No part of it moves the score by much."
    rest = parts.drop([k for names in named.values() for k in names])
    other = f"All else together makes {_by(float(rest.sum()), shap.unit)}; " if len(rest) and clauses else ""
    last = "this is how the model counts, not what a change would cause."
    return f"{first} {second} {other + last if other else last[0].upper() + last[1:]}"


def _by(part: float, unit: Unit) -> str:
    return f"{100 * part:+.1f} points" if unit == "probability" else f"{part:+.2f}"


def _trees(
    model: Any, X: pd.DataFrame, background: pd.DataFrame | None, unit: Unit
) -> tuple[Floats, float, str] | None:
    """Explain trees by shap's TreeExplainer, in the unit that they add up in; None for others."""
    from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier
    from sklearn.ensemble import RandomForestClassifier as Forest
    from sklearn.tree import DecisionTreeClassifier

    inner = getattr(model, "model_", model)
    boosted = isinstance(inner, GradientBoostingClassifier | HistGradientBoostingClassifier)
    if not (boosted or isinstance(inner, Forest | ExtraTreesClassifier | DecisionTreeClassifier)):
        return None
    # shap can also scale boosted log-odds to probabilities, but these are not Shapley's values: .02 off in a trial
    if unit != ("log-odds" if boosted else "probability"):
        return None
    import shap

    columns = [str(c) for c in getattr(model, "columns_", X.columns)]
    rows = X[columns].to_numpy(dtype=float)
    known: dict[str, Any] = {} if background is None else {"data": background[columns].to_numpy(dtype=float)}
    known |= {"feature_perturbation": "tree_path_dependent" if background is None else "interventional"}
    trees: Any = inner if boosted else _leaves(inner, getattr(model, "rate_", None))
    explainer = shap.TreeExplainer(trees, **known)
    n_trees = len(trees["trees"]) if not boosted else 100
    step = max(1, AT_ONCE // (n_trees * len(known.get("data", [0] * 10))))
    chunks = [explainer.shap_values(rows[i : i + step], check_additivity=False) for i in range(0, len(rows), step)]
    values = np.concatenate([c.reshape(len(c), len(columns)) for c in chunks])
    base = float(np.ravel(explainer.expected_value)[-1])
    how = "tree branches" if background is None else "trees, background"
    return pd.DataFrame(values, columns=columns).reindex(columns=X.columns, fill_value=0.0).to_numpy(), base, how


def _leaves(model: Any, rate: float | None) -> dict[str, Any]:
    """Give the trees to shap with one number a leaf, P(y = 1), which is half the work of two.

    With a `rate` r, as in `engagement`, a leaf of n rows says (n q + r)/(n + 1), and T trees (Σ_t q_t + r)/(T + 1).
    """
    lone = not hasattr(model, "estimators_")
    trees = [model] if lone else model.estimators_
    found = []
    for t in (tree.tree_ for tree in trees):
        q = t.value[:, 0, 1] / t.value[:, 0].sum(axis=1)
        n = t.n_node_samples
        if rate is not None:
            q = (n * q + rate) / (n + 1) if lone else (q + rate / len(trees)) * len(trees) / (len(trees) + 1)
        found.append({
            "children_left": t.children_left, "children_right": t.children_right, "children_default": t.children_right,
            "features": t.feature, "thresholds": t.threshold.astype(np.float64), "values": q[:, None] / len(trees),
            "node_sample_weight": t.weighted_n_node_samples.astype(np.float64),
        })  # fmt: skip
    return {"trees": found, "input_dtype": np.float32, "internal_dtype": np.float64}


def _linear(
    model: Any, X: pd.DataFrame, background: pd.DataFrame | None, unit: Unit
) -> tuple[Floats, float, str] | None:
    """Explain a logistic regression in log-odds; None for other models, and in probability."""
    from sklearn.linear_model import LogisticRegression as Theirs

    inner = getattr(model, "model_", model)
    if unit != "log-odds" or background is None or not isinstance(inner, LogisticRegression | Theirs):
        return None
    theta = inner.theta_[1:] if isinstance(inner, LogisticRegression) else inner.coef_[0]
    columns = [str(c) for c in getattr(model, "columns_", X.columns)]
    if len(theta) != len(columns):
        return None
    mean = background[columns].mean()
    parts = (X[columns] - mean) * (theta / getattr(model, "spread_", 1.0))
    # a linear function of the mean row is the mean over the rows
    base = float(predictor(model, "log-odds")(background[list(X)].mean().to_frame().T)[0])
    return parts.reindex(columns=X.columns, fill_value=0.0).to_numpy(), base, "logistic regression, closed form"


def _any(
    predict: Predict, X: pd.DataFrame, background: pd.DataFrame | None, players: Groups, permutations: int, seed: int
) -> tuple[Floats, float, str]:
    """Explain any function: by all sets of players where there are few, else by shap's permutations."""
    if background is None or not len(background):
        raise UsageError("this model and unit need a background: some 20 to 100 rows of the training part")
    if permutations < 1:
        raise UsageError(f"permutations={permutations} must be 1 or more")
    many = len(players) > MOST_PLAYERS
    masks, weights = drawn_sets(len(players), permutations, seed) if many else all_sets(len(players))
    v = np.array([coalition_values(predict, X.iloc[[i]], background, players, masks) for i in range(len(X))])
    how = f"{permutations} orders of the players, there and back" if many else "all sets of players"
    return v @ weights.T, float(v[0, 0]), how


def all_sets(d: int) -> tuple[NDArray[np.bool_], Floats]:
    """Give all sets of d players as masks (2^d, d), the empty one first, and W (d, 2^d) with φ = W v.

    >>> all_sets(2)[1]
    array([[-0.5, -0.5,  0.5,  0.5],
           [-0.5,  0.5, -0.5,  0.5]])
    """
    masks = np.array(list(product([False, True], repeat=d)))
    weight = np.array([factorial(s) * factorial(d - s - 1) / factorial(d) for s in range(d)])  # of sets without j
    size = masks.sum(axis=1)
    return masks, np.where(masks.T, weight[size - 1], -weight[np.minimum(size, d - 1)])


def drawn_sets(d: int, permutations: int, seed: int) -> tuple[NDArray[np.bool_], Floats]:
    """Give the sets that arise as players join one by one in drawn orders and in their reverses, and W as above.

    φ_j is the mean of v(those before j, and j) - v(those before j): Castro, Gómez & Tejada (2009). An order and its
    reverse together are exact for pairs (as shap's PermutationExplainer does it). All rows share the orders.
    """
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(d), (permutations, 1)), axis=1)
    orders = np.concatenate([orders, orders[:, ::-1]])  # (m, d)
    place = np.argsort(orders, axis=1)  # of each player
    before = place[:, None, :] < np.arange(d + 1)[:, None]  # (m, d + 1, d): the first k of each order
    masks, at = np.unique(before.reshape(-1, d), axis=0, return_inverse=True)
    at = at.reshape(len(orders), d + 1)
    W = np.zeros((d, len(masks)))
    np.add.at(W, (orders, at[:, 1:]), 1 / len(orders))
    np.add.at(W, (orders, at[:, :-1]), -1 / len(orders))
    return masks, W
