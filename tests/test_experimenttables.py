"""An experiment of one's own becomes arms with outcomes, or one sentence; Parquet is read as CSV is."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import experimenttables as tables
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, SmlabError
from smlab.experimenttables import Trial, open_any, read_own
from tests.test_datasets import damage

UNITS = (
    "User,Group,Converted,Revenue,after: returns,before: orders last year,before: city,notes\n"
    'u1,B,yes,"£1,204.50",1,12,Leeds,x\n'
    "u2,A,no,£0.00,0,3,York,\n"
    "u3,A,yes,£7.00,0,,n/a,\n"
    "u3,A,yes,£7.00,0,,n/a,\n"
    "u4,B,no,£0.00,0,0,York,\n"
    "u5,A,no,£0.00,0,1,York,\n"
    "u5,B,no,£0.00,0,1,York,\n"
    "u6,,no,£0.00,0,1,York,\n"
)
SUMS = "arm,n,successes\nred button,10021,561\nControl,10000,512\n"
MEANS = "arm;users;mean;sd\nA;1.000;12,5;4\nB;1.021;13,0;5\nC;7;12,9;0\n"
TESTS = "test,arm,impressions,clicks\nt1,Tea,100,7\nt1,More tea,90,3\nt2,Cake,50,0\n"


def assert_tidy(trial: Trial) -> None:
    """The contract of a trial, and of its account."""
    frame = trial.frame
    assert isinstance(frame.index, pd.RangeIndex) and frame.columns.is_unique
    assert trial.what in ("unit", "arm", "headline", "checkpoint")
    assert len(frame) + trial.dropped["rows"].sum() == trial.lines and trial.note.endswith(".")
    for name in trial.outcomes:
        assert frame[name].dtype == "float64" and np.isfinite(frame[name]).all()
    assert all(frame[name].dtype in ("str", "float64", "int64") for name in frame)
    assert set(trial.covariates) <= set(frame) and not set(trial.covariates) & set(trial.outcomes)
    if "arm" in frame:
        assert frame["arm"].dtype == "str" and not frame["arm"].eq("").any()
        assert trial.what == "headline" or set(trial.arms) == set(frame["arm"])
        assert trial.control == "" or trial.control == trial.arms[0]
    if trial.what == "unit":
        assert len(trial.arms) >= 2 or frame.empty
        assert "unit" not in frame or frame["unit"].is_unique
    if trial.what == "arm":
        assert not frame.duplicated([name for name in ("test", "arm") if name in frame]).any()
        assert (frame["n"] >= 1).all()


def own(folder: Path, data: bytes | str) -> Trial:
    (folder / "experiment.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_own(Member(folder / "experiment.csv"))


def reasons(trial: Trial) -> dict[str, int]:
    return dict(zip(trial.dropped["reason"], trial.dropped["rows"], strict=True))


def test_units_are_read_with_what_was_known_before_and_what_came_after(tmp_path):
    trial = own(tmp_path, UNITS)
    assert_tidy(trial)
    assert (trial.arms, trial.control, trial.what, trial.lines) == (["A", "B"], "A", "unit", 8)
    assert trial.outcomes == ["conversion", "spend", "returns"] and trial.covariates == ["orders last year", "city"]
    assert trial.frame["unit"].tolist() == ["u1", "u2", "u3", "u4"] and trial.frame["arm"].tolist() == list("BAAB")
    assert trial.frame["conversion"].tolist() == [1, 0, 1, 0] and trial.frame["spend"].tolist() == [1204.5, 0, 7, 0]
    np.testing.assert_array_equal(trial.frame["orders last year"], [12, 3, np.nan, 0])
    assert trial.frame["city"].tolist() == ["Leeds", "York", "unknown", "York"]
    assert reasons(trial) == {"has no arm": 1, "repeats a row": 1, "is in two arms": 2}
    assert "'A' is taken for the control, by its name." in trial.note and trial.note.endswith("Not read: notes.")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: codecs.BOM_UTF8 + s.encode(),
        lambda s: s.replace("\n", "\r\n").encode(),
        lambda s: s.encode("utf-16"),
        lambda s: ("sep=,\r\n" + s + ",,,,,,,\n").encode(),
        lambda s: s.replace("User,Group,Converted,Revenue", "customer_id,ARM,purchased,Spent").encode(),
        lambda s: s.replace("User,Group,Converted,Revenue,after: returns",
                            "用户,组别,是否转化,金额,结果：returns").replace("£", "").encode("gb18030"),
        lambda s: s.replace("yes", "1").replace(",no,", ",0,").encode(),
    ],
    ids=["byte-order mark", "CRLF", "UTF-16", "sep", "other names", "Chinese", "numbers"],
)  # fmt: skip
def test_what_spreadsheets_write_changes_nothing(change, tmp_path):
    pd.testing.assert_frame_equal(own(tmp_path, change(UNITS)).frame, own(tmp_path, UNITS).frame)


def test_units_without_an_id_may_be_alike(tmp_path):
    trial = own(tmp_path, "arm,visit\nx,1\nx,1\ny,0\ny,0\n")
    assert_tidy(trial)
    assert len(trial.frame) == 4 and trial.dropped.empty
    assert trial.arms == ["x", "y"] and "as the first in the file, for none is called control" in trial.note


def test_sums_of_successes_of_means_and_of_many_tests(tmp_path):
    trial = own(tmp_path, SUMS)
    assert_tidy(trial)
    assert (trial.arms, trial.outcomes, trial.what) == (["Control", "red button"], ["successes"], "arm")
    assert trial.frame[["n", "successes"]].to_numpy().tolist() == [[10021, 561], [10000, 512]]
    trial = own(tmp_path, MEANS)
    assert_tidy(trial)
    assert list(trial.frame) == ["arm", "n", "mean", "variance"] and trial.frame["variance"].tolist() == [16, 25, 0]
    assert trial.frame["n"].tolist() == [1000, 1021, 7] and trial.frame["mean"].tolist() == [12.5, 13, 12.9]
    trial = own(tmp_path, TESTS)
    assert_tidy(trial)
    assert trial.control == "" and trial.frame["test"].tolist() == ["t1", "t1"]
    assert reasons(trial) == {"has no other arm to compare with": 1} and "no control" in trial.note
    trial = own(tmp_path, TESTS.replace("Tea,100", "control,100").replace("Cake,50,0", "control,50,0\nt2,Cake,50,0"))
    assert trial.control == trial.arms[0] == "control"


def test_line_of_totals_is_no_arm_and_a_row_without_an_arm_may_be_empty(tmp_path):
    trial = own(tmp_path, SUMS + "Total,20021,1073\n,,\n  ,5,\n")
    assert_tidy(trial)
    assert trial.arms == ["Control", "red button"]
    assert reasons(trial) == {"has no arm": 2, "is the total of the arms": 1}
    trial = own(tmp_path, "arm,visit\nA,1\n,\nB,no\n".replace("1", "yes"))
    assert_tidy(trial)
    assert trial.frame["visit"].tolist() == [1, 0] and reasons(trial) == {"has no arm": 1}


def test_impressions_and_clicks_of_units_are_outcomes(tmp_path):
    """With a column that names units, a count of impressions is no size of an arm."""
    trial = own(tmp_path, "user,arm,impressions,clicks,conversions\n1,A,7,1,0\n2,B,3,0,0\n")
    assert_tidy(trial)
    assert trial.what == "unit" and trial.outcomes == ["click", "conversion", "impressions"]


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (["B", "A"], "A"), (["new", "Control Group"], "Control Group"), (["rot", "Kontrolle"], "Kontrolle"),
        (["实验组", "对照组"], "对照组"), (["1", "0"], "0"), (["mail", "none"], "none"),
        (["red", "control_v2"], "control_v2"), (["A", "control"], "control"), (["red", "blue"], "red"),
    ],
)  # fmt: skip
def test_control_is_found_by_its_name_or_is_the_first(arms, control, tmp_path):
    trial = own(tmp_path, "arm,n,successes\n" + "".join(f"{arm},10,{k}\n" for k, arm in enumerate(arms)))
    assert_tidy(trial)
    assert trial.control == control and repr(control) in trial.note


@pytest.mark.parametrize(
    ("data", "row", "column", "rule"),
    [
        ("group_id,visit\nA,1\n", 1, "arm", "must be in the header"),
        ("arm,visit\nA,1\nA,0\n", None, "arm", "'A' is the only arm; a comparison needs two"),
        ("arm,visit\nA,1\nB,\n", 3, "visit", "must not be empty: write 0 where nothing happened"),
        ("arm,visit\nA,1\na,0\n", 3, "arm", "write it in one way"),
        ("arm,visit\nA,1\nB,#NAME?\n", 3, "visit", "is what a spreadsheet shows"),
        ("arm,visit\nA,1\nB,often\n", 3, "visit", "must be a sum of money"),
        ("arm,height\nA,1\nB,2\n", None, "visit", "must be in the header, or conversion"),
        ("arm,visit\n" + "".join(f"a{i},1\n" for i in range(51)), None, "arm", "must name the arm, of which there are"),
        ("user,arm,visit\n1,A,1\n2,B,0\n1,A,0\n", 4, "unit", "is there already with other cells"),
        ("arm,visit,before: visit\nA,1,1\nB,0,1\n", None, "visit", "is the name of two columns"),
        ("arm,n,successes\nA,10,11\nB,10,1\n", 2, "successes", "must be a count, and not above n"),
        ("arm,n,successes\nA,10,\nB,10,1\n", 2, "successes", "must be a count, and not above n"),
        ("arm,n,successes\nA,0,0\nB,10,1\n", 2, "n", "must be a count from 1"),
        ("arm,n,successes\nA,1.5,0\nB,10,1\n", 2, "n", "must be a count"),
        ("arm,n,successes\nA,10,1\nA,10,1\n", 3, "arm", "is there already; write one row for an arm"),
        ("arm,n,mean,variance\nA,10,1,-2\nB,10,1,2\n", 2, "variance", "must be a number from 0"),
        ("arm,n,mean,sd\nA,10,,2\nB,10,1,2\n", 2, "mean", "must not be empty"),
        ("arm,n,mean\nA,10,1\nB,10,1\n", None, "successes", "or mean with variance or sd"),
        ("arm,n,clicks,conversions\nA,10,1,2\n", 1, "successes", "is in the header 2 times"),
        ("arm,visit\n", None, None, "holds a header and no rows"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(data, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        own(tmp_path, data)
    assert (caught.value.row, caught.value.column) == (row, column)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("data", [UNITS, SUMS, MEANS, TESTS], ids=["units", "sums", "means", "tests"])
def test_damaged_file_is_read_tidy_or_refused_in_a_sentence(data, seed, tmp_path):
    rng = np.random.default_rng(seed)
    for _ in range(150):
        harmed = damage(damage(data.encode(), b";" if data is MEANS else b",", rng), b",", rng)
        try:
            assert_tidy(own(tmp_path, harmed))
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600


# ---- Parquet

NAMES = {"arm": ("arm",), "n": ("n",), "mean": ("mean",)}
ROWS = pd.DataFrame({"n": [1, 10, 1000], "arm": ["A", None, "对照"], "x": [0, 0, 0], "mean": [0.1 + 0.2, np.nan, 1e-7]})


def parquet(folder: Path, frame: pd.DataFrame, **options: object) -> Member:
    pytest.importorskip("pyarrow")
    frame.to_parquet(folder / "rows.parquet", **options)
    return Member(folder / "rows.parquet")


@pytest.mark.parametrize("options", [{}, {"row_group_size": 1}, {"compression": None}])
def test_parquet_gives_the_cells_that_were_written(options, tmp_path):
    table = open_any(parquet(tmp_path, ROWS, **options), NAMES, NAMES)
    assert list(table.columns) == ["arm", "n", "mean"] and table.lines.tolist() == [1, 2, 3]
    assert list(table.text("arm")) == ["A", "", "对照"] and list(table.text("n")) == ["1", "10", "1000"]
    np.testing.assert_array_equal(tables.numbers(table, "mean", empty=True), ROWS["mean"])
    with pytest.raises(DataError, match=r"row 2, column 'mean': .* must be a number, such as 12.5"):
        tables.numbers(table, "mean")


@pytest.mark.parametrize(
    ("frame", "rule"),
    [
        (ROWS.drop(columns="mean"), "must be in the header"),
        (ROWS.iloc[:0], "holds no rows"),
        (ROWS.assign(mean=[[1], [2], [3]]), "is not a Parquet file of plain columns that can be read"),
        (ROWS.assign(arm=[b"\xff", b"a", b"b"]), "is not a Parquet file of plain columns that can be read"),
    ],
)
def test_parquet_of_another_shape_is_refused(frame, rule, tmp_path):
    with pytest.raises(DataError, match=rule):
        open_any(parquet(tmp_path, frame), NAMES, NAMES)


def test_parquet_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LARGEST", 8)
    with pytest.raises(DataError, match="has 3 rows, which are too many"):
        open_any(parquet(tmp_path, ROWS), NAMES, NAMES)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataAbsent, match=r"rows.parquet is a Parquet file, .*pip install 'smlab\[parquet\]', or put"):
        open_any(Member(tmp_path / "rows.parquet"), NAMES, NAMES)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_parquet_is_read_or_refused_in_a_sentence(seed, tmp_path):
    rng = np.random.default_rng(seed)
    data = parquet(tmp_path, pd.concat([ROWS] * 30)).container.read_bytes()
    for _ in range(100):
        harmed = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            harmed[at] = rng.integers(256)
        (tmp_path / "rows.parquet").write_bytes(bytes(harmed[: rng.integers(len(data) // 2, 2 * len(data))]))
        try:
            assert len(open_any(Member(tmp_path / "rows.parquet"), NAMES, NAMES)) > 0
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600
