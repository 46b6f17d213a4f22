"""Is this machine ready? Python, torch, kernel, package index, formulas, disk: one line each, with a cure."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from smlab import __version__, catalog, packages
from smlab.checks import SmlabError, shorten

GOOD, WARN, BAD = "ok", "warning", "problem"
NEEDED_GB, COMFORTABLE_GB = 1, 5


@dataclass(frozen=True)
class Check:
    """One thing looked at: its state, what was found, and what to do where it is not good."""

    name: str
    state: str
    found: str
    cure: str = ""


def examine(runs_dir: Path) -> list[Check]:
    """Look at everything that a run needs; takes a few seconds and changes nothing."""
    return [python(), project(), torch(), kernel(), formulas(), index(), *disk(runs_dir), machine()]


def as_text(checks: list[Check]) -> str:
    """Lay the checks out for the terminal.

    >>> print(as_text([Check("disk", BAD, "0.1 GB free", "make room")]))
    problem  disk  0.1 GB free
                   → make room
    """
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.state:<8} {check.name:<{width}}  {check.found}")
        if check.cure:
            lines.append(f"{'':<{width + 9}}  → {check.cure}")
    return "\n".join(lines)


def python() -> Check:
    found = f"{platform.python_version()} in {sys.prefix}"
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return Check("Python", BAD, found, "smlab needs Python 3.11 to 3.13: make PYTHON=python3.11 run")
    own = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    return Check(
        "Python",
        GOOD if own else WARN,
        found,
        "" if own else "not a virtual environment: use .venv/bin/smlab",
    )


def project() -> Check:
    root = catalog.project_root()
    if root is None:
        return Check("smlab", BAD, f"{__version__}, no project folder", "change to the smlab folder, or set SMLAB_ROOT")
    pinned = (
        dict(line.split("==") for line in (root / "requirements.lock").read_text().splitlines() if "==" in line)
        if (root / "requirements.lock").exists()
        else {}
    )
    other = [name for name, version in pinned.items() if installed(name) not in (version, None)]
    absent = [name for name in pinned if installed(name) is None]
    found = f"{__version__} in {root}, {len(pinned)} packages locked"
    if other or absent:
        named = ", ".join((absent + other)[:5])
        return Check("smlab", WARN, f"{found}; other or absent: {named}", "make run installs the locked versions anew")
    return Check("smlab", GOOD, found)


def installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def torch() -> Check:
    """Import torch in another process: a broken build may take its process with it."""
    code = (
        "import json, torch; c = torch.cuda.is_available(); print(json.dumps([torch.__version__, torch.version.cuda, "
        "torch.cuda.get_device_name() if c else None, torch.cuda.mem_get_info()[1] / 2**30 if c else 0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["died without a word"])[-1]
        return Check("torch", BAD, shorten(last, 100), "make clean run installs it anew")
    version, cuda, device, memory = json.loads(done.stdout.splitlines()[-1])
    build = f"CUDA {cuda}" if cuda else "CPU"
    if device:
        return Check("torch", GOOD, f"{version} ({build} build), device {device}, {memory:.0f} GB")
    if shutil.which("nvidia-smi") and not cuda:
        return Check("torch", WARN, f"{version} (CPU build), a GPU is here", "install a CUDA build of torch==2.13.0")
    return Check("torch", GOOD, f"{version} ({build} build), device cpu")


def kernel() -> Check:
    """Ask which Python the kernel `python3` would start, as a run does."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Check("kernel", BAD, "no kernel python3", "make run installs ipykernel")
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    if spec.argv[0] not in ("python", "python3") and not same_python(program):
        return Check("kernel", WARN, f"python3 starts {program}", f"remove the kernel in {spec.resource_dir}")
    return Check("kernel", GOOD, f"python3 with ipykernel {installed('ipykernel')}")


def same_python(program: str) -> bool:
    asked = subprocess.run([program, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    return asked.stdout.strip() == sys.prefix


def formulas() -> Check:
    import pypandoc

    try:
        return Check("formulas", GOOD, f"pandoc {pypandoc.get_pandoc_version()}")
    except OSError as error:
        return Check("formulas", BAD, shorten(str(error)), "make clean run installs pypandoc_binary anew")


def index() -> Check:
    """Ask the package index that pip is set to for the file of the default data."""
    hint = "python -m pip config list shows index-url, proxy and cert; smlab run --offline needs no network"
    try:
        file = packages.find("recbole", "1.2.1", "recbole-1.2.1-py3-none-any.whl")
    except SmlabError as error:
        return Check("index", WARN, str(error), hint)
    return Check("index", GOOD, f"{urlsplit(file).netloc or file} has the data of the default runs")


def disk(runs_dir: Path) -> list[Check]:
    found = []
    for name, folder in (("disk, runs", runs_dir), ("disk, data", catalog.cache_dir())):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(there).free / 1e9
        state = BAD if free < NEEDED_GB else WARN if free < COMFORTABLE_GB else GOOD
        writable = os.access(there, os.W_OK)
        cure = "" if state == GOOD else "make room, or choose another folder with --runs-dir or SMLAB_CACHE"
        if not writable:
            state, cure = BAD, "not writable: choose another folder with --runs-dir or SMLAB_CACHE"
        found.append(Check(name, state, f"{free:.0f} GB free in {folder}", cure))
    return found


def machine() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{cores} cores, {memory.available / 2**30:.0f} of {memory.total / 2**30:.0f} GB memory free"
    return Check("machine", GOOD if memory.available > 2**30 else WARN, found)
