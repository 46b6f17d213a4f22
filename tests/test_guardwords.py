"""Listed words are found in every disguise, and never within other words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.guardwords import RUDE_ZH, SENSITIVE_ZH, Words, fold, listed, spellings
from smlab.spelling import clean

WORDS = Words(["scam", "ass", "rape", "cum", "grab it", "spic", "gambl*"])
HAN = Words(["赌博", "色情", "传销", "大麻", "傻逼"], within=True)


@pytest.mark.parametrize(
    "text",
    ["scam", "SCAM!", "a (scam)", "scams", "sсаm", "sc4m", "$cam", "s.c.a.m", "s-c-a-m", "s_c_a_m", "s c a m",
     "S C A M now",
     "scaaaam", "ｓｃａｍ", "𝓼𝓬𝓪𝓶", "sc\u200bam", "s\u0327cam", "#NoScam", "scam's", "ѕсам", "\"scam\"",
     "s . c . a . m"],
)  # fmt: skip
def test_disguises_are_seen_through(text):
    assert [hit.what for hit in WORDS.find(clean(text))] == ["scam"]


@pytest.mark.parametrize(
    "text",
    ["Scunthorpe", "class", "grape", "assess", "bass", "therapist", "scamper", "cucumber", "spices", "c l a s s",
     "Galaxy A55",
     "grab", "it grab", "g r a p e", "who're", "as s", "circumstance", "#ClassAct", "passion-fruit"],
)  # fmt: skip
def test_other_words_pass(text):
    assert WORDS.find(text) == []


def test_phrases_and_beginnings():
    assert [hit.what for hit in WORDS.find("Grab, it! gambling")] == ["gambl*", "grab it"]
    assert Words(["赌*"]).find("赌场")[0].what == "赌*"


@pytest.mark.parametrize("text", ["赌博", "线上赌-博网站", "賭博", "赌 博", "看色情片", "这傻逼玩意", "参与传销活动"])
def test_chinese_words_are_found(text):
    assert len(HAN.find(clean(text))) == 1


@pytest.mark.parametrize("text", ["特色情侣套餐", "宣传销售两不误", "大麻烦", "热情色彩", "消毒品质", "景色情怀"])
def test_chinese_words_cut_across_two_others_pass(text):
    assert HAN.find(text) == []


def test_a_passed_in_chinese_word_is_whole():
    words = Words(["草", "苹果"])
    assert words.find("草莓和草原") == [] and [h.what for h in words.find("院子里的草，苹果")] == ["草", "苹果"]


def test_stars_within_a_rude_word():
    rude = Words(listed("shpx~".replace("shpx", "fuck") + " shit"))
    assert [rude.find(text)[0].what for text in ("f*ck", "f**k", "sh*t!", "f***ing")] == [
        "fuck",
        "fuck",
        "shit",
        "fucking",
    ]
    assert rude.find("5* hotel, **** rated, a*b") == []


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_folds_and_spells(text):
    fold(text)
    for chunk in clean(text).split():
        list(spellings(chunk))
    WORDS.find(clean(text))


def test_lists_hold_no_word_twice():
    for words in (RUDE_ZH.split(), SENSITIVE_ZH.split()):
        assert len(words) == len(set(words))
