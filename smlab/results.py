"""The notebook's side of a run: record its metrics, show its plots, say its findings.

What comes from data is text and stays text: `say` escapes every string it is given, so that a title like
`<script>` or `$x$` shows as it is written.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
import re
import string
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smlab import atomic
from smlab.checks import UsageError, shorten

MIME = "application/vnd.smlab.metrics+json"
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Entities are text to every Markdown reader, whereas a backslash before a character may start a formula.
ENTITIES = {ord(c): f"&#{ord(c)};" for c in string.punctuation if c not in ",'?"}
# A page that typesets formulas looks for these two across a whole text node; alone in a node they stay text.
ENTITIES |= {ord(c): f"<span>&#{ord(c)};</span>" for c in "$\\"}


class _Bundle:
    """An object that notebooks display by its MIME bundle and a terminal by its text."""

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self.data, self.metadata = data, metadata or {}

    def __repr__(self) -> str:
        return str(self.data.get("text/plain", ""))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.data, self.metadata


def _display(data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    from IPython.display import display

    display(_Bundle(data, metadata))


def record(*, headline: str | None = None, reference: Mapping[str, float] | None = None, **metrics: Any) -> None:
    """Record the metrics of this run: display them, and keep them in `metrics.json` if there is a runner.

    Later calls add to earlier ones.

    Parameters
    ----------
    headline : the metric that stands for the run in lists
    reference : published figures to stand beside it, by name
    metrics : number, str, bool, None, or an interval (value, low, high)

    Raises
    ------
    UsageError
        for NaN, infinity, an interval with low above high, or another type.
    """
    payload = {
        "metrics": {name: metric(name, value) for name, value in metrics.items()},
        "headline": headline,
        "reference": {name: metric(f"reference {name}", value) for name, value in (reference or {}).items()},
        **device(),
    }
    folder = os.environ.get("SMLAB_RUN_DIR")
    if folder:
        keep(Path(folder) / "metrics.json", payload)
    _display({MIME: payload, "text/html": as_html(payload), "text/plain": as_text(payload)})


def metric(name: str, value: Any) -> Any:
    """Return a metric as JSON holds it; NumPy scalars become numbers, intervals become objects.

    >>> metric("auc", (0.8, 0.7, 0.9))
    {'value': 0.8, 'low': 0.7, 'high': 0.9}
    """
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise UsageError(f"record: {name} is {value}; a metric must be a finite number")
        return value
    parts = [value.get(k) for k in ("value", "low", "high")] if isinstance(value, Mapping) else value
    if hasattr(value, "low") and hasattr(value, "high") and hasattr(value, "value"):
        parts = (value.value, value.low, value.high)
    if not isinstance(parts, tuple | list) or len(parts) != 3:
        shown = shorten(repr(value))
        raise UsageError(f"record: {name} is {shown}; write a number, a text, or an interval (value, low, high)")
    interval = {key: metric(f"{name} ({key})", part) for key, part in zip(("value", "low", "high"), parts, strict=True)}
    if not all(isinstance(part, int | float) for part in interval.values()) or interval["low"] > interval["high"]:
        raise UsageError(f"record: {name} is {shorten(repr(value))}; an interval is (value, low, high), low first")
    return interval


def device() -> dict[str, Any]:
    """Say on which device the notebook has computed; torch is asked only where it is loaded."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {"device": "cpu", "gpu_peak_mb": None}
    peak = torch.cuda.max_memory_allocated() / 2**20
    return {"device": torch.cuda.get_device_name(), "gpu_peak_mb": round(peak, 1)}


def keep(path: Path, payload: dict[str, Any]) -> None:
    """Merge `payload` into the file at `path`; readers see the old file or the new one, never half of it."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    merged = {**earlier, **payload, "headline": payload["headline"] or earlier.get("headline")}
    for part in ("metrics", "reference"):
        merged[part] = {**earlier.get(part, {}), **payload[part]}
    atomic.write(path, json.dumps(merged, ensure_ascii=True, indent=1, allow_nan=False))


def as_text(payload: Mapping[str, Any]) -> str:
    rows = [(name, shown(value)) for name, value in payload["metrics"].items()]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def as_html(payload: Mapping[str, Any]) -> str:
    cells = [
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(shown(value))}</td></tr>"
        for name, value in payload["metrics"].items()
    ]
    return f'<table class="smlab-metrics"><tbody>{"".join(cells)}</tbody></table>'


def shown(value: Any) -> str:
    """Write a metric for people: four significant digits, the interval in brackets."""
    if isinstance(value, dict):
        return f"{shown(value['value'])} [{shown(value['low'])}, {shown(value['high'])}]"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return str(value)


def show(figure_or_axes: Any, *, alt: str, headline: bool = False) -> None:
    """Display a matplotlib figure with its alternative text, and close it.

    Parameters
    ----------
    alt : what the plot shows, in words, for those who cannot see it
    headline : whether this is the picture of the run in the index

    Raises
    ------
    UsageError
        if `alt` is empty.
    """
    if not alt or not alt.strip():
        raise UsageError("show: alt is empty; say in a sentence what the plot shows")
    from matplotlib import pyplot

    first = figure_or_axes.flat[0] if hasattr(figure_or_axes, "flat") else figure_or_axes
    figure = first if hasattr(first, "savefig") else first.get_figure()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    data = {"image/png": base64.b64encode(image.getvalue()).decode(), "text/plain": alt}
    _display(data, {"image/png": {"alt": alt, "smlab_headline": headline}})


def say(template: str, /, **values: Any) -> None:
    """Display Markdown with values filled in; text values are escaped, so that data cannot format or inject.

    `template` follows `str.format`; a list is written with commas, its format applied to each element.
    """
    text = _Escaping().format(template, **values)
    _display({"text/markdown": text, "text/plain": text})


class _Escaping(string.Formatter):
    """`str.format` that escapes whatever is not a number."""

    def format_field(self, value: Any, format_spec: str) -> str:
        writes_itself = type(value).__format__ is not object.__format__  # an interval does, a plain tuple does not
        if isinstance(value, list | tuple | set | frozenset) and not writes_itself:
            return ", ".join(self.format_field(part, format_spec) for part in value)
        text = format(value, format_spec)
        parts = value if isinstance(value, tuple) else (value,)
        is_number = all(isinstance(part, int | float) or hasattr(part, "dtype") for part in parts)
        return text if is_number and re.fullmatch(r"[-+\w.,%~ ]*( \[[-+\w.,% ]*\])?", text) else escape(text)


def escape(text: str) -> str:
    """Escape a text from data for Markdown, HTML and formulas, and isolate its direction of writing.

    >>> escape("<b>")
    '\\u2068&#60;b&#62;\\u2069'
    """
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in BIDI.sub("", text))
    return f"\u2068{plain.translate(ENTITIES)}\u2069"
