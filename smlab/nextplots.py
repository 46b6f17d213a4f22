"""Plots of the next post: gains by weekday and hour as far as the data reach, and what-ifs, in the style of `plots`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike, NDArray

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.plots import FAINT, GREY, INK

BETTER, WORSE = "#0072B2", "#D55E00"
PLAIN = {"fc": "white", "ec": "none", "pad": 1.5}
FIGURES = ("gain", "low", "high", "naive")
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def week(
    table: pd.DataFrame,
    *,
    value: str = "promised",
    log: bool = True,
    best: Mapping[str, str] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what each weekday and hour gains, with the number of posts behind it; where too few are, only that number.

    Parameters
    ----------
    table : `table` of `nextpost.choose`: weekday, hour, n, supported and `value`
    value : column to draw: "promised" is shrunk, "raw" is not
    log : whether gains are in logarithms of reactions (drawn as percent) or in shares (points)
    best : the slot to frame
    """
    absent = [c for c in ("weekday", "hour", "n", "supported", value) if c not in table]
    if absent:
        raise UsageError(f"a week is drawn from a table by weekday and hour; {absent[0]!r} is absent")
    hours = sorted(table["hour"].unique())
    days = [d for d in DAYS if d in set(table["weekday"])]
    shown = _percent(table[value].where(table["supported"]), log)
    limit = max(10.0, *np.abs(shown[np.isfinite(shown)]))  # a gain of a few percent stays pale
    ax = plots.axes(ax, height=1.3 + 0.42 * len(days))
    grid = np.full((len(days), len(hours)), np.nan)
    places = [(days.index(d), hours.index(h)) for d, h in zip(table["weekday"], table["hour"], strict=True)]
    for (r, c), gain, n in zip(places, shown, table["n"], strict=True):
        grid[r, c] = gain
        if np.isnan(gain):
            ax.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, fc="white", ec=FAINT, hatch="////", lw=0))
            ax.text(c, r, f"n = {n}", ha="center", va="center", size=8, color=GREY, bbox=PLAIN)
        else:
            ink = "white" if abs(gain) > 0.62 * limit else INK
            ax.text(c, r, f"{round(gain):+d}\nn = {n}", ha="center", va="center", size=8, color=ink)
    ax.imshow(grid, aspect="auto", cmap="RdBu", vmin=-limit, vmax=limit)
    if best:
        at = (hours.index(best["hour"]) - 0.5, days.index(best["weekday"]) - 0.5)
        ax.add_patch(Rectangle(at, 1, 1, fill=False, ec=INK, lw=2))
    ax.set_xticks(range(len(hours)), hours)
    ax.set_yticks(range(len(days)), days)
    unit = "% of reactions" if log else "points of the share that works"
    frame = "; framed: the best" if best else ""
    plots.finish(ax, title, f"hour      gain against the habit in {unit}; hatched: too few posts{frame}", "")
    ax.spines[:].set_visible(False)
    return ax


def what_ifs(table: pd.DataFrame, *, log: bool = True, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw what each change gains with its interval, clear ones in colour, and the plain difference as a hollow mark.

    Where the hollow mark lies off the dot, posts of that form differ in other things as well.

    Parameters
    ----------
    table : of `whatif.what_if`; changes with too few posts are named without a mark
    log : as in `week`
    """
    absent = [c for c in (*FIGURES, "n", "clear") if c not in table]
    if absent or table.empty:
        raise UsageError(
            f"what-ifs are drawn from the table of `what_if`; {absent[0] if absent else 'rows'!r} is absent"
        )
    ax = plots.axes(ax, height=0.9 + 0.27 * len(table))
    y = np.arange(len(table))[::-1]
    gain, low, high, naive = (_percent(table[c].where(table["gain"].notna()), log) for c in FIGURES)
    sign = np.where(gain > 0, BETTER, WORSE)
    inks = [str(s) if clear else GREY for s, clear in zip(sign, table["clear"], strict=True)]
    ax.axvline(0, color=GREY, lw=1, ls="--")
    ax.hlines(y, low, high, color=inks, lw=2.4, alpha=0.45)
    ax.scatter(gain, y, s=36, color=inks, zorder=3)
    ax.plot(naive, y, "D", ms=4.5, mec=GREY, mfc="none", zorder=2)
    ax.set_yticks(
        y, [f"{shorten(str(name), 36)}   n = {n:,.0f}" for name, n in zip(table.index, table["n"], strict=True)]
    )
    for tick, known in zip(ax.get_yticklabels(), np.isfinite(gain), strict=True):
        tick.set_color(INK if known else GREY)
    ax.set_ylim(-0.7, len(table) - 0.3)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+g}" if v else "0"))
    ax.grid(axis="x", color=FAINT, lw=0.6)
    unit = "% of reactions" if log else "points"
    return plots.finish(ax, title, f"gain in {unit}\n●  grey: perhaps chance      ◇  plain difference", "")


def _percent(gain: ArrayLike, log: bool) -> NDArray[np.float64]:
    x = np.asarray(gain, dtype=float)
    return 100 * (np.expm1(x) if log else x)
