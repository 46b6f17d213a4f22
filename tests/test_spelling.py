"""One spelling: any Unicode comes in, a second time changes nothing, what is seen stays."""

from __future__ import annotations

import random
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.spelling import EMOJI, clean, normalise

ANY = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates and unassigned signs too
PIECES = st.lists(
    st.sampled_from(
        [
            "&",
            "amp;",
            "lt;",
            "#38;",
            "#x26;",
            "&#51;8;",
            "\\u",
            "0026",
            "\\u0026",
            "\\ud83d",
            "\\ude02",
            "\ud83d",
            "\ude02",
        ]
        + [
            "\0",
            "\u202e",
            "\u200d",
            "\ufe0f",
            "\u0301",
            "é",
            "´",
            "¯",
            "ŉ",
            "ﷺ",
            "™",
            "👩",
            "🏽",
            "🈚",
            "Ａ",
            "；",
            "a",
            " ",
            "’",
        ]
        + ["〈", "\u2329", "🄰", "\x85", "\x1c", "ﾞ", "か", "ᄀ", "ᅡ", "ᆨ", "\U000e0067", "̈", "ﬁ", "①", "#", "3", ";", "x"]
    ),
    max_size=12,
).map("".join)


@given(ANY | PIECES)
def test_a_second_time_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once


@given(ANY | PIECES)
def test_nothing_that_breaks_writing_a_file_is_left(text):
    once = normalise(text)
    once.encode("utf-8")
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in once)
    assert "  " not in once and once == once.strip()


@pytest.mark.slow
def test_every_sign_alone_and_between_letters_has_one_spelling():
    for code in range(sys.maxunicode + 1):
        for text in (chr(code), f"a{chr(code)}b", f"{chr(code)}\u200d\u0301"):
            once = normalise(text)
            assert normalise(once) == once, hex(code)


def test_pairs_of_signs_that_change_have_one_spelling():
    rng = random.Random(0)
    odd = [chr(c) for c in range(0x30000) if unicodedata.normalize("NFKC", chr(c)) != chr(c) or 0x300 <= c < 0x370]
    for _ in range(20_000):
        text = "".join(rng.choice([rng.choice(odd), "\u200d", "e", "👩", "&", "\ufe0f"]) for _ in range(4))
        once = normalise(text)
        assert normalise(once) == once, ascii(text)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="&\\")))
def test_plain_ascii_stays_as_it_is(text):
    assert clean(text) is text or clean(text) == text


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("Ｇｏｏｄ　ｄａｙ！", "Good day!"),
        ("𝓱𝓮𝓵𝓵𝓸 ﬁne", "hello fine"),
        ("don’t “stop” don´t", "don't \"stop\" don't"),
        ("a\u00a0b\u2028c\u3000d\r\n\te", "a b c d e"),
        ("1 &lt; 2 &amp;amp; 3&nbsp;&gt;&#39;&#x1F600;", "1 < 2 & 3 >'😀"),
        ("AT&T &copy; &unknown; &", "AT&T &copy; &unknown; &"),
        ("Sunday\\u2019s \\ud83d\\ude02 C:\\users", "Sunday's 😂 C:\\users"),
        ("\ud83d\ude02 \ud83d x\udc00y", "😂 xy"),
        ("a\0b\x07 \u202ereversed\u202c \u200bzero\ufeff so\u00adft", "ab reversed zero soft"),
        ("❤️ ❤ ☺︎", "❤ ❤ ☺"),
        ("👩‍🚀 👍🏽 🇬🇧 🏳️‍🌈", "👩‍🚀 👍🏽 🇬🇧 🏳‍🌈"),
        ("™ ℹ️ 🈚 ㊙️ ②", "™ ℹ 🈚 ㊙ 2"),
        ("می\u200cخواهم x\u200dy", "میخواهم xy"),
        ("太好了！（真的）…", "太好了!(真的)..."),
        ("", ""),
    ],
)
def test_spellings(text, spelling):
    assert normalise(text) == spelling


def test_escape_that_hides_too_deep_is_broken_and_not_chased():
    deep = "&" + "#38;" * 1 + "amp;#38;amp;#38;lt;"
    assert normalise(normalise(deep)) == normalise(deep)
    assert "&lt;" not in normalise("&#38;#38;#38;#38;#38;lt;")


@pytest.mark.parametrize("part", ["&amp;", "&#38;#", "\\u005cu005c", "ﷺ", "\ud83d", "e\u0301", "&#"])
def test_long_texts_take_linear_time(part):
    assert normalise(part * 20_000) == normalise(normalise(part * 20_000))


def test_emoji_are_a_class_that_nfkc_leaves_alone():
    import re

    spelt = [c for c in map(chr, range(0x20000)) if re.match(f"[{EMOJI}]", c) and normalise(c) != c]
    assert spelt == []
