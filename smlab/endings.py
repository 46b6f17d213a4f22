"""How a run ended, in a word and in a sentence.

papermill's own metadata says "completed" after a dead kernel, a timeout or an interrupt, and takes
`sys.exit(0)` for success; here the status follows from what was seen: the states of the cells, the kernel's
exit code and who asked to stop.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
from pathlib import Path
from typing import Any

from smlab.checks import shorten
from smlab.folders import EXIT_CODES, FULL_DISK

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclasses.dataclass
class Outcome:
    """How an execution ended; `error` is {"cell", "section", "name", "message"} or None."""

    status: str
    seconds: float
    peak_memory_mb: float | None
    error: dict[str, Any] | None = None

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]


@dataclasses.dataclass
class Facts:
    """What was seen of an execution.

    Attributes
    ----------
    cell : number of the cell that ran last, counted from 1, or None if none did
    failed : whether that cell ended with an error that it was not allowed to have
    complete : whether every cell has run to its end; what happens to the kernel then does not count
    outputs : the outputs of that cell
    reason : "timeout" or "interrupted" if somebody asked to stop before anything failed, else None
    exit_code : the kernel's exit code; negative for a signal; None if it never ran or had to be stopped by us
    raised : what papermill raised
    unsaved : why the notebook could not be saved, or None
    """

    cell: int | None
    section: str
    failed: bool
    complete: bool
    outputs: list[Any]
    reason: str | None
    exit_code: int | None
    raised: Exception | None
    unsaved: OSError | None
    output: Path
    timeout: float | None
    peak_memory_mb: float | None


def judged(facts: Facts) -> tuple[str, dict[str, Any] | None]:
    """Return the status and the error of an execution.

    A cell error that its `raises-exception` tag allows is no error. A run that was asked to stop but had
    ended by then is not called stopped.
    """
    name, evalue = cell_error(facts.outputs)
    if facts.complete:
        return unsaved(facts)
    if facts.reason:
        return facts.reason, error(facts, facts.reason, stopped(facts))
    if facts.failed and name == "SystemExit":
        return "failed", error(facts, name, exited(facts, evalue))
    if facts.failed and name != "DeadKernelError":
        return "failed", error(facts, name, f"{name}: {shorten(evalue, 500)}" if evalue else name)
    if facts.raised is not None and facts.exit_code is not None and facts.cell is not None:
        return died(facts)
    if facts.failed or facts.raised is not None:
        return "failed", error(facts, type(facts.raised).__name__, did_not_run(facts))
    return unsaved(facts)


def unsaved(facts: Facts) -> tuple[str, dict[str, Any] | None]:
    if facts.unsaved is None:
        return "ok", None
    return "failed", error(facts, type(facts.unsaved).__name__, not_saved(facts.unsaved, facts.output))


def error(facts: Facts, name: str, message: str) -> dict[str, Any]:
    return {"cell": facts.cell, "section": facts.section or None, "name": name, "message": message}


def cell_error(outputs: list[Any]) -> tuple[str, str]:
    """Return name and text of the last error among a cell's outputs; a cell without one lost its kernel."""
    errors = [o for o in outputs if o.get("output_type") == "error"]
    if not errors:
        return "DeadKernelError", ""
    return errors[-1].get("ename") or "Error", ANSI.sub("", errors[-1].get("evalue") or "").strip()


def place(facts: Facts) -> str:
    return f"in cell {facts.cell}" if facts.cell else "before the first cell"


def stopped(facts: Facts) -> str:
    if facts.reason == "timeout":
        return f"stopped {place(facts)} after {facts.timeout:g} seconds, the time it was given"
    return f"interrupted {place(facts)}"


def exited(facts: Facts, evalue: str) -> str:
    return f"cell {facts.cell} called sys.exit({evalue}); the rest of the notebook did not run"


def did_not_run(facts: Facts) -> str:
    what = f"the kernel did not answer {place(facts)}"
    if facts.cell is None:
        code = "" if facts.exit_code is None else f" (exit code {facts.exit_code})"
        what = f"the kernel did not start{code}"
    return f"{what}: {type(facts.raised).__name__}: {shorten(str(facts.raised), 300)}"


def not_saved(problem: OSError, output: Path) -> str:
    why = "the disk is full" if problem.errno in FULL_DISK else "writing failed"
    return f"{why}: {output.name} could not be saved ({problem.strerror})"


def died(facts: Facts) -> tuple[str, dict[str, Any]]:
    """Describe a kernel that ended by itself or was killed."""
    code = facts.exit_code or 0
    if code == 0:
        text = f"the kernel ended {place(facts)} with exit code 0, as exit(), quit() or os._exit(0) do"
        return "failed", error(facts, "KernelExit", text)
    if code > 0:
        return "killed", error(facts, "DeadKernel", f"the kernel died {place(facts)} with exit code {code}")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = memory_hint(facts.peak_memory_mb) if name == "SIGKILL" else ""
    return "killed", error(facts, "DeadKernel", f"the kernel was killed by {name} {place(facts)}{hint}")


def memory_hint(peak_mb: float | None) -> str:
    """Say how much memory the kernel had used: what runs out of memory is killed without a word."""
    if peak_mb is None:
        return "; perhaps the memory did not suffice"
    try:
        total = f" of this machine's {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**20:,.0f} MB"
    except (AttributeError, ValueError, OSError):
        total = ""
    advice = "if that was too much: smaller data, or fewer runs at once"
    return f"; its memory peaked at {peak_mb:,.0f} MB{total} ({advice})"
