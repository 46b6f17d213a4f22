"""Do word vectors know what people know? Similarity, analogies, and why opposites are neighbours.

    similarity   Spearman's rank correlation of cos(v_a, v_b) with how alike people called a and b: WordSim353
                 (Finkelstein et al. 2002), SimLex999 (Hill, Reichart & Korhonen 2015)
    analogies    share of "a is to b as c is to d" that `WordVectors.analogy` answers with d: Mikolov et al. (2013)

The test sets come with gensim. Both figures speak of the pairs whose words have vectors, so each stands beside its
coverage: from some thousand posts, little is learnt of "cemetery", and what is left of a test set is an easy choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from smlab.checks import DataAbsent, UsageError
from smlab.metrics import Interval, bootstrap
from smlab.wordvectors import WordVectors

Floats = NDArray[np.float64]
LEAST = 30  # pairs or questions; the interval of fewer says nothing
FILES = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt", "analogies": "questions-words.txt"}


@dataclass(frozen=True)
class Figure:
    """What a test gave.

    Parameters
    ----------
    figure : Spearman's correlation or share of right answers, with its 95 % interval over pairs or questions
    n, n_known : of the whole test, and of those whose words all have vectors
    """

    figure: Interval
    n: int
    n_known: int

    @property
    def coverage(self) -> float:
        """Share of the test that the vectors can take at all."""
        return self.n_known / self.n

    def __str__(self) -> str:
        return f"{self.figure:.3f} on {self.n_known} of {self.n} ({self.coverage:.0%})"


def word_similarity(vectors: WordVectors, pairs: pd.DataFrame, *, seed: int = 0, least: int = LEAST) -> Figure:
    """Correlate the cosines of word pairs with what people said.

    Parameters
    ----------
    pairs : with the columns a, b and similarity, as `pairs_of` gives them
    seed : of the bootstrap, which draws pairs
    least : refuse a figure from fewer known pairs
    """
    a, b = (_known(vectors, pairs[side]) for side in ("a", "b"))
    known = (a >= 0) & (b >= 0)
    _need(int(known.sum()), len(pairs), least, "pairs")
    cosine = (vectors.unit[a[known]] * vectors.unit[b[known]]).sum(axis=1)
    human = pairs["similarity"].to_numpy(dtype=float)[known]
    draws = np.random.default_rng(seed).integers(0, len(human), (1000, len(human)))
    low, high = np.quantile(spearman(cosine[draws], human[draws]), [0.025, 0.975])
    return Figure(Interval(float(spearman(cosine, human)), float(low), float(high)), len(pairs), int(known.sum()))


def analogies(
    vectors: WordVectors, questions: pd.DataFrame, *, seed: int = 0, least: int = LEAST, most_frequent: int = 30_000
) -> tuple[Figure, pd.DataFrame]:
    """Answer analogies by 3CosAdd; only the word asked for is right.

    Questions of one section share their words, so the interval, which draws questions, is rather too narrow.

    Parameters
    ----------
    questions : with the columns section, a, b, c and d, as `questions_of` gives them
    most_frequent : answers come from so many first words of the vocabulary, and a question with another word is
        out, as in the test of the word2vec tool

    Returns
    -------
    the share of right answers, and a frame with section, n_known and right (share)
    """
    rows = np.column_stack([_known(vectors, questions[side]) for side in "abcd"])
    known = ((rows >= 0) & (rows < most_frequent)).all(axis=1)
    _need(int(known.sum()), len(questions), least, "questions")
    right = _answered(vectors.unit[:most_frequent], rows[known])
    by_section = pd.DataFrame({"section": questions["section"].to_numpy()[known], "right": right})
    table = by_section.groupby("section", sort=False)["right"].agg(n_known="size", right="mean").reset_index()
    return Figure(bootstrap(right, seed=seed), len(questions), int(known.sum())), table


def neighbours(vectors: WordVectors, words: Iterable[str], k: int = 8) -> pd.DataFrame:
    """List the k nearest of each word: word, place (from 1), neighbour, cosine.

    Among those of "good" is "bad": both stand before the same nouns and after the same verbs, and the place in a
    sentence is all that the vectors know. So nearness is no sign of the same opinion; a classifier learns from
    labels in which direction of the space the opinions part.
    """
    rows = [(word, place, *found) for word in words for place, found in enumerate(vectors.similar(word, k), start=1)]
    return pd.DataFrame(rows, columns=["word", "place", "neighbour", "cosine"])


def closeness(vectors: WordVectors, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Say how near b is to a: a, b, cosine, place (1: the nearest of all words), n_words to choose from.

    >>> vectors = WordVectors(["good", "bad", "bus"], np.array([[1.0, 0.2], [0.9, -0.2], [0.0, 1.0]]))
    >>> closeness(vectors, [("good", "bad")]).round(2).to_dict("records")
    [{'a': 'good', 'b': 'bad', 'cosine': 0.91, 'place': 1, 'n_words': 2}]
    """
    table = []
    for a, b in pairs:
        row, other = vectors.row(a), vectors.row(b)
        cosine = vectors.unit @ vectors.unit[row]  # (n_words,)
        cosine[row] = -np.inf
        place = int((cosine > cosine[other]).sum()) + 1
        table.append((a, b, float(cosine[other]), place, len(vectors) - 1))
    return pd.DataFrame(table, columns=["a", "b", "cosine", "place", "n_words"])


def spearman(x: Floats, y: Floats) -> Floats:
    """Give the correlation of the ranks along the last axis; ties share their mean rank.

    >>> float(spearman(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])))
    0.5
    """
    a, b = (rankdata(z, axis=-1) - (z.shape[-1] + 1) / 2 for z in (x, y))  # ranks less their mean
    scale = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.divide((a * b).sum(-1), scale, out=np.zeros_like(scale), where=scale > 0)


def pairs_of(name: Literal["wordsim353", "simlex999"]) -> pd.DataFrame:
    """Read a test set that lies in gensim: a, b, similarity (0 to 10, mean of several people)."""
    rows = [line.split("\t") for line in _lines(name) if line and not line.startswith("#")]
    return pd.DataFrame([(a, b, float(s)) for a, b, s in rows], columns=["a", "b", "similarity"])


def questions_of(name: Literal["analogies"] = "analogies") -> pd.DataFrame:
    """Read the 19,544 questions of Mikolov et al. that lie in gensim: section, a, b, c, d."""
    rows, section = [], ""
    for line in _lines(name):
        if line.startswith(":"):
            section = line[1:].strip()
        elif line:
            rows.append((section, *line.split()))
    return pd.DataFrame(rows, columns=["section", *"abcd"])


def _lines(name: str) -> list[str]:
    path = resources.files("gensim") / "test" / "test_data" / FILES[name]
    if not path.is_file():
        raise DataAbsent(f"this gensim was installed without its test sets ({FILES[name]}); install the wheel")
    return path.read_text(encoding="utf-8").splitlines()


def _known(vectors: WordVectors, words: Sequence[str] | pd.Series) -> NDArray[np.int64]:
    """Give the row of each word as it is written, else in lower case, else -1."""
    written, lower = vectors.rows(words), vectors.rows(str(word).lower() for word in words)
    return np.where(written >= 0, written, lower)


def _answered(unit: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which questions (n, 4) get the right answer."""
    right = []
    for some in np.array_split(rows, -(-len(rows) // 500)):
        a, b, c, d = some.T
        cosine = (unit[b] - unit[a] + unit[c]) @ unit.T  # (500, n_words)
        cosine[np.arange(len(some))[:, None], some[:, :3]] = -np.inf
        right.append(cosine.argmax(axis=1) == d)
    return np.concatenate(right)


def _need(n_known: int, n: int, least: int, what: str) -> None:
    if n_known < least:
        raise UsageError(
            f"{n_known} of {n} {what} have vectors for all their words; a figure needs {least} or more: "
            "train on a larger text"
        )
