"""What came from data is shown and never obeyed."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlab.sanitize import clean, plain, settle, tables

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' JaVaScRiPt:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<iframe src='https://evil.example'></iframe>",
    "<style>body{display:none}</style>",
    "<p style='position:fixed;background:url(https://evil.example)'>x</p>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<img src='https://evil.example/pixel.png'>",
    "<img src='data:text/html;base64,AAAA' alt=x>",
    "<form action='https://evil.example'><input name=a><button>b</button></form>",
    "<base href='https://evil.example'><meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<object data=x></object><embed src=x><link rel=stylesheet href=x>",
    "<div class='banner trouble' id='text'>fake</div>",
    "</title></style></table></div><h1>x",
    "<table background='https://evil.example'><td background=x onclick=y>1",
    "<!-- <script> --><b>x</b>",
]


class Seen(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def assert_harmless(html: str) -> None:
    for tag, attributes in Seen(html).tags:
        assert tag not in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "form",
            "input",
            "base",
            "meta",
            "svg",
        }
        assert not any(name.startswith("on") or name in ("id", "background") for name in attributes)
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert (attributes.get("href") or "#").startswith(("#", "http://", "https://", "mailto:"))
        assert "banner" not in (attributes.get("class") or "")
        assert "url(" not in (attributes.get("style") or "") and "position" not in (attributes.get("style") or "")


@pytest.mark.parametrize("html", HOSTILE)
def test_hostile_html_is_made_harmless(html: str) -> None:
    assert_harmless(tables(clean(html)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, "<td", '"', "'", ">", "\u202e", "&lt;script&gt;", "<table>", " x "])))
def test_any_mixture_of_hostile_pieces_is_made_harmless(pieces: list[str]) -> None:
    assert_harmless(tables(clean("".join(pieces))))


def test_links_open_without_telling_where_they_came_from() -> None:
    assert clean('<a href="https://a.example">a</a>') == ('<a href="https://a.example" rel="noopener noreferrer">a</a>')


def test_a_data_frame_keeps_its_titles_as_text_and_its_numbers_at_the_right() -> None:
    frame = pd.DataFrame({"title": ["<script>x</script>", "$x$", "=cmd()"], "mean": [1.5, 2.25, float("nan")]})
    html = tables(clean(frame._repr_html_()))
    assert "&lt;script&gt;x&lt;/script&gt;" in html and "$x$" in html and "=cmd()" in html
    assert '<th class="num">mean</th>' in html and '<td class="num">NaN</td>' in html
    assert "<td>$x$</td>" in html and "style" not in html


def test_a_number_column_is_one_where_every_value_is_a_number() -> None:
    cells = "".join(f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in (("7", "0.48 [0.47, 0.49]"), ("x", "0.3 ± 0.1")))
    html = tables(f"<table>{cells}</table>")
    assert html.count("num") == 2 and '<td class="num">0.3 ± 0.1</td>' in html


def test_tables_inside_tables_stay_nested() -> None:
    html = tables(clean("<table><tr><td><table><tr><td>1</td></tr></table></td></tr></table>after"))
    assert html.count("<div") == html.count("</div>") == 1 and html.endswith("after")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a\ufffdb"),
        ("a\u202bb\u202c", "ab"),
        ("\u2067open", "open"),
        ("closed\u2069 first", "closed first"),
        ("\u2068kept\u2069", "\u2068kept\u2069"),
        ("\u2066\u2068one\u2069", "\u2068one\u2069"),
        ("שלום", "שלום"),
    ],
)
def test_direction_marks_cannot_reach_beyond_their_text(text: str, shown: str) -> None:
    assert settle(text) == shown


def test_direction_marks_are_settled_cell_by_cell() -> None:
    html = clean("<table><tr><td>a\u2067b</td><td>c\u2069d</td></tr></table>")
    assert "\u2067" not in html and "\u2069" not in html


def test_terminal_text_is_escaped_and_a_progress_bar_shows_its_last_state() -> None:
    assert plain("<b>\x1b[32mok\x1b[0m") == '&lt;b&gt;<span class="ansi-green-fg">ok</span>'
    assert plain(" 10%\r 50%\r100%\nnext\r\n") == "100%\nnext\n"


def test_an_index_that_only_counts_is_dropped_and_a_named_one_stays() -> None:
    frame = pd.DataFrame({"model": ["a", "b"]})
    assert "<td>a</td>" in tables(clean(frame._repr_html_())) and "<th>0</th>" not in tables(clean(frame._repr_html_()))
    assert "<th>5</th>" in tables(clean(frame.set_axis([5, 6])._repr_html_()))
    assert "<th>0</th>" in tables(clean(frame.rename_axis("rank")._repr_html_()))
