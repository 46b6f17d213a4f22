"""What do we answer? A template for an intent, filled with facts of the house, or a person, with the reason.

Nothing of a message goes into a reply. It decides by its intent, and by signs below which hand it to a person; the
only piece of it that is looked up is the number of an order, and that reply tells what the house has under it, to the
one who ordered. So text that looks like a prompt, a script or a formula changes nothing: nobody reads it as one.
The first rule that holds decides. Signs are words: irony, and what is meant but not said, go unseen, and no threshold
on the confidence mends that. A reply is a proposal; a person lets it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd

from smlab import redaction, variants
from smlab.checks import UsageError, shorten
from smlab.guard import Guard
from smlab.hanzi import language
from smlab.spelling import normalise

FIRST = ("life", "health")  # rules that come before all else in the queue
LONG = 2_000  # signs, beyond which a program should not pretend to have read it
READ = 20_000  # signs that are searched
PERSON = ("human", "report_fraud")  # intents that are no program's
MONEY = ("refund", "return_item", "cancel_order", "payment_problem", "damaged_item")
SIGNS = {  # rule: why, and the words for it
    "life": ("somebody may be in danger: a person reads this first",
        r"suicid\w*|self[- ]?harm\w*|(?:kill|hurt|harm|cut)(?:ing)? myself|(?:want|going|ready) to die"
        r"|no reason to live|end(?:ing)? (?:my life|it all)|better off dead",
        "自杀|自残|轻生|不想活|想死|活不下去|结束生命"),
    "health": ("somebody may be hurt: a person answers",
        r"injur\w+|hospital\w*|ambulance|allerg\w+|bleeding|chok(?:ed|ing)|poison\w*|electric shock|electrocuted"
        r"|explod\w+|(?:caught|on) fire|burn(?:t|ed|s)? (?:my|his|her|our) \w+|made (?:me|us|him|her) (?:ill|sick)",
        "受伤|医院|过敏|流血|中毒|触电|着火|起火|爆炸|烫伤|烧伤|窒息"),
    "law": ("this is about law, and a person answers",
        r"lawyers?|solicitor|attorney|su(?:e|ing) (?:you|them)|lawsuit|court|legal action|police|ombudsman|gdpr"
        r"|chargeback|consumer (?:rights|protection)|data protection|delete (?:all )?my data",
        "律师|起诉|法院|法律|报警|警察|举报|维权|工商局|12315|消费者协会|消协|删除我的(?:数据|信息)"),
    "human": ("a person is asked for",
        r"(?:speak|talk|chat|put me through|connect me)(?: \w+)? (?:to|with) (?:\w+ ){0,2}(?:human|person|agent|staff"
        r"|somebody|someone|manager|representative)|(?:real|live) (?:human|person|agent)|human please",
        "转人工|人工客服|找客服|不要机器人|真人(?:客服|说话|服务|回)"),
}  # fmt: skip
SEEN = {rule: re.compile(rf"\b(?:{en})\b|{zh}", re.IGNORECASE) for rule, (_, en, zh) in SIGNS.items()}
ENGLISH = re.compile(r"\b(?:the|my|i|you|your|to|is|are|what|how|can|of|for|have|has|it|and|please|with|a|me|on)\b")
OTHERS = re.compile(  # words that tell that Latin letters are not English
    r"\b(?:el|la|los|un|una|del|mi|por|para|con|es|le|les|du|mon|ma|je|est|et|pas|der|die|das|ein|eine|ich|mein|ist"
    r"|nicht|und|wo|il|mio|dove|non|che|meu|minha|het|een|mijn|waar|is|niet|a|me|on)\b"
)
FOREIGN = re.compile("[^\\W\\d_a-zA-Z\u3400-\u9fff]")  # letters that are neither plain Latin nor Han
ORDER = re.compile(r"(?<![\d.,])\d{4,12}(?![\d.,]*\d)")
SUM = re.compile(
    r"[$€£¥]\s?(\d[\d.,]{0,15})\s?([万k]?)|(\d[\d.,]{0,15})\s?([万k]?)\s?"
    r"(?:[$€£¥元块]|(?:euros?|dollars?|pounds?|usd|eur|gbp|rmb|cny|yuan)\b)", re.IGNORECASE,
)  # fmt: skip
NEEDS, OPTIONAL = re.compile(r"\{(\w+)"), re.compile(r"\[[^\]]*\]")
OOS = "oos"
STATES = {
    "en": {"packed": "is being packed", "sent": "is on its way", "delivered": "was delivered"},
    "zh": {"packed": "正在打包", "sent": "已经发出，正在路上", "delivered": "已经送达"},
}
TEMPLATES: dict[str, dict[str, str]] = {
    "en": {
        "order_status": "Order {order} {status}[, and should arrive on {arrives:%-d %B}].",
        "cancel_order": "You can cancel an order yourself until it is sent: {cancel_link}",
        "return_item": "You can return things within {return_days} days. How it works, and the label: {return_link}",
        "refund": "We pay money back within {refund_days} days after your return has reached us.",
        "damaged_item": "We are sorry, and replace what came damaged. Send a photo and the number: {return_link}",
        "change_address": "You can change the address until the order is sent: {address_link}",
        "payment_problem": "You can pay by {payment}. Money of a failed payment is free again in {release_days} days.",
        "discount": "Offers, and how to use a code: {offers_link}", "opening_hours": "We are open {hours}.",
        "greeting": "Hello! What can we do for you?", "goodbye": "Goodbye, and thank you for writing.",
        "thank_you": "You are welcome.",
        "are_you_a_bot": "A program suggests these answers, and people read them. Write “human” and a person answers.",
        "what_can_i_ask_you": "Ask about orders, returns, payments, offers and opening hours.",
        "cancel": "We stop here. If you meant an order, please send its number.",
        "report_lost_card": "Please block the card at once with the bank that gave it to you[, or on {block_line}].",
        "card_declined": "You can pay by {payment}. Why a card is declined only its bank can see.",
    },
    "zh": {
        "order_status": "订单{order}{status}[，预计{arrives:%-m月%-d日}送达]。",
        "cancel_order": "订单发出之前可以自助取消：{cancel_link}",
        "return_item": "{return_days}天内可以退换货，步骤和退货标签：{return_link}",
        "refund": "我们收到退货后{refund_days}天内退款。",
        "damaged_item": "非常抱歉。到货损坏我们会更换，请在这里提交照片和订单号：{return_link}",
        "change_address": "发货之前可以修改地址：{address_link}",
        "payment_problem": "可以使用{payment}付款。如果付款失败，冻结的金额会在{release_days}天内解冻。",
        "discount": "优惠活动和优惠码的用法：{offers_link}", "opening_hours": "营业时间：{hours}。",
        "greeting": "您好！请问有什么可以帮您？", "thank_you": "不客气。", "goodbye": "再见，感谢您的来信。",
    },
}  # fmt: skip
SMALL_TALK = ("greeting", "goodbye", "thank_you")  # which may be said again


class Reply(NamedTuple):
    """What is proposed: a text, or (text "") a person; then by which rule; the reason is a sentence."""

    language: str
    text: str
    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class House:
    """What a house may answer by itself.

    Parameters
    ----------
    facts : language → name → value, for the fields of the templates; None is not known
    orders : number → customer, status (of `STATES`), and where known arrives (a date) and amount
    templates : language → intent → text, with fields and optional pieces as in `variants`
    guard : texts → what `Guard.check` gives; None lets all pass
    sure : confidence from which a reply is proposed
    angry, urgent : probabilities from which a person answers
    most : sum of money above which a person answers, whatever the currency
    again : a person answers who asks for the same thing as many times

    >>> House(facts={"en": {"hours": "every day"}}).reply("are you open?", "opening_hours", 0.9).text
    'We are open every day.'
    """

    facts: Mapping[str, Mapping[str, Any]]
    orders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: TEMPLATES)
    guard: Callable[[Sequence[str]], pd.DataFrame] | None = None
    sure: float = 0.6
    angry: float = 0.8
    urgent: float = 0.8
    most: float = 100.0
    again: int = 3

    def reply(
        self, text: str, intent: str, confidence: float, *, refused: bool = False, negative: float = 0.0,
        urgent: float = 0.0, author: object = None, held: bool = False, asked: int = 0,
    ) -> Reply:  # fmt: skip
        """Propose a reply to one message, or a person.

        Parameters
        ----------
        intent, confidence, refused : what the classifier says; refused is out of scope
        negative, urgent : P(angry or unhappy), P(urgent); one that is not known (NaN) is taken for high
        author : who writes, as the orders name customers
        held : whether a person has this conversation
        asked : how often this author asked for this before
        """
        if not isinstance(text, str):
            raise UsageError(f"a message must be a text, not {type(text).__name__}")
        read, plain = text[:READ], normalise(text[:READ])
        spoken = _language(plain)
        orders = {n: self.orders[n] for n in dict.fromkeys(ORDER.findall(plain)) if n in self.orders}
        at_stake = max([*_sums(plain), *(o.get("amount") or 0 for o in orders.values() if intent in MONEY)], default=0)
        times = asked + 1 if intent not in SMALL_TALK else 0
        signs = {rule: (bool(sign.search(plain)) or intent in PERSON and rule == "human") and SIGNS[rule][0]
                 for rule, sign in SEEN.items()}  # fmt: skip
        unmet: dict[str, str | bool] = {
            **signs,
            "personal": bool(redaction.find(read)) and "it holds personal data, such as a phone number or an e-mail",
            "empty": not spoken and "there are no words to answer",
            "long": len(text) > LONG and f"it has {len(text):,} signs, more than a program should answer",
            "language": spoken not in self.templates and "it is in a language for which there are no templates",
            "angry": not negative < self.angry and f"it is negative with a probability of {negative:.2f}",
            "urgent": not urgent < self.urgent and f"it is urgent with a probability of {urgent:.2f}",
            "money": at_stake > self.most and f"{at_stake:,.0f} are at stake, more than {self.most:,.0f}",
            "held": held and "a person has this conversation, and has not closed it",
            "again": times >= self.again and f"the same is asked {times} times: our answer did not help",
            "out of scope": (refused or intent == OOS) and "it looks like none of the intents",
            "unsure": not confidence >= self.sure and f"the confidence {confidence:.2f} is below {self.sure:.2f}",
        }
        for rule, why in unmet.items():
            if why:
                return Reply(spoken, "", rule, str(why))
        return self._filled(spoken, intent, confidence, orders, author)

    def replies(self, messages: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
        """Propose a reply to each message by itself: language, reply, rule, reason. Columns: see `Desk.triage`."""
        rows = [self.reply(text, *said, **known) for text, said, known in each(messages, answers)]
        return pd.DataFrame(rows, messages.index, ["language", "reply", "rule", "reason"])

    def _filled(self, spoken: str, intent: str, confidence: float, orders: Mapping[str, Any], author: object) -> Reply:
        """Fill the template of an intent, and hold it against the guard."""
        template = self.templates[spoken].get(intent)
        if template is None:
            return Reply(spoken, "", "no template", f"the house has no answer to {shorten(intent)}")
        facts = dict(self.facts.get(spoken, {}))
        if len(orders) == 1:
            number, order = next(iter(orders.items()))
            if author is not None and order.get("customer") == author:
                status = STATES[spoken].get(order.get("status", ""))
                facts |= {"order": number, "status": status, "arrives": order.get("arrives")}
        if missing := [n for n in NEEDS.findall(OPTIONAL.sub("", template)) if facts.get(n) is None]:
            what = " and ".join(missing)
            return Reply(spoken, "", "no fact", f"the answer to {intent} needs {what}, which we do not have for this")
        text = _fill(template, tuple((n, facts.get(n)) for n in dict.fromkeys(NEEDS.findall(template))))
        if self.guard and (why := _refusal(self.guard, text)):
            return Reply(spoken, "", "guard", f"the guard refuses the answer: {why}")
        return Reply(spoken, text, "", f"asks for {intent}, with confidence {confidence:.2f}")


def shop() -> House:
    """Give a made-up shop with its facts in English and Chinese, orders 40310 to 40329 of customers c0 to c4, a guard.

    >>> shop().reply("订单40311发货了吗", "order_status", 0.9, author="c1").text
    '订单40311已经发出，正在路上，预计3月3日送达。'
    """
    links = {name: f"https://shop.example/{name}" for name in ("cancel", "return", "address", "offers")}
    same = {"return_days": 30, "refund_days": 5, "release_days": 7} | {f"{n}_link": url for n, url in links.items()}
    english = {"hours": "Monday to Saturday from 9 to 18", "payment": "card, bank transfer or invoice"}
    chinese = {"hours": "周一至周六9点到18点", "payment": "银行卡、微信或支付宝"}
    orders = {str(40310 + i): {"customer": f"c{i % 5}", "status": list(STATES["en"])[i % 3], "amount": 15.0 * (i + 1),
                               "arrives": date(2026, 3, 2 + i) if i % 3 == 1 else None} for i in range(20)}  # fmt: skip
    guard = Guard(hosts=["shop.example"]).check
    return House(facts={"en": same | english, "zh": same | chinese}, orders=orders, guard=guard)


def each(messages: pd.DataFrame, answers: pd.DataFrame) -> Iterator[tuple[str, tuple[str, float], dict[str, Any]]]:
    """Give of each message its text, (intent, confidence), and what else is known, by the names of `House.reply`."""
    for frame, what, names in ((messages, "messages", ["text"]), (answers, "answers", ["called", "probability"])):
        if missing := [name for name in names if name not in frame]:
            raise UsageError(f"the {what} have no column {missing[0]!r}")
    if len(messages) != len(answers):
        raise UsageError(f"{len(messages)} messages and {len(answers)} answers: each message needs one")
    known = [messages[name] for name in ("author", "negative", "urgent") if name in messages]
    known += [answers["refused"]] if "refused" in answers else []
    columns = messages["text"], answers["called"], answers["probability"], *known
    for text, intent, p, *rest in zip(*columns, strict=True):
        yield text, (str(intent), float(p)), {str(c.name): v for c, v in zip(known, rest, strict=True)}


def _language(plain: str) -> str:
    """Say "en", "zh", "other", or "" where there are no words.

    >>> [_language(t) for t in ("where is it", "我的订单呢", "dónde está mi pedido", "これはいつ", "🙂")]
    ['en', 'zh', 'other', 'other', '']
    """
    if not (letters := sum(map(str.isalpha, plain))):
        return ""
    if 10 * len(FOREIGN.findall(plain)) > letters:
        return "other"
    if language(plain) == "zh":
        return "zh"
    english, others = (len(known.findall(plain.lower())) for known in (ENGLISH, OTHERS))
    return "en" if english >= others else "other"


def _sums(plain: str) -> Iterator[float]:
    """Give sums of money: what stands after the last sign, if it is two digits or one, are cents."""
    for found in SUM.finditer(plain):
        number, size = (found[1], found[2]) if found[1] else (found[3], found[4])
        whole, cents = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?[.,]*", number).groups()  # type: ignore[union-attr]
        value = float(f"{re.sub('[.,]', '', whole) or 0}.{cents or 0}")
        yield value * {"万": 1e4, "k": 1e3}.get(size.lower(), 1)


@lru_cache(4096)
def _fill(template: str, facts: tuple[tuple[str, Any], ...]) -> str:
    return str(variants.fill({"": [template]}, dict(facts))["text"].iloc[0])


@lru_cache(4096)
def _refusal(guard: Callable[[Sequence[str]], pd.DataFrame], text: str) -> str:
    found = guard([text])
    return "" if found["passes"].all() else str(found["why"].iloc[0])
