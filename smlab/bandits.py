"""Bandits: what it costs to learn which arm is best, and what it saves.

In round t a policy shows arm a_t and sees its reward, of mean μ_a. Against whoever knew the best, μ*, it loses

    R_T = Σ_t (μ* - μ_{a_t}) = Σ_a Δ_a N_a(T),    Δ_a = μ* - μ_a

the (pseudo-)regret. No policy that is good in every world can, in the long run, lose less than

    R_T ~ C log T,    C = Σ_{Δ_a > 0} Δ_a / KL(μ_a, μ*)                    Lai & Robbins (1985)

`simulate` plays many bandits side by side, all arrays with the first axis the simulation; `policies.py` has the
policies. Rewards may come late or in batches, means may change, and arms may come and go.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap
from smlab.policies import KLUCB, Floats, Policy, Tally, TestThenCommit, Thompson, kl

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Paths:
    """What a policy did in each simulation.

    Parameters
    ----------
    at : (n_points,) rounds at which the regret was noted, from 1
    regret : (n_sims, n_points) R up to and with that round, in rewards
    reward : (n_sims,) sum of all rewards, late ones included
    shown : (n_sims, n_arms) how often each arm was shown
    leader : (n_sims,) the arm that looks best at the end, by its mean; of those with half an even share of the
        rewards or more, since of the others too little is known
    """

    at: Ints
    regret: Floats
    reward: Floats
    shown: Ints
    leader: Ints

    def band(self, *, level: float = 0.95) -> Floats:
        """Give mean regret with the ends of its interval (n_points, 3), for `plots.curve(paths.at, ...)`."""
        return np.array([bootstrap(x, n=200, level=level) for x in self.regret.T])

    def slope(self, *, since: float = 0.1, level: float = 0.95) -> Interval:
        """Give dR / d log t by least squares over the rounds after `since` · T; the interval is over simulations.

        The mean of the simulations' slopes is the slope of their mean, so simulations are what is resampled.
        """
        late = self.at >= since * self.at[-1]
        if late.sum() < 3:
            raise UsageError(f"since={since} leaves {late.sum()} of {len(self.at)} points; a slope needs 3 or more")
        x = np.log(self.at[late])
        x -= x.mean()
        return bootstrap(self.regret[:, late] @ x / (x @ x), level=level)


def simulate(
    policy: Policy,
    means: ArrayLike,
    rounds: int = 10_000,
    n_sims: int = 1000,
    seed: int = 0,
    *,
    delay: int = 0,
    batch: int = 1,
    noise: float | None = None,
    size: ArrayLike = 1,
    at: ArrayLike | None = None,
) -> Paths:
    """Let a policy play `n_sims` bandits of `rounds` rounds.

    Parameters
    ----------
    means : expected rewards, (n_arms,) in all simulations, (n_sims, n_arms) in each its own, or changing,
        (rounds, 1 or n_sims, n_arms); NaN where an arm is not there
    delay : a reward is seen this many rounds late
    batch : rewards are seen only before rounds 0, batch, 2 batch, …
    noise : standard deviation of normal rewards; None for clicks, 0 or 1
    size : impressions that a round shows to the arm, one number, (n_sims,) or (rounds, n_sims)
    at : rounds at which to note the regret; else some 200, denser at the start

    Each simulation meets the arms in an order of its own, so that ties favour none. With one seed the luck of round
    t is the same for all policies (but for `size` above 1), so that they differ by their choices.

    Raises
    ------
    UsageError
        For means that are no rates, shapes that do not fit, a round without any arm, or a policy for clicks where
        rewards are normal.

    >>> from smlab.policies import UCB1
    >>> paths = simulate(UCB1(), [0.9, 0.1], rounds=200, n_sims=50)
    >>> bool(paths.shown[:, 0].mean() > 150), paths.regret.shape[0]
    (True, 50)
    """
    world = _world(means, rounds, n_sims, noise)
    sizes = _sizes(size, rounds, n_sims)
    _need(policy, noise, delay=delay, batch=batch)
    points = note_at(at, rounds)
    order_rng, luck, rng = (np.random.default_rng([seed, i]) for i in range(3))
    order = order_rng.permuted(np.tile(np.arange(world.shape[2]), (n_sims, 1)), axis=1)  # (n_sims, n_arms)
    arms = _Arms(world, order, noise, luck)
    n, total, seen, truth = np.zeros((4, *order.shape))
    tally = Tally(n, total, seen, truth, order)
    post = _Post(tally, policy, delay, batch)
    regret, reward, noted = np.zeros(n_sims), np.zeros(n_sims), np.zeros((len(points), n_sims))
    for t in range(rounds):
        tally.truth = arms.turn(t)
        post.arrive(t)
        cell = arms.best_of(policy.scores(tally, rng))
        m = sizes[t % len(sizes)]
        got = arms.show(cell, m)
        post.send(t, cell, m, got)
        reward += got
        regret += m * arms.gap.ravel()[cell]
        noted[points == t + 1] = regret
    back = np.argsort(order, axis=1)  # from columns to arms
    leader = np.where(tally.n >= tally.n.mean(axis=1, keepdims=True) / 2, tally.mean, -np.inf).argmax(axis=1)
    shown = np.take_along_axis(tally.shown, back, axis=1).astype(np.int64)
    return Paths(points, noted.T, reward, shown, order[np.arange(n_sims), leader])


def lai_robbins(means: ArrayLike, *, noise: float | None = None) -> float:
    """Give C = Σ Δ_a / KL(μ_a, μ*), the least slope of regret on log T; of normal rewards KL = Δ²/2σ².

    >>> round(lai_robbins([0.5, 0.4]), 2)  # 0.1 / (0.4 log 0.8 + 0.6 log 1.2)
    4.97
    """
    mu = _world(means, 1, 1, noise)[0, 0]
    gap = np.nanmax(mu) - mu
    worse = mu[gap > 0]
    divergence = kl(worse, np.nanmax(mu)) if noise is None else gap[gap > 0] ** 2 / (2 * noise**2)
    return float((gap[gap > 0] / divergence).sum())


class _Arms:
    """The truth of a round: expected rewards, columns in each simulation's own order, and the luck."""

    def __init__(self, world: Floats, order: Ints, noise: float | None, luck: np.random.Generator) -> None:
        self.world, self.order, self.noise, self.luck = world, order, noise, luck
        self.some_absent = bool(np.isnan(world).any())
        self.first = np.arange(len(order)) * order.shape[1]
        self.truth = self.gap = np.zeros(order.shape)
        same = (world[1:] == world[:-1]) | (np.isnan(world[1:]) & np.isnan(world[:-1]))
        self.changes = np.append(True, ~same.all(axis=(1, 2)))  # per round of the world

    def turn(self, t: int) -> Floats:
        """Give what holds in round t."""
        if t < len(self.world) and self.changes[t]:
            self.truth = np.take_along_axis(np.broadcast_to(self.world[t], self.order.shape), self.order, axis=1)
            self.gap = np.nanmax(self.truth, axis=1, keepdims=True) - self.truth
        return self.truth

    def best_of(self, scores: Floats) -> Ints:
        """Give the cell, in the ravelled arrays, of each simulation's highest score among arms that are there."""
        if self.some_absent:
            scores = np.where(np.isnan(self.truth), -np.inf, scores)
        return self.first + scores.argmax(axis=1)

    def show(self, cell: Ints, m: Ints) -> Floats:
        """Draw the rewards of m impressions."""
        p = self.truth.ravel()[cell]
        if self.noise is not None:
            return m * p + np.sqrt(m) * self.noise * self.luck.standard_normal(len(p))
        if (m == 1).all():
            return (self.luck.random(len(p)) < p).astype(float)
        return self.luck.binomial(m, p).astype(float)


class _Post:
    """Bring rewards to the tally when they are due, and take away what is forgotten."""

    def __init__(self, tally: Tally, policy: Policy, delay: int, batch: int) -> None:
        self.tally, self.policy, self.delay, self.batch = tally, policy, delay, batch
        self.on_the_way: deque[tuple[int, Ints, Ints, Floats]] = deque()
        self.kept: deque[tuple[int, Ints, Ints, Floats]] = deque()

    def send(self, t: int, cell: Ints, m: Ints, reward: Floats) -> None:
        """Take the rewards of round t, due at the first end of a batch from round t + 1 + delay on."""
        self.tally.shown.ravel()[cell] += m
        due = -(-(t + 1 + self.delay) // self.batch) * self.batch
        self.on_the_way.append((due, cell, m, reward))

    def arrive(self, t: int) -> None:
        """Bring the tally up to what is known before round t."""
        n, total, window = self.tally.n, self.tally.reward, self.policy.window
        if self.policy.discount < 1:
            n *= self.policy.discount
            total *= self.policy.discount
        while self.on_the_way and self.on_the_way[0][0] <= t:
            _, cell, m, reward = self.on_the_way.popleft()
            n.ravel()[cell] += m
            total.ravel()[cell] += reward
            if window is not None:
                self.kept.append((t, cell, m, reward))
        while self.kept and self.kept[0][0] <= t - (window or 0):
            _, cell, m, reward = self.kept.popleft()
            n.ravel()[cell] -= m
            total.ravel()[cell] -= reward


def _world(means: ArrayLike, rounds: int, n_sims: int, noise: float | None) -> Floats:
    """Give the means as (rounds or 1, n_sims or 1, n_arms), checked."""
    mu = np.asarray(means, dtype=float)
    if rounds < 1 or n_sims < 1:
        raise UsageError(f"rounds={rounds} and n_sims={n_sims} must be whole numbers from 1")
    shape = (1,) * (3 - mu.ndim) + mu.shape
    if len(shape) != 3 or 0 in shape or shape[0] not in (1, rounds) or shape[1] not in (1, n_sims):
        raise UsageError(
            f"means of shape {mu.shape} must be (n_arms,), ({n_sims}, n_arms) or ({rounds}, 1 or {n_sims}, n_arms)"
        )
    mu = mu.reshape(shape)
    if np.isnan(mu).all(axis=2).any():
        raise UsageError(
            f"in round {int(np.isnan(mu).all(axis=2).any(axis=1).argmax())} no arm is there: means are NaN"
        )
    wrong = np.isinf(mu) if noise is not None else (mu < 0) | (mu > 1)
    if wrong.any():
        raise UsageError(
            f"a mean of {mu[wrong][0]:g} cannot be: a click rate is from 0 to 1, other rewards need `noise`"
        )
    return mu


def _sizes(size: ArrayLike, rounds: int, n_sims: int) -> Ints:
    """Give the impressions as (rounds or 1, n_sims)."""
    m = np.asarray(size)
    if m.shape not in ((), (n_sims,), (rounds, n_sims)) or not np.issubdtype(m.dtype, np.integer) or (m < 0).any():
        raise UsageError(
            f"size of shape {m.shape} must hold whole numbers from 0: one, ({n_sims},) or ({rounds}, {n_sims})"
        )
    return np.broadcast_to(m, (1 if m.ndim < 2 else rounds, n_sims))


def note_at(at: ArrayLike | None, rounds: int) -> Ints:
    """Give the rounds at which the regret is noted: those asked for, or some 200, denser at the start."""
    if at is None:
        return np.unique(np.geomspace(1, rounds, 200).round().astype(np.int64))
    points = np.atleast_1d(np.asarray(at, dtype=np.int64))
    if points.ndim != 1 or not len(points) or points[0] < 1 or points[-1] > rounds or (np.diff(points) <= 0).any():
        raise UsageError(f"at must name rounds from 1 to {rounds}, rising")
    return points


def _need(policy: Policy, noise: float | None, *, delay: int, batch: int) -> None:
    if delay < 0 or batch < 1:
        raise UsageError(f"delay={delay} must be 0 rounds or more, batch={batch} 1 or more")
    if noise is None:
        return
    if noise <= 0:
        raise UsageError(f"noise={noise} must be above 0; None is for clicks")
    if isinstance(policy, KLUCB | Thompson | TestThenCommit):
        raise UsageError(f"{type(policy).__name__} is for clicks, not for normal rewards; GaussianThompson is")
