"""The quick past is the past looked up post by post; nothing younger than the delay is in it; it grows in n log n."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest

from smlab.authorpast import AuthorPast, span, worked
from smlab.checks import UsageError

DELAYS = ["0D", "6h", "1D"]


def world(n: int = 300, seed: int = 0, authors: int = 4) -> pd.DataFrame:
    """Make posts in any order, on the full hour so that some share their moment, some without an outcome."""
    rng = np.random.default_rng(seed)
    hours = rng.integers(0, 24 * 60, n)
    reactions = np.where(rng.random(n) < 0.1, np.nan, rng.geometric(0.05, n) - 1.0)
    start = pd.Timestamp("2024-01-01")
    names = np.array([f"author {i}" for i in range(authors)])[rng.integers(0, authors, n)]
    return pd.DataFrame({"time": start + pd.to_timedelta(hours, unit="h"), "author": names, "reactions": reactions})


def known_before(posts: list, post, delay: str) -> list[float]:
    """Look up the reactions known at the moment of a post, oldest first, and of one moment the fewest first."""
    last = post.time - pd.Timedelta(delay)
    old = [(p.time, p.reactions) for p in posts if p.author == post.author and p.time < post.time and p.time <= last]
    return [y for _, y in sorted(old) if not np.isnan(y)]


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_past_is_that_looked_up_post_by_post(delay, seed):
    posts = world(seed=seed)
    past = AuthorPast(posts, delay=delay)
    k, every = 7, list(posts.itertuples())
    found = zip(every, past.known(), past.mean(k), past.median(k), strict=True)
    for post, known, mean, median in found:
        y = known_before(every, post, delay)
        assert known == len(y)
        np.testing.assert_allclose(mean, np.mean(np.log1p(y[-k:])) if y else np.nan, atol=1e-7)
        np.testing.assert_equal(median, np.median(y[-k:]) if y else np.nan)


def test_the_rhythm_is_that_looked_up_post_by_post_and_knows_young_posts():
    posts = world()
    past, every = AuthorPast(posts, delay="30D"), list(posts.itertuples())
    for post, since, lately in zip(every, past.hours_since(), past.posts_within(24), strict=True):
        times = [p.time for p in every if p.author == post.author and p.time < post.time]
        ages = [(post.time - time) / pd.Timedelta("1h") for time in times]
        np.testing.assert_equal(since, min(ages, default=np.nan))
        assert lately == sum(age <= 24 for age in ages)


@pytest.mark.parametrize("delay", DELAYS)
def test_what_worked_is_that_looked_up_post_by_post(delay):
    posts = world(400)
    found = worked(posts, window=12, delay=delay)
    slow, every = [], list(posts.itertuples())
    for post in every:
        y = known_before(every, post, delay)
        enough = len(y) >= 10 and not np.isnan(post.reactions)
        slow.append(float(post.reactions > np.median(y[-12:])) if enough else np.nan)
    np.testing.assert_array_equal(found, slow)
    assert 0.3 < np.nanmean(found) < 0.7 and found.index.equals(posts.index)


@pytest.mark.parametrize("seed", range(5))
def test_an_outcome_is_unseen_until_it_is_old_enough(seed):
    posts = world(seed=seed)
    rng = np.random.default_rng(seed)
    changed = int(rng.integers(len(posts)))
    other = posts.copy()
    other.loc[changed, "reactions"] = 1e9
    rows = ((posts.time - posts.time[changed]) < pd.Timedelta("1D")).to_numpy()
    rows = rows | (posts.author != posts.author[changed]).to_numpy()
    a, b = AuthorPast(posts), AuthorPast(other)
    for look in (AuthorPast.known, lambda p: p.mean(5), lambda p: p.median(50)):
        np.testing.assert_array_equal(look(a)[rows], look(b)[rows])  # to the last bit
    rows[changed] = False  # whether it worked itself is its own outcome
    np.testing.assert_array_equal(worked(posts)[rows], worked(other)[rows])


def test_later_posts_do_no_harm_and_the_order_of_rows_does_not_matter():
    posts = world()
    moment = posts.time.median()
    early = posts[posts.time <= moment]
    shuffled = posts.sample(frac=1, random_state=0)
    whole, part, mixed = AuthorPast(posts, early), AuthorPast(early), AuthorPast(shuffled, early)
    for look in (lambda p: p.mean(5), lambda p: p.median(5), AuthorPast.hours_since):
        np.testing.assert_array_equal(look(whole), look(part))
        np.testing.assert_array_equal(look(whole), look(mixed))
    pd.testing.assert_series_equal(worked(posts), worked(shuffled).loc[posts.index])


def test_an_author_without_posts_has_no_past():
    posts = world(50)
    new = pd.DataFrame({"time": [posts.time.max()], "author": ["nobody"]})
    for past in (AuthorPast(posts, new), AuthorPast(posts[:0], new)):
        assert np.isnan([past.mean(5)[0], past.median(5)[0], past.hours_since()[0]]).all()
        assert past.known()[0] == past.posts_within(24)[0] == 0
    assert worked(posts[:0]).empty


def test_times_with_a_zone_and_authors_by_number_mean_the_same():
    posts = world(100)
    there = posts.assign(
        time=posts.time.dt.tz_localize("UTC").dt.tz_convert("Asia/Shanghai"), author=posts.author.str[-1].astype(int)
    )
    np.testing.assert_array_equal(worked(posts), worked(there))


def test_the_past_of_a_kind_is_that_of_an_author_who_posts_nothing_else():
    posts = world().assign(kind=lambda f: np.where(f.index % 3, "photo", "video"))
    alone = posts[(posts.author == "author 1") & (posts.kind == "video")]
    kindly = AuthorPast(posts, by=("author", "kind")).mean(5)
    np.testing.assert_array_equal(kindly[alone.index], AuthorPast(alone).mean(5))


def test_a_constant_author_never_beats_the_usual():
    posts = world().assign(reactions=7.0)
    assert worked(posts).dropna().eq(0).all()


@pytest.mark.slow
def test_a_million_posts_take_seconds_and_ten_times_the_posts_about_ten_times_the_time():
    seconds = []
    for n in (100_000, 1_000_000):
        posts = world(n, authors=n // 200)
        posts["time"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n) * 97, unit="s")
        start = time.process_time()
        worked(posts)
        past = AuthorPast(posts)
        past.mean(50), past.hours_since(), past.posts_within(24)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 20 and seconds[1] < 30 * seconds[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reactions": -1.0}, "row 0, column 'reactions': -1 is no number of reactions (and 19 more)"),
        ({"reactions": np.inf}, "row 0, column 'reactions': inf is no number of reactions (and 19 more)"),
        ({"reactions": "many"}, "the column 'reactions' must hold numbers"),
        ({"author": None}, "row 0, column 'author': missing; name one author where only one posts"),
        ({"time": pd.NaT}, "row 0, column 'time': missing; every post needs its moment"),
        ({"time": "2024-01-01"}, "the column 'time' is str; needed are times: pd.to_datetime(…)"),
    ],
)
def test_errors_name_row_and_column(change, said):
    with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        worked(world(20).assign(**change))


def test_errors_name_what_is_wrong():
    posts = world(20)
    with pytest.raises(UsageError, match="no column 'reaction'; did you mean 'reactions'"):
        worked(posts, "reaction")
    with pytest.raises(UsageError, match="window=5: at least 10 earlier posts"):
        worked(posts, window=5)
    with pytest.raises(UsageError, match="delay='soon' is no span of time"):
        span("soon")
    with pytest.raises(UsageError, match="delay='-1D' must not be below 0"):
        AuthorPast(posts, delay="-1D")
