"""Queries with intents are read in their official forms, or the broken rule is named with file and place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from smlab.archives import Member
from smlab.catalog import Located
from smlab.checks import DataError, UsageError
from smlab.intenttables import load_intents, read_intents

CLINC = {
    "train": [["what is my balance", "balance"], ["play a song", "music"], ["play it", "music"]],
    "val": [["how much have I", "balance"]], "test": [["play a song", "music"]],
    "oos_train": [["who am I", "oos"]], "oos_test": [["why", "oos"]],
}  # fmt: skip
SMP = 'split,label,text\ntrain,app,打开微信\ndevelop,bus,怎么坐车\ntest,app,"开,QQ"\n'


def located(folder: Path, format_: str | None, **files: str) -> Located:
    for role, content in files.items():
        (folder / role).write_text(content, encoding="utf-8")
    return Located("mine", folder, "data-dir", "0" * 64, format_, {role: Member(folder / role) for role in files})


def test_clinc_is_read_with_its_split_and_domains(tmp_path):
    domains = {"banking": ["balance"], "media": ["music"]}
    data = read_intents(located(tmp_path, "clinc150", queries=json.dumps(CLINC), domains=json.dumps(domains)))
    assert data.frame["split"].value_counts().to_dict() == {"train": 4, "test": 2, "validation": 1}
    assert data.frame["domain"].tolist()[:4] == ["banking", "media", "media", "oos"]
    assert (data.intents, data.language) == (["balance", "music"], "en")
    assert data.part("test")["intent"].tolist() == ["music", "oos"]
    assert "1 query there before, word for word" in data.note and "1 of the 2 texts of the test part" in data.note


def test_chinese_queries_are_read(tmp_path):
    data = read_intents(located(tmp_path, "smp2017", queries=SMP))
    assert data.frame["split"].tolist() == ["train", "validation", "test"]
    assert (data.intents, data.language, data.frame["text"][2]) == (["app", "bus"], "zh", "开,QQ")


@pytest.mark.parametrize(("text", "split"), [("text,intent\na,x\nb,y\nc,oos\n", "train"),
                                             ("intent;split;text\nx;train;a\ny;test;\"b;c\"\n", "test")])  # fmt: skip
def test_own_queries_are_read(tmp_path, text, split):
    data = read_intents(located(tmp_path, "intents-csv", queries=text))
    assert data.intents == ["x", "y"] and "queries of your own" in data.note
    assert len(data.part(split)) == (3 if split == "train" else 1)


@pytest.mark.parametrize(
    ("format_", "content", "said"),
    [
        ("clinc150", "[]", "must be an object that holds lists of queries"),
        ("clinc150", "{", "is not JSON"),
        ("clinc150", '{"train": [["a"]]}', r"row 1, column 'train': .* must be \[query, intent\], two texts"),
        ("clinc150", '{"train": [["a", "oos"]]}', "must be an intent; queries oos have lists of their own"),
        ("clinc150", '{"oos_val": [["a", "x"]]}', "must be oos"),
        ("clinc150", '{"other": []}', "must hold a list train, val, test"),
        ("clinc150", '{"train": [["a", "x"]]}', "must have queries of 2 intents"),
        ("smp2017", "split,label,text\ndev,app,a\n", "row 2, column 'split': 'dev' must be train or develop or test"),
        ("smp2017", "split,label,text\ntrain,,a\n", "row 2, column 'label'"),
        ("smp2017", "split,text\ntrain,a\n", "label"),
        ("smp2017", "split,label,text\n", "holds a header and no rows"),
        ("intents-csv", "text,label\na,x\n", "column 'intent': must be in the header"),
        ("intents-csv", "text,intent\na,x\nb,\n", "must not be empty; call it oos"),
        (None, "", "must hold intents.csv"),
    ],
)
def test_broken_rule_is_named(tmp_path, format_, content, said):
    with pytest.raises(DataError, match=said):
        read_intents(located(tmp_path, format_, queries=content))


def test_other_data_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no intents"):
        read_intents(located(tmp_path, "vader", tweets="x"))


@pytest.mark.realdata
@pytest.mark.skipif(not os.environ.get("SMLAB_DATA"), reason="SMLAB_DATA is not set")
def test_official_sizes():
    clinc, smp = load_intents("clinc150"), load_intents("smp2017")
    sizes = clinc.frame.groupby(["split", clinc.frame["intent"] == "oos"]).size().to_dict()
    assert sizes == {("test", False): 4500, ("test", True): 1000, ("train", False): 15000, ("train", True): 100,
                     ("validation", False): 3000, ("validation", True): 100}  # fmt: skip
    assert len(clinc.intents) == 150 and clinc.frame["domain"].nunique() == 11
    assert smp.frame["split"].value_counts().to_dict() == {"train": 2299, "validation": 770, "test": 667}


def test_own_queries_without_a_split_are_cut_within_each_intent_and_the_note_says_so(tmp_path):
    rows = [f"{intent} {i},{intent}" for intent in ("pay", "send", "oos") for i in range(20)] + ["pay 3,pay"]
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "intents.csv").write_text("\n".join(["text,intent", *rows]), encoding="utf-8")
    found = load_intents("desk", tmp_path)
    assert "No split is given" in found.note
    counts = found.frame.drop_duplicates("text").groupby(["intent", "split"]).size()
    assert counts["pay"].to_dict() == counts["oos"].to_dict() == {"test": 4, "train": 12, "validation": 4}
    assert found.frame.groupby("text")["split"].nunique().max() == 1
    assert load_intents("desk", tmp_path).frame.equals(found.frame)


def test_a_missing_validation_part_is_taken_from_train(tmp_path):
    rows = [f"{intent} {i},{intent},{'train' if i < 15 else 'test'}" for intent in ("pay", "send") for i in range(20)]
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "intents.csv").write_text("\n".join(["text,intent,split", *rows]), encoding="utf-8")
    frame = load_intents("desk", tmp_path).frame
    assert frame["split"].value_counts().to_dict() == {"train": 24, "test": 10, "validation": 6}
