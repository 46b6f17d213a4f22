"""Policies: indices by hand and by other means, posteriors, who is shown first, tests before commitments, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, norm

from smlab import bandits
from smlab.checks import UsageError
from smlab.policies import (
    KLUCB,
    UCB1,
    EpsilonGreedy,
    ExploreThenCommit,
    GaussianThompson,
    Oracle,
    Policy,
    Random,
    SequentialHalving,
    Tally,
    TestThenCommit,
    Thompson,
    kl,
    kl_upper,
)

RNG = np.random.default_rng


def tally(n, reward, shown=None, truth=None):
    """What one simulation knows."""
    n = np.atleast_2d(np.asarray(n, dtype=float))
    shown = n if shown is None else np.atleast_2d(np.asarray(shown, dtype=float))
    arm = np.tile(np.arange(n.shape[1]), (len(n), 1))
    return Tally(n.copy(), np.atleast_2d(np.asarray(reward, dtype=float)), shown, np.full(n.shape, 0.5), arm)


def test_ucb1_by_hand():
    """Two rewards of 1/2 in the mean and one of 1: 1/2 + √(2 log 3 / 2), 1 + √(2 log 3)."""
    assert UCB1().scores(tally([2, 1], [1, 1]), RNG(0)) == pytest.approx(np.array([[1.54815, 2.48230]]), abs=1e-5)


def test_discounted_and_sliding_window_ucb_are_ucb1_with_another_scale():
    """Garivier & Moulines (2011): 2√(ξ log n / N) is √(4ξ log n / N), with n the sum of what is not forgotten."""
    found = UCB1(scale=4 * 0.6).scores(tally([2.5, 1.25], [1, 1]), RNG(0))
    assert found[0] == pytest.approx([1 / n + 2 * np.sqrt(0.6 * np.log(3.75) / n) for n in (2.5, 1.25)])


def test_kl_root_solves_its_equation():
    rng = RNG(0)
    p = np.concatenate([rng.random(300), rng.random(300) ** 8, 1 - rng.random(50) ** 8])
    level = 10 ** rng.uniform(-6, 1.3, len(p))
    q = kl_upper(p, level)
    inside = q < 1 - 1e-9
    assert inside.mean() > 0.8
    assert kl(p, q)[inside] == pytest.approx(level[inside], rel=1e-6, abs=1e-9)
    assert (kl(p, np.full(len(p), 1 - 1e-9)) <= level)[~inside].all()
    assert (q >= p).all() and (q <= 1).all()


def test_kl_root_agrees_with_a_root_finder():
    for p, level in [(0.02, 0.001), (0.3, 0.2), (0.5, 1e-6), (0.9, 0.01), (0.999, 0.0001)]:
        root = brentq(lambda q, p=p, level=level: float(kl(p, q)) - level, p, 1 - 1e-14, xtol=1e-14)
        assert kl_upper(p, level) == pytest.approx(root, abs=1e-11)


@pytest.mark.parametrize("level", [1e-4, 0.1, 1.0, 5.0])
def test_kl_root_at_the_edges(level):
    """Of no click in n, kl(0, q) = -log(1-q); of nothing but clicks nothing is above; at level 0 the mean itself."""
    assert kl_upper(0.0, level) == pytest.approx(1 - np.exp(-level), abs=1e-11)
    assert kl_upper(1.0, level) == pytest.approx(1)
    assert kl_upper([0.0, 0.3, 1.0], 0.0).tolist() == [0.0, 0.3, 1.0]


def test_kl_bound_is_below_ucb1s():
    """Pinsker: kl ≥ 2(q-p)², so the bound is never above μ̂ + √(log n / 2N)."""
    known = tally([[5, 50, 500]], [[1, 20, 499]])
    assert (KLUCB().scores(known, RNG(0)) <= UCB1(scale=0.5).scores(known, RNG(0)) + 1e-9).all()


def test_thompsons_draws_have_the_posterior():
    known = tally(np.tile([0, 40], (50_000, 1)), np.tile([0, 9], (50_000, 1)))
    policy = Thompson(alpha=2, beta=3)
    a, b = policy.posterior(known)
    assert (a[0].tolist(), b[0].tolist()) == ([2, 11], [3, 34])
    draws = policy.scores(known, RNG(1))
    for column, exact in enumerate([beta(2, 3), beta(11, 34)]):
        assert np.quantile(draws[:, column], [0.05, 0.5, 0.95]) == pytest.approx(exact.ppf([0.05, 0.5, 0.95]), abs=0.01)


def test_gaussian_posterior_is_that_of_a_fine_grid():
    rewards, policy = np.array([1.0, 2.5, 0.7]), GaussianThompson(noise=0.8, prior_mean=0.2, prior_sd=1.5)
    grid = np.linspace(-5, 7, 20_001)
    weight = norm.pdf(grid, 0.2, 1.5) * norm.pdf(rewards[:, None], grid, 0.8).prod(axis=0)
    weight /= weight.sum()
    mean = (grid * weight).sum()
    found = policy.posterior(tally([3], [rewards.sum()]))
    assert found[0].item() == pytest.approx(mean, abs=1e-6)
    assert found[1].item() == pytest.approx(np.sqrt(((grid - mean) ** 2 * weight).sum()), abs=1e-6)


@pytest.mark.parametrize("policy", [EpsilonGreedy(epsilon=0), UCB1(), KLUCB()], ids=lambda p: type(p).__name__)
def test_arms_without_a_reward_come_first_and_of_those_the_one_least_shown(policy):
    known = tally([10, 0, 0], [10, 0, 0], shown=[10, 3, 2])
    assert policy.scores(known, RNG(0)).argmax() == 2


def test_epsilon_is_the_share_of_rounds_that_explore():
    known = tally(np.tile([50, 50], (40_000, 1)), np.tile([10, 5], (40_000, 1)))
    worse = (EpsilonGreedy(epsilon=0.2).scores(known, RNG(0)).argmax(axis=1) == 1).mean()
    assert worse == pytest.approx(0.1, abs=0.006)
    worse = (EpsilonGreedy(decay=5).scores(known, RNG(0)).argmax(axis=1) == 1).mean()
    assert worse == pytest.approx(5 * 2 / 100 / 2, abs=0.005)


def test_explore_then_commit_shows_each_as_often_as_said_and_then_one():
    paths = bandits.simulate(ExploreThenCommit(per_arm=20), [0.9, 0.1, 0.1], rounds=500, n_sims=200)
    assert (np.sort(paths.shown, axis=1) == [20, 20, 460]).all()
    assert (paths.shown[:, 0] == 460).mean() > 0.99


def test_a_control_is_given_up_in_error_as_seldom_as_the_level_says():
    """Of three arms with one rate: at most 5 in 100 leave the control, and all keep to one arm."""
    paths = bandits.simulate(TestThenCommit(per_arm=300), [0.2, 0.2, 0.2], rounds=1000, n_sims=4000)
    assert (np.sort(paths.shown, axis=1) == [300, 300, 400]).all()
    assert 0.02 < (paths.shown[:, 0] == 300).mean() < 0.055


def test_a_clear_winner_takes_the_place_of_the_control():
    paths = bandits.simulate(TestThenCommit(per_arm=300), [0.2, 0.4, 0.2], rounds=1000, n_sims=300)
    assert (paths.shown[:, 1] == 400).mean() > 0.98


def test_without_a_control_an_unclear_test_goes_on_evenly():
    paths = bandits.simulate(TestThenCommit(per_arm=100, control=None), [0.2, 0.2], rounds=1000, n_sims=500)
    assert (paths.shown[:, 0] == 500).mean() > 0.9


def test_sequential_halving_halves():
    """Four arms, 800 rounds: 400 over four arms, then 400 over two."""
    paths = bandits.simulate(SequentialHalving(rounds=800), [0.9, 0.8, 0.1, 0.1], rounds=800, n_sims=50)
    assert (np.sort(paths.shown, axis=1) == [100, 100, 300, 300]).all()
    assert (paths.shown[:, :2] == 300).all()


def test_sequential_halving_names_the_best_arm_more_often_than_an_even_split():
    means = [0.30] + [0.24] * 4 + [0.1] * 11
    found = [
        (bandits.simulate(policy, means, rounds=3000, n_sims=500).leader == 0).mean()
        for policy in (SequentialHalving(rounds=3000), Random())
    ]
    assert found[0] > found[1] + 0.1


def test_oracle_and_random_are_the_two_ends():
    ends = [
        bandits.simulate(p, [0.5, 0.2, 0.2], rounds=300, n_sims=300).regret[:, -1].mean() for p in (Oracle(), Random())
    ]
    assert ends[0] == 0 and ends[1] == pytest.approx(300 * 0.2, rel=0.02)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: UCB1(discount=0), "discount=0 must lie above 0 and not above 1; 1 forgets nothing"),
        (lambda: UCB1(window=0), "window=0 must be a number of rounds from 1"),
        (lambda: UCB1(scale=0), "scale=0 must be above 0"),
        (lambda: Thompson(alpha=0), "alpha=0 must be above 0"),
        (lambda: GaussianThompson(noise=-1), "noise=-1 must be above 0"),
        (lambda: ExploreThenCommit(per_arm=0), "per_arm=0 must be above 0"),
        (lambda: SequentialHalving(rounds=0), "rounds=0 must be above 0"),
        (lambda: TestThenCommit(level=1.0), "level=1.0 must lie between 0 and 1"),
        (lambda: EpsilonGreedy(epsilon=1.2), "epsilon=1.2 must be a chance from 0 to 1, decay=None above 0"),
    ],
)
def test_errors_are_sentences(make, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        make()


def test_a_policy_without_scores_says_so():
    with pytest.raises(NotImplementedError):
        Policy().scores(tally([1], [1]), RNG(0))
