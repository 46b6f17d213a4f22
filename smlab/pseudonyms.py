"""Pseudonyms for people: a keyed hash in place of a name, the key outside every repository.

    p = base32( HMAC(HMAC(K, column), value) ) to 16 letters,    HMAC(K, m) = H((K ⊕ opad) ‖ H((K ⊕ ipad) ‖ m))

with H = SHA-256 (RFC 2104, Krawczyk, Bellare & Canetti 1997). The same key gives the same pseudonym on every day and
machine, another key another one; the inner HMAC gives each column a key of its own, so that a customer 17 and a post
17 have nothing in common. 16 letters are 80 bits: among n people two share one with a chance of about n² / 2^81, which
is 4·10^-11 for ten million.

What a pseudonym does not do. It is still personal data (GDPR, recital 26 and article 4(5)): whoever has the key can
try all names, and whoever has not still sees that rows belong to one person, how often that person buys, and when.
That alone can name somebody; `privacy` measures it. A hash without a key protects nobody: all phone numbers of a
country are hashed in minutes. Lose the key, and old and new pseudonyms no longer meet; delete it, and the way back
is closed. Sort by something else than pseudonyms where order matters, or results will depend on the key.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from smlab.checks import SmlabError, UsageError, nearest

LENGTH, BYTES = 16, 10  # 16 letters of 5 bits: 80 bits, the least that RFC 2104 (section 5) allows a truncated HMAC
KEY_BYTES = 32
WRITTEN = re.compile(rb"[0-9a-f]{%d}\n?" % (2 * KEY_BYTES))
AWAY = "set SMLAB_KEY_FILE to a file of your own outside"


class KeyFileError(SmlabError):
    """A key file that is absent, broken, or not safe."""


@dataclass(frozen=True)
class Key:
    """A secret key; it never shows itself, only its `name`.

    Parameters
    ----------
    secret : 32 bytes

    >>> Key(bytes(32))
    Key(name='3ze7a5')
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise UsageError(f"a key has {KEY_BYTES} bytes, this one has {len(self.secret)}")

    @property
    def name(self) -> str:
        """Six letters that say which key was used and nothing about it."""
        return _letters(_hmac(self.secret, "the name of this key"))[:6]

    def __repr__(self) -> str:
        return f"Key(name={self.name!r})"


def pseudonyms(values: pd.Series, key: Key, *, column: str | None = None) -> pd.Series:
    """Replace each value by its pseudonym; missing values stay missing, equal values stay equal.

    Spelling counts: "Ann" and "ann " are two people, unless you unify them before. 17850 and 17850.0 are one, for a
    column with a gap in it turns whole numbers into floats.

    Parameters
    ----------
    column : what the values are, "customer" for instance; None is the name of the series. Frames that are to be
        joined need the same

    >>> pseudonyms(pd.Series(["ann", "bob", None, "ann"], name="customer"), Key(bytes(32))).tolist()
    ['bblb2vcmvp665eka', '35wwiulq2feckjay', nan, 'bblb2vcmvp665eka']
    """
    column = values.name if column is None else column  # type: ignore[assignment]
    if not isinstance(column, str) or not column:
        raise UsageError("pseudonyms need the name of the column: it is part of what is hashed")
    own = _hmac(key.secret, column)
    codes, people = pd.factorize(values)  # each person is hashed once; -1 is missing
    long = _letters(b"".join(_hmac(own, _spelt(person))[:BYTES] for person in people))
    names = pd.array([long[at : at + LENGTH] for at in range(0, len(long), LENGTH)] + [None], dtype="str")
    return pd.Series(names.take(codes), index=values.index, name=values.name)


def pseudonymise(frame: pd.DataFrame, columns: Sequence[str], key: Key) -> pd.DataFrame:
    """Give a copy of the frame with pseudonyms in `columns`.

    >>> bought = pd.DataFrame({"customer": [17, 18], "amount": [9.5, 3.0]})
    >>> pseudonymise(bought, ["customer"], Key(bytes(32)))["customer"].str.len().tolist()
    [16, 16]
    """
    have = [str(name) for name in frame.columns]
    for name in columns:
        if name not in have:
            raise UsageError(f"the frame has no column {name!r} to replace; {nearest(name, have)}")
    return frame.assign(**{name: pseudonyms(frame[name], key, column=name) for name in columns})


def key_file() -> Path:
    """Say where the key lies: `SMLAB_KEY_FILE`, else smlab/pseudonym.key in the user's configuration folder.

    That folder is `XDG_CONFIG_HOME`, or ~/.config (XDG Base Directory Specification: a relative path is ignored).
    """
    if given := os.environ.get("SMLAB_KEY_FILE"):
        return Path(given).expanduser().absolute()
    home = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".config") / "smlab" / "pseudonym.key"


def load_key(path: str | Path | None = None, *, create: bool = True) -> Key:
    """Load the key; the first time it is made, at random, for its owner's eyes only.

    Two processes that make it at once end with one key: a complete file is linked to its name, which fails if the
    name is taken.

    Parameters
    ----------
    path : the key file; None is `key_file()`
    create : make a key where there is none; False refuses, which is right where old pseudonyms are to be met again

    Raises
    ------
    KeyFileError
        If others can read the file, if it lies inside a git work tree (a commit would publish it), if it is not a
        key, or if it cannot be read or made.
    """
    path = key_file() if path is None else Path(path).expanduser().absolute()
    try:
        _refuse_work_tree(path)
        if create and not path.exists():
            _make(path)
        return Key(_read(path))
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links
        raise KeyFileError(f"{path}: the key cannot be read or made ({_reason(error)}); {AWAY}") from None


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp: permissions 600
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
        os.link(name, path)  # whole or not at all, and never over another's key
    except FileExistsError:
        pass
    finally:
        Path(name).unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe must not make us wait
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(stream.fileno())  # of the file that is read, whatever its name becomes meanwhile
        if not stat.S_ISREG(found.st_mode):
            raise KeyFileError(f"{path}: the key must be a regular file")
        if os.name == "posix" and found.st_mode & 0o077:
            mode = f"{stat.S_IMODE(found.st_mode):o}"
            raise KeyFileError(
                f"{path}: others can read or change the key (permissions {mode}); run chmod 600 on it, "
                "and make a new key if anybody else had it"
            )
        written = stream.read(1000)
    if not WRITTEN.fullmatch(written):
        raise KeyFileError(f"{path}: must hold a key, {2 * KEY_BYTES} hexadecimal digits, and nothing else")
    return bytes.fromhex(written.decode())


def _refuse_work_tree(path: Path) -> None:
    """A link inside a work tree is harmless, what it points to counts; `.git` is a file in linked work trees."""
    for folder in path.resolve().parents:
        if (folder / ".git").exists():
            raise KeyFileError(f"{path}: lies in the git work tree {folder}, a commit would publish it; {AWAY}")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")


def _letters(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower()


def _spelt(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
