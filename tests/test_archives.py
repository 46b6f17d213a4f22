"""Archives from outside: what is named is read, what is hostile is refused, nothing lands elsewhere."""

from __future__ import annotations

import io
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest

from smlab import archives
from smlab.archives import HostileArchive, Member, entries, unpack

TEXT = b"1\t2\t3\n"


def zip_of(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], packed: bool = False) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of repeated names
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
            for name, data in members:
                archive.writestr(name, data)
    return path


def tar_of(path: Path, *members: tuple[str | tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if info.isreg():
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def kind(name: str, type_: bytes, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type_, linkname
    return info


def unix(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


MAKERS = [pytest.param(zip_of, id="zip"), pytest.param(tar_of, id="tar")]


@pytest.mark.parametrize("make", MAKERS)
def test_only_named_members_are_written_under_our_names(make, tmp_path):
    archive = make(tmp_path / "a", ("pkg/u.data", TEXT), ("pkg/setup.py", b"boom"), ("../../escape", b"boom"))
    written = unpack(archive, {"pkg/u.data": "ratings"}, tmp_path / "in" / "out")
    assert [p.name for p in (tmp_path / "in" / "out").iterdir()] == ["ratings"]
    assert (tmp_path / "in" / "out" / "ratings").read_bytes() == TEXT
    assert list(written) == ["ratings"] and len(written["ratings"]) == 64
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "in"]


def test_tar_without_compression_is_read(tmp_path):
    unpack(tar_of(tmp_path / "a", ("x", TEXT), mode="w"), {"x": "y"}, tmp_path / "out")
    assert (tmp_path / "out" / "y").read_bytes() == TEXT


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "C:/x", "\\\\host\\x", "a\\..\\..\\up"])
def test_name_that_leads_out_is_refused(make, name, tmp_path):
    archive = make(tmp_path / "a", (name, TEXT))
    listed = entries(archive)[0].inner if make is zip_of else name
    with pytest.raises(HostileArchive, match="the name leads out of the archive"):
        unpack(archive, {str(listed): "x"}, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("make", MAKERS)
def test_repeated_and_absent_members_are_refused(make, tmp_path):
    twice = make(tmp_path / "twice", ("x", b"first"), ("x", b"second"))
    with pytest.raises(HostileArchive, match="member 'x': is there more than once"):
        unpack(twice, {"x": "x"}, tmp_path / "out")
    with pytest.raises(HostileArchive, match="member 'y': is absent"):
        unpack(make(tmp_path / "once", ("x", TEXT)), {"y": "y"}, tmp_path / "out")


@pytest.mark.parametrize(
    "info",
    [
        kind("x", tarfile.SYMTYPE, "/etc/passwd"),
        kind("x", tarfile.LNKTYPE, "other"),
        kind("x", tarfile.CHRTYPE),
        kind("x", tarfile.BLKTYPE),
        kind("x", tarfile.FIFOTYPE),
        kind("x", tarfile.DIRTYPE),
    ],
    ids=["symlink", "hardlink", "character device", "block device", "fifo", "folder"],
)
def test_tar_member_that_is_no_file_is_refused(info, tmp_path):
    archive = tar_of(tmp_path / "a", ("other", TEXT), (info, b""))
    with pytest.raises(HostileArchive, match="member 'x': is not a regular file"):
        unpack(archive, {"x": "x"}, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o010666], ids=["symlink", "device", "fifo"])
def test_zip_member_that_is_no_file_is_refused(mode, tmp_path):
    archive = zip_of(tmp_path / "a", (unix("x", mode), b"/etc/passwd"))
    with pytest.raises(HostileArchive, match="member 'x': is not a regular file"):
        unpack(archive, {"x": "x"}, tmp_path / "out")


def test_encrypted_member_is_refused(tmp_path):
    data = bytearray(zip_of(tmp_path / "a", ("x", TEXT)).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(HostileArchive, match="member 'x': is encrypted"):
        unpack(tmp_path / "a", {"x": "x"}, tmp_path / "out")


@pytest.mark.parametrize("make", MAKERS)
def test_more_than_the_limit_is_refused(make, tmp_path):
    archive = make(tmp_path / "a", ("x", TEXT * 100), ("y", TEXT * 100))
    with pytest.raises(HostileArchive, match="600 bytes are more than the 599 allowed"):
        unpack(archive, {"x": "x"}, tmp_path / "out", 599)
    with pytest.raises(HostileArchive, match="600 bytes are more than the 400 allowed"):
        unpack(archive, {"x": "x", "y": "y"}, tmp_path / "out", 1000)


def test_zip_bomb_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a", ("x", bytes(5_000_000)), packed=True)
    with pytest.raises(HostileArchive, match="unpack to 5000000, which no honest table does"):
        unpack(archive, {"x": "x"}, tmp_path / "out")


def test_tar_bomb_before_the_member_is_refused(tmp_path):
    archive = tar_of(tmp_path / "a", ("zeros", bytes(30_000_000)), ("x", TEXT))
    with pytest.raises(HostileArchive, match="unpacks to absurdly much"):
        unpack(archive, {"x": "x"}, tmp_path / "out")


def test_zip_member_that_declares_less_than_it_holds_is_refused(tmp_path):
    """The directory says 6 bytes; the data would go on."""
    data = zip_of(tmp_path / "a", ("x", b"0123456789" * 1000), packed=True).read_bytes()
    at = data.index(b"PK\1\2") + 24
    (tmp_path / "a").write_bytes(data[:at] + struct.pack("<I", 6) + data[at + 4 :])
    with pytest.raises(HostileArchive, match="the archive is broken"):
        unpack(tmp_path / "a", {"x": "x"}, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("make", MAKERS)
def test_damaged_archives_are_refused_or_give_the_right_bytes(make, tmp_path):
    whole = make(tmp_path / "a", ("x", TEXT * 50), ("y", b"other")).read_bytes()
    outcomes = set()
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            (tmp_path / "b").write_bytes(damaged)
            try:
                unpack(tmp_path / "b", {"x": "x"}, tmp_path / "out")
                outcomes.add((tmp_path / "out" / "x").read_bytes() == TEXT * 50 or make is tar_of)
            except HostileArchive:
                outcomes.add("refused")
            (tmp_path / "out" / "x").unlink(missing_ok=True)
            assert list((tmp_path / "out").iterdir()) == []
    assert outcomes == {True, "refused"}


def test_no_archive_at_all_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"<html>not found</html>")
    for read in (
        lambda: unpack(tmp_path / "a", {"x": "x"}, tmp_path / "out"),
        lambda: entries(tmp_path / "a"),
    ):
        with pytest.raises(HostileArchive, match="the archive is broken"):
            read()


def test_target_must_be_a_plain_name(tmp_path):
    with pytest.raises(ValueError, match=r"target '\.\./x' is not a plain file name"):
        unpack(zip_of(tmp_path / "a", ("x", TEXT)), {"x": "../x"}, tmp_path / "out")


def test_member_reads_alike_from_a_folder_and_a_zip_file(tmp_path):
    (tmp_path / "u.data").write_bytes(TEXT)
    (tmp_path / ".hidden").write_bytes(TEXT)
    archive = zip_of(tmp_path / "ml.zip", ("ml/", b""), ("ml/u.data", TEXT))
    plain, inside = entries(tmp_path)[1], entries(archive)[0]
    assert [m.name for m in entries(tmp_path)] == ["ml.zip", "u.data"] and len(entries(archive)) == 1
    assert plain.read() == inside.read() == TEXT
    assert plain.sha256() == inside.sha256()
    assert plain.name == inside.name == "u.data"
    assert str(inside) == f"{archive}/ml/u.data"


def test_member_of_a_hostile_zip_file_is_not_opened(tmp_path):
    archive = zip_of(tmp_path / "a.zip", ("x", bytes(5_000_000)), packed=True)
    with pytest.raises(HostileArchive, match="which no honest table does"):
        Member(archive, "x").read()


def test_thousands_of_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "HEADERS", 3)
    archive = zip_of(tmp_path / "a.zip", *[(str(i), b"") for i in range(4)])
    with pytest.raises(HostileArchive, match="4 members are too many"):
        entries(archive)
