"""From segments to personas: how many can be told apart, what each is called, and a card that one can act on.

A segment is named by three facts about its median customer:

    timing   days since the last order / mean days between orders: recent to 1, cooling to 2, silent beyond; of a
             single order the gap is not known, and the median gap of those who came back stands in for it
    habit    orders: one-time (the median is 1), frequent (from the upper quartile of all, and 3, on), or occasional
    basket   the mean order: large (the upper third of all), small (the lower third), or neither, which stays unsaid

The name says these facts and nothing else, so it is the same for the same segment whatever the seed. What to send and
what not is the custom of the trade for that place, not something measured here: a hypothesis for the next experiment.

Sizes carry the doubt about the cut itself: customers are drawn anew, segmented anew, the new segments matched to the
old ones by their common customers (Kuhn 1955), and the middle 95 % of the shares make the interval.

References: Hughes (1994), Strategic database marketing; Hennig (2007), Cluster-wise assessment of cluster stability;
Kuhn (1955), The Hungarian method for the assignment problem.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.checks import UsageError
from smlab.choosing_k import silhouette, stability
from smlab.densities import Clusters
from smlab.kmeans import Floats, Ints, KMeans, need_points
from smlab.metrics import Interval
from smlab.rfm import WEEKDAYS

RECENT, SILENT = 1.0, 2.0  # gaps since the last order
FEWEST = 8  # customers that can be cut in two with four on each side
WEAKEST, ALIKE = 0.75, 0.7  # Jaccard of the weakest segment (Hennig 2007); lower end of the adjusted Rand
NAMES = {
    ("recent", "frequent"): "Regulars",
    ("recent", "occasional"): "Returning buyers",
    ("recent", "one-time"): "Newcomers",
    ("cooling", "frequent"): "Regulars cooling off",
    ("cooling", "occasional"): "Occasional buyers cooling off",
    ("cooling", "one-time"): "One-time buyers cooling off",
    ("silent", "frequent"): "Silent regulars",
    ("silent", "occasional"): "Silent occasional buyers",
    ("silent", "one-time"): "Silent one-time buyers",
}
SEND = {
    ("recent", "frequent"): "thanks, early access, an invitation to bring a friend",
    ("recent", "occasional"): "what goes with the last order, at the pace of their own orders",
    ("recent", "one-time"): "a welcome, help with the first purchase, then one reason for a second",
    ("cooling", "frequent"): "a personal question before their usual gap has passed twice",
    ("cooling", "occasional"): "what is new since their last order, once",
    ("cooling", "one-time"): "one reason for a second purchase, then wait",
    ("silent", "frequent"): "one win-back with a real reason, and a question what went wrong",
    ("silent", "occasional"): "one message for the season in which they bought",
    ("silent", "one-time"): "one message that costs next to nothing, close to what they bought",
}
AVOID = {
    ("recent", "frequent"): "discounts: they buy anyway, and learn to wait for them",
    ("recent", "occasional"): "daily messages",
    ("recent", "one-time"): "an upsell before the first parcel has arrived",
    ("cooling", "frequent"): "a discount for all of them",
    ("cooling", "occasional"): "a series of reminders",
    ("cooling", "one-time"): "paid advertising to win them back",
    ("silent", "frequent"): "a series: silence is an answer, too",
    ("silent", "occasional"): "letters and paid advertising",
    ("silent", "one-time"): "anything that costs; delete their data when its time is over",
}
MOST = 50_000  # customers in a sample; of more the spread is that of m of n
NEEDED = ("recency", "frequency", "monetary", "tenure")


@dataclass(frozen=True)
class Persona:
    """A segment that one can act on.

    Parameters
    ----------
    segment : its number
    n : customers
    customers, revenue : share of all, with the doubt about the cut
    recency, frequency, monetary : of the median customer: days since the last order, orders, mean order
    spent : money of a customer so far, on average
    habits : how they buy, in words; may be empty
    send, avoid : the custom of the trade, to be tested
    """

    segment: int
    name: str
    n: int
    customers: Interval
    revenue: Interval
    recency: float
    frequency: float
    monetary: float
    spent: float
    habits: str
    send: str
    avoid: str

    def sentence(self, currency: str = "") -> str:
        """Say in plain words who this is."""
        orders = "one order" if self.frequency == 1 else f"{self.frequency:,.0f} orders"
        each, spent = (f"{money:,.0f} {currency}".strip() for money in (self.monetary, self.spent))
        last = "the last" if self.frequency > 1 else "placed"
        return (
            f"The typical one has {orders} of {each}, {last} {self.recency:,.0f} days ago{self.habits}. They are "
            f"{self.customers:.1%} of the customers and bring {self.revenue:.1%} of the revenue, {spent} each so far."
        )


def personas(
    features: pd.DataFrame,
    X: ArrayLike,
    labels: ArrayLike,
    spent: ArrayLike,
    *,
    behaviour: pd.DataFrame | None = None,
    n_boot: int = 40,
    seed: int = 0,
) -> list[Persona]:
    """Make a card for each segment, in the order of their numbers.

    Parameters
    ----------
    features : recency, frequency, monetary and tenure of each customer, as `rfm.rfm` gives them
    X : (n, d) what the segments were made from
    labels : (n,) numbers of the segments from 0
    spent : (n,) money of each customer in all
    behaviour : of `rfm.behaviour`, indexed as features
    """
    z, money = np.asarray(labels), np.asarray(spent, dtype=float)
    if not len(features) == len(z) == len(money):
        raise UsageError(
            f"{len(features)} customers, {len(z)} segments and {len(money)} sums: one a customer is needed"
        )
    table = traits(features, z)
    share, revenue = shares(X, z, money, n_boot=n_boot, seed=seed)
    sizes = np.bincount(z, minlength=len(table))
    mean = pd.Series(money).groupby(z).mean()
    ways = [""] * len(table) if behaviour is None else habits(features, behaviour, z)
    made = []
    for j, (name, timing, habit) in enumerate(table[["name", "timing", "habit"]].itertuples(index=False)):
        last, often, basket = (float(table[c].iloc[j]) for c in NEEDED[:3])
        advice = SEND[timing, habit], AVOID[timing, habit]
        about = (last, often, basket, float(mean.iloc[j]), ways[j], *advice)
        made.append(Persona(j, name, int(sizes[j]), share[j], revenue[j], *about))
    return made


def habits(features: pd.DataFrame, behaviour: pd.DataFrame, labels: ArrayLike) -> list[str]:
    """Say of each segment how it buys: pace, range, what goes back, and the weekday that clearly sets it apart.

    >>> bought = pd.DataFrame({"frequency": [3.0, 1.0]})
    >>> ways = pd.DataFrame({"gap": [30.0, 9.0]})
    >>> habits(bought, ways, [0, 1])
    [', an order every 30 days', '']
    """
    z = np.asarray(labels)
    days = [day for day in WEEKDAYS if day in behaviour]
    said = []
    for j, part in behaviour.groupby(z):
        words = []
        if features["frequency"][z == j].median() > 1:
            words.append(f"an order every {part['gap'].median():.0f} days")
        if "products" in part:
            words.append(f"{part['products'].median():.0f} different products")
        if "returned" in part and part["returned"].mean() >= 0.01:
            words.append(f"{part['returned'].mean():.0%} of the money sent back")
        apart = part[days].mean() - behaviour[days].mean()
        clear = apart[(apart >= 0.01) & (apart > 3 * behaviour[days].std() / np.sqrt(len(part)))]
        if len(clear):
            day = str(clear.idxmax())
            words.append(f"on {day.capitalize()}s more than others ({part[day].mean():.0%} of orders)")
        said.append("".join(f", {word}" for word in words))
    return said


def traits(features: pd.DataFrame, labels: ArrayLike) -> pd.DataFrame:
    """Give each segment its medians, the words timing, habit and basket, and a name that no other segment has.

    >>> bought = pd.DataFrame({"recency": [5.0, 9, 300, 310, 320], "frequency": [9.0, 7, 1, 1, 1],
    ...                        "monetary": 20.0, "tenure": [300.0, 300, 300, 310, 320]})
    >>> traits(bought, [0, 0, 1, 1, 1])["name"].tolist()
    ['Regulars', 'Silent one-time buyers']
    """
    absent = [name for name in NEEDED if name not in features]
    if absent:
        raise UsageError(f"personas need the columns {', '.join(NEEDED)}; {absent[0]!r} is missing")
    z = np.asarray(labels)
    columns = features[list(NEEDED)]
    table = columns.groupby(z).median().rename_axis("segment")
    often = max(3.0, float(columns["frequency"].quantile(0.75)))
    table["habit"] = np.select(
        [table["frequency"] < 1.5, table["frequency"] >= often], ["one-time", "frequent"], "occasional"
    )
    late = _rhythm(columns).groupby(z).median()
    table["timing"] = np.select([late <= RECENT, late > SILENT], ["recent", "silent"], "cooling")
    basket = _place(columns["monetary"], table["monetary"])
    table["basket"] = np.select([basket >= 2 / 3, basket <= 1 / 3], ["large", "small"], "")
    words = table[["timing", "habit", "basket"]].itertuples(index=False)
    table["name"] = _unique([_name(*three) for three in words], table["frequency"].tolist())
    return table


def _rhythm(columns: pd.DataFrame) -> pd.Series:
    """Give days since the last order / mean days between orders."""
    gap = (columns["tenure"] - columns["recency"]) / (columns["frequency"] - 1).where(columns["frequency"] > 1)
    usual = gap.where(gap > 0).median()
    usual = columns["tenure"].median() if np.isnan(usual) else usual  # nobody came back
    return columns["recency"] / gap.where(gap > 0).fillna(max(usual, 1.0))


def _place(all_: pd.Series, values: pd.Series) -> Floats:
    """Give the share of all that lie below each value, half of those equal to it."""
    known = np.sort(all_.to_numpy(dtype=float))
    below, upto = (np.searchsorted(known, values.to_numpy(dtype=float), side=side) for side in ("left", "right"))
    return (below + upto) / (2 * len(known))


def _name(timing: str, habit: str, basket: str) -> str:
    return NAMES[timing, habit] + (f", {basket} baskets" if basket else "")


def _unique(names: list[str], orders: list[float]) -> list[str]:
    """Tell equal names apart by the orders of the median customer, and what is still equal by a number."""
    alike = {name: [o for n, o in zip(names, orders, strict=True) if n == name] for name in names}
    named = [f"{n}, {o:.0f} orders" if len(set(alike[n])) > 1 else n for n, o in zip(names, orders, strict=True)]
    return [n if named.index(n) == i else f"{n} ({named[: i + 1].count(n)})" for i, n in enumerate(named)]


def shares(
    X: ArrayLike, labels: ArrayLike, spent: ArrayLike, *, n_boot: int = 40, seed: int = 0
) -> tuple[list[Interval], list[Interval]]:
    """Give each segment's share of the customers and of their money, with the doubt about the cut."""
    from scipy.optimize import linear_sum_assignment

    x, z, money = need_points(X), np.asarray(labels), np.asarray(spent, dtype=float)
    k, rng = int(z.max()) + 1, np.random.default_rng(seed)
    if n_boot < 2:
        raise UsageError(f"n_boot={n_boot}: an interval needs 2 samples or more")
    m, here = min(len(x), MOST), np.array([_parts(z, w, k) for w in (None, money)])
    drawn = np.empty((n_boot, 2, k))
    for b in range(n_boot):
        at = rng.integers(0, len(x), m)
        new = _again(x[at], z[at], k, seed + b)
        common = np.bincount(z[at] * k + new, minlength=k * k).reshape(k, k)  # old, new
        mine = linear_sum_assignment(-common)[1]  # old → new
        drawn[b] = [_parts(new, w, k)[mine] for w in (None, money[at])]
    drawn = here + (drawn - here) * np.sqrt(m / len(x))  # m of n: Bickel, Götze & van Zwet (1997)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    low, high = np.minimum(low, here), np.maximum(high, here)
    found = [[Interval(*map(float, v)) for v in zip(here[i], low[i], high[i], strict=True)] for i in (0, 1)]
    return found[0], found[1]


def _again(x: Floats, z: Ints, k: int, seed: int) -> Ints:
    """Segment a sample; one with fewer different points than k keeps the segments it had."""
    try:
        return KMeans(k=k, n_init=3, seed=seed).fit(x).labels_
    except UsageError:
        return z


def _parts(z: Ints, weights: Floats | None, k: int) -> Floats:
    sums = np.bincount(z, weights, minlength=k)
    return sums / max(sums.sum(), 1e-300)


def beside(X: ArrayLike, labels: ArrayLike, rivals: Iterable[Clusters], *, seed: int = 0) -> pd.DataFrame:
    """Put what other methods find in the points X (n, d) beside segments (n,): how many, noise, silhouette, Rand."""
    from sklearn.metrics import adjusted_rand_score

    x, own = need_points(X), np.asarray(labels)
    named = [(f"k-means, {len(np.unique(own))}", own), *((rival.method, rival.labels) for rival in rivals)]
    rows = {}
    for method, z in named:
        n = len(np.unique(z[z >= 0]))
        width = silhouette(x, z, seed=seed).value if n > 1 else np.nan
        rows[method] = [n, float((z < 0).mean()), width, adjusted_rand_score(own, z)]
    columns = ["segments", "noise", "silhouette", "adjusted Rand with k-means"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("method")


def cuts(X: ArrayLike, ks: Iterable[int] = range(2, 9), *, n_boot: int = 30, seed: int = 0) -> pd.DataFrame:
    """Say how well k cuts would be found again, and choose the most that would.

    Where there are no clusters any k is a cut through a continuum. It is of use while another sample of customers
    would be cut in the same places: the weakest segment's mean Jaccard is 0.75 or more, and the adjusted Rand 0.7 or
    more in 97.5 % of samples. More segments than that are named after noise.

    Returns
    -------
    frame with a row a k: rand, rand_low, rand_high, weakest, chosen
    """
    tried, x = sorted({int(k) for k in ks}), need_points(X)
    if len(x) < FEWEST:
        raise UsageError(f"{len(x)} customers are too few to be segmented; {FEWEST} or more are needed")
    rows = []
    for k in tried:
        found = stability(x, k, n_boot=n_boot, seed=seed)
        rows.append([*found.rand, float(found.jaccard.min())])
    table = pd.DataFrame(rows, pd.Index(tried, name="k"), ["rand", "rand_low", "rand_high", "weakest"])
    holds = table.index[(table["weakest"] >= WEAKEST) & (table["rand_low"] >= ALIKE)]
    chosen = max(holds) if len(holds) else table["weakest"].idxmax()
    return table.assign(chosen=table.index == chosen)
