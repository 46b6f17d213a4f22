"""Load queries and what their writers want: CLINC150, SMP 2017, your own.

| name | what |
|---|---|
| clinc150 | English, 150 intents in ten domains, and queries with none of them |
| smp2017 | Chinese, 31 intents |
| customer-queries, customer-queries-zh | made-up queries to a shop, English and Chinese |
| your folder with intents.csv | columns `text` and `intent`, and `split` where you have cut it |

An intent called "oos" is none: the query is out of scope.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smlab import catalog, datasets, layouts
from smlab.archives import Member
from smlab.checks import DataError, UsageError, shorten
from smlab.columns import refuse
from smlab.feeds import check_widths, counted, overlap, rows, texts
from smlab.owntext import read_posts
from smlab.text_tables import decode, header_columns

OOS = "oos"
PARTS = {"train": "train", "val": "validation", "test": "test"}  # of CLINC150
SMP = {"train": "train", "develop": "validation", "test": "test"}
ORDER = ("train", "validation", "test")


@dataclass(frozen=True)
class Intents:
    """Queries with their intents.

    Parameters
    ----------
    frame : text, intent ("oos" where it is none), split (train, validation, test, where it is cut), and `domain` where
        known; in the order of the files
    intents : their names in order, without "oos"
    language : "en" or "zh", of most of the queries
    note : how the rows came about, and what to beware of, for a report
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    """

    name: str
    frame: pd.DataFrame
    intents: list[str]
    language: str
    note: str
    origin: str
    fingerprint: str
    licence: str

    def part(self, split: str) -> pd.DataFrame:
        """Give the rows of "train", "validation" or "test"."""
        return datasets.part_of(self.frame, split, self.name).reset_index(drop=True)


def load_intents(name: str, data_dir: str | Path | None = None, *, offline: bool | None = None) -> Intents:
    """Load queries with intents.

    Parameters
    ----------
    name : of the table above, or the name of a folder of your own with intents.csv or intents.tsv
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    offline : read `data/sample/` only; None means `SMLAB_OFFLINE`. The made-up queries lie there anyway

    Raises
    ------
    DataAbsent
        If there is no copy; the text says what to do.
    DataError
        If a file breaks a rule, with its row, column and value.
    UsageError
        For data of another kind.
    """
    return read_intents(datasets.locate_or_fetch(name, data_dir, offline))


def read_intents(located: catalog.Located) -> Intents:
    """Read the files of a copy as queries with intents."""
    files = located.files
    if located.format is None:
        raise DataError(located.path, f"must hold {layouts.KNOWN_INTENTS}")
    if located.format == "clinc150":
        frame, language, note = read_clinc(files["queries"], files.get("domains"))
    elif located.format == "smp2017":
        frame, language, note = read_smp(files["queries"])
    elif located.format == "intents-csv":
        frame, language, note = read_own(files["queries"])
    else:
        raise UsageError(f"{located.name} holds no intents, but {', '.join(file.name for file in files.values())}")
    if located.origin == "sample":
        note = "Made-up queries to a shop; some ways of asking come only after training."
    intents = sorted(set(frame["intent"]) - {OOS})
    if len(intents) < 2:
        raise DataError(located.path, f"must have queries of 2 intents beside {OOS}, has {len(intents)}")
    note = f"{note} {_repeated(frame)}".strip()
    facts = located.origin, located.fingerprint, datasets.licence_of(located)
    return Intents(located.name, frame, intents, language, note, *facts)


def read_clinc(member: Member, domains: Member | None = None) -> tuple[pd.DataFrame, str, str]:
    """Read `data_full.json` of CLINC150, lists of [query, intent] under train, val, test and oos_train, …; its split.

    What the lists "oos_…" hold is out of scope; `domains` says which intents belong together.
    """
    file, lists = str(member), _json(member, "lists of queries")
    queries: list[tuple[str, str, str]] = []
    for key, split in PARTS.items():
        for name in (key, f"oos_{key}"):
            found = lists.get(name, [])
            if not isinstance(found, list):
                raise DataError(file, "must be a list of [query, intent]", column=name)
            for place, row in enumerate(found, start=1):
                if not (isinstance(row, list) and len(row) == 2 and all(isinstance(v, str) and v.strip() for v in row)):
                    raise DataError(file, "must be [query, intent], two texts", row=place, column=name, value=row)
                if (row[1] == OOS) != (name != key):
                    rule = (
                        f"must be {OOS}" if name != key else f"must be an intent; queries {OOS} have lists of their own"
                    )
                    raise DataError(file, rule, row=place, column=name, value=row[1])
                queries.append((row[0], row[1].strip(), split))
    if not queries:
        raise DataError(file, f"must hold a list {', '.join(PARTS)}")
    frame = pd.DataFrame(queries, columns=["text", "intent", "split"], dtype="str")
    frame["text"] = texts(frame["text"].tolist(), range(1, len(frame) + 1), file)
    if domains is not None:
        frame["domain"] = frame["intent"].map(_domains(domains, set(frame["intent"]))).astype("str")
    out = frame.loc[frame["intent"] == OOS, "split"].value_counts().reindex(ORDER, fill_value=0)
    note = (
        "Queries to an assistant, written by people who were paid for it; official split. Out of scope: "
        f"{out['train']:,} queries in train, {out['validation']:,} in validation, {out['test']:,} in test."
    )
    return frame, "en", note


def _domains(member: Member, intents: set[str]) -> dict[str, str]:
    """Give the domain of each intent, "oos" of what is out of scope."""
    found = _json(member, "domains with lists of intents")
    known = {intent: domain for domain, names in found.items() for intent in names} | {OOS: OOS}
    if missing := sorted(intents - set(known)):
        raise DataError(str(member), f"must name the domain of {missing[0]}", more=len(missing) - 1)
    return known


def _json(member: Member, what: str) -> dict[str, Any]:
    file = str(member)
    try:
        found = json.loads(decode(member.read(), file))
    except (ValueError, RecursionError) as error:
        raise DataError(file, f"is not JSON ({shorten(str(error))})", row=getattr(error, "lineno", None)) from None
    if not isinstance(found, dict) or not all(isinstance(value, list) for value in found.values()):
        raise DataError(file, f"must be an object that holds {what}")
    return found


def read_smp(member: Member) -> tuple[pd.DataFrame, str, str]:
    """Read the contest's queries, `split,label,text`; "develop" is the validation part."""
    file, (cells, lines) = str(member), _cells(member, ("split", "label", "text"))
    refuse(cells["split"], lambda v: v not in SMP, lines, file, "split", f"must be {' or '.join(SMP)}")
    refuse(cells["label"], lambda v: not v, lines, file, "label", "must not be empty")
    frame = pd.DataFrame({"text": texts(cells["text"], lines, file), "intent": pd.Series(cells["label"], dtype="str")})
    frame["split"] = pd.Series([SMP[v] for v in cells["split"]], dtype="str")
    return frame, "zh", "Chinese queries to an assistant on a phone; official split."


def _cells(member: Member, names: tuple[str, ...]) -> tuple[dict[str, list[str]], list[int]]:
    """Read the columns of a table with commas, and the line of each row."""
    file = str(member)
    numbered = list(rows(decode(member.read(), file), file))
    while len(numbered) > 1 and not any(numbered[-1][1]):
        numbered.pop()
    if len(numbered) < 2:
        raise DataError(file, "holds a header and no rows")
    at = header_columns([v.strip() for v in numbered[0][1]], {name: (name,) for name in names}, file)
    lines, body = [line for line, _ in numbered[1:]], [row for _, row in numbered[1:]]
    check_widths(body, lines, file, ",", len(numbered[0][1]))
    return {name: [row[place].strip() for row in body] for name, place in at.items()}, lines


def read_own(member: Member) -> tuple[pd.DataFrame, str, str]:
    """Read queries of your own, `text`, `intent` and if you like `split`, as `owntext` reads posts."""
    feed = read_posts(member)
    if "intent" not in feed.frame:
        raise DataError(str(member), f"must be in the header beside text; which intent is none is called {OOS}",
                        row=1, column="intent")  # fmt: skip
    if (empty := feed.frame["intent"] == "").any():
        rule = f"must not be empty; call it {OOS} where it is none of yours"
        raise DataError(
            str(member), rule, column="intent", value=feed.frame["text"][empty].iloc[0], more=empty.sum() - 1
        )
    frame, said = _cut(feed.frame)
    return frame, feed.language, feed.note.replace("posts of your own", "queries of your own") + said


def _cut(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Cut what is not cut, within each intent, by the same luck each time; a text that comes again stays with itself.

    >>> _cut(pd.DataFrame({"text": list("abcdefghij"), "intent": "x"}))[0]["split"].value_counts().tolist()
    [6, 2, 2]
    """
    if "split" not in frame:
        ends, names, rows = [0.6, 0.8, 1.0], list(ORDER), np.ones(len(frame), dtype=bool)
        said = " No split is given: of each intent six tenths are to learn from, two to choose by, two to judge by."
    elif "train" in set(frame["split"]) and "validation" not in set(frame["split"]):
        ends, names, rows = [0.8, 1.0], list(ORDER[:2]), (frame["split"] == "train").to_numpy()
        said = " A fifth of train is taken to choose by."
    else:
        return frame, ""
    first = frame[rows].sample(frac=1.0, random_state=0).drop_duplicates("text")
    by = first.groupby("intent")["text"]
    place = (by.cumcount() + 0.5) / by.transform("size")
    part = pd.Series(np.array(names)[np.searchsorted(ends, place)], first["text"])
    split = np.where(rows, frame["text"].map(part), frame.get("split", ""))
    return frame.assign(split=pd.Series(split, frame.index, dtype="str")), said


def _repeated(frame: pd.DataFrame) -> str:
    """Say how many texts come twice, under two intents, and on both sides of the cut."""
    said, torn = [], frame.groupby("text")["intent"].nunique() > 1
    if n := int(frame["text"].duplicated().sum()):
        said.append(f"{counted(n, 'query').replace('querys', 'queries')} there before, word for word")
    if torn.any():
        said.append(f"{int(torn.sum()):,} with two intents")
    told = f"Repeated: {', '.join(said)}; they stay." if said else ""
    return told + (overlap(frame) if "split" in frame and frame["split"].nunique() > 1 else "")
