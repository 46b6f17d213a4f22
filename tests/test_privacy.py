"""k holds after coarsening, and the attack that worked before finds nobody."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from smlab.checks import UsageError
from smlab.coarsening import Ladder, age_ladder, place_ladder, time_ladder
from smlab.privacy import Anonymous, anonymise, class_sizes, hide_small, k_anonymity, l_diversity, report, risk

QUASI = ["age", "town", "first"]

# The example of Machanavajjhala et al. (2007), their 4-anonymous inpatient table: three classes of four.
INPATIENTS = pd.DataFrame(
    {
        "zip": ["130**"] * 4 + ["1485*"] * 4 + ["130**"] * 4,
        "age": ["<30"] * 4 + ["≥40"] * 4 + ["3*"] * 4,
        "disease": ["heart", "heart", "viral", "viral", "cancer", "heart", "viral", "viral"] + ["cancer"] * 4,
    }
)


def customers(n: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Make up customers: age, a town (few large, many small), the moment of the first purchase, and how they pay."""
    rng = np.random.default_rng(seed)
    towns = np.array([f"town {i}" for i in range(40)])
    return pd.DataFrame(
        {
            "person": rng.permutation(n),
            "age": rng.normal(42, 14, n).clip(18, 90).round(),
            "town": rng.choice(towns, n, p=(w := 1 / np.arange(1, 41)) / w.sum()),
            "first": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 180 * 86400, n), unit="s"),
            "pays": rng.choice(["card", "invoice", "debt collection"], n, p=[0.6, 0.3, 0.1]),
        }
    )


def ladders(frame: pd.DataFrame, k: int = 5) -> dict[str, Ladder]:
    return {"age": age_ladder(), "town": place_ladder(frame["town"], k), "first": time_ladder()}


def matches(known: pd.DataFrame, released: pd.DataFrame, quasi: list[str]) -> pd.Series:
    """Attack: count for each known person the released rows with the same quasi-identifiers."""
    sizes = released.groupby(quasi).size().rename("matches").reset_index()
    found = known[quasi].merge(sizes, on=quasi, how="left")["matches"]
    return found.fillna(0).astype(int).set_axis(known.index)


def test_attacker_links_nearly_everybody_before_and_nobody_after():
    raw = customers()
    before = matches(raw, raw, QUASI)
    assert (before == 1).mean() > 0.99
    done = anonymise(raw, ladders(raw), k=5, person="person")
    after = matches(done.coarsen(raw), done.frame, QUASI)  # the attacker knows the recipe
    assert ((after == 0) | (after >= 5)).all()
    assert (after == 0).sum() == done.suppressed <= 0.05 * len(raw)


def test_attacker_is_right_once_in_k_times_at_best():
    """Guess one of the rows that match, at random: right in as many cases as there are classes."""
    raw, rng = customers(), np.random.default_rng(1)
    done = anonymise(raw, ladders(raw), k=5)
    pools = done.frame.groupby(QUASI)["person"].apply(np.array)
    kept = done.coarsen(raw).loc[done.frame.index]
    guesses = np.array([rng.choice(pools[key]) for key in kept[QUASI].itertuples(index=False, name=None)])
    hits = (guesses == kept["person"]).mean()
    assert hits < 1 / 5
    assert hits == pytest.approx(len(pools) / len(kept), abs=0.02)
    assert risk(done.frame, QUASI)["mean chance to be found"] == pytest.approx(len(pools) / len(kept))


def test_k_does_not_stop_who_sees_that_a_class_shares_its_secret():
    """The homogeneity attack: all of the third class have cancer, so k = 4 hides nobody's disease."""
    assert k_anonymity(INPATIENTS, ["zip", "age"]) == 4
    assert l_diversity(INPATIENTS, ["zip", "age"], "disease") == 1
    known = INPATIENTS.query("age == '3*' and zip == '130**'")
    assert known["disease"].nunique() == 1


def test_l_by_entropy_is_the_exponential_of_the_least_entropy():
    two = INPATIENTS.iloc[:8]
    assert l_diversity(two, ["zip", "age"], "disease") == 2
    assert l_diversity(two, ["zip", "age"], "disease", entropy=True) == pytest.approx(2)  # halves
    uneven = pd.DataFrame({"q": [1] * 100, "s": ["a"] * 99 + ["b"]})
    p = np.array([0.99, 0.01])
    assert l_diversity(uneven, ["q"], "s", entropy=True) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert l_diversity(uneven, ["q"], "s") == 2 and l_diversity(uneven.iloc[:0], ["q"], "s") == 0


@pytest.mark.parametrize("seed", range(8))
def test_sizes_are_those_of_counting_row_by_row(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({c: rng.choice([0.0, 1.0, np.nan], 60) for c in "ab"}).assign(who=rng.integers(0, 20, 60))
    rows = [tuple(map(str, row)) for row in frame[["a", "b"]].itertuples(index=False)]
    people = [{w for r, w in zip(rows, frame["who"], strict=True) if r == row} for row in rows]
    assert class_sizes(frame, ["a", "b"]).tolist() == [rows.count(row) for row in rows]
    assert class_sizes(frame, ["a", "b"], person="who").tolist() == [len(p) for p in people]
    mixed = rng.permutation(60)
    assert class_sizes(frame.iloc[mixed], ["b", "a"]).sort_index().equals(class_sizes(frame, ["a", "b"]))


def test_ten_purchases_of_one_are_no_crowd():
    purchases = pd.DataFrame({"age": [31] * 10 + [58] * 2, "who": ["a"] * 10 + ["b", "c"]})
    assert k_anonymity(purchases, ["age"]) == 2 and k_anonymity(purchases, ["age"], person="who") == 1
    with pytest.raises(UsageError, match="9 rows are not the first of their 'who', and several rows of one person"):
        anonymise(purchases, {"age": age_ladder()}, k=2, person="who")


@pytest.mark.parametrize("k", [2, 5, 20, 100])
@pytest.mark.parametrize("suppress", [0.0, 0.05])
def test_k_holds_whatever_is_asked(k, suppress):
    raw = customers(1000, seed=k)
    copy = raw.copy()
    done = anonymise(raw, ladders(raw, k), k=k, suppress=suppress)
    assert k_anonymity(done.frame, done.quasi) >= k
    assert len(done.frame) + done.suppressed == len(raw) and done.suppressed <= suppress * len(raw)
    assert done.frame["pays"].equals(raw.loc[done.frame.index, "pays"])  # other columns stay
    pd.testing.assert_frame_equal(raw, copy)
    again = anonymise(raw, ladders(raw, k), k=k, suppress=suppress)
    assert again.levels == done.levels and again.frame.equals(done.frame)


def test_no_cheaper_combination_of_steps_would_do():
    """The search against trying every combination."""
    import itertools

    raw = customers(400, seed=3)
    rungs = ladders(raw)
    done = anonymise(raw, rungs, k=5)
    tops = [len(ladder.steps) - 1 for ladder in rungs.values()]
    costs = []
    for levels in itertools.product(*(range(top + 1) for top in tops)):
        coarse = pd.DataFrame({n: rungs[n].steps[a](raw[n]) for n, a in zip(rungs, levels, strict=True)})
        if (class_sizes(coarse, QUASI) < 5).sum() <= 0.05 * len(raw):
            costs.append(float(np.mean([a / top for a, top in zip(levels, tops, strict=True)])))
    assert done.loss == pytest.approx(min(costs))
    assert done.loss == pytest.approx(np.mean([a / t for a, t in zip(done.levels.values(), tops, strict=True)]))


def test_more_suppression_never_costs_more_detail():
    raw = customers(800, seed=4)
    losses = [anonymise(raw, ladders(raw), k=5, suppress=s).loss for s in (0, 0.02, 0.1, 0.3)]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]


def test_table_that_is_safe_already_stays():
    frame = pd.DataFrame({"age": [31] * 6 + [58] * 6})
    done = anonymise(frame, {"age": age_ladder()}, k=5)
    assert done.levels == {"age": 0} and done.suppressed == 0 and done.loss == 0
    assert done.frame["age"].tolist() == ["31"] * 6 + ["58"] * 6


def test_missing_values_are_a_value_like_any_other():
    frame = pd.DataFrame({"age": [31, 33, 35, None, None, None], "town": ["x"] * 6})
    done = anonymise(frame, {"age": age_ladder(), "town": place_ladder(frame["town"], 3)}, k=3, suppress=0)
    assert k_anonymity(done.frame, ["age", "town"]) >= 3 and "missing" in set(done.frame["age"])


def test_small_segments_are_hidden_and_cannot_be_worked_out():
    counts = pd.Series({"loyal": 40, "new": 12, "lapsed": 2, "gone": 0})
    assert hide_small(counts, 5).tolist() == [40, pd.NA, pd.NA, 0]
    assert hide_small(pd.Series([1, 1, 8, 9, 30]), 5).tolist() == [pd.NA, pd.NA, pd.NA, 9, 30]  # 1 + 1 are under 5
    assert hide_small(pd.Series([5, 6, 7]), 5).tolist() == [5, 6, 7]
    assert hide_small(pd.Series([3]), 5).tolist() == [pd.NA]
    rng = np.random.default_rng(0)
    for _ in range(200):
        some = pd.Series(rng.integers(0, 20, rng.integers(2, 9)))
        shown = hide_small(some, 5)
        hidden = some[shown.isna()]
        assert (shown.dropna()[shown > 0] >= 5).all()
        assert hidden.empty or hidden.sum() >= 5 or len(hidden) == (some > 0).sum()
        assert len(hidden) != 1 or (some > 0).sum() == 1


def test_report_tells_before_and_after():
    raw = customers()
    done = anonymise(raw, ladders(raw), k=5)
    told = report(raw, done, sensitive=["pays"], pseudonymised=["person"], more=["Taken out of 9 texts: 2 email."])
    assert list(told.frame.columns) == ["before", "after"]
    assert told.frame.loc["smallest class, k", "before"] == 1 and told.frame.loc["smallest class, k", "after"] >= 5
    assert told.frame.loc["rows alone in their class", "after"] == 0
    assert told.frame.loc["greatest chance to be found", "after"] <= 1 / 5
    assert told.frame.loc["least different pays", "before"] == 1
    text = str(told)
    assert re.search(r"Before, [\d,]+ of 3,000 rows \(\d+%\) were alone with their age, town, first", text)
    assert f"{done.suppressed:,} rows" in text and f"age: {done.ladders['age'].names[done.levels['age']]}" in text
    assert "Pseudonyms stand in person" in text and "GDPR, recital 26" in text and text.endswith("2 email.")


def test_report_says_where_a_class_shares_its_secret():
    same = Ladder(("as it is", "hidden"), (lambda x: x, lambda x: x.mask(x.notna(), "*")))
    done = anonymise(INPATIENTS, {"zip": same, "age": same}, k=4)
    assert isinstance(done, Anonymous) and done.loss == 0
    assert "all who look alike share one disease" in str(report(INPATIENTS, done, sensitive=["disease"]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"k": 0}, "k=0 must be 1 or more"),
        ({"suppress": 2}, "suppress=2 between 0 and 1"),
        ({"k": 99}, "7 rows cannot hide anybody among k=99"),
        ({"ladders": {}}, "a ladder be given"),
        ({"ladders": {"agee": age_ladder()}}, "the table has no column 'agee'; did you mean 'age'"),
        ({"person": "who"}, "the table has no column 'who'"),
    ],
)
def test_what_cannot_be_is_said(change, sentence):
    arguments = {"ladders": {"age": age_ladder()}, "k": 3} | change
    with pytest.raises(UsageError, match=re.escape(sentence)):
        anonymise(pd.DataFrame({"age": [31, 33, 36, 38, 52, 57, 58]}), **arguments)


def test_table_without_rows_has_no_classes():
    empty = pd.DataFrame({"age": [], "who": []})
    assert k_anonymity(empty, ["age"]) == 0 and class_sizes(empty, ["age"], person="who").empty
