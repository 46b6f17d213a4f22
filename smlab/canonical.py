"""Splits that a source has cut itself, so that figures can stand beside others' on the very same rows.

| dataset | split | files beside the ratings |
|---|---|---|
| ml-100k | u1 … u5, ua, ub | `u1.base` and `u1.test`, in the form of `u.data`, as in the official archive |
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from smlab import datasets
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, UsageError, nearest
from smlab.features import Split
from smlab.readers import read_ratings

FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")


def ml_100k(fold: str = "u1", *, data_dir: str | Path | None = None) -> Split:
    """Read training and test part of MovieLens 100K as its owners cut them: user, item, rating, time.

    Raises
    ------
    UsageError
        For a fold that there is not.
    DataAbsent
        Where the copy of ml-100k has no such files: the one of the package index has not.
    DataError
        If a row is in both parts, or a file breaks a rule.
    """
    if fold not in FOLDS:
        raise UsageError(f"ml-100k has no split {fold!r}: {nearest(fold, FOLDS)}")
    located = datasets.locate_or_fetch("ml-100k", data_dir, offline=None)
    train, test = (_beside(located.files["ratings"], f"{fold}.{part}") for part in ("base", "test"))
    learn, judge = (read_ratings(member, "ml-100k") for member in (train, test))
    both = pd.concat([learn, judge], ignore_index=True).duplicated(["user", "item"])
    if both.any():
        row = int(both.to_numpy().argmax()) - len(learn) + 1
        raise DataError(str(test), f"must hold no pair of user and item that {train.name} has", row=row)
    return learn, judge


def _beside(member: Member, name: str) -> Member:
    """Give the file of this name in the folder of another, which may be inside a zip file."""
    inner = member.inner and str(PurePosixPath(member.inner).with_name(name))
    found = Member(member.container, inner) if inner else Member(member.container.with_name(name))
    if not inner and not found.container.is_file():
        raise DataAbsent(
            f"{member.container.parent} has no {name}: the canonical splits are in the official ml-100k.zip; put its "
            "folder ml-100k, or the zip file itself, into the folder that --data-dir names"
        )
    return found
