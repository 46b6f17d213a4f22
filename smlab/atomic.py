"""Write a file whole or not at all: readers see the old content or the new, never a part.

The content goes to a temporary name in the same folder, which then takes the file's name; when anything fails,
the old file is still there and the temporary one is gone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name when the block ends well.

    Raises
    ------
    OSError
        as `open` and `write` do; the file that was there before stays.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        # mkstemp makes files that only their owner may read; ours are there to be shared.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write(path: Path, content: str | bytes) -> Path:
    """Write a file and return its path; what UTF-8 cannot hold (lone surrogates) becomes a question mark."""
    with writing(path) as out:
        out.write(content.encode("utf-8", errors="replace") if isinstance(content, str) else content)
    return path
