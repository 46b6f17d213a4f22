"""Plots of groups and of months: rates with their intervals, and performance over time with the alarm marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.plots import FAINT, GREY, INK, PALETTE

TESTED = {  # which gap says whether the groups differ in a measure
    "selection rate": "demographic parity",
    "true positive rate": "equal opportunity",
    "calibration in the large": "calibration",
}


def rates(
    table: pd.DataFrame,
    gaps: pd.DataFrame | None = None,
    *,
    measures: Iterable[str] = tuple(TESTED),
    title: str = "",
    level: float = 0.05,
) -> Figure:
    """Draw a panel for each measure with every group's value and interval; where the gap is sure, in orange.

    Parameters
    ----------
    table : of `fairness.by_group`: group, measure, n, value, low, high; NaN is written as too few
    gaps : of `fairness.gaps` for the same groups, which says so after correction; measures with no sure gap are grey
    measures : of the table, one panel each; those that `gaps` does not test stay blue
    """
    names = [m for m in measures if m in set(table["measure"])]
    if not names:
        raise UsageError(f"there is nothing to draw: the table has none of {', '.join(measures)}")
    p = {} if gaps is None else dict(zip(gaps["measure"], gaps["adjusted"], strict=True))
    height = 1.4 + 0.3 * table["group"].nunique()
    figure, panels = plt.subplots(1, len(names), figsize=(plots.WIDTH, height), layout="constrained", squeeze=False)
    for ax, name in zip(panels[0], names, strict=True):
        part = table[table["measure"] == name]
        test = p.get(TESTED.get(name, ""))
        ink = PALETTE[0] if test is None else PALETTE[1] if test < level else GREY
        _panel(ax, part, ink, first=ax is panels[0, 0])
        plots.finish(ax, "", name, "")
    figure.suptitle(title, x=0.01, ha="left", weight="bold", size=11, color=INK, fontfamily=plots.fonts())
    return figure


def over_time(
    table: pd.DataFrame,
    measure: str = "AUC",
    *,
    marks: Mapping[str, Any] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw one measure month by month with its intervals, and moments such as the alarm.

    Parameters
    ----------
    table : of `drift.over_time`: start, end, measure, value, low, high; NaN are gaps
    marks : {what: time}, a dashed line each
    """
    part = table[table["measure"] == measure]
    if part["value"].notna().sum() == 0:
        raise UsageError(f"there is nothing to draw: no period has {measure!r} with enough posts")
    ax = plots.axes(ax, height=3.2)
    x = date2num(part["start"] + (part["end"] - part["start"]) / 2)
    ax.vlines(x, part["low"], part["high"], color=PALETTE[0], lw=2.4, alpha=0.45)
    ax.plot(x, part["value"], "o-", color=PALETTE[0], ms=5, lw=1.2)
    if measure in (
        "AUC",
        "calibration in the large",
        "calibration slope",
    ):  # where the measure knows nothing, or is right
        ax.axhline({"AUC": 0.5, "calibration slope": 1.0}.get(measure, 0.0), color=GREY, lw=1, ls=":")
    for place, (what, when) in enumerate((marks or {}).items()):
        at = float(date2num(pd.Timestamp(when)))
        ax.axvline(at, color=PALETTE[1], lw=1.4, ls="--")
        top = ax.get_xaxis_transform()
        ax.annotate(
            shorten(what, 40), (at, 1), (4, -10 - 12 * place), xycoords=top, textcoords="offset points",
            color=PALETTE[1], size=9,
        )  # fmt: skip
    ax.xaxis.set_major_locator(locator := AutoDateLocator())
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.grid(axis="y", color=FAINT, lw=0.6)
    return plots.finish(ax, title, "", f"{measure} of the period, with its interval")


def _panel(ax: Axes, part: pd.DataFrame, ink: str, *, first: bool) -> None:
    y = np.arange(len(part))[::-1]
    ax.hlines(y, part["low"], part["high"], color=ink, lw=2.4, alpha=0.45)
    ax.plot(part["value"], y, "o", ms=6, color=ink)
    for at in y[part["value"].isna().to_numpy()]:
        ax.text(0.5, at, "too few", color=GREY, size=9, ha="center", va="center", transform=ax.get_yaxis_transform())
    names = [shorten(str(g), 24).replace("$", r"\$") for g in part["group"]]  # no formula, whatever the data says
    ax.set_yticks(y, names if first else [])
    ax.set_ylim(-0.6, len(part) - 0.4)
    ax.margins(x=0.12)
    ax.grid(axis="x", color=FAINT, lw=0.6)
