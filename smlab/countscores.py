"""How good is a forecast of counts? Its law, its quantiles, and how often they hold.

A forecast is a law, Poisson or NB2 (mean μ, variance μ + αμ²), or a frame of quantiles with its levels as columns and,
where there is one, a column `mean`. For a count y and a quantile q of level τ:

    Poisson deviance  2 [ y log(y/μ) - (y - μ) ]         log score  -log p(y)
    pinball           (y - q)(τ - [y < q])               its mean is least at the true quantile
    coverage          share of low ≤ y ≤ high            of a central 80 % interval, .8 if it holds what it promises

CRPS is twice the pinball loss, averaged over all levels. All are proper: no forecast expects less than the truth.

References: Gneiting & Raftery (2007), proper scores; Czado, Gneiting & Held (2009), of counts; Dunn & Smyth (1996),
residuals; Kleiber & Zeileis (2016), rootograms; Wilson (1927).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from smlab.authorpast import FEWEST, need_columns, need_times, span
from smlab.calibration import wilson
from smlab.checks import UsageError, nearest
from smlab.metrics import Interval, bootstrap

Floats = NDArray[np.float64]
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)  # the median, 80 % and 95 %
SMALLEST = 1e-9  # an α below is 0


def law(mu: ArrayLike, alpha: float) -> Any:
    """Give the law of counts with mean μ and variance μ + αμ², as scipy's frozen `poisson` or `nbinom`."""
    m = np.asarray(mu, dtype=float)
    return stats.nbinom(1 / alpha, 1 / (1 + alpha * m)) if alpha >= SMALLEST else stats.poisson(m)


def log_scores(y: ArrayLike, mu: ArrayLike, alpha: float = 0.0) -> Floats:
    """Give -log p(y) of each count (n,) under mean μ and variance μ + αμ², in nats; less is better.

    >>> log_scores([0, 3], [2.0, 2.0]).round(4).tolist()  # 2 and 2 - 3 log 2 + log 6
    [2.0, 1.7123]
    """
    m = np.asarray(mu, dtype=float)
    return -log_law(need_counts(y, len(m)), np.log(np.maximum(m, 1e-300)), alpha)


def residuals(y: ArrayLike, mu: ArrayLike, alpha: float = 0.0, *, kind: str = "quantile", seed: int = 0) -> Floats:
    """Give the residuals (n,): normal of mean 0 and variance 1 where the law is right.

    "quantile": Φ⁻¹(u), u uniform between P(Y < y) and P(Y ≤ y) (Dunn & Smyth 1996), exactly normal whatever the mean.
    "pearson": (y - μ)/√Var y, which is skewed for small means.
    """
    m = np.asarray(mu, dtype=float)
    k = need_counts(y, len(m))
    if kind == "pearson":
        return (k - m) / np.sqrt(m + alpha * m**2)
    if kind != "quantile":
        raise UsageError(f"kind={kind!r}: {nearest(kind, ['quantile', 'pearson'])}")
    of, share = law(m, alpha), np.random.default_rng(seed).random(len(k))
    lower, upper = np.where(k > 0, of.cdf(k - 1), 0.0), of.cdf(k)
    right = lower > 0.5  # there the other tail has more digits
    low = stats.norm.ppf(np.maximum(lower + share * (upper - lower), 1e-300))
    tail = of.sf(k) + share * (of.sf(k - 1) - of.sf(k))
    return cast(Floats, np.where(right, -stats.norm.ppf(np.maximum(tail, 1e-300)), low))


def rootogram(y: ArrayLike, mu: ArrayLike, alpha: float = 0.0, *, edges: ArrayLike | None = None) -> pd.DataFrame:
    """Count the posts in ranges of counts beside those that the law expects, after Kleiber & Zeileis (2016).

    Returns
    -------
    frame of ranges low … high (both included): observed, expected, and gap = √observed - √expected, whose scatter
    is about ½ where the law is right. Without `edges`, the lowest counts of the ranges, they grow: 0, 1, 2, 4, 8, …

    >>> rootogram([0, 1, 1, 3], [1.25] * 4)[["low", "high", "observed"]].to_numpy().tolist()
    [[0.0, 0.0, 1.0], [1.0, 1.0, 2.0], [2.0, 3.0, 1.0]]
    """
    m = np.asarray(mu, dtype=float)
    k = need_counts(y, len(m))
    powers = 2.0 ** np.arange(np.floor(np.log2(max(k.max(), 1))) + 1)
    low = np.unique(np.r_[0.0, powers] if edges is None else np.asarray(edges, dtype=float))
    high = np.r_[low[1:] - 1, max(2 * low[-1] - 1, k.max())]
    of = law(m, alpha)
    below = np.array([0.0, *(of.cdf(h).sum() for h in high)])
    observed = np.array([((k >= a) & (k <= b)).sum() for a, b in zip(low, high, strict=True)])
    expected = np.diff(below)
    gap = np.sqrt(observed) - np.sqrt(np.maximum(expected, 0))
    return pd.DataFrame({"low": low, "high": high, "observed": observed, "expected": expected, "gap": gap})


def pinball(y: ArrayLike, q: ArrayLike, level: float) -> Floats:
    """Give (y - q)(τ - [y < q]) of each count and its quantile (n,), in reactions; τ is `level`.

    >>> pinball([10, 0], [4, 4], 0.9).round(1).tolist()  # to be too low costs nine times more
    [5.4, 0.4]
    """
    gap = np.asarray(y, dtype=float) - np.asarray(q, dtype=float)
    return gap * (level - (gap < 0))


def deviance(y: ArrayLike, mu: ArrayLike) -> Floats:
    """Give the Poisson deviance 2 [ y log(y/μ) - (y - μ) ] of each count (n,); 0 where μ = y.

    >>> deviance([0, 2], [1.0, 2.0]).tolist()
    [2.0, 0.0]
    """
    k, m = np.asarray(y, dtype=float), np.maximum(np.asarray(mu, dtype=float), 1e-12)
    return cast(Floats, 2 * special.kl_div(k, m))


def compare(
    y: ArrayLike, forecasts: Mapping[str, pd.DataFrame], *, alpha: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """Judge forecasts of the same later posts (n,), one row each, on the posts that all of them forecast.

    Parameters
    ----------
    forecasts : name -> frame of quantiles, columns 0.025, 0.1, 0.5, 0.9, 0.975 and perhaps `mean`; NaN is no forecast
    alpha : of the NB2 that scores all means, as learnt from the training part; without it that column is left out

    Returns
    -------
    frame with a row a forecast: posts, `deviance` and `nb_score` of the mean (NaN without one), `pinball` (mean of
    the levels .1, .5, .9), `pinball_10`, `pinball_50`, `pinball_90`, `coverage_80` and `coverage_95` with Wilson's
    intervals, `width_80` (mean of log (1 + high) / (1 + low)), `mae_log` of the median, |log (1+y) / (1+q)|.
    Values with an interval are `Interval`s.
    """
    if not forecasts:
        raise UsageError("there is no forecast to judge")
    k = need_counts(y, len(next(iter(forecasts.values()))))
    for name, frame in forecasts.items():
        absent = [q for q in LEVELS if q not in frame.columns]
        if absent or len(frame) != len(k):
            lack = f"has no quantile {absent[0]}" if absent else f"has {len(frame)} rows, and there are {len(k)} counts"
            raise UsageError(f"the forecast {name!r} {lack}")
    rows = np.all([np.isfinite(f.to_numpy(float)).all(axis=1) for f in forecasts.values()], axis=0)
    if not rows.any():
        raise UsageError("there is no post that all forecasts speak of")
    table = {name: _judge(k[rows], frame[rows], alpha, seed) for name, frame in forecasts.items()}
    return pd.DataFrame.from_dict(table, orient="index").dropna(axis=1, how="all")


def _judge(y: Floats, frame: pd.DataFrame, alpha: float | None, seed: int) -> dict[str, Any]:
    """Give the row of one forecast."""
    q = {level: frame[level].to_numpy(float) for level in LEVELS}
    losses = {level: pinball(y, q[level], level) for level in (0.1, 0.5, 0.9)}
    mean = frame["mean"].to_numpy(float) if "mean" in frame else None
    return {
        "posts": len(y),
        "deviance": np.nan if mean is None else float(deviance(y, mean).mean()),
        "nb_score": np.nan if mean is None or alpha is None else float(log_scores(y, mean, alpha).mean()),
        "pinball": bootstrap(np.mean(list(losses.values()), axis=0), seed=seed),
        **{f"pinball_{100 * level:.0f}": float(loss.mean()) for level, loss in losses.items()},
        "coverage_80": covered(y, q[0.1], q[0.9]),
        "coverage_95": covered(y, q[0.025], q[0.975]),
        "width_80": float(np.mean(np.log1p(q[0.9]) - np.log1p(q[0.1]))),
        "mae_log": bootstrap(np.abs(np.log1p(y) - np.log1p(q[0.5])), seed=seed),
    }


def covered(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> Interval:
    """Give the share of counts in low … high, both ends included, with Wilson's 95 % interval.

    >>> print(f"{covered([1, 5, 9], [0, 0, 0], [4, 5, 6]):.2f}")
    0.67 [0.21, 0.94]
    """
    k = np.asarray(y, dtype=float)
    inside = (k >= np.asarray(low)) & (k <= np.asarray(high))
    ends = wilson(inside.sum(), len(k))
    return Interval(float(inside.mean()), float(ends[0]), float(ends[1]))


def author_past(
    frame: pd.DataFrame, outcome: str = "reactions", *, window: int = 50, delay: str = "1D"
) -> pd.DataFrame:
    """Forecast each post by its author's last `window` posts: their quantiles and their mean. The model to beat.

    Only posts `delay` old at that moment count, see `authorpast`; fewer than 10 of them give NaN.

    Returns
    -------
    frame with the columns 0.025, 0.1, 0.5, 0.9, 0.975 and mean, one row a post
    """
    if window < FEWEST:
        raise UsageError(f"window={window}: at least {FEWEST} earlier posts make an author's usual")
    need_columns(frame, "author", outcome)
    time, y = need_times(frame), need_counts(frame[outcome], len(frame))
    out = np.full((len(y), len(LEVELS) + 1), np.nan)
    author = pd.factorize(frame["author"])[0]
    for one in range(author.max() + 1):
        mine = np.flatnonzero(author == one)
        mine = mine[np.argsort(time[mine], kind="stable")]
        known = np.searchsorted(time[mine], time[mine] - max(span(delay), 1), side="right")  # so many are old enough
        size = np.minimum(known, window)
        for m in np.unique(size[size >= FEWEST]):
            here = np.flatnonzero(size == m)
            posts = y[mine][known[here][:, None] - m + np.arange(m)]  # (posts, m)
            out[mine[here]] = np.column_stack([np.quantile(posts, LEVELS, axis=1).T, posts.mean(axis=1)])
    return pd.DataFrame(out, frame.index, [*LEVELS, "mean"])


def known_before(time: ArrayLike, delay: str = "1D") -> NDArray[np.int64]:
    """Count for each post (n,) the earlier ones that are `delay` old by then, whose outcome is known.

    >>> known_before(pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-04"])).tolist()
    [0, 1, 1, 3]
    """
    at = need_times(pd.DataFrame({"time": np.asarray(time)}))
    if (np.diff(at) < 0).any():
        raise UsageError("posts have to stand in order of time: a past needs one")
    return np.searchsorted(at, at - max(span(delay), 1), side="right")


def need_counts(y: ArrayLike, n_rows: int) -> Floats:
    """Give y (n_rows,) as floats; refuse what are no counts."""
    k = np.asarray(y, dtype=float)
    if k.shape != (n_rows,):
        raise UsageError(f"there are {n_rows} rows; counts of shape {k.shape} do not fit")
    wrong = np.flatnonzero(~((k >= 0) & (k < 2**53) & (k % 1 == 0)))
    if len(wrong):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"row {wrong[0]}: {k[wrong[0]]:g} is no count; a whole number of 0 or more is needed{more}")
    return k


def log_law(y: Floats, eta: Floats, alpha: float) -> Floats:
    """Give log p(y) at log μ = η (n,), also where α is nearly 0 or a count is 10⁷.

    For NB2  log Γ(y+r)/(Γ(r) r^y) - log y! + yη - (y+r) log(1+αμ),  r = 1/α, whose terms tend to those of the Poisson.
    """
    factorial = _by_value(y, lambda v: special.gammaln(v + 1))
    if alpha < SMALLEST:
        return cast(Floats, y * eta - np.exp(eta) - factorial)
    r = 1 / alpha
    rising = _by_value(y, lambda v: _rising(v, r, 0))
    return cast(Floats, rising - factorial + y * eta - (y + r) * np.logaddexp(0.0, np.log(alpha) + eta))


def in_log_alpha(y: Floats, mu: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Give the first and second derivative of NB2's log p(y) in log α, (n,) each.

    With r = 1/α: ℓ_r = ψ(y+r) - ψ(r) - log(1+αμ) + (μ-y)/(r+μ); the two are -rℓ_r and rℓ_r + r²ℓ_rr.
    """
    r = 1 / alpha
    share = (mu - y) / (r + mu)
    slope = _by_value(y, lambda v: _rising(v, r, 1)) - np.log1p(alpha * mu) + share
    curve = _by_value(y, lambda v: _rising(v, r, 2)) + (mu / r - share) / (r + mu)
    return -r * slope, r * slope + r**2 * curve


def _rising(y: Floats, r: float, order: int) -> Floats:
    """Give log Γ(y+r) - log Γ(r) - y log r, or its derivative ψ(y+r) - ψ(r) or the second, ψ'(y+r) - ψ'(r).

    For large r by Stirling's series, whose leading terms cancel by hand: the difference is of the order 1/r.
    """
    x = y + r
    if order == 0:
        if r < 20:
            return special.gammaln(x) - special.gammaln(r) - y * np.log(r)
        rest = [1 / (12 * v) - 1 / (360 * v**3) + 1 / (1260 * v**5) for v in (x, r)]
        return (x - 0.5) * np.log1p(y / r) - y + rest[0] - rest[1]
    if order == 1:
        if r < 20:
            return special.digamma(x) - special.digamma(r)
        rest = [1 / (12 * v**2) - 1 / (120 * v**4) + 1 / (252 * v**6) for v in (x, r)]
        return np.log1p(y / r) + y / (2 * x * r) - rest[0] + rest[1]
    if r < 20:
        return special.polygamma(1, x) - special.polygamma(1, r)
    rest = [1 / (2 * v**2) + 1 / (6 * v**3) - 1 / (30 * v**5) + 1 / (42 * v**7) for v in (x, r)]
    return -y / (x * r) + rest[0] - rest[1]


def _by_value(y: Floats, f: Callable[[Floats], Floats]) -> Floats:
    """Give f(y), worked out once for each number up to the largest where that is less work."""
    top = int(y.max()) if len(y) else 0
    return f(np.arange(top + 1.0))[y.astype(np.int64)] if top < len(y) else f(y)
