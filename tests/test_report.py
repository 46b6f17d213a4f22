"""The report: one file that needs nothing, shows everything as text, and says what the run was."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from smlab import report, results
from smlab.checks import UsageError
from smlab.formulas import FormulaError
from smlab.outputs import NoAlternativeText

HOSTILE = [
    "<script>document.body.dataset.hit = 1</script>",
    '<img src=x onerror="document.body.dataset.hit = 1">',
    "</title></style><script>document.body.dataset.hit = 1</script>",
    "$x$ and \\(y\\)",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "javascript:alert(1)",
]
RUN = {
    "schema": 1,
    "id": "3f9c2ab81d04",
    "notebook": "03_collaborative_filtering",
    "title": "Who will like what?",
    "status": "ok",
    "parameters": {"k": 10, "reg": 300.0, "device": "auto"},
    "given": {"reg": 300.0},
    "metrics": {"nDCG@10": {"value": 0.48712, "low": 0.4735, "high": 0.5004}, "users": 943},
    "headline": "nDCG@10",
    "reference": {"BiVAE": 0.4687, "BPR": 0.445},
    "data": {
        "name": "ml-100k",
        "origin": "cache",
        "fingerprint": "8f9a3c52be6471d0aa",
        "licence": "research use",
    },
    "offline": False,
    "started": "2026-11-22T14:03:09+00:00",
    "seconds": 12.34,
    "peak_memory_mb": 612.0,
    "device": "cpu",
    "gpu_peak_mb": None,
    "versions": {"python": "3.11.7", "numpy": "2.4.1"},
    "commit": "4be1d27a90c355ee",
    "error": None,
}


def picture(width: int = 40) -> str:
    file = BytesIO()
    Image.effect_noise((width, width), 60).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def figure(alt: str | None = "a plot", width: int = 40):
    metadata = {"image/png": {"alt": alt}} if alt else {}
    return new_output("display_data", data={"image/png": picture(width)}, metadata=metadata)


def code(source: str, *outputs, tags: tuple[str, ...] = ()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)} if tags else {})


def folder_of(path: Path, cells: list, run: dict | None = RUN) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), str(path / "notebook.ipynb"))
    if run is not None:
        (path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    return path


def written(path: Path, cells: list, run: dict | None = RUN) -> str:
    return report.write(folder_of(path, cells, run)).read_text(encoding="utf-8")


class Page(HTMLParser):
    """Tags with their attributes, and the text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def hostile_cells() -> list:
    frame = pd.DataFrame({"title": HOSTILE, "clicks": range(len(HOSTILE))})
    cells = [new_markdown_cell(f"# Title {HOSTILE[0]} {HOSTILE[2]}\n\nAbstract {HOSTILE[1]}")]
    for number, text in enumerate(HOSTILE):
        cells += [
            new_markdown_cell(f"## {number}. {text}"),
            code(
                f"# {text}\nx = {text!r}",
                new_output("stream", name="stdout", text=text),
                new_output("stream", name="stderr", text=text),
                new_output("display_data", data={"text/html": text}),
                new_output("display_data", data={"text/markdown": f"Said {results.escape(text)}"}),
                new_output("error", ename=text, evalue=text, traceback=[text]),
                figure(text),
            ),
        ]
    return [*cells, code("frame", new_output("execute_result", data={"text/html": frame._repr_html_()}))]


def hostile_run() -> dict:
    return RUN | {
        "id": HOSTILE[2],
        "title": HOSTILE[0],
        "notebook": HOSTILE[0],
        "parameters": {text: text for text in HOSTILE},
        "given": {HOSTILE[0]: HOSTILE[0]},
        "metrics": dict.fromkeys(HOSTILE, 0.5),
        "headline": HOSTILE[0],
        "reference": dict.fromkeys(HOSTILE, 0.4),
        "data": {"name": HOSTILE[0], "licence": HOSTILE[1]},
        "device": HOSTILE[0],
        "status": "failed",
        "error": {"cell": 3, "name": HOSTILE[0], "message": HOSTILE[2]},
        "versions": {HOSTILE[0]: HOSTILE[0]},
        "started": HOSTILE[0],
        "commit": HOSTILE[0],
    }


def essay_cells(plots: int = 6, formulas: int = 50) -> list:
    cells = [new_markdown_cell("# Who will like what?\n\nAn abstract with $x$.")]
    cells += [code("k: int = 10  # length of a list", tags=("parameters",))]
    for number in range(formulas):
        tex = rf"\hat r_{{ui}} = \sum_{{j \in N_{{{number}}}(i)}} s_{{ij}}, \; k = {number} \tag{{{number}}}"
        cells.append(new_markdown_cell(f"## Part {number}\n\nA sentence, and\n\n$$ {tex} $$\n\nwhich is clear."))
        cells.append(code(f"# Step {number}\nmodel.fit(train, seed={number})"))
    frame = pd.DataFrame({"model": ["EASE", "popularity"], "nDCG@10": [0.4871, 0.2512]})
    cells += [code("show(axes, alt='a plot')", figure(width=200)) for _ in range(plots)]
    return [*cells, code("table", new_output("execute_result", data={"text/html": frame._repr_html_()}))]


def test_the_policy_is_the_first_thing_of_the_head_and_allows_no_script_and_no_load(tmp_path: Path) -> None:
    html = written(tmp_path, essay_cells())
    tags = [(tag, attributes) for tag, attributes in Page(html).tags if tag not in ("html", "head")]
    assert tags[0][0] == "meta" and tags[0][1]["http-equiv"] == "Content-Security-Policy"
    rules = set((tags[0][1]["content"] or "").split("; "))
    assert rules >= {"default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"}
    assert not any("script" in rule for rule in rules)
    assert html.encode().index(b'charset="utf-8"') < 1024


@pytest.mark.parametrize("kind", ["essay", "hostile"])
def test_the_page_has_no_script_and_loads_nothing(tmp_path: Path, kind: str) -> None:
    html = written(tmp_path, essay_cells() if kind == "essay" else hostile_cells())
    assert "<script" not in html.lower() and "@import" not in html and "url(" not in html
    for tag, attributes in Page(html).tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "svg"}
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert not {"srcset", "background", "poster"} & set(attributes)
        if "href" in attributes:
            assert tag == "a" and (attributes["href"] or "").startswith(("#", "http", "mailto:"))


def test_hostile_titles_and_cells_show_as_text(tmp_path: Path) -> None:
    html = written(tmp_path, hostile_cells(), hostile_run())
    page = Page(html)
    assert "<script" not in html.lower() and "\u202e" not in html
    assert len([tag for tag, _ in page.tags if tag == "title"]) == 1
    assert page.text.count("<script>document.body.dataset.hit = 1</script>") >= 10
    assert "=cmd|' /C calc'!A0" in page.text and "javascript:alert(1)" in page.text
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    assert "$x$ and \\(y\\)" in cells and "Said \u2068$x$ and \\(y\\)\u2069" in page.text


def test_the_facts_of_the_run_are_at_the_top(tmp_path: Path) -> None:
    html = written(tmp_path, essay_cells())
    top = " ".join(re.sub(r"<[^>]*>", " ", html[html.index("<header") : html.index("</header>")]).split())
    for fact in (
        "03_collaborative_filtering Who will like what? Finished 22 Nov 2026, 14:03 UTC 12.3 s cpu ml-100k",
        "nDCG@10 0.4871 0.4735 to 0.5004",
        "this run 0.4871 BiVAE 0.4687 BPR 0.4450",
        "k 10 reg 300.0 given device auto",
        "Data ml-100k; downloaded; licence: research use; fingerprint 8f9a3c52be64",
        "Peak memory 612 MB Versions python 3.11.7, numpy 2.4.1 Commit 4be1d27a90c3 Run 3f9c2ab81d04",
    ):
        assert fact in top, fact


def test_an_offline_run_says_that_its_figures_are_no_results(tmp_path: Path) -> None:
    assert "they are not results" in written(tmp_path / "a", essay_cells(), RUN | {"offline": True})
    assert "they are not results" not in written(tmp_path / "b", essay_cells())


def test_a_failed_run_says_where_and_why(tmp_path: Path) -> None:
    error = {
        "cell": 7,
        "section": "4. Evidence",
        "name": "DataError",
        "message": "u.data, row 17: 'x' must be <a>",
    }
    html = written(tmp_path, essay_cells(), RUN | {"status": "failed", "error": error})
    banner = re.search(r'<aside class="banner trouble">.*?</aside>', html, re.DOTALL)
    assert banner and "Failed in cell 7, “4. Evidence”." in banner[0]
    assert "DataError: u.data, row 17: &#39;x&#39; must be &lt;a&gt;" in banner[0]


def test_contents_are_nested_and_lead_to_their_headings(tmp_path: Path) -> None:
    html = written(tmp_path, [new_markdown_cell("# T\n## 1. One\n### 1.1 Deep $x$\n## 2. Two\n[up](#1.-One)")])
    nav = re.search(r"<nav.*?</nav>", html, re.DOTALL)
    assert nav and re.search(r"1\. One</a><ol><li><a[^>]*>1\.1 Deep <math", nav[0])
    anchors = {attributes["id"] for _, attributes in Page(html).tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in Page(html).tags if tag == "a" and attributes.get("href")]
    from urllib.parse import unquote

    assert all(unquote(link[1:]) in anchors for link in links if link.startswith("#"))


def test_code_is_folded_parameters_are_named_and_silent_neighbours_share_a_fold(tmp_path: Path) -> None:
    cells = [
        new_markdown_cell("# T"),
        code("k: int = 10  # length", tags=("parameters",)),
        code("k = 20", tags=("injected-parameters",)),
        code("# First\na = 1"),
        code("b = 2"),
        code("c", new_output("execute_result", data={"text/plain": "3"})),
    ]
    html = written(tmp_path, cells)
    assert html.count('<details class="code">') == 2 and "<details open" not in html
    assert "Parameters and their defaults" in html and "<b>Code</b> First</summary>" in html
    assert "k = <" not in html  # the given value stands among the facts


def test_a_bad_formula_fails_the_export_and_names_its_cell(tmp_path: Path) -> None:
    cells = [new_markdown_cell("# T"), new_markdown_cell("good $x$"), new_markdown_cell(r"bad $\nosuch{x}$")]
    folder = folder_of(tmp_path, cells)
    with pytest.raises(FormulaError, match=r"^03_collaborative_filtering, cell 3: formula \\nosuch\{x\} cannot be"):
        report.write(folder)
    assert not (folder / "report.html").exists()


def test_a_picture_without_alternative_text_fails_the_export_and_names_all_cells(tmp_path: Path) -> None:
    cells = [
        new_markdown_cell("# T"),
        code("a", figure(None)),
        code("b", figure("described")),
        code("c", figure(None)),
    ]
    with pytest.raises(NoAlternativeText) as caught:
        report.write(folder_of(tmp_path, cells))
    assert str(caught.value) == (
        "03_collaborative_filtering, cell 2: a picture has no alternative text "
        "(also 03_collaborative_filtering, cell 4); show it with smlab.results.show(figure, alt=…)"
    )


def test_a_foreign_notebook_can_be_exported_without_both(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [new_markdown_cell(r"$\nosuch{x}$"), code("a", figure(None))], None)
    exporter = report.ReportExporter(require_alt=False, strict_math=False)
    html, _ = exporter.from_filename(str(folder / "notebook.ipynb"))
    assert r"<code class=\"tex\">\nosuch{x}</code>".replace('\\"', '"') in html
    assert 'alt="Figure of notebook, cell 2, without a description"' in html and 'class="facts"' not in html


def test_a_notebook_without_run_json_title_or_cells_still_makes_a_page(tmp_path: Path) -> None:
    html = written(tmp_path, [], None)
    assert "<h1>notebook</h1>" in html and "undefined" not in html.lower()


def test_a_run_json_of_nonsense_still_makes_a_page(tmp_path: Path) -> None:
    for number, junk in enumerate([3, "text", [1], {"a": {"b": 1}}, True]):
        html = written(tmp_path / str(number), essay_cells(0, 1), dict.fromkeys(RUN, junk))
        assert "Who will like what?" in html


def test_size_and_time_of_an_essay_with_fifty_formulas_and_six_plots(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, essay_cells())
    report.write(folder_of(tmp_path / "warm", essay_cells(1, 1)))
    begin = time.perf_counter()
    html = report.write(folder).read_text()
    seconds = time.perf_counter() - begin
    beside_plots = re.sub(r"data:image/[^\"]*", "", html)
    assert html.count("<math") == 51 and html.count("<img") == 6
    assert len(beside_plots.encode()) <= 120_000
    assert seconds <= 2.0  # measured 0.25 s on an idle machine; the margin is for a busy one


def test_a_report_is_current_until_run_or_template_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path, essay_cells(1, 1))
    assert not report.is_current(folder)
    report.write(folder)
    assert report.is_current(folder)
    later = time.time() + 10
    os.utime(folder / "run.json", (later, later))
    assert not report.is_current(folder)
    os.utime(folder / "run.json", (1, 1))
    monkeypatch.setattr(report, "generator", lambda: "smlab 9; template other")
    assert not report.is_current(folder)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, essay_cells(1, 3))
    assert report.write(folder).read_bytes() == report.write(folder).read_bytes()


def test_a_report_replaces_the_old_one_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, essay_cells(1, 1))
    (folder / "report.html").write_text("old")
    report.write(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"notebook.ipynb", "run.json", "report.html", "thumb.webp"}
    assert (folder / "report.html").stat().st_mode & 0o044 == 0o044


def test_a_folder_without_notebook_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{tmp_path}: there is no notebook.ipynb to report")):
        report.write(tmp_path)


def test_nbconvert_knows_the_exporter_by_its_name() -> None:
    from nbconvert.exporters import get_exporter

    assert get_exporter("smlab") is report.ReportExporter


@pytest.mark.slow
def test_the_command_line_of_nbconvert_writes_the_report(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, essay_cells(1, 2), None)
    command = [sys.executable, "-m", "nbconvert", "--to", "smlab", str(folder / "notebook.ipynb")]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert "<math" in (folder / "notebook.html").read_text()


def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on PATH")


def dom(page: Path, profile: Path) -> str:
    """Return the page as a browser has it after running what it lets run."""
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    flags += "--disable-component-update --disable-sync --dump-dom"
    command = [browser(), *flags.split(), f"--user-data-dir={profile}", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_a_browser_runs_nothing_of_a_hostile_report_and_draws_its_formulas(tmp_path: Path) -> None:
    cells = [*hostile_cells(), new_markdown_cell(r"$$\begin{aligned} a &= b \end{aligned} \tag{1}$$")]
    page = report.write(folder_of(tmp_path / "run", cells, hostile_run()))
    # A page that is not ours shows that a payload would be seen.
    armed = tmp_path / "armed.html"
    armed.write_text("<!doctype html><body><script>document.body.dataset.hit = 1</script>")
    assert 'data-hit="1"' in dom(armed, tmp_path / "profile")
    shown = dom(page, tmp_path / "profile")
    assert "<body>" in shown and "data-hit=" not in shown
    assert "<mtable" in shown and 'id="eq-1"' in shown
