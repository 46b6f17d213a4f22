"""Does it matter whom we treat, and whom should we? Effects tested, rules priced, on rows no learner has seen.

Is there heterogeneity? S(x) is a forecast of the effect from other rows. In the held-out rows, each weighted by
1 / (e (1 - e)), with the mean S̄ there,

    y = a + b S + β1 (W - e) + β2 (W - e) (S - S̄) + error        Chernozhukov et al. (2018), best linear predictor

β1 is the mean effect, β2 = Cov(S, τ) / Var(S): 1 if S is right, 0 if it orders nobody, be it that all are moved alike
or that S is poor. Heterogeneity is found only where the whole interval of β2 lies above 0 (standard errors HC1). One
split of the rows is a matter of luck, so `heterogeneity` takes the medians over many, of intervals at 1 - α/2, and
twice the median p, which keeps the level.

What is a rule worth? A rule π gives each person an arm. With margin m of an outcome, c_a the cost of an arm,

    V(π) = mean of  m y [A = π(x)] / e_A(x) - c_π(x)        per person, without bias where e is known

The rule has to come from other rows; "all" and "nobody" are rules as well, so differences are paired.

Who is who? With outcomes 0 or 1 there are four kinds of people: the persuadable, sure things, lost causes, and those
whom the message drives away. Nobody can be seen to be of a kind, since each was seen under one arm only; the shares
are held between Fréchet's bounds, from P(y=1) with and without.

References: Chernozhukov, Demirer, Duflo & Fernández-Val (2018), Generic machine learning inference on heterogeneous
treatment effects; Horvitz & Thompson (1952); Tian & Pearl (2000), Probabilities of causation: bounds and
identification.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from smlab.assignment import assignment, propensities
from smlab.checks import UsageError, nearest
from smlab.metrics import Interval, bootstrap, paired_difference

Floats = NDArray[np.float64]

KINDS = {
    "persuadable": "yes with the message, no without: send",
    "sure thing": "yes in any case: the message only costs",
    "lost cause": "no in any case: the message only costs",
    "do not disturb": "no with the message, yes without: never send",
}
NOBODY = "nobody"


class Heterogeneity(NamedTuple):
    """Is anybody moved more than others, as far as the forecast can tell?

    Parameters
    ----------
    average : β1, in units of y
    slope : β2; NaN where the forecast is the same for all
    p : two-sided, of β2 = 0
    splits : how many splits of the rows; 1: one held-out part
    """

    average: Interval
    slope: Interval
    p: float
    splits: int = 1

    @property
    def found(self) -> bool:
        """Say whether the whole interval of β2 lies above 0."""
        return bool(self.slope.low > 0)

    def __str__(self) -> str:
        if self.found:
            return f"Some are moved more than others, and the forecast tells whom: slope {self.slope:.2f}."
        return f"No heterogeneity is shown: slope {self.slope:.2f}. Treat all alike, or nobody."


def calibration(
    y: ArrayLike, treated: ArrayLike, effect: ArrayLike, *, propensity: Any = None, level: float = 0.95
) -> Heterogeneity:
    """Regress held-out outcomes on a forecast of the effect, as above.

    Parameters
    ----------
    y : (n,) outcome
    treated : (n,) 0 or 1
    effect : (n,) S(x), learnt from other rows
    propensity : see `assignment.propensities`

    >>> rng = np.random.default_rng(0)
    >>> tau, w = rng.random(2000), rng.integers(0, 2, 2000)
    >>> calibration(tau * w + rng.normal(size=2000), w, 2 * tau).found  # twice too large, yet in the right order
    True
    """
    who = assignment(y, treated)
    S = np.asarray(effect, dtype=float)
    if S.shape != who.y.shape or not np.isfinite(S).all():
        raise UsageError(f"effect has shape {S.shape}; needed is a finite forecast of each of {len(who.y)} rows")
    e = propensities(who, propensity)[:, 1]
    w, s = who.code - e, S - S.mean()
    flat = bool(np.ptp(S) <= 1e-12 * max(1.0, float(np.abs(S).max())))
    D = np.column_stack([np.ones(len(w)), w] if flat else [np.ones(len(w)), w, w * s / s.std(), s / s.std()])
    beta, C = _least_squares(D, who.y, 1 / (e * (1 - e)))
    average = _normal(beta[1], C[1, 1], level)
    if flat:
        return Heterogeneity(average, Interval(np.nan, np.nan, np.nan), 1.0)
    slope = _normal(beta[2] / s.std(), C[2, 2] / s.var(), level)
    return Heterogeneity(average, slope, float(2 * norm.sf(abs(beta[2]) / max(np.sqrt(C[2, 2]), 1e-300))))


def heterogeneity(
    learner: Any,
    X: pd.DataFrame | NDArray,
    y: ArrayLike,
    treated: ArrayLike,
    *,
    propensity: ArrayLike | None = None,
    splits: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> Heterogeneity:
    """Split the rows in halves `splits` times, learn from one half, test on the other, and take medians.

    Parameters
    ----------
    learner : has fit(X, y, arm, propensity=…) and predict(X), as those of `uplift`; it is copied, not changed
    X : (n, d); y, treated : (n,), treated 0 or 1
    propensity : None, the chance of the treatment, or (n,) chances
    """
    outcome, w = np.asarray(y, dtype=float), np.asarray(treated)
    e = None if propensity is None else np.broadcast_to(np.asarray(propensity, dtype=float), w.shape)
    rng, found = np.random.default_rng(seed), []
    for _ in range(splits):
        order = rng.permutation(len(w))
        train, test = order[: len(w) // 2], order[len(w) // 2 :]
        parts = [X.iloc[rows] if isinstance(X, pd.DataFrame) else np.asarray(X)[rows] for rows in (train, test)]
        chance = [None if e is None else e[rows] for rows in (train, test)]
        model = deepcopy(learner).fit(parts[0], outcome[train], w[train], propensity=chance[0])
        effect = np.asarray(model.predict(parts[1]), dtype=float).reshape(len(test))
        found.append(
            calibration(
                outcome[test], w[test], effect, propensity=chance[1], level=(1 + level) / 2 if splits > 1 else level
            )
        )
    if splits == 1:
        return found[0]
    average, slope = (Interval(*np.median([getattr(f, part) for f in found], axis=0)) for part in ("average", "slope"))
    return Heterogeneity(average, slope, min(1.0, 2 * float(np.median([f.p for f in found]))), splits)


def by_forecast(
    y: ArrayLike, treated: ArrayLike, effect: ArrayLike, k: int = 5, *, propensity: Any = None, level: float = 0.95
) -> pd.DataFrame:
    """Give the effect that was forecast beside the one that happened, in k parts of the held-out rows by forecast.

    Returns
    -------
    frame with a row a part, the least moved first: n, forecast, value, low, high (normal interval)
    """
    who = assignment(y, treated)
    S = np.asarray(effect, dtype=float)
    part = pd.qcut(pd.Series(S).rank(method="first"), k, labels=False).to_numpy()
    chance, rows = propensities(who, propensity)[:, 1], {}
    for j in range(k):
        inside = part == j
        e, w, outcome = chance[inside], who.code[inside], who.y[inside]
        beta, C = _least_squares(np.column_stack([np.ones(len(w)), w - e]), outcome, 1 / (e * (1 - e)))
        rows[j + 1] = {
            "n": int(inside.sum()),
            "forecast": float(S[inside].mean()),
            **_normal(beta[1], C[1, 1], level)._asdict(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")


def choose(
    effects: pd.DataFrame, control: Hashable, *, worth: float = 1.0, cost: float | Mapping[Any, float] = 0.0
) -> pd.Series:
    """Give each person the arm with the largest worth · τ - cost, or the control where none is above 0.

    Parameters
    ----------
    effects : (n, arms) τ(x) of each arm, as `predict` gives them
    worth : money for one outcome
    cost : money for one treatment, of all arms or {arm: money}

    >>> effects = pd.DataFrame({"mail": [0.1, 0.01], "call": [0.2, 0.0]})
    >>> choose(effects, "none", cost={"mail": 0.05, "call": 0.18}).tolist()
    ['mail', 'none']
    """
    gain = worth * effects.to_numpy(dtype=float) - np.array([_cost(a, control, cost) for a in effects.columns])
    if len(wrong := np.argwhere(~np.isfinite(gain))):
        raise UsageError(f"row {wrong[0, 0]}: the gain of arm {effects.columns.tolist()[wrong[0, 1]]!r} is not finite")
    best = gain.argmax(axis=1)
    names = np.array([*effects.columns, control], dtype=object)
    return pd.Series(names[np.where(gain.max(axis=1) > 0, best, len(effects.columns))], index=effects.index, name="arm")


class Priced(NamedTuple):
    """What rules are worth on the same rows.

    Parameters
    ----------
    persons : (n, rules) m y [A = π] / e - c, in money
    treated : share of people each rule treats
    simple : the rules that need no model: nobody, and all of each arm
    """

    persons: pd.DataFrame
    treated: pd.Series
    simple: list[str]

    def table(self, *, level: float = 0.95, n: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Give treated, value, low and high (bootstrap) of each rule, in money per person."""
        found = {r: bootstrap(self.persons[r], n=n, level=level, seed=seed)._asdict() for r in self.persons}
        return pd.DataFrame.from_dict(found, orient="index").assign(treated=self.treated).rename_axis("rule")

    def difference(
        self, rule: str, against: str = NOBODY, *, level: float = 0.95, n: int = 1000, seed: int = 0
    ) -> Interval:
        """Give how much more a rule brings than another, per person, paired."""
        for name in (rule, against):
            if name not in self.persons:
                raise UsageError(f"no rule is called {name!r}; {nearest(name, map(str, self.persons))}")
        return paired_difference(self.persons[rule], self.persons[against], n=n, level=level, seed=seed)

    def verdict(self, rule: str, *, level: float = 0.95, seed: int = 0) -> str:
        """Say in a sentence whether a rule beats all the simple ones, each of them at the level."""
        rival = max(self.simple, key=lambda name: self.persons[name].mean())
        gains = {name: self.difference(rule, name, level=level, seed=seed) for name in self.simple}
        best = f"{gains[rival]:.3g} more per person than treating {rival}"
        if all(gain.low > 0 for gain in gains.values()):
            return f"Treat the {100 * self.treated[rule]:.0f} % whom {rule!r} chooses: it brings {best}."
        return f"That {rule!r} beats the simple rules is not shown ({best}), so treat {rival}."


def price(
    y: ArrayLike,
    arm: ArrayLike,
    rules: Mapping[str, ArrayLike],
    *,
    control: Hashable | None = None,
    worth: float = 1.0,
    cost: float | Mapping[Any, float] = 0.0,
    propensity: Any = None,
) -> Priced:
    """Price rules on held-out rows; "nobody" and "all …" of each arm are added.

    Parameters
    ----------
    y, arm, control : outcomes and arms as they were drawn
    rules : {name: (n,) arm of each person}, from other rows, as `choose` gives them
    worth, cost : as for `choose`
    propensity : see `assignment.propensities`

    >>> y, arm = [1, 0, 1, 0], [1, 1, 0, 0]
    >>> price(y, arm, {"model": [1, 0, 0, 0]}, cost=0.1, propensity=0.5).persons["model"].tolist()
    [1.9, 0.0, 2.0, 0.0]
    """
    who = assignment(y, arm, control)
    e = propensities(who, propensity)[np.arange(len(who.y)), who.code]
    whole = {NOBODY: who.arms[0], **{f"all {a}": a for a in who.arms[1:]}}
    given = {**rules, **{name: np.full(len(e), a, dtype=object) for name, a in whole.items()}}
    number = {a: j for j, a in enumerate(who.arms)}
    costs = np.array([_cost(a, who.arms[0], cost) for a in who.arms])
    persons, treated = {}, {}
    for name, chosen in given.items():
        codes = pd.Series(np.asarray(chosen)).map(number)
        if len(codes) != len(e) or codes.isna().any():
            raise UsageError(f"rule {name!r} must give each of {len(e)} people one of the arms {who.arms}")
        pi = codes.to_numpy(dtype=np.int64)
        persons[name] = worth * who.y * (who.code == pi) / e - costs[pi]
        treated[name] = float((pi > 0).mean())
    return Priced(pd.DataFrame(persons), pd.Series(treated), list(whole))


def four_kinds(untreated: ArrayLike, treated: ArrayLike) -> pd.DataFrame:
    """Give the least and the most that the share of each kind of people can be.

    Parameters
    ----------
    untreated, treated : P(y=1) without and with: two rates, or forecasts of each person (n,), whose bounds are
        narrower, if they are right

    >>> four_kinds(0.10, 0.15)[["least", "most"]].round(2).T.to_dict("list")["persuadable"]
    [0.05, 0.15]
    """
    p0, p1 = np.broadcast_arrays(np.asarray(untreated, dtype=float), np.asarray(treated, dtype=float))
    if not p0.size or not all(((p >= 0) & (p <= 1)).all() for p in (p0, p1)):
        raise UsageError("untreated and treated must be chances from 0 to 1")
    sides = {
        "persuadable": (p1, 1 - p0),
        "sure thing": (p1, p0),
        "lost cause": (1 - p1, 1 - p0),
        "do not disturb": (1 - p1, p0),
    }
    bounds = {k: (np.maximum(0, a + b - 1).mean(), np.minimum(a, b).mean(), KINDS[k]) for k, (a, b) in sides.items()}
    return pd.DataFrame.from_dict(bounds, orient="index", columns=["least", "most", "words"]).rename_axis("kind")


def _least_squares(D: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Give weighted least squares and their HC1 covariance."""
    n, d = D.shape
    if n <= d:
        raise UsageError(f"{n} rows are too few for {d} coefficients")
    bread = np.linalg.pinv((D * weight[:, None]).T @ D)
    beta = bread @ (D.T @ (weight * y))
    score = D * (weight * (y - D @ beta))[:, None]
    return beta, n / (n - d) * bread @ (score.T @ score) @ bread


def _normal(value: float, variance: float, level: float) -> Interval:
    half = float(norm.ppf((1 + level) / 2) * np.sqrt(variance))
    return Interval(float(value), float(value) - half, float(value) + half)


def _cost(arm: Hashable, control: Hashable, cost: float | Mapping[Any, float]) -> float:
    if arm == control:
        return 0.0
    if isinstance(cost, Mapping) and arm not in cost:
        raise UsageError(f"cost names no price of arm {arm!r}; {nearest(str(arm), map(str, cost))}")
    return float(cost[arm] if isinstance(cost, Mapping) else cost)
