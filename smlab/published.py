"""The published tables that we stand beside, read from `notebooks/evidence.toml`.

A figure may stand beside a published one only under the same protocol, so `beside` gives the published rows
only to a notebook whose own parameters are those of the table.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from smlab import catalog
from smlab.checks import DataError, SmlabError, UsageError, nearest

FILE = "evidence.toml"
KEYS = ("title", "protocol", "source", "columns", "target")
OF_NOTEBOOK = ("notebook", "parameters", "ours", "published")  # a table of figures that a notebook records
OF_PAIR = ("dataset", "pair")  # a table that times ours against a peer


def tables() -> dict[str, dict[str, Any]]:
    """Read every table, checked for its form: name → table as in the file.

    Raises
    ------
    DataError : the file is no TOML, or a table misses a key; with the file and the table's name
    """
    root = catalog.project_root()
    if root is None:
        raise SmlabError("no notebooks folder here or above: change to the smlab folder, or set SMLAB_ROOT to it")
    return read(root / "notebooks" / FILE)


@cache
def read(path: Path) -> dict[str, dict[str, Any]]:
    """Read and check one evidence file."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(path, f"is not valid TOML: {error}") from None
    for name, table in found.items():
        if not isinstance(table, dict):
            raise DataError(path, "must be a table", column=name)
        missing = [key for key in (*KEYS, *(OF_PAIR if "pair" in table else OF_NOTEBOOK)) if key not in table]
        if missing:
            raise DataError(path, f"must have {', '.join(missing)}", column=name)
        if wrong := trouble(table["target"], table):
            raise DataError(path, f"target {wrong}", column=name)
    return found


def trouble(target: dict[str, Any], table: dict[str, Any]) -> str | None:
    """Say what keeps a table's target from being judged, or None."""
    if target.get("model") not in (table["ours"] if "ours" in table else [table["pair"].get("name")]):
        return f"names the model {target.get('model')!r}, which ours does not have"
    if target.get("column") not in table["columns"]:
        return f"names the column {target.get('column')!r}, which columns does not have"
    return None if ("at_least" in target) != ("at_most" in target) else "must have at_least or at_most"


def table(name: str) -> dict[str, Any]:
    """Give the table called `name`; UsageError with the nearest name otherwise."""
    known = tables()
    if name not in known:
        raise UsageError(f"unknown table {name!r}: {nearest(name, known)}")
    return known[name]


def of_notebook(notebook: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Give what `beside` shows in `notebook`: figures and protocol of its tables in the `evidence.toml` of `folder`."""
    own = {name: found for name, found in read(folder / FILE).items() if found.get("notebook") == notebook}
    return {name: {key: found[key] for key in ("parameters", "published")} for name, found in own.items()}


def beside(name: str, **parameters: object) -> list[dict[str, Any]]:
    """Give the published rows of a table if `parameters` are its protocol's, else an empty list.

    Every protocol parameter of the table has to be passed, so that none is forgotten.
    """
    found = table(name)
    if set(parameters) != set(found["parameters"]):
        raise UsageError(
            f"beside({name!r}) compares {', '.join(found['parameters'])}; got {', '.join(parameters) or 'nothing'}"
        )
    return found["published"] if found["parameters"] == parameters else []
