"""Changes are seeded, rare as asked, harmless to links and names, and what a classifier loses is measured in pairs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab import perturb as p
from smlab.checks import UsageError

POSTS = [
    f"the great service number {i} was really going to please you and your people before tomorrow" for i in range(300)
]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("slang", "Thanks, you are great", "thx, u r gr8"),
        ("dialect", "that thing is going nowhere this morning", "dat thing is goin' nowhere dis mornin'"),
        ("british", "my favorite color", "my favourite colour"),
        ("upper", "so bad :d", "SO BAD :D"),
        ("lower", "SO Bad", "so bad"),
        ("homophones", "他在做", "她再作"),
        ("shapes", "末入", "未人"),
        ("traditional", "这个电话", "這個電話"),
    ],
)
def test_change_is_the_known_one(kind, before, after):
    assert p.perturb([before], kind, rate=1) == [after]


def test_typos_change_one_letter_of_a_long_word_and_keep_the_first():
    words = "horrible excellent delivery"
    for kind, change in (("swap", 0), ("drop", -1), ("neighbour", 0), ("elongation", 2)):
        (text,) = p.perturb([words], kind, rate=1, seed=1)
        assert text != words and len(text.split()) == 3
        for old, new in zip(words.split(), text.split(), strict=True):
            assert new[0] == old[0] or kind == "neighbour"
            assert len(new) - len(old) == change or kind == "elongation" and 2 <= len(new) - len(old) <= 4
    swapped = p.perturb([words], "swap", rate=1)[0]
    assert [sorted(w) for w in swapped.split()] == [sorted(w) for w in words.split()]


@pytest.mark.parametrize("kind", p.KINDS)
def test_rate_zero_changes_nothing_and_links_names_and_tags_never_change(kind):
    kept = "https://the.example/you?q=great @thanks #favorite www.color.example <user> #这个"
    assert p.perturb([kept], kind, rate=1) == [kept]
    assert p.perturb(POSTS, kind, rate=0) == POSTS


@pytest.mark.parametrize("kind", ["swap", "slang", "upper"])
def test_about_the_asked_share_of_words_changes(kind):
    able, some = (p.perturb(POSTS, kind, rate=r) for r in (1, 0.2))
    could, did = (sum(a != b for x, y in zip(POSTS, z, strict=True) for a, b in zip(x.split(), y.split(), strict=True))
                  for z in (able, some))  # fmt: skip
    assert did / could == pytest.approx(0.2, abs=0.03)


def test_same_seed_same_text_whatever_stands_beside_it():
    first = p.perturb(POSTS, "swap", rate=0.5, seed=3)
    assert first == p.perturb(POSTS, "swap", rate=0.5, seed=3) != p.perturb(POSTS, "swap", rate=0.5, seed=4)
    assert p.perturb([POSTS[7]], "swap", rate=0.5, seed=3) == [first[7]]


@given(st.text(), st.sampled_from(p.KINDS), st.sampled_from([0.3, 1.0]))
def test_any_text_goes_through(text, kind, rate):
    (changed,) = p.perturb([text], kind, rate=rate)
    assert isinstance(changed, str) and len(changed) <= 6 * len(text) + 6


def test_tables_change_characters_and_words_into_others():
    for table in (p.SLANG, p.DIALECT, p.BRITISH, p.HOMOPHONES, p.SHAPES):
        assert all(a != b and a == a.lower() for a, b in table.items())
    assert sum(a != b for a, b in p.TRADITIONAL.items()) > 30


def test_classifier_of_whole_words_loses_by_typos_and_one_of_small_letters_not_by_case():
    rng = np.random.default_rng(0)
    labels = rng.choice(["bad", "good"], 400)
    texts = [f"it was {'horrible' if label == 'bad' else 'excellent'} post {i}" for i, label in enumerate(labels)]

    def predict(posts):
        return np.array(["bad" if "horrible" in post.lower() else "good" for post in posts])

    table = p.robustness(texts, labels, predict, kinds=["upper", "drop", "swap"], rate=1).set_index("kind")
    assert table.loc["upper", ["flipped", "value", "low", "high"]].tolist() == [0] * 4
    assert table.loc["upper", "touched"] == 1 and table.index[-1] == "upper", "worst first"
    share = np.mean(labels == "bad")
    row = table.loc["drop"]
    assert row["value"] == pytest.approx(-share, abs=0.02) and row["low"] < row["value"] < row["high"] < 0
    assert row["flipped"] == pytest.approx(-row["value"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: p.perturb(["a"], "swop"), "kind='swop': did you mean 'swap'?"),
        (lambda: p.perturb(["a"], "swap", rate=2), "rate=2 must lie between 0 and 1"),
        (lambda: p.robustness(["a"], ["x"], lambda t: ["x"], metric="f1"), "unknown metric 'f1'"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
