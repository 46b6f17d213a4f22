"""English lexicons: one line of each format, and what damaged files say."""

from __future__ import annotations

import gzip
import re

import pytest

from smlab.archives import Member
from smlab.checks import DataError, UsageError
from smlab.wordlists import read_wordlists

LINES = {
    "sentiment140": "fab\t2.5\t10\t1\nUGH\t-3\t1\t9\n",
    "sentiment140-pairs": "not bad\t1.25\t7\t2\n",
    "hashtag": "#joy\t4.5\t9\t0\n",
    "maxdiff": "0.984\tloves\n-0.5\tmeh\n",
    "positive": "; a comment\ngood\n\n",
    "negative": "bad\n",
    "mpqa": "type=weaksubj len=1 word1=abandon pos1=verb stemmed1=y priorpolarity=negative\n"
    "type=strongsubj len=1 word1=adore pos1=verb stemmed1=y priorpolarity=positive\n"
    "type=strongsubj len=1 word1=absolute pos1=adj stemmed1=n priorpolarity=neutral\n",
    "socal": "able\t2.5\nfed_up\t-5\n",
    "labmt": "word\trank\thapps\nlaughter\t1\t8.50\n",
}


def files(tmp_path, lines=LINES, packed=True):
    members = {}
    for role, text in lines.items():
        path = tmp_path / f"{role}.txt{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        members[role] = Member(path)
    return members


@pytest.mark.parametrize("packed", [True, False])
def test_every_format_is_read(tmp_path, packed):
    found = read_wordlists(files(tmp_path, packed=packed))
    assert found == {
        "sentiment140": {"fab": 2.5, "ugh": -3.0},
        "sentiment140-pairs": {"not bad": 1.25},
        "hashtag": {"#joy": 4.5},
        "maxdiff": {"loves": 0.984, "meh": -0.5},
        "opinion": {"good": 1.0, "bad": -1.0},
        "mpqa": {"abandon": -0.5, "adore": 1.0},
        "socal": {"able": 0.5, "fed up": -1.0},
        "labmt": {"laughter": pytest.approx((8.5 - 5.37) / 3)},
    }


def test_lexicons_that_are_not_there_are_left_out(tmp_path):
    assert list(read_wordlists(files(tmp_path, {"socal": LINES["socal"]}))) == ["socal"]
    assert read_wordlists({}) == {}


@pytest.mark.parametrize(
    ("role", "text", "message"),
    [
        ("sentiment140", "a\t1\nb\n", "row 2: 'b' must hold a word and a number"),
        ("maxdiff", "x\ty\n", "row 1: 'x\\ty' must hold a word and a number"),
        ("socal", "\na\tnan\n", "row 2: 'nan' must be a finite number"),
        ("mpqa", "type=weaksubj\n", "row 1: 'type=weaksubj' must hold type=, word1= and priorpolarity="),
    ],
)
def test_a_broken_line_is_named(tmp_path, role, text, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read_wordlists(files(tmp_path, {role: text}))


def test_a_damaged_file_and_an_unknown_role_are_one_sentence(tmp_path):
    path = tmp_path / "socal.txt.gz"
    path.write_bytes(gzip.compress(b"a\t1\n" * 100)[:-9])
    with pytest.raises(DataError, match="must be a whole gzip file"):
        read_wordlists({"socal": Member(path)})
    with pytest.raises(UsageError, match="'afin' is no role of a lexicon; known: sentiment140, "):
        read_wordlists({"afin": Member(path)})
