"""Write made-up posts in the true formats, from a small grammar of our own in English and Chinese.

No sentence is anybody's. A post says something about an aspect of a product: plainly ("The battery is really good"),
by negation ("not bad"), with a turn ("…, but the price is awful"), wryly ("Great, the app is broken again"), or it
says nothing for or against. Its planted score, from -4 to 4, is the weight of its words after boost, negation and turn.

`brand_posts` is a brand's stream over weeks in which, from one day on, complaints about one aspect rise.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from smlab import atomic
from smlab.checks import UsageError

T = TypeVar("T")
CHANGE_DAY = 38  # of 60, from 0: from then on, complaints about delivery
BEFORE, AFTER = (0.20, 0.30, 0.50), (0.45, 0.25, 0.30)  # shares of negative, neutral, positive
START = pd.Timestamp("2024-03-01", tz="UTC")


class Words(NamedTuple):
    """The words of one language: aspects, words with weights, boosts, and what goes around them."""

    aspects: tuple[str, ...]
    good: dict[str, float]
    bad: dict[str, float]
    boosts: dict[str, float]
    plain: tuple[str, ...]
    negated: str
    turn: str
    wry: tuple[str, ...]
    facts: tuple[str, ...]
    ends: tuple[str, ...]


ENGLISH = Words(
    ("delivery", "battery", "screen", "price", "app", "support team", "camera", "sound", "box", "update", "strap"),
    {"great": 3.0, "lovely": 2.8, "good": 1.9, "solid": 1.4, "fine": 0.9, "brilliant": 3.2, "quick": 1.2,
     "beautiful": 2.9, "handy": 1.3, "delightful": 2.7},
    {"awful": -3.0, "bad": -2.4, "slow": -1.3, "useless": -2.6, "broken": -2.0, "poor": -2.1, "terrible": -3.2,
     "noisy": -1.2, "overpriced": -1.8, "messy": -1.6},
    {"": 1.0, "really ": 1.25, "so ": 1.2, "quite ": 0.9, "a bit ": 0.6, "sooo ": 1.35, "just ": 1.0},
    ("The {a} is {b}{w}", "My new {a} is {b}{w}", "The {a} of this Nimbo is {b}{w}", "Honestly the {a} is {b}{w}",
     "{b}{w}, this {a}"),
    "The {a} is not {b}{w}",
    "The {a} is {w}, but the {a2} is {b}{w2}",
    ("Great, the {a} is {w} again", "Oh wonderful, a {w} {a}, just what I needed", "Thanks Nimbo for the {w} {a}"),
    ("Is the {a} the same as last year?", "The {a} comes on Monday", "Comparing the {a} of two Nimbos today",
     "Does anybody know how good the {a} is?", "Nimbo says the {a} changes in {n} weeks", "{n} questions on the {a}",
     "Reading about the {a} on the train", "Part {n} of my notes on the {a}"),
    ("", ".", "!", "!!", " #Nimbo", " #NimboWatch", " http://url_removed", " …"),
)  # fmt: skip
CHINESE = Words(
    ("物流", "电池", "屏幕", "价格", "客服", "包装", "音质", "房间", "早餐", "内容", "翻译"),
    {"好": 1.9, "不错": 1.6, "满意": 2.2, "漂亮": 2.4, "实惠": 1.7, "清楚": 1.2, "贴心": 2.3, "惊喜": 2.9, "舒服": 2.1},
    {"差": -2.4, "糟糕": -3.0, "失望": -2.8, "慢": -1.3, "吵": -1.2, "难用": -2.2, "粗糙": -1.9, "离谱": -2.6},
    {"很": 1.1, "非常": 1.35, "真的": 1.1, "有点": 0.6, "挺": 0.9, "相当": 1.25},
    ("{a}{b}{w}", "这次{a}{b}{w}", "刚收到，{a}{b}{w}", "说实话{a}{b}{w}", "{a}让人觉得{b}{w}"),
    "{a}并不{w}",
    "{a}虽然{w}，但是{a2}{b}{w2}",
    ("太好了，{a}又{w}了", "谢谢啊，{a}这么{w}", "{a}{w}成这样，真会做生意"),
    ("请问{a}和去年一样吗", "{a}的说明在第{n}页", "买了{n}件，先看看{a}", "有人知道{a}好不好吗", "{a}下周{n}号更新"),
    ("", "。", "！", "！！", "～", "，买了第{n}次", "，给同事带的", "，第{n}天"),
)  # fmt: skip
EMOJI = {-1: ("😡", "😞", "👎"), 0: ("🤔", "📦"), 1: ("😍", "👍", "🎉")}
EMOTIONS = {
    "anger": ("I am furious about the {a}", "Who thought this {a} was a good idea, it makes me so angry",
              "{n} calls about the {a} and nobody answers, I am fuming"),
    "joy": ("The {a} made my day", "Dancing around the kitchen with my new {a}", "So happy with the {a}, {n} times"),
    "optimism": ("The {a} will get better, I am sure", "Looking forward to the next {a}",
                 "{n} more days, then the {a} will be right"),
    "sadness": ("I miss the old {a}", "Crying a little over the {a} tonight", "The {a} is gone, {n} years, so sad"),
}  # fmt: skip


class Post(NamedTuple):
    """A made-up post, its planted score (-4 to 4), and the aspect that it is about."""

    text: str
    score: float
    aspect: str


class Grammar:
    """Draw posts of one language; the same seed gives the same posts."""

    def __init__(self, words: Words, seed: int) -> None:
        self.words = words
        # only rng.random() is drawn: its stream is the same in every version of NumPy, and the samples are compared
        self.rng = np.random.default_rng(seed)

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of several, all alike."""
        return choices[int(self.rng.random() * len(choices))]

    def chance(self, p: float) -> bool:
        """Draw a yes with probability p."""
        return bool(self.rng.random() < p)

    def post(self, sign: int, aspect: str | None = None) -> Post:
        """Draw a post that is against (-1), neither (0) or for (1)."""
        a = aspect or self.pick(self.words.aspects)
        text, score = (
            self._sentence(sign, a) if sign else (self.pick(self.words.facts).format(a=a, n=self.number()), 0.0)
        )
        text += self.pick(self.words.ends).format(n=self.number())
        if self.chance(0.2):
            text += " " + self.pick(EMOJI[sign if self.chance(0.9) else 0])
        return Post(text[0].upper() + text[1:], float(np.clip(score, -4, 4)), a)

    def number(self) -> int:
        """Draw a whole number from 2 to 12."""
        return 2 + int(11 * self.rng.random())

    def _sentence(self, sign: int, a: str) -> tuple[str, float]:
        own, other = (self.words.good, self.words.bad)[:: 1 if sign > 0 else -1]
        boost, word = self.pick(list(self.words.boosts)), self.pick(list(own))
        kind, strength = self.rng.random(), self.words.boosts[boost]
        if kind < 0.14:  # not bad is good, but less than good is
            word = self.pick(list(other))
            return self.words.negated.format(a=a, b=boost, w=word), -0.5 * other[word]
        if kind < 0.30:  # what comes after the turn counts more
            first, a1 = self.pick(list(other)), self.pick([x for x in self.words.aspects if x != a])
            said = self.words.turn.format(a=a1, w=first, a2=a, b=boost, w2=word)
            return said, 0.25 * other[first] + 0.9 * strength * own[word]
        if kind < 0.38 and sign < 0:
            return self.pick(self.words.wry).format(a=a, w=word), own[word]
        return self.pick(self.words.plain).format(a=a, b=boost, w=word), strength * own[word]


def brand_posts(
    n: int = 600,
    *,
    days: int = 60,
    change_day: int = CHANGE_DAY,
    before: Sequence[float] = BEFORE,
    after: Sequence[float] = AFTER,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw a brand's posts in time order: text, label, time, channel, category.

    Parameters
    ----------
    n : how many, spread evenly over the days
    change_day : first day, counted from 0, on which the shares `after` hold; most complaints are then about delivery
    before, after : shares of negative, neutral and positive posts, which sum to 1

    >>> frame = brand_posts(200, seed=1)
    >>> list(frame.columns), frame["label"].nunique()
    (['text', 'label', 'time', 'channel', 'category'], 3)
    """
    for shares in (before, after):
        if len(shares) != 3 or min(shares) < 0 or not np.isclose(sum(shares), 1):
            raise UsageError(f"shares of negative, neutral and positive must sum to 1, not {tuple(shares)}")
    if n < 1 or days < 1:
        raise UsageError(f"n={n} and days={days} must be above 0")
    grammars = [("en", Grammar(ENGLISH, seed)), ("zh", Grammar(CHINESE, seed + 1))]
    rng, rows = np.random.default_rng([seed, 2]), []
    for second in np.sort(rng.random(n)) * days * 86_400:
        late = second >= change_day * 86_400
        sign = int(np.searchsorted(np.cumsum(after if late else before)[:2], rng.random(), side="right")) - 1
        language, grammar = grammars[int(rng.random() < 0.35)]
        post = grammar.post(sign, grammar.words.aspects[0] if late and sign < 0 and rng.random() < 0.7 else None)
        channel = ("weibo", "shop") if language == "zh" else ("twitter", "forum")
        label = ("negative", "neutral", "positive")[sign + 1]
        moment = START + pd.Timedelta(seconds=int(second))
        rows.append((post.text, label, moment, channel[int(rng.random() < 0.3)], post.aspect))
    frame = pd.DataFrame(rows, columns=["text", "label", "time", "channel", "category"])
    return frame.astype(dict.fromkeys(("text", "label", "channel", "category"), "str"))


def write_samples(folder: Path) -> None:
    """Write `vader/`, `shopping-zh/`, `tweeteval/` and `brand-posts/`, always the same bytes."""
    files = {"tweets": 400, "amazonReviewSnippets": 80, "movieReviewSnippets": 80, "nytEditorialSnippets": 80}
    for seed, (name, rows) in enumerate(files.items()):
        _write(folder / "vader" / f"{name}_GroundTruth.txt", "\r\n".join(_rated(rows, seed)))
    _write_reviews(folder / "shopping-zh")
    for task, draw in (("sentiment", _sentiment), ("emotion", _emotion), ("irony", _irony)):
        names = {"sentiment": ("negative", "neutral", "positive"), "emotion": tuple(EMOTIONS)}
        _write_task(folder / "tweeteval" / task, draw, names.get(task, ("non_irony", "irony")))
    _write(folder / "brand-posts" / "posts.csv", _table(brand_posts()))


def _rated(rows: int, seed: int) -> Iterable[str]:
    """Write id, mean of 20 raters who each miss the planted score by about one, and text."""
    grammar = Grammar(ENGLISH, 100 + seed)
    for row in range(1, rows + 1):
        post = grammar.post(grammar.pick((-1, 0, 1, 1)))
        said = np.clip(np.rint(post.score + 4 * (grammar.rng.random(20) - 0.5)), -4, 4)
        yield f"{row}\t{said.mean():.6g}\t{post.text}"


def _write_reviews(folder: Path, n: int = 300) -> None:
    grammar = Grammar(CHINESE, 200)
    reviews = {sign: [grammar.post(sign).text for _ in range(n)] for sign in (-1, 1)}
    both = ["还行吧，一般", "东西收到了，没用"]  # the true files, too, repeat reviews and hold some under both labels
    for sign, name in ((-1, "neg"), (1, "pos")):
        _write(folder / f"{name}_sentences.txt", "\n".join([*reviews[sign], *both, *reviews[sign][:30]]) + "\n")
    words = CHINESE.good | CHINESE.bad | dict.fromkeys(CHINESE.aspects, 0.1)
    _write(folder / "sentiment_dict.txt", "".join(f"{word} {weight}\n" for word, weight in words.items()))


def _sentiment(grammar: Grammar, label: int) -> str:
    return grammar.post(label - 1).text


def _emotion(grammar: Grammar, label: int) -> str:
    said = grammar.pick(list(EMOTIONS.values())[label]) if grammar.chance(0.85) else "Still thinking about the {a}"
    return said.format(a=grammar.pick(ENGLISH.aspects), n=grammar.number()) + grammar.pick(ENGLISH.ends)


def _irony(grammar: Grammar, label: int) -> str:
    if not label:
        return grammar.post(grammar.pick((-1, 0, 1))).text
    said = grammar.pick(ENGLISH.wry).format(a=grammar.pick(ENGLISH.aspects), w=grammar.pick(list(ENGLISH.bad)))
    return said + grammar.pick(ENGLISH.ends)


def _write_task(folder: Path, draw: Callable[[Grammar, int], str], names: Sequence[str]) -> None:
    """Write one task as TweetEval does: a blank after each text, labels as numbers, their names apart."""
    for seed, (part, rows) in enumerate((("train", 300), ("val", 60), ("test", 150))):
        grammar = Grammar(ENGLISH, 300 + 10 * len(names) + seed)
        labels = [grammar.pick(range(len(names))) for _ in range(rows)]
        mention = [draw(grammar, label) + " " for label in labels]
        _write(folder / f"{part}_text.txt", "".join(f"{'@user ' * grammar.chance(0.3)}{text}\n" for text in mention))
        _write(folder / f"{part}_labels.txt", "".join(f"{label}\n" for label in labels))
    _write(folder / "mapping.txt", "\n".join(f"{number}\t{name}" for number, name in enumerate(names)))


def _table(frame: pd.DataFrame) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(frame.columns)
    table.writerows(frame.assign(time=frame["time"].dt.strftime("%Y-%m-%d %H:%M:%S")).itertuples(index=False))
    return out.getvalue()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, text.encode())


def planted_stream(
    posts: pd.DataFrame, worst: str, *, days: int = 60, change_day: int = 40, share: float = 1 / 3, seed: int = 0
) -> pd.DataFrame:
    """Spread labelled posts over days, and from one day on put posts of one class in the place of a share of them.

    So real posts become a stream of which it is known what happened. Posts come in random order; those put in are
    drawn from the posts of the class, with repetition where they do not suffice.

    Parameters
    ----------
    posts : frame with text and label
    worst : the class that rises on `change_day`, counted from 0
    share : of the later posts that are replaced, 0 to 1

    Returns
    -------
    frame with the columns of `posts` and time (UTC), in order of time, numbered anew
    """
    if worst not in set(posts["label"]):
        raise UsageError(f"no post has the label {worst!r}; there are {', '.join(sorted(set(posts['label'])))}")
    rng = np.random.default_rng(seed)
    stream = posts.sample(frac=1, random_state=seed).reset_index(drop=True)
    day = np.sort(rng.random(len(stream))) * days
    later = np.flatnonzero((day >= change_day) & (rng.random(len(stream)) < share))
    own = np.flatnonzero((stream["label"] == worst).to_numpy())
    stream.iloc[later] = stream.iloc[rng.choice(own, len(later))].to_numpy()
    return stream.assign(time=START + pd.to_timedelta(day, unit="D"))
