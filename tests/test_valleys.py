"""The test is exact for every single lump, and finds valleys where they are planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from smlab.valleys import neighbours, p_of_splits, project, spread, valley, within

LUMPS = {
    "uniform": lambda rng, n: rng.uniform(-1.7, 1.7, n),
    "normal": lambda rng, n: rng.normal(0, 1, n),
    "exponential": lambda rng, n: rng.exponential(1, n) - 1,
    "log-normal": lambda rng, n: np.exp(rng.normal(size=n)) - 1.5,
}


@pytest.mark.parametrize("name", LUMPS)
@pytest.mark.parametrize("n", [20, 200])
def test_one_peak_is_rejected_no_more_often_than_the_level_says(name, n):
    rng = np.random.default_rng(0)
    p = np.array([valley(*(np.sort(LUMPS[name](rng, n)) for _ in range(2)))[0] for _ in range(300)])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 2.6 * np.sqrt(level * (1 - level) / len(p))


def test_valley_is_found_and_its_depth_is_that_of_the_density():
    rng = np.random.default_rng(1)
    first, second = (np.sort(rng.choice([-1, 1], 4000) + rng.normal(0, 0.5, 4000)) for _ in range(2))
    p, depth = valley(first, second)  # normal densities at ±1: f(0) / f(1) = 2 e^-2 / (1 + e^-8) = 0.27
    assert p < 1e-20 and 0.5 < depth < 0.73


def test_p_is_the_larger_of_two_binomial_tails():
    sides = np.repeat(np.arange(0.3, 1.8, 0.05), 2)  # only the window of width 0.5 at 0 is empty
    first = np.sort(np.r_[-sides, sides, np.full(30, -1.0), np.full(30, 1.0)])
    second = np.sort(np.r_[np.full(7, -1.0), np.full(2, 0.0), np.full(9, 1.0)])
    assert valley(first, second) == (pytest.approx(binom.cdf(2, 9, 0.5)), pytest.approx(1 - 2 / 7))


def test_three_windows_of_a_density_with_one_peak_never_show_a_valley():
    """P(middle) ≥ min(P(left), P(right)), for densities with one peak of any form, at any places."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        peak, n = rng.integers(1, 99), 100
        density = np.r_[np.sort(rng.exponential(size=peak)), np.sort(rng.exponential(size=n - peak))[::-1]]
        mass, width = np.append(0, np.cumsum(density)), int(rng.integers(1, 30))
        left, middle, right = sorted(rng.choice(n - width + 1, 3, replace=False))
        here = [mass[s + width] - mass[s] for s in (left, middle, right)]
        if middle - left >= width and right - middle >= width:
            assert here[1] >= min(here[0], here[2]) - 1e-9


def test_points_between_the_walls_fill_a_convex_region():
    rng = np.random.default_rng(3)
    c, x = rng.normal(size=(6, 3)), rng.normal(size=(4000, 3))
    line = c[1] - c[0]

    def in_region(points):
        others = c[2:]
        q = c[0] + np.clip((others - c[0]) @ line / (line @ line), 0, 1)[:, None] * line
        return (((points[:, None] - q) ** 2).sum(-1) <= ((points[:, None] - others) ** 2).sum(-1)).all(axis=1)

    region = x[in_region(x)]
    assert len(project(x, c, 0, 1)) == len(region) > 100
    weights = rng.random((2000, 1))
    pairs = rng.integers(0, len(region), (2, 2000))
    assert in_region(weights * region[pairs[0]] + (1 - weights) * region[pairs[1]]).all()


def test_projection_puts_the_centres_at_minus_one_and_one():
    c = np.array([[0.0, 0], [4, 0], [100, 100]])
    np.testing.assert_allclose(project(c[:2], c, 0, 1), [-1, 1])


def test_halves_of_a_long_cluster_are_neighbours_though_others_are_nearer():
    rng = np.random.default_rng(4)
    bars = np.r_[rng.uniform([0, 0], [20, 1], (300, 2)), rng.uniform([0, 6], [20, 7], (300, 2))]
    assert (0, 1) in neighbours(bars, np.array([[5, 0.5], [15, 0.5], [5, 6.5], [15, 6.5]]))
    p = [p_of_splits(bars, k)[0] for k in (2, 4)]
    assert p[1] > 0.05


def test_windows_count_from_the_left_end_up_to_the_right():
    assert within(np.array([0.0, 1, 2, 3]), np.array([1.0, 2.5]), 2.0).tolist() == [2, 2]


def test_repeated_values_are_spread_without_changing_their_order():
    rng = np.random.default_rng(5)
    x = np.column_stack([rng.geometric(0.4, 500), rng.normal(size=500), np.full(500, 3.0)])
    out = spread(x, rng)
    assert len(np.unique(out[:, 0])) == 500
    np.testing.assert_array_equal(out[:, 1:], x[:, 1:])
    inner = (x[:, 0] > 1) & (x[:, 0] < x[:, 0].max() - 3)
    np.testing.assert_array_equal(np.round(out[inner, 0]), x[inner, 0])
