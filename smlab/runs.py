"""Run notebooks: one or many side by side, recognise what is finished, sweep over parameters.

`plan` fixes all that decides a result and gives it an id; `run` does the planned runs in a pool of processes
and leaves `runs/<notebook>/<id>/{notebook.ipynb, run.json, metrics.json}` for each; `sweep` plans a grid.

Every run ends in one of five ways, and `run.json` says so in each: ok (exit code 0), failed (1), timeout
(124), interrupted (130), killed (137).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from smlab import atomic, folders, pool, screen, sweeps
from smlab.checks import SmlabError
from smlab.folders import Job, history
from smlab.plans import find_notebook, find_run, notebooks, plan, run_id, title

__all__ = [
    "Job", "exit_code", "find_notebook", "find_run", "history", "notebooks", "plan", "run", "run_id", "sweep",
    "title",
]  # fmt: skip

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
After = Callable[[Path], object]


def run(
    jobs: Sequence[Job],
    *,
    parallel: int | None = None,
    timeout: float | None = None,
    force: bool = False,
    after: After | None = None,
    prepare: Callable[[], object] | None = None,
    display: bool = True,
    done: Callable[[int, dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Do the planned runs side by side; one that fails does not stop the others.

    Ctrl-C or SIGTERM ends all of them as interrupted, and this function returns as usual.

    Parameters
    ----------
    parallel : how many at a time (default: one per core, at most 4)
    timeout : seconds that each run has
    force : repeat runs that are finished; one that then does not end well is kept as `<id>-failed`
    after : called in a thread of this process with the folder of each run that has a notebook, such as to
        write a report
    prepare : called once in that thread while the first runs go on, such as to import what `after` needs
    done : called with the index of a job and its run as soon as that has ended

    Returns
    -------
    For each job the content of its `run.json` with its `folder` (None where a run had not begun) and, where a
    finished run was recognised, `reused`.

    Raises
    ------
    UsageError
        if the runs folder cannot be written.
    """
    for runs_dir in {job.runs_dir for job in jobs}:
        folders.check_writable(runs_dir)
    ends: dict[int, dict[str, Any]] = {}
    with screen.screen(jobs, display) as shown, finishing(after, prepare, shown) as finish:
        for index, one in outcomes(jobs, parallel, timeout, force, shown):
            ends[index] = one
            shown.end(index, one)
            finish(one)
            if done:
                done(index, one)
    return [ends[index] for index in range(len(jobs))]


def outcomes(
    jobs: Sequence[Job], parallel: int | None, timeout: float | None, force: bool, shown: screen.Screen
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each job's index and run: first those that need no kernel, then the others as they end."""
    fresh: dict[Path, list[int]] = {}
    for index, job in enumerate(jobs):
        finished = None if force else folders.finished(job)
        if finished:
            yield index, {**finished, "reused": True}
        elif job.problem:
            yield index, refused(job)
        else:
            fresh.setdefault(job.final, []).append(index)  # the same run asked for twice is done once
    if not fresh:
        return
    pool.warm()
    firsts = [indices[0] for indices in fresh.values()]
    size = min(parallel or min(cores(), 4), len(firsts))
    options = {"environment": environment(size), "force": force, "timeout": timeout}
    options["commit"] = commit(jobs[firsts[0]].path.parent)

    def tell(index: int, message: tuple[Any, ...]) -> None:
        shown.tell(firsts[index] if index >= 0 else -1, message)

    workers_pool = pool.Pool([jobs[i] for i in firsts], size, options, tell)
    with workers_pool.signals():
        for index, one in workers_pool.run():
            for same in fresh[jobs[firsts[index]].final]:
                yield same, one


@contextlib.contextmanager
def finishing(
    after: After | None, prepare: Callable[[], object] | None, shown: screen.Screen
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that calls `after` for a run in a thread, so that other runs are not kept waiting."""
    if after is None:
        yield lambda one: None
        return
    waiting: list[Future[None]] = []
    with ThreadPoolExecutor(1) as thread:
        if prepare:
            thread.submit(prepare)
        yield lambda one: waiting.append(thread.submit(finish_one, after, one, shown))


def finish_one(after: After, one: dict[str, Any], shown: screen.Screen) -> None:
    if not one["folder"] or not (Path(one["folder"]) / "notebook.ipynb").exists():
        return
    try:
        after(Path(one["folder"]))
    except Exception as error:
        kind = "" if isinstance(error, SmlabError) else f"{type(error).__name__}: "
        shown.write(f"{one['notebook']}, run {one['id']}: finished, but its report failed: {kind}{error}")


def refused(job: Job) -> dict[str, Any]:
    """Record a run that cannot be done, such as for want of its data: failed, with the reason."""
    error = {"cell": None, "section": None, "name": "DataAbsent" if job.problem_code == 3 else "DataError"}
    one = folders.ended(folders.new_run(job), "failed", {**error, "message": job.problem})
    one |= {"exit_code": job.problem_code, "data_absent": job.problem_code == 3, "seconds": 0.0}
    job.work.parent.mkdir(parents=True, exist_ok=True)
    with folders.holding(job.lock(), timeout=5) as mine:
        if not mine:
            return {**one, "folder": None}
        folders.open_work(job, one)
        atomic.write(job.work / "notebook.ipynb", job.source)
        return {**one, "folder": str(folders.close_work(job.work, one))}


def cores() -> int:
    """Count the processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def environment(parallel: int) -> dict[str, str]:
    """Return the environment of the kernels: this one, with the cores shared out among runs side by side."""
    known = dict(os.environ)
    if parallel > 1:
        for name in THREAD_VARIABLES:
            known.setdefault(name, str(max(cores() // parallel, 1)))
    return known


def commit(folder: Path) -> str | None:
    """Return the short hash of a folder's commit, and " with changes" where there are; None without git."""
    try:
        head = git(folder, "rev-parse", "--short", "HEAD")
        return head + (" with changes" if git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def exit_code(done: Sequence[Mapping[str, Any]]) -> int:
    """Return the exit code of several runs: 130 if they were interrupted, else the first that is not 0."""
    codes = [one["exit_code"] for one in done if one["exit_code"]]
    return 130 if 130 in codes else codes[0] if codes else 0


def sweep(
    notebook: str | Path,
    grid: Mapping[str, object],
    *,
    runs_dir: Path | None = None,
    offline: bool | None = None,
    data_dir: Path | None = None,
    **how: Any,
) -> list[dict[str, Any]]:
    """Run a notebook for every combination of values; started again, it goes on where it stopped.

    Leaves `runs/sweep-<number>-<hash>/{sweep.json, table.csv}`; the table is written anew after each run.

    Parameters
    ----------
    grid : values by parameter: a list of values, or text with commas between the alternatives; for a
        parameter that is itself a list, semicolons
    how : as for `run`

    Returns
    -------
    The runs, in the order of the grid (the last parameter varies fastest), each with `sweep`: the sweep's
    folder.
    """
    path, progress = find_notebook(notebook), bool(how.get("display", True))
    varied, points = sweeps.points(path, grid)
    where: dict[str, Any] = {"runs_dir": runs_dir, "offline": offline, "data_dir": data_dir}
    jobs = [plan(path, point, progress=progress, **where) for point in points]
    table = sweeps.Table(jobs, varied)
    table.open()
    ends = run(jobs, done=table.add, **how)
    return [{**one, "sweep": str(table.folder)} for one in ends]
