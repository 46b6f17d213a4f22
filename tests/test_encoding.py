"""Codes: one range for each field, unknown values at its place 0, the same on every machine and in every chunk."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.checks import UsageError
from smlab.encoding import Encoder, bucketize, hash_codes, need_clicks, need_codes, offsets, quantile_edges


def clicks_frame(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """A click log of texts, numbers, a category and a field with gaps."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "click": rng.integers(0, 2, n),
            "user": rng.integers(100, 110, n),
            "ad": rng.choice(["blue", "red", "広告"], n),
            "place": pd.Categorical(rng.choice(["feed", "story"], n)),
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(18, 25, n)),
        }
    )


# The encoder


def test_each_field_has_its_own_range_and_place_0_is_kept_free():
    frame = clicks_frame()
    encoder = Encoder().fit(frame)
    codes = encoder.transform(frame)
    assert encoder.fields_ == ["user", "ad", "place", "age"] and codes.dtype == np.int32
    assert encoder.sizes_.tolist() == [frame[f].nunique() + 1 for f in encoder.fields_]
    for j in range(4):
        low, size = encoder.offsets_[j], encoder.sizes_[j]
        known = frame[encoder.fields_[j]].notna()
        assert set(codes[known, j]) == set(range(low + 1, low + size))
        assert (codes[~known, j] == low).all()


def test_decoding_gives_back_what_was_encoded_and_none_for_the_unknown():
    frame = clicks_frame()
    encoder = Encoder().fit(frame)
    back = encoder.decode(encoder.transform(frame))
    for f in encoder.fields_:
        assert [None if pd.isna(v) else v for v in frame[f]] == back[f].tolist()


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=2), st.randoms())
def test_codes_do_not_depend_on_the_order_of_rows(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    train = [pd.DataFrame({"ad": v, "hour": range(len(v))}) for v in (values, shuffled)]
    with pytest.warns() if len(set(values)) == 1 else pytest.MonkeyPatch.context():
        a, b = (Encoder().fit(frame, ["ad", "hour"]).transform(train[0]) for frame in train)
    np.testing.assert_array_equal(a, b)


def test_unknown_rare_and_missing_values_share_place_0():
    train = pd.DataFrame({"ad": ["a", "a", "b", "c", "c", None], "hour": [1, 2, 1, 2, 1, 2]})
    encoder = Encoder().fit(train, ["ad", "hour"], min_count=2)
    later = pd.DataFrame({"hour": [1] * 4, "ad": ["a", "b", "new", None]})  # columns in another order
    assert encoder.transform(later)[:, 0].tolist() == [1, 0, 0, 0]


def test_only_the_training_frame_is_learnt_and_no_frame_is_changed():
    train, test = clicks_frame(seed=0), clicks_frame(seed=1)
    before = train.copy(), test.copy()
    encoder = Encoder().fit(train)
    sizes = encoder.sizes_.copy()
    encoder.transform(test)
    assert sizes.tolist() == encoder.sizes_.tolist()
    pd.testing.assert_frame_equal(train, before[0])
    pd.testing.assert_frame_equal(test, before[1])


def test_field_of_one_value_is_allowed_and_said():
    frame = pd.DataFrame({"ad": ["a", "b"], "country": ["de", "de"]})
    with pytest.warns(UserWarning, match="'country' has one value only in the training rows"):
        encoder = Encoder().fit(frame, ["ad", "country"])
    assert encoder.constant_fields_ == ["country"]
    assert encoder.transform(frame).tolist() == [[1, 4], [2, 4]]


def test_numbers_become_the_bins_that_training_gave():
    train = pd.DataFrame({"price": np.arange(100.0), "views": np.arange(100)})
    encoder = Encoder().fit(train, ["price", "views"], bins={"price": 4, "views": "log-squared"})
    assert encoder.sizes_[0] == 5
    later = encoder.transform(pd.DataFrame({"price": [-5.0, 30.0, 1e9], "views": [0, 3, 1_000_000]}))
    assert later[:, 0].tolist() == [1, 2, 4]
    assert later[2, 1] == encoder.offsets_[1]  # a bin that training did not have


# Bins


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.lists(st.floats(-1e6, 1e6), min_size=1, unique=True))
def test_bin_counts_the_edges_that_are_not_above(values, edges):
    edges = sorted(edges)
    assert bucketize(values, edges).tolist() == [sum(e <= v for e in edges) for v in values]


def test_log_squared_bins_are_those_of_the_criteo_winners_above_2():
    """`int(math.log(value) ** 2)` for value > 2 of the 3 Idiots' features, here 2 more, apart from small counts."""
    x = np.arange(3, 5000)
    assert (bucketize(x) == 2 + (np.log(x) ** 2).astype(int)).all()
    assert bucketize([-1, 0, 1, 2]).tolist() == [-1, 0, 1, 2]
    assert (np.diff(bucketize(np.arange(-3, 5000))) >= 0).all()


@pytest.mark.parametrize("n_bins", [2, 3, 10])
def test_quantile_bins_hold_about_as_many_values_each(n_bins):
    x = np.random.default_rng(0).exponential(size=1000)
    counts = np.bincount(bucketize(x, quantile_edges(x, n_bins)))
    assert len(counts) == n_bins and counts.max() - counts.min() <= 2
    assert len(quantile_edges([1, 1, 1, 1, 2], 4)) <= 1  # no empty bins where values repeat


# Hashing


def test_hashed_codes_do_not_depend_on_chunk_dtype_or_process():
    frame = clicks_frame()
    codes = hash_codes(frame, n_buckets=1000)
    parts = [hash_codes(frame.iloc[a : a + 7], n_buckets=1000) for a in range(0, 60, 7)]
    np.testing.assert_array_equal(np.vstack(parts), codes)
    as_objects = frame.astype({"ad": object, "place": object, "user": float, "age": object})
    np.testing.assert_array_equal(hash_codes(as_objects, n_buckets=1000), codes)
    script = (
        "import pandas as pd; from smlab.encoding import hash_codes;"
        "print(hash_codes(pd.DataFrame({'ad': ['blue', '広告'], 'user': [1, 2]})).tolist())"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # written down once, so that a new release of pandas that hashes otherwise does not pass unseen
    assert out.stdout.strip() == "[[84712, 147788], [91105, 173869]]"


def test_hashed_codes_lie_in_the_range_of_their_field_and_missing_has_place_0():
    frame = clicks_frame(1000)
    codes = hash_codes(frame, n_buckets=50)
    need_codes(codes, [51] * 4)
    assert (codes[frame.age.isna(), 3] == 153).all() and (codes[frame.age.notna(), 3] > 153).all()


def test_hash_spreads_values_evenly_and_differs_by_seed_and_field():
    frame = pd.DataFrame({"a": np.arange(200_000), "b": np.arange(200_000)})
    codes = hash_codes(frame, n_buckets=100)
    counts = np.bincount(codes[:, 0] - 1, minlength=100)
    chi_square = ((counts - 2000) ** 2 / 2000).sum()
    assert 50 < chi_square < 160  # 99 degrees of freedom
    same_bucket = (codes[:, 0] == codes[:, 1] - 101).mean()
    assert same_bucket == pytest.approx(0.01, abs=0.002)
    assert (hash_codes(frame, n_buckets=100, seed=1) != codes).any(axis=0).all()


def test_numbers_that_are_not_whole_are_told_apart():
    codes = hash_codes(pd.DataFrame({"x": [0.25, 0.5, 0.75, -0.5, 1e300]}), n_buckets=10_000)
    assert len(set(codes[:, 0])) == 5


# What a model is given


@given(st.lists(st.integers(1, 9), min_size=1))
def test_offsets_are_the_sums_of_the_sizes_before(sizes):
    assert offsets(sizes).tolist() == [sum(sizes[:j]) for j in range(len(sizes))]


FRAME = clicks_frame()
FITTED = Encoder().fit(FRAME)
ERRORS = {
    "the frame has no column 'usr'; did you mean 'user'?": lambda: Encoder().fit(FRAME, ["usr"]),
    "the frame has no column 'age'": lambda: FITTED.transform(FRAME.drop(columns="age")),
    "field 'ad' is named twice": lambda: Encoder().fit(FRAME, ["ad", "ad"]),
    "at least one field is needed": lambda: Encoder().fit(FRAME, []),
    "the frame has no rows to learn from": lambda: Encoder().fit(FRAME.iloc[:0]),
    "min_count=0": lambda: Encoder().fit(FRAME, min_count=0),
    "column 'a' mixes int, str; values of one field need one type": lambda: Encoder().fit(
        pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)})
    ),
    "the encoder has learnt nothing yet": lambda: Encoder().transform(FRAME),
    "row 1, column 'ad': 'green' was not learnt in training (and 1 more row)": lambda: FITTED.transform(
        FRAME.iloc[:3].assign(ad=["red", "green", None], age=20), strict=True
    ),
    "column 'age', row 2: nan is not finite; say first what a missing number means": lambda: Encoder().fit(
        pd.DataFrame({"age": [1.0, 2.0, np.nan]}), bins={"age": 2}
    ),
    "column 'ad', bins need numbers, not ['x']": lambda: Encoder().fit(pd.DataFrame({"ad": ["x"]}), bins={"ad": 3}),
    "bins name 'agee', which is no field; did you mean 'age'?": lambda: Encoder().fit(FRAME, bins={"agee": 3}),
    "bins of 'age' must be a number of bins from 2 or 'log-squared', not 1": lambda: Encoder().fit(
        FRAME, bins={"age": 1}
    ),
    "unknown bins 'log'": lambda: bucketize([1], "log"),
    "n_bins=1": lambda: quantile_edges([1, 2], 1),
    "n_buckets=0": lambda: hash_codes(FRAME, n_buckets=0),
    "row 1, field 1: code 9 is outside its range 3..4": lambda: need_codes([[0, 3], [2, 9]], [3, 2]),
    "row 0, field 0: code -1 is outside its range 0..2": lambda: need_codes([[-1, 3]], [3, 2]),
    "codes of shape (1, 3) do not fit sizes for 2 fields: (n_rows, 2) is needed": lambda: need_codes(
        [[0, 1, 2]], [3, 2]
    ),
    "codes must be whole numbers, as Encoder.transform gives them, not float64": lambda: need_codes([[0.5]], [3]),
    "sizes must be one whole number above 0 for each field, not [3, 0]": lambda: need_codes([[0, 3]], [3, 0]),
    "row 1: click 2 must be 0 or 1": lambda: need_clicks([0, 2, 1], 3),
    "row 0: click nan must be 0 or 1 (and 1 more)": lambda: need_clicks([np.nan, 0.5, 1], 3),
    "all 3 labels are 1: learning needs impressions with and without a click": lambda: need_clicks([1, 1, 1], 3),
    "there are no rows: learning needs": lambda: need_clicks([], 0),
    "clicks of shape (2,) do not fit 3 rows of codes": lambda: need_clicks([0, 1], 3),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong_and_where(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
