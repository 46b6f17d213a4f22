"""Columns have the names of values; a regression on them finds what a table of counts says."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from smlab.checks import UsageError
from smlab.ctr import LogisticRegression
from smlab.design import Design, need_counts

FRAME = pd.DataFrame({"a": ["x", "y", "z", "x"], "b": [1, 2, 1, 2], "click": [0, 1, 0, 1]})


def test_interaction_is_the_product_of_its_columns():
    design = Design().fit(FRAME, ["a", "b"], interactions=[("a", "b")])
    assert design.names_ == ["a=y", "a=z", "b=2", "a=y × b=2", "a=z × b=2"]
    x = pd.DataFrame(design.transform(FRAME).toarray(), columns=design.names_)
    for value in ("y", "z"):
        assert (x[f"a={value} × b=2"] == x[f"a={value}"] * x["b=2"]).all()
    assert x["a=y"].tolist() == [0, 1, 0, 0]


def test_columns_are_those_of_pandas_dummies_whatever_the_order_of_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"u": rng.integers(0, 9, 300), "v": rng.choice(list("pqr"), 300)})
    expected = pd.get_dummies(frame.astype(str), drop_first=True, prefix_sep="=").astype(float)
    design = Design().fit(frame.sample(frac=1, random_state=1), ["u", "v"])
    assert design.names_ == list(expected.columns)
    found = design.transform(frame)
    assert sparse.issparse(found) and (found.toarray() == expected.to_numpy()).all()


def test_reference_can_be_chosen_and_unknown_values_are_an_error_or_the_reference():
    design = Design().fit(FRAME, ["a"], values={"a": ["z", "x", "y"]})
    assert design.names_ == ["a=x", "a=y"]
    new = pd.DataFrame({"a": ["y", "q"]})
    with pytest.raises(UsageError, match=re.escape("row 1, column 'a': 'q' was not there when fitting")):
        design.transform(new)
    assert design.transform(new, strict=False).toarray().tolist() == [[0, 1], [0, 0]]


def test_coefficients_of_one_field_are_the_log_odds_of_its_counts():
    """With one field the likelihood is greatest at the raw rates: θ = log odds(y) - log odds(x)."""
    ads = pd.DataFrame({"sex": ["F", "M"], "impressions": [1000, 2000], "clicks": [30, 90]})
    design = Design().fit(ads, ["sex"])
    model = LogisticRegression().fit(design.transform(ads), ads["clicks"], impressions=ads["impressions"])
    odds = ads["clicks"] / (ads["impressions"] - ads["clicks"])
    assert model.theta_ == pytest.approx([np.log(odds[0]), np.log(odds[1] / odds[0])], abs=1e-7)
    error = np.sqrt((1 / ads["clicks"] + 1 / (ads["impressions"] - ads["clicks"])).sum())  # Woolf (1955)
    assert np.sqrt(model.covariance_[1, 1]) == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Design().fit(FRAME, ["c"]), "the frame has no column 'c'"),
        (lambda: Design().fit(FRAME.assign(a=None), ["a"]), "column 'a' has missing values; name them first"),
        (lambda: Design().fit(FRAME, ["a"]).transform(FRAME[["b"]]), "no column 'a', which the design was fitted with"),
        (lambda: need_counts([1, 3], [2, 2]), "row 1: 3 clicks of 2 impressions cannot be"),
        (lambda: need_counts([1.0], [np.nan]), "row 0: 1 clicks of nan impressions cannot be"),
        (lambda: need_counts([1], [2, 2]), "clicks have shape (1,), impressions (2,)"),
    ],
)
def test_wrong_input_is_a_sentence(call, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        call()
