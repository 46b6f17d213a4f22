"""Readers of public Chinese collections: shopping reviews, Weibo posts with emotions, a lexicon."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pandas as pd

from smlab.archives import Member
from smlab.checks import DataError, shorten
from smlab.columns import numbers, refuse
from smlab.feeds import Feed, check_widths, filled, need, once, overlap, rows, texts
from smlab.letters import HALF
from smlab.text_tables import decode, header_columns, split

Files = dict[str, Member]
SIGNS = {"0": "negative", "1": "positive"}
EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
FOLDS = tuple(f"usual/fold{k}" for k in range(5))
EMOTICON = re.compile(r"\[[^\[\]\s]{1,12}\]")


def read_shopping_zh(files: Files, _: str = "") -> Feed:
    """Read bad and good reviews, one a line; repeated and contradictory ones are dropped."""
    parts = []
    for label in ("negative", "positive"):
        member = need(files, label, f"{label[:3]}_sentences.txt")
        lines = decode(member.read(), str(member)).split("\n")
        held = filled(lines)
        found = texts([lines[i] for i in held], [i + 1 for i in held], str(member))
        parts.append(pd.DataFrame({"text": found, "label": pd.Series([label] * len(found), dtype="str")}))
    frame, dropped = once(pd.concat(parts, ignore_index=True))
    note = "Reviews of books, hotels and computers. The library SnowNLP was trained on them, so they cannot test it."
    return Feed(frame, list(SIGNS.values()), "zh", f"{note} {dropped}")


def read_lexicon(member: Member) -> dict[str, float]:
    """Read words with their weights, below 0 for bad ones, `word BLANK weight`; of a repeated word the last counts."""
    file = str(member)
    table = split(decode(member.read(), file), file, " ", 2)
    words, weights = table.columns
    refuse(words, lambda v: not v.strip(), table.lines, file, "word", "must not be empty")
    return dict(zip(words, numbers(weights, table.lines, file, "weight").tolist(), strict=True))


def read_online_shopping(files: Files, _: str = "") -> Feed:
    """Read reviews with the kind of goods, `cat,label,review`; repeated and contradictory ones are dropped."""
    cells, lines = _columns(files["reviews"], ("cat", "label", "review"))
    file = str(files["reviews"])
    refuse(cells["cat"], lambda v: not v.strip(), lines, file, "cat", "must not be empty")
    frame, empty = _reviews(cells, lines, file)
    frame, dropped = once(frame)
    note = f"Reviews of ten kinds of goods, collected by unknown hands; without a text: {empty}. {dropped}"
    return Feed(frame, list(SIGNS.values()), "zh", note)


def read_weibo(files: Files, variant: str = "stripped") -> Feed:
    """Read Weibo posts, `label,review`, without the emoticons from which the labels were made, or with them."""
    cells, lines = _columns(files["reviews"], ("label", "review"))
    if variant == "stripped":
        cells["review"] = list(map(strip_emoticons, cells["review"]))
    frame, empty = _reviews(cells, lines, str(files["reviews"]))
    frame, dropped = once(frame)
    note = "The labels were made from the emoticons in the posts, not by people, "
    if variant == "stripped":
        note += f"and the emoticons were taken out; posts of nothing else: {empty}. {dropped}"
    else:
        note += f"and the emoticons are still there: a model that reads them scores high and learns nothing. {dropped}"
    return Feed(frame, list(SIGNS.values()), "zh", note)


def strip_emoticons(text: str) -> str:
    """Take out Weibo's emoticons, which are words in square brackets.

    >>> strip_emoticons("终于收工啦[泪][泪] 回家[good]")
    '终于收工啦 回家'
    """
    return EMOTICON.sub("", text).strip()


def _columns(member: Member, names: Sequence[str]) -> tuple[dict[str, list[str]], list[int]]:
    """Read a table with exactly these columns, in any order; give them and the line of each row."""
    file = str(member)
    numbered = list(rows(decode(member.read(), file), file))
    while len(numbered) > 1 and not numbered[-1][1]:
        numbered.pop()
    (_, header), body = numbered[0], numbered[1:]
    at = header_columns([name.strip() for name in header], {name: (name,) for name in names}, file)
    if not body:
        raise DataError(file, "holds a header and no rows")
    lines = [line for line, _ in body]
    check_widths([row for _, row in body], lines, file, ",", len(header))
    return {name: [row[place] for _, row in body] for name, place in at.items()}, lines


def _reviews(cells: dict[str, list[str]], lines: list[int], file: str) -> tuple[pd.DataFrame, int]:
    """Turn cells into text, label and category; rows without a text are left out and counted."""
    refuse(cells["label"], lambda v: v.strip() not in SIGNS, lines, file, "label", "must be 0 or 1")
    held = filled(cells["review"])
    if not held:
        raise DataError(file, "holds no text")
    frame = pd.DataFrame({"text": texts([cells["review"][i] for i in held], [lines[i] for i in held], file, "review")})
    frame["label"] = pd.Series([SIGNS[cells["label"][i].strip()] for i in held], dtype="str")
    if "cat" in cells:
        frame["category"] = pd.Series([cells["cat"][i].strip() for i in held], dtype="str")
    return frame, len(lines) - len(held)


def read_smp2020(files: Files, variant: str) -> Feed:
    """Read Weibo posts with one of six emotions: `usual` ones, or those on the `virus`; the official split.

    The training part of `usual` is its own file, or the union of five folds that hold both kinds.
    """
    parts, note = [], "Official split."
    if f"{variant}/train" not in files and any(fold in files for fold in FOLDS):
        for k, fold in enumerate(FOLDS):
            member = need(files, fold, f"dev{k}.csv")
            parts.append(_posts(_fold(member, variant), str(member), "train"))
        note += " The training part is the union of five published folds."
    for role, split_ in (("train", "train"), ("eval", "validation"), ("test", "test")):
        if f"{variant}/{role}" in files:
            member = files[f"{variant}/{role}"]
            parts.append(_posts(_emotions(member), str(member), split_))
    frame = pd.concat(parts, ignore_index=True)
    empty = frame["text"] == ""
    frame = frame[~empty].reset_index(drop=True)
    if frame.empty:
        raise DataError(str(member), f"holds no posts of {variant!r}")
    dropped = f" Posts without a text, dropped: {int(empty.sum())}." if empty.any() else ""
    return Feed(frame, list(EMOTIONS), "zh", note + dropped + overlap(frame))


Record = tuple[int, str, str]  # place, text, label


def _emotions(member: Member) -> list[Record]:
    """Read a list of objects with content and label; the row of an error is the place in the list."""
    file = str(member)
    try:
        found = json.loads(decode(member.read(), file))
    except (ValueError, RecursionError) as error:
        raise DataError(file, f"is not JSON ({shorten(str(error))})", row=getattr(error, "lineno", None)) from None
    if not isinstance(found, list) or not found:
        raise DataError(file, 'must be a list of posts such as {"id": 1, "content": "…", "label": "happy"}')
    for i, post in enumerate(found, start=1):
        if not isinstance(post, dict) or not all(isinstance(post.get(key), str) for key in ("content", "label")):
            raise DataError(file, "must have a text as content and as label", row=i, value=post)
    return [(i, post["content"], post["label"]) for i, post in enumerate(found, start=1)]


def _fold(member: Member, variant: str) -> list[Record]:
    """Read the posts of one kind from a fold, `content,labels,type`."""
    cells, lines = _columns(member, ("content", "labels", "type"))
    refuse(cells["type"], lambda v: v not in ("usual", "virus"), lines, str(member), "type", "must be usual or virus")
    table = zip(lines, cells["content"], cells["labels"], cells["type"], strict=True)
    return [(line, text, label) for line, text, label, kind in table if kind == variant]


def _posts(records: list[Record], file: str, split_: str) -> pd.DataFrame:
    lines, content = [line for line, _, _ in records], [text.strip() for _, text, _ in records]
    labels = ["neutral" if label == "neural" else label for _, _, label in records]  # the organisers' own spelling
    refuse(labels, lambda v: v not in EMOTIONS, lines, file, "label", f"must be one of {', '.join(EMOTIONS)}")
    refuse(content, lambda v: HALF.search(v) is not None, lines, file, "content", "holds half of a character")
    columns = {"text": content, "label": labels, "split": [split_] * len(records)}
    return pd.DataFrame({name: pd.Series(values, dtype="str") for name, values in columns.items()})
