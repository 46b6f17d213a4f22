"""The folder of a run: its lock, the work folder while it runs, `run.json`, and how it gets its final name.

A run works in `runs/<notebook>/.work-<id>/` under the lock `.<id>.lock` and is renamed to
`runs/<notebook>/<id>` at its end, so that a folder with that name always holds a run that has ended. A lock
is given back by the system when its holder dies: a work folder whose lock is free belongs to a run that was
killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smlab import atomic
from smlab.checks import UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

SCHEMA = 1
EXIT_CODES = {"ok": 0, "failed": 1, "timeout": 124, "interrupted": 130, "killed": 137}
SOCKETS = ".sockets"  # in a work folder: says where the sockets of the kernel are
RESERVE_BYTES = 256 * 1024
FULL_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@dataclasses.dataclass(frozen=True)
class Job:
    """One run to be done: everything that decides its result is fixed here.

    Attributes
    ----------
    source : the notebook's text as it was read when the run was planned; that text is executed
    parameters, given : all values, and those that were asked for
    data : name, origin, fingerprint and licence of the dataset, or None
    environment : what the kernel sees beyond the environment of this process
    packages : third-party packages that the notebook and its modules import
    problem : why this run cannot be done, or None; such a job ends as failed with this sentence
    """

    id: str
    notebook: str
    title: str
    path: Path
    source: str
    runs_dir: Path
    parameters: dict[str, Any]
    given: dict[str, Any]
    data: dict[str, Any] | None = None
    offline: bool = False
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    packages: tuple[str, ...] = ()
    problem: str | None = None
    problem_code: int = 1

    @property
    def final(self) -> Path:
        return self.runs_dir / self.notebook / self.id

    @property
    def work(self) -> Path:
        return self.final.with_name(f".work-{self.id}")

    def lock(self) -> BaseFileLock:
        return lock_of(self.final.parent, self.id)


def lock_of(folder: Path, run_id: str) -> BaseFileLock:
    """Return the lock of a run; not acquired yet."""
    from filelock import FileLock

    return FileLock(folder / f".{run_id}.lock")


def new_run(job: Job) -> dict[str, Any]:
    """Return the content of `run.json` at the start of a run: every key is there from the beginning."""
    return {
        "schema": SCHEMA,
        "id": job.id,
        "notebook": job.notebook,
        "title": job.title,
        "status": "running",
        "exit_code": None,
        "parameters": job.parameters,
        "given": job.given,
        "metrics": {},
        "headline": None,
        "reference": {},
        "data": job.data,
        "offline": job.offline,
        "started": now().isoformat(timespec="seconds"),
        "seconds": None,
        "peak_memory_mb": None,
        "device": None,
        "gpu_peak_mb": None,
        "versions": {},
        "commit": None,
        "error": None,
    }


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def ended(run: dict[str, Any], status: str, error: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return `run` with its end: status, exit code and error."""
    return {**run, "status": status, "exit_code": EXIT_CODES[status], "error": error}


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Write `run.json`; on a full disk the reserve beside it makes room."""
    text = json.dumps(run, ensure_ascii=True, indent=1)
    try:
        atomic.write(folder / "run.json", text)
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        (folder / ".reserve").unlink(missing_ok=True)
        atomic.write(folder / "run.json", text)


def read_run(folder: Path) -> dict[str, Any] | None:
    """Read the `run.json` of a folder; None where there is none or it is not one of ours."""
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(run, dict) and {"id", "notebook", "status", "exit_code", "started"} <= set(run)
    return run if known else None


def finished(job: Job) -> dict[str, Any] | None:
    """Return the run that this job would repeat, if it has ended well."""
    run = read_run(job.final)
    return {**run, "folder": str(job.final)} if run and run["status"] == "ok" else None


def open_work(job: Job, run: dict[str, Any]) -> None:
    """Make the work folder with its first `run.json`; the caller holds the lock.

    What an earlier, killed run left there is given its final name first.
    """
    if job.work.exists():
        salvage(job.work, "killed", "the runner was killed")
    job.work.mkdir(parents=True)
    with contextlib.suppress(OSError):
        (job.work / ".reserve").write_bytes(os.urandom(RESERVE_BYTES))
    write_run(job.work, run)


def close_work(work: Path, run: dict[str, Any]) -> Path:
    """Write the last `run.json` and give the folder its final name; the caller holds the lock.

    A run that ended well is never replaced by one that did not: such a run is named `<id>-failed`.
    """
    write_run(work, run)
    (work / ".reserve").unlink(missing_ok=True)
    final = work.with_name(run["id"])
    failed = work.with_name(f"{run['id']}-failed")
    earlier = read_run(final)
    target = failed if run["status"] != "ok" and earlier and earlier["status"] == "ok" else final
    # A folder cannot replace another in one step: the old one steps aside first.
    aside = work.with_name(f".old-{run['id']}")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    work.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
    if run["status"] == "ok":
        shutil.rmtree(failed, ignore_errors=True)
    return target


def salvage(work: Path, status: str, message: str) -> dict[str, Any] | None:
    """End the run of a work folder whose runner is gone; the caller holds the lock.

    Returns the run with its folder, or None where nothing had begun.
    """
    run = read_run(work)
    if run is None:
        shutil.rmtree(work, ignore_errors=True)
        return None
    error = {"cell": None, "name": status, "message": message}
    run = {**ended(run, status, error), **recorded(work), "seconds": seconds_until(work, run)}
    with contextlib.suppress(OSError, ValueError):
        mend_states(work / "notebook.ipynb")
    remove_sockets(work / SOCKETS)
    return {**run, "folder": str(close_work(work, run))}


def remove_sockets(note: Path) -> None:
    """Remove the folder of sockets that a note names, and the note."""
    with contextlib.suppress(OSError):
        folder = Path(note.read_text(encoding="utf-8"))
        note.unlink()
        if folder.name.startswith("smlab-"):
            shutil.rmtree(folder, ignore_errors=True)


def seconds_until(work: Path, run: dict[str, Any]) -> float | None:
    """Say how long a killed run has run: until the last file it wrote."""
    last = max((p.stat().st_mtime for p in work.iterdir()), default=0.0)
    with contextlib.suppress(KeyError, ValueError, TypeError):
        return round(max(last - datetime.datetime.fromisoformat(run["started"]).timestamp(), 0.0), 1)
    return None


def recorded(work: Path) -> dict[str, Any]:
    """Return what the notebook has recorded so far: metrics, headline, reference, device."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((work / "metrics.json").read_text(encoding="utf-8"))
        keys = ("metrics", "headline", "reference", "device", "gpu_peak_mb")
        return {key: found[key] for key in keys if key in found}
    return {}


def mend_states(path: Path) -> None:
    """Mark the running cell of a partial notebook as failed, and the notebook as ended by an exception."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        state = cell["metadata"].get("papermill", {})
        if state.get("status") == "running":
            state.update(status="failed", exception=True)
    notebook["metadata"].setdefault("papermill", {})["exception"] = True
    atomic.write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def check_writable(runs_dir: Path) -> None:
    """Refuse a runs folder in which nothing can be written, before any kernel starts."""
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs_dir):
            pass
    except OSError as error:
        raise UsageError(f"runs folder {runs_dir}: cannot be written ({error.strerror})") from None


def history(runs_dir: Path) -> list[dict[str, Any]]:
    """Return all runs under `runs_dir`, latest first, each with its `folder`.

    A run whose `run.json` cannot be read is left out; one that says "running" although its lock is free was
    killed.
    """
    found = []
    for path in Path(runs_dir).glob("*/*/run.json"):
        run = read_run(path.parent)
        if run is not None and not path.parent.name.startswith(".old-"):
            found.append({**run, "folder": str(path.parent)})
    found = [r if r["status"] != "running" or is_locked(r) else ended(r, "killed", KILLED) for r in found]
    return sorted(found, key=lambda r: str(r.get("started")), reverse=True)


KILLED = {"cell": None, "name": "killed", "message": "the runner was killed"}


def is_locked(run: dict[str, Any]) -> bool:
    """Say whether somebody holds the lock of a run that says it is running."""
    with contextlib.suppress(OSError), holding(lock_of(Path(run["folder"]).parent, run["id"])) as mine:
        return not mine
    return False


@contextlib.contextmanager
def holding(lock: BaseFileLock, timeout: float = 0.0) -> Iterator[bool]:
    """Hold a lock, if it can be had within `timeout` seconds; yields whether it is held."""
    from filelock import Timeout

    try:
        lock.acquire(timeout=timeout, poll_interval=0.1)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
