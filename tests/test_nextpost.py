"""The planted slot is found and kept, nothing is advised where nothing matters, one more post costs its neighbours."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.nextpost import candidates, choose, crowding, forms, one_more, shrink
from smlab.whatif import UNSEEN, Study
from tests.test_whatif import stream, truth

BEST = {"weekday": "Tue", "hour": "18-21"}


def decide(n: int = 2000, seed: int = 0, *, least: int = 20, **planted):
    form, context, y = stream(n, seed, **planted)
    return choose(Study(form, context, y), candidates(form, least=least))


# Forms and candidates


def test_forms_are_read_in_the_zone_of_the_audience():
    """00:22 UTC on Wednesday is Tuesday evening in New York, in summer by four hours, in winter by five."""
    past = pd.DataFrame({"time": pd.to_datetime(["2016-09-28 00:22", "2016-12-28 01:59", "2016-12-28 02:00"])})
    there = forms(past, zone="America/New_York")
    assert there["weekday"].tolist() == ["Tue"] * 3 and there["hour"].tolist() == ["18-21", "18-21", "21-24"]
    assert forms(past)["hour"].tolist() == ["00-06"] * 3
    assert there["day"].iloc[0] == pd.Timestamp("2016-09-27")


def test_forms_say_hashtags_links_length_and_kind_where_known():
    text = ["#one # 5 a#b", "no tag", "#a #b https://t.co/xyz", "x" * 120 + " https://t.co/" + "y" * 99, "y" * 60]
    past = pd.DataFrame({"time": pd.date_range("2020-01-01", periods=5), "text": text, "kind": "photo"})
    form = forms(past, hours=(6, 22))
    assert form["hashtags"].tolist() == ["one", "none", "several", "none", "none"]
    assert form["link"].tolist() == ["no", "no", "yes", "yes", "no"]
    assert form["length"].tolist() == ["short", "short", "short", "long", "medium"]
    assert form["kind"].eq("photo").all() and form["hour"].unique().tolist() == ["00-06"]
    assert list(forms(past[["time"]])) == ["day", "weekday", "hour"]


def test_unknown_zone_is_refused():
    with pytest.raises(UsageError, match=re.escape("unknown time zone 'Berlin'; write one such as 'Europe/Berlin'")):
        forms(pd.DataFrame({"time": pd.to_datetime(["2020-01-01"])}), zone="Berlin")


def test_candidates_count_every_combination_and_claim_none_that_was_rarely_done():
    form, _, _ = stream(600)
    grid = candidates(form, ["weekday", "hour", "link"], least=8, hour=["18-21", "21-24"])
    assert len(grid) == 7 * 2 * 2 and list(grid["weekday"].unique()) == [
        "Mon",
        "Tue",
        "Wed",
        "Thu",
        "Fri",
        "Sat",
        "Sun",
    ]
    whole = candidates(form)
    assert whole["n"].sum() == 600 and whole["days"].le(whole["n"]).all()
    assert (grid["supported"] == (grid["n"] >= 8)).all() and not grid["supported"].all()
    with pytest.raises(UsageError, match=re.escape("posts have no 'hours'; did you mean 'hour'?")):
        candidates(form, ["hours"])


# Shrinkage


def test_noise_shrinks_to_nothing_and_what_stands_out_stays():
    rng = np.random.default_rng(0)
    noise = 0.2 * rng.normal(size=40)
    calm, _ = shrink(noise, np.full(40, 0.2))
    assert np.abs(calm).max() < 0.25 * np.abs(noise).max()
    found, error = shrink(np.append(noise, 2.0), np.full(41, 0.2))
    assert found[-1] == pytest.approx(2.0, abs=0.1) and error[-1] == pytest.approx(0.2, rel=0.1)


def test_shrinkage_is_the_posterior_of_normal_gains():
    """Many gains from N(0, τ²): means near τ²/(τ² + s²) g, and intervals that hold the truth as often as they say."""
    rng = np.random.default_rng(1)
    true = rng.normal(0, 0.3, 4000)
    raw = true + 0.2 * rng.normal(size=4000)
    found, error = shrink(raw, np.full(4000, 0.2))
    assert np.corrcoef(found, 0.09 / 0.13 * raw)[0, 1] > 0.995
    assert np.mean((found - true) ** 2) < 1.02 * np.mean((0.09 / 0.13 * raw - true) ** 2)
    assert np.mean(np.abs(found - true) < 1.96 * error) == pytest.approx(0.95, abs=0.01)


def test_shrinkage_keeps_signs_and_never_grows():
    rng = np.random.default_rng(2)
    raw, error = rng.normal(size=50), rng.uniform(0.1, 2, 50)
    found, _ = shrink(raw, error)
    assert (found * raw >= 0).all() and (np.abs(found) <= np.abs(raw)).all()
    np.testing.assert_allclose(shrink(10 * raw, 10 * error)[0], 10 * found, rtol=1e-6)


# The choice


def test_the_planted_slot_is_found_kept_and_advised_in_words():
    found = decide(4000, effect=2.0)
    assert found.best == BEST and found.change and found.kept.low > 0
    assert found.kept.low < truth(BEST, effect=2.0) < found.kept.high
    assert found.text.startswith("Post Tue, 18-21: against the habit it promised +") and found.text.endswith(UNSEEN)
    assert dict(found.table.iloc[0][["weekday", "hour"]]) == BEST and found.table["promised"].is_monotonic_decreasing


def test_where_nothing_matters_the_habit_stays_and_an_experiment_is_named():
    found = decide(effect=0.0)
    assert not found.change and found.text.startswith("Keep the habit.")
    assert f"{found.each:,} posts there and as many as usual, by the toss of a coin" in found.text
    assert abs(found.promised.value) < found.raw.value


def test_slots_that_were_rarely_used_get_no_figure():
    form, context, y = stream(900)
    table = choose(Study(form, context, y), candidates(form, least=24)).table
    rare = table[table["n"] < 24]
    assert len(rare) and rare[["raw", "promised", "low", "high"]].isna().all(axis=None)
    with pytest.raises(UsageError, match=re.escape("no candidate was posted often enough")):
        choose(Study(form, context, y), candidates(form, least=1000))


def test_the_choice_has_not_seen_the_posts_that_judge_it():
    form, context, y = stream(1500)
    grid = candidates(form, least=20)
    first = choose(Study(form, context, y), grid)
    changed = np.where(first.later, -y, y)
    again = choose(Study(form, context, changed), grid)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.best == again.best and first.kept != again.kept


def test_an_experiment_needs_the_posts_that_its_formula_says():
    """Independent outcomes of variance v: 2 (1.96 + .84)² v / gain²; power.prop.test's n for shares."""
    form, context, _ = stream(3000)
    y = np.random.default_rng(0).normal(size=3000)
    found = choose(Study(form, context, y), candidates(form, ["hour"]), least_gain=0.5)
    assert found.sought == 0.5 and found.each == pytest.approx(2 * 2.8**2 / 0.25, rel=0.1)
    worked = choose(Study(form, context, (y > 0).astype(float)), candidates(form, ["hour"]), least_gain=0.25)
    assert worked.each == pytest.approx(58, rel=0.15)
    assert "points" in worked.text


def test_arguments_that_cannot_be_are_refused():
    form, context, y = stream(300)
    with pytest.raises(UsageError, match=re.escape("share=1.5 must lie between 0 and 1")):
        choose(Study(form, context, y), candidates(form), share=1.5)


@pytest.mark.slow
def test_over_a_hundred_streams_the_slot_is_found_and_what_is_kept_is_true():
    found = [decide(seed=seed) for seed in range(100)]
    true = {tuple(f.best.values()): truth(f.best) for f in found}
    gains = np.array([true[tuple(f.best.values())] for f in found])
    assert np.mean([f.best == BEST for f in found]) >= 0.7, "a rare slot, .6 above the rest, noise .85"
    assert np.mean([f.kept.low <= g <= f.kept.high for f, g in zip(found, gains, strict=True)]) >= 0.90
    over = {
        name: np.mean([getattr(f, name).value - g for f, g in zip(found, gains, strict=True)])
        for name in ("raw", "kept")
    }
    assert over["raw"] > 0.05 and abs(over["kept"]) < 0.05, "the winner's curse, and its cure"


@pytest.mark.slow
@pytest.mark.parametrize("confounding", [0.0, 1.0])
def test_of_a_hundred_streams_where_nothing_matters_at_most_five_are_told_to_change(confounding):
    assert sum(decide(seed=seed, effect=0.0, confounding=confounding).change for seed in range(100)) <= 5


# One more post


def bursts(n: int = 4000, seed: int = 0, *, delta: float = -0.1):
    """Draw posts at random times, some days busier; each other post within three hours changes a post by δ."""
    rng = np.random.default_rng(seed)
    hour = np.sort(rng.uniform(0, n * 2.0, n))
    busy = np.repeat(rng.random(n // 10) < 0.3, 10)[:n]
    hour = np.sort(np.where(busy, hour.round(-1) + rng.uniform(0, 4, n), hour))
    time = pd.Timestamp("2020-01-01") + pd.to_timedelta(hour, unit="h")
    k = np.array([((np.abs(hour - h) <= 3).sum() - 1) for h in hour])
    form = pd.DataFrame({"day": time.normalize(), "link": rng.choice(["yes", "no"], n)})
    return form, pd.DataFrame({"trend": hour}), delta * k + 0.5 * rng.normal(size=n), time, k


def test_others_are_counted_before_and_after():
    form, context, y, time, k = bursts(600)
    np.testing.assert_array_equal(crowding(Study(form, context, y), time).others, k)


def test_what_a_neighbour_costs_is_found():
    for delta in (-0.1, 0.0):
        form, context, y, time, _ = bursts(delta=delta)
        each = crowding(Study(form, context, y), time).each
        assert each.low < delta < each.high and each.high - each.low < 0.05


def test_one_more_post_brings_its_own_and_takes_from_its_neighbours():
    form, context, y, time, k = bursts()
    study = Study(form, context, y)
    crowd, reactions = crowding(study, time), np.full(len(y), 100.0)
    table = one_more(study, crowd, {"link": "no"}, reactions=reactions, value=0.5, cost=20)
    assert list(table.index) == ["do not post", "one more as usual", "one more, link no"]
    assert table.loc["do not post"].eq(0).all()
    usual = table.loc["one more as usual"]
    assert usual["own"] == pytest.approx(50) and usual["value"] == pytest.approx(
        usual["own"] + usual["neighbours"] - 20
    )
    assert usual["neighbours"] == pytest.approx(0.5 * 100 * k.mean() * np.expm1(crowd.each.value))
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()


def test_without_crowding_one_more_is_worth_itself():
    form, context, y, time, _ = bursts(delta=0.0)
    study = Study(form, context, (y > 0).astype(float))
    usual = one_more(study, crowding(study, time)).loc["one more as usual"]
    assert usual["own"] == pytest.approx((y > 0).mean()) and abs(usual["neighbours"]) < 0.03


def test_crowding_that_cannot_be_told_is_refused():
    form, context, y, time, _ = bursts(400)
    study = Study(form, context, y)
    far = pd.date_range("2020-01-01", periods=400, freq="D")
    for args, text in [
        ((time[1:], 3.0), "400 posts need 400 times in their order"),
        ((time[::-1], 3.0), "400 posts need 400 times in their order"),
        ((far, 3.0), "no post has another within 3 hours now more, now less"),
    ]:
        with pytest.raises(UsageError, match=re.escape(text)):
            crowding(study, args[0], hours=args[1])
    with pytest.raises(UsageError, match=re.escape("an outcome in logarithms needs the reactions of each post")):
        one_more(study, crowding(study, time))
