"""A file of weights comes back as it was, and what is none is a sentence; nothing in it is ever run."""

from __future__ import annotations

import os

import pytest
import torch

from smlab import weightfiles
from smlab.checks import UsageError


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was-run",)


def test_a_state_comes_back(tmp_path):
    path = weightfiles.save(tmp_path / "a.pt", "Net", {"settings": {"k": 3}, "weights": {"w": torch.arange(3)}})
    state = weightfiles.load(path, "Net", "settings", "weights")
    assert state["settings"] == {"k": 3} and state["weights"]["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"class": "Other", "settings": {}}, "holds a Other; load it with Other.load"),
        ({"class": "Net"}, "is no saved Net: 'settings'"),
        ([1, 2], "is no saved Net"),
        ({"class": "Net", "settings": Evil()}, "is no saved Net"),
    ],
)
def test_what_is_no_such_file_is_a_sentence_and_never_run(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "a.pt")
    with pytest.raises(UsageError, match=said):
        weightfiles.load("a.pt", "Net", "settings")
    assert not (tmp_path / "was-run").exists()


def test_no_file_and_text_are_sentences(tmp_path):
    (tmp_path / "text.pt").write_text("weights")
    for name in ("text.pt", "none.pt"):
        with pytest.raises(UsageError, match="is no saved Net"):
            weightfiles.load(tmp_path / name, "Net")
