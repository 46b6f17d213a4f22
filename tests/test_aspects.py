"""Nouns of the topic are proposed, mentions are whole words and phrases, and shares are those of quantify."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.aspects import aspect_shares, find_aspects, mentions
from smlab.checks import UsageError
from smlab.quantify import adjusted_count, classify_and_count

POSTS = [
    post.split()
    for post in (
        "the battery is dead again .",
        "i love the new camera of this phone !",
        "my battery has died and the customer service was rude",
        "they serve nobody , not_battery not_life",
    )
]


def test_nouns_are_proposed_and_verbs_adjectives_and_function_words_are_not():
    table = find_aspects(POSTS * 5, min_posts=5)
    assert table["word"].tolist() == ["battery", "camera", "phone", "service"]
    assert table["posts"].tolist() == [10, 5, 5, 5] and table["noun_like"].tolist() == [1, 1, 1, 1]
    assert find_aspects(POSTS * 5, min_posts=6)["word"].tolist() == ["battery"]
    assert find_aspects(POSTS * 5, n=2, min_posts=5)["word"].tolist() == ["battery", "camera"]


def test_chinese_nouns_stand_before_a_word_of_degree():
    posts = [["质量", "很", "好", "，", "物流", "太", "慢"], ["我们", "都", "喜欢", "质量"], ["感觉", "很", "不错"]] * 5
    assert find_aspects(posts)["word"].tolist() == ["质量"]
    assert find_aspects(posts, min_posts=5)["word"].tolist() == ["质量", "物流"]


def test_mention_is_a_whole_word_a_phrase_in_order_or_a_negated_word():
    found = mentions(POSTS, {"power": ["battery", "battery life"], "help": ["customer service"], "serve": "serve"})
    assert found["power"].tolist() == [True, False, True, True]
    assert found["help"].tolist() == [False, False, True, False]
    assert found["serve"].tolist() == [False, False, False, True], "service is another word"
    assert mentions([["battery", "battery", "life"]], {"x": ["battery life"]})["x"].tolist() == [True]


def test_shares_of_an_aspect_are_those_of_its_posts_and_planted_ones_are_found():
    rng = np.random.default_rng(0)
    about = rng.random(3000) < 0.3
    labels = np.where(rng.random(3000) < np.where(about, 0.7, 0.2), "negative", "positive")
    posts = [["the", "battery"] if a else ["the", "screen"] for a in about]
    table = aspect_shares(posts, labels, {"battery": ["battery"], "screen": ["screen"]}).set_index(["aspect", "class"])
    assert table.index.get_level_values(0).unique().tolist() == ["screen", "battery", "(all posts)"]
    assert table.loc[("battery", "negative"), "value"] == pytest.approx(0.7, abs=0.04)
    assert table.loc[("battery", "negative"), "low"] > table.loc[("screen", "negative"), "high"]
    own = classify_and_count(labels[about], ["negative", "positive"])
    np.testing.assert_allclose(table.loc["battery", ["value", "low", "high"]], own)
    assert table.loc[("battery", "positive"), "posts"] == about.sum()


def test_shares_are_corrected_by_held_out_counts():
    held = pd.DataFrame([[80, 20], [30, 70]], ["negative", "positive"], ["negative", "positive"])
    labels, posts = ["negative"] * 60 + ["positive"] * 40, [["app"]] * 100
    table = aspect_shares(posts, labels, {"app": ["app"]}, confusion=held)
    assert table["value"][:2].to_numpy() == pytest.approx(adjusted_count(labels, held)["value"].to_numpy())
    assert table["value"][0] == pytest.approx(0.6) and table["class"].tolist()[:2] == ["negative", "positive"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: aspect_shares(POSTS, ["a"] * 4, {}), "4 posts, 4 labels and 0 aspects"),
        (lambda: aspect_shares(POSTS, ["a"] * 3, {"x": ["battery"]}), "4 posts, 3 labels and 1 aspects"),
        (lambda: mentions(POSTS, {"x": ["lens"]}), "no post mentions the aspect 'x': none of its words occurs"),
        (lambda: mentions(POSTS, {"x": []}), "aspect 'x' has no words, or an empty one"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
