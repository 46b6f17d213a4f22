"""Posts are loaded by name, from a sample, a cache or the user's folder, with their note and licence."""

from __future__ import annotations

from pathlib import Path

import pytest

from smlab import catalog, datasets, layouts, posts
from smlab.checks import DataAbsent, DataError, UsageError
from tests.test_datasets import nothing_from_outside  # noqa: F401 - a fixture for every test here

ROOT = Path(__file__).resolve().parent.parent
SENTIMENTS = ["negative", "neutral", "positive"]


@pytest.mark.parametrize(
    ("name", "variant", "rows", "labels", "language"),
    [
        ("vader", None, 400, SENTIMENTS, "en"),
        ("vader", "nyt", 80, SENTIMENTS, "en"),
        ("shopping-zh", None, 500, ["negative", "positive"], "zh"),
        ("tweeteval", None, 510, SENTIMENTS, "en"),
        ("tweeteval", "emotion", 510, ["anger", "joy", "optimism", "sadness"], "en"),
        ("tweeteval", "irony", 510, ["non_irony", "irony"], "en"),
        ("brand-posts", None, 600, SENTIMENTS, "en"),
    ],
)
def test_sample_is_loaded_offline(name, variant, rows, labels, language, monkeypatch):
    loaded = posts.load_posts(name, variant=variant, offline=True)
    assert (loaded.name, loaded.origin, loaded.licence) == (name, "sample", datasets.SAMPLE_LICENCE)
    assert rows <= len(loaded.frame) <= rows + 100 and loaded.labels == labels and loaded.language == language
    assert set(loaded.frame["label"]) == set(labels) and len(loaded.fingerprint) == 64
    monkeypatch.setenv("SMLAB_OFFLINE", "1")
    assert posts.load_posts(name).fingerprint == loaded.fingerprint


def test_part_is_what_the_source_cut():
    loaded = posts.load_posts("tweeteval", offline=True)
    assert [len(loaded.part(part)) for part in ("train", "validation", "test")] == [300, 60, 150]
    with pytest.raises(UsageError, match="tweeteval has no part 'tests': did you mean 'test'"):
        loaded.part("tests")
    with pytest.raises(UsageError, match="vader has no part 'test': it is not cut"):
        posts.load_posts("vader", offline=True).part("test")


def test_lexicon_has_words_of_both_signs():
    words = posts.load_lexicon(offline=True)
    assert words["糟糕"] < 0 < words["满意"] and all(isinstance(weight, float) for weight in words.values())
    with pytest.raises(UsageError, match="vader has no lexicon; shopping-zh has one"):
        posts.load_lexicon("vader", offline=True)


def test_posts_of_the_user_are_found_by_name(tmp_path):
    (tmp_path / "my-brand").mkdir()
    (tmp_path / "my-brand" / "posts.csv").write_text("text,time\nGood,2024-05-01 08:00\n")
    loaded = posts.load_posts("my-brand", data_dir=tmp_path)
    assert (loaded.origin, loaded.licence, loaded.labels) == ("data-dir", datasets.OWN_LICENCE, [])
    assert str(loaded.frame["time"][0]) == "2024-05-01 08:00:00+00:00"
    (tmp_path / "my-brand" / "posts.csv").rename(tmp_path / "my-brand" / "posts.tsv")
    assert posts.load_posts("my-brand", data_dir=tmp_path).frame.equals(loaded.frame)


def test_data_of_another_kind_says_how_it_is_read(tmp_path):
    with pytest.raises(UsageError, match=r"ml-100k holds no posts, but u\.data, u\.item, u\.user"):
        posts.load_posts("ml-100k", offline=True)
    with pytest.raises(UsageError, match=r"vader holds posts, not ratings: posts\.load_posts reads it"):
        datasets.load("vader", offline=True)
    with pytest.raises(UsageError, match=r"vader holds posts, not ratings"):
        datasets.load_clicks("vader", offline=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.docx").write_text("x")
    with pytest.raises(DataError, match=r"mine: must hold one of posts\.csv, posts\.tsv or the files of a dataset"):
        posts.load_posts("mine", data_dir=tmp_path)


def test_without_network_and_sample_the_sentence_says_how_to_go_on():
    with pytest.raises(DataAbsent, match="there is no sample of 'weibo_senti_100k'"):
        posts.load_posts("weibo_senti_100k", offline=True)
    with pytest.raises(DataAbsent, match=r"weibo_senti_100k cannot be fetched: .*--data-dir, as DIR/weibo_senti_100k/"):
        posts.load_posts("weibo_senti_100k")
    with pytest.raises(UsageError, match="unknown dataset 'vadar': did you mean 'vader'"):
        posts.load_posts("vadar")


def test_every_format_of_posts_is_known_by_the_catalog_or_is_the_users_own():
    kinds = {name for name in catalog.names() if catalog.describe(name).kind == "posts"}
    assert set(layouts.POSTS) == kinds | {"posts-csv"}
    for name in kinds:
        assert layouts.recognise(catalog.describe(name).files, name)[0] == name


@pytest.mark.realdata
def test_real_sources_are_fetched_and_read(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))
    for name in ("SMLAB_DATA", "SMLAB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    try:
        sizes = {v: len(posts.load_posts("vader", variant=v).frame) for v in ("tweets", "products", "movies", "nyt")}
        reviews, words = posts.load_posts("shopping-zh"), posts.load_lexicon()
    except DataAbsent as error:
        pytest.skip(str(error))
    assert sizes == {"tweets": 4200, "products": 3708, "movies": 10_605, "nyt": 5190}
    assert sum(sizes.values()) == catalog.describe("vader").rows
    assert reviews.frame["label"].value_counts().to_dict() == {"negative": 9031, "positive": 8332}
    assert len(words) == 121_692


def test_word_lists_are_read_by_their_roles(tmp_path):
    (tmp_path / "wordlists-en").mkdir()
    (tmp_path / "wordlists-en" / "sentiment140.txt").write_text("fab\t2.5\t10\t1\n")
    assert posts.load_wordlists(data_dir=tmp_path) == {"sentiment140": {"fab": 2.5}}
    with pytest.raises(UsageError, match="wordlists-en holds lexicons, not posts"):
        posts.load_posts("wordlists-en", data_dir=tmp_path)
    with pytest.raises(UsageError, match="vader holds no lexicons; wordlists-en does"):
        posts.load_wordlists("vader", offline=True)
