"""The words and numbers that pages show of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from smlab import facts

RUN = {
    "status": "ok",
    "parameters": {"k": 10, "reg": 300.0},
    "given": {"reg": 300.0},
    "headline": "nDCG@10",
    "metrics": {"users": 943, "nDCG@10": {"value": 0.48712, "low": 0.4735, "high": 0.5004}},
    "reference": {"BPR": 0.445, "BiVAE": 0.4687},
}


def test_the_headline_comes_first_with_its_interval() -> None:
    first, second = facts.metrics(RUN)
    assert (first.name, first.text, first.interval) == ("nDCG@10", "0.4871", "0.4735 to 0.5004")
    assert (second.name, second.text) == ("users", "943")


def test_published_figures_stand_beside_ours_by_size_with_bars_from_zero() -> None:
    headline = facts.headline(RUN)
    assert headline is not None
    rows = facts.ranked(headline, facts.references(RUN))
    assert [row.name for row in rows] == ["nDCG@10", "BiVAE", "BPR"]
    assert rows[0].ours and rows[0].share == pytest.approx(100 * 0.48712 / 0.5004, abs=0.01)
    assert rows[0].span == pytest.approx((94.62, 5.38), abs=0.01)


def test_negative_figures_get_no_bars() -> None:
    ours = facts.Metric("lift", "-0.1", value=-0.1)
    assert [row.share for row in facts.ranked(ours, [facts.Metric("other", "0.2", value=0.2)])] == [
        None,
        None,
    ]


def test_parameters_keep_their_order_and_say_which_were_given() -> None:
    assert facts.parameters(RUN) == [("k", "10", False), ("reg", "300.0", True)]
    assert facts.given(RUN) == "reg=300.0"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("failed", "Failed in cell 7"),
        ("killed", "Killed"),
        ("timeout", "Ran out of time"),
        ("odd", "odd in cell 7"),
    ],
)
def test_a_run_that_did_not_end_well_says_so(status: str, says: str) -> None:
    what, _, sentence = facts.trouble({"status": status, "error": {"cell": 7, "name": "E", "message": "m"}}) or "   "
    assert what.startswith(says) and sentence == "E: m"
    assert facts.trouble(RUN) is None


@pytest.mark.parametrize("content", ["{broken", "[]", "", "\x00", "[" * 100_000, '"text"'])
def test_a_broken_run_json_is_none_and_not_a_crash(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    assert facts.read(path) is None


@pytest.mark.parametrize("junk", [None, 3, "text", [], {"a": []}, {"value": {}}, float("nan"), True])
def test_fields_of_the_wrong_kind_do_not_crash_the_page(junk: object) -> None:
    names = (
        "status",
        "parameters",
        "given",
        "metrics",
        "headline",
        "reference",
        "data",
        "versions",
        "seconds",
        "error",
    )
    run = dict.fromkeys((*names, "started", "peak_memory_mb", "device", "commit", "id", "gpu_peak_mb"), junk)
    headline = facts.headline({**run, "headline": "a"})
    assert headline is None or headline.name == "a"
    assert all(isinstance(text, str) for _, text in facts.environment(run))
    facts.metrics(run), facts.references(run), facts.parameters(run), facts.trouble(run)


def test_no_published_figure_stands_beside_sample_data() -> None:
    assert facts.references(RUN | {"offline": True}) == [] and len(facts.references(RUN)) == 2


def test_figures_of_the_same_model_follow_the_headline() -> None:
    run = {"headline": "ease_ndcg", "metrics": {"knn_map": 1, "ease_map": 2, "ease_ndcg": 3, "users": 4}}
    assert [metric.name for metric in facts.metrics(run)] == ["ease_ndcg", "ease_map", "knn_map", "users"]
