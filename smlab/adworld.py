"""A simulated ad log whose coefficients are known, to see that estimators find them.

    logit p = θ_0 + Σ_f θ_{f, value} + θ_{gender × topic} + u_user,    click ~ Bernoulli(p)

with the fields ad, segment, age, gender, device, daypart, position. Ads and the segments of users have effects of
their own, lower positions get fewer clicks, and one interaction between a person's gender and an ad's topic is
planted, which no sum of single effects can express. The first value of each field is the reference and has effect
0, so `theta` is what a logistic regression on `design` estimates, entry by entry.

u_user is a taste that no field shows. It is 0 unless asked for: with it, no model of the fields has coefficients
`theta`, for logits averaged over hidden tastes are nearer to 0 (Neuhaus, Kalbfleisch & Hauck 1991).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError
from smlab.design import Design

LEVELS: dict[str, tuple[str, ...]] = {
    "age": ("18-24", "25-34", "35-44", "45-54", "55+"),
    "gender": ("F", "M"),
    "device": ("desktop", "phone", "tablet"),
    "daypart": ("morning", "noon", "evening", "night"),
    "topic": ("fashion", "games", "travel"),
    "position": ("1", "2", "3"),
}
EFFECTS: dict[str, tuple[float, ...]] = {
    "age": (0.0, 0.15, 0.0, -0.2, -0.35),
    "gender": (0.0, 0.1),
    "device": (0.0, 0.4, 0.2),
    "daypart": (0.0, 0.1, 0.35, -0.15),
    "position": (0.0, -0.45, -0.8),
}
GENDER_TOPIC = {"gender=M × topic=games": 0.7, "gender=M × topic=travel": -0.3}
START = pd.Timestamp("2026-03-02", tz="UTC")  # a Monday
HOURS = {"morning": (6, 11), "noon": (11, 17), "evening": (17, 23), "night": (23, 30)}


@dataclass(frozen=True)
class AdLog:
    """What was simulated, and the truth behind it.

    Parameters
    ----------
    frame : click, the fields, time; one row per impression, in the order of time
    fields : the fields that have effects of their own; the interaction is between gender and topic
    design : turns frames into the columns of `theta[1:]`
    theta : true coefficient by name: the intercept, then in the order of `design.names_`
    p : (n,) probability with which each click was drawn: the oracle
    hidden : (n_users,) effect of each user's hidden taste
    """

    frame: pd.DataFrame
    fields: list[str]
    design: Design
    theta: pd.Series
    p: NDArray[np.float64]
    hidden: NDArray[np.float64]

    def probability(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Give the true click probability of any impressions, (n,), for instance of ads that were not shown."""
        return _chance(self.design, self.theta, self.hidden, frame)

    def instead(self, frame: pd.DataFrame, ad: int) -> pd.DataFrame:
        """Give the impressions as they would be with another ad, in the first position: what a model is asked."""
        topics = LEVELS["topic"]
        return frame.assign(ad=ad, topic=topics[ad % len(topics)], position=LEVELS["position"][0])

    def alternatives(self, frame: pd.DataFrame, ads: ArrayLike) -> NDArray[np.float64]:
        """Give the true probability of every given ad at each impression in the first position, (n, n_ads)."""
        return np.stack([self.probability(self.instead(frame, ad)) for ad in np.asarray(ads).tolist()], axis=1)


def impressions(
    n: int = 100_000,
    *,
    n_users: int = 5000,
    n_segments: int = 12,
    n_ads: int = 20,
    rate: float = 0.06,
    ad_spread: float = 0.5,
    segment_spread: float = 0.4,
    hidden_spread: float = 0.0,
    days: int = 14,
    seed: int = 0,
    truth: int | None = None,
) -> AdLog:
    """Simulate a log of `n` impressions.

    Parameters
    ----------
    rate : click rate of an impression whose effects are all 0; the intercept is its logit
    ad_spread, segment_spread, hidden_spread : standard deviation of those effects, in logits
    days : length of the log
    truth : seed of the coefficients; None is `seed`. The same truth with other seeds repeats the experiment

    >>> log = impressions(1000, n_segments=4, n_ads=5, seed=1)
    >>> log.frame.columns.tolist()
    ['click', 'user', 'ad', 'segment', 'age', 'gender', 'device', 'daypart', 'position', 'topic', 'time']
    >>> float(log.theta["position=2"]), log.theta.index[-1]
    (-0.45, 'gender=M × topic=travel')
    """
    if min(n, n_users, days) < 1 or min(n_segments, n_ads) < 1 or not 0 < rate < 1:
        raise UsageError(f"n={n}, n_users={n_users}, n_segments={n_segments}, n_ads={n_ads}, days={days} must be 1 or "
                         f"more and rate={rate} between 0 and 1")  # fmt: skip
    known = np.random.default_rng([1, seed if truth is None else truth])
    design = _design(n_ads, n_segments)
    effects = dict(EFFECTS)
    effects["ad"] = tuple(ad_spread * known.standard_normal(n_ads))
    effects["segment"] = tuple(segment_spread * known.standard_normal(n_segments))
    theta = _theta(design, rate, effects)
    hidden = hidden_spread * known.standard_normal(n_users)
    rng = np.random.default_rng([2, seed])
    frame = _shown(n, n_users, n_segments, n_ads, days, rng)
    p = _chance(design, theta, hidden, frame)
    frame.insert(0, "click", (rng.random(n) < p).astype(np.int64))
    return AdLog(frame, list(design.fields_), design, theta, p, hidden)


def downsample(frame: pd.DataFrame, rate: float, *, seed: int = 0) -> pd.DataFrame:
    """Keep all clicks and a share `rate` of the other rows, drawn at random, in their old order and index.

    It makes training cheap and shifts the intercept by -log(rate); `calibration.undo_downsampling` takes it back.
    """
    if not 0 < rate <= 1:
        raise UsageError(f"rate={rate} must be above 0 and at most 1: the share of the non-clicks that is kept")
    if "click" not in frame:
        raise UsageError(f"the frame has no column 'click'; it has {', '.join(map(str, frame.columns))}")
    kept = np.random.default_rng(seed).random(len(frame)) < rate
    return frame[kept | (frame["click"] == 1).to_numpy()]


def bids(n_ads: int, *, spread: float = 0.5, seed: int = 0) -> NDArray[np.float64]:
    """Draw what each ad's owner pays for a click at most, (n_ads,), log-normal around 1."""
    return np.exp(spread * np.random.default_rng([3, seed]).standard_normal(n_ads))


def _design(n_ads: int, n_segments: int) -> Design:
    """Make the design of all values there can be, so that its columns do not depend on what was drawn."""
    values = {"ad": range(n_ads), "segment": range(n_segments), **LEVELS}
    first = pd.DataFrame({name: list(levels)[:1] for name, levels in values.items()})
    fields = [name for name in values if name != "topic"]  # an ad has one topic: its effect is in the ad's
    return Design().fit(first, fields, interactions=[("gender", "topic")], values=values)


def _theta(design: Design, rate: float, effects: dict[str, tuple[float, ...]]) -> pd.Series:
    """Give the coefficients by name; the effect of a field's first value is taken as the zero."""
    theta = {"intercept": np.log(rate / (1 - rate)), **GENDER_TOPIC}
    for field, values in design.values_.items():
        if field != "topic":
            theta |= {f"{field}={v}": e - effects[field][0] for v, e in zip(values, effects[field], strict=True)}
    return pd.Series({name: theta[name] for name in ["intercept", *design.names_]}, name="theta")


def _shown(n: int, n_users: int, n_segments: int, n_ads: int, days: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw who saw what, where and when; nothing here depends on the coefficients."""
    user = (n_users * rng.random(n) ** 1.5).astype(np.int64)  # some are seen often
    ad = rng.integers(0, n_ads, n)
    people = {"segment": rng.integers(0, n_segments, n_users)}
    frame = pd.DataFrame({"user": user, "ad": ad, "segment": people["segment"][user]})
    for name in ("age", "gender"):
        frame[name] = _text(name, rng.integers(0, len(LEVELS[name]), n_users)[user])
    part = rng.integers(0, len(LEVELS["daypart"]), n)
    frame["device"] = _text("device", rng.integers(0, len(LEVELS["device"]), n))
    frame["daypart"] = _text("daypart", part)
    frame["position"] = _text("position", rng.integers(0, len(LEVELS["position"]), n))
    frame["topic"] = _text("topic", ad % len(LEVELS["topic"]))
    first, last = np.array([HOURS[name] for name in LEVELS["daypart"]])[part].T
    hours = 24 * rng.integers(0, days, n) + first + (last - first) * rng.random(n)
    frame["time"] = (START + pd.to_timedelta((hours * 3600).astype(np.int64), unit="s")).astype("datetime64[ns, UTC]")
    return frame.sort_values("time", kind="stable").reset_index(drop=True)


def _text(name: str, place: NDArray[np.int64]) -> pd.Series:
    return pd.Series(np.array(LEVELS[name], dtype=object)[place], dtype="str")


def _chance(design: Design, theta: pd.Series, hidden: NDArray[np.float64], frame: pd.DataFrame) -> NDArray[np.float64]:
    logit = theta.iloc[0] + design.transform(frame) @ theta.to_numpy()[1:] + hidden[frame["user"].to_numpy()]
    return 1 / (1 + np.exp(-logit))
