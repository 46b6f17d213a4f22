"""The derivation against finite differences and torch; planted topics part; the same seed, the same numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from smlab.checks import UsageError
from smlab.skipgram import SkipGram, descend, gradients, loss, pairs, planted_corpus, vocabulary

FAST = {"n_factors": 16, "subsample": 0}


def one_pair(seed: int, d: int = 6, n_noise: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=d), rng.normal(size=d), rng.normal(size=(n_noise, d))]


# The derivation


def test_loss_is_the_formula_written_out():
    v_c, u_o, u_k = one_pair(0)
    sigma = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    written = -np.log(sigma(u_o @ v_c)) - sum(np.log(sigma(-u @ v_c)) for u in u_k)
    assert loss(v_c, u_o, u_k) == pytest.approx(written)


@pytest.mark.parametrize("which", range(3), ids=["dJ/dv_c", "dJ/du_o", "dJ/du_k"])
@pytest.mark.parametrize("seed", range(5))
def test_gradient_is_the_finite_difference(which, seed):
    at, h = one_pair(seed), 1e-6
    by_formula = gradients(*at)[which]
    assert by_formula.shape == at[which].shape
    for i in np.ndindex(at[which].shape):
        up, down = (np.copy(at[which]) for _ in range(2))
        up[i] += h
        down[i] -= h
        difference = loss(*at[:which], up, *at[which + 1 :]) - loss(*at[:which], down, *at[which + 1 :])
        assert by_formula[i] == pytest.approx(difference / (2 * h), abs=1e-8)


def test_many_pairs_at_once_are_the_pairs_one_by_one():
    many = [np.stack(x) for x in zip(*(one_pair(seed) for seed in range(7)), strict=True)]
    for all_at_once, *singles in zip(gradients(*many), *(gradients(*one_pair(seed)) for seed in range(7)), strict=True):
        np.testing.assert_allclose(all_at_once, np.stack(singles))
    np.testing.assert_allclose(loss(*many), [loss(*one_pair(seed)) for seed in range(7)])


@pytest.mark.parametrize("seed", range(3))
def test_one_step_is_that_of_a_torch_model(seed):
    """Repeated rows, and noise that happens to be the context, which both leave out."""
    rng = np.random.default_rng(seed)
    V, U = rng.normal(size=(2, 9, 5))
    c, o, k = rng.integers(9, size=20), rng.integers(9, size=20), rng.integers(9, size=(20, 3))
    v, u = (torch.tensor(M, requires_grad=True) for M in (V, U))
    positive = logsigmoid((u[o] * v[c]).sum(1))
    negative = logsigmoid(-(u[k] * v[c][:, None]).sum(2)) * torch.tensor(k != o[:, None])
    J = -(positive.sum() + negative.sum())
    J.backward()
    with torch.no_grad():
        torch.optim.SGD([v, u], lr=0.1).step()
    assert (k == o[:, None]).any()
    assert descend(V, U, c, o, k, 0.1) == pytest.approx(J.item() / 20)
    np.testing.assert_allclose(V, v.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(U, u.detach().numpy(), atol=1e-12)


def test_large_scores_neither_overflow_nor_vanish():
    v = np.array([1e3, 0.0])
    with np.errstate(over="raise"):
        assert loss(v, -v, v[None]) == pytest.approx(2e6)
        assert np.isfinite(np.concatenate([g.ravel() for g in gradients(v, -v, v[None])])).all()


# What it learns


def purity(model: SkipGram, k: int = 5) -> float:
    """Share of the k nearest topic words that are of the word's own topic."""
    vectors = model.vectors_
    rows = [i for i, word in enumerate(vectors.words) if word[0] in "ab"]
    topic = np.array([vectors.words[i][0] for i in rows])
    cosine = vectors.unit[rows] @ vectors.unit[rows].T
    np.fill_diagonal(cosine, -2)
    return float((topic[np.argsort(-cosine, axis=1)[:, :k]] == topic[:, None]).mean())


def test_two_vocabularies_part_on_19_of_20_seeds():
    """All five nearest of all forty words; chance is a half."""
    fitted = (SkipGram(**FAST, learning_rate=0.05, seed=s).fit(planted_corpus(200, seed=s)) for s in range(20))
    assert sum(purity(model) == 1 for model in fitted) >= 19


def test_shared_words_stand_between_the_topics():
    vectors = SkipGram(**FAST).fit(planted_corpus()).vectors_
    mean = {
        kind: np.mean([vectors[w] for w in vectors.words if w.startswith(kind)], axis=0) for kind in ("a", "b", "the")
    }
    cosine = lambda x, y: x @ y / np.linalg.norm(x) / np.linalg.norm(y)  # noqa: E731
    assert cosine(mean["a"], mean["b"]) < min(cosine(mean["the"], mean[t]) for t in "ab")


def test_without_topics_nothing_parts():
    posts = planted_corpus()
    mixed = np.random.default_rng(0).permutation([w for post in posts for w in post]).reshape(-1, 10).tolist()
    assert purity(SkipGram(**FAST).fit(mixed)) < 0.65


def test_loss_falls_and_the_same_seed_gives_the_same_numbers():
    posts = planted_corpus(100)
    before = [post.copy() for post in posts]
    a, b, c = (SkipGram(**FAST, seed=seed).fit(posts) for seed in (1, 1, 2))
    assert a.losses_ == sorted(a.losses_, reverse=True) and a.losses_[0] < 6 * np.log(2)
    np.testing.assert_array_equal(a.V_, b.V_)
    assert not np.array_equal(a.V_, c.V_)
    assert posts == before


@pytest.mark.parametrize(
    "change",
    [{"window": 1}, {"negative": 2}, {"epochs": 2}, {"learning_rate": 0.01}, {"min_count": 30}, {"subsample": 0.01}],
    ids=lambda change: next(iter(change)),
)
def test_every_parameter_matters(change):
    posts = planted_corpus(100)
    a, b = SkipGram(**FAST).fit(posts), SkipGram(**(FAST | change)).fit(posts)
    assert a.losses_[-1] != b.losses_[-1]


# Its parts


def test_pairs_are_those_of_a_slow_double_loop_and_never_cross_posts():
    ids, post = np.arange(30), np.repeat([0, 1, 2], 10)
    c, o = pairs(ids, post, 4, np.random.default_rng(3))
    b = np.random.default_rng(3).integers(1, 5, 30)
    slow = {(i, j) for i in range(30) for j in range(30) if 0 < abs(i - j) <= b[i] and post[i] == post[j]}
    assert set(zip(c.tolist(), o.tolist(), strict=True)) == slow and len(c) == len(slow)


def test_near_words_are_taken_more_often_in_a_window_that_varies():
    """A word n places away is in the window of a centre with probability 1 - (n - 1)/5."""
    ids = np.arange(50_000)
    c, o = pairs(ids, np.zeros_like(ids), 5, np.random.default_rng(0))
    share = np.bincount(np.abs(c - o))[1:] / (2 * len(ids))
    assert share == pytest.approx([1, 0.8, 0.6, 0.4, 0.2], abs=0.01)


def test_vocabulary_is_sorted_by_count_then_alphabet():
    assert list(vocabulary({"b": 2, "z": 9, "a": 2, "q": 1}, 2)) == ["z", "a", "b"]


ERRORS = {
    "n_factors=0 must be a whole number above 0": lambda: SkipGram(n_factors=0),
    "window=1.5 must be a whole": lambda: SkipGram(window=1.5),
    "negative=0 must be": lambda: SkipGram(negative=0),
    "learning_rate=0 must be finite and above 0": lambda: SkipGram(learning_rate=0),
    "subsample=1 must be from 0 to below 1": lambda: SkipGram(subsample=1),
    "seed=-1 must be from 0": lambda: SkipGram(seed=-1),
    "SkipGram has not been fitted": lambda: SkipGram().vectors_,
    "of 2 words none comes min_count=2 times: nothing to learn from": lambda: SkipGram(min_count=2).fit([["a", "b"]]),
    "of 0 words none comes": lambda: SkipGram().fit([]),
    "no two words stand side by side": lambda: SkipGram(subsample=0).fit([["a"], ["b"]]),
    "post 1 is 'a text', not a list of tokens; a Tokenizer": lambda: SkipGram().fit([["a"], "a text"]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
