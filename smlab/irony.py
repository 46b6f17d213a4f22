"""Does a classifier hear irony? Pairs of posts in which the same praise is meant, and is not.

Each pair begins alike; the ironic one then says what happened, so that a reader hears that the praise is none. Its
label is negative, that of its twin positive: a classifier that counts words gives both the same. The posts are written
for this purpose (Gardner et al. 2020 call such pairs contrast sets); they measure, they are never trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.calibration import wilson
from smlab.checks import UsageError
from smlab.metrics import Interval

# opening, what a sincere post goes on with, what an ironic one goes on with
TWINS: dict[str, list[tuple[str, str, str]]] = {
    "en": [
        ("Oh great,", "the new update makes the app twice as fast!", "the app has crashed for the fifth time today."),
        ("I just love it when", "the parcel is here a day early.", "the parcel is left in the rain a week late."),
        ("Thanks a lot", "for sorting out my refund so quickly!", "for charging me twice for the same thing."),
        ("Well done,", "you fixed it in ten minutes.", "you broke it again in ten minutes."),
        ("Brilliant service:", "they called me back at once.", "forty minutes on hold, and then the line went dead."),
        ("What a wonderful morning:", "sun, coffee and good news.", "missed the train, and my laptop died."),
        ("Fantastic,", "my order came with a free gift.", "my order came without the thing I ordered."),
        ("So glad I paid extra for express delivery:", "it came overnight.", "it took two weeks."),
        ("Best phone ever:", "the battery lasts three days.", "the battery lasts until breakfast."),
        ("Lovely hotel,", "the view was what we dreamt of.", "the mould in the bathroom came at no extra charge."),
        ("Nice work,", "the site has never been so easy to use.", "the site logs me out whenever I press pay."),
        ("Really impressive:", "two clicks and it was done.", "three calls, four forms, and still nothing done."),
        ("Perfect,", "the shoes fit as if made for me.", "two left shoes, just what I always wanted."),
        ("I am so happy", "with my new headphones, what a sound.", "to be stuck at the airport for nine hours again."),
        ("Good job,", "the support team saved my holiday.", "the support team told me to read the manual."),
        ("Wow, quality:", "five years old and still like new.", "the handle came off on the second day."),
        ("Sure, the best airline:", "on time and kind as ever.", "my suitcase saw more of the world than I did."),
        ("Amazing food,", "we will be back next week.", "my dog would not touch it."),
        ("Can't wait", "to wear this to the party, it is gorgeous.", "to spend another evening on your hotline."),
        ("How clever:", "it switches off by itself and saves power.", "it switches off by itself in every call."),
        ("Congratulations,", "you have won a customer for life.", "you have lost a customer of ten years."),
        ("Such a helpful answer,", "it worked at the first try!", "copied from the page I had sent you."),
        ("A real bargain:", "half the price and twice as good.", "half the size of the picture and twice the price."),
        ("Always a pleasure", "to shop with you, thank you.", "to queue for an hour while two of you chat."),
    ],
    "zh": [
        ("真棒,", "更新以后速度快了一倍!", "今天第五次闪退了。"),
        ("客服真好,", "十分钟就帮我退了款。", "让我等了四十分钟然后挂了电话。"),
        ("物流真快,", "昨天下单今天就到了。", "半个月了还没出省。"),
        ("质量真不错,", "用了三年还跟新的一样。", "第二天把手就掉了。"),
        ("太感谢了,", "问题一下子就解决了。", "同一笔钱扣了我两次。"),
        ("真是好手机,", "充一次电能用三天。", "早饭没吃完就没电了。"),
        ("包装真用心,", "还送了一张手写的卡片。", "打开一看全碎了。"),
        ("酒店真干净,", "床单都是香的。", "浴室的霉斑都是免费送的。"),
        ("果然是大品牌,", "做工细致,值得信赖。", "两只鞋都是左脚的。"),
        ("太会做生意了,", "价格实惠还送小礼物。", "图片一大盆到手一小碟。"),
        ("厉害了,", "两步就设置好了。", "打了三次电话填了四张表还没办好。"),
        ("味道真好,", "下周还要再来。", "我家狗闻了闻就走了。"),
        ("恭喜你们,", "赢得了一个老顾客。", "成功赶走了一个十年的老顾客。"),
        ("真省心,", "什么都替我想到了。", "每次付款都要重新登录三遍。"),
        ("真是惊喜,", "比照片上还好看。", "颜色和照片没有半点关系。"),
        ("服务一流,", "有问必答,很耐心。", "问什么都是自动回复。"),
    ],
}


def twins(language: str = "en") -> pd.DataFrame:
    """Give the posts: text, pair (number), ironic, two rows a pair.

    Raises
    ------
    UsageError
        There are no pairs in this language.

    >>> twins("en").text.tolist()[:2]
    ['Oh great, the new update makes the app twice as fast!', 'Oh great, the app has crashed for the fifth time today.']
    """
    if language not in TWINS:
        raise UsageError(f"language={language!r}: there are ironic pairs in {' and '.join(TWINS)}")
    space = " " if language == "en" else ""
    rows = [
        (opening + space + end, pair, ironic)
        for pair, (opening, sincere, other) in enumerate(TWINS[language])
        for end, ironic in ((sincere, False), (other, True))
    ]
    return pd.DataFrame(rows, columns=["text", "pair", "ironic"])


def hears_irony(
    predict: Callable[[list[str]], ArrayLike],
    *,
    negative: str,
    positive: str,
    language: str = "en",
) -> dict[str, Interval]:
    """Give the share of sincere and of ironic posts that are called what they mean, with Wilson's 95 % intervals.

    Parameters
    ----------
    predict : from texts to labels
    negative, positive : the classifier's names of the two sides

    Returns
    -------
    sincere, ironic, and both: the share of pairs in which both are right

    >>> said = hears_irony(lambda texts: ["good"] * len(texts), negative="bad", positive="good")
    >>> said["sincere"].value, said["ironic"].value, said["both"].value
    (1.0, 0.0, 0.0)
    """
    posts = twins(language)
    meant = np.where(posts.ironic, negative, positive)
    right = (np.asarray(predict(posts.text.tolist()), dtype=object) == meant).reshape(-1, 2)  # (n_pairs, 2)
    shares = {"sincere": right[:, 0], "ironic": right[:, 1], "both": right.all(axis=1)}
    limits = {name: wilson(found.sum(), len(found)) for name, found in shares.items()}
    return {name: Interval(float(found.mean()), *map(float, limits[name])) for name, found in shares.items()}
