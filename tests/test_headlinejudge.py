"""Tests of judging scores of headlines: counts by hand, planted truth, noise taken out, splits, the real archive."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from smlab.checks import DataAbsent, UsageError
from smlab.experiments import load_experiment
from smlab.headlineclicks import HeadlineClicks, Length
from smlab.headlinejudge import CEILING, COIN, _pairs, headline_tests, judge, scatter, split_by_time
from smlab.headlineworld import headline_world


@pytest.fixture(scope="module")
def world():
    return headline_world(1500, seed=2)


def by_hand():
    """Two tests: rates 1, 2, 3 % and 4, 2 %, the rows of the first apart."""
    rows = [("s", "A", 10.0), ("t", "D", 40.0), ("s", "B", 20.0), ("t", "E", 20.0), ("s", "C", 30.0)]
    frame = pd.DataFrame(rows, columns=["story", "text", "clicks"])
    return frame.assign(test=frame["story"], week=201_401, impressions=1000.0)


def test_shares_and_lift_by_hand():
    score = [1.0, 0.0, 3.0, 0.0, 2.0]  # s: A < C < B, t: a tie
    found = judge(by_hand(), {"model": score}, draws=5, n=20).loc["model"]
    assert found["pairs"].value == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert found["clear"].value == pytest.approx((1 + 0.5) / 2)  # A and C, D and E differ at 5 %
    even = 3000 * 0.02 + 2000 * 0.03
    assert found["lift"].value == pytest.approx((3000 * 0.02 + 2000 * 0.03) / even - 1)
    upside_down = judge(by_hand(), {"model": -np.array(score)}, draws=5, n=20).loc["model"]
    assert upside_down["pairs"].value == pytest.approx(1 - found["pairs"].value)
    assert upside_down["lift"].value == pytest.approx((3000 * 0.01 + 2000 * 0.03) / even - 1)


def test_a_coin_is_half_and_knows_nothing(world):
    found = judge(world.tests, {"noise": np.random.default_rng(0).normal(size=len(world.rate))}, draws=20, n=200)
    for name in (COIN, "noise"):
        assert found["pairs"][name].low <= 0.5 <= found["pairs"][name].high
        assert found["known"][name].low <= 0.5 <= found["known"][name].high
        assert found["lift"][name].low <= 0 <= found["lift"][name].high


def test_the_ceiling_is_what_the_true_rates_reach(world):
    found = judge(world.tests, {"truth": world.rate}, draws=50, n=200)
    assert found["pairs"][CEILING].value == pytest.approx(found["pairs"]["truth"].value, abs=0.012)
    assert found["lift"][CEILING].value == pytest.approx(found["lift"]["truth"].value, abs=0.02)
    assert found["known"][CEILING].value == 1 and found["known"]["truth"].low < 1 < found["known"]["truth"].high + 0.01
    assert 0.5 < found["pairs"]["truth"].value < 0.95  # noise keeps even the truth from 1


@pytest.mark.parametrize("impressions", [1000, 10_000])
def test_known_is_the_share_of_true_orders_however_few_the_impressions(impressions):
    world = headline_world(1500, impressions=impressions, seed=3)
    i, j = _pairs(world.tests)
    luck = np.random.default_rng(0).random(len(world.rate))
    score = world.score + 0.5 * luck
    found = judge(world.tests, {"model": score}, draws=50, n=50).loc["model"]
    n = world.tests["impressions"].to_numpy()
    agrees = ((score[i] - score[j]) * (world.rate[i] - world.rate[j])) > 0
    gap = np.abs(np.log(world.rate[i] / world.rate[j]))
    noise = np.sqrt(1 / (n[i] * world.rate[i]) + 1 / (n[j] * world.rate[j]))
    weight = 2 * ndtr(gap / noise) - 1  # 2q - 1 by the true rates
    assert found["known"].value == pytest.approx(np.average(agrees, weights=weight), abs=0.02)
    assert found["pairs"].value < found["known"].value


def test_a_learnt_score_beats_length_and_not_the_truth(world):
    train, _, rest, alike = split_by_time(world.tests, alike=None)
    scores = {}
    assert alike.empty
    for name, blocks in {"length": [(1.0, Length(scale=1.0))], "model": None}.items():
        model = HeadlineClicks(blocks).fit(train["text"], train["test"], train["clicks"], train["impressions"])
        scores[name] = model.predict(rest["text"])
    found = judge(rest, scores, baseline="length", draws=20, n=200)
    assert found["gain"]["model"].low > 0.05 and np.isnan(found["gain"]["length"])
    assert found["pairs"]["length"].value < found["pairs"]["model"].value < found["pairs"][CEILING].value
    assert found["lift"]["model"].low > found["lift"]["length"].value > 0


def test_scatter_takes_differences_for_noise(world):
    plain, wide = (judge(world.tests, {"truth": world.score}, scatter=s, draws=20, n=20) for s in (1.0, 3.0))
    assert wide["pairs"][CEILING].value < plain["pairs"][CEILING].value
    assert wide["known"]["truth"].value > plain["known"]["truth"].value
    assert wide["pairs"]["truth"] == plain["pairs"]["truth"]


def test_scatter_of_arms_drawn_by_chance_is_one_and_of_clumps_their_size():
    rng = np.random.default_rng(0)
    arms = pd.DataFrame({"test": np.repeat(np.arange(500), 3).astype(str), "arm": "A", "picture": "p"})
    arms["impressions"] = 3000.0
    assert scatter(arms.assign(clicks=rng.binomial(3000, 0.02, 1500))) == pytest.approx(1, abs=0.1)
    assert scatter(arms.assign(clicks=3 * rng.binomial(1000, 0.02, 1500))) == pytest.approx(3, abs=0.3)


def test_order_of_rows_does_not_matter(world):
    mixed = world.tests.assign(score=world.score).sample(frac=1, random_state=0)
    one = judge(world.tests, {"s": world.score}, draws=1, n=20).loc["s"]
    two = judge(mixed.drop(columns="score"), {"s": mixed["score"]}, draws=1, n=20).loc["s"]
    assert [two[c].value for c in ("pairs", "clear", "lift")] == pytest.approx(
        [one[c].value for c in ("pairs", "clear", "lift")]
    )


def test_split_is_by_weeks_and_leaves_out_stories_that_come_again():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefghijklmnop"), 30)) for _ in range(20)]
    texts[18] = texts[0] + "!"  # the last story has a headline of the first
    story = [f"s{i // 2}" for i in range(20)]
    rows = {"story": story, "test": story, "text": texts, "week": 201_401 + np.arange(20) // 2}
    split = split_by_time(pd.DataFrame({**rows, "clicks": 1.0, "impressions": 9.0}))
    assert split.counts["stories"].tolist() == [5, 2, 2]
    assert split.counts["to"].tolist() == [201_406, 201_408, 201_410]
    assert split.alike[["story", "text", "later"]].values.tolist() == [["s0", texts[0], texts[18]]]
    assert "s0" not in set(split.train["story"]) and "s9" in set(split.test["story"])


def test_headline_tests_compare_arms_of_one_picture_and_add_up_what_is_alike():
    frame = pd.DataFrame({
        "test": "t", "arm": list("ABABCA"), "picture": list("ppqq") + ["unknown", "p"], "week": 201_401,
        "impressions": 100.0, "clicks": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    })  # fmt: skip
    found = headline_tests(frame)
    assert found[["test", "text", "clicks", "impressions"]].values.tolist() == [
        ["t p", "A", 7.0, 200.0], ["t p", "B", 2.0, 100.0], ["t q", "A", 3.0, 100.0], ["t q", "B", 4.0, 100.0],
    ]  # fmt: skip
    assert set(found["story"]) == {"t"}


@pytest.mark.realdata
@pytest.mark.slow
def test_upworthy_the_default_beats_length_on_the_last_tests():
    """Share of pairs right on the last fifth of stories, learnt from all before: .598, length alone .526."""
    try:
        frame = load_experiment("upworthy").frame
    except DataAbsent as absent:
        pytest.skip(str(absent))
    split = split_by_time(headline_tests(frame))
    past, scores = pd.concat([split.train, split.validation]), {}
    for name, blocks in {"length": [(1.0, Length(scale=1.0))], "model": None}.items():
        model = HeadlineClicks(blocks).fit(past["text"], past["test"], past["clicks"], past["impressions"])
        scores[name] = model.predict(split.test["text"])
    found = judge(split.test, scores, baseline="length", scatter=scatter(frame))
    assert found["pairs"]["model"].value == pytest.approx(0.598, abs=0.01) and found["gain"]["model"].low > 0
    assert found["pairs"]["length"].value == pytest.approx(0.526, abs=0.005) and found["lift"]["model"].low > 0


@pytest.mark.parametrize(
    ("change", "how", "text"),
    [
        (lambda t: t.drop(columns="clicks"), {}, "headline tests need the column 'clicks'"),
        (lambda t: t[t["text"] != "D"], {}, "each test needs two headlines or more, and each of them impressions"),
        (lambda t: t, {"scatter": 0}, "scatter=0 must be finite and above 0, and draws=100"),
        (lambda t: t, {"baseline": "mdel"}, "there is no score 'mdel' to compare with; did you mean 'model'?"),
    ],
)
def test_errors_are_sentences(change, how, text):
    tests = change(by_hand())
    with pytest.raises(UsageError, match=re.escape(text)):
        judge(tests, {"model": np.zeros(len(tests))}, **how)


def test_scores_must_be_one_for_each_headline_and_finite():
    for wrong in (np.zeros(4), [0, 1, 2, np.nan, 4]):
        with pytest.raises(UsageError, match=re.escape("each of 5 headlines needs a finite one")):
            judge(by_hand(), {"model": wrong})


def test_what_cannot_be_split_or_measured_is_an_error():
    with pytest.raises(UsageError, match=re.escape("no test is left for")):
        split_by_time(by_hand())
    with pytest.raises(UsageError, match="must be three parts of 1"):
        split_by_time(by_hand(), shares=(0.5, 0.2, 0.2))
    with pytest.raises(UsageError, match="no test has a headline with the same picture twice"):
        scatter(pd.DataFrame({"test": ["t"], "arm": ["A"], "picture": ["p"], "clicks": [1.0], "impressions": [9.0]}))
