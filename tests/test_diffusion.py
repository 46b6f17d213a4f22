"""Flow matching: exact where the mean of x given x_t is known, and a mixture found from noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from smlab import gantheory
from smlab.diffusion import LEAST, Flow, speed


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are quicker on one core, and tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Exact(nn.Module):
    """E[x | x_t] where x ~ N(m, s²): m + (x_t - t m) · t s² / (t² s² + (1 - t)²)."""

    m, s = 3.0, 0.5

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.m + (x_t - t * self.m) * t * self.s**2 / (t**2 * self.s**2 + (1 - t) ** 2)


def test_speed_of_a_pair_is_data_minus_noise():
    x, e, t = torch.tensor([[2.0]]), torch.tensor([[-1.0]]), torch.tensor([[0.3]])
    torch.testing.assert_close(speed(x, (1 - t) * e + t * x, t), x - e)
    assert speed(x, x - 1, torch.tensor([[1.0]])).item() == pytest.approx(1 / LEAST)


def test_known_speed_leads_from_noise_to_the_normal_law():
    flow = Flow(epochs=1, device="cpu", steps=50).fit(np.random.default_rng(0).normal(size=(64, 1)))
    flow.mean_ = Exact()
    x = flow._make(20_000, torch.Generator().manual_seed(0)).numpy()
    assert x.mean() == pytest.approx(3, abs=0.02) and x.std() == pytest.approx(0.5, abs=0.02)


def test_finds_all_modes_of_a_wide_ring():
    truth = gantheory.ring(4, sigma=0.15)
    flow = Flow(epochs=20, decay=0.98, device="cpu").fit(truth.sample(10_000, seed=1))
    row = gantheory.judge_points({"flow": flow.sample(3000)}, truth).loc["flow"]
    assert row["modes"] == 4 and row["good"].low > 0.6


def test_loss_falls():
    losses = [row["loss"] for row in Flow(epochs=8, device="cpu").fit(gantheory.grid().sample(4000)).history_]
    assert np.mean(losses[-3:]) < losses[0]


def test_number_of_steps_matters():
    flow = Flow(epochs=2, device="cpu").fit(gantheory.ring().sample(600))
    before, flow.steps = flow.sample(50), 2
    assert not np.allclose(flow.sample(50), before)
