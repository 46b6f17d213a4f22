"""The simulated headlines follow their law."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import logit

from smlab.checks import UsageError
from smlab.headlineworld import headline_world


def test_log_odds_within_a_story_are_the_words_and_the_spread():
    world = headline_world(2000, spread=0.3)
    left = logit(world.rate) - world.score
    within = left - left.reshape(-1, 4).mean(axis=1).repeat(4)
    assert within.std() * np.sqrt(4 / 3) == pytest.approx(0.3, rel=0.03)
    known = headline_world(50, spread=0)
    gap = logit(known.rate) - known.score
    assert gap == pytest.approx(gap.reshape(-1, 4)[:, 0].repeat(4))


def test_scores_are_the_effects_of_the_words_in_the_text():
    world = headline_world(100)
    for text, score in zip(world.tests["text"], world.score, strict=True):
        said = [b for words, b in world.effects.items() if f" {words} " in f" {text} "]
        assert sum(said) == pytest.approx(score)


def test_clicks_are_drawn_from_the_rates_and_headlines_of_a_story_differ():
    world = headline_world(3000, headlines=3)
    tests = world.tests
    n = tests["impressions"]
    z = (tests["clicks"] - n * world.rate) / np.sqrt(n * world.rate * (1 - world.rate))
    assert abs(z.mean()) < 0.04 and z.std() == pytest.approx(1, abs=0.03)
    assert not tests.duplicated(["test", "text"]).any() and (tests.groupby("test").size() == 3).all()
    assert tests["week"].between(201_401, 201_452).all() and tests["week"].is_monotonic_increasing


def test_a_seed_gives_the_same_world():
    assert headline_world(20, seed=3).tests.equals(headline_world(20, seed=3).tests)
    assert not headline_world(20, seed=3).tests.equals(headline_world(20, seed=4).tests)


@pytest.mark.parametrize("how", [{"n_stories": 0}, {"headlines": 1}, {"headlines": 51}, {"spread": -0.1}])
def test_errors_are_sentences(how):
    with pytest.raises(UsageError, match=re.escape("must be whole numbers from 1, headlines=")):
        headline_world(**how)
