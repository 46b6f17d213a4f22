"""Who got which arm: numbers of arms, chances known and estimated, and the transformed outcome's mean."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab.assignment import assignment, propensities, transformed
from smlab.checks import UsageError

ARMS = ["none", "mens", "womens"] * 20


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_mean_of_the_transformed_outcome_is_the_mean_effect(share):
    rng = np.random.default_rng(0)
    w, y = (rng.random(500) < share).astype(int), rng.normal(size=500)
    Z = transformed(y, w, w.mean())
    assert Z.mean() == pytest.approx(y[w == 1].mean() - y[w == 0].mean())


def test_arms_are_numbered_from_the_control():
    who = assignment(np.zeros(60), ARMS, control="none")
    assert who.arms == ["none", "mens", "womens"] and who.code[:3].tolist() == [0, 1, 2]
    assert assignment([0, 1], [1.0, 0.0]).code.tolist() == [1, 0]


def test_chances_by_share_by_name_by_row_and_estimated():
    who = assignment(np.zeros(60), ARMS, control="none")
    np.testing.assert_allclose(propensities(who), 1 / 3)
    named = propensities(who, {"none": 0.5, "mens": 0.2, "womens": 0.3})
    np.testing.assert_allclose(named[7], [0.5, 0.2, 0.3])
    np.testing.assert_allclose(propensities(who, named), named)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 1))
    e = 1 / (1 + np.exp(-1.5 * x[:, 0]))
    drawn = assignment(np.zeros(20_000), (rng.random(20_000) < e).astype(int))
    assert np.abs(propensities(drawn, "estimate", x)[:, 1] - e).mean() < 0.01
    np.testing.assert_allclose(propensities(drawn, e)[:, 1], e)


@pytest.mark.parametrize(
    ("y", "arm", "control", "text"),
    [
        ([1, 0], ["a", "b"], None, "treated must be 0 or 1, or the control be named; found 'a', 'b'"),
        ([1, 0], [0, 2], None, "treated must be 0 or 1, or the control be named; found 0, 2"),
        ([1, 0], ["a", "b"], "c", "the control 'c' has no row; found 'a', 'b'"),
        ([1, 0], [1, 1], None, "the control 0 has no row; found 1"),
        ([1, 0], [0, 0], None, "only the control 0 has rows; an effect needs another arm"),
        ([1, np.nan], [0, 1], None, "row 1: the outcome nan is not finite"),
        ([1, 0], [0, np.nan], None, "row 1 has no arm"),
        ([1, 0, 1], [0, 1], None, "y has shape (3,), arm 2 rows"),
    ],
)
def test_bad_rows_are_refused_in_a_sentence(y, arm, control, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        assignment(y, arm, control)


@pytest.mark.parametrize(
    ("propensity", "text"),
    [
        (0.0, "a propensity of 0 must lie between 0 and 1"),
        ([0.5, 1.0], "a propensity of 1 must lie between 0 and 1"),
        ([0.5, np.nan], "a propensity of nan must lie between 0 and 1"),
        ({0: 0.3, 1: 0.3}, "the propensities of a row must sum to 1 over the arms"),
        ({"a": 1.0}, "propensity names ['a']; the arms are [0, 1]"),
        ([0.1, 0.2, 0.7], "propensity has shape (3,)"),
        ("guess", "propensity='guess'"),
        ("estimate", "it needs X"),
    ],
)
def test_bad_chances_are_refused_in_a_sentence(propensity, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        propensities(assignment([0, 1], [0, 1]), propensity)
