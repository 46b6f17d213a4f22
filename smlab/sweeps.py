"""A sweep: the grid of a notebook's parameters, and the table of what came out.

The folder `runs/sweep-<number>-<hash>/` holds `sweep.json` (what was asked) and `table.csv` (a row per run).
The hash is of the runs' ids, so that the same sweep goes on in the same folder and another one gets its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smlab import atomic, folders, kinds, parameters
from smlab.checks import UsageError, nearest
from smlab.folders import Job

LARGEST = 10_000  # runs of one sweep


def points(path: Path, grid: Mapping[str, object]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the parameters that vary, and every combination of the grid as values of the right types.

    Raises
    ------
    UsageError
        for an unknown parameter, a value of another type, the same value twice, no value, or too many
        combinations.
    """
    known = {p.name: p for p in parameters.read(path)}
    choices: dict[str, list[Any]] = {}
    for name, asked in grid.items():
        if name not in known:
            raise UsageError(f"unknown parameter {name!r} of {path.stem}: {nearest(name, known)}")
        choices[name] = alternatives(known[name], asked)
    size = 1
    for values in choices.values():
        size *= len(values)
    if size > LARGEST:
        raise UsageError(f"this sweep has {size:,} combinations; the limit is {LARGEST:,}")
    varied = [name for name, values in choices.items() if len(values) > 1]
    return varied, [dict(zip(choices, point, strict=True)) for point in itertools.product(*choices.values())]


def alternatives(parameter: parameters.Parameter, asked: object) -> list[Any]:
    """Return the values that a sweep asks for.

    >>> alternatives(parameters.Parameter("k", "int", 1, "neighbours"), "5,10")
    [5, 10]
    >>> alternatives(parameters.Parameter("sizes", "list[int]", [], "layers"), "8,4;16")
    [[8, 4], [16]]
    """
    lists = holds_lists(parameter.kind)
    parts: Sequence[object] = list(asked) if isinstance(asked, list | tuple) else [asked]
    if isinstance(asked, str):
        parts = [part.strip() for part in asked.split(";" if lists else ",")]
    elif lists and not any(isinstance(part, list | tuple | dict | str) for part in parts):
        parts = [asked]  # one list, not a list of alternatives
    if not parts:
        raise UsageError(f"{parameter.name}: no value to sweep over")
    values = [parameters.value_of(parameter, part) for part in parts]
    for index, value in enumerate(values):
        if value in values[:index]:
            raise UsageError(f"{parameter.name}: {value!r} is given twice")
    return values


def holds_lists(kind: kinds.Kind) -> bool:
    """Say whether values of this type hold commas themselves."""
    return kind.name in ("list", "dict") or (kind.name == "union" and any(map(holds_lists, kind.arguments)))


class Table:
    """The table of a sweep on disk, written anew and in one step after each run."""

    def __init__(self, jobs: Sequence[Job], varied: Sequence[str]) -> None:
        self.jobs, self.varied = jobs, list(varied)
        self.runs: dict[int, dict[str, Any]] = {}
        digest = hashlib.sha256("".join(job.id for job in jobs).encode()).hexdigest()[:8]
        first = jobs[0]
        short = first.notebook.split("_")[0] if first.notebook[:1].isdigit() else first.notebook
        self.folder = first.runs_dir / f"sweep-{short}-{digest}"

    def open(self) -> None:
        """Make the folder and say there what the sweep is."""
        folders.check_writable(self.folder.parent)
        self.folder.mkdir(exist_ok=True)
        self.describe()
        self.write()

    def describe(self) -> None:
        first = self.jobs[0]
        headlines = [run["headline"] for run in self.runs.values() if run.get("headline")]
        about = {
            "schema": folders.SCHEMA,
            "notebook": first.notebook,
            "title": first.title,
            "varied": self.varied,
            "headline": headlines[0] if headlines else None,
            "parameters": [job.given for job in self.jobs],
            "runs": [job.id for job in self.jobs],
            "data": first.data,
            "offline": first.offline,
        }
        atomic.write(self.folder / "sweep.json", json.dumps(about, indent=1))

    def add(self, index: int, run: dict[str, Any]) -> None:
        """Take the end of the run at `index` and write the table anew."""
        first = not any(known.get("headline") for known in self.runs.values())
        self.runs[index] = run
        if first and run.get("headline"):
            self.describe()
        self.write()

    def write(self) -> None:
        rows = [self.row(index) for index in range(len(self.jobs))]
        columns = list(dict.fromkeys(itertools.chain(*rows)))
        # Seconds come last, whatever the first rows hold.
        columns = [name for name in columns if name != "seconds"] + ["seconds"]
        text = io.StringIO()
        writer = csv.DictWriter(text, [inert(name) for name in columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows({inert(name): inert(value) for name, value in row.items()} for row in rows)
        atomic.write(self.folder / "table.csv", text.getvalue())

    def row(self, index: int) -> dict[str, Any]:
        """Return a row: run, status, what varies, metrics with the bounds of their intervals, seconds."""
        job, run = self.jobs[index], self.runs.get(index, {"status": "waiting"})
        row: dict[str, Any] = {"run": job.id, "status": run["status"]}
        row |= {name: job.parameters[name] for name in self.varied}
        for name, value in (run.get("metrics") or {}).items():
            if isinstance(value, dict):
                row |= {
                    name: value.get("value"),
                    f"{name}_low": value.get("low"),
                    f"{name}_high": value.get("high"),
                }
            else:
                row[name] = value
        return row | {"seconds": run.get("seconds")}


def inert(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula; numbers stay as they are.

    >>> inert("=cmd()"), inert(-1.5), inert("a=b")
    ("'=cmd()", -1.5, 'a=b')
    """
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    formula = isinstance(value, str) and value.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula else value
