"""An LSTM that reads a window of the past and writes all steps ahead at once, as quantiles.

    h_j = LSTM(x_1 … x_j),  x_j = (y_j - l_o, calendar of j) over the window up to the origin o
    ŷ_{o+k} = Σ_c a_c y_{o+k-mc} + (W h_o + b)_k        k = 1 … horizon, one row for each quantile and the mean

c goes through the rounds that the window holds, and l_o is the mean of the last one, so that the network never has to
learn where a series is. W starts at 0 and a at (1, 0, …): the untrained network is the seasonal naive forecast. The
loss is the pinball loss of the quantiles plus half the squared error of the mean, in units of the series' own steps.
The last windows tell when to stop (`training.train`); the weights of the best epoch are kept. One network a series.

References: Hochreiter & Schmidhuber (1997); Wen et al. (2017), a multi-horizon quantile recurrent forecaster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smlab import training
from smlab.checks import UsageError
from smlab.countscores import LEVELS
from smlab.forecast import COLUMNS, Floats, Forecaster, calendar, filled, need_season
from smlab.training import Schedule


class LSTM(Forecaster):
    """Fit one small LSTM to each series.

    Parameters
    ----------
    season, horizon : steps of a round, and steps ahead that it learns
    window : steps of the past that it reads
    n_hidden : numbers that it remembers
    epochs, learning_rate, batch_size, patience : see `training.Schedule`; Adam
    share : of the windows, the last ones, that tell when to stop
    seed, device : draws weights and order; "auto" is the GPU where there is one
    """

    gaps = "filled with the neighbours of the same season, and not learnt from"

    def __init__(
        self,
        *,
        season: int = 7,
        horizon: int = 28,
        window: int = 28,
        n_hidden: int = 32,
        epochs: int = 30,
        learning_rate: float = 1e-2,
        batch_size: int = 64,
        patience: int = 5,
        share: float = 0.15,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.season, self.horizon, self.window, self.n_hidden = need_season(season), horizon, window, n_hidden
        if min(horizon, n_hidden) < 1 or window < season or not 0 < share < 1:
            raise UsageError(f"needed are horizon and n_hidden ≥ 1, window ≥ season={season} and share between 0 and 1")
        self.schedule = Schedule(epochs=epochs, batch_size=batch_size, patience=patience, decay=0.5)
        self.learning_rate, self.share, self.seed, self.device = learning_rate, share, seed, device

    @property
    def least(self) -> int:
        """A window, and room for the windows that tell when to stop."""
        return self.window + 3 * self.horizon + 20

    def _learn(self, Y: Floats) -> None:
        full = filled(Y, self.season)
        noise = np.abs(np.diff(full, axis=1)).mean(axis=1)
        self._unit = np.maximum(noise, 1e-9 * np.abs(full).max(axis=1))
        self._Y = full / self._unit[:, None]
        self._C = calendar(self.index_, self.horizon, self.season)[:, 1:]  # without the one
        self.models_, self.history_ = [], []
        for s, (y,) in enumerate(self._each(Y, 1)):
            net, history = self._train(self._Y[s], np.isnan(y))
            self.models_.append(net)
            self.history_.append(history)

    def _train(self, y: Floats, gap: NDArray[np.bool_]) -> tuple[nn.Module, list[dict[str, Any]]]:
        o = np.arange(self.window - 1, len(y) - self.horizon)
        ahead = o[:, None] + 1 + np.arange(self.horizon)
        x, level = self._read(y, o)
        targets = torch.tensor(np.where(gap[ahead], np.nan, y[ahead] - level[:, None]), dtype=torch.float32)
        n = max(int(self.share * len(o)), 1)
        fit, stop = slice(0, max(len(o) - n - self.horizon, 1)), slice(len(o) - n, None)
        with training.seeded(self.seed):
            net = _Net(self.season, self.horizon, x.shape[2], self.n_hidden, self.window // self.season).to(
                training.device(self.device)
            )
            history = training.train(
                net, x[fit], targets[fit], loss=_loss, schedule=self.schedule,
                optimizers=[torch.optim.Adam(net.parameters(), lr=self.learning_rate)],
                validation=(x[stop], targets[stop]),
                score=lambda z, out: -float(_loss(torch.from_numpy(out), torch.from_numpy(z))),
            )  # fmt: skip
        return net, history

    def _read(self, y: Floats, o: NDArray[np.int64]) -> tuple[Tensor, Floats]:
        """Give windows (n, window, F) up to each origin, and l_o (n,)."""
        past = o[:, None] + 1 - self.window + np.arange(self.window)
        level = y[past[:, -self.season :]].mean(axis=1)
        x = np.concatenate([(y[past] - level[:, None])[:, :, None], self._C[past]], axis=2)
        return torch.tensor(x, dtype=torch.float32), level

    def _ahead(self, h: int) -> Floats:
        if h > self.horizon:
            raise UsageError(f"h={h}: this LSTM was fitted for horizon={self.horizon} steps")
        out = []
        for y, unit, net in zip(self._Y, self._unit, self.models_, strict=True):
            x, level = self._read(y, np.array([len(y) - 1]))
            q = training.predict(net, x)[0, :h].astype(float)
            q[:, : len(LEVELS)].sort(axis=1)  # no quantile crosses another
            out.append(unit * (level[0] + q))
        return np.stack(out)


class _Net(nn.Module):
    """Window (n, window, F) → quantiles and mean (n, horizon, 6), less l_o."""

    rounds: Tensor  # (C, horizon) where in the window the same season is, c rounds back

    def __init__(self, season: int, horizon: int, n_inputs: int, n_hidden: int, n_rounds: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_inputs, n_hidden, batch_first=True)
        self.out = nn.Linear(n_hidden, horizon * len(COLUMNS))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.mix = nn.Parameter(torch.eye(n_rounds)[0])
        self.register_buffer("rounds", torch.arange(horizon) % season - season * torch.arange(1, n_rounds + 1)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        h = self.lstm(x)[0][:, -1]
        same = self.mix @ x[:, self.rounds, 0]  # (n, horizon)
        return same[:, :, None] + self.out(h).view(len(x), -1, len(COLUMNS))


def _loss(out: Tensor, z: Tensor) -> Tensor:
    """Give pinball losses plus half the squared error of the mean; targets that were not measured do not count."""
    known = torch.isfinite(z)
    gap = torch.where(known, z, out[:, :, -1].detach())[:, :, None] - out
    level = torch.tensor(LEVELS, dtype=out.dtype, device=out.device)
    e = gap[:, :, :-1]
    pinball = torch.maximum(level * e, (level - 1) * e).sum(dim=2)
    return ((pinball + gap[:, :, -1] ** 2 / 2) * known).sum() / known.sum().clamp(min=1)
