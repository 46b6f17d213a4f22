"""Readers of English lexicons in their authors' files: word → weight, above 0 for good words.

| role | lexicon | weight |
|---|---|---|
| sentiment140, sentiment140-pairs | of 1.6 million tweets with emoticons (Mohammad, Kiritchenko & Zhu 2013) | PMI |
| hashtag | of 775,000 tweets with #good, #bad, … (the same) | PMI |
| maxdiff | 1,515 words of tweets, judged best and worst of four (Kiritchenko, Zhu & Mohammad 2014) | -1 to 1 |
| positive, negative | opinion lexicon (Hu & Liu 2004) | 1, -1 |
| mpqa | subjectivity clues (Wilson, Wiebe & Hoffmann 2005) | strong ±1, weak ±½ |
| socal | SO-CAL (Taboada et al. 2011), from -5 to 5 | a fifth |
| labmt | happiness of 10,222 words, 1 to 9 (Dodds et al. 2011) | (h - 5.37)/3, as the mean is 5.37 |

PMI(word, good) - PMI(word, bad) counts how often a word stands with signs of either side, so these lists know slang,
hashtags and misspellings. All are free for research; most of their authors want to be asked before commercial use.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np

from smlab.archives import Member
from smlab.checks import DataError, UsageError

Weights = dict[str, float]
ROLES = (
    "sentiment140", "sentiment140-pairs", "hashtag", "maxdiff", "positive", "negative", "mpqa", "socal", "labmt",
)  # fmt: skip
MEAN_HAPPINESS = 5.37


def read_wordlists(files: Mapping[str, Member]) -> dict[str, Weights]:
    """Read the lexicons whose files are there, plain or .gz; name → (word → weight).

    Raises
    ------
    DataError
        A line has no word or no number; with file and row.
    UsageError
        A role is not one of the table's.
    """
    if strange := sorted(set(files) - set(ROLES)):
        raise UsageError(f"{strange[0]!r} is no role of a lexicon; known: {', '.join(ROLES)}")
    found = {role: READERS[role](files[role]) for role in ROLES if role in files and role in READERS}
    words = {
        word.strip().lower(): weight
        for role, weight in (("positive", 1.0), ("negative", -1.0))
        for _, word in (_lines(files[role]) if role in files else [])
        if not word.startswith(";")  # a comment
    }
    return found | ({"opinion": words} if words else {})


def _scored(
    word: int, weight: int, scale: float = 1.0, zero: float = 0.0, head: int = 0
) -> Callable[[Member], Weights]:
    """Make a reader of lines with tabs; `word` and `weight` are the places of the cells, `head` lines come first."""

    def read(member: Member) -> Weights:
        weights = {}
        for row, line in _lines(member)[head:]:
            cells = line.split("\t") if "\t" in line else line.split()
            try:
                text, number = cells[word].strip(), float(cells[weight])
            except (IndexError, ValueError):
                raise DataError(str(member), "must hold a word and a number", row=row, value=line) from None
            if not np.isfinite(number):
                raise DataError(str(member), "must be a finite number", row=row, value=cells[weight])
            weights[text.lower()] = (number - zero) * scale
        return weights

    return read


def _mpqa(member: Member) -> Weights:
    weights = {}
    for row, line in _lines(member):
        cells = dict(cell.split("=", 1) for cell in line.split() if "=" in cell)
        if not {"word1", "type", "priorpolarity"} <= set(cells):
            raise DataError(str(member), "must hold type=, word1= and priorpolarity=", row=row, value=line)
        side = {"positive": 1.0, "negative": -1.0}.get(cells["priorpolarity"], 0.0)
        weights[cells["word1"].lower()] = side * (1.0 if cells["type"] == "strongsubj" else 0.5)
    return {word: weight for word, weight in weights.items() if weight}


READERS: dict[str, Callable[[Member], Weights]] = {
    "sentiment140": _scored(0, 1),
    "sentiment140-pairs": _scored(0, 1),
    "hashtag": _scored(0, 1),
    "maxdiff": _scored(1, 0),
    "mpqa": _mpqa,
    "socal": lambda member: {word.replace("_", " "): w for word, w in _scored(0, 1, scale=1 / 5)(member).items()},
    "labmt": _scored(0, 2, scale=1 / 3, zero=MEAN_HAPPINESS, head=1),
}


def _lines(member: Member) -> list[tuple[int, str]]:
    """Give the lines that hold something, each with its number; a lexicon's odd byte becomes a question mark."""
    with member.open() as stream:
        data = cast(bytes, stream.read())
    if member.name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(str(member), f"must be a whole gzip file ({error})") from None
    text = data.decode("utf-8", "replace")
    return [(row, line) for row, line in enumerate(text.split("\n"), 1) if line.strip()]
