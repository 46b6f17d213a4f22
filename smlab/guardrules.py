"""Rules of form for a text that goes out: length, blanks left to fill, signs, markup, shouting, disclosure.

Each rule is a function from a text, in one spelling or as written, to `Hit`s: what is wrong, in words, and where. Texts
are data to every rule: what they ask for is never done.

Platforms (`PLATFORMS`), as help pages and code had it in November 2026; limits change, so look before you rely on one:

- X: 280 (twitter-text, config v3); Latin, Greek, Cyrillic, Arabic … weigh 1, Han and emoji 2, a link 23
- Weibo: 2,000, of which 140 are in view; a half-width sign counts ½, a link 10
- Mastodon: 500 graphemes, a link 23 (its StatusLengthValidator; servers may differ); Bluesky: 300 graphemes
- Instagram: 2,200, 30 hashtags, 20 mentions (Graph API; the app began to take no more than 5 hashtags)
- Threads 500, LinkedIn 3,000, Facebook 63,206, TikTok 2,200, YouTube titles 100, Xiaohongshu 1,000, 20 in a title
- an e-mail subject has no limit, but clients show about 60
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from smlab.guardlinks import LINK
from smlab.guardwords import Hit
from smlab.spelling import EMOJI


class Platform(NamedTuple):
    """What a text may hold there; `counted` says how."""

    limit: int
    counted: str = "graphemes"
    hashtags: int = 1000
    mentions: int = 1000
    link: int = 0  # signs that a link counts, whatever it has; 0: as many as it has


PLATFORMS = {
    "x": Platform(280, "x", link=23),
    "weibo": Platform(2000, "half", link=10),
    "weibo-short": Platform(140, "half", link=10),
    "mastodon": Platform(500, link=23),
    "bluesky": Platform(300),
    "threads": Platform(500),
    "instagram": Platform(2200, "points", hashtags=30, mentions=20),
    "facebook": Platform(63206, "points"),
    "linkedin": Platform(3000, "utf-16"),
    "tiktok": Platform(2200, "utf-16"),
    "youtube-title": Platform(100, "points"),
    "xiaohongshu-title": Platform(20, "half"),
    "xiaohongshu": Platform(1000),
    "email-subject": Platform(60),
}


def length(text: str, platform: str) -> int:
    """Count the signs of `text` as the platform does.

    >>> length("Hi 你好 👩‍🚀 https://example.com/a/long/way", "x"), length("Hi 你好", "weibo")
    (34, 4)
    """
    how = PLATFORMS[platform]
    text = unicodedata.normalize("NFC", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if how.link:
        text, n = LINK.subn("", text)
        return n * how.link + COUNTS[how.counted](text)
    return COUNTS[how.counted](text)


def _graphemes(text: str) -> int:
    """Count what a reader sees as one sign (Unicode Standard Annex 29, but for rare ones such as Indic conjuncts)."""
    if text.isascii():
        return len(text) - text.count("\r\n")
    return len(text) - text.count("\r\n") - sum(len(m[0]) - 1 for m in CLUSTER.finditer(text)) - sum(map(_joins, text))


def _joins(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Me", "Mc") and sign not in "\ufe0f\u20e3"


def _weighted(text: str) -> int:
    text, n = CLUSTER.subn("", text)
    heavy = sum(not (o < 4352 or 8192 <= o < 8206 or 8208 <= o < 8224 or 8242 <= o < 8248) for o in map(ord, text))
    return 2 * n + len(text) + heavy


CLUSTER = re.compile(  # an emoji of several code points: keycap, flag, flag by tags, with skin and joined ones
    "[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{2}|\U0001f3f4[\U000e0020-\U000e007f]+"
    f"|[{EMOJI}]\ufe0f?[\U0001f3fb-\U0001f3ff]?(?:\u200d[{EMOJI}]\ufe0f?[\U0001f3fb-\U0001f3ff]?)*"
)
COUNTS = {
    "graphemes": _graphemes,
    "x": _weighted,
    "half": lambda text: ceil(sum(1 if ord(sign) > 255 else 0.5 for sign in text)),
    "points": len,
    "utf-16": lambda text: len(text) + sum(ord(sign) > 0xFFFF for sign in text),
}


def too_long(raw: str, platform: str) -> Iterator[Hit]:
    """Hold a text against the platform's limits."""
    how, n = PLATFORMS[platform], length(raw, platform)
    if n > how.limit:
        yield Hit(f"{platform} takes {how.limit:,} signs as it counts them; these are {n:,}", raw[-40:])
    for sign, most, kind in (("#", how.hashtags, "hashtags"), ("@", how.mentions, "mentions")):
        if (found := len(re.findall(rf"(?<!\w){sign}\w", raw))) > most:
            yield Hit(f"{platform} takes {most} {kind}; these are {found}", f"{found} {kind}")


def fields(plain: str) -> Iterator[Hit]:
    """Refuse what a template left open: {name}, [INSERT LINK], 【产品名】, XX, lorem ipsum, `Hi ,`."""
    yield from (Hit("a blank of the template was not filled", match[0]) for match in FIELD.finditer(plain))


SLOTS = (
    "name|nom|product|brand|company|price|date|city|link|url|address|discount|percent|code|number|amount|location|customer|"
    "user|store|shop|event|title|email|phone|offer|headline|cta|hashtag|time|day|month|year"
)
FIELD = re.compile(
    rf"(?<![\w])\$?\{{\{{?[^{{}}\n]{{0,60}}\}}\}}?|\{{%|%\}}|<%|%>|%\([a-z_]{{1,30}}\)[sd]|(?<![\w%])%[sd]\b"
    rf"|(?i:%[a-z_]{{3,30}}%)"
    rf"|(?i:[\[<【]\s?your\b[^\]>】\n]{{0,60}}[\]>】])|(?i:[\[<【(]\s?(?:insert|replace)\b[^\]>】)\n]{{0,60}}[\]>】)])"
    rf"|(?i:[\[<【](?:[\w-]{{1,20}}[ _-]){{0,2}}(?:{SLOTS})(?:[ _-](?:here|\w{{1,12}}))?[\]>】])"
    r"|(?:[\[<【{(（《](?:请?(?:插入|填写|输入|此处|替换)[^\]>】})）》\n]{0,20}|(?:您的|你的|客户|用户|商品|产品"
    r"|品牌|公司|店铺?|活动)?(?:姓名|名字?|名称|昵称|价格|链接|日期|时间|城市|电话|地址|品牌|商品|产品|公司|金额"
    r"|折扣|优惠码))[\]>】})）》])"
    r"|(?<![A-Za-z0-9])(?:X{2,3}|x{3})(?=[\u4e00-\u9fff ]?(?:[\u4e00-\u9fff]|%|元|折))|×{2,}|[某]{2}|○{2,}|◯{2,}"
    r"|_{4,}|\b__\w{1,30}__\b|此处(?:填写|插入|输入)|(?i:\blorem ipsum\b|\b(?:TBD|TBC|TKTK)\b)|\b(?:TODO|FIXME"
    r"|PLACEHOLDER|NaN|XXXX+)\b|\bundefined\b(?= |[,.!%]|$)"
    r"|(?i:\b(?:hi|hello|hey|dear)) ?(?:,|!(?= ?\w)|\b(?:None|null|nan"
    r"|undefined)\b)(?<!hi,)(?<!Hi!)(?<!Hello!)(?<!Hey!)(?<!Hello,)(?<!Hi,)(?<!Hey,)|\b(?:None|null|nan)(?=%| off\b"
    r"| (?:euros|dollars|元))|<(?:user|url|email|phone|name)>"
)


def signs(raw: str) -> Iterator[Hit]:
    """Refuse signs that nobody sees or that turn the line around, and encodings gone wrong."""
    for match in UNSEEN.finditer(raw):
        yield Hit("control signs, direction marks and blanks of no width hide what a text says", _codes(match[0]))
    for match in BROKEN.finditer(raw):
        yield Hit("letters were broken on their way", match[0].encode("utf-8", "backslashreplace").decode())
    for match in PILED.finditer(unicodedata.normalize("NFD", raw) if not raw.isascii() else ""):
        yield Hit("marks are piled upon a letter", _codes(match[0][:3]))


def _codes(piece: str) -> str:
    return " ".join(f"U+{ord(sign):04X}" for sign in piece[:4])


UNSEEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e001f]+"
    f"|(?<![{EMOJI}\ufe0f\u0900-\u0dff\u0600-\u06ff\U0001f3fb-\U0001f3ff])[\u200c\u200d]+"
    f"|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]+"
)
BROKEN = re.compile(
    "[\ud800-\udfff\ufffd\ue000-\uf8ff]+|â€[\u0090-\u02ff\u2000-\u2122]?|Ã[\u0080-\u00bf]|锟斤拷|烫烫烫"
)
PILED = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20dc]{4,}")


def markup(plain: str) -> Iterator[Hit]:
    """Refuse markup, formulas of spreadsheets and words that are meant for a machine."""
    yield from (Hit(why, match[0]) for pattern, why in MACHINE for match in pattern.finditer(plain))


MACHINE = [
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        (r"</?[a-z!][a-z0-9-]{0,20}(?:[ /][^<>]{0,300})?>?(?<=[>\w])(?:(?<=>)|(?= ?(?:src|href|on\w+)\b))|<script"
         r"|<iframe|\bon(?:click|load|error|mouseover)\s{0,3}=|&lt;/?\w|\[/?(?:b|i|u|url|img)[\]=]"
         r"|!?\[[^\]\n]{0,100}\]\([^)\n]{0,200}\)|```|<!--|(?<!\*)\*\*\w[^*\n]{0,60}\*\*(?![\w*])|^#{1,4} \w",
         "markup would be shown or run"),
        (r"^\s*[=+@-](?:[A-Z]{2,20}\(|cmd\|)", "a spreadsheet would take this for a formula"),
        (r"\b(?:ignore|disregard|forget|override) (?:\w+ ){0,3}(?:previous|prior|above|earlier|your|these"
         r"|system) (?:\w+ )?(?:instructions?|prompts?|rules?|guidelines)|\bsystem prompt\b|\bas an? (?:ai"
         r"|large language)(?: language)? (?:model|assistant)?|\byou are (?:now )?(?:an? (?:ai|assistant"
         r"|language model)|chatgpt|dan\b)|^(?:sure|certainly|of course)[,!:]? here(?:'s| is| are)"
         r"|<\|[a-z_]{2,20}\|>|\[/?inst\]|^here (?:are|is) (?:\w+ ){0,4}(?:variants?|versions?|tweets?|captions?"
         r"|headlines?|drafts?|copy)[^.:]{0,40}:|^(?:system|assistant|user) ?:|\bi(?:'m"
         r"| am) (?:sorry, (?:but )?)?(?:i )?(?:cannot|can't|unable to) (?:fulfil|assist|help|write|generate)"
         r"|\bapprove this (?:text|post|message|variant)\b|(?:忽略|无视)(?:以上|之前|上述|前面"
         r"|所有)[^，。]{0,8}(?:指令|提示|规则|要求)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|系统提示词"
         r"|以下是(?:为您|为你|根据)[^，。]{0,12}(?:生成|撰写|文案)", "this speaks to a machine, or is its answer"),
    )
]  # fmt: skip


def shouting(plain: str) -> Iterator[Hit]:
    """Refuse capitals all along, and rows of !!! or ??? or €€€."""
    if match := LOUD.search(plain):
        yield Hit("this shouts", match[0])
    bare = re.sub(r"[#@]\w+", " ", LINK.sub(" ", plain))
    words = re.findall(r"(?<![^\W_])[^\W\d_]{2,}(?![^\W_])", bare)
    capitals = [w for w in words if w.isupper() and w.lower() != w]
    n = sum(map(len, capitals))
    if n >= 12 and len(capitals) >= 3 and n > 0.5 * len(re.findall(r"[^\W\d_]", bare)) and _no_acronyms(capitals):
        yield Hit("capitals all along shout", " ".join(capitals)[:40])
    elif (run := CAPITALS.search(bare)) and _no_acronyms(run[0].split()):
        yield Hit("a row of words in capitals shouts", run[0])


def _no_acronyms(words: list[str]) -> bool:
    """Tell MAKE AMERICA GREAT from SEO, PPC, CRM, ROI: one word in three has five letters or more."""
    return 3 * sum(len(word) > 4 for word in words) >= len(words)


LOUD = re.compile(r"([!?])\1{2,}|[!?]{4,}|[$€£¥]{3,}|(?:![^!]{0,40}){6,}|([^\W\d_w])\2{5,}", re.IGNORECASE)
CAPITALS = re.compile(r"(?<![A-Za-z])(?:[A-Z]{2,20}[ ,'-]{1,2}){3,30}[A-Z]{2,20}(?![A-Za-z])")


def empty(plain: str) -> Iterator[Hit]:
    """Refuse a text of no words."""
    if not re.search(r"[^\W_]", plain):
        yield Hit("this says nothing", plain[:20])
    elif not re.search(r"[^\W_]", re.sub(r"[#@]\w+#?", " ", LINK.sub(" ", plain))):
        yield Hit("tags, names and links alone say nothing", plain[:40])


def undisclosed(plain: str) -> Iterator[Hit]:
    """Refuse an advertisement that does not say it is one (FTC 16 CFR 255; 互联网广告管理办法 2023, art. 9)."""
    if not AD.search(NO_AD.sub(" ", plain)):
        yield Hit("an advertisement must say so: #ad, Sponsored, 广告", plain[:40])


NO_AD = re.compile(
    r"\b(?:not|no|isn't|never|without|non)[ -](?:an? )?(?:\w+ )?#?(?:ad|ads|advert\w*|sponsored|paid)\b|(?:不是|非"
    r"|并非|绝非|没有|无|拒绝|不打|零|过滤|屏蔽)\w{0,2}广告|广告(?:公司|牌|位|语|词|法|设计|行业|部)|#\w*(?:no"
    r"|not)ad\b",
    re.IGNORECASE,
)
AD = re.compile(
    r"#(?:ad|advert|advertisement|advertising|sponsored|sponsoredpost|paidad|paidpartnership|anzeige|werbung)\b"
    r"|\b(?:advertisement|advertorial|sponsored|paid partnership|paid promotion)\b"
    r"|(?:^|[\[(（【|·])\s?(?:ad|anzeige|werbung)\s?(?:$|[\])）】:|·])|广告|赞助(?:内容|发布|$)|(?:付费|商业)推广",
    re.IGNORECASE,
)
