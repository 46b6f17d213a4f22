"""Experiments in the table of datasets; the user gets them."""

from __future__ import annotations

from smlab.origins import Dataset

DATASETS = (
    Dataset(
        "hillstrom",
        "Hillstrom's e-mail experiment: 64,000 customers with one of two e-mails or none, and what they bought",
        64_000,
        "none stated; published by its author for anybody to analyse",
        "K. Hillstrom (2008). The MineThatData e-mail analytics and data mining challenge. MineThatData, 20 March 2008",
        "https://blog.minethatdata.com/2008/03/minethatdata-e-mail-analytics-and-data.html",
        {"hillstrom.csv": None},
        5_000_000,
        (),
        "experiments",
        "download Kevin_Hillstrom_MineThatData_E-MailAnalytics_DataMiningChallenge_2008.03.20.csv from its page and "
        "keep that name or call it hillstrom.csv",
    ),
    Dataset(
        "upworthy",
        "Upworthy Research Archive, exploratory part: 22,666 headlines with pictures in 4,873 tests, 2013 to 2015",
        22_666,
        "CC BY 4.0, as far as known; check it on its page before use",
        "J. N. Matias, K. Munger, M. Aubin Le Quere and C. Ebersole (2021). The Upworthy Research Archive, a time "
        "series of 32,487 experiments in U.S. media. Scientific Data 8, 195. doi:10.1038/s41597-021-00934-7",
        "https://upworthy.natematias.com/about-the-archive.html",
        {"upworthy-archive-exploratory-packages-03.12.2020.csv": None},
        50_000_000,
        (),
        "experiments",
        "download upworthy-archive-exploratory-packages-03.12.2020.csv from its page, which leads to osf.io/jd64p",
    ),
    Dataset(
        "asos",
        "ASOS Digital Experiments: 24,153 moments of 78 experiments of a shop with four metrics, cumulative",
        24_153,
        "as given by its owners on its page; check it before use",
        "C. H. B. Liu, Â. Cardoso, P. Couturier and E. J. McCoy (2021). Datasets for online controlled experiments. "
        "NeurIPS Datasets and Benchmarks. arXiv:2111.10198",
        "https://osf.io/64jsb/",
        {"asos_digital_experiments_dataset.parquet": None},
        20_000_000,
        (),
        "experiments",
        "download asos_digital_experiments_dataset.parquet, or the same in CSV, from its page",
    ),
)
