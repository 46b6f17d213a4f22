"""Write made-up customers of an e-mail experiment in Hillstrom's format, of whom it is known what an e-mail does.

Each customer gets men's e-mail, women's or none, by chance. An e-mail moves the probability of a visit by `EFFECTS`:
much where it offers what the customer has bought before, little where not, and below 0 for new customers who get the
women's e-mail without having bought women's goods, who had better be left in peace. Of the visitors the same share
buys in every arm, so conversion and spend follow the visit. No customer is anybody.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlab import atomic

HEADER = ("recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie", "channel", "segment",
          "visit", "conversion", "spend")  # fmt: skip
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
SEGMENTS = ((0, "1) $0 - $100"), (100, "2) $100 - $200"), (200, "3) $200 - $350"), (350, "4) $350 - $500"),
            (500, "5) $500 - $750"), (750, "6) $750 - $1,000"), (1000, "7) $1,000 +"))  # fmt: skip
PLACES = ("Surburban", "Surburban", "Surburban", "Urban", "Urban", "Rural")  # spelt as in the true file
CHANNELS = ("Web", "Phone", "Web", "Phone", "Multichannel")
# share of visitors without an e-mail: always, and more of those who bought within four months
VISITS, LATELY = 0.10, 0.08
# what an e-mail adds to it: (bought such goods before, or not)
EFFECTS = {"Mens E-Mail": (0.16, 0.02), "Womens E-Mail": (0.20, 0.0)}
PEACE = -0.08  # women's e-mail for a new customer who never bought women's goods
BUYERS, LEAST, MORE = 0.3, 30.0, 90.0  # share of visitors; dollars at least, and more on average


class Made(NamedTuple):
    """The lines of the file; P(visit) of each customer without an e-mail; and what each e-mail adds, (n, 2)."""

    lines: pd.DataFrame
    base: pd.Series
    effect: pd.DataFrame


def customers(n: int = 820, *, seed: int = 0) -> Made:
    """Invent customers and what they do.

    >>> made = customers(500, seed=1)
    >>> made.lines.shape, sorted(made.effect["Womens E-Mail"].unique().tolist())
    ((500, 12), [-0.08, 0.0, 0.2])
    """
    # only rng.random() is drawn: its stream is the same in every version of NumPy, and the sample is compared
    u = dict(zip(("recency", "history", "goods", "place", "newbie", "channel", "arm", "visit", "buy", "spend"),
                 np.random.default_rng(seed).random((10, n)), strict=True))  # fmt: skip
    recency = 1 + (12 * u["recency"] ** 1.5).astype(int)
    history = np.round(29.99 + np.maximum(-260 * np.log1p(-u["history"]) - 40, 0), 2)
    mens, womens = (u["goods"] < 0.55).astype(int), (u["goods"] > 0.45).astype(int)  # a tenth bought both
    newbie = (u["newbie"] < 0.5).astype(int)
    arm = np.array(ARMS)[(3 * u["arm"]).astype(int)]
    effect = pd.DataFrame({name: np.where(bought, *EFFECTS[name])
                           for name, bought in (("Mens E-Mail", mens), ("Womens E-Mail", womens))})  # fmt: skip
    effect.loc[(newbie == 1) & (womens == 0), "Womens E-Mail"] = PEACE
    base = pd.Series(VISITS + LATELY * (recency <= 4))
    visit = u["visit"] < base + sum(effect[name] * (arm == name) for name in EFFECTS)
    buy = visit & (u["buy"] < BUYERS)
    spend = np.where(buy, np.round(LEAST - MORE * np.log1p(-u["spend"]), 2), 0.0)
    bounds, names = zip(*SEGMENTS, strict=True)
    kind = np.array(names)[np.searchsorted(bounds, history, side="right") - 1]
    place, channel = (
        np.array(of)[(len(of) * u[k]).astype(int)] for k, of in (("place", PLACES), ("channel", CHANNELS))
    )
    cells = (
        recency,
        kind,
        history,
        mens,
        womens,
        place,
        newbie,
        channel,
        arm,
        visit.astype(int),
        buy.astype(int),
        spend,
    )
    return Made(pd.DataFrame(dict(zip(HEADER, cells, strict=True))), base, effect)


def write_samples(folder: Path) -> None:
    """Write `hillstrom/`, always the same bytes: commas, CRLF."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(HEADER)
    for row in customers().lines.itertuples(index=False):
        table.writerow(f"{cell:.2f}".rstrip("0").rstrip(".") if isinstance(cell, float) else cell for cell in row)
    path = folder / "hillstrom" / "hillstrom.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, out.getvalue().encode())
