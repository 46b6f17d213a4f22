r"""What the makers of words share: tokens that go back to the text, a vocabulary, sampling; and the contract.

    fit(texts) -> self      write(n, seed=…) -> texts      score(texts) -> mean log2 P(token | tokens before), (n,)

A text is START w_1 … w_m END, and P(text) = Π P(w_i | START w_1 … w_{i-1}) over the m tokens and END. A token keeps
the blank before it, so that tokens put together are the text in its one spelling. Tokens of fewer than `min_count`
training texts are one unknown token, which is scored like any other, and never written.

Sampling from p, the chances of the next token:

    temperature T   p_w^(1/T) / Σ p^(1/T):  below 1 the likely becomes likelier
    nucleus         only the fewest tokens that together have so much chance: Holtzman et al. (2020)

Perplexity is 2^(-mean log2 P) over the tokens of all texts. Two makers can be compared where they have one vocabulary.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from smlab.checks import UsageError
from smlab.hanzi import HAN, ONE_HAN, Segmenter
from smlab.spelling import normalise

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Unit = Literal["word", "character"]
Reader = Callable[[Ints, Ints], Floats]  # (rows that go on, their last tokens) -> chances of the next, (rows, n_tokens)
START, END, UNKNOWN = 0, 1, 2
SIGNS = ["<start>", "<end>", "<unknown>"]
LETTER = rf"(?:(?![{HAN}])[^\W\d_])"
PIECE = re.compile(rf" ?(?:https?://\S+|[@#]\w+|[{HAN}]+|\d+(?:[.,:]\d+)*|{LETTER}+(?:['-]{LETTER}+)*|\S)")
HAN_RUN = re.compile(rf"( ?)([{HAN}]+)")


def pieces(text: str, unit: Unit = "word") -> list[str]:
    """Cut a text into tokens that put together are the text in its one spelling; Chinese words are jieba's.

    >>> pieces("Don't   panic: it's 9,99!")
    ["Don't", ' panic', ':', " it's", ' 9,99', '!']
    >>> pieces("这家酒店 很好"), pieces("好！", "character")
    (['这家', '酒店', ' 很', '好'], ['好', '!'])
    """
    plain = normalise(text)
    if unit == "character":
        return list(plain)
    return list(chain.from_iterable(map(_words, PIECE.findall(plain))))


def words(text: str) -> list[str]:
    """Give the words of a text in lower case, of Chinese its characters; signs are left out.

    >>> words("Don't panic: 酒店!")
    ["don't", 'panic', '酒', '店']
    """
    found: list[str] = []
    for piece in PIECE.findall(normalise(text).lower()):
        token = piece.strip()
        if any(map(str.isalnum, token)):
            found += token if ONE_HAN.match(token) else [token]
    return found


def _words(piece: str) -> list[str]:
    run = HAN_RUN.fullmatch(piece)
    if not run:
        return [piece]
    first, *rest = _segmenter()(run[2])
    return [run[1] + first, *rest]


@cache
def _segmenter() -> Segmenter:
    return Segmenter()


class Writer:
    """The contract of a maker of words; a model adds `_learn`, `_bits` and `_reader`.

    Parameters
    ----------
    unit : tokens are words or characters
    min_count : training texts that a token must be in; others are unknown

    Attributes
    ----------
    tokens_ : the vocabulary: start, end, unknown, then tokens by falling count
    longest_ : tokens of the longest training text; nothing longer is written
    """

    def __init__(self, *, unit: Unit = "word", min_count: int = 2) -> None:
        if unit not in ("word", "character"):
            raise UsageError(f"unit={unit!r} must be 'word' or 'character'")
        if min_count < 1:
            raise UsageError(f"min_count={min_count} must be a whole number above 0")
        self.unit: Unit = unit
        self.min_count = min_count

    def fit(self, texts: Iterable[str]) -> Self:
        """Learn from texts; blank ones tell nothing and are left out."""
        self._learn(self._vocabulary(texts))
        return self

    def score(self, texts: Iterable[str]) -> Floats:
        """Give the mean log2 probability of a token of each text, its end included, (n,): 0 at best, in bits."""
        bits, tokens = self.bits(texts)
        return -bits / tokens

    def bits(self, texts: Iterable[str]) -> tuple[Floats, Ints]:
        """Give -log2 P of each text and its tokens with its end, both (n,)."""
        rows = self.encode(texts)
        lengths = np.array([len(row) - 1 for row in rows], dtype=np.int64)
        return (self._bits(rows) if rows else np.empty(0)), lengths

    def following(self, start: str = "") -> Floats:
        """Give the chances of what comes after `start`, for each token of `tokens_`, (n_tokens,)."""
        p, _ = self._begun(start, 1)
        return p[0]

    def write(
        self, n: int, *, seed: int = 0, start: str = "", temperature: float = 1.0, nucleus: float = 1.0
    ) -> list[str]:
        """Write n texts that begin with `start`; the same seed gives the same texts.

        A text that reaches the length of the longest training text ends there. Texts may repeat each other. Of words,
        no letter comes straight after a letter and no digit after a digit, for `pieces` would not have cut there.
        """
        if n < 0 or not temperature > 0 or not 0 < nucleus <= 1:
            raise UsageError(f"n={n}, temperature={temperature}, nucleus={nucleus}: n from 0, temperature above 0, "
                             "nucleus above 0 and at most 1")  # fmt: skip
        rng = np.random.default_rng(seed)
        p, read = self._begun(start, n)
        texts, going = [[normalise(start)] for _ in range(n)], np.arange(n)
        begins, ends = (np.array([_kind(token[i]) for token in self.tokens_]) for i in (0, -1))
        last = np.full(n, _kind(normalise(start)[-1:]))
        for step in range(max(self.longest_ - len(pieces(start, self.unit)), 1)):
            p[:, [START, UNKNOWN]] = 0
            if step == 0 and not start.strip():
                p[:, self._not_first()] = 0
            if self.unit == "word":
                p *= ~((last[:, None] == begins) & (begins != ""))
            code = draw(p, rng, temperature=temperature, nucleus=nucleus)
            on = code != END
            going, code, last = going[on], code[on], ends[code[on]]
            if not len(going):
                break
            for row, token in zip(going.tolist(), code.tolist(), strict=True):
                texts[row].append(self.tokens_[token])
            p = read(np.flatnonzero(on), code)
        return ["".join(text).strip() for text in texts]

    def encode(self, texts: Iterable[str]) -> list[Ints]:
        """Give the codes of each text: START, its tokens, END."""
        if not hasattr(self, "tokens_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(texts) first")
        return [self._codes(pieces(text, self.unit)) for text in _need_texts(texts)]

    def _not_first(self) -> list[int]:
        """Give the codes that begin no text: the end, and what has a blank before it, if there are others."""
        inner = [code for code, token in enumerate(self.tokens_) if token.startswith(" ")]
        return [END, *(inner if len(inner) < len(self.tokens_) - len(SIGNS) else [])]

    def _begun(self, start: str, n: int) -> tuple[Floats, Reader]:
        codes = self.encode([start])[0][:-1]
        read, rows = self._reader(n), np.arange(n)
        for code in codes:
            p = read(rows, np.full(n, code))
        return p, read

    def _vocabulary(self, texts: Iterable[str]) -> list[Ints]:
        rows = [row for text in _need_texts(texts) if (row := pieces(text, self.unit))]
        if not rows:
            raise UsageError("there is no text to learn from; all are blank")
        found = Counter(chain.from_iterable(map(set, rows)))
        often = sorted((-count, token) for token, count in found.items() if count >= self.min_count)
        if not often:
            raise UsageError(f"no token is in {self.min_count} texts or more; min_count=1 takes them all")
        self._set_tokens(SIGNS + [token for _, token in often], max(map(len, rows)))
        return [self._codes(row) for row in rows]

    def _set_tokens(self, tokens: list[str], longest: int) -> None:
        self.tokens_, self.longest_ = tokens, longest
        self._code = {token: code for code, token in enumerate(tokens)}

    def _codes(self, row: Sequence[str]) -> Ints:
        code = self._code.get
        return np.array([START, *(code(token, UNKNOWN) for token in row), END], dtype=np.int64)

    def _learn(self, rows: list[Ints]) -> None:
        raise NotImplementedError

    def _bits(self, rows: list[Ints]) -> Floats:
        """Give -log2 P of each text, (n,)."""
        raise NotImplementedError

    def _reader(self, n: int) -> Reader:
        """Give what reads n texts side by side, one token more at each call; rows that it is not given have ended."""
        raise NotImplementedError


def draw(p: Floats, rng: np.random.Generator, *, temperature: float = 1.0, nucleus: float = 1.0) -> Ints:
    """Draw one of the columns in each row of chances p (n, V), as the formulas above say.

    >>> rng = np.random.default_rng(0)
    >>> draw(np.tile([0.6, 0.3, 0.1], (6, 1)), rng, nucleus=0.5)  # 0.6 is enough alone
    array([0, 0, 0, 0, 0, 0])
    """
    if not len(p):
        return np.empty(0, dtype=np.int64)
    q = p / p.max(axis=1, keepdims=True)
    if temperature != 1:
        q = q ** (1 / temperature)
    if nucleus < 1:
        best = np.argsort(-q, axis=1, kind="stable")
        sums = np.take_along_axis(q, best, axis=1).cumsum(axis=1)
        before = np.concatenate([np.zeros((len(q), 1)), sums[:, :-1]], axis=1)
        np.put_along_axis(q, best, np.where(before < nucleus * sums[:, -1:], np.take_along_axis(q, best, 1), 0), 1)
    sums = q.cumsum(axis=1)
    u = rng.random((len(q), 1)) * sums[:, -1:]
    return (sums <= u).sum(axis=1)


def _kind(sign: str) -> str:
    return "" if ONE_HAN.match(sign) else "letter" if sign.isalpha() else "digit" if sign.isdigit() else ""


def _need_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise UsageError("several texts are needed; put a single one into a list")
    found = list(texts)
    for row, text in enumerate(found):
        if not isinstance(text, str):
            raise UsageError(f"text {row} must be text, not {text!r}")
    return found
