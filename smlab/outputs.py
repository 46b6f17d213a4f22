"""What cells displayed, as HTML of the report: tables, figures, text, warnings, errors.

Outputs are data. HTML is sanitised, Markdown is rendered with its HTML shown as text, pictures become data
addresses with an alternative text, and what would need a script is left out with a note.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from smlab import sanitize
from smlab.checks import UsageError
from smlab.prose import Prose

LINES_SHOWN = 200
LINES_OPEN = 40
_IMAGES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")
_ORDER = ("text/html", "text/markdown", "text/latex", *_IMAGES, "text/plain")
_LIVE = ("widget-view+json", "javascript", "plotly", "bokeh", "vega", "holoviews")
RECORDED = "application/vnd.smlab.metrics+json"  # what `results.record` displays
_NOTE = '<p class="note">An interactive view is left out here: this page runs no script.</p>'


class NoAlternativeText(UsageError):
    """A picture without alternative text; the text names the cell."""


@dataclass
class Outputs:
    """Render the outputs of one notebook; `page` collects its Markdown and formulas."""

    page: Prose
    undescribed: list[str] = field(default_factory=list)

    def render(self, outputs: list[Any], where: str) -> str:
        """Return the outputs of one cell as HTML, in their order; `where` is the place that errors name."""
        shown = (self._one(output, where) for output in _merged(outputs))
        parts = dict.fromkeys(part for part in shown if part)
        return "\n".join(parts)

    def _one(self, output: Any, where: str) -> str:
        if output["output_type"] == "stream":
            return _stream(_joined(output["text"]), output["name"])
        if output["output_type"] == "error":
            return error(output["ename"], output["evalue"], output["traceback"])
        return self._bundle(output["data"], output.get("metadata", {}), where)

    def _bundle(self, data: dict[str, Any], metadata: dict[str, Any], where: str) -> str:
        live = any(name in kind for kind in data for name in _LIVE)
        kind = next((kind for kind in _ORDER if kind in data), None)
        if kind is None or (live and kind == "text/plain"):
            return _NOTE if live else ""
        text = _joined(data[kind])
        if kind in _IMAGES:
            return self._image(kind, text, metadata, where)
        if kind == "text/html":
            return _recorded(data[RECORDED], _html(text)) if RECORDED in data else _html(text)
        if kind == "text/markdown":
            return f'<div class="out said">{self.page.output(text, where)}</div>'
        if kind == "text/latex":
            return f'<div class="out">{self.page.formula(text, where)}</div>'
        return _text(text)

    def _image(self, kind: str, data: str, metadata: dict[str, Any], where: str) -> str:
        about = metadata.get(kind) or {}
        alt = str(about.get("alt") or metadata.get("alt") or "").strip()
        if not alt:
            self.undescribed.append(where)
            alt = f"Figure of {where}, without a description"
        content = base64.b64encode(data.encode()).decode() if kind == "image/svg+xml" else "".join(data.split())
        size = _size(content) if kind == "image/png" else ""
        source = f"data:{kind};base64,{content}"
        return f'<figure><img src="{escape(source)}" alt="{escape(sanitize.settle(alt))}"{size}></figure>'


def _recorded(payload: Any, table: str) -> str:
    """Fold the recorded figures: the first page of a report has them already."""
    number = len(payload.get("metrics", {})) if isinstance(payload, dict) else 0
    summary = f"{number} recorded figure{'' if number == 1 else 's'}"
    return f'<details class="printed"><summary><b>Record</b> {summary}</summary>{table}</details>'


def _merged(outputs: list[Any]) -> Iterator[Any]:
    """Yield the outputs with neighbouring pieces of one stream put together."""
    last: Any = None
    for output in outputs:
        stream = output["output_type"] == "stream"
        if stream and last is not None and last["name"] == output["name"]:
            last = {**last, "text": _joined(last["text"]) + _joined(output["text"])}
            continue
        if last is not None:
            yield last
        last = output if stream else None
        if not stream:
            yield output
    if last is not None:
        yield last


def _joined(text: str | list[str]) -> str:
    return "".join(text)


def _stream(text: str, name: str) -> str:
    if not text.strip():
        return ""
    if name != "stderr":
        return _text(text)
    lines = len(text.strip().splitlines())
    summary = f"<b>Warnings</b> {lines} line{'s' * (lines != 1)}"
    return f'<details class="warnings"><summary>{summary}</summary>{_text(text)}</details>'


def _text(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    left = len(lines) - LINES_SHOWN
    note = f'<p class="note">{left:,} more lines are in the notebook.</p>' if left > 0 else ""
    html = f'<pre class="out">{sanitize.plain(chr(10).join(lines[:LINES_SHOWN]))}</pre>{note}'
    if len(lines) <= LINES_OPEN:
        return html
    return f'<details class="printed"><summary><b>Output</b> {len(lines):,} lines</summary>{html}</details>'


def _html(text: str) -> str:
    html = sanitize.tables(sanitize.clean(text))
    if not sanitize.strip_tags(html).strip() and "<img" not in html:
        return _NOTE if "<script" in text.lower() else ""
    return f'<div class="out">{html}</div>'


def error(name: str, message: str, traceback: list[str]) -> str:
    """Return an exception: its name and sentence in view, the traceback folded below."""
    said = f"<b>{sanitize.plain(name)}</b>{': ' * bool(message)}{sanitize.plain(message)}"
    trace = sanitize.plain("\n".join(traceback))
    return (
        f'<div class="error"><p>{said}</p>'
        f'<details class="code"><summary><b>Traceback</b></summary><pre>{trace}</pre></details></div>'
    )


def _size(content: str) -> str:
    """Return the width and height of a PNG as attributes, so that the page does not jump while it loads."""
    try:
        width, height = struct.unpack(">II", base64.b64decode(content[:64])[16:24])
    except (ValueError, struct.error):
        return ""
    return f' width="{width}" height="{height}"'
