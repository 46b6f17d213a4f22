"""Planted changes are found to the day, calm series have none, and the search is exact."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multinomial

from smlab.changepoints import bic, change_points, overdispersion, pelt
from smlab.checks import UsageError

NAMES = ["negative", "neutral", "positive"]
CALM, STORM = np.array([0.25, 0.5, 0.25]), np.array([0.45, 0.35, 0.2])


def series(seed: int, *parts: tuple[int, np.ndarray], posts: int = 100, alike: float = np.inf) -> pd.DataFrame:
    """Return counts per day of parts (days, mix); the smaller `alike`, the more each day has a mix of its own."""
    rng = np.random.default_rng(seed)
    mixes = [mix if alike == np.inf else rng.dirichlet(mix * alike) for days, mix in parts for _ in range(days)]
    days = pd.date_range("2024-01-01", periods=len(mixes), tz="UTC")
    return pd.DataFrame([rng.multinomial(rng.poisson(posts), mix) for mix in mixes], days, NAMES)


def slow(x: np.ndarray, penalty: float, min_days: int) -> tuple[float, list[int]]:
    """Return the least cost over all segmentations, by recursion over their last segment, from scipy's likelihood."""
    best: list[tuple[float, list[int]]] = [(-penalty, [])]
    for t in range(1, len(x) + 1):
        tried = [(np.inf, list[int]())]
        for s in range(t - min_days + 1):
            total = x[s:t].sum(axis=0)
            cost = -2 * multinomial.logpmf(total, total.sum(), total / total.sum()) if total.sum() else 0.0
            cost += 2 * multinomial_coefficient(total)
            tried.append((best[s][0] + cost + penalty, best[s][1] + ([s] if s else [])))
        best.append(min(tried, key=lambda found: found[0]))
    return best[-1]


def multinomial_coefficient(n: np.ndarray) -> float:
    """Return the logarithm of the number of orders, which the cost leaves out."""
    return float(multinomial.logpmf(n, n.sum(), np.full(len(n), 1 / len(n))) + n.sum() * np.log(len(n)))


@pytest.mark.parametrize("min_days", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_search_with_pruning_finds_what_the_search_over_all_segmentations_finds(seed, min_days):
    x = series(seed, (9, CALM), (3, STORM), (12, CALM), posts=20, alike=8).to_numpy(dtype=float)
    for penalty in (1.0, 4.0, 12.0):
        assert pelt(x, penalty, min_days=min_days) == slow(x, penalty, min_days)[1]


@pytest.mark.parametrize(("posts", "at"), [(100, 15), (100, 60), (40, 60), (1000, 3)])
def test_planted_change_is_found_within_two_days(posts, at):
    """From 25 % negative to 45 %, after `at` of 120 days; in 60 series at most one is missed."""
    found = [change_points(series(seed, (at, CALM), (120 - at, STORM), posts=posts)) for seed in range(60)]
    days = [(table["day"] - pd.Timestamp("2024-01-01", tz="UTC")).dt.days.to_numpy() for table in found]
    assert sum(len(d) > 0 and np.abs(d - at).min() <= 2 for d in days) >= 59
    assert np.mean([len(d) for d in days]) < 1.06
    alone = [t.iloc[0] for t in found if len(t) == 1]
    assert {(row["rose"], row["fell"]) for row in alone} == {("negative", "neutral")}
    assert np.mean([row["rose_by"] for row in alone]) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(("days", "posts"), [(10, 50), (30, 5), (30, 300), (120, 100)])
def test_calm_series_have_no_change(days, posts):
    false = sum(len(change_points(series(seed, (days, CALM), posts=posts))) > 0 for seed in range(150))
    assert false / 150 <= 0.05


def test_days_with_a_mix_of_their_own_are_no_changes_but_a_real_one_is_found():
    """Each day's mix is drawn around the common one, with the spread that 60 posts would have."""
    calm = [series(seed, (60, CALM), posts=500, alike=60) for seed in range(60)]
    assert np.mean([len(change_points(counts)) > 0 for counts in calm]) <= 0.05
    assert np.mean([len(change_points(counts, dispersion=1)) > 0 for counts in calm]) > 0.5, "taken for independent"
    found = [change_points(series(s, (30, CALM), (30, STORM), posts=500, alike=60)) for s in range(40)]
    near = [len(t) and np.abs((t["day"] - pd.Timestamp("2024-01-31", tz="UTC")).dt.days).min() <= 2 for t in found]
    assert np.mean(near) > 0.9


def test_overdispersion_is_one_for_independent_posts_and_the_formula_for_days_of_their_own():
    """A Dirichlet of size A around the mix makes counts of n posts (n + A)/(1 + A) times as spread."""
    chance = [overdispersion(series(s, (90, CALM)).to_numpy(float)) for s in range(30)]
    assert 1 <= np.mean(chance) < 1.15
    spread = [overdispersion(series(s, (90, CALM), posts=400, alike=40).to_numpy(float)) for s in range(30)]
    assert np.mean(spread) == pytest.approx(440 / 41, rel=0.15)
    changed = series(0, (45, CALM), (45, STORM), posts=2000).to_numpy(float)
    assert overdispersion(changed) < 1.5, "one change is no spread"


def test_days_between_which_the_change_lies_hold_it_as_often_as_they_say():
    """200 series with weak changes; where one is found, its 90 % days hold the true one about as often."""
    inside = []
    weak = CALM + [0.1, -0.06, -0.04]
    for seed in range(200):
        for _, row in change_points(series(seed, (30, CALM), (30, weak), posts=60), level=0.9).iterrows():
            inside.append(row["low"] <= pd.Timestamp("2024-01-31", tz="UTC") <= row["high"])
    assert len(inside) > 100 and 0.80 < np.mean(inside) < 0.97


def test_two_changes_and_a_short_storm():
    table = change_points(series(1, (20, CALM), (5, STORM), (20, CALM), posts=300))
    assert table["day"].dt.strftime("%m-%d").tolist() == ["01-21", "01-26"]
    assert table["rose"].tolist()[0] == "negative" == table["fell"].tolist()[1]
    assert (table["low"] <= table["day"]).all() and (table["day"] <= table["high"]).all()
    odd_day = series(1, (20, CALM), (1, np.array([1.0, 0, 0])), (20, CALM), posts=300)
    assert len(change_points(odd_day, min_days=1)) == 2


def test_empty_days_and_absent_classes_do_no_harm_and_classes_have_no_order():
    counts = series(2, (20, CALM), (20, STORM), posts=200)
    counts.iloc[[5, 6, 30]] = 0
    table = change_points(counts)
    assert table["day"].dt.strftime("%m-%d").tolist() == ["01-21"]
    for same in (counts[NAMES[::-1]], counts.assign(none=0)):
        pd.testing.assert_frame_equal(change_points(same), table)
    assert len(change_points(counts * 0)) == 0


def test_higher_penalty_gives_fewer_changes_and_bic_is_its_formula():
    counts = series(3, *[(5, CALM), (5, STORM)] * 6, posts=60)
    number = [len(change_points(counts, penalty=p, dispersion=1)) for p in (2, 8, 30, 200, 1e9)]
    assert number == sorted(number, reverse=True) and number[0] > number[2] and number[-1] == 0
    assert bic(np.ones((60, 3))) == pytest.approx(4 * np.log(60)) and bic(np.ones((3, 3))) == bic(np.ones((14, 3)))


def test_ten_years_of_days_take_seconds():
    counts = series(0, *[(365, CALM), (365, STORM)] * 5, posts=50)
    start = time.process_time()
    assert len(change_points(counts)) == 9
    assert time.process_time() - start < 5  # 0.3 s on a quiet core


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: change_points(pd.DataFrame({"a": [1, 2]})),
            "2 or more days and classes; the counts have shape (2, 1)",
        ),
        (lambda: change_points(pd.DataFrame([[1, 2], [3, -4]])), "counts are 0 or more; row 1 holds -4"),
        (lambda: change_points(pd.DataFrame([[1, 2], [3, np.nan]])), "counts are 0 or more; row 1 holds nan"),
        (lambda: change_points(pd.DataFrame(np.ones((3, 2))), min_days=0), "min_days=0: a segment has at least 1 day"),
        (lambda: change_points(pd.DataFrame(np.ones((3, 2))), dispersion=0), "dispersion=0.0 must be above 0"),
        (lambda: change_points(pd.DataFrame(np.ones((3, 2))), level=95), "level=95 must lie between 0 and 1"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
