"""Experiments are loaded by name: e-mails, headlines, a shop's tests over time, and your own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import catalog, customers, experiments, layouts, reactions
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, SmlabError, UsageError
from smlab.experimenttables import Trial
from tests.test_datasets import damage
from tests.test_experimenttables import SUMS, assert_tidy, reasons

DATA = os.environ.get("SMLAB_DATA")  # before the fixture below takes it away
MAIL = "recency,history_segment,history,mens,womens,zip_code,newbie,channel,segment,visit,conversion,spend\r\n"
CUSTOMER = "{0},2) $100 - $200,142.44,1,0,Surburban,0,Phone,{1},{2},{3},{4}\r\n"
HEADLINES = (
    ",created_at,updated_at,clickability_test_id,excerpt,headline,lede,slug,eyecatcher_id,impressions,clicks,"
    "significance,first_place,winner,share_text,square,test_week\n"
)
HEADLINE = '0,2014-11-20 06:43:16.005,,{0},e,"{1}","<p>a,\nb</p>",s,{2},{3},{4},100.0,True,True,,,{5}\n'
POINTS = "experiment_id,variant_id,metric_id,time_since_start,count_c,count_t,mean_c,mean_t,variance_c,variance_t\n"
POINT = "{0},1,1,{1},{2},{3},0.25,0.5,{4},0.25\n"


@pytest.fixture(autouse=True)
def plain(plain_environment):
    """Keep the settings of whoever runs the tests out of them."""


def put(folder: Path, name: str, data: str | bytes) -> Member:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return Member(folder / name)


def mail(folder: Path, *rows: str) -> Trial:
    return experiments.read_mail(put(folder, "hillstrom.csv", MAIL + "".join(rows)))


def headlines(folder: Path, *rows: tuple[object, ...], header: str = HEADLINES) -> Trial:
    text = header + "".join(HEADLINE.format(*row) for row in rows)
    return experiments.read_headlines(put(folder, "packages.csv", text))


def points(folder: Path, *rows: tuple[object, ...]) -> Trial:
    return experiments.read_checkpoints(put(folder, "asos.csv", POINTS + "".join(POINT.format(*row) for row in rows)))


def test_mail_is_read_with_its_arms_the_control_first(tmp_path):
    trial = mail(
        tmp_path, CUSTOMER.format(10, "Womens E-Mail", 1, 1, "29.99"), CUSTOMER.format(6, "No E-Mail", 1, 0, 0)
    )
    assert_tidy(trial)
    assert (trial.arms, trial.control) == (["No E-Mail", "Womens E-Mail"], "No E-Mail")
    assert trial.outcomes == ["visit", "conversion", "spend"] and "segment" not in trial.covariates
    assert trial.frame["zip_code"].unique().tolist() == ["Suburban"] and trial.frame["spend"].tolist() == [29.99, 0]


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ((13, "No E-Mail", 0, 0, 0), "recency", "'13' must be a whole number of months"),
        ((1, "Kids E-Mail", 0, 0, 0), "segment", "must be No E-Mail, Mens E-Mail or Womens E-Mail"),
        ((1, "No E-Mail", 2, 0, 0), "visit", "must be 0 or 1"),
        ((1, "No E-Mail", 0, 1, 9), "conversion", "must be 0 where there was no visit"),
        ((1, "No E-Mail", 1, 1, 0), "spend", "must be above 0 for a conversion"),
        ((1, "No E-Mail", 1, 0, 5), "spend", "and only then"),
        ((1, "No E-Mail", 1, 1, -5), "spend", "must not be below 0"),
        ((1, "No E-Mail", "", 0, 0), "visit", "must be a number"),
        ((1, "No E-Mail", 1, 1, "inf"), "spend", "must be a number"),
    ],
)
def test_broken_mail_is_named(row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        mail(tmp_path, CUSTOMER.format(1, "Mens E-Mail", 0, 0, 0), CUSTOMER.format(*row))
    assert (caught.value.row, caught.value.column) == (3, column)


def test_mail_without_a_control_or_without_e_mails_is_refused(tmp_path):
    for arm in experiments.MAILS[:2]:
        with pytest.raises(DataError, match="must have customers with No E-Mail and with an e-mail"):
            mail(tmp_path, CUSTOMER.format(1, arm, 0, 0, 0))


# ---- headlines


def test_headlines_say_what_the_arms_of_a_test_differ_in(tmp_path):
    trial = headlines(
        tmp_path,
        *(("h", title, "p1", 3000, 50, 201446) for title in ("One", "Two ", "One")),
        *(("p", "One", picture, 2000, 9, 201447) for picture in ("p1", "p2")),
        *(("b", title, title, 2000, 9, 201447) for title in ("One", "Two")),
        *(("u", "One", "p1", 2000, 9, 201503) for _ in range(2)),
        *(("x", title, picture, 2000, 9, 201503) for title, picture in (("One", "p1"), ("Two", ""))),
    )
    assert_tidy(trial)
    kinds = trial.frame.groupby("test", sort=False)["kind"].first()
    assert kinds.to_dict() == {"h": "headline", "p": "picture", "b": "both", "u": "unknown", "x": "both"}
    assert trial.frame["arm"].tolist()[:3] == ["One", "Two", "One"] and trial.outcomes == ["clicks"]
    assert (trial.arms, trial.control) == ([], "") and "2 arms have headline and picture of another" in trial.note
    assert "packages.csv: 5 tests" in trial.note and trial.frame["week"].dtype == "int64"


def test_doubted_weeks_and_lonely_arms_are_left_out_and_counted(tmp_path):
    def pair(test: str, week: int, other: int) -> tuple[tuple[object, ...], ...]:
        return ((test, "One", "p", 100, 1, week), (test, "Two", "p", 100, 2, other))

    trial = headlines(
        tmp_path, *pair("early", 201324, 201324), *pair("first", 201325, 201325), *pair("last", 201401, 201402),
        *pair("late", 201402, 201402), ("alone", "One", "p", 9, 1, 201410), ("nobody", "One", "p", 0, 0, 201410),
        ("nobody", "Two", "p", 9, 1, 201410), ("empty", "", "p", 9, 1, 201410),
    )  # fmt: skip
    assert_tidy(trial)
    assert trial.frame["test"].unique().tolist() == ["early", "late"]
    assert reasons(trial) == {
        "has no headline": 1, "was shown to nobody": 1, "is of a test whose randomisation is doubted": 4,
        "has no other arm to compare with": 2,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["problem", "randomization_imbalace_risk", "randomization_imbalance_risk"])
def test_tests_that_the_archive_flags_are_left_out_whole(name, tmp_path):
    flags = (("a", "1", "False"), ("a", "2", "True"), ("b", "1", ""), ("b", "2", "0"))
    rows = [(test, title, "p", 100, 1, f"201446,{flag}") for test, title, flag in flags]
    trial = headlines(tmp_path, *rows, header=HEADLINES.replace("week", f"week,{name}"))
    assert trial.frame["test"].unique().tolist() == ["b"]


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        (("a", "One", "p", 100, 101, 201446), "clicks", "'101' must be a count, and not above the impressions"),
        (("a", "One", "p", 100, "", 201446), "clicks", "must be a count, and not above"),
        (("a", "One", "p", "", 1, 201446), "impressions", "must not be empty"),
        (("a", "One", "p", 100, 1, 201460), "week", "'201460' must be a year and a week"),
        (("a", "One", "p", 100, 1.5, 201446), "clicks", "must be a count"),
    ],
)
def test_broken_headlines_are_named(row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        headlines(tmp_path, ("a", "Two", "p", 100, 1, 201446), row)
    assert (caught.value.row, caught.value.column) == (4, column)  # the first has a line end in its lede


# ---- a shop's experiments over time


def test_checkpoints_are_put_in_order_and_their_flaws_counted(tmp_path):
    rows = [("x", 2.0, 200, 210, 0.2), ("x", 0.5, 0, 0, 0), ("x", 1.0, 100, 110, ""), ("x", 1.0, 100, 110, ""),
            ("x", 3.0, 190, 220, 0.2), ("x", 8.0, 210, 230, 0.2), ("x", 8.5, 210, 230, 0.2), ("w", 1.0, 5, 6, 0.2),
            ("w", 2.0, "", 6, 0.2)]  # fmt: skip
    trial = points(tmp_path, *rows)
    assert_tidy(trial)
    assert trial.frame[["experiment", "time"]].to_numpy().tolist() == [
        ["w", 1.0], ["x", 1.0], ["x", 2.0], ["x", 8.0], ["x", 8.5],
    ]  # fmt: skip
    assert np.isnan(trial.frame["variance_control"][1]) and trial.control == "control"
    assert reasons(trial) == {
        "repeats a row": 1, "has no count or no mean": 1, "has nobody in an arm yet": 1,
        "has fewer people than an earlier row": 1,
    }  # fmt: skip
    assert "1 steps are longer than a day, the longest 6 days; 1 rows have the people of the row before" in trial.note
    assert "in 0 the total" in trial.note and "not known in 1 rows of 1 experiments" in trial.note


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        (("x", 1.0, 101, 110, 0.2), "time", "is there already for this experiment"),
        (("x", 0, 101, 110, 0.2), "time", "must be days since the start, above 0"),
        (("x", "", 101, 110, 0.2), "time", "must be a number"),
        (("", 2, 101, 110, 0.2), "experiment", "must not be empty"),
        (("x", 2, 1.5, 110, 0.2), "count_control", "must be a count"),
        (("x", 2, 101, 110, -0.2), "variance_control", "must not be below 0"),
    ],
)
def test_broken_checkpoints_are_named(row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        points(tmp_path, ("x", 1.0, 100, 110, 0.2), row)
    assert (caught.value.row, caught.value.column) == (3, column)


# ---- by name


def test_own_folder_is_loaded_and_other_data_is_refused(tmp_path):
    for name in ("my-test", "none", "empty"):
        (tmp_path / name).mkdir()
    put(tmp_path / "my-test", "experiment.tsv", SUMS.replace(",", "\t"))
    put(tmp_path / "none", "arms.xlsx", b"PK")
    put(tmp_path / "empty", "experiment.csv", "arm,visit\n,5\n")
    found = experiments.load_experiment("my-test", tmp_path)
    assert (found.name, found.origin, found.control, len(found.frame)) == ("my-test", "data-dir", "Control", 2)
    assert found.note.endswith("All 2 rows are kept.") and len(found.fingerprint) == 64
    with pytest.raises(DataError, match="none: must hold experiment.csv, experiment.tsv or the files of a dataset"):
        experiments.load_experiment("none", tmp_path)
    with pytest.raises(DataError, match="holds no row that can be used. Left out of 1 rows: 1 .has no arm"):
        experiments.load_experiment("empty", tmp_path)
    with pytest.raises(UsageError, match="ml-100k holds no experiment, but u.data"):
        experiments.load_experiment("ml-100k", offline=True)
    with pytest.raises(UsageError, match="hillstrom holds no table of customers, but hillstrom.csv"):
        customers.load_customers("hillstrom", offline=True)
    with pytest.raises(UsageError, match="my-test holds no posts with reactions, but experiment.tsv"):
        reactions.load_reactions("my-test", tmp_path)
    with pytest.raises(DataAbsent, match="asos cannot be fetched: download asos_digital_experiments_dataset.parquet"):
        experiments.load_experiment("asos", tmp_path)


def test_every_format_is_known_by_the_catalog_or_is_the_users_own():
    kinds = {name for name in catalog.names() if catalog.describe(name).kind == "experiments"}
    assert set(layouts.EXPERIMENTS) == kinds | {"experiment-csv"}
    for name in kinds:
        assert layouts.recognise(catalog.describe(name).files, name)[0] == name


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("Kevin_Hillstrom_MineThatData_E-MailAnalytics_DataMiningChallenge_2008.03.20.csv", "hillstrom"),
        ("upworthy-archive-confirmatory-packages-03.12.2020.csv", "upworthy"), ("upworthy_clean.parquet", "upworthy"),
        ("asos_digital_experiments_dataset.csv", "asos"),
    ],
)  # fmt: skip
def test_other_official_names_are_known(name, format_):
    assert layouts.recognise([name], format_)[0] == format_


def test_parquet_and_csv_give_the_same(tmp_path):
    pytest.importorskip("pyarrow")
    text = POINTS + POINT.format("x", 1.5, 100, 110, "") + POINT.format("y", 2, 7, 8, 0.2)
    csv = put(tmp_path, "asos.csv", text)
    pd.read_csv(csv.container).to_parquet(tmp_path / "asos.parquet")
    one, two = (experiments.read_checkpoints(Member(tmp_path / f"asos.{form}")) for form in ("csv", "parquet"))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert one.note == two.note


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["mail", "headlines", "checkpoints"])
def test_damaged_file_is_read_tidy_or_refused_in_a_sentence(kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    read, head, lines = {
        "mail": (experiments.read_mail, MAIL,
                 [CUSTOMER.format(k, experiments.MAILS[k % 3], 1, 1, 9) for k in range(1, 10)]),
        "headlines": (experiments.read_headlines, HEADLINES,
                      [HEADLINE.format(k // 3, f"x {k}", "p", 100, k, 201446) for k in range(9)]),
        "checkpoints": (experiments.read_checkpoints, POINTS,
                        [POINT.format("x", k, 10 * k, 9 * k, 0.2) for k in range(1, 10)]),
    }[kind]  # fmt: skip
    data = (head + "".join(lines)).encode()
    for _ in range(100):
        harmed = damage(damage(data, b",", rng), b",", rng)
        try:
            assert_tidy(read(put(tmp_path, "file", harmed)))
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "lines", "kept"), [("hillstrom", 64_000, 64_000), ("upworthy", 22_666, 18_358), ("asos", 24_153, 24_137)]
)
def test_real_files_have_their_published_numbers(name, lines, kept):
    try:
        found = experiments.load_experiment(name, DATA)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert (found.lines, len(found.frame)) == (lines, kept) and found.lines == catalog.describe(name).rows
    frame = found.frame
    if name == "hillstrom":
        means = frame.groupby("arm")[["visit", "conversion", "spend"]].mean().loc[found.arms].round(4)
        assert means["visit"].tolist() == [0.1062, 0.1828, 0.1514]
        assert frame["arm"].value_counts()[found.arms].tolist() == [21_306, 21_307, 21_387]
        assert round(frame["visit"].mean(), 5) == 0.14678 and round(frame["spend"].mean(), 5) == 1.05091
    elif name == "upworthy":
        kinds = frame.groupby("test")["kind"].first().value_counts()
        assert frame["test"].nunique() == 3_815 and kinds.to_dict() == {
            "headline": 1_814, "picture": 1_118, "unknown": 646, "both": 237,
        }  # fmt: skip
    else:
        assert (frame["experiment"].nunique(), frame["metric"].nunique()) == (78, 4)
        assert frame.groupby(["experiment", "variant"]).ngroups == 99
