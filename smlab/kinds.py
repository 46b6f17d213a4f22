"""The types a parameter may have: parse an annotation, convert text to it, check a value against it.

A `Kind` is a name and its arguments: `int | None` is `union(int, none)`, `Literal["a", "b"]` is `literal("a",
"b")`.
"""

from __future__ import annotations

import ast
import dataclasses
import decimal
import functools
import json
import math
from typing import Any

from smlab.checks import nearest, shorten

PLAIN = ("str", "int", "float", "bool")
TRUE, FALSE, NONE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}, {"none", "null"}
EXACT = {"str": str, "int": int, "bool": bool, "none": type(None)}
# In a union the narrowest reading of a text wins: "5" is an int where `int | str` is declared.
NARROW_FIRST = ("literal", "none", "bool", "int", "float", "list", "dict", "str")


class Mismatch(Exception):
    """A value that is not of the declared type."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A declared type: `name` is one of str, int, float, bool, none, list, dict, literal, union."""

    name: str
    arguments: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.name == "union":
            return " | ".join(str(k) for k in self.arguments)
        if self.name == "literal":
            return f"one of {', '.join(str(v) for v in self.arguments)}"
        inner = ", ".join(["str"] * (self.name == "dict") + [str(k) for k in self.arguments])
        return "None" if self.name == "none" else f"{self.name}[{inner}]" if self.arguments else self.name


@functools.cache
def parse(annotation: str) -> Kind:
    """Parse the text of an annotation.

    >>> str(parse("Optional[list[int]]"))
    'list[int] | None'
    """
    return from_node(ast.parse(annotation, mode="eval").body)


def text_of(node: ast.expr) -> str:
    """Return an annotation as text, without the quotes around a quoted one."""
    quoted = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if quoted else ast.unparse(node)  # type: ignore[attr-defined]


def from_node(node: ast.expr) -> Kind:
    """Turn the syntax tree of an annotation into a `Kind`; ValueError says which types are supported."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return parse(node.value)
    if isinstance(node, ast.Constant) and node.value is None:
        return Kind("none")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return union(from_node(node.left), from_node(node.right))
    if isinstance(node, ast.Subscript):
        inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        return generic(word(node.value), inner)
    name = word(node)
    if name in PLAIN:
        return Kind(name)
    if name in ("list", "dict"):
        return Kind(name, ())
    raise unsupported()


def word(node: ast.expr) -> str:
    """Return the last name of `int`, `typing.List` or `t.Literal`, in lower case."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.lower()


def generic(name: str, inner: list[ast.expr]) -> Kind:
    if name == "literal":
        return Kind("literal", tuple(ast.literal_eval(n) for n in inner))
    if name == "optional" and len(inner) == 1:
        return union(from_node(inner[0]), Kind("none"))
    if name == "union":
        return union(*(from_node(n) for n in inner))
    if name == "list" and len(inner) == 1:
        return Kind("list", (from_node(inner[0]),))
    if name == "dict" and len(inner) == 2 and word(inner[0]) == "str":
        return Kind("dict", (from_node(inner[1]),))
    raise unsupported()


def unsupported() -> ValueError:
    return ValueError("supported are str, int, float, bool, list[T], dict[str, T], Literal[…], Optional[T] and unions")


def union(*kinds: Kind) -> Kind:
    flat: list[Kind] = []
    for kind in kinds:
        flat += kind.arguments if kind.name == "union" else (kind,)
    return flat[0] if len(flat) == 1 else Kind("union", tuple(flat))


def choices(kind: Kind) -> tuple[Any, ...] | None:
    """Return the values of a `Literal` (also inside a union), or None where there is none."""
    if kind.name == "literal":
        return kind.arguments
    found = [k.arguments for k in kind.arguments if k.name == "literal"] if kind.name == "union" else []
    return found[0] if found else None


def convert(kind: Kind, text: str) -> Any:
    """Convert text to the declared type, or raise `Mismatch`."""
    if kind.name == "str":
        return text
    if kind.name in ("list", "dict"):
        return convert_container(kind, text)
    if kind.name == "union":
        return convert_union(kind, text)
    if kind.name == "literal":
        return convert_literal(kind, text)
    word = text.strip().lower()
    if kind.name == "none" and word in NONE:
        return None
    if kind.name == "bool" and word in TRUE | FALSE:
        return word in TRUE
    if kind.name in ("int", "float"):
        return convert_number(kind, text)
    raise not_a(kind, text)


def convert_number(kind: Kind, text: str) -> int | float:
    try:
        number = decimal.Decimal(text.strip())
        # 1e3 is a whole number; 1e999999999 is one, too, but would fill the memory.
        if kind.name == "int" and number.adjusted() < 4000 and number == number.to_integral_value():
            return int(number)
        if kind.name == "float" and math.isfinite(float(number)):
            return float(number)
    except (decimal.InvalidOperation, ValueError, OverflowError):
        pass
    raise not_a(kind, text)


def convert_literal(kind: Kind, text: str) -> Any:
    for value in kind.arguments:
        if text == str(value) or (isinstance(value, bool | None) and text.strip().lower() == str(value).lower()):
            return value
    raise Mismatch(f"{shorten(text)!r} is no choice: {nearest(text, [str(v) for v in kind.arguments])}")


def convert_union(kind: Kind, text: str) -> Any:
    wrong: list[Mismatch] = []
    for member in sorted(kind.arguments, key=lambda k: NARROW_FIRST.index(k.name)):
        try:
            return convert(member, text)
        except Mismatch as error:
            wrong.append(error)
    raise wrong[0] if choices(kind) else not_a(kind, text)


def convert_container(kind: Kind, text: str) -> Any:
    """Read JSON or a Python literal; a list may also be written with commas alone: `a,b,c`."""
    if kind.name == "list" and not text.strip().startswith("["):
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return [convert(kind.arguments[0], part) for part in parts] if kind.arguments else parts
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise not_a(kind, text) from None
    return check(kind, value)


def check(kind: Kind, value: Any) -> Any:
    """Return `value` in the declared type, or raise `Mismatch`."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if kind.name == "union":
        return check_union(kind, value)
    if kind.name == "literal":
        return check_literal(kind, value)
    if kind.name == "list" and isinstance(value, list | tuple):
        return [check(kind.arguments[0], v) for v in value] if kind.arguments else list(value)
    if kind.name == "dict" and isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: check(kind.arguments[0], v) for k, v in value.items()} if kind.arguments else value
    if kind.name == "float" and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind.name in EXACT and type(value) is EXACT[kind.name]:
        return value
    raise not_a(kind, value)


def check_literal(kind: Kind, value: Any) -> Any:
    if any(value == choice and type(value) is type(choice) for choice in kind.arguments):
        return value
    raise Mismatch(f"{shorten(repr(value))} is no choice: {nearest(str(value), map(str, kind.arguments))}")


def check_union(kind: Kind, value: Any) -> Any:
    # An exact match first, so that 1 stays an int where `float | int` is declared.
    for member in sorted(kind.arguments, key=lambda k: k.name == "float" and not isinstance(value, float)):
        try:
            return check(member, value)
        except Mismatch:
            continue
    raise not_a(kind, value)


def not_a(kind: Kind, value: object) -> Mismatch:
    article = "an" if str(kind).startswith("int") else "a"
    if kind.name == "float" and str(value).strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
        article = "a finite"
    return Mismatch(f"{shorten(repr(value))} is not {article} {kind}")
