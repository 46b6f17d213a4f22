"""Ridge on the graph: the same by both ways, a known limit, planted tastes."""

from __future__ import annotations

import numpy as np
import pytest

from smlab import graph_ridge
from smlab.checks import UsageError
from smlab.graph_ridge import GraphRidge
from tests.test_implicit_factors import checkerboard


def test_many_items_are_scored_as_few_are(monkeypatch):
    X = checkerboard()
    dense = GraphRidge(reg=0.5).fit(X)
    monkeypatch.setattr(graph_ridge, "DENSE", 0)
    sparse_way = GraphRidge(reg=0.5, tolerance=1e-7).fit(X)
    np.testing.assert_allclose(sparse_way.scores(), dense.scores(), atol=1e-4)
    assert sparse_way.explain(3, 7)[0][1] == pytest.approx(dense.explain(3, 7)[0][1], abs=1e-4)


def test_for_a_great_penalty_it_walks_three_steps_on_the_graph():
    X = checkerboard()
    A = X.toarray()
    users, items = A.sum(axis=1), A.sum(axis=0)
    walk = A / items**0.5 @ ((A / users[:, None] ** 0.5 / items**0.5).T @ (A / users[:, None] ** 0.5 / items**0.5))
    far = GraphRidge(reg=1e6, alpha=0.5, beta=0.5, gamma=0.0).fit(X).scores() * 1e6
    np.testing.assert_allclose(far, walk, rtol=1e-3)


@pytest.mark.parametrize(("settings", "sentence"), [({"reg": 0}, "reg=0 must be"), ({"beta": 2}, "beta=2 must lie")])
def test_wrong_settings_are_a_sentence(settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        GraphRidge(**settings)
