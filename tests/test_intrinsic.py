"""Similarity and analogies as gensim measures them, with coverage; too few pairs are refused; opposites are near."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from smlab.checks import UsageError
from smlab.intrinsic import FILES, analogies, closeness, neighbours, pairs_of, questions_of, spearman, word_similarity
from smlab.word2vec import train_vectors
from smlab.wordvectors import WordVectors


def guessing(words: set[str], d: int = 20, seed: int = 0) -> WordVectors:
    """Vectors that know nothing, of the words in sorted order."""
    return WordVectors(sorted(words), np.random.default_rng(seed).normal(size=(len(words), d)))


def planted_regions() -> tuple[WordVectors, pd.DataFrame]:
    """Cities that are their country plus one offset; five of the sixty are wrong."""
    rng = np.random.default_rng(0)
    country = rng.normal(size=(60, 40))
    city = country + 3 * rng.normal(size=40) + rng.normal(0, 0.05, (60, 40))
    city[:5] = rng.normal(size=(5, 40))
    vectors = WordVectors([f"c{i}" for i in range(60)] + [f"k{i}" for i in range(60)], np.r_[country, city])
    ask = [("capitals", f"c{i}", f"k{i}", f"c{j}", f"k{j}") for i in range(5, 15) for j in range(60) if i != j]
    return vectors, pd.DataFrame(ask, columns=["section", *"abcd"])


def test_test_sets_have_the_sizes_that_their_authors_print():
    """353 pairs, 999 pairs, 19,544 questions of 14 sections."""
    assert [len(pairs_of(name)) for name in ("wordsim353", "simlex999")] == [353, 999]
    questions = questions_of()
    assert len(questions) == 19_544 and questions["section"].nunique() == 14 and not questions.isna().any().any()
    assert questions.iloc[0].tolist() == ["capital-common-countries", "Athens", "Greece", "Baghdad", "Iraq"]
    assert pairs_of("wordsim353").iloc[1].tolist() == ["tiger", "cat", 7.35]


@pytest.mark.parametrize("name", ["wordsim353", "simlex999"])
def test_similarity_is_that_of_gensim(name):
    from gensim.models import KeyedVectors
    from gensim.test.utils import datapath

    pairs = pairs_of(name)
    vectors = guessing(set(pairs["a"].str.lower()) | set(pairs["b"].str.lower()))
    peer = KeyedVectors(20)
    peer.add_vectors(vectors.words, vectors.matrix)
    _, theirs, _ = peer.evaluate_word_pairs(datapath(FILES[name]))
    ours = word_similarity(vectors, pairs)
    assert ours.figure.value == pytest.approx(theirs.statistic, abs=1e-6)
    assert ours.coverage == 1 and ours.figure.low < ours.figure.value < ours.figure.high


def test_vectors_that_agree_with_people_reach_one_and_guessing_holds_zero_in_its_interval():
    pairs = pd.DataFrame({"a": [f"a{i}" for i in range(60)], "b": "centre", "similarity": np.linspace(0, 10, 60)})
    angle = np.r_[0.0, np.linspace(3, 0.1, 60)]
    circle = WordVectors(["centre", *pairs["a"]], np.column_stack([np.cos(angle), np.sin(angle)]))
    assert word_similarity(circle, pairs).figure == pytest.approx((1, 1, 1))
    inside = 0
    for seed in range(20):
        low_high = word_similarity(guessing({"centre", *pairs["a"]}, seed=seed), pairs).figure
        inside += low_high.low <= 0 <= low_high.high
    assert inside >= 16  # 95 %, and the seeds are 20


def test_coverage_counts_what_is_known_and_too_little_is_refused():
    pairs = pairs_of("wordsim353")
    some = pairs.iloc[:40]
    vectors = guessing(set(some["a"]) | set(some["b"]))
    found = word_similarity(vectors, pairs)
    assert 40 <= found.n_known < 60 and found.n == 353 and found.coverage == found.n_known / 353
    assert re.fullmatch(r"-?0\.\d{3} \[.+\] on \d\d of 353 \(1\d%\)", str(found))
    few = guessing({"tiger", "cat"})
    with pytest.raises(
        UsageError, match=re.escape("2 of 353 pairs have vectors for all their words; a figure needs 30")
    ):
        word_similarity(few, pairs)
    with pytest.raises(UsageError, match=re.escape("0 of 19544 questions have vectors")):
        analogies(few, questions_of())


def test_planted_analogies_are_found_and_the_wrong_cities_not():
    vectors, questions = planted_regions()
    found, by_section = analogies(vectors, questions)
    to_the_wrong = questions["d"].isin([f"k{i}" for i in range(5)]).mean()
    assert found.figure.value == pytest.approx(1 - to_the_wrong, abs=0.02)
    assert by_section.to_dict("records") == [{"section": "capitals", "n_known": 590, "right": found.figure.value}]


def test_analogies_are_those_of_gensim():
    from gensim.models import KeyedVectors
    from gensim.test.utils import datapath

    questions = questions_of()
    words = pd.unique(questions[["a", "b", "c", "d"]].to_numpy().ravel())
    rng = np.random.default_rng(1)
    base = dict(zip(words, rng.normal(size=(len(words), 25)), strict=True))
    first = questions.drop_duplicates("b")
    offset = {s: rng.normal(size=25) for s in first["section"].unique()}
    for section, a, b, _, _ in first.itertuples(index=False):  # so that some answers are right
        base[b] = base[a] + offset[section] + rng.normal(0, 0.5, 25)
    lower = {word.lower(): vector for word, vector in base.items()}
    vectors = WordVectors(list(lower), np.array(list(lower.values())))
    peer = KeyedVectors(25)
    peer.add_vectors(vectors.words, vectors.matrix)
    theirs, sections = peer.evaluate_word_analogies(datapath(FILES["analogies"]))
    ours, by_section = analogies(vectors, questions)
    assert 0.1 < ours.figure.value == pytest.approx(theirs, abs=1e-3)
    assert by_section["section"].tolist() == [s["section"] for s in sections[:-1]]


@pytest.mark.parametrize("seed", range(3))
def test_spearman_is_that_of_scipy_with_ties(seed):
    x, y = np.random.default_rng(seed).integers(0, 6, (2, 40)).astype(float)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert spearman(np.ones(5), x[:5]) == 0


def test_opposites_are_neighbours_because_they_keep_the_same_company():
    """Before the same nouns stand "good" and "bad", after the same verb "bus" and "train"."""
    rng = np.random.default_rng(0)
    nouns = [f"noun{i}" for i in range(30)]
    feel = [["a", rng.choice(["good", "bad"]), rng.choice(nouns), "indeed"] for _ in range(3000)]
    go = [["we", "took", "the", rng.choice(["bus", "train"]), "home"] for _ in range(3000)]
    vectors = train_vectors(feel + go, n_factors=20, subsample=0)
    table = closeness(vectors, [("good", "bad"), ("bad", "good"), ("good", "bus")])
    assert table["place"].tolist()[:2] == [1, 1] and table["place"][2] > 20
    near = neighbours(vectors, ["good", "bus"], k=3)
    assert near.columns.tolist() == ["word", "place", "neighbour", "cosine"] and near["place"].tolist() == [1, 2, 3] * 2
    assert near["neighbour"][0] == "bad" and near["neighbour"][3] == "train"
    assert table["cosine"][0] == pytest.approx(near["cosine"][0], abs=1e-6)


def test_unknown_word_is_named():
    with pytest.raises(UsageError, match="'zzz' has no vector"):
        closeness(guessing({"a", "b"}), [("a", "zzz")])
