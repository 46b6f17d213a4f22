"""Turn bytes into text in whichever of three encodings they are, strictly, and notice letters that were garbled before.

UTF-8 with or without byte-order mark, UTF-16 with one (Excel's "Unicode text") and GB18030 (Excel in Chinese) are
known. An encoding counts only if every byte fits it. Nearly any bytes fit GB18030, so most wide characters must also
be in GB2312, the set of common Chinese: accented letters of Windows-1252, read as GB18030, are not.

Text that was read in a wrong encoding and saved so (’ became â€™, 真的很好 became 鐪熺殑寰堝ソ) is valid and wrong. It
is known by this: encoded back, it is UTF-8 once more, which honest text hardly ever is.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from smlab.checks import DataError

CHINESE_FROM = 0.6  # share of the wide characters that GB2312 has to know
HALF = re.compile("[\ud800-\udfff]")
LOST = re.compile("[\ufffd鈥]|锟斤拷")  # 鈥 is half of a curly quote read as GB18030, and no word of today
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def decode(data: bytes, file: str) -> tuple[str, str]:
    """Decode a whole file; give the text, with LF for each end of a line, and the name of its encoding.

    Raises
    ------
    DataError
        For an empty file, bytes that fit no known encoding, and NUL; with the row.

    >>> decode("心情\\r\\n很好".encode("gb18030"), "posts.csv")
    ('心情\\n很好', 'GB18030')
    """
    text, encoding = _utf16(data, file) if data.startswith(_UTF16) else _bytes(data, file)
    if not text.strip("\ufeff\r\n \t"):
        raise DataError(file, "is empty")
    if (at := text.find("\0")) >= 0:
        raise DataError(file, "holds a NUL; the file is damaged or not text", row=_row(text[:at]))
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _utf16(data: bytes, file: str) -> tuple[str, str]:
    try:
        return data.decode("utf-16"), "UTF-16"
    except UnicodeDecodeError as error:
        row = _row(data[: error.start].decode("utf-16", "ignore"))
        raise DataError(file, "begins as UTF-16 and does not go on so", row=row) from None


def _bytes(data: bytes, file: str) -> tuple[str, str]:
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        # utf-8-sig counts from after the byte-order mark
        at = error.start + 3 * data.startswith(b"\xef\xbb\xbf")
    wrong = DataError(
        file, "is neither UTF-8 nor GB18030; save the file as UTF-8",
        row=_row(data[:at].decode("latin-1")), value=data[at : at + 8],
    )  # fmt: skip
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        raise wrong from None
    wide = "".join(c for c in text if "\x7f" < c < "\U00010000")
    known = len(wide.encode("gb2312", "ignore")) / 2  # it has two bytes for each of them
    if HALF.search(text) or known < CHINESE_FROM * len(wide):
        raise wrong
    return text, "GB18030"


def _row(before: str) -> int:
    return len(re.findall("\r\n|\r|\n", before)) + 1


def is_garbled(text: str) -> bool:
    """Whether letters were lost, or UTF-8 was read as Windows-1252 or as GB18030.

    >>> is_garbled("Itâ€™s fine"), is_garbled("鐪熺殑寰堝ソ"), is_garbled("It’s très bien, 真的很好")
    (True, True, False)
    """
    if LOST.search(text):
        return True
    for run in re.findall("[^\0-\x7f]{2,}", text):
        # two characters of GB18030 make up UTF-8 by chance now and then, three hardly ever
        if _undone(run, _cp1252) or (len(run) > 2 and _undone(run, _gb18030) >= "\u2000"):
            return True
    return False


def _undone(run: str, encode: Callable[[str], bytes]) -> str:
    """Decode a run of letters once more, as UTF-8 of which the end may be cut off; empty if it is none."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(encode(run))
    except UnicodeError:
        return ""


def _gb18030(run: str) -> bytes:
    return run.encode("gb18030")


def _cp1252(run: str) -> bytes:
    # five bytes have no letter in Windows-1252; programs read them as control codes
    return b"".join(bytes([ord(c)]) if c in "\x81\x8d\x8f\x90\x9d" else c.encode("cp1252") for c in run)
