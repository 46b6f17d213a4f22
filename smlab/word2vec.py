"""Word vectors for real work: the skip-gram of `skipgram`, trained by gensim's C code on millions of words.

gensim reads a file of posts quickest, so the tokens go to one, once; the words are counted on the way, where gensim
would read the file again for that. What comes back are `WordVectors`, plain arrays without gensim.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from smlab.checks import DataError, UsageError, shorten
from smlab.skipgram import need_rates, need_whole, vocabulary
from smlab.wordvectors import Log, WordVectors, need_file, need_tokens


def train_vectors(
    tokens: Iterable[Sequence[str]] | str | Path,
    *,
    n_factors: int = 100,
    window: int = 5,
    negative: int = 5,
    epochs: int = 5,
    learning_rate: float = 0.025,
    min_count: int = 2,
    subsample: float = 1e-3,
    workers: int = 1,
    seed: int = 0,
    log: Log | None = None,
) -> WordVectors:
    """Learn word vectors by skip-gram with negative sampling (Mikolov et al. 2013).

    One worker gives the same numbers each time, in each process of a machine. Several are quicker and do not: they
    write to one matrix in the order in which they come.

    Parameters
    ----------
    tokens : posts, each a list of tokens; or the path of a text file (UTF-8) with a post in each line and spaces
        between its tokens
    workers : threads
    log : takes one line for each epoch, such as `progress.say`
    n_factors, window, negative, epochs, learning_rate, min_count, subsample, seed : as of `SkipGram`, except that a
        word of frequency f is kept with probability √(t/f) + t/f, as in the tool of the paper

    Raises
    ------
    UsageError, DataError, DataAbsent
        If no word comes `min_count` times, a token is empty or holds a space (with the number of its post), or the
        file is absent or no text in UTF-8 (with its row).

    >>> vectors = train_vectors([["good", "film"], ["good", "song"]] * 50, n_factors=8)
    >>> vectors.words, vectors.counts.tolist(), vectors.matrix.shape
    (['good', 'film', 'song'], [100, 50, 50], (3, 8))
    """
    need_whole(n_factors=n_factors, window=window, negative=negative, epochs=epochs, min_count=min_count)
    need_whole(workers=workers)
    need_rates(learning_rate, subsample, seed)
    from gensim.models import Word2Vec  # takes a second

    with tempfile.TemporaryDirectory() as folder:
        path = Path(tokens) if isinstance(tokens, str | Path) else Path(folder) / "posts.txt"
        found = _count(path) if isinstance(tokens, str | Path) else _write(tokens, path)
        counts = vocabulary(found, min_count)
        # Sorted here, since gensim's own order of equal counts depends on the order of posts. First vectors come from
        # the seed alone: gensim 4 keeps its `hashfxn` but no longer asks it, so PYTHONHASHSEED does not matter.
        model = Word2Vec(
            sg=1, vector_size=n_factors, window=window, negative=negative, alpha=learning_rate, sample=subsample,
            min_count=1, workers=workers, seed=seed, sorted_vocab=0,
        )  # fmt: skip
        model.build_vocab_from_freq(counts)
        callbacks = [] if log is None else _reports(log, found.total(), epochs)
        model.train(corpus_file=str(path), total_words=found.total(), epochs=epochs, callbacks=callbacks)
    return WordVectors(list(counts), model.wv.vectors, np.array([*counts.values()]))


def _write(tokens: Iterable[Sequence[str]], path: Path) -> Counter[str]:
    """Write one post in each line, and count the words."""
    counts: Counter[bytes] = Counter()
    posts, start = iter(tokens), 0
    with path.open("wb") as file:
        while some := list(islice(posts, 10_000)):
            try:
                text, words = _lines(some)
            except (TypeError, ValueError):
                raise _blame(some, start) from None
            counts.update(words)
            file.write(text + b"\n")
            start += len(some)
    return _decoded(counts)


def _lines(posts: list[Sequence[str]]) -> tuple[bytes, list[bytes]]:
    """Give posts as lines in UTF-8, and their words, cut at the white space of ASCII as gensim's C code cuts them."""
    text = "\n".join(map(" ".join, posts)).encode()
    words = text.split()
    between = len(words) - sum(len(post) > 0 for post in posts) + len(posts) - 1  # spaces and line breaks put in here
    if len(words) != sum(map(len, posts)) or sum(map(len, words)) + between != len(text):
        raise ValueError("a token is empty or holds a space")
    if any(isinstance(post, str) for post in posts):
        raise TypeError("a post is a text")
    return text, words


def _blame(posts: list[Sequence[str]], start: int) -> UsageError:
    """Find the token that cannot stand in a file of words."""
    need_tokens(posts, start)
    for row, post in enumerate(posts, start):
        for token in post:
            if not isinstance(token, str):
                return UsageError(f"post {row}: token {shorten(repr(token))} must be text")
            if token.encode("utf-8", "replace").split() != [token.encode("utf-8", "ignore")]:
                shown = shorten(repr(token))
                return UsageError(f"post {row}: token {shown} must be one word, without spaces or half characters")
    return UsageError(f"the posts from {start} on are no lists of words")


def _count(path: Path) -> Counter[str]:
    """Count the words of a text file."""
    need_file(path)
    counts: Counter[bytes] = Counter()
    with path.open("rb") as file:
        while text := file.read(1 << 24):
            counts.update((text + file.readline()).split())
    try:
        return _decoded(counts)
    except UnicodeDecodeError as error:
        wrong: bytes = error.object
        with path.open("rb") as file:
            row = next(i for i, line in enumerate(file, 1) if wrong in line)
        raise DataError(path, "must be UTF-8", row=row, value=wrong) from None


def _decoded(counts: Counter[bytes]) -> Counter[str]:
    return Counter({word.decode(): n for word, n in counts.items()})


def _reports(log: Log, n_words: int, epochs: int) -> list[Any]:
    from gensim.models.callbacks import CallbackAny2Vec

    class Report(CallbackAny2Vec):
        epoch = 0

        def on_epoch_begin(self, model: Any) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, model: Any) -> None:
            self.epoch += 1
            seconds = max(time.perf_counter() - self.started, 1e-9)
            log(f"word2vec, epoch {self.epoch} of {epochs}: {n_words / seconds:,.0f} words/s")

    return [Report()]
