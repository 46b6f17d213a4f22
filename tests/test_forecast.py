"""What all forecasters promise, and the seasonal naive one."""

import copy
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.etsarima import ARIMA, ETS
from smlab.forecast import COLUMNS, Logged, Mean, SeasonalNaive, calendar, filled, stepped, waves
from smlab.lagged import Lags, LagTrees
from smlab.lstm import LSTM

MODELS = {  # small ones: these tests are about what all promise
    "naive": SeasonalNaive,
    "ets": ETS,
    "arima": lambda: ARIMA(order=1),
    "lags": lambda: Lags(horizon=21),
    "recursive": lambda: Lags(how="recursive", horizon=21),
    "trees": lambda: LagTrees(epochs=6, learning_rate=0.5, horizon=21),
    "lstm": lambda: LSTM(epochs=1, n_hidden=4, window=14, horizon=21),
    "mean": lambda: Mean([SeasonalNaive(), Lags(horizon=21)]),
    "logged": lambda: Logged(Lags(horizon=21)),
}


def days(values, name="views"):
    return pd.Series(np.asarray(values, float), pd.date_range("2023-01-02", periods=len(values)), name=name)


def noise(n=250, seed=0):
    rng = np.random.default_rng(seed)
    return days(100 + rng.normal(0, 5, 7)[np.arange(n) % 7] + rng.normal(size=n))


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def test_quantiles_stand_in_order_at_the_times_that_follow(model):
    y = noise()
    got = model.fit(y).predict(20)
    assert list(got.columns) == COLUMNS
    assert got.index.equals(pd.date_range(y.index[-1], periods=21, name="time")[1:])
    assert (np.diff(got[COLUMNS[:-1]], axis=1) >= 0).all() and np.isfinite(got.to_numpy()).all()
    assert not model.notes_


def test_the_week_is_found(model):
    """Three rounds ahead the true weekdays' means are met within the noise."""
    y = noise(400)
    truth = y.groupby(y.index.day_of_week).mean()
    got = model.fit(y).predict(21)
    assert np.abs(got[0.5] - truth[got.index.day_of_week].to_numpy()).mean() < 1.6


def test_the_same_numbers_twice(model):
    y = noise()
    first = model.fit(y).predict(5)
    pd.testing.assert_frame_equal(first, model.fit(y).predict(5))


def test_what_is_fitted_to_is_not_changed(model):
    y = noise().mask(np.arange(250) % 50 == 3)
    before = y.copy()
    model.fit(y).predict(3)
    pd.testing.assert_series_equal(y, before)


def test_units_and_origin_do_not_matter(model):
    """Forecasts of 1000 y + 50000 are those of y, moved likewise; logarithms are another scale."""
    if isinstance(model, Logged):
        pytest.skip("a logarithm is another scale")
    y = noise()
    one, other = model.fit(y).predict(7), model.fit(1000 * y + 50_000).predict(7)
    size = (one[0.9] - one[0.1]).to_numpy()[:, None]
    assert (np.abs((other - 50_000) / 1000 - one).to_numpy() < 0.15 * size).all()


def test_negative_values_are_values(model):
    if isinstance(model, Logged):
        with pytest.raises(UsageError, match=re.escape("the least value is -")):
            model.fit(noise() - 100)
        return
    assert (model.fit(noise() - 1000).predict(7)[0.975] < -800).all()


def test_a_constant_series_stays_so_and_it_is_said(model):
    got = model.fit(days([5.0] * 250)).predict(3)
    assert np.allclose(got, 5)
    assert model.notes_ == {"views": "views: all values are the same; so is the forecast, and it has no width"}


@pytest.mark.parametrize("values", [[1.0, 4.0, 2.0, 8.0, 5.0], [np.nan] * 300], ids=["five", "none"])
def test_what_cannot_be_forecast_is_a_sentence(model, values):
    with pytest.raises(UsageError, match=r"(and \w+ with a season of 7 needs \d+|are too few for)"):
        model.fit(days(values))


def test_in_a_frame_the_others_are_forecast(model):
    """A series without values, a constant one and a usable one: NaN, the constant, and what it has alone."""
    y, alone = noise(), copy.deepcopy(model)
    both = pd.DataFrame({"none": np.nan, "flat": 3.0, "views": y})
    got = model.fit(both).predict(4)
    assert got.loc["none"].isna().all(axis=None) and np.allclose(got.loc["flat"], 3)
    assert "no value at all" in model.notes_["none"] and "there is no forecast" in model.notes_["none"]
    np.testing.assert_allclose(got.loc["views"], alone.fit(y).predict(4), rtol=1e-6)


def test_gaps_are_told_and_lived_with(model):
    y = noise(400).mask((np.arange(400) > 120) & (np.arange(400) < 150))
    got = model.fit(y).predict(7)
    assert np.abs(got[0.5] - noise(407)[-7:].to_numpy()).max() < 8
    assert model.notes_["views"].startswith("views: 29 of 400 values are missing, 29 in a row; ")


def test_a_huge_gap_is_told():
    y = noise(400).where((np.arange(400) < 60) | (np.arange(400) > 340))
    note = SeasonalNaive().fit(y).notes_["views"]
    assert note.endswith("left out. More than half is missing: this forecast knows little")


def test_what_came_late_is_forecast_over():
    """Ten days without values at the end: the forecast reaches over them, and is less sure."""
    walk = days(np.cumsum(np.random.default_rng(1).normal(size=300)))
    late = walk.mask(np.arange(300) >= 290)
    for make in (SeasonalNaive, ETS, ARIMA):
        whole, cut = make().fit(walk[:290]).predict(14), make().fit(late).predict(4)
        np.testing.assert_allclose(cut, whole[10:], rtol=1e-6)


def test_infinity_is_refused_with_its_day(model):
    y = noise()
    y.iloc[3] = np.inf
    with pytest.raises(UsageError, match=re.escape("views, 2023-01-05 00:00:00: the value is infinite")):
        model.fit(y)


def test_calls_that_make_no_sense(model):
    with pytest.raises(UsageError, match="has not been fitted"):
        copy.deepcopy(model).predict(3)
    with pytest.raises(UsageError, match="h=0"):
        model.fit(noise()).predict(0)


class TestSeasonalNaive:
    def test_repeats_the_last_round(self):
        got = SeasonalNaive().fit(y := noise()).predict(15)
        np.testing.assert_allclose(got["mean"], np.r_[y[-7:], y[-7:], y[-7:-6]])
        np.testing.assert_allclose(got["mean"], got[0.5])

    def test_its_quantiles_are_those_of_its_errors(self):
        y = noise(1000)
        got = SeasonalNaive().fit(y).predict(1)
        e = (y - y.shift(7)).dropna()
        assert got[0.9].iloc[0] - got["mean"].iloc[0] == pytest.approx(e.quantile(0.9), abs=0.02)

    def test_a_wandering_level_widens_them_by_the_root_of_the_rounds(self):
        y = days(np.cumsum(np.random.default_rng(0).normal(size=4000)))
        width = (got := SeasonalNaive().fit(y).predict(28))[0.9] - got[0.1]
        assert width.iloc[27] / width.iloc[0] == pytest.approx(2, rel=0.15)

    def test_few_errors_take_students_t(self):
        got = SeasonalNaive(season=1).fit(days([1.0, 2.0, 1.0, 2.0, 1.0])).predict(1)
        assert got[0.975].iloc[0] == pytest.approx(1 + 2.776445)  # t of 4 degrees of freedom

    def test_a_weekday_never_seen_gets_the_mean(self):
        y = noise(70).mask(pd.date_range("2023-01-02", periods=70).day_of_week == 6)
        got = SeasonalNaive().fit(y).predict(7)["mean"]
        assert got.iloc[6] == pytest.approx(y.mean()) or np.isfinite(got).all()


def test_mean_is_the_mean_of_each_level():
    y = noise()
    a, b = SeasonalNaive().fit(y).predict(4), ETS().fit(y).predict(4)
    pd.testing.assert_frame_equal(Mean([SeasonalNaive(), ETS()]).fit(y).predict(4), (a + b) / 2)


def test_logged_is_log_normal():
    """The mean of a log-normal law is its median times exp(σ²/2): here e³ and e^3.125."""
    rng = np.random.default_rng(0)
    got = Logged(ETS(season=1)).fit(days(np.expm1(3 + 0.5 * rng.normal(size=3000)))).predict(1).iloc[0]
    assert got[0.5] + 1 == pytest.approx(np.exp(3), rel=0.1)
    assert (got["mean"] + 1) / (got[0.5] + 1) == pytest.approx(np.exp(0.125), rel=0.03)


def test_times_have_to_be_regular():
    index = pd.date_range("2024-01-01", periods=10)
    assert stepped(index.delete([])).freq == "D"
    with pytest.raises(UsageError, match="2024-01-05 00:00:00 follows 2024-01-03 00:00:00: steps are not all alike"):
        stepped(index.delete(3))
    with pytest.raises(UsageError, match="times must rise, none twice"):
        stepped(index[[0, 1, 1, 2]])
    with pytest.raises(UsageError, match="needs times as its index; this one has RangeIndex"):
        stepped(pd.RangeIndex(10))
    with pytest.raises(UsageError, match="2 times do not tell how long a step is"):
        stepped(pd.DatetimeIndex(["2024-01-01", "2024-01-02"]))


def test_filled_keeps_the_week():
    week = np.tile(np.arange(7.0), 20)
    gappy = week.copy()
    gappy[50:65] = np.nan
    np.testing.assert_allclose(filled(np.stack([gappy, week]), 7), np.stack([week, week]))


def test_waves_span_the_round():
    """With ⌊m/2⌋ waves and a one they are a basis of all rounds of m steps: nothing is lost, nothing is double."""
    for m in (7, 12):
        X = np.column_stack([np.ones(m), waves(np.arange(m), [(m, m // 2)])])
        assert X.shape == (m, m) and np.linalg.matrix_rank(X) == m


def test_calendar_knows_holidays_and_the_future():
    index = stepped(pd.date_range("2024-12-01", periods=20))
    C = calendar(index, 10, 7, pd.DatetimeIndex(["2024-12-25"]))
    assert C.shape == (30, 8) and C[:, -1].nonzero()[0].tolist() == [24]


@pytest.mark.parametrize(
    "make", [SeasonalNaive, ETS, ARIMA, Lags, partial(LagTrees, epochs=2), partial(LSTM, epochs=1)]
)
def test_a_season_is_a_number_of_steps(make):
    with pytest.raises(UsageError, match="season=0 must be a whole number of steps"):
        make(season=0)
    assert np.isfinite(make(season=1).fit(noise(300)).predict(3).to_numpy()).all()
