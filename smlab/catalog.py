"""Which datasets there are, where a copy lies on this machine, and how to get one that is not here.

A copy is looked for in the user's own folder (`data_dir` or `SMLAB_DATA`: `DIR/<name>/` or `DIR/<name>.zip`,
never written to), then in the cache (`SMLAB_CACHE`, else `data/cache` of the project). `get` fetches what is
in neither: the sources of `sources.py` in order, each file checked against its SHA-256 before it is opened.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from smlab import archives, cache, layouts, packages
from smlab.checks import DataAbsent, DataError, SmlabError, UsageError, nearest
from smlab.progress import say
from smlab.sources import DATASETS, Address, Artifact, Dataset, Source

ENDS = 1 << 24  # bytes
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Located:
    """A copy of a dataset on this machine.

    Parameters
    ----------
    name : of the dataset
    path : the folder, or the zip file
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over names and SHA-256 of the files that are read; the same for every honest copy. Of the
        formats of `layouts.STREAMS`, size and both ends of a file stand for the whole
    format : one of `layouts.FORMATS`, `CLICKS`, `POSTS` or `STREAMS`, or None where no known format was recognised
    files : role (ratings, items, users; train, log, …) -> file, or member of a zip file
    """

    name: str
    path: Path
    origin: str
    fingerprint: str
    format: str | None = None
    files: dict[str, archives.Member] = field(default_factory=dict)


def names() -> list[str]:
    """Names of the datasets that are known; those without a source only the user can get."""
    return list(DATASETS)


def describe(name: str) -> Dataset:
    """Say what is known of a dataset; an unknown name is an error that names the nearest."""
    if name not in DATASETS:
        raise UsageError(
            f"unknown dataset {_valid(name)!r}: {nearest(name, DATASETS)}; data of your own is looked for "
            f"in --data-dir DIR (or SMLAB_DATA) as DIR/{name}/ or DIR/{name}.zip"
        )
    return DATASETS[name]


def project_root() -> Path | None:
    """Folder of the project: `SMLAB_ROOT`, else around the working folder, else around this package."""
    if given := os.environ.get("SMLAB_ROOT"):
        return Path(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and _project_name(folder / "pyproject.toml") == "smlab":
            return folder
    own = Path(__file__).resolve().parent.parent
    return own if (own / "notebooks").is_dir() else None


def _project_name(path: Path) -> str | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def cache_dir() -> Path:
    """Folder of the cache; it need not exist yet."""
    if given := os.environ.get("SMLAB_CACHE"):
        return Path(given).expanduser().absolute()
    root = project_root()
    if root is not None:
        return root.absolute() / "data" / "cache"
    import pooch

    return Path(pooch.os_cache("smlab"))


def locate(name: str, *, data_dir: str | Path | None = None, offline: bool = False) -> Located | None:
    """Find a copy on this machine; None if there is none. Nothing is ever downloaded.

    Parameters
    ----------
    data_dir : the user's own folder; None means `SMLAB_DATA`
    offline : look at nothing but `data/sample/<name>/` of the project, where a made-up dataset always is

    Raises
    ------
    DataError
        If the user's folder holds the dataset's name, but no file of a known format in it.
    """
    _valid(name)
    if offline:
        return _sample(name)
    return _own(name, data_dir) or _cached(name) or _made_up(name)


def get(name: str, *, data_dir: str | Path | None = None, source: str | None = None, progress: bool = True) -> Located:
    """Find a copy, or fetch one into the cache; a corrupted copy in the cache is replaced.

    Parameters
    ----------
    source : fetch from this source alone (a name such as "index" or "official"); None tries all in order

    Raises
    ------
    DataAbsent
        If no source could be reached; the sentence says what was tried and how to help.
    SmlabError
        If a fetched file has another SHA-256 than it must, or cannot be written.
    """
    if source is None and (found := _own(name, data_dir) or _made_up(name)):
        return found
    dataset = describe(name)
    sources = [_source(dataset, source)] if source else list(dataset.sources)
    if found := _cached(name, aloud=True):
        return found
    if os.environ.get("SMLAB_OFFLINE", "") not in ("", "0"):
        raise DataAbsent(f"{name} is not on this machine and SMLAB_OFFLINE is set, so it is not fetched")
    if not dataset.sources:
        raise DataAbsent(f"{name} cannot be fetched: {dataset.how}; then name DIR with --data-dir, as DIR/{name}/")
    root = cache_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with cache.lock(root, name):
            # another process may have fetched it while this one waited
            return _cached(name) or _fetch(dataset, sources, root, progress)
    except OSError as error:
        raise SmlabError(f"cannot keep {name} in the cache {root} ({error})") from error


def remove(name: str) -> int:
    """Delete a dataset from the cache and give the bytes freed; the user's own copies stay."""
    try:
        return cache.remove(cache_dir(), _valid(name))
    except OSError as error:
        raise SmlabError(f"cannot remove {name} from the cache {cache_dir()} ({error})") from error


def _sample(name: str) -> Located | None:
    root = project_root()
    folder = root / "data" / "sample" / name if root else None
    return _survey(name, folder, "sample") if folder and folder.is_dir() else None


def _made_up(name: str) -> Located | None:
    """Find a sample that stands for no real dataset, such as customer-queries."""
    return None if name in names() else _sample(name)


def _valid(name: str) -> str:
    # a name becomes part of a path, so it is checked before anything else
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a dataset's name: small letters, digits and . _ - after the first")
    return name


def _source(dataset: Dataset, name: str) -> Source:
    known = {source.name: source for source in dataset.sources}
    if name not in known:
        raise UsageError(f"{dataset.name} has no source {name!r}: {nearest(name, known)}")
    return known[name]


def _own(name: str, data_dir: str | Path | None) -> Located | None:
    _valid(name)
    given = data_dir or os.environ.get("SMLAB_DATA")
    if not given:
        return None
    folder = Path(given).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"the folder of your own data, {folder}, is not there")
    for path in (folder / name, folder / f"{name}.zip"):
        if path.is_dir() or path.is_file():
            return _survey(name, path, "data-dir")
    return None


def _cached(name: str, aloud: bool = False) -> Located | None:
    dataset, folder = DATASETS.get(name), cache_dir() / name
    if dataset is None:
        return None
    try:
        manifest = cache.check(folder, dataset.files)
    except cache.Corrupt as error:
        if aloud:
            say(f"{error}; fetching {name} again")
        return None
    if manifest is None:
        return None
    format_, roles = layouts.recognise(dataset.files, name) or (None, {})
    files = {role: archives.Member(folder / file) for role, file in roles.items()}
    return Located(name, folder, "cache", manifest["fingerprint"], format_, files)


def _survey(name: str, path: Path, origin: str) -> Located:
    """Recognise the files of a folder or zip file that is not ours."""
    for place, entries in _places(name, path):
        by_name = {entry.inner or entry.container.relative_to(place).as_posix(): entry for entry in entries}
        found = layouts.recognise(by_name, name)
        if found:
            files = {role: by_name[file] for role, file in found[1].items()}
            mark = _fingerprint(files, whole=found[0] not in layouts.STREAMS)
            return Located(name, path, origin, mark, found[0], files)
    if name in DATASETS:
        known = layouts.KNOWN if DATASETS[name].kind == "ratings" else " or ".join(DATASETS[name].files)
        raise DataError(path, f"must hold one of {known} (in it, in a folder {name}/ or in a zip file)")
    inside = {str(p.relative_to(path)): p for p in path.rglob("*") if p.is_file()} or {path.name: path}
    hashes = {key: archives.Member(p).sha256() for key, p in inside.items() if p.is_file()}
    return Located(name, path, origin, cache.fingerprint(hashes))


def _places(name: str, path: Path) -> Iterator[tuple[Path, list[archives.Member]]]:
    """Where the files may lie: in the path itself, in a folder of the same name in it, in zip files in it."""
    folders = [folder for folder in (path, path / name) if folder.is_dir()]
    zips = [p for folder in folders for p in sorted(folder.glob("*.zip"))]
    zips.sort(key=lambda p: p.stem != name)
    for place in (*folders, *zips) if folders else (path,):
        below = [p for depth in ("*", "*/*") for p in place.glob(depth) if p.is_dir()] if name in layouts.NESTED else []
        yield place if place.is_dir() else place.parent, [e for p in (place, *below) for e in archives.entries(p)]


def _fingerprint(files: dict[str, archives.Member], whole: bool = True) -> str:
    names = [file.name for file in files.values()]
    # files of several folders share their names; their roles tell them apart
    keys = {role: file.name if names.count(file.name) == 1 else role for role, file in files.items()}
    return cache.fingerprint({keys[r]: f.sha256() if whole or f.inner else _ends(f) for r, f in files.items()})


def _ends(file: archives.Member) -> str:
    """SHA-256 over the size and both ends of a file: the great logs would take a minute to hash for every run."""
    size = file.container.stat().st_size
    with file.open() as stream:
        digest = hashlib.sha256(f"{size}\n".encode() + stream.read(ENDS))
        stream.seek(max(size - ENDS, 0))
        digest.update(stream.read(ENDS))
    return digest.hexdigest()


def _fetch(dataset: Dataset, sources: list[Source], root: Path, progress: bool) -> Located:
    tried = []
    for source in sources:
        try:
            with cache.workplace(root, dataset.name) as work:
                _fill(dataset, source, work, progress)
                facts = {"name": dataset.name, "source": str(source), "licence": dataset.licence}
                cache.publish(work / "ready", root / dataset.name, dataset.files, facts)
        except DataAbsent as error:
            tried.append(f"{source.name}: {error}")
            continue
        found = _cached(dataset.name)
        if found is None:
            raise SmlabError(f"{root / dataset.name}: the cache changed while it was written")
        return found
    raise DataAbsent(
        f"{dataset.name} could not be fetched ({' | '.join(tried)}). If you have a copy, name its "
        f"folder with --data-dir DIR (as DIR/{dataset.name}/ or a zip file); --offline runs on the sample"
    )


def _fill(dataset: Dataset, source: Source, work: Path, progress: bool) -> None:
    """Put the official files of a dataset into `work/ready`."""
    raw, ready = work / "raw", work / "ready"
    for file in source.files:
        archive = _download(file, work, progress)
        archives.unpack(archive, file.members, raw, dataset.unpacked)
        archive.unlink()
    for name, members in source.inner.items():
        archives.unpack(raw / name, members, raw, dataset.unpacked)
    ready.mkdir()
    if source.restore is None:
        for name in dataset.files:
            (raw / name).replace(ready / name)
    else:
        for name, data in source.restore({p.name: p.read_bytes() for p in raw.iterdir()}).items():
            (ready / name).write_bytes(data)
    for name, digest in dataset.files.items():
        if digest and hashlib.sha256((ready / name).read_bytes()).hexdigest() != digest:
            raise packages.WrongChecksum(f"{name} of {dataset.name} from {source}: is not the official file")


def _download(file: Artifact | Address, work: Path, progress: bool) -> Path:
    if isinstance(file, Artifact):
        return packages.download(
            file.project, file.version, file.filename, file.sha256, work, size=file.size, progress=progress
        )
    import pooch

    def downloader(url: str, output_file: str, _: object) -> None:
        packages.fetch(url, Path(output_file), file.sha256, size=file.size, progress=progress)

    pooch.get_logger().setLevel("WARNING")
    name = file.url.rpartition("/")[2]
    return Path(pooch.retrieve(file.url, f"sha256:{file.sha256}", fname=name, path=work, downloader=downloader))
