"""Bandits that look at people: ridge by its definition, a plain loop, planted tastes, late rewards, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import expit

from smlab.checks import UsageError
from smlab.contextual import LinearThompson, LinUCB, Ridges, simulate_people


def crowd(n=300, d=3, n_arms=4, *, seed=0):
    """People with features, and what they think of the arms."""
    rng = np.random.default_rng(seed)
    people = np.column_stack([np.ones(n), rng.standard_normal((n, d - 1))])
    return people, expit(people @ rng.standard_normal((d, n_arms)) - 1.5)


def test_ridges_are_those_of_their_definition():
    """A = λI + Σ xxᵀ and θ̂ = A⁻¹b, whatever the order of Sherman and Morrison's steps."""
    rng = np.random.default_rng(1)
    x, reward, arm = rng.standard_normal((30, 2, 3)), rng.random((30, 2)), rng.integers(0, 2, (30, 2))
    ridges = Ridges(2, 2, 3, reg=0.7)
    for step in zip(x, arm, reward, strict=True):
        ridges.learn(*step)
    person = rng.standard_normal((2, 3))
    mean, width = ridges.look(person)
    for sim in range(2):
        for a in range(2):
            seen = x[arm[:, sim] == a, sim]
            big = 0.7 * np.eye(3) + seen.T @ seen
            theta = np.linalg.solve(big, seen.T @ reward[arm[:, sim] == a, sim])
            assert ridges.theta[sim, a] == pytest.approx(theta)
            assert mean[sim, a] == pytest.approx(person[sim] @ theta)
            assert width[sim, a] == pytest.approx(np.sqrt(person[sim] @ np.linalg.solve(big, person[sim])))


def test_linear_thompson_draws_what_a_draw_of_theta_gives():
    """xᵀθ̃ with θ̃ ~ N(θ̂, v²A⁻¹), drawn whole, has mean xᵀθ̂ and standard deviation v w."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 3))
    inverse, theta, x = np.linalg.inv(a.T @ a + np.eye(3)), rng.standard_normal(3), rng.standard_normal(3)
    whole = rng.multivariate_normal(theta, 0.4**2 * inverse, 100_000) @ x
    mean, width = np.full((100_000, 1), x @ theta), np.full((100_000, 1), np.sqrt(x @ inverse @ x))
    short = LinearThompson(v=0.4).scores(mean, width, rng)[:, 0]
    assert np.quantile(short, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(whole, [0.1, 0.5, 0.9]), abs=0.01)


@pytest.mark.parametrize("policy", [LinUCB(alpha=0.7), LinearThompson(v=0.3)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("late", [{}, {"delay": 5}, {"batch": 6}], ids=str)
def test_choices_are_those_of_a_plain_loop(policy, late):
    people, means = crowd()
    fast = simulate_people(policy, people, means, 60, 4, 2, at=np.arange(1, 61), **late)
    assert fast.regret == pytest.approx(loop(policy, people, means, 60, 4, 2, **late), abs=1e-9)


def loop(policy, people, means, rounds, n_sims, seed, *, delay=0, batch=1):
    """One simulation and one arm at a time, each regression solved from all of its log."""
    order_rng, luck, rng, door = (np.random.default_rng([seed, i]) for i in range(4))
    order = order_rng.permuted(np.tile(np.arange(means.shape[1]), (n_sims, 1)), axis=1)
    d, log_of, regret = people.shape[1], [[] for _ in range(n_sims)], np.zeros((n_sims, rounds))
    for t in range(rounds):
        for sim in range(n_sims):
            who, scores = door.integers(0, len(people)), []
            known = [row for row in log_of[sim] if -(-(row[0] + 1 + delay) // batch) * batch <= t]
            for column in range(means.shape[1]):
                x = np.array([row[2] for row in known if row[1] == column]).reshape(-1, d)
                r = np.array([row[3] for row in known if row[1] == column])
                inverse = np.linalg.inv(policy.reg * np.eye(d) + x.T @ x)
                mean, width = people[who] @ inverse @ x.T @ r, np.sqrt(people[who] @ inverse @ people[who])
                draw = rng.standard_normal() if isinstance(policy, LinearThompson) else None
                scores.append(mean + policy.alpha * width if draw is None else mean + policy.v * width * draw)
            column = int(np.argmax(np.round(scores, 12)))
            p = means[who, order[sim][column]]
            log_of[sim].append((t, column, people[who], float(luck.random() < p)))
            regret[sim, t] = means[who].max() - p
    return regret.cumsum(axis=1)


@pytest.mark.parametrize("policy", [LinUCB(alpha=0.5), LinearThompson(v=0.3)], ids=lambda p: type(p).__name__)
def test_who_looks_at_people_beats_who_does_not(policy):
    """Two tastes, each with an arm of its own: to look at nobody costs 0.2 in half of the rounds."""
    taste = np.repeat([0.0, 1.0], 50)
    people, means = np.column_stack([1 - taste, taste]), np.column_stack([0.3 - 0.2 * taste, 0.1 + 0.2 * taste])
    looks = simulate_people(policy, people, means, 2000, 50)
    blind = simulate_people(policy, np.ones((100, 1)), means, 2000, 50)
    assert blind.regret[:, -1].mean() > 180 and looks.regret[:, -1].mean() < 60
    half = looks.regret[:, np.searchsorted(looks.at, 1000)].mean()
    assert looks.regret[:, -1].mean() - half < 0.6 * half  # ever slower


def test_greed_is_stuck_in_some_simulations():
    people, means = crowd(seed=3)
    greedy, curious = (simulate_people(LinUCB(alpha=a), people, means, 2000, 100).regret[:, -1] for a in (0.0, 0.5))
    assert greedy.mean() > 2 * curious.mean()


def test_normal_rewards_seeds_and_sums():
    people, means = crowd()
    first, again, other = (
        simulate_people(LinearThompson(), people, 5 * means, 300, 10, s, noise=0.5) for s in (1, 1, 2)
    )
    assert (first.regret == again.regret).all() and (first.regret != other.regret).any()
    assert (first.shown.sum(axis=1) == 300).all()


def test_one_arm_costs_nothing():
    people, means = crowd(n_arms=1)
    assert (simulate_people(LinUCB(), people, means, 50, 3).regret == 0).all()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"means": np.ones((2, 2))}, "people (300, 3) and means (2, 2) must be (n_people, d) and (n_people, n_arms)"),
        ({"means": np.full((300, 2), 2.0)}, "means from 2 to 2: a click rate is from 0 to 1, else name `noise`"),
        ({"means": np.full((300, 2), np.nan)}, "people and means must be finite numbers"),
        ({"noise": 0.0}, "noise=0.0 must be above 0; None is for clicks"),
        ({"delay": -1}, "rounds=10, n_sims=2, batch=1 must be 1 or more, delay=-1 0 or more"),
    ],
)
def test_errors_are_sentences(how, text):
    people, means = crowd()
    with pytest.raises(UsageError, match=re.escape(text)):
        simulate_people(**{"policy": LinUCB(), "people": people, "means": means, "rounds": 10, "n_sims": 2} | how)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match=re.escape("alpha=-1 must be 0 or more, reg=1.0 above 0")):
        LinUCB(alpha=-1)
    with pytest.raises(UsageError, match=re.escape("v=0.5 must be 0 or more, reg=0 above 0")):
        LinearThompson(reg=0)
