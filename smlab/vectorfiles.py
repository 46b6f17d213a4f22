"""Word vectors that others have learnt: files of the word2vec tool (text or binary), of GloVe and of fastText (text).

    400000 100                    number of words and of factors; GloVe leaves this line out
    good 0.12 -0.34 …             text: a word and its numbers
    good <4 bytes> <4 bytes> …    binary: the numbers as float32, little end first

Text and binary are told apart by their bytes; a name that ends in .gz is unpacked on the way. A whole file is read into
memory, or with `limit` its first words, which are the most frequent ones in such files.
"""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, cast

import numpy as np

from smlab.checks import DataError, UsageError
from smlab.wordvectors import Floats, WordVectors, need_file

CHUNK = 1 << 20  # bytes read at a time
LONGEST_WORD = 10_000  # bytes; what has no space for so long is no list of words
NUMBER_TOO_MANY = re.compile(r"\s[-+]?[\d.]*\d[\d.]*(e[-+]?\d+)?$", re.IGNORECASE)  # behind a word
Part = tuple[list[str], Floats]  # some words and their vectors


def read_vectors(path: str | Path, *, limit: int | None = None) -> WordVectors:
    """Read a file of word vectors; a word that comes again is left out, with a warning.

    Raises
    ------
    DataAbsent, DataError
        If there is no such file, or a line breaks the format: with its row and value.
    """
    need_file(path)
    if limit is not None and limit < 1:
        raise UsageError(f"limit={limit}: at least one word has to be read")
    with _opened(Path(path)) as file:
        try:
            words, matrix = _read(file, path, limit)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(path, f"is no whole gzip file: {error}") from None
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    if len(first) == len(words):
        return WordVectors(words, matrix)
    warnings.warn(f"{path}: {len(words) - len(first)} words come again and were left out", stacklevel=2)
    return WordVectors(list(first), matrix[list(first.values())])


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _read(file: IO[bytes], path: str | Path, limit: int | None) -> Part:
    head = file.readline(CHUNK)
    fields = head.split()
    titled = len(fields) == 2 and all(f.isdigit() for f in fields)
    n, d = (int(f[:12]) for f in fields) if titled else (None, len(fields) - 1)
    if d < 1 or n == 0 or not (titled or _is_text(head)):
        rule = "must be the number of words and of factors, or a word and its numbers"
        raise DataError(path, rule, row=1, value=head.decode(errors="replace").strip())
    wanted = n if limit is None else min(limit, n or limit)
    sample = file.read(CHUNK)
    if n and not _is_text(sample):
        return _binary(sample, file, path, wanted or n, d)
    *whole, cut = (sample if titled else head + sample).split(b"\n")
    lines = enumerate(chain(whole, [cut + file.readline()], file), 2 if titled else 1)
    words, matrix = _text(islice(((row, line) for row, line in lines if line.strip()), limit), path, d)
    if n and len(words) != wanted:
        raise DataError(path, f"promises {n} words in its first row and has {len(words)}")
    return words, matrix


def _is_text(sample: bytes) -> bool:
    """Say whether more than half of the bytes are those of written numbers; of float32 hardly any are."""
    return len(sample.translate(None, b"0123456789.+-eE \t\r\n")) <= len(sample) / 2


def _text(lines: Iterator[tuple[int, bytes]], path: str | Path, d: int) -> Part:
    """Read lines of a word and d numbers, many at once; where that fails, one by one to find the broken one."""
    parts: list[Part] = [([], np.empty((0, d), dtype=np.float32))]
    while some := list(islice(lines, 5000)):
        try:
            parts.append(_at_once([line for _, line in some], d))
        except (ValueError, DeprecationWarning):  # so numpy calls text that is no number
            parts.append(_one_by_one(some, path, d))
    return [word for words, _ in parts for word in words], np.concatenate([block for _, block in parts])


def _at_once(lines: list[bytes], d: int) -> Part:
    split = [line.rstrip().partition(b" ") for line in lines]
    if any(not word or numbers.count(b" ") != d - 1 for word, _, numbers in split):
        raise ValueError
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        block = np.fromstring(b" ".join(numbers for _, _, numbers in split), dtype=np.float32, sep=" ")
    if not np.isfinite(block).all():
        raise ValueError
    return [word.decode() for word, _, _ in split], block.reshape(len(lines), d)


def _one_by_one(lines: list[tuple[int, bytes]], path: str | Path, d: int) -> Part:
    """Read lines whose words may hold spaces, and whose numbers may stand further apart."""
    words, matrix = [], np.empty((len(lines), d), dtype=np.float32)
    for i, (row, line) in enumerate(lines):
        text = line.decode(errors="replace").strip()
        try:
            word, *numbers = line.rstrip().rsplit(None, d)
            matrix[i : i + 1] = np.array(numbers).astype(np.float32).reshape(1, d)
            words.append(word.decode())
        except ValueError:
            raise DataError(path, f"must be a word in UTF-8 and {d} numbers", row=row, value=text) from None
        if NUMBER_TOO_MANY.search(words[-1]):
            raise DataError(path, f"must be a word and {d} numbers, not more", row=row, value=text)
        if not np.isfinite(matrix[i]).all():
            raise DataError(path, "must be finite numbers", row=row, value=text)
    return words, matrix


def _binary(buffer: bytes, file: IO[bytes], path: str | Path, n: int, d: int) -> Part:
    """Read n words, each with a space and d numbers of four bytes behind it; some writers begin a new line then."""
    words, numbers, at, size = [], [], 0, 4 * d
    for i in range(1, n + 1):
        while (end := buffer.find(b" ", at)) < 0 or len(buffer) - end - 1 < size:
            more = file.read(CHUNK + size)
            if not more or (end < 0 and len(buffer) - at > LONGEST_WORD):
                raise DataError(path, f"breaks off in word {i} of {n}")
            buffer, at = buffer[at:] + more, 0
        try:
            words.append(buffer[at:end].lstrip(b"\n").decode())
        except UnicodeDecodeError:
            raise DataError(path, f"must be UTF-8, and word {i} of {n} is not", value=buffer[at:end][:50]) from None
        at = end + 1 + size
        numbers.append(buffer[end + 1 : at])
    matrix = np.frombuffer(b"".join(numbers), dtype="<f4").reshape(n, d).astype(np.float32)
    if not np.isfinite(matrix).all():
        row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise DataError(path, f"must be finite numbers, and those of word {row + 1} are not", value=words[row])
    return words, matrix
