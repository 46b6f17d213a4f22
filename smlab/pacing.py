"""A day's budget over a day's traffic: spend it evenly, and on the impressions that are worth their price.

Impression t is worth v_t = ctr_t · value of a click; the highest bid of the others is p_t, and whoever bids more
pays p_t (second price). With budget B for T expected impressions, ρ = B/T a piece:

    greedy      bids v_t until the money is gone
    throttle    bids v_t, but takes part only with a chance; after each slot the chance falls by a tenth if more was
                spent than planned, else it rises by a tenth                       Agarwal, Ghosh, Wei & You (2014)
    pi          bids v_t e^{-u}, u set after each slot by a proportional-integral controller of the overspending
    dual        bids v_t / (1 + μ), with μ ← [μ - η (ρ - spent_t)]₊ after each auction    Balseiro & Gur (2019)

If all was known before, best would be to buy where v_t / p_t is above some constant, which is what `dual` looks
for: `hindsight` is that optimum (of the fractional knapsack, so nobody has more value). Throttling spends evenly
too, but buys good and bad alike. The plan follows the traffic, not the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smlab.checks import UsageError, nearest

Floats = NDArray[np.float64]
Method = Literal["greedy", "throttle", "pi", "dual", "hindsight"]
PROPORTIONAL, INTEGRAL = 0.1, 0.2  # of the controller; in log bid for a slot of overspending
METHODS = ("greedy", "throttle", "pi", "dual", "hindsight")


@dataclass(frozen=True)
class Traffic:
    """Auctions of several days, each (n_days, n_auctions) in order of time.

    Parameters
    ----------
    hour : from 0 to 24
    ctr : chance of a click if we win
    price : highest bid of the others for the impression, in money
    value : what a click is worth to us, in money
    """

    hour: Floats
    ctr: Floats
    price: Floats
    value: float


@dataclass(frozen=True)
class Paced:
    """What came of the budget.

    Parameters
    ----------
    budget : of a day
    spent : (n_days, n_auctions) sum spent up to and with each auction
    clicks : (n_days,) expected clicks
    """

    budget: float
    spent: Floats
    clicks: Floats

    @property
    def spend_error(self) -> Floats:
        """Share of the budget that is left over at the end of the day (n_days,); none can spend more than there is."""
        return 1 - self.spent[:, -1] / self.budget

    @property
    def unevenness(self) -> Floats:
        """Greatest distance of the share spent from the share of the day's traffic gone by (n_days,)."""
        gone = np.arange(1, self.spent.shape[1] + 1) / self.spent.shape[1]
        return np.abs(self.spent / self.budget - gone).max(axis=1)


def traffic(
    n_days: int = 100, n_auctions: int = 5000, seed: int = 0, *, ctr: float = 0.01, value: float = 1.0
) -> Traffic:
    """Simulate days with fewest people at 8 h and most at 20 h, when the others bid twice as much.

    >>> day = traffic(2, 1000)
    >>> bool(((day.hour > 16) & (day.hour < 24)).mean() > 0.45)
    True
    """
    if n_days < 1 or n_auctions < 2 or not 0 < ctr < 1 or value <= 0:
        raise UsageError(
            f"n_days={n_days} must be 1 or more, n_auctions={n_auctions} 2 or more, ctr={ctr} a rate, value={value} > 0"
        )
    rng = np.random.default_rng(seed)
    clock = np.linspace(0, 24, 1441)
    busy = 1 - 0.85 * np.cos((clock - 8) * np.pi / 12)
    share = np.cumsum(busy) / busy.sum()
    hour = np.sort(np.interp(rng.random((n_days, n_auctions)), share, clock), axis=1)
    rates = np.minimum(ctr * rng.lognormal(-0.5 * 0.6**2, 0.6, hour.shape), 1.0)
    rush = 1.5 - 0.5 * np.cos((hour - 8) * np.pi / 12)  # 1 to 2
    price = 0.4 * ctr * value * rush * rng.lognormal(0, 0.5, hour.shape)
    return Traffic(hour, rates, price, value)


def pace(
    day: Traffic,
    budget: float,
    method: Method = "dual",
    *,
    expected: int | None = None,
    slots: int = 100,
    gain: float = 1.0,
    seed: int = 0,
) -> Paced:
    """Spend a budget on each day.

    Parameters
    ----------
    expected : T, how many auctions the plan expects in a day; None for the true number
    slots : how often a day `throttle` and `pi` look at what was spent
    gain : how strongly `pi` and `dual` react; 1 suits budgets of a tenth to all of what greed would spend
    seed : for the chances of `throttle`

    Raises
    ------
    UsageError
        For a method that is not known, or a budget or a pace of nothing.
    """
    if method not in METHODS:
        raise UsageError(f"method={method!r}: {nearest(method, METHODS)}")
    planned = day.ctr.shape[1] if expected is None else expected
    if budget <= 0 or planned < 1 or slots < 1 or gain <= 0:
        raise UsageError(f"budget={budget}, expected={planned}, slots={slots} and gain={gain} must be above 0")
    worth = day.ctr * day.value
    if method == "hindsight":
        bought = _hindsight(worth, day.price, budget)
    else:
        bought = _auctions(worth, day.price, _Pacer(method, len(worth), budget, planned, slots, gain, seed), budget)
    return Paced(budget, np.cumsum(bought * day.price, axis=1), (bought * day.ctr).sum(axis=1))


class _Pacer:
    """The factor of the bid and the chance to take part, (n_days,), after what was spent."""

    def __init__(
        self, method: str, n_days: int, budget: float, planned: int, slots: int, gain: float, seed: int
    ) -> None:
        self.method, self.budget, self.planned, self.gain = method, budget, planned, gain
        self.every = max(planned // slots, 1)
        self.rng = np.random.default_rng(seed)
        self.factor, self.mu, self.before = np.ones(n_days), np.zeros(n_days), np.zeros(n_days)
        # a slow start: too little can be made up for, too much cannot
        self.chance = np.full(n_days, 0.1 if method == "throttle" else 1.0)

    def takes_part(self) -> NDArray[np.bool_]:
        """Draw who takes part in this auction."""
        return self.rng.random(len(self.chance)) < self.chance

    def react(self, t: int, paid: Floats, spent: Floats) -> None:
        """Set factor and chance after auction t, which cost `paid`; `spent` is the sum."""
        rho = self.budget / self.planned
        if self.method == "dual":
            self.mu = np.maximum(self.mu - self.gain / np.sqrt(self.planned) * (1 - paid / rho), 0.0)
            self.factor = 1 / (1 + self.mu)
        elif self.method in ("throttle", "pi") and (t + 1) % self.every == 0:
            slot = rho * self.every  # planned for a slot
            over, late = spent / slot - (t + 1) / self.every, (spent - self.before) / slot - 1  # in slots
            self.before = spent.copy()
            self.chance = np.clip(self.chance * np.where(over > 0, 0.9, 1.1), 0.001, 1.0)
            if self.method == "pi":
                self.chance[:] = 1.0
                self.factor = np.exp(-self.gain * np.maximum(PROPORTIONAL * late + INTEGRAL * over, 0.0))


def _auctions(worth: Floats, price: Floats, pacer: _Pacer, budget: float) -> Floats:
    """Hold the auctions one after the other, all days at once; give 1 where we bought (n_days, n_auctions)."""
    bought, spent = np.zeros(worth.shape), np.zeros(len(worth))
    for t, (v, p) in enumerate(zip(worth.T, price.T, strict=True)):
        wins = (v * pacer.factor > p) & pacer.takes_part() & (spent + p <= budget)
        paid = np.where(wins, p, 0.0)
        spent += paid
        bought[:, t] = wins
        pacer.react(t, paid, spent)
    return bought


def _hindsight(worth: Floats, price: Floats, budget: float) -> Floats:
    """Buy the best value for money first, while it is worth its price, the last one in part."""
    best = np.argsort(-worth / price, axis=1, kind="stable")
    cost = np.take_along_axis(np.where(worth > price, price, 0.0), best, axis=1)
    before = np.cumsum(cost, axis=1) - cost
    part = np.clip((budget - before) / np.where(cost > 0, cost, 1.0), 0.0, 1.0) * (cost > 0)
    bought = np.empty_like(part)
    np.put_along_axis(bought, best, part, axis=1)
    return bought
