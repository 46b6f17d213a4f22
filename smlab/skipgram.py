"""Skip-gram with negative sampling on one page of numpy, to read and to check; for real work see `word2vec`.

A word c in the middle shall tell the words o around it from words k drawn at random: Mikolov et al. (2013),
"Distributed representations of words and phrases and their compositionality", eq. 4, here as the loss of one pair,

    J = -log σ(u_o·v_c) - Σ_k log σ(-u_k·v_c),    K words k ~ P_n(w) ∝ count(w)^0.75,    σ(x) = 1 / (1 + exp(-x))

Each word has two vectors: v as the centre, which is kept, and u as the context. From d/dx [-log σ(x)] = σ(x) - 1
and d/dx [-log σ(-x)] = σ(x), with x = u·v, follow the gradients:

    ∂J/∂v_c = (σ(u_o·v_c) - 1) u_o + Σ_k σ(u_k·v_c) u_k
    ∂J/∂u_o = (σ(u_o·v_c) - 1) v_c
    ∂J/∂u_k = σ(u_k·v_c) v_c

Goldberg & Levy (2014), "word2vec explained", derive the objective at length. Left out: phrases, the hierarchical
softmax, CBOW.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import expit as sigmoid

from smlab.checks import UsageError
from smlab.wordvectors import WordVectors, need_tokens

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def loss(v_c: ArrayLike, u_o: ArrayLike, u_k: ArrayLike, keep: ArrayLike = 1.0) -> Floats:
    """Give J of each pair, (...), from v_c and u_o (..., d) and u_k (..., K, d).

    `keep` (..., K) is 0 where the word drawn at random is o itself; word2vec leaves it out of the sum.

    >>> float(loss([0, 0], [1, 2], [[1, 1], [0, 3]]).round(4))  # v_c knows nothing yet: 3 log 2
    2.0794
    """
    v, o, k = (np.asarray(x, dtype=float) for x in (v_c, u_o, u_k))
    noise = np.logaddexp(0, (k * v[..., None, :]).sum(-1))  # -log σ(-x) = log(1 + exp x), (..., K)
    return np.asarray(np.logaddexp(0, -(o * v).sum(-1)) + (noise * keep).sum(-1))


def gradients(v_c: ArrayLike, u_o: ArrayLike, u_k: ArrayLike, keep: ArrayLike = 1.0) -> tuple[Floats, Floats, Floats]:
    """Give ∂J/∂v_c and ∂J/∂u_o (..., d), and ∂J/∂u_k (..., K, d); the arguments are those of `loss`."""
    v, o, k = (np.asarray(x, dtype=float) for x in (v_c, u_o, u_k))
    g_o = sigmoid((o * v).sum(-1)) - 1  # (...)
    g_k = sigmoid((k * v[..., None, :]).sum(-1)) * keep  # (..., K)
    dv = g_o[..., None] * o + (g_k[..., None] * k).sum(-2)
    return dv, g_o[..., None] * v, g_k[..., None] * v[..., None, :]


def descend(V: Floats, U: Floats, c: Ints, o: Ints, k: Ints, rate: float) -> float:
    """Take one step of gradient descent on V and U (n_words, d), in place; give the mean J before it.

    The pairs (c, o) (B,) and their noise k (B, K) are rows of V and U. A row that comes several times takes the
    sum of its gradients.
    """
    keep = k != o[:, None]  # (B, K)
    v_c, u_o, u_k = V[c], U[o], U[k]
    dv, do, dk = gradients(v_c, u_o, u_k, keep)
    V -= rate * _sum_by_row(c, dv, len(V))
    U -= rate * _sum_by_row(np.r_[o, k.ravel()], np.concatenate([do, dk.reshape(-1, U.shape[1])]), len(U))
    return float(loss(v_c, u_o, u_k, keep).mean())


class SkipGram:
    """Learn word vectors by the equations above, from texts of up to some 100,000 words.

    Parameters
    ----------
    n_factors : d, length of a vector
    window : a centre takes the words up to b places away, with b drawn from 1 to window each time
    negative : K, words drawn at random for each pair
    epochs, learning_rate : passes over the text; the rate falls linearly to nothing
    min_count : leave out words that come less often
    subsample : t; in each pass a word of frequency f is kept with probability √(t/f), eq. 5. (The tool of the paper
        keeps √(t/f) + t/f.) For large texts: of small ones hardly anything would stay, and 0 keeps all
    seed : draws the first vectors, windows, noise and order

    Learnt: `words_`, `counts_`, `V_` and `U_` (n_words, d), `losses_` (mean J of each epoch), `vectors_`.

    >>> model = SkipGram(n_factors=16, subsample=0).fit(planted_corpus())
    >>> sorted({word[0] for word, cosine in model.vectors_.similar("a3", k=5)})
    ['a']
    """

    def __init__(
        self,
        *,
        n_factors: int = 50,
        window: int = 5,
        negative: int = 5,
        epochs: int = 5,
        learning_rate: float = 0.025,
        min_count: int = 1,
        subsample: float = 1e-3,
        seed: int = 0,
    ) -> None:
        need_whole(n_factors=n_factors, window=window, negative=negative, epochs=epochs, min_count=min_count)
        need_rates(learning_rate, subsample, seed)
        self.n_factors, self.window, self.negative, self.epochs = n_factors, window, negative, epochs
        self.learning_rate, self.min_count, self.subsample, self.seed = learning_rate, min_count, subsample, seed

    def fit(self, tokens: Sequence[Sequence[str]]) -> SkipGram:
        """Learn from posts, each a list of tokens; they stay as they are."""
        posts = need_tokens(tokens)
        counts = vocabulary(Counter(chain.from_iterable(posts)), self.min_count)
        row = {word: i for i, word in enumerate(counts)}
        text = [[row[word] for word in post if word in row] for post in posts]
        ids, post = np.array([*chain.from_iterable(text)]), np.repeat(np.arange(len(text)), [len(t) for t in text])
        rng = np.random.default_rng(self.seed)
        self.words_, self.counts_ = list(counts), np.array([*counts.values()])
        self.V_ = rng.uniform(-0.5, 0.5, (len(row), self.n_factors)) / self.n_factors
        self.U_ = np.zeros((len(row), self.n_factors))
        self.losses_ = [self._epoch(ids, post, epoch, rng) for epoch in range(self.epochs)]
        return self

    @property
    def vectors_(self) -> WordVectors:
        """The words with their vectors v."""
        if not hasattr(self, "V_"):
            raise UsageError("SkipGram has not been fitted; call fit(tokens) first")
        return WordVectors(self.words_, self.V_.astype(np.float32), self.counts_)

    def _epoch(self, ids: Ints, post: Ints, epoch: int, rng: np.random.Generator) -> float:
        f = self.counts_ / self.counts_.sum()
        kept = rng.random(len(ids)) < (np.sqrt(self.subsample / f)[ids] if self.subsample else 1.0)
        c, o = pairs(ids[kept], post[kept], self.window, rng)
        if not len(c):
            raise UsageError("no two words stand side by side: give longer posts, a smaller min_count or subsample=0")
        # Two pairs at a time for each word: it comes only a few times, so the sum of its steps stays small.
        batches = np.array_split(rng.permutation(len(c)), -(-len(c) // np.clip(2 * len(f), 64, 8192)))
        noise = np.cumsum(self.counts_**0.75)
        total = 0.0
        for i, batch in enumerate(batches):
            k = noise.searchsorted(rng.random((len(batch), self.negative)) * noise[-1], side="right")  # (B, K)
            rate = self.learning_rate * (1 - (epoch + i / len(batches)) / self.epochs)
            total += descend(self.V_, self.U_, c[batch], o[batch], k, rate) * len(batch)
        return total / len(c)


def pairs(ids: Ints, post: Ints, window: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Give centre and context of all pairs in one post that are at most b apart, where each centre draws its b.

    >>> pairs(np.array([7, 8, 9]), np.array([0, 0, 1]), window=1, rng=np.random.default_rng(0))
    (array([7, 8]), array([8, 7]))
    """
    b = rng.integers(1, window + 1, len(ids))
    centres, contexts = [ids[:0]], [ids[:0]]
    for apart in range(1, min(window, len(ids) - 1) + 1):
        left, right = ids[:-apart], ids[apart:]
        together = post[:-apart] == post[apart:]
        to_right, to_left = together & (b[:-apart] >= apart), together & (b[apart:] >= apart)
        centres += [left[to_right], right[to_left]]
        contexts += [right[to_right], left[to_left]]
    return np.concatenate(centres), np.concatenate(contexts)


def planted_corpus(
    n_posts: int = 400, *, n_topic: int = 20, n_shared: int = 6, length: int = 10, seed: int = 0
) -> list[list[str]]:
    """Make posts on two topics whose words a0, a1, … and b0, b1, … never meet; the words the0, … stand in all.

    >>> planted_corpus(2, length=5)
    [['the3', 'the3', 'the5', 'b5', 'b16'], ['the0', 'b9', 'the0', 'b8', 'the0']]
    """
    rng = np.random.default_rng(seed)
    posts = []
    for topic in rng.choice(["a", "b"], n_posts):
        shared = rng.random(length) < 0.3
        number = np.where(shared, rng.integers(n_shared, size=length), rng.integers(n_topic, size=length))
        posts.append([f"{'the' if s else topic}{i}" for s, i in zip(shared, number, strict=True)])
    return posts


def vocabulary(counts: Mapping[str, int], min_count: int) -> dict[str, int]:
    """Give the words that come often enough with their counts, the most frequent first, then by the alphabet.

    >>> vocabulary({"a": 1, "c": 2, "b": 2}, min_count=2)
    {'b': 2, 'c': 2}
    """
    often = {word: n for word, n in counts.items() if n >= min_count}
    if not often:
        raise UsageError(
            f"of {sum(counts.values())} words none comes min_count={min_count} times: nothing to learn from"
        )
    return dict(sorted(often.items(), key=lambda item: (-item[1], item[0])))


def need_whole(**settings: int) -> None:
    """Check that settings are whole numbers above 0."""
    for name, value in settings.items():
        if value != int(value) or value < 1:
            raise UsageError(f"{name}={value} must be a whole number above 0")


def need_rates(learning_rate: float, subsample: float, seed: int) -> None:
    """Check the settings that are no whole numbers above 0."""
    if not 0 < learning_rate < np.inf:
        raise UsageError(f"learning_rate={learning_rate} must be finite and above 0")
    if not 0 <= subsample < 1:
        raise UsageError(f"subsample={subsample} must be from 0 to below 1, a share of all words")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed={seed} must be from 0 to 2³² - 1")


def _sum_by_row(rows: Ints, values: Floats, n: int) -> Floats:
    """Add up the rows of `values` (m, d) that have the same number, (n, d)."""
    m = len(rows)
    one_hot = sparse.csc_array((np.ones(m), rows, np.arange(m + 1)), shape=(n, m))  # quicker than np.add.at
    return np.asarray(one_hot @ values)
