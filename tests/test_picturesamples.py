"""Made-up stickers: what was planted is in them, in files that Pillow reads, always the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from smlab import pictures, picturesamples
from smlab.picturesamples import KINDS, SIDE, shapes, sticker, stickers

MIDDLE = np.full(5, 0.5)
LARGE = np.array([0.5, 1.0, 0.5, 0.5, 0.5])


def test_files_are_pictures_with_a_palette_and_clear_corners():
    image = Image.open(io.BytesIO(sticker("face", LARGE, 0.12)))
    image.load()
    assert (image.format, image.mode, image.size) == ("PNG", "P", (SIDE, SIDE))
    pixels = np.asarray(image.convert("RGBA"))
    assert pixels[0, 0, 3] == 0 and pixels[12, 12, 3] == 255
    assert pixels[12, 12, 0] > 220 and pixels[12, 12, 2] < 120  # yellow


def test_smile_turns_the_mouth_around():
    sad, glad = (shapes("face", np.array([smile, 1.0, 0.5, 0.5, 0.5]))[1] for smile in (0.0, 1.0))
    middle, corner = 48, 33  # columns
    for mouth, up in ((sad, False), (glad, True)):
        lower = mouth[50:]
        assert (lower[:, corner].argmax() < lower[:, middle].argmax()) == up


def test_petals_size_and_place_are_as_asked():
    for shape, petals in ((0.0, 4), (0.99, 7)):
        body, _ = shapes("flower", np.array([shape, 1.0, 0.5, 0.5, 0.5]))
        angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
        ring = body[(48 + 32 * np.sin(angle)).astype(int), (48 + 32 * np.cos(angle)).astype(int)]
        assert (ring & ~np.roll(ring, 1)).sum() == petals
    small, large = (shapes("heart", np.array([0.5, size, 0.5, 0.5, 0.5]))[0].sum() for size in (0.0, 1.0))
    assert small / large == pytest.approx(0.36, abs=0.01)
    left, right = (shapes("heart", np.array([0.5, 0.0, 0.5, across, 0.5]))[0].any(axis=0) for across in (0.0, 1.0))
    assert left.argmax() < 10 and right[::-1].argmax() < 10


def test_sample_is_read_as_twemoji_is(tmp_path):
    for folder in ("one", "two"):
        picturesamples.write_samples(tmp_path / folder)
    assert (tmp_path / "one/twemoji/twemoji.zip").read_bytes() == (tmp_path / "two/twemoji/twemoji.zip").read_bytes()
    found = pictures.load_pictures("twemoji", tmp_path / "one")
    assert found.images.shape == (160, 24, 24, 3) and found.dropped.empty
    assert {kind: int((found.labels == kind).sum()) for kind in KINDS} == dict.fromkeys(KINDS, 40)
    assert stickers(2, seed=1) != stickers(2, seed=2)
    train, held = pictures.split(found)
    assert len(held) > 35 and set(found.labels[held]) == set(KINDS)
