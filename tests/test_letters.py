"""Bytes become text in the one encoding that they are in, or an error with the row; garbled letters are noticed."""

from __future__ import annotations

import codecs

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.checks import DataError
from smlab.letters import decode, is_garbled

CHINESE = "这家店的服务很好，下次还来！\n物流太慢了，等了五天。\n"


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (CHINESE.encode(), CHINESE, "UTF-8"),
        (codecs.BOM_UTF8 + CHINESE.encode(), CHINESE, "UTF-8"),
        (CHINESE.encode("gb18030"), CHINESE, "GB18030"),
        (CHINESE.encode("utf-16"), CHINESE, "UTF-16"),
        ("好👍\n".encode("gb18030"), "好👍\n", "GB18030"),
        (b"plain\r\nold\rMac", "plain\nold\nMac", "UTF-8"),
    ],
    ids=["utf-8", "byte-order mark", "gb18030", "utf-16", "emoji in gb18030", "line ends"],
)
def test_known_encodings_are_told_apart(data, text, encoding):
    assert decode(data, "f.csv") == (text, encoding)


@pytest.mark.parametrize(
    "text", ["It’s a café\n", "Übergröße, völlig über­teuert\n", "“naïve” façade\n", "señor añejo\n"]
)
def test_windows_1252_is_refused_and_not_read_as_chinese(text):
    """The danger of GB18030: most bytes are valid in it, so accented letters would become rare characters."""
    for times in (1, 50):
        with pytest.raises(DataError, match="f.csv, row 3: .* is neither UTF-8 nor GB18030; save the file as UTF-8"):
            decode(b"a\nb\n" + (text * times).encode("cp1252"), "f.csv")


@pytest.mark.parametrize(
    ("data", "row", "sentence"),
    [
        (b"", None, "f.csv: is empty"),
        (codecs.BOM_UTF8 + b"\r\n", None, "is empty"),
        (b"a\r\nb\0", 2, "row 2: holds a NUL"),
        ("a\n\0".encode("utf-16"), 2, "row 2: holds a NUL"),
        ("a\nb".encode("utf-16") + b"x", 2, "row 2: begins as UTF-16 and does not go on so"),
        (b"a\nb\n\xff\xff", 3, r"row 3: b'\\xff\\xff' is neither UTF-8 nor GB18030"),
        (codecs.BOM_UTF8 + b"a\n\xff\xff", 2, r"row 2: b'\\xff\\xff' is neither"),
    ],
)
def test_other_bytes_are_refused_with_their_row(data, row, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        decode(data, "f.csv")
    assert caught.value.row == row


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), min_size=1))
def test_every_text_comes_back_from_utf_8_and_utf_16(text):
    if text.strip("\n \t"):
        assert decode(text.encode(), "f")[0] == text
        assert decode(text.encode("utf-16"), "f")[0] == text


@given(st.binary(max_size=40))
def test_any_bytes_give_text_without_halves_and_nul_or_a_data_error(data):
    try:
        text, _ = decode(data, "f")
    except DataError:
        return
    text.encode()
    assert not set(text) & set("\0\r")


TRUE = [
    "It’s très bien",
    "真的很好，五星！",
    "éé ÄÖ ñandú",
    "Ça va",
    "👍🏽 ok",
    "ПРИВЕТ мир",
    "價格很漂亮",
    "“quoted” — dash",
    "日本語も",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_text_is_not_garbled_and_text_read_wrongly_is(text):
    assert not is_garbled(text)
    as_western = "".join(
        bytes([b]).decode("cp1252") if b not in b"\x81\x8d\x8f\x90\x9d" else chr(b) for b in text.encode()
    )
    assert is_garbled(as_western)


@pytest.mark.parametrize(
    "text", ["It鈥檚 fine", "锟斤拷锟斤拷", "lost \ufffd letter", "鐪熺殑寰堝ソ", "闈炲父婊℃剰鐨勪竴娆¤喘鐗"]
)
def test_lost_letters_and_utf_8_read_as_chinese_are_garbled(text):
    assert is_garbled(text)


def test_random_chinese_is_hardly_ever_called_garbled():
    """Runs of common characters make up UTF-8 by chance: allowed is one text in a thousand."""
    rng = np.random.default_rng(0)
    common = [bytes([int(a), int(b)]).decode("gb2312") for a in range(0xB0, 0xD7) for b in range(0xA1, 0xFA)]
    posts = [
        "".join(common[int(i)] for i in rng.integers(0, len(common), size=rng.integers(1, 20))) for _ in range(5000)
    ]
    assert sum(map(is_garbled, posts)) <= 5
