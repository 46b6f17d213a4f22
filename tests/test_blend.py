"""Blend: a weighted sum in units of each model's spread, with reasons that add up."""

from __future__ import annotations

import numpy as np
import pytest

from smlab.blend import Blend
from smlab.checks import UsageError
from smlab.graph_ridge import GraphRidge
from smlab.implicit_factors import IALS
from smlab.neighbors import EASE, ItemKNN
from tests.test_implicit_factors import checkerboard


def test_scores_are_the_weighted_sum_in_units_of_spread():
    X = checkerboard()
    ease, near = EASE(reg=5).fit(X), ItemKNN(k=5).fit(X)
    blend = Blend({"a": EASE(reg=5), "b": ItemKNN(k=5)}, weights={"b": 0.5}).fit(X)
    a, b = ease.scores(), near.scores()
    np.testing.assert_allclose(blend.scores(), a / a.std() + 0.5 * b / b.std(), rtol=1e-6, atol=1e-9)


def test_one_model_alone_ranks_as_itself_and_reasons_add_up():
    X = checkerboard()
    blend = Blend({"a": EASE(reg=5)}).fit(X)
    np.testing.assert_array_equal(blend.recommend([1, 2], k=4)[0], EASE(reg=5).fit(X).recommend([1, 2], k=4)[0])
    assert sum(value for _, value in blend.explain(1, 7)) == pytest.approx(blend.scores([1])[0, 7], abs=1e-9)


def test_reasons_of_factors_and_ridge_add_up_when_choices_have_confidences():
    X = checkerboard()
    X.data = 0.4 + np.random.default_rng(0).random(X.nnz)
    blend = Blend({"iALS": IALS(n_factors=4, device="cpu"), "ridge": GraphRidge(reg=1)}, weights={"ridge": 0.6}).fit(X)
    for user, item in ((1, 7), (4, 7), (39, 0)):
        score = blend.scores([user])[0, item]
        assert sum(value for _, value in blend.explain(user, item)) == pytest.approx(score, rel=1e-3, abs=1e-4)
    np.testing.assert_allclose(blend.scores([3], user_items=X), blend.scores([3]), atol=1e-4)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"c": 1}, "weights name 'c'; the models are a"),
        ({"a": -1}, "must be finite and 0 or more"),
        ({"a": 0}, "above"),
    ],
)
def test_wrong_weights_are_a_sentence(weights, sentence):
    with pytest.raises(UsageError, match=sentence):
        Blend({"a": EASE()}, weights=weights)
