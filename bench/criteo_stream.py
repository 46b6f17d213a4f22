"""Train LR and FM in one pass over Criteo files of growing size: seconds, memory, and a plot of the growth.

    python bench/criteo_stream.py                    50,000, 500,000 and 5,000,000 rows; writes growth.png
    python bench/criteo_stream.py --rows 50000 --folder /some/where
    python bench/criteo_stream.py --train train.txt.gz --format criteo       once over a log of your own; or avazu

The files are generated in Criteo's format by `smlab.adsamples` (not Criteo's data), streamed in chunks, hashed and
forgotten. Each size runs in a process of its own, so that its peak memory is its own. One JSON line per size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

N_BUCKETS = 20_000  # of each of the 39 fields
CHUNK = 50_000


def train(path: Path, format_: str) -> dict[str, float]:
    """Go once over the file: predict each chunk before learning from it, so that every row is a test row once."""
    import numpy as np

    from smlab import auc, clicklogs, clicknets
    from smlab.encoding import hash_codes

    fields = clicklogs.FORMATS[format_].fields
    sizes = np.full(len(fields), N_BUCKETS + 1)  # place 0 of each: empty
    models = {
        "lr": clicknets.LR(learning_rate=0.02, batch_size=16_384, sparse=True),
        "fm": clicknets.FM(n_factors=8, learning_rate=0.02, batch_size=16_384, sparse=True),
    }
    clicks, forecasts = [], {name: [] for name in models}  # type: ignore[var-annotated]
    started, used = time.perf_counter(), time.process_time()
    for frame in clicklogs.stream(path, format_, CHUNK):
        codes, y = hash_codes(frame, fields, n_buckets=N_BUCKETS), frame["click"].to_numpy()
        for name, model in models.items():
            if clicks:
                forecasts[name].append(model.predict_proba(codes).astype(np.float32))
            model.partial_fit(codes, y, sizes=sizes)
        clicks.append(y)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    later = np.concatenate(clicks[1:]) if len(clicks) > 1 else np.array([])
    scores = {f"{n}_auc": round(auc.auc(later, np.concatenate(f)), 4) for n, f in forecasts.items() if len(later)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    cost = {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mb": round(peak)}
    return {"rows": sum(map(len, clicks)), **cost, **scores}


def plot(results: list[dict[str, float]], to: Path) -> None:
    from matplotlib import pyplot as plt

    from smlab import plots

    # processor time: what other programs do on the machine is not in it
    rows, seconds = [r["rows"] for r in results], [r["cpu_seconds"] for r in results]
    linear = [seconds[-1] * n / rows[-1] for n in rows]
    ax = plots.curve(rows, {"LR and FM, one pass": seconds, "linear": linear}, title="Does time grow with the rows?",
                     xlabel="rows", ylabel="seconds of a core")  # fmt: skip
    ax.set_yscale("log")
    plt.savefig(to, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[50_000, 500_000, 5_000_000])
    parser.add_argument("--folder", type=Path, help="where to put the files (default: a temporary folder)")
    parser.add_argument("--plot", type=Path, default=Path("growth.png"))
    parser.add_argument("--train", type=Path, help="a log of your own instead of generated ones")
    parser.add_argument("--format", choices=["criteo", "avazu"], default="criteo", help="of that log")
    args = parser.parse_args()
    if args.train:
        print(json.dumps(train(args.train, args.format)))
        return
    results = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for rows in args.rows:
            path = Path(folder) / f"criteo-{rows}.txt"
            generator = [sys.executable, "-m", "smlab.adsamples", "criteo", str(path), str(rows)]
            subprocess.run(generator, check=True, stdout=subprocess.DEVNULL)
            command = [sys.executable, __file__, "--train", str(path)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(results[-1]), flush=True)
            path.unlink()
    if len(results) > 1:
        plot(results, args.plot)
        print(args.plot)


if __name__ == "__main__":
    main()
