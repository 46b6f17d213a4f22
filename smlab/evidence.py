"""Every claim of the README as one command: our figures beside the published ones, under the same protocol.

`smlab evidence` lists the tables of `notebooks/evidence.toml`; `smlab evidence NAME` runs the notebook of a table
with the table's parameters (or takes the finished run) and says whether the target holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from smlab import catalog, published, runs
from smlab.checks import DataAbsent, SmlabError

HOLDS, FALLS_SHORT, ABSENT = 0, 1, 3


def gather(
    names: Sequence[str],
    *,
    runs_dir: Path | None = None,
    data_dir: Path | None = None,
    offline: bool = False,
    after: Callable[[Path], object] | None = None,
) -> list[dict[str, Any]]:
    """Run the notebooks of the named tables, or take their finished runs, and compare.

    Returns
    -------
    One dict per name: the table's facts, `rows` (ours first, then published; best first), `target`, `reached`
    (the figure that counts, with its interval), `holds` (None where it could not be run), `code`, `run`, `why`
    """
    return [
        compare(name, runs_dir=runs_dir, data_dir=data_dir, offline=offline, after=after) for name in names
    ]


def compare(
    name: str,
    *,
    runs_dir: Path | None,
    data_dir: Path | None,
    offline: bool,
    after: Callable[[Path], object] | None,
) -> dict[str, Any]:
    """Make one table; data that cannot be had is an answer (`code` 3), not an error."""
    table = published.table(name)
    result: dict[str, Any] = {"name": name, "rows": [], "holds": None, "code": ABSENT, "run": None, "why": None}
    result |= {key: table[key] for key in ("title", "protocol", "source", "target", "notebook", "parameters")}
    result["columns"] = list(table["columns"])
    dataset = table["parameters"].get("dataset")
    if offline and dataset and catalog.locate(dataset, data_dir=data_dir) is None:
        return result | {"why": f"{dataset} is not here: smlab data get {dataset}, or name your copies with --data-dir"}
    try:
        job = runs.plan(table["notebook"], table["parameters"], runs_dir=runs_dir, data_dir=data_dir)
        run = runs.run([job], after=after)[0]
    except DataAbsent as error:
        return result | {"why": str(error)}
    if run["status"] != "ok":
        why = (run.get("error") or {}).get("message", run["status"])
        return result | {"why": why, "code": ABSENT if run.get("data_absent") else FALLS_SHORT, "run": run["id"]}
    return result | judge(table, run)


def judge(table: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Set our rows beside the published ones and hold the target against the figure itself, not its interval."""
    ours = [ours_row(model, key, table, run) for model, key in table["ours"].items()]
    target = table["target"]
    reached = next(row for row in ours if row["model"] == target["model"])[target["column"]]
    first = next(iter(table["columns"]))
    rows = ours + [dict(row, ours=False) for row in table["published"]]
    rows.sort(key=lambda row: -number(row.get(first)))
    holds = number(reached) >= target["at_least"] if "at_least" in target else number(reached) <= target["at_most"]
    return {
        "rows": rows if "at_least" in target else rows[::-1],
        "reached": reached,
        "holds": holds,
        "code": HOLDS if holds else FALLS_SHORT,
        "run": run["id"],
        "folder": str(run["folder"]),
    }


def ours_row(model: str, key: str, table: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"model": model, "ours": True}
    for column, ending in table["columns"].items():
        metric = f"{key}_{ending}"
        if metric not in run["metrics"]:
            raise SmlabError(f"run {run['id']} of {run['notebook']} recorded no {metric!r} (table column {column!r})")
        row[column] = run["metrics"][metric]
    return row


def number(figure: Any) -> float:
    """Give the point value of a figure that may carry an interval; missing figures sort last."""
    value = figure["value"] if isinstance(figure, dict) else figure
    return float("-inf") if value is None else float(value)


def cell(figure: Any) -> str:
    """Write a figure with its interval.

    >>> cell({"value": 0.4868, "low": 0.471, "high": 0.503})
    '0.4868 [0.471, 0.503]'
    """
    if figure is None:
        return "–"
    if isinstance(figure, dict):
        return f"{figure['value']:.4f} [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure:.4f}"


def verdict(result: dict[str, Any]) -> str:
    """Say in one sentence whether the target holds.

    >>> verdict({"holds": None, "why": "no data", "target": {}})
    'not run: no data'
    """
    if result["holds"] is None:
        return f"not run: {result['why']}"
    target = result["target"]
    bound = f"at least {target['at_least']}" if "at_least" in target else f"at most {target['at_most']}"
    word = "holds" if result["holds"] else "FALLS SHORT"
    return f"target {word}: {target['model']} {target['column']} {cell(result['reached'])}, wanted {bound}"


def as_text(result: dict[str, Any]) -> str:
    """Lay a table out for the terminal, ours marked with *."""
    head = ["model", *result["columns"]]
    body = [
        [f"{'*' if row['ours'] else ' '} {row['model']}", *(cell(row.get(c)) for c in result["columns"])]
        for row in result["rows"]
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in [head, *body]]
    parts = [f"{result['name']}: {result['title']}", f"  {result['protocol']}", f"  published: {result['source']}"]
    if body:
        parts += ["", *(f"  {line}".rstrip() for line in lines), "  * ours, with 95 % interval"]
    parts += ["", f"  {verdict(result)}"]
    if result.get("folder"):
        parts.append(f"  report: {result['folder']}/report.html")
    return "\n".join(parts)
