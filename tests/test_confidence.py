"""Log-loss and reliability of several classes are scikit-learn's and calibration's; mending finds planted faults."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics as theirs

from smlab import calibration, confidence
from smlab.checks import UsageError
from smlab.metrics import bootstrap, paired_difference

NAMES = ["negative", "neutral", "positive"]


def forecast(
    n: int, seed: int, a: float = 1.0, b: tuple[float, ...] = (0.0, 0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels drawn from true probabilities, and these after exp(a log P + b): a above 1 is too sure."""
    rng = np.random.default_rng(seed)
    P = rng.dirichlet([1.0, 1.5, 0.7], n)
    y = (rng.random(n)[:, None] > P.cumsum(axis=1)).sum(axis=1)
    return np.array(NAMES)[y], softmax(a * np.log(P) + np.array(b), axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_log_loss_is_that_of_scikit_learn(seed):
    y, P = forecast(300, seed)
    assert confidence.log_loss(y, P, NAMES) == pytest.approx(theirs.log_loss(y, P, labels=NAMES))
    P[:5] = np.eye(3)[0]  # certain, and wrong for some
    assert confidence.log_loss(y, P, NAMES) == pytest.approx(theirs.log_loss(y, P, labels=NAMES), rel=1e-6)
    single = P.astype(np.float32)
    assert confidence.log_loss(y, single, NAMES) == pytest.approx(theirs.log_loss(y, single, labels=NAMES), rel=1e-4)


def test_losses_make_intervals_and_differences_and_knowing_nothing_costs_log_k():
    y, P = forecast(2000, 0)
    own, flat = confidence.losses(y, P, NAMES), confidence.losses(y, np.full((2000, 3), 1 / 3), NAMES)
    assert flat.mean() == pytest.approx(np.log(3))
    assert bootstrap(own).value == pytest.approx(confidence.log_loss(y, P, NAMES))
    assert paired_difference(flat, own).low > 0.1


def test_of_two_classes_one_class_is_the_binary_case():
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y, P = (rng.random(500) < p).astype(int), np.column_stack([1 - p, p])
    assert confidence.log_loss(y, P, [0, 1]) == pytest.approx(calibration.log_loss(y, p))
    ours, binary = confidence.reliability(y, P, [0, 1], of=1), calibration.calibration_curve(y, p)
    for a, b in zip(ours, binary, strict=True):
        np.testing.assert_allclose(a, b)
    error = confidence.expected_calibration_error(y, P, [0, 1], of=1)
    assert error == pytest.approx(calibration.expected_calibration_error(y, p, 15, "uniform"))


def test_true_probabilities_lie_on_the_diagonal_and_sharpened_ones_below():
    y, P = forecast(20_000, 1)
    good, sharp = (confidence.reliability(y, softmax(a * np.log(P), axis=1), NAMES) for a in (1, 2))
    assert ((good.low <= good.predicted) & (good.predicted <= good.high)).mean() >= 0.8
    assert (sharp.observed[1:] < sharp.predicted[1:]).all()
    assert good.rows.sum() == 20_000 and len(good.rows) == 10
    errors = [confidence.expected_calibration_error(y, softmax(a * np.log(P), axis=1), NAMES) for a in (1, 2)]
    assert errors[0] < 0.015 < 0.08 < errors[1]


@pytest.mark.parametrize(("a", "b"), [(2.0, (0.0, 0.0, 0.0)), (0.5, (0.7, -0.4, 0.0)), (1.0, (0.0, 1.0, 0.0))])
def test_planted_distortion_is_mended(a, b):
    y, P = forecast(8000, 2, a, b)
    found = confidence.mend(y[:4000], P[:4000], NAMES)
    assert found.a == pytest.approx(1 / a, rel=0.1) and found.b[-1] == 0
    assert found.b == pytest.approx(-np.array(b) / a, abs=0.15)
    before, after = (confidence.losses(y[4000:], Q, NAMES) for Q in (P[4000:], found(P[4000:])))
    assert paired_difference(before, after).low > 0
    assert confidence.expected_calibration_error(y[4000:], found(P[4000:]), NAMES) < 0.035


def test_mended_probabilities_add_up_keep_the_learnt_shares_and_stay_finite():
    y, P = forecast(3000, 3, 1.7)
    Q = confidence.mend(y, P, NAMES)(P)
    assert Q.sum(axis=1) == pytest.approx(1)
    assert Q.mean(axis=0) == pytest.approx([np.mean(y == name) for name in NAMES], abs=1e-3)  # the score equations of b
    right = np.eye(3)[[0, 1, 2] * 20]
    sure = confidence.mend(np.array(NAMES * 20), right, NAMES)
    assert np.isfinite(sure.a) and sure(right).argmax(axis=1).tolist() == [0, 1, 2] * 20


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: confidence.log_loss(["a"], [[0.5, 0.5]], ["b", "c"]), "row 0: 'a' is not one of ['b', 'c']"),
        (lambda: confidence.log_loss([0, 1], [[0.5, 0.5]], [0, 1]), "2 labels and 1 rows of probabilities"),
        (lambda: confidence.log_loss([0], [[0.5, 0.7]], [0, 1]), "row 0: [0.5 0.7] are not probabilities that add up"),
        (lambda: confidence.log_loss([0], [[np.nan, 1]], [0, 1]), "row 0: [nan  1.] are not probabilities"),
        (lambda: confidence.log_loss([0], [0.5], [0, 1]), "probabilities have shape (1,); needed is a row per post"),
        (lambda: confidence.reliability([0], [[1, 0]], [0, 1], of=2), "2 is not one of [0, 1]"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
