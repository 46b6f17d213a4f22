"""Train a peer library's DeepFM, or ours, on the same libfm files: one JSON line with quality and speed.

    python bench/ctr_peer.py DATA                    FuxiCTR, in an environment that has it
    python bench/ctr_peer.py DATA --peer deepctr     DeepCTR-Torch, likewise
    python bench/ctr_peer.py DATA --ours             smlab, here or in the peer's environment

DATA holds frappe.train.RECON.libfm, frappe.validation.libfm and frappe.test.libfm. Rows per second count the
training alone, without validation, as the median over the epochs after the first. FuxiCTR's wheel carries the
layers but not the model, so its DeepFM is put together here as its model zoo does. No peer is a dependency.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

FIELDS = ["user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city"]
FILES = {"train": "frappe.train.RECON.libfm", "valid": "frappe.validation.libfm", "test": "frappe.test.libfm"}
Part = tuple[np.ndarray, np.ndarray]


def read(folder: Path) -> tuple[dict[str, Part], np.ndarray]:
    """Give codes from 1 in each field (0: not in train) and clicks of the three files, and the fields' sizes."""
    raw = {}
    for part, name in FILES.items():
        rows = [line.replace(":1", "").split() for line in (folder / name).read_text().splitlines()]
        values = np.array(rows, dtype=np.int64)
        raw[part] = values[:, 1:], (values[:, 0] > 0).astype(np.int64)
    known = [np.unique(column) for column in raw["train"][0].T]
    sizes = np.array([len(k) + 1 for k in known])
    return {part: (encode(x, known), y) for part, (x, y) in raw.items()}, sizes


def encode(x: np.ndarray, known: list[np.ndarray]) -> np.ndarray:
    columns = []
    for column, values in zip(x.T, known, strict=True):
        place = np.searchsorted(values, column).clip(max=len(values) - 1)
        columns.append(np.where(values[place] == column, place + 1, 0))
    return np.column_stack(columns)


def metrics(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Give AUC and log-loss by scikit-learn for all, so that nobody is measured by his own ruler."""
    from sklearn.metrics import log_loss, roc_auc_score

    return {"auc": float(roc_auc_score(y, p)), "log_loss": float(log_loss(y, np.clip(p, 1e-7, 1 - 1e-7)))}


def ours(data: dict[str, Part], sizes: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from smlab import clicknets

    offset = np.cumsum([0, *sizes[:-1]])
    x = {part: (codes + offset).astype(np.int32) for part, (codes, _) in data.items()}
    hyper: dict[str, Any] = {"reg": args.reg, "learning_rate": args.learning_rate, "precision": args.precision}
    if args.model != "LR":
        hyper |= {"n_factors": args.embedding}
    if args.model == "DeepFM":
        hyper |= {"hidden": tuple(args.hidden), "dropout": args.dropout}
    if args.model == "FinalMLP":  # user and item, the first two fields, set the gates
        hyper |= {"dropout": args.dropout, "contexts": ((0,), (1,))}
    net = getattr(clicknets, args.model)(
        epochs=args.epochs, batch_size=args.batch, patience=args.patience, seed=args.seed, device=args.device, **hyper
    )
    net.fit(x["train"], data["train"][1], sizes=sizes, validation=(x["valid"], data["valid"][1]), log=say)
    seconds = [epoch["seconds"] for epoch in net.history_]
    best = max(epoch["score"] for epoch in net.history_)
    p = net.predict_proba(x["test"])
    return {"library": "smlab", "seconds": seconds, "validation_auc": best, "predictions": p}


def fuxictr(data: dict[str, Part], sizes: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    from fuxictr.features import FeatureMap
    from fuxictr.pytorch.dataloaders import RankDataLoader
    from fuxictr.pytorch.layers import FactorizationMachine, FeatureEmbedding, MLP_Block
    from fuxictr.pytorch.models import BaseModel
    from fuxictr.pytorch.torch_utils import seed_everything

    class DeepFM(BaseModel):
        def __init__(self, feature_map: Any, **kwargs: Any) -> None:
            super().__init__(feature_map, **kwargs)
            self.embedding_layer = FeatureEmbedding(feature_map, args.embedding)
            self.fm = FactorizationMachine(feature_map)
            self.mlp = MLP_Block(
                input_dim=feature_map.sum_emb_out_dim(), output_dim=1, hidden_units=args.hidden,
                hidden_activations="relu", output_activation=None, dropout_rates=args.dropout, batch_norm=True,
            ) if args.model == "DeepFM" else None  # fmt: skip
            self.eval_seconds = 0.0
            self.compile("adam", "binary_crossentropy", args.learning_rate)
            self.reset_parameters()
            self.model_to_device()

        def forward(self, inputs: Any) -> dict[str, torch.Tensor]:
            features = self.get_inputs(inputs)
            vectors = self.embedding_layer(features)
            z = self.fm(features, vectors)
            if self.mlp is not None:
                z = z + self.mlp(vectors.flatten(start_dim=1))
            return {"y_pred": self.output_activation(z)}

        def eval_step(self) -> None:
            started = time.perf_counter()
            super().eval_step()
            self.eval_seconds += time.perf_counter() - started

        def train_epoch(self, generator: Any) -> None:
            started, before = time.perf_counter(), self.eval_seconds
            super().train_epoch(generator)
            seconds.append(time.perf_counter() - started - (self.eval_seconds - before))
            say(f"epoch {len(seconds)}: {self._best_metric:.5f}, {seconds[-1]:.2f} s")

    seconds: list[float] = []
    seed_everything(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "frappe").mkdir()  # where it keeps its best weights
        paths = {}
        for part, (codes, clicks) in data.items():
            paths[part] = f"{folder}/{part}.npz"
            columns: dict[str, Any] = {f: codes[:, j] for j, f in enumerate(FIELDS)}
            np.savez(paths[part], **columns, label=clicks)
        feature_map = FeatureMap("frappe", folder)
        feature_map.labels = ["label"]
        for f, size in zip(FIELDS, sizes, strict=True):
            spec = {"source": "", "type": "categorical", "vocab_size": int(size), "padding_idx": 0}
            feature_map.features[f] = spec
        feature_map.num_fields, feature_map.default_emb_dim = len(FIELDS), args.embedding
        feature_map.set_column_index()
        loader = {"batch_size": args.batch, "num_workers": args.workers, "data_format": "npz"}
        train, valid = RankDataLoader(
            feature_map, stage="train", train_data=paths["train"], valid_data=paths["valid"], shuffle=True, **loader
        )
        test = RankDataLoader(feature_map, stage="test", test_data=paths["test"], shuffle=False, **loader)
        model = DeepFM(
            feature_map, model_root=folder, metrics=["AUC", "logloss"], verbose=0,
            gpu=-1 if args.device == "cpu" else 0, embedding_regularizer=args.reg, early_stop_patience=args.patience,
        )  # fmt: skip
        model.fit(train, epochs=args.epochs, validation_data=valid)
        best, p = float(model._best_metric), model.predict(test)
        return {"library": "fuxictr", "seconds": seconds, "validation_auc": best, "predictions": p}


def deepctr(data: dict[str, Part], sizes: np.ndarray, args: argparse.Namespace) -> dict[str, Any]:
    from deepctr_torch.inputs import SparseFeat
    from deepctr_torch.models import DeepFM

    columns = [SparseFeat(f, int(n), embedding_dim=args.embedding) for f, n in zip(FIELDS, sizes, strict=True)]
    model = DeepFM(
        columns, columns, dnn_hidden_units=tuple(args.hidden), dnn_dropout=args.dropout, dnn_use_bn=True,
        l2_reg_linear=args.reg / 2, l2_reg_embedding=args.reg / 2, seed=args.seed, device=args.device,
    )  # fmt: skip
    model.compile(torch.optim.Adam(model.parameters(), lr=args.learning_rate), "binary_crossentropy")
    feed = {part: {f: codes[:, j] for j, f in enumerate(FIELDS)} for part, (codes, _) in data.items()}
    seconds = []
    for epoch in range(args.epochs):  # it has no early stop on validation with a falling rate: all epochs
        started = time.perf_counter()
        model.fit(feed["train"], data["train"][1], batch_size=args.batch, epochs=1, verbose=0, shuffle=True)
        seconds.append(time.perf_counter() - started)
        say(f"epoch {epoch + 1}: {seconds[-1]:.2f} s")
    p = model.predict(feed["test"], batch_size=args.batch).ravel()
    return {"library": "deepctr-torch", "seconds": seconds, "validation_auc": None, "predictions": p}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the three libfm files")
    parser.add_argument("--ours", action="store_true", help="smlab instead of the peer")
    parser.add_argument("--peer", choices=["fuxictr", "deepctr"], default="fuxictr")
    parser.add_argument("--model", choices=["LR", "FM", "DeepFM", "FinalMLP"], default="DeepFM")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--embedding", type=int, default=10)
    parser.add_argument("--hidden", type=int, nargs="*", default=[400, 400, 400])
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--reg", type=float, default=0.05, help="λ of λ/2 ‖embeddings‖², the board's default")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--workers", type=int, default=0, help="loader processes of FuxiCTR; 0 was fastest on two cores"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="ours alone")
    args = parser.parse_args()
    if not args.ours and args.model not in ("FM", "DeepFM"):
        parser.error(f"--model {args.model} is ours alone; add --ours")
    torch.set_num_threads(args.threads)
    data, sizes = read(args.data)
    run = ours if args.ours else {"fuxictr": fuxictr, "deepctr": deepctr}[args.peer]
    result = run(data, sizes, args)
    seconds = statistics.median(result["seconds"][1:] or result["seconds"])
    line = {k: v for k, v in vars(args).items() if k not in ("data", "ours", "peer")}
    line |= {
        "library": result["library"],
        "validation_auc": result["validation_auc"],
        "epochs": len(result["seconds"]),
        "seconds_per_epoch": round(seconds, 3),
    }
    line |= {"rows_per_second": round(len(data["train"][1]) / seconds)}
    print(json.dumps(line | metrics(data["test"][1], result["predictions"])))


if __name__ == "__main__":
    main()
