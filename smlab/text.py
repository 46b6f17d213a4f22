r"""From posts to tokens, English and Chinese: one regular expression, and a memo of what it has found before.

    post → one spelling → pieces, by one pattern of ordered alternatives → tokens of each piece, from the memo

A piece is a word, a number, a link, a mention, a hashtag, an emoticon, an emoji or punctuation. Most pieces come
again and again, so what a piece turns into is worked out once. The rules are those of Go, Bhayani & Huang (2009),
"Twitter Sentiment Classification using Distant Supervision": links and mentions become one word each, for who is
named says little of how one feels; of a sign that is repeated two remain. So `sooooo` and `soooo` are one word,
but not `so`: who lengthens a word means it (Brody & Diakopoulos 2011, "Cooooooooooooooollllllllllllll!!!!!!!!!!!!!!").
Left out: stemming, misspellings, and languages other than Chinese that are written without blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import chain
from typing import Any, Literal, get_args

from smlab.checks import UsageError, nearest, shorten
from smlab.hanzi import HAN, ONE_HAN, Language, Segmenter, language
from smlab.hashtags import Splitter
from smlab.negation import mark_negated
from smlab.progress import meter
from smlab.spelling import EMOJI, clean, normalise

__all__ = ["Tokenizer", "language", "normalise"]

Hashtags = Literal["split", "keep", "both"]
Tokens = tuple[str, ...]
USER, URL, EMAIL = "<user>", "<url>", "<email>"
MOST, LONGEST = 1 << 17, 40  # keys of a memo, and characters of a key

# The pieces. What may repeat without bound is possessive (++, *+), so that no post takes more than linear time.

LINK = r"(?:[hH][tT]{2}[pP][sS]?:/|[wW]{3}\.)"
REST = r"(?:[!#-;=?-~]*[A-Za-z0-9/_=&#-])?+"  # of a link: printable ASCII, but no punctuation at its end
SITE = r"(?:\.[A-Za-z0-9-]{1,60}){0,4}?\.(?:com|net|org|edu|gov|info|cn|co|ly|io|tv|fm|uk|de|jp)(?!\.?\w)"
MAIL = r"(?:[.+-]\w{1,60}){0,4}@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++"
NUMBER = r"\d++(?:[.,:/]\d++)*+(?:%|\w++)?"
MASKED = "<(?:user|url|email)>"
FACE = (
    r"</?3+(?!\d)"  # a heart
    r"|>?[:;=]['\"]?[-o^~]?(?:[)\]}]++|[(\[{]++(?!\w)|[*>]|[|/\\](?![\w/])|@(?!\w))"  # :-) ;) :'( =] :/
    r"|(?<!\w)>?(?:[:;]['\"]?[-o^~]?[DPpOoSsXxCcbd3]|=-?[DPp])(?!\w)"  # :D :-P
    r"|(?<!\S)[()\[\]]['\"]?[-o^~]?[:;=](?!\w)"  # (:
    r"|[-^>;=*~]_+[-^<;=*~]|\^[.-]?\^|>\.<"  # ^_^ -_- >_< ^^
    r"|-?\\_+\(ツ\)_+/-?"
)
FACE_OF_LETTERS = re.compile(r"[oO0]_+[oO0]|[tTqQuUxX]_+[tTqQuUxX]")
KEYCAP, SKIN = "\u20e3", "[\U0001f3fb-\U0001f3ff]"
PICTURE = (  # a keycap, a flag, a flag by tags (Scotland), an emoji with its skin and what is joined to it
    f"[0-9#*]{KEYCAP}|"
    "[\U0001f1e6-\U0001f1ff]{2}|\U0001f3f4[\U000e0020-\U000e007f]++"
    f"|[{EMOJI}]{SKIN}?+(?:\u200d[{EMOJI}]{SKIN}?+)*+"
)
SAME = "|".join(f"{re.escape(c)}++" for c in ".-_*~=+#@$%^&/\\|<>()[]{}'\"`,;:…。、·—") + "|[!?]++"
MARKS = (  # vowel signs and accents that combine: parts of words, though not of Python's \w
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963"
    "\u0966-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece\u0f71-\u0f84\u102b-\u109d\u1ab0-\u1aff\u1dc0-\u1dff\ufe20-\ufe2f"
)
EDGES = '.,!?"'  # what often stands at the end of a word, and at none of an emoticon
LONG = re.compile(r"(\D{1,3}?)\1{2,}")  # a sign, or two or three in turn (hahaha), three times or more
HIDDEN_HAN = re.compile(r"\\u[4-9]|&#")


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    """Compile the alternatives in their order; "ascii" is "en" for what is ASCII, and quicker."""
    letter, more = (r"[A-Za-z]", r"\w") if kind == "ascii" else (r"[^\W\d_]", rf"[\w{MARKS}]")
    word = f"{letter}{more}*+(?:'{more}++)*+(?:{SITE}(?:[:/]{REST})?|{MAIL})?"
    mention, tag = r"@\w++(?:'s(?!\w))?+", f"#++{more}++"
    if kind == "zh":  # on Weibo names hold Han and hyphens, #a topic stands between two#, [泪] is an emoticon
        latin = rf"(?!{LINK})[A-Za-z0-9]++(?![@._'%{KEYCAP}])"
        word = rf"(?:{latin})?[{HAN}]++(?:{latin}[{HAN}]*+)*|{word}"  # ?+ of a group fails before Python 3.11.5
        mention, tag = r"@[\w-]{1,30}", rf"\[[^\W_]{{1,8}}\]|#[^#\s]{{1,40}}#|{tag}"
    picture = "" if kind == "ascii" else PICTURE
    parts = [LINK + REST, word, picture, NUMBER, MASKED, FACE, mention, tag, SAME, r"\S"]
    return re.compile("|".join(filter(None, parts)), re.ASCII if kind == "ascii" else re.UNICODE)


class Tokenizer:
    """Cut posts into tokens.

    Parameters
    ----------
    language : "auto" looks at each post
    lower : words in lower case; emoticons keep theirs
    hashtags : "split" into words, "keep" whole with the #, or "both", whole first
    negation : `not_` before the words that a negation reaches, see `negation`
    user_words : names that stay one token, such as a brand (a blank in it becomes _); their case does not matter
    counts : word in lower case → how often the user's corpus has it, to split hashtags that run together

    >>> Tokenizer()("@ann LOVED it sooooo much!!!! :-) #NotBad 👍🏽 https://t.co/x")
    ['<user>', 'loved', 'it', 'soo', 'much', '!!', ':-)', 'not', 'bad', '👍🏽', '<url>']
    >>> Tokenizer(negation=True)("质量没有宣传的好，客服很好")
    ['质量', '没有', 'not_宣传', 'not_的', 'not_好', ',', '客服', '很', '好']
    """

    def __init__(
        self,
        *,
        language: Literal["auto", "en", "zh"] = "auto",
        lower: bool = True,
        hashtags: Hashtags = "split",
        negation: bool = False,
        user_words: Iterable[str] = (),
        counts: Mapping[str, int] | None = None,
    ) -> None:
        _need_choice("language", language, ("auto", "en", "zh"))
        _need_choice("hashtags", hashtags, get_args(Hashtags))
        self.language, self.lower, self.hashtags, self.negation = language, lower, hashtags, negation
        self.user_words, self.counts = _need_words(user_words), _need_counts(counts)
        self._start()

    def __call__(self, text: str) -> list[str]:
        """Give the tokens of one post; none of a blank one.

        Raises
        ------
        UsageError
            If `text` is no text.
        """
        _need_text("a post", text)
        if self._name:
            text = self._name.sub(lambda name: f" {'_'.join(name[0].split())} ", clean(text))
        tongue = self.language
        if tongue == "auto":
            hidden = ("\\u" in text or "&#" in text) and HIDDEN_HAN.search(text)
            tongue = "en" if text.isascii() and not hidden else language(clean(text))
        tokens = list(chain.from_iterable(map(self._lookup[tongue], text.split())))
        return mark_negated(tokens) if self.negation else tokens

    def many(self, texts: Iterable[str]) -> list[list[str]]:
        """Give the tokens of each post, in their order."""
        if isinstance(texts, str):
            raise UsageError("many() takes several posts; for one, call the tokenizer itself")
        posts, found = list(texts), []
        for row, post in enumerate(posts):
            _need_text(f"post {row}", post)
        size = sum(map(len, posts))
        with meter(f"tokens of {len(posts)} posts", size, show=size > 500_000) as advance:
            for post in posts:
                found.append(self(post))
                advance(len(post))
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Leave the memos and the dictionary out of copies and of what goes to another process."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def _start(self) -> None:
        self._case: Callable[[str], str] = str.lower if self.lower else str
        han = [w for w in self.user_words if w.isalnum() and ONE_HAN.search(w)]  # for the segmenter: it weighs them
        plain = Tokenizer() if self.user_words else None  # a name that it keeps whole needs no care
        names = [w for w in self.user_words if plain and w not in han and plain(w) != [w.lower()]]
        self._name = _any_of(names) if names else None
        self._names = {name.lower().replace(" ", "_") for name in names}
        self._segment, self._split = Segmenter(han), Splitter(self.counts)
        self._patterns = {kind: _pattern(kind).findall for kind in ("ascii", "en", "zh")}
        self._memos = {"en": _Memo(self._english_chunk), "zh": _Memo(self._chinese_chunk)}
        self._pieces = {"en": _Memo(self._english), "zh": _Memo(self._chinese)}
        self._lookup = {tongue: memo.__getitem__ for tongue, memo in self._memos.items()}

    # What a chunk, the signs between two blanks, turns into. It is asked once for each chunk, as a rule.

    def _english_chunk(self, chunk: str) -> Tokens:
        if chunk.isalpha() and chunk.isascii():  # the commonest go by hand: words, hashtags, and stops around a word
            return self._word(chunk)
        if chunk[:1] == "#" and chunk[1:].isalpha() and chunk.isascii():
            return self._tagged(chunk[1:])
        if (seen := self._cleaned(chunk, "en")) is not None:
            return seen
        core = chunk.strip(EDGES)
        if 0 < len(core) < len(chunk):
            before, _, after = chunk.partition(core)
            memo = self._memos["en"]
            return memo[before] + memo[core] + memo[after]
        return self._cut(chunk, "ascii" if chunk.isascii() else "en", "en")

    def _chinese_chunk(self, chunk: str) -> Tokens:
        seen = self._cleaned(chunk, "zh")
        return self._cut(chunk, "zh", "zh") if seen is None else seen

    def _cleaned(self, chunk: str, tongue: Language) -> Tokens | None:
        """Give the tokens of a chunk that is a name, or that has another spelling, which may hold blanks."""
        plain = clean(chunk)
        if plain != chunk:
            return tuple(chain.from_iterable(map(self._lookup[tongue], plain.split())))
        return (self._case(chunk),) if self._names and chunk.lower() in self._names else None

    def _cut(self, text: str, kind: str, tongue: Language) -> Tokens:
        return tuple(chain.from_iterable(map(self._pieces[tongue].__getitem__, self._patterns[kind](text))))

    # What a piece turns into.

    def _chinese(self, piece: str) -> Tokens:
        if not ONE_HAN.search(piece) or piece[0] in "@[":
            return self._english(piece)
        if piece[0] == "#":
            topic = piece.strip("#")
            return self._tagged(topic, self._cut(topic, "zh", "zh"))
        return tuple(self._segment(LONG.sub(r"\1\1", self._case(piece))))

    def _english(self, piece: str) -> Tokens:
        first = piece[0]
        if first.isalpha():
            return self._word(piece) if piece.isalpha() else self._compound(piece)
        if first == "@" and piece.strip("@"):
            return (USER,)
        if first == "#" and piece.strip("#") and piece[-1] != KEYCAP:
            return self._tagged(piece.strip("#"))
        if first == "<" and piece[-1] == "3":
            return (piece.rstrip("3") + "3",)
        return (self._plain(piece) if first.isdigit() else LONG.sub(r"\1\1", piece),)

    def _word(self, letters: str) -> Tokens:
        word = self._plain(letters)
        return (URL,) if word in ("http", "https") else (word,)  # so archives of tweets mask links

    def _compound(self, piece: str) -> Tokens:
        if "@" in piece:
            return (EMAIL,)
        if "." in piece or ":" in piece:
            return (URL,)
        if "_" in piece:
            is_face = FACE_OF_LETTERS.fullmatch(piece)
            return (piece,) if is_face else tuple(self._plain(word) for word in piece.split("_") if word)
        return (self._plain(piece),)

    def _tagged(self, tag: str, words: Tokens = ()) -> Tokens:
        words = words or tuple(map(self._plain, self._split(tag)))
        whole = "#" + self._case(tag)
        return words if self.hashtags == "split" else (whole,) if self.hashtags == "keep" else (whole, *words)

    def _plain(self, word: str) -> str:
        if (case := self._case(word)) != word:  # else key and token are one object: memory is what costs time
            word = case
        return LONG.sub(r"\1\1", word) if len(word) - len(set(word)) > 1 else word  # none twice: none three times


class _Memo(dict[str, Tokens]):
    """What each chunk or piece turns into; it forgets all when it is full, and never keeps a long one."""

    __slots__ = ("of",)

    def __init__(self, of: Callable[[str], Tokens]) -> None:
        super().__init__()
        self.of = of

    def __missing__(self, key: str) -> Tokens:
        tokens = self.of(key)
        if len(key) <= LONGEST:
            if len(self) >= MOST:
                self.clear()
            self[key] = tokens
        return tokens


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Match any of several names in any case, the longest first; Latin ones not within a word or a link."""

    def alone(name: str) -> str:
        before = "(?<![A-Za-z0-9_./@#-])" if name[0].isascii() else ""
        after = "(?![A-Za-z0-9_])" if name[-1].isascii() else ""
        return before + r"\s+".join(map(re.escape, name.split())) + after

    return re.compile("|".join(alone(name) for name in sorted(names, key=len, reverse=True)), re.IGNORECASE)


def _need_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {shorten(repr(value))} ({type(value).__name__})")
    return value


def _need_choice(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise UsageError(f"{name}={value!r}: {nearest(str(value), known)}")


def _need_words(words: Iterable[str]) -> Tokens:
    if isinstance(words, str):
        raise UsageError(f"user_words must be a list of words, not the text {shorten(repr(words))}")
    found = dict.fromkeys(normalise(_need_text("each of user_words", word)) for word in words)
    if "" in found:
        raise UsageError("one of user_words holds no sign that can be seen")
    return tuple(found)


def _need_counts(counts: Mapping[str, int] | None) -> dict[str, int]:
    for word, count in (counts or {}).items():
        if not isinstance(word, str) or not count >= 0:
            raise UsageError(f"counts: {word!r}: {count!r} must be a word with a number from 0")
    return dict(counts or {})
