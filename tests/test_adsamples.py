"""Made-up logs have the true formats, are always the same, and hold the structure that was planted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import adsamples, clicklogs, datasets
from smlab.auc import auc
from smlab.calibration import calibration_ratio
from smlab.checks import UsageError

ROOT = Path(__file__).resolve().parent.parent


def test_same_rows_and_seed_give_the_same_bytes(tmp_path):
    p = adsamples.write_criteo(tmp_path / "a", 500, seed=1)
    command = [sys.executable, "-m", "smlab.adsamples", "criteo", str(tmp_path / "b"), "500", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    np.testing.assert_array_equal(adsamples.write_criteo(tmp_path / "c", 500, seed=1), p)
    adsamples.write_criteo(tmp_path / "c", 500, seed=2)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_command_without_its_arguments_says_how_to_use_it():
    done = subprocess.run([sys.executable, "-m", "smlab.adsamples"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (1, "usage: python -m smlab.adsamples criteo FILE ROWS [SEED]\n")
    with pytest.raises(UsageError, match="rows=0"):
        adsamples.write_criteo(Path("nowhere"), 0)


def test_criteo_file_looks_like_the_official_one(tmp_path):
    adsamples.write_criteo(tmp_path / "log", 2000)
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert len(lines) == 2000 and {line.count(b"\t") for line in lines} == {39}
    frame = next(clicklogs.stream(tmp_path / "log", "criteo", 2000, progress=False))
    assert 0.15 < frame["click"].mean() < 0.35
    assert frame.filter(regex="^I").isna().mean().between(0.1, 0.2).all()
    assert frame.filter(regex="^I").min().min() == 0 and frame["I1"].max() > 1000
    assert 1 < frame["C9"].nunique() <= 3 and frame["C3"].nunique() > 800  # few and many categories
    assert frame["C3"].value_counts().iloc[0] > 20  # few are frequent


def test_clicks_follow_the_probabilities_that_are_given_back(tmp_path):
    p = adsamples.write_criteo(tmp_path / "log", 150_000, seed=3)  # more than a chunk
    clicks = pd.concat(f["click"] for f in clicklogs.stream(tmp_path / "log", "criteo", progress=False))
    assert len(p) == 150_000 and calibration_ratio(clicks, p) == pytest.approx(1, abs=0.02)
    assert auc(clicks, p) > 0.8


def test_negative_numbers_and_zero_are_written_as_people_do():
    text = adsamples._digits(np.array([0, 7, 10, 123456, -1, -9]))
    assert [row[row != 0].tobytes() for row in text] == [b"0", b"7", b"10", b"123456", b"-1", b"-9"]


def test_samples_hold_what_was_planted():
    frappe = datasets.load_clicks("frappe", offline=True).frame
    like = frappe["user"] % 3 == (frappe["item"] - adsamples.FRAPPE_SIZES[0]) % 3
    assert frappe["click"][like].mean() > frappe["click"][~like].mean() + 0.4
    ads = datasets.load_clicks("facebook-ads", offline=True).frame
    by_interest = ads.groupby("interest")[["clicks", "impressions"]].sum()
    rate = by_interest["clicks"] / by_interest["impressions"]
    assert rate[64] > 1.3 * rate[10]
