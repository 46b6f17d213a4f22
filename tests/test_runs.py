"""Planning, running side by side, recognising what is finished, and surviving signals and full disks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from smlab import atomic, folders, plans, runs
from smlab.checks import DataAbsent, UsageError

pytestmark = pytest.mark.usefixtures("plain_environment")
QUICK = "print(k)"
ONE = "k: int = 1  # a number"
Make = Callable[..., Path]


def do(path: Path, given: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    """Plan and do one run in the folder `runs` beside the notebook."""
    return runs.run([planned(path, given)], display=False, **how)[0]


def planned(path: Path, given: dict[str, Any] | None = None) -> runs.Job:
    return runs.plan(path, given or {}, runs_dir=path.parent / "runs")


def on_disk(run: dict[str, Any]) -> dict[str, Any]:
    return json.loads((Path(run["folder"]) / "run.json").read_text("utf-8"))


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return all processes that work somewhere below a folder: runners, workers and kernels."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def kernels_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in processes_in(folder):
        with contextlib.suppress(psutil.Error):
            found += [process] if "ipykernel_launcher" in process.cmdline() else []
    return found


class Runner:
    """A process that plans and does runs, as a user's script does: without a guard for its main module."""

    def __init__(self, folder: Path, plan: str, prelude: str = "", **environment: str) -> None:
        self.folder, self.path = folder, folder / "script.py"
        self.path.write_text(
            f"{prelude}\nfrom pathlib import Path\nimport json, sys\nfrom smlab import runs\n"
            f"here = Path({str(folder)!r})\njobs = [{plan}]\ndone = runs.run(jobs, timeout=100)\n"
            "print(json.dumps(done))\nsys.exit(runs.exit_code(done))\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, str(self.path)],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_asleep(self) -> psutil.Process:
        """Wait until the sleeping cell has printed; return its kernel."""

        def begun() -> bool:
            saved = list(self.folder.glob("runs/*/.work-*/notebook.ipynb"))
            return bool(saved) and bool(kernels_in(self.folder)) and (self.folder / "asleep.txt").exists()

        wait_for(begun)
        return kernels_in(self.folder)[0]

    def result(self) -> tuple[int, list[dict[str, Any]], str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, json.loads(out) if out else [], err


SLEEPER = "import time\nopen('asleep.txt', 'w').close()\nprint('asleep', flush=True)\ntime.sleep(60)"
PLAN_SLEEPER = "runs.plan(here / '01_sleep.ipynb', {}, runs_dir=here / 'runs')"


@pytest.fixture
def sleeper(make_notebook: Make) -> Path:
    return make_notebook("01_sleep.ipynb", "# Sleep", SLEEPER, "print(2)", parameters=ONE)


def nothing_left(folder: Path) -> None:
    wait_for(lambda: not processes_in(folder), 10)
    assert not list((folder / "runs").rglob(".work-*"))


# ---- planning ----


def test_misspelt_parameter_is_refused_with_the_nearest_before_any_kernel(make_notebook: Make, tmp_path: Path):
    path = make_notebook("03_demo.ipynb", "# T", QUICK, parameters="alpha: float = 1.0  # step")
    message = "unknown parameter 'alhpa' of 03_demo: did you mean 'alpha'?"
    with pytest.raises(UsageError, match=re.escape(message)):
        planned(path, {"alhpa": "2"})
    assert not (tmp_path / "runs").exists()


def test_value_of_the_wrong_type_is_refused(make_notebook: Make):
    path = make_notebook("03_demo.ipynb", "# T", QUICK, parameters="epochs: int = 10  # rounds")
    message = "epochs: 'abc' is not an int (parameter of 03_demo, default 10)"
    with pytest.raises(UsageError, match=re.escape(message)):
        planned(path, {"epochs": "abc"})


def test_false_on_the_command_line_is_false_in_the_notebook(make_notebook: Make):
    path = make_notebook("n.ipynb", "# T", "assert use is False", parameters="use: bool = True  # whether")
    run = do(path, {"use": "false"})
    assert run["status"] == "ok", run["error"]
    assert run["given"] == {"use": False}


def test_notebook_is_found_by_name_number_and_part(make_notebook: Make, tmp_path: Path):
    for name in ("01_ctr_derivation", "02_word2vec_sentiment", "12_ctr_ads"):
        make_notebook(f"{name}.ipynb", "# T")
    for text in ("02_word2vec_sentiment", "02", "2", "Word2Vec", "02_word2vec_sentiment.ipynb"):
        assert runs.find_notebook(text, tmp_path).stem == "02_word2vec_sentiment"
    assert runs.find_notebook("1", tmp_path).stem == "01_ctr_derivation"


def test_unknown_notebook_lists_those_there_are(make_notebook: Make, tmp_path: Path):
    make_notebook("01_ctr.ipynb", "# T")
    make_notebook("02_texts.ipynb", "# T")
    with pytest.raises(UsageError, match=re.escape("no notebook 'zzz': known: 01_ctr, 02_texts")):
        runs.find_notebook("zzz", tmp_path)
    with pytest.raises(UsageError, match=re.escape("no notebook '02_text s': did you mean '02_texts'?")):
        runs.find_notebook("02_text s", tmp_path)


def test_ambiguous_name_lists_what_fits(make_notebook: Make, tmp_path: Path):
    make_notebook("01_ctr.ipynb", "# T")
    make_notebook("12_ctr_ads.ipynb", "# T")
    with pytest.raises(UsageError, match=re.escape("'ctr' fits several notebooks: 01_ctr, 12_ctr_ads")):
        runs.find_notebook("ctr", tmp_path)


def test_title_is_the_first_heading(make_notebook: Make):
    assert runs.title(make_notebook("n.ipynb", "# What do people click?\n\nText")) == "What do people click?"
    assert runs.title(make_notebook("m.ipynb", "1")) == "m"


def test_id_follows_code_parameters_and_data_but_not_outputs(make_notebook: Make):
    path = make_notebook("n.ipynb", "# T", QUICK, parameters=ONE)
    first = planned(path).id
    assert re.fullmatch("[0-9a-f]{12}", first)
    content = json.loads(path.read_text())
    content["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1\n"}]
    content["cells"][2]["metadata"]["collapsed"] = True
    path.write_text(json.dumps(content))
    assert planned(path).id == first
    assert planned(path, {"k": "1"}).id == first  # the default, given
    assert planned(path, {"k": "2"}).id != first
    assert runs.plan(path, {}, offline=True).id != first
    assert runs.run_id("n", content, {}, {}, "fingerprint", False) != runs.run_id("n", content, {}, {}, "other", False)
    content["cells"][2]["source"] += "\n"
    path.write_text(json.dumps(content))
    assert planned(path).id != first


def test_id_follows_only_those_modules_that_the_notebook_imports(make_notebook: Make, tmp_path: Path):
    package = tmp_path / "smlab"
    package.mkdir()
    modules = {
        "__init__": "",
        "checks": "x = 1",
        "metrics": "def f():\n    from smlab import checks",
        "other": "y = 1",
    }
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    path = make_notebook(
        "n.ipynb",
        "# T",
        "%matplotlib inline\nimport numpy as np, sklearn.metrics",
        "from smlab.metrics import f",
    )

    def seen() -> str:
        content = json.loads(path.read_text())
        found, packages = plans.imported(content, package)
        assert sorted(found) == ["__init__", "checks", "metrics"]
        assert packages == ("numpy", "scikit-learn")
        return runs.run_id("n", content, found, {}, None, False)

    first = seen()
    (package / "other.py").write_text("y = 2")
    assert seen() == first
    (package / "checks.py").write_text("x = 2")
    assert seen() != first


def test_imports_of_a_cell_with_magics_or_a_mistake_count_all_the_same():
    cells = [
        "x = !ls\nif True:\n    %time f()\n    from smlab import metrics",
        "import smlab.plots\nx ==== 1",
        "%%bash\nimport os",
    ]
    notebook = {"cells": [{"cell_type": "code", "source": text} for text in cells]}
    assert {"metrics", "plots"} <= set(plans.imported(notebook)[0])


def test_planning_loads_nothing_that_takes_time(make_notebook: Make, tmp_path: Path):
    make_notebook("n.ipynb", "# T", QUICK, parameters=ONE)
    script = "import sys\nfrom smlab import runs\nruns.plan('n.ipynb')\n"
    script += "print({'papermill', 'nbformat', 'jupyter_client', 'pandas', 'numpy', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ---- one run ----


def test_finished_run_tells_everything_and_is_recognised(make_notebook: Make):
    record = "from smlab import results\nresults.record(headline='auc', auc=(0.8, 0.7, 0.9), n=k)"
    path = make_notebook("01_demo.ipynb", "# A question?", "import numpy", record, parameters=ONE)
    run = do(path, {"k": "2"}, timeout=60)
    assert run["status"] == "ok", run["error"]
    assert run["exit_code"] == 0
    assert Path(run["folder"]) == path.parent / "runs" / "01_demo" / run["id"]
    assert on_disk(run) == {key: value for key, value in run.items() if key != "folder"}
    assert (run["schema"], run["notebook"], run["title"]) == (1, "01_demo", "A question?")
    assert run["parameters"] == {"k": 2}
    assert run["metrics"] == {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}, "n": 2}
    assert (run["headline"], run["device"], run["data"], run["error"]) == ("auc", "cpu", None, None)
    assert {"python", "smlab", "numpy"} <= set(run["versions"])
    assert run["seconds"] > 0
    assert sorted(p.name for p in Path(run["folder"]).iterdir()) == [
        "metrics.json",
        "notebook.ipynb",
        "run.json",
    ]
    began = (Path(run["folder"]) / "run.json").stat().st_mtime_ns
    again = do(path, {"k": 2})
    assert again["reused"] is True
    assert (Path(run["folder"]) / "run.json").stat().st_mtime_ns == began
    assert do(path, {"k": 2}, force=True).get("reused") is None
    assert (Path(run["folder"]) / "run.json").stat().st_mtime_ns != began


def test_forced_run_that_fails_does_not_replace_the_finished_one(make_notebook: Make, tmp_path: Path):
    path = make_notebook("n.ipynb", "# T", "import pathlib\nassert not pathlib.Path('flag').exists()")
    good = do(path)
    (tmp_path / "flag").touch()
    bad = do(path, force=True)
    assert (good["status"], bad["status"]) == ("ok", "failed")
    assert bad["folder"] == good["folder"] + "-failed"
    assert on_disk(good)["status"] == "ok"
    (tmp_path / "flag").unlink()
    do(path, force=True)
    assert not Path(bad["folder"]).exists()


def test_failed_run_is_run_again_and_replaced(make_notebook: Make, tmp_path: Path):
    path = make_notebook("n.ipynb", "# T", "import pathlib\nassert pathlib.Path('flag').exists()")
    bad = do(path)
    assert (bad["status"], on_disk(bad)["error"]["name"]) == ("failed", "AssertionError")
    (tmp_path / "flag").touch()
    good = do(path)
    assert (good["status"], good["folder"]) == ("ok", bad["folder"])
    assert on_disk(good)["status"] == "ok"


def test_failed_run_does_not_stop_the_others_and_all_are_told(make_notebook: Make, capfd: pytest.CaptureFixture[str]):
    paths = [make_notebook("01_bad.ipynb", "# T", "1/0"), make_notebook("02_good.ipynb", "# T", "print(1)")]
    told: list[str] = []
    done = runs.run([planned(p) for p in paths], parallel=1, after=lambda folder: told.append(folder.parent.name))
    assert [run["status"] for run in done] == ["failed", "ok"]
    assert runs.exit_code(done) == 1
    assert told == ["01_bad", "02_good"]
    shown = capfd.readouterr().err
    assert "01_bad: started" in shown
    assert re.search(
        r"01_bad: failed in \d+\.\d s — cell 2: ZeroDivisionError: division by zero \(section “T”\)", shown
    )
    assert re.search(r"02_good: ok in \d+\.\d s", shown)


def test_report_that_fails_is_said_and_loses_no_run(make_notebook: Make, capfd: pytest.CaptureFixture[str]):
    def broken(folder: Path) -> None:
        raise ValueError("no ink")

    run = runs.run([planned(make_notebook("n.ipynb", "# T", "1"))], after=broken)[0]
    assert run["status"] == "ok"
    assert f"n, run {run['id']}: finished, but its report failed: ValueError: no ink" in capfd.readouterr().err


def test_same_run_asked_for_twice_is_done_once(make_notebook: Make, tmp_path: Path):
    path = make_notebook("n.ipynb", "# T", "open('count', 'a').write('x')")
    done = runs.run([planned(path), planned(path)], display=False)
    assert [run["status"] for run in done] == ["ok", "ok"]
    assert (tmp_path / "count").read_text() == "x"


def test_kernel_gets_its_share_of_the_cores_and_its_folders(make_notebook: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.setattr(runs, "cores", lambda: 6)
    show = "import os\nfrom smlab import results\nresults.record(**{k: os.environ.get(k) for k in names})"
    known = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "TQDM_DISABLE", "SMLAB_OFFLINE", "SMLAB_DATA"]
    paths = [make_notebook(name, f"names = {known}", show) for name in ("a.ipynb", "b.ipynb")]
    jobs = [runs.plan(path, runs_dir=path.parent / "runs", data_dir=Path("/mine")) for path in paths]
    for run in runs.run(jobs, parallel=2, display=False):
        assert list(run["metrics"].values()) == ["3", "7", "1", "0", "/mine"], run["error"]


# ---- data ----


@pytest.fixture
def uses_data(make_notebook: Make) -> Path:
    return make_notebook("n.ipynb", "# T", "print(dataset)", parameters="dataset: str = 'toy'  # which data")


def test_data_are_got_before_the_run_and_named_in_it(uses_data: Path, monkeypatch: pytest.MonkeyPatch):
    from smlab import catalog

    located = catalog.Located(name="toy", path=uses_data, origin="data-dir", fingerprint="f" * 64)
    monkeypatch.setattr(catalog, "get", lambda name, **how: located)
    run = do(uses_data)
    assert run["data"] == {"name": "toy", "origin": "data-dir", "fingerprint": "f" * 64, "licence": None}


def test_absent_data_fail_that_run_with_a_sentence_and_others_go_on(
    uses_data: Path, make_notebook: Make, monkeypatch: pytest.MonkeyPatch
):
    from smlab import catalog

    def absent(name: str, **how: Any) -> None:
        raise DataAbsent("toy is not here: get it")

    monkeypatch.setattr(catalog, "get", absent)
    other = make_notebook("other.ipynb", "# T", "1")
    bad, good = runs.run([planned(uses_data), planned(other)], display=False)
    assert (bad["status"], bad["exit_code"], bad["data_absent"]) == ("failed", 3, True)
    assert on_disk(bad)["error"]["message"] == "toy is not here: get it"
    assert good["status"] == "ok"


def test_unknown_dataset_is_wrong_use(uses_data: Path):
    with pytest.raises(UsageError, match="unknown dataset 'ml-100kk': did you mean 'ml-100k'"):
        planned(uses_data, {"dataset": "ml-100kk"})


def test_dataset_without_a_sample_cannot_be_used_offline(uses_data: Path):
    job = runs.plan(uses_data, {"dataset": "no-such-sample"}, offline=True)
    assert job.problem == "no-such-sample has no sample in data/sample/, so it cannot be used offline"


# ---- signals and deaths ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_the_runner_ends_the_run_as_interrupted(sleeper: Path, tmp_path: Path, number: signal.Signals):
    runner = Runner(tmp_path, PLAN_SLEEPER)
    runner.until_asleep()
    begin = time.monotonic()
    runner.process.send_signal(number)
    code, (run,), err = runner.result()
    assert time.monotonic() - begin < 8
    assert code == 130
    assert (run["status"], run["exit_code"]) == ("interrupted", 130)
    assert on_disk(run)["error"]["message"] == "interrupted in cell 3"
    notebook = json.loads((Path(run["folder"]) / "notebook.ipynb").read_text())
    states = [cell["metadata"]["papermill"]["status"] for cell in notebook["cells"]]
    assert states == ["completed", "completed", "failed", "pending"]
    assert "stopping the runs" in err
    assert "Traceback" not in err
    nothing_left(tmp_path)


def test_killed_worker_leaves_a_killed_run_and_no_kernel(sleeper: Path, tmp_path: Path):
    runner = Runner(tmp_path, PLAN_SLEEPER)
    kernel = runner.until_asleep()
    worker = kernel.parent()
    assert worker is not None
    worker.kill()
    code, (run,), _ = runner.result()
    assert (code, run["status"]) == (137, "killed")
    assert on_disk(run)["error"]["message"] == "the worker process was killed by SIGKILL"
    assert on_disk(run)["seconds"] is not None
    nothing_left(tmp_path)
    notebook = json.loads((Path(run["folder"]) / "notebook.ipynb").read_text())
    assert notebook["metadata"]["papermill"]["exception"] is True
    assert "running" not in {cell["metadata"]["papermill"]["status"] for cell in notebook["cells"]}


def test_killed_runner_leaves_an_interrupted_run_and_no_process(sleeper: Path, tmp_path: Path):
    runner = Runner(tmp_path, PLAN_SLEEPER)
    runner.until_asleep()
    runner.process.kill()
    runner.process.wait()
    nothing_left(tmp_path)
    (run,) = runs.history(tmp_path / "runs")
    assert run["status"] == "interrupted"


def test_everything_killed_at_once_is_found_and_ended_by_the_next_run(sleeper: Path, tmp_path: Path):
    runner = Runner(tmp_path, PLAN_SLEEPER)
    runner.until_asleep()
    (running,) = runs.history(tmp_path / "runs")
    assert running["status"] == "running"
    for process in [runner.process, *psutil.Process(runner.process.pid).children(recursive=True)]:
        process.kill()
    (dead,) = wait_for(lambda: [run for run in runs.history(tmp_path / "runs") if run["status"] != "running"])
    assert (dead["status"], dead["exit_code"], dead["error"]["message"]) == (
        "killed",
        137,
        "the runner was killed",
    )
    (note,) = tmp_path.glob("runs/*/.work-*/.sockets")
    sockets = Path(note.read_text())
    assert sockets.exists()
    run = do(sleeper, timeout=1.5)
    assert run["status"] == "timeout"
    assert not sockets.exists()
    assert not (Path(run["folder"]) / ".sockets").exists()
    assert len(runs.history(tmp_path / "runs")) == 1


def test_two_runners_of_the_same_run_do_it_once(make_notebook: Make, tmp_path: Path):
    slow = "import os, time\nopen('count', 'a').write('x')\nopen('asleep.txt', 'w').close()\ntime.sleep(2)"
    make_notebook("01_sleep.ipynb", "# T", slow)
    first = Runner(tmp_path, PLAN_SLEEPER)
    first.until_asleep()
    second = Runner(tmp_path, PLAN_SLEEPER)
    code, (run,), err = second.result()
    assert (code, run["status"], run["reused"]) == (0, "ok", True)
    assert "another process is doing the same run; waiting for it" in err
    assert "finished before" in err
    assert first.result()[0] == 0
    assert (tmp_path / "count").read_text() == "x"


def test_parallel_runs_of_a_script_without_main_guard(make_notebook: Make, tmp_path: Path):
    make_notebook("01_a.ipynb", "# T", "1")
    make_notebook("02_b.ipynb", "# T", "1")
    plan = "runs.plan(here / n, {}, runs_dir=here / 'runs') for n in ('01_a.ipynb', '02_b.ipynb')"
    code, done, err = Runner(tmp_path, plan).result()
    assert code == 0
    assert [run["status"] for run in done] == ["ok", "ok"]
    assert "Traceback" not in err
    nothing_left(tmp_path)


# ---- disks ----


def test_runs_folder_that_cannot_be_written_is_refused_before_any_kernel(make_notebook: Make, tmp_path: Path):
    (tmp_path / "file").write_text("")
    job = runs.plan(make_notebook("n.ipynb", "# T", "1"), {}, runs_dir=tmp_path / "file" / "runs")
    message = f"runs folder {tmp_path}/file/runs: cannot be written (Not a directory)"
    with pytest.raises(UsageError, match=re.escape(message)):
        runs.run([job], display=False)


def test_full_disk_leaves_a_true_run_json(make_notebook: Make, tmp_path: Path):
    make_notebook("01_sleep.ipynb", "# T", "print('x' * 3_000_000)", "print(2)")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
    code, (run,), _ = Runner(tmp_path, PLAN_SLEEPER, limit).result()
    assert code == 1
    assert on_disk(run)["status"] == "failed"
    assert on_disk(run)["error"]["message"] == ("the disk is full: notebook.ipynb could not be saved (File too large)")
    nothing_left(tmp_path)


def test_reserve_makes_room_for_run_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".reserve").write_bytes(b"x")
    real = atomic.write

    def full_while_reserved(path: Path, text: str) -> None:
        if (tmp_path / ".reserve").exists():
            raise OSError(28, "No space left on device")
        real(path, text)

    monkeypatch.setattr(atomic, "write", full_while_reserved)
    folders.write_run(tmp_path, {"id": "a"})
    assert json.loads((tmp_path / "run.json").read_text()) == {"id": "a"}


def test_history_leaves_out_what_is_broken_and_begins_with_the_latest(tmp_path: Path):
    def text(run_id: str, day: int) -> str:
        run = {"id": run_id, "notebook": "01", "status": "ok", "exit_code": 0, "started": f"2026-01-0{day}"}
        return json.dumps(run)

    for name, content in {"a": text("a", 1), "b": "{", "c": "[]", "d": text("d", 2)}.items():
        (tmp_path / "01" / name).mkdir(parents=True)
        (tmp_path / "01" / name / "run.json").write_text(content)
    assert [run["id"] for run in runs.history(tmp_path)] == ["d", "a"]
    assert runs.history(tmp_path / "absent") == []
    assert runs.find_run("a", tmp_path)["folder"] == str(tmp_path / "01" / "a")
    with pytest.raises(UsageError, match=re.escape("no run 'zz'")):
        runs.find_run("zz", tmp_path)


# ---- sweeps ----

SCORE = """from smlab import results
results.record(headline='score', score=(k * 1.5, k, k * 2), note='=cmd()', name=name)"""
GRID = "k: int = 1  # a number\nname: str = 'a'  # a word"


def table(run: dict[str, Any]) -> list[list[str]]:
    import csv

    with (Path(run["sweep"]) / "table.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_sweep_leaves_a_table_of_all_combinations(make_notebook: Make, tmp_path: Path):
    path = make_notebook("03_demo.ipynb", "# T", SCORE, parameters=GRID)
    done = runs.sweep(path, {"k": "1,2", "name": "@a"}, runs_dir=tmp_path / "runs", display=False)
    assert [run["status"] for run in done] == ["ok", "ok"]
    assert re.fullmatch(r"sweep-03-[0-9a-f]{8}", Path(done[0]["sweep"]).name)
    header, first, second = table(done[0])
    assert header == ["run", "status", "k", "score", "score_low", "score_high", "note", "name", "seconds"]
    assert first[:-1] == [done[0]["id"], "ok", "1", "1.5", "1", "2", "'=cmd()", "'@a"]
    assert second[2:6] == ["2", "3.0", "2", "4"]
    about = json.loads((Path(done[0]["sweep"]) / "sweep.json").read_text())
    assert (about["notebook"], about["headline"], about["varied"]) == ("03_demo", "score", ["k"])
    again = runs.sweep(path, {"k": [1, 2], "name": "@a"}, runs_dir=tmp_path / "runs", display=False)
    assert all(run["reused"] for run in again)
    assert table(again[0])[1] == first


def test_sweep_goes_on_where_it_was_killed(make_notebook: Make, tmp_path: Path):
    slow = "import time, pathlib\npathlib.Path(f'ran-{k}').touch()\n"
    slow += "if k == 2 and not pathlib.Path('flag').exists(): open('asleep.txt', 'w').close(); time.sleep(60)"
    path = make_notebook("01_sleep.ipynb", "# T", slow, parameters=ONE)
    jobs = "runs.sweep(here / '01_sleep.ipynb', {'k': '1,2,3'}, runs_dir=here / 'runs', parallel=1) and None"
    runner = Runner(tmp_path, jobs)
    runner.until_asleep()
    runner.process.kill()
    runner.result()
    nothing_left(tmp_path)
    (tmp_path / "flag").touch()
    done = runs.sweep(path, {"k": "1,2,3"}, runs_dir=tmp_path / "runs", display=False)
    assert [(run["status"], run.get("reused", False)) for run in done] == [
        ("ok", True),
        ("ok", False),
        ("ok", False),
    ]
    assert [row[1] for row in table(done[0])[1:]] == ["ok"] * 3


def test_sweep_refuses_what_it_does_not_know(make_notebook: Make):
    path = make_notebook("03_demo.ipynb", "# T", SCORE, parameters=GRID)
    with pytest.raises(UsageError, match=re.escape("unknown parameter 'nam' of 03_demo: did you mean 'name'?")):
        runs.sweep(path, {"nam": "1"})
    with pytest.raises(UsageError, match=re.escape("k: 1 is given twice")):
        runs.sweep(path, {"k": "1,2,1"})


def test_parameters_like_dataset_zh_name_data_too(make_notebook: Make):
    parameters = 'dataset: str = "ml-100k"  # one\ndataset_b: str = "ml-1m"  # two'
    path = make_notebook("01_a.ipynb", "print(1)", parameters=parameters)
    one = runs.plan(path, {}, runs_dir=path.parent / "runs", offline=True)
    other = runs.plan(path, {"dataset_b": "ml-100k"}, runs_dir=path.parent / "runs", offline=True)
    assert one.data["name"] == "ml-100k, ml-1m" and other.data["name"] == "ml-100k"
    assert one.data["fingerprint"].startswith(other.data["fingerprint"]) and one.data["origin"] == "sample"
