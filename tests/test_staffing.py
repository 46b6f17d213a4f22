"""Erlang's formula against tables and simulation; the plan of least cost against brute force; plans on later weeks."""

from __future__ import annotations

import heapq
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from smlab.checks import UsageError
from smlab.staffing import SHARES, Work, agents_for, answered_within, backtest, by_week, in_words, plan, quantile, waits

LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]
MAIL = Work(minutes=6, wage=20, late=5, hours=8)
CHAT = Work(minutes=3, live=True, opens=9, closes=18)


def forecast(median, freq: str = "D", start: str = "2024-01-01", spread: float = 0.25) -> pd.DataFrame:
    m = np.asarray(median, dtype=float)
    q = m[:, None] * np.exp(spread * stats.norm.ppf(LEVELS))
    return pd.DataFrame(q, pd.date_range(start, periods=len(m), freq=freq), LEVELS)


def test_waits_is_erlangs_sum():
    for A, N in ((2.0, 3), (7.5, 9), (10.0, 14)):
        last = A**N / math.factorial(N) * N / (N - A)
        direct = last / (sum(A**j / math.factorial(j) for j in range(N)) + last)
        np.testing.assert_allclose(waits(A, N), direct, rtol=1e-10)


def test_one_person_waits_as_in_a_queue_of_one():
    """M/M/1: C = A."""
    np.testing.assert_allclose(waits([0.1, 0.5, 0.9], 1), [0.1, 0.5, 0.9])


def test_table_values():
    """Of 200 calls of 3 minutes an hour with 14 people 17.4 % wait and 88.8 % are answered in 20 s; 13 are too few.

    The usual worked example of call centre handbooks; the formula as a sum gives the same, see above.
    """
    assert f"{waits(10, 14):.3f} {answered_within(10, 14, 20, 3):.3f} {answered_within(10, 13, 20, 3):.3f}" == (
        "0.174 0.888 0.796"
    )
    assert agents_for(10, Work(minutes=3)).tolist() == [14]


def test_too_few_people_let_all_wait_and_large_loads_stay_finite():
    assert waits([5, 5, 0], [5, 3, 0]).tolist() == [1, 1, 0]
    assert answered_within([5, 0], [5, 0], 20, 3).tolist() == [0, 1]
    N = agents_for([5_000.0], Work(minutes=3))[0]
    assert 5_000 < N < 5_000 + 3 * np.sqrt(5_000)


def test_fewest_people_that_do():
    loads = np.r_[0.0, np.random.default_rng(0).uniform(0.01, 60, 50)]
    work = Work(minutes=4, share=0.9, seconds=30)
    N = agents_for(loads, work)
    assert (answered_within(loads, N, 30, 4) >= 0.9).all()
    assert (answered_within(loads[1:], N[1:] - 1, 30, 4) < 0.9).all() and N[0] == 0


def test_queue_simulated_message_by_message_waits_as_the_formula_says():
    rng, A, N, minutes = np.random.default_rng(0), 4.0, 6, 3.0
    n = 100_000
    arrive = np.cumsum(rng.exponential(minutes / A, n))
    take = rng.exponential(minutes, n)
    free = [0.0] * N
    wait = np.empty(n)
    for i in range(n):
        begin = max(arrive[i], heapq.heappop(free))
        wait[i] = begin - arrive[i]
        heapq.heappush(free, begin + take[i])
    np.testing.assert_allclose(np.mean(wait > 0), waits(A, N), atol=0.015)
    np.testing.assert_allclose(np.mean(wait <= 0.5), answered_within(A, N, 30, minutes), atol=0.015)


def test_quantiles_of_a_normal_law_lie_between_exactly():
    exact = pd.DataFrame([stats.norm.ppf(LEVELS, 100, 10)], columns=LEVELS)
    at = [0.05, 0.3, 0.6, 0.95]
    np.testing.assert_allclose(quantile(exact, at)[0], stats.norm.ppf(at, 100, 10))


def cost(N: int, law: np.ndarray, work: Work) -> float:
    k = 60 * work.occupied * work.hours / work.minutes
    return float(np.mean(work.wage * work.hours * N + work.late * np.maximum(law - k * N, 0)))


@pytest.mark.parametrize("late", [2.5, 5.0, 40.0])
@pytest.mark.parametrize("occupied", [1.0, 0.7])
def test_plan_without_a_level_is_the_cheapest_by_brute_force(late, occupied):
    work = MAIL._replace(late=late, occupied=occupied)
    told = forecast([50, 400, 777, 3000])
    best = [min(range(200), key=lambda N, row=row: cost(N, row, work)) for row in quantile(told, SHARES)]
    found = plan(told, work)
    assert found["agents"].tolist() == best
    np.testing.assert_allclose(
        found["cost"], [cost(N, r, work) for N, r in zip(best, quantile(told, SHARES), strict=True)]
    )


def test_critical_ratio_is_about_the_quantile_planned_for():
    """Newsvendor: with many messages a person matters little, and the plan is the quantile 1 - w / (k l)."""
    told = forecast([50_000.0])
    k = 60 * MAIL.hours / MAIL.minutes
    assert MAIL.critical_ratio == 0.6
    np.testing.assert_allclose(plan(told, MAIL)["agents"] * k, quantile(told, 0.6)[0], rtol=0.005)


def test_message_not_worth_its_answer_is_left():
    assert plan(forecast([400.0]), MAIL._replace(late=1.0))["agents"].tolist() == [0]


def test_dearer_delay_or_longer_answers_never_take_fewer_people():
    told = forecast([100, 300, 500])
    late = [plan(told, MAIL._replace(late=v))["agents"].to_numpy() for v in (3, 5, 10, 30)]
    slow = [plan(told, MAIL, sure=s)["agents"].to_numpy() for s in (0.2, 0.5, 0.8, 0.95)]
    assert (np.diff(late, axis=0) >= 0).all() and (np.diff(slow, axis=0) >= 0).all()


def test_live_plan_keeps_working_hours_and_the_level_at_its_quantile():
    told = forecast(60 + 40 * np.sin(np.arange(168) / 24 * 2 * np.pi), freq="h")
    planned = plan(told, CHAT)
    assert len(planned) == 7 * 9 and set(planned.index.hour) == set(range(9, 18))
    np.testing.assert_allclose(planned["messages"], quantile(told.loc[planned.index], 0.8)[:, 0])
    assert (answered_within(planned["load"], planned["agents"], 20, 3) >= 0.8).all()
    table = by_week(planned)
    assert table.shape == (9, 7) and table.columns[0] == "Mon" and table.index[0] == "09:00"
    assert table.loc["09:00", "Mon"] == planned["agents"].iloc[0]


def test_table_of_days_and_sentence():
    planned = plan(forecast([300] * 6 + [500]), MAIL, sure=0.5)
    assert by_week(planned).loc["all day"].tolist() == [4, 4, 4, 4, 4, 4, 7]
    assert in_words(planned, MAIL).startswith("The plan takes 248 hours of work, with 7 people at most, Sun 2024-01-07")


def weeks(seed: int, n: int = 8) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    median = np.tile([500, 450, 400, 380, 300, 120, 90], n + 8)
    came = (median * np.exp(0.25 * rng.normal(size=len(median)))).round()
    y = pd.Series(came, pd.date_range("2024-01-01", periods=len(came)))
    told = forecast(median[56:], start="2024-02-26")
    return told, y[56:], y[:56]


def test_plan_beats_the_flat_plan_and_not_hindsight():
    told, came, past = weeks(0)
    table = backtest(plan(told, MAIL), came, past, MAIL)
    assert table.index.tolist() == ["plan", "flat", "hindsight"]
    mean = [table.loc[row, "cost"].value for row in table.index]
    assert mean[2] < mean[0] < mean[1]
    gain = table.loc["plan", "less than flat"]
    assert gain.low > 0 and np.isclose(gain.value, mean[1] - mean[0])
    assert table.loc["hindsight", "late"] < table.loc["plan", "late"] < 0.2


def test_hindsight_is_never_dearer_in_any_case():
    for s in range(5):
        told, came, past = weeks(s)
        for sure in (0.3, 0.9, None):
            table = backtest(plan(told, MAIL, sure=sure), came, past, MAIL)
            assert table.loc["hindsight", "cost"].value <= min(x.value for x in table["cost"])


def test_costs_of_a_week_by_hand():
    """7 days with 2 people of 8 hours at 20, 80 messages each: 160 are answered, 40 of 200 are late at 5."""
    planned = pd.DataFrame({"agents": [2] * 14}, pd.date_range("2024-02-26", periods=14))
    came = pd.Series(200.0, planned.index)
    past = pd.Series(200.0, pd.date_range("2024-01-01", periods=14))
    table = backtest(planned, came, past, MAIL)
    assert table.loc["plan", "cost"].value == 7 * (2 * 8 * 20 + 40 * 5)
    assert table.loc["plan", "late"] == 0.2 and table.loc["plan", "hours"] == 7 * 16
    apart = planned.set_axis(planned.index[:7].append(planned.index[7:] + pd.Timedelta(days=21)))
    again = backtest(apart, pd.Series(200.0, apart.index), past, MAIL)  # three weeks between that nobody planned
    assert again.loc["plan", "cost"].value == table.loc["plan", "cost"].value
    assert table.loc["flat", "hours"] == 7 * 24  # a third costs 160 and answers 40, worth 200
    assert table.loc["flat", "cost"] == table.loc["hindsight", "cost"]


def test_live_plans_are_costed_by_late_answers():
    median = 60 + 40 * np.sin(np.arange(24 * 28) / 24 * 2 * np.pi)
    rng = np.random.default_rng(0)
    y = pd.Series(rng.poisson(median), pd.date_range("2024-01-01", periods=len(median), freq="h"))
    told = forecast(median[336:], freq="h", start="2024-01-15")
    table = backtest(plan(told, CHAT), y[336:], y[:336], CHAT)
    assert table.loc["plan", "late"] < 0.2 and table.loc["plan", "hours"] > 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: plan(forecast([9, 9]), MAIL, sure=1.5), "sure=1.5 must lie between 0 and 1"),
        (lambda: plan(forecast([9, np.nan]), MAIL), "a plan needs forecasts with quantile levels as columns"),
        (lambda: plan(-forecast([9, 9]), MAIL), "quantiles of messages must be 0 or more and rise with their level"),
        (lambda: plan(forecast([9, 9]).reset_index(drop=True), MAIL), "a plan needs one row a step, by time"),
        (lambda: plan(forecast([9, 9]), MAIL._replace(minutes=0)), "needed are minutes, wage and late above 0"),
        (lambda: plan(forecast([9, 9]), MAIL._replace(hours=30)), "hours=30 of work do not fit into steps of 24 hours"),
        (lambda: plan(forecast([9, 9]), MAIL._replace(opens=9, closes=9)), "opens=9 and closes=9 must be hours"),
        (lambda: plan(forecast([9, 9], "h"), Work(minutes=3, opens=9, closes=18)), "no step of the forecast lies in"),
        (lambda: backtest(plan(forecast([9] * 5), MAIL), *weeks(0)[1:], MAIL), "no step of the plan has messages"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()


def test_one_week_has_no_interval():
    told, came, past = weeks(0)
    with pytest.raises(UsageError, match="a backtest needs two weeks or more"):
        backtest(plan(told[:7], MAIL), came, past, MAIL)
