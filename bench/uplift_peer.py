"""Run scikit-uplift beside ours on Hillstrom's e-mails: the same rows, the same base model, one JSON line a split.

    python bench/uplift_peer.py DATA                         Womens E-Mail against none, visits, five splits
    python bench/uplift_peer.py DATA --base boosting --seeds 0 1 2
    python bench/uplift_peer.py DATA --ours                  ours alone, where scikit-uplift is not installed

DATA holds hillstrom.csv. A split draws 70 % of the rows to learn from, by its seed. scikit-uplift needs an older
scikit-learn, so it lives in an environment of its own (`SMLAB_PEERS`), in which ours runs as well. Each side fits its
own learners; `apart` is the largest difference between scikit-uplift's qini_auc_score and uplift_auc_score and our Qini
and AUUC of the same forecasts. The last line has the means over the splits. No peer is a dependency.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from smlab import qini, uplift

BEFORE = ["recency", "history", "mens", "womens", "newbie", "zip_code", "channel"]
NONE = "No E-Mail"
Split = tuple[pd.DataFrame, np.ndarray, np.ndarray]


def split(frame: pd.DataFrame, args: argparse.Namespace, seed: int) -> tuple[Split, Split]:
    """Give columns, outcome and treatment of the rows to learn from and of the rows to judge by."""
    rows = frame[frame["segment"].isin([NONE, args.arm])]
    X = pd.get_dummies(rows[BEFORE], dtype=float)
    y, w = rows[args.outcome].to_numpy(), (rows["segment"] == args.arm).astype(int).to_numpy()
    order = np.random.default_rng(seed).permutation(len(rows))
    cut = int(0.7 * len(rows))
    train, test = ((X.iloc[part], y[part], w[part]) for part in (order[:cut], order[cut:]))
    return train, test


def ours(train: Split, test: Split, base: str) -> dict[str, np.ndarray]:
    fitted = {name: model.fit(*train) for name, model in uplift.learners(base).items()}
    found = {name: model.predict(test[0])[1].to_numpy() for name, model in fitted.items()}
    both = fitted["T-learner"]
    assert isinstance(both, uplift.TLearner)
    return found | {"predicted outcome": both.outcomes(test[0])[1].to_numpy()}


def theirs(train: Split, test: Split, base: str) -> dict[str, np.ndarray]:
    from sklift.models import ClassTransformation, SoloModel, TwoModels

    X, y, w = train
    machine = [uplift._named(base, True, 0) for _ in range(4)]
    models = {
        "S-learner": SoloModel(machine[0]),
        "T-learner": TwoModels(machine[1], machine[2], method="vanilla"),
        "class": ClassTransformation(machine[3]),
    }
    series = pd.Series(y, index=X.index), pd.Series(w, index=X.index)
    return {name: np.asarray(model.fit(X, *series).predict(test[0])) for name, model in models.items()}


def measure(args: argparse.Namespace, frame: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Fit and judge both sides on one split."""
    train, test = split(frame, args, seed)
    _, y, w = test
    started = time.process_time()
    scores = ours(train, test, args.base)
    seconds = {"seconds": round(time.process_time() - started, 2)}
    judged = qini.judge(y, w, scores, n=args.resamples, seed=seed)
    table = judged.table().round(4)
    line: dict[str, Any] = {"seed": seed, "rows": len(y), "base": args.base, "arm": args.arm, "outcome": args.outcome}
    line["ours"] = {m: {f: tuple(table.loc[(m, f)]) for f in judged.names} for m in judged.measures}
    beyond = judged.difference("predicted outcome").loc["Qini"].round(4)
    line["over predicted outcome"] = {name: tuple(beyond.loc[name]) for name in beyond.index}
    if args.ours:
        return line | seconds
    from sklift.metrics import qini_auc_score, uplift_auc_score

    started = time.process_time()
    peer = theirs(train, test, args.base)
    seconds["peer_seconds"] = round(time.process_time() - started, 2)
    both = {**scores, **{f"peer {name}": score for name, score in peer.items()}}
    mine = qini.judge(y, w, both, n=2).table()["value"]
    apart = []
    for name, score in both.items():
        apart += [abs(mine[("Qini", name)] - qini_auc_score(y, score, w))]
        apart += [abs(mine[("AUUC", name)] - uplift_auc_score(y, score, w))]
    line["peer"] = {
        "Qini": {name: round(float(qini_auc_score(y, score, w)), 4) for name, score in peer.items()},
        "AUUC": {name: round(float(uplift_auc_score(y, score, w)), 4) for name, score in peer.items()},
    }
    return line | {"apart": float(max(apart))} | seconds


def means(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the mean Qini over the splits of each learner, ours and theirs."""
    found = {name: [line["ours"]["Qini"][name][0] for line in lines] for name in lines[0]["ours"]["Qini"]}
    if "peer" in lines[0]:
        found |= {f"peer {name}": [line["peer"]["Qini"][name] for line in lines] for name in lines[0]["peer"]["Qini"]}
    out: dict[str, Any] = {"splits": len(lines), "Qini": {k: round(float(np.mean(v)), 4) for k, v in found.items()}}
    return out | ({"apart": max(line["apart"] for line in lines)} if "apart" in lines[0] else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of hillstrom.csv")
    parser.add_argument("--ours", action="store_true", help="ours alone")
    parser.add_argument("--base", choices=uplift.BASES, default="logistic")
    parser.add_argument("--arm", default="Womens E-Mail")
    parser.add_argument("--outcome", choices=["visit", "conversion"], default="visit")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--resamples", type=int, default=300)
    args = parser.parse_args()
    frame = pd.read_csv(args.data / "hillstrom.csv")
    if args.arm not in set(frame["segment"]) - {NONE}:
        parser.error(f"--arm {args.arm!r} is not known; known: {', '.join(sorted(set(frame['segment']) - {NONE}))}")
    lines = []
    for seed in args.seeds:
        lines.append(measure(args, frame, seed))
        print(json.dumps(lines[-1]), flush=True)
    print(json.dumps(means(lines)))


if __name__ == "__main__":
    main()
