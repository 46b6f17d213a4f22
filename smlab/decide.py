"""May the numbers be believed, and what follows from them? The check of the arms' sizes, and a decision in a sentence.

If units fell to the arms in other shares than planned, something took some of them away, and those that are left can no
longer be compared (Fabijan et al. 2019). The check is χ² = Σ (n_a - N π_a)² / (N π_a); its alarm level is small, .0005,
because it is made of every experiment and a true fault is far beyond it. `sequential.ratio_check` looks all the time.

A decision needs the least effect δ that matters, and the interval of width W:

    keep    the high end is below δ: whatever there is, it is too little
    ship    else, the low end is above 0
    go on   else, until n (W/δ)² units: then W = δ, and no interval holds both 0 and δ
    stop    where that is more than can be had: this experiment cannot show it
    mend    where the sizes of the arms cannot be chance

At a size planned for power 0.8 at δ, something without effect is shipped in 2.5 and something of effect δ in 80 of 100
experiments. Who looks again at a fixed test errs more often than its level says: with one more look in 8 to 10 of 100,
not in 5.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlab.abtest import Effect
from smlab.checks import UsageError

Floats = NDArray[np.float64]
ALARM = 0.0005  # level of the check of sizes


class Sizes(NamedTuple):
    """The check of the arms' sizes: χ², its p-value, and whether that is below .0005."""

    statistic: Floats
    p: Floats
    mismatch: NDArray[np.bool_]


class Decision(NamedTuple):
    """What to do, the units in all arms that it takes to know (or None), and why, in words."""

    action: Literal["ship", "keep", "go on", "stop", "mend"]
    n: int | None
    sentence: str

    def __str__(self) -> str:
        return self.sentence


def sample_ratio(n: ArrayLike, shares: ArrayLike | None = None, *, level: float = ALARM) -> Sizes:
    """Check whether the arms have the sizes that were planned.

    Parameters
    ----------
    n : (..., arms) units in each arm
    shares : (arms,) planned, alike if None; they need not add up to 1

    Raises
    ------
    UsageError
        For one arm only, or counts or shares that cannot be.

    >>> found = sample_ratio([[50_100, 49_900], [50_600, 49_400]])
    >>> found.p.round(5).tolist(), found.mismatch.tolist()
    ([0.52709, 0.00015], [False, True])
    """
    x = _finite("n", n)
    if x.ndim == 0 or x.shape[-1] < 2:
        raise UsageError(f"n of shape {x.shape}: the sizes of two arms or more are needed, on the last axis")
    plan = _finite("shares", np.ones(x.shape[-1]) if shares is None else shares)
    if plan.shape != x.shape[-1:] or not (plan > 0).all():
        raise UsageError(f"shares={shares!r} must be above 0, one for each of {x.shape[-1]} arms")
    total = x.sum(axis=-1, keepdims=True)
    if (x < 0).any() or (total <= 0).any():
        raise UsageError("n must be counts of 0 or more, and not all 0")
    expected = total * plan / plan.sum()
    chi2 = ((x - expected) ** 2 / expected).sum(axis=-1)
    p = stats.chi2.sf(chi2, x.shape[-1] - 1)
    return Sizes(chi2, p, p < level)


def decision(
    effect: Effect,
    least: float,
    *,
    relative: bool = False,
    most: float | None = None,
    worth: float | None = None,
    units: float | None = None,
    name: str = "B",
    outcome: str = "the outcome",
    money: str = "{:,.0f}",
    sizes: float | None = None,
) -> Decision:
    """Say what to do, in one or two plain sentences.

    Parameters
    ----------
    effect : of one experiment
    least : δ > 0, the least difference that matters, or with `relative` the least lift
    most : units, of all arms together, that can be had at all; None for no bound
    worth : money that one unit of the outcome brings, such as of one click
    units : people a month (say) whom the change would meet; with `worth` the gain is said in money
    name, outcome, money : words, and how money is written, such as "{:,.0f} € a month"
    sizes : p-value of `sample_ratio`

    Raises
    ------
    UsageError
        For several experiments at once, or a least effect that is not above 0.

    >>> from smlab.abtest import rates
    >>> print(decision(rates(1000, 20_000, 1150, 20_000), 0.04, relative=True, outcome="the click rate"))
    Ship B: the click rate changes by +15.0 % [+5.9 %, +24.9 %]; from +4.0 % on it matters.
    >>> print(decision(rates(50, 1000, 56, 1000), 0.05, relative=True, most=50_000, outcome="CTR"))
    Stop: CTR changes by +12.0 % [-22.6 %, +62.1 %]; to see +5.0 % takes about 574,000 people, 50,000 can be had.
    """
    if np.ndim(effect.difference):
        raise UsageError(f"effect holds {np.size(effect.difference)} experiments; a decision is about one")
    if not (np.isfinite(least) and least > 0):
        raise UsageError(f"least={least} must be above 0: the least effect for which the change is worth its trouble")
    if (worth is None) != (units is None):
        raise UsageError("worth and units go together: money for one unit of the outcome, and people whom it meets")
    value, low, high = effect.lift_interval if relative else effect.interval
    if np.isnan(value):
        raise UsageError("the control is not above 0, so there is no lift: take relative=False")
    if sizes is not None and sizes < ALARM:
        why = f"the sizes of the arms cannot be chance (p = {sizes:.1g}), so what it says of {outcome} may be false"
        return Decision("mend", None, f"Mend the experiment first: {why}.")
    words = f"{outcome} changes by {_say(value, relative)} [{_say(low, relative)}, {_say(high, relative)}]"
    matters = f"from {_say(least, relative)} on it matters"
    gain = "" if worth is None or units is None else _gain(effect, worth * units, money)
    if high < least:
        return Decision("keep", None, f"Keep what is there: {words}, {_too_little(low, high)}; {matters}.{gain}")
    if low > 0:
        doubt = "" if value >= least else ", and whether it is as much is open"
        return Decision("ship", None, f"Ship {name}: {words}; {matters}{doubt}.{gain}")
    so_far = float(effect.n_control + effect.n_treatment)
    n = so_far * ((high - low) / least) ** 2
    if not np.isfinite(n) or (most is not None and n > most):
        needed = f"about {_round(n):,} people" if np.isfinite(n) else "more than can be reckoned"
        had = f", {most:,.0f} can be had" if most is not None else ""
        return Decision("stop", None, f"Stop: {words}; to see {_say(least, relative)} takes {needed}{had}.{gain}")
    until = f"go on until about {_round(n):,} people in all ({so_far:,.0f} so far), and look only then"
    return Decision("go on", _round(n), f"Not decided, {until}: {words}; {matters}.{gain}")


def _too_little(low: float, high: float) -> str:
    return "which is worse" if high < 0 else "which is better, but too little" if low > 0 else "which is too little"


def _gain(effect: Effect, factor: float, money: str) -> str:
    value, *ends = (money.format(factor * x) for x in effect.interval)
    return f" In money: {value} [{', '.join(ends)}]."


def _say(x: float, relative: bool) -> str:
    if not np.isfinite(x):
        return "without bound"
    return f"{100 * x:+.1f} %" if relative else f"{x:+.3g}"


def _round(n: float) -> int:
    """Round up to three figures: more would feign knowledge."""
    step = 10 ** max(0, int(np.floor(np.log10(n))) - 2)
    return int(np.ceil(n / step)) * step


def _finite(name: str, values: ArrayLike) -> Floats:
    try:
        x = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be numbers") from None
    if not np.isfinite(x).all():
        raise UsageError(f"{name} has a missing value")
    return cast(Floats, x)
