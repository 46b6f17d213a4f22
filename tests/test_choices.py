"""Choices are split fairly, ranked among the right things, and measured as the published tables measure them."""

from __future__ import annotations

import numpy as np
import pytest

from smlab import choices, metrics
from smlab.blend import Blend
from smlab.checks import DataAbsent, UsageError
from smlab.choices import load_choices
from smlab.graph_ridge import GraphRidge
from smlab.implicit_factors import IALS
from smlab.neighbors import EASE, Popularity

SPLITS = [("ml-100k", "share"), ("ml-100k", "last"), ("gowalla", "share")]


@pytest.fixture(scope="module", params=SPLITS, ids="-".join)
def split(request) -> choices.Choices:
    name, protocol = request.param
    return load_choices(name, protocol=protocol, seed=3, offline=True)


def test_what_is_held_out_is_not_known_and_users_stay(split):
    trial = split.trial()
    assert trial.X.shape == trial.truth.shape == (len(trial.users), len(trial.items))
    assert trial.X.multiply(trial.truth).nnz == 0
    assert (trial.X.nnz, trial.truth.nnz) == (len(split.train), len(split.test))
    assert set(np.unique(trial.X.data)) == {1.0}


def test_the_search_sees_nothing_of_the_test(split):
    inner = split.inner(seed=1)
    pairs = [set(zip(f["user"], f["item"], strict=True)) for f in (split.train, inner.train, inner.test)]
    assert pairs[1] | pairs[2] == pairs[0] and not pairs[1] & pairs[2]
    assert inner.protocol == split.protocol and (inner.negatives is None) == (split.negatives is None)


def test_drawn_items_are_99_different_ones_that_the_user_has_not():
    split = load_choices("ml-100k", protocol="last", seed=3, offline=True)
    trial = split.trial()
    assert trial.candidates.shape == (len(trial.users), 100)
    for u, row in enumerate(trial.candidates):
        known = trial.X[[u]].indices
        assert len(set(row)) == 100 and not set(row) & set(known)
        assert trial.truth[[u]].indices.tolist() == [row[-1]]
    again = load_choices("ml-100k", protocol="last", seed=3, offline=True)
    other = load_choices("ml-100k", protocol="last", seed=4, offline=True)
    np.testing.assert_array_equal(split.negatives, again.negatives)
    assert (split.negatives != other.negatives).any()


def test_lists_are_those_of_recommend_where_all_is_ranked():
    trial = load_choices("gowalla", offline=True).trial()
    model = EASE(reg=20).fit(trial.X)
    np.testing.assert_array_equal(trial.lists({"EASE": model}, 10)["EASE"], model.recommend(k=10)[0])
    some = [5, 2]
    np.testing.assert_array_equal(trial.lists({"EASE": model}, 10, some)["EASE"], model.recommend(some, k=10)[0])


def test_a_blend_is_listed_as_by_itself_though_its_parts_are_computed_once():
    trial = load_choices("gowalla", offline=True).trial()
    blend = Blend({"EASE": EASE(reg=20), "ridge": GraphRidge()}, weights={"ridge": 0.5}).fit(trial.X)
    found = trial.lists({**blend.models, "blend": blend}, 10)["blend"]
    np.testing.assert_array_equal(found, trial.lists({"blend": blend}, 10)["blend"])
    assert (found == blend.recommend(k=10)[0]).mean() > 0.99


def test_a_hundred_candidates_are_easier_than_all():
    trial = load_choices("ml-100k", protocol="last", offline=True).trial()
    model = {"iALS": IALS(n_factors=8, reg=0.5, nu=0.5, device="cpu").fit(trial.X)}
    among = metrics.recall_at_k(trial.lists(model, 10)["iALS"], trial.truth)
    full = metrics.recall_at_k(trial._replace(candidates=None).lists(model, 10)["iALS"], trial.truth)
    assert among.mean() > full.mean()


def test_the_held_out_item_among_the_drawn_ones_counts_once(tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    (own / "a.train.rating").write_text("0\t0\t1\t1\n1\t1\t1\t1\n")
    (own / "a.test.rating").write_text("0\t2\t1\t2\n1\t0\t1\t2\n")
    (own / "a.test.negative").write_text("(0,2)\t2\t1\n(1,0)\t2\t3\n")
    split = load_choices("mine", data_dir=tmp_path)
    trial = split.trial()
    np.testing.assert_array_equal(trial.candidates, [[-1, 1, 2], [2, 3, 0]])
    top = trial.lists({"favourites": Popularity().fit(trial.X)}, 2)["favourites"]
    np.testing.assert_array_equal(top[0], [1, 2])
    assert split.named([2]) == ["no. 2"] and (split.protocol, split.origin) == ("last", "data-dir")


def test_things_that_nobody_had_are_not_listed():
    trial = load_choices("ml-100k", seed=1, offline=True).trial()
    top = trial.best(np.zeros(trial.X.shape), np.arange(len(trial.users)), trial.X.shape[1])
    unknown = set(range(trial.X.shape[1])) - set(trial.X.indices)
    assert not unknown & set(top.ravel().tolist())


def test_titles_follow_the_numbers_of_a_split(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "ratings.csv").write_text("user,item,rating,time\n5,90,1,1\n5,70,1,2\n6,70,1,3\n6,80,1,4\n")
    (tmp_path / "shop" / "items.csv").write_text("item,title\n70,Tea\n80,Cup\n90,Pot\n99,Lid\n")
    (tmp_path / "mine" / "a.test.rating").write_text("0\t1\t1\t2\n1\t2\t1\t4\n")
    (tmp_path / "mine" / "a.test.negative").write_text("(0,1)\t2\n(1,2)\t0\n")
    split = load_choices("mine", ratings="shop", data_dir=tmp_path)
    assert split.named([0, 1, 2]) == ["Pot", "Tea", "Cup"]
    assert split.train[["user", "item"]].to_numpy().tolist() == [[0, 0], [1, 1]]


def test_an_unknown_protocol_is_refused():
    with pytest.raises(UsageError, match="protocol='leave' must be 'share' or 'last'"):
        load_choices("ml-100k", protocol="leave", offline=True)


@pytest.mark.realdata
def test_real_splits_have_the_published_sizes():
    """He et al. (2017), 6,040 users; BARS: Gowalla 810,128 to train and 217,242 to test."""
    sizes = {"ncf-ml-1m": ("ml-1m", 994_169, 6_040), "gowalla": ("", 810_128, 217_242)}
    for name, (ratings, n_train, n_test) in sizes.items():
        try:
            split = load_choices(name, ratings=ratings)
        except DataAbsent as error:
            pytest.skip(f"no real data: {error}")
        assert (len(split.train), len(split.test)) == (n_train, n_test)
