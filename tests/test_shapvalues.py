"""SHAP values add up for every kind of model, are those of Shapley's definition, and find the known truth."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from smlab import audience, ctr, engagement, explain
from smlab.agreement import agreement
from smlab.checks import SmlabError, UsageError
from smlab.shapvalues import Shap, all_sets, drawn_sets, in_words, predictor, shap_values

MODELS = {
    "tree": engagement.Tree(), "forest": engagement.Forest(leaf=10, trees=40), "boosting": engagement.Boosting(),
    "logistic": engagement.Logistic(), "neighbours": engagement.Neighbours(), "SVM": engagement.SVM(),
    "network": engagement.Network(epochs=2, device="cpu"), "majority": engagement.Majority(),
    "their tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "their forest": RandomForestClassifier(30, min_samples_leaf=10, random_state=0),
    "extra trees": ExtraTreesClassifier(30, min_samples_leaf=10, random_state=0),
    "their boosting": GradientBoostingClassifier(n_estimators=30, random_state=0),
    "their logistic": LogisticRegression(max_iter=1000),
    "our logistic": ctr.LogisticRegression(reg=0.01),
}  # fmt: skip
FIELDS = ["age", "visits", "minutes", "location=city", "interests=travel", "interests=music", "gender=male"]
TREES, BOOSTED = ("tree", "forest", "their tree", "their forest", "extra trees"), ("boosting", "their boosting")


@pytest.fixture(scope="module")
def crowd():
    people = audience.audience(1500, seed=3)
    X, _ = audience.encode(people.frame)
    return X[FIELDS], people.y


@pytest.fixture(scope="module")
def fitted(crowd):
    X, y = crowd
    return {name: model.fit(X[:1200], y[:1200]) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def parts(crowd):
    X, _ = crowd
    return X[1200:1220], X[:30]


@pytest.mark.parametrize("unit", ["probability", "log-odds"])
@pytest.mark.parametrize("name", MODELS)
def test_values_add_up_to_the_prediction_of_every_model(fitted, parts, name, unit):
    rows, background = parts
    found = shap_values(fitted[name], rows[:6] if name in ("SVM", "neighbours") else rows, background, unit=unit)
    p = np.asarray(fitted[name].predict_proba(found.X))
    p = p[:, 1] if p.ndim == 2 else p
    wanted = p if unit == "probability" else logit(p)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), wanted, atol=1e-6)
    assert found.values.index.equals(found.X.index) and found.values.columns.tolist() == FIELDS


@pytest.mark.parametrize("name", (*TREES, *BOOSTED))
def test_trees_do_without_a_background_in_their_own_unit(fitted, parts, name):
    rows, _ = parts
    found = shap_values(fitted[name], rows, unit="log-odds" if name in BOOSTED else "probability")
    assert found.how == "tree branches"
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.prediction, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("tree", "probability"), ("forest", "probability"), ("boosting", "log-odds"), ("their boosting", "log-odds"),
     ("logistic", "log-odds"), ("our logistic", "log-odds"), ("their logistic", "log-odds")],
)  # fmt: skip
def test_the_quick_ways_give_what_all_sets_give(fitted, parts, name, unit):
    """TreeExplainer and the closed form beside our own sum over all sets of columns."""
    rows, background = parts
    quick = shap_values(fitted[name], rows[:5], background, unit=unit)
    slow = shap_values(predictor(fitted[name], unit), rows[:5], background, unit=unit)
    assert slow.how == "all sets of players" != quick.how
    np.testing.assert_allclose(quick.values, slow.values, atol=1e-6)
    assert quick.base == pytest.approx(slow.base, abs=1e-6)


def test_all_sets_are_shapleys_sum_over_orders(fitted, parts):
    rows, background = parts
    predict = predictor(fitted["forest"])
    groups = {"age": FIELDS[:1], "activity": FIELDS[1:3], "rest": FIELDS[3:]}
    found = shap_values(predict, rows[:1], background, groups=groups).values.iloc[0]

    def worth(known):
        keep = [c for g in known for c in groups[g]]
        return predict(background.assign(**{c: rows[c].iloc[0] for c in keep})).mean()

    for name in groups:
        steps = [worth(o[: o.index(name) + 1]) - worth(o[: o.index(name)]) for o in itertools.permutations(groups)]
        assert found[name] == pytest.approx(np.mean(steps))


@pytest.mark.parametrize("d", [1, 3, 6])
def test_weights_share_out_everything_and_nothing_to_who_does_nothing(d):
    for masks, W in (all_sets(d), drawn_sets(d, permutations=2, seed=0)):
        assert not masks[0].any() and masks[-1].all()
        for seed in range(5):
            v = np.random.default_rng(seed).standard_normal(len(masks))
            assert (W @ v).sum() == pytest.approx(v[-1] - v[0])
        lazy = np.where(masks[:, 0], 3.0, 1.0)  # only the first player does anything
        np.testing.assert_allclose(W @ lazy, [2.0] + [0.0] * (d - 1), atol=1e-12)


def test_an_order_and_its_reverse_are_exact_for_pairs_and_many_come_near_for_more():
    masks, W = all_sets(6)
    strength = np.random.default_rng(0).standard_normal((6, 6))

    def pairs(m):
        return np.einsum("nj,jk,nk->n", m, strength, m)

    few, V = drawn_sets(6, permutations=1, seed=1)
    np.testing.assert_allclose(V @ pairs(few.astype(float)), W @ pairs(masks.astype(float)))

    def triple(m):
        return m[:, :3].prod(axis=1)

    many, U = drawn_sets(6, permutations=400, seed=2)
    np.testing.assert_allclose(U @ triple(many.astype(float)), [1 / 3] * 3 + [0] * 3, atol=0.03)


def test_many_columns_go_by_drawn_orders_which_agree_with_all_sets_of_groups():
    people = audience.audience(300, seed=4)
    X, groups = audience.encode(people.frame)
    model = engagement.Logistic().fit(X, people.y)
    found = shap_values(model, X[:4], X[50:70])
    assert found.how == "4 orders of the players, there and back"
    pd.testing.assert_frame_equal(found.values, shap_values(model, X[:4], X[50:70]).values)
    whole = shap_values(model, X[:4], X[50:70], groups=groups)
    np.testing.assert_allclose(found.by_group(groups).values, whole.values, atol=0.01)


@pytest.mark.slow
def test_all_sets_are_what_shap_itself_finds(fitted, parts):
    import shap

    rows, background = parts
    ours = shap_values(fitted["network"], rows, background)
    f = predictor(fitted["network"])
    theirs = shap.explainers.Exact(lambda A: f(pd.DataFrame(A, columns=FIELDS)), background.to_numpy())
    np.testing.assert_allclose(ours.values, theirs(rows.to_numpy(), silent=True).values, atol=1e-6)


def test_shap_of_the_true_log_odds_is_the_known_truth():
    people = audience.audience(400, seed=5)
    X, groups = audience.encode(people.frame)

    def true_log_odds(Z):
        named = list(audience.INTERESTS)
        likes = Z[[f"interests={k}" for k in named]].to_numpy()
        frame = pd.DataFrame({
            "age": Z["age"], "gender": "male", "visits": Z["visits"], "minutes": Z["minutes"],
            "location": np.select([Z["location=city"] == 1, Z["location=town"] == 1], ["city", "town"], "countryside"),
            "interests": [", ".join(np.array(named)[row == 1]) or "none" for row in likes],
        })  # fmt: skip
        return logit(audience.probability(frame))

    found = shap_values(true_log_odds, X[:5], X[50:400], groups=groups, unit="log-odds")
    truth = audience.shapley(people.frame)[:5]
    assert (found.values - truth).abs().to_numpy().max() < 0.12  # a background of 350 people has its own means
    assert (found.values[["gender", "minutes"]].abs() < 1e-9).all(axis=None)
    assert abs(found.base - audience.average()) < 0.1


def test_shap_shares_one_effect_among_two_columns_that_go_together(fitted, crowd):
    """Only visits has an effect; a forest takes both, and so its SHAP values credit minutes, which has none."""
    X, y = crowd
    background = X[:30]
    with_both = shap_values(fitted["forest"], X[1200:1300], background).importance().value
    alone = engagement.Forest(leaf=10, trees=40).fit(X[:1200].drop(columns="minutes"), y[:1200])
    without = shap_values(alone, X[1200:1300].drop(columns="minutes"), background.drop(columns="minutes"))
    assert with_both["minutes"] > 0.3 * with_both["visits"]
    assert without.importance().value["visits"] > 1.3 * with_both["visits"]


def test_sums_over_groups_keep_the_prediction_and_a_cut_group_is_refused(fitted, parts):
    rows, background = parts
    groups = {"age": FIELDS[:1], "activity": FIELDS[1:3], "rest": FIELDS[3:]}
    found = shap_values(fitted["forest"], rows, background)
    sums = found.by_group(groups)
    np.testing.assert_allclose(sums.values["activity"], found.values["visits"] + found.values["minutes"])
    with pytest.raises(SmlabError, match="add up to"):
        found.by_group({"age": FIELDS[:1], "activity": FIELDS[1:3]})


def test_values_that_miss_the_prediction_are_refused(crowd, parts):
    class Rounded(engagement.Forest):
        """Rounds what its trees say, which no sum over the trees can know."""

        def _predict(self, A):
            return super()._predict(A).round(2)

    X, y = crowd
    with pytest.raises(SmlabError, match=r"row \d+: base and SHAP values add up to 0\.\d{8}, the model says 0\.\d{8};"):
        shap_values(Rounded(leaf=10, trees=10).fit(X, y), *parts)


def test_nothing_is_printed_and_columns_may_come_in_another_order(fitted, parts, capfd):
    rows, background = parts
    one = shap_values(fitted["forest"], rows, background)
    other = shap_values(fitted["forest"], rows[FIELDS[::-1]], background)
    np.testing.assert_allclose(one.values, other.values[FIELDS], atol=1e-9)
    shap_values(fitted["neighbours"], rows[:2], background)
    assert capfd.readouterr() == ("", "")


def told(values: dict[str, float], base: float = 0.3, unit="probability") -> Shap:
    X = pd.DataFrame([[19.0, 0.0, 1.0, 3.0]], columns=["hour", "kind=photo", "kind=video", "links"])
    groups = {"time of day": ["hour"], "kind": ["kind=photo", "kind=video"], "links": ["links"]}
    frame = pd.DataFrame([values], columns=list(groups))
    return Shap(frame, base, np.array([base + sum(values.values())]), X, groups, unit, "")


def test_words_are_three_sentences_with_values_and_without_a_cause():
    text = in_words(told({"time of day": 0.1, "kind": 0.02, "links": -0.05}), 0)
    assert text == (
        "The model gives this post 37%, where the average post has 30%. Its score is raised by time of day "
        "(19: +10.0 points) and kind (video: +2.0 points), and lowered by links (3: -5.0 points). This is how the "
        "model counts, not what a change would cause."
    )
    assert len(re.findall(r"\.(?:\s|$)", text)) == 3 and "because" not in text


def test_values_are_said_in_short_and_mixed_numbers_not_at_all(parts):
    rows, _ = parts
    groups = {"age": ["age"], "location=city": ["location=city"], "likes": FIELDS[4:6], "week": ["visits", "minutes"]}
    found = Shap(pd.DataFrame(), 0.0, np.zeros(1), rows, groups, "probability", "")
    row = rows.iloc[0]
    assert found.said(0)["age"] == f"{row['age']:g}" and found.said(0)["week"] == ""
    assert [found.said(i)["location=city"] for i in range(20)] == ["yes" if v else "no" for v in rows["location=city"]]
    assert {found.said(i)["likes"] for i in range(20)} <= {"travel", "music", "travel, music", "none of them"}


def test_columns_that_go_together_taken_as_one_give_back_the_truth():
    """Each alone, minutes gets credit that is not its own; with visits as one group, all ranks are the true ones."""
    people = audience.audience(4000, seed=6)
    X, groups = audience.encode(people.frame)
    model = engagement.Boosting().fit(X[:3500], people.y[:3500])
    found = shap_values(model, X[3500:], X[:40], unit="log-odds")
    truth = audience.shapley(people.frame[3500:]).abs().mean()
    pair = {k: v for k, v in groups.items() if k not in ("visits", "minutes")} | {"activity": ["visits", "minutes"]}
    true_pair = truth.drop(["visits", "minutes"]).to_dict() | {"activity": truth["visits"]}
    alone, together = (found.by_group(g).importance() for g in (groups, pair))
    assert agreement({"SHAP": alone}, truth)["value"].iloc[0] < 1
    assert agreement({"SHAP": together}, pd.Series(true_pair))[["value", "top"]].iloc[0].tolist() == [1, 1]


def test_words_leave_small_parts_to_the_rest_and_begin_with_the_side_that_wins():
    text = in_words(told({"time of day": 0.01, "kind": 0.2, "links": -1.0}, unit="log-odds"), 0, thing="person")
    assert "Its score is lowered by links (3: -1.00), and raised by kind (video: +0.20)." in text
    assert "All else together makes +0.01; this is" in text and "log-odds of -0.49" in text
    renamed = in_words(told({"time of day": 0.1, "kind": 0, "links": 0}), 0, values={"time of day": "7 p.m."})
    assert "time of day (7 p.m.: +10.0 points)" in renamed
    flat = in_words(told({"time of day": 0, "kind": 0, "links": 0}), 0)
    assert "No part of it moves the score by much. This is how" in flat


def test_bad_input_is_said_in_a_sentence(fitted, parts):
    rows, background = parts
    with pytest.raises(UsageError, match="unit='odds': known are"):
        shap_values(fitted["forest"], rows, unit="odds")
    with pytest.raises(UsageError, match="need a background: some 20 to 100 rows"):
        shap_values(fitted["logistic"], rows)
    with pytest.raises(UsageError, match="the groups hold 1 columns, the frame 7"):
        shap_values(fitted["forest"], rows, background, groups={"age": ["age"]})
    with pytest.raises(UsageError, match="int has no predict_proba and cannot be called"):
        shap_values(7, rows, background)
    with pytest.raises(UsageError, match="permutations=0 must be 1 or more"):
        shap_values(fitted["neighbours"], rows, background, permutations=0)
    assert explain.need_groups(rows, None) == {c: [c] for c in FIELDS}
