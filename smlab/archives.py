"""Read archives as if they wanted to harm: named members only, regular files only, and never more than
allowed.

An archive is data from outside. Nothing in it chooses where a file is written: the caller names the members
that it wants and the file names that they get. Refused are absolute and parent paths, links, devices,
encrypted and repeated members, and contents that unpack to more than they may.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from smlab import atomic
from smlab.checks import SmlabError

CHUNK = 1 << 20
LIMIT_BYTES = 4_000_000_000
RATIO = 200  # deflate reaches about 1030 on zeros; tables of numbers and text stay below 30
HEADERS = 100_000
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, ValueError, LookupError, OverflowError, NotImplementedError,
)  # fmt: skip


class HostileArchive(SmlabError):
    """An archive that asks for what no honest one needs, or that is broken."""


@dataclass(frozen=True)
class Member:
    """A file in a folder, or a member of a zip file; both are read in the same way.

    Parameters
    ----------
    container : the file itself, or the zip file that holds it
    inner : name inside the zip file, or None for a file of its own
    """

    container: Path
    inner: str | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.inner).name if self.inner else self.container.name

    def __str__(self) -> str:
        return f"{self.container}/{self.inner}" if self.inner else str(self.container)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for reading bytes; a zip member is checked first."""
        if self.inner is None:
            with self.container.open("rb") as stream:
                yield stream
            return
        with _guard(self.container), zipfile.ZipFile(self.container) as archive:
            _check_zip(archive, self.container, [self.inner])
            info = archive.getinfo(self.inner)
            _check_size(self.container, self.inner, info.file_size, info.compress_size, LIMIT_BYTES)
            with archive.open(info) as stream:
                yield stream

    def read(self) -> bytes:
        """All bytes."""
        with self.open() as stream:
            return stream.read()

    def sha256(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        with self.open() as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def entries(path: Path) -> list[Member]:
    """List the files directly in a folder, or the files anywhere in a zip file, sorted by name."""
    if path.is_dir():
        return [Member(p) for p in sorted(path.iterdir()) if p.is_file() and not p.name.startswith(".")]
    with _guard(path), zipfile.ZipFile(path) as archive:
        if len(archive.filelist) > HEADERS:
            raise HostileArchive(f"{path}: {len(archive.filelist)} members are too many")
        names = {info.filename for info in archive.filelist if not info.is_dir()}
        return [Member(path, name) for name in sorted(names)]


def unpack(archive: Path, members: dict[str, str], to: Path, limit_bytes: int = LIMIT_BYTES) -> dict[str, str]:
    """Write the named members of a zip, wheel or tar file into the folder `to`.

    Parameters
    ----------
    archive : the file; it is only ever read
    members : name inside the archive -> file name (no folders) in `to`
    limit_bytes : the most that all members together may hold

    Returns
    -------
    file name -> SHA-256 of what was written

    Raises
    ------
    HostileArchive
        If a wanted member is absent, repeated, encrypted, a link or device, named outside the archive, or too
        large; the files of earlier members may be left in `to`, never a part of a file.
    """
    for target in members.values():
        if target != Path(target).name or target in ("", ".", ".."):
            raise ValueError(f"target {target!r} is not a plain file name")
    to.mkdir(parents=True, exist_ok=True)
    with _guard(archive):
        if zipfile.is_zipfile(archive):
            return _unzip(archive, members, to, limit_bytes)
        return _untar(archive, members, to, limit_bytes)


@contextmanager
def _guard(path: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise HostileArchive(f"{path}: the archive is broken ({error or type(error).__name__})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a header that points to before the beginning of the file
            raise
        raise HostileArchive(f"{path}: the archive is broken ({error})") from error
    except RuntimeError as error:  # zipfile's way to say that a password is needed
        raise HostileArchive(f"{path}: {error}") from error


def _unzip(path: Path, members: dict[str, str], to: Path, limit_bytes: int) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        _check_zip(archive, path, list(members))
        left, written = limit_bytes, {}
        for name, target in members.items():
            info = archive.getinfo(name)
            _check_size(path, name, info.file_size, info.compress_size, left)
            with archive.open(info) as stream:
                size, written[target] = _copy(stream, to / target, left, f"{path}, member {name!r}")
            left -= size
    return written


def _check_zip(archive: zipfile.ZipFile, path: Path, wanted: list[str]) -> None:
    if len(archive.filelist) > HEADERS:
        raise HostileArchive(f"{path}: {len(archive.filelist)} members are too many")
    names = [info.filename for info in archive.filelist]
    for name in wanted:
        _check_name(path, name)
        _check_once(path, name, names.count(name))
        info = archive.getinfo(name)
        # the upper half of external_attr is the Unix mode: 0 (not Unix) or a regular file
        if info.is_dir() or (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
            raise HostileArchive(f"{path}, member {name!r}: is not a regular file")
        if info.flag_bits & 0x1:
            raise HostileArchive(f"{path}, member {name!r}: is encrypted")


def _untar(path: Path, members: dict[str, str], to: Path, limit_bytes: int) -> dict[str, str]:
    packed = path.stat().st_size
    left, written, seen = limit_bytes, {}, dict.fromkeys(members, 0)
    # a tar file is read once, forward; members that nobody asked for are skipped and never written
    with _Metered(path, RATIO * packed) as raw, tarfile.open(fileobj=raw, mode="r|") as archive:
        for info in archive:
            if info.name not in members:
                continue
            seen[info.name] += 1
            _check_name(path, info.name)
            _check_once(path, info.name, seen[info.name])
            if not info.isreg():
                raise HostileArchive(f"{path}, member {info.name!r}: is not a regular file")
            _check_size(path, info.name, info.size, packed, left)
            stream, target = archive.extractfile(info), members[info.name]
            assert stream is not None
            size, written[target] = _copy(stream, to / target, left, f"{path}, member {info.name!r}")
            left -= size
    for name, times in seen.items():
        _check_once(path, name, times)
    return written


class _Metered(io.RawIOBase):
    """The unpacked bytes of a tar or tar.gz file, read forward; an error when they are too many."""

    def __init__(self, path: Path, limit: int) -> None:
        with path.open("rb") as stream:
            gzipped = stream.read(2) == b"\x1f\x8b"
        self.path, self.left = path, limit
        self.stream = gzip.GzipFile(path) if gzipped else io.FileIO(path)

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(min(size, CHUNK) if size >= 0 else CHUNK) or b""
        self.left -= len(data)
        if self.left < 0:
            raise HostileArchive(f"{self.path}: unpacks to absurdly much, more than {RATIO} times its size")
        return data

    def close(self) -> None:
        self.stream.close()
        super().close()


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":" or "\0" in name:
        raise HostileArchive(f"{path}, member {name!r}: the name leads out of the archive")


def _check_once(path: Path, name: str, times: int) -> None:
    if times != 1:
        raise HostileArchive(f"{path}, member {name!r}: " + ("is there more than once" if times else "is absent"))


def _check_size(path: Path, name: str, size: int, packed: int, limit: int) -> None:
    if size > limit:
        raise HostileArchive(f"{path}, member {name!r}: {size} bytes are more than the {limit} allowed")
    if size > 1_000_000 and size > RATIO * max(packed, 1):
        raise HostileArchive(f"{path}, member {name!r}: {packed} bytes unpack to {size}, which no honest table does")


def _copy(stream: IO[bytes], target: Path, limit: int, label: str) -> tuple[int, str]:
    """Copy at most `limit` bytes to a temporary name and rename at the end; give size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with atomic.writing(target) as out:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise HostileArchive(f"{label}: holds more than the {limit} bytes allowed")
            digest.update(chunk)
            out.write(chunk)
    return size, digest.hexdigest()
