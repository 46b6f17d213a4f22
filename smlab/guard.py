"""Hold texts against rules before anybody sees them: each refusal says why and where, and nothing is ever changed.

Rules of form are in `guardrules`, links and people in `guardlinks`, words in `guardwords`, claims in `guardclaims`.
Here are the two that need other texts. With S_n(t) the set of runs of n words of a text t (n characters in Chinese),
after Broder (1997), "On the resemblance and containment of documents", a text is too near a source s if

    |S_5(t) ∩ S_5(s)| / |S_5(t)| ≥ overlap,   or 12 words in a row are shared,   or ¾ of the words in their order

(of the source with which it shares most pairs of words), and a double of an earlier variant v if

    |S_2(t) ∩ S_2(v)| / |S_2(t) ∪ S_2(v)| ≥ alike

case and punctuation aside. Runs are counted for all sources at once, as a product of sparse matrices. Left out:
translations, and sources told in words of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import islice

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from smlab import guardlinks, guardrules
from smlab.calibration import wilson
from smlab.checks import UsageError, nearest, shorten
from smlab.guardclaims import claims
from smlab.guardwords import RUDE, RUDE_ZH, SENSITIVE, SENSITIVE_ZH, Hit, Words, listed
from smlab.hanzi import HAN
from smlab.metrics import Interval
from smlab.spelling import HALVES, clean

Reason = tuple[str, Hit]
TOO_MUCH = 70_000  # signs: more than any platform takes, and as much as is read
ENOUGH = 3  # reasons of one rule for one text
IN_A_ROW = 12  # words; a Han character counts half a word
_banned = cache(Words)
TOKEN = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:'[^\W_{HAN}]+)?")
RULES = (
    "length", "empty", "signs", "markup", "fields", "words", "sensitive", "banned", "claims", "personal", "links",
    "mentions", "shouting", "disclosure", "source", "duplicate",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a house allows.

    Parameters
    ----------
    platform : one of `guardrules.PLATFORMS`; None sets no limit of length
    banned : words and phrases of the house's own list; gambl* stands for all that begin so, 赌* for all that hold it
    hosts : hosts that links may lead to, or below them
    mentions : accounts that may be named, with or without @
    contacts : the house's own e-mail addresses and phone numbers
    proven : claims that the house can prove, as the texts word them
    disclose : whether each text must say that it is an advertisement
    overlap : share of a text's runs of five words that may be a source's
    alike : Jaccard index from which two variants are one
    without : rules that are left out, of `RULES`

    >>> found = Guard(platform="x").check(["New shoes in blue.", "The best shoes in the world!!!"])
    >>> found[["passes", "rule", "where"]].values.tolist()
    [[True, '', ''], [False, 'claims', 'best shoes in the world'], [False, 'shouting', '!!!']]
    """

    platform: str | None = None
    banned: Collection[str] = ()
    hosts: Collection[str] = ()
    mentions: Collection[str] = ()
    contacts: Collection[str] = ()
    proven: Collection[str] = ()
    disclose: bool = False
    overlap: float = 0.5
    alike: float = 0.85
    without: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.platform is not None and self.platform not in guardrules.PLATFORMS:
            raise UsageError(f"platform={self.platform!r}: {nearest(self.platform, guardrules.PLATFORMS)}")
        for name in ("banned", "hosts", "mentions", "contacts", "proven", "without"):
            if isinstance(getattr(self, name), str):
                raise UsageError(f"{name} must be a list, not the text {shorten(repr(getattr(self, name)))}")
        for rule in self.without:
            if rule not in RULES:
                raise UsageError(f"without: {rule!r}: {nearest(rule, RULES)}")
        if not (0 < self.overlap <= 1 and 0 < self.alike <= 1):
            raise UsageError(f"overlap={self.overlap} and alike={self.alike} must lie above 0 and be at most 1")

    def check(self, texts: Sequence[str] | pd.Series, sources: Iterable[str] = ()) -> pd.DataFrame:
        """Hold each text against all rules.

        Parameters
        ----------
        texts : variants; of two alike the first is kept
        sources : texts of others that none may copy

        Returns
        -------
        frame: text, passes, rule, why, where; a row for each reason, or one where a text passes; the index is that of
        the texts (0, 1, … for a list), so a text with two reasons is there twice

        Raises
        ------
        UsageError
            For what is no text.
        """
        given = texts if isinstance(texts, pd.Series) else pd.Series(list(_listed("texts", texts)), dtype=object)
        originals = list(_listed("sources", sources))
        for name, each in (("texts", given), ("sources", originals)):
            for row, text in enumerate(each):
                if not isinstance(text, str):
                    raise UsageError(f"{name}, row {row}: {shorten(repr(text))} ({type(text).__name__}) is no text")
        copied, doubled = self._copies(list(given), originals), self._doubles(list(given))
        rows, index = [], []
        for i, (at, text) in enumerate(given.items()):
            reasons = [*self._reasons(text), *copied.get(i, []), *doubled.get(i, [])]
            kept = dict.fromkeys((rule, hit.what, hit.where) for rule, hit in reasons)
            shown = HALVES.sub("\ufffd", text)  # no page could hold half a sign
            found = [(shown, False, rule, why, HALVES.sub("\ufffd", shorten(where))) for rule, why, where in kept]
            rows += found or [(shown, True, "", "", "")]
            index += [at] * max(1, len(found))
        return pd.DataFrame(rows, index, ["text", "passes", "rule", "why", "where"])

    def _reasons(self, text: str) -> Iterator[Reason]:
        """Give what the rules have against one text."""
        if len(text) > TOO_MUCH:
            yield "length", Hit(f"no platform takes {len(text):,} signs; the first {TOO_MUCH:,} are read", text[:20])
        raw = text[:TOO_MUCH]
        plain = clean(raw)[:TOO_MUCH]
        for rule, find in self._rules(raw, plain).items():
            if rule not in self.without:
                yield from ((rule, hit) for hit in islice(find(), ENOUGH))

    def _rules(self, raw: str, plain: str) -> Mapping[str, Callable[[], Iterable[Hit]]]:
        hosts = {re.sub(r"^(?:\w+://)?(?:www\.)?|[/:?#].*", "", host.strip().lower()) for host in self.hosts}
        named = {name.strip().lstrip("@").casefold() for name in self.mentions}
        own = {each for c in self.contacts for each in (c.casefold(), re.sub(r"\D", "", c)) if each}
        rude, sensitive = _own_lists()
        banned = _banned(tuple(self.banned))
        return {
            "length": lambda: guardrules.too_long(raw, self.platform) if self.platform else (),
            "empty": lambda: guardrules.empty(plain),
            "signs": lambda: guardrules.signs(raw),
            "markup": lambda: guardrules.markup(plain),
            "fields": lambda: guardrules.fields(plain),
            "words": lambda: _say(rude, plain, "is rude, and no house prints it"),
            "sensitive": lambda: _say(sensitive, plain, "is a matter that somebody should read first"),
            "banned": lambda: _say(banned, plain, "is on the house's list"),
            "claims": lambda: claims(plain, self.proven),
            "personal": lambda: guardlinks.personal(plain, own),
            "links": lambda: guardlinks.links(plain, hosts),
            "mentions": lambda: guardlinks.mentions(plain, named),
            "shouting": lambda: guardrules.shouting(plain),
            "disclosure": lambda: guardrules.undisclosed(plain) if self.disclose else (),
        }

    def _copies(self, texts: list[str], sources: list[str]) -> dict[int, list[Reason]]:
        """Find texts that are too near a source."""
        found: dict[int, list[Reason]] = {}
        if not sources or "source" in self.without:
            return found
        ours, theirs = list(map(_tokens, texts)), list(map(_tokens, sources))
        (five, by_five), (two, by_two) = (_nearest(ours, theirs, n) for n in (5, 2))
        for i, words in enumerate(ours):
            if words == theirs[by_two[i]] and words:
                k, why = by_two[i], "says the same as source {k}"
            elif (row := _in_a_row(words, theirs[by_five[i]])) >= IN_A_ROW:
                k, why = by_five[i], f"{row:.0f} words in a row are those of source {{k}}"
            elif sum(map(_worth, words)) < 4:  # stock phrases are nobody's
                continue
            elif five[i] >= self.overlap:
                k, why = by_five[i], f"{five[i]:.0%} of its runs of five words are those of source {{k}}"
            elif two[i] > 0.2 and (same := max(two[i], _in_order(words, theirs[by_two[i]]))) >= 0.75:
                k, why = by_two[i], f"{same:.0%} of its words are those of source {{k}}, in their order"
            else:
                continue
            found[i] = [("source", Hit(why.replace("%", " %").format(k=k), sources[k]))]
        return found

    def _doubles(self, texts: list[str]) -> dict[int, list[Reason]]:
        """Find texts that say what an earlier one of them says."""
        ours = list(map(_tokens, texts)) if "duplicate" not in self.without else []
        first: dict[tuple[str, ...], int] = {}
        found: dict[int, list[Reason]] = {}
        for i, words in enumerate(ours):
            if words and (j := first.setdefault(tuple(words), i)) != i:
                found[i] = [("duplicate", Hit(f"says the same as variant {j}", texts[j]))]
        left = [i for i, words in enumerate(ours) if len(words) > 4 and i not in found]
        for i, j, share in _alike([ours[i] for i in left], self.alike):
            a, b = left[j], left[i]
            found.setdefault(b, [("duplicate", Hit(f"is nearly variant {a}: {share:.2f} alike", texts[a]))])
        return found


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Count the texts that each rule refuses.

    Returns
    -------
    frame by rule, most refused first: texts, share of all texts, alone (texts that no other rule refuses), example of
    why and where

    >>> summary(Guard().check(["good", "[INSERT NAME] is a scam", "scam alert"]))[["texts", "alone"]].T.to_dict("list")
    {'sensitive': [2, 1], 'fields': [1, 0]}
    """
    n = found.index.nunique()
    refused = found[~found["passes"].astype(bool)]
    single = refused.groupby(level=0)["rule"].transform("nunique") == 1
    by = refused.assign(at=refused.index, one=refused.index.where(single)).groupby("rule", sort=False)
    table = pd.DataFrame({"texts": by["at"].nunique(), "alone": by["one"].nunique()})
    table.insert(1, "share", table["texts"] / max(n, 1))
    return table.join(by[["why", "where"]].first()).sort_values("texts", ascending=False, kind="stable")


def rates(found: pd.DataFrame, bad: ArrayLike, kinds: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare refusals with what people say: how many bad texts were caught, how many good ones refused?

    Parameters
    ----------
    found : from `Guard.check`, of texts whose index has no number twice
    bad : (n,) whether a text is bad, in the order of the texts
    kinds : (n,) of what kind each is, for a row a kind below the two rows of all

    Returns
    -------
    frame: texts ("bad" or "good"), kind, n, refused, share with its 95 % interval (Wilson)
    """
    passes = found.groupby(level=0, sort=False)["passes"].all()
    truth = np.asarray(bad, dtype=bool)
    if len(truth) != len(passes) or (kinds is not None and len(kinds) != len(passes)):
        raise UsageError(f"{len(passes)} texts were checked, and {len(truth)} are judged: each needs one judgement")
    frame = pd.DataFrame({"texts": np.where(truth, "bad", "good"), "kind": "all", "no": ~passes.to_numpy(bool)})
    parts = [frame] if kinds is None else [frame, frame.assign(kind=list(kinds))]
    by = pd.concat(parts).groupby(["texts", "kind"], sort=False)["no"]
    table = by.agg(n="size", refused="sum").reset_index()
    low, high = wilson(table["refused"], table["n"])
    share = table["refused"] / table["n"]
    table["share"] = [Interval(*map(float, row)) for row in zip(share, low, high, strict=True)]
    return table


def _say(words: Words, plain: str, what: str) -> Iterator[Hit]:
    return (Hit(f"“{hit.what}” {what}", hit.where) for hit in words.find(plain))


@cache
def _own_lists() -> tuple[Words, Words]:
    rude, sensitive = ([*listed(a), *b.split()] for a, b in ((RUDE, RUDE_ZH), (SENSITIVE, SENSITIVE_ZH)))
    return Words(rude, within=True), Words(sensitive, within=True)


def _listed(name: str, texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str):
        raise UsageError(f"{name} must be a list of texts, not the text {shorten(repr(texts))}")
    return texts


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(clean(text[:TOO_MUCH])[:TOO_MUCH].casefold())


def _runs(texts: list[list[str]], n: int, known: dict[tuple[str, ...], int], grow: bool) -> sparse.csr_array:
    """Give the set of runs of n words of each text, (n_texts, n_known) of 0 and 1, and the sizes beside it."""
    columns, ends = [], [0]
    for words in texts:
        runs = dict.fromkeys(zip(*(words[i:] for i in range(n)), strict=False))
        if grow:
            columns += [known.setdefault(run, len(known)) for run in runs]
        else:
            columns += [known[run] for run in runs if run in known]
        ends.append(len(columns))
    return sparse.csr_array(
        (np.ones(len(columns), np.float32), np.array(columns, np.int64), ends), (len(texts), max(len(known), 1))
    )


def _nearest(ours: list[list[str]], theirs: list[list[str]], n: int) -> tuple[NDArray, NDArray]:
    """Give for each text the largest share of its runs that one source has, (n_texts,), and that source's number."""
    known: dict[tuple[str, ...], int] = {}
    S = _runs(theirs, n, known, grow=True).T.tocsr()
    sizes = np.array([len(set(zip(*(words[i:] for i in range(n)), strict=False))) for words in ours])
    share, at = np.zeros(len(ours)), np.zeros(len(ours), dtype=int)
    A = _runs(ours, n, known, grow=False)
    for start in range(0, len(ours), 500):
        both = (A[start : start + 500] @ S).tocsr()
        for row, (a, b) in enumerate(zip(both.indptr[:-1], both.indptr[1:], strict=True)):
            if b > a:
                best = a + int(both.data[a:b].argmax())
                share[start + row], at[start + row] = both.data[best] / sizes[start + row], both.indices[best]
    return share, at


def _alike(texts: list[list[str]], limit: float) -> Iterator[tuple[int, int, float]]:
    """Give the pairs (later, earlier, Jaccard index of their pairs of words) that reach the limit."""
    known: dict[tuple[str, ...], int] = {}
    A = _runs(texts, 2, known, grow=True)
    sizes = A.sum(axis=1)
    for start in range(0, len(texts), 500):
        both = (A[start : start + 500] @ A.T).tocoo()
        later, earlier = both.coords[0] + start, both.coords[1]
        index = both.data / (sizes[later] + sizes[earlier] - both.data)
        keep = (earlier < later) & (index >= limit)
        yield from zip(later[keep].tolist(), earlier[keep].tolist(), index[keep].tolist(), strict=True)


def _in_a_row(words: list[str], source: list[str]) -> float:
    """Give the length of the longest stretch of a text whose runs of three words all are the source's."""
    known = set(zip(source, source[1:], source[2:], strict=False))
    longest = size = 0.0
    for run in zip(words, words[1:], words[2:], strict=False):
        size = (size + _worth(run[2]) if size else sum(map(_worth, run))) if run in known else 0.0
        longest = max(longest, size)
    return longest


def _in_order(words: list[str], source: list[str]) -> float:
    """Give 2 M / T of Ratcliff & Obershelp, M words alike in order, T words in all; of long texts the beginnings."""
    return SequenceMatcher(None, words[:100], source[:100], autojunk=False).ratio()


def _worth(word: str) -> float:
    return 0.5 if word[0] >= "\u3400" else 1.0
