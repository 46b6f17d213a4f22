"""Pip's own settings: index address, extra indexes, find-links, certificate, proxy, trusted hosts, timeout.

Pip is asked, so every configuration file and environment variable that it honours counts here too, and no
address of an index stands anywhere in this project.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from smlab.checks import UsageError, shorten

_ASK_PIP = """
import json, sys
try:
    import pip
except ImportError:  # environments made by uv hold no pip; Python carries one
    import ensurepip, glob, os
    sys.path[:0] = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
from pip._internal.commands import create_command
values = create_command("download").parser.get_default_values()
names = "index_url extra_index_urls find_links no_index cert client_cert proxy trusted_hosts timeout retries"
print(json.dumps({name: getattr(values, name) for name in names.split()}))
"""


@dataclass(frozen=True)
class PipSettings:
    """What pip would use, from its files, its environment and its defaults."""

    index_url: str
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    timeout: float = 15.0
    retries: int = 5

    @property
    def indexes(self) -> tuple[str, ...]:
        return () if self.no_index else (self.index_url, *self.extra_index_urls)


def pip_settings() -> PipSettings:
    """Ask pip for its settings; once for each environment of this process.

    Raises
    ------
    UsageError
        If this Python has no pip, or pip cannot read its own configuration.
    """
    relevant = tuple(sorted(item for item in os.environ.items() if item[0].startswith("PIP_")))
    return _ask_pip(relevant)


@functools.lru_cache(maxsize=32)
def _ask_pip(environment: tuple[tuple[str, str], ...]) -> PipSettings:
    asked = subprocess.run([sys.executable, "-P", "-c", _ASK_PIP], capture_output=True, text=True, timeout=60)
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise UsageError(f"pip cannot say which package index to use: {shorten(redact(last[0]), 200)}")
    values: dict[str, Any] = json.loads(asked.stdout)
    for name in ("extra_index_urls", "find_links", "trusted_hosts"):
        values[name] = tuple(values[name] or ())
    values["no_index"] = bool(values["no_index"])
    return PipSettings(**values)


def redact(text: str) -> str:
    """Take user names, passwords and queries out of every address in `text`.

    >>> redact("no answer from https://me:secret@mirror.example/index?token=1 today")
    'no answer from https://mirror.example/index today'
    """
    text = re.sub(r"(?<=://)[^/\s@]*@(?:[^/\s@]*@)*", "", text)
    return re.sub(r"(://[^\s?#]*)[?#]\S*", r"\1", text)
