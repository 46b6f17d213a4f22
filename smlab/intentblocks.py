"""More columns from short queries, as blocks of `textfeatures`: own word vectors, extremes, characters across words.

A query has eight words or so. The mean of their vectors hides the one word that matters, so the largest and smallest
numbers are kept, too; and vectors learnt from the queries themselves know their words as these queries use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import pandas as pd

from smlab.sentence_vectors import Weighting
from smlab.textfeatures import CharNGrams, Dense, Floats, MeanVectors, Tokens
from smlab.word2vec import train_vectors
from smlab.wordvectors import WordVectors


class OwnVectors(MeanVectors):
    """The mean of word vectors learnt from the training queries themselves, by skip-gram.

    Parameters
    ----------
    n_factors, epochs, seed : as of `word2vec.train_vectors`
    """

    def __init__(
        self,
        *,
        n_factors: int = 100,
        epochs: int = 30,
        weighting: Weighting = "tfidf",
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        Dense.__init__(self, scale=scale)
        self.weighting, self.names_ = weighting, [f"own vector {i}" for i in range(n_factors)]
        self.settings = {"n_factors": n_factors, "epochs": epochs, "window": 4, "seed": seed}

    def _learn(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        words = pd.Series([token for post in tokens for token in post], dtype="str").value_counts()
        fewest = 2 if len(words) and words.iloc[0] > 1 else 1
        self.vectors = train_vectors(tokens, min_count=fewest, **cast(dict[str, Any], self.settings))
        return super()._learn(texts, tokens)


class Extremes(MeanVectors):
    """The largest and the smallest number of each dimension over the vectors of a query's words.

    Power means with p = ±∞ (Rücklé et al. 2018): what stands out in one word and is lost in the mean.

    Parameters
    ----------
    vectors : of words

    >>> Extremes(WordVectors(["big", "red"], np.eye(2))).fit([], [["big", "red"], ["red"]]).names_
    ['largest 0', 'largest 1', 'smallest 0', 'smallest 1']
    """

    def __init__(self, vectors: WordVectors, *, scale: float = 1.0) -> None:
        super().__init__(vectors, scale=scale)
        self.names_ = [f"{which} {i}" for which in ("largest", "smallest") for i in range(vectors.n_factors)]

    def _learn(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        return self._numbers(texts, tokens)

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> Floats:
        column = self.vectors.rows(chain.from_iterable(tokens))
        row = np.repeat(np.arange(len(tokens)), [len(query) for query in tokens])[column >= 0]
        words = self.vectors.matrix[column[column >= 0]]
        out = np.zeros((len(tokens), len(self.names_)), np.float32)  # 0 where no word is known
        if len(row):
            first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
            out[row[first]] = np.hstack([np.maximum.reduceat(words, first), np.minimum.reduceat(words, first)])
        return out


class Spans(CharNGrams):
    """TF-IDF of runs of characters across the edges of words, such as "y bal" in "my balance".

    >>> Spans(n=(5, 5), min_count=1).fit(["my bal"], []).names_
    ['my ba', 'y bal']
    """

    def _vectorizer(self, min_count: int) -> Any:
        return super()._vectorizer(min_count).set_params(analyzer="char")
