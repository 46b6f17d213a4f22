"""How far do explanations of one model agree, with each other and with the truth where it is known?

Each explanation gives an importance to each group of columns, and the same from data drawn anew; so the rank
correlation of two of them has an interval. They answer different questions (what is lost without a group, what
moves the prediction, what adds up to it), so they need not agree, above all where columns go together: `places`
shows where.

    ρ = Σ (R_g - R̄)(S_g - S̄) / √(Σ (R_g - R̄)² Σ (S_g - S̄)²),    R and S the ranks, ties sharing theirs

References: Spearman (1904); Krishna et al. (2022), the disagreement problem in explainable machine learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from smlab.checks import UsageError


@dataclass(frozen=True)
class Importance:
    """How much each group counts: `value` (n_groups,), and the same on data drawn anew, `draws` (n_draws, n_groups)."""

    value: pd.Series
    draws: pd.DataFrame

    @classmethod
    def of_rows(cls, parts: pd.DataFrame, *, n_draws: int = 200, seed: int = 0) -> Importance:
        """Give the mean of |part| over rows, such as SHAP values (n, n_groups), the rows drawn anew."""
        size = parts.abs()
        rows = np.random.default_rng(seed).integers(0, len(size), (n_draws, len(size)))
        return cls(size.mean(), pd.DataFrame(size.to_numpy()[rows].mean(axis=1), columns=size.columns))

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Give value, low, high of each group, the largest first: a table for `plots.interval_bars`."""
        low, high = (self.draws.quantile(q) for q in ((1 - level) / 2, (1 + level) / 2))
        table = pd.DataFrame({"value": self.value, "low": low, "high": high})
        return table.sort_values("value", ascending=False, kind="stable")


def agreement(
    importances: Mapping[str, Importance], truth: pd.Series | None = None, *, top: int = 3, level: float = 0.95
) -> pd.DataFrame:
    """Compare explanations by pairs, and each with the truth where it is known.

    Returns
    -------
    One row for each pair: first, second, Spearman's rank correlation of the groups' importance (value, low, high; the
    interval over the draws of both), and the share of the `top` groups that both name (top)
    """
    named = dict(importances)
    if truth is not None:
        named["truth"] = Importance(truth, pd.DataFrame([truth]))
    if len(named) < 2:
        raise UsageError(f"{len(named)} explanation: two are needed to compare")
    order = list(next(iter(named.values())).value.index)
    for name, one in named.items():
        if set(one.value.index) != set(order):
            raise UsageError(f"{name!r} explains {list(one.value.index)}, another {order}: needed are the same groups")
    if not 1 <= top <= len(order):
        raise UsageError(f"top={top} must be 1 to {len(order)}, the number of groups")
    rows = []
    for (a, first), (b, second) in combinations(named.items(), 2):
        x, y = (one.draws[order].to_numpy(dtype=float) for one in (first, second))
        drawn = [rank_correlation(x[i % len(x)], y[i % len(y)]) for i in range(max(len(x), len(y)))]
        low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        best = [set(one.value[order].nlargest(top).index) for one in (first, second)]
        value = rank_correlation(first.value[order].to_numpy(float), second.value[order].to_numpy(float))
        rows.append((a, b, value, low, high, len(best[0] & best[1]) / top))
    return pd.DataFrame(rows, columns=["first", "second", "value", "low", "high", "top"])


def places(importances: Mapping[str, Importance]) -> pd.DataFrame:
    """Give the place of each group by each explanation, 1 the most important, and how far they lie apart, `apart`."""
    ranks = pd.DataFrame({name: one.value.rank(ascending=False) for name, one in importances.items()})
    ranks["apart"] = ranks.max(axis=1) - ranks.min(axis=1)
    return ranks.loc[ranks.drop(columns="apart").mean(axis=1).sort_values(kind="stable").index]


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Give Spearman's ρ, ties sharing their mean rank; NaN where one side is all ties.

    >>> rank_correlation([1, 2, 3], [10, 30, 20])
    0.5
    """
    x, y = (rankdata(v) - (len(np.asarray(v)) + 1) / 2 for v in (a, b))
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else float("nan")
