"""A log, a policy's table, weights, and rewards predicted by a model that has not seen them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from smlab import logged
from smlab.checks import UsageError
from smlab.logged import Logged, cross_fit, open_bandit, weight_report, weights
from smlab.ope import estimate


def log_of(n: int = 3000, *, places: int = 1, seed: int = 0) -> Logged:
    """Draw a log with two kinds of people, four actions, even chances."""
    rng = np.random.default_rng(seed)
    x, a = rng.integers(0, 2, n), rng.integers(0, 4, n)
    rate = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])[x, a]
    reward = (rng.random(n) < rate).astype(float)
    features = np.column_stack([x, x[:, None] * np.eye(4)[a] * 0 + rng.integers(0, 2, (n, 1))])
    return Logged(a, reward, np.full(n, 0.25), position=rng.integers(0, places, n), context=features)


def test_weights_are_one_on_the_logs_own_policy() -> None:
    assert (weights(log_of(), np.full(4, 0.25)) == 1).all()


def test_a_table_by_place_is_the_table_by_round() -> None:
    log = log_of(places=3)
    by_place = np.random.default_rng(1).dirichlet(np.ones(4), 3)
    by_round = by_place[log.position]
    np.testing.assert_allclose(weights(log, by_place), weights(log, by_round))
    one, other = cross_fit(log, by_place), cross_fit(log, by_round)
    np.testing.assert_allclose(one.expected, other.expected)
    np.testing.assert_allclose(one.fitted, other.fitted)


def test_expected_is_the_policys_mean_of_the_predictions() -> None:
    log = log_of()
    shown = cross_fit(log, np.eye(4)[log.action])  # a policy that does what was done
    np.testing.assert_allclose(shown.expected, shown.fitted)
    assert estimate(shown, "DR") == pytest.approx((shown.fitted + 4 * (log.reward - shown.fitted)).mean())


def test_a_rounds_own_reward_does_not_change_its_prediction() -> None:
    log = log_of(300)
    changed = log.reward.copy()
    changed[17] = 1 - changed[17]
    other = Logged(log.action, changed, log.propensity, position=log.position, context=log.context)
    before, after = (cross_fit(x, np.full(4, 0.25)).fitted for x in (log, other))
    assert before[17] == pytest.approx(after[17], abs=1e-12)
    assert np.abs(before - after).max() > 1e-6


def test_pieces_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    log, policy = log_of(400), np.array([0.1, 0.2, 0.3, 0.4])
    whole = cross_fit(log, policy)
    monkeypatch.setattr(logged, "CELLS", 40)
    np.testing.assert_allclose(cross_fit(log, policy).expected, whole.expected)


def test_rewards_that_are_all_equal_are_their_own_prediction() -> None:
    log = log_of(60)
    none = Logged(log.action, np.zeros(60), log.propensity, context=log.context)
    assert (cross_fit(none, np.full(4, 0.25)).fitted == 0).all()


def test_models_with_and_without_probabilities() -> None:
    log, policy = log_of(), np.array([0.7, 0.1, 0.1, 0.1])
    money = Logged(log.action, log.reward * 3.5, log.propensity, context=log.context)
    line = cross_fit(money, policy, model=LinearRegression())
    curve = cross_fit(log, policy, model=LogisticRegression())
    assert estimate(line, "DM") == pytest.approx(3.5 * estimate(curve, "DM"), rel=0.03)
    with pytest.raises(UsageError, match="need a `model` with predict"):
        cross_fit(money, policy)


def test_weight_report_of_a_known_case() -> None:
    report = weight_report(np.r_[np.full(99, 0.5), 50.5])
    assert report.n == 100 and report.mean == 1 and report.off == 0 and report.largest == 50.5
    assert report.effective == pytest.approx(100**2 / (99 * 0.25 + 50.5**2))
    assert report.top_share == 0.505 and report.unused == 0
    even = weight_report(np.ones(50))
    assert (even.effective, even.off, even.top_share) == (50, 0, 0.02)
    assert weight_report(np.zeros(4)).effective == 0


def test_wrong_propensities_show_in_the_mean_weight() -> None:
    log = log_of(20_000)
    policy = np.array([0.7, 0.1, 0.1, 0.1])
    assert abs(weight_report(weights(log, policy)).off) < 3
    wrong = Logged(log.action, log.reward, np.full(20_000, 0.2))
    assert weight_report(weights(wrong, policy)).off > 10


def test_open_bandit_codes_features_as_obp_does() -> None:
    frame = pd.DataFrame(
        {
            "click": [0, 1, 0], "item": [2, 0, 1], "position": [3, 1, 2], "propensity": [0.1, 0.2, 0.3],
            **{f"user_feature_{k}": ["b", "a", "b"] for k in range(4)},
            "item_feature_0": [0.5, -1.0, 2.0], **{f"item_feature_{k}": ["z", "x", "z"] for k in (1, 2, 3)},
        }
    )  # fmt: skip
    log = open_bandit(frame)
    assert log.position.tolist() == [2, 0, 1] and log.action.tolist() == [2, 0, 1]
    assert log.context.tolist() == [[1] * 4, [0] * 4, [1] * 4]
    assert log.items.tolist() == [[0, 0, 0, -1.0], [1, 1, 1, 2.0], [1, 1, 1, 0.5]]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Logged([0, 1], [1.0], [0.5, 0.5]), "reward has 1 rows, action 2"),
        (lambda: Logged([0, -1], [1, 0], [0.5, 0.5]), "action must be whole numbers from 0"),
        (lambda: Logged([0, 1], [1, 0], [0.5, 0.5], position=[0.5, 1]), "position must be whole numbers"),
        (lambda: Logged([0, 1], [1, 0], [0.5, 0.0]), "propensities must lie above 0"),
        (lambda: Logged([0, 3], [1, 0], [0.5, 0.5], items=np.eye(2)), "actions up to 3, 2 items"),
        (lambda: Logged([0], [1], [0.5]), "1 rounds"),
        (
            lambda: weights(log_of(9), np.full(3, 1 / 3)),
            r"policy has shape \(3,\); must be \(4,\), \(1, 4\) or \(9, 4\)",
        ),
        (lambda: weights(log_of(9), np.full(4, 0.3)), "sum to 1"),
        (lambda: weights(log_of(9), np.full(4, np.nan)), "sum to 1"),
        (lambda: cross_fit(log_of(9), np.full(4, 0.25), folds=1), "from 2 to 9"),
        (lambda: weight_report([1.0, -1.0]), "none below 0"),
    ],
)
def test_errors_are_sentences(make, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make()
