"""A table is read strictly, and the quick way gives what the strict way gives, or nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest

from smlab import coded
from smlab.checks import DataError


def find(header: list[str], row: int) -> dict[str, int]:
    return {name: place for place, name in enumerate(header)}


def strict(text: str, separator: str = ",", skip: int = 0) -> coded.Table:
    return coded.read(io.StringIO(text, newline="\n"), "t.csv", separator, find, skip=skip)


def quick(text: str, separator: str = ",") -> coded.Table | None:
    return coded.quick(io.BytesIO(text.encode()), "t.csv", separator, find)


def rows(table: coded.Table) -> list[list[str]]:
    return [table.cells(i) for i in range(len(table))]


TEXT = 'id,name\n007,Ann\n8,Ben\n007,"C,c"\n'


def test_cells_are_text_and_values_are_kept_once():
    table = strict(TEXT)
    assert rows(table) == [["007", "Ann"], ["8", "Ben"], ["007", "C,c"]]
    assert table.columns["id"].values == ["007", "8"] and table.columns["id"].codes.tolist() == [0, 1, 0]
    assert table.lines.tolist() == [2, 3, 4]
    assert table.each("id", int, np.int64).tolist() == [7, 8, 7]
    assert table.text("id", lambda v: v.lstrip("0")).tolist() == ["7", "8", "7"]


def test_values_that_become_the_same_are_one_category():
    column = strict("id,x\na,1\nA ,1\nb,1\n").text("id", lambda v: v.strip().upper())
    assert column.tolist() == ["A", "A", "B"] and column.categories.tolist() == ["A", "B"]


@pytest.mark.parametrize("text", [TEXT, "a;b\n1,5;x\n", "a,b\n1,nan\n2,NA\n", "﻿a,b\n1, x\n"])
def test_quick_way_gives_what_the_strict_way_gives(text):
    separator = ";" if ";" in text else ","
    found, right = quick(text, separator), strict(text.removeprefix("\ufeff"), separator)
    assert found is not None and rows(found) == rows(right) and found.lines.tolist() == right.lines.tolist()


@pytest.mark.parametrize(
    "text",
    ["a,b\n1\n", "a,b\n1,2,3\n", "a,b\n1,2\n1,2,3\n", "a,b\n1,\n", "a,b\n", "", 'a,b\n"x\ny",2\n', 'a,b\n"x,2\n',
     "a,b\n1,2\n\n", "a,b\n1,x\0y\n"],
)  # fmt: skip
def test_quick_way_leaves_what_is_doubtful_to_the_strict_one(text):
    assert quick(text) is None


def test_random_tables_are_read_alike(seed=0):
    rng = np.random.default_rng(seed)
    cells = np.array(["", "a", "b c", "1", "01", "é", "心", '"q"', "x,y", "1\n2", "-"], dtype=object)
    for _ in range(200):
        table = rng.choice(cells, (int(rng.integers(1, 6)), 3))
        lines = [",".join('"' + c.replace('"', '""') + '"' for c in row) for row in [["p", "q", "r"], *table.tolist()]]
        text = "\n".join(lines) + "\n"
        if not any("".join(row).strip() for row in table.tolist()[-1:]):
            continue
        right = strict(text)
        assert rows(right) == table.tolist()
        if (found := quick(text)) is not None:
            assert rows(found) == table.tolist()


def test_line_of_a_row_is_right_behind_cells_with_line_ends():
    table = strict('a,b\n"x\ny",1\nz,2\n"p\n\nq",3\nr,4\n')
    assert table.lines.tolist() == [2, 4, 5, 8]
    with pytest.raises(DataError, match=r"t.csv, row 4, column 'a': 'z' is wrong \(and 1 more row\)"):
        table.refuse("a", lambda v: v in "rz", "is wrong")


def test_many_batches_are_one_table(monkeypatch):
    text = "a,b\n" + "".join(f"{i % 7},{i}\n" for i in range(5_003)) + ",\n,\n\n"
    table = strict(text)
    assert len(table) == 5_003 and table.lines.tolist() == list(range(2, 5_005))
    monkeypatch.setattr(coded, "BATCH", 3)
    assert rows(strict(text)) == rows(table)


def test_empty_rows_are_left_off_at_the_end_only():
    assert len(strict("a,b\n1,2\n,\n3,4\n,\n ,\n")) == 3
    with pytest.raises(DataError, match="row 3: '' must have 2 columns separated by ',', has none"):
        strict("a,b\n1,2\n\n3,4\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "t.csv: is empty"),
        ("a,b\n", "t.csv: holds a header and no rows"),
        ("a,b\n1,2\n3\n4\n", "t.csv, row 3: '3' must have 2 columns separated by ',', has 1 (and 1 more row)"),
        ('a,b\n1,2\n"x,3\n', "t.csv, row 3: is not a table with ',' between the cells (unexpected end of data)"),
        ("a,b\n1,2,3\n", "t.csv, row 2: '1,2,3' must have 2 columns separated by ',', has 3"),
    ],
)
def test_errors_name_the_row(text, sentence):
    with pytest.raises(DataError) as caught:
        strict(text)
    assert str(caught.value) == sentence


def test_line_before_the_header_is_skipped():
    table = strict("sep=;\na;b\n1;2\n", ";", skip=1)
    assert rows(table) == [["1", "2"]] and table.lines.tolist() == [3]
