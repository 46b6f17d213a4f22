"""From tidy frames to what a model takes: ids to rows, a sparse matrix, and fair ways to hold data out.

Interactions are frames with the columns `user, item, rating, time`. A model wants the matrix X (n_users,
n_items) with `X[u, i] = rating`; `Vocab` keeps which row is whose. Every split gives `(train, test)` frames
with the rows in their old order and index, and leaves its input alone.

Which split answers which question:

- `split_within`: the ratings of each item (or user) are divided, as in most published tables.
- `split_random`: any rating may be held out, so some items are new in the test.
- `split_by_time`: the past predicts the future. What a campaign does.
- `split_leave_last_out`: the next thing each user did. The protocol of He et al. (2017).
- `split_folds`: every rating is tested once.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest, shorten

Split = tuple[pd.DataFrame, pd.DataFrame]


class Vocab:
    """Give ids the numbers 0..n-1, in sorted order, so that the numbers do not depend on the order of rows.

    >>> users = Vocab().fit(["mia", "ann", "mia"])
    >>> users.encode(["mia", "ann"])
    array([1, 0])
    >>> users.encode(["mia", "bob"], strict=False)
    array([ 1, -1])
    >>> list(users.decode([1, 1, 0]))
    ['mia', 'mia', 'ann']
    """

    ids_: pd.Index

    def fit(self, ids: ArrayLike | pd.Series) -> Vocab:
        """Learn the distinct ids; missing ones are refused."""
        index = pd.Index(pd.unique(pd.Series(ids)))
        if index.hasnans:
            raise UsageError("an id is missing (NaN or None); drop or name such rows before numbering them")
        try:
            self.ids_ = index.sort_values()
        except TypeError:
            kinds = sorted({type(i).__name__ for i in index})
            raise UsageError(f"ids must be of one type to have an order, not {', '.join(kinds)}") from None
        return self

    def encode(self, ids: ArrayLike | pd.Series, *, strict: bool = True) -> NDArray[np.int64]:
        """Give the number of each id; an unknown id is an error, or -1 where `strict` is False."""
        series = pd.Series(ids)
        codes = self.ids_.get_indexer(pd.Index(series)).astype(np.int64)
        if strict and (codes < 0).any():
            unknown = pd.unique(series[codes < 0])
            some = shorten(", ".join(repr(i) for i in unknown[:3].tolist()))
            rest = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
            raise UsageError(f"unknown id {some}{rest}: not among the {len(self)} ids that were learnt")
        return codes

    def decode(self, codes: ArrayLike) -> NDArray:
        """Give the id of each number, in the shape of `codes`; the padding -1 is refused."""
        rows = np.asarray(codes)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            worst = rows.min() if rows.min() < 0 else rows.max()
            raise UsageError(f"{worst} is no number of this vocabulary; they go from 0 to {len(self) - 1}")
        return cast(NDArray, self.ids_.to_numpy()[rows])

    def find(self, text: str) -> int:
        """Give the number of the id that is written as `text`, as people write it in a parameter.

        >>> Vocab().fit([196, 186]).find("196")
        1
        """
        written = [str(i) for i in self.ids_]
        if text not in written:
            raise UsageError(f"there is no id {text!r} among {len(written)}: {nearest(text, written[:10_000])}")
        return written.index(text)

    def __len__(self) -> int:
        return len(self.ids_)


def to_csr(
    users: ArrayLike, items: ArrayLike, values: ArrayLike | None = None, *, shape: tuple[int, int]
) -> sparse.csr_array:
    """Put interactions into the matrix X (n_users, n_items), with 1 for each where no values are given.

    float32: ratings and counts are exact in it at half the memory; models add up in float64 where sums grow.

    Raises
    ------
    UsageError
        A number outside `shape`, a value that is not finite, or a pair (user, item) given twice.

    >>> to_csr([0, 0, 1], [0, 2, 1], [5, 3, 4], shape=(2, 3)).toarray()
    array([[5., 0., 3.],
           [0., 4., 0.]], dtype=float32)
    """
    u, i = np.asarray(users, dtype=np.int64), np.asarray(items, dtype=np.int64)
    x = np.ones(len(u), np.float32) if values is None else np.asarray(values, dtype=np.float32)
    if not len(u) == len(i) == len(x):
        raise UsageError(f"users, items and values are {len(u)}, {len(i)} and {len(x)} long; they must match")
    for name, codes, size in (("user", u, shape[0]), ("item", i, shape[1])):
        wrong = np.flatnonzero((codes < 0) | (codes >= size))
        if len(wrong):
            raise UsageError(f"row {wrong[0]}: {name} {codes[wrong[0]]} is outside 0..{size - 1}")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x))[0])
        raise UsageError(f"row {row}: value {x[row]} is not finite")
    matrix = sparse.csr_array((x, (u, i)), shape=shape)
    if matrix.nnz < len(x):
        row = int(np.flatnonzero(pd.Series(u * shape[1] + i).duplicated())[0])
        raise UsageError(f"row {row}: user {u[row]} with item {i[row]} stands above already; keep one of them")
    matrix.sort_indices()
    return matrix


def split_within(
    frame: pd.DataFrame, *, by: Literal["user", "item"] = "item", test_share: float = 0.25, seed: int = 0
) -> Split:
    """Hold out a random share of each item's (or user's) ratings.

    Of n ratings floor((1 - test_share) n) train, so the only rating of an item is held out and nothing can
    recommend that item. This is `python_stratified_split(filter_by=by)` of the recommenders repository, down
    to the draw (one uniform number per row, in the order of rows, from the Mersenne Twister): with the file's
    order and seed 42 the split is theirs row by row. The price is that another row order is another split.

    >>> ratings = pd.DataFrame({"user": range(8), "item": [1] * 4 + [2] * 4})
    >>> train, test = split_within(ratings, by="item", test_share=0.25, seed=0)
    >>> train.item.value_counts().to_dict(), test.item.value_counts().to_dict()
    ({1: 3, 2: 3}, {1: 1, 2: 1})
    """
    _need(frame, by)
    _need_share(test_share)
    draw = pd.Series(np.random.RandomState(seed).random_sample(len(frame)), index=frame.index)
    groups = draw.groupby(frame[by].to_numpy())
    place = groups.rank(method="first") / groups.transform("count")  # in (0, 1], uniform within the group
    return _cut(frame, place.to_numpy() > 1 - test_share + 1e-12)


def split_random(frame: pd.DataFrame, *, test_share: float = 0.25, seed: int = 0) -> Split:
    """Hold out a random share of all ratings, the same ones whatever the order of rows."""
    _need(frame, "user", "item")
    _need_share(test_share)
    return _cut(frame, _shuffled_rank(frame, seed) >= round((1 - test_share) * len(frame)))


def split_folds(frame: pd.DataFrame, *, n_folds: int = 5, seed: int = 0) -> list[Split]:
    """Divide the ratings at random into `n_folds` parts and hold out each in turn."""
    _need(frame, "user", "item")
    if not 2 <= n_folds <= len(frame):
        raise UsageError(f"n_folds={n_folds}: {len(frame)} ratings allow 2 to {len(frame)} folds")
    fold = _shuffled_rank(frame, seed) % n_folds
    return [_cut(frame, fold == f) for f in range(n_folds)]


def split_blocks(frame: pd.DataFrame, *, n_folds: int = 5, shuffle: int | None = None) -> list[Split]:
    """Cut the rows, in their order or shuffled, into `n_folds` blocks and hold out each in turn.

    In order, ml-100k's folds are u1 to u5, which its owners cut from u.data in just this way (their mku.sh). With
    `shuffle=0` they are those of Surprise's KFold(random_state=0), row by row.
    """
    _need(frame, "user", "item")
    if not 2 <= n_folds <= len(frame):
        raise UsageError(f"n_folds={n_folds}: {len(frame)} ratings allow 2 to {len(frame)} folds")
    order = np.arange(len(frame))
    if shuffle is not None:
        np.random.RandomState(shuffle).shuffle(order)
    return [_cut(frame, np.isin(np.arange(len(frame)), block)) for block in np.array_split(order, n_folds)]


def split_by_time(frame: pd.DataFrame, *, test_share: float = 0.25) -> Split:
    """Hold out the latest share of all ratings; what happened at one moment stays on one side.

    The cut is the first moment at which at least `1 - test_share` of the ratings have happened.
    """
    _need(frame, "time")
    _need_share(test_share)
    n_train = int(np.ceil((1 - test_share) * len(frame) - 1e-9))
    cut = frame["time"].sort_values().iloc[max(n_train - 1, 0)]
    return _cut(frame, (frame["time"] > cut).to_numpy())


def split_leave_last_out(frame: pd.DataFrame, *, n: int = 1) -> Split:
    """Hold out each user's last `n` ratings; of two at the same moment the later row is the later.

    A user with `n` ratings or fewer stays in the training part whole (He et al. 2017 have no such users).
    """
    _need(frame, "user", "item", "time")
    if n < 1:
        raise UsageError(f"n={n}: at least one rating of each user has to be held out")
    users = frame["user"].to_numpy()
    by_time = frame["time"].reset_index(drop=True).sort_values(kind="stable").index
    last_first = pd.Series(users)[by_time[::-1]]
    from_last = last_first.groupby(last_first).cumcount().sort_index()  # 0 for a user's last rating
    counts = pd.Series(users).groupby(users).transform("count")
    return _cut(frame, ((from_last < n) & (counts > n)).to_numpy())


def _shuffled_rank(frame: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """Give each row its place in a random order that depends on pairs and seed, not on the order of rows."""
    order = np.lexsort([pd.factorize(frame[c], sort=True)[0] for c in ("item", "user")])
    rank = np.empty(len(frame), np.int64)
    rank[order] = np.random.default_rng(seed).permutation(len(frame))
    return rank


def _cut(frame: pd.DataFrame, held_out: NDArray[np.bool_]) -> Split:
    train, test = frame[~held_out], frame[held_out]
    if train.empty or test.empty:
        empty = "training" if train.empty else "test"
        raise UsageError(f"the {empty} part of this split is empty: {len(frame)} ratings are too few for it")
    return train, test


def _need(frame: pd.DataFrame, *columns: str) -> None:
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        have = ", ".join(map(str, frame.columns))
        raise UsageError(f"the split needs the column {absent[0]!r}; the frame has {have}")
    for c in columns:
        if frame[c].isna().any():
            row = int(np.flatnonzero(frame[c].isna())[0])
            raise UsageError(f"row {row}, column {c!r}: missing; the split cannot place this row")


def _need_share(test_share: float) -> None:
    if not 0 < test_share < 1:
        raise UsageError(f"test_share={test_share} must lie between 0 and 1, for 0.25 holds out a quarter")
