"""What does somebody want? Classifiers of short queries that also know when a query is none of theirs.

Texts and labels in, probabilities of each intent out. The label "oos" (out of scope) is no intent: such a query is an
example of none, so its target is 0 for every intent.

    SVMText       one linear SVM an intent, on blocks of columns                        the baseline of the trade
    KernelText    f(x) = Σ_i α_i exp((s(x, x_i) - 1)/width),  α = (K + λI)⁻¹ Y          likeness to known queries

s(x, x') = Σ_b w_b cos(x_b, x'_b) is the mean likeness of two queries over blocks of columns (words, characters, word
vectors), so two queries may be alike in words, in spelling or in meaning. K holds the kernel of all pairs of training
queries, and Y (n, k) is 1 - 1/k for the intent of a query and -1/k elsewhere: ridge regression with a kernel, the mean
of a Gaussian process (Rasmussen & Williams 2006, §2.2 and §6.5). Leaving out one training query needs no second fit:

    y_i - f₋ᵢ(x_i) = α_i / [(K + λI)⁻¹]_ii                                               (same book, eq. 5.12)

These honest margins set the temperature T of p(k|x) ∝ exp(f_k(x)/T). `answers` says for each query what is called and
how much it looks like one of the intents, for every classifier with `predict_proba`, so `sentiment.ngrams` and
`sentiment.vectors` stand on the same footing. Left out: several intents in one query, and what was said before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse
from scipy.special import log_softmax, logsumexp, softmax

from smlab.checks import UsageError
from smlab.intentblocks import Extremes, OwnVectors, Spans
from smlab.sentiment import Classifier, TextClassifier, Tokenize
from smlab.text import Tokenizer
from smlab.textfeatures import Block, CharNGrams, Floats, MeanVectors, Sentences, WordNGrams
from smlab.wordvectors import WordVectors

Parts = list[sparse.csr_array]
OOS = "oos"
MOST = 30_000  # training queries of a KernelText; their likeness takes 4 n² bytes, here 3.6 GB
ROWS = 1_000  # queries at a time
TEMPERATURES = np.geomspace(0.02, 1, 40)


class _Margins(TextClassifier):
    """What classifiers with a margin for each intent share."""

    temperature_: float

    def __init__(self, *blocks: Block, tokenizer: Tokenize | None = None) -> None:
        if not blocks:
            raise UsageError(f"{type(self).__name__} needs at least one block of columns, such as WordNGrams()")
        self.blocks, self.tokenizer = blocks, tokenizer or Tokenizer()

    def fit(self, texts: Iterable[str], labels: ArrayLike) -> Self:
        """Learn from queries and the intent of each; those labelled "oos" are examples of none."""
        queries, code = self._start(texts, labels)
        intents = np.flatnonzero(self.classes_ != OOS)
        if len(intents) < 2:
            raise UsageError(f"{type(self).__name__} needs queries of 2 intents to learn from")
        self.classes_ = self.classes_[intents]
        tokens = self._tokens(queries)
        self.blocks_ = [copy.copy(block).fit(queries, tokens) for block in self.blocks]
        parts = [block.transform(queries, tokens) for block in self.blocks_]
        self._learn(parts, code[:, None] == intents)
        return self

    def margins(self, texts: Iterable[str]) -> Floats:
        """Give how much speaks for each intent, (n, k)."""
        queries = self._need_fitted(texts)
        found = [np.empty((0, len(self.classes_)), np.float32)]
        for start in range(0, len(queries), ROWS):
            some = queries[start : start + ROWS]
            tokens = self._tokens(some)
            found.append(self._margins([block.transform(some, tokens) for block in self.blocks_]))
        return np.concatenate(found)

    def predict_proba(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Give the probability of each intent for a query that has one of them, (n, k)."""
        return softmax(self.margins(texts).astype(float) / self.temperature_, axis=1)

    def _tokens(self, queries: list[str]) -> list[list[str]]:
        many = getattr(self.tokenizer, "many", None)
        return many(queries) if many else [self.tokenizer(query) for query in queries]

    def _learn(self, parts: Parts, own: NDArray[np.bool_]) -> None:
        """Learn from the columns of n queries; `own` (n, k) says which intent each has, a row of False none."""
        raise NotImplementedError

    def _margins(self, parts: Parts) -> Floats:
        raise NotImplementedError


class SVMText(_Margins):
    """One linear SVM for each intent against all the rest, on blocks of columns.

    Its probabilities are in the right order, but not calibrated; `confidence.mend` does that.

    Parameters
    ----------
    blocks : see `textfeatures`; words and characters if none are given
    C : weight of the queries against the penalty on the weights of the columns

    >>> model = SVMText().fit(["what is my balance", "play some music"] * 5, ["balance", "music"] * 5)
    >>> model.predict(["music please"])
    array(['music'], dtype='<U7')
    """

    def __init__(self, *blocks: Block, C: float = 1.0, tokenizer: Tokenize | None = None) -> None:
        super().__init__(*(blocks or (WordNGrams(min_count=1), CharNGrams(min_count=2))), tokenizer=tokenizer)
        if not 0 < C < np.inf:
            raise UsageError(f"C={C} must be finite and above 0")
        self.C, self.temperature_ = C, 0.3

    def _learn(self, parts: Parts, own: NDArray[np.bool_]) -> None:
        from sklearn.svm import LinearSVC

        X = sparse.hstack(parts, format="csr")
        models = [LinearSVC(C=self.C, random_state=0).fit(X, mine) for mine in own.T]
        self.coef_ = np.vstack([model.coef_[0] for model in models])  # (k, d)
        self.intercept_ = np.array([model.intercept_[0] for model in models])

    def _margins(self, parts: Parts) -> Floats:
        return np.asarray(sparse.hstack(parts, format="csr") @ self.coef_.T + self.intercept_, dtype=np.float32)


class KernelText(_Margins):
    """Ridge regression on the likeness of a query to all queries known, see the head of this file.

    Parameters
    ----------
    blocks : see `textfeatures`; of each, the cosine of two queries counts
    weights : of the blocks; None: alike
    width : the kernel falls to 1/e where the likeness is this much below 1
    reg : λ > 0

    Learnt: `alpha_` (n, k); `held_` (n, k), the margins of the training queries, each as if it had been new.

    Raises
    ------
    UsageError
        Beyond 30,000 training queries, for the likeness of all pairs has to fit into memory.

    >>> known = ["what is my balance", "how much money have I", "play some music", "I want to hear a song"]
    >>> model = KernelText(WordNGrams(min_count=1)).fit(known, ["balance", "balance", "music", "music"])
    >>> model.predict(["do I have money", "some song"])
    array(['balance', 'music'], dtype='<U7')
    """

    def __init__(
        self,
        *blocks: Block,
        weights: Sequence[float] | None = None,
        width: float = 0.5,
        reg: float = 0.03,
        tokenizer: Tokenize | None = None,
    ) -> None:
        super().__init__(*blocks, tokenizer=tokenizer)
        w = np.ones(len(blocks)) if weights is None else np.asarray(weights, dtype=float)
        if w.shape != (len(blocks),) or not ((w > 0) & np.isfinite(w)).all():
            raise UsageError(f"weights={weights} must be a number above 0 for each of {len(blocks)} blocks")
        for name, value in {"width": width, "reg": reg}.items():
            if not 0 < value < np.inf:
                raise UsageError(f"{name}={value} must be finite and above 0")
        self.weights, self.width, self.reg = w / w.sum(), width, reg

    def _learn(self, parts: Parts, own: NDArray[np.bool_]) -> None:
        n, k = own.shape
        if n > MOST:
            raise UsageError(f"KernelText compares all pairs of queries, at most {MOST:,}; these are {n:,}")
        self._known = [_unit(part) for part in parts]
        Y = (own - own.any(axis=1, keepdims=True) / k).astype(np.float32)
        K = np.empty((n, n), np.float32)
        for start in range(0, n, ROWS):
            K[start : start + ROWS] = self._kernel([part[start : start + ROWS] for part in self._known])
        K.flat[:: n + 1] += self.reg
        L = linalg.cholesky(K.T, lower=True, overwrite_a=True, check_finite=False)
        self.alpha_: Floats = linalg.cho_solve((L, True), Y, check_finite=False)
        inverse, _ = linalg.lapack.strtri(L, lower=1, overwrite_c=1)  # L⁻¹, whose columns have squares (K + λI)⁻¹_ii
        self.held_: Floats = Y - self.alpha_ / np.einsum("ij,ij->j", inverse, inverse)[:, None]
        inside = own.any(axis=1)
        self.temperature_ = _temperature(self.held_[inside], own[inside])

    def _margins(self, parts: Parts) -> Floats:
        return self._kernel([_unit(part) for part in parts]) @ self.alpha_

    def _kernel(self, parts: list[Any]) -> Floats:
        """Give the kernel of some queries and all known ones, (m, n)."""
        S = np.zeros((parts[0].shape[0], self._known[0].shape[0]), np.float32)
        for weight, X, known in zip(self.weights, parts, self._known, strict=True):
            cosines = X @ known.T  # (m, n), dense or sparse as the block is
            S += np.float32(weight) * (cosines.toarray() if sparse.issparse(cosines) else cosines)
        return np.exp((S - 1) / np.float32(self.width))


def likeness(
    *,
    word_vectors: WordVectors | None = None,
    sentences: Callable[[Sequence[str]], Any] | None = None,
    chars: tuple[int, int] = (2, 5),
    spans: tuple[int, int] | None = (3, 6),
    own: float = 1.0,
    seed: int = 0,
    **settings: Any,
) -> KernelText:
    """Make the combination: likeness in words, in characters, in meaning.

    Parameters
    ----------
    word_vectors : of the language, such as `glove.glove()`; vectors of the queries' own words are learnt besides
    sentences : texts → vectors of a frozen model, such as `minilm.SentenceModel()`
    chars, spans : shortest and longest run of characters within words and across their edges; for Chinese (1, 3), None
    own : weight of the likeness by vectors learnt from the queries, which need some ten thousand; 0 leaves them out
    settings : of `KernelText`
    """
    blocks: list[tuple[float, Block]] = [
        (0.5, WordNGrams(min_count=1)),
        (1.0, CharNGrams(n=chars, min_count=2)),
    ]
    if own:
        blocks.append((own, OwnVectors(seed=seed)))
    if spans is not None:
        blocks.append((0.5, Spans(n=spans, min_count=2)))
    if word_vectors is not None:
        blocks += [(1.0, MeanVectors(word_vectors, weighting="tfidf", scale=1.0)), (1.0, Extremes(word_vectors))]
    if sentences is not None:
        blocks.append((2.0, Sentences(sentences, scale=1.0)))
    weights, chosen = zip(*blocks, strict=True)
    return KernelText(*chosen, weights=weights, **settings)


def answers(model: Classifier, texts: Iterable[str]) -> pd.DataFrame:
    """Give what a classifier calls each query, and scores that are high where the query looks like one of the intents.

    Columns: text, called; probability (the highest), lead (over the second highest), certainty (Σ p ln p, at most 0),
    and of a classifier with margins f: margin (the highest), energy (T ln Σ exp(f/T); Liu et al. 2020).
    """
    queries = list(texts)
    margins = getattr(model, "margins", None)
    F = None if margins is None else margins(queries).astype(float)
    T = getattr(model, "temperature_", 1.0)
    P = np.asarray(model.predict_proba(queries)) if F is None else softmax(F / T, axis=1)
    P = np.delete(P, np.flatnonzero(model.classes_ == OOS), axis=1)  # of a classifier to which "oos" is one intent
    names = model.classes_[model.classes_ != OOS]
    top = np.sort(P, axis=1)
    frame = pd.DataFrame({"text": queries, "called": names[P.argmax(axis=1)].astype(str)})
    frame["probability"], frame["lead"] = top[:, -1], top[:, -1] - top[:, -2]
    frame["certainty"] = np.sum(P * np.log(np.maximum(P, 1e-12)), axis=1)
    if F is not None:
        frame["margin"], frame["energy"] = F.max(axis=1), T * logsumexp(F / T, axis=1)
    return frame


def _unit(part: sparse.csr_array) -> Any:
    """Give rows of length 1 (those of nothing stay 0), dense where most columns are filled."""
    length = np.sqrt(part.multiply(part).sum(axis=1))
    rows = sparse.csr_array(sparse.diags_array(1 / np.where(length > 0, length, 1)) @ part).astype(np.float32)
    return rows.toarray() if part.nnz > 0.3 * np.prod(part.shape) else rows


def _temperature(F: Floats, own: NDArray[np.bool_]) -> float:
    """Give the T at which softmax(F/T) says most of `own`, by log loss."""
    losses = [-log_softmax(F / t, axis=1)[own].mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])
