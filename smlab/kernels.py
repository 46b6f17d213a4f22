"""Execute one notebook in this process, through papermill, and say truly how it ended.

papermill prepares the notebook, injects the parameters and drives the client; a small engine of ours reports
progress, saves the partial notebook every few seconds, keeps true cell states and stops on demand. However a
run ends (an error, a dead kernel, a timeout, a signal), `execute` returns an `Outcome` and leaves no kernel
behind.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

# jsonschema imports it to check the form of international addresses, which no notebook needs; that import
# alone takes half of papermill's start-up time.
if "rfc3987_syntax" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import nbformat
import papermill
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError

from smlab import atomic
from smlab.endings import Facts, Outcome, judged
from smlab.sessions import NEVER_DROP, KernelManager, Notify, Session, close
from smlab.streams import joined

SAVE_EVERY = 3.0  # seconds between two savings of a partial notebook
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


class Stopped(Exception):
    """Raised between two cells when somebody has asked to stop."""


class Manager(NotebookExecutionManager):
    """papermill's record of the cell states, with true ones, and with savings that are rare and atomic."""

    def __init__(self, nb: Any, session: Session) -> None:
        super().__init__(nb, progress_bar=False)
        self.session = session
        self.cells = list(nb.cells)  # papermill puts banners among the notebook's own list
        self.current: int | None = None
        self.section = ""
        self.printed = 0.0
        self.saved, self.cost = time.monotonic(), 0.0
        self.disk_error: OSError | None = None
        self.failed_unasked = False

    def cell_start(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        if self.session.reason:
            raise Stopped
        headings = HEADING.findall(cell.source) if cell.cell_type == "markdown" else []
        self.section = headings[-1] if headings else self.section
        self.current = cell_index
        super().cell_start(cell, cell_index)
        if cell.cell_type == "code" and cell_index is not None:
            self.session.notify(("cell", cell_index + 1, len(self.cells), self.section))

    def cell_exception(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        # What fails once somebody has asked to stop fails for that reason, under whatever name.
        self.failed_unasked = self.session.reason is None
        super().cell_exception(cell, cell_index, **kwargs)

    def cell_complete(self, cell: Any, cell_index: int | None = None, **kwargs: Any) -> None:
        if cell.get("outputs"):
            cell.outputs = joined(cell.outputs)
        super().cell_complete(cell, cell_index, **kwargs)

    def autosave_cell(self, **kwargs: Any) -> None:
        self.save()

    def save(self, *, now: bool = False, **kwargs: Any) -> None:
        """Save the notebook if the last saving is long enough ago, measured by what it cost."""
        since = time.monotonic() - self.saved
        if not now and since < max(SAVE_EVERY, 10 * self.cost):
            return
        begin = time.monotonic()
        try:
            atomic.write(self.session.output, nbformat.writes(self.nb) + "\n")
            self.disk_error = None
        except OSError as error:
            self.disk_error = error
        self.saved = time.monotonic()
        self.cost = self.saved - begin

    def notebook_complete(self, **kwargs: Any) -> None:
        """Close the record; unlike papermill's, cells that never ran stay pending."""
        self.end_time = self.now()
        state = self.nb.metadata.papermill
        state["end_time"] = self.end_time.isoformat()
        state["duration"] = (self.end_time - self.start_time).total_seconds()
        for cell in self.nb.cells:
            cell.metadata.papermill.setdefault("status", self.PENDING)
        self.save(now=True)

    def failed(self) -> bool:
        return any(cell.metadata.papermill.get("status") == self.FAILED for cell in self.cells)

    def complete(self) -> bool:
        return all(cell.metadata.papermill.get("status") == self.COMPLETED for cell in self.cells)

    def number(self) -> int | None:
        """Count the current cell from 1 as in the notebook's file, which holds no injected parameters."""
        if self.current is None:
            return None
        before = self.cells[: self.current]
        return self.current + 1 - sum("injected-parameters" in c.metadata.get("tags", []) for c in before)


class Client(PapermillNotebookClient):
    """papermill's client with our kernel manager, quick to see a dead kernel, and with true cell states."""

    def create_kernel_manager(self) -> KernelManager:
        self.km = KernelManager.of(self.nb_man.session, self.kernel_name)
        return self.km

    def papermill_execute_cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except BaseException as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                if isinstance(error, CellExecutionError):
                    break
                raise
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)

    async def _async_poll_kernel_alive(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self.nb_man.autosave_cell()
            try:
                await self._async_check_alive()
            except DeadKernelError:
                self.task_poll_for_reply.cancel()
                return

    def process_message(self, *args: Any, **kwargs: Any) -> Any:
        output = super().process_message(*args, **kwargs)
        if output and output.output_type == "stream":
            tell_line(self.nb_man, output.text)
        return output


def tell_line(manager: Manager, text: str) -> None:
    """Pass on the last printed line, at most twice a second."""
    lines = text.replace("\r", "\n").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if last and time.monotonic() - manager.printed > 0.5:
        manager.printed = time.monotonic()
        manager.session.notify(("line", last[:200]))


class Engine(NBClientEngine):
    """The papermill engine "smlab": our client and our record of the states."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, session: Session, path: str, **kwargs: Any) -> Any:
        manager = session.manager = Manager(nb, session)
        # papermill puts the whole notebook here when it is given one instead of a path.
        nb.metadata.papermill.update(input_path=path, output_path=str(session.output))
        manager.notebook_start()
        manager.save(now=True)
        client = Client(
            manager,
            kernel_name=kernel_name,
            timeout=None,
            startup_timeout=120,
            iopub_timeout=60,
            shell_timeout_interval=1,
            extra_arguments=[f"--IPKernelApp.exec_lines={NEVER_DROP}"],
            log=logging.getLogger("papermill"),
        )
        try:
            client.execute(cwd=str(Path(path).parent))
        except BaseException:
            nb.metadata.papermill["exception"] = True
            raise
        finally:
            manager.notebook_complete()
        return nb


papermill_engines.register("smlab", Engine)


def execute(
    source: str,
    path: Path,
    output: Path,
    parameters: dict[str, Any],
    *,
    timeout: float | None = None,
    notify: Notify = lambda message: None,
    session: Session | None = None,
) -> Outcome:
    """Execute a notebook and save it, with its outputs and true cell states, at `output`.

    The kernel is this interpreter's `python3`, started in the folder of `path` with the environment of this
    process.

    Parameters
    ----------
    source : the notebook as JSON text
    path : where the notebook lies
    parameters : values for an injected cell; already checked
    timeout : seconds for the whole run
    notify : called with ("kernel", pid, folder of sockets), ("cell", i, n, section), ("line", text)
    """
    session = session or Session(output, notify)
    # Parameters are checked against their types before; papermill's own reader misses many and would warn.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    timer = threading.Timer(timeout, session.stop, ["timeout"]) if timeout else None
    begin, raised = time.monotonic(), None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        papermill.execute_notebook(
            nbformat.reads(source, as_version=4),
            None,
            parameters,
            engine_name="smlab",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            session=session,
            path=str(path),
        )
    except Exception as problem:
        raised = problem
    finally:
        if timer:
            timer.cancel()
        close(session)
    facts = facts_of(session, raised, timeout)
    status, error = judged(facts)
    return Outcome(status, round(time.monotonic() - begin, 2), facts.peak_memory_mb, error)


def facts_of(session: Session, raised: Exception | None, timeout: float | None) -> Facts:
    """Gather what was seen of an execution that is over."""
    manager = session.manager
    cell = None if manager is None or manager.current is None else manager.cells[manager.current]
    if isinstance(raised, PapermillExecutionError):
        raised = None  # papermill raises for allowed errors as well; the states of the cells know better
    return Facts(
        cell=manager.number() if manager else None,
        section=manager.section if manager else "",
        failed=manager.failed() if manager else False,
        complete=manager.complete() if manager else False,
        outputs=list(cell.get("outputs", [])) if cell else [],
        reason=None if manager and manager.failed_unasked else session.reason,
        exit_code=session.exit_code(),
        raised=raised,
        unsaved=manager.disk_error if manager else None,
        output=session.output,
        timeout=timeout,
        peak_memory_mb=peak_memory_mb(),
    )


def peak_memory_mb() -> float | None:
    """Return the largest memory that a process started by this one has used, in MB; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
