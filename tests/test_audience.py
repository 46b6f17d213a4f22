"""The simulated audience follows its log-odds, its Shapley values are true, and the planted gap is where it is said."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from smlab import audience
from smlab.calibration import calibration_ratio, expected_calibration_error
from smlab.checks import DataError, UsageError
from smlab.ctr import LogisticRegression


@pytest.fixture(scope="module")
def crowd() -> audience.Audience:
    return audience.audience(40_000, seed=1, bias=0.4)


@pytest.fixture(scope="module")
def women(crowd):
    return (crowd.frame["gender"] == "female").to_numpy()


def test_fields_are_those_of_the_articles_and_two_more(crowd):
    assert crowd.frame.columns.tolist() == list(audience.COLUMNS)
    assert not crowd.frame.isna().any(axis=None) and crowd.frame["age"].between(18, 65).all()
    assert set(crowd.frame["location"]) == set(audience.LOCATION)
    assert 0.9 < crowd.frame["visits"].corr(crowd.frame["minutes"]) < 0.93


def test_truth_is_calibrated_and_so_is_what_was_recorded(crowd):
    for y, p in ((crowd.wanted, crowd.p), (crowd.y, crowd.recorded)):
        assert calibration_ratio(y, p) == pytest.approx(1, abs=0.02)
        assert expected_calibration_error(y, p) < 0.01


def test_shapley_values_add_up_to_the_log_odds(crowd):
    total = audience.average() + audience.shapley(crowd.frame).sum(axis=1)
    np.testing.assert_allclose(total, logit(crowd.p), atol=1e-12)
    np.testing.assert_allclose(audience.shapley(crowd.frame).mean(), 0, atol=0.02)


def test_shapley_values_are_those_of_the_definition():
    """Shapley's sum over all orders of the fields, absent fields drawn from 4,000 other people."""
    person = audience.audience(1, seed=7).frame.assign(interests="travel, music", location="city")
    others = audience.audience(4000, seed=8).frame
    fields = ["age", "location", "interests", "visits"]

    def value(known):
        mixed = others.assign(**{f: person[f].iloc[0] for f in known})
        return logit(audience.probability(mixed)).mean()

    worth = {known: value(known) for r in range(5) for known in map(frozenset, itertools.combinations(fields, r))}
    orders = list(itertools.permutations(fields))
    for field in fields:
        steps = [worth[frozenset(o[: o.index(field) + 1])] - worth[frozenset(o[: o.index(field)])] for o in orders]
        assert np.mean(steps) == pytest.approx(audience.shapley(person)[field].iloc[0], abs=0.05)


def test_effects_say_what_the_probability_does():
    base = pd.DataFrame(
        {"age": 30, "gender": "male", "location": "countryside", "interests": "none", "visits": 4, "minutes": 30},
        index=[0],
    )

    def step(a, b):
        return (logit(audience.probability(base.assign(**b))) - logit(audience.probability(base.assign(**a))))[0]

    effect = audience.effects()["effect"]
    assert step({}, {"location": "town"}) == pytest.approx(effect["location=town"])
    assert step({}, {"interests": "sport"}) == pytest.approx(effect["interests=sport"])
    assert step({}, {"visits": 5}) == pytest.approx(effect["visits"])
    assert step({"age": 10_000}, {}) == pytest.approx(effect["age"])
    assert step({}, {"gender": "female", "minutes": 90}) == effect["gender=male"] == effect["minutes"] == 0
    city = step({"location": "city"}, {"location": "city", "interests": "travel"})
    assert city - step({}, {"interests": "travel"}) == pytest.approx(effect["interests=travel × location=city"])


def test_bias_takes_its_share_from_equally_interested_women(crowd, women):
    wanted = crowd.wanted == 1
    assert crowd.y[wanted & women].mean() == pytest.approx(0.6, abs=0.02)
    assert (crowd.y[~women] == crowd.wanted[~women]).all() and (crowd.y <= crowd.wanted).all()
    assert crowd.wanted[women].mean() == pytest.approx(crowd.wanted[~women].mean(), abs=0.02)
    difference = crowd.y[~women].mean() - crowd.y[women].mean()
    assert difference == pytest.approx(crowd.gap_, abs=0.02)
    assert crowd.gap_ == pytest.approx(0.4 * crowd.p[women].mean())
    assert audience.audience(100, seed=1).gap_ == 0


def test_bias_changes_neither_people_nor_wishes(crowd):
    fair = audience.audience(40_000, seed=1)
    pd.testing.assert_frame_equal(fair.frame, crowd.frame)
    assert (fair.wanted == crowd.wanted).all() and (fair.y == fair.wanted).all()


def test_leaving_gender_out_does_not_mend_it_for_fashion_gives_it_away(crowd, women):
    """A model that never sees the gender still says less of those who name fashion, which has no effect."""
    X = audience.encode(crowd.frame).X.drop(columns="gender=male")
    p = LogisticRegression().fit(X.to_numpy(), crowd.y).predict_proba(X.to_numpy())
    fair = audience.audience(40_000, seed=1)
    q = LogisticRegression().fit(X.to_numpy(), fair.y).predict_proba(X.to_numpy())
    assert abs(q[women].mean() - q[~women].mean()) < 0.01
    assert p[~women].mean() - p[women].mean() > 0.015


def test_a_regression_on_the_encoded_columns_finds_the_main_effects(crowd):
    fair = audience.audience(40_000, seed=1)
    coded = audience.encode(fair.frame)
    X = coded.X.assign(age=np.exp(-0.5 * ((fair.frame["age"] - 30) / 8) ** 2))
    X["both"] = X["interests=travel"] * X["location=city"]
    theta = pd.Series(LogisticRegression().fit(X.to_numpy(), fair.y).theta_[1:], index=X.columns)
    effect = audience.effects()["effect"].rename({"interests=travel × location=city": "both"})
    assert (theta - effect).abs().drop("age").max() < 0.12
    assert theta["age"] == pytest.approx(2, abs=0.12)


def test_encoding_is_numbers_with_every_column_in_one_group(crowd):
    coded = audience.encode(crowd.frame.head(500))
    assert (coded.X.dtypes == "float64").all() and [c for g in coded.groups.values() for c in g] == list(coded.X)
    one = audience.encode(crowd.frame.iloc[[7]])
    pd.testing.assert_frame_equal(one.X, audience.encode(crowd.frame).X.iloc[[7]])


def test_bad_input_is_said_in_a_sentence(crowd):
    frame = crowd.frame.head(5)
    with pytest.raises(UsageError, match="n=0 must be 1 or more"):
        audience.audience(0)
    with pytest.raises(UsageError, match=r"bias=2 a share"):
        audience.audience(5, bias=2)
    with pytest.raises(UsageError, match="no column 'visits'"):
        audience.encode(frame.drop(columns="visits"))
    rule = "row 0, column 'location': 'moon' must be one of city, countryside, town (and 4 more rows)"
    with pytest.raises(DataError, match=re.escape(rule)):
        audience.probability(frame.assign(location="moon"))
    with pytest.raises(DataError, match="column 'interests': 'musik' must be names of music"):
        audience.shapley(frame.assign(interests="musik"))
    with pytest.raises(DataError, match="column 'age': nan must be a finite number"):
        audience.encode(frame.assign(age=np.nan))
