"""Neural matrix factorization: let a network learn how a user and an item match, instead of an inner product.

    GMF      φᴳ = p_u ⊙ q_i                                  a product with a learnt weight for each factor
    MLP      φᴹ = relu(W_L … relu(W_1 [p′_u; q′_i] + b_1) … + b_L)
    NeuMF    ŷ_ui = σ(hᵀ[φᴳ; φᴹ])                            both, each with vectors of its own

He, Liao, Zhang, Nie, Hu & Chua (2017), "Neural collaborative filtering", sections 3.2 to 3.4; ŷ_ui is the probability
that u chooses i. Learnt by the cross-entropy of choices (1) and of gaps drawn anew in every epoch (0),

    min  -Σ_(u,i chosen) [log ŷ_ui + Σ_(c drawn gaps j of u) log(1 - ŷ_uj)]

Left out: their second way to start, from a GMF and an MLP trained before. Rendle, Krichene, Zhang & Anderson (2020)
found a tuned inner product better, and `implicit_factors` is that and fits in seconds: this is here to compare with.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NoReturn, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from smlab import training
from smlab.checks import UsageError
from smlab.ranking import Floats, Ranker, blocks, rows_of
from smlab.similarity import coordinate
from smlab.training import Log, Schedule


class NeuMF(Ranker):
    """Score by the logit hᵀ[φᴳ; φᴹ] of a network for pairs: formula in the module's docstring.

    Parameters
    ----------
    n_factors : F, the length of φᴳ and of φᴹ; He et al. took 8 to 64
    n_layers : L, of widths 2^(L-1)F, …, 2F, F; p′ and q′ are as wide as the first
    n_negatives : c, gaps drawn for each choice; the paper found 3 to 6 best
    epochs : passes over the choices, at most so many where `fit` is given a `score`
    learning_rate, batch_size : of Adam, and the choices of a step, each with its gaps
    reg : λ ≥ 0, adds λθ to the gradient of every vector θ
    patience : epochs in a row without a better `score` after which it is over
    decay : factor of the learning rate after each such epoch; 1 keeps it
    seed : draws the start, the gaps and the order
    device : "auto" (the GPU where there is one), "cpu", "cuda"

    Attributes
    ----------
    network_ : the torch module
    history_ : for each epoch a dict of epoch, loss, score (nan without one) and seconds

    >>> X = sparse.csr_array(np.kron(np.eye(2), np.ones((4, 4))) - np.diag([1.0] + 7 * [0]))
    >>> NeuMF(n_factors=4, epochs=60, learning_rate=0.02, batch_size=8, device="cpu").fit(X).recommend([0], k=1)[0]
    array([[0]])
    """

    def __init__(
        self,
        *,
        n_factors: int = 16,
        n_layers: int = 3,
        n_negatives: int = 4,
        epochs: int = 20,
        learning_rate: float = 1e-3,
        batch_size: int = 1024,
        reg: float = 0.0,
        patience: int = 3,
        decay: float = 0.3,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        for name, n in (("n_factors", n_factors), ("n_layers", n_layers), ("n_negatives", n_negatives)):
            if not (isinstance(n, int) and n >= 1):
                raise UsageError(f"{name}={n!r} must be a whole number above 0")
        if not 0 < learning_rate < np.inf:
            raise UsageError(f"learning_rate={learning_rate} must be finite and above 0")
        if not 0 <= reg < np.inf:
            raise UsageError(f"reg={reg} must be finite and 0 or more")
        Schedule(epochs=epochs, batch_size=batch_size, patience=patience, decay=decay)  # says what is wrong
        self.n_factors, self.n_layers, self.n_negatives, self.epochs = n_factors, n_layers, n_negatives, epochs
        self.learning_rate, self.batch_size, self.reg, self.patience = learning_rate, batch_size, reg, patience
        self.decay, self.seed, self.device = decay, seed, device

    def fit(self, user_items: Any, *, score: Callable[[NeuMF], float] | None = None, log: Log | None = None) -> NeuMF:
        """Learn from the choices, the entries of `user_items` (n_users, n_items), whatever their value.

        Parameters
        ----------
        score : called after each epoch with the model as it is, larger is better; the best epoch is kept
        log : takes one line for each epoch, such as `print`
        """
        X = self._start(user_items)
        rng = np.random.default_rng(self.seed)
        with training.seeded(self.seed):
            n_users, n_items = X.shape
            network = Network(n_users, n_items, self.n_factors, self.n_layers).to(training.device(self.device))
            tables = [network.users.weight, network.items.weight]
            others = [w for w in network.parameters() if not any(w is table for table in tables)]
            groups: list[dict[str, Any]] = [{"params": tables, "weight_decay": self.reg}, {"params": others}]
            self.network_ = network
            adam = torch.optim.Adam(groups, lr=self.learning_rate, fused=True)
            self._train(adam, rng, score, log)
        return self

    def predict(self, users: ArrayLike, items: ArrayLike) -> Floats:
        """Give the probabilities ŷ_ui of pairs, (n,) for users (n,) and items (n,)."""
        u, i = self._profiles(users, None)[1], rows_of("item", items, self.X_.shape[1])
        if len(u) != len(i):
            raise UsageError(f"predict takes pairs, one item for each user; given are {len(u)} and {len(i)}")
        z = training.predict(self.network_, torch.from_numpy(np.stack([u, i], axis=1)), batch_size=65_536)[:, 0]
        return cast(Floats, 1 / (1 + np.exp(-z.astype(np.float64))))

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give the logits of all items, (n, n_items); 0 for users who had nothing in `fit`."""
        if user_items is not None:
            why = "it has learnt one vector for each user of its fit and can make none for other choices"
            raise UsageError(f"NeuMF takes no user_items: {why}; fit it again, or take IALS or EASE")
        X, rows = self._profiles(users, None)
        where, s = next(self.network_.parameters()).device, np.empty((len(rows), X.shape[1]))
        every = torch.arange(X.shape[1], device=where)[None]  # (1, n_items)
        with torch.inference_mode():
            # a layer's output for every pair takes 2^(L-1) F numbers
            for block in blocks(len(rows), X.shape[1] * self.network_.widths[0]):
                s[block] = self.network_.logits(torch.from_numpy(rows[block]).to(where), every).cpu().numpy()
        s[np.diff(X.indptr)[rows] == 0] = 0.0  # their vectors are still chance
        return s

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> NoReturn:
        """Refuse: a network gives no reasons."""
        raise UsageError("NeuMF's score is no sum over what the user has, so it has no reasons; IALS and EASE have")

    def _train(
        self,
        adam: torch.optim.Optimizer,
        rng: np.random.Generator,
        score: Callable[[NeuMF], float] | None,
        log: Log | None,
    ) -> None:
        """Go through the epochs, each with gaps of its own, and keep the best where `score` tells them apart."""
        self.history_: list[dict[str, Any]] = []
        best, kept, waited = -np.inf, None, 0
        while len(self.history_) < self.epochs and waited < self.patience:
            rows, wanted = with_gaps(self.X_, self.n_negatives, rng)
            (epoch,) = training.train(
                self.network_,
                torch.from_numpy(rows),
                torch.from_numpy(wanted),
                loss=functional.binary_cross_entropy_with_logits,
                optimizers=[adam],
                schedule=Schedule(epochs=1, batch_size=self.batch_size),
            )
            value = np.nan if score is None else float(score(self))
            number = len(self.history_) + 1
            self.history_.append({"epoch": number, "loss": epoch["loss"], "score": value, "seconds": epoch["seconds"]})
            if value > best:
                best, kept, waited = value, copy.deepcopy(self.network_.state_dict()), 0
            elif score is not None:
                waited += 1
                for group in adam.param_groups:
                    group["lr"] *= self.decay
            if log:
                told = "" if score is None else f", score {value:.4f}"
                log(f"epoch {number}: loss {epoch['loss']:.4f}{told}, {epoch['seconds']:.1f} s")
        if kept is not None:
            self.network_.load_state_dict(kept)


class Network(nn.Module):
    """hᵀ[p_u ⊙ q_i; MLP(p′_u, q′_i)] of rows (user, item, item, …); p and p′ lie side by side in one table.

    Users and items of the first layer, W_1 [p′; q′] = W_u p′ + W_i q′, are multiplied apart: a user's part is
    worked out once for all items of a row.
    """

    def __init__(self, n_users: int, n_items: int, n_factors: int, n_layers: int) -> None:
        super().__init__()
        self.widths = [n_factors * 2**level for level in reversed(range(n_layers))]
        first = self.widths[0]
        self.n_factors = n_factors
        self.users, self.items = (nn.Embedding(n, n_factors + first) for n in (n_users, n_items))
        self.first = nn.Linear(2 * first, first)
        self.rest = nn.ModuleList(nn.Linear(2 * width, width) for width in self.widths[1:])
        self.head = nn.Linear(2 * n_factors, 1)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.01)  # as in the paper
        for layer in (self.first, *self.rest, self.head):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """Give the logits (B, m) of rows (B, 1 + m)."""
        return self.logits(rows[:, 0], rows[:, 1:])

    def logits(self, users: Tensor, items: Tensor) -> Tensor:
        """Give the logits (B, m) of users (B,) with items (B, m), or (1, m) for the same of all."""
        p, p_mlp = self.users(users)[:, None].tensor_split([self.n_factors], dim=-1)  # (B, 1, ·)
        q, q_mlp = self.items(items).tensor_split([self.n_factors], dim=-1)  # (B, m, ·)
        W_u, W_i = self.first.weight.tensor_split(2, dim=1)
        z = functional.relu(functional.linear(p_mlp, W_u, self.first.bias) + functional.linear(q_mlp, W_i))
        for layer in self.rest:
            z = functional.relu(layer(z))
        h_gmf, h_mlp = self.head.weight[0].tensor_split(2)
        return cast(Tensor, (q @ (p * h_gmf).mT)[..., 0] + z @ h_mlp + self.head.bias)


def with_gaps(
    X: sparse.csr_array, n_negatives: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Put drawn gaps beside each choice: rows (nnz, 2 + c) of user, item, gaps, and what is wanted, (nnz, 1 + c).

    Gap number r of a user is the item r + |{j : a_j - j ≤ r}|, where a_0 < a_1 < … are the items that the user has:
    one binary search for all, and no draw is in vain. A user without a gap gets the choice once more, as a choice.

    >>> rows, wanted = with_gaps(sparse.csr_array([[1, 0, 1], [1, 1, 1]]), 1, np.random.default_rng(0))
    >>> rows[:3].tolist(), wanted[:3].tolist()
    ([[0, 0, 1], [0, 2, 1], [1, 0, 0]], [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    """
    n_users, n_items = X.shape
    X = sparse.csr_array(X)
    X.sort_indices()
    u, n_has = coordinate(X, axis=1), np.diff(X.indptr)
    place = np.arange(X.nnz) - X.indptr[u]  # j
    before = u * n_items + X.indices - place  # u n_items + a_j - j, growing
    free = (n_items - n_has)[u][:, None]  # (nnz, 1)
    r = np.minimum((rng.random((X.nnz, n_negatives)) * free).astype(np.int64), np.maximum(free - 1, 0))
    gap = r + np.searchsorted(before, u[:, None] * n_items + r, side="right") - X.indptr[u][:, None]
    own = np.broadcast_to(X.indices[:, None], gap.shape)
    rows = np.concatenate([u[:, None], X.indices[:, None], np.where(free > 0, gap, own)], axis=1)
    wanted = np.concatenate([np.ones((X.nnz, 1)), np.broadcast_to(free == 0, gap.shape)], axis=1)
    return rows.astype(np.int64), wanted.astype(np.float32)
