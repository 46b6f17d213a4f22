"""A brand's own export becomes posts with reactions in order of time, or one sentence."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab.archives import Member
from smlab.checks import DataError, SmlabError
from smlab.reactiontables import CONTEXT, Posts, counts, open_table, read_own
from tests.test_datasets import damage

OWN = (
    "Date,Account,Content,Type,Likes,Comments,Shares,Reach,before: price,id\n"
    '2024-05-03 18:00,tea,"Green tea, back",Photo,"1,204",31,7,"9,000",4.50,a\n'
    "2024-05-02T18:05:00+08:00,tea,新茶到了,video,310,12,3,,6,b\n"
    "2024/5/1 9:30,tea,Hello,Photo,12,0,0,90,,c\n"
    "2024/5/1 9:30,tea,Hello,Photo,12,0,0,90,,c\n"
)


def assert_tidy(posts: Posts) -> None:
    """The contract of posts with reactions, and of their account."""
    frame = posts.frame
    assert isinstance(frame.index, pd.RangeIndex) and list(frame)[:2] == ["time", "author"]
    assert frame["time"].dtype == "datetime64[ns]" and frame["time"].is_monotonic_increasing
    assert frame["time"].between("1969-12-30", "2100-01-02").all() and not frame["author"].eq("").any()
    first = [name for name in ("time", "author", "text", "kind") if name in frame]
    assert list(frame) == [*first, *posts.before, *posts.outcomes]
    for name in ("author", "text", "kind"):
        assert name not in frame or frame[name].dtype == "str"
    assert all(frame[name].dtype in ("str", "float64") for name in posts.before)
    assert posts.outcomes[0] == "reactions" and not frame["reactions"].isna().any()
    for name in posts.outcomes:
        assert frame[name].dtype == "float64" and not (frame[name] < 0).any() and not (frame[name] % 1 > 0).any()
    assert len(frame) + posts.dropped["rows"].sum() == posts.lines and posts.note.endswith((".", "?"))


def own(folder: Path, data: bytes | str) -> Posts:
    (folder / "reactions.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_own(Member(folder / "reactions.csv"), "me")


def reasons(posts: Posts) -> dict[str, int]:
    return dict(zip(posts.dropped["reason"], posts.dropped["rows"], strict=True))


def test_own_posts_are_read_in_order_of_time(tmp_path):
    posts = own(tmp_path, OWN)
    assert_tidy(posts)
    assert [str(t) for t in posts.frame["time"]] == [
        "2024-05-01 09:30:00",
        "2024-05-02 10:05:00",
        "2024-05-03 18:00:00",
    ]
    assert posts.frame["text"].tolist() == ["Hello", "新茶到了", "Green tea, back"]
    assert posts.frame["kind"].tolist() == ["photo", "video", "photo"]
    assert posts.frame["reactions"].tolist() == [12, 325, 1242] and posts.before == ["price"]
    assert posts.outcomes == ["reactions", "likes", "comments", "shares", "reach"]
    np.testing.assert_array_equal(posts.frame["price"], [np.nan, 6, 4.5])
    np.testing.assert_array_equal(posts.frame["reach"], [90, np.nan, 9000])
    assert reasons(posts) == {"repeats a row": 1}
    assert "name no zone are taken for UTC." in posts.note and posts.note.endswith("Not read: id.")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: codecs.BOM_UTF8 + s.encode(),
        lambda s: s.replace("\n", "\r\n").encode(),
        lambda s: s.encode("utf-16"),
        lambda s: ("sep=,\r\n" + s).encode(),
        lambda s: (s + ",,,,,,,,,\n\n").encode(),
        lambda s: s.replace(",", "\t").replace("tea\t back", "tea, back").replace("1\t204", "1,204")
                   .replace("9\t000", "9,000").encode("utf-16"),
        lambda s: s.replace("Date,Account,Content,Type,Likes,Comments,Shares,Reach,before: price",
                            "发布时间,账号,内容,类型,点赞数,评论数,转发数,触达人数,发布前：price").encode("gb18030"),
        lambda s: s.replace("Date,", "created_at,").replace("Likes", "Favorite-Count")
                   .replace("Shares", "RETWEETS").encode(),
    ],
    ids=["byte-order mark", "CRLF", "UTF-16", "sep", "empty rows", "Excel's Unicode text", "Chinese", "other names"],
)  # fmt: skip
def test_what_platforms_and_spreadsheets_write_changes_nothing(change, tmp_path):
    pd.testing.assert_frame_equal(own(tmp_path, change(OWN)).frame, own(tmp_path, OWN).frame)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "7"], [1234, 7]), (["1.234", "7"], [1234, 7]), (["1 234", "7"], [1234, 7]),
        (["1'234'567"], [1_234_567]), (["218.0", "1.0"], [218, 1]), (["218.", "0"], [218, 0]), (["1e+05"], [100_000]),
        (["1.234,0", "5,0"], [1234, 5]), (["1,234.00", "5"], [1234, 5]), (["007"], [7]),
        (["1,000", "1,250"], [1000, 1250]),
        (["1\u202f234"], [1234]), (["10,000,000", "1,000"], [10_000_000, 1000]),
        (["9,000", "90"], [9000, 90]), (["9.000", "90.000", "1234.000"], [9, 90, 1234]),
        (["", "3", "n/a"], [np.nan, 3, np.nan]),
    ],
)  # fmt: skip
def test_counts_are_whole_whatever_parts_their_thousands(cells, numbers, tmp_path):
    (tmp_path / "c.csv").write_text("likes\ttime\n" + "".join(f"{cell}\tx\n" for cell in cells))
    table, _ = open_table(Member(tmp_path / "c.csv"), {"likes": ("likes",), "time": ("time",)}, [])
    np.testing.assert_array_equal(counts(table, "likes"), numbers)


@pytest.mark.parametrize(
    "cell",
    ["-3", "1.5", "1,5", "1.2k", "1.2万", "10万+", "£7", "(5)", "many", "1.23E+15", "1,23,4", "1..2", "+5", "9" * 20],
)
def test_what_is_no_count_is_refused_with_its_row(cell, tmp_path):
    with pytest.raises(DataError) as caught:
        own(tmp_path, f"time;likes\n2024-05-01;5\n2024-05-02;{cell}\n")
    assert (caught.value.row, caught.value.column, caught.value.value) == (3, "likes", cell)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("2024-05-01T09:30:00Z", "2024-05-01 09:30:00"), ("2024-05-01 09:30 +0530", "2024-05-01 04:00:00"),
        ("2024-01-01 01:00-05:00", "2024-01-01 06:00:00"), ("1714557600", "2024-05-01 10:00:00"),
        ("31/12/2023", "2023-12-31 00:00:00"), ("12/31/2023 5:30 pm", "2023-12-31 17:30:00"),
        ("2024-05-01T09:30:00.000+08:00", "2024-05-01 01:30:00"),
    ],
)  # fmt: skip
def test_times_become_utc(cell, shown, tmp_path):
    assert [str(t) for t in own(tmp_path, f"time,likes\n{cell},5\n").frame["time"]] == [shown]


@pytest.mark.parametrize(
    ("data", "row", "column", "rule"),
    [
        ("", None, None, "is empty"), ("time,likes\n", None, None, "holds a header and no rows"),
        ("when,likes\n2024-05-01,5\n", 1, "time", "must be in the header; the header is 'when, likes'"),
        ("time,text\n2024-05-01,x\n", None, "likes", "must be in the header, with counts below it, or comments"),
        ("time,likes\n2024-05-01,\n", None, "likes", "must be in the header, with counts below it"),
        ("time,like,favorites\n2024-05-01,5,6\n", 1, "likes", "'like, favorites' is in the header 2 times; call"),
        ("time,likes\n01/02/2024,5\n", 2, "time", "may have the day or the month first"),
        ("time,likes\n31/12/2024,5\n12/31/2024,5\n", 3, "time", "has the month first"),
        ("time,likes\n45413,5\n", 2, "time", "spreadsheet's days"),
        ("time,likes\n2024-05-01 09:30+99:00,5\n", 2, "time", "must be a date"),
        ("time;likes\n2024-05-01;1,000\n2024-05-01;5,000\n", 2, "likes", "may be thousands or a fraction"),
        ("time,likes\n2024-05-01,5,6\n", 2, None, "must have 2 columns"),
        ("time,likes,text\n2024-05-01,5,#NAME?\n", 2, "text", "is what a spreadsheet shows"),
        ("time,likes,text\n2024-05-01,5,Itâ€™s fine\n", 2, "text", "was written in another encoding"),
        ("time,likes,text\n2024-05-01,5,????\n", 2, "text", "was written in another encoding"),
        ("time,likes,before: likes\n2024-05-01,5,6\n", None, "before: likes", "is the name of another column"),
        ("time,likes,before: a,before: a\n2024-05-01,5,6,7\n", 1, "before: a", "is in the header 2 times"),
        ("time,likes,before: price\n2024-05-01,5,£5\n2024-05-01,5,#REF!\n", 3, "before: price", "is what a spread"),
        ("sep=:\ntime:likes\n", 1, None, "must name a comma, semicolon, tab or bar"),
        ('time,likes\n"2024-05-01,5\n', None, None, "is not a table"),
    ],
)  # fmt: skip
def test_broken_file_is_named(data, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        own(tmp_path, data)
    assert caught.value.column == column and (row is None or caught.value.row == row)


def test_missing_cells_are_left_out_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    rows = [[f"2024-05-{1 + i % 28:02d} 10:{i % 60:02d}", f"a{i % 3}", f"text {i}", str(i)] for i in range(300)]
    gone = rng.random((300, 4)) < 0.1
    body = "\n".join(
        ",".join("" if g else c for c, g in zip(r, m, strict=True)) for r, m in zip(rows, gone, strict=True)
    )
    posts = own(tmp_path, "time,author,text,likes\n" + body + "\n")
    assert_tidy(posts)
    assert reasons(posts) == {
        "has no author": gone[:, 1].sum(), "has no time": (gone[:, 0] & ~gone[:, 1]).sum(),
        "has no likes": (gone[:, 3] & ~gone[:, 0] & ~gone[:, 1]).sum(),
    }  # fmt: skip
    assert posts.frame["text"].eq("").any()  # a photo without words is a post


def test_alike_rows_are_posts_where_nothing_can_tell_them_apart(tmp_path):
    assert len(own(tmp_path, "time,likes\n2024-05-01,5\n2024-05-01,5\n").frame) == 2
    assert len(own(tmp_path, "time,likes\n2024-05-01 9:30,5\n2024-05-01 9:30,5\n").frame) == 1
    assert len(own(tmp_path, "time,likes,id\n2024-05-01 9:30,5,a\n2024-05-01 9:30,5,b\n").frame) == 2


def test_total_counts_only_where_its_parts_are_not_known(tmp_path):
    posts = own(tmp_path, "时间,互动量\n2024-05-01,5\n")
    assert posts.outcomes == ["reactions"] and posts.frame["reactions"].tolist() == [5] and posts.before == []
    posts = own(tmp_path, "time,reactions,comments,interactions\n2024-05-01,5,2,99\n")
    assert posts.outcomes == ["reactions", "likes", "comments"] and posts.frame["reactions"].tolist() == [7]


def test_what_was_known_before_is_numbers_or_words(tmp_path):
    posts = own(tmp_path, "time,likes,before: a,before: b,before: c,before: d,Paid\n"
                "2024-05-01,5,1.5,007,,x,yes\n2024-05-02,5,\"2,250.5\",8,,,no\n")  # fmt: skip
    assert_tidy(posts)
    assert posts.before == ["paid", "a", "b", "d"] and "paid" in CONTEXT
    assert posts.frame["a"].tolist() == [1.5, 2250.5] and posts.frame["b"].tolist() == ["007", "8"]
    assert posts.frame["d"].tolist() == ["x", "unknown"]


def test_few_garbled_posts_are_mentioned(tmp_path):
    rows = "".join(f"2024-05-01,{i},Café {i}\n" for i in range(40))
    assert (
        "garbled letters: 1, the first in row 2;" in own(tmp_path, "time,likes,text\n2024-05-01,1,Itâ€™s\n" + rows).note
    )


def harmed(rng: np.random.Generator) -> bytes:
    """An own file with harms that files meet, and of those that exports have."""
    lines = [
        f"2024-05-{rng.integers(1, 29):02d} {k:02d}:15,a{k % 2},post {k},photo,{int(rng.lognormal(5))},{k},{k * 7}"
        for k in range(12)
    ]
    cells = ["", "01/02/2024", "31/12/2024", "12/31/2024", "45413", "£5", "1,234", "1.234,50", "-9", "(5)", "NaN",
             "1.2k", "=cmd()", "1e400", "#REF!", "1.23E+15", '"', "2024-02-30", "电影", "x" * 3000, "\ufeff", "10万+",
             "2024-05-01T09:30+99:99", "1e+05", "Itâ€™s", "2024-05-01T09:30:00+08:00"]  # fmt: skip
    for _ in range(int(rng.integers(0, 4))):
        at = int(rng.integers(len(lines)))
        row = lines[at].split(",")
        row[int(rng.integers(len(row)))] = cells[int(rng.integers(len(cells)))]
        lines[at] = ",".join(row)
    data = ("\n".join(["time,author,text,type,likes,before: n,views", *lines]) + "\n").encode()
    for _ in range(int(rng.integers(0, 2))):
        data = damage(data, b",", rng)
    return data.decode("utf-8", "replace").encode("utf-16") if rng.random() < 0.05 else data


@pytest.mark.parametrize("seed", range(6))
def test_damaged_file_is_read_tidy_or_refused_in_a_sentence(seed, tmp_path):
    rng, read_, refused = np.random.default_rng(seed), 0, 0
    for _ in range(100):
        try:
            assert_tidy(own(tmp_path, harmed(rng)))
            read_ += 1
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600
            refused += 1
    assert min(read_, refused) > 10
