r"""One spelling for what looks the same: Unicode's NFKC, and the damage that posts collect on their way.

Full-width and fancy letters become plain ones (NFKC, Unicode Standard Annex 15), quotes straight; HTML entities and
\uXXXX escapes are decoded, the halves of surrogate pairs put together or removed; what is not seen goes (controls,
direction marks, blanks of no width), and so do variation selectors, so that ❤ and ❤️ are one emoji. Emoji that NFKC
would spell out stay. Any text can come in; a second time changes nothing.
"""

from __future__ import annotations

import re
import unicodedata

# Emoji that NFKC would spell out: ™ as TM, 🈚 as 無.
SPELT = (
    "\u2122\u2139\u24c2\u3297\u3299\U0001f201\U0001f202\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f250\U0001f251"
)
EMOJI = (  # for a character class
    f"{SPELT}\u2190-\u21ff\u231a-\u2328\u232b-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d"
    "\U0001f000-\U0001f0ff\U0001f170-\U0001f18f\U0001f191-\U0001f1ff\U0001f300-\U0001faff"
)
UNSEEN = re.compile(
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0100-\U000e01ef]+"
)
SPELT_OUT, HALVES = re.compile(f"([{SPELT}])"), re.compile("[\ud800-\udfff]")
JOINER = re.compile(f"(?<![{EMOJI}])\u200d")  # between emoji it makes one of two, as in 👩‍🚀
ACCENTS = str.maketrans("´¯￣", "'--")  # NFKC would make two signs of each, a blank and one that combines
QUOTES = str.maketrans("‘’‛ʼʹ′“”„‟″", "''''''" + '"""""')
ESCAPED = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});|\\u[0-9a-fA-F]{4}")
NAMED = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&nbsp;": " "}


def normalise(text: str) -> str:
    r"""Give `text` in its one spelling, every white space as one blank, none at the ends.

    >>> normalise("Ｇｏｏｄ\u00a0 don’t &amp;  I\\u2019m\n\u202ehere\ud83d")
    "Good don't & I'm here"
    """
    return " ".join(clean(text).split())


def clean(text: str) -> str:
    """Do what `normalise` does, white space aside."""
    if text.isascii() and text.isprintable() and "&" not in text and "\\" not in text:
        return text  # most English posts
    for _ in range(3):  # "&amp;lt;" holds an escape within an escape; nobody writes them deeper by mistake
        text = _compose(text)
        plain = ESCAPED.sub(_decode, text)
        if plain == text:
            return text
        text = plain
    return ESCAPED.sub(" ", _compose(text))


def _compose(text: str) -> str:
    if text.isascii():
        return UNSEEN.sub("", text)
    if HALVES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    text = JOINER.sub("", UNSEEN.sub("", text)).translate(ACCENTS)
    if not unicodedata.is_normalized("NFKC", text):
        text = "".join(p if i % 2 else unicodedata.normalize("NFKC", p) for i, p in enumerate(SPELT_OUT.split(text)))
    return text.translate(QUOTES)


def _decode(match: re.Match[str]) -> str:
    escape = match[0]
    if escape[0] == "\\":
        return chr(int(escape[2:], 16))
    if escape[1] != "#":
        return NAMED[escape]
    code = int(escape[3:-1], 16) if escape[2] in "xX" else int(escape[2:-1])
    return chr(code) if code <= 0x10FFFF else " "
