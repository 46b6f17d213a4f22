"""Whom does a model serve badly? One figure for each person, compared between groups, with care for many looks.

Each group is compared with all others by Welch's test (1947): two means whose spreads may differ. Whoever looks at m
groups finds one in twenty by chance alone, so the p-values are adjusted by Holm's procedure (1979): sorted upwards,

    p̃_(j) = max_{l ≤ j} min(1, (m - l + 1) p_(l))

keeps the chance of even one false alarm among all m below the level. `adjusted_difference` asks whether a gap remains
between people who are alike in something else. Left out: causes; a gap says that something is amiss, not what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap

Floats = NDArray[np.float64]
LEAST = 10  # people in a group, below which its mean says too little


def gaps(values: ArrayLike, traits: Mapping[str, Any], *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Compare every group with everybody else.

    Parameters
    ----------
    values : (n,), one figure for each person, NaN where it is not defined
    traits : {trait: group of each person, (n,)}; who has none (NaN) is left out of that trait; so are groups of
        fewer than 10

    Returns
    -------
    One row for each group: trait, group, n, value, low, high (bootstrap), gap to all others of the trait, p, and
    adjusted, Holm's p over all rows

    >>> found = gaps([0.1] * 9 + [0.2] * 11 + [0.5, 0.6] * 10, {"age": ["young"] * 20 + ["old"] * 20})
    >>> found[["group", "n", "gap"]].round(3).values.tolist()
    [['old', 20, 0.395], ['young', 20, -0.395]]
    """
    x = np.asarray(values, dtype=float)
    rows = []
    for trait, groups in traits.items():
        labels = pd.Series(groups).reset_index(drop=True)
        if len(labels) != len(x):
            raise UsageError(f"trait {trait!r} has {len(labels)} people, values {len(x)}; they must be the same")
        known = labels.notna().to_numpy() & ~np.isnan(x)
        for group, members in labels[known].groupby(labels[known], observed=True).groups.items():
            inside = np.isin(np.arange(len(x)), members)
            outside = known & ~inside
            if min(inside.sum(), outside.sum()) >= LEAST:
                rows.append(_row(trait, group, x[inside], x[outside], level, seed))
    if not rows:
        raise UsageError(f"no group has {LEAST} people or more on both sides")
    table = pd.DataFrame(rows)
    return table.assign(adjusted=holm(table["p"]))


def _row(trait: str, group: object, a: Floats, b: Floats, level: float, seed: int) -> dict[str, Any]:
    mean = bootstrap(a, level=level, seed=seed)
    spread = a.std() > 0 or b.std() > 0
    p = float(stats.ttest_ind(a, b, equal_var=False).pvalue) if spread else float(a.mean() == b.mean())
    found = {"trait": trait, "group": str(group), "n": len(a), **mean._asdict()}
    return {**found, "gap": float(a.mean() - b.mean()), "p": p}


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values for m looks by Holm's step-down procedure (1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    x = np.asarray(p, dtype=float)
    if x.size and not ((x >= 0) & (x <= 1)).all():
        raise UsageError("p-values must lie between 0 and 1")
    order = np.argsort(x, kind="stable")
    adjusted = np.empty(len(x))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(x[order] * np.arange(len(x), 0, -1)))
    return adjusted


def adjusted_difference(values: ArrayLike, one: ArrayLike, strata: ArrayLike, *, level: float = 0.95) -> Interval:
    """Give how much higher the mean of `one` is than of the others among people of the same stratum.

    Σ_s w_s (mean₁ - mean₀ in s), w_s the share of people in s: direct standardisation. se² = Σ w_s² (v₁/n₁ + v₀/n₀).
    A stratum with fewer than two people on either side tells nothing and is left out.

    Parameters
    ----------
    values : (n,), NaN where not defined
    one : (n,), True for the group that is compared
    strata : (n,), what people are alike in

    >>> x = adjusted_difference([1, 1, 2, 2, 5, 5, 6, 6], [0, 0, 1, 1] * 2, [0] * 4 + [1] * 4)
    >>> f"{x:.1f}"
    '1.0 [1.0, 1.0]'
    """
    x, side, stratum = np.asarray(values, dtype=float), np.asarray(one, dtype=bool), pd.factorize(np.asarray(strata))[0]
    rows = []
    for s in range(stratum.max() + 1):
        a, b = (x[(stratum == s) & (side == which) & ~np.isnan(x)] for which in (True, False))
        if min(len(a), len(b)) >= 2:
            rows.append((len(a) + len(b), a.mean() - b.mean(), a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))
    if not rows:
        raise UsageError("no stratum has two people of either side to compare")
    n, gap, variance = np.array(rows).T
    w = n / n.sum()
    value, half = float(w @ gap), float(stats.norm.ppf((1 + level) / 2) * np.sqrt(w**2 @ variance))
    return Interval(value, value - half, value + half)
