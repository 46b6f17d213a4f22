"""Purchases are loaded by name, with their origin and an account of what was left out."""

from __future__ import annotations

import pytest

from smlab import purchases, rfm
from smlab.checks import DataAbsent, DataError, UsageError
from tests.test_purchasetables import OWN


@pytest.fixture(autouse=True)
def plain(plain_environment):
    """Keep the settings of whoever runs the tests out of them."""


@pytest.mark.parametrize("name", ["cdnow", "online-retail-2"])
def test_sample_is_loaded_offline(name):
    bought = purchases.load_purchases(name, offline=True)
    assert bought.origin == "sample" and len(bought.fingerprint) == 64
    assert len(bought.frame) + bought.dropped["rows"].sum() == bought.lines
    assert f"Left out of {bought.lines:,} lines" in bought.note
    assert bought.currency == {"cdnow": "USD", "online-retail-2": "GBP"}[name]


def test_own_folder_is_loaded(tmp_path):
    (tmp_path / "my-shop").mkdir()
    (tmp_path / "my-shop" / "purchases.csv").write_text(OWN)
    bought = purchases.load_purchases("my-shop", tmp_path)
    assert (bought.name, bought.origin, len(bought.frame), len(bought.returns)) == ("my-shop", "data-dir", 3, 1)
    assert bought.note.startswith("Purchases of your own. Left out of 5 lines: 1 (was sent back (below 0))")


def test_other_data_is_refused_with_what_it_is(tmp_path):
    with pytest.raises(UsageError, match="ml-100k holds no purchases, but u.data"):
        purchases.load_purchases("ml-100k", offline=True)
    (tmp_path / "my-shop").mkdir()
    (tmp_path / "my-shop" / "sales.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="must hold purchases.csv, purchases.tsv, CDNOW_master.txt or online_retail"):
        purchases.load_purchases("my-shop", tmp_path)


@pytest.mark.realdata
def test_real_cdnow_has_its_published_numbers():
    """Fader & Hardie (2001): 69,659 purchases of 23,570 customers; the sample's 2,457 repeats in 39 weeks."""
    try:
        whole = purchases.load_purchases("cdnow", free=True)
        sample = purchases.load_purchases("cdnow", variant="sample", free=True)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert (whole.lines, len(whole.frame), whole.frame["customer"].nunique()) == (69_659, 69_659, 23_570)
    assert (len(sample.frame), sample.frame["customer"].nunique()) == (6_919, 2_357)
    seen = rfm.repeats(sample.frame, until="1997-09-30")
    assert (seen["x"].sum(), (seen["x"] == 0).sum()) == (2_457, 1_411)
    assert abs(seen["T"].iloc[0] - 38.86) < 0.005 and abs(seen["t_x"].iloc[0] - 30.43) < 0.005
    assert set(sample.frame["customer"]) <= set(whole.frame["customer"])


@pytest.mark.realdata
def test_real_online_retail_is_cleaned_with_these_counts():
    """1,067,371 lines of 5,942 customers, as its owners count them; what cleaning leaves out, as it was measured."""
    try:
        bought = purchases.load_purchases("online-retail-2")
    except DataAbsent as error:
        pytest.skip(str(error))
    assert bought.lines == 1_067_371
    assert bought.dropped["rows"].tolist() == [22_523, 11_812, 235_151, 2_253, 1_372, 16, 17_587, 61, 6_023]
    assert (len(bought.frame), bought.frame["customer"].nunique()) == (770_573, 5_839)
    assert abs(bought.frame["amount"].sum() - 16_521_778.957) < 0.01
