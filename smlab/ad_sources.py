"""Logs of clicks in the table of datasets: one that can be fetched, four that only the user can get."""

from __future__ import annotations

from smlab.origins import Artifact, Dataset, Source

POLICIES = ("random", "bts")
CAMPAIGNS = ("all", "men", "women")


def _open_bandit_members() -> dict[str, str]:
    folder = "obp-0.5.7/obp/dataset/obd"
    logs = {f"{folder}/{p}/{c}/{c}.csv": f"{p}-{c}.csv" for p in POLICIES for c in CAMPAIGNS}
    items = {f"{folder}/{p}/{c}/item_context.csv": f"{p}-{c}-items.csv" for p in POLICIES for c in CAMPAIGNS}
    return logs | items


# A source distribution is read as an archive; its set-up code never runs.
OPEN_BANDIT = Source(
    "index",
    (
        Artifact(
            "obp", "0.5.7", "obp-0.5.7.tar.gz",
            "3060d67fedfcfadf1e7a6f2608987f74412b5eb74d2c567edeb147595c68f2a0", 1_306_068, _open_bandit_members(),
        ),
    ),
)  # fmt: skip

DATASETS = (
    Dataset(
        "open-bandit",
        "Open Bandit, the owners' small sample: 10,000 impressions of each of six campaigns, with propensities",
        60_000,
        "CC BY 4.0",
        "Y. Saito, S. Aihara, M. Matsutani and Y. Narita (2021). Open Bandit Dataset and Pipeline: towards realistic "
        "and reproducible off-policy evaluation. NeurIPS Datasets and Benchmarks. arXiv:2008.07146",
        "https://research.zozo.com/data.html",
        {
            "random-all.csv": "7168295b6e0a9eabcf3392320a5dd434e542b68e705d5cd9491499af589812f1",
            "random-all-items.csv": "eba04cc23d5f130a93ff174c5392986882b94c3839433cb8143870eaa6221358",
            "random-men.csv": "ede6d08c6877f99cd3770f7d09e26c738e6aa6de4445ccccfb1356ba5d06b1eb",
            "random-men-items.csv": "6d855c2b7e917d0448d71bbe62c023147495882c0fdc8c41e86fef86abf9fe09",
            "random-women.csv": "e65f3bd3beb17664fa69cc129bf7bf852a775f8ffa630506e505fc905315bb34",
            "random-women-items.csv": "b1ca4905f97703d196004f2ad4552c1e90c2afad8b50688d333b0d2dc0b33147",
            "bts-all.csv": "0ad874e4dbf6902f0845dd478ad8dde5ef6903583d3ffaace78411bdad064106",
            "bts-all-items.csv": "5d4359ba1cfa3ae88f0f1bae66bd633859fe6323817183632ee57b83539d9153",
            "bts-men.csv": "db6d1f7ed2d591ba521533e45286d4c1fba7fe57a8ad2e80342210335f43c527",
            "bts-men-items.csv": "3b411ed6b0471316321a6b93f4f756bb25888eac6218cd71d0b603d41d85732d",
            "bts-women.csv": "e5d1b49a39b608585a2f3014a3f54970430cd37a495c1b73fceb85cdf428a5b8",
            "bts-women-items.csv": "a56295bad066a558eb783055afd9279f5f4e209a4776eafc22151c53f0ac89d4",
        },
        40_000_000,
        (OPEN_BANDIT,),
        "clicks",
    ),
    Dataset(
        "frappe",
        "Frappe, app usage in libFM form: 96,203 uses by 957 people, two drawn non-uses for each",
        288_609,
        "research only, no redistribution, no commercial use without permission",
        "L. Baltrunas, K. Church, A. Karatzoglou and N. Oliver (2015). Frappe: understanding the usage and "
        "perception of mobile app recommendations in-the-wild. arXiv:1505.03014",
        "https://arxiv.org/abs/1505.03014",
        {f"frappe.{part}.libfm": None for part in ("train", "validation", "test")},
        50_000_000,
        (),
        "clicks",
        "its owners forbid redistribution; take the three libFM files from the repository of a paper that uses "
        "them (He & Chua 2017, hexiangnan/neural_factorization_machine)",
    ),
    Dataset(
        "facebook-ads",
        "Facebook advertising report: 1,143 ads with 213 million impressions and 38,165 clicks",
        1_143,
        "as given by its uploader on Kaggle; check it before use",
        "GoKagglers. Sales conversion optimization. Kaggle, loveall/clicks-conversion-tracking",
        "https://www.kaggle.com/datasets/loveall/clicks-conversion-tracking",
        {"KAG_conversion_data.csv": None},
        1_000_000,
        (),
        "clicks",
        "download KAG_conversion_data.csv from its page, which asks for a free account",
    ),
    Dataset(
        "criteo",
        "Criteo display advertising: a week of impressions with 13 numbers and 26 categories each",
        45_840_617,
        "Criteo: for research, under the terms of the download page",
        "Criteo Labs (2014). Display advertising challenge. Kaggle",
        "https://www.kaggle.com/competitions/criteo-display-ad-challenge",
        {"train.txt": None},
        12_000_000_000,
        (),
        "clicks",
        "accept the owners' terms on its page, download and put train.txt (or train.txt.gz) there",
    ),
    Dataset(
        "avazu",
        "Avazu mobile advertising: ten days of impressions with 22 fields each",
        40_428_967,
        "Avazu: for the competition and academic use, under the rules of the download page",
        "S. Wang and W. Cukierski (2014). Click-through rate prediction. Kaggle",
        "https://www.kaggle.com/competitions/avazu-ctr-prediction",
        {"train.gz": None},
        7_000_000_000,
        (),
        "clicks",
        "accept the owners' terms on its page, download and put train.gz (or train.csv) there",
    ),
)
