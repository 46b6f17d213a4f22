"""The account of what was left out adds up, and each row is counted once."""

from __future__ import annotations

import numpy as np
import pytest

from smlab.sieve import Sieve, said


@pytest.mark.parametrize("seed", range(10))
def test_counts_add_up_to_what_is_gone(seed):
    rng = np.random.default_rng(seed)
    sieve = Sieve(200, lambda i: f"row {i}")
    everything = np.zeros(200, dtype=bool)
    for k in range(5):
        rows = rng.random(200) < 0.2
        taken = sieve.drop(f"reason {k}", rows)
        assert not (taken & everything).any()
        everything |= rows
    table = sieve.table()
    assert table["rows"].sum() == everything.sum() == (~sieve.left).sum()
    assert np.isclose(table["share"].sum(), everything.mean())


def test_reason_without_rows_is_not_listed_and_a_sentence_says_all():
    sieve = Sieve(3, lambda i: "x" * 200)
    sieve.drop("never", np.zeros(3, dtype=bool))
    assert sieve.table().empty and said(sieve.table(), 3) == "All 3 lines are kept."
    sieve.drop("is odd", np.array([True, False, False]))
    assert said(sieve.table(), 3, "rows") == "Left out of 3 rows: 1 (is odd)."
    assert len(sieve.table()["example"][0]) == 90
