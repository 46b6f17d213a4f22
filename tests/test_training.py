"""The training loop: the same numbers for a seed, stops at the best, goes on where it was interrupted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from smlab import training
from smlab.checks import UsageError
from smlab.training import Schedule, device, predict, seeded, train

MSE = nn.functional.mse_loss


def data(n: int = 300, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A line with noise: y = 2x₁ - x₂ + ε."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=generator)
    return x, x @ torch.tensor([2.0, -1.0]) + 0.1 * torch.randn(n, generator=generator)


class Line(nn.Module):
    """A line with dropout, so that random numbers matter."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(2, 1), nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.linear(x)).squeeze(1)


def minus_error(y: np.ndarray, z: np.ndarray) -> float:
    return -float(np.mean((y - z) ** 2))


def run(
    *, epochs: int = 4, seed: int = 0, rate: float = 0.05, scores: list[float] | None = None, **more
) -> tuple[nn.Module, list[dict]]:
    """Train a Line; with `scores` the validation score of each epoch is given."""
    given = iter(scores or [])
    with seeded(seed):
        module = Line()
        schedule = more.pop("schedule", Schedule(epochs=epochs, batch_size=50))
        optimizers = [torch.optim.Adam(module.parameters(), lr=rate)]
        if scores:
            more |= {"validation": data(50, seed=1), "score": lambda y, z: next(given)}
        history = train(module, *data(), loss=MSE, optimizers=optimizers, schedule=schedule, **more)
    return module, history


def weights(module: nn.Module) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in module.parameters()])


def test_the_line_is_found_and_the_history_says_how():
    """With dropout q on the output the least squares are at (1 - q) times the line."""
    module, history = run(epochs=30, validation=data(100, seed=1), score=minus_error)
    np.testing.assert_allclose(weights(module), [0.9 * 2, 0.9 * -1, 0], atol=0.1)
    assert [e["epoch"] for e in history] == list(range(1, len(history) + 1))
    assert history[-1]["loss"] < history[0]["loss"] / 5
    assert all(e["rows_per_second"] == pytest.approx(300 / e["seconds"]) for e in history)


def test_same_seed_same_numbers_and_the_callers_generator_stays():
    torch.manual_seed(99)
    state = torch.get_rng_state()
    a, b, c = (weights(run(seed=s)[0]) for s in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_step_is_adam_on_the_mean_loss_of_the_batch():
    x, y = data()
    with seeded(0):
        expected = nn.Linear(2, 1)
    with seeded(0):
        module = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
        optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
        train(module, x, y, loss=MSE, optimizers=[optimizer], schedule=Schedule(epochs=1, batch_size=300))
    MSE(expected(x).squeeze(1), y).backward()
    for new, old in zip(module.parameters(), expected.parameters(), strict=True):
        # Adam's first step is lr · g / (|g| + ε), whatever the size of g
        torch.testing.assert_close(new, old - 0.1 * old.grad / (old.grad.abs() + 1e-8))


def test_each_row_is_seen_once_in_an_epoch_in_batches_of_about_one_size():
    seen = []

    def loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.append(y)
        return MSE(z, y)

    module = Line()
    schedule = Schedule(epochs=1, batch_size=299)
    train(module, *data(), loss=loss, optimizers=[torch.optim.SGD(module.parameters(), lr=0.1)], schedule=schedule)
    assert [len(y) for y in seen] == [150, 150]
    assert torch.equal(torch.cat(seen).sort().values, data()[1].sort().values)
    assert not torch.equal(torch.cat(seen), data()[1])


def test_rate_falls_when_the_score_does_not_rise_and_patience_ends_it():
    _, history = run(epochs=50, scores=[0.5, 0.6, 0.6, 0.7, 0.7, 0.7, 0.9])
    assert [e["score"] for e in history] == [0.5, 0.6, 0.6, 0.7, 0.7, 0.7]
    rates = [e["learning_rate"] for e in history]
    assert rates == pytest.approx([0.05, 0.05, 0.05, 0.005, 0.005, 0.0005])
    _, longer = run(scores=[0.9] + [0.1] * 9, schedule=Schedule(epochs=50, patience=3, decay=1.0, batch_size=50))
    assert len(longer) == 4 and longer[-1]["learning_rate"] == 0.05


@pytest.mark.parametrize("best", [1, 2, 4])
def test_early_stop_restores_the_weights_of_the_best_epoch(best):
    scores = [0.1 * e for e in range(best)] + [-1.0] * 9
    stopped, history = run(epochs=50, scores=scores)
    exact, _ = run(epochs=best)
    assert len(history) == best + 2
    np.testing.assert_array_equal(weights(stopped), weights(exact))


def test_without_validation_all_epochs_count_and_the_last_weights_stay():
    module, history = run(epochs=7)
    assert len(history) == 7 and np.isnan([e["score"] for e in history]).all()
    assert not np.array_equal(weights(module), weights(run(epochs=6)[0]))


def test_gradient_is_clipped_to_its_largest_norm():
    x, y = data()
    with seeded(0):
        module = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    before = weights(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    train(module, x, y, loss=MSE, optimizers=[optimizer], schedule=Schedule(epochs=1, batch_size=300, clip=0.25))
    assert np.linalg.norm(weights(module) - before) == pytest.approx(0.25, rel=1e-5)


# Checkpoints


@pytest.mark.parametrize("scores", [None, [0.1, 0.5, 0.2, 0.3, 0.6, 0.1, 0.1]])
def test_interrupted_training_ends_where_an_uninterrupted_one_does(tmp_path, scores):
    path = tmp_path / "part.pt"
    whole, history = run(epochs=6, scores=scores)

    class Interrupted(Exception):
        pass

    def stop(line: str) -> None:
        if line.startswith("epoch 4"):  # whose checkpoint is not written
            raise Interrupted

    with pytest.raises(Interrupted):
        run(epochs=6, scores=scores, checkpoint=path, log=stop)
    resumed, again = run(epochs=6, scores=scores[3:] if scores else None, checkpoint=path)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert [(e["loss"], e["learning_rate"]) for e in again] == [(e["loss"], e["learning_rate"]) for e in history]
    once_more, same = run(epochs=6, scores=[9.0] if scores else None, checkpoint=path)
    assert [e["seconds"] for e in same] == [e["seconds"] for e in again]  # nothing was trained again
    np.testing.assert_array_equal(weights(once_more), weights(whole))


def test_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "part.pt"
    run(checkpoint=path, identity="reg=0")
    with pytest.raises(UsageError, match=re.escape(f"{path} is the checkpoint of another training")):
        run(checkpoint=path, identity="reg=1")
    path.write_bytes(b"no such thing")
    with pytest.raises(UsageError, match=re.escape(f"{path} is no checkpoint of a training")):
        run(checkpoint=path)


def test_checkpoint_never_runs_code(tmp_path):
    path = tmp_path / "evil.pt"

    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"identity": Evil()}, path)
    with pytest.raises(UsageError, match="is no checkpoint"):
        run(checkpoint=path)
    assert not (tmp_path / "ran").exists()


def test_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "part.pt"
    run(epochs=2, checkpoint=path)
    before = path.read_bytes()

    def broken(state: dict, out) -> None:
        out.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(training.torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        run(epochs=3, checkpoint=path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# Prediction, lines, devices


def test_prediction_in_batches_equals_at_once_and_leaves_the_mode():
    module, _ = run()
    x, _ = data()
    module.train()
    at_once = predict(module, x)
    np.testing.assert_allclose(predict(module, x, batch_size=7), at_once, atol=1e-6)
    assert module.training and predict(module, x[:0]).shape == (0,)
    np.testing.assert_array_equal(at_once, predict(module, x))  # no dropout


def test_log_takes_one_line_for_each_epoch():
    lines: list[str] = []
    run(epochs=9, scores=[0.5, 0.75, 0.7, 0.7], log=lines.append)
    assert len(lines) == 4
    assert re.fullmatch(r"epoch 2: loss \d\.\d{4}, validation 0.75000, best, \d\.\d s, [\d,]+ rows/s", lines[1])
    assert "best" not in lines[2]


def test_device_is_the_gpu_where_there_is_one():
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device("cpu") == torch.device("cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_draws_the_same_order_of_rows_and_ends_close_to_the_cpu():
    """Without dropout the two differ by rounding alone: 1e-4 after four epochs."""
    found = []
    for name in ("cpu", "cuda"):
        with seeded(0):
            module = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)).to(device(name))
            optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
            schedule = Schedule(epochs=4, batch_size=50)
            train(module, *data(), loss=MSE, optimizers=[optimizer], schedule=schedule)
        found.append(weights(module.cpu()))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


ERRORS = {
    "epochs=0 must be a whole number above 0": lambda: Schedule(epochs=0),
    "batch_size=0.5 must be a whole number": lambda: Schedule(batch_size=0.5),
    "patience=0 must be": lambda: Schedule(patience=0),
    "decay=2 must be above 0 and at most 1": lambda: Schedule(decay=2),
    "clip=0 must be above 0": lambda: Schedule(clip=0),
    "precision='float16' must be 'float32' or 'bfloat16'": lambda: Schedule(precision="float16"),
    "device='tpu' is not to be had here; 'auto' takes what there is": lambda: device("tpu"),
    "device='cuda:99' is not to be had here": lambda: device("cuda:99"),
    "learning_rate=1e+30 is too large for these data": lambda: run(rate=1e30),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
