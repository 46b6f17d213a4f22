"""Runs side by side: starts the workers, passes on what they tell, and survives whatever happens to them.

A run whose worker has died is ended here, and the kernel that it left is killed. On Ctrl-C or SIGTERM the
workers are told to stop; those that do not end within `PATIENCE` are killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from smlab import folders, workers
from smlab.folders import Job

PATIENCE = 12.0  # seconds that the workers have to end once they are told to
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
Listener = Callable[[int, tuple[Any, ...]], None]


@contextlib.contextmanager
def nameless_main() -> Iterator[None]:
    """Hide the main module: a new process would import it again, and a script would start all over."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def warm() -> None:
    """Start importing papermill in the background, once for all workers, where processes can be forked."""
    if METHOD != "forkserver":
        return
    from multiprocessing import forkserver

    multiprocessing.get_context(METHOD).set_forkserver_preload(["smlab.workers", "smlab.sessions", "smlab.kernels"])
    with nameless_main():
        forkserver.ensure_running()


@dataclasses.dataclass
class Worker:
    """A running worker as the pool sees it; `kernel` and `sockets` are known once it has a kernel."""

    index: int
    job: Job
    process: BaseProcess
    connection: Connection
    kernel: int | None = None
    sockets: str | None = None


class Pool:
    """Do jobs, `parallel` at a time.

    Parameters
    ----------
    options : passed to the workers: environment, force, timeout, commit
    listener : called with the index of a job and what its worker tells: ("start",), ("waiting",),
        ("cell", i, n, section), ("line", text); and with (-1, ("tick",)) at least twice a second
    """

    def __init__(self, jobs: Sequence[Job], parallel: int, options: dict[str, Any], listener: Listener) -> None:
        self.waiting = deque(enumerate(jobs))
        self.parallel, self.options, self.listener = parallel, options, listener
        self.active: dict[Connection, Worker] = {}
        self.stops = 0
        self.deadline: float | None = None

    def run(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the index of each job and its run, in the order in which they end."""
        try:
            while self.waiting or self.active:
                if self.stops:
                    yield from self.never_started()
                    self.wind_up()
                while self.waiting and len(self.active) < self.parallel:
                    self.start(*self.waiting.popleft())
                for connection in wait(list(self.active), timeout=0.4):
                    yield from self.receive(self.active[connection])  # type: ignore[index]
                self.listener(-1, ("tick",))
        finally:
            for worker in list(self.active.values()):  # only after an error of ours
                worker.process.kill()
                self.lost(worker)

    def stop(self, *_: Any) -> None:
        """Stop everything soon: told once, the workers end by themselves; told twice, they are killed."""
        self.stops += 1

    def start(self, index: int, job: Job) -> None:
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context(METHOD)
        process = context.Process(target=workers.work, args=(there, job, self.options))  # type: ignore[attr-defined]
        with nameless_main():
            process.start()
        there.close()
        self.active[here] = Worker(index, job, process, here)
        self.listener(index, ("start",))

    def receive(self, worker: Worker) -> Iterator[tuple[int, dict[str, Any]]]:
        """Take one message of a worker; its end, good or bad, yields its run."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield worker.index, self.lost(worker)
            return
        if message[0] == "kernel":
            worker.kernel, worker.sockets = message[1:]
        elif message[0] == "done":
            self.forget(worker)
            yield worker.index, message[1]
        else:
            self.listener(worker.index, message)

    def forget(self, worker: Worker) -> None:
        del self.active[worker.connection]
        worker.connection.close()
        worker.process.join(5)
        if worker.process.exitcode is None:
            worker.process.kill()

    def lost(self, worker: Worker) -> dict[str, Any]:
        """End the run of a worker that has died."""
        self.forget(worker)
        kill_kernel(worker.kernel, worker.sockets)
        status = "interrupted" if self.stops else "killed"
        message = "interrupted" if self.stops else f"the worker process {death(worker.process.exitcode)}"
        run = None
        with contextlib.suppress(OSError), folders.holding(worker.job.lock(), timeout=5) as mine:
            if mine and worker.job.work.exists():
                run = folders.salvage(worker.job.work, status, message)
        return run or workers.unable(worker.job, message, status)

    def never_started(self) -> Iterator[tuple[int, dict[str, Any]]]:
        while self.waiting:
            index, job = self.waiting.popleft()
            yield index, workers.unable(job, "interrupted before it began", "interrupted")

    def wind_up(self) -> None:
        """Tell the workers to stop, once; kill those that take too long or when told twice."""
        if self.deadline is None:
            self.deadline = time.monotonic() + PATIENCE
            for worker in self.active.values():
                with contextlib.suppress(OSError):
                    worker.connection.send("stop")
            self.listener(-1, ("stopping",))
        if time.monotonic() > self.deadline or self.stops > 1:
            for worker in self.active.values():
                worker.process.kill()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while the pool runs; only the main thread can do that."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def kill_kernel(pid: int | None, sockets: str | None) -> None:
    """Kill the kernel that a dead worker has left, if that process still is this kernel."""
    if pid is None or sockets is None:
        return
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        kernel = psutil.Process(pid)
        if any(sockets in argument for argument in kernel.cmdline()):
            if hasattr(os, "killpg"):
                os.killpg(pid, signal.SIGKILL)
            else:
                kernel.kill()
    shutil.rmtree(sockets, ignore_errors=True)
