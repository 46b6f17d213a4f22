"""An SQLite file that only grows: proposals, the events that befell them, and the steps that are allowed.

    proposed → approved → claimed → published         a publisher has taken it, and given a receipt
        ↘         ↘          ├→ released → claimed …  not taken, surely: too many requests, no permission
         rejected, expired   ├→ unsure → claimed …    nobody knows: no answer came
                             └→ failed                refused for good, or unsure too often

A row is never changed and never deleted, and no other step is taken, whoever writes: triggers refuse it. The state of
a proposal is its last event, with who and when. Who owns the file can remove the triggers; they guard against
mistakes, not against the owner.

The journal is SQLite's rollback journal, not its WAL: the file alone is the whole truth when nobody writes, it can be
read in a folder that is write-protected, and in SQLite 3.7.0 to 3.51.2 a WAL can be damaged by two processes that
write at once (its "WAL-reset bug"), which is our case. `synchronous=FULL` with a truncated journal survives loss of
power as far as the disk keeps its promises.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smlab.checks import DataError, UsageError, shorten

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 0x736D6C62  # "smlb" in the header of the file
STEPS = {
    "": "proposed",
    "proposed": "approved rejected expired",
    "approved": "claimed rejected expired",
    "claimed": "claimed released unsure failed rejected",
    "released": "claimed rejected expired",
    "unsure": "claimed failed rejected",
}
ALLOWED = ", ".join(f"('{before}', '{after}')" for before, ends in STEPS.items() for after in ends.split())
BEFORE = "coalesce((SELECT state FROM events WHERE proposal = NEW.proposal ORDER BY id DESC LIMIT 1), '')"
REFUSE = "BEGIN SELECT RAISE(ABORT, 'the file only grows: {}'); END"
SCHEMA = [
    f"PRAGMA application_id = {FORMAT}",
    "CREATE TABLE box (id TEXT NOT NULL)",
    """CREATE TABLE proposals (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, text TEXT NOT NULL,
    channel TEXT NOT NULL, due TEXT, maker TEXT NOT NULL, why TEXT NOT NULL, twin TEXT NOT NULL)""",
    "CREATE INDEX twins ON proposals (twin)",
    """CREATE TABLE events (id INTEGER PRIMARY KEY, proposal INTEGER NOT NULL REFERENCES proposals,
    state TEXT NOT NULL, who TEXT NOT NULL CHECK (who <> ''), at TEXT NOT NULL, until TEXT, note TEXT NOT NULL)""",
    "CREATE INDEX of_proposal ON events (proposal, id)",
    "CREATE UNIQUE INDEX once ON events (proposal) WHERE state = 'published'",
    *(
        f"CREATE TRIGGER {table}_{what} BEFORE {what} ON {table} {REFUSE.format('no ' + what)}"
        for table in ("box", "proposals", "events")
        for what in ("UPDATE", "DELETE")
    ),
    # INSERT OR REPLACE deletes without asking the triggers above.
    f"""CREATE TRIGGER same_key BEFORE INSERT ON proposals
    WHEN EXISTS (SELECT 1 FROM proposals WHERE id = NEW.id OR key = NEW.key) {REFUSE.format("the key is there")}""",
    # That something is out is written down whatever was decided meanwhile.
    f"""CREATE TRIGGER steps BEFORE INSERT ON events
    WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id) OR CASE NEW.state
        WHEN 'published' THEN {BEFORE} = 'published' OR NOT EXISTS
            (SELECT 1 FROM events WHERE proposal = NEW.proposal AND state = 'claimed')
        ELSE ({BEFORE}, NEW.state) NOT IN (VALUES {ALLOWED}) END {REFUSE.format("no such step")}""",
    f"""CREATE TRIGGER in_order AFTER INSERT ON events
    WHEN NEW.id < (SELECT max(id) FROM events) {REFUSE.format("no event before the last")}""",
    """CREATE VIEW latest AS SELECT p.*, e.id AS event, e.state, e.who, e.at, e.until, e.note
    FROM proposals p JOIN events e ON e.id = (SELECT max(id) FROM events WHERE proposal = p.id)""",
]
SENTENCES = {
    "FULL": "the disk is full; nothing of this step was kept",
    "BUSY": "another process has held it for too long; nothing of this step was kept, try again",
    "LOCKED": "another process has held it for too long; nothing of this step was kept, try again",
    "READONLY": "cannot be written; check the rights of the file and its folder",
    "CANTOPEN": "cannot be opened; check that the folder exists and may be written",
    "CORRUPT": "is damaged; before publishing from an older copy, look what is out already",
    "NOTADB": "is no outbox, or is damaged",
    "IOERR": "the disk failed or is full; nothing of this step was kept",
    "TOOBIG": "cannot hold a text of this size",
}
Given = Mapping[str, Any] | Sequence[Any]


class Ledger:
    """The file: reading, and writing a step whole or not at all. Any number of processes may have it open.

    Parameters
    ----------
    path : of the file, which is made if it is not there
    timeout : seconds to wait for other processes
    clock : says what time it is

    Raises
    ------
    DataError
        where the file is damaged, is something else, is held for too long, or cannot be written.
    """

    def __init__(self, path: Path, *, timeout: float, clock: Callable[[], datetime]) -> None:
        self.path, self.clock = path, clock
        with self._telling():
            self._db = sqlite3.connect(path, timeout=timeout, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            for pragma in (
                "foreign_keys = ON",
                "journal_mode = TRUNCATE",
                "synchronous = FULL",
                "trusted_schema = OFF",
            ):
                self._db.execute(f"PRAGMA {pragma}")
            if not self._is_ours():
                self._create()
        self.id = str(self.one("SELECT id FROM box")[0])

    def close(self) -> None:
        self._db.close()

    def rows(self, query: str, given: Given = ()) -> list[sqlite3.Row]:
        with self._telling():
            return self._db.execute(query, given).fetchall()

    def one(self, query: str, given: Given = ()) -> Any:
        """Give the first row, or None."""
        with self._telling():
            return self._db.execute(query, given).fetchone()

    def frame(self, query: str, given: Given = ()) -> pd.DataFrame:
        """Give the rows as a table, times in UTC without a zone."""
        import pandas as pd  # here, so that the command line starts at once

        with self._telling():
            found = self._db.execute(query, given)
            frame = pd.DataFrame([tuple(row) for row in found], columns=[c[0] for c in found.description])
        for name in {"due", "at", "until"} & set(frame.columns):
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").dt.tz_localize(None)
        return frame

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Do all that is within, or nothing of it; no other process writes meanwhile."""
        with self._telling():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def put(self, table: str, **row: object) -> int:
        """Add a row and return its number."""
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        done = self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
        return int(done.lastrowid or 0)

    def event(self, proposal: int, state: str, who: str, note: str = "", until: datetime | None = None) -> int:
        """Add an event, with who and when, and return its number."""
        if not text("who", who).strip():
            raise UsageError(f"say who: {state} by nobody is not kept")
        at, end = stamp(self.clock()), stamp(until)
        return self.put("events", proposal=proposal, state=state, who=who, at=at, until=end, note=text("note", note))

    def _is_ours(self) -> bool:
        """Say whether the file holds an outbox; False where it is new and empty."""
        found = self._db.execute("PRAGMA application_id").fetchone()[0]
        if found != FORMAT and (found or self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]):
            raise DataError(self.path, SENTENCES["NOTADB"])
        return bool(found == FORMAT)

    def _create(self) -> None:
        with self.writing():
            if not self._is_ours():  # another process may have been faster
                for line in SCHEMA:
                    self._db.execute(line)
                self.put("box", id=uuid.uuid4().hex)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn SQLite's errors into sentences."""
        try:
            yield
        except sqlite3.Error as error:
            name = str(getattr(error, "sqlite_errorname", "")).removeprefix("SQLITE_")
            known = next((s for n, s in SENTENCES.items() if name.startswith(n)), f"SQLite says: {error}")
            raise DataError(self.path, known) from None


def text(name: str, value: object) -> str:
    """Check that a value is a text that UTF-8 can hold."""
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a text, not {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} {shorten(ascii(value))} holds half a sign, which UTF-8 cannot") from None
    return value


def stamp(when: datetime | None) -> str | None:
    """Write a time in UTC so that texts sort as times do; without a zone it is in UTC already.

    >>> stamp(datetime(2026, 3, 1, 12)), stamp(None)
    ('2026-03-01T12:00:00.000000Z', None)
    """
    if when is None or when != when:  # pandas' NaT is not itself
        return None
    zoned = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return zoned.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(stamp: str | None) -> datetime | None:
    """Read what `stamp` wrote."""
    return datetime.fromisoformat(stamp) if stamp else None
