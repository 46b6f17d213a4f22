"""Take e-mail addresses, phone numbers, cards, accounts, ID numbers and IP addresses out of free text.

    ann@example.com, +86 138 1234 5678, DE89 3704 0044 0532 0130 00   becomes   <email>, <phone>, <iban>

Each kind is a pattern, and where the number carries a check, the check: Luhn for cards (ISO/IEC 7812-1), mod 97 for
IBAN (ISO 13616), mod 11-2 for Chinese resident IDs (GB 11643-1999, ISO 7064). Matching sees one spelling of every
digit, so full-width １３８ and Arabic ١٣٨ are found, and signs of no width between digits are no way around; all that
is not taken out stays as it was written.

A pattern starts at the beginning of a run of digits or letters and looks a bounded way ahead, so the time is linear
in the text. A second time changes nothing: the search is repeated until nothing is found.

This finds forms, not people. `limits()` is the table of what stays: names, addresses, numbers spelt in words. A
redacted text is still personal data wherever it says enough for somebody to be recognised.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

import pandas as pd

from smlab.checks import UsageError

DIGITS = {ord(c): str(unicodedata.digit(c)) for c in map(chr, range(0x80, 0x1FC00)) if c.isdecimal()}
WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | dict.fromkeys((0xA0, 0x202F, 0x3000), " ")
DASHES = dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE63), "-")
PLAIN = WIDE | DASHES | DIGITS | dict.fromkeys(map(ord, "﹒。｡"), ".")  # one sign for one: places stay the same
SPANS = ((0xAD, 1), (0x61C, 1), (0x200B, 5), (0x202A, 5), (0x2060, 16), (0xFE00, 16), (0xFEFF, 1))
HIDDEN = [first + i for first, n in SPANS for i in range(n)]  # soft hyphens, blanks of no width, direction marks
UNSEEN = frozenset(map(chr, HIDDEN))


class Found(NamedTuple):
    """One thing that was found: its kind and its place in the text."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Redacted:
    """Texts without what was found, and how much that was.

    Parameters
    ----------
    texts : the texts, in their order and index; missing ones stay missing
    counts : kind, found, texts (in how many); one row for each kind, zeros too
    """

    texts: pd.Series
    counts: pd.DataFrame

    def __str__(self) -> str:
        pairs = zip(self.counts["kind"], self.counts["found"], strict=True)
        seen = [f"{found:,} {kind}" for kind, found in pairs if found]
        return f"Taken out of {len(self.texts):,} texts: {', '.join(seen) or 'nothing was found'}."


def redact(text: str) -> str:
    """Put a placeholder for each thing that `find` finds.

    >>> redact("Write to ann@example.com or call 138 1234 5678，卡号4111 1111 1111 1111")
    'Write to <email> or call <phone>，卡号<card>'
    """
    return _redact(text)[0]


def redact_all(texts: Iterable[str | None] | pd.Series) -> Redacted:
    """Redact many texts and count what was found; the report shows numbers, never an example.

    >>> done = redact_all(["ring 010-6552-9988", "ping 192.168.0.1 and 10.0.0.1", None])
    >>> print(done)
    Taken out of 3 texts: 2 ip, 1 phone.
    """
    given = texts if isinstance(texts, pd.Series) else pd.Series(list(texts), dtype=object)
    found: Counter[str] = Counter()
    within: Counter[str] = Counter()
    clean: list[str | None] = []
    for text in given:
        if isinstance(text, str):
            text, kinds = _redact(text)
            found.update(kinds)
            within.update(set(kinds))
        elif not pd.api.types.is_scalar(text) or not pd.isna(text):
            raise UsageError(f"redaction needs texts; one of them is a {type(text).__name__}")
        clean.append(text)
    counts = pd.DataFrame([(kind, found[kind], within[kind]) for kind in KINDS], columns=["kind", "found", "texts"])
    return Redacted(pd.Series(clean, index=given.index, name=given.name, dtype=given.dtype), counts)


def find(text: str) -> list[Found]:
    """Find what would be taken out, in the order of the text; nothing overlaps.

    Where two kinds could claim a number, the stricter one has it, in the order of `RULES`.

    >>> find("tel 13812345678")
    [Found(kind='phone', start=4, end=15)]
    """
    plain, at = _plain(text)
    found: list[tuple[int, int, str]] = []
    before = -1 if WORTH.search(plain) else 0  # most posts hold neither digits nor @
    while len(found) != before:  # what is taken out may free its neighbour
        before = len(found)
        for kind, pattern, size in RULES:
            if spans := list(_spans(plain, pattern, size)):
                plain = _blank(plain, spans)
                found += [(start, end, kind) for start, end in spans]
    return [Found(kind, at[start], at[end - 1] + 1) for start, end, kind in sorted(found)]


def limits() -> pd.DataFrame:
    """Say what is not found, with an example of each and what to do: shown in every report, tested to be true."""
    return pd.DataFrame(LIMITS, columns=["what stays", "example", "what helps"])


def _redact(text: str) -> tuple[str, list[str]]:
    parts, last = [], 0
    found = find(text)
    for kind, start, end in found:
        parts += [text[last:start], f"<{kind}>"]
        last = end
    return "".join([*parts, text[last:]]), [one.kind for one in found]


def _plain(text: str) -> tuple[str, range | list[int]]:
    """Give the text in one spelling, and for each of its signs the place in `text`."""
    if text.isascii():
        return text, range(len(text))
    plain = text.translate(PLAIN)
    if UNSEEN.isdisjoint(plain):
        return plain, range(len(text))
    at = [place for place, sign in enumerate(plain) if sign not in UNSEEN]
    return plain.translate(dict.fromkeys(HIDDEN)), at


def _spans(plain: str, pattern: re.Pattern[str], size: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    """Give start and end of each match; group 1 is the candidate, of which `size` says how much counts."""
    last = 0
    for match in pattern.finditer(plain):
        start = match.start(1)
        if start >= last and (n := size(match[1])):
            last = start + n
            yield start, last


def _blank(plain: str, spans: list[tuple[int, int]]) -> str:
    """Put NULs, which to every pattern are as good as the placeholder: no letter, no digit, no sign within a number."""
    parts, last = [], 0
    for start, end in spans:
        parts += [plain[last:start], "\0" * (end - start)]
        last = end
    return "".join([*parts, plain[last:]])


def luhn(number: str) -> bool:
    """Say whether the last digit is the check digit of the others (ISO/IEC 7812-1).

    From the right every second digit is doubled, 9 taken away where that is above 9; the sum ends in 0.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    signs = number.encode()[::-1]
    doubled = signs[1::2].translate(DOUBLE)
    return (sum(signs[::2]) + sum(doubled) - 48 * len(signs)) % 10 == 0


def resident_id(number: str) -> bool:
    """Say whether 18 signs are a Chinese resident ID: a day that was, and Σ 2^(17-i) a_i ≡ 1 (mod 11), X for 10.

    GB 11643-1999 after ISO 7064, MOD 11-2.

    >>> resident_id("11010519491231002X"), resident_id("110105194912310021")
    (True, False)
    """
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    digits = [10 if sign in "xX" else int(sign) for sign in number]
    return sum(digit << (17 - i) for i, digit in enumerate(digits)) % 11 == 1


def iban(number: str) -> bool:
    """Say whether an account number has its country's length and leaves 1 when divided by 97 (ISO 13616).

    The first four signs go to the end, and letters become numbers, A = 10 to Z = 35. Lengths: SWIFT's registry.

    >>> iban("GB82WEST12345698765432"), iban("GB82WEST12345698765433")
    (True, False)
    """
    number = number.upper()
    if len(number) != IBAN_LENGTH.get(number[:2]):
        return False
    return int((number[4:] + number[:4]).translate(LETTERS)) % 97 == 1


def _card(candidate: str) -> int:
    """Try the whole, then four groups of four: the month of an expiry date may follow them."""
    for end in dict.fromkeys((len(candidate), min(len(candidate), 19))):
        digits = candidate[:end].translate(NO_MARKS)
        if CARD_NUMBER.fullmatch(digits) and luhn(digits) and not candidate[end : end + 1].isdigit():
            return end
    return 0


def _resident(candidate: str) -> int:
    return len(candidate) if resident_id(candidate.translate(NO_MARKS)) else 0


def _iban(candidate: str) -> int:
    """Take as many signs as the country's accounts have; words may follow the number."""
    length = IBAN_LENGTH.get(candidate[:2].upper(), 0)
    if not iban(candidate.translate(NO_MARKS)[:length]):
        return 0
    places = [place for place, sign in enumerate(candidate, 1) if sign.isalnum()]
    end = places[length - 1]
    return 0 if candidate[end : end + 1].isalnum() else end


def _ip6(candidate: str) -> int:
    try:
        IPv6Address(candidate)
    except AddressValueError:
        return 0
    # At least two groups and a digit: a::b and std:: are names in programs.
    return len(candidate) if re.search("[0-9]", candidate) and re.search("[^:]:+[^:]", candidate) else 0


DOUBLE = bytes(48 + (2 * d if d < 5 else 2 * d - 9) if 0 <= (d := code - 48) < 10 else 48 for code in range(256))
LETTERS = {ord("A") + i: str(10 + i) for i in range(26)}
NO_MARKS = dict.fromkeys(map(ord, " .-"))
IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
IBAN_LENGTH = {each[:2]: int(each[2:]) for each in IBANS.split()}
CARD_NUMBER = re.compile(  # by issuer: Visa, Mastercard, Amex, Diners, JCB, UnionPay and Discover, Maestro, Mir, ICBC
    "4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|"
    "3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35[0-9]{14,17}|6[0-9]{15,18}|5[0678][0-9]{14,17}|220[0-4][0-9]{12,15}|"
    "9558[0-9]{15}"
)
LETTER, OCTET = "A-Za-z\u00c0-\u024f", "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
EMAIL = rf"(?<![{LETTER}0-9._%+-])([{LETTER}0-9._%+-]++@(?:[{LETTER}0-9-]++\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9])"
IBAN = "(?<![0-9A-Za-z])(?=([A-Za-z]{2}[0-9]{2}[0-9A-Za-z]*+(?:[ -][0-9A-Za-z]++){0,8}))"
RESIDENT = "(?<![0-9])(?=([1-9][0-9]{5}[ -]?(?:18|19|20)[0-9]{6}[ -]?[0-9]{3}[0-9Xx])(?![0-9]))"
CARD = r"""(?<![0-9])(?=[2-69])(?=(
      [0-9]{13,19} | [0-9]{4}([ .-])[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:[ .-][0-9]{1,3})?
    | [0-9]{4}([ .-])[0-9]{6}\3[0-9]{4,5} | [0-9]{6}[ -][0-9]{10,13} | [0-9]{8}[ -][0-9]{8}
    )(?![0-9]))"""
SSN = r"(?<![0-9])(?=((?!000|666|9)[0-9]{3}([ -])(?!00)[0-9]{2}\2(?!0000)[0-9]{4})(?![0-9]))"
IP6 = (
    rf"(?<![0-9A-Za-z.])(?=((?:[0-9A-Fa-f]{{0,4}}+:){{2,7}}+(?:{OCTET}(?:\.{OCTET}){{3}}|[0-9A-Fa-f]{{0,4}}))"
    r"(?![0-9A-Za-z:]))"
)
IP4 = rf"(?<![0-9A-Za-z])(?<![0-9]\.)(?=({OCTET}(?:\.{OCTET}){{3}})(?![0-9A-Za-z])(?!\.[0-9]))"
PHONE = r"""(?<![0-9])(?<!(?<![0-9])0\.)(?=((?:
      (?:(?:\((?:\+|00)?86\)|(?:\+|00)?86)[ -]{0,2})?1[3-9]   # Chinese mobile
          (?:[0-9][ -]?[0-9]{4}[ -]?[0-9]{4} | [0-9][ -][0-9]{3}[ -][0-9]{5} | [0-9]{2}[ -][0-9]{3}[ -][0-9]{4})
    | 1([ -])[3-9](?:\2[0-9]){9}   # the same, sign by sign
    | (?:(?:\((?:\+|00)86\)|(?:\+|00)86)[ -]{0,2}0?AREA|\((?:(?:\+|00)86[ -]?)?0?AREA\)|0AREA)
          [ -]{0,2}[2-8][0-9]{2,3}[ -]?[0-9]{4}
    | [48]00[ -](?:[0-9]{3}[ -]?[0-9]{4}|[0-9]{4}[ -][0-9]{3})   # Chinese hot lines
    | (?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\)[ ]?[2-9][0-9]{2}[ .-]?|[2-9][0-9]{2}([ .-])[2-9][0-9]{2}\3)[0-9]{4}  # US
    | (?:\+|(?<![A-Za-z])00)[1-9](?:[ ./()-]{0,2}[0-9]){8,14}   # international, E.164
    | (?:0[1-9][0-9]{1,3}[ -]|\(0[1-9][0-9]{1,3}\)[ -]?)[0-9]{3,4}[ -]?[0-9]{3,4}   # Europe
    | 0[1-9]([ .-])[0-9]{2}(?:\4[0-9]{2}){3} | 07[1-9][0-9]{8}
    )(?![0-9])(?:[ ,-]{0,2}(?:ext\.?|x|转|分机)[ :]?[0-9]{1,6}(?![0-9]))?))""".replace(
    "AREA", "(?:10|2[0-9]|[3-9][0-9]{2})"
)
CALL = r"""(?:(?<![A-Za-z])(?i:(?:tele)?phone|tel|mobile|cell|call|whatsapp|fax)|电话|手机|座机|热线|传真|致电|拨打)
    [^0-9+\n@<>\0]{0,16}?(?=((?!(?:19|20)[0-9]{2}[ ./-][01]?[0-9][ ./-])(?:\+|\((?=[0-9]{2,4}\)))?
    [0-9](?:[ .()-]{0,2}[0-9]){6,14})(?![0-9]))"""
RULES: list[tuple[str, re.Pattern[str], Callable[[str], int]]] = [
    ("email", re.compile(EMAIL), len),
    ("iban", re.compile(IBAN), _iban),
    ("id", re.compile(RESIDENT), _resident),
    ("card", re.compile(CARD, re.VERBOSE), _card),
    ("ssn", re.compile(SSN), len),
    ("ip", re.compile(IP6), _ip6),
    ("phone", re.compile(PHONE, re.VERBOSE), len),
    ("ip", re.compile(IP4), len),
    ("phone", re.compile(CALL, re.VERBOSE), len),
]
KINDS = tuple(dict.fromkeys(kind for kind, _, _ in RULES))
WORTH = re.compile("[0-9@]")
LIMITS = (
    ("names of people", "Ann Miller asked 王小明", "leave the text out, or read it"),
    ("postal addresses", "12 High Street, 海淀区中关村大街27号", "leave the text out, or read it"),
    ("names on platforms", "@ann_miller, QQ 123456789, 微信 ann88", "pseudonyms, where they are a column"),
    ("numbers in words", "一三八 零零一三 八零零零, one three eight", "read it"),
    ("e-mail spelt out or without Latin letters", "ann at example dot com, 用户@例子.公司", "read it"),
    ("local and ten-digit numbers without a mark or a word like 'call'", "65529988, 4155552671", "read it"),
    ("short service numbers", "95588", "nobody's own: no need"),
    ("numbers with a mistyped digit", "4111 1111 1111 1112", "read it"),
    ("accounts and IDs of other forms", "account 12345678, E12345678, 123456789", "a pattern of your own"),
    ("old resident IDs of 15 digits", "110105491231002", "void since 2013"),
    ("devices, number plates", "AA:BB:CC:DD:EE:FF, 京A12345", "a pattern of your own"),
    ("birthdays", "born 1987-03-14", "leave the text out, or read it"),
    ("links to a person", "https://example.com/ann-miller", "text.py puts <url> for links"),
    ("what is told", "the only dentist of our village", "nothing that runs by itself"),
)
