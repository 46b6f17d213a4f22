"""Chinese words: runs of Han characters cut with jieba's dictionary and model, and the user's own words.

Of all ways to cut a run into words of the dictionary, the most likely one is taken, from the end to the beginning:

    R(i) = max over words run[i:j] of  log P(run[i:j]) + R(j),    P(w) = frequency(w) / Σ frequencies

Characters that stay single side by side go to jieba's hidden Markov model, which knows where in a word a character
likes to stand (begin, middle, end, single) and so finds names that are in no dictionary. The words are jieba's own
(`jieba.lcut`, which a test compares), found in less than two thirds of the time. Left out is jieba's way to start:
it keeps the dictionary in a temporary folder, where anybody may put another, prints, and warns.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from math import exp, inf, log
from pathlib import Path
from types import ModuleType
from typing import Literal

Language = Literal["en", "zh"]

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # for a character class
ONE_HAN, LATIN = re.compile(f"[{HAN}]"), re.compile("[A-Za-z]+")
ADDRESSES = re.compile(r"(?:https?:|www\.)[!-~]*|@[\w-]+")
LONGEST = 200  # characters that the way is sought through at once
_LOADING = threading.Lock()


def language(text: str) -> Language:
    """Say "zh" where Han characters are at least as many as Latin words, links and mentions aside, else "en".

    >>> language("新手机iPhone 15 Pro很好用"), language("I love 小米 so much"), language("")
    ('zh', 'en', 'en')
    """
    if text.isascii() or not ONE_HAN.search(text):
        return "en"
    text = ADDRESSES.sub(" ", text)
    return "zh" if len(ONE_HAN.findall(text)) >= max(1, len(LATIN.findall(text))) else "en"


class Segmenter:
    """Cut a run of Chinese, with what Latin letters and digits it holds, into words.

    Parameters
    ----------
    user_words : names and terms that stay whole, such as a brand; the case of Latin letters does not matter

    >>> Segmenter()("这家酒店的服务很好")
    ['这家', '酒店', '的', '服务', '很', '好']
    >>> Segmenter()("星河优选的快递"), Segmenter(["星河优选"])("星河优选的快递")
    (['星河', '优选', '的', '快递'], ['星河优选', '的', '快递'])
    """

    def __init__(self, user_words: Iterable[str] = ()) -> None:
        self.user_words = tuple(user_words)
        self._log_p: dict[str, float] | None = None  # half a second to read: not before the first Chinese post

    def __call__(self, run: str) -> list[str]:
        """Give the words of `run`, which holds no blank; put together they are `run` again."""
        if self._log_p is None:
            self._log_p = _with(self.user_words)
        lower = run.lower() if len(run.lower()) == len(run) else run
        words: list[str] = []
        for start in range(0, len(run), LONGEST):
            words += self._cut(run[start : start + LONGEST], lower[start : start + LONGEST], self._log_p)
        return words

    def _cut(self, run: str, lower: str, log_p: dict[str, float]) -> list[str]:
        ends = _ends(lower, log_p)[0]
        guess = _model()
        words, i, n = [], 0, len(run)
        while i < n:
            j = ends[i]
            if j > i + 1:
                words.append(run[i:j])
            else:
                while j < n and ends[j] == j + 1:
                    j += 1
                for word in guess(run[i:j]) if j > i + 1 and log_p.get(lower[i:j], -inf) == -inf else run[i:j]:
                    words.append(word)
            i = j
        return words


def _ends(run: str, log_p: dict[str, float]) -> tuple[list[int], float]:
    """Give, for each place of `run`, the end of the word that begins there on the best way, and R(0)."""
    n, get, unknown = len(run), log_p.get, -log_p[""]
    best, ends = [0.0] * (n + 1), [0] * n
    for i in range(n - 1, -1, -1):
        p, end = get(run[i]), i + 1
        high = best[end] + (unknown if p is None or p == -inf else p)
        if p is not None:
            for j in range(i + 2, n + 1):
                p = get(run[i:j])
                if p is None:  # no word begins so
                    break
                if p + best[j] >= high:  # of equal ways the longer word, as in jieba
                    high, end = p + best[j], j
        best[i], ends[i] = high, end
    return ends, best[0]


@lru_cache(4)  # so that copies of a segmenter share it
def _with(user_words: tuple[str, ...]) -> dict[str, float]:
    """Give the dictionary; with words of the user, a copy in which they are just more likely than their parts."""
    log_p = _dictionary()
    if not user_words:
        return log_p
    total, own = log_p[""], {}
    for word in map(str.lower, user_words):
        frequency = int(exp(_ends(word, log_p)[1] + total)) + 1
        own[word] = max(log(frequency) - total, log_p.get(word, -inf))
    return _beginnings(own) | log_p | own


@cache
def _dictionary() -> dict[str, float]:
    """Read jieba's dictionary in lower case: log P of each word, -∞ of what only begins one, log Σ under ""."""
    fields = (Path(str(_jieba().__file__)).parent / "dict.txt").read_text(encoding="utf-8").lower().split()
    words, frequencies = fields[::3], list(map(int, fields[1::3]))
    total = log(sum(frequencies))
    log_p = _beginnings(words)
    log_p.update((w, log(n) - total) for w, n in zip(words, frequencies, strict=True))
    return log_p | {"": total}


def _beginnings(words: Iterable[str]) -> dict[str, float]:
    return dict.fromkeys((w[:end] for w in words for end in range(1, len(w))), -inf)


@cache
def _model() -> Callable[[str], list[str]]:
    """Give the hidden Markov model; it meets the same few characters again and again."""
    cut = _jieba().finalseg.cut
    return lru_cache(1 << 16)(lambda run: list(cut(run)))


def _jieba() -> ModuleType:
    """Import jieba without its warnings: of escapes when it is compiled, of pkg_resources where that exists."""
    with _LOADING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba

    return jieba
