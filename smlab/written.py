"""Makers of words judged: how well they foresee texts that they have not seen, and how much they copy.

    perplexity = 2^(bits / tokens)    over held-out texts: as unsure as among so many tokens of equal chance
    overlap    = words of the longest run that stands in one source text, over the words of the text

A text whose overlap reaches a limit is a near copy. Texts that people wrote have overlaps too ("Thank you!"), so
held-out texts stand beside the written ones. Words are compared in lower case, of Chinese characters, without signs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.metrics import Interval, bootstrap
from smlab.writers import UNKNOWN, Floats, Writer, words

LIMIT, LEAST = 0.8, 5  # overlap of a near copy, and words that a text must have to be called one


def perplexities(writers: Mapping[str, Writer], texts: Iterable[str], *, n: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Judge fitted makers by texts that they have not seen.

    Returns
    -------
    frame indexed by maker: perplexity; to_first, the ratio to the first maker's, of the same draws of texts (NaN where
    the tokens differ); bits of a character (all `Interval`); unknown (share of tokens, which have it too easy: bits
    of makers with other vocabularies can be compared only where it is small); vocabulary. Intervals are by bootstrap
    of texts

    >>> from smlab.ngrams import NGrams
    >>> two = {f"order {k}": NGrams(order=k, min_count=1).fit(["a b c", "a b d"] * 9) for k in (1, 2)}
    >>> perplexities(two, ["a b c", "a b d"])["perplexity"].map(lambda x: round(x.value, 2)).tolist()
    [4.84, 1.31]
    """
    held_out = list(texts)
    signs = np.array([len(text) for text in held_out], dtype=float)
    rows, first = {}, None
    for name, writer in writers.items():
        bits, tokens = writer.bits(held_out)
        first = first or (bits, tokens, writer.tokens_)
        same = writer.tokens_ == first[2]
        codes = np.concatenate([row[1:] for row in writer.encode(held_out)])
        rows[name] = {
            "perplexity": _two_to(_ratio(bits, tokens, n, seed)),
            "to_first": _two_to(_ratio(bits - first[0], tokens, n, seed)) if same else Interval(*[np.nan] * 3),
            "bits": _ratio(bits, signs, n, seed),
            "unknown": float(np.mean(codes == UNKNOWN)),
            "vocabulary": len(writer.tokens_),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("maker")


def overlaps(texts: Iterable[str], sources: Iterable[str]) -> pd.DataFrame:
    """Find the longest run of words of each text that stands in one of the sources.

    Returns
    -------
    a row a text: text, words, longest (words of the run), share, run, source (the first that holds it)

    >>> overlaps(["We love the old town!"], ["See the Old Town today"])[["longest", "share", "run"]].values.tolist()
    [[3, 0.6, 'the old town']]
    """
    given = list(sources)
    plain = [f" {' '.join(words(source))} " for source in given]
    begins, book = [0, *accumulate(len(line) + 1 for line in plain)], "\n".join(plain)
    rows = []
    for text in texts:
        found, best, at = words(text), (0, 0), -1
        i, j = 0, 1
        while j <= len(found):  # a window that grows while it is found: the longest never shrinks
            place = book.find(f" {' '.join(found[i:j])} ")
            if place >= 0:
                best, at = (i, j), place
                j += 1
            else:
                i, j = i + 1, j + 1
        run = found[slice(*best)]
        source = given[bisect_right(begins, at) - 1] if run else ""
        rows.append((text, len(found), len(run), len(run) / max(len(found), 1), " ".join(run), source))
    return pd.DataFrame(rows, columns=["text", "words", "longest", "share", "run", "source"])


def copying(
    writers: Mapping[str, Writer],
    sources: Sequence[str],
    held_out: Sequence[str] = (),
    *,
    temperatures: Sequence[float] = (0.5, 0.8, 1.0),
    nucleus: float = 1.0,
    n: int = 100,
    limit: float = LIMIT,
    seed: int = 0,
) -> pd.DataFrame:
    """Count near copies among texts that each maker writes at each temperature.

    Parameters
    ----------
    sources : the texts that the makers have learnt from
    held_out : texts by people, which make the first row; the first n of them
    n : texts a maker writes; `LEAST` words make it count

    Returns
    -------
    a row a maker and temperature: maker, temperature (NaN of people), texts (that count), near (`Interval`, share of
    texts with an overlap of `limit` or more; Wilson's), exact (share that is in the sources as it is), longest (mean
    words of the run), share (mean overlap), different (share of written texts that are not repeated)
    """
    if not 0 < limit <= 1:
        raise UsageError(f"limit={limit} must be above 0 and at most 1, the share of words in one run")
    made = [("people", np.nan, list(held_out)[:n])] if len(held_out) else []
    for name, writer in writers.items():
        made += [(name, t, writer.write(n, seed=seed, temperature=t, nucleus=nucleus)) for t in temperatures]
    rows = []
    for name, temperature, texts in made:
        found = overlaps(texts, sources)
        found = found[found["words"] >= LEAST]
        share = found["share"].to_numpy(dtype=float)
        exact = [words(text) == words(source) for text, source in zip(found["text"], found["source"], strict=True)]
        mean = (float(np.mean(x)) if len(found) else np.nan for x in (exact, found["longest"], share))
        rows.append(
            (name, temperature, len(found), _share(share >= limit), *mean, len(set(texts)) / max(len(texts), 1))
        )
    columns = ["maker", "temperature", "texts", "near", "exact", "longest", "share", "different"]
    return pd.DataFrame(rows, columns=columns)


def _share(hit: NDArray[np.bool_]) -> Interval:
    low, high = wilson(hit.sum(), len(hit))
    return Interval(float(hit.mean()) if len(hit) else np.nan, float(low), float(high))


def _ratio(a: Floats, b: NDArray, n: int, seed: int) -> Interval:
    """Give Σ a / Σ b with its interval over texts."""

    def ratio(rows: NDArray, axis: int) -> Floats:
        i = rows.astype(int)
        return a[i].sum(axis=axis) / b[i].sum(axis=axis)

    return bootstrap(np.arange(len(a)), ratio, n=n, seed=seed)


def _two_to(bits: Interval) -> Interval:
    return Interval(*(2.0**x for x in bits))
