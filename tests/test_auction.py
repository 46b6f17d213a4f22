"""The auction gives the place to the highest score at the least price that keeps it; truth cannot be beaten."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab import adworld
from smlab.auction import candidates, chance, compare, run
from smlab.checks import UsageError
from smlab.metrics import bootstrap


def auctions(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return true click probabilities and bids, each (n, k)."""
    rng = np.random.default_rng(seed)
    return rng.beta(1, 12, (n, k)), rng.lognormal(0, 0.5, (n, k))


def slowly(q, b, p, reserve, attention):
    """Hold one auction as the formula says, by sorting a list; return winners, prices, clicks, revenue, welfare."""
    order = sorted((j for j in range(len(q)) if b[j] >= reserve), key=lambda j: -q[j] * b[j])
    winners, prices, totals = [], [], np.zeros(3)
    for r, x in enumerate(attention):
        if r >= len(order):
            winners.append(-1)
            prices.append(0.0)
            continue
        j = order[r]
        following = q[order[r + 1]] * b[order[r + 1]] if r + 1 < len(order) else 0.0
        price = max(following / q[j], reserve)
        winners.append(j)
        prices.append(price)
        totals += x * p[j] * np.array([1, price, b[j]])
    return winners, prices, *totals


@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize(
    ("reserve", "attention"), [(0.0, (1.0,)), (0.8, (1.0,)), (0.0, (1.0, 0.6, 0.3)), (1.0, (0.9, 0.2))]
)
def test_auctions_are_those_of_the_formula_one_by_one(k, reserve, attention):
    p, b = auctions(200, k, seed=k)
    q = np.clip(p * np.random.default_rng(1).lognormal(0, 0.4, p.shape), 0, 1)
    result = run(q, b, p, reserve=reserve, attention=attention)
    for i in range(200):
        winners, prices, *totals = slowly(q[i], b[i], p[i], reserve, attention)
        assert result.winners[i].tolist() == winners
        np.testing.assert_allclose(result.prices[i], prices, rtol=1e-12)
        np.testing.assert_allclose([result.clicks[i], result.revenue[i], result.welfare[i]], totals, rtol=1e-12)


def test_winner_pays_what_the_next_one_would_make_it_worth():
    """Varian (2007): of scores 0.10 · 2 = 0.20 and 0.04 · 3 = 0.12, the first pays 0.12 / 0.10 = 1.20, not 3 nor 2."""
    result = run([[0.10, 0.04]], [[2.0, 3.0]], [[0.1, 0.04]])
    assert (result.winners[0, 0], round(result.prices[0, 0], 9)) == (0, 1.2)


def test_equal_bids_rank_by_click_rate_and_equal_rates_by_bid():
    p, b = auctions(300, 5, seed=1)
    assert (run(p, np.ones(5), p).winners[:, 0] == p.argmax(axis=1)).all()
    assert (run(np.full(p.shape, 0.1), b, p).winners[:, 0] == b.argmax(axis=1)).all()
    second = np.sort(b, axis=1)[:, -2]
    np.testing.assert_allclose(run(np.full(p.shape, 0.1), b, p).prices[:, 0], second)  # Vickrey


@pytest.mark.parametrize("seed", range(5))
def test_bidding_ones_value_is_best_with_one_place(seed):
    """Ad 0's gain q (value - price) if it wins, over many other bids, is never above that of its value."""
    p, value = auctions(200, 4, seed)
    honest = gain(p, value, value[:, 0])
    for factor in np.linspace(0.2, 3, 29):
        assert (gain(p, value, factor * value[:, 0]) <= honest + 1e-12).all()


def gain(p: np.ndarray, value: np.ndarray, bid: np.ndarray, **options: object) -> np.ndarray:
    """Return what ad 0 gains, expected, when it bids `bid` and the others their values."""
    b = value.copy()
    b[:, 0] = bid
    result = run(p, b, p, **options)  # type: ignore[arg-type]
    x = np.asarray(options.get("attention", (1.0,)))
    return ((result.winners == 0) * x * p[:, [0]] * (value[:, [0]] - result.prices)).sum(axis=1)


def test_with_two_places_bidding_ones_value_is_not_always_best():
    """Edelman et al. (2007): places of 200 and 199 clicks, values 10, 4, 2; the first gains by 3 < 4."""
    p, value = np.full((1, 3), 0.5), np.array([[10.0, 4.0, 2.0]])
    attention = (1.0, 0.995)
    assert gain(p, value, np.array([3.0]), attention=attention) > gain(p, value, np.array([10.0]), attention=attention)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("attention", [(1.0,), (1.0, 0.5)])
def test_no_forecast_makes_more_welfare_than_the_truth(seed, attention):
    p, b = auctions(300, 6, seed)
    rng = np.random.default_rng(seed)
    best = run(p, b, p, attention=attention).welfare
    for q in (
        chance(300, 6, seed=seed),
        np.full(p.shape, 0.1),
        np.clip(p * rng.lognormal(0, 0.5, p.shape), 0, 1),
        1 - p,
    ):
        assert (run(q, b, p, attention=attention).welfare <= best + 1e-12).all()


@pytest.mark.parametrize("seed", range(3))
def test_order_of_candidates_and_unit_of_forecast_and_money_change_nothing_else(seed):
    p, b = auctions(200, 5, seed)
    plain, shuffled = run(p, b, p), np.random.default_rng(seed).permutation(5)
    other = run(p[:, shuffled], b[:, shuffled], p[:, shuffled])
    assert (shuffled[other.winners] == plain.winners).all()
    for what in ("clicks", "revenue", "welfare"):
        np.testing.assert_allclose(getattr(other, what), getattr(plain, what))
    np.testing.assert_allclose(run(p / 3, b, p).revenue, plain.revenue)  # a forecast too low by a third all over
    np.testing.assert_allclose(run(p, 7 * b, p).revenue, 7 * plain.revenue)


def test_nobody_pays_more_than_its_bid_nor_less_than_the_reserve():
    p, b = auctions(500, 4, seed=9)
    result = run(p, b, p, reserve=0.9, attention=(1.0, 0.5))
    filled = result.winners >= 0
    bid = np.take_along_axis(b, np.maximum(result.winners, 0), axis=1)
    assert (result.prices <= bid + 1e-12)[filled].all() and (result.prices >= 0.9)[filled].all()
    assert (result.prices[~filled] == 0).all() and 0 < filled[:, 1].mean() < 1
    assert (result.revenue <= result.welfare + 1e-12).all()
    nobody = run(p, b, p, reserve=100.0)
    assert (nobody.winners == -1).all() and nobody.revenue.sum() == 0


def test_reserve_raises_revenue_where_ads_are_few_and_costs_welfare():
    p, b = auctions(4000, 2, seed=2)
    none, some = run(p, b, p), run(p, b, p, reserve=0.7)
    assert some.revenue.sum() > 1.1 * none.revenue.sum() and some.welfare.sum() < none.welfare.sum()


def test_zero_forecasts_are_no_division_by_zero():
    result = run([[0.0, 0.0]], [1.0, 2.0], [[0.1, 0.2]], attention=(1.0, 0.5))
    assert result.prices.tolist() == [[0.0, 0.0]] and np.isfinite(result.revenue).all()


def test_clicks_of_a_log_may_stand_for_the_truth():
    result = run([[0.3, 0.2], [0.3, 0.2]], [1.0, 1.0], [[1, 0], [0, 1]])
    assert result.clicks.tolist() == [1, 0] and result.revenue == pytest.approx([2 / 3, 0])


def test_comparison_orders_chance_ad_rates_and_oracle_with_intervals():
    log = adworld.impressions(20_000, seed=4)
    truth = log.alternatives(log.frame.tail(4000), range(20))
    by_ad = log.frame.head(16_000).groupby("ad")["click"].mean().to_numpy()
    forecasts = {"random": chance(4000, 20), "CTR by ad": np.tile(by_ad, (4000, 1)), "oracle": truth}
    table = compare(forecasts, adworld.bids(20, seed=1), truth, baseline="random", n=200)
    assert table.index.tolist() == ["random", "CTR by ad", "oracle"]
    assert table.columns.tolist()[:3] == ["clicks", "revenue", "welfare"]
    values = table["welfare"].map(lambda x: x.value)
    assert values["random"] < values["CTR by ad"] < values["oracle"]
    difference = table.loc["oracle", "welfare vs random"]
    assert difference.low > 0 and difference.value == pytest.approx(values["oracle"] - values["random"])
    assert table.loc["random", "revenue vs random"].value == 0
    width = table.loc["oracle", "welfare"].high - table.loc["oracle", "welfare"].low
    assert 0 < width < 0.1 * values["oracle"]


def test_intervals_are_those_of_theory_and_of_the_other_bootstrap():
    p, b = auctions(2000, 4, seed=6)
    table = compare({"a": p, "b": np.full(p.shape, 0.1)}, b, p, baseline="b", n=500, seed=3)
    for name, q in (("a", p), ("b", np.full(p.shape, 0.1))):
        values = 1000 * run(q, b, p).revenue
        found, other = table.loc[name, "revenue"], bootstrap(values, n=500)
        assert found.value == pytest.approx(values.mean()) == other.value
        half = 1.96 * values.std() / np.sqrt(2000)
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
        assert (other.high - other.low) / 2 == pytest.approx(half, rel=0.15)
    apart = 1000 * (run(p, b, p).welfare - run(np.full(p.shape, 0.1), b, p).welfare)
    paired = table.loc["a", "welfare vs b"]
    assert (paired.high - paired.low) / 2 == pytest.approx(1.96 * apart.std() / np.sqrt(2000), rel=0.15)
    again = compare({"a": p}, b, p, n=50, seed=3)
    assert again.columns.tolist() == ["clicks", "revenue", "welfare"]
    assert again.equals(compare({"a": p}, b, p, n=50, seed=3))


def test_auctions_of_held_out_rows_are_of_one_user_and_use_each_row_once():
    user = np.random.default_rng(0).integers(0, 40, 500)
    rows = candidates(user, 5, seed=1)
    assert len(np.unique(rows)) == rows.size and (user[rows] == user[rows[:, :1]]).all()
    assert len(rows) == sum(np.bincount(user) // 5)
    assert not np.array_equal(candidates(user, 5, seed=2), rows)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: run([[0.1]], [1.0], [[0.1, 0.2]]), "forecast (1, 1), truth (1, 2) and bids (1,) must be (n, k)"),
        (lambda: run([[0.1, 1.2]], [1.0, 1.0], [[0.1, 0.2]]), "forecast at (0, 1) is 1.2, which is no probability"),
        (lambda: run([[0.1, 0.2]], [1.0, -1.0], [[0.1, 0.2]]), "bids at (1,) is -1.0, which is no amount from 0"),
        (lambda: run([[0.1, np.nan]], [1.0, 1.0], [[0.1, 0.2]]), "forecast at (0, 1) is nan"),
        (lambda: run([[0.1]], [1.0], [[0.1]], attention=(0.5, 1.0)), "that do not rise from place to place"),
        (lambda: compare({"a": [[0.1]]}, [1.0], [[0.1]], baseline="b"), "there is no forecast 'b'"),
        (lambda: compare({"a": [[0.1]]}, [1.0], [[0.1]], n=1), "n=1: a bootstrap interval needs two resamples"),
        (lambda: candidates([1, 1, 2], 1), "k=1"),
        (lambda: candidates([1, 1, 2], 3), "no user has the 3 held-out rows that an auction needs; the most is 2"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
