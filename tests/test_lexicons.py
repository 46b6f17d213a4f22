"""Lexicons: scores by hand, VADER's own figures, and what networks get of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.lexicons import ALPHA, NEGATED, STATISTICS, LexiconScores, Vader, WordScore, join
from smlab.wordvectors import WordVectors

LEXICON = {"good": 2.0, "great": 3.0, "bad": -1.0, "not bad": 1.5}


def columns(post, lexicon=LEXICON):
    block = LexiconScores({"l": lexicon}).fit([""], [post])
    x = block._numbers([""], [post])[0]
    return dict(zip(STATISTICS, np.sign(x) * np.expm1(np.abs(x)), strict=True))


def test_word_score_is_that_of_its_formula():
    s = 2.0 + NEGATED * 3.0
    assert WordScore(LEXICON)(["good but never great"])[0] == pytest.approx(s / np.sqrt(s**2 + ALPHA))


def test_word_score_of_plain_words_is_the_compound_of_vader():
    vader = Vader()
    for text in ("good", "horrible", "joy and happiness"):
        assert WordScore(vader.weights)([text])[0] == pytest.approx(vader([text])[0], abs=1e-4)


def test_negation_turns_a_word_score_round_and_repetition_raises_it():
    score = WordScore(LEXICON)
    assert score(["good"])[0] > 0 > score(["not good"])[0]
    assert score(["good good"])[0] > score(["good"])[0]
    assert score(["", "film"]).tolist() == [0, 0]


def test_vader_gives_the_examples_of_its_readme():
    """vaderSentiment 3.3.2, README: sentences with their compound scores."""
    examples = {
        "VADER is smart, handsome, and funny.": 0.8316,
        "VADER is VERY SMART, handsome, and FUNNY!!!": 0.9342,
        "Today only kinda sux! But I'll get by, lol": 0.5249,
        "Not bad at all": 0.431,
    }
    np.testing.assert_allclose(Vader()(list(examples)), list(examples.values()), atol=5e-5)


def test_vader_takes_any_text_in_time():
    texts = ["", "\ud83d", "😀" * 50, "שלום", "good " * 200_000]
    assert np.isfinite(Vader().columns(texts)).all()
    assert Vader().columns([]).shape == (0, 5)


def test_columns_are_those_of_the_definition():
    found = columns(["good", "bad", "great", "film", "not_good"])
    expected = {
        "positive sum": 5, "negative sum": -1, "positive words": 2, "negative words": 1, "largest": 3, "smallest": -1,
        "last": 3, "negated positive sum": 2, "negated negative sum": 0, "balance": 4 / 4,
    }  # fmt: skip
    assert found == pytest.approx(expected, abs=1e-5)


def test_entries_of_two_words_are_found_across_a_negation_mark():
    found = columns(["not", "not_bad"])
    assert found["positive sum"] == pytest.approx(1.5, abs=1e-5)
    assert found["negated negative sum"] == pytest.approx(-1, abs=1e-5)


def test_a_post_without_words_of_the_list_is_all_zeros():
    assert set(columns(["a", "film"]).values()) == {0.0}


def test_scorer_adds_its_columns_and_names():
    block = LexiconScores({"l": LEXICON}, scorer=Vader().columns)
    X = block.fit(["good", "bad"], [["good"], ["bad"]]).transform(["good"], [["good"]])
    assert X.shape[1] == len(block.names_) == len(STATISTICS) + 5


def test_join_puts_weights_behind_vectors_and_turns_them_for_negated_words():
    vectors = WordVectors(["good", "film"], np.array([[1.0, 2.0], [3.0, 4.0]]))
    joined = join(vectors, {"l": {"good": 2.0, "bad": -2.0, "not bad": 1.0}})
    assert set(joined.words) == {"good", "film", "bad", "not_good", "not_film", "not_bad"}
    np.testing.assert_allclose(joined["good"][:2], joined["not_good"][:2])
    assert joined["good"][2] == -joined["not_good"][2] > 0
    assert joined["bad"][2] == -joined["good"][2]
    assert joined["film"][2] == 0 and not joined["bad"][:2].any()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: WordScore({}), "a lexicon needs at least one word"),
        (lambda: LexiconScores({}), "LexiconScores needs at least one lexicon or a scorer"),
    ],
)
def test_an_empty_lexicon_is_refused(make, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        make()
