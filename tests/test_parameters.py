"""Typed parameters: read from the notebook, converted from text, checked, and refused with an address."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlab import parameters
from smlab.checks import UsageError
from smlab.parameters import Parameter

Make = Callable[..., Path]


def parameter(annotation: str, default: Any = None, choices: tuple[Any, ...] | None = None) -> Parameter:
    return Parameter("x", annotation, default, "what it is", choices, "03_demo")


EVERY_FORM = '''
"""A docstring is no parameter."""
# A comment on a line of its own is none, either.
k: int = 10  # neighbours
name: str = "a=b"  # with = inside
rate: float = 1  # an int serves
use: bool = True  # whether
seed: int | None = None  # None draws one
model: Literal["ease", "item-knn"] = "ease"  # which
typed: typing.Optional[float] = 0.5  # qualified
quoted: "int" = 3  # in quotes
both: Union[int, str] = "x"  # either
sizes: list[int] = [
    8,
    4,
]  # over several lines
weights: dict[str, float] = {"a": 1}  # by name
minus: int = -1  # a sign is part of a literal
'''


def test_every_form_is_read_with_type_default_and_comment(make_notebook: Make):
    text = EVERY_FORM.replace('"""A docstring is no parameter."""\n', "")
    read = {p.name: p for p in parameters.read(make_notebook("03_demo.ipynb", "# T", parameters=text))}
    assert " ".join(read) == "k name rate use seed model typed quoted both sizes weights minus"
    assert (read["k"].annotation, read["k"].default, read["k"].comment) == ("int", 10, "neighbours")
    assert (read["name"].default, read["name"].comment) == ("a=b", "with = inside")
    assert (read["rate"].default, type(read["rate"].default)) == (1.0, float)
    assert (read["seed"].annotation, read["seed"].default) == ("int | None", None)
    assert read["model"].choices == ("ease", "item-knn")
    assert (read["quoted"].annotation, read["typed"].annotation) == ("int", "typing.Optional[float]")
    assert (read["sizes"].default, read["sizes"].comment) == ([8, 4], "over several lines")
    assert read["weights"].default == {"a": 1.0}
    assert read["minus"].default == -1
    assert read["k"].notebook == "03_demo"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("k = 1  # how many", "line 2: k has no type; write `k: int = …`"),
        ("k: int = 1", "line 2: k has no comment that says what it means"),
        ("k: int = n + 1  # c", "line 2: the default of k is no literal: n + 1"),
        ("k: int = 'a'  # c", "line 2: the default of k, 'a' is not an int"),
        ("k: int = True  # c", "line 2: the default of k, True is not an int"),
        ("k: set[int] = 1  # c", "line 2: k has the type set[int]; supported are str, int"),
        ("k: int  # c", "line 2: only lines `name: type = literal  # comment` belong here"),
        ("import os", "line 2: only lines `name: type = literal  # comment` belong here"),
        ("k: Literal['a'] = 'b'  # c", "line 2: the default of k, 'b' is no choice: known: a"),
        ("k: int = = 1", "line 2: invalid syntax"),
    ],
)
def test_line_of_another_form_is_refused_with_its_address(make_notebook: Make, line: str, message: str):
    path = make_notebook("03_demo.ipynb", "# T", parameters=f"a: int = 1  # first\n{line}")
    with pytest.raises(UsageError, match=re.escape(f"{path}, parameters cell, {message}")):
        parameters.read(path)


def test_name_that_is_set_twice_is_refused(make_notebook: Make):
    path = make_notebook("n.ipynb", parameters="k: int = 1  # a\nk: int = 2  # b")
    with pytest.raises(UsageError, match="parameters cell: k is set twice"):
        parameters.read(path)


def test_notebook_needs_exactly_one_parameters_cell(make_notebook: Make):
    with pytest.raises(UsageError, match="needs one code cell tagged 'parameters', has none"):
        parameters.read(make_notebook("n.ipynb", "# T"))
    tagged = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": [], "outputs": []}
    with pytest.raises(UsageError, match="needs one code cell tagged 'parameters', has 2"):
        parameters.read(make_notebook("n.ipynb", tagged, tagged))


def test_what_is_no_notebook_is_refused_with_its_path(tmp_path: Path):
    path = tmp_path / "n.ipynb"
    with pytest.raises(UsageError, match=re.escape(f"{path}: cannot be read (No such file or directory)")):
        parameters.read(path)
    path.write_text("{")
    with pytest.raises(UsageError, match=re.escape(f"{path}: is no notebook (Expecting property name")):
        parameters.read(path)
    path.write_text('{"worksheets": []}')
    with pytest.raises(UsageError, match="is no notebook of format 4"):
        parameters.read(path)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("bool", "false", False),
        ("bool", "TRUE", True),
        ("bool", "No", False),
        ("bool", "1", True),
        ("int", "1e3", 1000),
        ("int", "-7", -7),
        ("float", "3", 3.0),
        ("float", "1e-3", 0.001),
        ("str", "1e3", "1e3"),
        ("str", "007", "007"),
        ("str", "a=b", "a=b"),
        ("str", " none ", " none "),
        ("int | None", "None", None),
        ("int | None", "5", 5),
        ("str | None", "none", None),
        ("int | str", "5", 5),
        ("int | str", "five", "five"),
        ("float | int", "5", 5),
        ("Literal['a', 'b']", "b", "b"),
        ("Literal[1, 2]", "2", 2),
        ("Literal['auto'] | int", "auto", "auto"),
        ("Literal['auto'] | int", "3", 3),
        ("Literal[True, 'x']", "true", True),
        ("list[int]", "1,2, 3", [1, 2, 3]),
        ("list[int]", "[1, 2]", [1, 2]),
        ("list[str]", "a", ["a"]),
        ("list[str]", "", []),
        ("list[str]", "['a,b']", ["a,b"]),
        ("list[list[int]]", "[[1], [2]]", [[1], [2]]),
        ("dict[str, int]", '{"a": 1}', {"a": 1}),
        ("'int'", "4", 4),
    ],
)
def test_text_becomes_a_value_of_the_declared_type(annotation: str, text: str, value: Any):
    got = parameters.from_text(parameter(annotation), text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        ("int", "abc", "x: 'abc' is not an int (parameter of 03_demo, default None)"),
        ("int", "1.5", "x: '1.5' is not an int"),
        ("int", "", "x: '' is not an int"),
        ("int", "1e999999999", "x: '1e999999999' is not an int"),
        ("int", "nan", "x: 'nan' is not an int"),
        ("float", "nan", "x: 'nan' is not a finite float"),
        ("float", "1e999", "x: '1e999' is not a float"),
        ("bool", "maybe", "x: 'maybe' is not a bool"),
        ("int | None", "abc", "x: 'abc' is not an int | None"),
        ("Literal['ease', 'item-knn']", "eaze", "x: 'eaze' is no choice: did you mean 'ease'?"),
        ("Literal['ease', 'item-knn']", "zz", "x: 'zz' is no choice: known: ease, item-knn"),
        ("list[int]", "1,b", "x: 'b' is not an int"),
        ("dict[str, int]", "a", "x: 'a' is not a dict[str, int]"),
    ],
)
def test_text_that_is_no_such_value_is_refused(annotation: str, text: str, message: str):
    with pytest.raises(UsageError, match=re.escape(message)):
        parameters.from_text(parameter(annotation), text)


@pytest.mark.parametrize(
    ("annotation", "value", "checked"),
    [
        ("float", 1, 1.0),
        ("int", np.int64(3), 3),
        ("float", np.float32(0.5), 0.5),
        ("list[int]", (1, 2), [1, 2]),
        ("list[float]", [1], [1.0]),
        ("int | float", 1, 1),
        ("float | int", 1, 1),
        ("int | None", None, None),
    ],
)
def test_value_from_python_is_returned_in_the_declared_type(annotation: str, value: Any, checked: Any):
    got = parameters.check(parameter(annotation), value)
    assert got == checked
    assert type(got) is type(checked)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", True),
        ("int", 1.0),
        ("str", 1),
        ("bool", 1),
        ("float", float("nan")),
        ("list[int]", "1"),
        ("list[int]", [1, "a"]),
        ("dict[str, int]", {1: 1}),
        ("Literal[1]", True),
        ("int", None),
    ],
)
def test_value_of_another_type_is_refused(annotation: str, value: Any):
    with pytest.raises(UsageError, match="^x: .*parameter of 03_demo"):
        parameters.check(parameter(annotation), value)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_value_or_a_sentence(text: str):
    for annotation in ("int", "float", "bool", "list[int]", "dict[str, int]", "int | None", "Literal['a']"):
        try:
            value = parameters.from_text(parameter(annotation), text)
        except UsageError as error:
            assert str(error).startswith("x: ")
        else:
            assert parameters.check(parameter(annotation), value) == value


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
@settings(max_examples=100, deadline=None)
def test_what_python_prints_is_read_back(value: float):
    assert parameters.from_text(parameter(type(value).__name__), str(value)) == value


def test_resolve_fills_in_defaults_and_names_the_nearest_known():
    known = [Parameter("alpha", "float", 1.0, "c"), Parameter("k", "int", 5, "c")]
    assert parameters.resolve(known, {"k": "7"}, "03") == {"alpha": 1.0, "k": 7}
    with pytest.raises(UsageError, match=re.escape("unknown parameter 'alhpa' of 03: did you mean 'alpha'?")):
        parameters.resolve(known, {"alhpa": 1}, "03")
    with pytest.raises(UsageError, match=re.escape("unknown parameter 'k' of 03: it has no parameters")):
        parameters.resolve([], {"k": 1}, "03")
