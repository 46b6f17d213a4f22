import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from smlab import nabscore
from smlab.checks import UsageError

NAB = Path(os.environ.get("SMLAB_DATA", "data")) / "nab"


def random_case(seed, series=3):
    """Scores with many ties, and windows of many widths, some of them among the first rows."""
    rng = np.random.default_rng(seed)
    scores, windows = {}, {}
    for name in "abc"[:series]:
        n = int(rng.integers(60, 200))
        scores[name] = np.round(rng.uniform(size=n), 2)
        edges = np.sort(rng.choice(n, 6, replace=False)).reshape(-1, 2)
        windows[name] = edges[edges[:, 1] >= nabscore.learning_rows(n)]
    return scores, windows


def slow_score(s, windows, threshold, profile):
    """The rule, one row after the other, as it is told in the paper."""
    A = nabscore.PROFILES[profile]
    sigmoid = lambda y: -1.0 if y > 3 else 2 / (1 + np.exp(5 * y)) - 1  # noqa: E731
    start, total, seen = min(int(0.15 * len(s)), 750), 0.0, set()
    for i in range(start, len(s)):
        if s[i] < threshold:
            continue
        within = [(a, b) for a, b in windows if a <= i <= b]
        before = [(a, b) for a, b in windows if b < i]
        if within:
            a, b = within[0]
            if a not in seen:
                seen.add(a)
                total += A.tp * sigmoid(-(b - i + 1) / (b - a + 1)) / sigmoid(-1.0)
        elif before:
            a, b = max(before)
            total += A.fp * sigmoid((i - b) / max(b - a, 1))
        else:
            total -= A.fp
    return total - A.fn * (len(windows) - len(seen))


@pytest.mark.parametrize(("y", "value"), [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661), (3.01, -1.0)])
def test_sigmoid_has_the_values_that_nab_prints(y, value):
    """nab/scorer.py, docstring of scaledSigmoid."""
    assert float(nabscore.sigmoid(y)) == pytest.approx(value, abs=5e-6)


@pytest.mark.parametrize(
    ("raw", "profile", "published"),
    [
        (46.634450197, "standard", 70.1), (30.431072517, "reward_low_FP_rate", 63.1),
        (26.634450197, "reward_low_FN_rate", 74.3), (10.7711775285, "standard", 54.6),
        (-6.81625917053, "standard", 47.1), (57.66075157860638, "standard", 74.9),
    ],
)  # fmt: skip
def test_totals_of_nab_become_the_figures_of_its_scoreboard(raw, profile, published):
    """Totals of results/*/*_scores.csv; README: HTM of NuPIC 0.5.6 (three), Relative Entropy, Twitter ADVec, ARTime."""
    assert float(nabscore.normalised(raw, 116, profile)) == pytest.approx(published, abs=0.05)


@pytest.mark.parametrize("profile", nabscore.PROFILES)
def test_no_flag_is_0_and_first_rows_of_all_windows_are_100(profile):
    windows = {"a": [(200, 299), (600, 640)], "b": [(400, 400)]}
    perfect = {"a": np.zeros(1000), "b": np.zeros(900)}
    for name, spans in windows.items():
        perfect[name][[first for first, _ in spans]] = 1.0
    table = nabscore.judge(perfect, windows, 0.5, profile)
    assert nabscore.total(table, profile).value == pytest.approx(100.0)
    assert table["delay"].tolist() == [0.0, 0.0] and table["fp"].sum() == 0
    assert nabscore.total(nabscore.judge(perfect, windows, 2.0, profile), profile).value == 0.0


def test_example_by_hand():
    """100 rows, 15 to learn; a window of rows 40 to 49, flagged at 45 and 48; false alarms at 20, 52 and 90."""
    s = np.zeros(100)
    s[[5, 20, 45, 48, 52, 90]] = 1.0
    table = nabscore.judge({"a": s}, {"a": [(40, 49)]}, 1.0)
    inside = (2 / (1 + np.exp(-2.5)) - 1) / (2 / (1 + np.exp(-5)) - 1)  # 5 rows are left of 10
    after = 0.11 * (2 / (1 + np.exp(5 * 3 / 9)) - 1)  # 3 rows after, 9 are a width less one
    assert table.loc["a", "raw"] == pytest.approx(inside + after - 0.11 - 0.11)
    assert table.loc["a", ["found", "tp", "fp", "fn", "tn", "delay", "late"]].tolist() == [1, 2, 3, 8, 72, 5, 0.5]


@pytest.mark.parametrize("profile", nabscore.PROFILES)
@pytest.mark.parametrize("seed", range(10))
def test_judge_and_sweep_agree_with_the_rule_row_by_row(seed, profile):
    scores, windows = random_case(seed)
    table = nabscore.sweep(scores, windows, profile)
    assert (np.diff(table["threshold"]) < 0).all()
    for _, (threshold, raw, score) in table.iloc[::7].iterrows():
        slow = sum(slow_score(scores[n], windows[n].tolist(), threshold, profile) for n in scores)
        judged = nabscore.judge(scores, windows, threshold, profile)
        assert raw == pytest.approx(slow) == pytest.approx(judged["raw"].sum())
        assert score == pytest.approx(nabscore.total(judged, profile, n=2).value)


@pytest.mark.parametrize("seed", range(5))
def test_best_threshold_is_beaten_by_no_other(seed):
    scores, windows = random_case(seed)
    best = nabscore.judge(scores, windows, nabscore.best_threshold(scores, windows))["raw"].sum()
    assert all(nabscore.judge(scores, windows, x / 100)["raw"].sum() <= best + 1e-9 for x in range(102))


def test_first_rows_count_for_nothing():
    s = np.zeros(10_000)
    s[:750] = 1.0
    table = nabscore.judge({"a": s}, {"a": [(100, 200), (740, 800), (5000, 5100)]}, 0.5)
    assert table.loc["a", ["windows", "found", "tp", "fp"]].tolist() == [2, 0, 0, 0]
    s[750] = 1.0
    assert nabscore.judge({"a": s}, {"a": [(740, 800)]}, 0.5).loc["a", "delay"] == 10


def test_settings_and_threshold_come_from_the_other_folds():
    rng = np.random.default_rng(0)
    windows = {name: [(300, 350), (700, 750)] for name in "abcd"}
    knows = {name: rng.uniform(0, 0.5, 1000) for name in windows}
    for s in knows.values():
        s[[310, 705]] = 0.9
    blind = {name: rng.uniform(size=1000) for name in windows}
    folds = [["a", "b"], ["c", "d"]]
    table = nabscore.cross_fit({"blind": blind, "knows": knows}, windows, folds)
    assert table.index.tolist() == list("abcd") and set(table["candidate"]) == {"knows"}
    assert table["threshold"].tolist() == [0.9] * 4 and nabscore.total(table).value > 95
    knows["a"] = knows["a"] / 10  # a series of its own scale does not move the threshold it is judged by
    again = nabscore.cross_fit({"blind": blind, "knows": knows}, windows, folds)
    assert again.loc["a", ["threshold", "found"]].tolist() == [0.9, 0]


def test_interval_spans_the_series():
    table = pd.DataFrame({"raw": [2.0, -2.0, 1.0, 0.0], "windows": [2, 2, 2, 2]})
    found = nabscore.total(table)
    assert found.value == pytest.approx(56.25) and 0 <= found.low < found.value < found.high <= 100
    alike = nabscore.total(pd.DataFrame({"raw": [1.0] * 5, "windows": [2] * 5}))
    assert alike.low == alike.high == alike.value == 75.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nabscore.weights(10, [(3, 12)]), "window of rows 3 to 12 does not lie within the 10 rows"),
        (lambda: nabscore.weights(10, [(3, 6), (5, 8)]), "windows of rows 3 to 6 and 5 to 8 overlap; make one of them"),
        (lambda: nabscore.weights(10, [], "nice"), "profile 'nice' is not one of standard, reward_low_FP_rate"),
        (lambda: nabscore.judge({"a": [1.0]}, {"b": []}, 1), "scores are of ['a'], windows of ['b']"),
        (lambda: nabscore.sweep({"a": [1.0, np.nan]}, {"a": []}), "score 1 of a is missing; each row needs one"),
        (lambda: nabscore.sweep({"a": [[1.0]]}, {"a": []}), "scores of a have shape (1, 1); one score a row"),
        (
            lambda: nabscore.total(nabscore.judge({"a": [1.0]}, {"a": []}, 1)),
            "no series has a window after its learning",
        ),
        (
            lambda: nabscore.places(pd.date_range("2015-03-01", periods=3), [("2016-01-01", "2016-01-02")]),
            "window 2016-01-01 00:00:00 to 2016-01-02 00:00:00 holds no row of the series (2015-03-01",
        ),
        (lambda: nabscore.cross_fit({}, {"a": [], "b": []}, [["a"], ["a"]]), "must hold each of a, b once; they hold"),
    ],
)
def test_errors_are_sentences(call, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        call()


def nabs_relative_entropy(x, bins=5, window=52):
    """Wang et al. (2011), figure 1, with the bins that NAB takes (of the whole file); 1 where no hypothesis agrees."""
    low, high = x.min(), x.max()
    kind = np.minimum(np.ceil((x - low) / ((high - low) / bins)).astype(int), bins - 1)
    hypotheses, times, flags = [], [], np.zeros(len(x))
    for i in range(window - 1, len(x)):
        p = np.bincount(kind[i - window + 1 : i + 1], minlength=bins) / window
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = [2 * window * np.where(p > 0, p * np.log(p / q), 0.0).sum() for q in hypotheses]
        nearest = int(np.argmin(entropy)) if entropy else -1
        if entropy and entropy[nearest] < chi2.isf(0.01, bins - 1):
            times[nearest] += 1
            flags[i] = times[nearest] <= 1
        else:
            flags[i] = bool(hypotheses)
            hypotheses, times = [*hypotheses, p], [*times, 1]
    return flags


@pytest.mark.slow
@pytest.mark.realdata
def test_a_published_detector_gets_its_published_scores_on_all_ten_series():
    """results/relativeEntropy/relativeEntropy_standard_scores.csv of numenta/NAB: Score, TP, TN, FP, FN a file."""
    published = {
        "AAPL": (-0.692809244546, 4, 13560, 4, 1584), "AMZN": (-0.145516222987, 7, 13501, 0, 1573),
        "CRM": (-1.24821222025, 4, 13558, 1, 1589), "CVS": (2.45677603817, 7, 13575, 2, 1519),
        "FB": (1.39048222172, 3, 13498, 3, 1579), "GOOG": (0.5628364391, 3, 13658, 2, 1429),
        "IBM": (1.17136672832, 4, 13548, 5, 1586), "KO": (0.61166286009, 2, 13512, 2, 1585),
        "PFE": (0.905444118395, 4, 13516, 4, 1584), "UPS": (1.42984898725, 14, 13524, 7, 1571),
    }  # fmt: skip
    if not (NAB / "labels" / "combined_windows.json").exists():
        pytest.skip("the official files of NAB are not on this machine; name their folder with SMLAB_DATA")
    times = json.loads((NAB / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    scores, windows = {}, {}
    for name in published:
        key = f"realTweets/Twitter_volume_{name}.csv"
        frame = pd.read_csv(NAB / key, parse_dates=["timestamp"])
        scores[name] = nabs_relative_entropy(frame["value"].to_numpy(dtype=float))
        windows[name] = nabscore.places(frame["timestamp"], times[key])
    table = nabscore.judge(scores, windows, 0.5)
    assert table["windows"].sum() == 33
    for name, row in published.items():
        assert table.loc[name, ["raw", "tp", "tn", "fp", "fn"]].tolist() == pytest.approx(row, abs=1e-10)
    assert nabscore.total(table).value == pytest.approx(59.8, abs=0.05)
