"""Write made-up queries to a shop's customer service, in English and Chinese, with planted intents.

A query is a way of asking, with an item or a number in it, and something around it. Of the ways to ask for a thing the
last two are met only in validation and test: a classifier has to understand what it was not told. Queries "oos" (out
of scope) are about other things; those of the test are others than those of training. No query is anybody's.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from smlab import atomic

PARTS = {"train": 30, "validation": 8, "test": 12}  # queries of an intent
OOS_PARTS = {"train": 40, "validation": 40, "test": 100}
NEW = 2  # ways of asking that training does not have


class Words(NamedTuple):
    """What queries of a language are made of; of the ways to ask for a thing the last two are new after training."""

    intents: dict[str, tuple[str, ...]]
    others: tuple[str, ...]
    things: tuple[str, ...]
    items: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


ENGLISH = Words(
    {
        "order_status": ("where is my {i}", "when will my {i} arrive", "has order {n} been sent", "track order {n}",
                         "my {i} has not come yet", "is my parcel on its way", "how long until the {i} gets here",
                         "order {n} still has not arrived"),
        "cancel_order": ("cancel order {n}", "I want to cancel my {i}", "please stop order {n}",
                         "I no longer want the {i} I ordered", "can I still cancel", "do not send order {n}",
                         "call off my order of the {i}", "how do I cancel what I ordered"),
        "return_item": ("I want to return the {i}", "how do I send the {i} back", "the {i} is too small, take it back",
                        "where do I return order {n}", "print a return label for the {i}", "can I exchange the {i}",
                        "I would like to give back my {i}", "how many days do I have for a return"),
        "refund": ("where is my refund", "when do I get my money back for order {n}", "refund the {i} please",
                   "my refund has not come", "I am waiting for the money for the {i}", "how long does a refund take",
                   "you owe me the money of order {n}", "has my refund been paid out"),
        "damaged_item": ("the {i} came broken", "my {i} does not work", "there is a crack in the {i}",
                         "the {i} stopped working after a day", "order {n} arrived damaged", "the {i} is faulty",
                         "my new {i} is defective", "the {i} was in pieces when I opened the box"),
        "change_address": ("change the address of order {n}", "I moved, send it to my new address",
                           "the delivery address is wrong", "can the {i} go to another address",
                           "update my address", "send order {n} to my office instead",
                           "I gave you the wrong street", "deliver the {i} to a new place"),
        "payment_problem": ("my card was declined", "the payment for order {n} failed", "I was charged twice",
                            "I cannot pay by card", "why does my payment not go through", "paying for the {i} fails",
                            "checkout does not accept my card", "you took the money two times"),
        "discount": ("do you have a discount code", "my code does not work", "is there a sale on the {i}",
                     "how do I use a voucher", "any coupon for a {i}", "can I get the {i} cheaper",
                     "the promo code is rejected", "is the {i} on offer soon"),
        "opening_hours": ("when are you open", "are you open on {d}", "what time does the shop close",
                          "opening hours on {d}", "is the store open now", "until when are you there on {d}",
                          "at what time do you shut on {d}", "which hours does the shop keep"),
        "human": ("I want to talk to a person", "let me speak to an agent", "connect me with somebody",
                  "is there a human here", "call me back please", "give me a real person",
                  "no more robot, a human please", "put me through to your staff"),
    },
    ("what is the weather on {d}", "tell me a joke", "how old is {t}", "what do you think of {t}", "play {t}",
     "how many people live in {t}", "who won the match on {d}", "translate {t} into French", "set an alarm for {d}",
     "what is {n} divided by seven", "recommend a film about {t}", "is {t} far from here", "write a poem on {t}",
     "what did {t} say on {d}", "book a table for {d}", "is it healthy to eat {t}", "how do I cook {t}",
     "why is {t} so famous"),
    ("the moon", "Rome", "jazz", "rice", "my cousin", "the mayor", "chess", "olives", "Mars", "the old bridge"),
    ("watch", "lamp", "jacket", "kettle", "headphones", "backpack", "tent", "keyboard", "pair of shoes", "mug"),
    ("", "hi, ", "hello, ", "please help: ", "question: ", "um, "),
    ("", "?", " please", ", thanks", "!!"),
)  # fmt: skip
CHINESE = Words(
    {
        "order_status": ("我的{i}到哪了", "{i}什么时候能到", "订单{n}发货了吗", "查订单{n}的物流", "快递还没到",
                         "我的包裹在路上吗", "{i}还要等几天才送来", "订单{n}一直没有收到"),
        "cancel_order": ("取消订单{n}", "我想取消{i}的订单", "{i}我不要了，别发货", "订单{n}能撤销吗", "还可以取消吗",
                         "请停止订单{n}", "不想买{i}了", "下错单了怎么撤回"),
        "return_item": ("我要退{i}", "{i}怎么退货", "尺寸不合适，{i}可以换吗", "订单{n}寄回到哪里", "退货地址是什么",
                        "{i}能换一个吗", "想把{i}寄回去", "几天之内可以退"),
        "refund": ("我的退款呢", "订单{n}的钱什么时候退", "{i}的退款还没到账", "退款要多久", "把{i}的钱退给我",
                   "退款到哪里了", "订单{n}的钱还没有回来", "你们欠我的钱什么时候给"),
        "damaged_item": ("{i}是坏的", "收到的{i}破了", "{i}用了一天就坏了", "订单{n}收到时已经损坏", "{i}有裂痕",
                         "{i}不能用", "新买的{i}有毛病", "打开盒子{i}就碎了"),
        "change_address": ("修改订单{n}的地址", "我搬家了，换个地址", "收货地址写错了", "{i}可以送到别的地址吗",
                           "把订单{n}寄到公司", "更新我的地址", "街道填错了", "{i}改送到新的地方"),
        "payment_problem": ("付款失败", "订单{n}付不了钱", "银行卡被拒绝", "被扣了两次钱", "为什么支付不成功",
                            "买{i}的时候付款出错", "结账时不接受我的卡", "多收了一次钱"),
        "discount": ("有优惠券吗", "优惠码不能用", "{i}打折吗", "怎么使用代金券", "{i}能便宜点吗", "{i}有活动吗",
                     "折扣码显示无效", "{i}最近会降价吗"),
        "opening_hours": ("你们几点开门", "{d}营业吗", "商店几点关门", "{d}的营业时间", "现在开着吗", "{d}开到几点",
                          "{d}什么时候打烊", "一般几点上班"),
        "human": ("转人工", "我要找客服", "让我跟真人说话", "有人在吗", "请给我回电话", "接人工客服",
                  "不要机器人", "帮我接一下你们的员工"),
    },
    ("{d}天气怎么样", "讲个笑话", "{t}多大了", "你觉得{t}怎么样", "播放{t}", "{t}有多少人口", "{d}的比赛谁赢了",
     "{t}用英语怎么说", "{d}叫我起床", "{n}除以七等于几", "推荐一部关于{t}的电影", "{t}离这里远吗", "写一首{t}的诗",
     "{t}为什么这么有名", "{d}订一张桌子", "吃{t}健康吗", "{t}怎么做", "{t}是什么意思"),
    ("月亮", "罗马", "爵士乐", "米饭", "表弟", "市长", "象棋", "橄榄", "火星", "老桥"),
    ("手表", "台灯", "外套", "水壶", "耳机", "背包", "帐篷", "键盘", "鞋子", "杯子"),
    ("", "你好，", "请问", "您好，", "急，", "那个，"),
    ("", "？", "，谢谢", "啊", "！！"),
)  # fmt: skip
DAYS = {"en": ("Monday", "Friday", "Saturday", "Sunday", "Christmas"), "zh": ("周一", "周五", "周六", "周日", "春节")}
FOLDERS = {"customer-queries": "en", "customer-queries-zh": "zh"}


def queries(language: str = "en", *, seed: int = 0) -> pd.DataFrame:
    """Invent queries: text, intent ("oos" where it is none of the shop's) and split; no text comes twice.

    >>> made = queries()
    >>> len(made), made["intent"].nunique(), made["text"].is_unique
    (680, 11, True)
    """
    words, rng = {"en": ENGLISH, "zh": CHINESE}[language], np.random.default_rng(seed)
    rows: list[tuple[str, str, str]] = []
    for intent, ways in {**words.intents, "oos": words.others}.items():
        sizes = OOS_PARTS if intent == "oos" else PARTS
        known = len(ways) // 2 if intent == "oos" else len(ways) - NEW
        old, new = (_filled(some, words, DAYS[language], rng) for some in (ways[:known], ways[known:]))
        share = 1.0 if intent == "oos" else 0.4  # of validation and test that is asked in a new way
        for part, size in sizes.items():
            n_new = 0 if part == "train" else round(share * size) if intent != "oos" or part == "test" else size // 2
            rows += [(text, intent, part) for text in _draw(new, n_new) + _draw(old, size - n_new)]
    return pd.DataFrame(rows, columns=["text", "intent", "split"])


def _filled(ways: tuple[str, ...], words: Words, days: tuple[str, ...], rng: np.random.Generator) -> list[list[str]]:
    """Give for each way of asking the queries that can be made of it, in a random order, none twice."""
    found = []
    for way in ways:
        slots = {"{i}": words.items, "{t}": words.things, "{d}": days, "{n}": tuple(map(str, range(40_310, 40_330)))}
        filled = [way.replace(slot, value) for slot, values in slots.items() if slot in way for value in values] or [
            way
        ]
        filled = [text.replace("{d}", days[k % len(days)]) for k, text in enumerate(filled)]
        made = sorted({a + text + z for a, text, z in product(words.before, filled, words.after)})
        # only rng.random() is drawn: its stream is the same in every version of NumPy, and the sample is compared
        found.append([made[k] for k in np.argsort(rng.random(len(made)), kind="stable")])
    return found


def _draw(ways: list[list[str]], n: int) -> list[str]:
    """Take n queries, of each way in turn, and off the lists."""
    return [ways[k % len(ways)].pop() for k in range(n)]


def write_samples(folder: Path) -> None:
    """Write `customer-queries/` and `customer-queries-zh/`, always the same bytes."""
    for name, language in FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        text = queries(language).to_csv(index=False, lineterminator="\n")
        atomic.write(folder / name / "intents.csv", text.encode())
