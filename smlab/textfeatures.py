"""Numbers from posts: n-grams, word vectors, lexicon scores and ways of writing, each a block of columns.

A block learns from training posts what it needs, `fit(texts, tokens)`, and gives one row for each post,
`transform(texts, tokens)` (n, d), sparse; both see the text as written and its tokens. What the blocks measure:

    WordNGrams, CharNGrams   x_j = (1 + ln tf_j) · idf_j, each row at length 1    what is said
    MeanVectors              the mean of the vectors of the words                 what is meant
    WritingMarks             capitals, sooo, !!!, ?, #, length                    how loud
    Sentences                vectors of a frozen model                            what is meant, in its order
    lexicons.LexiconScores   sums, counts, extremes of word weights               how it is judged, by given lists

idf_j = ln((1 + n)/(1 + n_j)) + 1, where n_j of n training posts have j. Dense columns are brought to mean 0 and
standard deviation `scale` on the training posts: under a ridge penalty a smaller scale is a stronger penalty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smlab.checks import UsageError
from smlab.negation import MARK
from smlab.sentence_vectors import SentenceVectors, Weighting
from smlab.spelling import normalise
from smlab.wordvectors import WordVectors

Floats = NDArray[np.float32]
Tokens = Sequence[Sequence[str]]
CLIP = 6.0  # standard deviations: one post of a thousand exclamation marks is no more than loud


class Block(Protocol):
    """What every block can do; `names_` says what each column is."""

    names_: list[str]

    def fit(self, texts: Sequence[str], tokens: Tokens) -> Self:
        """Learn from training posts."""

    def transform(self, texts: Sequence[str], tokens: Tokens) -> sparse.csr_array:
        """Give one row for each post, (n, d)."""


class _NGrams:
    """TF-IDF of whatever `_grams` cuts a post into."""

    def __init__(self, *, n: tuple[int, int], min_count: int) -> None:
        if not (len(n) == 2 and 1 <= n[0] <= n[1]):
            raise UsageError(f"n={n} must be the shortest and the longest n-gram, such as (1, 2)")
        if min_count < 1:
            raise UsageError(f"min_count={min_count} must be a whole number above 0")
        self.n, self.min_count = n, min_count

    def fit(self, texts: Sequence[str], tokens: Tokens) -> Self:
        posts = self._posts(texts, tokens)
        for fewest in range(self.min_count, 0, -1):  # of few posts all n-grams are rare
            self._tfidf = self._vectorizer(fewest)
            try:
                self._tfidf.fit(posts)
            except ValueError:
                continue
            self.names_: list[str] = list(self._tfidf.get_feature_names_out())
            return self
        self.names_ = []  # every post is empty
        return self

    def transform(self, texts: Sequence[str], tokens: Tokens) -> sparse.csr_array:
        if not self.names_ or not len(tokens):
            return sparse.csr_array((len(tokens), len(self.names_)), dtype=np.float32)
        return sparse.csr_array(self._tfidf.transform(self._posts(texts, tokens)))

    def _posts(self, texts: Sequence[str], tokens: Tokens) -> Sequence[Any]:
        raise NotImplementedError

    def _vectorizer(self, min_count: int) -> Any:
        raise NotImplementedError


class WordNGrams(_NGrams):
    """TF-IDF of runs of one or more tokens, sublinear in how often.

    Parameters
    ----------
    n : the shortest and the longest run
    min_count : training posts that must have it

    >>> block = WordNGrams(min_count=1).fit([], [["not", "not_good"]])
    >>> block.names_
    ['not', 'not not_good', 'not_good']
    """

    def __init__(self, *, n: tuple[int, int] = (1, 2), min_count: int = 2) -> None:
        super().__init__(n=n, min_count=min_count)

    def _posts(self, texts: Sequence[str], tokens: Tokens) -> Tokens:
        return tokens

    def _vectorizer(self, min_count: int) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        whole = {"tokenizer": _same, "preprocessor": _same, "lowercase": False, "token_pattern": None}
        return TfidfVectorizer(ngram_range=self.n, min_df=min_count, sublinear_tf=True, dtype=np.float32, **whole)


class CharNGrams(_NGrams):
    """TF-IDF of runs of characters within a word and its edges: spelling, endings, parts of hashtags, any language.

    Parameters
    ----------
    n : the shortest and the longest run; from 1 for Chinese
    min_count : training posts that must have it
    longest : characters of a post that are looked at, for a post of a megabyte has nothing new to say

    >>> CharNGrams(n=(3, 3), min_count=1).fit(["so!"], []).names_
    [' so', 'o! ', 'so!']
    """

    def __init__(self, *, n: tuple[int, int] = (2, 5), min_count: int = 5, longest: int = 10_000) -> None:
        super().__init__(n=n, min_count=min_count)
        self.longest = longest

    def _posts(self, texts: Sequence[str], tokens: Tokens) -> list[str]:
        return [normalise(text[: self.longest]) for text in texts]

    def _vectorizer(self, min_count: int) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        kind: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": self.n}
        return TfidfVectorizer(min_df=min_count, sublinear_tf=True, dtype=np.float32, **kind)


class Dense:
    """Columns of numbers, standardised on the training posts."""

    names_: list[str]

    def __init__(self, *, scale: float) -> None:
        if not 0 < scale < np.inf:
            raise UsageError(f"scale={scale} must be finite and above 0")
        self.scale = scale

    def fit(self, texts: Sequence[str], tokens: Tokens) -> Self:
        X = self._learn(texts, tokens)
        deviation = X.std(axis=0)
        self._mean, self._deviation = X.mean(axis=0), np.where(deviation > 1e-9, deviation, 1)
        return self

    def transform(self, texts: Sequence[str], tokens: Tokens) -> sparse.csr_array:
        z = (self._numbers(texts, tokens) - self._mean) / self._deviation
        return sparse.csr_array((self.scale * np.clip(z, -CLIP, CLIP)).astype(np.float32))

    def _learn(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        return self._numbers(texts, tokens)

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        raise NotImplementedError


class MeanVectors(Dense):
    """The weighted mean of the vectors of a post's words, see `sentence_vectors`; negation marks are taken off.

    Parameters
    ----------
    vectors : of words, from `word2vec.train_vectors` or a file
    weighting : "mean", "tfidf" or "sif"
    scale : standard deviation of each column
    """

    def __init__(self, vectors: WordVectors, *, weighting: Weighting = "mean", scale: float = 0.1) -> None:
        super().__init__(scale=scale)
        self.vectors, self.weighting = vectors, weighting
        self.names_ = [f"vector {i}" for i in range(vectors.n_factors)]

    def _learn(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        self._pool = SentenceVectors(self.vectors, weighting=self.weighting).fit(_bare(tokens))
        return self._numbers(texts, tokens)

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        return self._pool.transform(_bare(tokens))


class Sentences(Dense):
    """The vectors of a frozen sentence model, such as `minilm.SentenceModel`.

    Parameters
    ----------
    model : texts → vectors (n, d)
    scale : standard deviation of each column
    """

    def __init__(self, model: Callable[[Sequence[str]], Floats], *, scale: float = 0.1) -> None:
        super().__init__(scale=scale)
        self.model = model

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        X = self.model([normalise(text) for text in texts])
        self.names_ = [f"sentence {i}" for i in range(X.shape[1])]
        return X


class WritingMarks(Dense):
    """How a post is written: what neither words nor lists of words see.

    >>> WritingMarks().fit(["WOW!!!"], [["wow", "!!"]]).names_[:3]
    ['words in capitals', 'lengthened words', 'exclamation marks']
    """

    names_ = [
        "words in capitals", "lengthened words", "exclamation marks", "question marks", "runs of ! and ?",
        "ends in ! or ?", "hashtags", "mentions", "tokens", "negated words", "quotation marks", "dots", "links",
    ]  # fmt: skip

    def __init__(self, *, scale: float = 0.1) -> None:
        super().__init__(scale=scale)

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        rows = [_marks(normalise(text), post) for text, post in zip(texts, tokens, strict=True)]
        return np.log1p(np.array(rows, dtype=np.float32).reshape(len(texts), len(self.names_)))


def _bare(tokens: Tokens) -> list[list[str]]:
    return [[token.removeprefix(MARK) for token in post] for post in tokens]


def _same(tokens: Sequence[str]) -> Sequence[str]:
    return tokens


CAPITALS, LENGTHENED, RUN = re.compile(r"\b[A-Z]{2,}\b"), re.compile(r"([^\W\d_])\1{2,}"), re.compile(r"[!?]{2,}")


def _marks(text: str, tokens: Sequence[str]) -> list[float]:
    """Count what `WritingMarks.names_` lists."""
    return [
        len(CAPITALS.findall(text)), len(LENGTHENED.findall(text)), text.count("!"), text.count("?"),
        len(RUN.findall(text)), text[-1:] in ("!", "?"), text.count("#"), tokens.count("<user>"), len(tokens),
        sum(token.startswith(MARK) for token in tokens), text.count('"'), text.count(".."), tokens.count("<url>"),
    ]  # fmt: skip
