"""Train word vectors on posts, ours or gensim's, same tokens and settings: one JSON line with words per second.

    python bench/word2vec_speed.py DATA --ours                 raw posts to vectors: cutting into tokens is timed too
    python bench/word2vec_speed.py DATA --ours --from tokens   from a file of tokens on, as gensim below
    python bench/word2vec_speed.py DATA                        gensim's Word2Vec(corpus_file=…), its quickest way

DATA is a text file with one post in each line, or TweetEval's folder, of which sentiment/train_text.txt is taken. Words
per second are the tokens times the epochs over the seconds from call to vectors, vocabulary included; cpu_seconds
count all threads and depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gensim.models import Word2Vec

from smlab.text import Tokenizer
from smlab.word2vec import train_vectors


def posts_of(data: Path) -> list[str]:
    path = data / "sentiment" / "train_text.txt" if data.is_dir() else data
    return path.read_text(encoding="utf-8").splitlines()


def write(tokens: list[list[str]], path: Path) -> Path:
    path.write_text("\n".join(map(" ".join, tokens)) + "\n", encoding="utf-8")
    return path


def ours(source: list[list[str]] | Path, args: argparse.Namespace) -> int:
    hyper = {"n_factors": args.factors, "window": args.window, "negative": args.negative, "epochs": args.epochs}
    return len(train_vectors(source, **hyper, min_count=args.min_count, workers=args.workers, seed=args.seed))


def gensim(source: Path, args: argparse.Namespace) -> int:
    hyper = {"vector_size": args.factors, "window": args.window, "negative": args.negative, "epochs": args.epochs}
    settings: dict[str, Any] = {"sg": 1, "sample": 1e-3, "alpha": 0.025, "min_count": args.min_count}
    return len(Word2Vec(corpus_file=str(source), workers=args.workers, seed=args.seed, **settings, **hyper).wv)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Start the clock before or after the posts are cut into tokens, and stop it when the vectors are there."""
    posts, tokenizer = posts_of(args.data), Tokenizer(language=args.language)
    with tempfile.TemporaryDirectory() as folder:
        whole = args.ours and args.start == "text"
        clock = time.perf_counter(), time.process_time()
        tokens = tokenizer.many(posts)
        cutting = time.perf_counter() - clock[0]
        if whole:
            n_vectors = ours(tokens, args)
        else:
            file = write(tokens, Path(folder) / "tokens.txt")
            clock = time.perf_counter(), time.process_time()
            n_vectors = ours(file, args) if args.ours else gensim(file, args)
        seconds, cpu = time.perf_counter() - clock[0], time.process_time() - clock[1]
    n_words = sum(map(len, tokens))
    figures = {"posts": len(posts), "words": n_words, "vectors": n_vectors, "seconds": round(seconds, 2)}
    figures |= {"cpu_seconds": round(cpu, 2), "cutting_seconds": round(cutting, 2)}
    return figures | {"words_per_second": round(n_words * args.epochs / seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--ours", action="store_true", help="smlab instead of gensim")
    parser.add_argument(
        "--from", dest="start", choices=["text", "tokens"], default="text", help="where our clock starts"
    )
    parser.add_argument("--language", choices=["auto", "en", "zh"], default="en")
    parser.add_argument("--factors", type=int, default=100)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--negative", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--min-count", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="threads; several give other numbers each time")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    line = {k: v for k, v in vars(args).items() if k not in ("data", "ours", "start")}
    line |= {"library": "smlab" if args.ours else "gensim", "from": args.start if args.ours else "tokens"}
    print(json.dumps(line | run(args)))


if __name__ == "__main__":
    main()
