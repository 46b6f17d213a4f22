"""Which arm for whom? Bandits that look at the person first: LinUCB and linear Thompson sampling.

In each round a person with features x comes, and arm a brings a reward of mean near xᵀθ_a. Each arm keeps a ridge
regression of the rewards it has brought (Li et al. 2010, algorithm 1, disjoint; there λ = 1):

    A_a = λI + Σ x xᵀ,    b_a = Σ r x,    θ̂_a = A_a⁻¹ b_a,    w_a = √(xᵀ A_a⁻¹ x)

    LinUCB              shows the arm of the highest  xᵀθ̂_a + α w_a
    linear Thompson     draws  θ̃_a ~ N(θ̂_a, v² A_a⁻¹)  and shows the highest  xᵀθ̃_a         Agrawal & Goyal (2013)

Arms have parameters of their own, so all that is needed of θ̃_a is xᵀθ̃_a ~ N(xᵀθ̂_a, v² w_a²): one number, no
Cholesky factor. A_a⁻¹ is kept up to date by Sherman and Morrison's formula. With x = 1 for everybody they are
bandits that look at nobody, the baseline to beat.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from smlab.bandits import Paths, note_at
from smlab.checks import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Ridges:
    """A ridge regression for each arm of each simulation.

    Attributes
    ----------
    inverse : (n_sims, n_arms, d, d) A⁻¹
    b, theta : (n_sims, n_arms, d)
    """

    def __init__(self, n_sims: int, n_arms: int, d: int, reg: float) -> None:
        self.inverse = np.tile(np.eye(d) / reg, (n_sims, n_arms, 1, 1))
        self.b, self.theta = np.zeros((2, n_sims, n_arms, d))
        self.rows = np.arange(n_sims)

    def look(self, x: Floats) -> tuple[Floats, Floats]:
        """Give xᵀθ̂_a and w_a for people x (n_sims, d), both (n_sims, n_arms)."""
        n_sims, n_arms, d = self.b.shape
        column = x[:, :, None]
        ax = (self.inverse.reshape(n_sims, n_arms * d, d) @ column).reshape(n_sims, n_arms, d)  # A⁻¹x
        return (self.theta @ column)[:, :, 0], np.sqrt((ax @ column)[:, :, 0])

    def learn(self, x: Floats, arm: Ints, reward: Floats) -> None:
        """Take in the reward (n_sims,) that `arm` (n_sims,) brought: (A + xxᵀ)⁻¹ = A⁻¹ - A⁻¹x xᵀA⁻¹ / (1 + xᵀA⁻¹x)."""
        inverse = self.inverse[self.rows, arm]
        ax = (inverse @ x[:, :, None])[:, :, 0]  # (n_sims, d)
        inverse -= ax[:, :, None] * ax[:, None, :] / (1 + (ax * x).sum(axis=1))[:, None, None]
        b = self.b[self.rows, arm] + reward[:, None] * x
        self.inverse[self.rows, arm], self.b[self.rows, arm] = inverse, b
        self.theta[self.rows, arm] = (inverse @ b[:, :, None])[:, :, 0]


@dataclass(frozen=True, kw_only=True)
class LinUCB:
    """Show the highest upper bound xᵀθ̂_a + α w_a; with α = 0 the best guess, greedily."""

    alpha: float = 1.0
    reg: float = 1.0

    def __post_init__(self) -> None:
        _need(self.alpha, self.reg, "alpha")

    def scores(self, mean: Floats, width: Floats, rng: Generator) -> Floats:
        """Give the score of each arm (n_sims, n_arms)."""
        return mean + self.alpha * width


@dataclass(frozen=True, kw_only=True)
class LinearThompson:
    """Show the highest of draws from the arms' posteriors; `v` is the standard deviation of a reward."""

    v: float = 0.5
    reg: float = 1.0

    def __post_init__(self) -> None:
        _need(self.v, self.reg, "v")

    def scores(self, mean: Floats, width: Floats, rng: Generator) -> Floats:
        """Give the score of each arm (n_sims, n_arms)."""
        return mean + self.v * width * rng.standard_normal(mean.shape)


def simulate_people(
    policy: LinUCB | LinearThompson,
    people: ArrayLike,
    means: ArrayLike,
    rounds: int = 10_000,
    n_sims: int = 100,
    seed: int = 0,
    *,
    delay: int = 0,
    batch: int = 1,
    noise: float | None = None,
    at: ArrayLike | None = None,
) -> Paths:
    """Let a policy serve people who come at random from a crowd; regret is against each person's best arm.

    Parameters
    ----------
    people : (n_people, d) features; a column of ones gives the regressions their constant
    means : (n_people, n_arms) expected reward of each arm for each person, linear in the features or not
    delay, batch, noise, at : as in `bandits.simulate`

    With one seed the same people come in the same rounds, whatever the policy and whatever it sees of them.

    Raises
    ------
    UsageError
        For shapes that do not fit, features that are not finite, or means that are no rates.
    """
    x_all, mu = _crowd(people, means, noise)
    if rounds < 1 or n_sims < 1 or delay < 0 or batch < 1:
        raise UsageError(f"rounds={rounds}, n_sims={n_sims}, batch={batch} must be 1 or more, delay={delay} 0 or more")
    points = note_at(at, rounds)
    order_rng, luck, rng, door = (np.random.default_rng([seed, i]) for i in range(4))
    order = order_rng.permuted(np.tile(np.arange(mu.shape[1]), (n_sims, 1)), axis=1)
    ridges = Ridges(n_sims, mu.shape[1], x_all.shape[1], policy.reg)
    rows, on_the_way = np.arange(n_sims), deque[tuple[int, Floats, Ints, Floats]]()
    reward, regret, noted = np.zeros(n_sims), np.zeros(n_sims), np.zeros((len(points), n_sims))
    shown = np.zeros(order.shape, dtype=np.int64)
    for t in range(rounds):
        while on_the_way and on_the_way[0][0] <= t:
            ridges.learn(*on_the_way.popleft()[1:])
        person = door.integers(0, len(x_all), n_sims)
        x, expected = x_all[person], mu[person]
        column = policy.scores(*ridges.look(x), rng).argmax(axis=1)
        arm = order[rows, column]
        p = expected[rows, arm]
        got = (luck.random(n_sims) < p).astype(float) if noise is None else p + noise * luck.standard_normal(n_sims)
        on_the_way.append((-(-(t + 1 + delay) // batch) * batch, x, column, got))
        shown[rows, arm] += 1
        reward += got
        regret += expected.max(axis=1) - p
        noted[points == t + 1] = regret
    return Paths(points, noted.T, reward, shown, shown.argmax(axis=1))


def _crowd(people: ArrayLike, means: ArrayLike, noise: float | None) -> tuple[Floats, Floats]:
    x, mu = np.asarray(people, dtype=float), np.asarray(means, dtype=float)
    if x.ndim != 2 or mu.ndim != 2 or len(x) != len(mu) or not x.size or not mu.size:
        raise UsageError(f"people {x.shape} and means {mu.shape} must be (n_people, d) and (n_people, n_arms)")
    if not np.isfinite(x).all() or not np.isfinite(mu).all():
        raise UsageError("people and means must be finite numbers")
    if noise is None and not ((mu >= 0) & (mu <= 1)).all():
        raise UsageError(f"means from {mu.min():g} to {mu.max():g}: a click rate is from 0 to 1, else name `noise`")
    if noise is not None and noise <= 0:
        raise UsageError(f"noise={noise} must be above 0; None is for clicks")
    return x, mu


def _need(spread: float, reg: float, name: str) -> None:
    if spread < 0 or reg <= 0:
        raise UsageError(f"{name}={spread} must be 0 or more, reg={reg} above 0")
