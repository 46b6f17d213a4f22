"""Copy in many variants: filled from templates and facts, and ranked by whatever scores are passed in.

A template is text with fields and optional pieces:

    "{product} for {seats:,} {seats|guest|guests}[, only {price:.2f} €][ until {until:%-d %B}]!"

A field names a fact, and may say how to write it: Python's own formats for numbers and dates, `万` for large numbers in
Chinese, and after bars the forms of a word for one and for several. A piece in brackets is there or not, and both are
written where its facts are known. A fact may have several values, and a set of templates has a name, its tone.

The rank of variants by scores s_1 … s_m with weights w (below 0 where less is better):

    score = Σ_j |w_j| r_j / Σ_j |w_j|,    r_j = (rank of s_j among the variants - 1/2) / n, from the worst

so neither units nor outliers of a score count, only its order. MMR (`rerank`) then takes the variants one after the
other: what is like one above it, in words that stand side by side, has to be better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from smlab import rerank
from smlab.checks import UsageError, nearest, shorten
from smlab.writers import Floats, words

Scorer = Callable[[Sequence[str]], ArrayLike]
FIELD, OPTIONAL = re.compile(r"\{([^{}]*)\}"), re.compile(r"\[([^\[\]]*)\]")
BEGINS = re.compile(r"^\S|(?<!\b\w[.])(?<!\b\w\w[.])(?<=[.!?]) \w")  # not after e.g. and 24.
NAME = re.compile(r"(\w+)(?:([:|])(.*))?", re.DOTALL)
TEMPLATES: dict[str, dict[str, list[str]]] = {
    "en": {
        "plain": [
            "{product}: {benefit}[, from {price}][ until {until:%-d %B}].",
            "{benefit}, with {product}[. {call}].",
        ],
        "warm": ["You will love {product}: {benefit}[. {call}].", "Made for you: {product}[, {benefit}]. {call}!"],
        "urgent": [
            "Only {places:,} {places|place|places} left: {product}[, {benefit}]!",
            "Last days for {product}[ at {price}]. {call} now!",
        ],
        "question": [
            "{benefit}? {product}[ makes it happen][, from {price}].",
            "Why wait for {product}? {call}[ before {until:%-d %B}].",
        ],
    },
    "zh": {
        "plain": [
            "{product}，{benefit}[，{price}起][，{until:%-m月%-d日}截止]。",
            "{benefit}，就选{product}[，{call}]。",
        ],
        "warm": ["愿{product}陪你：{benefit}[，{call}]。", "为你准备的{product}[，{benefit}]，{call}吧！"],
        "urgent": ["仅剩{places:万}个名额！{product}[，{benefit}]！", "{product}最后几天[，{price}起]，{call}！"],
        "question": [
            "想要{benefit}？{product}[，{price}起]。",
            "还在等什么？{product}[，{until:%-m月%-d日}前]，{call}！",
        ],
    },
}


def fill(templates: Mapping[str, Sequence[str]], facts: Mapping[str, Any]) -> pd.DataFrame:
    """Write all variants of templates.

    Parameters
    ----------
    templates : tone → templates, such as `TEMPLATES["en"]`
    facts : name → value, or a list of values to choose from; None is a fact that is not known

    Returns
    -------
    a row a variant, none twice: text, maker ("template"), tone, template, facts (what was used, as "name: value; …")

    Raises
    ------
    UsageError
        For a fact that is missing outside of brackets, a format that does not fit it, or brackets and braces left open.

    >>> fill({"plain": ["{n} {n|seat|seats}[ at {price}]"]}, {"n": [1, 2], "price": "9 €"})["text"].tolist()
    ['1 seat at 9 €', '2 seats at 9 €', '1 seat', '2 seats']
    """
    choices = {name: list(v) if isinstance(v, list | tuple) else [v] for name, v in facts.items()}
    rows = []
    for tone, template in ((tone, template) for tone, several in templates.items() for template in several):
        for form in _forms(template, choices):
            names = list(dict.fromkeys(_field(field, template)[0] for field in FIELD.findall(form)))
            for name in names:
                if not _known(name, choices):
                    rule = nearest(name, choices) if choices else "there are no facts"
                    raise UsageError(f"the template {shorten(repr(template))} needs the fact {name!r}; {rule}")
            for values in product(*(choices[name] for name in names)):
                have = dict(zip(names, values, strict=True))
                used = "; ".join(f"{name}: {value}" for name, value in have.items())
                rows.append((_insert(form, have, template), "template", tone, template, used))
    frame = pd.DataFrame(rows, columns=["text", "maker", "tone", "template", "facts"])
    return frame.drop_duplicates("text", ignore_index=True)


def _forms(template: str, choices: Mapping[str, Sequence[Any]]) -> list[str]:
    """Give the template with each optional piece in and out, in only where its facts are known."""
    parts = OPTIONAL.split(template)  # text, piece, text, …
    if any(sign in part for part in parts for sign in "[]"):
        raise UsageError(f"the template {shorten(repr(template))} has a bracket that is not closed, or one in another")
    if any(sign in FIELD.sub("", template) for sign in "{}"):
        raise UsageError(f"the template {shorten(repr(template))} has a brace that is not closed")
    options = [[part] for part in parts]
    for i in range(1, len(parts), 2):
        names = [_field(field, template)[0] for field in FIELD.findall(parts[i])]
        options[i] = [parts[i], ""] if all(_known(name, choices) for name in names) else [""]
    return ["".join(form) for form in product(*options)]


def _known(name: str, choices: Mapping[str, Sequence[Any]]) -> bool:
    return bool(choices.get(name)) and all(value is not None for value in choices[name])


def _field(field: str, template: str) -> tuple[str, str, str]:
    found = NAME.fullmatch(field.strip())
    if not found:
        raise UsageError(
            f"the template {shorten(repr(template))} has the field {field!r}; a field is the name of a fact"
        )
    return found[1], found[2] or "", found[3] or ""


def _insert(form: str, facts: Mapping[str, Any], template: str) -> str:
    return _tidy(FIELD.sub(lambda field: _written(field[1], facts, template), form))


def _written(field: str, facts: Mapping[str, Any], template: str) -> str:
    name, sign, form = _field(field, template)
    value = facts[name]
    try:
        if sign == "|":
            one, several = form.split("|")
            return one if abs(value) == 1 else several
        return ten_thousands(value) if form == "万" else format(value, form)
    except (TypeError, ValueError):
        raise UsageError(
            f"the template {shorten(repr(template))} cannot write {name!r}, which is {value!r}, as {field!r}"
        ) from None


def ten_thousands(value: float) -> str:
    """Write a number as Chinese texts do.

    >>> ten_thousands(980), ten_thousands(12_000), ten_thousands(300_000_000)
    ('980', '1.2万', '3亿')
    """
    for size, sign in ((10**8, "亿"), (10**4, "万")):
        if abs(value) >= size:
            return f"{value / size:.1f}".removesuffix(".0") + sign
    return f"{value:g}"


def _tidy(text: str) -> str:
    """Begin sentences with a capital, and keep one stop where a fact brought its own."""
    text = re.sub(r"([.!?。！？])[.。]", r"\1", " ".join(text.split()))
    return BEGINS.sub(lambda found: found[0].upper(), text)


def rank(
    variants: pd.DataFrame | Sequence[str],
    scorers: Mapping[str, Scorer],
    *,
    weights: Mapping[str, float] | None = None,
    k: int | None = None,
    trade: float = 0.3,
) -> pd.DataFrame:
    """Score each variant, combine, and rank with variety.

    Parameters
    ----------
    variants : texts, or a frame with the column `text`
    scorers : name → function from texts to numbers (n,), higher is better
    weights : of the scorers; 1 where none is given, below 0 where less is better
    k : how many to keep; None keeps all
    trade : t of MMR in [0, 1]; 0 is the order of the scores

    Returns
    -------
    the variants, best first, with place, a column a scorer (as it gave it), score (in [0, 1]), by_score (the place
    without variety), and why, in words
    """
    frame = variants.copy() if isinstance(variants, pd.DataFrame) else pd.DataFrame({"text": list(variants)})
    w = dict.fromkeys(scorers, 1.0) | dict(weights or {})
    if "text" not in frame or not len(frame) or not scorers:
        raise UsageError("a ranking needs variants with the column 'text', and a scorer or more")
    if extra := [name for name in w if name not in scorers]:
        raise UsageError(f"weights name {extra[0]!r}, which is no scorer; {nearest(extra[0], scorers)}")
    if not any(w.values()):
        raise UsageError("all weights are 0; one of them has to count")
    texts = frame["text"].tolist()
    values = pd.DataFrame({name: _scores(name, scorer, texts) for name, scorer in scorers.items()}, index=frame.index)
    r = pd.DataFrame({name: (rankdata(np.sign(w[name]) * values[name]) - 0.5) / len(frame) for name in scorers})
    size = np.array([abs(w[name]) for name in scorers])
    score = r.to_numpy() @ size / size.sum()
    order = np.argsort(-score, kind="stable")
    marks = _marks(texts)
    top = rerank.mmr(order[None], score[order][None], marks, k=k or len(texts), trade=trade)[0]
    table = frame.assign(**values, score=score, by_score=np.argsort(order) + 1).iloc[top]
    table.insert(0, "place", np.arange(1, len(top) + 1))
    table["why"] = _why(table, r.iloc[top].loc[:, size > 0], marks[top])
    return table.reset_index(drop=True)


def _scores(name: str, scorer: Scorer, texts: list[str]) -> Floats:
    values = np.asarray(scorer(texts), dtype=float)
    if values.shape != (len(texts),):
        raise UsageError(
            f"the scorer {name!r} gave numbers of shape {values.shape} for {len(texts)} texts; one each is needed"
        )
    if bad := int((~np.isfinite(values)).sum()):
        raise UsageError(f"the scorer {name!r} gave no number for {bad} of {len(texts)} texts")
    return values


def _marks(texts: Sequence[str]) -> Floats:
    """Give words, and words side by side, of each text as zeros and ones, (n, D)."""
    rows = []
    for text in texts:
        found = words(text)
        rows.append(set(found) | set(zip(found, found[1:], strict=False)))
    place = {mark: i for i, mark in enumerate(dict.fromkeys(mark for row in rows for mark in sorted(row, key=str)))}
    X = np.zeros((len(rows), max(len(place), 1)))
    for i, row in enumerate(rows):
        X[i, [place[mark] for mark in row]] = 1
    return X


def _why(table: pd.DataFrame, r: pd.DataFrame, marks: Floats) -> list[str]:
    unit = marks / np.maximum(np.linalg.norm(marks, axis=1, keepdims=True), 1e-12)
    alike = unit @ unit.T
    said = []
    for i, (by_score, (_, row)) in enumerate(zip(table["by_score"], r.iterrows(), strict=True)):
        line = f"no. {by_score} by score; best at {row.idxmax()} (above {row.max():.0%})"
        line += f", weakest at {row.idxmin()} (above {row.min():.0%})" if len(row) > 1 else ""
        if i and by_score < i + 1:
            twin = int(alike[i, :i].argmax())
            line += f"; down, for it is {alike[i, twin]:.0%} like place {twin + 1}"
        elif by_score > i + 1:
            line += f"; up, at most {alike[i, :i].max() if i else 0:.0%} like those above"
        said.append(line)
    return said
