"""Tables of experiments: columns that are known by name, from text or Parquet; and an experiment of your own.

Of your own experiment a row is a unit, as a customer, or an arm with its sums:

| a row | columns |
|---|---|
| a unit | `arm`, outcomes such as `visit`, `conversion`, `spend`, and where known `unit`, covariates `before: …` |
| an arm | `arm`, `n`, and `successes`, or `mean` with `variance` or `sd`; where there are several tests, `test` |

Names do not depend on case, blanks, `_` and `-`. What is not known by name is not read; an outcome of another name is
called `after: …`. What was known before the arms were drawn can sharpen a comparison, what came after spoils it, so a
covariate has to say that it is one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import coded
from smlab import reactiontables as tables
from smlab.archives import Member
from smlab.checks import DataAbsent, DataError, shorten
from smlab.daytimes import is_missing
from smlab.money import PLAIN, amounts
from smlab.owntext import SPREADSHEET
from smlab.purchasecolumns import plain
from smlab.reactiontables import BEFORE, Names, counts, repeated, sifter, words

UNITS: Names = {
    "visit": ("visit", "visits", "visited", "访问", "是否访问"),
    "open": ("open", "opens", "opened", "打开"),
    "click": ("click", "clicks", "clicked", "点击", "是否点击"),
    "conversion": ("conversion", "conversions", "converted", "convert", "purchase", "purchased", "bought", "signup",
                   "signed up", "转化", "是否转化", "购买", "是否购买"),
    "spend": ("spend", "spent", "revenue", "sales", "amount", "order value", "消费", "消费金额", "金额", "收入",
              "销售额"),
    "sessions": ("sessions", "会话"), "orders": ("orders", "订单数"),
    "impressions": ("impressions", "曝光", "曝光数", "展示"),
    "outcome": ("outcome", "result", "y", "结果"),
}  # fmt: skip
SUMS: Names = {
    "n": ("n", "count", "units", "users", "customers", "visitors", "recipients", "sample size", "impressions",
          "人数", "用户数", "样本量", "样本数", "曝光", "曝光数", "展示"),
    "successes": ("successes", "conversions", "conversion", "clicks", "visits", "orders", "成功", "成功数", "转化",
                  "转化数", "点击", "点击数"),
    "mean": ("mean", "average", "avg", "均值", "平均", "平均值"),
    "variance": ("variance", "var", "方差"),
    "sd": ("sd", "std", "stdev", "standard deviation", "标准差"),
}  # fmt: skip
KEYS: Names = {
    "arm": ("arm", "group", "variant", "variation", "treatment", "bucket", "segment", "version", "test group",
            "组", "组别", "分组", "实验组", "实验分组", "版本"),
    "test": ("test", "experiment", "test id", "experiment id", "实验", "测试"),
    "unit": ("unit", "user", "user id", "userid", "customer", "customer id", "visitor", "visitor id", "id", "用户",
             "用户id", "客户", "客户id"),
}  # fmt: skip
AFTER = re.compile(r"(?:after|outcome|之后|结果) *[:：] *(.+)", re.IGNORECASE)
CONTROLS = ("control", "control group", "kontrolle", "kontrollgruppe", "对照", "对照组", "baseline", "placebo",
            "holdout", "none", "a", "0")  # fmt: skip
LIKE_CONTROL = re.compile("control|kontroll|对照|baseline|holdout")
TOTALS = ("total", "totals", "grand total", "sum", "all", "gesamt", "summe", "合计", "总计", "总体", "汇总")
MOST_ARMS = 50
ANSWERS = {"yes": 1.0, "true": 1.0, "y": 1.0, "是": 1.0, "no": 0.0, "false": 0.0, "n": 0.0, "否": 0.0}
LARGEST = 50_000_000  # cells of a Parquet file, which can be small and unpack to much


class Trial(NamedTuple):
    """Rows of an experiment, as `experiments.Experiment` explains them."""

    frame: pd.DataFrame
    arms: list[str]
    control: str
    outcomes: list[str]
    covariates: list[str]
    what: str
    dropped: pd.DataFrame
    lines: int
    note: str


def open_any(member: Member, names: Names, need: Iterable[str]) -> coded.Table:
    """Read the columns of a text table or of a Parquet file that are known by their names.

    Raises
    ------
    DataAbsent
        If it is a Parquet file and pyarrow is not installed.
    DataError
        As `reactiontables.open_table`; in a Parquet file rows are counted from 1, without a header.
    """
    if not member.name.endswith(".parquet"):
        return tables.open_table(member, names, need)[0]
    file = str(member)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise DataAbsent(
            f"{file} is a Parquet file, which pyarrow reads, and that is not installed: pip install 'smlab[parquet]', "
            "or put the file in CSV in its place"
        ) from None
    try:
        source = parquet.ParquetFile(pyarrow.BufferReader(member.read()))
        header, rows = list(source.schema_arrow.names), source.metadata.num_rows
        found = tables._places(header, names, need, 0, file)
        if rows * len(found) > LARGEST:
            raise DataError(file, f"has {rows:,} rows, which are too many")
        read = source.read(columns=[header[place] for place in found.values()])
        columns = {name: _column(read.column(header[place])) for name, place in found.items()}
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
        why = shorten(" ".join(str(error).split()), 100)
        raise DataError(file, f"is not a Parquet file of plain columns that can be read ({why})") from None
    if not rows:
        raise DataError(file, "holds no rows")
    return coded.Table(file, columns, np.arange(1, rows + 1))


def _column(column: object) -> coded.Column:
    """Turn a column of Arrow into its different values as text, and a code for each row; null is empty."""
    import pyarrow

    text = column.cast(pyarrow.string()).fill_null("").combine_chunks().dictionary_encode()  # type: ignore[attr-defined]
    if isinstance(text, pyarrow.ChunkedArray):
        text = pyarrow.concat_arrays(text.unify_dictionaries().chunks)
    return coded.Column(text.indices.to_numpy(zero_copy_only=False).astype(np.int32), text.dictionary.to_pylist())


def numbers(table: coded.Table, name: str, *, empty: bool = False) -> NDArray[np.float64]:
    """Read a column of plain numbers such as 12.5, (n,); with `empty`, NaN where a cell is empty."""
    rule = "must be a number, such as 12.5"
    table.refuse(name, lambda v: PLAIN.fullmatch(v.strip()) is None and not (empty and is_missing(v)), rule)
    return table.each(name, lambda v: math.nan if is_missing(v) else float(v), float)


def must(table: coded.Table, name: str, right: NDArray[np.bool_], rule: str) -> None:
    """Raise a DataError for the first row that is not right."""
    if not right.all():
        table.fail(name, int(right.argmin()), rule, more=int((~right).sum()) - 1)


def read_own(member: Member) -> Trial:
    """Read an experiment of your own; an arm's sums if there is a column `n` and none that names units.

    Raises
    ------
    DataError
        With row, column, value and rule, and how many more rows break it.
    """
    names = {**KEYS, **UNITS, "n": SUMS["n"]}
    table, strange = tables.open_table(member, names, ["arm"])
    own = {name: (plain(name),) for name in strange if AFTER.fullmatch(name)}
    if sums := "n" in table.columns and "unit" not in table.columns:
        names = {**KEYS, **SUMS}
    if sums or own:
        table, strange = tables.open_table(member, names | own, ["arm"])
    for name in table.columns:
        for pattern, rule in SPREADSHEET if name[0] != "?" else ():
            table.refuse(name, lambda v, p=pattern: p.fullmatch(v.strip()) is not None, rule)  # type: ignore[misc]
    lower: dict[str, str] = {}
    table.refuse("arm", lambda v: lower.setdefault(v.strip().lower(), v.strip()) != v.strip(),
                 "is an arm whose name is also written in other letters; write it in one way")  # fmt: skip
    trial = _sums(table) if sums else _units(table, list(own))
    rest = f" Not read: {shorten(', '.join(strange), 100)}." if strange else ""
    return trial._replace(note=f"{trial.note}{rest}")


def _units(table: coded.Table, own: list[str]) -> Trial:
    """Read a row a unit. Nobody may lack an outcome: who is left out for what came after spoils the comparison."""
    outcomes = {name: name for name in UNITS if name in table.columns}
    outcomes |= {name: str(AFTER.fullmatch(name)[1]) for name in own}  # type: ignore[index]
    if not outcomes:
        rule = "must be in the header, or conversion, click, spend, another outcome as 'after: name', or n for sums"
        raise DataError(table.file, rule, column="visit")
    before = {name: match[1] for name in table.columns if (match := BEFORE.fullmatch(name))}
    taken = [*KEYS, *outcomes.values(), *before.values()]
    if twice := [name for name in taken if taken.count(name) > 1]:
        raise DataError(table.file, "is the name of two columns; take another for one", column=twice[0])
    clean = sifter(table)
    clean.drop("has no arm", table.each("arm", _no_arm, bool))
    columns: dict[str, object] = {}
    if "unit" in table.columns:
        columns["unit"] = words(table, "unit")
        clean.drop("has no unit", table.each("unit", is_missing, bool))
        clean.drop("repeats a row", repeated(table))
        clean.drop("is in two arms", _in_two_arms(table, clean.left))
        again = clean.left & pd.Series(np.where(clean.left, table.text("unit").codes, -1)).duplicated().to_numpy()
        must(table, "unit", ~again, "is there already with other cells; write one row for a unit, with its sums")
    columns["arm"] = table.text("arm").astype("str")
    columns |= {ours: tables._context(table, name) for name, ours in before.items()}
    columns |= {ours: _outcome(table, name, clean.left) for name, ours in outcomes.items()}
    frame = pd.DataFrame(columns)[clean.left].reset_index(drop=True)
    arms, control, note = _arms(table, frame["arm"])
    note = f"An experiment of your own; a row is a unit. {note}"
    return Trial(frame, arms, control, list(outcomes.values()), list(before.values()), "unit", clean.table(),
                 len(table), note)  # fmt: skip


def _in_two_arms(table: coded.Table, left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    unit = table.text("unit").codes
    both = pd.Series(table.text("arm").codes[left]).groupby(unit[left]).nunique()
    return np.isin(unit, both.index[both > 1].to_numpy())


def _no_arm(value: str) -> bool:
    """Whether nobody says which arm; an arm may well be called none."""
    return is_missing(value) and value.strip().lower() != "none"


def _outcome(table: coded.Table, name: str, left: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Read numbers, or answers such as yes and no; none may be empty in the rows that are left."""
    if all(v.strip().lower() in ANSWERS or is_missing(v) for v in table.columns[name].values):
        found = table.each(name, lambda v: ANSWERS.get(v.strip().lower(), math.nan), float)
    else:
        found = amounts(table, name)[0]
    rule = "must not be empty: write 0 where nothing happened, and leave nobody out for what came after"
    must(table, name, ~np.isnan(found) | ~left, rule)
    return found


def _sums(table: coded.Table) -> Trial:
    """Read a row an arm with its sums."""
    rates = "successes" in table.columns
    if not rates and not ("mean" in table.columns and {"variance", "sd"} & set(table.columns)):
        raise DataError(table.file, "must be in the header, or mean with variance or sd", column="successes")
    clean = sifter(table)
    clean.drop("has no arm", table.each("arm", _no_arm, bool))
    clean.drop("is the total of the arms", table.each("arm", lambda v: plain(v) in TOTALS, bool))
    n, out = counts(table, "n"), ~clean.left
    must(table, "n", (n >= 1) | out, "must be a count from 1")
    columns: dict[str, object] = {"test": words(table, "test")} if "test" in table.columns else {}
    columns |= {"arm": table.text("arm").astype("str"), "n": n}
    if rates:
        columns["successes"] = counts(table, "successes")
        must(table, "successes", (np.asarray(columns["successes"]) <= n) | out, "must be a count, and not above n")
    else:
        spread = "variance" if "variance" in table.columns else "sd"
        mean, width = amounts(table, "mean")[0], amounts(table, spread)[0]
        must(table, "mean", ~np.isnan(mean) | out, "must not be empty")
        must(table, spread, (width >= 0) | out, "must be a number from 0")
        columns |= {"mean": mean, "variance": width if spread == "variance" else width**2}
    frame = pd.DataFrame(columns)
    key = [name for name in ("test", "arm") if name in frame]
    must(table, "arm", ~(frame.duplicated(key).to_numpy() & clean.left),
         "is there already; write one row for an arm, or add a column unit if a row is a unit")  # fmt: skip
    if "test" in frame:
        clean.drop("has no other arm to compare with", ~in_several(frame["test"], clean.left))
    frame = frame[clean.left].reset_index(drop=True)
    arms, control, note = _arms(table, frame["arm"], frame.get("test"))
    outcomes = ["successes"] if rates else ["mean", "variance"]
    note = f"An experiment of your own; a row is an arm with its sums. {note}"
    return Trial(frame, arms, control, outcomes, [], "arm", clean.table(), len(table), note)


def in_several(test: pd.Series, left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which rows are of a test that has two arms or more among those that are left, (n,)."""
    sizes = test[left].value_counts()
    return test.isin(sizes.index[sizes > 1]).to_numpy()


def _arms(table: coded.Table, arm: pd.Series, test: pd.Series | None = None) -> tuple[list[str], str, str]:
    """Give the arms, the control first, which is the control, and a sentence on that."""
    arms = list(map(str, arm.unique()))
    if test is None and len(arms) == 1:
        raise DataError(table.file, "is the only arm; a comparison needs two", column="arm", value=arms[0])
    if test is None and len(arms) > MOST_ARMS:
        rule = f"must name the arm, of which there are {len(arms):,} here; at most {MOST_ARMS} can be compared"
        raise DataError(table.file, rule, column="arm", value=arms[0])
    control, how = _control(arms)
    if test is not None:
        everywhere = arm.eq(control).groupby(test).any().all() and how
        if not everywhere:
            return arms, "", f"{test.nunique():,} tests, of which each has arms of its own, and no control."
    how = how or "as the first in the file, for none is called control"
    note = f"{control!r} is taken for the control, {how}." if arms else "No arm is left."
    return [control, *(a for a in arms if a != control)] if arms else [], control, note


def _control(arms: list[str]) -> tuple[str, str]:
    """Find the control by its name, and say so; else the first.

    >>> _control(["B", "A"]), _control(["red", "Control 1"]), _control(["red", "blue"])
    (('A', 'by its name'), ('Control 1', 'by its name'), ('red', ''))
    """
    named = {plain(arm): arm for arm in reversed(arms)}
    like = (arm for arm in arms if LIKE_CONTROL.match(plain(arm)))
    found = next((named[name] for name in CONTROLS if name in named), None) or next(like, None)
    return (found, "by its name") if found else (arms[0] if arms else "", "")
