"""Readers of the tables beside the ratings: what the items are called, who the users are.

Titles are text from outside and stay as they are, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from smlab.archives import Member
from smlab.checks import DataError
from smlab.columns import ids, refuse
from smlab.text_tables import decode, headed, header_columns, split

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
ITEM = ("item", "itemid", "item_id", "movieid", "movie_id")
USER = ("user", "userid", "user_id")
OPTIONAL = {
    "title": ("title", "movie_title", "name"),
    "year": ("year", "release_year"),
    "genres": ("genres", "genre", "class"),
}
YEAR = re.compile(r"\((\d{4})\)\s*$")


def read_items(member: Member, format_: str) -> pd.DataFrame:
    """Read items into columns item, title, year (nullable whole number) and genres (joined with `|`).

    Raises
    ------
    DataError
        If a row has another width, an id is empty or repeated, or the text cannot be decoded.
    """
    file = str(member)
    text = decode(member.read(), file, latin_1=format_ in ("ml-100k", "ml-1m"))
    if format_ == "ml-100k":
        return _u_item(text, file)
    if format_ == "ml-1m":
        table = split(text, file, "::", 3, free=1)
        item, title, genres = table.columns
        return _items(item, table.lines, file, True, title=title, year=_years(title), genres=genres)
    header, key, table = headed(text, file, "," if format_ == "csv" else "\t", {"item": ITEM})
    at, found = key["item"], _present(header, file)
    columns = {name: table.columns[position] for name, position in found.items()}
    if "title" not in columns:
        raise DataError(file, f"must have a column {' or '.join(OPTIONAL['title'])}", row=1, column="title")
    years = [y.partition(".")[0] for y in columns["year"]] if "year" in columns else _years(columns["title"])
    columns["year"] = [y if re.fullmatch(r"\d{4}", y) else "" for y in years]
    if format_ == "atomic" and "genres" in columns:  # a token_seq: blanks between
        columns["genres"] = ["|".join(g.split(" ")) for g in columns["genres"]]
    return _items(table.columns[at], table.lines, file, header == ["movieId", "title", "genres"], **columns)


def _u_item(text: str, file: str) -> pd.DataFrame:
    # item | title | release | video release | address | 19 flags; a title may hold the separator
    table = split(text, file, "|", 5 + len(GENRES), free=1)
    flags = table.columns[5:]
    for name, column in zip(GENRES, flags, strict=True):
        refuse(column, lambda v: v not in ("0", "1"), table.lines, file, name, "must be 0 or 1")
    genres = [
        "|".join(g for g, flag in zip(GENRES, row, strict=True) if flag == "1") for row in zip(*flags, strict=True)
    ]
    released = [date[-4:] if re.fullmatch(r"\d{1,2}-\w{3}-\d{4}", date) else "" for date in table.columns[2]]
    return _items(table.columns[0], table.lines, file, True, title=table.columns[1], year=released, genres=genres)


def _items(item: list[str], lines: Sequence[int], file: str, numeric: bool, **columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"item": _unique(item, lines, file, "item", numeric)})
    frame["title"] = pd.Series(columns["title"], dtype="str")
    frame["year"] = pd.array([int(y) if y else None for y in columns["year"]], dtype="Int64")
    if "genres" in columns:
        frame["genres"] = pd.Series(columns["genres"], dtype="str")
    return frame


def _years(titles: list[str]) -> list[str]:
    found = (YEAR.search(title) for title in titles)
    return [match[1] if match and match[1].isascii() else "" for match in found]


def _present(header: list[str], file: str) -> dict[str, int]:
    lowered = {name.lower() for name in header}
    wanted = {column: names for column, names in OPTIONAL.items() if lowered & set(names)}
    return header_columns(header, wanted, file)


def read_users(member: Member, format_: str) -> pd.DataFrame:
    """Read users into a column user and what else the file has: age (whole number), others as text."""
    file = str(member)
    text = decode(member.read(), file, latin_1=format_ in ("ml-100k", "ml-1m"))
    if format_ == "ml-100k":
        table, at, header = split(text, file, "|", 5), 0, ["user", "age", "gender", "occupation", "zip"]
    elif format_ == "ml-1m":
        table, at, header = split(text, file, "::", 5), 0, ["user", "gender", "age", "occupation", "zip"]
    else:
        header, key, table = headed(text, file, "," if format_ == "csv" else "\t", {"user": USER})
        at = key["user"]
    numeric = format_ in ("ml-100k", "ml-1m")
    frame = pd.DataFrame({"user": _unique(table.columns[at], table.lines, file, "user", numeric)})
    for position, name in enumerate(header):
        if position != at:
            frame[name] = pd.Series(table.columns[position], dtype="str")
    if numeric:
        refuse(table.columns[header.index("age")], lambda v: not re.fullmatch(r"[0-9]{1,2}|1[0-2][0-9]", v),
               table.lines, file, "age", "must be a whole number below 130")  # fmt: skip
        frame["age"] = frame["age"].astype("int64")
    return frame


def _unique(values: list[str], lines: Sequence[int], file: str, column: str, numeric: bool) -> pd.Series:
    found = ids(values, lines, file, column, numeric)
    again = found.duplicated().to_numpy()
    if again.any():
        row = int(again.argmax())
        first = lines[int((found == found.iloc[row]).to_numpy().argmax())]
        rule = f"is in row {first} already"
        raise DataError(file, rule, row=lines[row], column=column, value=values[row], more=int(again.sum()) - 1)
    return found
