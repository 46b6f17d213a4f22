"""Tests of scores of headlines: least squares written out, planted words, what must not matter, errors."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from smlab.checks import UsageError
from smlab.headlineclicks import HeadlineClicks, Length, _ridge, usual_blocks
from smlab.headlineworld import headline_world
from smlab.textfeatures import WordNGrams

WORDS = [(1.0, WordNGrams(n=(1, 1)))]


@pytest.fixture(scope="module")
def world():
    return headline_world(400)


def fitted(tests, blocks=None, **how):
    return HeadlineClicks(blocks, **how).fit(tests["text"], tests["test"], tests["clicks"], tests["impressions"])


def test_ridge_is_least_squares_with_a_free_level_for_each_test():
    rng = np.random.default_rng(0)
    X, y, t, w = rng.normal(size=(40, 5)), rng.normal(size=40), np.repeat(np.arange(10), 4), rng.uniform(0.5, 2, 40)
    full = np.hstack([X, np.eye(10)[t]])
    penalty = np.diag([3.0] * 5 + [0.0] * 10)
    expected = np.linalg.solve(full.T @ (w[:, None] * full) + penalty, full.T @ (w * y))[:5]
    assert _ridge(sparse.csr_array(X), y, t, w, 3.0) == pytest.approx(expected, abs=1e-4)


def test_scores_follow_the_planted_effects_on_stories_not_seen(world):
    first = world.tests["week"] < 201_431
    for blocks in (None, WORDS):
        score = fitted(world.tests[first], blocks).predict(world.tests["text"][~first])
        truth = world.score[~first]
        assert np.corrcoef(score, truth)[0, 1] > 0.95
        assert 0.6 < np.polyfit(score, truth, 1)[0] < 1.6  # on the scale of log-odds


def test_the_planted_words_have_the_largest_effects(world):
    model = fitted(world.tests, WORDS)
    effect = dict(zip(model.names_, model.effects_, strict=True))
    assert max(effect, key=lambda word: effect[word]) in ("why", "this", "what", "she", "said")
    assert effect["watch"] < effect["how"] < effect["why"] and effect["minutes"] < 0 < effect["said"]


def test_words_of_the_story_get_no_credit_for_its_click_rate(world):
    nurse = world.tests["text"].str.contains("nurse")
    model = fitted(world.tests.assign(clicks=world.tests["clicks"] * np.where(nurse, 5, 1)), WORDS)
    assert abs(model.effects_[model.names_.index("nurse")]) < 0.02


def test_without_a_difference_scores_are_small(world):
    rng = np.random.default_rng(1)
    same = world.tests.assign(clicks=rng.binomial(3000, 0.012, len(world.tests)).astype(float), impressions=3000.0)
    assert fitted(same).predict(same["text"]).std() < 0.3 * fitted(world.tests).predict(same["text"]).std()


def test_order_of_rows_names_of_tests_and_a_headline_without_impressions_do_not_matter(world):
    tests = world.tests.iloc[:400]
    texts = ["Why this nurse left the army", "Watch a judge"]
    expected = fitted(tests, WORDS).predict(texts)
    mixed = tests.sample(frac=1, random_state=0).assign(test=lambda d: d["test"].str[::-1])
    assert fitted(mixed, WORDS).predict(texts) == pytest.approx(expected, abs=1e-4)
    alone = tests.iloc[:1].assign(impressions=0.0, clicks=0.0)
    grown = pd.concat([tests, alone], ignore_index=True)
    assert np.diff(fitted(grown, WORDS).predict(texts)) == pytest.approx(np.diff(expected), abs=0.01)


def test_units_of_a_block_do_not_matter(world):
    tests = world.tests.iloc[:400]
    small, large = (fitted(tests, [(1.0, Length(scale=s))]).predict(["Why", "Why not this one"]) for s in (0.01, 100.0))
    assert small == pytest.approx(large, rel=1e-3)


def test_a_sentence_model_counts_most(world):
    def sentence(texts):
        return np.array([[len(text), text.count("e")] for text in texts], dtype=np.float32)

    blocks = usual_blocks(sentence)
    assert len(usual_blocks()) + 1 == len(blocks) and blocks[0][0] > sum(share for share, _ in blocks[1:])
    assert np.isfinite(fitted(world.tests.iloc[:200], blocks).predict(["Why", ""])).all()


def test_the_same_fit_twice_gives_the_same_scores_and_no_text_none(world):
    tests = world.tests.iloc[:200]
    one, two = (fitted(tests).predict(tests["text"]) for _ in range(2))
    assert (one == two).all() and fitted(tests).predict([]).shape == (0,)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"reg": 0}, "reg=0 must be finite and above 0"),
        ({"spread": -1}, "spread=-1 must be finite and not below 0"),
        ({"blocks": []}, "one block or more is needed, each with a share above 0"),
    ],
)
def test_errors_of_parameters_are_sentences(how, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        HeadlineClicks(**how)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ((["a", "b"], [1, 1], [5, 1], [2, 2]), "row 0: 5 clicks of 2 impressions cannot be"),
        ((["a"], [1, 1], [1, 1], [2, 2]), "1 headlines, 2 tests and 2 counts: one of each is needed"),
        ((["a", "b"], [1, 2], [1, 1], [2, 2]), "no test has two headlines that were shown"),
        ((["a", "b"], [1, 1], [0, 1], [0, 2]), "no test has two headlines that were shown"),
    ],
)
def test_errors_of_data_are_sentences(data, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        HeadlineClicks(WORDS).fit(*data)


def test_predict_before_fit_is_an_error():
    with pytest.raises(UsageError, match=re.escape("call fit(texts, test, clicks, impressions) first")):
        HeadlineClicks().predict(["a"])
