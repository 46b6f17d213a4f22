"""The simulated world holds what was planted, always the same; the sample in the repository is from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.vq import kmeans2

from smlab import simulate
from smlab.archives import Member
from smlab.checks import UsageError
from smlab.readers import read_ratings
from smlab.side_tables import GENRES, read_items, read_users

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"


def matches(world: simulate.World) -> np.ndarray:
    """Whether each rating is of an item of the user's own taste."""
    ratings = world.ratings
    return world.user_group[ratings["user"] - 1] == world.item_group[ratings["item"] - 1]


def test_sample_in_the_repository_is_what_the_command_writes(tmp_path):
    command = [sys.executable, "-m", "smlab.simulate", str(tmp_path / "sample")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    made = {p.relative_to(tmp_path / "sample"): p.read_bytes() for p in (tmp_path / "sample").rglob("*.*")}
    kept = {p.relative_to(SAMPLE): p.read_bytes() for p in SAMPLE.rglob("*.*")}
    assert made == kept
    assert sum(map(len, kept.values())) < 1_250_000
    assert sum(len(data) for path, data in kept.items() if not str(path).startswith("ml-")) < 950_000
    assert sorted(map(str, kept)) == [
        "brand-posts/posts.csv",
        "cdnow/CDNOW_master.txt", "cdnow/CDNOW_sample.txt",
        "customer-queries-zh/intents.csv", "customer-queries/intents.csv",
        "election-tweets-2016/election-tweets-2016.tab",
        "facebook-ads/KAG_conversion_data.csv",
        "frappe/frappe.test.libfm", "frappe/frappe.train.libfm", "frappe/frappe.validation.libfm",
        "gowalla/test.txt", "gowalla/train.txt",
        "hillstrom/hillstrom.csv",
        "ml-100k/u.data", "ml-100k/u.item", "ml-100k/u.user",
        "ml-1m/movies.dat", "ml-1m/ratings.dat", "ml-1m/users.dat",
        "nab/labels/combined_windows.json",
        "nab/realTweets/Twitter_volume_AAPL.csv", "nab/realTweets/Twitter_volume_KO.csv",
        "online-retail-2/online_retail.csv",
        "open-bandit/bts-all-items.csv", "open-bandit/bts-all.csv",
        "open-bandit/random-all-items.csv", "open-bandit/random-all.csv",
        "peyton-manning/daily_peyton_manning.csv",
        "shopping-zh/neg_sentences.txt", "shopping-zh/pos_sentences.txt", "shopping-zh/sentiment_dict.txt",
        *(f"tweeteval/{task}/{name}.txt" for task in ("emotion", "irony", "sentiment")
          for name in ("mapping", "test_labels", "test_text", "train_labels", "train_text", "val_labels", "val_text")),
        "twemoji/twemoji.zip",
        *(f"vader/{name}_GroundTruth.txt"
          for name in ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")),
    ]  # fmt: skip


def test_command_without_a_folder_says_how_to_use_it():
    done = subprocess.run([sys.executable, "-m", "smlab.simulate"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (1, "usage: python -m smlab.simulate FOLDER\n")


def test_written_files_are_read_back_as_they_were(tmp_path):
    world = simulate.ratings(30, 40, 3, per_user=10, seed=3)
    simulate.write_ml_100k(world, tmp_path)
    simulate.write_ml_1m(world, tmp_path)
    pd.testing.assert_frame_equal(read_ratings(Member(tmp_path / "u.data"), "ml-100k"), world.ratings)
    pd.testing.assert_frame_equal(read_items(Member(tmp_path / "u.item"), "ml-100k"), world.items)
    pd.testing.assert_frame_equal(read_users(Member(tmp_path / "u.user"), "ml-100k"), world.users)
    pd.testing.assert_frame_equal(read_items(Member(tmp_path / "movies.dat"), "ml-1m"), world.items)
    again = read_ratings(Member(tmp_path / "ratings.dat"), "ml-1m")
    key = ["user", "item"]
    ordered = [frame.sort_values(key).reset_index(drop=True) for frame in (again, world.ratings)]
    pd.testing.assert_frame_equal(*ordered)


def test_layout_is_that_of_the_real_files():
    lines = (SAMPLE / "ml-100k" / "u.item").read_bytes().split(b"\n")
    assert lines.pop() == b"" and all(line.count(b"|") == 23 for line in lines)
    assert any(byte >= 0x80 for byte in b"".join(lines))  # Latin-1 letters, as in the real one
    assert len(GENRES) == 19 and (GENRES[0], GENRES[18]) == ("unknown", "Western")
    assert (SAMPLE / "ml-1m" / "users.dat").read_text().splitlines()[0].count("::") == 4


@pytest.mark.parametrize("seed", range(5))
def test_planted_taste_is_seen_in_ratings_and_in_what_is_rated(seed):
    world = simulate.ratings(seed=seed)
    match, stars = matches(world), world.ratings["rating"]
    # contrast 1 plants two stars between the tastes; noise and the ends of the scale take a little
    assert 1.5 < stars[match].mean() - stars[~match].mean() < 2.1
    # of four groups, a blind choice would be right one time in four
    assert 0.35 < match.mean() < 0.55


@pytest.mark.parametrize("seed", range(3))
def test_taste_groups_are_recovered_from_the_ratings_alone(seed):
    world = simulate.ratings(150, 200, 3, per_user=60, seed=seed)
    table = world.ratings.pivot(index="user", columns="item", values="rating")
    centred = table.sub(table.mean(axis=1), axis=0).fillna(0).to_numpy()
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    _, found = kmeans2(u[:, :2] * s[:2], 3, seed=0, minit="++")
    truth = world.user_group[table.index - 1]
    purity = sum(np.bincount(truth[found == group], minlength=3).max() for group in range(3)) / len(truth)
    assert purity > 0.95


def test_each_parameter_matters():
    plain = simulate.ratings(seed=7)
    assert matches(simulate.ratings(seed=7, choice=0.0)).mean() < 0.3 < matches(plain).mean()
    flat = simulate.ratings(seed=7, contrast=0.0)
    assert abs(flat.ratings["rating"][matches(flat)].mean() - flat.ratings["rating"][~matches(flat)].mean()) < 0.15
    quiet = simulate.ratings(seed=7, noise=0.0)
    rows = quiet.ratings["user"] - 1, quiet.ratings["item"] - 1
    assert (quiet.ratings["rating"] == np.rint(quiet.mean[rows]).clip(1, 5)).all()
    head = {p: simulate.ratings(seed=7, popularity=p).ratings["item"].value_counts().iloc[:30].sum() for p in (0, 1.5)}
    assert head[1.5] > 1.5 * head[0]
    assert simulate.ratings(seed=7, days=20).ratings["time"].max() < plain.ratings["time"].max()
    assert abs(len(simulate.ratings(500, 400, per_user=30, seed=7).ratings) / (500 * 30) - 1) < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_frames_keep_the_contract_of_loaded_data(seed):
    world = simulate.ratings(60, 50, 5, per_user=12, seed=seed)
    ratings = world.ratings
    assert [str(t) for t in ratings.dtypes] == ["int64", "int64", "float64", "datetime64[ns, UTC]"]
    assert not ratings.duplicated(["user", "item"]).any() and ratings["rating"].isin([1, 2, 3, 4, 5]).all()
    assert set(ratings["user"]) == set(range(1, 61)) and ratings.groupby("user").size().max() <= 25
    assert world.items["item"].tolist() == list(range(1, 51)) and world.items["title"].is_unique
    planted = [simulate.PLANTED[group] in genres.split("|")
               for group, genres in zip(world.item_group, world.items["genres"], strict=True)]  # fmt: skip
    assert all(planted)


def test_same_seed_gives_the_same_world_and_another_seed_another():
    one, two, other = (simulate.ratings(30, 30, 2, per_user=8, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.ratings, two.ratings)
    pd.testing.assert_frame_equal(one.items, two.items)
    assert not one.ratings.equals(other.ratings)


def test_titles_stay_unique_when_the_words_run_out():
    assert (
        simulate.ratings(10, 1000, 2, per_user=5).items["title"].str.replace(r" \(\d+\)$", "", regex=True).nunique()
        > 900
    )


@pytest.mark.parametrize(("users", "items", "groups"), [(10, 10, 0), (10, 10, 13), (3, 10, 4), (10, 3, 4)])
def test_impossible_number_of_groups_is_refused(users, items, groups):
    with pytest.raises(UsageError, match=f"n_groups={groups} must be from 1 to 12"):
        simulate.ratings(users, items, groups)
