"""Steps go from nothing to all, and what was alike stays alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.coarsening import age_ladder, place_ladder, time_ladder


def towns(seed: int = 0, n: int = 500) -> pd.Series:
    rng = np.random.default_rng(seed)
    return pd.Series([f"t{i}" for i in rng.geometric(0.15, n)])


@pytest.mark.parametrize("seed", range(5))
def test_a_further_step_never_parts_what_was_alike(seed):
    rng = np.random.default_rng(seed)
    ages, places = pd.Series(rng.integers(0, 99, 300)), towns(seed)
    for values, ladder in ((ages, age_ladder()), (places, place_ladder(places, 5))):
        columns = [step(values) for step in ladder.steps]
        for fine, coarse in zip(columns, columns[1:], strict=False):
            assert pd.DataFrame({"fine": fine, "coarse": coarse}).groupby("fine")["coarse"].nunique().eq(1).all()
        assert columns[0].tolist() == values.astype(str).tolist() and set(columns[-1]) == {"*"}
        assert len(ladder.names) == len(ladder.steps)


def test_bands_hold_their_ages():
    ages = pd.Series([0, 4, 5, 19, 20, 39.9, 99, None])
    assert age_ladder().steps[1](ages).tolist() == [
        "0-4", "0-4", "5-9", "15-19", "20-24", "35-39", "95-99", "missing"
    ]  # fmt: skip
    assert age_ladder([7]).names == ("as it is", "bands of 7 years", "hidden")


def test_times_are_named_by_their_period():
    times = pd.Series(pd.to_datetime(["2024-12-30 23:59:59", "2025-01-01 00:00:00", None]))
    day, week, month, quarter, year = (step(times).tolist() for step in time_ladder().steps[1:-1])
    assert day == ["2024-12-30", "2025-01-01", "missing"] and month == ["2024-12", "2025-01", "missing"]
    assert week == ["week of 2024-12-30"] * 2 + ["missing"]  # one week in two years
    assert quarter == ["2024Q4", "2025Q1", "missing"] and year == ["2024", "2025", "missing"]
    zoned = times.dt.tz_localize("UTC")
    assert time_ladder(["month"]).steps[1](zoned).tolist() == month
    with pytest.raises(UsageError, match="'weak' is no period to coarsen to; did you mean 'week'"):
        time_ladder(["weak"])


@pytest.mark.parametrize("k", [2, 5, 50])
def test_pooled_places_are_all_as_frequent_as_asked(k):
    places = towns(1)
    for step, least in zip(place_ladder(places, k).steps[1:-1], (k, 0.01 * 500, 0.05 * 500), strict=True):
        assert step(places).value_counts().min() >= least


def test_another_table_is_pooled_by_the_same_names():
    places = pd.Series(["Rome"] * 9 + ["Bari"] * 2 + ["Pisa"] * 2)
    step = place_ladder(places, 4).steps[1]
    assert step(pd.Series(["Bari", "Rome", "Oslo", None])).tolist() == ["other", "Rome", "other", "other"]


def test_wrong_kind_of_column_is_named():
    with pytest.raises(UsageError, match="bands need numbers; column 'age' does not hold them"):
        age_ladder().steps[1](pd.Series(["31 years"], name="age"))
    with pytest.raises(UsageError, match="periods need times; column 'first' holds"):
        time_ladder().steps[1](pd.Series(["2024-05-01"], name="first"))
