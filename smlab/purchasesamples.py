"""Write made-up purchases in the true formats, with segments of which the truth is known.

`shop` invents a gift shop with five kinds of customers, who differ in how often, how much, when and how lately they
buy; its files have what the true one has: two overlapping sheets, repeated lines, cancellations, postage, corrections
of the books, lines without a customer. `repeat_buyers` invents customers who buy by the law of BG/NBD.

No product and no customer is anybody's.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaincinv, gammaincinv

from smlab import atomic

START, DAYS = pd.Timestamp("2010-01-01"), 365
SECOND_SHEET, OVERLAP = 180, 20  # day on which the second sheet begins, and days for which the first goes on
HEADER = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")


class Segment(NamedTuple):
    """A kind of customer: share of all, orders on average, first and last day, lines an order, pieces a line, hour."""

    share: float
    orders: float
    days: tuple[int, int]
    lines: int
    pieces: int
    hour: int


SEGMENTS = {
    "regulars": Segment(0.25, 9.0, (5, 364), 3, 3, 12),
    "wholesale": Segment(0.10, 4.0, (20, 360), 8, 48, 9),
    "lapsed": Segment(0.25, 3.0, (0, 70), 3, 3, 14),
    "newcomers": Segment(0.20, 2.0, (335, 364), 2, 2, 16),
    "one gift": Segment(0.20, 1.0, (150, 250), 1, 1, 19),
}
ADJECTIVES = ("PAPER", "TIN", "GLASS", "RED", "BLUE", "WOODEN", "TINY", "STRIPED", "VELVET", "SILVER")
THINGS = ("LANTERN", "BUNTING", "TEAPOT", "APRON", "CANDLE", "BELL", "BASKET", "NOTEBOOK", "RIBBON", "MUG")
COUNTRIES = ("United Kingdom",) * 8 + ("France", "Germany")


class Shop(NamedTuple):
    """The lines of a made-up shop as its file has them, and the kind of each customer, indexed by customer."""

    lines: pd.DataFrame
    segment: pd.Series


class _Dice:
    """Draws of nothing but rng.random(), whose stream is the same in every version of NumPy."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def below(self, n: int) -> int:
        return int(self.rng.random() * n)

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def around(self, mean: float) -> int:
        """Draw a whole number from 1, about `mean` on average, within a third of it."""
        return max(1, int(mean * (2 / 3 + 2 / 3 * self.rng.random()) + 0.5))


def shop(n_customers: int = 110, *, flaws: bool = True, seed: int = 0) -> Shop:
    """Invent a year of a gift shop.

    Parameters
    ----------
    flaws : with what has to be cleaned; without it every line is a purchase

    >>> made = shop(20, flaws=False)
    >>> len(made.segment), made.segment.tolist().count("regulars")
    (20, 5)
    """
    dice = _Dice(seed)
    kinds = [kind for kind, s in SEGMENTS.items() for _ in range(round(s.share * n_customers))]
    kinds = (kinds + ["regulars"] * n_customers)[:n_customers]
    baskets = []
    for customer, kind in enumerate(kinds, start=12_001):
        country = COUNTRIES[dice.below(len(COUNTRIES))]
        baskets += [(minute, customer, country, kind) for minute in _minutes(SEGMENTS[kind], dice)]
    rows, invoice = [], 500_000
    for minute, customer, country, kind in sorted(baskets):
        invoice += 1 + dice.below(3)
        rows += _order(invoice, minute, customer, country, SEGMENTS[kind], dice, flaws)
    index = pd.Index([str(12_001 + i) for i in range(len(kinds))], dtype="str", name="customer")
    lines = pd.DataFrame(_sheets(rows) if flaws else rows, columns=["minute", *HEADER]).drop(columns="minute")
    return Shop(lines, pd.Series(kinds, index=index, dtype="str", name="segment"))


def _minutes(segment: Segment, dice: _Dice) -> list[int]:
    """Draw the moments of a customer's orders, in minutes from the start; spread over the days of the segment."""
    n, (first, last) = dice.around(segment.orders), segment.days
    slots = [first + (last - first) * (k + dice.rng.random()) / n for k in range(n)]
    return [int(day) * 1440 + (segment.hour * 60 + dice.below(150) - 60) for day in slots]


def _order(
    invoice: int, minute: int, customer: int, country: str, segment: Segment, dice: _Dice, flaws: bool
) -> list[tuple[object, ...]]:
    """Draw the lines of one order; with flaws some are repeated, sent back, postage or without a customer."""
    when, who = _date(minute), f"{customer}.0"
    rows: list[tuple[object, ...]] = []
    taken = dice.below(100)
    for k in range(dice.around(segment.lines)):
        at = (taken + 7 * k) % 100
        code, name = f"{20_000 + at}{'B' * (at % 9 == 0)}", f"{ADJECTIVES[at // 10]} {THINGS[at % 10]}"
        rows.append((minute, invoice, code, name, dice.around(segment.pieces), when, (at % 12 + 3) / 4, who, country))
    if not flaws:
        return rows
    if dice.chance(0.04):
        rows.append(rows[0])
    if dice.chance(0.05):
        rows.append((minute, invoice, "POST", "POSTAGE", 1, when, 18.0, who, country))
    if dice.chance(0.08):
        rows += [(*row[:7], "", row[8]) for row in rows[:1]] if dice.chance(0.7) else []
        back, late = rows[0], minute + 30
        rows.append((late, f"C{invoice}", back[2], back[3], -int(str(back[4])), _date(late), *back[6:]))
    if dice.chance(0.02):
        rows.append((minute, invoice, "M", "Manual", 1, when, 7.5, who, country))
    if dice.chance(0.02):
        rows.append((minute, invoice, "20001", "PAPER BUNTING", 1, when, 0.0, who, country))
    if dice.chance(0.02):
        rows.append((minute, f"A{invoice}", "B", "Adjust bad debt", 1, when, -120.5, "", "United Kingdom"))
    if dice.chance(0.02):
        rows.append((minute, invoice, "21999", "", -6, when, 0.0, "", "United Kingdom"))
    return rows


def _sheets(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Put two sheets one after the other, of which the second repeats the last days of the first."""
    change = SECOND_SHEET * 1440
    first = [row for row in rows if int(str(row[0])) < change + OVERLAP * 1440]
    return first + [row for row in rows if int(str(row[0])) >= change]


def _date(minute: int) -> str:
    when = START + pd.Timedelta(minutes=minute)
    return f"{when.month}/{when.day}/{when.year} {when.hour}:{when.minute:02d}"


def repeat_buyers(
    n: int = 600, *, r: float = 0.243, alpha: float = 4.414, a: float = 0.793, b: float = 2.426, seed: int = 0
) -> pd.DataFrame:
    """Invent customers who buy by the law of BG/NBD: customer, time (a day of 1997 or 1998), quantity, amount.

    Each buys at a rate λ ~ Gamma(r, α) a week, and after each repeat purchase leaves for good with probability
    p ~ Beta(a, b). The values are those that Fader, Hardie and Lee (2005) estimate for the true CDNOW; first purchases
    are spread over twelve weeks, and all is seen for 78 weeks.
    """
    dice, rows = _Dice(seed), []
    rate = gammaincinv(r, dice.rng.random(n)) / alpha
    leave = betaincinv(a, b, dice.rng.random(n))
    for customer in range(n):
        day, first = 84 * dice.rng.random(), True
        while day < 546:
            quantity = 1 + dice.below(4) * dice.chance(0.6)
            amount = round(quantity * (9.5 + 8 * dice.rng.random()), 2)
            when = pd.Timestamp("1997-01-01") + pd.Timedelta(days=int(day))
            rows.append((f"{customer + 1:05d}", when, quantity, amount * (not dice.chance(0.004))))
            if dice.chance(leave[customer]) and not first:  # whoever came once is still there, as in the paper
                break
            first = False
            day += -np.log1p(-dice.rng.random()) / max(rate[customer], 1e-9) * 7
    return pd.DataFrame(rows, columns=["customer", "time", "quantity", "amount"]).astype({"customer": "str"})


def write_samples(folder: Path) -> None:
    """Write `cdnow/` and `online-retail-2/`, always the same bytes."""
    bought = repeat_buyers()
    head = "customer_id  date  number_of_cds  dollar_value\r\n"
    whole = [f" {c} {t:%Y%m%d} {q:2d} {m:7.2f}\r\n" for c, t, q, m in bought.itertuples(index=False)]
    _write(folder / "cdnow" / "CDNOW_master.txt", head + "".join(whole))
    tenth = bought[bought["customer"].str[-1] == "4"]
    number = {customer: i for i, customer in enumerate(tenth["customer"].unique(), start=1)}
    part = [f" {c} {number[c]:04d} {t:%Y%m%d} {q:2d} {m:7.2f}\r\n" for c, t, q, m in tenth.itertuples(index=False)]
    _write(folder / "cdnow" / "CDNOW_sample.txt", "".join(part))
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(HEADER)
    table.writerows(shop().lines.itertuples(index=False))
    _write(folder / "online-retail-2" / "online_retail.csv", out.getvalue())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.encode())
