"""The LSTM language model: chances that sum to one, scores that are their product, and a memory beyond n-grams."""

import re

import numpy as np
import pytest
import torch

from smlab.checks import UsageError
from smlab.ngrams import NGrams
from smlab.textlstm import TextLSTM, _parts

SMALL = {"n_factors": 12, "n_hidden": 24, "min_count": 1, "device": "cpu", "dropout": 0.0}
FIRST = ["red x x x x stop", "blue x x x x go"]  # the end depends on the beginning, five tokens back


@pytest.fixture(scope="module")
def model():
    return TextLSTM(epochs=12, batch_size=8, learning_rate=2e-2, **SMALL).fit(FIRST * 40)


def test_chances_sum_to_one_and_start_never_comes(model):
    for start in ("", "red", "red x x", "never seen"):
        p = model.following(start)
        assert p.sum() == pytest.approx(1, abs=1e-5) and p[0] == 0 and (p[1:] > 0).all()


def test_score_is_the_product_of_the_chances(model):
    bits = 0.0
    for start, token in (("", "red"), ("red", " x"), ("red x", " go"), ("red x go", "<end>")):
        bits -= np.log2(model.following(start)[model.tokens_.index(token)])
    found, tokens = model.bits(["blue x", "red x go", ""])
    assert found[1] == pytest.approx(bits, rel=1e-4) and tokens.tolist() == [3, 4, 1]
    assert found[0] == pytest.approx(model.bits(["blue x"])[0][0], rel=1e-4)  # whatever stands beside it


def test_it_remembers_what_an_ngram_forgets(model):
    trigram = NGrams(order=3, min_count=1).fit(FIRST * 40)
    assert model.bits(FIRST)[0].mean() < 1.3 < trigram.bits(FIRST)[0].mean()  # 1 bit is the choice of the colour
    assert set(model.write(20, seed=1, temperature=0.3)) == set(FIRST)


def test_saved_and_loaded_it_is_the_same(model, tmp_path):
    again = TextLSTM.load(model.save(tmp_path / "lstm.pt"), device="cpu")
    np.testing.assert_array_equal(again.score(FIRST), model.score(FIRST))
    assert again.write(5, seed=4) == model.write(5, seed=4)
    with pytest.raises(UsageError, match="is no saved TextLSTM"):
        TextLSTM.load(tmp_path / "none.pt")


def test_same_seed_same_model_and_another_seed_another():
    texts = ["ab", "ba", "abba"] * 4
    a, b, c = (TextLSTM(unit="character", epochs=1, seed=s, **SMALL).fit(texts).score(texts) for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_long_texts_are_learnt_in_parts_that_lose_no_token():
    row = np.arange(12)
    parts = _parts([row, row[:3]], length=4)
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8], [8, 9, 10, 11], [0, 1, 2]]
    net = TextLSTM(unit="character", epochs=1, length=5, **SMALL).fit(["abcabcabcabc" * 3, "ab"] * 5)
    assert np.isfinite(net.score(["abc" * 200, ""])).all()


def test_validation_tells_when_to_stop():
    lines = []
    model = TextLSTM(epochs=30, batch_size=4, learning_rate=0.1, patience=1, **SMALL)
    model.fit(["a b"] * 8, validation=["b a", "a a"], log=lines.append)
    assert len(model.history_) < 30 and len(lines) == len(model.history_)
    best = max(model.history_, key=lambda epoch: epoch["score"])
    bits, tokens = model.bits(["b a", "a a"])
    assert -bits.sum() / tokens.sum() * np.log(2) == pytest.approx(best["score"], rel=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_scores_as_the_cpu(model, tmp_path):
    there = TextLSTM.load(model.save(tmp_path / "lstm.pt"), device="cuda")
    np.testing.assert_allclose(there.score(FIRST), model.score(FIRST), rtol=1e-3)
    trained = TextLSTM(epochs=12, batch_size=8, learning_rate=2e-2, **{**SMALL, "device": "cuda"}).fit(FIRST * 40)
    assert trained.bits(FIRST)[0].mean() < 1.5 and len(trained.write(5, seed=1)) == 5


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"n_hidden": 0}, "n_hidden=0 must be above 0"),
        ({"length": 1}, "length=1 above 1"),
        ({"dropout": 1.0}, "dropout=1.0 must be from 0 to below 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 above 0"),
        ({"epochs": 0}, "epochs=0 must be a whole number above 0"),
    ],
)
def test_errors_are_sentences(how, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        TextLSTM(**how)


def test_saving_before_fitting_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="TextLSTM has not been fitted"):
        TextLSTM().save(tmp_path / "x.pt")
