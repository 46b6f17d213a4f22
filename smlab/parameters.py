"""Typed parameters of a notebook, read with `ast` from the cell tagged `parameters`.

Each line of that cell is `name: type = literal  # comment`. Types: str, int, float, bool, list[T], dict[str,
T], Literal[…], Optional[T], unions, and each of them in quotes. Values from the command line are text and are
converted to the declared type; values from Python are checked against it.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import tokenize
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smlab import kinds
from smlab.checks import UsageError, nearest, shorten


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter: its declared type as written, its default and the comment beside it."""

    name: str
    annotation: str
    default: Any
    comment: str
    choices: tuple[Any, ...] | None = None
    notebook: str = ""

    @property
    def kind(self) -> kinds.Kind:
        return kinds.parse(self.annotation)


def load(path: Path) -> dict[str, Any]:
    """Read a notebook file as JSON (format 4, so that it has a list of cells).

    Raises
    ------
    UsageError
        if the file is absent, is no JSON or is no notebook of format 4.
    """
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"{path}: is no notebook ({error})") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise UsageError(f"{path}: is no notebook of format 4 (it has no list of cells)")
    return notebook


def source(cell: Mapping[str, Any]) -> str:
    """Return the text of a cell, which the file holds as a string or as a list of lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def tags(cell: Mapping[str, Any]) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.get("metadata", {}).get("tags", []))


def read(path: Path) -> list[Parameter]:
    """Read the parameters of the notebook at `path`, in their order.

    Raises
    ------
    UsageError
        naming file and line: no parameters cell or two, a line of another form, a default that is no literal
        or not of the declared type, no type, no comment.
    """
    return read_cells(load(path), path)


def read_cells(notebook: Mapping[str, Any], path: Path) -> list[Parameter]:
    """Read the parameters of a loaded notebook; `path` is for the errors."""
    tagged = [cell for cell in notebook["cells"] if "parameters" in tags(cell)]
    if len(tagged) != 1:
        raise UsageError(f"{path}: needs one code cell tagged 'parameters', has {len(tagged) or 'none'}")
    text, where = source(tagged[0]), f"{path}, parameters cell"
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise UsageError(f"{where}, line {error.lineno}: {error.msg}") from None
    comments = comments_by_line(text)
    found = [from_statement(node, comments, where, Path(path).stem) for node in body]
    twice = {p.name for p in found if [q.name for q in found].count(p.name) > 1}
    if twice:
        raise UsageError(f"{where}: {', '.join(sorted(twice))} is set twice")
    return found


def comments_by_line(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {t.start[0]: t.string.lstrip("#").strip() for t in tokens if t.type == tokenize.COMMENT}


def from_statement(node: ast.stmt, comments: Mapping[int, str], where: str, notebook: str) -> Parameter:
    """Turn one line of the parameters cell into a `Parameter`."""
    where = f"{where}, line {node.lineno}"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        raise UsageError(f"{where}: {node.targets[0].id} has no type; write `{node.targets[0].id}: int = …`")
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
        raise UsageError(f"{where}: only lines `name: type = literal  # comment` belong here")
    name = node.target.id
    try:
        kind = kinds.from_node(node.annotation)
    except ValueError as error:
        raise UsageError(f"{where}: {name} has the type {ast.unparse(node.annotation)}; {error}") from None
    comment = comments.get(node.end_lineno or node.lineno) or comments.get(node.lineno)
    if not comment:
        raise UsageError(f"{where}: {name} has no comment that says what it means")
    try:
        default = kinds.check(kind, ast.literal_eval(node.value))
    except kinds.Mismatch as error:
        raise UsageError(f"{where}: the default of {name}, {error}") from None
    except ValueError:
        raise UsageError(f"{where}: the default of {name} is no literal: {ast.unparse(node.value)}") from None
    return Parameter(name, kinds.text_of(node.annotation), default, comment, kinds.choices(kind), notebook)


def from_text(parameter: Parameter, text: str) -> Any:
    """Convert the text of a command line to the declared type.

    `false`, `no` and `0` are False for a bool; a str stays as it is; lists are separated by commas or are
    JSON.

    Raises
    ------
    UsageError
        naming the parameter, the text, the type and the default.

    >>> from_text(Parameter("use", "bool", True, "whether"), "False")
    False
    >>> from_text(Parameter("k", "int", 10, "neighbours"), "1e3")
    1000
    """
    try:
        return kinds.convert(parameter.kind, text)
    except kinds.Mismatch as error:
        raise mismatch(parameter, error) from None


def check(parameter: Parameter, value: Any) -> Any:
    """Check a value from Python against the declared type and return it in that type.

    An int serves where a float is asked; a bool is no int; a tuple serves as a list.
    """
    try:
        return kinds.check(parameter.kind, value)
    except kinds.Mismatch as error:
        raise mismatch(parameter, error) from None


def mismatch(parameter: Parameter, error: kinds.Mismatch) -> UsageError:
    of = f"parameter of {parameter.notebook}, " if parameter.notebook else ""
    return UsageError(f"{parameter.name}: {error} ({of}default {shorten(repr(parameter.default))})")


def resolve(parameters: Sequence[Parameter], given: Mapping[str, object], notebook: str) -> dict[str, Any]:
    """Return the value of every parameter: the given ones converted, the others by default.

    Raises
    ------
    UsageError
        for a name that the notebook does not have (with the nearest one) or a value of another type.
    """
    known = {p.name: p for p in parameters}
    for name in given:
        if name not in known:
            hint = nearest(name, known) if known else "it has no parameters"
            raise UsageError(f"unknown parameter {name!r} of {notebook}: {hint}")
    return {p.name: value_of(p, given[p.name]) if p.name in given else p.default for p in parameters}


def value_of(parameter: Parameter, value: object) -> Any:
    return from_text(parameter, value) if isinstance(value, str) else check(parameter, value)


def help_text(notebook_title: str, parameters: Sequence[Parameter]) -> str:
    """Return each parameter as it is declared, with its comment below.

    >>> print(help_text("Demo", [Parameter("k", "int", 10, "neighbours")]))
    Demo
    <BLANKLINE>
      k: int = 10
          neighbours
    """
    lines = [f"  {p.name}: {p.annotation} = {p.default!r}\n      {p.comment}" for p in parameters]
    return "\n".join([notebook_title, "", *lines])
