"""Which arm next? The classic answers, each as a score for all arms of many simulated bandits at once.

An arm is an ad, a headline, a budget; showing it brings a reward. With N_a rewards seen of arm a, their sum S_a,
μ̂_a = S_a / N_a and n = Σ_a N_a, the arm with the highest score is shown:

    epsilon-greedy    μ̂_a, but with chance ε any arm at all; constant, or ε = min(1, cK/n) as in Auer et al. (2002)
    UCB1              μ̂_a + √(2 log n / N_a)                              Auer, Cesa-Bianchi & Fischer (2002)
    KL-UCB            max { q : N_a kl(μ̂_a, q) ≤ log n + c log log n }      Garivier & Cappé (2011)
    Thompson          a draw from Beta(α + S_a, β + N_a - S_a), or from a normal posterior      Thompson (1933)

with kl(p, q) = p log(p/q) + (1-p) log((1-p)/(1-q)). Beside them: even chances, explore then commit, a test then
commit, sequential halving (Karnin, Koren & Somekh 2013), and an oracle that knows the truth.

Where the world changes, old rewards are to be forgotten. Every policy can: with `discount` γ a reward that came s
rounds ago counts γ^s, with `window` τ only those of the last τ rounds count. So UCB1 becomes the discounted and the
sliding-window UCB of Garivier & Moulines (2011), whose ξ is scale / 4 in the first and `scale` in the second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.special import rel_entr

from smlab.checks import UsageError
from smlab.power import two_rates

Floats = NDArray[np.float64]
FIRST = 1e9  # a score above all others: arms of which nothing is known yet
LEAST = 1e-12  # a divergence below this is none


@dataclass
class Tally:
    """What is known at the start of a round; each array is (n_sims, n_arms).

    Parameters
    ----------
    n, reward : how many rewards came, and their sum; less what is forgotten
    shown : how often the arm was shown, rewards that are still to come included
    truth : expected rewards in this round, for the oracle alone; NaN where an arm is not there
    arm : which arm of the world stands in which column
    memo : what a policy has to remember besides
    """

    n: Floats
    reward: Floats
    shown: Floats
    truth: Floats
    arm: NDArray[np.int64]
    memo: dict[str, NDArray] = field(default_factory=dict)

    @property
    def mean(self) -> Floats:
        """Mean reward seen; 0 where none was."""
        return self.reward / np.where(self.n > 0, self.n, 1.0)

    def known(self, score: Floats) -> Floats:
        """Give `score` where a reward was seen, elsewhere a higher one: the arm least shown comes first."""
        return np.where(self.n > 0, score, FIRST - self.shown)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What all policies share: how they forget."""

    discount: float = 1.0
    window: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.discount <= 1:
            raise UsageError(f"discount={self.discount} must lie above 0 and not above 1; 1 forgets nothing")
        if self.window is not None and self.window < 1:
            raise UsageError(f"window={self.window} must be a number of rounds from 1")

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        """Give the score of each arm (n_sims, n_arms); the highest is shown, of equals the first."""
        raise NotImplementedError


class Random(Policy):
    """Show each arm with the same chance: the even split of an A/B test."""

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        return rng.random(tally.n.shape)


class Oracle(Policy):
    """Show the arm that is best in truth."""

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        return tally.truth


@dataclass(frozen=True, kw_only=True)
class EpsilonGreedy(Policy):
    """Show the best so far, but with chance ε any arm: ε = `epsilon`, or min(1, `decay` · K / n).

    Auer et al. (2002) prove regret of order log n for decay c/d², c > 5 and d the least gap; who does not know d
    has to guess.
    """

    epsilon: float = 0.1
    decay: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.epsilon <= 1 or (self.decay is not None and self.decay <= 0):
            raise UsageError(f"epsilon={self.epsilon} must be a chance from 0 to 1, decay={self.decay} above 0")

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        n_sims, n_arms = tally.n.shape
        chance = np.full(n_sims, self.epsilon)
        if self.decay is not None:
            chance = self.decay * n_arms / np.maximum(tally.n.sum(axis=1), 1.0)
        score = tally.known(tally.mean)
        explores = np.flatnonzero(rng.random(n_sims) < chance)
        score[explores] = rng.random((len(explores), n_arms))
        return score


@dataclass(frozen=True, kw_only=True)
class UCB1(Policy):
    """Show the highest upper bound μ̂_a + √(scale · log n / N_a); 2 in the paper, for rewards in [0, 1]."""

    scale: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive(scale=self.scale)

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        level = self.scale * np.log(np.maximum(tally.n.sum(axis=1, keepdims=True), 1.0))  # (n_sims, 1)
        return tally.known(tally.mean + np.sqrt(level / np.maximum(tally.n, 1e-9)))


@dataclass(frozen=True, kw_only=True)
class KLUCB(Policy):
    """Show the highest upper bound by the divergence of Bernoulli rewards; c = 0 is what the authors advise."""

    c: float = 0.0

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        log_n = np.log(np.maximum(tally.n.sum(axis=1, keepdims=True), 1.0))
        level = log_n + self.c * np.log(np.maximum(log_n, 1.0))
        upper = kl_upper(tally.mean, level / np.maximum(tally.n, 1e-9))
        return tally.known(upper.round(9))  # equal arms stay equal, whatever the last digits of a logarithm


@dataclass(frozen=True, kw_only=True)
class Thompson(Policy):
    """Show each arm with the chance that it is the best, after the clicks seen: a draw from each Beta posterior."""

    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive(alpha=self.alpha, beta=self.beta)

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        return rng.beta(*self.posterior(tally))

    def posterior(self, tally: Tally) -> tuple[Floats, Floats]:
        """Give α + S and β + N - S; forgetting leaves rounding errors, which must not fall below the prior."""
        return self.alpha + np.maximum(tally.reward, 0.0), self.beta + np.maximum(tally.n - tally.reward, 0.0)


@dataclass(frozen=True, kw_only=True)
class GaussianThompson(Policy):
    """Draw from each arm's normal posterior, rewards ~ N(μ_a, noise²), μ_a ~ N(prior_mean, prior_sd²)."""

    noise: float = 1.0
    prior_mean: float = 0.0
    prior_sd: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive(noise=self.noise, prior_sd=self.prior_sd)

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        mean, sd = self.posterior(tally)
        return mean + sd * rng.standard_normal(mean.shape)

    def posterior(self, tally: Tally) -> tuple[Floats, Floats]:
        """Give mean and standard deviation: precisions add up, means are weighted by them."""
        precision = tally.n / self.noise**2 + 1 / self.prior_sd**2
        mean = (tally.reward / self.noise**2 + self.prior_mean / self.prior_sd**2) / precision
        return mean, 1 / np.sqrt(precision)


@dataclass(frozen=True, kw_only=True)
class ExploreThenCommit(Policy):
    """Show all arms in turn until `per_arm` rewards of each are seen, then the leader for good."""

    per_arm: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive(per_arm=self.per_arm)

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        n_sims, n_arms = tally.n.shape
        kept = tally.memo.setdefault("kept", np.full((n_sims, n_arms), np.nan))
        here = ~np.isnan(tally.truth)
        ready = np.isnan(kept[:, 0]) & (np.where(here, tally.n, np.inf) >= self.per_arm).all(axis=1)
        if ready.any():
            kept[ready] = self.verdict(tally, ready)
        return np.where(np.isnan(kept), 0.0, FIRST * kept) - tally.shown

    def verdict(self, tally: Tally, ready: NDArray[np.bool_]) -> Floats:
        """Give, for the simulations that are ready, 1 to the arm that is kept (n_ready, n_arms)."""
        return _one_hot(np.where(np.isnan(tally.truth), -np.inf, tally.mean)[ready])


@dataclass(frozen=True, kw_only=True)
class TestThenCommit(ExploreThenCommit):
    """Run a test with `per_arm` rewards of each arm; the leader must beat `control` significantly, else control stays.

    The test is that of two rates, at level / (K - 1) (Bonferroni). Without a control the leader must beat the
    runner-up, else the even split goes on.
    """

    __test__ = False  # a policy, no test, whatever pytest thinks of its name
    level: float = 0.05
    control: int | None = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.level < 1:
            raise UsageError(f"level={self.level} must lie between 0 and 1")

    def verdict(self, tally: Tally, ready: NDArray[np.bool_]) -> Floats:
        mean = np.where(np.isnan(tally.truth), -np.inf, tally.mean)[ready]
        leader = mean.argmax(axis=1)
        rows = np.arange(len(mean))
        if self.control is None:
            other = np.where(_one_hot(mean) > 0, -np.inf, mean).argmax(axis=1)
        else:
            other = (tally.arm[ready] == self.control).argmax(axis=1)
        n, k = tally.n[ready], tally.reward[ready]
        p = two_rates(k[rows, other], n[rows, other], k[rows, leader], n[rows, leader]).p
        sure = (p < self.level / max(mean.shape[1] - 1, 1)) & (leader != other)
        kept = np.zeros(mean.shape)
        kept[rows, np.where(sure, leader, other)] = 1.0 if self.control is not None else sure
        return kept


@dataclass(frozen=True, kw_only=True)
class SequentialHalving(Policy):
    """Find the best arm in `rounds`, whatever it costs: in each of ⌈log₂ K⌉ equal parts the worse half drops out."""

    rounds: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_positive(rounds=self.rounds)

    def scores(self, tally: Tally, rng: Generator) -> Floats:
        n_arms = tally.n.shape[1]
        parts = max(int(np.ceil(np.log2(n_arms))), 1)
        part = np.minimum(tally.shown.sum(axis=1) * parts // self.rounds, parts)
        left = np.ceil(n_arms / 2**part)[:, None]  # (n_sims, 1)
        out = tally.memo.setdefault("out", np.zeros(tally.n.shape, dtype=bool))
        if ((~out).sum(axis=1, keepdims=True) > left).any():
            best_first = np.argsort(np.where(out, np.inf, -tally.mean), axis=1, kind="stable")
            out |= np.argsort(best_first, axis=1) >= left
        return np.where(out, -FIRST, 0.0) - tally.shown


def kl(p: ArrayLike, q: ArrayLike) -> Floats:
    """Give p log(p/q) + (1-p) log((1-p)/(1-q)), the divergence of two Bernoulli rewards, with 0 log 0 = 0.

    >>> kl(0.5, [0.5, 0.75]).round(4)
    array([0.    , 0.1438])
    """
    a, b = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    return rel_entr(a, b) + rel_entr(1 - a, 1 - b)


def kl_upper(mean: ArrayLike, level: ArrayLike) -> Floats:
    """Give the greatest q in [mean, 1] with kl(mean, q) ≤ level, for all means at once.

    In x = logit q the divergence is log(1 + eˣ) - p x - h(p), h the entropy: convex, with no edge to fall over. So
    Newton's steps, begun at a bound above the root, go down to it and never past it.

    >>> kl_upper([0.0, 0.5, 1.0], np.log(2)).round(4)  # 1 - 1/2; (1 + √(3/4))/2; nothing is above 1
    array([0.5  , 0.933, 1.   ])
    """
    p, b = np.broadcast_arrays(np.asarray(mean, dtype=float), np.asarray(level, dtype=float))
    b = np.maximum(b, LEAST)
    p = np.clip(p, 1e-300, 1 - LEAST)
    target = b - p * np.log(p) - (1 - p) * np.log1p(-p)  # b + h(p)
    # kl ≥ 2 (q-p)², ≥ (q-p)²/2q and ≥ -(1-p) log(1-q) - h(p): three bounds above the root
    q = np.minimum(p + np.minimum(np.sqrt(b / 2), b + np.sqrt(b * (b + 2 * p))), 1 - 1e-16)
    x = np.minimum(np.log(q / (1 - q)), target / (1 - p))
    for _ in range(60):
        e = np.exp(np.minimum(x, 40.0))  # beyond 40, q is 1 as far as a float can tell
        q = e / (1 + e)
        step = (np.log1p(e) - p * x - target) / np.maximum(q - p, 1e-300)
        x = np.minimum(x - step, 40.0)
        if np.max(np.abs(step) * q * (1 - q), initial=0.0) < 1e-7:  # what is left is its square
            break
    return np.where(np.asarray(level) > LEAST, np.maximum(1 / (1 + np.exp(-x)), p), np.asarray(mean, dtype=float))


def _one_hot(scores: Floats) -> Floats:
    return (np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]).astype(float)


def _need_positive(**numbers: float) -> None:
    for name, x in numbers.items():
        if not x > 0:
            raise UsageError(f"{name}={x} must be above 0")
