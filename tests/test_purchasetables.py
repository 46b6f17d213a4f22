"""Purchases of three formats become clean frames; what is left out is counted, and damaged files are one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import purchasesamples
from smlab.archives import Member
from smlab.checks import DataError, SmlabError, UsageError
from smlab.purchasetables import Sales, read, read_cdnow, read_online_retail, read_own
from tests.test_datasets import damage

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
OWN = (
    "customer,date,amount,invoice,product\n"
    "ann,2024-05-01 09:30,12.50,A1,tea\nann,2024-05-01 09:30,3,A1,cup\nben,2024/5/3,7,A2,tea\n"
    "ben,04.05.2024,-7,A3,tea\ncho,2024-05-05T18:00:00+08:00,99.9,A4,pot\n"
)
COLUMNS = ["customer", "time", "amount"]


def assert_clean(sales: Sales) -> None:
    """The contract of a frame of purchases, and of its account."""
    frame = sales.frame
    assert list(frame)[:3] == COLUMNS and isinstance(frame.index, pd.RangeIndex) and len(frame)
    assert frame["customer"].dtype == "str" and frame["customer"].str.strip().ne("").all()
    assert frame["time"].dtype == "datetime64[ns]" and frame["time"].between("1970", "2100").all()
    assert (frame["amount"] > 0).all() and np.isfinite(frame["amount"]).all()
    assert len(frame) + sales.dropped["rows"].sum() == sales.lines
    assert list(sales.dropped) == ["reason", "rows", "example", "share"] and (sales.dropped["rows"] > 0).all()
    assert list(sales.returns) == [*frame, "undoes"] and (sales.returns["amount"] >= 0).all()
    if "product" in frame:
        assert set(sales.products.index) <= set(frame["product"].astype("str")) and sales.products.index.is_unique


def own(folder: Path, data: bytes | str, **options: bool) -> Sales:
    (folder / "purchases.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_own(Member(folder / "purchases.csv"), **options)


def retail(folder: Path, lines: str, **options: bool) -> Sales:
    (folder / "online_retail.csv").write_text(HEADER + lines)
    return read_online_retail(Member(folder / "online_retail.csv"), **options)


def reasons(sales: Sales) -> dict[str, int]:
    return dict(zip(sales.dropped["reason"], sales.dropped["rows"], strict=True))


# ---- Online Retail II


def test_each_flaw_of_online_retail_is_counted_once(tmp_path):
    day = "12/1/2009 7:45"
    sales = retail(
        tmp_path,
        f"1,85048,LIGHTS,12,{day},6.95,13085.0,France\n1,85048,LIGHTS,12,{day},6.95,13085.0,France\n"
        f"1,22041,FRAME,5,{day},2.1,13085.0,France\n2,22041,FRAME,5,{day},2.1,,France\n"
        f"1,POST,POSTAGE,1,{day},18.0,13085.0,France\n1,M,Manual,1,{day},5.0,13085.0,France\n"
        f"1,gift_0001_10,Voucher,1,{day},5.0,13085.0,France\n1,TEST001,Test,1,{day},5.0,13085.0,France\n"
        f"C9,22041,FRAME,-5,12/2/2009 7:45,2.1,13085.0,France\n1,79323p,PINK,-3,{day},6.75,13085.0,France\n"
        f"1,79323p,PINK,3,{day},0,13085.0,France\n1,79323P,PINK ,3,{day},1.5,13085.0,France\n",
    )
    assert_clean(sales)
    assert reasons(sales) == {
        "repeats a line of its invoice": 1, "has no customer": 1, "is postage or carriage": 1,
        "is a manual entry, discount, sample, fee or correction": 1, "is a gift voucher": 1, "is a test": 1,
        "is a cancellation": 1, "has a quantity below 1": 1, "costs nothing": 1, "was taken back in full later": 1,
    }  # fmt: skip
    assert sales.frame["product"].tolist() == ["85048", "79323P"] and sales.frame["amount"].tolist() == [83.4, 4.5]
    assert sales.frame["customer"].tolist() == ["13085", "13085"] and sales.currency == "GBP"
    assert sales.products.to_dict() == {"85048": "LIGHTS", "79323P": "PINK"}
    assert sales.returns[["amount", "quantity", "undoes"]].values.tolist() == [[10.5, 5.0, True]]
    assert sales.dropped["example"][0].startswith("row 3: ")
    free = retail(tmp_path, (tmp_path / "online_retail.csv").read_text().removeprefix(HEADER), free=True)
    assert "costs nothing" not in reasons(free) and len(free.frame) == 3


def test_second_sheet_repeats_the_end_of_the_first(tmp_path):
    lines = [f"{i},22041,FRAME,1,12/{i}/2010 8:00,1.5,13085.0,France\n" for i in range(1, 10)]
    sales = retail(tmp_path, "".join(lines + lines[4:] + ["20,22041,FRAME,1,12/20/2010 8:00,1.5,13085.0,France\n"]))
    assert reasons(sales) == {"stands in both sheets (5 December 2010 to 9 December 2010)": 5}
    assert len(sales.frame) == 10


def test_cancellation_takes_back_the_latest_line_before_it_and_one_only(tmp_path):
    line = "{0},22041,FRAME,{1},12/{2}/2010 8:00,1.5,{3}.0,France\n"
    sold = [("1", 5, 1, 1), ("2", 5, 2, 1), ("3", 5, 4, 1), ("4", 5, 2, 2), ("5", 4, 2, 1)]
    back = [("C6", -5, 3, 1), ("C7", -5, 1, 2), ("C8", -9, 5, 1)]
    sales = retail(tmp_path, "".join(line.format(*row) for row in sold + back))
    assert sales.frame["invoice"].tolist() == ["1", "3", "4", "5"]  # 2 was taken back on the 3rd; C7 came before 4
    assert sales.returns["undoes"].tolist() == [True, False, False]


def test_planted_flaws_of_the_sample_are_all_found(tmp_path):
    made, plain = purchasesamples.shop(seed=5), purchasesamples.shop(seed=5, flaws=False)
    text = made.lines.to_csv(index=False)
    sales = retail(tmp_path, text.partition("\n")[2])
    assert_clean(sales)
    assert len(sales.dropped) >= 7 and plain.segment.equals(made.segment)
    whole = retail(tmp_path, plain.lines.to_csv(index=False).partition("\n")[2])
    assert whole.dropped.empty and len(whole.frame) == len(plain.lines)


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        ("1,22041,FRAME,many,12/1/2009 7:45,2.1,13085.0,France\n", "quantity", "'many' must be a sum of money"),
        ("1,22041,FRAME,1,13/13/2009 7:45,2.1,13085.0,France\n", "time", "'13/13/2009 7:45' must be a date"),
        ("1,22041,FRAME,1,12/1/2009 7:45,x,13085.0,France\n", "price", "'x' must be a sum of money"),
    ],
)
def test_broken_line_of_online_retail_is_named(line, column, rule, tmp_path):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        retail(tmp_path, "1,22041,FRAME,1,12/1/2009 7:45,2.1,13085.0,France\n" + line)
    assert (caught.value.row, caught.value.column) == (3, column)


# ---- CDNOW


def test_cdnow_is_read_in_both_forms(tmp_path):
    (tmp_path / "CDNOW_master.txt").write_text(
        "customer_id  date  number_of_cds  dollar_value\r\n 00001 19970101  1   11.77\r\n 00002 19970112  5   77.00\r\n"
        " 00002 19970112  5   77.00\r\n 00003 19980630  1    0.00\r\n"
    )
    (tmp_path / "CDNOW_sample.txt").write_text(" 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.73\n")
    files = {role: Member(tmp_path / f"CDNOW_{role}.txt") for role in ("master", "sample")}
    sales = read(files, "cdnow")
    assert_clean(sales)
    assert sales.frame["customer"].tolist() == ["00001", "00002", "00002"] and reasons(sales) == {"costs nothing": 1}
    assert sales.dropped["example"][0] == "row 5: 00003 19980630 1 0.00"
    assert len(read(files, "cdnow", free=True).frame) == 4
    assert read(files, "cdnow", "sample").frame["customer"].tolist() == ["00004", "00004"]
    with pytest.raises(UsageError, match="cdnow has no variant 'tenth': known: master, sample"):
        read(files, "cdnow", "tenth")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("head\n 00001 19970101  1   11.77\n 00001 19970101  x   11.77\n", "row 3: ' 00001 19970101  x   11.77' must"),
        ("head\n 00001 19971301  1   11.77\n", "row 2, column 'time': '19971301' must be a day as 19970131"),
        ("head\n", "row 1: 'head' must be a customer"), ("", "is empty"),
        ("head\n 00001 19970101  1    0.00\n", "holds no purchase that can be used. Left out of 1 lines: 1"),
    ],
)  # fmt: skip
def test_broken_cdnow_is_named(data, rule, tmp_path):
    (tmp_path / "CDNOW_master.txt").write_text(data)
    with pytest.raises(DataError, match=re.escape(rule)):
        read_cdnow(Member(tmp_path / "CDNOW_master.txt"))


# ---- your own


def test_own_purchases_are_read(tmp_path):
    sales = own(tmp_path, OWN)
    assert_clean(sales)
    assert sales.frame["customer"].tolist() == ["ann", "ann", "cho"]
    assert [str(t) for t in sales.frame["time"]] == ["2024-05-01 09:30:00"] * 2 + ["2024-05-05 18:00:00"]
    assert reasons(sales) == {"was sent back (below 0)": 1, "was taken back in full later": 1}


def test_missing_cells_are_left_out_and_counted(tmp_path):
    rng = np.random.default_rng(0)
    rows = [[f"c{i % 20}", f"2024-05-{1 + i % 28:02d}", f"{1 + i % 9}.50"] for i in range(300)]
    gone = rng.random((300, 3)) < 0.1
    text = "\n".join(
        ",".join("" if g else c for c, g in zip(r, m, strict=True)) for r, m in zip(rows, gone, strict=True)
    )
    sales = own(tmp_path, "customer,date,total\n" + text + "\n")
    assert_clean(sales)
    assert reasons(sales) == {
        "has no customer": gone[:, 0].sum(), "has no time": (gone[:, 1] & ~gone[:, 0]).sum(),
        "has no amount": (gone[:, 2] & ~gone[:, 0] & ~gone[:, 1]).sum(),
    }  # fmt: skip


def test_negative_prices_currency_signs_and_thousands_are_handled(tmp_path):
    sales = own(
        tmp_path, 'customer;date;qty;price\na;2024-05-01;2;"£1,000.50"\nb;2024-05-01;1;-£5\nc;2024-05-02;-1;£3\n'
    )
    assert sales.currency == "GBP" and sales.frame["amount"].tolist() == [2001.0]
    assert reasons(sales) == {"has a price below 0": 1, "was sent back (below 0)": 1}


def test_repeated_lines_are_purchases_where_there_are_no_invoices(tmp_path):
    assert len(own(tmp_path, "customer,date,total\na,2024-05-01,5\na,2024-05-01,5\n").frame) == 2
    lines = "a,2024-05-01,5,1,x\n" * 2
    assert reasons(own(tmp_path, "customer,date,total,invoice,product\n" + lines)) == {
        "repeats a line of its invoice": 1
    }


def test_one_customer_is_read_and_none_is_a_sentence(tmp_path):
    assert own(tmp_path, "customer,date,total\na,2024-05-01,5\n").frame["customer"].tolist() == ["a"]
    with pytest.raises(DataError) as caught:
        own(tmp_path, "customer,date,total\n,2024-05-01,5\n,2024-05-01,5\n")
    assert str(caught.value).endswith("holds no purchase that can be used. Left out of 2 lines: 2 (has no customer).")


def harmed(rng: np.random.Generator) -> bytes:
    """An own file with one to four harms, of those that files meet and of those that shops think of."""
    lines = [f"c{int(rng.integers(9))},2024-05-{int(rng.integers(1, 29)):02d},{rng.lognormal(3):.2f},i{k},p{k % 3}"
             for k in range(12)]  # fmt: skip
    cells = ["", "01/02/2024", "31/12/2024", "12/31/2024", "45413", "£5", "€5", "1,234", "1.234,50", "-9", "(5)", "NaN",
             "=cmd()", "1e400", "#REF!", "1.23E+15", '"', "2024-02-30", "电影", "x" * 3000, "\ufeff"]  # fmt: skip
    for _ in range(int(rng.integers(0, 4))):
        at = int(rng.integers(len(lines)))
        row = lines[at].split(",")
        row[int(rng.integers(len(row)))] = cells[int(rng.integers(len(cells)))]
        lines[at] = ",".join(row)
    data = ("\n".join(["customer,date,total,invoice,product", *lines]) + "\n").encode()
    for _ in range(int(rng.integers(0, 2))):
        data = damage(data, b",", rng)
    return data.decode("utf-8", "replace").encode("utf-16") if rng.random() < 0.05 else data


@pytest.mark.parametrize("seed", range(6))
def test_damaged_file_is_read_clean_or_refused_in_a_sentence(seed, tmp_path):
    rng, read_, refused = np.random.default_rng(seed), 0, 0
    for _ in range(100):
        try:
            assert_clean(own(tmp_path, harmed(rng)))
            read_ += 1
        except SmlabError as error:
            assert str(error).startswith(str(tmp_path)) and "\n" not in str(error) and len(str(error)) < 600
            refused += 1
    assert min(read_, refused) > 10


@pytest.mark.parametrize("seed", range(2))
def test_damaged_online_retail_is_read_clean_or_refused_in_a_sentence(seed, tmp_path):
    rng = np.random.default_rng(seed)
    data = purchasesamples.shop(20, seed=seed).lines[:60].to_csv(index=False).encode()
    for _ in range(60):
        (tmp_path / "online_retail.csv").write_bytes(damage(damage(data, b",", rng), b",", rng))
        try:
            assert_clean(read_online_retail(Member(tmp_path / "online_retail.csv")))
        except SmlabError as error:
            assert "\n" not in str(error)
