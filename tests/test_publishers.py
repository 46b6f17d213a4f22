"""Sending over HTTP against a server that the test starts: nothing twice, no secret in any sentence."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import random
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from smlab.checks import DataAbsent, UsageError
from smlab.outbox import Claim, Later, Outbox, Proposal, Refused, Unsure
from smlab.publishers import HOSTS, TOKEN, DryRun, ToFile, ToMastodon, allowed

SECRET = "s3cr3t-t0ken-abcdefgh"
needs_mastodon = pytest.mark.skipif(
    importlib.util.find_spec("mastodon") is None, reason="the extra `mastodon` is not installed"
)


class Server(ThreadingHTTPServer):
    """Mastodon's statuses as far as they matter: keys written down after the post, as the real one does.

    `faults` are used up one a request to post: a status, "drop" (the post is made, no answer comes), "slow" (the same
    after the client's patience), "forget" (made, dropped, and the key is lost), "lost" (dropped before), "error"
    (made and key known, but a repeated key is answered with 500), "redirect", "garbage".
    """

    daemon_threads = True

    def __init__(self, *faults: object) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults, self.posts, self.keys, self.calls = list(faults), [], {}, []
        self.headers: dict[str, str] = {}
        self.broken_keys, self.looks = False, 200
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that give up are part of the test."""

    @property
    def texts(self) -> list[str]:
        return [post["text"] for post in self.posts]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None: ...

    def reply(self, status: int, body: object, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**self.server.headers, **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        path, server = urlsplit(self.path).path, self.server
        server.calls.append(path)
        if self.headers["Authorization"] != f"Bearer {SECRET}":
            self.reply(401, {"error": "The access token is invalid"})
        elif server.looks != 200:
            self.reply(server.looks, {"error": "no"})
        elif path.endswith("verify_credentials"):
            self.reply(200, {"id": "7", "username": "brand"})
        elif path.endswith("/source"):
            post = server.posts[int(path.split("/")[-2])]
            self.reply(200, {"id": post["id"], "text": post["text"], "spoiler_text": ""})
        else:
            older = int(parse_qs(urlsplit(self.path).query).get("max_id", ["1000000"])[0])
            page = [p for p in server.posts if int(p["id"]) < older][::-1][:40]
            self.reply(200, [{**p, "content": "<p>…</p>"} for p in page])

    def do_POST(self) -> None:
        server, form = self.server, parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        key, text = self.headers["Idempotency-Key"], form["status"][0]
        server.calls.append("POST")
        fault = server.faults.pop(0) if server.faults else None
        if self.headers["Authorization"] != f"Bearer {SECRET}":
            return self.reply(401, {"error": f"The access token {self.headers['Authorization']} is invalid"})
        if fault == "redirect":
            return self.reply(302, {}, Location="http://127.0.0.1:1/elsewhere")
        if isinstance(fault, tuple):
            return self.reply(fault[0], {"error": fault[1]}, **fault[2])
        if isinstance(fault, int):
            return self.reply(fault, {"error": f"wrong {SECRET}\x1b[2J" + "x" * 500})
        if fault == "lost":
            return self.close()
        if key in server.keys:
            return self.reply(500, {}) if server.broken_keys else self.reply(200, server.keys[key])
        n = str(len(server.posts))
        post = {"id": n, "text": text, "url": f"{server.url}/@brand/{n}", "uri": f"{server.url}/{n}"}
        post["created_at"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        server.posts.append(post)
        if fault != "forget":
            server.keys[key] = post
        server.broken_keys = fault == "error"
        if fault == "garbage":
            return self.reply(200, b"<html>not json")
        if fault == "slow":
            time.sleep(0.4)
        if fault in ("drop", "forget", "error", "slow"):
            return self.close()
        return self.reply(200, post)

    def close(self) -> None:
        self.close_connection = True


@pytest.fixture
def start(monkeypatch):
    monkeypatch.setenv(TOKEN, SECRET)
    servers = []

    def start(*faults):
        servers.append(Server(*faults))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def claim(text="Hello", *, key="k" * 40, since=None, seconds=600, known=frozenset()):
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return Claim(Proposal("a", text, "mastodon"), key, since, until, lambda: known)


def publisher(server, waits=None, **options):
    waits = [] if waits is None else waits
    return ToMastodon(server.url, timeout=0.2, sleep=waits.append, **options)


@needs_mastodon
def test_post_goes_out_with_its_text_as_it_is(start):
    server = start()
    text = "Größe & Preis: 5 € <b>script</b> 你好 🎉\n\n@you #tag https://example.org/?a=1&b=2"
    assert publisher(server).send(claim(text)) == f"{server.url}/@brand/0"
    assert server.texts == [text] and server.calls == ["POST"]


@needs_mastodon
@pytest.mark.parametrize("fault", ["drop", "slow", "forget", "lost", "error", "garbage", 500, 502, 503, 408])
def test_no_clear_answer_leads_to_a_look_and_to_one_post(start, fault):
    """`forget` defeats the key, `error` is what servers did with a repeated key: only the look helps."""
    server = start(fault)
    assert publisher(server).send(claim()) == f"{server.url}/@brand/0"
    assert server.texts == ["Hello"]
    assert "verify_credentials" in server.calls[1], "looks before it sends again"
    assert server.calls.count("POST") == (1 if fault in ("drop", "slow", "forget", "error", "garbage") else 2)


@needs_mastodon
def test_same_text_of_another_proposal_and_old_posts_are_no_find(start):
    server = start()
    first = publisher(server).send(claim(key="1" * 40))
    again = claim(key="2" * 40, since=datetime.now(UTC), known=frozenset([first]))
    assert publisher(server).send(again) != first and server.texts == ["Hello", "Hello"]
    server.posts[1]["created_at"] = "2020-01-01T00:00:00Z"
    third = publisher(server).send(claim(key="3" * 40, since=datetime.now(UTC), known=frozenset([first])))
    assert third.endswith("/2")


@needs_mastodon
def test_look_corrects_for_a_clock_that_is_ahead(start):
    server, ahead = start("forget"), timedelta(hours=3)
    late = ToMastodon(server.url, timeout=0.2, sleep=lambda s: None, clock=lambda: datetime.now(UTC) + ahead)
    late.send(claim()._replace(until=datetime.now(UTC) + 2 * ahead))
    assert server.texts == ["Hello"]


@needs_mastodon
def test_look_that_cannot_go_back_far_enough_sends_nothing(start):
    server = start()
    now = datetime.now(UTC).isoformat()
    server.posts = [{"id": str(i), "text": "x", "url": f"u{i}", "uri": "", "created_at": now} for i in range(201)]
    known = frozenset(f"u{i}" for i in range(201))
    with pytest.raises(Unsure, match="more than 200 posts since then; look by hand"):
        publisher(server, tries=1).send(claim(since=datetime.now(UTC), known=known))
    assert len(server.posts) == 201


@needs_mastodon
@pytest.mark.parametrize("status", [401, 404, 422, 429, 500])
def test_look_that_fails_sends_nothing_and_stays_unsure(start, status):
    """Also a look that is refused: that says nothing of the post."""
    server = start()
    server.looks = status
    with pytest.raises(Unsure, match=r"127\.0\.0\.1"):
        publisher(server).send(claim(since=datetime.now(UTC)))
    assert "POST" not in server.calls


@needs_mastodon
def test_look_that_outlasts_the_claim_sends_nothing(start):
    server, now = start(), datetime.now(UTC)
    times = iter([now] * 3 + [now + timedelta(seconds=599.9)] * 50)
    there = ToMastodon(server.url, timeout=0.2, clock=lambda: next(times))
    with pytest.raises(Unsure, match="looking took as long as the claim lasts"):
        there.send(claim(since=now)._replace(until=now + timedelta(seconds=600)))
    assert "POST" not in server.calls and server.calls


@needs_mastodon
def test_429_waits_as_long_as_asked_and_is_no_post(start):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    for header, wait in (({"Retry_After": "7"}, 7), ({"Retry_After": soon}, 30), ({}, 1)):
        server, waits = start((429, "Too many requests", header)), []
        publisher(server, waits, pause=1.0).send(claim())
        assert server.calls == ["POST", "POST"] and server.texts == ["Hello"]
        assert wait - 2 <= waits[0] <= wait
    reset = (datetime.now(UTC) + timedelta(minutes=4)).isoformat().replace("+00:00", "Z")
    server = start((429, "Too many requests", {"X_RateLimit_Reset": reset, "X_RateLimit_Remaining": "0"}))
    with pytest.raises(Later, match="asks to wait, too many requests") as told:
        publisher(server).send(claim())
    assert 200 < told.value.seconds < 241 and server.texts == []


@needs_mastodon
def test_limit_that_is_used_up_is_waited_for_before_the_next_request(start):
    server, waits = start(), []
    there = publisher(server, waits, patience=400)
    reset = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    server.headers = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": reset}
    there.send(claim(key="1" * 40))
    there.send(claim(key="2" * 40))
    assert len(waits) == 1 and 290 < waits[0] < 301


@needs_mastodon
@pytest.mark.parametrize("hint", ["-5", "nan", "9" * 30, "soon", "\u0663", "1e3"])
def test_senseless_hints_do_not_hurt(start, hint):
    server, waits = start((429, "", {"Retry_After": hint.encode("ascii", "ignore").decode()})), []
    publisher(server, waits).send(claim())
    assert server.texts == ["Hello"] and all(0 <= w <= 60 for w in waits)


@needs_mastodon
def test_pauses_double_with_jitter_and_are_the_same_for_a_seed(start):
    def pauses(seed):
        waits: list[float] = []
        with pytest.raises(Unsure, match=r"^127\.0\.0\.1 answered 503"):
            publisher(start(*[503] * 4), waits, seed=seed, pause=2.0).send(claim())
        return waits

    one = pauses(1)
    assert one == pauses(1) != pauses(2)
    assert all(2**n <= wait <= 2 ** (n + 1) for n, wait in enumerate(one)) and len(one) == 3


@needs_mastodon
@pytest.mark.parametrize("status", [400, 413, 422])
def test_post_that_will_not_do_is_refused_for_good(start, status):
    with pytest.raises(Refused, match=rf"^127\.0\.0\.1 answered {status}: wrong <token> \[2Jx+…$"):
        publisher(start(status)).send(claim())


@needs_mastodon
@pytest.mark.parametrize("fault", [401, 403, 404, "redirect"])
def test_what_no_post_gets_past_ends_the_round(start, fault):
    server = start(fault)
    with pytest.raises(Later) as told:
        publisher(server).send(claim())
    assert server.calls == ["POST"] and told.value.seconds == 0
    assert ("a redirect; the token goes nowhere else" in str(told.value)) == (fault == "redirect")


@needs_mastodon
def test_server_that_is_away_leaves_it_unsure(start):
    server = start()
    server.shutdown()
    server.server_close()
    with pytest.raises(Unsure, match=r"^no answer from 127\.0\.0\.1: ConnectionError$"):
        publisher(server).send(claim())


@needs_mastodon
def test_no_request_begins_when_the_claim_is_about_to_end(start):
    server = start()
    with pytest.raises(Later, match="takes nothing yet"):
        publisher(server).send(claim(seconds=0.1))
    assert server.calls == []


@needs_mastodon
def test_token_is_in_no_sentence_no_log_and_no_object(start, caplog, capsys, monkeypatch):
    caplog.set_level(logging.DEBUG)
    server = start(500, 401, "redirect", 422, (422, f"Bearer {SECRET}" + SECRET, {}))
    there = publisher(server, tries=1)
    told = []
    for _ in range(5):
        with pytest.raises((Unsure, Later, Refused)) as caught:
            there.send(claim())
        told.append(caught.value)
    monkeypatch.setenv(TOKEN, wrong := f"{SECRET}-wrong")  # the server echoes it
    with pytest.raises(Later, match="The access token Bearer <token> is invalid") as caught:
        there.send(claim())
    for error in [*told, caught.value]:
        assert error.__cause__ is None and error.__context__ is None
    seen = [str(told), repr(told), repr(there), str(vars(there)), str(vars(there._session)), caplog.text]
    seen += capsys.readouterr()
    assert not any(SECRET in text or wrong in text for text in seen)
    for bad in (f"{SECRET}\n", f" {SECRET}", "é" * 20, "t0ken"):
        monkeypatch.setenv(TOKEN, bad)
        with pytest.raises(UsageError, match="holds signs that no token has, or is too short") as caught:
            there.send(claim())
        assert bad not in str(caught.value)
    monkeypatch.delenv(TOKEN)
    with pytest.raises(UsageError, match=f"the environment holds no {TOKEN}"):
        ToMastodon(server.url)


@needs_mastodon
def test_token_that_names_a_file_is_not_read(start, tmp_path, monkeypatch):
    path = tmp_path / "secret-file"
    path.write_text("http-content")
    monkeypatch.setenv(TOKEN, str(path))
    with pytest.raises(Later, match="answered 401"):
        publisher(start()).send(claim())


@needs_mastodon
def test_proxy_and_netrc_of_the_environment_do_not_get_the_token(start, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = start()
    publisher(server).send(claim())
    assert server.texts == ["Hello"]


def test_addresses_are_https_of_named_hosts(monkeypatch):
    monkeypatch.setenv(HOSTS, "mastodon.example, Social.Example")
    assert allowed("https://mastodon.example/") == ("https://mastodon.example", "mastodon.example")
    assert allowed("https://social.example:8443") == ("https://social.example:8443", "social.example")
    assert allowed("http://[::1]:3000")[1] == "[::1]"
    with pytest.raises(UsageError, match="mastodon.example has to be spoken to over https"):
        allowed("http://mastodon.example")
    with pytest.raises(
        UsageError,
        match=re.escape(f"other.example is not one of the hosts that may have the token; name it in {HOSTS}"),
    ):
        allowed("https://other.example")
    for trick in (
        "https://mastodon.example@evil.example", "http://localhost@evil.example", "http://localhost\\@evil.example",
        "https://mastodon.example/path", "https://mastodon.example?x", "https://mastodon.example#x", "ftp://localhost",
        "mastodon.example", "https://mastodon.example\n", "//mastodon.example", "https://mаstodon.example", "",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="is not the address of a server"):
            allowed(trick)
    for trick in ("http://localhost.evil.example", "http://127.0.0.1.evil.example", "https://mastodon.example.evil"):
        with pytest.raises(UsageError, match="is not one of the hosts"):
            allowed(trick)


def test_missing_library_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv(TOKEN, SECRET)
    monkeypatch.setitem(__import__("sys").modules, "mastodon", None)
    with pytest.raises(DataAbsent, match=re.escape("publishing needs Mastodon.py: pip install 'smlab[mastodon]'")):
        ToMastodon("http://localhost:1")


def test_file_takes_each_key_once_and_closes_what_was_torn(tmp_path):
    path = tmp_path / "wall.jsonl"
    one, other = ToFile(path), ToFile(path)
    hostile = "<script>\0\u2028\r\n" + "x" * 10**6
    assert one.send(claim(hostile)) == other.send(claim(hostile)) == ToFile(path).send(claim(hostile))
    assert json.loads(path.read_bytes())["text"] == hostile
    with path.open("ab") as out:
        out.write(b'{"id": "torn", "te')
    for key in ("1" * 40, "2" * 40, "1" * 40):
        one.send(claim(key=key))
        other.send(claim(key=key))
    lines = path.read_bytes().splitlines()
    assert len(lines) == 4 and [json.loads(line)["id"][0] for line in lines if b"torn" not in line] == ["k", "1", "2"]
    with pytest.raises(Unsure, match="Is a directory"):
        ToFile(tmp_path).send(claim())


def test_rehearsal_leaves_everything_as_it_was(tmp_path):
    with Outbox(tmp_path / "box.db") as box:
        box.propose(Proposal("a", "Hello"), Proposal("b", "not approved"), who="model")
        box.approve("a", who="Ann")
        before = box.history()
        for _ in range(2):
            done = box.publish(DryRun(tmp_path / "would.jsonl"))
            assert done["key"].tolist() == ["a"] and done["state"].tolist() == ["published"]
        assert box.history().equals(before)
    assert [json.loads(line)["text"] for line in (tmp_path / "would.jsonl").open()] == ["Hello"]


@needs_mastodon
def test_outbox_and_server_together_publish_each_post_once(start, tmp_path):
    server = start("drop", 503, "forget", (429, "", {"Retry_After": "1"}), 422, "error", None, "slow")
    with Outbox(tmp_path / "box.db") as box:
        box.propose(*(Proposal(f"p{i}", f"text {i % 7}") for i in range(10)), who="model")
        box.approve(*(f"p{i}" for i in range(10)), who="Ann")
        for _ in range(3):
            box.publish(publisher(server))
        states = box.table()["state"].value_counts().to_dict()
        receipts = box.table("published")["note"]
    assert states == {"published": 9, "failed": 1}
    assert len(server.posts) == 9 and sorted(receipts) == sorted(p["url"] for p in server.posts)


SENDER = """
import os, random, signal, sys, time
import mastodon, pandas
from smlab.outbox import Outbox
from smlab.publishers import ToMastodon

path, server, rng = sys.argv[1], sys.argv[2], random.Random(int(sys.argv[3]))

def send():
    box, there = Outbox(path), ToMastodon(server, timeout=0.2, pause=0.01)
    while box.ledger.one("SELECT count(*) FROM latest WHERE state <> 'published'")[0]:
        box.publish(there, lease=0.4, most=99)
    os._exit(0)

kills, code = 0, None
while code != 0:
    child = os.fork()
    if not child:
        send()
    time.sleep(rng.uniform(0.02, 0.15) * 1.1**kills)
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        os.kill(child, signal.SIGKILL)
        kills += 1
        status = os.waitpid(child, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -9), code
print(kills)
"""


@needs_mastodon
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("seed", range(3))
def test_kills_while_a_server_that_forgets_keys_is_spoken_to(start, tmp_path, seed):
    """Faults and kills at random: each post is there once, also those with the same text."""
    rng = random.Random(seed)
    troubles = [None] * 6 + ["drop", "forget", "lost", "error", "garbage", 500, 503, (429, "", {"Retry_After": "0"})]
    server = start(*(rng.choice(troubles) for _ in range(400)))
    with Outbox(tmp_path / "box.db") as box:
        box.propose(*(Proposal(f"p{i}", f"text {i % 40}") for i in range(60)), who="model")
        box.approve(*(f"p{i}" for i in range(60)), who="Ann")
        command = [sys.executable, "-c", SENDER, str(box.path), server.url, str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
        assert done.returncode == 0 and int(done.stdout) >= 3, done.stderr
        receipts = box.table("published")["note"]
    assert sorted(server.texts) == sorted(f"text {i % 40}" for i in range(60))
    assert sorted(receipts) == sorted(post["url"] for post in server.posts)
