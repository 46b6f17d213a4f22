"""Plots that question a model: reliability diagrams and forests of coefficients, in the style of `plots`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.plots import FAINT, GREY, INK


def reliability(curves: Mapping[str, Any], *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the observed click rate against the predicted one, bin by bin, with Wilson's intervals.

    Parameters
    ----------
    curves : {name: `calibration.Curve`}, arrays predicted, observed, low, high of one length each
    """
    if not curves:
        raise UsageError("there is nothing to draw: no curve")
    ax = plots.axes(ax, height=3.8)
    colour = plots.colours(curves)
    top = max(max(c.predicted.max(), c.high.max()) for c in curves.values()) * 1.05
    ax.plot([0, top], [0, top], color=GREY, lw=1, ls="--")
    for name, c in curves.items():
        ax.vlines(c.predicted, c.low, c.high, color=colour[name], lw=1.4, alpha=0.5)
        ax.plot(c.predicted, c.observed, marker="o", ms=4, lw=1.4, color=colour[name], label=name)
    ax.set(xlim=(0, top), ylim=(0, top))
    ax.grid(color=FAINT, lw=0.6)
    ax.legend(frameon=False, loc="upper left")
    return plots.finish(ax, title, "predicted probability", "observed click rate")


def forest(table: pd.DataFrame, *, title: str = "", label: str = "", ax: Axes | None = None) -> Axes:
    """Draw coefficients with their intervals, one line each, and their true values as hollow marks where known.

    Parameters
    ----------
    table : columns term, theta, low, high and perhaps truth
    label : what is measured, with its unit
    """
    absent = {"term", "theta", "low", "high"} - set(table.columns)
    if absent or table.empty:
        raise UsageError(
            f"a forest needs rows with term, theta, low, high; absent: {', '.join(sorted(absent)) or 'rows'}"
        )
    ax = plots.axes(ax, height=0.9 + 0.28 * len(table))
    y = np.arange(len(table))[::-1]
    ax.axvline(0, color=GREY, lw=1, ls="--")
    ax.hlines(y, table["low"], table["high"], color=plots.PALETTE[0], lw=2.4, alpha=0.45)
    ax.plot(table["theta"], y, "o", ms=6, color=plots.PALETTE[0])
    if "truth" in table:
        ax.plot(table["truth"], y, "D", ms=6, mec=INK, mfc="none")
    ax.set_yticks(y, [shorten(str(term), 40) for term in table["term"]])
    ax.grid(axis="x", color=FAINT, lw=0.6)
    key = "●  estimate, with its interval" + ("      ◇  truth" if "truth" in table else "")
    return plots.finish(ax, title, f"{label}      {key}".strip(), "")
