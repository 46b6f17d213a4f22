"""One kernel process: how it is started, reached, told to stop, and surely ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

GRACE = 3.0  # seconds that a kernel has to stop by itself before it is killed
SHUTDOWN = 2.0  # seconds that a kernel has to leave after its last cell; some stall
# A kernel that prints faster than we read drops messages by default, the last one of the cell included, and
# the run would wait for that in vain. This line makes its output socket wait for us instead.
NEVER_DROP = (
    "(lambda out: out.schedule(lambda: out.socket.setsockopt(__import__('zmq').XPUB_NODROP, 1)))"
    "(__import__('ipykernel.kernelapp').kernelapp.IPKernelApp.instance().iopub_thread)"
)
LEAVE = "__import__('IPython').get_ipython().ask_exit()"
Notify = Callable[[tuple[Any, ...]], None]


class Session:
    """What the parts of one execution share: where to save, whom to tell, and whether to stop.

    `stop` may be called from any thread and from a signal handler. A `note` is a file that holds, while the
    kernel runs, where its sockets are: for whoever clears up after this process was killed.
    """

    def __init__(self, output: Path, notify: Notify, note: Path | None = None) -> None:
        self.output, self.notify, self.note = output, notify, note
        self.reason: str | None = None
        self.kernel: subprocess.Popen[bytes] | None = None
        self.sockets: Path | None = None
        self.manager: Any = None  # papermill's record of the cells, once there is one
        self.shut_down = False
        self.over = False

    def stop(self, reason: str) -> None:
        """Interrupt the running cell, so that its traceback is kept; kill the kernel if that is no help."""
        self.reason = self.reason or reason
        self.signal_kernel(getattr(signal, "SIGINT", None))
        timer = threading.Timer(GRACE, self.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        if not self.over:
            self.signal_kernel(getattr(signal, "SIGKILL", None))

    def signal_kernel(self, number: int | None) -> None:
        """Send a signal to the kernel and its children; Windows knows only the end of a process."""
        if self.kernel is None or self.kernel.returncode is not None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg") and number is not None:
                os.killpg(self.kernel.pid, number)
            else:
                self.kernel.kill()

    def exit_code(self) -> int | None:
        """Return the exit code of a kernel that ended without being asked to."""
        return None if self.kernel is None or self.shut_down else self.kernel.returncode

    def started(self, kernel: subprocess.Popen[bytes]) -> None:
        self.kernel = kernel
        if self.note is not None:
            with contextlib.suppress(OSError):
                self.note.write_text(str(self.sockets), encoding="utf-8")
        if self.reason:
            self.kill()
        self.notify(("kernel", kernel.pid, str(self.sockets)))


class KernelManager(AsyncKernelManager):
    """A kernel manager that tells which process it has started, and when it was asked to end it."""

    session_of_run: Session

    @classmethod
    def of(cls, session: Session, name: str) -> KernelManager:
        """Return the manager of a session's kernel."""
        manager = cls(kernel_name=name, shutdown_wait_time=SHUTDOWN)
        manager.session_of_run = session
        if os.name != "nt":  # sockets in a private folder: no ports to collide, nothing open to the network
            session.sockets = socket_folder()
            manager.transport = "ipc"
            manager.ip = str(session.sockets / "k")
            manager.connection_file = str(session.sockets / "kernel.json")
        return manager

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        await super()._async_launch_kernel(kernel_cmd, **kw)
        self.session_of_run.started(self.provisioner.process)  # type: ignore[union-attr]

    async def _async_shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        self.session_of_run.shut_down = True
        await super()._async_shutdown_kernel(now, restart)

    shutdown_kernel = _async_shutdown_kernel

    async def _async_interrupt_kernel(self) -> None:
        """Do nothing: a shutdown interrupts first, which would hit the request to leave."""

    async def _async_request_shutdown(self, restart: bool = False) -> None:
        """Ask the kernel to leave as a cell can; if it does not, as the protocol says.

        A request on the control channel makes the kernel close its output while the thread of that channel
        still writes to it; one shutdown in ten then hangs until somebody loses patience.
        """
        content = {"code": LEAVE, "silent": True, "store_history": False, "allow_stdin": False}
        shell = self.connect_shell()
        self.session.send(shell, "execute_request", {**content, "user_expressions": {}})
        kernel = self.session_of_run.kernel
        for _ in range(25):
            if kernel is None or kernel.poll() is not None:
                break
            await asyncio.sleep(0.02)
        else:
            await super()._async_request_shutdown(restart)
        shell.close(linger=0)


def socket_folder() -> Path:
    """Make a private folder for sockets, whose path must be short: macOS allows 104 bytes."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="smlab-", dir=base if len(base) < 70 else "/tmp")).resolve()


def close(session: Session) -> None:
    """Make sure that no kernel and no socket is left."""
    if session.kernel is not None and session.kernel.poll() is None:
        session.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            session.kernel.wait(5)
    session.over = True
    if session.note is not None:
        session.note.unlink(missing_ok=True)
    if session.sockets is not None:
        shutil.rmtree(session.sockets, ignore_errors=True)
