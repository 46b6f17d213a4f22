"""What a closed loop was worth: money, regret, fatigue, who was shown, and how fast it recovered; over worlds, paired.

All policies live in the same worlds with the same luck, so they are compared world by world, and intervals come from
drawing worlds anew. With m the money that was to be expected of what was shown on a day, in sums over worlds,

    regret_T = Σ_{t ≤ T} (m*_t - m_t)                  m* the oracle's; in the worlds as the policy has left them
    of the gap = (m - m₀) / (m* - m₀)                  m₀ of random choice; 1 is the oracle
    L = L(f) + L_ad,    L_ad = 1 - m̄ / m̄*             m̄ of a visitor; L(f) what the forecast lacks (`campaignloop`)
    recovery                                           days after the drift until `of the gap` has 9/10 of its mean
                                                       over the five days before
    newcomers = (E₁ / M₁) / (E₀ / M₀)                  showings E by merit M of newcomers' posts and of the others,
                                                       since all are there; 1 is by merit (Singh & Joachims 2018)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.campaignloop import Learner, Played, Settings, play
from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap, gini
from smlab.socialworld import SocialWorld

Floats = NDArray[np.float64]
Runs = Mapping[str, Played]
BEFORE, BACK, DRAWS = 5, 0.9, 1000
MEASURES = ("revenue", "regret", "of the gap", "L", "L(f)", "L_ad", "ads on the mind", "followers")
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "no drift": {"drift": 0.0},
    "twice the drift": {"drift": 1.0},
    "ads tire nobody": {"wear": 0.0, "annoy": 0.0},
    "ads annoy five times as much": {"annoy": 0.005},
    "a quarter of the users": {"n_users": 250},
    "half the reactions": {"post_rate": 0.015, "ad_rate": 0.0075},
    "tastes half as different": {"taste": 0.3, "own": 0.3},
}


def scores(runs: Runs) -> pd.DataFrame:
    """Give a row a policy, with intervals over worlds.

    Parameters
    ----------
    runs : name -> what it did; `random` and `oracle` must be among them

    Returns
    -------
    frame with columns revenue (money that came in, of a world), of the gap, regret, L (mean of days), ads on the mind
    (of a visitor), left (followers), Gini (of posts' showings), newcomers, recovery (days; NaN without a gap to lose)
    """
    _need(runs)
    rows = {}
    for name, run in runs.items():
        visitors = run.daily["visitors"].sum(axis=1)
        rows[name] = {
            "revenue": bootstrap(run.daily["revenue"].sum(axis=1)),
            "of the gap": gap(runs, name),
            "regret": bootstrap(_lost(runs, name).sum(axis=1)),
            "L": bootstrap(_objective(runs, name)["L"].mean(axis=1)),
            "ads on the mind": bootstrap(run.daily["tired"].sum(axis=1) / visitors),
            "left": bootstrap(run.daily["left"].sum(axis=1)),
            **exposure(run),
            "recovery": recovery(runs, name),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def gap(runs: Runs, name: str, *, realised: bool = False) -> Interval:
    """Give how much of the gap between random and oracle a policy closes, over all days.

    Parameters
    ----------
    realised : by the money that came in, luck included, rather than by what was to be expected
    """
    _need(runs, name)
    what = "revenue" if realised else "expected"
    mine, low, high = (runs[k].daily[what].sum(axis=1) for k in (name, "random", "oracle"))
    return _ratio(mine - low, high - low)


def by_day(runs: Runs, measure: str) -> pd.DataFrame:
    """Give one of `MEASURES` by policy and day from 1: policy, day, value, low, high; regret is summed up."""
    _need(runs)
    if measure not in MEASURES:
        raise UsageError(f"there is no measure {measure!r}; known: {', '.join(MEASURES)}")
    rows = []
    for name in runs:
        top, bottom = _course(runs, name, measure)
        for day, (a, b) in enumerate(zip(top.T, bottom.T, strict=True), start=1):
            rows.append({"policy": name, "day": day, **_ratio(a, b)._asdict()})
    return pd.DataFrame(rows)


def exposure(run: Played) -> dict[str, Interval]:
    """Give the Gini coefficient of the posts' showings since all are there, and the newcomers' exposure by merit."""
    new, merit = run.world.newcomer, run.world.merit
    shown = run.shown[:, run.world.facts.arrival :, : len(new)].sum(axis=1)  # (S, n_posts)
    if not new.any() or not shown.any():
        raise UsageError(f"exposure needs days after arrival={run.world.facts.arrival} and posts of newcomers")
    each = [shown[:, of].sum(axis=1) / merit[:, of].sum(axis=1) for of in (new, ~new)]
    return {"Gini": bootstrap([gini(row) for row in shown]), "newcomers": _ratio(*each)}


def recovery(runs: Runs, name: str) -> Interval:
    """Give the days after the drift until a policy closes 9/10 of what it closed of the gap before.

    0 where it never closed less, and the days that were left where it has not recovered. The interval is over worlds.
    """
    _need(runs, name)
    drift, days = runs[name].world.facts.drift_from, runs[name].world.facts.days
    if name == "random" or not BEFORE <= drift < days:
        return Interval(np.nan, np.nan, np.nan)
    top, bottom = _course(runs, name, "of the gap")
    weight = np.random.default_rng(0).multinomial(len(top), np.full(len(top), 1 / len(top)), size=DRAWS)
    share = np.vstack([top.sum(axis=0)[None], weight @ top]) / np.vstack([bottom.sum(axis=0)[None], weight @ bottom])
    enough = share[:, drift:] >= BACK * share[:, drift - BEFORE : drift].mean(axis=1, keepdims=True)
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), days - drift)
    low, high = np.quantile(first[1:], [0.025, 0.975])
    return Interval(float(first[0]), float(low), float(high))


def sensitivity(
    learner: Learner,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    policies: Iterable[str] = ("popularity", "model", "thompson"),
    seeds: Iterable[int] = range(5),
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Change a fact of the world and give the share of the gap that each policy closes, and the gap itself in money.

    Parameters
    ----------
    changes : words -> facts that differ; None takes `CHANGES`
    seeds : worlds of each change
    """
    rows, given = {}, list(seeds)
    for words, facts in (CHANGES if changes is None else changes).items():
        world = SocialWorld(given, **facts)
        runs = {name: play(world, name, learner, settings=settings) for name in ("random", *policies, "oracle")}
        money = runs["oracle"].daily["expected"].sum(axis=1) - runs["random"].daily["expected"].sum(axis=1)
        rows[words] = {name: gap(runs, name) for name in policies} | {"gap in money": bootstrap(money)}
    return pd.DataFrame.from_dict(rows, orient="index")


def _course(runs: Runs, name: str, measure: str) -> tuple[Floats, Floats]:
    """Give what is divided by what, each (S, days)."""
    run, ones = runs[name].daily, np.ones_like(runs[name].daily["revenue"])
    m, low, high = (runs[k].daily["expected"] for k in (name, "random", "oracle"))
    if measure == "of the gap":
        return m - low, high - low
    if measure == "ads on the mind":
        return run["tired"], run["visitors"]
    if measure == "regret":
        return np.cumsum(high - m, axis=1), ones
    return (_objective(runs, name)[measure] if measure.startswith("L") else run[measure]), ones


def _lost(runs: Runs, name: str) -> Floats:
    return runs["oracle"].daily["expected"] - runs[name].daily["expected"]


def _objective(runs: Runs, name: str) -> dict[str, Floats]:
    """Give L, L(f) and L_ad, (S, days)."""
    run, best = runs[name].daily, runs["oracle"].daily
    f = run["unexplained"] / np.maximum(run["spread"], 1e-300)
    each, of_best = (x["expected"] / np.maximum(x["visitors"], 1) for x in (run, best))
    ad = 1 - each / of_best
    return {"L": f + ad, "L(f)": f, "L_ad": ad}


def _ratio(top: Floats, bottom: Floats) -> Interval:
    """Give Σ top / Σ bottom over worlds, with the interval from drawing worlds, both sums together."""

    def share(at: NDArray, axis: int) -> Floats:
        k = at.astype(int)
        return top[k].sum(axis=axis) / bottom[k].sum(axis=axis)

    return bootstrap(np.arange(len(top)), share, n=DRAWS)


def _need(runs: Runs, *names: str) -> None:
    for name in ("random", "oracle", *names):
        if name not in runs:
            raise UsageError(f"the runs lack {name!r}; there are {', '.join(runs)}")
    first = next(iter(runs.values())).world
    if any(run.world.seeds != first.seeds or run.world.facts != first.facts for run in runs.values()):
        raise UsageError("the runs are of different worlds, so they cannot be paired")
