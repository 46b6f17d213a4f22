"""What makers of words share: tokens that go back to the text, vocabulary, sampling."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlab.checks import UsageError
from smlab.ngrams import NGrams
from smlab.spelling import normalise
from smlab.writers import END, START, UNKNOWN, draw, pieces, words

SIGNS = st.text(alphabet="aZé9 .,!?'-@#_/:https好酒店，。😀\n\t“”", max_size=40)


@given(SIGNS)
@settings(max_examples=60, deadline=None)
def test_pieces_put_together_are_the_text_in_its_one_spelling(text):
    for unit in ("word", "character"):
        assert "".join(pieces(text, unit)) == normalise(text)


def test_a_link_a_mention_and_a_number_are_one_token():
    assert pieces("See @ann_b https://t.co/x?a=1 at 3.50!") == [
        "See",
        " @ann_b",
        " https://t.co/x?a=1",
        " at",
        " 3.50",
        "!",
    ]


def test_words_have_no_signs_and_no_case_and_chinese_is_taken_apart():
    assert words("WOW!! #Trump2016 it's 这家店。") == ["wow", "#trump2016", "it's", "这", "家", "店"]


def test_vocabulary_holds_what_is_in_enough_texts():
    model = NGrams(order=1, min_count=2).fit(["a a a b", "c b", "", "  "])
    assert model.tokens_ == ["<start>", "<end>", "<unknown>", " b"]  # texts are counted, not how often
    model = NGrams(order=1, min_count=1).fit(["a b", "a c"])
    assert model.tokens_[3] == "a"  # the commonest first
    assert [code.tolist() for code in model.encode(["a z"])] == [[START, 3, UNKNOWN, END]]
    assert model.longest_ == 2


def test_draw_follows_chances_temperature_and_nucleus():
    rng, p = np.random.default_rng(0), np.tile([0.5, 0.3, 0.2], (40_000, 1))

    def shares(**how):
        return np.bincount(draw(p, rng, **how), minlength=3) / len(p)

    np.testing.assert_allclose(shares(), [0.5, 0.3, 0.2], atol=0.01)
    cold = np.array([0.5, 0.3, 0.2]) ** 2
    np.testing.assert_allclose(shares(temperature=0.5), cold / cold.sum(), atol=0.01)
    np.testing.assert_allclose(shares(nucleus=0.6), [0.625, 0.375, 0], atol=0.01)
    np.testing.assert_allclose(shares(nucleus=0.5), [1, 0, 0])


def test_written_words_are_not_glued_together():
    model = NGrams(order=1, min_count=1).fit(["red car", "blue car", "9 cars", "19 miles"])
    for text in model.write(300, seed=0):
        assert "".join(pieces(text)) == text and set(pieces(text)) <= set(model.tokens_)
    only_inner = NGrams(order=1).fit(["a x", "b x"])  # no token that is known begins a text
    assert set(only_inner.write(5, seed=0)) <= {"x", "x x"}


def test_no_text_is_empty_or_unknown_or_longer_than_the_longest_and_start_is_kept():
    model = NGrams(order=2, min_count=2).fit(["one two three", "one two", "four"] * 2 + ["rare"])
    texts = model.write(200, seed=1)
    assert all(texts) and max(len(pieces(text)) for text in texts) <= 3
    assert not any("unknown" in text or "rare" in text for text in texts)
    assert all(text.startswith("one") for text in model.write(20, start="one"))
    assert model.write(0) == []


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: NGrams(unit="syllable"), "unit='syllable' must be 'word' or 'character'"),
        (lambda: NGrams(min_count=0), "min_count=0"),
        (lambda: NGrams().fit("one text"), "put a single one into a list"),
        (lambda: NGrams().fit(["a", 3]), "text 1 must be text, not 3"),
        (lambda: NGrams().fit(["", " "]), "all are blank"),
        (lambda: NGrams().fit(["a b", "c d"]), "no token is in 2 texts or more; min_count=1 takes them all"),
        (lambda: NGrams().score(["a"]), "NGrams has not been fitted"),
        (lambda: NGrams(min_count=1).fit(["a b"]).write(2, temperature=0), "temperature above 0"),
        (lambda: NGrams(min_count=1).fit(["a b"]).write(2, nucleus=1.5), "nucleus above 0 and at most 1"),
    ],
)
def test_errors_are_sentences(act, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        act()
