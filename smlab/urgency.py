"""Which posts should be answered first? A score that a person can work out, with its reasons in words.

    urgency = need × reach × freshness
    need = 1 - (1 - P(negative)) (1 - a)     the chance that it complains or asks; a = 0.5 if it asks, else 0
    reach = 1 + log10(1 + people)            nobody counts 1, 9 people 2, 99 people 3, 999 people 4
    freshness = 2^(-hours / 24)              half after a day, a quarter after two

What is not known (no column `reach`, no `time`) counts 1 for all. The factors are a rule, not learnt: change them to
your house's. A post asks if it holds a question mark outside a link, or one of the `SIGNS`; irony and rhetoric
are not seen. Copies of one text are one entry, answered where most people saw it.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.checks import UsageError

ASKED = 0.5  # a: every second post that asks waits for an answer
HALF_LIFE = 24.0  # hours
ADDRESS = re.compile(r"(?:https?:|www\.)\S*|@[\w-]+")
SIGNS = {  # English words and phrases, and anything else
    "asks a question": (
        "how (?:do|can|to)|what(?:'s| is) the|when (?:will|is|can)|where (?:is|can|do)|why (?:is|does|do|can't)"
        "|any(?:one|body) (?:know|else)|is there (?:a|any)",
        "[?？]|怎么办|怎样|请问|为什么|为啥|什么时候|如何|有没有|[吗嘛呢](?:[。！!]|$)",
    ),
    "asks for help": (
        "please|pls|help me|need help|can(?:'t|not) (?:log|open|reach|find|get)|not working|doesn't work"
        "|no (?:reply|answer|response)|nobody (?:answers|replies)|contact(?:ed)? (?:you|support)",
        "求助|帮帮|帮忙|找客服|联系客服|联系我|没人理|不理人|打不开|用不了",
    ),
    "wants money back or threatens to leave": (
        "refund|money back|return (?:it|this|them)|cancel(?:l?ing|l?ed)?|chargeback|lawyer|sue|never (?:buy|again)"
        "|switch(?:ing)? to|scam",
        "退款|退货|退钱|赔偿|投诉|举报|维权|骗子|再也不",
    ),
}
ASKS = {sign: re.compile(rf"\b(?:{words})\b|{more}", re.IGNORECASE) for sign, (words, more) in SIGNS.items()}


def answer_first(
    frame: pd.DataFrame, negative: ArrayLike, *, now: pd.Timestamp | None = None, n: int | None = 20
) -> pd.DataFrame:
    """Rank posts by how urgent an answer is.

    Parameters
    ----------
    frame : posts with `text`, perhaps `reach` (people who saw it, or followers) and `time` (with a zone)
    negative : (n_posts,) P(negative) by the classifier, best mended by `confidence.mend`
    now : the moment that hours are counted to; the latest post if not given
    n : posts at most, all if None

    Returns
    -------
    frame with the index of `frame`, most urgent first: urgency, need, reach, freshness (the three factors), copies
    (posts of this text), reason in words (none of them from the post), text

    Raises
    ------
    UsageError
        For what is no probability, a reach below 0, or times without a zone.

    >>> posts = pd.DataFrame({"text": ["lovely day", "my parcel is lost, any news?"], "reach": [99, 9]})
    >>> answer_first(posts, [0.1, 0.8])[["urgency", "reason"]].round(2).values.tolist()[0]
    [1.8, '80 % negative; asks a question; seen by about 9']
    """
    p = np.asarray(negative, dtype=float)
    _check(frame, p)
    text = frame["text"].astype(str)
    bare = text.str.replace(ADDRESS, " ", regex=True).str.replace("’", "'").str.strip()
    signs = pd.DataFrame({sign: bare.str.contains(pattern).to_numpy(bool) for sign, pattern in ASKS.items()})
    people = frame["reach"].to_numpy(float) if "reach" in frame else np.full(len(frame), np.nan)
    hours = _hours(frame, now)
    need = 1 - (1 - p) * (1 - ASKED * signs.any(axis=1).to_numpy())
    reach, fresh = 1 + np.log10(1 + np.nan_to_num(people)), 2 ** (-np.nan_to_num(hours) / HALF_LIFE)
    table = pd.DataFrame(
        {"urgency": need * reach * fresh, "need": need, "reach": reach, "freshness": fresh}, frame.index
    )
    same = pd.Series([" ".join(t.casefold().split()) for t in bare])
    same = same.where(same != "", pd.Series(range(len(same))).astype(str))  # a bare link is no copy of another
    table["copies"] = same.groupby(same).transform("size").to_numpy()
    order = np.argsort(-table["urgency"].to_numpy(), kind="stable")
    order = order[~same.iloc[order].duplicated().to_numpy()][:n]
    table = table.iloc[order]
    table["reason"] = [
        _reason(p[i], [s for s in ASKS if signs.at[i, s]], people[i], hours[i], int(c))
        for i, c in zip(order, table["copies"], strict=True)
    ]
    return table.assign(text=text.iloc[order])


def _reason(p: float, signs: list[str], people: float, hours: float, copies: int) -> str:
    """Say in words why a post stands where it stands."""
    parts = [f"{p:.0%}".replace("%", " %") + " negative", *signs]
    if people > 0:
        parts.append(f"seen by about {people:,.0f}")
    if np.isfinite(hours):
        parts.append(f"{hours:.0f} hours old" if hours < 48 else f"{hours / 24:.0f} days old")
    if copies > 1:
        parts.append(f"{copies} posts say the same")
    return "; ".join(parts)


def _hours(frame: pd.DataFrame, now: pd.Timestamp | None) -> np.ndarray:
    """Give the age of each post in hours, NaN where it is not known."""
    if "time" not in frame:
        return np.full(len(frame), np.nan)
    if getattr(frame["time"].dtype, "tz", None) is None or (now is not None and now.tzinfo is None):
        raise UsageError("times need a zone: pd.to_datetime(…, utc=True), and `now` as well")
    age = ((frame["time"].max() if now is None else now) - frame["time"]).dt.total_seconds() / 3600
    return np.maximum(age.to_numpy(float), 0.0)


def _check(frame: pd.DataFrame, p: np.ndarray) -> None:
    if "text" not in frame or len(frame) != len(p):
        raise UsageError(f"{len(frame)} posts (with a column 'text') and {len(p)} probabilities: each post needs one")
    if (bad := ~((p >= 0) & (p <= 1))).any():
        raise UsageError(f"row {int(bad.argmax())}: {p[bad.argmax()]} is no probability from 0 to 1")
    if "reach" in frame and (low := (frame["reach"] < 0).to_numpy()).any():
        raise UsageError(f"row {int(low.argmax())}: a reach of {frame['reach'].iloc[int(low.argmax())]:g} is below 0")
