"""What a person sees of the runs: one live display on a terminal, else plain lines; on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from smlab.checks import shorten
from smlab.endings import ANSI
from smlab.folders import Job

HEARTBEAT = 30.0  # seconds between two signs of life where there is no terminal
QUIET = 2.0  # seconds after which the last printed line of a cell is shown


class Screen:
    """The display of a set of runs; `tell` takes what the pool hears, `end` what became of a run.

    This one shows nothing; `Lines` and `Live` show.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.active: dict[int, Progress] = {}
        self.done = 0

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, text: str) -> None: ...

    def tick(self) -> None: ...

    def tell(self, index: int, message: tuple[Any, ...]) -> None:
        """Take a message of the pool about the job at `index`, or about all where it is -1."""
        kind = message[0]
        if kind == "start":
            self.active[index] = Progress(self.jobs[index])
            self.started(self.active[index])
        elif kind == "waiting":
            self.write(f"{label(self.jobs[index])}: another process is doing the same run; waiting for it")
        elif kind == "stopping":
            self.write("stopping the runs (again Ctrl-C: kill them) …")
        elif index in self.active:
            self.active[index].tell(message)
        self.tick()

    def started(self, progress: Progress) -> None: ...

    def end(self, index: int, run: dict[str, Any]) -> None:
        """Take the end of a run and say it in a line."""
        self.active.pop(index, None)
        self.done += 1
        self.write(summary(self.jobs[index], run))


class Progress:
    """Where one run is."""

    def __init__(self, job: Job) -> None:
        self.job, self.begin = job, time.monotonic()
        self.section, self.line = "", ""
        self.cell, self.cells = 0, 0
        self.cell_begin = self.begin

    def tell(self, message: tuple[Any, ...]) -> None:
        if message[0] == "cell":
            _, self.cell, self.cells, self.section = message
            self.cell_begin, self.line = time.monotonic(), ""
        elif message[0] == "line":
            self.line = message[1]

    def text(self) -> str:
        """Say where the run is: section, cell, seconds, and what a slow cell has printed last."""
        at = f"cell {self.cell}/{self.cells}" if self.cells else "starting"
        parts = [label(self.job), self.section, at, f"{time.monotonic() - self.begin:.0f} s"]
        if self.line and time.monotonic() - self.cell_begin > QUIET:
            parts.append(shorten(self.line, 80))
        return " · ".join(plain(part) for part in parts if part)


def label(job: Job) -> str:
    """Name a run for people: the notebook and the parameters that were asked for."""
    given = ", ".join(f"{name}={shorten(str(value), 24)}" for name, value in job.given.items())
    return f"{job.notebook} ({given})" if given else job.notebook


def plain(text: str) -> str:
    """Leave out what would move the cursor or recolour the terminal."""
    return "".join(c for c in ANSI.sub("", text) if c.isprintable())


def summary(job: Job, run: dict[str, Any]) -> str:
    """Say in a line how a run ended and, where it did not end well, why and where to look."""
    seconds = f" in {run['seconds']:.1f} s" if run.get("seconds") is not None else ""
    if run.get("reused"):
        return f"{label(job)}: finished before (run {run['id']}), not run again"
    text = f"{label(job)}: {run['status']}{seconds}"
    error = run.get("error") or {}
    if error.get("message"):
        section = f" (section “{error['section']}”)" if error.get("section") else ""
        address = f"cell {error['cell']}: " if error.get("cell") and "cell" not in error["message"] else ""
        text += f" — {address}{error['message']}{section}"
    if run["status"] != "ok" and run.get("folder"):
        text += f"\n    {run['folder']}"
    return text


class Lines(Screen):
    """Plain lines: each start, each end, and a sign of life now and then."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(jobs)
        self.last = time.monotonic()

    def write(self, text: str) -> None:
        self.last = time.monotonic()
        print(text, file=sys.stderr, flush=True)

    def started(self, progress: Progress) -> None:
        self.write(f"{label(progress.job)}: started")

    def tick(self) -> None:
        if time.monotonic() - self.last > HEARTBEAT:
            for progress in self.active.values():
                self.write(progress.text())


class Live(Screen):
    """One live display: a bar for all runs and a line for each that is going on."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__(jobs)
        from rich.console import Console
        from rich.live import Live as Display

        self.console = Console(stderr=True, highlight=False)
        self.display = Display(self, console=self.console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Screen:
        self.display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.display.stop()

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        bar = Table.grid(padding=(0, 1))
        bar.add_row(Text(f"{self.done}/{len(self.jobs)} runs"), ProgressBar(len(self.jobs), self.share(), width=40))
        lines = [Text(p.text(), no_wrap=True, overflow="ellipsis") for p in list(self.active.values())]
        return Group(bar, *lines)

    def share(self) -> float:
        """Count the finished runs, and of the others the cells that are done."""
        return self.done + sum(max(p.cell - 1, 0) / p.cells for p in list(self.active.values()) if p.cells)

    def write(self, text: str) -> None:
        from rich.text import Text

        self.console.print(Text(text))


def screen(jobs: Sequence[Job], display: bool) -> Screen:
    """Return the display that fits: none, live, or lines."""
    if not display:
        return Screen(jobs)
    return Live(jobs) if sys.stderr.isatty() else Lines(jobs)
