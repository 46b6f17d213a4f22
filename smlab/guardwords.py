"""Words that a brand does not print, however they are disguised.

Listed words are found as whole words, so that Scunthorpe, class, grape and 草莓 pass, in the spellings in which people
hide them: sсam with a Cyrillic с, sc4m, s.c.a.m, s c a m, scaaaam, 赌-博, 賭博. Each chunk of a text is brought to a
few plain spellings, and these are looked up: no pattern is tried, so the time is linear.

Left out: words cut by a blank (sc am), pinyin and homophones for Chinese words, and what a word means where it stands.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from smlab.hanzi import HAN, ONE_HAN, Segmenter
from smlab.hashtags import Splitter


class Hit(NamedTuple):
    """What was found: the word or claim as the list has it or the reason says it, and the piece of the text."""

    what: str
    where: str


LOOKS = {  # letters of other alphabets that look like Latin ones, in lower case
    **dict(zip("авесһіјкмнорԛѕтухԝӏԁɡзп", "abechijkmhopqstyxwldg3n", strict=True)),
    **dict(zip("αβεικνοπρτυχωηγ", "abeiknonptuxwny", strict=True)),
    **dict(zip("ɑıᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢøłđħ", "aiabcdefghijklmnoprstuvwyzoldh", strict=True)),
}
SIMPLE = dict(
    zip(
        "賭殺強賣槍藥詐騙證貸媽賤腦殘襲擊傳銷錢發處國級頂獨絕無風險療癒減體當見參獎穩賺內幹網購優質業熱費場開館幣黃買單號轉帳戶銀資訊關診師醫術專權誠實驗據庫絡純從們個這來時說為會沒過長東車書貴價電話機還錯對給讓應該樣裡後",
        "赌杀强卖枪药诈骗证贷妈贱脑残袭击传销钱发处国级顶独绝无风险疗愈减体当见参奖稳赚内干网购优质业热费场开馆币黄买单号转账户银资讯关诊师医术专权诚实验据库络纯从们个这来时说为会没过长东车书贵价电话机还错对给让应该样里后",
        strict=True,
    )
)
SAME = str.maketrans(LOOKS | SIMPLE)
LEET = str.maketrans("013457$@!|+89€", "oieastsailtbge")
LEET_L = str.maketrans("013457$@!|+89€", "oleastsallthge")
EDGES = "\"'()[]{}<>.,;:?…-_*~"
LETTERS, RUN, LONG = re.compile(r"[^\W_]+"), re.compile(r"(.)\1+"), re.compile(r"(.)\1{2,}")
BETWEEN_HAN = re.compile(rf"(?<=[{HAN}])[ \t·•.*_|/~+=^丶-]{{1,3}}(?=[{HAN}])")
LONGEST = 40  # letters of a chunk that may be a disguise

# In rot13, so that nobody has to read them by chance; ~ stands for -s, -ed, -er, -ing.
RUDE = codecs.decode(
    "shpx~ zbgureshpxre shpxobl fuvg fuvgf fuvggl ohyyfuvg ovgpu ovgpurf ovgpul nff nffrf nffubyr nefrubyr phag "
    "phagf qvpxurnq "
    "jnaxre gjng fyhg fyhggl juber qbhpuront obyybpxf chffl gvgf ergneq ergneqrq avttre avttn snttbg snt genaal "
    "tbbx xvxr jrgonpx enturnq gbjryurnq onfgneq oybjwbo fgsh jgs cvffrq spx spxvat shx shxvat",
    "rot13",
)
SENSITIVE = (
    "suicide suicidal self-harm murder~ massacre genocide holocaust terrorist terrorism rape raped rapist pedophile "
    "paedophile incest beheading nazi hitler lynching slavery porn porno pornography pornographic viagra cialis hentai "
    "orgasm dildo camgirl onlyfans cocaine heroin meth methamphetamine fentanyl lsd ketamine casino gambling "
    "sportsbook "
    "jihad isis vape scam~ scammed scamming ponzi kill_yourself sports_betting self_harm"
)
RUDE_ZH = (
    "傻逼 傻b 傻叉 煞笔 沙比 操你 艹你 草泥马 尼玛 他妈的 妈逼 卧槽 去死 "
    "滚蛋 王八蛋 婊子 贱人 贱货 脑残 智障 弱智 装逼 牛逼 狗屁 放屁 屌丝 混蛋"
)
SENSITIVE_ZH = (
    "自杀 自残 杀人 强奸 轮奸 色情 黄片 裸聊 约炮 援交 嫖娼 卖淫 一夜情 成人电影 赌博 博彩 赌场 六合彩 百家乐 "
    "老虎机 毒品 冰毒 大麻 海洛因 "
    "摇头丸 枪支 弹药 恐怖分子 恐怖袭击 邪教 传销 洗钱 代开发票 假证 高利贷 裸贷 套现 刷单 迷药 迷奸 代孕 大屠杀 "
    "纳粹 希特勒"
)
HARMLESS = re.compile("消毒品|大麻哈鱼|大麻哈|杀人游戏|狼人杀人|去死皮|去死角|反传销|反洗钱|弱智能")


def fold(text: str) -> str:
    """Bring letters that look like plain Latin ones, and traditional characters, to one small form.

    >>> fold("Sсám"), fold("賭博")
    ('scam', '赌博')
    """
    text = text.casefold()
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text.translate(SAME))
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u036f")).translate(SAME)


class Words:
    """Find listed words in a text, as whole words and in disguise.

    Parameters
    ----------
    words : words and phrases, English or Chinese; one that ends in * stands for all that begin so (gambl*, 赌*)
    within : Chinese words are found within longer ones too; else 草 is not found in 草莓

    >>> Words(["scam", "grass", "get rich"]).find("No S.C.A.M, no $camming: get  rich in Scunthorpe's sсams")
    [Hit(what='scam', where='S.C.A.M,'), Hit(what='scam', where='sсams'), Hit(what='get rich', where='get rich')]
    >>> Words(["草"]).find("草莓蛋糕"), Words(["草"]).find("这棵草")
    ([], [Hit(what='草', where='草')])
    """

    def __init__(self, words: Iterable[str], *, within: bool = False) -> None:
        self.within = within
        listed = {fold(word.strip()): word.strip() for word in words if word.strip(" *")}
        han = {w: shown for w, shown in listed.items() if ONE_HAN.search(w)}
        self.starts = {w[:-1]: s for w, s in listed.items() if w.endswith("*") and w not in han}
        plain = {w: s for w, s in listed.items() if w not in han and not w.endswith("*")}
        split = {tuple(LETTERS.findall(w)): s for w, s in plain.items()}
        self.phrases = {w: s for w, s in split.items() if len(w) > 1}
        self.firsts: dict[str, list[tuple[str, ...]]] = {}
        for phrase in self.phrases:
            self.firsts.setdefault(phrase[0], []).append(phrase)
        self.single = {form: s for w, s in split.items() if len(w) == 1 for form in _plural(w[0])}
        self.single |= {"".join(w): s for w, s in self.phrases.items()}
        self.squeezed = {RUN.sub(r"\1", w): s for w, s in self.single.items() if len(w) > 3}
        self.han = {w.strip("*"): (s, "*" in w) for w, s in han.items()}
        self.cut = Segmenter([w for w, (_, anywhere) in self.han.items() if not anywhere and w.isalnum()])
        self._one = lru_cache(1 << 14)(self._chunk)

    def find(self, plain: str) -> list[Hit]:
        """Give what is found in `plain`, a text in one spelling (`spelling.clean`)."""
        chunks = plain.split()
        hits = [Hit(s, chunk) for chunk in chunks for s in (self._one(chunk) if chunk else ())]
        hits += self._phrases(plain)
        hits += self._spaced(chunks)
        return list(dict.fromkeys(hits + (self._han(plain) if self.han and ONE_HAN.search(plain) else [])))

    def _chunk(self, chunk: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s for word in spellings(chunk) if (s := self._word(word))))

    def _word(self, word: str) -> str | None:
        if word in self.single:
            return self.single[word]
        if self.starts and (found := [s for w, s in self.starts.items() if word.startswith(w)]):
            return found[0]
        return self.squeezed.get(RUN.sub(r"\1", word)) if len(word) <= LONGEST and LONG.search(word) else None

    def _phrases(self, plain: str) -> Iterator[Hit]:
        if self.firsts:
            words = LETTERS.findall(fold(plain))
            for i, word in enumerate(words):
                for phrase in self.firsts.get(word, ()):
                    if tuple(words[i : i + len(phrase)]) == phrase:
                        yield Hit(self.phrases[phrase], " ".join(phrase))

    def _spaced(self, chunks: list[str]) -> Iterator[Hit]:
        """Look for words of which every letter stands alone: s c a m."""
        run: list[str] = []
        for chunk in [*chunks, "ends here"]:
            letter = fold(chunk.strip(EDGES)).translate(LEET) if len(chunk) <= 3 else chunk
            if len(letter) == 1 and letter.isalpha():
                run.append(letter)
            elif letter:  # a chunk of signs alone is no end: s . c . a . m
                word, run = "".join(run), []
                wholes = (word, word[1:] if word[:1] in ("a", "i") else "", word[:-1] if word[-1:] == "i" else "")
                yield from (Hit(self.single[w], " ".join(w)) for w in wholes if len(w) > 2 and w in self.single)

    def _han(self, plain: str) -> list[Hit]:
        text = HARMLESS.sub("，", BETWEEN_HAN.sub("", fold(plain)))
        present = [w for w in self.han if w in text]
        ends = {0, *accumulate(len(token) for run in text.split() for token in self.cut(run))} if present else set()
        text = "".join(text.split())
        return [Hit(self.han[w][0], w) for w in present if self._stands(w, text, ends)]

    def _stands(self, word: str, text: str, ends: set[int]) -> bool:
        """Say whether a word stands in a text, of whose words the ends are known, and is no piece of two others.

        宣传销售 holds 传销 as `the rapist` holds `therapist`.
        """
        if self.han[word][1]:
            return True
        for match in re.finditer(re.escape(word), text):
            a, b = match.span()
            alone = a in ends and b in ends
            if alone or (self.within and ends.isdisjoint(range(a + 1, b))):
                return True
        return False


def spellings(chunk: str) -> Iterator[str]:
    """Give the plain words that a chunk, the signs between two blanks, may stand for.

    >>> sorted(set(spellings("$c4m")))
    ['c4m', 'scam']
    """
    folded = fold(chunk)
    words = LETTERS.findall(folded)
    yield from words
    if chunk[0] == "#":
        yield from (part.lower() for part in Splitter()(chunk[1:]))
    core = folded.strip(EDGES)
    if (
        len(core) <= LONGEST
        and not core.isalpha()
        and "/" not in core
        and "'" not in core
        and sum(map(str.isalpha, core)) > len(core) / 3
    ):
        for table in (LEET, LEET_L):
            for stripped in (core, core.rstrip("!|+")):
                word = "".join(filter(str.isalpha, stripped.translate(table)))
                if len(word) > 3 or not re.search("[0-9]", stripped):  # A55 is a road, or a telephone
                    yield word
    core = core.rstrip("!?")
    if "*" in core[1:] and core[0].isalpha():
        yield from (
            w for w in OFTEN_MASKED if len(w) == len(core) and all(b in ("*", a) for a, b in zip(w, core, strict=True))
        )


def _plural(word: str) -> tuple[str, ...]:
    return (word,) if word.endswith("s") else (word, word + "s")


def listed(words: str) -> list[str]:
    """Give the words of a list; one that ends in ~ with its forms."""
    return [
        stem.replace("_", " ") + end
        for w in words.split()
        for stem in [w.rstrip("~")]
        for end in (ENDS if w[-1] == "~" else ("",))
    ]


ENDS = ("", "ed", "er", "ers", "ing", "in")
OFTEN_MASKED = [w for w in listed(RUDE) if len(w) > 3]
