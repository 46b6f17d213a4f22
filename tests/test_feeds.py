"""What all readers of posts rely on: cells with line ends, repeated texts, overlaps."""

from __future__ import annotations

import pandas as pd
import pytest

from smlab import feeds
from smlab.archives import Member
from smlab.checks import DataError


def test_records_know_the_line_they_begin_in_and_keep_line_ends():
    text = 'text,label\n"two\nlines",a\n"quoted ""word""",b\nlast,c\n'
    assert list(feeds.rows(text, "f.csv")) == [
        (1, ["text", "label"]), (2, ["two\nlines", "a"]), (4, ['quoted "word"', "b"]), (5, ["last", "c"]),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ['a,b\n"open,1\n', 'a,b\n"x"y,1\n', f"a,b\n{'x' * ((1 << 20) + 1)},1\n"])
def test_broken_quotes_and_endless_cells_are_named_with_their_line(text):
    with pytest.raises(DataError, match="f.csv, row 2: is not a table with ',' between the cells") as caught:
        list(feeds.rows(text, "f.csv"))
    assert caught.value.row == 2


def test_wide_row_says_what_kind_of_quotes_holds_a_cell():
    with pytest.raises(
        DataError, match=r"row 7: '“a.*' must have 2 columns .* has 3; quote .* straight \", not curly, marks"
    ):
        feeds.check_widths([["“a", "b”", "c"]], [7], "f.csv", ",", 2)
    with pytest.raises(DataError, match="must have 2 columns separated by ';', has none"):
        feeds.check_widths([["a", "b"], []], [2, 3], "f.csv", ";", 2)


def test_texts_lose_blanks_and_byte_order_marks_and_are_never_empty():
    assert feeds.texts([" a ", "\ufeffb\n"], [1, 2], "f").tolist() == ["a", "b"]
    for cells, rule in ((["a", " \ufeff"], "must not be empty"), (["a", "\ud800"], "half of a character")):
        with pytest.raises(DataError, match=rf"f, row 9, column 'text': .*{rule}"):
            feeds.texts(cells, [4, 9], "f")
    assert feeds.filled(["a", " ", "\ufeff", "b"]) == [0, 3]


def test_repeated_texts_stay_once_and_contradictory_ones_not_at_all():
    frame = pd.DataFrame({"text": list("abacba"), "label": ["1", "0", "1", "1", "1", "1"]})
    kept, said = feeds.once(frame)
    assert kept.values.tolist() == [["a", "1"], ["c", "1"]] and isinstance(kept.index, pd.RangeIndex)
    assert said == "Dropped of 6 rows: 2 repetitions, 1 text under two labels."
    assert feeds.once(kept)[1] == "Dropped of 2 rows: 0 repetitions."


def test_texts_of_the_test_part_that_were_trained_on_are_counted():
    frame = pd.DataFrame({"text": list("abcb"), "split": ["train", "train", "test", "test"]})
    assert feeds.overlap(frame) == " In the training part, too: 1 of the 2 texts of the test part."
    assert feeds.overlap(frame.iloc[:3]) == ""


def test_missing_file_is_named_beside_the_others(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: must hold b.txt, too"):
        feeds.need({"a": Member(tmp_path / "a.txt")}, "b", "b.txt")
    with pytest.raises(DataError, match=r"all\.zip: must hold b.txt, too"):
        feeds.need({"a": Member(tmp_path / "all.zip", "a.txt")}, "b", "b.txt")
