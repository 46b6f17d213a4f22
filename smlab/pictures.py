"""Load small pictures, all of one size, on white.

| name | what | size |
|---|---|---|
| twemoji | 1,391 emoji in seven kinds, for which stickers stand in | 24, or what is asked for |
| digits | 1,797 handwritten digits that come with scikit-learn, grey; no network is needed | 8 |
| your folder or zip file | PNG, JPEG or WebP, best in a folder for each label | 24, or what is asked for |

A picture is turned as its camera says, laid on white where it is transparent, scaled without changing its shape and
padded with white to a square. Of an animation the first picture counts.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from smlab import archives, catalog, datasets, layouts, sieve
from smlab.checks import DataError, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")  # whatever the suffix says, nothing else is decoded
MOST_PIXELS, MOST_BYTES, MOST_FILES = 50_000_000, 50_000_000, 50_000
# a code point, and those that change its skin, hair or sex or join it to others: 1f44d-1f3fd.png, emoji_u1f44d.png
EMOJI = re.compile(
    r"(?:emoji_u|u\+?)?(1f[0-9a-f]{3}|[23][0-9a-f]{3})(?:[-_](?:fe0f|200d|20e3|[23][0-9a-f]{3}|1f[0-9a-f]{3}))*", re.I
)
ALIKE = 0.92  # correlation; of Twemoji's clocks, coloured hearts, discs, squares and books each become one family
DIGITS = (
    "CC BY 4.0, E. Alpaydin and C. Kaynak (1998), Optical recognition of handwritten digits, UCI; scikit-learn's copy"
)
BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, OverflowError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """Pictures of one size.

    Parameters
    ----------
    images : (n, size, size, c) float32 from 0 (black) to 1; c is 1 where all are grey, else 3
    labels : (n,) the folder that each lies in, or the digit
    names : (n,) path of each within the folder or zip file
    note : what they are, and what was done to them, for a report
    dropped : reason, rows, example, share of what was left out
    origin : "cache", "data-dir", "sample" or "scikit-learn"
    fingerprint : SHA-256 over the files
    """

    name: str
    images: NDArray[np.float32]
    labels: NDArray[np.str_]
    names: NDArray[np.str_]
    note: str
    dropped: pd.DataFrame
    origin: str
    fingerprint: str
    licence: str


def load_pictures(
    name: str, data_dir: str | Path | None = None, *, size: int | None = None, offline: bool | None = None
) -> Pictures:
    """Load pictures; a dataset that is not on this machine is fetched, with a line that says so.

    Parameters
    ----------
    name : of the table above, or the name of a folder or zip file of your own
    data_dir : folder of the user's own copies, searched first; None means `SMLAB_DATA`
    size : pixels on each side, 4 to 256; None means 24, and 8 for digits, which have no other
    offline : read `data/sample/` only and fetch nothing; None means `SMLAB_OFFLINE`

    Raises
    ------
    DataAbsent
        If there is no copy and none can be fetched.
    DataError
        If a file cannot be read as a picture or is too large, with its name; or if there is no picture.
    UsageError
        For data of another kind, and a size that cannot be had.
    """
    if name == "digits":
        return _digits(size)
    return read_pictures(datasets.locate_or_fetch(name, data_dir, offline), size=24 if size is None else size)


def read_pictures(located: catalog.Located, *, size: int = 24) -> Pictures:
    """Read the files of a copy as pictures, in the order of their names."""
    if not 4 <= size <= 256:
        raise UsageError(f"size={size} pixels must lie between 4 and 256")
    if located.format not in (None, *layouts.PICTURES):
        inside = ", ".join(file.name for file in located.files.values())
        raise UsageError(f"{located.name} holds no pictures, but {inside}")
    place = next((file.container for file in located.files.values()), located.path)
    found = [(name, *_read(data, f"{place}/{name}", size)) for name, data in _files(place)]
    if not found:
        raise DataError(place, f"must hold pictures ({', '.join(SUFFIXES)})")
    every = np.stack([image for _, image, _ in found])  # (n, size, size, 3) uint8
    kept = sieve.Sieve(len(found), lambda row: found[row][0])
    kept.drop("the same as an earlier picture", pd.Series([x.tobytes() for x in every]).duplicated().to_numpy())
    images, names = every[kept.left], np.array([name for name, _, _ in found])[kept.left]
    labels = np.array([PurePosixPath(name).parent.name or located.name for name in names])
    note = _said(images, labels, sum(moving for _, _, moving in found), kept.table(), len(found))
    if (images == images[..., :1]).all():
        images = images[..., :1]
    return Pictures(
        located.name, images.astype(np.float32) / np.float32(255), labels, names, note, kept.table(), located.origin,
        located.fingerprint, datasets.licence_of(located),
    )  # fmt: skip


def _said(images: NDArray[np.uint8], labels: NDArray[np.str_], moving: int, dropped: pd.DataFrame, n: int) -> str:
    said = f"{len(images):,} pictures of {images.shape[1]} x {images.shape[2]} pixels on white"
    if (k := len(set(labels))) > 1:
        said += f", in {k} kinds"
    said += f"; of {moving:,} that move, the first picture" if moving else ""
    return f"{said}. {sieve.said(dropped, n, 'pictures')}"


def _files(place: Path) -> Iterator[tuple[str, bytes]]:
    """Give the name and the bytes of each picture of a folder, at any depth, or of a zip file."""
    if place.is_dir():
        inside = {p.relative_to(place).as_posix(): p for p in place.rglob("*") if p.is_file()}
        for name in _wanted(place, inside):
            if (size := inside[name].stat().st_size) > MOST_BYTES:
                raise DataError(inside[name], f"has {size:,} bytes; a picture may have {MOST_BYTES:,}")
            yield name, inside[name].read_bytes()
        return
    names = _wanted(place, [member.inner or "" for member in archives.entries(place)])
    with tempfile.TemporaryDirectory() as folder:  # checked and unpacked in one go
        archives.unpack(place, {name: str(k) for k, name in enumerate(names)}, Path(folder), 20 * MOST_BYTES)
        for k, name in enumerate(names):
            yield name, (Path(folder) / str(k)).read_bytes()


def _wanted(place: Path, names: list[str] | dict[str, Path]) -> list[str]:
    paths = [PurePosixPath(name) for name in names]
    paths = [p for p in paths if p.suffix.lower() in SUFFIXES]
    paths = [p for p in paths if not any(part.startswith(".") or part == "__MACOSX" for part in p.parts)]
    if len(paths) > MOST_FILES:
        raise DataError(place, f"holds {len(paths):,} pictures; at most {MOST_FILES:,} are read")
    return sorted(map(str, paths))


def _read(data: bytes, file: str, size: int) -> tuple[NDArray[np.uint8], bool]:
    """Decode one picture, whatever is in it; give it on white, (size, size, 3), and whether it moved."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height <= MOST_PIXELS:  # nothing has been unpacked so far
                    moving = getattr(image, "n_frames", 1) > 1
                    image.draft(None, (4 * size, 4 * size))  # JPEG need not be unpacked in full
                    return _square(_on_white(ImageOps.exif_transpose(image)), size), moving
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        pass
    except UnidentifiedImageError:
        raise DataError(file, f"is none of {', '.join(FORMATS)}") from None
    except BROKEN as error:
        raise DataError(file, f"cannot be read as a picture ({error or type(error).__name__})") from None
    raise DataError(file, f"has more than the {MOST_PIXELS:,} pixels that a picture may have")


def _on_white(image: Image.Image) -> Image.Image:
    """Turn any mode into RGB, transparent parts into white."""
    if image.mode.startswith("I"):  # 16 bits of grey, which convert() would cut off at 255
        image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Scale by areas so that the longer side fits, in the middle of a white square."""
    scale = size / max(image.size)
    wide, high = (max(1, round(scale * side)) for side in image.size)
    square = Image.new("RGB", (size, size), "white")
    square.paste(image.resize((wide, high), Image.Resampling.BOX), ((size - wide) // 2, (size - high) // 2))
    return np.asarray(square)


def _digits(size: int | None) -> Pictures:
    """Read the digits of the installed scikit-learn; 17 shades, black on white as the others are."""
    if size not in (None, 8):
        raise UsageError(f"digits are 8 pixels wide, not {size}")
    from sklearn.datasets import load_digits

    found = load_digits()
    ink = found.images.astype(np.uint8)  # (n, 8, 8), 0 to 16
    labels = found.target.astype(str)
    mark = hashlib.sha256(ink.tobytes() + "".join(labels).encode()).hexdigest()
    names = np.array([f"{label}/{row:04}" for row, label in enumerate(labels)])
    images = 1 - ink[..., None].astype(np.float32) / 16
    kept = sieve.Sieve(len(ink), str)
    note = f"{len(ink):,} handwritten digits of 8 x 8 pixels by 13 people who are not told apart. No row is left out."
    return Pictures("digits", images, labels, names, note, kept.table(), "scikit-learn", mark, DIGITS)


def families(data: Pictures, *, alike: float = ALIKE) -> NDArray[np.int64]:
    """Number the families, (n,): the same emoji with other skin, hair or sex, and near copies, mirrored or recoloured.

    Two pictures are near copies where their grey values, or those of one and the other's mirror image, correlate by
    `alike` or more. Families are chains of such pairs. Pictures of less than 16 pixels a side are too coarse for that:
    there only the code points in names count.
    """
    n = len(data.images)
    bases = [EMOJI.fullmatch(PurePosixPath(name).stem) for name in data.names]
    base = pd.factorize(np.array([m[1].lower() if m else f" {k}" for k, m in enumerate(bases)]))[0]
    if data.images.shape[1] < 16:
        return base.astype(np.int64)
    grey = data.images.mean(axis=3)  # (n, size, size)
    one, other = (_standard(x.reshape(n, -1)) for x in (grey, grey[:, :, ::-1]))
    first = np.array(np.unique(base, return_index=True)[1])[base]  # of the same code point
    pairs = [np.column_stack([np.arange(n), first])]
    for start in range(0, n, 1000):  # (1000, n) at a time
        block = one[start : start + 1000]
        pairs.append(np.argwhere(np.maximum(block @ one.T, block @ other.T) >= alike) + [start, 0])
    a, b = np.concatenate(pairs).T
    return connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)))[1].astype(np.int64)


def _standard(x: NDArray[np.float32]) -> NDArray[np.float32]:
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)


def split(
    data: Pictures, *, held: float = 0.3, seed: int = 0, alike: float = ALIKE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut pictures into positions for training and positions held out, by whole families and within each label.

    A family goes where its first member's label has room; one that is larger than the room is for training.
    """
    if not 0 < held < 1:
        raise UsageError(f"held={held} must lie between 0 and 1")
    family = families(data, alike=alike)
    first = np.unique(family, return_index=True)[1]
    sizes = np.bincount(family)
    room = {label: held * (data.labels == label).sum() for label in np.unique(data.labels)}
    chosen = np.zeros(len(first), dtype=bool)
    for one in np.random.default_rng(seed).permutation(len(first)):
        label = data.labels[first[one]]
        if sizes[one] <= room[label] + 0.5:
            chosen[one] = True
            room[label] -= sizes[one]
    out = chosen[family]
    if out.all() or not out.any():
        raise UsageError(f"{data.name}: held={held} leaves no pictures on one side; there are {len(first)} families")
    return np.flatnonzero(~out), np.flatnonzero(out)
