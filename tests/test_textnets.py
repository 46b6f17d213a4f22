"""Networks over words: the convolution by hand, padding that changes nothing, and what order alone can say."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from smlab.checks import UsageError
from smlab.textnets import _CNN, PAD, SPREAD, BiLSTM, TextCNN, _BiLSTM
from smlab.wordvectors import WordVectors

SMALL = {"n_factors": 12, "epochs": 12, "batch_size": 16, "learning_rate": 0.01, "device": "cpu"}
NETS = {
    "TextCNN": lambda **more: TextCNN(**SMALL | {"n_filters": 8} | more),
    "BiLSTM": lambda **more: BiLSTM(**SMALL | {"n_hidden": 8} | more),
}
every_net = pytest.mark.parametrize("name", NETS)


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are quicker on one core, and tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ordered(n: int = 400, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Posts of the same two words and noise: 1 where "is" comes right before "fast", else 0."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    noise = rng.choice(["well", "hm", "oh", "so"], (n, 3))
    pairs = [["is", "fast"] if label else ["fast", "is"] for label in labels]
    return [" ".join([*row[:2], *pair, row[2]]) for row, pair in zip(noise, pairs, strict=True)], labels


def test_convolution_and_maximum_are_those_of_kim():
    """c_i = max(0, w · x_{i:i+h-1} + b), one by one, of a post between h - 1 zeros."""
    torch.manual_seed(0)
    net = _CNN(torch.randn(9, 4), n_filters=3, widths=(2, 3), n_classes=2, dropout=0.0).eval()
    codes = [4, 2, 7, 8, 2]
    expected = []
    for h, conv in zip(net.widths, net.filters, strict=True):
        x = functional.pad(net.words.weight[codes], (0, 0, h - 1, h - 1))  # (n + 2(h - 1), d)
        for w, b in zip(conv.weight, conv.bias, strict=True):  # w (d, h)
            c = [torch.relu((w.T * x[i : i + h]).sum() + b) for i in range(len(codes) + h - 1)]
            expected.append(max(c))
    z = net.pool(net.words(torch.tensor([codes])), torch.tensor([len(codes)]))
    torch.testing.assert_close(z[0], torch.stack(expected))


def test_lstm_is_that_of_its_equations():
    torch.manual_seed(0)
    net = _BiLSTM(torch.randn(6, 3), n_hidden=2, n_classes=2, dropout=0.0).eval()
    x = net.words(torch.tensor([[2, 4, 5]]))
    found = net.pool(x, torch.tensor([3]))[0]
    forwards, backwards = (direction(net.lstm, x[0], suffix) for suffix in ("", "_reverse"))
    torch.testing.assert_close(found, torch.cat([forwards, backwards]))


def direction(lstm: torch.nn.LSTM, x: torch.Tensor, suffix: str) -> torch.Tensor:
    """The maximum over time of h, read in one direction, by the equations of the docstring."""
    W, U = getattr(lstm, f"weight_ih_l0{suffix}"), getattr(lstm, f"weight_hh_l0{suffix}")
    b = getattr(lstm, f"bias_ih_l0{suffix}") + getattr(lstm, f"bias_hh_l0{suffix}")
    h, c, seen = torch.zeros(2), torch.zeros(2), []
    for x_t in x if not suffix else x.flip(0):
        i, f, g, o = (W @ x_t + U @ h + b).split(2)  # torch's order of the gates
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        seen.append(h)
    return torch.stack(seen).amax(dim=0)


@every_net
def test_padding_changes_nothing(name):
    torch.manual_seed(0)
    table = torch.randn(9, 12)
    table[PAD] = 0
    net = NETS[name]().build(table, 3).eval()
    alone, longer = torch.tensor([[3, 4]]), torch.tensor([[3, 4] + [PAD] * 6, [5] * 8])
    torch.testing.assert_close(net(longer)[:1], net(alone))


@every_net
def test_order_alone_is_seen(name):
    """A bag of words cannot tell these posts apart: it is right half of the time."""
    texts, labels = ordered()
    model = NETS[name]().fit(texts[:300], labels[:300])
    assert np.mean(model.predict(texts[300:]) == labels[300:]) > 0.95


@every_net
def test_training_stops_by_the_validation_posts_and_keeps_the_best(name):
    texts, labels = ordered()
    log: list[str] = []
    held_out = (texts[300:], labels[300:])
    model = NETS[name](epochs=50).fit(texts[:300], labels[:300], validation=held_out, log=log.append)
    scores = [epoch["score"] for epoch in model.history_]
    assert len(scores) == len(log) < 50
    recall = np.mean([np.mean(model.predict(texts[300:])[labels[300:] == k] == k) for k in (0, 1)])
    assert recall == pytest.approx(max(scores))


def test_word_vectors_are_where_words_start():
    vectors = WordVectors(["fast", "slow", "other"], np.random.default_rng(0).normal(size=(3, 12)))
    net = TextCNN(**SMALL | {"epochs": 1, "learning_rate": 1e-9, "word_vectors": vectors, "min_count": 5})
    net.fit(["fast", "not slow", "rare"], [0, 1, 1])
    learnt = net.module_.words.weight.detach().numpy()
    factor = SPREAD / vectors.matrix.std()
    np.testing.assert_allclose(learnt[net.codes_["fast"]], factor * vectors["fast"], rtol=1e-4)
    np.testing.assert_allclose(learnt[net.codes_["not_slow"]], factor * vectors["slow"], rtol=1e-4)
    assert "rare" not in net.codes_ and not learnt[PAD].any()


@every_net
def test_the_caller_s_random_numbers_go_on_as_if_nothing_was(name):
    texts, labels = ordered(40)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    NETS[name](epochs=1).fit(texts, labels)
    assert torch.equal(torch.rand(3), expected)


@every_net
def test_another_seed_gives_another_model(name):
    texts, labels = ordered(60)
    p = [NETS[name](epochs=1, seed=seed).fit(texts, labels).predict_proba(texts[:5]) for seed in (0, 1)]
    assert not np.allclose(*p)


@every_net
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"dropout": 1.0}, "dropout=1.0 must be from 0 to below 1, the share of numbers left out"),
        ({"learning_rate": 0}, "learning_rate=0 must be finite and above 0"),
        ({"length": 0}, "length=0 must be a whole number above 0"),
        ({"epochs": 0}, "epochs=0 must be a whole number above 0"),
    ],
)
def test_wrong_settings_are_one_sentence(name, settings, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        NETS[name](**settings)


def test_a_label_that_only_validation_has_is_refused():
    with pytest.raises(UsageError, match="validation has the label 7, which training has not"):
        TextCNN(**SMALL).fit(["a", "b"], [0, 1], validation=(["c"], [7]))


def test_widths_have_to_be_there():
    with pytest.raises(UsageError, match=re.escape("widths=() must be one width above 0 or more")):
        TextCNN(**SMALL, widths=()).fit(["a", "b"], [0, 1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_net
def test_gpu_and_cpu_agree(name):
    texts, labels = ordered()
    model = NETS[name](device="cuda").fit(texts[:300], labels[:300])
    p = model.predict_proba(texts[300:])
    model.module_.cpu()
    np.testing.assert_allclose(model.predict_proba(texts[300:]), p, atol=1e-3)
