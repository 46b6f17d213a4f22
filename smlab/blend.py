"""Add up the scores of several recommenders: models that err differently are better together.

    s_ui = Σ_m a_m s^m_ui / σ_m,    σ_m the standard deviation of the scores of model m

The scales σ_m are measured on the users of the fit, so that the weights a_m mean the same for all models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from smlab.checks import UsageError
from smlab.ranking import Floats, Ranker, Reasons, largest

SAMPLE = 500  # users on whom the scales are measured, spread evenly over all


class Blend(Ranker):
    """Score by the weighted sum of the models' scores, each in units of its standard deviation.

    Parameters
    ----------
    models : the models to add, by name, whose reasons are items (not `UserKNN`)
    weights : a_m ≥ 0 by the same names, 1 where left out

    >>> from scipy import sparse
    >>> from smlab.neighbors import EASE, ItemKNN
    >>> X = sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    >>> Blend({"EASE": EASE(reg=1), "kNN": ItemKNN(k=1)}).fit(X).recommend([3], k=1)[0]
    array([[1]])
    """

    def __init__(self, models: Mapping[str, Ranker], *, weights: Mapping[str, float] | None = None) -> None:
        unknown = [name for name in weights or {} if name not in models]
        if unknown:
            raise UsageError(f"weights name {unknown[0]!r}; the models are {', '.join(models)}")
        self.models, self.weights = dict(models), dict.fromkeys(models, 1.0) | dict(weights or {})
        if not all(0 <= a < np.inf for a in self.weights.values()) or not sum(self.weights.values()):
            raise UsageError(f"weights {self.weights} must be finite and 0 or more, one of them above 0")

    def fit(self, user_items: Any) -> Blend:
        """Fit each model on `user_items` (n_users, n_items), which stays as it is, and measure its scale."""
        X = self._start(user_items)
        some = np.unique(np.linspace(0, X.shape[0] - 1, min(SAMPLE, X.shape[0])).astype(int))
        self.share_: dict[str, float] = {}  # a_m / σ_m
        for name, model in self.models.items():
            spread = float(model.fit(X).scores(some).std())  # type: ignore[attr-defined]
            self.share_[name] = self.weights[name] / (spread or 1.0)
        return self

    def scores(self, users: ArrayLike | None = None, *, user_items: Any = None) -> Floats:
        """Give the weighted sum, (n, n_items); what the user has is scored too."""
        X, rows = self._profiles(users, user_items)
        total = np.zeros((len(rows), X.shape[1]))
        for name, model in self.models.items():
            total += self.share_[name] * model.scores(rows, user_items=None if user_items is None else X)
        return total

    def explain(self, user: int, item: int, n: int | None = None, *, user_items: Any = None) -> Reasons:
        """Give the user's items j with what each adds over all models, largest first; together the score."""
        self._profiles(user, user_items)
        total: Counter[int] = Counter()
        for name, model in self.models.items():
            reasons = model.explain(user, item, user_items=user_items)  # type: ignore[attr-defined]
            total.update({j: self.share_[name] * value for j, value in reasons})
        return largest(np.array(list(total), dtype=np.int64), np.array(list(total.values()), dtype=float), n)
