"""gensim's skip-gram behind our door: planted topics, the same in every process, gensim's own numbers, clear errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from smlab.checks import DataAbsent, DataError, UsageError
from smlab.skipgram import SkipGram, planted_corpus
from smlab.word2vec import train_vectors

POSTS = planted_corpus(300)


def parted(vectors) -> float:
    """Mean cosine of topic words within their topic less that between the topics."""
    a, b = (vectors.unit[[i for i, w in enumerate(vectors.words) if w[0] == t]] for t in "ab")
    return float((a @ a.T).mean() + (b @ b.T).mean() - 2 * (a @ b.T).mean()) / 2


def test_two_vocabularies_part_as_they_do_by_hand():
    settings = {"n_factors": 16, "epochs": 5, "learning_rate": 0.05, "subsample": 0}
    for seed in range(2):
        posts = planted_corpus(seed=seed)
        by_gensim = parted(train_vectors(posts, **settings, seed=seed))
        by_hand = parted(SkipGram(**settings, seed=seed).fit(posts).vectors_)
        assert by_gensim > 0.5 and by_gensim == pytest.approx(by_hand, abs=0.25)


def test_vectors_are_those_of_gensim_with_the_same_settings(tmp_path):
    """Not a digit differs: the door adds counting, order and checks, and changes no number."""
    from gensim.models import Word2Vec

    path = tmp_path / "posts.txt"
    path.write_text("\n".join(map(" ".join, POSTS)) + "\n")
    ours = train_vectors(POSTS, n_factors=12, window=3, negative=4, epochs=2, min_count=3, seed=5)
    peer = Word2Vec(
        sg=1, vector_size=12, window=3, negative=4, epochs=2, min_count=3, seed=5, workers=1, sorted_vocab=0
    )
    peer.build_vocab_from_freq(dict(zip(ours.words, ours.counts.tolist(), strict=True)))
    peer.train(corpus_file=str(path), total_words=sum(map(len, POSTS)), epochs=2)
    np.testing.assert_array_equal(ours.matrix, peer.wv.vectors)


def test_two_processes_give_the_same_bytes_whatever_python_hashes():
    code = (
        "from smlab.word2vec import train_vectors; from smlab.skipgram import planted_corpus; import zlib;"
        "v = train_vectors(planted_corpus(100), n_factors=8); print(zlib.crc32(v.matrix.tobytes()), v.words[:3])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": h},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for h in ("1", "2")
    ]
    assert runs[0] == runs[1] and runs[0]


def test_list_iterator_and_file_give_the_same_and_another_seed_does_not(tmp_path):
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(map(" ".join, POSTS)))  # no line break at the end
    a, b, c, d = (
        train_vectors(tokens, n_factors=8, seed=seed)
        for tokens, seed in ((POSTS, 0), (iter(POSTS), 0), (path, 0), (str(path), 1))
    )
    np.testing.assert_array_equal(a.matrix, b.matrix)
    np.testing.assert_array_equal(a.matrix, c.matrix)
    assert a.words == d.words and not np.array_equal(a.matrix, d.matrix)


def test_words_and_counts_are_exact_in_any_script():
    posts = [["不", "好", "👍🏽", ":-)", "\u3000x", "na\u00efve"], [], ["不"], ["好", "不"]] * 3
    found = train_vectors(posts, n_factors=4, min_count=4)
    assert dict(zip(found.words, found.counts.tolist(), strict=True)) == {"不": 9, "好": 6}
    assert set(train_vectors(posts, n_factors=4, min_count=1).words) == {
        "不",
        "好",
        "👍🏽",
        ":-)",
        "\u3000x",
        "na\u00efve",
    }


def test_posts_longer_than_gensims_sentences_are_learnt_whole():
    long = [word for post in planted_corpus(2500, length=10) for word in post]
    found = train_vectors([long], n_factors=4, epochs=1)
    assert found.counts.sum() == 25_000
    assert np.abs(found.matrix).mean() > 1 / 4 / 2  # moved away from its start, which is within ± 1/4


def test_log_gets_one_line_for_each_epoch():
    lines: list[str] = []
    train_vectors(POSTS, n_factors=4, epochs=3, log=lines.append)
    assert [line.split(":")[0] for line in lines] == [f"word2vec, epoch {i} of 3" for i in (1, 2, 3)]
    assert all(line.endswith(" words/s") for line in lines)


def test_nothing_is_printed(capfd):
    train_vectors(POSTS, n_factors=4)
    train_vectors(POSTS, n_factors=4, workers=2)
    assert capfd.readouterr() == ("", "")


ERRORS = {
    "post 1: token 'b c' must be one word, without spaces or half characters": [["a"], ["b c"]],
    "post 0: token '' must be one word": [[""]],
    r"post 2: token 'a\u2003\n' must be one word": [["a"], ["b"], ["a\u2003\n"]],
    r"post 1: token '\ud800' must be one word": [["a"], ["\ud800"]],
    "post 1: token None must be text": [["a"], ["b", None]],
    "post 1 is 'plain text', not a list of tokens": [["a"], "plain text"],
    "of 3 words none comes min_count=2 times": [["a", "b"], ["c"]],
    "of 0 words none comes": [],
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_names_the_post(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        train_vectors(ERRORS[text])


def test_error_names_a_post_far_down():
    with pytest.raises(UsageError, match=re.escape("post 10003: token 'x y'")):
        train_vectors([["a"]] * 10_003 + [["x y"]])


@pytest.mark.parametrize("change", [{"workers": 0}, {"epochs": 0}, {"min_count": 0}, {"seed": -1}, {"subsample": 2}])
def test_settings_that_cannot_be_are_refused(change):
    with pytest.raises(UsageError, match=f"{next(iter(change))}=-?\\d must be"):
        train_vectors(POSTS, **change)


def test_broken_files_are_refused_with_their_row(tmp_path):
    path = tmp_path / "posts.txt"
    with pytest.raises(DataAbsent, match="is no file"):
        train_vectors(path)
    path.write_bytes("好 film\ngut\n".encode() + b"caf\xe9 noir\n")
    with pytest.raises(DataError, match=re.escape(r"posts.txt, row 3: b'caf\xe9' must be UTF-8")):
        train_vectors(path)
