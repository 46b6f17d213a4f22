"""Adjusted counts find a planted mix where plain counts are biased, and their intervals cover as they say."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import beta

from smlab.checks import UsageError
from smlab.classes import confusion
from smlab.quantify import adjust, adjusted_count, classify_and_count, count_shares

NAMES = np.array(["negative", "neutral", "positive"])
ERRS = np.array([[0.75, 0.20, 0.05], [0.15, 0.70, 0.15], [0.05, 0.20, 0.75]])  # M: rows true, columns called
SHIFTED = np.array([0.65, 0.25, 0.10])  # the held-out posts have 0.3, 0.5, 0.2


def called(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what the classifier of the planted errors calls posts of these classes, as numbers."""
    return (rng.random(len(truth))[:, None] > ERRS.cumsum(axis=1)[truth]).sum(axis=1)


def world(seed: int, p: np.ndarray, n: int = 400, held: int = 600) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the calls of n posts of the mix p, and the confusion of the held-out ones."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, held, p=[0.3, 0.5, 0.2])
    posts = called(rng.choice(3, n, p=p), rng)
    return NAMES[posts], confusion(NAMES[y], NAMES[called(y, rng)], NAMES)


def test_two_classes_are_formans_formula():
    """Forman (2005): (q - fpr) / (tpr - fpr), here (0.46 - 0.1) / (0.7 - 0.1)."""
    held = pd.DataFrame([[900, 100], [300, 700]], ["bad", "good"], ["bad", "good"])
    found = adjusted_count(["good"] * 460 + ["bad"] * 540, held)
    assert found.loc["good", "value"] == pytest.approx(0.6) and found["value"].sum() == pytest.approx(1)


@pytest.mark.parametrize("p", [[0.3, 0.5, 0.2], [0.65, 0.25, 0.1], [0.0, 0.1, 0.9], [1.0, 0.0, 0.0]])
def test_expected_counts_give_back_the_mix_exactly(p):
    q = np.array(p) @ ERRS
    np.testing.assert_allclose(adjust(1e6 * q, 1000 * ERRS)[:, 0], p, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_least_squares_over_the_simplex_is_that_of_a_general_solver(seed):
    rng = np.random.default_rng(seed)
    M, q = rng.dirichlet(np.ones(4), 4) * 0.5 + np.eye(4) * 0.5, rng.dirichlet(np.full(4, 0.3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine = adjust(1000 * q, 1e6 * M)[:, 0]

    def cost(p: np.ndarray) -> float:
        return float(((M.T @ p - q) ** 2).sum())

    one = {"type": "eq", "fun": lambda p: p.sum() - 1}
    slow = minimize(cost, np.full(4, 0.25), bounds=[(0, 1)] * 4, constraints=one, options={"ftol": 1e-14})
    assert mine.sum() == pytest.approx(1) and (mine >= 0).all()
    assert cost(mine) <= slow.fun + 1e-9
    np.testing.assert_allclose(mine, slow.x, atol=1e-4)


def test_shifted_mix_is_recovered_where_the_plain_count_is_biased():
    values = [
        (classify_and_count(posts, NAMES)["value"], adjusted_count(posts, held, n=20)["value"])
        for posts, held in (world(seed, SHIFTED, n=1000) for seed in range(60))
    ]
    plain, mended = np.mean(values, axis=0)
    assert plain == pytest.approx(SHIFTED @ ERRS, abs=0.01), "the plain count converges, but to the wrong shares"
    assert abs(plain - SHIFTED).max() > 0.10
    assert mended == pytest.approx(SHIFTED, abs=0.02)


@pytest.mark.parametrize(("p", "n"), [(SHIFTED, 400), (np.array([0.02, 0.08, 0.90]), 1500), (SHIFTED, 60)])
def test_intervals_cover_as_they_say_and_those_of_the_plain_count_do_not(p, n):
    """160 worlds each, 3 classes: the error of a rate is about 1 %."""
    inside, naive = [], []
    for seed in range(160):
        posts, held = world(seed, p, n)
        found, plain = adjusted_count(posts, held, n=300, seed=seed), classify_and_count(posts, NAMES)
        inside.append((found["low"] <= p) & (p <= found["high"]))
        naive.append((plain["low"] <= p) & (p <= plain["high"]))
    assert 0.925 < np.mean(inside) < 0.98 and (np.mean(inside, axis=0) > 0.90).all()
    assert np.mean(naive) < 0.5 or n == 60


def test_more_posts_do_not_help_beyond_what_the_held_out_ones_know():
    few, many = (world(0, SHIFTED, n)[0] for n in (300, 100_000))
    table = world(0, SHIFTED)[1]

    def width(posts: np.ndarray, held: pd.DataFrame) -> float:
        found = adjusted_count(posts, held)
        return float((found["high"] - found["low"]).mean())

    assert 0.4 * width(few, table) < width(many, table) < width(few, table)
    assert width(many, table * 100) < 0.2 * width(many, table)


def test_days_together_are_days_apart_but_share_the_errors():
    table = world(1, SHIFTED)[1].to_numpy()
    days = np.array([[30, 50, 20], [0, 0, 0], [60, 30, 10]])
    found = adjust(days, table, n=4000)
    assert found.shape == (3, 3, 3) and np.isnan(found[1]).all()
    np.testing.assert_allclose(found[2], adjust(days[2], table, n=4000), atol=0.02)
    assert (found[0, :, 1] <= found[0, :, 0]).all() and (found[0, :, 0] <= found[0, :, 2]).all()
    np.testing.assert_array_equal(found, adjust(days, table, n=4000))
    assert not np.array_equal(found, adjust(days, table, n=4000, seed=1))


def test_order_of_the_classes_only_orders_the_rows():
    posts, held = world(2, SHIFTED)
    turned = adjusted_count(posts, held.iloc[::-1, ::-1])
    np.testing.assert_allclose(turned["value"].iloc[::-1], adjusted_count(posts, held)["value"], atol=1e-9)
    assert turned.index.tolist() == NAMES[::-1].tolist() and turned.index.name == "class"


def test_plain_intervals_are_jeffreys_and_keep_to_0_and_1():
    found = count_shares([3, 17])
    assert found[0].tolist() == pytest.approx([0.15, beta.ppf(0.025, 3.5, 17.5), beta.ppf(0.975, 3.5, 17.5)])
    sure = count_shares([0, 20])
    assert sure[0, :2].tolist() == [0, 0] and sure[1, [0, 2]].tolist() == [1, 1] and 0.05 < sure[0, 2] < 0.2
    assert np.isnan(count_shares([[0, 0]])).all()
    table = classify_and_count(["b", "a", "b"], ["a", "b", "c"])
    assert table["value"].tolist() == pytest.approx([1 / 3, 2 / 3, 0])


def test_posts_that_fit_no_mix_are_told_of():
    """Nobody is called neutral, though the classifier calls a fifth of each class so: another kind of post."""
    with pytest.warns(UserWarning, match="1 of 1 counts fit no mix of the classes"):
        adjust([500, 0, 500], 1000 * ERRS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(50):
            adjusted_count(*world(seed, np.array([0.0, 0.0, 1.0]), n=100), n=200)


def test_classifier_that_guesses_is_refused():
    rng = np.random.default_rng(0)
    y, guess = rng.choice(NAMES, 500), rng.choice(NAMES, 500)
    with pytest.raises(UsageError, match="does not tell the classes apart on 500 held-out posts"):
        adjusted_count(guess, confusion(y, guess))
    blind = pd.DataFrame([[90, 5, 5], [10, 45, 45], [10, 45, 45]], NAMES, NAMES)
    with pytest.raises(UsageError, match="it calls those of 'neutral' and 'positive' much alike"):
        adjusted_count(y, blind)
    wrong = pd.DataFrame([[10, 90], [80, 20]], ["a", "b"], ["a", "b"])  # wrong, but reliably so
    assert adjusted_count(["a"] * 8 + ["b"] * 2, wrong)["value"].tolist() == pytest.approx([0, 1])


TABLE = pd.DataFrame([[8, 2], [3, 7]], ["a", "b"], ["a", "b"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: adjusted_count(["a", "c"], TABLE), "row 1: 'c' is not one of ['a', 'b']"),
        (lambda: adjusted_count(["a"], TABLE[["b", "a"]]), "rows ['a', 'b'], columns ['b', 'a']"),
        (
            lambda: adjusted_count(["a"], TABLE * np.array([[0], [1]])),
            "class 'a' has no held-out post, so its errors are unknown",
        ),
        (lambda: adjusted_count([0], pd.DataFrame(np.eye(9))), "9 classes: shares are corrected for up to 8"),
        (lambda: adjusted_count([], TABLE), "the lists of labels hold 0"),
        (lambda: adjusted_count(["a"], TABLE, level=95), "level=95 must lie between 0 and 1"),
        (lambda: adjusted_count(["a"], TABLE, n=1), "n=1: an interval needs at least 2 draws"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
