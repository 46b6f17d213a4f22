"""What `smlab outbox` does: list, show, approve, reject, publish. Without --to, publishing is a rehearsal."""

from __future__ import annotations

import argparse
import getpass
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from smlab.checks import UsageError, nearest, shorten

if TYPE_CHECKING:
    from smlab.outbox import Outbox

STATES = ("proposed", "approved", "claimed", "released", "unsure", "published", "rejected", "expired", "failed")
STEERING = ("Cc", "Cf", "Zl", "Zp", "Cs")  # control, format, separators of lines, half signs


def run(options: argparse.Namespace) -> int:
    """Do what the words ask for and give the exit code."""
    from smlab.outbox import Outbox

    path = options.file or Path(os.environ.get("SMLAB_OUTBOX", "outbox.db"))
    if not path.exists():
        raise UsageError(f"there is no outbox {path}; name it by --file or SMLAB_OUTBOX")
    with Outbox(path) as box:
        return int(ACTIONS[options.action](box, options))


def _list(box: Outbox, options: argparse.Namespace) -> int:
    for state in options.states:
        if state not in STATES:
            raise UsageError(f"unknown state {state!r}: {nearest(state, STATES)}")
    table = box.table(*options.states)
    for row in table.to_dict("records"):
        when = "" if row["due"] != row["due"] else f", for {row['due']:%Y-%m-%d %H:%M} UTC"  # NaT is not itself
        print(f"{row['key']}\n  {row['state']} by {harmless(row['who'])}, {row['at']:%Y-%m-%d %H:%M} UTC{when}")
        channel = f"{harmless(row['channel'])}: " if row["channel"] else ""
        print(f"  {channel}{shorten(harmless(row['text']), 100)}\n")
    counts = table["state"].value_counts()
    print(", ".join(f"{counts[s]:,} {s}" for s in STATES if s in counts) or "Nothing is here.")
    return 0


def _show(box: Outbox, options: argparse.Namespace) -> int:
    table = box.table().set_index("key")
    for key in options.keys:
        if key not in table.index:
            raise UsageError(f"there is no proposal {shorten(key)!r}; {nearest(key, table.index)}")
        print(key)
        for name in ("channel", "maker", "why", "text"):
            print(f"  {name}: {harmless(str(table.loc[key, name]))}")
        for event in box.history(key).to_dict("records"):
            note = f": {harmless(event['note'])}" if event["note"] else ""
            print(f"  {event['at']:%Y-%m-%d %H:%M:%S} UTC  {event['state']} by {harmless(event['who'])}{note}")
        print()
    return 0


def _decide(box: Outbox, options: argparse.Namespace) -> int:
    act = {"approve": box.approve, "reject": box.reject}[options.action]
    n = act(*options.keys, who=options.who or user(), note=options.note)
    print(f"{n} {'approved' if options.action == 'approve' else 'rejected'}")
    return 0


def _publish(box: Outbox, options: argparse.Namespace) -> int:
    from smlab.publishers import DryRun, ToMastodon

    rehearsal = options.dry_run or options.to is None
    out = options.out or box.path.with_suffix(".dry-run.jsonl")
    publisher = DryRun(out) if rehearsal else ToMastodon(options.to)
    # What was meant for another network must not go to this one.
    channel = options.channel or (None if rehearsal else "mastodon")
    done = box.publish(publisher, who=options.who or user(), channel=channel, limit=options.limit)
    for row in done.to_dict("records"):
        state = "would go" if rehearsal and row["state"] == "published" else row["state"]
        print(f"{row['key']}\n  {state}: {harmless(row['note'])}")
    good = int((done["state"] == "published").sum())
    if rehearsal:
        print(f"{good} would go, nothing was sent: {out}. To send them: smlab outbox publish --to https://…")
    else:
        print(f"{good} published, {len(done) - good} not")
    return int(good < len(done))


def user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise UsageError("say who decides: --who NAME") from None


def harmless(text: str) -> str:
    r"""Write a text so that it can neither steer a terminal nor turn its lines around.

    >>> harmless("red \x1b[31m, two\nlines")
    'red \\x1b[31m, two\\nlines'
    """
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in STEERING and c != "\u200d" else c for c in text)


ACTIONS = {"list": _list, "show": _show, "approve": _decide, "reject": _decide, "publish": _publish}
