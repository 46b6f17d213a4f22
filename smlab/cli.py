"""The `smlab` command: a thin door to runs, data, reports and evidence.

`smlab --help` answers at once: what a command does is in `commands.py`, which imports when it runs. Errors that a
user can mend are printed as one sentence; exit codes: 0 ok, 1 failed, 2 wrong use, 3 data absent, 124 timeout,
130 interrupted, 137 killed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from smlab import __version__, commands, outboxcommand
from smlab.checks import SmlabError, UsageError, nearest

EXAMPLES = """examples:
  smlab list                                    the notebooks and their last results
  smlab run --all                               every notebook with its defaults
  smlab run 03 -p k=50 -p dataset=ml-1m         one notebook, other parameters
  smlab run 03 --help                           its parameters: type, default, meaning
  smlab run --offline                           without network, on the sample data
  smlab sweep 03 -p model=ease,item-knn -p seed=0,1,2 --jobs 2
  smlab forecast peyton-manning                 every series of a dataset, four weeks ahead
  smlab evidence                                the published tables we stand beside
  smlab outbox list proposed                    what waits for a person's word
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
        wanted = commands.notebook_help(arguments)
        if wanted:
            return commands.show_parameters(wanted)
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
    words = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
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

    add_run_commands(words, how, folders)
    add_other_commands(words, folders)
    return top


def add_run_commands(words: Any, how: Parser, folders: Parser) -> None:
    one = words.add_parser("list", parents=[folders], help="the notebooks and their last results")
    one.set_defaults(function=commands.list_notebooks)
    one = words.add_parser(
        "run",
        parents=[how],
        help="run notebooks and write their reports",
        description="Run notebooks side by side; each leaves runs/<notebook>/<id>/report.html. A finished run with "
        "the same notebook, code, parameters and data is not repeated. `smlab run NAME --help` shows its parameters.",
    )
    one.add_argument("notebooks", nargs="*", metavar="NAME", help="name, number or part of a name; none: all")
    one.add_argument("--all", action="store_true", help="every notebook (also the meaning of no name)")
    one.set_defaults(function=commands.run_notebooks)
    one = words.add_parser(
        "sweep",
        parents=[how],
        help="run one notebook over a grid of parameters",
        description="Run every combination of the given values: -p name=a,b,c (for parameters that are lists, "
        "separate the alternatives by ;). Leaves runs/sweep-…/table.csv; started again, it goes on where it stopped.",
    )
    one.add_argument("notebook", metavar="NAME", help="name, number or part of a name")
    one.set_defaults(function=commands.sweep_notebook)
    one = words.add_parser("report", parents=[folders], help="write a run's report again, and the index")
    one.add_argument("run", nargs="?", metavar="RUN", help="run id or its beginning, run folder, or notebook (latest)")
    one.add_argument("--all", action="store_true", help="every run")
    one.set_defaults(function=commands.write_reports)


def add_other_commands(words: Any, folders: Parser) -> None:
    one = words.add_parser(
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
    one.set_defaults(function=commands.show_evidence)
    add_forecast_command(words, folders)
    one = words.add_parser("data", help="the datasets: list, get, path, remove")
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
        action.set_defaults(function=commands.manage_data)
    add_outbox_commands(words)
    one = words.add_parser("doctor", parents=[folders], help="check Python, torch, kernel, package index and disk")
    one.set_defaults(function=commands.check_health)


def add_forecast_command(words: Any, folders: Parser) -> None:
    one = words.add_parser(
        "forecast",
        parents=[folders],
        help="forecast every series of a dataset into one table",
        description="Forecast all series of a dataset, of your folder with series.csv (time, value, series) too, check "
        "the model on their last steps beside the seasonal naive, and write a table: series, time, mean, quantiles.",
    )
    one.add_argument("name", metavar="NAME", help="name of a dataset or of a folder in --data-dir")
    models = ("lags", "mean", "ets", "arima", "naive")
    one.add_argument("--model", choices=models, default="lags", metavar="MODEL", help=f"{', '.join(models)} (lags)")
    one.add_argument("--horizon", type=positive, metavar="STEPS", help="steps ahead (of days: 28)")
    one.add_argument("--season", type=positive, metavar="STEPS", help="steps of a round (of days: 7)")
    one.add_argument("--freq", metavar="STEP", help="length of a step, such as D or h; found from the stamps if absent")
    one.add_argument("--how", choices=("sum", "mean", "last"), metavar="HOW", help="sum, mean or last of a step's rows")
    one.add_argument("--zone", metavar="ZONE", help="whose clock times without a zone are on, such as Europe/Berlin")
    one.add_argument("--out", type=Path, metavar="FILE", help="the table (default: runs/forecasts/NAME.csv)")
    one.add_argument("--offline", action="store_true", default=None, help="take only data that is here already")
    one.set_defaults(function=commands.forecast_series)


def add_outbox_commands(words: Any) -> None:
    one = words.add_parser(
        "outbox",
        help="what may go out: list, show, approve, reject, publish",
        description="Proposals wait for a person's word. Publishing is a rehearsal unless --to names a server; then "
        "the token is read from SMLAB_MASTODON_TOKEN and goes to the hosts of SMLAB_MASTODON_HOSTS only.",
    )
    actions = one.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "every proposal and its state"),
        ("show", "all of a proposal, and who did what when"),
        ("approve", "allow proposals to go out"),
        ("reject", "forbid proposals to go out, approved ones too"),
        ("publish", "send what is approved and due; a rehearsal without --to"),
    ):
        action = actions.add_parser(name, help=help_text)
        action.add_argument("--file", type=Path, metavar="FILE", help="the outbox (SMLAB_OUTBOX, else outbox.db)")
        if name == "list":
            action.add_argument("states", nargs="*", metavar="STATE", help="only these, such as proposed")
        elif name != "publish":
            action.add_argument("keys", nargs="+", metavar="KEY", help="key of a proposal")
        if name in ("approve", "reject", "publish"):
            action.add_argument("--who", metavar="NAME", help="who does this (default: the user of this machine)")
        if name in ("approve", "reject"):
            action.add_argument("--note", default="", metavar="TEXT", help="kept with the decision")
        if name == "publish":
            action.add_argument("--dry-run", action="store_true", help="write what would go; the default")
            action.add_argument("--to", metavar="URL", help="send to this Mastodon server")
            action.add_argument("--out", type=Path, metavar="FILE", help="where a rehearsal writes")
            action.add_argument("--channel", metavar="NAME", help="only what is for it (with --to: mastodon)")
            action.add_argument("--limit", type=positive, metavar="N", help="at most so many")
        action.set_defaults(function=outboxcommand.run)


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


if __name__ == "__main__":
    sys.exit(main())
