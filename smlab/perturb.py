"""How much does a classifier lose on posts as people type them? Typos, dialect and the like, put in on purpose.

Each kind changes a share `rate` of the words (in Chinese: of the characters) that it can change, at places that a seed
and the text itself fix, and leaves links, mentions and hashtags alone. What the post says stays, as far as a person can
tell, so its label should stay. The tables are small on purpose: they measure, they do not model a language.

`robustness` runs any classifier on both versions. Swaps and neighbouring keys are those of Belinkov & Bisk
(2018); that such a change must not change the answer is a test of Ribeiro et al. (2020), CheckList.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.checks import UsageError, nearest
from smlab.classes import accuracy, difference

Rng = np.random.Generator
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
BESIDE = {a: b for row in KEYS for a, b in zip(row, row[1:] + row[-2], strict=True)}
SLANG = {
    "you": "u", "your": "ur", "are": "r", "for": "4", "to": "2", "too": "2", "great": "gr8", "thanks": "thx",
    "please": "plz", "because": "cuz", "want": "wanna", "love": "luv", "what": "wut", "know": "kno",
    "really": "rly", "people": "ppl", "before": "b4", "tomorrow": "tmrw", "though": "tho", "through": "thru",
}  # fmt: skip
DIALECT = {  # th said as d or t, ain't; and g-dropping, below
    "the": "da", "that": "dat", "this": "dis", "them": "dem", "those": "dose", "with": "wit", "nothing": "nuttin",
    "isn't": "ain't", "aren't": "ain't", "about": "'bout", "of": "o'",
}  # fmt: skip
BRITISH = {
    "color": "colour", "favorite": "favourite", "center": "centre", "theater": "theatre", "favor": "favour",
    "realize": "realise", "organize": "organise", "apologize": "apologise", "gray": "grey", "mom": "mum",
    "traveling": "travelling", "canceled": "cancelled", "defense": "defence", "flavor": "flavour", "honor": "honour",
    "humor": "humour", "neighbor": "neighbour", "program": "programme", "tire": "tyre", "movie": "film",
    "vacation": "holiday", "apartment": "flat", "cell": "mobile",
}  # fmt: skip
HOMOPHONES = dict(zip("的得地在再做作他她以已坐座带戴象像很账", "得的的再在作做她他已以座坐戴带像象狠帐", strict=True))
SHAPES = dict(zip("己已末未人入日土士天千干大太问间目", "已己未末入人曰士土夭干千太大间问日", strict=True))
TRADITIONAL = dict(
    zip(
        "这个们来时说为会没过发见长东车书买卖贵质量务价钱员电话机还错对给让应该样里从后",
        "這個們來時說為會沒過發見長東車書買賣貴質量務價錢員電話機還錯對給讓應該樣裡從後",
        strict=True,
    )
)
KEPT = re.compile(r"((?:https?:|www\.)\S*|[@#]\S+|<\w+>)")
WORD, HAN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?"), re.compile("[\u4e00-\u9fff]")


def _swap(word: str, rng: Rng) -> str:
    """Exchange two neighbouring letters, not the first: the hand that was too quick."""
    i = int(rng.integers(1, len(word) - 1)) if len(word) > 3 else 0
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :] if i else word


def _drop(word: str, rng: Rng) -> str:
    """Leave out a letter inside."""
    i = int(rng.integers(1, len(word) - 1)) if len(word) > 3 else 0
    return word[:i] + word[i + 1 :] if i else word


def _neighbour(word: str, rng: Rng) -> str:
    """Hit the key beside."""
    i = int(rng.integers(0, len(word)))
    return word[:i] + BESIDE.get(word[i], word[i]) + word[i + 1 :] if len(word) > 3 else word


def _dialect(word: str, rng: Rng) -> str:
    """Write it as it is said: dat for that, goin' for going, but not sprin' for spring, which has no other vowel."""
    low = word.lower()
    return DIALECT.get(low, word[:-1] + "'" if re.search("[aeiouy].*ing$", low) else word)


def _slang(word: str, rng: Rng) -> str:
    return SLANG.get(word.lower(), word)


def _lengthen(word: str, rng: Rng) -> str:
    """Stretch the last vowel: gooood."""
    i = max(word.lower().rfind(v) for v in "aeiou")
    return word[: i + 1] + word[i] * int(rng.integers(2, 5)) + word[i + 1 :] if i >= 0 and len(word) > 2 else word


def _british(word: str, rng: Rng) -> str:
    return BRITISH.get(word.lower(), word)


def _upper(word: str, rng: Rng) -> str:
    return word.upper()


def _lower(word: str, rng: Rng) -> str:
    return word.lower()


Change = Callable[[str, Rng], str]
ENGLISH: dict[str, Change] = {
    "swap": _swap, "drop": _drop, "neighbour": _neighbour, "slang": _slang, "dialect": _dialect, "british": _british,
    "upper": _upper, "lower": _lower, "elongation": _lengthen,
}  # fmt: skip
CHINESE = {"homophones": HOMOPHONES, "shapes": SHAPES, "traditional": TRADITIONAL}
KINDS = (*ENGLISH, *CHINESE)


def perturb(texts: Iterable[str], kind: str, *, rate: float = 0.1, seed: int = 0) -> list[str]:
    """Change a share of the words of each text.

    Parameters
    ----------
    kind : one of `KINDS`; homophones, shapes and traditional are for Chinese
    rate : of the words that the kind can change, this share is, each by its own chance; 0 changes nothing
    seed : same seed, same text, same result, whatever stands beside it

    >>> perturb(["are you going? http://you.example @you"], "slang", rate=1)
    ['r u going? http://you.example @you']
    >>> perturb(["这个电话质量不错"], "traditional", rate=1)
    ['這個電話質量不錯']
    """
    if kind not in KINDS:
        raise UsageError(f"kind={kind!r}: {nearest(kind, KINDS)}")
    if not 0 <= rate <= 1:
        raise UsageError(f"rate={rate} must lie between 0 and 1")
    return [_changed(text, kind, rate, seed) for text in texts]


def robustness(
    texts: Sequence[str],
    labels: ArrayLike,
    predict: Callable[[list[str]], ArrayLike],
    *,
    kinds: Iterable[str] = tuple(ENGLISH),
    rate: float = 0.3,
    metric: str = "accuracy",
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Give what a classifier loses on posts changed in each way, with the interval of the paired difference.

    Parameters
    ----------
    predict : from texts to labels
    metric : accuracy, macro_recall or macro_f1, as in `classes.difference`

    Returns
    -------
    frame with a row per kind, worst first: kind, touched (share of posts that changed), flipped (share of posts whose
    answer did), and value, low, high of the metric on changed posts minus that on the originals

    >>> smiles = ["good", "bad"] * 50
    >>> robustness(smiles, smiles, lambda t: [w.lower() for w in t], kinds=["upper"])["value"].tolist()
    [0.0]
    """
    before, rows = np.asarray(predict(list(texts)), dtype=object), []
    for kind in kinds:
        changed = perturb(texts, kind, rate=rate, seed=seed)
        after = np.asarray(predict(changed), dtype=object)
        touched = np.mean([a != b for a, b in zip(changed, texts, strict=True)])
        lost = difference(labels, after, before, metric, level=level, seed=seed)
        rows.append((kind, float(touched), 1 - accuracy(before, after), *lost))
    table = pd.DataFrame(rows, columns=["kind", "touched", "flipped", "value", "low", "high"])
    return table.sort_values("value", kind="stable", ignore_index=True)


def _changed(text: str, kind: str, rate: float, seed: int) -> str:
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), zlib.crc32(text.encode("utf-8", "replace"))])
    pattern = HAN if kind in CHINESE else WORD

    def one(match: re.Match[str]) -> str:
        after = CHINESE[kind].get(match[0], match[0]) if pattern is HAN else ENGLISH[kind](match[0], rng)
        return after if after != match[0] and rng.random() < rate else match[0]

    # the odd parts are links, mentions and hashtags
    return "".join(p if i % 2 else pattern.sub(one, p) for i, p in enumerate(KEPT.split(text)))
