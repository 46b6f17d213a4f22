"""An n-gram language model with interpolated, modified Kneser-Ney smoothing: Chen & Goodman (1999).

    p(w | h) = (c(hw) - D(c(hw))) / Σ_w' c(hw') + γ(h) p(w | h'),    γ(h) = Σ_w' D(c(hw')) / Σ_w' c(hw')

h' is h without its first token; the last step goes to 1/V, each token alike. D takes D_1, D_2 or D_3+ off a count
of 1, 2, or 3 and more, with n_i the number of n-grams that have count i:

    Y = n_1 / (n_1 + 2 n_2)      D_1 = 1 - 2Y n_2/n_1      D_2 = 2 - 3Y n_3/n_2      D_3+ = 3 - 4Y n_4/n_3

Only the highest order counts how often; lower ones count how many different tokens stand before hw, for a lower order
is asked where the higher has not seen hw: "Francisco" is frequent, but after one word alone. Before an n-gram that
begins a text there is nothing, and its frequency stands (as in KenLM, Heafield et al. 2013). Order 1 is the unigram
model. Left out: pruning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smlab.checks import UsageError
from smlab.writers import START, Floats, Ints, Reader, Unit, Writer

FALLBACK = (0.5, 1.0, 1.5)  # D_1, D_2, D_3+ where there are too few n-grams to tell (KenLM's)


@dataclass(frozen=True)
class Level:
    """All n-grams of one order, in the order of their keys.

    Parameters
    ----------
    keys : (N,) place of the context in the level below, times V, plus the code of the last token
    count : (N,) c(hw), of the highest order how often, else of how many tokens before
    suffix : (N,) place of h'w in the level below
    own : (N,) the first term of p
    p : (N,) p(w | h)
    rest : (contexts,) γ(h)
    first : (contexts + 1,) where the n-grams of a context begin
    discounts : D_1, D_2, D_3+
    """

    keys: Ints
    count: Floats
    suffix: Ints
    own: Floats
    p: Floats
    rest: Floats
    first: Ints
    discounts: tuple[float, ...]


class NGrams(Writer):
    """Count n-grams, and smooth.

    Parameters
    ----------
    order : n, tokens of an n-gram; the n - 1 tokens before are what it remembers
    unit, min_count : see `Writer`

    >>> model = NGrams(order=2, min_count=1).fit(["red bus", "red car", "blue car"])
    >>> model.write(2, seed=1, nucleus=0.5)
    ['red car', 'red bus']
    >>> round(float(model.following("red").sum()), 12)
    1.0
    """

    def __init__(self, *, order: int = 3, unit: Unit = "word", min_count: int = 2) -> None:
        super().__init__(unit=unit, min_count=min_count)
        if not 1 <= order <= 20:
            raise UsageError(f"order={order} must be a whole number from 1 to 20")
        self.order = order

    def _learn(self, rows: list[Ints]) -> None:
        V = len(self.tokens_)
        counted = _count(rows, V, self.order)
        self.levels_: list[Level] = []
        for k, (keys, raw, suffix, begins) in enumerate(counted):
            if k + 1 < self.order:  # how many different tokens stand before; before START none
                before = np.bincount(counted[k + 1][2], minlength=len(keys))
                raw = np.where(begins, raw, before)
            if k == 0:
                raw[START] = 0  # it is given, not predicted
            self.levels_.append(self._level(keys, raw.astype(float), suffix))

    def _level(self, keys: Ints, c: Floats, suffix: Ints) -> Level:
        V, lowest = len(self.tokens_), not self.levels_
        context = np.zeros(V, dtype=np.int64) if lowest else keys // V
        n_contexts = 1 if lowest else len(self.levels_[-1].keys)
        below = (np.arange(V) != START) / (V - 1) if lowest else self.levels_[-1].p
        D = discounts(c)
        off = np.concatenate([[0], D])[np.minimum(c, 3).astype(int)]  # (N,) D(c)
        total = np.bincount(context, c, minlength=n_contexts)
        left = np.bincount(context, off, minlength=n_contexts)
        rest = np.divide(left, total, out=np.ones(n_contexts), where=total > 0)  # nothing follows the end: all is left
        own = (c - off) / total[context]
        first = np.concatenate([[0], np.cumsum(np.bincount(context, minlength=n_contexts))])
        return Level(keys, c, suffix, own, own + rest[context] * below[suffix], rest, first, D)

    def _bits(self, rows: list[Ints]) -> Floats:
        w, place = _joined(rows)
        p, found = self.levels_[0].p[w], w
        for k in range(1, self.order):
            context = np.where(place >= k, np.roll(found, 1), -1)
            found = self._find(k, context, w)
            level = self.levels_[k]
            p = np.where(found >= 0, _at(level.p, found), np.where(context >= 0, _at(level.rest, context), 1) * p)
        bits = -np.log2(np.where(place > 0, p, 1))  # START is given
        return np.add.reduceat(bits, np.flatnonzero(place == 0))

    def _reader(self, n: int) -> Reader:
        found = [np.empty((n, 0), dtype=np.int64)]  # (rows, k): the n-grams of 1 … k tokens that end here

        def read(rows: Ints, code: Ints) -> Floats:
            last = found[0][rows]
            now = [code] + [self._find(k, last[:, k - 1], code) for k in range(1, min(last.shape[1] + 1, self.order))]
            found[0] = np.stack(now, axis=1)
            return self._chances(found[0])

        return read

    def _chances(self, found: Ints) -> Floats:
        """Give p(w | h) of all tokens w, (n, V), after the n-grams `found` (n, k)."""
        p = np.tile(self.levels_[0].p, (len(found), 1))
        for k in range(1, min(found.shape[1] + 1, self.order)):
            level, V = self.levels_[k], len(self.tokens_)
            for row, h in enumerate(found[:, k - 1].tolist()):
                if h >= 0:
                    seen = slice(level.first[h], level.first[h + 1])
                    p[row] *= level.rest[h]
                    p[row, level.keys[seen] % V] += level.own[seen]
        return p

    def _find(self, k: int, context: Ints, w: Ints) -> Ints:
        """Give the place of each n-gram (context, w) in level k, -1 where it has not been seen, (n,)."""
        keys = self.levels_[k].keys
        if not len(keys):
            return np.full(len(w), -1)
        key = np.where(context >= 0, context * len(self.tokens_) + w, -1)
        place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        return np.where(keys[place] == key, place, -1)


def discounts(counts: Floats) -> tuple[float, ...]:
    """Give D_1, D_2, D_3+ of the counts of one order: Chen & Goodman (1999), eq. 26; usual ones if there are too few.

    >>> discounts(np.repeat([1, 2, 3, 4], [60, 20, 10, 5]))  # Y = 0.6: 1 - 1.2/3, 2 - 1.8/2, 3 - 2.4/2
    (0.6, 1.1, 1.8)
    """
    n = np.bincount(np.minimum(counts, 5).astype(int), minlength=6)[1:5].astype(float)
    if not n.all():
        return FALLBACK
    Y = n[0] / (n[0] + 2 * n[1])
    D = [i - (i + 1) * Y * n[i] / n[i - 1] for i in (1, 2, 3)]
    return tuple(round(float(d), 12) for d in D) if all(0 < d <= i for i, d in enumerate(D, 1)) else FALLBACK


def _count(rows: list[Ints], V: int, order: int) -> list[tuple[Ints, Ints, Ints, Ints]]:
    """Give for each order the keys, how often, the place of the suffix, and whether START is the first token."""
    w, place = _joined(rows)
    codes = np.arange(V)
    found = [(codes, np.bincount(w, minlength=V), codes, codes == START)]
    ends = w  # (N,) place of the n-gram that ends here
    for k in range(1, order):
        at = np.flatnonzero(place >= k)
        keys, one, inverse, often = np.unique(
            ends[at - 1] * V + w[at], return_index=True, return_inverse=True, return_counts=True
        )
        found.append((keys, often, ends[at[one]], found[-1][3][keys // V]))
        ends = np.full(len(w), -1)
        ends[at] = inverse
    return found


def _joined(rows: list[Ints]) -> tuple[Ints, Ints]:
    """Give all tokens one after the other, and the place of each in its text, both (N,)."""
    return np.concatenate(rows), np.concatenate([np.arange(len(row)) for row in rows])


def _at(values: Floats, place: Ints) -> Floats:
    """Give values[place]; what stands where place is -1 does not count."""
    return values[place] if len(values) else np.zeros(len(place))
