"""Lists of words with weights: a score of their own, and columns for a classifier.

A lexicon is a mapping word → weight, above 0 for good and below 0 for bad words. `WordScore` sums the weights of a
post's words as VADER does, (Hutto & Gilbert 2014; the constants are those of its code):

    s = Σ_w weight_w,  times -0.74 for a negated word,     score = s/√(s² + 15), from -1 to 1

`Vader` is VADER itself, by its own package: its rules know degree words, capitals, exclamation marks and "but".
`LexiconScores` are the columns of NRC-Canada, the best of SemEval 2013 and 2014: Mohammad, Kiritchenko & Zhu (2013).
A lexicon knows no context ("sick beat") and no word that its makers left out: it says what most people mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np

from smlab.checks import UsageError
from smlab.negation import MARK
from smlab.text import Tokenizer
from smlab.textfeatures import Dense, Floats, Tokens
from smlab.wordvectors import WordVectors

NEGATED, ALPHA = -0.74, 15.0  # of VADER's code
STATISTICS = (
    "positive sum", "negative sum", "positive words", "negative words", "largest", "smallest", "last",
    "negated positive sum", "negated negative sum", "balance",
)  # fmt: skip


class WordScore:
    """Score posts by one lexicon: the better the words, the nearer to 1.

    Parameters
    ----------
    weights : word → weight, on VADER's scale from -4 to 4 or another of that size
    tokenizer : text → tokens, those in the scope of a negation with `not_` before them

    >>> score = WordScore({"good": 2.0, "慢": -1.5})
    >>> score(["A good film", "not good", "物流很慢", ""]).round(2)
    array([ 0.46, -0.36, -0.36,  0.  ])
    """

    def __init__(self, weights: Mapping[str, float], *, tokenizer: Callable[[str], list[str]] | None = None) -> None:
        if not weights:
            raise UsageError("a lexicon needs at least one word")
        self.weights, self.tokenizer = weights, tokenizer or Tokenizer(negation=True)

    def __call__(self, texts: Sequence[str]) -> Any:
        """Give the score of each text, (n,), from -1 to 1; 0 where the lexicon has none of its words."""
        s = np.array([sum(map(self._weight, self.tokenizer(text))) for text in texts], dtype=float)
        return s / np.sqrt(s**2 + ALPHA)

    def _weight(self, token: str) -> float:
        if token in self.weights:
            return self.weights[token]
        return NEGATED * self.weights.get(token.removeprefix(MARK), 0.0) if token.startswith(MARK) else 0.0


class Vader:
    """VADER by its own package: the score from -1 to 1 of a text, its shares of negative, neutral and positive.

    >>> Vader()(["VADER is smart, handsome, and funny!"]).round(4)  # the README of its package says 0.8439
    array([0.8439], dtype=float32)
    """

    longest = 10_000  # characters that are looked at: VADER's time grows with the square of the words

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Give the compound score of each text, (n,)."""
        return cast(Floats, self.columns(texts)[:, 0])

    def columns(self, texts: Sequence[str]) -> Floats:
        """Give compound, its size, and the shares of negative, neutral and positive words, (n, 5)."""
        found = [self._scorer.polarity_scores(text[: self.longest]) for text in texts]
        rows = [(f["compound"], abs(f["compound"]), f["neg"], f["neu"], f["pos"]) for f in found]
        return np.array(rows, dtype=np.float32).reshape(len(rows), 5)

    @cached_property
    def weights(self) -> dict[str, float]:
        """Word or emoticon → weight from -4 to 4, the mean of ten people."""
        return dict(self._scorer.lexicon)

    @cached_property
    def _scorer(self) -> Any:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        return SentimentIntensityAnalyzer()


class LexiconScores(Dense):
    """Columns from lexicons, after NRC-Canada (Mohammad et al. 2013, section 3).

    With the weights s_1 … s_m of those words of a post that a list has, apart for plain and negated words: the sums
    and numbers of the positive and of the negative ones, the largest, the smallest, the last, and the balance
    Σs/(m + 1). A negated good word is no bad word, so it has columns of its own. Entries of two words ("not bad")
    are looked up as well. Each number x becomes sign(x) ln(1 + |x|): ten good words are not ten times as good.

    Parameters
    ----------
    lexicons : name → (word, or two words with a space between → weight)
    scorer : texts → further numbers (n, d), such as `Vader().columns`
    scale : standard deviation of each column
    """

    def __init__(
        self,
        lexicons: Mapping[str, Mapping[str, float]],
        *,
        scorer: Callable[[Sequence[str]], Floats] | None = None,
        scale: float = 0.1,
    ) -> None:
        super().__init__(scale=scale)
        if not lexicons and scorer is None:
            raise UsageError("LexiconScores needs at least one lexicon or a scorer")
        self.lexicons, self.scorer = lexicons, scorer

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        parts = [_statistics(tokens, lexicon) for lexicon in self.lexicons.values()]
        self.names_ = [f"{name}: {what}" for name in self.lexicons for what in STATISTICS]
        if self.scorer is not None:
            parts.append(self.scorer(texts))
            self.names_ += [f"scorer {i}" for i in range(parts[-1].shape[1])]
        X = np.hstack(parts)
        return cast(Floats, np.sign(X) * np.log1p(np.abs(X)))


def join(vectors: WordVectors, lexicons: Mapping[str, Mapping[str, float]]) -> WordVectors:
    """Put the weights of each word behind its vector, for networks: Shin, Lee & Choi (2017), "naive concatenation".

    Weights are brought to the spread of the vectors' numbers; a word with `not_` gets the opposite ones. Words that
    only a lexicon has get zeros for a vector.

    >>> joined = join(WordVectors(["good", "film"], np.eye(2)), {"l": {"good": 2.0, "bad": -2.0}})
    >>> joined["good"], joined["not_good"]
    (array([1. , 0. , 0.5], dtype=float32), array([ 1. ,  0. , -0.5], dtype=float32))
    """
    more = {word: None for lexicon in lexicons.values() for word in lexicon if word not in vectors and " " not in word}
    words = [*vectors.words, *more]
    known = np.vstack([vectors.matrix, np.zeros((len(more), vectors.n_factors), np.float32)])
    weights = np.array([[lexicon.get(word, 0.0) for lexicon in lexicons.values()] for word in words], np.float32)
    some = np.where(weights, np.abs(weights), np.nan)  # a zero means that the list is silent
    weights *= vectors.matrix.std() / np.nan_to_num(np.nanmean(some, axis=0), nan=1.0)  # (n_words, n_lexicons)
    negated = [f"{MARK}{word}" for word in words]
    return WordVectors([*words, *negated], np.vstack([np.hstack([known, weights]), np.hstack([known, -weights])]))


def _statistics(tokens: Tokens, lexicon: Mapping[str, float]) -> Floats:
    """Sum up the weights of one lexicon in each post, (n, 10)."""
    pairs = any(" " in entry for entry in lexicon)
    rows = [_sums(*_weights(post, lexicon, pairs)) for post in tokens]
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(STATISTICS))


def _weights(post: Sequence[str], lexicon: Mapping[str, float], pairs: bool) -> tuple[list[float], list[float]]:
    """Give the weights of plain words and of negated ones, in their order."""
    plain: list[float] = []
    negated: list[float] = []
    before = ""
    for token in post:
        word = token.removeprefix(MARK)
        if s := lexicon.get(word, 0.0):
            (plain if word == token else negated).append(s)
        if pairs and (s := lexicon.get(f"{before} {word}", 0.0)):
            plain.append(s)
        before = word
    return plain, negated


def _sums(plain: list[float], negated: list[float]) -> tuple[float, ...]:
    """Give the numbers that `STATISTICS` names."""
    if not plain and not negated:
        return (0.0,) * len(STATISTICS)
    good, bad = [s for s in plain if s > 0], [s for s in plain if s < 0]
    total = sum(good) + sum(bad)
    return (
        sum(good), sum(bad), len(good), len(bad), max(good, default=0.0), min(bad, default=0.0),
        plain[-1] if plain else 0.0, sum(s for s in negated if s > 0), sum(s for s in negated if s < 0),
        total / (len(plain) + 1),
    )  # fmt: skip
