"""Ours beside the published: the verdict follows the figure, absent data is an answer, and every number is a run's."""

from __future__ import annotations

import json

import pytest

from smlab import cli, evidence, published
from tests.test_published import TABLE


@pytest.fixture
def project(tmp_path, make_notebook, monkeypatch, plain_environment):
    make_notebook(
        "notebooks/03_x.ipynb",
        "# What next?",
        "from smlab.results import record",
        "record(ease_ndcg=(0.05 * k, 0.3, 0.6))",
        parameters="k: int = 10  # places",
    )
    text = TABLE.replace("[demo]", "[holds]") + TABLE.replace("[demo]", "[short]").replace("k = 10", "k = 7")
    text += TABLE.replace("[demo]", "[absent]").replace("k = 10", 'k = 10, dataset = "ml-1m"')
    (tmp_path / "notebooks" / "evidence.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("SMLAB_ROOT", str(tmp_path))
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    published.read.cache_clear()
    return tmp_path


@pytest.mark.notebook
def test_exit_code_says_holds_or_falls_short_or_absent(project, capsys):
    assert cli.main(["evidence", "holds"]) == 0
    out = capsys.readouterr().out
    assert "* EASE  0.5000 [0.300, 0.600]" in out and "BPR   0.4400" in out
    assert "target holds: EASE nDCG@10 0.5000 [0.300, 0.600], wanted at least 0.4" in out
    assert cli.main(["evidence", "short", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["holds"] is False and result["reached"]["value"] == pytest.approx(0.35)
    assert [row["model"] for row in result["rows"]] == ["BPR", "EASE"]
    assert cli.main(["evidence", "absent", "--offline"]) == 3
    assert "ml-1m is not on this machine: smlab data get ml-1m" in capsys.readouterr().out


@pytest.mark.notebook
def test_all_tables_go_on_one_page_without_script(project, capsys):
    assert cli.main(["evidence", "--all", "--offline"]) == 3
    page = (project / "runs" / "evidence.html").read_text()
    assert "target holds" in page and "FALLS SHORT" in page and "<script" not in page
    assert page.count("published</td>") == 2  # the absent table shows no figures beside nothing


def test_a_recorded_figure_that_is_missing_is_an_error_with_its_name():
    table = {"columns": {"nDCG@10": "ndcg"}, "ours": {"EASE": "ease"}, "published": []}
    run = {"id": "x", "notebook": "03_x", "metrics": {}}
    table["target"] = {"model": "EASE", "column": "nDCG@10", "at_least": 0.4}
    with pytest.raises(Exception, match="run x of 03_x recorded no 'ease_ndcg'"):
        evidence.judge(table, run)


def test_only_a_sparse_table_may_leave_a_column_out_and_never_its_target():
    table = {"columns": {"error": "error", "off": "off"}, "ours": {"A": "a", "all": "all"}, "published": []}
    table["target"] = {"model": "all", "column": "off", "at_most": 0.1}
    run = {"id": "x", "notebook": "03_x", "metrics": {"a_error": 0.2, "all_off": 0.0}}
    with pytest.raises(Exception, match="recorded no 'a_off'"):
        evidence.judge(table, run)
    table["sparse"] = True
    assert evidence.judge(table, run)["holds"]
    with pytest.raises(Exception, match="recorded nothing of 'A'"):
        evidence.judge(table, run | {"metrics": {"all_off": 0.0}})
    with pytest.raises(Exception, match="recorded no 'all_off'"):
        evidence.judge(table, run | {"metrics": {"a_error": 0.2, "all_error": 0.1}})


def test_at_most_targets_put_the_smallest_first_and_judge_the_other_way():
    table = {
        "columns": {"RMSE": "rmse"},
        "ours": {"MF": "mf"},
        "published": [{"model": "unknown"}, {"model": "SVD", "RMSE": 0.93}, {"model": "kNN", "RMSE": 0.98}],
        "target": {"model": "MF", "column": "RMSE", "at_most": 0.95},
    }
    result = evidence.judge(table, {"id": "x", "notebook": "n", "metrics": {"mf_rmse": 0.95}})
    assert [row["model"] for row in result["rows"]] == ["SVD", "MF", "kNN", "unknown"]
    assert result["holds"] is True
    assert evidence.judge(table, {"id": "x", "notebook": "n", "metrics": {"mf_rmse": 0.951}})["holds"] is False


PAIR = """
[speed]
title = "t"
protocol = "p"
source = "s"
dataset = "shop"
columns = { "rows/s" = "rows" }
target = { model = "ours / peer", column = "rows/s", at_least = 2.0 }
[speed.pair]
name = "ours / peer"
names = ["ours", "peer"]
figure = "rows"
rounds = 1
ours = ["b.py", "--ours"]
peer = ["b.py"]
"""


def test_a_pair_is_judged_by_its_ratio_and_an_absent_peer_is_absent_data(project, tmp_path, capsys):
    (tmp_path / "own" / "shop").mkdir(parents=True)
    (tmp_path / "own" / "shop" / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,3,5\n")
    (tmp_path / "notebooks" / "evidence.toml").write_text(PAIR, encoding="utf-8")
    published.read.cache_clear()
    (tmp_path / "b.py").write_text("import sys; print('{\"rows\": %d}' % (5000 if '--ours' in sys.argv else 2000))")
    assert cli.main(["evidence", "speed", "--data-dir", str(tmp_path / "own")]) == 0
    out = capsys.readouterr().out
    assert "* ours         5,000" in out and "target holds: ours / peer rows/s 2.5000 [2.500, 2.500]" in out
    (tmp_path / "b.py").write_text("import no_such_peer")
    assert cli.main(["evidence", "speed", "--data-dir", str(tmp_path / "own")]) == 3
    assert "the peer is not installed" in capsys.readouterr().out


def test_a_peer_that_breaks_is_said_and_our_row_stands(project, tmp_path, capsys):
    (tmp_path / "own" / "shop").mkdir(parents=True)
    (tmp_path / "own" / "shop" / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,3,5\n")
    peer = 'peer = { model = "P", command = ["b.py"], columns = { "nDCG@10" = "x" } }\n'
    table = TABLE.replace("k = 10", 'k = 10, dataset = "shop"') + peer
    (tmp_path / "notebooks" / "evidence.toml").write_text(table, encoding="utf-8")
    published.read.cache_clear()
    (tmp_path / "b.py").write_text("raise SystemExit('out of cheese')")
    result = evidence.facts_of("demo") | {"rows": [{"model": "EASE", "ours": True, "nDCG@10": 0.5}]}
    evidence.add_peer(result, tmp_path / "own", display=False)
    assert [row["model"] for row in result["rows"]] == ["EASE"]
    assert result["note"] == "no peer beside it: b.py ended with exit code 1: out of cheese"
    (tmp_path / "b.py").write_text("print('{\"x\": 0.6}')")
    evidence.add_peer(result, tmp_path / "own", display=False)
    assert [row["model"] for row in result["rows"]] == ["P", "EASE"]
