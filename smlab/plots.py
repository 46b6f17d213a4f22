"""Draw arrays and frames in one style; no function here knows a model.

Every function takes data first and `ax` last, draws into `ax` (a new figure where None) and returns it. The
title is the finding or the question, which only the caller knows. Things are labelled where they stand, in
colours that the colour-blind tell apart (Okabe & Ito 2008), and the same name has the same colour everywhere.
Text falls back to whatever font of the machine has Chinese, Japanese and Korean.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, PercentFormatter
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike, NDArray

from smlab.checks import UsageError, shorten

Ax = Axes | None
Many = Sequence[Any]
Table = Mapping[str, Any] | pd.DataFrame

WIDTH = 7.0  # inches; 700 px in a report at 100 dpi
INK, GREY, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07D00", "#3D9BD1", "#7A4FA3", "#5B5B1E")
KNOWN = {"popularity": GREY, "ease": "#D55E00", "item-knn": "#009E73", "user-knn": "#0072B2"}
CJK = """Noto Sans CJK SC, Noto Sans CJK JP, Noto Sans SC, Source Han Sans SC, PingFang SC, Hiragino Sans GB,
Microsoft YaHei, SimHei, WenQuanYi Zen Hei, WenQuanYi Micro Hei, Noto Serif CJK SC, Arial Unicode MS"""
SIDES = ((8, 0, "left"), (0, 11, "center"), (0, -11, "center"), (-8, 0, "right"), (8, 11, "left"))


@cache
def fonts() -> list[str]:
    """Name the font and its fallbacks, of which only installed ones count."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(f for f in CJK.replace("\n", " ").split(", ") if f in installed)]


def colours(names: Iterable[str]) -> dict[str, str]:
    """Give each name its colour: the same in every plot, unless another name of this plot has it already.

    The first name of a family in `KNOWN` has the family's colour; others take what is left of the palette.

    >>> colours(["EASE", "popularity"])
    {'EASE': '#D55E00', 'popularity': '#6b6b6b'}
    """
    names = list(dict.fromkeys(names))
    chosen: dict[str, str] = {}
    for family, colour in KNOWN.items():
        first = next((name for name in names if name.lower().startswith(family)), None)
        if first is not None:
            chosen[first] = colour
    for name in names:
        start = zlib.crc32(name.lower().encode()) % len(PALETTE)
        wishes = [*PALETTE[start:], *PALETTE[:start]]
        free = [c for c in wishes if c not in chosen.values()]
        chosen.setdefault(name, (free or wishes)[0])
    return {name: chosen[name] for name in names}


def interval_bars(
    table: Table, *, reference: Table | None = None, title: str = "", label: str = "", ax: Ax = None
) -> Axes:
    """Draw each value as a dot with its interval, largest on top; published values are hollow marks.

    Parameters
    ----------
    table : {name: (value, low, high) or value}, or a frame with columns value, low, high and names as index
    reference : published values, likewise
    label : what is measured, with its unit
    """
    ours = _table(table)
    rows = [(name, interval, True) for name, interval in ours.items()]
    rows += [(name, interval, False) for name, interval in _table({} if reference is None else reference).items()]
    if not rows:
        raise UsageError("there is nothing to draw: the table is empty")
    rows.sort(key=lambda row: row[1][0])
    colour = colours(ours)
    ax = axes(ax, height=0.9 + 0.32 * len(rows))
    for y, (name, (value, low, high), here) in enumerate(rows):
        ink, fill = (colour[name], colour[name]) if here else (GREY, "white")
        ax.plot([low, high], [y, y], color=ink, lw=2.4, alpha=0.45, solid_capstyle="butt", zorder=2)
        ax.plot(value, y, "o" if here else "D", ms=6.5, mec=ink, mfc=fill, zorder=3)
        _note(ax, f"{value:.3f}", (high, y), (8, 0), color=ink, va="center", size=9)
    ax.set_yticks(range(len(rows)), [shorten(name, 40) for name, _, _ in rows])
    for tick, (_, _, here) in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set_color(INK if here else GREY)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.margins(x=0.12)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    key = "●  here, with its interval" + ("      ◇  published" if reference is not None else "")
    return finish(ax, title, f"{label}      {key}".strip(), "")


def long_tail(counts: ArrayLike, *, title: str = "", things: str = "items", ax: Ax = None) -> Axes:
    """Draw how often each item was chosen, most chosen first, and mark the few that hold half of everything.

    `counts` (n_items,), 0 or more; those never chosen are left out. The vertical axis is logarithmic.
    """
    x = np.sort(_numbers("counts", counts, counts=True))[::-1]
    x = x[x > 0]
    head = int(np.searchsorted(np.cumsum(x), x.sum() / 2)) + 1
    rank = np.arange(1, len(x) + 1)
    ax = axes(ax, height=3.2)
    for part, ink, alpha in ((rank <= head, PALETTE[1], 0.30), (rank >= head, PALETTE[0], 0.15)):
        ax.fill_between(rank, x, 0.5, where=part.tolist(), color=ink, alpha=alpha, lw=0)
    ax.plot(rank, x, color=INK, lw=1.4)
    ax.set_yscale("log")
    ax.set(xlim=(1, max(len(x), 2)), ylim=(0.8, x[0] * 1.6))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    text = f"the first {head:,} of {len(x):,} {things} ({head / len(x):.0%})\nhold half of all choices"
    line = {"arrowstyle": "-", "color": PALETTE[1], "lw": 0.8}
    ax.annotate(text, (head, x[head - 1]), (0.3, 0.8), textcoords="axes fraction", color=PALETTE[1], arrowprops=line)
    return finish(ax, title, f"{things}, most chosen first", "choices of each (log scale)")


def rating_histogram(ratings: ArrayLike, *, title: str = "", ax: Ax = None) -> Axes:
    """Draw the share of each rating that occurs, and the mean."""
    x = _numbers("ratings", ratings)
    values, n = np.unique(x, return_counts=True)
    share, top = n / n.sum(), 1.25 * n.max() / n.sum()
    ax = axes(ax, height=2.8)
    ax.bar(values, share, width=0.8 * np.diff(values, append=values[-1] + 1).min(), color=PALETTE[0])
    for value, s in zip(values, share, strict=True):
        _note(ax, f"{s:.0%}", (value, s), (0, 3), color=GREY, ha="center", size=9)
    ax.axvline(x.mean(), color=PALETTE[1], lw=1.2, ls="--")
    _note(ax, f"mean {x.mean():.2f}", (x.mean(), top), (4, -2), color=PALETTE[1], va="top")
    ax.set_ylim(0, top)
    ax.set_xticks(values[:: int(np.ceil(len(values) / 12))])
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return finish(ax, title, "rating", f"share of {len(x):,} ratings")


def curve(
    x: ArrayLike, ys: Mapping[str, Any], *, title: str = "", xlabel: str = "", ylabel: str = "", ax: Ax = None
) -> Axes:
    """Draw lines over one x, each named at its end.

    Parameters
    ----------
    x : (n,); where its steps grow, as in 10, 100, 1000, the axis is logarithmic
    ys : {name: n values, or n (value, low, high) for a band}; NaN are gaps
    """
    at = _numbers("x", x)
    ax = axes(ax, height=3.4)
    colour, ends = colours(ys), []
    for name, y in ys.items():
        line = np.asarray(y, dtype=float)
        if line.shape not in ((len(at),), (len(at), 3)):
            raise UsageError(f"curve {name!r} has shape {line.shape}; needed is one value or interval per x, {len(at)}")
        if line.ndim == 2:
            ax.fill_between(at, line[:, 1], line[:, 2], color=colour[name], alpha=0.15, lw=0)
            line = line[:, 0]
        ax.plot(at, line, color=colour[name], lw=1.8, marker="o" if len(at) <= 15 else "", ms=4)
        last = int(np.flatnonzero(np.isfinite(line))[-1])
        ends.append((float(at[last]), float(line[last]), name, colour[name]))
    steps = np.diff(at)
    ax.set_xscale("log" if len(at) > 2 and at[0] > 0 and steps[-1] > 3 * steps[0] > 0 else "linear")
    if len(at) <= 12:
        ax.set_xticks(at, [f"{v:g}" for v in at])
        ax.minorticks_off()
    ax.grid(axis="y", color=FAINT, lw=0.6)
    finish(ax, title, xlabel, ylabel)
    _name_ends(ax, ends)
    return ax


def heatmap(matrix: ArrayLike | pd.DataFrame, *, title: str = "", label: str = "", ax: Ax = None) -> Axes:
    """Draw a matrix (n, m), say of similarities, with its numbers written in where they fit; NaN stays white.

    A frame brings the names of rows and columns. Values of both signs get a scale with white at 0.
    """
    x = np.asarray(matrix, dtype=float)
    if x.ndim != 2 or not np.isfinite(x).any():
        raise UsageError(f"heatmap needs a matrix with at least one finite value; this has shape {x.shape}")
    limit, signed = np.nanmax(np.abs(x)), np.nanmin(x) < 0
    fits = x.shape[0] <= 14 and x.shape[1] <= 10
    ax = axes(ax, height=1.4 + 0.34 * x.shape[0] if fits else 5.0)
    low, scale = (-limit, "RdBu") if signed else (0, "Blues")
    image = ax.imshow(x, aspect="auto", cmap=scale, vmin=low, vmax=limit)
    if not fits:
        ax.figure.colorbar(image, ax=ax, label=label, shrink=0.8)
    for (r, c), value in np.ndenumerate(x if fits else np.empty((0, 0))):
        if np.isfinite(value):
            ink = "white" if abs(value) > 0.62 * limit else INK
            ax.text(c, r, f"{value:.2f}", ha="center", va="center", size=9, color=ink)
    if isinstance(matrix, pd.DataFrame):
        ax.set_yticks(range(x.shape[0]), [shorten(str(r), 34) for r in matrix.index])
        ax.set_xticks(range(x.shape[1]), [shorten(str(c), 26) for c in matrix], rotation=30, ha="right")
    ax.spines[:].set_visible(False)
    return finish(ax, title, label if fits else "", "")


def lorenz(counts: ArrayLike | Mapping[str, ArrayLike], *, title: str = "", ax: Ax = None) -> Axes:
    """Draw the share of all choices that the least chosen items get: far below the diagonal, few items rule.

    `counts` (n_items,), or {name: counts}; G is the Gini coefficient, twice the area up to the diagonal.
    """
    curves = counts if isinstance(counts, Mapping) else {"": counts}
    colour = colours(curves)
    ax = axes(ax, height=4.0)
    ax.plot([0, 1], [0, 1], color=FAINT, lw=1)
    _note(ax, "all items alike", (0.5, 0.5), (-8, 6), color=GREY, ha="right", size=9)
    labels = []
    for name, values in curves.items():
        x = np.sort(_numbers(f"counts {name}".strip(), values, counts=True))
        share, items = np.concatenate([[0], np.cumsum(x) / x.sum()]), np.linspace(0, 1, len(x) + 1)
        gini = 1 - 2 * np.trapezoid(share, items)
        ax.plot(items, share, color=colour[name], lw=1.8)
        labels.append((gini, f"{name}  G = {gini:.2f}".strip(), colour[name]))
    for place, (_, text, ink) in enumerate(sorted(labels)):
        ax.text(0.03, 0.96 - 0.075 * place, text, color=ink, va="top", transform=ax.transAxes)
    ax.set(xlim=(0, 1), ylim=(0, 1), yticks=np.arange(0.2, 1.01, 0.2))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    return finish(ax, title, "share of items, least chosen first", "share of all choices")


def trade_off(
    x: Many, y: Many, labels: Many, *, title: str = "", xlabel: str = "", ylabel: str = "", ax: Ax = None
) -> Axes:
    """Draw named points, say accuracy against coverage; x and y hold values or (value, low, high)."""
    if not len(x) == len(y) == len(labels) or not len(x):
        raise UsageError(f"a point has an x, a y and a label; given are {len(x)}, {len(y)} and {len(labels)}")
    across, up = (np.array([_interval(v) for v in values]) for values in (x, y))  # (n, 3) each
    colour = colours(labels)
    ax = axes(ax, height=3.8)
    for a, u, name in zip(across, up, labels, strict=True):
        ax.plot(a[1:], u[[0, 0]], a[[0, 0]], u[1:], color=colour[name], lw=1.6, alpha=0.5)
        ax.plot(a[0], u[0], "o", color=colour[name], ms=7)
    ax.margins(0.15)
    ax.grid(color=FAINT, lw=0.6)
    finish(ax, title, xlabel, ylabel)
    _name_points(ax, np.column_stack([across[:, 0], up[:, 0]]), labels, colour)
    return ax


def axes(ax: Ax, height: float) -> Axes:
    return ax or plt.subplots(figsize=(WIDTH, height), layout="constrained", facecolor="white")[1]


def finish(ax: Axes, title: str, xlabel: str, ylabel: str) -> Axes:
    """Write the texts and draw the frame in our style, also on an `ax` that the caller made."""
    ax.set_xlabel(xlabel, color=GREY)
    ax.set_ylabel(ylabel, color=GREY)
    ax.set_title(title, loc="left", weight="bold", size=11, color=INK, pad=10)
    for text in ax.findobj(mpl.text.Text):
        text.set_fontfamily(fonts())
    ax.set_axisbelow(True)
    ax.tick_params(which="both", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_color(FAINT)
    return ax


def _note(
    ax: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], *, color: str, **how: Any
) -> Annotation:
    """Write beside the data point `at`, `offset` points away."""
    how.setdefault("size", 9.5)
    return ax.annotate(text, at, offset, textcoords="offset points", color=color, family=fonts(), **how)


def _lay_out(ax: Axes) -> None:
    """Settle where things stand, so that pixels can be compared."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.draw_without_rendering()


def _name_ends(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name beyond its end, at least a line of text apart."""
    _lay_out(ax)
    last = -np.inf
    for x, y, name, ink in sorted(ends, key=lambda end: end[1]):
        up = float(ax.transData.transform((x, y))[1]) * 72 / ax.figure.dpi  # points
        last = max(up, last + 12)
        _note(ax, name, (x, y), (8, last - up), color=ink, va="center")


def _name_points(ax: Axes, points: NDArray, labels: Sequence[str], colour: Mapping[str, str]) -> None:
    """Write each point's name on the first side of it where it covers no other name and no point."""
    _lay_out(ax)
    dots, taken = ax.transData.transform(points), list[Bbox]()  # pixels
    for here, (at, name) in enumerate(zip(points, labels, strict=True)):
        for dx, dy, ha in SIDES:
            text = _note(ax, name, (at[0], at[1]), (dx, dy), color=colour[name], ha=ha, va="center")
            box = text.get_window_extent()
            others = np.delete(dots, here, axis=0)
            if not any(box.overlaps(t) for t in taken) and not box.count_contains(others):
                break
            if (dx, dy, ha) != SIDES[-1]:  # where no side is free, the last
                text.remove()
        taken.append(box)


def _interval(x: Any) -> tuple[float, float, float]:
    """Read (value, low, high), or a bare value as its own interval."""
    value, low, high = (x, x, x) if np.ndim(x) == 0 else x
    return float(value), float(low), float(high)


def _table(table: Table) -> dict[str, tuple[float, float, float]]:
    if isinstance(table, pd.DataFrame):
        absent = [c for c in ("value", "low", "high") if c not in table]
        if absent:
            raise UsageError(f"the frame needs the columns value, low and high; {absent[0]!r} is absent")
        table = dict(zip(map(str, table.index), table[["value", "low", "high"]].to_numpy(), strict=True))
    return {name: _interval(x) for name, x in table.items()}


def _numbers(name: str, values: ArrayLike, *, counts: bool = False) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=float).ravel()
    if not len(x) or not np.isfinite(x).all():
        fault = f"hold {x[~np.isfinite(x)][0]}" if len(x) else "are empty"
        raise UsageError(f"{name} {fault}; finite numbers are needed to draw")
    if counts and (x.min() < 0 or x.max() == 0):
        raise UsageError(f"{name} go from {x.min():g} to {x.max():g}; they must be 0 or more and not all 0")
    return x
