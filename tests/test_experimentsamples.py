"""The made-up customers react to e-mails as was planted, and are read as the true ones are."""

from __future__ import annotations

import numpy as np
import pytest

from smlab import experiments, experimentsamples


def test_same_seed_gives_the_same_bytes_and_they_are_few(tmp_path):
    for folder in ("a", "b"):
        experimentsamples.write_samples(tmp_path / folder)
    made = [[p.read_bytes() for p in (tmp_path / f).rglob("*.csv")] for f in ("a", "b")]
    assert made[0] == made[1] and len(made[0]) == 1 and len(made[0][0]) < 60_000
    assert not experimentsamples.customers(50, seed=1).lines.equals(experimentsamples.customers(50, seed=2).lines)


@pytest.mark.parametrize("seed", range(3))
def test_differences_between_the_arms_are_those_that_were_planted(seed):
    """Visits of each kind of customer, within four standard errors; and arms of equal size."""
    made = experimentsamples.customers(60_000, seed=seed)
    lines = made.lines
    assert np.abs(lines["segment"].value_counts() / len(lines) - 1 / 3).max() < 4 * np.sqrt(2 / 9 / len(lines))
    for name in experimentsamples.ARMS[1:]:
        for effect in sorted(made.effect[name].unique()):
            kind = lines[made.effect[name] == effect].groupby("segment")["visit"].agg(["mean", "var", "size"])
            one, none = kind.loc[name], kind.loc["No E-Mail"]
            error = np.sqrt(one["var"] / one["size"] + none["var"] / none["size"])
            assert abs(one["mean"] - none["mean"] - effect) < 4 * error, (name, effect)
    assert made.base.add(made.effect.min(axis=1)).min() > 0 and made.base.add(made.effect.max(axis=1)).max() < 1


def test_share_of_visitors_who_buy_is_the_same_in_each_arm_and_known_before_does_not_depend_on_it():
    lines = experimentsamples.customers(60_000).lines
    buyers = lines[lines["visit"] == 1].groupby("segment")["conversion"].mean()
    assert (buyers - experimentsamples.BUYERS).abs().max() < 0.02
    known = lines.groupby("segment")[["recency", "history", "mens", "womens", "newbie"]].mean()
    error = lines[list(known)].std() * np.sqrt(6 / len(lines))
    assert ((known - known.iloc[0]).abs() / error).max().max() < 4


def test_sample_is_read_back_as_it_was_made():
    found = experiments.load_experiment("hillstrom", offline=True)
    made = experimentsamples.customers().lines
    assert found.arms == list(experimentsamples.ARMS) and found.frame["arm"].tolist() == made["segment"].tolist()
    for name in ("recency", "history", "visit", "conversion", "spend", "newbie"):
        np.testing.assert_array_equal(found.frame[name], made[name])
    assert set(found.frame["zip_code"]) == {"Suburban", "Urban", "Rural"}
