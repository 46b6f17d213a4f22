"""Tests that stay valid while one peeks: look after each person, and stop when you like.

An estimate δ̂ of a difference has variance V, which falls as people come. A test looked at once asks |δ̂| > 1.96 √V; to
ask it again and again finds a difference sooner or later, where there is none (`naive`). Robbins (1970) mixes the
likelihood ratios of all differences θ ~ N(0, τ²), τ chosen before, against none:

    Λ = √(V / (V + τ²)) exp(τ² δ̂² / (2V (V + τ²))),        P(Λ ≥ 1/α at any look) ≤ α

(Ville's inequality). So p = min 1/Λ over the looks so far is valid at every look, and with it the interval of all θ
that are not rejected,

    δ̂ ± √(V (V + τ²)/τ² · log((V + τ²) / (α² V)))

which is the mixture SPRT of Johari, Koomen, Pekelis & Walsh (2022). With τ² = ρ² n V, where n V is the variance of a
person, it is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), and

    ρ² = (-W₋₁(-α²/e) - 1) / n*       makes it narrowest at n* people in all, W₋₁ the lower branch of Lambert's W.

δ̂ is taken for normal and V for known, which asks for some people in each arm (`least`); `ratio_check`, and `betting`
for outcomes within bounds, ask for none. All suppose that an outcome is known when its person is counted, and does not
change later. Arrays are (experiments, looks), or (looks,) for one; sums are cumulative.

References: Robbins (1970), Statistical methods related to the law of the iterated logarithm; Howard, Ramdas, McAuliffe
& Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences; Lindon & Malek (2022), Anytime-valid
inference for multinomial count data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, lambertw
from scipy.stats import norm

from smlab.checks import UsageError

Floats = NDArray[np.float64]
LEAST = 100  # people in each arm before the first look: means of fewer are not normal yet


@dataclass(frozen=True)
class Estimate:
    """What treatment and control differ by, at each look.

    Parameters
    ----------
    value, variance : (..., looks) treatment less control, or log(treatment / control) if `relative`; the variance is
        infinite where nothing is known
    n0, n1 : (..., looks) people of control and treatment so far
    """

    value: Floats
    variance: Floats
    n0: Floats
    n1: Floats
    relative: bool = False


def rates(clicks0: ArrayLike, n0: ArrayLike, clicks1: ArrayLike, n1: ArrayLike, *, relative: bool = False) -> Estimate:
    """Compare the rates of control (0) and treatment (1) at each look.

    V is Σ q(1 - q)/n with q = (clicks + 1)/(n + 2), so that a first click of few people does not pass for certainty.
    The lift is log of (clicks + ½)/(n + ½), with variance Σ 1/(clicks + ½) - 1/(n + ½): Walter (1975).

    Raises
    ------
    UsageError
        For counts that fall, are missing, or cannot be.

    >>> rates([5, 9], [100, 200], [8, 20], [100, 200]).value.round(3)
    array([0.03 , 0.055])
    """
    x, n, y, m = _sums(clicks0=clicks0, n0=n0, clicks1=clicks1, n1=n1)
    if ((x > n) | (y > m)).any():
        raise UsageError("clicks must not be above the people of their arm")
    arms = ((x, n), (y, m))
    if relative:
        log0, log1 = (np.log((k + 0.5) / (size + 0.5)) for k, size in arms)
        v0, v1 = (1 / (k + 0.5) - 1 / (size + 0.5) for k, size in arms)
        return Estimate(log1 - log0, v0 + v1, n, m, relative=True)
    v0, v1 = (_divide((k + 1) * (size + 1 - k) / (size + 2) ** 2, size, np.inf) for k, size in arms)
    return Estimate(_divide(y, m) - _divide(x, n), v0 + v1, n, m)


Arm = tuple[ArrayLike, ArrayLike, ArrayLike]


def means(control: Arm, treatment: Arm, *, relative: bool = False) -> Estimate:
    """Compare two means at each look; an arm is (n, mean, variance of a person) so far, as in `abtest.Sums`.

    V = Σ s²/n; of the lift log(m₁/m₀), by the delta method, Σ s²/(n m²), which says nothing where a mean is not above
    0. An arm without spread says nothing either.

    Raises
    ------
    UsageError
        For counts that fall, numbers that are missing, or a variance below 0.

    >>> means(([50], [2.0], [4.0]), ([50], [2.5], [4.0])).variance
    array([0.16])
    """
    n, m = _sums(n0=control[0], n1=treatment[0])
    x, s, y, t = _finite(mean0=control[1], variance0=control[2], mean1=treatment[1], variance1=treatment[2])
    if min(s.min(), t.min()) < 0:
        raise UsageError(f"a variance of {min(s.min(), t.min()):g} is below 0")
    n, m, x, y, s, t = np.broadcast_arrays(n, m, x, y, s, t)
    v0, v1 = (np.where(spread > 0, _divide(spread, size, np.inf), np.inf) for spread, size in ((s, n), (t, m)))
    if not relative:
        return Estimate(y - x, v0 + v1, n, m)
    known = (x > 0) & (y > 0)
    a, b = np.where(known, x, 1.0), np.where(known, y, 1.0)
    return Estimate(np.log(b / a), np.where(known, v0 / a**2 + v1 / b**2, np.inf), n, m, relative=True)


@dataclass(frozen=True)
class Watch:
    """A test at each look.

    Parameters
    ----------
    value, low, high : (..., looks) difference with its interval; treatment/control - 1 of a `relative` estimate
    p : (..., looks) of no difference; of `watch` the least so far, valid at any look
    n : (..., looks) people so far, both arms
    variance, tau2 : (..., looks) V, and τ² of the mixture, NaN for a test that has none
    level : of the intervals
    confirm : looks in a row that must leave 0 out on one side before the test stops
    """

    value: Floats
    low: Floats
    high: Floats
    p: Floats
    n: Floats
    variance: Floats
    tau2: Floats
    level: float
    relative: bool
    confirm: int = 1

    @property
    def stop(self) -> NDArray[np.int64]:
        """First look at which the test stops (...,); -1 where it does not."""
        side = (self.low > 0).astype(np.int8) - (self.high < 0)
        out = side != 0
        for back in range(1, self.confirm):
            out[..., :back] = False
            out[..., back:] &= side[..., back:] == side[..., :-back]
        if self.confirm > 1:
            out &= np.diff(self.n, axis=-1, prepend=0) > 0  # the same people again confirm nothing
        return np.where(out.any(axis=-1), out.argmax(axis=-1), -1)

    def at_stop(self, values: ArrayLike) -> Floats:
        """Pick from values (..., looks) the look at which the test stops, else the last (...,)."""
        i = np.where(self.stop < 0, self.n.shape[-1] - 1, self.stop)
        return np.take_along_axis(np.broadcast_to(values, self.n.shape), i[..., None], axis=-1)[..., 0]

    def seen_by(self, n: ArrayLike, *, power: float = 0.8) -> Floats:
        """Give the least true difference (or lift) that a look at n people in all shows with this power (...,).

        Half the interval's width at n people, plus z_power √V. Looks before may see it, too, so this is on the safe
        side. NaN where nothing is known yet, or the test has no τ.
        """
        v = self.variance[..., -1] * self.n[..., -1] / np.asarray(n, dtype=float)
        with np.errstate(invalid="ignore"):
            x = _half(v, self.tau2[..., -1], self.level) + norm.ppf(power) * np.sqrt(v)
        return np.asarray(np.expm1(x) if self.relative else x)


def watch(
    estimate: Estimate,
    *,
    n_best: float | None = None,
    tau: float | None = None,
    level: float = 0.95,
    least: int = LEAST,
    confirm: int = 1,
) -> Watch:
    """Test at each look by the mixture: the chance of ever stopping in error is at most 1 - level.

    Parameters
    ----------
    n_best : people in all at which the interval is to be narrowest, say the planned end (confidence sequence)
    tau : or the size of differences to expect, in the unit of the estimate (mixture SPRT). One of the two, chosen
        before the first look
    least : people in each arm before the first look that counts. 1 will do for `rates`; of revenue (3 % buy, amounts
        lognormal with σ = 1) 100 will do for equal arms, and 3,000 in the smaller where one arm has a tenth
    confirm : looks in a row that must agree before the test stops. 1 is enough, more only delays: for records in which
        a single look can be wrong, as when the newest sums of one arm come late

    >>> n = [500, 2000, 5000]
    >>> found = watch(rates([20, 80, 200], n, [25, 130, 300], n), n_best=10_000)
    >>> int(found.stop), found.p.round(4).tolist(), found.low.round(4).tolist()
    (1, [1.0, 0.0172, 0.0003], [-0.0411, 0.003, 0.0068])
    """
    _need_level(level)
    if confirm < 1 or least < 1:
        raise UsageError(f"confirm={confirm} looks and least={least} people must be 1 or more")
    if (n_best is None) == (tau is None) or not (n_best or tau or 0) > 0:
        raise UsageError(f"n_best={n_best}, tau={tau}: give one of them, above 0, chosen before the first look")
    v, known = _started(estimate, least)
    tau2 = np.full(v.shape, tau**2) if tau else rho2(n_best or 1, level=level) * (estimate.n0 + estimate.n1) * v
    tau2[~known] = 1.0
    log_ratio = 0.5 * (tau2 * estimate.value**2 / (v * (v + tau2)) - np.log1p(tau2 / v))
    p = np.where(known, np.exp(-np.maximum(log_ratio, 0)), 1.0)
    half = np.where(known, _half(v, tau2, level), np.inf)
    return report(estimate, half, np.minimum.accumulate(p, axis=-1), tau2, level=level, least=least, confirm=confirm)


def naive(estimate: Estimate, *, level: float = 0.95, least: int = LEAST) -> Watch:
    """Test at each look as if it were the only one, δ̂ ± z √V: right at one look, wrong at the first that hits."""
    _need_level(level)
    v, known = _started(estimate, least)
    p = np.where(known, 2 * norm.sf(np.abs(estimate.value) / np.sqrt(v)), 1.0)
    half = np.where(known, norm.ppf((1 + level) / 2) * np.sqrt(v), np.inf)
    return report(estimate, half, p, np.full(v.shape, np.nan), level=level, least=least)


def report(
    e: Estimate, half: Floats, p: Floats, tau2: Floats, *, level: float, least: int = LEAST, confirm: int = 1
) -> Watch:
    """Put a test together from half the widths of its intervals (..., looks)."""
    value, low, high = e.value, e.value - half, e.value + half
    if e.relative:
        with np.errstate(over="ignore"):
            value, low, high = np.expm1(value), np.expm1(low), np.expm1(high)
    v = np.where(np.minimum(e.n0, e.n1) >= least, e.variance, np.inf)
    return Watch(value, low, high, p, e.n0 + e.n1, v, tau2, level, e.relative, confirm)


def rho2(n_best: float, *, level: float = 0.95) -> float:
    """Give the ρ² that makes the confidence sequence narrowest at n_best people.

    >>> round(rho2(1), 3)  # the paper's approximation 2 log(1/α) + log(2 log(1/α) + 1) is 7.936
    8.212
    """
    return float(-lambertw(-((1 - level) ** 2) / np.e, -1).real - 1) / n_best


def ratio_check(counts: ArrayLike, shares: ArrayLike | None = None, *, concentration: float = 100.0) -> Floats:
    """Give always-valid p-values (..., looks) for people falling to the arms in these shares: is the draw broken?

    Mixes over shares ~ Dirichlet(a), a = concentration · shares (Lindon & Malek 2022):

        Λ = Γ(Σa)/Γ(Σa + n) Π Γ(a_j + n_j)/Γ(a_j) / Π shares_j^{n_j},     p = min 1/Λ over the looks so far

    Exact from the first person. It serves rare conversions, too: if no arm converts better, conversions fall to the
    arms in the shares of people, however the rate moves with the hour; so give it conversions for counts.

    Parameters
    ----------
    counts : (..., looks, arms) people so far
    shares : (arms,) as planned; equal if None
    concentration : how near to the plan a break is sought; 100 spreads a share of half by .05 around it

    >>> ratio_check([[50, 50], [510, 490], [5300, 4700]]).round(4)
    array([1., 1., 0.])
    """
    x = np.asarray(counts, dtype=float)
    if x.ndim < 2 or x.shape[-1] < 2:
        raise UsageError(f"counts of shape {x.shape} must be (looks, arms), or (experiments, looks, arms)")
    _need_rising("counts", np.moveaxis(x, -1, 0))
    share = np.full(x.shape[-1], 1.0) if shares is None else np.asarray(shares, dtype=float)
    if share.shape != x.shape[-1:] or not (share > 0).all() or not concentration > 0:
        raise UsageError(
            f"shares={share.tolist()} must be above 0, one for each of {x.shape[-1]} arms, concentration too"
        )
    share = share / share.sum()
    a, n = concentration * share, x.sum(axis=-1)
    log_ratio = (gammaln(a + x) - gammaln(a) - x * np.log(share)).sum(axis=-1)
    log_ratio += gammaln(concentration) - gammaln(concentration + n)
    return np.minimum.accumulate(np.exp(-np.maximum(log_ratio, 0)), axis=-1)


def _started(e: Estimate, least: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Give V, with 1 where it is not known or too few people came, and where it is known."""
    known = (np.minimum(e.n0, e.n1) >= least) & (e.variance > 0) & np.isfinite(e.variance)
    return np.where(known, e.variance, 1.0), known


def _half(v: Floats, tau2: Floats, level: float) -> Floats:
    """Give half the width of the interval, √(V (V + τ²)/τ² · log((V + τ²) / (α² V)))."""
    return np.sqrt(v * (v + tau2) / tau2 * (np.log1p(tau2 / v) - 2 * np.log(1 - level)))


def _need_level(level: float) -> None:
    if not 0.5 <= level < 1:
        raise UsageError(f"level={level} must lie between 0.5 and 1: 0.95 lets one test of twenty err")


def _divide(a: Floats, b: Floats, empty: float = 0.0) -> Floats:
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, empty), where=b > 0)


def _finite(**arrays: ArrayLike) -> list[Floats]:
    found = [np.atleast_1d(np.asarray(x, dtype=float)) for x in arrays.values()]
    for name, x in zip(arrays, found, strict=True):
        if wrong := int((~np.isfinite(x)).sum()):
            raise UsageError(f"{name} is not known at {wrong} of {x.size} looks: leave those looks out")
    return found


def _sums(**arrays: ArrayLike) -> list[Floats]:
    """Give cumulative counts as arrays of one shape."""
    found = _finite(**arrays)
    for name, x in zip(arrays, found, strict=True):
        _need_rising(name, x)
    return list(np.broadcast_arrays(*found))


def _need_rising(name: str, x: Floats) -> None:
    """Require counts that do not fall along the last axis but one of (..., looks)."""
    if not (np.isfinite(x).all() and (x >= 0).all()):
        raise UsageError(f"{name} must be counts of 0 or more, and none of them missing")
    falls = np.argwhere(np.diff(x, axis=-1) < 0)
    if len(falls):
        *where, look = falls[0]
        before, after = x[(*where, look)], x[(*where, look + 1)]
        raise UsageError(
            f"{name} fall from {before:,g} to {after:,g} at look {look + 2}: sums are cumulative, looks in time's order"
        )
