"""A brand's own posts are read as spreadsheets leave them, or refused with row, column, value and rule."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab.archives import Member
from smlab.checks import DataError
from smlab.feeds import Feed
from smlab.owntext import read_posts
from tests.test_datasets import damage

POSTS = (
    'text,label,time,channel\n"Love it, really",positive,2024-05-01 09:30,web\n'
    "很好用，推荐,positive,2024-05-01T10:00:00+08:00,weibo\n\"It’s broken\nagain\",negative,1714557600,web\n"
    "Is it waterproof?,neutral,2024/5/3,app\n差评！,negative,2024.05.04 7:05:09Z,weibo\n"
)  # fmt: skip
CHINESE = "text,label\n" + "".join(
    f"这个很好用，第{i}次买,positive\n物流太慢了，等了{i}天,negative\n" for i in range(9)
).replace("，第", "第")
TEXTS = ["Love it, really", "很好用，推荐", "It’s broken\nagain", "Is it waterproof?", "差评！"]


def read(folder: Path, data: bytes | str, name: str = "posts.csv") -> Feed:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return read_posts(Member(folder / name))


def assert_tidy(feed: Feed) -> None:
    """The contract of a frame of posts."""
    frame = feed.frame
    assert isinstance(frame.index, pd.RangeIndex) and len(frame) and frame.columns[0] == "text"
    assert frame["text"].dtype == "str" and not frame.isna().any(axis=None)
    assert frame["text"].str.strip().eq(frame["text"]).all() and frame["text"].ne("").all()
    "".join(frame["text"]).encode()  # no halves of characters
    assert feed.language in ("en", "zh") and feed.note.endswith((".", "?"))
    assert bool(feed.labels) == ("label" in frame)
    if "label" in frame:
        assert set(frame["label"]) <= set(feed.labels) and len(set(feed.labels)) == len(feed.labels)
    if "time" in frame:
        assert frame["time"].dtype == "datetime64[ns, UTC]" and frame["time"].dt.year.between(1970, 2099).all()
    if "intensity" in frame:
        assert np.isfinite(frame["intensity"]).all()


def test_posts_are_read_with_labels_and_times(tmp_path):
    feed = read(tmp_path, POSTS)
    assert_tidy(feed)
    assert feed.frame["text"].tolist() == TEXTS and feed.labels == ["negative", "neutral", "positive"]
    assert [str(t)[:19] for t in feed.frame["time"]] == [
        "2024-05-01 09:30:00", "2024-05-01 02:00:00", "2024-05-01 10:00:00", "2024-05-03 00:00:00",
        "2024-05-04 07:05:09",
    ]  # fmt: skip
    assert feed.frame["channel"].tolist() == ["web", "weibo", "web", "app", "weibo"]
    assert feed.note == "5 posts of your own, read as UTF-8; how they were collected is not known here."


@pytest.mark.parametrize(
    "change",
    [
        lambda s: codecs.BOM_UTF8 + s.encode(),
        lambda s: s.replace("\n", "\r\n").encode(),
        lambda s: s.replace("\n", "\r").encode(),
        lambda s: s.rstrip("\n").encode(),
        lambda s: s.encode("utf-16"),
        lambda s: ("sep=,\r\n" + s).encode(),
        lambda s: ('"sep=,"\n' + s).encode(),
        lambda s: (s + ",,,\n,,,\n\n").encode(),
        lambda s: s.replace("text,label,time", " Text,LABEL,Time").encode(),
        lambda s: s.replace(",", ";").replace("Love it; really", "Love it, really").encode(),
        lambda s: ("sep=;\n" + s.replace(",", ";").replace("Love it; really", "Love it, really")).encode(),
        lambda s: s.replace(",", "\t").replace("Love it\t really", "Love it, really").encode("utf-16"),
        lambda s: re.sub("$", ",", s, flags=re.M).replace("It’s broken,", "It’s broken").removesuffix(",").encode(),
    ],
    ids=["byte-order mark", "CRLF", "CR", "no last line end", "UTF-16", "sep", "quoted sep", "empty rows at the end",
         "header in capitals", "semicolons", "sep and semicolons", "Excel's Unicode text", "an empty column"],
)  # fmt: skip
def test_what_spreadsheets_write_changes_nothing(change, tmp_path):
    plain = read(tmp_path, POSTS).frame
    pd.testing.assert_frame_equal(read(tmp_path, change(POSTS)).frame, plain)


def test_chinese_is_read_from_gb18030_and_the_note_says_so(tmp_path):
    feed = read(tmp_path, CHINESE.encode("gb18030"))
    pd.testing.assert_frame_equal(feed.frame, read(tmp_path, CHINESE).frame)
    assert feed.language == "zh" and "18 posts of your own, read as GB18030;" in feed.note
    assert read(tmp_path, POSTS).language == "en"


def test_only_text_is_needed_and_unknown_columns_stay(tmp_path):
    feed = read(tmp_path, "id,text,likes\n007,Fine,3\n8,好,\n")
    assert list(feed.frame) == ["text", "id", "likes"] and feed.labels == []
    assert feed.frame["id"].tolist() == ["007", "8"] and feed.frame["likes"].tolist() == ["3", ""]
    assert read(tmp_path, "text\nhello\n").frame["text"].tolist() == ["hello"]
    assert read(tmp_path, "text\tsplit\tintensity\na,b\ttest\t-1.5\n", "posts.tsv").frame.values.tolist() == [
        ["a,b", "test", -1.5]
    ]


def test_times_without_a_zone_are_said_to_be_utc(tmp_path):
    assert read(tmp_path, "text,time\na,2024-05-01 09:30\n").note.endswith("no zone and are taken for UTC.")


WRONG = [
    ("text,label\nfine,a\n ,b\n", 3, "text", "column 'text': '' must not be empty"),
    ("text,label\nfine,a\nx,\n", 3, "label", "'' must not be empty; posts without a label belong in a file of their"),
    ("text,id\n#NAME?,1\n", 2, "text", "'#NAME?' is what a spreadsheet shows for a cell that it cannot work out"),
    ("text,id\nfine,#REF!\n", 2, "id", "'#REF!' is what a spreadsheet shows"),
    ("text,time\nfine,########\n", 2, "time", "'########' is what a spreadsheet shows"),
    ("text,id\na,7\nb,1.23E+15\nc,1.24E+15\n", 3, "id", "'1.23E+15' is a long number that a spreadsheet has rounded; "
     "export the column anew, as text (and 1 more row)"),
    ("text;id\na;1,23E+17\n", 2, "id", "'1,23E+17' is a long number that a spreadsheet has rounded"),
    ("text,time\na,05/06/2024\n", 2, "time", "'05/06/2024' must be seconds since 1970 or a time with the year first"),
    ("text,time\na,2024-13-01\n", 2, "time", "'2024-13-01' must be seconds since 1970 or"),
    ("text,time\na,1714557600000\n", 2, "time", "must be seconds since 1970; these look like milliseconds"),
    ("text,time\na,45413.4\n", 2, "time", "these look like a spreadsheet's days since 1900"),
    ("text,time\na,\n", 2, "time", "'' must be seconds since 1970 or"),
    ("text,time\na,9999999999\n", 2, "time", "from 1970 to 2099"),
    ("text,split\na,dev\n", 2, "split", "'dev' must be train or validation or test"),
    ("text,intensity\na,high\n", 2, "intensity", "'high' must be a finite number"),
    ("text,label\nI like it, really,a\n", 2, None, "must have 2 columns separated by ',', has 3; quote a text"),
    ("text,label\n“I like it, really”,a\n", 2, None, "with straight \", not curly, marks"),
    ("text,label\nfine\n", 2, None, "'fine' must have 2 columns separated by ',', has 1"),
    ("text,label\nfine,a\n\nx,b\n", 3, None, "must have 2 columns separated by ',', has none"),
    ('text,label\n"open,a\nx,b\n', 2, None, "is not a table with ',' between the cells"),
    ("text,label\nfine,a\nx\0y,b\n", 3, None, "holds a NUL; the file is damaged or not text"),
    ("text,label,\na,b,\nc,d,e\n", 3, "", "'e' stands in a column without a name"),
    ("tekst,label\na,b\n", 1, "text", "must be in the header, and between commas, semicolons, tabs or bars; the "),
    ("sep=;\ntekst;label\na;b\n", 2, "text", "the header is 'tekst;label'"),
    ("sep=x\ntextxlabel\n", 1, None, "'sep=x' must name a comma, semicolon, tab or bar"),
    ("text,Text\na,b\n", 1, None, "'text' is in the header more than once"),
    ("text,label\n", None, None, "holds a header and no rows"),
    ("sep=;\n", None, None, "holds a header and no rows"),
    ("text,label\n" + "".join(f"a,{i}\n" for i in range(60)), 52, "label",
     "'50' is one of 60 different labels, of which there can be 50"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "row", "column", "sentence"), WRONG)
def test_what_cannot_be_right_is_named(data, row, column, sentence, tmp_path):
    with pytest.raises(DataError, match=re.escape(sentence)) as caught:
        read(tmp_path, data)
    assert (caught.value.row, caught.value.column) == (row, column)
    assert str(caught.value).startswith(str(tmp_path / "posts.csv"))


def test_garbled_file_is_refused_and_a_garbled_post_only_mentioned(tmp_path):
    garbled = "text\n" + "It’s fine\nC’est bien\nplain\n".encode().decode("cp1252")
    with pytest.raises(DataError, match="row 2, column 'text': 'Itâ€™s fine' was read in another encoding .* more row"):
        read(tmp_path, garbled)
    with pytest.raises(DataError, match="was read in another encoding than it was written in"):
        read(tmp_path, CHINESE.encode().decode("gb18030", "replace").replace("锛?", "，"))
    few = "text\n" + "It’s fine\n" * 10 + "Itâ€™s fine\n"
    feed = read(tmp_path, few)
    assert feed.note.endswith("Posts with garbled letters: 1, the first in row 12; they stay as they are.")
    assert feed.frame["text"][10] == "Itâ€™s fine"
    assert "garbled" in read(tmp_path, "text\n" + "plain\n" * 200 + "Itâ€™s fine\n").note  # under one in a hundred


def test_posts_of_question_marks_are_letters_that_an_encoding_lacked(tmp_path):
    with pytest.raises(DataError, match="row 3, column 'text': '.*' is question marks for letters .* more row"):
        read(tmp_path, "text\nok\n??????!\n???\n")
    assert read(tmp_path, "text\n" + "really? why??\n" * 9 + "???\n").frame.shape == (10, 1)


@pytest.mark.parametrize(
    "post", ["x" * 1_000_000, "مرحبا بالعالم", "\u202eevil\u202c", "👩‍👩‍👧‍👦", "a\u2028b\x85c\x0b", "NaN", "=1+1"]
)
def test_strange_posts_stay_as_they_are(post, tmp_path):
    assert read(tmp_path, f'text,label\n"{post}",a\nb,b\n').frame["text"].tolist() == [post.strip(), "b"]


@pytest.mark.parametrize("base", [POSTS, CHINESE, POSTS.replace(",", ";")], ids=["commas", "Chinese", "semicolons"])
def test_damaged_files_give_a_tidy_frame_or_a_data_error(base, tmp_path):
    """3 files x 150, each with one to three harms."""
    rng, outcomes = np.random.default_rng(len(base)), {"frame": 0, "error": 0}
    for _ in range(150):
        data = base.encode()
        for _ in range(int(rng.integers(1, 4))):
            data = damage(data, b";" if ";" in base else b",", rng)
        try:
            assert_tidy(read(tmp_path, data))
            outcomes["frame"] += 1
        except DataError as error:
            assert error.row is None or 1 <= error.row <= len(re.findall(b"[\r\n]", data)) + 1
            outcomes["error"] += 1
    assert min(outcomes.values()) > 15, outcomes
