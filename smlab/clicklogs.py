"""Read the great public ad logs piece by piece, in bounded memory: Criteo and Avazu in their official formats.

| format | row | columns |
|---|---|---|
| criteo | tabs, no header | label, 13 whole numbers I1 to I13, 26 categories C1 to C26 of eight hexadecimal digits |
| avazu | commas, header | id, click, hour (YYMMDDHH), 9 whole numbers, 9 categories of eight hexadecimal digits |

`stream` yields frames that `encoding.hash_codes` takes: a column `click` and the fields as float64, where a category
is the number that its digits write and NaN an empty cell. Nothing is kept between pieces. A file may be gzipped.

A piece is parsed as one array of bytes: separators are found at once, and eight characters at a time are turned
into a number inside a 64-bit word (Lemire 2018, "Quickly parsing eight digits"), many times quicker than text.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.archives import Member
from smlab.checks import DataError, UsageError, nearest
from smlab.progress import meter

Words = NDArray[np.uint64]
BLOCK = 1 << 22  # bytes read at once
LONGEST = 1 << 16  # bytes of the longest line that is believed


@dataclass(frozen=True)
class Format:
    """How a log is written: separator, whether there is a header, and name and kind of each column."""

    separator: str
    header: bool
    columns: tuple[tuple[str, str], ...]  # kinds: click, whole, hex, hour, skip

    @property
    def fields(self) -> list[str]:
        """Names of the columns that a model may use, as `stream` gives them."""
        names = [name for name, kind in self.columns if kind in ("whole", "hex")]
        return names + [name for _, kind in self.columns if kind == "hour" for name in ("hour", "weekday")]


_AVAZU_HEX = ("site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category", "device_id",
              "device_ip", "device_model")  # fmt: skip
FORMATS = {
    "criteo": Format(
        "\t",
        False,
        (("click", "click"), *((f"I{i}", "whole") for i in range(1, 14)), *((f"C{i}", "hex") for i in range(1, 27))),
    ),
    "avazu": Format(
        ",",
        True,
        (
            ("id", "skip"), ("click", "click"), ("hour", "hour"), ("C1", "whole"), ("banner_pos", "whole"),
            *((name, "hex") for name in _AVAZU_HEX), ("device_type", "whole"), ("device_conn_type", "whole"),
            *((f"C{i}", "whole") for i in range(14, 22)),
        ),
    ),
}  # fmt: skip


def stream(
    path: str | Path | Member,
    format: str,
    chunk_rows: int = 100_000,
    *,
    limit: int | None = None,
    progress: bool = True,
) -> Iterator[pd.DataFrame]:
    """Yield frames of at most `chunk_rows` rows, in the order of the file.

    Parameters
    ----------
    path : the file, plain or gzipped, or a member of a zip file
    format : "criteo" or "avazu"
    limit : stop after so many rows
    progress : show how much of the file is done, on standard error

    Yields
    ------
    frame with click (int64), the fields (float64, NaN where the cell is empty) and for Avazu time (UTC); numbered
    by the row in the file, from 0

    Raises
    ------
    DataError
        For a row of another width or a value of another kind, with its line and column.
    UsageError
        For an unknown format, or a number of rows below 1.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown format {format!r}: {nearest(format, FORMATS)}")
    if chunk_rows < 1 or (limit is not None and limit < 1):
        raise UsageError(f"chunk_rows={chunk_rows}, limit={limit}: at least one row is needed")
    member = path if isinstance(path, Member) else Member(Path(path))
    return _frames(member, FORMATS[format], chunk_rows, limit, progress)


def _frames(member: Member, rules: Format, size: int, limit: int | None, progress: bool) -> Iterator[pd.DataFrame]:
    file, done, line = str(member), 0, 1
    for piece, rows in _pieces(member, size, progress):
        if line == 1:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
            if rules.header:
                head, _, piece = piece.partition(b"\n")
                _check_header(head, file, rules)
                rows, line = rows - 1, 2
        if limit is not None and done + rows > limit:
            rows = limit - done
            piece = b"\n".join([*piece.split(b"\n", rows)[:rows], b""])
        if rows:
            frame = parse(piece, rows, line, file, rules)
            frame.index = pd.RangeIndex(done, done + rows)
            yield frame
        done, line = done + rows, line + rows
        if limit is not None and done >= limit:
            return
    if not done:
        raise DataError(file, "holds a header and no rows" if line > 1 else "is empty")


def _pieces(member: Member, size: int, progress: bool) -> Iterator[tuple[bytes, int]]:
    """Cut the bytes into pieces of `size` whole lines; give each with its number of lines."""
    file = str(member)
    with ExitStack() as stack:
        raw = stack.enter_context(member.open())
        total = member.container.stat().st_size if member.inner is None else None
        advance = stack.enter_context(meter(f"reading {member.name}", total, progress))
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        text = cast(IO[bytes], stack.enter_context(gzip.open(raw)) if gzipped else raw)
        blocks, lines, told = [], 0, 0
        while block := _read(text, file):
            advance(raw.tell() - told)
            told = raw.tell()
            blocks.append(block)
            lines += block.count(b"\n")
            if lines < size:
                if sum(map(len, blocks)) > LONGEST * (lines + 1) + BLOCK:
                    raise DataError(file, f"has a line longer than {LONGEST} bytes; it is no such log", row=lines + 1)
                continue
            data = b"".join(blocks)
            ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
            start = 0
            for end in ends[size - 1 :: size] + 1:
                yield data[start:end], size
                start = int(end)
            blocks, lines = [data[start:]], len(ends) % size
        rest = b"".join(blocks).rstrip(b"\r\n")
        if rest:
            yield rest + b"\n", rest.count(b"\n") + 1


def _read(text: IO[bytes], file: str) -> bytes:
    try:
        return text.read(BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(file, f"is a broken gzip file ({error})") from None


def _check_header(head: bytes, file: str, rules: Format) -> None:
    names = head.decode("utf-8", "replace").strip("\r").split(rules.separator)
    expected = [name for name, _ in rules.columns]
    if names != expected:
        wrong = next((e for f, e in zip([*names, *expected], expected, strict=False) if f != e), names[-1])
        rule = f"must be the header {rules.separator.join(expected[:4])}, …; column {wrong!r} is not where it belongs"
        raise DataError(file, rule, row=1, value=", ".join(names))


def parse(piece: bytes, rows: int, line: int, file: str, rules: Format) -> pd.DataFrame:
    """Turn `rows` whole lines into a frame; `line` is the number of the first."""
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n")
    width = len(rules.columns)
    text = np.frombuffer(piece + bytes(16), np.uint8)  # room for the last word
    at = np.flatnonzero((text == ord(rules.separator)) | (text == 10))
    shape = (text[at] == 10).reshape(rows, width) if len(at) == rows * width else None
    if shape is None or not shape[:, -1].all() or shape[:, :-1].any():
        _refuse_width(piece, line, file, rules)
    start = np.concatenate([[0], at[:-1] + 1]).reshape(rows, width)
    cells = _Cells(text, start, at.reshape(rows, width) - start, line, file, rules)
    frame: dict[str, NDArray] = {}
    for kind in ("click", "whole", "hex", "hour"):
        columns = [i for i, (_, k) in enumerate(rules.columns) if k == kind]
        found = getattr(cells, kind)(columns)
        frame |= {rules.columns[i][0]: found[:, j] for j, i in enumerate(columns)}
    if "hour" in frame:
        moments = pd.to_datetime(pd.Series(frame.pop("hour")), unit="s", utc=True).astype("datetime64[ns, UTC]")
        local = {"hour": moments.dt.hour, "weekday": moments.dt.day_of_week}
        return pd.DataFrame(frame | {k: v.astype(float) for k, v in local.items()} | {"time": moments})
    return pd.DataFrame(frame)


def _refuse_width(piece: bytes, line: int, file: str, rules: Format) -> None:
    width = len(rules.columns)
    lines = piece[:-1].split(b"\n")
    counts = [row.count(rules.separator.encode()) + 1 for row in lines]
    wrong = [i for i, count in enumerate(counts) if count != width]
    rule = f"must have {width} columns separated by {rules.separator!r}, has {counts[wrong[0]]}"
    shown = lines[wrong[0]].decode("utf-8", "replace")
    raise DataError(file, rule, row=line + wrong[0], value=shown, more=len(wrong) - 1)


def _each(byte: int) -> np.uint64:
    """Give a word of eight equal bytes."""
    return np.uint64(byte * 0x0101010101010101)


@dataclass
class _Cells:
    """The cells of a piece, by the place of their first byte and their length, both (n_rows, n_columns)."""

    text: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    line: int
    file: str
    rules: Format

    def click(self, columns: list[int]) -> NDArray[np.int64]:
        digit = self.text[self.start[:, columns]].astype(np.int64) - 48
        self._must((self.length[:, columns] == 1) & ((digit == 0) | (digit == 1)), columns, "must be 0 or 1")
        return digit

    def hex(self, columns: list[int]) -> NDArray[np.float64]:
        """Read eight hexadecimal digits as a number; NaN for an empty cell."""
        length = self.length[:, columns]
        x = self._words(self.start[:, columns])
        nibble = (x & _each(0x0F)) + ((x >> np.uint64(6)) & _each(1)) * np.uint64(9)
        letter = ((nibble + _each(6)) >> np.uint64(4)) & _each(1)
        again = nibble + _each(48) + letter * np.uint64(39)  # written as digits, it must be the same
        right = (length == 8) & (again == x) & (nibble & _each(0xF0) == 0)
        self._must(right | (length == 0), columns, "must be eight hexadecimal digits in small letters, or empty")
        v = nibble
        for shift, mask in ((4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF)):
            v = ((v << np.uint64(shift)) | (v >> np.uint64(2 * shift))) & np.uint64(mask)
        return np.where(length == 0, np.nan, v.astype(float))

    def whole(self, columns: list[int]) -> NDArray[np.float64]:
        """Read whole numbers, which may be negative; NaN for an empty cell."""
        length = self.length[:, columns]
        minus = (self.text[self.start[:, columns]] == ord("-")) & (length > 1)
        first, digits = self.start[:, columns] + minus, length - minus
        value, right = self._number(first, np.minimum(digits, 8))
        for row, column in zip(*np.nonzero(digits > 8), strict=True):  # few: hand them over
            at = first[row, column]
            written = self.text[at : at + digits[row, column]].tobytes()
            right[row, column] = written.isdigit() and len(written) <= 15
            value[row, column] = float(written) if right[row, column] else 0
        self._must(right | (length == 0), columns, "must be a whole number below 10**15, or empty")
        return np.where(length == 0, np.nan, np.where(minus, -value, value))

    def hour(self, columns: list[int]) -> NDArray[np.int64]:
        """Read YYMMDDHH as seconds since 1970."""
        value, right = self._number(self.start[:, columns], np.minimum(self.length[:, columns], 8))
        right &= self.length[:, columns] == 8
        written = pd.Series(np.where(right, value, 0).astype(np.int64).ravel())
        each = pd.to_datetime("20" + pd.Series(written.unique()).astype("str").str.zfill(8), format="%Y%m%d%H",
                              errors="coerce", utc=True)  # fmt: skip
        moments = written.map(dict(zip(written.unique(), each, strict=True)))
        right &= moments.notna().to_numpy().reshape(right.shape)
        self._must(right, columns, "must be an hour written YYMMDDHH")
        return np.asarray(moments.astype("datetime64[s, UTC]"), "datetime64[s]").astype(np.int64).reshape(right.shape)

    def _number(self, first: NDArray[np.int64], length: NDArray[np.int64]) -> tuple[NDArray, NDArray[np.bool_]]:
        """Read up to eight digits; give the numbers and where there are digits and nothing else."""
        shift = np.uint64(64) - np.uint64(8) * np.maximum(length, 1).astype(np.uint64)
        x, present = self._words(first) << shift, _each(48) << shift  # the last digit is the highest byte
        v = x & _each(0x0F)
        over = ((v + _each(6)) >> np.uint64(4)) & _each(1)  # a nibble from 10 to 15
        right = (length > 0) & ((v | present) == x) & (over == 0)
        v = (v * np.uint64(2561)) >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
        v = (v * np.uint64(6553601)) >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
        v = (v * np.uint64(42949672960001)) >> np.uint64(32)
        return v.astype(float), right

    def _words(self, start: NDArray[np.int64]) -> Words:
        """Give the eight bytes from each place as one word, the first byte the lowest."""
        every = np.lib.stride_tricks.as_strided(self.text, (len(self.text) - 7, 8), (1, 1))
        return np.ascontiguousarray(every[start]).view("<u8")[..., 0]

    def _must(self, right: NDArray[np.bool_], columns: list[int], rule: str) -> None:
        if right.all():
            return
        row, column = (int(i[0]) for i in np.nonzero(~right))
        place = columns[column]
        begin = self.start[row, place]
        value = self.text[begin : begin + self.length[row, place]].tobytes().decode("utf-8", "replace")
        more = int((~right[:, column]).sum()) - 1
        raise DataError(
            self.file, rule, row=self.line + row, column=self.rules.columns[place][0], value=value, more=more
        )
