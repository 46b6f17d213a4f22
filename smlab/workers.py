"""One process per run: what it does, from the lock to the last line of `run.json`.

A worker sits in a session of its own, so that Ctrl-C reaches only the pool that started it. Told to stop by
the pool, by a signal, or by the pool's death, it interrupts its kernel, saves the notebook and ends the run
as interrupted.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smlab import folders
from smlab.folders import Job

if TYPE_CHECKING:
    from smlab.sessions import Session

INTERRUPTED = {"cell": None, "section": None, "name": "interrupted", "message": "interrupted before it began"}


def work(connection: Connection, job: Job, options: dict[str, Any]) -> None:
    """Do one run in this process and send its `run.json`, with its folder, as ("done", run).

    Parameters
    ----------
    options : environment, force, timeout, commit
    """
    from smlab.sessions import Session

    with contextlib.suppress(AttributeError, OSError):
        os.setsid()
    os.environ.clear()
    os.environ.update(options["environment"] | job.environment)
    note = job.work / folders.SOCKETS
    session = Session(job.work / "notebook.ipynb", lambda message: tell(connection, message), note)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: session.stop("interrupted"))
    threading.Thread(target=listen, args=(connection, session), daemon=True).start()
    try:
        run = in_turn(job, session, options)
    except OSError as error:
        run = unable(job, f"{error.strerror or error}: {error.filename or job.work}")
    tell(connection, ("done", run))


def tell(connection: Connection, message: tuple[Any, ...]) -> None:
    with contextlib.suppress(OSError):  # the pool may have died; the run is brought to its end all the same
        connection.send(message)


def listen(connection: Connection, session: Session) -> None:
    """Stop the run when the pool says so, or when there is no pool any more."""
    with contextlib.suppress(EOFError, OSError):
        connection.recv()
    session.stop("interrupted")


def unable(job: Job, message: str, status: str = "failed") -> dict[str, Any]:
    """Return a run that left no folder."""
    error = {"cell": None, "section": None, "name": status, "message": message}
    return {**folders.ended(folders.new_run(job), status, error), "folder": None}


def in_turn(job: Job, session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Wait until nobody else does this run, then take theirs if it is finished, or do it."""
    job.work.parent.mkdir(parents=True, exist_ok=True)
    waited = False
    while not session.reason:
        with folders.holding(job.lock(), timeout=0.3 if waited else 0) as mine:
            if mine:
                done = None if options["force"] and not waited else folders.finished(job)
                return {**done, "reused": True} if done else do(job, session, options)
        if not waited:
            session.notify(("waiting",))
        waited = True
    return {**folders.ended(folders.new_run(job), "interrupted", INTERRUPTED), "folder": None}


def do(job: Job, session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Execute the notebook in the work folder and give the folder its final name; the lock is held."""
    from smlab import kernels

    run = {**folders.new_run(job), "commit": options["commit"]}
    folders.open_work(job, run)
    log = job.work / "kernel.log"
    redirect(log)
    os.environ["SMLAB_RUN_DIR"] = str(job.work)
    try:
        outcome = kernels.execute(
            job.source, job.path, session.output, job.given, timeout=options["timeout"], session=session
        )
        run = folders.ended(run, outcome.status, outcome.error)
        run |= {"seconds": outcome.seconds, "peak_memory_mb": outcome.peak_memory_mb}
    except Exception as error:  # a mistake of ours must not lose the run
        traceback.print_exc()
        message = f"{type(error).__name__}: {error} (see kernel.log)"
        run = folders.ended(run, "failed", {**INTERRUPTED, "name": type(error).__name__, "message": message})
    run |= {"device": "cpu", **folders.recorded(job.work), "versions": versions(job.packages)}
    if run["status"] == "ok" or not log.stat().st_size:
        log.unlink()
    return {**run, "folder": str(folders.close_work(job.work, run))}


def redirect(log: Path) -> None:
    """Send what this process and its kernel write past the notebook, such as a crash's trace, to a file."""
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of Python, smlab and the given packages; one that is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in ("smlab", *packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
