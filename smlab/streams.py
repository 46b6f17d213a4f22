"""What a cell prints, joined: one output per stream between two displays, as a terminal shows it in the end.

nbclient can join as well, but puts text before the plot that it follows, and its time grows with the square
of the length of a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def joined(outputs: Sequence[Any]) -> list[Any]:
    """Join the pieces of each stream between two other outputs; within such a stretch stdout comes first.

    >>> pieces = [{"output_type": "stream", "name": "stdout", "text": t} for t in ("10%", "\\r20%", "\\n")]
    >>> joined(pieces)
    [{'output_type': 'stream', 'name': 'stdout', 'text': '20%\\n'}]
    """
    result: list[Any] = []
    stretch: dict[str, tuple[Any, list[str]]] = {}
    for output in outputs:
        if output["output_type"] == "stream":
            stretch.setdefault(output["name"], (output, []))[1].append(output["text"])
        else:
            result += [*finished(stretch), output]
            stretch = {}
    return result + finished(stretch)


def finished(stretch: dict[str, tuple[Any, list[str]]]) -> list[Any]:
    """Return the outputs of a stretch, each with its whole text."""
    done = []
    for name in sorted(stretch, key=lambda name: name != "stdout"):
        output, pieces = stretch[name]
        output["text"] = as_shown("".join(pieces))
        done.append(output)
    return done


def as_shown(text: str) -> str:
    """Return what stays of a text when carriage returns and backspaces have done their work.

    >>> as_shown("10%\\r20%\\r\\nab\\bc")
    '20%\\nac'
    """
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return backspaced(text) if "\b" in text else text


def backspaced(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
