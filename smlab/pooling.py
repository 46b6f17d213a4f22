"""Click rates of ads that were shown seldom: each is drawn towards the others, as far as its data are thin.

    k_i ~ Binomial(n_i, p_i),    p_i ~ Beta(α, β)    gives    p_i | k_i ~ Beta(α + k_i, β + n_i - k_i)

    E[p_i | k_i] = (1 - B_i) k_i/n_i + B_i μ,    B_i = (α+β) / (α+β+n_i),    μ = α/(α+β)

An ad with one click of ten impressions has not a click rate of 10 %. α and β are those under which all counts
together are most likely (or have their mean and spread), then taken as known: empirical Bayes (Gelman et al. 2013,
section 5.3; Efron & Morris 1975). So the intervals leave out that α and β are estimates, which matters below about
ten ads; and they suppose that, before its data, nothing tells one ad from another. Pool within a campaign, not
across.

Where something is known beforehand (a regression on age, gender, interest), each rate is drawn towards what that
says of it, μ_i in place of μ, and the spread around it is all that is left to find: `pool(..., towards=μ)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import betaincinv, betaln, expit, logit

from smlab.checks import UsageError, nearest
from smlab.design import need_counts

Floats = NDArray[np.float64]
MOST = 1e9  # α + β beyond this: the ads have one rate


@dataclass(frozen=True)
class Pooled:
    """Shrunken rates.

    Parameters
    ----------
    alpha, beta : of the distribution of rates; their sum counts as that many impressions seen before. One number
        each, or with `towards` (n_ads,)
    rate : (n_ads,) posterior mean
    low, high : (n_ads,) ends of the central posterior interval
    raw : (n_ads,) clicks / impressions, NaN where there are no impressions
    weight : (n_ads,) B, the share of the common mean in `rate`
    """

    alpha: float | Floats
    beta: float | Floats
    rate: Floats
    low: Floats
    high: Floats
    raw: Floats
    weight: Floats

    @property
    def mean(self) -> float | Floats:
        """Common mean μ = α / (α + β): the forecast for an ad that has not been shown."""
        return self.alpha / (self.alpha + self.beta)

    def draw(self, n: int, *, seed: int = 0) -> Floats:
        """Draw the rates of all ads together from Beta(α + k_i, β + n_i - k_i), (n, n_ads)."""
        return np.random.default_rng(seed).beta(*self._posterior, size=(n, len(self.rate)))

    @property
    def _posterior(self) -> tuple[Floats, Floats]:
        size = (self.alpha + self.beta) / self.weight  # α + β + n_i
        return self.rate * size, (1 - self.rate) * size


def pool(
    clicks: ArrayLike,
    impressions: ArrayLike,
    *,
    towards: ArrayLike | None = None,
    method: Literal["ml", "moments"] = "ml",
    level: float = 0.95,
) -> Pooled:
    """Shrink the click rates of several ads towards their common mean, or each towards its own.

    Parameters
    ----------
    clicks, impressions : (n_ads,) counts
    towards : (n_ads,) μ_i, what is expected of each beforehand; only α + β is then found, by maximum likelihood
    method : how α and β are found: "ml" by maximum likelihood of the counts (beta-binomial), "moments" by their
        mean and spread (Kleinman 1973), which is quicker and rougher
    level : of the intervals

    Raises
    ------
    UsageError
        For counts that cannot be, fewer than two ads with impressions, or no click (or nothing but clicks) at all.

    >>> pooled = pool([1, 40, 30, 55], [10, 1000, 1000, 1000])
    >>> pooled.raw.round(3).tolist(), pooled.rate.round(3).tolist()  # 1 of 10 moves far, 55 of 1000 a little
    ([0.1, 0.04, 0.03, 0.055], [0.043, 0.041, 0.035, 0.05])
    """
    k, n = np.asarray(clicks, dtype=float), np.asarray(impressions, dtype=float)
    need_counts(k, n)
    if not 0 < level < 1:
        raise UsageError(f"level={level} must lie between 0 and 1; 0.95 is usual")
    seen = n > 0
    if seen.sum() < 2 or not 0 < k.sum() < n.sum():
        raise UsageError(f"{int(k.sum())} clicks of {int(seen.sum())} ads that were shown: there is nothing to pool")
    if method not in ("ml", "moments"):
        raise UsageError(f"method={method!r}: {nearest(method, ['ml', 'moments'])}")
    mean, size = _prior(k, n, seen, towards, method)
    alpha, beta = mean * size, (1 - mean) * size
    a, b = alpha + k, beta + n - k
    raw = np.divide(k, n, out=np.full(len(k), np.nan), where=seen)
    low, high = betaincinv(a, b, (1 - level) / 2), betaincinv(a, b, (1 + level) / 2)
    return Pooled(alpha, beta, a / (a + b), low, high, raw, size / (size + n))


def _prior(k: Floats, n: Floats, seen: NDArray[np.bool_], towards: ArrayLike | None, method: str) -> tuple[Any, float]:
    """Give μ, common or (n_ads,), and α + β."""
    if towards is None:
        mean, size = moments(k[seen], n[seen])
        return _most_likely(k[seen], n[seen], mean, size) if method == "ml" else (mean, size)
    expected = np.asarray(towards, dtype=float)
    if expected.shape != k.shape or not ((expected > 0) & (expected < 1)).all():
        raise UsageError(f"towards of shape {expected.shape} must be a rate between 0 and 1 for each of {len(k)} ads")
    return expected, _most_likely_size(k[seen], n[seen], expected[seen])


def moments(clicks: ArrayLike, impressions: ArrayLike) -> tuple[float, float]:
    """Give μ and α + β from the mean and spread of the raw rates (after Kleinman 1973).

    With ρ = 1/(α+β+1): E Σ n_i (q_i - μ)² = μ(1-μ) [ (1-ρ)(N-1) + ρ (Σn - Σn²/Σn) ], solved for ρ. A spread below
    that of chance gives ρ = 0, one rate for all, written as α + β = 10⁹.

    >>> mean, size = moments([2, 4, 6, 8], [100, 100, 100, 100])
    >>> round(mean, 3), round(size)
    (0.05, 244)
    """
    k, n = np.asarray(clicks, dtype=float), np.asarray(impressions, dtype=float)
    mean = k.sum() / n.sum()
    spread = (n * (k / n - mean) ** 2).sum() / (mean * (1 - mean))
    chance, all_apart = len(k) - 1, n.sum() - (n**2).sum() / n.sum()
    rho = (spread - chance) / (all_apart - chance) if all_apart > chance else 0.0
    rho = min(max(rho, 1 / (MOST + 1)), 0.999)
    return float(mean), float(1 / rho - 1)


def log_likelihood(alpha: float | Floats, beta: float | Floats, clicks: ArrayLike, impressions: ArrayLike) -> float:
    """Give Σ log [ B(α + k, β + n - k) / B(α, β) ], the beta-binomial without the binomial coefficients."""
    k, n = np.asarray(clicks, dtype=float), np.asarray(impressions, dtype=float)
    return float((betaln(alpha + k, beta + n - k) - betaln(alpha, beta)).sum())


def _most_likely(k: Floats, n: Floats, mean: float, size: float) -> tuple[float, float]:
    """Find μ and α + β of the greatest likelihood; on the scales logit and log no bound is in the way."""

    def cost(at: Floats) -> float:
        m, s = expit(at[0]), np.exp(np.clip(at[1], -10, np.log(MOST)))
        return -log_likelihood(m * s, (1 - m) * s, k, n)

    starts = [np.array([logit(mean), np.log(s)]) for s in (min(size, 1e6), 10.0, 1000.0)]
    tried = [minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-8}) for start in starts]
    best = min(tried, key=lambda found: found.fun)
    return float(expit(best.x[0])), float(np.exp(np.clip(best.x[1], -10, np.log(MOST))))


def _most_likely_size(k: Floats, n: Floats, mean: Floats) -> float:
    """Find α + β of the greatest likelihood where each ad has its own μ; on the log scale."""

    def cost(log_size: float) -> float:
        s = np.exp(log_size)
        return -log_likelihood(mean * s, (1 - mean) * s, k, n)

    return float(np.exp(minimize_scalar(cost, bounds=(-10, np.log(MOST)), method="bounded").x))


def pool_by(frame: pd.DataFrame, fields: list[str], *, level: float = 0.95) -> pd.DataFrame:
    """Add up impressions and clicks for each combination of `fields` and pool their rates.

    Returns
    -------
    frame with the fields, impressions, clicks, raw, rate, low, high; most impressions first
    """
    total = add_up(frame, fields)
    found = pool(total["clicks"], total["impressions"], level=level)
    total = total.assign(raw=found.raw, rate=found.rate, low=found.low, high=found.high)
    return total.sort_values("impressions", ascending=False, kind="stable").reset_index(drop=True)


def add_up(frame: pd.DataFrame, fields: list[str]) -> pd.DataFrame:
    """Add up a log, or the ads of a report, to one row for each combination of `fields`: impressions and clicks.

    A log has one row per impression with `click`, a report one per ad with `impressions` and `clicks`; `spend`
    is added up where it is known. The likelihood of the sums is that of the rows but for a constant, as long as
    a model sees nothing but `fields`.

    Raises
    ------
    UsageError
        If a field is not a column.

    >>> add_up(pd.DataFrame({"age": ["18", "25", "18"], "click": [1, 0, 0]}), ["age"])
      age  impressions  clicks
    0  18            2       1
    1  25            1       0
    """
    if "click" in frame:
        frame = frame.assign(impressions=1, clicks=frame["click"])
    have = [str(c) for c in frame.columns]
    absent = [name for name in (*fields, "impressions", "clicks") if name not in have]
    if absent or not fields:
        raise UsageError(
            f"pooling needs the column {absent[0]!r}; {nearest(absent[0], have)}" if absent else "no field is named"
        )
    sums = [name for name in ("impressions", "clicks", "spend") if name in frame]
    return frame.groupby(fields, sort=True, observed=True)[sums].sum().reset_index()


def dispersion(clicks: ArrayLike, impressions: ArrayLike, p: ArrayLike, n_parameters: int) -> float:
    """Give φ = Σ (k_i - n_i p_i)² / (n_i p_i (1 - p_i)) / (N - d), Pearson's (McCullagh & Nelder 1989, sec. 4.5).

    1 where counts scatter as a binomial's do; above 1 something not in the model moves them together, and
    intervals that suppose the binomial are too narrow by √φ.

    Parameters
    ----------
    clicks, impressions, p : (N,) counts and fitted rates
    n_parameters : d, of the model that gave `p`

    >>> round(dispersion([4, 16], [100, 100], [0.1, 0.1], 1), 1)
    8.0
    """
    k, n, q = (np.asarray(x, dtype=float) for x in (clicks, impressions, p))
    need_counts(k, n)
    if q.shape != k.shape or not ((q > 0) & (q < 1)).all():
        raise UsageError(f"p of shape {q.shape} must be a rate between 0 and 1 for each of {len(k)} rows")
    if len(k) <= n_parameters:
        raise UsageError(f"{len(k)} rows cannot show the scatter around a model of {n_parameters} parameters")
    return float(((k - n * q) ** 2 / (n * q * (1 - q))).sum() / (len(k) - n_parameters))
