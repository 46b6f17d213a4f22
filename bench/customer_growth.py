"""From purchases to personas at growing size: seconds, memory, and a plot of the growth.

    python bench/customer_growth.py                  100,000, 1,000,000 and 10,000,000 lines; writes growth.png
    python bench/customer_growth.py --lines 100000 --folder /some/where
    python bench/customer_growth.py --dataset online-retail-2        once over real purchases, or a folder of yours

The lines are simulated: customers come and go as BG/NBD has it, about ten lines each. They are written as a
purchases.csv and read like anybody's own. Each size runs in a process of its own, so that its peak memory is its own.
One JSON line per size.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHUNK = 100_000  # customers that are simulated and written at a time
LINES = 10  # of a customer, on average


def write(path: Path, n_lines: int, *, seed: int = 0) -> None:
    """Write purchases: a rate for each customer, a stretch of life, amounts around a mean of their own."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    start, left, first = pd.Timestamp("2023-01-01"), n_lines, 0
    with path.open("w", encoding="utf-8") as out:
        out.write("customer,time,amount\n")
        while left:
            n = min(CHUNK, -(-left // LINES))
            count = np.minimum(1 + rng.negative_binomial(0.5, 0.5 / (LINES - 0.5), n), 400)
            who = np.repeat(np.arange(n), count)[:left]
            born, alive = rng.integers(0, 600, n), rng.beta(0.8, 1.2, n)
            day = born[who] + rng.random(len(who)) * alive[who] * (729 - born[who])
            paid = np.exp(rng.normal(3.2, 0.6, n)[who] + rng.normal(0, 0.4, len(who))).round(2)
            rows = pd.DataFrame({"customer": [f"c{i}" for i in who + first], "time": start + pd.to_timedelta(day, "D")})
            rows["time"] = rows["time"].dt.strftime("%Y-%m-%d %H:%M")
            rows.assign(amount=paid).to_csv(out, header=False, index=False)
            first, left = first + n, left - len(who)


def personas_of(dataset: str, data_dir: str | None, k: int = 4) -> dict[str, object]:
    """Go from the file to persona cards and say what each step took."""
    import numpy as np
    import pandas as pd

    from smlab import personas, purchases, rfm
    from smlab.kmeans import KMeans

    laps, started = {}, time.perf_counter()

    def lap(name: str) -> None:
        laps[name] = round(time.perf_counter() - started - sum(laps.values()), 2)

    data = purchases.load_purchases(dataset, data_dir)
    lap("load")
    bought = data.frame.assign(customer=pd.factorize(data.frame["customer"])[0])
    features = rfm.rfm(bought)
    lap("features")
    X = rfm.scaled(features[["recency", "frequency", "monetary"]]).to_numpy()
    labels = KMeans(k=k).fit(X).labels_
    lap("segments")
    spent = np.bincount(bought["customer"], bought["amount"])
    cards = personas.personas(features, X, labels, spent, n_boot=10)
    lap("personas")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    sizes = {"lines": data.lines, "customers": len(features), "personas": [card.name for card in cards]}
    total = {"seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(time.process_time(), 1)}
    return sizes | total | {"peak_mb": round(peak), "laps": laps}


def plot(results: list[dict], to: Path) -> None:
    from matplotlib import pyplot as plt

    from smlab import plots

    lines = [r["lines"] for r in results]
    figure, both = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    # processor time: what other programs do on the machine is not in it
    for ax, key, label in zip(both, ("cpu_seconds", "peak_mb"), ("seconds of a core", "peak memory, MB"), strict=True):
        here = [r[key] for r in results]
        linear = [here[-1] * n / lines[-1] for n in lines]
        plots.curve(lines, {"measured": here, "linear": linear}, xlabel="lines", ylabel=label, ax=ax)
        ax.set_yscale("log")
    figure.suptitle("From a file of purchases to personas", x=0.02, ha="left", weight="bold", size=11)
    plt.savefig(to, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, help="where to put the files (default: a temporary folder)")
    parser.add_argument("--plot", type=Path, default=Path("growth.png"))
    parser.add_argument("--dataset", help="purchases by name instead of simulated ones")
    parser.add_argument("--data-dir", help="folder of your own copies")
    args = parser.parse_args()
    if args.dataset:
        print(json.dumps(personas_of(args.dataset, args.data_dir or os.environ.get("SMLAB_DATA"))))
        return
    results = []
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # narrow matrices: threads only wait
    for lines in args.lines:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            (Path(folder) / "grown").mkdir()
            write(Path(folder) / "grown" / "purchases.csv", lines)
            command = [sys.executable, __file__, "--dataset", "grown", "--data-dir", folder]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
        results.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(results[-1]), flush=True)
    if len(results) > 1:
        plot(results, args.plot)
        print(args.plot)


if __name__ == "__main__":
    main()
