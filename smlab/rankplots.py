"""Plots of what lists do: reasons, who is shown, what variety costs, who is served badly, a map of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

from smlab import plots
from smlab.checks import UsageError, shorten
from smlab.plots import FAINT, GREY, INK, PALETTE

Sides = tuple[tuple[int, int, str], ...]
BESIDE: Sides = ((5, 0, "left"), (-5, 0, "right"), (0, 8, "center"), (0, -8, "center"))
ABOVE: Sides = ((4, 7, "left"), (-4, -7, "right"), (4, -7, "left"), (-4, 7, "right"))


def reasons(
    parts: Mapping[str, float], *, n: int = 8, title: str = "", label: str = "", ax: Axes | None = None
) -> Axes:
    """Draw what each reason adds to a score, end to end, the n weightiest by name, the rest together, and the sum.

    Parameters
    ----------
    parts : {reason: what it adds}, which may be below 0
    """
    if not parts:
        raise UsageError("there is nothing to draw: no reason")
    order = sorted(parts, key=lambda name: -abs(parts[name]))
    rows = [(name, parts[name]) for name in order[:n]]
    if rest := order[n:]:
        rows.append((f"{len(rest)} more together", sum(parts[name] for name in rest)))
    ends = np.cumsum([0.0, *(value for _, value in rows)])
    ax = plots.axes(ax, height=1.1 + 0.3 * len(rows))
    for y, ((_, value), start) in enumerate(zip(rows, ends[:-1], strict=True)):
        ink = "#a9a9a9" if y == n else PALETTE[0] if value >= 0 else PALETTE[1]
        ax.barh(-y, value, left=start, color=ink, height=0.66)
        ax.plot([start + value] * 2, [-y - 1.33, -y + 0.33], color=GREY, lw=0.7)
        end = (max(start, start + value), -y)
        plots._note(ax, f"{value:+.2f}", end, (4, 0), color=GREY, va="center", size=9)
    ax.barh(-len(rows), ends[-1], color=INK, height=0.66)
    plots._note(ax, f"{ends[-1]:.2f}", (ends[-1], -len(rows)), (4, 0), color=INK, va="center", size=9)
    names = [_plain(shorten(name, 38)) for name, _ in rows]
    ax.set_yticks(-np.arange(len(rows) + 1), [*names, "the score"])
    ax.margins(x=0.12)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    return plots.finish(ax, title, label, "")


def shifts(table: pd.DataFrame, *, title: str = "", label: str = "", ax: Axes | None = None) -> Axes:
    """Draw for each row how far one share lies from another: hollow the first column, full the second.

    Parameters
    ----------
    table : two columns of shares, names as index, drawn from top to bottom
    """
    if table.shape[1] != 2 or table.empty:
        raise UsageError(f"shifts need two columns and a row at least; the table has shape {table.shape}")
    ax = plots.axes(ax, height=1.1 + 0.28 * len(table))
    for y, (before, after) in enumerate(table.to_numpy(dtype=float)):
        ink = PALETTE[1] if after > before else PALETTE[0]
        ax.plot([before, after], [-y, -y], color=ink, lw=2.4, alpha=0.45, solid_capstyle="butt")
        ax.plot(before, -y, "o", ms=6.5, mec=GREY, mfc="white")
        ax.plot(after, -y, "o", ms=6.5, color=ink)
        side = 1 if after >= before else -1
        ha = "left" if side > 0 else "right"
        text = f"{after:.0%}" if after >= 0.0095 else f"{after:.1%}"
        plots._note(ax, text, (after, -y), (8 * side, 0), color=ink, va="center", ha=ha, size=9)
    ax.set_yticks(-np.arange(len(table)), [_plain(shorten(str(name), 38)) for name in table.index])
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_ylim(0.6 - len(table), 0.6)
    ax.margins(x=0.12)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    first, second = map(str, table.columns)
    return plots.finish(ax, title, f"{label}      ○  {first}      ●  {second}".strip(), "")


def paths(
    lines: Mapping[str, pd.DataFrame], *, title: str = "", xlabel: str = "", ylabel: str = "", ax: Axes | None = None
) -> Axes:
    """Draw the way of each name through two measures as something is turned up, with intervals.

    Parameters
    ----------
    lines : {name: frame with columns x and y, each an interval (value, low, high), and the settings as index}
    """
    if not lines:
        raise UsageError("there is nothing to draw: no line")
    ax, colour = plots.axes(ax, height=4.2), plots.colours(lines)
    notes: list[tuple[tuple[float, float], str, str]] = []
    for name, frame in lines.items():
        x, y = (np.array([plots._interval(v) for v in frame[axis]]) for axis in ("x", "y"))  # (n, 3)
        for a, u in zip(x, y, strict=True):
            ax.plot(a[1:], u[[0, 0]], a[[0, 0]], u[1:], color=colour[name], lw=1.2, alpha=0.35)
        ax.plot(x[:, 0], y[:, 0], marker="o", ms=4.5, lw=1.8, color=colour[name], label=name)
        notes += [((a, u), f"{s:g}", colour[name]) for a, u, s in zip(x[:, 0], y[:, 0], frame.index, strict=True)]
    ax.grid(color=FAINT, lw=0.6)
    ax.margins(0.08)
    ax.legend(frameon=False, labelcolor="linecolor", loc="best")
    plots.finish(ax, title, xlabel, ylabel)
    _name(ax, notes, ABOVE)
    return ax


def groups(
    table: pd.DataFrame,
    overall: float,
    *,
    title: str = "",
    label: str = "",
    level: float = 0.05,
    ax: Axes | None = None,
) -> Axes:
    """Draw each group's mean with its interval, trait by trait, beside the mean of all; sure gaps are coloured.

    Parameters
    ----------
    table : of `served.gaps`: trait, group, n, value, low, high, adjusted
    """
    rows: list[Any] = []
    for trait, part in table.groupby("trait", sort=False):
        rows += [str(trait), *part.itertuples()]
    ax = plots.axes(ax, height=0.9 + 0.25 * len(rows))
    ax.axvline(overall, color=GREY, lw=1, ls="--")
    for y, row in enumerate(rows):
        if isinstance(row, str):
            continue
        ink = GREY if row.adjusted >= level else PALETTE[0] if row.gap > 0 else PALETTE[1]
        ax.plot([row.low, row.high], [-y, -y], color=ink, lw=2.4, alpha=0.45, solid_capstyle="butt")
        ax.plot(row.value, -y, "o", ms=6, color=ink)
    names = [row if isinstance(row, str) else f"{_plain(shorten(row.group, 30))}  ({row.n:,})" for row in rows]
    ax.set_yticks(-np.arange(len(rows)), names)
    for tick, row in zip(ax.get_yticklabels(), rows, strict=True):
        tick.set_fontweight("bold" if isinstance(row, str) else "normal")
    ax.set_ylim(0.6 - len(rows), 0.8)
    plots._note(ax, f"all {overall:.3f}", (overall, 0.5), (4, 0), color=GREY, va="center", size=9)
    ax.grid(axis="x", color=FAINT, lw=0.6)
    key = "coloured: sure after correction for many looks"
    return plots.finish(ax, title, f"{label}      {key}", "")


def item_map(
    places: ArrayLike,
    names: Sequence[str],
    kinds: Sequence[str],
    sizes: ArrayLike,
    *,
    n_names: int = 150,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw items as points, coloured by kind, the largest by name as far as names do not cover each other.

    Parameters
    ----------
    places : (n, 2)
    names, kinds : (n,); "other" is grey
    sizes : (n,), 0 or more: how well known an item is, drawn as area
    """
    at, size = np.asarray(places, dtype=float), np.asarray(sizes, dtype=float)
    if at.ndim != 2 or at.shape[1] != 2 or not len(at) == len(names) == len(kinds) == len(size) > 0:
        raise UsageError(f"an item has a place, a name, a kind and a size; places have shape {at.shape}")
    ax = plots.axes(ax, height=6.2)
    kind = np.asarray(kinds, dtype=object)
    shown = [k for k in dict.fromkeys(kinds) if k != "other"]
    colour = dict(zip(shown, PALETTE * (1 + len(shown) // len(PALETTE)), strict=False)) | {"other": "#b5b5b5"}
    area = 4 + 60 * size / max(size.max(), 1e-12)
    for k in [*(["other"] if (kind == "other").any() else []), *shown]:
        part = kind == k
        ax.scatter(at[part, 0], at[part, 1], s=area[part], color=colour[k], alpha=0.7, lw=0, label=_plain(str(k)))
    ax.set(xticks=[], yticks=[])
    key = ax.legend(
        loc="upper left", bbox_to_anchor=(0, -0.01), ncols=8, fontsize=9, handletextpad=0, columnspacing=0.8
    )
    key.set_frame_on(False)
    for handle in key.legend_handles:
        handle.set(sizes=[36], alpha=1)  # type: ignore[union-attr]
    plots.finish(ax, title, "", "")
    ax.spines[:].set_visible(False)
    order = np.argsort(-size, kind="stable")[:n_names]
    _name(ax, [((at[i, 0], at[i, 1]), _plain(shorten(names[i], 26)), INK) for i in order])
    return ax


def _name(ax: Axes, notes: Sequence[tuple[tuple[float, float], str, str]], sides: Sides = BESIDE) -> None:
    """Write each name (place, text, colour) beside its point; one that would cover an earlier one is left out."""
    plots._lay_out(ax)
    taken, frame = list[Bbox](), ax.get_window_extent()
    halo = [withStroke(linewidth=2, foreground="white")]
    for place, text, ink in notes:
        for dx, dy, ha in sides:
            written = plots._note(ax, text, place, (dx, dy), color=ink, ha=ha, va="center", size=7.5, path_effects=halo)
            box = written.get_window_extent().padded(1.5)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(t) for t in taken):
                x, y = ax.transData.transform(place)
                taken += [box, Bbox([[x - 4, y - 4], [x + 4, y + 4]])]
                break
            written.remove()


def _plain(text: str) -> str:
    """Keep text from data from being read as a formula."""
    return text.replace("$", r"\$")
