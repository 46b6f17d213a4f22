"""Made-up queries: always the same, none twice, and new ways of asking after training."""

from __future__ import annotations

import pytest

from smlab import intentsamples, intenttables
from smlab.intentsamples import CHINESE, ENGLISH, NEW, queries


def test_same_bytes_every_time_and_the_samples_in_the_project_are_these(tmp_path):
    for folder in "ab":
        intentsamples.write_samples(tmp_path / folder)
    for name in intentsamples.FOLDERS:
        first, second = ((tmp_path / folder / name / "intents.csv").read_bytes() for folder in "ab")
        assert first == second
        loaded = intenttables.load_intents(name)
        assert loaded.frame.to_csv(index=False, lineterminator="\n").encode() == first
        assert "Made-up" in loaded.note and loaded.origin == "sample"
    assert not queries(seed=1).equals(queries(seed=2))


@pytest.mark.parametrize(("language", "words"), [("en", ENGLISH), ("zh", CHINESE)])
def test_every_intent_has_its_queries_and_none_comes_twice(language, words):
    made = queries(language)
    assert made["text"].is_unique
    sizes = made.groupby(["intent", "split"]).size()
    for part, size in intentsamples.PARTS.items():
        assert (sizes.xs(part, level="split").drop("oos") == size).all()
        assert sizes["oos", part] == intentsamples.OOS_PARTS[part]
    assert {len(ways) for ways in words.intents.values()} == {8}


@pytest.mark.parametrize(("language", "words"), [("en", ENGLISH), ("zh", CHINESE)])
def test_new_ways_of_asking_come_only_after_training(language, words):
    made = queries(language)
    for intent, ways in words.intents.items():
        some = made[made["intent"] == intent]
        for way in ways[-NEW:]:
            longest = max((piece for bits in way.split("{") for piece in bits.split("}")), key=len).strip()
            met = some[some["text"].str.contains(longest, regex=False)]
            assert set(met["split"]) == {"validation", "test"}, way
