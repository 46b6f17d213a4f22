"""The index of runs: complete, in order, harmless, quick, and sorted by one script that the policy names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from smlab.index import write_index

HOSTILE = [
    "<script>document.body.dataset.hit = 1</script>",
    '<img src=x onerror="document.body.dataset.hit = 1">',
    "</title></style><script>document.body.dataset.hit = 1</script>",
    "\u202egnp.exe",
    "javascript:alert(1)",
]
RUN = {
    "id": "3f9c2ab81d04",
    "notebook": "03_cf",
    "title": "Who will like what?",
    "status": "ok",
    "given": {"reg": 300.0},
    "metrics": {"nDCG@10": {"value": 0.48712, "low": 0.4735, "high": 0.5004}, "users": 943},
    "headline": "nDCG@10",
    "reference": {"BiVAE": 0.4687, "BPR": 0.445},
    "offline": False,
    "started": "2026-11-22T14:03:09+00:00",
    "seconds": 12.34,
    "error": None,
}


class Page(HTMLParser):
    """Tags with their attributes, and the text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def add(runs: Path, notebook: str, name: str, **changes: object) -> Path:
    folder = runs / notebook / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(RUN | {"id": name, "notebook": notebook} | changes))
    (folder / "report.html").write_text("report")
    (folder / "notebook.ipynb").write_text("{}")
    return folder


def page_of(runs: Path) -> str:
    return write_index(runs).read_text(encoding="utf-8")


def test_runs_are_grouped_by_notebook_newest_first(tmp_path: Path) -> None:
    for name, day in (("a", 3), ("b", 21), ("c", 7)):
        add(tmp_path, "01_ctr", name, started=f"2026-11-{day:02d}T10:00:00+00:00")
    add(tmp_path, "02_other", "d", started="2026-11-22T10:00:00+00:00")
    html = page_of(tmp_path)
    assert re.findall(r'href="\./([^"]+)/report.html">Report', html) == [
        "02_other/d",
        "01_ctr/b",
        "01_ctr/c",
        "01_ctr/a",
    ]
    assert "4 runs of 2 notebooks: 4 finished." in html


def test_a_row_tells_figure_interval_published_figures_given_parameters_and_links(tmp_path: Path) -> None:
    add(tmp_path, "03_cf", "a")
    text = " ".join(Page(page_of(tmp_path)).text.split())
    for part in (
        "Finished",
        "reg=300.0",
        "nDCG@10",
        "0.4871",
        "0.4735 to 0.5004",
        "BiVAE 0.4687",
        "12.3 s",
        "Notebook",
    ):
        assert part in text, part


def test_status_is_told_in_words_with_the_error(tmp_path: Path) -> None:
    error = {"cell": 7, "name": "DataError", "message": "u.data, row 17"}
    add(tmp_path, "03_cf", "a", status="failed", error=error)
    add(tmp_path, "03_cf", "b", status="timeout")
    text = Page(page_of(tmp_path)).text
    assert "Failed" in text and "DataError: u.data, row 17" in text and "Ran out of time" in text


def test_a_broken_run_json_is_a_row_that_says_unreadable(tmp_path: Path) -> None:
    for number, content in enumerate(("{broken", "[]", "")):
        (add(tmp_path, "03_cf", f"x{number}") / "run.json").write_text(content)
    (add(tmp_path, "03_cf", "nonsense") / "run.json").write_text(json.dumps(dict.fromkeys(RUN, [{}])))
    assert page_of(tmp_path).count(">Unreadable</span>") == 4


def test_work_in_progress_and_foreign_folders_are_no_rows(tmp_path: Path) -> None:
    add(tmp_path, "03_cf", ".work-1")
    (tmp_path / "03_cf" / "empty").mkdir()
    assert "There are no runs yet" in page_of(tmp_path)
    assert "There are no runs yet" in page_of(tmp_path / "new")


def test_hostile_runs_show_as_text(tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE):
        add(
            tmp_path, f"nb <{number}>&\"'#?", "id %", title=text, status=text, given={text: 1}, headline=text,
            metrics={text: 0.5}, reference={text: 0.4}, started=text, seconds=text, error={"name": text},
        )  # fmt: skip
    sweep = tmp_path / "sweep-x"
    sweep.mkdir()
    (sweep / "sweep.json").write_text(json.dumps({"title": HOSTILE[0], "headline": HOSTILE[2]}))
    (sweep / "table.csv").write_text('"<script>x</script>",=cmd()\n"</table><img src=x onerror=y>",1\n')
    html = page_of(tmp_path)
    assert html.lower().count("<script") == 1 and "\u202e" not in html
    for tag, attributes in Page(html).tags:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "./").startswith("./")
        assert tag != "a" or (attributes["href"] or "").startswith(("./", "#"))
    link = next(a["href"] for tag, a in Page(html).tags if tag == "a" and "report.html" in (a["href"] or ""))
    from urllib.parse import unquote

    assert (tmp_path / unquote(link or "")).exists()


def test_the_policy_comes_first_and_names_the_one_script_by_its_hash(tmp_path: Path) -> None:
    html = page_of(tmp_path)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    tag, attributes = next(entry for entry in Page(html).tags if entry[0] not in ("html", "head"))
    assert tag == "meta" and attributes["http-equiv"] == "Content-Security-Policy"
    assert f"script-src 'sha256-{digest}';" in (attributes["content"] or "")
    assert "default-src 'none'" in (attributes["content"] or "")


def sweep_of(runs: Path, headline: str, table: str) -> Path:
    folder = runs / "sweep-03-abc"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"notebook": "03_cf", "title": "Who will like what?", "headline": headline}
    (folder / "sweep.json").write_text(json.dumps(about))
    (folder / "table.csv").write_text(table)
    return folder


def test_sweeps_are_tables_with_intervals_links_and_the_best_row_marked(tmp_path: Path) -> None:
    add(tmp_path, "03_cf", "b")
    rows = ("a,ok,ease,0.48712,0.47,0.5", "b,ok,bpr,0.5,,", "c,waiting,knn,,,", "")
    sweep_of(tmp_path, "nDCG@10", "\n".join(("run,status,model,nDCG@10,nDCG@10_low,nDCG@10_high", *rows)))
    html = page_of(tmp_path)
    best = re.findall(r'<tr class="best">(.*?)</tr>', html, re.DOTALL)
    assert len(best) == 1 and '<a href="./03_cf/b/report.html">b</a>' in best[0]
    assert '<td class="num" data-v="0.48712">0.4871 <small>0.4700 to 0.5000</small></td>' in html
    assert '<th scope="col" class="num">nDCG@10</th>' in html and "nDCG@10_low" not in html


def test_the_best_of_an_error_is_the_lowest(tmp_path: Path) -> None:
    sweep_of(tmp_path, "RMSE", "model,RMSE\na,0.93\nb,0.91\n")
    assert re.findall(r'<tr class="best"><td>(\w)</td>', page_of(tmp_path)) == ["b"]


@pytest.mark.parametrize("content", [b"", b"{", b"a,b\n\x00", b"a\n1,2,3\n", b'"open', b"\xff"])
def test_a_broken_sweep_does_not_break_the_page(tmp_path: Path, content: bytes) -> None:
    folder = sweep_of(tmp_path, "a", "")
    (folder / "table.csv").write_bytes(content)
    assert "Who will like what?" in page_of(tmp_path)
    (folder / "sweep.json").write_text("{")
    assert "sweep.json is unreadable" in page_of(tmp_path)


def test_five_hundred_runs_take_a_moment_and_make_a_page_of_sane_size(tmp_path: Path) -> None:
    for number in range(500):
        add(tmp_path, f"nb{number % 7}", f"run{number}", started=f"2026-11-22T10:{number % 60:02d}:00+00:00")
    begin = time.perf_counter()
    html = page_of(tmp_path)
    assert time.perf_counter() - begin < 2.0  # measured 0.2 s on an idle machine
    assert html.count(">Report</a>") == 500 and len(html) < 1_000_000


def test_a_browser_lets_the_sort_script_run_and_it_sorts(tmp_path: Path) -> None:
    chromium = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("no Chromium on PATH")
    for name, value in (("low", 0.1), ("high", 0.9), ("middle", 0.5)):
        add(tmp_path, "03_cf", name, metrics={"nDCG@10": value})
    html = page_of(tmp_path)
    # The policy is the page's own; only the test's extra click is let in by its hash.
    click = 'const b = document.querySelectorAll("th button"); b[2].click(); document.title = b.length;'
    digest = base64.b64encode(hashlib.sha256(click.encode()).digest()).decode()
    html = html.replace("script-src ", f"script-src 'sha256-{digest}' ").replace(
        "</body>", f"<script>{click}</script></body>"
    )
    (tmp_path / "index.html").write_text(html)
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--dump-dom",
    ]
    command = [
        chromium,
        *flags,
        f"--user-data-dir={tmp_path / 'profile'}",
        (tmp_path / "index.html").as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert re.findall(r'href="\./03_cf/(\w+)/report.html">Report', shown) == ["high", "middle", "low"]
    assert 'aria-sort="descending"' in shown and "<title>5</title>" in shown


def test_what_was_varied_stands_beside_what_came_of_it(tmp_path: Path) -> None:
    folder = sweep_of(tmp_path, "ndcg", "run,status,seed,recall,ndcg\nabc,ok,1,0.3,0.4\n")
    about = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(about | {"varied": ["seed"]}))
    heads = re.findall(r'<th scope="col"[^>]*>(\w+)</th>', page_of(tmp_path).split("</thead>")[0])
    assert heads == ["run", "status", "seed", "ndcg", "recall"]
