"""Rolling origins and scores: definitions, no look at the future, gains with intervals, words."""

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.etsarima import ARIMA, ETS
from smlab.forecast import Forecaster, SeasonalNaive
from smlab.lagged import Lags, LagTrees
from smlab.lstm import LSTM
from smlab.rolling import choose, judge, naive_error, origin_places, rolling

NAIVE = {"seasonal naive": SeasonalNaive()}
WEEK = np.array([0.0, 1.0, 2.0, 1.0, 0.0, 6.0, 8.0])


def noise(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.Series(
        20 + WEEK[np.arange(n) % 7] + rng.normal(size=n), pd.date_range("2023-01-02", periods=n), name="views"
    )


class Off(Forecaster):
    """The mean of all, moved by `by`: a model that is as bad as one likes."""

    def __init__(self, by):
        self.season, self.by = 7, by

    def _learn(self, Y):
        self._mean = np.nanmean(Y, axis=1)

    def _ahead(self, h):
        return np.repeat(self._mean[:, None, None] + self.by, h, axis=1) + np.array([-2, -1.3, 0, 1.3, 2, 0])


def test_origins_end_at_the_end():
    rolled = rolling(y := noise(), NAIVE, horizon=10, every=5, origins=3)
    assert rolled["time"].max() == y.index[-1] and len(rolled) == 30
    assert rolled["origin"].unique().tolist() == [*y.index[[279, 284, 289]]]
    np.testing.assert_array_equal(rolled["y"], y[rolled["time"]])
    assert (rolled["time"] == rolled["origin"] + pd.to_timedelta(rolled["step"], "D")).all()


@pytest.mark.parametrize(
    "model",
    [SeasonalNaive(), ETS(), ARIMA(order=1), Lags(horizon=7), Lags(how="recursive", horizon=7),
     LagTrees(epochs=3, horizon=7), LSTM(epochs=1, n_hidden=3, horizon=7)],
    ids=lambda model: type(model).__name__,
)  # fmt: skip
def test_no_forecast_knows_the_future(model):
    """Everything after an origin may change, and nothing of what was forecast there does."""
    y = noise(260)
    other = y.copy()
    other.iloc[-7:] = 1e6
    one, two = (rolling(s, {"m": model}, horizon=7, origins=1) for s in (y, other))
    pd.testing.assert_frame_equal(one.drop(columns="y"), two.drop(columns="y"))


def test_in_sample_the_seasonal_naive_has_a_mase_of_one():
    """Hyndman & Koehler 2006: forecast one step from each origin, scaled by the errors of those very steps."""
    y = noise(60).to_numpy()
    errors = np.abs(y[7:] - y[:-7])
    assert np.mean(errors / naive_error(y, 7)) == pytest.approx(1)


def test_scores_are_what_they_are_called():
    rolled = rolling(noise(), NAIVE | {"off": Off(1.0)}, horizon=14, origins=6)
    row, part = judge(rolled).loc["off"], rolled[rolled["model"] == "off"]
    e = part["y"] - part[0.5]
    assert row["mse"].value == pytest.approx(((part["y"] - part["mean"]) ** 2).mean())
    assert row["rmse"].value == pytest.approx(np.sqrt(row["mse"].value))
    assert row["mae"].value == pytest.approx(e.abs().mean())
    assert row["mase"].value == pytest.approx((e.abs() / part["scale"]).mean())
    assert row["coverage_80"].value == pytest.approx(((part["y"] - part["mean"]).abs() <= 1.3).mean())
    gaps = {q: part["y"] - part[q] for q in (0.025, 0.1, 0.5, 0.9, 0.975)}
    losses = [np.maximum(q * gap, (q - 1) * gap) for q, gap in gaps.items()]
    assert row["pinball"].value == pytest.approx(np.mean(losses))
    assert row["forecasts"] == 84


def test_a_week_of_naive_errors_has_a_mase_near_one_out_of_sample():
    table = judge(rolling(noise(1000), NAIVE, horizon=7, origins=60))
    assert table.mase["seasonal naive"].value == pytest.approx(1, abs=0.1)
    assert table.mase_gain["seasonal naive"] == (0, 0, 0) and table.worse_than_naive["seasonal naive"] == ""


def test_worse_than_naive_is_said_in_words():
    table = judge(rolling(noise(), NAIVE | {"LSTM": Off(9.0), "ETS": ETS()}, horizon=14, origins=8))
    said = table.worse_than_naive
    assert said["LSTM"].startswith("LSTM is worse than seasonal naive: MASE ") and "chance" not in said["LSTM"]
    assert said["ETS"] == "" and table.mase_gain["ETS"].low > 0 > table.mase_gain["LSTM"].high


def test_what_chance_could_do_is_said_too():
    """Two forecasts of one law, the second a little further off: nobody can tell them apart."""
    rolled = rolling(noise(300, 3), {"seasonal naive": Off(0.0), "other": Off(0.0)}, horizon=14, origins=8)
    other = rolled["model"] == "other"
    rolled.loc[other, 0.5] += np.random.default_rng(0).normal(0, 0.5, other.sum())
    said = judge(rolled).worse_than_naive["other"]
    assert said == "" or said.endswith("chance alone could do that")


def test_pairs_are_closer_than_each_alone():
    table = judge(rolling(noise(600), NAIVE | {"lags": Lags()}, origins=10))
    gain, naive = table.mase_gain["lags"], table.mase["seasonal naive"]
    assert gain.high - gain.low < naive.high - naive.low + 0.1 and gain.low > 0


def test_overlapping_horizons_are_drawn_together():
    """Origins a day apart say nearly the same: their interval is much wider than if each were news."""
    y = pd.Series(np.cumsum(noise(400) - 22.6), noise(400).index)
    rolled = rolling(y, NAIVE, horizon=28, every=1, origins=112)
    width = (gap := judge(rolled).mae["seasonal naive"])[2] - gap[1]
    spread = rolled.groupby("origin").apply(lambda g: (g["y"] - g[0.5]).abs().mean()).std()
    assert width > 2 * 1.96 * 2 * spread / np.sqrt(112)


def test_gaps_in_the_test_part_are_not_judged():
    y = noise()
    y.iloc[-5:] = np.nan
    rolled = rolling(y, NAIVE, horizon=14, origins=3)
    assert judge(rolled).forecasts["seasonal naive"] == 3 * 14 - 5


def test_several_series_at_once():
    Y = pd.DataFrame({"a": noise(), "b": 100 * noise(seed=1)})
    both = judge(rolling(Y, NAIVE | {"lags": Lags()}, origins=5))
    alone = [judge(rolling(Y[s], NAIVE | {"lags": Lags()}, origins=5)).mase["lags"].value for s in Y]
    assert both.mase["lags"].value == pytest.approx(np.mean(alone))


def test_settings_are_chosen_by_the_last_origins():
    found = choose(noise(), {"far": Off(5.0), "near": Off(0.0)}, horizon=14, origins=4)
    assert found.name == "near" and found.model.by == 0 and list(found.table.index) == ["far", "near"]
    assert not hasattr(found.model, "index_")


def test_bad_calls_are_sentences():
    y = noise(60)
    for make, text in (
        (lambda: origin_places(60, 28, 28, 3), "60 values are too few for 3 origins 28 steps apart and 28 steps ahead"),
        (lambda: rolling(y, NAIVE, horizon=0), "horizon=0, every=0 and origins=12 must be 1 or more"),
        (lambda: rolling(y, {"lags": Lags()}, horizon=7, origins=2), "lags, from 2023-02-16 00:00:00: views: 46 val"),
        (lambda: judge(rolling(y, NAIVE, horizon=5, origins=2), baseline="naiv"), "there is no model 'naiv'"),
        (
            lambda: rolling(y * np.nan, NAIVE, horizon=5, origins=2),
            "seasonal naive, from 2023-02-20 00:00:00: views: no",
        ),
        (lambda: choose(y, NAIVE, by="luck"), "by='luck'"),
    ):
        with pytest.raises(UsageError, match=text):
            make()
