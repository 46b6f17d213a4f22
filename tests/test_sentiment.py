"""Classifiers of posts: one contract for all, networks included, and what each can and cannot see."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab import sentiment
from smlab.checks import UsageError
from smlab.lexicons import Vader, WordScore
from smlab.sentiment import Lexicon, LogisticText, Majority, Reason, combination, ngrams, vectors
from smlab.textfeatures import WordNGrams
from smlab.textnets import BiLSTM, TextCNN
from smlab.wordvectors import WordVectors

GOOD, BAD, NEITHER = ("love", "great", "happy"), ("hate", "awful", "sad"), ("bus", "monday", "paper")
WORDS = [*GOOD, *BAD, *NEITHER, "the", "a", "today"]
VECTORS = WordVectors(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 12)))
LEXICON = dict.fromkeys(GOOD, 2.0) | dict.fromkeys(BAD, -2.0)
SMALL = {"word_vectors": VECTORS, "epochs": 8, "batch_size": 8, "learning_rate": 0.01, "device": "cpu"}
MODELS = {
    "majority": Majority,
    "lexicon": lambda: Lexicon(score=WordScore(LEXICON)),
    "n-grams": ngrams,
    "word vectors": lambda: vectors(VECTORS),
    "sif": lambda: vectors(VECTORS, weighting="sif"),
    "combination": lambda: combination(word_vectors=VECTORS, lexicons={"l": LEXICON}, scorer=Vader().columns),
    "TextCNN": lambda: TextCNN(**SMALL, n_filters=8),
    "BiLSTM": lambda: BiLSTM(**SMALL, n_hidden=8),
}
every_model = pytest.mark.parametrize("name", MODELS)
learning = pytest.mark.parametrize("name", [name for name in MODELS if name != "majority"])
STRANGE = [
    "",
    "   ",
    "\ud83d",
    "\x00",
    "שלום עולם",
    "👩‍👩‍👧‍👦" * 9,
    "love" * 20_000,
    "not " * 5000,
    "质量很好",
    "\u202elove",
]


def planted(n: int = 90, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Posts of three classes, each with a word of its own vocabulary among others that say nothing."""
    rng = np.random.default_rng(seed)
    labels = np.array(["negative", "neutral", "positive"])[rng.integers(0, 3, n)]
    own = {"negative": BAD, "neutral": NEITHER, "positive": GOOD}
    return [f"the {rng.choice(own[label])} a {rng.choice(['today', 'the'])}" for label in labels], labels


@every_model
def test_every_model_keeps_the_contract(name):
    texts, labels = planted()
    kept = list(texts), labels.copy()
    model = MODELS[name]()
    assert model.fit(texts, labels) is model
    assert texts == kept[0] and (labels == kept[1]).all()
    assert model.classes_.tolist() == ["negative", "neutral", "positive"]
    p = model.predict_proba(texts[:20])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert p.shape == (20, 3) and (p >= 0).all()
    np.testing.assert_array_equal(model.predict(texts[:20]), model.classes_[p.argmax(axis=1)])
    assert model.predict_proba([]).shape == (0, 3) and len(model.predict([])) == 0


@every_model
def test_every_model_answers_any_text(name):
    p = MODELS[name]().fit(*planted()).predict_proba(STRANGE)
    assert np.isfinite(p).all() and len(p) == len(STRANGE)


@every_model
def test_the_same_fit_twice_gives_the_same_numbers_and_forgets_the_last(name):
    texts, labels = planted()
    model = MODELS[name]().fit(*planted(40, seed=9)).fit(texts, labels)
    np.testing.assert_array_equal(model.predict_proba(texts), MODELS[name]().fit(texts, labels).predict_proba(texts))


@every_model
def test_the_answer_to_a_post_does_not_hang_on_the_others(name):
    texts, labels = planted()
    model = MODELS[name]().fit(texts, labels)
    together = model.predict_proba([*texts[:9], "love " * 50])
    np.testing.assert_allclose(together[3:4], model.predict_proba([texts[3]]), atol=1e-5)


@learning
@pytest.mark.parametrize("seed", range(3))
def test_planted_vocabularies_are_found(name, seed):
    texts, labels = planted(150, seed=seed)
    model = MODELS[name]().fit(texts[:100], labels[:100])
    assert np.mean(model.predict(texts[100:]) == labels[100:]) > (0.6 if name == "sif" else 0.85)


@every_model
def test_two_classes_of_numbers_do_as_well(name):
    texts, labels = planted()
    model = MODELS[name]().fit(texts, (labels == "positive").astype(int))
    assert model.classes_.tolist() == [0, 1] and model.predict_proba(texts).shape == (len(texts), 2)


@every_model
@pytest.mark.parametrize(
    ("texts", "labels", "text"),
    [
        ("a post", ["good"], "a classifier takes several posts; put the one into a list"),
        (["a", None], [0, 1], "post 1 is None, not text"),
        (["a", "b"], [0], "2 posts and labels of shape (1,): each post needs one label"),
        ([], [], "0 posts and labels of shape (0,): each post needs one label, and there must be some"),
        (["a", "b"], ["good", None], "label 1 is None; every post needs a label of one kind"),
        (["a", "b"], [1.0, np.nan], "label 1 is missing; leave such posts out"),
    ],
)
def test_bad_input_is_one_sentence(name, texts, labels, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        MODELS[name]().fit(texts, labels)


@learning
def test_one_class_is_too_few(name):
    with pytest.raises(UsageError, match="needs posts of 2 classes to learn from; all are 'good'"):
        MODELS[name]().fit(["a", "b"], ["good", "good"])


@every_model
def test_unfitted_models_say_so(name):
    with pytest.raises(UsageError, match=r"has not been fitted; call fit\(texts, labels\) first"):
        MODELS[name]().predict(["a"])


def test_majority_gives_the_shares_of_training():
    p = Majority().fit(["a"] * 4, ["x", "y", "y", "y"]).predict_proba(["b"])
    np.testing.assert_allclose(p, [[0.25, 0.75]])


@pytest.mark.parametrize("balanced", [True, False])
def test_weights_are_where_the_gradient_of_the_objective_is_zero(balanced):
    """-(1/n) Σ a_i ln p(y_i|x_i) + (λ/2)‖W‖² by its gradient, worked out here."""
    texts, labels = planted(120)
    labels[:40] = "neutral"  # shares differ
    model = LogisticText(WordNGrams(), reg=0.01, balanced=balanced).fit(texts, labels)
    X = model._matrix(texts, model._tokens(texts)).toarray()
    Y = labels[:, None] == model.classes_
    a = 1 / (3 * Y.mean(axis=0)) if balanced else np.ones(3)
    residual = (model.predict_proba(texts) - Y) * (Y @ a)[:, None] / len(texts)  # (n, K)
    np.testing.assert_allclose(residual.T @ X + 0.01 * model.coef_, 0, atol=1e-3)
    np.testing.assert_allclose(residual.sum(axis=0), 0, atol=1e-3)


def test_balanced_classes_count_alike_however_rare():
    texts, labels = ["good"] * 95 + ["good"] * 5, ["often"] * 95 + ["rarely"] * 5
    p = ngrams().fit(texts, labels).predict_proba(["good"])
    np.testing.assert_allclose(p, 0.5, atol=1e-3)
    assert ngrams(balanced=False).fit(texts, labels).predict_proba(["good"])[0, 0] == pytest.approx(0.95, abs=0.01)


def test_more_penalty_gives_smaller_weights():
    norms = [np.linalg.norm(ngrams(reg=reg).fit(*planted()).coef_) for reg in (1e-4, 1e-2, 1)]
    assert norms == sorted(norms, reverse=True)


def test_n_grams_see_negation_and_word_vectors_do_not():
    texts, labels = ["good", "not good", "bad", "not bad"] * 5, [1, 0, 0, 1] * 5
    words = WordVectors(["good", "bad", "not"], np.eye(3))
    assert (ngrams().fit(texts, labels).predict(texts) == labels).all()
    assert np.mean(vectors(words).fit(texts, labels).predict(texts) == labels) <= 0.5


def test_a_lexicon_speaks_for_words_of_no_training_post():
    without, with_it = (
        combination(lexicons={"l": lexicon}).fit(*planted()).predict_proba(["the wunderbar a"])[0, 2]
        for lexicon in (LEXICON, LEXICON | {"wunderbar": 2.0})
    )
    assert with_it > without + 0.1


def test_reasons_are_the_parts_of_the_lead_of_a_class():
    texts, labels = planted()
    model = ngrams(chars=None).fit(texts, labels)
    found = model.explain("the awful a", "negative", k=3)
    assert isinstance(found[0], Reason) and "awful" in found[0].name
    assert [r.effect for r in found] == sorted((r.effect for r in found), reverse=True)
    x = model._matrix(["awful"], [["awful"]]).toarray()[0]
    everything = model.explain("awful", "negative", k=10_000)
    lead = x * (model.coef_[0] - model.coef_.mean(axis=0))
    assert sum(r.effect for r in everything) == pytest.approx(lead[lead > 0].sum())
    with pytest.raises(UsageError, match="label='angry' is none of the classes negative, neutral, positive"):
        model.explain("a", "angry")


def test_thresholds_of_a_lexicon_are_in_order_and_say_what_is_called():
    texts, labels = planted()
    model = Lexicon(score=WordScore(LEXICON)).fit(texts, labels)
    assert [label for *_, label in model.thresholds_] == ["negative", "neutral", "positive"]
    assert model.thresholds_[0][0] == -1 and model.thresholds_[-1][1] == 1
    for low, high, label in model.thresholds_:
        middle = Lexicon(score=lambda texts, s=(low + high) / 2: np.full(len(texts), s))
        middle.classes_, middle._model = model.classes_, model._model
        assert middle.predict(["x"]) == [label]


def test_blocks_that_were_passed_in_learn_nothing():
    block = WordNGrams()
    LogisticText(block).fit(*planted())
    assert not hasattr(block, "names_")


def test_names_stand_beside_weights():
    model = combination(word_vectors=VECTORS).fit(*planted())
    assert len(model.names()) == model.coef_.shape[1]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LogisticText(), "LogisticText needs at least one block of columns, such as WordNGrams()"),
        (lambda: ngrams(reg=0), "reg=0 must be finite and above 0"),
    ],
)
def test_wrong_settings_are_one_sentence(make, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        make()


def test_labels_of_pandas_are_as_good():
    import pandas as pd

    texts, labels = planted()
    frame = pd.DataFrame({"text": texts, "label": labels})
    assert (ngrams().fit(frame.text, frame.label).predict(frame.text) == frame.label).mean() > 0.9
    assert sentiment.need_labels(pd.Series(["a", "b"], dtype=object), 2).tolist() == ["a", "b"]
