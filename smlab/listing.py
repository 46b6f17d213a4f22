"""Source code as a folded, coloured listing with a one-line summary."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import Any

from smlab.checks import shorten
from smlab.sanitize import settle

# Few classes keep the page small; the style sheet gives each a colour for light and for dark.
_GROUPS: tuple[tuple[str, str], ...] = (
    ("Comment", "c"),
    ("Keyword", "k"),
    ("Operator.Word", "k"),
    ("Literal.String", "s"),
    ("Literal.Number", "m"),
    ("Name.Function", "f"),
    ("Name.Class", "f"),
    ("Name.Decorator", "f"),
)


def listing(source: str, *, title: str | None = None, language: str = "ipython3") -> str:
    """Return code as a closed `<details>`; its summary is `title`, the first comment or the first line.

    >>> listing("# Read the ratings\\nx = 1")[:69]
    '<details class="code"><summary><b>Code</b> Read the ratings</summary>'
    """
    source = "\n".join(settle(line) for line in source.strip("\n").split("\n"))
    said = f"<b>{escape(title)}</b>" if title else f"<b>Code</b> {_summary(source)}"
    code = highlight(source, language)
    return f'<details class="code"><summary>{said}</summary><pre><code>{code}</code></pre></details>'


def _summary(source: str) -> str:
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    comment = re.match(r"#+\s*(?!%%)(.+)", first)
    if comment:
        return escape(shorten(comment[1], 90))
    return f"<code>{escape(shorten(first, 76))}</code>"


def highlight(source: str, language: str = "ipython3") -> str:
    """Return code as HTML, its comments, keywords, strings, numbers and names in classed spans.

    >>> highlight("if x: return 1")
    '<i class="k">if</i> x: <i class="k">return</i> <i class="m">1</i>'
    """
    pieces: list[tuple[str, str]] = []
    for kind, text in _lexer(language).get_tokens(source):
        name = _group(kind)
        if pieces and (pieces[-1][0] == name or not text.strip()):
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + text)
        else:
            pieces.append((name, text))
    html = (f'<i class="{name}">{_trailing(text)}' if name else escape(text, quote=False) for name, text in pieces)
    return "".join(html).rstrip("\n")


def _trailing(text: str) -> str:
    body = text.rstrip()
    return f"{escape(body, quote=False)}</i>{text[len(body) :]}"


@cache
def _group(kind: Any) -> str:
    name = str(kind).removeprefix("Token.")
    return next((short for start, short in _GROUPS if name.startswith(start)), "")


@cache
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False)
