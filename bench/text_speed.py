"""Cut the same tweets into tokens with NLTK's TweetTokenizer, or with ours: one JSON line with speed.

    python bench/text_speed.py FILE_OR_FOLDER            NLTK, in an environment that has it
    python bench/text_speed.py FILE_OR_FOLDER --ours     smlab, here or in the peer's environment

FILE holds one post on each line, UTF-8; of a folder, `sentiment/train_text.txt` in it is taken. Both tools do the
same job: words in lower case, repeated letters cut. `--peer-defaults` leaves both out for NLTK alone, which is less
work. Reading aside; each round begins with a new tokenizer that has seen nothing, and the median counts. Seconds are
those that the process was computing, on one core, so that what else runs on the machine does not count; wall_seconds
passed. A tool's tokens are those that it gives itself: posts per second is the fair figure. NLTK is no dependency.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

Cut = Callable[[str], list[str]]


def read(path: Path, limit: int | None) -> list[str]:
    """Give the posts of a file, or of the official training file in a folder."""
    path = path / "sentiment" / "train_text.txt" if path.is_dir() else path
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")[:limit]


def ours() -> tuple[str, Callable[[], Cut]]:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import smlab
    from smlab.text import Tokenizer

    return f"smlab {smlab.__version__}", Tokenizer


def nltk(defaults: bool) -> tuple[str, Callable[[], Cut]]:
    import nltk
    from nltk.tokenize import TweetTokenizer

    options = {} if defaults else {"preserve_case": False, "reduce_len": True}
    return f"nltk {nltk.__version__}", lambda: TweetTokenizer(**options).tokenize


def measure(new: Callable[[], Cut], posts: list[str], rounds: int) -> tuple[float, float, int]:
    """Give median seconds, computing and by the clock, and tokens; patterns are compiled before the clock starts."""
    new()("ready?")
    computing, passed, tokens = [], [], 0
    for _ in range(rounds):
        cut = new()
        before, started = time.process_time(), time.perf_counter()
        tokens = sum(len(cut(post)) for post in posts)
        computing.append(time.process_time() - before)
        passed.append(time.perf_counter() - started)
    return statistics.median(computing), statistics.median(passed), tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="file of posts, or the folder of TweetEval")
    parser.add_argument("--ours", action="store_true", help="smlab instead of the peer")
    parser.add_argument("--peer-defaults", action="store_true", help="NLTK as it comes: case and lengths are kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="only so many posts")
    args = parser.parse_args()
    posts = read(args.data, args.limit)
    library, new = ours() if args.ours else nltk(args.peer_defaults)
    seconds, wall, tokens = measure(new, posts, args.rounds)
    line = {"library": library, "python": platform.python_version(), "posts": len(posts), "tokens": tokens}
    line |= {"characters": sum(map(len, posts)), "rounds": args.rounds}
    line |= {"seconds": round(seconds, 3), "wall_seconds": round(wall, 3)}
    line |= {"tokens_per_second": round(tokens / seconds), "posts_per_second": round(len(posts) / seconds)}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
