"""Tests of headlines played again: planted rates, sums that agree, what noise as truth would claim, errors."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import DataAbsent, UsageError
from smlab.experiments import load_experiment
from smlab.headlines import headline_rates, replay_headlines
from smlab.policies import EpsilonGreedy, Oracle, Random, Thompson


def planted(n_tests=300, spread=150.0, *, seed=0, each=3000):
    """Tests of 2 to 5 headlines, rates Beta around their test's mean; the true rates beside."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 6, n_tests)
    mean = np.repeat(rng.beta(4, 196, n_tests), sizes)
    p = rng.beta(spread * mean, spread * (1 - mean))
    shown = rng.integers(each - 500, each + 500, len(p))
    frame = pd.DataFrame({"test": np.repeat(np.arange(n_tests), sizes), "impressions": shown})
    return frame.assign(clicks=rng.binomial(shown, p).astype(float)), p


def possible(tests, p):
    """Lift of the best headline over the even split, under rates p."""
    n = tests["impressions"].to_numpy()
    best = tests.assign(p=p).groupby("test")["p"].transform("max").to_numpy()
    return (n * best).sum() / (n * p).sum() - 1


@pytest.fixture(scope="module")
def tests_and_truth():
    return planted()


def test_draws_are_nearly_as_far_apart_as_the_truth_raw_rates_too_far_and_means_too_close():
    tests, p = planted(1500, 600.0, seed=1, each=1500)
    truth = possible(tests, p)
    raw, mean, draw = (possible(tests, headline_rates(tests, truth=kind)[0]) for kind in ("raw", "mean", "draw"))
    assert mean < 0.85 * truth and raw > 1.15 * truth
    assert 0.9 * truth < draw < 1.01 * truth


def test_without_a_difference_nothing_is_found_to_save_but_by_who_takes_noise_for_truth():
    tests, _ = planted(spread=1e7)
    found, fooled = (replay_headlines(tests, Thompson(), repeats=1, truth=kind) for kind in ("draw", "raw"))
    assert found.possible.value < 0.05 and found.lift.value < 0.01
    assert fooled.possible.value > 0.1 and fooled.lift.low > 0.03


def test_the_two_ends_are_the_even_split_and_the_best_headline(tests_and_truth):
    tests, _ = tests_and_truth
    none, all_of_it = (replay_headlines(tests, policy, repeats=1) for policy in (Random(), Oracle()))
    assert none.lift.low < 0 < none.lift.high or abs(none.lift.value) < 0.002
    assert all_of_it.lift == all_of_it.possible
    assert all_of_it.tests["policy"].to_numpy() == pytest.approx(all_of_it.tests["best"].to_numpy())


def test_thompson_saves_a_part_of_what_is_possible_and_the_sums_agree(tests_and_truth):
    found = replay_headlines(tests_and_truth[0], Thompson(), repeats=2)
    saved = found.tests["policy"] - found.tests["even"]
    assert found.saved.value == pytest.approx(saved.sum()) and found.saved.low < found.saved.value < found.saved.high
    assert found.lift.value == pytest.approx(saved.sum() / found.tests["even"].sum())
    assert 0.2 * found.possible.value < found.lift.low < found.lift.high < found.possible.low


def test_clicks_of_the_even_split_are_those_of_the_log(tests_and_truth):
    tests, _ = tests_and_truth
    found = replay_headlines(tests, Random(), repeats=3)
    assert found.tests["impressions"].sum() == tests["impressions"].sum()
    assert found.tests["even"].sum() == pytest.approx(tests["clicks"].sum(), rel=0.01)


def test_learning_more_often_saves_more(tests_and_truth):
    lifts = [
        replay_headlines(tests_and_truth[0], EpsilonGreedy(), updates=u, slots=200 // u).lift.value for u in (4, 40)
    ]
    assert lifts[1] > 1.1 * lifts[0]


def test_order_of_rows_and_tests_of_one_headline_do_not_matter(tests_and_truth):
    tests, _ = tests_and_truth
    alone = pd.DataFrame({"test": [-1], "impressions": [500], "clicks": [9.0]})
    found = replay_headlines(pd.concat([alone, tests]), Thompson(), repeats=1)
    assert found.tests.equals(replay_headlines(tests, Thompson(), repeats=1).tests)
    mixed = tests.sort_values("clicks", kind="stable")
    again = replay_headlines(mixed, Thompson(), repeats=1)
    assert set(again.tests["test"]) == set(found.tests["test"])
    assert again.lift.value == pytest.approx(found.lift.value, rel=0.15)


def test_tests_of_few_impressions_are_played_as_well():
    tests = pd.DataFrame({"test": list("aabb"), "impressions": [7, 9, 0, 40], "clicks": [1, 0, 0, 3]})
    found = replay_headlines(tests, Thompson())
    assert found.tests["impressions"].tolist() == [16, 40] and np.isfinite(found.tests["policy"]).all()


@pytest.mark.realdata
def test_upworthy_the_winner_of_one_half_wins_the_other_by_as_much_as_the_rates_say():
    """Each headline's impressions are split at random; the lift of the first half's winner is measured on the second.

    That lift needs no model but that impressions are independent. The drawn rates must give the same, or they are no
    truth to replay with.
    """
    try:
        tests = load_experiment("upworthy").frame
    except DataAbsent as absent:
        pytest.skip(str(absent))
    n, k = (tests[name].to_numpy(dtype=np.int64) for name in ("impressions", "clicks"))
    rng = np.random.default_rng(0)
    first = n // 2
    measured, modelled = [], []
    for p in headline_rates(tests, n=20):
        won = rng.hypergeometric(k, n - k, first)
        measured.append(lift_of_winners(tests, won / first, (k - won) / (n - first)))
        modelled.append(lift_of_winners(tests, rng.binomial(first, p) / first, p))
    assert np.mean(modelled) == pytest.approx(np.mean(measured), rel=0.03)


def lift_of_winners(tests, seen, value):
    """Lift over the even split, in rates weighted by the tests' impressions, of the headlines that look best."""
    data = pd.DataFrame({"test": tests["test"], "n": tests["impressions"], "seen": seen, "value": value})
    best = data.loc[data.groupby("test", sort=False)["seen"].idxmax()].set_index("test")["value"]
    by = data.groupby("test", sort=False)
    return (by["n"].sum() * best).sum() / (by["n"].sum() * by["value"].mean()).sum() - 1


@pytest.mark.parametrize(
    ("change", "how", "text"),
    [
        (
            lambda t: t.rename(columns={"clicks": "click"}),
            {},
            "a replay needs the column 'clicks'; did you mean 'click'?",
        ),
        (lambda t: t.assign(clicks=-1), {}, "row 0: -1 clicks of"),
        (lambda t: t[t["test"] == 0], {}, "1 tests of two headlines or more: a sum over tests needs two or more"),
        (lambda t: t, {"updates": 0}, "updates=0, slots=20 and repeats=5 must be whole numbers from 1"),
        (lambda t: t, {"truth": "drwa"}, "truth='drwa': did you mean 'draw'?"),
    ],
)
def test_errors_are_sentences(tests_and_truth, change, how, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        replay_headlines(change(tests_and_truth[0]), Thompson(), **how)
