"""Ready-made splits become frames, or an error that says file, row, column, value and rule."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import datasets
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError
from smlab.splitfiles import read_parts

ROOT = Path(__file__).resolve().parent.parent
LINES = {"train": b"0 4 1\n7 1\n3 2 0 4\n", "test": b"0 2\n7\n3 1 5\n"}
QUADS = {
    "train": b"0\t4\t5\t100\n0\t1\t3\t101\n1\t2\t4\t102\n",
    "test": b"0\t2\t4\t110\n1\t0\t1\t111\n",
    "negatives": b"(0,2)\t3\t5\n(1,0)\t4\t3\n",
}
NAMES = {"train": "x.train.rating", "test": "x.test.rating", "negatives": "x.test.negative"}


def members(folder: Path, parts: dict[str, bytes]) -> dict[str, Member]:
    for part, data in parts.items():
        (folder / NAMES[part]).write_bytes(data)
    return {part: Member(folder / NAMES[part]) for part in parts}


def test_lines_become_pairs_and_a_user_may_have_no_test(tmp_path):
    parts = read_parts(members(tmp_path, LINES), "lightgcn")
    assert parts.train.to_dict("list") == {"user": [0, 0, 7, 3, 3, 3], "item": [4, 1, 1, 2, 0, 4]}
    assert parts.test.to_dict("list") == {"user": [0, 3, 3], "item": [2, 1, 5]}
    assert (parts.negatives, parts.numbers) == (None, None) and set(map(str, parts.train.dtypes)) == {"int64"}


def test_line_ends_and_blanks_at_the_end_change_nothing(tmp_path):
    plain = read_parts(members(tmp_path, LINES), "lightgcn").train
    for data in (LINES["train"].replace(b"\n", b"\r\n"), LINES["train"].replace(b"\n", b" \n"), LINES["train"][:-1]):
        pd.testing.assert_frame_equal(read_parts(members(tmp_path, LINES | {"train": data}), "lightgcn").train, plain)


def test_quadruples_and_their_negatives_stay_side_by_side(tmp_path):
    parts = read_parts(members(tmp_path, QUADS), "ncf")
    assert parts.train[["user", "item", "rating"]].to_dict("list") == {
        "user": [0, 0, 1], "item": [4, 1, 2], "rating": [5.0, 3.0, 4.0],
    }  # fmt: skip
    assert parts.test["time"].iloc[0] == pd.Timestamp(110, unit="s", tz="UTC")
    np.testing.assert_array_equal(parts.negatives, [[3, 5], [4, 3]])


RATINGS = pd.DataFrame(
    {"user": [70, 70, 9, 9], "item": ["b", "a", "b", "c"], "rating": [5.0, 3.0, 4.0, 1.0],
     "time": pd.to_datetime([100, 101, 102, 111], unit="s", utc=True).astype("datetime64[ns, UTC]")}
)  # fmt: skip


def test_without_a_training_file_it_is_the_ratings_less_those_held_out(tmp_path):
    """NCF numbers users in the order of their ids and items as they come: user 9 is 0, item c is 2."""
    held_out = {"test": b"0\t2\t1\t111\n1\t1\t3\t101\n", "negatives": b"(0,2)\t1\n(1,1)\t2\n"}
    parts = read_parts(members(tmp_path, held_out), "ncf", RATINGS)
    assert parts.train[["user", "item"]].to_dict("list") == {"user": [1, 0], "item": [0, 0]}
    assert parts.numbers == {"user": {9: 0, 70: 1}, "item": {"b": 0, "a": 1, "c": 2}}
    with pytest.raises(DataAbsent, match="there is no NAME.train.rating beside it; name the ratings"):
        read_parts(members(tmp_path, held_out), "ncf")
    with pytest.raises(DataError, match=r"row 2, column 'user, item': \(1, 0\) is not among the ratings"):
        read_parts(members(tmp_path, held_out | {"test": b"0\t2\t1\t111\n1\t0\t3\t101\n"}), "ncf", RATINGS)


WRONG: dict[str, tuple[str, str, bytes, str]] = {
    "no number": ("lightgcn", "train", b"0 4\n1 x\n", "row 2: 'x' must be whole numbers, a user and the items"),
    "a fraction": ("lightgcn", "train", b"0 4.0\n", "row 1: '4.0' must be whole"),
    "an empty line": ("lightgcn", "train", b"0 4\n\n1 2\n", "row 2: '' must be whole"),
    "a user twice": ("lightgcn", "train", b"0 4\n1 2\n0 3\n", "row 3, column 'user': 0 has row 1 already"),
    "an item twice": ("lightgcn", "train", b"0 4 1 4\n", "row 1, column 'user, item': (0, 4) stands in the file"),
    "known already": ("lightgcn", "test", b"7\n0 2 4\n", "row 2, column 'user, item': (0, 4) is in the training"),
    "no item at all": ("lightgcn", "test", b"0\n7\n", "names users and no items"),
    "empty": ("lightgcn", "test", b"", "is empty"),
    "three columns": ("ncf", "test", b"0\t2\t4\n1\t0\t1\n", "row 1: '0\\t2\\t4' must have 4 columns"),
    "no id": ("ncf", "test", b"0\t2\t4\t1\n-1\t0\t1\t1\n", "row 2, column 'user': '-1'"),
    "a pair twice": ("ncf", "test", b"0\t2\t4\t1\n0\t2\t1\t2\n", "row 2, column 'user, item': (0, 2) stands in"),
    "tested and known": ("ncf", "test", b"0\t4\t4\t1\n1\t0\t1\t1\n", "row 1, column 'user, item': (0, 4) is in"),
    "too few rows": ("ncf", "negatives", b"(0,2)\t3\n", "must have a row for each of the 2 of the test, has 1"),
    "another pair": ("ncf", "negatives", b"(0,2)\t3\n(1,9)\t4\n", "row 2, column '(user,item)': '(1,9)' must be (1,0)"),
    "no item": ("ncf", "negatives", b"(0,2)\t3\t5\n(1,0)\t4\tq\n", "row 2, column 'negative 1': 'q' must be"),
    "another width": ("ncf", "negatives", b"(0,2)\t3\t5\n(1,0)\t4\n", "row 2: '(1,0)\\t4' must have 3 columns"),
    "had already": ("ncf", "negatives", b"(0,2)\t3\t5\n(1,0)\t4\t2\n", "row 2, column 'negative 1': 2 is an item that"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_broken_rule_is_an_error_with_its_address(case, tmp_path):
    format_, part, data, said = WRONG[case]
    good = LINES if format_ == "lightgcn" else QUADS
    with pytest.raises(DataError, match=re.escape(NAMES[part]) + ".*" + re.escape(said)):
        read_parts(members(tmp_path, good | {part: data}), format_)


def test_the_sample_is_split_user_by_user():
    located = datasets.locate_or_fetch("gowalla", None, offline=True)
    parts = read_parts(located.files, located.format)
    assert (located.format, parts.train["user"].nunique(), parts.test["user"].nunique()) == ("lightgcn", 160, 160)
    share = len(parts.test) / (len(parts.test) + len(parts.train))
    assert 0.17 < share < 0.2
