"""Plots of a closed loop: courses over days with their bands, recovery from a drift, who was shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from smlab import plots
from smlab.checks import UsageError
from smlab.plots import GREY, INK

Ax = Axes | None
NEEDED = ("policy", "day", "value", "low", "high")


def course(table: pd.DataFrame, *, drift: int | None = None, title: str = "", ylabel: str = "", ax: Ax = None) -> Axes:
    """Draw a line with its band for each policy over the days.

    Parameters
    ----------
    table : policy, day, value, low, high, as `looptables.by_day` gives
    drift : first day of the new tastes, from 1; marked where given
    """
    days, lines = _lines(table)
    ax = plots.curve(days, lines, title=title, xlabel="day", ylabel=ylabel, ax=ax)
    if drift is not None:
        _mark(ax, drift - 0.5)
    return ax


def recovery(
    table: pd.DataFrame, drift: int, *, before: int = 5, back: float = 0.9, title: str = "", ax: Ax = None
) -> Axes:
    """Draw what each policy reaches around the drift, in shares of its own mean over the days just before.

    Parameters
    ----------
    table : of the share of the gap; policies that closed none of it before are left out
    drift : first day of the new tastes, from 1
    back : where a policy counts as recovered
    """
    days, lines = _lines(table)
    around = days >= drift - before
    calm = around & (days < drift)
    if not calm.any() or not (days >= drift).any():
        raise UsageError(f"drift={drift} must lie within the days {days[0]:g} to {days[-1]:g}, with days before it")
    shown = {}
    for name, line in lines.items():
        usual = line[calm, 0].mean()
        if usual > 0.01 and np.ptp(line[:, 0]) > 1e-9:  # neither random choice nor the oracle, a level line both
            shown[name] = line[around] / usual
    if not shown:
        raise UsageError("there is nothing to draw: no policy had anything to lose in the drift")
    xlabel = "days from the drift on"
    ax = plots.curve(days[around] - drift, shown, title=title, xlabel=xlabel, ylabel="of what it was before", ax=ax)
    ax.axhline(back, color=GREY, lw=0.8, ls=":")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _mark(ax, -0.5)
    return ax


def exposure(table: pd.DataFrame, *, title: str = "", ax: Ax = None) -> Axes:
    """Draw how unevenly posts are shown against what newcomers get for their merit, a point with intervals a policy.

    `table` has policies as index and the columns Gini and newcomers, of intervals, as `looptables.scores` gives.
    """
    if absent := [c for c in ("Gini", "newcomers") if c not in table]:
        raise UsageError(f"the table has no column {absent[0]!r}; it has {', '.join(map(str, table.columns))}")
    across, up = "Gini of the posts' showings", "newcomers' showings by merit"
    x, y, names = table["Gini"].tolist(), table["newcomers"].tolist(), [str(name) for name in table.index]
    ax = plots.trade_off(x, y, names, title=title, xlabel=across, ylabel=up, ax=ax)
    ax.axhline(1, color=GREY, lw=0.8, ls=":")
    return ax


def _lines(table: pd.DataFrame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Give the days and, for each policy, (days, 3)."""
    if absent := [c for c in NEEDED if c not in table]:
        raise UsageError(f"the table has no column {absent[0]!r}; needed are {', '.join(NEEDED)}")
    if table.empty:
        raise UsageError("there is nothing to draw: the table is empty")
    days = np.sort(table["day"].unique()).astype(float)
    rows = {str(name): part.set_index("day")[list(NEEDED[2:])] for name, part in table.groupby("policy", sort=False)}
    return days, {name: part.reindex(days).to_numpy(dtype=float) for name, part in rows.items()}


def _mark(ax: Axes, day: float) -> None:
    """Mark where tastes turn."""
    ax.axvline(day, color=INK, lw=1.0, ls="--", zorder=1)
    high = ax.get_xaxis_transform()
    ax.text(day, 0.98, " tastes turn", transform=high, color=INK, size=9, va="top", family=plots.fonts())
