"""Ridge and trees on lags and calendar: identities, planted structure, no look at the future."""

import numpy as np
import pandas as pd
import pytest

from smlab import lagged
from smlab.checks import UsageError
from smlab.lagged import Lags, LagTrees, _ridge

WEEK = np.array([0.0, 1.0, 2.0, 1.0, 0.0, 6.0, 8.0])
MODELS = {
    "direct": Lags,
    "recursive": lambda: Lags(how="recursive"),
    "trees": lambda: LagTrees(epochs=40, learning_rate=0.1),
}


def days(values):
    return pd.Series(np.asarray(values, float), pd.date_range("2021-01-04", periods=len(values)), name="views")


def noisy(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def test_errors_left_out_are_those_of_refits(monkeypatch):
    """e / (1 - h) is the error of the ridge regression that never saw the row, as long as nothing is cut."""
    monkeypatch.setattr(lagged, "TIMES", 0)
    rng = np.random.default_rng(0)
    A, z, known = rng.normal(size=(2, 30, 4)), rng.normal(size=(2, 30)), np.ones((2, 30), dtype=bool)
    known[1, 5] = False
    beta, e = _ridge(A, z, known, 3.0)
    assert np.isnan(e[1, 5]) and np.isfinite(e[0]).all()
    for s, row in ((0, 7), (1, 11)):
        rows = np.flatnonzero(known[s] & (np.arange(30) != row))
        b = np.linalg.solve(A[s, rows].T @ A[s, rows] + 3 * np.eye(4), A[s, rows].T @ z[s, rows])
        assert e[s, row] == pytest.approx(z[s, row] - A[s, row] @ b)
    assert beta.shape == (2, 4)


@pytest.mark.parametrize("name", MODELS)
def test_trend_week_and_jump_are_recovered(name):
    t = np.arange(700)
    truth = 50 + 0.05 * t + WEEK[t % 7] + 30 * (t >= 500)
    y = days(truth + noisy(700))
    got = MODELS[name]().fit(y[:672]).predict(28)[0.5]
    assert np.abs(got - truth[672:]).mean() < 1


def test_holidays_are_learnt_and_foreseen():
    t = np.arange(600)
    off = t % 50 == 20
    y = days(20 + 10 * off + 0.5 * noisy(600))
    free = y.index[off]
    got = Lags(holidays=free).fit(y[:560]).predict(28)["mean"]
    assert got[y.index[570]] - got.drop(y.index[570]).mean() == pytest.approx(10, abs=2)


def test_the_year_is_learnt():
    t = np.arange(1100)
    truth = 20 + 5 * np.sin(2 * np.pi * t / 365.25)
    got = Lags().fit(days(truth + noisy(1100))[:1072]).predict(28)["mean"]
    assert np.abs(got - truth[1072:]).mean() < 0.6


def test_a_thousand_alone_are_a_thousand_together():
    """Chunks of series share nothing: each has the forecast that it has alone."""
    t = np.arange(250)
    Y = pd.DataFrame({f"s{i}": days(WEEK[t % 7] + noisy(250, i)) for i in range(60)})
    together = Lags(horizon=7).fit(Y).predict(7)
    for name in ("s0", "s49", "s50", "s59"):
        np.testing.assert_allclose(together.loc[name], Lags(horizon=7).fit(Y[name]).predict(7))


def test_gaps_are_not_learnt_from():
    """Filled values would make the noise look smaller than it is."""
    y = days(noisy(800)).mask(np.random.default_rng(1).random(800) < 0.4)
    got = Lags(horizon=3).fit(y).predict(1).iloc[0]
    assert got[0.9] - got[0.1] == pytest.approx(2.56, rel=0.15)


def test_five_minute_steps():
    """Two weeks of five-minute counts, 288 steps a day: the hours are found."""
    t = np.arange(288 * 14)
    truth = 100 + 50 * np.sin(2 * np.pi * t / 288)
    y = pd.Series(truth + 5 * noisy(len(t)), pd.date_range("2015-03-01", periods=len(t), freq="5min"), name="tweets")
    got = Lags(season=288, horizon=24).fit(y[:-24]).predict(24)["mean"]
    assert np.abs(got - truth[-24:]).mean() < 3


def test_each_setting_matters():
    y = days(WEEK[np.arange(300) % 7] + noisy(300))
    base = Lags().fit(y).predict(28)["mean"]
    others = [Lags(reg=1000), Lags(n_lags=3), Lags(how="recursive"), Lags(season=14)]
    assert all(np.abs(m.fit(y).predict(28)["mean"] - base).max() > 0.01 for m in others)
    one, other = (Lags(how="recursive", seed=s).fit(y).predict(5) for s in (0, 1))
    assert (one["mean"] == other["mean"]).all() and (one[0.9] != other[0.9]).all()


def test_bad_settings_are_sentences():
    for make, text in (
        (lambda: Lags(reg=0), "reg=0 must be above 0"),
        (lambda: Lags(how="both"), "how='both': known: direct, recursive"),
        (lambda: Lags(horizon=0), "horizon=0 and n_lags=14 must be 1 or more"),
        (lambda: LagTrees(epochs=0), "needed are epochs ≥ 1"),
        (lambda: Lags(horizon=7).fit(days(noisy(200))).predict(8), "h=8: this Lags was fitted for horizon=7 steps"),
    ):
        with pytest.raises(UsageError, match=text):
            make()
