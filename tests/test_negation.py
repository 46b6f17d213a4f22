"""The scope of a negation: from the word to the end of its clause, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.negation import MARK, NEGATIONS, mark_negated

TOKENS = st.lists(
    st.sampled_from(["not", "good", "n0", ".", ",", "!!", "😂", ":)", "'", "<user>", "<url>", "#tag", "不", "好"])
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("i do not like it . ok", "i do not not_like not_it . ok"),
        ("can't wait ! great", "can't not_wait ! great"),
        ("dont like , love", "dont not_like , love"),
        ("never ever 😂 happy", "never not_ever 😂 happy"),
        ("no fun :( today", "no not_fun :( today"),
        ('not the " new " phone', 'not not_the " not_new " not_phone'),
        ("not for <user> #nike shoes", "not not_for <user> #nike not_shoes"),
        ("nothing here <url> good", "nothing not_here <url> good"),
        ("not bad not good", "not not_bad not not_good"),
        ("Not Good", "Not not_Good"),
        ("质量 没有 宣传 的 好 ， 客服 好", "质量 没有 not_宣传 not_的 not_好 ， 客服 好"),
        ("不错 很 好", "不错 很 好"),
        ("all is well", "all is well"),
        ("", ""),
    ],
)
def test_scope(before, after):
    assert mark_negated(before.split()) == after.split()


@given(TOKENS)
def test_marks_are_all_that_changes(tokens):
    marked = mark_negated(tokens)
    assert [t.removeprefix(MARK) for t in marked] == tokens
    assert all(t.removeprefix(MARK)[0].isalnum() for t in marked if t.startswith(MARK))


@given(TOKENS)
def test_nothing_before_a_negation_and_no_negation_is_marked(tokens):
    marked = mark_negated(tokens)
    first = next((i for i, t in enumerate(tokens) if t in NEGATIONS), len(tokens))
    assert marked[:first] == tokens[:first]
    assert not {MARK + word for word in NEGATIONS} & set(marked)


@given(TOKENS, TOKENS)
def test_a_full_stop_parts_two_clauses(left, right):
    assert mark_negated([*left, ".", *right]) == [*mark_negated(left), ".", *mark_negated(right)]


def test_input_is_not_changed():
    tokens = ["not", "good"]
    assert mark_negated(tokens) is not tokens and tokens == ["not", "good"]
    assert mark_negated(("fine",)) == ["fine"]


@pytest.mark.parametrize(
    "word", ["don't", "dont", "isn't", "won't", "wont", "can't", "cant", "cannot", "不", "没有", "从不"]
)
def test_negations_are_known(word):
    assert word in NEGATIONS


@pytest.mark.parametrize("word", ["want", "don", "knot", "note", "不错", "没错", "noon"])
def test_words_that_only_look_like_negations_are_not(word):
    assert word not in NEGATIONS
