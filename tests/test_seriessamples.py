"""The made-up series hold what was planted, and are read as the true ones are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab import series, seriessamples
from smlab.seriessamples import BRANDS, LASTS, ODD


def test_same_seed_gives_the_same_bytes_and_they_are_few(tmp_path):
    for folder in ("a", "b"):
        seriessamples.write_samples(tmp_path / folder)
    made = [{p.name: p.read_bytes() for p in (tmp_path / f).rglob("*.*")} for f in ("a", "b")]
    assert made[0] == made[1] and len(made[0]) == 4 and sum(map(len, made[0].values())) < 110_000
    assert len(made[0]["daily_peyton_manning.csv"]) < 60_000
    assert not seriessamples.views(50, seed=1).parts.equals(seriessamples.views(50, seed=2).parts)


@pytest.mark.parametrize("seed", range(3))
def test_logarithm_of_the_views_is_the_sum_of_its_parts(seed):
    """Least squares on the planted shapes finds each of them at its size."""
    made = seriessamples.views(seed=seed)
    known = made.views.notna()
    y, x = np.log(made.views[known]), made.parts.drop(columns="noise")[known]
    assert np.abs(y - made.parts.sum(axis=1)[known]).max() < 1e-3
    size = np.linalg.lstsq(x.to_numpy(), y.to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(size, 1, atol=0.15)
    week = made.parts["week"]
    assert abs(week.iloc[:7].sum()) < 1e-12 and week.groupby(week.index.day_of_week).nunique().eq(1).all()


def test_noise_lingers_as_planted():
    noise = seriessamples.views(20_000).parts["noise"]
    assert noise.autocorr(1) == pytest.approx(seriessamples.LINGERS, abs=0.03)
    sd = seriessamples.NOISE * np.pi / np.sqrt(3 * (1 - seriessamples.LINGERS**2))
    assert noise.std() == pytest.approx(sd, rel=0.05)


def test_days_that_stand_out_are_those_of_the_calendar():
    holiday = seriessamples.views().parts["holiday"]
    assert holiday["2011-09-01"] == 0.9 and holiday["2012-02-05"] == 1.4 and holiday["2012-02-07"] == 0.3
    assert holiday["2012-12-25"] == -0.35 and (holiday != 0).sum() == 5 * 3 + 4 * 2 + 4


@pytest.mark.parametrize("brand", BRANDS)
def test_tweets_have_their_mean_and_their_anomalies(brand):
    made = seriessamples.tweets(brand)
    burst, silence = ODD[brand]
    assert made.iloc[silence : silence + LASTS[1]].sum() == 0
    usual = made.groupby([made.index.hour]).transform("median")
    assert (made / usual).iloc[burst : burst + LASTS[0]].median() > 3
    assert made.mean() == pytest.approx(BRANDS[brand], rel=0.15)


def test_samples_are_read_back_as_they_were_made():
    views, made = series.load_series("peyton-manning", offline=True), seriessamples.views()
    np.testing.assert_allclose(np.exp(views.one()), made.views, rtol=1e-9)
    tweets = series.load_series("nab", offline=True)
    for brand in BRANDS:
        pd.testing.assert_series_equal(
            tweets.one(brand), seriessamples.tweets(brand).astype(float), check_names=False, check_index_type=False
        )
        windows = tweets.labels[tweets.labels["series"] == brand]
        for (_, start, end), at, lasts in zip(
            windows.itertuples(index=False, name=None), ODD[brand], LASTS, strict=True
        ):
            begin = tweets.one(brand).index[at]
            assert start < begin and begin + lasts * pd.Timedelta("5min") < end
