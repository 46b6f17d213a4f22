"""Time a recommender of ours, or a peer's of the same formula, on the same ratings: one JSON line.

    python bench/cf_speed.py DATA knn            Surprise's KNNBaseline: five folds, fit and predict
    python bench/cf_speed.py DATA knn --by item  neighbours of the item instead of the user's
    python bench/cf_speed.py DATA ials           implicit's AlternatingLeastSquares: fit
    python bench/cf_speed.py DATA ease           lenskit's EASEScorer: fit
    ... --ours                                   smlab's KNN, IALS, EASE instead

DATA is the folder of ml-100k (u.data) or ml-1m (ratings.dat or ml-1m.zip). Reading, splitting and putting the data
into each library's own form are not timed. Each runs with the peer's definitions and sizes:

knn    40 neighbours, pearson_baseline shrunk by 100, baselines of 10 turns; Surprise's KFold(random_state=0). RMSE
       is the same to seven digits. Both use one core.
ials   64 factors, 16 sweeps of 3 steps of conjugate gradients, all ratings as ones, a fifth held out at random.
       implicit minimises the sum of C (1 - ŷ)² over what is known, ŷ² over all else, and λ (‖w‖² + ‖h‖²).
       With C = 1 + 1/α₀, λ = C·reg and ν = 0 that is our problem: its ŷ is ours times C / (C - 1), and so are
       products of its factors. `loss` is our objective at either's factors, so scaled; nDCG@10 ranks all unseen items.
ease   λ = 500; the same W, in float32 at lenskit's, in float64 at ours.

`--need loss 0 1234.5` fails where a figure of the line lies outside: a faster result that is worse is none. Seconds
are by the clock, cpu_seconds the processor's on all cores; the best of `--rounds` counts. No peer is a dependency.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
Figures = dict[str, float]
REG, ALPHA0 = 10.0, 0.3  # of ials: the best nDCG@10 of a small grid on a part of the training data


class Clock:
    """Add up what is done within `with`."""

    wall = cpu = 0.0

    def __enter__(self) -> None:
        self.started, self.used = time.perf_counter(), time.process_time()

    def __exit__(self, *error: object) -> None:
        self.wall += time.perf_counter() - self.started
        self.cpu += time.process_time() - self.used


def read(folder: Path) -> np.ndarray:
    """Give (n, 3): user, item and rating, users and items numbered from 0 in the order of their ids."""
    if (folder / "u.data").exists():
        text = (folder / "u.data").read_text()
    elif (folder / "ratings.dat").exists():
        text = (folder / "ratings.dat").read_text()
    else:
        text = zipfile.ZipFile(folder / "ml-1m.zip").read("ml-1m/ratings.dat").decode()
    rows = np.array(text.replace("::", " ").split(), dtype=np.int64).reshape(-1, 4)
    u, i = (np.unique(rows[:, column], return_inverse=True)[1] for column in (0, 1))
    return np.column_stack([u, i, rows[:, 2]])


def matrix(rows: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((rows[:, 2].astype(float), (rows[:, 0], rows[:, 1])), shape=shape)


# Each of these gives the figures and what was done in how many seconds


def knn(args: argparse.Namespace, rows: np.ndarray, clock: Clock) -> Figures:
    order, shape = np.arange(len(rows)), tuple(rows[:, :2].max(axis=0) + 1)
    np.random.RandomState(0).shuffle(order)
    errors = []
    for held_out in np.array_split(order, 5):
        train, test = rows[np.setdiff1d(order, held_out)], rows[held_out]
        predict = (knn_ours if args.ours else knn_surprise)(train, test, shape, args.by, clock)
        errors.append(predict - test[:, 2])
    return {"rmse": float(np.mean([np.sqrt(np.mean(e**2)) for e in errors])), "done": len(rows)}


def knn_ours(train: np.ndarray, test: np.ndarray, shape: tuple[int, int], by: Any, clock: Clock) -> np.ndarray:
    from smlab.knn_raters import KNN

    X = matrix(train, shape)
    with clock:
        return KNN(by=by).fit(X).predict(test[:, 0], test[:, 1])


def knn_surprise(train: np.ndarray, test: np.ndarray, shape: tuple[int, int], by: str, clock: Clock) -> np.ndarray:
    import surprise

    data = surprise.Dataset(surprise.Reader(rating_scale=(1, 5)))
    trainset = data.construct_trainset([(str(u), str(i), float(r), None) for u, i, r in train])
    pairs = [(str(u), str(i), float(r)) for u, i, r in test]
    options = {"name": "pearson_baseline", "user_based": by == "user"}
    with clock:
        found = surprise.KNNBaseline(sim_options=options, verbose=False).fit(trainset).test(pairs)
    return np.array([p.est for p in found])


def ials(args: argparse.Namespace, rows: np.ndarray, clock: Clock) -> Figures:
    from smlab.implicit_factors import IALS

    X, truth = chosen(rows)
    model = IALS(
        n_factors=args.n_factors, alpha0=ALPHA0, reg=REG, nu=0, epochs=args.epochs, seed=args.seed, device="cpu"
    )
    if args.ours:
        with clock:
            model.fit(X)
    else:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        C = 1 + 1 / ALPHA0
        options = {"factors": args.n_factors, "iterations": args.epochs, "random_state": args.seed}
        peer, Y = AlternatingLeastSquares(alpha=C, regularization=C * REG, **options), sparse.csr_matrix(X)
        with threadpool_limits(1, "blas"), clock:  # as implicit asks for: it has threads of its own
            peer.fit(Y, show_progress=False)
        model._start(X)
        W, H = peer.user_factors, peer.item_factors
        model.user_factors_, model.item_factors_ = (F * np.sqrt((C - 1) / C) for F in (W, H))
    return {"loss": model.loss(), "ndcg": ndcg(model, truth), "done": X.nnz * args.epochs}


def ease(args: argparse.Namespace, rows: np.ndarray, clock: Clock) -> Figures:
    from smlab.neighbors import EASE

    X, truth = chosen(rows)
    model = EASE(reg=500.0)
    if args.ours:
        with clock:
            model.fit(X)
    else:
        import pandas as pd
        from lenskit.data import from_interactions_df
        from lenskit.knn.ease import EASEScorer

        data = from_interactions_df(pd.DataFrame(np.column_stack(X.nonzero()), columns=["user_id", "item_id"]))
        peer, at = EASEScorer(regularization=500.0), data.items.ids()
        with clock:
            peer.train(data)
        model._start(X)
        model.W_ = np.zeros((X.shape[1], X.shape[1]))
        model.W_[np.ix_(at, at)] = peer.weights
    return {"ndcg": ndcg(model, truth), "done": X.nnz}


def chosen(rows: np.ndarray) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Give what users chose, as ones: to learn from, and a fifth held out at random."""
    held_out, shape = np.random.default_rng(0).random(len(rows)) < 0.2, tuple(rows[:, :2].max(axis=0) + 1)
    return tuple(
        sparse.csr_array(matrix(part, shape) > 0, dtype=np.float32) for part in (rows[~held_out], rows[held_out])
    )


def ndcg(model: Any, truth: sparse.csr_array) -> float:
    from smlab.metrics import ndcg_at_k

    return float(np.nanmean(ndcg_at_k(model.recommend(k=10)[0], truth)))


TASKS: dict[str, Callable[[argparse.Namespace, np.ndarray, Clock], Figures]] = {"knn": knn, "ials": ials, "ease": ease}
PEERS = {"knn": "surprise", "ials": "implicit", "ease": "lenskit"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of ml-100k or ml-1m")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--ours", action="store_true", help="smlab instead of the peer")
    parser.add_argument("--by", choices=["user", "item"], default="user", help="knn: whose neighbours")
    parser.add_argument("--n-factors", type=int, default=64, help="ials")
    parser.add_argument("--epochs", type=int, default=16, help="ials: sweeps")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--need", nargs=3, action="append", default=[], metavar=("FIGURE", "LOW", "HIGH"))
    args = parser.parse_args()
    rows, clocks = read(args.data), [Clock() for _ in range(args.rounds)]
    found = [TASKS[args.task](args, rows, clock) for clock in clocks][0]
    best = min(clocks, key=lambda clock: clock.wall)
    done = found.pop("done")
    line: dict[str, Any] = {"library": "smlab" if args.ours else PEERS[args.task], "task": args.task, **found}
    line |= {"seconds": round(best.wall, 3), "cpu_seconds": round(best.cpu, 3)}
    line |= {"per_second": round(done / best.wall), "per_cpu_second": round(done / best.cpu)}
    for name, low, high in args.need:
        if not float(low) <= line[name] <= float(high):
            sys.exit(f"{name} is {line[name]}, and should lie between {low} and {high}")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
