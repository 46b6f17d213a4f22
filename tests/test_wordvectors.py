"""Neighbours are the full sort of the cosines; what is saved comes back; errors as sentences."""

from __future__ import annotations

import re

import numpy as np
import pytest

from smlab.checks import DataAbsent, DataError, UsageError
from smlab.wordvectors import WordVectors


def random_vectors(n: int = 50, d: int = 7, seed: int = 0) -> WordVectors:
    rng = np.random.default_rng(seed)
    return WordVectors([f"w{i}" for i in range(n)], rng.normal(size=(n, d)), rng.integers(1, 99, n))


VECTORS = random_vectors()


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_and_analogies_are_those_of_gensim(seed):
    from gensim.models import KeyedVectors

    vectors = random_vectors(seed=seed)
    peer = KeyedVectors(7)
    peer.add_vectors(vectors.words, vectors.matrix)
    for ours, theirs in (
        (vectors.similar("w3", 8), peer.most_similar("w3", topn=8)),
        (vectors.analogy("w1", "w2", "w3", 8), peer.most_similar(positive=["w2", "w3"], negative=["w1"], topn=8)),
    ):
        assert [w for w, _ in ours] == [w for w, _ in theirs]
        assert [c for _, c in ours] == pytest.approx([c for _, c in theirs], abs=1e-6)


def test_length_of_a_vector_does_not_matter_and_ties_keep_their_order():
    matrix = np.array([[1, 1], [2, 2], [9, 9], [1, -1], [0, 0]])
    vectors = WordVectors(list("abcde"), matrix)
    assert [w for w, _ in vectors.similar("a", 9)] == ["b", "c", "d", "e"]
    assert [round(c, 6) for _, c in vectors.similar("a", 9)] == [1, 1, 0, 0]


def test_rows_say_which_tokens_are_known():
    assert VECTORS.rows(["w3", "zzz", "w0"]).tolist() == [3, -1, 0]
    assert VECTORS.rows([]).tolist() == []
    assert "w3" in VECTORS and "zzz" not in VECTORS and len(VECTORS) == 50 and VECTORS.n_factors == 7
    np.testing.assert_array_equal(VECTORS["w3"], VECTORS.matrix[3])


@pytest.mark.parametrize("words", [["a", "不好", "👍🏽"], ["a", "", " "], ["\ud800", "b", "x" * 100_000]])
@pytest.mark.parametrize("counts", [None, [3, 2, 1]])
def test_what_is_saved_comes_back(tmp_path, words, counts):
    vectors = WordVectors(words, np.random.default_rng(0).normal(size=(3, 4)), counts)
    back = WordVectors.load(vectors.save(tmp_path / "vectors.npz"))
    assert back.words == vectors.words
    np.testing.assert_array_equal(back.matrix, vectors.matrix)
    assert (back.counts is None) == (counts is None) and (counts is None or back.counts.tolist() == counts)
    assert (tmp_path / "vectors.npz").stat().st_size < 200_000


def test_damaged_and_foreign_files_are_refused_and_no_code_is_run(tmp_path):
    path = tmp_path / "vectors.npz"
    whole = VECTORS.save(path).read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="vectors.npz: is no file of word vectors by smlab"):
            WordVectors.load(path)
    np.savez(path, words=np.array([{}], dtype=object), matrix=np.ones((1, 1)), counts=[])
    with pytest.raises(DataError, match="allow_pickle=False"):
        WordVectors.load(path)
    with pytest.raises(DataAbsent, match="absent.npz is no file"):
        WordVectors.load(tmp_path / "absent.npz")


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = VECTORS.save(tmp_path / "vectors.npz")
    with pytest.raises(UsageError, match="a word holds a line break"):
        WordVectors(["a\nb"], [[1.0]]).save(path)
    assert WordVectors.load(path).words == VECTORS.words


ERRORS = {
    "'w3x' has no vector; did you mean 'w3'?": lambda: VECTORS["w3x"],
    "'zzz' has no vector": lambda: VECTORS.similar("zzz"),
    "k=0: at least one word": lambda: VECTORS.similar("w1", 0),
    "the word 'a' stands twice among the words": lambda: WordVectors(["a", "b", "a"], np.ones((3, 2))),
    "2 words need a matrix of as many rows, not of shape (3, 2)": lambda: WordVectors(["a", "b"], np.ones((3, 2))),
    "0 words need": lambda: WordVectors([], np.ones((0, 2))),
    "the vector of 'b' (row 1) is not finite": lambda: WordVectors(["a", "b"], [[1.0, 2.0], [np.nan, 0.0]]),
    "counts of shape (1,) do not fit 2 words": lambda: WordVectors(["a", "b"], np.ones((2, 2)), [1]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
