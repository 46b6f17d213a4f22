"""Read a file that may be packed with xz as it is unpacked, in bounded memory and never more than allowed."""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from smlab.archives import CHUNK, LIMIT_BYTES, HostileArchive, Member

MAGIC = b"\xfd7zXZ\0"
MEMORY = 1 << 27  # xz -9 needs 65 MB; a header may ask for 4 GB


@contextmanager
def unpacked(member: Member, limit_bytes: int = LIMIT_BYTES) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; one that begins as xz does is unpacked on the way.

    Raises
    ------
    HostileArchive
        While reading: for broken or cut xz, for bytes after its end, where it asks for more than 128 MB to be
        unpacked in, and when more than `limit_bytes` come out.
    """
    with member.open() as raw:
        start = raw.read(len(MAGIC))
        if start == MAGIC:
            yield io.BufferedReader(_Unxz(raw, str(member), limit_bytes), CHUNK)
        else:
            yield io.BufferedReader(_Joined(start, raw), CHUNK)


class _Joined(io.RawIOBase):
    """Bytes that were read already, then the rest."""

    def __init__(self, start: bytes, raw: IO[bytes]) -> None:
        self.start, self.raw = start, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.start[: len(buffer)] or self.raw.read(len(buffer))
        self.start = self.start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Unxz(io.RawIOBase):
    def __init__(self, raw: IO[bytes], label: str, limit: int) -> None:
        self.raw, self.label, self.left, self.waiting = raw, label, limit, MAGIC
        self.decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = b""
        while not data and not self.decoder.eof:
            data = self._step(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise HostileArchive(f"{self.label}: unpacks to more than it may")
        buffer[: len(data)] = data
        return len(data)

    def _step(self, size: int) -> bytes:
        packed = b""
        if self.decoder.needs_input:
            packed, self.waiting = self.waiting or self.raw.read(CHUNK), b""
            if not packed:
                raise HostileArchive(f"{self.label}: the xz file is cut off")
        try:
            data = self.decoder.decompress(packed, size)
        except lzma.LZMAError as error:
            raise HostileArchive(f"{self.label}: the xz file is broken ({error})") from None
        if self.decoder.eof and (self.decoder.unused_data or self.raw.read(1)):
            raise HostileArchive(f"{self.label}: holds more after the end of the xz file")
        return data
