"""The tokenizer: every kind of token, any Unicode, linear time, the same again, errors as sentences."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smlab import text
from smlab.checks import UsageError
from smlab.text import Tokenizer

ANY = st.text(st.characters(codec=None, exclude_categories=()))
SIGNS = st.lists(
    st.sampled_from(
        [
            "good",
            "BAD",
            "soooo",
            "不",
            "服务",
            "很好",
            "@ann",
            "@",
            "#GoodDay",
            "#",
            "话题#",
            "http://t.co/x",
            "www.",
            ".com",
            "a@b.cc",
        ]
        + [
            ":)",
            ":(",
            "<3",
            "^_^",
            "_",
            "'",
            '"',
            "!",
            "?",
            "...",
            "，",
            "😂",
            "\u200d",
            "👩",
            "🚀",
            "🏽",
            "🇬",
            "\u20e3",
            "\ufe0f",
            "1",
            "3.5",
        ]
        + [
            "\ud83d",
            "\0",
            "\u202e",
            "&amp;",
            "&",
            "\\u4e0d",
            "[泪]",
            "<user>",
            " ",
            "\n",
            "\u3000",
            "हिन्दी",
            "é",
            "e\u0301",
            "Yahoo!",
        ]
    ),
    max_size=15,
).map("".join)
KINDS = {
    "auto": Tokenizer(),
    "en": Tokenizer(language="en", hashtags="keep", lower=False),
    "zh": Tokenizer(language="zh", hashtags="both", negation=True),
    "named": Tokenizer(
        user_words=["AT&T", "Yahoo!", "Burger King", "服务很好"], counts={"good": 5, "day": 5}, negation=True
    ),
}
leisurely = settings(deadline=None)  # the first Chinese post waits for the dictionary
every_kind = pytest.mark.parametrize("tokenizer", KINDS.values(), ids=KINDS)


def tokens(post: str, **options: object) -> str:
    return " ".join(Tokenizer(**options)(post))  # type: ignore[arg-type]


# Any text


@every_kind
@leisurely
@given(post=ANY | SIGNS)
def test_any_unicode_gives_tokens_that_hold_something_and_no_blank(tokenizer, post):
    for token in tokenizer(post):
        assert token and not re.search(r"\s", token)
        token.encode("utf-8")


@every_kind
@leisurely
@given(post=ANY | SIGNS)
def test_memo_changes_nothing(tokenizer, post):
    fresh = copy.copy(tokenizer)  # without what the other has seen
    assert tokenizer(post) == fresh(post) == tokenizer(post)


@leisurely
@given(SIGNS)
def test_one_spelling_has_the_same_tokens(post):
    assert KINDS["auto"](text.normalise(post)) == KINDS["auto"](post)


@leisurely
@given(st.lists(st.text(st.sampled_from("abcdefgxyzABC"), min_size=1, max_size=9), max_size=8))
def test_ordinary_words_are_kept_sign_by_sign(words):
    words = [w for w in words if not re.search(r"(.{1,3}?)\1{2}", w)]
    assert Tokenizer(lower=False)(" ".join(words)) == words


@leisurely
@given(st.text(st.characters(categories=["Lu", "Ll", "Lo"], max_codepoint=0x2FFF), max_size=30))
def test_letters_of_any_alphabet_are_kept(letters):
    plain = text.normalise(letters)
    if not text.LONG.search(plain) and plain not in ("http", "https"):
        assert "".join(Tokenizer(lower=False)(letters)) == plain.replace(" ", "")


@leisurely
@given(st.text(st.sampled_from("的一是不了人我在有他这服务很好差快递质量ok1"), max_size=30))
def test_chinese_is_kept_sign_by_sign(run):
    if not text.LONG.search(run):
        assert "".join(Tokenizer(language="zh")(run)) == run


@pytest.mark.parametrize(
    "post",
    ["a" * 10**6, "#" * 10**6, ":(" * 500_000, "@" * 10**6, "http://" * 100_000, "不" * 10**6, "服务很好" * 80_000]
    + [
        "a." * 500_000,
        "a@" * 500_000,
        "-_" * 500_000,
        "1," * 500_000,
        "#a" * 500_000,
        "[泪" * 250_000,
        "😀\u200d" * 150_000,
    ]
    + ["x-y" * 300_000, "lorem ipsum " * 80_000, "&#38;#" * 150_000, '!"' * 500_000, "hahb" * 250_000, "'a" * 500_000],
    ids=lambda post: ascii(post[:6]),
)
def test_post_of_a_megabyte_takes_no_longer_than_two_seconds(post):
    tokenizer = Tokenizer(negation=True, hashtags="both", counts={"a": 3, "the": 5}, user_words=["AT&T"])
    tokenizer("服务")  # the dictionary is read once for all posts
    started = time.process_time()
    tokenizer(post)
    assert time.process_time() - started < 2


# Each kind of token


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("Don't STOP, it's 5pm!", "don't stop , it's 5pm !"),
        ("@ann .@bob's (@cy)", "<user> . <user> ( <user> )"),
        (
            "http://t.co/aB1 HTTPS://x.yz/a?b=c. www.foo.com/a, (bbc.co.uk) http https",
            "<url> <url> . <url> , ( <url> ) <url> <url>",
        ),
        ("see http://a.b/c…", "see <url> .."),
        ("end.The 3.5 and e.g. this.that", "end . the 3.5 and e . g . this . that"),
        ("me.too@mail.example.org a@b", "<email> a <user>"),
        ("10:30 1,000.50 50% 2nd 20yr 8-5 $15", "10:30 1,000.50 50% 2nd 20yr 8 - 5 $ 15"),
        ("<user> said <url>", "<user> said <url>"),
        ("RT snake_case _x_", "rt snake case _ x"),
        ("rock'n'roll 'tis", "rock'n'roll ' tis"),
        ("well-known and/or", "well - known and / or"),
        ("café CAFÉ cafe\u0301", "café café café"),
        ("हिन्दी में", "हिन्दी में"),
        ("مرحبا بالعالم", "مرحبا بالعالم"),
        ("  \n\t ", ""),
        ("", ""),
    ],
)
def test_words_numbers_links_and_names(post, expected):
    assert tokens(post) == expected


@pytest.mark.parametrize(
    "face",
    [":)", ":-)", ":(", ":-(", ";)", ";-)", ":D", ":-D", ":P", ":'(", "=)", "=D", ":/", ":-/", ":*", "<3", "</3", "^_^"]
    + ["-_-", ">_<", "^^", "T_T", "o_O", ":|", ":]", ">:(", "(:", ":o", ":3", "\\_(ツ)_/"],
)
@pytest.mark.parametrize("post", ["{}", "so {} ok", "fine {}", "{}!", "不错 {}。"])
def test_emoticon_is_one_token_in_its_own_case(face, post):
    assert face in Tokenizer()(post.format(face))


@pytest.mark.parametrize("face", [":)", ":-(", ":'(", ";)", "^_^", "<3"])
def test_emoticon_of_signs_needs_no_blank(face):
    assert Tokenizer()(f"nice{face} 不错{face}。") == ["nice", face, "不错", face, "。"]


@pytest.mark.parametrize(
    "post",
    [
        "at 10:30",
        "note:Do",
        "1:3",
        "http://x",
        "http://d.co",
        "x=y",
        "(like this): no",
        "他说:(笑)",
        "he:/she//",
        ":@ann",
    ],
)
def test_what_only_looks_like_an_emoticon_is_none(post):
    assert not {":3", ":D", ":/", ":(", "):", "=y", ":@", ":/s"} & set(Tokenizer()(post))


@pytest.mark.parametrize("emoji", ["😂", "👍🏽", "👩‍🚀", "🏳️‍🌈", "🇬🇧", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "❤️", "👨‍👩‍👧‍👦", "🈚", "™", "☀"])
def test_emoji_is_one_token_alone_and_in_a_row(emoji):
    one = emoji.replace("\ufe0f", "")  # ❤ with and without the sign that asks for colour are one emoji
    assert Tokenizer()(f"a {emoji}{emoji} b") == ["a", one, one, "b"]
    assert Tokenizer()(f"好{emoji}的") == ["好", one, "的"]


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("soooo sooooooo so", "soo soo so"),
        ("SOOOO", "soo"),
        ("cooool!!!! ?!?!?!", "cool !! ?!?!"),
        ("hahahahaha lolololol", "haha lolol"),
        ("..... ~~~~ ----", ".. ~~ --"),
        (":))))) <3333", ":)) <3"),
        ("1000000 2222", "1000000 2222"),
        ("好好好好 哈哈哈哈哈", "好好 哈哈"),
    ],
)
def test_of_what_is_repeated_two_remain(post, expected):
    assert tokens(post, language="zh" if "好" in post else "auto") == expected


COUNTS = {"game": 5, "day": 9, "so": 40, "good": 20, "birthday": 3}


@pytest.mark.parametrize(
    ("hashtags", "expected"),
    [
        ("split", "happy birthday nfl game day 小米 发布会 太好"),
        ("keep", "#happybirthdaynfl #gameday #小米发布会 太好"),
        ("both", "#happybirthdaynfl happy birthday nfl #gameday game day #小米发布会 小米 发布会 太好"),
    ],
)
def test_hashtags(hashtags, expected):
    english = tokens("#HappyBirthdayNFL #gameday", hashtags=hashtags, counts=COUNTS)
    chinese = tokens("#小米发布会#太好", hashtags=hashtags, counts=COUNTS)
    assert f"{english} {chinese}" == expected


def test_hashtag_with_stops_in_chinese_and_alone():
    assert tokens("#GoodDay! (#NFL)") == "good day ! ( nfl )"
    assert tokens("#1 # ## #_") == "1 # ##"
    assert tokens("我在 #今天天气 真好") == "我 在 今天天气 真 好"


def test_weibo_has_its_own_names_topics_and_emoticons():
    post = "转发@人民日报-新闻 #小米发布会#太好[泪][doge] http://t.cn/A6x看看"
    assert tokens(post) == "转发 <user> 小米 发布会 太好 [泪] [doge] <url> 看看"


def test_languages_differ_and_can_be_set():
    assert tokens("I love my 小米手机 very much") == "i love my 小米手机 very much"
    assert tokens("小米手机很好") == "小米 手机 很 好"
    assert tokens("小米手机很好", language="en") == "小米手机很好"
    assert tokens("[ok] good", language="zh") == "[ok] good"
    assert tokens("\\u5f88\\u597d &#24456;&#22909;") == "很 好 很 好"


def test_negation_in_both_languages():
    assert tokens("I don't like it. But ok :)", negation=True) == "i don't not_like not_it . but ok :)"
    assert tokens("客服没有解决问题😡差，很差", negation=True) == "客服 没有 not_解决问题 😡 差 , 很差"
    assert tokens("NOT Good", negation=True, lower=False) == "NOT not_Good"


BRANDS = ["星河优选", "AT&T", "Yahoo!", "Burger King", "7-Eleven", "可口可乐·零度", "Nike"]


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("我在星河优选买的，很好", "我 在 星河优选 买 的 , 很 好"),
        ("burger  KING, at&t or Yahoo!!", "burger_king , at&t or yahoo! !"),
        ("yahoos yahoo AT&Ts", "yahoos yahoo at & ts"),
        ("https://www.7-eleven.com/x 7-ELEVEN.", "<url> 7-eleven ."),
        ("喝可口可乐·零度和BURGER KING", "喝 可口可乐·零度 和 burger_king"),
        ("Nike nike", "nike nike"),
        ("#AT&T", "at & t"),
    ],
)
def test_names_of_the_user_stay_one_token(post, expected):
    assert tokens(post, user_words=BRANDS) == expected


def test_case_can_be_kept():
    assert tokens("LOVE @Ann #GoodDay AT&T :D", lower=False, user_words=["at&t"]) == "LOVE <user> Good Day AT&T :D"


# Use


def test_many_posts_are_those_posts_one_by_one():
    posts = pd.Series(["good day", "", "很好 :)", "good day"], index=[7, 8, 9, 9])
    assert Tokenizer().many(posts) == [Tokenizer()(post) for post in posts]
    assert Tokenizer().many(iter([])) == []


def test_memo_forgets_and_stays_right(monkeypatch):
    monkeypatch.setattr(text, "MOST", 3)
    tokenizer = Tokenizer()
    posts = ["one two, three four!", "five #SixSeven 8", "two one @nine", "x" * 100]
    assert [tokenizer(p) for p in posts * 2] == [Tokenizer()(p) for p in posts * 2]
    assert all(len(memo) <= 3 for memo in tokenizer._memos.values())


def test_copy_has_the_settings_and_not_the_memory():
    tokenizer = Tokenizer(user_words=["星河优选", "AT&T"], hashtags="both", counts={"good": 2})
    expected = tokenizer("星河优选 AT&T #good")
    again = copy.deepcopy(tokenizer)
    assert tokenizer._memos["zh"] and not again._memos["zh"]
    assert again("星河优选 AT&T #good") == expected


def test_speed_is_measured_on_a_file_or_a_folder(tmp_path):
    (tmp_path / "sentiment").mkdir()
    posts = tmp_path / "sentiment" / "train_text.txt"
    posts.write_text("good day\n@user soooo good :)\n", encoding="utf-8")
    script = Path(__file__).resolve().parent.parent / "bench" / "text_speed.py"
    for where in (tmp_path, posts):
        done = subprocess.run([sys.executable, script, where, "--ours"], capture_output=True, text=True, check=True)
        line = json.loads(done.stdout)
        assert (line["posts"], line["tokens"]) == (2, 6) and line["posts_per_second"] > 0


def test_user_is_told_that_many_posts_take_a_while(monkeypatch, capsys):
    from smlab import progress

    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    Tokenizer().many(["word " * 60_000, "more " * 60_000])
    assert capsys.readouterr().err.startswith("tokens of 2 posts: 0.6 MB to come\n")
    Tokenizer().many(["few words"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda: Tokenizer(language="cn"), "language='cn': known: auto, en, zh"),
        (lambda: Tokenizer(hashtags="splitt"), "hashtags='splitt': did you mean 'split'?"),
        (lambda: Tokenizer(user_words="小米"), "user_words must be a list of words, not the text '小米'"),
        (lambda: Tokenizer(user_words=["a", 5]), "each of user_words must be text, not 5 (int)"),
        (lambda: Tokenizer(user_words=["\u200b "]), "one of user_words holds no sign that can be seen"),
        (lambda: Tokenizer(counts={"a": -1}), "counts: 'a': -1 must be a word with a number from 0"),
        (lambda: Tokenizer(counts={3: 1}), "counts: 3: 1 must be a word with a number from 0"),
        (lambda: Tokenizer()(float("nan")), "a post must be text, not nan (float)"),
        (lambda: Tokenizer().many(["a", None]), "post 1 must be text, not None (NoneType)"),
        (lambda: Tokenizer().many("a post"), "many() takes several posts; for one, call the tokenizer itself"),
    ],
)
def test_mistakes_are_sentences(mistake, sentence):
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}$"):
        mistake()
