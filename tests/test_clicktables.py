"""Ad logs become tidy frames of clicks and fields, or an error that says file, row, column, value and rule."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import clicktables
from smlab.archives import Member
from smlab.checks import DataError, UsageError
from tests.test_datasets import damage

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"
OPEN_BANDIT = (SAMPLE / "open-bandit" / "random-all.csv").read_bytes().splitlines(keepends=True)
ITEMS = (SAMPLE / "open-bandit" / "random-all-items.csv").read_bytes()
FACEBOOK = (SAMPLE / "facebook-ads" / "KAG_conversion_data.csv").read_bytes().splitlines(keepends=True)
OWN = (
    b"click,User,ad,price,time,position,propensity,split\n"
    b"0,anna,7,1.5,1714557600,1,0.5,train\n1,ben,8,2,1714561200,2,0.25,train\n0,cy,7,1e2,1714561201,1,1,test\n"
)
COUNTS = b"ad,impressions,clicks,gender\n1,100,3,F\n2,50,0,M\n3,7,7,F\n"
LOGS: dict[str, tuple[str, bytes]] = {
    "open-bandit": ("open-bandit", b"".join(OPEN_BANDIT[:13])),
    "facebook-ads": ("facebook-ads", b"".join(FACEBOOK[:13])),
    "own": ("clicks-csv", OWN),
    "own counts": ("clicks-csv", COUNTS),
}


def read(folder: Path, name: str, data: bytes, items: bytes = ITEMS) -> clicktables.Log:
    (folder / "log.csv").write_bytes(data)
    (folder / "items.csv").write_bytes(items)
    role = "random/all" if name == "open-bandit" else "log"
    files = {role: Member(folder / "log.csv")}
    if name == "open-bandit":
        files["random/all-items"] = Member(folder / "items.csv")
    return clicktables.read(files, LOGS[name][0])


def assert_tidy(log: clicktables.Log) -> None:
    """The contract of a frame of clicks."""
    frame = log.frame
    assert isinstance(frame.index, pd.RangeIndex) and len(frame) and log.note.endswith((".", "?"))
    if "click" in frame:
        assert frame["click"].dtype == "int64" and frame["click"].isin([0, 1]).all()
    else:
        assert (frame["clicks"] <= frame["impressions"]).all() and (frame["impressions"] > 0).all()
    assert set(log.fields) <= set(frame.columns) and not set(log.fields) & {"click", "clicks", "impressions", "time"}
    for field in log.fields:
        assert str(frame[field].dtype) in ("int64", "float64", "str")
        if frame[field].dtype == "float64":
            assert np.isfinite(frame[field]).all()
    assert not frame.isna().any(axis=None)
    if "time" in frame:
        assert frame["time"].dtype == "datetime64[ns, UTC]" and frame["time"].dt.year.between(1970, 2100).all()
    if "propensity" in frame:
        assert frame["propensity"].between(0, 1, inclusive="right").all()


@pytest.mark.parametrize("name", LOGS)
def test_every_format_is_read_into_a_tidy_frame(name, tmp_path):
    data = LOGS[name][1]
    log = read(tmp_path, name, data)
    assert_tidy(log)
    for same in (codecs.BOM_UTF8 + data, data.replace(b"\n", b"\r\n"), data.rstrip(b"\n"), data + b"\n"):
        pd.testing.assert_frame_equal(read(tmp_path, name, same).frame, log.frame)


def test_open_bandit_has_items_features_propensity_and_the_affinity_of_what_was_shown(tmp_path):
    log = read(tmp_path, "open-bandit", b"".join(OPEN_BANDIT))
    assert len(log.frame) == 240 and (log.frame["propensity"] == 0.1).all()
    header = OPEN_BANDIT[0].decode().strip().split(",")
    for row, line in enumerate(OPEN_BANDIT[1:]):
        cells = dict(zip(header, line.decode().strip().split(","), strict=True))
        assert log.frame["affinity"][row] == float(cells[f"user-item_affinity_{cells['item_id']}"])
    assert log.frame["affinity"].sum() > 0
    first = ITEMS.decode().splitlines()[1 + log.frame["item"][0]].split(",")
    assert log.frame["item_feature_1"][0] == first[3] and log.frame["item_feature_0"][0] == float(first[2])
    assert f"{log.frame['click'].sum()} clicks in 240 rows" in log.note and "drawn at random" in log.note
    assert log.frame["time"].is_monotonic_increasing and "position" not in log.fields and "propensity" not in log.fields


def test_facebook_report_keeps_what_comes_afterwards_out_of_the_fields(tmp_path):
    log = read(tmp_path, "facebook-ads", b"".join(FACEBOOK))
    assert log.fields == ["campaign", "age", "gender", "interest"]
    assert {"spend", "conversions", "sales", "ad", "fb_campaign"} <= set(log.frame.columns) and len(log.frame) == 160


def test_own_log_finds_known_columns_by_name_and_takes_the_rest_for_fields(tmp_path):
    log = read(tmp_path, "own", OWN)
    assert log.fields == ["user", "ad", "price"]
    assert [str(log.frame[f].dtype) for f in log.fields] == ["str", "int64", "float64"]
    assert log.frame["split"].tolist() == ["train", "train", "test"] and log.frame["position"].tolist() == [1, 2, 1]
    counts = read(tmp_path, "own counts", COUNTS)
    assert counts.fields == ["ad", "gender"] and counts.frame["clicks"].tolist() == [3, 0, 7]


WRONG = [
    ("open-bandit", 3, 4, "2", "row 4, column 'click': '2' must be 0 or 1"),
    ("open-bandit", 3, 2, "77", "column 'item': '77' is not in items.csv"),
    ("open-bandit", 3, 5, "0", "column 'propensity': '0' must be above 0 and at most 1"),
    ("open-bandit", 3, 5, "1.5", "must be above 0 and at most 1"),
    ("open-bandit", 3, 3, "0", "column 'position': '0' must be from 1 to 100"),
    ("open-bandit", 3, 6, "", "column 'user_feature_0': '' must not be empty"),
    ("open-bandit", 3, 1, "2019-11-24", "column 'time': '2019-11-24' must be a time in UTC"),
    ("open-bandit", 3, 1, "2019-13-24 00:00:00+00:00", "must be a time in UTC"),
    ("open-bandit", 3, 1, "2019-11-24 00:00:00+09:00", "must be a time in UTC"),
    ("facebook-ads", 2, 6, "0", "row 3, column 'impressions': '0' must be above 0"),
    ("facebook-ads", 2, 7, "99999999", "column 'clicks': '99999999' must not be above the impressions"),
    ("facebook-ads", 2, 8, "-1.5", "column 'spend': '-1.5' must not be below 0"),
    ("facebook-ads", 2, 0, "700000", "column 'ad': '700000' is in an earlier row already"),
    ("facebook-ads", 2, 4, "", "column 'gender': '' must not be empty"),
    ("own", 1, 1, "", "row 2, column 'user': '' must not be empty"),
    ("own", 1, 4, "1714557600000", "column 'time': '1714557600000' must be seconds since 1970, before 2100"),
    ("own", 1, 7, "trian", "column 'split': 'trian' must be train or validation or test"),
    ("own", 1, 3, "1e400", "column 'price': '1e400' is too large a number|must be a finite"),
    ("own counts", 1, 2, "x", "column 'clicks': 'x' must be a whole number from 0"),
]


@pytest.mark.parametrize(("name", "line", "column", "value", "sentence"), WRONG)
def test_planted_value_is_named_with_its_row_and_column(name, line, column, value, sentence, tmp_path):
    lines = LOGS[name][1].splitlines()
    cells = lines[line].split(b",")
    cells[column] = value.encode()
    lines[line] = b",".join(cells)
    with pytest.raises(DataError, match="|".join(map(re.escape, sentence.split("|")))) as caught:
        read(tmp_path, name, b"\n".join(lines))
    assert (caught.value.row, caught.value.more) == (line + 1, 0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"user,ad\n1,2\n", "must have the column click, or the columns impressions and clicks, in its header, which"),
        (b"click,impressions,clicks\n1,2,1\n", "must have the column click, or the columns impressions and clicks"),
        (b"click,user,User\n1,2,1\n", "'user' is in the header more than once"),
        (b"click,user\n", "holds a header and no rows"),
        (b"", "is empty"),
    ],
)
def test_header_of_an_own_log_is_checked(data, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        read(tmp_path, "own", data)


def test_items_of_open_bandit_are_checked_too(tmp_path):
    data = LOGS["open-bandit"][1]
    with pytest.raises(DataError, match=r"items\.csv, row 3, column 'item': '0' is in an earlier row already"):
        read(tmp_path, "open-bandit", data, ITEMS.replace(b"\n1,1,", b"\n1,0,"))
    with pytest.raises(DataError, match=r"items\.csv, row 2, column 'item_feature_0': 'x' must be a finite number"):
        read(tmp_path, "open-bandit", data, ITEMS.replace(b"-1.0", b"x", 1))
    header, first, *_ = data.splitlines()
    cells = first.split(b",")
    cells[2] = b"3"
    lacking = header.replace(b"affinity_3", b"affinity_x") + b"\n" + b",".join(cells)
    with pytest.raises(DataError, match="'user-item_affinity_3' is no column of this file"):
        read(tmp_path, "open-bandit", lacking)


def test_variant_that_is_not_there_names_the_others(tmp_path):
    folder = SAMPLE / "open-bandit"
    roles = {"random/all": "random-all.csv", "random/all-items": "random-all-items.csv", "bts/all": "bts-all.csv"}
    files = {role: Member(folder / name) for role, name in roles.items()}
    with pytest.raises(UsageError, match="has no variant 'bts/al': did you mean 'bts/all'"):
        clicktables.read(files, "open-bandit", "bts/al", "open-bandit")
    with pytest.raises(DataError, match=r"must hold bts-all-items\.csv, too"):
        clicktables.read(files, "open-bandit", "bts/all")
    with pytest.raises(UsageError, match="facebook has no variant 'x': it is one whole"):
        clicktables.read({"log": Member(folder)}, "facebook-ads", "x", "facebook")


@pytest.mark.parametrize("name", LOGS)
def test_damaged_logs_give_a_tidy_frame_or_a_data_error(name, tmp_path):
    """4 formats x 150 files, each with one to three harms."""
    rng, outcomes = np.random.default_rng(list(LOGS).index(name)), {"frame": 0, "error": 0}
    for _ in range(150):
        data = LOGS[name][1]
        for _ in range(int(rng.integers(1, 4))):
            data = damage(data, b",", rng)
        try:
            assert_tidy(read(tmp_path, name, data))
            outcomes["frame"] += 1
        except DataError as error:
            assert error.row is None or 1 <= error.row <= data.count(b"\n") + 1
            outcomes["error"] += 1
    assert min(outcomes.values()) > 8, outcomes
