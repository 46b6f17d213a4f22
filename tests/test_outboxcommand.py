"""The words of `smlab outbox`: a person decides, and by default nothing is sent."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path

import pytest

from smlab import outboxcommand
from smlab.checks import UsageError
from smlab.ledger import STEPS
from smlab.outbox import Outbox, Proposal
from smlab.outboxcommand import STATES, harmless, run

OPTIONS = {"file": None, "states": [], "keys": [], "who": "Ann", "note": "", "to": None, "dry_run": False}


@pytest.fixture
def act(tmp_path, capsys):
    """A function that runs a command on an outbox with four proposals and returns code and words."""
    path = tmp_path / "outbox.db"
    with Outbox(path) as box:
        box.propose(
            Proposal("monday", "Good morning!", "mastodon", datetime(2020, 1, 1, 8), "n-gram", "people are up"),
            Proposal("bell", "\x1b]0;pwned\x07 red \x1b[31m\r\nover\u202eturned", "mastodon"),
            Proposal("long", "x" * 10**6, "mastodon"),
            Proposal("letter", "by post", "mail"),
            who="model",
        )

    def act(action, **options):
        more = {"channel": None, "limit": None, "out": None}
        code = run(argparse.Namespace(action=action, **{**OPTIONS, **more, "file": path, **options}))
        return code, capsys.readouterr().out

    act.path = path
    return act


def test_list_shows_states_and_counts(act):
    code, told = act("list")
    assert code == 0 and told.endswith("4 proposed\n")
    assert (
        "monday\n  proposed by model, 20" in told and ", for 2020-01-01 08:00 UTC\n  mastodon: Good morning!\n" in told
    )
    assert act("list", states=["published"])[1] == "Nothing is here.\n"
    with pytest.raises(UsageError, match="unknown state 'publish': did you mean 'published'"):
        act("list", states=["publish"])


def test_terminal_is_not_steered_by_texts(act):
    for told in (act("list")[1], act("show", keys=["bell"])[1]):
        assert not set(told) & set("\x1b\x07\r\u202e") and "\\x1b]0;pwned\\x07 red" in told
    assert len(act("list")[1]) < 2000
    assert harmless("你好 👩‍💻") == "你好 👩‍💻"


def test_person_decides_and_is_named(act):
    assert act("approve", keys=["monday", "bell"], note="fine") == (0, "2 approved\n")
    assert act("reject", keys=["bell"], who="Bo") == (0, "1 rejected\n")
    told = act("show", keys=["bell"])[1]
    assert "proposed by model\n" in told and "approved by Ann: fine\n" in told and "rejected by Bo\n" in told
    with pytest.raises(UsageError, match="there is no proposal 'mondey'; did you mean 'monday'"):
        act("show", keys=["mondey"])
    with pytest.raises(UsageError, match="'bell' is rejected and cannot be approved"):
        act("approve", keys=["bell"])


def test_who_is_the_user_of_the_machine_by_default(act, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "carla")
    act("approve", keys=["long"], who=None)
    assert "approved by carla" in act("show", keys=["long"])[1]

    def nobody():
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(UsageError, match="say who decides: --who NAME"):
        act("approve", keys=["bell"], who=None)


@pytest.mark.parametrize("options", [{}, {"dry_run": True, "to": "https://mastodon.example"}])
def test_publish_is_a_rehearsal_unless_a_server_is_named(act, options):
    act("approve", keys=["long", "bell"])
    code, told = act("publish", **options)
    assert code == 0 and "2 would go, nothing was sent" in told and "bell\n  would go: " in told
    lines = act.path.with_name("outbox.dry-run.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["bell", "long"]
    assert act("list", states=["approved"])[1].endswith("2 approved\n")


def test_exit_code_says_whether_all_went_out(act, monkeypatch):
    class Server:
        rehearsal = False

        def __init__(self, address):
            assert address == "https://mastodon.example"

        def send(self, claim):
            if claim.post.key == "bell":
                from smlab.outbox import Refused

                raise Refused("no bells")
            return "https://mastodon.example/1"

    monkeypatch.setattr("smlab.publishers.ToMastodon", Server)
    act("approve", keys=["monday", "bell", "long", "letter"])
    code, told = act("publish", to="https://mastodon.example", limit=2)
    assert code == 1 and told.endswith("1 published, 1 not\n")
    assert "bell\n  failed: no bells\n" in told and "long\n  published: https://mastodon.example/1\n" in told
    code, told = act("publish", to="https://mastodon.example")
    assert code == 1 and "monday\n  expired: its time was over" in told
    assert act("publish", to="https://mastodon.example") == (0, "0 published, 0 not\n")
    assert "letter" in act("list", states=["approved"])[1], "what is for another channel stays"
    assert act("publish", to="https://mastodon.example", channel="mail")[0] == 0


def test_outbox_is_named_by_the_environment_and_never_made(act, tmp_path, monkeypatch):
    monkeypatch.setenv("SMLAB_OUTBOX", str(act.path))
    assert act("list", file=None)[0] == 0
    with pytest.raises(UsageError, match=r"there is no outbox .*no\.db; name it by --file or SMLAB_OUTBOX"):
        act("list", file=tmp_path / "no.db")
    assert not (tmp_path / "no.db").exists()


def test_states_are_those_of_the_ledger():
    known = {s for ends in STEPS.values() for s in ends.split()} | {"published"}
    assert set(STATES) == known and set(outboxcommand.ACTIONS) == {"list", "show", "approve", "reject", "publish"}
    assert "import pandas" not in Path(outboxcommand.__file__).read_text()
