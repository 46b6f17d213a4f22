"""Files in libFM's form become a frame of fields, quickly or exactly the same, or an error that says where."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab.archives import Member
from smlab.checks import DataError
from smlab.libfm import read_libfm

ROOT = Path(__file__).resolve().parent.parent
TRAIN = b"1 0:1 5:1 7:1\n-1 3:1 6:1 7:1\n0 0:1 6:1 9:1\n"
TEST = b"-1 1:1 5:1 8:1\n"


def members(folder: Path, **parts: bytes) -> dict[str, Member]:
    for name, data in parts.items():
        (folder / f"x.{name}.libfm").write_bytes(data)
    return {name: Member(folder / f"x.{name}.libfm") for name in parts}


@pytest.mark.parametrize("quick", [True, False])
def test_rows_become_click_fields_and_split(quick, tmp_path):
    log = read_libfm(members(tmp_path, train=TRAIN, test=TEST), quick=quick)
    assert log.frame.to_dict("list") == {
        "click": [1, 0, 0, 0], "field_0": [0, 3, 0, 1], "field_1": [5, 6, 6, 5], "field_2": [7, 7, 9, 8],
        "split": ["train", "train", "train", "test"],
    }  # fmt: skip
    assert log.fields == ["field_0", "field_1", "field_2"] and "re-drawn" not in log.note
    assert [str(t) for t in log.frame.dtypes] == ["int64"] * 4 + ["str"]


@pytest.mark.parametrize("quick", [True, False])
def test_line_ends_byte_order_mark_and_last_line_change_nothing(quick, tmp_path):
    plain = read_libfm(members(tmp_path, train=TRAIN)).frame
    for data in (TRAIN.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + TRAIN, TRAIN.rstrip(b"\n"), TRAIN + b"\n"):
        pd.testing.assert_frame_equal(read_libfm(members(tmp_path, train=data), quick=quick).frame, plain)


def test_frappe_has_names_for_its_fields_and_a_reconstruction_is_said(tmp_path):
    sample = ROOT / "data" / "sample" / "frappe"
    files = {part: Member(sample / f"frappe.{part}.libfm") for part in ("train", "validation", "test")}
    log = read_libfm(files, "frappe")
    assert log.fields[:3] == ["user", "item", "daytime"] and len(log.fields) == 10
    assert log.frame["split"].value_counts().to_dict() == {"train": 700, "validation": 200, "test": 100}
    assert "not a finding" in log.note and "re-drawn" not in log.note
    renamed = tmp_path / "frappe.train.RECON.libfm"
    renamed.write_bytes(files["train"].read())
    assert read_libfm(files | {"train": Member(renamed)}, "frappe").note.endswith("re-drawn train negatives.")


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (TRAIN.replace(b"-1 3", b"2 3"), TEST, "row 2, column 'label': '2' must be 1 for a click, -1 or 0 for none"),
        (TRAIN.replace(b"9:1", b"9:2"), TEST, "row 3, column 'field 2': '9:2' must have the value 1, one-hot"),
        (TRAIN.replace(b"9:1", b"9:"), TEST, "row 3, column 'field 2': '9:' must be NUMBER:1"),
        (TRAIN.replace(b"9:1", b"-9:1"), TEST, "column 'field 2': '-9:1' must be NUMBER:1"),
        (TRAIN.replace(b"9:1", b"99999999999:1"), TEST, "must be NUMBER:1, the number below a billion"),
        (TRAIN.replace(b" 9:1", b""), TEST, "row 3: '0 0:1 6:1' must have 3 fields as row 1 has, has 2"),
        (TRAIN.replace(b" 9:1", b" 9:1 "), TEST, "must have 3 fields as row 1 has, has 4"),
        (
            TRAIN.replace(b"3:1 6:1", b"6:1 3:1"),
            TEST,
            "column 'field 1': 3 stands in field 0 elsewhere|stands in field",
        ),
        (TRAIN, b"1 7:1 5:1 8:1\n", "x.test.libfm, row 1, column 'field 2'|stands in field"),
        (TRAIN, b"1 1:1 5:1\n", "x.test.libfm, row 1: must have 3 fields as x.train.libfm has, has 2"),
        (b"", TEST, "is empty"),
        (b"hello\n", TEST, "must be a label and NUMBER:1 for each field"),
        (TRAIN + b"\n1 0:1 5:1 7:1\n", TEST, "row 4: '' must have 3 fields"),
        (b"\xff" + TRAIN, TEST, "is not UTF-8"),
    ],
)
def test_broken_rule_is_named_both_ways(train, test, sentence, tmp_path):
    said = []
    for quick in (True, False):
        with pytest.raises(DataError, match=sentence.replace("(", r"\(")) as caught:
            read_libfm(members(tmp_path, train=train, test=test), quick=quick)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_how_many_more_rows_break_the_rule_is_said(tmp_path):
    data = TRAIN.replace(b"0:1", b"0:3").replace(b"3:1 ", b"3:3 ")
    sentence = "row 1, column 'field 0': '0:3' must have the value 1, one-hot (and 2 more rows)"
    with pytest.raises(DataError, match=re.escape(sentence)):
        read_libfm(members(tmp_path, train=data))


def test_damaged_files_give_the_same_frame_or_error_quick_and_exact(tmp_path):
    """500 files, each with one to three harms."""
    rng, outcomes = np.random.default_rng(0), {"frame": 0, "error": 0}
    odd = [
        b"",
        b" ",
        b":",
        b"-1",
        b"1",
        b"\n",
        b"\r",
        b"\r\n",
        b"x",
        b"0",
        b"\xff",
        b"5:1",
        b" 5:1",
        b"\t",
        b"1e3",
        b"+",
    ]
    for _ in range(500):
        data = TRAIN * 3
        for _ in range(int(rng.integers(1, 4))):
            at, cut = int(rng.integers(0, len(data) + 1)), int(rng.integers(0, 3))
            data = data[:at] + odd[int(rng.integers(0, len(odd)))] + data[at + cut :]
        said = []
        for quick in (True, False):
            try:
                frame = read_libfm(members(tmp_path, train=data), quick=quick).frame
                assert frame["click"].isin([0, 1]).all() and (frame.iloc[:, :-1] >= 0).all(axis=None) and len(frame)
                said.append(frame.to_csv())
            except DataError as error:
                assert error.row is None or 1 <= error.row <= data.count(b"\n") + 1
                said.append(str(error))
        assert said[0] == said[1], data
        outcomes["frame" if said[0].startswith(",click") else "error"] += 1
    assert min(outcomes.values()) > 10, outcomes
