"""Any folder becomes a table: customers as they are, purchases by their habits; and it is the one that is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab import rfm
from smlab.checks import DataAbsent
from smlab.purchases import load_purchases
from smlab.tables import load_table


def test_purchases_become_a_row_a_customer():
    table = load_table("online-retail-2", offline=True)
    bought = load_purchases("online-retail-2", offline=True)
    assert table.what == "customer" and len(table.frame) == bought.frame["customer"].nunique()
    assert table.origin == "sample" and table.lines == bought.lines and bought.note in table.note
    known = rfm.rfm(bought.frame)
    assert np.allclose(table.frame[known.columns], known) and np.isfinite(table.frame.to_numpy()).all()


def test_weekdays_become_the_weekend():
    table = load_table("cdnow", offline=True)
    bought = load_purchases("cdnow", offline=True)
    late = rfm.orders(bought.frame)["time"].dt.day_of_week.ge(5).groupby(rfm.orders(bought.frame)["customer"]).mean()
    assert not set(rfm.WEEKDAYS) & set(table.frame)
    pd.testing.assert_series_equal(table.frame["weekend"], late.loc[table.frame.index], check_names=False)


def test_customers_are_taken_before_purchases(tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "purchases.csv").write_text("customer,time,amount\na,2024-01-01,3\nb,2024-01-02,4\n")
    assert load_table("shop", tmp_path).frame.index.tolist() == ["a", "b"]
    (shop / "customers.csv").write_text("customer,age,town\na,31,Ulm\nc,40,Bonn\n")
    table = load_table("shop", tmp_path)
    assert table.frame.index.tolist() == ["a", "c"] and list(table.numbers) == ["age"]


def test_a_table_that_is_not_there_is_said_to_be_absent(tmp_path):
    with pytest.raises(DataAbsent):
        load_table("customer_personality", tmp_path)
