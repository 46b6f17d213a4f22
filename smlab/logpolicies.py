"""Policies on a log: Thompson sampling as a table of chances, replay of policies that learn, estimators judged.

Thompson sampling shows the list of the highest draws from Beta(α_a, β_a); item a stands in place k with the chance that
exactly k - 1 others are drawn above it. Replay lets a policy live through a log: Li, Chu, Langford & Wang (2011).
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, betaln, expit, log_expit, logit, polygamma

from smlab.checks import UsageError, nearest
from smlab.logged import Logged, cross_fit
from smlab.metrics import Interval
from smlab.ope import ESTIMATORS, Rounds, choose, estimate, evaluate
from smlab.policies import Oracle, Policy, Tally

Floats = NDArray[np.float64]
DRAWS = 1_000_000  # numbers that are drawn at a time
OBP_GRID = (10, 50, 100, 500, 1000, 5000, 10_000, np.inf)  # λ and τ that obp's examples try
# Bernoulli Thompson sampling of ZOZOTOWN when the Open Bandit log began: campaign → α, β of each item, from
# obp/policy/conf/prior_bts.yaml of obp 0.5.7 (Apache-2.0).
PRIORS = {  # campaign → α, β of each item: clicks and impressions without one before the log began
    "all": (
        "47 8 62 142 3 14 7 857 12 15 6 100 48 23 71 61 13 16 518 30 7 4 23 8 10 11 11 18 121 11 11 10 14 9 204 58 "
        "3 19 42 1013 2 328 15 31 14 138 45 55 23 38 10 401 52 6 3 6 5 32 35 133 52 820 43 195 8 42 40 4 32 30 9 "
        "22 6 23 5 54 8 22 65 246",
        "12198 3566 15993 35522 2367 4609 3171 181745 4372 4951 3100 24665 13210 7061 18061 17449 5644 6787 111326 "
        "8776 3334 2271 7389 2659 3665 4724 3561 5085 27407 4601 4756 4120 4736 3788 45292 14719 2189 5589 11995 "
        "222255 2308 70034 4801 8274 5421 31912 12213 13576 6230 10382 4141 85731 12811 2707 2250 2668 2886 9581 "
        "9465 28336 12062 162793 12107 41240 3162 11604 10818 2923 8897 8654 4000 6580 3174 6766 2602 14506 3968 "
        "7523 16532 51964",
    ),
    "men": (
        "47 8 62 142 3 6 100 48 23 71 61 13 16 518 30 7 4 23 8 10 11 11 18 121 11 4 32 30 9 22 6 23 5 54",
        "12198 3566 15993 35522 2367 3100 24665 13210 7061 18061 17449 5644 6787 111326 8776 3334 2271 7389 2659 "
        "3665 4724 3561 5085 27407 4601 2923 8897 8654 4000 6580 3174 6766 2602 14506",
    ),
    "women": (
        "12 7 984 13 15 15 11 14 9 200 72 3 14 49 1278 3 325 14 27 14 169 48 47 18 40 12 447 46 5 3 5 7 35 34 99 "
        "30 880 51 182 6 45 39 10 24 72 229",
        "3612 3173 204484 4517 4765 5331 4131 4728 4028 44280 17918 2309 4339 12922 270771 2480 68475 5129 7367 "
        "5819 38026 13047 11604 5394 10912 4439 94485 10700 2679 2319 2578 3288 9566 9775 20120 7317 172026 13673 "
        "37329 3365 10911 10734 4278 7574 16826 47462",
    ),
}


def production_prior(campaign: str = "all") -> tuple[Floats, Floats]:
    """Give α and β of each item, with which the Thompson sampling of the Open Bandit log began."""
    if campaign not in PRIORS:
        raise UsageError(f"unknown campaign {campaign!r}: {nearest(campaign, list(PRIORS))}")
    alpha, beta = (np.array(text.split(), dtype=float) for text in PRIORS[campaign])
    return alpha, beta


def thompson(
    alpha: ArrayLike, beta: ArrayLike, *, places: int = 1, n_draws: int | None = None, seed: int = 12345
) -> Floats:
    """Give the chance of each item in each place (places, n_items) under Thompson sampling.

    π_k(a) = ∫ P(k - 1 of the others lie above x) f_a(x) dx, the number above built up item by item (a Poisson
    binomial). With `n_draws` the shares in so many drawn lists, as obp does it: its generator, its order of draws.

    >>> thompson([2, 1], [1, 2]).round(4)  # E[F₂(x)] over f₁ = 2x, F₂ = 2x - x²
    array([[0.8333, 0.1667]])
    """
    a, b = np.asarray(alpha, dtype=float), np.asarray(beta, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or not (a > 0).all() or not (b > 0).all():
        raise UsageError("alpha and beta must hold one number above 0 for each item")
    if not 1 <= places <= len(a):
        raise UsageError(f"places={places}: a list has from 1 to {len(a)} of {len(a)} items")
    return _by_rule(a, b, places) if n_draws is None else _by_draws(a, b, places, n_draws, seed)


def _by_rule(a: Floats, b: Floats, places: int) -> Floats:
    """Sum over y = log(x/(1 - x)), in steps of a third of the narrowest posterior's deviation: good to 1e-7."""
    step = min(np.sqrt(polygamma(1, a) + polygamma(1, b)).min() / 3, 0.5)
    low, high = logit(betaincinv(a, b, 1e-13).clip(1e-300)).min(), -logit(betaincinv(b, a, 1e-13).clip(1e-300)).min()
    y = np.arange(low, high + step, step)
    chance = np.exp(np.outer(a, log_expit(y)) + np.outer(b, log_expit(-y)) - betaln(a, b)[:, None]) * step
    above = betainc(b[:, None], a[:, None], expit(-y))  # (n_items, n_steps)
    ways = np.zeros((places, *above.shape))  # chance that k - 1 of the items so far, itself left out, lie above y
    ways[0] = 1.0
    for other in range(len(a)):
        p = np.tile(above[other], (len(a), 1))
        p[other] = 0.0
        ways[1:] = ways[1:] * (1 - p) + ways[:-1] * p
        ways[0] *= 1 - p
    return cast(Floats, (ways * chance).sum(axis=-1))


def _by_draws(a: Floats, b: Floats, places: int, n: int, seed: int) -> Floats:
    rng, count = np.random.RandomState(seed), np.zeros((places, len(a)))
    step = max(1, DRAWS // len(a))
    for start in range(0, n, step):
        drawn = rng.beta(a, b, size=(min(step, n - start), len(a)))
        first = np.argsort(drawn, axis=1)[:, ::-1][:, :places]
        for place in range(places):
            count[place] += np.bincount(first[:, place], minlength=len(a))
    return count / n


class Replayed(NamedTuple):
    """What a learning policy earned a round, and in each run how many rounds of the log it lived and their reward."""

    value: Interval
    lived: Floats
    reward: Floats


def replay(
    log: Logged, policy: Policy, *, before: tuple[ArrayLike, ArrayLike] | None = None, n_runs: int = 10, seed: int = 0
) -> Replayed:
    """Let a learning policy live through a uniformly random log: of each round it sees only what it would have shown.

    Its list holds the highest scores; where the action of the round stands in the place of the round, the reward is
    its own and it learns from it, else the round is passed over. What it lives through then has the law of a life
    online, Σ of rewards / number of rounds lived is without bias, and of n rounds n / n_actions remain: Li, Chu,
    Langford & Wang (2011). The interval draws rounds of the log and does not let the policy learn anew.

    Parameters
    ----------
    policy : of policies.py; its discount counts rounds lived
    before : rewards seen of each action and their sum, known from the start
    n_runs : lives through the same log, differing in the policy's own chance

    Raises
    ------
    UsageError
        If the log is not uniformly random: its policy's taste would pass for that of the users.
    """
    if np.ptp(log.propensity) > 1e-9 or abs(log.propensity[0] * log.n_actions - 1) > 1e-6:
        raise UsageError("replay needs actions drawn with even chances; other logs have to be weighed: `cross_fit`")
    if policy.window is not None or isinstance(policy, Oracle):
        raise UsageError("replay knows neither a window, for it passes rounds over, nor the truth that Oracle needs")
    rng, runs = np.random.default_rng(seed), np.arange(n_runs)
    n, reward = (np.tile(np.asarray(x, dtype=float), (n_runs, 1)) for x in before or np.zeros((2, log.n_actions)))
    tally = Tally(n, reward, np.zeros_like(n), np.zeros_like(n), np.tile(np.arange(log.n_actions), (n_runs, 1)))
    lived, won, hits = np.zeros(n_runs), np.zeros(n_runs), np.zeros(len(log.action))
    for i, (action, place, gain) in enumerate(zip(log.action, log.position, log.reward, strict=True)):
        score = policy.scores(tally, rng)
        above = (score > score[:, action, None]).sum(axis=1) + (score[:, :action] == score[:, action, None]).sum(axis=1)
        hit = runs[above == place]
        tally.n[hit] *= policy.discount
        tally.reward[hit] *= policy.discount
        for count, more in ((tally.n, 1.0), (tally.shown, 1.0), (tally.reward, gain)):
            count[hit, action] += more
        lived[hit], won[hit], hits[i] = lived[hit] + 1, won[hit] + gain, len(hit)
    none = np.zeros(len(hits))
    value = evaluate(Rounds(log.reward, hits, none, none), ["SNIPS"], seed=seed)["SNIPS"].interval
    return Replayed(value, lived, won)


def relative_errors(
    log: Logged, policy: ArrayLike, truth: float, *, n_runs: int = 30, model: Any = None, folds: int = 3,
    rule: str = "slope", grid: Any = OBP_GRID, seed: int = 12345,
) -> pd.DataFrame:  # fmt: skip
    """Give |V̂ - V|/V of each estimator (columns) in `n_runs` redraws of the log (rows), V known from elsewhere.

    The procedure of obp's examples/obd: run b draws the rounds with replacement by its seed b; folds by `seed`. The
    column "log's mean" is the mean reward of the log as it is: what knows nothing of the policy gets that far.
    """
    rows = []
    for run in range(n_runs):
        drawn = log.rows(np.random.RandomState(run).choice(len(log.action), len(log.action)))
        rounds = cross_fit(drawn, policy, model=model, folds=folds, seed=seed)
        found = {name: estimate(rounds, name, choose(rounds, name, rule=rule, grid=grid) if form.tuned else np.inf)
                 for name, form in ESTIMATORS.items()}  # fmt: skip
        rows.append({**found, "log's mean": drawn.reward.mean()})
    return (pd.DataFrame(rows).astype(float) - truth).abs() / abs(truth)
