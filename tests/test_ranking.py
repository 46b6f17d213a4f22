"""The k best of a row of scores: exact where scores tie, in blocks that miss no row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from smlab.ranking import ItemItem, blocks, top_k


@pytest.mark.parametrize("seed", range(20))
def test_top_k_is_the_stable_full_sort_even_where_scores_tie(seed):
    rng = np.random.default_rng(seed)
    s = rng.integers(0, 4, (30, 17)).astype(float)
    s[rng.random(s.shape) < 0.2] = -np.inf
    k = int(rng.integers(1, 20))
    np.testing.assert_array_equal(top_k(s, k), np.argsort(-s, axis=1, kind="stable")[:, :k])


@pytest.mark.parametrize(("n", "width"), [(0, 5), (1, 10**9), (7, 1), (10_000, 3_000)])
def test_blocks_cover_every_row_once(n, width):
    assert [row for block in blocks(n, width) for row in range(n)[block]] == list(range(n))


class Fixed(ItemItem):
    """A model whose W is given."""

    def __init__(self, W: list) -> None:
        self.W_ = np.array(W, dtype=float)
        self._start(sparse.csr_array([[1.0, 0, 0], [1.0, 0, 1.0]]))


def test_of_equal_scores_the_more_popular_item_comes_first_and_the_unknown_one_never():
    """Items 0, 1, 2 are had by 2, 0 and 1 users; all score 0 for a user who has nothing."""
    model = Fixed(np.zeros((3, 3)))
    items, scores = model.recommend(k=3, user_items=sparse.csr_array((1, 3)))
    assert items.tolist() == [[0, 2, -1]] and scores[0, :2].tolist() == [0, 0]


def test_differences_in_the_last_bits_decide_nothing():
    almost = 0.3 + 1e-16 * np.arange(3)
    model = Fixed(np.tile(almost, (3, 1)))
    assert model.recommend([0], k=3, exclude_seen=False)[0].tolist() == [[0, 2, -1]]


def test_score_is_what_the_user_has_times_w():
    model = Fixed([[0, 1, 2], [3, 0, 4], [5, 6, 0]])
    assert model.scores(1).tolist() == [[5, 7, 2]]
    assert model.explain(1, 1) == [(2, 6.0), (0, 1.0)]
    assert model.similar_items(1) == [(2, 6.0), (0, 1.0)]
