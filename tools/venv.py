"""Make `.venv` and install the locked environment, saying how far it is.

    python3.11 tools/venv.py          make .venv from requirements.lock
    python3.11 tools/venv.py --lock   solve pyproject.toml anew in a fresh environment and write requirements.lock

Needs nothing but Python; index address, certificates and proxy are those of pip's own configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
# What a GPU build of torch brings along: left out, so that one lock serves CPU and CUDA machines.
CUDA = re.compile(r"(?i)^(nvidia|cuda|triton|pytorch-triton|cupti)")


def main() -> int:
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return stop(f"smlab needs Python 3.11 to 3.13; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11")
    if "--lock" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            python = make(Path(folder) / "venv")
            pip(python, f"{ROOT}[dev]", "setuptools")
            write_lock(python)
        return 0
    folder = ROOT / ".venv"
    started = time.monotonic()
    python = make(folder)
    pip(python, "-r", str(LOCK), total=sum(1 for _ in pins(LOCK)))
    pip(python, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    say(f"environment ready in {folder.name} ({time.monotonic() - started:.0f} s)\n")
    return 0


def make(folder: Path) -> Path:
    """Create the environment, or keep the one that is there and still starts with this Python's version."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    probe = [str(python), "-c", "import sys, pip; print('%d.%d' % sys.version_info[:2])"]
    if python.exists():
        found = subprocess.run(probe, capture_output=True, text=True)
        if found.returncode == 0 and found.stdout.strip() == version:
            return python
        shutil.rmtree(folder)
    say(f"making {folder.name} with Python {sys.version.split()[0]} …\n")
    done = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        hint = "on Debian and Ubuntu: apt install python3-venv"
        raise SystemExit(stop(f"python -m venv failed ({hint}):\n{done.stdout}{done.stderr}"))
    return python


def pip(python: Path, *what: str, total: int = 0) -> None:
    """Run `pip install`, showing a counter instead of several hundred lines; the last lines when it fails."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *what]
    tail: deque[str] = deque(maxlen=25)
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        assert run.stdout
        for line in run.stdout:
            tail.append(line)
            if line.startswith(("Collecting", "Requirement already satisfied")):
                seen += 1
                name = re.split(r"[ =<>~!;\[(]", line.split(": ")[-1].removeprefix("Collecting ").strip())[0]
                count(seen, total, name)
            elif line.startswith("Installing collected packages") and total:
                say(f"\nunpacking {total} packages (half a minute or so) …\n")
    if run.returncode:
        print("".join(tail), file=sys.stderr)
        raise SystemExit(
            stop(
                "pip could not install the environment; its last lines are above. No network? Check\n"
                "`python -m pip config list` (index-url, proxy, cert) and run the same command again:"
                " what is installed already is kept."
            )
        )


def count(seen: int, total: int, name: str) -> None:
    of = f"{seen}/{total}" if total else str(seen)
    if sys.stdout.isatty():
        say(f"\r\033[Kinstalling packages: {of} {name}")
    elif total and (seen == 1 or seen % 40 == 0):
        say(f"installing packages: {of} {name}\n")


def pins(lock: Path) -> list[str]:
    return [line for line in lock.read_text().splitlines() if line and not line.startswith(("#", " "))]


def write_lock(python: Path) -> None:
    frozen = subprocess.run(
        [str(python), "-m", "pip", "freeze", "--all"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    lines = [
        re.sub(r"\+[A-Za-z0-9.]+$", "", line)  # torch==2.13.0+cpu: the build is the index's choice
        for line in frozen
        if "==" in line and not CUDA.match(line) and not line.lower().startswith(("pip==", "smlab"))
    ]
    head = "# Every package of the environment, pinned. Written by `make lock`; do not edit.\n"
    temporary = LOCK.with_suffix(".tmp")
    temporary.write_text(head + "\n".join(sorted(lines, key=str.lower)) + "\n")
    temporary.replace(LOCK)
    say(f"\n{LOCK.name}: {len(lines)} packages\n")


def say(text: str) -> None:
    print(text, end="", flush=True)


def stop(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
