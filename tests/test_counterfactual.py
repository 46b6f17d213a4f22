"""What a forecast from the past expects, and what placebos make of it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from smlab.checks import UsageError
from smlab.counterfactual import Structural, impact
from smlab.events import UNSEEN
from smlab.forecast import SeasonalNaive


def views(seed: int, *, phi: float = 0.6, n: int = 420) -> pd.Series:
    e = np.random.default_rng(seed).normal(size=n + 200)
    week = np.tile([2.0, 1, 0, 0, 0, -1, -2], n // 7 + 1)[:n]
    z = 5 + (week + lfilter([1.0], [1.0, -phi], e)[200:]) / 10
    return pd.Series(np.exp(z).round(), pd.date_range("2022-01-03", periods=n), name="views")


def test_structural_with_a_still_level_is_the_mean_of_each_weekday():
    y = pd.Series(np.tile(np.arange(7.0), 30), pd.date_range("2024-01-01", periods=210))
    y += np.random.default_rng(0).normal(size=210)
    told = Structural().fit(y).predict(7)
    means = y.groupby(np.arange(210) % 7).mean()
    np.testing.assert_allclose(told["mean"], means, atol=0.25)
    assert told.index[0] == pd.Timestamp("2024-07-29") and (np.diff(told[[0.025, 0.1, 0.5, 0.9, 0.975]]) > 0).all()


def test_draws_agree_with_the_quantiles_and_know_that_errors_add_up():
    model = Structural(log=True).fit(views(0))
    told, paths = model.predict(10), model.draws(10, n=8000)
    for level in (0.1, 0.5, 0.9):
        np.testing.assert_allclose(np.quantile(paths, level, axis=0), told[level], rtol=0.03)
    np.testing.assert_allclose(paths.mean(axis=0), told["mean"], rtol=0.03)
    np.testing.assert_array_equal(model.draws(3, n=5), model.draws(3, n=5))


def test_control_series_carries_over_the_event():
    walk = np.cumsum(np.random.default_rng(1).normal(size=200))
    times = pd.date_range("2024-01-01", periods=200)
    y = pd.Series(20 + 2 * walk + np.random.default_rng(2).normal(size=200) / 5, times)
    controls = pd.DataFrame({"market": walk}, times)
    told = Structural(season=1, controls=controls).fit(y[:150]).predict(50)
    alone = Structural(season=1).fit(y[:150]).predict(50)
    assert (told[0.5] - y[150:]).abs().mean() < 0.4 < (alone[0.5] - y[150:]).abs().mean()
    assert ((told[0.025] <= y[150:]) & (y[150:] <= told[0.975])).mean() > 0.8


def test_frames_gaps_and_constant_series():
    frame = pd.DataFrame({"a": views(0), "b": 7.0})
    frame.loc[frame.index[100:110], "a"] = np.nan
    model = Structural().fit(frame)
    told = model.predict(3)
    assert (told.loc["b"] == 7).all(axis=None) and np.isfinite(told.loc["a"]).all(axis=None)
    assert "bridged" in model.notes_["a"]
    np.testing.assert_array_equal(Structural().fit(frame["b"]).draws(2, n=3), np.full((3, 2), 7.0))


def planted(seed: int) -> tuple[pd.Series, pd.Timestamp, float]:
    y = views(seed)
    T, before = y.index[-7], y.sum()
    y.iloc[-7:] = (y.iloc[-7:] * 1.8).round()
    return y, T, float(y.sum() - before)


@pytest.mark.parametrize("model", [SeasonalNaive(), Structural(log=True)])
def test_planted_effect_is_found_by_any_model(model):
    y, T, true = planted(0)
    found = impact(y, T, model=model, history=140)
    assert found.total.low < true < found.total.high and found.total.low > 0
    assert found.p == 1 / 40 and len(found.placebos) == 39
    np.testing.assert_allclose(found.table["total"].iloc[-1], found.total.value)
    np.testing.assert_allclose(found.total.value, (found.table["actual"] - found.table["expected"]).sum())
    np.testing.assert_allclose(found.relative.value, found.total.value / found.table["expected"].sum())
    assert (found.own is None) == isinstance(model, SeasonalNaive)
    assert "of 39 calm stretches as long 0 show as much (p = 0.025)" in found.sentence
    assert found.sentence.endswith(UNSEEN)


def test_interval_holds_zero_exactly_where_the_placebos_see_no_effect():
    for s in range(12):
        y = views(s, n=300)
        found = impact(y, y.index[-7], model=SeasonalNaive(), n_placebos=19, history=100)
        assert (found.total.low <= 0 <= found.total.high) == (found.p > 0.05)


def test_placebos_start_on_the_same_weekday_apart_and_before():
    y, T, _ = planted(1)
    starts = impact(y, T, model=SeasonalNaive(), history=100).placebos.index
    assert (starts.day_of_week == T.day_of_week).all() and starts.max() == T - pd.Timedelta("7D")
    assert np.diff(starts).min() == pd.Timedelta("7D")
    busy = starts[-3] + pd.Timedelta("2D")
    assert starts[-3] not in impact(y, T, model=SeasonalNaive(), history=100, avoid=[busy]).placebos.index
    given = impact(y, T, model=SeasonalNaive(), history=100, placebos=["2022-09-05", "2022-10-03"])
    assert given.placebos.index.tolist() == [pd.Timestamp("2022-09-05"), pd.Timestamp("2022-10-03")]


def test_too_few_placebos_leave_the_interval_open():
    y, T, _ = planted(2)
    found = impact(y, T, model=SeasonalNaive(), n_placebos=10)
    assert found.p >= 1 / 11 and np.isnan(found.total.low) and np.isfinite(found.total.value)
    assert "no interval: 10 calm stretches are too few" in found.sentence


def test_past_alone_counts():
    """What comes after the event has begun moves neither forecast nor placebos."""
    y, T, _ = planted(3)
    other = y.copy()
    other[T:] *= 5
    a, b = (impact(v, T, model=SeasonalNaive(), history=100) for v in (y, other))
    pd.testing.assert_series_equal(a.placebos, b.placebos)
    pd.testing.assert_series_equal(a.table["expected"], b.table["expected"])


def test_values_below_zero_are_compared_by_differences():
    y = views(4) - 200
    found = impact(y, y.index[-7], until=y.index[-5], model=SeasonalNaive(), history=100)
    assert len(found.table) == 3 and np.isnan(found.relative.value) and np.isfinite(found.total).all()


def test_nothing_planted_is_found_in_one_of_twenty_and_effects_are_covered():
    wrong, held = 0, 0
    for s in range(40):
        y = views(s, phi=0.8)
        wrong += impact(y, y.index[-7], model=SeasonalNaive(), n_placebos=19, history=60).p <= 0.05
        lifted = y.copy()
        lifted.iloc[-7:] = (lifted.iloc[-7:] * 1.5).round()
        found = impact(lifted, y.index[-7], model=SeasonalNaive(), n_placebos=19, history=60).total
        held += found.low <= (lifted - y).sum() <= found.high
    assert wrong <= 6 and held >= 34


class Half:
    def fit(self, y):
        return self

    def predict(self, h):
        return pd.DataFrame({0.5: np.zeros(h)})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda y: impact(y, "2031-01-01"), "the event begins at 2031-01-01; the series needs 8 steps before it"),
        (lambda y: impact(y, y.index[-7], model=Half()), "the forecast of Half has no quantile 0.025"),
        (lambda y: impact(y, y.index[-7], avoid=["soon"]), "'soon' is no date"),
        (lambda y: Structural(season=0), "season=0 must be a whole number of steps"),
        (lambda y: Structural(log=True).fit(y - 500), "only values of 0 and more have a log(1 + y)"),
        (lambda y: Structural(controls=pd.DataFrame({"x": y[:9]})).fit(y), "the controls have no finite value at 2022"),
    ],
)
def test_bad_input_is_one_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call(views(0))
