"""Planned looks: published boundaries and factors, the recursion against simulation, errors."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest

from smlab import plannedlooks, stopping
from smlab.checks import UsageError
from smlab.plannedlooks import boundaries, crossing, inflation, planned, spending
from smlab.power import sample_size
from smlab.sequential import rates

FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]


def test_boundaries_are_those_of_obrien_and_fleming_and_of_pocock():
    """Jennison & Turnbull (2000), tables 2.1 and 2.3, α = .05: Pocock 2.178, 2.289, 2.361, 2.413, and 2.555 for 10
    looks; O'Brien-Fleming's last boundary 1.977, 2.004, 2.024, 2.040, and 2.087."""
    pocock, last = (
        {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555},
        {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087},
    )
    for k in pocock:
        np.testing.assert_allclose(boundaries(k, gamma=0.5), pocock[k], atol=6e-4)
        assert boundaries(k)[-1] == pytest.approx(last[k], abs=6e-4)
    np.testing.assert_allclose(boundaries(5), [4.56, 3.23, 2.63, 2.28, 2.04], atol=6e-3)
    assert boundaries(1) == pytest.approx(1.959964, abs=1e-6)


def test_spending_gives_the_boundaries_of_lan_and_demets():
    """Five looks, α = .05 two-sided, half on each side, as the programs after Lan & DeMets print them."""
    np.testing.assert_allclose(spending(FIFTHS), [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], atol=2e-4)
    np.testing.assert_allclose(spending(FIFTHS, like="pocock"), [2.4380, 2.4268, 2.4101, 2.3966, 2.3859], atol=2e-4)


def test_five_looks_at_one_point_ninety_six_err_in_fourteen_of_a_hundred():
    """Armitage, McPherson & Rowe (1969), table 2: .05, .083, .107, .126, .142, and .193 for 10, .248 for 20 looks."""
    for k, error in {1: 0.05, 2: 0.083, 3: 0.107, 4: 0.126, 5: 0.142, 10: 0.193, 20: 0.248}.items():
        assert crossing([1.96] * k, np.arange(1, k + 1) / k).sum() == pytest.approx(error, abs=6e-4)


@pytest.mark.parametrize(("gamma", "factors"), [(0.0, (1.028, 1.026)), (0.5, (1.229, 1.207))])
def test_more_people_are_planned_by_the_published_factor(gamma, factors):
    """Jennison & Turnbull (2000), tables 2.2 and 2.4: five looks, α = .05, power .8 and .9."""
    for power, factor in zip((0.8, 0.9), factors, strict=True):
        assert inflation(boundaries(5, gamma=gamma), power=power) == pytest.approx(factor, abs=6e-4)


@pytest.mark.parametrize("shares", [FIFTHS, [0.1, 0.15, 0.7, 0.9], np.arange(1, 51) / 50])
@pytest.mark.parametrize("like", ["obrien-fleming", "pocock"])
def test_whatever_the_looks_the_error_is_what_was_spent(shares, like):
    spent = crossing(spending(shares, like=like), shares).sum()
    full = crossing(
        spending([*shares, 1.0][: len(shares) + (shares[-1] < 1)], like=like),
        [*shares, 1.0][: len(shares) + (shares[-1] < 1)],
    ).sum()
    assert full == pytest.approx(0.05, abs=1e-9) and spent <= 0.05 + 1e-9


def test_the_recursion_agrees_with_simulated_walks():
    t, drift, z = np.array([0.1, 0.3, 0.6, 1.0]), 2.0, np.array([3.0, 2.5, 2.2, 2.0])
    steps = np.random.default_rng(0).normal(drift * np.diff(t, prepend=0), np.sqrt(np.diff(t, prepend=0)), (200_000, 4))
    score = steps.cumsum(axis=1) / np.sqrt(t)
    hit = np.abs(score) > z
    first = np.where(hit.any(axis=1), hit.argmax(axis=1), -1)
    above = [np.mean((first == k) & (score[:, k] > 0)) for k in range(4)]
    np.testing.assert_allclose(crossing(z, t, drift=drift)[:, 0], above, atol=4e-3)
    taken = np.where(first >= 0, t[first], 1.0).mean()
    assert plannedlooks.people(z, t, drift=drift) == pytest.approx(taken, abs=3e-3)


@pytest.mark.parametrize("n_tests", [2000, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_planned_looks_err_and_find_as_they_should_and_save_people(n_tests, gamma):
    """At the effect that was planned for, five looks take a fifth fewer people than the fixed test of that power."""
    z, n = boundaries(5, gamma=gamma), 2 * sample_size(0.10, 0.12)
    most = int(np.ceil(n * inflation(z) / 10)) * 10
    nothing, effect = (
        stopping.rehearse(partial(planned, z=z), 0.1, p, most, every=most // 10, n_tests=n_tests) for p in (0.1, 0.12)
    )
    assert nothing.stopped.low <= 0.0505 and nothing.covered.high >= 0.9495
    assert effect.stopped.value == pytest.approx(0.8, abs=0.025) and effect.people < 0.84 * n
    assert effect.people / most == pytest.approx(
        plannedlooks.people(z, FIFTHS, drift=2.8016 * np.sqrt(most / n)), abs=0.02
    )
    assert effect.covered.value >= 0.94


ERRORS = {
    "shares=[0.5, 0.4] must rise from above 0 to 1 at most": lambda: spending([0.5, 0.4]),
    "shares=[nan, 1.0] must rise": lambda: spending([np.nan, 1]),
    "like='pockock': did you mean 'pocock'?": lambda: spending([0.5, 1], like="pockock"),
    "level=0.05 must lie between 0.5 and 1": lambda: spending([0.5, 1], level=0.05),
    "n_looks=0 must be 1 or more": lambda: boundaries(0),
    "z has shape (2,), shares (1,)": lambda: crossing([2, 2], [1]),
    "2 looks, 3 boundaries: only planned looks are allowed": lambda: planned(
        rates([1, 2], [9, 20], [1, 2], [9, 20]), [3, 2, 2]
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_bad_input_is_named_in_a_sentence(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()
