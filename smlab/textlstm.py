"""A small LSTM language model, of words or characters: it remembers more than the few tokens of an n-gram.

    h_t = LSTM(E w_1 … E w_t),    p(w_{t+1} | w_1 … w_t) = softmax(E' P h_t + b)

The same table E (V, d) reads and writes, with P (d, n_hidden) between: half the numbers to learn, and better on small
texts (Press & Wolf 2017). Trained by `training.train` on the mean -log p of a token, its texts cut into parts of at
most `length` tokens; a part that begins within a text starts with no memory. Scores read each text whole.

References: Hochreiter & Schmidhuber (1997), the LSTM; Graves (2013), "Generating sequences with recurrent neural
networks"; Holtzman et al. (2020), nucleus sampling, see `writers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from smlab import training, weightfiles
from smlab.checks import UsageError
from smlab.training import Log, Schedule
from smlab.writers import START, Floats, Ints, Reader, Unit, Writer

LOGITS = 20_000_000  # numbers of a batch that is scored, at most


class TextLSTM(Writer):
    """Read a text from the left and say what comes next.

    Parameters
    ----------
    unit, min_count : see `Writer`
    n_factors : d, numbers of a token's vector
    n_hidden : numbers that it remembers
    dropout : share of the numbers of E w and h that are left out in training
    length : tokens of a part
    epochs, learning_rate, batch_size, patience : see `training.Schedule`; Adam
    seed, device : draws weights, order and dropout; "auto" is the GPU where there is one
    """

    def __init__(
        self,
        *,
        unit: Unit = "word",
        min_count: int = 2,
        n_factors: int = 64,
        n_hidden: int = 128,
        dropout: float = 0.1,
        length: int = 150,
        epochs: int = 3,
        learning_rate: float = 1e-2,
        batch_size: int = 32,
        patience: int = 2,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        super().__init__(unit=unit, min_count=min_count)
        if min(n_factors, n_hidden) < 1 or length < 2:
            raise UsageError(f"n_factors={n_factors} and n_hidden={n_hidden} must be above 0, length={length} above 1")
        if not 0 <= dropout < 1 or not learning_rate > 0:
            raise UsageError(f"dropout={dropout} must be from 0 to below 1, learning_rate={learning_rate} above 0")
        self.n_factors, self.n_hidden, self.dropout, self.length = n_factors, n_hidden, dropout, length
        self.schedule = Schedule(epochs=epochs, batch_size=batch_size, patience=patience, decay=0.3, clip=1.0)
        self.learning_rate, self.seed, self.device = learning_rate, seed, device

    def fit(self, texts: Iterable[str], *, validation: Iterable[str] | None = None, log: Log | None = None) -> Self:
        """Learn from texts, blank ones left out; both stay as they are.

        Parameters
        ----------
        validation : texts that tell when to stop; without them `epochs` passes are made
        log : takes one line for each epoch, such as `progress.say`
        """
        rows = self._vocabulary(texts)
        held_out = None if validation is None else self.encode(validation)
        with training.seeded(self.seed):
            self._start()
            self.history_: list[dict[str, Any]] = training.train(
                self.module_, *_table(_parts(rows, self.length)),
                loss=_mean, optimizers=[torch.optim.Adam(self.module_.parameters(), lr=self.learning_rate)],
                schedule=self.schedule, log=log,
                validation=_table(_parts(held_out, self.length)) if held_out else None,
                score=lambda n, out: -float(out.sum() / n.sum()),
            )  # fmt: skip
        return self

    def save(self, path: str | Path) -> Path:
        """Write a file that `load` reads: settings, vocabulary and weights; no code is in it."""
        self.encode([])  # an error where nothing has been learnt
        settings = {name: getattr(self, name) for name in SETTINGS}
        state = {"settings": settings, "tokens": self.tokens_, "longest": self.longest_}
        return weightfiles.save(path, "TextLSTM", state | {"weights": self.module_.state_dict()})

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read what `save` wrote."""
        state = weightfiles.load(path, "TextLSTM", "settings", "tokens", "longest", "weights")
        try:
            model = cls(**state["settings"], device=device)
            model._set_tokens(state["tokens"], state["longest"])
            model._start()
            model.module_.load_state_dict(state["weights"])
        except Exception as error:
            raise UsageError(f"{path} is no saved TextLSTM: {str(error).splitlines()[0]}") from None
        return model

    def _start(self) -> None:
        net = _Net(len(self.tokens_), self.n_factors, self.n_hidden, self.dropout)
        self.module_ = net.to(training.device(self.device))

    def _bits(self, rows: list[Ints]) -> Floats:
        order = np.argsort([len(row) for row in rows], kind="stable")  # texts of one length side by side
        bits, done = np.empty(len(rows)), 0
        while done < len(rows):
            most = max(LOGITS // (len(self.tokens_) * len(rows[order[min(done + 255, len(rows) - 1)]])), 1)
            part = order[done : done + min(most, 256)]
            nats = training.predict(self.module_, _table([rows[i] for i in part])[0])
            bits[part] = nats.astype(float).sum(axis=1) / np.log(2)
            done += len(part)
        return bits

    def _reader(self, n: int) -> Reader:
        net, state = self.module_.eval(), None

        def read(rows: Ints, code: Ints) -> Floats:
            nonlocal state
            where = net.bias.device
            with torch.inference_mode():
                if state is not None:
                    state = tuple(s[:, torch.as_tensor(rows, device=where)] for s in state)
                h, state = net.lstm(net.words(torch.as_tensor(code, device=where)[:, None]), state)
                return net.logits(h[:, 0]).double().softmax(dim=1).cpu().numpy()

        return read


SETTINGS = ("unit", "min_count", "n_factors", "n_hidden", "dropout", "length", "learning_rate", "seed")


class _Net(nn.Module):
    """Codes (B, n) that begin with START or any token -> -log p of each token but the first (B, n - 1)."""

    def __init__(self, n_tokens: int, d: int, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(n_tokens, d)
        nn.init.normal_(self.words.weight, std=d**-0.5)
        self.lstm = nn.LSTM(d, n_hidden, batch_first=True)
        self.down = nn.Linear(n_hidden, d, bias=False)
        self.bias = nn.Parameter(torch.zeros(n_tokens))
        self.drop = nn.Dropout(dropout)

    def logits(self, h: Tensor) -> Tensor:
        z = functional.linear(self.down(h), self.words.weight, self.bias)
        return z.index_fill(1, torch.tensor([START], device=z.device), -torch.inf)  # START never comes

    def forward(self, codes: Tensor) -> Tensor:
        width = codes.shape[1] - 1
        codes = codes[:, : int((codes[:, 1:] != START).sum(dim=1).max()) + 1]
        inputs, targets = codes[:, :-1], codes[:, 1:]
        h = self.drop(self.lstm(self.drop(self.words(inputs)))[0])
        real = targets != START  # the rest fills the table
        nats = functional.cross_entropy(self.logits(h[real]), targets[real], reduction="none")
        out = torch.zeros(real.shape, dtype=nats.dtype, device=nats.device).masked_scatter(real, nats)
        return functional.pad(out, (0, width - out.shape[1]))


def _mean(out: Tensor, n: Tensor) -> Tensor:
    return out.sum() / n.sum()


def _parts(rows: list[Ints], length: int) -> list[Ints]:
    """Cut rows longer than length + 1; the last token of a part is the first of the next one."""
    return [row[at : at + length + 1] for row in rows for at in range(0, max(len(row) - 1, 1), length)]


def _table(rows: list[Ints]) -> tuple[Tensor, Tensor]:
    """Put rows below each other, filled with START, (n, longest); and how many tokens of each are predicted, (n,)."""
    table: NDArray[np.int64] = np.full((len(rows), max(map(len, rows))), START)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return torch.from_numpy(table), torch.tensor([len(row) - 1 for row in rows], dtype=torch.float32)
