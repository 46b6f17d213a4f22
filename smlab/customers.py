"""Load tables of customers, and of posts or people as if they were: one row each, numbers and words.

| name | a row | columns |
|---|---|---|
| your folder with customers.csv | a customer | yours; numbers where all cells are numbers, else words |
| customer_personality | a customer of a food shop | age, income, children, spending, channels, campaigns, schooling |
| fb_live_sellers_thailand | a post | reactions, comments, shares, by kind; hour and weekday |
| ego-facebook | a person in a graph of friends | degree, PageRank, clustering, core, community |
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlab import catalog, coded, datasets, layouts, sieve
from smlab.archives import Member
from smlab.checks import DataError, UsageError
from smlab.daytimes import is_missing, moments
from smlab.letters import decode
from smlab.money import amounts
from smlab.owntext import SEPARATORS, SPREADSHEET
from smlab.purchasecolumns import NAMES, plain

SPENDING = {"Wines": "wine", "Fruits": "fruit", "MeatProducts": "meat", "FishProducts": "fish",
            "SweetProducts": "sweets", "GoldProds": "gold"}  # fmt: skip
CHANNELS = {"Deals": "deals", "Web": "web", "Catalog": "catalogue", "Store": "store"}
REACTIONS = ("reactions", "comments", "shares", "likes", "loves", "wows", "hahas", "sads", "angrys")
FRIENDS = re.compile(r"(\d{1,9})[ \t](\d{1,9})", re.ASCII)


class Sheet(NamedTuple):
    """A table that was read, what was left out of how many rows, a note, and what a row is."""

    frame: pd.DataFrame
    dropped: pd.DataFrame
    lines: int
    note: str
    what: str


@dataclass(frozen=True)
class Customers:
    """What is known of customers, posts or people.

    Parameters
    ----------
    frame : one row each, indexed by text; columns are float64 or categories, none empty
    dropped, lines : reason, rows, example, share of what was left out; and the rows that were read
    note : how the columns came about and what to beware of, for a report
    what : what a row is: "customer", "post" or "person"
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    """

    name: str
    frame: pd.DataFrame
    dropped: pd.DataFrame
    lines: int
    note: str
    what: str
    origin: str
    fingerprint: str
    licence: str

    @property
    def numbers(self) -> pd.DataFrame:
        """The columns that are numbers."""
        return self.frame.select_dtypes("number")


def load_customers(name: str, data_dir: str | Path | None = None, *, offline: bool | None = None) -> Customers:
    """Load a table of customers; the parameters and errors of `purchases.load_purchases`."""
    return read_customers(datasets.locate_or_fetch(name, data_dir, offline))


def read_customers(located: catalog.Located) -> Customers:
    """Read the files of a copy as a table of customers; `customers.csv` beside purchases is one, too."""
    files = located.files
    if located.format is None:
        raise DataError(located.path, f"must hold {layouts.KNOWN_CUSTOMERS}")
    if located.format == "customer_personality":
        sheet = read_personality(files["customers"])
    elif located.format == "fb_live_sellers_thailand":
        sheet = read_live_sellers(files["posts"])
    elif located.format == "ego-facebook":
        sheet = read_friends(files["friends"])
    elif "customers" in files:
        sheet = read_own(files["customers"])
    else:
        names = ", ".join(file.name for file in files.values())
        raise UsageError(f"{located.name} holds no table of customers, but {names}")
    if sheet.frame.empty:
        said = sieve.said(sheet.dropped, sheet.lines, "rows")
        raise DataError(located.path, f"holds no {sheet.what} that can be used. {said}")
    note = f"{sheet.note} {sieve.said(sheet.dropped, sheet.lines, 'rows')}"
    return Customers(
        located.name, *sheet[:3], note, sheet.what, located.origin, located.fingerprint, datasets.licence_of(located)
    )


def read_own(member: Member) -> Sheet:
    """Read your own customers: a column `customer`, any others; rows with an empty cell are left out."""
    table = _table(member)
    for pattern, rule in SPREADSHEET:
        for name in table.columns:
            table.refuse(name, lambda v, p=pattern: p.fullmatch(v.strip()) is not None, rule)  # type: ignore[misc]
    key = _key(table)
    clean = _sieve(table)
    clean.drop("has no customer", table.each(key, is_missing, bool))
    columns: dict[str, object] = {}
    for name, column in table.columns.items():
        if name == key:
            continue
        missing = table.each(name, is_missing, bool)
        if not missing.all():
            clean.drop(f"has no {name}", missing)
            columns[name] = _column(table, name, column)
    _need_once(table, key, clean.left)
    index = pd.Index(table.text(key).astype("str"), name="customer")
    frame = pd.DataFrame(columns, index=index)[clean.left]
    return Sheet(_tidy(frame), clean.table(), len(table), "Customers of your own.", "customer")


def _column(table: coded.Table, name: str, column: coded.Column) -> object:
    """Read numbers if every filled cell begins or ends as one, else words."""
    filled = [v for v in column.values if not is_missing(v)]
    if all(re.search(r"^\W{0,3}\d|\d\W{0,3}$", v.strip()) and not re.search("[^\\W\\d_]{4}", v) for v in filled):
        try:
            return amounts(table, name)[0]
        except DataError:
            if all(re.fullmatch(r"[\d.,\s'’()£$€¥-]+", v) for v in filled):
                raise
    return table.text(name)


def read_personality(member: Member) -> Sheet:
    """Read Customer Personality: a customer of a food shop over two years, until the middle of 2014."""
    table = _table(member)
    _need(table, ["ID", "Year_Birth", "Education", "Marital_Status", "Income", "Dt_Customer", "Recency", "Complain"])
    _need(table, [f"Mnt{name}" for name in SPENDING] + [f"Num{name}Purchases" for name in CHANNELS])
    x = {name: amounts(table, name)[0] for name in table.columns
         if name not in ("ID", "Education", "Marital_Status", "Dt_Customer")}  # fmt: skip
    joined, _ = moments(table, "Dt_Customer", order="day")
    clean = _sieve(table)
    clean.drop("has no income", np.isnan(x["Income"]))
    clean.drop("has an income of 666,666, which stands for none", x["Income"] == 666_666)
    clean.drop("was born before 1920", x["Year_Birth"] < 1920)
    columns: dict[str, object] = {"age": 2014 - x["Year_Birth"], "income": x["Income"]}
    columns["children"] = x["Kidhome"] + x["Teenhome"]
    columns |= {"recency": x["Recency"], "tenure": (joined.max() - joined) / np.timedelta64(1, "D")}
    columns |= {ours: x[f"Mnt{name}"] for name, ours in SPENDING.items()}
    columns |= {ours: x[f"Num{name}Purchases"] for name, ours in CHANNELS.items()}
    columns["visits"] = x["NumWebVisitsMonth"]
    columns["campaigns"] = np.sum([x[f"AcceptedCmp{k}"] for k in range(1, 6)] + [x["Response"]], axis=0)
    columns["schooling"] = table.text("Education")
    together = ("married", "together")
    columns["household"] = table.text(
        "Marital_Status", lambda v: "couple" if v.strip().lower() in together else "single"
    )
    frame = pd.DataFrame(columns, index=pd.Index(table.text("ID").astype("str"), name="customer"))[clean.left]
    note = "Age in 2014; sums over two years in an unnamed currency; purchases by channel; campaigns accepted of six."
    return Sheet(_tidy(frame), clean.table(), len(table), note, "customer")


def read_live_sellers(member: Member) -> Sheet:
    """Read Facebook Live sellers: posts with what they set off; dates with the month first, in two ways of writing."""
    table = _table(member)
    names = [f"num_{name}" for name in REACTIONS]
    _need(table, ["status_id", "status_type", "status_published", *names])
    time, _ = moments(table, "status_published", order="month")
    columns: dict[str, object] = {name: amounts(table, f"num_{name}")[0] for name in REACTIONS}
    when = pd.Series(time)
    columns |= {"hour": when.dt.hour.to_numpy(float), "weekday": when.dt.day_of_week.to_numpy(float)}
    columns["kind"] = table.text("status_type")
    clean = _sieve(table)
    clean.drop("has no time", np.isnat(time))
    frame = pd.DataFrame(columns, index=pd.Index(table.text("status_id").astype("str"), name="post"))
    for name in REACTIONS:
        clean.drop(f"has no number of {name}", frame[name].isna().to_numpy())
    note = "Posts, not people. Hours as in the file; weekday 0 is Monday."
    return Sheet(_tidy(frame[clean.left]), clean.table(), len(table), note, "post")


def read_friends(member: Member) -> Sheet:
    """Read pairs of friends, and describe each person by the place in the graph."""
    file = str(member)
    rows = decode(member.read(), file)[0].rstrip("\n").split("\n")
    found = [FRIENDS.fullmatch(row.strip()) for row in rows]
    wrong = [i for i, pair in enumerate(found) if pair is None]
    if wrong:
        rule = "must be two whole numbers, a person and a friend"
        raise DataError(file, rule, row=wrong[0] + 1, value=rows[wrong[0]], more=len(wrong) - 1)
    pairs = np.array([pair.groups() for pair in found if pair], dtype=np.int64)
    clean = sieve.Sieve(len(pairs), lambda i: f"row {i + 1}: {rows[i]}")
    clean.drop("is a friendship with oneself", pairs[:, 0] == pairs[:, 1])
    clean.drop("repeats a friendship", pd.DataFrame(np.sort(pairs, axis=1)).duplicated().to_numpy())
    note = "People without names or traits; each is described by the graph of friendships alone."
    return Sheet(graph_features(pairs[clean.left]), clean.table(), len(pairs), note, "person")


def graph_features(pairs: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Describe the people of an undirected graph by their places in it, indexed by person.

    degree: friends. pagerank: share of a walk's time, times the number of people, so the mean is 1 (damping 0.85).
    clustering: share of the pairs of friends that are friends. core: the largest k for which the person lies in a
    part where everybody has k friends. community: of Louvain's method, numbered by size from 0, as a category.

    Parameters
    ----------
    pairs : (n_friendships, 2) int64; each once

    References
    ----------
    Brin & Page (1998); Blondel et al. (2008); Batagelj & Zaveršnik (2003); computed by networkx.
    """
    import networkx as nx

    if not len(pairs):
        return pd.DataFrame(columns=["degree", "pagerank", "clustering", "core", "community"], dtype=float)
    graph = nx.Graph()
    people = np.unique(pairs)
    graph.add_nodes_from(people.tolist())
    graph.add_edges_from(pairs.tolist())
    groups = sorted(nx.community.louvain_communities(graph, seed=seed), key=lambda group: (-len(group), min(group)))
    community = {person: str(k) for k, group in enumerate(groups) for person in group}
    found = {
        "degree": dict(graph.degree()),
        "pagerank": {person: share * len(people) for person, share in nx.pagerank(graph).items()},
        "clustering": nx.clustering(graph),
        "core": nx.core_number(graph),
    }
    frame = pd.DataFrame({name: [values[p] for p in people.tolist()] for name, values in found.items()}, dtype=float)
    frame["community"] = pd.Categorical([community[p] for p in people.tolist()], [str(k) for k in range(len(groups))])
    return frame.set_axis(pd.Index(people.astype(str), dtype="str", name="person"))


def _table(member: Member) -> coded.Table:
    """Read all columns; what parts them is the sign that is most frequent in the header."""
    file = str(member)
    text, _ = decode(member.read(), file)
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)

    def find(header: list[str], row: int) -> dict[str, int]:
        names = [name.strip() for name in header]
        for name in names:
            if names.count(name) > 1 or not name:
                rule = "is in the header more than once" if name else "must be a name; the header has an empty one"
                raise DataError(file, rule, row=row, value=name)
        return {name: place for place, name in enumerate(names)}

    return coded.read(io.StringIO(text, newline="\n"), file, separator, find)


def _key(table: coded.Table) -> str:
    names = [name for name in table.columns if plain(name) in (*NAMES["customer"], "id")]
    names = [name for name in names if plain(name) == "customer"] or names
    if len(names) != 1:
        shown = ", ".join(table.columns)[:100]
        raise DataError(table.file, f"must be in the header once; the header is {shown!r}", row=1, column="customer")
    return names[0]


def _need(table: coded.Table, names: list[str]) -> None:
    for name in names:
        if name not in table.columns:
            raise DataError(table.file, "must be in the header", row=1, column=name)


def _need_once(table: coded.Table, key: str, left: np.ndarray) -> None:
    again = pd.Series(np.asarray(table.text(key).codes)).where(left).dropna().duplicated()
    if again.any():
        row = int(again.index[int(again.to_numpy().argmax())])
        table.fail(key, row, "stands in the table already; a customer has one row", more=int(again.sum()) - 1)


def _sieve(table: coded.Table) -> sieve.Sieve:
    return sieve.Sieve(len(table), lambda i: f"row {table.lines[i]}: {', '.join(table.cells(i))}")


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    words = frame.select_dtypes("category").columns
    return frame.assign(**{name: frame[name].cat.remove_unused_categories() for name in words})
