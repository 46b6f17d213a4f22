"""What cells displayed: the right one of several forms, harmless, and nothing lost without a word."""

from __future__ import annotations

import base64

import pytest
from nbformat.v4 import new_output

from smlab import results
from smlab.outputs import LINES_OPEN, LINES_SHOWN, RECORDED, Outputs
from smlab.prose import Prose

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def shown(*outputs: object) -> str:
    page = Prose()
    html = Outputs(page).render(list(outputs), "cell 5")
    page.convert()
    return page.finish(html)


def display(data: dict, metadata: dict | None = None) -> object:
    return new_output("display_data", data=data, metadata=metadata or {})


def test_a_picture_carries_its_alternative_text_and_its_size() -> None:
    html = shown(display({"image/png": PNG, "text/plain": "<Figure>"}, {"image/png": {"alt": 'bars of "nDCG" <b>'}}))
    assert html == (
        f'<figure><img src="data:image/png;base64,{PNG}" alt="bars of &quot;nDCG&quot; &lt;b&gt;"'
        ' width="1" height="1"></figure>'
    )


def test_a_picture_without_alternative_text_is_remembered_with_its_cell() -> None:
    outputs = Outputs(Prose())
    outputs.render([display({"image/png": PNG})], "cell 5")
    assert outputs.undescribed == ["cell 5"]


def test_svg_is_an_image_and_never_part_of_the_page() -> None:
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    html = shown(display({"image/svg+xml": svg}, {"image/svg+xml": {"alt": "a line"}}))
    assert "<svg" not in html and base64.b64encode(svg.encode()).decode() in html


@pytest.mark.parametrize(
    "data",
    [
        {"application/javascript": "alert(1)"},
        {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntProgress(value=0)"},
        {"application/vnd.plotly.v1+json": {}, "text/html": "<div></div><script>plot()</script>"},
        {"text/html": "<script>alert(1)</script>"},
    ],
)
def test_what_needs_a_script_is_left_out_with_a_note(data: dict) -> None:
    assert shown(display(data)) == '<p class="note">An interactive view is left out here: this page runs no script.</p>'


def test_a_live_view_that_brings_a_picture_shows_the_picture() -> None:
    html = shown(display({"application/vnd.vega.v5+json": {}, "image/png": PNG}, {"image/png": {"alt": "dots"}}))
    assert 'alt="dots"' in html and "left out" not in html


def test_latex_is_a_formula() -> None:
    assert "<math" in shown(display({"text/latex": r"$\displaystyle x^2$", "text/plain": "x**2"}))


def test_printed_text_is_joined_escaped_and_warnings_are_folded() -> None:
    stream = [new_output("stream", name="stdout", text=text) for text in ("<b>one", "</b>\n")]
    html = shown(*stream, new_output("stream", name="stderr", text="UserWarning: a\n  b\n"))
    assert html.startswith('<pre class="out">&lt;b&gt;one&lt;/b&gt;</pre>')
    assert '<details class="warnings"><summary><b>Warnings</b> 2 lines</summary>' in html


def test_long_output_is_folded_and_very_long_output_is_cut_with_a_note() -> None:
    def text(lines: int) -> str:
        return shown(new_output("stream", name="stdout", text="x\n" * lines))

    assert "<details" not in text(LINES_OPEN) and "<details" in text(LINES_OPEN + 1)
    assert "more lines" not in text(LINES_SHOWN)
    assert text(5 + LINES_SHOWN).count("x\n") == LINES_SHOWN - 1
    assert "5 more lines are in the notebook" in text(5 + LINES_SHOWN)


def test_an_error_shows_its_sentence_and_folds_its_traceback() -> None:
    html = shown(new_output("error", ename="DataError", evalue="<u.data>", traceback=["\x1b[31mTraceback\x1b[0m <x>"]))
    assert "<b>DataError</b>: &lt;u.data&gt;" in html
    assert '<pre><span class="ansi-red-fg">Traceback</span> &lt;x&gt;</pre></details>' in html


def test_recorded_figures_are_folded_because_the_first_page_has_them() -> None:
    payload = {"metrics": {"auc": 0.8}}
    html = shown(display({RECORDED: payload, "text/html": "<table><tr><td>auc</td></tr></table>", "text/plain": "auc"}))
    assert html.startswith('<details class="printed"><summary><b>Record</b> 1 recorded figure</summary>')
    assert RECORDED == results.MIME
