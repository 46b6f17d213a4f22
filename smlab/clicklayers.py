"""The parts that networks for clicks are built of: one table for all fields, pairwise term, gates, fusion.

B rows, F fields, k factors. A layer takes and gives tensors with the rows first; logits (B,) are what the
networks of `clicknets` add up. All fields share one table (see `encoding`), so a batch is one gather.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class Table(nn.Module):
    """Give each code its row of parameters: codes (B, F) → (B, F, width).

    Rows start as N(0, std²), those of place 0 (unknown values) as 0: until something was learnt about them
    they add nothing.
    """

    def __init__(self, sizes: Sequence[int], width: int, *, std: float = 0.01, sparse: bool = False) -> None:
        super().__init__()
        n_features = int(sum(sizes))
        self.sparse = sparse
        self.weight = nn.Parameter(torch.randn(n_features, width) * std)
        with torch.no_grad():
            self.weight[torch.from_numpy(np.cumsum([0, *sizes[:-1]]))] = 0.0

    def forward(self, codes: Tensor) -> Tensor:
        return functional.embedding(codes, self.weight, sparse=self.sparse)

    def total(self, codes: Tensor) -> Tensor:
        """Give the sum of the rows of each impression, (B, width), without the rows themselves."""
        return functional.embedding_bag(codes, self.weight, mode="sum", sparse=self.sparse)


def pairwise(v: Tensor) -> Tensor:
    """Give Σ_{i<j} ⟨v_i, v_j⟩ of v (B, F, k) as (B,), in O(kF) instead of O(kF²).

    = ½ Σ_f [ (Σ_i v_if)² - Σ_i v_if² ]: Rendle (2010), lemma 3.1, with every x_i = 1.

    >>> pairwise(torch.tensor([[[1.0], [2.0], [3.0]]]))  # 1·2 + 1·3 + 2·3
    tensor([11.])
    """
    square_of_sum = v.sum(dim=1).square()  # (B, k)
    sum_of_squares = v.square().sum(dim=1)  # (B, k)
    return 0.5 * (square_of_sum - sum_of_squares).sum(dim=1)


def network(n_in: int, hidden: Sequence[int], *, dropout: float = 0.0, batch_norm: bool = False) -> nn.Sequential:
    """Stack Linear → batch norm → ReLU → dropout for each width of `hidden`: (B, n_in) → (B, hidden[-1]).

    Batch norm (Ioffe & Szegedy 2015) before the ReLU, as they have it and as the models of the BARS board do.
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(Linear(n_in, width, bias=not batch_norm))  # batch norm has its own
        layers += [nn.BatchNorm1d(width)] if batch_norm else []
        layers.append(ReLUDropout(dropout))
        n_in = width
    return nn.Sequential(*layers)


class Linear(nn.Linear):
    """Give xWᵀ + b, on the CPU by oneDNN.

    torch sends float32 products to MKL, which on processors of other makers than Intel takes half of their
    vector width: measured on a Zen 5, 4096 x 400 by 400 x 400 forth and back takes 23 ms there and 12 ms here,
    to the same precision. Everywhere else, and in lower precision, it is torch's own layer.
    """

    def __init__(self, n_in: int, n_out: int, *, bias: bool = True) -> None:
        super().__init__(n_in, n_out, bias=bias)
        nn.init.xavier_normal_(self.weight)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if ONEDNN and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu"):
            return cast(Tensor, _OneDNN.apply(x, self.weight, self.bias))
        return functional.linear(x, self.weight, self.bias)


class _OneDNN(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, b: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, W)
        ctx.bias = b is not None
        return _product(x, W, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, W = ctx.saved_tensors
        g = grads[0].contiguous()  # (B, n_out)
        dx = _product(g, W.t().contiguous()) if ctx.needs_input_grad[0] else None
        return dx, _product(g.t(), x.t()), g.sum(dim=0) if ctx.bias else None


def _product(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, W, b, "none", [], ""))


class ReLUDropout(nn.Module):
    """Give max(x, 0), and in training leave out each unit with probability p: Srivastava et al. (2014).

    What is kept is scaled by 1/(1-p), so nothing changes in prediction. On the CPU 16 random bits decide on a
    unit, so p is exact to 2⁻¹⁶; torch draws a double for each, one by one, which took a third of the time of
    a DeepFM (measured: 11 ms for 4096 x 400 units, 2 ms here).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if self.p == 0 or not self.training:
            return functional.relu(x)
        if x.device.type != "cpu":
            return functional.dropout(functional.relu(x), self.p)
        return cast(Tensor, _ReLUDropout.apply(x, self.p))


class _ReLUDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        out_of = round(p * 65_536)
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        kept = torch.ge(bits[: x.numel()].view(x.shape), out_of - 32_768, out=torch.empty(x.shape, dtype=x.dtype))
        ctx.scale = 65_536 / (65_536 - out_of)
        y = x.clamp_min(0).mul_(kept).mul_(ctx.scale)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors  # y > 0 exactly where x > 0 and x was kept
        return torch.ops.aten.threshold_backward(grads[0], y, 0).mul_(ctx.scale), None


class Gate(nn.Module):
    """Let a context decide what of x counts: x ⊙ 2σ(MLP(context)), Mao et al. (2023), feature selection.

    The context (B, c) is the embeddings of some fields; gates lie in (0, 2) and are 1 where nothing speaks.
    """

    def __init__(self, n_context: int, hidden: int, n_out: int) -> None:
        super().__init__()
        self.hidden = network(n_context, [hidden])
        self.out = Linear(hidden, n_out)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return x * (2 * torch.sigmoid(self.out(self.hidden(context))))


class BilinearFusion(nn.Module):
    """Fuse two streams into one logit, with their products: Mao et al. (2023), multi-head fusion.

    z = b + w₁ᵀx + w₂ᵀy + Σ_h x_hᵀ W_h y_h  over the heads h, equal parts of x (B, n_x) and y (B, n_y).
    """

    def __init__(self, n_x: int, n_y: int, n_heads: int) -> None:
        super().__init__()
        self.x, self.y = nn.Linear(n_x, 1), nn.Linear(n_y, 1)
        self.W = nn.Parameter(torch.empty(n_heads, n_x // n_heads, n_y // n_heads))
        for weight in (self.x.weight, self.y.weight, self.W):
            nn.init.xavier_normal_(weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        n_heads, m, n = self.W.shape
        x_h, y_h = x.view(-1, n_heads, m), y.view(-1, n_heads, n)  # (B, h, m) and (B, h, n)
        product = torch.einsum("bhm,hmn,bhn->b", x_h, self.W, y_h)
        return (self.x(x) + self.y(y)).squeeze(1) + product


class Cross(nn.Module):
    """Cross features explicitly: x_{l+1} = x_0 ⊙ (W_l x_l + b_l) + x_l, DCN V2, Wang et al. (2021), section 3."""

    def __init__(self, n_in: int, n_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(n_in, n_in) for _ in range(n_layers))

    def forward(self, x_0: Tensor) -> Tensor:
        x = x_0
        for layer in self.layers:
            x = torch.addcmul(x, x_0, layer(x))
        return x
