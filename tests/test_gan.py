"""The GAN finds every mode of a planted mixture and makes digits; its judge tells, and throwing out helps."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from smlab import gan as module
from smlab import gantheory
from smlab.checks import UsageError
from smlab.gan import GAN, reject


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small tensors are quicker on one core, and tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def on_ring() -> GAN:
    return GAN(epochs=12, device="cpu").fit(gantheory.ring().sample(10_000, seed=1))


def judged(gan: GAN, truth: gantheory.Mixture):
    return gantheory.judge_points({"gan": gan.sample(5000, seed=1)}, truth).loc["gan"]


def test_covers_the_ring_and_throwing_out_leaves_better_points(on_ring):
    truth = gantheory.ring()
    kept = reject(on_ring, 3000)
    table = gantheory.judge_points({"gan": on_ring.sample(3000), "kept": kept.X}, truth)
    assert (table["modes"] == 8).all()
    assert table.loc["kept", "good"].low > table.loc["gan", "good"].high
    assert 0.2 < kept.share < 0.6


def test_judge_tells_real_points_from_far_ones(on_ring):
    assert on_ring.judge(gantheory.ring().sample(500, seed=9)).mean() > on_ring.judge(np.full((5, 2), 3.0)).max()


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "good"), [(gantheory.ring(), 0.7), (gantheory.grid(), 0.45)])
def test_covers_all_modes_in_nine_of_ten_seeds(truth, good):
    tables = [judged(GAN(seed=seed, device="cpu").fit(truth.sample(10_000, seed=seed)), truth) for seed in range(10)]
    assert sum(t["modes"] == len(truth.means) for t in tables) >= 9
    assert np.mean([t["good"].value for t in tables]) > good


@pytest.mark.slow
def test_makes_digits_of_all_classes_that_a_classifier_knows():
    X, y = load_digits(return_X_y=True)
    classifier = LogisticRegression(max_iter=3000).fit(X[:1200] / 16, y[:1200])
    gan = GAN(epochs=100, device="cpu").fit((X[:1200] / 16).reshape(-1, 8, 8, 1))
    p = classifier.predict_proba(gan.sample(1000).reshape(1000, -1))
    real = classifier.predict_proba(X[1200:] / 16).max(axis=1).mean()
    assert p.max(axis=1).mean() > 0.8 * real
    assert np.bincount(p.argmax(axis=1), minlength=10).min() >= 30
    assert classifier.predict_proba(np.random.default_rng(0).random((500, 64))).max(axis=1).mean() < 0.8 * real


def test_odds_are_those_of_exact_rejection():
    """σ(F) = exp(a - M): Azadi et al. (2019), with c = 0."""
    a = np.array([-9.0, -3.0, -0.5, 0.0])
    chance = 1 / (1 + np.exp(-module._odds(a, 0.0)))
    np.testing.assert_allclose(chance, np.exp(a), rtol=1e-6)


def test_exact_rejection_with_the_true_ratio_gives_the_truth():
    """Samples of N(0, 2²) and the true log-odds against N(0, 1): what is left is N(0, 1)."""

    class Known:
        def sample(self, n, *, seed):
            return 2 * np.random.default_rng(seed).normal(size=(n, 1))

        def judge(self, X):
            return (np.log(2) - X**2 * (1 / 2 - 1 / 8)).ravel()

    kept = reject(Known(), 4000, percentile=None)  # type: ignore[arg-type]
    assert kept.X.std() == pytest.approx(1, abs=0.04)
    assert kept.share == pytest.approx(0.5, abs=0.03)  # 1 / max(p/q)


def test_each_parameter_matters():
    X = gantheory.ring().sample(600)
    base = GAN(epochs=2, device="cpu").fit(X).sample(20)
    for more in ({"reg": 5.0}, {"smooth": "spectral"}, {"n_noise": 5}, {"width": 16}, {"decay": 0.0}):
        assert not np.allclose(GAN(**{"epochs": 2, "device": "cpu"} | more).fit(X).sample(20), base), more


def test_history_holds_what_the_game_shows(on_ring):
    last = on_ring.history_[-1]
    assert set(last) == {"epoch", "value", "real", "made", "penalty", "seconds"}
    assert -1.5 < last["value"] < -1 and last["real"] > last["made"]


def test_percentile_out_of_range_is_refused(on_ring):
    with pytest.raises(UsageError, match=re.escape("percentile=120 must be from 0 to 100")):
        reject(on_ring, 10, percentile=120)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_covers_the_ring_on_the_gpu():
    truth = gantheory.ring()
    assert judged(GAN(epochs=12, device="cuda").fit(truth.sample(10_000, seed=1)), truth)["modes"] == 8
