"""Plots of a monitor: shares over time with their changes, and the words of each side, in the style of `plots`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from unicodedata import category, name

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import PercentFormatter

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.plots import FAINT, GREY, INK

MOODS = {"negative": "#D55E00", "neutral": GREY, "positive": "#0072B2"}  # as everywhere, where classes are these


def shares_over_time(
    table: pd.DataFrame,
    *,
    changes: Iterable[Any] | pd.DataFrame = (),
    classes: Iterable[Any] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of each class over time as a line with its band; windows of few posts are hollow.

    Parameters
    ----------
    table : of `monitor.shares_over_time`: start, end, class, few, value, low, high
    changes : days at which the mix changed, or the frame of `changepoints.change_points`, whose day-between is shaded
    classes : to draw; all if not given
    """
    names = list(table["class"].unique()) if classes is None else list(classes)
    drawn = table[table["class"].isin(names)]
    if drawn.empty or drawn["value"].isna().all():
        raise UsageError("there is nothing to draw: no window has posts")
    ax = plots.axes(ax, height=3.6)
    colour = _colours(names)
    marked = changes if isinstance(changes, pd.DataFrame) else pd.DataFrame({"day": list(changes)})
    for change in marked.to_dict("records"):
        ax.axvline(date2num(change["day"]), color=INK, lw=1.2, ls="--", zorder=1)
        if "low" in change:
            ax.axvspan(date2num(change["low"]), date2num(change["high"]), color=INK, alpha=0.08, lw=0)
    ends = []
    for each in names:
        rows = drawn[drawn["class"] == each]
        x = date2num(rows["start"] + (rows["end"] - rows["start"]) / 2)
        ink = colour[each]
        ax.fill_between(x, rows["low"], rows["high"], color=ink, alpha=0.15, lw=0)
        ax.plot(x, rows["value"], color=ink, lw=1.6, label=str(each))
        for few, fill in ((True, "white"), (False, ink)):
            at = (rows["few"] == few).to_numpy()
            ax.plot(x[at], rows["value"][at], "o", ms=3.5, mec=ink, mfc=fill, ls="")
        seen = rows["value"].notna().to_numpy().nonzero()[0]
        if len(seen):
            ends.append((float(x[seen[-1]]), float(rows["value"].iloc[seen[-1]]), shorten(str(each), 20), ink))
    ax.xaxis.set_major_locator(locator := AutoDateLocator())
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_ylim(0, min(1.0, float(np.nanmax(drawn["high"])) * 1.08))
    ax.grid(axis="y", color=FAINT, lw=0.6)
    key = "○  few posts" if drawn["few"].any() else ""
    plots.finish(ax, title, key, "share of posts")
    plots._name_ends(ax, ends)
    return ax


def words(table: pd.DataFrame, *, n: int = 12, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the surest words of two sides as bars to the left and to the right, as long as they are sure (z).

    Parameters
    ----------
    table : of `drivers.drivers`: side, word, z, of two sides
    n : words at most of each side
    """
    sides = list(dict.fromkeys(table["side"]))
    if len(sides) != 2:
        raise UsageError(f"words are drawn of two sides; the table has {len(sides)}: choose with drivers(…, sides=…)")
    ax = plots.axes(ax, height=0.9 + 0.24 * n)
    colour = _colours(sides)
    for sign, side in zip((-1, 1), sides, strict=True):
        rows = table[table["side"] == side].nlargest(n, "z", keep="first")
        y = -np.arange(len(rows))
        ax.barh(y, sign * rows["z"], color=colour[side], height=0.72)
        for at, z, word in zip(y, rows["z"], rows["word"], strict=True):
            end, ha = (sign * z, at), "right" if sign < 0 else "left"
            text = shorten(_readable(word), 24).replace("$", r"\$")  # no formula, whatever a post says
            ax.annotate(text, end, (4 * sign, 0), textcoords="offset points", va="center", ha=ha, size=9, color=INK)
    limit = 1.5 * float(table["z"].max())
    ax.axvline(0, color=GREY, lw=1)
    ax.set(xlim=(-limit, limit), yticks=[])
    ax.xaxis.set_major_formatter(lambda v, _: f"{abs(v):g}")
    return plots.finish(ax, title, f"{shorten(str(sides[0]), 20)}   ←   z   →   {shorten(str(sides[1]), 20)}", "")


def _readable(word: str) -> str:
    """Give emoji by their names in Unicode: few fonts have them."""
    plain = [c for c in word if c not in "\u200d\ufe0f" and not "\U0001f3fb" <= c <= "\U0001f3ff"]
    return "".join(name(c, c).lower() if category(c) == "So" else c for c in plain)


def _colours(names: list[Any]) -> dict[Any, str]:
    if set(map(str, names)) <= set(MOODS):
        return {each: MOODS[str(each)] for each in names}
    given = plots.colours(map(str, names))
    return {each: given[str(each)] for each in names}
