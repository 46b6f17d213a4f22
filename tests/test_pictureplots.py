"""Pictures are drawn pixel by pixel where they belong, and scores with the line of the noise floor."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from smlab import pictureplots
from smlab.checks import UsageError
from smlab.metrics import Interval
from smlab.pictureplots import beside, mosaic, rows, scores, sheet
from smlab.picturescores import REAL

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def made(n: int, size: int = 8, c: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, size, size, c))


def test_mosaic_holds_each_picture_once_with_white_between():
    x = made(5)
    got = mosaic(x, 3)
    assert got.shape == (2 * 9 + 1, 3 * 9 + 1, 3)
    assert (got[1:9, 10:18] == x[1]).all() and (got[10:18, 10:18] == x[4]).all()
    assert (got[10:, 19:] == 1).all() and (got[9] == 1).all()
    assert mosaic(made(2, 24), 9).shape == (28, 54, 3)
    assert (mosaic(made(1, c=1), 1)[1:9, 1:9] == made(1, c=1)[0]).all()


def test_sheet_and_rows_keep_their_order_and_names():
    ax = sheet(made(7), columns=4, title="Seven")
    assert ax.images[0].get_array().shape == (19, 37, 3) and ax.get_title(loc="left") == "Seven"
    a, b = made(9), made(2, c=1, seed=1)
    ax = rows({"real": a, "a maker": b}, columns=4)
    picture = ax.images[0].get_array()
    assert (
        (picture[1:9, 28:36] == a[3]).all() and (picture[10:18, 10:18] == b[1]).all() and (picture[10:, 19:] == 1).all()
    )
    assert [t.get_text() for t in ax.get_yticklabels()] == ["real", "a maker"]


def test_pairs_stand_one_above_the_other_with_their_ratio():
    samples, train = made(4), made(6, seed=1)
    found = pd.DataFrame({"sample": [2, 0, 1], "training": [5, 5, 3], "ratio": [0.1, 0.456, 1.2]})
    ax = beside(samples, train, found, n=2)
    picture = ax.images[0].get_array()
    assert picture.shape == (19, 19, 3)
    assert (picture[1:9, 1:9] == samples[2]).all() and (picture[10:18, 10:18] == train[5]).all()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.10", "0.46"]


def test_scores_have_a_line_at_the_floor_or_at_what_is_honest():
    names = [REAL, "GAN", "diffusion"]
    judged = pd.DataFrame({
        "frechet": [Interval(0.03, 0.02, 0.04), Interval(0.3, 0.2, 0.4), Interval(0.1, 0.05, 0.2)],
        "told": [Interval(0.48, 0.4, 0.6), Interval(0.9, 0.8, 1), Interval(0.7, 0.6, 0.8)],
    }, index=names)  # fmt: skip
    grid = scores(judged, ["frechet", "told"], title="How near?")
    assert grid.shape == (1, 2)
    for ax, line in zip(grid.ravel(), (0.03, 0.5), strict=True):
        assert ax.lines[0].get_xdata()[0] == line
    points = [line.get_xdata()[0] for line in grid[0, 0].lines[2::2]]
    assert points == [0.03, 0.3, 0.1]
    assert [t.get_text() for t in grid[0, 0].get_yticklabels()] == names


def test_wrong_use_is_an_error():
    for wrong, sentence in (
        (lambda: sheet(made(0)), "0 pictures in 16 columns cannot be drawn"),
        (lambda: rows({}), "no set of pictures is given"),
        (lambda: rows({"a": made(2), "b": made(2, 16)}), "pictures of b have 16 pixels a side, and not 8"),
        (lambda: beside(made(2), made(2), pd.DataFrame({"sample": [0]})), "'training' is absent"),
        (lambda: scores(pd.DataFrame({"frechet": []})), "'told' is absent"),
    ):
        with pytest.raises(UsageError, match=sentence):
            wrong()
    assert set(pictureplots.HONEST) <= set(pictureplots.SCORES)


def test_clouds_stand_side_by_side_and_keep_their_names():
    X = np.random.default_rng(0).normal(size=(300, 2))
    ax = pictureplots.clouds({"real": X, "made": X + 1}, n=200, title="Two")
    assert [t.get_text() for t in ax.texts] == ["real", "made"]
    first, second = (np.asarray(c.get_offsets()) for c in ax.collections)
    assert len(first) == 200 and second[:, 0].mean() - first[:, 0].mean() > np.ptp(X[:, 0])
