"""Turn the copies that packages hold back into the official files, byte for byte.

Packages re-encode what they carry: one writes titles as UTF-8, one replaces separators, one names the films
by title and the users by `1m_7`. Nothing is lost in that, so it can be undone; the catalog checks the SHA-256
of each official file afterwards. So a dataset is the same bytes whichever source it came from.
"""

from __future__ import annotations

Files = dict[str, bytes]

# MovieLens 1M numbers its 3,883 films from 1 to 3952 in the order of its table and leaves these numbers out.
_NOT_A_FILM = frozenset(
    [
        91,
        221,
        323,
        622,
        646,
        677,
        686,
        689,
        740,
        817,
        883,
        995,
        1048,
        1072,
        1074,
        1182,
        1195,
        1229,
        1239,
        1338,
    ]
    + [
        1402,
        1403,
        1418,
        1435,
        1451,
        1452,
        1469,
        1478,
        1481,
        1491,
        1492,
        1505,
        1506,
        1512,
        1521,
        1530,
        1536,
        1540,
    ]
    + [
        1560,
        1576,
        1607,
        1618,
        1634,
        1637,
        1638,
        1691,
        1700,
        1712,
        1736,
        1737,
        1745,
        1751,
        1761,
        1763,
        1766,
        1775,
    ]
    + [1778, 1786, 1790, 1800, 1802, 1803, 1808, 1813, 1818, 1823, 1828, 1838, 3815]
)
# One title without a space before its year was cut by the converter.
_CUT_TITLE = {"Associate, The (L'Associe (1982)": "Associate, The (L'Associe)(1982)"}


def ml_100k(files: Files) -> Files:
    """Undo UTF-8 in `u.item`, and header and tabs in `u.user`."""
    return {
        "u.data": files["u.data"],
        "u.item": files["u.item"].decode("utf-8").encode("latin-1"),
        "u.user": files["ml-100k.user"].split(b"\n", 1)[1].replace(b"\t", b"|"),
    }


def ml_1m(files: Files) -> Files:
    """Undo headers, tabs, CRLF, `1m_` before users, titles in place of film numbers, blanks in genres."""
    items = _rows(files["ml-1m.item"])
    numbers = (n for n in range(1, 3953) if n not in _NOT_A_FILM)
    films = {row[0]: (n, row[3].replace(" ", "|")) for n, row in zip(numbers, items, strict=True)}
    movies = "".join(f"{n}::{_CUT_TITLE.get(t, t)}::{genres}\n" for t, (n, genres) in films.items())
    users = (f"{u[3:]}::{gender}::{age}::{job}::{z}\n" for u, age, gender, job, z in _rows(files["ml-1m.user"]))
    ratings = (f"{u[3:]}::{films[title][0]}::{r}::{t}\n" for u, title, r, t in _rows(files["ml-1m.inter"]))
    return {
        "ratings.dat": "".join(ratings).encode(),
        "movies.dat": movies.encode("latin-1"),
        "users.dat": "".join(users).encode(),
    }


def _rows(table: bytes) -> list[list[str]]:
    """Rows of a tab-separated table with CRLF, without its header."""
    return [line.split("\t") for line in table.decode("utf-8").split("\r\n")[1:] if line]
