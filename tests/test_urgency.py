"""The score is its formula, each factor moves it the right way, and the reasons say why, without the post's words."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.urgency import answer_first

NOW = pd.Timestamp("2024-05-03 12:00", tz="UTC")


def test_score_is_the_formula_by_hand():
    """Need 1 - 0.2 · 0.5 = 0.9, reach 1 + log10(1 + 999) = 4, 24 hours old: 0.9 · 4 · 0.5."""
    frame = pd.DataFrame({"text": ["my parcel is late. why?"], "reach": [999], "time": [NOW - pd.Timedelta(hours=24)]})
    row = answer_first(frame, [0.8], now=NOW).iloc[0]
    assert (row["need"], row["reach"], row["freshness"]) == pytest.approx((0.9, 4, 0.5))
    assert row["urgency"] == pytest.approx(1.8)
    assert row["reason"] == "80 % negative; asks a question; seen by about 999; 24 hours old"


def test_more_negative_more_seen_newer_and_asking_come_first():
    text = ["it broke", "it broke again", "it broke, can I get a refund?", "lovely"]
    frame = pd.DataFrame({"text": text, "reach": [100, 100_000, 100, 100], "time": [NOW] * 4})
    ranked = answer_first(frame, [0.8, 0.8, 0.8, 0.05])
    assert ranked.index.tolist() == [1, 2, 0, 3] and ranked["urgency"].is_monotonic_decreasing
    late = frame.assign(time=[NOW, NOW - pd.Timedelta(days=5), NOW, NOW])
    assert answer_first(late, [0.8, 0.8, 0.8, 0.05]).index[-1] == 1
    assert "5 days old" in answer_first(late, [0.8] * 4).loc[1, "reason"]


def test_what_is_not_known_counts_alike_for_all():
    ranked = answer_first(pd.DataFrame({"text": ["a", "b"]}), [0.2, 0.9])
    assert ranked.index.tolist() == [1, 0] and ranked["urgency"].tolist() == pytest.approx([0.9, 0.2])
    unseen = pd.DataFrame({"text": ["a", "b"], "reach": [np.nan, 0], "time": [pd.NaT, NOW]})
    assert answer_first(unseen, [0.5, 0.5])["urgency"].tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Where is my order", "asks a question"),
        ("it’s broken, can’t log in", "asks for help"),
        ("请问什么时候发货", "asks a question"),
        ("这个能用吗", "asks a question"),
        ("客服没人理", "asks for help"),
        ("我要退款！", "wants money back or threatens to leave"),
        ("NEVER AGAIN", "wants money back or threatens to leave"),
    ],
)
def test_signs_of_a_question_or_a_request_are_seen_in_both_languages(text, sign):
    row = answer_first(pd.DataFrame({"text": [text]}), [0.0]).iloc[0]
    assert sign in row["reason"] and row["need"] == 0.5


@pytest.mark.parametrize(
    "text", ["nice https://shop.example/?id=1", "@why is cool", "the issue is solved", "好吃呢么香", ""]
)
def test_links_names_and_parts_of_words_ask_nothing(text):
    row = answer_first(pd.DataFrame({"text": [text]}), [0.3]).iloc[0]
    assert row["need"] == pytest.approx(0.3) and row["reason"] == "30 % negative"


def test_copies_are_one_entry_answered_where_most_people_saw_it():
    text = ["Bad app!", "@shop bad  app! https://x.example/1", "fine", "https://x.example/2", "https://x.example/3"]
    frame = pd.DataFrame({"text": text, "reach": [10, 5000, 10, 0, 0]}, index=list("abcde"))
    ranked = answer_first(frame, [0.9, 0.9, 0.1, 0.5, 0.5])
    assert ranked.index.tolist() == ["b", "d", "e", "c"] and ranked["copies"].tolist() == [2, 1, 1, 1]
    assert ranked.loc["b", "reason"] == "90 % negative; seen by about 5,000; 2 posts say the same"


def test_reasons_hold_nothing_of_the_post_and_the_text_stays_as_it_is():
    nasty = "<script>alert(1)</script> refund? | **x** =cmd()"
    row = answer_first(pd.DataFrame({"text": [nasty]}), [1.0]).iloc[0]
    assert (
        row["text"] == nasty
        and row["reason"] == "100 % negative; asks a question; wants money back or threatens to leave"
    )


def test_number_of_posts_is_kept_and_a_frame_is_never_changed():
    frame = pd.DataFrame({"text": [f"post {i}" for i in range(50)], "reach": range(50)})
    before = frame.copy()
    assert (
        len(answer_first(frame, np.full(50, 0.5), n=7)) == 7
        and len(answer_first(frame, np.full(50, 0.5), n=None)) == 50
    )
    assert frame.equals(before)
    assert answer_first(frame.iloc[:0], []).empty


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: answer_first(pd.DataFrame({"text": ["a"]}), [0.1, 0.2]), "1 posts (with a column 'text') and 2 prob"),
        (lambda: answer_first(pd.DataFrame({"post": ["a"]}), [0.1]), "1 posts (with a column 'text')"),
        (lambda: answer_first(pd.DataFrame({"text": ["a", "b"]}), [0.1, 1.2]), "row 1: 1.2 is no probability"),
        (lambda: answer_first(pd.DataFrame({"text": ["a"], "reach": [-3]}), [0.1]), "row 0: a reach of -3 is below 0"),
        (
            lambda: answer_first(pd.DataFrame({"text": ["a"], "time": pd.to_datetime(["2024-05-01"])}), [0.1]),
            "times need a zone",
        ),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
