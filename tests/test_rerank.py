"""Re-ranking: the greedy definitions as loops, both ends of the trade-off, planted genres, errors as sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab import beyond, rerank
from smlab.checks import UsageError


def world(seed: int = 0, n: int = 15, m: int = 12, n_items: int = 30) -> tuple:
    """Give candidates, their scores, and genres of which every item has one or two."""
    rng = np.random.default_rng(seed)
    items = np.argsort(rng.random((n, n_items)), axis=1)[:, :m]
    G = (rng.random((n_items, 4)) < 0.3).astype(float)
    G[np.arange(n_items), rng.integers(0, 4, n_items)] = 1
    return items, -np.sort(-rng.normal(size=(n, m)), axis=1), G


def scaled(s: np.ndarray) -> np.ndarray:
    return (s - s.min()) / (s.max() - s.min())


def slow_mmr(items, scores, G, k, t) -> list[int]:
    r, chosen = scaled(scores), []
    while len(chosen) < k:

        def gain(a):
            alike = [
                G[items[a]] @ G[items[b]] / np.linalg.norm(G[items[a]]) / np.linalg.norm(G[items[b]]) for b in chosen
            ]
            return (1 - t) * r[a] - t * max(alike, default=0.0)

        chosen.append(max((a for a in range(len(items)) if a not in chosen), key=gain))
    return [items[a] for a in chosen]


def slow_calibrated(items, scores, G, p, k, t) -> list[int]:
    r, chosen, P = scaled(scores), [], G / G.sum(axis=1, keepdims=True)
    while len(chosen) < k:

        def gain(a):
            q = np.mean([P[items[b]] for b in [*chosen, a]], axis=0)
            q = 0.99 * q + 0.01 * p
            kl = sum(x * np.log(x / y) for x, y in zip(p, q, strict=True) if x > 0)
            return (1 - t) * r[a] - t * kl

        chosen.append(max((a for a in range(len(items)) if a not in chosen), key=gain))
    return [items[a] for a in chosen]


@pytest.mark.parametrize("t", [0.0, 0.2, 0.6, 1.0])
def test_lists_are_those_of_the_definitions_as_loops(t):
    items, scores, G = world()
    p = np.random.default_rng(1).dirichlet(np.ones(4), len(items)) * [1, 1, 1, 0]
    p /= p.sum(axis=1, keepdims=True)
    varied = rerank.mmr(items, scores, G, k=5, trade=t)
    near = rerank.calibrated(items, scores, G, p, k=5, trade=t)
    for u in range(len(items)):
        assert varied[u].tolist() == slow_mmr(items[u], scores[u], G, 5, t)
        assert near[u].tolist() == slow_calibrated(items[u], scores[u], G, p[u], 5, t)


@pytest.mark.parametrize("seed", range(3))
def test_more_trade_gives_more_variety_and_less_of_what_fits(seed):
    items, scores, G = world(seed, n=200)
    place = {(u, i): s for u, row in enumerate(items) for i, s in zip(row, scores[u], strict=True)}
    tops = [rerank.mmr(items, scores, G, k=5, trade=t) for t in (0, 0.3, 0.6, 1)]
    distance = [beyond.intra_list_distance(top, G).mean() for top in tops]
    fit = [np.mean([place[u, i] for u, row in enumerate(top) for i in row]) for top in tops]
    assert (np.diff(distance) > 0).all() and (np.diff(fit) < 0).all()
    assert (tops[0] == items[:, :5]).all()


def test_calibration_brings_back_the_genre_that_the_model_forgets():
    """Seven of ten choices are of genre 0, three of genre 1, and the model lists genre 0 only: Steck's example."""
    G = np.repeat(np.eye(2), 10, axis=0)
    items, scores = np.arange(20)[None], np.linspace(1, 0, 20)[None]
    p = np.array([[0.7, 0.3]])
    top = rerank.calibrated(items, scores, G, p, k=10, trade=0.98)
    np.testing.assert_allclose(rerank.genre_shares(top, G), p)
    assert rerank.miscalibration(top, G, p)[0] == pytest.approx(0, abs=1e-12)
    assert rerank.miscalibration(items[:, :10], G, p)[0] > 0.5


def test_divergence_is_0_only_for_equal_shares_and_finite_where_a_genre_is_lacking():
    p = np.array([[0.5, 0.5, 0], [1, 0, 0]])
    found = rerank.divergence(p, np.array([[0.5, 0.5, 0], [0, 0, 1.0]]))
    assert found[0] == 0 and found[1] == pytest.approx(np.log(100))
    assert np.isnan(rerank.miscalibration([[0]], np.eye(3), np.zeros((1, 3)))).all()


def test_padding_is_never_chosen_and_short_lists_end_with_it():
    items = np.array([[3, 1, -1, -1], [0, 2, 3, -1], [-1, -1, -1, -1]])
    scores = np.where(items >= 0, [[4.0, 3, 2, 1]], np.nan)
    for top in (
        rerank.mmr(items, scores, np.eye(4), k=3, trade=0.5),
        rerank.calibrated(items, scores, np.eye(4), np.full((3, 4), 0.25), k=3),
    ):
        assert [sorted(row[row >= 0].tolist()) for row in top] == [[1, 3], [0, 2, 3], []]
        assert (top[0, 2:] == -1).all()


def test_blocks_of_users_change_nothing(monkeypatch):
    items, scores, G = world(n=40)
    p = rerank.genre_shares(items[:, :3], G)
    whole = rerank.mmr(items, scores, G, k=4), rerank.calibrated(items, scores, G, p, k=4)
    monkeypatch.setattr("smlab.rerank.blocks", lambda n, width: [slice(s, s + 7) for s in range(0, n, 7)])
    parts = rerank.mmr(items, scores, G, k=4), rerank.calibrated(items, scores, G, p, k=4)
    assert all((a == b).all() for a, b in zip(whole, parts, strict=True))


ERRORS = {
    "items have shape (1, 2), scores (1, 3)": lambda: rerank.mmr([[0, 1]], [[1, 2, 3]], np.eye(2)),
    "k=3: there are 2 candidates to choose from": lambda: rerank.mmr([[0, 1]], [[1, 2]], np.eye(2), k=3),
    "trade=2 must lie between 0, only what fits, and 1, only variety": lambda: rerank.mmr(
        [[0, 1]], [[1, 2]], np.eye(2), k=1, trade=2
    ),
    "wanted has shape (1, 3); needed are 1 users and 2 genres": lambda: rerank.calibrated(
        [[0, 1]], [[1, 2]], np.eye(2), np.ones((1, 3)), k=1
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
