"""The command line: what it prints, what it leaves, and the exit code, in a small project of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smlab import cli, published

PARAMETERS = 'k: int = 3  # how many\nname: str = "a=b"  # any text'


@pytest.fixture
def project(tmp_path, make_notebook, monkeypatch, plain_environment):
    """A project with two notebooks, one of which needs k below 100."""
    make_notebook(
        "notebooks/01_demo.ipynb",
        "# Does it run?",
        "from smlab.results import record",
        "if k > 99:\n    raise ValueError('k is too large')",
        "record(headline='score', score=(k / 10, 0.1, 0.9))",
        parameters=PARAMETERS,
    )
    make_notebook("notebooks/02_other.ipynb", "# And this?", "print('hello')", parameters="n: int = 1  # a number")
    monkeypatch.setenv("SMLAB_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    published.read.cache_clear()
    return tmp_path


def runs_of(project: Path, notebook: str = "01_demo") -> list[dict]:
    return [json.loads(p.read_text()) for p in (project / "runs" / notebook).glob("*/run.json")]


def test_list_names_notebooks_with_their_question(project, capsys):
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert "01_demo\n  Does it run?\n  not run yet" in out


@pytest.mark.notebook
def test_run_leaves_notebook_report_facts_and_index_and_is_not_repeated(project, capsys):
    assert cli.main(["run", "demo", "-p", "k=5"]) == 0
    captured = capsys.readouterr()
    assert "All runs and reports: runs/index.html" in captured.out
    (run,) = runs_of(project)
    folder = project / "runs" / "01_demo" / run["id"]
    assert run["parameters"] == {"k": 5, "name": "a=b"} and run["given"] == {"k": 5}
    assert run["metrics"] == {"score": {"value": 0.5, "low": 0.1, "high": 0.9}}
    assert {p.name for p in folder.iterdir()} >= {"notebook.ipynb", "report.html", "run.json"}
    assert run["id"] in (project / "runs" / "index.html").read_text()
    started = run["started"]
    assert cli.main(["run", "1", "-p", "k=5"]) == 0
    assert "not run again" in capsys.readouterr().err
    assert [r["started"] for r in runs_of(project)] == [started]
    (folder / "report.html").unlink()
    assert cli.main(["report", run["id"][:6]]) == 0
    assert (folder / "report.html").exists()
    assert cli.main(["list"]) == 0
    assert f"last run {run['id']} ok, score 0.5" in capsys.readouterr().out


@pytest.mark.notebook
def test_a_failed_run_gives_its_code_and_does_not_stop_the_others(project, capsys):
    assert cli.main(["run", "01", "02", "--jobs", "2"]) == 0
    assert cli.main(["run", "01", "-p", "k=100"]) == 1
    assert "k is too large" in capsys.readouterr().err
    assert {r["status"] for r in runs_of(project)} == {"ok", "failed"}
    assert [r["status"] for r in runs_of(project, "02_other")] == ["ok"]


@pytest.mark.notebook
def test_sweep_leaves_a_table(project, capsys):
    assert cli.main(["sweep", "01", "-p", "k=1,2"]) == 0
    table = next((project / "runs").glob("sweep-*/table.csv")).read_text().splitlines()
    assert "k" in table[0].split(",") and len(table) == 3
    assert "table.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("run 01 -p kk=3", 2, "unknown parameter 'kk' of 01_demo: did you mean 'k'?"),
        ("run 01 -p k=abc", 2, "k: 'abc' is not an int"),
        ("run 01 -p k", 2, "-p k: write -p name=value"),
        ("run 01 -p k=1 -p k=2", 2, "-p k is given twice; several values at once: smlab sweep"),
        ("run demmo", 2, "no notebook 'demmo': did you mean '01_demo'?"),
        ("run 0", 2, "'0' fits several notebooks: 01_demo, 02_other"),
        ("run 01 --all", 2, "name notebooks or give --all, not both"),
        ("run 01 --jobs 0", 2, "'0' is not a whole number above 0"),
        ("run 01 --timeout soon", 2, "'soon' is not a number of seconds above 0"),
        ("run --colour", 2, "unrecognized arguments: --colour"),
        ("rnu", 2, "unknown command 'rnu': did you mean 'run'?"),
        ("sweep 01", 2, "nothing to vary"),
        ("report", 2, "name a run"),
        ("report abc", 2, "no run 'abc'"),
        ("data get ml-100", 2, "unknown dataset 'ml-100': did you mean 'ml-100k'?"),
        ("data get ../secret", 2, "is not a dataset's name"),
        ("data path ml-1m", 3, "ml-1m is not on this machine: smlab data get ml-1m"),
        ("evidence nothing", 2, "unknown table 'nothing'"),
    ],
)
def test_wrong_use_is_one_sentence_and_a_code_and_leaves_nothing(project, monkeypatch, capsys, words, code, message):
    monkeypatch.setenv("SMLAB_CACHE", str(project / "cache"))
    assert cli.main(words.split()) == code
    captured = capsys.readouterr()
    assert message in captured.err and "Traceback" not in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not (project / "runs").exists()


def test_run_name_help_shows_type_default_and_meaning(project, capsys):
    assert cli.main(["run", "01", "--help"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"k: int = 3\s+how many", out) and re.search(r"name: str = 'a=b'\s+any text", out)


def test_outside_a_project_it_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SMLAB_ROOT", str(tmp_path / "nowhere"))
    assert cli.main(["list"]) == 2
    assert "notebooks" in capsys.readouterr().err


def test_help_answers_within_four_tenths_of_a_second():
    command = [sys.executable, "-m", "smlab.cli", "--help"]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - start)
    assert "smlab run 03 --help" in done.stdout
    assert min(times) <= 0.4


def test_a_reader_that_stops_early_is_no_error(project):
    command = f"{sys.executable} -m smlab.cli list | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout == "01_demo\n" and done.stderr == ""


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("cell", "words", "signalled", "code", "status"),
    [
        ("import sys; sys.exit(0)", "", None, 1, "failed"),
        ("import time; time.sleep(60)", "--timeout 3", None, 124, "timeout"),
        ("import time; time.sleep(60)", "", "SIGINT", 130, "interrupted"),
        ("import time; time.sleep(60)", "", "SIGTERM", 130, "interrupted"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "", None, 137, "killed"),
    ],
)
def test_exit_code_tells_how_the_run_ended(project, make_notebook, cell, words, signalled, code, status):
    make_notebook("notebooks/05_ends.ipynb", "# How does it end?", cell)
    command = [sys.executable, "-m", "smlab.cli", "run", "05", *words.split()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if signalled:
        deadline = time.monotonic() + 30
        while not list((project / "runs").glob("05_ends/.work-*/notebook.ipynb")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.Signals[signalled])
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err and "05_ends" in err
    (run,) = runs_of(project, "05_ends")
    assert (run["status"], run["exit_code"]) == (status, code)
    folder = project / "runs" / "05_ends" / run["id"]
    assert (folder / "notebook.ipynb").exists() and (folder / "report.html").exists()
