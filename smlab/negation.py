"""What a negation reaches: `not_` before every word from the negation to the end of its clause.

"not good" and "good" are opposites that share a word. Written not_good, the two differ for every model that counts
or embeds words (Das & Chen 2001, "Yahoo! for Amazon"; Pang, Lee & Vaithyanathan 2002, "Thumbs up?", who mark "every
word between a negation word and the first punctuation mark following"). The English negations are those of
Councill, McDonald & Velikovich (2010), "What's great and what's not", the Chinese ones those that a word segmenter
leaves on their own; fused words such as 不错 are words. Left out: that a second negation may undo the first
("not only", 不是不), and scope by grammar.
"""

from __future__ import annotations

from collections.abc import Sequence

MARK = "not_"
AUXILIARIES = "are ai ca could dare did does do had has have is might must need ought sha should was were wo would"
ENGLISH = """
hardly lack lacking lacks neither nor never no nobody none noone nothing nowhere not without cannot cant havnt
"""
CHINESE = """
不 没 没有 无 未 别 莫 勿 甭 不是 不会 不能 不要 不想 不可 不该 不敢 不用 不必 不够 不再 不曾 不怎么 没法 没能
无法 并非 并未 从不 从未 从没 从来不 毫不 毫无 绝不 决不 绝非 未必 未曾 未能 休想 缺乏 缺少
"""
CONTRACTED = {verb + end for verb in AUXILIARIES.split() for end in ("n't", "nt")}
NEGATIONS = frozenset({*ENGLISH.split(), *CHINESE.split(), *CONTRACTED})
# Quotes, brackets, hyphens and the like stand within a clause. All else that is no word ends it: on social media
# people often write an emoji or an emoticon where others write a full stop.
WITHIN = frozenset("'\"`()[]{}<>«»「」『』《》-_/&%$€£¥#@*+=^~|\\") | {"<user>"}


def mark_negated(tokens: Sequence[str]) -> list[str]:
    """Give the tokens, those in the scope of a negation with `not_` before them.

    >>> mark_negated("i don't like it , but you do".split())
    ['i', "don't", 'not_like', 'not_it', ',', 'but', 'you', 'do']
    >>> mark_negated("质量 不 太 好 ， 服务 好".split())
    ['质量', '不', 'not_太', 'not_好', '，', '服务', '好']
    """
    if NEGATIONS.isdisjoint(map(str.lower, tokens)):
        return list(tokens)
    marked, negated = [], False
    for token in tokens:
        if not token[:1].isalnum():
            negated = negated and (token in WITHIN or token[:1] == "#")
            marked.append(token)
        elif token.lower() in NEGATIONS:
            negated = True
            marked.append(token)
        else:
            marked.append(MARK + token if negated else token)
    return marked
