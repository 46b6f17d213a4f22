"""Themes of products, out of their words and the baskets they lie in.

A product is the words w of its title, a word the company it keeps in baskets (`word2vec`), and a theme a group of
products that point the same way:

    v_c = Σ_w a/(a + p_w) u_w / n,    x_c = v_c / |v_c|        `sentence_vectors`, SIF; then |x_c - x_d|² = 2 - 2 cos
    themes = k-means of the x_c                                named by the words that set them apart, `drivers`

Left out: the order of words, and words that nothing else has; whether a theme tells what is bought next, `tastes`.

References: Mikolov et al. (2013), Distributed representations of words and phrases; Arora, Liang & Ma (2017), A simple
but tough-to-beat baseline for sentence embeddings; Dhillon & Modha (2001), Concept decompositions for large sparse text
data (k-means of directions).
"""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.checks import UsageError
from smlab.drivers import drivers, is_word
from smlab.kmeans import Floats, KMeans
from smlab.sentence_vectors import SentenceVectors
from smlab.text import Tokenizer
from smlab.wordvectors import WordVectors

NONE = -1  # theme of a product of which no word has a vector


def product_titles(frame: pd.DataFrame, known: pd.Series) -> pd.Series:
    """Give each product that was bought its title, or where none is known its code, which may be words itself.

    Parameters
    ----------
    frame : with the column product
    known : code → title, `Purchases.products`

    >>> product_titles(pd.DataFrame({"product": ["22", "red mug"]}), pd.Series({"22": "TEA POT"})).to_dict()
    {'22': 'TEA POT', 'red mug': 'red mug'}
    """
    if "product" not in frame:
        raise UsageError("these purchases name no products; a column product is needed, and best one description, too")
    codes = pd.Index(frame["product"].astype("str").unique(), name="product")
    titles = known.reindex(codes)
    return titles.where(titles.notna(), codes.to_series()).rename("title")


def title_words(titles: pd.Series) -> pd.Series:
    """Give the words of each title: no numbers, no signs, no single letters; indexed as the titles.

    >>> title_words(pd.Series({"21754": "HOME BUILDING BLOCK WORD", "22": "SET/6 RED T-LIGHTS"})).tolist()
    [['home', 'building', 'block', 'word'], ['set', 'red', 'lights']]
    """
    cut = Tokenizer()
    said = [[w for w in cut(str(title)) if is_word(w) and (len(w) > 1 or not w.isascii())] for title in titles]
    return pd.Series(said, index=titles.index.astype("str"), dtype=object)


def baskets(frame: pd.DataFrame, words: pd.Series) -> list[list[str]]:
    """Give the words of all that lies in one basket, each product once, in the order of the lines.

    Parameters
    ----------
    frame : customer, time, product, and where known invoice; a basket is an invoice, else a customer's day
    words : of each product, as `title_words` gives them
    """
    by = frame["invoice"] if "invoice" in frame else frame["customer"].astype("str") + frame["time"].dt.strftime(" %F")
    pairs = pd.DataFrame({"basket": pd.factorize(by)[0], "product": frame["product"].astype("str")}).drop_duplicates()
    known = words.to_dict()
    lines = pairs.groupby("basket", sort=False)["product"].agg(list)
    return [[word for product in basket for word in known.get(product, ())] for basket in lines]


def directions(words: pd.Series, vectors: WordVectors) -> Floats:
    """Give each product the direction of its words, (n_products, d) of length 1; zeros where no word has a vector."""
    v = np.asarray(SentenceVectors(vectors, weighting="sif").fit(words.tolist()).transform(words.tolist()), dtype=float)
    length = np.linalg.norm(v, axis=1, keepdims=True)
    return np.divide(v, length, out=np.zeros_like(v), where=length > 1e-9)


class Themes:
    """Group products by their directions and name the groups.

    Learnt: `labels_`, theme of each product (most products first; -1 where it has no direction); `names_`, the words
    of each theme that set it apart; `told_`, the frame of `drivers.drivers` that they come from.

    Parameters
    ----------
    k : themes
    n_words : of a name
    min_products : a word of fewer products names nothing; None takes a quarter of those of a mean theme, 1 to 5

    >>> words = pd.Series({"a": ["tea", "mug"], "b": ["tea", "pot"], "c": ["wall", "clock"], "d": ["wall", "lamp"]})
    >>> found = Themes(k=2, n_words=1, min_products=1).fit([[1, 0], [1, 0], [0, 1], [0, 1]], words)
    >>> found.labels_.to_dict(), found.names_
    ({'a': 1, 'b': 1, 'c': 0, 'd': 0}, ['wall', 'tea'])
    """

    labels_: pd.Series
    names_: list[str]
    told_: pd.DataFrame

    def __init__(self, *, k: int = 12, n_words: int = 3, min_products: int | None = None, seed: int = 0) -> None:
        if k < 2 or n_words < 1:
            raise UsageError(f"k={k} themes must be 2 or more, and n_words={n_words} 1 or more")
        self.k, self.n_words, self.min_products, self.seed = k, n_words, min_products, seed

    def fit(self, X: ArrayLike, words: pd.Series) -> Self:
        """Learn from the directions of the products (n, d) and their words, indexed by product.

        Raises
        ------
        UsageError
            If fewer products than themes have a direction.
        """
        x = np.asarray(X, dtype=float)
        known = np.abs(x).sum(axis=1) > 0
        if len(x) != len(words) or known.sum() < 2 * self.k:
            raise UsageError(f"{self.k} themes need {2 * self.k} products with known words; here are {known.sum()}")
        self.model_ = KMeans(k=self.k, seed=self.seed).fit(x[known])
        labels = np.full(len(x), NONE)
        labels[known] = self.model_.labels_
        self.labels_ = pd.Series(labels, index=words.index, name="theme")
        said, of = words[known].tolist(), self.model_.labels_
        least = self.min_products or min(5, max(1, len(said) // (4 * self.k)))
        self.told_ = drivers(said, of, n=20, min_posts=least, keep=_names_something)
        named = [_name(self.told_.loc[self.told_["side"] == j, "word"], self.n_words) for j in range(self.k)]
        again = [named[:j].count(name) for j, name in enumerate(named)]
        self.names_ = [f"{name} ({n + 1})" if n else name for name, n in zip(named, again, strict=True)]
        return self


def _names_something(word: str) -> bool:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return is_word(word) and word not in ENGLISH_STOP_WORDS


def _name(words: pd.Series, n: int) -> str:
    """Join the first words that are no other form of one before: candle, candles."""
    chosen: list[str] = []
    for word in words:
        if not any(word.startswith(c[:-1]) or c.startswith(word[:-1]) for c in chosen if len(c) > 3 and len(word) > 3):
            chosen.append(word)
    return ", ".join(chosen[:n]) or "mixed"


def at_random(theme: pd.Series, *, seed: int = 0) -> pd.Series:
    """Deal the themes to the products anew: as many and as large, and without sense. What they gain is chance."""
    return theme.sample(frac=1, random_state=seed).set_axis(theme.index)
