"""Write made-up tweets with likes and retweets in the true format, of which it is known what made them work.

Two shops tweet for half a year. The logarithm of a tweet's reactions is the level of its shop, a growth over the time,
the effects of `EFFECTS` and noise. The app has no effect of its own, but is another one in the evening, which a careful
model finds out. Counts are read soon after the last tweet, so the newest are still low; and shops pass on tweets of
others, which have other counts. No sentence is anybody's.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlab import atomic

START, DAYS = pd.Timestamp("2016-04-01"), 180
LEVEL = {"RiverBikes": 5.2, "NorthTeaHouse": 6.4}  # log of the reactions to a plain tweet at the start
GROWTH = 0.8  # over the whole time
EFFECTS = {
    "evening": 0.5, "weekend": -0.25, "link": -0.4, "photo": 0.5, "hashtags": -0.15, "question": 0.3, "reply": -1.0,
}  # fmt: skip
NOISE, SETTLED = 0.25, 5.0  # scale of the logistic noise; hours in which two thirds of the reactions come
EVENING = range(18, 23)  # hours, UTC
APPS = {True: "http://twitter.com/download/iphone", False: "http://twitter.com"}
TYPES = ("discrete|time|discrete|continuous|continuous|continuous|continuous|discrete|string|string|string|string",
         "|||||||class|meta|meta include=True title=True|meta|meta")  # fmt: skip
HEADER = ("Is retweet", "Time", "Language", "Retweet count", "Favorite count", "Longitude", "Latitude", "Author",
          "Source URL", "Content", "Original author", "Place")  # fmt: skip
OPENINGS = ("This week", "Today", "Just in", "For the weekend", "New", "Back again", "From our workshop")
THINGS = (
    "cups &amp; saucers", "a red lamp", "green tea", "two old bells", "the long saddle", "a small teapot",
    "winter tyres", "honey cake", "a wooden box", "seven blends", "the quiet hub", "warm gloves", "a basket",
)  # fmt: skip
PLACES = ("by the bridge", "at the market", "in the yard", "on the corner", "at our door", "up the hill")
QUESTIONS = ("who wants one?", "which one first?", "shall we keep it?")
TAGS = ("#tea", "#bikes", "#smallshop", "#saturday")


class Made(NamedTuple):
    """The lines of the file, newest first; what each tweet has of `EFFECTS`; and its expected log of reactions."""

    lines: pd.DataFrame
    traits: pd.DataFrame
    mean: pd.Series


def tweets(n: int = 540, *, retweets: float = 0.1, seed: int = 0) -> Made:
    """Invent tweets.

    Parameters
    ----------
    n : own tweets and retweets together
    retweets : share of those that are others'; they have no traits, and are not in `traits` and `mean`

    >>> made = tweets(50, seed=1)
    >>> len(made.lines), list(made.traits)
    (50, ['evening', 'weekend', 'link', 'photo', 'hashtags', 'question', 'reply'])
    """
    # only rng.random() is drawn: its stream is the same in every version of NumPy, and the sample is compared
    rng = np.random.default_rng(seed)
    hour = np.where(rng.random(n) < 0.4, 18 + 5 * rng.random(n), 8 + 10 * rng.random(n))
    seconds = np.sort((rng.random(n) * DAYS).astype(int) * 86_400 + (hour * 3600).astype(int))[::-1]
    other = rng.random(n) < retweets
    rows, traits, means = [], [], []
    for second, passed_on in zip(seconds.tolist(), other.tolist(), strict=True):
        time = START + pd.Timedelta(seconds=second)
        author = list(LEVEL)[int(rng.random() * len(LEVEL))]
        trait, text = _tweet(time, rng)
        mean = LEVEL[author] + GROWTH * second / (DAYS * 86_400) + sum(EFFECTS[k] * v for k, v in trait.items())
        u = rng.random() * (1 - 1e-9) + 5e-10
        come = -np.expm1(-((seconds[0] - second) / 3600 + 2) / SETTLED)
        total = np.exp(mean + NOISE * np.log(u / (1 - u)) + 2 * passed_on) * come
        shares = np.rint(total * (0.2 + 0.1 * rng.random()))
        app = APPS[(time.hour in EVENING) == (rng.random() < 0.8)]
        rows.append((passed_on, time, "en", shares, np.rint(total) - shares, "", "", author, app, text,
                     "somebody_else" if passed_on else "", ""))  # fmt: skip
        if not passed_on:
            traits.append(trait)
            means.append(mean)
    index = pd.Index(np.flatnonzero(~other))
    return Made(pd.DataFrame(rows, columns=HEADER), pd.DataFrame(traits, index=index), pd.Series(means, index=index))


def _tweet(time: pd.Timestamp, rng: np.random.Generator) -> tuple[dict[str, int], str]:
    """Draw a tweet; a second address stands for a photo, as most second ones do."""

    def pick(choices: tuple[str, ...]) -> str:
        return choices[int(rng.random() * len(choices))]

    def address() -> str:
        return " https://t.co/" + "".join(pick(tuple("abcdefghkmnprstuvwxyz23456789")) for _ in range(8))

    link, question = rng.random() < 0.5, rng.random() < 0.2
    photo, tags = link and rng.random() < 0.4, int(rng.random() * 2.5)
    trait = {"evening": time.hour in EVENING, "weekend": time.day_of_week > 4, "link": link, "photo": photo,
             "hashtags": tags, "question": question, "reply": rng.random() < 0.08}  # fmt: skip
    text = f"{'@old_friend ' * trait['reply']}{pick(OPENINGS)}: {pick(THINGS)} {pick(PLACES)}"
    text += f", {pick(QUESTIONS)}" if question else "."
    start = int(rng.random() * len(TAGS))
    text += "".join(f" {(TAGS * 2)[start + k]}" for k in range(tags)) + (address() if link else "")
    return {name: int(value) for name, value in trait.items()}, text + (address() if photo else "")


def write_samples(folder: Path) -> None:
    """Write `election-tweets-2016/`, always the same bytes: tabs, three lines of header, CRLF."""
    out = io.StringIO()
    table = csv.writer(out, delimiter="\t", lineterminator="\r\n")
    table.writerows([HEADER, *(line.split("|") for line in TYPES)])
    for row in tweets().lines.itertuples(index=False):
        table.writerow((row[0], f"{row[1]:%Y-%m-%d %H:%M:%S}", *row[2:]))
    path = folder / "election-tweets-2016" / "election-tweets-2016.tab"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, out.getvalue().encode())
