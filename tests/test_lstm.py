"""The LSTM: it starts as the seasonal naive forecast, learns what that cannot, and ignores gaps."""

import numpy as np
import pandas as pd
import pytest
import torch

from smlab.checks import UsageError
from smlab.forecast import SeasonalNaive
from smlab.lstm import LSTM, _loss, _Net

WEEK = np.array([0.0, 1.0, 2.0, 1.0, 0.0, 6.0, 8.0])


def days(values):
    return pd.Series(np.asarray(values, float), pd.date_range("2021-01-04", periods=len(values)), name="views")


def noisy_week(n, seed=0):
    return days(20 + WEEK[np.arange(n) % 7] + np.random.default_rng(seed).normal(size=n))


def test_untrained_it_is_the_seasonal_naive_forecast():
    net = _Net(season=7, horizon=10, n_inputs=3, n_hidden=4, n_rounds=2)
    x = torch.randn(2, 14, 3)
    out = net(x)
    assert out.shape == (2, 10, 6)
    torch.testing.assert_close(out[:, :, 2], torch.cat([x[:, 7:, 0], x[:, 7:10, 0]], dim=1))


def test_loss_is_pinball_and_squared_error_of_what_was_measured():
    out, z = torch.zeros(1, 2, 6), torch.tensor([[2.0, float("nan")]])
    assert float(_loss(out, z)) == pytest.approx(2 * (0.025 + 0.1 + 0.5 + 0.9 + 0.975) + 2)


def test_it_averages_weeks_where_the_naive_forecast_repeats_one():
    """The mean of many weeks errs less than the last week: about √2 less in the noise."""
    truth = 20 + WEEK[np.arange(600, 614) % 7]
    y = noisy_week(600)
    ours, naive = (m.fit(y).predict(14)["mean"] for m in (LSTM(horizon=14, window=28, n_hidden=16), SeasonalNaive()))
    assert np.abs(ours - truth).mean() < 0.75 * np.abs(naive - truth).mean()


def test_equal_by_seed_and_other_by_another():
    y, small = noisy_week(250), {"horizon": 7, "window": 14, "n_hidden": 4, "epochs": 2}
    a, b, c = (LSTM(**small, seed=s).fit(y).predict(7) for s in (0, 0, 1))
    pd.testing.assert_frame_equal(a, b)
    assert (a != c).any(axis=None)


def test_early_stop_keeps_the_best_epoch():
    model = LSTM(horizon=7, window=14, n_hidden=8, epochs=60, patience=2, learning_rate=0.02).fit(noisy_week(300))
    scores = [row["score"] for row in model.history_[0]]
    assert len(scores) < 60 and max(scores) > scores[-1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_and_processor_agree():
    y, small = noisy_week(250), {"horizon": 7, "window": 14, "n_hidden": 4, "epochs": 2}
    a, b = (LSTM(**small, device=d).fit(y).predict(7) for d in ("cpu", "cuda"))
    assert np.abs(a - b).to_numpy().max() < 0.05


def test_bad_settings_are_sentences():
    with pytest.raises(UsageError, match="window ≥ season=7"):
        LSTM(window=3)
    with pytest.raises(UsageError, match="h=9: this LSTM was fitted for horizon=7 steps"):
        LSTM(horizon=7, epochs=1, n_hidden=2).fit(noisy_week(250)).predict(9)
