"""The loop: nothing lost, doubled or carried over, the order of the policies, planted worlds, kills at every step."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from smlab.campaignloop import POLICIES, STEPS, Played, Settings, play
from smlab.checks import UsageError
from smlab.ctr import LogisticRegression
from smlab.looptables import gap
from smlab.socialworld import SocialWorld
from smlab.statefile import StateFile

LEARNER = partial(LogisticRegression, tolerance=1e-6)
SMALL = {"n_users": 60, "days": 5, "arrival": 2, "post_rate": 0.1, "ad_rate": 0.1}


def same(a: Played, b: Played) -> bool:
    assert all(np.array_equal(a.daily[name], b.daily[name]) for name in a.daily)
    return np.array_equal(a.shown, b.shown)


@pytest.fixture(scope="module")
def runs() -> dict[str, Played]:
    world = SocialWorld(range(6), n_users=500)
    return {policy: play(world, policy, LEARNER) for policy in POLICIES}


def total(run: Played, what: str = "expected") -> np.ndarray:
    return run.daily[what].sum(axis=1)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_visit_is_counted_once(runs, policy):
    run = runs[policy]
    posts, ads = run.shown[:, :, :24].sum(axis=2), run.shown[:, :, 24:].sum(axis=2)
    np.testing.assert_array_equal(posts, 5 * run.daily["visitors"])
    np.testing.assert_array_equal(ads, run.daily["ads"])
    assert not run.shown[:, :5, 18:24].any() and run.shown[:, 5:, 18:24].any()  # newcomers begin on day 5
    np.testing.assert_array_equal(run.daily["followers"][:, 1:], 500 - np.cumsum(run.daily["left"], axis=1)[:, :-1])


def test_what_came_in_is_what_was_to_be_expected():
    run = play(SocialWorld(range(100), n_users=200, days=10), "random")
    apart = total(run, "revenue") - total(run)
    assert abs(apart.mean()) < 3 * apart.std() / 10
    luckless = play(SocialWorld(range(100), n_users=200, days=10, conversion=0.0, leave=0.0, annoy=0.0), "random")
    apart = total(luckless, "revenue") - total(luckless)
    assert abs(apart.mean()) < 3 * apart.std() / 10 < 0.1 * total(luckless).mean()


def test_the_oracle_is_best_and_earns_the_optimum(runs):
    best = total(runs["oracle"])
    for policy in POLICIES[:-1]:
        assert (total(runs[policy]) < best).all(), policy
    assert best.mean() == pytest.approx(runs["oracle"].world.optimum.mean(), rel=0.02)
    assert not runs["oracle"].daily["unexplained"].any()


def test_random_shows_all_alike_and_those_who_learn_are_ahead(runs):
    shown = runs["random"].shown[:, 5:, :24].sum(axis=(0, 1))
    assert shown == pytest.approx(shown.mean(), rel=0.05)
    order = [total(runs[policy]).mean() for policy in ("random", "popularity", "thompson")]
    assert order == sorted(order) and total(runs["model"]).mean() > order[1]


def test_forecasts_get_better_until_tastes_turn(runs):
    for policy in ("model", "thompson"):
        share = (runs[policy].daily["unexplained"] / runs[policy].daily["spread"]).mean(axis=0)
        assert share[14] < 0.8 < share[15] and share[29] < share[15] - 0.1


def test_thompson_recovers_after_the_drift(runs):
    share = [sum(runs[p].daily["expected"].sum(axis=0) * w for p, w in pair)
             for pair in ((("thompson", 1), ("random", -1)), (("oracle", 1), ("random", -1)))]  # fmt: skip
    closed = share[0] / share[1]
    before, at, end = closed[10:15].mean(), closed[15], closed[-5:].mean()
    assert at < 0.8 * before and end > 0.85 * before


def test_where_only_items_differ_popularity_comes_near_the_oracle():
    world = SocialWorld(range(4), n_users=500, taste=0.0, own=0.0, quality=1.0, arrival=0, days=20)
    found = {policy: play(world, policy, LEARNER) for policy in ("random", "popularity", "oracle")}
    assert gap(found, "popularity").value > 0.8


def test_where_segments_differ_a_model_is_far_ahead_of_popularity():
    world = SocialWorld(range(3), n_users=500, taste=1.0, own=0.0, quality=0.0, drift=0.0, post_rate=0.05)
    found = {policy: play(world, policy, LEARNER) for policy in ("random", "popularity", "model", "oracle")}
    assert gap(found, "model").value > 0.7 > gap(found, "popularity").value + 0.2


def test_a_world_is_played_the_same_whatever_stands_beside_it():
    for policy in POLICIES:
        many, alone = (play(SocialWorld(seeds, **SMALL), policy, LEARNER) for seeds in (range(3), [2]))
        np.testing.assert_array_equal(many.shown[2], alone.shown[0])
        np.testing.assert_allclose(many.daily["expected"][2], alone.daily["expected"][0], rtol=1e-12)


def test_only_the_last_days_are_learnt_from(tmp_path):
    """With a window of two days the state holds the views of these and no others."""
    kept: list[int] = []

    def look(day: int, step: str) -> None:
        if step == "update":
            with np.load(tmp_path / "random.npz") as state:
                kept.append(int(state["views"].sum()))

    world, settings = SocialWorld([0], **SMALL), Settings(window=2)
    views = play(world, "random", folder=tmp_path, settings=settings, after=look).shown.sum(axis=(0, 2))
    assert kept == [views[max(day - 1, 0) : day + 1].sum() for day in range(5)]


def test_boldness_of_nothing_is_the_plain_model():
    world = SocialWorld(range(2), **SMALL)
    timid = play(world, "thompson", LEARNER, settings=Settings(boldness=0.0))
    assert same(timid, play(world, "model", LEARNER))


class Prior:
    """A learner of the test's own: the rate of all, whatever the cell."""

    def __init__(self, *, reg: float) -> None:
        assert reg > 0

    def fit(self, X, y, *, impressions):
        assert X.shape[0] == len(y) == len(impressions) and (y <= impressions).all()
        self.rate = y.sum() / impressions.sum()
        return self

    def predict_proba(self, X):
        return np.full(len(X), self.rate)


def test_any_learner_with_fit_and_predict_will_do():
    world = SocialWorld([0], **SMALL)
    assert play(world, "model", Prior).daily["ads"].sum() > 0
    with pytest.raises(UsageError, match="Prior has no theta_ and covariance_, which thompson draws from"):
        play(world, "thompson", Prior)


def _killed(folder: Path, policy: str, at: tuple[int, str], before: bool) -> None:
    """Play until the step `at` is done, and die: before it is kept, or after."""

    def die(*now: object) -> None:
        if now[:2] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    if before:
        write = StateFile.write

        def dying(self: StateFile, state: dict) -> None:
            done = (int(state["step"]) - 1) % len(STEPS)
            die(int(state["day"]) - (done == len(STEPS) - 1), STEPS[done])
            write(self, state)

        StateFile.write = dying
    play(SocialWorld(range(2), **SMALL), policy, LEARNER, folder=folder, after=None if before else die)


@pytest.mark.parametrize("before", [True, False], ids=["unsaved", "saved"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path, step, before):
    """Killed there on days 1 and 3, taken up again, and at the end the numbers of a run that nobody disturbed."""
    fork = multiprocessing.get_context("fork")
    for day in (1, 3):
        child = fork.Process(target=_killed, args=(tmp_path, "thompson", (day, step), before))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
    world = SocialWorld(range(2), **SMALL)
    done = []
    ended = play(world, "thompson", LEARNER, folder=tmp_path, after=lambda *now: done.append(now))
    assert same(ended, play(world, "thompson", LEARNER))
    assert done[0] == (3, step) if before else done[0] != (3, step)
    assert [p.name for p in tmp_path.iterdir()] == ["thompson.npz"]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["thompson", "oracle"])
def test_kills_from_outside_at_any_moment(tmp_path, policy):
    """A process of its own, killed again and again after hundredths of a second of work."""
    code = (
        "from functools import partial; from smlab.campaignloop import play; from smlab.ctr import LogisticRegression;"
        "from smlab.socialworld import SocialWorld; print('go', flush=True);"
        f"play(SocialWorld(range(2), **{SMALL!r}), {policy!r}, partial(LogisticRegression, tolerance=1e-6),"
        f" folder={str(tmp_path)!r})"
    )
    rng, kills = np.random.default_rng(0), 0
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        child.stdout.readline()
        try:
            child.wait(0.02 + 0.06 * rng.random())
        except subprocess.TimeoutExpired:
            child.kill()
            kills += 1
        child.stdout.close()
        child.wait()
    world = SocialWorld(range(2), **SMALL)
    assert kills >= 1 and same(play(world, policy, LEARNER, folder=tmp_path), play(world, policy, LEARNER))


def test_a_finished_run_is_not_played_again(tmp_path):
    world, again = SocialWorld([0], **SMALL), []
    first = play(world, "popularity", folder=tmp_path)
    second = play(world, "popularity", folder=tmp_path, after=lambda *now: again.append(now))
    assert same(first, second) and not again


def test_another_worlds_state_is_not_taken(tmp_path):
    play(SocialWorld([0], **SMALL), "random", folder=tmp_path)
    for world, settings in ((SocialWorld([1], **SMALL), None), (SocialWorld([0], **SMALL), Settings(window=3))):
        with pytest.raises(UsageError, match="with other parameters"):
            play(world, "random", folder=tmp_path, settings=settings)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: play(w, "thomson", LEARNER), "no policy 'thomson'; did you mean 'thompson'"),
        (lambda w: play(w, "model"), "the policy 'model' needs a learner"),
        (lambda w: Settings(window=0), "window=0 must be 1 or more"),
        (lambda w: Settings(prior=0.0), "prior=0.0 must be above 0"),
        (lambda w: Settings(boldness=-1.0), "boldness=-1.0 must be 0 or more"),
        (lambda w: Settings(forget=1.1), "forget=1.1 must lie above 0 and not above 1"),
    ],
)
def test_wrong_calls_are_a_sentence(call, words):
    with pytest.raises(UsageError, match=words):
        call(SocialWorld([0], **SMALL))
