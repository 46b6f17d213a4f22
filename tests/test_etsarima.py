"""ETS and ARIMA: the library's own numbers, planted structure, coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlab.checks import UsageError
from smlab.etsarima import ARIMA, ETS

WEEK = np.array([0.0, 1.0, 2.0, 1.0, 0.0, 6.0, 8.0])


def days(values):
    return pd.Series(np.asarray(values, float), pd.date_range("2023-01-02", periods=len(values)), name="views")


def test_ets_variances_are_the_librarys():
    """Mean and intervals beside statsmodels' own prediction of the same model, which simulates nothing here."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    rng = np.random.default_rng(3)
    y = days(50 + np.cumsum(rng.normal(0, 1, 300)) + WEEK[np.arange(300) % 7] + rng.normal(size=300))
    model = ETS().fit(y)
    got, trend = model.predict(20), model.models_[0]["trend"]
    how = {"trend": "add" if trend else None, "damped_trend": trend, "seasonal": "add", "seasonal_periods": 7}
    centre, scale = y.mean(), y.std(ddof=0)
    fitted = ETSModel((y - centre) / scale, **how).fit(disp=False)
    theirs = fitted.get_prediction(300, 319)
    np.testing.assert_allclose(got["mean"], centre + scale * theirs.predicted_mean, rtol=1e-6)
    low, high = theirs.pred_int(0.2).to_numpy().T
    freed = np.sqrt(300 / (300 - len(fitted.params)))  # theirs divides the squares by n, ours by what is left of it
    np.testing.assert_allclose(got[0.9] - got[0.1], scale * (high - low) * freed, rtol=1e-6)


def test_ets_finds_week_and_trend():
    t = np.arange(200)
    rng = np.random.default_rng(0)
    got = ETS().fit(days(100 + 0.5 * t + WEEK[t % 7] + rng.normal(0, 0.5, 200))).predict(7)
    assert np.abs(got["mean"] - (100 + 0.5 * np.arange(200, 207) + WEEK[np.arange(200, 207) % 7])).max() < 1.5


def test_ets_follows_a_jump():
    """Thirty days after the level rose by 40 the forecast is up there."""
    rng = np.random.default_rng(0)
    y = days(100 + 40 * (np.arange(230) >= 200) + rng.normal(0, 2, 230))
    assert ETS().fit(y).predict(7)["mean"].mean() == pytest.approx(140, abs=3)


def test_ets_leaves_out_the_week_where_there_is_none():
    found = [ETS().fit(days(np.random.default_rng(s).normal(size=200))).models_[0] for s in range(10)]
    assert sum(m["season"] for m in found) <= 1
    assert np.abs([m["level"] + m["slope"] for m in found]).max() < 0.6


def test_ets_does_not_take_filled_values_for_measured_ones():
    """Half of the values are missing: the spread is that of the others."""
    rng = np.random.default_rng(0)
    y = days(rng.normal(size=600)).mask(rng.random(600) < 0.5)
    got = ETS(season=1).fit(y).predict(1).iloc[0]
    assert (got[0.9] - got[0.1]) / 2.563 == pytest.approx(1, abs=0.15)


def test_ets_takes_no_long_rounds():
    with pytest.raises(
        UsageError, match="season=288: ETS learns a number for each step of a round and takes 24 at most"
    ):
        ETS(season=288)


def test_arima_finds_the_autoregression():
    """y_t = .8 y_{t-1} + ε: forecasts fall towards the mean by .8 a step, and the variance rises to 1 / (1 - .64)."""
    rng = np.random.default_rng(0)
    y = np.zeros(1200)
    for t in range(1, 1200):
        y[t] = 0.8 * y[t - 1] + rng.normal()
    y[-1] = 5.0
    got = ARIMA(season=1).fit(days(y)).predict(60)
    assert got["mean"].iloc[2] / got["mean"].iloc[1] == pytest.approx(0.8, abs=0.1)
    sd = (got[0.9] - got[0.1]) / (2 * stats.norm.ppf(0.9))
    assert sd.iloc[0] == pytest.approx(1, abs=0.08) and sd.iloc[-1] == pytest.approx(1 / 0.6, rel=0.15)


def test_arima_differences_a_random_walk():
    walk = np.cumsum(np.random.default_rng(0).normal(size=500))
    got = ARIMA(season=1).fit(days(walk)).predict(16)
    width = (got[0.9] - got[0.1]).to_numpy()
    assert width[15] / width[3] == pytest.approx(2, rel=0.1)
    assert got["mean"].iloc[0] == pytest.approx(walk[-1], abs=0.5)


def test_arima_finds_week_and_year():
    t = np.arange(1100)
    truth = 20 + WEEK[t % 7] + 5 * np.sin(2 * np.pi * t / 365.25)
    y = days(truth + np.random.default_rng(0).normal(0, 1, 1100))
    got = ARIMA().fit(y[:1050]).predict(50)["mean"]
    assert np.abs(got - truth[1050:]).mean() < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("make", [ETS, ARIMA])
def test_intervals_hold_on_series_of_their_kind(make):
    """Level, week and noise, 100 series, 14 days each: 80 and 95 %, less what unknown parameters cost."""
    t, hits = np.arange(264), []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = days(30 + WEEK[t % 7] + rng.normal(size=264))
        got, z = make().fit(y[:250]).predict(14), y[250:]
        hits.append([((z >= got[a]) & (z <= got[b])).mean() for a, b in ((0.1, 0.9), (0.025, 0.975))])
    assert np.mean(hits, axis=0) == pytest.approx([0.8, 0.95], abs=0.02)


def test_bad_settings():
    with pytest.raises(UsageError, match="order=0 and n_waves=6 must be 1 or more"):
        ARIMA(order=0)


def test_arima_takes_the_next_best_orders_where_a_likelihood_cannot_be_had(monkeypatch):
    from statsmodels.tsa.arima.model import ARIMA as Model

    real, failed = Model.fit, []

    def fit(self, *args, **settings):
        if not settings and not failed:  # the last fit, of the chosen orders
            failed.append(self.order)
            raise np.linalg.LinAlgError("LU decomposition error.")
        return real(self, *args, **settings)

    monkeypatch.setattr(Model, "fit", fit)
    noise = np.random.default_rng(0).normal(size=120)
    y = pd.Series(noise, pd.date_range("2024-01-01", periods=120))
    assert np.isfinite(ARIMA(season=7).fit(y).predict(7).to_numpy()).all() and failed
