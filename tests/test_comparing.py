"""Figures are those of the one-line definitions, gains are paired, and intervals hold what they promise."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_curve

from smlab.auc import auc, average_precision, compare_auc
from smlab.calibration import brier, expected_calibration_error, log_loss, wilson
from smlab.checks import UsageError
from smlab.comparing import MEASURES, band, compare, resamples
from smlab.ctr import sigmoid
from smlab.served import holm


def judged(n: int = 500, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return y and three models: one knows the truth, one half of it, one nothing."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    y = (rng.random(n) < sigmoid(a + b)).astype(int)
    return y, {"truth": sigmoid(a + b), "half": sigmoid(a).round(2), "coin": np.full(n, 0.4)}


def test_every_figure_is_the_plain_one():
    y, P = judged()
    table = compare(y, P)
    for name, p in P.items():
        row = table.loc[name]
        assert row.auc.value == pytest.approx(auc(y, p))
        assert row.ap.value == pytest.approx(average_precision(y, p))
        assert row.log_loss.value == pytest.approx(log_loss(y, p)) and row.brier.value == pytest.approx(brier(y, p))
        assert row.ece == expected_calibration_error(y, p)
        right = ((p >= 0.5) == y).sum()
        assert row.accuracy == pytest.approx((right / 500, *map(float, wilson(right, 500))))
    assert (table.share == y.mean()).all() and (table.most == max(y.mean(), 1 - y.mean())).all()
    assert table.ap["coin"].value == pytest.approx(y.mean())
    assert table.accuracy["coin"].value == pytest.approx(1 - y.mean())
    assert table.ece_chance["truth"] == pytest.approx(table.ece["truth"], abs=0.02)


def test_gains_are_paired_signed_and_corrected():
    y, P = judged()
    table = compare(y, P, baseline="half")
    assert pd.isna(table.auc_gain["half"]) and np.isnan(table.p["half"])
    assert table.auc_gain["truth"] == compare_auc(y, P["truth"], P["half"], strata=np.zeros(500))
    for measure in ("auc", *MEASURES):
        assert table[f"{measure}_gain"]["truth"].low > 0 or measure == "accuracy"
        assert table[f"{measure}_gain"]["coin"].high < 0.02
    others = ["truth", "coin"]
    np.testing.assert_allclose(table.p_holm[others].astype(float), holm(table.p[others].astype(float)))
    alone = table.log_loss["truth"].high - table.log_loss["truth"].low
    assert table.log_loss_gain["truth"].high - table.log_loss_gain["truth"].low < alone


def test_a_model_gains_nothing_over_itself():
    y, P = judged()
    row = compare(y, {"one": P["half"], "same": P["half"]}, baseline="one").loc["same"]
    assert row.auc_gain == row.ap_gain == row.log_loss_gain == (0, 0, 0) and row.p == row.p_holm == 1


def test_the_same_twice_and_another_order_of_models_change_nothing():
    y, P = judged()
    first, second = (compare(y, p, baseline="half") for p in (P, dict(reversed(P.items()))))
    assert first.auc.to_dict() == second.auc.to_dict() and first.ap_gain["truth"] == second.ap_gain["truth"]
    pd.testing.assert_frame_equal(compare(y, P), compare(y, pd.DataFrame(P)))
    assert compare(y, P, seed=1).ap["half"] != compare(y, P, seed=2).ap["half"]


def test_folds_are_not_put_in_one_order():
    """Each fold has the order right, but the second has larger p throughout and fewer hits."""
    y = np.array([0, 1, 1, 1, 0, 0, 0, 1])
    p = np.array([0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.7, 0.9])
    p[3], fold = 0.31, np.repeat([0, 1], 4)
    y, p, fold = np.tile(y, 5), np.tile(p, 5), np.tile(fold, 5)
    apart, together = compare(y, {"m": p}, folds=fold).loc["m"], compare(y, {"m": p}).loc["m"]
    assert apart.auc.value == 1 and apart.ap.value == 1
    assert together.auc.value < 0.7 and together.ap.value < 0.8
    assert apart.log_loss.value == together.log_loss.value


def test_average_precision_under_weights_is_that_of_the_repeated_rows():
    y, P = judged(60)
    for W in resamples(60, 20, seed=3):
        for w in W[:5].astype(int):
            from smlab.comparing import _average_precision, _runs

            order, last = _runs(P["half"])
            rows = np.repeat(np.arange(60), w)
            ours = _average_precision(y[order], last, w[None, order].astype(float))[0]
            assert ours == pytest.approx(average_precision_score(y[rows], P["half"][rows]))


def test_resamples_have_the_size_of_the_data_and_keep_clusters_whole():
    days = np.repeat(np.arange(25), 4)
    blocks = list(resamples(100, 30, clusters=days))
    W = np.concatenate(blocks)
    assert W.shape == (30, 100) and (W.sum(axis=1) == 100).all()
    assert (W.reshape(30, 25, 4) == W.reshape(30, 25, 4)[:, :, :1]).all()
    assert sum(map(len, resamples(300_000, 9))) == 9 and max(map(len, resamples(300_000, 9))) <= 6


def test_copies_do_not_make_us_surer_when_days_are_drawn():
    y, P = judged(300)
    once = compare(y, P, baseline="half", clusters=np.arange(300))
    ten = {name: np.repeat(p, 10) for name, p in P.items()}
    copies = compare(np.repeat(y, 10), ten, baseline="half", clusters=np.repeat(np.arange(300), 10))
    for column in ("auc", "ap", "log_loss", "accuracy", "auc_gain", "brier_gain"):
        a, b = once[column]["truth"], copies[column]["truth"]
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.15), column
    naive = compare(np.repeat(y, 10), ten).log_loss["truth"]
    assert naive.high - naive.low < 0.5 * (copies.log_loss["truth"].high - copies.log_loss["truth"].low)


@pytest.mark.slow
def test_intervals_cover_and_no_gain_is_found_where_none_is():
    """Two equally noisy models, 300 samples of 300 posts; the truth of log-loss and ap from 200,000."""

    def draw(n, rng):
        a, b, c = rng.normal(size=(3, n))
        y = (rng.random(n) < sigmoid(a)).astype(int)
        return y, {"one": sigmoid(0.7 * a + 0.5 * b), "other": sigmoid(0.7 * a + 0.5 * c)}

    rng = np.random.default_rng(7)
    y, P = draw(200_000, rng)
    truth = {"ap": average_precision(y, P["one"]), "log_loss": log_loss(y, P["one"]), "brier": brier(y, P["one"])}
    inside, alarms = dict.fromkeys(truth, 0), 0
    for _ in range(300):
        table = compare(*draw(300, rng), baseline="other", n=300)
        for measure, value in truth.items():
            inside[measure] += table[measure]["one"].low <= value <= table[measure]["one"].high
        alarms += table.p["one"] < 0.05
    assert all(0.90 < count / 300 < 0.985 for count in inside.values()), inside
    assert 0.015 < alarms / 300 < 0.09


def test_the_roc_band_is_scikit_learns_curve_and_holds_it():
    y, P = judged(400)
    found = band(y, P["half"])
    alarms, recall, _ = roc_curve(y, P["half"], drop_intermediate=False)
    inner = (found["at"] > 0) & (found["at"] < 1)
    np.testing.assert_allclose(found["value"][inner], np.interp(found["at"][inner], alarms, recall), atol=1e-9)
    assert (found["low"] <= found["value"] + 1e-9).all() and (found["value"] <= found["high"] + 1e-9).all()
    assert np.trapezoid(found["value"], found["at"]) == pytest.approx(auc(y, P["half"]), abs=0.01)


def test_the_precision_band_ends_at_the_share_and_narrows_with_posts():
    y, P = judged(400)
    found = band(y, P["truth"], "precision-recall")
    assert found["at"].iloc[0] == 0.01
    assert found["value"].iloc[-1] == pytest.approx(y[P["truth"] >= P["truth"][y == 1].min()].mean())
    widths = [(b["high"] - b["low"])[30] for b in (band(*_of(judged(n)), "precision-recall") for n in (200, 3200))]
    assert widths[1] < 0.5 * widths[0]


def _of(drawn: tuple[np.ndarray, dict[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return drawn[0], drawn[1]["half"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda y, P: compare(y, {}), "there is nothing to compare: no predictions"),
        (lambda y, P: compare(y, P, baseline="cion"), "there is no model 'cion' to compare with; did you mean 'coin'?"),
        (lambda y, P: compare(y, {"m": P["half"] + 1}), "model 'm', row 0: "),
        (lambda y, P: compare(y[:-1], P), "labels have shape (499,), predictions (500,)"),
        (lambda y, P: compare(np.ones(500), P), "500 clicks and 0 others"),
        (lambda y, P: compare(y[:3], {"m": P["half"][:3]}), "needs at least 2 of each"),
        (lambda y, P: compare(y, P, folds=[0, 1]), "folds has shape (2,), labels (500,); each post has one"),
        (lambda y, P: compare(y, P, clusters=np.zeros(500)), "all rows are of one cluster"),
        (lambda y, P: compare(y, P, folds=np.arange(500)), "each of 500 strata has fewer than 2 rows of a class"),
        (lambda y, P: compare(y, P, n=1), "n=1: an interval needs at least 2 resamples"),
        (lambda y, P: compare(y, P, level=95), "level=95 must lie between 0 and 1"),
        (lambda y, P: band(y, P["half"], "rok"), "kind='rok': did you mean 'roc'?"),
    ],
)
def test_bad_input_is_a_sentence(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call(*judged())
