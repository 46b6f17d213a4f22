"""The alarm: Page's recursion, as few false alarms as asked for, and a planted drop found soon."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from smlab.alarm import Alarm
from smlab.checks import UsageError


def losses(n: int, seed: int, drop: int | None = None, alike: float = 0.0) -> NDArray:
    """Log-losses of true forecasts, which from `drop` on have nothing to do with what happens (AUC .8 to .5)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    if alike:  # days differ: what one post is, so is the next
        for i in range(1, n):
            z[i] = alike * z[i - 1] + np.sqrt(1 - alike**2) * z[i]
    p = expit(1.5 * z)
    true = p.copy()
    if drop is not None:
        true[drop:] = expit(1.5 * rng.normal(size=n - drop))
    return -np.log(np.where(rng.random(n) < true, p, 1 - p))


def test_the_path_is_pages_recursion():
    x = losses(600, 0)
    alarm = Alarm(shift=0.4, horizon=300, n=20).fit(x[:300])
    s, slow = 0.0, []
    for loss in x[300:]:
        s = max(0.0, s + (loss - x[:300].mean()) / x[:300].std() - 0.2)
        slow.append(s)
    np.testing.assert_allclose(alarm.path(x[300:]), slow, atol=1e-10)


@pytest.mark.parametrize("alike", [0.0, 0.9])
@pytest.mark.parametrize("seeds", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_calm_streams_hardly_ever_alarm_and_a_drop_is_found_soon(seeds, alike):
    """Asked for: at most 5 % false alarms in 1,000 posts. A model that knows nothing any more is found within 120."""
    false, delays = 0, []
    for seed in range(seeds):
        x = losses(2000, seed, alike=alike)
        alarm = Alarm(seed=seed, n=300 if seeds < 100 else 1000).fit(x[:1000])
        false += alarm.first(x[1000:]) is not None
        found = alarm.first(np.r_[x[1000:1200], losses(800, 10_000 + seed, drop=0, alike=alike)])
        delays.append(np.inf if found is None else found - 200)
    late = np.array(delays)
    assert false / seeds <= 0.05
    assert (late <= 120).mean() >= 0.95 and np.median(late[late >= 0]) < 60


def test_the_onset_points_to_the_change_better_than_the_alarm_does():
    onset, alarm_at = [], []
    for seed in range(20):
        x = losses(1200, seed, drop=900)
        alarm = Alarm(n=200, horizon=600).fit(x[:600])
        first = alarm.first(x[600:])
        if first is not None and first >= 300:
            alarm_at.append(first - 300)
            onset.append(abs(alarm.onset(x[600:]) - 300))
    assert len(onset) >= 18 and np.median(onset) < 15 < 25 < np.median(alarm_at)


def test_each_wish_matters():
    x = losses(800, 1)
    limit = {name: Alarm(**{"n": 300, "horizon": 400} | wish).fit(x).limit_ for name, wish in WISHES.items()}
    assert limit["lenient"] < limit["plain"] < limit["long"] and limit["coarse"] < limit["plain"]
    assert limit["again"] == limit["plain"] != limit["seed"]
    assert Alarm(n=300, horizon=400).fit(x).onset(np.full(50, x.mean())) is None


WISHES: dict[str, dict[str, float]] = {
    "plain": {}, "again": {}, "seed": {"seed": 1}, "lenient": {"rate": 0.2}, "long": {"horizon": 800},
    "coarse": {"shift": 0.6},
}  # fmt: skip
ERRORS = {
    "shift=0, horizon=1000, n=1000 must be above 0": lambda: Alarm(shift=0),
    "rate=1 below 1": lambda: Alarm(rate=1),
    "10 losses of spread 0: an alarm needs 60, not all the same": lambda: Alarm().fit(np.ones(10)),
    "a horizon of 1000 posts needs a reference of as many; this one has 80": lambda: Alarm().fit([0.1, 1.0] * 40),
    "loss 1 is nan; losses must be finite": lambda: Alarm().fit([0.1, np.nan] * 40),
    "the alarm has no reference yet; call fit(losses) first": lambda: Alarm().first([0.1]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
