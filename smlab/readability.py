r"""How easy a text is to read: Flesch's formulas for English, and for Chinese what stands in their place.

    ease    = 206.835 - 1.015 words/sentences - 84.6 syllables/words      Flesch (1948): 60 to 70 is plain English
    grade   = 0.39 words/sentences + 11.8 syllables/words - 15.59         Kincaid et al. (1975): years at school

    Chinese:  ease = 100 common - characters/clauses

`common` is the share of characters that are among the 3755 of level 1 of GB 2312, the standard's frequent ones, read
from the codec. The Chinese line is ours and has not been held against readers: it orders texts, higher is easier, and
is on no scale with Flesch's. Both are made for pages, not for headlines: the shorter a text, the more one long word
weighs, so what they give is a hint. A letter case, a mention or a link tells nothing and is not counted.

Syllables of English are counted by rules: a run of vowels is one, a mute e at the end none, and what is pronounced
against that rule by its ending (-ed after t or d, -le, -ism, -ious…).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import UsageError
from smlab.hanzi import ADDRESSES, ONE_HAN, language
from smlab.spelling import normalise

WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+(?:[.,:]\d+)*")
SENTENCE = re.compile(r"(?<![A-Z]\.)(?<!\b(?:Mr|Dr|Ms|St|vs|No)\.)(?<=[.!?…])[\"')]*\s+|[。!?…]+(?=[^\s\"')])")
CLAUSE = re.compile(r"[。!?…,、;:.\s]+")
VOWELS = re.compile(r"[aeiouy]+")
SILENT = (
    re.compile(  # an e that is not spoken: at the end, in -ed and -es, before endings, in the first half of a compound
        r"(?<=[^aeiouy])e$|(?<=[^aeioudt])ed$|(?<=[^aeiouycszgxh])es$|(?<=[aeiou][^aeiouy])e(?=ly$|ment|ful|less|ness)|"
        r"(?<=^som)e|(?<=^ev)e(?=ry)|(?<=^(?:lif|hom|fac|lov|tim))e(?=[^adnrs])|(?<=wher)e"
    )
)
APART = re.compile(  # vowels side by side that are two syllables, and endings that have one more
    r"(?<=[^cglnstx]i)(?:a(?!ge)|o|um|us|et|en(?!d))|(?<=i)e(?=r$|st$)|(?<=[^aeiou])ism|(?<=[^aeiouylrw])le[sd]?$|"
    r"(?<=[dt]e)o|(?<=po)e[mt]|(?<=[crd]e)a(?=t[eio]|li[stz]|ct|s?$)|(?<=u)(?:al|el|icid)|(?<=[aeo])ing$|(?<=y)i(?=ng|st)|"
    r"(?<=[^q]u)ity|(?<=ever)yo|(?<=sc)ie(?=n)|(?<=[aeiou]y)(?!e[ds]?$)[aeou]"
)


def readability(texts: Iterable[str]) -> pd.DataFrame:
    """Measure each text.

    Returns
    -------
    a row a text: language ("en" or "zh", see `hanzi.language`), sentences, words (of Chinese: characters), per_sentence
    (words of a sentence, Chinese characters of a clause), syllables (per word; NaN in Chinese), common (share of
    characters; NaN in English), ease, grade (NaN in Chinese). Numbers are NaN where there is no word

    >>> table = readability(["The cat sat on the mat.", "价格很好，快递也快。"])
    >>> table[["words", "ease", "grade"]].round(1).values.tolist()
    [[6.0, 116.1, -1.4], [8.0, 96.0, nan]]
    """
    if isinstance(texts, str):
        raise UsageError("several texts are needed; put a single one into a list")
    columns = ["language", "sentences", "words", "per_sentence", "syllables", "common", "ease", "grade"]
    return pd.DataFrame([_measure(text) for text in texts], columns=columns)


def reading_ease(texts: Iterable[str]) -> NDArray[np.float64]:
    """Give the column `ease` of `readability`, (n,): a score for `variants.rank`, of texts in one language."""
    return readability(texts)["ease"].to_numpy(dtype=float)


def syllables(word: str) -> int:
    """Count the syllables of an English word by the rules above; at least one.

    >>> [syllables(w) for w in ("cat", "table", "called", "wanted", "created", "curious", "TV")]
    [1, 2, 1, 2, 3, 3, 2]
    """
    plain = re.sub(r"[^a-z]", "", word.lower())
    if len(plain) > 1 and not VOWELS.search(plain):
        return len(plain)  # spelt out, such as TV
    mute = SILENT.sub("", plain) if len(plain) > 2 else plain
    return max(len(VOWELS.findall(mute)) + len(APART.findall(plain)), 1)


def _measure(text: str) -> tuple[object, ...]:
    plain = ADDRESSES.sub(" ", normalise(text)).strip()
    sentences = max(sum(bool(WORD.search(part)) for part in SENTENCE.split(plain)), 1)
    if language(plain) == "zh":
        return "zh", sentences, *_chinese(plain)
    words = WORD.findall(plain)
    if not words:
        return "en", 0, 0, *[np.nan] * 5
    long, spoken = len(words) / sentences, sum(map(syllables, words)) / len(words)
    ease, grade = 206.835 - 1.015 * long - 84.6 * spoken, 0.39 * long + 11.8 * spoken - 15.59
    return "en", sentences, len(words), long, spoken, np.nan, ease, grade


def _chinese(text: str) -> tuple[float, ...]:
    characters = ONE_HAN.findall(text)
    clauses = max(sum(bool(ONE_HAN.search(part)) for part in CLAUSE.split(text)), 1)
    common, long = float(np.mean([is_common(c) for c in characters])), len(characters) / clauses
    return len(characters), long, np.nan, common, 100 * common - long, np.nan


def is_common(character: str) -> bool:
    """Say whether a Chinese character is one of level 1 of GB 2312, rows 16 to 55; traditional forms are not.

    >>> is_common("好"), is_common("囍"), is_common("氤")
    (True, False, False)
    """
    code = character.encode("gb2312", "ignore")
    return len(code) == 2 and 0xB0 <= code[0] <= 0xD7
