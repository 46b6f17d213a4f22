"""What do people talk about, and how do they feel about each of it? Aspects such as battery, price, service.

`find_aspects` proposes words that behave like nouns of the topic; a person edits the list into {aspect: words}, and
`aspect_shares` counts the classes among the posts that mention each aspect. The whole post is counted, not the half
sentence about the aspect: "great camera, poor battery" is one post of one class for both.

A word is noun-like in English if it often ends a group of words that a determiner opened (*the new battery is*), in
Chinese if a word of degree often follows (质量很好: the quality is very good). Both are habits of the language, no
parser; frequent nouns as aspects are Hu & Liu's (2004) idea.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.classes import codes
from smlab.drivers import is_word
from smlab.quantify import adjust, check_confusion, count_shares


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


DETERMINERS = _set("the a an my your his her its our their this that these those")
FUNCTION = DETERMINERS | _set(
    "is are was were be been am has have had do does did will would can could should may might must not and or but so "
    "if because when while as than then of in on at by for from with to into about over after before out up off i you "
    "he she it we they me him us them who which what where there here just only also too very really still again"
)
DEGREE = _set("很 太 非常 挺 真 真的 特别 十分 相当 比较 超 超级 有点 最 不 不太 不够")
NO_NOUN = DEGREE | _set(
    "我们 你们 他们 大家 自己 这个 那个 这么 就是 不是 还是 也是 真是 而是 算是 但是 而且 一直 再也 总之 反正 感觉 "
    "觉得 总体 整体 实在 确实 的确 完全 稍微 好像 显得 起来 看起来 看上去 看着 穿着"
)


def find_aspects(
    tokens: Sequence[Sequence[str]], *, n: int = 20, min_posts: int = 10, least: float | None = None
) -> pd.DataFrame:
    """Propose aspects: frequent words that often stand where a noun stands, most frequent first.

    Parameters
    ----------
    tokens : the words of each post in their order, in small letters, with function words and punctuation
    min_posts : in fewer no word is an aspect
    least : share of a word's occurrences that have to be in a noun's place; 0.3 in English and 0.1 in Chinese, whose
        sign of a noun is rarer, if not given

    Returns
    -------
    frame with word, posts, noun_like (that share)

    >>> posts = [["the", "new", "battery", "is", "poor"], ["my", "battery", "died"]] * 5
    >>> find_aspects(posts)[["word", "posts", "noun_like"]].values.tolist()
    [['battery', 10, 0.5]]
    """
    seen, as_noun, posts = Counter[str](), Counter[str](), Counter[str]()
    for post in tokens:
        seen.update(post)
        posts.update(set(post))
        as_noun.update(_nouns(post))
    rows = [(w, posts[w], as_noun[w] / seen[w]) for w in as_noun if posts[w] >= min_posts]
    rows = [r for r in rows if r[2] >= (least if least is not None else 0.1 if _is_han(r[0]) else 0.3)]
    rows.sort(key=lambda r: (-r[1], r[0]))
    return pd.DataFrame(rows[:n], columns=["word", "posts", "noun_like"])


def _nouns(post: Sequence[str]) -> Iterable[str]:
    """Yield each word of a post that stands in a noun's place."""
    group = 0  # words since a determiner opened a group; 0 outside
    for word, following in zip(post, [*post[1:], ""], strict=True):
        if word in DETERMINERS:
            group = 1
            continue
        plain = is_word(word) and word not in FUNCTION
        group = group + 1 if group and plain and group < 4 else 0  # a determiner and up to three words
        if group and (following in FUNCTION or not is_word(following)):
            yield word
            group = 0
        elif following in DEGREE and len(word) > 1 and _is_han(word) and word not in NO_NOUN:
            yield word


def _is_han(word: str) -> bool:
    return "\u4e00" <= word[0] <= "\u9fff"


def aspect_shares(
    tokens: Sequence[Sequence[str]],
    labels: ArrayLike,
    aspects: Mapping[str, Iterable[str]],
    *,
    classes: Iterable[Any] | None = None,
    confusion: pd.DataFrame | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Give the share of each class among the posts that mention each aspect.

    Parameters
    ----------
    tokens : the words of each post; the prefix not_ of negation is looked through
    labels : what each post was called
    aspects : words or phrases ("customer service") of each aspect; one occurrence is enough
    classes : their order; sorted, or those of `confusion`, if not given
    confusion : held-out counts to correct the shares by, as for `quantify.adjusted_count`; it supposes that the
        classifier errs in posts about each aspect as in all

    Returns
    -------
    frame with a row per aspect, most mentioned first, and class: aspect, class, posts (that mention it), value, low,
    high; the aspect "(all posts)" comes last

    Raises
    ------
    UsageError
        If no aspect is named, or none of its words occurs anywhere in the posts.
    """
    names, held = (None, None) if confusion is None else check_confusion(confusion)
    names, (label,) = codes(labels, classes=names if names is not None else classes)
    if len(tokens) != len(label) or not aspects:
        raise UsageError(
            f"{len(tokens)} posts, {len(label)} labels and {len(aspects)} aspects: needed is one or more each"
        )
    rows = mentions(tokens, aspects)
    rows = {a: rows[a] for a in sorted(rows, key=lambda a: -int(rows[a].sum()))} | {
        "(all posts)": np.ones(len(label), bool)
    }
    counts = np.array([np.bincount(label[r], minlength=len(names)) for r in rows.values()])
    shares = (
        count_shares(counts, level=level) if held is None else adjust(counts, held, level=level, seed=seed, names=names)
    )
    found = [
        (aspect, name, int(count.sum()), *share[k])
        for aspect, count, share in zip(rows, counts, shares, strict=True)
        for k, name in enumerate(names)
    ]
    return pd.DataFrame(found, columns=["aspect", "class", "posts", "value", "low", "high"])


def mentions(tokens: Sequence[Sequence[str]], aspects: Mapping[str, Iterable[str]]) -> dict[str, NDArray[np.bool_]]:
    """Say which posts mention each aspect, (n_posts,) each.

    >>> posts = [["the", "customer", "service"], ["service", "for", "a", "customer"]]
    >>> {a: m.tolist() for a, m in mentions(posts, {"help": ["customer service"]}).items()}
    {'help': [True, False]}
    """
    plain = [[word.removeprefix("not_") for word in post] for post in tokens]
    found = {}
    for aspect, words in aspects.items():
        phrases = [tuple(w.split()) for w in ([words] if isinstance(words, str) else words)]
        if not phrases or not all(phrases):
            raise UsageError(f"aspect {aspect!r} has no words, or an empty one")
        found[aspect] = np.array([any(_holds(post, p) for p in phrases) for post in plain], dtype=bool)
        if not found[aspect].any():
            raise UsageError(f"no post mentions the aspect {aspect!r}: none of its words occurs")
    return found


def _holds(post: list[str], phrase: tuple[str, ...]) -> bool:
    first, size = phrase[0], len(phrase)
    if first not in post:
        return False
    return size == 1 or any(tuple(post[i : i + size]) == phrase for i, w in enumerate(post) if w == first)
