r"""Markdown to HTML, with formulas, a table of contents and images that travel inside the page.

Formulas are found as JupyterLab finds them (`$…$`, `$$…$$`, `\\(…\\)`, `\begin{align}…`), set aside before
the Markdown is read, converted all at once by `smlab.formulas`, and put back; in code they stay as they are.
Text of outputs is data: its HTML is shown, not obeyed, and `\(` there is an escaped parenthesis.
"""

from __future__ import annotations

import base64
import mimetypes
import re
import secrets
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mistune

from smlab import formulas, sanitize
from smlab.formulas import Formula

_PLUGINS = ["strikethrough", "table", "def_list", "task_lists"]
_INLINE = r"(?:\\.|\{(?:\\.|[^{}\\])*\}|[^$\\\n]|\n(?![ \t]*\n))"
_DISPLAY = r"(?:\\.|(?!\$\$)[^\\])"
_FENCE = r"^[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n(?s:.*?)(?:^[ ]{0,3}(?P=fence)|\Z)"
_CODE = r"(?P<ticks>`++)(?s:.+?)(?<!`)(?P=ticks)(?!`)"
_DOLLARS = rf"\$\$(?P<block>{_DISPLAY}+)\$\$|\$(?P<inline>{_INLINE}+)\$"  # ++ of a group fails before Python 3.11.5
_DOUBLE = r"\\\\\[(?P<block2>(?s:.+?))\\\\\]|\\\\\((?P<inline2>(?s:.+?))\\\\\)"
_SINGLE = r"\\\[(?P<block3>(?s:.+?))\\\]|\\\((?P<inline3>(?s:.+?))\\\)"
_NAMES = "(?:equation|align|gather|multline|alignat|eqnarray|split|cases)"
_ENVIRONMENT = rf"(?P<block4>\\begin\{{(?P<name>{_NAMES}\*?)\}}(?s:.*?)\\end\{{(?P=name)\}})"
_REFERENCE = r"\\(?:eq)?ref\{(?P<label>[^{}\n]+)\}"
_FLAGS = re.MULTILINE | re.DOTALL
_IN_CELLS = re.compile("|".join((_FENCE, _CODE, _DOUBLE, _SINGLE, _ENVIRONMENT, _REFERENCE, r"\\.", _DOLLARS)), _FLAGS)
_IN_OUTPUTS = re.compile("|".join((_FENCE, _CODE, r"\\.", _DOLLARS)), _FLAGS)
# `smlab.results.escape` keeps a dollar sign and a backslash in an element of their own.
_LONE = re.compile(r"<span>(&#(?:36|92);)</span>")
_ONLY_REFERENCE = re.compile(r"\s*\\(?:eq)?ref\{([^{}\n]+)\}\s*")
_MENTION = re.compile(r"\b((?:[Ee]q(?:uation)?s?|[Ff]ormulas?)\b\.?)((?:\s{0,3}(?:,|and|to|–)?\s{0,3}\(\w{1,6}\))+)")


@dataclass
class Heading:
    """A heading of the page: level 1 to 6, the HTML between its tags, and the anchor it can be reached by."""

    level: int
    html: str
    anchor: str


@dataclass
class Prose:
    """Write the Markdown of one page; `finish` puts the formulas in once all of it has been read.

    Parameters
    ----------
    folder : folder of the notebook; local images are taken from here and from nowhere above
    strict : refuse formulas that cannot be converted
    """

    folder: Path | None = None
    strict: bool = True
    headings: list[Heading] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _found: list[tuple[Formula, str]] = field(default_factory=list)
    _key: str = field(default_factory=lambda: f"smath{secrets.token_hex(6)}n")
    _anchors: set[str] = field(default_factory=set)
    _references: list[str] = field(default_factory=list)
    _mathml: dict[Formula, str] = field(default_factory=dict)
    _numbers: set[str] = field(default_factory=set)
    _labels: dict[str, str] = field(default_factory=dict)
    _placed: set[str] = field(default_factory=set)

    def cell(self, source: str, where: str, attachments: dict[str, Any] | None = None) -> str:
        """Return a Markdown cell as HTML; `where` is the place that errors name."""
        renderer = _Renderer(self, where, attachments or {}, escape=False)
        return sanitize.tables(sanitize.clean(self._read(source, _IN_CELLS, where, renderer), ids=True))

    def output(self, source: str, where: str) -> str:
        """Return Markdown that code has written as HTML; what looks like HTML in it is text."""
        renderer = _Renderer(self, where, {}, escape=True)
        source = _LONE.sub(r"\1", source)
        return sanitize.tables(sanitize.clean(self._read(source, _IN_OUTPUTS, where, renderer)))

    def formula(self, tex: str, where: str) -> str:
        """Return the place of a formula that was given as TeX, with its delimiters or without."""
        tex = tex.strip()
        for start, end in (("$$", "$$"), ("\\[", "\\]"), ("$", "$"), ("\\(", "\\)")):
            if len(tex) > len(start + end) and tex.startswith(start) and tex.endswith(end):
                return self._set_aside(tex[len(start) : -len(end)], True, where)
        return self._set_aside(tex, True, where)

    def _read(self, source: str, pattern: re.Pattern[str], where: str, renderer: _Renderer) -> str:
        def replace(match: re.Match[str]) -> str:
            for kind, text in match.groupdict().items():
                if text is not None and kind.startswith(("block", "inline")) and text.strip():
                    return self._set_aside(text, kind.startswith("block"), where)
            return self._refer(match["label"]) if match.groupdict().get("label") else match[0]

        text = pattern.sub(replace, source)
        return str(mistune.create_markdown(renderer=renderer, plugins=_plugins(renderer))(text))

    def _set_aside(self, tex: str, display: bool, where: str) -> str:
        if reference := _ONLY_REFERENCE.fullmatch(tex):
            return self._refer(reference[1])
        self._found.append((Formula(tex.strip(), display), where))
        return f"{self._key}{len(self._found) - 1}x"

    def _refer(self, label: str) -> str:
        self._references.append(label.strip())
        return f"{self._key}{len(self._references) - 1}r"

    def source(self, text: str) -> str:
        """Return text with the TeX source where formulas were set aside, for code and attributes."""
        return self._places().sub(lambda m: self._tex(m, "$"), text)

    def _tex(self, match: re.Match[str], mark: str) -> str:
        if match[2] == "r":
            return f"\\eqref{{{self._references[int(match[1])]}}}"
        formula = self._found[int(match[1])][0]
        marks = "" if formula.tex.startswith("\\begin") else mark * (1 + formula.display)
        return f"{marks}{formula.tex}{marks}"

    def _places(self) -> re.Pattern[str]:
        return re.compile(rf"{self._key}(\d+)([xr])")

    def anchor(self, text: str) -> str:
        """Return an anchor for a heading, unlike those given before."""
        # Spelt as JupyterLab does, so that a link written in the notebook works in both.
        words = unescape(sanitize.strip_tags(self.source(text))).split()
        stem = sanitize.settle("-".join(words)) or "section"
        anchor, number = stem, 1
        while anchor in self._anchors:
            number += 1
            anchor = f"{stem}-{number}"
        self._anchors.add(anchor)
        return anchor

    def convert(self) -> None:
        """Convert all formulas that were set aside.

        Raises
        ------
        FormulaError : with the place of the first formula that cannot be converted
        """
        wanted: dict[Formula, str] = {}
        for formula, where in self._found:
            wanted.setdefault(formula, where)
        self._mathml = formulas.mathml(wanted, strict=self.strict)
        self._numbers = {tag for formula, _ in self._found for tag in formula.tags}
        self._labels = {label: f.tags[0] for f, _ in self._found if f.tags for label in f.labels}

    def finish(self, html: str) -> str:
        """Put the converted formulas into a fragment: as MathML in text, as TeX source in attributes."""
        if not (self._found or self._references):
            return html
        parts = sanitize.TAG.split(html)
        depth = 0
        for at, part in enumerate(parts):
            if at % 2:
                depth += _opens(part)
                parts[at] = self._places().sub(lambda m: escape(self._tex(m, "$")), part)
            else:
                text = self._linked(part) if not depth else part
                parts[at] = self._places().sub(self._shown, text)
        return "".join(parts)

    def _linked(self, text: str) -> str:
        """Link mentions such as "equation (3)" to the equation, where there is one with that number."""

        def one(match: re.Match[str]) -> str:
            number = match[1]
            return f'<a href="#eq-{number}">({number})</a>' if number in self._numbers else match[0]

        return _MENTION.sub(lambda m: m[1] + re.sub(r"\((\w{1,6})\)", one, m[2]), text)

    def _shown(self, match: re.Match[str]) -> str:
        if match[2] == "r":
            label = self._references[int(match[1])]
            number = self._labels.get(label, label if label in self._numbers else "")
            name = escape(number)
            return f'<a href="#eq-{name}">({name})</a>' if number else f"({escape(label)})"
        formula = self._found[int(match[1])][0]
        html = self._mathml[formula]
        return html if not formula.display else self._equation(html, formula.tags)

    def _equation(self, html: str, tags: list[str]) -> str:
        new = [escape(tag) for tag in tags if tag not in self._placed]
        self._placed.update(tags)
        anchors = "".join(f'<span id="eq-{tag}"></span>' for tag in new)
        number = f'<a class="eq-no" href="#eq-{escape(tags[0])}">({escape(tags[0])})</a>' if len(tags) == 1 else ""
        return f'<span class="eq">{anchors}<span class="eq-body">{html}</span>{number}</span>'


def _plugins(renderer: _Renderer) -> list[str]:
    return _PLUGINS if renderer.escapes else [*_PLUGINS, "url"]


def _opens(tag: str) -> int:
    """Return +1 where a link or code begins, -1 where it ends: equation mentions are not linked inside."""
    name = re.match(r"<(/?)(a|code|pre)\b", tag)
    return 0 if name is None else (-1 if name[1] else 1)


class _Renderer(mistune.HTMLRenderer):
    """Mistune's HTML with anchors at headings, code left as it was, and images that are part of the page."""

    def __init__(self, page: Prose, where: str, attachments: dict[str, Any], *, escape: bool) -> None:
        super().__init__(escape=escape)
        self.page, self.where, self.attachments, self.escapes = page, where, attachments, escape

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        if self.escapes:
            return f"<h{max(level, 3)}>{text}</h{max(level, 3)}>\n"
        anchor = self.page.anchor(text)
        first = not any(heading.level == 1 for heading in self.page.headings)
        level = level if level > 1 or first else 2
        self.page.headings.append(Heading(level, text, anchor))
        return f'<h{level} id="{escape(anchor)}">{text}</h{level}>\n'

    def text(self, text: str) -> str:
        return escape(unescape(text), quote=False)  # entities are characters here, in outputs as in cells

    def codespan(self, text: str) -> str:
        return super().codespan(escape(unescape(self.page.source(text)), quote=False))

    def block_code(self, code: str, info: str | None = None) -> str:
        return super().block_code(self.page.source(code), info)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        found = self._image(unquote(url))
        if found is None:
            self.page.notes.append(f"{self.where}: image {url} is not part of this page")
            return f"<em>[{text or 'image'}: not shown, as it is not part of this page]</em>"
        return f'<img src="{found}" alt="{escape(unescape(sanitize.strip_tags(text)))}">'

    def _image(self, url: str) -> str | None:
        if url.startswith("data:image/"):
            return url
        if url.startswith("attachment:"):
            bundle = self.attachments.get(url.removeprefix("attachment:"), {})
            for kind, data in bundle.items():
                return f"data:{kind};base64,{''.join(data).strip()}"
        return None if self.escapes else local_image(self.page.folder, url)


def local_image(folder: Path | None, url: str) -> str | None:
    """Return an image file below `folder` as a data address, or None where there is no such file."""
    if folder is None or re.match(r"[a-z][a-z0-9+.-]*:|//", url, re.IGNORECASE):
        return None
    path, root = (folder / url).resolve(), folder.resolve()
    kind = mimetypes.guess_type(path.name)[0] or ""
    if not path.is_relative_to(root) or not path.is_file() or not kind.startswith("image/"):
        return None
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
