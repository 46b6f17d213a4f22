"""Markdown of cells and of outputs: formulas are found where JupyterLab finds them, data stays data."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from smlab import results
from smlab.formulas import FormulaError
from smlab.prose import Prose, local_image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def cell(source: str, **kw: object) -> str:
    page = Prose()
    html = page.cell(source, "cell 3", **kw)  # type: ignore[arg-type]
    page.convert()
    return page.finish(html)


def output(source: str) -> str:
    page = Prose()
    html = page.output(source, "cell 3")
    page.convert()
    return page.finish(html)


@pytest.mark.parametrize(
    "source",
    [
        "$x$",
        "$$x$$",
        r"\(x\)",
        r"\\(x\\)",
        r"\[x\]",
        r"\\[x\\]",
        r"\begin{align}x\end{align}",
        "**$x$**",
        "- $x$",
    ]
    + ["$$\nx\n= y\n- z\n$$", "a|b\n-|-\n$|x|$|1", r"$\text{a $x$ b}$", "## The $x$"],
)
def test_formulas_are_found(source: str) -> None:
    html = cell(source)
    assert html.count("<math") == 1 and "$" not in html.replace("$x$", "") and "smath" not in html


@pytest.mark.parametrize("source", ["`$x$`", "```\n$x$\n```", "~~~\n$x$ and $y$\n~~~", "    $x$", "``a ` $x$``"])
def test_formulas_in_code_stay_as_they_are(source: str) -> None:
    html = cell(source)
    assert "<math" not in html and "$x$" in html


@pytest.mark.parametrize("source", [r"costs \$5 and \$6", "costs $5", "$\n\nx$"])
def test_dollar_signs_that_are_money_stay_money(source: str) -> None:
    assert "<math" not in output(source) and "$" in output(source)


def test_a_formula_inside_an_attribute_is_its_source() -> None:
    html = cell('<a href="https://a.example/?q=$x$" title="$y<z$">a</a>')
    assert "<math" not in html and 'title="$y&lt;z$"' in html


def test_a_bad_formula_names_its_cell() -> None:
    with pytest.raises(FormulaError, match="^cell 3: formula "):
        cell(r"$\nosuch{x}$")


def test_equations_with_a_number_can_be_linked_to() -> None:
    html = cell("$$a \\tag{2}\\label{eq:a}$$\nBy equation (2), Eqs. (2) and (9), \\eqref{eq:a}; (2) pears; `eq. (2)`.")
    assert html.count('id="eq-2"') == 1 and '<a class="eq-no" href="#eq-2">(2)</a>' in html
    assert html.count('<a href="#eq-2">(2)</a>') == 3 and "(9)" in html and "eq-9" not in html


def test_headings_are_anchored_as_in_jupyterlab_and_never_twice() -> None:
    page = Prose()
    page.cell("# Title\n## The model\n## The model\n# Second", "cell 1")
    assert [(h.level, h.anchor) for h in page.headings] == [
        (1, "Title"),
        (2, "The-model"),
        (2, "The-model-2"),
        (2, "Second"),
    ]


def test_html_in_a_cell_is_sanitised_and_in_an_output_it_is_text() -> None:
    source = "<b>bold</b> <script>alert(1)</script> <img src=x onerror=alert(1)>"
    assert "<b>bold</b>" in cell(source) and "alert" not in cell(source)
    assert "&lt;b&gt;bold&lt;/b&gt;" in output(source) and "&lt;script&gt;" in output(source)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "$x$",
        r"\(x\)",
        r"\begin{align}x\end{align}",
        "[a](javascript:b)",
        "# no",
        "*a*_b_",
    ]
    + ["![x](https://a.example/p.png)", "`c`", "a | b", "1. one", "&lt;", "https://a.example", r"\$5 \\ \\("],
)
def test_what_say_escapes_shows_as_it_was_written(text: str) -> None:
    from smlab.sanitize import strip_tags

    html = output(f"Said: {results.escape(text)}.")
    import html as entities

    assert entities.unescape(strip_tags(html)).strip() == f"Said: \u2068{text}\u2069."


def test_only_pictures_below_the_notebook_are_taken_in(tmp_path: Path) -> None:
    inside = tmp_path / "notebooks"
    inside.mkdir()
    (inside / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    (inside / "out.png").symlink_to(tmp_path / "secret.png")
    (inside / "key.txt").write_text("secret")
    assert (local_image(inside, "a.png") or "").startswith("data:image/png;base64,iVBOR")
    for url in (
        "../secret.png",
        "out.png",
        "key.txt",
        str(tmp_path / "secret.png"),
        "file:///etc/passwd",
        "//a/b.png",
    ):
        assert local_image(inside, url) is None, url


def test_remote_pictures_are_refused_with_a_note() -> None:
    page = Prose()
    html = page.cell("![a cat](https://a.example/cat.png)", "cell 3")
    assert "<img" not in html and "a cat: not shown" in html
    assert page.notes == ["cell 3: image https://a.example/cat.png is not part of this page"]


def test_attachments_are_part_of_the_page() -> None:
    bundle = {"cat.png": {"image/png": base64.b64encode(PNG).decode()}}
    assert '<img src="data:image/png;base64,iVBOR' in cell("![a cat](attachment:cat.png)", attachments=bundle)


def test_pathological_dollar_signs_take_no_time() -> None:
    for source in ("$" * 3000, "${a}" * 2000, "{$" * 3000, "`" * 3000, "\\(" * 2000, "$$a" * 2001):
        Prose().output(source, "cell 3")
