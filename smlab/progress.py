"""Say on standard error what takes long: a bar on a terminal, else two lines, nothing when it is quick."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 2.0  # seconds of silence

Advance = Callable[[int], None]


def say(text: str) -> None:
    """Write one line to standard error."""
    print(text, file=sys.stderr, flush=True)


def size_text(size: int) -> str:
    """Write a number of bytes for a person.

    >>> size_text(1_870_588), size_text(900)
    ('1.9 MB', '1 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1e3))} kB"


@contextmanager
def meter(label: str, total: int | None = None, show: bool = True) -> Iterator[Advance]:
    """Show the progress of `total` bytes; the body calls what it is given with each number of new bytes."""
    if not show:
        yield lambda size: None
    elif sys.stderr.isatty():
        with _bar(label, total) as advance:
            yield advance
    else:
        with _lines(label, total) as advance:
            yield advance


@contextmanager
def _bar(label: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    # markup=False: a label is text, also when it holds square brackets
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda size: progress.advance(task, size)


@contextmanager
def _lines(label: str, total: int | None) -> Iterator[Advance]:
    start, done, said = time.monotonic(), 0, False

    def advance(size: int) -> None:
        nonlocal done, said
        done += size
        if not said and time.monotonic() - start > PATIENCE:
            said = True
            say(f"{label}: " + (f"{size_text(total)} to come" if total else "under way"))

    yield advance
    if said:
        say(f"{label}: {size_text(done)} in {time.monotonic() - start:.0f} s")
