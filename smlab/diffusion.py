"""Flow matching: a network that turns noise into data along straight lines, beside which a GAN has to stand.

With ε ~ N(0, I), data x and a time t in (0, 1) take x_t = (1 - t) ε + t x, which moves at the speed x - ε. The
network learns the mean of x given x_t, and with it the mean speed (Lipman et al. 2023; Liu et al. 2023):

    x̂(x_t, t) ≈ E[x | x_t],    v(x_t, t) = (x̂ - x_t) / (1 - t) ≈ E[x - ε | x_t],    loss = E ‖v(x_t, t) - (x - ε)‖²

and dx_t = v(x_t, t) dt leads from noise at t = 0 to data at t = 1: same law at each t. It is the deterministic sampler
of a diffusion model (Ho et al. 2020; Song et al. 2021) with another clock, and needs tens of steps where that one
takes a thousand. There is one player, and the loss falls: nothing is missed because somebody else forgot it.

The network is dense and predicts x, not v: pictures are few among all values, and noise is not (Li & He 2025). The
logit of t is normal: for pictures most is learnt where x_t is nearly noise, for thin points where it is nearly x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from smlab.makers import Maker, Mean, noise

CLOCKS = ((1.0, 1.0), (-0.8, 0.8))  # mean and deviation of the logit of t, for points and for pictures
LEAST = 0.05  # 1 - t in the loss; less would make the last bit of the way all that counts
WAVES = 8  # frequencies in which t is told


@dataclass(kw_only=True, eq=False)
class Flow(Maker):
    """Learn the way from noise to data; see `Maker` for the other parameters.

    Parameters
    ----------
    steps : of Heun's method from noise to a sample

    Attributes
    ----------
    history_ : for each epoch its number, `loss` (a number of the network's scale a value) and seconds

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(64, 2))
    >>> Flow(epochs=1).fit(X).sample(3).shape
    (3, 2)
    """

    steps: int = 20

    def _build(self) -> list[torch.optim.Optimizer]:
        points = len(self.shape_) == 1
        rate = self.learning_rate or (3e-3 if points else 1e-3)
        self._d = int(torch.Size(self.shape_).numel())
        units = 2 * self._units
        self.network_: nn.Module = _Network(self._d, units, points).to(self.device_)
        self.mean_: nn.Module = _Network(self._d, units, points).to(self.device_)
        self._mean = Mean(self.network_, self.mean_, self.decay)
        return [torch.optim.Adam(self.network_.parameters(), lr=rate, fused=True)]

    def _step(self, x: Tensor, step: int) -> dict[str, Tensor]:
        x = x.flatten(1)
        e, t = noise(len(x), self._d, x.device), self._clock(len(x)).to(x.device)
        x_t = (1 - t) * e + t * x
        loss = functional.mse_loss(speed(self.network_(x_t, t), x_t, t), speed(x, x_t, t))
        self._optimizers[0].zero_grad(set_to_none=True)
        loss.backward()
        self._optimizers[0].step()
        self._mean.update(step)
        return {"loss": loss}

    def _clock(self, n: int) -> Tensor:
        middle, spread = CLOCKS[len(self.shape_) > 1]
        return (middle + spread * torch.randn(n, 1)).sigmoid()

    def _make(self, n: int, generator: torch.Generator) -> Tensor:
        x, dt = noise(n, self._d, self.device_, generator), 1 / self.steps
        for i in range(self.steps):
            t = torch.full((n, 1), i * dt, device=x.device)
            v = speed(self.mean_(x, t), x, t, 0)
            if i < self.steps - 1:  # the last step ends at x̂, where v has no value
                v = (v + speed(self.mean_(x + dt * v, t + dt), x + dt * v, t + dt, 0)) / 2
            x = x + dt * v
        shape = self.shape_ if len(self.shape_) == 1 else (self.shape_[2], *self.shape_[:2])
        return x.unflatten(1, shape)


def speed(x: Tensor, x_t: Tensor, t: Tensor, least: float = LEAST) -> Tensor:
    """Give the speed that leads from x_t at t to x at 1, (x - x_t) / (1 - t)."""
    return (x - x_t) / (1 - t).clamp_min(least)


class _Network(nn.Module):
    """x_t (B, d) and t (B, 1) to x̂ (B, d); of points what is already right of x_t may go past the layers.

    Of pictures it may not: noise that goes past them comes out again, and is never unlearnt.
    """

    def __init__(self, d: int, units: int, past: bool) -> None:
        super().__init__()
        self.past = past
        self.first = nn.Linear(d + 2 * WAVES, units)
        self.layers = nn.ModuleList(nn.Linear(units + 2 * WAVES, units) for _ in range(2))
        self.last = nn.Linear(units, d)
        self.register_buffer("waves", torch.pi / 2 * 2.0 ** (torch.arange(WAVES) / 2))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        angle = t * cast(Tensor, self.waves)
        clock = torch.cat([angle.sin(), angle.cos()], dim=1)
        h = functional.silu(self.first(torch.cat([x_t, clock], dim=1)))
        for layer in self.layers:
            h = h + functional.silu(layer(torch.cat([h, clock], dim=1)))
        return cast(Tensor, self.last(h) + t * x_t if self.past else self.last(h))
