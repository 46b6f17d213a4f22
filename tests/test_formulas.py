"""Formulas: what pandoc converts, what is refused and with which words, and that one process is enough."""

from __future__ import annotations

import re
import subprocess
from xml.etree import ElementTree

import pytest

from smlab import formulas
from smlab.formulas import Formula, FormulaError, mathml

ORDINARY = r"""\hat y = \sigma(w^\top x + b)
\sum_{i=1}^{n}\sum_{j=i+1}^{n} \langle v_i, v_j\rangle x_i x_j
\left[\left(\sum_{i=1}^{n} v_{if}x_i\right)^2 - \sum_{i=1}^{n} v_{if}^2 x_i^2\right]
\begin{aligned} a &= b + c \\ d &= e \end{aligned}
\begin{align} \mathcal{L} &= -\sum_{i} y_i \log p_i \\ &= -\log \prod_i p_i \end{align}
f(x) = \begin{cases} x & \text{if } x > 0, \\ 0 & \text{otherwise} \end{cases}
f(x) = \begin{dcases} \frac{x}{2} & x > 0 \\ 0 & x \le 0 \end{dcases}
\operatorname*{arg\,min}_{\theta} \mathcal{L}(\theta)
\arg\max_x f(x)
\mathbb{1}[x > 0], \mathbb{E}_{x \sim p}[f(x)], \mathbb{R}^{n \times m}
\bm{w}^\top \boldsymbol{\beta} \mathbf{X}
\lVert x \rVert_2 = \sqrt{\sum_i x_i^2}
\begin{pmatrix} a & b \\ c & d \end{pmatrix}
\underbrace{\sum_i w_i x_i}_{\text{linear terms}}
\text{CTR} = \frac{\text{clicks}}{\text{all impressions}}
\frac{\frac{a}{b}}{1 + \frac{c}{d}}
\sqrt[3]{1 + \sqrt{x}}
\frac{\partial \mathcal{L}}{\partial w_j} = \nabla_\theta
p(y \mid x) \propto p(x \mid y)\, p(y)
x \sim \mathcal{N}(\mu, \sigma^2)
\left\{ x \in \mathbb{R} : x > 0 \right\}
\int_{-\infty}^{\infty} e^{-x^2}\,dx
\lim_{n \to \infty} \left(1 + \frac{1}{n}\right)^n
D_{\mathrm{KL}}(p \,\|\, q)
\bar x, \tilde x, \hat x, \vec x, \dot x, \widehat{xy}, \overline{xy}
\binom{n}{k}
\sum_{\substack{i \in I \\ j \ne i}} s_{ij}
\overset{\text{def}}{=}
\bigl( a \bigr) \Bigl[ c \Bigr]
\left. \frac{dy}{dx} \right|_{x=0}
\begin{array}{lcr} a & b & c \end{array}
\begin{gathered} a = b \\ c = d \end{gathered}
\xrightarrow{n \to \infty}
\lfloor x \rfloor + \lceil y \rceil""".splitlines()


def converted(tex: str) -> str:
    return mathml({Formula(tex, True): "cell 1"})[Formula(tex, True)]


@pytest.mark.parametrize("tex", ORDINARY)
def test_ordinary_mathematics_becomes_well_formed_mathml(tex: str) -> None:
    root = ElementTree.fromstring(converted(tex))
    assert root.tag == "math" and root.get("alttext") == tex and root.get("display") == "block"
    names = {element.tag for element in root.iter()}
    assert not names & {"annotation", "semantics", "merror"}
    drawn = "".join(root.itertext())
    assert "\\" not in drawn and "&" not in drawn


def test_a_refused_formula_names_place_formula_and_pandocs_reason() -> None:
    wanted = {Formula("x"): "cell 1", Formula(r"\notacommand{x}"): "cell 7", Formula(r"\frac{1"): "cell 9"}
    with pytest.raises(FormulaError) as caught:
        mathml(wanted)
    assert str(caught.value) == (
        r"cell 7: formula \notacommand{x} cannot be converted: "
        r"unexpected control sequence \notacommand (and 1 more)"
    )
    assert caught.value.exit_code == 2


def test_reasons_stay_with_their_formulas_when_a_formula_looks_like_a_warning() -> None:
    imitation = "\\nope{a}\n[WARNING] Could not convert TeX math b, rendering as TeX:\nunexpected c"
    with pytest.raises(FormulaError, match="cell 2: formula"):
        mathml({Formula(imitation): "cell 2"})


def test_a_lenient_conversion_shows_the_source_escaped() -> None:
    shown = mathml({Formula(r"\nope{<b>}"): "cell 1"}, strict=False)
    assert shown[Formula(r"\nope{<b>}")] == r'<code class="tex">\nope{&lt;b&gt;}</code>'


def test_links_and_markup_cannot_enter_by_a_formula() -> None:
    with pytest.raises(FormulaError, match="href"):
        converted(r"\href{javascript:alert(1)}{x}")
    html = converted(r"\text{<script>alert(1)</script>}")
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "&quot;" in converted(r'\text{a"onload=b}')


def test_all_formulas_of_a_page_take_one_process_and_none_the_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    real = subprocess.run
    monkeypatch.setattr(formulas, "_converted", {})
    monkeypatch.setattr(formulas.subprocess, "run", lambda *a, **k: calls.append(a) or real(*a, **k))
    wanted = {Formula(f"x_{{{i}}}^2"): f"cell {i}" for i in range(50)}
    first = mathml(wanted)
    assert mathml(wanted) == first and len(first) == 50 and len(calls) == 1


def test_equation_numbers_and_labels_are_read_and_cut_off() -> None:
    formula = Formula(r"a = b \tag{3}\label{eq:a}", True)
    assert formula.tags == ["3"] and formula.labels == ["eq:a"]
    drawn = "".join(ElementTree.fromstring(mathml({formula: "cell 1"})[formula]).itertext())
    assert drawn == "a=b"


def test_rows_with_numbers_of_their_own_show_them() -> None:
    html = converted(r"\begin{align} a &= b \tag{4} \\ c &= d \tag{5} \end{align}")
    assert re.findall(r"\(\d\)", re.sub(r'alttext="[^"]*"', "", html)) == ["(4)", "(5)"]
