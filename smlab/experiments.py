"""Load experiments: who was drawn into which arm, and what came of it.

| name | a row | arms | outcomes |
|---|---|---|---|
| open-bandit | an impression | items drawn at random, or by Thompson sampling | click |
| hillstrom | a customer | two e-mails and none | visit, conversion, spend |
| upworthy | a headline with its picture, in one of thousands of tests | those of its test | clicks of impressions |
| asos | a moment of one of 78 experiments: sums up to then | control, treatment | means of four metrics |
| your folder with experiment.csv | a unit, or an arm with its sums | yours | yours, see `experimenttables` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab import catalog, clicktables, datasets, layouts, sieve
from smlab.archives import Member
from smlab.checks import DataError, UsageError
from smlab.daytimes import is_missing
from smlab.experimenttables import Trial, in_several, must, numbers, open_any, read_own
from smlab.reactiontables import counts, repeated, sifter, words

POLICIES = {"random": "random", "bts": "Thompson"}  # the control first
USER = [f"user_feature_{k}" for k in range(4)]
MAIL = {
    "recency": ("recency",), "history_segment": ("history segment",), "history": ("history",), "mens": ("mens",),
    "womens": ("womens",), "zip_code": ("zip code",), "newbie": ("newbie",), "channel": ("channel",),
    "segment": ("segment",), "visit": ("visit",), "conversion": ("conversion",), "spend": ("spend",),
}  # fmt: skip
MAILS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
MAIL_WORDS = ("history_segment", "zip_code", "channel")
HEADLINES = {
    "test": ("clickability test id",), "arm": ("headline",), "picture": ("eyecatcher id",), "week": ("test week",),
    "impressions": ("impressions",), "clicks": ("clicks",), "problem": ("problem",),
    "risk": ("randomization imbalance risk", "randomization imbalace risk"),
}  # fmt: skip
WEEK = re.compile("20[0-9]{2}(?:[0-4][0-9]|5[0-3])(?:[.]0)?")
KINDS = ("headline", "picture", "both", "unknown")  # what the arms of a test differ in
DOUBTED = (201_325, 201_401)  # the weeks, from Sunday, that hold 25 June 2013 to 10 January 2014
CHECKPOINTS = {
    "experiment": ("experiment id",), "variant": ("variant id",), "metric": ("metric id",),
    "time": ("time since start",), "count_control": ("count c",), "mean_control": ("mean c",),
    "variance_control": ("variance c",), "count_treatment": ("count t",), "mean_treatment": ("mean t",),
    "variance_treatment": ("variance t",),
}  # fmt: skip
STREAM = ["experiment", "variant", "metric"]
SIDES = ("control", "treatment")


@dataclass(frozen=True)
class Experiment:
    """One experiment or many, and what came of them.

    Parameters
    ----------
    frame : rows with `arm` (str); `outcomes` and sums are float64, covariates words or float64. Of `upworthy` a row
        has test, arm (the headline), picture, week (year and week), kind (what the arms of its test differ in:
        headline, picture, both, or unknown), impressions, clicks. Of `asos` it has no arm, but experiment, variant,
        metric, time (days), and count, mean and variance of `_control` and `_treatment`, cumulative
    arms : the control first; of `upworthy` none, as each test has its own
    control : the arm to compare with, or "" where no arm is one
    outcomes : what came after the arms were drawn
    covariates : what was known before, which must not depend on the arm
    what : what a row is: "unit", "arm" (with its sums), "headline" or "checkpoint"
    note : how the rows came about and what to beware of, for a report
    dropped, lines : reason, rows, example, share of what was left out; and the rows that were read
    origin : "cache", "data-dir" or "sample"
    fingerprint : SHA-256 over the files of the dataset
    """

    name: str
    frame: pd.DataFrame
    arms: list[str]
    control: str
    outcomes: list[str]
    covariates: list[str]
    what: str
    note: str
    dropped: pd.DataFrame
    lines: int
    origin: str
    fingerprint: str
    licence: str


def load_experiment(name: str, data_dir: str | Path | None = None, *, offline: bool | None = None) -> Experiment:
    """Load an experiment from a folder of the user's; offline, the sample.

    Parameters
    ----------
    name : of the table above, or the name of a folder of your own with experiment.csv or experiment.tsv
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    offline : read `data/sample/` only; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy, or a Parquet file cannot be read for want of pyarrow; the text says what to do.
    DataError
        If a file breaks a rule, with its row, column and value; or if no row is left.
    UsageError
        For data of another kind.
    """
    return read_experiment(datasets.locate_or_fetch(name, data_dir, offline))


def read_experiment(located: catalog.Located) -> Experiment:
    """Read the files of a copy as an experiment."""
    files = located.files
    if located.format is None:
        raise DataError(located.path, f"must hold {layouts.KNOWN_EXPERIMENTS}")
    if located.format == "open-bandit":
        trial = read_policies(files)
    elif located.format == "hillstrom":
        trial = read_mail(files["mail"])
    elif located.format == "upworthy":
        trial = read_headlines(files["packages"])
    elif located.format == "asos":
        trial = read_checkpoints(files["checkpoints"])
    elif located.format == "experiment-csv":
        trial = read_own(files["rows"])
    else:
        names = ", ".join(file.name for file in files.values())
        raise UsageError(f"{located.name} holds no experiment, but {names}")
    said = sieve.said(trial.dropped, trial.lines, "rows")
    if trial.frame.empty:
        raise DataError(located.path, f"holds no row that can be used. {said}")
    return Experiment(
        located.name, trial.frame, trial.arms, trial.control, trial.outcomes, trial.covariates, trial.what,
        f"{trial.note} {said}", trial.dropped, trial.lines, located.origin, located.fingerprint,
        datasets.licence_of(located),
    )  # fmt: skip


def read_policies(files: Mapping[str, Member]) -> Trial:
    """Read the Open Bandit Dataset (Saito et al. 2021) as a test of two ways to choose what is shown.

    What depends on the item shown (its features, the user's affinity to it) is no covariate: the arm chose it.
    """
    parts = []
    for role in (role for role in files if not role.endswith("-items")):
        policy, _, campaign = role.partition("/")
        log = clicktables.read_open_bandit(files[role], files[f"{role}-items"], role).frame
        parts.append(log[["time", "click", "position", *USER]].assign(arm=POLICIES[policy], campaign=campaign))
    frame = pd.concat(parts, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)
    frame["time"] = frame["time"].dt.tz_convert(None)
    frame = frame.astype({"click": float, "position": str})[["arm", "time", "campaign", "position", *USER, "click"]]
    arms = [arm for arm in POLICIES.values() if (frame["arm"] == arm).any()]
    if len(arms) < 2:
        raise DataError(next(iter(files.values())).container.parent, "must hold logs of both policies, random and bts")
    note = (
        "Impressions of a fashion shop in November 2019. The items of one arm were drawn at random, those of the other "
        "by Thompson sampling; which arm an impression met was drawn by chance, and the owners' sample takes as many "
        "rows of each, so that their numbers tell nothing. Impressions of one page are rows of their own."
    )
    covariates = ["campaign", "position", *USER]
    nothing = pd.DataFrame(columns=sieve.COLUMNS)
    return Trial(frame, arms, arms[0], ["click"], covariates, "unit", nothing, len(frame), note)


def read_mail(member: Member) -> Trial:
    """Read Hillstrom's e-mail experiment (2008): customers of the past year, a third in each arm.

    Spend is above 0 where there is a conversion, and a conversion is a visit; a file in which that is not so is
    refused.
    """
    table = open_any(member, MAIL, MAIL)
    table.refuse("segment", lambda v: v.strip() not in MAILS, f"must be {', '.join(MAILS[:2])} or {MAILS[2]}")
    for name in MAIL_WORDS:
        table.refuse(name, is_missing, "must not be empty")
    x = {name: numbers(table, name) for name in MAIL if name not in ("segment", *MAIL_WORDS)}
    for name in ("mens", "womens", "newbie", "visit", "conversion"):
        must(table, name, np.isin(x[name], (0, 1)), "must be 0 or 1")
    must(table, "recency", np.isin(x["recency"], range(1, 13)), "must be a whole number of months from 1 to 12")
    for name in ("history", "spend"):
        must(table, name, x[name] >= 0, "must not be below 0")
    must(table, "conversion", x["conversion"] <= x["visit"], "must be 0 where there was no visit")
    must(table, "spend", (x["spend"] > 0) == (x["conversion"] == 1), "must be above 0 for a conversion, and only then")
    frame = pd.DataFrame({"arm": words(table, "segment"), **x, **{name: words(table, name) for name in MAIL_WORDS}})
    frame["zip_code"] = frame["zip_code"].str.replace("Surburban", "Suburban")
    outcomes = ["visit", "conversion", "spend"]
    covariates = [name for name in MAIL if name not in ("segment", *outcomes)]
    note = (
        "Customers who had bought within a year were sent an e-mail with men's goods, one with women's, or none, by "
        "chance. Visit, conversion and spend (dollars) are of the two weeks after, all else was known before; "
        "'Surburban' of the file is read as Suburban. Customers have no id, so rows that are alike all count."
    )
    frame = frame[["arm", *covariates, *outcomes]]
    arms = [arm for arm in MAILS if (frame["arm"] == arm).any()]
    if arms[0] != MAILS[0] or len(arms) < 2:
        raise DataError(table.file, f"must have customers with {MAILS[0]} and with an e-mail", column="segment")
    return Trial(frame, arms, MAILS[0], outcomes, covariates, "unit", sifter(table).table(), len(table), note)


def read_headlines(member: Member) -> Trial:
    """Read the Upworthy Research Archive (Matias et al. 2021): headlines with pictures, thousands of small tests.

    Its authors doubt the randomisation of the tests from 25 June 2013 to 10 January 2014; `test_week` counts weeks of
    a year from its first Sunday on. A test of which one arm is in doubt is left out as a whole.
    """
    table = open_any(member, HEADLINES, ["test", "arm", "picture", "week", "impressions", "clicks"])
    rule = "must be a year and a week of it, such as 201446"
    table.refuse("week", lambda v: WEEK.fullmatch(v.strip()) is None, rule)
    x = {name: counts(table, name) for name in ("impressions", "clicks")}
    must(table, "impressions", ~np.isnan(x["impressions"]), "must not be empty")
    must(table, "clicks", x["clicks"] <= x["impressions"], "must be a count, and not above the impressions")
    frame = pd.DataFrame({
        "test": words(table, "test"), "arm": table.text("arm", lambda v: " ".join(v.split())).astype("str"),
        "picture": words(table, "picture"), "week": table.each("week", lambda v: int(float(v)), np.int64), **x,
    })  # fmt: skip
    clean = sifter(table)
    for name, missing in (("test", "test"), ("arm", "headline")):
        clean.drop(f"has no {missing}", table.each(name, is_missing, bool))
    clean.drop("was shown to nobody", x["impressions"] == 0)
    doubted = frame["week"].between(*DOUBTED).to_numpy()
    for name in ("problem", "risk"):
        if name in table.columns:
            doubted = doubted | table.each(name, lambda v: v.strip().lower() in ("true", "1", "1.0", "yes"), bool)
    clean.drop("is of a test whose randomisation is doubted", frame["test"].isin(frame["test"][doubted]).to_numpy())
    clean.drop("has no other arm to compare with", ~in_several(frame["test"], clean.left))
    frame = frame[clean.left].reset_index(drop=True)
    frame.insert(4, "kind", _kinds(frame))
    kinds = frame.groupby("test")["kind"].first().value_counts().reindex(KINDS, fill_value=0)
    alike = int(frame.duplicated(["test", "arm", "picture"]).sum())
    note = (
        f"{member.name}: {kinds.sum():,} tests, in which readers saw one of several headlines with pictures. The arms "
        f"of {kinds['headline']:,} differ in the headline alone, of {kinds['picture']:,} in the picture alone, of "
        f"{kinds['both']:,} in both, of {kinds['unknown']:,} in nothing that the file tells. {alike:,} arms have "
        "headline and picture of another arm of their test. These are no A/A tests: their clicks differ more often "
        "than by chance, so readers saw more than the file tells, or impressions are not independent. No arm is a "
        f"control. Doubted are the weeks {DOUBTED[0]} to {DOUBTED[1]}."
    )
    return Trial(frame, [], "", ["clicks"], ["picture", "week", "kind"], "headline", clean.table(), len(table), note)


def _kinds(frame: pd.DataFrame) -> pd.Series:
    """Say of each row what the arms of its test differ in; pictures that are not known count as different."""
    tests = frame.groupby("test")
    headlines = tests["arm"].transform("nunique") > 1
    pictures = (tests["picture"].transform("nunique") > 1) | frame["picture"].eq("unknown").groupby(
        frame["test"]
    ).transform("any")
    return pd.Series(np.select([headlines & pictures, headlines, pictures], ["both", "headline", "picture"], "unknown"),
                     index=frame.index, dtype="str")  # fmt: skip


def read_checkpoints(member: Member) -> Trial:
    """Read the ASOS Digital Experiments Dataset (Liu et al. 2021): sums of both arms, some twice a day, cumulative.

    Sums up to a moment can only grow: a row with fewer people than an earlier one is left out. Variances that are
    not known stay NaN.
    """
    table = open_any(member, CHECKPOINTS, CHECKPOINTS)
    table.refuse("experiment", is_missing, "must not be empty")
    whole = {name: counts(table, name) for name in ("variant", "metric")}
    for name, values in whole.items():
        must(table, name, ~np.isnan(values), "must not be empty")
    x = {"time": numbers(table, "time").round(6)}
    must(table, "time", x["time"] > 0, "must be days since the start, above 0")
    for side in SIDES:
        x[f"count_{side}"] = counts(table, f"count_{side}")
        x |= {f"{name}_{side}": numbers(table, f"{name}_{side}", empty=True) for name in ("mean", "variance")}
        must(table, f"variance_{side}", ~(x[f"variance_{side}"] < 0), "must not be below 0")
    frame = pd.DataFrame({"experiment": words(table, "experiment"), **{k: v.astype(np.int64) for k, v in whole.items()},
                          **x})  # fmt: skip
    clean = sifter(table)
    clean.drop("repeats a row", repeated(table))
    again = clean.left & frame.assign(left=clean.left).duplicated([*STREAM, "time", "left"]).to_numpy()
    must(table, "time", ~again, "is there already for this experiment, variant and metric, with other numbers")
    sums = [f"{name}_{side}" for side in SIDES for name in ("count", "mean")]
    clean.drop("has no count or no mean", frame[sums].isna().any(axis=1).to_numpy())
    clean.drop("has nobody in an arm yet", (frame[["count_control", "count_treatment"]] == 0).any(axis=1).to_numpy())
    clean.drop("has fewer people than an earlier row", _falls(frame, clean.left))
    frame = frame[clean.left].sort_values([*STREAM, "time"], kind="stable").reset_index(drop=True)
    means = [f"mean_{side}" for side in SIDES]
    return Trial(frame, list(SIDES), SIDES[0], means, [], "checkpoint", clean.table(), len(table), _course(frame))


def _falls(frame: pd.DataFrame, left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which rows have fewer people in an arm than an earlier one of the same metric, (n,)."""
    people = frame.loc[left, [*STREAM, "time", "count_control", "count_treatment"]].sort_values([*STREAM, "time"])
    counted = people[["count_control", "count_treatment"]]
    most = people.groupby(STREAM)[list(counted)].cummax()
    return (counted < most).any(axis=1).reindex(frame.index, fill_value=False).to_numpy()


def _course(frame: pd.DataFrame) -> str:
    """Say what the checkpoints are, and where they have gaps."""
    streams, keys = frame.groupby(STREAM), [frame[name] for name in STREAM]
    step = streams["time"].diff().round(3)
    still = streams[["count_control", "count_treatment"]].diff().eq(0).all(axis=1)
    total = pd.DataFrame({side: frame[f"count_{side}"] * frame[f"mean_{side}"] for side in SIDES}).groupby(keys)
    back = (total.diff() < -1e-6 * total.shift().abs()).any(axis=1)
    unknown = frame[["variance_control", "variance_treatment"]].isna().any(axis=1)
    longest = f", the longest {step.max():g} days" if (step > 1).any() else ""
    return (
        f"{frame['experiment'].nunique()} experiments, {frame.groupby(STREAM[:2]).ngroups} variants, each beside its "
        f"control, {frame['metric'].nunique()} metrics: 1 is yes or no, 2 and 3 are counts, 4 is a number from 0. "
        "Counts, means and variances are of all people up to time, days since the start, so rows of one metric are not "
        f"independent. {int((step > 1).sum()):,} steps are longer than a day{longest}; {int(still.sum()):,} rows have "
        f"the people of the row before; in {int(back.sum()):,} the total of the metric has become smaller, which a sum "
        f"cannot; a variance is not known in {int(unknown.sum()):,} rows of "
        f"{frame.loc[unknown, 'experiment'].nunique()} experiments."
    )
