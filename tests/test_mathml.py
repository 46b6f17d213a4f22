"""What browsers need beyond pandoc's MathML; each was seen wrong on a picture first."""

from __future__ import annotations

import pytest

from smlab.formulas import Formula, mathml


def html(tex: str) -> str:
    shown = mathml({Formula(tex, True): "cell 1"})[Formula(tex, True)]
    return shown.split('">', 1)[1]


@pytest.mark.parametrize("tex", [r"\log x", r"y \log(x)", r"2 \ln t", r"\max_x f", r"f(x) \log y", r"\arg\max x"])
def test_operator_names_keep_a_thin_space_from_their_neighbours(tex: str) -> None:
    assert '<mspace width=".167em"' in html(tex)


@pytest.mark.parametrize("tex", [r"\log(x)", r"= \log", r"x + y", r"\mathrm{KL}(p)"])
def test_no_space_is_added_before_a_parenthesis_or_beside_a_relation(tex: str) -> None:
    assert "mspace" not in html(tex)


@pytest.mark.parametrize(("tex", "mark"), [(r"\hat x", "ˆ"), (r"\tilde x", "˜"), (r"\bar x", "¯"), (r"\dot x", "˙")])
def test_accents_over_a_letter_are_placed_as_accents_and_do_not_stretch(tex: str, mark: str) -> None:
    assert f'<mover accent="true"><mi>x</mi><mo stretchy="false">{mark}</mo></mover>' in html(tex)


def test_a_wide_hat_stretches_and_an_overline_is_a_line() -> None:
    assert 'stretchy="true"' in html(r"\widehat{xyz}")
    assert '<mrow class="over">' in html(r"\overline{xy}")


def test_rows_of_align_meet_at_the_equals_sign_and_draw_full_sums() -> None:
    shown = html(r"\begin{aligned} a &= b \\ c &= \sum_i d_i \end{aligned}")
    assert '<mtable class="al" displaystyle="true"><mtr><mtd class="r">' in shown and "style=" not in shown.replace(
        "displaystyle=", ""
    )


def test_rows_of_cases_are_at_the_left_and_small() -> None:
    shown = html(r"\begin{cases} a & b \\ c & d \end{cases}")
    assert '<mtable><mtr><mtd class="l">' in shown


def test_bars_of_a_norm_stand_close() -> None:
    assert html(r"\|x\|").count('lspace="0" rspace="0"') == 2
    assert "lspace" not in html(r"a \parallel b")
