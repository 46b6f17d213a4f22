"""Readers of ready-made splits: who chose what, and what of it was held out for the test.

Two forms are in use for what people chose without saying how much they like it:

    LightGCN    train.txt, test.txt     a line is a user and all items of that user, blanks between
    NCF         *.test.rating           user, item, rating, time of the one item held out of each user; tabs
                *.test.negative         (user,item) and items that this user has not, drawn by the authors; tabs
                *.train.rating          the other choices; where it is absent, the ratings less those held out

He et al. (2017), hexiangnan/neural_collaborative_filtering; He et al. (2020), gusye1234/LightGCN-PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.archives import Member
from smlab.checks import DataAbsent, DataError
from smlab.columns import ids, numbers, refuse, seconds
from smlab.text_tables import Table, decode, split

COLUMNS = ("user", "item", "rating", "time")
PAIR = re.compile(r"\(([0-9]{1,18}),([0-9]{1,18})\)")
WHOLE = re.compile(r"[0-9]{1,18}")


class Parts(NamedTuple):
    """A split as its authors cut it.

    train, test : user, item, and of NCF's files rating and time; each (user, item) once over both
    negatives : (n_test, m) items that the user of the same row of `test` has not; None where there are none
    numbers : id of each user and item in the ratings → its number in the split; None where they are the same
    """

    train: pd.DataFrame
    test: pd.DataFrame
    negatives: NDArray[np.int64] | None = None
    numbers: dict[str, dict[object, int]] | None = None


def read_parts(files: dict[str, Member], format_: str, ratings: pd.DataFrame | None = None) -> Parts:
    """Read a split.

    Parameters
    ----------
    files : "train", "test", "negatives" → file
    format_ : "lightgcn" or "ncf"
    ratings : user, item, rating, time in the order of their file, from which NCF's test was cut; the training
        part where there is no file of it

    Raises
    ------
    DataError
        For a row of another form, a pair given twice, a negative that the user has; with its row.
    DataAbsent
        If the training part is neither a file nor given by its ratings.
    """
    if format_ == "lightgcn":
        (train, _), (test, lines) = (_lines(files[part]) for part in ("train", "test"))
        _need_apart(train, test, str(files["test"]), lines)
        return Parts(train, test)
    test, lines = _quadruples(files["test"])
    numbered = None
    if "train" in files:
        train, _ = _quadruples(files["train"])
        _need_apart(train, test, str(files["test"]), lines)
    elif ratings is None:
        rule = "there is no NAME.train.rating beside it; name the ratings that it was cut from, such as ml-1m"
        raise DataAbsent(f"{files['test']}: {rule}")
    else:
        train, numbered = _rest(ratings, test, str(files["test"]), lines)
    negatives = _negatives(files["negatives"], test, train) if "negatives" in files else None
    return Parts(train, test, negatives, numbered)


def _lines(member: Member) -> tuple[pd.DataFrame, Sequence[int]]:
    """Read lines of a user and all items of that user into rows of user and item, and the line of each."""
    file = str(member)
    rows = decode(member.read(), file).rstrip("\n").split("\n")
    cells = [row.split() for row in rows]
    for at, row in enumerate(cells):
        wrong = next((cell for cell in row if not WHOLE.fullmatch(cell)), None)
        if wrong is not None or not row:
            rule = "must be whole numbers, a user and the items of that user, with blanks between"
            raise DataError(file, rule, row=at + 1, value=rows[at] if wrong is None else wrong)
    user = np.array([row[0] for row in cells], dtype=np.int64)
    item = np.array([cell for row in cells for cell in row[1:]], dtype=np.int64)
    again = pd.Series(user).duplicated().to_numpy()
    if again.any():
        at = int(again.argmax())
        first = int((user == user[at]).argmax()) + 1
        rule = f"has row {first} already"
        raise DataError(file, rule, row=at + 1, column="user", value=int(user[at]), more=int(again.sum()) - 1)
    widths = [len(row) - 1 for row in cells]
    frame = pd.DataFrame({"user": np.repeat(user, widths), "item": item})
    if frame.empty:
        raise DataError(file, "names users and no items")
    lines = np.repeat(np.arange(1, len(rows) + 1), widths).tolist()
    _need_once(frame, lines, file)
    return frame, lines


def _quadruples(member: Member) -> tuple[pd.DataFrame, Sequence[int]]:
    """Read rows of user, item, rating and time, and the line of each."""
    file = str(member)
    table = split(decode(member.read(), file), file, "\t", len(COLUMNS))
    user, item = (ids(table.columns[at], table.lines, file, COLUMNS[at], numeric=True) for at in (0, 1))
    frame = pd.DataFrame({"user": user, "item": item})
    frame["rating"] = numbers(table.columns[2], table.lines, file, "rating")
    time = seconds(table.columns[3], table.lines, file, whole=True)
    frame["time"] = pd.to_datetime(time, unit="s", utc=True).astype("datetime64[ns, UTC]")
    _need_once(frame, table.lines, file)
    return frame, table.lines


def _need_once(frame: pd.DataFrame, lines: Sequence[int], file: str) -> None:
    again = frame.duplicated(["user", "item"]).to_numpy()
    if again.any():
        at = int(again.argmax())
        pair = (int(frame["user"].iloc[at]), int(frame["item"].iloc[at]))
        rule = "stands in the file already"
        raise DataError(file, rule, row=lines[at], column="user, item", value=pair, more=int(again.sum()) - 1)


def _need_apart(train: pd.DataFrame, test: pd.DataFrame, file: str, lines: Sequence[int]) -> None:
    """Refuse a pair of the test that the training part has, too."""
    both = _codes(test, train, test).isin(_codes(train, train, test)).to_numpy()
    if both.any():
        at = int(both.argmax())
        pair = (int(test["user"].iloc[at]), int(test["item"].iloc[at]))
        rule = "is in the training part, too"
        raise DataError(file, rule, row=lines[at], column="user, item", value=pair, more=int(both.sum()) - 1)


def _codes(frame: pd.DataFrame, *all_: pd.DataFrame) -> pd.Series:
    """Give each pair (user, item) one number, the same for the same pair."""
    return frame["user"] * (max(int(f["item"].max()) for f in all_) + 1) + frame["item"]


def _rest(
    ratings: pd.DataFrame, test: pd.DataFrame, file: str, lines: Sequence[int]
) -> tuple[pd.DataFrame, dict[str, dict[object, int]]]:
    """Give the ratings less those held out, with NCF's numbers: users in order of id, items as they come."""
    item, first_seen = pd.factorize(ratings["item"])
    user, ordered = pd.factorize(ratings["user"], sort=True)
    whole = ratings.assign(user=user.astype(np.int64), item=item.astype(np.int64))
    found = test.merge(whole, on=list(COLUMNS), how="left", indicator=True)["_merge"].to_numpy() == "both"
    if not found.all():
        at = int((~found).argmax())
        row = test.iloc[at]
        rule = "is not among the ratings that the split is to be cut from"
        raise DataError(file, rule, row=lines[at], column="user, item", value=(int(row.user), int(row["item"])),
                        more=int((~found).sum()) - 1)  # fmt: skip
    train = whole[~_codes(whole, whole).isin(_codes(test, whole)).to_numpy()].reset_index(drop=True)
    numbered = {"user": ordered, "item": first_seen}
    return train, {name: {id_: at for at, id_ in enumerate(found.tolist())} for name, found in numbered.items()}


def _negatives(member: Member, test: pd.DataFrame, train: pd.DataFrame) -> NDArray[np.int64]:
    """Read the items drawn for each row of the test, (n_test, m)."""
    file = str(member)
    text = decode(member.read(), file)
    table = split(text, file, "\t", text.partition("\n")[0].count("\t") + 1)
    if len(table.lines) != len(test):
        raise DataError(file, f"must have a row for each of the {len(test)} of the test, has {len(table.lines)}")
    wanted = [f"({u},{i})" for u, i in zip(test["user"], test["item"], strict=True)]
    wrong = [at for at, (cell, pair) in enumerate(zip(table.columns[0], wanted, strict=True)) if cell != pair]
    if wrong:
        rule = f"must be {wanted[wrong[0]]}, user and item of that row of the test"
        raise DataError(file, rule, row=wrong[0] + 1, column="(user,item)", value=table.columns[0][wrong[0]],
                        more=len(wrong) - 1)  # fmt: skip
    drawn = _drawn(Table(table.columns[1:], table.lines), file)
    _need_strange(drawn, test, train, file)
    return drawn


def _drawn(table: Table, file: str) -> NDArray[np.int64]:
    for place, column in enumerate(table.columns):
        refuse(column, lambda v: not WHOLE.fullmatch(v), table.lines, file, f"negative {place}",
               "must be the whole number of an item")  # fmt: skip
    return np.array(table.columns, dtype=np.int64).T


def _need_strange(drawn: NDArray[np.int64], test: pd.DataFrame, train: pd.DataFrame, file: str) -> None:
    """Refuse a negative that its user has in the training part."""
    pairs = pd.DataFrame({"user": np.repeat(test["user"].to_numpy(), drawn.shape[1]), "item": drawn.ravel()})
    had = _codes(pairs, pairs, train).isin(_codes(train, pairs, train)).to_numpy()
    if had.any():
        row, place = divmod(int(had.argmax()), drawn.shape[1])
        rule = "is an item that this user has in the training part"
        raise DataError(file, rule, row=row + 1, column=f"negative {place}", value=int(drawn[row, place]),
                        more=int(had.sum()) - 1)  # fmt: skip
