"""Recognise the file formats of ratings by the names of files: which file holds ratings, items, users.

A folder or a zip file may hold more than one format; the first of `FORMATS` whose ratings file is there
counts.
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
KNOWN = "u.data, ratings.dat, ratings.csv or NAME.inter"


def recognise(names: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """Name the format, and for each role the file; None if there is no ratings file of a known format.

    `names` are paths as in a zip file. Only files beside the ratings file count as its items and users.

    >>> recognise(["ml-100k/u.data", "ml-100k/u.item", "ml-100k/README"])
    ('ml-100k', {'ratings': 'ml-100k/u.data', 'items': 'ml-100k/u.item'})
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
    return None


def _first(paths: list[PurePosixPath], patterns: tuple[str, ...]) -> PurePosixPath | None:
    return next((p for pattern in patterns for p in paths if fnmatchcase(p.name, pattern)), None)
