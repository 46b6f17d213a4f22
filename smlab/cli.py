"""The `smlab` command: a thin door to runs, data, reports and evidence.

Every subcommand imports what it needs when it runs, so that `smlab --help` answers at once. Errors that a user
can mend are printed as one sentence; exit codes: 0 ok, 1 failed, 2 wrong use, 3 data absent, 124 timeout,
130 interrupted, 137 killed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from smlab import __version__
from smlab.checks import SmlabError, UsageError, nearest

EXAMPLES = """examples:
  smlab list                                    the notebooks and their last results
  smlab run --all                               every notebook with its defaults
  smlab run 03 -p k=50 -p dataset=ml-1m         one notebook, other parameters
  smlab run 03 --help                           its parameters: type, default, meaning
  smlab run --offline                           without network, on the sample data
  smlab sweep 03 -p model=ease,item-knn -p seed=0,1,2 --jobs 2
  smlab evidence                                the published tables we stand beside
"""


class Parser(argparse.ArgumentParser):
    """An argparse parser that says which commands and options there are when one is misspelt."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise UsageError(f"unknown {action.dest} {value!r}: {nearest(str(value), action.choices)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        wanted = notebook_help(arguments)
        if wanted:
            return show_parameters(wanted)
        options = parser().parse_args(arguments)
        return options.function(options)
    except SmlabError as error:
        print(f"smlab: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nsmlab: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `smlab list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> Parser:
    """Build the parser of all commands."""
    top = Parser(
        prog="smlab",
        description="Notebooks for AI in social-media marketing: run, compare, report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"smlab {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    folders = Parser(add_help=False)
    folders.add_argument("--runs-dir", type=Path, metavar="DIR", help="where runs are kept (default: runs/)")
    folders.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="your own copies, DIR/<dataset>/…; searched first, never written",
    )
    how = Parser(add_help=False, parents=[folders])
    how.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="given",
        help="set a parameter",
    )
    how.add_argument("--jobs", type=positive, metavar="N", help="runs side by side (default: one per core, at most 4)")
    how.add_argument("--timeout", type=seconds, metavar="SECONDS", help="stop a run after this long (exit 124)")
    how.add_argument("--force", action="store_true", help="run again although there is a finished run")
    how.add_argument("--offline", action="store_true", help="use data/sample/ and nothing from the network")

    add_run_commands(commands, how, folders)
    add_other_commands(commands, folders)
    return top


def add_run_commands(commands: Any, how: Parser, folders: Parser) -> None:
    one = commands.add_parser("list", parents=[folders], help="the notebooks and their last results")
    one.set_defaults(function=list_notebooks)
    one = commands.add_parser(
        "run",
        parents=[how],
        help="run notebooks and write their reports",
        description="Run notebooks side by side; each leaves runs/<notebook>/<id>/report.html. A finished run with "
        "the same notebook, code, parameters and data is not repeated. `smlab run NAME --help` shows its parameters.",
    )
    one.add_argument("notebooks", nargs="*", metavar="NAME", help="name, number or part of a name; none: all")
    one.add_argument("--all", action="store_true", help="every notebook (also the meaning of no name)")
    one.set_defaults(function=run_notebooks)
    one = commands.add_parser(
        "sweep",
        parents=[how],
        help="run one notebook over a grid of parameters",
        description="Run every combination of the given values: -p name=a,b,c (for parameters that are lists, "
        "separate the alternatives by ;). Leaves runs/sweep-…/table.csv; started again, it goes on where it stopped.",
    )
    one.add_argument("notebook", metavar="NAME", help="name, number or part of a name")
    one.set_defaults(function=sweep_notebook)
    one = commands.add_parser("report", parents=[folders], help="write a run's report again, and the index")
    one.add_argument("run", nargs="?", metavar="RUN", help="run id or its beginning, run folder, or notebook (latest)")
    one.add_argument("--all", action="store_true", help="every run")
    one.set_defaults(function=write_reports)


def add_other_commands(commands: Any, folders: Parser) -> None:
    one = commands.add_parser(
        "evidence",
        parents=[folders],
        help="our figures beside the published ones",
        description="Without NAME: list the tables. With NAME: run it (or reuse the finished run) and print ours "
        "beside the published figures; exit 0 the target holds, 1 it falls short, 3 the data is absent.",
    )
    one.add_argument("name", nargs="?", metavar="NAME", help="name of a table")
    one.add_argument("--all", action="store_true", help="every table, on one page: runs/evidence.html")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--offline", action="store_true", help="take only data that is here already")
    one.set_defaults(function=show_evidence)
    one = commands.add_parser("data", help="the datasets: list, get, path, remove")
    actions = one.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "all datasets, and which of them are here"),
        ("get", "fetch datasets into the cache, checked by their hash"),
        ("path", "print where a dataset lies"),
        ("remove", "delete a dataset from the cache (never your own copies)"),
    ):
        action = actions.add_parser(name, help=help_text)
        if name != "list":
            action.add_argument("names", nargs="+", metavar="NAME", help="name of a dataset")
        if name == "get":
            action.add_argument("--source", metavar="SOURCE", help="take this source only (see `smlab data list`)")
        action.add_argument("--data-dir", type=Path, metavar="DIR", help="your own copies, searched first")
        action.set_defaults(function=manage_data)
    one = commands.add_parser("doctor", parents=[folders], help="check Python, torch, kernel, package index and disk")
    one.set_defaults(function=check_health)


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


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
    done = runs.run(jobs, parallel=options.jobs, timeout=options.timeout, force=options.force, after=finish_report)
    return close(done, runs_folder(options))


def plan(path: Path, values: dict[str, str], options: argparse.Namespace) -> Any:
    from smlab import runs

    return runs.plan(path, values, runs_dir=runs_folder(options), data_dir=options.data_dir, offline=options.offline)


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
        parallel=options.jobs,
        timeout=options.timeout,
        force=options.force,
        after=finish_report,
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


if __name__ == "__main__":
    sys.exit(main())
