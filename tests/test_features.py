"""Ids, matrices and splits: what goes where, and that nothing is lost, repeated or changed on the way."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab import catalog, datasets
from smlab.checks import UsageError
from smlab.features import (
    Vocab,
    split_blocks,
    split_by_time,
    split_folds,
    split_leave_last_out,
    split_random,
    split_within,
    to_csr,
)


def ratings(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Distinct pairs of 30 users and 25 items with ratings and, on purpose, tied times."""
    rng = np.random.default_rng(seed)
    pair = rng.choice(30 * 25, n, replace=False)
    time = pd.to_datetime(rng.integers(0, 90, n), unit="D", utc=True)
    frame = pd.DataFrame({"user": pair // 25, "item": pair % 25, "rating": rng.integers(1, 6, n), "time": time})
    return frame.set_index(rng.permutation(n) + 1000)


SPLITS = {
    "within item": lambda frame: split_within(frame, by="item", seed=3),
    "within user": lambda frame: split_within(frame, by="user", seed=3),
    "random": lambda frame: split_random(frame, seed=3),
    "by time": split_by_time,
    "leave last out": split_leave_last_out,
    "fold": lambda frame: split_folds(frame, seed=3)[1],
}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_split_divides_the_rows_and_keeps_their_order_and_the_input(split):
    frame = ratings()
    before = frame.copy()
    train, test = split(frame)
    assert len(train) and len(test)
    assert pd.concat([train, test]).loc[frame.index].equals(before)
    assert train.index.equals(frame.index[frame.index.isin(train.index)])
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_split_is_the_same_each_time(split):
    assert split(ratings())[1].equals(split(ratings())[1])


@pytest.mark.parametrize("name", ["random", "by time", "fold"])
def test_split_does_not_depend_on_the_order_of_rows(name):
    frame = ratings()
    shuffled = frame.sample(frac=1, random_state=1)
    assert set(SPLITS[name](frame)[1].index) == set(SPLITS[name](shuffled)[1].index)


@pytest.mark.parametrize("split", [split_within, split_random], ids=["within", "random"])
def test_another_seed_is_another_split(split):
    assert not split(ratings(), seed=0)[1].equals(split(ratings(), seed=1)[1])


def stratified_split(data: pd.DataFrame, ratio: float, by: str, seed: int) -> pd.Index:
    """The rule of python_stratified_split, retold row by row: rank of the draw / number of rows <= ratio."""
    draws = np.random.RandomState(seed).rand(len(data))
    train = []
    for _, rows in pd.Series(draws, index=data.index).groupby(data[by]):
        train += [i for place, i in enumerate(rows.sort_values().index, 1) if place / len(rows) <= ratio]
    return pd.Index(train)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75])
@pytest.mark.parametrize("by", ["item", "user"])
def test_split_within_is_the_stratified_split_of_recommenders(share, by):
    frame = ratings()
    train, _ = split_within(frame, by=by, test_share=share, seed=42)
    assert set(train.index) == set(stratified_split(frame, 1 - share, by, 42))


def test_split_within_holds_out_the_only_rating_of_an_item():
    frame = pd.DataFrame({"user": range(9), "item": [1] * 8 + [2]})
    _, test = split_within(frame, by="item", test_share=0.25)
    assert test.item.value_counts().to_dict() == {1: 2, 2: 1}


def test_folds_test_every_row_once_and_are_of_equal_size():
    tests = [test for _, test in split_folds(ratings(403), n_folds=5, seed=1)]
    assert sorted(i for t in tests for i in t.index) == sorted(ratings(403).index)
    assert {len(t) for t in tests} == {80, 81}


def test_split_by_time_trains_on_the_past_only():
    train, test = split_by_time(ratings(), test_share=0.25)
    assert train.time.max() < test.time.min()
    assert len(train) >= 0.75 * 400 > (train.time < train.time.max()).sum()


def test_split_by_time_reads_whole_numbers_too():
    frame = pd.DataFrame({"user": [1, 2, 3, 4], "item": [1, 1, 1, 1], "time": [40, 10, 30, 20]})
    assert split_by_time(frame, test_share=0.5)[1].time.tolist() == [40, 30]


def test_leave_last_out_takes_the_last_of_each_user_and_the_later_row_of_ties():
    frame = pd.DataFrame({"user": [1, 1, 1, 2, 2, 3], "item": [1, 2, 3, 1, 2, 9], "time": [5, 9, 9, 7, 3, 1]})
    train, test = split_leave_last_out(frame)
    assert test[["user", "item"]].to_numpy().tolist() == [[1, 3], [2, 1]]
    assert 3 in set(train.user), "a user with one rating stays in the training part"
    assert split_leave_last_out(frame, n=2)[1].index.tolist() == [1, 2]


@pytest.mark.parametrize("ids", [[30, 10, 20, 10], ["周", "ann", "Ärger", "ann"], pd.Series(["b", "a", "c"])])
def test_vocab_numbers_sorted_ids_and_reads_them_back(ids):
    vocab = Vocab().fit(ids)
    assert vocab.decode(vocab.encode(ids)).tolist() == list(ids)
    assert vocab.encode(sorted(set(ids))).tolist() == list(range(len(vocab)))


def test_vocab_keeps_the_shape_of_lists():
    assert Vocab().fit(["x", "y"]).decode([[0, 1], [1, 1]]).tolist() == [["x", "y"], ["y", "y"]]


def test_csr_holds_what_was_put_in():
    frame = ratings()
    X = to_csr(frame.user, frame.item, frame.rating, shape=(30, 25))
    assert X.nnz == len(frame) and X.has_canonical_format and X.dtype == np.float32
    assert all(X[u, i] == r for u, i, r in zip(frame.user, frame.item, frame.rating, strict=True))


ERRORS = {
    "unknown id 7, 8, 9 and 1 more: not among the 1 ids": lambda: Vocab().fit([1]).encode([7, 8, 9, 10]),
    "an id is missing (NaN or None)": lambda: Vocab().fit(["a", None]),
    "ids must be of one type to have an order, not int, str": lambda: Vocab().fit([1, "a"]),
    "-1 is no number of this vocabulary; they go from 0 to 1": lambda: Vocab().fit([1, 2]).decode([0, -1]),
    "2 is no number of this vocabulary; they go from 0 to 1": lambda: Vocab().fit([1, 2]).decode([2]),
    "row 1: user 3 is outside 0..2": lambda: to_csr([0, 3], [0, 0], shape=(3, 3)),
    "row 0: item -1 is outside 0..2": lambda: to_csr([0, 1], [-1, 0], shape=(3, 3)),
    "row 2: user 0 with item 1 stands above already": lambda: to_csr([0, 1, 0], [1, 1, 1], shape=(3, 3)),
    "row 1: value nan is not finite": lambda: to_csr([0, 1], [1, 1], [1, np.nan], shape=(3, 3)),
    "users, items and values are 2, 1 and 2 long": lambda: to_csr([0, 1], [1], shape=(3, 3)),
    "test_share=25 must lie between 0 and 1": lambda: split_random(ratings(), test_share=25),
    "the split needs the column 'item'; the frame has user, film": lambda: split_within(
        pd.DataFrame({"user": [1], "film": [2]})
    ),
    "row 1, column 'time': missing": lambda: split_by_time(
        pd.DataFrame({"user": [1, 2], "item": [1, 2], "time": [1, np.nan]})
    ),
    "the test part of this split is empty: 1 ratings": lambda: split_random(ratings(1)),
    "n_folds=1: 10 ratings allow 2 to 10 folds": lambda: split_folds(ratings(10), n_folds=1),
    "n=0: at least one rating": lambda: split_leave_last_out(ratings(), n=0),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong_and_where(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


def test_blocks_in_order_hold_out_each_row_once():
    frame = pd.DataFrame({"user": range(10), "item": 0, "rating": 1.0})
    folds = split_blocks(frame, n_folds=4)
    assert [len(test) for _, test in folds] == [3, 3, 2, 2]
    assert pd.concat([test for _, test in folds]).index.tolist() == list(range(10))
    assert folds[0][1]["user"].tolist() == [0, 1, 2] and len(folds[0][0]) == 7
    shuffled = split_blocks(frame, n_folds=4, shuffle=0)
    order = np.arange(10)
    np.random.RandomState(0).shuffle(order)
    assert set(shuffled[0][1]["user"]) == set(order[:3])
    with pytest.raises(UsageError, match="n_folds=11: 10 ratings allow 2 to 10 folds"):
        split_blocks(frame, n_folds=11)


@pytest.mark.realdata
def test_first_block_of_movielens_is_the_canonical_u1():
    located = catalog.locate("ml-100k")
    file = located and located.path / "u1.test"
    if not (file and file.is_file()):
        pytest.skip("no u1.test beside u.data: set SMLAB_DATA to a folder with the official ml-100k")
    official = pd.read_csv(file, sep="\t", names=["user", "item", "rating", "time"])
    test = split_blocks(datasets.load("ml-100k").ratings)[0][1]
    pairs = {tuple(row) for row in official[["user", "item", "rating"]].to_numpy().tolist()}
    assert pairs == {tuple(row) for row in test[["user", "item", "rating"]].to_numpy().tolist()}
