"""What a bandit would have saved in tests that split their traffic evenly: real headline tests, played again.

A test showed each of its headlines to about as many people. Who shifts people to the better ones as clicks come in
has more clicks of the same traffic. How many, depends on the true click rates, which nobody knows; the raw ones will
not do, since their differences are in part noise, and a bandit that is paid for noise looks too good. So rates are
shrunk twice by `pooling.pool`: tests towards the mean of all tests, headlines towards their test's mean m_i,

    k_ia ~ Binomial(n_ia, p_ia),    p_ia ~ Beta(s m_i, s (1 - m_i))

with the s most likely over all tests, times 1 - tests/headlines: the m_i come from the same clicks and lie too close
to them, by as many degrees of freedom as there are tests. The truth of a replay is a draw of each p_ia from its
posterior. Drawn rates are as far apart as headlines are, or, where impressions are few, a little less; posterior
means are too close to each other and give a lower bound. A test holds this against the data without any model: the
winner on a random half of the impressions wins on the other half by as much as drawn rates say.

Left out: what the winner earns after its test, and changes over the day. Impressions count as independent; where
clicks come in clumps, arms differ by more than chance though their headlines are alike, and the saving is too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.bandits import simulate
from smlab.checks import UsageError, nearest
from smlab.design import need_counts
from smlab.metrics import Interval, bootstrap
from smlab.policies import Policy
from smlab.pooling import pool

Floats = NDArray[np.float64]
Truth = Literal["draw", "mean", "raw"]


@dataclass(frozen=True)
class Replay:
    """Clicks of a policy beside those of the even split, over all tests.

    Parameters
    ----------
    tests : a row a test, in order of first appearance: test, headlines, impressions, and expected clicks under the
        truth of the replay: `even` (the impressions that were given), `policy`, `best` (its best headline alone)
    saved : clicks that the policy has more than the even split, in all tests
    lift : these as a share of the even split's clicks
    possible : the lift of whoever knew the best headline from the start

    The intervals are over tests: other tests of the same kind would give a sum in there.
    """

    tests: pd.DataFrame
    saved: Interval
    lift: Interval
    possible: Interval


def replay_headlines(
    tests: pd.DataFrame,
    policy: Policy,
    *,
    updates: int = 50,
    slots: int = 20,
    truth: Truth = "draw",
    repeats: int = 5,
    seed: int = 0,
) -> Replay:
    """Play each test again with a policy that gets the same impressions.

    Parameters
    ----------
    tests : a row a headline: test, impressions, clicks
    updates : how often in a test the policy learns what was clicked since the last time
    slots : parts of the traffic between two updates, each of which shows one headline
    truth : "draw" from the posterior; "mean" its mean; "raw" the click rates as measured, which flatters bandits
    repeats : draws of truth and luck that are averaged

    Raises
    ------
    UsageError
        For a column that is absent, no test of two headlines or more, or counts that cannot be.
    """
    data = _headlines(tests)
    if updates < 1 or slots < 1 or repeats < 1:
        raise UsageError(f"updates={updates}, slots={slots} and repeats={repeats} must be whole numbers from 1")
    rates = headline_rates(data, truth=truth, n=repeats, seed=seed)
    parts = [_play(policy, part, rates[:, part.index], (updates, slots), seed) for _, part in data.groupby("headlines")]
    found = pd.concat(parts).set_index("test").loc[data["test"].drop_duplicates()].reset_index()
    even, ours, best = (found[name].to_numpy() for name in ("even", "policy", "best"))
    n_saved = bootstrap(ours - even)
    saved = Interval(*(len(found) * x for x in n_saved))
    return Replay(found, saved, _share(ours - even, even), _share(best - even, even))


def headline_rates(tests: pd.DataFrame, *, truth: Truth = "draw", n: int = 1, seed: int = 0) -> Floats:
    """Give what the click rate of each headline may be, (n, n_headlines), by the formula above.

    >>> tests = pd.DataFrame({"test": list("aabb"), "impressions": 1000, "clicks": [10, 30, 40, 40]})
    >>> headline_rates(tests, truth="mean").round(3)[0].tolist()  # 10 and 30 of 1000 are closer than they look
    [0.012, 0.028, 0.04, 0.04]
    """
    k, shown = tests["clicks"].to_numpy(dtype=float), tests["impressions"].to_numpy(dtype=float)
    if truth == "raw":
        return np.tile(k / np.maximum(shown, 1), (n, 1))
    if truth not in ("draw", "mean"):
        raise UsageError(f"truth={truth!r}: {nearest(truth, ['draw', 'mean', 'raw'])}")
    sums = tests.groupby("test", sort=False)[["clicks", "impressions"]].transform("sum")
    first = ~tests["test"].duplicated()
    of_test = pool(sums["clicks"][first], sums["impressions"][first]).rate  # above 0 even where nobody clicked
    m = of_test[pd.factorize(tests["test"])[0]]
    found = pool(k, shown, towards=m)
    s = (found.alpha + found.beta) * (1 - len(of_test) / len(tests))
    a, b = s * m + k, s * (1 - m) + shown - k
    return np.tile(a / (a + b), (n, 1)) if truth == "mean" else np.random.default_rng(seed).beta(a, b, (n, len(a)))


def _play(policy: Policy, part: pd.DataFrame, rates: Floats, pace: tuple[int, int], seed: int) -> pd.DataFrame:
    """Play all tests of K headlines at once; rates are (repeats, n_tests · K)."""
    k, rounds = int(part["headlines"].iloc[0]), pace[0] * pace[1]
    shown = part["impressions"].to_numpy(dtype=np.int64).reshape(-1, k)
    total = shown.sum(axis=1)
    # what does not divide evenly goes to the first rounds
    size = total // rounds + (np.arange(rounds)[:, None] < total % rounds)  # (rounds, n_tests)
    even, ours, best = np.zeros((3, len(total)))
    for r, drawn in enumerate(rates):
        p = drawn.reshape(-1, k)
        played = simulate(policy, p, rounds, len(p), seed + 1000 * r, batch=pace[1], size=size, at=[rounds])
        top = total * p.max(axis=1)
        even += (shown * p).sum(axis=1) / len(rates)
        ours += (top - played.regret[:, -1]) / len(rates)
        best += top / len(rates)
    columns = {"headlines": k, "impressions": total, "even": even, "policy": ours, "best": best}
    return pd.DataFrame({"test": part["test"].to_numpy()[::k], **columns})


def _headlines(tests: pd.DataFrame) -> pd.DataFrame:
    """Give test, impressions, clicks and the number of headlines, each test in one piece; tests of one are left out."""
    have = [str(c) for c in tests.columns]
    for name in ("test", "impressions", "clicks"):
        if name not in have:
            raise UsageError(f"a replay needs the column {name!r}; {nearest(name, have)}")
    need_counts(*(tests[name].to_numpy(dtype=float) for name in ("clicks", "impressions")))
    data = tests[["test", "impressions", "clicks"]].iloc[np.argsort(pd.factorize(tests["test"])[0], kind="stable")]
    data = data.assign(headlines=data.groupby("test")["test"].transform("size"))
    data = data[data["headlines"] > 1].reset_index(drop=True)
    if data["test"].nunique() < 2:
        raise UsageError(f"{data['test'].nunique()} tests of two headlines or more: a sum over tests needs two or more")
    return data


def _share(part: Floats, whole: Floats) -> Interval:
    """Give Σ part / Σ whole with its interval over tests."""

    def share(rows: NDArray, axis: int) -> Floats:
        i = rows.astype(int)
        return part[i].sum(axis=axis) / whole[i].sum(axis=axis)

    return bootstrap(np.arange(len(part)), share)
