r"""TeX formulas to MathML: all formulas of a page in one pandoc process, each converted once.

Browsers draw MathML themselves, so a page with formulas needs no script and no network. Pandoc knows the
environments and commands of ordinary mathematics (`aligned`, `cases`, `\operatorname*`, `\bm`, `\mathbb{1}`);
what it does not know is refused with its own words, never shown half converted. Equation numbers are ours:
`\tag{3}` is cut off before the conversion and set at the right margin, where it can be linked to.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape

from smlab.checks import UsageError, shorten
from smlab.mathml import polish

_TAG = re.compile(r"\\tag\*?\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_LABEL = re.compile(r"\\label\s*\{([^{}]*)\}")
_NO_NUMBER = re.compile(r"\\(?:nonumber|notag)(?![a-zA-Z])")
_BLOCK = re.compile(r'<div id="m(\d+)">\s*(.*?)\s*</div>', re.DOTALL)
_WARNING = re.compile(r"^\[WARNING\] Could not convert TeX math .*?, rendering as TeX:\n", re.M | re.S)
_converted: dict[Formula, str] = {}


@dataclass(frozen=True)
class Formula:
    """One formula as its author wrote it, without the dollar signs."""

    tex: str
    display: bool = False

    @property
    def tags(self) -> list[str]:
        r"""Return the equation numbers set by `\tag`, without parentheses."""
        return [m.strip() for m in _TAG.findall(self.tex)]

    @property
    def labels(self) -> list[str]:
        r"""Return the names set by `\label`."""
        return [m.strip() for m in _LABEL.findall(self.tex)]


class FormulaError(UsageError):
    """A formula that pandoc cannot convert; the text names the place, the formula and the reason."""


def mathml(wanted: Mapping[Formula, str], *, strict: bool = True) -> dict[Formula, str]:
    r"""Convert formulas to `<math>` elements; `wanted` gives for each the place that an error names.

    Parameters
    ----------
    wanted : formula -> place, such as "cell 7"
    strict : refuse what cannot be converted; otherwise it is shown as TeX source

    Raises
    ------
    FormulaError : for the first formula that cannot be converted, saying how many more there are

    >>> mathml({Formula("x^2"): "cell 1"})[Formula("x^2")]
    '<math alttext="x^2"><msup><mi>x</mi><mn>2</mn></msup></math>'
    >>> mathml({Formula(r"\frac{1"): "cell 7"})
    Traceback (most recent call last):
    smlab.formulas.FormulaError: cell 7: formula \frac{1 cannot be converted: unexpected eof
    """
    new = [formula for formula in wanted if formula not in _converted]
    found, reasons = _pandoc(new)
    _converted.update(found)
    bad = [formula for formula in wanted if formula in reasons]
    if bad and strict:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        source = shorten(" ".join(bad[0].tex.split()), 160)
        raise FormulaError(f"{wanted[bad[0]]}: formula {source} cannot be converted: {reasons[bad[0]]}{more}")
    return {formula: _converted.get(formula) or _as_source(formula) for formula in wanted}


def _as_source(formula: Formula) -> str:
    return f'<code class="tex">{escape(formula.tex)}</code>'


def _pandoc(formulas: list[Formula]) -> tuple[dict[Formula, str], dict[Formula, str]]:
    """Return what was converted and, for the rest, pandoc's reasons."""
    if not formulas:
        return {}, {}
    document = {"pandoc-api-version": [1, 23, 1], "meta": {}, "blocks": _blocks(formulas)}
    done = subprocess.run(
        [_pandoc_path(), "--from=json", "--to=html5", "--mathml", "--wrap=none"],
        input=json.dumps(document),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise FormulaError(f"pandoc failed on the formulas: {shorten(done.stderr.strip(), 300)}")
    found: dict[Formula, str] = {}
    for number, html in _BLOCK.findall(done.stdout):
        formula = formulas[int(number)]
        if html.startswith("<math"):
            found[formula] = polish(html, display=formula.display, source=" ".join(formula.tex.split()))
    failed = [formula for formula in formulas if formula not in found]
    return found, dict(zip(failed, _reasons(done.stderr, len(failed)), strict=True))


def _blocks(formulas: list[Formula]) -> list[dict]:
    """Return pandoc's syntax tree with one numbered division for each formula."""
    blocks = []
    for number, formula in enumerate(formulas):
        kind = {"t": "DisplayMath" if formula.display else "InlineMath"}
        math = {"t": "Plain", "c": [{"t": "Math", "c": [kind, _without_numbers(formula)]}]}
        blocks.append({"t": "Div", "c": [[f"m{number}", [], []], [math]]})
    return blocks


def _without_numbers(formula: Formula) -> str:
    r"""Return the TeX without `\tag` and `\label`; rows with numbers of their own get a column of them."""
    tex = _NO_NUMBER.sub("", _LABEL.sub("", formula.tex)).replace("{dcases", "{cases")
    if len(formula.tags) > 1:
        return _TAG.sub(lambda m: rf"&&\qquad\text{{({m[1].strip()})}}", tex)
    return _TAG.sub("", tex).strip()


def _reasons(warnings: str, number: int) -> list[str]:
    """Return pandoc's reason for each formula it refused, in order."""
    reasons = []
    for message in _WARNING.split(warnings)[1:]:
        lines = [line.strip() for line in message.split("\n") if line.strip()]
        told = [line for line in lines if line.startswith("unexpected")]
        reasons.append((told or lines or ["no reason given"])[0])
    return reasons if len(reasons) == number else ["pandoc does not know this TeX"] * number


@cache
def _pandoc_path() -> str:
    import pypandoc

    return pypandoc.get_pandoc_path()
