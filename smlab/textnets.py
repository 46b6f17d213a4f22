"""Networks that read the words of a post in their order: TextCNN and BiLSTM, on the footing of `sentiment`.

A post is a matrix of word vectors x_1 … x_n, which start from given ones and are learnt on; both networks make one
vector z of it, and p = softmax(Wz + b).

    TextCNN   c_i = f(w · x_{i:i+h-1} + b),  ĉ = max_i c_i       one ĉ for each filter w of h words: Kim 2014, eq. 2
    BiLSTM    h_i = [LSTM(x_1 … x_i), LSTM(x_n … x_i)],  z = max_i h_i       the maximum for each unit apart

The convolution: x_{i:i+h-1} is the concatenation of h neighbouring vectors, the same w slides over all places i, so
"not good" is seen wherever it stands; a layer f(Wx + b) that is connected to all words would be another model. The
maximum over time keeps the strongest match and makes one number of any length. f is max(0, ·).

Both are trained by `training.train` on the cross-entropy with each class counting alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from smlab import training
from smlab.checks import UsageError
from smlab.negation import MARK
from smlab.sentiment import Floats, TextClassifier, Tokenize
from smlab.text import Tokenizer
from smlab.training import Log, Schedule
from smlab.wordvectors import WordVectors

PAD, UNKNOWN = 0, 1  # codes of what is no word
SPREAD = 0.3  # standard deviation of the numbers in word vectors at the start, given ones and random ones alike


@dataclass(kw_only=True, eq=False)
class TextNet(TextClassifier):
    """What both networks share: hyper-parameters, `fit`, `predict_proba`.

    Parameters
    ----------
    word_vectors : what the vectors of known words start from; a word with `not_` starts where the word does. None:
        all start at random
    n_factors : length of a word vector where none are given
    length : tokens of a post that are read
    min_count : a word without a vector needs so many training posts; others are one unknown word
    dropout : share of word vectors' and of z's numbers left out in training
    learning_rate : of Adam; word vectors get a third of it
    epochs : passes over the posts, at most so many with validation data
    batch_size, patience : see `training.Schedule`
    tokenizer : text → tokens
    seed : draws initial weights, order of posts and dropout
    device : "auto" (the GPU where there is one), "cpu", "cuda"
    """

    word_vectors: WordVectors | None = None
    n_factors: int = 100
    length: int = 60
    min_count: int = 2
    dropout: float = 0.5
    learning_rate: float = 1e-3
    epochs: int = 3
    batch_size: int = 64
    patience: int = 1
    tokenizer: Tokenize = field(default_factory=lambda: Tokenizer(negation=True))
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        self._schedule()
        for name in ("n_factors", "length", "min_count", "n_filters", "n_hidden"):
            if (n := getattr(self, name, 1)) < 1:
                raise UsageError(f"{name}={n} must be a whole number above 0")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout={self.dropout} must be from 0 to below 1, the share of numbers left out")
        if not 0 < self.learning_rate < np.inf:
            raise UsageError(f"learning_rate={self.learning_rate} must be finite and above 0")

    def build(self, table: Tensor, n_classes: int) -> nn.Module:
        """Make the untrained network: a module from codes (B, n) to logits (B, n_classes)."""
        raise NotImplementedError

    def fit(
        self,
        texts: Iterable[str],
        labels: ArrayLike,
        *,
        validation: tuple[Iterable[str], ArrayLike] | None = None,
        log: Log | None = None,
    ) -> Self:
        """Learn from `texts` and `labels`; both stay as they are.

        Parameters
        ----------
        validation : posts and labels; training stops when the macro-recall on them no longer rises
        log : takes one line for each epoch, such as `progress.say`
        """
        posts, code = self._start(texts, labels)
        tokens = [self.tokenizer(post)[: self.length] for post in posts]
        held_out = self._held_out(*validation) if validation is not None else None
        share = torch.tensor(np.bincount(code) * len(self.classes_) / len(code), dtype=torch.float32)
        with training.seeded(self.seed):
            self.codes_, table = self._words(tokens)
            where = training.device(self.device)
            self.module_: nn.Module = self.build(table, len(self.classes_)).to(where)
            weight = (1 / share).to(where)
            self.history_: list[dict[str, Any]] = training.train(
                self.module_,
                self._encode(tokens),
                torch.tensor(code),
                loss=lambda z, y: functional.cross_entropy(z, y, weight=weight),
                optimizers=[self._optimizer()],
                schedule=self._schedule(),
                validation=held_out and (self._encode(held_out[0]), torch.tensor(held_out[1])),
                score=_macro_recall,
                log=log,
            )
        return self

    def predict_proba(self, texts: Iterable[str]) -> Floats:
        """Give the probability of each class of `classes_`, (n, n_classes)."""
        posts = self._need_fitted(texts)
        if not posts:
            return np.empty((0, len(self.classes_)))
        codes = self._encode([self.tokenizer(post)[: self.length] for post in posts])
        z = training.predict(self.module_, codes, batch_size=1024).astype(np.float64)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return cast(Floats, e / e.sum(axis=1, keepdims=True))

    def _held_out(self, texts: Iterable[str], labels: ArrayLike) -> tuple[list[list[str]], NDArray[np.int64]]:
        posts, y = list(texts), np.asarray(labels)
        place = {label: i for i, label in enumerate(self.classes_.tolist())}
        if strange := set(y.tolist()) - set(place):
            raise UsageError(f"validation has the label {strange.pop()!r}, which training has not")
        return [self.tokenizer(post)[: self.length] for post in posts], np.array([place[k] for k in y.tolist()])

    def _words(self, tokens: list[list[str]]) -> tuple[dict[str, int], Tensor]:
        """Give each word its code, and the table of first vectors (n_codes, d), zeros for padding."""
        counts = Counter(word for post in tokens for word in set(post))
        given = self.word_vectors
        known: Callable[[str], int | None] = given.index.get if given is not None else lambda word: None
        rows = {word: known(word) if known(word) is not None else known(word.removeprefix(MARK)) for word in counts}
        words = [word for word, n in counts.items() if n >= self.min_count or rows[word] is not None]
        d = given.n_factors if given is not None else self.n_factors
        table = SPREAD * torch.randn(len(words) + 2, d)
        if given is not None:
            matrix = torch.from_numpy(given.matrix * np.float32(SPREAD / (given.matrix.std() or 1)))
            for code, word in enumerate(words, 2):
                if (row := rows[word]) is not None:
                    table[code] = matrix[row]
        table[PAD] = 0
        return {word: code for code, word in enumerate(words, 2)}, table

    def _encode(self, tokens: list[list[str]]) -> Tensor:
        """Give the codes of posts, (n, longest), padded at the end; a post without words is one unknown word."""
        code = self.codes_.get
        rows = [[code(w) or code(w.removeprefix(MARK), UNKNOWN) for w in post] or [UNKNOWN] for post in tokens]
        codes = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, post in zip(codes, rows, strict=True):
            row[: len(post)] = torch.tensor(post)
        return codes

    def _optimizer(self) -> torch.optim.Optimizer:
        words = [p for name, p in self.module_.named_parameters() if name.startswith("words.")]
        rest = [p for name, p in self.module_.named_parameters() if not name.startswith("words.")]
        groups: list[dict[str, Any]] = [{"params": rest}, {"params": words, "lr": self.learning_rate / 3}]
        return torch.optim.Adam(groups, lr=self.learning_rate, fused=True)

    def _schedule(self) -> Schedule:
        return Schedule(epochs=self.epochs, batch_size=self.batch_size, patience=self.patience)


@dataclass(kw_only=True, eq=False)
class TextCNN(TextNet):
    """Convolution over words and maximum over time: Kim (2014), "CNN for Sentence Classification".

    c_i = f(w · x_{i:i+h-1} + b) for each place i of a post (eq. 2),  ĉ = max_i c_i,  z = (ĉ of every filter),
    p = softmax(W(z ∘ r) + b) with r of zeros and ones in training (dropout).

    Posts have h - 1 zeros before and behind, so those shorter than h have places too. The paper has widths 3, 4, 5
    for sentences of films; it also bounds the norm of W, which is left out, and word vectors get dropout as well.

    Parameters
    ----------
    n_filters : of each width
    widths : h, in words
    """

    n_filters: int = 100
    widths: tuple[int, ...] = (2, 3, 4)

    def build(self, table: Tensor, n_classes: int) -> nn.Module:
        if not self.widths or min(self.widths) < 1:
            raise UsageError(f"widths={self.widths} must be one width above 0 or more")
        return _CNN(table, self.n_filters, self.widths, n_classes, self.dropout)


@dataclass(kw_only=True, eq=False)
class BiLSTM(TextNet):
    """Read a post forwards and backwards: Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    i, f, o = σ(W [x_t, h_{t-1}] + b) each with its own W,  g = tanh(W_g [x_t, h_{t-1}] + b_g),
    c_t = f ∘ c_{t-1} + i ∘ g,  h_t = o ∘ tanh(c_t);  z = max_t [h_t forwards, h_t backwards].

    Parameters
    ----------
    n_hidden : length of h in each direction
    """

    n_hidden: int = 100

    def build(self, table: Tensor, n_classes: int) -> nn.Module:
        return _BiLSTM(table, self.n_hidden, n_classes, self.dropout)


class _Net(nn.Module):
    """Word vectors before and softmax behind."""

    def __init__(self, table: Tensor, n_out: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=PAD)
        self.drop_words, self.drop = nn.Dropout(dropout / 2), nn.Dropout(dropout)
        self.out = nn.Linear(n_out, n_classes)

    def forward(self, codes: Tensor) -> Tensor:
        n = (codes != PAD).sum(dim=1)  # (B,) words of each post
        codes = codes[:, : int(n.max())]
        return cast(Tensor, self.out(self.drop(self.pool(self.drop_words(self.words(codes)), n))))

    def pool(self, x: Tensor, n: Tensor) -> Tensor:
        """Make z (B, n_out) of x (B, longest, d), of which n (B,) are words."""
        raise NotImplementedError


class _CNN(_Net):
    def __init__(self, table: Tensor, n_filters: int, widths: tuple[int, ...], n_classes: int, dropout: float) -> None:
        super().__init__(table, n_filters * len(widths), n_classes, dropout)
        d = table.shape[1]
        self.widths = widths
        self.filters = nn.ModuleList(nn.Conv1d(d, n_filters, h, padding=h - 1) for h in widths)

    def pool(self, x: Tensor, n: Tensor) -> Tensor:
        z = []
        for h, conv in zip(self.widths, self.filters, strict=True):
            c = functional.relu(conv(x.transpose(1, 2)))  # (B, n_filters, places)
            places = torch.arange(c.shape[2], device=c.device)
            beyond = places >= (n + h - 1)[:, None]  # windows of padding alone
            z.append(c.masked_fill(beyond[:, None, :], 0).amax(dim=2))
        return torch.cat(z, dim=1)


class _BiLSTM(_Net):
    def __init__(self, table: Tensor, n_hidden: int, n_classes: int, dropout: float) -> None:
        super().__init__(table, 2 * n_hidden, n_classes, dropout)
        self.lstm = nn.LSTM(table.shape[1], n_hidden, batch_first=True, bidirectional=True)

    def pool(self, x: Tensor, n: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, n.cpu(), batch_first=True, enforce_sorted=False)
        h, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=-np.inf)
        return cast(Tensor, h.amax(dim=1))


def _macro_recall(y: NDArray, z: NDArray) -> float:
    """Give the mean over the classes of the share that has the largest of the logits z (n, n_classes)."""
    called = z.argmax(axis=1)
    return float(np.mean([np.mean(called[y == k] == k) for k in np.unique(y)]))
