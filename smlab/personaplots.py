"""Plots of personas: a map of customers, shares with intervals, where they go, who comes back, what a message gains.

In the style of `plots`. A persona has one colour in all of them, by its number (the largest first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.metrics import Interval
from smlab.plots import FAINT, GREY, INK, PALETTE

DECIDED = {"send": "#009E73", "test first": "#B07D00", "do not send": "#D55E00"}


def colour(number: int) -> str:
    """Give the colour of a persona by its number."""
    return PALETTE[number % len(PALETTE)]


def map_of_customers(
    features: pd.DataFrame,
    labels: ArrayLike,
    names: Sequence[str],
    *,
    x: str = "recency",
    y: str = "frequency",
    n: int = 3000,
    seed: int = 0,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw customers as dots on two logarithmic axes, log(1 + value), of more than `n` so many, and name the segments.

    Values that repeat are spread a little, so that one dot does not hide a thousand.
    """
    z, rng = np.asarray(labels), np.random.default_rng(seed)
    if len(z) != len(features):
        raise UsageError(f"{len(features)} customers have {len(z)} segments; one each is needed")
    at = rng.permutation(len(z))[:n]
    spread = [np.log1p(features[c].to_numpy(dtype=float)[at]) + rng.uniform(-0.04, 0.04, len(at)) for c in (x, y)]
    ax = plots.axes(ax, height=4.4)
    ax.scatter(spread[0], spread[1], s=7, c=[colour(j) for j in z[at]], alpha=0.45, lw=0)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{max(np.expm1(v), 0):,.0f}"))
    for c, ticks in ((x, ax.set_xticks), (y, ax.set_yticks)):
        top = float(features[c].max())
        nice = [v for v in (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if v <= 1.1 * top]
        ticks(np.log1p(nice))
    ax.grid(color=FAINT, lw=0.6)
    places = [colour(j) for j in range(len(names))]
    plots.finish(ax, title, xlabel or x, ylabel or y)
    return _legend(ax, names, places)


def _legend(ax: Axes, names: Sequence[str], inks: Sequence[str]) -> Axes:
    """Name the segments below the plot, each in its colour."""
    handles = [
        ax.plot([], [], "o", color=ink, ms=6, label=shorten(name, 44))[0] for name, ink in zip(names, inks, strict=True)
    ]
    legend = ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2, frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_fontfamily(plots.fonts())
    return ax


def before_and_after(before: pd.DataFrame, after: pd.DataFrame, *, labels: Sequence[str] | None = None) -> NDArray[Any]:
    """Draw each column as it was bought, above, and as it was scaled, below; give the axes (2, d)."""
    columns = list(after.columns)
    size = (plots.WIDTH, 3.6)
    axes = plt.subplots(2, len(columns), squeeze=False, figsize=size, layout="constrained", facecolor="white")[1]
    for j, name in enumerate(columns):
        for i, frame in enumerate((before, after)):
            x = frame[name].to_numpy(dtype=float)
            axes[i, j].hist(np.clip(x, *np.quantile(x, [0.001, 0.999])), bins=40, color=PALETTE[0] if i else GREY)
            axes[i, j].set_yticks([])
            title = "" if i else (labels[j] if labels else str(name))
            plots.finish(axes[i, j], title, "" if i == 0 else "scaled", "")
    return axes


def shares(
    rows: Mapping[str, tuple[Interval, Interval]], *, first: str, second: str, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw two shares of each persona with their intervals: hollow the first, full the second.

    Parameters
    ----------
    rows : name → (share, share), the persona with the number 0 first
    first, second : of what they are shares
    """
    if not rows:
        raise UsageError("there is nothing to draw: no persona")
    ax = plots.axes(ax, height=1.2 + 0.5 * len(rows))
    for j, (of, got) in enumerate(rows.values()):
        for k, (v, fill) in enumerate(((of, "white"), (got, colour(j)))):
            y = -j + 0.14 - 0.28 * k
            ax.plot([v.low, v.high], [y, y], color=colour(j), lw=2.4, alpha=0.45, solid_capstyle="butt")
            ax.plot(v.value, y, "o", ms=6.5, mec=colour(j), mfc=fill)
            plots._note(ax, f"{v.value:.0%}", (v.high, y), (8, 0), color=colour(j), va="center", size=9)
    ax.set_yticks(-np.arange(len(rows)), [shorten(name, 44) for name in rows])
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlim=(0, None), ylim=(0.6 - len(rows), 0.6))
    ax.margins(x=0.12)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    return plots.finish(ax, title, f"○  {first}      ●  {second}", "")


def moves(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw where customers go as a matrix of shares with their intervals, from in rows, to in columns.

    Parameters
    ----------
    table : of `migration.migration`
    """
    rows, columns = (list(dict.fromkeys(table[c])) for c in ("from", "to"))
    ax = plots.axes(ax, height=1.7 + 0.52 * len(rows))
    value = table.pivot(index="from", columns="to", values="value").reindex(index=rows, columns=columns)
    ax.imshow(value.to_numpy(dtype=float), aspect="auto", cmap="Blues", vmin=0, vmax=1)
    for row in table.to_dict("records"):
        r, c, share = rows.index(row["from"]), columns.index(row["to"]), row["value"]
        if np.isfinite(share):
            ink, span = "white" if share > 0.6 else INK, f"{row['low']:.0%} to {row['high']:.0%}"
            ax.text(c, r - 0.12, f"{share:.0%}", ha="center", va="center", size=10, color=ink)
            ax.text(c, r + 0.26, span, ha="center", va="center", size=7.5, color=ink)
        else:
            ax.text(c, r, "few", ha="center", va="center", size=9, color=GREY)
    sizes = table.groupby("from")["of"].first()
    hidden = table.groupby("from")["value"].first().isna()
    n = {r: "a few" if hidden[r] else f"{sizes[r]:,}" for r in rows}  # a small number can be one person
    ax.set_yticks(range(len(rows)), [f"{shorten(str(r), 38)}\n{n[r]} customers" for r in rows])
    ax.set_xticks(range(len(columns)), ["\n".join(wrap(shorten(str(c), 44), 13)) for c in columns], size=7.5)
    ax.spines[:].set_visible(False)
    return plots.finish(ax, title, "to", "from")


def expected_and_actual(
    table: pd.DataFrame, *, title: str = "", xlabel: str = "", ylabel: str = "", ax: Axes | None = None
) -> Axes:
    """Draw what happened as dots with intervals, and each forecast as a line.

    Parameters
    ----------
    table : of `comeback.by_past`: n, actual, low, high, and a column a forecast
    """
    ax = plots.axes(ax, height=3.8)
    at = np.arange(len(table))
    names = [str(c) for c in table if c not in ("n", "actual", "low", "high")]
    inks = plots.colours(names)
    for name in names:
        ax.plot(at, table[name], color=inks[name], lw=1.8, ls="-" if name == names[0] else "--", zorder=2)
    ax.vlines(at, table["low"], table["high"], color=INK, lw=2.4, alpha=0.45)
    ax.plot(at, table["actual"], "o", color=INK, ms=6.5, zorder=3)
    ax.set_xticks(at, [f"{i}\nn = {n:,}" for i, n in zip(table.index, table["n"], strict=True)], size=9)
    ax.set_xlim(-0.4, len(at) + 0.8)
    ax.grid(axis="y", color=FAINT, lw=0.6)
    plots.finish(ax, title, xlabel, ylabel)
    ends = [(float(at[-1]), float(table[name].iloc[-1]), name, inks[name]) for name in names]
    plots._name_ends(ax, [*ends, (float(at[-1]), float(table["actual"].iloc[-1]), "what happened", INK)])
    return ax


def gains(table: pd.DataFrame, *, per: float = 1000, title: str = "", label: str = "", ax: Axes | None = None) -> Axes:
    """Draw what `per` messages gain in each segment, with intervals, in the colour of the decision.

    Parameters
    ----------
    table : of `campaign.campaign`
    """
    ax = plots.axes(ax, height=1.2 + 0.42 * len(table))
    for j, row in enumerate(table.to_dict("records")):
        ink = DECIDED[row["decision"]]
        value, low, high = (per * row[name] for name in ("gain", "gain_low", "gain_high"))
        ax.plot([low, high], [-j, -j], color=ink, lw=2.4, alpha=0.45, solid_capstyle="butt")
        ax.plot(value, -j, "o", color=ink, ms=6.5)
        plots._note(ax, row["decision"], (high, -j), (8, 0), color=ink, va="center", size=9)
    ax.axvline(0, color=GREY, lw=1)
    ax.set_yticks(-np.arange(len(table)), [shorten(str(name), 44) for name in table.index])
    ax.set_ylim(0.6 - len(table), 0.6)
    ax.margins(x=0.18)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    return plots.finish(ax, title, label, "")
