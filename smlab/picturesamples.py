"""Draw made-up stickers of which the kind is known: faces, hearts, stars and flowers, and pack them as Twemoji is.

Smile, petals, points, colour, size, tilt and place change without steps, so a maker of pictures can miss a kind or a
part of one. Files are PNG of 24 x 24 pixels with a palette of 9 colours, four bits a pixel, unpacked: the
same bytes wherever they are written.
"""

from __future__ import annotations

import struct
import zlib
from colorsys import hls_to_rgb
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smlab import atomic
from smlab.picture_sources import TWEMOJI, zipped

SIDE, FINE = 24, 4  # pixels; each is looked at in 4 x 4 points
KINDS = ("face", "flower", "heart", "star")
DARK = (0.25, 0.2, 0.15)


Shape = NDArray[np.float64]


def shapes(kind: str, form: Shape) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which of the fine points are in the body and which in its features, (96, 96) each.

    `form` holds five numbers from 0 to 1: the smile of a face, the petals of a flower, the width of a heart or the
    points of a star; then size, tilt, and place across and up.
    """
    shape, size, tilt, across, up = form
    scale = 0.6 + 0.4 * size
    at = ((np.arange(SIDE * FINE) + 0.5) / (SIDE * FINE) * 2.2 - 1.1) / scale
    room = 1 / scale - 1
    u, v = at[None, :] - room * (2 * across - 1), -at[:, None] - room * (2 * up - 1)
    turn = 0.9 * (tilt - 0.5)
    x, y = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    r, angle = np.hypot(x, y), np.arctan2(x, y)
    if kind == "face":
        curve = 2.4 * (shape - 0.5)
        mouth = (np.abs(y + 0.4 - curve * (x * x - 0.1)) < 0.09) & (np.abs(x) < 0.5)
        eyes = np.hypot(np.abs(x) - 0.35, y - 0.25) < 0.14
        return r < 1, (r < 1) & (mouth | eyes)
    if kind == "heart":
        wide, high = x * (1.35 - 0.3 * shape), 1.15 * y + 0.1
        body = (wide**2 + high**2 - 1) ** 3 < wide**2 * high**3
        return body, body & (np.hypot(x + 0.4, y - 0.45) < 0.13)
    n = 4 + int(4 * shape)  # petals or points
    if kind == "flower":
        return r < 0.72 + 0.26 * np.cos(n * angle), r < 0.3
    between = 1 - 2 * np.abs((angle * n / (2 * np.pi)) % 1 - 0.5)  # 0 at a point, 1 between two
    return r < 0.98 - 0.56 * between, r < 0


def sticker(kind: str, form: Shape, hue: float) -> bytes:
    """Draw one sticker as a PNG file, transparent around it.

    >>> sticker("heart", np.full(5, 0.5), 0.0)[:4]
    b'\\x89PNG'
    """
    body, features = (
        m.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3)) for m in np.broadcast_arrays(*shapes(kind, form))
    )
    colour = np.array(hls_to_rgb(hue, 0.6, 0.9))
    levels = np.arange(1, 5)[:, None] / 4
    palette = np.vstack([colour, np.repeat(colour[None], 4, 0), levels * DARK + (1 - levels) * colour])  # (9, 3)
    index = np.where(features > 0.1, 4 + np.ceil(4 * features), np.ceil(4 * body)).astype(np.uint8)  # (24, 24)
    alpha = bytes(int(255 * k / 4) for k in range(5))
    rows = b"".join(b"\0" + bytes(row[::2] << 4 | row[1::2]) for row in index)
    parts = {
        b"IHDR": struct.pack(">2I5B", SIDE, SIDE, 4, 3, 0, 0, 0),
        b"PLTE": np.rint(255 * palette).astype(np.uint8).tobytes(),
        b"tRNS": alpha,
        b"IDAT": _stored(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts.items())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _stored(data: bytes) -> bytes:
    """Wrap up to 65,535 bytes as zlib does, unpacked: packers differ in their bytes."""
    length = struct.pack("<HH", len(data), len(data) ^ 0xFFFF)
    return b"\x78\x01\x01" + length + data + struct.pack(">I", zlib.adler32(data))


def stickers(n: int = 40, *, seed: int = 0) -> dict[str, bytes]:
    """Draw n stickers of each kind, by their names in the zip file."""
    rng = np.random.default_rng(seed)  # only rng.random() is drawn: its stream is the same in every NumPy
    hues = {"face": (0.11, 0.06), "flower": (0.5, 0.45), "heart": (0.95, 0.12), "star": (0.13, 0.1)}  # middle, spread
    made = {}
    for kind in KINDS:
        middle, spread = hues[kind]
        for k, (hue, *form) in enumerate(rng.random((n, 6))):
            made[f"{kind}/{k:03}.png"] = sticker(kind, np.array(form), (middle + spread * (2 * hue - 1)) % 1)
    return made


def write_samples(folder: Path) -> None:
    """Write `twemoji/twemoji.zip`, always the same bytes."""
    (folder / "twemoji").mkdir(parents=True, exist_ok=True)
    atomic.write(folder / "twemoji" / TWEMOJI, zipped(stickers()))
