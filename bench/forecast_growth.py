"""Forecast ever more series in one call: seconds, memory, and a plot of the growth.

    python bench/forecast_growth.py                        100, 300, 1,000 series; writes forecast-growth.png
    python bench/forecast_growth.py --series 1000 --models lags --show

The series are simulated: two years of days, a week, a level that stays, wanders or rises, and noise, a tenth of them
with gaps. Horizon 28. Each model and size runs in a process of its own, so that its peak memory is its own. One JSON
line each; `--show` says on standard error how far it is.
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
import pandas as pd

MODELS = ("seasonal naive", "lags", "ETS", "ARIMA")
DAYS, HORIZON = 730, 28


def series(n: int, seed: int = 0) -> pd.DataFrame:
    """Draw n daily series, one a column."""
    rng, t = np.random.default_rng(seed), np.arange(DAYS)
    level = np.cumsum(rng.normal(0, 0.6, (DAYS, n)), axis=0) * (np.arange(n) % 3 == 1)
    rise = np.where(np.arange(n) % 3 == 2, rng.normal(0, 0.05, n), 0.0) * t[:, None]
    Y = 100 + level + rise + rng.normal(0, 4, (7, n))[t % 7] + rng.normal(0, 4, (DAYS, n))
    Y[(rng.random(Y.shape) < 0.02) & (np.arange(n) % 10 == 0)] = np.nan
    return pd.DataFrame(Y, pd.date_range("2022-01-01", periods=DAYS), [f"series {i}" for i in range(n)])


def measure(name: str, n: int, show: bool) -> dict[str, float | str]:
    """Fit one model to n series and forecast them."""
    from smlab.etsarima import ARIMA, ETS
    from smlab.forecast import SeasonalNaive
    from smlab.lagged import Lags

    model = {"seasonal naive": SeasonalNaive, "lags": Lags, "ETS": ETS, "ARIMA": ARIMA}[name]()
    Y = series(n)
    started, used = time.perf_counter(), time.process_time()
    forecast = model.fit(Y, show=show).predict(HORIZON)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    assert forecast.shape == (n * HORIZON, 6) and forecast.notna().all(axis=None)
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
    return {"model": name, "series": n, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_mb": peak}


def plot(results: list[dict], to: Path) -> None:
    from matplotlib import pyplot as plt

    from smlab import plots

    fig, both = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    names = list(dict.fromkeys(r["model"] for r in results))
    colour = plots.colours(names)
    labels = {"cpu_seconds": "seconds of a core", "peak_mb": "peak memory, MB"}
    for ax, (column, label) in zip(both, labels.items(), strict=True):
        for name in names:
            own = [r for r in results if r["model"] == name]
            ax.plot([r["series"] for r in own], [r[column] for r in own], "o-", color=colour[name], label=name)
        ax.set(xlabel="series of 730 days", ylabel=label, xscale="log")
    both[0].set_yscale("log")
    both[1].set_ylim(bottom=0)
    both[0].legend(frameon=False)
    fig.suptitle("How do time and memory grow?", x=0.01, ha="left", weight="bold")
    fig.savefig(to, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, nargs="*", default=[100, 300, 1000])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS[:3])
    parser.add_argument("--plot", type=Path, default=Path("forecast-growth.png"))
    parser.add_argument("--show", action="store_true", help="say how far it is")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "SERIES"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]), args.show)))
        return
    results = []
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # small matrices: threads only wait
    for name in args.models:
        for n in args.series:
            command = [sys.executable, __file__, "--one", name, str(n), *(["--show"] if args.show else [])]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(results[-1]), flush=True)
    if len(args.series) > 1:
        plot(results, args.plot)
        print(args.plot)


if __name__ == "__main__":
    main()
