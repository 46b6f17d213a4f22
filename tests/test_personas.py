"""Names say what is so, whatever the seed; sizes carry the doubt about the cut; a continuum gets few cuts."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.choosing_k import planted
from smlab.densities import mixture
from smlab.kmeans import KMeans
from smlab.personas import AVOID, NAMES, SEND, beside, cuts, habits, personas, shares, traits
from smlab.rfm import scaled

KINDS = {  # recency, frequency, monetary, tenure of the typical one
    "Silent one-time buyers, small baskets": (400, 1, 12, 400),
    "Silent regulars": (300, 12, 30, 420),
    "Regulars": (5, 12, 30, 420),
    "Newcomers, large baskets": (8, 1, 90, 8),
}
COLUMNS = ["recency", "frequency", "monetary", "tenure"]


def shop(n: int = 200, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw n customers of each kind, all numbers within a tenth of the typical one's, mixed."""
    rng = np.random.default_rng(seed)
    middle = np.repeat(np.array(list(KINDS.values()), dtype=float), n, axis=0)
    x = middle * rng.uniform(0.9, 1.1, middle.shape)
    x[:, 1] = middle[:, 1]
    x[:, 3] = np.where(middle[:, 1] == 1, x[:, 0], np.maximum(x[:, 3], x[:, 0] + 1))
    order = rng.permutation(len(x))
    return pd.DataFrame(x[order], columns=COLUMNS), np.repeat(np.arange(len(KINDS)), n)[order]


def test_names_say_what_was_planted():
    features, z = shop()
    assert traits(features, z)["name"].tolist() == list(KINDS)


def test_every_place_has_a_name_and_an_advice():
    assert set(NAMES) == set(SEND) == set(AVOID) and len(set(NAMES.values())) == len(NAMES)


def test_same_names_whatever_the_seed_and_the_order_of_the_customers():
    features, _ = shop()
    X = scaled(features[COLUMNS[:3]])
    names = set()
    for seed in range(5):
        at = np.random.default_rng(seed).permutation(len(X))
        z = KMeans(k=4, seed=seed).fit(X.iloc[at]).labels_
        names.add(tuple(sorted(traits(features.iloc[at], z)["name"])))
    assert names == {tuple(sorted(KINDS))}


def test_equal_names_are_told_apart():
    orders = [12.0, 12, 20, 20, 1, 1, 1, 1, 1, 1]
    features = pd.DataFrame({"recency": 5.0, "frequency": orders, "monetary": 20.0, "tenure": 400.0})
    found = traits(features, [0, 0, 1, 1, 2, 2, 3, 3, 3, 3])["name"].tolist()
    assert found == ["Regulars, 12 orders", "Regulars, 20 orders", "Newcomers", "Newcomers (2)"]


def test_cards_hold_shares_that_add_up_and_say_them():
    features, z = shop()
    X, spent = scaled(features[COLUMNS[:3]]), features["monetary"] * features["frequency"]
    cards = personas(features, X, z, spent, n_boot=10)
    assert sum(c.customers.value for c in cards) == pytest.approx(1) == sum(c.revenue.value for c in cards)
    assert [c.n for c in cards] == [200] * 4
    assert cards[2].revenue.value == pytest.approx(spent[z == 2].sum() / spent.sum())
    sentence = cards[0].sentence("EUR")
    assert "one order of 12 EUR, placed" in sentence and "25.0%" in sentence


def test_interval_of_a_size_is_narrow_for_planted_segments_and_wide_for_cuts_through_noise():
    """Noise in a disc is cut anew in every sample; planted clusters are not."""
    lumps = planted(600, k=3, separation=10)[0]
    rng = np.random.default_rng(0)
    disc = rng.normal(size=(600, 2))
    wide = {}
    for name, x in (("lumps", lumps), ("disc", disc)):
        z = KMeans(k=3).fit(x).labels_
        wide[name] = np.mean([s.high - s.low for s in shares(x, z, np.ones(600), n_boot=20)[0]])
    assert 0.02 < wide["lumps"] < 0.1 < wide["disc"]


def test_shares_hold_their_own_value_and_same_seed_gives_the_same():
    x = np.random.default_rng(3).normal(size=(300, 2))
    z = KMeans(k=4).fit(x).labels_
    first, again = (shares(x, z, np.ones(300), n_boot=5, seed=1) for _ in range(2))
    assert first == again
    assert all(s.low <= s.value <= s.high for part in first for s in part)
    assert first[0] == first[1]  # of equal money the shares are those of the customers


def test_samples_of_fewer_customers_give_the_same_width(monkeypatch):
    x, z = planted(4000, k=3, separation=10)
    width = []
    for most in (4000, 500):
        monkeypatch.setattr("smlab.personas.MOST", most)
        width.append(np.mean([s.high - s.low for s in shares(x, z, np.ones(4000), n_boot=60)[0]]))
    assert width[1] == pytest.approx(width[0], rel=0.25)


def test_cuts_take_the_planted_number_and_few_of_a_continuum():
    assert cuts(planted(600, k=4, separation=10)[0], range(2, 7))["chosen"].idxmax() == 4
    table = cuts(np.random.default_rng(1).normal(size=(800, 3)), range(2, 7))
    assert table["chosen"].sum() == 1 and table["chosen"].idxmax() <= 3


def test_rivals_stand_beside_and_agree_where_clusters_are_planted():
    x, z = planted(400, k=3, separation=12)
    table = beside(x, z, [mixture(x, range(1, 5))])
    assert table["segments"].tolist() == [3, 3] and table["adjusted Rand with k-means"].min() > 0.99


def test_habits_say_pace_range_and_day():
    n = 50
    features = pd.DataFrame({"frequency": [4.0] * n + [1.0] * n})
    often, once = ([a] * n + [b] * n for a, b in ((0.9, 0.1), (0.1, 0.9)))
    ways = pd.DataFrame({"gap": 25.0, "products": [8.0] * n + [2.0] * n, "friday": often, "monday": once,
                         "returned": [0.1] * n + [0.0] * n})  # fmt: skip
    first, second = habits(features, ways, [0] * n + [1] * n)
    assert first == (
        ", an order every 25 days, 8 different products, 10% of the money sent back, "
        "on Fridays more than others (90% of orders)"
    )
    assert second == ", 2 different products, on Mondays more than others (90% of orders)"


def test_a_weekday_that_may_be_chance_is_not_told():
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"frequency": np.ones(300)})
    ways = pd.DataFrame({"gap": 9.0, "friday": rng.random(300), "monday": rng.random(300)})
    assert habits(features, ways, rng.integers(0, 3, 300)) == [""] * 3


ERRORS = {
    "personas need the columns recency, frequency, monetary, tenure; 'tenure' is missing": lambda f, z: traits(
        f.drop(columns="tenure"), z
    ),
    "800 customers, 799 segments and 800 sums": lambda f, z: personas(f, f, z[1:], f["monetary"]),
    "7 customers are too few to be segmented; 8 or more are needed": lambda f, z: cuts(f[:7]),
    "n_boot=1: an interval needs 2 samples or more": lambda f, z: shares(f, z, f["monetary"], n_boot=1),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text](*shop())
