"""Moves add up, the interval is Wilson's, few customers lose their figures, and the order is the caller's."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.migration import NEW, migration, square


def periods(n: int = 500, seed: int = 0) -> tuple[pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    who = [f"c{i}" for i in range(n)]
    return pd.Series(rng.choice(list("abc"), n), who).iloc[: n - 40], pd.Series(rng.choice(list("abc"), n), who)


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_a_row_add_up_to_one_and_counts_to_all(seed):
    before, after = periods(seed=seed)
    table = migration(before, after)
    np.testing.assert_allclose(square(table).sum(axis=1), 1)
    assert table["n"].sum() == len(after)
    assert table.groupby("from")["n"].sum()[NEW] == 40


def test_interval_is_wilsons():
    row = migration(*periods()).iloc[0]
    low, high = wilson(row["n"], row["of"])
    assert (row["low"], row["high"]) == (low, high) and row["low"] < row["value"] < row["high"]


def test_planted_moves_are_found_within_their_intervals():
    rng = np.random.default_rng(5)
    P = np.array([[0.8, 0.2], [0.3, 0.7]])
    then = rng.integers(0, 2, 20_000)
    now = (rng.random(20_000) > P[then, 0]).astype(int)
    found = migration(*(pd.Series(np.array(["a", "b"])[z]) for z in (then, now)), order=["a", "b"])
    assert ((found["low"] < P.ravel()) & (P.ravel() < found["high"])).all()


def test_rows_and_columns_stand_in_the_order_that_was_asked_for():
    table = square(migration(*periods(), order=["c", "a", "b"]))
    assert table.index.tolist() == ["c", "a", "b", NEW] and table.columns.tolist() == ["c", "a", "b"]


def test_a_row_of_few_customers_keeps_its_place_and_loses_its_figures():
    before, after = periods()
    table = migration(before, after, smallest=41)
    assert table.loc[table["from"] == NEW, ["value", "low", "high"]].isna().all().all()
    assert table.loc[table["from"] != NEW, "value"].notna().all()


def test_order_of_the_customers_does_not_matter():
    before, after = periods()
    one, other = (
        migration(b, a, order=list("abc")) for b, a in ((before, after), (before[::-1], after.sample(frac=1)))
    )
    pd.testing.assert_frame_equal(one, other)


ERRORS = {
    "2 customers of the first period are missing in the second; first: 'x'": (["x", "y"], ["z"]),
    "the customer 'x' stands twice": (["x", "x"], ["x"]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    before, after = (pd.Series("a", names) for names in ERRORS[text])
    with pytest.raises(UsageError, match=re.escape(text)):
        migration(before, after)
