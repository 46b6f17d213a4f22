"""Predict MovieLens ratings by Surprise's algorithms, or by ours, on the same folds: one JSON line for each.

    python bench/surprise_peer.py DATA                                  SVD++, in an environment that has Surprise
    python bench/surprise_peer.py DATA --algorithm BaselineOnly KNNBaseline SVDpp
    python bench/surprise_peer.py DATA --ours                           Bayesian MF of smlab, here
    python bench/surprise_peer.py DATA --split u1                       the canonical u1.base / u1.test

DATA holds u.data, and for our side information u.user and u.item. The five folds are those of Surprise's published
benchmark, KFold(random_state=0): the rows of the file shuffled and cut in five. Not shuffled the first fifth of the
official file is u1.test. Seconds are those of fit and prediction of all folds together, by the clock and by the
processor; hyper-parameters are each library's defaults. No peer is a dependency.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rows to learn from, rows to predict → ratings
PEERS = ("BaselineOnly", "KNNBasic", "KNNWithMeans", "KNNBaseline", "SVD", "SVDpp", "NMF", "SlopeOne", "CoClustering")
OURS = ("Mean", "Biases", "BiasedMF", "ALS", "BayesianMF", "UserKNN", "ItemKNN")


def folds(n: int, split: str, n_folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the rows of the file to learn from and to predict, fold by fold."""
    order = np.arange(n)
    if split == "kfold":
        np.random.RandomState(0).shuffle(order)
    for test in np.array_split(order, 5)[: 1 if split == "u1" else n_folds]:
        yield np.setdiff1d(order, test), test


def surprise(args: argparse.Namespace, name: str) -> Run:
    import surprise as library

    data = library.Dataset.load_from_file(args.data / "u.data", library.Reader("ml-100k"))
    options: dict[str, Any] = {"verbose": False}
    if name.startswith("KNN"):
        similarity = {"name": args.similarity, "user_based": args.by == "user"} if args.similarity else {}
        options |= {"k": args.k, "sim_options": similarity}
    elif name in ("SVD", "SVDpp"):
        options["random_state"] = args.seed

    def run(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        random.seed(args.seed)
        np.random.seed(args.seed)  # noqa: NPY002 - what Surprise draws from
        rows = [data.raw_ratings[j] for j in train]
        model = getattr(library, name)(**(options if name != "SlopeOne" else {}))
        model.fit(data.construct_trainset(rows))
        pairs = data.construct_testset([data.raw_ratings[j] for j in test])
        return np.array([p.est for p in model.test(pairs)])

    return run


def ours(args: argparse.Namespace, name: str) -> Run:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from smlab import bayes_factors, factors, neighbors, raters
    from smlab.datasets import load
    from smlab.features import Vocab, to_csr
    from smlab.side_features import side_features

    data = load(args.data.name, data_dir=args.data.parent)
    frame, users, items = data.ratings, Vocab().fit(data.ratings["user"]), Vocab().fit(data.ratings["item"])
    u, i, r = users.encode(frame["user"]), items.encode(frame["item"]), frame["rating"].to_numpy()
    options: dict[str, Any] = {}
    if name.endswith("KNN"):
        options = {"k": args.k, "similarity": args.similarity or "pearson"}
    elif name not in ("Mean", "Biases"):
        options = {"seed": args.seed}
        options |= {key: v for key in ("n_factors", "epochs", "burn_in") if (v := getattr(args, key)) is not None}
    side: dict[str, Any] = {}
    if name == "BayesianMF" and not args.no_side:
        side["user_features"] = side_features(data.users, users, ["age", "gender", "occupation"])
        side["item_features"] = side_features(data.items, items, ["year", "genres"])

    def run(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        X = to_csr(u[train], i[train], r[train], shape=(len(users), len(items)))
        modules = (bayes_factors, factors, raters, neighbors)
        model = next(getattr(m, name) for m in modules if hasattr(m, name))(**options).fit(X, **side)
        if name == "BayesianMF":
            low, high = model.predict_interval(u[test], i[test], level=0.9)
            covered.append(float(np.mean((low <= r[test]) & (r[test] <= high))))
        return model.predict(u[test], i[test])

    return run


covered: list[float] = []


def measure(args: argparse.Namespace, name: str, ratings: np.ndarray) -> dict[str, Any]:
    """Run all folds of one algorithm."""
    covered.clear()
    run = (ours if args.ours else surprise)(args, name)
    errors, wall, cpu = [], 0.0, 0.0
    for train, test in folds(len(ratings), args.split, args.folds):
        started, used = time.perf_counter(), time.process_time()
        r_hat = run(train, test)
        wall, cpu = wall + time.perf_counter() - started, cpu + time.process_time() - used
        errors.append(r_hat - ratings[test])
        print(f"{name}: {np.sqrt(np.mean(errors[-1] ** 2)):.4f}, {wall:.1f} s so far", file=sys.stderr, flush=True)
    rmse = [float(np.sqrt(np.mean(e**2))) for e in errors]
    line = {"library": "smlab" if args.ours else "surprise", "algorithm": name, "split": args.split}
    line |= {"rmse": float(np.mean(rmse)), "mae": float(np.mean([np.abs(e).mean() for e in errors])), "folds": rmse}
    line |= {"coverage_90": float(np.mean(covered))} if covered else {}
    line |= {"seconds": round(wall, 2), "cpu_seconds": round(cpu, 2)}
    return line | {"ratings_per_second": round(len(errors) * len(ratings) / wall)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of u.data")
    parser.add_argument("--ours", action="store_true", help="smlab instead of Surprise")
    parser.add_argument("--algorithm", nargs="+", help=f"{', '.join(PEERS)}; with --ours {', '.join(OURS)}")
    parser.add_argument("--split", choices=["kfold", "u1"], default="kfold")
    parser.add_argument("--folds", type=int, default=5, help="so many of the five folds")
    parser.add_argument("--k", type=int, default=40, help="neighbours, as in Surprise")
    parser.add_argument("--similarity", help="of the kNN; each library's default where it is not given")
    parser.add_argument("--by", choices=["user", "item"], default="user", help="Surprise's kNN alone")
    parser.add_argument("--n-factors", type=int, help="ours alone")
    parser.add_argument("--epochs", type=int, help="ours alone")
    parser.add_argument("--burn-in", type=int, help="ours alone")
    parser.add_argument("--no-side", action="store_true", help="ours alone: no side information")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.data = args.data.resolve()
    known = OURS if args.ours else PEERS
    names = args.algorithm or ["BayesianMF" if args.ours else "SVDpp"]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"--algorithm {unknown[0]} is not known; known: {', '.join(known)}")
    ratings = np.loadtxt(args.data / "u.data", usecols=2)
    for name in names:
        print(json.dumps(measure(args, name, ratings)), flush=True)


if __name__ == "__main__":
    main()
