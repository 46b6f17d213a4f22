"""Similarities against their definitions and numbers worked by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from smlab.checks import UsageError
from smlab.similarity import cosine, pearson, similarity

KINDS = ["cosine", "jaccard", "pearson", "adjusted-cosine"]


def random_ratings(n_users: int = 40, n_items: int = 25, seed: int = 0, share: float = 0.3) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    X = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < share)
    return sparse.csr_array(X.astype(np.float32))


def slow_similarity(a: np.ndarray, b: np.ndarray, columns: np.ndarray, kind: str) -> float:
    """Two rows compared by the definition; `columns` holds the column means."""
    both = (a > 0) & (b > 0)
    if kind == "cosine":
        return cosine(a, b)
    if kind == "jaccard":
        return both.sum() / max(((a > 0) | (b > 0)).sum(), 1)
    if kind == "pearson":
        return pearson(a, b, common=True)
    return cosine((a - columns)[both], (b - columns)[both]) if both.sum() > 1 else 0.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_similarity_equals_the_slow_version(kind, seed):
    A, B = random_ratings(9, 12, seed), random_ratings(11, 12, seed + 10)
    b = B.toarray().astype(float)
    columns = b.sum(axis=0) / np.maximum((b > 0).sum(axis=0), 1)
    expected = [[slow_similarity(x, y, columns, kind) for y in b] for x in A.toarray().astype(float)]
    np.testing.assert_allclose(similarity(A, B, kind), expected, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_similarity_is_symmetric_bounded_and_shrinks_with_few_common_entries(kind):
    X = random_ratings()
    s, shrunk = similarity(X, X, kind), similarity(X, X, kind, shrinkage=5)
    np.testing.assert_allclose(s, s.T, atol=1e-12)
    assert np.abs(s).max() <= 1
    n = ((X > 0).astype(float) @ (X > 0).astype(float).T).toarray()
    np.testing.assert_allclose(shrunk, s * n / (n + 5), atol=1e-12)


def test_pearson_over_common_entries_is_that_of_numpy():
    rng = np.random.default_rng(0)
    A = sparse.csr_array(rng.integers(1, 6, (6, 30)) * 1.0)  # all known: nothing but a correlation
    np.testing.assert_allclose(similarity(A, A, "pearson"), np.corrcoef(A.toarray()), atol=1e-12)


def test_worked_cosine_of_five_ratings():
    """(3,2,1,0,4) and (4,3,2,1,0): 12 + 6 + 2 = 20 over √30 √30. An article prints 0.757."""
    assert cosine([3, 2, 1, 0, 4], [4, 3, 2, 1, 0]) == pytest.approx(20 / 30)


def test_worked_pearson_of_five_ratings():
    """The means are 2, not the printed 2.5, and the deviations cancel; an article prints 0.816."""
    assert pearson([3, 2, 1, 0, 4], [4, 3, 2, 1, 0]) == pytest.approx(0, abs=1e-12)
    assert pearson([3, 2, 1, 0, 4], [4, 3, 2, 1, 0], common=True) == pytest.approx(1), "0 as a gap: they agree"


def test_worked_cosine_of_three_ratings():
    """(4,5,3) and (4,4,5): 16 + 20 + 15 = 51 over √50 √57; printed 0.816, from squares."""
    assert cosine([4, 5, 3], [4, 4, 5]) == pytest.approx(51 / np.sqrt(50 * 57)) == pytest.approx(0.9553, abs=5e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_nothing_in_common_is_not_similar(kind):
    A = sparse.csr_array([[1.0, 2.0, 0, 0], [0, 0, 0, 0]])
    B = sparse.csr_array([[0, 0, 3.0, 1.0], [1.0, 2.0, 5.0, 4.0]])
    s = similarity(A, B, kind)
    assert s[0, 0] == 0 and (s[1] == 0).all()


ERRORS = {
    "two vectors of one length are needed; the shapes are (2,) and (3,)": lambda: cosine([1, 2], [1, 2, 3]),
    "two vectors of one length are needed; the shapes are (1, 2)": lambda: pearson([[1, 2]], [[1, 2]]),
    "unknown similarity 'jacard'; did you mean 'jaccard'?": lambda: similarity(
        random_ratings(), random_ratings(), "jacard"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
