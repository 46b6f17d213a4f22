"""What every maker promises: the same numbers for a seed, files without code, bad input in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from smlab.checks import UsageError
from smlab.diffusion import Flow
from smlab.gan import GAN
from smlab.makers import Maker, Mean

MAKERS = {"GAN": GAN, "spectral GAN": lambda **more: GAN(smooth="spectral", **more), "Flow": Flow}
every_maker = pytest.mark.parametrize("name", MAKERS)


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are quicker on one core, and tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name: str, **more) -> Maker:
    return MAKERS[name](**{"epochs": 2, "width": 16, "device": "cpu"} | more)


def rows(pictures: bool = False, n: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.random((n, 6, 5, 3)) if pictures else rng.normal(size=(n, 3)) * [1, 5, 2] + [0, 20, -3]


@every_maker
@pytest.mark.parametrize("pictures", [False, True])
def test_same_seed_makes_the_same_and_another_seed_does_not(name, pictures):
    X = rows(pictures)
    before = X.copy()
    a, b, c = (make(name, seed=seed).fit(X).sample(50, seed=3) for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c) and np.array_equal(X, before)
    assert a.shape == (50, *X.shape[1:]) and a.dtype == np.float32
    assert not pictures or (a.min() >= 0 and a.max() <= 1)


@every_maker
def test_callers_random_numbers_are_left_alone(name):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    make(name).fit(rows()).sample(5)
    assert torch.equal(torch.rand(1), expected)


@every_maker
@pytest.mark.parametrize("pictures", [False, True])
def test_load_gives_back_what_was_saved(name, pictures, tmp_path: Path):
    maker = make(name).fit(rows(pictures))
    again = type(maker).load(maker.save(tmp_path / "m.pt"), device="cpu")
    assert np.array_equal(again.sample(20, seed=4), maker.sample(20, seed=4))
    assert again.history_ == maker.history_
    if isinstance(maker, GAN):
        np.testing.assert_array_equal(again.judge(rows(pictures)), maker.judge(rows(pictures)))


@every_maker
def test_history_has_a_row_for_each_epoch_and_the_log_a_line(name):
    lines: list[str] = []
    maker = make(name, epochs=3).fit(rows(), log=lines.append)
    assert [row["epoch"] for row in maker.history_] == [1, 2, 3] and len(lines) == 3
    assert lines[-1].startswith("epoch 3 of 3: ")


@pytest.mark.parametrize("name", ["GAN", "Flow"])
def test_learns_where_points_lie_and_how_far_apart(name):
    X = rows(n=2000)
    S = make(name, epochs=60, width=32, batch_size=128).fit(X).sample(2000)
    np.testing.assert_allclose(S.mean(axis=0), X.mean(axis=0), atol=0.6)
    np.testing.assert_allclose(S.std(axis=0), X.std(axis=0), rtol=0.45)


def test_mean_of_weights_starts_as_they_are_and_lags_behind():
    module, copy = nn.Linear(1, 1), nn.Linear(1, 1)
    mean = Mean(module, copy, decay=0.9)
    assert torch.equal(copy.weight, module.weight)
    with torch.no_grad():
        module.weight += 1
    mean.update(1000)
    torch.testing.assert_close(copy.weight, module.weight - 0.9)


def broken(value: float) -> np.ndarray:
    X = rows()
    X[7, 1] = value
    return X


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (broken(np.nan), "1 of 300 rows of X hold values that are no finite numbers"),
        (broken(np.inf), "1 of 300 rows of X hold values that are no finite numbers"),
        (np.zeros(50), "X has shape (50,); needed are points (n, d) or pictures (n, h, w, c)"),
        (np.zeros((50, 8, 8)), "X has shape (50, 8, 8)"),
        (rows()[:31], "X has 31 rows; needed are 32 or more"),
        (np.ones((50, 2)), "all 50 rows of X are the same"),
        (np.full((50, 8, 8, 1), 0.3), "all 50 rows of X are the same"),
        (255 * rows(True), "pictures have values from"),
        (np.zeros((50, 8, 8, 2)), "pictures have shape (8, 8, 2)"),
        (np.zeros((32, 65, 65, 1)), "pictures have shape (65, 65, 1)"),
        ([["a", "b"]] * 40, "X must be one array of numbers"),
        ([np.zeros((8, 8, 1)), np.zeros((9, 9, 1))], "X must be one array of numbers"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(X, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        make("Flow").fit(X)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: GAN(epochs=0), "epochs=0 must be a whole number above 0"),
        (lambda: Flow(batch_size=0), "batch_size=0 must be a whole number above 0"),
        (lambda: GAN(learning_rate=-1), "learning_rate=-1 must be finite and above 0"),
        (lambda: GAN(decay=1), "decay=1 must be from 0 to below 1"),
        (lambda: GAN(smooth="wgan"), "unknown smooth 'wgan'"),
        (lambda: GAN(reg=-1), "reg=-1 must be finite and 0 or more"),
        (lambda: GAN(n_noise=0), "n_noise=0 must be a whole number above 0"),
        (lambda: Flow(steps=0), "steps=0 must be a whole number above 0"),
        (lambda: GAN().sample(3), "GAN has not been fitted"),
        (lambda: make("Flow").fit(rows()).sample(0), "n=0 must be a whole number above 0"),
        (lambda: make("GAN").fit(rows()).judge(np.zeros((3, 2))), "X has rows of shape (2,)"),
        (lambda: GAN(learning_rate=1e30, epochs=5).fit(rows()), "take a smaller learning_rate"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()


def test_files_of_others_are_refused(tmp_path: Path):
    path = make("Flow").fit(rows()).save(tmp_path / "flow.pt")
    with pytest.raises(UsageError, match="holds a Flow; load it with Flow.load"):
        GAN.load(path)
    (tmp_path / "text.pt").write_text("no")
    with pytest.raises(UsageError, match="is no saved GAN"):
        GAN.load(tmp_path / "text.pt")
