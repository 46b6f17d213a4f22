"""Readers of ad logs that fit into memory, into one tidy frame each; a broken rule names file, row and column.

| format | what a row is | file |
|---|---|---|
| open-bandit | an impression with the propensity of its item (Saito et al. 2020) | `random-all.csv`, … and `-items` |
| facebook-ads | an ad with impressions, clicks, spend, conversions | `KAG_conversion_data.csv` |
| clicks-csv | either, of your own | `clicks.csv` |
| libfm | an impression, one number for each field | see `libfm` |
| criteo, avazu | an impression; the first rows only | see `clicklogs`, which reads them all in pieces |
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import clicklogs
from smlab.archives import Member
from smlab.checks import DataError, UsageError, nearest
from smlab.columns import NUMBER, WHOLE, ids, numbers, refuse, seconds
from smlab.encoding import bucketize
from smlab.libfm import Log, read_libfm
from smlab.text_tables import Table, decode, headed

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?\+00:00", re.ASCII)
OPEN_BANDIT = {
    "time": "timestamp", "item": "item_id", "position": "position", "click": "click", "propensity": "propensity_score",
    **{f"user_feature_{k}": f"user_feature_{k}" for k in range(4)},
}  # fmt: skip
OPEN_BANDIT_ITEMS = {"item": "item_id", **{f"item_feature_{k}": f"item_feature_{k}" for k in range(4)}}
FACEBOOK = {
    "ad": "ad_id", "campaign": "xyz_campaign_id", "fb_campaign": "fb_campaign_id", "age": "age", "gender": "gender",
    "interest": "interest", "impressions": "impressions", "clicks": "clicks", "spend": "spent",
    "conversions": "total_conversion", "sales": "approved_conversion",
}  # fmt: skip
SPLITS = ("train", "validation", "test")
EMPTY = -99  # a cell of Criteo or Avazu without a value, as a category of its own


def read(files: dict[str, Member], format_: str, variant: str | None = None, name: str = "") -> Log:
    """Read a log of a known format.

    Parameters
    ----------
    files : role -> file, as `layouts.recognise` gives them
    variant : "random/all" and the like for open-bandit; the other formats are one whole
    name : of the dataset; some have names for their fields

    Raises
    ------
    DataError
        With the file's line, column and value, and how many more rows break the same rule.
    UsageError
        For a variant that is not there.
    """
    known = [role for role in files if not role.endswith("-items")] if format_ == "open-bandit" else []
    if variant is not None and variant not in known:
        here = nearest(variant, known) if known else "it is one whole"
        raise UsageError(f"{name or format_} has no variant {variant!r}: {here}")
    if format_ == "open-bandit":
        first = variant or (known[0] if known else "random/all")
        for role in (first, f"{first}-items"):
            if role not in files:
                absent = f"{role.replace('/', '-')}.csv"
                raise DataError(next(iter(files.values())).container.parent, f"must hold {absent}, too")
        return read_open_bandit(files[first], files[f"{first}-items"], first)
    if format_ == "libfm":
        return read_libfm(files, name)
    return {"facebook-ads": read_facebook_ads, "clicks-csv": read_clicks_csv}[format_](files["log"])


def read_first(log: Member, format_: str, max_rows: int) -> Log:
    """Read the first rows of a great log whole, and cut them in the file's order: 60, 20 and 20 %.

    Criteo's counts become bins of ⌊ln(x)²⌋; an empty cell is a category of its own.
    """
    frame = pd.concat(clicklogs.stream(log, format_, limit=max_rows), ignore_index=True)
    rules = clicklogs.FORMATS[format_]
    for name in rules.fields:
        frame[name] = frame[name].fillna(EMPTY).astype("int64")
    if format_ == "criteo":
        for name in (name for name, kind in rules.columns if kind == "whole"):
            frame[name] = bucketize(frame[name])
    share = np.arange(len(frame)) / len(frame)
    frame["split"] = np.select([share < 0.6, share < 0.8], SPLITS[:2], SPLITS[2])
    return Log(frame, rules.fields, f"The first {len(frame):,} rows of the file only, cut in their order.")


def read_open_bandit(log: Member, items: Member, variant: str = "") -> Log:
    """Read impressions of the Open Bandit Dataset with their items' features.

    `affinity` is what the log's user-item_affinity of the item shown says: how often this user clicked it before.
    """
    file = str(log)
    header, at, table = headed(decode(log.read(), file), file, ",", {k: (v,) for k, v in OPEN_BANDIT.items()})
    text = {name: table.columns[place] for name, place in at.items()}
    frame = pd.DataFrame({"click": _binary(text["click"], table, file, "click")})
    frame["item"] = ids(text["item"], table.lines, file, "item", True)
    things = _open_bandit_items(items)
    row = pd.Index(things["item"]).get_indexer(pd.Index(frame["item"]))
    _must(row >= 0, text["item"], table, file, "item", f"is not in {items.name}")
    for k in range(4):
        name = f"user_feature_{k}"
        refuse(text[name], lambda v: not v.strip(), table.lines, file, name, "must not be empty")
        frame[name] = pd.Series(text[name], dtype="str")
    for name in things.columns[1:]:
        frame[name] = things[name].to_numpy()[row]
    frame["affinity"] = _affinity(header, table, frame["item"].to_numpy(), file)
    fields = list(frame.columns[1:])
    frame["time"] = _moments(text["time"], table, file)
    frame["position"] = ids(text["position"], table.lines, file, "position", True)
    _must(frame["position"].between(1, 100), text["position"], table, file, "position", "must be from 1 to 100")
    frame["propensity"] = _propensity(text["propensity"], table, file)
    return Log(_not_empty(frame, file), fields, _open_bandit_note(frame, variant))


def _open_bandit_note(frame: pd.DataFrame, variant: str) -> str:
    policy = "drawn at random" if variant.startswith("random") else "chosen by Thompson sampling"
    return (
        f"Logged impressions of a fashion shop; the items were {policy} and the propensity of each is known. "
        f"There are only {int(frame['click'].sum())} clicks in {len(frame):,} rows, so every interval is wide."
    )


def _open_bandit_items(items: Member) -> pd.DataFrame:
    file = str(items)
    _, at, table = headed(decode(items.read(), file), file, ",", {k: (v,) for k, v in OPEN_BANDIT_ITEMS.items()})
    text = {name: table.columns[place] for name, place in at.items()}
    frame = pd.DataFrame({"item": _unique(text["item"], table, file, "item")})
    frame["item_feature_0"] = numbers(text["item_feature_0"], table.lines, file, "item_feature_0")
    for k in range(1, 4):
        name = f"item_feature_{k}"
        refuse(text[name], lambda v: not v.strip(), table.lines, file, name, "must not be empty")
        frame[name] = pd.Series(text[name], dtype="str")
    return frame


def _affinity(header: list[str], table: Table, item: NDArray[np.int64], file: str) -> pd.Series:
    """Pick for each row, of the columns user-item_affinity_<item>, the one of the item that was shown."""
    place = {name: i for i, name in enumerate(header)}
    columns = [place.get(f"user-item_affinity_{i}") for i in item]
    absent = np.array([column is None for column in columns], dtype=bool)
    _must(~absent, [f"user-item_affinity_{i}" for i in item], table, file, "item", "is no column of this file")
    shown = [table.columns[column][row] for row, column in enumerate(columns) if column is not None]
    found = numbers(shown, table.lines, file, "user-item_affinity")
    whole = (found >= 0) & (found <= 2**31) & (found == found.round())
    _must(whole, shown, table, file, "user-item_affinity", "must be a whole number from 0, however written")
    return found.astype("int64")


def read_facebook_ads(log: Member) -> Log:
    """Read the ad report with one row per ad: impressions, clicks, spend and conversions by audience."""
    file = str(log)
    _, at, table = headed(decode(log.read(), file), file, ",", {k: (v,) for k, v in FACEBOOK.items()})
    text = {name: table.columns[place] for name, place in at.items()}
    frame = _counts(text, table, file)
    for name in ("campaign", "age", "gender", "interest"):
        frame[name] = ids(text[name], table.lines, file, name, False)
    fields = list(frame.columns[2:])
    frame["ad"] = _unique(text["ad"], table, file, "ad")
    frame["fb_campaign"] = ids(text["fb_campaign"], table.lines, file, "fb_campaign", False)
    frame["spend"] = numbers(text["spend"], table.lines, file, "spend")
    _must(frame["spend"] >= 0, text["spend"], table, file, "spend", "must not be below 0")
    for name in ("conversions", "sales"):
        frame[name] = ids(text[name], table.lines, file, name, True)
    note = "One row is an ad with its impressions and clicks, not one impression; spend, conversions, sales come after."
    return Log(_not_empty(frame, file), fields, note)


def read_clicks_csv(log: Member) -> Log:
    """Read a log of your own: `click`, or `impressions` and `clicks`; what else has a header is a field.

    `time` (seconds since 1970), `propensity`, `position` and `split` (train, validation, test) are known by name.
    A field is whole numbers, decimal numbers (float64, a quantity) or text; no cell may be empty.
    """
    file = str(log)
    header, _, table = headed(decode(log.read(), file), file, ",", {})
    text = {name.lower(): column for name, column in zip(header, table.columns, strict=True)}
    if ("click" in text) == ("impressions" in text and "clicks" in text):
        rule = "must have the column click, or the columns impressions and clicks, in its header"
        raise DataError(file, f"{rule}, which is {', '.join(header)[:100]}", row=1)
    counted = "click" not in text
    frame = (
        _counts(text, table, file) if counted else pd.DataFrame({"click": _binary(text["click"], table, file, "click")})
    )
    known = {"time", "propensity", "position", "split", *frame.columns}
    fields = [name for name in text if name not in known]
    for name in fields:
        frame[name] = _field(text[name], table, file, name or "(no name)")
    if "time" in text:
        moment = seconds(text["time"], table.lines, file, whole=True)
        _must(moment < 4_102_444_800, text["time"], table, file, "time", "must be seconds since 1970, before 2100")
        frame["time"] = pd.to_datetime(moment, unit="s", utc=True).astype("datetime64[ns, UTC]")
    if "propensity" in text:
        frame["propensity"] = _propensity(text["propensity"], table, file)
    if "position" in text:
        frame["position"] = ids(text["position"], table.lines, file, "position", True)
    if "split" in text:
        refuse(text["split"], lambda v: v not in SPLITS, table.lines, file, "split", f"must be {' or '.join(SPLITS)}")
        frame["split"] = pd.Series(text["split"], dtype="str")
    return Log(_not_empty(frame, file), fields, "Data of your own; how it was collected is not known here.")


def _field(values: list[str], table: Table, file: str, name: str) -> pd.Series:
    refuse(values, lambda v: not v.strip(), table.lines, file, name, "must not be empty")
    if all(NUMBER.fullmatch(v) for v in values) and not all(WHOLE.fullmatch(v) for v in values):
        found = numbers(values, table.lines, file, name)
        _must(np.isfinite(found), values, table, file, name, "is too large a number")
        return found
    refuse(values, lambda v: v != v.strip(), table.lines, file, name, "must not begin or end with a blank")
    return ids(values, table.lines, file, name, False)


def _counts(text: dict[str, list[str]], table: Table, file: str) -> pd.DataFrame:
    frame = pd.DataFrame({n: ids(text[n], table.lines, file, n, True) for n in ("impressions", "clicks")})
    _must(frame["impressions"] > 0, text["impressions"], table, file, "impressions", "must be above 0")
    fewer = frame["clicks"] <= frame["impressions"]
    _must(fewer, text["clicks"], table, file, "clicks", "must not be above the impressions")
    return frame


def _binary(values: list[str], table: Table, file: str, column: str) -> pd.Series:
    refuse(values, lambda v: v not in ("0", "1"), table.lines, file, column, "must be 0 or 1")
    return pd.Series(np.array([v == "1" for v in values], dtype="int64"))


def _propensity(values: list[str], table: Table, file: str) -> pd.Series:
    found = numbers(values, table.lines, file, "propensity")
    _must((found > 0) & (found <= 1), values, table, file, "propensity", "must be above 0 and at most 1")
    return found


def _moments(values: list[str], table: Table, file: str) -> pd.Series:
    rule = "must be a time in UTC, such as 2019-11-24 00:00:01.5+00:00, from 1970 to 2099"
    refuse(values, lambda v: not MOMENT.fullmatch(v), table.lines, file, "time", rule)
    found = pd.to_datetime(pd.Series(values, dtype="str"), format="ISO8601", utc=True, errors="coerce")
    _must(found.dt.year.between(1970, 2099), values, table, file, "time", rule)
    return found.astype("datetime64[ns, UTC]")


def _unique(values: list[str], table: Table, file: str, column: str) -> pd.Series:
    found = ids(values, table.lines, file, column, True)
    _must(~found.duplicated(), values, table, file, column, "is in an earlier row already")
    return found


def _must(
    right: NDArray[np.bool_] | pd.Series, values: Sequence[str], table: Table, file: str, column: str, rule: str
) -> None:
    """Raise a DataError for the first row that is not right."""
    wrong = np.flatnonzero(~np.asarray(right, dtype=bool))
    if len(wrong):
        row = wrong[0]
        raise DataError(file, rule, row=table.lines[row], column=column, value=values[row], more=len(wrong) - 1)


def _not_empty(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    if frame.empty:
        raise DataError(file, "holds a header and no rows")
    return frame
