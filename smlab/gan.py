"""A generator and a discriminator, one of points and of small pictures alike.

    D:  max  E_p[log D(x)] + E_z[log(1 - D(G(z)))]  -  γ/2 E_p ‖∇ logit D(x)‖²      z ~ N(0, I)
    G:  min  -E_z[log D(G(z))]                       the non-saturating loss: Goodfellow et al. (2014), section 3

Without the last term of D the game need not come to rest where two thin distributions hardly overlap; a gradient
penalty on real data, centred at 0, makes it do so near the solution (R1: Mescheder et al. 2018, eq. 9). It is computed
in every fourth step, four times as strong (Karras et al. 2020). The other way, `smooth="spectral"`, divides
each of D's matrices by its largest singular value, so that D cannot be steeper than its layers, and needs no γ (Miyato
et al. 2018). Samples come from the moving mean of G's weights (`makers.Mean`).

Both networks are dense. With a thousand pictures of a thousand numbers each and half a minute of one core these
came further than convolutions, each step of which takes several times as long.

`judge` gives the logit of D. At the best D that is log p - log q (`gantheory`), so samples may be thrown out until the
rest are more like the truth: `reject`, the discriminator rejection sampling of Azadi et al. (2019). They first teach D
alone for a while, against the G whose samples it will judge; here that changed nothing, and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from smlab import training
from smlab.checks import UsageError
from smlab.makers import Maker, Mean, noise

LAZY = 4  # steps from one gradient penalty to the next


@dataclass(kw_only=True, eq=False)
class GAN(Maker):
    """Two networks against each other; see `Maker` for the other parameters.

    Parameters
    ----------
    n_noise : length of z; none: d for points, 2 at least, and 32 for pictures
    smooth : what keeps D from being steep, "r1" or "spectral"
    reg : γ, the weight of R1; none: 0.1 for points, a 32nd of the numbers of a picture

    Attributes
    ----------
    history_ : for each epoch its number, `value` (V as the batches show it: -log 4 = -1.386 where D can tell nothing,
        0 where it tells all), `real` and `made` (mean of D on both), `penalty` (E ‖∇‖²) and seconds

    >>> X = np.random.default_rng(0).normal(size=(64, 2))
    >>> GAN(epochs=1).fit(X).sample(3).shape
    (3, 2)
    """

    n_noise: int | None = None
    smooth: Literal["r1", "spectral"] = "r1"
    reg: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smooth not in ("r1", "spectral"):
            raise UsageError(f"unknown smooth {self.smooth!r}; known: 'r1', 'spectral'")
        if self.reg is not None and not 0 <= self.reg < math.inf:
            raise UsageError(f"reg={self.reg} must be finite and 0 or more")

    def judge(self, X: ArrayLike) -> NDArray[np.float64]:
        """Give the log-odds that each row of `X` is real, (n,)."""
        return training.predict(self.discriminator_, self._seen(X), batch_size=2048).astype(float)

    def _build(self) -> list[torch.optim.Optimizer]:
        points = len(self.shape_) == 1
        self._n_noise = self.n_noise or (max(2, self.shape_[0]) if points else 32)
        self._gamma = (0.1 if points else math.prod(self.shape_) / 32) if self.reg is None else self.reg
        rate = self.learning_rate or (3e-3 if points else 1e-3)
        self.generator_: nn.Module = _generator(self._n_noise, self.shape_, self._units).to(self.device_)
        self.mean_: nn.Module = _generator(self._n_noise, self.shape_, self._units).to(self.device_)
        self.discriminator_: nn.Module = _discriminator(self.shape_, self._units, self.smooth).to(self.device_)
        self._mean = Mean(self.generator_, self.mean_, self.decay)
        return [
            torch.optim.Adam(module.parameters(), lr=rate, betas=(0.0, 0.99), fused=True)
            for module in (self.generator_, self.discriminator_)
        ]  # no momentum: the other player moves too

    def _step(self, x: Tensor, step: int) -> dict[str, Tensor]:
        made = self.generator_(noise(len(x), self._n_noise, self.device_))
        with _still(self.discriminator_):
            self._descend(0, functional.softplus(-self.discriminator_(made)).mean())  # -log D
        self._mean.update(step)
        punished = self.smooth == "r1" and self._gamma > 0 and step % LAZY == 0
        real, fake = self.discriminator_(x.requires_grad_(punished)), self.discriminator_(made.detach())
        loss = _tell(real, fake)
        seen = {"value": -loss, "real": real.sigmoid().mean(), "made": fake.sigmoid().mean()}
        if punished:
            (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
            steep = slope.square().flatten(1).sum(dim=1).mean()
            seen["penalty"] = LAZY * steep  # the mean over all steps is that of the punished ones
            loss = loss + LAZY * self._gamma / 2 * steep
        self._descend(1, loss)
        return seen

    def _descend(self, player: int, loss: Tensor) -> None:
        self._optimizers[player].zero_grad(set_to_none=True)
        loss.backward()
        self._optimizers[player].step()

    def _make(self, n: int, generator: torch.Generator) -> Tensor:
        return cast(Tensor, self.mean_(noise(n, self._n_noise, self.device_, generator)))


class Kept(NamedTuple):
    """What is left of many samples, and the share that was."""

    X: NDArray[np.float32]
    share: float


def reject(gan: GAN, n: int, *, percentile: float | None = 80.0, seed: int = 0) -> Kept:
    """Make samples and throw out some by the judgement of D, until `n` are left.

    A sample with logit a is kept with chance σ(F), F = a - M - log(1 - exp(a - M)) - c, and M the largest logit. With
    c = 0 that chance is exp(a - M) = (p/q) / max(p/q), exact rejection sampling: at D* what is left is p. Where M is
    large, nothing would be left; so c is that percentile of F, and about half of the samples at it are kept (Azadi
    et al. 2019).

    Parameters
    ----------
    percentile : of F, from 0 (keeps nearly all) to 100; none: c = 0

    Raises
    ------
    UsageError
        Fewer than one sample in a thousand is kept.
    """
    if percentile is not None and not 0 <= percentile <= 100:
        raise UsageError(f"percentile={percentile} must be from 0 to 100, or None for exact rejection")
    rng = np.random.default_rng(seed)
    a = gan.judge(gan.sample(max(n, 2000), seed=seed))
    top = float(a.max())
    c = 0.0 if percentile is None else float(np.percentile(_odds(a, top), percentile))
    parts: list[NDArray[np.float32]] = []
    kept = drawn = 0
    while kept < n:
        if drawn >= max(1000 * n, 20_000):
            raise UsageError(f"of {drawn} samples {kept} were kept; take a lower percentile than {percentile}")
        X = gan.sample(max(n, 2000), seed=int(rng.integers(2**62)))
        z = np.clip(_odds(gan.judge(X), top) - c, -700, 700)
        parts.append(X[rng.random(len(X)) < 1 / (1 + np.exp(-z))])
        kept, drawn = kept + len(parts[-1]), drawn + len(X)
    return Kept(np.concatenate(parts)[:n], kept / drawn)


def _odds(a: NDArray[np.float64], top: float) -> NDArray[np.float64]:
    """Give the log-odds of being kept with chance exp(a - top); ε keeps that of the best finite, as in the paper."""
    a = np.minimum(a - top, 0)
    return cast(NDArray[np.float64], a - np.log1p(-np.exp(a - 1e-8)))


def _tell(real: Tensor, made: Tensor) -> Tensor:
    """Give -V = -mean log D(real) - mean log(1 - D(made)), of logits."""
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


@contextmanager
def _still(module: nn.Module) -> Iterator[None]:
    """Compute no gradients of a module's weights, which another player's step does not need."""
    parameters = list(module.parameters())
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def _generator(n_noise: int, shape: tuple[int, ...], units: int) -> nn.Module:
    """Make G: z (B, n_noise) to points (B, d), or to pictures (B, c, h, w) from -1 to 1."""
    if len(shape) == 1:
        return _dense(n_noise, *[units] * 3, shape[0])
    height, width, channels = shape
    body = _dense(n_noise, units, units, height * width * channels)
    return nn.Sequential(body, nn.Tanh(), nn.Unflatten(1, (channels, height, width)))


def _discriminator(shape: tuple[int, ...], units: int, smooth: str) -> nn.Module:
    """Make D: rows to logits (B,)."""
    body = _dense(math.prod(shape), *[units] * (3 if len(shape) == 1 else 2), 1)
    if smooth == "spectral":
        for layer in body:
            if isinstance(layer, nn.Linear):
                spectral_norm(layer)
    return nn.Sequential(nn.Flatten(), body, nn.Flatten(0))


def _dense(*sizes: int) -> nn.Sequential:
    """Make dense layers with max(x, x / 5) between them."""
    layers = [m for i, o in zip(sizes, sizes[1:], strict=False) for m in (nn.Linear(i, o), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers[:-1])
