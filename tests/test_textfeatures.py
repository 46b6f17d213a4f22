"""Blocks of columns: TF-IDF by hand, standardised columns, and posts that have nothing to measure."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.textfeatures import CLIP, CharNGrams, MeanVectors, Sentences, WordNGrams, WritingMarks
from smlab.wordvectors import WordVectors

POSTS = ["good good film", "bad film", "so so"]
TOKENS = [post.split() for post in POSTS]
VECTORS = WordVectors(["good", "bad", "film"], np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0]]))


def dense(block, texts=POSTS, tokens=TOKENS):
    return block.fit(texts, tokens).transform(texts, tokens).toarray()


def test_tfidf_is_that_of_the_formula():
    block = WordNGrams(n=(1, 1), min_count=1)
    x = dense(block)[0]
    n, n_with = 3, {"good": 1, "film": 2}
    raw = {w: (1 + np.log(tf)) * (np.log((1 + n) / (1 + n_with[w])) + 1) for w, tf in (("good", 2), ("film", 1))}
    length = np.hypot(*raw.values())
    for word, value in raw.items():
        assert x[block.names_.index(word)] == pytest.approx(value / length, rel=1e-5)


def test_rows_of_ngrams_have_length_one_or_none():
    X = WordNGrams(min_count=1).fit(POSTS, TOKENS).transform(["", "film"], [[], ["film"]])
    np.testing.assert_allclose(np.sqrt((X.toarray() ** 2).sum(axis=1)), [0, 1], rtol=1e-6)


def test_words_that_a_negation_reaches_are_columns_of_their_own():
    assert {"good", "not_good"} <= set(WordNGrams(min_count=1).fit([], [["good"], ["not", "not_good"]]).names_)


@pytest.mark.parametrize("block", [WordNGrams(), CharNGrams()])
def test_ngrams_of_few_posts_are_taken_though_they_are_rare(block):
    assert block.fit(["a rare word"], [["a", "rare", "word"]]).names_


@pytest.mark.parametrize("block", [WordNGrams(), CharNGrams()])
def test_empty_posts_alone_give_no_columns(block):
    assert block.fit(["", " "], [[], []]).transform(["", "x"], [[], ["x"]]).shape == (2, 0)


def test_char_ngrams_look_at_the_beginning_of_a_long_post_only():
    block = CharNGrams(n=(1, 1), min_count=1, longest=3)
    assert block.fit(["aab" + "c" * 100], [[]]).names_ == [" ", "a", "b"]


@pytest.mark.parametrize("block", [MeanVectors(VECTORS, scale=0.5), WritingMarks(scale=0.5)])
def test_dense_columns_have_mean_zero_and_the_given_deviation(block):
    X = dense(block, ["GOOD film!!!", "bad film", "so"], [["good", "film", "!!"], ["bad", "film"], ["so"]])
    deviation = X.std(axis=0)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(deviation[deviation > 0], 0.5, rtol=1e-5)
    assert len(block.names_) == X.shape[1]


def test_one_extreme_post_is_bounded():
    block = WritingMarks(scale=1).fit(POSTS * 50, TOKENS * 50)
    assert np.abs(block.transform(["!" * 1000 + "?"], [["!!"]]).toarray()).max() <= CLIP


def test_mean_vectors_take_the_vector_of_a_negated_word():
    block = MeanVectors(VECTORS).fit(POSTS, TOKENS)
    plain, negated = (block.transform([""], [[word]]).toarray() for word in ("good", "not_good"))
    np.testing.assert_array_equal(plain, negated)


def test_writing_marks_count_what_they_say():
    block = WritingMarks()
    row = np.expm1(block._numbers(["SO goooood!! @a #b https://x.y"], [["so", "not_good", "!!", "<user>", "<url>"]]))[0]
    found = dict(zip(block.names_, row.round().astype(int).tolist(), strict=True))
    assert found | {
        "words in capitals": 1, "lengthened words": 1, "exclamation marks": 2, "runs of ! and ?": 1, "hashtags": 1,
        "mentions": 1, "negated words": 1, "links": 1, "tokens": 5, "ends in ! or ?": 0,
    } == found  # fmt: skip


def test_sentences_standardise_what_the_model_gives():
    X = dense(Sentences(lambda texts: np.array([[len(t), 1.0] for t in texts], np.float32), scale=1))
    np.testing.assert_allclose(X.std(axis=0), [1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: WordNGrams(n=(2, 1)), "n=(2, 1) must be the shortest and the longest n-gram, such as (1, 2)"),
        (lambda: CharNGrams(min_count=0), "min_count=0 must be a whole number above 0"),
        (lambda: WritingMarks(scale=0), "scale=0 must be finite and above 0"),
    ],
)
def test_wrong_settings_are_one_sentence(make, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        make()
