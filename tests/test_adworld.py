"""The simulated log follows its coefficients, and a logistic regression finds them as often as it says."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from scipy.stats import binomtest, chi2

from smlab import adworld
from smlab.auc import auc
from smlab.calibration import calibration_ratio, expected_calibration_error, undo_downsampling
from smlab.checks import UsageError
from smlab.ctr import LogisticRegression


@pytest.fixture(scope="module")
def log() -> adworld.AdLog:
    return adworld.impressions(seed=1)


def test_frame_keeps_the_contract_of_clicks(log):
    frame = log.frame
    assert len(frame) == len(log.p) == 100_000 and frame["click"].isin([0, 1]).all()
    assert frame["time"].is_monotonic_increasing and frame["time"].dtype == "datetime64[ns, UTC]"
    assert not frame.isna().any(axis=None) and set(log.fields) <= set(frame.columns)
    hours = frame.groupby("daypart")["time"].agg(lambda t: set(t.dt.hour))
    assert hours["noon"] == set(range(11, 17)) and hours["night"] == {23, 0, 1, 2, 3, 4, 5}
    traits = frame.groupby("user")[["age", "gender", "segment"]].nunique()
    assert (traits == 1).all(axis=None) and (frame.groupby("ad")["topic"].nunique() == 1).all()


def test_oracle_is_calibrated_and_its_logit_is_linear_in_the_columns(log):
    assert calibration_ratio(log.frame["click"], log.p) == pytest.approx(1, abs=0.03)
    assert expected_calibration_error(log.frame["click"], log.p) < 0.005
    linear = log.theta["intercept"] + log.design.transform(log.frame) @ log.theta.to_numpy()[1:]
    np.testing.assert_allclose(logit(log.p), linear, atol=1e-9)
    np.testing.assert_allclose(log.probability(log.frame), log.p)


def test_theta_says_what_was_planted():
    log = adworld.impressions(200, seed=3, rate=0.1)
    assert log.theta.index.tolist() == ["intercept", *log.design.names_] and log.theta.index.is_unique
    assert log.theta["intercept"] == pytest.approx(logit(0.1)) and log.theta["age=35-44"] == 0
    assert log.theta["gender=M × topic=games"] == 0.7 and "ad=0" not in log.theta and "ad=1" in log.theta


def test_planted_effects_are_seen_in_the_raw_rates(log):
    rate = log.frame.groupby("position")["click"].mean()
    assert rate["1"] > 1.3 * rate["2"] > 1.3 * rate["3"]
    share = log.frame.pivot_table(index="gender", columns="topic", values="click")
    assert (
        share.loc["M", "games"] / share.loc["F", "games"] > 1.5 > share.loc["M", "fashion"] / share.loc["F", "fashion"]
    )


def test_same_seed_same_log_and_same_truth_with_another_seed_repeats_the_experiment():
    one, two = adworld.impressions(300, seed=5), adworld.impressions(300, seed=5)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    again = adworld.impressions(300, seed=6, truth=5)
    pd.testing.assert_series_equal(again.theta, one.theta)
    assert not again.frame.equals(one.frame)
    assert not adworld.impressions(300, seed=6).theta.equals(one.theta)


def test_alternatives_are_the_truth_for_every_ad_in_the_first_place(log):
    some = log.frame.head(50)
    table = log.alternatives(some, range(20))
    assert table.shape == (50, 20)
    first = some["position"] == "1"
    assert (log.instead(log.frame, 4)["topic"] == log.frame.loc[log.frame["ad"] == 4, "topic"].iloc[0]).all()
    with pytest.raises(UsageError, match="column 'ad': 99 was not there when fitting"):
        log.alternatives(some, [99])
    np.testing.assert_allclose(table[np.arange(50), some["ad"]][first], log.p[:50][first])
    assert (table[np.arange(50), some["ad"]][~first] > log.p[:50][~first]).all()


def test_each_parameter_matters():
    plain = adworld.impressions(20_000, seed=2)
    assert adworld.impressions(20_000, seed=2, rate=0.2).p.mean() > 2 * plain.p.mean()
    for name in ("ad_spread", "segment_spread", "hidden_spread"):
        assert adworld.impressions(20_000, seed=2, **{name: 1.5}).p.std() > 1.3 * plain.p.std()
    assert adworld.impressions(500, seed=2, days=3).frame["time"].max() < plain.frame["time"].max()
    small = adworld.impressions(5000, seed=2, n_ads=4, n_users=50, n_segments=3)
    assert (small.frame["ad"].nunique(), small.frame["segment"].nunique()) == (4, 3) and small.frame["user"].max() < 50


def test_downsampling_keeps_all_clicks_and_shifts_the_odds_by_the_rate(log):
    kept = adworld.downsample(log.frame, 0.2, seed=1)
    assert kept["click"].sum() == log.frame["click"].sum() and kept.index.is_monotonic_increasing
    assert (kept["click"] == 0).sum() / (log.frame["click"] == 0).sum() == pytest.approx(0.2, abs=0.01)
    model = LogisticRegression().fit(log.design.transform(kept), kept["click"])
    whole = LogisticRegression().fit(log.design.transform(log.frame), log.frame["click"])
    assert model.theta_[0] - whole.theta_[0] == pytest.approx(-np.log(0.2), abs=0.1)
    skewed = model.predict_proba(log.design.transform(log.frame))
    assert calibration_ratio(log.frame["click"], skewed) > 3
    assert calibration_ratio(log.frame["click"], undo_downsampling(skewed, 0.2)) == pytest.approx(1, abs=0.02)
    pd.testing.assert_frame_equal(adworld.downsample(log.frame, 1.0), log.frame)


def test_regression_orders_new_impressions_as_well_as_the_oracle(log):
    model = LogisticRegression().fit(log.design.transform(log.frame), log.frame["click"])
    new = adworld.impressions(seed=2, truth=1)
    assert auc(new.frame["click"], model.predict_proba(new.design.transform(new.frame))) > (
        auc(new.frame["click"], new.p) - 0.002
    )


def test_bids_are_positive_and_seeded():
    assert (adworld.bids(50) > 0).all() and adworld.bids(5, seed=1).tolist() == adworld.bids(5, seed=1).tolist()
    assert adworld.bids(500, spread=0.0).tolist() == [1.0] * 500


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: adworld.impressions(0), "n=0"),
        (lambda: adworld.impressions(10, rate=1.0), "rate=1.0 between 0 and 1"),
        (lambda: adworld.downsample(pd.DataFrame({"click": [1]}), 0), "rate=0 must be above 0 and at most 1"),
        (lambda: adworld.downsample(pd.DataFrame({"a": [1]}), 0.5), "no column 'click'; it has a"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()


@pytest.mark.slow
def test_true_coefficients_lie_in_their_intervals_at_the_nominal_rate():
    """200 logs of 100,000 impressions, three ways to say that 95 % is 95 %.

    Each coefficient by itself, by a binomial test of 200 logs (at 0.1 % over all of them together); all of them
    jointly, in the ellipsoid of Wald; and the mean of all. Coefficients of one log share their reference, so the
    spread of that mean is taken from the logs, not from coefficients as if they were independent.
    """
    inside, jointly, margins = [], [], []
    for seed in range(200):
        log = adworld.impressions(seed=seed, truth=7)
        model = LogisticRegression().fit(log.design.transform(log.frame), log.frame["click"])
        table, truth = model.intervals(0.95), log.theta.to_numpy()
        inside.append((table["low"] <= truth) & (truth <= table["high"]))
        error = model.theta_ - truth
        jointly.append(error @ np.linalg.solve(model.covariance_, error) <= chi2.ppf(0.95, len(truth)))
        if seed < 10:
            new = adworld.impressions(seed=1000 + seed, truth=7)
            predicted = model.predict_proba(new.design.transform(new.frame))
            margins.append(auc(new.frame["click"], new.p) - auc(new.frame["click"], predicted))
    hits, of_log = np.array(inside).sum(axis=0), np.array(inside).mean(axis=1)
    for name, count in zip(log.theta.index, hits, strict=True):
        assert binomtest(int(count), 200, 0.95).pvalue > 0.001 / len(hits), f"{name}: {count} of 200"
    assert binomtest(int(sum(jointly)), 200, 0.95).pvalue > 0.001, sum(jointly)
    assert abs(of_log.mean() - 0.95) < 3.3 * of_log.std() / np.sqrt(200), of_log.mean()
    assert max(margins) < 0.002
