"""Columns from short queries: by hand, and the same twice."""

from __future__ import annotations

import numpy as np

from smlab.intentblocks import Extremes, OwnVectors, Spans
from smlab.wordvectors import WordVectors


def test_extremes_are_the_largest_and_smallest_of_the_known_words():
    block = Extremes(WordVectors(["a", "b"], np.array([[1.0, -2.0], [0.5, 3.0]])))
    assert block._numbers([], [["a", "b", "zzz"], [], ["b"]]).tolist() == [[1, 3, 0.5, -2], [0] * 4, [0.5, 3, 0.5, 3]]


def test_spans_cross_the_edges_of_words():
    assert "y b" in Spans(n=(3, 3), min_count=1).fit(["my balance"], []).names_


def test_own_vectors_are_learnt_from_the_training_queries_alone():
    tokens = [["cancel", "order"], ["cancel", "it"], ["where", "order"]] * 20
    a, b = (OwnVectors(n_factors=8, epochs=2).fit([], tokens) for _ in range(2))
    found = a.transform([], [["cancel"], ["unheard"], []])
    assert found.shape == (3, 8) == (3, len(a.names_))
    assert np.array_equal(found.toarray(), b.transform([], [["cancel"], ["unheard"], []]).toarray())
    assert sorted(a.vectors.words) == ["cancel", "it", "order", "where"]


def test_own_vectors_of_words_that_all_come_once():
    assert OwnVectors(n_factors=4, epochs=1).fit([], [["a", "b"], ["c", "d"]]).transform([], [["a"]]).shape == (1, 4)
