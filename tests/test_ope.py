"""Estimators of a policy's value: identities, truth in simulated logs, intervals that cover, λ from the log."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from smlab import ope
from smlab.checks import UsageError
from smlab.ope import ESTIMATORS, Rounds, bernstein_interval, choose, estimate, evaluate, normal_interval, scores

MU = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]])  # the log's policy, 3 contexts
PI = np.array([[0.1, 0.1, 0.2, 0.6], [0.5, 0.3, 0.1, 0.1], [0.3, 0.3, 0.2, 0.2]])  # the policy in question
RATE = np.array([[0.1, 0.2, 0.3, 0.5], [0.6, 0.4, 0.2, 0.1], [0.3, 0.5, 0.4, 0.2]])  # chances of a click
TRUTH = float((PI * RATE).sum(axis=1).mean())
EVEN = np.full((3, 4), 0.3)  # a model that knows nothing


def logs(n_sims: int, n: int, model: np.ndarray, *, propensity: np.ndarray = MU, seed: int = 0) -> Rounds:
    """Draw logs of a known world: contexts at even chances, actions by MU, clicks by RATE."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (n_sims, n))
    a = (rng.random((n_sims, n, 1)) > MU.cumsum(axis=1)[x]).sum(axis=-1)
    r = (rng.random((n_sims, n)) < RATE[x, a]).astype(float)
    return Rounds(r, PI[x, a] / propensity[x, a], model[x, a], (PI * model).sum(axis=1)[x])


def distance(values: np.ndarray, truth: float = TRUTH) -> float:
    """Give the distance of a mean from the truth in standard errors."""
    return float(abs(values.mean() - truth) / (values.std(ddof=1) / np.sqrt(len(values))))


def test_ends_of_the_estimators_are_each_other() -> None:
    log = logs(5, 200, RATE)
    same = [
        (estimate(log, "DRos", np.inf), estimate(log, "DR")),
        (estimate(log, "DRos", 0.0), estimate(log, "DM")),
        (estimate(log, "Switch-DR", np.inf), estimate(log, "DR")),
        (estimate(log, "Switch-DR", 0.0), estimate(log, "DM")),
    ]
    no_model = Rounds(log.reward, log.weight, np.zeros_like(log.reward), np.zeros_like(log.reward))
    same += [
        (estimate(no_model, "DR"), estimate(log, "IPS")),
        (estimate(no_model, "SNDR"), estimate(log, "SNIPS")),
        (estimate(no_model, "DM"), np.zeros(5)),
    ]
    no_weight = Rounds(log.reward, np.zeros_like(log.weight), log.fitted, log.expected)
    same += [(estimate(no_weight, name), estimate(log, "DM")) for name in ("DR", "Switch-DR", "DRos")]
    for one, other in same:
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_without_any_weight_a_ratio_is_not_known() -> None:
    nothing = Rounds(np.ones(3), np.zeros(3), np.ones(3), np.ones(3))
    assert np.isnan(estimate(nothing, "SNIPS")) and np.isnan(estimate(nothing, "SNDR"))
    assert estimate(nothing, "IPS") == 0


def test_on_its_own_log_every_estimator_gives_the_mean() -> None:
    rng = np.random.default_rng(0)
    reward = rng.random(50)
    flat = np.full(50, reward.mean())
    own = Rounds(reward, np.ones(50), flat, flat)
    for name in ESTIMATORS:
        assert estimate(own, name) == pytest.approx(reward.mean(), abs=1e-12)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_scores_average_to_the_estimate(name: str) -> None:
    log = logs(4, 100, RATE)
    np.testing.assert_allclose(scores(log, name, 2.0).mean(axis=-1), estimate(log, name, 2.0), atol=1e-12)


def test_many_logs_at_once_are_the_logs_one_by_one() -> None:
    log = logs(6, 150, EVEN)
    single = [Rounds(*parts) for parts in zip(log.reward, log.weight, log.fitted, log.expected, strict=True)]
    for name in ESTIMATORS:
        at = choose(log, name) if ESTIMATORS[name].tuned else np.inf
        alone = [estimate(one, name, choose(one, name) if ESTIMATORS[name].tuned else np.inf) for one in single]
        if ESTIMATORS[name].tuned:  # the grid comes from the weights, of one log or of all
            at = choose(log, name, grid=(0.5, 2.0, 8.0))
            alone = [estimate(one, name, choose(one, name, grid=(0.5, 2.0, 8.0))) for one in single]
        np.testing.assert_allclose(estimate(log, name, at), alone)


def test_known_propensities_leave_no_bias_over_400_logs() -> None:
    for model in (EVEN, RATE):
        log = logs(400, 300, model)
        assert distance(estimate(log, "IPS")) < 3.5
        assert distance(estimate(log, "DR")) < 3.5
    assert distance(estimate(logs(400, 300, EVEN), "DM")) > 10  # a model that knows nothing: DM is wrong


def test_doubly_robust_needs_one_of_model_and_propensities() -> None:
    wrong = np.full((3, 4), 0.25)
    assert distance(estimate(logs(400, 300, RATE, propensity=wrong), "DR")) < 3.5
    assert distance(estimate(logs(400, 300, EVEN, propensity=wrong), "DR")) > 10
    assert distance(estimate(logs(400, 300, RATE, propensity=wrong), "IPS")) > 10


def test_ratios_lose_their_bias_with_the_number_of_rounds() -> None:
    assert distance(estimate(logs(400, 1000, EVEN), "SNIPS")) < 3.5
    assert distance(estimate(logs(400, 1000, EVEN), "SNDR")) < 3.5


def test_a_good_model_takes_variance_away() -> None:
    log = logs(400, 300, RATE)
    spread = {name: estimate(log, name).std() for name in ESTIMATORS}
    assert spread["DM"] < spread["DR"] < 0.85 * spread["IPS"]
    assert spread["SNIPS"] < spread["IPS"]


@pytest.mark.parametrize("name", ["IPS", "SNIPS", "DR", "SNDR"])
def test_normal_intervals_cover_at_their_rate(name: str) -> None:
    _, low, high = normal_interval(logs(2000, 400, RATE, seed=1), name)
    covered = float(((low <= TRUTH) & (high >= TRUTH)).mean())
    assert 0.93 < covered < 0.965  # nominal .95, error of 2,000 logs .005


@pytest.mark.slow
@pytest.mark.parametrize("name", ["IPS", "SNIPS", "DR", "SNDR"])
def test_bootstrap_intervals_cover_at_their_rate(name: str) -> None:
    log = logs(600, 1000, RATE, seed=2)
    covered = 0
    for parts in zip(log.reward, log.weight, log.fitted, log.expected, strict=True):
        found = evaluate(Rounds(*parts), [name], n=400)[name].interval
        covered += found.low <= TRUTH <= found.high
    assert 0.92 < covered / 600 < 0.975


def test_bernstein_covers_more_often_than_it_promises_and_is_wider() -> None:
    log = logs(200, 400, RATE, seed=3)
    largest = float((PI / MU).max())
    for name in ("IPS", "DR"):
        limits = [
            bernstein_interval(Rounds(*parts), name, largest)
            for parts in zip(log.reward, log.weight, log.fitted, log.expected, strict=True)
        ]
        low, high = np.transpose(limits)
        assert ((low <= TRUTH) & (high >= TRUTH)).mean() >= 0.95
        _, near, far = normal_interval(log, name)
        assert (high - low > far - near).all()


def test_bernstein_is_the_published_formula() -> None:
    log = Rounds([1, 0, 1, 0], [0.5, 1.5, 1.0, 1.0], np.zeros(4), np.zeros(4))
    low, high = bernstein_interval(log, "IPS", 2.0)
    s, log4 = np.array([0.5, 0, 1, 0]), np.log(4 / 0.05)
    half = np.sqrt(2 * s.var(ddof=1) * log4 / 4) + 7 * 2 * log4 / (3 * 3)
    assert (low, high) == pytest.approx((s.mean() - half, s.mean() + half))


def test_gamma_interval_is_the_exact_poisson_one_where_weights_are_equal() -> None:
    """Garwood's limits of 8 events: 3.4538 and 15.7632, as R's poisson.test(8) prints."""
    reward = np.zeros(1000)
    reward[:8] = 1
    log = Rounds(reward, np.ones(1000), np.zeros(1000), np.zeros(1000))
    for name in ("IPS", "SNIPS"):
        low, high = ope.gamma_interval(log, name)
        assert (low * 1000, high * 1000) == pytest.approx((3.4538, 15.7632), abs=1e-4)


def test_rare_clicks_need_the_gamma_interval() -> None:
    """30 clicks in 3,000 rounds worth a fifth of that: the normal interval covers too seldom, gamma's holds."""
    rng = np.random.default_rng(6)
    weight = rng.choice([0.2, 9.0], p=[10 / 11, 1 / 11], size=(600, 3000))
    reward = (rng.random(weight.shape) < 0.01).astype(float)
    none, truth = np.zeros_like(reward), 0.01 * (0.2 * 10 / 11 + 9 / 11)
    log = Rounds(reward, weight, none, none)
    _, low, high = normal_interval(log, "IPS")
    rows = zip(reward, weight, none, none, strict=True)
    near, far = np.transpose([evaluate(Rounds(*r), ["IPS"], interval="gamma")["IPS"].interval[1:] for r in rows])
    assert ((low <= truth) & (high >= truth)).mean() < 0.93
    assert ((near <= truth) & (far >= truth)).mean() > 0.95


def test_blocks_of_neighbours_give_the_same_interval() -> None:
    log = logs(1, 60_000, RATE)
    one = Rounds(log.reward[0], log.weight[0], log.fitted[0], log.expected[0])
    for name in ("IPS", "SNDR"):
        drawn = evaluate(one, [name])[name].interval
        formula = evaluate(one, [name], interval="normal")[name].interval
        assert drawn.value == formula.value
        assert drawn.high - drawn.low == pytest.approx(formula.high - formula.low, rel=0.1)


def test_evaluate_says_how_and_with_which_parameter() -> None:
    log = logs(1, 500, RATE)
    one = Rounds(log.reward[0], log.weight[0], log.fitted[0], log.expected[0])
    found = evaluate(one, rule="mse", grid=(0.5, 5.0))
    assert list(found) == list(ESTIMATORS)
    assert all(x.how == "bootstrap" and x.interval.low < x.interval.value < x.interval.high for x in found.values())
    assert found["DR"].at == np.inf and found["DRos"].at in (0.5, 5.0)
    assert evaluate(one) == evaluate(one)
    sure = evaluate(one, ["IPS"], interval="bernstein", largest=6.0)["IPS"]
    assert sure.how == "bernstein" and sure.interval.low < found["IPS"].interval.low


def test_mse_rule_is_su_et_al() -> None:
    log = logs(1, 400, EVEN)
    one = Rounds(log.reward[0], log.weight[0], log.fitted[0], log.expected[0])
    grid = np.geomspace(0.01, 1000, 12)
    w, rest = one.weight, one.reward - one.fitted
    loss, bound = [], []
    for at in grid:
        kept = at * w / (w**2 + at)
        bias = abs(((w - kept) * rest).mean())
        more = np.sqrt(2 * (w**2).mean() * np.log(40) / 400) + 2 * w.max() * np.log(40) / 1200
        loss.append((one.expected + kept * rest).var() / 400 + bias**2)
        bound.append((one.expected + kept * rest).var() / 400 + (bias + more) ** 2)
    assert choose(one, "DRos", rule="mse", grid=grid) == grid[np.argmin(loss)]
    assert choose(one, "DRos", rule="mse-bound", grid=grid) == grid[np.argmin(bound)]


def test_a_wrong_model_wants_large_and_a_right_one_small_lambda() -> None:
    grid = np.geomspace(0.01, 1000, 12)
    for rule in ("mse", "slope"):
        right, wrong = (choose(logs(40, 4000, m), "DRos", rule=rule, grid=grid).mean() for m in (RATE, EVEN))
        assert wrong > 3 * right


def test_a_chosen_lambda_beats_both_ends_where_weights_are_heavy() -> None:
    """With weights up to 30 and a fair model, shrinking costs little and spares much: mean squared error, 400 logs."""
    rng = np.random.default_rng(4)
    w = np.where(rng.random((400, 300)) < 0.02, 30.0, 0.4)
    rate = np.where(w > 1, 0.30, 0.20)
    reward = (rng.random(w.shape) < rate).astype(float)
    fitted = np.where(w > 1, 0.27, 0.20)
    truth = 0.02 * 30 * 0.30 + 0.98 * 0.4 * 0.20
    log = Rounds(reward, w, fitted, np.full(w.shape, truth - 0.6 * 0.03))
    error = {name: ((estimate(log, name) - truth) ** 2).mean() for name in ("IPS", "DR", "DM")}
    error["DRos"] = ((estimate(log, "DRos", choose(log, "DRos", rule="slope")) - truth) ** 2).mean()
    assert error["DRos"] < error["DR"] < error["IPS"]


def test_a_million_rounds_take_seconds() -> None:
    rng = np.random.default_rng(0)
    n = 1_000_000
    q = rng.random(n) * 0.01
    log = Rounds((rng.random(n) < q).astype(float), rng.gamma(0.3, 1 / 0.3, n), q, q)
    start = perf_counter()
    found = evaluate(log, interval="normal")
    assert perf_counter() - start < 6
    assert all(np.isfinite(x.interval.value) for x in found.values())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda r: estimate(r, "IPW"), "unknown estimator 'IPW'"),
        (lambda r: estimate(r, "DRos", -1.0), "λ and τ must be 0 or more"),
        (lambda r: estimate(r, "DRos", np.nan), "λ and τ must be 0 or more"),
        (lambda r: evaluate(r, ["XY"]), "unknown estimator 'XY'"),
        (lambda r: evaluate(r, interval="gauss"), "unknown interval 'gauss'"),
        (lambda r: evaluate(r, ["IPS"], interval="bernstein"), "needs `largest`"),
        (lambda r: evaluate(r, interval="bernstein", largest=9), "not for DM"),
        (lambda r: bernstein_interval(r, "IPS", 1.0), "below a weight"),
        (lambda r: evaluate(r, interval="gamma"), "IPS and SNIPS"),
        (lambda r: choose(r, "DR"), "has nothing to choose"),
        (lambda r: choose(r, "DRos", rule="best"), "unknown rule 'best'"),
        (lambda r: choose(r, "DRos", grid=()), "grid must hold one number"),
        (lambda r: evaluate(Rounds(*np.ones((4, 2, 3)))), "takes one log"),
        (lambda r: Rounds(np.ones(3), np.ones(2), np.ones(3), np.ones(3)), r"weight has shape \(2,\)"),
        (lambda r: Rounds(np.ones(3), -np.ones(3), np.ones(3), np.ones(3)), "weight must not be below 0"),
        (lambda r: Rounds(np.ones(3), np.ones(3), np.full(3, np.nan), np.ones(3)), "fitted must be finite; 3 are not"),
        (lambda r: Rounds([1.0], [1.0], [1.0], [1.0]), "2 rounds or more"),
        (lambda r: bernstein_interval(Rounds([2, 0], [1, 1], [0, 0], [0, 0]), "IPS", 1.0), "from 0 to 1"),
    ],
)
def test_errors_are_sentences(call, text: str) -> None:
    log = Rounds([1, 0, 1], [2, 0, 1], [0.5] * 3, [0.5] * 3)
    with pytest.raises(UsageError, match=text):
        call(log)


def test_docstring_lists_every_estimator() -> None:
    assert all(f"| {name} |" in (ope.__doc__ or "") for name in ESTIMATORS)
