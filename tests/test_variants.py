"""Copy from templates and facts, and its ranking."""

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.variants import TEMPLATES, fill, rank, ten_thousands

FACTS = {
    "product": "the harbour walk", "benefit": ["three old cafés in two hours", "the best view of the city"],
    "price": "19 €", "call": "book today", "places": 12_000, "until": date(2026, 12, 24),
}  # fmt: skip


def texts(template, **facts):
    return fill({"plain": [template]}, facts)["text"].tolist()


def test_formats_plurals_and_dates():
    assert texts("{n:,} {n|seat|seats} at {p:.2f}", n=1200, p=3) == ["1,200 seats at 3.00"]
    assert texts("{n} {n|seat|seats}", n=1) == ["1 seat"]
    assert texts("Until {day:%-d %B}", day=date(2026, 1, 5)) == ["Until 5 January"]
    assert texts("已有{n:万}人，{day:%-m月%-d日}截止", n=12_000, day=date(2026, 1, 5)) == ["已有1.2万人，1月5日截止"]
    assert [ten_thousands(n) for n in (9_999, 10_000, 250_000_000)] == ["9999", "1万", "2.5亿"]


def test_optional_pieces_are_written_both_ways_where_their_facts_are_known():
    assert texts("{a}[ and {b}][!]", a="X", b="y") == ["X and y!", "X and y", "X!", "X"]
    assert texts("{a}[ and {b}]", a="X") == texts("{a}[ and {b}]", a="X", b=None) == ["X"]


def test_sentences_begin_with_a_capital_and_stops_do_not_pile_up():
    assert texts("{a}? {b}. {c}.", a="why wait", b="come now!", c="see e.g. us") == ["Why wait? Come now! See e.g. us."]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_own_templates_use_every_fact_and_no_text_comes_twice(language):
    found = fill(TEMPLATES[language], FACTS)
    assert set(found["tone"]) == {"plain", "warm", "urgent", "question"} and found["text"].is_unique
    assert not found["text"].str.contains(r"[{}\[\]|]|None").any()
    for name in FACTS:
        assert found["facts"].str.contains(f"{name}: ").any()
    few = fill({"plain": TEMPLATES[language]["plain"]}, {"product": "X", "benefit": "y"})
    assert 0 < len(few) < len(found)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Only {pric}", "the template 'Only {pric}' needs the fact 'pric'; did you mean 'price'?"),
        ("{price", "has a brace that is not closed"),
        ("[{price}", "has a bracket that is not closed, or one in another"),
        ("{price now}", "has the field 'price now'; a field is the name of a fact"),
        ("{price:%d}", "cannot write 'price', which is 'x', as 'price:%d'"),
        ("{price|a|b}", "cannot write 'price'"),
        ("{price|a}", "cannot write 'price'"),
    ],
)
def test_errors_of_templates_are_sentences(template, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        texts(template, price="x")


def length(several):
    return [len(text) for text in several]


def test_score_is_the_mean_of_ranks_by_weight_and_why_says_so():
    copy = ["aa", "bbbb", "c"]
    table = rank(copy, {"length": length, "luck": lambda t: [3, 1, 2]}, weights={"luck": 3.0}, trade=0)
    assert table["text"].tolist() == ["aa", "c", "bbbb"]
    assert table["score"].tolist() == pytest.approx([(0.5 + 3 * 5 / 6) / 4, (1 / 6 + 3 * 0.5) / 4, (5 / 6 + 3 / 6) / 4])
    assert table["luck"].tolist() == [3, 2, 1] and table["place"].tolist() == table["by_score"].tolist() == [1, 2, 3]
    assert table["why"][0] == "no. 1 by score; best at luck (above 83%), weakest at length (above 50%)"


def test_only_the_order_of_a_score_counts_and_below_0_turns_it():
    copy = ["a", "bb", "ccc", "dddd"]
    up, bent, down = (
        rank(copy, {"x": f}, weights={"x": w}, trade=0)["text"].tolist()
        for f, w in ((length, 1), (lambda t: np.exp(length(t)) * 99, 5), (length, -1))
    )
    assert up == bent == down[::-1] == copy[::-1]


def test_variety_moves_twins_apart():
    copy = ["see the old town today", "see the old town now", "a boat trip with wine"]
    worth = {"worth": lambda t: [3.0, 2.0, 1.0]}
    assert rank(copy, worth, trade=0)["by_score"].tolist() == [1, 2, 3]
    table = rank(copy, worth, trade=0.7)
    assert table["by_score"].tolist() == [1, 3, 2]
    assert "down, for it is 78% like place 1" in table["why"][2] and "up, at most 0% like" in table["why"][1]
    assert len(rank(copy, worth, k=2)) == 2


def test_ranking_keeps_the_columns_of_the_frame_and_does_not_change_it():
    frame = fill(TEMPLATES["en"], FACTS)
    before = frame.copy()
    table = rank(frame.sample(frac=1, random_state=0), {"length": length})
    pd.testing.assert_frame_equal(frame, before)
    assert set(table["text"]) == set(frame["text"]) and {"tone", "facts", "maker"} <= set(table)
    for row in table.itertuples():
        assert row.length == len(row.text)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"scorers": {}}, "needs variants with the column 'text', and a scorer or more"),
        ({"scorers": {"ctr": lambda t: [1.0]}}, "the scorer 'ctr' gave numbers of shape (1,) for 2 texts"),
        ({"scorers": {"ctr": lambda t: [1.0, np.nan]}}, "the scorer 'ctr' gave no number for 1 of 2 texts"),
        ({"scorers": {"ctr": length}, "weights": {"crt": 1}}, "weights name 'crt', which is no scorer"),
        ({"scorers": {"ctr": length}, "weights": {"ctr": 0}}, "all weights are 0"),
        ({"scorers": {"ctr": length}, "trade": 2}, "trade=2 must lie between 0"),
    ],
)
def test_errors_of_rankings_are_sentences(how, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        rank(["a", "bb"], **how)
