"""The law by hand, rates as said, worlds that do not know of each other, and what is best beside a plain recursion."""

from __future__ import annotations

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.socialworld import Facts, SocialWorld

WORLD = SocialWorld(range(20), n_users=300)


def test_rates_are_as_said():
    assert WORLD.posts(0).mean() == pytest.approx(0.03, rel=0.12)
    assert WORLD.ads(0, 0.0).mean() == pytest.approx(0.015, rel=0.12)
    assert WORLD.visits.mean() == pytest.approx(0.5, abs=0.01)
    assert SocialWorld([0], visits=0.8).visits.mean() == pytest.approx(0.8, abs=0.02)


def test_the_law_by_hand():
    f, s, u, post, ad = WORLD.facts, 2, 7, 9, 4
    spread = (f.taste**2 + f.own**2 + f.quality**2) / 2
    z = np.log(0.03 / 0.97) - spread + WORLD.tastes[1, s, u, 9 % 6] + WORLD.quality[s, post]
    assert WORLD.posts(15)[s, u, post] == pytest.approx(1 / (1 + np.exp(-z)))
    z = np.log(0.015 / 0.985) - spread + WORLD.tastes[0, s, u, 4] + WORLD.quality[s, 24 + ad] - 0.15 * 2.5
    assert WORLD.ads(14, 2.5)[s, u, ad] == pytest.approx(1 / (1 + np.exp(-z)))
    assert WORLD.leaving(3.0) == pytest.approx(1 - np.exp(-(0.002 + 0.001 * 3)))
    assert WORLD.overnight(WORLD.overnight(WORLD.overnight(np.array(4.0)))) == pytest.approx(2.0)  # half in three days
    assert WORLD.worth == pytest.approx(WORLD.bid + 5 * WORLD.conversion)
    assert WORLD.present(4).sum() == 18 and WORLD.present(5).all()


@pytest.mark.parametrize("drift", [0.0, 0.5, 1.0])
def test_drift_turns_tastes_and_keeps_their_spread(drift):
    before, after = SocialWorld(range(30), n_users=100, drift=drift).tastes
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] == pytest.approx(1 - drift, abs=0.06)
    assert after.std() == pytest.approx(np.sqrt(0.72), rel=0.06)


def test_a_world_depends_on_its_seed_alone():
    alone = SocialWorld([3], n_users=300)
    for name in ("segment", "visits", "quality", "bid", "conversion", "merit"):
        np.testing.assert_array_equal(getattr(alone, name)[0], getattr(WORLD, name)[3])
    np.testing.assert_array_equal(alone.tastes[:, 0], WORLD.tastes[:, 3])
    np.testing.assert_allclose(alone.limits[:, 0], WORLD.limits[:, 3], rtol=1e-9)
    assert alone.optimum[0] == pytest.approx(WORLD.optimum[3])
    np.testing.assert_array_equal(alone.luck(4, 1, 9)[0], WORLD.luck(4, 1, 9)[3])
    assert len(np.unique(WORLD.luck(4, 1, 9))) == 20 * 9 and (WORLD.luck(4, 1, 9) != WORLD.luck(4, 2, 9)).all()


@pytest.mark.parametrize("facts", [{}, {"annoy": 0.02}, {"annoy": 0.01, "follower": 3.0, "wear": 0.4}])
def test_the_optimum_is_that_of_a_plain_recursion(facts):
    """Every way to come or not, to show or not, over six days, with no grid."""
    world = SocialWorld([5], n_users=4, days=6, arrival=2, **facts)
    f = world.facts

    def best(u: int, day: int, F: float) -> float:
        if day == f.days:
            return 0.0
        p = np.where(world.present(day), world.posts(day)[0, u], 0.0)
        posts = f.reaction * np.sort(p)[-f.slots :].sum()
        ways = []
        for shown in (0, 1):
            ad = shown * (world.worth[0] * world.ads(day, np.full((1, 4), F))[0, u]).max()
            h = world.leaving(F + shown)
            ways.append(posts + ad - h * f.follower + (1 - h) * best(u, day + 1, f.keep * (F + shown)))
        if F == 0 or day % 2:
            assert (ways[1] > ways[0]) == (world.limits[day, 0, u] >= F)
        v = world.visits[0, u]
        return (1 - v) * best(u, day + 1, f.keep * F) + v * max(ways)

    assert world.optimum[0] == pytest.approx(sum(best(u, 0, 0.0) for u in range(4)), rel=1e-4)


def test_limits_rise_towards_the_end_and_fall_with_the_harm():
    harmless = SocialWorld([0], n_users=50, wear=0.0, annoy=0.0)
    assert np.isinf(harmless.limits).all()
    costs = [0.001, 0.005, 0.02, 0.2]
    shown = [(SocialWorld([0], n_users=50, annoy=a, drift=0.0).limits > 1).mean() for a in costs]
    assert shown == sorted(shown, reverse=True) and shown[-1] == 0 and shown[0] > 0.95
    hard = SocialWorld([0], n_users=50, annoy=0.01, drift=0.0).limits[:, 0]
    assert (hard[-1] >= hard[10]).all() and (hard[-1] > hard[10]).any()


def test_merit_is_the_mean_chance_since_all_are_there():
    world = SocialWorld([0], n_users=40, days=10, arrival=4)
    by_day = [world.posts(day)[0].mean(axis=0) for day in range(4, 10)]
    assert world.merit[0] == pytest.approx(np.mean(by_day, axis=0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_users": 0}, "n_users=0 must be a whole number from 1"),
        ({"drift": 1.5}, "drift=1.5 must lie between 0 and 1"),
        ({"wear": -1.0}, "wear=-1.0 must be 0 or more"),
        ({"wear": float("nan")}, "wear=nan must be 0 or more"),
        ({"post_rate": 0.0}, "post_rate=0 must be above 0"),
        ({"post_rate": 1.0}, "post_rate and ad_rate must be below 1"),
        ({"n_posts": 5}, "n_posts=5 leaves 4 posts for the first day; slots=5"),
        ({"days": 2.5}, "days=2.5 must be a whole number from 1"),
        ({"mood": 1}, "the world has no fact 'mood'"),
    ],
)
def test_bad_facts_are_a_sentence(changes, words):
    with pytest.raises(UsageError, match=words):
        SocialWorld([0], **changes)


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1]])
def test_bad_seeds_are_a_sentence(seeds):
    with pytest.raises(UsageError, match="seeds must be different whole numbers from 0"):
        SocialWorld(seeds)


def test_facts_can_be_given_whole():
    assert SocialWorld([0], Facts(n_users=7), days=3).facts == Facts(n_users=7, days=3)
