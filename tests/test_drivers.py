"""Words that were planted on one side are found, chance differences are not, and the score is the paper's."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.drivers import COLUMNS, drivers, is_word, log_odds, presence

COMMON = [f"w{i}" for i in range(300)]
ZIPF = 1 / np.arange(1, 301)


def corpus(seed: int, n: int = 600, planted: tuple[str, ...] = ()) -> tuple[list[list[str]], np.ndarray]:
    """Return posts of eight words, a third of them bad; 1 of 5 bad ones holds each planted word, 1 of 50 others."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 1 / 3, "bad", "good")
    posts = [[COMMON[w] for w in row] for row in rng.choice(300, (n, 8), p=ZIPF / ZIPF.sum())]
    for post, label in zip(posts, labels, strict=True):
        post += [word for word in planted if rng.random() < (0.2 if label == "bad" else 0.02)]
    return posts, labels


def test_score_is_the_formula_by_hand():
    """Word 1: 30 of 100 against 10 of 100, α = 0.1 · 100 · 0.2 = 2 on both sides, so 32 of 110 against 12 of 110."""
    delta, sigma = log_odds([30, 70], [10, 90], prior=0.1)
    assert delta[0] == pytest.approx(np.log(32 / 78) - np.log(12 / 98))
    assert sigma[0] == pytest.approx(np.sqrt(1 / 32 + 1 / 78 + 1 / 12 + 1 / 98))
    assert delta[1] == pytest.approx(-delta[0]), "of two words, what one gains the other loses"


def test_sides_exchanged_change_the_sign_and_a_stronger_prior_shrinks():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 40, 50), rng.integers(0, 40, 50)
    delta, sigma = log_odds(a, b)
    back, same = log_odds(b, a)
    np.testing.assert_allclose(back, -delta)
    np.testing.assert_allclose(same, sigma)
    assert (np.abs(log_odds(a, b, prior=10)[0]) <= np.abs(delta) + 1e-12).all()


def test_seldom_word_of_one_side_only_scores_below_a_frequent_one_with_a_smaller_ratio():
    """Ratios alone would put a word seen twice on top; Monroe et al. call this the reason for the prior."""
    delta, sigma = log_odds([2, 200, 5000], [0, 100, 5100])
    z = delta / sigma
    assert delta[0] > delta[1] and z[0] < 1.96 < z[1] and z[2] < z[0]


@pytest.mark.parametrize("seed", range(5))
def test_planted_words_come_first_with_posts_that_hold_them(seed):
    planted = ("slow", "crash", "refund")
    posts, labels = corpus(seed, planted=planted)
    table = drivers(posts, labels, sides=["bad"], n=5)
    assert table.columns.tolist() == COLUMNS and set(table["word"][:3]) == set(planted)
    assert (table["z"].diff().dropna() <= 0).all() and (table["q"][:3] < 0.05).all()
    for _, row in table.iterrows():
        assert len(row["examples"]) == 3 == len({tuple(posts[i]) for i in row["examples"]})
        assert all(row["word"] in posts[i] and labels[i] == "bad" for i in row["examples"])
        assert row["low"] < row["log_odds"] < row["high"] and row["share"] > row["share_of_others"]
    first = table.iloc[0]
    bad = [p for p, label in zip(posts, labels, strict=True) if label == "bad"]
    assert first["posts"] == sum(first["word"] in p for p in bad) and first["share"] == first["posts"] / len(bad)


def test_labels_that_mean_nothing_have_no_surprising_words():
    """q < 0.05 on shuffled labels in at most 5 % of corpora and a little more, of 80."""
    found = [drivers(*corpus(seed), n=1)["q"].min() < 0.05 for seed in range(80)]
    assert np.mean(found) <= 0.06


def test_interval_of_the_log_odds_covers_a_planted_difference():
    """Two multinomials with known shares, counts of 3,000 words: the prior is 10 %, so a little to the inside."""
    rng, inside = np.random.default_rng(0), []
    p, r = rng.dirichlet(np.full(60, 2.0)), rng.dirichlet(np.full(60, 2.0))
    near = 0.9 * p + 0.1 * r  # close enough for the prior to pull little
    truth = np.log(p / (1 - p)) - np.log(near / (1 - near))
    for _ in range(200):
        delta, sigma = log_odds(rng.multinomial(3000, p), rng.multinomial(3000, near))
        inside.append(np.abs(delta - truth) <= 1.96 * sigma)
    assert 0.93 < np.mean(inside) < 0.985


def test_post_counts_once_however_often_it_repeats_and_order_of_posts_is_nothing():
    posts, labels = corpus(0, planted=("slow",))
    shouting = [post * 7 for post in posts]
    table = drivers(posts, labels, examples=0)
    assert drivers(shouting, labels, examples=0).equals(table)
    order = np.random.default_rng(0).permutation(len(posts))
    turned = drivers([posts[i] for i in order], labels[order], examples=0)
    assert turned["word"].tolist() == table["word"].tolist()
    np.testing.assert_allclose(turned["z"], table["z"])


def test_surest_posts_are_shown_and_copies_only_once():
    posts = [["slow"], ["slow"], ["slow", "app"], ["fine"], ["so", "slow"]] + [["fine", "day"]] * 6
    labels = ["bad"] * 3 + ["good"] + ["bad"] + ["good"] * 6
    shown = drivers(posts, labels, sides=["bad"], min_posts=3, sure=[0.6, 0.9, 0.7, 1, 0.8, *[1] * 6])
    assert shown.loc[0, "word"] == "slow" and shown.loc[0, "examples"] == (1, 4, 2)


def test_what_is_no_word_is_left_out():
    assert [is_word(t) for t in (":)", "<user>", "3.5", "…", "。", "", "ok", "😡", "不错")] == [False] * 6 + [True] * 3
    words, X = presence([["a", "!", "a"], [], ["b", "a"]], is_word)
    assert words == ["a", "b"] and X.toarray().tolist() == [[1, 0], [0, 0], [1, 1]]
    table = drivers([["!", "a"], ["b", "?"]] * 9, ["x", "y"] * 9, keep=lambda t: t in "!?")
    assert table["word"].tolist() == ["!", "?"]


def test_corpus_without_a_frequent_word_gives_an_empty_table():
    assert drivers([["a"], ["b"]], ["x", "y"]).empty and drivers([[], []], ["x", "y"], min_posts=1).empty


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: drivers([["a"]], ["x", "y"]), "1 posts and 2 labels: each post needs one"),
        (lambda: drivers([["a"], ["b"]], ["x", "x"]), "all posts are 'x': words can only be compared between two"),
        (lambda: drivers([["a"], ["b"]], ["x", "y"], prior=0), "prior=0 must be above 0"),
        (lambda: drivers([["a"], ["b"]], ["x", "y"], sides=["z"]), "'z' is not one of ['x', 'y']"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
