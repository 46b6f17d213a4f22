"""Tell good Chinese reviews from bad ones: ours beside TF-IDF and SnowNLP on the same splits, one JSON line each.

    python bench/chinese_reviews.py                                 a random 80/20 split of online_shopping_10_cats
    python bench/chinese_reviews.py --by-category                   each category held out in turn: other wares
    python bench/chinese_reviews.py --dataset smp2020_ewect         six emotions of Weibo posts, official split
    python bench/chinese_reviews.py --snownlp --most 1000           SnowNLP's ready model on the same test posts

Reviews that appear twice are dropped before any split (the readers do it). SnowNLP was trained on reviews of books,
hotels and computers that online_shopping_10_cats holds as well, so on these it has seen the test; its figures are
given for the other categories, `fair`, too. It is no dependency: install it where you want its line. SMLAB_DATA names
the folder with the datasets.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from smlab import classes, posts, sentiment
from smlab.text import Tokenizer
from smlab.word2vec import train_vectors

Answer = Callable[[pd.DataFrame, pd.DataFrame], Any]  # training part, test part → labels of the test part
SEEN = ("书籍", "酒店", "计算机")  # categories that SnowNLP's training reviews come from


def splits(data: posts.Posts, by_category: bool, seed: int) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    frame = data.frame.dropna(subset="label")
    if by_category:
        for name in sorted(frame["category"].unique()):
            yield name, frame[frame["category"] != name], frame[frame["category"] == name]
    elif "split" in frame:
        yield "official", frame[frame["split"] != "test"], frame[frame["split"] == "test"]
    else:
        yield "random", *train_test_split(frame, test_size=0.2, random_state=seed, stratify=frame["label"])


def tfidf(train: pd.DataFrame, test: pd.DataFrame) -> Any:
    return sentiment.ngrams(chars=None).fit(train["text"], train["label"]).predict(test["text"])


def combined(train: pd.DataFrame, test: pd.DataFrame) -> Any:
    vectors = train_vectors(Tokenizer(language="zh").many(train["text"]), epochs=5, seed=0)
    words = {"shopping": posts.load_lexicon()}
    model = sentiment.combination(word_vectors=vectors, lexicons=words, chars=(1, 3))
    return model.fit(train["text"], train["label"]).predict(test["text"])


def snownlp(_: pd.DataFrame, test: pd.DataFrame) -> Any:
    from snownlp import SnowNLP

    good = np.array([SnowNLP(text).sentiments >= 0.5 for text in test["text"]])
    return np.where(good, "positive", "negative")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="online_shopping_10_cats")
    parser.add_argument("--by-category", action="store_true")
    parser.add_argument("--snownlp", action="store_true")
    parser.add_argument("--most", type=int, help="test posts of a split at most, drawn; SnowNLP is slow")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    models: dict[str, Answer] = {"TF-IDF + LR": tfidf, "combination": combined}
    models = {"SnowNLP": snownlp} if args.snownlp else models
    for name, train, test in splits(posts.load_posts(args.dataset), args.by_category, args.seed):
        test = test.sample(min(len(test), args.most or len(test)), random_state=args.seed)
        for model, answer in models.items():
            started = time.perf_counter()
            called = answer(train, test)
            line: dict[str, Any] = {"split": name, "model": model, "posts": len(test)}
            line["seconds"] = round(time.perf_counter() - started, 1)
            found = classes.figures(test["label"], called)
            line |= {key: [round(x, 4) for x in found[key]] for key in ("accuracy", "macro_f1", "macro_recall")}
            if args.snownlp and "category" in test and not args.by_category:
                fair = ~test["category"].isin(SEEN).to_numpy()
                line["fair"] = [round(x, 4) for x in classes.figures(test["label"][fair], called[fair])["macro_f1"]]
            print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
