"""Claims are found in many words, harmless neighbours pass, and a source mends what a source can mend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smlab.guardclaims import claims


@pytest.mark.parametrize(
    "text",
    ["The best coffee in the world", "Britain's favourite tea", "We are No.1 in shoes", "#1 skincare brand",
     "best pizza in New York",
     "Clinically proven to work", "Results guaranteed", "100 % safe", "Cures acne in 3 days",
     "Lose 10 pounds in a week",
     "9 out of 10 women saw a difference", "Double your money in 30 days", "The cheapest flights on the market",
     "Better than any other brand", "Twice as fast as other phones", "No side effects", "the safest car ever made",
     "Our serum reverses ageing", "Earn $5000 a week from home", "Carbon neutral shoes", "BEST COFFEE IN THE WORLD",
     "The bеst coffee in the wоrld",
     "最好的洗发水", "全网最低价", "国家级品质", "國家級品質", "销量第一", "第一品牌", "100%有效", "根治脱发",
     "7天美白", "稳赚不赔",
     "顶级享受", "无副作用", "行业领先", "最 好 的 手机", "NO.1品牌", "专家推荐", "月入过万", "最受欢迎的品牌",
     "我们是最好的"],
)  # fmt: skip
def test_claims_are_found(text):
    assert claims(text)


@pytest.mark.parametrize(
    "text",
    ["Best wishes!", "Do your best", "all the best", "The best way to start", "You deserve the best", "at its best",
     "my first time",
     "No one like you", "Tip #1: drink", "your number one reason", "100% cotton", "money-back guarantee",
     "free returns",
     "treats for dogs", "Cure your Monday blues", "better than ever", "our lowest price this season", "no risk of rain",
     "the most wonderful time", "20% more free", "Interest rate 3.2% p.a.", "No. 10 Downing Street",
     "a proven favourite",
     "第一次", "第一时间", "最近", "最后三天", "最新款", "最多可领三张", "最佳食用期", "顾客第一", "安全第一",
     "本店最大码", "最适合散步的季节",
     "送给最好的朋友", "最好提前预约", "100%纯棉", "唯一的遗憾", "29日入住", "最爱这一口", "最低消费50元"],
)  # fmt: skip
def test_what_claims_nothing_passes(text):
    assert claims(text) == []


def test_a_source_mends_what_a_source_can_mend():
    assert claims("The world's best shoes (source: Kantar 2024)") == []
    assert claims("销量第一（数据来源：尼尔森2024）") == []
    assert claims("Guaranteed to cure acne, according to a study by Kantar")
    assert claims("国家级品质，来源：官网")


def test_proven_claims_pass_in_any_case():
    assert claims("It is CLINICALLY proven.", ["clinically proven"]) == []


def test_the_piece_is_shown_as_written():
    assert claims("Our World's Best shoes")[0].where == "World's Best"


@given(st.text())
def test_any_text_is_read(text):
    claims(text)
