"""Public collections of posts are read in their official forms, or the broken rule is named with file and row."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from smlab import layouts, posts, posttables
from smlab.archives import Member
from smlab.checks import DataError, UsageError
from tests.test_datasets import damage
from tests.test_owntext import assert_tidy

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"
VADER = (
    "1\t2.5\tSo good :)\r\n2\t-0.2\tMeh ...\r\n3_1\t0.19\tIt is Monday\r\n4\t0.2\tokay\r\n5\t-3.1\tawful, just awful"
)
SEMEVAL = (
    '101\tpositive\t"I\\u2019m \\""here\\""\\u002c at last"\n102\tneutral\tMonday.\t\n103\tnegative\tNot Available\n'
    "104\tnegative\tLost\\u002c again\tWed Jul 29 12:01:22 +0000 2015\n101\tpositive\tagain\n"
    "105\tneutral\tx\n105\tpositive\tx\n"
)
TEST = "104\tneutral\tLost\n201\tunknown\tToday\n"
MAPPING = "0\tnegative\n1\tneutral\n2\tpositive"
CHINESE = 'cat,label,review\n书籍,1,很好看\n水果,0,"又酸,又小"\n水果,1,甜\n衣服,0,褪色\n'
COLLECTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "vader": ("vader", {"tweets": VADER}),
    "shopping-zh": ("shopping-zh", {"negative": "太差\n坏了\n差\n还行\n", "positive": "好\n不错\n还行\n"}),
    "tweeteval": ("tweeteval", {"sentiment/mapping": MAPPING, "sentiment/train-text": "a good day \nb \nbad \nc \n",
                                "sentiment/train-labels": "2\n1\n0\n1\n", "sentiment/test-text": "x \ny \n",
                                "sentiment/test-labels": "0\n2\n"}),
    "semeval": ("semeval-2017-4a", {"2016train": SEMEVAL}),
    "shops": ("online_shopping_10_cats", {"reviews": CHINESE}),
    "smp": ("smp2020_ewect", {"usual/test": json.dumps([{"content": f"天{i}", "label": "sad"} for i in range(5)])}),
    "smp folds": ("smp2020_ewect", {f"usual/fold{k}": f"content,labels,type\n天{k},sad,usual\n" for k in range(5)}),
    "weibo": ("weibo_senti_100k", {"reviews": "label,review\n1,好[哈哈]\n0,累[泪]\n1,走\n0,\"雨,雪\"\n"}),
    "own": ("posts-csv", {"posts": "text,label\n\"a, b\",x\nc,y\nd,x\n"}),
}  # fmt: skip


def members(folder: Path, files: dict[str, str | bytes]) -> dict[str, Member]:
    for role, content in files.items():
        path = folder / role
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {role: Member(folder / role) for role in files}


def read(folder: Path, format_: str, files: dict[str, str | bytes], variant: str | None = None) -> posttables.Feed:
    return posttables.read(members(folder, files), format_, variant, "mine")


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_form_gives_a_tidy_frame(name, tmp_path):
    format_, files = COLLECTIONS[name]
    assert_tidy(read(tmp_path, format_, files))
    assert set(layouts.POSTS) == {format_ for format_, _ in COLLECTIONS.values()} == set(posttables.READERS)


def test_label_is_derived_from_the_human_mean_and_the_note_says_so(tmp_path):
    """The paper's thresholds of ±0.05 on a scale from -1 to 1 are ±0.2 on the raters' from -4 to 4."""
    feed = read(tmp_path, "vader", {"tweets": VADER})
    assert feed.frame["label"].tolist() == ["positive", "negative", "neutral", "positive", "negative"]
    assert feed.frame["intensity"].tolist() == [2.5, -0.2, 0.19, 0.2, -3.1]
    assert feed.labels == ["negative", "neutral", "positive"]
    assert "The label is derived from it: positive from 0.2, negative to -0.2, else neutral." in feed.note


def test_variant_is_chosen_by_name_and_a_wrong_one_names_the_nearest(tmp_path):
    files = {"tweets": VADER, "movies": "1\t1\tA film\n"}
    assert read(tmp_path, "vader", files, "movies").frame["text"].tolist() == ["A film"]
    with pytest.raises(UsageError, match=re.escape("mine has no variant 'movie': did you mean 'movies'?")):
        read(tmp_path, "vader", files, "movie")
    with pytest.raises(UsageError, match="mine has no variant 'x': it is one whole"):
        read(tmp_path, "posts-csv", {"posts": "text\na\n"}, "x")
    with pytest.raises(UsageError, match="no variant 'raw': known: stripped, emoticons"):
        read(tmp_path, "weibo_senti_100k", {"reviews": "label,review\n1,a\n"}, "raw")


def test_official_split_and_names_of_labels_are_kept(tmp_path):
    feed = read(tmp_path, *COLLECTIONS["tweeteval"])
    assert feed.frame.values.tolist() == [
        ["a good day", "positive", "train"], ["b", "neutral", "train"], ["bad", "negative", "train"],
        ["c", "neutral", "train"], ["x", "negative", "test"], ["y", "positive", "test"],
    ]  # fmt: skip
    emotion = {f"emotion/{role.partition('/')[2]}": text for role, text in COLLECTIONS["tweeteval"][1].items()}
    emotion |= {
        "emotion/mapping": "0\tanger\n1\tjoy\n2\toptimism\n3\tsadness",
        "emotion/train-text": "a\n \nx\n\\u2019\n",
    }
    feed = read(tmp_path, "tweeteval", emotion)
    assert feed.labels == ["anger", "joy", "optimism", "sadness"] and feed.frame["text"][2] == "\\u2019"
    assert feed.note == (
        "Official split. Rows without a text, dropped: 1. In the training part, too: 1 of the 2 texts of the test part."
    )


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (r'"I\u2019m \""here\""\u002c at last"', 'I’m "here", at last'),
        (r'"\"""" SOUL TRAIN\"""" OCT 27"', '" SOUL TRAIN" OCT 27'),
        ('"yes, there"', "yes, there"),
        ('"To be"', '"To be"'),
        ('"@a hi" reply, "so"', '"@a hi" reply, "so"'),
        (r"\m/ and \o/", r"\m/ and \o/"),
        (r"\ud83d\ude00 \ud83d", "😀 \ufffd"),
        (r"C:\users", r"C:\users"),
        ('"', '"'),
        ("plain", "plain"),
    ],
)
def test_what_storage_left_in_tweets_is_undone(stored, text):
    assert posttables.plain(stored) == text


def test_semeval_counts_each_tweet_once_and_contradictory_ones_not_at_all(tmp_path):
    files = {"2016train": SEMEVAL, "test": TEST, "gold": "104\tneutral\n201\tpositive\n"}
    feed = read(tmp_path, "semeval-2017-4a", files)
    assert feed.frame.values.tolist() == [
        ["I’m \"here\", at last", "positive", "train", "2016train"], ["Monday.", "neutral", "train", "2016train"],
        ["Lost", "neutral", "test", "2017test"], ["Today", "positive", "test", "2017test"],
    ]  # fmt: skip
    assert "(2 repetitions and 1 tweet with two labels dropped); test: 2017. Tweets no longer available" in feed.note
    with pytest.raises(DataError, match="row 2, column 'label': 'unknown' must be negative or neutral or positive"):
        read(tmp_path, "semeval-2017-4a", {"test": TEST})


TWEETS = COLLECTIONS["tweeteval"][1]
WRONG = [
    ("vader", {"tweets": VADER.replace("2.5", "4.5")}, "row 1, column 'intensity': '4.5' must be from -4 to 4"),
    ("vader", {"tweets": VADER.replace("2.5", "nan")}, "row 1, column 'intensity': 'nan' must be a finite number"),
    ("vader", {"tweets": VADER.replace("okay", " ")}, "row 4, column 'text': '' must not be empty"),
    ("vader", {"tweets": VADER.replace("\tokay", "")}, "row 4: .* must have 3 columns separated by"),
    (
        "tweeteval",
        TWEETS | {"sentiment/train-labels": "2\n1\n"},
        "train-labels: must have 4 lines as train-text has, has 2",
    ),
    (
        "tweeteval",
        TWEETS | {"sentiment/train-labels": "2\n1\n7\n1\n"},
        "row 3, column 'label': '7' must be one of 0, 1, 2",
    ),
    ("tweeteval", {"sentiment/mapping": MAPPING}, "must hold sentiment/train_text.txt, too"),
    ("tweeteval", {"sentiment/train-text": "a\n"}, "must hold sentiment/mapping.txt, too"),
    (
        "tweeteval",
        {"sentiment/mapping": MAPPING, "sentiment/test-text": "a\n"},
        "must hold sentiment/test_labels.txt, too",
    ),
    (
        "tweeteval",
        TWEETS | {"sentiment/mapping": "0\ta\n0\tb"},
        "mapping, row 1, column 'number': '0' is there more than once",
    ),
    (
        "tweeteval",
        TWEETS | {"sentiment/mapping": "0\ta\n1\ta\n2\tb"},
        "mapping, row 1, column 'name': 'a' must be there once",
    ),
    (
        "semeval-2017-4a",
        {"2016train": SEMEVAL.replace("101", "x1", 1)},
        "row 1, column 'id': 'x1' must be a whole number",
    ),
    (
        "semeval-2017-4a",
        {"2016train": SEMEVAL.replace("neutral", "objective", 1)},
        "row 2, column 'label': 'objective' must",
    ),
    ("semeval-2017-4a", {"2016train": SEMEVAL.replace("Monday.\t", "Monday.\tx")}, "row 2: .* must have 3 columns"),
    ("semeval-2017-4a", {"test": TEST, "gold": "104\tneutral\n"}, "row 2, column 'id': '201' is not in gold"),
    ("semeval-2017-4a", {"gold": "104\tneutral\n"}, "must hold the tweets, not only gold labels, too"),
]


@pytest.mark.parametrize(("format_", "files", "sentence"), WRONG)
def test_broken_rule_is_named(format_, files, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        read(tmp_path, format_, files)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_damaged_collections_give_a_tidy_frame_or_a_data_error(name, tmp_path):
    """9 forms x 70, one file of each with one to three harms."""
    format_, files = COLLECTIONS[name]
    rng, outcomes = np.random.default_rng(list(COLLECTIONS).index(name)), {"frame": 0, "error": 0}
    for _ in range(70):
        role = list(files)[int(rng.integers(0, len(files)))]
        data = files[role].encode()
        for _ in range(int(rng.integers(1, 4))):
            data = damage(data, b"\t" if b"\t" in data else b",", rng)
        try:
            assert_tidy(read(tmp_path, format_, files | {role: data}))
            outcomes["frame"] += 1
        except DataError as error:
            lines = max(len(re.split(b"[\r\n]", d)) for d in (data, *map(str.encode, files.values())))
            assert error.row is None or 1 <= error.row <= max(lines, 5)
            outcomes["error"] += 1
    assert min(outcomes.values()) > 4, outcomes


# ---- the real files ------------------------------------------------------------------------------


def real(name: str) -> Path:
    """Folder of real data that SMLAB_DATA names; without it the test is skipped."""
    folder = Path(os.environ.get("SMLAB_DATA") or "nowhere")
    if not (folder / name).is_dir():
        pytest.skip(f"SMLAB_DATA names no folder with {name}")
    return folder


REAL = [
    ("tweeteval", "sentiment", {"train": 45_615, "validation": 2000, "test": 12_284}),
    ("tweeteval", "emotion", {"train": 3257, "validation": 374, "test": 1421}),
    ("tweeteval", "irony", {"train": 2862, "validation": 955, "test": 784}),
    ("tweeteval", "offensive", {"train": 11_916, "validation": 1324, "test": 860}),
    ("tweeteval", "hate", {"train": 8993, "validation": 999, "test": 2970}),
    ("semeval-2017-4a", None, {"train": 49_486, "test": 12_284}),
    ("smp2020_ewect", "usual", {"train": 27_766, "validation": 2000, "test": 5000}),
    ("smp2020_ewect", "virus", {"train": 8606, "validation": 2000, "test": 3000}),
    ("online_shopping_10_cats", None, {None: 62_705}),
]


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "variant", "counts"), REAL)
def test_real_collections_have_their_published_sizes(name, variant, counts):
    """Sizes: Barbieri et al. (2020), table 1; SemEval 2017 task 4, 12,284 test tweets; the contest's own."""
    loaded = posts.load_posts(name, variant=variant, data_dir=real(name))
    assert_tidy(posttables.Feed(loaded.frame, loaded.labels, loaded.language, loaded.note))
    splits = loaded.frame["split"].value_counts().to_dict() if "split" in loaded.frame else {None: len(loaded.frame)}
    assert splits == counts
