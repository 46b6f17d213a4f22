"""A cache of folders, each whole or absent: written beside its place, checked, and renamed into it.

`CACHE/<name>/` holds the files and `source.json`, which says for each file its SHA-256, size and time of
change. A use compares size and time, and the whole SHA-256 when they differ. One lock per name lets two
processes ask for the same thing at once; a process that is killed leaves a work folder, which the next one
clears away.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from smlab import atomic
from smlab.checks import SmlabError
from smlab.progress import say

MANIFEST = "source.json"


class Corrupt(SmlabError):
    """A cached folder that is not what was put there."""


def fingerprint(hashes: dict[str, str]) -> str:
    """SHA-256 over names and SHA-256 of files, whatever their order.

    >>> fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    True
    """
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def check(folder: Path, pinned: dict[str, str | None]) -> dict[str, Any] | None:
    """Read the manifest of a cached folder after checking every file; None if there is no such folder.

    Parameters
    ----------
    pinned : file name -> SHA-256 that it must have, or None where only the manifest knows it

    Raises
    ------
    Corrupt
        If the manifest or a file is absent or is not what was put there.
    """
    if not folder.is_dir():
        return None
    manifest = _read(folder)
    changed = False
    for name, digest in pinned.items():
        entry = manifest["files"].get(name)
        if entry is None or digest not in (None, entry["sha256"]):
            raise Corrupt(f"{folder / name}: is not the file that belongs here")
        changed |= _check_file(folder / name, entry)
    if changed:  # touched or copied, but right: remember, so that the next use is quick; a read-only cache stays
        with suppress(OSError):
            _write(folder, manifest)
    return manifest


def _read(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for entry in manifest["files"].values():
            assert isinstance(entry["sha256"], str) and isinstance(entry["size"], int) and "mtime_ns" in entry
        assert isinstance(manifest["fingerprint"], str)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise Corrupt(f"{folder / MANIFEST}: cannot be read") from None
    if manifest["fingerprint"] != fingerprint({n: e["sha256"] for n, e in manifest["files"].items()}):
        raise Corrupt(f"{folder / MANIFEST}: does not agree with itself")
    return manifest


def _check_file(path: Path, entry: dict[str, Any]) -> bool:
    """Compare a file with its entry; True if the entry's time was out of date."""
    if path.is_symlink() or not path.is_file():
        raise Corrupt(f"{path}: is absent or no regular file")
    status = path.stat()
    if status.st_size == entry["size"] and status.st_mtime_ns == entry["mtime_ns"]:
        return False
    if status.st_size != entry["size"] or _sha256(path) != entry["sha256"]:
        raise Corrupt(f"{path}: has changed since it was fetched")
    entry["mtime_ns"] = status.st_mtime_ns
    return True


@contextmanager
def lock(cache: Path, name: str) -> Iterator[None]:
    """Hold the name's lock; says so when another process has held it for two seconds."""
    folder = cache / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / f"{name}.lock")
    try:
        held.acquire(timeout=2)
    except Timeout:
        say(f"waiting for another process that is fetching {name}")
        held.acquire(poll_interval=0.2)
    try:
        yield
    finally:
        held.release()


@contextmanager
def workplace(cache: Path, name: str) -> Iterator[Path]:
    """Give an empty folder in the cache that is gone afterwards; call it holding the lock of `name`."""
    for left in cache.glob(f".work-{name}-*"):  # of a killed process: the lock says that nobody works there
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(dir=cache, prefix=f".work-{name}-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def publish(work: Path, folder: Path, names: Iterable[str], facts: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of the named files in `work` and rename that folder to its place in one step."""
    files = {}
    for name in names:
        status = (work / name).stat()
        files[name] = {"sha256": _sha256(work / name), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    manifest = {
        "schema": 1,
        **facts,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": fingerprint({name: str(entry["sha256"]) for name, entry in files.items()}),
        "files": files,
    }
    _write(work, manifest)
    if folder.exists():  # a corrupt one: it leaves only now, when its replacement is whole
        folder.replace(work.parent / f"{work.name}.old")
    try:
        work.replace(folder)
    finally:
        shutil.rmtree(work.parent / f"{work.name}.old", ignore_errors=True)
    return manifest


def remove(cache: Path, name: str) -> int:
    """Delete a cached folder; give the bytes freed, 0 if there was none."""
    folder = cache / name
    if not folder.is_dir():
        return 0
    with lock(cache, name):
        freed = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        shutil.rmtree(folder)
    return freed


def _write(folder: Path, manifest: dict[str, Any]) -> None:
    atomic.write(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
