"""Will this post work? The models of the engagement notebook, all on one footing.

`fit(X, y)` takes a frame of numbers, one row a post in order of time, and y 0 or 1; `predict_proba(X)` gives
p = P(y = 1), one number a row. No model may say 0 or 1 for lack of data: counts get one more row, or tree, that says
the overall rate r,

    p = (n q + r) / (n + 1),    q the share among n neighbours, in a leaf of n rows, or the mean of n trees.

    Majority    p = r                                       no learning: what to beat
    OwnRate     p = σ(a + b'x), x the author's past alone   what a person who knows the account would say
    Logistic    p = σ(θ_0 + x'θ), see `ctr`
    Tree, Forest, Boosting, Neighbours, SVM                 scikit-learn's
    Network     p = σ(W_3 drop(ReLU(W_2 drop(ReLU(W_1 x))))), biases left out here

What depends on units (Logistic, Neighbours, SVM, Network) sees z = (x - mean)/sd of the training rows; a column that
is constant there becomes 0. `candidates` gives each model's small grid, and `nested` chooses from it.

References: Cestnik (1990), the m-estimate; Breiman (2001), forests; Friedman (2001), boosting; Cortes & Vapnik (1995);
Platt (1999); Srivastava et al. (2014), dropout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from torch.nn import functional

from smlab import ctr, training
from smlab.auc import labels
from smlab.checks import UsageError, nearest
from smlab.training import Schedule

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 3  # rows of either class: fewer cannot be cut into the folds that an SVM's probabilities need


@dataclass(kw_only=True, eq=False)
class Model:
    """What all models share: the checks, the scale, and the names of the columns."""

    scaled: ClassVar[bool] = False

    def fit(self, X: pd.DataFrame, y: ArrayLike) -> Self:
        """Learn from posts X (n, d) in order of time and y (n,), 0 or 1; both stay as they are.

        Raises UsageError for columns that hold no finite numbers, and for fewer than three posts of either class.
        """
        A = _numbers(X)
        hit = _labels(y, len(A))
        self.columns_: list[str] = list(X.columns)
        self.rate_ = float(hit.mean())
        if self.scaled:
            spread = A.std(axis=0)
            self.center_ = A.mean(axis=0)
            self.spread_ = np.where(spread > 1e-12 * np.abs(self.center_), spread, np.inf)  # constant: z = 0
        self._learn(self._scale(A), hit)
        return self

    def predict_proba(self, X: pd.DataFrame) -> Floats:
        """Give P(y = 1) of each row of X, (n,); further columns do not matter, nor does their order."""
        if not hasattr(self, "columns_"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit(X, y) first")
        _need_columns(self.columns_, list(X))
        return self._predict(self._scale(_numbers(X[self.columns_]))) if len(X) else np.empty(0)

    def _scale(self, A: Floats) -> Floats:
        return (A - self.center_) / self.spread_ if self.scaled else A

    def _machine(self) -> Any:
        """Give the model that is fitted, unfitted: with `fit(A, y)` and `predict_proba(A)`."""
        raise NotImplementedError

    def _learn(self, A: Floats, y: Ints) -> None:
        self.model_ = self._machine().fit(A, y)

    def _predict(self, A: Floats) -> Floats:
        p = np.asarray(self.model_.predict_proba(A))
        return p[:, 1] if p.ndim == 2 else p


@dataclass(kw_only=True, eq=False)
class Majority(Model):
    """Say the overall rate of every post.

    >>> Majority().fit(pd.DataFrame({"x": range(12)}), [0, 1, 1, 1] * 3).predict_proba(pd.DataFrame({"x": [12]}))
    array([0.75])
    """

    def _learn(self, A: Floats, y: Ints) -> None:
        """The rate, which all models keep, is all."""

    def _predict(self, A: Floats) -> Floats:
        return np.full(len(A), self.rate_)


@dataclass(kw_only=True, eq=False)
class OwnRate(Model):
    """Say of a post what its author's earlier posts say, p = σ(a + b'x) of nothing but their columns x.

    `columns` is one share of earlier posts that worked, or all of the group "author's past". They are learnt how far
    to trust, so few earlier posts do not count as many.
    """

    columns: Sequence[str]
    scaled: ClassVar[bool] = True

    def _scale(self, A: Floats) -> Floats:
        _need_columns(self.columns, self.columns_)
        return super()._scale(A)[:, [self.columns_.index(c) for c in self.columns]]

    def _machine(self) -> Any:
        return ctr.LogisticRegression(reg=1e-3)


@dataclass(kw_only=True, eq=False)
class Logistic(Model):
    """Logistic regression by Newton's method; `reg` is λ of `ctr.LogisticRegression`."""

    reg: float = 0.01
    scaled: ClassVar[bool] = True

    def _machine(self) -> Any:
        return ctr.LogisticRegression(reg=self.reg, tolerance=1e-8)


@dataclass(kw_only=True, eq=False)
class Tree(Model):
    """One decision tree of at most `depth` questions, `leaf` rows or more at each end."""

    depth: int = 5
    leaf: int = 20
    seed: int = 0

    def _machine(self) -> Any:
        return DecisionTreeClassifier(max_depth=self.depth, min_samples_leaf=self.leaf, random_state=self.seed)

    def _predict(self, A: Floats) -> Floats:
        rows = self.model_.tree_.n_node_samples[self.model_.apply(A)]
        return _one_more(super()._predict(A), rows, self.rate_)


@dataclass(kw_only=True, eq=False)
class Forest(Model):
    """The mean of `trees` trees on rows drawn anew, each question among √d columns drawn anew."""

    leaf: int = 5
    trees: int = 100
    seed: int = 0

    def _machine(self) -> Any:
        return RandomForestClassifier(self.trees, min_samples_leaf=self.leaf, random_state=self.seed, n_jobs=1)

    def _predict(self, A: Floats) -> Floats:
        return _one_more(super()._predict(A), self.trees, self.rate_)


@dataclass(kw_only=True, eq=False)
class Boosting(Model):
    """Trees of `leaves` leaves one after another, each on the gradient that the former left, in histograms."""

    trees: int = 60
    leaves: int = 8
    learning_rate: float = 0.1
    leaf: int = 20
    seed: int = 0

    def _machine(self) -> Any:
        return HistGradientBoostingClassifier(
            max_iter=self.trees, max_leaf_nodes=self.leaves, min_samples_leaf=self.leaf,
            learning_rate=self.learning_rate, early_stopping=False, random_state=self.seed,
        )  # fmt: skip


@dataclass(kw_only=True, eq=False)
class Neighbours(Model):
    """The share among the k nearest posts, at most a third of all, and any as near; Euclidean, of scaled columns."""

    k: int = 50
    scaled: ClassVar[bool] = True

    def _learn(self, A: Floats, y: Ints) -> None:
        self.k_, self.rows_, self.y_ = max(1, min(self.k, len(y) // 3)), A, y

    def _predict(self, A: Floats) -> Floats:
        return np.concatenate([self._near(A[i : i + 1000]) for i in range(0, len(A), 1000)])

    def _near(self, A: Floats) -> Floats:
        D = euclidean_distances(A, self.rows_, squared=True)  # a rounding error must not choose among equals
        far = np.partition(D, self.k_ - 1, axis=1)[:, self.k_ - 1 : self.k_]
        near = far + 1e-9 * (far + 1) >= D
        n = near.sum(axis=1)
        return _one_more(near @ self.y_ / n, n, self.rate_)


@dataclass(kw_only=True, eq=False)
class SVM(Model):
    """A support vector machine with kernel exp(-γ‖z - z'‖²), γ = `width`/d, and Platt's sigmoid for probabilities.

    The sigmoid is learnt on the scores of three held-out folds of the training rows, which scikit-learn 1.9 asks for
    in place of `probability=True`. The n² kernels are computed once for all four fits: 80 MB for 3,200 posts.
    """

    C: float = 1.0
    width: float = 0.5
    scaled: ClassVar[bool] = True

    def _machine(self) -> Any:
        return CalibratedClassifierCV(SVC(C=self.C, kernel="precomputed"), method="sigmoid", cv=3, ensemble=False)

    def _learn(self, A: Floats, y: Ints) -> None:
        self.rows_ = A
        super()._learn(self._kernel(A), y)

    def _predict(self, A: Floats) -> Floats:
        return super()._predict(self._kernel(A))

    def _kernel(self, A: Floats) -> Floats:
        return rbf_kernel(A, self.rows_, gamma=self.width / A.shape[1])


@dataclass(kw_only=True, eq=False)
class Network(Model):
    """Dense layers with ReLU and dropout, trained by Adam on the binary cross-entropy.

    `hidden` are the widths, `dropout` the share of units left out in training, `reg` is Adam's weight decay. The latest
    rows, a share `held_out`, are not learnt from: their log-loss says when to stop.
    """

    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.5
    learning_rate: float = 3e-3
    reg: float = 1e-4
    epochs: int = 60
    batch_size: int = 128
    patience: int = 4
    held_out: float = 0.2
    seed: int = 0
    device: str = "auto"
    scaled: ClassVar[bool] = True

    def _learn(self, A: Floats, y: Ints) -> None:
        x, hit = torch.tensor(A, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
        cut = len(y) - max(1, round(self.held_out * len(y)))
        with training.seeded(self.seed):
            self.module_ = self._build(A.shape[1]).to(training.device(self.device))
            adam = torch.optim.Adam(self.module_.parameters(), self.learning_rate, weight_decay=self.reg)
            self.history_ = training.train(
                self.module_, x[:cut], hit[:cut], validation=(x[cut:], hit[cut:]), optimizers=[adam],
                loss=functional.binary_cross_entropy_with_logits,
                score=lambda y, z: float(np.mean(y * z - np.logaddexp(0, z))),  # log p(y) of logits z
                schedule=Schedule(epochs=self.epochs, batch_size=self.batch_size, patience=self.patience, decay=0.5),
            )  # fmt: skip

    def _build(self, width: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for n in self.hidden:
            layers += [nn.Linear(width, n), nn.ReLU(), nn.Dropout(self.dropout)]
            width = n
        return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))

    def _predict(self, A: Floats) -> Floats:
        z = training.predict(self.module_, torch.tensor(A, dtype=torch.float32))
        return ctr.sigmoid(np.clip(z, -36, 36))


def candidates(*, own: OwnRate | None = None, seed: int = 0, device: str = "auto") -> dict[str, list[Any]]:
    """Give all models by name, each with the settings to choose from; `own` where columns tell of the author.

    >>> {name: len(grid) for name, grid in candidates().items()}
    {'majority': 1, 'tree': 4, 'neighbours': 4, 'SVM': 4, 'logistic': 4, 'forest': 2, 'boosting': 4, 'network': 2}
    """
    return {
        "majority": [Majority()],
        **({"own rate": [own]} if own else {}),
        "tree": [Tree(depth=d, leaf=n, seed=seed) for d in (3, 6) for n in (100, 50)],
        "neighbours": [Neighbours(k=k) for k in (200, 100, 50, 25)],
        "SVM": [SVM(C=C, width=w) for w in (0.2, 0.8) for C in (0.2, 1.0)],
        "logistic": [Logistic(reg=reg) for reg in (0.3, 0.1, 0.03, 0.01)],
        "forest": [Forest(leaf=n, seed=seed) for n in (10, 3)],
        "boosting": [Boosting(trees=t, leaves=n, seed=seed) for n in (4, 8) for t in (30, 90)],
        "network": [Network(dropout=p, seed=seed, device=device) for p in (0.5, 0.2)],
    }


def _one_more(q: NDArray, n: ArrayLike, rate: float) -> Floats:
    return (np.asarray(n, dtype=float) * q + rate) / (np.asarray(n, dtype=float) + 1)


def _need_columns(names: Sequence[Any], known: list[Any]) -> None:
    if absent := [c for c in names if c not in known]:
        raise UsageError(f"the frame has no column {absent[0]!r}; {nearest(str(absent[0]), map(str, known))}")


def _numbers(X: pd.DataFrame) -> Floats:
    """Give the frame as (n, d) of finite numbers."""
    if not isinstance(X, pd.DataFrame) or not X.shape[1]:
        raise UsageError("X must be a frame with a row for each post and a column for each feature")
    for name, kind in zip(X.columns, X.dtypes, strict=True):
        if not pd.api.types.is_numeric_dtype(kind):
            raise UsageError(f"column {name!r} holds {kind}, which no scaler can scale: encode it as numbers first")
    A = X.to_numpy(dtype=float, na_value=np.nan)
    if len(wrong := np.argwhere(~np.isfinite(A))):
        (row, j), more = wrong[0], f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(f"row {row}, column {X.columns[j]!r}: {A[row, j]} is not finite; fill or drop it{more}")
    return A


def _labels(y: ArrayLike, n: int) -> Ints:
    label = np.asarray(y)
    if label.shape != (n,):
        raise UsageError(f"X has {n} rows, y has shape {label.shape}; each post has one label")
    hit = labels(label, np.zeros(n))[0].astype(np.int64) if n else label.astype(np.int64)
    if min(hit.sum(), n - hit.sum()) < LEAST:
        raise UsageError(f"{n} posts, {hit.sum()} of which worked: to learn, each side needs at least {LEAST}")
    return hit
