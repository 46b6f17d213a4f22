import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from smlab import anomalies
from smlab.checks import UsageError

DAY = anomalies.DAY


def naive(past, h):
    return np.resize(past[-DAY:], h)


DETECTORS = {
    "excess": anomalies.excess,
    "seasonal": anomalies.seasonal,
    "cusum": anomalies.cusum,
    "changepoint": anomalies.changepoint,
    "forecast_residual": lambda x: anomalies.forecast_residual(x, naive),
    "relative_entropy": anomalies.relative_entropy,
    "neighbors": anomalies.neighbors,
}


def volumes(seed, days=8, burst=None, height=12.0):
    """Poisson counts with a rhythm of the day, and a burst of an hour at row `burst`."""
    rng = np.random.default_rng(seed)
    rate = 12 + 8 * np.sin(2 * np.pi * np.arange(days * DAY) / DAY)
    if burst is not None:
        rate[burst : burst + 12] *= height
    return rng.poisson(rate).astype(float)


@pytest.mark.parametrize("name", DETECTORS)
def test_scores_look_at_the_past_only(name):
    x = volumes(0, burst=1700)
    whole = DETECTORS[name](x)
    assert whole.shape == x.shape and np.isfinite(whole).all() and (whole >= 0).all()
    for n in (1100, 1701, 1900):
        assert np.allclose(DETECTORS[name](x[:n]), whole[:n], atol=1e-9)
        assert np.allclose(DETECTORS[name](np.r_[x[:n], np.full(300, 500.0)])[:n], whole[:n], atol=1e-9)


@pytest.mark.parametrize("name", DETECTORS)
def test_burst_has_the_highest_score(name):
    hits = 0
    for seed in range(5):
        score = DETECTORS[name](volumes(seed, burst=1900))
        hits += 1895 <= int(np.argmax(score[750:])) + 750 <= 1900 + 60
    assert hits >= 4


@pytest.mark.parametrize("after", [anomalies.likelihood, anomalies.quiet, lambda s: anomalies.together([s, s**2])])
def test_what_comes_after_a_detector_looks_at_the_past_only_too(after):
    s = np.random.default_rng(0).exponential(size=600)
    assert np.allclose(after(s[:400]), after(s)[:400])
    s[500] = 50.0
    assert int(np.argmax(after(s))) in (500, 501)


def test_excess_agrees_with_its_formula():
    x = volumes(1, days=2)
    y = np.log1p(x)
    score = anomalies.excess(x, spans=(1,), levels=(0.9,), least=0.5, memory=200)
    for i in (60, 199, 200, 400, 571):
        past = y[max(0, i - 200) : i]
        u = np.quantile(past, 0.9)
        assert score[i] == pytest.approx(max(0.0, (y[i] - u) / (u - np.median(past) + 0.5)))


def test_changepoint_agrees_with_the_sum_over_all_runs():
    """Adams & MacKay (2007), algorithm 1, each run's posterior from its rows, nothing cut off."""
    rng = np.random.default_rng(0)
    x = np.r_[rng.poisson(5, 60), rng.poisson(40, 20)].astype(float)
    y, hazard = np.log1p(x), 1 / 50
    p = np.array([1.0])
    for n in range(len(y)):
        terms = np.empty(n + 1)
        for r in range(n + 1):
            rows = y[n - r : n]
            κ, α, μ, β = 1.0, 1.0, y[0], anomalies.LEAST**2
            for value in rows:
                β += κ * (value - μ) ** 2 / (2 * (κ + 1))
                μ, κ, α = (κ * μ + value) / (κ + 1), κ + 1, α + 0.5
            terms[r] = student.pdf(y[n], 2 * α, μ, np.sqrt(β * (κ + 1) / (α * κ)))
        grown = p * terms
        p = np.r_[hazard * grown.sum(), (1 - hazard) * grown] / grown.sum()
    score = anomalies.changepoint(x, hazard=hazard, longest=100, recent=25)
    assert score[-1] == pytest.approx(-np.log(p[26:].sum()), rel=1e-9)
    assert score[-1] > 5 * score[59]


def test_level_of_the_series_does_not_matter_much():
    """Ten times the volume: about the same scores, since they are of log volumes."""
    x = volumes(2, burst=1900) * 20
    a, b = anomalies.excess(x), anomalies.excess(10 * x)
    assert np.corrcoef(a, b)[0, 1] > 0.99


def test_missing_rows_score_0_and_change_nothing_else():
    x = volumes(3, burst=1900)
    x[1000:1005] = x[999]
    gap = x.copy()
    gap[1000:1005] = np.nan
    for name, detector in DETECTORS.items():
        a, b = detector(x), detector(gap)
        assert (b[1000:1005] == 0).all(), name
        assert np.allclose(np.delete(a, range(1000, 1005)), np.delete(b, range(1000, 1005))), name


@pytest.mark.parametrize("name", [n for n in DETECTORS if n not in ("cusum", "changepoint")])
def test_series_of_zeros_has_nothing_odd(name):
    assert DETECTORS[name](np.zeros(1500)).max() == pytest.approx(0.0, abs=1e-9)


def test_quiet_leaves_one_alarm_of_a_burst():
    score = anomalies.excess(volumes(0, burst=1900))
    assert (score[1890:1950] > 1).sum() > 3
    assert 1 <= (anomalies.quiet(score)[1890:1950] > 1).sum() <= 3
    assert (anomalies.quiet(score, rows=1) > 0).sum() > (anomalies.quiet(score) > 0).sum()


def test_borne_alarms_come_no_oftener_in_calm_weeks_to_come():
    rates = []
    for seed in range(6):
        score = anomalies.quiet(anomalies.excess(volumes(seed, days=56)))
        threshold = anomalies.borne(score[2 * DAY : 29 * DAY], a_week=1)
        assert (score[2 * DAY : 29 * DAY] >= threshold).sum() <= 3
        rates.append((score[29 * DAY :] >= threshold).sum() / (27 / 7))
    assert np.mean(rates) < 1.3


def test_likelihood_is_the_normal_tail():
    s = np.random.default_rng(0).normal(5, 1, size=4000)
    s[-1] = 8.0
    past = s[:-1]
    found = anomalies.likelihood(s, short=1, memory=10_000)[-1]
    assert found == pytest.approx(-np.log10(norm.sf((8 - past.mean()) / past.std(ddof=1))), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: anomalies.excess([1.0, -2.0]), "volume 1 is -2; volumes are numbers of 0 or more"),
        (lambda: anomalies.excess([1.0, np.inf]), "volume 1 is inf; volumes are numbers of 0 or more"),
        (lambda: anomalies.excess([]), "volumes have shape (0,); a series of one or more rows"),
        (lambda: anomalies.excess([1.0], levels=(99,)), "levels=(99,) within 0.5 to 1"),
        (lambda: anomalies.excess([1.0], memory=9), "memory=9 rows: 50 or more are needed to know what is usual"),
        (lambda: anomalies.seasonal([1.0] * 9), "9 rows: seasonal needs more than period=288"),
        (lambda: anomalies.cusum([1.0] * 700), "700 rows: cusum needs more than learn=750"),
        (lambda: anomalies.cusum([1.0] * 800), "the first 750 volumes are all the same; cusum has nothing to learn"),
        (lambda: anomalies.changepoint([1.0], recent=300), "0 < recent=300 < longest=200"),
        (lambda: anomalies.forecast_residual([1.0] * 9, naive), "9 rows: 0 < learn=750 must be below that"),
        (
            lambda: anomalies.forecast_residual([1.0] * 99, lambda past, h: [0.0], learn=50),
            "predict gave shape (1,) for the 49 rows after row 50; 49 numbers needed",
        ),
        (lambda: anomalies.relative_entropy([1.0] * 99), "99 rows > learn=750 ≥ window=52 ≥ bins=5 ≥ 2 must hold"),
        (lambda: anomalies.neighbors([1.0] * 99), "learn must hold k windows"),
        (lambda: anomalies.together([]), "0 arrays of scores"),
        (lambda: anomalies.likelihood([1.0], short=0), "short=0 rows: 1 or more are needed"),
        (lambda: anomalies.quiet([1.0], 0), "quiet for 0 rows: 1 or more is needed"),
        (lambda: anomalies.quiet([np.nan]), "1 scores, 1 of them missing: each row needs one"),
        (lambda: anomalies.borne([1.0] * 1008, 1), "0.5 weeks of scores are too few for 1 alarms a week"),
    ],
)
def test_errors_are_sentences(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_a_month_and_a_half_of_five_minutes_takes_a_second_or_two(name):
    start = pd.Timestamp.now()
    DETECTORS[name](volumes(0, days=55))
    assert (pd.Timestamp.now() - start).total_seconds() < 5
