"""Fit recommenders to ever more interactions: seconds, memory, lists for 1,000 people, and a plot of the growth.

    python bench/cf_growth.py                        10,000 to 10,000,000 interactions; writes cf-growth.png
    python bench/cf_growth.py --sizes 10000 100000 --models EASE iALS

The interactions are simulated: n of them are chosen by n/100 people among 2√n things, things as popular as
1/(rank + 10)^0.8, people as active as exp(N(0, 1)), grades from 1 to 5 by what is good and who is strict. Each model
and size runs in a process of its own, so that its peak memory is its own; what the data alone take is in it. A model
whose dense matrix of things by things would not fit into half of the machine's memory is left out, and said so. One
JSON line each.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy import sparse

MODELS = ("item-kNN", "EASE", "iALS", "MF by SGD")
DENSE = ("EASE",)  # they keep a number for each pair of things, and a second one while they invert


def shape_of(n: int) -> tuple[int, int]:
    return max(200, n // 100), round(2 * n**0.5)


def interactions(n: int, seed: int = 0) -> sparse.csr_array:
    """Draw n pairs of a person and a thing with a grade each, (n_users, n_items)."""
    rng, (n_users, n_items) = np.random.default_rng(seed), shape_of(n)
    likely = (np.arange(n_items) + 10.0) ** -0.8
    active = np.exp(rng.normal(size=n_users))
    pairs: np.ndarray = np.empty(0, np.int64)
    while len(pairs) < n:
        u = np.searchsorted(np.cumsum(active) / active.sum(), rng.random(n // 2))
        i = np.searchsorted(np.cumsum(likely) / likely.sum(), rng.random(n // 2))
        pairs = np.union1d(pairs, u * n_items + i)
    pairs = np.sort(rng.choice(pairs, n, replace=False))
    good, strict = rng.normal(size=n_items), rng.normal(size=n_users)
    grade = 3.5 + 0.6 * good[pairs % n_items] - 0.4 * strict[pairs // n_items] + rng.normal(size=n)
    grade = np.clip(np.rint(grade), 1, 5)
    return sparse.csr_array((grade, (pairs // n_items, pairs % n_items)), shape=(n_users, n_items))


def measure(name: str, n: int) -> dict[str, float | str]:
    """Fit one model to n interactions."""
    from smlab.factors import BiasedMF
    from smlab.implicit_factors import IALS
    from smlab.neighbors import EASE, ItemKNN

    models = {"item-kNN": ItemKNN, "EASE": EASE, "MF by SGD": BiasedMF}
    model = IALS(n_factors=64, epochs=8, device="cpu") if name == "iALS" else models[name]()
    X = interactions(n)
    if name != "MF by SGD":  # the others learn from what was chosen
        X = sparse.csr_array((np.ones(X.nnz, np.float32), X.indices, X.indptr), shape=X.shape)
    started, used = time.perf_counter(), time.process_time()
    model.fit(X)
    found: dict[str, float | str] = {"model": name, "interactions": n, "users": X.shape[0], "items": X.shape[1]}
    found |= {"seconds": round(time.perf_counter() - started, 2), "cpu_seconds": round(time.process_time() - used, 2)}
    if hasattr(model, "recommend"):
        some, started = np.arange(X.shape[0])[:1000], time.perf_counter()
        model.recommend(some, k=10)
        found |= {"lists": len(some), "lists_seconds": round(time.perf_counter() - started, 3)}
    return found | {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)}


def fits(name: str, n: int) -> bool:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return name not in DENSE or 16 * shape_of(n)[1] ** 2 < memory / 2


def plot(results: list[dict], to: Path) -> None:
    from matplotlib import pyplot as plt

    from smlab import plots

    fig, both = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    names = list(dict.fromkeys(r["model"] for r in results))
    colour = plots.colours(names)
    for ax, column, label in zip(
        both, ("cpu_seconds", "peak_mb"), ("seconds of a core", "peak memory, MB"), strict=True
    ):
        for name in names:
            own = [r for r in results if r["model"] == name]
            x, y = [r["interactions"] for r in own], [max(r[column], 0.01) for r in own]
            ax.loglog(x, y, "o-", color=colour[name], label=name)
        ax.set(xlabel="interactions", ylabel=label)
    both[0].legend(frameon=False)
    fig.suptitle("How do time and memory grow?", x=0.01, ha="left", weight="bold")
    fig.savefig(to, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--plot", type=Path, default=Path("cf-growth.png"))
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "SIZE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]))))
        return
    results = []
    for n in args.sizes:
        for name in args.models:
            if not fits(name, n):
                print(
                    f"{name} at {n:,}: left out, {shape_of(n)[1]:,} x {shape_of(n)[1]:,} numbers do not fit", flush=True
                )
                continue
            command = [sys.executable, __file__, "--one", name, str(n)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(results[-1]), flush=True)
    if len(args.sizes) > 1:
        plot(results, args.plot)
        print(args.plot)


if __name__ == "__main__":
    main()
