"""What is kept comes back whole; what is damaged, of another run or pickled is refused in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.statefile import StateFile

STATE = {"day": np.array(3), "alive": np.array([True, False]), "money": np.array([[0.1], [np.nan]])}


def test_what_is_kept_comes_back_and_nothing_else_lies_there(tmp_path):
    file = StateFile(tmp_path / "new" / "a.npz", "mine")
    assert file.read() is None
    file.write({"day": np.array(2)})
    file.write(STATE)
    back = file.read()
    assert back.keys() == STATE.keys()
    for name, x in STATE.items():
        np.testing.assert_array_equal(back[name], x)
        assert back[name].dtype == x.dtype
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.npz"]


def test_another_runs_state_is_refused(tmp_path):
    StateFile(tmp_path / "a.npz", "mine").write(STATE)
    with pytest.raises(UsageError, match=r"a\.npz is the state of a run with other parameters; take another folder$"):
        StateFile(tmp_path / "a.npz", "yours").read()


@pytest.mark.parametrize("damage", [b"", b"no state", b"PK\x03\x04 broken", "half", "pickle"])
def test_a_damaged_or_pickled_file_is_refused(tmp_path, damage):
    file = StateFile(tmp_path / "a.npz", "mine")
    file.write(STATE)
    if damage == "half":
        damage = file.path.read_bytes()[: file.path.stat().st_size // 2]
    if damage == "pickle":
        np.savez(file.path, mark=np.array("mine"), bad=np.array([{}], dtype=object))
    else:
        file.path.write_bytes(damage)
    with pytest.raises(UsageError, match="is no state that can be read; delete it to begin anew$"):
        file.read()


def test_a_write_that_fails_leaves_the_last_state(tmp_path, monkeypatch):
    file = StateFile(tmp_path / "a.npz", "mine")
    file.write(STATE)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        file.write({"day": np.array(4)})
    assert int(file.read()["day"]) == 3 and len(list(tmp_path.iterdir())) == 1
