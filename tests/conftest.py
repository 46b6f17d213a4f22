"""Fixtures for all tests: tiny notebooks in a temporary folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Path]


def code(source: str, *tags: str) -> dict[str, Any]:
    """Return a code cell."""
    cell = {"cell_type": "code", "execution_count": None, "outputs": [], "source": source}
    return {**cell, "metadata": {"tags": list(tags)} if tags else {}}


def markdown(source: str) -> dict[str, Any]:
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def as_cell(cell: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(cell, dict):
        return dict(cell)
    return markdown(cell) if cell.startswith("#") else code(cell)


@pytest.fixture
def make_notebook(tmp_path: Path) -> Make:
    """Return a function that writes a notebook and returns its path.

    `make("01_a.ipynb", "# Title", "print(k)", parameters="k: int = 1  # c")`: a string that begins with `#` is a
    Markdown cell, any other a code cell; a dict is a cell. The parameters come after a first Markdown cell, or
    first.
    """

    def make(name: str, *cells: str | dict[str, Any], parameters: str | None = None) -> Path:
        built = [as_cell(cell) for cell in cells]
        if parameters is not None:
            at = 1 if built and built[0]["cell_type"] == "markdown" else 0
            built.insert(at, code(parameters, "parameters"))
        for index, cell in enumerate(built):
            cell["id"] = f"cell-{index}"
        kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {
            "cells": built,
            "metadata": {"kernelspec": kernelspec},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return make


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SMLAB_") and name != "SMLAB_CACHE"]:
        monkeypatch.delenv(name)
    yield
