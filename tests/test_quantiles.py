"""Planes that are exact, quantiles in order, and intervals that hold what they promise, with and without drift."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import QuantileRegressor

from smlab.checks import UsageError
from smlab.countscores import LEVELS, covered, pinball
from smlab.quantiles import AdaptiveConformal, BoostedQuantiles, Conformal, LinearQuantiles, _dual, _plane


def posts(n: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two columns: the first moves the logarithm's mean, the second its spread, so quantiles have known slopes."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (n, 2))
    return X, np.floor(np.exp(5 + X[:, 0] + (0.3 + X[:, 1]) * rng.normal(size=n)))


# Planes


@pytest.mark.parametrize("level", [0.025, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(2))
def test_plane_is_that_of_scikit_learn(level, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 4))
    y = X @ [1, 0, -1, 2] + rng.standard_t(2, 400)
    peer = QuantileRegressor(quantile=level, alpha=0, solver="highs").fit(X, y)
    ours = _plane(np.c_[np.ones(400), X], y, level, seed)
    np.testing.assert_allclose(ours, np.r_[peer.intercept_, peer.coef_], atol=1e-6)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.975])
def test_solving_near_the_plane_alone_is_exact(level):
    rng = np.random.default_rng(1)
    A = np.c_[np.ones(9000), rng.normal(size=(9000, 3))]
    y = A @ [1, 2, 0, -1] + rng.standard_t(2, 9000) * (1 + A[:, 1] ** 2)
    quick = _plane(A, y, level, 0)
    whole = _dual(A, y, (1 - level) * A.sum(axis=0))
    np.testing.assert_allclose(quick, whole, atol=1e-9)
    np.testing.assert_allclose(_plane(A, y, level, 7), whole, atol=1e-9)  # whatever sample it begins with
    assert (y > A @ quick + 1e-9).sum() <= (1 - level) * 9000 <= (y > A @ quick - 1e-9).sum()  # Koenker & Bassett 3.4


def test_planes_of_statsmodels_are_no_better():
    sm = pytest.importorskip("statsmodels.api")
    X, y = posts(500)
    ours = LinearQuantiles(levels=[0.9]).fit(X, y)
    theirs = sm.QuantReg(np.log1p(y), sm.add_constant(X)).fit(q=0.9)
    a = np.log1p(ours.forecast(X)[0.9])
    b = theirs.predict(sm.add_constant(X))
    assert pinball(np.log1p(y), a, 0.9).mean() <= pinball(np.log1p(y), b, 0.9).mean() + 1e-9
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_planted_slopes_of_each_quantile_are_found():
    """Of 5 + x_1 + (.3 + x_2) z the τ-quantile is 5 + .3 z_τ + x_1 + z_τ x_2."""
    X, y = posts(20_000)
    levels = [0.1, 0.3, 0.5, 0.9]
    model = LinearQuantiles(levels=levels).fit(X, y)
    grid = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = np.log(model.forecast(grid).to_numpy())
    z = norm.ppf(levels)
    np.testing.assert_allclose(found, 5 + grid[:, :1] + (0.3 + grid[:, 1:]) * z, atol=0.1)


def test_ties_zeros_and_constant_columns_are_no_trouble():
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 2, 500), np.full(500, 3.0), np.zeros(500)]
    y = rng.poisson(0.3 + X[:, 0])
    f = LinearQuantiles().fit(X, y).forecast(X)
    assert np.isfinite(f.to_numpy()).all() and (f.to_numpy() >= 0).all()
    for g in (0, 1):
        rows = X[:, 0] == g
        assert f[0.5][rows].iloc[0] == pytest.approx(np.median(y[rows]), abs=1e-6)
    assert (LinearQuantiles().fit(X, np.zeros(500)).forecast(X).to_numpy() == 0).all()
    assert LinearQuantiles(levels=[0.5]).fit([[0.0]], [10**7]).forecast([[0.0]])[0.5][0] == pytest.approx(1e7)


# What both share

MODELS = {"linear": LinearQuantiles, "boosted": lambda **how: BoostedQuantiles(epochs=30, **how)}


@pytest.mark.parametrize("name", MODELS)
def test_quantiles_are_in_order_also_far_from_the_data(name):
    X, y = posts(400)
    model = MODELS[name](levels=np.arange(0.05, 1, 0.1)).fit(X, y)
    far = np.random.default_rng(1).normal(size=(500, 2)) * 20
    assert (np.diff(model.forecast(far).to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_share_below_each_quantile_is_its_level(name):
    X, y = posts(4000)
    later, count = posts(4000, 1)
    f = MODELS[name]().fit(X, y).forecast(later)
    for level in LEVELS:
        assert (count <= f[level]).mean() == pytest.approx(level, abs=0.04)


@pytest.mark.parametrize("name", MODELS)
def test_order_of_columns_and_repetition_do_not_matter(name):
    X, y = posts(300)
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = MODELS[name]().fit(frame, y)
    again = MODELS[name]().fit(frame, y)
    pd.testing.assert_frame_equal(model.forecast(frame[["b", "a"]]), again.forecast(frame))


def test_trees_find_what_no_plane_can():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (3000, 2)).astype(float)
    y = rng.poisson(np.where(X[:, 0] == X[:, 1], 100, 10))
    loss = [pinball(y, MODELS[n]().fit(X, y).forecast(X)[0.5], 0.5).mean() for n in ("linear", "boosted")]
    assert loss[1] < 0.3 * loss[0]


# Conformal intervals


def too_sure(mu: np.ndarray) -> pd.DataFrame:
    """Give a forecast whose intervals are far too short."""
    return pd.DataFrame({q: mu * np.exp(0.1 * norm.ppf(q)) for q in LEVELS})


def drawn(n: int, rng: np.random.Generator, scale: float | np.ndarray = 0.8) -> tuple[np.ndarray, np.ndarray]:
    mu = np.exp(rng.normal(7, 1, n))
    return mu, np.floor(mu * np.exp(scale * rng.normal(size=n)))


def coverage(seeds: range, n: int = 99) -> np.ndarray:
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        mu, y = drawn(n, rng)
        later, count = drawn(200, rng)
        f = Conformal().fit(y, too_sure(mu)).transform(too_sure(later))
        found.append([((count >= f[a]) & (count <= f[b])).mean() for a, b in ((0.1, 0.9), (0.025, 0.975))])
    return np.mean(found, axis=0)


def test_conformal_intervals_cover_at_the_nominal_rate_whatever_the_forecast():
    """Between 1-α and 1-α + 1/(n+1) in expectation; 40 seeds have a standard error of .007 at 80 %."""
    eighty, ninety_five = coverage(range(40))
    assert 0.775 < eighty < 0.835 and 0.93 < ninety_five < 0.975
    mu, y = drawn(4000, np.random.default_rng(0))
    assert covered(y, too_sure(mu)[0.1], too_sure(mu)[0.9]).high < 0.2  # what it was before


@pytest.mark.slow
def test_conformal_intervals_cover_at_the_nominal_rate_in_200_seeds():
    """With n = 99 both quantiles are order statistics: .8 and .95 exactly in expectation, ± 3 standard errors."""
    eighty, ninety_five = coverage(range(200))
    assert abs(eighty - 0.8) < 0.011 and abs(ninety_five - 0.95) < 0.006


@pytest.mark.slow
def test_conformalized_planes_cover_at_the_nominal_rate_in_200_seeds():
    inside = []
    for seed in range(200):
        X, y = posts(250, seed)
        later, count = posts(200, 1000 + seed)
        model = LinearQuantiles(levels=[0.1, 0.9]).fit(X[:151], y[:151])
        f = Conformal().fit(y[151:], model.forecast(X[151:])).transform(model.forecast(later))
        inside.append(((count >= f[0.1]) & (count <= f[0.9])).mean())
    assert abs(np.mean(inside) - 0.8) < 0.012


def test_intervals_that_are_too_wide_become_narrower():
    mu, y = drawn(2000, np.random.default_rng(0), 0.05)
    model = Conformal().fit(y, too_sure(mu))
    assert model.widening_[0.2] < 0
    assert covered(y, *model.transform(too_sure(mu))[[0.1, 0.9]].to_numpy().T).value == pytest.approx(0.8, abs=0.01)


def test_conformal_leaves_medians_means_and_inputs_as_they_are():
    mu, y = drawn(200, np.random.default_rng(0))
    before = too_sure(mu).assign(mean=mu)
    after = Conformal().fit(y, before).transform(before)
    pd.testing.assert_series_equal(after[0.5], before[0.5])
    pd.testing.assert_series_equal(after["mean"], before["mean"])
    pd.testing.assert_frame_equal(before, too_sure(mu).assign(mean=mu))
    assert (after[[0.025, 0.1, 0.9, 0.975]].to_numpy() % 1 == 0).all()  # counts are whole


# Drift


def drifting(seed: int, n: int = 2000) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]:
    """Give 300 calibration posts and n later ones whose scatter triples: forecasts and counts of each."""
    rng = np.random.default_rng(seed)
    mu, y = drawn(300, rng)
    later, count = drawn(n, rng, np.linspace(0.8, 2.4, n))
    return too_sure(mu), y, too_sure(later), count


@pytest.mark.parametrize("seed", range(3))
def test_under_drift_the_adaptive_interval_covers_where_the_plain_one_fails(seed):
    f, y, later, count = drifting(seed)
    plain = Conformal().fit(y, f).transform(later)
    adaptive = AdaptiveConformal().fit(y, f).transform(later, count)
    for low, high, nominal in ((0.1, 0.9, 0.8), (0.025, 0.975, 0.95)):
        assert covered(count, plain[low], plain[high]).high < nominal - 0.08
        assert covered(count, adaptive[low], adaptive[high]).value == pytest.approx(nominal, abs=0.02)


@pytest.mark.slow
def test_adaptive_intervals_cover_in_200_seeds_with_and_without_drift():
    still, moving, plain = [], [], []
    for seed in range(200):
        f, y, later, count = drifting(seed, 1000)
        moving.append(
            covered(count, *AdaptiveConformal().fit(y, f).transform(later, count)[[0.1, 0.9]].to_numpy().T).value
        )
        plain.append(covered(count, *Conformal().fit(y, f).transform(later)[[0.1, 0.9]].to_numpy().T).value)
        mu, same = drawn(1000, np.random.default_rng(10_000 + seed))
        steady = AdaptiveConformal().fit(y, f).transform(too_sure(mu), same)
        still.append(covered(same, *steady[[0.1, 0.9]].to_numpy().T).value)
    assert abs(np.mean(still) - 0.8) < 0.01 and abs(np.mean(moving) - 0.8) < 0.02 and np.mean(plain) < 0.7


def test_misses_are_bounded_as_the_paper_proves():
    """|mean err - α| ≤ (max(α, 1-α) + γ) / (γT), whatever the data (Gibbs & Candès 2021, proposition 4.1)."""
    f, y, later, count = drifting(0)
    for rate in (0.005, 0.02, 0.1):
        out = AdaptiveConformal(learning_rate=rate).fit(y, f).transform(later, count)
        missed = 1 - covered(count, out[0.1], out[0.9]).value
        assert abs(missed - 0.2) <= (0.8 + rate) / (rate * len(count)) + 0.005


def test_without_learning_and_with_all_scores_it_is_the_plain_one_at_first():
    f, y, later, count = drifting(1)
    first = AdaptiveConformal().fit(y, f).transform(later, count)[:1]
    pd.testing.assert_frame_equal(first, Conformal().fit(y, f).transform(later)[:1])


def test_an_outcome_moves_only_intervals_after_it_is_known():
    f, y, later, count = drifting(2, 100)
    time = pd.date_range("2024-01-01", periods=100, freq="6h")
    other = count.copy()
    other[40:] = 10**6
    model = AdaptiveConformal(learning_rate=0.1, window=50).fit(y, f)
    a, b = (model.transform(later, c, time=time) for c in (count, other))
    same = (a == b).all(axis=1)
    assert same[:44].all() and not same[44:].any()  # row 44 is 24 hours after row 40


# What they refuse

X, Y = posts(50)
SMALL = too_sure(np.full(50, 100.0))
ERRORS = {
    "levels=[0.5, 90.0] must lie between 0 and 1": lambda: LinearQuantiles(levels=[0.5, 90]),
    "levels=[] must lie": lambda: BoostedQuantiles(levels=[]),
    "needed are epochs ≥ 1": lambda: BoostedQuantiles(epochs=0),
    "LinearQuantiles has not been fitted": lambda: LinearQuantiles().forecast(X),
    "BoostedQuantiles has not been fitted": lambda: BoostedQuantiles().forecast(X),
    "X has 1 columns; the model was fitted on 2": lambda: LinearQuantiles().fit(X, Y).forecast(X[:, :1]),
    "there are 50 rows; counts of shape (3,) do not fit": lambda: LinearQuantiles().fit(X, [1, 2, 3]),
    "row 0: -1 is no count": lambda: BoostedQuantiles().fit(X, -np.ones(50)),
    "18 posts cannot show a 0.95 interval; 19 are needed": lambda: Conformal().fit(Y[:18], SMALL[:18]),
    "Conformal has not been fitted": lambda: Conformal().transform(SMALL),
    "hold no central interval; give two that add up to 1": lambda: Conformal().fit(Y, SMALL[[0.1, 0.5]]),
    "the forecast has gaps": lambda: Conformal().fit(Y, SMALL * np.nan),
    "learning_rate=2 must lie between 0 and 1": lambda: AdaptiveConformal(learning_rate=2),
    "AdaptiveConformal has not been fitted": lambda: AdaptiveConformal().transform(SMALL, Y),
    "the forecast has other levels than those calibrated": lambda: (
        AdaptiveConformal().fit(Y, SMALL).transform(SMALL[[0.1, 0.9]], Y)
    ),
    "posts have to stand in order of time": lambda: (
        AdaptiveConformal().fit(Y, SMALL).transform(SMALL, Y, time=pd.date_range("2024-01-01", periods=50)[::-1])
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_seconds():
    from time import perf_counter

    rng = np.random.default_rng(0)
    A = rng.normal(size=(100_000, 50))
    y = np.floor(np.exp(5 + A @ (rng.normal(size=50) * 0.1) + rng.normal(size=100_000)))
    start = perf_counter()
    LinearQuantiles(levels=[0.9]).fit(A, y)
    assert perf_counter() - start < 20
