"""Metrics against numbers computed by hand, against slow obvious versions, and against their own limits."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from scipy import sparse

from smlab import metrics as m
from smlab.checks import UsageError

PER_USER = [
    m.precision_at_k,
    m.recall_at_k,
    m.ndcg_at_k,
    m.average_precision_at_k,
    m.hit_rate_at_k,
    m.reciprocal_rank_at_k,
]


def slow(name: str, top: list[int], relevant: set[int], k: int) -> float:
    """Each metric as a loop over one list, to be read beside the formulas."""
    hits = [r for r, item in enumerate(top[:k], 1) if item in relevant]
    if not relevant:
        return math.nan
    if name == "precision_at_k":
        return len(hits) / k
    if name == "recall_at_k":
        return len(hits) / len(relevant)
    if name == "ndcg_at_k":
        ideal = sum(1 / math.log2(1 + r) for r in range(1, min(k, len(relevant)) + 1))
        return sum(1 / math.log2(1 + r) for r in hits) / ideal
    if name == "average_precision_at_k":
        return sum(sum(h <= r for h in hits) / r for r in hits) / len(relevant)
    if name == "hit_rate_at_k":
        return float(bool(hits))
    return 1 / hits[0] if hits else 0.0


def lists(seed: int) -> tuple[np.ndarray, sparse.csr_array]:
    """Lists of 8 of 40 items for 50 users, some cut short, and what is relevant, for some users nothing."""
    rng = np.random.default_rng(seed)
    top = np.array([rng.permutation(40)[:8] for _ in range(50)])
    for u, length in enumerate(rng.integers(0, 16, 50)):
        top[u, length:] = -1
    return top, sparse.csr_array(rng.random((50, 40)) < rng.choice([0, 0.05, 0.3], (50, 1)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("metric", PER_USER, ids=lambda f: f.__name__)
def test_metric_equals_the_slow_version(metric, k, seed):
    top, truth = lists(seed)
    expected = [slow(metric.__name__, list(t), set(truth[[u]].indices), k) for u, t in enumerate(top)]
    np.testing.assert_allclose(metric(top, truth, k), expected)


def he_and_others(scores: list[float], candidates: list[int], own: int, k: int) -> tuple[float, float]:
    """HR and NDCG as the code of He et al. (2017) computes them: a dict of scores, the test item put in last."""
    score_of = {item: s for item, s in zip(candidates, scores, strict=True) if item >= 0}
    ranked = sorted(score_of, key=score_of.get, reverse=True)[:k]
    return float(own in ranked), math.log(2) / math.log(ranked.index(own) + 2) if own in ranked else 0.0


@pytest.mark.parametrize("seed", range(4))
def test_lists_of_candidates_give_the_hit_rate_and_ndcg_of_neural_collaborative_filtering(seed):
    rng = np.random.default_rng(seed)
    candidates = np.array([rng.permutation(60)[:21] for _ in range(80)])
    candidates[::7, 3] = -1
    scores = rng.integers(0, 12, candidates.shape) / 4  # many ties
    own = candidates[:, -1]
    truth = sparse.csr_array((np.ones(80), (np.arange(80), own)), shape=(80, 60))
    top = m.best_among(scores, candidates, 10)
    slow_way = [he_and_others(*row, 10) for row in zip(scores.tolist(), candidates.tolist(), own.tolist(), strict=True)]
    np.testing.assert_allclose(np.stack([m.recall_at_k(top, truth), m.ndcg_at_k(top, truth)], axis=1), slow_way)


def test_lists_of_candidates_end_early_where_there_are_too_few_and_refuse_other_shapes():
    np.testing.assert_array_equal(m.best_among([[1.0, 9.0, 2.0]], [[4, -1, 7]], 3), [[7, 4, -1]])
    with pytest.raises(UsageError, match=re.escape("scores (1, 2) and candidates (1, 3) must match")):
        m.best_among([[1.0, 2.0]], [[1, 2, 3]], 1)
    with pytest.raises(UsageError, match="with k=4 of them or more"):
        m.best_among([[1.0, 2.0]], [[1, 2]], 4)


def lightgcn(top: np.ndarray, truth: sparse.csr_array, k: int) -> tuple[float, float]:
    """Recall and NDCG as He et al. (2020) compute them: only users with a test item, the ideal list cut at k."""
    recall, ndcg = [], []
    for u in np.flatnonzero(np.diff(truth.indptr)):
        relevant = set(truth[[u]].indices)
        hits = [r for r, item in enumerate(top[u][:k]) if item in relevant]
        recall.append(len(hits) / len(relevant))
        ideal = sum(1 / math.log2(r + 2) for r in range(min(k, len(relevant))))
        ndcg.append(sum(1 / math.log2(r + 2) for r in hits) / ideal)
    return float(np.mean(recall)), float(np.mean(ndcg))


def test_recall_and_ndcg_are_those_of_the_published_gowalla_table():
    top, truth = lists(7)
    ours = np.nanmean(m.recall_at_k(top, truth, 5)), np.nanmean(m.ndcg_at_k(top, truth, 5))
    np.testing.assert_allclose(ours, lightgcn(top, truth, 5))


def test_metrics_of_one_list_computed_by_hand():
    """Items 3, 1, 7, 2 listed; 1, 2, 5 are relevant: hits at places 2 and 4."""
    top, truth = [[3, 1, 7, 2]], sparse.csr_array([[0, 1, 1, 0, 0, 1, 0, 0]])
    assert m.precision_at_k(top, truth) == 2 / 4
    assert m.recall_at_k(top, truth) == pytest.approx(2 / 3)
    assert m.average_precision_at_k(top, truth) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert m.ndcg_at_k(top, truth) == pytest.approx((0.63093 + 0.43068) / (1 + 0.63093 + 0.5), abs=1e-5)
    assert m.reciprocal_rank_at_k(top, truth) == 1 / 2


def test_graded_ndcg_of_the_wikipedia_example():
    """Relevances 3, 2, 3, 0, 1, 2 in listed order: DCG 6.861, ideal of these 7.141, nDCG 0.961.

    https://en.wikipedia.org/wiki/Discounted_cumulative_gain (the example's first ideal ordering).
    """
    truth = sparse.csr_array([[3, 2, 3, 0, 1, 2]])
    assert m.ndcg_at_k([[0, 1, 2, 3, 4, 5]], truth, graded=True) == pytest.approx(0.961, abs=5e-4)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_ndcg_stays_below_one_and_only_the_best_order_reaches_it(seed, graded):
    rng = np.random.default_rng(seed)
    truth = sparse.csr_array(rng.integers(1, 6, (30, 20)) * (rng.random((30, 20)) < 0.4))
    best = np.argsort(-truth.toarray(), axis=1, kind="stable")[:, :6]
    some = np.array([rng.permutation(20)[:6] for _ in range(30)])
    np.testing.assert_allclose(m.ndcg_at_k(best, truth, graded=graded), 1)
    assert (m.ndcg_at_k(some, truth, graded=graded) <= 1 + 1e-12).all()
    assert m.ndcg_at_k(some, truth, graded=graded).mean() < 0.9


@pytest.mark.parametrize("metric", PER_USER, ids=lambda f: f.__name__)
def test_moving_a_hit_up_never_lowers_a_metric(metric):
    top, truth = lists(1)
    raised = top.copy()
    for u, row in enumerate(top):
        hits = [r for r, i in enumerate(row) if i >= 0 and truth[u, i]]
        if hits and hits[0] > 0:
            raised[u, [0, hits[0]]] = raised[u, [hits[0], 0]]
    before, after = metric(top, truth), metric(raised, truth)
    assert (after >= before - 1e-12)[~np.isnan(before)].all()


@pytest.mark.parametrize("metric", PER_USER, ids=lambda f: f.__name__)
def test_users_permuted_permute_the_result(metric):
    top, truth = lists(2)
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(metric(top, truth)[order], metric(top[order], truth[order]))


def test_user_without_relevant_items_is_nan_and_left_out_of_the_mean():
    truth = sparse.csr_array([[1, 0], [0, 0]])
    values = m.ndcg_at_k([[0], [1]], truth)
    assert np.isnan(values[1]) and m.bootstrap(values).value == 1.0


def test_padding_is_a_miss_and_never_the_last_item():
    assert m.precision_at_k([[-1, -1]], sparse.csr_array([[0, 0, 1]])) == 0


def test_gini_is_the_mean_difference_between_pairs():
    """G = Σ_ij |x_i - x_j| / (2 n² mean x), the definition by pairs."""
    x = np.random.default_rng(0).integers(0, 50, 40)
    assert m.gini(x) == pytest.approx(np.abs(x[:, None] - x).sum() / (2 * 40**2 * x.mean()))
    assert math.isnan(m.gini([0, 0]))


def test_exposure_coverage_and_novelty_agree_on_who_is_shown():
    top, counts = np.array([[0, 1], [0, -1]]), [4, 1, 0]
    assert m.exposure(top, 3).tolist() == [2, 1, 0]
    assert m.coverage(top, 3) == pytest.approx(2 / 3)
    np.testing.assert_allclose(m.novelty(top, counts, n_users=4), [(0 + 2) / 2, 0])


def test_bootstrap_of_a_mean_is_the_normal_interval():
    """For a mean the percentile interval tends to ± 1.96 s/√n (Efron & Tibshirani 1993, ch. 13)."""
    x = np.random.default_rng(0).normal(size=4000)
    interval = m.bootstrap(x, n=2000, seed=1)
    half = 1.96 * x.std() / np.sqrt(len(x))
    assert interval.low == pytest.approx(x.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(x.mean() + half, abs=0.1 * half)


def test_bootstrap_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        low, high = m.bootstrap(np.random.default_rng(seed).exponential(size=80), n=400, seed=seed)[1:]
        hits += low <= 1 <= high
    assert 0.87 <= hits / 200 <= 0.98, "95 % asked for; skewed data of 80 get a little less"


def test_bootstrap_takes_any_statistic_and_a_wider_level_is_wider():
    x = np.random.default_rng(0).normal(size=300)
    assert m.bootstrap(x, np.median).value == np.median(x)
    narrow, wide = m.bootstrap(x, level=0.5), m.bootstrap(x, level=0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert m.bootstrap(x, seed=1) == m.bootstrap(x, seed=1) != m.bootstrap(x, seed=2)


def test_paired_difference_sees_what_overlapping_intervals_hide():
    rng = np.random.default_rng(0)
    user = rng.normal(0.5, 0.2, 500)  # users differ far more than the two models
    a, b = user + 0.01 + rng.normal(0, 0.02, 500), user + rng.normal(0, 0.02, 500)
    assert m.bootstrap(a).low < m.bootstrap(b).high, "apart they overlap"
    assert 0 < m.paired_difference(a, b).low < 0.01 < m.paired_difference(a, b).high
    assert m.paired_difference(a, a) == (0, 0, 0)


def test_rating_errors_by_hand():
    assert m.rmse([1, 2, 3], [1, 2, 6]) == pytest.approx(math.sqrt(3))
    assert m.mae([1, 2, 3], [1, 2, 6]) == 1


def test_interval_is_a_tuple_that_writes_itself():
    x = m.Interval(0.4812, 0.47, 0.4921)
    assert (f"{x:.2f}", str(x), x.pm()) == ("0.48 [0.47, 0.49]", "0.4812 [0.47, 0.4921]", "0.481 ± 0.011")
    value, low, high = x
    assert low < value < high


TRUTH = sparse.csr_array([[1, 0], [0, 1]])
ERRORS = {
    "top has shape (1, 2), truth (2, 2)": lambda: m.ndcg_at_k([[0, 1]], TRUTH),
    "k=3: the lists are 1 long": lambda: m.recall_at_k([[0], [1]], TRUTH, 3),
    "top names item 2, truth has 2 items": lambda: m.precision_at_k([[0], [2]], TRUTH),
    "no value is left after leaving out NaN": lambda: m.bootstrap([np.nan]),
    "level=95 must lie between 0 and 1": lambda: m.bootstrap([1.0], level=95),
    "a has shape (2,), b (1,)": lambda: m.paired_difference([1, 2], [1]),
    "predictions have shape (2,), ratings (1,)": lambda: m.rmse([1, 2], [1]),
    "gini needs counts of 0 or more; the smallest is -1": lambda: m.gini([1, -1]),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


def test_pearson_is_numpys_with_an_interval_that_holds_the_truth():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        x, noise = rng.normal(size=(2, 40))
        found = m.pearson(x, 0.6 * x + 0.8 * noise)
        assert found.value == pytest.approx(np.corrcoef(x, 0.6 * x + 0.8 * noise)[0, 1])
        hits += found.low <= 0.6 <= found.high
    assert 0.92 <= hits / 400 <= 0.98
    assert m.pearson([1, 2, 3, 4], [2, 4, 6, 8]).value == pytest.approx(1)


@pytest.mark.parametrize("x", [[1, 2, 3], [1, 1, 1, 1], [1, 2, 3, np.nan]])
def test_pearson_of_nothing_is_a_sentence(x):
    with pytest.raises(UsageError, match="a correlation needs"):
        m.pearson(x, list(range(len(x))))
