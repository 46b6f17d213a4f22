"""Recognise file formats by the names of files: which file holds ratings, items, users, or a log of clicks.

A folder or a zip file may hold more than one format; the first of `FORMATS` whose ratings file is there
counts, then the first of `CLICKS`, then of `STREAMS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

# format -> role -> file names, the first one that is there counts; "*" stands for any name
FORMATS: dict[str, dict[str, tuple[str, ...]]] = {
    "ml-100k": {"ratings": ("u.data",), "items": ("u.item",), "users": ("u.user",)},
    "ml-1m": {"ratings": ("ratings.dat",), "items": ("movies.dat",), "users": ("users.dat",)},
    "csv": {"ratings": ("ratings.csv",), "items": ("movies.csv", "items.csv"), "users": ("users.csv",)},
    "atomic": {"ratings": ("*.inter",), "items": ("*.item",), "users": ("*.user",)},
}
# logs of clicks; any one of the roles makes the format
CLICKS: dict[str, dict[str, tuple[str, ...]]] = {
    "clicks-csv": {"log": ("clicks.csv",)},
    "facebook-ads": {"log": ("KAG_conversion_data.csv",)},
    "libfm": {
        "train": ("train.libfm", "*.train.libfm", "*.train.*.libfm"),
        "validation": ("valid.libfm", "validation.libfm", "*.validation.libfm", "*.valid.libfm"),
        "test": ("test.libfm", "*.test.libfm"),
    },
    "open-bandit": {
        f"{policy}/{campaign}{role}": (f"{policy}-{campaign}{role}.csv",)
        for policy in ("random", "bts")
        for campaign in ("all", "men", "women")
        for role in ("", "-items")
    },
}
# logs that are read piece by piece; their file names are common, so they count for the dataset of that name alone
STREAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "criteo": {"log": ("train.txt", "train.txt.gz", "dac_sample.txt", "dac_sample.txt.gz", "criteo.txt")},
    "avazu": {"log": ("train.gz", "train.csv", "train.csv.gz", "train", "avazu.csv")},
}
KNOWN = "u.data, ratings.dat, ratings.csv or NAME.inter"
KNOWN_CLICKS = "clicks.csv, KAG_conversion_data.csv, NAME.train.libfm or random-all.csv (of open-bandit)"


def recognise(names: Iterable[str], dataset: str = "") -> tuple[str, dict[str, str]] | None:
    """Name the format, and for each role the file; None if there is no file of a known format.

    `names` are paths as in a zip file. Only files beside the ratings file count as its items and users.
    The formats of `STREAMS` are looked for only if `dataset` bears their name, as in criteo or criteo-sample.

    >>> recognise(["ml-100k/u.data", "ml-100k/u.item", "ml-100k/README"])
    ('ml-100k', {'ratings': 'ml-100k/u.data', 'items': 'ml-100k/u.item'})
    >>> recognise(["a.train.libfm", "a.test.libfm"])
    ('libfm', {'train': 'a.train.libfm', 'test': 'a.test.libfm'})
    """
    paths = sorted(map(PurePosixPath, names), key=lambda p: (len(p.parts), str(p)))
    paths = [p for p in paths if "__MACOSX" not in p.parts and not p.name.startswith(".")]
    for format_, roles in FORMATS.items():
        ratings = _first(paths, roles["ratings"])
        if ratings is not None:
            beside = [p for p in paths if p.parent == ratings.parent]
            if format_ == "atomic":  # RecBole's files share a stem; the other formats have fixed names
                beside = [p for p in beside if p.stem == ratings.stem]
            found = {role: _first(beside, patterns) for role, patterns in roles.items()}
            return format_, {role: str(p) for role, p in found.items() if p is not None}
    return _log(paths, dataset)


def _log(paths: list[PurePosixPath], dataset: str) -> tuple[str, dict[str, str]] | None:
    streams = {f: roles for f, roles in STREAMS.items() if dataset.split("-")[0] == f}
    for format_, roles in (CLICKS | streams).items():
        found = {role: _first(paths, patterns) for role, patterns in roles.items()}
        if any(found.values()):
            return format_, {role: str(p) for role, p in found.items() if p is not None}
    return None


def _first(paths: list[PurePosixPath], patterns: tuple[str, ...]) -> PurePosixPath | None:
    return next((p for pattern in patterns for p in paths if fnmatchcase(p.name, pattern)), None)
