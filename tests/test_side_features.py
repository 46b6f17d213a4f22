"""Tables of users and items as zeros and ones."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.features import Vocab
from smlab.side_features import side_features

ITEMS = pd.DataFrame(
    {
        "item": [10, 11, 12, 13],
        "year": pd.array([1990, 1996, None, 1996], dtype="Int64"),
        "genres": ["Drama|War", "Comedy", "Drama|Drama", None],
    }
)


def test_words_are_parted_and_numbers_cut_into_classes():
    X = side_features(ITEMS, Vocab().fit([10, 11, 12, 13]), ["genres", "year"], n_bins=2).toarray()
    genres, years = X[:, :3], X[:, 3:]
    assert genres.tolist() == [[0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]  # Comedy, Drama, War
    assert years.sum(axis=1).tolist() == [1, 1, 0, 1]
    assert (years[1] == years[3]).all() and (years[0] != years[1]).any()


def test_rows_follow_the_vocabulary_whatever_the_order_of_the_table():
    vocab = Vocab().fit([9, 10, 12, 11, 13, 14])
    X = side_features(ITEMS, vocab, ["year", "genres"])
    shuffled = side_features(ITEMS.sample(frac=1, random_state=1), vocab, ["year", "genres"])
    np.testing.assert_array_equal(X.toarray(), shuffled.toarray())
    assert X.shape[0] == 6 and X[[0, 5]].nnz == 0
    few = side_features(ITEMS, Vocab().fit([12]), ["genres"])
    assert few.toarray().tolist() == [[1.0]]


def test_many_numbers_share_the_classes_evenly():
    table = pd.DataFrame({"user": range(1000), "age": np.random.default_rng(0).normal(40, 10, 1000)})
    X = side_features(table, Vocab().fit(table.user), ["age"], n_bins=8)
    assert X.shape == (1000, 8)
    assert X.sum(axis=0).tolist() == [125] * 8


ERRORS = {
    "the table has no column 'genre': did you mean 'genres'?": ["year", "genre"],
    "columns is empty; the table has item, year, genres": [],
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_names_the_column(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        side_features(ITEMS, Vocab().fit([10]), ERRORS[text])
