"""What sends a post: a file, a rehearsal, or a Mastodon server.

A request may be taken although no answer comes back. So after each one without a clear answer the next step is not to
send again but to look whether the post is there, and only then to send again, with the same idempotency key:

    pause · 2ⁿ · u, u uniform in [½, 1]  →  look among our posts since then  →  there: done;  not there: send again

The key alone is not enough. Mastodon keeps it for an hour, and writes it down after it has made the post: a server
that dies or is slow in between has the post and does not know the key, and a repeated key has been answered with an
error though the post was there. Nor is the look: what the server is still making when asked, it does not show yet.
Both together leave one gap, a server that takes longer over a request than the pauses, and we know of no client that
closes it.

The token is read from SMLAB_MASTODON_TOKEN at each request, kept nowhere, and taken out of every sentence. It goes to
the hosts of SMLAB_MASTODON_HOSTS only, over https, and follows no redirect; this machine alone may be spoken to over
http.

References: Mastodon's API (statuses, Idempotency-Key; rate limits); RFC 9110, section 10.2.3 (Retry-After).
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from smlab.checks import DataAbsent, UsageError, shorten
from smlab.outbox import Claim, Later, Refused, Unsure

TOKEN, HOSTS = "SMLAB_MASTODON_TOKEN", "SMLAB_MASTODON_HOSTS"
ORIGIN = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[::1\])(?::\d{1,5})?/?", re.ASCII)
HERE = ("localhost", "127.0.0.1", "[::1]")
REFUSED = (400, 413, 422)  # this post will not do; other 4xx are about us, and no post will do
UNCLEAR = (408, 409, 425)  # as 5xx: perhaps taken
PAGE, PAGES = 40, 5  # posts that a look goes through
DAY = 86400.0


class ToFile:
    """A file as the network: a line of JSON for each post, and no key twice, whatever is killed when.

    Parameters
    ----------
    path : of the file; posts are added to what is there
    """

    rehearsal = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._seen: set[str] = set()
        self._read = 0  # bytes of the file that have been looked at

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def send(self, claim: Claim) -> str:
        from filelock import FileLock

        post = claim.post
        try:
            with FileLock(f"{self.path}.lock"), self.path.open("a+b") as out:
                self._look(out)
                if claim.key not in self._seen:
                    when = post.when and post.when.isoformat()
                    line = {**post._asdict(), "when": when, "id": claim.key}
                    out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                    out.flush()
                    os.fsync(out.fileno())
        except OSError as error:
            raise Unsure(f"{self.path}: {error.strerror}") from None
        return f"{self.path.name}#{claim.key}"

    def _look(self, out: Any) -> None:
        """Take in what others have added; what a killed process left of a line is closed, and is no post."""
        out.seek(self._read)
        added = out.read()
        if not added.endswith(b"\n") and added:
            out.write(b"\n")
        self._read += len(added.rpartition(b"\n")[0])
        for line in added.splitlines():
            with suppress(ValueError, TypeError, KeyError):
                self._seen.add(json.loads(line)["id"])


class DryRun(ToFile):
    """Write what would go out, once, and change nothing: approved proposals stay approved."""

    rehearsal = True


class _Answer(NamedTuple):
    """What came of a request: ok, wait, refused, closed (nothing of ours is taken), unclear."""

    kind: str
    value: Any = None
    problem: str = ""
    wait: float = 0.0


class _Unseen(Exception):
    """A look that could not go back far enough."""


class ToMastodon:
    """A Mastodon server, or another that speaks its API, through Mastodon.py (the extra `mastodon`).

    Parameters
    ----------
    server : such as "https://mastodon.example"; its host has to be in SMLAB_MASTODON_HOSTS, separated by commas
    visibility : public, unlisted, private or direct
    tries : requests for one post before it is left for the next time
    timeout : seconds that a server may be silent
    patience : seconds that one post may wait for the server's rate limit; a longer wait ends the round
    pause : seconds before the second try, doubled for each further one
    seed : of the jitter

    Raises
    ------
    UsageError
        where the address is not an https one of an allowed host, or the token is missing.
    DataAbsent
        where Mastodon.py is not installed.
    """

    rehearsal = False

    def __init__(
        self,
        server: str,
        *,
        visibility: str = "public",
        tries: int = 4,
        timeout: float = 20.0,
        patience: float = 60.0,
        pause: float = 2.0,
        seed: int = 0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.server, self.host = allowed(server)
        self.visibility, self.tries, self.timeout, self.patience = visibility, tries, timeout, patience
        self.pause, self.seed, self.sleep, self.clock = pause, seed, sleep, clock
        _token()
        try:
            import mastodon  # noqa: F401
            import requests
        except ImportError:
            raise DataAbsent("publishing needs Mastodon.py: pip install 'smlab[mastodon]'") from None
        self._session = requests.Session()
        self._session.max_redirects = 0  # the token goes nowhere else
        self._session.trust_env = self.host not in HERE  # nor to a proxy in plain text
        self._session.hooks["response"].append(self._note)
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._me: Any = None
        self._ahead = 0.0  # seconds of our clock before the server's
        self._free = self.clock()  # when the server takes requests again

    def __repr__(self) -> str:
        return f"ToMastodon({self.server!r})"

    def send(self, claim: Claim) -> str:
        """Send it, or find that it is there, and return its address."""
        jitter = random.Random(f"{self.seed} {claim.key}")
        busy = max((self._free - self.clock()).total_seconds(), 0.0)
        sent = claim.since  # since when it may be there
        answer = _Answer("wait", problem=f"{self.host} takes nothing yet", wait=busy)
        for n in range(self.tries):
            if answer.kind == "closed":
                break
            if n:
                answer = answer._replace(wait=max(answer.wait, self.pause * 2 ** (n - 1) * jitter.uniform(0.5, 1)))
            if answer.wait > self.patience or not self._in_time(claim, answer.wait):
                break
            if answer.wait:
                self.sleep(answer.wait)
            answer = self._ask(partial(self._find, claim, sent)) if sent else _Answer("ok")
            if answer.kind == "ok" and not answer.value:
                if not self._in_time(claim, 0):
                    answer = _Answer("closed", problem="looking took as long as the claim lasts")
                    break
                began = self.clock()
                answer = self._ask(partial(self._post, claim))
                if answer.kind == "refused":
                    raise Refused(answer.problem)
                sent = sent or (began if answer.kind == "unclear" else None)
            if answer.kind == "ok":
                return str(answer.value)
        if sent:
            raise Unsure(answer.problem)
        raise Later(answer.problem, answer.wait)

    def _post(self, claim: Claim, m: Any) -> Any:
        status = m.status_post(claim.post.text, visibility=self.visibility, idempotency_key=claim.key)
        return status.get("url") or status["uri"]

    def _find(self, claim: Claim, since: datetime, m: Any) -> Any:
        """Look among our posts since then for one with this text that is not another proposal's."""
        self._me = self._me or m.account_verify_credentials()["id"]
        known, oldest = claim.known(), None
        begin = since - timedelta(seconds=self._ahead + 60)  # on the server's clock, with a margin
        for _ in range(PAGES):
            page = m.account_statuses(self._me, limit=PAGE, exclude_reblogs=True, max_id=oldest)
            for status in page:
                if status["created_at"] < begin:
                    return None
                receipt = status.get("url") or status["uri"]
                if receipt not in known and _same(m.status_source(status["id"])["text"], claim.post.text):
                    return receipt
                oldest = status["id"]
            if not page:
                return None
        raise _Unseen(f"more than {PAGE * PAGES} posts since then; look by hand")

    def _ask(self, request: Callable[[Any], Any]) -> _Answer:
        """Make a request and say what came of it; no exception leaves, since one could carry the token."""
        from mastodon import Mastodon, MastodonNetworkError

        token, self._status, self._headers = _token(), 0, {}
        client = Mastodon(
            api_base_url=self.server,
            ratelimit_method="throw",
            request_timeout=self.timeout,
            session=self._session,
            user_agent="smlab",
        )
        client.access_token = token  # given to the constructor, the name of a file would be read
        try:
            return _Answer("ok", request(client))
        except MastodonNetworkError as error:
            self._status *= 300 <= self._status < 400  # 0 but for a redirect; an earlier answer says nothing of this
            words = type(error.__context__ or error).__name__
        except _Unseen as error:
            words = str(error)
        except Exception as error:  # whatever it was, the post may be out; the fourth is what the server says
            words = str(error.args[3]) if len(error.args) > 3 else type(error).__name__
        return self._unhappy("".join(c if c.isprintable() else " " for c in words.replace(token, "<token>")))

    def _unhappy(self, words: str) -> _Answer:
        status, problem = self._status, f"{self.host} answered {self._status}"
        if not status:
            problem = f"no answer from {self.host}"
        problem += f": {shorten(words, 200)}" if words else ""
        wait = self._seconds()
        if status == 429:
            return _Answer("wait", None, f"{self.host} asks to wait, too many requests", wait)
        if status in REFUSED:
            return _Answer("refused", None, problem)
        if 300 <= status < 400:
            return _Answer("closed", None, f"{self.host} answered {status}, a redirect; the token goes nowhere else")
        if 400 <= status < 500 and status not in UNCLEAR:
            return _Answer("closed", None, problem)
        return _Answer("unclear", None, problem, wait)

    def _note(self, response: Any, *_: object, **__: object) -> None:
        """Keep what a response says of itself: its status, its limits, the server's clock."""
        self._status, self._headers = response.status_code, response.headers
        if server := _date(response.headers.get("Date", "")):
            self._ahead = (self.clock() - server).total_seconds()
        if response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
            self._free = self.clock() + timedelta(seconds=self._seconds())

    def _seconds(self) -> float:
        """Say how long the server asks to wait: Retry-After in seconds or as a date, else X-RateLimit-Reset."""
        text = self._headers.get("Retry-After") or self._headers.get("X-RateLimit-Reset") or ""
        if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
            return min(float(text), DAY)
        when = _date(text)
        wait = (when - self.clock()).total_seconds() + self._ahead if when else 0.0
        return min(max(wait, 0.0), DAY)

    def _in_time(self, claim: Claim, wait: float) -> bool:
        """Say whether a request can begin and end while the claim is ours."""
        return self.clock() + timedelta(seconds=wait + self.timeout) <= claim.until


def allowed(server: str) -> tuple[str, str]:
    """Check the address of a server and give it with its host.

    >>> allowed("http://localhost:3000")
    ('http://localhost:3000', 'localhost')
    """
    match = ORIGIN.fullmatch(server)
    if not match:
        raise UsageError(
            f"{shorten(server)!r} is not the address of a server; write one such as https://mastodon.example"
        )
    scheme, host = match[1], match[2].lower()
    if host not in HERE:
        hosts = [h.strip().lower() for h in os.environ.get(HOSTS, "").split(",") if h.strip()]
        if host not in hosts:
            raise UsageError(f"{host} is not one of the hosts that may have the token; name it in {HOSTS}")
        if scheme != "https":
            raise UsageError(f"{host} has to be spoken to over https")
    return server.rstrip("/"), host


def _token() -> str:
    token = os.environ.get(TOKEN, "")
    if not token:
        raise UsageError(f"the environment holds no {TOKEN}")
    if not re.fullmatch(r"[\x21-\x7e]{8,1000}", token):
        raise UsageError(f"{TOKEN} holds signs that no token has, or is too short")
    return token


def _date(text: str) -> datetime | None:
    """Read a date of a header, in HTTP's form or in ISO 8601."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, TypeError, OverflowError):
            found = read(text.strip())
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _same(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
