"""Make values alike: ages to bands, times to months, rare places to one, in steps from nothing to all.

A ladder is a column's domain generalisation hierarchy (Sweeney 2002; Samarati 2001): step 0 is the value as text, the
last one hides it. A further step of `age_ladder` and `place_ladder` never parts what was alike; a week may lie in two
months. `privacy.anonymise` climbs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from smlab.checks import UsageError, nearest

Step = Callable[[pd.Series], pd.Series]
HIDDEN, REST, MISSING = "*", "other", "missing"
BANDS = (5, 10, 20)  # years; each holds the one before
PERIODS = ("day", "week", "month", "quarter", "year")
SHARES = (0.01, 0.05)


@dataclass(frozen=True)
class Ladder:
    """Steps from the values as they are to one value for all; step 0 changes nothing, the last hides all.

    Parameters
    ----------
    names : what a step does, in words for the report
    steps : from a column to text
    """

    names: tuple[str, ...]
    steps: tuple[Step, ...]


def age_ladder(widths: Iterable[int] = BANDS) -> Ladder:
    """Go from years to bands of 5, 10, 20 years.

    >>> age_ladder().steps[2](pd.Series([31, 39.5, None])).tolist()
    ['30-39', '30-39', 'missing']
    """
    widths = tuple(widths)
    return _ladder([(f"bands of {w} years", _bander(w)) for w in widths])


def time_ladder(periods: Iterable[str] = PERIODS) -> Ladder:
    """Go from the moment to its day, week, month, quarter, year.

    >>> day = pd.Series(pd.to_datetime(["2024-05-01 09:30"]))
    >>> [step(day)[0] for step in time_ladder().steps[1:]]
    ['2024-05-01', 'week of 2024-04-29', '2024-05', '2024Q2', '2024', '*']
    """
    periods = tuple(periods)
    for period in periods:
        if period not in PERIODS:
            raise UsageError(f"{period!r} is no period to coarsen to; {nearest(period, PERIODS)}")
    return _ladder([(period, _dater(period)) for period in periods])


def place_ladder(values: pd.Series, k: int = 5, shares: Iterable[float] = SHARES) -> Ladder:
    """Pool rare values: those of fewer than k rows, then of under 1 %, then of under 5 %; for any few names.

    The rarest go to "other" until it is as frequent as what stays; which ones is kept, so that other tables are
    coarsened alike.

    >>> towns = pd.Series(["Rome"] * 6 + ["Bari"] * 4 + ["Pisa"])
    >>> place_ladder(towns, k=3).steps[1](towns).value_counts().to_dict()
    {'Rome': 6, 'other': 5}
    """
    counts = _text(values).value_counts().sort_index().sort_values(kind="stable")
    least = [("fewer than", k, k)] + [("under", f"{share:.0%}", share * len(values)) for share in shares]
    return _ladder([(f"{REST} for {word} {shown} rows", _pooler(counts, m)) for word, shown, m in least])


def _ladder(between: Sequence[tuple[str, Step]]) -> Ladder:
    names, steps = zip(("as it is", _text), *between, ("hidden", lambda x: _filled(x, HIDDEN)), strict=False)
    return Ladder(names, steps)


def _text(values: pd.Series) -> pd.Series:
    return values.astype("str").where(values.notna(), MISSING)


def _filled(values: pd.Series, text: str) -> pd.Series:
    return pd.Series(text, index=values.index, dtype="str")


def _bander(width: int) -> Step:
    def band(values: pd.Series) -> pd.Series:
        try:
            low = np.floor(pd.to_numeric(values) / width) * width
        except (ValueError, TypeError) as error:
            raise UsageError(f"bands need numbers; column {values.name!r} does not hold them ({error})") from None
        return _mapped(low, lambda x: f"{x:.0f}-{x + width - 1:.0f}")

    return band


def _dater(period: str) -> Step:
    def name(day: pd.Timestamp) -> str:
        if period == "week":
            return f"week of {day - pd.Timedelta(days=day.weekday()):%Y-%m-%d}"
        return f"{day.year}Q{day.quarter}" if period == "quarter" else day.strftime(
            {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[period]
        )  # fmt: skip

    def coarsen(times: pd.Series) -> pd.Series:
        if not pd.api.types.is_datetime64_any_dtype(times):
            raise UsageError(f"periods need times; column {times.name!r} holds {times.dtype}")
        return _mapped(times.dt.floor("D"), name)

    return coarsen


def _pooler(counts: pd.Series, least: float) -> Step:
    """Pool from the rarest up, until all that are rarer than `least` are in and "other" is not rare itself."""
    n = int((counts < least).sum())
    while 0 < n < len(counts) and counts.iloc[:n].sum() < least:
        n += 1
    kept = set(counts.index[n:])
    return lambda values: _text(values).where(lambda text: text.isin(kept), REST)


def _mapped(values: pd.Series, name: Callable[..., str]) -> pd.Series:
    """Name each value; missing ones are "missing"."""
    codes, different = pd.factorize(values)
    names = [*(name(one) for one in different), MISSING]  # the last for code -1
    return pd.Series(np.array(names, dtype=object)[codes], index=values.index, dtype="str")
