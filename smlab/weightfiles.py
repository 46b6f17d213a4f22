"""What a network has learnt in one file: numbers, words and hyper-parameters; no code is in it, and none is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from smlab import atomic
from smlab.checks import UsageError


def save(path: str | Path, kind: str, state: dict[str, Any]) -> Path:
    """Write the state of a model of class `kind`, whole or not at all."""
    with atomic.writing(Path(path)) as out:
        torch.save({"class": kind, **state}, out)
    return Path(path)


def load(path: str | Path, kind: str, *needs: str) -> dict[str, Any]:
    """Read the state of a model of class `kind`.

    Raises
    ------
    UsageError
        For what is no such file, holds another class, or lacks one of `needs`.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["class"]
        if found == kind and (absent := [name for name in needs if name not in state]):
            raise KeyError(absent[0])
    except Exception as error:  # torch, zip and pickle each have their own
        raise UsageError(f"{path} is no saved {kind}: {str(error).splitlines()[0]}") from None
    if found != kind:
        raise UsageError(f"{path} holds a {found}; load it with {found}.load")
    return dict(state)
