"""Series are loaded by name: views of a page, tweets of ten brands with labels, posts a day, and your own."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import catalog, customers, layouts, reactions, series
from smlab.archives import Member
from smlab.catalog import Located
from smlab.checks import DataAbsent, DataError, SmlabError, UsageError
from smlab.series import Series
from tests.test_datasets import damage
from tests.test_reactions import LIVE
from tests.test_seriestables import OWN, assert_tidy

DATA = os.environ.get("SMLAB_DATA")  # before the fixture below takes it away
STAMP = pd.Timestamp("2015-02-26 21:42:53")


@pytest.fixture(autouse=True)
def plain(plain_environment):
    """Keep the settings of whoever runs the tests out of them."""


def views(folder: Path, rows: str | bytes) -> Series:
    path = folder / "daily_peyton_manning.csv"
    path.write_bytes(rows if isinstance(rows, bytes) else ('"ts","y"\n' + rows).encode())
    return series.read_series(Located("page", folder, "data-dir", "0" * 64, "peyton-manning", {"views": Member(path)}))


def counts(n: int = 30, start: pd.Timestamp = STAMP) -> str:
    time = pd.date_range(start, periods=n, freq="5min")
    return "timestamp,value\n" + "".join(f"{t:%Y-%m-%d %H:%M:%S},{k}\n" for k, t in enumerate(time))


def tweets(folder: Path, windows: object = None, **files: str | bytes) -> Series:
    """Lay out the folders of NAB's repository, and load them by name."""
    place = folder / "nab" / "data" / "realTweets"
    place.mkdir(parents=True, exist_ok=True)
    for brand, text in files.items():
        (place / f"Twitter_volume_{brand}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    if windows is not None:
        (folder / "nab" / "labels").mkdir(exist_ok=True)
        text = windows if isinstance(windows, bytes) else json.dumps(windows).encode()
        (folder / "nab" / "labels" / "combined_windows.json").write_bytes(text)
    return series.load_series("nab", folder)


def test_views_are_logarithms_and_days_that_are_missing_are_nan(tmp_path):
    found = views(
        tmp_path, '"2007-12-10",9.59076113897809\n"2007-12-11",8.51959031601596\n"2007-12-14",8.07246736935477\n'
    )
    assert_tidy(found)
    assert (found.freq, found.names) == ("D", ["Peyton Manning"]) and found.one().isna().tolist() == [0, 0, 1, 1, 0]
    assert "its exponential is whole on every day" in found.note
    assert "2 have no value, in 1 gaps, the longest of 2; they stay NaN" in found.note
    assert "value is not the logarithm of whole numbers" in views(tmp_path, "2007-12-10,9.5\n2007-12-11,9.6\n").note


@pytest.mark.parametrize(
    ("rows", "row", "column", "rule"),
    [
        ("2007-12-10,9.5\n2007-12-11,many\n", 3, "value", "'many' must be a number"),
        ("2007-12-10,9.5\n2007-12-10,9.6\n", 3, "time", "is there already, with another value"),
        ("2007-12-10,9.5\n12/10/07,9.6\n", 3, "time", "has two digits for the year"),
        ("2007-12-10;9.5\n", 2, None, "must have 2 columns"),
    ],
)
def test_broken_views_are_named(rows, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        views(tmp_path, rows)
    assert (caught.value.row, caught.value.column) == (row, column)


# ---- tweets with labels


def test_tweets_are_read_with_and_without_their_windows(tmp_path):
    found = tweets(tmp_path, AAPL=counts(), KO=counts(20, STAMP + pd.Timedelta(seconds=7)))
    assert_tidy(found)
    assert found.freq == "5min" and found.names == ["AAPL", "KO"] and found.labels.empty and found.lines == 50
    assert found.one("KO").index[0] == STAMP + pd.Timedelta(seconds=7) and "2 of ten brands" in found.note
    ends = ["2015-02-26 22:02:53.000000", "2015-02-26 22:12:53.000000"]
    labelled = tweets(tmp_path, {"realTweets/Twitter_volume_AAPL.csv": [ends, ends],
                                 "realTweets/Twitter_volume_KO.csv": [], "realAdExchange/x.csv": 7})  # fmt: skip
    assert labelled.labels.values.tolist() == [["AAPL", pd.Timestamp(ends[0]), pd.Timestamp(ends[1])]] * 2
    assert "2 windows around labelled anomalies" in labelled.note and labelled.fingerprint != found.fingerprint
    pd.testing.assert_frame_equal(labelled.frame, found.frame)


def test_tweets_come_to_hours_that_are_whole(tmp_path):
    tweets(tmp_path, AAPL=counts(40))
    found = series.load_series("nab", tmp_path, freq="h", how="sum")
    assert_tidy(found)
    assert found.one().tolist() == [sum(range(4, 16)), sum(range(16, 28)), sum(range(28, 40))]
    with pytest.raises(UsageError, match="say how values come to steps of h"):
        series.load_series("nab", tmp_path, freq="h")
    with pytest.raises(UsageError, match="nobody says on which clock the times of nab are"):
        series.load_series("nab", tmp_path, zone="UTC")


@pytest.mark.parametrize(
    ("text", "row", "column", "rule"),
    [
        (counts(5) + "2015-02-26 22:12:53,-1\n", 7, "value", "'-1' must be a count"),
        (counts(5) + "2015-02-26 22:12:53,1.5\n", 7, "value", "must be a count"),
        (counts(5) + "2015-02-26 22:09:53,1\n", 7, "time", "comes 00:07:00 after the time before it"),
        (counts(5) + "2015-02-26 22:02:53,9\n", 7, "time", "is there already, with another value"),
        (counts(5).replace("timestamp", "moment"), 1, "time", "must be in the header"),
    ],
)
def test_broken_tweets_are_named(text, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        tweets(tmp_path, AAPL=counts(), KO=text)
    assert (caught.value.row, caught.value.column) == (row, column)
    assert str(caught.value).startswith(str(tmp_path / "nab" / "data" / "realTweets" / "Twitter_volume_KO.csv"))


KEY = "realTweets/Twitter_volume_AAPL.csv"


@pytest.mark.parametrize(
    ("windows", "column", "rule"),
    [
        (b"{\n\n'x'}", None, "row 3: is not JSON"),
        (b"[" * 100_000, None, "is not JSON"),
        ([1], None, "must be files and their windows"),
        ({}, KEY, "must name the windows of this file, or [] if it has none"),
        ({KEY: [["2015-02-26 22:02:53"]]}, KEY, "must be two times"),
        ({KEY: [["2015-02-26 22:02:53", "2015-02-26 21:02:53"]]}, KEY, "must be two times, the start and the end"),
        ({KEY: [["2015-02-26 22:02:53", 7]]}, KEY, "must be two times"),
        ({KEY: [["2015-02-26T22:02:53+01:00", "2016-01-01"]]}, KEY, "must be two times"),
        ({KEY: [["0001-01-01", "2016-01-01"]]}, KEY, "must be two times"),
        ({KEY: ["ab"]}, KEY, "must be two times"),
    ],
)
def test_broken_windows_are_named(windows, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        tweets(tmp_path, windows, AAPL=counts())
    assert caught.value.column == column and "combined_windows.json" in str(caught.value)


def test_windows_without_tweets_are_refused(tmp_path):
    with pytest.raises(DataError, match="must hold Twitter_volume_AAPL.csv or another brand's"):
        tweets(tmp_path, {KEY: []})


# ---- posts a day


def test_posts_a_day_are_those_of_the_shops_clock(tmp_path):
    """The file is five hours behind UTC; 12 April, 13:00, is the 13th, 01:00, in Bangkok."""
    (tmp_path / "fb_live_sellers_thailand").mkdir()
    made = [("7", "12", 13, 5), ("7", "11", 6, 2), ("8", "13", 3, 4), ("8", "15", 3, 1)]
    rows = [f"{shop}_{day},video,4/{day}/2018 {hour}:00,{n},0,0,{n},0,0,0,0,0\n" for shop, day, hour, n in made]
    (tmp_path / "fb_live_sellers_thailand" / "Live.csv").write_text(LIVE + "".join(rows))
    found = series.load_series("fb_live_sellers_thailand", tmp_path)
    assert_tidy(found)
    assert (found.names, found.freq, found.clock) == (["7", "8", "all"], "D", "Asia/Bangkok")
    assert found.one("7").tolist() == [1, 0, 1] and found.one("8").tolist() == [1, 0, 1]
    assert found.one("all").tolist() == [1, 0, 2, 0, 1] and str(found.one("all").index[0])[:10] == "2018-04-11"
    reacted = series.load_series("fb_live_sellers_thailand", tmp_path, variant="reactions")
    assert reacted.one("all").tolist() == [2, 0, 9, 0, 1] and "Reactions to posts" in reacted.note
    utc = series.load_series("fb_live_sellers_thailand", tmp_path, zone="UTC")
    assert utc.one("all").tolist() == [1, 1, 1, 0, 1]
    with pytest.raises(UsageError, match="has no variant 'reaction': did you mean 'reactions'"):
        series.load_series("fb_live_sellers_thailand", tmp_path, variant="reaction")


def test_any_posts_with_reactions_are_a_series():
    posts = reactions.load_reactions("election-tweets-2016", offline=True)
    found = series.load_series("election-tweets-2016", offline=True)
    assert_tidy(found)
    assert found.one("all").sum() == len(posts.frame) and found.names[-1] == "all" and found.clock == "UTC"
    assert found.note.count("Left out of") == 1


# ---- by name


def test_samples_are_loaded_offline():
    for name, lines in (("peyton-manning", 1616), ("nab", 2304)):
        found = series.load_series(name, offline=True)
        assert_tidy(found)
        assert (found.origin, found.lines, len(found.fingerprint)) == ("sample", lines, 64)
    assert len(found.labels) == 4


def test_own_folder_is_loaded_and_other_data_is_refused(tmp_path):
    for name in ("my-shop", "none", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "my-shop" / "series.csv").write_text(OWN)
    (tmp_path / "none" / "series.xlsx").write_bytes(b"PK")
    (tmp_path / "empty" / "series.tsv").write_text("time\tvalue\n2024-05-01\t5\n")
    found = series.load_series("my-shop", tmp_path)
    assert_tidy(found)
    assert (found.name, found.origin, found.lines) == ("my-shop", "data-dir", 6)
    with pytest.raises(DataError, match="none: must hold series.csv, series.tsv or the files of a dataset"):
        series.load_series("none", tmp_path)
    with pytest.raises(DataError, match="holds no row that can be used. Left out of 1 rows: 1 .is the only value"):
        series.load_series("empty", tmp_path)
    with pytest.raises(UsageError, match="ml-100k holds no series, but u.data"):
        series.load_series("ml-100k", offline=True)
    with pytest.raises(UsageError, match="my-shop holds no table of customers, but series.csv"):
        customers.load_customers("my-shop", tmp_path)
    with pytest.raises(UsageError, match="my-shop has no variant 'posts': it is one whole"):
        series.load_series("my-shop", tmp_path, variant="posts")


def test_every_format_is_known_by_the_catalog_or_is_the_users_own():
    kinds = {name for name in catalog.names() if catalog.describe(name).kind == "series"}
    assert set(layouts.SERIES) == kinds | {"series-csv"}
    for name in kinds:
        assert layouts.recognise(catalog.describe(name).files, name)[0] == name


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["views", "tweets", "windows"])
def test_damaged_file_is_read_tidy_or_refused_in_a_sentence(kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    days = pd.date_range("2007-12-10", periods=30)
    page = '"ts","y"\n' + "".join(f'"{d:%Y-%m-%d}",{np.log(100 + k):.12g}\n' for k, d in enumerate(days))
    ends = [[str(STAMP), str(STAMP + pd.Timedelta("30min"))]]
    windows = {"realTweets/Twitter_volume_AAPL.csv": ends, "realTweets/Twitter_volume_KO.csv": ends}
    data = {"views": page, "tweets": counts(), "windows": json.dumps(windows, indent=1)}[kind].encode()
    for _ in range(30):
        harmed = damage(damage(data, b",", rng), b",", rng)
        try:
            if kind == "views":
                found = views(tmp_path, harmed)
            elif kind == "tweets":
                found = tweets(tmp_path, windows, AAPL=harmed, KO=counts(20))
            else:
                found = tweets(tmp_path, harmed, AAPL=counts(), KO=counts(20))
            assert_tidy(found)
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600


@pytest.mark.slow
def test_a_thousand_daily_series_of_three_years_are_read_in_seconds(tmp_path):
    days = pd.date_range("2021-01-01", "2023-12-31").strftime("%Y-%m-%d").tolist()
    count = np.random.default_rng(0).poisson(200, (1000, len(days)))
    (tmp_path / "many").mkdir()
    with (tmp_path / "many" / "series.csv").open("w") as out:
        out.write("series,time,value\n")
        for k, row in enumerate(count):
            out.writelines(f"shop {k},{day},{value}\n" for day, value in zip(days, row, strict=True))
    start = time.perf_counter()
    found = series.load_series("many", tmp_path)
    assert time.perf_counter() - start < 30  # 2 to 3 on one core
    assert len(found.frame) == count.size and found.frame["value"].sum() == count.sum()
    weeks = series.regular(found.frame, "W", "mean")
    assert weeks.groupby("series")["value"].size().eq(157).all()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "settings", "lines", "names", "steps", "absent", "total"),
    [
        ("peyton-manning", {}, 2_905, 1, 2_964, 59, 23_643.67),
        ("nab", {}, 158_631, 10, 158_631, 0, 3_224_439),
        ("fb_live_sellers_thailand", {}, 7_050, 10, 0, 0, 2 * 6_996),
        ("fb_live_sellers_thailand", {"variant": "reactions"}, 7_050, 10, 0, 0, 2 * 3_435_127),
    ],
)
def test_real_files_have_their_published_numbers(name, settings, lines, names, steps, absent, total):
    try:
        found = series.load_series(name, DATA, **settings)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert_tidy(found)
    assert (found.lines, len(found.names)) == (lines, names)
    assert not steps or (len(found.frame), int(found.frame["value"].isna().sum())) == (steps, absent)
    assert found.frame["value"].sum() == pytest.approx(total, abs=0.01)
    assert len(found.labels) == (33 if name == "nab" else 0)
    if name == "peyton-manning":
        assert "its exponential is whole on every day" in found.note
        assert "59 have no value, in 29 gaps, the longest of 19" in found.note
