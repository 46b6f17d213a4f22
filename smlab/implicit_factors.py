"""Factorise what people chose by alternating least squares, where every gap counts a little as a no.

    ŷ_ui = ⟨w_u, h_i⟩,   W (n_users, d), H (n_items, d) the minimum of

    Σ_ui x_ui (ŷ_ui - 1)² + α₀ Σ_ui ŷ_ui² + λ Σ_u (n_u + α₀ n_items)^ν ‖w_u‖² + λ Σ_i (n_i + α₀ n_users)^ν ‖h_i‖²

x_ui is the confidence in a choice, 1 as a rule, n_u and n_i its sums. Hu, Koren & Volinsky (2008) in the form of
Rendle, Krichene, Zhang & Koren (2022), "Revisiting the performance of iALS on item recommendation benchmarks":
the penalty grows with the number of choices, and so tuned the model holds its own against newer ones.

With H fixed every user is a ridge regression, (α₀HᵀH + Σ_i x_ui h_i h_iᵀ + λ_u I) w_u = Σ_i x_ui h_i. They share
HᵀH: in the basis of its eigenvectors the first and the last term are diagonal, so a product with the matrix costs
n_u d instead of n_u d + d², and the diagonal is a good preconditioner. Few steps of conjugate gradients from the
last w_u (Takács, Pilászy & Tikk 2011, there without the basis) then do what a factorization of d³ does. Users go
in blocks, whose h_i are copied side by side where H is large. Left out: biases, and what is known beyond X.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import ThreadpoolController
from torch import Tensor

from smlab import training
from smlab.checks import UsageError
from smlab.ranking import Floats, Ranker, Reasons, blocks, largest, rows_of

Array = Any  # of numpy or of torch: both know @, indexing and sum
BLOCK = 1_000_000  # numbers in a block: 4 MB, which stay in a processor's cache
NEAR = 4 * BLOCK  # numbers of an H that stays there too
TINY = 1e-30  # makes 0 of 0 / 0, where nothing is left to mend


class IALS(Ranker):
    """Score by ⟨w_u, h_i⟩ of factors found by alternating least squares: formula in the module's docstring.

    Parameters
    ----------
    n_factors : d, the length of w_u and h_i
    alpha0 : α₀ > 0, what a gap counts beside a choice
    reg : λ > 0
    nu : ν, how the penalty grows with the number of choices: 0 the same for all (Hu et al.), 1 in proportion
    epochs : sweeps over all users and then all items
    steps : of conjugate gradients for each user and item in a sweep
    std : of the first h_i, ‖h_i‖² = std² on average
    seed : draws them
    device : "auto" (the GPU where there is one), "cpu", "cuda"

    Attributes
    ----------
    item_factors_, user_factors_ : H (n_items, d) and W (n_users, d), float32; W is the exact minimum for H

    >>> X = sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    >>> IALS(n_factors=2, reg=0.01).fit(X).recommend([3], k=1)[0]
    array([[1]])
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        alpha0: float = 0.1,
        reg: float = 0.01,
        nu: float = 1.0,
        epochs: int = 16,
        steps: int = 3,
        std: float = 0.1,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        for name, number in (("n_factors", n_factors), ("epochs", epochs), ("steps", steps)):
            if number < 1:
                raise UsageError(f"{name}={number} must be a whole number above 0")
        for name, value in (("alpha0", alpha0), ("reg", reg), ("std", std)):
            if not 0 < value < np.inf:
                raise UsageError(f"{name}={value} must be finite and above 0")
        if not 0 <= nu <= 2:
            raise UsageError(f"nu={nu} must lie between 0, one penalty for all, and 2")
        self.n_factors, self.alpha0, self.reg, self.nu = n_factors, alpha0, reg, nu
        self.epochs, self.steps, self.std, self.seed, self.device = epochs, steps, std, seed, device

    def fit(self, user_items: Any) -> IALS:
        """Learn from `user_items` (n_users, n_items), which stays as it is."""
        X = self._start(user_items)
        draw = np.random.default_rng(self.seed).standard_normal((X.shape[1], self.n_factors), dtype=np.float32)
        with _Place(training.device(self.device), max(X.shape) * self.n_factors) as place:
            H = place.put(draw * np.float32(self.std / np.sqrt(self.n_factors)))
            W = place.put(np.zeros((X.shape[0], self.n_factors), np.float32))
            users, items = self._side(X, place), self._side(sparse.csr_array(X.T), place)
            for _ in range(self.epochs):
                H, W, s = place.turn(H, W)
                W = self._half(users, W, H, s, place, self.steps)
                W, H, s = place.turn(W, H)
                H = self._half(items, H, W, s, place, self.steps)
            H, W, _ = place.turn(H, W)
            self.item_factors_: NDArray[np.float32] = place.get(H)
        self.user_factors_ = self._fold_in(X, place.get(W))
        return self

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give ⟨w_u, h_i⟩, (n, n_items); given `user_items`, with w_u solved for what is in them."""
        X, rows = self._profiles(users, user_items)
        W = self.user_factors_[rows] if user_items is None else self._fold_in(X[rows])
        return (W @ self.item_factors_.T).astype(np.float64)

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> Reasons:
        """Give the user's items j with what each adds, x_uj ⟨h_j, A_u⁻¹h_i⟩, largest first; together the score.

        A_u is the matrix of the user's regression: Hu et al. (2008), section 5.
        """
        X, rows = self._profiles(user, user_items)
        i, x_u, H = rows_of("item", item, X.shape[1]), X[rows], self.item_factors_.astype(np.float64)
        h, x = H[x_u.indices], x_u.data.astype(np.float64)  # (n_u, d), (n_u,)
        D = self.alpha0 * (H**2).sum(axis=0) + self._penalty(x.sum(), len(H))  # (d,)
        A_u = np.diag(D) + (h.T * x) @ h
        return largest(x_u.indices, x * (h @ np.linalg.solve(A_u, H[i[0]])), n)

    def similar_items(self, item: int, n: int = 10) -> Reasons:
        """Give the items with the largest cosine of their factors to those of `item`, where above 0."""
        i, H = rows_of("item", item, self.X_.shape[1]), self.item_factors_.astype(np.float64)
        H = H / np.maximum(np.linalg.norm(H, axis=1, keepdims=True), 1e-30)
        s = np.maximum((H @ H[i].T)[:, 0], 0)
        s[i] = 0
        return largest(np.arange(len(s)), s, n)

    def loss(self) -> float:
        """Give the value of what is minimised, for the data of `fit`."""
        X, W, H = self.X_, self.user_factors_.astype(np.float64), self.item_factors_.astype(np.float64)
        y = np.concatenate([(W[b] @ H.T)[X[b].nonzero()] for b in blocks(*X.shape)])
        n_u, n_i = (np.asarray(X.sum(axis=a, dtype=np.float64)) for a in (1, 0))
        size_u, size_i = (W**2).sum(axis=1), (H**2).sum(axis=1)
        penalty = self._penalty(n_u, len(H)) @ size_u + self._penalty(n_i, len(W)) @ size_i
        return float(X.data @ (y - 1) ** 2 + self.alpha0 * np.sum((W.T @ W) * (H.T @ H)) + penalty)

    def _penalty(self, n_known: Any, n_all: int) -> Any:
        """Give λ (n + α₀ n_all)^ν."""
        return self.reg * (n_known + self.alpha0 * n_all) ** self.nu

    def _fold_in(self, X: sparse.csr_array, W: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Solve for the users of X until nothing is left but rounding, in float64, (n, d); W: where to begin."""
        H = self.item_factors_.astype(np.float64)
        W, s = np.zeros((X.shape[0], self.n_factors)) if W is None else W.astype(np.float64), (H**2).sum(axis=0)
        with _Place(torch.device("cpu"), H.size) as place:
            W, H, s = (place.put(a) for a in (W, H, s))
            return place.get(self._half(self._side(X, place, np.float64), W, H, s, place, 10_000)).astype(np.float32)

    def _half(self, side: _Side, W: Array, H: Array, s: Array, place: _Place, steps: int) -> Array:
        """Solve for W with H fixed, from the present W, where HᵀH = diag(s)."""
        new = 0 * W

        def solve(block: _Near | _Padded) -> None:
            D = self.alpha0 * s + side.penalty[block.rows]  # (b, d)
            M = D + s * (side.total[block.rows] / len(H))  # as if the user's items were drawn at random
            new[block.rows] = block.solve(H, W[block.rows], D, M, steps)

        place.each(solve, side.blocks)
        return new

    def _side(self, X: sparse.csr_array, place: _Place, dtype: Any = np.float32) -> _Side:
        """Lay out the rows of X in blocks."""
        X = X.astype(dtype)
        parts = _near(X, self.n_factors) if place.near else _padded(X, self.n_factors, place)
        total = np.asarray(X.sum(axis=1, dtype=np.float64))[:, None]  # n_u, or n_i
        penalty = self._penalty(total, X.shape[1])
        return _Side(parts, place.put(total.astype(dtype)), place.put(penalty.astype(dtype)))


class _Side(NamedTuple):
    blocks: list[_Near] | list[_Padded]
    total: Array  # (n, 1)
    penalty: Array  # (n, 1)


class _Near(NamedTuple):
    """Rows that find their h_i where they lie, in a small H."""

    rows: Tensor  # (b,)
    X: Tensor  # (b, n_items), CSR

    def solve(self, H: Tensor, w: Tensor, D: Tensor, M: Tensor, steps: int) -> Tensor:
        def pull(p: Tensor, y: float) -> Tensor:
            left = torch.sparse.sampled_addmm(self.X, p, H.T, beta=0)  # ⟨h_i, p⟩ where x_i is known
            left.values().sub_(y).mul_(self.X.values())
            return left @ H

        return _descend(pull, w, D, M, steps)


class _Padded(NamedTuple):
    """Rows of like length with copies of their h_i side by side: for a large H, and on a GPU."""

    rows: Array  # (b,)
    items: Array  # (b, length) what each user has, or who has each item, padded with any
    x: Array  # (b, length) the confidence, 0 where padded

    def solve(self, H: Array, w: Array, D: Array, M: Array, steps: int) -> Array:
        h = H.take(self.items, axis=0) if isinstance(H, np.ndarray) else H[self.items]  # (b, length, d)

        def pull(p: Array, y: float) -> Array:
            left = self.x * ((h @ p[:, :, None])[:, :, 0] - y)  # (b, length)
            return (left[:, None, :] @ h)[:, 0]

        return _descend(pull, w, D, M, steps)


class _Place:
    """Where the arrays are: torch's on a GPU and for a small H on the processor, else numpy's.

    With a small H torch gets one thread in each of ours: its own would wait for each other a thousand times in a
    fit, and beside any other program that takes ten times as long.
    """

    def __init__(self, device: torch.device, size: int) -> None:
        self.device, self.here = device, device.type == "cpu"
        self.near = self.here and size <= NEAR
        self.numpy = self.here and not self.near
        self.block = BLOCK if self.here else 50 * BLOCK
        self.blas, self.threads = ThreadpoolController(), torch.get_num_threads()

    def __enter__(self) -> Self:
        if self.near:
            torch.set_num_threads(1)
        return self

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self.threads)

    def put(self, a: NDArray) -> Array:
        return a if self.numpy else torch.from_numpy(a).to(self.device)

    def get(self, a: Array) -> NDArray:
        return a if self.numpy else a.cpu().numpy()

    def turn(self, H: Array, W: Array) -> tuple[Array, Array, Array]:
        """Turn both to the axes where HᵀH = diag(s), and give s (d,) too; HWᵀ stays the same."""
        G = self.get(H.T @ H)
        G64 = G.astype(np.float64)
        s, Q = np.linalg.eigh(G64) if self.numpy else (a.numpy() for a in torch.linalg.eigh(torch.from_numpy(G64)))
        Q = self.put(np.ascontiguousarray(Q[:, ::-1], G.dtype))  # largest first
        return H @ Q, W @ Q, self.put(np.maximum(s[::-1], 0).astype(G.dtype))

    def each(self, solve: Callable[[Any], None], parts: list[Any]) -> None:
        """Solve every block, on the processor each thread a block: for BLAS to share one it is too small."""
        pool = ThreadPoolExecutor(self.threads if self.here else 1, initializer=torch.set_num_threads, initargs=(1,))
        with self.blas.limit(limits=1, user_api="blas"), pool:
            list(pool.map(solve, parts))


def _near(X: sparse.csr_array, n_factors: int) -> list[_Near]:
    """Cut X into blocks of rows, those without entries left out."""
    known, n_known = np.flatnonzero(np.diff(X.indptr)), np.diff(X.indptr)
    size = np.cumsum(n_known[known]) * n_factors // (8 * BLOCK) + np.arange(len(known)) * n_factors // BLOCK
    parts = []
    for rows in np.split(known, np.flatnonzero(np.diff(size)) + 1):
        part = X[rows]
        at, items, x = (torch.from_numpy(a) for a in (part.indptr, part.indices, part.data))
        with warnings.catch_warnings(action="ignore"):  # that such tensors are young
            tensor = torch.sparse_csr_tensor(at, items, x, size=part.shape, check_invariants=False)
        parts.append(_Near(torch.from_numpy(rows), tensor))
    return parts


def _padded(X: sparse.csr_array, n_factors: int, place: _Place) -> list[_Padded]:
    """Lay out the rows of X in blocks of like length, padded with confidence 0."""
    n_known, size = np.diff(X.indptr), place.block // n_factors
    order = np.argsort(n_known, kind="stable")[(n_known == 0).sum() :]
    parts, start = [], 0
    while start < len(order):
        cells = n_known[order[start:]] * np.arange(1, len(order) - start + 1)  # of a block that ends here
        stop = start + max(1, int(np.searchsorted(cells, size, side="right")))
        rows, place_in_row = order[start:stop], np.arange(n_known[order[stop - 1]])
        cell = np.minimum(X.indptr[rows][:, None] + place_in_row, X.nnz - 1)  # (b, length)
        x = np.where(place_in_row < n_known[rows][:, None], X.data[cell], 0)
        parts.append(_Padded(place.put(rows), place.put(X.indices[cell].astype(np.int64)), place.put(x)))
        start = stop
    return parts


def _descend(pull: Callable[[Array, float], Array], w: Array, D: Array, M: Array, steps: int) -> Array:
    """Solve (diag(D) + Σ_i x_i h_i h_iᵀ) w = Σ_i x_i h_i of every row by preconditioned conjugate gradients.

    pull(p, y) gives Σ_i x_i (⟨h_i, p⟩ - y) h_i, and all are (b, d); M is close to the matrix's diagonal. Ends
    early where every residual is down to rounding.
    """
    r = -pull(w, 1) - D * w
    p = z = r / M
    rz = (r * z).sum(-1)[:, None]  # (b, 1)
    for _ in range(steps):
        q = D * p + pull(p, 0)
        a = rz / ((p * q).sum(-1)[:, None] + TINY)
        w, r = w + a * p, r - a * q
        z = r / M
        before, rz = rz, (r * z).sum(-1)[:, None]
        if (rz <= 1e-16 * (M * w * w).sum(-1)[:, None]).all():
            break
        p = z + rz / (before + TINY) * p
    return w
