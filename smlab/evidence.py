"""Every claim of the README as one command: our figures beside the published ones, under the same protocol.

`smlab evidence` lists the tables of `notebooks/evidence.toml`; `smlab evidence NAME` runs the notebook of a table
with the table's parameters (or takes the finished run) and says whether the target holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from smlab import atomic, catalog, pages, peers, published, runs
from smlab.checks import SmlabError

HOLDS, FALLS_SHORT, ABSENT = 0, 1, 3


def gather(
    names: Sequence[str],
    *,
    runs_dir: Path | None = None,
    data_dir: Path | None = None,
    offline: bool = False,
    after: Callable[[Path], object] | None = None,
    display: bool = True,
) -> list[dict[str, Any]]:
    """Run the notebooks of the named tables side by side, or take their finished runs, and compare.

    Parameters
    ----------
    offline : take only data that is on this machine; nothing is fetched
    after, display : as for `runs.run`

    Returns
    -------
    One dict per name: the table's facts, `rows` (best first; `ours` says whose), `reached` (the figure that
    counts, with its interval), `holds` (None where it could not be run, `why` says so), `code`, `run`
    """
    results = [facts_of(name) for name in names]
    jobs = {}
    for result in results:
        dataset = result["parameters"].get("dataset")
        if offline and dataset and catalog.locate(dataset, data_dir=data_dir) is None:
            hint = f"smlab data get {dataset}, or name your own copies with --data-dir"
            result["why"] = f"{dataset} is not on this machine: {hint}"
        elif result["notebook"]:
            where: dict[str, Any] = {"runs_dir": runs_dir, "data_dir": data_dir, "progress": display}
            jobs[result["name"]] = runs.plan(result["notebook"], result["parameters"], **where)
    done = dict(zip(jobs, runs.run(list(jobs.values()), after=after, display=display), strict=True))
    for result in results:
        if result["name"] in done:
            compare(result, done[result["name"]])
        if not result["why"]:
            add_peer(result, data_dir, display)
    return results


def facts_of(name: str) -> dict[str, Any]:
    """Start the result of a table: its facts, and that nothing has been run."""
    table = published.table(name)
    keys = ("title", "protocol", "source", "target")
    result = {"name": name, **{key: table[key] for key in keys}, "columns": list(table["columns"])}
    parameters = table.get("parameters", {"dataset": table.get("dataset")})
    result |= {"notebook": table.get("notebook"), "parameters": parameters}
    return result | {"rows": [], "reached": None, "holds": None, "code": ABSENT, "run": None, "why": None}


def compare(result: dict[str, Any], run: dict[str, Any]) -> None:
    """Fill in the result from the run; data that could not be had is an answer (code 3), not an error."""
    result |= {"run": run["id"], "folder": run["folder"]}
    if run["status"] == "ok":
        result |= judge(published.table(result["name"]), run)
        return
    why = (run.get("error") or {}).get("message") or run["status"]
    result |= {"why": why, "code": ABSENT if run.get("data_absent") else run["exit_code"]}


def add_peer(result: dict[str, Any], data_dir: Path | None, display: bool) -> None:
    """Run the peer of a table, where it has one: a row beside ours, or the table's own ratio."""
    table, dataset = published.table(result["name"]), result["parameters"].get("dataset")
    if not {"peer", "pair"} & set(table):
        return
    root = catalog.project_root() or Path.cwd()
    try:
        data = catalog.get(dataset, data_dir=data_dir, progress=display).path
        if "pair" in table:
            result |= judge_pair(table, peers.ratio(table["pair"], root, data, aloud=display))
        else:
            found = peers.measure(table["peer"]["command"], root, data, aloud=display)
            row = {column: found[key] for column, key in table["peer"]["columns"].items()}
            result["rows"].append({"model": table["peer"]["model"], "ours": False, "source": "peer, run here", **row})
            sort(result)
    except SmlabError as error:  # our own row stands whatever becomes of the peer
        if "pair" in table:
            result |= {"why": str(error), "code": error.exit_code}
        else:
            result["note"] = f"no peer beside it: {error}"


def judge_pair(table: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Hold the ratio of ours to the peer's figure against the target."""
    pair, column = table["pair"], next(iter(table["columns"]))
    rows = [
        {"model": pair["names"][0], "ours": True, "source": "here", column: found["ours"]},
        {"model": pair["names"][1], "ours": False, "source": "peer, run here", column: found["peer"]},
        {"model": pair["name"], "ours": True, "source": "here", column: found["ratio"]},
    ]
    return {"rows": rows, **held(table["target"], found["ratio"])}


def held(target: dict[str, Any], reached: Any) -> dict[str, Any]:
    """Say whether a figure reaches its target: the figure itself counts, not its interval."""
    holds = number(reached) >= target["at_least"] if "at_least" in target else number(reached) <= target["at_most"]
    return {"reached": reached, "holds": holds, "code": HOLDS if holds else FALLS_SHORT}


def judge(table: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Set our rows beside the published ones, and hold our figure against the target."""
    ours = [ours_row(model, key, table, run) for model, key in table["ours"].items()]
    target = table["target"]
    reached = next(row for row in ours if row["model"] == target["model"])[target["column"]]
    rows = ours + [dict(row, ours=False, source="published") for row in table["published"]]
    return sort({"rows": rows, "columns": list(table["columns"]), "target": target, **held(target, reached)})


def sort(result: dict[str, Any]) -> dict[str, Any]:
    """Put the best row first, by the first column; rows without that figure come last."""
    first, sign = result["columns"][0], -1 if "at_least" in result["target"] else 1
    result["rows"].sort(key=lambda row: (row.get(first) is None, sign * number(row.get(first))))
    return result


def ours_row(model: str, key: str, table: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Give the figures that the run recorded of a model; in a `sparse` table not every column is about every model."""
    row: dict[str, Any] = {"model": model, "ours": True, "source": "here"}
    for column, ending in table["columns"].items():
        if (metric := f"{key}_{ending}") in run["metrics"]:
            row[column] = run["metrics"][metric]
        elif not table.get("sparse") or [model, column] == [table["target"][name] for name in ("model", "column")]:
            raise SmlabError(f"run {run['id']} of {run['notebook']} recorded no {metric!r} (table column {column!r})")
    if len(row) == 3:
        raise SmlabError(f"run {run['id']} of {run['notebook']} recorded nothing of {model!r} (metrics {key}_…)")
    return row


def number(figure: Any) -> float:
    """Give the point value of a figure that may carry an interval; NaN for one that is missing."""
    value = figure["value"] if isinstance(figure, dict) else figure
    return float("nan") if value is None else float(value)


def cell(figure: Any) -> str:
    """Write a figure with its interval.

    >>> cell({"value": 0.4868, "low": 0.471, "high": 0.503})
    '0.4868 [0.471, 0.503]'
    """
    if figure is None:
        return "–"
    if isinstance(figure, dict):
        return f"{figure['value']:.4f} [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure:.4f}" if abs(figure) < 1000 else f"{figure:,.0f}"


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
    head = ["model", *result["columns"], "source"]
    body = [
        [f"{'*' if row['ours'] else ' '} {row['model']}", *(cell(row.get(c)) for c in result["columns"]), row["source"]]
        for row in result["rows"]
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in [head, *body]]
    parts = [
        f"{result['name']}: {result['title']}",
        f"  {result['protocol']}",
        f"  published: {result['source']}",
    ]
    if body:
        parts += ["", *(f"  {line}".rstrip() for line in lines), "  * ours; brackets hold intervals"]
    parts += ["", f"  {verdict(result)}"]
    if result.get("note"):
        parts.append(f"  {result['note']}")
    if result.get("folder"):
        parts.append(f"  report: {result['folder']}/report.html")
    return "\n".join(parts)


def write_page(results: Sequence[dict[str, Any]], runs_dir: Path) -> Path:
    """Write `evidence.html` of all results beside the index and return its path."""
    runs_dir.mkdir(parents=True, exist_ok=True)
    rows = [dict(result, verdict=verdict(result), link=link(result, runs_dir)) for result in results]
    html = pages.environment().get_template("evidence.html.j2").render(results=rows, cell=cell)
    return atomic.write(runs_dir / "evidence.html", html)


def link(result: dict[str, Any], runs_dir: Path) -> str:
    report = Path(result.get("folder") or runs_dir) / "report.html"
    return "./" + quote(report.relative_to(runs_dir).as_posix()) if report.is_relative_to(runs_dir) else ""
