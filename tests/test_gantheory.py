"""The optimal discriminator and what the game is worth, held to definitions; mixtures and their judge."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from smlab import gantheory
from smlab.checks import UsageError
from smlab.gantheory import Mixture, generator_gradient, grid, jsd, judge_points, optimal_discriminator, ring, value

CELLS, CELL = gantheory.lattice(-4, 4, 161)
P = ring(4, sigma=0.3).density(CELLS)


def lump(x: float = 0.5, sigma: float = 0.6) -> np.ndarray:
    return Mixture(np.array([[x, 0.2]]), sigma).density(CELLS)


def test_densities_of_mixtures_integrate_to_one():
    assert P.sum() * CELL == pytest.approx(1, abs=1e-6)
    assert (lump().sum() * CELL) == pytest.approx(1, abs=1e-6)


def test_value_at_the_optimal_discriminator_is_minus_log_4_plus_twice_jsd():
    table = gantheory.check_value(P, lump(), CELL)["nats"]
    assert table.iloc[0] == pytest.approx(table.iloc[1], abs=1e-6)
    assert table.iloc[2] < table.iloc[0] and table.iloc[3] == pytest.approx(-np.log(4), abs=1e-5)


def test_optimal_discriminator_is_where_the_value_cannot_be_raised():
    """Goodfellow et al. (2014), proposition 1: the derivative p/D - q/(1 - D) is 0 at each point."""
    q = lump()
    D = optimal_discriminator(P, q)
    sure = (P > 1e-6) & (q > 1e-6)
    np.testing.assert_allclose((P / D - q / (1 - D))[sure], 0, atol=1e-6)
    np.testing.assert_allclose(np.log(D / (1 - D))[sure], np.log(P / q)[sure], rtol=1e-6)


def test_jsd_is_symmetric_bounded_and_zero_only_for_the_same():
    q = lump()
    assert jsd(P, q, CELL) == pytest.approx(jsd(q, P, CELL)) and 0 < jsd(P, q, CELL) < np.log(2)
    assert jsd(P, P, CELL) == 0


def test_rest_of_the_game_is_minus_log_4():
    """Theorem 1 of the same paper: the least V(D*, q) over q is -log 4, at q = p."""
    values = [value(optimal_discriminator(lump(), lump(0.5 + d)), lump(), lump(0.5 + d), CELL) for d in (-0.4, 0, 0.3)]
    assert np.argmin(values) == 1 and values[1] == pytest.approx(-np.log(4), abs=1e-5)


@pytest.mark.parametrize("loss", ["saturating", "non-saturating"])
def test_generator_gradient_is_that_of_autograd(loss):
    a = torch.linspace(-8, 8, 33, dtype=torch.float64, requires_grad=True)
    total = functional.logsigmoid(-a).sum() if loss == "saturating" else -functional.logsigmoid(a).sum()
    (expected,) = torch.autograd.grad(total, a)
    np.testing.assert_allclose(generator_gradient(a.detach().numpy(), loss), expected.numpy(), rtol=1e-9)


def test_gradients_at_the_optimum_are_those_of_the_divergences():
    """Arjovsky & Bottou (2017), theorem 2.5: moving q by θ, with D* of the unmoved q held fixed."""

    def kl(p, q):
        return float(np.sum(p * np.log(p / q)) * CELL)

    p, h = lump(0.0), 1e-3
    q, up, down = lump(), lump(0.5 + h), lump(0.5 - h)
    D, move = optimal_discriminator(p, q), (up - down) / (2 * h)
    by = {
        "saturating": (np.log(1 - D), 2 * (jsd(p, up, CELL) - jsd(p, down, CELL)) / (2 * h)),
        "non-saturating": (
            -np.log(D),
            (kl(up, p) - 2 * jsd(p, up, CELL) - kl(down, p) + 2 * jsd(p, down, CELL)) / (2 * h),
        ),
    }
    for loss, expected in by.values():
        assert float(np.sum(loss * move) * CELL) == pytest.approx(expected, rel=1e-3)


def test_judge_of_points_sees_a_lost_mode_a_bridge_and_the_truth():
    truth = ring()
    X = truth.sample(4000, seed=1)
    mode, _ = truth.nearest(X)
    bridged = np.where(np.arange(len(X))[:, None] % 4 == 0, X * 0.5, X)
    table = judge_points({"one lost": X[mode != 3], "bridged": bridged}, truth)
    assert table["modes"].tolist() == [7, 8, 8]
    assert table.loc["one lost", "rarest mode"] == 0
    assert table.loc["bridged", "good"].value == pytest.approx(0.75 * 0.989, abs=0.01)
    assert table.loc["one lost", "JSD"] == pytest.approx(jsd(np.ones(8) / 8, np.arange(8).clip(0, 1) / 7), abs=0.005)
    assert table.loc["the truth itself", "JSD"] < 0.005 < table.loc["bridged", "JSD"]


def test_share_of_good_points_of_the_truth_is_that_of_three_sigma():
    _, far = grid().nearest(grid().sample(40_000))
    assert np.mean(far <= 3) == pytest.approx(1 - np.exp(-4.5), abs=0.003)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ring(0), "a ring needs k=0 of 1 or more"),
        (lambda: grid(sigma=0), "a grid needs"),
        (lambda: jsd([1.0], [0.5, 0.5]), "p has shape (1,), q (2,)"),
        (lambda: jsd([np.nan], [1]), "densities must be finite and 0 or more"),
        (lambda: judge_points({}, ring()), "needs the points of one maker or more"),
        (lambda: judge_points({"a": np.zeros((3, 3))}, ring()), "points have shape (3, 3)"),
        (lambda: judge_points({"a": [[np.nan, 0]]}, ring()), "1 of 1 points are no finite numbers"),
        (lambda: generator_gradient(0, "hinge"), "unknown loss 'hinge'"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()
