"""Columns from the text of a post: how it is written, how it feels, what it is about; in any language.

    themes    z = Λ^(-½) Eᵀ (s - s̄)

s is the SIF vector of the post (`sentence_vectors`), by word vectors of the training posts alone; E (n_factors, n) are
the first principal axes of the training posts and Λ their variances, so each column has variance 1 there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smlab.drivers import is_word
from smlab.sentence_vectors import SentenceVectors
from smlab.spelling import EMOJI, normalise
from smlab.text import URL, USER
from smlab.textfeatures import CAPITALS
from smlab.word2vec import train_vectors

Floats = NDArray[np.float64]
Tokens = list[list[str]]
MOST = 10.0  # of each sign: a post of a thousand exclamation marks is no more than loud
PICTURE = re.compile(f"[{EMOJI}]")


class Column(NamedTuple):
    """One column: its group, its name, what it says in words, its numbers (n,)."""

    group: str
    name: str
    label: str
    values: Floats


WORDING = (
    ("length", "characters", "characters (ln of 1 + n)"), ("length", "words", "words (ln of 1 + n)"),
    ("links", "links", "links"), ("hashtags", "hashtags", "hashtags"), ("mentions", "mentions", "mentions"),
    ("mentions", "reply", "begins with a mention"), ("emoji", "emoji", "emoji"),
    ("signs", "questions", "question marks"), ("signs", "exclamations", "exclamation marks"),
    ("signs", "quotes", "has a quotation"), ("signs", "capitals", "words in capitals"),
    ("numbers", "numbers", "numbers"),
)  # fmt: skip


def wording(texts: list[str], tokens: Tokens) -> Iterator[Column]:
    """Give what `WORDING` names, from the texts as written and their tokens, hashtags whole and split.

    >>> columns = wording(["WOW! #shoes"], [["wow", "!", "#shoes", "shoes"]])
    >>> {c.name: float(c.values[0]) for c in columns if c.values[0] == 1}
    {'hashtags': 1.0, 'exclamations': 1.0, 'capitals': 1.0}
    """
    counts = np.array([_counted(normalise(t), p) for t, p in zip(texts, tokens, strict=True)], dtype=float)
    counts = counts.reshape(len(texts), len(WORDING))
    counts = np.hstack([np.log1p(counts[:, :2]), np.minimum(counts[:, 2:], MOST)])
    yield from (Column(*names, counts[:, j]) for j, names in enumerate(WORDING))


def _counted(text: str, tokens: list[str]) -> tuple[float, ...]:
    """Count in one post, in the order of `WORDING`."""
    first = [token[0] for token in tokens]
    return (
        len(text), sum(map(str.isalnum, first)), tokens.count(URL),
        sum(token[0] == "#" and token[1:2].isalnum() for token in tokens), tokens.count(USER),
        USER in tokens[: 1 + (first[:1] == ['"'])], sum(map(bool, map(PICTURE.match, tokens))),
        text.count("?"), text.count("!"), '"' in text, len(CAPITALS.findall(text)), sum(map(str.isdigit, first)),
    )  # fmt: skip


def feeling(tokens: Tokens, weights: Mapping[str, float]) -> Iterator[Column]:
    """Add up the weights of good and of bad words."""
    found = [[weights[token] for token in post if token in weights] for post in tokens]
    good = np.array([sum(w for w in post if w > 0) for post in found], dtype=float)
    bad = np.array([-sum(w for w in post if w < 0) for post in found], dtype=float)
    yield Column("feeling", "good_words", "good words (ln of 1 + their weights)", np.log1p(good))
    yield Column("feeling", "bad_words", "bad words (ln of 1 + their weights)", np.log1p(bad))


class Themes:
    """What a post is about: its SIF vector on the first principal axes of the training posts.

    Parameters
    ----------
    n : axes; none where there are not more posts than axes, or no word comes twice
    n_factors, epochs, seed : of the word vectors
    """

    def __init__(self, *, n: int = 16, n_factors: int = 64, epochs: int = 5, seed: int = 0) -> None:
        self.n, self.n_factors, self.epochs, self.seed = n, n_factors, epochs, seed
        self._labels: list[str] = []

    def fit(self, tokens: Tokens) -> Themes:
        """Learn word vectors and axes from the training posts, each a list of tokens."""
        again = max(Counter(chain.from_iterable(tokens)).values(), default=0)
        if len(tokens) <= self.n or again < 2:
            return self
        vectors = train_vectors(tokens, n_factors=self.n_factors, epochs=self.epochs, seed=self.seed)
        self._pool = SentenceVectors(vectors, weighting="sif").fit(tokens)
        s = self._pool.transform(tokens).astype(float)  # (n_posts, n_factors)
        self._mean = s.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov(s.T))
        keep = np.argsort(-variance)[: self.n]
        keep = keep[variance[keep] > 1e-6 * variance.max()]
        axes = axes[:, keep]
        axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(keep))])  # eigh leaves the sign open
        self._axes = axes / np.sqrt(variance[keep])
        counts = np.asarray(vectors.counts)
        pull = (self._pool.weights_ * np.sqrt(counts))[:, None] * vectors.matrix @ self._axes  # (n_words, n)
        self._labels = [_poles(vectors.words, pull[:, j]) for j in range(len(keep))]
        return self

    def columns(self, tokens: Tokens) -> Iterator[Column]:
        """Give each axis as a column, with the words that move it most for a label."""
        if not self._labels:
            return
        z = (self._pool.transform(tokens) - self._mean) @ self._axes
        for j, label in enumerate(self._labels):
            yield Column("words", f"words_{j + 1}", label, z[:, j])


def _poles(words: Sequence[str], pull: Floats) -> str:
    """Name the words that move an axis most, up and down."""
    order = [i for i in np.argsort(-pull, kind="stable") if is_word(words[i]) and not re.fullmatch("[a-z]", words[i])]
    more, less = ([words[i] for i in some] for some in (order[:3], order[:-4:-1]))
    return f"more of {', '.join(more)}; less of {', '.join(less)}"
