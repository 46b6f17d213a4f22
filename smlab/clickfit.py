"""What all networks for clicks share: hyper-parameters, fit, prediction, files.

A network for clicks is a torch module from codes (B, F), see `encoding`, to logits (B,). `ClickNet` trains it by
the mean cross-entropy plus (λ/2)‖table‖² with Adam and early stop, see `training`, and gives p = σ(logit). The
networks themselves are in `clicknets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from smlab import training, weightfiles
from smlab.auc import auc
from smlab.checks import UsageError, nearest
from smlab.clicklayers import Table
from smlab.encoding import need_clicks, need_codes
from smlab.training import Log, Precision, Schedule, Score

Pair = tuple[ArrayLike, ArrayLike]
MOST_EPOCHS = 1000  # with validation data, which say stop long before


@dataclass(kw_only=True, eq=False)
class ClickNet:
    """What all networks for clicks share: hyper-parameters, `fit`, `predict_proba`, `save`.

    Parameters
    ----------
    reg : λ of the penalty (λ/2)‖table‖² on embeddings and linear weights, added to the mean cross-entropy
    learning_rate : of Adam, at the start
    epochs : passes over the rows, at most so many with validation data; None: until these say stop
    batch_size, patience, precision : see `training.Schedule`
    monitor : what has to improve on the validation data, "auc" or "log-loss"
    seed : draws initial weights, order of rows and dropout
    device : "auto" (the GPU where there is one), "cpu", "cuda"
    sparse : touch only the rows of a batch in each step (lazy Adam without `reg`), for tables of millions
    """

    reg: float = 0.0
    learning_rate: float = 1e-3
    epochs: int | None = None
    batch_size: int = 4096
    patience: int = 2
    monitor: Literal["auc", "log-loss"] = "auc"
    seed: int = 0
    device: str = "auto"
    precision: Precision = "float32"
    sparse: bool = False

    def __post_init__(self) -> None:
        self._schedule(1 if self.epochs is None else self.epochs)
        if not 0 < self.learning_rate < np.inf:
            raise UsageError(f"learning_rate={self.learning_rate} must be finite and above 0")
        if not 0 <= self.reg < np.inf:
            raise UsageError(f"reg={self.reg} must be finite and 0 or more")
        if self.sparse and self.reg:
            raise UsageError(f"reg={self.reg} needs every row of the table in each step; with sparse=True it must be 0")
        if self.monitor not in SCORES:
            raise UsageError(f"unknown monitor {self.monitor!r}; {nearest(str(self.monitor), SCORES)}")
        for name in ("n_factors", "n_layers", "n_heads", "n_gate", "n_hidden"):
            if (n := getattr(self, name, 1)) < 1:
                raise UsageError(f"{name}={n} must be a whole number above 0")
        for name in ("hidden", "hidden_2"):
            if not (widths := getattr(self, name, (1,))) or min(widths) < 1:
                raise UsageError(f"{name}={widths} must be one width above 0 or more")
        if not 0 <= (dropout := getattr(self, "dropout", 0.0)) < 1:
            raise UsageError(f"dropout={dropout} must be from 0 to below 1, the share of units left out")
        if getattr(self, "batch_norm", False) and self.batch_size < 3:
            raise UsageError(f"batch_size={self.batch_size} is too small for batch_norm; take 3 or more")

    def build(self, sizes: Sequence[int]) -> nn.Module:
        """Make the untrained network: a module from codes (B, F) to logits (B,)."""
        raise NotImplementedError

    def fit(
        self,
        codes: ArrayLike,
        clicks: ArrayLike,
        *,
        sizes: ArrayLike,
        validation: Pair | None = None,
        log: Log | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from `codes` (n, F) of `encoding` and `clicks` (n,); both stay as they are.

        Parameters
        ----------
        sizes : (F,) the values of each field, `Encoder.sizes_`
        validation : codes and clicks; training stops when the AUC on them no longer rises, and keeps the best
        log : takes one line for each epoch, such as `print`
        checkpoint : a file to go on from when the fit was interrupted
        """
        data = _tensors(codes, clicks, sizes)
        held_out = _tensors(*validation, sizes) if validation is not None else None
        if held_out is None and self.epochs is None:
            raise UsageError("without validation data nothing says when to stop: give validation=… or epochs=…")
        with training.seeded(self.seed):
            self._start(sizes)
            self.history_: list[dict[str, Any]] = training.train(
                self.module_,
                *data,
                loss=functional.binary_cross_entropy_with_logits,
                optimizers=self._optimizers,
                schedule=self._schedule(self.epochs or MOST_EPOCHS),
                validation=held_out,
                score=SCORES[self.monitor],
                log=log,
                checkpoint=Path(checkpoint) if checkpoint is not None else None,
                identity=repr(self._settings()),
            )
        return self

    def partial_fit(self, codes: ArrayLike, clicks: ArrayLike, *, sizes: ArrayLike) -> Self:
        """Go once over these rows and keep what was learnt before: for streams, chunk by chunk.

        A chunk may have one class only. The order of rows within a chunk is drawn from `seed` and the chunk's
        number, so the same stream gives the same model.
        """
        data = _tensors(codes, clicks, sizes, both=False)
        if len(data[0]) < 2:
            raise UsageError(f"a chunk of {len(data[0])} rows is too short to learn from; gather some more")
        new = not hasattr(self, "module_")
        if not new and self.sizes_.tolist() != np.asarray(sizes).tolist():
            raise UsageError(f"sizes {np.asarray(sizes).tolist()} differ from those before, {self.sizes_.tolist()}")
        with training.seeded(self.seed if new else self.seed + len(self.history_)):
            if new:
                self._start(sizes)
            loss = functional.binary_cross_entropy_with_logits
            epoch = training.train(
                self.module_, *data, loss=loss, optimizers=self._optimizers, schedule=self._schedule(1)
            )
        self.history_ = [*self.history_, *epoch]
        return self

    def predict_proba(self, codes: ArrayLike, *, batch_size: int = 16_384) -> NDArray[np.float64]:
        """Give the probability of a click of each row of `codes`, (n,)."""
        self._need_fitted()
        rows = _rows(codes, self.sizes_)
        z = training.predict(self.module_, rows, batch_size=batch_size, precision=self.precision)
        return cast(NDArray[np.float64], 1 / (1 + np.exp(-np.clip(z.astype(np.float64), -36, 36))))

    def save(self, path: str | Path) -> Path:
        """Write weights, sizes and hyper-parameters to a file that `load` reads; no code is in it."""
        self._need_fitted()
        state = {"settings": self._settings(), "sizes": self.sizes_.tolist(), "weights": self.module_.state_dict()}
        return weightfiles.save(path, type(self).__name__, state)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read what `save` of the same class wrote."""
        state = weightfiles.load(path, cls.__name__, "settings")
        hyper: dict[str, Any] = state["settings"] | {"device": device}
        net = cls(**hyper)
        with training.seeded(net.seed):
            net._start(state["sizes"])
        net.module_.load_state_dict(state["weights"])
        return net

    def _need_fitted(self) -> None:
        if not hasattr(self, "module_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(codes, clicks, sizes=…) first")

    def _schedule(self, epochs: int) -> Schedule:
        return Schedule(epochs=epochs, batch_size=self.batch_size, patience=self.patience, precision=self.precision)

    def _settings(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if k not in ("epochs", "device")}

    def _start(self, sizes: ArrayLike) -> None:
        """Make module and optimizers anew."""
        self.sizes_ = np.asarray(sizes, dtype=np.int64)
        self.history_ = []
        self.device_ = training.device(self.device)
        self.module_: nn.Module = self.build([int(n) for n in self.sizes_]).to(self.device_)
        tables = [m.weight for m in self.module_.modules() if isinstance(m, Table)]
        rest = [p for p in self.module_.parameters() if not any(p is t for t in tables)]
        groups: list[dict[str, Any]] = [{"params": rest}]
        if not self.sparse:
            groups.append({"params": tables, "weight_decay": self.reg})  # Adam adds reg · θ to the gradient
        self._optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(groups, lr=self.learning_rate, fused=True)]
        if self.sparse:
            self._optimizers.append(torch.optim.SparseAdam(tables, lr=self.learning_rate))


def _tensors(codes: ArrayLike, clicks: ArrayLike, sizes: ArrayLike, *, both: bool = True) -> tuple[Tensor, Tensor]:
    rows = _rows(codes, sizes)
    return rows, torch.from_numpy(need_clicks(clicks, len(rows), both=both))


def _rows(codes: ArrayLike, sizes: ArrayLike) -> Tensor:
    """Check codes and give them as int32, half the memory of int64; arrays that are int32 are not copied."""
    c = np.ascontiguousarray(need_codes(codes, sizes), dtype=np.int32 if np.sum(sizes) < 2**31 else np.int64)
    return torch.from_numpy(c if c.flags.writeable else c.copy())  # torch warns of what it must not write to


def _log_likelihood(clicks: NDArray, z: NDArray) -> float:
    """Give the mean log-likelihood of logits z: minus the log-loss."""
    return float(np.mean(clicks * z - np.logaddexp(0, z)))


SCORES: dict[str, Score] = {"auc": auc, "log-loss": _log_likelihood}
