"""EM finds the most likely mix, recovers a planted one, and its intervals know of both kinds of posts."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from smlab.checks import UsageError
from smlab.prior_shift import em, em_shares

LEARNT = np.array([0.3, 0.5, 0.2])  # π⁰
SHIFTED = np.array([0.6, 0.3, 0.1])
CENTRES = np.array([-1.3, 0.0, 1.3])


def posts(n: int, mix: np.ndarray, rng: np.random.Generator, sharpen: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return classes, and their exact probabilities under π⁰ given one normal number each, sharpened."""
    y = rng.choice(3, n, p=mix)
    x = CENTRES[y] + rng.normal(size=n)
    return y, softmax(sharpen * (np.log(LEARNT) - (x[:, None] - CENTRES) ** 2 / 2), axis=1)


def likelihood(pi: np.ndarray, P: np.ndarray) -> float:
    return float(np.log(P / LEARNT @ pi).sum())


@pytest.mark.parametrize("seed", range(4))
def test_em_reaches_the_greatest_likelihood_and_never_lowers_it(seed):
    _, P = posts(300, SHIFTED, np.random.default_rng(seed))
    found = em(P, LEARNT)
    one = {"type": "eq", "fun": lambda p: p.sum() - 1}
    slow = minimize(lambda p: -likelihood(p, P), LEARNT, bounds=[(1e-9, 1)] * 3, constraints=one)
    np.testing.assert_allclose(found, slow.x, atol=1e-3)
    path = [likelihood(em(P, LEARNT, max_steps=s), P) for s in (1, 2, 3, 5, 10, 50)]
    assert (np.diff(path) >= -1e-9).all() and found.sum() == pytest.approx(1)


def test_step_of_em_is_the_mean_of_the_reweighted_probabilities():
    _, P = posts(50, SHIFTED, np.random.default_rng(0))
    pi = np.array([0.5, 0.2, 0.3])
    r = P * pi / LEARNT
    r /= r.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(em(P, LEARNT, start=pi, max_steps=1), r.mean(axis=0))
    twice = em(np.r_[P, P[:10]], LEARNT)
    np.testing.assert_allclose(em(P, LEARNT, weights=np.r_[np.full(10, 2), np.ones(40)]), twice, atol=1e-5)


def test_true_probabilities_need_no_held_out_posts_but_sharpened_ones_mislead():
    rng = np.random.default_rng(1)
    true, sharp = (posts(20_000, SHIFTED, rng, s)[1] for s in (1.0, 2.0))
    assert em(true, LEARNT) == pytest.approx(SHIFTED, abs=0.03)
    assert np.abs(em(sharp, LEARNT) - SHIFTED).max() > 0.1, "wrong probabilities bias EM"
    y, P = posts(5000, LEARNT, rng, 2.0)
    assert em_shares(sharp, y, P, [0, 1, 2], n=10)["value"].to_numpy() == pytest.approx(SHIFTED, abs=0.03)


@pytest.mark.parametrize("worlds", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_intervals_cover_as_they_say(worlds):
    """Worlds of 3 classes, 500 posts and 300 held out, of a classifier that is too sure: error 2.5 % and 0.9 %."""
    inside, plain = [], []
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        (y, held), (_, P) = posts(300, LEARNT, rng, 1.5), posts(500, SHIFTED, rng, 1.5)
        found = em_shares(P, y, held, [0, 1, 2], n=60, seed=seed)
        inside.append((found["low"] <= SHIFTED) & (found["high"] >= SHIFTED))
        plain.append(P.mean(axis=0))
    assert 0.90 < np.mean(inside) < 0.99
    assert np.abs(np.mean(plain, axis=0) - SHIFTED).max() > 0.1, "the mean probability is biased"


def test_same_seed_same_numbers_and_labels_name_the_rows():
    rng = np.random.default_rng(0)
    (y, held), (_, P) = posts(200, LEARNT, rng), posts(200, SHIFTED, rng)
    names = np.array(["negative", "neutral", "positive"])
    first, again = (em_shares(P, names[y], held, names, n=20) for _ in range(2))
    assert first.equals(again) and first.index.tolist() == names.tolist()
    assert not first.equals(em_shares(P, names[y], held, names, n=20, seed=1))
    assert ((first["low"] <= first["value"]) & (first["value"] <= first["high"])).all()


HALF = [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: em_shares(HALF, [0, 0], HALF * 2, [0, 1]), "class 1 has no held-out post: label some"),
        (lambda: em_shares(HALF, [0, 1], HALF, [0, 1]), "2 held-out labels and 1 rows of probabilities"),
        (lambda: em_shares([[0.5, 0.9]], [0, 1], HALF * 2, [0, 1]), "row 0: [0.5 0.9] are not probabilities"),
        (lambda: em_shares(HALF, [0, 2], HALF * 2, [0, 1]), "row 1: 2 is not one of [0, 1]"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
