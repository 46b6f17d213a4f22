"""The tables beside made-up runs whose figures can be done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from smlab import looptables
from smlab.campaignloop import DAILY, Played
from smlab.checks import UsageError
from smlab.ctr import LogisticRegression
from smlab.socialworld import SocialWorld

WORLD = SocialWorld(range(4), n_users=20, days=20)
DRIFT = 10


def run(expected: np.ndarray, seed: int = 0, **other: float) -> Played:
    """A run of 4 worlds, 20 days, of whose numbers only those given are not 1."""
    daily = {name: np.ones((4, 20)) for name in DAILY} | {"expected": np.broadcast_to(expected, (4, 20)).astype(float)}
    daily |= {name: np.full((4, 20), value) for name, value in other.items()}
    return Played("made up", daily, np.ones((4, 20, 36), dtype=np.int64), WORLD)


def course() -> np.ndarray:
    """0.6 of the gap before the drift, a fall to 0.2, then 0.1 more each day."""
    return np.r_[np.full(DRIFT, 0.6), np.minimum(0.2 + 0.1 * np.arange(10), 0.6)]


RUNS = {
    "random": run(np.full(20, 2.0), unexplained=3.0, spread=3.0),
    "clever": run(2 + 8 * course(), unexplained=1.5, spread=3.0),
    "oracle": run(np.full(20, 10.0), unexplained=0.0),
}


def test_the_gap_by_hand():
    assert looptables.gap(RUNS, "clever").value == pytest.approx(course().mean())
    assert looptables.gap(RUNS, "random").value == 0 and looptables.gap(RUNS, "oracle").value == 1


def test_the_gap_is_one_of_sums_and_worlds_are_drawn_together():
    far = {"random": run(0.0), "oracle": run(np.array([[1.0], [1.0], [1.0], [97.0]]))}
    far["half"] = run(far["oracle"].daily["expected"] / 2)
    assert looptables.gap(far, "half") == pytest.approx((0.5, 0.5, 0.5))


def test_recovery_by_hand():
    """0.9 · 0.6 = 0.54 is reached by 0.6, four days after the first of the new tastes."""
    assert looptables.recovery(RUNS, "clever").value == 4
    assert looptables.recovery(RUNS, "oracle").value == 0
    assert np.isnan(looptables.recovery(RUNS, "random").value)
    lost = RUNS | {"lost": run(2 + 8 * np.r_[np.full(DRIFT, 0.6), np.full(10, 0.1)])}
    assert looptables.recovery(lost, "lost").value == 10


def test_regret_and_objective_by_hand():
    table = looptables.by_day(RUNS, "regret").set_index(["policy", "day"])["value"]
    assert table["random", 20] == pytest.approx(160) and (table["oracle"] == 0).all()
    assert table["clever", 10] == pytest.approx(10 * 3.2)
    first = looptables.by_day(RUNS, "L").query("day == 1").set_index("policy")["value"]
    assert first.to_dict() == pytest.approx({"random": 1 + 0.8, "clever": 0.5 + 1 - 6.8 / 10, "oracle": 0.0})
    parts = [looptables.by_day(RUNS, measure)["value"] for measure in ("L(f)", "L_ad")]
    np.testing.assert_allclose(parts[0] + parts[1], looptables.by_day(RUNS, "L")["value"])


def test_exposure_by_hand():
    """All posts shown alike: Gini 0, and newcomers have as much as the others, by merit more or less."""
    found = looptables.exposure(RUNS["random"])
    merit = WORLD.merit
    assert found["Gini"].value == pytest.approx(0)
    wanted = (6 / merit[:, 18:].sum(axis=1)).sum() / (18 / merit[:, :18].sum(axis=1)).sum()
    assert found["newcomers"].value == pytest.approx(wanted)


def test_one_row_a_policy_of_intervals():
    table = looptables.scores(RUNS)
    assert list(table.index) == list(RUNS)
    assert list(table) == [
        "revenue", "of the gap", "regret", "L", "ads on the mind", "left", "Gini", "newcomers", "recovery"
    ]  # fmt: skip
    for x in table.drop(columns="recovery").to_numpy().ravel():
        assert x.low <= x.value + 1e-12 and x.value <= x.high + 1e-12
    assert table.loc["oracle", "regret"].value == 0 and table.loc["random", "left"].value == 20


@pytest.mark.parametrize("measure", looptables.MEASURES)
def test_every_measure_has_every_policy_and_day(measure):
    table = looptables.by_day(RUNS, measure)
    assert (
        len(table) == 60 and list(table) == ["policy", "day", "value", "low", "high"] and table["value"].notna().all()
    )


def test_sensitivity_has_a_row_a_change():
    facts = {"n_users": 80, "days": 6, "arrival": 2}
    changes = {"as it is": facts, "twice the drift": facts | {"drift": 1.0}}
    table = looptables.sensitivity(LogisticRegression, changes, policies=["popularity"], seeds=[0, 1])
    assert list(table.index) == list(changes) and list(table) == ["popularity", "gap in money"]
    assert (table["gap in money"].map(lambda x: x.low) > 0).all()
    for known in looptables.CHANGES.values():
        SocialWorld([0], **known)


def test_wrong_calls_are_a_sentence():
    with pytest.raises(UsageError, match="the runs lack 'oracle'; there are random, clever"):
        looptables.scores({k: RUNS[k] for k in ("random", "clever")})
    with pytest.raises(UsageError, match="no measure 'joy'; known: revenue"):
        looptables.by_day(RUNS, "joy")
    other = Played("x", RUNS["random"].daily, RUNS["random"].shown, SocialWorld([9], n_users=20, days=20))
    with pytest.raises(UsageError, match="of different worlds"):
        looptables.gap(RUNS | {"x": other}, "x")
    short = SocialWorld([0], n_users=20, days=3)
    with pytest.raises(UsageError, match="exposure needs days after arrival=5"):
        looptables.exposure(Played("x", {}, np.ones((1, 3, 36), dtype=np.int64), short))
