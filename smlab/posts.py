"""Load posts and reviews by name into a tidy frame, and the lexicon of a collection that has one.

| column | what |
|---|---|
| text | the post, never empty |
| label | its class, where known: negative, neutral, positive, or emotions and the like |
| intensity | mean rating by people, where known |
| time | UTC, where known |
| split | train, validation, test, where the source has cut it |
| source, category, … | what else is known of a post, as text |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from smlab import catalog, chineseposts, datasets, layouts, posttables, wordlists
from smlab.checks import DataError, UsageError


@dataclass(frozen=True)
class Posts:
    """Posts and what is known of them.

    Parameters
    ----------
    frame : one row per post with the columns above, in the order of the files
    labels : the classes in their order, such as negative, neutral, positive; empty where there is no label
    language : "en" or "zh", of most of the posts
    note : how the labels came about, what was dropped and what to beware of, for a report
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    """

    name: str
    frame: pd.DataFrame
    labels: list[str]
    language: str
    note: str
    origin: str
    fingerprint: str
    licence: str

    def part(self, split: str) -> pd.DataFrame:
        """Give the rows of "train", "validation" or "test" as the source cut them."""
        return datasets.part_of(self.frame, split, self.name)


def load_posts(
    name: str,
    *,
    variant: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool | None = None,
) -> Posts:
    """Load a collection of posts; one that is not on this machine is fetched, with a line that says so.

    Parameters
    ----------
    variant : which part of a collection that has several: tweets, products, movies or nyt of vader; sentiment,
        emotion, irony, offensive or hate of tweeteval; usual or virus of smp2020_ewect; stripped or emoticons of
        weibo_senti_100k. None is the first
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    offline : read `data/sample/` only and fetch nothing; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy and none can be fetched.
    DataError
        If a file breaks a rule; with its line, column and value.
    UsageError
        For an unknown variant, or data of another kind.
    """
    return read_posts(datasets.locate_or_fetch(name, data_dir, offline), variant=variant)


def read_posts(located: catalog.Located, *, variant: str | None = None) -> Posts:
    """Read the files of a copy as posts."""
    if located.format is None:
        raise DataError(located.path, f"must hold one of {layouts.KNOWN_POSTS}")
    if located.format in layouts.LEXICONS:
        raise UsageError(f"{located.name} holds lexicons, not posts: posts.load_wordlists reads it")
    if located.format not in layouts.POSTS:
        raise UsageError(f"{located.name} holds no posts, but {', '.join(f.name for f in located.files.values())}")
    feed = posttables.read(located.files, located.format, variant, located.name)
    return Posts(located.name, *feed, located.origin, located.fingerprint, datasets.licence_of(located))


def load_lexicon(
    name: str = "shopping-zh", *, data_dir: str | Path | None = None, offline: bool | None = None
) -> dict[str, float]:
    """Load the words of a lexicon with their weights, below 0 for bad ones; the errors of `load_posts`."""
    located = datasets.locate_or_fetch(name, data_dir, offline)
    if "lexicon" not in located.files:
        raise UsageError(f"{name} has no lexicon; shopping-zh has one (sentiment_dict.txt)")
    return chineseposts.read_lexicon(located.files["lexicon"])


def load_wordlists(
    name: str = "wordlists-en", *, data_dir: str | Path | None = None, offline: bool | None = None
) -> dict[str, dict[str, float]]:
    """Load several English lexicons, name → (word → weight), see `wordlists`; the errors of `load_posts`."""
    located = datasets.locate_or_fetch(name, data_dir, offline)
    if located.format not in layouts.LEXICONS:
        raise UsageError(f"{name} holds no lexicons; wordlists-en does")
    return wordlists.read_wordlists(located.files)
