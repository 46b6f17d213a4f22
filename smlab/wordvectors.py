"""Word vectors: a table with one row for each word, near to each other where words keep the same company.

    similar      cos(v_a, v_b) = v_a·v_b / (‖v_a‖ ‖v_b‖), the largest over all words b
    analogy      a is to b as c is to argmax_w cos(w, b - a + c), of unit vectors, none of the three again:
                 Mikolov, Yih & Zweig (2013); named 3CosAdd by Levy & Goldberg (2014)

What is near is what can stand in the same place, so "good" and "bad" are near, see `intrinsic.neighbours`. Vectors are
learnt by `word2vec`, or read by `vectorfiles` where others have learnt them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from smlab import atomic
from smlab.checks import DataAbsent, DataError, UsageError, nearest, shorten

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Log = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : each once; the most frequent first, where their number is known
    matrix : (n_words, n_factors) float32
    counts : (n_words,) how often each word stood in the training text, None where a file does not say

    >>> vectors = WordVectors(["good", "great", "bus"], np.array([[1.0, 0.1], [0.9, 0.3], [-0.2, 1.0]]))
    >>> [(word, round(cosine, 2)) for word, cosine in vectors.similar("good", k=2)]
    [('great', 0.98), ('bus', -0.1)]
    >>> "bus" in vectors, vectors["bus"]
    (True, array([-0.2,  1. ], dtype=float32))
    """

    words: Sequence[str]
    matrix: Floats
    counts: Ints | None = None

    def __post_init__(self) -> None:
        matrix = np.ascontiguousarray(self.matrix, dtype=np.float32)
        if matrix.ndim != 2 or len(matrix) != len(self.words) or not matrix.size:
            raise UsageError(f"{len(self.words)} words need a matrix of as many rows, not of shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            row = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            raise UsageError(f"the vector of {self.words[row]!r} (row {row}) is not finite")
        counts = None if self.counts is None else np.asarray(self.counts, dtype=np.int64)
        if counts is not None and counts.shape != (len(matrix),):
            raise UsageError(f"counts of shape {counts.shape} do not fit {len(matrix)} words")
        object.__setattr__(self, "words", list(self.words))
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "counts", counts)
        if len(self.index) < len(matrix):
            twice = next(word for row, word in enumerate(self.words) if self.index[word] != row)
            raise UsageError(f"the word {twice!r} stands twice among the words")

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> Floats:
        """Vectors of length 1, (n_words, n_factors); a vector of zeros stays one."""
        length = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return np.divide(self.matrix, length, out=np.zeros_like(self.matrix), where=length > 0)

    @property
    def n_factors(self) -> int:
        """Length of a vector."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> Floats:
        return cast(Floats, self.matrix[self.row(word)])

    def row(self, word: str) -> int:
        """Give the row of a word; one without a vector is an error that names a similar one."""
        row = self.index.get(word)
        if row is None:
            # To compare with every word would take seconds; the frequent ones that begin alike are enough.
            alike = list(islice((w for w in self.words if w[:1] == word[:1]), 2000))
            hint = nearest(word, alike) if alike else ""
            raise UsageError(f"{word!r} has no vector" + (f"; {hint}" if hint.startswith("did") else ""))
        return row

    def rows(self, tokens: Iterable[str]) -> Ints:
        """Give the row of each token, (n,), -1 where it has no vector."""
        known = self.index.get
        return np.fromiter((known(token, -1) for token in tokens), dtype=np.int64)

    def similar(self, word: str, k: int = 10) -> list[tuple[str, float]]:
        """Give the k words of the largest cosine with `word`, itself left out."""
        row = self.row(word)
        return self._closest(self.unit[row], k, without=[row])

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> list[tuple[str, float]]:
        """Answer "a is to b as c is to …" by the k largest cosines with b - a + c.

        >>> grid = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]])
        >>> WordVectors(["man", "woman", "king", "queen", "crowd"], grid).analogy("man", "woman", "king")[0][0]
        'queen'
        """
        rows = [self.row(word) for word in (a, b, c)]
        v_a, v_b, v_c = self.unit[rows]
        target = v_b - v_a + v_c
        return self._closest(target / (np.linalg.norm(target) or 1), k, without=rows)

    def _closest(self, direction: Floats, k: int, without: list[int]) -> list[tuple[str, float]]:
        if k < 1:
            raise UsageError(f"k={k}: at least one word has to be asked for")
        cosine = self.unit @ direction  # (n_words,)
        cosine[without] = -np.inf
        best = np.lexsort((np.arange(len(cosine)), -cosine))[: min(k, len(cosine) - len(set(without)))]
        return [(self.words[row], float(cosine[row])) for row in best]

    def save(self, path: str | Path) -> Path:
        """Write an .npz file that `load` reads; no code is in it."""
        if any("\n" in word for word in self.words):
            raise UsageError("a word holds a line break; such words cannot be saved")
        text = "\n".join(self.words).encode("utf-8", "surrogatepass")
        counts = np.zeros(0, dtype=np.int64) if self.counts is None else self.counts
        with atomic.writing(Path(path)) as out:
            np.savez(out, words=np.frombuffer(text, dtype=np.uint8), matrix=self.matrix, counts=counts)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> WordVectors:
        """Read what `save` wrote."""
        need_file(path)
        try:
            with np.load(path, allow_pickle=False) as saved:
                words = saved["words"].tobytes().decode("utf-8", "surrogatepass").split("\n")
                return cls(words, saved["matrix"], saved["counts"] if len(saved["counts"]) else None)
        except Exception as error:  # a damaged zip fails in a dozen ways
            raise DataError(path, f"is no file of word vectors by smlab: {str(error).splitlines()[0]}") from None


def need_file(path: str | Path) -> None:
    """Refuse a path where no file lies."""
    if not Path(path).is_file():
        raise DataAbsent(f"{path} is no file")


def need_tokens(tokens: Iterable[Sequence[str]], start: int = 0) -> Sequence[Sequence[str]]:
    """Check that posts are lists of tokens: of a text in the place of a list each letter would be a token."""
    posts = tokens if isinstance(tokens, list | tuple) else list(tokens)
    for row, post in enumerate(posts, start):
        if isinstance(post, str | bytes) or not hasattr(post, "__len__"):
            raise UsageError(
                f"post {row} is {shorten(repr(post))}, not a list of tokens; a Tokenizer makes one of a text"
            )
    return posts
