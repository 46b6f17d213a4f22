"""Plots of explanations: all SHAP values, one prediction, partial dependence, importance by several ways.

In the style of `plots`; bars with intervals of one explanation are `plots.interval_bars(importance.table())`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from smlab import plots
from smlab.agreement import Importance
from smlab.checks import UsageError, shorten
from smlab.explain import Dependence
from smlab.plots import FAINT, GREY, INK, PALETTE
from smlab.shapvalues import Shap

Floats = NDArray[np.float64]
UP, DOWN = PALETTE[1], PALETTE[0]
SCALE = LinearSegmentedColormap.from_list("low to high", [DOWN, "#b9b3ad", UP])
MIXED = "#8f8f8f"
TRUTH = "truth"


def summary(shap: Shap, *, n: int = 12, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the SHAP value of every row for the n weightiest players, a dot each, dots of like value side by side.

    A player of one column has its dots coloured by rank of the value, blue the lowest, orange the highest; a group of
    several columns has no order, and grey dots.
    """
    order = shap.values.abs().mean().sort_values(ascending=False, kind="stable").index[:n]
    ax = plots.axes(ax, height=1.1 + 0.42 * len(order))
    ax.axvline(0, color=GREY, lw=0.8)
    width = float(shap.values[order].to_numpy().max() - shap.values[order].to_numpy().min()) or 1.0
    for y, name in enumerate(order):
        phi, columns = shap.values[name].to_numpy(), shap.groups[name]
        ink = SCALE(_ranks(shap.X[columns[0]])) if len(columns) == 1 else MIXED
        ax.scatter(phi, -y + _swarm(phi, width / 90), s=7, c=ink, lw=0, alpha=0.85)
    ax.set_yticks(-np.arange(len(order)), [_plain(name) for name in order])
    ax.set_ylim(0.6 - len(order), 0.6)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    _in_unit(ax, shap)
    plots.finish(ax, title, f"what it adds to the {shap.unit}", "")
    for x, text, ink in (
        (0.0, "●  low value", DOWN),
        (0.17, "●  high value", UP),
        (0.35, "●  several columns", MIXED),
    ):
        ax.text(x, 1.01, text, color=ink, size=9, transform=ax.transAxes, family=plots.fonts(), va="bottom")
    ax.set_title(title, loc="left", weight="bold", size=11, color=INK, pad=24, family=plots.fonts())
    return ax


def waterfall(
    shap: Shap, i: int, *, n: int = 8, values: Mapping[str, str] | None = None, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw how the average becomes the prediction of row i, part by part, the n weightiest by name and value.

    `values` puts better words for the values of some players, such as {"time of day": "19:05"}.
    """
    if not 0 <= i < len(shap.values):
        raise UsageError(f"there is no row {i}: the explanation has {len(shap.values)}")
    parts, said = shap.values.iloc[i], shap.said(i) | dict(values or {})
    order = parts.abs().sort_values(ascending=False, kind="stable").index
    steps = [(f"{k}: {said[k]}" if said[k] else k, float(parts[k])) for k in order[:n]]
    if len(order) > n:
        steps.append((f"{len(order) - n} more together", float(parts[order[n:]].sum())))
    at = shap.base + np.cumsum([0.0, *(part for _, part in steps)])
    ax = plots.axes(ax, height=1.2 + 0.32 * (len(steps) + 2))
    for y, ((_, part), start) in enumerate(zip(steps, at[:-1], strict=True), start=1):
        ink = UP if part >= 0 else DOWN
        ax.barh(-y, part, left=start, color=ink, height=0.62)
        ax.plot([start, start], [-y + 1, -y], color=GREY, lw=0.7, zorder=1)
        plots._note(ax, _signed(part, shap), (max(start, start + part), -y), (5, 0), color=ink, va="center", size=9)
    rows = [("average", at[0], 0), *((name, None, y) for y, (name, _) in enumerate(steps, 1))]
    rows.append(("the prediction", at[-1], len(steps) + 1))
    for _, value, y in rows:
        if value is not None:
            ax.plot(value, -y, "D", color=INK, ms=6)
            text = f"{value:.1%}" if shap.unit == "probability" else f"{value:.2f}"
            plots._note(ax, text, (value, -y), (8, 0), color=INK, va="center", size=9.5, weight="bold")
    ax.plot([at[-1]] * 2, [-len(steps) - 1, -len(steps)], color=GREY, lw=0.7, zorder=1)
    ax.set_yticks([-y for _, _, y in rows], [_plain(name) for name, _, _ in rows])
    ax.use_sticky_edges = False
    ax.margins(x=0.16)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    _in_unit(ax, shap)
    return plots.finish(ax, title, shap.unit, "")


def dependence(
    found: Dependence, *, n_ice: int = 40, title: str = "", ylabel: str = "prediction", ax: Axes | None = None
) -> Axes:
    """Draw the mean prediction over the values of a column, single rows faintly, a rug; grey is where rows are few.

    Patterns of a group have no order and no line: they stand one below another, the highest mean on top.
    """
    some = np.linspace(0, len(found.ice) - 1, min(n_ice, len(found.ice))).astype(int)
    if len(found.columns) > 1:
        return _patterns(found, found.ice[some], title, ylabel, ax)
    ax, edges = plots.axes(ax, height=3.6), _edges(found.grid)
    for k in np.flatnonzero(found.thin):
        ax.axvspan(edges[k], edges[k + 1], color=FAINT, alpha=0.5, lw=0)
    ax.plot(found.grid, found.ice[some].T, color=DOWN, lw=0.6, alpha=0.18)
    ax.plot(found.grid, found.mean, color=UP, lw=2.4, marker="o" if len(found.grid) <= 12 else "", ms=5)
    rug = found.seen[np.linspace(0, len(found.seen) - 1, min(300, len(found.seen))).astype(int)]
    ax.plot(rug, np.full(len(rug), 0.012), "|", color=INK, ms=7, alpha=0.3, transform=ax.get_xaxis_transform())
    if len(found.grid) <= 12:
        ax.set_xticks(found.grid, found.labels)
    ax.set_xlim(edges[0], edges[-1])
    ax.grid(axis="y", color=FAINT, lw=0.6)
    key = f"{found.name}      ━ mean    ─ single rows    | rows" + ("    ■ few rows" if found.thin.any() else "")
    return plots.finish(ax, title, key, ylabel)


def _patterns(found: Dependence, ice: Floats, title: str, label: str, ax: Axes | None) -> Axes:
    order = np.argsort(found.mean, kind="stable")
    ax = plots.axes(ax, height=1.0 + 0.3 * len(order))
    names = []
    for y, k in enumerate(order):
        few = " (few)" if found.thin[k] else ""
        names.append(_plain(f"{found.labels[k]}, n = {found.rows[k]:,}{few}"))
        ax.plot(ice[:, k], np.full(len(ice), y), "|", color=DOWN, ms=9, alpha=0.35)
        ax.plot(found.mean[k], y, "o", mec=UP, mfc="white" if few else UP, ms=7)
        plots._note(ax, f"{found.mean[k]:.2f}", (found.mean[k], y), (0, 7), color=UP, ha="center", size=9)
    ax.set_yticks(np.arange(len(order)), names)
    ax.set_ylim(-0.6, len(order) - 0.2)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    return plots.finish(ax, title, f"{label}      ● mean      | single rows", "")


def importances(
    several: Mapping[str, Importance], truth: pd.Series | None = None, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the importance of each group by several explanations, each as its share of their sum, with intervals.

    Shares let a loss stand beside log-odds. The known truth is a hollow mark. Ordered by the truth, or by the mean.
    """
    if not several:
        raise UsageError("there is nothing to draw: no explanation")
    shares = {name: one.table() / one.value.clip(lower=0).sum() for name, one in several.items()}
    exact = None if truth is None else truth / truth.sum()
    mean = pd.DataFrame({name: table["value"] for name, table in shares.items()}).mean(axis=1)
    order = (mean if exact is None else exact).sort_values(kind="stable").index
    colour, step = plots.colours(several), 0.6 / len(several)
    ax = plots.axes(ax, height=1.0 + (0.14 + 0.07 * len(several)) * len(order))
    for place, (name, table) in enumerate(shares.items()):
        y = np.arange(len(order)) + 0.3 - step * (place + 0.5)
        rows = table.loc[order]
        ax.hlines(y, rows["low"], rows["high"], color=colour[name], lw=2.2, alpha=0.45)
        ax.plot(rows["value"], y, "o", color=colour[name], ms=5, label=name)
    if exact is not None:
        ax.plot(exact[order], np.arange(len(order)), "D", ms=7, mec=INK, mfc="none", label=TRUTH, zorder=3)
    ax.set_yticks(np.arange(len(order)), [_plain(name) for name in order])
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="x", color=FAINT, lw=0.6)
    ax.legend(frameon=False, loc="lower right", fontsize=9)
    return plots.finish(ax, title, "share of the importance, by each explanation", "")


def _swarm(x: Floats, step: float) -> Floats:
    """Give heights within ±.4 so that dots whose x lies in one bin stand one above another, about the middle."""
    bins = np.round(x / step).astype(np.int64)
    order = np.argsort(bins, kind="stable")
    first = np.r_[True, np.diff(bins[order]) != 0]
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    place = np.empty(len(x))
    place[order] = np.arange(len(x)) - start  # 0, 1, 2, … within the bin
    side = np.where(place % 2, 1, -1) * np.ceil(place / 2)
    return side * min(0.05, 0.4 / max(np.abs(side).max(), 1))


def _ranks(values: pd.Series) -> Floats:
    """Give ranks from 0 to 1, .5 for a constant column."""
    rank = values.rank(method="average").to_numpy(dtype=float)
    width = rank.max() - rank.min()
    return (rank - rank.min()) / width if width else np.full(len(rank), 0.5)


def _edges(grid: Floats) -> Floats:
    """Give the borders between the values of a grid, the first and last half a step outside, (k + 1,)."""
    if len(grid) == 1:
        return np.array([grid[0] - 0.5, grid[0] + 0.5])
    middle = (grid[1:] + grid[:-1]) / 2
    return np.r_[2 * grid[0] - middle[0], middle, 2 * grid[-1] - middle[-1]]


def _signed(part: float, shap: Shap) -> str:
    return f"{100 * part:+.1f} points" if shap.unit == "probability" else f"{part:+.2f}"


def _in_unit(ax: Axes, shap: Shap) -> None:
    if shap.unit == "probability":
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{round(100 * v, 1) + 0:g}%"))


def _plain(text: object, length: int = 40) -> str:
    """Cut a label, and keep matplotlib from reading a dollar sign as a formula."""
    return shorten(str(text), length).replace("$", r"\$")
