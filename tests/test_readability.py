"""Reading ease: the formulas on a text counted by hand, syllables of known words, Chinese by its own measure."""

import re

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.readability import is_common, readability, reading_ease, syllables

KNOWN = {
    1: "cat dog the make played called laughed through eyes strengths whole house friends world sells",
    2: "table wanted people going away happy simple without being maybe tiger sometimes video reason machine",
    3: "created beautiful hospital family curious radio animal realize musician energy amazing national",
    4: "television information american hilarious reality community dictionary population material",
    5: "university imagination electricity personality",
}
MISSES = {"maybe", "video"}  # what the rules get wrong


def test_syllables_of_known_words():
    wrong = {w for n, words in KNOWN.items() for w in words.split() if syllables(w) != n}
    assert wrong <= MISSES
    assert syllables("") == 1 and syllables("42") == 1 and syllables("TV") == 2


def test_english_is_flesch_and_kincaid_counted_by_hand():
    row = readability(["The cat sat on the mat. It was happy!"]).iloc[0]
    words, sentences, spoken = 9, 2, 10
    assert (row["words"], row["sentences"]) == (words, sentences)
    assert row["ease"] == pytest.approx(206.835 - 1.015 * words / sentences - 84.6 * spoken / words)
    assert row["grade"] == pytest.approx(0.39 * words / sentences + 11.8 * spoken / words - 15.59)
    assert row["language"] == "en" and np.isnan(row["common"])


def test_long_words_and_long_sentences_are_harder():
    easy, long_words, long_sentence = reading_ease([
        "We go to the sea. We swim. We eat fish.",
        "International organisations communicate. Administrations investigate. Universities participate.",
        "We go to the sea and then we swim and eat fish and go home and sleep and rise and go to the sea and swim.",
    ])  # fmt: skip
    assert easy > long_sentence > long_words


def test_a_stop_within_a_name_ends_no_sentence_and_links_do_not_count():
    found = readability(["Mr. Li of the U.S. came. See https://t.co/abc @ann", "Wow!!! Really?", "See https://t.co/a"])
    assert found["sentences"].tolist() == [2, 2, 1]
    assert found["words"].tolist() == [8, 2, 1]


def test_chinese_counts_characters_of_clauses_and_common_ones():
    found = readability(["价格很好，快递也快。", "这家酒店的服务非常周到而且价格便宜。", "氤氲氍毹。"])
    assert found["language"].tolist() == ["zh"] * 3
    assert found["per_sentence"].tolist() == [4, 17, 4]
    assert found["common"].tolist() == [1, 1, 0]
    assert found["ease"].tolist() == [96, 83, -4]
    assert found["grade"].isna().all()


def test_common_characters_are_level_one_of_gb2312():
    level = [chr(c) for c in range(0x4E00, 0xA000) if is_common(chr(c))]
    assert len(level) == 3755
    assert not is_common("愛") and is_common("爱") and not is_common("a")


def test_texts_without_words_have_no_ease():
    found = readability(["", "!!!", "😀"])
    assert found["ease"].isna().all() and (found["words"] == 0).all()
    assert readability([]).empty


def test_one_text_alone_is_an_error():
    with pytest.raises(UsageError, match=re.escape("put a single one into a list")):
        readability("a text")
