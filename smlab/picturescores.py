"""Judge made pictures against real ones that were held out: close to them, as many-sided, and not copied?

Everything is measured in one feature space that needs no download: colours and edges of 4 x 4 cells, then principal
components (`Features`). So the Fréchet distance here is not the published FID, which stands on Inception's features,
and may only be compared with itself: with the distance between two real parts, the noise floor, and with other makers
at the same number of pictures.

Heusel et al. (2017), Fréchet distance; Kynkäänniemi et al. (2019), precision and recall; Naeem et al. (2020), density
and coverage; Lopez-Paz & Oquab (2017), a classifier as a test; Meehan, Chaudhuri & Dasgupta (2020), test for copies;
Dalal & Triggs (2005), histograms of edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from smlab.auc import auc_interval
from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap

Floats = NDArray[np.float64]
REAL = "training pictures"  # the row of the noise floor
CELLS, DIRECTIONS = 4, 8
LEAST = 20  # pictures


class Features:
    """Colours and edges of a picture as `n` numbers of length 1, by what varies most among the training pictures.

    Of each of 4 x 4 cells: the mean of each channel, and the square roots of how much edge there is in each of eight
    directions. Both halves weigh the same. Their principal components are scaled to length 1: else a faint mixture
    lies near the mean, where it is within the reach of many pictures.

    Parameters
    ----------
    n : principal components

    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((50, 8, 8, 1))
    >>> f = Features(n=10).fit(X)
    >>> f(X).shape, bool(np.allclose(np.linalg.norm(f(X), axis=1), 1))
    ((50, 10), True)
    """

    def __init__(self, *, n: int = 32) -> None:
        self.n = n

    def fit(self, images: ArrayLike) -> Features:
        """Learn the scale of both halves and the components from (n, size, size, c)."""
        x = checked(images, "the training pictures")
        halves = _colours(x), _edges(x)
        spread = [max(np.sqrt(half.var(axis=0).sum()), 1e-12) for half in halves]
        self.scale_ = np.concatenate([np.full(h.shape[1], 1 / s) for h, s in zip(halves, spread, strict=True)])
        y = np.hstack(halves) * self.scale_
        self.mean_ = y.mean(axis=0)
        self.components_ = np.linalg.svd(y - self.mean_, full_matrices=False)[2][: self.n].T
        return self

    def __call__(self, images: ArrayLike) -> Floats:
        """Give (m, n)."""
        x = checked(images, "pictures")
        raw = np.hstack([_colours(x), _edges(x)])
        if raw.shape[1] != len(self.scale_):
            raise UsageError(f"pictures have {x.shape[-1]} channels, which the training pictures have not")
        z = (raw * self.scale_ - self.mean_) @ self.components_
        return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def checked(images: ArrayLike, what: str) -> Floats:
    """Give pictures as (n, size, size, c) from 0 to 1; values outside are cut, as a screen cuts them."""
    x = np.asarray(images, dtype=float)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or x.shape[1] != x.shape[2] or x.shape[1] < CELLS or x.shape[3] not in (1, 3):
        raise UsageError(f"{what} have the shape {x.shape}; (n, size, size, 1 or 3) with size 4 or more is needed")
    if not np.isfinite(x).all():
        raise UsageError(f"{what} hold values that are not finite")
    return x.clip(0, 1)


def _pool(x: Floats) -> Floats:
    """Add up over 4 x 4 cells: (n, size, size, c) → (n, 16 c)."""
    size = x.shape[1]
    cell = (np.arange(size) * CELLS // size == np.arange(CELLS)[:, None]) / (size / CELLS)  # (4, size)
    return np.einsum("ai,nijc,bj->nabc", cell, x, cell, optimize=True).reshape(len(x), -1)


def _colours(x: Floats) -> Floats:
    return _pool(x)


def _edges(x: Floats) -> Floats:
    grey = np.pad(x.mean(axis=3), ((0, 0), (1, 1), (1, 1)), mode="edge")
    dx, dy = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2], grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]  # (n, size, size)
    at = (np.arctan2(dy, dx) % np.pi) / np.pi * DIRECTIONS  # light to dark counts as dark to light
    low = np.floor(at).astype(int) % DIRECTIONS
    part = (at - np.floor(at))[..., None]
    one, other = (low[..., None] == np.arange(DIRECTIONS)), ((low[..., None] + 1) % DIRECTIONS == np.arange(DIRECTIONS))
    return np.sqrt(_pool(np.hypot(dx, dy)[..., None] * (one * (1 - part) + other * part)))


def judge(
    train: ArrayLike,
    held: ArrayLike,
    samples: Mapping[str, ArrayLike],
    *,
    k: int = 3,
    features: Features | None = None,
    n_boot: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge the samples of each maker against held-out pictures, and the training pictures as if a maker had made them.

    The row "training pictures" is the noise floor: so far are two real parts apart. It is also what a maker gets that
    copies: `nearer` is 1 there. All sets are cut to the size m of the smallest, since distances depend on m.

    | column | from | meaning | wished |
    |---|---|---|---|
    | pictures | | m | |
    | frechet | Heusel et al. 2017 | ‖μ - μ'‖² + tr(Σ + Σ' - 2 (Σ Σ')^½), at most 4 | the floor |
    | precision | Kynkäänniemi et al. 2019 | share of samples within the reach of a held-out picture | the floor |
    | recall | the same | share of held-out pictures within the reach of a sample | the floor |
    | density | Naeem et al. 2020 | reaches of held-out pictures that a sample is in, divided by k | 1 |
    | coverage | the same | share of held-out pictures with a sample in their reach | the floor |
    | told | Lopez-Paz & Oquab 2017 | AUC of a forest that tells other samples from held-out pictures | 0.5 |
    | nearer | after Meehan et al. 2020 | P(a sample is nearer to the training pictures than a held-out one) | 0.5 |

    The reach of a picture is the distance to its k-th neighbour within its own set; odd pictures reach far, so that
    even noise may have precision, but no coverage, and is told at once. `nearer` is the statistic U of Mann & Whitney
    by the number of pairs: well above 0.5 samples are copies, or smoother than pictures are.

    Parameters
    ----------
    train, held : (n, size, size, c) real pictures; families of near copies must not be on both sides
    samples : maker → its pictures
    k : neighbours
    features : fitted on `train`; None fits them

    Returns
    -------
    One row a maker; an `Interval` of 95 % in each cell. That of frechet is normal, with a bootstrapped standard error;
    those of the shares are bootstrapped over the pictures that are counted, with the others as they are; those of
    told and nearer are DeLong's.
    """
    f = features or Features().fit(train)
    sets = {name: f(x) for name, x in samples.items()}
    known, outside = f(train), f(held)
    rng = np.random.default_rng(seed)
    m = min(map(len, (known, outside, *sets.values())))
    if m < max(LEAST, 2 * k) or k < 1:
        raise UsageError(f"{m} pictures in the smallest set and k={k}: at least {LEAST} pictures, and 2 k, are needed")
    if REAL in sets:
        raise UsageError(f"no maker can be named {REAL!r}")
    real, order = outside[rng.permutation(len(outside))[:m]], rng.permutation(len(known))
    sets = {REAL: known[order[:m]]} | {name: x[rng.permutation(len(x))[:m]] for name, x in sets.items()}
    others = known[order[m:]] if len(known) >= m + LEAST else known  # the floor's own pictures are not told apart
    own = cdist(outside, known).min(axis=1)
    rows = {}
    for name, x in sets.items():
        shares = {column: bootstrap(values, seed=seed) for column, values in neighbourhood(real, x, k).items()}
        rows[name] = {
            "pictures": m, "frechet": frechet_interval(x, real, n=n_boot, seed=seed), **shares,
            "told": told(x, others if name == REAL else known, outside, seed=seed),
            "nearer": _auc(-cdist(x, known).min(axis=1), -own),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pictures of")


def _auc(made: Floats, real: Floats) -> Interval:
    return auc_interval(np.r_[np.ones(len(made)), np.zeros(len(real))], np.r_[made, real])


def told(made: Floats, known: Floats, outside: Floats, *, seed: int = 0) -> Interval:
    """Give the AUC with which a forest tells made pictures from real ones: 0.5 not at all, 1 always.

    It learns from every second made picture and the training pictures, and is asked about the others and the held-out
    ones. What copies the training pictures is not told: see `nearer` for that.
    """
    from sklearn.ensemble import RandomForestClassifier

    seen, rest = made[::2], made[1::2]
    forest = RandomForestClassifier(100, min_samples_leaf=5, class_weight="balanced", random_state=seed)
    forest.fit(np.vstack([seen, known]), np.r_[np.ones(len(seen)), np.zeros(len(known))])
    return _auc(*(forest.predict_proba(x)[:, 1] for x in (rest, outside)))


def frechet(x: ArrayLike, y: ArrayLike) -> float:
    """Give ‖μ - μ'‖² + tr(Σ + Σ' - 2 (Σ Σ')^½), the squared Wasserstein distance of the normals of x and y.

    >>> round(frechet([[0.0], [2.0]], [[3.0], [9.0]]), 9)  # means 1 and 6, standard deviations √2 and 3√2
    33.0
    """
    a, b = (np.asarray(v, dtype=float) for v in (x, y))
    first, second = (np.atleast_2d(np.cov(v, rowvar=False)) for v in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T  # (Σ Σ')^½ has the trace of (Σ^½ Σ' Σ^½)^½, which is symmetric
    both = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    apart = float(((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum())
    return max(0.0, apart + float(np.trace(first) + np.trace(second)) - 2 * float(both))


def frechet_interval(x: ArrayLike, y: ArrayLike, *, n: int = 200, seed: int = 0) -> Interval:
    """Give the Fréchet distance ± 1.96 bootstrapped standard errors, cut at 0.

    Percentiles of the bootstrap would lie too high: a resample has fewer different pictures, so it is farther away.
    """
    a, b = (np.asarray(v, dtype=float) for v in (x, y))
    rng = np.random.default_rng(seed)
    drawn = [frechet(a[rng.integers(0, len(a), len(a))], b[rng.integers(0, len(b), len(b))]) for _ in range(n)]
    value, error = frechet(a, b), 1.96 * float(np.std(drawn, ddof=1))
    return Interval(value, max(0.0, value - error), value + error)


def neighbourhood(real: ArrayLike, made: ArrayLike, k: int = 3) -> dict[str, Floats]:
    """Give precision and density of each made picture, recall and coverage of each real one.

    With r_k the distance to the k-th neighbour within its own set: precision 1{∃ j: d(i, j) ≤ r_k(j)}, density the
    number of such j by k, recall the same with both sets exchanged, and coverage 1{min_i d(i, j) ≤ r_k(j)}.

    >>> got = neighbourhood([[0.0], [1.0], [2.0]], [[0.5], [0.6], [9.0]], k=1)
    >>> {name: values.tolist() for name, values in got.items()}
    {'precision': [1.0, 1.0, 0.0], 'recall': [0.0, 1.0, 1.0], 'density': [2.0, 2.0, 0.0], 'coverage': [1.0, 1.0, 0.0]}
    """
    y, x = np.asarray(real, dtype=float), np.asarray(made, dtype=float)
    reach_y, reach_x = (np.partition(cdist(v, v), k, axis=1)[:, k] for v in (y, x))  # itself is the 0-th
    d = cdist(x, y)  # (made, real)
    within = d <= reach_y[None, :]
    return {
        "precision": within.any(axis=1).astype(float),
        "recall": (d <= reach_x[:, None]).any(axis=0).astype(float),
        "density": within.sum(axis=1) / k,
        "coverage": within.any(axis=0).astype(float),
    }


def nearest(samples: ArrayLike, train: ArrayLike, held: ArrayLike, *, features: Features | None = None) -> pd.DataFrame:
    """Find the training picture that each sample is nearest to, the most suspicious sample first.

    Returns
    -------
    sample, training : positions. distance : in the feature space. ratio : by the median of the same distance of
        held-out pictures; near 0 is a copy, 1 is as far as an honest picture. closer : share of held-out pictures
        that are still nearer; below 0.01 for many samples says that they are copies.
    """
    f = features or Features().fit(train)
    known = f(train)
    d, own = cdist(f(samples), known), np.sort(cdist(f(held), known).min(axis=1))
    found = pd.DataFrame({"sample": np.arange(len(d)), "training": d.argmin(axis=1), "distance": d.min(axis=1)})
    found["ratio"] = found["distance"] / max(float(np.median(own)), 1e-12)
    found["closer"] = np.searchsorted(own, found["distance"]) / len(own)
    return found.sort_values("distance", kind="stable", ignore_index=True)


class Kinds(NamedTuple):
    """Which kinds there are among pictures, by a classifier.

    Parameters
    ----------
    shares : by kind, a column for held-out pictures and one for each maker, each an `Interval`
    covered : by maker, the share of kinds of which it has at least a quarter of what held-out pictures have
    right : share of held-out pictures whose kind the classifier sees; where it is low the shares say little
    """

    shares: pd.DataFrame
    covered: dict[str, Interval]
    right: Interval


def kinds(
    train: ArrayLike,
    labels: ArrayLike,
    held: ArrayLike,
    held_labels: ArrayLike,
    samples: Mapping[str, ArrayLike],
    *,
    n: int = 64,
    seed: int = 0,
) -> Kinds:
    """Say what share of each maker's pictures a classifier takes for each kind, beside held-out pictures.

    Multinomial logistic regression on `n` features, fitted on training pictures. It calls noise a kind, too: read it
    with precision. Both columns hold its mistakes, so compare them with each other and not with the true shares.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    f = Features(n=n).fit(train)
    truth = np.asarray(held_labels).astype(str)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    model.fit(f(train), np.asarray(labels).astype(str))
    names = model.classes_
    seen = {"held-out pictures": model.predict(f(held))}
    right = bootstrap(seen["held-out pictures"] == truth, seed=seed)
    seen |= {name: model.predict(f(x)) for name, x in samples.items()}
    counts = {name: np.array([(found == kind).sum() for kind in names]) for name, found in seen.items()}
    shares = {}
    for name, count in counts.items():
        low, high = wilson(count, np.full(len(count), count.sum()))
        shares[name] = [Interval(*row) for row in zip(count / count.sum(), low, high, strict=True)]
    expected = counts["held-out pictures"] / counts["held-out pictures"].sum()
    covered = {name: _covered(counts[name], expected, seed) for name in samples}
    return Kinds(pd.DataFrame(shares, index=pd.Index(names, name="kind")), covered, right)


def _covered(count: NDArray[np.int64], expected: Floats, seed: int) -> Interval:
    there, total = expected > 0, int(count.sum())
    drawn = np.random.default_rng(seed).multinomial(total, count / total, size=1000)
    value, *many = [(c[there] >= 0.25 * total * expected[there]).mean() for c in (count, *drawn)]
    low, high = np.quantile(many, [0.025, 0.975])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
