"""Curves that judge models of engagement, with their bands: ROC, and precision against recall."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from smlab import plots
from smlab.checks import UsageError
from smlab.plots import FAINT, GREY, INK

COLUMNS = ("at", "value", "low", "high")


def roc(
    bands: Mapping[str, pd.DataFrame],
    *,
    corner: tuple[float, float] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of hits found against the share of false alarms, with bands; the diagonal knows nothing.

    Parameters
    ----------
    bands : {name: columns at, value, low, high} as `comparing.band` gives them
    corner : (false alarms, recall) of hard labels, which is all that they leave of a curve
    """
    ax = _curves(bands, ax)
    ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--", zorder=1)
    if corner is not None:
        ax.plot([0, corner[0], 1], [0, corner[1], 1], color=INK, lw=1, ls=":", zorder=2)
        ax.plot(*corner, "o", ms=6, mec=INK, mfc="white", label="labels instead of probabilities")
    ax.legend(frameon=False, loc="lower right")
    return plots.finish(ax, title, "share of the others called a hit", "share of the hits found")


def precision_recall(
    bands: Mapping[str, pd.DataFrame], *, share: float, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw how many of the posts called a hit are one, against how many hits are found, with bands.

    Parameters
    ----------
    bands : as for `roc`, of kind "precision-recall"
    share : of posts that worked, where the line of no knowledge lies
    """
    if not 0 < share < 1:
        raise UsageError(f"share={share} must lie between 0 and 1: the share of posts that worked")
    ax = _curves(bands, ax)
    ax.axhline(share, color=GREY, lw=1, ls="--", zorder=1)
    ax.legend(frameon=False, loc="lower left" if share > 0.5 else "upper right")
    return plots.finish(ax, title, "share of the hits found (recall)", "share of hits among those called (precision)")


def _curves(bands: Mapping[str, pd.DataFrame], ax: Axes | None) -> Axes:
    if not bands:
        raise UsageError("there is nothing to draw: no curve")
    for name, band in bands.items():
        if absent := [c for c in COLUMNS if c not in band]:
            raise UsageError(f"curve {name!r} has no column {absent[0]!r}; needed are {', '.join(COLUMNS)}")
    ax = plots.axes(ax, height=4.6)
    colour = plots.colours(bands)
    for name, band in bands.items():
        ax.fill_between(band["at"], band["low"], band["high"], color=colour[name], alpha=0.12, lw=0)
        ax.plot(band["at"], band["value"], color=colour[name], lw=1.8, label=name)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlim=(0, 1), ylim=(0, 1.01))
    ax.grid(color=FAINT, lw=0.6)
    return ax
