"""Who may send what, and that nothing is lost or doubled: also when processes are killed at any moment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab.checks import DataError, UsageError
from smlab.outbox import Later, Outbox, Proposal, Refused, Unsure
from smlab.publishers import ToFile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now

    def pass_(self, **how):
        self.now += timedelta(**how)


class Wall:
    """A publisher whose troubles are told; it keeps what it took and which claims it saw."""

    rehearsal = False

    def __init__(self, *troubles):
        self.troubles, self.claims, self.took = list(troubles), [], []

    def send(self, claim):
        self.claims.append(claim)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        self.took.append(claim.post.key)
        return f"wall/{claim.post.key}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def box(tmp_path, clock):
    return Outbox(tmp_path / "box.db", clock=clock)


def states(box):
    return dict(box.table()[["key", "state"]].to_numpy())


def filled(box, n=3, **more):
    box.propose(*(Proposal(f"p{i}", f"text {i}", **more) for i in range(n)), who="model")
    box.approve(*(f"p{i}" for i in range(n)), who="Ann")
    return box


def test_only_what_a_person_approved_goes_out_and_once(box, clock):
    box.propose(*(Proposal(k, f"text {k}", "shop", maker="n-gram", why="on Monday") for k in "abc"), who="model")
    clock.pass_(hours=1)
    assert box.approve("a", "b", who="Ann") == 2 and box.reject("b", who="Bo", note="tone") == 1
    assert box.pending()["key"].tolist() == ["c"]
    wall = Wall()
    assert box.publish(wall).values.tolist() == [["a", "published", "wall/a"]] and box.publish(wall).empty
    assert wall.took == ["a"] and states(box) == {"a": "published", "b": "rejected", "c": "proposed"}
    told = box.history("b")
    assert told[["state", "who", "note"]].values.tolist() == [
        ["proposed", "model", ""],
        ["approved", "Ann", ""],
        ["rejected", "Bo", "tone"],
    ]
    assert told["at"].tolist() == [pd.Timestamp("2026-03-01 12:00"), *[pd.Timestamp("2026-03-01 13:00")] * 2]
    assert len(box.history()) == 3 + 2 + 1 + 2


def test_same_key_same_content_is_the_same_proposal(box):
    p = Proposal("a", "text", "shop", NOON, "maker", "why")
    assert (box.propose(p, p, who="x"), box.propose(p, who="y")) == (1, 0)
    assert box.history()["who"].tolist() == ["x"]
    others = {"text": "other", "channel": "other", "when": NOON + timedelta(1), "maker": "other", "why": "other"}
    for name, value in others.items():
        name_ = {"when": "time"}.get(name, name)
        rule = f"key 'a' is taken by a proposal with another {name_}; take a new key"
        with pytest.raises(UsageError, match=rule):
            box.propose(Proposal("new", "b"), p._replace(**{name: value}), who="x")
    assert box.table()["key"].tolist() == ["a"], "all or nothing"
    berlin = pd.Timestamp(NOON).tz_convert("Europe/Berlin").to_pydatetime()
    assert box.propose(p._replace(when=berlin), who="x") == 0


def test_deciding_again_changes_nothing_and_impossible_decisions_are_sentences(box):
    filled(box, 2)
    assert box.approve("p0", who="Bo") == 0 and box.reject("p1", who="Bo") == 1 and box.reject("p1", who="Bo") == 0
    with pytest.raises(UsageError, match="'p1' is rejected and cannot be approved"):
        box.approve("p0", "p1", who="Ann")
    box.publish(Wall())
    with pytest.raises(UsageError, match="'p0' is published and cannot be rejected"):
        box.reject("p0", who="Ann")
    with pytest.raises(UsageError, match="there is no proposal 'nobody'"):
        box.reject("nobody", who="Ann")
    with pytest.raises(UsageError, match="say who"):
        box.propose(Proposal("x", "y"), who="")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a\0b",
        "x" * 10**6,
        "'; DROP TABLE events; --",
        "\u202eevil\u2028",
        "=1+1",
        "你好 🎉",
    ],
)
def test_hostile_text_is_data(box, text):
    box.propose(Proposal("a", text, text[:99], maker=text, why=text), who=text[:99])
    box.approve("a", who="Ann", note=text)
    wall = Wall()
    box.publish(wall)
    assert wall.claims[0].post[1:3] == (text, text[:99]) and box.table().loc[0, "text"] == text
    assert box.history("a")["note"][1] == text


def test_senseless_proposals_are_refused(box):
    for bad, rule in (
        (Proposal("", "x"), "key '' must have 1 to 200 printable signs"),
        (Proposal("a\n", "x"), "must have 1 to 200 printable signs"),
        (Proposal("k" * 201, "x"), "must have 1 to 200"),
        (Proposal("a", " \n"), "proposal 'a' has no text"),
        (Proposal("a", "\ud800"), "holds half a sign"),
        (Proposal("a", None), "text must be a text, not NoneType"),
    ):
        with pytest.raises(UsageError, match=re.escape(rule)):
            box.propose(bad, who="x")
    assert box.table().empty and box.history().empty


def test_time_has_to_come_and_must_not_be_long_over(box, clock):
    box.propose(Proposal("soon", "a", when=NOON + timedelta(hours=1)), Proposal("old", "b", when=NOON), who="x")
    box.approve("soon", "old", who="Ann")
    clock.pass_(minutes=30)
    assert box.publish(Wall())["key"].tolist() == ["old"]
    clock.pass_(hours=30)
    done = box.publish(Wall())
    assert done.values.tolist() == [["soon", "expired", "its time was over by more than 24 hours"]]
    with pytest.raises(UsageError, match="'soon' is expired and cannot be approved"):
        box.approve("soon", who="Ann")


def test_channel_and_limit(box):
    box.propose(*(Proposal(f"{c}{i}", f"{c}{i}", c) for c in "ab" for i in range(3)), who="x")
    box.approve(*box.table()["key"], who="Ann")
    assert box.publish(Wall(), channel="b", limit=2)["key"].tolist() == ["b0", "b1"]
    assert len(box.publish(Wall())) == 4


def test_unsure_is_tried_again_with_a_look_and_the_same_key(box, clock):
    filled(box, 1)
    wall = Wall(Unsure("no answer"), Later("too many", 60))
    assert box.publish(wall).values.tolist() == [["p0", "unsure", "no answer"]]
    clock.pass_(minutes=5)
    assert box.publish(wall)["state"].tolist() == ["released"] and box.publish(wall).empty
    clock.pass_(minutes=2)
    assert box.publish(wall)["state"].tolist() == ["published"]
    assert [c.since for c in wall.claims] == [None, NOON, None] and len({c.key for c in wall.claims}) == 1


def test_claim_left_by_a_crash_is_free_after_its_lease_and_counts_as_perhaps_out(box, clock):
    filled(box, 1)
    with pytest.raises(KeyboardInterrupt):
        box.publish(Wall(KeyboardInterrupt()), lease=60)
    with pytest.raises(UsageError, match="'p0' is being published right now and cannot be rejected"):
        box.reject("p0", who="Ann")
    wall = Wall()
    assert box.publish(wall).empty
    clock.pass_(seconds=61)
    assert box.publish(wall)["state"].tolist() == ["published"] and wall.claims[0].since == NOON


def test_person_can_stop_what_may_be_out_and_a_late_receipt_is_still_written_down(box, clock):
    filled(box, 1)

    class Slow(Wall):
        def send(self, claim):
            clock.pass_(seconds=61)  # the lease is over while this one sleeps
            box.reject("p0", who="Ann", note="stop")
            return super().send(claim)

    assert box.publish(Slow(), lease=60)["state"].tolist() == ["published"]
    told = box.history("p0")
    assert told["state"].tolist() == ["proposed", "approved", "claimed", "rejected", "published"]
    assert told["note"].tolist()[3] == "stop; it may be out already"


def test_two_holders_of_one_claim_write_one_publication(box, clock):
    filled(box, 1)
    other = Wall()

    class Slow(Wall):
        def send(self, claim):
            clock.pass_(seconds=61)
            Outbox(box.path, clock=clock).publish(other)
            return super().send(claim)

    slow = Slow()
    box.publish(slow, lease=60)
    assert box.history("p0")["state"].tolist() == ["proposed", "approved", "claimed", "claimed", "published"]
    assert slow.claims[0].key == other.claims[0].key and other.claims[0].since == NOON


def test_trouble_with_one_post_does_not_hold_up_the_others(box, clock):
    filled(box, 8)
    done = box.publish(Wall(Unsure("?"), Refused("too long"), Unsure("?"), Unsure("?"), None))
    assert done["state"].tolist() == ["unsure", "failed", "unsure", "unsure", "published", *["published"] * 3]
    done = box.publish(Wall(*[Unsure("?")] * 9))
    assert done["state"].tolist() == ["unsure"] * 3
    filled(Outbox(box.path.with_name("b.db"), clock=clock), 9).publish(wall := Wall(*[Unsure("?")] * 9))
    assert len(wall.claims) == 3, "a server that is away is left alone"
    filled(Outbox(box.path.with_name("c.db"), clock=clock), 9).publish(wall := Wall(Later("wait")))
    assert len(wall.claims) == 1


def test_what_stays_unsure_is_given_to_a_person(box):
    filled(box, 1)
    wall = Wall(*[Unsure("?")] * 99)
    for _ in range(5):
        done = box.publish(wall, most=3)
    assert len(wall.claims) == 3 and done.empty
    assert states(box) == {"p0": "failed"}
    assert box.history("p0")["note"].tolist()[-1].startswith("3 tries, and it may be out: look")


def test_twins_are_not_on_their_way_together_and_know_each_others_receipts(box):
    box.propose(Proposal("a", "same"), Proposal("b", "same"), Proposal("c", "same", "elsewhere"), who="x")
    box.approve("a", "b", "c", who="Ann")
    wall = Wall(Unsure("?"))
    assert box.publish(wall)["key"].tolist() == ["a", "c"], "b waits until it is known what became of a"
    assert box.publish(wall)["key"].tolist() == ["a"] and box.publish(wall)["key"].tolist() == ["b"]
    assert [sorted(c.known()) for c in wall.claims] == [["wall/b"], [], ["wall/b"], ["wall/a"]]
    assert len({c.key for c in wall.claims}) == 3


def test_keys_for_the_receiver_are_of_one_outbox_alone(tmp_path):
    keys = []
    for name in ("a.db", "b.db"):
        filled(Outbox(tmp_path / name), 1).publish(wall := Wall())
        keys.append(wall.claims[0].key)
    assert keys[0] != keys[1] and all(re.fullmatch("[0-9a-f]{40}", k) for k in keys)


def test_rehearsal_passes_over_what_may_be_out(box, clock):
    filled(box, 2)
    box.publish(Wall(Unsure("?")), limit=1)
    wall = Wall()
    wall.rehearsal = True
    assert box.publish(wall)["key"].tolist() == ["p1"] and states(box)["p1"] == "approved"


def test_damaged_file_is_a_sentence(tmp_path):
    (tmp_path / "box.db").write_bytes(b"key,text\n" * 500)
    with pytest.raises(DataError, match=r"box\.db: is no outbox, or is damaged"):
        Outbox(tmp_path / "box.db")


WORK = """
import os, random, signal, sys, time
import numpy, pandas
from smlab.outbox import Outbox, Proposal
from smlab.publishers import ToFile

folder, n, workers, seed, span = sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5])
rng, chunk = random.Random(seed), max(n // 50, 20)

def work(worker):
    box, wall = Outbox(f"{folder}/box.db"), ToFile(f"{folder}/wall.jsonl")
    # each begins elsewhere, so that they meet in the middle of things
    done = box.ledger.one("SELECT count(*) FROM events WHERE state = 'approved'")[0] == n
    starts = [] if done else list(range(0, n, chunk))
    for s in starts[worker * len(starts) // workers:] + starts[: worker * len(starts) // workers]:
        mine = [Proposal(f"p{i}", f"text {i}") for i in range(s, min(s + chunk, n))]
        if box.propose(*mine, who=f"worker {worker}"):
            time.sleep(0.001)
        box.approve(*(p.key for p in mine), who="Ann")
    while not box.publish(wall, lease=0.05).empty:
        pass
    left = box.ledger.one("SELECT count(*) FROM latest WHERE state <> 'published'")[0]
    os._exit(3 if left else 0)

kills = 0
while True:
    children = []
    for worker in range(workers):
        child = os.fork()
        if not child:
            work(worker)
        children.append(child)
    time.sleep(rng.uniform(0.01, span))
    codes = []
    for child in children:
        done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            os.kill(child, signal.SIGKILL)
            kills += 1
            _, status = os.waitpid(child, 0)
        codes.append(os.waitstatus_to_exitcode(status))
    if 0 in codes:
        break
    bad = [c for c in codes if c not in (-9, 3)]
    assert not bad, bad
    span *= 1.05
print(kills)
"""


def survive(folder, n, *, workers=2, seed=0, span=0.1):
    """Let workers propose, approve and publish, kill them at random moments until all is out; count what came of it."""
    command = [sys.executable, "-c", WORK, str(folder), *map(str, (n, workers, seed, span))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    out = Counter(
        json.loads(line)["key"] for line in (folder / "wall.jsonl").read_bytes().splitlines() if readable(line)
    )
    with Outbox(folder / "box.db") as box:
        assert box.ledger.one("PRAGMA integrity_check")[0] == "ok"
        assert box.table()["state"].eq("published").all() and box.table()["note"].is_unique
        told = box.history()
    assert len(out) == n and set(out.values()) == {1}, "none lost, none doubled"
    steps = told.groupby(["key", "state"]).size().unstack(fill_value=0)
    assert len(steps) == n and (steps[["proposed", "approved", "published"]] == 1).all(axis=None)
    return int(done.stdout), int(steps["claimed"].sum() - n)


def readable(line):
    try:
        return "key" in json.loads(line)
    except ValueError:
        return False


@pytest.fixture
def folder(tmp_path):
    """A folder in memory where there is one: a kill is the same there, and nothing waits for a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as name:
        yield Path(name)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
def test_kills_at_random_moments_lose_nothing_and_double_nothing(folder):
    kills, _ = survive(folder, 500, span=0.03)
    assert kills >= 3


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_kills_at_many_moments(folder, seed):
    kills, again = survive(folder, 1000, seed=seed, workers=3, span=0.05)
    assert kills >= 20 and again > 0, "some claims were left by the dead and taken over"


@needs_fork
@pytest.mark.slow
def test_hundred_thousand_proposals_with_random_kills(folder):
    kills, again = survive(folder, 100_000, span=4.0)
    print(f"100,000 proposals, {kills} kills, {again} claims taken over")
    assert kills >= 10


@pytest.mark.slow
def test_random_lives_never_break_the_rules(tmp_path):
    """Random actions on a few proposals by two outboxes at once: each is taken at most once, and only if approved."""
    for seed in range(30):
        rng, clock = np.random.default_rng(seed), Clock()
        boxes = [Outbox(tmp_path / f"{seed}.db", clock=clock) for _ in range(2)]
        wall = Honest(rng)
        for _ in range(80):
            box, key = boxes[rng.integers(2)], f"p{rng.integers(6)}"
            try:
                act = rng.integers(5)
                if act == 0:
                    box.propose(Proposal(key, f"text {int(key[1:]) % 4}"), who="x")
                elif act < 3:
                    (box.approve if act == 1 else box.reject)(key, who="Ann")
                else:
                    box.publish(wall, lease=30, limit=int(rng.integers(1, 4)), most=99)
            except UsageError:
                pass
            clock.pass_(seconds=float(rng.integers(0, 60)))
        told = boxes[0].history()
        published = set(told.loc[told["state"] == "published", "key"])
        approved = set(told.loc[told["state"] == "approved", "key"])
        assert max(Counter(wall.out.values()).values(), default=1) == 1
        assert published <= set(wall.out) <= approved


class Honest:
    """A receiver that forgets keys at random but shows what it has; it fails before or after taking a post."""

    rehearsal = False

    def __init__(self, rng):
        self.rng, self.out, self.times = rng, {}, {}

    def send(self, claim):
        key = claim.post.key
        if claim.since and key in self.out:  # the look
            return self.out[key]
        luck = self.rng.random()
        if luck < 0.2:
            raise Unsure("lost") if luck < 0.1 else Later("busy", 10)
        assert key not in self.out, "doubled"
        self.out[key] = f"wall/{len(self.out)}"
        if luck < 0.5:
            raise Unsure("no answer")
        return self.out[key]


def test_file_publisher_and_outbox_agree(tmp_path):
    with filled(Outbox(tmp_path / "box.db"), 5) as box:
        assert len(box.publish(ToFile(tmp_path / "wall.jsonl"))) == 5
    assert len((tmp_path / "wall.jsonl").read_text().splitlines()) == 5
