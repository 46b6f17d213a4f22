"""Chinese collections are read in their own forms; emoticons that made the labels are taken out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from smlab import chineseposts
from smlab.archives import Member
from smlab.checks import DataError

SHOPPING = (
    'cat,label,review\n书籍,1,\ufeff很好看\n书籍,0,\n水果,0,"又酸,又小"\n水果,1,很好看\n衣服,1,一般\n酒店,0,一般\n'
)
WEIBO = (
    "label,review\n1,太好了[哈哈][good]\n0,下雨了[泪]\n1,[爱你]\n0,太好了[抓狂] [泪]\n"
    '1,看[这个链接在这里可以点开]\n1,"出发[嘻嘻]"\n'
)
VIRUS = [{"id": 1, "content": "平安", "label": "happy"}, {"id": 2, "content": "担心", "label": "fear"}]


def member(folder: Path, text: str, name: str = "file") -> Member:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return Member(folder / name)


def test_reviews_of_the_shops_lose_repetitions_and_contradictions(tmp_path):
    feed = chineseposts.read_online_shopping({"reviews": member(tmp_path, SHOPPING)})
    assert feed.frame.values.tolist() == [["很好看", "positive", "书籍"], ["又酸,又小", "negative", "水果"]]
    assert feed.labels == ["negative", "positive"] and feed.language == "zh"
    assert "without a text: 1. Dropped of 5 rows: 1 repetition, 1 text under two labels." in feed.note


def test_lines_of_good_and_bad_reviews_become_one_frame(tmp_path):
    files = {
        "negative": member(tmp_path, "太差\n太差\n\n还行\n", "neg"),
        "positive": member(tmp_path, "好\n还行\n", "pos"),
    }
    feed = chineseposts.read_shopping_zh(files)
    assert feed.frame.values.tolist() == [["太差", "negative"], ["好", "positive"]]
    assert (
        "Dropped of 5 rows: 1 repetition, 1 text under two labels." in feed.note
        and "SnowNLP was trained on them" in feed.note
    )
    with pytest.raises(DataError, match=r"must hold pos_sentences\.txt, too"):
        chineseposts.read_shopping_zh({"negative": files["negative"]})


def test_lexicon_gives_weights_and_the_last_of_a_repeated_word(tmp_path):
    assert chineseposts.read_lexicon(member(tmp_path, "好 1.5\n差 -2\n好 2.0\n")) == {"好": 2.0, "差": -2.0}
    for text, rule in (
        ("好 x\n", "'x' must be a finite number"),
        ("好\n", "must have 2 columns"),
        (" 1\n", "not be empty"),
    ):
        with pytest.raises(DataError, match=rf"file, row 1.*{rule}"):
            chineseposts.read_lexicon(member(tmp_path, text))


def test_emoticons_go_unless_they_are_asked_for(tmp_path):
    files = {"reviews": member(tmp_path, WEIBO)}
    feed = chineseposts.read_weibo(files)
    assert feed.frame["text"].tolist() == ["下雨了", "看", "出发"]
    assert not feed.frame["text"].str.contains(r"\[(?:哈哈|泪|嘻嘻|good)\]").any()
    assert "太好了" not in set(feed.frame["text"])  # without its emoticons it stands under both labels
    assert "labels were made from the emoticons" in feed.note and "posts of nothing else: 1." in feed.note
    kept = chineseposts.read_weibo(files, "emoticons")
    assert kept.frame["text"].tolist()[:2] == ["太好了[哈哈][good]", "下雨了[泪]"] and len(kept.frame) == 6
    assert "a model that reads them scores high and learns nothing" in kept.note


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("[泪][泪]", ""), ("好[good]的", "好的"), ("[带着微博去旅行]走", "走"), ("a [b c] d", "a [b c] d"),
        ("回复@x:[嘻嘻] //@y:[good]", "回复@x: //@y:"), ("[[泪]]", "[]"), ("数组[0]", "数组"), ("[]", "[]"),
    ],
)  # fmt: skip
def test_strip_emoticons_takes_short_words_in_brackets(text, stripped):
    assert chineseposts.strip_emoticons(text) == stripped


def smp(folder: Path) -> dict[str, Member]:
    posts = json.dumps(VIRUS, ensure_ascii=False)
    files = {f"usual/fold{k}": f"content,labels,type\n日子{k},neural,usual\n口罩{k},sad,virus\n" for k in range(5)}
    files |= {"usual/fold3": "content,labels,type\n,happy,usual\n平安,happy,usual\n"}
    files |= {"usual/test": posts, "virus/train": posts, "virus/eval": posts, "usual/eval": posts}
    return {role: member(folder, text, role) for role, text in files.items()}


def test_training_part_of_the_usual_posts_is_the_union_of_the_folds(tmp_path):
    feed = chineseposts.read_smp2020(smp(tmp_path), "usual")
    assert feed.frame["split"].value_counts().to_dict() == {"train": 5, "validation": 2, "test": 2}
    assert feed.frame["text"].tolist()[:5] == ["日子0", "日子1", "日子2", "平安", "日子4"]
    assert feed.frame["label"].tolist()[:4] == ["neutral", "neutral", "neutral", "happy"]
    assert feed.note == (
        "Official split. The training part is the union of five published folds. Posts without a text, dropped: 1. "
        "In the training part, too: 1 of the 2 texts of the test part."
    )
    virus = chineseposts.read_smp2020(smp(tmp_path), "virus")
    assert virus.frame["split"].tolist() == ["train"] * 2 + ["validation"] * 2 and virus.note == "Official split."
    own = smp(tmp_path) | {"usual/train": member(tmp_path, json.dumps(VIRUS), "train")}
    assert len(chineseposts.read_smp2020(own, "usual").frame) == 6


WRONG = [
    ("[]", "must be a list of posts such as"),
    ("{}", "must be a list of posts such as"),
    ("[1]", r"row 1: 1 must have a text as content and as label"),
    (
        '[{"content": "a", "label": "happy"}, {"content": null, "label": "sad"}]',
        "row 2: .* must have a text as content",
    ),
    ('[{"content": "a", "label": "glad"}]', "row 1, column 'label': 'glad' must be one of angry, fear, happy, neutral"),
    ('[{"content": "a\\ud83d", "label": "happy"}]', "row 1, column 'content': .* holds half of a character"),
    ('[{"content": "a"\n, "label": happy}]', r"row 2: is not JSON \(Expecting value"),
    ("[" * 100_000, "is not JSON"),
    ('[{"content": " ", "label": "happy"}]', "holds no posts of 'virus'"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_broken_json_is_named(text, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        chineseposts.read_smp2020({"virus/train": member(tmp_path, text)}, "virus")


def test_missing_fold_and_strange_kind_are_named(tmp_path):
    files = smp(tmp_path)
    with pytest.raises(DataError, match=r"must hold dev4\.csv, too"):
        chineseposts.read_smp2020({r: f for r, f in files.items() if r != "usual/fold4"}, "usual")
    files["usual/fold1"] = member(tmp_path, "content,labels,type\na,happy,other\n")
    with pytest.raises(DataError, match="row 2, column 'type': 'other' must be usual or virus"):
        chineseposts.read_smp2020(files, "usual")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SHOPPING.replace("酒店,0", "酒店,2"), "row 7, column 'label': '2' must be 0 or 1"),
        (SHOPPING.replace("酒店,0", ",0"), "row 7, column 'cat': '' must not be empty"),
        (SHOPPING.replace("cat", "kind"), "column 'cat': must be in the header exactly once"),
        (SHOPPING.replace(",一般", ",一,般"), "row 6: .* must have 3 columns separated by ',', has 4; quote a text"),
        ("cat,label,review\n", "holds a header and no rows"),
        ("cat,label,review\na,1,\n", "holds no text"),
        ('cat,label,review\na,1,"x\n', "row 2: is not a table"),
    ],
)
def test_broken_rows_of_the_shops_are_named(text, sentence, tmp_path):
    with pytest.raises(DataError, match=re.compile(sentence)):
        chineseposts.read_online_shopping({"reviews": member(tmp_path, text)})
