"""Makers of words judged: perplexity, and what they copy."""

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.metrics import Interval
from smlab.ngrams import NGrams
from smlab.written import copying, overlaps, perplexities

SOURCES = [f"{a} {b} in {c} for {d} people" for a in ("Ten", "Nine") for b in ("trips", "songs", "meals")
           for c in ("Rome", "Bern", "Oslo") for d in ("young", "old", "tired", "happy")]  # fmt: skip


def made(*orders):
    return {f"{k}-gram": NGrams(order=k, min_count=1).fit(SOURCES[::2]) for k in orders}


def test_perplexity_is_that_of_the_scores_and_lies_in_its_interval():
    makers = made(1, 3)
    table = perplexities(makers, SOURCES[1::2])
    bits, tokens = makers["3-gram"].bits(SOURCES[1::2])
    found = table.loc["3-gram", "perplexity"]
    assert found.value == pytest.approx(2 ** (bits.sum() / tokens.sum())) and found.low <= found.value <= found.high
    assert table.loc["3-gram", "bits"].value == pytest.approx(bits.sum() / sum(map(len, SOURCES[1::2])))
    assert table.loc["1-gram", "to_first"] == Interval(1, 1, 1)
    assert table.loc["3-gram", "to_first"].high < 1  # the longer memory foresees better, on the same texts
    assert (table["unknown"] == 1 / 8).all()  # of seven words and the end, who it is for


def test_makers_with_other_tokens_are_not_set_in_ratio():
    makers = made(2) | {"characters": NGrams(order=4, unit="character").fit(SOURCES[::2])}
    table = perplexities(makers, SOURCES[1::2])
    assert np.isnan(table.loc["characters", "to_first"].value) and table.loc["characters", "bits"].value > 0


def test_uniform_maker_has_the_perplexity_of_its_vocabulary():
    rng = np.random.default_rng(0)
    texts = [" " + " ".join(rng.choice(list("abcdefghij"), 30)) for _ in range(400)]
    first = NGrams(order=1, min_count=1).fit(texts)
    table = perplexities({"": first}, texts)
    assert table["perplexity"].iloc[0].value == pytest.approx(12, abs=1)  # ten letters; the first and the end are rare


def test_longest_run_is_that_of_all_pairs_by_brute_force():
    rng = np.random.default_rng(1)
    texts, sources = ([" ".join(rng.choice(list("abc"), rng.integers(0, 9))) for _ in range(30)] for _ in range(2))
    found = overlaps(texts, sources)
    for text, longest, run, source in found[["text", "longest", "run", "source"]].itertuples(index=False):
        w = text.split()
        runs = [w[i:j] for i in range(len(w)) for j in range(i + 1, len(w) + 1)]
        best = max((len(r) for r in runs if any(f" {' '.join(r)} " in f" {s} " for s in sources)), default=0)
        assert longest == best == len(run.split())
        assert not run or f" {run} " in f" {source} "


def test_a_run_does_not_cross_sources_nor_words():
    found = overlaps(["one two", "art", "这家酒店好", ""], ["see one", "two see", "party", "去这家酒店"])
    assert found["longest"].tolist() == [1, 0, 4, 0]
    assert found["share"].tolist() == [0.5, 0.0, 0.8, 0.0]


def test_long_memory_and_low_temperature_copy_more_than_people():
    table = copying(made(2, 7), SOURCES[::2], SOURCES[1::2], temperatures=(0.3, 1.0), n=60)
    assert table["maker"].tolist() == ["people", "2-gram", "2-gram", "7-gram", "7-gram"]
    assert np.isnan(table["temperature"][0])
    exact = dict(zip(zip(table["maker"], table["temperature"], strict=True), table["exact"], strict=True))
    assert exact["7-gram", 0.3] > 0.9 > exact["2-gram", 1.0]
    assert table["exact"][0] == 0 and isinstance(table["near"][0], Interval)
    again = copying(made(2, 7), SOURCES[::2], SOURCES[1::2], temperatures=(0.3, 1.0), n=60)
    pd.testing.assert_frame_equal(table, again)


def test_limit_is_checked():
    with pytest.raises(UsageError, match=re.escape("limit=0 must be above 0 and at most 1")):
        copying(made(2), SOURCES, limit=0)
