"""The plan is the best one, and no limit is broken, also on the nights when the clocks change."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.outbox import Outbox
from smlab.postingplan import plan, slots

MONDAY = datetime(2026, 3, 2)


def posts(*rows, **columns):
    frame = pd.DataFrame(rows, columns=["key", "channel", "audience"]).assign(text=lambda f: f["key"] + " says")
    return frame.assign(**columns)


def many(n, channels=("m",), audiences=("A",)):
    return posts(*((f"p{i}", channels[i % len(channels)], audiences[i % len(audiences)]) for i in range(n)))


def noisy(audiences, days, every, seed):
    table = slots(audiences, start=MONDAY, days=days, every=every)
    return table.assign(value=np.random.default_rng(seed).gamma(1.0, size=len(table)))


def obeys(done, given, per_day, gap, quiet, spread=None, zone="UTC", audiences=None):
    """Check every limit the slow way."""
    t = done.table.assign(brand=done.table["time"].dt.tz_localize("UTC").dt.tz_convert(zone).dt.date)
    for _, rows in t.groupby("channel"):
        assert (rows["time"].sort_values().diff().dropna() >= pd.Timedelta(gap)).all()
        assert (rows.groupby("brand").size() <= per_day).all()
    assert (~t["local"].str[11:16].between(quiet[0], "24:00") & ~(t["local"].str[11:16] < quiet[1])).all()
    assert t["key"].is_unique and len(t) + len(done.unplaced) == len(given)
    if spread:
        assert (t.groupby(["audience", t["local"].str[:10]]).size() <= spread).all()
    return True


@pytest.mark.parametrize("seed", range(8))
def test_plan_is_the_best_of_all_plans(seed):
    """Every way to give three posts of two kinds one of 2 x 8 slots, by brute force."""
    table = noisy({"A": "UTC", "B": "Asia/Tokyo"}, 2, "6h", seed)
    given = posts(("a", "m", "A"), ("b", "m", "B"), ("c", "n", "A"), weight=[1.0, 2.0, 0.5])
    limits = {"per_day": 1, "gap": "13h", "quiet": None, "spread": 1}
    done = plan(given, table, **limits)
    best = (0, 0.0)
    rows = [[None, *table[table["audience"] == a].itertuples()] for a in given["audience"]]
    for ways in itertools.product(*rows):
        a, b, c = ways
        if a and b and (a.time.date() == b.time.date() or abs(a.time - b.time) < pd.Timedelta("13h")):
            continue
        if a and c and a.date == c.date:
            continue
        value = sum(w * s.value for w, s in zip(given["weight"], ways, strict=True) if s)
        best = max(best, (sum(s is not None for s in ways), value))
    assert (len(done.table), done.values.loc["best", "value"]) == pytest.approx(best) and done.exact


@pytest.mark.parametrize("seed", range(6))
def test_limits_hold_and_the_best_plan_is_at_least_as_good_as_the_others(seed):
    zones = {"A": "Europe/Berlin", "B": "America/New_York", "C": "Asia/Kolkata"}
    table, given = noisy(zones, 7, "1h", seed), many(24, ("m", "n"), tuple("ABC"))
    done = plan(given, table, per_day=2, gap="4h", quiet=("21:00", "08:00"), spread=2, zone="Europe/Berlin")
    assert obeys(done, given, 2, "4h", ("21:00", "08:00"), 2, "Europe/Berlin") and done.exact
    values = done.values
    assert (values["posts"] <= values.loc["best", "posts"]).all()
    equal = values[values["posts"] == values.loc["best", "posts"]]
    assert equal["value"].idxmax() == "best"
    assert done.table.equals(
        plan(given, table, per_day=2, gap="4h", quiet=("21:00", "08:00"), spread=2, zone="Europe/Berlin").table
    )


def test_planted_best_hours_are_found_on_the_audience_s_clock():
    gains = pd.DataFrame({"weekday": ["Wed", "Fri"], "hour": ["18-19", 12], "gain": [1.0, 0.5]})
    table = slots({"Tokyo": "Asia/Tokyo", "Rio": "America/Sao_Paulo"}, start=MONDAY, days=7, gains=gains)
    given = posts(*((f"{a}{i}", a, a) for a in ("Tokyo", "Rio") for i in range(2)))
    done = plan(given, table).table
    assert sorted(done["local"]) == [
        "2026-03-04 18:00 +0900", "2026-03-04 18:00 -0300", "2026-03-06 12:00 +0900", "2026-03-06 12:00 -0300",
    ]  # fmt: skip
    assert done.loc[done["key"] == "Rio0", "time"].item() == pd.Timestamp("2026-03-04 21:00")
    assert done["value"].tolist() == [2.0, 2.0, 1.5, 1.5] and done["time"].is_monotonic_increasing


def test_greedy_falls_into_the_trap_that_the_best_plan_sees():
    """The best hour forbids two good ones beside it: 3 + nothing against 2 + 2."""
    table = slots({"A": "UTC"}, start=MONDAY, days=1)
    table["value"] = table["hour"].map({10: 2.0, 12: 3.0, 14: 2.0}).fillna(0.0)
    done = plan(many(2), table[table["value"] > 0], gap="3h")
    assert done.values.loc["best"].tolist() == [4.0, 2] and done.values.loc["greedy"].tolist() == [3.0, 1]
    assert done.values.loc["naive"].tolist() == [4.0, 2]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-28", 24)])
def test_days_when_the_clocks_change_have_23_and_25_hours(day, hours):
    """In Berlin 02:30 does not exist on 29 March 2026 and is there twice on 25 October."""
    begin = pd.Timestamp(day, tz="Europe/Berlin").tz_convert("UTC").to_pydatetime()
    table = slots({"A": "Europe/Berlin"}, start=begin, days=2, every="30min")
    there = table[table["date"] == day]
    assert len(there) == 2 * hours
    assert (there["local"].str[11:16] == "02:30").sum() == {23: 0, 24: 1, 25: 2}[hours]
    awake = plan(many(1), there.assign(value=range(len(there), 0, -1)), quiet=("22:00", "03:00"))
    assert awake.table["local"].item()[11:16] == "03:00"
    night = plan(many(9), there, quiet=("02:00", "03:00"), per_day=99, gap="30min", spread=99)
    assert not night.table["local"].str[11:13].eq("02").any()


def test_day_of_the_platform_is_the_brand_s_and_of_the_audience_its_own():
    table = slots({"A": "Pacific/Auckland"}, start=datetime(2026, 3, 2, 9), days=1, every="3h")
    given = many(2)
    assert len(plan(given, table, per_day=1, quiet=None, spread=9, zone="UTC").table) == 2
    assert len(plan(given, table, per_day=1, quiet=None, spread=9, zone="America/Los_Angeles").table) == 1
    assert len(plan(given, table.head(5), per_day=1, quiet=None, spread=9, zone="UTC").table) == 1
    assert len(plan(given, table.head(5), per_day=9, quiet=None, spread=1).table) == 2, (
        "it is Tuesday there at 11:00 UTC"
    )


def test_spread_is_even_by_itself_and_what_finds_no_slot_is_said():
    table = noisy({"A": "UTC"}, 5, "1h", 0)
    done = plan(many(10), table, per_day=9, gap="1h")
    assert (done.table.groupby(done.table["time"].dt.date).size() == 2).all()
    done = plan(many(12), table, per_day=2)
    assert len(done.table) == 10 and done.unplaced["key"].tolist() == ["p10", "p11"]
    nothing = plan(many(2), table, quiet=("00:00", "24:00"))
    assert nothing.table.empty and nothing.values["posts"].tolist() == [0, 0, 0] and nothing.exact


def test_earliest_latest_and_weight_are_kept():
    table = noisy({"A": "UTC"}, 3, "1h", 1)
    given = many(3).assign(
        earliest=[pd.NaT, pd.Timestamp("2026-03-04 12:00"), pd.NaT], latest=["2026-03-02 09:00", None, None]
    )
    done = plan(given, table).table.set_index("key")["time"]
    assert done["p0"] <= pd.Timestamp("2026-03-02 09:00") and done["p1"] >= pd.Timestamp("2026-03-04 12:00")
    heavy = plan(many(2).assign(weight=[1.0, 9.0]), table).table.set_index("key")
    assert heavy.loc["p1", "value"] == heavy["value"].max()


def test_limits_by_channel():
    table, given = noisy({"A": "UTC"}, 2, "1h", 0), many(12, ("m", "n"))
    done = plan(given, table, per_day={"m": 1, "n": 3}, gap="1h").table
    assert done.groupby("channel").size().to_dict() == {"m": 2, "n": 6}
    with pytest.raises(UsageError, match="per_day has no limit for 'n'; known: mastodon|per_day has no limit for 'n'"):
        plan(given, table, per_day={"m": 1})


def test_forecast_times_gain_by_audience():
    hours = pd.date_range(MONDAY, periods=8, freq="3h")
    forecast = pd.concat(
        [pd.DataFrame({"audience": a, "time": hours, "value": v}) for a, v in (("A", 2.0), ("B", 3.0))]
    )
    gains = pd.DataFrame({"audience": ["A", "B"], "gain": [0.5, np.nan]})
    table = slots({"A": "UTC", "B": "UTC"}, start=MONDAY, days=1, gains=gains, forecast=forecast)
    assert table.groupby("audience")["value"].unique().map(list).to_dict() == {"A": [3.0], "B": [3.0]}
    ramp = slots({"A": "UTC"}, start=MONDAY, days=1, forecast=pd.DataFrame({"time": hours, "value": range(8)}))
    assert ramp["value"].tolist() == [h // 3 for h in range(24)]


def test_plan_becomes_proposals_that_are_the_same_when_made_again(tmp_path):
    done = plan(many(3), noisy({"A": "Europe/Berlin"}, 3, "1h", 0))
    with Outbox(tmp_path / "box.db") as box:
        assert box.propose(*done.proposals(), who="plan") == 3 and box.propose(*done.proposals(), who="plan") == 0
        assert box.table()["due"].tolist() == done.table["time"].tolist()
    assert done.proposals()[0].why == f"A, {done.table['local'][0]}: {done.table['value'][0]:.4g}"


def test_start_with_a_zone_is_the_same_moment():
    one = slots({"A": "UTC"}, start=datetime(2026, 3, 2, tzinfo=UTC), days=1)
    other = slots({"A": "UTC"}, start=pd.Timestamp("2026-03-02 01:00", tz="Europe/Berlin"), days=1)
    assert one.equals(other) and one.equals(slots({"A": "UTC"}, start=MONDAY, days=1))


def test_bad_input_is_a_sentence():
    table, given = slots({"Berlin": "Europe/Berlin"}, start=MONDAY, days=2), posts(("a", "m", "Berlin"))

    def worth(**columns):
        return slots({"A": "UTC"}, start=MONDAY, days=1, **columns)

    early = pd.DataFrame({"time": pd.date_range("2026-03-01", periods=24, freq="1h"), "value": 1.0})
    for act, rule in (
        (lambda: plan(given.drop(columns="key"), table), "posts have no column 'key'"),
        (lambda: plan(pd.concat([given, given]), table), "key 'a' is there twice"),
        (lambda: plan(given.assign(audience="Berln"), table), "no slots for audience 'Berln'; did you mean 'Berlin'?"),
        (lambda: plan(given.assign(weight=-1), table), "weights must be numbers above 0"),
        (lambda: plan(given, table, quiet=("22", "7:00")), "'22' is no time of the day; write one such as 22:00"),
        (lambda: plan(given, table, zone="Mars"), "unknown time zone 'Mars'"),
        (lambda: slots({"A": "../etc/passwd"}, start=MONDAY), "unknown time zone '../etc/passwd'"),
        (lambda: worth(gains=pd.DataFrame({"gain": [1]})), "gains need a column gain and at least one of"),
        (lambda: worth(gains=pd.DataFrame({"hour": [25], "gain": [1]})), "25 is no hour; write one such as 18"),
        (lambda: worth(gains=pd.DataFrame({"hour": ["18-21", 20], "gain": 1})), "gains say two things of {'hour': 20}"),
        (lambda: worth(gains=pd.DataFrame({"hour": [2], "gain": [-2]})), "a gain is relative and at least -1"),
        (lambda: worth(forecast=early), "the forecast for 'A' does not cover the slots from 2026-03-02T00:00 to"),
        (lambda: worth(forecast=early.assign(value=-1, time=early["time"] + pd.Timedelta("1D"))), "at least 0"),
        (lambda: plan(many(1000, ("m",), ("A",)).assign(weight=range(1, 1001)), noisy({"A": "UTC"}, 30, "1h", 0)),
         "pairs of post and slot are too many"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=re.escape(rule)):
            act()
