"""A file of the package index: found as pip would find it, checked, and never run."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from smlab import packages, pip_settings, progress
from smlab.archives import unpack
from smlab.checks import DataAbsent, UsageError
from smlab.packages import PipSettings, Unreachable, WrongChecksum

WHEEL = "tinydata-1.0-py3-none-any.whl"
SDIST = "tinydata-1.0.tar.gz"


class Index:
    """A package index on this machine: pages as HTML or JSON, files, and a record of what was asked for."""

    def __init__(self) -> None:
        self.reset()
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                index.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/index"

    def reset(self) -> None:
        self.files: dict[str, bytes] = {}
        self.as_json = self.lie = self.cut = self.redirect = False
        self.password, self.fail, self.delay = "", 0, 0.0
        self.asked: list[str] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        expected = "Basic " + base64.b64encode(self.password.encode()).decode()
        if self.password and request.headers.get("Authorization") != expected:
            return self.send(request, 401, b"")
        if self.fail:
            self.fail -= 1
            return self.send(request, 503, b"")
        name = request.path.rsplit("/", 1)[-1]
        if request.path == "/index/tinydata/":
            return self.page(request)
        if self.redirect and name in self.files and request.path.startswith("/files/"):
            return self.send(request, 302, b"", Location=f"/elsewhere/{name}")
        if name in self.files:
            body = self.files[name]
            time.sleep(self.delay)
            return self.send(request, 200, body[: len(body) // 2] if self.cut else body, len(body))
        return self.send(request, 404, b"")

    def page(self, request: BaseHTTPRequestHandler) -> None:
        hashes = {name: hashlib.sha256(b"x" if self.lie else data).hexdigest() for name, data in self.files.items()}
        if self.as_json:
            files = [{"filename": n, "url": f"/files/{n}", "hashes": {"sha256": h}} for n, h in hashes.items()]
            body = json.dumps({"meta": {"api-version": "1.0"}, "name": "tinydata", "files": files}).encode()
            return self.send(request, 200, body, kind="application/vnd.pypi.simple.v1+json")
        links = [f'<a href="/files/{n}#sha256={h}">{n}</a>' for n, h in hashes.items()]
        return self.send(request, 200, f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode())

    def send(
        self, request: BaseHTTPRequestHandler, code: int, body: bytes, size: int | None = None,
        kind: str = "text/html", **headers: str,
    ) -> None:  # fmt: skip
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body) if size is None else size))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


def wheel(content: bytes = b"one\ntwo\n") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("tinydata/table.txt"), content)
    return out.getvalue()


def sdist(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@functools.cache
def shared_index() -> Index:
    """One server for all tests: its address stays the same, so pip is asked for its settings only once."""
    return Index()


@pytest.fixture
def index() -> Index:
    found = shared_index()
    found.reset()
    found.files[WHEEL] = wheel()
    return found


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(__import__("os").environ):
        if name.upper().startswith(("PIP_", "SMLAB_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/index")  # nothing listens on the discard port
    monkeypatch.setenv("HOME", str(tmp_path))


def get(to: Path, data: bytes | None = None, filename: str = WHEEL, size: int | None = None) -> Path:
    return packages.download("tinydata", "1.0", filename, sha256(wheel() if data is None else data), to, size=size)


@pytest.mark.parametrize("as_json", [False, True])
def test_file_is_found_through_index_url(index, as_json, monkeypatch, tmp_path):
    index.as_json = as_json
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    assert get(tmp_path / "to").read_bytes() == wheel()
    assert [p.name for p in (tmp_path / "to").iterdir()] == [WHEEL]


def test_file_is_found_through_extra_index_url_though_the_first_index_is_down(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", index.url)
    assert get(tmp_path / "to").read_bytes() == wheel()


def test_file_is_found_in_a_find_links_folder_and_nothing_is_asked_of_the_index(index, monkeypatch, tmp_path):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / WHEEL).write_bytes(wheel())
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    for setting in (str(tmp_path / "wheels"), (tmp_path / "wheels").as_uri(), "~/wheels"):
        monkeypatch.setenv("PIP_FIND_LINKS", f"/not/there {setting}")
        assert get(tmp_path / "to").read_bytes() == wheel()
    assert index.asked == []


def test_file_is_found_in_an_index_of_files(monkeypatch, tmp_path):
    page = tmp_path / "simple" / "tinydata"
    page.mkdir(parents=True)
    (page / WHEEL).write_bytes(wheel())
    (page / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    for url in ((tmp_path / "simple").as_uri(), str(tmp_path / "simple")):
        monkeypatch.setenv("PIP_INDEX_URL", url)
        assert get(tmp_path / "to").read_bytes() == wheel()


def test_settings_in_pips_own_file_count(index, monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.url}\ntimeout = 7\ntrusted-host = a.example\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    settings = packages.pip_settings()
    assert (settings.index_url, settings.timeout, settings.trusted_hosts) == (index.url, 7.0, ("a.example",))
    assert get(tmp_path / "to").read_bytes() == wheel()


def test_no_index_asks_no_index(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(DataAbsent, match="nowhere: pip is set to `no-index` and has no `find-links`"):
        get(tmp_path / "to")
    assert index.asked == []


def test_unreachable_index_is_one_sentence_within_two_seconds(tmp_path):
    start = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        get(tmp_path / "to")
    assert time.monotonic() - start < 2
    assert "cannot reach pip's index-url http://127.0.0.1:9/index (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_file_says_where_was_looked(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    with pytest.raises(DataAbsent, match=rf"is not in pip's package index \(looked in index-url {index.url}\)"):
        get(tmp_path / "to", filename="tinydata-1.0-py2-none-any.whl")


def test_busy_index_is_asked_again(index, monkeypatch, tmp_path):
    index.fail = 1
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    assert get(tmp_path / "to").read_bytes() == wheel()


def test_download_that_is_cut_off_leaves_nothing(index, monkeypatch, tmp_path):
    index.cut = True
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    with pytest.raises(Unreachable, match="cannot reach http://127.0.0.1"):
        get(tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize("user", ["me:s3cret", "me:s3%40cr%2Fet"])
def test_credentials_are_used_and_never_shown(index, user, monkeypatch, tmp_path):
    from urllib.parse import unquote

    index.password = unquote(user)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{user}@{index.host}/index")
    assert get(tmp_path / "to").read_bytes() == wheel()
    index.password = "other:password"
    with pytest.raises(Unreachable) as refused:
        get(tmp_path / "to")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{user}@127.0.0.1:9/index")
    with pytest.raises(Unreachable) as silent:
        get(tmp_path / "to")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{user}@mirror.example/index")
    with pytest.raises(Unreachable, match="is not https") as plain:
        get(tmp_path / "to")
    assert f"index-url {index.url} answers 401" in str(refused.value)
    for caught in (refused, silent, plain):
        assert not any(secret in str(caught.value) for secret in ("s3", "et@", "me:", "me@"))


def test_redirect_is_followed(index, monkeypatch, tmp_path):
    index.redirect = True
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    assert get(tmp_path / "to").read_bytes() == wheel()
    assert any(path.startswith("/elsewhere/") for path in index.asked)


def test_wrong_checksum_is_an_error_and_the_file_is_not_kept(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / WHEEL).write_bytes(wheel(b"something else"))
    with pytest.raises(
        WrongChecksum, match=rf"SHA-256 is {sha256(wheel(b'something else'))}, expected {sha256(wheel())}"
    ):
        get(tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []
    assert (tmp_path / "wheels" / WHEEL).exists()


def test_checksum_that_the_index_declares_is_compared_before_the_download(index, monkeypatch, tmp_path):
    index.lie = True
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    with pytest.raises(WrongChecksum, match="the index offers SHA-256"):
        get(tmp_path / "to")
    assert index.asked == ["/index/tinydata/"]


def test_longer_file_than_expected_is_stopped(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    with pytest.raises(WrongChecksum, match="has more than 100 bytes; not kept"):
        get(tmp_path / "to", size=100)
    assert list((tmp_path / "to").iterdir()) == []


def test_setup_code_of_a_source_distribution_never_runs(index, monkeypatch, tmp_path):
    marker = tmp_path / "ran"
    setup = f"open({str(marker)!r}, 'w').close()\n".encode()
    data = sdist({"tinydata-1.0/setup.py": setup, "tinydata-1.0/data/table.txt": b"one\n"})
    index.files = {SDIST: data}
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    file = get(tmp_path / "to", data, SDIST)
    unpack(file, {"tinydata-1.0/data/table.txt": "table.txt"}, tmp_path / "out")
    assert (tmp_path / "out" / "table.txt").read_bytes() == b"one\n"
    assert not marker.exists()


def test_pips_proxy_setting_is_used(index, monkeypatch, tmp_path):
    """A proxy is asked for whole addresses; this one is the index itself."""
    settings = PipSettings("http://far.example/index", trusted_hosts=("far.example",), proxy=index.host)
    with pytest.raises(DataAbsent):
        packages.download("tinydata", "1.0", WHEEL, sha256(wheel()), tmp_path / "to", settings=settings)
    assert index.asked[0] == "http://far.example/index/tinydata/"


def test_environments_proxy_is_used_for_a_trusted_host(index, monkeypatch, tmp_path):
    monkeypatch.setenv("HTTPS_PROXY", f"http://{index.host}")
    settings = PipSettings("http://far.example/index", trusted_hosts=("far.example",))
    with pytest.raises(DataAbsent):
        packages.download("tinydata", "1.0", WHEEL, sha256(wheel()), tmp_path / "to", settings=settings)
    assert index.asked[0] == "http://far.example/index/tinydata/"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"cert": "/not/there.pem"}, "pip's certificate setting, /not/there.pem, cannot be used"),
        ({"client_cert": "/not/there.pem"}, "pip's certificate setting, /not/there.pem, cannot be used"),
        ({"proxy": "gopher://me:s3cret@proxy"}, "pip's `proxy` setting: "),
    ],
)
def test_unusable_setting_is_named(settings, sentence, tmp_path):
    with pytest.raises(UsageError, match=sentence) as caught:
        packages.download("a", "1", "a-1.tar.gz", "0", tmp_path, settings=PipSettings("http://x.example", **settings))
    assert "s3cret" not in str(caught.value)


def test_module_of_the_working_folder_is_not_mistaken_for_pip(monkeypatch, tmp_path):
    (tmp_path / "pip.py").write_text("raise SystemExit('wrong pip')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_TIMEOUT", "11")
    assert packages.pip_settings().timeout == 11.0


def test_environment_without_pip_asks_the_one_that_python_carries(monkeypatch, tmp_path):
    blocked = pip_settings._ASK_PIP.replace("import pip\n", "raise ImportError\n", 1)
    monkeypatch.setattr(pip_settings, "_ASK_PIP", blocked)
    monkeypatch.setenv("PIP_TIMEOUT", "12")
    assert packages.pip_settings().timeout == 12.0


def test_broken_pip_configuration_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text("[global\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(UsageError, match="pip cannot say which package index to use"):
        packages.pip_settings()


def test_quick_download_is_silent_and_a_slow_one_says_two_lines(capsys, monkeypatch):
    with progress.meter("getting x", 100) as advance:
        advance(100)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    with progress.meter("getting x", 2_000_000) as advance:
        advance(1_000_000)
        advance(1_000_000)
    assert capsys.readouterr().err.splitlines() == ["getting x: 2.0 MB to come", "getting x: 2.0 MB in 0 s"]


def test_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.meter("getting [b]x", 100) as advance:
        advance(100)
    assert "getting [b]x" in capsys.readouterr().err


@pytest.mark.realdata
def test_real_index_has_the_pinned_wheel(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))
    digest = "80be9e3e4bd5e6b8f51b146ce5c06a6861208fdd983fab6150e8ca991dc949dd"
    try:
        file = packages.download("pymc3", "3.9.3", "pymc3-3.9.3-py3-none-any.whl", digest, tmp_path, size=1_870_588)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert file.stat().st_size == 1_870_588
