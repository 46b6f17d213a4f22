"""What makers of points and pictures share: one scale, mean weights, batches, samples, files.

A maker learns from X (n, d) points, or (n, h, w, c) pictures from 0 to 1, and makes more of the kind. Within, points
have mean 0 and one common spread 1, and pictures go from -1 to 1 with their channels first.

The weights that make samples are a moving mean of those that are trained (`Mean`): each step of a stochastic game
moves them around the place of rest, and the mean of many steps is nearer to it.

    θ̄ ← β θ̄ + (1 - β) θ,    β = min(decay, (step + 1) / (step + 10))
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from smlab import training, weightfiles
from smlab.checks import UsageError
from smlab.training import Log, Schedule

FEWEST = 32  # rows that one can learn a distribution from at all
STEPS = 4000  # of a fit where epochs are not given
LARGEST = 64  # pixels on a side


@dataclass(kw_only=True, eq=False)
class Maker:
    """Hyper-parameters, `fit`, `sample`, `save` and `load`; `_build` and `_step` are the maker's own.

    Parameters
    ----------
    epochs : passes over the rows; none: as many as make 4,000 steps
    batch_size : rows of a step; none: 256 points, 32 pictures
    learning_rate : of Adam, kept for the first half, then falling to 0 in a line; none: 0.003 for points, 0.001 for
        pictures
    width : units of a layer; none: 64 for points, 256 for pictures
    decay : of the moving mean of the weights; 0 takes the last ones
    seed : draws first weights, batches and noise
    device : "auto" (the GPU where there is one), "cpu", "cuda"
    """

    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    width: int | None = None
    decay: float = 0.998
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        Schedule(**{k: n for k in ("epochs", "batch_size") if (n := getattr(self, k)) is not None})
        if self.learning_rate is not None and not 0 < self.learning_rate < np.inf:
            raise UsageError(f"learning_rate={self.learning_rate} must be finite and above 0")
        for name in ("width", "n_noise", "steps"):
            if (n := getattr(self, name, None)) is not None and not (isinstance(n, int) and n >= 1):
                raise UsageError(f"{name}={n!r} must be a whole number above 0")
        if not 0 <= self.decay < 1:
            raise UsageError(f"decay={self.decay} must be from 0 to below 1, the share of the old mean that stays")

    def _build(self) -> list[torch.optim.Optimizer]:
        """Make networks for `self.shape_`, as attributes, and give their optimizers."""
        raise NotImplementedError

    def _step(self, x: Tensor, step: int) -> dict[str, Tensor]:
        """Learn from the rows x once; give what the history shall hold the mean of."""
        raise NotImplementedError

    def _make(self, n: int, generator: torch.Generator) -> Tensor:
        """Make n rows in the scale of the networks."""
        raise NotImplementedError

    def fit(self, X: ArrayLike, *, log: Log | None = None) -> Self:
        """Learn from `X`, (n, d) points or (n, h, w, c) pictures from 0 to 1; it stays as it is.

        Parameters
        ----------
        log : takes one line some twenty times in all, such as `progress.say`
        """
        x = _checked(X)
        with training.seeded(self.seed):
            self._start(x.shape[1:], *_scale(x))
            self.history_ = self._train(self._inwards(x), log)
        return self

    def sample(self, n: int, *, seed: int = 0) -> NDArray[np.float32]:
        """Make `n` points or pictures, like X in shape; the same for the same seed."""
        self._need_fitted()
        if not (isinstance(n, (int, np.integer)) and n >= 1):
            raise UsageError(f"n={n!r} must be a whole number above 0, how many to make")
        generator = torch.Generator().manual_seed(seed)  # on the CPU: a seed means the same everywhere
        with torch.inference_mode():
            parts = [self._make(min(2048, int(n) - done), generator).cpu() for done in range(0, int(n), 2048)]
        return self._outwards(torch.cat(parts))

    def save(self, path: str | Path) -> Path:
        """Write weights and hyper-parameters to a file that `load` reads; no code is in it."""
        self._need_fitted()
        held: dict[str, Any] = {"settings": asdict(self), "shape": list(self.shape_), "history": self.history_}
        held |= {"centre": torch.tensor(self.centre_), "spread": self.spread_}
        weights = {k: m.state_dict() for k, m in self._modules().items()}
        return weightfiles.save(path, type(self).__name__, held | {"weights": weights})

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read what `save` of the same class wrote."""
        held = weightfiles.load(path, cls.__name__, "settings")
        maker = cls(**held["settings"] | {"device": device})
        with training.seeded(maker.seed):
            maker._start(tuple(held["shape"]), held["centre"].numpy(), held["spread"])
        for key, module in maker._modules().items():
            module.load_state_dict(held["weights"][key])
        maker.history_ = held["history"]
        return maker

    def _start(self, shape: tuple[int, ...], centre: NDArray[np.float32], spread: float) -> None:
        self.shape_, self.centre_, self.spread_ = tuple(shape), centre, spread
        self.device_ = training.device(self.device)
        self._optimizers = self._build()
        self._rates = [optimizer.param_groups[0]["lr"] for optimizer in self._optimizers]

    def _train(self, x: Tensor, log: Log | None) -> list[dict[str, Any]]:
        """Go through the rows, batch by batch, and give for each epoch the means of what `_step` gave."""
        schedule = self._schedule(len(x))
        per_epoch = max(1, len(x) // schedule.batch_size)
        total, history = schedule.epochs * per_epoch, []
        every = max(1, schedule.epochs // 20)
        for epoch in range(schedule.epochs):
            started, sums = time.perf_counter(), dict[str, Tensor]()
            order = torch.randperm(len(x)).to(x.device)
            for i, rows in enumerate(order.tensor_split(per_epoch), epoch * per_epoch):
                self._slow(min(1.0, 2 * (1 - i / total)))
                for name, now in self._step(x[rows], i).items():
                    sums[name] = sums.get(name, torch.zeros((), device=x.device)) + now.detach()
            means = {name: s.item() / per_epoch for name, s in sums.items()}
            if not all(map(math.isfinite, means.values())):
                raise UsageError(f"epoch {epoch + 1}: the loss is no number any more; take a smaller learning_rate")
            history.append({"epoch": epoch + 1, **means, "seconds": time.perf_counter() - started})
            if log and ((epoch + 1) % every == 0 or epoch + 1 == schedule.epochs):
                log(f"epoch {epoch + 1} of {schedule.epochs}: " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()))
        return history

    def _slow(self, factor: float) -> None:
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * factor

    def _schedule(self, n: int) -> Schedule:
        batch = self.batch_size or (256 if len(self.shape_) == 1 else 32)
        return Schedule(epochs=self.epochs or math.ceil(STEPS / max(1, n // batch)), batch_size=min(batch, n))

    def _modules(self) -> dict[str, nn.Module]:
        return {k: m for k, m in vars(self).items() if isinstance(m, nn.Module)}

    @property
    def _units(self) -> int:
        return self.width or (64 if len(self.shape_) == 1 else 256)

    def _inwards(self, x: NDArray[np.float32]) -> Tensor:
        scaled = torch.from_numpy((x - self.centre_) / np.float32(self.spread_)).to(self.device_)
        return scaled if x.ndim == 2 else scaled.permute(0, 3, 1, 2).contiguous()

    def _outwards(self, x: Tensor) -> NDArray[np.float32]:
        if x.ndim == 4:
            x = x.permute(0, 2, 3, 1).clamp(-1, 1)
        return cast(NDArray[np.float32], np.ascontiguousarray(x.numpy() * np.float32(self.spread_) + self.centre_))

    def _seen(self, X: ArrayLike) -> Tensor:
        """Check rows that a fitted maker is asked about."""
        self._need_fitted()
        x = _checked(X, least=1)
        if x.shape[1:] != self.shape_:
            raise UsageError(f"X has rows of shape {x.shape[1:]}; those that were learnt from have {self.shape_}")
        return self._inwards(x)

    def _need_fitted(self) -> None:
        if not hasattr(self, "history_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(X) first")


class Mean:
    """The moving mean of a module's parameters, in a copy that is never trained."""

    def __init__(self, module: nn.Module, copy: nn.Module, decay: float) -> None:
        copy.load_state_dict(module.state_dict())
        self._of: list[Tensor] = list(module.parameters())
        self._to: list[Tensor] = list(copy.requires_grad_(False).parameters())
        self.decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move a little towards the parameters as they are after `step`."""
        torch._foreach_lerp_(self._to, self._of, 1 - min(self.decay, (step + 1) / (step + 10)))


def noise(n: int, d: int, where: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Draw z ~ N(0, I), (n, d), on the CPU, so that a seed means the same on every device."""
    return torch.randn(n, d, generator=generator).to(where)


def _checked(X: ArrayLike, least: int = FEWEST) -> NDArray[np.float32]:
    try:
        x = np.array(X, dtype=np.float32)
    except (TypeError, ValueError):
        raise UsageError(
            "X must be one array of numbers: points (n, d), or pictures (n, h, w, c) all of one size"
        ) from None
    if x.ndim not in (2, 4) or 0 in x.shape[1:]:
        raise UsageError(f"X has shape {x.shape}; needed are points (n, d) or pictures (n, h, w, c)")
    if len(x) < least:
        raise UsageError(f"X has {len(x)} rows; needed are {least} or more")
    if wrong := int((~np.isfinite(x).reshape(len(x), -1).all(axis=1)).sum()):
        raise UsageError(f"{wrong} of {len(x)} rows of X hold values that are no finite numbers")
    if x.ndim == 4 and (max(x.shape[1:3]) > LARGEST or min(x.shape[1:3]) < 4 or x.shape[3] not in (1, 3, 4)):
        raise UsageError(
            f"pictures have shape {x.shape[1:]}; needed are 4 to {LARGEST} pixels a side, 1, 3 or 4 channels"
        )
    if x.ndim == 4 and (x.min() < 0 or x.max() > 1):
        raise UsageError(f"pictures have values from {x.min():g} to {x.max():g}; needed are 0 to 1")
    return x


def _scale(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Give what is taken off, (d,) or (1,), and what is divided by."""
    centre = x.mean(axis=0, dtype=np.float64).astype(np.float32) if x.ndim == 2 else np.full(1, 0.5, np.float32)
    spread = float((x - centre).std()) if x.ndim == 2 else 0.5
    if not spread > 0 or (x == x[0]).all():
        raise UsageError(f"all {len(x)} rows of X are the same; there is nothing to learn")
    return centre, spread
