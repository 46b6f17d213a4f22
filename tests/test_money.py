"""Sums are read as people write them; a comma that may mean two things is an error."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from smlab.checks import DataError
from smlab.coded import Column, Table
from smlab.money import amounts


def read(*cells: str) -> tuple[list[float], str]:
    values = list(dict.fromkeys(cells))
    codes = np.array([values.index(cell) for cell in cells], dtype=np.int32)
    found, currency = amounts(Table("t.csv", {"amount": Column(codes, values)}, np.arange(2, len(cells) + 2)), "amount")
    return found.tolist(), currency


@pytest.mark.parametrize(
    ("cells", "sums", "currency"),
    [
        (["12", "12.5", "-3", "0.001", "1e2"], [12, 12.5, -3, 0.001, 100], ""),
        (["£1,234.50", "£12.00"], [1234.5, 12], "GBP"),
        (["1.234,50 €", "12,5 €", "EUR 3"], [1234.5, 12.5, 3], "EUR"),
        (["$(12.00)"], None, ""), (["($12.00)", "-$3.50", "$-1.5", "4.25-"], [-12, -3.5, -1.5, -4.25], "$"),
        (["1'200.50", "CHF 3.10"], [1200.5, 3.1], "CHF"), (["1 234,5", "1\u00a0000,0"], [1234.5, 1000], ""),
        (["1,234,567", "1,234"], [1234567, 1234], ""), (["1.234.567", "1.234"], [1234567, 1234], ""),
        (["1,234", "2.5"], [1234, 2.5], ""), (["1.234", "2,5"], [1234, 2.5], ""), (["1.234", "0.5"], [1.234, 0.5], ""),
        (["−5", "+5"], [-5, 5], ""), (["¥100", "￥200"], [100, 200], "¥"), ([".5", "5."], [0.5, 5], ""),
        (["300元", "RMB 20"], [300, 20], "CNY"),
    ],
)  # fmt: skip
def test_sums_are_read(cells, sums, currency):
    if sums is None:
        with pytest.raises(DataError, match="must be a sum of money"):
            read(*cells)
    else:
        assert read(*cells) == (sums, currency)


def test_empty_cells_are_nan():
    found, _ = read("1.5", "", "n/a", "-")
    assert found[0] == 1.5 and all(map(math.isnan, found[1:]))


@pytest.mark.parametrize(
    ("cells", "row", "rule"),
    [
        (["5", "1,234"], 3, "'1,234' may be thousands or a fraction, and no number of the column shows which"),
        (["1.234"], 2, "'1.234' may be thousands or a fraction"),
        (["£5", "€5"], 3, "'€5' is in another currency than GBP, which came before; keep one in a file"),
        (["1,5", "2.5"], 2, "'1,5' has another decimal point than '2.5' of the same column"),
        (["5", "five", "six"], 3, "'five' must be a sum of money, such as 1234.50 (and 1 more row)"),
        (["1,23,456.5"], 2, "must be a sum of money"), (["1.2.3"], 2, "must be a sum of money"),
        (["--5"], 2, "must be a sum of money"), (["(5"], 2, "must be a sum of money"),
        (["5)"], 2, "must be a sum of money"), (["£5 EUR"], 2, "must be a sum of money"),
        (["1e999"], 2, "must be a sum of money"), (["9" * 20], 2, "is too large to be meant"),
        (["inf"], 2, "must be a sum of money"), (["12,34,5"], 2, "must be a sum"), (["#REF!"], 2, "must be a sum"),
        (["٣"], 2, "must be a sum"), (["5 5"], 2, "must be a sum"),
    ],
)  # fmt: skip
def test_what_is_no_sum_is_named(cells, row, rule):
    with pytest.raises(DataError, match=re.escape(rule)) as caught:
        read(*cells)
    assert (caught.value.row, caught.value.column) == (row, "amount")


def test_any_sum_written_in_any_way_is_read_back():
    rng = np.random.default_rng(0)
    for point, mark, sign in ((".", ",", "£"), (",", ".", "€"), (".", "'", "CHF "), (",", " ", "kr ")):
        sums = np.round(rng.lognormal(5, 3, 200), 2)
        cells = [f"{sign}{s:,.2f}".replace(",", "\0").replace(".", point).replace("\0", mark) for s in sums]
        assert read(*cells)[0] == sums.tolist()
