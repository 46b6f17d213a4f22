"""Plots of forecasts: a fan over what came before, what came after, components, an event, in the style of `plots`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.plots import FAINT, GREY, INK

AHEAD, MISSED = "#0072B2", "#D55E00"
BANDS = ((0.025, 0.975, 0.14), (0.1, 0.9, 0.24))  # low, high, ink
GAP = 1.5  # steps that are missing from here on break a line


def fan(
    forecast: pd.DataFrame,
    history: pd.Series | None = None,
    actual: pd.Series | None = None,
    *,
    ylabel: str = "messages",
    log: bool = False,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a forecast as its median with bands of 80 and 95 %, after its history; what came as dots.

    Dots outside the 95 % band are in another colour and hollow, so that they show in print too.

    Parameters
    ----------
    forecast : by time, with the levels .025, .1, .5, .9, .975; forecasts of several origins one below the other
    history, actual : values by time, NaN where nothing was measured
    log : whether the axis is logarithmic
    """
    q = _quantiles(forecast)
    ax = plots.axes(ax, height=3.4)
    x = _times(forecast.index)
    for low, high, alpha in BANDS:
        for part in _parts(x):
            ax.fill_between(x[part], q[low][part], q[high][part], color=AHEAD, alpha=alpha, lw=0)
    for part in _parts(x):
        ax.plot(x[part], q[0.5][part], color=AHEAD, lw=1.8)
    words = [("median, 80 and 95 %", AHEAD)]
    if history is not None:
        ax.plot(_times(history.index), history.to_numpy(dtype=float), color=INK, lw=1.1)
        words.insert(0, ("measured", INK))
    if actual is not None:
        words += _dots(ax, x, actual.reindex(forecast.index).to_numpy(dtype=float), q)
    _dates(ax)
    _counts(ax, log)
    plots.finish(ax, title, "", ylabel)
    _key(ax, title, words)
    return ax


def components(
    parts: pd.DataFrame | Mapping[str, pd.Series], *, unit: str = "", title: str = "", share_y: bool = False
) -> NDArray[Any]:
    """Draw a series and what it is made of (trend, season, rest …), one panel each below the other.

    Parameters
    ----------
    parts : columns by time, from the top down
    share_y : whether all panels have one scale, so that small parts look small
    """
    frame = pd.DataFrame(parts)
    if frame.empty or not len(frame.columns):
        raise UsageError("there are no components to draw")
    n = len(frame.columns)
    size = (plots.WIDTH, 0.6 + 1.25 * n)
    panels = plt.subplots(
        n, 1, sharex=True, sharey=share_y, figsize=size, layout="constrained", facecolor="white", squeeze=False
    )[1].ravel()
    x = _times(frame.index)
    for i, (name, panel) in enumerate(zip(frame.columns, panels, strict=True)):
        y = frame[name].to_numpy(dtype=float)
        if np.nanmin(y) < 0 < np.nanmax(y):
            panel.axhline(0, color=GREY, lw=0.8)
        panel.plot(x, y, color=INK if i == 0 else AHEAD, lw=1.2)
        panel.grid(axis="y", color=FAINT, lw=0.6)
        plots.finish(panel, title if i == 0 else "", "", shorten(str(name), 24))
    _dates(panels[-1])
    panels[-1].set_xlabel(unit, color=GREY)
    return panels


def effect(
    table: pd.DataFrame,
    history: pd.Series | None = None,
    *,
    ylabel: str = "messages",
    log: bool = False,
    title: str = "",
) -> NDArray[Any]:
    """Draw what came beside what was expected without the event, and below it the sum of the differences so far.

    Parameters
    ----------
    table : of `counterfactual.impact` (one row a step of the event) or of `events.interrupted` (all steps, one panel)
    history : values before the event
    """
    absent = [c for c in ("actual", "expected", "low", "high") if c not in table]
    if absent or table.empty:
        raise UsageError(f"an effect is drawn from a table by time; {(absent or ['rows'])[0]!r} is absent")
    summed = "total" in table
    size = (plots.WIDTH, 4.6 if summed else 3.2)
    panels = plt.subplots(
        1 + summed, 1, sharex=True, figsize=size, layout="constrained", facecolor="white", squeeze=False,
        height_ratios=[3, 2][: 1 + summed],
    )[1].ravel()  # fmt: skip
    top, x = panels[0], _times(table.index)
    marker = "o" if len(x) <= 31 else ""
    top.fill_between(x, table["low"], table["high"], color=AHEAD, alpha=0.2, lw=0)
    top.plot(x, table["expected"], color=AHEAD, lw=1.6, ls="--", marker=marker, ms=3)
    if history is not None:
        top.plot(_times(history.index), history.to_numpy(dtype=float), color=INK, lw=1.1)
    top.plot(x, table["actual"], color=MISSED if summed else INK, lw=1.4, marker=marker, ms=3.5)
    _counts(top, log)
    began = x[0] if history is not None else None
    if "fitted" in table and (moved := np.flatnonzero(table["fitted"] != table["expected"])).size:
        began = x[moved[0]]
        top.plot(x[moved], table["fitted"].iloc[moved], color=MISSED, lw=1.6)
    came = ("measured", INK) if not summed else ("measured during the event", MISSED)
    plots.finish(top, title, "", ylabel)
    fitted = [("fitted with the event", MISSED)] if "fitted" in table else []
    _key(top, title, [came, ("expected without it, 95 %", AHEAD), *fitted])
    if summed:
        _sum(panels[1], x, table, marker, ylabel)
    for panel in panels if began is not None else ():
        panel.axvline(began, color=GREY, lw=1, ls=":")
    _dates(panels[-1])
    return panels


def event_days(days: pd.DataFrame, *, log: bool = True, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the effect of each event on the days of its window, with intervals; day 0 is the event.

    Parameters
    ----------
    days : of `events.several`: name, day, effect, low, high
    log : whether effects are logarithms, drawn as percent on an axis of factors
    """
    if days.empty:
        raise UsageError("there are no events to draw")
    names = list(dict.fromkeys(days["name"]))
    colour = plots.colours(map(str, names))
    ax = plots.axes(ax, height=1.4 + 0.32 * len(days))
    ax.axvline(0, color=GREY, lw=1, ls="--")
    y, ticks = 0.0, []
    for name in names:
        for row in days[days["name"] == name].itertuples():
            ink = colour[str(name)] if row.low > 0 or row.high < 0 else GREY
            ax.plot([row.low, row.high], [-y, -y], color=ink, lw=2.4, alpha=0.45, solid_capstyle="butt")
            ax.plot(row.effect, -y, "o", ms=6, color=ink)
            ticks.append((-y, f"{shorten(str(name), 28)}  {row.day:+d}" if row.day else shorten(str(name), 28)))
            y += 1
        y += 0.5
    ax.set_yticks([t[0] for t in ticks], [t[1] for t in ticks])
    if log:
        marks = _percents(*ax.get_xlim())
        ax.set_xticks([np.log1p(m / 100) for m in marks], [f"{m:+,d} %" if m else "0" for m in marks])
    ax.grid(axis="x", color=FAINT, lw=0.6)
    return plots.finish(ax, title, "effect, with its interval; grey: perhaps chance", "")


def _percents(low: float, high: float) -> list[int]:
    """Choose round percents for an axis of logarithms, far enough apart; 0 is one."""
    marks = [0]
    for m in (100, -50, 300, -75, 900, -90, 2900, 9900, -97, 25, -20, 50, 10, -10, 5, -5):
        at = np.log1p(np.array([*marks, m]) / 100)
        if low <= at[-1] <= high and np.abs(at[:-1] - at[-1]).min() > (high - low) / 9:
            marks.append(m)
    return marks


def _sum(ax: Axes, x: NDArray[np.float64], table: pd.DataFrame, marker: str, ylabel: str) -> None:
    if table["total_low"].notna().any():
        ax.fill_between(x, table["total_low"], table["total_high"], color=MISSED, alpha=0.2, lw=0)
    ax.plot(x, table["total"], color=MISSED, lw=1.6, marker=marker, ms=3.5)
    ax.axhline(0, color=GREY, lw=1, ls="--")
    _counts(ax, False)
    plots.finish(ax, "", "", "difference so far")


def _dots(
    ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], q: dict[float, NDArray[np.float64]]
) -> list[tuple[str, str]]:
    """Draw what came; give the words of the key."""
    seen = np.isfinite(y)
    out = seen & ((y < q[0.025]) | (y > q[0.975]))
    small = 4.0 if len(x) <= 60 else 2.2
    ax.plot(x[seen & ~out], y[seen & ~out], "o", ms=small, color=INK)
    ax.plot(x[out], y[out], "o", ms=small + 1, mec=MISSED, mfc="white", mew=1.4)
    return [("● came", INK), (f"○ came outside 95 %: {out.sum()} of {seen.sum()}", MISSED)]


def _quantiles(forecast: pd.DataFrame) -> dict[float, NDArray[np.float64]]:
    levels: list[Any] = [0.025, 0.1, 0.5, 0.9, 0.975]
    absent = [level for level in levels if level not in forecast.columns]
    if absent or forecast.empty:
        raise UsageError(f"a fan needs forecasts with the levels {sorted(levels)}; {(absent or ['rows'])[0]} is absent")
    return {level: forecast[level].to_numpy(dtype=float) for level in levels}


def _times(index: pd.Index) -> NDArray[np.float64]:
    if not isinstance(index, pd.DatetimeIndex):
        raise UsageError("what is drawn over time needs a DatetimeIndex")
    return np.asarray(date2num(index), dtype=float)


def _parts(x: NDArray[np.float64]) -> list[slice]:
    """Cut where steps are missing or time goes back, so that no line bridges it."""
    if len(x) < 2:
        return [slice(0, len(x))]
    steps = np.diff(x)
    cuts = [0, *(np.flatnonzero((steps > GAP * np.median(steps)) | (steps <= 0)) + 1), len(x)]
    return [slice(int(a), int(b)) for a, b in zip(cuts, cuts[1:], strict=False)]


def _dates(ax: Axes) -> None:
    ax.xaxis.set_major_locator(locator := AutoDateLocator())
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    for text in ax.get_xticklabels():
        text.set_fontfamily(plots.fonts())


def _counts(ax: Axes, log: bool) -> None:
    ax.set_yscale("log" if log else "linear")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.4g}" if abs(v) < 1e4 else f"{v:,.0f}"))
    ax.grid(axis="y", color=FAINT, lw=0.6)


def _key(ax: Axes, title: str, words: list[tuple[str, str]]) -> None:
    """Write what the colours mean below the title, each in its colour."""
    ax.set_title(title, loc="left", weight="bold", size=11, color=INK, pad=24, family=plots.fonts())
    at = 0.0
    for text, ink in words:
        note = plots._note(ax, text, (at, 1.0), (0, 5), color=ink, xycoords="axes fraction", size=9)
        plots._lay_out(ax)
        at = ax.transAxes.inverted().transform(note.get_window_extent())[1, 0] + 0.02
