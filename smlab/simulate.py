"""A small social world with known truth: who likes what is planted, so an estimator can be seen to find it.

Users belong to taste groups and items to genres, one genre for each group, as on a checkerboard. With g(u)
the group of user u and h(i) the genre of item i, a rating is

    r(u, i) = round( 3 + contrast * (+1 if g(u) = h(i) else -1) + b(u) + q(i) + noise * e ),  cut to 1 … 5

with b, q and e logistic, of unit scale before they are multiplied by 0.2, 0.3 and `noise`. Which items a user
rates depends on popularity (rank to the power of minus `popularity`) and, with weight `choice`, on the same
taste. Times come in evenings: a user starts on some day and rates a few items, minutes apart, every few days.

`python -m smlab.simulate data/sample` writes the small files of this repository again, in the formats of
MovieLens, of a ready-made split, of the ad logs, of the posts, of the purchases, of posts
with reactions, of an experiment and of series.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from smlab import (
    adsamples,
    atomic,
    experimentsamples,
    intentsamples,
    picturesamples,
    postsamples,
    purchasesamples,
    reactionsamples,
    seriessamples,
)
from smlab.checks import UsageError
from smlab.side_tables import GENRES

# the planted genres come first, the others are only decoration
PLANTED = (
    "Comedy", "Drama", "Action", "Sci-Fi", "Romance", "Horror", "Documentary", "Western", "Musical", "War",
    "Mystery", "Animation",
)  # fmt: skip
FIRST_WORD = (
    "Quiet", "Second", "Paper", "Electric", "Borrowed", "Seven", "Velvet", "Hidden", "Café", "Northern",
    "Hollow", "Crimson", "Late", "Wooden", "Señor", "Glass", "Iron", "Tiny", "Last", "Broken", "Übermorgen",
    "Salt", "Silver",
)  # fmt: skip
LAST_WORD = (
    "Harbour", "Orchestra", "Umbrella", "Winter", "Detour", "Lanterns", "Parade", "Garden", "Elevator",
    "Letters", "Kitchen", "Compass", "Tide", "Balloons", "Library", "Sparrows", "Telegram", "Bicycle",
    "Promise", "Observatory",
)  # fmt: skip
OCCUPATIONS = (
    "artist", "doctor", "educator", "engineer", "executive", "librarian", "marketing", "other", "programmer",
    "retired", "salesman", "scientist", "student", "technician", "writer",
)  # fmt: skip
AGES_1M = (1, 18, 25, 35, 45, 50, 56)  # lower ends of MovieLens 1M's age classes
START = 874_724_710  # 20 September 1997, where MovieLens 100K begins; seconds since 1970
DAY = 86_400


@dataclass(frozen=True)
class World:
    """What was simulated, and the truth behind it.

    Parameters
    ----------
    ratings, items, users : the frames that `datasets.load` gives; users and items are numbered from 1
    user_group, item_group : (n_users,) and (n_items,) taste group of each user and item, from 0
    mean : (n_users, n_items) rating that is expected before noise, rounding and cutting
    """

    ratings: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    user_group: np.ndarray
    item_group: np.ndarray
    mean: np.ndarray


def ratings(
    n_users: int = 200,
    n_items: int = 300,
    n_groups: int = 4,
    *,
    per_user: float = 40.0,
    contrast: float = 1.0,
    noise: float = 0.4,
    popularity: float = 0.6,
    choice: float = 1.0,
    days: int = 200,
    seed: int = 0,
) -> World:
    """Simulate ratings 1 to 5 with planted taste groups.

    Parameters
    ----------
    per_user : ratings per user on average; each user has at least half of it and at most half of the items
    contrast : stars by which a taste is above, or below, the middle
    noise : scale of the logistic noise, in stars
    popularity : exponent of the popularity curve; 0 makes all items equally known
    choice : weight of taste in what is rated at all; 0 makes the choice blind to it
    days : length of the time that the ratings cover

    >>> world = ratings(20, 30, 2, per_user=8, seed=1)
    >>> list(world.ratings.columns), world.mean.shape
    (['user', 'item', 'rating', 'time'], (20, 30))
    """
    if not 1 <= n_groups <= len(PLANTED) or min(n_users, n_items) < n_groups:
        raise UsageError(f"n_groups={n_groups} must be from 1 to {len(PLANTED)} and not above n_users or n_items")
    # Only rng.random() is drawn: its stream is the same in every version of NumPy, and the sample is compared
    rng = np.random.default_rng(seed)
    user_group = _shuffled(np.arange(n_users) % n_groups, rng)
    item_group = _shuffled(np.arange(n_items) % n_groups, rng)
    match = user_group[:, None] == item_group[None, :]  # (n_users, n_items)
    bias, quality = 0.2 * _logistic(n_users, rng), 0.3 * _logistic(n_items, rng)
    mean = 3 + contrast * np.where(match, 1.0, -1.0) + bias[:, None] + quality[None, :]
    known = -popularity * np.log(1.0 + _shuffled(np.arange(n_items), rng))
    user, item = _choose(known[None, :] + choice * match, per_user, rng)
    stars = np.rint(mean[user, item] + noise * _logistic(len(user), rng)).clip(1, 5)
    frame = pd.DataFrame({"user": user + 1, "item": item + 1, "rating": stars})
    seconds = _times(user, n_users, days, rng)
    frame["time"] = pd.to_datetime(seconds, unit="s", utc=True).astype("datetime64[ns, UTC]")
    order = np.argsort(rng.random(len(frame)), kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    return World(frame, _items(item_group, rng), _users(n_users, rng), user_group, item_group, mean)


def _logistic(size: int, rng: np.random.Generator) -> np.ndarray:
    u = rng.random(size) * (1 - 1e-9) + 5e-10
    return np.log(u / (1 - u))


def _shuffled(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values[np.argsort(rng.random(len(values)), kind="stable")]


def _choose(score: np.ndarray, per_user: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw items without replacement with weights exp(score): the top k of score + Gumbel noise."""
    n_users, n_items = score.shape
    gumbel = -np.log(-np.log(rng.random(score.shape) * (1 - 1e-9) + 5e-10))
    ranked = np.argsort(-(score + gumbel), axis=1, kind="stable")
    count = per_user * (0.5 - 0.5 * np.log(1 - rng.random(n_users)))  # half for sure, half exponential
    count = np.rint(count).clip(1, max(1, n_items // 2)).astype(int)
    user = np.repeat(np.arange(n_users), count)
    rank = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    return user, ranked[user, rank]


def _times(user: np.ndarray, n_users: int, days: int, rng: np.random.Generator) -> np.ndarray:
    """Seconds since 1970: about ten ratings an evening, minutes apart, evenings a few days apart."""
    first = START + rng.random(n_users) * 0.6 * days * DAY
    minutes = -np.log(1 - rng.random(len(user))) * 90
    pause = np.where(rng.random(len(user)) < 0.1, -np.log(1 - rng.random(len(user))) * 4 * DAY, 0.0)
    passed = pd.Series(minutes + pause).groupby(user).cumsum().to_numpy()
    return (first[user] + np.minimum(passed, 0.4 * days * DAY)).astype("int64")


def _items(group: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Invent titles in MovieLens' manner ("Quiet Harbour, The (1994)") and genres, one of them planted."""
    n = len(group)
    pairs = [f"{a} {b}" for a in FIRST_WORD for b in LAST_WORD]
    order = np.argsort(rng.random(len(pairs)), kind="stable")
    article, year = rng.random(n) < 0.25, 1960 + (38 * np.sqrt(rng.random(n))).astype(int)
    others = [genre for genre in GENRES[1:] if genre not in PLANTED]
    extra = (rng.random(n) * 2 * len(others)).astype(int)  # half of the items have a second genre
    rows = []
    for i in range(n):
        part = f" {i // len(pairs) + 1}" if i >= len(pairs) else ""
        title = pairs[order[i % len(pairs)]] + part + (", The" if article[i] else "") + f" ({year[i]})"
        genres = {PLANTED[group[i]], *others[extra[i] : extra[i] + 1]}
        rows.append((i + 1, title, year[i], "|".join(g for g in GENRES if g in genres)))
    frame = pd.DataFrame(rows, columns=["item", "title", "year", "genres"])
    return frame.astype({"item": "int64", "title": "str", "year": "Int64", "genres": "str"})


def _users(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Invent people; nothing of them has to do with their taste, which a fair audit should find."""
    job = (rng.random(n) * len(OCCUPATIONS)).astype(int)
    frame = {
        "user": np.arange(1, n + 1),
        "age": (14 + 56 * rng.random(n) ** 1.5).astype("int64"),
        "gender": np.where(rng.random(n) < 0.5, "F", "M"),
        "occupation": [OCCUPATIONS[j] for j in job],
        "zip": [f"{int(z):05d}" for z in rng.random(n) * 100_000],
    }
    return pd.DataFrame(frame).astype({"gender": "str", "occupation": "str", "zip": "str"})


def write_ml_100k(world: World, folder: Path) -> None:
    """Write u.data, u.item and u.user as MovieLens 100K does: tabs, bars with 19 genre flags, Latin-1."""
    seconds = world.ratings["time"].astype("int64") // 10**9
    rows = zip(world.ratings["user"], world.ratings["item"], world.ratings["rating"], seconds, strict=True)
    _write(folder / "u.data", (f"{u}\t{i}\t{r:.0f}\t{t}\n" for u, i, r, t in rows))
    _write(folder / "u.item", (_u_item(*row) for row in world.items.itertuples(index=False, name=None)))
    people = world.users[["user", "age", "gender", "occupation", "zip"]].itertuples(index=False, name=None)
    _write(folder / "u.user", ("|".join(map(str, row)) + "\n" for row in people))


def _u_item(item: int, title: str, year: int, genres: str) -> str:
    flags = "|".join(str(int(genre in genres.split("|"))) for genre in GENRES)
    return f"{item}|{title}|01-Jan-{year}|||{flags}\n"


def write_ml_1m(world: World, folder: Path) -> None:
    """Write ratings.dat, movies.dat and users.dat as MovieLens 1M does: `::`, codes for age and job."""
    ordered = world.ratings.sort_values(["user", "time", "item"], kind="stable")
    seconds = ordered["time"].astype("int64") // 10**9
    rows = zip(ordered["user"], ordered["item"], ordered["rating"], seconds, strict=True)
    _write(folder / "ratings.dat", (f"{u}::{i}::{r:.0f}::{t}\n" for u, i, r, t in rows))
    films = world.items[["item", "title", "genres"]].itertuples(index=False, name=None)
    _write(folder / "movies.dat", (f"{i}::{title}::{genres}\n" for i, title, genres in films))
    people = world.users[["user", "gender", "age", "occupation", "zip"]].itertuples(index=False, name=None)
    lines = (f"{u}::{g}::{max(a for a in AGES_1M if a <= age)}::{OCCUPATIONS.index(job)}::{z}\n"
             for u, g, age, job, z in people)  # fmt: skip
    _write(folder / "users.dat", lines)


def write_lightgcn(world: World, folder: Path) -> None:
    """Write train.txt and test.txt as LightGCN's authors do, from 0: of each user the last fifth is held out."""
    ordered = world.ratings.sort_values(["user", "time", "item"], kind="stable")
    place = ordered.groupby("user").cumcount(ascending=False)
    held_out = place < ordered.groupby("user")["item"].transform("size") // 5
    for name, part in (("train", ordered[~held_out]), ("test", ordered[held_out])):
        rows = (part["item"] - 1).groupby(part["user"] - 1).agg(lambda items: " ".join(map(str, sorted(items))))
        _write(folder / f"{name}.txt", (f"{u} {items}\n" for u, items in rows.items()))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, "".join(lines).encode("latin-1"))


def write_samples(folder: Path) -> None:
    """Write the samples, always the same bytes: ratings here, ad logs in `adsamples`, posts in `postsamples`."""
    write_ml_100k(ratings(200, 300, 4, per_user=40, choice=2.0, seed=100), folder / "ml-100k")
    write_ml_1m(ratings(120, 200, 3, per_user=36, choice=2.0, days=900, seed=1000), folder / "ml-1m")
    write_lightgcn(ratings(160, 240, 4, per_user=30, choice=2.0, seed=30), folder / "gowalla")
    adsamples.write_samples(folder)
    postsamples.write_samples(folder)
    purchasesamples.write_samples(folder)
    reactionsamples.write_samples(folder)
    experimentsamples.write_samples(folder)
    seriessamples.write_samples(folder)
    picturesamples.write_samples(folder)
    intentsamples.write_samples(folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m smlab.simulate FOLDER")
    write_samples(Path(sys.argv[1]))
