"""What do people feel? Classifiers of posts on one footing: texts and labels in, probabilities of each class out.

    Majority          the most frequent class                                no learning: what to beat
    Lexicon           a score by a list of words, cut where classes part     two or three numbers are learnt
    LogisticText      p(k|x) = exp(w_k·x + b_k)/Σ_l exp(w_l·x + b_l)         x: columns from blocks

`ngrams`, `vectors` and `combination` make the usual `LogisticText`; what the blocks measure is in `textfeatures` and
`lexicons`. The networks on the same footing are in `textnets`. Left out: sarcasm, and who or what a feeling is about.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab.checks import UsageError, shorten
from smlab.lexicons import LexiconScores, Vader
from smlab.sentence_vectors import Weighting
from smlab.text import Tokenizer
from smlab.textfeatures import Block, CharNGrams, MeanVectors, Sentences, WordNGrams, WritingMarks
from smlab.wordvectors import WordVectors

Floats = NDArray[np.float64]
Tokenize = Callable[[str], list[str]]


class Reason(NamedTuple):
    """A column that speaks for a class: `weight` times the value in this post."""

    name: str
    effect: float


class Classifier(Protocol):
    """What all classifiers of posts can do."""

    classes_: NDArray[Any]

    def fit(self, texts: Iterable[str], labels: ArrayLike) -> Self:
        """Learn from posts and the class of each."""

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Give the probability of each class of `classes_` for each post, (n, n_classes)."""

    def predict(self, texts: Iterable[str]) -> NDArray[Any]:
        """Give the most probable class of each post, (n,)."""


class TextClassifier:
    """What the classifiers share: the checks of posts and labels, and `predict` from `predict_proba`."""

    classes_: NDArray[Any]

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        raise NotImplementedError

    def predict(self, texts: Iterable[str]) -> NDArray[Any]:
        """Give the most probable class of each post, (n,)."""
        best = self.predict_proba(texts).argmax(axis=1)
        return cast(NDArray[Any], self.classes_[best])

    def _start(self, texts: Iterable[str], labels: ArrayLike, least: int = 2) -> tuple[list[str], NDArray[np.int64]]:
        """Check posts and labels, set `classes_`, and give the place of each post's class there."""
        posts = need_texts(texts)
        y = need_labels(labels, len(posts))
        self.classes_, code = np.unique(y, return_inverse=True)
        if len(self.classes_) < least:
            only = str(self.classes_[0])
            raise UsageError(f"{type(self).__name__} needs posts of {least} classes to learn from; all are {only!r}")
        return posts, code

    def _need_fitted(self, texts: Iterable[str]) -> list[str]:
        if not hasattr(self, "classes_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(texts, labels) first")
        return need_texts(texts)


class Majority(TextClassifier):
    """Say of every post what is said most often; the probabilities are the shares in training.

    >>> Majority().fit(["a", "b", "c"], ["neutral", "good", "good"]).predict(["d"])
    array(['good'], dtype='<U7')
    """

    def fit(self, texts: Iterable[str], labels: ArrayLike) -> Self:
        """Count the classes of `labels`."""
        _, code = self._start(texts, labels, least=1)
        self.shares_ = np.bincount(code) / len(code)
        return self

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Give the same shares for each post, (n, n_classes)."""
        n = len(self._need_fitted(texts))
        return np.tile(self.shares_, (n, 1))


class Lexicon(TextClassifier):
    """Classify by a score s alone: where is it low, where in the middle, where high?

    p(k|s) = exp(a_k + b_k s + c_k |s|)/Σ_l …, fitted with each class counting alike. The probabilities are the only
    thing learnt; the score comes from a list that others have made. The cuts are in `thresholds_`, each as (from,
    to, label).

    Parameters
    ----------
    score : texts → scores (n,) from -1 to 1, such as `lexicons.Vader()` or `lexicons.WordScore(weights)`

    >>> model = Lexicon(score=lambda texts: np.array([len(t) / 10 for t in texts]))
    >>> model.fit(["bad", "sad", "wonderful", "delightful"], [0, 0, 1, 1]).predict(["mad", "magnificent"])
    array([0, 1])
    """

    def __init__(self, *, score: Callable[[Sequence[str]], Any] | None = None) -> None:
        self.score = score or Vader()

    def fit(self, texts: Iterable[str], labels: ArrayLike) -> Self:
        """Learn from the scores of `texts` where the classes of `labels` part."""
        posts, code = self._start(texts, labels)
        self._model = _logistic(self._columns(posts), code, 1e-3, balanced=True)
        grid = np.linspace(-1, 1, 2001)
        called = self._model.predict(_sizes(grid))
        starts = np.flatnonzero(np.r_[True, called[1:] != called[:-1]])
        ends = np.r_[starts[1:], len(grid) - 1]
        self.thresholds_ = [
            (float(grid[a]), float(grid[b]), self.classes_[called[a]]) for a, b in zip(starts, ends, strict=True)
        ]
        return self

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Give the probability of each class, (n, n_classes)."""
        posts = self._need_fitted(texts)
        return self._model.predict_proba(self._columns(posts)) if posts else np.empty((0, len(self.classes_)))

    def _columns(self, texts: list[str]) -> Floats:
        return _sizes(np.asarray(self.score(texts), dtype=float))


class LogisticText(TextClassifier):
    """Multinomial logistic regression on blocks of columns.

    p(k|x) = exp(w_k·x + b_k)/Σ_l exp(w_l·x + b_l), and W, b minimise

        -(1/n) Σ_i a_i ln p(y_i|x_i) + (λ/2) Σ_k ‖w_k‖²,     a_i = n/(K n_{y_i}) if balanced, else 1

    where n_k of the n posts have class k of K. Balanced, each class counts alike, and the most probable class is the
    right one for macro-recall and where shares differ from those in training; the probabilities are those of a world
    in which all classes are as frequent, see `confidence` and `quantify` for how to move them to another.

    Parameters
    ----------
    blocks : what to measure, see `textfeatures` and `lexicons`; they stay as they are, `blocks_` have learnt
    reg : λ > 0; of a mean, so the same fits few posts and many
    balanced : let each class count alike
    tokenizer : text → tokens
    """

    def __init__(
        self, *blocks: Block, reg: float = 1e-4, balanced: bool = True, tokenizer: Tokenize | None = None
    ) -> None:
        if not blocks:
            raise UsageError("LogisticText needs at least one block of columns, such as WordNGrams()")
        if not 0 < reg < np.inf:
            raise UsageError(f"reg={reg} must be finite and above 0")
        self.blocks, self.reg, self.balanced = blocks, reg, balanced
        self.tokenizer = tokenizer or Tokenizer(negation=True, hashtags="both")

    def fit(self, texts: Iterable[str], labels: ArrayLike) -> Self:
        """Learn columns and weights from `texts` and `labels`; both stay as they are."""
        posts, code = self._start(texts, labels)
        tokens = self._tokens(posts)
        self.blocks_ = [copy.copy(block).fit(posts, tokens) for block in self.blocks]
        model = _logistic(self._matrix(posts, tokens), code, self.reg * len(posts), self.balanced)
        two = len(self.classes_) == 2  # then scikit-learn keeps w_1 - w_0 only
        self.coef_: Floats = np.vstack([-model.coef_, model.coef_]) / 2 if two else model.coef_  # (n_classes, d)
        self.intercept_ = np.r_[-model.intercept_, model.intercept_] / 2 if two else model.intercept_
        return self

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Give the probability of each class, (n, n_classes)."""
        posts = self._need_fitted(texts)
        z = self._matrix(posts, self._tokens(posts)) @ self.coef_.T + self.intercept_
        e = np.exp(z - z.max(axis=1, keepdims=True)) if len(posts) else z
        return cast(Floats, e / e.sum(axis=1, keepdims=True))

    def names(self) -> list[str]:
        """Give the name of each column."""
        if not hasattr(self, "blocks_"):
            raise UsageError("LogisticText has not been fitted; call fit(texts, labels) first")
        return [name for block in self.blocks_ for name in block.names_]

    def explain(self, text: str, label: Any, k: int = 5) -> list[Reason]:
        """Give the k columns that speak most for `label`: (w_label,j - mean_l w_lj) x_j, the largest first."""
        x = self._matrix([text], self._tokens(self._need_fitted([text])))
        found = np.flatnonzero(self.classes_ == label)
        if not len(found):
            raise UsageError(f"label={label!r} is none of the classes {', '.join(map(str, self.classes_))}")
        lead = self.coef_[found[0]] - self.coef_.mean(axis=0)
        effect = x.toarray()[0] * lead  # (d,)
        names = self.names()
        return [Reason(names[j], float(effect[j])) for j in np.argsort(-effect, kind="stable")[:k] if effect[j] > 0]

    def _tokens(self, posts: list[str]) -> list[list[str]]:
        many = getattr(self.tokenizer, "many", None)
        return many(posts) if many else [self.tokenizer(post) for post in posts]

    def _matrix(self, posts: list[str], tokens: list[list[str]]) -> sparse.csr_array:
        return sparse.csr_array(sparse.hstack([b.transform(posts, tokens) for b in self.blocks_], format="csr"))


def ngrams(
    *, words: tuple[int, int] = (1, 2), chars: tuple[int, int] | None = (2, 5), reg: float = 3e-5, **settings: Any
) -> LogisticText:
    """Make a logistic regression on TF-IDF of words and characters, the baseline of every text classifier.

    Parameters
    ----------
    words, chars : shortest and longest n-gram; chars=None leaves characters out
    settings : of `LogisticText`

    >>> model = ngrams().fit(["good film", "bad film"] * 3, ["good", "bad"] * 3)
    >>> model.predict(["so good"])
    array(['good'], dtype='<U4')
    """
    blocks: list[Block] = [WordNGrams(n=words)]
    return LogisticText(*blocks, *([CharNGrams(n=chars)] if chars else []), reg=reg, **settings)


def vectors(word_vectors: WordVectors, *, weighting: Weighting = "mean", **settings: Any) -> LogisticText:
    """Make a logistic regression on the mean of a post's word vectors; `weighting` "sif" or "tfidf" weights words."""
    return LogisticText(MeanVectors(word_vectors, weighting=weighting, scale=1.0), **settings)


def combination(
    *,
    word_vectors: WordVectors | None = None,
    lexicons: Mapping[str, Mapping[str, float]] | None = None,
    scorer: Callable[[Sequence[str]], Any] | None = None,
    sentences: Callable[[Sequence[str]], Any] | None = None,
    chars: tuple[int, int] = (2, 5),
    reg: float = 1e-4,
    **settings: Any,
) -> LogisticText:
    """Make one logistic regression on all there is: n-grams, ways of writing, lexicons, vectors.

    Parameters
    ----------
    word_vectors : of the language, or None
    lexicons : name → (word → weight)
    scorer : texts → numbers, such as `lexicons.Vader().columns`
    sentences : texts → vectors of a frozen model, such as `minilm.SentenceModel(layers=(4, 5))`
    settings : of `LogisticText`
    """
    blocks: list[Block] = [WordNGrams(), CharNGrams(n=chars), WritingMarks()]
    if lexicons or scorer:
        blocks.append(LexiconScores(lexicons or {}, scorer=scorer))
    if word_vectors is not None:
        blocks.append(MeanVectors(word_vectors))
    if sentences is not None:
        blocks.append(Sentences(sentences))
    return LogisticText(*blocks, reg=reg, **settings)


def need_texts(texts: Iterable[str]) -> list[str]:
    """Check that `texts` are posts, each a str, and give them as a list."""
    if isinstance(texts, str):
        raise UsageError("a classifier takes several posts; put the one into a list")
    posts = list(texts)
    for row, post in enumerate(posts):
        if not isinstance(post, str):
            raise UsageError(f"post {row} is {shorten(repr(post))}, not text")
    return posts


def need_labels(labels: ArrayLike, n: int) -> NDArray[Any]:
    """Check that there is one label for each of the n posts, none missing."""
    y = np.asarray(labels)
    if y.dtype == object:  # as pandas keeps strings; np.unique wants one type
        kinds = {type(label) for label in y.tolist()}
        if len(kinds) > 1 or type(None) in kinds:
            row = next((i for i, label in enumerate(y.tolist()) if not isinstance(label, str)), 0)
            raise UsageError(f"label {row} is {y.tolist()[row]!r}; every post needs a label of one kind")
        y = np.array(y.tolist())
    if y.shape != (n,) or n == 0:
        raise UsageError(f"{n} posts and labels of shape {y.shape}: each post needs one label, and there must be some")
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise UsageError(f"label {int(np.flatnonzero(np.isnan(y))[0])} is missing; leave such posts out")
    return y


def _sizes(score: Floats) -> Floats:
    return np.column_stack([score, np.abs(score)])


def _logistic(X: Any, y: NDArray[np.int64], penalty: float, balanced: bool) -> Any:
    """Fit scikit-learn's model; `penalty` is added to the sum of losses, not to their mean."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / penalty, class_weight="balanced" if balanced else None, max_iter=100, tol=1e-3)
    with warnings.catch_warnings():
        # 100 steps of L-BFGS: more change no figure on validation data in the third digit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)
