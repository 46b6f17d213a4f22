"""The made-up tweets have the effects that were planted, and are read as the true ones are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab import reactions, reactionsamples


def test_same_seed_gives_the_same_bytes_and_they_are_few(tmp_path):
    for folder in ("a", "b"):
        reactionsamples.write_samples(tmp_path / folder)
    made = [[p.read_bytes() for p in (tmp_path / f).rglob("*.tab")] for f in ("a", "b")]
    assert made[0] == made[1] and len(made[0]) == 1 and len(made[0][0]) < 120_000
    assert not reactionsamples.tweets(50, seed=1).lines.equals(reactionsamples.tweets(50, seed=2).lines)


@pytest.mark.parametrize("seed", range(3))
def test_least_squares_finds_what_was_planted(seed):
    """Reactions of two days and older, whose counts have settled; within four standard errors."""
    made = reactionsamples.tweets(6_000, seed=seed)
    lines = made.lines.loc[made.traits.index]
    settled = lines["Time"] < lines["Time"].max() - pd.Timedelta(days=2)
    X = made.traits[settled].astype(float)
    X["growth"] = (lines["Time"] - reactionsamples.START) / pd.Timedelta(days=reactionsamples.DAYS)
    X["level"], X["app"], X["1"] = lines["Author"] == "NorthTeaHouse", lines["Source URL"].str.contains("iphone"), 1.0
    y = np.log(1 + lines.loc[settled, "Retweet count"] + lines.loc[settled, "Favorite count"])
    X = X.astype(float)
    found, rest, *_ = np.linalg.lstsq(X.to_numpy(), y.to_numpy(), rcond=None)
    error = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rest[0] / (len(X) - X.shape[1]))
    gap = reactionsamples.LEVEL["NorthTeaHouse"] - reactionsamples.LEVEL["RiverBikes"]
    truth = reactionsamples.EFFECTS | {"growth": reactionsamples.GROWTH, "level": gap, "app": 0.0}
    off = pd.Series((found - [*(truth[k] for k in X.columns[:-1]), found[-1]]) / error, index=X.columns)
    assert off.abs().max() < 4, off


def test_app_of_the_evening_looks_as_if_it_worked():
    """The trap is there: without the hour in the model the app seems to have an effect."""
    made = reactionsamples.tweets(6_000)
    phone = made.lines.loc[made.mean.index, "Source URL"].str.contains("iphone")
    assert made.mean[phone].mean() - made.mean[~phone].mean() > 0.2


def test_newest_tweets_are_low_and_the_note_says_so():
    made = reactionsamples.tweets(40_000, seed=4).lines
    frame = pd.DataFrame({"time": made["Time"], "author": made["Author"]})
    frame["reactions"] = made["Retweet count"] + made["Favorite count"]
    found = reactions.maturity(frame, (3, 6, 24, 48))
    assert found["posts"].is_monotonic_increasing and found["posts"].iloc[0] > 20
    assert found["ratio"].iloc[0] < 0.8 < 0.85 < found["ratio"].iloc[-1] < 1.15
