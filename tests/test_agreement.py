"""Rank correlations are the textbook's, intervals hold the chance of the rows, and planted disagreement is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from smlab.agreement import Importance, agreement, places, rank_correlation
from smlab.checks import UsageError


def of(values: dict[str, float], noise: float = 0.0, seed: int = 0) -> Importance:
    value = pd.Series(values, dtype=float)
    drawn = value.to_numpy() + noise * np.random.default_rng(seed).standard_normal((200, len(value)))
    return Importance(value, pd.DataFrame(drawn, columns=value.index))


def test_rank_correlation_is_spearmans_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 4, 12), rng.integers(0, 4, 12)
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_importance_of_rows_is_the_mean_size_and_its_interval_covers_the_truth():
    rng, hits = np.random.default_rng(1), 0
    for seed in range(60):
        parts = pd.DataFrame({"a": rng.standard_normal(150), "b": -2 * rng.standard_normal(150)})
        table = Importance.of_rows(parts, seed=seed).table()
        assert table.index.tolist() == ["b", "a"] and table.loc["a", "value"] == parts["a"].abs().mean()
        hits += table.loc["a", "low"] <= np.sqrt(2 / np.pi) <= table.loc["a", "high"]
    assert 50 <= hits <= 60


def test_same_order_agrees_fully_and_the_opposite_not_at_all():
    up, down = of({"a": 3, "b": 2, "c": 1}), of({"c": 3, "b": 2, "a": 1})
    table = agreement({"one": up, "same": up, "other": down}, top=1).set_index(["first", "second"])
    assert table.loc[("one", "same"), ["value", "low", "high", "top"]].tolist() == [1, 1, 1, 1]
    assert table.loc[("one", "other"), ["value", "top"]].tolist() == [-1, 0]


def test_uncertain_importances_have_wide_intervals_and_truth_is_one_more_row():
    values = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
    sure, unsure = of(values, 0.01), of(values, 2.0)
    table = agreement({"sure": sure, "unsure": unsure}, truth=pd.Series(values)).set_index(["first", "second"])
    assert table.loc[("sure", "truth"), "low"] == 1
    assert table.loc[("unsure", "truth"), "low"] < 0.3 and len(table) == 3


def test_places_show_where_explanations_part():
    table = places({"one": of({"a": 3, "b": 2, "c": 1}), "two": of({"a": 3, "b": 1, "c": 2})})
    assert table.index[0] == "a" and table["apart"].tolist() == [0, 1, 1]


def test_bad_input_is_said_in_a_sentence():
    one = of({"a": 1, "b": 2})
    with pytest.raises(UsageError, match="1 explanation: two are needed"):
        agreement({"one": one})
    with pytest.raises(UsageError, match=r"'two' explains \['a', 'c'\]"):
        agreement({"one": one, "two": of({"a": 1, "c": 2})})
    with pytest.raises(UsageError, match="top=3 must be 1 to 2"):
        agreement({"one": one, "two": one})
