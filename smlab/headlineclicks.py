"""Which of several headlines for one story will be clicked more? Learnt from tests that showed them side by side.

A test t showed each of its headlines i to n_ti people, and k_ti clicked. With x_i the columns of a text,

    y_ti = ln((k_ti + ½) / (n_ti - k_ti + ½)) = a_t + x_i·β + e_ti,    Var e_ti = 1 / (n_ti p_t (1 - p_t)) + τ²

    β = argmin Σ_t Σ_i w_ti (y_ti - a_t - x_i·β)² + reg ‖β‖²,         w_ti = 1 / Var e_ti

a_t takes up all that a test's headlines share: the story, the week, the readers. What is left to learn from is the
differences within tests, each as heavy as its counts make it sure. For given β the best a_t is the mean of the test, so
one subtracts from y and from each column its weighted mean over the test (Frisch & Waugh 1933) and has a ridge
regression, which is solved by LSQR (Paige & Saunders 1982). y with the halves is the empirical logit, nearly without
bias (Haldane 1956). p_t is the rate of the whole test, so that an arm is not trusted more because it had luck.

A block of columns, such as TF-IDF of words, is divided by the root mean square of its weighted rows within tests and
multiplied by √share, shares adding up to 1: so none is loud for its units, and one `reg` does for all blocks.

A score is x·β: differences of two scores are differences of log-odds, and their level means nothing. Left out: the
picture beside the headline, and how often a story's readers have seen the like before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, lsqr

from smlab.checks import UsageError
from smlab.design import need_counts
from smlab.text import Tokenizer
from smlab.textfeatures import Block, CharNGrams, Dense, Sentences, Tokens, WordNGrams, WritingMarks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tokenize = Callable[[str], list[str]]


class Length(Dense):
    """The number of characters alone: what every other model has to beat.

    >>> Length(scale=1.0).fit(["Why", "Why not this one"], [[], []]).transform(["Why"], [[]]).toarray()
    array([[-1.]], dtype=float32)
    """

    names_ = ["characters"]

    def _numbers(self, texts: Sequence[str], tokens: Tokens) -> NDArray[np.float32]:
        return np.log1p([[len(text)] for text in texts]).astype(np.float32).reshape(-1, 1)


def usual_blocks(sentence: Callable[[Sequence[str]], Any] | None = None) -> list[tuple[float, Block]]:
    """Give shares and blocks of the default: words and pairs of words, runs of characters, ways of writing.

    Parameters
    ----------
    sentence : a frozen model, texts → vectors (n, d), such as `minilm.SentenceModel(layers=(2, 4, 5))`: what a headline
        means then counts most
    """
    words, runs, marks = WordNGrams(n=(1, 2)), CharNGrams(min_count=3), WritingMarks()
    if sentence is None:
        return [(1.0, words), (1.0, runs), (0.3, marks)]
    return [(3.0, Sentences(sentence)), (0.5, words), (0.5, runs), (0.2, marks)]


class HeadlineClicks:
    """Score headlines by what raised the click rate of others within their tests.

    Parameters
    ----------
    blocks : (share, block), how much it weighs beside the others and what it measures; None: `usual_blocks()`
    reg : strength of the penalty
    spread : τ, log-odds by which headlines differ for reasons that no column sees
    tokenize : text → tokens

    Learnt: `names_` and `effects_` (d,), what a column of size 1 does to the log-odds.

    >>> texts = ["Why we sing", "We sing", "Why they run", "They run"] * 2
    >>> model = HeadlineClicks([(1.0, WordNGrams(n=(1, 1)))], reg=1.0)
    >>> model = model.fit(texts, [1, 1, 2, 2, 3, 3, 4, 4], [60, 30] * 4, [2000] * 8)
    >>> float(np.diff(model.predict(["You swim", "Why you swim"]))[0]) > 0.2
    True
    """

    names_: list[str]
    effects_: Floats

    def __init__(
        self,
        blocks: Sequence[tuple[float, Block]] | None = None,
        *,
        reg: float = 4.0,
        spread: float = 0.15,
        tokenize: Tokenize | None = None,
    ) -> None:
        if not 0 < reg < np.inf:
            raise UsageError(f"reg={reg} must be finite and above 0")
        if not 0 <= spread < np.inf:
            raise UsageError(f"spread={spread} must be finite and not below 0")
        self.blocks = list(usual_blocks() if blocks is None else blocks)
        if not self.blocks or min(share for share, _ in self.blocks) <= 0:
            raise UsageError("one block or more is needed, each with a share above 0")
        self.reg, self.spread, self.tokenize = reg, spread, tokenize or Tokenizer()

    def fit(self, texts: Iterable[str], test: ArrayLike, clicks: ArrayLike, impressions: ArrayLike) -> Self:
        """Learn from headlines, the test of each, and its counts.

        Raises
        ------
        UsageError
            Columns of different length, counts that cannot be, or no test of two headlines or more.
        """
        heads = list(texts)
        k, n = np.asarray(clicks, dtype=float), np.asarray(impressions, dtype=float)
        need_counts(k, n)
        t: Ints = pd.factorize(np.asarray(test))[0]
        if not len(heads) == len(t) == len(k):
            raise UsageError(f"{len(heads)} headlines, {len(t)} tests and {len(k)} counts: one of each is needed")
        if np.bincount(t[n > 0]).max(initial=0) < 2:
            raise UsageError("no test has two headlines that were shown: there is nothing to compare")
        w = self._weights(t, k, n)
        y = np.log((k + 0.5) / (n - k + 0.5))
        tokens = [self.tokenize(text) for text in heads]
        parts = [block.fit(heads, tokens).transform(heads, tokens) for _, block in self.blocks]
        total = sum(share for share, _ in self.blocks)
        sizes = [np.sqrt(c / total) / (_size(X, t, w) or 1.0) for (c, _), X in zip(self.blocks, parts, strict=True)]
        X = sparse.hstack([c * X for c, X in zip(sizes, parts, strict=True)], format="csr")
        self.names_ = [name for _, block in self.blocks for name in block.names_]
        self.effects_ = _ridge(X, y, t, w, self.reg) * np.repeat(sizes, [X.shape[1] for X in parts])
        return self

    def predict(self, texts: Iterable[str]) -> Floats:
        """Give the score of each headline, (n,), on the scale of log-odds."""
        if not hasattr(self, "effects_"):
            raise UsageError("HeadlineClicks has not been fitted; call fit(texts, test, clicks, impressions) first")
        heads = list(texts)
        if not heads:
            return np.empty(0)
        tokens = [self.tokenize(text) for text in heads]
        X = sparse.hstack([block.transform(heads, tokens) for _, block in self.blocks], format="csr")
        return np.asarray(X @ self.effects_, dtype=float)

    def _weights(self, t: Ints, k: Floats, n: Floats) -> Floats:
        """Give w of the formula above, (n,); 0 where nobody was shown the headline."""
        p = (np.bincount(t, k) + 0.5)[t] / (np.bincount(t, n) + 1)[t]
        return (n > 0) / (1 / np.maximum(n * p * (1 - p), 1e-12) + self.spread**2)


def _less_mean(v: Floats, t: Ints, w: Floats) -> Floats:
    """Subtract from v its weighted mean over each test."""
    return v - (np.bincount(t, w * v) / np.maximum(np.bincount(t, w), 1e-300))[t]


def _size(X: sparse.csr_array, t: Ints, w: Floats) -> float:
    """Give the root mean square of a block's rows within tests, weighted as the fit weighs them."""
    means = sparse.csr_array((w, (t, np.arange(len(t))))) @ X
    total = np.maximum(np.bincount(t, w), 1e-300)
    within = (w @ X.power(2).sum(axis=1)) - (means.power(2).sum(axis=1) / total).sum()
    return float(np.sqrt(max(within, 0.0) / len(t)))


def _ridge(X: sparse.csr_array, y: Floats, t: Ints, w: Floats, reg: float) -> Floats:
    """Minimise Σ w (y - a_t - x·β)² + reg ‖β‖² over a and β, and give β."""
    root = np.sqrt(w)
    D = LinearOperator(
        X.shape,
        matvec=lambda v: root * _less_mean(X @ v.ravel(), t, w),
        rmatvec=lambda u: X.T @ (w * _less_mean(u.ravel() / np.where(root > 0, root, 1), t, w)),
        dtype=float,
    )
    found = lsqr(D, root * _less_mean(y, t, w), damp=np.sqrt(reg), atol=1e-6, btol=1e-6, iter_lim=500)
    return np.asarray(found[0], dtype=float)
