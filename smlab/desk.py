"""The customer-service desk: a queue with proposals, conversations that a person has to close, and what answering pays.

A message is decided once, by `replies`, and written down: a line of JSON with pseudonyms for author and message, and
without what `redaction` finds; names and addresses in a text stay. The file only grows and is the whole memory, so
who is killed and runs again finds the same decisions. Once a person has a conversation it stays with people until
one closes it. Nothing is sent: `proposals` is for the outbox.

At which confidence may a program answer? With threshold t a message is answered if its reply exists and its
confidence is at least t (El-Yaniv & Wiener 2010, selective classification):

    coverage(t) = answered / n,   error(t) = answered with a wrong intent / answered
    minutes(t)  = handed over · answer + answered · check + answered wrongly · mend

of a person, who lets each proposal out. Where that look finds every wrong one, mend is what an answer takes. All
three depend on how many messages are out of scope, which differs from house to house.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from smlab.calibration import wilson
from smlab.checks import DataError, UsageError, shorten
from smlab.ledger import moment, stamp
from smlab.metrics import Interval, bootstrap
from smlab.outbox import Proposal
from smlab.pseudonyms import Key, pseudonyms
from smlab.redaction import redact
from smlab.replies import FIRST, OOS, READ, House, each
from smlab.sanitize import settle
from smlab.spelling import HALVES
from smlab.urgency import answer_first

CONTROLS = dict.fromkeys(range(32), " ")
KEPT = 1_000  # signs of a text that are kept
FORGET = timedelta(days=30)  # asking again counts within this
DECIDED = ["author", "language", "intent", "reply", "rule", "reason", "text"]


@dataclass
class _Talk:
    """A conversation since it was last closed."""

    contacts: int = 0
    held: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)  # (when, intent)

    def times(self, intent: str, at: str) -> int:
        since = str(stamp(cast(datetime, moment(at)) - FORGET))
        return sum(when >= since and one == intent for when, one in self.asked)


class Desk:
    """The desk with its log in one file; several processes may use it.

    Parameters
    ----------
    path : of the log, made if it is not there; a DataError says so if it is something else or cannot be used
    house : what may be answered
    key : of the pseudonyms, kept elsewhere
    clock : says what time it is

    >>> from tempfile import TemporaryDirectory
    >>> from smlab.replies import shop
    >>> folder = TemporaryDirectory()
    >>> desk = Desk(Path(folder.name) / "log.jsonl", shop(), Key(bytes(32)))
    >>> said = pd.DataFrame({"text": ["are you open?", "get me a person"], "author": ["ann", "bob"]})
    >>> called = pd.DataFrame({"called": ["opening_hours", "human"], "probability": [0.9, 0.8]})
    >>> desk.triage(said, called)[["reply", "reason"]].values.tolist()[1]
    ['', 'a person is asked for']
    """

    def __init__(
        self, path: str | Path, house: House, key: Key, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path, self.house, self.key, self.clock = Path(path), house, key, clock
        self._forget()

    def triage(self, messages: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
        """Decide messages, write down what is new, and put them in order: danger first, then the most urgent.

        Parameters
        ----------
        messages : `text`, `author`, and if known `id`, `time` (with a zone), `reach`, `negative`, `urgent` (both
            probabilities); without `id` the same text of the same author at the same time is the same message
        answers : a row a message: `called`, `probability`, perhaps `refused`, see `intents.answers`

        Returns
        -------
        frame with the index of `messages`: message, urgency, and of `DECIDED`, the text without what was redacted; a
        reply "" is for a person, with the rule and the reason
        """
        if "author" not in messages or messages["author"].isna().any():
            raise UsageError("the messages need a column 'author', with the author of each")
        every, urgency, now = list(each(messages, answers)), _urgency(messages), self.clock()
        given = messages["time"] if "time" in messages else pd.Series(pd.NaT, messages.index)
        at = [str(stamp(now) if pd.isna(when) else stamp(when)) for when in given]
        named = [messages["id"]] if "id" in messages else [messages["author"], given, messages["text"]]
        names = pd.Series(["\0".join(map(str, row)) for row in zip(*named, strict=True)], dtype=object)
        ids = pseudonyms(names, self.key, column="message").tolist()
        who = pseudonyms(messages["author"].astype(str), self.key, column="author").tolist()
        with self._writing() as add:
            for i in np.argsort(at, kind="stable"):
                if ids[i] not in self._decided:
                    said = self._decide(who[i], at[i], *every[i])
                    add({"message": ids[i], "at": at[i], "author": who[i], **said})
            lines = [self._decided[name] for name in ids]
        table = pd.DataFrame(lines, messages.index, ["message", *DECIDED])
        table.insert(1, "urgency", urgency)
        return table.iloc[np.lexsort((-urgency, ~table["rule"].isin(FIRST)))]

    def close(self, author: str, *, who: str, note: str = "") -> None:
        """Give a conversation back to the program; `author` is the pseudonym, `who` the person that closes."""
        if not who.strip():
            raise UsageError("say who: a conversation is closed by a person")
        with self._writing() as add:
            if author not in self._talks:
                raise UsageError(f"there is no conversation with {shorten(author)!r}")
            add({"closed": author, "at": stamp(self.clock()), "who": who, "note": note})

    def conversations(self) -> pd.DataFrame:
        """Show for each author: contacts, with_person, and the last five intents, all since it was last closed."""
        with self._writing():
            rows = [(a, t.contacts, t.held, ", ".join(i for _, i in t.asked[-5:])) for a, t in self._talks.items()]
        return pd.DataFrame(rows, columns=["author", "contacts", "with_person", "intents"])

    def _decide(self, who: str, at: str, text: str, said: tuple[str, float], known: dict[str, Any]) -> dict[str, Any]:
        talk = self._talks.get(who, _Talk())
        reply = self.house.reply(text, *said, **known, held=talk.held, asked=talk.times(said[0], at))
        shown = settle(HALVES.sub("\ufffd", redact(text)).translate(CONTROLS)[:KEPT])
        facts = {"language": reply.language, "intent": said[0], "confidence": round(said[1], 4), "reply": reply.text}
        return {**facts, "rule": reply.rule, "reason": reply.reason, "text": shown}

    @contextmanager
    def _writing(self) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Read what others wrote, let lines be added, and write them in one piece at the end, or none."""
        from filelock import FileLock

        added: list[dict[str, Any]] = []

        def add(line: dict[str, Any]) -> None:
            added.append(line)
            self._take(line)

        try:
            with FileLock(f"{self.path}.lock"), self.path.open("a+b") as file:
                self._catch_up(file)
                yield add
                if added:
                    file.write(b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in added))
                    file.flush()
                    os.fsync(file.fileno())
                    self._read = file.tell()
        except BaseException as error:
            self._forget()  # and read the file again the next time
            if isinstance(error, OSError):
                raise DataError(self.path, f"cannot be used: {error.strerror}") from None
            raise

    def _catch_up(self, file: IO[bytes]) -> None:
        """Take in what is new; what a killed process left of a line is closed, and is no line."""
        file.seek(self._read)
        new = file.read()
        if not self._read and new[:1] not in (b"", b"{"):
            raise DataError(self.path, "is no log of a desk")
        if new and not new.endswith(b"\n"):
            file.write(b"\n")
        for line in new.splitlines():
            with suppress(ValueError, TypeError, KeyError):
                self._take(json.loads(line))
        self._read = file.tell()

    def _take(self, line: dict[str, Any]) -> None:
        if "closed" in line:
            self._talks[line["closed"]] = _Talk()
            return
        name, held, asked = line["message"], bool(line["rule"]), (line["at"], line["intent"])
        talk = self._talks.setdefault(line["author"], _Talk())
        talk.contacts, talk.held = talk.contacts + 1, talk.held or held
        talk.asked.append(asked)
        self._decided[name] = line

    def _forget(self) -> None:
        self._read = 0
        self._decided: dict[str, dict[str, Any]] = {}
        self._talks: dict[str, _Talk] = {}


def proposals(table: pd.DataFrame, *, channel: str = "") -> list[Proposal]:
    """Give the replies of `Desk.triage` for the outbox; a message has one key for ever."""
    rows = table.loc[table["reply"] != "", ["message", "reply", "reason"]].itertuples(index=False)
    return [Proposal(f"reply to {message}", reply, channel, None, "template", why) for message, reply, why in rows]


def judge(
    answers: pd.DataFrame,
    true: ArrayLike,
    *,
    house: House | None = None,
    thresholds: Sequence[float] = (0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
    minutes: tuple[float, float, float] = (4.0, 0.3, 8.0),
) -> pd.DataFrame:
    """Say what thresholds on the confidence do, to messages with known intents; choose one on validation messages.

    Parameters
    ----------
    answers : `text`, `called`, `probability`, perhaps `refused`, see `intents.answers`
    true : (n,) the intents, "oos" where there is none; to answer such a message is wrong
    house : whose replies there are; None: every intent has one
    minutes : of a person: answer, check, mend

    Returns
    -------
    a row a threshold: answered and handed_over (shares), error (of the answered), wrong (of all), minutes of a person
    for 100 messages, all as `Interval` (95 %: Wilson, bootstrap for minutes), and saved, the share of the minutes
    that people alone would take
    """
    y, p = np.asarray(true, dtype=object), answers["probability"].to_numpy(float)
    if y.shape != p.shape or not len(p):
        raise UsageError(f"{len(p)} answers and {y.size} true intents: each message needs one, and there must be some")
    right = (answers["called"].to_numpy(object) == y) & (y != OOS)
    can = ~answers["refused"].to_numpy(bool) if "refused" in answers else np.ones(len(p), bool)
    if house is not None:
        can &= (replace(house, sure=-np.inf).replies(answers, answers)["reply"] != "").to_numpy()
    (answer, check, mend), rows = minutes, []
    for t in thresholds:
        out = can & (p >= t)
        spent = np.where(out, check + mend * ~right, answer)
        rows.append({
            "threshold": float(t), "answered": _share(out), "handed_over": _share(~out),
            "error": _share(~right[out]), "wrong": _share(out & ~right),
            "minutes": bootstrap(100 * spent, n=400), "saved": 1 - float(spent.mean()) / answer,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _share(hits: NDArray) -> Interval:
    low, high = wilson(hits.sum(), len(hits))
    return Interval(float(hits.mean()) if len(hits) else float("nan"), float(low), float(high))


def _urgency(messages: pd.DataFrame) -> NDArray[np.float64]:
    """Give the urgency of each message; numbered, so that copies by several people stay several messages."""
    frame = messages.reset_index(drop=True)
    frame["text"] = [f"{i} {HALVES.sub('', str(text)[:READ])}" for i, text in enumerate(frame["text"])]
    negative = frame["negative"].fillna(1) if "negative" in frame else np.zeros(len(frame))
    return answer_first(frame, negative, n=None)["urgency"].sort_index().to_numpy(float)
