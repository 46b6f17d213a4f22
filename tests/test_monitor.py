"""Windows count each post once on the brand's own days; shares find a planted change and are corrected."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.changepoints import change_points
from smlab.checks import UsageError
from smlab.classes import confusion
from smlab.monitor import shares_between, shares_over_time, windows
from smlab.quantify import adjusted_count

NAMES = np.array(["negative", "neutral", "positive"])
ERRS = np.array([[0.75, 0.20, 0.05], [0.15, 0.70, 0.15], [0.05, 0.20, 0.75]])
CALM, STORM = np.array([0.2, 0.5, 0.3]), np.array([0.5, 0.3, 0.2])


def called(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return NAMES[(rng.random(len(y))[:, None] > ERRS.cumsum(axis=1)[y]).sum(axis=1)]


def world(seed: int, days: int = 60, posts: int = 80) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Return posts with times, what they were called, and held-out counts; the mix changes half way."""
    rng = np.random.default_rng(seed)
    hour = np.sort(rng.integers(0, days * 24, days * posts))
    y = np.array([rng.choice(3, p=CALM if h < days * 12 else STORM) for h in hour])
    held = rng.choice(3, 900, p=CALM)
    frame = pd.DataFrame({"time": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(hour, unit="h")})
    return frame, called(y, rng), confusion(NAMES[held], called(held, rng), NAMES)


def times(*moments: str) -> pd.DataFrame:
    return pd.DataFrame({"time": pd.to_datetime(list(moments), utc=True)})


def test_each_post_is_counted_once_and_days_without_posts_are_there():
    frame, labels, _ = world(0)
    counts = windows(frame, labels)
    assert counts.to_numpy().sum() == len(frame) and len(counts) == 60 and counts.columns.tolist() == NAMES.tolist()
    by_hand = pd.crosstab(frame["time"].dt.date, labels)
    assert (counts.to_numpy() == by_hand.to_numpy()).all()
    order = np.random.default_rng(0).permutation(len(frame))
    pd.testing.assert_frame_equal(windows(frame.iloc[order], labels[order]), counts)
    gap = windows(times("2024-05-01", "2024-05-04"), ["a", "a"])
    assert gap["a"].tolist() == [1, 0, 0, 1]


def test_days_are_the_brands_and_weeks_begin_on_monday():
    late = times("2024-05-05 20:00", "2024-05-06 01:00")  # Sunday evening and Monday morning, UTC
    assert windows(late, ["a", "a"])["a"].tolist() == [1, 1]
    assert windows(late, ["a", "a"], zone="Asia/Shanghai")["a"].tolist() == [2]
    weeks = windows(late, ["a", "a"], every="week")
    assert weeks.index.strftime("%Y-%m-%d").tolist() == ["2024-04-29", "2024-05-06"] and weeks["a"].tolist() == [1, 1]
    summer = times("2024-03-30 23:30", "2024-03-31 22:30")  # the clocks go forward in between
    assert windows(summer, ["a", "a"], zone="Europe/Berlin").index.strftime("%m-%d").tolist() == ["03-31", "04-01"]


def test_probabilities_count_as_their_largest():
    P = [[0.1, 0.9], [0.6, 0.4]]
    frame = times("2024-05-01", "2024-05-01")
    counts = windows(frame, P, classes=["bad", "good"])
    pd.testing.assert_frame_equal(counts, windows(frame, ["good", "bad"], classes=["bad", "good"]))


def test_small_windows_are_merged_until_there_are_enough_posts_or_marked():
    days = pd.date_range("2024-05-01", periods=6)
    counts = pd.DataFrame({"a": [10, 20, 5, 0, 40, 3], "b": [0, 10, 5, 0, 0, 0]}, days)
    table = shares_over_time(counts, min_posts=30).query("`class` == 'a'")
    assert table["posts"].tolist() == [40, 53] and not table["few"].any()
    assert table["start"].dt.day.tolist() == [1, 3] and table["end"].dt.day.tolist() == [3, 7]
    marked = shares_over_time(counts, min_posts=30, small="mark").query("`class` == 'a'")
    assert marked["few"].tolist() == [True, False, True, True, False, True] and marked["value"].isna().sum() == 1
    alone = shares_over_time(counts, min_posts=10**6)
    assert alone["posts"].tolist() == [93, 93] and alone["few"].all(), "all windows together are still few"


def test_planted_change_is_seen_with_the_true_shares_before_and_after():
    inside = []
    for seed in range(12):
        frame, labels, held = world(seed)
        counts = windows(frame, labels, classes=NAMES)
        changes = change_points(counts).nlargest(1, "gain", keep="first").reset_index(drop=True)
        assert abs((changes["day"][0] - pd.Timestamp("2024-01-31")).days) <= 1
        both = shares_between(counts, changes, held)
        truth = np.r_[CALM, STORM]
        inside.append((both["low"] <= truth) & (truth <= both["high"]))
        assert both["end"].iloc[0] == both["start"].iloc[3] == changes["day"][0]
        naive = shares_between(counts, changes)["value"]
        assert naive.to_numpy() == pytest.approx(np.r_[CALM @ ERRS, STORM @ ERRS], abs=0.04), "the errors hide a part"
    assert np.mean(inside) > 0.85


def test_shares_of_a_day_are_the_adjusted_count_and_cover_the_truth():
    frame, labels, held = world(3)
    counts = windows(frame, labels, classes=NAMES)
    table = shares_over_time(counts, held, min_posts=1)
    first = labels[(frame["time"].dt.date == frame["time"].dt.date.iloc[0]).to_numpy()]
    assert table["value"][:3].to_numpy() == pytest.approx(adjusted_count(first, held)["value"].to_numpy())
    truth = np.r_[np.tile(CALM, 30), np.tile(STORM, 30)]
    assert 0.88 < np.mean((table["low"] <= truth) & (truth <= table["high"])) <= 1
    pd.testing.assert_frame_equal(table, shares_over_time(counts, held, min_posts=1))


def test_calm_stretch_without_changes_is_one_window():
    counts = pd.DataFrame({"a": [5, 5], "b": [5, 5]}, pd.date_range("2024-05-01", periods=2))
    table = shares_between(counts, change_points(counts))
    assert table["posts"].tolist() == [20, 20] and table["end"].dt.day.tolist() == [3, 3]


FRAME = times("2024-05-01", "2024-05-02")
COUNTS = windows(FRAME, ["a", "b"])
HELD = pd.DataFrame(np.eye(2) * 9 + 1, ["b", "a"], ["b", "a"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: windows(pd.DataFrame({"t": [1]}), ["a"]), "need the column 'time'; the frame has t"),
        (lambda: windows(pd.DataFrame({"time": ["x"]}), ["a"]), "needed are times with a zone"),
        (lambda: windows(times("2024-05-01", "NaT"), ["a", "b"]), "row 1 has no time (1 of 2 posts)"),
        (lambda: windows(FRAME.iloc[:0], []), "there are no posts to count"),
        (lambda: windows(FRAME, ["a"]), "2 posts and 1 predictions"),
        (lambda: windows(FRAME, ["a", "b"], zone="Mars/Base"), "zone='Mars/Base' is no time zone"),
        (lambda: windows(FRAME, ["a", "b"], every="dya"), "every='dya': did you mean 'day'?"),
        (lambda: windows(FRAME, np.eye(2), classes=["a"]), "probabilities have 2 columns, and 1 classes are named"),
        (lambda: shares_over_time(COUNTS, small="drop"), "small='drop': known: merge, mark"),
        (lambda: shares_over_time(COUNTS.iloc[:0]), "there are no counts"),
        (lambda: shares_over_time(COUNTS, HELD), "the counts are of ['a', 'b'], the held-out table of ['b', 'a']"),
        (lambda: shares_between(COUNTS, pd.DataFrame({"day": [pd.Timestamp("2020-01-01")]})), "different series"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
