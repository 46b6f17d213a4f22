"""Vectors of others: the same as gensim reads, text and binary; a broken line is named with its row."""

from __future__ import annotations

import gzip
import re
import struct
from importlib import resources

import numpy as np
import pytest

from smlab.checks import DataAbsent, DataError, UsageError
from smlab.vectorfiles import read_vectors

GENSIM = resources.files("gensim") / "test" / "test_data"
OTHERS = {
    "toy-model.vec": {},  # fastText: a space at the end of each line
    "crime-and-punishment.vec": {},  # Cyrillic
    "euclidean_vectors.bin": {"binary": True},
    "poincare_vectors.bin": {"binary": True},
    "test_glove.txt": {"no_header": True},
    "high_precision.kv.txt": {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_real_files_are_read_as_gensim_reads_them(name):
    from gensim.models import KeyedVectors

    ours, peer = read_vectors(GENSIM / name), KeyedVectors.load_word2vec_format(str(GENSIM / name), **OTHERS[name])
    assert ours.words == peer.index_to_key
    np.testing.assert_array_equal(ours.matrix, peer.vectors)


def vectors(n: int = 3000, d: int = 40) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    return [f"好{i}" if i % 2 else f"w{i}" for i in range(n)], rng.normal(size=(n, d)).astype(np.float32)


def as_text(words, matrix, head: bool = True) -> bytes:
    lines = [f"{len(words)} {matrix.shape[1]}"] * head
    lines += [f"{word} {' '.join(map(repr, row.tolist()))}" for word, row in zip(words, matrix, strict=True)]
    return "\n".join(lines).encode()


def as_binary(words, matrix, between: bytes = b"\n") -> bytes:
    rows = [word.encode() + b" " + row.tobytes() + between for word, row in zip(words, matrix, strict=True)]
    return f"{len(words)} {matrix.shape[1]}\n".encode() + b"".join(rows)


FORMS = {
    "text": as_text,
    "no head": lambda w, m: as_text(w, m, head=False),
    "windows": lambda w, m: as_text(w, m).replace(b"\n", b"\r\n"),
    "tabs": lambda w, m: as_text(w, m).replace(b" ", b"\t"),
    "empty lines": lambda w, m: as_text(w, m).replace(b"\nw4 ", b"\n\nw4 ") + b"\n\n",
    "binary": as_binary,
    "binary in one": lambda w, m: as_binary(w, m, b""),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_vectors_whole_or_limited(tmp_path, form, packed):
    """Some 2.5 MB of text: longer than what is read at a time, so that lines and words lie on the border."""
    words, matrix = vectors()
    path = tmp_path / ("v.txt.gz" if packed else "v.txt")
    content = FORMS[form](words, matrix)
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    found = read_vectors(path)
    assert found.words == words
    np.testing.assert_array_equal(found.matrix, matrix)
    some = read_vectors(path, limit=7)
    assert some.words == words[:7]


def test_words_with_spaces_are_whole_and_repeated_ones_come_once(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("paris 3 4\nnew york 1 2\n. . . 5 6\nparis 7 8\n")
    with pytest.warns(UserWarning, match="1 words come again and were left out"):
        found = read_vectors(path)
    assert found.words == ["paris", "new york", ". . ."]
    assert found.matrix.tolist() == [[3, 4], [1, 2], [5, 6]]


BROKEN = {
    "v.txt, row 1: '' must be the number of words": b"",
    "v.txt, row 1: 'Dear reader, this is a letter' must be the number": b"Dear reader, this is a letter\n",
    "v.txt, row 1: '0 5' must be": b"0 5\n",
    "v.txt, row 3: 'b 1' must be a word in UTF-8 and 2 numbers": b"2 2\na 1 2\nb 1\n",
    "v.txt, row 3: 'b 1 x' must be a word in UTF-8 and 2 numbers": b"2 2\na 1 2\nb 1 x\n",
    "v.txt, row 3: 'b 1 2 3' must be a word and 2 numbers, not more": b"2 2\na 1 2\nb 1 2 3\n",
    "v.txt, row 2: 'a 1,5 2,5' must be a word": b"1 2\na 1,5 2,5\n",
    "v.txt, row 3: 'b nan 2' must be finite numbers": b"2 2\na 1 2\nb nan 2\n",
    "v.txt, row 2: 'caf� 1 2' must be a word in UTF-8": b"1 2\ncaf\xe9 1 2\n",
    "v.txt: promises 3 words in its first row and has 2": b"3 2\na 1 2\nb 1 2\n",
    "v.txt: promises 1 words in its first row and has 2": b"1 2\na 1 2\nb 1 2\n",
    "v.txt: breaks off in word 3 of 3": b"3 4\n" + (b"a " + struct.pack("<4f", 0.1, 2, 3, 4)) * 2,
    "v.txt: breaks off in word 1 of 9": b"9 4\n" + bytes(3_000_000),
    r"v.txt: b'\xe9' must be UTF-8, and word 1 of 1 is not": b"1 4\n\xe9 " + struct.pack("<4f", 0.1, 2, 3, 4),
    "v.txt: 'b' must be finite numbers, and those of word 1 are not": b"1 4\nb " + struct.pack("<4f", 1, np.nan, 1, 1),
}


@pytest.mark.parametrize("text", BROKEN)
def test_broken_line_is_named(tmp_path, text):
    path = tmp_path / "v.txt"
    path.write_bytes(BROKEN[text])
    with pytest.raises(DataError, match=re.escape(text)):
        read_vectors(path)


def test_broken_line_far_down_has_its_row(tmp_path):
    path = tmp_path / "v.txt"
    words, matrix = vectors(7000, 5)
    path.write_bytes(as_text(words, matrix).replace(b"\nw6000 ", b"\nw6000 1 "))
    with pytest.raises(DataError, match="row 6002"):
        read_vectors(path)


def test_absent_and_half_files_are_refused(tmp_path):
    with pytest.raises(DataAbsent, match="is no file"):
        read_vectors(tmp_path)
    (path := tmp_path / "v.txt.gz").write_bytes(gzip.compress(as_text(*vectors(500)))[:-2000])
    with pytest.raises(DataError, match="is no whole gzip file"):
        read_vectors(path)
    path.write_bytes(b"1 2\na 1 2\n")
    with pytest.raises(DataError, match="is no whole gzip file"):
        read_vectors(path)
    with pytest.raises(UsageError, match="limit=0"):
        read_vectors(path, limit=0)
