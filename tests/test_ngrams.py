"""Kneser-Ney: sums to one, the formula by hand and by a slow second way, texts as often as their chances say."""

import re
from collections import Counter

import numpy as np
import pytest

from smlab.checks import UsageError
from smlab.ngrams import FALLBACK, NGrams, discounts

TEXTS = ["the cat sat", "the cat ran", "the dog sat", "a dog ran off", "the cat sat down", "the bird"]


def planted(n, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(list("abcdefgh"), rng.integers(1, 9), p=[0.4, 0.2, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02]))
            for _ in range(n)]  # fmt: skip


def slow(model, history, w, k):
    """Give p(w | last k - 1 of history) straight from the formula, over tuples."""
    rows = [tuple(row.tolist()) for row in model.encode(slow.texts)]

    def grams(size):
        return [row[i : i + size] for row in rows for i in range(len(row) - size + 1)]

    def counts(size):
        often = Counter(grams(size))
        if size < model.order:
            before = Counter(gram[1:] for gram in set(grams(size + 1)))
            often = Counter({g: often[g] if g[0] == 0 else before[g] for g in often})
        if size == 1:
            del often[(0,)]
        return often

    V = len(model.tokens_)
    if k == 0:
        return 1 / (V - 1)
    c, h = counts(k), tuple(history[len(history) - k + 1 :])
    D = (0, *discounts(np.array(list(c.values()))))
    total = sum(n for gram, n in c.items() if gram[:-1] == h)
    if total == 0:
        return slow(model, history, w, k - 1)
    rest = sum(D[min(n, 3)] for gram, n in c.items() if gram[:-1] == h) / total
    now = c.get((*h, w), 0)
    return (now - D[min(now, 3)]) / total + rest * slow(model, history, w, k - 1)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_chances_are_those_of_the_formula(order):
    slow.texts = planted(60)
    model = NGrams(order=order, min_count=2).fit(slow.texts)
    for start in ("", "a", "b a", "a z b"):
        history = model.encode([start])[0][:-1].tolist()
        p = model.following(start)
        for w in (1, 2, 3, 6):
            assert p[w] == pytest.approx(slow(model, history, w, min(order, len(history) + 1)), abs=1e-12)


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_chances_sum_to_one_whatever_stands_before(order, unit):
    model = NGrams(order=order, unit=unit, min_count=1).fit(planted(50) + TEXTS + ["这家酒店很好"])
    for start in ("", "a", "the cat", "never seen", "a b c d e", "酒店"):
        p = model.following(start)
        assert p.sum() == pytest.approx(1, abs=1e-12) and p[0] == 0 and (p[1:] > 0).all()


def test_kneser_ney_counts_by_hand():
    """Three texts have " cat", but only two different tokens stand before it."""
    model = NGrams(order=2, min_count=1).fit(["the cat", "the cat", "a cat", "the dog"])
    count = dict(zip(model.tokens_, model.levels_[0].count, strict=True))
    assert count == {"<start>": 0, "<end>": 2, "<unknown>": 0, "the": 1, " cat": 2, "a": 1, " dog": 1}
    # bigrams: <start> the 3, the cat 2, cat <end> 3, <start> a 1, a cat 1, the dog 1, dog <end> 1: no n_4, so usual D
    assert [level.discounts for level in model.levels_] == [FALLBACK, FALLBACK]
    cat = (2 - 1) / 7 + (1 + 0.5 + 1 + 0.5 + 0.5) / 7 / 6  # own, and the rest over six tokens
    assert model.following("the")[model.tokens_.index(" cat")] == pytest.approx((2 - 1) / 3 + (1 + 0.5) / 3 * cat)


def test_a_word_that_follows_one_word_only_is_seldom_expected_elsewhere():
    texts = ["san francisco"] * 30 + [f"{a} {b}" for a in "abcdef" for b in ("tea", "ham")]
    model = NGrams(order=2, min_count=1).fit(texts)
    p = dict(zip(model.tokens_, model.following("z"), strict=True))  # a word that was never seen
    assert p[" tea"] > 2 * p[" francisco"]


def test_discounts_are_usual_where_they_cannot_be_told():
    assert discounts(np.array([1.0, 2, 3])) == FALLBACK
    assert discounts(np.repeat([1.0, 2, 3, 4], [10, 1, 50, 1])) == FALLBACK  # D_2 < 0


def test_score_is_the_product_of_the_chances():
    model = NGrams(order=3, min_count=1).fit(TEXTS)
    text, bits = "the dog ran", 0.0
    for start, token in (("", "the"), ("the", " dog"), ("the dog", " ran"), ("the dog ran", "<end>")):
        bits -= np.log2(model.following(start)[model.tokens_.index(token)])
    found, tokens = model.bits([text, "", "the dog zzz"])
    assert found[0] == pytest.approx(bits) and tokens.tolist() == [4, 1, 4]
    assert model.score([text])[0] == pytest.approx(-bits / 4)
    assert model.score([]).shape == (0,)


def test_texts_come_as_often_as_their_chances_say():
    model = NGrams(order=2, min_count=1).fit(["a b", "a c", "b a", "c"])
    written = Counter(model.write(4000, seed=3))
    bits, _ = model.bits(["", *written])
    # neither an empty text nor the unknown is written, so what is written has a little more chance than it says
    for text, b in zip(list(written)[:4], bits[1:5], strict=True):
        assert written[text] / 4000 > 0.8 * 2**-b


def test_longer_order_foresees_a_chain_better_and_cold_texts_are_likelier():
    texts = ["one two three four five", "one three two five four"] * 20
    held_out = ["one two three four five"]
    scores = [NGrams(order=k).fit(texts).score(held_out)[0] for k in (1, 2, 3)]
    assert scores[0] < scores[1] < scores[2]
    model = NGrams(order=2, min_count=1).fit(planted(200))
    assert model.score(model.write(100, seed=1, temperature=0.5)).mean() > model.score(model.write(100, seed=1)).mean()


def test_same_seed_same_texts_and_inputs_stay():
    texts = list(TEXTS)
    model = NGrams(min_count=1).fit(texts)
    assert model.write(5, seed=1) == model.write(5, seed=1) != model.write(5, seed=2)
    assert texts == TEXTS


def test_order_above_the_longest_text_changes_nothing():
    five, nine = (NGrams(order=k, min_count=1).fit(TEXTS) for k in (7, 9))
    np.testing.assert_allclose(five.score(TEXTS), nine.score(TEXTS))


def test_error_is_a_sentence():
    with pytest.raises(UsageError, match=re.escape("order=0 must be a whole number from 1 to 20")):
        NGrams(order=0)
