"""The index of runs, `runs/index.html`: sweeps as tables, then one row per run, newest first, by notebook.

It is made from the `run.json` files alone, so it is quick and can be made again at any time. A folder whose
`run.json` cannot be read gets a row that says so. The one script of the page sorts tables; it is named by its
hash in the content policy, and the page is complete without it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from smlab import atomic, facts
from smlab.pages import TEMPLATES, environment
from smlab.sanitize import settle
from smlab.thumbnails import THUMBNAIL

ROWS_OF_A_SWEEP = 500


@dataclass(frozen=True)
class Row:
    """One run as the index shows it; `key` sorts by time."""

    run: dict[str, Any]
    folder: str
    key: str
    report: str = ""
    notebook: str = ""
    picture: str = ""

    @property
    def status(self) -> str:
        """Return the status, one of the known ones where it is known."""
        return str(self.run.get("status") or "unreadable")


@dataclass(frozen=True)
class Cell:
    """A cell of a sweep's table: what is shown, a smaller second line, the value it sorts by, and a link."""

    text: str
    small: str = ""
    value: float | None = None
    link: str = ""


@dataclass
class Sweep:
    """The table of a sweep, and which of its rows is best by the headline figure."""

    name: str
    title: str
    headline: str = ""
    unreadable: bool = False
    header: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    best: int | None = None
    left_out: int = 0

    def numeric(self, column: int) -> bool:
        """Tell whether a column holds numbers only."""
        cells = [row[column] for row in self.rows if row[column].text]
        return bool(cells) and all(cell.value is not None for cell in cells)


def write_index(runs_dir: str | Path) -> Path:
    """Write `index.html` of a folder of runs and return its path; an older one is replaced in one step."""
    folder = Path(runs_dir)
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(_rows(folder), key=lambda row: row.key, reverse=True)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.folder.split("/")[0], []).append(row)
    script = (TEMPLATES / "sort.js").read_text(encoding="utf-8").strip()
    html = (
        environment()
        .get_template("index.html.j2")
        .render(
            policy=policy(script),
            script=script,
            groups=groups,
            rows=rows,
            counts=_counts(rows),
            sweeps=[_sweep(path, folder) for path in sorted(folder.glob("sweep-*")) if path.is_dir()],
            facts=facts,
        )
    )
    return atomic.write(folder / "index.html", html)


def policy(script: str) -> str:
    """Return the content policy of the index: only the small pictures are loaded, only this script runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _rows(folder: Path) -> Iterator[Row]:
    for place in folder.glob("*/*/"):
        if place.name.startswith(".") or place.parent.name.startswith((".", "sweep-")):
            continue
        if (place / "run.json").exists() or (place / "notebook.ipynb").exists():
            yield _row(place, folder)


def _row(place: Path, folder: Path) -> Row:
    run = facts.read(place / "run.json") or {"status": "unreadable", "id": place.name}
    return Row(
        run,
        place.relative_to(folder).as_posix(),
        str(run.get("started") or ""),
        *(_link(place / name, folder) for name in ("report.html", "notebook.ipynb", THUMBNAIL)),
    )


def _link(path: Path, folder: Path) -> str:
    return "./" + quote(path.relative_to(folder).as_posix()) if path.is_file() else ""


def _counts(rows: list[Row]) -> str:
    """Return how many runs ended in which way, in words."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.status] = found.get(row.status, 0) + 1
    return ", ".join(f"{number} {facts.STATUS.get(name, name).lower()}" for name, number in found.items())


def _sweep(path: Path, folder: Path) -> Sweep:
    about = facts.read(path / "sweep.json")
    if about is None:
        return Sweep(path.name, path.name, unreadable=True)
    notebook = str(about.get("notebook") or "")
    sweep = Sweep(path.name, str(about.get("title") or notebook or path.name), str(about.get("headline") or ""))
    try:
        with (path / "table.csv").open(encoding="utf-8", newline="") as file:
            rows = [_row_of_table(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error):
        return sweep
    names = list(dict.fromkeys(name for row in rows for name in row))
    bounds = {f"{name}{end}" for name in names for end in ("_low", "_high")}
    sweep.header = [name for name in names if name not in bounds]
    varied = [name for name in about.get("varied") or [] if name in sweep.header]
    if varied:  # what was varied and what came of it, side by side
        first = [name for name in ("run", "status", *varied, sweep.headline) if name in sweep.header]
        sweep.header = list(dict.fromkeys([*first, *sweep.header]))
    shown = [[_cell(name, row, folder / notebook, folder) for name in sweep.header] for row in rows]
    sweep.rows, sweep.left_out = shown[:ROWS_OF_A_SWEEP], max(0, len(shown) - ROWS_OF_A_SWEEP)
    sweep.best = _best(sweep)
    return sweep


def _row_of_table(row: dict[str, str]) -> dict[str, str]:
    """Return a row without its empty cells, its texts settled; cells beyond the header go."""
    return {settle(name): settle(text) for name, text in row.items() if name and text}


def _cell(name: str, row: dict[str, str], notebook: Path, folder: Path) -> Cell:
    text = row.get(name, "")
    if name == "run" and "/" not in text:
        return Cell(text, link=_link(notebook / text / "report.html", folder))
    if name == "status":
        return Cell(facts.STATUS.get(text, text))
    value = _number(text)
    if value is None:
        return Cell(text)
    low, high = _number(row.get(f"{name}_low", "")), _number(row.get(f"{name}_high", ""))
    interval = "" if low is None or high is None else f"{facts.number(low)} to {facts.number(high)}"
    whole = "." not in text and "e" not in text.lower()
    return Cell(text if whole else facts.number(value), interval, value)


def _best(sweep: Sweep) -> int | None:
    """Return the row with the best headline figure."""
    if sweep.headline not in sweep.header:
        return None
    column = sweep.header.index(sweep.headline)
    known = [(row[column].value, -at) for at, row in enumerate(sweep.rows) if row[column].value is not None]
    choose = min if facts.lower_is_better(sweep.headline) else max
    return -choose(known)[1] if known else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
