"""Hashtags: capitals, digits, and letters that run together; the most likely way against all ways."""

from __future__ import annotations

from collections import Counter
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.hashtags import LONGEST_TAG, Splitter

WORDS = {"i": 900, "a": 800, "no": 300, "now": 120, "where": 90, "here": 100, "nowhere": 2, "to": 700, "be": 400}


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("HappyBirthday", ["Happy", "Birthday"]),
        ("NFLDraft2016", ["NFL", "Draft", "2016"]),
        ("iPhone", ["i", "Phone"]),
        ("throw_back_Thursday", ["throw", "back", "Thursday"]),
        ("6thGen", ["6th", "Gen"]),
        ("runtogether", ["runtogether"]),
        ("今天2023天气", ["今天", "2023", "天气"]),
        ("हिन्दी", ["हिन्दी"]),
        ("ДоброеУтро", ["ДоброеУтро"]),
        ("2016", ["2016"]),
        ("", []),
    ],
)
def test_capitals_digits_and_underscores_split(tag, words):
    assert Splitter()(tag) == words


def every_way(letters: str) -> list[list[str]]:
    return [[letters]] + [[letters[:i], *rest] for i in range(1, len(letters)) for rest in every_way(letters[i:])]


@given(
    st.lists(st.sampled_from([*WORDS, "zq", "xylo"]), min_size=1, max_size=3)
    .map("".join)
    .filter(lambda t: 4 <= len(t) < 12)
)
def test_the_way_found_is_the_most_likely_of_all(letters):
    total = sum(WORDS.values())

    def likelihood(words: list[str]) -> float:
        unknown = [-float("inf") if len(w) < 3 else log(10 / (total * 10 ** len(w))) for w in words]
        return sum(log(WORDS[w] / total) if w in WORDS else u for w, u in zip(words, unknown, strict=True))

    found = Splitter(WORDS)(letters)
    assert "".join(found) == letters
    if letters not in WORDS:
        assert likelihood(found) == pytest.approx(max(map(likelihood, every_way(letters))))


def test_known_word_stays_whole_however_rare_it_is():
    assert Splitter(WORDS)("nowhere") == ["nowhere"]
    assert Splitter({w: n for w, n in WORDS.items() if w != "nowhere"})("nowhere") == ["no", "where"]


def test_words_keep_their_case_and_capitals_run_together_too():
    assert Splitter(WORDS)("NOWhereTOBE") == ["NO", "Where", "TO", "BE"]


def test_short_words_have_to_be_frequent():
    counts = {"brexit": 0, "br": 1, "exit": 50, "the": 999_949}
    assert Splitter(counts)("brexit") == ["brexit"]
    assert Splitter({**counts, "br": 5000})("brexit") == ["br", "exit"]


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_only_underscores_are_lost(tag):
    for splitter in (Splitter(), Splitter(WORDS)):
        assert "".join(splitter(tag)) == tag.replace("_", "")


def test_tag_that_is_too_long_is_left_whole():
    tag = "tobe" * LONGEST_TAG
    assert Splitter(WORDS)(tag) == [tag]


def test_counts_of_nothing_split_nothing():
    assert Splitter({})("gameofthrones") == Splitter({"game": 0})("gameofthrones") == ["gameofthrones"]


def test_planted_tags_come_apart_again():
    """A corpus of its own words, then hashtags of three of them each."""
    words = ["coffee", "morning", "with", "lovely", "friends", "sunday", "brunch", "happy", "great", "weather"]
    counts = Counter({w: 1000 // (r + 1) for r, w in enumerate(words)})
    splitter = Splitter(counts)
    for i in range(len(words)):
        three = [words[i], words[(i * 3 + 1) % 10], words[(i * 7 + 5) % 10]]
        assert splitter("".join(three)) == three
