"""The file only grows, and its errors are sentences."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from smlab.checks import DataError, UsageError
from smlab.ledger import STEPS, Ledger, moment, stamp, text

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def open_(path, timeout=5.0):
    return Ledger(path, timeout=timeout, clock=lambda: NOON)


def row(key="a"):
    return {"key": key, "text": "t", "channel": "", "due": None, "maker": "", "why": "", "twin": "x"}


@pytest.fixture
def book(tmp_path):
    book = open_(tmp_path / "box.db")
    with book.writing():
        book.event(book.put("proposals", **row()), "proposed", "me")
    return book


@pytest.mark.parametrize(
    "line",
    [
        "UPDATE proposals SET text = 'other'",
        "UPDATE events SET who = 'other'",
        "DELETE FROM events",
        "DELETE FROM proposals",
        "UPDATE box SET id = 'x'",
        "INSERT OR REPLACE INTO proposals SELECT id, key, 'other', channel, due, maker, why, twin FROM proposals",
        "REPLACE INTO proposals SELECT 9, key, 'other', channel, due, maker, why, twin FROM proposals",
        "REPLACE INTO events SELECT id, proposal, 'approved', 'other', at, until, note FROM events",
        "INSERT INTO events SELECT 0, proposal, 'approved', who, at, until, note FROM events",
        "INSERT INTO events SELECT NULL, proposal, 'published', who, at, until, note FROM events",
        "INSERT INTO events SELECT NULL, proposal, 'claimed', who, at, until, note FROM events",
        "INSERT INTO events SELECT NULL, proposal, 'approved', '', at, until, note FROM events",
        "INSERT OR IGNORE INTO events SELECT NULL, proposal, 'nonsense', who, at, until, note FROM events",
    ],
)
def test_nothing_is_changed_deleted_or_skipped_whoever_writes(book, line):
    before = book.frame("SELECT * FROM latest")
    raw = sqlite3.connect(book.path)
    with pytest.raises(sqlite3.IntegrityError, match="only grows|CHECK"):
        raw.execute(line)
    raw.close()
    assert book.frame("SELECT * FROM latest").equals(before)


def test_steps_are_those_of_the_table_and_publication_is_always_written_down(book):
    """Every sequence of two states after `proposed`, tried in a transaction that is undone."""
    states = sorted({s for ends in STEPS.values() for s in ends.split()} | {"published"})
    for first in states:
        for second in states:
            allowed = first in STEPS["proposed"].split() and second in STEPS.get(first, "").split()
            with suppress(ZeroDivisionError):
                try:
                    with book.writing():
                        book.event(1, first, "me")
                        book.event(1, second, "me")
                        assert allowed, (first, second)
                        raise ZeroDivisionError
                except DataError as error:
                    assert not allowed and "no such step" in str(error), (first, second)
    with book.writing():
        for state in ("approved", "claimed", "rejected", "published"):
            book.event(1, state, "me")
    with pytest.raises(DataError, match="no such step"), book.writing():
        book.event(1, "published", "me")


def test_what_fails_half_way_leaves_nothing(book):
    with pytest.raises(UsageError, match="say who: approved by nobody is not kept"), book.writing():
        book.put("proposals", **row("b"))
        book.event(1, "approved", " ")
    assert book.one("SELECT count(*) FROM proposals")[0] == 1 and book.one("SELECT count(*) FROM events")[0] == 1


def test_full_disk_is_a_sentence_and_nothing_is_kept(book):
    pages = book.one("PRAGMA page_count")[0]
    book.one(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(DataError, match=re.escape(f"{book.path}: the disk is full; nothing of this step was kept")):
        for i in range(100):
            with book.writing():
                book.put("proposals", **row(f"big {i}") | {"text": "x" * 3000})
    book.one("PRAGMA max_page_count = 100000")
    assert book.one("PRAGMA integrity_check")[0] == "ok"
    with book.writing():
        book.put("proposals", **row("after"))


def test_locked_file_is_a_sentence(book):
    other = open_(book.path, timeout=0.01)
    with book.writing(), pytest.raises(DataError, match="another process has held it for too long"), other.writing():
        pass
    with other.writing():
        other.put("proposals", **row("b"))


@pytest.mark.parametrize("damage", ["text", "cut", "noise", "other", "header"])
def test_damaged_or_foreign_file_is_a_sentence(book, tmp_path, damage):
    with book.writing():
        for i in range(200):
            book.put("proposals", **row(str(i)) | {"text": "x" * 500})
    book.close()
    data, path = book.path.read_bytes(), tmp_path / "bad.db"
    if damage == "other":
        raw = sqlite3.connect(path)
        raw.execute("CREATE TABLE mine (a)")
        raw.close()
    else:
        noise = bytes(range(256)) * (len(data) // 256)
        header = data[:64] + b"\0" * 36 + data[100:]
        path.write_bytes(
            {"text": b"time,value\n" * 99, "cut": data[:9000], "noise": data[:4096] + noise, "header": header}[damage]
        )
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*(is damaged|is no outbox)"):
        open_(path).frame("SELECT * FROM latest")
    if damage == "other":
        assert sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]


def test_folder_that_is_not_there_or_a_folder_in_its_place(tmp_path):
    for path in (tmp_path / "no" / "box.db", tmp_path):
        with pytest.raises(DataError, match="cannot be opened; check that the folder exists and may be written"):
            open_(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_write_protected_folder_can_be_read_and_says_so_on_writing():
    with tempfile.TemporaryDirectory() as name:  # of pytest's folders nobody else may see anything
        folder = Path(name)
        open_(folder / "box.db").close()
        (folder / "box.db").chmod(0o444)
        folder.chmod(0o555)
        child = os.fork()
        if not child:
            told = []
            with suppress(BaseException):
                if os.getuid() == 0:
                    os.setuid(65534)  # root may write everywhere
                there = open_(folder / "box.db")
                told.append(there.one("SELECT count(*) FROM latest")[0])
                for write in (lambda: there.writing().__enter__(), lambda: open_(folder / "new.db")):
                    try:
                        write()
                        there.put("proposals", **row())
                    except (DataError, sqlite3.Error) as error:
                        told.append(str(error))
            os._exit(0 if len(told) == 3 and told[0] == 0 and "cannot be opened" in told[2] else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        folder.chmod(0o755)
    assert code == 0


def test_opening_twice_makes_one_box_and_an_empty_file_becomes_one(tmp_path):
    (tmp_path / "box.db").touch()
    assert open_(tmp_path / "box.db").id == open_(tmp_path / "box.db").id != open_(tmp_path / "other.db").id
    assert open_(tmp_path / "box.db").one("PRAGMA journal_mode")[0] == "truncate"


def test_times_sort_as_texts_and_come_back():
    zone = timezone(timedelta(hours=-5))
    times = [NOON, NOON.astimezone(zone), NOON.replace(tzinfo=None), pd.Timestamp(NOON)]
    assert len({stamp(t) for t in times}) == 1 and moment(stamp(NOON)) == NOON
    assert stamp(pd.NaT) is stamp(None) is moment(None) is None
    later = [NOON + timedelta(microseconds=n**9) for n in range(60)]
    assert sorted(map(stamp, later)) == [stamp(t) for t in later]


def test_texts_that_no_file_can_hold_are_refused():
    assert text("note", "\0<script>") == "\0<script>"
    with pytest.raises(UsageError, match=re.escape(r"note 'a\ud800' holds half a sign, which UTF-8 cannot")):
        text("note", "a\ud800")
    with pytest.raises(UsageError, match="note must be a text, not float"):
        text("note", float("nan"))
