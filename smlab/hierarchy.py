"""What the vectors of all users (or all items) have in common, learnt from them: the prior of Bayesian MF.

    a_n ~ N(μ + Σ_g B_gᵀ x_gn, Λ⁻¹)                     a_n (F,), x_gn what is known of n, in groups g
    B_g | Λ, λ_g ~ N(0, λ_g⁻¹ I ⊗ Λ⁻¹),  λ_g ~ Gamma    the link of a group of features
    μ, Λ ~ Normal-Wishart                               Salakhutdinov & Mnih (2008), sec. 3.1

Without features this is the prior of BPMF, with them that of Macau (Simm et al. 2017). With "which items has n
rated" for x_n, the sum Bᵀ x_n is the Σ_j y_j of SVD++ (Koren 2008); with "which users rated n" it is the "flipped"
half of Rendle et al. (2019). So implicit feedback is one more group of features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

Floats = NDArray[np.float64]
BETA_0 = 2.0  # the prior of μ counts as much as two users; with W_0 = I and ν_0 = F the choice of their experiments


class Hierarchy:
    """The prior of n vectors (n, F), with its own Gibbs step.

    Parameters
    ----------
    n, size : number of vectors and F
    features : groups of features, each sparse (n, D_g)
    """

    mu: Floats  # μ (F,)
    mean: Floats  # (n, F) what is expected of each vector
    precision: Floats  # Λ (F, F)

    def __init__(self, n: int, size: int, features: Sequence[sparse.csr_array] = ()) -> None:
        self.links = [_Link(X, size) for X in features]
        self.mu, self.mean, self.precision = np.zeros(size), np.zeros((n, size)), np.eye(size)

    def draw(self, A: Floats, rng: np.random.Generator) -> None:
        """Draw B, λ, μ and Λ given the vectors A (n, F)."""
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        explained = sum((link.value for link in self.links), np.zeros_like(A))
        for link in self.links:  # by turns: each explains what the others leave
            explained -= link.value
            link.draw(A - self.mu - explained, self.precision, root, rng)
            explained += link.value
        E, n, size = A - explained, len(A), A.shape[1]
        m = E.mean(axis=0)
        S = np.eye(size) + (E - m).T @ (E - m) + n * BETA_0 / (n + BETA_0) * np.outer(m, m)
        S += sum((link.scatter() for link in self.links), np.zeros_like(S))
        freedom = size + n + sum(len(link.s2) for link in self.links)
        self.precision = wishart(freedom, np.linalg.inv(S), rng)
        root = np.linalg.cholesky(np.linalg.inv(self.precision * (n + BETA_0)))
        self.mu = n / (n + BETA_0) * m + root @ rng.standard_normal(size)
        self.mean = self.mu + explained


class _Link:
    """Bᵀ x_n of one group of features, drawn in the basis in which its parts are independent.

    X = L S Rᵀ: of B only the rows c = S Rᵀ B (r, F) matter for these n, and a priori c_k ~ N(0, s_k²/λ Λ⁻¹). Given
    the vectors, c_k is normal with mean g_k (LᵀA)_k and covariance g_k Λ⁻¹, where g_k = s_k²/(s_k² + λ).
    """

    def __init__(self, X: sparse.csr_array, size: int) -> None:
        self.L, self.s2 = left_vectors(X)  # (n, r), (r,)
        self.reg = 1.0  # λ
        self.c = np.zeros((len(self.s2), size))
        self.value = np.zeros((X.shape[0], size))  # XB = Lc

    def draw(self, A: Floats, precision: Floats, root: Floats, rng: np.random.Generator) -> None:
        """Draw c and λ given what the link has to explain, A (n, F), Λ and the root of Λ⁻¹."""
        g = (self.s2 / (self.s2 + self.reg))[:, None]
        self.c = g * (self.L.T @ A) + np.sqrt(g) * (rng.standard_normal(self.c.shape) @ root.T)
        self.value = self.L @ self.c
        squares = np.einsum("kf,fg,kg,k->", self.c, precision, self.c, 1 / self.s2, optimize=True)
        self.reg = rng.gamma(1.0 + self.c.size / 2) / (1e-3 + squares / 2)  # a flat Gamma(1, 0.001) before

    def scatter(self) -> Floats:
        """Give λ BᵀB (F, F), what the link says of Λ."""
        return cast(Floats, self.reg * (self.c / self.s2[:, None]).T @ self.c)


def left_vectors(X: sparse.csr_array) -> tuple[Floats, Floats]:
    """Give the left singular vectors (n, r) of X (n, D) and the squares of the singular values (r,), above rounding.

    From the smaller of XXᵀ and XᵀX: min(n, D)² in memory, min(n, D)³ in time.
    """
    wide = X.shape[0] <= X.shape[1]
    s2, vectors = linalg.eigh((X @ X.T if wide else X.T @ X).toarray())
    keep = s2 > 1e-8 * max(s2.max(initial=0.0), 1e-300)
    s2, vectors = s2[keep], vectors[:, keep]
    return (vectors if wide else (X @ vectors) / np.sqrt(s2)), s2


def unit_rows(X: sparse.csr_array) -> sparse.csr_array:
    """Give every row of X length 1, as SVD++ divides by √|N(u)|; an empty row stays empty."""
    lengths = np.sqrt(np.asarray(X.power(2).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1 / np.where(lengths > 0, lengths, 1.0)) @ X)


def wishart(freedom: float, scale: Floats, rng: np.random.Generator) -> Floats:
    """Draw from the Wishart distribution with mean `freedom` · `scale` (F, F), by Bartlett's decomposition."""
    size = len(scale)
    A = np.tril(rng.standard_normal((size, size)), -1)
    A[np.diag_indices(size)] = np.sqrt(rng.chisquare(freedom - np.arange(size)))
    LA = np.linalg.cholesky(scale) @ A
    return cast(Floats, LA @ LA.T)
