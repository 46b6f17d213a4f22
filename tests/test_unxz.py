"""A file packed with xz is read as it is unpacked; a hostile or broken one is one sentence."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from smlab.archives import HostileArchive, Member
from smlab.unxz import unpacked

TEXT = b"".join(b"line %d of a long table\n" % i for i in range(20_000))


def read(folder: Path, data: bytes, **options: int) -> bytes:
    (folder / "table.csv.xz").write_bytes(data)
    with unpacked(Member(folder / "table.csv.xz"), **options) as stream:
        return stream.read()


@pytest.mark.parametrize("data", [b"", b"a", b"customer,time\n", TEXT])
def test_bytes_come_out_packed_or_plain(data, tmp_path):
    assert read(tmp_path, data) == data
    assert read(tmp_path, lzma.compress(data)) == data


def test_lines_are_read_one_by_one(tmp_path):
    (tmp_path / "a.xz").write_bytes(lzma.compress(TEXT))
    with unpacked(Member(tmp_path / "a.xz")) as stream:
        assert [stream.readline() for _ in range(2)] == TEXT.splitlines(keepends=True)[:2]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda x: x[:-40], "the xz file is cut off"),
        (lambda x: x[:7], "the xz file is cut off"),
        (lambda x: x[:100] + b"\0" * 50 + x[150:], "the xz file is broken"),
        (lambda x: x + b"more", "holds more after the end"),
        (lambda x: x + x, "holds more after the end"),
    ],
)
def test_broken_xz_is_one_sentence(change, rule, tmp_path):
    with pytest.raises(HostileArchive, match=rule):
        read(tmp_path, change(lzma.compress(TEXT)))


def test_no_more_comes_out_than_allowed(tmp_path):
    with pytest.raises(HostileArchive, match="unpacks to more than it may"):
        read(tmp_path, lzma.compress(bytes(5_000_000)), limit_bytes=1_000_000)


def test_no_more_memory_is_taken_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("smlab.unxz.MEMORY", 1 << 20)  # xz's own default asks for 9 MB
    with pytest.raises(HostileArchive, match="broken .Memory usage limit exceeded"):
        read(tmp_path, lzma.compress(b"x"))


@pytest.mark.parametrize("seed", range(5))
def test_any_harm_is_a_sentence_or_the_same_bytes(seed, tmp_path):
    rng, packed = np.random.default_rng(seed), lzma.compress(TEXT[:20_000])
    for _ in range(20):
        harmed = bytearray(packed)
        harmed[int(rng.integers(6, len(harmed)))] ^= 1 << int(rng.integers(0, 8))
        try:
            assert read(tmp_path, bytes(harmed)) == TEXT[:20_000]
        except HostileArchive as error:
            assert str(error).count("\n") == 0
