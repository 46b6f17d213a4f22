"""One vector for each post, from the vectors of its words: mean, TF-IDF mean, smooth inverse frequency.

    mean     s = (1/n) Σ_w v_w                           over the n words of the post that have a vector
    tfidf    s = Σ_w idf_w v_w / Σ_w idf_w               idf_w = log((1 + N)/(1 + N_w)) + 1, N_w of N posts have w
    sif      s = (1/n) Σ_w a/(a + p_w) v_w,    then      s ← s - u uᵀs

In all three a word that comes twice counts twice. SIF is Arora, Liang & Ma (2017), "A simple but tough-to-beat baseline
for sentence embeddings", algorithm 1: p_w is the share of w among all words, and u the first singular vector of the
s as rows, not centred: what all posts have in common. The smoothed idf is scikit-learn's.

p, idf and u are learnt in `fit`, of the training posts alone. Left out: the order of words ("not good" is "good not").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smlab.checks import UsageError, nearest
from smlab.wordvectors import Floats, WordVectors, need_tokens

Weighting = Literal["mean", "tfidf", "sif"]


class SentenceVectors:
    """Give posts vectors, all at once by one product of sparse matrix and word vectors.

    Parameters
    ----------
    vectors : of words, see `word2vec.train_vectors`
    weighting : "mean", "tfidf" or "sif"
    a : of SIF; a word with p_w = a counts half. The paper's range is 1e-4 to 1e-3

    Learnt: `weights_` (n_words,), the weight of each word, and for SIF `component_` (n_factors,), which is u.

    >>> vectors = WordVectors(["good", "film", "the"], np.eye(3))
    >>> SentenceVectors(vectors).fit([["the", "film"]]).transform([["good", "good", "film", "zzz"], []]).round(2)
    array([[0.67, 0.33, 0.  ],
           [0.  , 0.  , 0.  ]], dtype=float32)
    """

    def __init__(self, vectors: WordVectors, *, weighting: Weighting = "mean", a: float = 1e-3) -> None:
        if weighting not in get_args(Weighting):
            raise UsageError(f"unknown weighting {weighting!r}; {nearest(str(weighting), get_args(Weighting))}")
        if not 0 < a < np.inf:
            raise UsageError(f"a={a} must be finite and above 0; the paper takes 1e-4 to 1e-3")
        self.vectors, self.weighting, self.a = vectors, weighting, a

    def fit(self, tokens: Sequence[Sequence[str]]) -> SentenceVectors:
        """Learn weights, and for SIF the common component, from the training posts, each a list of tokens."""
        counts = self.counts(tokens)  # (n_posts, n_words)
        if not counts.nnz:
            raise UsageError(f"of {counts.shape[0]} posts none has a word with a vector; do language and tokens fit?")
        self.weights_ = self._weights(counts)
        self.component_ = np.zeros(self.vectors.n_factors, dtype=np.float32)
        if self.weighting == "sif":
            # p of a word that was never seen is 0 and its weight 1: that of the rarest.
            S = self._weighted(counts).astype(np.float64)
            self.component_ = np.linalg.eigh(S.T @ S)[1][:, -1].astype(np.float32)  # u, that of the largest value
        return self

    def transform(self, tokens: Sequence[Sequence[str]]) -> Floats:
        """Give the vector of each post, (n_posts, n_factors) float32; zeros where no word has a vector."""
        if not hasattr(self, "weights_"):
            raise UsageError("SentenceVectors has learnt no weights; call fit(tokens) on the training posts first")
        s = self._weighted(self.counts(tokens))
        return s - np.outer(s @ self.component_, self.component_) if self.weighting == "sif" else s

    def fit_transform(self, tokens: Sequence[Sequence[str]]) -> Floats:
        """Learn from posts and give their vectors."""
        return self.fit(tokens).transform(tokens)

    def counts(self, tokens: Sequence[Sequence[str]]) -> sparse.csr_array:
        """Count the words with a vector in each post, (n_posts, n_words)."""
        posts = need_tokens(tokens)
        column = self.vectors.rows(chain.from_iterable(posts))
        row = np.repeat(np.arange(len(posts)), [len(post) for post in posts])
        known = column >= 0
        ones = np.ones(int(known.sum()), dtype=np.float32)
        return sparse.csr_array((ones, (row[known], column[known])), shape=(len(posts), len(self.vectors)))

    def _weights(self, counts: sparse.csr_array) -> Floats:
        if self.weighting == "tfidf":
            n_with = np.bincount(counts.indices, minlength=counts.shape[1])
            return (np.log((1 + counts.shape[0]) / (1 + n_with)) + 1).astype(np.float32)
        if self.weighting == "sif":
            p = np.asarray(counts.sum(axis=0)) / counts.sum()
            return (self.a / (self.a + p)).astype(np.float32)
        return np.ones(counts.shape[1], dtype=np.float32)

    def _weighted(self, counts: sparse.csr_array) -> Floats:
        """Give the weighted mean of the vectors in each post, (n_posts, n_factors)."""
        s: Floats = counts @ (self.weights_[:, None] * self.vectors.matrix)
        n: NDArray[np.float32] = counts @ (self.weights_ if self.weighting == "tfidf" else np.ones_like(self.weights_))
        return np.divide(s, n[:, None], out=np.zeros_like(s), where=n[:, None] > 0)
