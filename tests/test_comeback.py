"""The past knows nothing of the future, CDNOW is parted where the paper parts it, and planted buyers are foretold."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.bgnbd import BGNBD, simulate
from smlab.checks import UsageError
from smlab.comeback import Halves, by_past, correction, corrections, errors, forecasts, halves, middle, outlook


def planted(n: int = 20_000, seed: int = 0) -> Halves:
    world = simulate(n, [0.6, 5.0, 0.8, 2.4], 39, t=39, seed=seed)
    return Halves(pd.Timestamp("2024-01-01"), world[["x", "t_x", "T"]], world["more"], 39.0)


@pytest.fixture(scope="module")
def foretold():
    both = planted()
    model = BGNBD().fit(both.seen["x"], both.seen["t_x"], both.seen["T"])
    return both, forecasts(model, both)


def test_middle_of_cdnow_is_the_day_of_the_paper():
    """Fader, Hardie & Lee (2005): 39 weeks to 30 September 1997 and 39 more."""
    frame = pd.DataFrame({"customer": "a", "time": pd.to_datetime(["1997-01-01", "1998-06-30"])})
    both = halves(frame)
    assert middle(frame) == both.until == pd.Timestamp("1997-09-30") and both.weeks == 39


def test_what_happens_later_does_not_change_the_past():
    rng = np.random.default_rng(1)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 200, 900), "D")
    frame = pd.DataFrame({"customer": rng.integers(0, 90, 900), "time": day})
    until = pd.Timestamp("2024-04-01")
    whole, cut = halves(frame, until), halves(frame[(frame.time <= until) | (frame.customer < 50)], until)
    pd.testing.assert_frame_equal(whole.seen.sort_index(), cut.seen.sort_index())
    assert whole.later.sum() > cut.later.sum()


def test_customers_stand_as_they_first_come_and_a_day_counts_once():
    times = pd.to_datetime(
        ["2024-01-02", "2024-01-01", "2024-03-01 09:00", "2024-03-01 18:00", "2024-03-02"], format="ISO8601"
    )
    both = halves(pd.DataFrame({"customer": ["z", "a", "a", "a", "a"], "time": times}), "2024-01-31")
    assert both.seen.index.tolist() == ["z", "a"] and both.later.tolist() == [0, 2]


def purchases(rows: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer", "time"]).astype({"time": "datetime64[ns]"})


SMALL_SHOPS = {
    "one day": ([("a", "2024-01-01 09:00"), ("b", "2024-01-01 17:00")], "all purchases are of one day; needed are two"),
    "nobody twice": ([("a", "2024-01-01"), ("b", "2024-03-01")], "no customer bought twice, so nothing tells"),
    "nobody twice in the past": ([("a", "2024-01-01"), ("b", "2024-03-01"), ("a", "2024-03-02")], "no customer bought"),
    "alike": ([(c, day) for c in "abc" for day in ("2024-01-01", "2024-01-08", "2024-02-20")], "do not pin the four"),
}


@pytest.mark.parametrize("name", SMALL_SHOPS)
def test_a_small_shop_is_told_why_there_is_no_forecast_and_what_is_needed(name):
    rows, why = SMALL_SHOPS[name]
    found = outlook(purchases(rows))
    assert why in found.why and found.past is None and found.now is None
    assert (found.both is None) == (name == "one day")


def test_an_outlook_is_what_halves_and_fits_give_and_a_wrong_day_is_still_wrong():
    rng = np.random.default_rng(3)
    world = simulate(400, [0.6, 5.0, 0.8, 2.4], 30, seed=3)
    rows = [
        (str(i), pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(day)))
        for i, (x, t_x) in enumerate(world[["x", "t_x"]].to_numpy())
        for day in [0, *sorted(rng.uniform(1, 7 * t_x + 1, max(int(x) - 1, 0))), *([7 * t_x + 1] if x else [])]
    ]
    frame = pd.DataFrame(rows, columns=["customer", "time"])
    found, both = outlook(frame), halves(frame)
    assert found.why == "" and found.both.until == both.until
    model = BGNBD().fit(both.seen["x"], both.seen["t_x"], both.seen["T"])
    assert found.past.theta_.tolist() == model.theta_.tolist() != found.now.theta_.tolist()
    with pytest.raises(UsageError, match="parts nothing"):
        outlook(frame, "2030-01-01")


def test_planted_customers_buy_as_expected_and_the_model_beats_the_others(foretold):
    both, expected = foretold
    off = errors(expected, both)
    assert correction(expected["BG/NBD"], both).low < 1 < correction(expected["BG/NBD"], both).high
    assert off["BG/NBD"].high < min(off["each as before"].low, off["all alike"].low)
    table = by_past(expected, both)
    assert table["n"].sum() == len(both.seen) and table.index[-1] == "7+"
    inside = (table["low"] <= table["BG/NBD"]) & (table["BG/NBD"] <= table["high"])
    assert inside.mean() >= 0.75


def test_correction_is_the_ratio_of_the_sums(foretold):
    both, expected = foretold
    twice = correction(2 * expected["BG/NBD"], both)
    assert twice.value == pytest.approx(both.later.sum() / expected["BG/NBD"].sum() / 2)
    assert twice.low < twice.value < twice.high


def test_segments_are_corrected_by_themselves_and_few_customers_by_all(foretold):
    both, expected = foretold
    z = np.arange(len(both.seen)) % 100 == 0  # 200 customers
    wrong = expected["BG/NBD"] * np.where(z, 4, 1)
    own = corrections(wrong, both, z.astype(int), 2)
    assert own[0].low < 1 < own[0].high and own[1].high < 0.5
    assert corrections(wrong, both, z.astype(int), 2, smallest=201)[1] == correction(wrong, both)


def test_forecasts_without_a_model_are_what_their_names_say(foretold):
    both, expected = foretold
    rate = both.seen["x"].sum() / both.seen["T"].sum()
    np.testing.assert_allclose(expected["all alike"], rate * 39)
    np.testing.assert_allclose(expected["each as before"], both.seen["x"])  # as long a future as the past


def test_day_that_parts_nothing_is_refused():
    frame = pd.DataFrame({"customer": "a", "time": pd.to_datetime(["2024-01-01", "2024-02-01"])})
    with pytest.raises(UsageError, match=re.escape("2024-02-01 parts nothing: the purchases go from 2024-01-01 to")):
        halves(frame, "2024-02-01")


def test_no_purchase_expected_is_refused():
    both = planted(50)
    with pytest.raises(UsageError, match="no purchase was expected"):
        correction(np.zeros(50), both)
