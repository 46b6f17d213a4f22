"""An executed notebook as one HTML page that needs nothing else: no script, no network, no kernel.

`write` makes the report of a run folder. `jupyter nbconvert --to smlab out.ipynb` does the same for any
executed notebook; where a `run.json` lies beside it, the facts of the run stand at the top. The page forbids
itself scripts and remote loads, formulas are MathML, pictures are part of the file, code is folded.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import Exporter
from traitlets import Bool, default

import smlab
from smlab import atomic, facts, sanitize
from smlab.checks import UsageError
from smlab.index import write_index
from smlab.listing import listing
from smlab.outputs import NoAlternativeText, Outputs
from smlab.pages import TEMPLATES, environment
from smlab.prose import Heading, Prose
from smlab.thumbnails import write_thumbnail

__all__ = ["ReportExporter", "is_current", "write", "write_index"]

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'"
)
_TEMPLATES = ("page.css", "report.css", "report.html.j2")
_MODULES = ("facts", "formulas", "listing", "mathml", "outputs", "prose", "report", "sanitize")


class ReportExporter(HTMLExporter):
    """Export an executed notebook as a self-contained report.

    An export fails, naming the cell, on a formula that cannot be converted and on a picture without
    alternative text. For notebooks of others, `--ReportExporter.require_alt=False` and
    `--ReportExporter.strict_math=False` turn both into warnings.
    """

    export_from_notebook = "smlab report"

    require_alt = Bool(True, help="Refuse pictures without alternative text in their metadata.").tag(config=True)
    strict_math = Bool(True, help="Refuse formulas that cannot be converted to MathML.").tag(config=True)

    @default("template_paths")
    def _own_templates(self) -> list[str]:
        return [str(TEMPLATES)]

    def from_notebook_node(  # type: ignore[override]
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page and nbconvert's resources.

        Raises
        ------
        FormulaError, NoAlternativeText : naming the cell
        """
        notebook, resources = Exporter.from_notebook_node(self, nb, resources, **kw)
        about = resources.get("metadata", {})
        folder = Path(about.get("path") or ".")
        name = str(about.get("name") or "notebook")
        run = facts.read(folder / "run.json") or {}
        page = _Page(Prose(folder, self.strict_math), str(run.get("notebook") or name), bool(run))
        page.add(notebook)
        self._check(page)
        return page.html(run), resources

    def _check(self, page: _Page) -> None:
        cells = page.outputs.undescribed
        if cells:
            also = f" (also {', '.join(cells[1:])})" if cells[1:] else ""
            sentence = f"{cells[0]}: a picture has no alternative text{also}"
            if self.require_alt:
                raise NoAlternativeText(f"{sentence}; show it with smlab.results.show(figure, alt=…)")
            self.log.warning(sentence)
        for note in page.prose.notes:
            self.log.warning(note)


@dataclass
class _Page:
    """The parts of a report, collected cell by cell."""

    prose: Prose
    notebook: str
    has_facts: bool = False
    blocks: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    language: str = "ipython3"
    top: int = 0

    def __post_init__(self) -> None:
        self.outputs = Outputs(self.prose)

    def add(self, notebook: Any) -> None:
        """Read all cells; neighbouring code cells that show nothing share one listing."""
        language = notebook.metadata.get("language_info", {})
        self.language = language.get("pygments_lexer") or language.get("name") or self.language
        for number, cell in enumerate(notebook.cells, start=1):
            if cell.cell_type == "code":
                self._code(cell, f"{self.notebook}, cell {number}")
            elif cell.cell_type == "markdown" and "papermill-error-cell-tag" not in _tags(cell):
                self._close_listing()
                self._markdown(cell, f"{self.notebook}, cell {number}")
        self._close_listing()
        self.prose.convert()

    def _markdown(self, cell: Any, where: str) -> None:
        untitled = not any(heading.level == 1 for heading in self.prose.headings)
        self.blocks.append(self.prose.cell(cell.source, where, cell.get("attachments")))
        if untitled and any(heading.level == 1 for heading in self.prose.headings):
            self.top = len(self.blocks)

    def _code(self, cell: Any, where: str) -> None:
        tags = _tags(cell)
        shown = self.outputs.render(cell.get("outputs", []), where)
        if "papermill-error-cell-tag" in tags:
            return
        if "injected-parameters" in tags and self.has_facts:
            pass
        elif tags & {"parameters", "injected-parameters"}:
            self._close_listing()
            title = "Parameters and their defaults" if "parameters" in tags else "Parameters given to this run"
            self.blocks.append(listing(cell.source, title=title, language=self.language))
        elif cell.source.strip() and not tags & {"remove-input", "hide-input"}:
            self.code.append(cell.source.strip("\n"))
        if shown:
            self._close_listing()
            self.blocks.append(shown)

    def _close_listing(self) -> None:
        if self.code:
            self.blocks.append(listing("\n\n".join(self.code), language=self.language))
        self.code = []

    def html(self, run: dict[str, Any]) -> str:
        """Return the page; formulas are put in last."""
        lead, body = self._lead_and_body()
        title = next((h for h in self.prose.headings if h.level == 1), Heading(1, self.notebook, ""))
        return (
            environment()
            .get_template("report.html.j2")
            .render(
                policy=POLICY,
                generator=generator(),
                title=_plain(self.prose.source(title.html)),
                heading=self._short(title.html),
                name=self.notebook,
                lead=lead,
                blocks=body,
                contents=_contents([(h.level, self._short(h.html), h.anchor) for h in self.prose.headings]),
                run=run,
                facts=facts,
            )
        )

    def _lead_and_body(self) -> tuple[str, list[str]]:
        """Return what stands in the title's cell before any further heading, and the rest in order."""
        blocks = [self.prose.finish(block) for block in self.blocks]
        if not self.top:
            return "", blocks
        at = self.top - 1
        before, _, after = re.split(r"(<h1\b.*?</h1>\s*)", blocks[at], maxsplit=1, flags=re.DOTALL)
        cut = re.search(r"<h[2-6]\b", after)
        lead, rest = (after[: cut.start()], after[cut.start() :]) if cut else (after, "")
        return lead, [*blocks[:at], before, rest, *blocks[at + 1 :]]

    def _short(self, html: str) -> str:
        """Return a heading's HTML without links, for the title and the contents."""
        return re.sub(r"</?a\b[^>]*>", "", self.prose.finish(sanitize.clean(html)))


def _tags(cell: Any) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _plain(html: str) -> str:
    return unescape(sanitize.strip_tags(html)).strip()


def _contents(headings: list[tuple[int, str, str]]) -> list[dict[str, Any]]:
    """Nest the headings of level 3 below those of level 2."""
    nested: list[dict[str, Any]] = []
    for level, html, anchor in headings:
        entry = {"html": html, "anchor": anchor, "below": []}
        if level == 2 or (level == 3 and not nested):
            nested.append(entry)
        elif level == 3:
            nested[-1]["below"].append(entry)
    return nested


def write(run_folder: str | Path) -> Path:
    """Write `report.html` beside the executed `notebook.ipynb` of a run, and the index's small picture.

    Returns
    -------
    the path of the report; it replaces an older one in one step

    Raises
    ------
    FormulaError, NoAlternativeText : naming notebook and cell
    UsageError : where there is no notebook to report
    """
    folder = Path(run_folder)
    source = folder / "notebook.ipynb"
    if not source.is_file():
        raise UsageError(f"{folder}: there is no notebook.ipynb to report")
    html, _ = ReportExporter().from_filename(str(source))
    write_thumbnail(folder)
    return atomic.write(folder / "report.html", html)


def is_current(run_folder: str | Path) -> bool:
    """Tell whether the report is there, newer than the run, and made by this version of the template."""
    folder = Path(run_folder)
    report = folder / "report.html"
    try:
        made = report.stat().st_mtime
        sources = (folder / "notebook.ipynb", folder / "run.json")
        if any(path.stat().st_mtime > made for path in sources if path.exists()):
            return False
        with report.open(encoding="utf-8", errors="replace") as file:
            return f'content="{generator()}"' in file.read(2000)
    except OSError:
        return False


@cache
def generator() -> str:
    """Return the version of smlab and a short hash of everything that shapes the page."""
    digest = hashlib.sha256()
    modules = [Path(__file__).with_name(f"{name}.py") for name in _MODULES]
    for path in [*(TEMPLATES / name for name in _TEMPLATES), *modules]:
        digest.update(path.read_bytes())
    return f"smlab {smlab.__version__}; template {digest.hexdigest()[:10]}"
