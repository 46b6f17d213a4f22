"""Tables of customers, posts and people in a graph become rows of numbers and words, or one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import customers, purchases
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, SmlabError, UsageError
from tests.test_datasets import damage

OWN = "customer,age,city,spent\n007,34,Leeds,£1200.50\n8,51,York,£7.00\n9,,Leeds,£3\nx,40,,£2\n"
PEOPLE = (
    "ID;Year_Birth;Education;Marital_Status;Income;Kidhome;Teenhome;Dt_Customer;Recency;MntWines;MntFruits;"
    "MntMeatProducts;MntFishProducts;MntSweetProducts;MntGoldProds;NumDealsPurchases;NumWebPurchases;"
    "NumCatalogPurchases;NumStorePurchases;NumWebVisitsMonth;AcceptedCmp3;AcceptedCmp4;AcceptedCmp5;AcceptedCmp1;"
    "AcceptedCmp2;Complain;Response\n"
)
REST = ";58;635;88;546;172;88;88;3;8;10;4;7;0;1;0;0;0;0;1\n"
POSTS = (
    "status_id,status_type,status_published,num_reactions,num_comments,num_shares,num_likes,num_loves,num_wows,"
    "num_hahas,num_sads,num_angrys\n1,video,4/22/2018 6:00,529,512,262,432,92,3,1,1,0\n"
    "2,photo,09-10-2016 10:30,17,0,0,17,0,0,0,0,0\n"
)


def put(folder: Path, name: str, data: str | bytes) -> Member:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return Member(folder / name)


def test_own_customers_have_numbers_and_words(tmp_path):
    sheet = customers.read_own(put(tmp_path, "customers.csv", OWN))
    assert sheet.frame.index.tolist() == ["007", "8"] and sheet.frame["spent"].tolist() == [1200.5, 7.0]
    assert sheet.frame["city"].dtype == "category" and sheet.frame["age"].tolist() == [34, 51]
    assert sheet.dropped[["reason", "rows"]].values.tolist() == [["has no age", 1], ["has no city", 1]]
    assert len(sheet.frame) + sheet.dropped["rows"].sum() == sheet.lines == 4


def test_empty_column_is_left_off_not_its_rows(tmp_path):
    sheet = customers.read_own(put(tmp_path, "customers.csv", "id,a,b\n1,,2\n2,,3\n"))
    assert list(sheet.frame) == ["b"] and len(sheet.frame) == 2


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("name,age\na,1\n", "must be in the header once; the header is 'name, age'"),
        ("customer,age\na,1\na,2\n", "row 3, column 'customer': 'a' stands in the table already"),
        ("customer,age,age\na,1,2\n", "'age' is in the header more than once"),
        ("customer,age\na,#REF!\n", "is what a spreadsheet shows"), ("customer,age\n", "holds a header and no rows"),
        ("customer,paid\na,£5\nb,€5\n", "is in another currency than GBP"),
        ("customer,paid\na,1.5\nb,\"2,5\"\n", "has another decimal point"),
    ],
)  # fmt: skip
def test_broken_table_of_customers_is_named(data, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)):
        customers.read_own(put(tmp_path, "customers.csv", data))


def test_own_folder_is_loaded_beside_purchases_and_alone(tmp_path, plain_environment):
    for name in ("alone", "both", "none"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, "customers.csv", OWN if name != "none" else "customer,a\n,1\n")
    put(tmp_path / "both", "purchases.csv", "customer,date,total\na,2024-05-01,5\n")
    for name in ("alone", "both"):
        found = customers.load_customers(name, tmp_path)
        assert (found.what, found.lines, found.origin) == ("customer", 4, "data-dir")
        assert list(found.numbers) == ["age", "spent"]
    with pytest.raises(DataError, match="holds no customer that can be used. Left out of 1 rows: 1 .has no customer"):
        customers.load_customers("none", tmp_path)
    with pytest.raises(UsageError, match="alone holds no purchases, but customers.csv"):
        purchases.load_purchases("alone", tmp_path)
    with pytest.raises(UsageError, match="ml-100k holds no table of customers, but u.data"):
        customers.load_customers("ml-100k", offline=True)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_table_is_read_or_refused_in_a_sentence(seed, tmp_path):
    rng = np.random.default_rng(seed)
    data = (OWN + "".join(f"{i},{i},Leeds,£{i}.50\n" for i in range(20, 40))).encode()
    for _ in range(60):
        try:
            sheet = customers.read_own(put(tmp_path, "customers.csv", damage(damage(data, b",", rng), b",", rng)))
            assert len(sheet.frame) + sheet.dropped["rows"].sum() == sheet.lines
            assert sheet.frame.index.is_unique and not sheet.frame.isna().any(axis=None)
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error)


def test_personality_is_turned_into_features(tmp_path):
    rows = ["1;1957;PhD;Single;58138;1;1;2012-09-04", "2;1893;Master;Together;46344;0;0;2014-03-08",
            "3;1965;Basic;Married;666666;0;0;2013-08-21", "4;1970;Basic;Married;;0;0;2013-08-21",
            "5;1984;Master;Together;26646;0;0;10-02-2014"]  # fmt: skip
    sheet = customers.read_personality(
        put(tmp_path, "marketing_campaign.csv", PEOPLE + "".join(r + REST for r in rows))
    )
    assert sheet.frame.index.tolist() == ["1", "5"]
    first = sheet.frame.loc["1"]
    assert (first["age"], first["children"], first["wine"], first["store"], first["campaigns"]) == (57, 2, 635, 4, 2)
    assert (first["household"], sheet.frame.loc["5", "household"], first["schooling"]) == ("single", "couple", "PhD")
    assert sheet.frame.loc["5", "tenure"] == 26  # 10 February to 8 March 2014
    with pytest.raises(DataError, match="row 1, column 'Recency': must be in the header"):
        customers.read_personality(put(tmp_path, "x.csv", PEOPLE.replace("Recency", "R") + rows[0] + REST))


def test_live_sellers_have_two_ways_to_write_a_date(tmp_path):
    sheet = customers.read_live_sellers(put(tmp_path, "Live.csv", POSTS))
    assert sheet.frame["hour"].tolist() == [6, 10] and sheet.frame["weekday"].tolist() == [6, 5]  # both month first
    assert sheet.frame["kind"].tolist() == ["video", "photo"] and sheet.frame["reactions"].tolist() == [529, 17]


def test_graph_of_two_cliques_with_a_bridge():
    """Each of the two groups is a community; the two ends of the bridge have one friend more, and fewer triangles."""
    cliques = [(i, j) for base in (0, 10) for i in range(base, base + 6) for j in range(i + 1, base + 6)]
    table = customers.graph_features(np.array([*cliques, (0, 10)]))
    assert table["degree"].tolist() == [6, 5, 5, 5, 5, 5] * 2 and (table["core"] == 5).all()
    assert table["community"].tolist() == ["0"] * 6 + ["1"] * 6
    assert np.isclose(table["pagerank"].mean(), 1) and table["pagerank"].idxmax() in ("0", "10")
    assert np.isclose(table.loc["0", "clustering"], 10 / 15) and table.loc["1", "clustering"] == 1


def test_friends_are_read_once_each(tmp_path):
    sheet = customers.read_friends(put(tmp_path, "facebook_combined.txt", "0 1\n1 0\n2 2\n1 2\n"))
    assert sheet.frame["degree"].tolist() == [1, 2, 1] and sheet.what == "person"
    assert sheet.dropped["rows"].tolist() == [1, 1]
    with pytest.raises(DataError, match="row 2: 'a b' must be two whole numbers"):
        customers.read_friends(put(tmp_path, "f.txt", "0 1\na b\n"))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "lines", "shape"),
    [
        ("customer_personality", 2_240, (2_212, 19)), ("fb_live_sellers_thailand", 7_050, (7_050, 12)),
        pytest.param("ego-facebook", 88_234, (4_039, 5), marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_real_tables_have_their_published_numbers(name, lines, shape):
    try:
        found = customers.load_customers(name)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert (found.lines, found.frame.shape) == (lines, shape)
    assert not found.frame.isna().any(axis=None) and isinstance(found.frame, pd.DataFrame)
