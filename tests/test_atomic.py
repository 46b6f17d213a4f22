"""A file is whole or it is the old one."""

from __future__ import annotations

import os

import pytest

from smlab import atomic


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = atomic.write(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic.writing(path) as out:
        out.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_others_can_read_it_and_any_text_can_be_written(tmp_path):
    path = atomic.write(tmp_path / "a.txt", "Zoë \ud800 中文")
    assert path.read_text(encoding="utf-8") == "Zoë ? 中文"
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o644
