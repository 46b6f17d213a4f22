"""Keep the state of a long run, arrays by name, in one file: whole or not at all, without pickle, with a mark of whose.

Whoever is killed between two writes goes on from the last one: `atomic` puts the new state in the old one's place in
one step. The mark says whose state it is, so that a run with other parameters does not take it for its own.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smlab import atomic
from smlab.checks import UsageError


class StateFile:
    """A file `path`, NumPy's .npz, for the run that is described by `mark`; its folder is made where it is missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = StateFile(Path(folder) / "run.npz", "seed 0")
    ...     before = file.read()
    ...     file.write({"day": np.array(3)})
    ...     before, int(file.read()["day"])
    (None, 3)
    """

    def __init__(self, path: str | Path, mark: str) -> None:
        self.path, self.mark = Path(path), mark
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, NDArray] | None:
        """Give the arrays by name; None where nothing was kept.

        Raises
        ------
        UsageError
            for a file that cannot be read, or that is another run's
        """
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
            raise UsageError(f"{self.path} is no state that can be read; delete it to begin anew") from error
        if str(state.pop("mark", "")) != self.mark:
            raise UsageError(f"{self.path} is the state of a run with other parameters; take another folder")
        return state

    def write(self, state: dict[str, NDArray]) -> None:
        """Put the state in the place of the last one."""
        content, arrays = io.BytesIO(), dict[str, Any](state, mark=np.array(self.mark))
        np.savez(content, **arrays)
        atomic.write(self.path, content.getvalue())
