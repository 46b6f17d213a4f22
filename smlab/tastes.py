"""What a customer likes, from the themes of what they bought; and does it tell what they buy next?

Customer i has bought n_ij different products of theme j, N_i in all. Few products say little, so their shares are drawn
towards those of all customers, π,

    p_ij = (n_ij + α π_j) / (N_i + α)                          the mean of Dirichlet(n_i + α π)

α counts as many products as the opinion of all does. It is learnt from what customers bought next, for products of one
basket go together and say less than as many purchases: α = argmax Σ_ij n'_ij log p_ij. How much is known of them is

    gain = Σ_ij n'_ij log2(p_ij / π_j) / Σ_ij n'_ij            bits a product, 0 for who knows π only

Take the products of one theme to be bought in the same proportions by everybody: then this is the gain in foretelling
the product itself, so that it compares themes of any number and make. Themes dealt at random gain nothing.

Intervals count each customer a Poisson number of times.

References: Minka (2000), Estimating a Dirichlet distribution; Chamandy et al. (2012), Estimating uncertainty for
massive data streams (Poisson bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from smlab.checks import UsageError
from smlab.kmeans import Floats
from smlab.metrics import Interval


def counts(frame: pd.DataFrame, theme: pd.Series, k: int, *, but: pd.DataFrame | None = None) -> pd.DataFrame:
    """Count the different products of each theme that each customer bought: n_ij, customers as they first come.

    Parameters
    ----------
    frame : customer, product
    theme : of each product; -1 counts nowhere
    but : purchases whose products, of the same customer, do not count: what is left is new to them

    >>> bought = pd.DataFrame({"customer": ["u", "u", "v"], "product": ["a", "b", "a"]})
    >>> counts(bought, pd.Series({"a": 0, "b": 1}), 2).to_numpy().tolist()
    [[1, 1], [1, 0]]
    """
    pairs = pd.DataFrame({"customer": frame["customer"], "product": frame["product"].astype("str")}).drop_duplicates()
    if but is not None:
        had = pd.MultiIndex.from_arrays([but["customer"], but["product"].astype("str")])
        pairs = pairs[~pd.MultiIndex.from_frame(pairs).isin(had)]
    at = pairs["product"].map(theme).fillna(-1).to_numpy(dtype=int)
    row, who = pd.factorize(pairs["customer"])
    flat = np.bincount(row[at >= 0] * k + at[at >= 0], minlength=len(who) * k)
    table = pd.DataFrame(flat.reshape(-1, k), pd.Index(who, name="customer"))
    return table[table.sum(axis=1) > 0]


class HeldOut(NamedTuple):
    """What customers bought of each theme in the past, and afterwards; of those who bought something new then.

    Parameters
    ----------
    seen : n, (n_customers, k), indexed by customer
    new : n' of products that the customer had not bought before
    all : n' of all products bought afterwards
    common : π, the shares of all customers of the past, also of those who bought nothing afterwards
    """

    seen: pd.DataFrame
    new: pd.DataFrame
    all: pd.DataFrame
    common: Floats


def held_out(past: pd.DataFrame, later: pd.DataFrame, theme: pd.Series, k: int) -> HeldOut:
    """Count what was bought before and after, of each theme; `past` and `later` as for `counts`."""
    seen, new, again = counts(past, theme, k), counts(later, theme, k, but=past), counts(later, theme, k)
    both = seen.index[seen.index.isin(new.index)]
    if not len(both):
        raise UsageError("no customer of the past bought a product of a theme later that was new to them")
    whole = seen.sum().to_numpy(dtype=float)
    smoothed = (whole + 1 / k) / (whole.sum() + 1)  # a theme that nobody bought is possible
    return HeldOut(seen.loc[both], new.loc[both], again.loc[both], smoothed)


def news(past: pd.DataFrame, later: pd.DataFrame) -> float:
    """Give the share of later products, one a customer and product, that customers of the past had not bought."""
    of = later[later["customer"].isin(past["customer"].unique())]
    pairs = of[["customer", "product"]].astype({"product": "str"}).drop_duplicates()
    had = pd.MultiIndex.from_arrays([past["customer"], past["product"].astype("str")])
    return float(1 - pd.MultiIndex.from_frame(pairs).isin(had).mean()) if len(pairs) else float("nan")


def profile(n: ArrayLike, common: ArrayLike, trust: float) -> Floats:
    """Give p_ij = (n_ij + α π_j) / (N_i + α), (n_customers, k).

    Parameters
    ----------
    n : (n_customers, k) products of each theme
    common : π, (k,), or one for each customer
    trust : α

    >>> profile([[4, 0]], [0.5, 0.5], 4).tolist()
    [[0.75, 0.25]]
    """
    x, pi = np.asarray(n, dtype=float), np.asarray(common, dtype=float)
    if not trust > 0:
        raise UsageError(f"trust={trust:g} must be above 0: it counts as products")
    return (x + trust * pi) / (x.sum(axis=1, keepdims=True) + trust)


def learn_trust(n: ArrayLike, later: ArrayLike, common: ArrayLike) -> float:
    """Give the α under which what customers bought later, n' (n_customers, k), is likeliest, between 1 and 10,000."""
    new, most = np.asarray(later, dtype=float), np.log(10_000)
    found = minimize_scalar(
        lambda a: -float((new * np.log(profile(n, common, float(np.exp(a))))).sum()), bounds=(0, most), method="bounded"
    )
    return float(np.exp(found.x))


def gain(p: ArrayLike, later: ArrayLike, common: ArrayLike, *, n_boot: int = 500, seed: int = 0) -> Interval:
    """Give the bits a product that p (n_customers, k) knows more of n' than π does; customers are drawn anew.

    >>> print(gain([[1.0, 0.0], [0.5, 0.5]], [[3, 0], [1, 0]], [0.5, 0.5]).value)
    0.75
    """
    new = np.asarray(later, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.where(new > 0, new * np.log2(np.asarray(p) / np.asarray(common)), 0.0).sum(axis=1)
    return ratio(bits, new.sum(axis=1), n_boot=n_boot, seed=seed)


def shown(p: ArrayLike, later: ArrayLike, *, n: int = 3, n_boot: int = 500, seed: int = 0) -> Interval:
    """Give the share of what customers bought later that comes from the n themes they were most expected to like."""
    new = np.asarray(later, dtype=float)
    return ratio(_within(p, new, n), new.sum(axis=1), n_boot=n_boot, seed=seed)


def difference(
    p: ArrayLike, q: ArrayLike, later: ArrayLike, *, n: int = 3, n_boot: int = 500, seed: int = 0
) -> Interval:
    """Give how much more of what was bought later lies in the n themes by p than in those by q: paired, by customer."""
    new = np.asarray(later, dtype=float)
    mine, other = (_within(x, new, n) for x in (p, q))
    return ratio(mine - other, new.sum(axis=1), n_boot=n_boot, seed=seed)


def _within(p: ArrayLike, new: Floats, n: int) -> Floats:
    """Count what each customer bought of the n themes with the largest p (n_customers,)."""
    best = np.argsort(-np.broadcast_to(np.asarray(p, dtype=float), new.shape), axis=1, kind="stable")[:, :n]
    return np.take_along_axis(new, best, axis=1).sum(axis=1)


def of_segments(n: ArrayLike, labels: ArrayLike, common: ArrayLike, trust: float) -> Floats:
    """Give each customer the profile of their segment, all its customers put together (n_customers, k)."""
    x, z = np.asarray(n, dtype=float), np.asarray(labels)
    numbers, at = np.unique(z, return_inverse=True)
    sums = np.array([x[z == j].sum(axis=0) for j in numbers])
    return profile(sums, common, trust)[at]


def ratio(above: ArrayLike, below: ArrayLike, *, n_boot: int = 500, seed: int = 0) -> Interval:
    """Give Σ above / Σ below with its interval; each customer counts a Poisson number of times."""
    a, b = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    if not b.sum() > 0:
        raise UsageError("these customers bought nothing that a forecast could be compared with")
    drawn = np.random.default_rng(seed).poisson(1.0, (n_boot, len(a)))
    low, high = np.quantile((drawn @ a) / np.maximum(drawn @ b, 1e-12), [0.025, 0.975])
    return Interval(float(a.sum() / b.sum()), float(low), float(high))


def lifts(
    n: pd.DataFrame, labels: ArrayLike, names: Sequence[str], *, n_boot: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Compare the shares of the themes in each segment with those in all others.

    Parameters
    ----------
    n : (n_customers, k) products of each theme
    labels : segment of each customer, from 0
    names : of the themes

    Returns
    -------
    frame with a row for each segment and theme: share, others (their share), lift = share / others, low, high
    """
    z, x = np.asarray(labels), n.to_numpy(dtype=float)
    segments = np.unique(z)
    if len(z) != len(x) or len(segments) < 2:
        raise UsageError(f"{len(x)} customers need a segment each, and 2 segments or more")
    weight = np.random.default_rng(seed).poisson(1.0, (n_boot, len(x))).astype(float)
    weight[0] = 1  # the first is what was seen
    sums = {j: weight[:, z == j] @ x[z == j] for j in segments}  # (B, k) each
    whole = sum(sums.values())
    rows = []
    for j in segments:
        own, other = _shares(sums[j]), _shares(np.asarray(whole) - sums[j])
        lift = own / np.maximum(other, 1e-12)
        low, high = np.quantile(lift[1:], [0.025, 0.975], axis=0)
        columns = {"theme": list(names), "share": own[0], "others": other[0], "lift": lift[0]}
        rows.append(pd.DataFrame({"segment": j, **columns, "low": low, "high": high}))
    return pd.concat(rows, ignore_index=True)


def _shares(sums: Floats) -> Floats:
    return sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-12)


def called(table: pd.DataFrame, *, least: float = 1.25, most: int = 2) -> dict[int, str]:
    """Name each segment of `lifts` by the themes it surely buys `least` times as much as others: the lower end counts.

    >>> rows = pd.DataFrame({"segment": [0, 0, 1, 1], "theme": ["tea", "wall"] * 2, "lift": [2.0, 0.5, 0.5, 2.0],
    ...                      "low": [1.8, 0.4, 0.4, 1.1]})
    >>> called(rows)
    {0: 'tea', 1: 'a bit of everything'}
    """
    names: dict[int, str] = {}
    for segment, part in table.groupby("segment"):
        sure = part[part["low"] >= least].nlargest(most, "lift")
        name = " + ".join(sure["theme"]) or "a bit of everything"
        again = sum(other.split(" (")[0] == name for other in names.values())
        names[int(str(segment))] = f"{name} ({again + 1})" if again else name
    return names
