"""Thompson sampling as a table of chances, replay, and obp's published errors again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from smlab.bandits import simulate
from smlab.checks import UsageError
from smlab.datasets import load_clicks
from smlab.logged import Logged, open_bandit, weight_report, weights
from smlab.logpolicies import PRIORS, production_prior, relative_errors, replay, thompson
from smlab.ope import ESTIMATORS
from smlab.policies import Oracle, Policy, Random, Tally, Thompson

RATES = np.array([0.2, 0.1, 0.6, 0.3])
PUBLISHED = {  # examples/obd/README.md of st-tech/zr-obp: mean and deviation of 30 runs
    "DM": (0.156876, 0.109898),
    "IPS": (0.311082, 0.311170),
    "SNIPS": (0.311795, 0.334736),
    "DR": (0.292464, 0.315485),
    "SNDR": (0.302407, 0.328434),
    "Switch-DR": (0.258410, 0.160598),
    "DRos": (0.159520, 0.109660),
}


class Fixed(Policy):
    """Always the same order of arms."""

    def scores(self, tally: Tally, rng: np.random.Generator) -> np.ndarray:
        return np.tile([0.0, 2.0, 3.0, 1.0], (len(tally.n), 1))


def even_log(n: int, *, places: int = 1, seed: int = 0) -> Logged:
    """Draw actions at even chances; the reward does not depend on the place."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, n)
    reward = (rng.random(n) < RATES[a]).astype(float)
    return Logged(a, reward, np.full(n, 0.25), position=rng.integers(0, places, n), items=np.eye(4))


def test_thompson_of_two_items_is_known_in_closed_form() -> None:
    """P(X > Y) for X ~ Beta(2, 1), Y ~ Beta(1, 2) is 5/6; equal items share evenly; the second place is the rest."""
    np.testing.assert_allclose(thompson([2, 1], [1, 2], places=2), [[5 / 6, 1 / 6], [1 / 6, 5 / 6]], atol=1e-9)
    np.testing.assert_allclose(thompson([3, 3, 3], [9, 9, 9], places=3), 1 / 3, atol=1e-9)


def test_thompson_of_narrow_items_is_the_normal_probability() -> None:
    a, b = np.array([1000.0, 1050.0]), np.array([50_000.0, 50_000.0])
    mean, variance = a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))
    assert thompson(a, b)[0, 1] == pytest.approx(norm.cdf((mean[1] - mean[0]) / np.sqrt(variance.sum())), abs=1e-3)


@pytest.mark.parametrize("campaign", list(PRIORS))
def test_drawn_lists_have_the_exact_chances(campaign: str) -> None:
    exact = thompson(*production_prior(campaign), places=3)
    drawn = thompson(*production_prior(campaign), places=3, n_draws=40_000)
    np.testing.assert_allclose(exact.sum(axis=1), 1, atol=1e-9)
    assert np.abs(drawn - exact).max() < 5 * np.sqrt(0.25 / 40_000)
    assert drawn.sum(axis=1) == pytest.approx([1, 1, 1])


def test_wide_priors_keep_their_sums() -> None:
    for a, b in (([0.5, 0.5, 3], [0.5, 2, 1]), ([0.05, 0.5], [0.05, 0.5]), ([1, 1], [1, 1])):
        table = thompson(a, b, places=len(a))
        np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-7)
        np.testing.assert_allclose(table.sum(axis=0), 1, atol=1e-7)


def test_priors_are_whole() -> None:
    assert {name: len(production_prior(name)[0]) for name in PRIORS} == {"all": 80, "men": 34, "women": 46}
    assert all(len(a) == len(b) for a, b in (production_prior(name) for name in PRIORS))


def test_replay_of_a_fixed_policy_is_the_mean_of_its_arm() -> None:
    log = even_log(20_000)
    found = replay(log, Fixed(), n_runs=2)
    assert found.value.value == log.reward[log.action == 2].mean()
    assert found.lived.tolist() == [(log.action == 2).sum()] * 2
    assert found.value.low < RATES[2] < found.value.high


def test_replay_of_lists_reads_the_place() -> None:
    log = even_log(20_000, places=3)
    order = np.array([2, 1, 3])  # the highest scores of Fixed
    own = log.action == order[log.position]
    assert replay(log, Fixed(), n_runs=1).value.value == log.reward[own].mean()


def test_replay_of_even_chances_is_the_mean_of_the_log() -> None:
    log = even_log(4000)
    found = replay(log, Random(), n_runs=20)
    assert found.value.value == pytest.approx(log.reward.mean(), abs=0.02)
    assert found.lived.mean() == pytest.approx(1000, rel=0.05)


def test_replay_of_a_learner_has_the_law_of_a_life_online() -> None:
    """Mean reward over some 250 rounds lived, 30 logs, against 4,000 bandits played online."""
    lives = []
    for seed in range(30):
        lived = replay(even_log(1000, seed=seed), Thompson(), n_runs=1, seed=seed)
        lives.append(lived.reward[0] / lived.lived[0])
    online = simulate(Thompson(), RATES, rounds=250, n_sims=4000).reward / 250
    assert abs(np.mean(lives) - online.mean()) < 3.5 * np.std(lives) / np.sqrt(30)


def test_what_is_known_before_counts() -> None:
    log = even_log(400)
    known = (np.full(4, 10_000.0), 10_000 * RATES)
    assert replay(log, Thompson(), before=known).value.value == pytest.approx(log.reward[log.action == 2].mean())


def test_errors_on_a_log_of_known_truth() -> None:
    """IPS, DR and the log's own mean, where the policy is the log's: all three are near, and the same draws twice."""
    log = even_log(2000)
    table = relative_errors(log, np.full(4, 0.25), float(RATES.mean()), n_runs=4, grid=(1.0, np.inf))
    assert list(table) == [*ESTIMATORS, "log's mean"] and len(table) == 4
    np.testing.assert_allclose(table["IPS"], table["log's mean"], atol=1e-12)
    assert table.to_numpy().max() < 0.15
    assert table.equals(relative_errors(log, np.full(4, 0.25), float(RATES.mean()), n_runs=4, grid=(1.0, np.inf)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: thompson([1, 0], [1, 1]), "one number above 0"),
        (lambda: thompson([1, 1], [1]), "one number above 0"),
        (lambda: thompson([1, 1], [1, 1], places=3), "from 1 to 2 of 2 items"),
        (lambda: production_prior("kids"), "unknown campaign 'kids'"),
        (lambda: replay(even_log(9), Oracle()), "nor the truth"),
        (lambda: replay(even_log(9), Random(window=5)), "neither a window"),
        (lambda: replay(Logged([0, 1], [1, 0], [0.5, 0.4]), Random()), "even chances"),
        (lambda: replay(Logged([0, 1], [1, 0], [0.4, 0.4]), Random()), "even chances"),
    ],
)
def test_errors_are_sentences(make, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make()


@pytest.mark.realdata
def test_weights_on_open_bandit() -> None:
    log = open_bandit(load_clicks("open-bandit", variant="random/all").frame)
    report = weight_report(weights(log, thompson(*production_prior(), places=3)))
    assert abs(report.off) < 3 and report.effective == pytest.approx(1643, rel=0.01)


@pytest.mark.realdata
@pytest.mark.slow
def test_errors_are_those_that_obp_prints() -> None:
    """30 runs, obp's draws of the policy: every mean and deviation to 2e-5, the solver's difference."""
    log = open_bandit(load_clicks("open-bandit", variant="random/all").frame)
    truth = float(load_clicks("open-bandit", variant="bts/all").frame["click"].mean())
    policy = thompson(*production_prior(), places=3, n_draws=1_000_000)
    found = relative_errors(log, policy, truth)
    for name, figures in PUBLISHED.items():
        assert (found[name].mean(), found[name].std()) == pytest.approx(figures, abs=2e-5)
