"""Plots are read back from their Axes: what stands where, in which colour, and whether it can be read."""

from __future__ import annotations

import re
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import plots
from smlab.checks import UsageError

INTERVALS = {"EASE": (0.48, 0.46, 0.50), "item-kNN": (0.43, 0.42, 0.45), "popularity": (0.25, 0.24, 0.27)}
PUBLISHED = {"BiVAE": 0.469, "SAR": 0.394}
X = np.array([10, 100, 1000])
DRAW = {
    "interval_bars": lambda **o: plots.interval_bars(INTERVALS, reference=PUBLISHED, label="nDCG@10", **o),
    "long_tail": lambda **o: plots.long_tail(np.arange(1, 60) ** 2, **o),
    "rating_histogram": lambda **o: plots.rating_histogram([1, 2, 2, 3, 5, 5, 5], **o),
    "curve": lambda **o: plots.curve(X, {"EASE": X / 9, "b": np.ones((3, 3))}, xlabel="λ", ylabel="y", **o),
    "heatmap": lambda **o: plots.heatmap(pd.DataFrame([[1, -0.5], [-0.5, 1]], list("ab"), list("ab")), **o),
    "lorenz": lambda **o: plots.lorenz({"EASE": [1, 2, 3], "popularity": [0, 0, 9]}, **o),
    "trade_off": lambda **o: plots.trade_off([0.1, (0.2, 0.1, 0.3)], [1, 2], ["EASE", "b"], **o),
}
every_plot = pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)


@pytest.fixture(autouse=True)
def no_window():
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def boxes(ax: plt.Axes) -> dict[str, mpl.transforms.Bbox]:
    """Where each visible text stands, in pixels."""
    ax.figure.canvas.draw()
    texts = [*ax.texts, ax.xaxis.label, ax.yaxis.label, ax._left_title]
    for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
        texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    texts = [t for t in texts if t.get_text().strip() and t.get_visible()]
    return {f"{t.get_text()} #{n}": t.get_window_extent() for n, t in enumerate(texts)}


@every_plot
def test_title_stands_on_the_axes_that_come_back(draw):
    ax = draw(title="Who wins?")
    assert isinstance(ax, plt.Axes) and ax.get_title(loc="left") == "Who wins?"
    assert ax.figure.get_facecolor() == (1, 1, 1, 1), "white on a dark page, too"


@every_plot
def test_given_axes_are_drawn_into(draw):
    _, (left, right) = plt.subplots(1, 2)
    assert draw(ax=right) is right and not left.has_data() and right.has_data()


@every_plot
def test_texts_do_not_cover_each_other_and_stay_inside_the_figure(draw):
    ax = draw(title="A finding of some length, as it would stand over a plot")
    found = boxes(ax)
    width, height = ax.figure.get_size_inches() * ax.figure.dpi
    for name, box in found.items():
        assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1, name
    names = sorted(found)
    for n, a in enumerate(names):
        for b in names[n + 1 :]:
            x, y = (min(p, q) - max(r, s) for p, q, r, s in overlaps(found[a], found[b]))
            assert x < 2 or y < 2, f"{a} and {b} overlap by {x:.0f} x {y:.0f} pixels"


def overlaps(a: mpl.transforms.Bbox, b: mpl.transforms.Bbox) -> list[tuple[float, float, float, float]]:
    return [(a.x1, b.x1, a.x0, b.x0), (a.y1, b.y1, a.y0, b.y0)]


@every_plot
def test_inputs_and_settings_of_the_caller_are_left_alone(draw):
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before


@pytest.mark.skipif(len(plots.fonts()) == 1, reason="no font here has Chinese")
@every_plot
def test_chinese_title_finds_its_glyphs(draw):
    ax = draw(title="哪个推荐系统更好？")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of each glyph that it draws as a box
        ax.figure.canvas.draw()


def test_names_keep_their_colour_between_plots_and_never_share_one():
    names = ["EASE", "item-kNN (cosine)", "user-kNN", "popularity", "SVD", "BPR"]
    colour = plots.colours(names)
    assert len(set(colour.values())) == len(names)
    assert plots.colours(["popularity", "EASE"]) == {n: colour[n] for n in ("popularity", "EASE")}
    assert plots.colours(["EASE (λ 500)"])["EASE (λ 500)"] == colour["EASE"]


def test_bars_are_sorted_with_published_values_as_hollow_marks_between():
    ax = plots.interval_bars(INTERVALS, reference=PUBLISHED)
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == ["popularity", "SAR", "item-kNN", "BiVAE", "EASE"]
    marks = {names[int(line.get_ydata()[0])]: line for line in ax.lines if line.get_marker() in "oD"}
    assert {n for n, mark in marks.items() if mark.get_markerfacecolor() == "white"} == set(PUBLISHED)
    assert marks["EASE"].get_xdata()[0] == 0.48
    assert [0.46, 0.50] in [list(line.get_xdata()) for line in ax.lines]


def test_bars_take_a_frame_of_intervals():
    frame = pd.DataFrame(INTERVALS, index=["value", "low", "high"]).T
    a, b = plots.interval_bars(frame), plots.interval_bars(INTERVALS)
    assert [list(p.get_xdata()) for p in a.lines] == [list(p.get_xdata()) for p in b.lines]


def test_long_tail_says_how_few_hold_half():
    ax = plots.long_tail([100, 1, 1, 0, 60, 40, 1], things="films")
    assert "the first 2 of 6 films (33%)" in ax.texts[0].get_text()  # 100 + 60 of 203


def test_histogram_shows_shares_and_the_mean():
    ax = plots.rating_histogram([1, 1, 1, 5])
    assert [p.get_height() for p in ax.patches] == [0.75, 0.25]
    assert {t.get_text() for t in ax.texts} == {"75%", "25%", "mean 2.00"}


def test_curve_is_logarithmic_where_steps_grow_and_names_close_ends_apart():
    ax = plots.curve(X, {"a": [1, 2, 3], "b": [1, 2, 3.001]})
    assert ax.get_xscale() == "log" and plots.curve([1, 2, 3], {"a": X}).get_xscale() == "linear"
    a, b = (box for name, box in boxes(ax).items() if name[0] in "ab")
    assert abs(a.y0 - b.y0) * 72 / ax.figure.dpi >= 11


def test_lorenz_writes_the_gini_coefficient():
    """Of 0, 0, 0, 1 the Gini coefficient is 1 - 1/4."""
    texts = [t.get_text() for t in plots.lorenz({"one has all": [0, 1, 0, 0], "alike": [2, 2]}).texts]
    assert "one has all  G = 0.75" in texts and "alike  G = 0.00" in texts


def test_heatmap_writes_numbers_only_where_they_fit():
    small, large = plots.heatmap(np.eye(3)), plots.heatmap(np.eye(40), label="similarity")
    assert [t.get_text() for t in small.texts][:2] == ["1.00", "0.00"] and not large.texts
    assert len(large.figure.axes) == 2, "a scale beside it"


def test_trade_off_keeps_crowded_names_apart():
    labels = ["EASE", "item-kNN", "user-kNN", "SVD", "BPR"]
    ax = plots.trade_off([0.50, 0.51, 0.52, 0.50, 0.9], [0.4, 0.402, 0.4, 0.401, 0.1], labels)
    found = [box for name, box in boxes(ax).items() if name.rsplit(" #")[0] in labels[:3]]
    assert not any(a.overlaps(b) for n, a in enumerate(found) for b in found[n + 1 :])


ERRORS = {
    "there is nothing to draw: the table is empty": lambda: plots.interval_bars({}),
    "the frame needs the columns value, low and high; 'low' is absent": lambda: plots.interval_bars(
        pd.DataFrame({"value": [1]})
    ),
    "counts go from -1 to 2; they must be 0 or more": lambda: plots.long_tail([2, -1]),
    "counts EASE go from 0 to 0": lambda: plots.lorenz({"EASE": [0, 0]}),
    "ratings hold nan; finite numbers": lambda: plots.rating_histogram([1, np.nan]),
    "ratings are empty": lambda: plots.rating_histogram([]),
    "curve 'a' has shape (2,); needed is one value or interval per x, 3": lambda: plots.curve(X, {"a": [1, 2]}),
    "heatmap needs a matrix with at least one finite value; this has shape (3,)": lambda: plots.heatmap(X),
    "a point has an x, a y and a label; given are 1, 2 and 1": lambda: plots.trade_off([1], [1, 2], ["a"]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_cannot_be_drawn(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
