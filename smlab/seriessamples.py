"""Write made-up series in the true formats, of which it is known what moves them.

The views of a page: the logarithm of a day's views is a trend, a week, a year, a jump, days that stand out, and noise
that lingers (AR(1)); some days are missing. Tweets of two brands, every five minutes: a rhythm of the day, noise, and
in each a burst and a silence, with windows around them as NAB labels its own. No count is of anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlab import atomic

FIRST = pd.Timestamp("2011-01-01")
LEVEL, GROWTH = 7.4, 0.18  # log of the views on the first day; growth in a year
WEEK = (0.25, 0.05, -0.05, -0.1, -0.15, -0.1, 0.1)  # from Monday on; its sum is 0
YEAR = 0.45  # half the way from August to February
JUMP, JUMP_DAY = 0.6, 900  # the page is linked from a famous one, and stays so
OPENING, FINAL, CHRISTMAS = (0.9, 0.5), (1.4, 0.8, 0.3), (-0.35,)  # on the day and the days after
LINGERS, NOISE = 0.6, 0.06  # of the noise of yesterday; scale of the logistic noise
SINGLE, HOLE = 14, range(1_200, 1_210)  # missing days one by one, and in a row
BRANDS = {"AAPL": 80.0, "KO": 12.0}  # tweets in five minutes, on the mean
STAMP = pd.Timestamp("2015-02-26 21:42:53")
BURST, SILENCE = 5.0, 0.0  # times the usual
ODD = {"AAPL": (500, 900), "KO": (420, 1_010)}  # where the burst and the silence begin
LASTS = (12, 24)  # steps


class Made(NamedTuple):
    """Views by day, NaN where the day is missing; and what the logarithm is made of, a column a part."""

    views: pd.Series
    parts: pd.DataFrame


def views(n: int = 1_640, *, seed: int = 0) -> Made:
    """Invent the views of a page on n days.

    >>> made = views(500, seed=1)
    >>> list(made.parts), int(made.views.isna().sum())
    (['trend', 'week', 'year', 'jump', 'holiday', 'noise'], 14)
    """
    # only rng.random() is drawn: its stream is the same in every version of NumPy, and the sample is compared
    rng = np.random.default_rng(seed)
    day = pd.date_range(FIRST, periods=n)
    at, noise = np.arange(n), np.zeros(n)
    for k, shock in enumerate(NOISE * _logistic(n, rng)):
        noise[k] = LINGERS * noise[k - 1] + shock
    parts = pd.DataFrame({
        "trend": LEVEL + GROWTH * at / 365.25, "week": np.array(WEEK)[day.day_of_week],
        "year": YEAR * np.cos(2 * np.pi * (day.day_of_year - 32) / 365.25), "jump": JUMP * (at >= JUMP_DAY),
        "holiday": _holidays(day), "noise": noise,
    }, index=day)  # fmt: skip
    count = pd.Series(np.rint(np.exp(parts.sum(axis=1))), day)
    inside = 1 + np.argsort(rng.random(n - 2), kind="stable")[:SINGLE]
    count.iloc[[*inside.tolist(), *(k for k in HOLE if k < n - 1)]] = np.nan
    return Made(count, parts)


def _logistic(n: int, rng: np.random.Generator) -> np.ndarray:
    u = rng.random(n) * (1 - 1e-9) + 5e-10
    return np.log(u / (1 - u))


def _holidays(day: pd.DatetimeIndex) -> np.ndarray:
    """Give the effects of the first Thursday of September, first Sunday of February, Christmas, and after them."""
    effect, week = np.zeros(len(day)), day.day <= 7
    opening, final = week & (day.month == 9) & (day.day_of_week == 3), week & (day.month == 2) & (day.day_of_week == 6)
    for on, effects in ((opening, OPENING), (final, FINAL), ((day.month == 12) & (day.day == 25), CHRISTMAS)):
        for later, size in enumerate(effects):
            effect += size * np.append(np.zeros(later, bool), on[: len(on) - later])
    return effect


def tweets(brand: str, n: int = 1_152, *, seed: int = 0) -> pd.Series:
    """Invent the number of tweets that mention a brand in each of n steps of five minutes, with its two anomalies.

    >>> made = tweets("KO")
    >>> int(made.iloc[ODD["KO"][1]]), made.index.freqstr
    (0, '5min')
    """
    rng = np.random.default_rng([seed, len(brand)])
    time = pd.date_range(STAMP, periods=n, freq="5min")
    hour = (time.hour + time.minute / 60).to_numpy()
    rhythm = np.exp(0.6 * np.cos(2 * np.pi * (hour - 17) / 24))
    mean = BRANDS[brand] * rhythm / np.exp(0.09)  # the mean of exp(a cos) is about exp(a² / 4)
    for begin, lasts, times in zip(ODD[brand], LASTS, (BURST, SILENCE), strict=True):
        mean[begin : begin + lasts] *= times
    return pd.Series(np.rint(mean * np.exp(0.15 * _logistic(n, rng))).astype(int), time)


def write_samples(folder: Path) -> None:
    """Write `peyton-manning/` and `nab/`, always the same bytes."""
    # twelve digits tell every count, and hide the last one, in which machines differ
    lines = [f'"{day:%Y-%m-%d}",{np.log(count):.12g}\n' for day, count in views().views.dropna().items()]
    _write(folder / "peyton-manning" / "daily_peyton_manning.csv", '"ts","y"\n' + "".join(lines))
    windows = {}
    for brand in BRANDS:
        made, name = tweets(brand), f"Twitter_volume_{brand}.csv"
        rows = "".join(f"{time:%Y-%m-%d %H:%M:%S},{count}\n" for time, count in made.items())
        _write(folder / "nab" / "realTweets" / name, "timestamp,value\n" + rows)
        # as in NAB: a tenth of the series for all windows together, an anomaly in the middle of each
        half = len(made) // 10 // 4
        ends = [(made.index[at - half], made.index[at + half]) for at in ODD[brand]]
        windows[f"realTweets/{name}"] = [[f"{end:%Y-%m-%d %H:%M:%S}.000000" for end in both] for both in ends]
    _write(folder / "nab" / "labels" / "combined_windows.json", json.dumps(windows, indent=4) + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.encode())
