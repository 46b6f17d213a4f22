"""Simulated headline tests whose law is known: what a word does to the click rate, and what no word explains.

    logit p_ti = a_t + Σ_w β_w [w in headline i] + u_ti,    k_ti ~ Binomial(n_ti, p_ti)

    a_t ~ Normal(-4.5, .5²) of the story,  u_ti ~ Normal(0, τ²) of the headline

A headline is an opening, who and what of its story, and an ending; openings, `this` or `a`, and endings have effects,
who and what have none and are the same in all headlines of a story. Sizes are about those of the Upworthy archive.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from smlab.checks import UsageError

Floats = NDArray[np.float64]
OPENINGS = {"Watch": -0.2, "Meet": -0.1, "How": 0.0, "See why": 0.15, "Why": 0.3}
WHICH = {"a": 0.0, "this": 0.2}
ENDINGS = {
    "": 0.0,
    "in two minutes": -0.25,
    "and it works": -0.05,
    "and nobody saw it coming": 0.2,
    "and what she said": 0.35,
}
WHO = ("teacher", "nurse", "farmer", "girl", "soldier", "mayor", "baker", "judge", "singer", "grandmother")
WHAT = (
    "took on a bank", "planted a forest", "answered a bully", "left the army", "built a school", "cooked for a town",
    "stopped a train", "wrote to the president", "danced in the rain", "counted the stars",
)  # fmt: skip


class HeadlineWorld(NamedTuple):
    """Tests and their law.

    Parameters
    ----------
    tests : story, test, text, week, impressions, clicks, as `headlinejudge.headline_tests` gives them
    score : (n_headlines,) Σ β, what the words of a headline do, in log-odds
    rate : (n_headlines,) true click rates
    effects : word or words → β
    """

    tests: pd.DataFrame
    score: Floats
    rate: Floats
    effects: dict[str, float]


def headline_world(
    n_stories: int = 500, *, headlines: int = 4, impressions: int = 3000, spread: float = 0.2, seed: int = 0
) -> HeadlineWorld:
    """Draw stories over a year, each tested with several headlines.

    Parameters
    ----------
    headlines : of each story, 2 to 50
    impressions : of each headline, about
    spread : τ, what no word explains, in log-odds

    >>> world = headline_world(2, headlines=2)
    >>> len(world.tests), world.tests["test"].tolist()
    (4, ['story 0', 'story 0', 'story 1', 'story 1'])
    """
    ways = list(product(OPENINGS, WHICH, ENDINGS))
    if n_stories < 1 or impressions < 1 or not 2 <= headlines <= len(ways) or not 0 <= spread < np.inf:
        raise UsageError(
            f"n_stories={n_stories} and impressions={impressions} must be whole numbers from 1, headlines={headlines} "
            f"from 2 to {len(ways)}, and spread={spread} not below 0"
        )
    rng = np.random.default_rng(seed)
    stories = rng.integers(0, (len(WHO), len(WHAT)), (n_stories, 2))
    chosen = rng.permuted(np.tile(np.arange(len(ways)), (n_stories, 1)), axis=1)[:, :headlines].ravel()
    story = np.repeat(np.arange(n_stories), headlines)
    picked = [ways[i] for i in chosen]
    said = [f"{WHO[a]} {WHAT[b]}" for a, b in stories[story]]
    texts = [f"{first} {which} {what} {end}".strip() for (first, which, end), what in zip(picked, said, strict=True)]
    score = np.array([OPENINGS[first] + WHICH[which] + ENDINGS[end] for first, which, end in picked])
    base = rng.normal(-4.5, 0.5, n_stories)[story]
    rate = expit(base + score + rng.normal(0, spread, len(score)))
    shown = rng.integers(int(0.8 * impressions), int(1.2 * impressions) + 1, len(score))
    tests = pd.DataFrame({
        "story": [f"story {s}" for s in story], "test": [f"story {s}" for s in story], "text": texts,
        "week": 201_401 + story * 52 // n_stories, "impressions": shown.astype(float),
        "clicks": rng.binomial(shown, rate).astype(float),
    })  # fmt: skip
    effects = {name: b for part in (OPENINGS, WHICH, ENDINGS) for name, b in part.items() if name}
    return HeadlineWorld(tests, score, rate, effects)
