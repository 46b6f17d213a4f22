"""Executing one notebook: how it ends is told truly, the notebook is kept, and no kernel is left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from smlab import atomic, endings, kernels, sessions

pytestmark = pytest.mark.usefixtures("plain_environment")
Make = Callable[..., Path]
ALLOWED = {
    "cell_type": "code",
    "metadata": {"tags": ["raises-exception"]},
    "source": "1/0",
    "outputs": [],
    "execution_count": None,
}


class Done:
    """An execution that is over: its outcome, the saved notebook, and what it told."""

    def __init__(self, path: Path, parameters: dict[str, Any], timeout: float | None) -> None:
        self.told: list[tuple[Any, ...]] = []
        output = path.with_name("out.ipynb")
        self.outcome = kernels.execute(
            path.read_text("utf-8"), path, output, parameters, timeout=timeout, notify=self.told.append
        )
        self.notebook = json.loads(output.read_text("utf-8"))
        self.cells = self.notebook["cells"]
        self.states = [cell["metadata"]["papermill"]["status"] for cell in self.cells]
        pid, sockets = next(m[1:] for m in self.told if m[0] == "kernel")
        assert not psutil.pid_exists(pid)
        assert not Path(sockets).exists()

    def printed(self, index: int) -> str:
        pieces = [out["text"] for out in self.cells[index]["outputs"] if out["output_type"] == "stream"]
        return "".join("".join(piece) for piece in pieces)


def execute(path: Path, parameters: dict[str, Any] | None = None, timeout: float | None = None) -> Done:
    return Done(path, parameters or {}, timeout)


def test_notebook_runs_in_its_folder_with_the_injected_values(make_notebook: Make):
    path = make_notebook(
        "a {x} b/01_demo.ipynb",
        "# Demo",
        "import os\nprint(k, os.getcwd())",
        "## Model",
        "k + 1",
        parameters="k: int = 1  # a number",
    )
    done = execute(path, {"k": 41})
    assert done.outcome.status == "ok"
    assert done.outcome.exit_code == 0
    assert done.outcome.error is None
    assert done.printed(3) == f"41 {path.parent}\n"
    assert done.cells[5]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert set(done.states) == {"completed"}
    assert done.notebook["metadata"]["papermill"]["exception"] is None
    assert done.notebook["metadata"]["papermill"]["input_path"] == str(path)
    assert 20 < (done.outcome.peak_memory_mb or 0) < 2000


def test_progress_names_the_section_and_the_last_printed_line(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", "# T\n\n## Data ##", "print('epoch 1\\nepoch 2 \\r\\n')"))
    assert ("cell", 2, 2, "Data") in done.told
    assert ("line", "epoch 2") in done.told


def test_cell_error_fails_the_run_and_leaves_later_cells_pending(make_notebook: Make):
    path = make_notebook("n.ipynb", "# T", "1/0", "print(2)", parameters="k: int = 1  # a number")
    done = execute(path, {"k": 2})
    assert done.outcome.status == "failed"
    assert done.outcome.exit_code == 1
    # The cell's number is that in the file: the injected cell does not count.
    assert done.outcome.error == {
        "cell": 3,
        "section": "T",
        "name": "ZeroDivisionError",
        "message": "ZeroDivisionError: division by zero",
    }
    assert done.states == ["completed", "completed", "completed", "failed", "pending"]
    assert done.notebook["metadata"]["papermill"]["exception"] is True
    assert "papermill-error" not in json.dumps(done.notebook)


@pytest.mark.parametrize("call", ["sys.exit(0)", "sys.exit(3)", "sys.exit()"])
def test_sys_exit_fails_the_run_whatever_its_code(make_notebook: Make, call: str):
    done = execute(make_notebook("n.ipynb", f"import sys; {call}", "print(2)"))
    assert done.outcome.status == "failed"
    assert done.outcome.error is not None
    expected = call.replace("()", "(None)").removeprefix("sys")
    assert done.outcome.error["message"].replace("()", "(None)") == (
        f"cell 1 called sys{expected}; the rest of the notebook did not run"
    )
    assert done.states == ["failed", "pending"]


def test_allowed_error_is_no_failure(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", ALLOWED, "print(2)"))
    assert done.outcome.status == "ok"
    assert done.states == ["completed", "completed"]
    assert done.printed(1) == "2\n"


def test_error_after_an_allowed_one_is_the_one_that_is_named(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", ALLOWED, "{}['a']"))
    assert done.outcome.error is not None
    assert (done.outcome.error["cell"], done.outcome.error["name"]) == (2, "KeyError")


def test_killed_kernel_is_called_killed_and_hints_at_the_memory(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", "import os\nprint('here', flush=True)\nos.kill(os.getpid(), 9)", "2"))
    assert done.outcome.status == "killed"
    assert done.outcome.exit_code == 137
    assert done.outcome.error is not None
    pattern = r"the kernel was killed by SIGKILL in cell 1; its memory peaked at [\d,]+ MB of this machine's [\d,]+ MB"
    assert re.match(pattern, done.outcome.error["message"])
    assert done.states == ["failed", "pending"]
    assert done.notebook["metadata"]["papermill"]["exception"] is True


def test_kernel_that_leaves_by_itself_before_the_end_fails_the_run(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", "import os\nos._exit(0)", "2"))
    assert done.outcome.status == "failed"
    assert done.outcome.error is not None
    assert done.outcome.error["message"].startswith("the kernel ended in cell 1 with exit code 0, as exit()")
    assert done.states == ["failed", "pending"]


def test_kernel_that_leaves_after_the_last_cell_has_done_its_work(make_notebook: Make):
    assert execute(make_notebook("n.ipynb", "print(1)", "exit()")).outcome.status == "ok"


def test_kernel_that_does_not_start_is_a_failure_with_its_exit_code(
    make_notebook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ipykernel_launcher.py").write_text("raise SystemExit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    done = execute(make_notebook("n.ipynb", "1"))
    assert done.outcome.status == "failed"
    assert done.outcome.error is not None
    assert done.outcome.error["message"].startswith("the kernel did not start (exit code 7): ")
    assert done.states == ["pending"]


def test_timeout_stops_the_cell_and_keeps_its_traceback(make_notebook: Make):
    begin = time.monotonic()
    done = execute(make_notebook("n.ipynb", "print(1)", "import time\ntime.sleep(60)", "3"), timeout=1.5)
    assert time.monotonic() - begin < 8
    assert done.outcome.status == "timeout"
    assert done.outcome.exit_code == 124
    assert done.outcome.error is not None
    assert done.outcome.error["message"] == "stopped in cell 2 after 1.5 seconds, the time it was given"
    assert done.cells[1]["outputs"][-1]["ename"] == "KeyboardInterrupt"
    assert done.states == ["completed", "failed", "pending"]


def test_cell_that_will_not_stop_is_killed(make_notebook: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sessions, "GRACE", 0.5)
    stubborn = "import time\nwhile True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass"
    done = execute(make_notebook("n.ipynb", stubborn), timeout=1.2)
    assert done.outcome.status == "timeout"
    assert done.states == ["failed"]


def test_cell_that_takes_the_interrupt_for_its_end_does_not_let_the_next_one_begin(make_notebook: Make):
    early = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped early')"
    done = execute(make_notebook("n.ipynb", early, "print(2)"), timeout=1.5)
    assert done.outcome.status == "timeout"
    assert done.states == ["completed", "pending"]
    assert done.printed(0) == "stopped early\n"


def test_many_printed_lines_stay_one_output(make_notebook: Make):
    begin = time.monotonic()
    done = execute(make_notebook("n.ipynb", "for i in range(20_000): print(i)"))
    assert time.monotonic() - begin < 10
    assert len(done.cells[0]["outputs"]) == 1
    assert done.printed(0).split() == [str(i) for i in range(20_000)]


def test_kernel_that_prints_faster_than_we_read_loses_nothing(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", "for i in range(4_000): print(i, flush=True)"))
    assert done.outcome.status == "ok"
    assert done.printed(0).split() == [str(i) for i in range(4_000)]


def test_printed_pieces_of_a_dying_cell_are_joined(make_notebook: Make):
    done = execute(make_notebook("n.ipynb", "import os\nfor i in range(50): print(i, flush=True)\nos.abort()"))
    assert done.outcome.status == "killed"
    assert len(done.cells[0]["outputs"]) == 1


def test_very_long_line_takes_no_longer_than_many_short_ones(make_notebook: Make):
    begin = time.monotonic()
    done = execute(make_notebook("n.ipynb", "print('x' * 3_000_000)"))
    assert time.monotonic() - begin < 10
    assert len(done.printed(0)) == 3_000_001


def test_text_stays_on_its_side_of_a_display_and_progress_shows_its_end(make_notebook: Make):
    lines = "print('10%', end='\\r')\nprint('20%')\ndisplay(1)\nprint('after')"
    outputs = execute(make_notebook("n.ipynb", lines)).cells[0]["outputs"]
    assert [out.get("text") for out in outputs] == [["20%\n"], None, ["after\n"]]


def test_any_text_can_be_printed_and_saved(make_notebook: Make):
    text = "naïve 社媒 😀 \u202e \u2028 \x00 \x1b[31m </script>"
    done = execute(make_notebook("n.ipynb", f"print({text!r})", "print('\\udce9', 1)", f"{text!r}"))
    assert done.outcome.status == "ok"
    assert done.printed(0) == text + "\n"


def test_partial_notebook_is_saved_while_a_silent_cell_runs(make_notebook: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kernels, "SAVE_EVERY", 0.3)
    watch = (
        "import json, time\nfound = False\nfor _ in range(80):\n    time.sleep(0.1)\n"
        "    cells = json.load(open('out.ipynb'))['cells']\n"
        "    found = cells[0]['outputs'] and cells[1]['metadata']['papermill']['status'] == 'running'\n"
        "    if found: break\nassert found"
    )
    assert execute(make_notebook("n.ipynb", "print('first')", watch)).outcome.status == "ok"


def test_notebook_that_cannot_be_saved_is_a_failure(make_notebook: Make, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    path = make_notebook("n.ipynb", "1")
    monkeypatch.setattr(atomic, "write", full)
    outcome = kernels.execute(path.read_text(), path, path.with_name("out.ipynb"), {})
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error["message"] == "the disk is full: out.ipynb could not be saved (No space left on device)"


def test_colours_of_an_error_text_are_left_out():
    outputs = [{"output_type": "error", "ename": "E", "evalue": "\x1b[31mred\x1b[0m"}]
    assert endings.cell_error(outputs) == ("E", "red")
