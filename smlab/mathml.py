"""Finish pandoc's MathML for browsers: spaces around operator names, accents, alignment, style of rows.

Pandoc says what a formula means; browsers draw what MathML Core can say. What is mended here was seen on
pictures from Chromium: `log x` without its space, hats and dots beside their letters, columns of `align` that
do not meet at the equals sign, sums in rows of `align` drawn small.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_APPLY = "\u2061"
_SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
# Over one letter, combining marks become the spacing forms; over several they stretch as they are.
_ACCENTS = {
    "\u0302": "ˆ",
    "\u0303": "˜",
    "\u203e": "¯",
    "\u0307": "˙",
    "\u0308": "¨",
    "\u030c": "ˇ",
    "\u0301": "´",
}
_ACCENTS |= {"\u0300": "`", "\u0306": "˘", "\u20d7": "→", "→": "→"}
_LINES = {("mover", "¯"): "over", ("munder", "_"): "under", ("munder", "\u0332"): "under"}
_NOT_SPACED = {"mo", "mspace"}


def polish(html: str, *, display: bool, source: str) -> str:
    """Return a `<math>` element as browsers need it, with its TeX source as alternative text.

    >>> polish("<math><mrow><mi>log</mi><mi>x</mi></mrow></math>", display=False, source=r"\\log x")
    '<math alttext="\\\\log x"><mrow><mi>log</mi><mspace width=".167em" /><mi>x</mi></mrow></math>'
    """
    root = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", html))
    _drop_annotation(root)
    root.attrib = {"display": "block"} if display else {}
    root.set("alttext", source)
    for element in list(root.iter()):
        _element(element)
    _rows_of_the_whole(root)
    return ElementTree.tostring(root, encoding="unicode")


def _drop_annotation(root: Element) -> None:
    """Take the formula out of `<semantics>`; its other half repeats the source."""
    semantics = root.find("semantics")
    if semantics is not None:
        root[:] = [child for child in semantics if child.tag != "annotation"]


def _element(element: Element) -> None:
    if element.attrib.get("mathvariant") != "normal" or element.tag != "mi" or len(element.text or "") > 1:
        element.attrib.pop("mathvariant", None)  # the letters themselves are bold or script already
    if element.tag in ("mover", "munder"):
        _accent(element)
    elif element.tag == "mtable":
        _table(element)
    elif element.tag == "mo" and element.text == "∥" and "form" in element.attrib:
        element.attrib.update(lspace="0", rspace="0")  # a norm, where the relation has no form
    _space_operators(element)


def _space_operators(row: Element) -> None:
    """Put TeX's thin space between an operator name and an ordinary neighbour."""
    spaced: list[Element] = []
    for child in row if row.tag in ("mrow", "math", "mtd", "mstyle") else ():
        if spaced and _wants_space(spaced[-1], child):
            spaced.append(Element("mspace", width=".167em"))
        spaced.append(child)
    if spaced:
        row[:] = spaced


def _wants_space(left: Element, right: Element) -> bool:
    closed = left.tag == "mo" and left.get("form") == "postfix"
    ordinary = (closed or left.tag not in _NOT_SPACED) and right.tag not in _NOT_SPACED
    return ordinary and (_is_operator_name(left) or _is_operator_name(right))


def _is_operator_name(element: Element) -> bool:
    if element.tag in _SCRIPTS or (element.tag == "mrow" and len(element) and element[-1].text == _APPLY):
        return len(element) > 0 and _is_operator_name(element[0])
    return element.tag == "mi" and len(element.text or "") > 1


def _accent(element: Element) -> None:
    base, mark = element[0], element[1]
    if mark.tag != "mo" or mark.get("accent") != "true":
        return
    mark.attrib.pop("accent")
    line = _LINES.get((element.tag, mark.text or ""))
    if line:
        element.remove(mark)
        element.tag = "mrow"
        element.attrib = {"class": line}
    elif mark.text in _ACCENTS:
        one_letter = base.tag in ("mi", "mn", "mtext")
        mark.set("stretchy", "false" if one_letter else "true")
        if one_letter:
            mark.text = _ACCENTS[mark.text]
        if mark.text != "→":
            element.set("accent", "true")


def _table(table: Element) -> None:
    """Turn pandoc's styles of cells into classes; rows that begin at the right are equations in full size."""
    for cell in table.iter("mtd"):
        side = re.search(r"text-align: (left|right)", cell.attrib.pop("style", ""))
        cell.attrib.pop("columnalign", None)
        if side:
            cell.set("class", side[1][0])
    first = table.find("mtr/mtd")
    if first is not None and first.get("class") == "r":
        table.attrib.update({"class": "al", "displaystyle": "true"})


def _rows_of_the_whole(root: Element) -> None:
    """Draw the rows of a formula that is nothing but rows, such as `gather`, in full size."""
    table = root.find("mtable")
    if table is not None and len(root) == 1:
        table.set("displaystyle", "true")
