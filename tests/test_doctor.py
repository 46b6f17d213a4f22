"""The doctor says what is wrong and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smlab import catalog, cli, doctor


def test_doctor_looks_at_everything_a_run_needs(tmp_path, capsys):
    checks = doctor.examine(tmp_path / "runs")
    assert {check.name for check in checks} >= {
        "Python",
        "torch",
        "kernel",
        "formulas",
        "index",
        "disk, runs",
    }
    found = {check.name: check for check in checks}
    assert found["kernel"].state == doctor.GOOD
    assert "2.13.0" in found["torch"].found and "device" in found["torch"].found
    assert not (tmp_path / "runs").exists()
    assert cli.main(["doctor"]) in (0, 1)
    assert "torch" in capsys.readouterr().out


def test_an_index_that_does_not_answer_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/index")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    check = doctor.index()
    assert check.state == doctor.WARN and "127.0.0.1:9" in check.found and "secret" not in check.found
    assert "--offline" in check.cure


def test_a_full_disk_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("usage", (), {"free": 10**8})())
    assert {check.state for check in doctor.disk(tmp_path)} == {doctor.BAD}


def test_another_version_than_the_locked_one_is_named(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("# pins\nnumpy==1.0\nno-such-package==2\n")
    monkeypatch.setattr(catalog, "project_root", lambda: Path(tmp_path))
    check = doctor.project()
    assert check.state == doctor.WARN
    assert "no-such-package, numpy" in check.found


@pytest.mark.parametrize(("state", "code"), [(doctor.WARN, 0), (doctor.BAD, 1)])
def test_only_problems_give_an_exit_code(monkeypatch, capsys, state, code):
    monkeypatch.setattr(doctor, "examine", lambda runs_dir: [doctor.Check("disk", state, "little", "make room")])
    assert cli.main(["doctor"]) == code
