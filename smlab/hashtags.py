"""Words of a hashtag: by its capitals and digits and, where letters run together, by what its users write.

`#GameOfThrones2011` says itself where its words begin. `#gameofthrones` does not; then, of all ways to cut it, the
most likely one is taken, as if each word had been drawn on its own (Norvig 2009, "Natural Language Corpus Data", in
Segaran & Hammerbacher, eds., Beautiful Data):

    max over w_1 … w_m of  Σ_i log P(w_i),    P(w) = c(w) / N,    or 10 / (N 10^length) for an unknown w

with c(w) the count of w and N = Σ c, found by dynamic programming over the place of the last cut (Viterbi). Left
out: P(w_i | w_{i-1}), which needs far more text than a brand has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf, log

LONGEST_TAG, LONGEST_WORD = 100, 24  # letters; what is longer is nobody's hashtag, and would take its time
# Ordinals, digits, capitals before a capitalised word (NFL|Draft), words with or without a capital, other scripts.
PARTS = re.compile(r"\d+(?:st|nd|rd|th)(?![a-z])|\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\d_A-Za-z]+")


class Splitter:
    """Split hashtags, knowing how often each word occurs.

    Parameters
    ----------
    counts : word in lower case → how often the user's corpus has it; without them only capitals, digits and
        underscores split

    >>> Splitter()("HappyBirthdayNFL_2016"), Splitter()("gameofthrones")
    (['Happy', 'Birthday', 'NFL', '2016'], ['gameofthrones'])
    >>> Splitter({"game": 30, "of": 500, "thrones": 4, "the": 800, "games": 9})("gameofthrones")
    ['game', 'of', 'thrones']
    """

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        total = sum((counts or {}).values())
        self.log_p = {w: log(n / total) for w, n in (counts or {}).items() if _is_word(w, n, total)}
        self.log_total = log(total) if total else 0.0

    def __call__(self, tag: str) -> list[str]:
        """Give the words of `tag`, which comes without its #, in their own case."""
        if len(tag) > LONGEST_TAG:
            return [tag]
        parts = PARTS.findall(tag)
        return [word for part in parts for word in self._words(part)] if self.log_p else parts

    def _words(self, part: str) -> list[str]:
        letters, n = part.lower(), len(part)
        if letters in self.log_p or n < 4 or not (letters.isascii() and letters.isalpha()):
            return [part]
        best = [0.0] + [-inf] * n  # best[j]: log-probability of the best way to cut letters[:j]
        begin = [0] * (n + 1)  # begin[j]: where the last word of that way begins
        for j in range(1, n + 1):
            for i in range(max(0, j - LONGEST_WORD), j):
                score = best[i] + self._log_p(letters[i:j])
                if score > best[j]:
                    best[j], begin[j] = score, i
        words, j = [], n
        while j:
            words.append(part[begin[j] : j])
            j = begin[j]
        return words[::-1]

    def _log_p(self, word: str) -> float:
        """Give log P; an unknown word of one or two letters is none, or a hashtag would crumble."""
        unknown = (1 - len(word)) * log(10) - self.log_total if len(word) > 2 else -inf
        return self.log_p.get(word, unknown)


def _is_word(word: str, count: int, total: int) -> bool:
    """Ask more of short words, for any two letters occur somewhere.

    P ≥ 10^-(length + 2) split best of several powers, measured on hashtags of tweets that have capitals, which
    were then hidden.
    """
    return count > 0 and word.isalpha() and count / total >= 10.0 ** -(len(word) + 2)
