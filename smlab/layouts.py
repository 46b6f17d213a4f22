"""Recognise file formats by the names of files: which file holds ratings, items, users, a log of clicks, or posts.

A folder or a zip file may hold more than one format; the first of `FORMATS` whose ratings file is there
counts, then the first of `CLICKS`, of `POSTS`, of `STREAMS`, of `SPLITS`, of `PURCHASES`, of `CUSTOMERS`,
of `REACTIONS`, of `EXPERIMENTS`, of `SERIES`, of `INTENTS`, of `PICTURES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

# format -> role -> file names, the first one that is there counts; "*" stands for any name
FORMATS: dict[str, dict[str, tuple[str, ...]]] = {
    "ml-100k": {"ratings": ("u.data",), "items": ("u.item",), "users": ("u.user",)},
    "ml-1m": {"ratings": ("ratings.dat",), "items": ("movies.dat",), "users": ("users.dat",)},
    "csv": {"ratings": ("ratings.csv",), "items": ("movies.csv", "items.csv"), "users": ("users.csv",)},
    "atomic": {"ratings": ("*.inter",), "items": ("*.item",), "users": ("*.user",)},
}
# logs of clicks; any one of the roles makes the format
CLICKS: dict[str, dict[str, tuple[str, ...]]] = {
    "clicks-csv": {"log": ("clicks.csv",)},
    "facebook-ads": {"log": ("KAG_conversion_data.csv",)},
    "libfm": {
        "train": ("train.libfm", "*.train.libfm", "*.train.*.libfm"),
        "validation": ("valid.libfm", "validation.libfm", "*.validation.libfm", "*.valid.libfm"),
        "test": ("test.libfm", "*.test.libfm"),
    },
    "open-bandit": {
        f"{policy}/{campaign}{role}": (f"{policy}-{campaign}{role}.csv",)
        for policy in ("random", "bts")
        for campaign in ("all", "men", "women")
        for role in ("", "-items")
    },
}
# logs that are read piece by piece; their file names are common, so they count for the dataset of that name alone
STREAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "criteo": {"log": ("train.txt", "train.txt.gz", "dac_sample.txt", "dac_sample.txt.gz", "criteo.txt")},
    "avazu": {"log": ("train.gz", "train.csv", "train.csv.gz", "train", "avazu.csv")},
}
# collections of posts; a pattern with a folder in it is met only there
POSTS: dict[str, dict[str, tuple[str, ...]]] = {
    "posts-csv": {"posts": ("posts.csv", "posts.tsv")},
    "vader": {
        "tweets": ("tweets_GroundTruth.txt",),
        "products": ("amazonReviewSnippets_GroundTruth.txt",),
        "movies": ("movieReviewSnippets_GroundTruth.txt",),
        "nyt": ("nytEditorialSnippets_GroundTruth.txt",),
    },
    "shopping-zh": {
        "negative": ("neg_sentences.txt",),
        "positive": ("pos_sentences.txt",),
        "lexicon": ("sentiment_dict.txt",),
    },
    "tweeteval": {
        f"{task}/{name.replace('_', '-')}": (f"{task}/{name}.txt",)
        for task in ("sentiment", "emotion", "irony", "offensive", "hate")
        for name in ("mapping", *(f"{part}_{what}" for part in ("train", "val", "test") for what in ("text", "labels")))
    },
    "semeval-2017-4a": {
        **{
            name: (f"twitter-{name}-A.tsv", f"twitter-{name}-A.txt")
            for name in ("2013train", "2013dev", "2013test", "2014test", "2014sarcasm", "2015train", "2015test",
                         "2016train", "2016dev", "2016devtest", "2016test")
        },
        "test": ("SemEval2017-task4-test.subtask-A.english.txt",),
        "gold": ("SemEval2017_task4_subtaskA_test_english_gold.txt",),
    },
    "online_shopping_10_cats": {"reviews": ("online_shopping_10_cats.csv",)},
    "smp2020_ewect": {
        **{f"{kind}/{part}": (f"{kind}_{part}.txt", f"{kind}_{part}_labeled.txt")
           for kind in ("usual", "virus") for part in ("train", "eval", "test")},
        **{f"usual/fold{k}": (f"usual_train_folds/dev{k}.csv",) for k in range(5)},
    },
    "weibo_senti_100k": {"reviews": ("weibo_senti_100k.csv",)},
}  # fmt: skip
NESTED = ("tweeteval", "smp2020_ewect", "nab")  # their files lie in folders
# lists of words with weights
LEXICONS: dict[str, dict[str, tuple[str, ...]]] = {
    "wordlists-en": {
        role: (f"{role}.txt.gz", f"{role}.txt")
        for role in (
            "sentiment140",
            "sentiment140-pairs",
            "hashtag",
            "maxdiff",
            "positive",
            "negative",
            "mpqa",
            "socal",
            "labmt",
        )
    },  # fmt: skip
}
# choices split by others; the first two roles have to be there, for a test alone is none
SPLITS: dict[str, dict[str, tuple[str, ...]]] = {
    "ncf": {"test": ("*.test.rating",), "negatives": ("*.test.negative",), "train": ("*.train.rating",)},
    "lightgcn": {"train": ("train.txt",), "test": ("test.txt",)},
}
# what customers bought
PURCHASES: dict[str, dict[str, tuple[str, ...]]] = {
    "purchases-csv": {
        "purchases": ("purchases.csv", "purchases.tsv"), "customers": ("customers.csv", "customers.tsv"),
    },
    "cdnow": {"master": ("CDNOW_master.txt",), "sample": ("CDNOW_sample.txt",)},
    "online-retail-2": {"lines": ("online_retail.csv.xz", "online_retail.csv", "online_retail_II.csv")},
}  # fmt: skip
# tables of customers, of posts as if they were customers, and of friendships
CUSTOMERS: dict[str, dict[str, tuple[str, ...]]] = {
    "customer_personality": {"customers": ("marketing_campaign.csv",)},
    "fb_live_sellers_thailand": {"posts": ("Live_20210128.csv", "Live.csv")},
    "ego-facebook": {"friends": ("facebook_combined.txt",)},
}
# posts with what they set off; fb_live_sellers_thailand is one, too
REACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "reactions-csv": {"posts": ("reactions.csv", "reactions.tsv")},
    "election-tweets-2016": {"tweets": ("election-tweets-2016.tab",)},
    "facebook_metrics": {"posts": ("dataset_Facebook.csv",)},
}
# experiments; the forms in CSV go first, for they need no further package
EXPERIMENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "experiment-csv": {"rows": ("experiment.csv", "experiment.tsv")},
    "hillstrom": {
        "mail": (
            "hillstrom.csv", "Kevin_Hillstrom_MineThatData_E-MailAnalytics_DataMiningChallenge_2008.03.20.csv",
        ),
    },
    "upworthy": {
        "packages": (
            *(f"upworthy-archive-{part}-packages-*.csv" for part in ("exploratory", "confirmatory", "holdout")),
            "upworthy_clean.parquet",
        ),
    },
    "asos": {
        "checkpoints": tuple(f"asos_digital_experiments_dataset.{form}" for form in ("csv", "parquet")),
    },
}  # fmt: skip
# series over time; of posts with reactions there are some, too
SERIES: dict[str, dict[str, tuple[str, ...]]] = {
    "series-csv": {"rows": ("series.csv", "series.tsv")},
    "peyton-manning": {"views": ("daily_peyton_manning.csv", "example_wp_log_peyton_manning.csv")},
    "nab": {
        **{brand: (f"Twitter_volume_{brand}.csv",)
           for brand in ("AAPL", "AMZN", "CRM", "CVS", "FB", "GOOG", "IBM", "KO", "PFE", "UPS")},
        "windows": ("combined_windows.json",),
    },
}  # fmt: skip
# queries with what their writers want
INTENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "intents-csv": {"queries": ("intents.csv", "intents.tsv")},
    "clinc150": {"queries": ("data_full.json",), "domains": ("domains.json",)},
    "smp2017": {"queries": ("smp2017_31intents.csv",)},
}
# pictures that are packed; a folder of pictures needs no format
PICTURES: dict[str, dict[str, tuple[str, ...]]] = {"twemoji": {"pictures": ("twemoji.zip",)}}
KNOWN = "u.data, ratings.dat, ratings.csv or NAME.inter"
KNOWN_CLICKS = "clicks.csv, KAG_conversion_data.csv, NAME.train.libfm or random-all.csv (of open-bandit)"
KNOWN_PURCHASES = "purchases.csv, purchases.tsv, CDNOW_master.txt or online_retail.csv.xz"
KNOWN_CUSTOMERS = "customers.csv, customers.tsv or the files of a dataset that smlab data list names"
KNOWN_REACTIONS = "reactions.csv, reactions.tsv or the files of a dataset that smlab data list names"
KNOWN_EXPERIMENTS = "experiment.csv, experiment.tsv or the files of a dataset that smlab data list names"
KNOWN_SERIES = "series.csv, series.tsv or the files of a dataset that smlab data list names"
KNOWN_INTENTS = "intents.csv, intents.tsv or the files of a dataset that smlab data list names"
KNOWN_POSTS = "posts.csv, posts.tsv or the files of a dataset that smlab data list names"


def recognise(names: Iterable[str], dataset: str = "") -> tuple[str, dict[str, str]] | None:
    """Name the format, and for each role the file; None if there is no file of a known format.

    `names` are paths as in a zip file. Only files beside the ratings file count as its items and users.
    The formats of `STREAMS` are looked for only if `dataset` bears their name, as in criteo or criteo-sample.

    >>> recognise(["ml-100k/u.data", "ml-100k/u.item", "ml-100k/README"])
    ('ml-100k', {'ratings': 'ml-100k/u.data', 'items': 'ml-100k/u.item'})
    >>> recognise(["a.train.libfm", "a.test.libfm"])
    ('libfm', {'train': 'a.train.libfm', 'test': 'a.test.libfm'})
    >>> recognise(["hate/mapping.txt", "other/mapping.txt"])
    ('tweeteval', {'hate/mapping': 'hate/mapping.txt'})
    >>> recognise(["train.txt", "test.txt"])
    ('lightgcn', {'train': 'train.txt', 'test': 'test.txt'})
    """
    paths = sorted(map(PurePosixPath, names), key=lambda p: (len(p.parts), str(p)))
    paths = [p for p in paths if "__MACOSX" not in p.parts and not p.name.startswith(".")]
    for format_, roles in FORMATS.items():
        ratings = _first(paths, roles["ratings"])
        if ratings is not None:
            beside = [p for p in paths if p.parent == ratings.parent]
            if format_ == "atomic":  # RecBole's files share a stem; the other formats have fixed names
                beside = [p for p in beside if p.stem == ratings.stem]
            found = {role: _first(beside, patterns) for role, patterns in roles.items()}
            return format_, {role: str(p) for role, p in found.items() if p is not None}
    return _log(paths, dataset)


def _log(paths: list[PurePosixPath], dataset: str) -> tuple[str, dict[str, str]] | None:
    streams = {f: roles for f, roles in STREAMS.items() if dataset.split("-")[0] == f}
    known = CLICKS | POSTS | LEXICONS | streams | SPLITS | PURCHASES | CUSTOMERS
    known |= REACTIONS | EXPERIMENTS | SERIES | INTENTS | PICTURES
    for format_, roles in known.items():
        found = {role: _first(paths, patterns) for role, patterns in roles.items()}
        needed = list(found.values())[:2]
        if all(needed) if format_ in SPLITS else any(found.values()):
            return format_, {role: str(p) for role, p in found.items() if p is not None}
    return None


def _first(paths: list[PurePosixPath], patterns: tuple[str, ...]) -> PurePosixPath | None:
    return next((p for pattern in patterns for p in paths if fnmatchcase(_tail(p, pattern), pattern)), None)


def _tail(path: PurePosixPath, pattern: str) -> str:
    """Give as many last parts of a path as a pattern has."""
    return "/".join(path.parts[-1 - pattern.count("/") :])
