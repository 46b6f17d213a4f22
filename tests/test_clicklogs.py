"""Great logs are read piece by piece, the same whatever the size of the pieces, or an error says which row is wrong."""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import adsamples, clicklogs
from smlab.archives import Member
from smlab.checks import DataError, UsageError

ROOT = Path(__file__).resolve().parent.parent
AVAZU_HEADER = ",".join(name for name, _ in clicklogs.FORMATS["avazu"].columns)
AVAZU = AVAZU_HEADER + (
    "\n1000009418151094273,0,14102100,1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,ddd2926e,"
    "44956a24,1,2,15706,320,50,1722,0,35,-1,79\n"
    "10000169349117863715,1,14103023,1005,1,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,96809ac8,"
    "711ee120,1,0,15704,320,50,1722,0,35,100084,79\n"
)


@pytest.fixture(scope="module")
def criteo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("criteo") / "train.txt"
    adsamples.write_criteo(path, 3000, seed=4)
    return path


def slowly(path: Path) -> pd.DataFrame:
    """Read a Criteo file the slow and obvious way."""
    with path.open(newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t"))
    table = pd.DataFrame(rows, columns=["click", *clicklogs.FORMATS["criteo"].fields])
    for name in table.columns:
        base = 16 if name.startswith("C") else 10
        table[name] = [float(int(v, base)) if v else np.nan for v in table[name]]
    return table.astype({"click": "int64"})


def read(path: Path | Member, format_: str = "criteo", size: int = 1000, **options: int) -> pd.DataFrame:
    return pd.concat(list(clicklogs.stream(path, format_, size, progress=False, **options)))


@pytest.mark.parametrize("size", [7, 1000, 2999, 3000, 5000])
def test_pieces_of_every_size_give_what_the_slow_way_gives(criteo, size):
    frames = list(clicklogs.stream(criteo, "criteo", size, progress=False))
    assert {len(f) for f in frames[:-1]} <= {size} and 0 < len(frames[-1]) <= size
    pd.testing.assert_frame_equal(pd.concat(frames), slowly(criteo), check_index_type=False)


def test_plain_gzipped_zipped_and_crlf_files_are_alike(criteo, tmp_path, monkeypatch):
    monkeypatch.setattr(clicklogs, "BLOCK", 10_000)  # many blocks in a piece, and pieces in a block
    plain = read(criteo)
    (tmp_path / "a.gz").write_bytes(gzip.compress(criteo.read_bytes()))
    (tmp_path / "crlf.txt").write_bytes(criteo.read_bytes().replace(b"\n", b"\r\n"))
    (tmp_path / "open.txt").write_bytes(b"\xef\xbb\xbf" + criteo.read_bytes().rstrip(b"\n"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(criteo, "train.txt")
    for same in ("a.gz", "crlf.txt", "open.txt"):
        pd.testing.assert_frame_equal(read(tmp_path / same, size=13), plain)
    pd.testing.assert_frame_equal(read(Member(tmp_path / "a.zip", "train.txt")), plain)


@pytest.mark.parametrize("limit", [1, 10, 999, 1000, 1001, 9999])
def test_limit_stops_early(criteo, limit):
    pd.testing.assert_frame_equal(read(criteo, limit=limit), read(criteo)[:limit])


def test_avazu_has_hour_weekday_time_and_numbers(tmp_path):
    (tmp_path / "train.gz").write_bytes(gzip.compress(AVAZU.encode()))
    frame = read(tmp_path / "train.gz", "avazu")
    assert frame["click"].tolist() == [0, 1] and frame["C20"].tolist() == [-1, 100084]
    assert frame["time"].dt.strftime("%F %H").tolist() == ["2014-10-21 00", "2014-10-30 23"]
    assert frame["time"].dtype == "datetime64[ns, UTC]"
    assert (frame["hour"].tolist(), frame["weekday"].tolist()) == ([0, 23], [1, 3])
    assert frame["site_id"].tolist() == [0x1FBE01FE] * 2 and "id" not in frame
    assert set(clicklogs.FORMATS["avazu"].fields) == set(frame.columns) - {"click", "time"}


def test_whole_numbers_of_all_lengths_are_read(tmp_path):
    numbers = ["0", "7", "-1", "-12", "12345678", "123456789", "999999999999999", "", "00", "-00000001", "10", "1", "2"]
    (tmp_path / "log").write_text("\t".join(["1", *numbers, *[""] * 26]) + "\n")
    found = read(tmp_path / "log").iloc[0, 1:14].tolist()
    expected = [float(n) if n else np.nan for n in numbers]
    np.testing.assert_array_equal(found, expected)


WRONG = [
    (0, "2", "column 'click': '2' must be 0 or 1"),
    (0, "", "column 'click': '' must be 0 or 1"),
    (0, "10", "column 'click': '10' must be 0 or 1"),
    (1, "1.5", "column 'I1': '1.5' must be a whole number below 10**15, or empty"),
    (13, "-", "column 'I13': '-' must be a whole number"),
    (2, "1e5", "column 'I2': '1e5' must be a whole number"),
    (2, "12:4", "column 'I2': '12:4' must be a whole number"),
    (2, " 1", "column 'I2': ' 1' must be a whole number"),
    (2, "12345678x", "column 'I2': '12345678x' must be a whole number"),
    (2, "1234567890123456", "column 'I2': '1234567890123456' must be a whole number below 10**15"),
    (14, "68fd1e6", "column 'C1': '68fd1e6' must be eight hexadecimal digits"),
    (39, "68FD1E64", "column 'C26': '68FD1E64' must be eight hexadecimal digits in small letters, or empty"),
    (20, "68fd1e6g", "column 'C7': '68fd1e6g' must be eight hexadecimal digits"),
    (20, "68fd1e6:", "column 'C7': '68fd1e6:' must be eight hexadecimal digits"),
    (20, "68fd1e6`", "column 'C7': '68fd1e6`' must be eight hexadecimal digits"),
    (20, "68fd1e64\t", "must have 40 columns separated by '\\t', has 41"),
]


@pytest.mark.parametrize(("column", "value", "sentence"), WRONG)
@pytest.mark.parametrize("row", [1, 500, 3000])
def test_planted_value_is_named_with_its_row_and_column(criteo, tmp_path, column, value, sentence, row):
    lines = criteo.read_text().splitlines()
    cells = lines[row - 1].split("\t")
    cells[column] = value
    lines[row - 1] = "\t".join(cells)
    (tmp_path / "log.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=re.escape(sentence)) as caught:
        read(tmp_path / "log.txt", size=333)
    assert caught.value.row == row and str(caught.value).startswith(f"{tmp_path / 'log.txt'}, row {row}")


def test_no_byte_but_a_digit_passes_for_one(tmp_path):
    """All 256 bytes, in a number and in a category."""
    for byte in set(range(256)) - {9, 10, 13}:
        for place, good in ((2, b"0123456789"), (20, b"0123456789abcdef")):
            cells = [b"0"] + [b"1"] * 13 + [b"68fd1e64"] * 26
            cells[place] = cells[place][:3] + bytes([byte]) + cells[place][4:] if place > 13 else b"4" + bytes([byte])
            (tmp_path / "log").write_bytes(b"\t".join(cells) + b"\n")
            if byte in good:
                assert read(tmp_path / "log").shape == (1, 40)
            else:
                with pytest.raises(DataError, match="must be"):
                    read(tmp_path / "log")


@pytest.mark.parametrize(
    ("data", "format_", "sentence"),
    [
        (b"", "criteo", "is empty"),
        (b"\n\n", "criteo", "is empty"),
        (b"0\t1\n", "criteo", r"row 1: '0\\t1' must have 40 columns separated by '\\t', has 2"),
        (AVAZU_HEADER.encode() + b"\n", "avazu", "holds a header and no rows"),
        (AVAZU.replace("click", "clicked").encode(), "avazu", "row 1: .*column 'click' is not where it belongs"),
        (AVAZU.replace("14102100", "14102124").encode(), "avazu", "row 2, column 'hour': '14102124' must be an hour"),
        (AVAZU.replace("14102100", "1410210").encode(), "avazu", "column 'hour': '1410210' must be an hour written"),
        (gzip.compress(AVAZU.encode())[:-20], "avazu", "is a broken gzip file"),
    ],
)
def test_broken_file_is_a_sentence(data, format_, sentence, tmp_path):
    (tmp_path / "log").write_bytes(data)
    with pytest.raises(DataError, match=sentence):
        read(tmp_path / "log", format_)


def test_empty_line_in_the_middle_is_named(criteo, tmp_path):
    (tmp_path / "log").write_bytes(criteo.read_bytes().replace(b"\n", b"\n\n", 1))
    for size in (1, 2, 100):
        with pytest.raises(DataError, match=r"row 2: '' must have 40 columns .* has 1"):
            read(tmp_path / "log", size=size)


def test_file_without_line_ends_is_given_up_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(clicklogs, "BLOCK", 1 << 16)
    (tmp_path / "zeros.gz").write_bytes(gzip.compress(bytes(3_000_000)))
    with pytest.raises(DataError, match="row 1: has a line longer than 65536 bytes; it is no such log"):
        read(tmp_path / "zeros.gz")


def test_wrong_use_is_a_sentence():
    with pytest.raises(UsageError, match="unknown format 'critoe': did you mean 'criteo'"):
        clicklogs.stream("x", "critoe")
    with pytest.raises(UsageError, match="chunk_rows=0"):
        clicklogs.stream("x", "criteo", 0)


def test_damaged_files_give_tidy_frames_or_a_data_error(criteo, tmp_path):
    """300 files; no harm makes a frame with another number of columns, or a label that is none."""
    rng, outcomes = np.random.default_rng(0), {"frame": 0, "error": 0}
    base = b"".join(criteo.read_bytes().splitlines(keepends=True)[:8])
    odd = [b"", b"\t", b"\n", b"\r", b"\0", b"\xff", b"-", b"9", b"a", b"A", b" ", b"\x1f\x8b", b"\r\n"]
    for _ in range(300):
        data = base
        for _ in range(int(rng.integers(1, 4))):
            at, cut = int(rng.integers(0, len(data) + 1)), int(rng.integers(0, 3))
            data = data[:at] + odd[int(rng.integers(0, len(odd)))] + data[at + cut :]
        (tmp_path / "log").write_bytes(data)
        try:
            frame = read(tmp_path / "log", size=3)
            assert frame.shape[1] == 40 and frame["click"].isin([0, 1]).all() and frame.index.is_unique
            assert frame.iloc[:, 14:].min(axis=None) >= 0 and frame.iloc[:, 14:].max(axis=None) < 2**32
            outcomes["frame"] += 1
        except DataError as error:
            assert error.row is None or 1 <= error.row <= data.count(b"\n") + 1
            outcomes["error"] += 1
    assert min(outcomes.values()) > 5, outcomes


MEASURE = """
import resource, sys
from smlab import clicklogs
rows = clicks = 0
for frame in clicklogs.stream(sys.argv[1], "criteo", 50_000, progress=False):
    rows, clicks = rows + len(frame), clicks + int(frame["click"].sum())
print(rows, clicks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for rows in (100_000, 1_000_000):
        adsamples.write_criteo(tmp_path / "log", rows)
        command = [sys.executable, "-c", MEASURE, str(tmp_path / "log")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        found, clicks, peak = map(int, done.stdout.split())
        assert found == rows and 0.2 < clicks / rows < 0.32
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 80 and peaks[1] < 600
