"""Scores tell good makers from bad ones: each harm is seen by the score that is there for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm

from smlab import picturescores
from smlab.checks import UsageError
from smlab.metrics import Interval
from smlab.pictures import load_pictures, split
from smlab.picturescores import REAL, Features, frechet, frechet_interval, judge, kinds, nearest, neighbourhood, told


@pytest.fixture(scope="module")
def real() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give digits to train on with their labels, and others that are held out."""
    data = load_pictures("digits")
    train, held = split(data, held=0.3)
    return data.images[train], data.labels[train], data.images[held], data.labels[held]


def test_frechet_is_the_formula_with_a_matrix_root():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)), rng.normal(1, 2, (300, 5))
    a, b = np.cov(x.T), np.cov(y.T)
    want = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet(x, y) == pytest.approx(want) and frechet(y, x) == pytest.approx(want)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet(x, x + [3, 0, 0, 0, 4]) == pytest.approx(25)
    flat = np.zeros((50, 5))
    assert frechet(flat, x) == pytest.approx((x.mean(0) ** 2).sum() + np.trace(a))  # a singular Σ


def test_frechet_interval_covers_what_new_draws_give():
    rng = np.random.default_rng(1)
    many = [frechet(rng.normal(size=(150, 4)), rng.normal(0.7, 1, (150, 4))) for _ in range(300)]
    inside = 0
    for seed in range(40):
        x, y = rng.normal(size=(150, 4)), rng.normal(0.7, 1, (150, 4))
        low, high = frechet_interval(x, y, n=60, seed=seed)[1:]
        inside += low <= np.mean(many) <= high
    assert inside >= 34


def test_neighbourhood_is_what_the_definitions_say_pair_by_pair():
    rng = np.random.default_rng(2)
    y, x, k = rng.normal(size=(25, 3)), rng.normal(0.5, 1, (30, 3)), 3

    def reach(v: np.ndarray) -> np.ndarray:
        return np.array([np.sort(np.linalg.norm(v - p, axis=1))[k] for p in v])

    got = neighbourhood(y, x, k)
    for i, p in enumerate(x):
        inside = np.linalg.norm(y - p, axis=1) <= reach(y)
        assert got["precision"][i] == inside.any() and got["density"][i] == pytest.approx(inside.sum() / k)
    for j, q in enumerate(y):
        d = np.linalg.norm(x - q, axis=1)
        assert got["recall"][j] == (d <= reach(x)).any() and got["coverage"][j] == (d <= reach(y)[j]).any()


def test_density_and_coverage_of_equal_distributions_are_as_in_the_paper():
    # Naeem et al. (2020): E[density] = 1 and E[coverage] = 1 - ∏ (M - i)/(2M - 1 - i), near 1 - 2^-k
    rng = np.random.default_rng(3)
    got = [neighbourhood(rng.normal(size=(300, 8)), rng.normal(size=(300, 8)), 3) for _ in range(10)]
    assert np.mean([g["density"].mean() for g in got]) == pytest.approx(1, abs=0.05)
    assert np.mean([g["coverage"].mean() for g in got]) == pytest.approx(1 - 2**-3, abs=0.02)


def test_features_see_colour_edges_and_their_direction():
    stripes = np.zeros((1, 8, 8, 1))
    stripes[:, :, ::4] = stripes[:, :, 1::4] = 1
    up, across = picturescores._edges(stripes), picturescores._edges(stripes.swapaxes(1, 2))
    by = [e.reshape(16, 8).sum(axis=0) for e in (up, across)]
    assert by[0].argmax() == 0 and by[1].argmax() == 4 and by[0][4] == by[1][0] == 0
    assert picturescores._edges(1 - stripes) == pytest.approx(up)
    colours = picturescores._colours(np.random.default_rng(0).random((2, 8, 8, 3)))
    assert colours.shape == (2, 48)
    odd = np.random.default_rng(0).random((1, 10, 10, 1))  # cells of 3, 2, 3 and 2 pixels
    assert picturescores._colours(odd)[0].reshape(4, 4)[0, 0] == pytest.approx(odd[0, :3, :3].sum() / 6.25)


def test_each_harm_is_seen_by_its_score(real):
    train, labels, held, _ = real
    rng = np.random.default_rng(0)
    part = train[rng.permutation(len(train))[: len(held)]]
    makers = {
        "blends": (part + part[::-1]) / 2,
        "one kind": np.resize(train[labels == "0"], held.shape),
        "noise": rng.random(held.shape),
    }
    found = judge(train, held, makers, n_boot=30)
    value = found.drop(columns="pictures").map(lambda x: x.value)
    assert list(found.index) == [REAL, *makers] and found["pictures"].tolist() == [len(held)] * 4
    assert (value["frechet"].drop(REAL) > 2 * value.loc[REAL, "frechet"]).all()
    assert value.loc[REAL, "told"] == pytest.approx(0.5, abs=0.06) and (value["told"].drop(REAL) > 0.8).all()
    assert value.loc["noise", ["precision", "recall", "density", "coverage"]].tolist() == [0, 0, 0, 0]
    assert value.loc["one kind", "precision"] > 0.75 and value.loc["one kind", ["recall", "coverage"]].max() < 0.15
    assert value.loc["blends", "precision"] < 0.6 < value.loc[REAL, "precision"]
    assert value.loc[REAL, "nearer"] == 1 and value.loc["noise", "nearer"] < 0.05  # copies, and far away
    for x in found.drop(columns="pictures").to_numpy().ravel():
        assert isinstance(x, Interval) and x.low <= x.value <= x.high


def test_held_out_pictures_are_at_the_floor_and_no_copies(real):
    train, _, held, _ = real
    first, second = held[::2], held[1::2]
    row = judge(train, first, {"honest": second}, n_boot=60).loc["honest"]
    assert row["nearer"].low < 0.5 < row["nearer"].high and row["told"].low < 0.5 < row["told"].high
    assert row["density"].value == pytest.approx(1, abs=0.15) and row["frechet"].value < 0.06
    assert judge(train, first, {"a": second}, n_boot=5, seed=3).equals(
        judge(train, first, {"a": second}, n_boot=5, seed=3)
    )


def test_copies_are_found_with_their_training_picture(real):
    train, _, held, _ = real
    copies = np.clip(train[[7, 30, 99]] + 0.01, 0, 1)
    found = nearest(np.concatenate([held[:20], copies]), train, held)
    assert found["sample"].tolist()[:3] == [20, 21, 22] or set(found["sample"][:3]) == {20, 21, 22}
    pairs = dict(zip(found["sample"], found["training"], strict=True))
    assert [pairs[k] for k in (20, 21, 22)] == [7, 30, 99]
    assert (found["ratio"][:3] < 0.3).all() and (found["closer"][:3] < 0.01).all()
    assert found["ratio"][3:].median() == pytest.approx(1, abs=0.3)


def test_forest_does_not_tell_what_comes_from_the_same_source():
    rng = np.random.default_rng(5)
    same = [told(*(rng.normal(size=(n, 6)) for n in (120, 200, 150)), seed=s).value for s in range(4)]
    assert np.mean(same) == pytest.approx(0.5, abs=0.06)
    narrow = told(0.5 * rng.normal(size=(120, 6)), rng.normal(size=(200, 6)), rng.normal(size=(150, 6)))
    assert narrow.low > 0.75  # the same mean, another spread


def test_kinds_that_are_lacking_are_seen(real):
    train, labels, held, truth = real
    few = train[np.isin(labels, ["0", "1", "2", "3", "4"])]
    found = kinds(train, labels, held, truth, {"all": train, "half": few})
    assert found.right.low > 0.93 and found.covered["all"].value == 1
    assert found.covered["half"].value == pytest.approx(0.5) and found.covered["half"].high < 0.75
    assert list(found.shares) == ["held-out pictures", "all", "half"] and list(found.shares.index) == list("0123456789")
    assert found.shares.map(lambda x: x.value).sum().to_numpy() == pytest.approx(1)
    assert found.shares.loc["9", "half"].high < found.shares.loc["9", "held-out pictures"].low


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"samples": {"a": np.zeros((5, 8, 8, 1))}}, "5 pictures in the smallest set and k=3: at least 20 pictures"),
        ({"samples": {REAL: np.zeros((50, 8, 8, 1))}}, "no maker can be named 'training pictures'"),
        ({"samples": {"a": np.zeros((50, 8, 8, 3))}}, "pictures have 3 channels, which the training pictures have not"),
        ({"samples": {"a": np.zeros((50, 8, 9, 1))}}, r"pictures have the shape \(50, 8, 9, 1\)"),
        ({"samples": {"a": np.full((50, 8, 8, 1), np.nan)}}, "pictures hold values that are not finite"),
        ({"k": 0, "samples": {}}, "and k=0: at least 20 pictures, and 2 k, are needed"),
    ],
)
def test_wrong_use_is_an_error(change, sentence):
    x = np.random.default_rng(0).random((60, 8, 8, 1))
    with pytest.raises(UsageError, match=sentence):
        judge(**({"train": x[:30], "held": x[30:], "n_boot": 5} | change))


def test_grey_pictures_without_channels_are_taken():
    x = np.random.default_rng(0).random((60, 8, 8))
    assert np.allclose(Features(n=5).fit(x)(x), Features(n=5).fit(x[..., None])(x[..., None]))
    flat = Features().fit(np.ones((30, 8, 8, 1)))(np.ones((2, 8, 8, 1)))  # nothing varies
    assert np.isfinite(flat).all() and isinstance(judge(x[:30], x[30:], {}, n_boot=5), pd.DataFrame)
