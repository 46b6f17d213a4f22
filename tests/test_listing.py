"""Code as a folded listing."""

from __future__ import annotations

import html
import re

import pytest

from smlab.listing import highlight, listing


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n\n\ny = 'a'",
        "def f(a: int) -> str:\n    return f'{a!r}'  # why",
        "%time x\n!ls",
        "@d\nclass A: ...",
    ],
)
def test_a_listing_loses_no_character(source: str) -> None:
    assert html.unescape(re.sub(r"</?i[^>]*>", "", highlight(source))) == source


def test_code_is_escaped_in_listing_and_summary() -> None:
    shown = listing("x = '</pre><script>alert(1)</script>'")
    assert "<script" not in shown and shown.count("</pre>") == 1


def test_the_summary_is_the_first_comment_or_else_the_first_line() -> None:
    assert "</b> Read &lt;it&gt;</summary>" in listing("\n# Read <it>\nx = 1")
    assert "</b> <code>x = 1</code></summary>" in listing("x = 1\n# later")
    assert "<summary><b>Parameters</b></summary>" in listing("x = 1", title="Parameters")


def test_direction_marks_in_code_cannot_reorder_it() -> None:
    assert "\u202e" not in listing("access = 'user\u202e'") and "\ufffd" in listing("access = 'user\u202e'")


def test_an_unknown_language_is_shown_plain() -> None:
    assert "&lt;-" in listing("x <- 1", language="nosuch")
