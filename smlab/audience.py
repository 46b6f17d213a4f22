"""A simulated audience whose interest is known, to see that explanations and fairness checks find the truth.

    logit p = θ_0 + 2 exp(-½ ((age - 30) / 8)²) + θ_location + Σ_interest θ_interest + .25 visits
              + .8 [likes travel and lives in a city],            wanted ~ Bernoulli(p)

Three columns have no effect on interest: `gender`; `minutes`, which goes with `visits` (correlation .92) and tempts
explanations to give it credit; and the interest `fashion`, which 65 % of the women name and 15 % of the men, and
so gives the gender away. All else is drawn independently, and so the true Shapley values have a closed form
(`shapley`).

The planted unfairness: of the women who wanted the post, a share `bias` is recorded as if they had not. Then

    P(y = 1 | person) = (1 - bias) p  for a woman,   p  for a man

and since gender has no effect on p, women and men are equally interested: without bias the mean of y differs by 0,
with it by bias · E p (`gap_`). Measured against `wanted`, a perfect model of y is too low by a share `bias` for
women and right for men. Leaving the column gender out does not mend it: `fashion` stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from smlab.checks import DataError, UsageError
from smlab.design import Design

Floats = NDArray[np.float64]

INTERCEPT = -3.0
AGES = np.arange(18, 66)  # drawn evenly
VISITS = (14, 0.3)  # a binomial: visits in a week, of 14 half days
LOCATION = {"countryside": 0.0, "town": 0.2, "city": 0.4}  # the first is the reference; drawn .3, .3, .4
SHARES = (0.3, 0.3, 0.4)
INTERESTS = {"music": 0.8, "sport": -0.6, "travel": 0.4, "games": 0.3, "fashion": 0.0}
NAMED = {"music": 0.4, "sport": 0.35, "travel": 0.3, "games": 0.3}  # how many people name them
FASHION = {"female": 0.65, "male": 0.15}
PER_VISIT, TRAVEL_IN_CITY = 0.25, 0.8
COLUMNS = ("age", "gender", "location", "interests", "visits", "minutes")
PRODUCT = "travel × city"
NOTHING = "none"  # what stands where a person names no interest


@dataclass(frozen=True)
class Audience:
    """People, what was recorded of them, and the truth.

    Parameters
    ----------
    frame : one row a person: age (years), gender, location, interests (names with commas, or "none"), visits (a
        week), minutes (a week)
    y : (n,) recorded engagement, 0 or 1: what a model may see
    p : (n,) true probability of wanting the post, free of the bias
    effects : true effect of each term in log-odds, with the column it belongs to
    wanted : (n,) whether the person wanted the post, 0 or 1; y is `wanted` less what the bias took
    recorded : (n,) probability of y = 1, the best that a model trained on y can say
    """

    frame: pd.DataFrame
    y: Floats
    p: Floats
    effects: pd.DataFrame
    wanted: Floats
    recorded: Floats

    @property
    def gap_(self) -> float:
        """The planted gap, mean of p - P(y = 1) over the women here: what the bias takes from them."""
        women = (self.frame["gender"] == "female").to_numpy()
        return float((self.p - self.recorded)[women].mean()) if women.any() else 0.0


class Encoded(NamedTuple):
    """People as numbers: `X` (n, n_columns), and the columns of each field."""

    X: pd.DataFrame
    groups: dict[str, list[str]]


def audience(n: int, *, seed: int = 0, bias: float = 0.0) -> Audience:
    """Simulate `n` people; `bias` is the share of the interested women who are recorded as not engaged.

    The people and what they want depend on `seed` alone, so two biases can be compared person by person.

    >>> crowd = audience(1000, seed=1)
    >>> crowd.frame.columns.tolist()
    ['age', 'gender', 'location', 'interests', 'visits', 'minutes']
    >>> audience(1000, seed=1, bias=1).y[crowd.frame["gender"] == "female"].sum()
    np.float64(0.0)
    """
    if n < 1 or not 0 <= bias <= 1:
        raise UsageError(f"n={n} must be 1 or more and bias={bias} a share from 0 to 1")
    rng = np.random.default_rng([4, seed])
    frame = _people(n, rng)
    p = probability(frame)
    wanted = rng.random(n) < p
    women = (frame["gender"] == "female").to_numpy()
    lost = women & (rng.random(n) < bias)
    recorded = np.where(women, (1 - bias) * p, p)
    return Audience(frame, (wanted & ~lost).astype(float), p, effects(), wanted.astype(float), recorded)


def probability(frame: pd.DataFrame) -> Floats:
    """Give the true probability of wanting the post, (n,), for any people, for instance changed ones."""
    return expit(INTERCEPT + _parts(frame).sum(axis=1).to_numpy())


def shapley(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the true Shapley values of the columns in log-odds, (n, 6); a row and `average()` add up to logit p.

    For independent columns the part g_j(x_j) of a sum gives φ_j = g_j - E g_j, and the product a u v gives

        φ_u = ½ a (u - E u)(v + E v),    φ_v = ½ a (v - E v)(u + E u).
    """
    parts = _parts(frame)
    travel, city = _travel(frame), (frame["location"] == "city").to_numpy(dtype=float)
    likely, urban = NAMED["travel"], SHARES[2]
    phi = (parts - _means()).drop(columns=PRODUCT)
    phi["interests"] += TRAVEL_IN_CITY / 2 * (travel - likely) * (city + urban)
    phi["location"] += TRAVEL_IN_CITY / 2 * (city - urban) * (travel + likely)
    return phi


def average() -> float:
    """Give the mean of logit p over all people there could be: the base that Shapley values start from."""
    return INTERCEPT + float(_means().sum())


def effects() -> pd.DataFrame:
    """List the true effects in log-odds: term, its field, the size, and how it enters."""
    rows = [("age", "age", 2.0, "2 exp(-½ ((age - 30) / 8)²): highest at 30")]
    rows += [("gender=male", "gender", 0.0, "none")]
    rows += [(f"location={v}", "location", e, "against the countryside") for v, e in LOCATION.items() if e]
    rows += [(f"interests={v}", "interests", e, "named or not" if e else "none") for v, e in INTERESTS.items()]
    rows += [("visits", "visits", PER_VISIT, "for each visit a week"), ("minutes", "minutes", 0.0, "none")]
    rows += [("interests=travel × location=city", "interests × location", TRAVEL_IN_CITY, "both")]
    return pd.DataFrame(rows, columns=["term", "field", "effect", "how"]).set_index("term")


def encode(frame: pd.DataFrame) -> Encoded:
    """Turn people into float columns: numbers as they are, a 0/1 column for each other value and each interest.

    Words cannot go through a scaler. The first value of gender and location is the reference and has no column.

    >>> encode(audience(3).frame).groups["location"]
    ['location=town', 'location=city']
    """
    _need(frame)
    values = {"gender": list(FASHION), "location": list(LOCATION)}
    design = Design().fit(frame, list(values), values=values)
    words = pd.DataFrame(design.transform(frame).toarray(), columns=design.names_, index=frame.index)
    likes = _likes(frame).add_prefix("interests=")
    every = pd.concat([frame[["age", "visits", "minutes"]].astype(float), words, likes], axis=1)
    groups = {c: [name for name in map(str, every) if name.partition("=")[0] == c] for c in COLUMNS}
    return Encoded(every[[name for names in groups.values() for name in names]], groups)


def _people(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw people; nothing here depends on the effects."""
    gender = np.where(rng.random(n) < 0.5, "female", "male")
    chance = {name: np.full(n, share) for name, share in NAMED.items()}
    chance["fashion"] = np.where(gender == "female", FASHION["female"], FASHION["male"])
    named = {name: rng.random(n) < chance[name] for name in INTERESTS}
    lists = [", ".join(k for k in INTERESTS if named[k][i]) or NOTHING for i in range(n)]
    visits = rng.binomial(*VISITS, n)
    minutes = np.maximum(np.round(8 * visits + rng.normal(0, 6, n)), 0)
    location = rng.choice(list(LOCATION), n, p=SHARES)
    drawn = (rng.choice(AGES, n), gender, location, lists, visits, minutes)
    return pd.DataFrame(dict(zip(COLUMNS, drawn, strict=True)))


def _parts(frame: pd.DataFrame) -> pd.DataFrame:
    """Give what each column adds to logit p, and the product of two, (n, 7)."""
    _need(frame)
    likes = _likes(frame)
    parts = pd.DataFrame(0.0, index=frame.index, columns=[*COLUMNS, PRODUCT])
    parts["age"] = _hump(frame["age"].to_numpy(dtype=float))
    parts["location"] = frame["location"].map(LOCATION).astype(float)
    parts["interests"] = likes.to_numpy() @ np.array(list(INTERESTS.values()))
    parts["visits"] = PER_VISIT * frame["visits"]
    parts[PRODUCT] = TRAVEL_IN_CITY * likes["travel"] * (frame["location"] == "city")
    return parts


def _means() -> pd.Series:
    """Give the mean of each part over all people there could be."""
    means: dict[str, float] = dict.fromkeys([*COLUMNS, PRODUCT], 0.0)
    means["age"] = float(_hump(AGES.astype(float)).mean())
    means["location"] = float(np.dot(SHARES, list(LOCATION.values())))
    means["interests"] = sum(share * INTERESTS[name] for name, share in NAMED.items())  # fashion adds 0
    means["visits"] = PER_VISIT * VISITS[0] * VISITS[1]
    means[PRODUCT] = TRAVEL_IN_CITY * NAMED["travel"] * SHARES[2]
    return pd.Series(means)


def _hump(age: Floats) -> Floats:
    return 2 * np.exp(-0.5 * ((age - 30) / 8) ** 2)


def _travel(frame: pd.DataFrame) -> Floats:
    return _likes(frame)["travel"].to_numpy()


def _likes(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a 0/1 column for each interest."""
    named = [set(text.split(", ")) for text in frame["interests"]]
    columns = {name: [float(name in likes) for likes in named] for name in INTERESTS}
    return pd.DataFrame(columns, index=frame.index)


def _need(frame: pd.DataFrame) -> None:
    """Refuse people who lack a field, or have a value that has no meaning here."""
    if absent := [c for c in COLUMNS if c not in frame]:
        raise UsageError(f"the frame has no column {absent[0]!r}; an audience has {', '.join(COLUMNS)}")
    known = {"gender": set(FASHION), "location": set(LOCATION)}
    for column, values in known.items():
        _refuse(frame, column, ~frame[column].isin(values), f"must be one of {', '.join(sorted(values))}")
    allowed = {*INTERESTS, NOTHING}
    odd = [not set(str(text).split(", ")) <= allowed for text in frame["interests"]]
    _refuse(frame, "interests", np.array(odd, dtype=bool), f"must be names of {', '.join(INTERESTS)}, or {NOTHING}")
    for column in ("age", "visits", "minutes"):
        numbers = pd.to_numeric(frame[column], errors="coerce")
        _refuse(frame, column, ~np.isfinite(numbers), "must be a finite number")


def _refuse(frame: pd.DataFrame, column: str, wrong: pd.Series | NDArray, rule: str) -> None:
    if (rows := np.flatnonzero(wrong)).size:
        value = frame[column].tolist()[rows[0]]
        raise DataError("the frame", rule, row=int(rows[0]), column=column, value=value, more=len(rows) - 1)
