"""What is counted can be counted by hand, in English and Chinese; axes tell two vocabularies apart."""

from __future__ import annotations

import numpy as np
import pytest

from smlab.postwording import MOST, WORDING, Themes, feeling, wording
from smlab.text import Tokenizer

TOKENIZER = Tokenizer(hashtags="both")


def counted(text: str) -> dict[str, float]:
    """Give what `wording` says of one text, without what is 0."""
    return {c.name: float(c.values[0]) for c in wording([text], TOKENIZER.many([text])) if c.values[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '@ann NEW shoes: 25% off!! Who wants? "me" 😍👟 #sale #NewIn https://t.co/x https://t.co/y',
            {"links": 2, "hashtags": 2, "mentions": 1, "reply": 1, "emoji": 2, "questions": 1, "exclamations": 2}
            | {"quotes": 1, "capitals": 1, "numbers": 1},
        ),
        ("新品上市！！你喜欢吗？ #新品# 😍", {"hashtags": 1, "emoji": 1, "questions": 1, "exclamations": 2}),
        ("hi @ann and @bob", {"mentions": 2}),
        ('"@ann: so true"', {"mentions": 1, "reply": 1, "quotes": 1}),
        ("", {}),
    ],
)
def test_signs_are_those_that_a_person_counts(text, expected):
    found = counted(text)
    assert {name: n for name, n in found.items() if name not in ("characters", "words")} == expected


def test_words_are_words_and_characters_are_seen_characters():
    found = counted("Two  words\u200b !")
    assert np.isclose(found["words"], np.log1p(2)) and np.isclose(found["characters"], np.log1p(len("Two words !")))
    chinese = counted("这家酒店的服务很好")
    assert np.isclose(chinese["words"], np.log1p(6)) and np.isclose(chinese["characters"], np.log1p(9))


def test_a_thousand_signs_are_no_more_than_loud():
    assert counted("no" + "!" * 1000)["exclamations"] == MOST


def test_no_posts_give_columns_without_rows():
    assert [len(c.values) for c in wording([], [])] == [0] * len(WORDING)
    assert [len(c.values) for c in feeling([], {"good": 1.0})] == [0, 0]


def test_feeling_adds_good_and_bad_words_apart():
    good, bad = feeling([["good", "good", "bad", "film"], []], {"good": 2.0, "bad": -3.0})
    np.testing.assert_allclose(good.values, np.log1p([4.0, 0.0]))
    np.testing.assert_allclose(bad.values, np.log1p([3.0, 0.0]))


def two_worlds(n: int = 400, seed: int = 0) -> tuple[list[list[str]], np.ndarray]:
    """Make posts of two vocabularies that share their little words."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, n)
    words = (["rally", "vote", "crowd", "speech", "party"], ["shoes", "sale", "dress", "size", "fashion"])
    return [list(rng.choice(words[s], 5)) + list(rng.choice(["the", "and", "of"], 3)) for s in side], side


def test_the_first_axis_tells_two_vocabularies_apart_and_its_label_names_them():
    posts, side = two_worlds()
    first, *_ = columns = list(Themes(n=4, n_factors=16, epochs=30).fit(posts).columns(posts))
    assert len(columns) == 4 and [c.name for c in columns] == ["words_1", "words_2", "words_3", "words_4"]
    assert abs(np.corrcoef(first.values, side)[0, 1]) > 0.9
    more, less = (set(part.split(" of ")[1].split(", ")) for part in first.label.split("; "))
    politics = {"rally", "vote", "crowd", "speech", "party"}
    assert (more <= politics) != (less <= politics) and not more & less


def test_axes_have_variance_1_and_are_not_correlated_on_training_posts():
    posts, _ = two_worlds()
    Z = np.array([c.values for c in Themes(n=4, n_factors=16).fit(posts).columns(posts)])
    np.testing.assert_allclose(np.cov(Z), np.eye(4), atol=1e-4)
    np.testing.assert_allclose(Z.mean(axis=1), 0, atol=1e-5)


def test_the_same_seed_gives_the_same_axes_and_another_post_changes_no_row():
    posts, _ = two_worlds()
    one, two = (Themes(n=4, n_factors=16, seed=3).fit(posts) for _ in range(2))
    for a, b, c in zip(one.columns(posts), two.columns(posts), two.columns(posts[:7]), strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_allclose(a.values[:7], c.values, atol=1e-5)


@pytest.mark.parametrize("posts", [[], [["one"]] * 3, [[f"w{i}"] for i in range(50)], [[] for _ in range(50)]])
def test_too_few_posts_or_words_give_no_axis(posts):
    assert list(Themes(n=4, n_factors=8).fit(posts).columns(posts)) == []
