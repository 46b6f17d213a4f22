"""Networks for clicks: LR, FM, DeepFM, DCNv2, FinalMLP and the two-layer network, one family.

Each gives the logit z of a click from the F codes of an impression; p = σ(z):

    LR           z = b + Σ_i w_i                                        what a sum of fields can say
    FM           z = LR + Σ_{i<j} ⟨v_i, v_j⟩                            and pairs of fields: Rendle 2010
    DeepFM       z = FM + MLP(v_1 … v_F)                                and the rest: Guo et al. 2017
    DCNv2        z = wᵀ[cross(v), MLP(v)]                               explicit crosses: Wang et al. 2021
    FinalMLP     z = fusion(MLP₁(gate₁ ⊙ v), MLP₂(gate₂ ⊙ v))           two streams: Mao et al. 2023
    TwoLayerNet  z = c + uᵀσ(b + Σ_i w_i),  w_i (hidden,)               a hidden layer of sigmoids on one-hots

`fit`, `predict_proba` and `save` are those of `ClickNet`. `ctr.LogisticRegression` is the closed form of LR for
few columns, with intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smlab.checks import UsageError
from smlab.clickfit import ClickNet
from smlab.clicklayers import BilinearFusion, Cross, Gate, Linear, Table, network, pairwise


@dataclass(kw_only=True, eq=False)
class LR(ClickNet):
    """Logistic regression on one-hot fields, z = b + Σ_i w_i: as many weights as values, one gather a batch."""

    def build(self, sizes: Sequence[int]) -> nn.Module:
        return _Linear(sizes, self.sparse)


@dataclass(kw_only=True, eq=False)
class FM(ClickNet):
    """Factorization machine, z = b + Σ_i w_i + Σ_{i<j} ⟨v_i, v_j⟩: Rendle (2010), eq. 1.

    A pair of values gets the product of its two vectors, so pairs that were never seen together get one too.

    Parameters
    ----------
    n_factors : k, the length of v_i
    """

    n_factors: int = 10

    def build(self, sizes: Sequence[int]) -> nn.Module:
        return _FM(sizes, self.n_factors, self.sparse)


@dataclass(kw_only=True, eq=False)
class DeepFM(FM):
    """FM plus a network on the same vectors, z = FM + MLP(v_1 … v_F): Guo et al. (2017), eq. 1-4.

    Parameters
    ----------
    n_factors : k, the length of v_i
    hidden : widths of the network
    dropout : share of units left out in training
    batch_norm : normalise each layer over the batch, as on the BARS board
    """

    hidden: tuple[int, ...] = (400, 400, 400)
    dropout: float = 0.2
    batch_norm: bool = True

    def build(self, sizes: Sequence[int]) -> nn.Module:
        deep = network(len(sizes) * self.n_factors, self.hidden, dropout=self.dropout, batch_norm=self.batch_norm)
        return _FM(sizes, self.n_factors, self.sparse, deep, self.hidden[-1])


@dataclass(kw_only=True, eq=False)
class DCNv2(DeepFM):
    """Cross network beside a network, z = wᵀ[cross(v), MLP(v)]: Wang et al. (2021), the parallel form of fig. 1.

    Parameters
    ----------
    n_layers : crosses; l of them hold products of up to l + 1 fields
    n_factors, hidden, dropout, batch_norm : as in `DeepFM`
    """

    n_layers: int = 3

    def build(self, sizes: Sequence[int]) -> nn.Module:
        n = len(sizes) * self.n_factors
        deep = network(n, self.hidden, dropout=self.dropout, batch_norm=self.batch_norm)
        return _DCN(
            Table(sizes, self.n_factors, sparse=self.sparse), Cross(n, self.n_layers), deep, n + self.hidden[-1]
        )


@dataclass(kw_only=True, eq=False)
class FinalMLP(ClickNet):
    """Two networks that see the fields through different gates, fused by products: Mao et al. (2023).

    The gates take the same vectors as the networks (FuxiCTR keeps a second table for them): one gather less,
    which was not compared. On Frappe's validation file, with reg=0.05, AUC was .9862 with gates by user and item
    (mean of three seeds), .9862 without and .9849 for DCNv2 (one seed each): the gates are not proven there.

    Parameters
    ----------
    n_factors : k, the length of v_i
    hidden, hidden_2 : widths of the two networks; their last ones are cut into `n_heads` equal parts
    contexts : for each gate the fields (their places in `codes`) whose vectors set it, such as ((0,), (1,)) for
        user and item where these come first; () leaves the gates out
    n_gate : width of the hidden layer of a gate
    dropout, batch_norm : of both networks
    """

    n_factors: int = 10
    hidden: tuple[int, ...] = (400,)
    hidden_2: tuple[int, ...] = (100,)
    n_heads: int = 5
    contexts: tuple[tuple[int, ...], ...] = ()
    n_gate: int = 400
    dropout: float = 0.4
    batch_norm: bool = True

    def build(self, sizes: Sequence[int]) -> nn.Module:
        if self.hidden[-1] % self.n_heads or self.hidden_2[-1] % self.n_heads:
            last = f"{self.hidden[-1]} and {self.hidden_2[-1]}"
            raise UsageError(f"n_heads={self.n_heads} must divide the last widths of hidden and hidden_2, {last}")
        if self.contexts and (len(self.contexts) != 2 or not set(sum(self.contexts, ())) <= set(range(len(sizes)))):
            raise UsageError(f"contexts={self.contexts} must be two groups of fields from 0 to {len(sizes) - 1}")
        return _FinalMLP(self, sizes)


@dataclass(kw_only=True, eq=False)
class TwoLayerNet(ClickNet):
    """A hidden layer of sigmoids on one-hot fields, z = c + uᵀσ(b + Σ_i w_i).

    Row i of the first layer's weights is the vector of value i, so the product with a one-hot input is a sum
    of rows. With no hidden layer it would be logistic regression: two models, not one.

    Parameters
    ----------
    n_hidden : units of the hidden layer
    """

    n_hidden: int = 32

    def build(self, sizes: Sequence[int]) -> nn.Module:
        return _TwoLayer(Table(sizes, self.n_hidden, std=0.1, sparse=self.sparse))


class _Linear(nn.Module):
    def __init__(self, sizes: Sequence[int], sparse: bool) -> None:
        super().__init__()
        self.table = Table(sizes, 1, sparse=sparse)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, codes: Tensor) -> Tensor:
        return self.bias + self.table.total(codes).squeeze(1)


class _FM(nn.Module):
    """One table of width 1 + k: w_i and v_i of a code come with one gather."""

    def __init__(
        self, sizes: Sequence[int], n_factors: int, sparse: bool, deep: nn.Module | None = None, n_deep: int = 0
    ) -> None:
        super().__init__()
        # FM alone stays long where vectors begin near 0, for their products are tiny. A network with batch norm
        # scales them up, so there they begin as in FuxiCTR.
        self.table = Table(sizes, 1 + n_factors, std=0.01 if deep is None else 1e-4, sparse=sparse)
        self.bias = nn.Parameter(torch.zeros(()))
        self.deep = nn.Sequential(deep, Linear(n_deep, 1)) if deep is not None else None

    def forward(self, codes: Tensor) -> Tensor:
        rows = self.table(codes)  # (B, F, 1 + k)
        w, v = rows[..., 0], rows[..., 1:]
        z = self.bias + w.sum(dim=1) + pairwise(v)
        return z if self.deep is None else z + self.deep(v.flatten(1)).squeeze(1)


class _DCN(nn.Module):
    def __init__(self, table: Table, cross: Cross, deep: nn.Module, n_out: int) -> None:
        super().__init__()
        self.table, self.cross, self.deep, self.out = table, cross, deep, nn.Linear(n_out, 1)

    def forward(self, codes: Tensor) -> Tensor:
        v = self.table(codes).flatten(1)  # (B, F·k)
        return self.out(torch.cat([self.cross(v), self.deep(v)], dim=1)).squeeze(1)


class _FinalMLP(nn.Module):
    def __init__(self, net: FinalMLP, sizes: Sequence[int]) -> None:
        super().__init__()
        n, k = len(sizes) * net.n_factors, net.n_factors
        self.table = Table(sizes, k, sparse=net.sparse)
        self.contexts = net.contexts
        self.gates = nn.ModuleList(Gate(len(c) * k, net.n_gate, n) for c in net.contexts)
        self.mlp_1 = network(n, net.hidden, dropout=net.dropout, batch_norm=net.batch_norm)
        self.mlp_2 = network(n, net.hidden_2, dropout=net.dropout, batch_norm=net.batch_norm)
        self.fusion = BilinearFusion(net.hidden[-1], net.hidden_2[-1], net.n_heads)

    def forward(self, codes: Tensor) -> Tensor:
        rows = self.table(codes)  # (B, F, k)
        v_1 = v_2 = rows.flatten(1)
        if self.contexts:
            c_1, c_2 = (rows[:, list(fields)].flatten(1) for fields in self.contexts)
            v_1, v_2 = self.gates[0](v_1, c_1), self.gates[1](v_2, c_2)
        return self.fusion(self.mlp_1(v_1), self.mlp_2(v_2))


class _TwoLayer(nn.Module):
    def __init__(self, table: Table) -> None:
        super().__init__()
        n_hidden = table.weight.shape[1]
        self.table, self.bias, self.out = table, nn.Parameter(torch.zeros(n_hidden)), nn.Linear(n_hidden, 1)

    def forward(self, codes: Tensor) -> Tensor:
        return self.out(torch.sigmoid(self.bias + self.table.total(codes))).squeeze(1)
