"""A social world whose law is known: who reacts to which post and ad, whom ads tire, who leaves, and what is best.

A user u of segment g likes topic k by x_uk = m_gk + e_uk, of his segment and his own. On day t, with F the ads that
are still on his mind,

    react to post i        logit p = α + x_{u, topic i} + q_i
    click on ad j          logit p = α' + x_{u, topic j} + q_j - κ F        then he buys with chance c_j
    leave on this visit    P = 1 - exp(-(h + h' (F + shown)))               shown is 1 with an ad, 0 without
    overnight              F ← ρ (F + shown)

On the day of the drift all tastes turn: x ← (1 - δ) x + √(1 - (1 - δ)²) x', x' new tastes of the same spread, so that
1 - δ is the correlation with what was. A post that works is worth money, a click its bid and perhaps a sale, and who
leaves has to be replaced.

What is best can be computed. Posts tire nobody, so the likeliest are best. An ad earns now and costs later: with V_t(F)
the most that a user of tiredness F can still bring, r(F) what the best ad brings, h(·) the chance to leave, and v his
chance to visit,

    V_t(F) = (1 - v) V_{t+1}(ρF) + v [ posts + max over a = 0, 1 of  a r(F) - h(F+a) c + (1 - h(F+a)) V_{t+1}(ρ(F+a)) ]

which is solved backwards on a grid of F (Bellman 1957). So an ad is shown while F lies below a limit of user and day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from smlab.checks import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GRID = 25  # points of tiredness; with twice as many the value differs by less than a thousandth
NEW = 0.25  # the last quarter of the posts is by newcomers


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the world is like, and why; fixed before any policy was tried.

    Parameters
    ----------
    n_users, days : followers of a small brand, and a month
    n_segments, n_topics, n_posts, n_ads : what a small brand can tell apart, and has
    slots : posts seen on a visit, beside one place for an ad
    visits : mean chance to visit on a day, a Beta(2, 2) scaled to it; about half of a month's users come on a day
    post_rate, ad_rate : mean rates; 1 to 5 % of views bring a reaction, feeds' ads have click rates of 1 to 2 %
    taste, own, quality : standard deviations in logits of a segment's taste, a user's own part of it, an item's merit;
        with .6 a segment reacts to a topic it likes about three times as often as to one it does not
    wear : κ, by which an ad on the mind lowers the logit; after some five, half of the clicks are gone
    half_life : days until half of the ads are forgotten
    leave, annoy : h and h'; without ads 3 in 100 followers are lost in a month, with one on each visit 7
    reaction, bid, conversion, sale : money of a reaction and median of a click (what ads charge), chance and margin of
        a sale after a click
    follower : price of a new follower
    drift, drift_day : δ, and the day from 0 on which it comes; None is the middle
    arrival : day on which the newcomers' posts begin

    >>> Facts(drift=1.0).drift_from
    15
    """

    n_users: int = 1000
    days: int = 30
    n_segments: int = 5
    n_topics: int = 6
    n_posts: int = 24
    n_ads: int = 12
    slots: int = 5
    visits: float = 0.5
    post_rate: float = 0.03
    ad_rate: float = 0.015
    taste: float = 0.6
    own: float = 0.6
    quality: float = 0.3
    wear: float = 0.15
    half_life: float = 3.0
    leave: float = 0.002
    annoy: float = 0.001
    reaction: float = 0.05
    bid: float = 0.7
    conversion: float = 0.05
    sale: float = 5.0
    follower: float = 1.0
    drift: float = 0.5
    drift_day: int | None = None
    arrival: int = 5

    def __post_init__(self) -> None:
        whole = ("n_users", "days", "n_segments", "n_topics", "n_posts", "n_ads", "slots")
        shares = ("visits", "post_rate", "ad_rate", "leave", "annoy", "conversion", "drift")
        for name, value in ((f.name, getattr(self, f.name)) for f in fields(self)):
            if name in whole and (value < 1 or value != int(value)):
                raise UsageError(f"{name}={value} must be a whole number from 1")
            if name in shares and not 0 <= value <= 1:
                raise UsageError(f"{name}={value} must lie between 0 and 1")
            if value is not None and not 0 <= value < np.inf:
                raise UsageError(f"{name}={value} must be 0 or more")
            if name in ("post_rate", "ad_rate", "visits", "half_life") and value == 0:
                raise UsageError(f"{name}=0 must be above 0")
        if max(self.post_rate, self.ad_rate) == 1:
            raise UsageError("post_rate and ad_rate must be below 1: not everybody reacts to everything")
        if self.n_old < self.slots:
            raise UsageError(f"n_posts={self.n_posts} leaves {self.n_old} posts for the first day; slots={self.slots}")

    @property
    def n_old(self) -> int:
        """Posts that are there from the first day."""
        return self.n_posts - int(NEW * self.n_posts)

    @property
    def drift_from(self) -> int:
        """The first day of the new tastes."""
        return self.days // 2 if self.drift_day is None else self.drift_day

    @property
    def keep(self) -> float:
        """Share ρ of the ads on the mind that is still there a day later."""
        return float(0.5 ** (1 / self.half_life))


class SocialWorld:
    """Several worlds of the same facts side by side, the first axis of every array; world s depends on seeds[s] alone.

    Attributes
    ----------
    facts, seeds
    segment (S, N), visits (S, N) chance to come on a day, tastes (2, S, N, topics) before and after the drift
    topic (n_posts + n_ads,), quality (S, n_posts + n_ads), newcomer (n_posts,)
    bid, conversion, worth : (S, n_ads), worth of a click = bid + conversion · sale

    >>> world = SocialWorld(range(3), n_users=50)
    >>> world.posts(0).shape, world.ads(0, 0.0).shape
    ((3, 50, 24), (3, 50, 12))
    """

    def __init__(self, seeds: Iterable[int] = range(20), facts: Facts | None = None, **changes: float) -> None:
        given = {f.name: getattr(facts, f.name) for f in fields(Facts)} if facts is not None else {}
        unknown = set(changes) - {f.name for f in fields(Facts)}
        if unknown:
            raise UsageError(f"the world has no fact {sorted(unknown)[0]!r}; see socialworld.Facts")
        self.facts = f = Facts(**(given | changes))
        self.seeds = [int(seed) for seed in seeds]
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise UsageError("seeds must be different whole numbers from 0, at least one")
        items = f.n_posts + f.n_ads
        self.topic = np.r_[np.arange(f.n_posts), np.arange(f.n_ads)] % f.n_topics
        self.newcomer = np.arange(f.n_posts) >= f.n_old
        drawn = [_draw(f, items, seed) for seed in self.seeds]
        self.segment, self.visits, self.tastes, self.quality, self.bid, self.conversion = (
            np.stack(part, axis=1 if k == 2 else 0) for k, part in enumerate(zip(*drawn, strict=True))
        )
        self.worth = self.bid + self.conversion * f.sale

    def posts(self, day: int) -> Floats:
        """Give the chance that each user reacts to each post, (S, N, n_posts), whether it is there or not."""
        return self._posts[int(day >= self.facts.drift_from)]

    def ads(self, day: int, tired: Floats | float) -> Floats:
        """Give the chance that each user of tiredness (S, N) clicks on each ad, (S, N, n_ads)."""
        z = self._ad_logits[int(day >= self.facts.drift_from)]
        return _sigmoid(z - self.facts.wear * np.asarray(tired, dtype=float)[..., None])

    def present(self, day: int) -> NDArray[np.bool_]:
        """Say which posts are there (n_posts,)."""
        return ~self.newcomer | (day >= self.facts.arrival)

    def leaving(self, on_mind: Floats | float) -> Floats:
        """Give the chance to leave on a visit, with so many ads on the mind, the new one counted."""
        return -np.expm1(-(self.facts.leave + self.facts.annoy * np.asarray(on_mind, dtype=float)))

    def overnight(self, on_mind: Floats) -> Floats:
        """Give what is left of the ads on the mind a day later."""
        return self.facts.keep * on_mind

    def luck(self, day: int, what: int, *shape: int) -> Floats:
        """Give uniform numbers (S, *shape), the same for every policy, and for a world whatever stands beside it."""
        return np.stack([np.random.default_rng([seed, 1, day, what]).random(shape) for seed in self.seeds])

    @cached_property
    def merit(self) -> Floats:
        """Mean chance of a reaction to each post, over users and the days since all posts are there, (S, n_posts)."""
        new = np.arange(self.facts.arrival, max(self.facts.days, self.facts.arrival + 1)) >= self.facts.drift_from
        before, after = self._posts.mean(axis=2)  # (S, n_posts) each
        return before + new.mean() * (after - before)

    @cached_property
    def limits(self) -> Floats:
        """The tiredness up to which an ad should be shown, (days, S, N); -1 is never, inf always."""
        return self._solved[0]

    @cached_property
    def optimum(self) -> Floats:
        """The most that the users can bring from the first day on, in expectation, (S,)."""
        return self._solved[1]

    @cached_property
    def _solved(self) -> tuple[Floats, Floats]:
        """Go backwards through the days; shapes (S, N, GRID)."""
        f, grid = self.facts, np.linspace(0, 1 + self.facts.keep / (1 - self.facts.keep), GRID)
        stay, rise = (_onto(grid, self.overnight(grid + a)) for a in (0, 1))  # (GRID, GRID)
        lost, annoyed = self.leaving(grid), self.leaving(grid + 1)
        earned: dict[int, Floats] = {}
        limits = np.empty((f.days, *self.visits.shape))
        value, come = np.zeros((*self.visits.shape, GRID)), self.visits[..., None]
        for day in reversed(range(f.days)):
            era = int(day >= f.drift_from)
            if era not in earned:
                best = [(self.worth[:, None] * self.ads(day, F)).max(axis=2) for F in grid]
                earned = {era: np.stack(best, axis=-1)}
            later = value @ stay
            without = (1 - lost) * later - lost * f.follower
            gain = earned[era] + (1 - annoyed) * (value @ rise) - annoyed * f.follower - without
            shown = np.sort(np.where(self.present(day), self.posts(day), 0.0), axis=2)[..., -f.slots :].sum(axis=2)
            value = (1 - come) * later + come * (f.reaction * shown[..., None] + without + np.maximum(gain, 0.0))
            limits[day] = _crossing(grid, gain)
        return limits, value[..., 0].sum(axis=1)

    @cached_property
    def _posts(self) -> Floats:
        k = slice(0, self.facts.n_posts)
        return _sigmoid(self._logits(self.facts.post_rate, k))

    @cached_property
    def _ad_logits(self) -> Floats:
        return self._logits(self.facts.ad_rate, slice(self.facts.n_posts, None))

    def _logits(self, rate: float, of: slice) -> Floats:
        """Give logits (2, S, N, items); the mean of exp of a normal is taken off, so that rates are as said."""
        f = self.facts
        alpha = np.log(rate / (1 - rate)) - (f.taste**2 + f.own**2 + f.quality**2) / 2
        return alpha + self.tastes[..., self.topic[of]] + self.quality[:, None, of]


def _draw(f: Facts, items: int, seed: int) -> tuple[NDArray, ...]:
    """Draw one world: segment, visits, tastes, quality, bid, conversion."""
    rng = np.random.default_rng([seed, 0])
    segment = rng.integers(0, f.n_segments, f.n_users)
    visits = rng.beta(2, 2, f.n_users)
    visits = visits * 2 * f.visits if f.visits <= 0.5 else 1 - (1 - visits) * 2 * (1 - f.visits)
    common = f.taste * rng.standard_normal((2, f.n_segments, f.n_topics))
    x = common[:, segment] + f.own * rng.standard_normal((2, f.n_users, f.n_topics))
    x[1] = (1 - f.drift) * x[0] + np.sqrt(1 - (1 - f.drift) ** 2) * x[1]
    quality = f.quality * rng.standard_normal(items)
    bid = f.bid * np.exp(0.3 * rng.standard_normal(f.n_ads))
    conversion = np.minimum(f.conversion * np.exp(0.3 * rng.standard_normal(f.n_ads)), 1.0)
    return segment, visits, x, quality, bid, conversion


def _sigmoid(z: Floats) -> Floats:
    return 1 / (1 + np.exp(-z))


def _onto(grid: Floats, at: Floats) -> Floats:
    """Give the matrix that takes values on the grid to values between its points, by straight lines, (GRID, at)."""
    place = np.clip(at / grid[1], 0, len(grid) - 1)
    low = np.minimum(place.astype(int), len(grid) - 2)
    weight = np.zeros((len(grid), len(at)))
    weight[low, np.arange(len(at))] = 1 - (place - low)
    weight[low + 1, np.arange(len(at))] = place - low
    return weight


def _crossing(grid: Floats, gain: Floats) -> Floats:
    """Give where the gain first falls below 0 (...,); -1 where it is below at once, inf where it never is."""
    below = gain < 0
    first = below.argmax(axis=-1)
    before = np.maximum(first - 1, 0)[..., None]
    a, b = (np.take_along_axis(gain, k, axis=-1)[..., 0] for k in (before, first[..., None]))
    found = grid[before[..., 0]] + grid[1] * a / np.where(a > b, a - b, 1.0)
    return np.where(~below.any(axis=-1), np.inf, np.where(first == 0, -1.0, found))
