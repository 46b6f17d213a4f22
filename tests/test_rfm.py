"""Features of customers equal their definitions, and scaling is what its formula says and can be undone."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab import rfm
from smlab.checks import UsageError


def bought(n: int = 400, customers: int = 30, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "customer": pd.Series([f"c{i:02d}" for i in rng.integers(0, customers, n)], dtype="str"),
        "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 300 * 24, n)), unit="h"),
        "amount": rng.lognormal(3, 1, n), "product": rng.integers(0, 9, n).astype(str),
    })  # fmt: skip
    return frame.assign(invoice=[f"{c}{t:%j}" for c, t in zip(frame["customer"], frame["time"], strict=True)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("until", [None, "2024-07-01"])
def test_features_equal_their_definitions(seed, until):
    """The slow and obvious way, customer by customer."""
    frame = bought(seed=seed)
    end = frame["time"].max() if until is None else pd.Timestamp(until)
    seen = frame[frame["time"] <= end]
    table, habits = rfm.rfm(frame, until=until), rfm.behaviour(frame, until=until)
    assert table.index.tolist() == habits.index.tolist() == sorted(seen["customer"].unique())
    for who, lines in seen.groupby("customer"):
        sums = lines.groupby("invoice")["amount"].sum()
        starts = lines.groupby("invoice")["time"].min()
        recency, tenure = (end - lines["time"].max()).total_seconds(), (end - lines["time"].min()).total_seconds()
        right = [recency / 86400, len(sums), sums.mean(), tenure / 86400]
        assert np.allclose(table.loc[who], right)
        assert np.isclose(habits.loc[who, "monday"], (starts.dt.day_of_week == 0).mean())
        assert np.isclose(habits.loc[who, "evening"], (starts.dt.hour >= 18).mean())
        assert habits.loc[who, "products"] == lines["product"].nunique()
        gap = np.diff(starts.sort_values()).mean() / np.timedelta64(1, "D") if len(starts) > 1 else right[0]
        assert np.isclose(habits.loc[who, "gap"], gap)
    assert np.allclose(habits[list(rfm.WEEKDAYS)].sum(axis=1), 1) and np.allclose(
        habits[list(rfm.PARTS)].sum(axis=1), 1
    )


def test_order_of_the_lines_and_names_of_the_customers_do_not_matter():
    frame = bought()
    mixed = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(rfm.rfm(mixed), rfm.rfm(frame))
    renamed = rfm.rfm(frame.assign(customer="z" + frame["customer"]))
    assert np.array_equal(renamed, rfm.rfm(frame))


def test_without_invoices_a_day_is_an_order():
    frame = bought().drop(columns="invoice")
    found = rfm.orders(frame)
    assert len(found) == len(set(zip(frame["customer"], frame["time"].dt.date, strict=True)))
    assert np.isclose(found["amount"].sum(), frame["amount"].sum())


def test_days_without_hours_have_no_part_of_the_day():
    frame = bought().assign(time=lambda f: f["time"].dt.floor("D"))
    assert not set(rfm.PARTS) & set(rfm.behaviour(frame)) and "sunday" in rfm.behaviour(frame)


def test_share_of_returns_counts_what_was_undone_as_bought():
    frame = pd.DataFrame({"customer": ["a", "b"], "time": pd.to_datetime(["2024-05-01"] * 2), "amount": [30.0, 5.0]})
    back = frame.assign(amount=[10.0, 50.0], undoes=[True, False])
    assert rfm.behaviour(frame, back)["returned"].tolist() == [0.25, 1.0]
    assert rfm.behaviour(frame, back[:0])["returned"].tolist() == [0.0, 0.0]


def test_repeats_count_days_in_weeks():
    """Customers 4 and 21 of CDNOW: x=2, t_x=30.43, T=38.86, and x=1, t_x=1.71, T=38.86 (Fader, Hardie and Lee)."""
    days = ["1997-01-01", "1997-01-18", "1997-08-02", "1997-12-12", "1997-01-01", "1997-01-13", "1997-01-13"]
    frame = pd.DataFrame({"customer": ["4"] * 4 + ["21"] * 3, "time": pd.to_datetime(days), "amount": 1.0})
    found = rfm.repeats(frame, until="1997-09-30").round(2)
    assert found.loc["4"].tolist() == [2, 30.43, 38.86] and found.loc["21"].tolist() == [1, 1.71, 38.86]


def test_nobody_is_an_error():
    with pytest.raises(UsageError, match="there is no purchase up to 2020-01-01"):
        rfm.rfm(bought(), until="2020-01-01")
    with pytest.raises(UsageError, match="there is no purchase"):
        rfm.behaviour(bought()[:0])


@pytest.mark.parametrize("seed", range(5))
def test_scaling_is_its_formula_and_can_be_undone(seed):
    table = rfm.rfm(bought(seed=seed))
    scaler = rfm.Scaler().fit(table)
    z, x = scaler.transform(table), np.log1p(table)
    assert np.allclose(z, (x - x.median()) / (x.quantile(0.75) - x.quantile(0.25)))
    assert np.allclose(z.median(), 0) and list(z) == list(table) and z.index.equals(table.index)
    assert np.allclose(scaler.inverse(z), table)
    pd.testing.assert_frame_equal(rfm.scaled(table), z)
    assert np.allclose(scaler.transform(table[:1]), z[:1])  # a new customer is scaled as the others were


def test_one_giant_moves_the_others_hardly():
    table = rfm.rfm(bought())
    giant = table.copy()
    giant.iloc[0, 2] = 1e9
    moved = (rfm.scaled(giant) - rfm.scaled(table)).iloc[1:].abs().max().max()
    assert moved < 0.2


def test_equal_quartiles_and_constant_columns_are_scaled_too():
    table = pd.DataFrame({"frequency": [1.0] * 9 + [50.0], "constant": 3.0})
    z = rfm.scaled(table)
    assert (z["constant"] == 0).all() and np.isclose(z["frequency"].std(ddof=0), 1)
    assert np.allclose(rfm.Scaler().fit(table).inverse(z), table)


def test_columns_without_logarithm_keep_their_sign():
    table = pd.DataFrame({"change": [-2.0, 0.0, 2.0], "sum": [0.0, 1.0, 3.0]})
    z = rfm.scaled(table, log=["sum"])
    assert z["change"].tolist() == [-1, 0, 1]
    assert np.allclose(rfm.Scaler(log=["sum"]).fit(table).inverse(z), table)


@pytest.mark.parametrize(
    ("table", "log", "sentence"),
    [
        ({"a": [1.0]}, None, "1 customer: at least two are needed to compare"),
        ({"a": []}, None, "0 customers: at least two are needed"),
        ({"a": [1.0, -2.0]}, None, "the column 'a' holds -2; a logarithm needs values from 0, see `log`"),
        ({"a": ["x", "y"]}, None, "the column 'a' holds words"),
        ({"a": [1.0, np.nan]}, None, "the column 'a' has no number for 1 (and 0 more)"),
        ({"a": [1.0, 2.0]}, ["b"], "there is no column 'b'"),
    ],
)
def test_what_cannot_be_scaled_is_named(table, log, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        rfm.scaled(pd.DataFrame(table), log=log)


def test_column_that_was_learnt_has_to_be_there():
    table = rfm.rfm(bought())
    with pytest.raises(UsageError, match="the column 'tenure' was learnt and is not there"):
        rfm.Scaler().fit(table).transform(table.drop(columns="tenure"))
