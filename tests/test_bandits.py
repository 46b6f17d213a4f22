"""Many bandits at once beside a plain loop; delays, batches, forgetting; regret and its least slope; errors."""

from __future__ import annotations

import re
from math import log, sqrt

import numpy as np
import pytest
from scipy.optimize import brentq

from smlab.bandits import lai_robbins, simulate
from smlab.checks import UsageError
from smlab.policies import (
    KLUCB,
    UCB1,
    EpsilonGreedy,
    ExploreThenCommit,
    GaussianThompson,
    Oracle,
    Random,
    TestThenCommit,
    Thompson,
    kl,
)

MEANS = [0.5, 0.35, 0.2, 0.2]
HERE = np.array([[[0.5, 0.2, np.nan]]] * 40 + [[[0.1, 0.2, 0.6]]] * 40 + [[[np.nan, 0.2, 0.6]]] * 40)


def divergence(p, q):
    return sum(a * log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def upper(p, level):
    """KL-UCB's bound by a root finder."""
    if level <= 1e-12 or p == 1:
        return p
    return round(brentq(lambda q: divergence(p, q) - level, p, 1 - 1e-15, xtol=1e-14), 9)


def score(policy, n, reward, shown, rng):
    """One score, as the formula has it."""
    total = max(sum(n), 1.0)
    out = []
    for m, s, seen in zip(n, reward, shown, strict=True):
        if isinstance(policy, Thompson):
            out.append(rng.beta(policy.alpha + max(s, 0), policy.beta + max(m - s, 0)))
        elif isinstance(policy, GaussianThompson):
            precision = m / policy.noise**2 + 1 / policy.prior_sd**2
            mean = (s / policy.noise**2 + policy.prior_mean / policy.prior_sd**2) / precision
            out.append(mean + rng.standard_normal() / sqrt(precision))
        elif m <= 0:
            out.append(1e9 - seen)
        elif isinstance(policy, UCB1):
            out.append(s / m + sqrt(policy.scale * log(total) / m))
        elif isinstance(policy, KLUCB):
            out.append(upper(s / m, log(total) / m))
        else:
            out.append(s / m)
    return out


def loop(policy, world, rounds, n_sims, seed, *, delay=0, batch=1, noise=None, size=1):
    """The plain truth: one simulation, one arm, one number at a time, from the log of all that happened."""
    n_arms = world.shape[2]
    order_rng, luck, rng = (np.random.default_rng([seed, i]) for i in range(3))
    order = order_rng.permuted(np.tile(np.arange(n_arms), (n_sims, 1)), axis=1)
    log_of = [[] for _ in range(n_sims)]  # (round, column, size, reward)
    regret, shown = np.zeros((n_sims, rounds)), np.zeros((n_sims, n_arms), dtype=int)
    for t in range(rounds):
        explore = [rng.random() for _ in range(n_sims)] if isinstance(policy, EpsilonGreedy) else []
        scores = []
        for sim in range(n_sims):
            n, reward, seen = ([0.0] * n_arms for _ in range(3))
            for r, column, m, got in log_of[sim]:
                seen[column] += m
                arrived = r + 1 + delay
                while arrived % batch:
                    arrived += 1
                if arrived > t or (policy.window is not None and arrived <= t - policy.window):
                    continue
                n[column] += m * policy.discount ** (t - arrived)
                reward[column] += got * policy.discount ** (t - arrived)
            scores.append(score(policy, n, reward, seen, rng))
        for sim, chance in enumerate(explore):
            if chance < policy.epsilon:
                scores[sim] = [rng.random() for _ in range(n_arms)]
        for sim in range(n_sims):
            means = world[t % len(world)][0][order[sim]]
            column = max((c for c in range(n_arms) if means[c] == means[c]), key=lambda c: scores[sim][c])
            p = means[column]
            if noise is not None:
                got = size * p + sqrt(size) * noise * luck.standard_normal()
            else:
                got = float(luck.random() < p) if size == 1 else float(luck.binomial(size, p))
            log_of[sim].append((t, column, size, got))
            regret[sim, t] = size * (np.nanmax(means) - p)
            shown[sim, order[sim][column]] += size
    return regret.cumsum(axis=1), shown


POLICIES = [EpsilonGreedy(epsilon=0.2), UCB1(), KLUCB(), Thompson()]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("late", [{}, {"delay": 7}, {"batch": 10}, {"delay": 3, "batch": 8}], ids=str)
def test_choices_are_those_of_a_plain_loop(policy, late):
    world = np.array(MEANS)[None, None]
    regret, shown = loop(policy, world, 80, 6, 3, **late)
    fast = simulate(policy, MEANS, 80, 6, 3, at=np.arange(1, 81), **late)
    assert (fast.shown == shown).all()
    assert fast.regret == pytest.approx(regret, abs=1e-9)


@pytest.mark.parametrize("policy", [UCB1(window=15), Thompson(window=15), Thompson(discount=0.9)], ids=str)
@pytest.mark.parametrize("late", [{}, {"delay": 2, "batch": 4}], ids=str)
def test_forgetting_and_arms_that_come_and_go_are_those_of_a_plain_loop(policy, late):
    regret, shown = loop(policy, HERE, len(HERE), 5, 1, **late)
    fast = simulate(policy, HERE, len(HERE), 5, 1, at=np.arange(1, len(HERE) + 1), **late)
    assert (fast.shown == shown).all() and fast.regret == pytest.approx(regret, abs=1e-9)


def test_rounds_of_many_impressions_and_normal_rewards_are_those_of_a_plain_loop():
    world = np.array(MEANS)[None, None]
    for policy, how in ((Thompson(), {"size": 5}), (GaussianThompson(noise=0.5), {"noise": 0.5, "size": 3})):
        regret, shown = loop(policy, world, 60, 5, 2, **how)
        fast = simulate(policy, MEANS, 60, 5, 2, at=[60], **how)
        assert (fast.shown == shown).all() and fast.regret[:, 0] == pytest.approx(regret[:, -1], abs=1e-9)


def test_shown_rewards_and_regret_add_up():
    paths = simulate(Thompson(), MEANS, 500, 2000)
    gaps = 0.5 - np.array(MEANS)
    assert (paths.shown.sum(axis=1) == 500).all()
    assert paths.regret[:, -1] == pytest.approx(paths.shown @ gaps)
    assert paths.reward.mean() == pytest.approx((paths.shown @ np.array(MEANS)).mean(), rel=0.005)


@pytest.mark.parametrize("policy", [Thompson(), UCB1(), Random(), EpsilonGreedy()], ids=lambda p: type(p).__name__)
def test_leader_is_the_best_arm_where_that_is_plain(policy):
    assert (simulate(policy, [0.02, 0.03, 0.12], 3000, 200).leader == 2).mean() > 0.95


def test_one_seed_gives_one_result_and_another_another():
    first, again, other = (simulate(Thompson(), MEANS, 200, 20, seed) for seed in (1, 1, 2))
    assert (first.regret == again.regret).all() and (first.regret != other.regret).any()


def test_luck_does_not_hang_on_the_policy():
    """Of two equal arms it does not matter which is shown: all policies get the same clicks."""
    rewards = [simulate(policy, [0.4, 0.4], 300, 50).reward.tolist() for policy in (Oracle(), UCB1(), Thompson())]
    assert rewards[0] == rewards[1] == rewards[2]


@pytest.mark.parametrize(
    "policy", [*POLICIES, Random(), ExploreThenCommit(per_arm=5), TestThenCommit(per_arm=5)], ids=str
)
def test_one_arm_or_equal_arms_cost_nothing(policy):
    for means in ([0.3], [0.3, 0.3, 0.3]):
        assert (simulate(policy, means, 60, 10).regret == 0).all()


@pytest.mark.parametrize("policy", [EpsilonGreedy(), UCB1(), Thompson()], ids=lambda p: type(p).__name__)
def test_ties_favour_no_arm(policy):
    shown = simulate(policy, [0.2] * 4, 200, 2000).shown.mean(axis=0)
    assert shown == pytest.approx(np.full(4, 50), rel=0.08)


def test_regret_has_the_order_that_theory_says():
    policies = (Oracle(), Thompson(), KLUCB(), UCB1(), Random())
    ends = [simulate(policy, [0.3, 0.2, 0.1], 3000, 300).regret[:, -1].mean() for policy in policies]
    assert ends[0] == 0 and (np.diff(ends) > 5).all()


def test_late_rewards_cost_more_and_a_batch_hurts_thompson_less_than_ucb():
    """Chapelle & Li (2011), table 1: who draws at random spreads over a batch, who is sure repeats itself."""
    now, late = (simulate(Thompson(), MEANS, 1000, 500, delay=d).regret[:, -1].mean() for d in (0, 200))
    assert late > now + 15
    more = [
        np.diff([simulate(policy, [0.5, 0.4], 2000, 500, batch=b).regret[:, -1].mean() for b in (1, 400)])[0]
        for policy in (Thompson(), KLUCB())
    ]
    assert more[1] > more[0] > 0


def test_an_arm_that_appears_is_found_and_one_that_is_gone_is_not_shown():
    world = np.repeat([[0.1, 0.2, np.nan], [0.1, 0.2, 0.5], [0.1, np.nan, 0.5]], 500, axis=0)[:, None]
    for policy in (Thompson(), UCB1(), EpsilonGreedy()):
        shown = simulate(policy, world, 1500, 100).shown
        assert (shown[:, 2] <= 1000).all() and (shown[:, 1] <= 1000).all()
        assert shown[:, 2].mean() > 700


@pytest.mark.parametrize("make", [Thompson, UCB1])
def test_who_forgets_copes_with_change(make):
    world = np.repeat([[0.6, 0.3], [0.2, 0.5], [0.6, 0.3]], 1000, axis=0)[:, None]
    scale = {"scale": 0.5} if make is UCB1 else {}
    stubborn, fading, short = (
        simulate(make(**how, **scale), world, 3000, 200).regret[:, -1].mean()
        for how in ({}, {"discount": 0.995}, {"window": 200})
    )
    assert max(fading, short) < 0.8 * stubborn


def test_lai_robbins_by_hand():
    """0.1 / kl(0.4, 0.5) + 0.2 / kl(0.3, 0.5); equal arms cost nothing; normal rewards 2σ²/Δ."""
    assert lai_robbins([0.5, 0.4, 0.3]) == pytest.approx(0.1 / kl(0.4, 0.5) + 0.2 / kl(0.3, 0.5))
    assert lai_robbins([0.5, 0.5]) == 0
    assert lai_robbins([1.0, 0.0], noise=0.7) == pytest.approx(2 * 0.49)


def test_slope_is_that_of_the_logarithm():
    paths = simulate(Random(), [0.5, 0.4], 1000, 3, at=np.arange(1, 1001))
    planted = type(paths)(
        paths.at, np.outer([4.0, 5.0, 6.0], np.log(paths.at)), paths.reward, paths.shown, paths.leader
    )
    assert planted.slope().value == pytest.approx(5) and planted.slope().low == pytest.approx(4)
    assert planted.band().shape == (1000, 3)


@pytest.mark.slow
@pytest.mark.parametrize("means", [[0.5, 0.25], [0.2, 0.1, 0.05]])
def test_thompsons_slope_is_near_lai_robbins_and_ucb1s_is_not(means):
    """Kaufmann, Korda & Munos (2012): Thompson reaches C. At T = 50,000 it still comes from below."""
    c = lai_robbins(means)
    thompson, ucb1 = (simulate(policy, means, 50_000, 1000).slope() for policy in (Thompson(), UCB1()))
    assert c / 1.3 < thompson.low and thompson.high < 1.3 * c
    assert ucb1.low > 3 * c


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"means": [0.5, 1.2]}, "a mean of 1.2 cannot be: a click rate is from 0 to 1, other rewards need `noise`"),
        ({"means": np.ones((3, 2))}, "means of shape (3, 2) must be (n_arms,), (4, n_arms) or (10, 1 or 4, n_arms)"),
        ({"means": [np.nan, np.nan]}, "in round 0 no arm is there: means are NaN"),
        ({"rounds": 0}, "rounds=0 and n_sims=4 must be whole numbers from 1"),
        ({"delay": -1}, "delay=-1 must be 0 rounds or more, batch=1 1 or more"),
        ({"noise": 0.0, "policy": UCB1()}, "noise=0.0 must be above 0; None is for clicks"),
        ({"noise": 1.0}, "Thompson is for clicks, not for normal rewards; GaussianThompson is"),
        ({"size": 0.5}, "size of shape () must hold whole numbers from 0: one, (4,) or (10, 4)"),
        ({"at": [5, 11]}, "at must name rounds from 1 to 10, rising"),
    ],
)
def test_errors_are_sentences(how, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        simulate(**{"policy": Thompson(), "means": [0.5, 0.4], "rounds": 10, "n_sims": 4} | how)


def test_a_slope_needs_points():
    with pytest.raises(UsageError, match="since=0.1 leaves 1 of 1 points; a slope needs 3 or more"):
        simulate(Random(), [0.5, 0.4], 10, 4, at=[10]).slope()
