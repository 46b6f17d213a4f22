"""A peer is run beside ours, and its absence or failure is a sentence."""

from __future__ import annotations

import pytest

from smlab import peers
from smlab.checks import DataAbsent, SmlabError

SCRIPT = """
import json, sys
print("warming up")
print(json.dumps({"rows": 300 if "--ours" in sys.argv else 100, "data": sys.argv[1]}))
"""


def script(tmp_path, text):
    (tmp_path / "bench.py").write_text(text)
    return tmp_path


def test_the_last_line_is_the_result_and_the_data_folder_is_filled_in(tmp_path):
    found = peers.measure(["bench.py", "{data}"], script(tmp_path, SCRIPT), tmp_path / "d", aloud=False)
    assert found == {"rows": 100, "data": str(tmp_path / "d")}


def test_ratio_is_taken_round_by_round(tmp_path):
    pair = {"figure": "rows", "rounds": 2, "ours": ["bench.py", "x", "--ours"], "peer": ["bench.py", "x"]}
    found = peers.ratio(pair, script(tmp_path, SCRIPT), tmp_path, aloud=False)
    assert found == {"ours": 300, "peer": 100, "ratio": {"value": 3.0, "low": 3.0, "high": 3.0}}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("import no_such_peer", DataAbsent, "the peer is not installed .*no_such_peer.*SMLAB_PEERS"),
        ("raise SystemExit('out of cheese')", SmlabError, "bench.py ended with exit code 1: out of cheese"),
        ("print('hello')", SmlabError, "bench.py printed no JSON object in its last line: 'hello'"),
    ],
)
def test_what_goes_wrong_is_a_sentence(tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        peers.measure(["bench.py"], script(tmp_path, text), tmp_path, aloud=False)
