"""Pseudonyms: the same with the same key, useless without it; and a key that only its owner can read."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.checks import UsageError
from smlab.pseudonyms import KEY_BYTES, LENGTH, Key, KeyFileError, key_file, load_key, pseudonymise, pseudonyms

KEY, OTHER = Key(bytes(range(KEY_BYTES))), Key(bytes(range(1, KEY_BYTES + 1)))
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")


def column(*values: object, name: str = "customer") -> pd.Series:
    return pd.Series(list(values), name=name)


def hmac_by_hand(key: bytes, message: bytes) -> bytes:
    """RFC 2104, section 2: H(K xor opad, H(K xor ipad, text)) with blocks of 64 bytes."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


def test_pseudonym_is_the_hmac_of_the_formula():
    import base64

    own = hmac_by_hand(KEY.secret, b"customer")
    expected = base64.b32encode(hmac_by_hand(own, "王小明".encode())[:10]).decode().lower()
    assert pseudonyms(column("王小明"), KEY).tolist() == [expected]


def test_hmac_by_hand_gives_the_number_of_rfc_4231():
    """Test case 2 of RFC 4231, section 4.3."""
    found = hmac_by_hand(b"Jefe", b"what do ya want for nothing?").hex()
    assert found == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac.digest(b"Jefe", b"what do ya want for nothing?", "sha256").hex() == found


def test_same_key_same_pseudonym_another_key_another():
    people = column("ann", "bob", "ann")
    first, again, other = pseudonyms(people, KEY), pseudonyms(people, KEY), pseudonyms(people, OTHER)
    assert first.equals(again) and first[0] == first[2] != first[1]
    assert set(first).isdisjoint(other)


def test_columns_are_domains_of_their_own():
    assert set(pseudonyms(column(17, 18), KEY)).isdisjoint(pseudonyms(column(17, 18, name="post"), KEY))
    assert pseudonyms(column(17), KEY, column="post").equals(
        pseudonyms(column(17, name="post"), KEY).rename("customer")
    )


def test_form_is_short_and_a_spreadsheet_leaves_it_alone():
    found = pseudonyms(column(*range(20_000)), KEY)
    assert found.str.fullmatch(f"[a-z2-7]{{{LENGTH}}}").all() and found.is_unique
    assert not found.str.fullmatch("[0-9e]*").any()
    letters = pd.Series(list("".join(found))).value_counts(normalize=True)
    assert len(letters) == 32 and np.allclose(letters, 1 / 32, rtol=0.05)  # nothing of the value shows through


def test_length_is_enough_for_ten_million_people():
    n, bits = 10_000_000, 5 * LENGTH
    assert n**2 / 2 ** (bits + 1) < 1e-10  # the birthday bound


def test_missing_stays_missing_and_index_and_name_stay():
    given_ = pd.Series(["ann", None, np.nan, "bob"], index=[9, 3, 3, 1], name="customer")
    found = pseudonyms(given_, KEY)
    assert found.isna().tolist() == [False, True, True, False]
    assert found.index.equals(given_.index) and found.name == "customer"
    assert pseudonyms(column().astype(object), KEY).empty


def test_whole_numbers_are_one_however_a_table_holds_them():
    spelt = [pseudonyms(column(v), KEY)[0] for v in (17850, 17850.0, "17850", np.int32(17850))]
    assert len(set(spelt)) == 1
    assert len({pseudonyms(column(v), KEY)[0] for v in ("17850", "17850.5", " 17850", "017850")}) == 4


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=())), unique=True, max_size=8))
def test_any_unicode_has_a_pseudonym_and_different_texts_different_ones(texts):
    found = pseudonyms(pd.Series(texts, name="user", dtype=object), KEY)
    assert found.nunique() == len(texts) and (found.str.len() == LENGTH).all()


def test_frame_is_copied_and_a_wrong_column_is_named():
    frame = pd.DataFrame({"customer": [1, 2], "amount": [3.0, 4.0]})
    done = pseudonymise(frame, ["customer"], KEY)
    assert frame["customer"].tolist() == [1, 2] and done["amount"].equals(frame["amount"])
    with pytest.raises(UsageError, match="no column 'custmer' to replace; did you mean 'customer'"):
        pseudonymise(frame, ["custmer"], KEY)
    with pytest.raises(UsageError, match="need the name of the column"):
        pseudonyms(pd.Series(["a"]), KEY)
    with pytest.raises(UsageError, match="has 32 bytes, this one has 5"):
        Key(b"short")


def test_key_does_not_show_itself(tmp_path):
    for shown in (repr(KEY), str(KEY), f"{KEY}", repr([KEY]), KEY.name):
        assert KEY.secret.hex() not in shown and repr(KEY.secret)[2:-1] not in shown
    assert len(KEY.name) == 6 and KEY.name != OTHER.name


# The attack: somebody has the pseudonyms and a list with everybody's e-mail address.


def everybody(n: int = 3000) -> list[str]:
    return [f"{first}.{last}{i}@example.com" for i in range(n // 20) for first in "abcd" for last in "vwxyz"]


def test_without_a_key_a_hash_is_inverted_by_trying_all_addresses():
    addresses = everybody()
    customers = addresses[::7]
    table = {hashlib.sha256(a.encode()).hexdigest() for a in customers}
    named = [a for a in addresses if hashlib.sha256(a.encode()).hexdigest() in table]
    assert named == customers  # every one


def test_with_a_key_trying_all_addresses_finds_nobody():
    addresses = everybody()
    table = set(pseudonyms(column(*addresses[::7], name="email"), KEY))
    for guess in (Key(bytes(KEY_BYTES)), OTHER, Key(hashlib.sha256(b"password").digest())):
        assert table.isdisjoint(pseudonyms(column(*addresses, name="email"), guess))
    unkeyed = {hashlib.sha256(a.encode()).hexdigest()[:LENGTH] for a in addresses}
    assert table.isdisjoint(unkeyed)


def test_whoever_has_the_key_finds_everybody():
    """Why the key is kept apart, and why pseudonyms stay personal data."""
    addresses = everybody()
    table = set(pseudonyms(column(*addresses[::7], name="email"), KEY))
    tried = pseudonyms(column(*addresses, name="email"), KEY)
    assert [a for a, p in zip(addresses, tried, strict=True) if p in table] == addresses[::7]


# The key file.


def test_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "private" / "key"
    made = load_key(path)
    assert load_key(path) == made and re.fullmatch("[0-9a-f]{64}\n", path.read_text())
    assert [p.name for p in path.parent.iterdir()] == ["key"]  # nothing temporary is left
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key(tmp_path / "another") != made


@posix
def test_umask_does_not_open_the_key(tmp_path):
    old = os.umask(0)
    try:
        load_key(tmp_path / "key")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o601])
def test_key_that_others_can_touch_is_refused(mode, tmp_path):
    path = tmp_path / "key"
    load_key(path)
    path.chmod(mode)
    with pytest.raises(
        KeyFileError, match=rf"others can read or change the key \(permissions {mode:o}\); run chmod 600"
    ):
        load_key(path)


@pytest.mark.parametrize("git", ["folder", "file"])
def test_key_in_a_git_work_tree_is_refused_and_not_made(git, tmp_path):
    (tmp_path / ".git").mkdir() if git == "folder" else (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    path = tmp_path / "config" / "deep" / "key"
    sentence = f"{path}: lies in the git work tree {tmp_path}, a commit would publish it; set SMLAB_KEY_FILE"
    with pytest.raises(KeyFileError, match=re.escape(sentence)):
        load_key(path)
    assert not path.parent.exists()


@posix
def test_link_counts_as_what_it_points_to(tmp_path):
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / ".git").mkdir(parents=True)
    outside.mkdir()
    key = load_key(outside / "key")
    (tree / "link").symlink_to(outside / "key")
    assert load_key(tree / "link") == key
    (outside / "back").symlink_to(tree / "key")
    with pytest.raises(KeyFileError, match="git work tree"):
        load_key(outside / "back")
    (outside / "circle").symlink_to(outside / "circle")
    with pytest.raises(KeyFileError, match="cannot be read or made"):
        load_key(outside / "circle")


@pytest.mark.parametrize(
    "content", [b"", b"secret", b"0" * 63, b"0" * 65, b"A" * 64, b"0" * 64 + b"\n\n", b"\xff" * 64]
)
def test_what_is_no_key_is_refused(content, tmp_path):
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="must hold a key, 64 hexadecimal digits") as caught:
        load_key(path)
    assert "secret" not in str(caught.value)


def test_key_that_is_not_there_can_be_asked_not_to_be_made(tmp_path):
    with pytest.raises(KeyFileError, match=r"cannot be read or made \(no such file"):
        load_key(tmp_path / "key", create=False)
    assert not (tmp_path / "key").exists()


def test_folder_or_pipe_is_no_key(tmp_path):
    with pytest.raises(KeyFileError):
        load_key(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe", 0o600)
        with pytest.raises(KeyFileError, match="regular file"):
            load_key(tmp_path / "pipe")


def test_place_is_the_variable_then_xdg_then_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("SMLAB_KEY_FILE", raising=False)
    assert key_file() == tmp_path / ".config" / "smlab" / "pseudonym.key"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert key_file() == tmp_path / ".config" / "smlab" / "pseudonym.key"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert key_file() == tmp_path / "xdg" / "smlab" / "pseudonym.key"
    monkeypatch.setenv("SMLAB_KEY_FILE", "~/mine")
    assert key_file() == tmp_path / "mine"
    assert load_key() == load_key(tmp_path / "mine") and not (tmp_path / "xdg").exists()


def test_many_threads_at_once_make_one_key(tmp_path):
    for trial in range(10):
        gate = Barrier(8)

        def load(trial: int = trial, gate: Barrier = gate) -> str:
            gate.wait()
            return load_key(tmp_path / f"key{trial}").name

        with ThreadPoolExecutor(8) as pool:
            assert len({f.result() for f in [pool.submit(load) for _ in range(8)]}) == 1
    assert len(list(tmp_path.iterdir())) == 10


def test_two_processes_at_once_make_one_key(tmp_path):
    """Both wait for a file, so that they start together."""
    script = (
        "import sys, time, pathlib; from smlab.pseudonyms import load_key\n"
        "folder = pathlib.Path(sys.argv[1]); (folder / sys.argv[2]).touch()\n"
        "while not (folder / 'go').exists(): time.sleep(0.001)\n"
        "print(*(load_key(folder / f'key{i}').secret.hex() for i in range(50)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    both = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"]
    while not all((tmp_path / name).exists() for name in "ab"):
        assert all(p.poll() is None for p in both)
    (tmp_path / "go").touch()
    first, second = (p.communicate(timeout=60)[0] for p in both)
    assert first == second and len(set(first.split())) == 50


def test_repository_does_not_hold_a_key():
    root = Path(__file__).resolve().parent.parent
    assert not list(root.glob("*.key")) and not list((root / "smlab").glob("**/*.key"))
