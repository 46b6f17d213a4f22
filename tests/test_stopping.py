"""Where a test would have stopped: simulated people, streams worked out by hand, sentences, ASOS, errors."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

from smlab import experiments, power
from smlab.checks import DataAbsent, UsageError
from smlab.plannedlooks import planned
from smlab.sequential import naive, rates, watch
from smlab.stopping import agreement, in_words, rehearse, stops

PERCENT = "{:+.1%}".format


def stream(name, means1, *, n=1000, variance=1.0, start=0):
    """Make a stream with a mean of 1 in the control and these in the treatment, n people more at each look."""
    looks = np.arange(1, len(means1) + 1)
    return pd.DataFrame({
        "experiment": name, "variant": 1, "metric": 1, "time": looks + float(start),
        "count_control": n * looks, "mean_control": 1.0, "variance_control": variance,
        "count_treatment": n * looks, "mean_treatment": means1, "variance_treatment": variance,
    })  # fmt: skip


FRAME = pd.concat([
    stream("better", [1.02, 1.2, 1.15, 1.12]), stream("same", [1.01, 1.0]), stream("fades", [1.2, 1.0, 1.0, 1.0, 1.0]),
    stream("worse", [0.99, 0.93, 0.85]), stream("late", [1.06, 1.06, 1.05, 1.05]),
], ignore_index=True)  # fmt: skip


def test_a_rehearsal_is_the_same_twice_and_agrees_with_the_formula_of_power():
    fixed = partial(planned, z=[1.959964])
    one, two = (rehearse(fixed, 0.1, 0.12, 7682, every=3841, n_tests=4000, seed=2) for _ in range(2))
    assert one == two and one.people == 7682
    assert one.stopped.value == pytest.approx(float(power.power(0.1, 0.12, 3841)), abs=0.02)


@pytest.mark.parametrize("n_tests", [500, pytest.param(4000, marks=pytest.mark.slow)])
def test_what_peeking_saves_and_what_it_costs(n_tests):
    """With the people of a fixed test of power .8, the test one may peek at has .54 and takes 78 % of them; it needs
    1.7 times as many at most to have .8, and then takes as many as the fixed test on average. Where the effect is
    half as large again, it needs half of them. Without an effect it goes on to the end."""
    n = 2 * power.sample_size(0.10, 0.12)
    test = partial(watch, n_best=n, least=1)

    def run(p, most):
        found = rehearse(test, 0.1, p, most // 20 * 20, every=10, n_tests=n_tests, seed=2)
        return found.stopped.value, found.people / n

    wide = 3 / np.sqrt(n_tests)
    assert run(0.12, n) == pytest.approx((0.54, 0.78), abs=wide / 2)
    share, taken = run(0.12, int(1.7 * n))
    assert share == pytest.approx(0.81, abs=wide / 2) and taken == pytest.approx(1.0, abs=wide / 2)
    assert run(0.13, n) == pytest.approx((0.92, 0.52), abs=wide / 2)
    assert run(0.10, n)[1] > 0.97


def test_streams_stop_where_one_looks_for_it():
    table = stops(FRAME, partial(watch, n_best=4000), shares=[0.5, 0.5]).set_index("experiment")
    assert table.index.tolist() == ["better", "same", "fades", "worse", "late"]
    assert table["looks"].tolist() == [4, 2, 5, 3, 4]
    assert table["time"].tolist() == [2, 2, 1, 3, 4]
    assert table["verdict"].tolist() == [1, 0, 1, -1, 0]
    assert table["fixed_verdict"].tolist() == [1, 0, 0, -1, 1]
    np.testing.assert_allclose(table["saved"], [0.5, 0, 0.8, 0, 0])
    assert table.loc["fades", "value"] == pytest.approx(0.2) and table.loc["fades", "fixed"] == 0
    assert table["ratio_p"].eq(1).all()


def test_agreement_counts_each_stream_once():
    table = stops(FRAME, partial(watch, n_best=4000))
    row = agreement(table).loc["all"]
    assert row[["streams", "stopped", "same", "fades", "turns", "missed"]].tolist() == [5, 3, 2, 1, 0, 1]
    assert row["saved"] == pytest.approx((4000 + 8000) / (2000 * (4 + 2 + 5 + 3 + 4)))
    assert agreement(table, "experiment")["streams"].eq(1).all()


def test_a_stream_alone_gives_the_row_it_has_among_others():
    together = stops(FRAME, partial(watch, n_best=4000, confirm=2)).set_index("experiment")
    for name, part in FRAME.groupby("experiment"):
        alone = stops(part, partial(watch, n_best=4000, confirm=2)).set_index("experiment")
        pd.testing.assert_frame_equal(alone, together.loc[[name]], check_dtype=False)


def test_looks_without_variances_are_passed_over():
    frame = FRAME.copy()
    frame["variance_control"] = frame["variance_control"].where(frame.index != 1)
    table = stops(frame, partial(watch, n_best=4000))
    assert table["looks"].tolist() == [3, 2, 5, 3, 4] and table["time"][0] == 3


def test_sentences_say_stop_go_on_or_end():
    n = [500, 2000, 5000]

    def said(clicks, **given):
        found = watch(rates([20, 80, 200], n, clicks, n), n_best=10_000)
        return in_words(found, number=PERCENT, names=("old", "new"), **given)

    assert said([25, 130, 300]) == "Stop for new: after 4,000 people new less old is +2.5% [+0.3%, +4.7%]."
    assert said([2, 20, 40]).startswith("Stop for old: after 4,000 people new less old is -3.0% [")
    assert said([25, 90, 210], planned=10_000).startswith("End, undecided: after 10,000 people")
    assert said([25, 90, 210]).startswith("Go on: after 10,000 people")
    assert said([25, 90, 210], worth=0.02).startswith("Stop, for the arms differ by less than 2.0%: after 10,000")
    lift = in_words(watch(rates([20, 80, 200], n, [25, 130, 300], n, relative=True), n_best=10_000))
    assert lift.startswith("Stop for B: after 4,000 people B over A is +62")
    both = rates(np.tile([20, 80, 200], (2, 1)), n, [[20, 80, 200], [25, 130, 300]], n)
    assert in_words(watch(both, n_best=10_000), 1).startswith("Stop for B")
    assert in_words(naive(both), planned=20_000).endswith("].")  # a test without τ promises nothing


ERRORS = {
    "experiment late, variant 1, metric 1: time 1 does not come after the row before; sort by time": lambda: stops(
        FRAME.iloc[::-1].iloc[[1, 3]].assign(time=[2, 1]), naive
    ),
    "columns mean_control: one row a look": lambda: stops(FRAME.drop(columns="mean_control"), naive),
    "n0 fall from 2,000 to 500 at look 2": lambda: stops(FRAME[:2].assign(count_control=[2000, 500]), naive),
    "a variance of -1 is below 0": lambda: stops(FRAME.assign(variance_control=-1.0), naive),
    "mean1 is not known at 2 of 2 looks": lambda: stops(FRAME[:2].assign(mean_treatment=np.nan), naive),
    "no row has the variances of both arms": lambda: stops(FRAME.assign(variance_control=np.nan), naive),
    "n=10, every=6, n_tests=1000 leave no look": lambda: rehearse(naive, 0.1, 0.1, 10, every=6),
    "p0=0.1, p1=2 are no rates": lambda: rehearse(naive, 0.1, 2, 1000),
}


@pytest.mark.parametrize("text", ERRORS)
def test_bad_input_is_named_in_a_sentence(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


@pytest.mark.realdata
def test_asos_stops_early_and_mostly_agrees_with_the_end():
    """Of 99 variants, by the yes-or-no metric, a fifth stop early; of these all but two are significant with the same
    sign at the end, and none turns. The other metrics have looks at which one arm's sums are late, which a
    confirmation by the next looks takes out."""
    try:
        frame = experiments.load_experiment("asos").frame
    except DataAbsent as absent:
        pytest.skip(str(absent))
    once, thrice = (agreement(stops(frame, partial(watch, n_best=1e6, confirm=k)), "metric") for k in (1, 3))
    assert once.loc[1, ["streams", "stopped", "same", "turns"]].tolist() == [99, 20, 18, 0]
    assert once.loc[1, "saved"] == pytest.approx(0.140, abs=1e-3)
    assert (thrice["turns"] == 0).all() and thrice["same"].sum() / thrice["stopped"].sum() > 0.85
