"""Pictures of any mode become small squares on white; families of near copies stay on one side."""

from __future__ import annotations

import io
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smlab import catalog, pictures
from smlab.checks import DataError, SmlabError, UsageError
from smlab.pictures import Pictures, families, load_pictures, split

DATA = os.environ.get("SMLAB_DATA")  # before the fixture below takes it away
RED, CLEAR = (255, 0, 0, 255), (0, 0, 255, 0)


@pytest.fixture(autouse=True)
def plain(plain_environment):
    """Keep the settings of whoever runs the tests out of them."""


def saved(image: Image.Image, form: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)  # type: ignore[arg-type]
    return out.getvalue()


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "mine" / name).write_bytes(data)
    return folder


def one(folder: Path, data: bytes, name: str = "a.png", size: int = 8) -> np.ndarray:
    found = load_pictures("mine", lay(folder, {name: data}), size=size)
    return (255 * found.images[0]).round().astype(int)


def halves(mode: str = "RGBA") -> Image.Image:
    """Draw red on the left, clear on the right, 16 x 16."""
    image = Image.new("RGBA", (16, 16), CLEAR)
    image.paste(RED, (0, 0, 8, 16))
    return image.convert(mode)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_transparent_parts_become_white(form, tmp_path):
    how = {"lossless": True} if form == "WEBP" else {}
    got = one(tmp_path, saved(halves(), form, **how), f"a.{form.lower()}")
    assert (got[:, :4] == [255, 0, 0]).all() and (got[:, 4:] == 255).all()


def test_palettes_greys_and_their_transparency(tmp_path):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 255, 0, 0, 0, 255])
    image.paste(0, (0, 0, 4, 8))
    assert (one(tmp_path, saved(image))[:, :4] == [0, 255, 0]).all()
    got = one(tmp_path, saved(image, transparency=0))
    assert (got[:, :4] == 255).all() and (got[:, 4:] == [0, 0, 255]).all()
    assert one(tmp_path, saved(Image.new("L", (8, 8), 100))).tolist() == np.full((8, 8, 1), 100).tolist()
    assert one(tmp_path, saved(Image.new("LA", (8, 8), (0, 51)))).max() == 204  # black, one fifth opaque
    deep = Image.fromarray(np.full((8, 8), 51 * 257, dtype=np.uint16))
    assert (one(tmp_path, saved(deep)) == 51).all()
    assert (one(tmp_path, saved(Image.new("1", (8, 8), 1))) == 255).all()


def test_jpeg_is_turned_as_the_camera_says_and_cmyk_has_its_colours(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    image = Image.new("RGB", (64, 64), "white")
    image.paste((0, 0, 0), (0, 0, 64, 32))  # dark on top, so on the right once it is turned
    got = one(tmp_path, saved(image, "JPEG", exif=exif, quality=95), "a.jpg")
    assert got[:, 5:].max() < 20 and got[:, :3].min() > 235
    cmyk = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    assert np.abs(one(tmp_path, saved(cmyk, "JPEG"), "a.jpg")[4, 4] - [255, 0, 0]).max() < 10


def test_shape_is_kept_and_areas_are_averaged(tmp_path):
    got = one(tmp_path, saved(Image.new("RGB", (40, 10), "black")))
    assert (got[3:5] == 0).all() and (got[:3] == 255).all() and (got[5:] == 255).all()
    assert (one(tmp_path, saved(Image.new("RGB", (900, 1), "black")))[3] == 0).all()
    board = Image.fromarray((np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8))
    assert set(one(tmp_path, saved(board)).ravel()) <= {127, 128}
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    want = x.reshape(8, 3, 8, 3, 3).mean(axis=(1, 3))
    assert np.abs(one(tmp_path, saved(Image.fromarray(x))) - want).max() <= 1


def test_folder_is_read_in_the_order_of_names_with_labels_and_without_copies(tmp_path):
    square = {k: saved(Image.new("RGB", (8, 8), (k, 0, 0))) for k in range(5)}
    moving = saved(halves(), "PNG", save_all=True, append_images=[halves().rotate(90)])
    place = lay(tmp_path, {
        "b/1.png": square[1], "a/2.PNG": square[2], "a/10.png": square[3], "top.png": square[4],
        "b/copy.png": square[1],
        "notes.txt": b"no picture", ".hidden/x.png": square[0], "__MACOSX/y.png": b"", "c/moves.png": moving,
    })  # fmt: skip
    found = load_pictures("mine", place, size=8)
    assert found.names.tolist() == ["a/10.png", "a/2.PNG", "b/1.png", "c/moves.png", "top.png"]
    assert found.labels.tolist() == ["a", "a", "b", "c", "mine"]
    assert found.dropped.values.tolist() == [["the same as an earlier picture", 1, "b/copy.png", 1 / 6]]
    assert found.note == (
        "5 pictures of 8 x 8 pixels on white, in 4 kinds; of 1 that move, the first picture. Left out of 6 pictures: 1 "
        "(the same as an earlier picture)."
    )
    assert found.images.dtype == np.float32 and found.images.max() == 1 and found.origin == "data-dir"
    assert found.images[3, 0, 0].tolist() == [1, 0, 0] and found.images[3, 0, 7].tolist() == [1, 1, 1]
    again = load_pictures("mine", place, size=8)
    assert (again.images == found.images).all() and again.fingerprint == found.fingerprint
    packed = tmp_path / "zip"
    packed.mkdir()
    with zipfile.ZipFile(packed / "mine.zip", "w") as archive:
        for path in sorted((p for p in (place / "mine").rglob("*") if p.is_file()), reverse=True):
            archive.write(path, path.relative_to(place / "mine"))
    assert (load_pictures("mine", packed, size=8).images == found.images).all()


def bomb(side: int) -> bytes:
    """Give a picture that claims to be side x side pixels."""
    data = bytearray(saved(Image.new("L", (8, 8))))
    import struct
    import zlib

    data[16:24] = struct.pack(">2I", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "mine/a.png: is none of PNG, JPEG, WEBP"),
        (b"GIF89a" + bytes(40), "mine/a.png: is none of PNG, JPEG, WEBP"),
        (saved(halves())[:60], "mine/a.png: cannot be read as a picture"),
        (bomb(8_000), "mine/a.png: has more than the 50,000,000 pixels that a picture may have"),
        (bomb(11_000), "mine/a.png: has more than the 50,000,000 pixels that a picture may have"),
        (bomb(60_000), "mine/a.png: has more than the 50,000,000 pixels that a picture may have"),
    ],
)
def test_broken_and_too_large_files_are_named(data, sentence, tmp_path):
    with pytest.raises(DataError, match=sentence):
        one(tmp_path, data)


def test_large_files_and_folders_without_pictures_are_errors(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"must hold pictures \(\.png, \.jpg, \.jpeg, \.webp\)"):
        load_pictures("mine", lay(tmp_path, {"a.txt": b"x"}))
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    with pytest.raises(DataError, match=r"a\.png: has \d+ bytes; a picture may have 10"):
        one(tmp_path, saved(halves()))
    monkeypatch.setattr(pictures, "MOST_FILES", 0)
    with pytest.raises(DataError, match="holds 1 pictures; at most 0 are read"):
        one(tmp_path, saved(halves()))


def test_wrong_use_is_an_error(tmp_path):
    for size in (3, 257):
        with pytest.raises(UsageError, match=f"size={size} pixels must lie between 4 and 256"):
            one(tmp_path, saved(halves()), size=size)
    with pytest.raises(UsageError, match="digits are 8 pixels wide, not 16"):
        load_pictures("digits", size=16)
    with pytest.raises(UsageError, match=r"mine holds no pictures, but posts\.csv"):
        load_pictures("mine", lay(tmp_path, {"posts.csv": b"text,label\na,b\n"}))


def test_whatever_is_in_a_file_it_is_a_picture_or_an_error(tmp_path):
    rng = random.Random(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    good = [saved(halves()), saved(halves("RGB"), "JPEG", exif=exif), saved(halves("CMYK"), "JPEG")]
    good += [saved(halves(), "WEBP"), saved(halves("P"), transparency=1)]
    good += [saved(halves(), save_all=True, append_images=[halves().rotate(90)])]
    for _ in range(600):
        data = bytearray(rng.choice(good))
        for _ in range(rng.choice([1, 2, 10])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        del data[rng.choice([len(data), rng.randrange(len(data))]) :]
        try:
            image, _ = pictures._read(bytes(data), "x", 8)
        except SmlabError as error:
            assert str(error).startswith("x: ") and "0x" not in str(error)
        else:
            assert image.shape == (8, 8, 3) and image.dtype == np.uint8


def test_digits_are_those_of_scikit_learn_without_network():
    found = load_pictures("digits", offline=True)
    assert found.images.shape == (1797, 8, 8, 1) and found.images.min() == 0 and found.images.max() == 1
    assert np.bincount(found.labels.astype(int)).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    train, held = split(found, held=0.25)
    assert len(held) == pytest.approx(449, abs=5) and not set(train) & set(held)
    assert found.origin == "scikit-learn" and "CC BY 4.0" in found.licence


def some(images: np.ndarray, names: list[str] | None = None, labels: list[str] | None = None) -> Pictures:
    n = len(images)
    names, labels = names or [f"p{k}.png" for k in range(n)], labels or ["a"] * n
    x = images.astype(np.float32)
    return Pictures("some", x, np.array(labels), np.array(names), "", None, "sample", "", "")  # type: ignore[arg-type]


def test_families_hold_mirrored_recoloured_and_emoji_of_one_code_point():
    rng = np.random.default_rng(0)
    x = rng.random((12, 16, 16, 3))
    x[1], x[2], x[3] = x[0, :, ::-1], 0.3 + 0.7 * x[0], np.clip(x[0] + 0.02 * rng.random((16, 16, 3)), 0, 1)
    names = [f"p{k}.png" for k in range(12)]
    names[5:9] = ["1f44d.png", "1F44D-1f3fd.png", "x/emoji_u1f44d_1f3fb.png", "1f44e.png"]
    names[9:12] = ["2024-05-01.png", "2024-06-02.png", "1f468-200d-1f3a8.png"]
    family = families(some(x, names))
    assert len(set(family[:4])) == 1 and family[4] != family[0]
    assert len(set(family[5:8])) == 1 and len(set(family[[0, 4, 5, 8, 9, 10, 11]])) == 7
    assert families(some(x[:, :8, :8], names)).max() + 1 == 10  # small: by code points alone


@pytest.mark.parametrize("seed", range(5))
def test_split_keeps_families_together_and_labels_in_proportion(seed):
    rng = np.random.default_rng(seed)
    base = rng.random((80, 16, 16, 1))
    x = np.concatenate([base, base[:30, :, ::-1], np.repeat(base[:1], 60, axis=0)])
    labels = ["a"] * 40 + ["b"] * 40 + ["a"] * 90
    data = some(x, labels=labels)
    train, held = split(data, seed=seed)
    family = families(data)
    assert not set(family[train]) & set(family[held])
    assert sorted([*train, *held]) == list(range(len(x)))
    assert (data.labels[held] == "b").sum() == 12
    assert [a.tolist() for a in split(data, seed=seed)] == [train.tolist(), held.tolist()]
    assert split(data, seed=seed + 1)[1].tolist() != held.tolist()


def test_split_that_cannot_be_is_an_error():
    x = np.random.default_rng(0).random((20, 16, 16, 1))
    with pytest.raises(UsageError, match=r"held=1\.5 must lie between 0 and 1"):
        split(some(x), held=1.5)
    with pytest.raises(UsageError, match=r"held=0\.3 leaves no pictures on one side; there are 1 families"):
        split(some(np.repeat(x[:1], 20, axis=0)))


@pytest.mark.realdata
def test_twemoji_has_1391_emoji_in_seven_kinds_and_its_clocks_are_one_family():
    if catalog.locate("twemoji", data_dir=DATA) is None:
        pytest.skip("twemoji is not on this machine")
    found = load_pictures("twemoji", DATA)
    kinds, n = np.unique(found.labels, return_counts=True)
    assert dict(zip(kinds, n.tolist(), strict=True)) == {
        "animal": 121, "face": 126, "food": 163, "person": 158, "place": 195, "sign": 273, "thing": 355,
    }  # fmt: skip
    assert found.images.shape == (1391, 24, 24, 3) and found.dropped.empty
    family = dict(zip(found.names, families(found), strict=True))
    assert len(set(family.values())) == 1266
    assert len({family[f"sign/{code:x}.png"] for code in range(0x1F550, 0x1F568)}) == 1
    assert family["sign/2764.png"] == family["sign/1f499.png"]  # hearts, red and blue
