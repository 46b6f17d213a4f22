"""Canonical splits: read as they are, refused where they are not what they should be."""

from __future__ import annotations

import shutil
import zipfile

import pytest

from smlab import canonical, catalog
from smlab.checks import DataAbsent, DataError, UsageError

ROW = "{user}\t{item}\t3\t880000000\n"


@pytest.fixture
def shop(tmp_path):
    """A folder with a small ml-100k and its first split."""
    root = catalog.project_root()
    assert root
    shutil.copytree(root / "data" / "sample" / "ml-100k", tmp_path / "ml-100k")
    (tmp_path / "ml-100k" / "u1.base").write_text(ROW.format(user=1, item=1) + ROW.format(user=1, item=2))
    (tmp_path / "ml-100k" / "u1.test").write_text(ROW.format(user=2, item=1))
    return tmp_path


def test_parts_are_read_as_they_are(shop):
    train, test = canonical.ml_100k("u1", data_dir=shop)
    assert train[["user", "item"]].values.tolist() == [[1, 1], [1, 2]]
    assert test[["user", "item", "rating"]].values.tolist() == [[2, 1, 3.0]]


def test_a_zip_file_serves_as_well(shop, tmp_path):
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as out:
        for file in (shop / "ml-100k").iterdir():
            out.write(file, f"ml-100k/{file.name}")
    (tmp_path / "zipped").mkdir()
    (tmp_path / "packed.zip").rename(tmp_path / "zipped" / "ml-100k.zip")
    assert len(canonical.ml_100k("u1", data_dir=tmp_path / "zipped")[0]) == 2


def test_wrong_splits_are_sentences(shop):
    with pytest.raises(UsageError, match="ml-100k has no split 'u6': known: u1"):
        canonical.ml_100k("u6", data_dir=shop)
    with pytest.raises(DataAbsent, match=r"has no u2\.base: the canonical splits are in the official ml-100k\.zip"):
        canonical.ml_100k("u2", data_dir=shop)
    (shop / "ml-100k" / "u1.test").write_text(ROW.format(user=2, item=1) + ROW.format(user=1, item=2))
    with pytest.raises(DataError, match=r"u1\.test, row 2: must hold no pair of user and item that u1\.base has"):
        canonical.ml_100k("u1", data_dir=shop)


@pytest.mark.realdata
def test_official_first_split_has_80_000_and_20_000_rows():
    try:
        train, test = canonical.ml_100k("u1")
    except DataAbsent as absent:
        pytest.skip(str(absent))
    assert (len(train), len(test)) == (80_000, 20_000)
