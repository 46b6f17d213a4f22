"""Every refusal says why and where, whatever the text is; harmless texts pass; copies are found, however cut."""

from __future__ import annotations

import random
import re
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlab.checks import UsageError
from smlab.guard import RULES, Guard, rates, summary

ANY = st.text(st.characters(codec=None, exclude_categories=()))
PIECES = st.lists(
    st.sampled_from(
        ["the best", " in the world", "最好的", "第一", "f u c k", "http://", "a.com", "@", "#", "{", "}", "[", "]",
         "<", ">",
         "\u202e", "\u200d", "\ud83d", "😀", "13812345678", "%", "100", "!", "草", "草莓", " ", "\n", "&lt;",
         "\\u0041", "ﷺ",
         "広告", "#ad", "//", "xn--", ":", "1", "x"]
    ),
    max_size=14,
).map("".join)  # fmt: skip
GUARD = Guard(platform="x", banned=["草", "rival*"], hosts=["example.com"], disclose=True)
FOX = "the quick brown fox jumps over the lazy dog near the old river bank today"
GOOD = [
    "New shoes in blue, made for rain.", "Save 20% on all running shoes this weekend.", "Made from 100% cotton.",
    "Tip #1: stretch before you run.", "30-day money-back guarantee.", "Scunthorpe store opens on Friday.",
    "Assess your needs in two minutes.", "Cure your Monday blues with cake.", "The best part of autumn is here.",
    "Black Friday starts on 27 November.", "Grüße aus München!", "Crème brûlée is back. C'est la vie!",
    "第一次来店，送小礼物一份。", "最近天气转凉，记得添衣。", "草莓蛋糕今天上新啦！", "顾客第一，服务为本。",
    "最佳食用期为三天。",
    "宣传销售两不误，直播课开课了。", "一套现货，当天发出。", "换季护肤，温和去死皮。", "满200减30，数量有限🎉",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY | PIECES, max_size=3))
def test_any_text_gets_reasons_or_passes(texts):
    found = GUARD.check(texts, ["the best shoes in the world", "草莓蛋糕今天上新啦"])
    assert sorted(set(found.index)) == list(range(len(texts)))
    refused = found[~found["passes"].astype(bool)]
    assert set(refused["rule"]) <= set(RULES) and (refused["why"].str.len() > 8).all()
    assert (found.loc[found["passes"].astype(bool), ["rule", "why", "where"]] == "").all().all()
    found.to_csv().encode()  # can be written
    summary(found)


SLOW = [
    pytest.param(unit, marks=pytest.mark.slow) for unit in ("草 ", "http://a.", "<a ", "A! ", "one ", "@a ", "*f", "a")
]


@pytest.mark.parametrize("unit", ["五", "ﷺ", "[insert ", *SLOW])
def test_a_megabyte_takes_no_second(unit):
    GUARD.check(["草"])  # reads the dictionary
    start = time.process_time()
    found = GUARD.check([unit * (1_000_000 // len(unit))])
    assert time.process_time() - start < 1.5 and "length" in set(found["rule"])


def test_good_texts_pass():
    found = Guard(platform="x", hosts=["example.com"]).check(GOOD)
    assert found["passes"].all(), found[~found["passes"]][["text", "rule", "where"]].to_string()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("length", "word " * 80), ("empty", "…"), ("signs", "sa\u200ble"), ("markup", "<b>Sale</b>"),
        ("fields", "Hi {name}!"), ("words", "this sh1t"), ("sensitive", "快来博-彩"), ("banned", "RivalCo is fine"),
        ("banned", "这棵草"), ("claims", "the best shoes in the world"), ("personal", "ring 13812345678"),
        ("links", "www.evil.net"), ("mentions", "hi @bob"), ("shouting", "now!!!"), ("disclosure", "shoes, not an ad"),
    ],
)  # fmt: skip
def test_each_rule_refuses_what_it_is_for(rule, text):
    found = GUARD.check([text])
    assert rule in set(found["rule"]) and not found["passes"].any()
    assert rule not in set(Guard(platform="x", without=[rule]).check([text])["rule"])


def test_settings_let_pass_what_the_house_allows():
    text = "#ad Write to help@example.com or see https://shop.example.com/a, says @Brand: clinically proven"
    guard = Guard(
        hosts=["https://www.Example.com/"], mentions=["brand"], contacts=["Help@example.com"],
        proven=["Clinically proven"], disclose=True,
    )  # fmt: skip
    assert guard.check([text])["passes"].all()
    assert set(Guard().check([text])["rule"]) == {"links", "mentions", "personal", "claims"}


def swapped(text: str, every: int) -> str:
    return " ".join("pear" if i % every == 2 else word for i, word in enumerate(text.split()))


@pytest.mark.parametrize(
    "copy",
    [FOX, FOX.upper() + "!!", "Look: " + FOX, FOX + " and more", swapped(FOX, 8), swapped(FOX, 5), FOX.replace("e",
     "e\u200b"),
     " ".join(FOX.split()[:9]), "Dear all. " * 20 + FOX + " Goodbye everybody." * 20],
)  # fmt: skip
def test_copies_of_a_source_are_found(copy):
    found = Guard(without=["signs", "shouting"]).check([copy], ["nothing of the kind", FOX])
    assert (
        found["rule"].tolist() == ["source"]
        and "source 1" in found["why"].iloc[0]
        and found["where"].iloc[0][:20] == FOX[:20]
    )


def test_own_words_are_no_copy():
    texts = ["a quick fox came near the old town and slept all day", "thank you", "the lazy dog", "周末一起去露营吧"]
    assert Guard().check(texts, [FOX, "thank you all", "周末一起来吃饭吧"])["passes"].all()


def test_copies_are_found_in_chinese():
    source = "这家酒店的服务很好，房间干净，早餐也很丰富，下次还会再来"
    found = Guard().check([source.replace("干净", "整洁"), "房间很大，早餐没有尝"], [source])
    assert found["rule"].tolist() == ["source", ""]


def test_ten_thousand_sources_take_seconds():
    rng = random.Random(0)
    words = [f"w{i}" for i in range(3000)]
    sources = [" ".join(rng.choices(words, k=15)) for _ in range(10_000)]
    start = time.process_time()
    found = Guard(without=["duplicate"]).check(
        [*sources[:50], *(" ".join(rng.choices(words, k=15)) for _ in range(150))], sources
    )
    assert time.process_time() - start < 3
    assert not found["passes"][:50].any() and found["passes"][50:].all()


def test_of_variants_that_say_the_same_the_first_is_kept():
    found = Guard().check([FOX, "Thank you", FOX.title() + "?", "thank you!", FOX + " then", "well"])
    assert found["passes"].tolist() == [True, True, False, False, False, True]
    assert "variant 0" in found["why"][2] and "variant 1" in found["why"][3]


def test_the_index_of_the_texts_is_kept():
    found = Guard().check(pd.Series(["good", "[INSERT NAME]!!!"], index=["a", "b"]))
    assert found.index.tolist() == ["a", "b", "b"]


def test_rates_count_texts_not_reasons():
    found = Guard().check(["good", "[INSERT NAME]!!!", "fine", "nice"])
    table = rates(found, [0, 1, 0, 1], ["plain", "fields", "plain", "other"]).set_index(["texts", "kind"])
    assert table.loc[("bad", "all"), "refused"] == 1 and table.loc[("bad", "all"), "n"] == 2
    assert table.loc[("good", "all"), "share"][0] == 0 and 0.3 < table.loc[("good", "all"), "share"][2] < 0.7
    assert table.loc[("bad", "fields"), "refused"] == 1 and table.loc[("bad", "other"), "refused"] == 0


def test_nothing_to_check_is_no_error():
    found = Guard().check([])
    assert len(found) == 0 and len(summary(found)) == 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Guard(platform="twiter"), "platform='twiter': known: x, weibo"),
        (lambda: Guard(without=["link"]), "without: 'link': did you mean 'links'?"),
        (lambda: Guard(banned="rival"), "banned must be a list, not the text 'rival'"),
        (lambda: Guard(overlap=0), "overlap=0 and alike=0.85 must lie above 0 and be at most 1"),
        (lambda: Guard().check("one text"), "texts must be a list of texts, not the text 'one text'"),
        (lambda: Guard().check(["a", None]), "texts, row 1: None (NoneType) is no text"),
        (lambda: Guard().check(["a"], [3]), "sources, row 0: 3 (int) is no text"),
        (lambda: rates(Guard().check(["a"]), [1, 0]), "1 texts were checked, and 2 are judged"),
    ],
)
def test_wrong_use_is_a_sentence(make, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        make()
