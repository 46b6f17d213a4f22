"""Write made-up ad logs in the true formats: the samples of this repository, and Criteo files of any length.

Nothing is cut from real data. `python -m smlab.adsamples criteo FILE ROWS [SEED]` writes a file in Criteo's format
in which clicks follow a known model: effects of single categories and, between six of the fields, products of
hidden factors, which a factorization machine can find and a linear model cannot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smlab import atomic
from smlab.checks import UsageError

# how many categories the 26 fields have, in the manner of the real ones
CRITEO_SIZES = (
    1400, 550, 200_000, 100_000, 300, 24, 12_000, 630, 3, 60_000, 5000, 200_000, 3100, 27, 12_000, 150_000, 10, 5000,
    2000, 4, 180_000, 18, 15, 60_000, 100, 40_000,
)  # fmt: skip
CROSSED = (0, 1, 4, 7, 13, 18)  # fields whose factors meet
N_FACTORS = 3
DIGITS = 6  # of the greatest whole number
CHUNK = 100_000
Bytes = NDArray[np.uint8]


def write_criteo(path: Path, rows: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Write a file in Criteo's format and give the probability that each click was drawn with (rows,).

    About 25 % of the rows are clicks, as in the contest's file. The same rows and seed give the same bytes.
    """
    if rows < 1:
        raise UsageError(f"rows={rows}: a log has at least one row")
    rng = np.random.default_rng(seed)
    world = _CriteoWorld(rng)
    found = []
    with atomic.writing(path) as out:
        for start in range(0, rows, CHUNK):
            content, p = world.draw(min(CHUNK, rows - start), rng)
            out.write(content)
            found.append(p)
    return np.concatenate(found)


class _CriteoWorld:
    """Categories with their names, effects and factors."""

    def __init__(self, rng: np.random.Generator) -> None:
        digits = np.frombuffer(b"0123456789abcdef", np.uint8)
        self.names = [digits[(rng.random((n, 8)) * 16).astype(np.int64)] for n in CRITEO_SIZES]
        self.effects = [0.35 * _normal(n, rng) for n in CRITEO_SIZES]
        self.factors = {f: 0.55 * _normal((CRITEO_SIZES[f], N_FACTORS), rng) for f in CROSSED}
        self.gaps = np.where(rng.random(26) < 0.3, 0.3 * rng.random(26), 0.0)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[bytes, NDArray[np.float32]]:
        """Draw n rows; give their bytes and the probability of each."""
        score, sums, squares = np.full(n, -3.3), np.zeros((n, N_FACTORS)), np.zeros(n)
        fields = []
        for f, size in enumerate(CRITEO_SIZES):
            category = (size * rng.random(n) ** 3).astype(np.int64)  # few are frequent
            empty = rng.random(n) < self.gaps[f]
            fields.append(np.where(empty[:, None], np.uint8(0), self.names[f][category]))
            score += np.where(empty, 0.0, self.effects[f][category])
            if f in self.factors:
                v = np.where(empty[:, None], 0.0, self.factors[f][category])
                sums, squares = sums + v, squares + (v**2).sum(axis=1)
        score += 0.5 * ((sums**2).sum(axis=1) - squares)  # Rendle (2010), lemma 3.1
        counts = np.floor(np.exp(2.2 * rng.random((n, 13)) ** 2 * np.log(10) * DIGITS / 2.3)).astype(np.int64) - 1
        score += 0.1 * (np.log1p(np.maximum(counts[:, 0], 0)) - 2)
        p = (1 / (1 + np.exp(-score))).astype(np.float32)
        click = rng.random(n) < p
        return _rows(click, counts, rng.random((n, 13)) < 0.15, fields), p


def _rows(click: NDArray[np.bool_], counts: NDArray[np.int64], empty: NDArray[np.bool_], fields: list[Bytes]) -> bytes:
    """Write rows into a table of bytes with gaps of 0, then close the gaps."""
    n, tab = len(click), np.full((len(click), 1), 9, np.uint8)
    parts: list[Bytes] = [(click + 48).astype(np.uint8)[:, None]]
    for j in range(counts.shape[1]):
        number = _digits(counts[:, j])
        number[empty[:, j]] = 0
        parts += [tab, number]
    for field in fields:
        parts += [tab, field]
    table = np.concatenate([*parts, np.full((n, 1), 10, np.uint8)], axis=1).ravel()
    return table[table != 0].tobytes()


def _digits(values: NDArray[np.int64]) -> Bytes:
    """Write whole numbers from -9 with up to DIGITS digits, a gap of 0 before the first (n, DIGITS + 1)."""
    out = np.zeros((len(values), DIGITS + 1), np.uint8)
    left = np.abs(values)
    for place in range(DIGITS, 0, -1):
        out[:, place] = np.where((left > 0) | (place == DIGITS), 48 + left % 10, 0)
        left = left // 10
    out[values < 0, 0] = ord("-")
    return out


def _normal(size: int | tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw normal numbers from rng.random(), whose stream is the same in every version of NumPy."""
    return np.sqrt(-2 * np.log(1 - rng.random(size))) * np.cos(2 * np.pi * rng.random(size))


def write_samples(folder: Path) -> None:
    """Write `open-bandit/`, `facebook-ads/` and `frappe/`, always the same bytes."""
    for seed, (variant, rows) in enumerate((("random-all", 240), ("bts-all", 120))):
        _write(folder / "open-bandit" / f"{variant}.csv", _open_bandit(rows, variant == "random-all", seed))
        _write(folder / "open-bandit" / f"{variant}-items.csv", _open_bandit_items())
    _write(folder / "facebook-ads" / "KAG_conversion_data.csv", _facebook(160))
    for seed, (part, rows) in enumerate((("train", 700), ("validation", 200), ("test", 100))):
        _write(folder / "frappe" / f"frappe.{part}.libfm", _frappe(rows, seed))


def _hash(*key: int) -> str:
    """Give 32 hexadecimal digits, as the owners of Open Bandit hide a feature behind."""
    rng = np.random.default_rng(key)
    return "".join("0123456789abcdef"[int(16 * x)] for x in rng.random(32))


def _open_bandit_items(n: int = 10) -> Iterator[str]:
    yield ",item_id," + ",".join(f"item_feature_{k}" for k in range(4)) + "\n"
    for item in range(n):
        yield f"{item},{item},{item / 4 - 1.0},{_hash(1, item % 3)},{_hash(2, item % 5)},{_hash(3, item % 2)}\n"


def _open_bandit(rows: int, at_random: bool, seed: int, n: int = 10) -> Iterator[str]:
    rng = np.random.default_rng(900 + seed)
    weight = np.full(n, 1 / n) if at_random else np.round(np.arange(1, n + 1) / 55, 6)
    yield (
        ",timestamp,item_id,position,click,propensity_score," + ",".join(f"user_feature_{k}" for k in range(4)) + ","
        + ",".join(f"user-item_affinity_{i}" for i in range(n)) + "\n"
    )  # fmt: skip
    for row in range(rows):
        u = rng.random(9)
        item = int(np.searchsorted(np.cumsum(weight)[:-1], u[0], side="right"))
        traits = [int(u[1 + k] * (2 + 2 * k)) for k in range(4)]
        click = u[5] < 0.06 + 0.08 * (item % 3 == traits[1] % 3)
        seconds = int(row * 7 * 86_400 / rows)
        moment = (
            f"2019-11-{24 + seconds // 86_400} {seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        )
        affinity = ",".join("1.0" if i == int(u[7] * n) and u[8] < 0.5 else "0.0" for i in range(n))
        yield (
            f"{row},{moment}.{int(u[6] * 1e6):06d}+00:00,{item},{1 + row % 3},{int(click)},{weight[item]:.6g},"
            + ",".join(_hash(10 + k, t) for k, t in enumerate(traits)) + f",{affinity}\n"
        )  # fmt: skip


def _facebook(rows: int) -> Iterator[str]:
    rng = np.random.default_rng(77)
    yield ("ad_id,xyz_campaign_id,fb_campaign_id,age,gender,interest,Impressions,Clicks,Spent,Total_Conversion,"
           "Approved_Conversion\n")  # fmt: skip
    ages, campaigns, interests = ("30-34", "35-39", "40-44", "45-49"), (916, 936, 1178), (10, 15, 16, 20, 27, 29, 64)
    for row in range(rows):
        u = rng.random(9)
        age, interest, campaign = int(4 * u[0]), int(7 * u[1]), int(3 * u[2])
        shown = int(10 ** (2.5 + 3 * u[3]))
        rate = np.exp(-8.6 + 0.15 * age + 0.3 * (u[4] < 0.5) + 0.1 * interest)
        clicks = int(np.clip(np.rint(shown * rate + np.sqrt(shown * rate) * _normal(1, rng)[0]), 0, shown))
        bought = int(clicks * u[6] * 0.2)
        yield (f"{700_000 + row},{campaigns[campaign]},{100_000 + row // 2},{ages[age]},{'F' if u[4] < 0.5 else 'M'},"
               f"{interests[interest]},{shown},{clicks},{clicks * (1.2 + 0.5 * u[5]):.2f},{bought},"
               f"{int(bought * u[7])}\n")  # fmt: skip


FRAPPE_SIZES = (60, 90, 7, 7, 2, 3, 2, 9, 12, 20)


def _frappe(rows: int, seed: int) -> Iterator[str]:
    first = np.concatenate([[0], np.cumsum(FRAPPE_SIZES)[:-1]])
    rng = np.random.default_rng(500 + seed)
    for _ in range(rows):
        u = rng.random(len(FRAPPE_SIZES) + 1)
        value = [int(size * x**1.5) for size, x in zip(FRAPPE_SIZES, u[1:], strict=True)]
        value[4] = int(value[3] >= 5)  # the weekend
        odds = 3.5 * (value[0] % 3 == value[1] % 3) + 0.8 * (value[1] % 2) - 2.6
        label = 1 if u[0] < 1 / (1 + np.exp(-odds)) else -1
        yield f"{label} " + " ".join(f"{f + v}:1" for f, v in zip(first, value, strict=True)) + "\n"


def _write(path: Path, lines: Iterator[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, "".join(lines))


def main(arguments: list[str]) -> int:
    """Write a Criteo-format file as the command line says; give the exit code."""
    if len(arguments) not in (3, 4) or arguments[0] != "criteo" or not all(a.isdigit() for a in arguments[2:]):
        sys.exit("usage: python -m smlab.adsamples criteo FILE ROWS [SEED]")
    write_criteo(Path(arguments[1]), int(arguments[2]), seed=int(arguments[3]) if len(arguments) == 4 else 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
