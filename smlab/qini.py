"""Does a forecast of effects put first whom the treatment moves? Qini and uplift curves, with intervals.

Rows of a draw by lot, w = 1 treated, sorted by score, highest first. Among the first k, N1 and N0 are the treated and
the others, Y1 and Y0 the sums of their outcomes:

    Qini curve     Q(k) = Y1 - Y0 N1 / N0                 outcomes among the treated that the treatment brought
    uplift curve   U(k) = (Y1 / N1 - Y0 / N0) k           the same if all k had been treated (Jaskowski & Jaroszewicz)

Equal scores share a point, so a constant score is the straight line of a random order. With area(·) that between a
curve and its straight line from (0, 0) to the end,

    Qini   area(Q) / area(Q of the perfect order)         Radcliffe's Q; scikit-uplift's qini_auc_score
    AUUC   area(U) / area(U of the perfect order)         scikit-uplift's uplift_auc_score
    gain   area(Q) / (n N1)                               extra outcomes of a person of all, mean over all depths
    top    Y1 / N1 - Y0 / N0 among the first share        scikit-uplift's uplift_at_k, "overall"

The perfect order knows what happened: treated with y = 1, then all without a difference, then the others with y = 1;
that of AUUC is scikit-uplift's, y = w first. 1 is out of reach, as most outcomes are chance, and both exist only for y
of 0 and 1; `gain` and `top` for any y. causalml knows no perfect order: its auuc_score is the mean of U(k), its
qini_score the mean of Q(k) less that of random orders, so about gain · N1; normalised, both are divided by the end of
the curve.

Intervals: rows are drawn anew with replacement, percentiles; the forecasts stay, so this is the doubt about which
people came, not about how the learner would have learnt from others. All forecasts meet the same draws, so
differences are paired.

References: Radcliffe (2007), Using control groups to target on predicted lift: building and assessing uplift models;
Jaskowski & Jaroszewicz (2012), Uplift modeling for clinical trial data; Efron & Tibshirani (1993), bootstrap.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError, nearest
from smlab.metrics import Interval

Floats = NDArray[np.float64]
RANDOM = "random"
PERFECT = ("Qini", "AUUC")
DEPTHS = np.linspace(0, 1, 51)


class Curve(NamedTuple):
    """Points of a curve: how many people from the top, (m,), and what is gained among them, (m,), from (0, 0) on."""

    depth: Floats
    gain: Floats


class _Order(NamedTuple):
    """Rows by score, highest first, and the last place of each score."""

    rows: NDArray[np.int64]
    ends: NDArray[np.int64]


def qini_curve(y: ArrayLike, treated: ArrayLike, score: ArrayLike) -> Curve:
    """Give Q(k) at each score, in outcomes.

    >>> qini_curve([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.8, 0.1, 0.1]).gain
    array([0., 1., 1., 0.])
    """
    outcome, w, (order,) = _checked(y, treated, {"score": score})
    N = _cumulated(outcome, w, np.ones(len(w)), order)
    return Curve(N[0] + N[1], _qini(N))


def uplift_curve(y: ArrayLike, treated: ArrayLike, score: ArrayLike) -> Curve:
    """Give U(k) at each score, in outcomes.

    >>> uplift_curve([1, 0, 1, 0], [1, 0, 0, 1], [0.9, 0.8, 0.1, 0.1]).gain
    array([0., 1., 2., 0.])
    """
    outcome, w, (order,) = _checked(y, treated, {"score": score})
    N = _cumulated(outcome, w, np.ones(len(w)), order)
    return Curve(N[0] + N[1], _uplift(N))


@dataclass(frozen=True)
class Judged:
    """Forecasts of effects, judged on the same held-out rows.

    Parameters
    ----------
    names : forecasts, "random" last
    measures : "Qini", "AUUC", "gain", "top 10 %", …
    values : (names, measures)
    draws : (B, names, measures), each forecast on the same resamples
    heights : (names, 51) Q / N1 at the shares `DEPTHS` of all rows: extra outcomes of a person of all
    bands : (B, names, 51), of the resamples
    """

    names: list[str]
    measures: list[str]
    values: Floats
    draws: Floats
    heights: Floats
    bands: Floats
    level: float

    def table(self) -> pd.DataFrame:
        """Give value, low and high of each measure and forecast, indexed by both: `table().loc["Qini"]`."""
        return self._frame(self.values, self.draws, self.names)

    def difference(self, against: str = RANDOM) -> pd.DataFrame:
        """Give each forecast's measures less those of `against`, likewise; 0 outside the interval: they differ."""
        if against not in self.names:
            raise UsageError(f"no forecast is called {against!r}; {nearest(against, self.names)}")
        j = self.names.index(against)
        keep = [i for i in range(len(self.names)) if i != j]
        values, draws = self.values - self.values[j], self.draws - self.draws[:, [j]]
        return self._frame(values[keep], draws[:, keep], [self.names[i] for i in keep])

    def interval(self, measure: str, name: str) -> Interval:
        """Give one measure of one forecast."""
        return Interval(*self.table().loc[(measure, name), ["value", "low", "high"]])

    def curves(self, *, above_random: bool = False) -> tuple[Floats, dict[str, Floats]]:
        """Give shares of people and the Qini curves with their bands, (51, 3) each, as `plots.curve` draws them.

        Above random the straight line is taken off, and with it the doubt about the mean effect that all share.
        """
        height, band = (x - above_random * x[..., -1:] * DEPTHS for x in (self.heights, self.bands))
        low, high = np.quantile(band, _ends(self.level), axis=0)
        return DEPTHS, dict(zip(self.names, np.stack([height, low, high], axis=-1), strict=True))

    def _frame(self, values: Floats, draws: Floats, names: Sequence[str]) -> pd.DataFrame:
        with warnings.catch_warnings():  # few rows: the top has one arm alone, in every draw
            warnings.simplefilter("ignore", RuntimeWarning)
            low, high = np.nanquantile(draws, _ends(self.level), axis=0)
        index = pd.MultiIndex.from_product([self.measures, names], names=["measure", "forecast"])
        return pd.DataFrame({"value": values.T.ravel(), "low": low.T.ravel(), "high": high.T.ravel()}, index=index)


def judge(
    y: ArrayLike,
    treated: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    tops: Sequence[float] = (0.1, 0.2, 0.3),
    n: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Judged:
    """Judge forecasts of effects on rows that none of them has learnt from; "random" is added, exactly.

    Parameters
    ----------
    y : (n,) outcome
    treated : (n,) 1 treated, 0 control, drawn by lot with one chance for all
    scores : {name: (n,)}, of which only the order counts; say the effects of learners and a predicted outcome
    tops : shares of people, best first
    n : resamples

    >>> rng = np.random.default_rng(0)
    >>> x, w = rng.random(4000), rng.integers(0, 2, 4000)
    >>> found = judge(rng.random(4000) < 0.2 + 0.4 * x * w, w, {"x": x}, n=200)
    >>> print(f"{found.interval('top 10 %', 'x'):.2f}, {found.interval('Qini', 'random'):.2f}")
    0.36 [0.26, 0.44], 0.00 [0.00, 0.00]
    """
    names = [*(name for name in scores if name != RANDOM), RANDOM]
    outcome, w, orders = _checked(y, treated, {**scores, RANDOM: np.zeros(np.size(y))})
    if not tops or not all(0 < share <= 1 for share in tops):
        raise UsageError(f"tops={tuple(tops)}: shares of people must be above 0 and at most 1")
    if not 0 < level < 1 or n < 2:
        raise UsageError(f"level={level} must lie between 0 and 1 and n={n} be 2 or more")
    perfect = _perfect(outcome, w) if np.isin(outcome, (0, 1)).all() else []
    measures = [*PERFECT[: len(perfect)], "gain", *(f"top {100 * share:g} %" for share in tops)]
    rng, size = np.random.default_rng(seed), len(w)
    found = []
    for b in range(n + 1):
        count = np.ones(size) if b == 0 else np.bincount(rng.integers(0, size, size), minlength=size).astype(float)
        best = [
            _area(N, of(N)) for of, N in zip(CURVES, (_cumulated(outcome, w, count, o) for o in perfect), strict=False)
        ]
        found.append([_figures(_cumulated(outcome, w, count, order), best, tops) for order in orders])
    figures = np.array(found)  # (n + 1, names, measures + 51)
    cut = len(measures)
    values, heights = figures[..., :cut], figures[..., cut:]
    return Judged(names, measures, values[0], values[1:], heights[0], heights[1:], level)


def _figures(N: Floats, best: Sequence[float], tops: Sequence[float]) -> Floats:
    """Give the measures of one order, and Q / N1 at `DEPTHS`."""
    k, Q = N[0] + N[1], _qini(N)
    areas = [_area(N, of(N)) / area if area else np.nan for of, area in zip(CURVES, best, strict=False)]
    at = np.floor(np.asarray(tops) * k[-1])
    n1, n0, y1, y0 = (np.interp(at, k, part) for part in N)  # equal scores across a cut count by their share
    with np.errstate(invalid="ignore", divide="ignore"):
        top = y1 / n1 - y0 / n0
    return np.array([*areas, _area(N, Q) / (k[-1] * N[0, -1]), *top, *np.interp(DEPTHS * k[-1], k, Q) / N[0, -1]])


def _cumulated(y: Floats, w: Floats, count: Floats, order: _Order) -> Floats:
    """Give N1, N0, Y1 and Y0 down to each score, (4, scores + 1), each row taken `count` times."""
    sums = np.zeros((4, len(order.ends) + 1))
    n, got, outcome = count[order.rows], w[order.rows], y[order.rows]
    n1 = n * got
    n0 = n - n1
    for row, part in enumerate((n1, n0, n1 * outcome, n0 * outcome)):
        sums[row, 1:] = np.cumsum(part)[order.ends]
    return sums


def _qini(N: Floats) -> Floats:
    """Give Q; as long as nobody was left untreated, Y1 alone."""
    n1, n0, y1, y0 = N
    return y1 - y0 * np.divide(n1, n0, out=np.zeros_like(n1), where=n0 > 0)


def _uplift(N: Floats) -> Floats:
    """Give U; an arm without rows yet counts 0."""
    n1, n0, y1, y0 = N
    rates = (np.divide(y, n, out=np.zeros_like(n), where=n > 0) for y, n in ((y1, n1), (y0, n0)))
    return (next(rates) - next(rates)) * (n1 + n0)


CURVES = (_qini, _uplift)


def _area(N: Floats, gain: Floats) -> float:
    """Give the area between a curve and the straight line to its end, by trapezoids."""
    k = N[0] + N[1]
    return float(np.trapezoid(gain, k) - gain[-1] * k[-1] / 2)


def _order(score: Floats) -> _Order:
    rows = np.argsort(-score, kind="stable")
    return _Order(rows, np.append(np.flatnonzero(np.diff(score[rows])), len(rows) - 1))


def _perfect(y: Floats, w: Floats) -> list[_Order]:
    """Give the perfect orders of Q and of U."""
    ties = y if ((y == 1) & (w == 0)).sum() > ((y == 0) & (w == 1)).sum() else w
    return [_order(y * w - y * (1 - w)), _order(2.0 * (y == w) + ties)]


def _ends(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]


def _checked(y: ArrayLike, treated: ArrayLike, scores: Mapping[str, ArrayLike]) -> tuple[Floats, Floats, list[_Order]]:
    """Check the rows, and order them by each score."""
    outcome, w = np.asarray(y, dtype=float), np.asarray(treated, dtype=float)
    if outcome.ndim != 1 or outcome.shape != w.shape:
        raise UsageError(f"y has shape {outcome.shape}, treated {w.shape}; each person has one of both")
    if not np.isin(w, (0, 1)).all():
        raise UsageError(f"treated must be 0 or 1; found {w[~np.isin(w, (0, 1))][0]:g}")
    if w.all() or not w.any():
        raise UsageError(f"of {len(w)} rows {int(w.sum())} are treated; both arms are needed")
    orders = []
    for name, values in {"y": outcome, **scores}.items():
        x = np.asarray(values, dtype=float)
        if x.shape != w.shape:
            raise UsageError(f"{name!r} has shape {x.shape}, the rows are {len(w)}")
        if not np.isfinite(x).all():
            row = int(np.argmin(np.isfinite(x)))
            raise UsageError(
                f"row {row}: {name!r} is {x[row]}, which has no place in an order; drop the row or fill it"
            )
        orders.append(_order(x))
    return outcome, w, orders[1:]
