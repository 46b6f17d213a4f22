"""A planted taste is found in what is bought next, none is made up, and the formulas are those of the docstring."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.tastes import (
    called,
    counts,
    difference,
    gain,
    held_out,
    learn_trust,
    lifts,
    news,
    of_segments,
    profile,
    shown,
)

PI = np.array([0.5, 0.3, 0.2])


def drawn(trust: float, n: int = 1500, size: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw customers with tastes from Dirichlet(α π), and what they buy before and after."""
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(trust * PI, n)
    before, after = (np.array([rng.multinomial(m, p) for p in taste]) for m in (size, 10))
    return before, after


@pytest.mark.parametrize("trust", [3, 30])
def test_the_trust_that_was_planted_is_learnt(trust):
    found = np.array([learn_trust(*drawn(trust, seed=s), PI) for s in range(5)])
    assert found.mean() == pytest.approx(trust, rel=0.15)


def test_a_planted_taste_gains_what_its_entropy_says():
    """The best forecast gains the divergence of the posterior mean from π; the profile at the true α is that."""
    before, after = drawn(3)
    p = profile(before, PI, 3)
    expected = float((p * np.log2(p / PI)).sum(axis=1).mean())
    found = gain(p, after, PI)
    assert found.low < expected < found.high and found.low > 0.1
    assert gain(before + 0.01, after, PI).value != found.value
    assert all(gain(profile(before, PI, a), after, PI).value < found.value for a in (0.3, 30, 3000))


def test_without_taste_nothing_is_gained():
    rng = np.random.default_rng(3)
    for seed in range(5):
        before, after = rng.multinomial(20, PI, 800), rng.multinomial(10, PI, 800)
        p = profile(before, PI, learn_trust(before, after, PI))
        assert abs(gain(p, after, PI, seed=seed).value) < 0.003


def test_who_bought_nothing_is_like_all_and_who_bought_much_like_themselves():
    assert profile([[0, 0, 0]], PI, 5).tolist() == [PI.tolist()]
    assert profile([[0, 10**9, 0]], PI, 5)[0, 1] == pytest.approx(1)
    assert gain(PI, [[3, 1, 2]], PI).value == 0


def test_customers_shown_their_own_themes_find_more_there():
    before, after = drawn(3)
    p = profile(before, PI, 3)
    own, same = shown(p, after, n=1), shown(PI, after, n=1)
    better = difference(p, PI, after, n=1)
    assert better.value == pytest.approx(own.value - same.value) and better.low > 0.05
    assert shown(p, after, n=3).value == 1


def test_products_count_once_and_what_is_known_does_not_count_as_new():
    past = pd.DataFrame({"customer": ["u", "u", "v", "w"], "product": ["a", "a", "b", "a"]})
    later = pd.DataFrame({"customer": ["u", "u", "v", "x"], "product": ["a", "b", "b", "c"]})
    theme = pd.Series({"a": 0, "b": 1, "c": -1})
    assert counts(past, theme, 2).to_numpy().tolist() == [[1, 0], [0, 1], [1, 0]]
    found = held_out(past, later, theme, 2)
    assert found.seen.index.tolist() == ["u"] and found.new.to_numpy().tolist() == [[0, 1]]
    assert found.all.to_numpy().tolist() == [[1, 1]] and found.common == pytest.approx([2.5 / 4, 1.5 / 4])
    assert news(past, later) == pytest.approx(1 / 3)


def test_a_segment_shares_one_profile():
    p = of_segments([[2, 0], [4, 0], [0, 6]], [0, 0, 1], [0.5, 0.5], 2)
    assert p.round(4).tolist() == [[0.875, 0.125], [0.875, 0.125], [0.125, 0.875]]


def two_kinds(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    kinds = [rng.multinomial(20, p, m) for p, m in (([0.6, 0.3, 0.1], 200), ([0.2, 0.3, 0.5], 300))]
    return pd.DataFrame(np.vstack(kinds)), np.repeat([0, 1], [200, 300])


def test_lift_is_share_over_the_share_of_the_others():
    n, z = two_kinds(0)
    table = lifts(n, z, ["tea", "wall", "rose"]).set_index(["segment", "theme"])
    own = n[z == 0].sum() / n[z == 0].to_numpy().sum()
    other = n[z == 1].sum() / n[z == 1].to_numpy().sum()
    assert table.loc[0, "lift"].to_numpy() == pytest.approx((own / other).to_numpy())
    assert called(table.reset_index()) == {0: "tea", 1: "rose"}


def test_nineteen_of_twenty_intervals_of_a_lift_hold_it():
    tables = [lifts(*two_kinds(seed), ["tea", "wall", "rose"], seed=seed) for seed in range(40)]
    inside = [(t["low"] <= 3) & (t["high"] >= 3) for t in (table.iloc[:1] for table in tables)]
    inside += [(t["low"] <= 1) & (t["high"] >= 1) for t in (table.iloc[1:2] for table in tables)]
    assert np.mean([bool(found.all()) for found in inside]) >= 0.88  # 80 intervals


def test_alike_segments_have_names_of_their_own():
    rows = pd.DataFrame({"segment": [0, 1, 2], "theme": "tea", "lift": 1.0, "low": 0.9})
    assert list(called(rows).values()) == [
        "a bit of everything",
        "a bit of everything (2)",
        "a bit of everything (3)",
    ]


EMPTY = pd.DataFrame({"customer": ["u"], "product": ["a"]})
ERRORS = {
    "trust=0 must be above 0": lambda: profile([[1, 0]], [0.5, 0.5], 0),
    "these customers bought nothing": lambda: gain(PI, [[0, 0, 0]], PI),
    "no customer of the past bought a product of a theme later": lambda: held_out(EMPTY, EMPTY, pd.Series({"a": 0}), 2),
    "2 customers need a segment each, and 2 segments": lambda: lifts(pd.DataFrame([[1], [2]]), [0, 0], ["a"]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
