"""The small picture of a run for the index: its headline figure, or else its first."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

from smlab import atomic

THUMBNAIL = "thumb.webp"
THUMBNAIL_WIDTH = 320


def write_thumbnail(folder: Path) -> Path | None:
    """Write a small picture of the headline figure, or else of the first; return None where there is none.

    The headline figure is the one whose output metadata says `smlab_headline`.
    """
    picture = _picture(folder / "notebook.ipynb")
    if picture is None:
        return None
    from PIL import Image

    try:
        with Image.open(BytesIO(base64.b64decode(picture))) as image:
            image.thumbnail((THUMBNAIL_WIDTH, 4 * THUMBNAIL_WIDTH))
            small = BytesIO()
            image.convert("RGBA").save(small, "WEBP", quality=80, method=4)
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return atomic.write(folder / THUMBNAIL, small.getvalue())


def _picture(notebook: Path) -> str | None:
    """Return the PNG of the headline figure as base64."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        outputs = [out for cell in cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    chosen = [out for out in outputs if _about(out).get("smlab_headline")] or outputs
    return "".join(chosen[0]["data"]["image/png"]) if chosen else None


def _about(output: dict[str, Any]) -> dict[str, Any]:
    about = output.get("metadata", {}).get("image/png", {})
    return about if isinstance(about, dict) else {}
