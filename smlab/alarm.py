"""When did a model stop being good? An alarm on the stream of its losses, with as many false alarms as are borne.

Losses l_1, l_2, … of new posts come one by one; with mean μ and spread σ of a calm reference (Page 1954)

    S_t = max(0, S_{t-1} + (l_t - μ)/σ - k),   alarm where S_t > h

k is half the shift that matters (in σ). h is the quantile of max S_t over calm streams of `horizon` posts, whose blocks
are drawn from the reference (Künsch 1989); a reference is drawn as well each time, since μ and σ are estimated too.
Left out: alarms for what gets better, and rhythms longer than a block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError

Floats = NDArray[np.float64]
LEAST = 60  # losses of a reference


class Alarm:
    """Watch a stream of losses: CUSUM, whose limit is set by how many false alarms are borne.

    Parameters
    ----------
    shift : the rise of the mean loss that matters, in standard deviations of the reference; k is half of it
    horizon : posts to watch before the alarm is set anew; no more than the reference has, which knows μ only so well
    rate : how often an alarm may come within the horizon where nothing has changed
    block : length of the blocks that are drawn, since neighbours are alike; n^(1/3) if not given (Künsch 1989)
    n : calm streams that are drawn

    Attributes
    ----------
    mean_, spread_ (μ, σ of the reference), limit_ (h)

    >>> rng = np.random.default_rng(0)
    >>> alarm = Alarm(horizon=300).fit(rng.exponential(size=500))
    >>> stream = np.r_[rng.exponential(size=100), rng.exponential(size=200) + 0.8]
    >>> alarm.first(stream), alarm.first(stream[:100])
    (142, None)
    """

    mean_: float
    spread_: float
    limit_: float

    def __init__(
        self,
        *,
        shift: float = 0.25,
        horizon: int = 1000,
        rate: float = 0.05,
        block: int | None = None,
        n: int = 1000,
        seed: int = 0,
    ) -> None:
        if not shift > 0 or not 0 < rate < 1 or min(horizon, n, block or 1) < 1:
            raise UsageError(f"shift={shift}, horizon={horizon}, n={n} must be above 0 and rate={rate} below 1")
        self.shift, self.horizon, self.rate, self.block, self.n, self.seed = shift, horizon, rate, block, n, seed

    def fit(self, reference: ArrayLike) -> Alarm:
        """Learn μ, σ and h from losses (n,) of posts that the model had not seen, from a calm time, in order."""
        x = _finite(reference)
        if len(x) < LEAST or x.std() == 0:
            raise UsageError(f"{len(x)} losses of spread {x.std():g}: an alarm needs {LEAST}, not all the same")
        if self.horizon > len(x):
            raise UsageError(f"a horizon of {self.horizon} posts needs a reference of as many; this one has {len(x)}")
        self.mean_, self.spread_ = float(x.mean()), float(x.std())
        rng, block = np.random.default_rng(self.seed), self.block or round(len(x) ** (1 / 3))
        highest = np.empty(self.n)
        for i in range(self.n):
            again, calm = _blocks(x, len(x), block, rng), _blocks(x, self.horizon, block, rng)
            highest[i] = self._path(calm, again.mean(), max(again.std(), 1e-12)).max()
        # h is drawn, not known: of its quantile the upper 99 % limit is taken, so that alarms are rather too few
        borne = max(0.0, self.rate - 2.33 * np.sqrt(self.rate * (1 - self.rate) / self.n))
        self.limit_ = float(np.sort(highest)[min(self.n - 1, int(np.ceil((self.n + 1) * (1 - borne))) - 1)])
        return self

    def path(self, losses: ArrayLike) -> Floats:
        """Give S_t after each post, (n,)."""
        if not hasattr(self, "limit_"):
            raise UsageError("the alarm has no reference yet; call fit(losses) first")
        return self._path(_finite(losses), self.mean_, self.spread_)

    def first(self, losses: ArrayLike) -> int | None:
        """Give the row of the first alarm, or None."""
        over = np.flatnonzero(self.path(losses) > self.limit_)
        return int(over[0]) if len(over) else None

    def onset(self, losses: ArrayLike) -> int | None:
        """Give the row from which S_t rose to the first alarm: about where the change began."""
        alarm = self.first(losses)
        return None if alarm is None else int(np.flatnonzero(np.r_[0.0, self.path(losses)[:alarm]] == 0)[-1])

    def _path(self, x: Floats, mean: float, spread: float) -> Floats:
        walk = np.cumsum((x - mean) / spread - self.shift / 2)
        return walk - np.minimum.accumulate(np.minimum(walk, 0.0))


def _blocks(x: Floats, size: int, block: int, rng: np.random.Generator) -> Floats:
    """Draw `size` values as blocks of neighbours, from a circle so that all are drawn alike often."""
    starts = rng.integers(0, len(x), -(-size // block))
    return x[(starts[:, None] + np.arange(block)).ravel()[:size] % len(x)]


def _finite(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=float).ravel()
    if len(wrong := np.flatnonzero(~np.isfinite(x))):
        raise UsageError(f"loss {wrong[0]} is {x[wrong[0]]}; losses must be finite")
    return x
