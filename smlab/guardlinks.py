"""Where a text leads and whom it names: links, mentions and personal data, each of which has to be allowed.

A link is what a platform would make one: with a scheme, with www, or a bare host with a known ending. It passes if its
host is one of those passed in, or below one. Everything else is refused, with the trick named where there is one: a
name before an @, a number for a host, letters that look like others, a shortener, a host that looks like ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from smlab.guardwords import Hit, fold
from smlab.redaction import find

# A label of a host, a host, what may follow it; starts are anchored and repeats bounded, so the time is linear.

SIGN = "[!#-;=?-~\u00a1-\u058f\u1e00-\u1fff]"
LABEL = "[A-Za-z0-9\u00e0-\u058f-]{1,63}"
ENDINGS = (
    "com|net|org|edu|gov|info|biz|io|cn|co|uk|de|fr|es|it|nl|ru|jp|kr|in|au|ca|br|eu|us|tv|me|ly|gl|gd|gg|ai|app"
    "|dev|xyz|top|"
    "vip|club|shop|store|online|site|live|link|click|page|cc|ws|tk|ml|to|so|id|win|loan|pro|mobi|example|test"
)
WORDLIKE = (
    "|in|it|us|me|to|so|id|co|top|club|shop|store|online|site|live|link|click|page|win|loan|pro|test|es|de|ai|app|"
)
BARE = rf"(?<![\w@./-])(?:{LABEL}\.){{1,8}}(?:{ENDINGS})(?![\w-])(?!\.\w)(?::\d+)?(?:[/?#]{SIGN}*)?"
LINK = re.compile(
    rf"(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+-]{{1,15}}:[/\\]{{1,3}}|www\.){SIGN}*|(?<![:\w/])//{LABEL}\.{SIGN}+"
    rf"|{BARE}",
    re.IGNORECASE,
)
CODE = re.compile(
    r"\b(?:java|vb)\s{0,3}script\s{0,3}:|\bdata:[a-z]{1,20}/[\w.+-]{1,40}[;,]|\b(?:mailto|whatsapp|weixin|intent"
    r"|skype):[\w@+/]",
    re.IGNORECASE,
)
SPELT = re.compile(
    r"(?<![\w-])(?!the |a )[\w-]{2,63}(?: ?[\[({](?:\.|dot)[\])}] ?| dot |点)(?:com|net|org|cn|io|co)\b|\bhxxps?\b",
    re.IGNORECASE,
)
STOP = re.compile("(?<=[A-Za-z0-9])。(?=(?:com|cn|net|org|io|co)(?![A-Za-z]))")
SHORT = frozenset(
    [
        "bit.ly",
        "t.co",
        "goo.gl",
        "tinyurl.com",
        "t.cn",
        "dwz.cn",
        "is.gd",
        "ow.ly",
        "buff.ly",
        "cutt.ly",
        "rebrand.ly",
        "rb.gy",
        "url.cn",
        "suo.im",
        "s.id",
        "lnkd.in",
        "tiny.cc",
        "v.gd",
        "shorturl.at",
        "bl.ink",
        "adf.ly",
        "soo.gd",
        "t.ly",
        "u.nu",
        "dlvr.it",
        "fb.me",
        "amzn.to",
        "youtu.be",
        "wp.me",
        "bit.do",
    ]
)


def links(plain: str, hosts: Collection[str]) -> Iterator[Hit]:
    """Refuse each link that does not lead to one of `hosts` or below it.

    >>> [hit.what for hit in links("https://example.com.evil.net/ and shop.example.com/a", {"example.com"})]
    ['this link only looks like example.com']
    """
    plain = STOP.sub(".", plain)
    for match in LINK.finditer(plain):
        link = match[0].rstrip(".,;:!?)]}'*")
        if (why := _link(link, hosts)) and _meant(plain, match, link):
            yield Hit(why, link)
    yield from (Hit("a link that runs code, carries data or opens an app", m[0]) for m in CODE.finditer(plain))
    yield from (Hit("a link in disguise", m[0]) for m in SPELT.finditer(plain))


def _meant(plain: str, match: re.Match[str], link: str) -> bool:
    """Say whether it is a link and no missing blank, as in `the top.Shop now`, `e.g.in` or `Node.js`."""
    if "/" in link or link[:4].lower() == "www.":
        return True
    label, _, end = link.rpartition(".")
    if f"|{end.lower()}|" in WORDLIKE:
        return end.islower() and bool(re.search(r"[\d.-]", label) or not plain[match.end() :].strip())
    return not (end[:1].isupper() and label[-1:].islower()) and len(label) > 1


def _link(link: str, hosts: Collection[str]) -> str | None:
    """Say what is wrong with a link, if anything is."""
    scheme, slashes, rest = re.match(r"(?:([\w+-]+):)?([/\\]*)(.*)", link, re.DOTALL).groups()  # type: ignore[union-attr]
    if not slashes:
        scheme, rest = None, link
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    if scheme and scheme.lower() not in ("http", "https"):
        return f"links go by https, not by {scheme.lower()}"
    if "@" in authority or "\\" in link or "%" in authority:
        return "what stands before the @ or behind the sign \\ hides where this link leads"
    host = re.sub(r":\d*$", "", authority).strip(".").lower()
    if why := _host(host, hosts):
        return why
    if nested := re.search(r"(?:https?)?(?::|%3a)?(?:/|%2f){2}([\w.%-]+)", tail, re.IGNORECASE):
        return _host(nested[1].lower().strip("."), hosts) and "this link leads on to another host"
    return None


def _host(host: str, hosts: Collection[str]) -> str | None:
    bare = host.removeprefix("www.")
    if any(bare == good or bare.endswith("." + good) for good in hosts):
        return None
    if re.fullmatch(r"[\d.]+|0x[\da-f.x]+|\[.*|", bare):
        return "a host is a name, not a number"
    if "xn--" in bare or not bare.isascii():
        return "a host in letters that can look like others"
    if bare in SHORT:
        return "a shortened link hides where it leads"
    for good in hosts:
        if _alike(bare, good):
            return f"this link only looks like {good}"
    return "this host is none of those that are allowed" if hosts else "no host is allowed here"


def _alike(host: str, good: str) -> bool:
    """Say whether a host passes itself off as another: its name within, signs exchanged, or one sign more or less."""
    name, other = (fold(h).translate(CONFUSED).replace("rn", "m").replace("vv", "w") for h in (good, host))
    label, labels = name.split(".")[0], re.split(r"[.-]", other)
    return label in labels or name in other or (len(label) > 4 and any(_near(label, each) for each in labels))


CONFUSED = str.maketrans("0135l", "oiesi")


def _near(a: str, b: str) -> bool:
    """Say whether one sign was put in, left out, exchanged or swapped with its neighbour."""
    if abs(len(a) - len(b)) > 1 or a == b:
        return a == b
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def mentions(plain: str, allowed: Collection[str]) -> Iterator[Hit]:
    """Refuse each @name that is not allowed; @ before a price or an hour is none."""
    for match in MENTION.finditer(LINK.sub(" ", plain)):
        if (name := match[1].rstrip(".-")).casefold() not in allowed:
            yield Hit("this person or account may not be named", "@" + name)


MENTION = re.compile(r"(?<![\w.+/-])@(?!\d{1,2}(?:[ap]m|h|:|\b))([\w][\w.-]{0,39})")


def personal(plain: str, own: Collection[str]) -> Iterator[Hit]:
    """Refuse personal data, by the patterns of `redaction.find` and a few more, but for contacts of the house's own."""
    for kind, start, end in find(plain):
        if (piece := plain[start:end]).casefold() not in own and re.sub(r"\D", "", piece) not in own:
            yield Hit(f"this may be somebody's {NAMES.get(kind, kind)}", piece)
    bare = LINK.sub(" ", plain)
    for pattern, what in PRIVATE:
        yield from (Hit(f"this may be somebody's {what}", m[0].strip()) for m in pattern.finditer(bare))


NAMES = {"email": "e-mail address", "iban": "account", "id": "ID number", "ssn": "social security number",
         "ip": "IP address", "phone": "phone number", "card": "card number"}  # fmt: skip
DIGIT = "(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
PRIVATE = [
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (r"(?<![\w.+-])[\w.+-]{1,64} ?(?:[\[({]at[\])}]|\bat\b) ?[\w-]{1,63} ?(?:[\[({]dot[\])}]"
         r"|\bdot\b) ?[a-z]{2,6}\b", "e-mail address"),
        (r"(?<![\w.+-])[\w.+-]{1,64} ?[\[({]at[\])}] ?[\w-]{1,63}\.[a-z]{2,6}\b", "e-mail address"),
        (rf"\b{DIGIT}(?:[ ,-]{{1,2}}{DIGIT}){{6,20}}\b", "phone number"),
        (r"(?:[〇零一二三四五六七八九幺][ -]?){10,20}", "phone number"),
        (r"(?:微信|薇信|v信|扣扣|加v|(?<![a-z0-9])(?:wechat|weixin|[vw]x|qq|whatsapp|telegram|line id|skype))(?:号"
         r"|群|id)?(?: ?[:：] ?[a-z0-9_-]{4,20}| ?(?=[a-z_-]{0,19}\d)[a-z0-9_-]{5,20})", "name on another platform"),
        (r"(?:passport|护照|driver'?s? licen[cs]e|身份证|社保|账号|账户|银行卡|卡号|\b(?:bank )?account (?:no\.?"
         r"|number)|sort code)(?:号码?|编号| number| no\.?| #)?(?: is|为"
         r"|是)?[ :：#]{0,3}[a-z]{0,2}\d[\da-z -]{4,24}", "number of a document or account"),
        (r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][ "
         r"·]?[A-HJ-NP-Z0-9]{5,6}(?![A-Za-z0-9])", "number plate"),
        (r"(?:\bborn(?: on)?|\bdob|\bdate of birth|\bbirthday|出生(?:日期|于)?|生日)[ :：是为]{0,3}(?:(?:19"
         r"|20)\d\d[-/.年]\d{1,2}[-/.月]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d)", "birthday"),
        (r"(?:(?:家庭)?住址|(?<!如)家住)[ :：是为在]{0,3}[^\s,，。]{0,24}(?:路|街|号|小区|村|巷|室)|\b(?:lives at"
         r"|home address(?: is)?)[ :]{1,2}\d[^,.]{2,30}", "address"),
    )
]  # fmt: skip
