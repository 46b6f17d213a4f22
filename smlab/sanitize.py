"""HTML and text that came from data, made harmless: no script, no load, no style, no leaking direction marks.

What people post, and what libraries print about it, is text to show and never markup to obey. Known tags are
kept, everything else goes; the report's content policy would stop a script as well, so there are two locks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import escape, unescape
from typing import Any

_BLOCK_TAGS = {
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "div",
    "blockquote",
    "pre",
    "hr",
    "br",
    "details",
    "summary",
}
_LIST_TAGS = {"ul", "ol", "li", "dl", "dt", "dd", "figure", "figcaption"}
_TABLE_TAGS = {"table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"}
_TEXT_TAGS = {
    "a",
    "abbr",
    "b",
    "bdi",
    "code",
    "del",
    "em",
    "i",
    "ins",
    "kbd",
    "mark",
    "q",
    "s",
    "samp",
    "small",
}
_TEXT_TAGS |= {"span", "strong", "sub", "sup", "time", "u", "var", "wbr", "img"}
_GONE = {
    "script",
    "style",
    "title",
    "template",
    "iframe",
    "object",
    "noscript",
    "svg",
    "math",
    "textarea",
    "select",
}
# Classes of pandas and of our own tables: others could borrow the look of the report's own parts.
_CLASSES = {"dataframe", "num", "text", "best", "ours", "muted", "smlab-metrics", "headline"}
_ATTRIBUTES = {
    "*": {"class", "dir", "lang", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "style"},
    "th": {"colspan", "rowspan", "scope", "style"},
    "ol": {"start"},
    "details": {"open"},
    "time": {"datetime"},
}
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
TAG = re.compile(r'(<[^<>"]*(?:"[^"]*"[^<>"]*)*>)')
_NUMBER = re.compile(r"[-+−±]?\s*[$€£]?\s*(?:\d[\d,_ ]*\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*(?:%|[a-zµ]{1,2})?", re.I)
_NOT_A_VALUE = {"", "nan", "none", "nat", "<na>", "—", "–", "-", "inf", "-inf", "∞", "...", "…"}
_ISOLATES, _POP = "\u2066\u2067\u2068", "\u2069"
_EMBEDDINGS = {0x202A: None, 0x202B: None, 0x202C: None, 0x202D: "\ufffd", 0x202E: "\ufffd"}


def clean(html: str, *, ids: bool = False) -> str:
    """Keep the harmless part of an HTML fragment; `ids` allows anchors, for text that an author wrote.

    >>> clean("<b onclick='x()'>hi</b><script>x()</script><img src='https://tracker.example/a.png'>")
    '<b>hi</b>'
    """
    return _isolated(_without_empty_images(_cleaner(ids).clean(html)))


def _isolated(html: str) -> str:
    parts = TAG.split(html)
    return "".join(part if number % 2 else settle(part) for number, part in enumerate(parts))


def _without_empty_images(html: str) -> str:
    return re.sub(r"<img(?![^>]*\bsrc=)[^>]*>", "", html)


@cache
def _cleaner(ids: bool) -> Any:
    import nh3

    attributes = {tag: set(names) for tag, names in _ATTRIBUTES.items()}
    if ids:
        attributes["*"].add("id")
    return nh3.Cleaner(
        tags=_BLOCK_TAGS | _LIST_TAGS | _TABLE_TAGS | _TEXT_TAGS,
        clean_content_tags=_GONE,
        attributes=attributes,
        attribute_filter=_allowed_attribute,
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "mailto", "data"},
    )


def _allowed_attribute(tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return " ".join(word for word in value.split() if word in _CLASSES) or None
    if name == "src":
        return value if _IMAGE.fullmatch(value) else None
    if name == "href":
        return value if _LINK.match(value) else None
    return settle(value)


def settle(text: str) -> str:
    """Neutralise characters that turn the direction of the text around them.

    Overrides become U+FFFD, embeddings go, and isolates stay only where they are closed again.

    >>> settle("safe\u202egpj.exe"), settle("\u2068name\u2069"), settle("open \u2067 for ever")
    ('safe\ufffdgpj.exe', '\u2068name\u2069', 'open  for ever')
    """
    if text.isascii():
        return text
    text = text.translate(_EMBEDDINGS)
    if not any(mark in text for mark in _ISOLATES + _POP):
        return text
    kept, opened = list(text), []
    for at, letter in enumerate(text):
        if letter in _ISOLATES:
            opened.append(at)
        elif letter == _POP and opened:
            opened.pop()
        elif letter == _POP:
            kept[at] = ""
    for at in opened:
        kept[at] = ""
    return "".join(kept)


def plain(text: str) -> str:
    """Show terminal text as HTML: escaped, its colours as classes, direction marks settled line by line.

    >>> plain("\x1b[31m<b>\x1b[0m")
    '<span class="ansi-red-fg">&lt;b&gt;</span>'
    """
    from nbconvert.filters.ansi import ansi2html

    lines = "\n".join(settle(line) for line in _last_of_carriage_returns(text).split("\n"))
    return str(ansi2html(lines)) if "\x1b" in lines else escape(lines, quote=False)


def _last_of_carriage_returns(text: str) -> str:
    """Keep what a terminal would show of a line that was written over, as progress bars do."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def tables(html: str) -> str:
    """Set the tables of a clean fragment: numeric columns marked `num`, each table in a box that scrolls.

    >>> tables("<table><tr><th>n</th></tr><tr><td>7</td></tr></table>")
    '<div class="table"><table><tr><th class="num">n</th></tr><tr><td class="num">7</td></tr></table></div>'
    """
    return _INNERMOST.sub(lambda m: f'<div class="table">{_table(re.sub(_BETWEEN, "><", m[0]))}</div>', html)


_INNERMOST = re.compile(r"<table\b(?:(?!<table\b).)*?</table>", re.DOTALL)
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_BETWEEN = re.compile(r">\n\s*<")
_CELL = re.compile(r"<(t[dh])([^>]*)>(.*?)</\1>", re.DOTALL)


def _table(html: str) -> str:
    html = _without_counter(html)
    rows = _ROW.findall(html)
    if "span=" in html or len({len(_CELL.findall(row)) for row in rows}) > 1:
        return _marked(html, lambda cell, _: cell[1] == "td" and _is_number(cell[3]))
    columns = zip(*(_CELL.findall(row) for row in rows), strict=True)
    numeric = [_is_numeric([text for tag, _, text in column if tag == "td"]) for column in columns]
    return _ROW.sub(lambda m: _marked(m[0], lambda _, at: numeric[at]), html)


def _without_counter(html: str) -> str:
    """Drop the first column where it only counts the rows from 0, as an unnamed pandas index does."""
    cells = [_CELL.findall(row) for row in _ROW.findall(html)]
    first = [(row[0][0], _text(row[0][2])) for row in cells if row]
    counted = [("th", ""), *(("th", str(number)) for number in range(len(cells) - 1))]
    if "span=" in html or len(first) < 2 or first != counted or any(len(row) < 2 for row in cells):
        return html
    return _ROW.sub(lambda row: _CELL.sub("", row[0], count=1), html)


def _marked(html: str, is_number: Callable[[re.Match[str], int], bool]) -> str:
    """Give class `num` to the cells that `is_number` chooses; alignment of cells in data is dropped there."""
    at = -1

    def cell(match: re.Match[str]) -> str:
        nonlocal at
        at += 1
        if not is_number(match, at):
            return match[0]
        others = re.sub(r'\s(?:class|style)="[^"]*"', "", match[2])
        return f'<{match[1]} class="num"{others}>{match[3]}</{match[1]}>'

    return _CELL.sub(cell, html)


def _is_numeric(cells: list[str]) -> bool:
    texts = [_text(cell) for cell in cells]
    values = [text for text in texts if text.lower() not in _NOT_A_VALUE]
    return bool(values) and all(_is_number(value) for value in values)


def _is_number(cell: str) -> bool:
    # An interval, "0.48 [0.47, 0.49]" or "0.48 ± 0.01", lines up like a number.
    text = re.split(r"\s*[\[(±]|\s+to\s+", _text(cell), maxsplit=1)[0] or _text(cell).strip("[]()")
    return _NUMBER.fullmatch(text.strip()) is not None


def strip_tags(html: str) -> str:
    """Return the text of an HTML fragment, entities left as they are."""
    return TAG.sub("", html)


def _text(html: str) -> str:
    return unescape(strip_tags(html)).strip()
