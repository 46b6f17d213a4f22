"""Which words drive each side? Log-odds of words between posts of one class and the rest, with a prior.

Word w stands in y_w of the posts of one side and in y'_w of the others'; n and n' are the sums of these over all words.
Each side's words are multinomial with a Dirichlet prior α_w = k n π_w, where π_w is the share of w among both: as if a
k-th of each side's words had been seen before and had not told the sides apart. Then

    δ_w = log (y_w + α_w) / (n + α_0 - y_w - α_w)  -  log (y'_w + α'_w) / (n' + α'_0 - y'_w - α'_w),   α_0 = Σ_w α_w
    σ²_w = 1 / (y_w + α_w) + 1 / (n + α_0 - y_w - α_w)  +  the same of the others,        z_w = δ_w / σ_w

(the paper drops the second term of σ², which is small for rare words). Differences of shares favour frequent words,
ratios favour rare ones; z asks how sure the difference is, and the prior draws words of which little is known to 0. It
describes and does not explain: a word may only stand beside the one that matters, so each comes with posts to read. A
post counts once however often it repeats a word.

References: Monroe, Colaresi & Quinn (2008), "Fightin' Words" (log-odds-ratio with informative Dirichlet prior);
k = 0.1 is what the first author's teaching code takes; Benjamini & Hochberg (1995), q.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any
from unicodedata import category

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.stats import false_discovery_control, norm

from smlab.auc import z_value
from smlab.checks import UsageError
from smlab.classes import codes

Floats = NDArray[np.float64]
COLUMNS = ["side", "word", "z", "q", "log_odds", "low", "high", "posts", "share", "share_of_others", "examples"]


def is_word(token: str) -> bool:
    """Say whether a token is a word, an emoji or the like: no punctuation, number or stand-in such as <user>.

    >>> [is_word(t) for t in ("good", "好", "😡", "!!", "12", "<url>")]
    [True, True, True, False, False, False]
    """
    return token[:1] != "<" and any(c.isalpha() or category(c) == "So" for c in token)


def drivers(
    tokens: Sequence[Sequence[str]],
    labels: ArrayLike,
    *,
    sides: Iterable[Any] | None = None,
    n: int = 20,
    min_posts: int = 5,
    prior: float = 0.1,
    sure: ArrayLike | None = None,
    examples: int = 3,
    level: float = 0.95,
    keep: Callable[[str], bool] = is_word,
) -> pd.DataFrame:
    """List for each class the words that set its posts apart from the others, surest first.

    Parameters
    ----------
    tokens : the words of each post
    labels : the class of each post
    sides : the classes to list; all if not given
    n : words at most of each side
    min_posts : a word of fewer is left out
    prior : k above, above 0
    sure : (n_posts,) how sure the label of a post is, to show the surest posts; else the first ones
    examples : posts to show of each word, of different words, by their place in `tokens`
    keep : which tokens are words

    Returns
    -------
    frame with a row per side and word: z, q (share of false finds if all words up to this one are taken), log_odds
    with its interval, posts (of this side with the word), share of this side's posts and share_of_others, examples
    (places of posts, a tuple)

    Raises
    ------
    UsageError
        If there are fewer than two classes.

    >>> posts = [["slow", "app"], ["slow", "screen"], ["fine", "app"], ["fine", "screen"]] * 5
    >>> drivers(posts, ["bad", "bad", "good", "good"] * 5, n=1)[["side", "word", "share"]].values.tolist()
    [['bad', 'slow', 1.0], ['good', 'fine', 1.0]]
    """
    names, (side,) = codes(labels)
    if len(tokens) != len(side):
        raise UsageError(f"{len(tokens)} posts and {len(side)} labels: each post needs one")
    if len(names) < 2:
        raise UsageError(f"all posts are {names[0]!r}: words can only be compared between two classes")
    if not prior > 0:
        raise UsageError(f"prior={prior} must be above 0; 0.1 is usual")
    words, X = presence(tokens, keep)
    wanted = names if sides is None else list(sides)
    if strange := [s for s in wanted if s not in names]:
        raise UsageError(f"{strange[0]!r} is not one of {names}")
    order = np.arange(len(side)) if sure is None else np.argsort(-np.asarray(sure, dtype=float), kind="stable")
    total = np.asarray(X.sum(axis=0)).ravel()
    usual = np.flatnonzero(total >= min_posts)
    found = []
    for name in wanted:
        own = side == names.index(name)
        y = np.asarray(X[own].sum(axis=0)).ravel()
        delta, sigma = log_odds(y, total - y, prior)
        z = (delta / sigma)[usual]
        q = false_discovery_control(2 * norm.sf(np.abs(z))) if len(z) else z
        at = np.lexsort((np.array(words)[usual], -z))[:n] if len(z) else np.array([], dtype=int)
        half = z_value(level) * sigma
        for i in at[z[at] > 0]:
            w = usual[i]
            shown = _examples(X, w, own, order, tokens, examples)
            rates = y[w] / own.sum(), (total - y)[w] / (~own).sum()
            ends = delta[w] - half[w], delta[w] + half[w]
            found.append((name, words[w], z[i], q[i], delta[w], *ends, int(y[w]), *rates, shown))
    return pd.DataFrame(found, columns=COLUMNS)


def log_odds(y: ArrayLike, others: ArrayLike, prior: float = 0.1) -> tuple[Floats, Floats]:
    """Give δ_w and σ_w of words counted `y` times on one side and `others` times on the other, (n_words,) each.

    >>> delta, sigma = log_odds([30, 70], [10, 90])
    >>> (delta / sigma).round(1).tolist()
    [3.3, -3.3]
    """
    a, b = np.asarray(y, dtype=float), np.asarray(others, dtype=float)
    share = (a + b) / max((a + b).sum(), 1)
    a, b = a + prior * a.sum() * share, b + prior * b.sum() * share
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.log(a / (a.sum() - a)) - np.log(b / (b.sum() - b))
        sigma = np.sqrt(1 / a + 1 / (a.sum() - a) + 1 / b + 1 / (b.sum() - b))
    return np.nan_to_num(delta, posinf=0.0, neginf=0.0), np.where(np.isfinite(sigma), sigma, np.inf)


def presence(tokens: Sequence[Sequence[str]], keep: Callable[[str], bool]) -> tuple[list[str], sparse.csr_array]:
    """Give the words and which post holds which of them, 0 or 1, sparse (n_posts, n_words)."""
    number: dict[str, int] = {}  # -1 for what is no word
    columns, ends, size = list[int](), [0], 0
    for post in tokens:
        for word in dict.fromkeys(post):
            if word not in number:
                number[word] = size if keep(word) else -1
                size += number[word] >= 0
            if number[word] >= 0:
                columns.append(number[word])
        ends.append(len(columns))
    words = [word for word, i in number.items() if i >= 0]
    return words, sparse.csr_array((np.ones(len(columns), np.int64), columns, ends), shape=(len(tokens), size))


def _examples(
    X: sparse.csr_array,
    word: int,
    own: NDArray[np.bool_],
    order: NDArray,
    tokens: Sequence[Sequence[str]],
    most: int,
) -> tuple[int, ...]:
    """Give the first posts of this side in `order` that hold the word and differ in what they say."""
    holds = np.zeros(len(own), dtype=bool)
    holds[X[:, [word]].nonzero()[0]] = True
    rows = order[(holds & own)[order]]
    distinct = {tuple(tokens[row]): int(row) for row in reversed(rows[: 20 * most])}
    return tuple(islice(sorted(distinct.values(), key=rows.tolist().index), most))
