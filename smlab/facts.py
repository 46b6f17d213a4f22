"""What `run.json` says about a run, in the words and numbers that pages show."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from smlab.sanitize import settle

STATUS = {
    "ok": "Finished",
    "failed": "Failed",
    "killed": "Killed",
    "timeout": "Ran out of time",
    "interrupted": "Interrupted",
    "running": "Still running",
    "unreadable": "Unreadable",
}
_WHY = {
    "failed": "A cell raised an error, and the cells after it did not run.",
    "killed": "The kernel died, perhaps for want of memory; what follows is what it had done by then.",
    "timeout": "The run reached its time limit; what follows is what it had done by then.",
    "interrupted": "The run was stopped from outside; what follows is what it had done by then.",
    "running": "This page was written before the run had ended.",
}


@dataclass(frozen=True)
class Metric:
    """A figure to show, in words and as a number; `share` and `span` draw its bar and its interval in %."""

    name: str
    text: str
    interval: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    ours: bool = True
    share: float | None = None
    span: tuple[float, float] | None = None


_TEXTS = ("id", "notebook", "title", "status", "headline", "started", "device", "commit")
_TABLES = ("parameters", "given", "metrics", "reference", "data", "versions", "error")


def read(path: Path) -> dict[str, Any] | None:
    """Return the content of a `run.json`, or None where there is none that can be read.

    Fields of the wrong kind are left out, and no text in it can turn the direction of the text around it.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(run, dict):
        return None
    tidy = {name: _settled(value) for name, value in run.items()}
    texts = {name: tidy[name] for name in _TEXTS if isinstance(tidy.get(name), str)}
    tables = {name: tidy[name] for name in _TABLES if isinstance(tidy.get(name), dict)}
    rest = {name: value for name, value in tidy.items() if name not in (*_TEXTS, *_TABLES)}
    return texts | tables | rest


def _settled(value: Any) -> Any:
    if isinstance(value, str):
        return settle(value)
    if isinstance(value, dict):
        return {settle(str(name)): _settled(inner) for name, inner in value.items()}
    return [_settled(inner) for inner in value] if isinstance(value, list) else value


def number(value: object) -> str:
    """Return a value as a reader wants it: four digits after the point where they mean something.

    >>> [number(v) for v in (0.48713, 12.5, 100000, 3, 1e-7, True, None, "cpu", 0.0)]
    ['0.4871', '12.50', '100,000', '3', '1e-07', 'yes', '—', 'cpu', '0']
    """
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    size = abs(value)
    return f"{value:{'.3g' if size < 0.001 else '.4f' if size < 10 else '.2f' if size < 10_000 else ',.0f'}}"


def literal(value: object) -> str:
    """Return a parameter as one would write it on the command line; nothing is rounded.

    >>> literal([1, 2]), literal(True), literal(0.1), literal(None), literal("ml-100k")
    ('[1, 2]', 'true', '0.1', 'none', 'ml-100k')
    """
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def duration(seconds: object) -> str:
    """Return seconds in words.

    >>> duration(0.04), duration(12.34), duration(185), duration(3720), duration(None)
    ('0.0 s', '12.3 s', '3 min 05 s', '1 h 02 min', '')
    """
    if not _is_number(seconds):
        return ""
    value = float(seconds)  # type: ignore[arg-type]
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: object) -> str:
    """Return an ISO time as a day and a time in UTC.

    >>> moment("2026-11-22T14:03:09+00:00"), moment("yesterday")
    ('22 Nov 2026, 14:03 UTC', 'yesterday')
    """
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text or "")
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def memory(megabytes: object) -> str:
    """Return megabytes in words.

    >>> memory(512.3), memory(2300)
    ('512 MB', '2.3 GB')
    """
    if not _is_number(megabytes):
        return ""
    value = float(megabytes)  # type: ignore[arg-type]
    return f"{value:.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"


def metrics(run: Mapping[str, Any]) -> list[Metric]:
    """Return the recorded figures: the headline, those named like it (`ease_ndcg`, `ease_map`), the rest."""
    recorded = _dict(run.get("metrics"))
    headline = str(run.get("headline") or "")
    family = headline.rpartition("_")[0] + "_"
    names = sorted(recorded, key=lambda name: (name != headline, not str(name).startswith(family)))
    return [_metric(str(name), recorded[name]) for name in names]


def _metric(name: str, value: object, ours: bool = True) -> Metric:
    if isinstance(value, dict):
        middle, low, high = (value.get(key) for key in ("value", "low", "high"))
        if _is_number(low) and _is_number(high):
            interval = f"{number(low)} to {number(high)}"
            return Metric(name, number(middle), interval, _float(middle), _float(low), _float(high), ours)
        value = middle
    return Metric(name, number(value), value=_float(value), ours=ours)


def headline(run: Mapping[str, Any]) -> Metric | None:
    """Return the headline figure, or None where the run names none."""
    name = run.get("headline")
    recorded = _dict(run.get("metrics"))
    return _metric(str(name), recorded[name]) if isinstance(name, str) and name in recorded else None


def references(run: Mapping[str, Any]) -> list[Metric]:
    """Return the published figures that stand beside the headline, largest first; none beside sample data."""
    known = {} if run.get("offline") else _dict(run.get("reference"))
    shown = [_metric(str(name), value, ours=False) for name, value in known.items()]
    return sorted(shown, key=lambda metric: -(metric.value if metric.value is not None else -math.inf))


_LOWER = re.compile(r"loss|error|deviance|perplexity|brier|seconds|(?:^|[^a-z])(?:r?mse|mae|s?mape|mase|ece)")


def lower_is_better(name: str) -> bool:
    """Tell by its name whether a figure is the better the lower it is.

    >>> lower_is_better("RMSE"), lower_is_better("log-loss"), lower_is_better("nDCG@10")
    (True, True, False)
    """
    return _LOWER.search(name.lower()) is not None


def ranked(ours: Metric, published: list[Metric]) -> list[Metric]:
    """Return all figures, best first, with the lengths in % of a bar from zero and of the interval."""
    rows = [ours, *published]
    sign = 1 if lower_is_better(ours.name) else -1
    rows.sort(key=lambda metric: sign * metric.value if metric.value is not None else math.inf)
    values = [x for row in rows for x in (row.value, row.low, row.high) if x is not None]
    top = max(values, default=0.0)
    if top <= 0 or min(values) < 0:
        return rows
    return [replace(row, share=_percent(row.value, top), span=_span(row, top)) for row in rows]


def _percent(value: float | None, top: float) -> float | None:
    return None if value is None else round(100 * value / top, 2)


def _span(row: Metric, top: float) -> tuple[float, float] | None:
    if row.low is None or row.high is None:
        return None
    return round(100 * row.low / top, 2), round(100 * max(row.high - row.low, 0) / top, 2)


def parameters(run: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Return name, value and whether it was given, for every parameter."""
    given = _dict(run.get("given"))
    values = _dict(run.get("parameters"))
    values = {**values, **{name: value for name, value in given.items() if name not in values}}
    return [(str(name), literal(value), name in given) for name, value in values.items()]


def given(run: Mapping[str, Any]) -> str:
    """Return the parameters that were given, as on the command line."""
    return ", ".join(f"{name}={literal(value)}" for name, value in _dict(run.get("given")).items())


def environment(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts of a run beside its parameters, as pairs of a name and a text; empty ones left out."""
    versions = ", ".join(f"{name} {version}" for name, version in _dict(run.get("versions")).items())
    gpu = memory(run.get("gpu_peak_mb"))
    peak = memory(run.get("peak_memory_mb")) + (f", GPU {gpu}" if gpu else "")
    pairs = [
        ("Data", _data(_dict(run.get("data")))),
        ("Device", str(run.get("device") or "")),
        ("Started", moment(run.get("started"))),
        ("Time", duration(run.get("seconds"))),
        ("Peak memory", peak),
        ("Versions", versions),
        ("Commit", _commit(str(run.get("commit") or ""))),
        ("Run", str(run.get("id") or "")),
    ]
    return [(name, text) for name, text in pairs if text]


_ORIGINS = {"cache": "downloaded", "data-dir": "your own copy", "sample": "sample made by smlab"}


def _commit(text: str) -> str:
    """Cut the hash, but not what is said of it, such as " with changes"."""
    commit, space, remark = text.partition(" ")
    return commit[:12] + space + remark[:40]


def _data(data: Mapping[str, Any]) -> str:
    rows = data.get("rows")
    parts = [
        str(data.get("title") or data.get("name") or ""),
        f"{number(rows)} rows" if rows else "",
        _ORIGINS.get(str(data.get("origin")), str(data.get("origin") or "")),
        f"licence: {data['licence']}" if data.get("licence") else "",
        f"fingerprint {str(data['fingerprint'])[:12]}" if data.get("fingerprint") else "",
    ]
    return "; ".join(part for part in parts if part)


def trouble(run: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the words of a run that did not end well: what, why, and the error's sentence."""
    status = str(run.get("status") or "ok")
    if status == "ok":
        return None
    error = _dict(run.get("error"))
    cell = f" in cell {error['cell']}" if error.get("cell") is not None else ""
    cell += f", “{error['section']}”" if cell and error.get("section") else ""
    sentence = ": ".join(str(error[key]) for key in ("name", "message") if error.get(key))
    return STATUS.get(status, status) + cell, _WHY.get(status, ""), sentence


def _dict(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _float(value: object) -> float | None:
    return float(value) if _is_number(value) else None  # type: ignore[arg-type]
