"""Drift: PSI by hand and in calm, columns that moved are named, performance by month, retraining or not."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression as Quick

from smlab import calibration
from smlab.auc import auc_interval
from smlab.checks import UsageError
from smlab.ctr import LogisticRegression
from smlab.drift import columns, log_losses, over_time, psi, retraining, told_apart


def test_psi_is_its_formula():
    old, new = ["a"] * 50 + ["b"] * 50, ["a"] * 20 + ["b"] * 80
    e, a = np.array([50.5, 50.5]) / 101, np.array([20.5, 80.5]) / 101
    assert psi(old, new, n=50).value == pytest.approx(((a - e) * np.log(a / e)).sum())
    assert psi(old, new).p < 0.01 and psi(old, old).value == 0
    x = np.random.default_rng(0).normal(size=500)
    assert psi(x, x + 1).value == pytest.approx(psi(np.exp(x), np.exp(x + 1)).value), "only the order counts"


def test_calm_columns_stay_below_their_quantile_where_the_folk_cut_cries():
    """Without drift, 100 rows on each side: the mean is near 9 (1/100 + 1/100) = .18, above the cut of .1."""
    rng, over, folk, values = np.random.default_rng(1), 0, 0, []
    for seed in range(300):
        found = psi(rng.normal(size=100), rng.normal(size=100), n=200, seed=seed)
        over += found.value > found.calm
        folk += found.value > 0.1
        values.append(found.value)
    assert over / 300 <= 0.075 and folk / 300 > 0.7 and np.mean(values) == pytest.approx(0.18, rel=0.15)


def test_the_quantile_of_calm_is_chi_squared_for_many_rows():
    rng = np.random.default_rng(2)
    found = psi(rng.normal(size=5000), rng.normal(size=3000), n=4000)
    assert found.calm == pytest.approx((1 / 5000 + 1 / 3000) * stats.chi2.ppf(0.95, 9), rel=0.06)


def frames(n: int, seed: int, moved: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    old, new = (pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde")) for _ in range(2))
    return old, new.assign(c=new["c"] + moved)


def test_columns_name_the_one_that_moved_and_few_that_did_not():
    old, new = frames(400, 3, moved=0.5)
    old["kind"], new["kind"] = np.repeat(["photo", "video"], 200), np.repeat(["photo", "video"], [350, 50])
    table = columns(old, new)
    assert set(table["column"][:2]) == {"c", "kind"} and (table["adjusted"][:2] < 0.01).all()
    assert (table["adjusted"][2:] > 0.05).all()
    row = table.set_index("column").loc["c"]
    test = stats.ks_2samp(old["c"], new["c"])
    assert (row["ks"], row["p"]) == pytest.approx((test.statistic, test.pvalue))
    assert columns(old, new, correction="bh")["adjusted"].le(table["adjusted"]).all()


def test_without_drift_one_table_in_twenty_at_most_has_an_alarm():
    alarms = sum((columns(*frames(150, seed))["adjusted"] < 0.05).any() for seed in range(40))
    assert alarms <= 4


def test_values_that_go_missing_are_drift_too():
    old, new = frames(300, 4)
    new.loc[:99, "a"] = np.nan
    row = columns(old, new).set_index("column").loc["a"]
    assert row["absent"] == pytest.approx(1 / 3) and row["psi"] > 10 * row["calm"] and row["adjusted"] < 0.02


def test_a_classifier_tells_new_from_old_only_where_something_moved():
    old, new = frames(600, 5, moved=0.8)
    found = told_apart(old, new)
    assert found.auc.low > 0.6 and found.columns["column"][0] == "c" and found.columns["lost"][0] > 0.1
    same = told_apart(*frames(600, 6))
    assert same.auc.low < 0.5 < same.auc.high
    turned = pd.DataFrame({"a": old["a"], "b": old["a"] * 0.95 + 0.3 * old["b"]})
    apart = turned.assign(b=np.random.default_rng(0).permutation(turned["b"]))
    assert (columns(turned, apart)["adjusted"] > 0.05).all() and told_apart(turned, apart).auc.low > 0.6, "jointly"


@pytest.mark.slow
def test_the_interval_of_the_classifier_holds_one_half_in_calm():
    outside = 0
    for seed in range(100):
        auc = told_apart(*frames(150, seed), model=Quick(), seed=seed).auc
        outside += not auc.low <= 0.5 <= auc.high
    assert outside <= 10


def posts(n: int, seed: int, turn: str | None = None) -> tuple[pd.DataFrame, NDArray, pd.DatetimeIndex]:
    """Posts of half a year; from `turn` on, what worked works no more and the other way round."""
    rng = np.random.default_rng(seed)
    time = pd.DatetimeIndex(np.sort(pd.Timestamp("2024-01-01").value + rng.integers(0, 181 * 86_400_000_000_000, n)))
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["length", "hour"])
    sign = np.where(time >= (turn or "2100"), -1.0, 1.0)
    return X, (rng.random(n) < expit(1.2 * sign * X["length"])).astype(int).to_numpy(), time


def test_each_month_has_its_figures_and_the_bad_ones_show():
    X, y, time = posts(3000, 7, turn="2024-05-01")
    p = expit(1.2 * X["length"].to_numpy())
    table = over_time(y, p, time).set_index(["measure", "start"])
    auc = table.loc["AUC"]
    assert len(auc) == 6 and (auc["low"][:4] > 0.7).all() and (auc["high"][4:] < 0.35).all()
    april = (time >= "2024-04-01") & (time < "2024-05-01")
    row = table.loc[("AUC", pd.Timestamp("2024-04-01"))]
    assert tuple(row[["value", "low", "high"]]) == auc_interval(y[april], p[april])
    loss = table.loc[("log-loss", pd.Timestamp("2024-04-01"))]
    assert loss["value"] == pytest.approx(calibration.log_loss(y[april], p[april])) and loss["n"] == april.sum()
    thin = over_time(y[:40], p[:40], pd.date_range("2024-01-01", periods=40))
    assert thin.query("start == '2024-02-01'")["value"].isna().all()
    assert over_time(y, p, time, every="Q")["start"].nunique() == 2


def test_row_losses_have_log_loss_as_their_mean():
    y, p = np.array([0, 1, 1]), np.array([0.2, 0.9, 0.0])
    assert log_losses(y, p).mean() == pytest.approx(calibration.log_loss(y, p))


def fit(X: pd.DataFrame, y: NDArray) -> LogisticRegression:
    return LogisticRegression(reg=1e-3).fit(X, y)


def test_retraining_pays_where_the_world_turned_and_not_where_it_did_not():
    turned = retraining(fit, *posts(3000, 8, turn="2024-03-01"), start="2024-03-01")
    assert turned.advice == "retrain" and turned.gain.low > 0.05
    assert turned.table["start"].dt.month.tolist() == [3, 4, 5, 6] and turned.table["n"].sum() > 1500
    first, last = turned.table.iloc[0], turned.table.iloc[-1]
    assert first["frozen"] == first["retrained"] and last["retrained"] < last["frozen"]
    calm = retraining(fit, *posts(3000, 9), start="2024-03-01", worth=0.01)
    assert calm.advice == "keep" and abs(calm.gain.value) < 0.01
    X, y, time = posts(3000, 9)
    small = retraining(fit, X, y, time, start="2024-03-01", worth=calm.gain.value)
    assert small.advice == "unclear"


def test_nothing_is_learnt_from_posts_whose_outcome_is_not_known_yet():
    X, y, time = posts(1500, 10)
    seen: list[pd.Timestamp] = []

    def spy(X: pd.DataFrame, y: NDArray) -> LogisticRegression:
        seen.append(time[X.index.max()])
        return fit(X, y)

    retraining(spy, X, y, time, start="2024-03-01", delay="5D")
    starts = pd.to_datetime(["2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"])
    assert len(seen) == 4
    assert all(at < start - pd.Timedelta("5D") for at, start in zip(seen, starts, strict=True))


def test_few_numbers_are_bins_of_their_own_also_where_nearly_all_are_one():
    assert psi([1] * 95 + [0] * 5, [1] * 60 + [0] * 40).p < 0.01
    assert psi([True] * 95 + [False] * 5, [True] * 95 + [False] * 5).value == 0


ERRORS = {
    "there is no column to compare": lambda: columns(pd.DataFrame(), pd.DataFrame()),
    "unknown correction 'homl'; did you mean 'holm'?": lambda: columns(*frames(9, 0), correction="homl"),
    "the new rows have no column 'a'": lambda: columns(frames(9, 0)[0], pd.DataFrame({"b": [1.0]})),
    "0 old and 2 new values in 10 bins": lambda: psi([], [1, 2]),
    "9 old and 9 new rows: to tell them apart takes 60 of each": lambda: told_apart(*frames(9, 0)),
    "2 rows and 1 times": lambda: over_time([0, 1], [0.1, 0.2], ["2024-01-01"]),
    "0 posts before 2023-01-01 00:00:00 and 50 after": lambda: retraining(fit, *posts(50, 0), start="2023-01-01"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
