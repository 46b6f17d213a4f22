"""Beliefs about two rates: Miller's sum, closed forms, calibration, priors from the past, Bayes' rule as corrected."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import betaln

from smlab import bayesab
from smlab.checks import UsageError
from smlab.pooling import pool


def miller(a, b):
    """P(p_B > p_A) by the sum of Miller (2015), Formulas for Bayesian A/B testing, eq. 6; whole numbers only."""
    i = np.arange(int(b[0]))
    return np.exp(betaln(a[0] + i, b[1] + a[1]) - np.log(b[1] + i) - betaln(1 + i, b[1]) - betaln(*a)).sum()


def past(seed, n, size=10_000, alpha=12.0, beta=228.0):
    """Draw pairs of rates around 5 %, and the clicks of n people each."""
    rng = np.random.default_rng(seed)
    p = rng.beta(alpha, beta, (size, 2))
    return p, rng.binomial(n, p)


@pytest.mark.parametrize(
    "counts", [(0, 0, 0, 0), (120, 1000, 140, 1000), (4, 1000, 49, 8000), (1, 3, 4000, 9000), (0, 8, 29, 32)]
)
def test_probability_to_be_better_is_millers_sum(counts):
    found = bayesab.beliefs(*counts)
    assert found.better == pytest.approx(miller(found.a, found.b), abs=1e-9)


@pytest.mark.parametrize("prior", [(0.5, 0.5), (0.1, 0.1), (0.1, 80.0), (3.5, 0.2), (1e6, 1e7)])
def test_equal_beliefs_are_even_and_cost_alike(prior):
    found = bayesab.beliefs(0, 0, 0, 0, prior=prior)
    assert found.better == pytest.approx(0.5, abs=1e-9)
    assert found.loss_keep == pytest.approx(found.loss_ship, abs=1e-9)


def test_losses_differ_by_the_difference_of_means_and_fit_draws():
    found = bayesab.beliefs(120, 1000, 140, 1000)
    mean, low, high = found.difference()
    assert found.loss_keep - found.loss_ship == pytest.approx(mean, abs=1e-12)
    rng = np.random.default_rng(0)
    d = rng.beta(141, 861, 400_000) - rng.beta(121, 881, 400_000)
    assert found.loss_ship == pytest.approx(np.maximum(-d, 0).mean(), abs=1e-5)
    assert (low, high) == pytest.approx(tuple(np.quantile(d, [0.025, 0.975])), abs=2e-4)


def test_exchanging_the_arms_exchanges_the_beliefs():
    one, two = bayesab.beliefs(30, 900, 50, 1000), bayesab.beliefs(50, 1000, 30, 900)
    assert one.better + two.better == pytest.approx(1, abs=1e-12)
    assert (one.loss_keep, one.loss_ship) == pytest.approx((two.loss_ship, two.loss_keep), abs=1e-12)


def test_many_experiments_at_once_are_each_alone():
    _, k = past(0, 500, size=20)
    found = bayesab.beliefs(k[:, 0], 500, k[:, 1], 500)
    alone = bayesab.beliefs(k[7, 0], 500, k[7, 1], 500)
    assert found.better[7] == pytest.approx(alone.better, abs=1e-10)
    assert found.loss_ship[7] == pytest.approx(alone.loss_ship, abs=1e-10)
    assert [x[7] for x in found.difference()] == pytest.approx(alone.difference(), abs=1e-8)


def test_with_the_right_prior_probabilities_and_intervals_hold_what_they_say():
    p, k = past(0, 1000)
    found = bayesab.beliefs(k[:, 0], 1000, k[:, 1], 1000, prior=(12.0, 228.0))
    truth = p[:, 1] > p[:, 0]
    for low in (0.5, 0.7, 0.9):
        said = (found.better >= low) & (found.better < low + 0.1)
        assert truth[said].mean() == pytest.approx(found.better[said].mean(), abs=0.035)
    _, low, high = bayesab.credible(*found.a)
    assert ((low <= p[:, 0]) & (p[:, 0] <= high)).mean() == pytest.approx(0.95, abs=0.007)


def test_interval_of_the_difference_holds_it():
    p, k = past(4, 1000, size=1000)
    found = bayesab.beliefs(k[:, 0], 1000, k[:, 1], 1000, prior=(12.0, 228.0))
    _, low, high = found.difference()
    d = p[:, 1] - p[:, 0]
    assert ((low <= d) & (d <= high)).mean() == pytest.approx(0.95, abs=0.015)


def test_choice_by_expected_loss_costs_what_it_says_with_the_right_prior_only():
    """A flat prior thinks little of small losses among rates that lie close together; pooling the past mends it."""
    p, k = past(1, 200, size=6000, alpha=36.0, beta=684.0)
    history = np.random.default_rng(2).beta(36, 684, 400)
    pooled = pool(np.random.default_rng(3).binomial(2000, history), np.full(400, 2000))

    def excess(prior):
        """How much more the choices cost than was said, in standard errors."""
        found = bayesab.beliefs(k[:, 0], 200, k[:, 1], 200, prior=prior)
        ship = found.choose(0.002) == "ship"
        more = np.maximum(p[ship, 0] - p[ship, 1], 0) - found.loss_ship[ship]
        return more.mean() / (more.std() / np.sqrt(len(more)))

    assert abs(excess((36.0, 684.0))) < 3 and abs(excess((float(pooled.alpha), float(pooled.beta)))) < 3
    assert excess((1.0, 1.0)) > 3


def test_looking_at_every_step_does_not_break_the_promise_of_the_loss():
    """Stopping at the first look that promises a loss below the threshold: on average it is what was promised."""
    rng = np.random.default_rng(4)
    p = rng.beta(12, 228, (1500, 2))
    k = rng.binomial(200, p[:, None, :], (1500, 12, 2)).cumsum(axis=1)
    n = 200 * np.arange(1, 13)
    found = bayesab.beliefs(k[..., 0], n, k[..., 1], n, prior=(12.0, 228.0))
    choice = found.choose(0.001)
    stopped = (choice != "go on").any(axis=1)
    at = (choice != "go on").argmax(axis=1)[stopped]
    row = np.flatnonzero(stopped)
    said = np.minimum(found.loss_keep, found.loss_ship)[row, at]
    gap = p[row, 1] - p[row, 0]
    true = np.maximum(np.where(choice[row, at] == "ship", -gap, gap), 0)
    assert true.mean() == pytest.approx(said.mean(), rel=0.15) and said.max() < 0.001


def test_choice_is_the_lesser_loss_or_go_on():
    assert bayesab.beliefs(100, 2000, 150, 2000).choose(0.001) == "ship"
    assert bayesab.beliefs(150, 2000, 100, 2000).choose(0.001) == "keep"
    assert bayesab.beliefs(10, 200, 11, 200).choose(0.001) == "go on"
    a, b = bayesab.beliefs(100, 2000, 150, 2000).rates()
    assert a.low < 0.05 < a.high and b.low < 0.075 < b.high


def test_article_is_seen_with_46_in_100_and_who_sees_it_likes_the_topic_with_39():
    """Correction 11: the article prints 0.54 and 0.35, and calls P(article | like) what is P(like | article)."""
    prior, likelihood = {"like": 0.6, "not": 0.4}, {"like": 0.3, "not": 0.7}
    seen = sum(prior[s] * likelihood[s] for s in prior)
    posterior = bayesab.bayes_rule(prior, likelihood)
    assert seen == pytest.approx(0.46) and posterior["like"] == pytest.approx(0.18 / 0.46)
    assert round(posterior["like"], 3) == 0.391
    assert posterior["like"] != pytest.approx(likelihood["like"])  # .391 is not .3: the two must not be swapped
    back = bayesab.bayes_rule({"article": 0.46, "none": 0.54}, {"article": posterior["like"], "none": 0.42 / 0.54})
    assert back["article"] == pytest.approx(likelihood["like"])  # Bayes' rule once more gives P(article | like)


def test_bayes_rule_is_what_counting_says():
    rng = np.random.default_rng(0)
    like = rng.random(200_000) < 0.6
    article = rng.random(200_000) < np.where(like, 0.3, 0.7)
    assert article.mean() == pytest.approx(0.46, abs=0.005)
    assert like[article].mean() == pytest.approx(0.391, abs=0.005) and article[like].mean() == pytest.approx(
        0.3, abs=0.005
    )


ERRORS = {
    "clicks_b=90 of n_b=70 cannot be": lambda: bayesab.beliefs(4, 80, 90, 70),
    "clicks_a=-1 of n_a=80 cannot be": lambda: bayesab.beliefs(-1, 80, 9, 70),
    "clicks_a=nan of n_a=80 cannot be": lambda: bayesab.beliefs(np.nan, 80, 9, 70),
    "clicks_a and n_a must be numbers": lambda: bayesab.beliefs("few", 80, 9, 70),
    "prior=(0, 1): both must be 0.1 or more": lambda: bayesab.beliefs(4, 80, 9, 70, prior=(0, 1)),
    "threshold=0 must be above 0": lambda: bayesab.beliefs(4, 80, 9, 70).choose(0),
    "level=95 must lie between 0 and 1": lambda: bayesab.credible(1, 1, level=95),
    "prior of 'like' is 60; a probability lies": lambda: bayesab.bayes_rule({"like": 60}, {"like": 0.1}),
    "the prior adds up to 0.9": lambda: bayesab.bayes_rule({"a": 0.6, "b": 0.3}, {"a": 0.1, "b": 0.1}),
    "they must be the same": lambda: bayesab.bayes_rule({"a": 0.6, "b": 0.4}, {"a": 0.1, "c": 0.1}),
    "no state allows what was seen": lambda: bayesab.bayes_rule({"a": 0.6, "b": 0.4}, {"a": 0, "b": 0}),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
