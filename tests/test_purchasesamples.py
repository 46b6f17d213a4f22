"""The made-up shop has the segments that were planted, and buyers follow the law that was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from smlab import purchases, purchasesamples, rfm


def test_same_seed_gives_the_same_bytes_and_they_are_few(tmp_path):
    for folder in ("a", "b"):
        purchasesamples.write_samples(tmp_path / folder)
    made = [{p.name: p.read_bytes() for p in (tmp_path / f).rglob("*.*")} for f in ("a", "b")]
    assert made[0] == made[1] and sum(map(len, made[0].values())) < 200_000
    assert sorted(made[0]) == ["CDNOW_master.txt", "CDNOW_sample.txt", "online_retail.csv"]
    assert not purchasesamples.shop(seed=1).lines.equals(purchasesamples.shop(seed=2).lines)


def test_planted_segments_are_seen_in_the_sample():
    bought, truth = purchases.load_purchases("online-retail-2", offline=True), purchasesamples.shop().segment
    scaled = rfm.scaled(rfm.rfm(bought.frame))
    assert set(truth) == set(purchasesamples.SEGMENTS) and len(scaled) > 0.95 * len(truth)
    found = KMeans(5, n_init=10, random_state=0).fit_predict(scaled)
    assert adjusted_rand_score(truth[scaled.index], found) > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_segments_differ_as_they_were_planted(seed):
    made = purchasesamples.shop(60, flaws=False, seed=seed)
    lines = made.lines.assign(
        customer=made.lines["Customer ID"].str.removesuffix(".0"), amount=made.lines["Quantity"] * made.lines["Price"],
        time=pd.to_datetime(made.lines["InvoiceDate"], format="%m/%d/%Y %H:%M"), invoice=made.lines["Invoice"],
    )  # fmt: skip
    kinds = rfm.rfm(lines).groupby(made.segment).mean()
    assert kinds["frequency"].idxmax() == "regulars" and kinds["monetary"].idxmax() == "wholesale"
    assert kinds["recency"].idxmax() == "lapsed" and kinds["tenure"].idxmin() == "newcomers"
    habits = rfm.behaviour(lines).groupby(made.segment).mean()
    assert habits["evening"].idxmax() == "one gift" and habits["morning"].idxmax() == "wholesale"


def test_buyers_follow_the_law_of_bg_nbd():
    """E[x] of Fader, Hardie and Lee (2005), eq. 9, at 39 weeks, against 4,000 made-up customers."""
    from scipy.special import hyp2f1

    r, alpha, a, b, t = 0.243, 4.414, 0.793, 2.426, 39.0
    expected = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1, t / (alpha + t)))
    bought = purchasesamples.repeat_buyers(4_000, seed=3)
    first = bought.groupby("customer")["time"].transform("min")
    within = bought[(bought["time"] - first).dt.days < 39 * 7]
    repeats = within.groupby("customer").size() - 1
    assert abs(repeats.mean() - expected) < 4 * repeats.std() / np.sqrt(4_000)
