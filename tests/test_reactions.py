"""Posts with reactions are loaded by name: tweets, a page of 2014, shops that sell live, and your own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import catalog, customers, layouts, reactions, reactionsamples
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, SmlabError, UsageError
from smlab.reactiontables import Posts
from tests.test_datasets import damage
from tests.test_reactiontables import OWN, assert_tidy

DATA = os.environ.get("SMLAB_DATA")  # before the fixture below takes it away
HEAD = "\r\n".join("\t".join(line) for line in (
    reactionsamples.HEADER, *(types.split("|") for types in reactionsamples.TYPES))) + "\r\n"  # fmt: skip
ROW = "{0}\t2016-09-2{1} 00:22:34\ten\t218.0\t{2}\t\t\tann\thttps://studio.twitter.com\t{3}\t\t\r\n"
METRICS = (
    "Page_T_Likes;Type;Category;Month;Weekday;Hour;Paid;T_Reach;T_Impression;Engaged_Users;Consumers;Consumption;"
    "LP_Impression;LP_Reach;LP_Engage_With_Post;comment;like;share;T_Interactions\n"
)
POST = "{0};Photo;2;{1};{2};{3};{4};2752;5091;178;109;159;3078;1640;119;{5}\n"
LIVE = (
    "status_id,status_type,status_published,num_reactions,num_comments,num_shares,num_likes,num_loves,num_wows,"
    "num_hahas,num_sads,num_angrys\n"
)


@pytest.fixture(autouse=True)
def plain(plain_environment):
    """Keep the settings of whoever runs the tests out of them."""


def put(folder: Path, name: str, data: str | bytes) -> Member:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return Member(folder / name)


def tweets(folder: Path, rows: str) -> Posts:
    return reactions.read_tweets(put(folder, "election-tweets-2016.tab", HEAD + rows))


def test_tweets_are_read_in_order_without_retweets(tmp_path):
    rows = ROW.format("False", 7, "651.0", "Tea &amp; cake https://t.co/x") + ROW.format("True", 6, 9, "RT of another")
    posts = tweets(tmp_path, rows + ROW.format("False", 5, "1.0", '"""@ben: so good!"""'))
    assert_tidy(posts)
    assert posts.frame["text"].tolist() == ['"@ben: so good!"', "Tea & cake https://t.co/x"]
    assert posts.frame["kind"].tolist() == ["quote", "link"] and posts.frame["app"].tolist() == ["Studio"] * 2
    assert posts.frame["reactions"].tolist() == [219.0, 869.0] and posts.outcomes == ["reactions", "likes", "shares"]
    assert posts.dropped[["reason", "rows"]].values.tolist() == [
        ["is a retweet, with the counts of another's tweet", 1]
    ]
    assert posts.before == ["app", "language"] and posts.lines == 3


@pytest.mark.parametrize(
    ("rows", "row", "column", "rule"),
    [
        (ROW.format("False", 7, "many", "x"), 4, "likes", "'many' must be a count"),
        (ROW.format("False", 7, 1, "x") + ROW.format("maybe", 6, 1, "x"), 5, "retweet", "must be True or False"),
        (ROW.format("False", 7, 1, ""), 4, "text", "must not be empty"),
        (ROW.format("False", 7, "-1", "x"), 4, "likes", "'-1' must be a count"),
        (ROW.format("False", "7x", 1, "x"), 4, "time", "must be a date"),
        (ROW.format("False", 7, 1, "x\ty"), 4, None, "must have 12 columns"),
        ("", None, None, "holds a header and no rows"),
    ],
)
def test_broken_tweets_are_named(rows, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        tweets(tmp_path, rows)
    assert (caught.value.row, caught.value.column) == (row, column)


def test_tweets_without_the_lines_of_types_are_refused_not_shortened(tmp_path):
    rows = HEAD.partition("\r\n")[0] + "\r\n" + ROW.format("False", 7, 1, "x") * 3
    with pytest.raises(DataError, match="row 2: .* must hold the types or roles of the columns"):
        reactions.read_tweets(put(tmp_path, "election-tweets-2016.tab", rows))


def test_maturity_compares_with_the_author_and_not_with_others():
    days = pd.date_range("2024-01-01", periods=40)
    frame = pd.concat([pd.DataFrame({"time": days, "author": a, "reactions": level})
                       for a, level in (("small", 10.0), ("large", 1000.0))])  # fmt: skip
    frame.loc[frame["time"] == days[-1], "reactions"] = [2.0, 200.0]
    assert reactions.maturity(frame, (6, 36)).values.tolist() == [[2.0, 0.2], [4.0, 0.6]]
    assert np.isnan(reactions.maturity(frame.iloc[:3], (6,))["ratio"].iloc[0])


# ---- a page of 2014


def metrics(folder: Path, rows: str, header: str = METRICS) -> Posts:
    return reactions.read_metrics(put(folder, "dataset_Facebook.csv", header + rows))


def test_days_follow_from_month_weekday_and_order(tmp_path):
    """31 December 2014 was a Wednesday, weekday 4; the Friday before, the 26th, or a week earlier, the 19th."""
    rows = POST.format(5, 12, 4, 3, 0, "4;79;17;100") + POST.format(5, 12, 6, 10, "", "0;;;0")
    posts = metrics(tmp_path, rows + POST.format(4, 12, 6, 11, 1, "1;2;;3"))
    assert_tidy(posts)
    assert [str(t) for t in posts.frame["time"]] == [
        "2014-12-19 11:00:00",
        "2014-12-26 10:00:00",
        "2014-12-31 03:00:00",
    ]
    assert posts.frame["reactions"].tolist() == [3, 0, 100] and posts.frame["shares"].tolist() == [0, 0, 17]
    assert posts.before == ["category", "paid", "fans"] and np.isnan(posts.frame["paid"][1])
    assert posts.outcomes[:4] == ["reactions", "likes", "comments", "shares"] and "reach" in posts.outcomes
    assert "0 days are certain, others may be earlier: 3 of them 2 weeks." in posts.note


def test_long_names_of_the_official_copy_are_known(tmp_path):
    places = {spellings[0]: spellings[-1] for spellings in reactions.METRICS.values()}
    header = ";".join(places[name.lower().replace("_", " ")].capitalize() for name in METRICS.strip().split(";"))
    row = POST.format(5, 12, 4, 3, 0, "4;79;17;100")
    pd.testing.assert_frame_equal(metrics(tmp_path, row, header + "\n").frame, metrics(tmp_path, row).frame)


@pytest.mark.parametrize("seed", range(5))
def test_any_true_order_lies_between_the_latest_and_the_earliest_day(seed, tmp_path):
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.choice(365 * 24, 200, replace=False))[::-1]
    when = pd.to_datetime("2014-01-01") + pd.to_timedelta(hours, unit="h")
    rows = [POST.format(1, t.month, t.isoweekday() % 7 + 1, t.hour, 0, "0;0;0;0") for t in when]
    table, _ = reactions.tables.open_table(put(tmp_path, "m.csv", METRICS + "".join(rows)), reactions.METRICS, [])
    weekday = np.array([t.isoweekday() % 7 + 1 for t in when])
    latest, earliest = reactions.days_of(table, when.month.to_numpy(), weekday, when.hour.to_numpy())
    true = when.to_numpy().astype("datetime64[D]")
    assert (earliest <= true).all() and (true <= latest).all() and (latest == true).mean() > 0.3


@pytest.mark.parametrize(
    ("rows", "column", "rule"),
    [
        (POST.format(5, 13, 4, 3, 0, "4;79;17;100"), "month", "'13' must be from 1 to 12"),
        (POST.format(5, "", 4, 3, 0, "4;79;17;100"), "month", "'' must be from 1 to 12"),
        (POST.format(5, 12, 4, 3, 7, "4;79;17;100"), "paid", "'7' must be 0 or 1"),
        (POST.format(5, 12, 4, 3, 0, "4;79;17;99"), "total", "'99' must be the sum of like, comment and share"),
        (POST.format(5, 12, 4, 3, 0, "4;;17;9"), "total", "'9' must be the sum"),
        (
            POST.format(5, 1, 4, 3, 0, "0;0;0;0") + POST.format(5, 2, 4, 3, 0, "0;0;0;0"),
            "month",
            "'2' with its weekday",
        ),
    ],
)
def test_broken_metrics_are_named(rows, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        metrics(tmp_path, rows)
    assert caught.value.column == column


# ---- shops that sell live


def test_shops_are_told_by_time_or_by_their_ids(tmp_path):
    rows = [f"{i},video,{day} 6:00,5,1,2,3,1,0,1,0,0\n"
            for i, day in enumerate(("4/22/2018", "04-11-2018", "4/30/2018", "4/30/2018", "4/2/2018"))]  # fmt: skip
    posts = reactions.read_live(put(tmp_path, "Live.csv", LIVE + "".join(rows)))
    assert_tidy(posts)
    assert posts.frame["author"].tolist() == ["shop 2", "shop 1", "shop 1", "shop 2"]
    assert str(posts.frame["time"][0]) == "2018-04-02 11:00:00" and posts.frame["reactions"].tolist() == [8.0] * 4
    assert posts.dropped["rows"].tolist() == [1]
    named = LIVE.replace("\n", ",Column1\n") + "7_1,photo,4/2/2018 6:00,5,1,2,3,1,0,1,0,0,\n"
    assert reactions.read_live(put(tmp_path, "Live.csv", named)).frame["author"].tolist() == ["7"]


def test_live_sellers_serve_customers_and_reactions(tmp_path):
    (tmp_path / "fb_live_sellers_thailand").mkdir()
    put(tmp_path / "fb_live_sellers_thailand", "Live.csv", LIVE + "1,video,4/22/2018 6:00,529,512,262,432,92,3,1,1,0\n")
    assert customers.load_customers("fb_live_sellers_thailand", tmp_path).what == "post"
    assert len(reactions.load_reactions("fb_live_sellers_thailand", tmp_path).frame) == 1


# ---- by name


def test_sample_is_loaded_offline():
    found = reactions.load_reactions("election-tweets-2016", offline=True)
    assert_tidy(found)
    assert found.origin == "sample" and len(found.fingerprint) == 64
    assert set(found.frame["kind"]) == {"link", "plain", "reply"} and set(found.frame["app"]) == {"web", "iPhone"}
    assert "Left out of 540 rows: " in found.note and "Counts were read at one moment, after" in found.note
    assert not found.frame["text"].str.contains("&amp;").any()


def test_own_folder_is_loaded_and_other_data_is_refused(tmp_path):
    for name in ("my-shop", "none", "empty"):
        (tmp_path / name).mkdir()
    put(tmp_path / "my-shop", "reactions.csv", OWN)
    put(tmp_path / "none", "posts.xlsx", b"PK")
    put(tmp_path / "empty", "reactions.tsv", "time\tlikes\n\t5\n")
    found = reactions.load_reactions("my-shop", tmp_path)
    assert_tidy(found)
    assert (found.name, found.origin, found.lines) == ("my-shop", "data-dir", 4)
    with pytest.raises(DataError, match="none: must hold reactions.csv, reactions.tsv or the files of a dataset"):
        reactions.load_reactions("none", tmp_path)
    with pytest.raises(DataError, match="holds no post that can be used. Left out of 1 rows: 1 .has no time"):
        reactions.load_reactions("empty", tmp_path)
    with pytest.raises(UsageError, match="ml-100k holds no posts with reactions, but u.data"):
        reactions.load_reactions("ml-100k", offline=True)
    with pytest.raises(UsageError, match="my-shop holds no table of customers, but reactions.csv"):
        customers.load_customers("my-shop", tmp_path)


def test_every_format_is_known_by_the_catalog_or_is_the_users_own():
    kinds = {name for name in catalog.names() if catalog.describe(name).kind == "reactions"}
    assert set(layouts.REACTIONS) == kinds | {"reactions-csv"}
    for name in kinds:
        assert layouts.recognise(catalog.describe(name).files, name)[0] == name


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["tweets", "metrics", "live"])
def test_damaged_file_is_read_tidy_or_refused_in_a_sentence(kind, seed, tmp_path):
    rng = np.random.default_rng(seed)
    when = pd.to_datetime("2014-01-01") + pd.to_timedelta(np.arange(20, 0, -1) * 300, unit="h")
    lines = {
        "tweets": [ROW.format("False", k, k, f"x {k}") for k in range(9, 0, -1)],
        "metrics": [POST.format(9, t.month, t.isoweekday() % 7 + 1, t.hour, 0, "1;2;3;6") for t in when],
        "live": [f"{i},video,4/{22 - i}/2018 6:00,5,1,2,3,1,0,1,0,0\n" for i in range(9)],
    }[kind]
    read, head, mark = {
        "tweets": (reactions.read_tweets, HEAD, b"\t"), "metrics": (reactions.read_metrics, METRICS, b";"),
        "live": (reactions.read_live, LIVE, b","),
    }[kind]  # fmt: skip
    data = (head + "".join(lines)).encode()
    for _ in range(100):
        harmed = damage(damage(data, mark, rng), mark, rng)
        try:
            assert_tidy(read(put(tmp_path, "file", harmed)))
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "lines", "kept", "authors", "total"),
    [
        ("election-tweets-2016", 6_444, 5_722, 2, 96_757_849), ("facebook_metrics", 500, 500, 1, 106_060),
        ("fb_live_sellers_thailand", 7_050, 6_996, 9, 3_435_127),
    ],
)  # fmt: skip
def test_real_files_have_their_published_numbers(name, lines, kept, authors, total):
    try:
        found = reactions.load_reactions(name, DATA)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert_tidy(found)
    assert (found.lines, len(found.frame), found.frame["author"].nunique()) == (lines, kept, authors)
    assert found.frame["reactions"].sum() == total
