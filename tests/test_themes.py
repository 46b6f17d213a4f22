"""Themes that were planted in titles and baskets are found and named, and nothing hangs on the order of products."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.themes import NONE, Themes, at_random, baskets, directions, product_titles, title_words
from smlab.word2vec import train_vectors
from smlab.wordvectors import WordVectors

THINGS = {
    "table": ["TEA POT", "TEA MUG", "CAKE PLATE", "CAKE STAND", "TEA CUP", "CAKE FORK", "TEA TRAY", "CAKE TIN"],
    "wall": ["WALL CLOCK", "WALL MIRROR", "PHOTO FRAME", "WALL LAMP", "PHOTO WALL", "FRAME HOOK", "WALL HOOK", "PHOTO"],
    "scent": [
        "CANDLE",
        "ROSE INCENSE",
        "ROSE CANDLE",
        "INCENSE BOX",
        "SCENTED CANDLE",
        "ROSE OIL",
        "OIL LAMP",
        "INCENSE",
    ],
}


def shop(n_baskets: int = 600, seed: int = 0) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Draw baskets of three products of one kind: the purchases, the titles, and the kind of each product."""
    rng = np.random.default_rng(seed)
    titles = pd.Series({f"{k}{i}": title for k, part in THINGS.items() for i, title in enumerate(part)})
    rows = []
    for basket in range(n_baskets):
        kind = list(THINGS)[rng.integers(3)]
        rows += [(f"u{basket % 50}", basket, f"{kind}{i}") for i in rng.choice(8, 3, replace=False)]
    frame = pd.DataFrame(rows, columns=["customer", "invoice", "product"]).assign(time=pd.Timestamp("2024-01-01"))
    return frame, titles, titles.index.to_series().str.rstrip("0123456789")


@pytest.fixture(scope="module")
def found():
    frame, titles, kind = shop()
    words = title_words(titles)
    vectors = train_vectors(baskets(frame, words), n_factors=12, epochs=20, min_count=1)
    X = directions(words, vectors)
    return Themes(k=3, n_words=2, min_products=2).fit(X, words), X, words, kind


def test_planted_themes_are_found_and_called_by_their_words(found):
    themes, _, _, kind = found
    assert pd.crosstab(themes.labels_, kind).max(axis=0).sum() >= 23  # of 24; the lamp burns oil and hangs on walls
    said = " ".join(themes.names_)
    assert "tea" in said and "wall" in said and ("candle" in said or "incense" in said)


def test_directions_have_length_one_and_their_distance_is_the_cosine(found):
    X = found[1]
    assert np.allclose(np.linalg.norm(X, axis=1), 1)
    assert ((X[3] - X[9]) ** 2).sum() == pytest.approx(2 - 2 * X[3] @ X[9])


def test_the_order_of_products_does_not_matter(found):
    themes, X, words, _ = found
    order = np.random.default_rng(1).permutation(len(words))
    again = Themes(k=3, n_words=2, min_products=2).fit(X[order], words.iloc[order])
    together = pd.crosstab(themes.labels_, again.labels_.reindex(words.index))
    assert (together > 0).sum().sum() == 3


def test_a_product_of_unknown_words_has_no_theme():
    words = pd.Series({"a": ["tea"], "b": ["tea", "pot"], "c": ["wall"], "d": ["wall", "pot"], "e": ["zzz"]})
    X = directions(words, WordVectors(["tea", "pot", "wall"], np.eye(3) + 0.1))
    labels = Themes(k=2, min_products=1).fit(X, words).labels_
    assert not X[4].any() and labels["e"] == NONE and (labels.drop("e") >= 0).all()


def test_a_basket_is_an_invoice_or_else_a_day_and_holds_a_product_once():
    frame = pd.DataFrame({"customer": ["u", "u", "v", "u"], "product": ["a", "a", "b", "b"]})
    frame["time"] = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-02"])
    words = pd.Series({"a": ["red", "mug"], "b": ["pot"]})
    assert baskets(frame, words) == [["red", "mug"], ["pot"], ["pot"]]
    assert baskets(frame.assign(invoice=[1, 1, 1, 2]), words) == [["red", "mug", "pot"], ["pot"]]


def test_titles_are_cut_into_words_in_chinese_too():
    assert title_words(pd.Series({"1": "陶瓷茶杯", "2": "PACK OF 72 TEA-LIGHTS!"})).tolist() == [
        ["陶瓷", "茶杯"],
        ["pack", "of", "tea", "lights"],
    ]


def test_other_forms_of_a_word_and_empty_words_are_in_no_name():
    words = pd.Series({str(i): ["of", "candle", "candles", "lamp"] if i < 6 else ["tree", "the"] for i in range(12)})
    X = np.repeat(np.eye(2), 6, axis=0)
    assert sorted(Themes(k=2, min_products=1).fit(X, words).names_) == ["candle, lamp", "tree"]


def test_at_random_is_as_many_and_as_large():
    theme = pd.Series([0, 0, 1, 2, 2, 2], index=list("abcdef"))
    dealt = at_random(theme, seed=1)
    assert dealt.index.equals(theme.index) and sorted(dealt) == sorted(theme) and dealt.tolist() != theme.tolist()


ERRORS = {
    "these purchases name no products": lambda: product_titles(pd.DataFrame({"customer": ["a"]}), pd.Series(dtype=str)),
    "k=1 themes must be 2 or more": lambda: Themes(k=1),
    "3 themes need 6 products with known words; here are 2": lambda: Themes(k=3).fit(
        np.eye(2), pd.Series({"a": ["x"], "b": ["y"]})
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
