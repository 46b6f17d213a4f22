"""Laws of counts against scipy and plain sums, scores that are proper, and an author's past without its future."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from smlab.checks import UsageError
from smlab.countscores import (
    LEVELS,
    _rising,
    author_past,
    compare,
    covered,
    deviance,
    in_log_alpha,
    known_before,
    law,
    log_law,
    log_scores,
    pinball,
    residuals,
    rootogram,
)

MU = np.array([0.01, 0.3, 1.0, 7.0, 120.0, 5000.0])
Y = np.array([0.0, 1.0, 0.0, 12.0, 90.0, 5300.0])


# The laws


@pytest.mark.parametrize("alpha", [1e-4, 0.049, 0.051, 0.8, 30.0])
def test_law_is_scipys_and_its_variance_is_mu_plus_alpha_mu_squared(alpha):
    of = law(MU, alpha)
    np.testing.assert_allclose(log_law(Y, np.log(MU), alpha), of.logpmf(Y), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(of.mean(), MU, rtol=1e-9)
    np.testing.assert_allclose(of.var(), MU + alpha * MU**2, rtol=1e-9)


def test_nb2_is_a_poisson_whose_mean_is_gamma():
    mu, alpha, y = 3.0, 0.6, 4
    mixed = integrate.quad(lambda v: stats.poisson.pmf(y, mu * v) * stats.gamma.pdf(v, 1 / alpha, scale=alpha), 0, 50)
    assert np.exp(log_law(np.array([4.0]), np.log([mu]), alpha))[0] == pytest.approx(mixed[0], rel=1e-6)


@pytest.mark.parametrize("r", [19.999, 20.001, 300.0, 1e5])
def test_rising_factorials_are_sums_on_both_sides_of_the_series(r):
    """log Γ(y+r)/Γ(r) = Σ_{j<y} log(r+j), and its derivatives."""
    j = np.arange(37)
    at = np.array([0.0, 37.0])
    assert _rising(at, r, 0) == pytest.approx([0, np.log1p(j / r).sum()], rel=1e-9, abs=1e-13)
    assert _rising(at, r, 1) == pytest.approx([0, (1 / (r + j)).sum()], rel=1e-9, abs=1e-13)
    assert _rising(at, r, 2) == pytest.approx([0, -(1 / (r + j) ** 2).sum()], rel=1e-6, abs=1e-13)


@pytest.mark.parametrize("alpha", [1e-7, 1e-3, 0.04, 0.06, 2.0])
def test_slope_in_alpha_is_that_of_finite_differences(alpha):
    first, second = in_log_alpha(Y[:5], MU[:5], alpha)
    h = 1e-3
    up, here, down = (log_law(Y[:5], np.log(MU[:5]), alpha * np.exp(s * h)) for s in (1, 0, -1))
    np.testing.assert_allclose(first, (up - down) / (2 * h), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(second, (up - 2 * here + down) / h**2, rtol=1e-3, atol=2e-6)


def test_slope_at_no_dispersion_says_whether_there_is_some():
    """∂ℓ/∂α at 0 is ½ Σ [(y - μ)² - y], so ∂ℓ/∂log α tends to α times that."""
    first, _ = in_log_alpha(Y[:4], MU[:4], 1e-6)
    np.testing.assert_allclose(first / 1e-6, ((Y[:4] - MU[:4]) ** 2 - Y[:4]) / 2, rtol=1e-3)


def test_deviance_is_twice_what_is_lost_against_the_best_mean():
    best = log_law(Y[1:], np.log(np.maximum(Y[1:], 1e-300)), 0.0)
    np.testing.assert_allclose(deviance(Y[1:], MU[1:]), 2 * (best - log_law(Y[1:], np.log(MU[1:]), 0.0)), rtol=1e-6)


def test_huge_counts_and_hopeless_means_keep_finite_scores():
    assert np.isfinite(log_scores([10**7, 0, 10**7], [1e-3, 1e7, 1e7], 0.5)).all()
    assert np.isfinite(residuals([10**7, 0, 10**7], [1.0, 1e7, 1e7])).all()
    assert log_scores([10**7], [1e7]) == pytest.approx(0.5 * np.log(2 * np.pi * 1e7), abs=1e-6)  # Stirling


# Residuals


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_residuals_are_standard_normal_where_the_law_is_right(alpha):
    mu = np.exp(np.random.default_rng(0).normal(1, 1.5, 5000))
    y = law(mu, alpha).rvs(random_state=1)
    assert stats.kstest(residuals(y, mu, alpha), "norm").pvalue > 0.01
    assert residuals(y, mu, alpha, kind="pearson").var() == pytest.approx(1, abs=0.15)
    np.testing.assert_array_equal(residuals(y, mu, alpha, seed=4), residuals(y, mu, alpha, seed=4))


def test_residuals_and_rootogram_show_that_the_poisson_is_too_sure():
    mu = np.exp(np.random.default_rng(0).normal(2, 0.5, 4000))
    y = law(mu, 0.7).rvs(random_state=1)
    assert residuals(y, mu).std() > 1.8 and residuals(y, mu, 0.7).std() == pytest.approx(1, abs=0.05)
    poisson, nb2 = rootogram(y, mu), rootogram(y, mu, 0.7)
    assert poisson.gap[0] > 10 and np.abs(nb2.gap).max() < 2
    for table in (poisson, nb2):
        assert table.observed.sum() == 4000 and table.expected.sum() == pytest.approx(4000, rel=1e-3)


# Scores of quantiles


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_pinball_is_least_at_the_quantile(level):
    y = law(np.full(20001, 50.0), 0.5).rvs(random_state=0)
    tried = np.arange(1, 200)
    best = tried[np.argmin([pinball(y, np.full(len(y), q), level).mean() for q in tried])]
    assert abs(best - np.quantile(y, level)) <= 1


def test_mean_pinball_over_all_levels_is_half_the_crps():
    """CRPS of a forecast that is the sample itself: mean |x - y| - ½ mean |x - x'| (Gneiting & Raftery 2007)."""
    x, y = np.sort(np.random.default_rng(0).gamma(2, 30, 400)), 75.0
    levels = (np.arange(20_000) + 0.5) / 20_000
    ours = 2 * np.mean([pinball([y], [q], p)[0] for p, q in zip(levels, np.quantile(x, levels), strict=True)])
    crps = np.abs(x - y).mean() - np.abs(x[:, None] - x).mean() / 2
    assert ours == pytest.approx(crps, rel=0.01)


def forecasts(n: int = 3000) -> tuple[np.ndarray, dict[str, pd.DataFrame]]:
    mu = np.exp(np.random.default_rng(0).normal(4, 1, n))
    made = {}
    for name, alpha in (("poisson", 0.0), ("nb2", 0.8)):
        made[name] = pd.DataFrame({q: law(mu, alpha).ppf(q) for q in LEVELS} | {"mean": mu})
    made["all alike"] = pd.DataFrame({q: np.full(n, law(mu, 0.8).ppf(q).mean()) for q in LEVELS})
    return law(mu, 0.8).rvs(random_state=1), made


def test_comparison_finds_the_right_law_and_the_sure_one():
    y, made = forecasts()
    table = compare(y, made, alpha=0.8)
    right, sure, flat = (table.loc[name] for name in ("nb2", "poisson", "all alike"))
    assert right.coverage_80.low - 0.02 < 0.8 < right.coverage_80.high + 0.01 and right.coverage_95.high > 0.94
    assert sure.coverage_80.high < 0.4 and sure.pinball.low > right.pinball.high
    assert right.deviance == sure.deviance and right.nb_score == sure.nb_score  # the same means
    assert np.isnan(flat.deviance) and flat.mae_log.low > right.mae_log.high
    assert right.pinball.value == pytest.approx(np.mean([right.pinball_10, right.pinball_50, right.pinball_90]))
    assert "nb_score" not in compare(y, made) and (table.posts == 3000).all()


def test_posts_that_one_forecast_leaves_out_count_for_none():
    y, made = forecasts(300)
    made["nb2"].loc[:99] = np.nan
    table = compare(y, made)
    assert (table.posts == 200).all()
    pd.testing.assert_series_equal(
        table.loc["poisson"], compare(y[100:], {k: v[100:] for k, v in made.items()}).loc["poisson"]
    )


# The past


def stream(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 60, n)), unit="D")
    return pd.DataFrame({"time": time, "author": rng.choice(["ann", "bob"], n), "reactions": rng.poisson(30, n) * 1.0})


def test_author_past_is_the_slow_obvious_one():
    posts = stream()
    fast = author_past(posts, window=15)
    for i, post in enumerate(posts.itertuples()):
        mine = posts[(posts.author == post.author) & (posts.time <= post.time - pd.Timedelta("1D"))].reactions.tail(15)
        expected = [*np.quantile(mine, LEVELS), mine.mean()] if len(mine) >= 10 else [np.nan] * 6
        np.testing.assert_allclose(fast.iloc[i].to_numpy(), expected)


def test_the_future_changes_nothing_of_the_past():
    posts = stream()
    later = posts.assign(reactions=np.where(np.arange(200) >= 150, 1e6, posts.reactions))
    pd.testing.assert_frame_equal(author_past(posts)[:150], author_past(later)[:150])


def test_order_of_rows_does_not_matter():
    posts = stream()
    mixed = posts.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(author_past(mixed).sort_index(), author_past(posts))


def test_known_before_counts_no_post_of_the_same_moment():
    day = pd.to_datetime(["2024-01-01"] * 3 + ["2024-01-02"])
    assert known_before(day, "0D").tolist() == [0, 0, 0, 3]
    assert known_before(day).tolist() == [0, 0, 0, 3]


SHORT = pd.DataFrame({q: [1.0, 2.0] for q in LEVELS})
ERRORS = {
    "there is no forecast to judge": lambda: compare([1], {}),
    "the forecast 'a' has no quantile 0.9": lambda: compare([1, 2], {"a": SHORT.drop(columns=0.9)}),
    "the forecast 'b' has 1 rows, and there are 2 counts": lambda: compare([1, 2], {"a": SHORT, "b": SHORT[:1]}),
    "there is no post that all forecasts speak of": lambda: compare([1, 2], {"a": SHORT * np.nan}),
    "there are 2 rows; counts of shape (3,) do not fit": lambda: compare([1, 2, 3], {"a": SHORT}),
    "row 1: 0.5 is no count": lambda: log_scores([1, 0.5], [1, 1]),
    "kind='quantil': did you mean 'quantile'?": lambda: residuals([1], [1.0], kind="quantil"),
    "window=3: at least 10 earlier posts": lambda: author_past(stream(), window=3),
    "the posts have no column 'likes'": lambda: author_past(stream(), "likes"),
    "posts have to stand in order of time": lambda: known_before(pd.to_datetime(["2024-01-02", "2024-01-01"])),
    "delay='soon' is no span of time": lambda: known_before(pd.to_datetime(["2024-01-02"]), "soon"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


def test_share_covered_has_wilsons_interval():
    assert covered([1, 2, 3, 4], [1, 2, 3, 9], [1, 2, 3, 9]).value == 0.75
