"""Pairs begin alike, end differently, and a classifier is told apart by what it makes of the ends."""

from __future__ import annotations

import pytest

from smlab import irony
from smlab.checks import UsageError


@pytest.mark.parametrize("language", irony.TWINS)
def test_twins_begin_alike_and_no_post_comes_twice(language):
    posts = irony.twins(language)
    assert posts.text.is_unique and len(posts) == 2 * len(irony.TWINS[language]) >= 32
    for _, pair in posts.groupby("pair"):
        sincere, ironic = pair.sort_values("ironic").text
        opening = irony.TWINS[language][pair.pair.iloc[0]][0]
        assert sincere.startswith(opening) and ironic.startswith(opening) and sincere != ironic


def test_one_who_knows_is_right_on_both_and_one_who_hears_openings_only_on_the_sincere():
    posts = irony.twins("zh")
    meant = dict(zip(posts.text, posts.ironic.map({True: "negative", False: "positive"}), strict=True))
    sides = {"negative": "negative", "positive": "positive", "language": "zh"}
    assert {x.value for x in irony.hears_irony(lambda t: [meant[one] for one in t], **sides).values()} == {1.0}
    deaf = irony.hears_irony(lambda t: ["positive"] * len(t), **sides)
    assert (deaf["sincere"].value, deaf["ironic"].value, deaf["both"].value) == (1, 0, 0)


def test_all_of_24_is_no_certainty():
    found = irony.hears_irony(lambda t: ["good"] * len(t), negative="bad", positive="good")
    assert found["sincere"].low == pytest.approx(24 / (24 + 1.96**2), abs=1e-3)  # Wilson (1927) where all succeed


def test_a_language_without_pairs_is_named():
    with pytest.raises(UsageError, match="language='fr': there are ironic pairs in en and zh"):
        irony.twins("fr")
