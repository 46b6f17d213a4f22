"""Columns are chosen for a reason, cards say what was planted, and segments know what they can know and no more."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.kmeans import KMeans
from smlab.tablesegments import cards, choose_columns, known_of, short


def people(n: int = 400, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw two kinds of people: the second is older, richer and mostly from Bonn; shoe size is the same for both."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 2
    table = pd.DataFrame({
        "age": 30 + 25 * kind + rng.normal(0, 3, n),
        "income": np.exp(9 + 2 * kind + rng.normal(0, 0.3, n)),
        "shoe": rng.normal(40, 2, n),
        "town": pd.Categorical(np.where(rng.random(n) < 0.2 + 0.6 * kind, "Bonn", "Ulm")),
    })  # fmt: skip
    return table, kind


def test_each_column_that_is_left_out_has_its_reason():
    table, _ = people()
    spent = np.exp(np.random.default_rng(5).normal(0, 2, len(table)))
    found = choose_columns(table.assign(cents=table["income"] * 100 + 7, fixed=1.0, spent=spent))
    assert list(found.X) == ["age", "income", "shoe", "spent"] and found.logged == ["spent"]
    why = found.left_out.set_index("column")["why"]
    assert why["cents"] == "said by income already" and why["fixed"] == "the same for all" and "words" in why["town"]


def test_each_column_counts_alike():
    rare = np.r_[np.zeros(95), np.full(5, 1000.0)]
    steep = np.r_[np.linspace(0, 0.01, 90), np.linspace(-3, 3, 10)]  # quartiles close, a few far off
    X = choose_columns(pd.DataFrame({"rare": rare, "steep": steep, "even": np.arange(100.0) % 37})).X
    assert np.allclose(X.std(ddof=0), 1) and np.allclose(X.median(), 0)


def test_units_and_the_order_of_rows_change_nothing():
    table, _ = people()
    numbers = table[["age", "income", "shoe"]]
    once, again = (
        choose_columns(numbers),
        choose_columns(numbers.assign(age=numbers["age"] * 12).sample(frac=1, random_state=1)),
    )
    assert np.allclose(once.X[["age", "shoe"]], again.X.loc[once.X.index, ["age", "shoe"]])


def test_cards_say_what_was_planted():
    table, kind = people()
    found = choose_columns(table)
    z = KMeans(k=2).fit(found.X).labels_
    assert max((z == kind).mean(), (z != kind).mean()) > 0.98
    said = cards(found, kind, table[["town"]])
    assert said["name"].map(lambda name: set(name.split(", "))).tolist() == [
        {"low age", "low income"},
        {"high age", "high income"},
    ]
    assert "town: Bonn 8" in said.loc[1, "words"] or "town: Bonn 7" in said.loc[1, "words"]
    assert "shoe" not in " ".join(said["apart"]) and said["n"].tolist() == [200, 200]


def test_alike_segments_have_names_of_their_own():
    table, _ = people()
    said = cards(choose_columns(table), np.arange(400) % 3, table[["town"]])
    assert said["name"].is_unique


def test_segments_know_of_a_column_what_the_kind_explains():
    """Age is kind + noise: R² of the kind, 12.5² / (12.5² + 3²) = .945, is the most; of shoes nobody knows anything."""
    table, _ = people(1500)
    worth = known_of(choose_columns(table).X, 2)
    assert 0.8 < worth.loc["age", "value"] < 0.95  # the others cut a little across, for shoes count as much
    assert abs(worth.loc["shoe", "value"]) < 0.02 > abs(worth.loc["shoe", "ridge"])
    assert ((worth["low"] <= worth["value"]) & (worth["value"] <= worth["high"])).all()


def test_a_cut_keeps_less_of_a_line_than_a_regression():
    x = np.random.default_rng(0).normal(size=2000)
    frame = pd.DataFrame({"x": x, "y": x + np.random.default_rng(1).normal(0, 0.3, 2000)})
    worth = known_of(frame, 2)
    assert worth.loc["y", "value"] == pytest.approx(2 / np.pi / 1.09, abs=0.03)  # of a half: 2/π of what x explains
    assert worth.loc["y", "ridge"] == pytest.approx(1 / 1.09, abs=0.02)


def test_numbers_are_short():
    assert [short(v) for v in (0, 3.14159, 25000.4, 1.0)] == ["0", "3.14", "25,000", "1"]


ERRORS = {
    "no column of numbers tells these rows apart": lambda: choose_columns(
        pd.DataFrame({"a": [1.0, 1.0], "b": list("xy")})
    ),
    "one column alone": lambda: known_of(pd.DataFrame({"a": [1.0, 2.0]}), 2),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
