"""The least squares of all users (or all items) at once: one small linear system for each row of a sparse matrix.

Alternating least squares and Gibbs sampling both hold one side of r_ui ≈ b_u + b_i + p_u·q_i fixed and solve for
the other. With the bias as one more factor that is one regression for each user on the vectors v_i = (q_i, 1)
of what she rated:

    A_u a_u = b_u,    A_u = Σ_i v_i v_iᵀ + prior,    b_u = Σ_i v_i t_ui,    a_u = (p_u, bias of u)

All Σ v vᵀ are one product of the sparse matrix with the lower triangles of the v vᵀ; the systems are solved in one
batch. No loop over users.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from smlab.similarity import with_values

Floats = NDArray[np.float64]


def grams(X: sparse.csr_array, V: Floats) -> Floats:
    """Give Σ_i v_i v_iᵀ over the entries i of each row of X (n, m), for V (m, F): (n, F, F).

    >>> grams(sparse.csr_array([[7, 0], [7, 7]]), np.array([[1.0, 2.0], [3.0, 0.0]]))[1]
    array([[10.,  2.],
           [ 2.,  4.]])
    """
    F = V.shape[1]
    f, g = np.tril_indices(F)
    sums = with_values(X, np.ones(X.nnz)) @ (V[:, f] * V[:, g])  # (n, F(F+1)/2)
    A = np.empty((X.shape[0], F, F))
    A[:, f, g] = A[:, g, f] = sums
    return A


def solve(A: Floats, b: Floats, z: Floats | None = None) -> Floats:
    """Solve A_n a_n = b_n for every n, (n, F); with normal z (n, F) draw a_n ~ N(A_n⁻¹ b_n, A_n⁻¹) instead.

    a = A⁻¹(b + Lz) with A = LLᵀ: its covariance is A⁻¹ LLᵀ A⁻¹ = A⁻¹.
    """
    if z is not None:
        b = b + np.einsum("nfg,ng->nf", np.linalg.cholesky(A), z)
    return cast(Floats, np.linalg.solve(A, b[:, :, None])[:, :, 0])


def design(other: Floats) -> Floats:
    """Give (q, 1) of vectors (q, bias), (m, F): the regressors beside which one's own bias stands."""
    V = other.copy()
    V[:, -1] = 1.0
    return V


def less_bias(X: sparse.csr_array, mean: float, other: Floats) -> sparse.csr_array:
    """Give what is left to explain of each rating in X (n, m): r - μ - the bias of the other side."""
    return with_values(X, X.data - mean - other[X.indices, -1])


def expected(mean: float, U: Floats, V: Floats) -> Floats:
    """Give μ + b_u + b_i + p_u·q_i of vectors (p, b_u) and (q, b_i), row by row: (n, F) twice → (n,)."""
    return cast(Floats, mean + np.einsum("nf,nf->n", U[:, :-1], V[:, :-1]) + U[:, -1] + V[:, -1])
