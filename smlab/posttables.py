"""Readers of public collections of posts and reviews, each in its official form; a broken rule names file and row.

| format | what a row is | files |
|---|---|---|
| vader | a snippet with the mean rating of 20 people (Hutto & Gilbert 2014) | `tweets_GroundTruth.txt`, … |
| shopping-zh | a Chinese review, good or bad | `neg_sentences.txt`, `pos_sentences.txt` |
| tweeteval | a tweet of one of five tasks (Barbieri et al. 2020) | `sentiment/train_text.txt`, … |
| semeval-2017-4a | a tweet, of SemEval 2013 to 2017 (Rosenthal et al. 2017) | `twitter-2016train-A.tsv`, … |
| online_shopping_10_cats | a Chinese review of one of ten kinds of goods | `online_shopping_10_cats.csv` |
| smp2020_ewect | a Weibo post with one of six emotions | `usual_test_labeled.txt`, … |
| weibo_senti_100k | a Weibo post, labelled by its emoticons | `weibo_senti_100k.csv` |
| posts-csv | your own | see `owntext` |

Repeated texts are dropped before anybody can split them, where the source has no split of its own; `note` counts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

from smlab.archives import Member
from smlab.checks import DataError, UsageError, nearest
from smlab.chineseposts import read_online_shopping, read_shopping_zh, read_smp2020, read_weibo
from smlab.columns import numbers, refuse
from smlab.feeds import SENTIMENTS, Feed, counted, filled, need, overlap, texts
from smlab.owntext import read_posts
from smlab.text_tables import decode, split

Files = dict[str, Member]
NEUTRAL = 0.2  # 0.05 of the paper's scale from -1 to 1, on the raters' from -4 to 4
LAST_CELL = re.compile(r"\t(?:[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} \+0000 [0-9]{4})?$", re.MULTILINE)
TWEETS = {"train": "train", "val": "validation", "test": "test"}


def read(files: Files, format_: str, variant: str | None = None, name: str = "") -> Feed:
    """Read a collection of a known format.

    Parameters
    ----------
    files : role -> file, as `layouts.recognise` gives them
    variant : a part of a collection that has several, such as "movies" of vader; None is the first
    name : of the dataset, for messages

    Raises
    ------
    DataError
        With file, row, column, value and rule, and how many more rows break it.
    UsageError
        For a variant that is not there.
    """
    known = variants(files, format_)
    if variant is not None and variant not in known:
        here = nearest(variant, known) if known else "it is one whole"
        raise UsageError(f"{name or format_} has no variant {variant!r}: {here}")
    return READERS[format_](files, variant or (known[0] if known else ""))


def variants(files: Files, format_: str) -> list[str]:
    """Name the parts that are there of a collection that has several, the first one first."""
    if format_ == "weibo_senti_100k":
        return ["stripped", "emoticons"]
    if format_ == "vader":
        return list(files)
    if format_ in ("tweeteval", "smp2020_ewect"):
        return list(dict.fromkeys(role.partition("/")[0] for role in files))
    return []


def read_vader(files: Files, variant: str) -> Feed:
    """Read snippets with their mean rating, `id TAB mean TAB text`, and derive a label from it.

    The raters said -4 (extremely negative) to 4. The paper classifies scores between -1 and 1 with thresholds at
    -0.05 and 0.05; on the raters' scale that is 0.2: positive from 0.2, negative to -0.2, else neutral.
    """
    member = files[variant]
    file = str(member)
    table = split(decode(member.read(), file), file, "\t", 3)
    _, mean, text = table.columns
    frame = pd.DataFrame({"text": texts(text, table.lines, file)})
    intensity = numbers(mean, table.lines, file, "intensity")
    refuse(mean, lambda v: abs(float(v)) > 4, table.lines, file, "intensity", "must be from -4 to 4")
    labels = [SENTIMENTS[int(m > -NEUTRAL) + int(m >= NEUTRAL)] for m in intensity]
    frame["label"], frame["intensity"] = pd.Series(labels, dtype="str"), intensity
    note = (
        "Each text has the mean rating of at least 20 people, from -4 to 4. The label is derived from it: positive "
        f"from {NEUTRAL}, negative to -{NEUTRAL}, else neutral."
    )
    again = int(frame["text"].duplicated().sum())
    return Feed(frame, list(SENTIMENTS), "en", note + f" Repeated texts, which stay: {again}." * bool(again))


def read_tweeteval(files: Files, variant: str) -> Feed:
    """Read one task of TweetEval: texts and numbers of labels line by line, and the labels' names."""
    names = _mapping(need(files, f"{variant}/mapping", f"{variant}/mapping.txt"))
    parts, empty = [], 0
    for part, name in TWEETS.items():
        if f"{variant}/{part}-text" not in files and f"{variant}/{part}-labels" not in files:
            continue
        text = need(files, f"{variant}/{part}-text", f"{variant}/{part}_text.txt")
        label = need(files, f"{variant}/{part}-labels", f"{variant}/{part}_labels.txt")
        found, dropped = _tweets(text, label, names, plain if variant == "sentiment" else str)
        parts.append(found.assign(split=name))
        empty += dropped
    if not parts:
        need(files, f"{variant}/train-text", f"{variant}/train_text.txt")
    frame = pd.concat(parts, ignore_index=True).astype({"split": "str"})
    note = "Official split." + " Escapes such as \\u2019 in it are decoded." * (variant == "sentiment")
    note += f" Rows without a text, dropped: {empty}." * bool(empty)
    return Feed(frame, list(names.values()), "en", note + overlap(frame))


def _mapping(member: Member) -> dict[str, str]:
    file = str(member)
    table = split(decode(member.read(), file), file, "\t", 2)
    key, name = table.columns
    refuse(key, lambda v: key.count(v) > 1, table.lines, file, "number", "is there more than once")
    refuse(name, lambda v: not v.strip() or name.count(v) > 1, table.lines, file, "name", "must be there once")
    return dict(zip(key, name, strict=True))


def _tweets(text: Member, label: Member, names: dict[str, str], mend: Callable[[str], str]) -> tuple[pd.DataFrame, int]:
    """Give the tweets that have a text, and how many have none."""
    file, labels = str(text), decode(label.read(), str(label)).rstrip("\n").split("\n")
    lines = decode(text.read(), file).rstrip("\n").split("\n")
    if len(lines) != len(labels):
        raise DataError(str(label), f"must have {len(lines):,} lines as {text.name} has, has {len(labels):,}")
    rule = f"must be one of {', '.join(names)}"
    refuse(labels, lambda v: v.strip() not in names, range(1, len(labels) + 1), str(label), "label", rule)
    held = filled(lines)
    frame = pd.DataFrame({"text": texts([mend(lines[i]) for i in held], [i + 1 for i in held], file)})
    frame["label"] = pd.Series([names[labels[i].strip()] for i in held], dtype="str")
    return frame, len(lines) - len(held)


def plain(text: str) -> str:
    r"""Undo what storage left in SemEval's tweets: quotes around and doubled within, `\"`, `\u2019`.

    Quotes around a tweet go only where a table writer must have set them: if it holds a comma or a doubled quote.

    >>> plain(r'"It\u2019s \""new\"", no?"'), plain('"To be or not to be"')
    ('It’s "new", no?', '"To be or not to be"')
    """
    text = text.strip()
    inner = text[1:-1]
    if (
        len(text) > 1
        and text[0] == text[-1] == '"'
        and re.search('""|,', inner)
        and not re.search('(?<!")"(?!")', inner)
    ):
        text = inner
    text = re.sub(r'\\?"{2,}|\\"', '"', text)
    return re.sub(r"(?:\\u[0-9a-fA-F]{4})+", _unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    units = bytes.fromhex(match[0].replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


def read_semeval(files: Files, _: str = "") -> Feed:
    """Read SemEval 2017 task 4A: the years to 2016 are the training part, 2017 the test.

    A tweet that several files hold counts once, and not at all if they disagree on its label.
    """
    parts = [_semeval(member, role) for role, member in files.items() if role not in ("gold", "test")]
    test = [_semeval(files["test"], "test", files.get("gold"))] if "test" in files else []
    if not parts + test:
        need(files, "test", "the tweets, not only gold labels")
    frame = pd.concat(parts + test, ignore_index=True)
    absent = frame["text"] == "Not Available"
    frame = frame[~absent]
    train = frame[frame["split"] == "train"]
    torn = train.groupby("id")["label"].transform("nunique") > 1
    again = train["id"].duplicated() | train["id"].isin(frame.loc[frame["split"] == "test", "id"])
    frame = frame.drop(train.index[torn | again]).drop(columns="id").reset_index(drop=True)
    note = (
        f"Training part: all files to 2016, each tweet once ({counted(int((again & ~torn).sum()), 'repetition')} "
        f"and {counted(train.loc[torn, 'id'].nunique(), 'tweet')} with two labels dropped); test: 2017."
    )
    note += f" Tweets no longer available, dropped: {int(absent.sum())}." * bool(absent.any()) + overlap(frame)
    return Feed(frame, list(SENTIMENTS), "en", note)


def _semeval(member: Member, role: str, gold: Member | None = None) -> pd.DataFrame:
    """Read `id TAB label TAB tweet`; a tab may follow, in ten rows of 2016 with a time that the others lack."""
    file = str(member)
    content = LAST_CELL.sub("", decode(member.read(), file))
    table = split(content, file, "\t", 3)
    id_, label, text = table.columns
    refuse(id_, lambda v: re.fullmatch("[0-9]{1,20}", v) is None, table.lines, file, "id", "must be a whole number")
    if gold is not None:
        right = split(decode(gold.read(), str(gold)), str(gold), "\t", 2)
        known = dict(zip(*right.columns, strict=True))
        refuse(id_, lambda v: v not in known, table.lines, file, "id", f"is not in {gold.name}")
        label = [known[v] for v in id_]
    refuse(label, lambda v: v not in SENTIMENTS, table.lines, file, "label", f"must be {' or '.join(SENTIMENTS)}")
    frame = pd.DataFrame({"text": texts(list(map(plain, text)), table.lines, file)})
    frame["label"], frame["id"] = pd.Series(label, dtype="str"), pd.Series(id_, dtype="str")
    frame["split"] = pd.Series(["test" if role == "test" else "train"] * len(frame), dtype="str")
    frame["source"] = pd.Series(["2017test" if role == "test" else role] * len(frame), dtype="str")
    return frame


READERS: dict[str, Callable[[Files, str], Feed]] = {
    "vader": read_vader,
    "shopping-zh": read_shopping_zh,
    "tweeteval": read_tweeteval,
    "semeval-2017-4a": read_semeval,
    "online_shopping_10_cats": read_online_shopping,
    "smp2020_ewect": read_smp2020,
    "weibo_senti_100k": read_weibo,
    "posts-csv": lambda files, _: read_posts(files["posts"]),
}
