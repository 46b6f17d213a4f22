"""Run a peer library beside ours: the same files, the same sizes, the same machine, one after the other.

A peer is never a dependency. Its script in `bench/` prints one JSON line and runs in this environment (with the
extra `peers`) or in the one whose Python `SMLAB_PEERS` names.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smlab.checks import DataAbsent, SmlabError, shorten
from smlab.progress import say

HINT = "pip install -e .[peers], or name the Python of another environment that has it by SMLAB_PEERS"


def measure(command: Sequence[str], root: Path, data: Path, *, aloud: bool = True) -> dict[str, Any]:
    """Run one script of the project and give the JSON object of its last line.

    Parameters
    ----------
    command : script below `root` and its arguments, `{data}` for the folder of the dataset

    Raises
    ------
    DataAbsent
        If the environment lacks the peer; how to get it.
    SmlabError
        If the script fails or prints something else, with its last words.
    """
    words = [word.replace("{data}", str(data)) for word in command]
    python = os.environ.get("SMLAB_PEERS") or sys.executable
    if aloud:
        say(f"running {' '.join(command)} …")
    done = subprocess.run([python, *words], cwd=root, capture_output=True, text=True)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no word"])[-1]
        if "ModuleNotFoundError" in reason:
            raise DataAbsent(f"the peer is not installed ({reason}): {HINT}")
        raise SmlabError(f"{command[0]} ended with exit code {done.returncode}: {shorten(reason, 200)}")
    try:
        found = json.loads(last)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SmlabError(f"{command[0]} printed no JSON object in its last line: {shorten(last, 80)!r}")
    return found


def ratio(pair: Mapping[str, Any], root: Path, data: Path, *, aloud: bool = True) -> dict[str, Any]:
    """Run ours and the peer in turn, `rounds` times, and give both figures and their ratio.

    Returns
    -------
    `ours`, `peer` (medians of the figure), and `ratio` with value (median), low and high over the rounds, because
    a machine's speed drifts and only figures of one round can be compared
    """
    name = pair["figure"]
    figures = {side: [] for side in ("ours", "peer")}  # type: dict[str, list[float]]
    for _ in range(int(pair.get("rounds", 3))):
        for side, found in figures.items():
            found.append(float(measure(pair[side], root, data, aloud=aloud)[name]))
    ratios = [a / b for a, b in zip(figures["ours"], figures["peer"], strict=True)]
    middle = {side: statistics.median(found) for side, found in figures.items()}
    return {**middle, "ratio": {"value": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}}
