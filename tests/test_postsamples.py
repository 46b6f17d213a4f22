"""Made-up posts are always the same, have the true forms, and hold the sentiment and the change that were planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from smlab import posts, postsamples
from smlab.checks import UsageError


def test_same_seed_gives_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        postsamples.write_samples(tmp_path / folder)
    found = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*.*")}
    assert found == {p.relative_to(tmp_path / "b"): p.read_bytes() for p in (tmp_path / "b").rglob("*.*")}
    pd.testing.assert_frame_equal(postsamples.brand_posts(50, seed=1), postsamples.brand_posts(50, seed=1))
    assert postsamples.brand_posts(50, seed=1)["text"].tolist() != postsamples.brand_posts(50, seed=2)["text"].tolist()


def test_files_have_the_forms_of_the_true_ones(tmp_path):
    postsamples.write_samples(tmp_path)
    tweets = (tmp_path / "vader" / "tweets_GroundTruth.txt").read_bytes()
    assert tweets.count(b"\r\n") == 399 and not tweets.endswith(b"\n")
    text = (tmp_path / "tweeteval" / "emotion" / "train_text.txt").read_bytes()
    assert all(line.endswith(b" ") for line in text.splitlines())
    assert (tmp_path / "tweeteval" / "irony" / "mapping.txt").read_text() == "0\tnon_irony\n1\tirony"
    assert "2 texts under two labels" in posts.load_posts("shopping-zh", offline=True).note


def test_planted_sentiment_is_rated_and_can_be_learnt_but_not_perfectly():
    frame = posts.load_posts("vader", offline=True).frame
    assert frame.groupby("label")["intensity"].mean().diff().dropna().gt(0.5).all()
    for name, low, high in (("vader", 0.45, 0.95), ("shopping-zh", 0.75, 0.97), ("tweeteval", 0.65, 0.95)):
        loaded = posts.load_posts(name, offline=True)
        even = np.arange(len(loaded.frame)) % 3 != 0
        train, test = loaded.frame[even], loaded.frame[~even]
        vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3)) if loaded.language == "zh" else TfidfVectorizer()
        model = LogisticRegression(C=10).fit(vectors.fit_transform(train["text"]), train["label"])
        recall = recall_score(test["label"], model.predict(vectors.transform(test["text"])), average="macro")
        assert low < recall < high, (name, recall)


def test_scores_follow_the_words():
    """Negation turns and weakens, what follows a turn counts more, a wry "great" is against."""
    grammar = postsamples.Grammar(postsamples.ENGLISH, 0)
    drawn = {sign: [grammar.post(sign) for _ in range(400)] for sign in (-1, 0, 1)}
    assert {post.score for post in drawn[0]} == {0.0}
    assert max(post.score for post in drawn[-1]) < 0.3 and min(post.score for post in drawn[1]) > -0.3
    assert all(abs(post.score) <= 4 for sign in drawn for post in drawn[sign])
    wry = [post for post in drawn[-1] if post.text.startswith("Great, the")]
    negated = [post for post in drawn[1] if " is not " in post.text]
    assert wry and all(post.score < 0 for post in wry)
    assert negated and all(0 < post.score < 2 for post in negated)


def test_complaints_about_delivery_rise_from_the_planted_day_on():
    frame = postsamples.brand_posts(4000, seed=3)
    assert frame["time"].is_monotonic_increasing
    day = (frame["time"] - postsamples.START).dt.days
    assert (day.min(), day.max()) == (0, 59)
    late = day >= postsamples.CHANGE_DAY
    for part, shares in ((~late, postsamples.BEFORE), (late, postsamples.AFTER)):
        found = frame.loc[part, "label"].value_counts(normalize=True)[["negative", "neutral", "positive"]]
        np.testing.assert_allclose(found, shares, atol=4 * np.sqrt(0.25 / part.sum()))
    complaints = frame[frame["label"] == "negative"]
    delivery = complaints["category"].isin(["delivery", "物流"]).groupby(late).mean()
    assert delivery[True] > 0.6 > 0.2 > delivery[False]


def test_brand_without_a_change_has_none_and_wrong_shares_are_refused():
    frame = postsamples.brand_posts(3000, change_day=60, seed=1)
    half = frame["time"] > frame["time"].iloc[1500]
    shares = frame["label"].eq("negative").groupby(half).mean()
    assert abs(shares[True] - shares[False]) < 0.06
    for wrong in ({"before": (0.5, 0.5)}, {"after": (0.9, 0.3, -0.2)}, {"before": (0.5, 0.5, 0.5)}):
        with pytest.raises(UsageError, match="shares of negative, neutral and positive must sum to 1, not"):
            postsamples.brand_posts(10, **wrong)
    with pytest.raises(UsageError, match="n=0 and days=60 must be above 0"):
        postsamples.brand_posts(0)


def test_planted_stream_changes_on_its_day_and_keeps_posts_and_labels_together():
    posts = pd.DataFrame({"text": [f"post {i}" for i in range(900)], "label": ["bad", "so", "good"] * 300})
    stream = postsamples.planted_stream(posts, "bad", share=0.5, seed=3)
    assert len(stream) == 900 and stream["time"].is_monotonic_increasing
    late = stream["time"] > postsamples.START + pd.Timedelta(days=40)
    assert (stream[~late]["label"] == "bad").mean() == pytest.approx(1 / 3, abs=0.06)
    assert (stream[late]["label"] == "bad").mean() == pytest.approx(1 / 3 + 0.5 * 2 / 3, abs=0.08)
    known = dict(zip(posts["text"], posts["label"], strict=True))
    assert all(known[t] == label for t, label in zip(stream["text"], stream["label"], strict=True))
    pd.testing.assert_frame_equal(stream, postsamples.planted_stream(posts, "bad", share=0.5, seed=3))
    with pytest.raises(UsageError, match="no post has the label 'ugly'; there are bad, good, so"):
        postsamples.planted_stream(posts, "ugly")
