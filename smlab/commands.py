"""What each command of `smlab` does: small steps over runs, data, reports and evidence.

Every command imports what it needs when it runs, so that the command line starts at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from smlab.checks import UsageError


def given_values(pairs: Sequence[str]) -> dict[str, str]:
    """Split `name=value` arguments; the value may hold further `=`."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"-p {pair}: write -p name=value")
        if name.strip() in found:
            raise UsageError(f"-p {name.strip()} is given twice; several values at once: smlab sweep")
        found[name.strip()] = value
    return found


def runs_folder(options: argparse.Namespace) -> Path:
    from smlab import plans

    return (options.runs_dir or plans.notebooks_folder().parent / "runs").absolute()


def notebook_help(arguments: Sequence[str]) -> str | None:
    """Name of the notebook whose parameters are asked for by `smlab run NAME --help`, else None."""
    if len(arguments) < 3 or arguments[0] not in ("run", "sweep") or not {"-h", "--help"} & set(arguments):
        return None
    return next((word for word in arguments[1:] if not word.startswith("-")), None)


def show_parameters(name: str) -> int:
    from smlab import parameters, runs

    path = runs.find_notebook(name)
    print(parameters.help_text(f"{path.stem}: {runs.title(path)}", parameters.read(path)))
    print(f"\nsmlab run {path.stem[:2]} -p NAME=VALUE, or papermill notebooks/{path.name} out.ipynb -p NAME VALUE")
    return 0


def list_notebooks(options: argparse.Namespace) -> int:
    from smlab import runs

    done = runs.history(runs_folder(options))
    for path in runs.notebooks():
        last = next((run for run in done if run["notebook"] == path.stem), None)
        print(f"{path.stem}\n  {runs.title(path)}\n  {last_run(last)}\n")
    print("smlab run NAME --help shows a notebook's parameters.")
    return 0


def last_run(run: dict[str, Any] | None) -> str:
    """Say in a line how the last run of a notebook ended."""
    if run is None:
        return "not run yet"
    headline = run.get("headline")
    figure = run.get("metrics", {}).get(headline)
    value = figure["value"] if isinstance(figure, dict) else figure
    shown = f", {headline} {value:.4g}" if isinstance(value, float | int) else ""
    return f"last run {run['id']} {run['status']}{shown}, {run.get('started', '')[:16].replace('T', ' ')} UTC"


def run_notebooks(options: argparse.Namespace) -> int:
    from smlab import runs

    if options.all and options.notebooks:
        raise UsageError("name notebooks or give --all, not both")
    paths = [runs.find_notebook(name) for name in options.notebooks] or runs.notebooks()
    values = given_values(options.given)
    jobs = [plan(path, values, options) for path in dict.fromkeys(paths)]
    done = runs.run(jobs, force=options.force, **how(options))
    return close(done, runs_folder(options))


def plan(path: Path, values: dict[str, str], options: argparse.Namespace) -> Any:
    from smlab import runs

    return runs.plan(path, values, runs_dir=runs_folder(options), data_dir=options.data_dir, offline=options.offline)


def how(options: argparse.Namespace) -> dict[str, Any]:
    """Give what `runs.run` needs beyond the jobs, for one notebook or many."""
    return {
        "parallel": options.jobs,
        "timeout": options.timeout,
        "after": finish_report,
        "prepare": prepare_report,
    }


def prepare_report() -> None:
    """Load what writes reports while the kernels work."""
    # jsonschema compiles 35 parsers, half a second, for a format that no notebook uses.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from smlab import report  # noqa: F401


def finish_report(folder: Path) -> None:
    """Write the report of a run that has ended, unless the one that is there is up to date."""
    from smlab import report

    if not report.is_current(folder):
        report.write(folder)


def close(done: Sequence[dict[str, Any]], runs_dir: Path) -> int:
    """Write the index, say where to look, and give the exit code."""
    from smlab import index, runs

    print(f"\nAll runs and reports: {relative(index.write_index(runs_dir))}")
    return runs.exit_code(done)


def relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def sweep_notebook(options: argparse.Namespace) -> int:
    from smlab import runs

    path, values = runs.find_notebook(options.notebook), given_values(options.given)
    if not values:
        raise UsageError(f"nothing to vary: smlab sweep {options.notebook} -p NAME=VALUE,VALUE …")
    done = runs.sweep(
        path,
        values,
        runs_dir=runs_folder(options),
        data_dir=options.data_dir,
        offline=options.offline,
        force=options.force,
        **how(options),
    )
    print(f"\nTable: {relative(Path(done[0]['sweep']) / 'table.csv')}")
    return close(done, runs_folder(options))


def write_reports(options: argparse.Namespace) -> int:
    from smlab import index, report, runs

    folder = runs_folder(options)
    done = runs.history(folder)
    if options.run and not options.all:
        done = [runs.find_run(options.run, folder)]
    elif not options.all:
        raise UsageError("name a run (smlab list shows the last ones), or give --all")
    for run in done:
        if (Path(run["folder"]) / "notebook.ipynb").exists():
            print(relative(report.write(Path(run["folder"]))))
    print(relative(index.write_index(folder)))
    return 0


def show_evidence(options: argparse.Namespace) -> int:
    from smlab import evidence, published

    tables = published.tables()
    if options.name is None and not options.all:
        return list_evidence(tables, options.json)
    names = list(tables) if options.all else [options.name]
    results = evidence.gather(
        names,
        runs_dir=runs_folder(options),
        data_dir=options.data_dir,
        offline=options.offline,
        after=finish_report,
        display=not options.json,
    )
    if options.json:
        import json

        print(json.dumps(results if options.all else results[0], ensure_ascii=False, indent=1))
    else:
        print("\n\n".join(evidence.as_text(result) for result in results))
    if options.all:
        print(f"\nPage: {relative(evidence.write_page(results, runs_folder(options)))}", file=sys.stderr)
    return max(result["code"] for result in results)


def list_evidence(tables: dict[str, dict[str, Any]], as_json: bool) -> int:
    if as_json:
        import json

        print(json.dumps(tables, ensure_ascii=False, indent=1))
        return 0
    for name, table in tables.items():
        target = table["target"]
        bound = f"≥ {target['at_least']}" if "at_least" in target else f"≤ {target['at_most']}"
        print(f"{name}\n  {table['title']}\n  target: {target['model']} {target['column']} {bound}")
        print(f"  {table['protocol']}\n  published: {table['source']}\n")
    print("smlab evidence NAME runs one and says whether its target holds.")
    return 0


def forecast_series(options: argparse.Namespace) -> int:
    from smlab import manyforecasts
    from smlab.series import load_series

    data = load_series(
        options.name, options.data_dir, freq=options.freq, how=options.how, zone=options.zone, offline=options.offline
    )
    ahead = manyforecasts.forecast_all(data, options.model, horizon=options.horizon, season=options.season, show=True)
    to = manyforecasts.write(ahead, options.out or runs_folder(options) / "forecasts" / f"{data.name}.csv")
    print(manyforecasts.as_text(data, ahead, options.model))
    print(f"Forecasts: {relative(to)}")
    return 0


def manage_data(options: argparse.Namespace) -> int:
    from smlab import catalog

    if options.action == "list":
        return list_data(options)
    for name in options.names:
        if options.action == "remove":
            freed = catalog.remove(name)
            print(f"{name}: {freed / 1e6:.1f} MB freed" if freed else f"{name}: not in the cache")
            continue
        if options.action == "get":
            found = catalog.get(name, data_dir=options.data_dir, source=options.source)
        else:
            found = catalog.locate(name, data_dir=options.data_dir) or absent(name)
        print(found.path)
    return 0


def absent(name: str) -> NoReturn:
    from smlab import catalog
    from smlab.checks import DataAbsent

    catalog.describe(name)
    raise DataAbsent(f"{name} is not on this machine: smlab data get {name}")


def list_data(options: argparse.Namespace) -> int:
    from smlab import catalog

    for name in catalog.names():
        about, here = catalog.describe(name), catalog.locate(name, data_dir=options.data_dir)
        where = f"here: {relative(here.path)} ({here.origin})" if here else f"not here: smlab data get {name}"
        print(f"{name}\n  {about.title}, {about.rows:,} rows; {about.licence}\n  {where}")
        print("".join(f"  source {source.name}: {source}, {source.size / 1e6:.1f} MB\n" for source in about.sources))
    print(f"Cache: {catalog.cache_dir()} (SMLAB_CACHE). Your own copies: --data-dir DIR or SMLAB_DATA.")
    return 0


def check_health(options: argparse.Namespace) -> int:
    from smlab import doctor

    checks = doctor.examine(runs_folder(options))
    print(doctor.as_text(checks))
    return 1 if any(check.state == doctor.BAD for check in checks) else 0
