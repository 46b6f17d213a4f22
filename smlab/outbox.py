"""What may go out: proposals that a person approves, and one publisher that takes each of them once.

How often does a post go out? No sender can make it exactly once alone: it may die after the network has taken the
post and before it could write that down. So a claim is on disk *before* anything is sent, with a lease:

    claimed until t  →  send, with an idempotency key that is the same for ever  →  published, with the receipt

A claim whose lease has run out counts as perhaps published, as does one that got no answer. Whoever takes it over
sends the same key and looks first whether the post is there. What goes out, goes out once if the receiver honours the
key or shows what it has; a crash at any moment does not double it. Two requests that reach a receiver at the same
moment, and a receiver that has the post but neither knows the key nor shows it, are beyond every sender.

The states and the file are in `ledger.py`, what sends in `publishers.py`.

References: Gray (1978), Notes on data base operating systems; Gray & Cheriton (1989), Leases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from smlab.checks import SmlabError, UsageError, shorten
from smlab.ledger import STEPS, Ledger, moment, stamp, text

if TYPE_CHECKING:
    import pandas as pd

IN_A_ROW = 3  # unsure answers after which a publisher is left alone
APPROVED = ("approved", "claimed", "released", "unsure", "published")  # to approve these again changes nothing
MAYBE_OUT = ("claimed", "unsure")
COLUMNS = "key, state, channel, due, text, maker, why, who, at, note"
READY = """(state = 'approved' OR (state IN ('claimed', 'released', 'unsure') AND coalesce(until, '') <= :now))
    AND (due IS NULL OR due <= :now)"""
EVENTS = "(SELECT count(*) FROM events WHERE proposal = latest.id AND events.state = '{}')"
TRIES = f"({EVENTS.format('claimed')} - {EVENTS.format('released')})"


class Proposal(NamedTuple):
    """Something that may go out. `key` names it for ever; `when` is in UTC, None is as soon as it is approved."""

    key: str
    text: str
    channel: str = ""
    when: datetime | None = None
    maker: str = ""
    why: str = ""


class Claim(NamedTuple):
    """One proposal that is to be sent now.

    Parameters
    ----------
    key : for the receiver, which takes it once; no other proposal of any outbox has it
    since : when an earlier try began that may have got through: look before sending; None if there was none
    until : no request may begin after this; somebody else may hold the claim then
    known : gives receipts of the same text under other keys, so that a look does not take one of those for this
    """

    post: Proposal
    key: str
    since: datetime | None
    until: datetime
    known: Callable[[], frozenset[str]]


class Publisher(Protocol):
    """What sends. A rehearsal changes nothing in the outbox."""

    rehearsal: bool

    def send(self, claim: Claim) -> str:
        """Send it, or find that it is there; return a receipt. Raise `Later`, `Refused` or `Unsure`."""


class Later(SmlabError):
    """It was not taken, surely, and nothing else will be for `seconds`."""

    def __init__(self, problem: str, seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.seconds = seconds


class Refused(SmlabError):
    """It was not taken, and never will be."""


class Unsure(SmlabError):
    """Nobody knows whether it was taken."""


class Outbox:
    """The outbox in one file, for any number of processes at once.

    Parameters
    ----------
    path : of the file, which is made if it is not there
    timeout : seconds to wait for other processes
    clock : says what time it is

    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> box = Outbox(Path(folder.name) / "outbox.db")
    >>> box.propose(Proposal("monday", "Good morning!"), Proposal("friday", "At last"), who="model")
    2
    >>> box.approve("monday", who="Ann")
    1
    >>> box.table()[["key", "state", "who"]].values.tolist()
    [['monday', 'approved', 'Ann'], ['friday', 'proposed', 'model']]
    """

    def __init__(
        self, path: str | Path, *, timeout: float = 30.0, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path, self.clock = Path(path), clock
        self.ledger = Ledger(self.path, timeout=timeout, clock=clock)

    def __repr__(self) -> str:
        return f"Outbox({str(self.path)!r})"

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()

    def propose(self, *proposals: Proposal, who: str) -> int:
        """Put proposals in, all of them or none, and say how many are new.

        The same key with the same content is the same proposal, so a program that was killed may simply run again.
        """
        rows, new = [_row(p) for p in proposals], 0
        with self.ledger.writing():
            for row in rows:
                found = self.ledger.one("SELECT * FROM proposals WHERE key = ?", (row["key"],))
                if found is None:
                    self.ledger.event(self.ledger.put("proposals", **row), "proposed", who)
                    new += 1
                elif other := [name for name in row if found[name] != row[name]]:
                    name = other[0].replace("due", "time")
                    raise UsageError(f"key {row['key']!r} is taken by a proposal with another {name}; take a new key")
        return new

    def approve(self, *keys: str, who: str, note: str = "") -> int:
        """Allow proposals to go out, all of them or none; say for how many that is new."""
        return self._decide("approved", APPROVED, keys, who, note)

    def reject(self, *keys: str, who: str, note: str = "") -> int:
        """Forbid proposals to go out, approved ones too; say for how many that is new.

        One that is on its way cannot be called back. One of which nobody knows whether it is out is not tried again,
        and the note says that it may be out.
        """
        return self._decide("rejected", ("rejected",), keys, who, note)

    def pending(self) -> pd.DataFrame:
        """Show what waits for a person."""
        return self.table("proposed")

    def table(self, *states: str) -> pd.DataFrame:
        """Show each proposal with its state, who brought it there and when; only some states if named."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        return self.ledger.frame(f"SELECT {COLUMNS} FROM latest {where} ORDER BY id", states)

    def history(self, key: str | None = None) -> pd.DataFrame:
        """Show every event in its order, or those of one proposal."""
        query = "SELECT p.key, e.state, e.who, e.at, e.until, e.note FROM events e JOIN proposals p ON p.id = proposal"
        return self.ledger.frame(f"{query} WHERE :key IN (p.key, '') ORDER BY e.id", {"key": key or ""})

    def publish(
        self,
        publisher: Publisher,
        *,
        who: str = "smlab",
        channel: str | None = None,
        limit: int | None = None,
        lease: float = 600.0,
        late: float = 86400.0,
        most: int = 8,
    ) -> pd.DataFrame:
        """Send what is approved and due, one after another; give a row for each: key, state, note.

        Parameters
        ----------
        channel : only what is for it; None takes all
        limit : at most so many
        lease : seconds that one proposal may take; the publisher's patience has to fit into it, and it into the time
            for which the receiver remembers keys (an hour for Mastodon)
        late : seconds after its time at which a proposal expires instead
        most : tries after which one that may be out is failed, and a person has to look
        """
        import pandas as pd

        now, unsure = stamp(self.clock()), 0
        rows: list[list[str]] = []
        query = f"SELECT id FROM latest WHERE {READY} AND :channel IN (channel, '') ORDER BY {TRIES}, due, id"
        for (proposal,) in self.ledger.rows(query, {"now": now, "channel": channel or ""}):
            if len(rows) == limit or unsure == IN_A_ROW:
                break
            row = self._claim(proposal, who, lease, late, most, publisher.rehearsal)
            if isinstance(row, tuple):
                row = self._send(publisher, *row, who)
            if row:
                rows.append(row)
                unsure = unsure + 1 if row[1] == "unsure" else 0
                if row[1] == "released":
                    break
        return pd.DataFrame(rows, columns=["key", "state", "note"])

    def _claim(
        self, proposal: int, who: str, lease: float, late: float, most: int, rehearsal: bool
    ) -> tuple[int, Claim] | list[str] | None:
        """Claim one proposal if it is still ready: number of the event and claim, a row on why not, or nothing."""
        now, book = self.clock(), self.ledger
        with book.writing():
            query = f"SELECT *, {TRIES} AS tries FROM latest WHERE id = :id AND {READY}"
            row = book.one(query, {"id": proposal, "now": stamp(now)})
            if row is None or (rehearsal and row["state"] in MAYBE_OUT):
                return None
            # Two of the same text on their way at once could not be told apart by a look.
            query = "SELECT 1 FROM latest WHERE twin = ? AND id <> ? AND state IN ('claimed', 'unsure')"
            if book.one(query, (row["twin"], proposal)):
                return None
            maybe, end = row["state"] in MAYBE_OUT, ""
            if not maybe and row["due"] and row["due"] < str(stamp(now - timedelta(seconds=late))):
                end, note = "expired", f"its time was over by more than {late / 3600:g} hours"
            elif maybe and row["tries"] >= most:
                end, note = "failed", f"{row['tries']} tries, and it may be out: look, and propose it anew if it is not"
            if end:
                if not rehearsal:
                    book.event(proposal, end, who, note)
                return [row["key"], end, note]
            until = now + timedelta(seconds=lease)
            event = 0 if rehearsal else book.event(proposal, "claimed", who, until=until)
            return event, self._claimed(row, until, self._since(proposal) if maybe else None)

    def _claimed(self, row: Any, until: datetime, since: datetime | None) -> Claim:
        def known() -> frozenset[str]:
            query = "SELECT note FROM latest WHERE twin = ? AND id <> ? AND state = 'published'"
            return frozenset(note for (note,) in self.ledger.rows(query, (row["twin"], row["id"])))

        post = Proposal(row["key"], row["text"], row["channel"], moment(row["due"]), row["maker"], row["why"])
        key = hashlib.sha256(f"{self.ledger.id} {post.key}".encode()).hexdigest()[:40]
        return Claim(post, key, since, until, known)

    def _since(self, proposal: int) -> datetime | None:
        """Say when the first try began that may have got through."""
        query = """SELECT min(at) FROM events WHERE proposal = :p AND state = 'claimed' AND id >
            coalesce((SELECT max(id) FROM events WHERE proposal = :p AND state = 'released'), 0)"""
        return moment(self.ledger.one(query, {"p": proposal})[0])

    def _send(self, publisher: Publisher, event: int, claim: Claim, who: str) -> list[str]:
        """Send one claimed proposal and write down what came of it.

        Any other error than these three leaves the claim as a crash does: perhaps published.
        """
        until = None
        try:
            state, note = "published", publisher.send(claim)
        except Refused as problem:
            state, note = "failed", str(problem)
        except Unsure as problem:
            state, note = "unsure", str(problem)
        except Later as problem:
            state, note, until = "released", str(problem), self.clock() + timedelta(seconds=problem.seconds)
        if not publisher.rehearsal:
            with self.ledger.writing():
                query = "SELECT id, event, state FROM latest WHERE key = ?"
                proposal, last, now = self.ledger.one(query, (claim.post.key,))
                # Where the lease ran out and somebody else went on, only that it is out is news.
                if last == event or (state == "published" != now):
                    self.ledger.event(proposal, state, who, note, until)
        return [claim.post.key, state, note]

    def _decide(self, state: str, done: tuple[str, ...], keys: tuple[str, ...], who: str, note: str) -> int:
        new, book = 0, self.ledger
        with book.writing():
            for key in keys:
                row = book.one("SELECT id, state, until FROM latest WHERE key = ?", (text("key", key),))
                if row is None:
                    raise UsageError(f"there is no proposal {shorten(key)!r}")
                if row["state"] in done:
                    continue
                if row["state"] == "claimed" and row["until"] > str(stamp(self.clock())):
                    raise UsageError(f"{key!r} is being published right now and cannot be {state}")
                if state not in STEPS.get(row["state"], "").split():
                    raise UsageError(f"{key!r} is {row['state']} and cannot be {state}")
                maybe = "it may be out already" if row["state"] in MAYBE_OUT else ""
                book.event(row["id"], state, who, "; ".join(filter(None, (note, maybe))))
                new += 1
        return new


def _row(p: Proposal) -> dict[str, str | None]:
    """Give the row of a proposal, its texts checked; twins share what people will see."""
    row: dict[str, str | None] = {n: text(n, getattr(p, n)) for n in ("key", "text", "channel", "maker", "why")}
    if not p.key.strip() or len(p.key) > 200 or not p.key.isprintable():
        raise UsageError(f"key {shorten(p.key)!r} must have 1 to 200 printable signs")
    if not p.text.strip():
        raise UsageError(f"proposal {p.key!r} has no text")
    twin = hashlib.sha256(f"{p.channel}\0{p.text}".encode()).hexdigest()
    return row | {"due": stamp(p.when), "twin": twin}
