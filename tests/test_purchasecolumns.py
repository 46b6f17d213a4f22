"""Columns are known by their names, others are not read; cells become customers, dates and sums."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import pandas as pd
import pytest

from smlab.archives import Member
from smlab.checks import DataError
from smlab.purchasecolumns import open_table, understand

TABLE = "Customer ID,E-mail,Date,Total\n007,a@b.example,2024-05-01,5\n8,c@d.example,2024-05-02,7.5\n"


def read(folder: Path, data: bytes | str, name: str = "purchases.csv") -> pd.DataFrame:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return understand(open_table(Member(folder / name)))[0]


def test_columns_are_known_by_many_names_and_others_are_not_read(tmp_path):
    frame = read(tmp_path, TABLE)
    assert list(frame) == ["customer", "time", "amount"] and frame["customer"].tolist() == ["007", "8"]
    assert frame["amount"].tolist() == [5, 7.5]
    (tmp_path / "p.csv").write_text(TABLE)
    assert list(open_table(Member(tmp_path / "p.csv")).columns) == ["customer", "time", "amount"]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.replace(",", ";").encode(), lambda s: s.replace(",", "\t").encode("utf-16"),
        lambda s: ("sep=,\r\n" + s.replace("\n", "\r\n")).encode(), lambda s: (s + ",,,\n\n").encode(),
        lambda s: s.replace("Customer ID", '"CUSTOMER_ID"').replace("Total", "AMOUNT").encode("utf-8-sig"),
        lambda s: s.encode().replace(b"\n", b"\r"), lambda s: s.replace("007", '"007"').encode(),
    ],
)  # fmt: skip
def test_what_spreadsheets_write_changes_nothing(change, tmp_path):
    pd.testing.assert_frame_equal(read(tmp_path, change(TABLE)), read(tmp_path, TABLE))


def test_packed_table_is_the_same(tmp_path):
    pd.testing.assert_frame_equal(
        read(tmp_path, lzma.compress(TABLE.encode()), "purchases.csv.xz"), read(tmp_path, TABLE)
    )
    short = lzma.compress(TABLE.encode() + b"9,x\n")
    with pytest.raises(DataError, match="row 4: '9,x' must have 4 columns"):
        read(tmp_path, short, "purchases.csv.xz")


def test_numbers_that_a_program_wrote_as_fractions_are_customers_again(tmp_path):
    assert read(tmp_path, "customer,date,total\n5.0,2024-05-01,1\n,2024-05-01,2\n")["customer"].tolist() == ["5", ""]
    assert read(tmp_path, "customer,date,total\n5.0,2024-05-01,1\nx,2024-05-01,2\n")["customer"][0] == "5.0"


def test_amount_is_quantity_times_price_unless_it_is_there(tmp_path):
    frame = read(tmp_path, "user,date,qty,unit price\na,2024-05-01,3,0.1\n")
    assert frame["amount"].tolist() == [0.3] and frame["quantity"].tolist() == [3]
    assert read(tmp_path, "user,date,qty,price,amount\na,2024-05-01,3,1,9\n")["amount"].tolist() == [9]


@pytest.mark.parametrize(
    ("data", "row", "column", "rule"),
    [
        ("name,date,total\na,2024-05-01,1\n", 1, "customer", "must be in the header; the header is 'name, date"),
        ("customer,total\na,1\n", 1, "time", "must be in the header"),
        ("customer,date,price\na,2024-05-01,1\n", 1, "amount", "must be in the header, or quantity and price"),
        ("client,user,date,total\na,b,2024-05-01,1\n", 1, "customer", "'client, user' is in the header 2 times; call"),
        ("sep=x\na\n", 1, None, "must name a comma, semicolon, tab or bar"),
        ("customer,date,total\n1.23E+15,2024-05-01,1\n", 2, "customer", "is a long number that a spreadsheet has"),
        ("customer,date,total\n#REF!,2024-05-01,1\n", 2, "customer", "is what a spreadsheet shows"),
        ("customer,date,total\n", None, None, "holds a header and no rows"), ("", None, None, "is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_named(data, row, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        read(tmp_path, data)
    assert (caught.value.row, caught.value.column) == (row, column)


def test_of_two_names_with_one_meaning_our_own_counts(tmp_path):
    assert read(tmp_path, "client,customer,date,total\na,b,2024-05-01,1\n")["customer"].tolist() == ["b"]
