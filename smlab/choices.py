"""Who chose what, and a fair way to hold some of it back: `load_choices(name)`.

A choice is a pair (user, item): bought, watched, visited; what was not chosen says little. Two protocols are in
use, and their figures must never stand in one table:

- "share": a random share of each user's choices is held out, and all items that the user has not are ranked.
- "last": each user's last choice is held out, and ranked among 99 items drawn from those the user has not
  (He et al. 2017). Cheap, and far too friendly: of ten thousand items nearly all are out of the race.

A ready-made split (NCF's, LightGCN's) is taken as it is; ratings of any kind are split here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab import datasets, layouts, metrics
from smlab.blend import Blend
from smlab.checks import UsageError
from smlab.features import Vocab, split_leave_last_out, split_within, to_csr
from smlab.ranking import Floats, Ranker, blocks, top_k
from smlab.splitfiles import read_parts

Protocol = Literal["share", "last"]
N_DRAWN = 99  # negatives of a user: He et al. (2017)


class Trial(NamedTuple):
    """A split as matrices.

    X, truth : (n_users, n_items) what is known and what is held out, ones
    candidates : (n_users, 1 + m) the items to be ranked, the one held out last, -1 for none; None means all that
        the user has not
    users, items : which row and which column is whose
    """

    X: sparse.csr_array
    truth: sparse.csr_array
    candidates: NDArray[np.int64] | None
    users: Vocab
    items: Vocab

    def best(self, scores: NDArray, users: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """List the k best of each user by scores (n, n_items), best first (n, k), -1 where fewer are left."""
        s = scores.astype(np.float32)
        if self.candidates is not None:
            rows = self.candidates[users]
            return metrics.best_among(np.take_along_axis(s, np.maximum(rows, 0), axis=1), rows, k)
        s[self.X[users].nonzero()] = -np.inf
        s[:, np.bincount(self.X.indices, minlength=s.shape[1]) == 0] = -np.inf  # nobody had it in the training part
        top = top_k(s, k)
        return np.where(np.isfinite(np.take_along_axis(s, top, axis=1)), top, -1)

    def lists(self, models: Mapping[str, Ranker], k: int, users: ArrayLike | None = None) -> dict[str, NDArray]:
        """List the k best by each model, {name: (n, k)}; what a blend adds up is computed once."""
        rows = np.arange(self.X.shape[0]) if users is None else np.asarray(users)
        found: dict[str, list[NDArray]] = {name: [] for name in models}
        for block in blocks(len(rows), self.X.shape[1]):
            known: dict[int, Floats] = {}
            for name, model in models.items():
                found[name].append(self.best(_scores(model, rows[block], known), rows[block], k))
        return {name: np.concatenate(parts) for name, parts in found.items()}


@dataclass(frozen=True)
class Choices:
    """Who chose what, split into what is known and what is held out.

    Parameters
    ----------
    train, test : user, item, and where known rating and time; each (user, item) once over both
    negatives : (n_test, m) items among which the item of the same row of `test` is to be ranked; None means all
    titles : item → what it is called, as far as known
    protocol : "share" or "last"
    origin, fingerprint, licence : as of `datasets.Ratings`
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    negatives: NDArray | None
    titles: dict[object, str]
    protocol: Protocol
    origin: str
    fingerprint: str
    licence: str

    def trial(self) -> Trial:
        """Turn the split into matrices; users and items get numbers in sorted order."""
        everything = [self.train["item"], self.test["item"]]
        if self.negatives is not None:
            everything.append(pd.Series(self.negatives.ravel()))
        users = Vocab().fit(pd.concat([self.train["user"], self.test["user"]]))
        items = Vocab().fit(pd.concat(everything))
        shape = (len(users), len(items))
        X, truth = (to_csr(users.encode(f["user"]), items.encode(f["item"]), shape=shape)
                    for f in (self.train, self.test))  # fmt: skip
        if self.negatives is None:
            return Trial(X, truth, None, users, items)
        own = items.encode(self.test["item"])[:, None]
        drawn = items.encode(self.negatives.ravel()).reshape(len(own), -1)
        candidates = np.full((len(users), drawn.shape[1] + 1), -1, np.int64)
        # where the draw holds the very item, it counts once, as in the authors' own code
        candidates[users.encode(self.test["user"])] = np.hstack([np.where(drawn == own, -1, drawn), own])
        return Trial(X, truth, candidates, users, items)

    def inner(self, seed: int = 0, test_share: float = 0.2) -> Choices:
        """Split the training part once more by the same protocol: all that a search may look at."""
        train, test, negatives = hold_out(self.train, self.protocol, test_share, seed)
        return replace(self, train=train, test=test, negatives=negatives)

    def named(self, items: Iterable[object]) -> list[str]:
        """Give the title of each item, or its id where it has none."""
        return [self.titles.get(item, f"no. {item}") for item in items]


def load_choices(
    name: str,
    *,
    protocol: Protocol = "share",
    test_share: float = 0.2,
    seed: int = 0,
    ratings: str = "",
    data_dir: str | Path | None = None,
    offline: bool | None = None,
) -> Choices:
    """Load a dataset as choices: a ready-made split as it is, ratings split by the protocol; each rating is a choice.

    Parameters
    ----------
    protocol, test_share, seed : how ratings are split; a ready-made split has its own
    ratings : dataset from which a split without a training file was cut (ml-1m for NCF's)
    data_dir, offline : as for `datasets.load`

    Raises
    ------
    DataAbsent, DataError
        As `datasets.load`, and if a split has neither a training file nor ratings.
    """
    located = datasets.locate_or_fetch(name, data_dir, offline)
    if located.format not in layouts.SPLITS:
        data = datasets.read(located)
        train, test, drawn = hold_out(data.ratings, protocol, test_share, seed)
        titles = {} if data.items is None else dict(zip(data.items["item"], data.items["title"], strict=True))
        return Choices(name, train, test, drawn, titles, protocol, data.origin, data.fingerprint, data.licence)
    whole = datasets.load(ratings, data_dir=data_dir, offline=offline) if ratings else None
    parts = read_parts(located.files, cast(str, located.format), None if whole is None else whole.ratings)
    protocol, titles = "share" if parts.negatives is None else "last", {}
    if whole is not None and whole.items is not None and parts.numbers is not None:
        numbers = parts.numbers["item"]
        titles = {numbers[i]: t for i, t in zip(whole.items["item"], whole.items["title"], strict=True) if i in numbers}
    about = located.origin, located.fingerprint, datasets.licence_of(located)
    return Choices(name, parts.train, parts.test, parts.negatives, titles, protocol, *about)


def hold_out(
    frame: pd.DataFrame, protocol: Protocol, test_share: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray | None]:
    """Cut choices into train, test and, for "last", the items drawn beside each row of the test."""
    if protocol == "share":
        train, test = split_within(frame, by="user", test_share=test_share, seed=seed)
        return train, test, None
    if protocol != "last":
        raise UsageError(f"protocol={protocol!r} must be 'share' or 'last'")
    train, test = split_leave_last_out(frame)
    return train, test, _draw(frame, test, seed)


def _draw(frame: pd.DataFrame, test: pd.DataFrame, seed: int) -> NDArray:
    """Draw `N_DRAWN` different items for each row of `test` from those its user has not."""
    users, items = Vocab().fit(frame["user"]), Vocab().fit(frame["item"])
    X = to_csr(users.encode(frame["user"]), items.encode(frame["item"]), shape=(len(users), len(items)))
    rng, m = np.random.default_rng(seed), len(items) - int(np.diff(X.indptr).max())
    drawn = np.empty((len(test), min(N_DRAWN, m)), np.int64)
    for row, u in enumerate(users.encode(test["user"])):
        strange = np.ones(len(items), bool)
        strange[X.indices[X.indptr[u] : X.indptr[u + 1]]] = False
        drawn[row] = rng.choice(np.flatnonzero(strange), drawn.shape[1], replace=False)
    return items.decode(drawn)


def _scores(model: Ranker, users: NDArray[np.int64], known: dict[int, Floats]) -> Floats:
    """Give the scores of a model; `known` keeps those of the models that a blend may ask for again."""
    if id(model) not in known:
        if isinstance(model, Blend):
            parts = (model.share_[name] * _scores(part, users, known) for name, part in model.models.items())
            known[id(model)] = cast(Floats, sum(parts))
        else:
            known[id(model)] = model.scores(users)
    return known[id(model)]
