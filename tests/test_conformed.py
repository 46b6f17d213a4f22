"""Intervals set right by earlier errors: they hold on simulated series, knowing the past only."""

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.conformed import coming, conform
from smlab.countscores import LEVELS
from smlab.forecast import SeasonalNaive
from smlab.lagged import Lags
from smlab.rolling import rolling

WEEK = np.array([0.0, 1.0, 2.0, 1.0, 0.0, 6.0, 8.0])


def simulated(kind, n, seed):
    """Draw a level that stays, wanders, or noise with a memory; a week on top."""
    rng, e = np.random.default_rng(seed), np.random.default_rng(seed + 1000).normal(size=n)
    if kind == "memory":
        for t in range(1, n):
            e[t] += 0.7 * e[t - 1]
    level = np.cumsum(rng.normal(0, 0.15, n)) if kind == "wanders" else 0.0
    return pd.Series(20 + WEEK[np.arange(n) % 7] + level + e, pd.date_range("2021-01-04", periods=n), name=f"s{seed}")


def coverage(rolled):
    return [((rolled["y"] >= rolled[a]) & (rolled["y"] <= rolled[b])).mean() for a, b in ((0.1, 0.9), (0.025, 0.975))]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stays", "wanders", "memory"])
def test_coverage_is_within_two_points_of_what_is_promised(kind):
    """40 series, 26 origins of which the last 13 are judged: 7,280 values of each model."""
    Y = pd.DataFrame({f"s{i}": simulated(kind, 700, i) for i in range(40)})
    models = {"lags": Lags(horizon=14), "seasonal naive": SeasonalNaive()}
    rolled = rolling(Y, models, horizon=14, origins=26)
    for adaptive in (False, True):
        got = conform(rolled, np.sort(rolled["origin"].unique())[13], adaptive=adaptive)
        found = {name: coverage(part) for name, part in got.groupby("model")}
        assert found == {name: pytest.approx([0.8, 0.95], abs=0.02) for name in found}, f"adaptive={adaptive}"


def test_too_narrow_and_too_wide_intervals_are_mended():
    rolled = rolling(simulated("stays", 1200, 0), {"m": SeasonalNaive()}, origins=30)
    for factor in (0.3, 3.0):
        wrong = rolled.copy()
        for q in LEVELS:
            wrong[q] = wrong[0.5] + factor * (wrong[q] - wrong[0.5])
        got = conform(wrong, np.sort(rolled["origin"].unique())[15])
        assert coverage(got) == pytest.approx([0.8, 0.95], abs=0.05)
        assert (got[0.5] == rolled.loc[got.index, 0.5]).mean() > 0.95 and len(got) == 15 * 28


@pytest.mark.parametrize("adaptive", [False, True])
def test_later_outcomes_move_only_later_intervals(adaptive):
    rolled = rolling(simulated("stays", 800, 0), {"m": SeasonalNaive()}, horizon=7, every=3, origins=60)
    origins = np.sort(rolled["origin"].unique())
    cut, changed = origins[50], rolled.copy()
    changed.loc[changed["time"] > cut, "y"] += 100
    one, two = (conform(r, origins[30], adaptive=adaptive) for r in (rolled, changed))
    before = one["origin"] <= cut
    pd.testing.assert_frame_equal(one.loc[before, list(LEVELS)], two.loc[before, list(LEVELS)])
    assert (one.loc[~before, 0.9] < two.loc[~before, 0.9]).any() == adaptive


def test_adaptive_intervals_follow_a_spread_that_grows():
    y = simulated("stays", 1500, 0)
    y += np.random.default_rng(5).normal(size=1500) * 4 * (np.arange(1500) > 900)
    rolled = rolling(y, {"m": SeasonalNaive()}, horizon=7, every=7, origins=130)
    since = np.sort(rolled["origin"].unique())[30]
    frozen = rolled.copy()
    frozen[list(LEVELS)] = frozen[[0.5]].to_numpy() + np.array([-2.8, -1.8, 0, 1.8, 2.8])
    split, adaptive = (
        coverage(conform(frozen, since, adaptive=a, learning_rate=0.05, window=100)) for a in (False, True)
    )
    assert split[0] < 0.6 and adaptive[0] == pytest.approx(0.8, abs=0.05)


def test_outcomes_never_measured_are_left_out():
    y = simulated("stays", 800, 0).mask(np.random.default_rng(0).random(800) < 0.2)
    rolled = rolling(y, {"m": SeasonalNaive()}, horizon=7, origins=60)
    got = conform(rolled, np.sort(rolled["origin"].unique())[30], adaptive=True)
    assert np.isfinite(got[list(LEVELS)].to_numpy()).all()


def test_what_is_to_come_has_the_intervals_it_would_have_had_as_one_origin_more():
    """The last origin, its outcomes not yet known, gets what `conform` gave it; the median stays the model's."""
    y = simulated("stays", 700, 0)
    rolled = rolling(y, {"lags": Lags(horizon=14)}, horizon=14, origins=20)
    origins, raw = np.sort(rolled["origin"].unique()), Lags(horizon=14).fit(y[:-14]).predict(14)
    got = coming(rolled[rolled["origin"] < origins[-1]], "lags", raw)
    then = conform(rolled, origins[19 // 2], adaptive=True)
    np.testing.assert_allclose(got, then[then["origin"] == origins[-1]][list(got.columns)])
    assert (got[0.9] - got[0.1] != raw[0.9] - raw[0.1]).all() and got["mean"].equals(raw["mean"])


def test_months_of_unlike_length_lose_no_outcome():
    """From the end of February on: its outcome is the last that is known, and moves the intervals."""
    y = simulated("stays", 300, 0).set_axis(pd.date_range("2000-03-01", periods=300, freq="MS"))  # ends in February
    rolled = rolling(y, {"m": SeasonalNaive(season=12)}, season=12, horizon=2, every=1, origins=80)
    raw = SeasonalNaive(season=12).fit(y).predict(2)
    plain = coming(rolled, "m", raw, band=2)
    last = rolled["time"] == rolled["time"].max()
    assert rolled.loc[last, "time"].iloc[0].month == 2
    rolled.loc[last, "y"] += 1000
    assert not np.allclose(plain, coming(rolled, "m", raw, band=2))


def test_bad_calls_are_sentences():
    rolled = rolling(simulated("stays", 300, 0), {"m": SeasonalNaive()}, horizon=7, origins=5)
    with pytest.raises(UsageError, match="14 earlier outcomes cannot show a 0.95 interval; 19 are needed"):
        conform(rolled, np.sort(rolled["origin"].unique())[2])
    with pytest.raises(UsageError, match="earlier forecasts of 'n' must be of one series"):
        coming(rolled, "n", rolled)
