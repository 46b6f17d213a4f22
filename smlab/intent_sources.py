"""Queries with intents in the table of datasets; the user gets them."""

from __future__ import annotations

from smlab.origins import Dataset

DATASETS = (
    Dataset(
        "clinc150",
        "CLINC150: 22,500 queries with one of 150 intents, and 1,200 with none of them, in fixed splits",
        23_700,
        "CC BY 3.0",
        "S. Larson, A. Mahendran, J. J. Peper et al. (2019). An evaluation dataset for intent classification and "
        "out-of-scope prediction. EMNLP-IJCNLP. arXiv:1909.02027",
        "https://github.com/clinc/oos-eval",
        {"data_full.json": None},
        20_000_000,
        (),
        "intents",
        "take data/data_full.json, and data/domains.json if you like, from its repository",
    ),
    Dataset(
        "smp2017",
        "SMP 2017 ECDT: 3,736 Chinese queries with one of 31 intents, in fixed splits",
        3_736,
        "none stated: of the contest, for research",
        "W.-N. Zhang, Z. Chen, W. Che, G. Hu and T. Liu (2017). The first evaluation of Chinese "
        "human-computer dialogue technology. arXiv:1709.10217",
        "https://arxiv.org/abs/1709.10217",
        {"smp2017_31intents.csv": None},
        5_000_000,
        (),
        "intents",
        "ask the organisers, and write smp2017_31intents.csv with the columns split, label and text",
    ),
)
