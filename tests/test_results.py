"""The notebook's side of a run: metrics are kept, plots have words, and text from data stays text."""

from __future__ import annotations

import base64
import html
import json
import re
import types
import unicodedata
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smlab import results
from smlab.checks import UsageError

Interval = namedtuple("Interval", "value low high")


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the list of the bundles that a notebook would display."""
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr("IPython.display.display", lambda obj: shown.append(obj._repr_mimebundle_()))
    return shown


def test_record_displays_metrics_as_data_table_and_text(displayed: list):
    results.record(headline="auc", auc=Interval(0.81234, 0.7, 0.9), n=12_345, note="<b>")
    (bundle, _), payload = displayed[0], displayed[0][0][results.MIME]
    assert payload["metrics"] == {
        "auc": {"value": 0.81234, "low": 0.7, "high": 0.9},
        "n": 12_345,
        "note": "<b>",
    }
    assert (payload["headline"], payload["reference"]) == ("auc", {})
    assert bundle["text/plain"] == "auc   0.8123 [0.7, 0.9]\nn     12345\nnote  <b>"
    assert "<td>&lt;b&gt;</td>" in bundle["text/html"]


def test_record_keeps_earlier_metrics_in_the_run_folder(
    displayed: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SMLAB_RUN_DIR", str(tmp_path))
    results.record(headline="a", a=1, b=np.float64(0.5))
    results.record(reference={"published": 0.4}, b=True, c=None)
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert kept["metrics"] == {"a": 1, "b": True, "c": None}
    assert (kept["headline"], kept["reference"]) == ("a", {"published": 0.4})
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "record: auc is nan; a metric must be a finite number"),
        (np.float64("inf"), "record: auc is inf; a metric must be a finite number"),
        ((0.5, float("nan"), 1.0), "record: auc (low) is nan; a metric must be a finite number"),
        ((0.5, 0.9, 0.1), "record: auc is (0.5, 0.9, 0.1); an interval is (value, low, high), low first"),
        ((0.5, "a", 0.9), "record: auc is (0.5, 'a', 0.9); an interval is (value, low, high), low first"),
        ((1, 2), "record: auc is (1, 2); write a number, a text, or an interval (value, low, high)"),
        ({1}, "record: auc is {1}; write a number, a text, or an interval (value, low, high)"),
    ],
)
def test_record_refuses_what_is_no_metric(displayed: list, value: Any, message: str):
    with pytest.raises(UsageError, match=re.escape(message)):
        results.record(auc=value)
    assert displayed == []


def test_record_takes_an_object_with_value_low_and_high(displayed: list):
    results.record(auc=types.SimpleNamespace(value=np.float32(0.5), low=0.25, high=1))
    assert displayed[0][0][results.MIME]["metrics"]["auc"] == {"value": 0.5, "low": 0.25, "high": 1}


def test_device_is_the_gpu_only_where_one_was_used(monkeypatch: pytest.MonkeyPatch):
    cuda = types.SimpleNamespace(
        is_initialized=lambda: True, get_device_name=lambda: "H100", max_memory_allocated=lambda: 3 * 2**20
    )
    monkeypatch.setitem(__import__("sys").modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert results.device() == {"device": "H100", "gpu_peak_mb": 3.0}
    cuda.is_initialized = lambda: False
    assert results.device() == {"device": "cpu", "gpu_peak_mb": None}


def test_show_displays_a_picture_with_its_words_and_closes_the_figure(displayed: list):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    _, axes = pyplot.subplots()
    results.show(axes, alt="a rising line", headline=True)
    data, metadata = displayed[0]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata == {"image/png": {"alt": "a rising line", "smlab_headline": True}}
    assert pyplot.get_fignums() == []
    figure, grid = pyplot.subplots(2, 2)
    results.show(grid, alt="four")
    results.show(pyplot.figure(), alt="none")
    assert len(displayed) == 3
    pyplot.close(figure)


def test_show_without_words_is_refused():
    with pytest.raises(UsageError, match="show: alt is empty; say in a sentence what the plot shows"):
        results.show(None, alt=" ")


def said(displayed: list, template: str, **values: Any) -> str:
    results.say(template, **values)
    return displayed[-1][0]["text/markdown"]


def test_say_formats_numbers_and_lists_and_keeps_the_template(displayed: list):
    assert said(displayed, "**{a:.1f}** of {n:,} ({share:.0%})", a=1.25, n=1234, share=0.5) == "**1.2** of 1,234 (50%)"
    assert said(displayed, "{xs:.1f}", xs=[0.25, np.float64(1)]) == "0.2, 1.0"
    assert said(displayed, "{t}", t=["a", "b"]) == "\u2068a\u2069, \u2068b\u2069"


@pytest.mark.parametrize(
    "text", ["<script>", "<img onerror>", "$x$", "\\(x\\)", "**b**", "[a](http://b)", "`c`", "&lt;"]
)
def test_text_from_data_reaches_markdown_as_entities(displayed: list, text: str):
    got = said(displayed, "{t} {o.title!s}", t=text, o=types.SimpleNamespace(title=text))
    assert not re.search(r"[$\\*`\[\]()<>](?!/?span)", re.sub(r"</?span>", "", got))


def test_escape_isolates_direction_and_leaves_no_line_of_its_own():
    assert results.escape("a\n# b\u202e\u2067\x00\u2029") == "\u2068a &#35; b  \u2069"


def bare(text: str) -> str:
    """Leave out spaces, control characters and direction marks, which escaping may change."""
    return "".join(c for c in text if unicodedata.category(c)[0] not in "CZ")


@given(st.text())
@settings(max_examples=300, deadline=None)
@example("$x$ \\(y\\) \\begin{a} <b> &amp; 1. a\n\n# b\n- c | d http://e.f www.g.h :smile: [^1]: x")
def test_escaped_text_is_shown_as_it_is_written(text: str):
    """nbconvert's own Markdown reader is the judge: what it shows is the text, in one paragraph."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    shown = markdown2html_mistune(f"x {results.escape(text)} x").strip()
    assert re.fullmatch(r"<p>[^<]*(<span>[^<]*</span>[^<]*)*</p>", shown)
    assert bare(html.unescape(re.sub(r"</?(p|span)>", "", shown))) == bare(f"x{text}x")
