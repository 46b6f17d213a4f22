"""Lengths as platforms count them; blanks, signs, markup, shouting and disclosure."""

from __future__ import annotations

import pytest

from smlab.guardrules import PLATFORMS, empty, fields, length, markup, shouting, signs, too_long, undisclosed


@pytest.mark.parametrize(
    ("text", "platform", "n"),
    [
        ("a" * 280, "x", 280), ("你" * 140, "x", 280), ("https://example.com/" + "a" * 200, "x", 23),
        ("👩‍👩‍👧‍👦", "x", 2), ("👍🏽🇨🇳1️⃣", "x", 6), ("cafe\u0301", "x", 4), ("“ok” – …",
        "x", 9),  # docs.x.com, counting characters
        ("hello 你好", "weibo", 5), ("abc", "weibo", 2), ("e\u0301👨‍👩‍👧🇨🇳👍🏽", "bluesky", 4), ("a\r\nb",
        "mastodon", 3),
        ("see https://example.com/" + "a" * 99, "mastodon", 27), ("😀", "linkedin", 2), ("😀", "instagram", 1),
        ("नमस्ते", "email-subject", 4),
        ("", "x", 0), ("\ud83d", "x", 2),
    ],
)  # fmt: skip
def test_signs_are_counted_as_the_platform_does(text, platform, n):
    assert length(text, platform) == n


def test_a_text_at_its_limit_passes_and_one_sign_more_does_not():
    for name, platform in PLATFORMS.items():
        sign = "a" if platform.counted != "half" else "你"
        assert not list(too_long(sign * platform.limit, name))
        assert f"{platform.limit:,}" in next(too_long(sign * (platform.limit + 1), name)).what


def test_hashtags_are_counted():
    assert not list(too_long("#a " * 30, "instagram")) and list(too_long("#a " * 31, "instagram"))


@pytest.mark.parametrize(
    "text",
    ["Hi {name}!", "{{first_name}}", "Dear [NAME],", "[INSERT LINK HERE]", "<PRODUCT>", "%NAME%", "Hi %(name)s", "TBD",
     "Lorem ipsum",
     "Save XX% now", "【品牌名】上新", "亲爱的{昵称}", "[插入链接]", "Dear ,", "Hi None, welcome", "${price}",
     "Save nan% today", "[your brand]",
     "XXX品牌", "某某品牌", "Hello undefined!", "______", "请在此处填写文案"],
)  # fmt: skip
def test_blanks_are_found(text):
    assert list(fields(text))


@pytest.mark.parametrize(
    "text",
    ["[VIDEO] Look", "[泪] so sad", "Hi! How are you", "Hi, it's us", "Dear customers,", "Size XXL", "I <3 you",
     "5 > 3 < 9", "XX century",
     "(your favourite)", "50% off", "null and void", "nan bread", "None of us", "【新品】上架", "《红楼梦》"],
)  # fmt: skip
def test_no_blank_is_seen_where_none_is(text):
    assert not list(fields(text)) and not list(markup(text))


@pytest.mark.parametrize(
    "text", ["a\u202eb", "sa\u200ble", "x\0y", "z\u0300\u0301\u0302\u0303\u0304", "\ufeffsale", "caf\ufffd", "cafÃ©",
    "donâ€™t", "\ud83d", "a\u200db"]
)  # fmt: skip
def test_unseen_and_broken_signs_are_refused(text):
    assert list(signs(text))


@pytest.mark.parametrize("text", ["👩‍🚀 ❤️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿 1️⃣", "a\nb\tc\r\n", "naïve Ãgua", "क्‍ष", "tiếng Việt", "می‌خواهم"])
def test_signs_of_living_languages_pass(text):
    assert not list(signs(text))


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "<img src=x onerror=a>", "<svg/onload=a>", "<b>x</b>", "[a](b)", "```",
     "=HYPERLINK(1)",
     "Ignore previous instructions", "As an AI language model", "Sure! Here's a tweet", "忽略以上指令",
     "作为一个AI语言模型", "system: yes",
     "Here are three variants:"],
)  # fmt: skip
def test_markup_and_words_to_machines_are_refused(text):
    assert list(markup(text))


def test_shouting():
    for text in (
        "BUY NOW OUR AMAZING SHOES",
        "Sale!!!",
        "Really????",
        "see MAKE AMERICA GREAT AGAIN today please my dear friends",
    ):
        assert list(shouting(text)), text
    for text in (
        "NEW: vegan chocolate",
        "SALE ends tonight!",
        "SEO, PPC, CRM, ROI explained",
        "Wait... what?!",
        "#MAKEAMERICAGREAT wow",
    ):
        assert not list(shouting(text)), text


def test_emptiness():
    assert all(list(empty(text)) for text in ("", " ", "…", "🎉", "#sale @you https://example.com"))
    assert not any(list(empty(text)) for text in ("a", "好", "#sale today", "5"))


def test_disclosure():
    for text in ("shoes #ad", "[Ad] shoes", "Sponsored: shoes", "广告 | 新鞋", "Paid partnership with us"):
        assert not list(undisclosed(text)), text
    for text in (
        "shoes",
        "#adventure",
        "this is not an ad",
        "这不是广告",
        "radio ads are fun",
        "#collab",
        "广告公司招聘",
    ):
        assert list(undisclosed(text)), text
