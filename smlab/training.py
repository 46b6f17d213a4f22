"""The one mini-batch loop of the torch models: Adam, early stop on validation data, best weights, checkpoints.

    for each epoch:  for each batch of a new permutation:  θ ← Adam(θ, ∇ mean loss(module(x), y))
                     score the validation part; no better than before?  the learning rate falls to a tenth,
                     after `patience` such epochs in a row it is over
    θ ← the θ of the best epoch

That is how FuxiCTR trains the models of the BARS board; most of what is gained comes in the first epochs after
the learning rate fell. The data are tensors and a batch is an index into them: a DataLoader, which takes rows
one by one, costs more time than the model. CPU and GPU run the same lines.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smlab import atomic
from smlab.auc import auc
from smlab.checks import UsageError

Loss = Callable[[Tensor, Tensor], Tensor]
Score = Callable[[NDArray, NDArray], float]
Log = Callable[[str], None]
Precision = Literal["float32", "bfloat16"]
BETTER_BY = 1e-6  # what counts as an improvement of the score


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and in which steps to train.

    Parameters
    ----------
    epochs : at most so many passes over the data; exactly so many without validation data
    batch_size : rows of a step at most; the batches of an epoch are alike to one row
    patience : epochs in a row without a better validation score after which it is over
    decay : factor of the learning rate after each such epoch; 1 keeps it
    clip : largest norm of the gradient of all dense parameters together (Pascanu et al. 2013). With batch norm
        the first gradients of small embeddings are huge, and Adam would remember them for a thousand steps
    precision : of the matrix products; "bfloat16" is faster where the processor knows it, weights stay float32
    """

    epochs: int = 100
    batch_size: int = 4096
    patience: int = 2
    decay: float = 0.1
    clip: float = 10.0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if not (isinstance(n := getattr(self, name), int) and n >= 1):
                raise UsageError(f"{name}={n!r} must be a whole number above 0")
        if not 0 < self.decay <= 1:
            raise UsageError(f"decay={self.decay} must be above 0 and at most 1, the factor of the learning rate")
        if not self.clip > 0:
            raise UsageError(f"clip={self.clip} must be above 0, the largest norm of the gradient; inf for none")
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"precision={self.precision!r} must be 'float32' or 'bfloat16'")


@dataclass
class _Progress:
    """What a checkpoint holds beyond weights and optimizers; plain values, for `weights_only`."""

    best: dict[str, Tensor]
    history: list[dict[str, Any]]
    best_score: float = -math.inf
    waited: int = 0
    finished: bool = False


def device(name: str = "auto") -> torch.device:
    """Give the device of that name; "auto" is the first GPU where there is one, else the processor.

    >>> device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(
            f"device={name!r} is not to be had here; 'auto' takes what there is, 'cpu' works always"
        ) from None
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make torch draw the same random numbers each time, and leave the caller's generator as it was.

    >>> with seeded(7):
    ...     a = torch.rand(2)
    >>> with seeded(7):
    ...     b = torch.rand(2)
    >>> torch.equal(a, b)
    True
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def train(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    loss: Loss,
    optimizers: Sequence[torch.optim.Optimizer],
    schedule: Schedule,
    validation: tuple[Tensor, Tensor] | None = None,
    score: Score = auc,
    log: Log | None = None,
    checkpoint: Path | None = None,
    identity: str = "",
) -> list[dict[str, Any]]:
    """Train `module` in place and leave it with the weights of its best epoch.

    Parameters
    ----------
    inputs, targets : (n, …) and (n, …); a batch is `inputs[rows]`
    loss : mean loss of `(module(inputs), targets)`
    optimizers : stepped together after each batch
    validation : inputs and targets for early stopping; without them the last epoch counts
    score : of (targets, outputs of the module), larger is better
    log : takes one line for each epoch
    checkpoint : file to go on from, written after each epoch; with it an interrupted training ends where an
        uninterrupted one does, bit by bit on the same machine
    identity : what else must be the same for a checkpoint to fit, such as hyper-parameters

    Returns
    -------
    history : for each epoch a dict of epoch, loss, score (nan without validation), learning_rate, seconds (of
        training alone) and rows_per_second

    Raises
    ------
    UsageError
        The loss is no number any more, or the checkpoint is of other data or another model.
    """
    where = next(module.parameters()).device
    inputs, targets = inputs.to(where), targets.to(where)
    identity = f"{identity} {_fingerprint(module, inputs, targets)}" if checkpoint else ""
    progress = _load(checkpoint, identity, module, optimizers) or _Progress({}, [])
    while len(progress.history) < schedule.epochs and not progress.finished:
        rate = optimizers[0].param_groups[0]["lr"]
        started = time.perf_counter()
        mean = _epoch(module, inputs, targets, loss, optimizers, schedule)
        seconds = time.perf_counter() - started
        epoch = len(progress.history) + 1
        if not math.isfinite(mean):
            raise UsageError(f"epoch {epoch}: the loss is {mean}; learning_rate={rate:g} is too large for these data")
        value = math.nan if validation is None else _score(module, validation, score, schedule)
        progress.history.append(
            {"epoch": epoch, "loss": mean, "score": value, "learning_rate": rate, "seconds": seconds}
            | {"rows_per_second": len(inputs) / seconds}
        )
        _judge(progress, module, optimizers, schedule, value)
        if log:
            log(_line(progress))
        if checkpoint:
            _save(checkpoint, identity, module, optimizers, progress)
    if progress.best:
        module.load_state_dict(progress.best)
    return progress.history


def predict(
    module: nn.Module, inputs: Tensor, *, batch_size: int = 16_384, precision: Precision = "float32"
) -> NDArray[np.float32]:
    """Give the outputs of `module` for all `inputs`, in batches, without dropout and gradients."""
    where = next(module.parameters()).device
    training = module.training
    module.eval()
    try:
        with torch.inference_mode(), _context(where, precision):
            parts = [module(part.to(where)).float().cpu() for part in inputs.split(batch_size)]
    finally:
        module.train(training)
    return torch.cat(parts).numpy() if parts else np.empty(0, np.float32)


def _epoch(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    optimizers: Sequence[torch.optim.Optimizer],
    schedule: Schedule,
) -> float:
    """Go once through the rows in random order, and give the mean loss."""
    module.train()
    order = torch.randperm(len(inputs)).to(inputs.device)  # drawn on the CPU: a seed means the same everywhere
    total = torch.zeros((), device=inputs.device)
    for rows in order.tensor_split(math.ceil(len(order) / schedule.batch_size)):  # alike, no tiny last one
        with _context(inputs.device, schedule.precision):
            mean = loss(module(inputs[rows]).float(), targets[rows])
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        mean.backward()
        dense = [p for p in module.parameters() if p.grad is not None and not p.grad.is_sparse]
        nn.utils.clip_grad_norm_(dense, schedule.clip)
        for optimizer in optimizers:
            optimizer.step()
        total += mean.detach() * len(rows)  # on the device: reading it here would wait for the GPU
    return total.item() / len(inputs)


def _score(module: nn.Module, validation: tuple[Tensor, Tensor], score: Score, schedule: Schedule) -> float:
    return float(score(validation[1].cpu().numpy(), predict(module, validation[0], precision=schedule.precision)))


def _judge(
    progress: _Progress,
    module: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    schedule: Schedule,
    value: float,
) -> None:
    """Keep the weights if they are the best so far, else slow down, and say when it is enough."""
    if math.isnan(value):
        return  # nothing to compare: the last weights are the ones to keep
    if value > progress.best_score + BETTER_BY:
        progress.best, progress.best_score, progress.waited = _weights(module), value, 0
        return
    progress.waited += 1
    for group in (g for optimizer in optimizers for g in optimizer.param_groups):
        group["lr"] *= schedule.decay
    progress.finished = progress.waited >= schedule.patience


def _line(progress: _Progress) -> str:
    last = progress.history[-1]
    best = ", best" if progress.waited == 0 else ""
    scored = "" if math.isnan(last["score"]) else f", validation {last['score']:.5f}{best}"
    speed = f"{last['seconds']:.1f} s, {last['rows_per_second']:,.0f} rows/s"
    return f"epoch {last['epoch']}: loss {last['loss']:.4f}{scored}, {speed}"


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _context(where: torch.device, precision: Precision) -> AbstractContextManager:
    return nullcontext() if precision == "float32" else torch.autocast(where.type, torch.bfloat16)


def _fingerprint(module: nn.Module, inputs: Tensor, targets: Tensor) -> str:
    shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in module.state_dict().items())
    sums = [zlib.crc32(t.cpu().contiguous().numpy().tobytes()) for t in (inputs, targets)]
    return f"{shapes}; data {tuple(inputs.shape)} {sums}"


def _save(
    path: Path,
    identity: str,
    module: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    progress: _Progress,
) -> None:
    state = {
        "identity": identity,
        "module": module.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "random": torch.get_rng_state(),
        "random_gpu": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "progress": vars(progress),
    }
    with atomic.writing(path) as out:
        torch.save(state, out)


def _load(
    path: Path | None, identity: str, module: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> _Progress | None:
    if path is None or not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # a checkpoint never runs code
        saved = state["identity"]
    except Exception as error:
        raise UsageError(f"{path} is no checkpoint of a training: {str(error).splitlines()[0]}") from None
    if saved != identity:
        raise UsageError(f"{path} is the checkpoint of another training (data, model or settings); delete or rename it")
    module.load_state_dict(state["module"])
    for optimizer, saved_state in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved_state)
    torch.set_rng_state(state["random"])
    if state["random_gpu"]:
        torch.cuda.set_rng_state_all(state["random_gpu"])
    return _Progress(**state["progress"])
