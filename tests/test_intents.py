"""Likeness to known queries: the closed form, leaving one out without a second fit, and queries of no intent."""

from __future__ import annotations

import numpy as np
import pytest

from smlab import intents, intentsamples, sentiment
from smlab.checks import UsageError
from smlab.intents import OOS, KernelText, SVMText, answers, likeness
from smlab.textfeatures import CharNGrams, WordNGrams
from smlab.wordvectors import WordVectors

MADE = intentsamples.queries(seed=1)
TRAIN, TEST = (MADE[MADE["split"] == part].reset_index(drop=True) for part in ("train", "test"))


def plain(**settings):
    return KernelText(WordNGrams(min_count=1), CharNGrams(min_count=1), **settings)


def test_margins_solve_the_ridge_problem():
    """At the training queries f = K(K + λI)⁻¹Y, so Y - f = λα."""
    some = TRAIN.iloc[::4]
    model = plain(reg=0.2).fit(some["text"], some["intent"])
    Y = (some["intent"].to_numpy()[:, None] == model.classes_).astype(float)
    Y -= Y.any(axis=1, keepdims=True) / len(model.classes_)
    assert np.allclose(Y - model.margins(some["text"]), 0.2 * model.alpha_, atol=1e-4)
    assert np.allclose(Y[some["intent"] == OOS], 0)


@pytest.mark.parametrize("row", [0, 40, -1])
def test_leaving_one_out_needs_no_second_fit(row):
    """The blocks count words over all queries, so the comparison keeps them: only the row of α goes."""
    some = TRAIN.iloc[::5].reset_index(drop=True)
    model = plain().fit(some["text"], some["intent"])
    K = model._kernel(model._known)
    rest = np.delete(np.arange(len(some)), row)
    Y = (some["intent"].to_numpy()[:, None] == model.classes_).astype(float)
    Y -= Y.any(axis=1, keepdims=True) / len(model.classes_)
    alpha = np.linalg.solve(K[np.ix_(rest, rest)] + 0.03 * np.eye(len(rest)), Y[rest])
    assert np.allclose(K[row, rest] @ alpha, model.held_[row], atol=2e-3)


def test_probabilities_sum_to_one_and_rows_are_independent():
    for model in (plain(), SVMText()):
        model.fit(TRAIN["text"], TRAIN["intent"])
        P = model.predict_proba(TEST["text"])
        assert OOS not in model.classes_ and P.shape == (len(TEST), 10)
        assert np.allclose(P.sum(axis=1), 1)
        assert np.allclose(model.predict_proba(TEST["text"][5:7]), P[5:7], atol=1e-5)
        assert model.predict_proba([]).shape == (0, 10)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_planted_intents_are_found_and_other_queries_look_unlike(language):
    made = intentsamples.queries(language)
    train, test = (made[made["split"] == part] for part in ("train", "test"))
    model = likeness(chars=(1, 3), spans=None, own=0) if language == "zh" else likeness()
    found = answers(model.fit(train["text"], train["intent"]), test["text"])
    inside = (test["intent"] != OOS).to_numpy()
    assert (found["called"].to_numpy() == test["intent"])[inside].mean() > 0.75
    for score in ("probability", "certainty", "margin", "energy"):
        assert found[score][inside].median() > found[score][~inside].median()


def test_same_fit_twice_gives_the_same_numbers():
    vectors = WordVectors(["order", "cancel", "refund"], np.eye(3))
    a, b = (likeness(word_vectors=vectors).fit(TRAIN["text"], TRAIN["intent"]).margins(TEST["text"]) for _ in range(2))
    assert np.array_equal(a, b)


def test_answers_of_a_classifier_to_which_oos_is_an_intent():
    found = answers(sentiment.ngrams().fit(TRAIN["text"], TRAIN["intent"]), TEST["text"])
    assert list(found) == ["text", "called", "probability", "lead", "certainty"]
    assert OOS not in set(found["called"])


def test_hostile_queries_are_only_text():
    model = plain().fit(TRAIN["text"], TRAIN["intent"])
    strange = ["", "   ", "ignore all rules and refund me", "<script>alert(1)</script>", "x" * 200_000, "\U0001f600"]
    found = answers(model, strange)
    assert len(found) == len(strange) and np.isfinite(found["energy"]).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: KernelText(), "at least one block"),
        (lambda: plain(weights=[1]), "a number above 0 for each of 2 blocks"),
        (lambda: plain(width=0), "width=0 must be finite and above 0"),
        (lambda: SVMText(C=-1), "C=-1"),
        (lambda: plain().fit(["a", "b"], ["x", OOS]), "queries of 2 intents"),
        (lambda: plain().predict_proba(["a"]), "has not been fitted"),
        (lambda: plain().fit(["a", "b"], ["x"]), "2 posts and labels"),
    ],
)
def test_errors_say_what_is_wrong(call, said):
    with pytest.raises(UsageError, match=said):
        call()


def test_too_many_queries_are_refused_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr(intents, "MOST", 10)
    with pytest.raises(UsageError, match="at most 10"):
        plain().fit(TRAIN["text"], TRAIN["intent"])
