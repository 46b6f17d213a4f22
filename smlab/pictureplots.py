"""Plots of pictures: a sheet of them, each beside its nearest training picture, and scores beside the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.metrics import Interval
from smlab.picturescores import REAL, checked
from smlab.plots import FAINT, GREY, INK

SCORES = ("frechet", "told", "precision", "recall", "density", "coverage", "nearer")
HONEST = {"told": 0.5, "nearer": 0.5, "density": 1.0}  # what an honest maker comes to; else the noise floor
GAP = 2  # pixels between pictures, as many as fit three times into 24


def mosaic(images: ArrayLike, columns: int) -> NDArray[np.float64]:
    """Lay pictures (n, size, size, c) side by side on white, row by row, as (height, width, 3).

    >>> mosaic(np.zeros((3, 8, 8, 1)), 2).shape  # a gap of 1 around each
    (19, 19, 3)
    """
    x = checked(images, "pictures")
    n, size = x.shape[:2]
    if n == 0 or columns < 1:
        raise UsageError(f"{n} pictures in {columns} columns cannot be drawn")
    gap = max(1, GAP * size // 24)
    columns = min(columns, n)
    step, rows = size + gap, -(-n // columns)
    sheet = np.ones((rows * step + gap, columns * step + gap, 3))
    for k, picture in enumerate(x):
        top, left = gap + k // columns * step, gap + k % columns * step
        sheet[top : top + size, left : left + size] = picture
    return sheet


def sheet(images: ArrayLike, *, columns: int = 16, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw pictures side by side, in their order."""
    return _draw(mosaic(images, columns), title, ax)


def rows(parts: Mapping[str, ArrayLike], *, columns: int = 16, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the first pictures of each set as one row, with its name: real ones and those of each maker, say."""
    if not parts:
        raise UsageError("there is nothing to draw: no set of pictures is given")
    found = {name: checked(x, name) for name, x in parts.items()}
    first = next(iter(found.values()))
    line = np.ones((len(found), columns, *first.shape[1:3], 3))
    for row, (name, x) in zip(line, found.items(), strict=True):
        if x.shape[1:3] != first.shape[1:3]:
            raise UsageError(f"pictures of {name} have {x.shape[1]} pixels a side, and not {first.shape[1]}")
        row[: len(x)] = x[:columns]
    return _named(line.reshape(-1, *line.shape[2:]), columns, list(found), title, ax)


def clouds(points: Mapping[str, ArrayLike], *, n: int = 1500, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw sets of points (n, 2) side by side in one scale, the first `n` of each."""
    ax, colour = plots.axes(ax, 2.6), plots.colours(points)
    sets = {name: np.asarray(X, dtype=float)[:n] for name, X in points.items()}
    everything = np.concatenate(list(sets.values()))
    low, high = np.quantile(everything, 0.001, axis=0), np.quantile(everything, 0.999, axis=0)
    for i, (name, X) in enumerate(sets.items()):
        middle = 1.3 * i * (high[0] - low[0])
        ax.scatter(X[:, 0] + middle, X[:, 1], s=1.5, alpha=0.5, color=colour[name])
        ax.text(middle + (low[0] + high[0]) / 2, low[1] - 0.2 * (high[1] - low[1]), name, ha="center")
    ax.set(aspect="equal", xticks=[], yticks=[], ylim=(low[1] - 0.3 * (high[1] - low[1]), None))
    return plots.finish(ax, title, "", "")


def beside(
    samples: ArrayLike, train: ArrayLike, found: pd.DataFrame, *, n: int = 12, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the samples that are nearest to a training picture, that picture below, and how near they are.

    Parameters
    ----------
    found : of `picturescores.nearest`; the number is its ratio: 0 is a copy, 1 as far as an honest picture
    """
    absent = [c for c in ("sample", "training", "ratio") if c not in found]
    if absent or found.empty:
        raise UsageError(f"pairs are drawn from the table of `nearest`; {absent[0] if absent else 'rows'!r} is absent")
    top, x, y = found.head(n), checked(samples, "samples"), checked(train, "training pictures")
    pairs = x[top["sample"].to_numpy()], y[top["training"].to_numpy()]
    both = np.concatenate([np.broadcast_to(part, (*part.shape[:3], 3)) for part in pairs])
    ax = _named(both, len(top), ["made", "training"], title, ax)
    step = (ax.get_xlim()[1] + 0.5) / len(top)
    ax.set_xticks((np.arange(len(top)) + 0.5) * step - 0.5, [f"{ratio:.2f}" for ratio in top["ratio"]])
    ax.set_xlabel("distance, in those of held-out pictures", color=GREY)
    return ax


def scores(judged: pd.DataFrame, columns: Sequence[str] = SCORES[:6], *, title: str = "") -> NDArray[np.object_]:
    """Draw each score of each maker with its interval; a dashed line marks the noise floor, or what is honest.

    Parameters
    ----------
    judged : of `picturescores.judge`
    """
    absent = [c for c in columns if c not in judged]
    if absent or REAL not in judged.index or not len(columns):
        raise UsageError(f"scores are drawn from the table of `judge`; {(absent or [REAL])[0]!r} is absent")
    wide = min(3, len(columns))
    high = -(-len(columns) // wide)
    size = (plots.WIDTH, high * (0.9 + 0.27 * len(judged)))
    figure, grid = plt.subplots(high, wide, figsize=size, sharey=True, squeeze=False, layout="constrained")
    colour = plots.colours(str(name) for name in judged.index if name != REAL) | {REAL: GREY}
    y = np.arange(len(judged))[::-1]
    for ax, column in zip(grid.ravel(), columns, strict=False):
        found: dict[str, Interval] = dict(zip(map(str, judged.index), judged[column], strict=True))
        ax.axvline(HONEST.get(column, found[REAL].value), color=GREY, lw=1, ls="--")
        for at, (name, (value, low, up)) in zip(y, found.items(), strict=True):
            ax.plot([low, up], [at, at], color=colour[name], lw=2.4, alpha=0.45)
            ax.plot(value, at, "o", ms=5.5, color=colour[name])
        ax.set_yticks(y, [shorten(name, 24) for name in found])
        ax.set_ylim(-0.6, len(judged) - 0.4)
        ax.margins(x=0.12)
        ax.grid(axis="x", color=FAINT, lw=0.6)
        plots.finish(ax, "", column, "")
    for ax in grid.ravel()[len(columns) :]:
        ax.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", weight="bold", size=11, color=INK, family=plots.fonts())
    return grid


def _named(images: ArrayLike, columns: int, names: Sequence[str], title: str, ax: Axes | None) -> Axes:
    """Draw rows of pictures with a name before each."""
    picture = mosaic(images, columns)
    ax = _draw(picture, title, ax)
    step = (picture.shape[0] - 1) / len(names)
    ax.set_yticks((np.arange(len(names)) + 0.5) * step, [shorten(name, 24) for name in names])
    for text in ax.get_yticklabels():
        text.set_fontfamily(plots.fonts())
    return ax


def _draw(picture: NDArray[np.float64], title: str, ax: Axes | None) -> Axes:
    ax = plots.axes(ax, height=0.4 + plots.WIDTH * picture.shape[0] / picture.shape[1])
    ax.imshow(picture, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    plots.finish(ax, title, "", "")
    ax.spines[:].set_visible(False)
    return ax
